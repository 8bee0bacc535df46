"""What several tests need: the lessons as they stand in the manuscript, and as the rehearsal ran them."""

import os
import shutil
import socket
import subprocess
import sys

import pytest

from tools.common import BROWSER_OPTIONS, BROWSERS, ROOT, RUN, find_browser, lessons, read_notebook


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever looks up or connects to another machine is refused, and its test fails even if it takes that calmly."""
    tried, connect, look_up = [], socket.socket.connect, socket.getaddrinfo

    def refuse(host):
        if host not in ("127.0.0.1", "localhost", "::1"):
            tried.append(host)
            raise OSError(f"no test may speak to {host}")

    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address[0])
        return connect(self, address)

    def guarded_look_up(host, *arguments, **options):
        refuse(host)
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield tried
    assert not tried, f"this test tried to speak to {tried}"


@pytest.fixture(params=lessons())
def lesson(request) -> str:
    """The name of a lesson; a test that asks for it runs once for each."""
    return request.param


@pytest.fixture
def notebook(lesson):
    """The notebook of the lesson, as students open it."""
    return read_notebook(ROOT / "notebooks" / f"{lesson}.ipynb")


@pytest.fixture
def executed(lesson):
    """The notebook of the lesson, as the rehearsal ran it."""
    if not (RUN / "test" / "executed.json").exists():
        pytest.skip("no rehearsal here: run `make test`")
    return read_notebook(RUN / "test" / "notebooks" / f"{lesson}.ipynb")


@pytest.fixture(scope="session")
def site():
    """The folder of the site that the rehearsal built."""
    folder = RUN / "site" / "_build" / "html"
    if not folder.exists():
        pytest.skip("no rehearsal here: run `make test`")
    return folder


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    program = find_browser()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program, args=BROWSER_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def no_rights():
    """What stands before a command so that a folder of mode 0 is closed to it, even if root runs the tests."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root can look everywhere, and there is no setpriv to give that up")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


@pytest.fixture
def closed(tmp_path):
    """A folder that can't be looked into."""
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0)
    yield folder
    folder.chmod(0o755)


@pytest.fixture
def no_home(tmp_path):
    """Environment of a Python whose user has no home: no HOME, and no entry in the list of users."""
    place = tmp_path / "no_home"
    place.mkdir()
    (place / "sitecustomize.py").write_text("import pwd\npwd.getpwuid = {}.__getitem__\n")
    return {"HOME": None, "PYTHONPATH": place}


@pytest.fixture
def run_python(tmp_path):
    """Run Python on its own in an empty folder, with nothing of this checkout in its environment."""

    def run(*arguments, cwd=tmp_path, python=sys.executable, before=(), **environment):
        bare = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        command = [str(argument) for argument in (*before, python, *arguments)]
        variables = {name: str(value) for name, value in (bare | environment).items() if value is not None}
        return subprocess.run(command, cwd=cwd, env=variables, text=True, errors="replace", capture_output=True)

    return run
