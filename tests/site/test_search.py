"""The site's search: what a student would type finds the lesson that teaches it."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
# Written, with the lessons that teach what they ask, by somebody who had not seen the search; and those that it misses.
QUESTIONS = json.loads(Path(__file__).with_name("questions.json").read_text(encoding="utf-8"))

MISSED = {"CUDA out of memory", "number of parameters", "training accuracy high but test accuracy low"}


@pytest.fixture(scope="module")
def search_page(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{address}search.html")
    page.wait_for_function("document.documentElement.classList.contains('ready')")
    yield page
    context.close()


def ask(page, question):
    """The answers to a question: page, section and excerpt each."""
    page.locator(".search-here input").fill(question)
    page.locator(".search-here button").click()
    page.wait_for_function(
        "document.querySelector('#search-results li') || document.querySelector('#search-said').textContent"
    )
    return page.eval_on_selector_all(
        "#search-results li",
        """items => items.map(item => ({
            page: item.querySelector("a").getAttribute("href"), section: item.querySelector("strong").textContent,
            excerpt: item.querySelector("p").textContent, marked: item.querySelectorAll("mark").length,
        }))""",
    )


def lessons_of(answers):
    """The numbers of the lessons among the answers, in their order."""
    found = [answer["page"].rpartition("notebooks/")[2][:2] for answer in answers if "notebooks/" in answer["page"]]
    return [int(number) for number in found if number.isdigit()]


def test_there_are_twenty_questions_at_least():
    assert len({row["query"] for row in QUESTIONS}) - len(MISSED) >= 20


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row["query"], marks=pytest.mark.xfail(strict=True) if row["query"] in MISSED else ())
        for row in QUESTIONS
    ],
)
def test_a_question_finds_its_lesson_among_the_first_three(search_page, row):
    answers = ask(search_page, row["query"])[:3]
    assert set(lessons_of(answers)) & set(row["lessons"]), [(a["page"], a["section"]) for a in answers]


def test_search_finds_a_word_of_a_lesson(search_page):
    assert 2 in lessons_of(ask(search_page, "equivariance"))


def test_answers_are_sections_with_words_and_what_was_looked_for_is_marked(search_page):
    answers = ask(search_page, "receptive field")
    assert len(answers) >= 5
    assert all("#" in answer["page"] and len(answer["excerpt"]) > 20 for answer in answers[:5])
    assert any(answer["marked"] for answer in answers[:5])
    assert not any("import " in answer["excerpt"] for answer in answers)
    search_page.locator("#search-results a").first.click()
    assert search_page.url.partition("#")[2]
    search_page.go_back()


def test_what_is_not_there_is_said(search_page):
    ask(search_page, "xylophone")
    assert search_page.locator("#search-said").inner_text().startswith("Nothing here holds “xylophone”")


def test_a_question_in_the_address_is_answered(search_page, address):
    search_page.goto(f"{address}search.html?q=stride")
    search_page.wait_for_selector("#search-results li")
    assert search_page.locator(".search-here input").input_value() == "stride"


def test_the_dialog_answers_while_one_types_and_needs_no_mouse(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{address}notebooks/02_convolution.html")
    page.wait_for_function("document.documentElement.classList.contains('ready')")
    page.keyboard.press("Control+k")
    page.keyboard.type("dropout")
    page.wait_for_selector("#pst-search-dialog ol.found li a")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/*.html#*")
    context.close()


def test_the_search_works_from_a_disk(browser, site):
    page = browser.new_page()
    page.goto((site / "search.html").as_uri() + "?q=padding")
    page.wait_for_selector("#search-results li")
    page.close()
