"""Mark returned notebooks: `make mark FOLDER=work/returned`, with FAST=1 on the sample and with small parameters.

Every notebook runs in a process of its own, without its solutions, within limits, and where bubblewrap is installed in
a sandbox that can write nothing and reach no network. The tables `marks.csv` and `marks.html` are written when all have
ended. `book/instructors.md` says what this protects from, and what it does not.
"""

import argparse
import ast
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from course_utils._images import sources
from course_utils._order import SOLUTION
from tools.adopt import Refused, lesson_of
from tools.common import ROOT, first_free, is_setup, lessons, read_notebook, setup_cell, write
from tools.marks import MEANINGS, Returned, as_csv, as_html
from tools.run_lessons import settle_data

FILE_SIZE = 20_000_000  # bytes of a notebook that is read
OUTPUT = 1_000_000  # bytes that are kept of what a notebook prints
SPACE = 1_000_000_000  # bytes that it may write, into its own folder
CELL_SECONDS = 300  # that a cell may take
INSIDE = Path("/tmp/notebook")  # a notebook's own folder in the sandbox


def same(source: str) -> str:
    """A cell's code without comments, layout and what sets a solution's names apart from an answer's."""
    source = re.sub(r"_solution\b", "", source.replace("assert check(", "check("))
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source.strip()


