"""The site in a real browser: no foreign request, no error, no sideways scrolling on a phone, no barrier.

Needs Chromium on the PATH. The accessibility check needs axe-core too: AXE_JS names its file axe.min.js.
"""

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}  # the passes are not listed: quicker
WIDE, PHONE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}, {"width": 320, "height": 640}


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


@pytest.mark.parametrize("every", ["some pages", pytest.param("the others", marks=pytest.mark.slow)])
def test_pages_ask_nothing_of_other_hosts_raise_no_errors_and_never_scroll_sideways(visit, some_and_others, every):
    problems = []
    for name in some_and_others[every != "some pages"]:
        problems.append(name)
        page = visit(name, problems)
        page.wait_for_timeout(200)
        for size in (PHONE, NARROW, WIDE):
            page.set_viewport_size(size)
            if (excess := page.evaluate("document.documentElement.scrollWidth - window.innerWidth")) > 0:
                problems.append(f"{excess} pixels too wide for {size['width']}")
        if problems[-1] == name:
            problems.pop()
    assert not problems


def test_folded_solutions_carry_their_titles(visit, pages):
    lesson = next(name for name in pages if name.startswith("notebooks/"))
    summaries = visit(lesson, []).query_selector_all("details.hide > summary")
    labels = [summary.inner_text().strip() for summary in summaries]
    assert any(label.startswith("Setup, the same in every lesson") for label in labels)
    assert any(label.startswith("Solution ") for label in labels)


OPEN = "document.querySelectorAll('details').forEach(fold => { fold.open = true })"
SHOWN = ".cell.asked .cell_output"


def test_a_question_takes_a_guess_and_shows_it_beside_what_happens(visit, lesson_page):
    page = visit(lesson_page, [])
    forms = page.locator("form.guess")
    assert page.locator("blockquote.predict:not(:has(form.guess))").count() == 0 < forms.count()
    assert not any(output.is_visible() for output in page.locator(SHOWN).all())
    assert not any(fold.is_visible() for fold in page.locator(".asked summary").all())
    for number, form in enumerate(forms.all()):
        form.get_by_role("textbox").fill(f"guess {number}")
        form.get_by_role("button", name="Show what happens").click()
    assert page.locator(SHOWN).count() >= forms.count()
    assert all(output.is_visible() for output in page.locator(SHOWN).all())
    told = [text.strip() for text in page.locator("p.guessed:visible").all_inner_texts()]
    assert told == [f"You said: guess {number}" for number in range(forms.count())]
    page.get_by_role("button", name="Hide what happens").first.click()
    assert not page.locator(SHOWN).first.is_visible()


def test_a_guess_and_what_was_shown_are_kept_in_the_browser_and_sent_nowhere(visit):
    problems = []
    page = visit("notebooks/02_convolution.html", problems)
    told = page.locator("blockquote.predict ~ p[hidden]")
    waiting = told.count()
    assert waiting and not told.first.is_visible()
    field = page.locator("form.guess input").first
    field.fill("not at all <b>")
    field.press("Enter")
    page.reload()
    assert page.locator("form.guess input").first.input_value() == "not at all <b>"
    assert page.locator("p.guessed").first.inner_text() == "You said: not at all <b>"
    assert page.locator("blockquote.predict ~ p[hidden]").count() == waiting - 1
    assert not problems


def test_without_scripts_a_question_is_a_fold_that_opens_and_all_can_be_read(browser, address, lesson_page):
    context = browser.new_context(java_script_enabled=False, color_scheme="dark")
    page = context.new_page()
    page.goto(address + lesson_page)
    assert page.locator("form.guess").count() == 0
    fold = page.locator(".tag_answer > details").first
    assert not fold.locator(".cell_output").is_visible()
    fold.locator("summary").click()
    assert fold.locator(".cell_output").first.is_visible()
    hidden = [p for p in page.locator("article section > p").all() if not p.is_visible()]
    assert not hidden
    context.close()


def test_an_address_inside_an_answer_opens_it(visit, pages):
    number = pages["notebooks/02_convolution.html"].select_one(".tag_answer div.claim, .tag_answer div.agreement")["id"]
    page = visit(f"notebooks/02_convolution.html#{number}", [])
    assert page.locator(f"#{number}").is_visible()


def test_on_paper_every_question_is_answered_and_there_are_no_buttons(visit, lesson_page):
    page = visit(lesson_page, [])
    page.emulate_media(media="print")
    buttons = page.locator("article details.hide > summary")
    assert buttons.count() > 1 and not any(button.is_visible() for button in buttons.all())
    for part in ("form.guess", "nav.launch", ".bd-sidebar-primary", ".bd-header-article", ".prev-next-footer"):
        assert not any(found.is_visible() for found in page.locator(part).all()), part
    for shown in (".tag_answer .cell_output", "blockquote.predict ~ p", "article h1"):
        assert all(found.is_visible() for found in page.locator(shown).all()), shown
    page.emulate_media(media="screen")
    assert page.locator("form.guess").first.is_visible()


