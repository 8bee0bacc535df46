"""What unit tests share: no network, as on a machine whose way out is closed."""

import pytest

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Every address but this machine's own is refused at once, in child processes too: nobody listens at the proxy."""
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    monkeypatch.delenv("COURSE_DATA_MIRROR", raising=False)


@pytest.fixture
def server():
    """A server of the small data sets' files, with whatever fault an address asks for; see `misbehaving.Server`."""
    from tests.package.images.misbehaving import Server, small_files

    server = Server(small_files())
    yield server
    server.close()
