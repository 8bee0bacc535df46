"""Places that can't be looked at, users without a home, consoles that can't print: nothing ends in a raw error."""

import importlib
import io
import shlex
import subprocess
import sys
from contextlib import suppress

import pytest

import tools
from course_utils import _console
from course_utils._images import commands, sources
from tools import recording
from tools.common import ROOT

READ = "from course_utils._images import sources; print(sources.describe('mnist'))"
OFFLINE = "import requests; requests.head = lambda *_, **__: 1 / 0; "


@pytest.fixture
def bare(run_python, tmp_path):
    """Python with this checkout on its path and nothing else of ours; the network never answers."""
    (tmp_path / "python").mkdir()

    def run(*arguments, **environment):
        place = environment.pop("PYTHONPATH", "")
        return run_python(*arguments, PYTHONPATH=f"{ROOT}:{place}", **environment)

    return run


def test_a_folder_that_cannot_be_looked_at_counts_as_empty(bare, closed, no_rights):
    for variable in ({"COURSE_DATA_DIR": closed}, {"XDG_CACHE_HOME": closed}):
        done = bare("-c", OFFLINE + READ, before=no_rights, **variable)
        assert done.returncode == 0 and done.stdout.splitlines()[-1] == "sample", done.stderr
        listed = bare("-m", "course_utils.data", "list", before=no_rights, **variable)
        assert listed.returncode == 0 and "nothing yet" in listed.stdout, listed.stderr
        done = bare("-c", OFFLINE + READ, before=no_rights, COURSE_DATA="real", **variable)
        assert "MissingData: MNIST is not here" in done.stderr and "COURSE_DATA_DIR" in done.stderr


def test_archives_at_hand_are_read_where_the_folder_keeps_nothing(bare, tmp_path, closed, no_rights):
    done = bare("-m", "course_utils.data", "fetch", "mnist", before=no_rights, COURSE_DATA_DIR=closed,
                COURSE_DATA_MIRROR=tmp_path)  # fmt: skip
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "PROBLEM mnist" in done.stderr


def test_the_sample_needs_no_folder(bare, no_home):
    for place in (None, "~nosuchuser/x", ""):
        done = bare("-c", READ, COURSE_DATA="sample", COURSE_DATA_DIR=place, **no_home)
        assert done.stdout == "sample\n", done.stderr
    done = bare("-c", "import course_utils; course_utils.setup('02_convolution')", COURSE_DATA="sample", **no_home)
    assert done.returncode == 0, done.stderr


def test_without_a_home_the_variable_is_named(bare, no_home, tmp_path):
    done = bare("-c", READ, **no_home)
    assert done.stdout.splitlines()[-1] == "sample" and "COURSE_DATA_DIR" in done.stdout, done.stderr
    assert "COURSE_DATA_DIR" in bare("-c", READ, COURSE_DATA="real", **no_home).stderr
    for command in ("where", "list", "verify"):
        done = bare("-m", "course_utils.data", command, **no_home)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "COURSE_DATA_DIR" in done.stderr
    assert "~" not in {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("variable", ["COURSE_DATA_DIR", "COURSE_DATA_MIRROR"])
def test_a_home_that_there_is_not_is_named(variable, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "auto")
    monkeypatch.setenv(variable, "~nosuchuser/x")
    with pytest.raises(ValueError, match=f"{variable} must name a folder; got '~nosuchuser/x'"):
        sources.read("mnist")


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "cp437", "ascii"])
def test_every_console_can_print_our_commands(encoding, tmp_path, monkeypatch):
    def console():
        return io.TextIOWrapper(io.BytesIO(), encoding=encoding)

    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    for arguments in (["list"], ["verify"], ["--help"], ["fetch", "∑"]):
        monkeypatch.setattr(sys, "stdout", console())
        monkeypatch.setattr(sys, "stderr", console())
        with suppress(SystemExit):
            commands.main(arguments)
        sys.stderr.flush()
        assert b"codec" not in sys.stderr.buffer.getvalue()
    monkeypatch.setattr(sys, "stdout", console())
    monkeypatch.setattr(sys, "argv", ["∑", "--help"])
    with pytest.raises(SystemExit):
        recording.command_line("“×∑”", print)
    monkeypatch.setattr(sys, "stdout", console())
    importlib.reload(tools)
    print("×∑")  # as the scripts of `tools` may


def test_a_command_can_be_pasted_where_it_is_printed(monkeypatch):
    asked = ("pip", "install", "seaborn>=0.13", "a b")
    for python in (sys.executable, "/a b/python"):
        monkeypatch.setattr(sys, "executable", python)
        assert shlex.split(_console.command(*asked)) == [python, "-m", *asked]
    monkeypatch.setattr(sys, "executable", "")  # as in a kernel that was started without a path
    assert shlex.split(_console.command(*asked)) == ["python", "-m", *asked]
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert _console.command(*asked) == "!{sys.executable} -m pip install 'seaborn>=0.13' 'a b'"


def test_what_the_messages_say_to_paste_runs(bare, tmp_path):
    printed = bare("-m", "course_utils.data", "verify", COURSE_DATA_DIR=tmp_path).stderr.split("Remedy: ")[1]
    done = subprocess.run([*shlex.split(printed), "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "usage: python -m course_utils.data" in done.stdout, done.stderr
