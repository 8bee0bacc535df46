"""`make book` on a tiny book: what is run again, what is re-used, what stops it, and what it leaves."""

import json
import socket

import pytest

from tools.common import tokens


def test_nothing_changed_nothing_runs_and_nothing_is_built(tiny_book):
    built = tiny_book.page.stat().st_mtime_ns
    status, output = tiny_book.make("book")
    assert status == 0
    assert str(tiny_book.folder / "_build" / "html" / "index.html") in output and "Nothing has changed" in output
    assert ": ran in" not in output and "Building" not in output and tiny_book.page.stat().st_mtime_ns == built
    assert "Data: the built-in sample" in output


@pytest.mark.parametrize("change", ["a page", "a docstring", "a missing site", "another setting"])
def test_whatever_the_site_is_made_from_builds_it_anew(change, tiny_book):
    stamp = "from tools.build import *\nprint((SITE / 'index.html').exists() and read(STAMP) == stamp({}))"
    command = [".venv/bin/python", "-c", stamp]
    assert tiny_book.call(*command, COURSE_STRICT="1") == (0, "True\n")
    if change == "a page":
        tiny_book.append("book/index.md", "\nMore.\n")
    elif change == "a docstring":
        tiny_book.change("course_utils/augment.py", '"""', '"""More to say. ')
    elif change == "a missing site":
        (tiny_book.folder / "_build" / "html" / "index.html").unlink()
    strict = "0" if change == "another setting" else "1"
    assert tiny_book.call(*command, COURSE_STRICT=strict) == (0, "False\n")


def test_prose_runs_nothing_but_is_shown(tiny_book):
    tiny_book.change("book/01_one.py", "Some prose.", "Other prose.")
    status, output = tiny_book.make("book")
    assert status == 0 and output.count(": re-used") == 2
    page = tiny_book.page.read_text(encoding="utf-8")
    assert "Other prose." in page and 'class="claim"' in page


def test_changed_code_runs_its_lesson_alone(tiny_book):
    tiny_book.change("book/02_two.py", "conv_output_size(5, 3)", "conv_output_size(6, 3)")
    assert tiny_book.news() == {"01_one": [], "02_two": ["its code"]}
    status, output = tiny_book.make("book")
    assert status == 0 and "01_one: re-used" in output and "02_two: ran in" in output


def test_a_changed_module_runs_the_lessons_that_loaded_it(tiny_book):
    tiny_book.append("course_utils/shapes.py", "\nANSWER = 42\n")
    assert tiny_book.news() == {"01_one": [], "02_two": ["course_utils.shapes"]}
    tiny_book.append("course_utils/claims.py", "\nANSWER = 42\n")
    assert tiny_book.news()["01_one"] == ["course_utils.claims"]


def test_a_module_that_is_gone_runs_the_lessons_that_loaded_it(tiny_book):
    (tiny_book.folder / "course_utils" / "shapes.py").unlink()
    assert tiny_book.news() == {"01_one": [], "02_two": ["course_utils.shapes"]}


def test_comments_docstrings_and_other_modules_run_nothing(tiny_book):
    tiny_book.append("course_utils/claims.py", "\n# A comment.\n")
    tiny_book.change("course_utils/shapes.py", '"""', '"""More to say. ')
    tiny_book.append("course_utils/__init__.py", "\nANSWER = 42\n")
    tiny_book.append("course_utils/convolution.py", "\nANSWER = 42\n")
    assert tiny_book.news() == {"01_one": [], "02_two": []}


def test_a_changed_package_file_runs_the_lesson_that_opened_it(tiny_book):
    tiny_book.change("tools/needs.py", "# Written by", "# Made by")  # into each lesson's file of needs
    assert tiny_book.news() == {"01_one": ["needs/01_one.toml"], "02_two": ["needs/02_two.toml"]}


def test_another_version_of_a_package_or_python_runs_the_lessons_that_loaded_it(tiny_book):
    file = tiny_book.folder / ".run" / "executed" / "01_one.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    record["used"]["distributions"] |= {"numpy": "0.0", "gone": "1.0"}
    record["used"]["python"] = "3.10.0"
    file.write_text(json.dumps(record), encoding="utf-8")
    assert tiny_book.news() == {"01_one": ["Python", "numpy", "gone"], "02_two": []}


def test_other_data_runs_the_lessons_that_loaded_it(tiny_book):
    file = tiny_book.folder / ".run" / "executed" / "01_one.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    record["used"]["data"] = {"mnist": {"copy": "sample", "fingerprint": "of an older sample"}}
    file.write_text(json.dumps(record), encoding="utf-8")
    assert tiny_book.news() == {"01_one": ["mnist"], "02_two": []}


def test_another_choice_of_data_runs_everything(tiny_book, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "auto")
    assert tiny_book.news() == {"01_one": ["COURSE_DATA"], "02_two": ["COURSE_DATA"]}


def test_lessons_run_while_there_is_time(tiny_book):
    tiny_book.change("book/02_two.py", "conv_output_size(5, 3)", "conv_output_size(6, 3)")
    assert tiny_book.make("notebooks")[0] == 0
    command = [".venv/bin/python", "-m", "tools.run_lessons", "--minutes"]
    status, output = tiny_book.call(*command, "0")
    assert status == 0 and "01_one: re-used" in output and "02_two: left out" in output, output
    status, output = tiny_book.call(*command, "5", COURSE_STRICT="1")
    assert status == 0 and "02_two: ran in" in output, output


