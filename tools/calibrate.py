"""Measure how far a lesson's results scatter: `make calibrate LESSON=06_lenet SEEDS=5`.

Runs the lesson on real data once for each seed, with that `SEED` in its parameters cell, and writes the values of its
measured claims to `course_utils/results/bounds_NN.json`: mean, standard deviation, and as the bound the mean less three
standard deviations. The runs are those of a student, so they also give the lesson's time to run, as `make time-lessons`
does. They are kept in `.run/calibrate/`: after an interruption the same command goes on.
"""

import json
import os
import re
import statistics
import sys

from tools.claims_page import claims_of
from tools.common import ROOT, RUN, find_manuscript, read_notebook, write
from tools.run_lessons import LessonFailed, changes, kept, run_and_keep, settle_data
from tools.time_lessons import keep_times

SEED = re.compile(r"^SEED = \d+", re.MULTILINE)


def with_seed(notebook, seed: int):
    """The notebook with this seed in its parameters cell."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and SEED.search(cell.source)]
    if len(cells) != 1:
        sys.exit(f"{len(cells)} cells assign SEED; there must be one, the parameters cell.")
    cells[0].source = SEED.sub(f"SEED = {seed}", cells[0].source)
    return notebook


def measured_claims(lesson: str, seed: int) -> tuple[dict[str, tuple[float, str]], dict]:
    """Value and data copy of each measured claim, by its sentence, in a run with this seed; and the run's record."""
    source, folder, name = ROOT / "notebooks" / f"{lesson}.ipynb", RUN / "calibrate", f"{lesson}-seed-{seed}"
    record, notebook = kept(name, folder), with_seed(read_notebook(source), seed)
    if not record or changes(record, notebook):
        record = run_and_keep(name, notebook, folder)
    print(f"{lesson}, seed {seed}: {record['seconds']:.0f} s")
    claims = [claim for claim in claims_of(read_notebook(folder / f"{name}.ipynb")) if claim["kind"] == "measured"]
    return {claim["sentence"]: (float(claim["value"]), claim["copy"]) for claim in claims}, record


def bounds(runs: list[dict]) -> dict:
    """The file's contents, from the claims of each seed's run."""
    [copy] = {copy for run in runs for _, copy in run.values()}
    claims = {}
    for sentence in runs[0]:
        values = [run[sentence][0] for run in runs]
        mean, sd = statistics.mean(values), statistics.stdev(values)
        claims[sentence] = {"values": values, "mean": mean, "sd": sd, "at_least": mean - 3 * sd}
    return {"copy": copy, "seeds": list(range(len(runs))), "claims": claims}


def main(lesson: str, seeds: int) -> None:
    if seeds < 2:
        sys.exit(f"SEEDS={seeds}: a standard deviation needs two seeds or more.")
    lesson = find_manuscript(lesson)
    os.environ["COURSE_STRICT"] = "0"  # the bounds that are measured here must not stop their own measurement
    os.environ["COURSE_DATA"] = "real"
    settle_data([lesson])
    try:
        runs, records = zip(*[measured_claims(lesson, seed) for seed in range(seeds)], strict=True)
    except LessonFailed as problem:
        sys.exit(f"{lesson} FAILED. {problem}")
    if not runs[0]:
        sys.exit(f"{lesson} has no measured claim: nothing to write.")
    target = ROOT / "course_utils" / "results" / f"bounds_{lesson[:2]}.json"
    write(target, json.dumps(bounds(runs), indent=1, ensure_ascii=False) + "\n")
    print(f"Wrote {target.relative_to(ROOT)}")
    keep_times(lesson, records)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
