"""Make everything that a release of the course consists of: `make release`, with DATA=1 and WHEELS=1 for a lab without
internet. All of it goes into `_build/release/`, with `SHA256SUMS` and the text of the release.
"""

import argparse
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

import nbformat
import pooch

from course_utils._images import sources
from course_utils._images.catalogue import SOURCES
from tools.build import SITE, with_present_prose
from tools.common import ROOT, lessons, manuscripts, project_files, read, read_notebook, tokens, write
from tools.mark import SOLUTION, checks_in
from tools.notebooks import with_our_metadata
from tools.run_lessons import kept

OUT = ROOT / "_build" / "release"
KEY = ROOT / "tools" / "key_second_audit.md"
TELLING, AFTERWARDS = "## What each mistake did", "### An open question"  # headings: from one to the other
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the time of every file in an archive, so that the same files make the same bytes
PACKED = {".npz", ".whl", ".webp", ".png", ".ipynb.gz", ".gz", ".zip", ".woff2"}  # not made smaller by packing again
PROMISE = re.compile(
    r"(?:\s+(?:A\s+folded|The)|;\s+the)\s+solution\s+follows(?:\s+each\s+exercise)?(?:,\s+folded\s+away)?\."
)

READ_ME = """# {title} {version}, for a room without internet

Everything is in this folder: the book as a site (`site/index.html`), the course, {with_what}.

1. Copy the folder to each machine, or to a drive that all of them can read and each learner can copy.
2. In a terminal of Linux or macOS, in this folder:

   ```bash
{commands}
   ```

{without}Your copies of the lessons open in `work/`. Chapter *Start here* of the site says how to work with them.
"""


