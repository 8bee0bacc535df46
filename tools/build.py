"""Make the book: pair and run the lessons, gather all sources, and let Jupyter Book build the site, strictly.

Sources are gathered in `.run/book/`. The site is built there, and put into `_build/html` when it is whole: a failed
build leaves no half site. With it goes a stamp over everything that it was made from, so that the next `make book`
builds only if any of that has changed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import nbformat
import yaml

from course_utils.explorers import frame
from tools.claims_page import claims_page, with_quoted_claims
from tools.common import ROOT, RUN, environment, files_below, fill, hash_of, manuscripts, read, read_notebook, write
from tools.cover import with_cards
from tools.data_table import with_data_files
from tools.notebooks import pair_all
from tools.run_lessons import KEPT, run_all, settle_data, strict
from tools.timetable import with_timetable

BANNER = (
    "> **Sample data.** The outputs on this page come from the small built-in sample, not from the real data set: "
    "expect other numbers than the text's."
)


SITE = ROOT / "_build" / "html"
STAMP = ROOT / "_build" / "stamp"
SOURCES = ("book", "notebooks", "course_utils", "tools", "_config.yml", "_toc.yml", "requirements.txt", "Makefile")


def main() -> None:
    names = chosen(os.environ.get("LESSONS", ""))
    pair_all()
    data = settle_data(names)
    if (SITE / "index.html").exists() and STAMP.exists() and read(STAMP) == stamp(data):
        print(f"Nothing has changed since {SITE / 'index.html'} was built.")
        return
    builder = start_builder()
    records = run_all(names)
    runs = {name: (with_present_prose(name), facts(record)) for name, record in records.items()}
    gather(RUN / "book", runs)
    STAMP.unlink(missing_ok=True)
    build(RUN / "book", SITE, builder)
    write(STAMP, stamp(data))
    print(f"The book is ready. Open {SITE / 'index.html'}")


def chosen(lessons: str) -> list[str]:
    """The manuscripts to build: all of them, or the lessons of these numbers, such as "02 03 06", and what has none."""
    numbers = lessons.replace(",", " ").split()
    known = {name[:2]: name for name in manuscripts() if name[:2].isdigit()}
    unknown = [number for number in numbers if number.zfill(2) not in known]
    if unknown:
        sys.exit(f'LESSONS must be numbers of lessons, such as "02 03 06"; there is no {", ".join(unknown)}.')
    wanted = {known[number.zfill(2)] for number in numbers} or set(known.values())
    return [name for name in manuscripts() if name in wanted or name not in known.values()]


def stamp(data: dict[str, str]) -> str:
    """A hash of all that the site is made from: sources, kept runs, the data, installed versions, settings."""
    files = files_below(*(ROOT / name for name in SOURCES), KEPT)
    versions = sorted(path.name for path in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))
    settings = [os.environ.get(name) for name in ("COURSE_DATA", "BASE_URL", "LESSONS")]
    return hash_of(files, sys.version, settings, strict(), data, versions)


def with_present_prose(name: str):
    """The lesson's notebook as it stands now, with the outputs of its kept run."""
    notebook, run = read_notebook(ROOT / "notebooks" / f"{name}.ipynb"), read_notebook(KEPT / f"{name}.ipynb")
    ran = [cell for cell in run.cells if cell.cell_type == "code"]
    present = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, done in zip(present, ran, strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    return notebook


def facts(record: dict) -> dict:
    """What a page says of its run."""
    used = record["used"]
    return {
        "date": record["date"],
        "machine": used.get("machine", "a machine without torch") + (f" ({used['cpu']})" if "cpu" in used else ""),
        "data": {name: data["copy"] for name, data in used["data"].items()},
    }


def gather(folder: Path, runs: dict) -> None:
    """Put all that Jupyter Book reads into `folder`, emptied before: pages with tokens and quotations filled in, the
    executed lessons (`runs`: name → notebook and facts), the page Claims, and the mark that lessons were executed."""
    shutil.rmtree(folder, ignore_errors=True)
    leave = [f"{name}.py" for name in manuscripts()]
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns(*leave, "__pycache__"))
    notebooks = {name: notebook for name, (notebook, _) in runs.items()}
    for page in (folder / "book").rglob("*.md"):
        text = with_quoted_claims(without_left_out(fill(read(page)), runs), notebooks)
        text = with_timetable(with_data_files(with_cards(text, notebooks)), notebooks)
        write(page, with_explorers(text))
    shutil.copy(ROOT / "_config.yml", folder)
    write(folder / "_toc.yml", contents_of(read(ROOT / "_toc.yml"), runs))
    (folder / "notebooks").mkdir()
    for name, (notebook, about) in runs.items():
        nbformat.write(with_facts(notebook, about), folder / "notebooks" / f"{name}.ipynb")
    write(folder / "book" / "claims.md", claims_page(notebooks))
    write(folder / "executed.json", json.dumps({name: about for name, (_, about) in runs.items()}, indent=1) + "\n")


