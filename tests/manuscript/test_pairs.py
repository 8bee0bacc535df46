"""The committed notebooks are what the manuscript makes, and nothing else."""

import nbformat
import pytest
from nbformat.v4 import new_output

from tools.common import (
    ROOT,
    SETUP_MARKER,
    SETUP_TITLE,
    is_setup,
    manuscripts,
    needs_file,
    read,
    read_notebook,
    setup_cell,
)
from tools.notebooks import KEYS, made_from, pair


@pytest.fixture
def copied(lesson, tmp_path, monkeypatch):
    """The lesson's notebook in a project of its own."""
    for folder, ending in (("book", "py"), ("notebooks", "ipynb")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{lesson}.{ending}").write_bytes((ROOT / folder / f"{lesson}.{ending}").read_bytes())
    monkeypatch.setattr("tools.notebooks.ROOT", tmp_path)
    return tmp_path / "notebooks" / f"{lesson}.ipynb"


@pytest.fixture(params=manuscripts())
def lesson(request):
    return request.param


def test_every_lesson_has_its_notebook():
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == manuscripts()


def test_the_notebook_equals_the_manuscript(lesson, notebook):
    def facts(some):
        return [(cell.cell_type, cell.source, {key: cell.metadata.get(key) for key in KEYS}) for cell in some.cells]

    manuscript = made_from(read(ROOT / "book" / f"{lesson}.py"))
    for ours, theirs in zip(facts(notebook), facts(manuscript), strict=True):
        assert ours == theirs, "run `make notebooks`"
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_notebook_holds_no_outputs(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert [cell.execution_count for cell in code] == [None] * len(code)
    assert {key for cell in notebook.cells for key in cell.metadata} <= {*KEYS}


def test_the_setup_cell_is_the_present_one(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell in notebook.cells if is_setup(cell)] == [setup_cell()], "run `make notebooks`"
    assert is_setup(code[0])


def test_the_second_cell_sets_up_this_lesson(lesson, notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[1].source == f'import course_utils\n\ncourse_utils.setup("{lesson}")'


def test_pairing_again_changes_no_byte(lesson, copied):
    before, needed = copied.read_bytes(), needs_file(lesson).read_bytes()
    pair(lesson)
    assert copied.read_bytes() == before, "run `make notebooks`"
    assert needs_file(lesson).read_bytes() == needed, "run `make notebooks`"


def test_what_running_in_place_leaves_is_taken_away(lesson, copied):
    before, ran = copied.read_bytes(), read_notebook(copied)
    for count, cell in enumerate(ran.cells, 1):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [new_output("stream", text="2")], count
        cell.metadata["execution"] = {"iopub.status.busy": "2026-11-28T12:00:00Z"}
    ran.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    ran.metadata["widgets"] = {}
    nbformat.write(ran, copied)
    assert copied.read_bytes() != before
    pair(lesson)
    assert copied.read_bytes() == before


def test_the_manuscript_holds_the_marker_and_no_setup_cell(lesson):
    manuscript = read(ROOT / "book" / f"{lesson}.py")
    assert manuscript.count(f"\n{SETUP_MARKER}\n") == 1 and SETUP_TITLE not in manuscript


def type_into(file, text):
    typed = read_notebook(file)
    typed.cells[-1].source += text
    nbformat.write(typed, file)


def test_what_was_typed_into_a_notebook_is_kept(copied, lesson, capsys):
    work = copied.parents[1] / "work"
    made = copied.read_text(encoding="utf-8")
    for number, text in enumerate(["\nMy answer.", "\nAnother."], 1):
        type_into(copied, text)
        pair(lesson)
        assert copied.read_text(encoding="utf-8") == made
        kept = work / (f"{lesson}.ipynb" if number == 1 else f"{lesson}-2.ipynb")
        assert kept.name in capsys.readouterr().out
        assert read_notebook(kept).cells[-1].source.endswith(text)
    pair(lesson)
    assert len(list(work.iterdir())) == 2 and capsys.readouterr().out == ""


def test_a_notebook_that_was_only_run_or_made_anew_leaves_no_copy(copied, lesson, capsys):
    ran = read_notebook(copied)
    ran.cells[-2].outputs = [new_output("stream", text="Done.")] if ran.cells[-2].cell_type == "code" else []
    nbformat.write(ran, copied)
    pair(lesson)
    manuscript = copied.parents[1] / "book" / f"{lesson}.py"
    manuscript.write_text(read(manuscript).replace("# # ", "# # New: ", 1), encoding="utf-8")
    pair(lesson)
    assert not (copied.parents[1] / "work").exists() and capsys.readouterr().out == ""
