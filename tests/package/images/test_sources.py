"""Whole data sets: from the network, from files that lie there, through kills, full disks and read-only folders."""

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import filelock  # noqa: F401  imported before rights are given up, as are the next three
import numpy as np
import pooch  # noqa: F401
import pytest
import requests  # noqa: F401
import torchvision.datasets.cifar
import torchvision.datasets.mnist

import course_utils
from course_utils import claim, load
from course_utils._images import archives, fetch, prepared, sources
from course_utils._images.catalogue import SOURCES
from tests.package.images.misbehaving import small_arrays, small_files, small_sources, wait_until
from tools.recording import record_all

ROOT = Path(__file__).parents[3]
FILES = small_files()
BINARY = "cifar-10-binary.tar.gz"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, server):
    """An empty data folder in mode `auto`, and a catalogue of small data sets that one good address serves."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COURSE_DATA", "auto")
    for attribute in ("_failed", "loaded"):
        monkeypatch.setattr(sources, attribute, type(getattr(sources, attribute))())
    for name, source in small_sources(FILES, [server.address("good")]).items():
        monkeypatch.setitem(SOURCES, name, source)
    return tmp_path


@pytest.fixture
def no_way_out(monkeypatch):
    """The catalogue's addresses can't be reached."""
    for name, source in small_sources(FILES, ["http://data.example/{name}/"]).items():
        monkeypatch.setitem(SOURCES, name, source)


def state(folder):
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def is_official(name, read):
    arrays = small_arrays(name)
    return read.copy == "official" and all(np.array_equal(read.arrays[key], arrays[key]) for key in arrays)


# The table


def _flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    return content


def child(server, folder, name="cifar10", behaviour="good", before="", **options):
    code = CHILD.format(root=str(ROOT), address=server.address(behaviour), name=name, before=before)
    environment = {**os.environ, "COURSE_DATA": "real", "COURSE_DATA_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def with_file_limit(length):
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))}


@contextmanager
def read_only(folder):
    """A folder that can be read and not written to. Root could all the same, so its rights are given up for a while."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def shelf(monkeypatch):
    """A data folder that anybody may read."""
    with tempfile.TemporaryDirectory() as name:
        shelf = Path(name) / "shelf"
        shelf.mkdir()
        Path(name).chmod(0o755)
        monkeypatch.setenv("COURSE_DATA_DIR", str(shelf))
        yield shelf


@pytest.mark.parametrize(
    ("name", "theirs"), [("mnist", torchvision.datasets.MNIST), ("fashion_mnist", torchvision.datasets.FashionMNIST)]
)
def test_our_sums_are_those_of_torchvision(name, theirs, monkeypatch):
    monkeypatch.undo()  # the real catalogue
    [edition] = SOURCES[name].editions
    assert [(archive.file, archive.md5) for archive in edition.archives] == theirs.resources
    assert edition.addresses[0].base in theirs.mirrors


def test_our_sum_of_cifar10_is_that_of_torchvision(monkeypatch):
    monkeypatch.undo()
    binary, python = SOURCES["cifar10"].editions
    theirs = torchvision.datasets.CIFAR10
    [archive] = python.archives
    assert (archive.file, archive.md5) == (theirs.filename, theirs.tgz_md5)
    assert theirs.url in [address.base + archive.file for address in python.addresses]
    assert binary.form == "binary" and python.form == "python"  # the one without a pickle first


def test_the_table_is_whole(monkeypatch):
    monkeypatch.undo()
    for source in SOURCES.values():
        assert source.licence and source.cite and len(source.classes) == 10
        for edition in source.editions:
            assert len(edition.addresses) > 1 and all(address.tried for address in edition.addresses)
            assert all(address.base.startswith("http") and address.base.endswith("/") for address in edition.addresses)
            assert all(len(archive.md5) == 32 and archive.size > 0 for archive in edition.archives)


# From the network


