"""A small search, to be run in a child process and killed there."""

import os
from pathlib import Path

import optuna
from optuna.trial import TrialState

from course_utils.search import open_study, put_back
from tests.package.resumable import die, killing

CANDIDATES, REPORTS = 6, 3


def value_of(candidate, step):
    return (7 * candidate + 3 * step) % 10 + step


def search(file, kill=None, pruner=None, trials=None, worker=""):
    """Work on the study in the file until nothing waits any more, or for so many trials.

    Args:
        kill: where the process ends itself with SIGKILL, as (place, number): "report", the n-th time that a trial
            reports; "written", at the n-th writing into the journal, when its lock is still held.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    place, number = kill or ("nowhere", 0)
    reports = iter(range(1, number))

    def objective(trial):
        trial.set_user_attr("worker", worker)
        candidate = trial.suggest_int("candidate", 0, 99)
        for step in range(1, REPORTS + 1):
            trial.report(value_of(candidate, step), step)
            if place == "report" and next(reports, None) is None:
                die()
            if step < REPORTS and trial.should_prune():
                raise optuna.TrialPruned
        return value_of(candidate, REPORTS)

    study = open_study(file, "search", pruner=pruner)
    if trials is not None:
        study.optimize(objective, n_trials=trials)
        return
    put_back(study)
    for candidate in range(CANDIDATES):
        study.enqueue_trial({"candidate": candidate}, skip_if_exists=True)
    if place == "written":
        os.fsync = killing(os.fsync, number, before=False)
    while study.get_trials(states=[TrialState.WAITING]):
        study.optimize(objective, n_trials=1)
    Path(file).with_suffix(".done").touch()
