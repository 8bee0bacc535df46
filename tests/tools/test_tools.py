"""The scripts behind `make`, piece by piece."""

import math
import sys

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils.claims import Agreement, Statement
from tools import bench, brand
from tools.calibrate import bounds, with_seed
from tools.claims_page import ClaimReader, claims_page
from tools.provenance import fingerprint_module
from tools.run_lessons import hash_code
from tools.time_lessons import HEADER, spoken

CLAIM = (
    '<div class="claim" data-id="06-01" data-kind="measured" data-status="checked" data-value="0.98" '
    'data-copy="official" data-sentence="It reads {value:.0%} &amp; more of `x`." style="x">'
    "It reads 98% &amp; more of <code>x|y</code>."
    "<br><small>claim 06-01 · a <code>note</code></small></div>"
)


def notebook(*sources):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def test_claims_are_read_from_the_html_that_lessons_show():
    reader = ClaimReader()
    reader.feed(f"<p>Before</p>{CLAIM}<div class='other'>After</div>{CLAIM.replace('06-01', '06-02')}")
    assert [claim["id"] for claim in reader.claims] == ["06-01", "06-02"]
    assert reader.claims[0] == {
        "class": "claim",
        "id": "06-01",
        "kind": "measured",
        "status": "checked",
        "value": "0.98",
        "copy": "official",
        "sentence": "It reads {value:.0%} & more of `x`.",
        "style": "x",
        "text": "It reads 98% & more of `x|y`.",
    }


def test_real_claims_are_read_back():
    shown = Statement("`One` is {value} < 2.", 1, "claim", "checked", "equals `1`", "")
    reader = ClaimReader()
    reader.feed(shown._repr_html_())
    assert reader.claims[0]["text"] == "`One` is 1 < 2." and reader.claims[0]["value"] == "1"


def test_the_claims_page_has_one_row_for_each_claim():
    cell = new_code_cell("claim(...)", outputs=[new_output("execute_result", {"text/html": CLAIM})])
    page = claims_page({"06_lenet": new_notebook(cells=[new_markdown_cell("# 6 · LeNet\n\nText"), cell])})
    assert "## [6 · LeNet](../notebooks/06_lenet.ipynb)" in page
    assert "<p>It reads 98% &amp; more of <code>x|y</code>.</p><small>✓ checked · 0.98 · official</small>" in page
    assert '<li id="claim-06-01" class="checked" data-lesson="06" data-status="checked">' in page


def test_agreements_are_listed_below_the_claims():
    shown = Agreement("loops and `F.conv2d`: three: equal", 3.3e-15, 1e-12)._repr_html_()
    outputs = [new_output("display_data", {"text/html": text}) for text in (shown, CLAIM)]
    cell = new_code_cell("agree(...)", outputs=outputs)
    page = claims_page({"02_convolution": new_notebook(cells=[new_markdown_cell("# 2 · Convolution"), cell])})
    equal = "<p>loops and <code>F.conv2d</code>: three</p><small>✓ equal · largest difference 3.3·10⁻¹⁵, at most 10⁻¹²"
    assert page.index('id="claim-06-01"') < page.index(equal)


def test_what_counts_as_code():
    first = notebook("# @title Setup, old", "a = 1")
    same = notebook("# @title Setup, new", "a = 1")
    same.cells.insert(0, new_markdown_cell("Prose"))
    assert hash_code(first) == hash_code(same)
    same.cells[-1].metadata["mystnb"] = {"image": {"alt": "Text."}}
    assert hash_code(first) == hash_code(same)
    same.cells[-1].metadata["tags"] = ["hide-cell"]
    assert hash_code(first) != hash_code(same)
    assert hash_code(first) != hash_code(notebook("a = 2"))


def test_comments_and_docstrings_are_not_code(tmp_path):
    plain, commented = tmp_path / "plain.py", tmp_path / "commented.py"
    plain.write_text("def f(x):\n    return x\n")
    commented.write_text('"""Module."""\n\n\ndef f(x):\n    """Function."""\n    return x  # back\n')
    assert fingerprint_module(plain) == fingerprint_module(commented)
    commented.write_text("def f(x):\n    return -x\n")
    assert fingerprint_module(plain) != fingerprint_module(commented)


