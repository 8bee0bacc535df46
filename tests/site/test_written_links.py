"""Links that nobody wrote: the site finds what a page mentions, and links it."""

import re
import tomllib
from copy import copy

import pytest

from tools.common import ROOT, lessons, read

PAGES_OF_PROSE = "p, li, dd, td, div.claim, div.agreement, div.figure-title"


@pytest.fixture
def page(lesson, pages):
    return pages[f"notebooks/{lesson}.html"].select_one("article.bd-article")


def bare(element):
    """The text of an element without its links, code and formulas."""
    element = copy(element)
    for part in element.select("a, code, .math, .preview, pre, script, style, iframe"):
        part.replace_with(" ▢ ")
    return " ".join(element.get_text().split())


def test_no_lesson_is_mentioned_without_a_link(pages):
    known, found = [int(name[:2]) for name in lessons()], []
    for name, page in pages.items():
        own = int(name[10:12]) if re.match(r"notebooks/\d\d", name) else None
        for element in page.select("article.bd-article " + PAGES_OF_PROSE.replace(", ", ", article.bd-article ")):
            for mention in re.finditer(r"\b[Ll]essons? (\d+)", bare(element)):
                if int(mention[1]) in known and int(mention[1]) != own:
                    found.append((name, bare(element)[:120]))
    assert not found


def test_links_to_lessons_lead_to_the_lesson_that_they_name(pages):
    checked = 0
    for name, page in pages.items():
        for link in page.select("article.bd-article a"):
            if mention := re.fullmatch(r"[Ll]essons? (\d+)", link.get_text()):
                assert re.search(rf"(^|/){int(mention[1]):02}_\w+\.html(#|$)", link["href"]), (name, link)
                checked += 1
    assert checked > 100


def test_no_claim_and_no_paper_is_mentioned_without_a_link(pages):
    for name, page in pages.items():
        if name == "book/claims.html":
            continue
        for element in page.select("article.bd-article " + PAGES_OF_PROSE.replace(", ", ", article.bd-article ")):
            assert not re.search(r"\b[Cc]laim \d\d-\d\d|arXiv[: ]\d{4}\.\d+", bare(element)), (
                name,
                bare(element)[:200],
            )


def test_claims_lead_to_their_lessons_and_back(lesson, page, pages):
    listed = pages["book/claims.html"]
    for claim in page.select("div.claim"):
        number = claim["data-id"]
        assert claim["id"] == f"claim-{number}"
        [link] = claim.select("small a")
        assert link["href"] == f"../book/claims.html#claim-{number}"
        back = listed.select_one(f"li#claim-{number} > a")
        assert back["href"] == f"../notebooks/{lesson}.html#claim-{number}"


def test_terms_of_the_glossary_are_linked_once_with_what_they_mean(page, pages):
    known = {term["id"] for term in pages["book/glossary.html"].select("dl.glossary dt")}
    terms = page.select("span.term")
    goals = [link["href"].partition("#")[2] for link in page.select("span.term > a")]
    assert len(terms) >= 5
    assert len(goals) == len(set(goals)) and set(goals) <= known
    for term in terms:
        preview = term.select_one("[role=tooltip]")
        assert term.a["aria-describedby"] == preview["id"] and len(preview.get_text().split()) > 3


def test_no_term_of_the_glossary_is_left_unlinked(page, pages):
    """Each term that stands in the lesson's running text is linked once."""
    linked = {link["href"].partition("#")[2] for link in page.select("span.term > a")}
    aims = ("What you will be able to do", "What you can do now", "Further reading")
    texts = [
        " ".join(text.lower().split())
        for paragraph in page.select("section > p")
        if not paragraph.find_parent("section").select_one("h1, h2, h3").get_text().startswith(aims)
        for text in paragraph.find_all(string=True)
        if not text.find_parent(["a", "code", "span"])
    ]
    left = [
        words(term)
        for term in pages["book/glossary.html"].select("dl.glossary > dt")
        if term["id"] not in linked and any(re.search(rf"\b{re.escape(words(term).lower())}\b", text) for text in texts)
    ]
    assert not left


def words(term):
    return term.find(string=True).strip()


def test_names_of_the_package_are_linked(page):
    """Where a section uses a function that the package exports, its first mention leads to what the API says of it."""
    import course_utils

    names = set(course_utils._HOME)
    for section in page.select("section"):
        for code in section.find_all("code", recursive=False) + section.select(":scope > p code, :scope > ul code"):
            name = re.match(r"\w*", code.get_text())[0]
            if (
                name in names
                and re.fullmatch(r"\w+(\(.*)?", code.get_text())
                and not code.find_parent(["a", "h2", "h3"])
            ):
                linked = section.select("a > code")
                assert any(re.match(rf"{name}\b", other.get_text()) for other in linked), (section["id"], name)


def test_papers_to_read_have_an_address(lesson, page):
    [further] = [s for s in page.select("section") if s.h2 and s.h2.get_text().startswith("Further reading")]
    items = further.select("li")
    assert items and not [item.get_text() for item in items if not item.select("a")]


def test_exercises_lead_back_to_what_they_need(lesson, page):
    exercises = page.select("section.exercise")
    assert exercises
    for exercise in exercises:
        links = exercise.select("p.look-back a")
        assert links or lesson.startswith("17_"), exercise.h3.get_text()
        for link in links:
            goal = page.select_one(link["href"])
            assert goal.name == "section" and "exercise" not in goal.get("class", [])


def test_look_back_has_no_line_for_an_exercise_that_is_gone():
    listed = list(tomllib.loads(read(ROOT / "course_utils" / "checks" / "steps.toml")))
    there = [
        number
        for name in lessons()
        for number in re.findall(r"^# ### Exercise (\d+\.\d+)", read(ROOT / "book" / f"{name}.py"), re.MULTILINE)
    ]
    assert sorted(listed) == sorted(there)
