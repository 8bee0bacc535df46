"""Make the notebooks that students open from the manuscript: book/NN_slug.py → notebooks/NN_slug.ipynb, one way.

The manuscript holds a marker where the notebook has its setup cell: `tools/setup_cell.py`, with the repository's
address from `_config.yml` and the package's version. With each notebook goes the file of what its lesson needs. Cell
ids are kept, outputs are not. A second run changes no byte. What somebody has typed into a notebook is kept in `work/`.
"""

import json

import nbformat

from tools.common import (
    ROOT,
    RUN,
    SETUP_MARKER,
    files_below,
    first_free,
    hash_of,
    manuscripts,
    needs_file,
    read,
    read_notebook,
    setup_cell,
    write,
)

KEYS = ("tags", "mystnb", "nbmake", "jupyter", "cellView")  # of a cell's metadata; Jupyter and nbmake add others
MADE = "kernel_by_kernel"  # of a notebook's metadata
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python"},  # for nbconvert --to script
}


def with_our_metadata(notebook):
    """The notebook itself, with no metadata but ours."""
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in KEYS if key in cell.metadata}
    notebook.metadata = METADATA | {MADE: {"sources": sources(notebook)}}
    return notebook


def sources(notebook) -> str:
    """A hash of what stands in the cells of a notebook. Each holds its own as it was made, in its metadata."""
    return hash_of([], [(cell.cell_type, cell.source) for cell in notebook.cells])


def sources_when_made(notebook) -> str | None:
    """That hash as it was when the notebook was made; None where somebody has taken its metadata away."""
    return notebook.metadata.get(MADE, {}).get("sources")


def keep_answers(lesson: str, older, newer) -> None:
    """If somebody has typed into a notebook since it was made, keep it as a new file in `work/`, and say so."""
    made = sources_when_made(older)
    if made is None or sources(older) in (made, sources(newer)):
        return
    file = first_free(ROOT / "work" / f"{lesson}.ipynb")
    write(file, nbformat.writes(older) + "\n")
    print(f"notebooks/{lesson}.ipynb is made from book/{lesson}.py. What you typed into it is now in work/{file.name}.")


def made_from(manuscript: str):
    """The notebook that a manuscript makes, without ids of its own."""
    import jupytext  # it takes its time, and is needed only when something has changed

    notebook = jupytext.reads(manuscript, fmt="py:percent")
    for cell in notebook.cells:
        if cell.source == SETUP_MARKER:
            cell.source = setup_cell()
    return with_our_metadata(notebook)


def pair(lesson: str) -> None:
    """Write a lesson's notebook and its needs, where they differ from what is there."""
    from jupytext.combine import combine_inputs_with_outputs

    from tools.needs import as_toml, needs

    target = ROOT / "notebooks" / f"{lesson}.ipynb"
    notebook = made_from(read(ROOT / "book" / f"{lesson}.py"))
    if target.exists():
        older = read_notebook(target)
        keep_answers(lesson, older, notebook)
        notebook = combine_inputs_with_outputs(notebook, older, fmt="py:percent")
    with_our_metadata(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for file, text in ((target, nbformat.writes(notebook) + "\n"), (needs_file(lesson), as_toml(needs(lesson)))):
        if not file.exists() or read(file) != text:
            write(file, text)


def pair_all() -> None:
    """Pair all lessons; a lesson of which nothing has changed since it was paired last is passed over."""
    file = RUN / "paired.json"
    known = json.loads(read(file)) if file.exists() else {}
    shared = hash_of(files_below(ROOT / "course_utils", ROOT / "tools", ROOT / "requirements.txt"), setup_cell())
    for name in manuscripts():
        files = [ROOT / "book" / f"{name}.py", ROOT / "notebooks" / f"{name}.ipynb", needs_file(name)]
        if any(not path.exists() for path in files) or known.get(name) != hash_of(files, shared):
            pair(name)
            known[name] = hash_of(files, shared)
    write(file, json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    pair_all()
