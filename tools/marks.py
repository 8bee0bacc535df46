"""The tables of `make mark`: what became of each returned notebook, as CSV and as one page of HTML."""

import csv
import html
import io
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.exercises import SIGNS
from tools.common import lessons

MARKS = {status: sign for status, (sign, _) in SIGNS.items()} | {"missing": "–", "stopped": "!"}
MEANINGS = {
    "right": "right",
    "wrong": "wrong",
    "unattempted": "not attempted",
    "missing": "its check is not in the notebook",
    "stopped": "no verdict: out of time or memory, ended early, or not run; see the remarks",
}


@dataclass
class Returned:
    """One returned notebook, and what became of it."""

    file: Path
    student: str
    lesson: str = ""
    cells: list[dict] = field(default_factory=list)  # of what is run: source, mock, answers to judge afterwards
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)  # exercise -> status and message
    untouched: set[str] = field(default_factory=set)  # exercises whose cell is the book's
    missing: set[str] = field(default_factory=set)  # exercises whose check is not in it
    as_in_book: set[str] = field(default_factory=set)  # exercises answered word for word as the book answers them
    remarks: list[str] = field(default_factory=list)
    output: bytes = b""


def as_csv(found: list[Returned]) -> str:
    """A row for each student, a column for each exercise. What a spreadsheet would take for a formula is text."""
    exercises = [e for lesson in lessons() for e in next((r.verdicts for r in found if r.lesson == lesson), {})]
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["student", *exercises, "right", "of", "remarks"])
    for student, all_returned in by_student(found).items():
        verdicts: dict[str, str] = {}
        for returned in all_returned:
            verdicts |= {exercise: status for exercise, (status, _) in returned.verdicts.items()}
        right = list(verdicts.values()).count("right")
        remarks = "; ".join(f"{r.file.name}: {remark}" for r in all_returned for remark in r.remarks)
        cells = [student, *(verdicts.get(exercise, "") for exercise in exercises), right, len(verdicts), remarks]
        rows.writerow([f"'{c}" if str(c)[:1] in ("=", "+", "-", "@", "\t", "\r") else c for c in cells])
    return file.getvalue()


def by_student(found: list[Returned]) -> dict[str, list[Returned]]:
    """The notebooks of each student. Who returned one lesson twice appears twice, the second time with a number."""
    students: dict[str, list[Returned]] = defaultdict(list)
    for returned in found:
        name, number = returned.student, 1
        while returned.lesson and returned.lesson in {other.lesson for other in students[name]}:
            number += 1
            name = f"{returned.student} ({number})"
        students[name].append(returned)
    return students


def as_html(found: list[Returned], told: str) -> str:
    """The table as a page of its own: signs and colours, with each message behind its sign and in a list below."""
    text, parts = html.escape, []
    for lesson in lessons():
        rows = {s: r for s, all_returned in by_student(found).items() for r in all_returned if r.lesson == lesson}
        if not rows:
            continue
        exercises = next(iter(rows.values())).verdicts
        heads = "".join(f"<th scope=col>{exercise}</th>" for exercise in exercises)
        parts.append(
            f"<h2>{text(lesson)}</h2><table><tr><th scope=col>student</th>{heads}<th scope=col>right</th></tr>"
        )
        for student, returned in rows.items():
            cells, right = "", 0
            for exercise in exercises:
                status, message = returned.verdicts[exercise]
                right += status == "right"
                sign = MARKS[status] + ("=" if exercise in returned.as_in_book and status == "right" else "")
                cells += f'<td class={status} title="{text(message)}">{sign}</td>'
            parts.append(f"<tr><th scope=row>{text(student)}</th>{cells}<td>{right} of {len(exercises)}</td></tr>")
        parts.append("</table>")
        for student, returned in rows.items():
            said = "".join(f"<li><b>{text(remark)}</b></li>" for remark in returned.remarks)
            for exercise, (status, message) in returned.verdicts.items():
                shown = MEANINGS[status] if status == "unattempted" else message
                said += f"<li>{exercise} {MARKS[status]} {text(shown)}</li>"
            summary = f"{text(student)} · {text(returned.file.name)}"
            parts.append(f"<details><summary>{summary}</summary><ul>{said}</ul></details>")
    unread = [returned for returned in found if not returned.verdicts]
    if unread:
        said = "".join(f"<li>{text(str(r.file))}: {text('; '.join(r.remarks))}</li>" for r in unread)
        parts.append(f"<h2>Not marked</h2><ul>{said}</ul>")
    legend = "".join(f"<li>{MARKS[status]} {text(meaning)}</li>" for status, meaning in MEANINGS.items())
    legend += (
        "<li>✓= right, and its code is the book's, comments and spacing aside (not looked for in answers of one or two "
        "lines)</li>"
    )
    return PAGE.format(legend=legend, told=text(told), parts="\n".join(parts))


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Marks</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }}
  table {{ border-collapse: collapse; display: block; overflow-x: auto; margin-bottom: .5rem }}
  th, td {{ border: 1px solid #ccc; padding: .2rem .6rem; text-align: center; white-space: nowrap }}
  th[scope=row] {{ text-align: left }}
  .right {{ background: #d5f0e6 }} .wrong {{ background: #fbe3d3 }} .stopped {{ background: #f5d6e6 }}
  details {{ margin: .2rem 0 }} li {{ overflow-wrap: anywhere }}
</style>
<h1>Marks</h1>
<p>{told}</p>
<ul>{legend}</ul>
{parts}
</html>
"""
