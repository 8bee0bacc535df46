"""Record the runs of an experiment: each script in `experiments/` ends with it. `course_utils.records` reads them."""

import argparse
import datetime
import json
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from course_utils._arguments import DataSet, image_data, kind, one_of, shown
from course_utils._console import forgive
from course_utils._files import PACKAGE, replace
from course_utils._lock import alone
from course_utils._machine import machine
from course_utils.history import MONITORS, History


def record_all(
    name: str,
    config: dict[str, Any],
    data: DataSet,
    run: Callable[..., dict[str, Any]],
    marks: list[dict[str, Any]],
    *,
    folder: Path | None = None,
    timed: bool = False,
) -> list[dict[str, Any]]:
    """Make and record each run that is not there yet: the body of every script in `experiments/`.

    Each run is saved when it ends, in one step, so that a killed script goes on where it was. Several processes may
    record into one file: none loses what another has added, and no run is kept twice.

    With each run are kept its date, machine, processor, threads, cores and load, the commit of the code, and whether
    the code differed from it.

    Args:
        name: the file is `NAME.json`.
        config: what all runs share.
        data: the `ImageData` that they are measured on. Its name and copy are noted.
        run: called as `run(data, config, **mark)`; returns its results, a dict that JSON can hold.
        marks: what tells the runs apart, in the order in which they are made.
        folder: where to keep the file; `course_utils/results` by default.
        timed: whether seconds are compared. Then all runs must come from one machine, with equally many threads; where
            `device` is among the marks, all runs of one device.

    Returns:
        All runs that the file now holds, oldest first.

    Raises:
        ValueError: the file holds runs of another configuration or another copy of the data, or, where seconds are
            compared, of another machine. They are never mixed.
        TypeError: an argument of the wrong kind, or something that JSON can't hold.

    Example:
        >>> import tempfile
        >>> from course_utils import load
        >>> def run(data, config, seed):
        ...     return {"accuracy": 1 - config["lr"] * (1 + seed)}
        >>> config, digits = {"lr": 0.1}, load("mnist")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     runs = record_all("toy", config, digits, run, [{"seed": 0}, {"seed": 1}], folder=folder)
        ...     runs = record_all("toy", config, digits, run, [{"seed": 1}, {"seed": 2}], folder=folder)
        seed 0
        seed 1
        seed 2
        >>> [run["accuracy"] for run in runs]
        [0.9, 0.8, 0.7]
    """
    kind("name", name, str, "the file's name without its ending")
    kind("run", run, Callable, "a function of data, configuration and marks")
    kind("marks", marks, list, 'a list such as [{"seed": 0}, {"seed": 1}]')
    file, copy = Path(folder or PACKAGE / "results") / f"{name}.json", f"{image_data('data', data).name}, {data.source}"
    new = {"experiment": name, "config": _as_json("config", config), "runs": [], "data": copy}
    here = _here()
    place = {key: here[key] for key in ("machine", "processor", "threads") if timed}
    for mark in [_as_json("each of marks", mark) for mark in marks]:
        if _awaiting(mark, file, new, place):
            print(", ".join(f"{key} {value}" for key, value in mark.items()), flush=True)
            result = mark | _as_json("the result of run", run(data, config, **mark)) | _now() | here
            with alone(file):
                if content := _awaiting(mark, file, new, place):
                    content["runs"].append(result)
                    replace(file, (json.dumps(content, indent=1) + "\n").encode())
    return json.loads(file.read_text(encoding="utf-8"))["runs"] if file.exists() else []


