"""Recorded results: saved after every run, resumed, never mixed; and each script still is what was recorded."""

import json
import runpy
from types import SimpleNamespace

import pytest

from course_utils.experiment import Record
from course_utils.runtime import PACKAGE, recorded

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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_still_is_what_was_recorded(script):
    config = runpy.run_path(str(script))["CONFIG"]
    if not (PACKAGE / "results" / f"{script.stem}.json").exists():
        pytest.skip(f"not run yet: python experiments/{script.name}")
    result = recorded(script.stem)
    assert result["config"] == json.loads(json.dumps(config))
    assert "sample" not in result["data"]
    assert all(run["seconds"] and run["machine"] for run in result["runs"])


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
