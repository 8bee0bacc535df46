"""Run every lesson as a student would, on the data at hand, and keep what ran without error.

A run is kept in `.run/executed/` with a record of all that it used, and re-used while all of that is unchanged: code
cells and their tags, modules and files of `course_utils`, installed versions, Python, the data. Prose does not count.
A failed run is never kept. `--minutes N` leaves out lessons for which no time is left.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from platform import python_version

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course_utils._console import command
from course_utils._images import sources
from tools.common import ROOT, RUN, environment, is_setup, manuscripts, needs, read, read_notebook, write
from tools.provenance import PACKAGE, find_module, fingerprint_file, fingerprint_module

KEPT = RUN / "executed"
CELL_TIMEOUT = 1800  # seconds; far more than any cell takes on a slow laptop
ASK_WHAT_WAS_USED = "import json\nfrom tools.provenance import used\nprint(json.dumps(used()))"


class LessonFailed(Exception):
    """A cell raised; the message shows the cell and the error."""


class OutOfTime(Exception):
    """The time given to all lessons together is over."""


def settle_data(names: list[str]) -> dict[str, str]:
    """Decide once for all lessons whether they run on real data or on the sample, and say so.

    What is not here is downloaded now. If one data set can't be had, all lessons run on the sample. The answer is put
    into `COURSE_DATA`, so that no lesson asks the network again.

    Returns:
        The fingerprint of each data set; empty where lessons run on the sample.
    """
    wanted = sorted({data for name in names for data in needs(name)["data"]})
    try:
        copies = {data: sources.describe(data) for data in wanted}
        why = [f"{data}: {sources.why_sample(data)}" for data, copy in copies.items() if copy == "sample"]
        if sources.mode() == "auto":
            os.environ["COURSE_DATA"] = "sample" if why else "real"
    except (ValueError, FileNotFoundError) as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
    if sources.mode() == "sample":
        reasons = "; ".join(why)
        print(
            f"Data: the built-in sample ({reasons or 'COURSE_DATA=sample'}). To see what there is, run\n"
            f"    {command('course_utils.data', 'list')}"
        )
    else:
        listed = ", ".join(f"{data} ({copy})" for data, copy in copies.items())
        print(f"Data: {listed or 'none needed'}, from {sources.folder()}")
    return {} if sources.mode() == "sample" else {data: sources.fingerprint(data) for data in wanted}


def hash_code(notebook) -> str:
    """A hash of all that runs: code cells and their tags, without the generated setup cell."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not is_setup(cell)]
    code = json.dumps([(cell.source, cell.metadata.get("tags", [])) for cell in cells])
    return hashlib.sha256(code.encode()).hexdigest()


def strict() -> bool:
    return os.environ.get("COURSE_STRICT") == "1"


