"""What works in a clone in which nobody has run `make`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.common import ROOT, lessons, manuscripts
from tools.rehearse import OFFLINE

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="there is no git here")


def git_status(folder):
    return subprocess.check_output(["git", "status", "--porcelain"], cwd=folder, text=True)


def run_nbmake(clone, run_python, *paths):
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    before = git_status(clone)
    done = run_python("-m", "pytest", "--nbmake", *paths, cwd=clone, **OFFLINE)
    assert done.returncode == 0, done.stdout
    assert f"{len(paths) if paths != ('notebooks',) else len(manuscripts())} passed" in done.stdout
    assert git_status(clone) == before


def files(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(path.relative_to(folder).as_posix() for path in paths)


@needs_git
def test_nbmake_runs_one_notebook(clone, run_python):
    run_nbmake(clone, run_python, f"notebooks/{lessons()[1]}.ipynb")


@needs_git
@pytest.mark.slow
def test_nbmake_runs_them_all(clone, run_python):
    run_nbmake(clone, run_python, "notebooks")


def test_jupyter_book_without_executed_lessons_names_the_remedy(clone, run_python):
    done = run_python(Path(sys.executable).with_name("jupyter-book"), "build", ".", cwd=clone)
    assert done.returncode != 0
    assert "run `make book`" in done.stdout + done.stderr
    assert not list((clone / "_build" / "html").glob("*.html"))


def test_a_wheel_holds_the_package_and_its_files(clone, run_python, tmp_path):
    done = run_python(
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        ".",
        "--wheel-dir",
        tmp_path / "wheels",
        cwd=clone,
    )
    assert done.returncode == 0, done.stderr
    [wheel] = (tmp_path / "wheels").glob("kernel_by_kernel-*.whl")
    unpacked = tmp_path / "unpacked"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, unpacked], check=True)
    assert files(unpacked / "course_utils") == files(ROOT / "course_utils")
    assert {path.name.split("-")[0] for path in unpacked.iterdir()} == {"course_utils", "kernel_by_kernel"}
