"""Prepared files: `NAME.npz`, the four arrays in Keras's layout; and `NAME.json` beside those that were downloaded.

A file without `NAME.json` is its user's: it is read or refused, never changed.
"""

import errno
import hashlib
import json
import os
import zipfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._files import replace
from .catalogue import SOURCES, say

KEYS = ("x_train", "y_train", "x_test", "y_test")


class DataError(ValueError):
    """A prepared file that can't be used. The message says what is wrong, what was expected, and how to mend it."""


class DownloadError(Exception):
    """A data set could not be had. The message is one sentence without a path; `tried` says what was tried, line by
    line, each with its outcome."""

    def __init__(self, message: str, tried: list[str]):
        super().__init__(message)
        self.tried = tried


class Prepared(NamedTuple):
    """Arrays in Keras's layout (`x_train`, `y_train`, …; all uint8; none where only the copy was asked for), the name
    of the copy, and its fingerprint: the SHA-256 in hex of the arrays, as they are ordered."""

    arrays: dict[str, np.ndarray]
    copy: str
    fingerprint: str


def read_file(name: str, file: Path) -> Prepared:
    """Read a prepared file of data set `name`, check it, and name the copy. The file is left as it is.

    Raises:
        DataError: the file can't be read, or an array is missing or not as `check` wants it.
    """
    arrays = _read_arrays(name, file)
    fingerprint, story = hash_arrays(arrays), _read_story(name, file)
    if story is not None and story["arrays"] == fingerprint:
        copy = story["copy"]
    else:  # what the catalogue calls these arrays, as they are ordered or else in any order
        copies = SOURCES[name].copies
        copy = copies.get(fingerprint) or copies.get(hash_content(arrays), "unknown copy")
    return Prepared(arrays, copy, fingerprint)


def identify(name: str, file: Path) -> Prepared:
    """A prepared file's copy and fingerprint, without its arrays; read again only when its size or time has changed.

    Raises: DataError, as `read_file`.
    """
    state = file.stat()
    return _identity(name, file, state.st_size, state.st_mtime_ns, _story_of(file).is_file())


@cache
def _identity(name: str, file: Path, *state: int) -> Prepared:
    return read_file(name, file)._replace(arrays={})


def write_file(name: str, file: Path, arrays: dict[str, np.ndarray], story: dict) -> Prepared:
    """Keep arrays that were read from official archives as `file` (.npz), and their story beside it (.json).

    The arrays are written, read back and compared in the folder of downloads first, and come to their place after
    their story. A process that is killed in between leaves a story without arrays, which counts as nothing; never
    arrays without their story, which would be taken for a user's.

    Raises: OSError, with whatever the system says of a full disk or of a folder that can't be written to.
    """
    fingerprint, part = hash_arrays(arrays), file.parent / ".downloads" / name / file.name
    try:
        with open(part, "wb") as stream:
            np.savez(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        part.unlink(missing_ok=True)  # it would only fill the disk further
        raise
    if hash_arrays(_read_arrays(name, part)) != fingerprint:
        raise OSError(errno.EIO, "it gives back other bytes than were written", str(part))
    if file.exists() and not is_ours(name, file):
        raise FileExistsError(errno.EEXIST, "a file of yours has come to lie there", str(file))
    story = {"data": name, "copy": "official", "arrays": fingerprint, **story}
    replace(_story_of(file), json.dumps(story, indent=1).encode())
    os.replace(part, file)
    return Prepared(arrays, "official", fingerprint)


def _story_of(file: Path) -> Path:
    """The .json beside a prepared file; there only if the course downloaded it."""
    return file.with_suffix(".json")


def is_ours(name: str, file: Path) -> bool:
    """Whether the course itself wrote this file, so that it may be replaced when it is broken."""
    return _read_story(name, file) is not None


def check(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays as lessons need them: images uint8, N×28×28 (N×32×32×3 for cifar10), for any N of at least 1; labels from
    0 to 9, N or N×1, which become uint8 of shape N.

    Raises: ValueError, which says what is missing or different.
    """
    shape, classes = SOURCES[name].shape, len(SOURCES[name].classes)
    if missing := [key for key in KEYS if key not in arrays]:
        raise ValueError(f"it has no array {' and no '.join(missing)}")
    arrays = {key: arrays[key] for key in KEYS}
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if x.dtype != np.uint8 or x.shape[1:] != shape or x.ndim == 0:
            raise ValueError(f"x_{split} is {x.dtype} of shape {x.shape}")
        if y.dtype.kind not in "iu" or y.shape not in ((len(x),), (len(x), 1)):
            raise ValueError(f"y_{split} is {y.dtype} of shape {y.shape}, for {len(x):,} images")
        if len(x) == 0:
            raise ValueError(f"x_{split} is empty")
        if y.min() < 0 or y.max() >= classes:
            raise ValueError(f"y_{split} holds labels from {y.min()} to {y.max()}")
        arrays[f"y_{split}"] = y.reshape(-1).astype(np.uint8)
    return arrays


def hash_arrays(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 in hex of all arrays: names, shapes and bytes, as they are ordered."""
    digest = hashlib.sha256()
    for key in sorted(arrays):
        digest.update(f"{key} {arrays[key].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[key]))
    return digest.hexdigest()


def hash_content(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 in hex that ignores the order: of the sorted hashes of each image with its label, split by split."""
    digest = hashlib.sha256()
    for split in ("test", "train"):
        pairs = zip(np.ascontiguousarray(arrays[f"x_{split}"]), arrays[f"y_{split}"], strict=True)
        hashes = sorted(hashlib.sha256(image.tobytes() + bytes([label])).digest() for image, label in pairs)
        digest.update(split.encode() + b"".join(hashes))
    return digest.hexdigest()


def _read_arrays(name: str, file: Path) -> dict[str, np.ndarray]:
    try:
        try:
            with open(file, "rb") as stream:
                if not zipfile.is_zipfile(stream):
                    raise zipfile.BadZipFile("not a complete zip archive, perhaps cut short while copying")
                with np.load(stream, allow_pickle=False) as stored:
                    arrays = {key: stored[key] for key in KEYS if key in stored.files}
        except Exception as problem:  # a damaged file can make NumPy, zipfile or zlib say almost anything
            raise ValueError(f"it can't be read ({type(problem).__name__}: {problem})") from problem
        return check(name, arrays)
    except ValueError as problem:
        images, most = "×".join(["N", *map(str, SOURCES[name].shape)]), len(SOURCES[name].classes) - 1
        raise DataError(say("unsound", name, file=file, problem=problem, images=images, most=most)) from problem


def _read_story(name: str, file: Path) -> dict | None:
    """What NAME.json says, or None where there is none that makes sense."""
    try:
        story = json.loads(_story_of(file).read_text(encoding="utf-8"))
        return story if story["data"] == name and story["copy"] and story["arrays"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
