"""All explorers: one family, small, self-contained, readable everywhere; and what `explore` makes of them."""

import json
import os
import random
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import course_utils
from course_utils._files import PACKAGE
from course_utils.explorers import explore, frame

PAGES = {file.stem: file.read_text(encoding="utf-8") for file in sorted((PACKAGE / "widgets").glob("*.html"))}
SIZES = {"digit": 60_000}  # bytes at most, where it is not 25,000


def between(start, end, page):
    return page.split(start, 1)[1].split(end, 1)[0]


def test_there_are_five():
    assert list(PAGES) == ["convolution", "digit", "kernels", "shapes", "twelve-parameters"]


@pytest.mark.parametrize("name", PAGES)
def test_it_is_small_and_asks_for_nothing_else(name):
    page = PAGES[name]
    assert len(page.encode()) <= SIZES.get(name, 25_000)
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|href)=|@import|\bfetch\(|XMLHttpRequest|import\(", page)


def parts(page):
    """What an explorer shares with others, by the comment that begins it: of its style and of its script."""
    starts = re.compile(r"^(/\* The \w+|// The \w+(?=:)|/\* Its own|// Its own)", re.MULTILINE)
    style, script = between("<style>", "</style>", page), page.rsplit("<script>", 1)[1]
    found = {}
    for text in (style, script):
        _, *pieces = starts.split(text)
        found |= dict(zip(pieces[::2], pieces[1::2], strict=True))
    return {start: piece for start, piece in found.items() if "Its own" not in start}


def test_what_explorers_share_is_the_same_in_all_that_have_it():
    shared = {}
    for name, page in PAGES.items():
        for start, piece in parts(page).items():
            shared.setdefault(start, {})[name] = piece
    typing = ["convolution", "kernels", "twelve-parameters"]
    assert {start: list(pieces) for start, pieces in shared.items()} == {
        "/* The family": list(PAGES),
        "/* The brush": ["digit", "kernels"],
        "// The family": list(PAGES),
        "// The cells": typing,
        "// The lines": ["shapes", "twelve-parameters"],
        "// The sliders": ["digit", "shapes"],
        "// The brush": ["digit", "kernels"],
    }
    for start, pieces in shared.items():
        assert len(set(pieces.values())) == 1, start


@pytest.mark.parametrize("name", PAGES)
def test_colours_are_those_of_the_book(name):
    style = between("<style>", "</style>", PAGES[name])
    own = style.split("/* Its own */")[1]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?![-\w])", re.sub(r"#[\w-]+\s*[.{:,)]", "", own)), (
        "a colour that is no variable"
    )


# In Python


def page_in(html):
    """The page that a frame holds, and the options in it, as text."""
    page = BeautifulSoup(html, "html.parser").iframe["srcdoc"]
    return page, BeautifulSoup(page, "html.parser").find(id="options").string


def test_explore_shows_a_frame_and_elsewhere_a_line_of_text(capsys):
    assert explore("convolution", stride=2) is None
    assert capsys.readouterr().out == '<The explorer "A kernel walks over an image": open this notebook in a browser>\n'
    assert course_utils.explore is explore


def test_a_frame_holds_the_page_and_the_options():
    html = frame("shapes", size=30, layers=[{"kind": "conv"}])
    page, options = page_in(html)
    assert json.loads(options) == {"size": 30, "layers": [{"kind": "conv"}]}
    assert page.replace(options, "{}") == PAGES["shapes"]
    assert BeautifulSoup(html, "html.parser").iframe["title"] == "What size comes out of each layer?"


def test_no_option_can_end_the_script():
    _, options = page_in(frame("convolution", image="</script><p>"))
    assert "</script>" not in options and json.loads(options) == {"image": "</script><p>"}


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("pooling", {}, ValueError),
        (None, {}, TypeError),
        ("shapes", {"stride": 1}, ValueError),
        ("shapes", {"size": 99}, ValueError),
        ("shapes", {"size": True}, ValueError),
        ("convolution", {"image": float("nan")}, TypeError),
        ("convolution", {"image": object()}, TypeError),
    ],
)
def test_wrong_arguments_are_refused(name, options, error):
    with pytest.raises(error, match="must be"):
        explore(name, **options)


