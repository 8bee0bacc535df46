"""The throw-away site that `make test` builds from the lessons' fast run, and a server for it."""

import functools
import http.server
import threading

import pytest
from bs4 import BeautifulSoup

PREFIX = "/some/sub/path"  # GitHub Pages serves a book below its host's root


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # of connections that wait: a browser opens many at once, and a busy machine is slow


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # a connection may ask more than once

    def translate_path(self, path):
        return super().translate_path(path.removeprefix(PREFIX)) if path.startswith(f"{PREFIX}/") else "/nothing/here"

    def log_message(self, *ignored):
        pass


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
