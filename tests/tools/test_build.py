"""What the page folds, and the notebook does not."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.build import with_facts
from tools.common import SETUP_TITLE

ABOUT = {"date": "2026-01-01", "machine": "torch on a machine", "data": {}}


@pytest.mark.parametrize(
    ("tags", "fold", "prompt"),
    [
        (["answer"], "hide-output", "Show what happens"),
        (["claim"], "hide-input", "How this is checked"),
        (["claim", "answer"], "hide-cell", "Show what happens"),
        (["hide-cell"], None, None),
        ([], None, None),
    ],
)
def test_answers_and_the_code_of_claims_are_folded_on_the_page(tags, fold, prompt):
    cell = new_code_cell("1 + 1", metadata={"tags": tags, "mystnb": {"image": {"alt": "A picture."}}})
    notebook = new_notebook(cells=[new_markdown_cell("# Title"), cell])
    page = with_facts(notebook, ABOUT).cells[-1]
    assert page.metadata.tags == [*tags, *([fold] if fold else [])]
    assert page.metadata.mystnb.get("code_prompt_show") == prompt and page.metadata.mystnb.image.alt == "A picture."
    assert cell.metadata.tags == tags and "code_prompt_show" not in cell.metadata.mystnb  # the notebook is as it was


FOLD_LOGS = ("08_capacity", "12_modern_blocks")  # still in the first edition, which folds the log of a training


def test_only_setup_and_solutions_are_folded_in_the_notebook(lesson, notebook):
    for cell in notebook.cells:
        tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith("hide-")]
        if tags and not (tags == ["hide-output"] and lesson in FOLD_LOGS):
            assert cell.source.startswith((SETUP_TITLE, "# @title Solution ")) and cell.metadata.tags == ["hide-cell"]
