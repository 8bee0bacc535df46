"""The archives of a data set: found on this machine, or fetched over a network that may stall, lie or break off.

What has come of a download lies in `.downloads/NAME/FILE.part` inside the data folder, where the next address or the
next start resumes it. An archive is accepted whole and with the published sum, or not at all.
"""

import os
import socket
import sys
import time
from pathlib import Path
from threading import Thread
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch
import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from .catalogue import SOURCES, Archive, Edition
from .prepared import DownloadError

TORCHVISION = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "cifar10": "."}  # where it keeps archives
CONNECT, READ = 5, 15  # seconds: for an address to open its door, and for its next byte
GRACE = 20  # seconds after which an address that is slower than the least rate is given up
RATES = (250_000,)  # bytes a second, at least: one round of addresses for each
PATIENT = (250_000, 25_000)  # who asks for a data set by name would rather have it slowly than not at all
ATTEMPTS = 4  # at one address, as long as each brings it further


class Found(NamedTuple):
    """All archives of an edition: where each lies, by its name, and where it comes from, in words without a path."""

    edition: Edition
    files: dict[str, Path]
    origin: dict[str, str]


class Refused(Exception):
    """An address did not give the archive; the message says why in a few words."""


class TooSlow(Refused):
    """What has come so far may be resumed by one who has more time."""


class CannotResume(Exception):
    """The address does not go on from where a download broke off."""


def at_hand(name: str, folder: Path, tried: list[str]) -> Found | None:
    """The first edition all of whose archives lie here already, or None; what is wrong with others goes into `tried`.

    They are looked for in `folder/NAME/`, in `folder`, where torchvision puts them, and in the mirror's folder. They
    are checked and never changed.
    """
    mirror = _mirror(name)
    if isinstance(mirror, Path) and not mirror.is_dir():
        tried.append(f"COURSE_DATA_MIRROR: there is no folder {mirror}")
    for edition in SOURCES[name].editions:
        files = {archive.file: _find(name, archive, folder, tried) for archive in edition.archives}
        if all(files.values()):
            return Found(edition, files, dict.fromkeys(files, "a file that was there"))
    return None


def reachable(name: str, tried: list[str], seconds: float = CONNECT) -> list[list[str]]:
    """The addresses that let us connect: for each edition, in order, `COURSE_DATA_MIRROR` first.

    All are tried at once, so that a machine without a way out waits `seconds` and no longer.

    Raises: DownloadError, where there is none.
    """
    mirror = _mirror(name)
    first = [mirror] if isinstance(mirror, str) else []
    bases = [first + [address.base for address in edition.addresses] for edition in SOURCES[name].editions]
    answers = knock(list(dict.fromkeys(sum(bases, []))), seconds)
    tried += [f"{base}: {answer}" for base, answer in answers.items() if answer]
    if all(answers.values()):
        raise DownloadError(f"none of {len(answers)} addresses could be reached", tried)
    return [[base for base in each if not answers[base]] for each in bases]


def download(name: str, work: Path, bases: list[list[str]], tried: list[str], rates: tuple[float, ...]) -> Found:
    """Fetch the archives of the first edition that can be had whole into the folder `work`.

    Args:
        bases: the addresses of each edition, as `reachable` returns them.
        tried: is told of each address that failed, and why.
        rates: least bytes a second; a slower address is given up for the next, and asked again in the next round.

    Raises:
        DownloadError: no edition could be had.
        OSError: the folder can't take it.
    """
    for edition, usable in zip(SOURCES[name].editions, bases, strict=True):
        files, origin = {}, {}
        for archive in edition.archives:
            if file := _find(name, archive, work.parent.parent, []):
                files[archive.file], origin[archive.file] = file, "a file that was there"
            elif base := _from_one_of(usable, archive, work, tried, rates):
                files[archive.file], origin[archive.file] = work / archive.file, base
                usable = [base, *(other for other in usable if other != base)]  # it has proved itself
            else:
                break
        else:
            return Found(edition, files, origin)
    raise DownloadError(f"none of the addresses gave it whole ({tried[-1].split(': ', 1)[-1]})", tried)


def knock(bases: list[str], seconds: float) -> dict[str, str]:
    """Try all addresses at once, for so many seconds at most: "" for each that lets us connect, else why not.

    Where a proxy is set (`https_proxy`, …), it is the proxy that must answer.
    """
    answers = {}

    def visit(base):
        try:
            proxy = requests.utils.select_proxy(base, requests.utils.get_environ_proxies(base))
            door = urlsplit(base if proxy is None else proxy if "://" in proxy else f"http://{proxy}")
            port = door.port or {"https": 443, "http": 80}.get(door.scheme, 1080)
            socket.create_connection((door.hostname, port), seconds).close()
            answers[base] = ""
        except (OSError, ValueError) as problem:
            answers[base] = f"no connection ({_reason(problem)})"

    visitors = [Thread(target=visit, args=(base,), daemon=True) for base in bases]
    for visitor in visitors:
        visitor.start()
    end = time.monotonic() + seconds
    for visitor in visitors:  # looking up a name knows no limit, so this is not left to create_connection
        visitor.join(max(0, end - time.monotonic()))
    return {base: answers.get(base, f"no connection within {seconds:g} s") for base in bases}