def best_setting(
    name: str,
    config: dict[str, Any],
    data: DataSet,
    run: Callable[..., dict[str, Any]],
    mark: dict[str, Any],
    settings: list[dict[str, Any]],
    *,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Record runs with the setting that suits them best, with one seed to choose it and others to judge it.

    The seed `config["choosing_seed"]` tries each setting. The one with the best validation accuracy is run again with
    each of `config["judging_seeds"]`, which had no part in choosing it.

    Args:
        run: called as `run(data, config, **mark, **setting, seed=…)`; its result holds the validation score at the end,
            `{"valid": {"accuracy": …}}`.
        mark: what tells these runs from the others in the file.
        settings: to choose among; all with the same keys.
        name, config, data, folder: as for `record_all`.

    Returns:
        The setting that was chosen.

    Raises:
        ValueError, TypeError: as `record_all` does.

    Example:
        >>> import tempfile
        >>> from course_utils import load
        >>> def run(data, config, depth, peak, seed):
        ...     return {"valid": {"accuracy": 0.9 - abs(peak - 0.1 / depth)}}
        >>> config, peaks = {"choosing_seed": 0, "judging_seeds": [1]}, [{"peak": 0.1}, {"peak": 0.05}]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     best_setting("toy", config, load("mnist"), run, {"depth": 2}, peaks, folder=folder)
        depth 2, peak 0.1, seed 0
        depth 2, peak 0.05, seed 0
        depth 2, peak 0.05, seed 1
        {'peak': 0.05}
    """
    trials = [mark | setting | {"seed": config["choosing_seed"]} for setting in settings]
    runs = record_all(name, config, data, run, trials, folder=folder)
    tried = [each for each in runs if any(trial.items() <= each.items() for trial in trials)]
    best = max(tried, key=lambda each: each["valid"]["accuracy"])
    chosen = next(setting for setting in settings if setting.items() <= best.items())
    judged = [mark | chosen | {"seed": seed} for seed in config["judging_seeds"]]
    record_all(name, config, data, run, judged, folder=folder)
    return chosen


def finished(history: History) -> History:
    """The history of a training that went to its end; a callback such as early stopping may set that end.

    Raises:
        SystemExit: it was interrupted by hand. A script ends here, and keeps no half of a run.
    """
    if history.interrupted:
        raise SystemExit("Interrupted: this run is not kept.")
    return history


def curves(history: History, *names: str) -> dict[str, list[float]]:
    """Curves as a recorded result holds them, by names such as "valid_loss" or "seconds"; all of them by default.

    Raises:
        TypeError, ValueError: there is no such curve.

    Example:
        >>> from course_utils.history import Epoch, History, Score
        >>> run = History([Epoch(1, Score(0.9, 0.6), Score(0.8, 0.7), lr=0.1, seconds=2.0)])
        >>> curves(run, "valid_loss", "seconds")
        {'valid_loss': [0.8], 'seconds': [2.0]}
    """
    found = {monitor.replace(" ", "_"): history.column(*monitor.split()) for monitor in MONITORS}
    found["seconds"] = [row.seconds for row in history]
    return {one_of("names", name, found): found[name] for name in names or found}


def command_line(script: str | None, main: Callable, arguments: list[str] | None = None, **options: dict) -> None:
    """Call the main of a script in `experiments/` with the options that were typed: the script's last line.

    Args:
        script: the script's `__doc__`; `--help` shows it.
        main: called with each option by its name.
        arguments: what stands behind the script's name; by default, what was typed.
        options: by name, what `argparse` is told of each, such as `seed={"type": int}`; most scripts have none.

    Example:
        >>> command_line("A toy.", lambda seed: print("seed", seed), ["--seed", "3"], seed={"type": int})
        seed 3
    """
    forgive()
    parser = argparse.ArgumentParser(description=script, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, about in options.items():
        parser.add_argument(f"--{name}", **about)
    main(**vars(parser.parse_args(arguments)))


def _awaiting(mark: dict[str, Any], file: Path, new: dict[str, Any], place: dict[str, Any]) -> dict[str, Any] | None:
    """What the file holds, or a new one would, while no run in it has this mark. Raises: ValueError."""
    content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else new | {"runs": []}
    if content["config"] != new["config"]:
        raise ValueError(f"{file} holds runs of another configuration. Move it away to start anew.")
    if any(mark.items() <= run.items() for run in content["runs"]):
        return None
    if content["data"] != new["data"]:
        raise ValueError(f"{file} holds runs on {content['data']}; here is {new['data']}.")
    for run in content["runs"]:
        for key, value in place.items():
            if run.get("device") == mark.get("device") and run.get(key, value) != value:  # older runs noted less
                raise ValueError(
                    f"{file} compares seconds, and holds runs with {key} {run[key]}; here it is {value}. Record them "
                    "all on one machine, with equally many threads (OMP_NUM_THREADS), or move it away to start anew."
                )
    return content


def _here() -> dict[str, Any]:
    """What this process computes on, and the code it runs: as it was loaded, whatever becomes of it meanwhile."""
    return {
        "machine": machine(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", ".", "../experiments", ":(exclude)results")),
    }


def _now() -> dict[str, Any]:
    """When a run ended, and how busy the machine was in its last minute."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {"date": datetime.date.today().isoformat(), "load": load}


def _processor() -> str:
    """The processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")  # on Linux
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _git(*command: str) -> str:
    """What git prints of this checkout; nothing where there is no git, or no checkout."""
    try:
        return subprocess.run(["git", *command], cwd=PACKAGE, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def _as_json(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """A dict as JSON keeps it. Raises: TypeError."""
    kind(name, value, dict, "a dict that JSON can hold")
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as problem:
        raise TypeError(f"{name} must hold only what JSON can; got {shown(value)} ({problem}).") from None
