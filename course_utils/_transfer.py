"""One published archive from one address, over a network that may stall, lie or break off.

pooch fetches, checks the sum and puts the file into its place. Its own downloaders wait 30 seconds for each stalled
address, have no total limit and can't resume; the one in this module has both limits and resumes.
"""

import hashlib
import os
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from ._catalogue import Archive

CHUNK = 1 << 16
ATTEMPTS = 4  # at one address, as long as each brings it further


@dataclass(frozen=True)
class Patience:
    """How long to wait.

    `connect` seconds for an address to open its door, all addresses at once; `read` seconds for the next byte. After
    `grace` seconds, an archive that comes with fewer than `rate` bytes a second is given up, so that no address can
    take longer than the larger of grace and size / rate. There is one round of addresses for each of the rates.
    """

    connect: float = 5
    read: float = 15
    grace: float = 20
    rates: tuple[float, ...] = (250_000,)


class Refused(Exception):
    """An address did not give the archive; the message says why in a few words."""


class Broken(Refused):
    """The connection broke off. What has come so far may be resumed."""


class TooSlow(Refused):
    """What has come so far may be resumed by one who has more time."""


def knock(bases: list[str], seconds: float) -> dict[str, str]:
    """Try all addresses at once, for so many seconds at most: "" for each that lets us connect, else why not.

    Where a proxy is set (`https_proxy`, …), it is the proxy that must answer.
    """
    answers = {}

    def visit(base):
        try:
            socket.create_connection(_door(base), seconds).close()
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


def fetch_archive(archive: Archive, base: str, folder: Path, patience: Patience, rate: float) -> Path:
    """Fetch an archive into a folder, whole and with the published sum, or not at all.

    What has come lies in `FILE.part`, where the next address or the next start resumes it.

    Raises:
        Refused: this address does not give it.
        OSError: the folder can't take it.
    """
    pooch.get_logger().setLevel("WARNING")  # it would print absolute paths
    downloader = partial(_download, archive=archive, part=folder / f"{archive.file}.part", patience=patience, rate=rate)
    file = pooch.retrieve(
        base + archive.file,
        f"md5:{archive.md5}",
        archive.file,
        folder,
        downloader=lambda url, file, _: downloader(url, file),
    )
    (folder / f"{archive.file}.part").unlink(missing_ok=True)
    return Path(file)


def is_whole(archive: Archive, file: Path) -> bool:
    """Whether this file has the published length and sum."""
    return file.stat().st_size == archive.size and md5(file) == archive.md5


def md5(file: Path) -> str:
    """The MD5 sum of a file, in hex."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _download(url, file, archive, part, patience, rate):
    """pooch's downloader: complete `part`, check it, and hand it over as `file`, an empty file that pooch made."""
    for attempt in range(1, ATTEMPTS + 1):
        before = _length(part)
        try:
            with requests.Session() as session:
                session.max_redirects = 5
                _receive(session, url, part, archive, patience, rate)
        except Broken:
            if attempt == ATTEMPTS or _length(part) <= before:
                raise
        else:
            if is_whole(archive, part):
                break
            found = md5(part)
            part.unlink()
            if not before:
                raise Refused(f"the right length but other content (md5 {found})")
            # else it was a wrong beginning, perhaps of another address, that was resumed: once more, whole
    else:
        raise Refused("other content, however often it is fetched")
    os.unlink(file)
    try:
        os.link(part, file)  # `part` stays until pooch is done: a kill in between costs nothing
    except OSError:
        shutil.copyfile(part, file)


def _receive(session, url, part, archive, patience, rate):
    """Bring `part` to its full length, resuming it where the server allows."""
    have = _length(part)
    if have > archive.size:
        part.unlink()
        have = 0
    if have == archive.size:
        return
    started = time.monotonic()
    response = _ask(session, url, patience, have)
    if have and not _continues(response, have, archive.size):
        have = 0
        if response.status_code in (206, 416):  # it can't resume this, but perhaps send the whole
            response = _ask(session, url, patience)
    _check_answer(response, 206 if have else 200, archive.size - have)
    came = 0
    with open(part, "ab" if have else "wb") as stream, _bar(archive, have) as bar:
        while chunk := _next(response, archive.size - have - came, patience):
            came += len(chunk)
            if have + came > archive.size:
                part.unlink()
                raise Refused(f"sends more than {archive.size:,} bytes")
            stream.write(chunk)
            bar.update(len(chunk))
            elapsed = time.monotonic() - started
            if have + came < archive.size and elapsed > patience.grace and came < rate * elapsed:
                raise TooSlow(f"too slow ({came / elapsed / 1000:,.1f} kB/s)")
    if have + came < archive.size:
        raise Broken(f"broke off after {have + came:,} of {archive.size:,} bytes")


def _ask(session, url, patience, have=0):
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        return session.get(url, headers=headers, stream=True, timeout=(patience.connect, patience.read))
    except requests.Timeout:
        raise Refused(f"no answer within {patience.read:g} s") from None
    except requests.TooManyRedirects:
        raise Refused("sends from one address to the next without end") from None
    except (requests.RequestException, HTTPError, ValueError) as problem:
        raise Refused(f"no answer ({_reason(problem)})") from None


def _continues(response, have, size):
    """Whether this is the rest of the archive, from byte `have` on."""
    rest = f"bytes {have}-{size - 1}/"
    return response.status_code == 206 and response.headers.get("Content-Range") in (f"{rest}{size}", f"{rest}*")


def _check_answer(response, status, length):
    if response.status_code != status:
        raise Refused(f"HTTP {response.status_code} {response.reason or ''}".strip())
    announced = response.headers.get("Content-Length")
    if announced is not None and announced != str(length):
        kind = response.headers.get("Content-Type", "unknown type").split(";")[0]
        raise Refused(f"offers {announced} bytes ({kind}) in place of {length:,}")


def _next(response, rest, patience):
    """What has come by now of the body, one byte more than is expected at most; b"" at its end."""
    try:
        return response.raw.read1(min(CHUNK, rest + 1), decode_content=False)
    except (HTTPError, OSError) as problem:
        reason = f"silent for {patience.read:g} s" if "timed out" in str(problem) else _reason(problem)
        raise Broken(f"broke off ({reason})") from None


def _bar(archive, have):
    """A progress bar, on a terminal alone: anywhere else its frames would pile up."""
    return tqdm(
        total=archive.size,
        initial=have,
        desc=archive.file,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=not sys.stderr.isatty(),
    )


def _door(base):
    """Host and port that a connection to this address begins with."""
    proxy = requests.utils.select_proxy(base, requests.utils.get_environ_proxies(base))
    parts = urlsplit(base if proxy is None else proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme, 1080)


def _length(file):
    return file.stat().st_size if file.exists() else 0


def _reason(problem):
    """The innermost of an error's causes, which says most in the fewest words."""
    while problem.__context__ is not None:
        problem = problem.__context__
    return f"{type(problem).__name__}: {problem}"[:150]