def test_lessons_that_raise_stop_the_book_every_time_and_all_are_told(tiny_book):
    tiny_book.change("book/01_one.py", "equals=1", "equals=2")
    tiny_book.change("book/02_two.py", "print(conv_output_size(5, 3))", "answer = 1 / 0  # oh")
    (tiny_book.folder / "_build" / "html" / "index.html").write_text("an earlier book")
    for _ in range(2):
        status, output = tiny_book.make("book")
        assert status != 0
        assert "02_two FAILED" in output and "answer = 1 / 0  # oh" in output and "ZeroDivisionError" in output
        assert (
            "01_one FAILED" in output and "ClaimError" in output and "2 of 2 lessons failed: 01_one, 02_two" in output
        )
        assert "ready" not in output and "Building" not in output
    assert not list((tiny_book.folder / ".run" / "executed").glob("*.json"))
    assert (tiny_book.folder / "_build" / "html" / "index.html").read_text() == "an earlier book"


def test_a_dead_link_stops_the_book_every_time(tiny_book):
    tiny_book.write("book/index.md", "# Tiny\n\n[Nowhere](nowhere.md)\n")
    site = tiny_book.folder / "_build"
    (site / "html").rename(site / "elsewhere")
    for _ in range(2):
        status, output = tiny_book.make("book")
        assert status != 0
        assert "nowhere.md" in output and "ready" not in output
        assert not (site / "html").exists()


def test_missing_real_data_is_an_error_with_remedies(tiny_book, tmp_path):
    tiny_book.change("book/01_one.py", "import claim\n", "import claim, load\n\nload('mnist')\n")
    status, output = tiny_book.make("book", COURSE_DATA="real", COURSE_DATA_DIR=str(tmp_path / "no-data"))
    assert status != 0
    assert "mnist.npz" in output and "COURSE_DATA_DIR" in output and "Traceback" not in output


def test_the_run_folder_can_lie_elsewhere(tiny_book, tmp_path):
    (tiny_book.folder / ".run").rename(tmp_path / "elsewhere")
    tiny_book.change("book/01_one.py", "Some prose.", "Other prose.")
    status, output = tiny_book.make("book", COURSE_RUN_DIR=str(tmp_path / "elsewhere"))
    assert status == 0 and output.count("re-used") == 2, output
    assert not (tiny_book.folder / ".run").exists()


def test_another_owner_gets_another_address(tiny_book):
    old = tokens()["repository"]
    assert tiny_book.make("brand", "REPO=ada-lovelace/looms")[0] == 0
    for name in ("_config.yml", "notebooks/01_one.ipynb"):
        text = (tiny_book.folder / name).read_text(encoding="utf-8")
        assert "ada-lovelace/looms" in text and old not in text
    assert tiny_book.news() == {"01_one": [], "02_two": []}


def test_clean_deletes_what_was_made_here_and_nothing_else(tiny_book, tmp_path):
    foreign = tmp_path / "my folder" / "book"
    foreign.mkdir(parents=True)
    (foreign / "novel.txt").write_text("Chapter 1")
    variables = {name: str(foreign.parent) for name in ("RUN_DIR", "COURSE_RUN_DIR")}
    status, output = tiny_book.make("clean", **variables)
    assert status == 0 and (foreign / "novel.txt").exists(), output
    assert not (tiny_book.folder / "_build").exists() and not (tiny_book.folder / ".run" / "executed").exists()


def test_a_run_folder_that_is_not_ours_is_refused(tiny_book, tmp_path):
    (tmp_path / "test").mkdir()
    status, output = tiny_book.make("book", COURSE_RUN_DIR=str(tmp_path))
    assert status != 0 and "COURSE_RUN_DIR must name a new or an empty folder" in output and "Traceback" not in output
    assert (tmp_path / "test").exists()


PIP = """#!/bin/sh
case "$*" in
  "-m pip --version") [ -e "$0.pip" ];;
  "-m ensurepip --upgrade") {ensurepip};;
  *) echo "called with $*";;
esac
"""


@pytest.mark.parametrize(("ensurepip", "status"), [("exit 1", 2), ('touch "$0.pip"', 0)])
def test_an_environment_without_pip_is_mended_or_explained(tiny_book, ensurepip, status):
    python = tiny_book.folder / ".venv" / "bin" / "python"
    (tiny_book.folder / ".venv").unlink()  # a link to this environment
    python.parent.mkdir(parents=True)
    python.write_text(PIP.format(ensurepip=ensurepip))
    python.chmod(0o755)
    done, output = tiny_book.call("make", ".venv/.ready")
    assert done == status and ("apt install python3-venv" in output) == bool(status), output
    assert ("called with -m pip install" in output) == (not status)


def test_a_port_in_use_is_said_so(tiny_book):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        status, output = tiny_book.make("serve", f"PORT={taken.getsockname()[1]}")
    assert status != 0 and "is in use. Name another: make serve PORT=8001" in output and "Traceback" not in output
