"""Make the notebooks that students open from the manuscript: book/NN_slug.py → notebooks/NN_slug.ipynb, one way.

First the setup cell of each manuscript is brought up to date with `tools/setup_cell.py`, the repository's address in
`_config.yml` and the package's version. Cell ids are kept, outputs are not. A second run changes no byte.
"""

import re

import nbformat
from jupytext.cli import jupytext

from common import ROOT, SETUP_TITLE, lessons, read, read_notebook, setup_cell, write

CELL_HEAD = '# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"\n'


def with_setup_cell(manuscript: str) -> str:
    """The manuscript with the present setup cell, in place of an older one or before the first code cell."""
    cell = CELL_HEAD + setup_cell() + "\n\n"
    older = re.compile(rf"^# %%[^\n]*\n{re.escape(SETUP_TITLE)}.*?(?=^# %%)", re.MULTILINE | re.DOTALL)
    first_code = re.compile(r"^(?=# %%(?! \[markdown\]))", re.MULTILINE)
    pattern = older if older.search(manuscript) else first_code
    return pattern.sub(lambda match: cell, manuscript, count=1)


def strip_outputs(notebook) -> bool:
    """Remove what running left in a notebook; say whether there was anything."""
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and (cell.outputs or cell.execution_count)]
    for cell in ran:
        cell.outputs, cell.execution_count = [], None
    return bool(ran)


def pair(lesson: str) -> None:
    source, target = ROOT / "book" / f"{lesson}.py", ROOT / "notebooks" / f"{lesson}.ipynb"
    old = read(source)
    if (new := with_setup_cell(old)) != old:
        write(source, new)
    if target.exists():
        notebook = read_notebook(target)
        if strip_outputs(notebook):
            nbformat.write(notebook, target)
    target.parent.mkdir(exist_ok=True)
    jupytext(["--quiet", "--to", "ipynb", "--update", "--output", str(target), str(source)])


if __name__ == "__main__":
    for name in lessons():
        pair(name)
