"""What the page folds, and the notebook does not."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.build import with_facts
from tools.common import SETUP_TITLE

ABOUT = {"date": "2026-01-01", "machine": "torch on a machine", "data": {}}


@pytest.mark.parametrize(
    ("code", "tags", "fold", "prompt"),
    [
        ("print(1)", ["answer"], "hide-output", "Show what happens"),
        ("agree('one and one', 1, 1, within=0)", ["answer"], "hide-cell", "Show what happens"),
        ("plots.images([x], title='It is 1')", ["answer"], "hide-cell", "Show what happens"),
        ("claim('It is {value}.', 1, equals=1)", ["claim"], "hide-input", "How this is checked"),
        ("claim('It is {value}.', 1, equals=1)", ["claim", "answer"], "hide-cell", "Show what happens"),
        ("claim.measured('It is {value}.', 1, data=mnist)", ["claim", "answer"], "hide-cell", "Show what happens"),
        ("# @title Solution 2.1\nx = 1", ["hide-cell"], "hide-cell", "Solution 2.1"),
        ("agree('one and one', 1, 1, within=0)", [], None, None),
    ],
)
def test_answers_solutions_and_the_code_of_claims_are_folded_on_the_page(code, tags, fold, prompt):
    cell = new_code_cell(code, metadata={"tags": tags, "mystnb": {"image": {"alt": "A picture."}}})
    notebook = new_notebook(cells=[new_markdown_cell("# Title"), cell])
    page = with_facts(notebook, ABOUT).cells[-1]
    assert page.metadata.tags == [*dict.fromkeys([*tags, *([fold] if fold else [])])]
    assert page.metadata.mystnb.get("code_prompt_show") == page.metadata.mystnb.get("code_prompt_hide") == prompt
    assert page.metadata.mystnb.image.alt == "A picture."
    assert cell.metadata.tags == tags and "code_prompt_show" not in cell.metadata.mystnb  # the notebook is as it was


def test_only_setup_and_solutions_are_folded_in_the_notebook(notebook):
    for cell in notebook.cells:
        tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith("hide-")]
        if tags:
            assert cell.source.startswith((SETUP_TITLE, "# @title Solution ")) and cell.metadata.tags == ["hide-cell"]
