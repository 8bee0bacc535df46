"""Recorded results: saved after every run, resumed, never mixed; and each script still is what was recorded."""

import doctest
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from functools import cache
from importlib import import_module
from itertools import chain, pairwise, repeat
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from torch import nn

import course_utils
from course_utils import EarlyStopping, _files, batches, evaluate, fit, load, networks
from course_utils._files import PACKAGE
from course_utils.data import ImageData, Images
from course_utils.records import recorded
from tools import recording
from tools.recording import finished, record_all

DATA = SimpleNamespace(name="mnist", source="official")
SCRIPTS = sorted((PACKAGE.parent / "experiments").glob("*.py"))
NAMES = [script.stem for script in SCRIPTS]


@cache
def few(name, **options):
    """A few images of a data set, so that a short run of a script is short."""
    data = load(name)
    splits = (data.train.take(128), data.valid.take(64), data.test.take(64))
    return ImageData(*splits, data.classes, data.source, data.name)


def script(name):
    return import_module(f"experiments.{name}")


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    for name in NAMES:
        monkeypatch.setattr(script(name), "load", few)


def interrupted_by_hand(*args, **options):
    raise KeyboardInterrupt


# The file


def accuracy(data, config, seed, **marks):
    """A run that takes no time."""
    return {"accuracy": config["epochs"] / (seed + 2), "seconds": 1.0}


def seeds(*numbers, **marks):
    return [{"seed": seed, **marks} for seed in numbers]


def runs_in(folder, name="trial"):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["runs"]


def git(folder, *command):
    name = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", *name, *command], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def here(monkeypatch):
    """Tells records what computes here."""

    def here(machine, processor="a CPU", threads=2):
        monkeypatch.setattr(recording, "machine", lambda: machine)
        monkeypatch.setattr(recording, "_processor", lambda: processor)
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)

    return here


def record_timed(folder, *marks, **options):
    record_all("trial", {"epochs": 1}, DATA, accuracy, list(marks), folder=folder, **{"timed": True} | options)


class Interrupt:
    """A callback: Ctrl-C in this epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, state):
        if state.epoch == self.epoch:
            raise KeyboardInterrupt


def trained(*callbacks, epochs=3):
    """The history of a training that can learn nothing, so that early stopping has a reason."""
    images = Images(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64), [0.0], [1.0])
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-30)
    return fit(model, batches(images, 2), batches(images, 2), optimizer, epochs=epochs, callbacks=callbacks)


def run_short(name, folder, **changes):
    """Run a script on few images, in a short configuration; return what it has recorded."""
    script(name).main(script(name).CONFIG | SHORT[name][0] | changes, folder)
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@cache
def short(name):
    with TemporaryDirectory() as folder:
        return run_short(name, Path(folder))


def measured(run):
    """What another run of the same code must measure again."""
    return {
        key: value for key, value in run.items() if key not in ("seconds", "milliseconds", "load", "date", "minutes")
    }


def rates(schedule, steps=20):
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.005)
    scheduler, seen = schedule(optimizer, steps), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def search(folder, **changes):
    return run_short("cifar_searches", folder, **changes)["runs"]


def test_the_examples_of_the_recorder_run(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA", "sample")
    tried = doctest.testmod(recording)
    assert tried.attempted > 5 and not tried.failed, capsys.readouterr().out


@pytest.mark.parametrize("wrong", [{"name": 3}, {"config": [1]}, {"data": None}, {"run": "run"}, {"marks": {}}])
def test_wrong_arguments_are_named(wrong, tmp_path):
    right = {"name": "trial", "config": {}, "data": DATA, "run": accuracy, "marks": []}
    with pytest.raises(TypeError, match=next(iter(wrong))):
        record_all(**right | wrong, folder=tmp_path)


def test_runs_are_kept_one_by_one_and_found_again(tmp_path, capsys):
    record_all("trial", {"epochs": 2}, DATA, accuracy, seeds(0), folder=tmp_path)
    record_all("trial", {"epochs": 2}, DATA, accuracy, seeds(0, 1), folder=tmp_path)
    content = json.loads((tmp_path / "trial.json").read_text())
    assert [run["seed"] for run in content["runs"]] == [0, 1]
    assert content["data"] == "mnist, official" and content["experiment"] == "trial"
    kept = {"date", "machine", "processor", "threads", "cores", "load", "commit", "dirty"}
    assert content["runs"][0].keys() == kept | {"seed", "accuracy", "seconds"}
    assert capsys.readouterr().out == "seed 0\nseed 1\n"
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".lock"] == ["trial.json"]


def test_what_was_done_before_a_stop_is_not_done_again(tmp_path):
    def stopped(data, config, seed):
        if seed == 2:
            raise KeyboardInterrupt
        return accuracy(data, config, seed)

    with pytest.raises(KeyboardInterrupt):
        record_all("trial", {"epochs": 2}, DATA, stopped, seeds(0, 1, 2, 3), folder=tmp_path)
    first = runs_in(tmp_path)
    assert [run["seed"] for run in first] == [0, 1]
    record_all("trial", {"epochs": 2}, DATA, accuracy, seeds(0, 1, 2, 3), folder=tmp_path)
    assert runs_in(tmp_path)[:2] == first and [run["seed"] for run in runs_in(tmp_path)] == [0, 1, 2, 3]


def test_marks_may_hold_lists_and_nothing(tmp_path):
    marks = [{"widths": (4, 8), "minutes": None}, {"widths": (4, 8), "minutes": 3}]
    for _ in range(2):
        record_all("trial", {}, DATA, lambda *_, **marks: {}, marks, folder=tmp_path)
    assert [(run["widths"], run["minutes"]) for run in runs_in(tmp_path)] == [([4, 8], None), ([4, 8], 3)]


def test_runs_of_another_configuration_or_data_are_never_mixed_in(tmp_path):
    def run(*_, **marks):
        raise AssertionError("it is refused before it runs")

    record_all("trial", {"epochs": 2}, DATA, accuracy, seeds(0), folder=tmp_path)
    with pytest.raises(ValueError, match="another configuration"):
        record_all("trial", {"epochs": 3}, DATA, run, seeds(1), folder=tmp_path)
    with pytest.raises(ValueError, match="official.* sample"):
        sample = SimpleNamespace(name="mnist", source="sample")
        record_all("trial", {"epochs": 2}, sample, run, seeds(1), folder=tmp_path)


def test_a_result_that_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(TypeError, match="result of run must hold only what JSON can"):
        record_all("trial", {}, DATA, lambda *_: {"accuracy": torch.ones(2)}, [{}], folder=tmp_path)
    with pytest.raises(TypeError, match="result of run must be a dict"):
        record_all("trial", {}, DATA, lambda *_: 0.5, [{}], folder=tmp_path)


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch):
    record_all("trial", {"epochs": 2}, DATA, accuracy, seeds(0), folder=tmp_path)
    before = (tmp_path / "trial.json").read_bytes()

    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        record_all("trial", {"epochs": 2}, DATA, accuracy, seeds(1), folder=tmp_path)
    assert (tmp_path / "trial.json").read_bytes() == before and not list(tmp_path.glob("*.part"))


WORKER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from tools.recording import record_all

folder, me = Path(sys.argv[1]), sys.argv[2]
(folder / f"{me}.ready").touch()
while len(list(folder.glob("*.ready"))) < 2:
    time.sleep(0.01)
marks = [{"who": who, "seed": seed} for seed in range(15) for who in ("both", me)]
data = SimpleNamespace(name="mnist", source="official")
record_all("trial", {}, data, lambda *_, **marks: time.sleep(0.02) or {}, marks, folder=folder)
"""


