"""Searches in a file: killed anywhere, they lose one trial; workers share them; candidates are tried once."""

import multiprocessing
import signal
from collections import Counter

import optuna
import pytest
from optuna.trial import TrialState

from course_utils.search import asked, open_study, put_back
from tests.package import searching

forkserver = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="this system cannot kill a process so"
)


@pytest.fixture(scope="module")
def children():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.package.searching"])
    return context


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def search_in_child(children, file, kill=None):
    child = children.Process(target=searching.search, args=(file, kill))
    child.start()
    child.join(60)
    return child.exitcode


def complete(study):
    return study.get_trials(states=[TrialState.COMPLETE])


REPORTS = searching.CANDIDATES * searching.REPORTS


def killed_and_resumed(children, file, kill):
    assert search_in_child(children, file, kill) == -signal.SIGKILL
    assert not file.with_suffix(".done").exists()
    before = len(complete(open_study(file, "search")))
    assert search_in_child(children, file) == 0
    study = open_study(file, "search")
    values = {trial.params["candidate"]: trial.value for trial in complete(study)}
    assert len(complete(study)) == searching.CANDIDATES
    assert values == {k: searching.value_of(k, searching.REPORTS) for k in range(searching.CANDIDATES)}
    lost = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    assert len(lost) <= 1 and len(study.trials) == searching.CANDIDATES + len(lost)
    return before, lost


@forkserver
@pytest.mark.parametrize("number", [1, 8])
def test_a_killed_search_goes_on_and_loses_one_trial(children, tmp_path, number):
    before, lost = killed_and_resumed(children, tmp_path / "a.journal", ("report", number))
    assert before == (number - 1) // searching.REPORTS  # what was finished is not done again
    assert len(lost) == 1


@forkserver
@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, REPORTS + 1))
def test_killed_at_any_report(children, tmp_path, number):
    killed_and_resumed(children, tmp_path / "a.journal", ("report", number))


@forkserver
@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 20, 40])
def test_killed_while_it_holds_the_lock(children, tmp_path, number):
    killed_and_resumed(children, tmp_path / "a.journal", ("written", number))  # waits until the lock is given up


@forkserver
def test_two_workers_share_a_queue(children, tmp_path):
    file, each = tmp_path / "a.journal", 8
    study = open_study(file, "search")
    for candidate in range(2 * each):
        study.enqueue_trial({"candidate": candidate})
    workers = [children.Process(target=searching.search, args=(file, None, None, each, name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(trial.params["candidate"] for trial in complete(study)) == list(range(2 * each))
    assert Counter(trial.user_attrs["worker"] for trial in complete(study)) == {"a": each, "b": each}


def test_studies_of_one_file_are_found_again_and_kept_apart(tmp_path):
    file = tmp_path / "new" / "a.journal"
    open_study(file, "one").optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert [len(open_study(file, name).trials) for name in ("one", "two")] == [2, 0]
    assert open_study(file, "one").direction == optuna.study.StudyDirection.MAXIMIZE


def test_without_a_pruner_no_trial_is_pruned(tmp_path):
    searching.search(tmp_path / "a.journal")
    assert len(complete(open_study(tmp_path / "a.journal", "search"))) == searching.CANDIDATES


def test_with_a_pruner_some_are(tmp_path):
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    searching.search(tmp_path / "a.journal", pruner=pruner)
    states = Counter(trial.state for trial in open_study(tmp_path / "a.journal", "search").trials)
    assert states[TrialState.PRUNED] and states[TrialState.COMPLETE]


def test_what_was_interrupted_or_raised_is_put_back_once(tmp_path):
    study = open_study(tmp_path / "a.journal", "search")
    for candidate in range(4):
        study.enqueue_trial({"candidate": candidate})

    def objective(trial):
        if trial.number == 1:
            raise KeyboardInterrupt  # before it has asked for its candidate
        if trial.suggest_int("candidate", 0, 9) == 2:
            raise ZeroDivisionError
        return 1.0

    for error in (KeyboardInterrupt, ZeroDivisionError):
        with pytest.raises(error):
            study.optimize(objective, n_trials=4)
    assert put_back(study) == [{"candidate": 1}, {"candidate": 2}]
    assert put_back(study) == []  # they wait already
    assert [asked(trial) for trial in study.get_trials(states=[TrialState.WAITING])] == [
        {"candidate": 3}, {"candidate": 1}, {"candidate": 2},
    ]  # fmt: skip


def test_a_trial_that_was_not_queued_tells_what_it_drew(tmp_path):
    study = open_study(tmp_path / "a.journal", "search")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert asked(study.trials[0]) == study.trials[0].params
