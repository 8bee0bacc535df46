"""What a lesson is told about where it runs, and what the book is told about what a lesson used."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import course_utils
from course_utils import runtime


def test_importing_the_package_loads_nothing_else(run_python):
    code = (
        "import course_utils, sys;"
        "print([m for m in sys.modules if m.startswith('course_utils.') or m in ('torch', 'numpy')])"
    )
    assert run_python("-c", code, PYTHONPATH=runtime.PACKAGE.parent).stdout.strip() == "[]"


def test_every_public_name_is_there():
    for name in dir(course_utils):
        assert getattr(course_utils, name) is not None
    with pytest.raises(AttributeError, match="it has .*batches, .*check"):
        course_utils.convolve  # noqa: B018


def test_setup_prints_one_line_and_no_path(capsys):
    course_utils.setup("02_convolution")
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"course_utils {course_utils.__version__} (clone) · torch ")
    assert line.endswith(" · mnist: sample")
    assert "/" not in line


def test_an_unknown_lesson_is_named():
    with pytest.raises(ValueError, match="02_convolution"):
        course_utils.setup("02_convolutions")


def test_missing_packages_are_found_by_name_and_version():
    assert runtime._missing(["numpy>=1.0", "numpy>=999", "no-such-package"]) == ["numpy>=999", "no-such-package"]


def test_what_is_missing_is_installed_and_named(monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(
        runtime.subprocess, "run", lambda command, **_: calls.append(command) or SimpleNamespace(returncode=0)
    )
    runtime._install(["no-such-package>=1"])
    assert calls == [[sys.executable, "-m", "pip", "install", "--quiet", "no-such-package>=1"]]
    assert capsys.readouterr().out == "Installing no-such-package>=1\n"


def test_a_failed_installation_says_what_to_do(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="no network")
    monkeypatch.setattr(runtime.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match=r"-m pip install 'seaborn>=0.13'\n.*\n.*-m ensurepip\nno network"):
        runtime._install(["seaborn>=0.13"])


def test_no_lesson_installs_torch():
    for file in (runtime.PACKAGE / "needs").glob("*.toml"):
        needs = runtime.tomllib.loads(file.read_text(encoding="utf-8"))
        assert not {"torch", "torchvision"} & {name.split(">")[0] for name in needs["packages"]}
