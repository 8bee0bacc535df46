"""The worked example of CONTRIBUTING, followed to the letter in a copy of the project: a new exercise for lesson 15."""

import re

import nbformat
import pytest

from tests.checkout import copy_project
from tools.common import ROOT, read


def blocks():
    """The code blocks of the example, in their order."""
    text = read(ROOT / "CONTRIBUTING.md")
    part = text[text.index("## Add an exercise") : text.index("## Add a lesson")]
    found = re.findall(r"^   ```\w+\n(.*?)^   ```", part, re.MULTILINE | re.DOTALL)
    return [re.sub(r"(?m)^   ", "", block) for block in found]


@pytest.fixture
def copy(tmp_path):
    return copy_project(tmp_path / "course")


def change(file, change):
    before = file.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    file.write_text(after, encoding="utf-8")


@pytest.mark.slow
def test_the_worked_example_works(copy, run_python):
    cells, checker, step, right, wrong, commands = blocks()
    place = "# %% [markdown]\n# ### An open question"
    change(copy / "book" / "15_instruments.py", lambda text: text.replace(place, f"{cells}\n{place}"))
    change(copy / "course_utils" / "checks" / "l15.py", lambda text: f"{text}\n\n{checker}")
    change(copy / "course_utils" / "checks" / "steps.toml", lambda text: text.replace('["16.1"]', f'{step}\n["16.1"]'))
    tests = copy / "tests" / "checks" / "test_l15.py"
    change(tests, lambda text: re.sub(r"    RIGHT = \{.*\}\n", lambda _: right, text))
    change(tests, lambda text: text.replace("    WRONG = [\n", "    WRONG = [\n" + wrong))

    assert "make notebooks" in commands
    made = run_python("-m", "tools.notebooks", cwd=copy)
    assert made.returncode == 0, made.stderr
    notebook = nbformat.read(copy / "notebooks" / "15_instruments.ipynb", 4)
    assert sum("15.5" in cell.source for cell in notebook.cells) == 3
    for command in re.findall(r"^\.venv/bin/python (.+)$", commands, re.MULTILINE):
        arguments = [part.strip('"') for part in command.split()]
        done = run_python(*arguments, cwd=copy)
        assert done.returncode == 0, done.stdout
        assert " passed" in done.stdout and "failed" not in done.stdout
    added = run_python("-m", "pytest", "-q", "--collect-only", "tests/checks/test_l15.py", "-k", "15.5", cwd=copy)
    assert len(re.findall(r"15\.5", added.stdout)) >= 10
    linted = run_python("-m", "ruff", "check", ".", cwd=copy)
    assert linted.returncode == 0, linted.stdout
