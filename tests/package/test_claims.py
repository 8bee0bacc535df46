"""Claims: true ones are shown once, false ones raise, and measured ones know when they may not speak."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils import claims
from course_utils.claims import ClaimError, agree, claim

REAL, COPY, SAMPLE = (SimpleNamespace(name="mnist", source=source) for source in ("official", "JPEG copy", "sample"))


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """The statements that were shown, in a fresh lesson 99."""
    statements = []
    monkeypatch.setattr(claims, "display", statements.append)
    monkeypatch.delenv("COURSE_STRICT", raising=False)
    claims._lesson = "00"
    claims.begin("99_test")
    yield statements
    claims._lesson = "00"
    claims._numbers.clear()
    claims._agreements.clear()


@pytest.fixture
def bounds(tmp_path, monkeypatch):
    """Five recorded runs for one sentence, as `make calibrate` writes them."""
    (tmp_path / "results").mkdir()
    runs = {"values": [0.97, 0.98, 0.98, 0.98, 0.99], "mean": 0.98, "sd": 0.007, "at_least": 0.959}
    content = {"copy": "official", "seeds": [0, 1, 2, 3, 4], "claims": {"It reads {value:.1%}.": runs}}
    (tmp_path / "results" / "bounds_99.json").write_text(json.dumps(content))
    monkeypatch.setattr(claims, "resource", lambda path: tmp_path / path)


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (3, {"equals": 3}),
        (0.1307, {"equals": 0.13, "within": 0.001}),
        (3, {"at_least": 3}),
        (3, {"at_most": 3}),
        (3, {"at_least": 2, "at_most": 4}),
        (True, {"equals": True}),
        ("[0, 1]", {"equals": "[0, 1]"}),
        (torch.tensor(0.5), {"equals": 0.5}),
    ],
)
def test_a_true_claim_is_shown_once(value, bounds, shown):
    assert claim("It is {value}.", value, **bounds) is None
    assert [statement.status for statement in shown] == ["checked"]


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (4, {"equals": 3}),
        (0.132, {"equals": 0.13, "within": 0.001}),
        (2, {"at_least": 3}),
        (4, {"at_most": 3}),
        (5, {"at_least": 2, "at_most": 4}),
        (False, {"equals": True}),
        (float("nan"), {"at_most": 1}),
    ],
)
def test_a_false_claim_raises_and_is_not_shown(value, bounds, shown):
    with pytest.raises(ClaimError):
        claim("It is {value}.", value, **bounds)
    assert not shown


def test_a_claim_without_a_bound_is_refused():
    with pytest.raises(ValueError, match="equals="):
        claim("It is {value}.", 3)


def test_numbers_are_given_once_a_sentence(shown):
    for sentence in ("One: {value}.", "Two: {value}.", "One: {value}."):
        claim(sentence, 1, equals=1)
    claims.begin("99_test")  # the setup cell, run again
    claim("Three: {value}.", 1, equals=1)
    assert [statement.id for statement in shown] == ["99-01", "99-02", "99-01", "99-03"]
    claims.begin("98_other")
    claim("One: {value}.", 1, equals=1)
    assert shown[-1].id == "98-01"


def test_the_mark_is_one_div_with_its_data(shown):
    claim.data("`x < y` holds for {value:.1%}.", 0.5, data=REAL, equals=0.5)
    html = shown[0]._repr_html_()
    assert re.findall(r"<div [^>]*>", html) == [html[: html.index(">") + 1]]
    for part in (
        'class="claim"',
        'data-id="99-01"',
        'data-kind="data"',
        'data-status="checked"',
        'data-value="0.5"',
        'data-copy="official"',
        "<code>x &lt; y</code> holds for 50.0%.",
    ):
        assert part in html
    assert repr(shown[0]) == "[claim 99-01, checked] `x < y` holds for 50.0%."


@pytest.mark.parametrize(
    ("data", "bound", "status"),
    [
        (REAL, 0.5, "checked"),
        (SAMPLE, 0.9, "skipped"),
        (COPY, {"official": 0.9}, "skipped"),
        (COPY, {"JPEG copy": 0.5}, "checked"),
    ],
)
def test_a_claim_about_data_is_checked_on_the_copies_it_names(data, bound, status, shown):
    claim.data("Mean {value}.", 0.5, data=data, equals=bound)
    assert shown[0].status == status


def test_a_false_claim_about_data_raises_on_its_copy():
    with pytest.raises(ClaimError, match="0.5"):
        claim.data("Mean {value}.", 0.5, data=REAL, equals={"official": 0.6})


def test_a_claim_gets_its_number_when_it_is_shown():
    made = [claims.Statement(f"{word} is {{value}}.", 1, "claim", "checked", "") for word in ("One", "Two", "Three")]
    for statement in reversed(made):
        repr(statement)
    assert [statement.id for statement in made] == ["99-03", "99-02", "99-01"]
    with pytest.raises(ClaimError):
        claim("A false one, which is never shown: {value}.", 1, equals=2)
    assert claims.Statement("Four is {value}.", 4, "claim", "checked", "").id == "99-04"


@pytest.mark.parametrize(
    ("value", "data", "stated", "status"),
    [
        (0.96, REAL, True, "checked"),
        (0.95, REAL, True, "missed"),
        (0.95, REAL, False, "skipped"),
        (0.95, SAMPLE, True, "skipped"),
        (0.95, COPY, True, "skipped"),
    ],
)
def test_a_measured_claim_speaks_at_its_size_and_on_its_copy(bounds, value, data, stated, status, shown):
    claim.measured("It reads {value:.1%}.", value, data=data, stated=stated)
    assert shown[0].status == status
    if status in ("checked", "missed"):
        assert "5 runs gave 98.0% ± 0.7%; at least 95.9%" in shown[0].note


def test_strict_makes_a_miss_raise(bounds, monkeypatch, shown):
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(ClaimError, match="false"):
        claim.measured("It reads {value:.1%}.", 0.95, data=REAL)
    with pytest.raises(ClaimError, match="make calibrate"):
        claim.measured("Never recorded: {value}.", 1.0, data=REAL)
    claim.measured("It reads {value:.1%}.", 0.2, data=SAMPLE)
    claim.measured("It reads {value:.1%}.", 0.2, data=COPY)  # recorded, but on the official one
    assert [statement.status for statement in shown] == ["skipped", "skipped"]
    with pytest.raises(ClaimError, match="make calibrate"):
        claim.measured("Never recorded: {value}.", 1.0, data=COPY)


def test_an_explicit_bound_needs_no_recorded_runs(shown):
    claim.measured("More than published: {value}.", 0.99, data=REAL, at_least=0.9878)
    claim.measured("More than published: {value}.", 0.98, data=REAL, at_least=0.9878)
    assert [statement.status for statement in shown] == ["checked", "missed"]


# Agreements


@pytest.fixture
def agreed(monkeypatch):
    """What `agree` has shown."""
    seen = []
    monkeypatch.setattr(claims, "display", seen.append)
    return seen


@pytest.mark.parametrize(
    ("ours", "theirs", "within", "words"),
    [
        (6, 6.0, 0, "exactly equal"),
        (torch.tensor([1, 2]).sum(), 3, 0, "exactly equal"),
        (np.array([1.0, 2]), torch.tensor([1.0, 2], dtype=torch.float64), 0, "exactly equal"),
        (
            torch.tensor([1.0, 2], requires_grad=True),
            torch.tensor([1.0, 2.25]),
            0.25,
            "equal, largest difference 2·10⁻¹",
        ),
        (torch.tensor(float("inf")), float("inf"), 0, "exactly equal"),
        (torch.zeros(0, 3), torch.zeros(0, 3), 0, "exactly equal"),
        (torch.tensor([True]), torch.tensor([True]), 0, "exactly equal"),
    ],
)
def test_what_agrees_is_shown_in_one_line(ours, theirs, within, words, agreed):
    agree("ours and `theirs`", ours, theirs, within=within)
    [line] = agreed
    assert repr(line).endswith(f"ours and `theirs`: {words}")
    assert "<code>theirs</code>" in line._repr_html_() and 'class="agreement"' in line._repr_html_()


NAN = float("nan")


@pytest.mark.parametrize(
    ("ours", "theirs", "within", "words"),
    [
        (1.0, 1.5, 0.25, "largest difference is 0.5"),
        (torch.ones(3), torch.ones(1), 1, "shape"),
        (torch.ones(3), torch.ones(3).double(), 1, "torch.float64"),
        (torch.tensor([1.0, NAN]), torch.tensor([1.0, NAN]), 9, "nan"),
        (NAN, NAN, 9, "nan"),
        (torch.tensor([NAN, 1.0]), torch.tensor([1.0, 1.0]), 9, "nan"),
        (float("inf"), -float("inf"), 9, "inf"),
    ],
)
def test_what_does_not_agree_raises_and_shows_nothing(ours, theirs, within, words, agreed):
    with pytest.raises(ClaimError, match=words):
        agree("ours and theirs", ours, theirs, within=within)
    assert agreed == []


@pytest.mark.parametrize(
    "wrong", [{"what": 3}, {"within": -1}, {"within": NAN}, {"within": "0"}, {"ours": "one"}, {"theirs": None}]
)
def test_what_can_not_be_compared_is_named(wrong, agreed):
    arguments = {"what": "a", "ours": 1, "theirs": 1, "within": 0} | wrong
    with pytest.raises((TypeError, ValueError), match=f"^{next(iter(wrong))} must be"):
        agree(arguments.pop("what"), **arguments)


def test_an_agreement_has_a_number_of_its_own(agreed):
    claims.begin("98_other")
    for what in ("a", "b", "a"):
        agree(what, 1, 1, within=0)
    assert [line.id for line in agreed] == ["98-a01", "98-a02", "98-a01"]