def test_a_bound_is_three_standard_deviations_below_the_mean():
    found = bounds([{"It reads {value}.": (value, "official")} for value in (0.97, 0.98, 0.99)])
    assert found["copy"] == "official" and found["seeds"] == [0, 1, 2]
    claim = found["claims"]["It reads {value}."]
    assert claim["values"] == [0.97, 0.98, 0.99]
    assert claim["mean"] == pytest.approx(0.98) and claim["sd"] == pytest.approx(0.01)
    assert claim["at_least"] == pytest.approx(0.95)


def test_the_seed_is_set_in_the_parameters_cell():
    changed = with_seed(notebook("x = 1", "SEED = 0  # yours\nEPOCHS = 3", "print(SEED)"), 7)
    assert [cell.source for cell in changed.cells] == ["x = 1", "SEED = 7  # yours\nEPOCHS = 3", "print(SEED)"]
    with pytest.raises(SystemExit):
        with_seed(notebook("x = 1"), 7)


@pytest.mark.parametrize(
    ("seconds", "device", "threads", "words"),
    [
        (2.1, "cpu", 2, "5 s on two CPU cores"),
        (41.2, "cpu", 2, "40 s on two CPU cores"),
        (136, "cpu", 6, "2.5 min on 6 CPU cores"),
        (182, "cpu", 1, "3 min on one CPU core"),
        (33, "cuda", 2, "35 s on a GPU"),
    ],
)
def test_times_are_spoken(seconds, device, threads, words):
    assert spoken({"live": {"median": seconds}, "device": device, "threads": threads}) == words


def test_the_time_is_written_into_the_header():
    line = "# **Read** 25 min · **Run** 40 s on two CPU cores · **Before this** lesson 1\n"
    assert HEADER.sub("**Run** 5 s", line) == "# **Read** 25 min · **Run** 5 s · **Before this** lesson 1\n"


@pytest.mark.parametrize(
    "address", ["", "looms", "a/b/c", "-a/b", "a b/c", "https://github.com/a/b", "a/b;c", "a/..", "a/b.git"]
)
def test_a_malformed_address_is_refused(address):
    before = (brand.ROOT / "_config.yml").read_bytes()
    with pytest.raises(SystemExit, match="owner/name"):
        brand.brand(address)
    assert (brand.ROOT / "_config.yml").read_bytes() == before


@pytest.mark.parametrize("title", ["two\nlines", "x" * 81, "a <b>", "{{ url }}", "tab\there"])
def test_a_title_that_would_break_a_page_is_refused(title):
    before = (brand.ROOT / "_config.yml").read_bytes()
    with pytest.raises(SystemExit, match="TITLE must be one line"):
        brand.brand("owner/name", title)
    assert (brand.ROOT / "_config.yml").read_bytes() == before


def test_ways_take_turns_and_the_first_round_does_not_count():
    order = []
    values = bench.take_turns({"a": 1, "b": 2}, lambda way: order.append(way) or len(order), rounds=3)
    assert order == [1, 2, 2, 1, 1, 2, 2, 1] and values == {"a": [4, 5, 8], "b": [3, 6, 7]}


def test_ratios_are_taken_round_by_round_and_shown_with_their_interval():
    ratios = bench.ratios({"ours": [10, 30, 20], "usual": [5, 10, 20]}, "ours", ["usual"])
    assert ratios == {"usual": [2, 3, 1]}
    assert bench.table("T", ratios).splitlines()[1].split() == ["usual", "2.00", "1.00", "to", "3.00", "1.00", "3.00"]


@pytest.mark.parametrize("n", [6, 10, 12, 20])
def test_the_interval_holds_the_median_in_at_least_95_of_100_runs(n):
    low, high = bench.median_interval(list(range(n)))
    assert low + high == n - 1  # as many left out on either side
    left_out = sum(math.comb(n, k) for k in range(low + 1)) * 2 / 2**n
    next_one = sum(math.comb(n, k) for k in range(low + 2)) * 2 / 2**n
    assert left_out <= 0.05 < next_one


@pytest.mark.slow
def test_the_bench_runs(monkeypatch, capsys):
    monkeypatch.setattr(bench, "IMAGES", 128)
    monkeypatch.setattr(sys, "argv", ["bench.py", "--rounds", "6"])
    monkeypatch.setattr(bench.augmentation, "__defaults__", (0.01, 0))
    bench.main()
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ") and " to " in line]
    assert len(rows) == 2 + 4 + 5 + 4
    assert all(float(row[-2]) <= float(row[-5]) <= float(row[-1]) for row in rows)  # least, median, largest
