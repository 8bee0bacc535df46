"""Students run cells again, and lessons from the top: every cell runs twice in a row, and every lesson twice in one
kernel."""

import copy
import uuid

import nbformat
import pytest

from tools.claims_page import claims_of
from tools.common import ROOT, manuscripts, read_notebook
from tools.rehearse import run_in_fast_mode

QUICK = ("02",)  # lessons that are repeated in every run; the others are among the slow tests
LESSONS = [pytest.param(name, marks=[] if name[:2] in QUICK else [pytest.mark.slow]) for name in manuscripts()]


def again(cells):
    """The same cells, with ids of their own."""
    cells = copy.deepcopy(cells)
    for cell in cells:
        cell.id = uuid.uuid4().hex[:8]
    return cells


NO_FIGURES = """import matplotlib.pyplot as plt

from course_utils import _figure

_figure.show_figure = lambda figure, title=None: plt.close(figure)"""


def insert_behind(count, code, notebook):
    """The same notebook, with a cell more behind its first so many code cells."""
    places = [place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    notebook.cells.insert(places[count - 1] + 1, nbformat.v4.new_code_cell(code))
    return notebook


def without_figures(notebook):
    """The same notebook, which makes its figures and does not draw them: that takes a third of its time."""
    return insert_behind(2, NO_FIGURES, notebook)


def repeated(notebook):
    """A notebook that runs each code cell twice in a row, and then all of them once more."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [each for cell in cells for each in [cell, *again([cell])]] + again(cells)
    return notebook


@pytest.mark.parametrize("name", LESSONS)
def test_cells_and_lessons_can_be_run_again(name, tmp_path):
    notebook = read_notebook(ROOT / "notebooks" / f"{name}.ipynb")
    file = tmp_path / f"{name}.ipynb"
    nbformat.write(repeated(without_figures(notebook)), file)
    assert run_in_fast_mode(file, "--overwrite") == 0
    ran = read_notebook(file)
    assert not [output for cell in ran.cells for output in cell.outputs if output.get("name") == "stderr"]
    ids = [claim["id"] for claim in claims_of(ran)]
    once = list(dict.fromkeys(ids))
    assert all(ids.count(each) >= 3 for each in once) and once == sorted(once)
