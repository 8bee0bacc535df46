"""The official formats: read to the byte, and refused when they are something else or hostile."""

import gzip
import io
import os
import pickle
import struct

import numpy as np
import pytest

from course_utils._images.archives import CautiousUnpickler, read_archives
from course_utils._images.catalogue import SOURCES
from tests.package.images.misbehaving import (
    binary_archive,
    cifar_batches,
    idx,
    python2_pickle,
    python_archive,
    small_arrays,
    small_files,
    tar_of,
)

FILES = small_files()
EDITIONS = [(name, edition) for name, source in SOURCES.items() for edition in source.editions]


def lay_out(folder, contents):
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    return {file: folder / file for file in contents}


def without(member):
    arrays = cifar_batches(small_arrays("cifar10"))
    return {f"cifar-10-batches-bin/{name}.bin": bytes(3073) for name in arrays if name != member}


class Calls:
    """What a hostile pickle says: call this."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def by_hand(module, name, argument):
    """Call module.name(argument), written as opcodes, so that it need not exist here."""
    return (
        b"\x80\x02c"
        + f"{module}\n{name}\n".encode()
        + b"X"
        + struct.pack("<I", len(argument))
        + argument.encode()
        + b"\x85R."
    )


@pytest.mark.parametrize(("name", "edition"), EDITIONS, ids=[f"{name} {edition.form}" for name, edition in EDITIONS])
def test_every_edition_is_read_to_the_byte(name, edition, tmp_path):
    read, arrays = read_archives(edition, lay_out(tmp_path, FILES[name])), small_arrays(name)
    assert read.keys() == arrays.keys()
    for key in arrays:
        assert read[key].dtype == np.uint8 and np.array_equal(read[key], arrays[key])
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(FILES[name])  # nothing was unpacked


def test_the_pickles_of_these_tests_look_like_those_of_2009():
    content = python2_pickle({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2]})
    assert content.startswith(b"\x80\x02") and b"T\x04\0\0\0data" in content
    assert b"cnumpy.core.multiarray\n_reconstruct" in content and b"cnumpy\ndtype" in content


IDX = {
    "not gzip": (b"<html>", "BadGzipFile"),
    "cut gzip": (idx(np.zeros((2, 28, 28), np.uint8))[:-9], "EOFError"),
    "empty": (gzip.compress(b""), "mark of an idx file"),
    "floats": (gzip.compress(b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0"), "mark of an idx file"),
    "too few": (gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 5) + b"1234"), r"announces \(5,\) and holds 4 values"),
    "too many": (gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 5) + b"123456"), "holds 6 values"),
    "no lengths": (gzip.compress(b"\0\0\x08\x03"), "ValueError"),
    "a product beyond 64 bits": (gzip.compress(struct.pack(">BBBB4I", 0, 0, 8, 4, *[2**16] * 4)), "holds 0 values"),
}


@pytest.mark.parametrize("case", IDX)
def test_a_file_that_is_no_idx_is_refused(case, tmp_path):
    content, reason = IDX[case]
    files = lay_out(tmp_path, FILES["mnist"] | {"t10k-labels-idx1-ubyte.gz": content})
    with pytest.raises(ValueError, match=f"(?s)t10k-labels-idx1-ubyte.gz can't be read.*{reason}"):
        read_archives(SOURCES["mnist"].editions[0], files)


BINARY = {
    "not gzip": (b"<html>", "ReadError"),
    "cut": (binary_archive(small_arrays("cifar10"))[:-2000], "EOFError|ReadError"),
    "a batch is missing": (tar_of(without("data_batch_3")), "holds no data_batch_3"),
    "no test batch": (tar_of(without("test_batch")), "holds no test_batch"),
    "half an image": (tar_of({"cifar-10-batches-bin/data_batch_1.bin": bytes(3000)}), "reshape"),
    "other folders": (tar_of({"../data_batch_1.bin": bytes(3073)}), "holds no data_batch_1 and no data_batch_2"),
}


@pytest.mark.parametrize("case", BINARY)
def test_an_archive_that_is_no_cifar10_is_refused(case, tmp_path):
    content, reason = BINARY[case]
    with pytest.raises(ValueError, match=f"(?s)cifar-10-binary.tar.gz can't be read.*({reason})"):
        read_archives(SOURCES["cifar10"].editions[0], lay_out(tmp_path, {"cifar-10-binary.tar.gz": content}))
    assert [file.name for file in tmp_path.iterdir()] == ["cifar-10-binary.tar.gz"]


HOSTILE = {
    "os.system": by_hand("os", "system", "touch sprung"),
    "posix.system": by_hand("posix", "system", "touch sprung"),
    "eval": by_hand("builtins", "eval", "open('sprung', 'w')"),
    "eval of Python 2": by_hand("__builtin__", "eval", "open('sprung', 'w')"),
    "subprocess": by_hand("subprocess", "getoutput", "touch sprung"),
    "a file by numpy": by_hand("numpy", "fromfile", "/etc/passwd"),
    "numpy's own pickles": by_hand("numpy", "load", "/etc/passwd"),
    "a way through numpy": by_hand("numpy.core.multiarray", "os.system", "touch sprung"),
    "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
    "getattr": by_hand("builtins", "getattr", "x"),
    "imports": by_hand("importlib", "import_module", "antigravity"),
    "a class of ours": pickle.dumps(Calls(os.mkdir, "sprung")),
    "in a list in a dictionary": pickle.dumps({b"data": [Calls(os.mkdir, "sprung")]}),
    "in an array of objects": pickle.dumps(np.array([Calls(os.mkdir, "sprung")], object)),
    "a persistent id": b"\x80\x02X\x01\0\0\0aQ.",
    "sets": pickle.dumps({frozenset({Calls(os.mkdir, "sprung")})}),
    "complex numbers": pickle.dumps(1j),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_pickle_is_refused_before_it_does_anything(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    members = {
        f"cifar-10-batches-py/{name}": HOSTILE[case]
        for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    }
    files = lay_out(tmp_path, {"cifar-10-python.tar.gz": tar_of(members)})
    with pytest.raises(ValueError, match=r"cifar-10-python.tar.gz can't be read \(\w*UnpicklingError"):
        read_archives(SOURCES["cifar10"].editions[1], files)
    assert [file.name for file in tmp_path.iterdir()] == ["cifar-10-python.tar.gz"]


def test_what_the_unpickler_admits():
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    content = {"data": pixels, "labels": [1, 2], "batch_label": "batch 1 of 5", "filenames": ["a.png"]}
    read = CautiousUnpickler(io.BytesIO(python2_pickle(content)), encoding="bytes").load()
    assert np.array_equal(read.pop(b"data"), pixels)
    assert read == {b"labels": [1, 2], b"batch_label": b"batch 1 of 5", b"filenames": [b"a.png"]}


def test_labels_and_pixels_of_the_wrong_kind_are_refused(tmp_path):
    arrays = small_arrays("cifar10")
    plain = cifar_batches(arrays)
    for change in (
        {"labels": [1.5] * 6},
        {"labels": [300] * 6},
        {"labels": [1] * 5},
        {"labels": [-1] * 6},
        {"data": np.zeros((6, 3072))},
        {"data": np.zeros((6, 3000), np.uint8)},
        {"data": None},
    ):
        members = {}
        for name, (x, y) in plain.items():
            batch = {"labels": y.tolist(), "data": x.reshape(len(x), -1)}
            members[f"cifar-10-batches-py/{name}"] = python2_pickle(batch | change if name != "test_batch" else batch)
        files = lay_out(tmp_path, {"cifar-10-python.tar.gz": tar_of(members)})
        with pytest.raises(ValueError, match="cifar-10-python.tar.gz can't be read"):
            read_archives(SOURCES["cifar10"].editions[1], files)
    files = lay_out(tmp_path, {"cifar-10-python.tar.gz": python_archive(arrays)})  # and so it can be read
    assert read_archives(SOURCES["cifar10"].editions[1], files)
