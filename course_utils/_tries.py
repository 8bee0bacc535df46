"""What a student has tried: kept in a small file of the student's own, so that a new kernel knows it too.

Each line is the number of an exercise and `right` or `wrong`. Lines are only ever added, in one write each, so that two
notebooks can share the file, and a line that is damaged costs nothing but itself. Nothing leaves the machine.
"""

import os
from contextlib import suppress
from pathlib import Path

from IPython import get_ipython
from platformdirs import user_data_path

from ._files import folder_named_by
from ._order import SOLUTION


def file() -> Path | None:
    """Where it is kept: in `$COURSE_PROGRESS`, or with this user's data. None for `off`, or where there is no home."""
    if os.environ.get("COURSE_PROGRESS") == "off":
        return None
    with suppress(ValueError):
        chosen = folder_named_by("COURSE_PROGRESS") or user_data_path("kernel-by-kernel") / "progress.txt"
        return None if "~" in chosen.parts else chosen
    return None


def keep(exercise: str, status: str) -> None:
    """Add a try from a cell of a notebook, but not from a solution's; say nothing where it can't be written."""
    shell, place = get_ipython(), file()
    if shell is None or place is None or shell.user_ns["In"][-1].lstrip().startswith(SOLUTION):
        return
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        first = not place.exists()
        with open(place, "a", encoding="utf-8") as lines:
            lines.write(f"{exercise} {status}\n")
        if first:
            print(f"What you solve is kept in {place}; course_utils.progress() shows it.")


def tried() -> dict[str, str]:
    """The exercises that were ever tried, each `right` or `wrong`: what was right once stays so."""
    place, rows = file(), []
    with suppress(OSError):
        text = place.read_text(encoding="utf-8", errors="replace") if place else ""
        rows = [line.split() for line in text.splitlines()]
    return {row[0]: status for status in ("wrong", "right") for row in rows if row[1:2] == [status]}