@pytest.mark.parametrize("name", SOURCES)
def test_a_download_is_read_and_kept(name, server, capsys, folder):
    assert sources.describe(name) == "official"
    assert capsys.readouterr().out == f"Downloading {SOURCES[name].title} (0 MB) …\n"
    asked = len(server.seen)
    assert is_official(name, sources.read(name)) and len(server.seen) == asked
    assert sources.fingerprint(name) == prepared.hash_arrays(small_arrays(name))


def test_the_name_of_a_download_travels_to_setup_results_and_claims(capsys, folder, tmp_path):
    course_utils.setup("02_convolution")
    downloading, line = capsys.readouterr().out.splitlines()
    assert downloading.startswith("Downloading MNIST") and line.endswith(" · mnist: official")
    data = load("mnist", valid=10)
    assert data.source == "official" and repr(data) == "mnist (official): train 20, valid 10, test 10"
    assert sources.loaded["mnist"]["copy"] == "official"
    claim.data("It has {value} classes.", 10, data=data, equals={"official": 10})
    record_all("trial", {}, data, lambda data, config, seed: {}, [{"seed": 0}], folder=tmp_path / "results")
    assert '"data": "mnist, official"' in (tmp_path / "results" / "trial.json").read_text()
    assert ", checked] It has 10 classes." in capsys.readouterr().out  # on the sample it would be skipped


def test_the_story_beside_the_file(folder, server):
    sources.describe("cifar10")
    story = json.loads((folder / "cifar10.json").read_text())
    assert story["archives"] == {BINARY: SOURCES["cifar10"].editions[0].archives[0].md5}
    assert story["from"] == {BINARY: server.address("good").format(name="cifar10")}
    assert story["arrays"] == prepared.hash_arrays(small_arrays("cifar10")) and len(story["date"]) == 10
    assert str(folder) not in json.dumps(story)


def test_without_its_story_or_with_another_ones_a_file_is_a_users(folder):
    sources.describe("mnist")
    other = small_arrays("mnist", train=20)
    np.savez(folder / "mnist.npz", **other)  # put over the downloaded file, whose story is still there
    before = state(folder)
    assert sources.describe("mnist") == "unknown copy" and state(folder) == before
    (folder / "mnist.json").write_text("{}")
    assert sources.describe("mnist") == "unknown copy"


def test_the_python_edition_when_no_address_has_the_binary(server, monkeypatch):
    content = FILES["cifar10"] | {BINARY: b"gone"}
    monkeypatch.setattr(server, "files", FILES | {"cifar10": content})
    assert is_official("cifar10", sources.read("cifar10"))
    assert [path.split("/")[-1] for path, _ in server.seen] == [BINARY, "cifar-10-python.tar.gz"]


def test_a_mirror_is_asked_first(server, monkeypatch, folder):
    monkeypatch.setenv("COURSE_DATA_MIRROR", server.address("good").removesuffix("/{name}/"))
    for name, source in small_sources(FILES, [server.address("forbidden")]).items():
        monkeypatch.setitem(SOURCES, name, source)
    assert is_official("fashion_mnist", sources.read("fashion_mnist")) and server.injected == 0
    assert all(path.startswith("/good/fashion_mnist/") for path, _ in server.seen) and len(server.seen) == 4


def test_a_mirrors_folder_that_is_not_there_is_named(folder, no_way_out, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "real")
    monkeypatch.setenv("COURSE_DATA_MIRROR", str(folder / "stick"))
    with pytest.raises(sources.MissingData, match=f"COURSE_DATA_MIRROR: there is no folder {folder / 'stick'}"):
        sources.read("mnist")