def _mirror(name) -> str | Path | None:
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


def _find(name, archive, folder, tried):
    mirror = _mirror(name)
    places = [folder / ".downloads" / name, folder / name, folder, folder / TORCHVISION[name]]
    places += [mirror / name, mirror] if isinstance(mirror, Path) else []
    for file in dict.fromkeys(place / archive.file for place in places):
        try:
            if file.is_file():
                if _is_whole(archive, file):
                    return file
                tried.append(f"{file}: not the published file of {archive.size:,} bytes with md5 {archive.md5}")
        except OSError as problem:
            tried.append(f"{file}: {problem.strerror}")
    return None


def _from_one_of(bases, archive, work, tried, rates):
    """The address that gave the archive, or None."""
    for rate in rates:
        slow = []
        for base in bases:
            try:
                _fetch(archive, base, work, rate)
                return base
            except Refused as problem:
                tried.append(f"{base}{archive.file}: {problem}")
                if isinstance(problem, TooSlow):
                    slow.append(base)
        bases = slow
    return None


def _fetch(archive, base, work, rate):
    """Fetch an archive from one address, resuming what has come of it. Raises: Refused, OSError."""
    part = work / f"{archive.file}.part"
    for _ in range(ATTEMPTS):
        before = _length(part)
        try:
            if before != archive.size:
                _receive(archive, base + archive.file, part, rate)
        except CannotResume:
            part.unlink()
            continue
        except (requests.RequestException, HTTPError, ValueError) as problem:
            if _length(part) <= before:
                raise Refused(_words(problem)) from None
            continue  # it broke off, and has brought us further
        if _is_whole(archive, part):
            part.replace(work / archive.file)
            return
        if _length(part) == archive.size:
            part.unlink()
            if before == 0:
                raise Refused("the right length but other content")
            # else it was a wrong beginning, perhaps of another address, that was resumed: once more, whole
        elif _length(part) <= before:
            raise Refused(f"broke off after {before:,} of {archive.size:,} bytes")
    raise Refused(f"broke off or sent other content, {ATTEMPTS} times")


def _receive(archive, address, part, rate):
    """Let pooch bring `part` nearer to its full length, resuming it where the server allows."""
    with open(part, "ab") as stream:
        if stream.tell() > archive.size:
            stream.truncate(0)
        have = stream.seek(0, os.SEEK_END)

        def check(response, **_):
            """Look at an answer before its body comes."""
            if response.is_redirect or response.status_code >= 400 and not (have and response.status_code == 416):
                return
            ranges = [f"bytes {have}-{archive.size - 1}/{size}" for size in (archive.size, "*")]
            if response.status_code == 416 or (
                response.status_code == 206 and not (have and response.headers.get("Content-Range") in ranges)
            ):
                raise CannotResume if have else Refused("sends a part in place of the whole")
            if response.status_code != 206:
                stream.truncate(0)  # it sends the whole
                meter.had = 0
            expected, announced = archive.size - _length(part), response.headers.get("Content-Length")
            if announced not in (None, str(expected)):
                sort = response.headers.get("Content-Type", "unknown type").split(";")[0]
                raise Refused(f"offers {announced} bytes ({sort}) in place of {expected}")

        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with Meter(archive, part, rate) as meter:
            fetch = pooch.HTTPDownloader(
                progressbar=meter, timeout=(CONNECT, READ), headers=headers, hooks={"response": check}
            )
            fetch(address, stream, None)


class Meter:
    """What pooch tells of its progress. It ends what is too slow or too long, and is a bar on a terminal."""

    def __init__(self, archive: Archive, part: Path, rate: float):
        self.archive, self.part, self.rate = archive, part, rate
        self.total, self.had, self.started = archive.size, _length(part), time.monotonic()  # pooch sets the total

    def __enter__(self):
        self.bar = tqdm(
            total=self.archive.size, initial=self.had, desc=self.archive.file, unit="B", unit_scale=True, leave=False,
            disable=not sys.stderr.isatty(),  # anywhere else its frames would pile up
        )  # fmt: skip
        return self

    def update(self, _):
        have, elapsed = _length(self.part), time.monotonic() - self.started
        self.bar.update(have - self.bar.n)
        if have > self.archive.size:
            self.part.unlink()
            raise Refused(f"sends more than {self.archive.size:,} bytes")
        came = have - min(self.had, have)
        if have < self.archive.size and elapsed > GRACE and came < self.rate * elapsed:
            raise TooSlow(f"too slow ({came / elapsed / 1000:,.1f} kB/s)")

    def reset(self):
        """Pooch resets a bar before it fills it."""

    def close(self):
        self.bar.close()

    def __exit__(self, *_):
        self.close()


def _is_whole(archive, file):
    """Whether this file has the published length and sum."""
    return _length(file) == archive.size and pooch.file_hash(str(file), alg="md5") == archive.md5


def _length(file):
    return file.stat().st_size if file.exists() else 0


def _words(problem):
    """Why an address gave nothing more, in a few words."""
    response = getattr(problem, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason or ''}".strip()
    return f"no answer ({_reason(problem)})"


def _reason(problem):
    """The innermost of an error's causes, which says most in the fewest words."""
    while problem.__context__ is not None:
        problem = problem.__context__
    return f"{type(problem).__name__}: {problem}"[:150]
