"""What the scripts in this folder share: where things lie, the course's address and version, and the lessons."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
COURSE, AUTHORS = "Kernel by Kernel", "The Kernel by Kernel authors"  # what a fork is based on
MARK = "kernel-by-kernel"  # a file in each folder of runs: what lies beside it may be deleted


def _run_folder() -> Path:
    """Where runs are kept: `.run`, or the folder that COURSE_RUN_DIR names. That one must be new, empty or ours."""
    chosen = os.environ.get("COURSE_RUN_DIR")
    folder = ROOT / Path(chosen or ".run").expanduser()
    if chosen and folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        sys.exit(f"COURSE_RUN_DIR must name a new or an empty folder, since parts of it get deleted; got {folder}")
    with suppress(OSError):  # of a checkout that can only be read
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).touch()
    return folder


RUN = _run_folder()
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETUP_TITLE = "# @title Setup, "
SETUP_MARKER = "# The setup cell: `make notebooks` puts it here."  # a cell of each manuscript


def lessons() -> list[str]:
    """The names of all lessons, such as `06_lenet`, in their order."""
    return sorted(path.stem for path in (ROOT / "book").glob("[0-9][0-9]_*.py"))


def manuscripts() -> list[str]:
    """The names of all that becomes a notebook: the lessons, and pages of the reference part that run like one."""
    return lessons() + sorted(path.stem for path in (ROOT / "book").glob("[a-z]*.py"))


def find_manuscript(name: str) -> str:
    """The one manuscript whose name begins with `name`: `06` and `06_lenet` are the same."""
    found = [manuscript for manuscript in manuscripts() if name and manuscript.startswith(name)]
    if len(found) != 1:
        sys.exit(f"LESSON={name} names {len(found)} lessons. The lessons are: {', '.join(manuscripts())}")
    return found[0]


def tokens() -> dict[str, str]:
    """What the tokens of pages and of the setup cell, such as `{{ url }}`, stand for."""
    config = yaml.safe_load(read(ROOT / "_config.yml"))
    url = config["repository"]["url"]
    [version] = re.findall(r'^__version__ = "(.+)"$', read(ROOT / "course_utils" / "__init__.py"), re.MULTILINE)
    return {
        "repository": url.removeprefix("https://github.com/"),
        "url": url,
        "version": version,
        "tag": f"v{version}",
        "title": config["title"],
        "author": config.get("author", ""),
        "mirror": in_lines(config["repository"].get("mirror", "").replace("{version}", version)),
    }


def in_lines(text: str, width: int = 34) -> str:
    """Text as Python has it, in lines that are no wider than a page is, with room for a short comment."""
    parts = [f'"{text[start : start + width]}"' for start in range(0, max(len(text), 1), width)]
    return parts[0] if len(parts) == 1 else "(\n    " + "\n    ".join(parts) + ")"


def fill(text: str) -> str:
    """`text` with each token in double braces replaced."""
    for name, value in tokens().items():
        text = text.replace("{{ " + name + " }}", value)
    return text


def setup_cell() -> str:
    """The source of the first code cell of every lesson."""
    template = read(ROOT / "tools" / "setup_cell.py")
    docstring = ast.parse(template).body[0]
    return fill("".join(template.splitlines(keepends=True)[docstring.end_lineno :])).strip()


def is_setup(cell) -> bool:
    return cell.source.startswith(SETUP_TITLE)


def needs_file(lesson: str) -> Path:
    return ROOT / "course_utils" / "needs" / f"{lesson}.toml"


def needs(lesson: str) -> dict:
    """What a lesson needs beyond torch: `{"packages": [...], "data": [...], "gpu_helps": ...}`."""
    return tomllib.loads(read(needs_file(lesson)))


def read_notebook(path: Path):
    return nbformat.read(path, as_version=4)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def first_free(path: Path) -> Path:
    """The path, or with `-2` and so on behind its name: the first where nothing is yet."""
    names = chain([path.stem], (f"{path.stem}-{number}" for number in count(2)))
    return next(place for place in map(path.with_stem, names) if not place.exists())


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)


def files_below(*places: Path) -> list[Path]:
    """The files in these folders, and those of these that are files; without what Python and we leave among them."""
    found = [path for place in places for path in (place.rglob("*") if place.is_dir() else [place])]
    return sorted(path for path in found if path.is_file() and path.suffix not in (".pyc", ".lock", ".part"))


UNTRACKED = {".git", ".venv", ".run", "_build", "work", "__pycache__", ".ipynb_checkpoints"}


def project_files() -> list[Path]:
    """What git tracks or would track, uncommitted work included; in a downloaded archive, what is there."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not UNTRACKED & {*path.relative_to(ROOT).parts}]


def hash_of(files: list[Path], *facts: object) -> str:
    """SHA-256 in hex of the names and bytes of files, and of some facts."""
    digest = hashlib.sha256(repr(facts).encode())
    for file in files:
        name = os.path.relpath(file, ROOT)
        digest.update(f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that must find `course_utils` in this checkout, and solves nothing for anybody."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "COURSE_PROGRESS": "off", **more}


def call(*command, **more) -> int:
    """Run one of this environment's commands, such as `pytest`, in the root folder; return its exit status."""
    program = Path(sys.executable).with_name(command[0])
    return subprocess.run([program, *map(str, command[1:])], cwd=ROOT, env=environment(**more)).returncode


def find_browser() -> str | None:
    """The path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def contents_of_the_book() -> tuple[str, dict[str, list[str]]]:
    """The book's cover and, by the caption of each part, its pages, such as `notebooks/02_convolution`."""
    contents = yaml.safe_load(read(ROOT / "_toc.yml"))
    parts = {part["caption"]: [chapter["file"] for chapter in part["chapters"]] for part in contents["parts"]}
    return contents["root"], parts
