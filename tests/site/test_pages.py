"""What every page of the built site must have, and every lesson's page besides."""

import re

from tools.common import ROOT, lessons, manuscripts, read, tokens

LESSONS = lessons()
PAGES_WITHOUT_SOURCE = {"book/claims.html", "search.html", "404.html"}


def article(page):
    return page.select_one("article.bd-article")


def test_every_lesson_has_a_page(pages):
    built = [name for name in pages if name.startswith("notebooks/")]
    assert built == [f"notebooks/{name}.html" for name in manuscripts()]


def test_every_page_has_a_title_and_one_heading(pages):
    for name, page in pages.items():
        assert page.title.get_text(strip=True), name
        assert len(page.select("main h1:not(.onlyprint h1)")) == 1, name


def test_every_page_is_in_english(pages):
    assert {page.html.get("lang") for page in pages.values()} == {"en"}


def test_a_lesson_opens_with_one_row_of_facts_and_ways_to_open_it(lesson, pages):
    known, page = tokens(), pages[f"notebooks/{lesson}.html"]
    path = f"notebooks/{lesson}.ipynb"
    assert (ROOT / path).is_file()
    [facts] = page.select("div.facts")
    assert re.match(r"Read \d+ min · Run .+ · Before this .+", " ".join(facts.p.get_text().split()))
    assert {link.get_text(): link["href"] for link in facts.select("nav.launch a")} == {
        "Open in Colab": f"https://colab.research.google.com/github/{known['repository']}/blob/{known['tag']}/{path}",
        "Binder": f"https://mybinder.org/v2/gh/{known['repository']}/{known['tag']}?urlpath=lab/tree/{path}",
        "Cloud Studio": f"https://cloudstudio.net/#{known['url']}.git",
        "Download .ipynb": f"../_sources/{path}",
    }
    assert [link.get_text() for link in facts.select("nav.launch > a")] == ["Open in Colab"]
    assert facts.select_one("details > summary").get_text() == "More"
    assert not page.select(".dropdown-launch-buttons, .dropdown-download-buttons")


def test_the_download_is_the_stripped_notebook(lesson, site):
    download = site / "_sources" / "notebooks" / f"{lesson}.ipynb"
    assert download.read_bytes() == (ROOT / "notebooks" / f"{lesson}.ipynb").read_bytes()


def test_edit_buttons_open_sources_that_exist(pages):
    start = f"{tokens()['url']}/edit/main/"
    for name, page in pages.items():
        edit = [link["href"] for link in page.select("a.btn-source-edit-button")]
        if name in PAGES_WITHOUT_SOURCE:
            assert not edit, name
            continue
        source = name.replace("notebooks/", "book/").replace(".html", ".py" if "notebooks/" in name else ".md")
        assert edit == [start + source], name
        assert (ROOT / source).is_file(), name


def test_a_lesson_says_when_and_on_what_it_ran(lesson, pages):
    [note] = pages[f"notebooks/{lesson}.html"].select("div.executed")
    assert re.fullmatch(r"Run on \d{4}-\d\d-\d\d with .+, data: .+\.", note.get_text(strip=True))


def test_a_lesson_on_the_sample_says_so(lesson, pages):
    page = article(pages[f"notebooks/{lesson}.html"])
    on_sample = "(sample)" in page.select_one("div.executed").get_text()
    assert ("Sample data." in page.get_text()) == on_sample


def test_a_lesson_has_figures(lesson, pages):
    assert article(pages[f"notebooks/{lesson}.html"]).select("img")


def test_every_picture_is_described_by_a_sentence(pages):
    problems = []
    for name, page in pages.items():
        for picture in page.select("article.bd-article img"):
            text = picture.get("alt", "")
            file_name = re.search(r"[0-9a-f]{16}|\.(png|svg|jpe?g)\b", text)
            if len(text.split()) < 5 or text[-1] not in ".?!" or file_name:
                problems.append((name, picture["src"], text))
    assert not problems


def test_the_cover_has_a_card_for_every_lesson(pages):
    cards = pages["book/index.html"].select("ul.cards > li > a")
    assert [card["href"] for card in cards] == [f"../notebooks/{name}.html" for name in LESSONS]
    assert re.findall(r"^ +- file: notebooks/(\w+)$", read(ROOT / "_toc.yml"), re.MULTILINE) == manuscripts()
    for lesson, card in zip(LESSONS, cards, strict=True):
        page = article(pages[f"notebooks/{lesson}.html"])
        question = page.select_one("h1 ~ p > em").get_text()
        assert plain(card.em.get_text()) == plain(question)
        assert page.h1.get_text().startswith(f"{card.select_one('.number').get_text()} · {card.strong.get_text()[:5]}")
        read_time = re.search(r"Read (\d+ min)", page.select_one("div.facts").get_text())[1]
        assert card.small.get_text().startswith(f"read {read_time} · run ")
        assert card.img["src"] == f"../_static/cards/{lesson[:2]}.png"


def plain(text):
    """Text with straight quotation marks and single spaces."""
    return " ".join(text.translate(str.maketrans("‘’“”", "''\"\"")).split())


def test_titles_of_lessons_begin_with_their_numbers(pages):
    for lesson in LESSONS:
        heading = pages[f"notebooks/{lesson}.html"].h1.get_text()
        assert heading.startswith(f"{int(lesson[:2])} · "), heading


def test_the_api_page_has_every_module(pages):
    modules = {file.stem for file in (ROOT / "course_utils").glob("[a-z]*.py")}
    shown = {tag["id"].split(".")[1] for tag in pages["book/package.html"].select('[id^="module-course_utils."]')}
    assert shown == modules


def test_the_glossary_is_in_order(pages):
    terms = [term["id"] for term in pages["book/glossary.html"].select("dl.glossary > dt")]
    assert len(terms) >= 50 and terms == sorted(terms, key=str.lower)


def test_start_here_explains_every_environment_variable():
    code = [*(ROOT / "course_utils").rglob("*.py"), ROOT / "tools" / "setup_cell.py"]
    used = {name for file in code for name in re.findall(r"COURSE_[A-Z_]+", read(file))}
    explained = set(re.findall(r"^\| `(COURSE_\w+)`", read(ROOT / "book" / "start.md"), re.MULTILINE))
    assert explained == used


def test_no_token_is_left_unfilled(pages):
    for name, page in pages.items():
        words = [
            text for text in page.select_one("main").find_all(string=True) if not text.find_parent(["code", "pre"])
        ]
        assert "{{" not in "".join(words), name
