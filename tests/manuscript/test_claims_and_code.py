"""How a lesson lays out its code: short cells, narrow lines, each claim in a cell of its own."""

import ast
from statistics import median

from tests.manuscript.test_manuscript import code_cells, line_count, texts


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def called(cell):
    """The names of what a cell calls: `claim.data(...)` and `claim(...)` both call claim."""
    functions = [node.func for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    return [name.id for function in functions if isinstance(name := getattr(function, "value", function), ast.Name)]


def is_stub(cell):
    return cell.source.splitlines()[-1].startswith("check(")


def is_claim(cell):
    return "claim" in cell.metadata.get("tags", [])


def test_no_line_of_code_needs_scrolling(notebook):
    wide = [line for cell in code_of(notebook) for line in cell.source.splitlines() if len(line) > 78]
    assert not wide


def test_a_claim_has_a_cell_of_its_own(notebook):
    for cell in code_of(notebook):
        names = called(cell)
        assert is_claim(cell) == ("claim" in names), cell.source
        if is_claim(cell):
            last = ast.parse(cell.source).body[-1]
            assert names.count("claim") == 1 and "claim" in ast.unparse(last), cell.source
            assert not {"agree", "print", "plots", "diagrams"} & set(names), cell.source


def test_cells_are_short(notebook):
    assert max(line_count(cell.source) for cell in code_of(notebook)[1:]) <= 25
    assert median(line_count(cell.source) for cell in code_cells(notebook)) <= 6
    teaching = [cell for cell in code_cells(notebook) if not (is_claim(cell) or is_stub(cell))]
    assert median(line_count(cell.source) for cell in teaching) <= 6


def test_about_three_hundred_lines_of_code(notebook):
    assert sum(line_count(cell.source) for cell in code_cells(notebook)) <= 320


def test_the_last_question_is_open(notebook):
    headings = [line for text in texts(notebook) for line in text.splitlines() if line.startswith("### ")]
    assert headings[-1] == "### An open question"
