"""Recorded results: saved after every run, resumed, never mixed; and each script still is what was recorded."""

import json
import os
import re
import runpy
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import course_utils
from course_utils import EarlyStopping, _files, batches, evaluate, fit, load
from course_utils.data import ImageData, Images
from course_utils.records import Record, finished
from course_utils.runtime import PACKAGE, recorded
from experiments.cifar_choices import CONFIG as CHOICES
from experiments.cifar_headline import CONFIG as HEADLINE

DATA = SimpleNamespace(name="mnist", source="official")
SCRIPTS = sorted((PACKAGE.parent / "experiments").glob("*.py"))


def test_runs_are_kept_one_by_one_and_found_again(tmp_path):
    record = Record("trial", {"epochs": 2}, tmp_path)
    record.add({"seed": 0, "accuracy": 0.5}, DATA)
    again = Record("trial", {"epochs": 2}, tmp_path)
    assert again.has(seed=0) and not again.has(seed=1)
    again.add({"seed": 1, "accuracy": 0.6}, DATA)
    content = json.loads((tmp_path / "trial.json").read_text())
    assert [run["seed"] for run in content["runs"]] == [0, 1]
    assert content["data"] == "mnist, official"
    assert content["runs"][0].keys() >= {"date", "machine", "cores", "load", "commit"}
    assert [file.name for file in tmp_path.iterdir()] == ["trial.json"]


def test_runs_of_another_configuration_or_data_are_never_mixed_in(tmp_path):
    Record("trial", {"epochs": 2}, tmp_path).add({"seed": 0}, DATA)
    with pytest.raises(ValueError, match="another configuration"):
        Record("trial", {"epochs": 3}, tmp_path)
    with pytest.raises(ValueError, match="sample"):
        Record("trial", {"epochs": 2}, tmp_path).add({"seed": 1}, SimpleNamespace(name="mnist", source="sample"))


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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_that_fits_asks_whether_the_training_is_finished(script):
    text = script.read_text(encoding="utf-8")
    assert not re.search(r"\bfit\(", text) or re.search(r"\bfinished\(|\.interrupted\b", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_still_is_what_was_recorded(script):
    config = runpy.run_path(str(script))["CONFIG"]
    if not (PACKAGE / "results" / f"{script.stem}.json").exists():
        pytest.skip(f"not run yet: python -m experiments.{script.stem}")
    result = recorded(script.stem)
    assert result["config"] == json.loads(json.dumps(config))
    assert "sample" not in result["data"]
    assert all(run["seconds"] and run["machine"] for run in result["runs"])


def test_the_printed_command_finds_the_package_in_a_clone_that_installed_nothing():
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-m", f"experiments.{SCRIPTS[0].stem}", "--help"]
    said = subprocess.run(command, cwd=PACKAGE.parent, env=environment, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0 and " ".join(command[1:3]) in said.stdout, said.stderr


def test_every_recorded_experiment_has_its_script():
    for file in (PACKAGE / "results").glob("*.json"):
        if "experiment" in json.loads(file.read_text()):
            assert file.stem in {script.stem for script in SCRIPTS}


def test_what_others_published_names_its_source():
    for file in (PACKAGE / "results").glob("published_*.json"):
        result = recorded(file.stem)
        assert result["what"] and len(result["source"].split(", ")) >= 3  # who, what, where


def test_the_published_matrix_fits_its_classes_and_its_test_split():
    result = recorded("published_cifar10_confusion")
    assert [sum(row) for row in result["matrix"]] == [1_000] * 10
    assert len(result["classes"]) == len(result["per_class_accuracy"]) == len(result["matrix"][0]) == 10
    assert sum(row[k] for k, row in enumerate(result["matrix"])) == 7_785


@pytest.mark.parametrize(
    ("name", "changes", "count"),
    [
        ("schedules", {"schedules": ["constant", "one-cycle"], "batch_size": 400, "seeds": [0, 1]}, 4),
        ("lenet_long", {"epochs": 3, "patience": 1, "few": 50, "seeds": [0]}, 1),
    ],
)
def test_a_short_training_under_control_runs_and_resumes(name, changes, count, tmp_path):
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / f"{name}.py"))
    config = script["CONFIG"] | changes
    script["main"](config, tmp_path)
    first = (tmp_path / f"{name}.json").read_text()
    runs = json.loads(first)["runs"]
    assert len(runs) == count
    assert all(len(run["valid_loss"]) == len(run["seconds"]) == config["epochs"] for run in runs)
    script["main"](config, tmp_path)  # nothing is left to do
    assert (tmp_path / f"{name}.json").read_text() == first


