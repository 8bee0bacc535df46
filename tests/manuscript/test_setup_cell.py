"""The first cell of every lesson: where it finds `course_utils`, and what it leaves behind when it fails."""

import io
import os
import re
import tarfile
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.common import ROOT, read, setup_cell, tokens

VERSION = tokens()["version"]
KEPT = f"{tokens()['repository'].replace('/', '-')}-{VERSION}"  # a folder of what was fetched
SHOW = "\nimport course_utils, subprocess\nprint(course_utils.__file__)\n"
SHOW_CHILD = "subprocess.run([sys.executable, '-c', 'import course_utils; print(course_utils.__file__)'], check=True)\n"


def put_course(folder, version=VERSION):
    """A small stand-in for the package."""
    (folder / "course_utils").mkdir(parents=True)
    (folder / "course_utils" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    return str(folder / "course_utils" / "__init__.py")


def pack(file, version=VERSION, top="kernel-by-kernel-0.1.0"):
    """An archive as GitHub makes it, with one top folder."""
    files = {"README.md": "Hello\n" * 10_000, "course_utils/__init__.py": f'__version__ = "{version}"\n'}
    with tarfile.open(file, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return file


@pytest.fixture
def start(tmp_path, run_python):
    """Run the setup cell, and what shows its result, in a folder; the cache is `tmp_path/cache`."""
    file = tmp_path / "cell.py"
    file.write_text(setup_cell() + SHOW + SHOW_CHILD, encoding="utf-8")

    def run(cwd, **environment):
        cwd.mkdir(parents=True, exist_ok=True)
        return run_python("-W", "error", file, cwd=cwd, **{"COURSE_HOME": tmp_path / "cache"} | environment)

    return run


NOWHERE = {"COURSE_ARCHIVE": "file:///there/is/no/such.tar.gz"}


def test_it_is_short():
    lines = setup_cell().splitlines()
    assert len(lines) <= 61 and max(map(len, lines)) <= 78


def test_a_clone_is_found_from_any_folder_inside_it(start, tmp_path):
    file = put_course(tmp_path / "clone")
    done = start(tmp_path / "clone" / "work" / "deep", **NOWHERE)
    assert done.stdout.splitlines() == [file, file], done.stderr


def test_an_installed_package_of_this_version_is_found(start, tmp_path):
    file = put_course(tmp_path / "installed")
    done = start(tmp_path / "empty", PYTHONPATH=tmp_path / "installed", **NOWHERE)
    assert done.stdout.splitlines() == [file, file], done.stderr


def test_another_version_is_passed_over(start, tmp_path):
    put_course(tmp_path / "installed", version="0.0.9")
    archive = pack(tmp_path / "v.tar.gz")
    done = start(tmp_path / "empty", PYTHONPATH=tmp_path / "installed", COURSE_ARCHIVE=archive.as_uri())
    home = tmp_path / "cache" / KEPT
    assert done.stdout.splitlines() == [str(home / "course_utils" / "__init__.py")] * 2, done.stderr


def test_the_archive_is_fetched_once(start, tmp_path):
    archive = pack(tmp_path / "v.tar.gz")
    first = start(tmp_path / "empty", COURSE_ARCHIVE=archive.as_uri())
    archive.unlink()
    second = start(tmp_path / "empty", COURSE_ARCHIVE=archive.as_uri())
    assert first.stdout == second.stdout != ""
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [KEPT]


@pytest.mark.parametrize("fault", ["missing", "truncated", "another version", "not an archive"])
def test_a_failed_fetch_says_what_to_do_and_leaves_nothing(start, tmp_path, fault):
    archive = pack(tmp_path / "v.tar.gz", version="0.0.9" if fault == "another version" else VERSION)
    if fault == "missing":
        archive.unlink()
    if fault == "truncated":
        archive.write_bytes(archive.read_bytes()[:200])
    if fault == "not an archive":
        archive.write_text("<html>Sign in to this network</html>")
    done = start(tmp_path / "empty", COURSE_ARCHIVE=archive.as_uri())
    message = done.stderr.splitlines()[-1]
    assert done.returncode and message.startswith("RuntimeError: ") and archive.as_uri() in message
    assert "run this cell again" in message and "COURSE_ARCHIVE" in message and "clone" in message
    assert not list((tmp_path / "cache").glob("**/*"))


def test_of_several_addresses_the_first_that_gives_the_course_counts(start, tmp_path):
    archive = pack(tmp_path / "v.tar.gz")
    addresses = [NOWHERE["COURSE_ARCHIVE"], pack(tmp_path / "old.tar.gz", version="0.0.9").as_uri(), str(archive)]
    done = start(tmp_path / "empty", COURSE_ARCHIVE=";".join(addresses))
    home = tmp_path / "cache" / KEPT
    assert done.stdout.splitlines() == [str(home / "course_utils" / "__init__.py")] * 2, done.stderr
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [KEPT]


def test_when_all_addresses_fail_one_message_tells_of_each(start, tmp_path):
    addresses = [NOWHERE["COURSE_ARCHIVE"], pack(tmp_path / "old.tar.gz", version="0.0.9").as_uri()]
    done = start(tmp_path / "empty", COURSE_ARCHIVE=";".join(addresses))
    message = done.stderr.splitlines()[-1]
    assert message.startswith("RuntimeError: ") and all(address in message for address in addresses)
    assert message.count("run this cell again") == 1 and not list((tmp_path / "cache").glob("**/*"))


def test_a_mirror_of_the_course_is_asked_after_github():
    cell = setup_cell()
    assert cell.index("github.com") < cell.index("+ MIRROR") and f"MIRROR = {tokens()['mirror']}" in cell


def test_nothing_is_written_outside_of_the_folder(start, tmp_path):
    archive = tmp_path / "v.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../escaped"), io.BytesIO(b""))
    assert start(tmp_path / "empty", COURSE_ARCHIVE=archive.as_uri()).returncode
    assert not list(tmp_path.rglob("escaped"))


