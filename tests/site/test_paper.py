"""The site on paper, printed by a real browser."""

import io
import re

import pytest
from pypdf import PdfReader

from tools import print_book
from tools.common import lessons, tokens

pytestmark = pytest.mark.browser
CUT = """() => [...document.querySelectorAll("article :is(pre, code, p, td, .output)")]
    .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline")
    .map(e => e.textContent.slice(0, 80))"""


@pytest.fixture
def sheet(browser, address):
    """A page of the site, dark on the screen, as wide as a sheet of A4."""
    context = browser.new_context(color_scheme="dark", viewport={"width": 680, "height": 900})
    yield context.new_page()
    context.close()


def test_a_lesson_has_twenty_pages_at_most_and_its_solutions_come_last_on_pages_of_their_own(
    sheet, address, lesson_page
):
    sheet.goto(address + lesson_page)
    texts = [page.extract_text() for page in print_book.printed(sheet).pages]
    assert 5 < len(texts) <= 20
    [first] = [number for number, text in enumerate(texts) if text.lstrip().startswith("Solutions")]
    assert "Further reading" in "".join(texts[:first])
    solutions = sheet.locator("section.exercise details.hide").count()
    assert "".join(texts[first:]).count("Solution ") >= solutions > 3
    assert not re.search(r"^Solution \d", "\n".join(texts[:first]), re.MULTILINE)
    for furniture in ("Show what happens", "Your guess", "Open in Colab", "How this is checked", "previous"):
        assert furniture not in "".join(texts), furniture


def test_on_paper_no_line_is_cut_and_all_is_dark_on_white(sheet, address, lesson_page):
    sheet.goto(address + lesson_page)
    sheet.emulate_media(media="print", color_scheme="dark")
    sheet.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert sheet.evaluate(CUT) == []
    colours = (
        "[...document.querySelectorAll('article :is(p, pre, pre span, h2, code)')].map(e => getComputedStyle(e).color)"
    )
    brightest = max(max(map(float, text.strip("rgba()").split(",")[:3])) for text in set(sheet.evaluate(colours)))
    assert brightest < 160
    assert sheet.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    sheet.evaluate("dispatchEvent(new Event('afterprint'))")
    assert sheet.locator(".solutions-on-paper").count() == 0


@pytest.mark.slow
def test_the_book_is_one_pdf_with_contents_numbers_and_links_that_lead_inside(browser, address):
    names = ["book/index.html", "book/start.html", "notebooks/02_convolution.html"]
    book = print_book.bind(browser, address, "A title", names)
    file = io.BytesIO()
    book.write(file)
    reader = PdfReader(file)
    contents = reader.pages[0].extract_text()
    assert "A title" in contents and "2 · Convolution by hand" in contents
    starts = {entry.title: reader.get_destination_page_number(entry) for entry in reader.outline}
    lesson = starts["2 · Convolution by hand"]
    assert list(starts) == [tokens()["title"], "Start here", "2 · Convolution by hand"]
    assert reader.pages[lesson].extract_text().lstrip().startswith("2 · Convolution by hand")
    assert all(page.extract_text().rstrip().endswith(str(number)) for number, page in enumerate(reader.pages, 1))
    goals = [link.get_object() for page in reader.pages for link in page.get("/Annots") or []]
    inside = [link["/Dest"][0].get_object() for link in goals if "/Dest" in link]
    assert reader.pages[lesson].get_object() in inside
    assert len(inside) > 5 and not [goal for goal in goals if isinstance(goal.get("/Dest"), str)]
    left = [str(link["/A"].get("/URI", "")) for link in goals if "/A" in link]
    assert not [url for url in left if url.startswith(address) and url.removeprefix(address).split("#")[0] in names]


def test_links_of_the_pdf_to_pages_that_are_not_in_it_lead_to_no_server_of_ours(browser, address):
    book = print_book.bind(browser, address, "A title", ["book/start.html"])
    links = [link.get_object() for page in book.pages for link in page.get("/Annots") or []]
    assert not [link for link in links if "127.0.0.1" in str(link.get("/A", {}).get("/URI", ""))]


def test_without_a_site_and_without_a_browser_it_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="There is no site yet: run `make book`"):
        print_book.main(tmp_path)
    (tmp_path / "index.html").touch()
    monkeypatch.setattr(print_book, "find_browser", lambda: None)
    with pytest.raises(SystemExit, match="apt install chromium.*then run make pdf again"):
        print_book.main(tmp_path)


def test_the_book_holds_every_page_of_the_contents():
    pages = print_book.pages_in_order()
    assert [f"notebooks/{name}.html" for name in lessons()] == [name for name in pages if name[10:12].isdigit()]
    assert pages[0] == "book/index.html" and len(pages) == len(set(pages)) > 25