def test_the_recorded_schedules_are_those_of_the_lesson():
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "schedules.py"))
    assert list(script["SCHEDULES"]) == script["CONFIG"]["schedules"]
    lesson = (PACKAGE.parent / "book" / "07_training_control.py").read_text(encoding="utf-8")
    written = re.search(r"^SCHEDULES = \{.*?^\}", lesson, re.DOTALL | re.MULTILINE)[0]
    names = {"lr_scheduler": torch.optim.lr_scheduler, "LR": script["CONFIG"]["lr"]}
    exec(written, names)
    for name, schedule in script["SCHEDULES"].items():
        assert rates(schedule) == rates(names["SCHEDULES"][name])


def rates(schedule, steps=20):
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.005)
    scheduler, seen = schedule(optimizer, steps), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


@pytest.mark.parametrize(
    ("scores", "best_epoch", "stop_epoch"),
    [((1, 3, 2, 2, 9), 2, 4), ((1, 3, 3, 2), 2, 4), ((1, 2, 3), 3, None)],
)
def test_a_rule_stops_looking_but_not_the_training(scores, best_epoch, stop_epoch):
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "lenet_long.py"))
    model = torch.nn.Linear(1, 1)
    rule = script["Rule"](lambda state: scores[state.epoch - 1], patience=2)
    for epoch in range(1, len(scores) + 1):
        torch.nn.init.constant_(model.weight, epoch)
        assert rule.on_epoch_end(SimpleNamespace(epoch=epoch, model=model)) is None
    assert (rule.best_epoch, rule.stop_epoch) == (best_epoch, stop_epoch)
    assert rule.weights["weight"].item() == best_epoch


def test_a_short_plateau_runs_and_resumes(tmp_path):
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "lenet_plateau.py"))
    config = script["CONFIG"] | {"constant_epochs": 1, "cosine_epochs": 2, "constant_seeds": [0, 1], "valid": 100}
    script["main"](config, tmp_path)
    first = (tmp_path / "lenet_plateau.json").read_text()
    runs = json.loads(first)["runs"]
    assert [(run["schedule"], run["seed"], len(run["valid_loss"])) for run in runs] == [
        ("constant", 0, 1),
        ("constant", 1, 1),
        ("cosine", 0, 2),
    ]
    script["main"](config, tmp_path)  # nothing is left to do
    assert (tmp_path / "lenet_plateau.json").read_text() == first


SHORT = {  # what a short run of each script changes in its configuration, and how many runs it then makes
    "wide_mnist": ({"epochs": 1, "batch_size": 500}, 1),
    "fashion_loops": (
        {
            "published": {"lr": 0.001, "batch_size": 256, "epochs": 1},
            "ours": {"max_lr": 0.003, "batch_size": 256, "epochs": 1},
            "timed_images": 64,
            "timed_rounds": 1,
        },
        3,
    ),
    "capacity": ({"networks": ["small_fashion_net"], "images": 64, "epochs": 1}, 3),
    "learning_curve": ({"sizes": [64, 128], "steps": 3, "seeds": [0]}, 4),
    "remedies": ({"width": 2, "images": 64, "epochs": 1, "left_on_times": 2, "seeds": [0]}, 4),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_short_run_is_recorded_and_not_repeated(name, tmp_path, monkeypatch):
    changes, count = SHORT[name]
    monkeypatch.setattr("course_utils.load", lambda *args, **options: small(load(*args, **options)))
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / f"{name}.py"))
    if "remedies" in script["CONFIG"]:
        changes = changes | {"remedies": script["CONFIG"]["remedies"] | {"10,000 images": {"images": 128}}}
    config = script["CONFIG"] | changes
    script["main"](config, tmp_path)
    first = (tmp_path / f"{name}.json").read_text()
    runs = json.loads(first)["runs"]
    assert len(runs) == count and all(run["seconds"] for run in runs)
    script["main"](config, tmp_path)  # nothing is left to do
    assert (tmp_path / f"{name}.json").read_text() == first


