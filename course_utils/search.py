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
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    from optuna.trial import FrozenTrial, TrialState


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
    """
    file = Path(kind("file", file, str | os.PathLike, 'the name of a file, such as "search.journal"'))
    kind("name", name, str, "the study's name")
    if pruner is not None:
        kind("pruner", pruner, optuna.pruners.BasePruner, "a pruner, such as optuna.pruners.SuccessiveHalvingPruner()")
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileOpenLock(str(file), grace_period=5)  # of a worker that was killed while it wrote
    return optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(file), lock)),
        load_if_exists=True,
        direction="maximize",
        pruner=pruner or optuna.pruners.NopPruner(),
    )


def asked(trial: FrozenTrial) -> dict:
    """The candidate that a trial was to try, also when it ended before it had looked at it."""
    kind("trial", trial, FrozenTrial, "one of a study's trials")
    return trial.system_attrs.get("fixed_params", trial.params)


def put_back(study: optuna.Study) -> list[dict]:
    """Put candidates back into the queue whose trials were killed, interrupted or raised; return these candidates.

    Call it before the first worker starts again: a trial that still runs elsewhere counts as killed. What a lost trial
    had reported stays in the file, and a pruner still compares with it.

    Raises:
        TypeError: study is no Optuna study.
    """
    kind("study", study, optuna.Study, "a study, as open_study returns it")
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    kept = [asked(trial) for trial in study.get_trials() if trial.state != TrialState.FAIL]
    lost = []
    for trial in study.get_trials(states=[TrialState.FAIL]):
        if asked(trial) not in kept + lost:
            lost.append(asked(trial))
    for candidate in lost:
        study.enqueue_trial(candidate)
    return lost
