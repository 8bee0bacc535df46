"""The published archives of the data sets, read into arrays. Nothing is unpacked to the disk."""

import gzip
import io
import pickle
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .catalogue import Edition

TRAIN = [f"data_batch_{number}" for number in range(1, 6)]  # the batches of CIFAR-10


def read_archives(edition: Edition, files: dict[str, Path]) -> dict[str, np.ndarray]:
    """Read the archives of one edition, whose sizes and sums are known to be right.

    Args:
        edition: which archives, and of which form.
        files: where each lies, by its published name.

    Returns:
        `x_train`, `x_test`: uint8, N×28×28 or N×32×32×3; `y_train`, `y_test`: uint8, N.

    Raises:
        ValueError: a file is not of that form; it names the file.
    """
    arrays: dict[str, np.ndarray] = {}
    for archive in edition.archives:
        try:
            arrays |= FORMS[edition.form](archive.file, files[archive.file])
        except Exception as problem:  # a damaged or hostile archive can make gzip, tarfile or pickle say anything
            raise ValueError(f"{archive.file} can't be read ({type(problem).__name__}: {problem})") from problem
    return arrays


def _read_idx(name: str, file: Path) -> dict[str, np.ndarray]:
    """One array in the format of MNIST: two zero bytes, 8 for uint8, the number of axes, each length as four bytes with
    the highest first, then the values. Source: the page of MNIST, section *File formats*."""
    with gzip.open(file) as stream:
        content = stream.read()
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"it begins with {content[:4]!r} and not with the mark of an idx file of bytes")
    start = 4 + 4 * content[3]
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", content[3], offset=4))
    values = np.frombuffer(content, np.uint8, offset=start)
    if values.size != np.prod(shape, dtype=object):
        raise ValueError(f"it announces {shape} and holds {values.size:,} values")
    key = ("x" if "images" in name else "y") + ("_train" if name.startswith("train") else "_test")
    return {key: values.reshape(shape)}


def _binary_batch(stream: BinaryIO) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10's binary version: for each image one byte for its label and 3×32×32 for its pixels, channel by channel.

    Source: the page of CIFAR-10, section *Binary version*.
    """
    rows = np.frombuffer(stream.read(), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return rows[:, 1:], rows[:, 0]


def _python_batch(stream: BinaryIO) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10's Python version: pickled dictionaries with `data` (uint8, N×3072) and `labels`.

    Source: the page of CIFAR-10, section *Dataset layout*.
    """
    content = CautiousUnpickler(stream, encoding="bytes").load()
    return np.asarray(content[b"data"]), np.array(content[b"labels"])


def _read_batches(read: Callable, member: str, _: str, file: Path) -> dict[str, np.ndarray]:
    """The five training batches and the test batch of CIFAR-10, images as N×32×32×3."""
    found, wanted = {}, {member.format(batch): batch for batch in (*TRAIN, "test_batch")}
    with tarfile.open(file, "r:gz") as tar:
        for entry in tar:  # in the order of the archive: to go back would mean to decompress it again
            if entry.name in wanted and (stream := tar.extractfile(entry)):
                found[wanted[entry.name]] = read(io.BytesIO(stream.read()))
    arrays = {}
    for split, names in (("train", TRAIN), ("test", ["test_batch"])):
        if missing := [name for name in names if name not in found]:
            raise ValueError(f"it holds no {' and no '.join(missing)}")
        x, y = (np.concatenate([found[name][part] for name in names]) for part in (0, 1))
        if x.dtype != np.uint8 or y.dtype.kind not in "iu" or y.shape != x.shape[:1] or y.min() < 0 or y.max() > 255:
            raise ValueError(f"images are {x.dtype} {x.shape} and labels {y.dtype} {y.shape}")
        arrays[f"x_{split}"] = np.ascontiguousarray(x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        arrays[f"y_{split}"] = y.astype(np.uint8)
    return arrays


class CautiousUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists, numbers, bytes and NumPy arrays, and refuses a pickle that names anything else.

    A pickle is a program: it may name any function and have it called. Here it can name the three that rebuild an
    array. Source: Python's documentation of pickle, *Restricting globals*.
    """

    ADMITTED = {"_reconstruct": np.empty(0).__reduce__()[0], "ndarray": np.ndarray, "dtype": np.dtype}
    HOMES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")

    def find_class(self, module: str, name: str) -> object:
        if module in self.HOMES and name in self.ADMITTED:
            return self.ADMITTED[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no data set needs")


FORMS: dict[str, Callable[[str, Path], dict[str, np.ndarray]]] = {
    "idx": _read_idx,
    "binary": partial(_read_batches, _binary_batch, "cifar-10-batches-bin/{}.bin"),
    "python": partial(_read_batches, _python_batch, "cifar-10-batches-py/{}"),
}