def small(data):
    """A data set of a few hundred images, for a network of 25.8 million parameters in a test."""
    splits = (data.train.take(256), data.valid.take(64), data.test.take(64))
    return ImageData(*splits, data.classes, data.source, data.name)


def test_dropout_left_on_costs_accuracy_of_a_network_that_needs_its_numbers():
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "remedies.py"))
    x = torch.randint(1, 256, (100, 1, 4, 4), dtype=torch.uint8)
    images = batches(Images(x, torch.ones(100, dtype=torch.int64), [0.0], [1.0]), 50)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.Dropout(0.5))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([0.0, 1.0]))  # the second class, unless its answer is dropped
    assert evaluate(model, images).accuracy == 1
    assert 0.3 < script["left_on"](model, images) < 0.7


INVARIANCE = {  # what a short run of each script of lesson 10 changes in its configuration, and how many runs it makes
    "invariance": ({"images": 64, "epochs": 1, "seeds": [0], "pixels": [0], "degrees": [9], "factors": [0.8]}, 8),
    "pooling_overfit": ({"images": 64, "epochs": 1, "seeds": [0]}, 3),
    "augmentations": ({"images": 64, "epochs": 1, "seeds": [0]}, 3 * 7 + 1),
}


@pytest.mark.parametrize("name", INVARIANCE)
def test_a_short_run_of_lesson_10_goes_on_where_it_was_stopped(name, tmp_path):
    changes, count = INVARIANCE[name]
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / f"{name}.py"))
    config = script["CONFIG"] | changes
    script["main"](config, tmp_path)
    whole = json.loads((tmp_path / f"{name}.json").read_text())
    assert len(whole["runs"]) == count and all(run["seconds"] for run in whole["runs"])
    (tmp_path / f"{name}.json").write_text(json.dumps(whole | {"runs": whole["runs"][:-1]}))
    script["main"](config, tmp_path)
    last = json.loads((tmp_path / f"{name}.json").read_text())["runs"][-1]
    assert last["valid_accuracy"] == whole["runs"][-1]["valid_accuracy"]


def test_an_interrupted_run_of_lesson_10_is_not_kept(tmp_path, monkeypatch):
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "pooling_overfit.py"))

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("course_utils.training.train_epoch", interrupted)
    with pytest.raises(SystemExit, match="not kept"):
        script["main"](script["CONFIG"] | {"images": 64}, tmp_path)
    assert not list(tmp_path.iterdir())


CIFAR = {  # what a short run of each script of lesson 11 changes in its configuration, and how many runs it makes
    "cifar_grid": ({"images": 64, "epochs": 1, "seeds": [0], "hidden": [4], "c1": [2, 3], "c2": [3]}, 2),
    "cifar_ablation": ({"images": 64, "epochs": 1, "seeds": [0], "widths": {"c1": 2, "c2": 3, "hidden": 4}}, 4),
    "cifar_searches": (
        {"images": 64, "c1": [2, 3], "hidden": [4, 8], "grid": {"lr": [0.001, 0.01], "c1": [2, 3], "hidden": [4, 8]},
         "epochs": 2, "budget": 6, "seeds": [0]},
        3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CIFAR)
def test_a_short_run_of_lesson_11_goes_on_where_it_was_stopped(name, tmp_path):
    changes, count = CIFAR[name]
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / f"{name}.py"))
    config = script["CONFIG"] | changes
    script["main"](config, tmp_path)
    file = tmp_path / f"{name}.json"
    whole = json.loads(file.read_text())
    assert len(whole["runs"]) == count and all(run["seconds"] for run in whole["runs"])
    file.write_text(json.dumps(whole | {"runs": whole["runs"][:-1]}))
    (tmp_path / f"{name}.journal").unlink(missing_ok=True)  # or the lost search would be read from there
    script["main"](config, tmp_path)
    last = json.loads(file.read_text())["runs"][-1]
    assert last["valid_accuracy"] == whole["runs"][-1]["valid_accuracy"]


