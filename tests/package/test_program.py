"""`python -m course_utils.training`: the training of lesson 15 as a program, run as a reader runs it."""

import re
import subprocess
import sys
from functools import partial

import pytest
import torch

from course_utils import _program, count_parameters, evaluate, fit, load
from course_utils._files import PACKAGE
from course_utils._program import parser
from course_utils.data import batches
from course_utils.history import Score
from course_utils.networks import lenet, mnist_net

main = partial(_program.main, fit, evaluate)
SMALL = ["--network", "lenet", "--epochs", "1", "--log-interval", "5"]


def run(*arguments, folder):
    command = [sys.executable, "-m", "course_utils.training", *arguments]
    environment = {"COURSE_DATA": "sample", "PYTHONPATH": str(PACKAGE.parent), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(autouse=True)
def sample(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", "sample")
    monkeypatch.chdir(tmp_path)


def test_a_dry_run_trains_on_one_batch_and_saves_nothing(tmp_path):
    done = run("--dry-run", "--log-interval", "1", folder=tmp_path)
    assert done.returncode == 0 and not list(tmp_path.iterdir())
    assert done.stdout.count("batch ") == 1 and "batch 1: loss 2." in done.stdout
    assert re.search(r"^test loss [\d.]+, accuracy [\d.]+%$", done.stdout, re.MULTILINE)


def test_help_names_every_option_and_its_default(tmp_path):
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("usage: python -m course_utils.training")
    flags = re.findall(r"--[a-z-]+", done.stdout.partition("options:")[2])
    source = ["batch-size", "test-batch-size", "epochs", "lr", "gamma", "no-cuda", "no-mps"]
    source += ["dry-run", "seed", "log-interval", "save-model"]
    assert {f"--{flag}" for flag in source} <= set(flags)
    said = " ".join(done.stdout.split())
    assert all(f"default: {value})" in said for value in ("64", "1000", "14", "1.0", "0.7", "1", "10"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "--epochs must be a number of at least 1; got 0"),
        (["--batch-size", "-4"], "--batch-size must be a number of at least 1"),
        (["--test-batch-size", "0"], "--test-batch-size must be"),
        (["--log-interval", "0"], "--log-interval must be"),
        (["--epochs", "two"], "--epochs: invalid int value: 'two'"),
        (["--epochs", "1.5"], "--epochs: invalid int value"),
        (["--lr", "nan"], "--lr must be a number of at least 1e-09; got nan"),
        (["--lr", "inf"], "--lr must be"),
        (["--gamma", "-1"], "--gamma must be a number of at least 1e-09"),
        (["--seed", "-1"], "--seed must be"),
        (["--lr", "0"], "--lr must be"),
        (["--epoch", "3"], "unrecognized arguments: --epoch"),
        (["--network", "resnet"], "choose from"),
        (["--learning-rate", "1"], "unrecognized arguments: --learning-rate"),
        (["now"], "unrecognized arguments: now"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert ended.value.code == 2 and not said.out
    assert said.err.count("\n") == 1 and words in said.err


def test_the_same_seed_trains_the_same_network_and_another_another(capsys):
    (first, score), (again, same), (other, _) = (main([*SMALL, "--seed", seed]) for seed in "334")
    assert first[0].train == again[0].train and score == same and other[0].train != first[0].train


def test_losses_are_printed_at_their_interval_in_training_only(capsys):
    history, _ = main([*SMALL, "--batch-size", "100"])
    steps = [int(step) for step in re.findall(r"^batch (\d+): loss", capsys.readouterr().out, re.MULTILINE)]
    assert steps == [5, 10] and len(history) == 1  # of 12 batches


def test_the_saved_weights_are_those_that_were_scored(tmp_path):
    _, score = main([*SMALL, "--save-model"])
    model = lenet()
    model.load_state_dict(torch.load(tmp_path / "mnist_cnn.pt", weights_only=True))
    assert evaluate(model, batches(load("mnist").test, 1000)) == score
    assert [file.name for file in tmp_path.iterdir()] == ["mnist_cnn.pt"]


def test_its_defaults_are_those_of_the_example_that_it_rebuilds():
    options = parser().parse_args([])
    assert (options.network, options.batch_size, options.test_batch_size, options.epochs) == ("mnist_net", 64, 1000, 14)
    assert (options.lr, options.gamma, options.seed, options.log_interval) == (1.0, 0.7, 1, 10)
    assert not (options.dry_run or options.save_model or options.no_cuda or options.no_mps)


def test_the_rate_falls_by_gamma_after_each_epoch_and_the_optimizer_is_adadelta():
    seen = {}

    def note(model, train, valid, optimizer, **options):
        seen.update(model=model, optimizer=optimizer, options=options)

    _program.main(note, lambda *_: Score(0.0, 0.0), ["--epochs", "3", "--lr", "0.5", "--gamma", "0.25"])
    optimizer, scheduler = seen["optimizer"], seen["options"]["scheduler"]
    assert isinstance(optimizer, torch.optim.Adadelta) and optimizer.param_groups[0]["lr"] == 0.5
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.125 and seen["options"]["epochs"] == 3
    assert count_parameters(seen["model"]) == count_parameters(mnist_net())


@pytest.mark.parametrize(("device", "flag"), [("cuda", "--no-cuda"), ("mps", "--no-mps")])
def test_an_accelerator_can_be_left_alone(device, flag, monkeypatch):
    monkeypatch.setattr(_program, "device", lambda: device)
    history, _ = main([*SMALL, flag])
    assert len(history) == 1