# In a browser


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_what_it_shows_can_be_handed_on(name, show):
    """By the options that it gives: in the address of the page Explorers, or to a colleague."""
    explorer, draw = show(name), random.Random(0)
    choices = json.loads(between('id="choices" type="application/json">', "</script>", PAGES[name]))
    for _ in range(20):
        given = {option: draw.choice(values) for option, values in choices.items() if values and draw.random() < 0.5}
        said = explorer.evaluate(
            """given => {
          const all = () => [explorer.get(), document.querySelector('main').textContent]
          explorer.set(given)
          const first = all()
          explorer.set(JSON.parse(JSON.stringify(first[0])))
          return [first, all()]
        }""",
            given,
        )
        assert said[0] == said[1]


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_an_unknown_option_gets_a_sentence(name, show):
    explorer = show(name)
    explorer.evaluate("explorer.set({ colour: 'red' })")
    assert "There is no option colour" in explorer.locator("#say").inner_text()
    assert explorer.evaluate("explorer.get()") == {}


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 320])
def test_it_fits_on_a_phone(name, width, show):
    explorer = show(name, width=width)
    assert explorer.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert explorer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_its_frame_is_as_high_as_its_page_and_has_nearly_that_height_before(name, show):
    explorer = show(name)
    explorer.page.wait_for_timeout(100)
    assert explorer.evaluate("document.documentElement.scrollHeight <= innerHeight")
    told = int(re.search(r"height: (\d+)px", frame(name))[1])
    assert abs(explorer.evaluate("document.documentElement.offsetHeight") - told) < 30


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_no_barrier_that_axe_can_find(name, colours, show):
    axe = os.environ.get("AXE_JS")
    if not axe:
        pytest.skip("AXE_JS does not name axe-core's axe.min.js")
    explorer = show(name, width=390, colours=colours)
    assert explorer.evaluate("document.documentElement.dataset.theme") == colours
    for fold in explorer.query_selector_all("details:not([open]) > summary"):
        fold.click()
    explorer.add_script_tag(content=Path(axe).read_text(encoding="utf-8"))
    found = explorer.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert [(rule["id"], [node["html"][:150] for node in rule["nodes"]]) for rule in found["violations"]] == []


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_colours_follow_the_page_around_it(name, show):
    explorer = show(name)
    for attribute, value, theme in [
        ("theme", "dark", "dark"),
        ("theme", "light", "light"),
        ("data-theme", "dark", "dark"),
    ]:
        explorer.page.evaluate(
            """([name, value]) => { const page = document.documentElement
          page.removeAttribute('data-theme'); page.removeAttribute('theme'); page.setAttribute(name, value) }""",
            [attribute, value],
        )
        explorer.wait_for_function(
            "theme => document.documentElement.dataset.theme === theme", arg=theme, timeout=2_000
        )


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_there_is_a_picture_and_a_sentence(name, browser):
    page = browser.new_page(java_script_enabled=False)
    page.set_content(PAGES[name])
    assert page.locator("noscript svg[aria-label]").is_visible()
    assert "needs scripts, which are off here" in page.locator("noscript p").inner_text()
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "press", "then"),
    [
        ("shapes", "Add conv", "#layers button"),
        ("shapes", "Remove this layer", "#layers button"),
        ("digit", "Draw your own", "#picture"),
        ("kernels", "Clear", "#picture"),
        ("twelve-parameters", "Show all", "button"),
        ("twelve-parameters", "Backwards", "#next"),
    ],
)
def test_whoever_presses_a_button_is_not_lost(name, press, then, show):
    """The focus stays where one can go on from."""
    options = {"kernels": {"picture": "drawing"}, "twelve-parameters": {"step": 6}}
    explorer = show(name, **options.get(name, {}))
    explorer.get_by_text(press).focus()
    explorer.page.keyboard.press("Enter")
    assert explorer.evaluate("then => document.activeElement.matches(then)", then)
