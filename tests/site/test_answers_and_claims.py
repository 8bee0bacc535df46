"""What a page folds and what it shows: the answers to its questions, its claims, its agreements."""

import re

import pytest

from tools.build import TELLS


@pytest.fixture
def page(lesson, pages):
    return pages[f"notebooks/{lesson}.html"].select_one("article.bd-article")


def in_sight(cell, kind):
    """The parts of a cell that are seen before a fold is opened."""
    return [part for part in cell.select(kind) if not part.find_parent("details")]


def until_prose(quote):
    """What follows a question, up to the text that explains the answer."""
    for part in quote.find_next_siblings():
        if "cell" not in part.get("class", []):
            return
        yield part


def test_at_most_fifteen_claims(page):
    assert 1 <= len(page.select("div.claim")) <= 15


def test_claims_are_positive_sentences(page):
    said = [claim.find(string=True).strip() for claim in page.select("div.claim")]
    assert not [text for text in said if re.search(r": (True|False)\.$", text)]


def test_claims_keep_their_code_folded(page):
    for cell in page.select("div.cell.tag_claim"):
        assert cell.select("details") and not in_sight(cell, ".cell_input")


def test_no_answer_is_in_sight_of_its_question(page):
    questions = page.select("blockquote.predict")
    assert questions
    for question in questions:
        cells = list(until_prose(question))
        assert cells, f"nothing answers {question.get_text()!r}"
        assert any(cell.select("details .cell_output") for cell in cells), question.get_text()
        for cell in cells:
            assert not in_sight(cell, ".cell_output"), cell.get_text()
            told = [code.get_text() for code in in_sight(cell, ".cell_input") if TELLS.search(code.get_text())]
            assert not told