def test_no_line_of_code_is_cut_on_a_wide_screen(visit, lesson_page):
    page = visit(lesson_page, [])
    page.evaluate(OPEN)
    cut = "[...document.querySelectorAll('.cell_input pre')].filter(pre => pre.scrollWidth > pre.clientWidth).length"
    assert page.evaluate(cut) == 0


@pytest.mark.parametrize(("size", "scale"), [(WIDE, 1), (PHONE, 0.62)], ids=["wide", "phone"])
def test_figures_keep_their_shape_and_their_letters_can_be_read(visit, lesson_page, size, scale):
    """Letters of a figure have 11 points, which are 14.7 pixels at full width: on a phone at least 9 are left."""
    page = visit(lesson_page, [], size)
    page.evaluate(OPEN)
    sides = "[i.clientWidth, i.clientHeight, parseFloat(i.getAttribute('width')), parseFloat(i.getAttribute('height'))]"
    found = page.evaluate(f"[...document.querySelectorAll('.cell_output img')].map(i => {sides})")
    assert found
    for width, height, full_width, full_height in found:
        assert scale * full_width <= width <= full_width <= 560
        assert abs(width / height - full_width / full_height) < 0.05 * width / height


LETTERS_IN_A_LINE = """() => [...document.querySelectorAll("article section > p")]
.filter(p => p.textContent.length > 300).map(p => {
    const text = [...p.childNodes].map(node => node.textContent).join("").length
        - [...p.querySelectorAll(".preview")].reduce((sum, hidden) => sum + hidden.textContent.length, 0);
    return text / (p.getBoundingClientRect().height / parseFloat(getComputedStyle(p).lineHeight));
})"""


def test_a_line_of_text_has_sixty_five_to_seventy_five_characters(visit, lesson_page):
    letters = sorted(visit(lesson_page, []).evaluate(LETTERS_IN_A_LINE))
    assert len(letters) > 5
    assert 60 <= letters[len(letters) // 2] <= 75  # of a paragraph's lines, the last of which is seldom full


BOXES = """() => {
    const clear = (colour) => colour === "transparent" || /, 0\\)$/.test(colour);
    const colour = (e) => getComputedStyle(e).backgroundColor;
    const ground = (e) => { while (e && clear(colour(e))) e = e.parentElement; return e && colour(e); };
    const boxes = [];
    for (const e of document.querySelectorAll("article :is(div, blockquote, section, details, p, iframe)")) {
        const style = getComputedStyle(e), place = e.getBoundingClientRect();
        if (!e.checkVisibility() || place.height < 8 || place.width < 100) continue;
        const filled = !clear(style.backgroundColor) && style.backgroundColor !== ground(e.parentElement);
        const drawn = (side) => parseFloat(style[`border${side}Width`]) > 0 && !clear(style[`border${side}Color`]);
        const framed = ["Top", "Right", "Bottom", "Left"].some(drawn);
        if (filled || framed) boxes.push([place.top, place.bottom]);
    }
    boxes.sort((a, b) => a[0] - b[0]);
    let count = 0, end = -1e9;
    for (const [top, bottom] of boxes) { if (top > end + 2) count += 1; end = Math.max(end, bottom); }
    return count;
}"""


def test_a_lesson_has_half_as_many_boxes_as_its_first_edition(visit, lesson_page):
    """The first edition had 100 to 169. Boxes that touch, or lie in each other, are one."""
    assert 10 < visit(lesson_page, []).evaluate(BOXES) <= 84


LOOKS = {
    "wide, light": (WIDE, "light"),
    "phone, dark": (PHONE, "dark"),
    "wide, dark": (WIDE, "dark"),
    "phone, light": (PHONE, "light"),
}


@pytest.mark.parametrize("every", ["some pages", pytest.param("all pages", marks=pytest.mark.slow)])
@pytest.mark.parametrize("look", LOOKS)
def test_no_barrier_that_axe_can_find(visit, pages, some_and_others, look, every):
    """All pages in every look among the slow tests; else each page but for most lessons, in one look."""
    axe = os.environ.get("AXE_JS")
    if not axe:
        pytest.skip("AXE_JS does not name axe-core's axe.min.js")
    (size, colours), violations = LOOKS[look], []
    chosen = list(pages)
    if every == "some pages":
        chosen = some_and_others[0][list(LOOKS).index(look) :: len(LOOKS)]
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
