"""Results of runs too long for a lesson: recorded by the scripts in `experiments/`, kept as JSON, read by lessons."""

import json
from typing import Any

from ._arguments import kind
from ._files import resource


def recorded(name: str) -> dict[str, Any]:
    """A result that was recorded by `python -m experiments.NAME`: its configuration, the copy of the data, its runs.

    Files called `published_…` hold what others have printed instead, and name their source.

    Raises:
        FileNotFoundError: nothing of that name was recorded.
        TypeError: name is no string.

    Example:
        >>> recorded("schedules")["config"]["seeds"]
        [0, 1, 2, 3, 4]
    """
    kind("name", name, str, "the name of an experiment")
    return json.loads(resource(f"results/{name}.json").read_text(encoding="utf-8"))


def recorded_runs(name: str) -> list[dict[str, Any]]:
    """The runs of `python -m experiments.NAME`, oldest first; prints when and on what machines, or that none was run.

    Returns:
        The runs, each a dict; an empty list where the experiment has not been run.

    Raises:
        TypeError: name is no string.

    Example:
        >>> runs = recorded_runs("schedules")  # doctest: +ELLIPSIS
        Recorded on 20... by python -m experiments.schedules: mnist, official; torch ...
        >>> runs[0]["schedule"], runs[0]["seed"]
        ('constant', 0)
    """
    try:
        result = recorded(name)
    except FileNotFoundError:
        from ._console import command

        print(f"Not run yet. In a clone of the course, this records it:\n    {command(f'experiments.{name}')}")
        return []
    runs = result["runs"]
    dates, machines = (dict.fromkeys(run[key] for run in runs) for key in ("date", "machine"))  # each once, in order
    print(f"Recorded on {' and '.join(dates)} by python -m experiments.{name}: {result['data']}; {'; '.join(machines)}")
    return runs
