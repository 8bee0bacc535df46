"""Where images come from: prepared files, official archives, or the built-in sample, as `COURSE_DATA` asks.

The way is always the same: catalogue → archives at hand or fetched → parsed → kept → read.

Nothing here needs torch, so that build tools can ask which data there is without waiting for it.
"""

import datetime
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from .._arguments import one_of
from .._files import folder_named_by
from . import prepared
from .catalogue import SOURCES, say
from .prepared import DataError, DownloadError, Prepared

loaded: dict[str, dict[str, str]] = {}  # what `course_utils.data.load` has loaded in this process, by data set
_failed: dict[str, str] = {}  # why a data set could not be had, for the rest of this process


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
    return _settle(name, prepared.read_file) or _sample(name)


def describe(name: str) -> str:
    """The name of the copy that `read` would give: "official", "reordered copy", "unknown copy", "sample", …"""
    found = _settle(name, prepared.identify)
    return found.copy if found else "sample"


def fingerprint(name: str) -> str:
    """The SHA-256 in hex of the arrays that `read` would give, in their order."""
    return (_settle(name, prepared.identify) or _sample(name)).fingerprint


def path(name: str) -> Path:
    """Where the prepared file of this data set belongs."""
    return folder() / f"{one_of('name', name, SOURCES)}.npz"


def folder() -> Path:
    """The folder of prepared files: `$COURSE_DATA_DIR`, or this user's cache folder.

    Raises: DownloadError, where there is no home; ValueError, where the variable names none.
    """
    with suppress(RuntimeError):  # of platformdirs, where there is no home; older ones return "~/.cache"
        place = folder_named_by("COURSE_DATA_DIR") or user_cache_path("kernel-by-kernel", appauthor=False)
        if place.is_absolute():
            return place
    raise DownloadError("this user has no home folder: set COURSE_DATA_DIR to a folder for the images", [])


def mode() -> str:
    """The value of `$COURSE_DATA`: `auto` (real data where it can be had; the default), `real` or `sample`."""
    return one_of("COURSE_DATA", os.environ.get("COURSE_DATA") or "auto", ("auto", "real", "sample"))


def why_sample(name: str) -> str:
    """Why the sample stands in for a data set, in words without a path."""
    return "COURSE_DATA=sample" if mode() == "sample" else _failed.get(name, "")


def _remedies(name: str, file: Path | None) -> str:
    """What helps when a data set can't be downloaded, in lines: a mirror, the files to be brought, the sample."""
    editions = ["".join(f"\n    {archive}" for archive in edition.archives) for edition in SOURCES[name].editions]
    archives, images = "\n    or instead".join(editions), "×".join(["N", *map(str, SOURCES[name].shape)])
    place = file.parent / name if file else "a folder of that name in the one that COURSE_DATA_DIR names"
    return say("remedies", name, place=place, archives=archives, images=images)


def _sample(name: str) -> Prepared:
    from .sample import make  # real data needs none of it

    arrays = make(name)
    return Prepared(arrays, "sample", prepared.hash_arrays(arrays))


def _settle(name: str, look: Callable[[str, Path], Prepared]) -> Prepared | None:
    """What `look` makes of the prepared file, which is obtained first if need be; None where the sample stands in."""
    one_of("name", name, SOURCES)
    if mode() == "sample":
        return None
    file, broken = None, None
    try:
        file = path(name)
        if os.path.isfile(file):  # false, too, where it can't be looked at
            try:
                return look(name, file)
            except DataError as problem:
                if not prepared.is_ours(name, file):
                    raise
                broken = problem
                print(say("broken", name))
        elif mode() == "auto" and name in _failed:
            return None
        return obtain(name, file)
    except DownloadError as problem:
        facts = {"problem": problem, "tried": "\n".join(f"  {line}" for line in problem.tried)}
        if broken:
            raise DataError(say("broken for good", name, broken=broken, **facts)) from problem
        if mode() == "real":
            facts |= {"file": file or f"{name}.npz", "remedies": _remedies(name, file)}
            raise MissingData(say("missing", name, **facts)) from problem
        from .._console import command

        _failed[name] = str(problem)
        print(say("sample", name, command=command("course_utils.data", "fetch", name), **facts))
        return None


def obtain(name: str, file: Path, *, patient: bool = False) -> Prepared:
    """Read a data set from its official archives, at hand or fetched, and keep it as `file`: all of it, or nothing.

    Archives in the data folder, or in the folder that `COURSE_DATA_MIRROR` names, are used without asking the network.
    Of two processes at once one works, and the other waits. Where the folder can't keep the file, the arrays are given
    all the same.

    Args:
        name: "mnist", "fashion_mnist" or "cifar10".
        file: the .npz to be written; it is replaced if it is there.
        patient: take it from a slow address too, if no other has it.

    Raises:
        DownloadError: no edition of the data set could be had whole.
        ValueError: `COURSE_DATA_MIRROR` is neither an http address nor a folder.
    """
    from .._lock import alone
    from . import fetch  # the code for the network is loaded when it is needed

    tried: list[str] = []
    found = fetch.collect(name, file.parent, tried)
    bases = [] if found else fetch.reachable(name, tried)
    try:
        work = file.parent / ".downloads" / name
        work.mkdir(parents=True, exist_ok=True)
        with alone(work):
            if os.path.isfile(file):
                with suppress(DataError):  # it is the file to be mended
                    return prepared.read_file(name, file)  # another process has just made it
            if found is None:
                size = min(sum(archive.size for archive in edition.archives) for edition in SOURCES[name].editions)
                print(f"Downloading {SOURCES[name].title} ({size / 1e6:,.0f} MB) …")
                found = fetch.collect(name, file.parent, tried, bases, patient)
            if found is None:
                why = tried[-1].split(": ", 1)[-1]
                raise DownloadError(f"none of the addresses gave it whole ({why})", tried)
            result = _keep(name, file, found)
            if os.path.isfile(file):
                shutil.rmtree(work, ignore_errors=True)
            return result
    except OSError as problem:
        if found:
            return _keep(name, file, found)
        tried.append(f"{problem.filename or file.parent}: {problem.strerror or problem}")
        raise DownloadError(say("not kept", name, why=problem.strerror or problem), tried) from problem


def _keep(name: str, file: Path, found: tuple) -> Prepared:
    """Parse the archives, keep the arrays as `file` if that can be done, and return them."""
    from .archives import read_archives  # and prepared data none of this

    edition, files, origin = found
    try:
        arrays = prepared.check(name, read_archives(edition, files))
    except ValueError as problem:
        raise DownloadError(f"its archives have the published sums and can't be read: {problem}", []) from problem
    story = {"archives": {archive.file: archive.md5 for archive in edition.archives}, "from": origin}
    try:
        return prepared.write_file(name, file, arrays, story | {"date": datetime.date.today().isoformat()})
    except OSError as problem:
        print(say("only read", name, why=problem.strerror or problem))
    return Prepared(arrays, "official", prepared.hash_arrays(arrays))