def without_left_out(text: str, runs: dict) -> str:
    """A page without links to lessons that this book leaves out, and without what it quotes from them."""
    for name in set(manuscripts()) - set(runs):
        text = re.sub(rf"\[([^][]+)\]\((?:\.\./)?notebooks/{name}\.ipynb[^)]*\)", r"\1", text)
        text = re.sub(rf"^\{{\{{ claim {name[:2]}: .+ \}}\}}\n", "", text, flags=re.MULTILINE)
    return text


def contents_of(text: str, runs: dict) -> str:
    """The table of contents, without the lessons that this book leaves out and the parts that hold nothing then."""
    contents, left_out = yaml.safe_load(text), {f"notebooks/{name}" for name in set(manuscripts()) - set(runs)}
    if not left_out:
        return text
    for part in contents["parts"]:
        part["chapters"] = [chapter for chapter in part["chapters"] if chapter["file"] not in left_out]
    contents["parts"] = [part for part in contents["parts"] if part["chapters"]]
    return yaml.safe_dump(contents, allow_unicode=True, sort_keys=False)


def with_explorers(text: str) -> str:
    """A page with each line `{{ explore NAME }}` replaced by that explorer: HTML, which here must stand in one line."""
    return re.sub(
        r"^\{\{ explore (\S+) \}\}$",
        lambda token: frame(token[1]).replace("\n", "&#10;"),
        text,
        flags=re.MULTILINE,
    )


def with_facts(notebook, about: dict):
    """A copy of the notebook that says, after its first cell, when and on what it was run."""
    data = ", ".join(f"{name} ({copy})" for name, copy in about["data"].items()) or "none"
    line = f'<div class="executed">Run on {about["date"]} with {about["machine"]}, data: {data}.</div>'
    texts = [BANNER, line] if "sample" in about["data"].values() else [line]
    added = [nbformat.v4.new_markdown_cell(text, id=f"facts-{number}") for number, text in enumerate(texts)]
    cells = [folded(cell) for cell in notebook.cells]
    return nbformat.from_dict({**notebook, "cells": [cells[0], *added, *cells[1:]]})


TELLS = re.compile(r"\b(title|equals|at_least|at_most)=|\bagree\(")  # code that says what comes out


def folded(cell):
    """A cell as the page shows it, and only the page.

    Folded are what answers a *Predict* (with its code, if that says what comes out: a claim, an agreement, the title of
    a figure) and the code of other claims. The fold of a solution is called by its title.
    """
    tags, title = cell.metadata.get("tags", []), re.match(r"# @title (.+)", cell.source)
    if "answer" in tags:
        tells = "claim" in tags or TELLS.search(cell.source)
        fold, prompt = "hide-cell" if tells else "hide-output", "Show what happens"
    elif "claim" in tags:
        fold, prompt = "hide-input", "How this is checked"
    elif title:
        fold, prompt = "hide-cell", title[1]
    else:
        return cell
    prompts = {"code_prompt_show": prompt, "code_prompt_hide": prompt}
    shown = cell.metadata.get("mystnb", {}) | prompts
    tags = [*dict.fromkeys([*tags, fold])]
    return nbformat.from_dict({**cell, "metadata": {**cell.metadata, "tags": tags, "mystnb": shown}})


def start_builder() -> subprocess.Popen[str]:
    """Start Jupyter Book ahead of time: it loads what it needs and waits to be told what to do."""
    command = [sys.executable, "-m", "tools.jupyter_book"]
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, cwd=ROOT, env=environment(), text=True, stdin=pipe, stdout=pipe, stderr=both)


def build(folder: Path, site: Path, builder: subprocess.Popen[str]) -> None:
    """Build the site of the sources in `folder`, from nothing, and stop at any warning."""
    started = time.monotonic()
    print("Building the site …", flush=True)
    arguments = ["build", str(folder), "--path-output", str(folder), "-n", "-W", "--keep-going", "-q"]
    said, _ = builder.communicate("\n".join(arguments))
    if builder.returncode:
        print(said)
        older = f" {site} still holds the site of an earlier build." if site.exists() else ""
        sys.exit(f"Building the site failed, see above.{older}")
    built = folder / "_build" / "html"
    for notebook in (folder / "notebooks").glob("*.ipynb"):  # the download button gives notebooks without outputs
        shutil.copy(ROOT / "notebooks" / notebook.name, built / "_sources" / "notebooks")
    shutil.rmtree(site, ignore_errors=True)
    site.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(built, site)
    print(f"Built in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
