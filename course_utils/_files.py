"""Files: those that come with this package, and how one is written so that it is never half there."""

import os
from pathlib import Path

from ._arguments import kind

PACKAGE = Path(__file__).parent
opened: set[str] = set()  # the package's files that this process has asked for; the book runs a lesson again for them


def resource(path: str) -> Path:
    """A data file of this package, by its path inside it, such as `"results/NAME.json"`.

    Raises:
        FileNotFoundError: the package holds no such file; the message lists its neighbours.
        TypeError: path is no string.
    """
    file = PACKAGE / kind("path", path, str, "a path inside the package, such as 'results/NAME.json'")
    opened.add(path)  # also where there is none yet: who asks depends on it
    if not file.is_file():
        others = sorted(other.name for other in file.parent.glob("*") if other.is_file())
        raise FileNotFoundError(f"course_utils has no {path!r}. In that folder: {', '.join(others) or 'nothing'}.")
    return file


def folder_named_by(variable: str) -> Path | None:
    """The folder that an environment variable names, absolute, `~` resolved; None where it is unset or empty.

    Raises: ValueError, where it names a home that this system does not know.
    """
    text = os.environ.get(variable)
    try:
        return Path(text).expanduser().absolute() if text else None
    except RuntimeError:
        raise ValueError(f"{variable} must name a folder; got {text!r}, and there is no such home here.") from None


def replace(file: Path, data: bytes | memoryview) -> None:
    """Write beside the file, then take its place in one step. Raises: OSError; then the file is as it was."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")  # two processes never write the same one
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(part, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())  # on the disk, not in a buffer, before it takes the place
        os.replace(part, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
