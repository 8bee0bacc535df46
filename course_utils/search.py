"""Searches by Optuna that are kept in one file, shared by several workers, and go on after one of them was killed.

Every candidate waits in the study's queue (`study.enqueue_trial`) before the search begins. Whoever asks next gets the
next one, so neither a kill nor a second worker changes which candidates there are.
"""

import os
import warnings
from pathlib import Path

from ._arguments import kind

with warnings.catch_warnings():  # of tqdm, that a notebook without ipywidgets shows plain progress bars
    warnings.simplefilter("ignore")
    import optuna


def open_study(file: str | os.PathLike, name: str, *, pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    """The study of this name in this file; a new one if there is none. What it looks for is the highest value.

    Any number of processes may have it open and work on it.

    Args:
        file: where the journal is kept, such as "search.journal". A missing folder is made.
        name: one file holds as many studies as it has names.
        pruner: who decides that a trial is not worth going on with; by default nobody.

    Raises:
        TypeError: an argument of the wrong kind.

    Source: T. Akiba, S. Sano, T. Yanase, T. Ohta, M. Koyama, Optuna, KDD 2019; its journal file.

    Example:
        >>> study = open_study("search.journal", "lenet")
        >>> study.enqueue_trial({"lr": 0.1})
        >>> study.optimize(lambda trial: -trial.suggest_float("lr", 0.01, 1), n_trials=1)
        >>> open_study("search.journal", "lenet").best_params
        {'lr': 0.1}
    """
    file = Path(kind("file", file, str | os.PathLike, 'the name of a file, such as "search.journal"'))
    kind("name", name, str, "the study's name")
    kind("pruner", pruner, optuna.pruners.BasePruner | None, "a pruner, such as optuna.pruners.MedianPruner()")
    file.parent.mkdir(parents=True, exist_ok=True)
    journal = optuna.storages.journal
    lock = journal.JournalFileOpenLock(str(file), grace_period=5)  # of a worker that was killed while it wrote
    storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(file), lock))
    pruner = pruner or optuna.pruners.NopPruner()
    return optuna.create_study(
        study_name=name, storage=storage, load_if_exists=True, direction="maximize", pruner=pruner
    )


def asked(trial: optuna.trial.FrozenTrial) -> dict:
    """The candidate that a trial was to try, also when it ended before it had looked at it.

    Example:
        >>> study = open_study("search.journal", "lenet")
        >>> study.enqueue_trial({"lr": 0.1})
        >>> study.optimize(lambda trial: -trial.suggest_float("lr", 0.01, 1), n_trials=1)
        >>> asked(study.trials[0])
        {'lr': 0.1}
    """
    kind("trial", trial, optuna.trial.FrozenTrial, "one of a study's trials")
    return trial.system_attrs.get("fixed_params", trial.params)


def put_back(study: optuna.Study) -> list[dict]:
    """Put candidates back into the queue whose trials were killed, interrupted or raised; return these candidates.

    Call it before the first worker starts again: a trial that still runs elsewhere counts as killed. What a lost trial
    had reported stays in the file, and a pruner still compares with it.

    Raises:
        TypeError: study is no Optuna study.

    Example:
        >>> study = open_study("search.journal", "lenet")
        >>> study.enqueue_trial({"lr": 0.1})
        >>> trial = study.ask()  # and here the worker is killed
        >>> put_back(study)
        [{'lr': 0.1}]
    """
    kind("study", study, optuna.Study, "a study, as open_study returns it")
    running, failed = optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.FAIL
    for trial in study.get_trials(states=[running]):
        study.tell(trial.number, state=failed)
    kept = [asked(trial) for trial in study.get_trials() if trial.state != failed]
    lost: list[dict] = []
    for trial in study.get_trials(states=[failed]):
        if asked(trial) not in kept + lost:
            lost.append(asked(trial))
            study.enqueue_trial(asked(trial))
    return lost
