"""What a student solves is kept across kernels, and a cell that runs too early is told what to run first."""

import os

import nbformat
import pytest
from nbclient import NotebookClient

from course_utils import _order, _tries
from course_utils.exercises import steps
from tools.common import ROOT, is_setup, lessons, read_notebook

SETUP = "import course_utils\ncourse_utils.setup('02_convolution')\nfrom course_utils import check, progress"
WRONG, RIGHT = "check('2.3', (24, 32))", "check('2.3', (600, 608))"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run cells in a kernel of their own; return what each put out, as one text."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "kept" / "progress.txt"))

    def run(*sources, **environment):
        cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *sources)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        client = NotebookClient(notebook, allow_errors=True, extra_arguments=["--log-level=ERROR"])
        client.execute(cwd=str(tmp_path), env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
        return [" ".join(str(output) for output in cell.outputs) for cell in notebook.cells[1:]]

    return run


def test_tries_are_kept_across_kernels_and_solutions_are_none(run, tmp_path):
    solution = "# @title Solution 2.4\nassert check('2.4', [[-1 / 3, 0, 1 / 3]] * 3)"
    first = run("check('2.1', ...)", WRONG, RIGHT, WRONG, "check('2.7', (1, 1, 1, 0))", solution)
    file = tmp_path / "kept" / "progress.txt"
    assert [str(file) in said for said in first] == [False, True, False, False, False, False]  # told once
    assert file.read_text() == "2.3 wrong\n2.3 right\n2.3 wrong\n2.7 wrong\n"
    assert _tries.tried() == {"2.3": "right", "2.7": "wrong"}
    [second] = run("progress()")
    assert f"You have solved 1 of {len(steps())} exercises" in second and "image/svg+xml" in second


@pytest.mark.parametrize("place", ["off", "a file in the way", "~no-such-user/progress.txt"])
def test_where_nothing_can_be_kept_nothing_is_said(run, tmp_path, place):
    (tmp_path / "way").write_text("")
    kept = {"a file in the way": str(tmp_path / "way" / "progress.txt")}.get(place, place)
    before = sorted(tmp_path.rglob("*"))
    right, shown = run(RIGHT, "progress()", COURSE_PROGRESS=kept)
    assert "Right" in right and "kept in" not in right and "Traceback" not in right + shown
    assert "You have solved 0 of" in shown and sorted(tmp_path.rglob("*")) == before


def test_a_damaged_file_costs_its_damaged_lines_alone(monkeypatch, tmp_path):
    file = tmp_path / "progress.txt"
    monkeypatch.setenv("COURSE_PROGRESS", str(file))
    assert _tries.tried() == {}
    file.write_bytes(b"2.1 right\n\xff\xfe\x00\n\n2.2\n2.3 maybe\n2.4 wrong and more\n2.5 rig")
    assert _tries.tried() == {"2.1": "right", "2.4": "wrong"}


def test_without_a_file_of_their_own_tries_lie_with_the_users_data(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert tmp_path in _tries.file().parents and not list(tmp_path.iterdir())


def test_tests_and_builds_keep_nothing():
    assert os.environ["COURSE_PROGRESS"] == "off" and _tries.file() is None


def test_a_cell_that_runs_too_early_is_told_what_to_run_first(run):
    early, typing_slip, inside = run(
        "correlate2d(1, 2)", "corelate2d(1, 2)", "def f():\n    return seen\n    seen = 1\nf()"
    )
    assert "NameError" in early and "`correlate2d` is made further up, below" in early and "def correlate2d" in early
    assert "Run All Above" in early
    assert "NameError" in typing_slip and "further up" not in typing_slip
    assert "UnboundLocalError" in inside and "further up" not in inside


def test_each_import_of_a_lesson_is_found_in_its_first_cells():
    for name in lessons():
        notebook = read_notebook(ROOT / "notebooks" / f"{name}.ipynb")
        imports = next(cell for cell in notebook.cells if cell.source.startswith("import") and not is_setup(cell))
        first = imports.source.splitlines()[0]
        made = first.replace(",", " ").split()[1].partition(".")[0]
        assert _order.made(name, made), (name, made)
    assert _order.made("02_convolution", "no_such_name") == "" == _order.made("no_such_lesson", "torch")
