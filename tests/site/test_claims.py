"""The claims of the lessons, and the page that lists them all."""

from copy import copy

import pytest

from tools.claims_page import MARKS, shown_value
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


def rows_of(pages, *statuses):
    rows = pages["book/claims.html"].select("ul.claim-list > li")
    return [row for row in rows if row["data-status"] in statuses]


def test_the_claims_page_lists_every_agreement(pages):
    shown = [
        each["data-id"] for lesson in lessons() for each in pages[f"notebooks/{lesson}.html"].select("div.agreement")
    ]
    assert [row.a.get_text() for row in rows_of(pages, "agreement")] == shown != []


def test_the_claims_page_lists_every_claim(pages):
    listed = [[row.a.get_text(), words(row.p), row["data-status"], words(row.small)] for row in rows_of(pages, *MARKS)]
    assert listed == [
        [
            claim["data-id"],
            sentence(claim),
            claim["data-status"],
            " · ".join(
                filter(None, [MARKS[claim["data-status"]], shown_value(claim["data-value"]), claim["data-copy"]])
            ),
        ]
        for lesson in lessons()
        for claim in claims_of(lesson, pages)
    ]


def test_the_summary_adds_up(pages):
    table = [[words(cell) for cell in row.select("td")] for row in pages["book/claims.html"].select(".summary tr")]
    *rows, total = [row for row in table if row]
    assert [int(row[0]) for row in rows] == [int(name[:2]) for name in lessons()]
    columns = list(zip(*[map(int, row[1:]) for row in rows], strict=True))
    assert list(map(int, total[1:])) == [sum(column) for column in columns]
    claims, *states, agreements = map(int, total[1:])
    assert claims == sum(states) == len(rows_of(pages, *MARKS)) and agreements == len(rows_of(pages, "agreement"))


def test_numbers_are_shown_as_one_writes_them():
    values = ["0.12345678", "-0.25", "8.32e-17", "1e-12", "-3e+20", "61706", "1e6", "abc"]
    shown = ["0.123457", "−0.25", "8.32·10⁻¹⁷", "10⁻¹²", "−3·10²⁰", "61706", "10⁶", "abc"]
    assert [shown_value(value) for value in values] == shown


@pytest.mark.browser
def test_the_claims_page_can_be_filtered_and_each_row_has_an_address(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{address}book/claims.html#claim-02-03")
    row = page.locator("#claim-02-03")
    assert row.is_visible() and 0 <= row.bounding_box()["y"] < 844
    rows = page.locator("ul.claim-list > li:visible")
    everything = rows.count()
    page.get_by_label("Lesson").select_option("02")
    assert {number[:2] for number in page.locator("ul.claim-list > li:visible > a").all_inner_texts()} == {"02"}
    of_lesson = rows.count()
    page.get_by_label("Show").select_option("agreement")
    assert 0 < rows.count() < of_lesson < everything
    assert page.get_by_role("status").inner_text() == f"{rows.count()} of {everything} are shown."
    assert page.locator("article h2:visible").count() == 1
    page.get_by_label("Lesson").select_option("")
    page.get_by_label("Show").select_option("")
    assert rows.count() == everything
    context.close()
