"""The site in a real browser: no foreign request, no error, no sideways scrolling on a phone, no barrier.

Needs Chromium on the PATH. The accessibility check needs axe-core too: AXE_JS names its file axe.min.js.
"""

import os
from pathlib import Path

import pytest

from tools.common import lessons

pytestmark = pytest.mark.browser
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AXE = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}  # the passes are not listed: quicker
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def visit(browser, address):
    """A function that opens a page of the site; it collects what the page asked of other hosts and its errors."""
    contexts = []

    def visit(name, problems, size=WIDE, colours="light"):
        if not contexts:
            contexts.append(browser.new_context(viewport=size, color_scheme=colours))
            contexts.append(contexts[0].new_page())
            page = contexts[1]
            page.on("request", lambda r: r.url.startswith((address, "data:")) or problems.append(f"request to {r.url}"))
            page.on("console", lambda m: m.type == "error" and problems.append(f"console: {m.text}"))
            page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page = contexts[1]
        page.goto(address + name)
        page.evaluate("window.MathJax?.startup?.promise")
        return page

    yield visit
    if contexts:
        contexts[0].close()


def test_pages_ask_nothing_of_other_hosts_raise_no_errors_and_never_scroll_sideways(visit, pages):
    problems = []
    for name in pages:
        problems.append(name)
        page = visit(name, problems)
        page.wait_for_timeout(200)
        for size in (PHONE, WIDE):
            page.set_viewport_size(size)
            if (excess := page.evaluate("document.documentElement.scrollWidth - window.innerWidth")) > 0:
                problems.append(f"{excess} pixels too wide for {size['width']}")
        if problems[-1] == name:
            problems.pop()
    assert not problems


def test_search_finds_a_word_of_a_lesson(visit, pages):
    page = visit("search.html?q=equivariance", [])
    page.wait_for_selector("#search-results li a", timeout=20_000)
    found = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.pathname)")
    assert any("notebooks/02_convolution.html" in path for path in found)


def test_folded_solutions_carry_their_titles(visit, pages):
    lesson = next(name for name in pages if name.startswith("notebooks/"))
    summaries = visit(lesson, []).query_selector_all("details.hide > summary")
    labels = [summary.inner_text().strip() for summary in summaries]
    assert any(label.startswith("Setup, the same in every lesson") for label in labels)
    assert any(label.startswith("Solution ") for label in labels)


OPEN = "document.querySelectorAll('details').forEach(fold => { fold.open = true })"
PAGES = [f"notebooks/{name}.html" for name in lessons()]


@pytest.mark.parametrize("lesson", PAGES)
def test_one_button_shows_all_that_answers_a_question(visit, lesson):
    page = visit(lesson, [])
    joined = page.query_selector_all(".cell.joined")
    assert not any(cell.is_visible() and cell.query_selector("summary").is_visible() for cell in joined)
    for button in page.query_selector_all(".cell.tag_answer:not(.joined) > details > summary"):
        assert button.is_visible()
        button.click()
    page.wait_for_timeout(100)
    outputs = page.query_selector_all(".cell.tag_answer .cell_output")
    assert outputs and all(output.is_visible() for output in outputs)


@pytest.mark.parametrize("lesson", PAGES)
def test_on_paper_every_question_is_answered_and_there_are_no_buttons(visit, lesson):
    page = visit(lesson, [])
    page.emulate_media(media="print")
    buttons = page.locator("article details.hide > summary")
    assert buttons.count() > 1 and not any(button.is_visible() for button in buttons.all())
    outputs = page.locator(".tag_answer .cell_output")
    assert outputs.count() > 1 and all(output.is_visible() for output in outputs.all())
    page.emulate_media(media="screen")
    assert buttons.first.is_visible()


@pytest.mark.parametrize("lesson", PAGES)
def test_no_line_of_code_is_cut_on_a_wide_screen(visit, lesson):
    page = visit(lesson, [])
    page.evaluate(OPEN)
    cut = "[...document.querySelectorAll('.cell_input pre')].filter(pre => pre.scrollWidth > pre.clientWidth).length"
    assert page.evaluate(cut) == 0


