"""One process at a time."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def alone(file: Path, wait: float = 3600) -> Iterator[None]:
    """Hold the lock `FILE.lock`, so that of several processes one works on the file at a time.

    The lock is freed when the process ends, however it ends. Where locks do not work, as on some network drives (there
    older versions of filelock try again and again), or after `wait` seconds, go on without: files are replaced in one
    step, so that at worst the work is done twice.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file.with_name(file.name + ".lock"))
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            with FileLock(file.with_name(file.name + ".probe.lock")).acquire(timeout=0):
                pass  # a lock that nobody else can hold: where that times out, locks do not work here at all
            print(f"Another process is at work on {file.name}. Waiting for it …")
            lock.acquire(timeout=wait)
    except (Timeout, NotImplementedError):
        pass
    except OSError as problem:
        if problem.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
