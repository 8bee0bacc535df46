"""The archives of a data set: found on this machine, or fetched over a network that may stall, lie or break off.

What has come of a download lies in `.downloads/NAME/FILE.part` inside the data folder, where the next address or the
next start resumes it. An archive is accepted whole and with the published sum, or not at all.
"""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import product
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch
import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from .._files import folder_named_by
from .catalogue import SOURCES, Archive, Edition
from .prepared import DownloadError

CONNECT, READ = 5, 15  # seconds: for an address to open its door, and for its next byte
GRACE = 20  # seconds after which an address that is slower than the least rate is given up
RATES = (250_000, 25_000)  # bytes a second, at least; the second round is for those who would rather wait
ATTEMPTS = 4  # at one address, as long as each brings it further


class Found(NamedTuple):
    """All archives of an edition: where each lies, by its name, and where it comes from, in words without a path."""

    edition: Edition
    files: dict[str, Path]
    origin: dict[str, str]


class Refused(Exception):
    """An address did not give the archive; the message says why in a few words."""


def reachable(name: str, tried: list[str]) -> list[list[str]]:
    """The addresses that answer at all: for each edition, in order, `COURSE_DATA_MIRROR` first.

    All are asked at once, so that a machine without a way out waits `CONNECT` seconds and no longer.

    Raises: DownloadError, where there is none.
    """
    first = [mirror] if isinstance(mirror := _mirror(name), str) else []
    bases = [first + [address.base for address in edition.addresses] for edition in SOURCES[name].editions]
    pool = ThreadPoolExecutor()
    asked = {base: pool.submit(requests.head, base, timeout=CONNECT) for base in dict.fromkeys(sum(bases, []))}
    wait(asked.values(), CONNECT)
    pool.shutdown(wait=False, cancel_futures=True)
    silent = {base for base, answer in asked.items() if not answer.done() or answer.exception()}
    tried += [f"{base}: no connection within {CONNECT} s" for base in silent]
    if silent == asked.keys():
        raise DownloadError(f"none of {len(silent)} addresses could be reached", tried)
    return [[base for base in each if base not in silent] for each in bases]


def collect(name: str, folder: Path, tried: list[str], bases: Sequence = (), patient: bool = False) -> Found | None:
    """The archives of the first edition that can be had whole: at hand, or fetched into `folder/.downloads/NAME/`.

    At hand are files in `folder/NAME/`, in `folder`, where torchvision puts them, and in the mirror's folder. They are
    checked and never changed.

    Args:
        tried: is told of each file and address that failed, and why.
        bases: the addresses of each edition, as `reachable` returns them; without them nothing is fetched.
        patient: when all addresses are slower than they should be, ask again and wait.

    Raises:
        OSError: the folder can't take it.
    """
    mirror, editions = _mirror(name), SOURCES[name].editions
    if isinstance(mirror, Path) and not os.path.isdir(mirror):
        tried.append(f"COURSE_DATA_MIRROR: there is no folder {mirror}")
    for edition, usable in zip(editions, bases or [[]] * len(editions), strict=True):
        files, origin = {}, {}
        for archive in edition.archives:
            if file := _find(name, archive, folder, tried):
                files[archive.file], origin[archive.file] = file, "a file that was there"
            elif base := _from_one_of(usable, archive, folder / ".downloads" / name, tried, patient):
                files[archive.file], origin[archive.file] = folder / ".downloads" / name / archive.file, base
                usable = [base, *(other for other in usable if other != base)]  # it has proved itself
            else:
                break
        else:
            return Found(edition, files, origin)
    return None


def _mirror(name: str) -> str | Path | None:
    """What `COURSE_DATA_MIRROR` says of a data set: an address to put a file's name behind, a folder, or None.

    Files of data set NAME are looked for at `$COURSE_DATA_MIRROR/NAME/FILE`. The variable is an address such as
    `https://school.example/data`, `file:///srv/data`, or the path of a folder. Raises: ValueError.
    """
    mirror = os.environ.get("COURSE_DATA_MIRROR", "")
    parts = urlsplit(mirror)
    if parts.scheme in ("http", "https"):
        return f"{mirror.rstrip('/')}/{name}/"
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    if "://" in mirror:
        raise ValueError(f"COURSE_DATA_MIRROR must be an http or https address or a folder; got {mirror!r}.")
    return folder_named_by("COURSE_DATA_MIRROR")


