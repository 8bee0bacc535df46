"""Where locks work, one process waits for the other; where they don't, work goes on, and soon."""

import errno
import threading

import filelock
import pytest

from course_utils._lock import alone


def raises(problem):
    def acquire(self, *_, **__):
        raise problem

    return acquire


def tries_for_ever(self, timeout=None, **_):
    """As filelock of some versions on a drive whose locks always fail: it is told nothing, and asks again."""
    if timeout is None or timeout > 0:
        pytest.fail("waits for a lock that nobody can have")
    raise filelock.Timeout(self.lock_file)


@pytest.mark.parametrize("acquire", [
    raises(NotImplementedError("FileSystem does not appear to support flock")),
    *[raises(OSError(number, "no locks")) for number in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)],
    tries_for_ever,
])  # fmt: skip
def test_without_working_locks_the_work_goes_on(acquire, tmp_path, monkeypatch):
    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    done = []
    with alone(tmp_path / "file"):
        done.append("work")
    assert done == ["work"]


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(filelock.FileLock, "acquire", raises(PermissionError(errno.EACCES, "closed")))
    with pytest.raises(PermissionError), alone(tmp_path / "file"):
        pass


def test_one_waits_for_the_other_and_no_longer_than_it_is_told(tmp_path, capsys):
    order, begun, may_end = [], threading.Event(), threading.Event()

    def first():
        with alone(tmp_path / "file"):
            begun.set()
            may_end.wait(60)
            order.append("first ends")

    holder = threading.Thread(target=first)
    holder.start()
    begun.wait(60)
    with alone(tmp_path / "file", wait=0.1):
        order.append("impatient")
    threading.Timer(0.3, may_end.set).start()
    with alone(tmp_path / "file"):
        order.append("patient")
    holder.join()
    assert order == ["impatient", "first ends", "patient"]
    assert "Waiting for it" in capsys.readouterr().out
