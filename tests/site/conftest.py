"""The throw-away site that `make test` builds from the lessons' fast run, and a server for it."""

import functools
import gzip
import http.server
import threading
import urllib.parse
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tools.common import lessons, tokens

PREFIX = f"/{tokens()['repository'].partition('/')[2]}"  # GitHub Pages serves a book below its host's root
TEXTS = {".html", ".css", ".js", ".svg", ".json", ".xml", ".txt"}  # what a host compresses


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # of connections that wait: a browser opens many at once, and a busy machine is slow


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the site as its host would: below a sub-path, texts compressed, 404.html where there is nothing."""

    protocol_version = "HTTP/1.1"  # a connection may ask more than once

    def do_HEAD(self):
        self.answer(with_content=False)

    def do_GET(self):
        self.answer(with_content=True)

    def answer(self, with_content):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        file = Path(self.directory, path.removeprefix(PREFIX).lstrip("/"))
        file = file / "index.html" if file.is_dir() else file
        there = path.startswith(f"{PREFIX}/") and file.is_file()
        if not there:
            file = Path(self.directory, "404.html")
        content = packed(file) if file.suffix in TEXTS else file.read_bytes()
        self.send_response(200 if there else 404)
        self.send_header("Content-Type", self.guess_type(str(file)))
        if file.suffix in TEXTS:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, *ignored):
        pass


@functools.cache
def packed(file):
    return gzip.compress(file.read_bytes(), 6)


@pytest.fixture(scope="session")
def pages(site):
    """All pages but the redirect at the root: path inside the site → parsed HTML."""
    names = sorted(file.relative_to(site).as_posix() for file in site.rglob("*.html"))
    return {
        name: BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")
        for name in names
        if name != "index.html" and not name.startswith("_static/")
    }


@pytest.fixture(scope="session")
def address(site):
    """Where the site is served: on this machine, below a sub-path."""
    server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}{PREFIX}/"
    server.shutdown()
    server.server_close()


QUICK = ("02", "06", "14")  # lessons that stand for all in the tests of a browser; SLOW=1 takes all


@pytest.fixture(
    params=[
        pytest.param(f"notebooks/{name}.html", marks=() if name[:2] in QUICK else pytest.mark.slow, id=name)
        for name in lessons()
    ]
)
def lesson_page(request):
    """The address of a lesson's page inside the site."""
    return request.param


@pytest.fixture(scope="session")
def some_and_others(pages):
    """The pages of a quick test, which are those of each kind and a few lessons; and all the others."""
    some = [name for name in pages if not name.startswith("notebooks/") or name[10:12] in QUICK]
    return some, [name for name in pages if name not in some]