def for_students(notebook):
    """A copy of a lesson's notebook without its solutions, without the sentence that promises them, and in the audit
    without the part that shows what each mistake did."""
    notebook, cells, telling = deepcopy(notebook), [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            telling = telling or cell.source.startswith(TELLING)
            if telling and AFTERWARDS in cell.source:
                telling, cell.source = False, cell.source[cell.source.index(AFTERWARDS) :]
            cell.source = PROMISE.sub(lambda found: "." if found[0][0] == ";" else "", cell.source)
        if not telling and not cell.source.startswith(SOLUTION):
            cells.append(cell)
    notebook.cells = cells
    return with_our_metadata(notebook)


def for_nbgrader(notebook):
    """A student's notebook in which a locked cell after each exercise asks for one point, as nbgrader has it."""
    notebook, cells = for_students(notebook), []
    for cell in notebook.cells:
        cells.append(cell)
        for exercise, answer in checks_in(cell.source).items() if cell.cell_type == "code" else ():
            name = "exercise-" + exercise.replace(".", "-")
            test = nbformat.v4.new_code_cell(f'assert check("{exercise}", {answer})', id=name)
            test.metadata["nbgrader"] = {
                "cell_type": "code",
                "grade": True,
                "grade_id": name,
                "locked": True,
                "points": 1,
                "schema_version": 3,
                "solution": False,
                "task": False,
            }
            cells.append(test)
    notebook.cells = cells
    return notebook


def text_of_release(changes: str, version: str) -> str:
    """What the change log says of a version: its part, and that of what came after the version before."""
    parts = re.split(r"(?m)^(?=## )", changes)[1:]
    named = [number for number, part in enumerate(parts) if part.startswith(f"## {version}")]
    if not named:
        sys.exit(f"CHANGELOG.md has no part that begins with `## {version}`, the version in course_utils/__init__.py.")
    return "".join(parts[: named[0] + 1]).replace("## Unreleased\n", "", 1).strip() + "\n"


def pack(file: Path, members: Iterable[tuple[str, bytes | Path]]) -> None:
    """Write a zip archive of members, each a name and its content; the same members make the same bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(members):
            about = zipfile.ZipInfo(name, LONG_AGO)
            about.external_attr = 0o644 << 16
            about.compress_type = zipfile.ZIP_STORED if Path(name).suffix in PACKED else zipfile.ZIP_DEFLATED
            if isinstance(content, Path):
                about.file_size = content.stat().st_size  # for files above 2 GB
                if content.stat().st_mode & 0o100:
                    about.external_attr = 0o755 << 16
                with content.open("rb") as source, archive.open(about, "w") as target:
                    shutil.copyfileobj(source, target, 2**20)
            else:
                archive.writestr(about, content)
    print(f"{file.name}: {file.stat().st_size / 1e6:,.1f} MB", flush=True)


def below(folder: Path, name: str) -> list[tuple[str, bytes | Path]]:
    """All files in a folder, as members of an archive in which it is called `name`."""
    return [(f"{name}/{path.relative_to(folder).as_posix()}", path) for path in folder.rglob("*") if path.is_file()]


def as_members(notebooks: dict, place: str = "") -> list[tuple[str, bytes | Path]]:
    return [(f"{place}{name}.ipynb", (nbformat.writes(each) + "\n").encode()) for name, each in notebooks.items()]


def data_files() -> list[Path]:
    """The prepared data sets of this machine. Raises: SystemExit, where one is missing."""
    files = [sources.folder() / f"{name}.npz" for name in SOURCES]
    if missing := [file.stem for file in files if not file.exists()]:
        sys.exit(
            f"DATA=1 packs the prepared data, but {', '.join(missing)} is not here. A network and `make book` help."
        )
    return files


def fetch_wheels(folder: Path, pip_arguments: list[str]) -> None:
    """Everything that `requirements.txt` asks for, as wheels for this system and this Python."""
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--only-binary", ":all:"]
    command += [
        "-r",
        str(ROOT / "requirements.txt"),
        "-c",
        str(ROOT / "constraints.txt"),
        "-d",
        str(folder),
        *pip_arguments,
    ]
    if subprocess.run([*command, "pip", "setuptools", "wheel"]).returncode:
        sys.exit("The wheels could not be fetched, see above.")


def offline_commands(data: bool, wheels: bool) -> list[str]:
    """What opens the lessons from the unpacked bundle."""
    return [
        'export COURSE_DATA=real COURSE_DATA_DIR="$PWD/data"' if data else "export COURSE_DATA=sample",
        'make lab PIP_ARGS="--no-index --find-links=wheels"' if wheels else "make lab",
    ]


def read_me(data: bool, wheels: bool) -> str:
    """The page that comes with the offline bundle: only what is in it."""
    system = f"{sys.platform}, Python {sys.version_info.major}.{sys.version_info.minor}"
    has = ["the data sets (`data/`)" if data else "without the data sets: lessons run on the built-in sample"]
    has += [f"and all packages, for {system} (`wheels/`)" if wheels else "and no packages"]
    without = (
        "" if wheels else "The packages of `requirements.txt` must be installed already, or come from a mirror.\n\n"
    )
    return READ_ME.format(
        title=tokens()["title"],
        version=tokens()["version"],
        with_what=", ".join(has),
        commands="\n".join(f"   {line}" for line in offline_commands(data, wheels)),
        without=without,
    )


def ran_on_sample(record: dict | None) -> bool:
    return any(data["copy"] == "sample" for data in (record or {"used": {"data": {}}})["used"]["data"].values())


def make(data: bool = False, wheels: bool = False, pip_arguments: list[str] | None = None) -> None:
    """Make all files of the release."""
    if not (SITE / "index.html").exists():
        sys.exit("There is no site yet: run `make book` first.")
    if on_sample := [lesson for lesson in manuscripts() if ran_on_sample(kept(lesson))]:
        sys.exit(
            f"This book was made on the sample ({', '.join(on_sample)}). A release shows real numbers: run "
            "`COURSE_DATA=real make release` where the data can be had."
        )
    packed_data = data_files() if data else []
    version = tokens()["version"]
    text = text_of_release(read(ROOT / "CHANGELOG.md"), version)
    shutil.rmtree(OUT, ignore_errors=True)
    name = f"{tokens()['repository'].rpartition('/')[2]}-{version}"
    plain = {lesson: read_notebook(ROOT / "notebooks" / f"{lesson}.ipynb") for lesson in manuscripts()}
    project = [(f"{name}/{path.relative_to(ROOT).as_posix()}", path) for path in project_files()]

    pack(OUT / f"{name}-site.zip", below(SITE, f"{name}-site"))
    pack(OUT / f"{name}-students.zip", as_members({each: for_students(plain[each]) for each in plain}))
    pack(
        OUT / f"{name}-instructors.zip",
        [
            *as_members({each: with_present_prose(each) for each in plain}, "solutions-and-outputs/"),
            *as_members({f"{each}/{each}": for_nbgrader(plain[each]) for each in lessons()}, "nbgrader/source/"),
            (KEY.name, KEY),
        ],
    )
    project = [(name, path) for name, path in project if path != KEY]
    bundle = [*project, *below(SITE, f"{name}/site"), (f"{name}/OFFLINE.md", read_me(data, wheels).encode())]
    bundle += [(f"{name}/data/{file.name}", file) for file in packed_data]
    if wheels:
        fetch_wheels(OUT / "wheels", pip_arguments or [])
        bundle += below(OUT / "wheels", f"{name}/wheels")
    pack(OUT / f"{name}-offline.zip", bundle)
    shutil.rmtree(OUT / "wheels", ignore_errors=True)

    write(OUT / "release.md", text)
    write(
        OUT / "SHA256SUMS",
        "".join(f"{pooch.file_hash(str(file))}  {file.name}\n" for file in sorted(OUT.glob("*.zip"))),
    )
    print(
        f"\nAll in {OUT}. The instructors' zip holds solutions and a key: give it to nobody else. To publish the rest:"
    )
    print(f"  git tag v{version} && git push origin v{version}")
    shown = [f"{name}-site.zip", f"{name}-students.zip", f"{name}-offline.zip", "SHA256SUMS"]
    if data or wheels:  # larger than GitHub takes, and not all data may be published
        shown.remove(f"{name}-offline.zip")
    print(f"  cd {OUT} && gh release create v{version} --notes-file release.md {' '.join(shown)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser("make release", description=__doc__)
    parser.add_argument("--data", action="store_true", help="put the real data sets into the offline bundle")
    parser.add_argument("--wheels", action="store_true", help="put all packages into the offline bundle")
    options, more = parser.parse_known_args()
    make(options.data, options.wheels, more)