@pytest.mark.parametrize("lesson", PAGES)
@pytest.mark.parametrize(("size", "scale"), [(WIDE, 1), (PHONE, 0.62)])
def test_figures_keep_their_shape_and_their_letters_can_be_read(visit, lesson, size, scale):
    """Letters of a figure have 11 points, which are 14.7 pixels at full width: on a phone at least 9 are left."""
    page = visit(lesson, [], size)
    page.evaluate(OPEN)
    sides = "[i.clientWidth, i.clientHeight, parseFloat(i.style.width), parseFloat(i.style.height)]"
    for width, height, full_width, full_height in page.evaluate(
        f"[...document.querySelectorAll('.cell_output img')].map(i => {sides})"
    ):
        assert scale * full_width <= width <= full_width <= 560
        assert abs(width / height - full_width / full_height) < 0.05 * width / height


LOOKS = {
    "wide, light": (WIDE, "light"),
    "phone, dark": (PHONE, "dark"),
    "wide, dark": (WIDE, "dark"),
    "phone, light": (PHONE, "light"),
}


@pytest.mark.parametrize("every", ["some pages", pytest.param("all pages", marks=pytest.mark.slow)])
@pytest.mark.parametrize("look", LOOKS)
def test_no_barrier_that_axe_can_find(visit, pages, look, every):
    """All pages in every look among the slow tests; else each page but for most lessons, in one look."""
    axe = os.environ.get("AXE_JS")
    if not axe:
        pytest.skip("AXE_JS does not name axe-core's axe.min.js")
    (size, colours), violations = LOOKS[look], []
    chosen = list(pages)
    if every == "some pages":
        few = [name for name in pages if not name.startswith("notebooks/") or name[10:12] in ("02", "06")]
        chosen = few[list(LOOKS).index(look) :: len(LOOKS)]
    for name in chosen:
        page = visit(name, [], size, colours)
        assert page.evaluate("document.documentElement.dataset.theme") == colours
        page.add_script_tag(path=str(Path(axe)))
        found = page.evaluate("options => axe.run(options)", AXE)
        violations += [(name, rule["id"], node["html"][:200]) for rule in found["violations"] for node in rule["nodes"]]
    assert not violations


def explorer(page, name):
    """The frame of an explorer on a page, when it is ready."""
    frame = page.query_selector(f"iframe[data-name={name}]").content_frame()
    frame.wait_for_function("Boolean(window.explorer?.onchange)", timeout=10_000)
    return frame


def test_the_address_of_the_page_explorers_says_what_is_shown(visit):
    problems = []
    page = visit("book/explorers.html", problems)
    shapes = explorer(page, "shapes")
    assert page.evaluate("location.hash") == ""  # nobody has changed anything
    shapes.locator("#layers button").nth(1).click()
    shapes.get_by_label("stride", exact=True).press("ArrowRight")
    address = page.url.split("/book/")[1]
    page.goto("about:blank")
    page = visit(f"book/{address}", problems)
    assert explorer(page, "shapes").evaluate("[state.chosen, state.layers[1].stride]") == [1, 3]
    assert explorer(page, "convolution").evaluate("explorer.get()") == {}
    assert page.evaluate("scrollY") > 500 and not problems


@pytest.mark.parametrize("state", ["nonsense", "{", '{"size": 1000}', "%"])
def test_an_address_that_says_nonsense_gets_a_sentence(visit, state):
    problems = []
    page = visit(f"book/explorers.html#shapes={state}", problems)
    said = explorer(page, "shapes").locator("#say").inner_text()
    assert "There is no option" in said or "must be one of" in said
    assert not problems


def test_the_cover_shows_an_explorer_and_keeps_no_state_in_its_address(visit):
    page = visit("book/index.html", [])
    frame = page.query_selector("iframe[data-name=digit]").content_frame()
    frame.get_by_text("Draw your own").click()
    assert "nothing to read" in frame.locator("#say").inner_text() and page.evaluate("location.hash") == ""