def test_two_processes_that_record_at_once_lose_no_run_and_keep_none_twice(tmp_path):
    command = [sys.executable, "-c", WORKER, str(tmp_path)]
    workers = [subprocess.Popen([*command, me], cwd=PACKAGE.parent, stdout=subprocess.DEVNULL) for me in "ab"]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    found = sorted((run["who"], run["seed"]) for run in runs_in(tmp_path))
    assert found == sorted((who, seed) for who in ("both", "a", "b") for seed in range(15))


# What is kept with a run


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git here")
def test_code_that_differs_from_its_commit_is_noted_and_results_are_no_code(tmp_path, monkeypatch):
    for folder in ("course_utils", "experiments"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "trial.py").touch()
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    monkeypatch.setattr(recording, "PACKAGE", tmp_path / "course_utils")
    record_all("trial", {"epochs": 1}, DATA, accuracy, seeds(0))
    record_all("trial", {"epochs": 1}, DATA, accuracy, seeds(1))  # its own results lie there now, not yet committed
    (tmp_path / "experiments" / "trial.py").write_text("changed")
    record_all("trial", {"epochs": 1}, DATA, accuracy, seeds(2))
    git(tmp_path, "commit", "-am", "second")
    (tmp_path / "course_utils" / "new.py").touch()
    record_all("trial", {"epochs": 1}, DATA, accuracy, seeds(3))
    runs = runs_in(tmp_path / "course_utils" / "results")
    assert [run["dirty"] for run in runs] == [False, False, True, True]
    assert all(re.fullmatch("[0-9a-f]{4,}", run["commit"]) for run in runs)
    assert runs[2]["commit"] == runs[0]["commit"] != runs[3]["commit"]


def test_the_commit_is_that_of_the_code_that_was_loaded(tmp_path, monkeypatch):
    said = iter(["c0ffee", ""])
    monkeypatch.setattr(recording, "_git", lambda *command: next(said))  # asked once, before the first run
    record_all("trial", {"epochs": 1}, DATA, accuracy, seeds(0, 1), folder=tmp_path)
    assert [run["commit"] for run in runs_in(tmp_path)] == ["c0ffee", "c0ffee"]


def test_without_git_a_run_is_kept_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    record_all("trial", {"epochs": 1}, DATA, accuracy, seeds(0), folder=tmp_path)
    [run] = runs_in(tmp_path)
    assert (run["commit"], run["dirty"]) == ("", False)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (("torch on CPU", "a CPU", 1), "threads 2; here it is 1"),
        (("torch on CPU", "another CPU", 2), "processor a CPU; here it is another CPU"),
        (("torch on H200", "a CPU", 2), "machine torch on CPU; here it is torch on H200"),
    ],
)
def test_seconds_of_another_machine_or_number_of_threads_are_refused_before_the_run(tmp_path, here, other, named):
    here("torch on CPU", "a CPU", 2)
    record_timed(tmp_path, {"seed": 0})
    here(*other)
    record_timed(tmp_path, {"seed": 0})  # nothing is left to do, and nothing is wrong
    with pytest.raises(ValueError, match=named):
        record_all("trial", {"epochs": 1}, DATA, interrupted_by_hand, seeds(1), folder=tmp_path, timed=True)
    record_timed(tmp_path, {"seed": 1}, timed=False)
    here("torch on CPU", "a CPU", 2)
    assert len(runs_in(tmp_path)) == 2


