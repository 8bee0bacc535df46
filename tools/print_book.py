"""Print the site that `make book` built into one PDF, with contents, page numbers, bookmarks and links: `make pdf`.

Chromium prints each page as it would for a reader; pypdf puts them together.
"""

import functools
import html
import http.server
import io
import sys
import threading
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from urllib.parse import urldefrag

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, FloatObject, NameObject, NullObject

from tools.build import SITE
from tools.common import BROWSER_OPTIONS, BROWSERS, contents_of_the_book, find_browser, tokens

NO_BROWSER = (
    "make pdf prints with Chromium, and none of {} is on the PATH. Install it (on Debian and Ubuntu: apt install "
    "chromium; on a Mac or Windows: Google Chrome), then run make pdf again. Or print the pages that you need from "
    "your own browser."
)
FRONT = "http://book/"  # what links of the contents begin with, until they lead to a sheet
STYLE = """<meta charset="utf-8"><style>
@page { size: A4; margin: 20mm }
@page number { margin: 0 }
body { font: 11pt/1.6 sans-serif; margin: 0 } h1 { font-size: 22pt }
a { display: flex; color: inherit; text-decoration: none }
a span { flex: 1; border-bottom: 1px dotted #888; margin: 0 .4em .4em }
div { page: number; height: 290mm; position: relative; break-inside: avoid; font-size: 9pt; color: #444 }
div + div { break-before: page }
div p { position: absolute; bottom: 0; width: 100%; text-align: center; margin: 0 }
</style>"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *ignored: object) -> None:
        pass


@contextmanager
def serve(site: Path):
    """The address of the site, served on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def pages_in_order() -> list[str]:
    """The pages of the book, such as `notebooks/02_convolution.html`, in the order of its contents."""
    root, parts = contents_of_the_book()
    return [f"{name}.html" for name in [root, *chain(*parts.values())]]


def printed(page) -> PdfReader:
    """The page that a browser shows, on paper, with all its pictures and formulas."""
    page.evaluate("for (const picture of document.images) picture.loading = 'eager'")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.MathJax?.startup?.promise")
    return PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True, print_background=True)))


def print_pages(browser, address: str, names: list[str]) -> dict[str, tuple[str, PdfReader]]:
    """The title and the PDF of each page."""
    sheets = {}
    page = browser.new_page()
    for name in names:
        page.goto(address + name)
        sheets[name] = (page.evaluate("document.querySelector('h1').firstChild.textContent"), printed(page))
    page.close()
    return sheets


def print_html(browser, body: str) -> PdfReader:
    page = browser.new_page()
    page.set_content(STYLE + body)
    file = printed(page)
    page.close()
    return file


def contents(title: str, sheets: dict, starts: dict[str, int]) -> str:
    lines = "".join(
        f'<a href="{FRONT}{name}">{html.escape(heading)}<span></span>{starts[name] + 1}</a>'
        for name, (heading, _) in sheets.items()
    )
    return f"<h1>{html.escape(title)}</h1>{lines}"


def first_pages(sheets: dict, before: int) -> dict[str, int]:
    """The place of each page's first sheet, counted from 0, after `before` others."""
    starts = {}
    for name, (_, file) in sheets.items():
        starts[name] = before
        before += len(file.pages)
    return starts


def bind(browser, address: str, title: str, names: list[str]) -> PdfWriter:
    """One PDF of these pages, with contents before them."""
    sheets = print_pages(browser, address, names)
    before = 1
    while True:  # the contents hold the pages' numbers, which depend on the length of the contents
        starts = first_pages(sheets, before)
        front = print_html(browser, contents(title, sheets, starts))
        if len(front.pages) == before:
            break
        before = len(front.pages)
    book = PdfWriter()
    book.append(front, import_outline=False)
    for name, (heading, file) in sheets.items():
        book.append(file, import_outline=False)
        book.add_outline_item(title=heading, page_number=starts[name])
    mend_links(book, front, 0, FRONT, starts)
    for name, (_, file) in sheets.items():
        mend_links(book, file, starts[name], address, starts)
    numbers = print_html(browser, "".join(f"<div><p>{number + 1}</p></div>" for number in range(len(book.pages))))
    for sheet, number in zip(book.pages, numbers.pages, strict=True):
        sheet.merge_page(number)
        sheet.compress_content_streams()
    book.add_metadata({"/Title": title})
    book.compress_identical_objects()
    return book


def mend_links(book: PdfWriter, file: PdfReader, start: int, address: str, starts: dict[str, int]) -> None:
    """Let links inside the book lead to its sheets: those within a page, and those to the first sheet of another."""
    named = file.named_destinations
    for place in range(len(file.pages)):
        for reference in book.pages[start + place].get("/Annots") or []:
            link = reference.get_object()
            action = link.get("/A", {})
            goal = link.get("/Dest") or action.get("/D")
            target = urldefrag(str(action.get("/URI", "")).removeprefix(address))[0]
            if isinstance(goal, str) and goal in named:
                there = named[goal]
                lead_to(book, link, start + (file.get_destination_page_number(there) or 0), there.top)
            elif action.get("/URI", "").startswith(address):
                if target in starts:
                    lead_to(book, link, starts[target])
                else:  # a file of the site that is no page: it has no place on paper
                    link.pop("/A", None)


def lead_to(book: PdfWriter, link, sheet: int, top=None) -> None:
    link.pop("/A", None)
    height = NullObject() if top is None else FloatObject(top)
    where = [book.pages[sheet].indirect_reference, NameObject("/XYZ"), NullObject(), height, NullObject()]
    link[NameObject("/Dest")] = ArrayObject(where)


def main(site: Path = SITE) -> Path:
    if not (site / "index.html").exists():
        sys.exit("There is no site yet: run `make book`, then make pdf again.")
    program = find_browser()
    if program is None:
        sys.exit(NO_BROWSER.format(", ".join(BROWSERS)))
    from playwright.sync_api import sync_playwright

    title = tokens()["title"]
    target = site.parent / f"{title.lower().replace(' ', '-')}.pdf"
    with serve(site) as address, sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=BROWSER_OPTIONS)
        book = bind(browser, address, title, [name for name in pages_in_order() if (site / name).exists()])
        browser.close()
    part = target.with_suffix(".part")
    book.write(part)
    part.replace(target)
    print(f"Printed {len(book.pages)} pages: {target} ({target.stat().st_size / 1e6:.0f} MB)")
    return target


if __name__ == "__main__":
    main()
