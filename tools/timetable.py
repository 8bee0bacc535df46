"""What teaching a lesson takes, from the lessons' own heads: a table, and the hours of some lessons together."""

import re

from tools.cover import HEAD
from tools.mark import Lesson

TABLE = "{{ timetable }}"
HOURS = re.compile(r"\{\{ hours ((?:\d\d ?)+) ?\}\}")


def minutes(text: str) -> float:
    """A time as a head has it, `2.5 min` or `40 s`, in minutes."""
    number, unit = text.split()
    return float(number) / {"min": 1, "s": 60}[unit]


def heads(notebooks: dict) -> dict[str, dict[str, str]]:
    """Number, title, and times of each lesson, by its number of two digits."""
    found = {name: HEAD.match(notebook.cells[0].source) for name, notebook in notebooks.items() if name[:2].isdigit()}
    return {name[:2]: head.groupdict() | {"name": name} for name, head in found.items() if head}


def hours(numbers: list[str], lessons: dict[str, dict[str, str]]) -> str:
    """Reading, running, and exercises as long as reading, to half an hour; of what this book leaves out, nothing."""
    known = [lessons[number] for number in numbers if number in lessons]
    total = sum(2 * minutes(lesson["read"]) + minutes(lesson["run"]) for lesson in known)
    return f"{round(total / 30) / 2:g}\N{NO-BREAK SPACE}h"


def with_timetable(page: str, notebooks: dict) -> str:
    """A page with the tokens of this module replaced."""
    if TABLE not in page and not HOURS.search(page):
        return page
    lessons = heads(notebooks)
    rows = ["| lesson | read | run | exercises | in all |", "|---|---|---|---|---|"]
    for number, lesson in sorted(lessons.items()):
        link = f"[{lesson['number']} · {lesson['title']}](../notebooks/{lesson['name']}.ipynb)"
        asked = len(Lesson(lesson["name"]).asked)
        read, run = (lesson[time].replace(" ", "\N{NO-BREAK SPACE}") for time in ("read", "run"))
        rows.append(f"| {link} | {read} | {run} | {asked} | {hours([number], lessons)} |")
    rows.append(f"| all of them | | | | {hours(list(lessons), lessons)} |")
    page = page.replace(TABLE, "\n".join(rows))
    return HOURS.sub(lambda token: hours(token[1].split(), lessons), page)
