"""Downloads over a network that fails in every way: another address, or one clear error; never a wrong file."""

import hashlib
import json
import random
import socket
import threading
import time

import numpy as np
import pytest

from course_utils._images import fetch as network
from course_utils._images import prepared, sources
from course_utils._images.catalogue import SOURCES, Address
from tests.package.images.misbehaving import FAULTS, small_arrays, small_files, small_sources

FILES = small_files()
CALM = {"CONNECT": 10, "READ": 20}  # this machine may be busy
IMPATIENT = {"CONNECT": 10, "READ": 1, "GRACE": 0.5, "RATES": (20_000, 1)}
SLOW = {"silent", "stalled", "dripping"}  # these cost a second or so each, and need an impatient client
TARGETS = [
    (name, edition.form, archive.file)
    for name, source in SOURCES.items()
    for edition in source.editions
    for archive in edition.archives
]
SCENES = ("fault first", "fault alone", "on a good half", "on a wrong half")


def cases():
    """Every fault in every scene, on files chosen at random but always the same."""
    dice = random.Random(9)
    images = [target for target in TARGETS if "labels" not in target[2]]  # labels are there before anybody has looked
    return [
        (fault, scene, *target)
        for fault in FAULTS
        for scene in SCENES
        for target in (dice.sample(images, 1) if fault in SLOW else dice.sample(TARGETS, 3))
    ]


