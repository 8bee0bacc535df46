"""The course's own piece of Sphinx, and what is drawn by code for the cover."""

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

from tests.checkout import site_extension
from tools.common import ROOT, environment, lessons, needs, read


def test_a_build_without_executed_lessons_says_what_to_do(tmp_path):
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "book", tmp_path / "book")
    program = Path(sys.executable).with_name("jupyter-book")
    bare = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    done = subprocess.run([program, "build", tmp_path], cwd=tmp_path, env=bare, capture_output=True, text=True)
    assert done.returncode != 0
    assert "The lessons have not been executed here: run `make book`" in done.stdout + done.stderr
    assert not list((tmp_path / "_build").rglob("02_convolution.html"))


def test_binder_installs_what_the_package_needs():
    binder = re.findall(r"^  - ([\w-]+)>=", read(ROOT / "binder" / "environment.yml"), re.MULTILINE)
    asked = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["dependencies"]
    asked += [package for lesson in lessons() for package in needs(lesson)["packages"]]
    assert {name.replace("pytorch-cpu", "torch") for name in binder} >= {re.split("[<>=]", text)[0] for text in asked}


def test_the_cover_picture_is_what_its_script_draws():
    script = ROOT / "book" / "_ext" / "hero.py"
    assert runpy.run_path(str(script))["hero"]() == read(ROOT / "book" / "_static" / "hero.svg")


def test_a_fork_names_what_it_is_based_on():
    credit = site_extension().credit
    options = {"repository_url": "https://github.com/ada/looms"}
    config = SimpleNamespace(html_title="Looms", project="Looms", html_theme_options=options, author="Ada Lovelace")
    assert "by Ada Lovelace. Based on Kernel by Kernel by The Kernel by Kernel authors, changed." in credit(config)
    config.author = "The Kernel by Kernel authors"
    assert "Based on" not in credit(config)
