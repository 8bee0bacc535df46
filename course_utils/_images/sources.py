"""Where images come from: prepared files, official archives, or the built-in sample, as `COURSE_DATA` asks.

The way is always the same: catalogue → archives at hand or fetched → parsed → kept → read.

Nothing here needs torch, so that build tools can ask which data there is without waiting for it.
"""

import datetime
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import platformdirs

from .._arguments import one_of
from . import prepared
from .catalogue import SOURCES
from .prepared import DataError, DownloadError, Prepared

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
    found = _settle(name, prepared.read_file)
    if found is None:
        from .sample import make  # real data needs none of it

        arrays = make(name)
        return Prepared(arrays, "sample", prepared.hash_arrays(arrays))
    return found


def describe(name: str) -> str:
    """The name of the copy that `read` would give: "official", "reordered copy", "unknown copy", "sample", …"""
    found = _settle(name, prepared.identify)
    return "sample" if found is None else found.copy


def fingerprint(name: str) -> str:
    """The SHA-256 in hex of the arrays that `read` would give, in their order."""
    found = _settle(name, prepared.identify)
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
    """What `look` makes of the prepared file, which is obtained first if need be; None where the sample stands in."""
    file, broken = path(name), None
    if mode() == "sample":
        return None
    if file.is_file():
        try:
            return look(name, file)
        except DataError as problem:
            if not prepared.is_ours(name, file):
                raise
            broken = problem
            print(f"{SOURCES[name].title} was downloaded and is broken now. Fetching it again.")
    elif mode() == "auto" and name in _failed:
        return None
    try:
        return obtain(name, file)
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


def obtain(name: str, file: Path, *, patient: bool = False, say: Callable[[str], object] = print) -> Prepared:
    """Read a data set from its official archives, at hand or fetched, and keep it as `file`: all of it, or nothing.

    Archives in the data folder, or in the folder that `COURSE_DATA_MIRROR` names, are used without asking the network.
    Of two processes at once one works, and the other waits. Where the folder can't keep the file, the arrays are given
    all the same, and `say` says so.

    Args:
        name: "mnist", "fashion_mnist" or "cifar10".
        file: the .npz to be written; it is replaced if it is there.
        patient: take it from a slow address too, if no other has it.
        say: is handed each line for the user.

    Raises:
        DownloadError: no edition of the data set could be had whole.
        ValueError: `COURSE_DATA_MIRROR` is neither an http address nor a folder.
    """
    from .._lock import alone
    from . import fetch  # the code for the network is loaded when it is needed

    tried: list[str] = []
    found = fetch.at_hand(name, file.parent, tried)
    bases = [] if found else fetch.reachable(name, tried)
    try:
        work = prepared.work_folder(name, file.parent)
        with alone(work, say):
            if file.is_file():
                try:
                    return prepared.read_file(name, file)  # another process has just made it
                except DataError:
                    pass  # it is the file to be mended
            if found is None:
                size = min(sum(archive.size for archive in edition.archives) for edition in SOURCES[name].editions)
                say(f"Downloading {SOURCES[name].title} ({size / 1e6:,.0f} MB) …")
                found = fetch.download(name, work, bases, tried, fetch.PATIENT if patient else fetch.RATES)
            result = _keep(name, file, found, say)
            if file.is_file():
                shutil.rmtree(work, ignore_errors=True)
            return result
    except OSError as problem:
        if found:
            return _keep(name, None, found, say)
        tried.append(f"{problem.filename or file.parent}: {problem.strerror or problem}")
        raise DownloadError(f"the data folder can't keep it ({problem.strerror or problem})", tried) from problem


def _keep(name, file, found, say):
    """Parse the archives, keep the arrays as `file` (not at all where it is None), and return them."""
    from .archives import read_archives  # and prepared data none of this

    edition, files, origin = found
    try:
        arrays = prepared.check(name, read_archives(edition, files))
    except ValueError as problem:
        raise DownloadError(f"its archives have the published sums and can't be read: {problem}", []) from problem
    sums = {archive.file: archive.md5 for archive in edition.archives}
    story = {"archives": sums, "from": origin, "date": datetime.date.today().isoformat()}
    why = "it can't be written to"
    if file is not None:
        try:
            return prepared.write_file(name, file, arrays, story)
        except OSError as problem:
            why = problem.strerror or str(problem)
    say(f"{SOURCES[name].title} was read from its archives, but the data folder can't keep it ({why}).")
    return Prepared(arrays, "official", prepared.hash_arrays(arrays))