def _find(name: str, archive: Archive, folder: Path, tried: list[str]) -> Path | None:
    """Where the archive lies whole, if anywhere; what is wrong with other files of its name goes into `tried`."""
    mirror = _mirror(name)
    places = [folder / ".downloads" / name, folder / name, folder, folder / SOURCES[name].torchvision]
    places += [mirror / name, mirror] if isinstance(mirror, Path) else []
    for file in dict.fromkeys(place / archive.file for place in places):
        try:
            if os.path.isfile(file):  # false, too, where it can't be looked at
                if _is_whole(archive, file):
                    return file
                tried.append(f"{file}: not the published file of {archive.size:,} bytes with md5 {archive.md5}")
        except OSError as problem:
            tried.append(f"{file}: {problem.strerror}")
    return None


def _from_one_of(bases: list[str], archive: Archive, work: Path, tried: list[str], patient: bool) -> str | None:
    """The address that gave the archive."""
    for rate, base in product(RATES[: 1 + patient], bases):
        try:
            _fetch(archive, base, work, rate)
            return base
        except Refused as problem:
            tried.append(f"{base}{archive.file}: {problem}")
    return None


def _fetch(archive: Archive, base: str, work: Path, rate: float) -> None:
    """Fetch an archive from one address, resuming what has come of it. Raises: Refused, OSError."""
    part = work / f"{archive.file}.part"
    for _ in range(ATTEMPTS):
        if _length(part) > archive.size:
            part.unlink()
        before, problem = _length(part), "it ended"
        try:
            if before != archive.size:
                _receive(archive, base + archive.file, part, rate)
        except (requests.RequestException, HTTPError, ValueError) as error:
            problem = _words(error)
        if _is_whole(archive, part):
            part.replace(work / archive.file)
            return
        come = _length(part)
        if come >= archive.size:
            part.unlink()
            if before == 0:
                raise Refused("the right length but other content")
            # else it was a wrong beginning, perhaps of another address, that was resumed: once more, whole
        elif come <= before and not (before and come == 0):  # it is no nearer, and will not begin again
            raise Refused(f"{problem}, after {come:,} of {archive.size:,} bytes")
    raise Refused(f"broke off or sent other content, {ATTEMPTS} times")


def _receive(archive: Archive, address: str, part: Path, rate: float) -> None:
    """Let pooch bring `part` nearer to its full length, resuming it where the server allows; else `part` is emptied."""
    with open(part, "ab") as stream, Meter(archive, stream, rate) as meter:
        have = stream.tell()

        def check(response: requests.Response, **_: object) -> None:
            """Look at an answer before its body comes."""
            if response.status_code in (200, 416):  # it sends the whole, or can't go on from there
                stream.truncate(0)
                meter.had = 0
            rest, facts = str(archive.size - _length(part)), response.headers
            right_part = f"bytes {have}-{archive.size - 1}/" in facts.get("Content-Range", "")
            fits = facts.get("Content-Length", rest) == rest and (response.status_code == 200 or right_part)
            if response.status_code in (200, 206) and not fits:
                sort = facts.get("Content-Type", "unknown type").split(";")[0]
                raise Refused(f"offers {facts.get('Content-Length')} bytes ({sort}) in place of {rest}")

        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        options = {"timeout": (CONNECT, READ), "headers": headers, "hooks": {"response": check}}
        pooch.HTTPDownloader(progressbar=meter, **options)(address, stream, None)


class Meter(tqdm):
    """What pooch tells of its progress: a bar on a terminal, which ends what is too slow or too long."""

    def __init__(self, archive: Archive, stream: BinaryIO, rate: float):
        self.archive, self.stream, self.rate = archive, stream, rate
        self.had, self.started = stream.tell(), time.monotonic()
        look = {"desc": archive.file, "unit": "B", "unit_scale": True, "leave": False}
        super().__init__(total=archive.size, initial=self.had, disable=not sys.stderr.isatty(), **look)

    def update(self, n: float | None = 1) -> bool | None:
        """Look at what has come by now; pooch's own count is one of blocks."""
        have, elapsed = self.stream.tell(), time.monotonic() - self.started
        if have > self.archive.size:
            self.stream.truncate(0)
            raise Refused(f"sends more than {self.archive.size:,} bytes")
        if have < self.archive.size and elapsed > GRACE and have - self.had < self.rate * elapsed:
            raise Refused(f"too slow ({(have - self.had) / elapsed / 1000:,.1f} kB/s)")
        return super().update(have - self.n)


def _is_whole(archive: Archive, file: Path) -> bool:
    """Whether this file has the published length and sum."""
    return _length(file) == archive.size and pooch.file_hash(str(file), alg="md5") == archive.md5


def _length(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _words(problem: BaseException) -> str:
    """Why an address gave no more: its answer, or the innermost of an error's causes, which says most."""
    response = getattr(problem, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason or ''}".strip()
    while problem.__context__ is not None:
        problem = problem.__context__
    return f"{type(problem).__name__}: {problem}"[:150]
