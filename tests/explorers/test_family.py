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


@pytest.mark.parametrize(
    ("start", "end", "members"),
    [
        ("/* The family", "/*", PAGES),
        ("/* The brush", "/*", ["digit", "kernels"]),
        ("// The family", "\n// The sliders", ["digit", "shapes"]),
        ("// The family", "\n// Its own", ["convolution", "twelve-parameters"]),
        ("// The brush", "\n// Its own", ["digit", "kernels"]),
    ],
)
def test_the_family_shares_its_style_and_its_first_lines(start, end, members):
    assert len({between(start, end, PAGES[name]) for name in members}) == 1


def test_the_family_is_one_whatever_follows_it():
    """The first lines, the sliders and the brush end where the next part begins."""
    family = between("// The family", "\n// Its own", PAGES["convolution"])
    assert between("// The family", "\n// The sliders", PAGES["digit"]) == family
    assert between("// The family", "\n// The brush", PAGES["kernels"]) == family
    sliders = between("// The sliders", "\n// Its own", PAGES["shapes"])
    assert between("// The sliders", "\n// The brush", PAGES["digit"]) == sliders


@pytest.mark.parametrize("name", PAGES)
def test_colours_are_those_of_the_book(name):
    style = between("<style>", "</style>", PAGES[name])
    own = style.split("/* Its own */")[1]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?![-\w])", re.sub(r"#[\w-]+\s*[.{:,)]", "", own)), (
        "a colour that is no variable"
    )


# In Python


def test_explore_shows_a_frame_and_elsewhere_a_line_of_text(capsys, monkeypatch):
    assert explore("convolution", stride=2) is None
    assert capsys.readouterr().out == '<The explorer "A kernel walks over an image": open this notebook in a browser>\n'
    assert course_utils.explore is explore


def test_a_frame_holds_the_page_and_the_options():
    soup = BeautifulSoup(frame("shapes", size=30, layers=[{"kind": "conv"}]), "html.parser")
    page = soup.iframe["srcdoc"]
    options = BeautifulSoup(page, "html.parser").find(id="options").string
    assert json.loads(options) == {"size": 30, "layers": [{"kind": "conv"}]}
    assert (
        page.replace(options, "{}") == PAGES["shapes"] and soup.iframe["title"] == "What size comes out of each layer?"
    )


def test_no_option_can_end_the_script():
    assert "</script>" not in json.dumps(
        BeautifulSoup(
            BeautifulSoup(frame("convolution", image="</script><p>"), "html.parser").iframe["srcdoc"], "html.parser"
        )
        .find(id="options")
        .string
    )


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
