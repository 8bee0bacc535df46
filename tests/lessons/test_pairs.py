"""The committed notebooks are what the manuscript makes, and nothing else."""

import jupytext

from common import ROOT, is_setup, lessons, setup_cell
from notebooks import pair

KEYS = ("tags", "mystnb", "nbmake", "jupyter", "cellView")


def test_every_lesson_has_its_notebook():
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == lessons()


def test_the_notebook_equals_the_manuscript(lesson, notebook):
    def facts(some):
        return [(cell.cell_type, cell.source, {key: cell.metadata.get(key) for key in KEYS}) for cell in some.cells]

    manuscript = jupytext.read(ROOT / "book" / f"{lesson}.py", fmt="py:percent")
    for ours, theirs in zip(facts(notebook), facts(manuscript), strict=True):
        assert ours == theirs, "run `make notebooks`"
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_notebook_holds_no_outputs(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert [cell.execution_count for cell in code] == [None] * len(code)
    assert {key for cell in notebook.cells for key in cell.metadata} <= {*KEYS, "lines_to_next_cell"}


def test_the_setup_cell_is_the_present_one(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell in notebook.cells if is_setup(cell)] == [setup_cell()], "run `make notebooks`"
    assert is_setup(code[0])


def test_the_second_cell_sets_up_this_lesson(lesson, notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[1].source == f'import course_utils\n\ncourse_utils.setup("{lesson}")'


def test_pairing_again_changes_no_byte(lesson, tmp_path, monkeypatch):
    for folder, ending in (("book", "py"), ("notebooks", "ipynb")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{lesson}.{ending}").write_bytes((ROOT / folder / f"{lesson}.{ending}").read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    monkeypatch.setattr("notebooks.ROOT", tmp_path)
    pair(lesson)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before