def checks_in(source: str) -> dict[str, str]:
    """The exercises that a cell checks, each with the expression that is its answer; empty where it can't be read."""
    plain = re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source)  # lines for IPython and for the shell
    try:
        calls = [node for node in ast.walk(ast.parse(plain)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return dict.fromkeys(re.findall(r"""\bcheck\(\s*["'](\d+\.\d+)["']""", source), "")
    found = {}
    for call in calls:
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        named = {word.arg: word.value for word in call.keywords}
        given = [*call.args, *(named[word] for word in ("exercise", "answer") if word in named)]
        if name == "check" and len(given) == 2 and isinstance(given[0], ast.Constant):
            found[str(given[0].value)] = ast.unparse(given[1])
    return found


def lines_of_answer(source: str) -> int:
    """How many lines of code a solution has, as Python lays it out, without its check."""
    lines = ast.unparse(ast.parse(source)).splitlines()
    return sum(bool(line.strip()) and "check(" not in line for line in lines)


class Lesson:
    """What marking needs of a lesson: its exercises, the names of their answers, and its solutions."""

    def __init__(self, name: str) -> None:
        code = [cell for cell in read_notebook(ROOT / "notebooks" / f"{name}.ipynb").cells if cell.cell_type == "code"]
        solutions = [cell for cell in code if cell.source.startswith(SOLUTION)]
        self.asked: dict[str, str] = {}
        self.stubs: dict[str, str] = {}  # a stub may be code, such as a function with a mistake in it
        for cell in code:
            if cell not in solutions and (checked := checks_in(cell.source)):
                self.asked |= checked
                self.stubs |= dict.fromkeys(checked, same(cell.source))
        self.solutions = {same(cell.source): lines_of_answer(cell.source) for cell in solutions}
        self.mocks = [cell.metadata.get("nbmake", {}).get("mock", {}) for cell in code]

    def is_solution(self, source: str) -> bool:
        """Whether a cell is one of the book's solutions, with or without its title, and nothing else."""
        named = any(answer.endswith("_solution") for answer in checks_in(source).values())
        return (named or source.lstrip().startswith(SOLUTION)) and same(source) in self.solutions

    def mock(self, source: str) -> dict:
        """The small parameters of the tests that belong behind a cell which sets these parameters."""
        fitting = [mock for mock in self.mocks if any(re.search(rf"(?m)^{name}\b.*=", source) for name in mock)]
        return {name: value for mock in fitting for name, value in mock.items()}


def collect(folder: Path) -> list[Returned]:
    """The notebooks in a folder, by student: the folder inside it, or what a file's name has beside the lesson's.

    Raises: SystemExit, where there is none.
    """
    files = sorted(
        path
        for path in folder.rglob("*.ipynb")
        if not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
    )
    if not files:
        sys.exit(f"FOLDER must name a folder of returned notebooks, *.ipynb, one folder for each student; got {folder}")
    known, found = {name: Lesson(name) for name in lessons()}, []
    for file in files:
        inside = file.relative_to(folder).parent.as_posix()
        returned = Returned(file, student_of(file.stem) if inside == "." else inside)
        found.append(returned)
        try:
            if file.stat().st_size > FILE_SIZE:
                raise ValueError(f"it is larger than {FILE_SIZE // 1_000_000} MB")
            notebook = read_notebook(file)
            returned.lesson = lesson_of(file, notebook)
            prepare(returned, notebook, known[returned.lesson])
        except Refused:
            returned.remarks.append("not marked: neither its name nor a title in it is that of a lesson")
        except Exception as problem:  # whatever stands in a file that somebody sent
            why = problem if "larger than" in str(problem) else "it is no notebook that can be read"
            returned.remarks.append(f"not marked: {why}")
    return found


def student_of(stem: str) -> str:
    """Who returned a file that lies in no folder: `02_convolution-ada` and `ada_02_convolution` are ada's."""
    rest = re.sub(r"(?i)\bcopy( of)?\b|\(\d+\)", " ", stem)
    for name in lessons():
        rest = re.sub(rf"(?i)[ _.-]*{name}[ _.-]*", " ", rest)
    return rest.strip() or stem


def prepare(returned: Returned, notebook, lesson: Lesson) -> None:
    """Choose the cells that are run, and note which answers are judged after each."""
    asked_last = dict(lesson.asked)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if is_setup(cell):  # we bring the course
            if setup_cell() != cell.source:
                returned.remarks.append("its setup cell is not this course's: another version, or changed")
            continue
        if lesson.is_solution(cell.source):
            continue
        if cell.source.lstrip().startswith(SOLUTION):
            returned.remarks.append("a solution's cell was changed, and counts as an answer")
        answers = [(e, given or lesson.asked[e]) for e, given in checks_in(cell.source).items() if e in lesson.asked]
        for exercise, _ in answers:
            if same(cell.source) == lesson.stubs[exercise]:
                returned.untouched.add(exercise)
            asked_last.pop(exercise, None)
            if lesson.solutions.get(same(cell.source), 0) > 2:  # anybody's short answer looks like the book's
                returned.as_in_book.add(exercise)
        mock = lesson.mock(cell.source)
        returned.cells.append({"source": cell.source, "mock": mock, "answers": answers, "late": False})
    by_name = list(lesson.asked.items())  # what is not right by then may stand in another cell
    returned.cells.append({"source": "", "mock": {}, "answers": by_name, "late": True})
    returned.verdicts = dict.fromkeys(lesson.asked, ("stopped", MEANINGS["stopped"]))
    returned.missing = set(asked_last)


def sandbox(files: Path | None = None) -> list[str]:
    """The command before a command that shuts it in, with bubblewrap. Its folder there is `INSIDE`.

    What is inside sees the system's programs, this Python, `course_utils`, the data and the student's `files` (as
    `/returned`), all of it only to be read, and a folder in memory that is its own. No network, no other process.
    """
    seen = [Path("/", name) for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64")]
    seen += [Path("/etc", name) for name in ("ld.so.cache", "alternatives", "hosts", "nsswitch.conf", "localtime")]
    seen += [Path(sys.prefix), Path(sys.base_prefix), ROOT / "course_utils", Path(__file__).with_name("judge.py")]
    seen += [sources.folder()]
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534"]
    command += ["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    for place in ("/tmp", "/dev/shm"):
        command += ["--size", str(SPACE), "--tmpfs", place]
    for path in seen:
        if path.is_symlink() and path.parent == Path("/"):
            command += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            command += ["--ro-bind", str(path.resolve()), str(path)]
    command += ["--ro-bind", str(files), "/returned"] if files else []
    return [*command, "--dir", str(INSIDE), "--chdir", str(INSIDE), "--remount-ro", "/dev", "--remount-ro", "/"]


def can_shut_in() -> bool:
    """Whether bubblewrap is installed, and works here: some systems and containers forbid it."""
    if not shutil.which("bwrap"):
        return False
    return subprocess.run([*sandbox(), sys.executable, "-c", ""], capture_output=True).returncode == 0


def run(returned: Returned, shut_in: bool, options: argparse.Namespace) -> None:
    """Run one notebook and note its verdicts."""
    started = time.monotonic()
    reading, writing = os.pipe()
    pipe = open(reading, "rb")  # noqa: SIM115 - its thread closes it
    with tempfile.TemporaryDirectory(prefix="marking-") as place:
        inside = INSIDE if shut_in else Path(place)
        files = returned.file.parent if returned.file.parent != options.folder else None
        command = sandbox(files) if shut_in else []
        secret = secrets.token_hex()
        job = {
            "lesson": returned.lesson,
            "cells": returned.cells if options.fast else [cell | {"mock": {}} for cell in returned.cells],
            "secret": secret,
            "verdicts": writing,
            "files": None if files is None else "/returned" if shut_in else str(files),
            "memory": int(options.memory * 2**30),
            "file_size": SPACE,
            "cell_seconds": min(CELL_SECONDS, options.seconds / 3),
        }
        process = subprocess.Popen(
            [*command, sys.executable, "-I", str(Path(__file__).with_name("judge.py"))],
            cwd=place,
            env=surroundings(inside, options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)
        told: list[bytes] = []
        printed: list[bytes] = []
        threads = [
            threading.Thread(target=drain, args=(pipe, told)),
            threading.Thread(target=drain, args=(process.stdout, printed)),
        ]
        for thread in threads:
            thread.start()
        try:
            with suppress(BrokenPipeError), process.stdin:  # type: ignore[union-attr]
                process.stdin.write(json.dumps(job).encode())  # type: ignore[union-attr]
            process.wait(options.seconds)
        except subprocess.TimeoutExpired:
            returned.remarks.append(f"stopped after {options.seconds} s")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for thread in threads:
            thread.join(10)
    returned.output = b"".join(printed)
    take(returned, b"".join(told), secret)
    counts = Counter(status for status, _ in returned.verdicts.values())
    said = ", ".join(f"{counts[status]} {status}" for status in MEANINGS if counts[status])
    print(f"{returned.student} · {returned.lesson}: {said} ({time.monotonic() - started:.0f} s)", flush=True)


def surroundings(inside: Path, options: argparse.Namespace) -> dict[str, str]:
    """The environment of a student's code: nothing of ours but what it needs."""
    kept = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "LANG") if name in os.environ}
    return kept | {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(inside),
        "TMPDIR": str(inside),
        "IPYTHONDIR": str(inside / ".ipython"),
        "USER": "student",
        "LOGNAME": "student",
        "MPLBACKEND": "Agg",
        "COURSE_PROGRESS": "off",
        "COURSE_DATA": sources.mode(),
        "COURSE_DATA_DIR": str(sources.folder()),
        "COURSE_HOME": str(inside / "course"),
        "PYTHONPATH": str(ROOT),
    }


def drain(pipe, into: list[bytes]) -> None:
    """Read a pipe to its end, and keep its beginning."""
    kept = 0
    while piece := pipe.read1(65_536):
        into.append(piece[: max(0, OUTPUT - kept)])
        kept += len(piece)
    pipe.close()


def take(returned: Returned, told: bytes, secret: str) -> None:
    """Note the verdicts that judge.py wrote: of several on one exercise, the best."""
    rank = ["stopped", "unattempted", "wrong", "right"]
    started = ended = False
    for line in told.decode(errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError):
            said = json.loads(line)
            if said.pop("secret") != secret:
                continue
            started, ended = started or "started" in said, ended or "ended" in said
            exercise, status, message = said["exercise"], said["status"], said["message"]
            if exercise in returned.untouched and not (said["late"] and status == "right"):
                status, message = "unattempted", "The cell is as the book has it."
            before = returned.verdicts[exercise][0]
            if said["late"] and message.startswith("there is no answer"):
                if exercise in returned.missing:
                    returned.verdicts[exercise] = ("missing", MEANINGS["missing"])
            elif rank.index(status) > rank.index(before) - (not said["late"]):
                returned.verdicts[exercise] = (status, message)
    if not started:
        returned.remarks.append(
            "could not be started on this machine, which is not the notebook's fault: see its output"
        )
    elif not ended and not any(remark.startswith("stopped") for remark in returned.remarks):
        returned.remarks.append("ended before its last cell: it may have run out of memory, or closed itself")


def main() -> None:
    parser = argparse.ArgumentParser("make mark", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="returned notebooks: one folder for each student, or loose files")
    parser.add_argument(
        "--out", type=Path, help="where the tables are written; else work/marks, or the next that is free"
    )
    parser.add_argument("--fast", action="store_true", help="on the sample, with the small parameters of the tests")
    parser.add_argument("--seconds", type=int, default=900, help="that a notebook may take")
    parser.add_argument("--memory", type=float, default=8, help="GB that each process of it may take")
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at a time")
    options = parser.parse_args()
    if not options.folder.name:  # `make mark` alone gives nothing, which would be the current folder
        sys.exit("FOLDER must name a folder of returned notebooks: make mark FOLDER=work/returned")
    options.folder = options.folder.resolve()
    found = collect(options.folder)
    waiting = [returned for returned in found if returned.cells]
    if options.fast:
        os.environ["COURSE_DATA"] = "sample"
    settle_data(sorted({returned.lesson for returned in waiting}))
    shut_in = can_shut_in()
    told = (
        "Each notebook ran in a sandbox: no network, and nothing to write but a folder of its own."
        if shut_in
        else "No sandbox: bubblewrap (bwrap) is not here or can't work, so the students' code ran with your rights. It "
        "could read and change your files and use your network. Mark in a virtual machine or a container instead."
    )
    print(told)
    with ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(run, returned, shut_in, options) for returned in waiting]
        try:
            for each in running:
                each.result()
        except KeyboardInterrupt:
            print("Interrupted. What is running now is finished first, then the table is written.", flush=True)
            pool.shutdown(cancel_futures=True)
    for returned, each in zip(waiting, running, strict=True):
        if each.cancelled():
            returned.remarks.append("not run: the marking was interrupted")
    marked = sum(not each.cancelled() for each in running)
    options.out = options.out or first_free(ROOT / "work" / "marks")
    for place, returned in enumerate(found, 1):
        if returned.output:
            name = re.sub(r"[^\w.-]+", "_", f"{place:03}_{returned.student}_{returned.lesson}")
            write(options.out / "output" / f"{name}.txt", returned.output.decode(errors="replace"))
    write(options.out / "marks.csv", "\ufeff" + as_csv(found))  # the mark lets Excel read letters such as ü
    write(options.out / "marks.html", as_html(found, told))
    print(f"{options.out / 'marks.html'} and marks.csv: {len(found)} notebooks, {marked} of them marked")


if __name__ == "__main__":
    main()