def test_seconds_of_one_machine_are_kept_together_also_with_runs_that_noted_less(tmp_path, here):
    here("torch on CPU", "a CPU", 2)
    record_timed(tmp_path, {"seed": 0}, {"seed": 1})
    content = json.loads((tmp_path / "trial.json").read_text())
    for run in content["runs"]:
        del run["processor"], run["threads"], run["dirty"]  # as runs were kept once
    (tmp_path / "trial.json").write_text(json.dumps(content))
    record_timed(tmp_path, {"seed": 2})
    assert len(runs_in(tmp_path)) == 3


def test_a_gpu_may_stand_beside_a_cpu_where_runs_say_which(tmp_path, here):
    here("torch on CPU")
    record_timed(tmp_path, *seeds(0, device="cpu"))
    here("torch on H200")
    record_timed(tmp_path, *seeds(0, device="cuda"))
    here("torch on A100")
    with pytest.raises(ValueError, match="H200.* A100"):
        record_timed(tmp_path, *seeds(1, device="cuda"))
    assert [run["machine"] for run in runs_in(tmp_path)] == ["torch on CPU", "torch on H200"]


# A training that was interrupted


@pytest.mark.parametrize("epoch", [1, 3], ids=["in the middle", "in the last epoch"])
def test_an_interrupted_training_ends_its_script(epoch):
    history = trained(Interrupt(epoch))
    assert len(history) == epoch
    with pytest.raises(SystemExit, match="not kept"):
        finished(history)


def test_a_training_that_went_to_its_end_or_was_stopped_by_a_callback_is_finished():
    whole, stopped = trained(), trained(EarlyStopping(1))
    assert (len(whole), len(stopped)) == (3, 2)
    assert finished(whole) is whole and finished(stopped) is stopped


# The scripts


