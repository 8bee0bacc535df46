"""What a lesson is told about where it runs, and what the book is told about what a lesson used."""

import json
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
    assert runtime.missing(["numpy>=1.0", "numpy>=999", "no-such-package"]) == ["numpy>=999", "no-such-package"]


def test_what_is_missing_is_installed_and_named(monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(
        runtime.subprocess, "run", lambda command, **_: calls.append(command) or SimpleNamespace(returncode=0)
    )
    runtime._install(["no-such-package>=1"])
    assert calls == [[sys.executable, "-m", "pip", "install", "--quiet", "no-such-package>=1"]]
    assert capsys.readouterr().out == "Installing no-such-package>=1\n"
    runtime._install([])
    assert len(calls) == 1


def test_a_failed_installation_says_what_to_do(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="no network")
    monkeypatch.setattr(runtime.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match="pip install --quiet seaborn.*\nno network"):
        runtime._install(["seaborn"])


def test_no_lesson_installs_torch():
    for file in (runtime.PACKAGE / "needs").glob("*.toml"):
        needs = runtime.tomllib.loads(file.read_text(encoding="utf-8"))
        assert not {"torch", "torchvision"} & {name.split(">")[0] for name in needs["packages"]}


def test_a_missing_resource_lists_its_neighbours():
    with pytest.raises(FileNotFoundError, match="lenet_plateau.json"):
        course_utils.recorded("lenet_plato")


def test_recorded_runs_come_with_a_line_that_says_when_and_on_what(capsys):
    runs = course_utils.recorded_runs("lenet_plateau")
    assert runs == course_utils.recorded("lenet_plateau")["runs"]
    said = capsys.readouterr().out
    assert runs[-1]["date"] in said and "mnist, official" in said and "experiments.lenet_plateau" in said


def test_the_line_names_every_machine_of_the_runs(tmp_path, monkeypatch, capsys):
    runs = [{"date": f"2026-01-0{day}", "machine": machine} for day, machine in ((1, "CPU"), (1, "CPU"), (2, "a GPU"))]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "tried.json").write_text(json.dumps({"data": "mnist, official", "runs": runs}))
    monkeypatch.setattr(runtime, "PACKAGE", tmp_path)
    assert course_utils.recorded_runs("tried") == runs
    said = capsys.readouterr().out
    assert "2026-01-01 and 2026-01-02" in said and "CPU; a GPU" in said and said.count("CPU") == 1


def test_an_experiment_that_was_never_run_says_so_and_a_lesson_still_depends_on_it(monkeypatch, capsys):
    monkeypatch.setattr(runtime, "_resources", set())
    assert course_utils.recorded_runs("never") == []
    assert "Not run yet" in capsys.readouterr().out
    assert runtime.used()["resources"] == {"results/never.json": None}


def test_a_fingerprint_sees_code_and_nothing_else(tmp_path):
    def fingerprint(code):
        (tmp_path / "module.py").write_text(code)
        return runtime.fingerprint_module(tmp_path / "module.py")

    plain = fingerprint("def f(x):\n    return x + 1\n")
    assert fingerprint('"""New."""\n# note\n\ndef f(x):\n    """Says more."""\n    return x+1\n') == plain
    assert fingerprint("def f(x):\n    return x + 2\n") != plain
    assert fingerprint('def f(x):\n    return "x + 1"\n') != plain


def test_used_names_what_was_used(run_python):
    code = (
        "import json, course_utils; from course_utils import claim, load;"
        "course_utils.setup('02_convolution'); load('mnist');"
        "from course_utils import runtime; print(json.dumps(runtime.used()))"
    )
    root = runtime.PACKAGE.parent
    done = run_python("-c", code, PYTHONPATH=root, COURSE_DATA="sample")
    record = json.loads(done.stdout.splitlines()[-1])
    assert {"course_utils.claims", "course_utils.data", "course_utils.sources"} <= record["modules"].keys()
    assert "course_utils.training" not in record["modules"] and "course_utils" not in record["modules"]
    assert record["resources"].keys() == {"needs/02_convolution.toml"}
    assert "torch" in record["distributions"]
    assert record["data"]["mnist"]["copy"] == "sample" and record["course_data"] == "sample"
