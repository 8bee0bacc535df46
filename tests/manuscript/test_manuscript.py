"""The rules that every lesson keeps: its budget, its rhythm, its exercises, its parameters, its figures."""

import ast
import itertools
import json
import re

from tools.common import ROOT, is_setup, read
from tools.time_lessons import TIMINGS, spoken

SOLUTION = "# @title Solution "
FOLDED = {"tags": ["hide-cell"], "jupyter": {"source_hidden": True, "outputs_hidden": True}, "cellView": "form"}
DRAWS = re.compile(r"\b(plots|diagrams)\.\w+\(")


def is_solution(cell):
    return cell.source.startswith(SOLUTION)


def texts(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def code_cells(notebook):
    """All but the two setup cells and the solutions."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in code[2:] if not is_solution(cell)]


def line_count(source):
    return len([line for line in source.splitlines() if line.strip()])


def assigned(source):
    """The names that a cell binds at its top level."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        else:
            stored = [name for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]
            names |= {name.id for name in stored}
    return names


def parameters(notebook):
    """The cells that assign SEED."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and not is_setup(cell)]
    return [cell for cell in code if "SEED" in assigned(cell.source)]


def states_a_claim(cell):
    """A claim is a sentence: what we saw in the cell before it."""
    return ast.unparse(ast.parse(cell.source).body[-1]).startswith(("claim(", "claim."))


def test_words(notebook):
    text = "\n".join(texts(notebook))
    words = len(re.findall(r"[^\W_]+(?:['’-]\w+)*", text))
    prose = re.sub(r"^#.*|`[^`]*`|\$[^$]*\$", " x ", text, flags=re.MULTILINE)  # code or a formula is one word
    lines = sum(line_count(cell.source) for cell in code_cells(notebook))
    assert len(re.findall(r"[^\W_][\w'’-]*", prose)) <= 3_000
    assert 6 <= words / lines <= 16, f"{words} words to {lines} lines of code"


def test_lines_are_short(lesson):
    lines = read(ROOT / "book" / f"{lesson}.py").splitlines()
    assert not [line for line in lines if len(line) > 120 and not line.startswith("# %% ")]


def test_prose_before_and_after_each_code_cell(notebook):
    cells = [cell for cell in notebook.cells if not is_solution(cell)]
    setup = [index for index, cell in enumerate(cells) if cell.source.startswith("import course_utils\n")]
    cells = cells[setup[0] + 2 :]  # behind the setup cells and the first imports
    bare = [
        f"{cell.source}\n→\n{following.source}"
        for cell, following in itertools.pairwise(cells)
        if cell.cell_type == following.cell_type == "code" and not states_a_claim(following)
        if "answer" not in following.metadata.get("tags", [])  # a question may be answered in two steps
    ]
    assert not bare, "\n\n".join(bare)
    assert cells[0].cell_type == cells[-1].cell_type == "markdown"


def test_title(lesson, notebook):
    assert re.match(rf"# {int(lesson[:2])} · \S", notebook.cells[0].source)


def test_exercises_are_numbered_after_the_lesson(lesson, notebook):
    headings = re.findall(r"^### Exercise (\S+) · \S", "\n".join(texts(notebook)), re.MULTILINE)
    assert 4 <= len(headings) <= (11 if lesson == "17_audit" else 8)  # the exam has ten mistakes
    assert headings == [f"{int(lesson[:2])}.{number}" for number in range(1, len(headings) + 1)]
    solutions = [cell.source.splitlines()[0].removeprefix(SOLUTION) for cell in notebook.cells if is_solution(cell)]
    assert solutions == headings


def test_each_exercise_is_a_heading_a_stub_and_a_solution(notebook):
    for before, stub, cell in zip(notebook.cells, notebook.cells[1:], notebook.cells[2:], strict=False):
        if is_solution(cell):
            number = cell.source.splitlines()[0].removeprefix(SOLUTION)
            assert f"### Exercise {number} · " in before.source
            assert stub.source.splitlines()[-1].startswith(f'check("{number}", ')


def test_solutions_are_folded_and_change_no_answer(notebook):
    for cell in filter(is_solution, notebook.cells):
        number = cell.source.splitlines()[0].removeprefix(SOLUTION)
        assert {key: cell.metadata.get(key) for key in FOLDED} == FOLDED
        assert re.fullmatch(rf'assert check\("{re.escape(number)}", \w+_solution\)', cell.source.splitlines()[-1])
        assert [name for name in assigned(cell.source) if not name.endswith("_solution")] == []


def test_plain_markdown(notebook):
    for text in texts(notebook):
        assert not re.search(r"^\s*(```|~~~|:::)", text, re.MULTILINE), "a fence: Colab shows it raw"
        assert not re.search(r"\{[a-z:]+\}`", text), "a role: Colab shows it raw"


def test_one_parameters_cell_of_plain_values(notebook):
    [cell] = parameters(notebook)
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)  # nothing is derived here: a mock acts after its cell


def test_mocks_name_what_their_cell_assigns(notebook):
    for cell in notebook.cells:
        mocks = cell.metadata.get("nbmake", {}).get("mock", {})
        assert {name.split(".")[0] for name in mocks} <= (assigned(cell.source) if mocks else set())


def test_the_header_states_the_measured_time(lesson, notebook):
    timings = json.loads(read(TIMINGS)) if TIMINGS.exists() else {}
    assert lesson in timings, f"run `make time-lessons LESSON={lesson}`"
    header = notebook.cells[0].source
    assert re.search(r"^\*\*Read\*\* \d+ min · \*\*Run\*\* .+ · \*\*Before this\*\* \S", header, re.MULTILINE)
    assert f"**Run** {spoken(timings[lesson])} ·" in header


def test_figures_have_a_sentence_for_those_who_do_not_see_them(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code" and DRAWS.search(cell.source):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert re.fullmatch(r"[A-Z0-9].{20,}[.!?]", alt, re.DOTALL), f"{cell.source}\nhas the alt text {alt!r}"
