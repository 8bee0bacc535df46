"""The claims of the lessons, and the page that lists them all."""

from copy import copy

from tools.claims_page import MARKS, shorten
from tools.common import lessons


def claims_of(lesson, pages):
    return pages[f"notebooks/{lesson}.html"].select("div.claim")


def words(element):
    """The text, with plain quotation marks: Sphinx curls those of a page, but not those of a cell's output."""
    return " ".join(element.get_text().translate(str.maketrans("‘’“”", "''\"\"")).split())


def sentence(claim):
    """The sentence without the small print below it."""
    claim = copy(claim)
    for small in claim.select("small"):
        small.decompose()
    return words(claim)


def test_a_lesson_makes_claims_numbered_from_one(lesson, pages):
    ids = [claim["data-id"] for claim in claims_of(lesson, pages)]
    assert ids
    assert ids == [f"{lesson[:2]}-{number:02}" for number in range(1, len(ids) + 1)]


def test_no_claim_is_missed(lesson, pages):
    claims = claims_of(lesson, pages)
    assert not [sentence(claim) for claim in claims if claim["data-status"] not in ("checked", "skipped")]


def test_the_claims_page_lists_every_agreement(pages):
    listed = [words(row.select_one("td")) for row in pages["book/claims.html"].select("tr:has(td)")]
    shown = [
        each["data-id"] for lesson in lessons() for each in pages[f"notebooks/{lesson}.html"].select("div.agreement")
    ]
    assert [number for number in listed if "-a" in number] == shown != []


def test_the_claims_page_lists_every_claim(pages):
    shown = [claim for lesson in lessons() for claim in claims_of(lesson, pages)]
    rows = [[words(cell) for cell in row.select("td")] for row in pages["book/claims.html"].select("tr:has(td)")]
    assert [row for row in rows if "-a" not in row[0]] == [
        [c["data-id"], sentence(c), shorten(c["data-value"]), MARKS[c["data-status"]], c["data-copy"] or "–"]
        for c in shown
    ]