@pytest.mark.parametrize("mirror", ["ftp://school.example/data", "s3://bucket"])
def test_a_mirror_that_cannot_be_is_refused(mirror, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_MIRROR", mirror)
    with pytest.raises(ValueError, match="COURSE_DATA_MIRROR must be an http or https address or a folder; got"):
        sources.read("mnist")


def test_mode_sample_asks_nobody(server, monkeypatch, folder):
    monkeypatch.setenv("COURSE_DATA", "sample")
    assert sources.describe("mnist") == "sample" == sources.read("mnist").copy
    assert server.seen == [] and state(folder) == {}


# Without a network


def test_a_failure_is_remembered_so_that_no_run_mixes_sample_and_real(no_way_out, monkeypatch, server, capsys):
    assert sources.describe("mnist") == "sample"
    monkeypatch.setattr(fetch, "reachable", lambda *_: pytest.fail("asked again"))
    assert load("mnist").source == "sample" == sources.describe("mnist")
    said = capsys.readouterr().out
    sentence, remedy = said.splitlines()
    assert "none of 1 addresses could be reached" in sentence and "/" not in sentence
    assert shlex.split(remedy) == [sys.executable, "-m", "course_utils.data", "fetch", "mnist"]


def test_mode_real_asks_again(no_way_out, monkeypatch, server):
    monkeypatch.setenv("COURSE_DATA", "real")
    with pytest.raises(sources.MissingData):
        sources.read("mnist")
    monkeypatch.setitem(SOURCES, "mnist", small_sources(FILES, [server.address("good")])["mnist"])
    assert sources.describe("mnist") == "official"


def test_mode_real_lists_what_was_tried_and_what_helps(folder, server, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "real")
    addresses = [server.address("forbidden"), server.address("web_page"), "http://data.example/{name}/"]
    monkeypatch.setitem(SOURCES, "cifar10", small_sources(FILES, addresses)["cifar10"])
    (folder / BINARY).write_bytes(b"cut short")
    with pytest.raises(FileNotFoundError) as caught:
        load("cifar10")
    for part in (
        "HTTP 403",
        "offers 26 bytes (text/html)",
        "data.example",
        "no connection",
        "COURSE_DATA_MIRROR",
        f"{folder / BINARY}: not the published file",
        f"put them into {folder / 'cifar10'}",
        f"{BINARY}  {len(FILES['cifar10'][BINARY]):,} bytes  md5",
        "COURSE_DATA=sample",
    ):
        assert part in str(caught.value), part


def test_make_book_settles_the_question_once(no_way_out, monkeypatch, capsys, folder):
    from tools import run_lessons

    monkeypatch.setattr(run_lessons, "needs", lambda name: {"data": ["mnist", "cifar10"]})
    np.savez(folder / "mnist.npz", **small_arrays("mnist"))
    assert run_lessons.settle_data(["02", "06"]) == {} and os.environ["COURSE_DATA"] == "sample"
    assert "the built-in sample (cifar10: none of 1 addresses could be reached)" in capsys.readouterr().out


def test_make_book_downloads_before_the_first_lesson(monkeypatch, capsys, server):
    from tools import run_lessons

    monkeypatch.setattr(run_lessons, "needs", lambda name: {"data": ["mnist", "cifar10"]})
    settled = run_lessons.settle_data(["02", "06"])
    assert settled == {name: prepared.hash_arrays(small_arrays(name)) for name in ("mnist", "cifar10")}
    assert os.environ["COURSE_DATA"] == "real"
    assert "Data: cifar10 (official), mnist (official)" in capsys.readouterr().out


# Files that lie there

PLACES = {
    "a folder of its own": "{name}",
    "the data folder": ".",
    "torchvision's": "{torchvision}",
    "the mirror's": "mirror/{name}",
    "the mirror itself": "mirror",
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("place", PLACES)
def test_official_files_that_lie_there_are_used_and_left_alone(name, place, folder, server, no_way_out, monkeypatch):
    data, mirror = folder / "data", folder / "mirror"
    monkeypatch.setenv("COURSE_DATA_DIR", str(data))
    monkeypatch.setenv("COURSE_DATA_MIRROR", mirror.as_uri() if "itself" in place else str(mirror))
    at = PLACES[place].format(name=name, torchvision=SOURCES[name].torchvision)
    at = folder / at if "mirror" in place else data / at
    at.mkdir(parents=True, exist_ok=True)
    wanted = [archive.file for archive in SOURCES[name].editions[-1].archives]  # of CIFAR-10 the Python edition
    for file in wanted:
        (at / file).write_bytes(FILES[name][file])
    before = state(at) if at != data else {file: state(data)[file] for file in wanted}
    assert is_official(name, sources.read(name)) and server.seen == []
    after = state(at)
    assert {file: after[file] for file in before} == before and (data / f"{name}.npz").is_file()


def test_a_wrong_file_that_lies_there_is_left_alone_and_the_right_one_fetched(folder, server):
    (folder / "mnist").mkdir()
    for file, content in FILES["mnist"].items():
        (folder / "mnist" / file).write_bytes(content)
    wrong = folder / "mnist" / "t10k-images-idx3-ubyte.gz"
    wrong.write_bytes(wrong.read_bytes()[:-1])
    before = state(folder / "mnist")
    assert is_official("mnist", sources.read("mnist")) and state(folder / "mnist") == before
    assert [path for path, _ in server.seen] == ["/good/mnist/t10k-images-idx3-ubyte.gz"]


def test_files_of_another_set_under_the_same_names_are_not_taken(folder, no_way_out):
    for file, content in FILES["fashion_mnist"].items():
        (folder / file).write_bytes(content)
    assert sources.describe("mnist") == "sample" and is_official("fashion_mnist", sources.read("fashion_mnist"))


# Broken later


DAMAGE = {
    "one bit": _flip,
    "cut": lambda file: file.read_bytes()[:-100],
    "empty": lambda file: b"",
    "garbage": lambda file: b"garbage" * 100,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("mode", ["auto", "real"])
def test_what_was_downloaded_and_broke_is_mended(damage, mode, folder, server, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA", mode)
    sources.describe("cifar10")
    file = folder / "cifar10.npz"
    file.write_bytes(DAMAGE[damage](file))
    assert is_official("cifar10", sources.read("cifar10")) and sources.describe("cifar10") == "official"
    assert len(server.seen) == 2 and "is broken now. Fetching it again." in capsys.readouterr().out


def test_what_was_downloaded_and_broke_stays_until_it_can_be_mended(folder, monkeypatch, server):
    sources.describe("cifar10")
    file = folder / "cifar10.npz"
    file.write_bytes(b"garbage")
    monkeypatch.setitem(SOURCES, "cifar10", small_sources(FILES, [server.address("busy")])["cifar10"])
    with pytest.raises(sources.DataError, match="(?s)cifar10.npz: it can't be read.*be fetched again.*HTTP 503"):
        sources.read("cifar10")
    assert file.read_bytes() == b"garbage"


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_users_file_that_broke_is_refused_and_left_alone(damage, folder, server):
    file = folder / "cifar10.npz"
    np.savez(file, **small_arrays("cifar10"))
    assert sources.describe("cifar10") == "unknown copy"
    file.write_bytes(DAMAGE[damage](file))
    before = state(folder)
    with pytest.raises(sources.DataError, match="it can't be read"):
        load("cifar10")
    assert state(folder) == before and server.seen == []


def test_a_file_that_a_user_puts_there_during_the_download_is_not_replaced(folder, server, monkeypatch, capsys):
    mine = small_arrays("cifar10", train=20)

    def read_archives(*arguments):
        np.savez(folder / "cifar10.npz", **mine)
        return small_arrays("cifar10")

    monkeypatch.setattr(archives, "read_archives", read_archives)
    assert is_official("cifar10", sources.read("cifar10"))
    assert "can't keep it (a file of yours has come to lie there)" in capsys.readouterr().out
    assert sources.describe("cifar10") == "unknown copy" and not (folder / "cifar10.json").exists()


# Killed

CHILD = """
import os, signal, sys
sys.path.insert(0, {root!r})
import numpy as np
from course_utils._images import archives, fetch, prepared, sources
from course_utils._images.catalogue import SOURCES
from tests.package.images.misbehaving import small_files, small_sources
import filelock, pooch, requests
SOURCES.update(small_sources(small_files(), [{address!r}]))
{before}
print(sources.read({name!r}).copy, flush=True)
"""

KILL_AT = """
count = 0

def hook(event, arguments):
    global count
    steps = ("open", "os.rename", "os.link", "os.remove", "os.rmdir", "shutil.rmtree")
    if event in steps and any({folder!r} in str(part) for part in arguments):
        count += 1
        if count == {at}:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
"""

KILL_WHILE_WRITING = """
savez = np.savez

def half(stream, **arrays):
    savez(stream, **arrays)
    stream.truncate(stream.tell() // 2)
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)

np.savez = half
"""


def test_killed_at_every_step_it_never_leaves_a_wrong_file(server, folder):
    """At each file that is opened, renamed, linked or removed; until the process comes to its end unharmed."""
    for at in range(1, 200):
        place = folder / str(at)
        place.mkdir()
        process = child(server, place, before=KILL_AT.format(folder=str(place), at=at))
        said = process.communicate()
        if process.returncode == 0:
            assert said[0].endswith("official\n")
            break
        assert process.returncode == -signal.SIGKILL, said
        reached = [file.suffix.strip(".") for file in place.iterdir()]
        if "npz" in reached:
            assert prepared.identify("cifar10", place / "cifar10.npz").copy == "official"
        asked, length = len(server.seen), len(FILES["cifar10"][BINARY])
        had_all = any(file.stat().st_size == length for file in place.rglob(f"{BINARY}*"))
        again = sources.obtain("cifar10", place / "cifar10.npz")
        assert is_official("cifar10", again) and prepared.is_ours("cifar10", place / "cifar10.npz")
        assert len(server.seen) == asked + (0 if had_all or "npz" in reached else 1)
    assert at > 12, "too few steps were seen"


def test_killed_while_writing_the_arrays(server, folder):
    process = child(server, folder, before=KILL_WHILE_WRITING)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (folder / "cifar10.npz").exists()
    assert (folder / ".downloads" / "cifar10" / "cifar10.npz").stat().st_size > 1000
    assert is_official("cifar10", sources.read("cifar10")) and len(server.seen) == 1  # nothing is asked twice
    assert sorted(file.name for file in folder.iterdir()) == [".downloads", "cifar10.json", "cifar10.npz"]


def test_a_story_without_its_file_counts_as_nothing(folder):
    """This is what a kill between the two renames leaves."""
    sources.describe("cifar10")
    (folder / "cifar10.npz").unlink()
    mine = small_arrays("cifar10", train=20)
    np.savez(folder / "cifar10.npz", **mine)  # a user's file beside the story of another one
    assert sources.describe("cifar10") == "unknown copy"
    (folder / "cifar10.npz").unlink()
    assert is_official("cifar10", sources.read("cifar10"))


def test_killed_in_the_middle_of_a_download_the_next_start_resumes_it(server, folder):
    process = child(server, folder, behaviour="stalled")
    part = folder / ".downloads" / "cifar10" / f"{BINARY}.part"
    half = len(FILES["cifar10"][BINARY]) // 2
    wait_until(lambda: part.exists() and part.stat().st_size > 0)
    process.kill()
    process.communicate()
    came = part.stat().st_size
    assert 0 < came <= half and not (folder / "cifar10.npz").exists()
    assert is_official("cifar10", sources.read("cifar10"))
    assert server.seen[-1] == (f"/good/cifar10/{BINARY}", f"bytes={came}-")


# Two at once


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_two_processes_at_once_download_once(name, server, folder):
    processes = [child(server, folder, name, behaviour="late") for _ in range(2)]
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert all(out.endswith("official\n") for out, _ in said)
    assert sum("Another process is at work on" in out for out, _ in said) == 1
    assert len(server.seen) == len(set(server.seen)) == len(SOURCES[name].editions[0].archives)


# Full disk, read-only folder


def test_a_disk_that_is_full_during_the_download(server, folder):
    process = child(server, folder, **with_file_limit(50_000))
    said = process.communicate()[1]
    assert process.returncode == 1 and "MissingData" in said
    assert "the data folder can't keep it (File too large)" in said
    assert not (folder / "cifar10.npz").exists() and not (folder / "cifar10.json").exists()
    assert is_official("cifar10", sources.read("cifar10"))
    assert server.seen[-1][1].startswith("bytes=")


def test_a_disk_that_is_full_when_the_arrays_are_written(server, folder):
    process = child(server, folder, "mnist", **with_file_limit(28_000))
    out, problem = process.communicate()
    assert process.returncode == 0 and out.endswith("official\n"), problem
    assert "MNIST was read from its archives, but the data folder can't keep it (File too large)." in out
    assert not (folder / "mnist.npz").exists() and not (folder / "mnist.json").exists()
    assert is_official("mnist", sources.read("mnist")) and len(server.seen) == 4  # the archives were kept


def test_a_disk_that_lies(folder, monkeypatch, capsys):
    savez = np.savez

    def other(stream, **arrays):
        savez(stream, **(arrays | {"y_test": arrays["y_test"][::-1]}))

    monkeypatch.setattr(prepared.np, "savez", other)
    assert is_official("mnist", sources.read("mnist"))
    assert "can't keep it (it gives back other bytes than were written)" in capsys.readouterr().out
    assert not (folder / "mnist.npz").exists() and not (folder / "mnist.json").exists()


def test_a_read_only_folder_is_read_without_a_lock(shelf, server):
    sources.describe("cifar10")
    prepared._identity.cache_clear()
    before = state(shelf)
    with read_only(shelf):
        assert is_official("cifar10", sources.read("cifar10"))
    assert state(shelf) == before and len(server.seen) == 1


def test_archives_in_a_read_only_folder_are_read_and_nothing_is_kept(shelf, server, capsys):
    (shelf / BINARY).write_bytes(FILES["cifar10"][BINARY])
    before = state(shelf)
    with read_only(shelf):
        assert is_official("cifar10", sources.read("cifar10")) and sources.describe("cifar10") == "official"
    assert state(shelf) == before and server.seen == []
    assert "CIFAR-10 was read from its archives, but the data folder can't keep it" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["auto", "real"])
def test_an_empty_read_only_folder(mode, shelf, server, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA", mode)
    with read_only(shelf):
        if mode == "auto":
            assert load("cifar10").source == "sample"
            assert "the data folder can't keep it (Permission denied)" in capsys.readouterr().out
        else:
            with pytest.raises(sources.MissingData, match=r"(?s)can't keep it \(Permission denied\).*COURSE_DATA_DIR"):
                sources.read("cifar10")
    assert state(shelf) == {} and server.seen == []


def test_a_file_where_the_folder_should_be(folder, monkeypatch, server):
    (folder / "file").write_text("")
    monkeypatch.setenv("COURSE_DATA_DIR", str(folder / "file"))
    assert sources.describe("cifar10") == "sample" and server.seen == []


def test_prepared_data_is_read_without_the_network_code(folder):
    np.savez(folder / "mnist.npz", **small_arrays("mnist"))
    code = (
        "import sys; from course_utils._images import sources; sources.read('mnist'); print({'requests', 'pooch', "
        "'filelock', 'torch', 'course_utils._images.fetch', 'course_utils._images.archives'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done
