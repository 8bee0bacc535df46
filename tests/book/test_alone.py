"""Each lesson alone in an empty folder, with an interpreter that has the packages but not this checkout: it fetches
`course_utils` from an archive made like GitHub's, and runs."""

import sys
import sysconfig
import tarfile
import venv

import nbformat
import pytest

from tests.checkout import project_files
from tools.common import ROOT, manuscripts, read_notebook, tokens

VERSION = tokens()["version"]


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory):
    """The interpreter of a new environment that finds installed packages through a .pth file."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "installed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The files of this checkout as GitHub would pack a tag of them."""
    file = tmp_path_factory.mktemp("archive") / f"v{VERSION}.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for path in project_files():
            tar.add(path, f"kernel-by-kernel-{VERSION}/{path.relative_to(ROOT)}")
    return file


def lessons_to_try():
    """One in every run, the others among the slow tests."""
    return [pytest.param(name, marks=[pytest.mark.slow] if index else []) for index, name in enumerate(manuscripts())]


def said(cell):
    """What a cell printed. It may come in several pieces, cut wherever the kernel happened to send one."""
    return "".join(output.text for output in cell.outputs)


@pytest.mark.parametrize("name", lessons_to_try())
def test_a_lesson_alone(name, clean_python, archive, run_python, tmp_path):
    folder, home = tmp_path / "empty", tmp_path / "home"
    folder.mkdir()
    notebook = read_notebook(ROOT / "notebooks" / f"{name}.ipynb")
    notebook.cells.append(nbformat.v4.new_code_cell("import sys\nprint(course_utils.__file__)\nprint(sys.executable)"))
    nbformat.write(notebook, folder / f"{name}.ipynb")
    done = run_python(
        "-m",
        "pytest",
        "--nbmake",
        "--overwrite",
        "--nbmake-timeout=120",
        "-p",
        "no:cacheprovider",
        f"{name}.ipynb",
        cwd=folder,
        python=clean_python,
        HOME=tmp_path,
        COURSE_HOME=home,
        COURSE_ARCHIVE=archive.as_uri(),
        COURSE_DATA="sample",
    )
    assert done.returncode == 0, done.stdout
    executed = read_notebook(folder / f"{name}.ipynb")
    where = said(executed.cells[-1]).splitlines()
    assert where == [str(home / f"v{VERSION}" / "course_utils" / "__init__.py"), str(clean_python)]
    setup = [cell for cell in executed.cells if cell.cell_type == "code"][1]
    assert "(archive)" in said(setup) and str(tmp_path) not in said(setup)
    assert [path.name for path in home.iterdir()] == [f"v{VERSION}"]
    assert sys.executable != str(clean_python)