@pytest.mark.parametrize("path", SCRIPTS, ids=NAMES)
def test_a_script_that_fits_asks_whether_the_training_is_finished(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![.\w])fit\(", text) or re.search(r"\bfinished\(|\.interrupted\b", text)


@pytest.mark.parametrize("name", NAMES)
def test_the_script_still_is_what_was_recorded(name):
    if not (PACKAGE / "results" / f"{name}.json").exists():
        pytest.skip(f"not run yet: python -m experiments.{name}")
    result = recorded(name)
    assert result["config"] == json.loads(json.dumps(script(name).CONFIG))
    assert "sample" not in result["data"]
    assert all(run["seconds"] and run["machine"] for run in result["runs"])


@pytest.mark.parametrize("name", NAMES)
def test_the_script_finds_every_recorded_run_again(name, monkeypatch):
    """Each by one of the marks that it would run next."""
    if not (PACKAGE / "results" / f"{name}.json").exists():
        pytest.skip(f"not run yet: python -m experiments.{name}")
    asked, runs = [], recorded(name)["runs"]
    asks = script(name) if hasattr(script(name), "record_all") else recording  # `best_setting` asks twice
    monkeypatch.setattr(asks, "record_all", lambda name, config, data, run, marks, **_: asked.extend(marks) or runs)
    for run in runs:
        if "device" in run:
            monkeypatch.setattr(script(name), "device", lambda device=run["device"]: device)
        options = {"run": run["run"], "seed": [run["seed"]], "minutes": run["minutes"]} if "minutes" in run else {}
        asked.clear()
        script(name).main(**options)
        assert sum(mark.items() <= run.items() for mark in json.loads(json.dumps(asked))) == 1


def test_the_printed_command_finds_the_package_in_a_clone_that_installed_nothing():
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-m", f"experiments.{NAMES[0]}", "--help"]
    said = subprocess.run(command, cwd=PACKAGE.parent, env=environment, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0 and " ".join(command[1:3]) in said.stdout, said.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=NAMES)
def test_each_script_helps(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0 and f"    python -m experiments.{path.stem}" in capsys.readouterr().out


def test_every_recorded_experiment_has_its_script():
    for file in (PACKAGE / "results").glob("*.json"):
        if "experiment" in json.loads(file.read_text()):
            assert file.stem in NAMES


def test_what_others_published_names_its_source():
    for file in (PACKAGE / "results").glob("published_*.json"):
        result = recorded(file.stem)
        assert result["what"] and len(result["source"].split(", ")) >= 3  # who, what, where


def test_the_published_matrix_fits_its_classes_and_its_test_split():
    result = recorded("published_cifar10_confusion")
    assert [sum(row) for row in result["matrix"]] == [1_000] * 10
    assert len(result["classes"]) == len(result["per_class_accuracy"]) == len(result["matrix"][0]) == 10
    assert sum(row[k] for k, row in enumerate(result["matrix"])) == 7_785


# A short run of each script


TINY = {"c1": 2, "c2": 3, "hidden": 4}
FINAL = script("cifar_published").CONFIG["runs"]["final"] | {"network": TINY, "augmented": False, "epochs": 3}
SMALL_BATCHES = script("recipe_headline").RECIPE | {"batch_size": 16}
SHORT = {  # what a short run of each script changes in its configuration, and how many runs it then makes
    "activations": ({"images": 64, "epochs": 1, "rates": [0.001], "seeds": [0]}, 4),
    "audit": ({"images": 200, "epochs": 1, "mended": ["", "ABEFHIJK"], "seeds": [0]}, 2),
    "augmentations": ({"images": 32, "lengths": [1], "seeds": [0]}, 3 * 7 + 1),
    "busy_machine": ({"networks": {"lenet": [1, 28, 28]}, "sides": [[1, 0], [1, 1]], "seconds": 0.1, "rounds": 1}, 2),
    "capacity": ({"networks": ["small_fashion_net"], "images": 64, "epochs": 1}, 3),
    "capacity_sweep": ({"widths": [1, 2], "rates": [0.001], "images": 50, "epochs": 1, "seeds": [0]}, 2),
    "cifar_ablation": ({"images": 64, "epochs": 1, "seeds": [0], "widths": TINY}, 4),
    "cifar_depth": (
        {"lengths": {"8": [1]}, "peaks": [0.01, 0.003], "images": 64, "judging_seeds": [1]},
        2 * (2 + 1),
    ),
    "cifar_full_ablation": ({"runs": {"both with patience 3": FINAL | {"patience": 1}}, "seeds": [0]}, 1),
    "cifar_grid": ({"images": 64, "epochs": 1, "seeds": [0], "hidden": [4], "c1": [2, 3], "c2": [3]}, 2),
    "cifar_published": ({"runs": {"final": FINAL}}, 1),
    "cifar_searches": (
        {
            "images": 64,
            "width": [1, 2],
            "grid": {"lr": [0.001, 0.01], "width": [1, 2], "dropout": [0.0, 0.5]},
            "epochs": 2,
            "budget": 6,
            "seeds": [0],
        },
        3,
    ),
    "recipe_choices": (
        {
            "recipe": SMALL_BATCHES,
            "precision": "float32",
            "tried": [{"network": "ours", "epochs": 1, "peak": peak, "seed": 0} for peak in (0.1, 0.01)],
        },
        2,
    ),
    "recipe_headline": (
        {
            "recipe": SMALL_BATCHES,
            "points": {
                "a": {"network": "ours", "epochs": {"float32": 1}},
                "b": script("recipe_headline").CHOSEN | {"epochs": {"bfloat16": 1}},
            },
            "seeds": [0],
        },
        2,
    ),
    "recipe_ladder": (
        {
            "seconds": 0.5,
            "rows": {
                "one-cycle": [{"peak": 0.005}, {"peak": 0.01}],
                "small images first": [{"small": 0.5}],
                "bfloat16": [{"bfloat16": True, "peak": 0.01}],
                "Muon": [{"optimizer": "Muon", "peak": 0.01}],
            },
            "averages": [0.9],
            "judging_seeds": [1],
        },
        3 + 2 + 2 + 2,
    ),
    "recipe_steps": ({"settings": [{}, {"small": 1.0}], "rounds": 2, "warm_up": 1, "steps": 1}, 4),
    "digit_reader": ({"maps": [2, 2, 2], "batch_size": 16, "epochs": 1}, 1),
    "fashion_loops": (
        {
            "published": {"lr": 0.001, "batch_size": 64, "epochs": 1},
            "ours": {"max_lr": 0.003, "batch_size": 64, "epochs": 1},
            "timed_images": 64,
            "timed_rounds": 1,
        },
        3,
    ),
    "first_filters": ({"images": 128, "epochs": 1}, 1),
    "flights": ({"images": 64, "epochs": 1}, 4),
    "heat_maps": (
        {
            "recipe": script("heat_maps").RECIPE | {"images": 200, "epochs": 1},
            "shirts": 2,
            "compared": 2,
            "seeds": [0],
        },
        1,
    ),
    "invariance": ({"images": 64, "epochs": 1, "seeds": [0], "pixels": [0], "degrees": [9], "factors": [0.8]}, 8),
    "learning_curve": ({"sizes": [64, 128], "steps": 3, "seeds": [0]}, 4),
    "lenet_long": ({"epochs": 3, "patience": 1, "few": 50, "seeds": [0]}, 1),
    "lenet_plateau": ({"constant_epochs": 1, "cosine_epochs": 2, "constant_seeds": [0, 1]}, 3),
    "loading": ({"images": 32, "batch_size": 16, "rounds": 1}, 8),
    "mnist_program": ({"arguments": ["--dry-run"]}, 1),
    "pooling_overfit": ({"images": 64, "epochs": 1, "seeds": [0]}, 3),
    "probe": (
        {
            "labels": [10],
            "readers": ["from scratch", "garments"],
            "garments": script("probe").CONFIG["garments"] | {"images": 64, "epochs": 1},
            "steps": {"10": 3},
            "seeds": [0],
        },
        2,
    ),
    "processes": ({"networks": {"lenet": 1}}, 1),
    "remedies": (
        {
            "remedies": script("remedies").CONFIG["remedies"] | {"10,000 images": {"images": 128}},
            "width": 2,
            "images": 64,
            "epochs": 1,
            "left_on_times": 2,
            "seeds": [0],
        },
        4,
    ),
    "rounding": ({"batch_size": 16, "looks": [1, 3], "seeds": [0]}, 1),
    "schedules": ({"schedules": ["constant", "one-cycle"], "rates": [0.005], "seeds": [0, 1]}, 4),
    "small_fashion": ({"batch_size": 32, "seeds": [0]}, 1),
    "starts": (
        {
            "starts": {"published, a quarter wide": ["He's weights everywhere"], "small VGG": ["batch norm"]},
            "peaks": [0.01, 0.003],
            "images": 64,
            "epochs": 1,
            "judging_seeds": [1],
        },
        2 * (2 + 1),
    ),
    "step_times": ({"images": 16, "batch_size": 8, "batch_sizes": [4], "rounds": 1, "compile": False}, 3),
    "stopping": ({"images": 64, "rates": [0.001], "constant": [2], "cosine": [1, 2], "seeds": [0]}, 3),
    "wide_mnist": ({"epochs": 1, "batch_size": 128}, 1),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "processes")) for n in NAMES])