@pytest.fixture
def offer(server, monkeypatch):
    """Put the small data sets into the catalogue, at these addresses; one edition alone if asked."""

    def offer(*behaviours, form=None):
        for name, source in small_sources(FILES, [server.address(behaviour) for behaviour in behaviours]).items():
            editions = [edition for edition in source.editions if form in (None, edition.form)]
            monkeypatch.setitem(SOURCES, name, source._replace(editions=tuple(editions)))

    return offer


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Obtain a data set in the folder of this test, with more patience or less."""

    def fetch(name, patience=CALM, **options):
        for limit, value in patience.items():
            monkeypatch.setattr(network, limit, value)
        return sources.obtain(name, tmp_path / f"{name}.npz", **options)

    return fetch


def work_folder(name, folder):
    work = folder / ".downloads" / name
    work.mkdir(parents=True, exist_ok=True)
    return work


def assert_official(name, folder, read):
    arrays = small_arrays(name)
    assert read.copy == "official" and read.fingerprint == prepared.hash_arrays(arrays)
    again = prepared.read_file(name, folder / f"{name}.npz")
    assert again.copy == "official" and all(np.array_equal(again.arrays[key], arrays[key]) for key in arrays)
    assert sorted(file.name for file in folder.iterdir()) == [".downloads", f"{name}.json", f"{name}.npz"]
    assert [file.name for file in (folder / ".downloads").iterdir()] == [f"{name}.lock"]


def assert_nothing_wrong_was_kept(name, folder):
    """No prepared file, no story; of the archives at most whole ones and beginnings that are marked as such."""
    assert [file.name for file in folder.iterdir()] in ([], [".downloads"])
    for file in (folder / ".downloads").rglob("*"):
        if file.is_file() and file.suffix != ".lock":
            whole = FILES[name][file.name.removesuffix(".part")]
            assert file.read_bytes() == whole or (file.suffix == ".part" and file.stat().st_size < len(whole)), file


def requests(server, file):
    return [wanted for path, wanted in server.seen if path.endswith(file)]


def test_at_least_200_faults():
    assert len(cases()) >= 200 and {case[0] for case in cases()} == set(FAULTS)


@pytest.mark.parametrize(
    ("fault", "scene", "name", "form", "file"),
    cases(),
    ids=[" ".join((case[0], case[1], case[2], case[4][:9])) for case in cases()],
)
def test_a_fault_is_never_accepted(fault, scene, name, form, file, server, offer, fetch, tmp_path):
    server.only, patience = file, IMPATIENT if fault in SLOW else CALM
    offer(fault, *["good"] * (scene != "fault alone"), form=form)
    whole = FILES[name][file]
    if scene.startswith("on a"):
        half = whole[: len(whole) // 2] if scene == "on a good half" else b"?" * (len(whole) // 2)
        (work_folder(name, tmp_path) / f"{file}.part").write_bytes(half)
    if scene == "fault alone":
        with pytest.raises(prepared.DownloadError, match="none of the addresses gave it whole") as caught:
            fetch(name, patience)
        assert caught.value.tried and all(f"/{fault}/" in line and file in line for line in caught.value.tried)
        assert_nothing_wrong_was_kept(name, tmp_path)
        offer("good", form=form)  # and when the server is well again, all is well
    read = fetch(name, patience)
    assert server.injected >= 1
    assert_official(name, tmp_path, read)
    story = json.loads((tmp_path / f"{name}.json").read_text())
    assert "/good/" in story["from"][file] and story["archives"][file] == hashlib.md5(whole).hexdigest()


# Resuming


def test_a_beginning_is_resumed_even_from_another_address(server, offer, fetch, tmp_path):
    offer("truncated", "good", form="binary")
    read = fetch("cifar10")
    assert_official("cifar10", tmp_path, read)
    asked = requests(server, "cifar-10-binary.tar.gz")
    assert asked[0] is None and all(asked[1:]) and server.seen[-1][0].startswith("/good/")


def test_a_server_without_ranges_sends_it_whole(server, offer, fetch, tmp_path, monkeypatch):
    offer("good", form="binary")
    content = FILES["cifar10"]["cifar-10-binary.tar.gz"]
    (work_folder("cifar10", tmp_path) / "cifar-10-binary.tar.gz.part").write_bytes(content[:1000])
    handler = server.httpd.RequestHandlerClass
    monkeypatch.setattr(handler, "well", lambda self, content: self.answer(200, content))
    read = fetch("cifar10")
    assert_official("cifar10", tmp_path, read)
    assert requests(server, "gz") == ["bytes=1000-"]


def test_a_wrong_beginning_is_thrown_away_and_the_whole_fetched_from_the_same_address(server, offer, fetch, tmp_path):
    offer("good", form="binary")
    (work_folder("cifar10", tmp_path) / "cifar-10-binary.tar.gz.part").write_bytes(b"?" * 1000)
    read = fetch("cifar10")
    assert_official("cifar10", tmp_path, read)
    assert requests(server, "gz") == ["bytes=1000-", None]


@pytest.mark.parametrize("length", ["all", "more"])
def test_a_beginning_as_long_as_the_whole(length, server, offer, fetch, tmp_path):
    offer("good", form="binary")
    content = FILES["cifar10"]["cifar-10-binary.tar.gz"]
    beginning = content if length == "all" else content + b"x"
    (work_folder("cifar10", tmp_path) / "cifar-10-binary.tar.gz.part").write_bytes(beginning)
    read = fetch("cifar10")
    assert_official("cifar10", tmp_path, read)
    assert requests(server, "gz") == ([] if length == "all" else [None])


def test_an_address_that_broke_off_once_is_asked_again(server, offer, fetch, tmp_path):
    server.once = True
    offer("truncated", form="binary")
    read = fetch("cifar10")
    assert_official("cifar10", tmp_path, read)
    half = len(FILES["cifar10"]["cifar-10-binary.tar.gz"]) // 2
    assert requests(server, "gz") == [None, f"bytes={half - half % 1024}-"]  # pooch hands over 1,024 bytes at a time


# Patience


def test_these_tests_are_held_back_from_the_network(no_network):
    for host in ("192.0.2.1", "elsewhere.example"):
        with pytest.raises(OSError, match="no test may speak to"):
            socket.create_connection((host, 80), 1)
    assert no_network == ["192.0.2.1", "elsewhere.example"]
    no_network.clear()  # or this test would fail, as any other that tries


def test_an_offline_machine_waits_once_for_all_addresses(monkeypatch):
    over, tried = threading.Event(), []
    monkeypatch.setattr(network.requests, "head", lambda *_, **__: over.wait(30))
    monkeypatch.setattr(network, "CONNECT", 0.3)
    start = time.monotonic()
    with pytest.raises(prepared.DownloadError, match="none of 5 addresses could be reached"):
        network.reachable("cifar10", tried)
    assert time.monotonic() - start < 3
    over.set()
    assert len(tried) == 5 and all("no connection within 0.3 s" in line for line in tried)


def test_who_is_not_there_is_not_asked(server, offer, monkeypatch):
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    offer("good", form="idx")
    [edition], good = SOURCES["mnist"].editions, server.address("good").format(name="mnist")
    gone = [f"http://127.0.0.1:{port}/", "http://127.0.0.1:99999/", "http://elsewhere.example/"]
    addresses = tuple(Address(base) for base in (gone[0], good, *gone[1:]))
    monkeypatch.setitem(SOURCES, "mnist", SOURCES["mnist"]._replace(editions=(edition._replace(addresses=addresses),)))
    tried = []
    assert network.reachable("mnist", tried) == [[good]]
    assert sorted(line.split(": no connection")[0] for line in tried) == sorted(gone)


def test_too_slow_is_given_up_and_kept_and_a_patient_round_takes_it(server, offer, fetch, tmp_path, monkeypatch):
    offer("dripping", form="idx")
    with pytest.raises(prepared.DownloadError, match="too slow"):
        fetch("mnist", IMPATIENT)
    [part] = (tmp_path / ".downloads" / "mnist").iterdir()
    begun = part.stat().st_size
    assert part.name == "train-images-idx3-ubyte.gz.part" and 1 < begun < 10_000
    server.only = "t10k-labels-idx1-ubyte.gz"  # 38 bytes, which come in about a second
    read = fetch("mnist", IMPATIENT, patient=True)
    assert_official("mnist", tmp_path, read)
    assert requests(server, "train-images-idx3-ubyte.gz")[-1] == f"bytes={begun}-"
    assert requests(server, "t10k-labels-idx1-ubyte.gz")[0] is None


def test_an_address_that_proved_itself_is_asked_first(server, offer, fetch, tmp_path):
    offer("missing", "good")
    fetch("mnist")
    assert [path.split("/")[1] for path, _ in server.seen] == ["missing", "good", "good", "good", "good"]


def test_the_defaults_are_those_that_the_page_states():
    assert (network.CONNECT, network.READ, network.GRACE, network.RATES) == (5, 15, 20, (250_000, 25_000))
