"""`python -m course_utils.data`: what it prints, where, and with which exit status."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from course_utils._images import commands, prepared, sources
from course_utils._images.catalogue import SOURCES
from tests.package.images.misbehaving import small_arrays, small_files, small_sources

ROOT = Path(__file__).parents[3]
FILES = small_files()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, server):
    """An empty data folder, a catalogue of small data sets that a good address serves; COURSE_DATA must not matter."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COURSE_DATA", "sample")
    monkeypatch.setattr(sources, "_failed", {})
    for name, source in small_sources(FILES, [server.address("good")]).items():
        monkeypatch.setitem(SOURCES, name, source)
    return tmp_path


@pytest.fixture
def run(capsys):
    def run(*arguments):
        try:
            status = commands.main(list(arguments))
        except SystemExit as done:
            status = done.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def serve(monkeypatch, server, behaviour):
    for name, source in small_sources(FILES, [server.address(behaviour)]).items():
        monkeypatch.setitem(SOURCES, name, source)


def test_where(run, folder):
    assert run("where") == (0, f"{folder}\n", "")


def test_list_says_what_is_known_and_what_is_here(run, folder, monkeypatch):
    monkeypatch.undo()  # the real catalogue
    monkeypatch.setenv("COURSE_DATA_DIR", str(folder))
    np.savez(folder / "mnist.npz", **small_arrays("mnist"))
    (folder / "cifar10.npz").write_bytes(b"garbage")
    status, out, problems = run("list")
    assert status == 0 and problems == ""
    for part in (
        "mnist: MNIST",
        "here     unknown copy (mnist.npz)",
        "here     nothing yet",
        "here     broken: ",
        "licence  CC BY-SA 3.0",
        "licence  MIT",
        "none stated",
        "Krizhevsky",
        "(untested)",
        str(folder),
        "cifar-10-binary.tar.gz  170,052,171 bytes  md5 c32a1d4ab5d03f1284b67883e8d87530",
        "Mirror: none",
    ):
        assert part in out, part


def test_fetch_all_and_again(run, folder, server):
    status, out, problems = run("fetch", "all")
    assert status == 0 and problems == ""
    assert [line for line in out.splitlines() if "ready" in line] == [f"{name}: official, ready" for name in SOURCES]
    asked = len(server.seen)
    assert run("fetch", "mnist", "cifar10") == (
        0,
        "mnist: official, is here already\ncifar10: official, is here already\n",
        "",
    )
    assert len(server.seen) == asked


def test_each_problem_is_one_line_with_its_remedy(run, folder, server, monkeypatch):
    serve(monkeypatch, server, "forbidden")
    np.savez(folder / "fashion_mnist.npz", **small_arrays("fashion_mnist"))
    status, out, problems = run("fetch", "all")
    assert status == 1 and "fashion_mnist: unknown copy, is here already" in out
    lines = problems.splitlines()
    assert len(lines) == 2 and all(line.startswith("PROBLEM ") and " Remedy: " in line for line in lines)
    assert "mnist: none of the addresses gave it whole" in lines[0] and "HTTP 403" in lines[0]
    assert str(folder / "cifar10") in lines[1] and "COURSE_DATA_MIRROR" in lines[1]


def test_fetch_mends_what_it_fetched_and_refuses_what_is_a_users(run, folder, server):
    run("fetch", "mnist")
    (folder / "mnist.npz").write_bytes(b"garbage")
    (folder / "cifar10.npz").write_bytes(b"garbage of a user")
    status, out, problems = run("fetch", "mnist", "cifar10")
    assert status == 1 and "mnist: was fetched before and is broken now" in out and "mnist: official, ready" in out
    [line] = problems.splitlines()
    assert line.startswith("PROBLEM cifar10: ") and "it can't be read" in line and "move it away" in line
    assert (folder / "cifar10.npz").read_bytes() == b"garbage of a user"


def test_fetch_into_a_folder_that_is_full(run, folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("course_utils._images.prepared.write_file", full)
    status, out, problems = run("fetch", "mnist")
    assert status == 1 and "the data folder can't keep it (No space left on device)" in out
    assert problems.startswith("PROBLEM mnist: could be read and not be kept. Remedy: make room")


def test_verify(run, folder, server):
    status, _, problems = run("verify")
    assert status == 1
    assert problems == f"PROBLEM no prepared file is here. Remedy: {sys.executable} -m course_utils.data fetch all\n"
    run("fetch", "mnist")
    np.savez(folder / "cifar10.npz", **small_arrays("cifar10"))
    status, out, problems = run("verify")
    assert status == 0 and problems == ""
    assert out == (
        f"mnist: official, SHA-256 of its arrays {prepared.hash_arrays(small_arrays('mnist'))}\n"
        f"cifar10: unknown copy, SHA-256 of its arrays {prepared.hash_arrays(small_arrays('cifar10'))}\n"
    )
    assert run("verify", "fashion_mnist")[2].startswith("PROBLEM fashion_mnist: is not here. Remedy: ")
    for name in ("mnist", "cifar10"):
        (folder / f"{name}.npz").write_bytes(b"garbage")
    asked = len(server.seen)
    status, out, problems = run("verify")
    ours, users = problems.splitlines()
    assert (status, out) == (1, "") and ours.endswith("-m course_utils.data fetch mnist")
    assert users.endswith("Remedy: put a sound file in its place, or move it away.")
    assert (folder / "mnist.npz").read_bytes() == b"garbage" and len(server.seen) == asked


@pytest.mark.parametrize(
    "arguments", [(), ("fetch",), ("fetch", "svhn"), ("verify", "MNIST"), ("load", "mnist"), ("where", "mnist")]
)
def test_wrong_use(run, arguments):
    status, out, problems = run(*arguments)
    assert status == 2 and out == "" and problems.startswith("usage: python -m course_utils.data")


def test_help_documents_the_exit_status(run):
    status, out, _ = run("--help")
    assert status == 0
    for part in ("exit status", "0  all is well", "130", "COURSE_DATA_MIRROR", "fetch", "verify"):
        assert part in out


def test_an_interruption(run, monkeypatch, folder):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.sources, "obtain", interrupt)
    assert run("fetch", "mnist") == (130, "", "Interrupted. The same command goes on from here.\n")


def test_a_wrong_mirror(run, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_MIRROR", "ftp://school.example")
    status, _, problems = run("fetch", "mnist")
    assert status == 1 and problems.startswith("PROBLEM COURSE_DATA_MIRROR must be") and problems.count("\n") == 1


def test_as_a_command():
    command = [sys.executable, "-m", "course_utils.data", "fetch", "mnist"]  # the real catalogue, and no way out
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "none of 3 addresses could be reached" in done.stderr
