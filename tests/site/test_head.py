"""What a page says of itself to search engines, chats and browsers, and what stands beside the pages."""

import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.checkout import site_extension
from tools.common import ROOT, lessons, read, tokens

BASE = "https://{}.github.io/{}/".format(*tokens()["repository"].split("/"))


@pytest.fixture(scope="module")
def extension():
    return site_extension()


def meta(page, name):
    found = page.select(f'meta[name="{name}"], meta[property="{name}"]')
    assert len(found) == 1, (name, found)
    return found[0]["content"]


def test_titles_and_descriptions_differ_from_page_to_page(pages):
    shown = {name: page for name, page in pages.items() if name not in ("search.html", "404.html")}
    titles = [page.title.get_text() for page in shown.values()]
    told = [meta(page, "description") for page in shown.values()]
    assert len(set(titles)) == len(titles) and len(set(told)) == len(told)
    assert all(tokens()["title"] in title for title in titles)
    assert all(20 <= len(text) <= 205 for text in told)
    cover = pages["book/index.html"].title.get_text()
    assert cover == f"{tokens()['title']}: convolutional networks in PyTorch"


def test_a_lesson_describes_itself_by_its_question(lesson, pages):
    page = pages[f"notebooks/{lesson}.html"]
    question = " ".join(page.select_one("h1 ~ p > em").get_text().split())
    assert meta(page, "description") == question == meta(page, "og:description")


def test_every_page_has_one_canonical_address_one_viewport_and_a_card(pages, site):
    for name, page in pages.items():
        assert [link["href"] for link in page.select("link[rel=canonical]")] == [BASE + name]
        assert meta(page, "og:url") == BASE + name
        assert "initial-scale=1" in meta(page, "viewport")
        card = meta(page, "og:image")
        assert card.startswith(BASE) and Image.open(site / card.removeprefix(BASE)).size == (1200, 630)
        assert len(meta(page, "og:image:alt").split()) > 2


def test_each_lesson_has_a_card_and_a_picture_of_its_own(site):
    cards = [(site / f"_static/cards/{name[:2]}-card.png").read_bytes() for name in lessons()]
    assert len(set(cards)) == len(cards) and max(map(len, cards)) < 60_000
    pictures = [Image.open(site / f"_static/cards/{name[:2]}.png") for name in lessons()]
    assert {picture.size for picture in pictures} == {(48, 24)}
    assert all(len(picture.convert("RGB").getcolors()) > 2 for picture in pictures)


def test_icons(pages, site):
    for page in pages.values():
        assert page.select_one("link[rel=icon]")["href"].endswith("mark.svg")
        assert page.select_one("link[rel=apple-touch-icon]")["href"].endswith("touch.png")
    assert Image.open(site / "_static/touch.png").size == (180, 180)


def test_the_list_of_pages_for_search_engines(site, pages):
    places = [place.text for place in ElementTree.parse(site / "sitemap.xml").iterfind(".//{*}loc")]
    assert places == sorted(BASE + name for name in pages if name not in ("search.html", "404.html"))


def test_a_wrong_address_gets_a_page_that_works_wherever_it_is_shown(browser, address):
    page = browser.new_page()
    failed = []
    page.on("response", lambda answer: answer.status >= 400 and failed.append(answer.url))
    page.goto(f"{address}no/such/deep/page.html")
    assert page.locator("h1").inner_text() == "No such page"
    page.wait_for_function("document.documentElement.classList.contains('ready')")
    assert failed == [f"{address}no/such/deep/page.html"]
    page.get_by_role("link", name="the cover").click()
    assert page.locator("h1").first.inner_text().startswith(tokens()["title"])
    page.close()


@pytest.mark.parametrize(
    ("repository", "given", "base"),
    [
        ("https://github.com/Owner/my-course", None, "https://owner.github.io/my-course/"),
        ("https://github.com/owner/owner.github.io", None, "https://owner.github.io/"),
        ("https://gitlab.com/owner/course", None, ""),
        ("https://github.com/owner/course", "https://course.example/book", "https://course.example/book/"),
        ("https://github.com/owner/course", "https://course.example/", "https://course.example/"),
        ("https://github.com/owner/course", "", ""),
        ("", None, ""),
    ],
)
def test_where_the_site_will_stand(extension, monkeypatch, repository, given, base):
    monkeypatch.delenv("BASE_URL", raising=False)
    if given is not None:
        monkeypatch.setenv("BASE_URL", given)
    assert extension.base_address(repository) == base


def test_without_an_address_there_is_no_page_for_wrong_ones(extension, monkeypatch):
    config = SimpleNamespace(html_theme_options={"repository_url": "https://github.com/a/b"}, html_additional_pages={})
    monkeypatch.setenv("BASE_URL", "")
    extension.add_missing_page(None, config)
    assert config.html_additional_pages == {}
    monkeypatch.delenv("BASE_URL")
    extension.add_missing_page(None, config)
    assert config.html_additional_pages == {"404": "missing.html"}


def test_the_foot_says_who_which_licence_which_version_and_when_it_ran(pages):
    known = tokens()
    for name, page in pages.items():
        foot = " ".join(page.select_one(".bd-footer-content").get_text().split())
        assert f"{known['title']} {known['version']}, by {known['author']}." in foot, name
        assert "MIT licence" in foot and "CC BY 4.0" in foot
        said = "This lesson was" if name.startswith("notebooks/") else "The lessons were"
        assert re.search(rf"{said} run on \d{{4}}-\d\d-\d\d(?: to \d{{4}}-\d\d-\d\d)?, on .+ data\.", foot), foot


def test_the_search_index_holds_every_page_and_is_no_more_than_needed(site, pages):
    script = (site / "_static/sections.js").read_text(encoding="utf-8")
    listed = json.loads(script.removeprefix("courseSections(").rstrip().removesuffix(")"))
    assert {name for name, _, _ in listed} == {name for name in pages if name not in ("search.html", "404.html")}
    anchors = {name: {element["id"] for element in page.select("[id]")} for name, page in pages.items()}
    assert not [(name, anchor) for name, _, parts in listed for _, anchor, _, _ in parts if anchor not in anchors[name]]
    assert 200_000 < len(script) < 900_000
    assert ">>>" not in script and "@title" not in script


def test_a_lesson_without_a_picture_is_found_before_the_build_is():
    drawn = set(re.findall(r'"(\d\d)": \w+', read(ROOT / "book" / "_ext" / "cards.py")))
    assert drawn == {name[:2] for name in lessons()}
