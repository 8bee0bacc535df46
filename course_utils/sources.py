"""Where images come from: prepared files, official archives, or the built-in sample, as `COURSE_DATA` asks.

Nothing here needs torch, so that build tools can ask which data there is without waiting for it.
"""

import os
from pathlib import Path

import numpy as np
import platformdirs

from . import _prepared
from ._arguments import kind, one_of, shown, whole
from ._catalogue import SOURCES
from ._prepared import DataError, Prepared

MODES = ("auto", "real", "sample")

loaded: dict[str, dict[str, str]] = {}  # what `course_utils.data.load` has loaded in this process, by data set
_failed: dict[str, str] = {}  # why a data set could not be had, for the rest of this process
_warned: set[str] = set()


class MissingData(FileNotFoundError):
    """Real data was asked for (`COURSE_DATA=real`) and can't be had. The message says what was tried and helps."""


def read(name: str) -> Prepared:
    """Read a data set as `COURSE_DATA` asks.

    The prepared file where there is one; else official archives in the data folder; else a download. In mode `auto`,
    the built-in sample where none of these can be had: then this process does not ask the network for it again. Mode
    `sample` looks at no file and at no network.

    Args:
        name: "mnist", "fashion_mnist" or "cifar10".

    Raises:
        ValueError: an unknown name or mode.
        DataError: the prepared file is broken. One that was downloaded is fetched again first.
        MissingData: there is no such data, and the mode is `real`.
    """
    found = _settle(name, _prepared.read_file)
    if found is None:
        from . import sample

        arrays = sample.make(name)
        return Prepared(arrays, "sample", _prepared.hash_arrays(arrays))
    return found


def describe(name: str) -> str:
    """The name of the copy that `read` would give: "official", "reordered copy", "unknown copy", "sample", …"""
    found = _settle(name, _prepared.identify)
    return "sample" if found is None else found.copy


def fingerprint(name: str) -> str:
    """The SHA-256 in hex of the arrays that `read` would give, in their order."""
    found = _settle(name, _prepared.identify)
    return read(name).fingerprint if found is None else found.fingerprint


def available(name: str) -> bool:
    """Whether a prepared file of this data set lies in the folder, sound or not."""
    return path(name).is_file()


def path(name: str) -> Path:
    """Where the prepared file of this data set belongs."""
    return folder() / f"{one_of('name', name, SOURCES)}.npz"


def folder() -> Path:
    """The folder of prepared files: `$COURSE_DATA_DIR`, or this user's cache folder."""
    chosen = os.environ.get("COURSE_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("kernel-by-kernel", appauthor=False)


def mode() -> str:
    """The value of `$COURSE_DATA`: `auto` (real data where it can be had; the default), `real` or `sample`."""
    chosen = os.environ.get("COURSE_DATA") or "auto"
    if chosen not in MODES:
        raise ValueError(f"COURSE_DATA must be one of {', '.join(MODES)}; got {chosen!r}.")
    return chosen


def why_sample(name: str) -> str:
    """Why the sample stands in for a data set, in words without a path."""
    one_of("name", name, SOURCES)
    return "COURSE_DATA=sample" if mode() == "sample" else _failed.get(name, "")


def warn_of_sample(name: str) -> None:
    """Say, once per process and data set, that the sample stands in for data that could not be had."""
    if mode() == "auto" and name not in _warned:
        _warned.add(name)
        print(
            f"SAMPLE DATA: {SOURCES[name].title} is not here and can't be downloaded ({why_sample(name)}). This is "
            f"the small built-in sample: expect other numbers than the book's. What helps: "
            f"python -m course_utils.data fetch {name}, and then this cell once more."
        )


def stratified_order(y: np.ndarray, seed: int) -> np.ndarray:
    """All positions of the labels y, in a random order of which every beginning holds each class in proportion.

    The k-th image of a class of n, in random order, stands at (k − 1/2) / n of the way. The random order comes from
    the raw output of PCG64, which NumPy promises to keep, on every platform and in every version.

    Raises:
        TypeError, ValueError: y is no array of labels from 0, or seed no whole number of at least 0.
    """
    seed = whole("seed", seed, least=0)
    labels = kind("y", y, np.ndarray, "an array of labels")
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels) or labels.min() < 0:
        raise ValueError(f"y must hold N whole numbers from 0, with N at least 1; got {shown(y)}.")
    shuffled = np.random.PCG64(seed).random_raw(len(y)).argsort(kind="stable")
    labels = y[shuffled]
    counts = np.bincount(labels)
    rank = np.empty(len(y))
    rank[labels.argsort(kind="stable")] = np.arange(len(y)) - np.repeat(counts.cumsum() - counts, counts)
    return shuffled[((rank + 0.5) / counts[labels]).argsort(kind="stable")]


def _remedies(name: str) -> str:
    """What helps when a data set can't be downloaded, in lines: a mirror, the files to be brought, the sample."""
    lines = [
        f"Remedies: set COURSE_DATA_MIRROR to an address or a folder that holds {name}/ with these files;",
        f"  or put them into {folder() / name}:",
    ]
    for number, edition in enumerate(SOURCES[name].editions):
        lines += ["    or instead"] * (number > 0)
        lines += [f"    {archive.file}  {archive.size:,} bytes  md5 {archive.md5}" for archive in edition.archives]
    images = "×".join(["N", *map(str, SOURCES[name].shape)])
    lines += [
        f"  or set COURSE_DATA_DIR to a folder that holds {name}.npz "
        f"(x_train, y_train, x_test, y_test; images {images}, uint8);",
        "  or set COURSE_DATA=sample and use the small built-in sample.",
    ]
    return "\n".join(lines)


def _settle(name, look):
    """What `look` makes of the prepared file, which is fetched first if need be; None where the sample stands in."""
    file, broken = path(name), None
    if mode() == "sample":
        return None
    if file.is_file():
        try:
            return look(name, file)
        except DataError as problem:
            if not _prepared.is_ours(name, file):
                raise
            broken = problem
            print(f"{SOURCES[name].title} was downloaded and is broken now. Fetching it again.")
    elif mode() == "auto" and name in _failed:
        return None
    from ._download import DownloadError, fetch

    try:
        return fetch(name, file)
    except DownloadError as problem:
        tried = "\n".join(f"  {line}" for line in problem.tried)
        if broken:
            raise DataError(f"{broken}\nIt can't be fetched again: {problem}.\nTried:\n{tried}") from problem
        if mode() == "real":
            raise MissingData(
                f"{SOURCES[name].title} is not here and can't be downloaded: {problem}. COURSE_DATA=real admits "
                f"nothing else.\nLooked for: {file}\nTried:\n{tried}\n{_remedies(name)}"
            ) from problem
        _failed[name] = str(problem)
        return None
