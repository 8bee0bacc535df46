"""A fork with a name of its own: nothing in it points back."""

import ast
import json
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.checkout import copy_project
from tools.common import ROOT, manuscripts, project_files, read_notebook, tokens

REPO = "/".join(("ada-l", "looms"))  # this file is in the fork too, and must not hold its address
MIRROR = "https://mirrors.course.example/a-school-with-a-long-name/" + REPO + "/releases/v{version}.tar.gz"
TITLE, AUTHOR = 'Ada\'s "Looms": čísla & more', "Ada Lovelace, Ünal Ö."


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """The project's files, copied and branded."""
    folder = copy_project(tmp_path_factory.mktemp("fork"))
    (folder / ".venv").symlink_to(sys.prefix)
    for _ in range(2):  # the second time it changes nothing more
        command = [
            "make",
            "-o",
            ".venv/.ready",
            "brand",
            f"REPO={REPO}",
            f"TITLE={TITLE}",
            f"AUTHOR={AUTHOR}",
            f"MIRROR={MIRROR}",
        ]
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert f"The course is now {TITLE}, by {AUTHOR}, at https://github.com/{REPO}" in done.stdout
    return folder


def test_no_file_of_a_fork_points_back(fork):
    old = tokens()
    stray = []
    for path in project_files():
        try:
            text = (fork / path.relative_to(ROOT)).read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture or an archive
            continue
        if old["repository"] in text or "{}.github.io".format(old["repository"].partition("/")[0]) in text:
            stray.append(str(path.relative_to(ROOT)))
    assert stray == []


def test_the_mirror_of_a_fork_may_have_its_name_too(fork):
    test = "tests/house/test_house.py::test_the_address_stands_in_one_place"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=fork, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout


def test_a_fork_shows_its_own_name(fork):
    config = yaml.safe_load((fork / "_config.yml").read_text(encoding="utf-8"))
    assert (config["title"], config["author"]) == (TITLE, AUTHOR)
    assert config["sphinx"]["config"]["html_theme_options"]["logo"]["text"] == TITLE
    citation = yaml.safe_load((fork / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["title"].startswith(f"{TITLE}: ") and citation["authors"] == [{"name": AUTHOR}]
    [based_on] = citation["references"]
    assert based_on["authors"] == [{"name": "The Kernel by Kernel authors"}]
    codemeta = json.loads((fork / "codemeta.json").read_text(encoding="utf-8"))
    assert (codemeta["name"], codemeta["author"][0]["name"]) == (TITLE, AUTHOR)
    project = tomllib.loads((fork / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["authors"] == [{"name": AUTHOR}]
    for page in ("README.md", "book/index.md"):
        assert (fork / page).read_text(encoding="utf-8").startswith(f"# {TITLE}\n")
    assert (fork / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_each_setup_cell_of_a_fork_asks_its_own_repository(fork):
    for name in manuscripts():
        setup = next(
            cell for cell in read_notebook(fork / "notebooks" / f"{name}.ipynb").cells if cell.cell_type == "code"
        )
        assert f'"{REPO}"' in setup.source
        [mirror] = [line for line in ast.parse(setup.source).body if "MIRROR" in ast.unparse(line).partition("=")[0]]
        assert ast.literal_eval(mirror.value) == MIRROR.replace("{version}", tokens()["version"])
        assert max(map(len, setup.source.splitlines())) <= 78
