"""Results of runs too long for a lesson, kept as JSON in `course_utils/results/`."""

import datetime
import json
import os
import subprocess
from pathlib import Path

from ._arguments import image_data, kind, shown
from .history import History
from .runtime import PACKAGE, machine


class Record:
    """The runs of one experiment, saved after each, so that a killed script goes on where it was.

    Args:
        name: the file is `NAME.json`.
        config: what all runs share. Runs of another configuration are never mixed in.
        folder: where to keep it; `course_utils/results` by default.

    Raises:
        ValueError: the file holds runs of another configuration, or of another copy of the data (on `add`).
        TypeError: a name that is no string, or a configuration or run that JSON can't hold.
    """

    def __init__(self, name: str, config: dict, folder: Path | None = None):
        kind("name", name, str, "the file's name without its ending")
        config = _as_json("config", config)
        self.file = Path(folder or PACKAGE / "results") / f"{name}.json"
        self.content = {"experiment": name, "config": config, "runs": []}
        if self.file.exists():
            self.content = json.loads(self.file.read_text(encoding="utf-8"))
            if self.content["config"] != config:
                raise ValueError(f"{self.file} holds runs of another configuration. Move it away to start anew.")

    def has(self, **marks) -> bool:
        """Whether a run with these values, such as `seed=0`, is there already."""
        return any(all(run.get(key) == value for key, value in marks.items()) for run in self.content["runs"])

    def add(self, run: dict, data) -> None:
        """Keep one finished run, with the machine, its load, the date and the commit; the file is replaced in one step.

        Args:
            run: JSON-able results.
            data: the `ImageData` it was measured on; its copy is noted, and must be the same for all runs.
        """
        run, data = _as_json("run", run), image_data("data", data)
        copy = self.content.setdefault("data", f"{data.name}, {data.source}")
        if copy != f"{data.name}, {data.source}":
            raise ValueError(f"{self.file} holds runs on {copy}; this one was on {data.name}, {data.source}.")
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=PACKAGE, capture_output=True, text=True)
        self.content["runs"].append(
            run
            | {
                "date": datetime.date.today().isoformat(),
                "machine": machine(),
                "cores": os.cpu_count(),
                "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
                "commit": commit.stdout.strip(),
            }
        )
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")
        part.replace(self.file)


def finished(history: History) -> History:
    """The history that `fit` returned, if the training went to its end; a callback such as early stopping may set it.

    Raises:
        SystemExit: the training was interrupted by hand. Its script ends here, and the run is not kept.
        TypeError: history is no History.
    """
    if kind("history", history, History, "a History, as fit returns it").interrupted:
        raise SystemExit("Interrupted: this run is not kept.")
    return history


def _as_json(name, value):
    """A dict as JSON keeps it. Raises: TypeError."""
    kind(name, value, dict, "a dict that JSON can hold")
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as problem:
        expected = f"{name} must hold only what JSON can; tensors become numbers by .item()"
        raise TypeError(f"{expected}; got {shown(value)} ({problem}).") from None
