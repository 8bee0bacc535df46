"""Cells that are run out of order: which one makes the name that is missing?"""

import ast
import json
from types import TracebackType
from typing import Any

from IPython import get_ipython

from ._files import PACKAGE

SOLUTION = "# @title Solution"  # how the cell of a solution begins; what it makes and checks counts for nobody
ADVICE = "First run the cells above. JupyterLab: Run → Run All Above Selected Cell; Colab: Runtime → Run before."


def watch(lesson: str) -> None:
    """From now on, an error about a name that is not there yet is followed by the place where the lesson makes it."""

    def tell(
        shell: Any, kind: type, error: NameError, traceback: TracebackType, tb_offset: int | None = None
    ) -> list[str]:
        shown = shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
        if kind is NameError and (place := made(lesson, error.name or "")):
            print(f"`{error.name}` is made further up, {place}\n{ADVICE}")
        return shown

    if shell := get_ipython():
        shell.set_custom_exc((NameError,), tell)


def made(lesson: str, name: str) -> str:
    """Where the lesson makes a name, in words; nothing where it does not, or its notebook is not at hand."""
    notebook, heading = PACKAGE.parent / "notebooks" / f"{lesson}.ipynb", ""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if notebook.is_file() else []:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            heading = ([line.lstrip("# ") for line in source.splitlines() if line.startswith("#")] or [heading])[-1]
        elif not source.startswith(SOLUTION) and name in _bound(source):
            return f"below “{heading}”, in the cell that begins with\n    {source.splitlines()[0]}"
    return ""


def _bound(source: str) -> set[str]:
    """The names that a cell makes."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a line for the shell
        return set()
    imported = {(node.asname or node.name).partition(".")[0] for node in nodes if isinstance(node, ast.alias)}
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return imported | defined | {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
