"""What works in a clone in which nobody has run `make`."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tools.common import ROOT, lessons, manuscripts, tokens
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
    assert (unpacked / "course_utils" / "py.typed").exists()
    [about] = unpacked.glob("*.dist-info/METADATA")
    head, _, text = about.read_text(encoding="utf-8").partition("\n\n")
    assert (
        "Description-Content-Type: text/markdown" in head and text.strip() == (ROOT / "README.md").read_text().strip()
    )
    assert f"Version: {tokens()['version']}" in head and "Requires-Python: >=3.11" in head

    venv.create(tmp_path / "clean", with_pip=False, symlinks=True)
    [packages] = (tmp_path / "clean").glob("lib/python*/site-packages")
    (packages / "installed.pth").write_text(f"{unpacked}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    use = "import course_utils\nprint(course_utils.__file__)\nassert course_utils.check('2.3', (600, 608))"
    done = run_python(
        "-c", f"{use}\ncourse_utils.setup('02_convolution')", python=tmp_path / "clean" / "bin" / "python"
    )
    assert str(unpacked) in done.stdout and "(installed)" in done.stdout, done.stderr
