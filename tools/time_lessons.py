"""Time a lesson: `make time-lessons LESSON=06_lenet`.

Runs it three times on the data at hand and three times in fast mode, keeps median, minimum, maximum and the load of the
machine in `course_utils/results/timings.json`, and writes the median into the header line of the lesson.
"""

import json
import os
import re
import shutil
import statistics
import sys
import time
from tempfile import TemporaryDirectory

from tools.common import ROOT, RUN, find_manuscript, read, read_notebook, write
from tools.notebooks import pair
from tools.rehearse import run_in_fast_mode
from tools.run_lessons import LessonFailed, run_and_keep, settle_data

TIMINGS = ROOT / "course_utils" / "results" / "timings.json"
HEADER = re.compile(r"\*\*Run\*\* [^·\n]*?(?= ·|\n)")


def spoken(timing: dict) -> str:
    """The time to run as the header of a lesson says it, such as `40 s on two CPU cores`."""
    seconds, threads = timing["live"]["median"], timing["threads"]
    if seconds < 90:
        length = f"{max(5, 5 * round(seconds / 5))} s"
    else:
        length = f"{round(seconds / 30) / 2:g} min"
    if timing["device"] != "cpu":
        return f"{length} on a GPU"
    number = {1: "one CPU core", 2: "two CPU cores", 4: "four CPU cores", 8: "eight CPU cores"}
    return f"{length} on {number.get(threads, f'{threads} CPU cores')}"


def summary(runs: list[tuple[float, float]]) -> dict:
    """Median, minimum and maximum of the seconds, and each run's load at its start."""
    seconds, loads = zip(*runs, strict=True)
    return {
        "median": round(statistics.median(seconds), 1),
        "min": round(min(seconds), 1),
        "max": round(max(seconds), 1),
        "load": [round(load, 2) for load in loads],
    }


def run_fast(lesson: str) -> tuple[float, float]:
    """Seconds in fast mode, alone, with one thread; and the load before."""
    load = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        notebook = shutil.copy(ROOT / "notebooks" / f"{lesson}.ipynb", folder)
        started = time.monotonic()
        if run_in_fast_mode(notebook, "-q"):
            sys.exit(f"{lesson} failed in fast mode, see above.")
        return time.monotonic() - started, load


def keep_times(lesson: str, records: list[dict]) -> None:
    """Keep the times of these live runs, time fast mode, and write the median into the lesson's header."""
    used = records[-1]["used"]
    timings = json.loads(read(TIMINGS)) if TIMINGS.exists() else {}
    timings[lesson] = {
        "date": records[-1]["date"],
        "machine": used["machine"],
        "device": used["device"],
        "threads": used["threads"],
        "data": sorted({data["copy"] for data in used["data"].values()}),
        "live": summary([(record["seconds"], record["load"]) for record in records]),
        "fast": summary([run_fast(lesson) for _ in range(3)]),
    }
    write(TIMINGS, json.dumps(dict(sorted(timings.items())), indent=1) + "\n")
    manuscript = ROOT / "book" / f"{lesson}.py"
    write(manuscript, HEADER.sub(f"**Run** {spoken(timings[lesson])}", read(manuscript), count=1))
    pair(lesson)
    print(f"{lesson}: {spoken(timings[lesson])}; in fast mode {timings[lesson]['fast']['median']:.0f} s")


def main(lesson: str) -> None:
    lesson = find_manuscript(lesson)
    settle_data([lesson])
    records = []
    for turn in range(3):
        try:
            record = run_and_keep(lesson, read_notebook(ROOT / "notebooks" / f"{lesson}.ipynb"), RUN / "timing")
        except LessonFailed as problem:
            sys.exit(f"{lesson} FAILED. {problem}")
        print(f"{lesson}, run {turn + 1} of 3: {record['seconds']:.0f} s")
        records.append(record)
    keep_times(lesson, records)


if __name__ == "__main__":
    main(sys.argv[1])