def test_a_short_run_goes_on_where_it_was_stopped(name, tmp_path):
    whole, file = short(name), tmp_path / f"{name}.json"
    assert len(whole["runs"]) == SHORT[name][1] and all(run["seconds"] for run in whole["runs"])
    file.write_text(json.dumps(whole | {"runs": whole["runs"][:-1]}))
    again = run_short(name, tmp_path)
    assert again["runs"][:-1] == whole["runs"][:-1]
    assert measured(again["runs"][-1]) == measured(whole["runs"][-1])
    first = file.read_bytes()
    run_short(name, tmp_path)  # nothing is left to do
    assert file.read_bytes() == first


@pytest.mark.parametrize("name", NAMES)
def test_a_short_run_records_what_was_recorded(name):
    if not (PACKAGE / "results" / f"{name}.json").exists():
        pytest.skip(f"not run yet: python -m experiments.{name}")
    old = {frozenset(run) for run in recorded(name)["runs"]}
    new = {frozenset(run) - {"processor", "threads", "dirty"} for run in short(name)["runs"]}
    assert {run - {"processor", "threads", "dirty"} for run in old} >= new


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name != "processes"]
)  # which trains in processes of its own
def test_an_interrupted_run_is_not_kept(name, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "backward", interrupted_by_hand)
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        run_short(name, tmp_path)
    assert not list(tmp_path.glob("*.json"))


# Single scripts


def test_long_trainings_keep_all_their_epochs():
    """Also those that one of their rules would have stopped."""
    [long] = short("lenet_long")["runs"]
    assert len(long["valid_loss"]) == len(long["seconds"]) == 3
    assert [(run["schedule"], run["seed"], len(run["valid_loss"])) for run in short("lenet_plateau")["runs"]] == [
        ("constant", 0, 1),
        ("constant", 1, 1),
        ("cosine", 0, 2),
    ]


@pytest.mark.parametrize("loop", ["published", "ours", "timed"])
def test_all_that_is_timed_against_each_other_runs_on_the_device(loop, monkeypatch):
    """On "meta" there are shapes and no numbers, so that each stops at the first number that it looks at."""
    monkeypatch.setattr(script("fashion_loops"), "device", lambda: "meta")
    with pytest.raises(RuntimeError, match="meta"):
        script("fashion_loops").run(few("fashion_mnist"), script("fashion_loops").CONFIG, loop)


def test_the_recorded_schedules_are_those_of_the_lesson():
    schedules, config = script("schedules").SCHEDULES, script("schedules").CONFIG
    assert list(schedules) == config["schedules"]
    lesson = (PACKAGE.parent / "book" / "07_training_control.py").read_text(encoding="utf-8")
    written = re.search(r"^SCHEDULES = \{.*?^\}", lesson, re.DOTALL | re.MULTILINE)[0]
    names = {"lr_scheduler": torch.optim.lr_scheduler, "LR": 0.005}
    exec(written, names)
    for name, schedule in schedules.items():
        assert rates(schedule) == rates(names["SCHEDULES"][name])


@pytest.mark.parametrize(
    ("scores", "best_epoch", "stop_epoch"),
    [((1, 3, 2, 2, 9), 2, 4), ((1, 3, 3, 2), 2, 4), ((1, 2, 3), 3, None)],
)
def test_a_rule_stops_looking_but_not_the_training(scores, best_epoch, stop_epoch):
    model = torch.nn.Linear(1, 1)
    rule = script("lenet_long").Rule(lambda state: scores[state.epoch - 1], patience=2)
    for epoch in range(1, len(scores) + 1):
        torch.nn.init.constant_(model.weight, epoch)
        assert rule.on_epoch_end(SimpleNamespace(epoch=epoch, model=model)) is None
    assert (rule.best_epoch, rule.stop_epoch) == (best_epoch, stop_epoch)
    assert rule.weights["weight"].item() == best_epoch


def test_dropout_left_on_costs_accuracy_of_a_network_that_needs_its_numbers():
    x = torch.randint(1, 256, (100, 1, 4, 4), dtype=torch.uint8)
    images = batches(Images(x, torch.ones(100, dtype=torch.int64), [0.0], [1.0]), 50)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.Dropout(0.5))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([0.0, 1.0]))  # the second class, unless its answer is dropped
    assert evaluate(model, images).accuracy == 1
    assert 0.3 < script("remedies").left_on(model, images) < 0.7


