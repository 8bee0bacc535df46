"""Each lesson alone, as a student's one file: it fetches `course_utils` from an archive made like GitHub's, and runs.

In an empty folder with everything installed; in one that can only be read, with no packages but those that Colab
brings; and as on Kaggle, without internet.
"""

import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
import venv
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from tools.common import ROOT, manuscripts, project_files, read_notebook, tokens

VERSION = tokens()["version"]
KEPT = f"{tokens()['repository'].replace('/', '-')}-{VERSION}"  # a folder of what was fetched


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


def said(cell):
    """What a cell printed. It may come in several pieces, cut wherever the kernel happened to send one."""
    return "".join(output.text for output in cell.outputs)


@pytest.mark.parametrize("name", manuscripts()[:1])
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
    assert where == [str(home / KEPT / "course_utils" / "__init__.py"), str(clean_python)]
    setup = [cell for cell in executed.cells if cell.cell_type == "code"][1]
    assert "(archive)" in said(setup) and str(tmp_path) not in said(setup)
    assert [path.name for path in home.iterdir()] == [KEPT]
    assert sys.executable != str(clean_python)


COLAB = ["torch", "torchvision", "numpy", "matplotlib", "seaborn", "scikit-learn", "pandas", "ipython", "ipykernel"]


def with_what_they_need(names):
    """Distributions, and all that these depend on."""
    found, waiting = {}, list(names)
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # asked for on another system only
            continue
        for text in found[key].requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """An interpreter with pip that sees the packages of Colab's image and no others; lessons install into it."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    seen = folder / "seen"
    seen.mkdir()
    for found in with_what_they_need(COLAB).values():
        for top in {Path(file).parts[0] for file in found.files or [] if ".." not in Path(file).parts}:
            if top != "__pycache__" and not (seen / top).exists():
                (seen / top).symlink_to(found.locate_file(top))
    [packages] = folder.glob("venv/lib/python*/site-packages")
    (packages / "seen.pth").write_text(f"{seen}\n", encoding="utf-8")
    python = folder / "venv" / "bin" / "python"
    ask = [python, "-m", "pip", "download", "--no-deps", "-q", "-d", folder / "tried", "torchinfo"]
    if subprocess.run(ask, capture_output=True).returncode:
        pytest.skip("no package index can be reached, from which a lesson would install what Colab lacks")
    absent = subprocess.run([python, "-c", "import optuna"], capture_output=True, text=True)
    assert "No module named 'optuna'" in absent.stderr
    return python


def run_in(kernel, notebook, folder, run_python, tmp_path, **environment):
    """Run a notebook with the tests' small parameters in a kernel that this command starts."""
    spec = tmp_path / "jupyter" / "kernels" / "student"
    spec.mkdir(parents=True)
    argv = [*map(str, kernel), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "student", "language": "python"}))
    file = tmp_path / "given.ipynb"
    nbformat.write(notebook, file)
    command = ["-c", RUN, file, folder]
    done = run_python(*command, JUPYTER_PATH=tmp_path / "jupyter", COURSE_PROGRESS="off", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_notebook(file)


RUN = """
import sys, nbformat
from nbclient import NotebookClient
file, folder = sys.argv[1:]
notebook = nbformat.read(file, 4)
client = NotebookClient(notebook, kernel_name="student", timeout=300, resources={"metadata": {"path": folder}})
client.execute()
nbformat.write(notebook, file)
"""


def with_small_parameters(notebook):
    """The notebook with its mocks as lines of their own, behind the cells that have them."""
    for cell in notebook.cells:
        for name, value in cell.metadata.get("nbmake", {}).get("mock", {}).items():
            cell.source += f"\n{name} = {value!r}"
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("name", manuscripts())
def test_a_lesson_with_colabs_packages_in_a_folder_that_can_only_be_read(
    name, colab, archive, run_python, no_rights, tmp_path
):
    folder, home = tmp_path / "read-only", tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o555)
    notebook = with_small_parameters(read_notebook(ROOT / "notebooks" / f"{name}.ipynb"))
    notebook.cells.append(nbformat.v4.new_code_cell("import course_utils\nprint(course_utils.__file__)"))
    notebook.cells.append(nbformat.v4.new_code_cell("open('x', 'w')", metadata={"tags": ["raises-exception"]}))
    addresses = f"file:///no/such/archive.tar.gz;{archive.as_uri()}"
    executed = run_in(
        [*no_rights, colab],
        notebook,
        folder,
        run_python,
        tmp_path,
        COURSE_HOME=home,
        COURSE_ARCHIVE=addresses,
        COURSE_DATA="sample",
    )
    assert said(executed.cells[-2]).strip() == str(home / KEPT / "course_utils" / "__init__.py")
    assert executed.cells[-1].outputs[0].ename == "PermissionError" and not list(folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01_training_loop", "06_lenet", "17_audit"])
def test_a_lesson_as_on_kaggle(name, clean_python, archive, run_python, no_rights, tmp_path):
    release = tmp_path / "input" / "my-course"
    with tarfile.open(archive) as tar:
        tar.extractall(release, filter="data")
    for path in [release, *release.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    page = (ROOT / "book" / "network.md").read_text(encoding="utf-8")
    [cell] = re.findall(r"^   ```python\n((?:   .*\n|\n)+?)   ```", page, re.MULTILINE)
    cell = textwrap.dedent(cell).replace("/kaggle/input", str(tmp_path / "input"))
    notebook = with_small_parameters(read_notebook(ROOT / "notebooks" / f"{name}.ipynb"))
    notebook.cells.insert(1, nbformat.v4.new_code_cell(cell))
    notebook.cells.append(nbformat.v4.new_code_cell("print(course_utils.__file__)"))
    (tmp_path / "working").mkdir()
    offline = {"https_proxy": "http://127.0.0.1:9", "PIP_NO_INDEX": "1", "COURSE_DATA": "sample"}
    executed = run_in([*no_rights, clean_python], notebook, tmp_path / "working", run_python, tmp_path, **offline)
    assert said(executed.cells[-1]).startswith(str(release))
