"""How much a page weighs, and how soon it can be used on a slow line. In a real browser, without its cache."""

import pytest

pytestmark = pytest.mark.browser
SLOW_LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
USABLE = """() => {
    const root = document.documentElement, code = document.querySelector(".cell_input, .highlight");
    return root.classList.contains("ready") && ["light", "dark"].includes(root.dataset.theme)
        && typeof window.bootstrap !== "undefined" && (!code || Boolean(document.querySelector("button.copybtn")));
}"""
COVER = "book/index.html"


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    yield page, session
    context.close()


def weigh(session):
    """What arrives through the line from now on: address and bytes of each answer."""
    addresses, arrived = {}, {}

    def note(event):
        addresses[event["requestId"]] = event["response"]["url"]

    def add(event):
        address = addresses.get(event["requestId"], "")
        if address.startswith("http"):
            arrived[address] = event["encodedDataLength"]

    session.on("Network.responseReceived", note)
    session.on("Network.loadingFinished", add)
    return arrived


def is_picture(address):
    return address.rpartition(".")[2] in ("svg", "png", "webp") and "/_images/" in address


def seconds_until_usable(tab, address):
    page, session = tab
    session.send("Network.emulateNetworkConditions", SLOW_LINE)
    page.goto(address, wait_until="commit")
    page.wait_for_function(USABLE)
    return page.evaluate("performance.now()") / 1000


def bytes_of(tab, address):
    """What a page brings when all of it has been seen, without its formulas; and its pictures alone."""
    page, session = tab
    arrived = weigh(session)
    page.goto(address)
    page.evaluate("for (const picture of document.images) picture.loading = 'eager'")
    page.wait_for_load_state("networkidle")
    assert not [url for url in arrived if "fontawesome" in url or "webfonts" in url or "searchindex" in url]
    whole = sum(size for url, size in arrived.items() if "mathjax" not in url)
    return whole, sum(size for url, size in arrived.items() if is_picture(url))


def test_a_lesson_is_usable_in_two_and_a_half_seconds_on_a_slow_line(tab, address, lesson_page):
    assert seconds_until_usable(tab, address + lesson_page) <= 2.5


def test_the_cover_is_usable_in_two_and_a_half_seconds_on_a_slow_line(tab, address):
    assert seconds_until_usable(tab, address + COVER) <= 2.5


def test_a_lesson_and_its_pictures_are_light(tab, address, lesson_page):
    whole, pictures = bytes_of(tab, address + lesson_page)
    assert 50_000 < whole <= 600_000
    assert 1_000 < pictures <= 250_000


def test_the_cover_is_light(tab, address):
    whole, _ = bytes_of(tab, address + COVER)
    assert 50_000 < whole <= 300_000


def test_what_is_below_the_fold_waits(tab, address):
    page, session = tab
    arrived = weigh(session)
    page.goto(address + COVER)
    page.wait_for_load_state("networkidle")
    first = len([url for url in arrived if "/cards/" in url])
    page.locator("ul.cards img").last.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert first < len([url for url in arrived if "/cards/" in url])


def test_formulas_bring_their_script_and_are_set_and_other_pages_do_without(pages, tab, address):
    for name, page in pages.items():
        has_formulas = bool(page.select(".math"))
        assert any("mathjax" in script["src"] for script in page.select("script[src]")) == has_formulas, name
    page, _ = tab
    page.goto(address + "notebooks/03_shapes.html")
    page.wait_for_function("window.MathJax?.startup?.promise")
    page.evaluate("MathJax.startup.promise")
    assert page.locator("article .math mjx-container").count() == page.locator("article .math").count() > 0


def test_every_picture_has_its_size_and_all_but_the_first_wait(pages):
    for name, page in pages.items():
        pictures = page.select("article.bd-article img")
        assert all(int(float(p["width"])) > 0 and int(float(p["height"])) > 0 for p in pictures), name
        assert all(p.get("loading") == "lazy" for p in pictures[1:]), name


def test_pictures_of_pixels_are_twice_as_fine_as_they_are_shown(tab, address):
    page, _ = tab
    page.goto(address + "notebooks/02_convolution.html")
    page.evaluate("for (const picture of document.images) picture.loading = 'eager'")
    page.wait_for_load_state("networkidle")
    sides = page.evaluate(
        "[...document.querySelectorAll('.cell_output img[src$=webp]')].map(i => [i.naturalWidth, i.width])"
    )
    assert sides and all(natural >= 1.95 * shown for natural, shown in sides if shown)
