"""The page about slow and missing networks: every command on it runs, against stand-ins on this machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from course_utils._images.catalogue import SOURCES
from tests.manuscript.test_setup_cell import SHOW, pack
from tests.package.images.misbehaving import Server, small_files
from tools import release
from tools.common import ROOT, fill, read, setup_cell, tokens
from tools.data_table import with_data_files

PAGE = fill(read(ROOT / "book" / "network.md"))
BLOCKS = [textwrap.dedent(b) for b in re.findall(r"^ *```(?:python|bash)\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)]


def block(words):
    """The one block that holds these words."""
    [found] = [text for text in BLOCKS if words in text]
    return found


@pytest.fixture
def index(tmp_path):
    """A package index of one package, `looms`: a folder laid out as pip reads it."""
    folder = tmp_path / "simple" / "looms"
    folder.mkdir(parents=True)
    wheel = folder / "looms-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("looms.py", "THREADS = 7\n")
        archive.writestr("looms-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: looms\nVersion: 1.0\n")
        archive.writestr("looms-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("looms-1.0.dist-info/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    (tmp_path / "simple" / "index.html").write_text('<a href="looms/">looms</a>')
    return (tmp_path / "simple").as_uri()


@pytest.fixture
def shell(tmp_path):
    """Run a block in a terminal of somebody who has nothing: a home of their own, no way out."""
    programs = Path(sys.executable).parent

    def run(text, **environment):
        variables = {
            "HOME": str(tmp_path),
            "PATH": f"{programs}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
            "https_proxy": "http://127.0.0.1:9",
        }
        variables |= {name: str(value) for name, value in environment.items()}
        done = subprocess.run(["bash", "-e", "-c", text], cwd=tmp_path, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_packages_come_from_a_mirror_or_from_a_folder(shell, index, tmp_path):
    (tmp_path / "requirements.txt").write_text("looms>=1\n")
    (tmp_path / "constraints.txt").write_text("looms==1.0\n")
    into = tmp_path / "into"
    from_mirror = block("pip config set").replace("config set", "config --user set").replace("ADDRESS", index)
    shell(from_mirror, PIP_TARGET=into)
    assert (into / "looms.py").exists()
    shell(block("pip download"), PIP_INDEX_URL=index)
    assert [path.name for path in (tmp_path / "wheels").iterdir()] == ["looms-1.0-py3-none-any.whl"]
    shutil.rmtree(into)
    shell(block("--no-index --find-links wheels"), PIP_TARGET=into)
    assert (into / "looms.py").exists()


@pytest.mark.parametrize("words", ["PIP_INDEX_URL", "PIP_FIND_LINKS"])
def test_a_lesson_installs_from_where_the_cell_above_says(words, run_python, index, tmp_path):
    wheels = tmp_path / "simple" / "looms"
    cell = block(words).replace("ADDRESS", index).replace('"wheels"', repr(str(wheels)))
    install = "from course_utils.runtime import _install\n_install(['looms>=1'])\n"
    done = run_python("-c", cell + install, PYTHONPATH=ROOT, PIP_TARGET=tmp_path / "into")
    assert done.returncode == 0 and (tmp_path / "into" / "looms.py").exists(), done.stderr


def test_the_course_comes_from_the_named_archive(run_python, tmp_path):
    archive = pack(tmp_path / "kernel-by-kernel.tar.gz")
    cell = block("COURSE_ARCHIVE").replace("ADDRESS", f"file:///no/such.tar.gz;{archive}")
    done = run_python("-c", cell + setup_cell() + SHOW, COURSE_HOME=tmp_path / "home")
    assert str(tmp_path / "home") in done.stdout, done.stderr
    assert f"/archive/refs/tags/{tokens()['tag']}.tar.gz" in PAGE


@pytest.fixture
def small_data(tmp_path):
    """Environment of a Python whose catalogue has small data sets, which a server of this machine has."""
    server, place = Server(small_files()), tmp_path / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from course_utils._images.catalogue import SOURCES\n"
        "from tests.package.images.misbehaving import small_files, small_sources\n"
        f"SOURCES.update(small_sources(small_files(), [{server.address('good')!r}]))\n"
    )
    yield {"PYTHONPATH": f"{place}{os.pathsep}{ROOT}", "no_proxy": "127.0.0.1", "COURSE_DATA": "real"}
    server.close()


def test_the_four_commands_of_the_data(shell, small_data, tmp_path):
    said = shell(block("data verify"), COURSE_DATA_DIR=tmp_path / "data", **small_data)
    assert "mnist: official" in said and said.rstrip().endswith(str(tmp_path / "data"))
    assert (tmp_path / "data" / "mnist.npz").exists()
    text = block("fetch all").replace("/workspace", str(tmp_path / "space"))
    shell(text, **small_data)
    assert sorted(path.name for path in (tmp_path / "space" / "course-data").glob("*.npz")) == sorted(
        f"{name}.npz" for name in SOURCES
    )


def test_what_is_set_above_the_first_cell(run_python, tmp_path):
    drive = tmp_path / "google"
    drive.mkdir()
    (drive / "__init__.py").touch()
    (drive / "colab.py").write_text("class drive:\n    mount = staticmethod(print)\n")
    show = "\nimport json\nprint(json.dumps({k: v for k, v in os.environ.items() if k.startswith('COURSE_')}))"
    colab = block("google.colab").replace("/content/drive/MyDrive", str(tmp_path / "drive"))
    done = run_python("-c", colab + show, PYTHONPATH=tmp_path)
    place = tmp_path / "drive" / "kernel-by-kernel"
    expected = {"COURSE_DATA_DIR": str(place), "COURSE_PROGRESS": str(place / "progress.txt")}
    assert json.loads(done.stdout.splitlines()[-1]) == expected and place.is_dir(), done.stderr
    done = run_python("-c", block('os.environ["COURSE_DATA_DIR"] = "/workspace') + show)
    expected = {"COURSE_DATA_DIR": "/workspace/course-data", "COURSE_PROGRESS": "/workspace/progress.txt"}
    assert json.loads(done.stdout) == expected, done.stderr


def test_kaggles_cell_finds_the_course_and_the_data_and_not_the_sample(run_python, tmp_path):
    for name in ("course/kernel/course_utils/_images/sample/mnist.npz", "mine/cifar10.npz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "course" / "kernel" / "course_utils" / "__init__.py").touch()
    cell = block("/kaggle/input").replace("/kaggle/input", str(tmp_path))
    done = run_python("-c", cell + "\nprint(os.environ['COURSE_DATA_DIR'], sys.path[-1], sep='\\n')")
    assert done.stdout.splitlines() == [str(tmp_path / "mine"), str(tmp_path / "course" / "kernel")], done.stderr


def test_the_bundle_is_a_task_of_make():
    command = block("make release").replace("make", "make -n -o .venv/.ready -o book", 1)
    told = subprocess.check_output(["bash", "-c", command], cwd=ROOT, text=True)
    assert "-m tools.release --data --wheels" in told
    assert block("make lab").splitlines() == release.offline_commands(data=True, wheels=True)


def test_no_block_of_the_page_is_left_untried():
    asked = re.findall(r"""block\((?:"([^"]+)"|'([^']+)')\)""", read(Path(__file__)))
    words = ["PIP_INDEX_URL", "PIP_FIND_LINKS", "/kaggle/input", *("".join(pair) for pair in asked)]
    assert [text for text in BLOCKS if not any(each in text for each in words)] == []


def test_the_page_lists_every_official_file_with_its_sum():
    page = with_data_files(PAGE)
    files = [file for source in SOURCES.values() for edition in source.editions for file in edition.archives]
    assert len(files) >= 10 and all(f"| `{file.file}` | {file.size:,} | `{file.md5}` |" in page for file in files)
