"""What was edited in Jupyter comes back into the manuscript, and nothing else does."""

import nbformat
import pytest

from tools import adopt
from tools.common import ROOT, manuscripts, read, read_notebook


@pytest.fixture
def returned(tmp_path):
    """A notebook of lesson 2 as it comes back from Jupyter or Colab: with outputs, counts, and metadata of theirs."""

    def returned(change=lambda notebook: None, name="02_convolution.ipynb"):
        notebook = read_notebook(ROOT / "notebooks" / "02_convolution.ipynb")
        notebook.metadata["colab"] = {"provenance": []}
        for number, cell in enumerate(notebook.cells):
            cell.metadata |= {"id": f"x{number}", "executionInfo": {"elapsed": 3}}
            if cell.cell_type == "code":
                cell.execution_count = number
                cell.outputs = [nbformat.v4.new_output("stream", text="some output\n")]
        change(notebook)
        file = tmp_path / name
        nbformat.write(notebook, file)
        return file

    return returned


def cell_with(notebook, words):
    return next(cell for cell in notebook.cells if words in cell.source)


@pytest.mark.parametrize("name", manuscripts())
def test_a_notebook_that_nobody_edited_changes_no_byte(name):
    assert adopt.adopted(ROOT / "notebooks" / f"{name}.ipynb") == (name, read(ROOT / "book" / f"{name}.py"))


def test_what_jupyter_and_colab_add_is_left_behind(returned):
    assert adopt.adopted(returned()) == ("02_convolution", read(ROOT / "book" / "02_convolution.py"))


def test_an_edit_is_taken_over_and_nothing_else_is_touched(returned):
    def edit(notebook):
        cell_with(notebook, "## A list forgets the picture").source += "\n\nOne more sentence."
        cell_with(notebook, "SEED = 0").source = "SEED = 1"

    before = read(ROOT / "book" / "02_convolution.py").splitlines()
    after = adopt.adopted(returned(edit))[1].splitlines()
    added, removed = set(after) - set(before), set(before) - set(after)
    assert added == {"# One more sentence.", "SEED = 1"}
    assert "SEED = 0" in removed and len(removed) == 3  # the whole parameters cell was replaced
    assert '# %% nbmake={"mock": {"TRIALS": 10}}' in after


def test_new_and_removed_cells(returned):
    def edit(notebook):
        place = notebook.cells.index(cell_with(notebook, "SEED = 0")) + 1
        notebook.cells[place:place] = [nbformat.v4.new_markdown_cell("New *text*."), nbformat.v4.new_code_cell("1 + 1")]
        notebook.cells.remove(cell_with(notebook, "## Further reading"))

    text = adopt.adopted(returned(edit))[1]
    assert "# %% [markdown]\n# New *text*.\n\n# %%\n1 + 1\n\n" in text
    assert "## Further reading" not in text


@pytest.mark.parametrize("answer", ["pencil = [[0, 1], [8, 0]]", "pencil = None"])
def test_a_filled_in_stub_is_refused(returned, answer):
    def solve(notebook):
        cell = cell_with(notebook, "pencil = ...")
        cell.source = cell.source.replace("pencil = ...", answer)

    with pytest.raises(adopt.Refused, match="holds answers to exercise 2.1. .* put the dots back"):
        adopt.adopted(returned(solve))


def test_a_new_exercise_is_no_answer(returned):
    def add(notebook):
        notebook.cells += [
            nbformat.v4.new_markdown_cell("### Exercise 2.99"),
            nbformat.v4.new_code_cell('a = ...\ncheck("2.99", a)'),
        ]

    assert 'check("2.99", a)' in adopt.adopted(returned(add))[1]


def test_a_renamed_notebook_is_known_by_its_title(returned):
    assert adopt.adopted(returned(name="Copy of lesson two.ipynb"))[0] == "02_convolution"
    assert adopt.adopted(returned(name="02_convolution-2.ipynb"))[0] == "02_convolution"


def test_what_is_no_notebook_of_ours_is_refused(tmp_path, returned):
    def retitle(notebook):
        notebook.cells[0].source = "# Something else"

    with pytest.raises(adopt.Refused, match="neither its name nor its title is that of a lesson"):
        adopt.adopted(returned(retitle, name="mine.ipynb"))
    with pytest.raises(adopt.Refused, match="can't be read: No such file"):
        adopt.adopted(tmp_path / "nothing.ipynb")
    (tmp_path / "torn.ipynb").write_text('{"cells": [')
    with pytest.raises(adopt.Refused, match="is no notebook that can be read"):
        adopt.adopted(tmp_path / "torn.ipynb")


def test_the_command_shows_the_difference_and_writes_it(tmp_path, returned, monkeypatch, capsys):
    def edit(notebook):
        cell_with(notebook, "SEED = 0").source += "\nMORE = 2"

    root = tmp_path / "course"
    (root / "book").mkdir(parents=True)
    manuscript = root / "book" / "02_convolution.py"
    manuscript.write_text(read(ROOT / "book" / "02_convolution.py"))
    paired = []
    monkeypatch.setattr(adopt, "ROOT", root)
    monkeypatch.setattr(adopt, "TAKEN", tmp_path / "adopted.json")
    monkeypatch.setattr(adopt, "manuscripts", lambda: ["02_convolution"])
    monkeypatch.setattr(adopt, "pair", paired.append)
    adopt.main(str(returned(edit)))
    assert "+MORE = 2" in capsys.readouterr().out and "MORE = 2" in manuscript.read_text()
    assert paired == ["02_convolution"]
    adopt.main(str(returned(edit)))
    assert "nothing to take over" in capsys.readouterr().out

    def edit_again(notebook):
        edit(notebook)
        cell_with(notebook, "SEED = 0").source += "\nEVEN_MORE = 3"

    adopt.main(str(returned(edit_again)))  # the copy that was taken over before
    assert "EVEN_MORE = 3" in manuscript.read_text()
    manuscript.write_text(manuscript.read_text().replace("EVEN_MORE = 3", "EVEN_MORE = 4"))
    with pytest.raises(SystemExit, match="has changed since .* FORCE=1"):
        adopt.main(str(returned(edit)))
    assert "EVEN_MORE = 4" in manuscript.read_text()
    adopt.main(str(returned(edit)), force=True)
    assert "EVEN_MORE" not in manuscript.read_text()
    with pytest.raises(SystemExit, match="NB must name the notebook"):
        adopt.main("")
