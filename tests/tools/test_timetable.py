"""What the page for instructors says of hours comes from the lessons' own heads."""

import importlib
import re

from course_utils import exercises
from tools.common import ROOT, fill, lessons, read, read_notebook
from tools.timetable import TABLE, heads, minutes, with_timetable

PLANS = fill(read(ROOT / "book" / "instructors.md"))


def notebooks(names):
    return {name: read_notebook(ROOT / "notebooks" / f"{name}.ipynb") for name in names}


def test_the_table_adds_up():
    page = with_timetable(f"{TABLE}\n\n{{{{ hours 02 17 }}}} and {{{{ hours all }}}}", notebooks(lessons()))
    rows = re.findall(r"^\| (?:\[|all).*", page, re.MULTILINE)
    assert len(rows) == len(lessons()) + 1 and all(row.count("|") == 6 for row in rows)
    known = heads(notebooks(lessons()))
    two = sum(2 * minutes(known[n]["read"]) + minutes(known[n]["run"]) for n in ("02", "17"))
    each, whole = page.rpartition("\n")[2].replace("\N{NO-BREAK SPACE}h", "").split(" and ")
    assert abs(float(each) - two / 60) <= 0.25
    assert f"{whole}\N{NO-BREAK SPACE}h |" in rows[-1]


def test_seconds_and_minutes():
    assert minutes("2.5 min") == 2.5 and minutes("30 s") == 0.5


def test_a_book_of_a_part_has_a_table_of_the_part_and_whole_plans():
    page = with_timetable(PLANS, notebooks(lessons()[1:3]))
    assert "{{" not in with_timetable(PLANS, notebooks(lessons())).replace("{{ claim", "").replace("{{ explore", "")
    assert len(re.findall(r"^\| \[\d+ · ", page, re.MULTILINE)) == 2
    assert not re.search(r"\b0\N{NO-BREAK SPACE}h", page) and "{{ hours" not in page


def test_the_exercises_named_for_marks_ask_for_a_function():
    numbers = re.findall(
        r"\d+\.\d+", PLANS[PLANS.index("Which exercises to give marks for") :].partition("Give out")[0]
    )
    for lesson in {number.partition(".")[0] for number in numbers}:
        importlib.import_module(f"course_utils.checks.l{int(lesson):02}")
    asked = {number: exercises._checkers[number].judge.__doc__ for number in numbers}
    assert len(numbers) >= 12 and [number for number, text in asked.items() if not text.startswith("a function")] == []