def test_notebooks_started_together_all_find_it(start, tmp_path):
    archive = pack(tmp_path / "v.tar.gz")
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: start(tmp_path / "empty", COURSE_ARCHIVE=archive.as_uri()), range(6)))
    assert [each.returncode for each in done] == [0] * 6, [each.stderr for each in done]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [KEPT]


def test_the_archive_may_be_a_file_without_a_scheme(start, tmp_path):
    done = start(tmp_path / "empty", COURSE_ARCHIVE=pack(tmp_path / "v.tar.gz"))
    assert done.returncode == 0, done.stderr


def test_a_notebook_in_a_clone_of_another_version_says_so(start, tmp_path):
    put_course(tmp_path / "clone", version="9.2.0")
    done = start(tmp_path / "clone" / "work", **NOWHERE)
    assert f"no course_utils {VERSION}" in done.stderr and "Here is 9.2.0: use its notebook." in done.stderr


@pytest.mark.parametrize("home", ["", "~/here"])
def test_course_home_may_be_empty_or_begin_with_a_tilde(start, tmp_path, home):
    archive, user = pack(tmp_path / "v.tar.gz"), tmp_path / "user"
    done = start(tmp_path / "empty", COURSE_ARCHIVE=archive.as_uri(), COURSE_HOME=home, HOME=user)
    place = user / "here" if home else user / ".cache" / "kernel-by-kernel"
    assert done.stdout.splitlines()[0] == str(place / KEPT / "course_utils" / "__init__.py"), done.stderr
    assert not list((tmp_path / "empty").iterdir())


def test_places_that_cannot_be_looked_at_hold_nothing(start, tmp_path, closed, no_rights):
    file = put_course(tmp_path / "open")
    places = os.pathsep.join([str(closed / "deep"), str(tmp_path / "open")])
    done = start(tmp_path / "empty", PYTHONPATH=places, COURSE_HOME=closed, before=no_rights, **NOWHERE)
    assert done.stdout.splitlines() == [file, file], done.stderr


def test_a_place_that_cannot_be_written_to_is_named(start, tmp_path, closed, no_rights):
    archive = pack(tmp_path / "v.tar.gz").as_uri()
    done = start(tmp_path / "empty", COURSE_HOME=closed, COURSE_ARCHIVE=archive, before=no_rights)
    message = done.stderr.splitlines()[-1]
    assert message.startswith("RuntimeError") and str(closed) in message and "COURSE_HOME" in message


def test_without_a_home_it_names_the_variable_and_needs_none_with_it(start, tmp_path, no_home):
    archive = pack(tmp_path / "v.tar.gz").as_uri()
    done = start(tmp_path / "empty", COURSE_ARCHIVE=archive, COURSE_HOME="", **no_home)
    assert "COURSE_HOME" in done.stderr.splitlines()[-1] and not list((tmp_path / "empty").iterdir())
    done = start(tmp_path / "empty", COURSE_ARCHIVE=archive, **no_home)
    assert done.returncode == 0, done.stderr


def test_an_unpacked_release_is_found_as_the_page_says_for_kaggle(start, tmp_path, run_python):
    [block] = re.findall(r"^   ```python\n((?:   .*\n|\n)+?)   ```", read(ROOT / "book" / "network.md"), re.M)
    assert "/kaggle/input" in block
    file = put_course(tmp_path / "input" / "my-data" / "kernel-by-kernel-0.1.0")
    (tmp_path / "input" / "my-data" / "mnist.npz").touch()
    cell = tmp_path / "both.py"
    above = textwrap.dedent(block).replace("/kaggle/input", str(tmp_path / "input"))
    cell.write_text(above + setup_cell() + SHOW + SHOW_CHILD + "print(os.environ['COURSE_DATA_DIR'])\n")
    done = run_python(cell, **NOWHERE)
    assert done.stdout.splitlines() == [file, file, str(tmp_path / "input" / "my-data")], done.stderr