def test_each_search_spends_its_budget_and_halving_tries_more(tmp_path):
    tried = {
        run["search"]: run["trials"]
        for run in search(tmp_path, searches=["random", "halving"], width=[8, 16], images=300, budget=8)
    }
    spent = {name: sum(len(trial["valid_accuracy"]) for trial in trials) for name, trials in tried.items()}
    assert spent["random"] == 8 and 8 <= spent["halving"] <= 9  # the last trial may go on for one epoch more
    assert len(tried["halving"]) > len(tried["random"]) == 4
    for drawn, halved in zip(tried["random"], tried["halving"], strict=False):
        assert halved["lr"] == drawn["lr"]
        assert halved["valid_accuracy"] == drawn["valid_accuracy"][: len(halved["valid_accuracy"])]


def test_a_search_that_was_interrupted_loses_one_trial_only(tmp_path, monkeypatch):
    changes = {"searches": ["random"], "epochs": 1, "budget": 3}
    whole = search(tmp_path / "whole", **changes)
    train_epoch = script("cifar_searches").train_epoch
    calls = iter([train_epoch, train_epoch, interrupted_by_hand])
    monkeypatch.setattr(script("cifar_searches"), "train_epoch", lambda *args, **options: next(calls)(*args, **options))
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "cut", **changes)
    trained = []
    monkeypatch.setattr(
        script("cifar_searches"), "train_epoch", lambda *args, **options: trained.append(train_epoch(*args, **options))
    )
    cut = search(tmp_path / "cut", **changes)
    assert len(trained) == 1
    assert cut[0]["trials"] == whole[0]["trials"]


def test_a_journal_of_another_configuration_is_refused(tmp_path):
    search(tmp_path, searches=["random"], epochs=1, budget=1)
    (tmp_path / "cifar_searches.json").unlink()
    with pytest.raises(ValueError, match="another configuration"):
        search(tmp_path, searches=["random"], epochs=1, budget=1, images=65)


def test_the_published_network_goes_on_after_its_last_epoch(tmp_path, monkeypatch):
    backward = torch.Tensor.backward  # once in each of the three epochs
    steps = chain([backward, backward, interrupted_by_hand], repeat(backward))
    monkeypatch.setattr(torch.Tensor, "backward", lambda *args, **options: next(steps)(*args, **options))
    with pytest.raises(SystemExit, match="goes on"):
        run_short("cifar_published", tmp_path)
    [cut], [whole] = run_short("cifar_published", tmp_path)["runs"], short("cifar_published")["runs"]
    assert measured(whole) == measured(cut) and len(cut["valid_loss"]) == 3
    assert sum(map(sum, cut["test_counts"])) == len(few("cifar10").test)
    assert cut["valid_loss"][cut["scored_epoch"] - 1] == min(cut["valid_loss"])


def test_the_published_network_stops_when_its_time_is_up_and_a_longer_run_goes_on(tmp_path):
    config = script("cifar_published").CONFIG | {"runs": {"final": FINAL | {"patience": None}}}
    script("cifar_published").main(config, tmp_path, minutes=1e-6)
    script("cifar_published").main(config, tmp_path)
    first, second = runs_in(tmp_path, "cifar_published")
    assert (first["out_of_time"], len(first["seconds"])) == (True, 1)
    assert (second["out_of_time"], len(second["seconds"])) == (False, 3)
    assert second["valid_loss"][:1] == first["valid_loss"]
    assert (first["scored_epoch"], second["scored_epoch"]) == (1, 3)


def test_the_options_of_the_published_network_reach_its_runs(monkeypatch):
    asked = []
    monkeypatch.setattr(recording, "record_all", lambda name, config, data, run, marks, **_: asked.extend(marks))
    monkeypatch.setattr(sys, "argv", ["cifar_published", "--run", "base", "--seed", "1", "2", "--minutes", "5"])
    runpy.run_path(str(PACKAGE.parent / "experiments" / "cifar_published.py"), run_name="__main__")
    assert asked == [{"run": "base", "seed": 1, "minutes": 5.0}, {"run": "base", "seed": 2, "minutes": 5.0}]


def test_the_published_recipes_are_the_published_networks():
    runs = script("cifar_published").CONFIG["runs"]
    printed = recorded("published_cifar10_runs")
    for k, row in enumerate(printed["grid"]["runs"]):
        assert runs[f"grid-{k}"]["network"] == {name: row[name] for name in ("c1", "c2", "hidden")}
    for name in ("base", "grid", "final"):
        recipe = runs["grid-0" if name == "grid" else name]
        same = recipe.keys() & printed[name].keys() - {"network", "epochs"}
        assert {key: recipe[key] for key in same} == {key: printed[name][key] for key in same}
        assert recipe["epochs"] == printed[name].get("most_epochs", printed[name]["epochs"])


HEADLINE = script("recipe_headline").CONFIG


