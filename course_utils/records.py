"""Results of runs too long for a lesson: recorded by the scripts in `experiments/`, kept as JSON, read by lessons."""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from ._arguments import function, image_data, kind, shown
from ._files import PACKAGE, replace, resource
from ._machine import machine


def recorded(name: str) -> dict:
    """A result that was recorded by `python -m experiments.NAME`: configuration, seeds, histories, machine, date.

    Files called `published_…` hold what others have printed instead, and name their source.

    Raises:
        FileNotFoundError: nothing of that name was recorded.
        TypeError: name is no string.
    """
    kind("name", name, str, "the name of an experiment")
    return json.loads(resource(f"results/{name}.json").read_text(encoding="utf-8"))


def recorded_runs(name: str) -> list[dict]:
    """The runs of `python -m experiments.NAME`, oldest first; prints when and on what machines, or that none was run.

    Returns:
        The runs, each a dict; an empty list where the experiment has not been run.

    Raises:
        TypeError: name is no string.
    """
    try:
        result = recorded(name)
    except FileNotFoundError:
        print(f"Not run yet. In a clone of the course, this records it: python -m experiments.{name}")
        return []
    runs = result["runs"]
    dates, machines = (dict.fromkeys(run[key] for run in runs) for key in ("date", "machine"))  # each once, in order
    print(f"Recorded on {' and '.join(dates)} by python -m experiments.{name}: {result['data']}; {'; '.join(machines)}")
    return runs


class Record:
    """The runs of one experiment, saved after each, so that a killed script goes on where it was.

    Any number of processes may record into one file: each reads it again before it writes.

    Args:
        name: the file is `NAME.json`.
        config: what all runs share. Runs of another configuration are never mixed in.
        folder: where to keep it; `course_utils/results` by default.
        timed: whether seconds of its runs are compared. Then all runs on the same kind of device must come from one
            machine, with equally many threads.

    Raises:
        ValueError: the file holds runs of another configuration, or (on `add`) of another copy of the data, or, where
            seconds are compared, of another machine.
        TypeError: a name that is no string, or a configuration or run that JSON can't hold.
    """

    def __init__(self, name: str, config: dict, folder: Path | None = None, *, timed: bool = False):
        kind("name", name, str, "the file's name without its ending")
        self.config, self.timed = _as_json("config", config), kind("timed", timed, bool, "True or False")
        self.file = Path(folder or PACKAGE / "results") / f"{name}.json"
        self.content = {"experiment": name, "config": self.config, "runs": []}
        self._read()

    def has(self, **marks: object) -> bool:
        """Whether a run with these values, such as `seed=0`, is there already."""
        return any(all(run.get(key) == value for key, value in marks.items()) for run in self.content["runs"])

    def add(self, run: dict, data) -> None:
        """Keep one finished run, with what it ran on and from; the file is replaced in one step.

        Kept with it: date, machine, processor, threads, cores and load; the commit, and whether files had been changed
        since.

        Args:
            run: JSON-able results.
            data: the `ImageData` it was measured on; its copy is noted, and must be the same for all runs.
        """
        from ._lock import alone  # those who read need no lock

        run = _as_json("run", run) | _circumstances()
        copy = f"{image_data('data', data).name}, {data.source}"
        with alone(self.file):
            self._read()
            known = self.content.setdefault("data", copy)
            if known != copy:
                raise ValueError(f"{self.file} holds runs on {known}; this one was on {copy}.")
            if self.timed:
                self._refuse_another_machine(run)
            self.content["runs"].append(run)
            replace(self.file, (json.dumps(self.content, indent=1) + "\n").encode())

    def _read(self):
        if self.file.exists():
            self.content = json.loads(self.file.read_text(encoding="utf-8"))
            if self.content["config"] != self.config:
                raise ValueError(f"{self.file} holds runs of another configuration. Move it away to start anew.")

    def _refuse_another_machine(self, run):
        here = _where(run)
        for other in map(_where, self.content["runs"]):
            if other[0] == here[0] and any(a != b for a, b in zip(other, here, strict=True) if a and b):
                raise ValueError(
                    f"{self.file} compares seconds, and holds runs on {', '.join(filter(None, other[1:]))}; this one "
                    f"was on {', '.join(filter(None, here[1:]))}. Record them all on one machine, with equally many "
                    "threads (OMP_NUM_THREADS), or move the file away to start anew."
                )


def record_all(
    name: str,
    config: dict,
    data,
    run: Callable[..., dict],
    marks: Iterable[dict],
    *,
    folder: Path | None = None,
    timed: bool = False,
) -> None:
    """Record each run that is not there yet: the body of every script in `experiments/`.

    Says what it does before each run, and saves after it, so that a killed script goes on where it was.

    Args:
        name, config, folder, timed: as for `Record`.
        data: the `ImageData` that runs are measured on.
        run: called as `run(data, config, **mark)`; returns JSON-able results.
        marks: what tells the runs apart, in the order in which they are made, such as `[{"seed": 0}, {"seed": 1}]`.

    Raises:
        ValueError, TypeError: as for `Record`.
    """
    record = Record(name, config, folder, timed=timed)
    function("run", run, "a function of data, configuration and marks")
    for mark in marks:
        if not record.has(**mark):
            print(", ".join(f"{key} {value}" for key, value in mark.items()), flush=True)
            record.add(mark | run(data, config, **mark), data)


def parser(script: str) -> argparse.ArgumentParser:
    """The command line of a script in `experiments/`: `--help` shows the script's docstring."""
    return argparse.ArgumentParser(description=script, formatter_class=argparse.RawDescriptionHelpFormatter)


def _circumstances():
    """When, on what and from which code this process computes."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "commit": _git("rev-parse", "--short", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def _where(run):
    """Kind of device, machine, processor: what must be alike before seconds are compared; old runs lack the last."""
    place = run["machine"].partition(" on ")[2]
    return place.split(",")[0], place, run.get("processor", "")


def _processor():
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.processor()


def _git(*command):
    """What git prints of this checkout; nothing where there is no git, or no checkout."""
    try:
        return subprocess.run(["git", *command], cwd=PACKAGE, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def _as_json(name, value):
    """A dict as JSON keeps it. Raises: TypeError."""
    kind(name, value, dict, "a dict that JSON can hold")
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as problem:
        expected = f"{name} must hold only what JSON can; tensors become numbers by .item()"
        raise TypeError(f"{expected}; got {shown(value)} ({problem}).") from None
