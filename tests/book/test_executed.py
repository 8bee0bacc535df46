"""The lessons as the rehearsal ran them: all of them, without a word on stderr, every claim numbered and listed."""

import json
import re

import pytest

from tools.claims_page import ClaimReader, claims_of
from tools.common import ROOT, RUN, lessons, manuscripts


@pytest.fixture(params=manuscripts())
def lesson(request):
    return request.param


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_every_notebook_was_executed(site):
    names = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert sorted(path.name for path in (RUN / "test" / "notebooks").glob("*.ipynb")) == names
    assert list(json.loads((RUN / "test" / "executed.json").read_text(encoding="utf-8"))) == manuscripts()


# Modules that a lesson may load and not use, with the reason.
LOADED_ONLY = {
    "course_utils.checks": "an empty package",
    "course_utils._images": "an empty package",
    "course_utils._images.catalogue": "a table, which its import reads",
    "course_utils.history": "what training returns; of its functions, `predict` needs none",
    "course_utils._precision": "a choice of `fit`; `predict` and `train_epoch` have none",
    "course_utils._generators": "what that choice, and a checkpoint, put back",
}


def test_a_lesson_loads_no_module_that_it_does_not_use(lesson, executed):
    """A change in a module runs all lessons again that load it; so they load only what they use."""
    trace = json.loads((RUN / "trace" / f"{lesson[:2]}.json").read_text(encoding="utf-8"))
    assert "course_utils.runtime" in trace["used"]
    assert set(trace["loaded"]) - set(trace["used"]) - LOADED_ONLY.keys() == set()


def test_every_cell_was_executed(executed):
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code if "skip-execution" not in cell.metadata.get("tags", [])]
    assert counts and None not in counts


def test_no_cell_wrote_to_stderr_or_raised(executed):
    bad = [output for output in outputs(executed) if output.get("name") == "stderr" or output.output_type == "error"]
    assert bad == []


def test_every_figure_has_alt_text(executed):
    for cell in executed.cells:
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert cell.metadata.get("mystnb", {}).get("image", {}).get("alt"), cell.source


def test_claims_are_numbered_without_gap_or_double(lesson, executed):
    claims = claims_of(executed)
    assert [claim["id"] for claim in claims] == [f"{lesson[:2]}-{n:02}" for n in range(1, len(claims) + 1)]
    assert claims or lesson not in lessons(), "a lesson without a claim proves nothing"


def test_every_claim_of_the_manuscript_is_shown(executed):
    for cell in executed.cells:
        if cell.cell_type == "code" and re.search(r"^claim[.(]", cell.source, re.MULTILINE):
            assert any('div class="claim"' in output.get("data", {}).get("text/html", "") for output in cell.outputs)


def test_the_page_lists_every_claim(lesson, executed, site):
    page = (site / "book" / "claims.html").read_text(encoding="utf-8")
    listed = re.findall(rf'<li id="claim-({lesson[:2]}-\d\d)"', page)
    assert listed == [claim["id"] for claim in claims_of(executed)]


def test_the_lesson_page_shows_every_claim(lesson, executed, site):
    reader = ClaimReader()
    reader.feed((site / "notebooks" / f"{lesson}.html").read_text(encoding="utf-8"))
    assert [claim["id"] for claim in reader.claims] == [claim["id"] for claim in claims_of(executed)]


def test_the_lesson_page_says_when_and_on_what_it_was_run(lesson, site):
    page = (site / "notebooks" / f"{lesson}.html").read_text(encoding="utf-8")
    assert re.search(r'class="executed">Run on \d{4}-\d\d-\d\d with torch \S+ on CPU.*, data: .+\.</div>', page)


def test_the_download_has_no_outputs(lesson, site):
    download = site / "_sources" / "notebooks" / f"{lesson}.ipynb"
    assert download.read_bytes() == (ROOT / "notebooks" / f"{lesson}.ipynb").read_bytes()
