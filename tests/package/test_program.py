"""`python -m course_utils.training`: the training of lesson 15 as a program, run as a reader runs it."""

import os
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


# Several processes


def trained_by_torchrun(folder, *arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "course_utils.training", "--no-cuda", *arguments]
    environment = os.environ | {"COURSE_DATA": "sample", "PYTHONPATH": str(PACKAGE.parent), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_two_processes_train_the_network_that_one_trains_and_one_of_them_speaks(tmp_path, capsys):
    done = trained_by_torchrun(tmp_path, *SMALL, "--batch-size", "100", "--save-model")
    assert done.returncode == 0, done.stderr
    shared = torch.load(tmp_path / "mnist_cnn.pt", weights_only=True)
    _, score = main([*SMALL, "--batch-size", "100", "--save-model"])
    alone = torch.load(tmp_path / "mnist_cnn.pt", weights_only=True)
    for name, value in alone.items():
        torch.testing.assert_close(shared[name], value, rtol=0, atol=1e-5)
    last = capsys.readouterr().out.splitlines()[-1]
    assert done.stdout.count("test loss") == done.stdout.count("batch 5:") == 1 and last in done.stdout
    assert f"{score.accuracy:.2%}" in done.stdout


@pytest.mark.parametrize("arguments", [["--batch-size", "9"], ["--dry-run", "--batch-size", "1"]])
def test_a_batch_that_cannot_be_shared_equally_is_refused(arguments, monkeypatch, capsys):
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit):
        main([*SMALL, *arguments])
    assert "--batch-size must be a multiple of 2 processes; got" in capsys.readouterr().err


@pytest.fixture
def no_others(monkeypatch):
    """As one of several processes, with nobody to speak to."""
    monkeypatch.setattr(_program.distributed, "init_process_group", lambda: None)
    monkeypatch.setattr(_program.distributed, "destroy_process_group", lambda: None)
    monkeypatch.setattr(_program, "DistributedDataParallel", lambda model: model)


def test_each_process_takes_its_share_of_every_batch_and_apple_gpus_are_left_alone(no_others, monkeypatch, capsys):
    monkeypatch.setattr(_program, "device", lambda: "mps")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    seen = {}
    for rank in "10":
        monkeypatch.setenv("RANK", rank)

        def note(model, train, *_, rank=rank, **__):
            seen[rank] = list(train)
            print("spoken by", rank)

        _program.main(note, lambda *_: Score(0.0, 0.0), ["--batch-size", "100"])
    assert "spoken by 0" in (said := capsys.readouterr().out) and "spoken by 1" not in said
    torch.manual_seed(1)
    mnist_net()  # draws its weights before the order is drawn
    for whole, first, second in zip(batches(load("mnist").train, 100, shuffle=True), seen["0"], seen["1"], strict=True):
        for part, mine, theirs in zip(whole, first, second, strict=True):
            assert torch.equal(mine, part[::2]) and torch.equal(theirs, part[1::2]) and mine.device.type == "cpu"


def test_images_that_cannot_be_shared_equally_are_left_out(no_others, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("WORLD_SIZE", "7")
    sizes = []
    _program.main(
        lambda model, train, *_, **__: sizes.extend(len(y) for _, y in train),
        lambda *_: Score(0.0, 0.0),
        ["--batch-size", "70"],
    )
    assert len(load("mnist").train) == 1200 and sum(sizes) == 171 and set(sizes) == {10, 1}


def test_a_number_of_processes_that_no_launcher_has_set_is_not_believed(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    history, _ = main(SMALL)
    assert len(history) == 1
