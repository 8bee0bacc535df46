"""Official data sets: from archives that lie in the data folder already, or else from the network.

`fetch` leaves either the whole prepared file or none. What has come of a download stays in `.downloads` inside the data
folder, and the next start goes on from there.
"""

import datetime
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ._archives import read_archives
from ._catalogue import SOURCES, Edition
from ._prepared import DataError, Prepared, check, hash_arrays, read_file, work_folder, write_file

TORCHVISION = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "cifar10": "."}  # where it keeps archives


class DownloadError(Exception):
    """A data set could not be had. The message is one sentence without a path; `tried` says what was tried, line by
    line, each with its outcome."""

    def __init__(self, message: str, tried: list[str]):
        super().__init__(message)
        self.tried = tried


def fetch(name: str, file: Path, patience=None, say=print) -> Prepared:
    """Read a data set from its official archives, and keep it as `file`.

    Archives in the data folder or in the folder that `COURSE_DATA_MIRROR` names are used without asking the network.
    They are checked and never changed. Otherwise the addresses are tried in order, `COURSE_DATA_MIRROR` first. Two
    processes at once: one works, the other waits. Where the folder can't keep the file, the arrays are given all the
    same, and `say` says so.

    Args:
        name: "mnist", "fashion_mnist" or "cifar10".
        file: the .npz to be written; it is replaced if it is there.
        patience: a `_transfer.Patience`; None for its defaults, with which an offline machine waits 5 seconds at most,
            and each address that opens its door and stays silent costs 15.
        say: is handed each line for the user.

    Raises:
        DownloadError: no edition of the data set could be had whole.
        ValueError: `COURSE_DATA_MIRROR` is neither an http address nor a folder.
    """
    mirror, tried = _mirror_address(name), []
    if isinstance(mirror, Path) and not mirror.is_dir():
        tried.append(f"COURSE_DATA_MIRROR: there is no folder {mirror}")
    here = find_archives(name, file.parent, tried)
    bases = [] if here else _reachable(name, mirror, patience, tried)
    try:
        with _alone(name, file.parent, say):
            if file.is_file():
                try:
                    return read_file(name, file)  # another process has just made it
                except DataError:
                    pass  # it is the file to be mended
            edition, files, origin = here or _download(name, file.parent, bases, patience, tried, say)
            prepared = _keep(name, file, edition, files, origin, say)
            if file.is_file():
                shutil.rmtree(work_folder(name, file.parent), ignore_errors=True)
            return prepared
    except OSError as problem:
        if here:
            return _keep(name, None, *here, say)
        tried.append(f"{problem.filename or file.parent}: {problem.strerror or problem}")
        raise DownloadError(f"the data folder can't keep it ({problem.strerror or problem})", tried) from problem


def _mirror_address(name: str) -> str | Path | None:
    """What `COURSE_DATA_MIRROR` says of a data set: an address to put a file's name behind, a folder, or None.

    Files of data set NAME are looked for at `$COURSE_DATA_MIRROR/NAME/FILE`. The variable is an address such as
    `https://school.example/data`, `file:///srv/data`, or the path of a folder. Raises: ValueError.
    """
    mirror = os.environ.get("COURSE_DATA_MIRROR")
    if not mirror:
        return None
    scheme = urlsplit(mirror).scheme
    if scheme in ("http", "https"):
        return f"{mirror.rstrip('/')}/{name}/"
    if scheme == "file":
        return Path(url2pathname(urlsplit(mirror).path))
    if "://" in mirror:
        raise ValueError(f"COURSE_DATA_MIRROR must be an http or https address or a folder; got {mirror!r}.")
    return Path(mirror).expanduser().absolute()


def find_archives(name: str, folder: Path, tried: list[str]) -> tuple[Edition, dict[str, Path], dict[str, str]] | None:
    """The first edition all of whose archives lie here already, or None; what is wrong with others goes into `tried`.

    They are looked for in `folder/NAME/`, in `folder`, where torchvision puts them, and in the mirror's folder.

    Returns:
        The edition; where each file lies; where each comes from, in words without a path.
    """
    for edition in SOURCES[name].editions:
        files = {archive.file: _find(name, archive, folder, tried) for archive in edition.archives}
        if all(files.values()):
            return edition, files, dict.fromkeys(files, "a file that was there")
    return None


