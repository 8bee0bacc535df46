"""The site by keyboard, by zoom, and where motion is unwelcome."""

import pytest

pytestmark = pytest.mark.browser
FOCUSED = """() => {
    const e = document.activeElement;
    if (!e || e === document.body) return null;
    const style = getComputedStyle(e), place = e.getBoundingClientRect();
    return {
        what: `${e.localName}.${e.className} ${(e.textContent || e.value || "").trim().slice(0, 40)}`,
        name: e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent.trim() || e.title || "",
        marked: e.localName === "iframe" || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2),
        seen: e.localName === "iframe"
            || (e.checkVisibility({ visibilityProperty: true }) && place.width * place.height > 0),
    };
}"""


@pytest.fixture
def open_page(browser, address):
    contexts = []

    def open_page(name, **options):
        contexts.append(browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options)))
        page = contexts[-1].new_page()
        page.goto(address + name)
        return page

    yield open_page
    for context in contexts:
        context.close()


def walk(page, steps):
    """What the Tab key comes to."""
    found = []
    for _ in range(steps):
        page.keyboard.press("Tab")
        here = page.evaluate(FOCUSED)
        if here is None:
            break
        found.append(here)
    return found


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", ["book/index.html", "notebooks/02_convolution.html", "book/claims.html"])
def test_whatever_has_the_focus_can_be_seen_and_has_a_name(open_page, name, colours):
    found = walk(open_page(name, color_scheme=colours), 120)
    assert len(found) > 60
    assert not [here["what"] for here in found if not here["marked"]]
    assert not [here["what"] for here in found if not here["name"] and "iframe" not in here["what"]]
    assert not [here["what"] for here in found[1:] if not here["seen"]]


def test_the_first_tab_offers_to_skip_to_the_text(open_page):
    page = open_page("notebooks/02_convolution.html")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to main content" and page.locator(":focus").is_visible()


def test_a_question_can_be_answered_without_a_mouse(open_page):
    page = open_page("notebooks/02_convolution.html")
    page.locator("form.guess input").first.focus()
    page.keyboard.type("no change")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Show what happens"
    page.keyboard.press("Space")
    assert page.locator("p.guessed").first.inner_text() == "You said: no change"
    assert page.locator(":focus").inner_text() == "Hide what happens"


def test_a_term_shows_what_it_means_to_pointer_and_keyboard_and_escape_hides_it(open_page):
    page = open_page("notebooks/03_shapes.html")
    term, preview = page.locator("span.term > a").first, page.locator("span.preview").first
    assert not preview.is_visible()
    term.hover()
    assert preview.is_visible()
    page.mouse.move(0, 0)
    assert not preview.is_visible()
    term.focus()
    assert preview.is_visible()
    page.keyboard.press("Escape")
    assert not preview.is_visible()


def test_the_menu_of_other_places_opens_and_closes_by_keyboard(open_page):
    page = open_page("notebooks/02_convolution.html")
    menu = page.locator("nav.launch summary")
    menu.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("link", name="Binder").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("link", name="Binder").is_visible()
    assert page.locator(":focus").inner_text() == "More"


def test_the_list_of_lessons_on_a_phone_can_be_closed(open_page):
    page = open_page("notebooks/02_convolution.html", viewport={"width": 390, "height": 844})
    page.locator(".primary-toggle").click()
    close = page.get_by_role("button", name="Close")
    assert close.is_visible()
    close.click()
    assert not page.evaluate("document.querySelector('#pst-primary-sidebar-modal').open")
    page.wait_for_function("document.querySelector('.bd-sidebar-primary').getBoundingClientRect().right <= 0")


def test_colours_can_be_chosen_and_the_button_says_which(open_page):
    page = open_page("notebooks/02_convolution.html", color_scheme="light")
    button = page.locator(".theme-switch-button")
    assert button.get_attribute("aria-label") == "Colours: auto"
    seen = set()
    for _ in range(3):
        button.click()
        page.wait_for_timeout(50)
        mode = page.evaluate("document.documentElement.dataset.mode")
        assert button.get_attribute("aria-label") == f"Colours: {mode}"
        seen.add(mode)
    assert seen == {"light", "dark", "auto"}


@pytest.mark.parametrize("name", ["book/index.html", "notebooks/02_convolution.html", "book/claims.html"])
def test_at_twice_the_size_nothing_is_lost(open_page, name):
    page = open_page(name, viewport={"width": 640, "height": 450}, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    assert page.locator("article h1").is_visible()


def test_nothing_moves_where_motion_is_unwelcome(open_page):
    page = open_page("notebooks/02_convolution.html", reduced_motion="reduce")
    moving = """[...document.querySelectorAll("*")].map(e => getComputedStyle(e)).filter(style =>
        `${style.transitionDuration},${style.animationDuration}`.split(",").some(time => parseFloat(time) > 0.001)
    ).length"""
    assert page.evaluate(moving) == 0
