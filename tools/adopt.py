"""Take over into the manuscript what was edited in Jupyter or Colab: `make adopt NB=work/02_convolution.ipynb`.

Shows the difference. An exercise that holds an answer is refused: the manuscript has stubs. So is a copy that was made
from an older manuscript, since it would undo what has changed there; FORCE=1 takes it over all the same. Outputs, ids
and what Jupyter and Colab write into a notebook are left behind.
"""

import difflib
import json
import re
import sys
from pathlib import Path

import jupytext
import nbformat

from tools.common import ROOT, RUN, SETUP_MARKER, is_setup, manuscripts, read, read_notebook, write
from tools.notebooks import made_from, pair, sources, sources_when_made, with_our_metadata

TAKEN = RUN / "adopted.json"  # of copies that were taken over: what they were made from -> what the manuscript became
CHECK = re.compile(r'^check\("(\d+\.\d+)"', re.MULTILINE)


class Refused(Exception):
    """What can't be taken over, and what to do about it."""


def lesson_of(file: Path, notebook) -> str:
    """The lesson that a notebook was made from: by its name, or by its title where the file is called otherwise."""
    names = manuscripts()
    for name in names:
        if re.search(rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])", file.stem):
            return name
    titles = {title_of(made_from(read(ROOT / "book" / f"{name}.py")).cells[0]): name for name in names}
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and title_of(cell) in titles:
            return titles[title_of(cell)]
    raise Refused(
        f"{file} is no notebook of this course: neither its name nor its title is that of a lesson. "
        f"Call it after the lesson that it changes, such as {names[1]}.ipynb."
    )


def title_of(cell) -> str:
    return cell.source.partition("\n")[0]


def stubs_of(notebook) -> dict[str, str]:
    """The source of the cell that asks for each answer, by the exercise's number. Solutions are no stubs."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not cell.source.startswith("# @title")]
    return {found[1]: cell.source for cell in cells if (found := CHECK.search(cell.source))}


def cells_of(manuscript: str) -> list[str]:
    """The text of each cell of a manuscript, from its head line to the next one's; first, what stands before them."""
    return re.split(r"^(?=# %%)", manuscript, flags=re.MULTILINE)


def rendered(cell, older: str | None = None) -> str:
    """A cell as a manuscript has it; with the head line and the space below of the cell that it takes the place of."""
    alone = nbformat.v4.new_notebook(cells=[cell])
    text = jupytext.writes(with_our_metadata(alone), fmt="py:percent")
    head, _, body = text[text.index("# %%") :].partition("\n")
    if older is None:
        return f"{head}\n{body.rstrip()}\n\n"
    return f"{older.partition(chr(10))[0]}\n{body.rstrip()}{older[len(older.rstrip()) :]}"


def plain(cell) -> tuple[str, str]:
    """The kind of a cell and its source, without spaces that nobody sees; of the setup cell, its marker."""
    source = SETUP_MARKER if cell.cell_type == "code" and is_setup(cell) else cell.source
    return cell.cell_type, "\n".join(line.rstrip() for line in source.split("\n")).strip("\n")


def merged(manuscript: str, notebook) -> str:
    """The manuscript with the notebook's cells: of those that are the same, not a byte is changed."""
    first, *texts = cells_of(manuscript)
    before, after = [[plain(cell) for cell in each.cells] for each in (made_from(manuscript), notebook)]
    if len(before) != len(texts):
        raise Refused(f"A manuscript of {len(before)} cells has {len(texts)} head lines: edit it by hand.")
    parts = [first]
    for change, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if change == "equal":
            parts += texts[a:b]
            continue
        for place in range(c, d):
            twin = a + place - c
            same_kind = twin < b and before[twin][0] == after[place][0]
            parts.append(rendered(notebook.cells[place], texts[twin] if same_kind else None))
    return "".join(parts).rstrip() + "\n"


def taken() -> dict[str, str]:
    return json.loads(read(TAKEN)) if TAKEN.exists() else {}


def is_older(notebook, manuscript: str) -> bool:
    """Whether a copy was made from another manuscript than this. One that was taken over may be so again."""
    made = sources_when_made(notebook)
    return made is not None and sources(made_from(manuscript)) not in (made, taken().get(made))


def adopted(file: Path, force: bool = False) -> tuple[str, str]:
    """The lesson's name and its new manuscript. Raises: Refused."""
    try:
        notebook = read_notebook(file)
    except OSError as problem:
        raise Refused(f"{file} can't be read: {problem.strerror}. NB names a notebook: make adopt NB=work/….") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError):
        raise Refused(f"{file} is no notebook that can be read. Save it again, as .ipynb.") from None
    name = lesson_of(file, notebook)
    manuscript = read(ROOT / "book" / f"{name}.py")
    before = stubs_of(made_from(manuscript))
    answered = [number for number, source in stubs_of(notebook).items() if before.get(number, source) != source]
    if answered:
        raise Refused(
            f"{file} holds answers to exercise {', '.join(answered)}. The manuscript has stubs: put the dots back, as "
            f"in notebooks/{name}.ipynb, then run this again. To change a stub itself, edit book/{name}.py."
        )
    if is_older(notebook, manuscript) and not force:
        raise Refused(
            f"book/{name}.py has changed since {file} was made from it: taken over, the copy would undo that. Move "
            f"your edits into a new copy of notebooks/{name}.ipynb; or add FORCE=1, and look at git diff afterwards."
        )
    return name, merged(manuscript, notebook)


def main(place: str, force: bool = False) -> None:
    if not place:
        sys.exit("NB must name the notebook that was edited: make adopt NB=work/02_convolution.ipynb")
    try:
        name, text = adopted(Path(place), force)
    except Refused as problem:
        sys.exit(str(problem))
    target = ROOT / "book" / f"{name}.py"
    older = read(target)
    if older == text:
        print(f"{place} says what book/{name}.py says: nothing to take over.")
        return
    sys.stdout.writelines(
        difflib.unified_diff(older.splitlines(True), text.splitlines(True), f"book/{name}.py", place, n=2)
    )
    write(target, text)
    if made := sources_when_made(read_notebook(Path(place))):
        write(TAKEN, json.dumps(taken() | {made: sources(made_from(text))}, indent=1) + "\n")
    pair(name)
    print(f"\nWritten into book/{name}.py, and notebooks/{name}.ipynb is made from it. Now: git diff, make test.")


if __name__ == "__main__":
    main(sys.argv[1], "--force" in sys.argv[2:])