@cache
def version(name: str) -> str | None:
    """The installed version of a distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def module(name: str) -> str | None:
    """The fingerprint of a module of ours as it is now."""
    file = find_module(name)
    return fingerprint_module(file) if file else None


def changes(record: dict, notebook) -> list[str]:
    """What has changed since the recorded run; empty when the run still stands for the lesson."""
    used = record["used"]
    same = {
        "its code": record["code"] == hash_code(notebook),
        "COURSE_STRICT": record["strict"] or not strict(),
        "Python": used["python"] == python_version(),
        "COURSE_DATA": used["course_data"] == sources.mode(),
    }
    same |= {name: known == module(name) for name, known in used["modules"].items()}
    same |= {path: known == fingerprint_file(PACKAGE / path) for path, known in used["resources"].items()}
    same |= {name: known == version(name) for name, known in used["distributions"].items()}
    same |= {name: known["fingerprint"] == sources.fingerprint(name) for name, known in used["data"].items()}
    return [name for name, unchanged in same.items() if not unchanged]


def kept(name: str, folder: Path = KEPT) -> dict | None:
    """The record of a kept run."""
    files = [folder / f"{name}.json", folder / f"{name}.ipynb"]
    return json.loads(read(files[0])) if all(file.exists() for file in files) else None


def execute(notebook, progress=lambda done, of: None, deadline=float("inf"), **variables) -> dict:
    """Run a notebook in a fresh kernel, in the folder `notebooks/`; return what it used. Outputs go into `notebook`."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(ROOT / "notebooks")}},
    )
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    try:
        with client.setup_kernel(env=environment(COURSE_DATA=sources.mode(), **variables)):
            for done, index in enumerate(code):
                if time.monotonic() >= deadline:
                    raise OutOfTime
                progress(done, len(code))
                client.timeout = max(1, int(min(CELL_TIMEOUT, deadline - time.monotonic())))
                client.execute_cell(notebook.cells[index], index)
            notebook.cells.append(nbformat.v4.new_code_cell(ASK_WHAT_WAS_USED))
            client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
    except CellTimeoutError as problem:
        if time.monotonic() >= deadline:
            raise OutOfTime from None
        raise LessonFailed(problem) from None
    except CellExecutionError as problem:
        raise LessonFailed(re.sub(r"\x1b\[[0-9;]*m", "", str(problem))) from None
    except DeadKernelError:
        raise LessonFailed(f"The kernel died in this cell:\n{notebook.cells[index].source}") from None
    return json.loads("".join(output.text for output in notebook.cells.pop().outputs))  # it may come in pieces


def run_and_keep(name: str, notebook, folder: Path = KEPT, **options) -> dict:
    """Run a notebook and keep it with its record; a run that fails leaves nothing, not even an earlier one."""
    record_file = folder / f"{name}.json"
    record_file.unlink(missing_ok=True)
    started, load = time.time(), os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    record = {"code": hash_code(notebook), "strict": strict(), "date": time.strftime("%Y-%m-%d"), "load": load}
    record["used"] = execute(notebook, **options)
    record["seconds"] = round(time.time() - started, 1)
    write(folder / f"{name}.ipynb", nbformat.writes(notebook))
    write(record_file, json.dumps(record, indent=1) + "\n")
    return record


def run_all(names: list[str], minutes: float = float("inf")) -> dict[str, dict]:
    """Run or re-use these lessons, saying which; return the records by lesson. Those that fail are told at the end, all
    of them, and then the process ends."""
    deadline = time.monotonic() + 60 * minutes
    records: dict[str, dict] = {}
    failed: dict[str, LessonFailed] = {}
    for name in names:
        notebook, record = read_notebook(ROOT / "notebooks" / f"{name}.ipynb"), kept(name)
        news = changes(record, notebook) if record else ["no earlier run"]
        if record and not news:
            records[name] = record
            print(f"{name}: re-used the run of {record['date']} ({record['seconds']:.0f} s)")
            continue
        print(f"{name}: running, because of {', '.join(news[:3])}{', …' if len(news) > 3 else ''}", flush=True)
        try:
            records[name] = run_and_keep(name, notebook, progress=show_progress, deadline=deadline)
            print(f"{name}: ran in {records[name]['seconds']:.0f} s")
        except OutOfTime:
            print(f"{name}: left out, since the {minutes:g} minutes for all lessons are over")
        except LessonFailed as problem:
            failed[name] = problem
            print(f"{name}: FAILED")
    if failed:
        told = "\n\n".join(f"{name} FAILED. {problem}" for name, problem in failed.items())
        sys.exit(f"{told}\n\n{len(failed)} of {len(names)} lessons failed: {', '.join(failed)}")
    return records


def show_progress(done: int, of: int) -> None:
    if sys.stdout.isatty():
        print(f"  cell {done + 1} of {of}", end="\r", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="time for all lessons together")
    minutes = parser.parse_args().minutes
    settle_data(manuscripts())
    run_all(manuscripts(), minutes)
