"""Copies of the project to try things on: whole, and with two tiny lessons in place of the real ones."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from filelock import FileLock

from tests.checkout import copy_project
from tools.common import SETUP_MARKER, tokens

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""


@pytest.fixture
def clone(tmp_path):
    """A copy of the project, as a fresh clone has it."""
    return copy_project(tmp_path / "clone")


class TinyBook:
    """A project with two lessons that take seconds, and `make` in it."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def change(self, name, old, new):
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def append(self, name, text):
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def make(self, *arguments, **variables):
        """`make`, in this test's own environment instead of a new one."""
        return self.call("make", "-o", ".venv/.ready", *arguments, **variables)

    def call(self, *command, **variables):
        """Exit status and output of a command in this project."""
        environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COURSE_RUN_DIR")
        }
        environment |= {"COURSE_DATA": "sample", "OMP_NUM_THREADS": "1", **variables}
        done = subprocess.run(command, cwd=self.folder, env=environment, text=True, capture_output=True)
        return done.returncode, done.stdout + done.stderr

    def news(self):
        """What `make book` would give as the reasons to run each lesson again; empty for a lesson that it re-uses."""
        code = (
            "from tools.notebooks import pair_all\nfrom tools.run_lessons import *\nimport json\npair_all()\n"
            "notebooks = {name: read_notebook(ROOT / 'notebooks' / f'{name}.ipynb') for name in manuscripts()}\n"
            "print(json.dumps({name: changes(kept(name), notebook) for name, notebook in notebooks.items()}))"
        )
        environment = {**os.environ, "COURSE_STRICT": "1", "COURSE_RUN_DIR": ".run", "PYTHONPATH": "."}
        command = [sys.executable, "-c", code]
        return json.loads(subprocess.check_output(command, cwd=self.folder, env=environment, text=True))

    @property
    def page(self):
        return self.folder / "_build" / "html" / "notebooks" / "01_one.html"


@pytest.fixture(scope="session")
def built_tiny_book(tmp_path_factory):
    """A tiny book, built once for all processes that run these tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with FileLock(shared / "tiny.lock"):
        if not (shared / "tiny").exists():
            build_tiny_book(shared / "tiny-in-the-making")
            (shared / "tiny-in-the-making").rename(shared / "tiny")
    return shared / "tiny"


def build_tiny_book(folder):
    copy_project(folder)
    for pattern in ("book/*.py", "book/*.md", "notebooks/*", "course_utils/needs/*"):
        for path in folder.glob(pattern):
            path.unlink()
    book = TinyBook(folder)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "notebooks").mkdir(exist_ok=True)
    book.write(
        "_config.yml",
        f"title: Tiny\nexecute: {{execute_notebooks: 'off'}}\nonly_build_toc_files: true\n"
        f"repository:\n  url: {tokens()['url']}\n",
    )
    book.write(
        "_toc.yml",
        "format: jb-book\nroot: book/index\nchapters:\n"
        "- file: notebooks/01_one\n- file: notebooks/02_two\n- file: book/claims\n",
    )
    book.write("book/index.md", "# Tiny\n\nFrom {{ repository }} at {{ tag }}.\n")
    for name, code in (
        ("01_one", "claim('One is {value}.', 1, equals=1)"),
        ("02_two", "from course_utils.shapes import conv_output_size\n\nprint(conv_output_size(5, 3))"),
    ):
        book.write(
            f"book/{name}.py",
            f"{HEADER}# %% [markdown]\n# # {int(name[:2])} · Tiny\n#\n# Some prose.\n\n"
            f"# %%\n{SETUP_MARKER}\n\n"
            f"# %%\nimport course_utils\n\ncourse_utils.setup('{name}')\n\n"
            f"# %%\nfrom course_utils import claim\n\nSEED = 0\n\n# %%\n{code}\n",
        )
    status, output = book.make("book")
    assert status == 0 and output.count(": ran in") == 2, output


@pytest.fixture
def tiny_book(built_tiny_book, tmp_path):
    """A tiny book of one's own, built once already."""
    shutil.copytree(built_tiny_book, tmp_path / "tiny", symlinks=True)
    return TinyBook(tmp_path / "tiny")