def _find(name, archive, folder, tried):
    from ._transfer import is_whole

    mirror = _mirror_address(name)
    places = [folder / ".downloads" / name, folder / name, folder, folder / TORCHVISION[name]]
    places += [mirror / name, mirror] if isinstance(mirror, Path) else []
    for file in dict.fromkeys(place / archive.file for place in places):
        try:
            if file.is_file():
                if is_whole(archive, file):
                    return file
                tried.append(f"{file}: not the published file of {archive.size:,} bytes with md5 {archive.md5}")
        except OSError as problem:
            tried.append(f"{file}: {problem.strerror}")
    return None


def _reachable(name, mirror, patience, tried):
    """The addresses that let us connect: for each edition, in order. Raises DownloadError where there is none."""
    from ._transfer import Patience, knock

    bases = [
        [mirror] * isinstance(mirror, str) + [address.base for address in edition.addresses]
        for edition in SOURCES[name].editions
    ]
    answers = knock(list(dict.fromkeys(sum(bases, []))), (patience or Patience()).connect)
    tried += [f"{base}: {answer}" for base, answer in answers.items() if answer]
    if all(answers.values()):
        raise DownloadError(f"none of {len(answers)} addresses could be reached", tried)
    return [[base for base in each if not answers[base]] for each in bases]


@contextmanager
def _alone(name, folder, say):
    """Hold the lock of a data set. It is freed when the process ends, however it ends."""
    from filelock import FileLock, Timeout

    work = work_folder(name, folder)
    lock = FileLock(work.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"Another process is preparing {SOURCES[name].title}. Waiting for it …")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download(name, folder, bases, patience, tried, say):
    """The archives of the first edition that can be had whole, as `find_archives` returns them."""
    size = min(sum(archive.size for archive in edition.archives) for edition in SOURCES[name].editions)
    say(f"Downloading {SOURCES[name].title} ({size / 1e6:,.0f} MB) …")
    for edition, usable in zip(SOURCES[name].editions, bases, strict=True):
        files, origin = {}, {}
        for archive in edition.archives:
            if file := _find(name, archive, folder, []):
                files[archive.file], origin[archive.file] = file, "a file that was there"
            elif base := _download_archive(archive, usable, work_folder(name, folder), patience, tried):
                files[archive.file], origin[archive.file] = work_folder(name, folder) / archive.file, base
                usable = [base, *(other for other in usable if other != base)]  # it has proved itself
            else:
                break
        else:
            return edition, files, origin
    raise DownloadError(f"none of the addresses gave it whole ({tried[-1].split(': ', 1)[-1]})", tried)


def _download_archive(archive, bases, work, patience, tried):
    """The address that gave the archive, or None."""
    from ._transfer import Patience, Refused, TooSlow, fetch_archive

    patience = patience or Patience()
    for rate in patience.rates:
        slow = []
        for base in bases:
            try:
                fetch_archive(archive, base, work, patience, rate)
                return base
            except Refused as problem:
                tried.append(f"{base}{archive.file}: {problem}")
                if isinstance(problem, TooSlow):
                    slow.append(base)
        bases = slow
    return None


def _keep(name, file, edition, files, origin, say):
    """Read the archives, keep the arrays as `file` (not at all where it is None), and return them."""
    try:
        arrays = check(name, read_archives(edition, files))
    except ValueError as problem:
        raise DownloadError(f"its archives have the published sums and can't be read: {problem}", []) from problem
    story = {
        "archives": {archive.file: archive.md5 for archive in edition.archives},
        "from": origin,
        "date": datetime.date.today().isoformat(),
    }
    why = "it can't be written to"
    if file is not None:
        try:
            return write_file(name, file, arrays, story)
        except OSError as problem:
            why = problem.strerror or str(problem)
    say(f"{SOURCES[name].title} was read from its archives, but the data folder can't keep it ({why}).")
    return Prepared(arrays, "official", hash_arrays(arrays))
