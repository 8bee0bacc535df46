"""Cells that are run out of order: which one makes the name that is missing?"""

import json
import symtable
from types import TracebackType
from typing import Any

from IPython import get_ipython

from ._files import PACKAGE

SOLUTION = "# @title Solution"  # how the cell of a solution begins; what it makes and checks counts for nobody
FIRST = "What you will be able to do"  # the heading above a lesson's imports and parameters
ADVICE = "First run the cells above. JupyterLab: Run → Run All Above Selected Cell; Colab: Runtime → Run before."


def watch(lesson: str) -> None:
    """From now on, an error about a name that is not there yet is followed by the place where the lesson makes it."""

    def tell(shell: Any, kind: type, error: NameError, trace: TracebackType, tb_offset: int | None = None) -> list[str]:
        shown = shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        if kind is NameError and (place := made(lesson, error.name or "", shell.user_ns["In"][-1])):
            print(f"`{error.name}` is made further up, {place}\n{ADVICE}")
        return shown

    if shell := get_ipython():
        shell.set_custom_exc((NameError,), tell)


def made(lesson: str, name: str, cell: str = "") -> str:
    """Where the lesson last makes a name before a cell, in words; nothing where it does not, or it is not at hand."""
    notebook, heading, place = PACKAGE.parent / "notebooks" / f"{lesson}.ipynb", "", ""
    for part in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if notebook.is_file() else []:
        source = "".join(part["source"])
        if source.strip() == cell.strip() != "":
            break
        if part["cell_type"] == "markdown":
            heading = ([line.lstrip("# ") for line in source.splitlines() if line.startswith("#")] or [heading])[-1]
        elif not source.startswith(SOLUTION) and name in _bound(source):
            where = "near the top" if heading == FIRST else f"below “{heading}”"
            place = f"{where}, in the cell that begins with\n    {source.splitlines()[0]}"
    return place


def _bound(source: str) -> set[str]:
    """The names that a cell makes, outside of its functions."""
    try:
        symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    except SyntaxError:  # a line for the shell
        return set()
    return {each.get_name() for each in symbols if each.is_assigned() or each.is_imported()}