@pytest.mark.parametrize("name", ["cifar_grid", "cifar_ablation"])
def test_an_interrupted_run_of_lesson_11_is_not_kept(name, tmp_path, monkeypatch):
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / f"{name}.py"))
    monkeypatch.setattr("course_utils.training.train_epoch", interrupted_by_hand)
    with pytest.raises(SystemExit, match="not kept"):
        script["main"](script["CONFIG"] | {"images": 64}, tmp_path)
    assert not list(tmp_path.iterdir())


def interrupted_by_hand(*args, **options):
    raise KeyboardInterrupt


def searches(tmp_path, **changes):
    """The script of the three searches, and a short configuration of it."""
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "cifar_searches.py"))
    return script["main"], script["CONFIG"] | CIFAR["cifar_searches"][0] | changes


def test_each_search_spends_its_budget_and_halving_tries_more(tmp_path):
    main, config = searches(tmp_path, searches=["random", "halving"], budget=8)
    main(config, tmp_path)
    runs = json.loads((tmp_path / "cifar_searches.json").read_text())["runs"]
    tried = {run["search"]: run["trials"] for run in runs}
    spent = {name: sum(len(trial["valid_accuracy"]) for trial in trials) for name, trials in tried.items()}
    assert spent["random"] == 8 and 8 <= spent["halving"] <= 9  # the last trial may go on for one epoch more
    assert len(tried["halving"]) > len(tried["random"]) == 4
    for drawn, halved in zip(tried["random"], tried["halving"], strict=False):
        assert halved["lr"] == drawn["lr"]
        assert halved["valid_accuracy"] == drawn["valid_accuracy"][: len(halved["valid_accuracy"])]


def test_a_search_that_was_interrupted_loses_one_trial_only(tmp_path, monkeypatch):
    main, config = searches(tmp_path, searches=["random"], epochs=1, budget=3)
    main(config, tmp_path / "whole")
    from course_utils.training import train_epoch

    calls = iter([train_epoch, train_epoch, interrupted_by_hand])
    monkeypatch.setattr("course_utils.train_epoch", lambda *args: next(calls)(*args), raising=False)
    main, config = searches(tmp_path, searches=["random"], epochs=1, budget=3)
    with pytest.raises(KeyboardInterrupt):
        main(config, tmp_path / "cut")
    monkeypatch.undo()
    monkeypatch.setattr("course_utils.train_epoch", lambda *args: trained.append(train_epoch(*args)), raising=False)
    trained = []
    main, config = searches(tmp_path, searches=["random"], epochs=1, budget=3)
    main(config, tmp_path / "cut")
    assert len(trained) == 1
    runs = [json.loads((tmp_path / name / "cifar_searches.json").read_text())["runs"] for name in ("whole", "cut")]
    assert runs[0][0]["trials"] == runs[1][0]["trials"]


def test_a_journal_of_another_configuration_is_refused(tmp_path):
    main, config = searches(tmp_path, searches=["random"], epochs=1, budget=1)
    main(config, tmp_path)
    (tmp_path / "cifar_searches.json").unlink()
    with pytest.raises(ValueError, match="another configuration"):
        main(config | {"images": 65}, tmp_path)


TINY = {"c1": 2, "c2": 3, "hidden": 4}


def published(**recipe):
    """The script of the published network, and a configuration with one tiny run of it."""
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "cifar_published.py"))
    final = script["CONFIG"]["runs"]["final"] | {"network": TINY, "augmented": False, "epochs": 3} | recipe
    return script, script["CONFIG"] | {"runs": {"final": final}}


def without_seconds(run):
    return {key: value for key, value in run.items() if key not in ("seconds", "load")}