def test_the_headline_is_recorded_as_the_lesson_trains_it(monkeypatch):
    lesson = (PACKAGE.parent / "book" / "13_recipe.py").read_text(encoding="utf-8")
    written = {"nn": nn, "pairwise": pairwise}
    for cell in (r"^SEED = .*?^$", r"^def block.*?^$", r"^def deeper_net.*?^$"):
        exec(re.search(cell, lesson, re.DOTALL | re.MULTILINE)[0], written)
    recipe = HEADLINE["recipe"] | HEADLINE["points"]["35 seconds"]
    names = {"MAX_LR": "peak", "BATCH": "batch_size", "DECAY": "weight_decay", "SMOOTHING": "label_smoothing"}
    assert {name: written[name] for name in names} == {name: recipe[key] for name, key in names.items()}
    assert written["EPOCHS"] == recipe["epochs"]["bfloat16"]
    ladder, given = script("recipe_ladder"), {}
    for name in ("Augment", "AdamW", "OneCycleLR"):
        noted = Mock(wraps=getattr(ladder, name))
        monkeypatch.setattr(ladder, name, noted)
        given[name] = noted
    settings = recipe | {"bfloat16": False, "batch_size": 8}
    list(ladder.train(ladder.build(settings), load("cifar10").train.take(8), settings, 1))
    given = {name: noted.call_args.kwargs for name, noted in given.items()}
    assert given["Augment"] == {"flip": 0.5, "shift": written["SHIFT"], "padding_mode": "reflect"}
    assert given["AdamW"]["betas"] == written["BETAS"]
    assert given["OneCycleLR"]["pct_start"] == written["RISING"]
    assert str(networks.fast_cifar_net(written["WIDTHS"])) == str(ladder.NETWORKS[recipe["network"]]())
    widths = eval(re.search(r"^deep = deeper_net\((.*)\)$", lesson, re.MULTILINE)[1])
    for name in ("five minutes", "ten minutes"):
        recorded_network = ladder.NETWORKS[HEADLINE["points"][name]["network"]]()
        assert str(written["deeper_net"](widths)) == str(recorded_network)


def test_the_headline_takes_a_peak_that_validation_images_did_not_speak_against():
    assert not {run["seed"] for run in script("recipe_choices").CONFIG["tried"]} & set(HEADLINE["seeds"])
    tried = recorded("recipe_choices")["runs"]
    assert not any("test" in key for run in tried for key in run)
    for name, point in HEADLINE["points"].items():
        recipe, scores = HEADLINE["recipe"] | point, {}
        other = [key for key in HEADLINE["recipe"] if key != "peak"]
        for run in tried:
            settings = HEADLINE["recipe"] | run
            if run["network"] == point["network"] and all(settings[key] == recipe[key] for key in other):
                peaks = scores.setdefault(run["epochs"], {})
                peaks.setdefault(run["peak"], []).append(run["valid_accuracy"][-1])
        compared = {epochs: peaks for epochs, peaks in scores.items() if len(peaks) > 1}
        assert compared, name
        for peaks in compared.values():
            assert mean(peaks[recipe["peak"]]) >= max(map(mean, peaks.values())) - 0.003  # luck


def test_the_headline_keeps_seconds_and_scores_of_each_epoch():
    for run in recorded("recipe_headline")["runs"]:
        epochs = HEADLINE["points"][run["point"]]["epochs"][run["precision"]]
        assert len(run["seconds"]) == len(run["valid_accuracy"]) == epochs
        assert not run["dirty"]
        assert run["precision"] == "float32" or "bf16" in run["capability"]


def test_no_row_of_the_headline_takes_longer_than_its_name_says_by_the_fastest_steps():
    limits = {"35 seconds": 35, "five minutes": 300, "ten minutes": 600, "published, five minutes": 300}
    for name, point in HEADLINE["points"].items():
        limit, recipe = limits[name], HEADLINE["recipe"] | point
        for precision, epochs in recipe["epochs"].items():
            settings = recipe | {"bfloat16": precision == "bfloat16"}
            most = script("recipe_ladder").steps_in(limit + 0.5, settings)  # the lesson prints whole seconds
            assert epochs * (45_000 // recipe["batch_size"]) <= most, (name, precision)


def test_images_in_turns_show_each_side_in_two_epochs():
    images = load("cifar10").train.take(50)
    both = script("recipe_ladder").both_sides(images)
    first, second = (half.x.ne(images.x).flatten(1).any(1) for half in both)
    assert torch.equal(first, ~second) and 0 < first.sum() < 50
    assert all(
        torch.equal(half.x[side], images.x.flip(3)[side]) for half, side in zip(both, (first, second), strict=True)
    )
    assert all(torch.equal(half.y, images.y) for half in both)


def test_whitened_filters_make_patches_equally_loud_in_every_direction():
    headline, settings = script("recipe_headline"), script("recipe_headline").RECIPE | {"bfloat16": False}
    torch.manual_seed(0)
    x = 100 * torch.rand(600, 3, 9, 9) * torch.tensor([1.0, 0.3, 1.2])[:, None, None]  # one channel is louder
    images = Images((x + x.roll(1, 2)).byte(), torch.zeros(600).long(), (0.4,) * 3, (0.1,) * 3)  # neighbours are alike
    [(x, _)] = batches(images, 600)
    for optimizer in ("AdamW", "Muon"):
        model = script("recipe_ladder").build(settings | {"network": "deep", "optimizer": optimizer})
        before = [weight.clone() for weight in model.parameters()]
        headline.whiten(model[0], images)
        maps = model[0](x).transpose(0, 1).flatten(1)
        assert torch.allclose(maps[:12].cov(), torch.eye(12), atol=0.02) and torch.equal(maps[12:], -maps[:12])
        assert [weight.requires_grad for weight in model.parameters()] == [False] + [True] * (len(before) - 1)
        assert all(map(torch.equal, before[1:], [*model.parameters()][1:]))


def test_each_row_of_the_ladder_changes_one_thing_about_its_base_and_tunes_it_as_its_rivals_do():
    config = script("recipe_ladder").CONFIG
    base, rows = config["base"], dict(config["rows"])
    assert all(setting.keys() == {"peak"} for setting in rows.pop("one-cycle"))  # the base itself
    for row, settings in rows.items():
        changed = {key for setting in settings for key in setting if key != "peak" and setting[key] != base[key]}
        assert len(changed - {"batch_size"}) == 1 or changed == {"batch_size"}, row
        assert len(settings) == len(config["rows"]["one-cycle"]) and len({*map(str, settings)}) == len(settings)
    assert config["choosing_seed"] not in config["judging_seeds"] and len(config["judging_seeds"]) >= 5


def test_steps_of_the_ladder_fill_the_seconds_that_were_measured():
    ladder = script("recipe_ladder")
    fastest = {}
    for run in recorded("recipe_steps")["runs"]:
        what = (*ladder.speed(run).values(), run["size"])
        fastest[what] = min(run["milliseconds"], fastest.get(what, run["milliseconds"]))
    for settings in ladder.CONFIG["rows"].values():
        for setting in settings:
            whole = ladder.CONFIG["base"] | setting
            speed, small = (*ladder.speed(whole).values(),), whole["small"]
            milliseconds = (1 - small) * fastest[*speed, 32] + (small and small * fastest[*speed, 24])
            assert 0 <= 60_000 - ladder.steps_in(60, whole) * milliseconds < milliseconds


def test_filters_in_a_matrix_answer_as_filters_do():
    ladder, settings = script("recipe_ladder"), script("recipe_ladder").CONFIG["base"] | {"peak": 0.01}
    torch.manual_seed(0)
    plain = ladder.build(settings)
    torch.manual_seed(0)
    matrices = ladder.build(settings | {"optimizer": "Muon"})
    x = torch.rand(4, 3, 32, 32)
    assert torch.allclose(plain(x), matrices(x), atol=1e-5)
    muon, rest = ladder.optimizers(matrices, settings | {"optimizer": "Muon"})
    held = [weight for optimizer in (muon, rest) for group in optimizer.param_groups for weight in group["params"]]
    assert {id(weight) for weight in held} == {id(weight) for weight in matrices.parameters()} and len(held) == 14
    assert [weight.ndim for weight in muon.param_groups[0]["params"]] == [2] * 4


def test_small_images_come_first():
    ladder = script("recipe_ladder")
    settings = ladder.CONFIG["base"] | {"small": 0.5, "peak": 0.01, "batch_size": 16}
    seen, model = [], ladder.build(settings)
    model[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2]))
    for _ in ladder.train(model, few("cifar10").train, settings, 6):
        pass
    assert seen == [24] * 3 + [32] * 3


