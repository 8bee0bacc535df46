"""What teaching a lesson takes, from the lessons' own heads: a table, and the hours of some lessons together."""

import re

from tools.common import ROOT, lessons, read_notebook
from tools.cover import HEAD
from tools.mark import Lesson

TABLE = "{{ timetable }}"
HOURS = re.compile(r"\{\{ hours (all|(?:\d\d ?)+) ?\}\}")


def minutes(text: str) -> float:
    """A time as a head has it, `2.5 min` or `40 s`, in minutes."""
    number, unit = text.split()
    return float(number) / {"min": 1, "s": 60}[unit]


def heads(notebooks: dict) -> dict[str, dict[str, str]]:
    """Number, title, and times of each lesson, by its number of two digits."""
    found = {name: HEAD.match(notebook.cells[0].source) for name, notebook in notebooks.items() if name[:2].isdigit()}
    return {name[:2]: head.groupdict() | {"name": name} for name, head in found.items() if head}


def hours(found: list[dict[str, str]]) -> str:
    """Reading, running, and exercises as long as reading, to half an hour."""
    total = sum(2 * minutes(lesson["read"]) + minutes(lesson["run"]) for lesson in found)
    return f"{round(total / 30) / 2:g}\N{NO-BREAK SPACE}h"


def with_timetable(page: str, notebooks: dict) -> str:
    """A page with the tokens of this module replaced. The table is of `notebooks`, plans may name any lesson."""
    if TABLE not in page and not HOURS.search(page):
        return page
    chosen = heads(notebooks)
    known = heads({name: read_notebook(ROOT / "notebooks" / f"{name}.ipynb") for name in lessons()})
    rows = ["| lesson | read | run | exercises | in all |", "|---|---|---|---|---|"]
    for _, lesson in sorted(chosen.items()):
        link = f"[{lesson['number']} · {lesson['title']}](../notebooks/{lesson['name']}.ipynb)"
        asked = len(Lesson(lesson["name"]).asked)
        read, run = (lesson[time].replace(" ", "\N{NO-BREAK SPACE}") for time in ("read", "run"))
        rows.append(f"| {link} | {read} | {run} | {asked} | {hours([lesson])} |")
    rows.append(f"| all of them | | | | {hours(list(chosen.values()))} |")
    page = page.replace(TABLE, "\n".join(rows))
    page = page.replace("{{ hours all }}", hours(list(chosen.values())))
    return HOURS.sub(lambda token: hours([known[number] for number in token[1].split()]), page)