def test_the_published_network_goes_on_after_its_last_epoch(tmp_path, monkeypatch):
    script, config = published()
    script["main"](config, tmp_path / "whole")
    looks = iter([*[evaluate] * 2, interrupted_by_hand])
    monkeypatch.setattr("course_utils.training.evaluate", lambda *args, **options: next(looks)(*args, **options))
    with pytest.raises(SystemExit, match="goes on"):
        script["main"](config, tmp_path / "cut")
    monkeypatch.undo()
    script["main"](config, tmp_path / "cut")
    runs = [json.loads((tmp_path / name / "cifar_published.json").read_text())["runs"] for name in ("whole", "cut")]
    [whole], [cut] = runs
    assert without_seconds(whole) == without_seconds(cut) and len(cut["valid_loss"]) == 3
    assert sum(map(sum, cut["test_counts"])) == len(load("cifar10").test)
    assert cut["valid_loss"][cut["scored_epoch"] - 1] == min(cut["valid_loss"])
    script["main"](config, tmp_path / "cut")  # nothing is left to do
    assert len(json.loads((tmp_path / "cut" / "cifar_published.json").read_text())["runs"]) == 1


def test_the_published_network_stops_when_its_time_is_up_and_a_longer_run_goes_on(tmp_path):
    script, config = published(patience=None)
    script["main"](config, tmp_path, minutes=1e-6)
    script["main"](config, tmp_path)
    first, second = json.loads((tmp_path / "cifar_published.json").read_text())["runs"]
    assert (first["out_of_time"], len(first["seconds"])) == (True, 1)
    assert (second["out_of_time"], len(second["seconds"])) == (False, 3)
    assert second["valid_loss"][:1] == first["valid_loss"]
    assert (first["scored_epoch"], second["scored_epoch"]) == (1, 3)


def test_the_published_recipes_are_the_published_networks():
    runs = runpy.run_path(str(PACKAGE.parent / "experiments" / "cifar_published.py"))["CONFIG"]["runs"]
    printed = recorded("published_cifar10_runs")
    for k, row in enumerate(printed["grid"]["runs"]):
        assert runs[f"grid-{k}"]["network"] == {name: row[name] for name in ("c1", "c2", "hidden")}
    for name in ("base", "grid", "final"):
        recipe = runs["grid-0" if name == "grid" else name]
        same = recipe.keys() & printed[name].keys() - {"network", "epochs"}
        assert {key: recipe[key] for key in same} == {key: printed[name][key] for key in same}
        assert recipe["epochs"] == printed[name].get("most_epochs", printed[name]["epochs"])


POINT = {"widths": [4, 8], "residual": False, "max_lr": 0.01, "epochs": 1, "seeds": [0]}
MODERN = {  # what a short run of each script of lesson 12 changes in its configuration, and how many runs it makes
    "cifar_headline": ({"points": {"a": POINT, "b": POINT | {"residual": True, "seeds": [0, 1]}}, "batch_size": 32}, 3),
    "cifar_choices": (
        {"recipe": CHOICES["recipe"] | {"batch_size": 32}, "tried": [POINT | {"max_lr": lr} for lr in (0.1, 0.01)]},
        2,
    ),
    "cifar_depth": ({"depths": [8], "images": 64, "epochs": 1, "seeds": [0]}, 2),
    "cifar_ladder": (
        {
            "images": 32,
            "epochs": 1,
            "batch_size": 16,
            "seeds": [0],
            "ends": {"rows": ["our convolutions"], "images": 48, "seeds": [0]},
        },
        9 + 2 + 1,
    ),
}


@pytest.mark.parametrize("name", MODERN)
def test_a_short_run_of_lesson_12_goes_on_where_it_was_stopped(name, tmp_path, monkeypatch):
    changes, count = MODERN[name]
    monkeypatch.setattr("course_utils.load", lambda *args, **options: small(load(*args, **options)))
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / f"{name}.py"))
    config = script["CONFIG"] | changes
    script["main"](config, tmp_path)
    whole = json.loads((tmp_path / f"{name}.json").read_text())
    assert len(whole["runs"]) == count and all(run["seconds"] for run in whole["runs"])
    (tmp_path / f"{name}.json").write_text(json.dumps(whole | {"runs": whole["runs"][:-1]}))
    script["main"](config, tmp_path)
    last = json.loads((tmp_path / f"{name}.json").read_text())["runs"][-1]
    assert last["valid_accuracy"] == whole["runs"][-1]["valid_accuracy"]