def test_mirrored_answers_do_not_depend_on_the_side():
    model, x = script("recipe_ladder").Mirrored(nn.Sequential(nn.Flatten(), nn.Linear(12, 2))), torch.rand(3, 3, 2, 2)
    assert torch.allclose(model(x), model(x.flip(3)))
    assert not torch.allclose(model.model(x), model.model(x.flip(3)))


def test_the_published_numbers_in_the_prose_are_those_on_file():
    published = recorded("published_cifar10_runs")
    final, best = published["final"], max(run["accuracy"] for run in published["grid"]["runs"])
    minutes, seconds = divmod(final["seconds"], 60)
    per_cent = [f"{100 * published[name]['accuracy']:.1f} %" for name in ("base", "final")]
    told = {
        "11_cifar10": [
            *per_cent,
            f"{100 * published['dense']['accuracy']:.0f} %",
            f"{100 * best:.1f} %",
            f"for {final['epochs']} epochs on a GPU",
            f"{minutes} min {seconds} s for {final['epochs']}",
        ],
        "13_recipe": [f"{minutes} min {seconds} s on an {published['device']}", per_cent[1]],
    }
    for lesson, numbers in told.items():
        prose = (PACKAGE.parent / "book" / f"{lesson}.py").read_text(encoding="utf-8").replace("\n# ", " ")
        assert [number for number in numbers if number not in prose] == []


# Read by lessons


def test_a_missing_resource_lists_its_neighbours():
    with pytest.raises(FileNotFoundError, match="lenet_plateau.json"):
        course_utils.recorded("lenet_plato")


def test_recorded_runs_come_with_a_line_that_says_when_and_on_what(capsys):
    runs = course_utils.recorded_runs("lenet_plateau")
    assert runs == course_utils.recorded("lenet_plateau")["runs"]
    said = capsys.readouterr().out
    assert runs[-1]["date"] in said and "mnist, official" in said and "experiments.lenet_plateau" in said


def test_the_line_names_every_machine_of_the_runs(tmp_path, monkeypatch, capsys):
    runs = [{"date": f"2026-01-0{day}", "machine": machine} for day, machine in ((1, "CPU"), (1, "CPU"), (2, "a GPU"))]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "tried.json").write_text(json.dumps({"data": "mnist, official", "runs": runs}))
    monkeypatch.setattr(_files, "PACKAGE", tmp_path)
    assert course_utils.recorded_runs("tried") == runs
    said = capsys.readouterr().out
    assert "2026-01-01 and 2026-01-02" in said and "CPU; a GPU" in said and said.count("CPU") == 1


def test_an_experiment_that_was_never_run_says_so_and_a_lesson_still_depends_on_it(monkeypatch, capsys):
    monkeypatch.setattr(_files, "opened", set())
    assert course_utils.recorded_runs("never") == []
    assert "Not run yet" in capsys.readouterr().out
    assert _files.opened == {"results/never.json"}
