"""An explorer in a browser, as a notebook and the book show it: a frame in a page."""

import pytest

from course_utils.explorers import frame

PAGE = '<!doctype html><html lang="en" data-theme="{}"><title>A page</title><body><main>{}</main></body></html>'


@pytest.fixture
def show(browser):
    """A function that shows an explorer and returns its frame; no error may be left in its console."""
    pages, problems = [], []

    def show(name, *, width=760, colours="light", motion="reduce", **options):
        page = browser.new_page(viewport={"width": width, "height": 900}, has_touch=True, reduced_motion=motion)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: message.type == "error" and problems.append(message.text))
        page.on("request", lambda request: problems.append(f"request to {request.url}"))
        page.set_content(PAGE.format(colours, frame(name, **options)))
        pages.append(page)
        explorer = page.frames[1]
        explorer.wait_for_function("window.explorer")
        return explorer

    yield show
    for page in pages:
        page.close()
    assert not problems


READ = """settings => settings.map(setting => {
  explorer.set(setting)
  const shown = read_all()
  const [said, all] = [document.getElementById('say'), document.querySelector('main').textContent]
  return { ...shown, said: said.textContent, wrong: said.classList.contains('wrong'), all }
})"""


@pytest.fixture
def read(show):
    """What an explorer shows under each of many settings; `shown` is JavaScript for an object of what to look at."""

    def read(name, settings, shown):
        explorer = show(name)
        explorer.evaluate(f"window.read_all = () => ({shown})")
        found = explorer.evaluate(READ, settings)
        for setting, each in zip(settings, found, strict=True):
            assert not any(word in each["all"] for word in ("NaN", "undefined", "Infinity", "null")), (setting, each)
        return found

    return read


def number(text):
    """The number that a text shows, with a true minus sign and commas between thousands."""
    return float(text.replace("−", "-").replace(",", ""))