@pytest.mark.parametrize("name", MODERN)
def test_an_interrupted_run_of_lesson_12_is_not_kept(name, tmp_path, monkeypatch):
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / f"{name}.py"))

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("course_utils.training.train_epoch", interrupted)
    with pytest.raises(SystemExit, match="not kept"):
        script["main"](script["CONFIG"] | MODERN[name][0], tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_headline_is_recorded_as_the_lesson_trains_it():
    lesson = (PACKAGE.parent / "book" / "12_modern_blocks.py").read_text(encoding="utf-8")
    written = {}
    exec(re.search(r"^SEED = .*?^$", lesson, re.DOTALL | re.MULTILINE)[0], written)
    point = HEADLINE["points"]["two minutes"]
    assert (list(written["WIDTHS"]), written["EPOCHS"]) == (point["widths"], point["epochs"])
    assert point["residual"] is False and len(point["seeds"]) >= 5
    assert written["MAX_LR"] == point["max_lr"]
    names = {
        "BATCH": "batch_size",
        "RISING": "rising",
        "DECAY": "weight_decay",
        "SMOOTHING": "label_smoothing",
        "SHIFT": "shift",
    }
    assert {name: written[name] for name in names} == {name: HEADLINE[key] for name, key in names.items()}
    assert list(written["BETAS"]) == HEADLINE["betas"]


def test_the_headline_takes_what_validation_images_did_not_speak_against():
    network = ("widths", "residual", "network")
    for point in HEADLINE["points"].values():
        scores = {}
        for run in recorded("cifar_choices")["runs"]:
            if all(run.get(key) == point.get(key) for key in network):
                training = run["epochs"], run.get("shift", HEADLINE["shift"])
                scores.setdefault(training, {})[run["max_lr"]] = run["valid_accuracy"][-1]
        assert (point["epochs"], point.get("shift", HEADLINE["shift"])) in scores
        assert max(map(len, scores.values())) > 1
        assert all(found[point["max_lr"]] >= max(found.values()) - 0.005 for found in scores.values())  # luck: one seed


def test_each_row_of_the_ladder_is_one_change_of_the_row_before_it():
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "cifar_ladder.py"))
    config, before = script["CONFIG"], script["row_before"]
    for name in (*config["rows"], *config["asides"]):
        settings = script["settings_of"](name, config)
        assert settings.keys() == config["start"].keys() and settings["network"] in script["NETWORKS"]
        if before(name, config):
            old = script["settings_of"](before(name, config), config)
            changed = {key for key in settings if settings[key] != old[key]}
            assert len(changed) == 1 or changed == {"one_cycle", "max_lr"}  # the schedule allows the higher rate
    first, *_, last = config["rows"]
    assert before(first, config) is None and config["ends"]["rows"] == [first, last]


def test_the_networks_of_the_ladder_have_what_their_names_say():
    build = runpy.run_path(str(PACKAGE.parent / "experiments" / "cifar_ladder.py"))["NETWORKS"]
    kinds = {name: [type(layer) for layer in build[name]()] for name in build}
    assert [name for name in kinds if nn.Dropout in kinds[name]] == ["published"]
    assert kinds["no dropout"] == [kind for kind in kinds["published"] if kind is not nn.Dropout]
    assert kinds["batch norm"].count(nn.BatchNorm2d) == kinds["batch norm"].count(nn.Conv2d) == 4
    assert nn.BatchNorm1d not in kinds["batch norm"]
    assert nn.AdaptiveAvgPool2d in kinds["averaged"] and nn.AdaptiveMaxPool2d in kinds["ours"]
    assert not {nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d} & set(kinds["convolutions"])
    for name in build:
        assert build[name]()(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_mirrored_answers_do_not_depend_on_the_side():
    script = runpy.run_path(str(PACKAGE.parent / "experiments" / "cifar_ladder.py"))
    model, x = script["Mirrored"](nn.Sequential(nn.Flatten(), nn.Linear(12, 2))), torch.rand(3, 3, 2, 2)
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
            f"{100 * published['wide_kernel']['accuracy'][-1]:.1f} %",
            f"for `final`, after {final['epochs']} epochs",
            f"{minutes} min {seconds} s for {final['epochs']}",
        ],
        "12_modern_blocks": [f"{minutes} min {seconds} s on an {published['device']}", per_cent[1]],
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
