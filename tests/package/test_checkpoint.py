"""Early stopping and checkpoints: killed anywhere, a training ends with the bits of one that was left alone."""

import copy
import itertools
import multiprocessing
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from course_utils import Checkpoint, EarlyStopping, _snapshot, batches, evaluate, fit, load
from course_utils.data import Images
from course_utils.history import Epoch, History, Score
from tests.package import resumable

forkserver = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="this system cannot kill a process so"
)


@pytest.fixture(scope="module")
def children():
    context = multiprocessing.get_context("forkserver")  # a fork of this process would hang in torch's threads
    context.set_forkserver_preload(["torch._dynamo", "sklearn.datasets", "tests.package.resumable"])  # seconds a child
    return context


def train_in_child(children, folder, kill=None, seconds=None):
    """Run `resumable.train`; with seconds, kill it that long after `fit` began. Returns the exit code."""
    started, starting = children.Pipe(duplex=False)
    child = children.Process(target=resumable.train, args=(folder, kill, starting))
    child.start()
    assert started.poll(60)
    if seconds is not None:
        time.sleep(seconds)
        child.kill()
    child.join(60)
    return child.exitcode


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def end_of(children, folder):
    assert train_in_child(children, folder) == 0
    return torch.load(folder / "end.pt", weights_only=True)


@pytest.fixture(scope="module")
def unkilled(children, tmp_path_factory):
    """What the training ends with when nothing happens to it, and the seconds that `fit` took."""
    end = end_of(children, tmp_path_factory.mktemp("unkilled"))
    return end, end.pop("seconds")


def ends_as_if_unkilled(children, folder, unkilled):
    end = end_of(children, folder)
    end.pop("seconds")
    return equal(end, unkilled[0])


LOSSES = resumable.EPOCHS * (resumable.STEPS + 1)  # so often a loss is computed, the looks at the validation included
WRITINGS = resumable.EPOCHS + 1  # the first is written before any training
POINTS = [
    *(("loss", number) for number in random.Random(1).sample(range(1, LOSSES + 1), 10)),
    *((place, number) for place in ("write", "fsync", "replace", "replaced") for number in range(1, WRITINGS + 1)),
]


def history_of(values, measure="loss"):
    scores = [Score(value, 0.5) if measure == "loss" else Score(1.0, value) for value in values]
    return History(Epoch(k, Score(1.0, 0.1), score, 0.1, 1.0) for k, score in enumerate(scores, 1))


@pytest.fixture(scope="module")
def digits():
    data = load("mnist")
    data.train = Images(data.train.x[:200], data.train.y[:200], data.train.mean, data.train.std)
    return data


class Cell:
    """What one cell of a lesson makes anew each time it runs: a network, its optimizer, its batches, its schedule."""

    def __init__(self, digits, hidden=8, optimizer=torch.optim.Adam, lr=0.01, size=50, epochs=3, step=2, **options):
        torch.manual_seed(0)
        self.model = nn.Sequential(
            nn.Flatten(), nn.Linear(784, hidden), nn.BatchNorm1d(hidden), nn.Dropout(0.2), nn.Linear(hidden, 10)
        )
        self.train = batches(digits.train, size, shuffle=True, **options)
        self.valid = batches(digits.valid, 300)
        self.optimizer = optimizer(self.model.parameters(), lr=lr)
        self.scheduler = lr_scheduler.StepLR(self.optimizer, step)
        self.epochs = epochs

    def fit(self, *callbacks, **options):
        settings = {"epochs": self.epochs, "scheduler": self.scheduler, "callbacks": callbacks} | options
        return fit(self.model, self.train, self.valid, self.optimizer, **settings)

    def state(self):
        parts = [part.state_dict() for part in (self.model, self.optimizer, self.scheduler)]
        return copy.deepcopy([*parts, torch.get_rng_state()])


def without_seconds(history):
    return [row[:-1] for row in history]


def run(make, *callbacks, **options):
    """Make a cell and fit it; returns the history without the seconds, and all that the training ended with."""
    cell = make()  # here and not before: making it seeds the generators
    history = without_seconds(cell.fit(*callbacks, **options))
    return history, cell.state()


def interrupting(function, number):
    """The function, but its n-th call is interrupted, as by the stop button."""
    calls = itertools.count(1)

    def call(*arguments):
        if next(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments)

    return call


def loader(digits, sampler):
    """A DataLoader that draws its order from a generator of its own, or from that of its sampler."""
    x, y = next(iter(batches(digits.train, len(digits.train))))
    sampler = RandomSampler(y, generator=torch.Generator().manual_seed(4)) if sampler else None
    draws = torch.Generator().manual_seed(3)
    return DataLoader(TensorDataset(x, y), 50, shuffle=sampler is None, sampler=sampler, generator=draws)


@pytest.fixture(scope="module")
def written(digits, tmp_path_factory):
    """The bytes of a checkpoint of `Cell(digits)`, after two epochs of three."""
    file = tmp_path_factory.mktemp("written") / "run.pt"
    Cell(digits, epochs=2).fit(Checkpoint(file))
    return file.read_bytes()


def refused(cell, file, words, **options):
    """Whether resuming from the file is refused with these words, and changes nothing."""
    before, data = cell.state(), file.read_bytes()
    with pytest.raises(ValueError, match=words):
        cell.fit(Checkpoint(file, resume=True), **options)
    return equal(cell.state(), before) and file.read_bytes() == data


class Evil:
    def __reduce__(self):
        return print, ("code has run",)


def fill_the_disk(folder):
    """In a child process: train, and let no file grow beyond half of a checkpoint after the second epoch."""

    import resource  # not on Windows

    class Fill:
        def on_epoch_end(self, state):
            if state.epoch == 3:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                size = (folder / "run.pt").stat().st_size // 2
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    model, train_batches, valid_batches, optimizer, _ = resumable.parts()
    callbacks = [Checkpoint(folder / "run.pt"), Fill()]
    with pytest.raises(OSError, match="large"):
        fit(model, train_batches, valid_batches, optimizer, epochs=4, callbacks=callbacks)


@forkserver
@pytest.mark.parametrize("point", [("loss", 13), ("write", 3), ("replaced", 2)], ids=str)
def test_a_killed_training_resumes_with_the_same_bits(children, unkilled, tmp_path, point):
    assert train_in_child(children, tmp_path, point) == -signal.SIGKILL
    assert not (tmp_path / "end.pt").exists()
    assert ends_as_if_unkilled(children, tmp_path, unkilled)


@forkserver
@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_killed_at_any_step_or_in_writing(children, unkilled, tmp_path, point):
    assert train_in_child(children, tmp_path, point) == -signal.SIGKILL
    assert ends_as_if_unkilled(children, tmp_path, unkilled)


@forkserver
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_again_and_again_at_random_times(children, unkilled, tmp_path, seed):
    draws, killed, longest = random.Random(seed), 0, unkilled[1]
    for _ in range(50):
        if train_in_child(children, tmp_path, seconds=draws.uniform(0, longest)) == -signal.SIGKILL:
            killed += 1
        else:  # it was done before its time came: begin anew, and come earlier
            killed, longest = 0, 0.7 * longest
            for file in tmp_path.iterdir():
                file.unlink()
        if killed == 2:
            break
    assert killed == 2
    assert ends_as_if_unkilled(children, tmp_path, unkilled)


@forkserver
def test_the_comparison_sees_another_seed(children, unkilled, tmp_path):
    """That equal bits mean something: a training of another seed ends with others in all that is compared."""
    child = children.Process(target=resumable.train, args=(tmp_path,), kwargs={"seed": 1})
    child.start()
    child.join(60)
    other = torch.load(tmp_path / "end.pt", weights_only=True)
    assert not any(equal(other[name], unkilled[0][name]) for name in unkilled[0].keys() - {"scheduler"})


# The criterion, and early stopping

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "lowest", "highest"),
    [
        ([3.0, 1.0, 2.0], 2, 1),
        ([2.0, 1.0, 2.0, 1.0], 2, 1),  # ties: the first
        ([NAN, 2.0, NAN, 1.0], 4, 2),
        ([INF, 5.0, -INF], 2, 2),
        ([NAN, INF], None, None),
        ([], None, None),
    ],
)
def test_the_best_epoch(values, lowest, highest):
    for measure, expected in (("loss", lowest), ("accuracy", highest)):
        best = history_of(values, measure).best(f"valid {measure}")
        assert (best and best.epoch) == expected


def test_a_better_epoch_must_be_better_by_min_delta():
    history = history_of([1.0, 0.95, 0.9, 0.85, 0.7])
    assert [history.best(min_delta=delta).epoch for delta in (0, 0.08, 0.2, 0.5)] == [5, 5, 5, 1]
    assert History(history[:4]).best(min_delta=0.08).epoch == 3


@pytest.mark.parametrize("patience", [1, 2, 6])
@pytest.mark.parametrize("measure", ["loss", "accuracy"])
def test_early_stopping_counts_epochs_without_a_better_one(patience, measure, capsys):
    values = [random.Random(epoch).random() / 2 + 1 / epoch for epoch in range(1, 60)]
    best, waited, stop = INF, 0, None
    for epoch, value in enumerate(values, 1):  # as it is usually written: with a counter
        best, waited = (value, 0) if value < best else (best, waited + 1)
        if waited == patience:
            stop = epoch
            break
    signed = values if measure == "loss" else [-value for value in values]
    for epoch in range(1, stop + 1):
        state = SimpleNamespace(history=history_of(signed[:epoch], measure))
        reply = EarlyStopping(patience, monitor=f"valid {measure}").on_epoch_end(state)  # a new one: it keeps nothing
        assert reply == ("stop" if epoch == stop else None)
    assert f"better valid {measure} than in epoch {stop - patience}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: EarlyStopping(0), ValueError, "patience must be a whole number of at least 1; got 0"),
        (lambda: EarlyStopping(2, monitor="loss"), ValueError, "monitor must be one of 'valid loss'"),
        (lambda: EarlyStopping(2, min_delta=-1), ValueError, "min_delta"),
        (lambda: Checkpoint(3), TypeError, "file must be the name of a file"),
        (lambda: Checkpoint("a.pt", monitor="test loss"), ValueError, "monitor must be one of"),
        (lambda: Checkpoint("a.pt", resume=1), TypeError, "resume must be True or False"),
        (lambda: Checkpoint("a.pt").load_best("a.pt"), TypeError, "model must be a network"),
        (lambda: History().best("accuracy"), ValueError, "monitor must be one of"),
        (lambda: History().column("test", "loss"), ValueError, "split must be one of 'train', 'valid'"),
    ],
)
def test_impossible_arguments_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


# The file


@pytest.mark.parametrize("monitor", ["valid loss", "valid accuracy"])
@pytest.mark.parametrize("resumed", [False, True], ids=["at once", "resumed after the best"])
def test_the_best_weights_score_what_their_row_says(digits, tmp_path, monitor, resumed):
    def cell(epochs):
        made = Cell(digits, epochs=epochs)
        made.scheduler = lr_scheduler.LambdaLR(made.optimizer, lambda epoch: 1 if epoch < 3 else 1000)
        return made

    checkpoint = Checkpoint(tmp_path / "new" / "run.pt", monitor=monitor, resume=resumed)
    if resumed:
        cell(epochs=3).fit(checkpoint)
    history = cell(epochs=5).fit(checkpoint)
    assert history.best(monitor) is not history[-1], "or the last weights would do, too"
    other = Cell(digits)
    row = Checkpoint(tmp_path / "new" / "run.pt", monitor=monitor).load_best(other.model)
    assert row == history.best(monitor)
    assert evaluate(other.model, other.valid) == row.valid
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.pt"]


def test_the_file_holds_what_the_training_is_made_of(digits, tmp_path):
    cell = Cell(digits)
    history = cell.fit(Checkpoint(tmp_path / "run.pt"))
    content = torch.load(tmp_path / "run.pt", weights_only=True)
    assert equal([content[name] for name in ("model", "optimizer", "scheduler")], cell.state()[:3])
    assert (content["epoch"], content["step"]) == (3, 3 * len(cell.train))
    assert History.from_lists(content["history"]) == history


def test_a_finished_training_returns_its_history_at_once(digits, tmp_path, capsys):
    first = Cell(digits)
    history = first.fit(Checkpoint(tmp_path / "run.pt", resume=True))
    end = first.state()
    again = Cell(digits)
    again.train.augment = lambda *_, **__: pytest.fail("it trained")
    assert again.fit(Checkpoint(tmp_path / "run.pt", resume=True)) == history
    assert equal(again.state(), end)
    assert "run.pt: resumed after epoch 3." in capsys.readouterr().out


def test_a_training_can_go_on_for_more_epochs(digits, tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.pt", resume=True)
    Cell(digits, epochs=2).fit(checkpoint)
    assert equal(run(lambda: Cell(digits, epochs=4), checkpoint), run(lambda: Cell(digits, epochs=4)))


def test_without_resume_a_training_begins_anew(digits, tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.pt")
    assert equal(run(lambda: Cell(digits), checkpoint), run(lambda: Cell(digits), checkpoint))
    Cell(digits, hidden=4).fit(checkpoint)  # the file of another network is replaced, too


def test_a_stopped_training_stays_stopped(digits, tmp_path, capsys):
    callbacks = Checkpoint(tmp_path / "run.pt", resume=True), EarlyStopping(2)
    history = Cell(digits, lr=0.3, epochs=30).fit(*callbacks)
    assert len(history) < 30
    assert Cell(digits, lr=0.3, epochs=30).fit(*callbacks) == history
    assert f"run.pt: stopped by a callback after epoch {len(history)}" in capsys.readouterr().out


@pytest.mark.parametrize("anew", [True, False], ids=["the cell runs again", "only fit runs again"])
@pytest.mark.parametrize("kind", ["batches", "loader", "sampler"])
def test_an_interrupted_training_goes_on(digits, tmp_path, kind, anew, capsys):
    def cell():
        made = Cell(digits)
        if kind != "batches":
            made.train = loader(digits, kind == "sampler")
        return made

    expected = run(cell)
    checkpoint = Checkpoint(tmp_path / "run.pt", resume=True)
    part = cell()
    history = part.fit(checkpoint, loss_fn=interrupting(F.cross_entropy, 8))  # of 5 in an epoch
    assert history.interrupted and without_seconds(history) == expected[0][:1]
    assert "Interrupted: 1 of 3 epochs are done." in capsys.readouterr().out
    assert equal(run(cell if anew else lambda: part, checkpoint), expected)
    assert without_seconds([checkpoint.load_best(part.model)])[0] in expected[0]


def test_interrupted_while_writing(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", interrupting(os.fsync, 3))
    checkpoint = Checkpoint(tmp_path / "run.pt")
    history = Cell(digits).fit(checkpoint)
    assert len(history) == 2 and history.interrupted
    assert _snapshot.read(tmp_path / "run.pt")["history"] == history.to_lists()
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is deaf to it otherwise
import torch
from torch import nn
from course_utils import Checkpoint, batches, fit, load
data = load("mnist")
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
checkpoint = Checkpoint("run.pt")
valid = batches(data.valid, 300)
history = fit(model, batches(data.train, 20), valid, torch.optim.Adam(model.parameters()), epochs=100_000,
              callbacks=[checkpoint])
assert history.interrupted and checkpoint.load_best(model) == history.best()
print("loaded the best")
"""


def test_ctrl_c_returns_the_history(tmp_path):
    command = [sys.executable, "-u", "-W", "ignore", "-c", CTRL_C]
    environment = os.environ | {"COURSE_DATA": "sample"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if line.startswith("    3"):
                child.send_signal(signal.SIGINT)
                break
        out = child.communicate(timeout=60)[0]
    assert child.returncode == 0
    assert re.search(r"^Interrupted: \d+ of 100000 epochs are done\.\nloaded the best$", out, re.MULTILINE)


# Files that are refused


def test_a_truncated_file_is_refused(digits, written, tmp_path):
    cell, file = Cell(digits), tmp_path / "run.pt"
    for length in {0, 1, *range(0, len(written), len(written) // 40), len(written) - 1}:
        file.write_bytes(written[:length])
        assert refused(cell, file, "must be a file that Checkpoint wrote")
        with pytest.raises(ValueError, match="must be a file that Checkpoint wrote"):
            Checkpoint(file).load_best(cell.model)


def test_changed_bytes_are_refused_or_mean_nothing(written, tmp_path):
    """A zip file has bytes that nobody reads, such as a time: where the file is taken, its content is the same."""
    file, draws, refusals = tmp_path / "run.pt", random.Random(0), 0
    file.write_bytes(written)
    content = _snapshot.read(file)
    for _ in range(200):
        changed = bytearray(written)
        changed[draws.randrange(len(changed))] ^= 1 << draws.randrange(8)
        file.write_bytes(changed)
        try:
            assert equal(_snapshot.read(file), content)
        except ValueError:
            refusals += 1
    assert refusals > 100


@pytest.mark.parametrize(
    "save",
    [
        lambda file: file.write_text("not even a zip file"),
        lambda file: file.write_bytes(pickle.dumps(Evil())),
        lambda file: torch.save(Evil(), file),
        lambda file: torch.save(nn.Linear(2, 2), file),
        lambda file: torch.save(nn.Linear(2, 2).state_dict(), file),
        lambda file: torch.save(torch.zeros(3), file),
        lambda file: torch.save({"format": "course_utils checkpoint 2"}, file),
    ],
    ids=["text", "pickle", "code", "module", "weights", "tensor", "version"],
)
def test_a_foreign_file_is_refused(digits, tmp_path, save, capsys):
    save(tmp_path / "run.pt")
    assert refused(Cell(digits), tmp_path / "run.pt", r"wrote \(course_utils checkpoint 1\); ")
    assert "code has run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": 9}, r"model, 1.bias: \(8,\) torch.float32 in the file, \(9,\) torch.float32 here; .* and 5 more"),
        ({"optimizer": torch.optim.SGD}, "optimizer, class: Adam in the file, SGD here"),
        ({"lr": 0.02}, "optimizer, lr: 0.01 in the file, 0.02 here"),
        ({"step": 3}, "scheduler, step_size: 2 in the file, 3 here"),
        ({"size": 40}, "fit, batches in an epoch: 4 in the file, 5 here"),
        ({"generator": torch.Generator()}, "train_batches.generator: missing in the file, cpu here"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_the_checkpoint_of_another_training_is_refused(digits, written, tmp_path, options, words):
    (tmp_path / "run.pt").write_bytes(written)
    assert refused(Cell(digits, **options), tmp_path / "run.pt", words)


def test_other_settings_of_fit_are_refused(digits, written, tmp_path):
    (tmp_path / "run.pt").write_bytes(written)
    cell = Cell(digits)
    assert refused(cell, tmp_path / "run.pt", "scheduler, class: StepLR in the file, none here", scheduler=None)
    words = "fit, scheduler_step: epoch in the file, batch here"
    assert refused(cell, tmp_path / "run.pt", words, scheduler_step="batch")
    chained = lr_scheduler.SequentialLR(cell.optimizer, [cell.scheduler, cell.scheduler], [3])
    assert refused(cell, tmp_path / "run.pt", "scheduler, class: StepLR in the file, Seq", scheduler=chained)
    with pytest.raises(ValueError, match="monitor: valid loss in the file, valid accuracy here"):
        Checkpoint(tmp_path / "run.pt", monitor="valid accuracy", resume=True).load_best(cell.model)


def test_nothing_is_lost_by_another_training_before_the_first_epoch(digits, tmp_path):
    with pytest.raises(FloatingPointError):
        Cell(digits, optimizer=torch.optim.SGD, lr=1e30).fit(Checkpoint(tmp_path / "run.pt", resume=True))
    history = Cell(digits).fit(Checkpoint(tmp_path / "run.pt", resume=True))  # mended, and run again
    assert len(history) == 3


def test_no_best_weights(digits, tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.pt")
    with pytest.raises(FileNotFoundError, match="`fit` writes it"):
        checkpoint.load_best(nn.Linear(1, 1))
    cell = Cell(digits, epochs=1)
    cell.fit(checkpoint, loss_fn=lambda logits, y: F.cross_entropy(logits, y) * (1 if len(y) == 50 else NAN))
    with pytest.raises(ValueError, match="seen 1 epochs, and none with a finite valid loss"):
        checkpoint.load_best(cell.model)
    Cell(digits).fit(checkpoint)
    other = Cell(digits, hidden=3)
    before = other.state()
    with pytest.raises(ValueError, match="another network or monitor.*1.bias"):
        checkpoint.load_best(other.model)
    assert equal(other.state(), before)


# Files that cannot be written


def test_what_cannot_be_read_back_is_not_written(digits, tmp_path):
    cell = Cell(digits)
    cell.scheduler.note = Evil()
    with pytest.raises(TypeError, match="must hold only tensors and plain values .* scheduler, note is Evil"):
        cell.fit(Checkpoint(tmp_path / "run.pt"))
    assert not any(tmp_path.iterdir())


def test_the_place_of_what_cannot_be_read_back_is_named(digits, tmp_path):
    """A float32 is one: Python counts otherwise, so that a resumed training would end with other bits."""
    cell = Cell(digits, lr=np.float32(0.01))
    with pytest.raises(TypeError, match=r"optimizer, param_groups, 0, lr is float32 .* Write float\(...\)") as caught:
        cell.fit(Checkpoint(tmp_path / "run.pt"))
    assert "trust" not in str(caught.value) and not any(tmp_path.iterdir())
    cell = Cell(digits)
    cell.scheduler.seen = {"rates": [1.0, np.ones(2)]}
    with pytest.raises(TypeError, match="scheduler, seen, rates, 1 is ndarray of float64"):
        cell.fit(Checkpoint(tmp_path / "run.pt"))


def test_a_place_that_cannot_be_written_shows_before_the_training(digits, tmp_path):
    (tmp_path / "file").write_text("")
    cell = Cell(digits)
    before = cell.state()
    with pytest.raises(OSError):
        cell.fit(Checkpoint(tmp_path / "file" / "run.pt"))
    assert equal(cell.state(), before)


@forkserver
def test_a_full_disk_leaves_the_last_file(children, tmp_path):
    child = children.Process(target=fill_the_disk, args=(tmp_path,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]
    assert Checkpoint(tmp_path / "run.pt").load_best(resumable.parts()[0]).epoch <= 2
    assert _snapshot.read(tmp_path / "run.pt")["epoch"] == 2


def test_a_callback_that_raises_leaves_the_last_file(digits, tmp_path):
    class Broken:
        def on_epoch_end(self, state):
            if state.epoch == 2:
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        Cell(digits).fit(Checkpoint(tmp_path / "run.pt"), Broken())
    assert caught.value.__notes__ == ["It arose in Broken.on_epoch_end, after 2 epochs."]
    resumed = run(lambda: Cell(digits), Checkpoint(tmp_path / "run.pt", resume=True))
    assert equal(resumed, run(lambda: Cell(digits)))


def test_what_other_callbacks_draw_comes_before_the_file(digits, tmp_path):
    """Whatever their order: else a resumed training would draw other numbers than one that was left alone."""

    class Draws:
        def on_epoch_end(self, state):
            torch.rand(5)

    checkpoint = Checkpoint(tmp_path / "run.pt", resume=True)
    Cell(digits).fit(checkpoint, Draws(), loss_fn=interrupting(F.cross_entropy, 8))
    assert equal(run(lambda: Cell(digits), checkpoint, Draws()), run(lambda: Cell(digits), Draws()))


def test_two_files_can_track_two_criteria(digits, tmp_path):
    """Killed when one had seen an epoch and the other not yet, they go on from the one that is asked last."""
    loss, accuracy = (
        Checkpoint(tmp_path / f"{monitor}.pt", monitor=monitor, resume=True)
        for monitor in ("valid loss", "valid accuracy")
    )
    Cell(digits, epochs=2).fit(loss)
    Cell(digits, epochs=1).fit(accuracy)
    ended = run(lambda: Cell(digits), loss, accuracy)
    assert equal(ended, run(lambda: Cell(digits)))
    history = [_snapshot.read(checkpoint.file)["history"] for checkpoint in (loss, accuracy)]
    assert history[0] == history[1] and len(history[0]) == 3


SCHEDULERS = {
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 2]),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.01, step_size_up=2, cycle_momentum=False),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.CosineAnnealingLR(o, 2)], [1]
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_each_kind_of_scheduler_goes_on(digits, tmp_path, name):
    def cell():
        made = Cell(digits, lr=0.05)
        made.scheduler = SCHEDULERS[name](made.optimizer)
        return made

    checkpoint = Checkpoint(tmp_path / "run.pt", resume=True)
    assert len(cell().fit(checkpoint, loss_fn=interrupting(F.cross_entropy, 13))) == 2
    assert equal(run(cell, checkpoint), run(cell))


RATES = np.logspace(-3, -1, 3)  # as one takes a learning rate from it

NUMPY_NUMBERS = {
    "a learning rate": lambda o: lr_scheduler.StepLR(o, np.int64(2), RATES[2]),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, RATES[1], total_steps=3),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, np.array([1, 2])),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: np.exp(-epoch)),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=RATES[2], patience=np.int32(0)),
}


def adam(parameters, lr):
    return torch.optim.Adam(parameters, lr=np.float64(lr), betas=tuple(np.array([0.9, 0.99])), amsgrad=np.True_)


@pytest.mark.parametrize("name", NUMPY_NUMBERS)
def test_numbers_of_numpy_go_on_as_plain_ones(digits, tmp_path, name):
    def cell():
        made = Cell(digits, optimizer=adam, lr=RATES[1])
        made.scheduler = NUMPY_NUMBERS[name](made.optimizer)
        made.scheduler.custom = {"deep": [({"in it": np.int16(3)},)]}
        return made

    checkpoint = Checkpoint(tmp_path / "run.pt", resume=True)
    assert len(cell().fit(checkpoint, loss_fn=interrupting(F.cross_entropy, 13))) == 2
    assert equal(run(cell, checkpoint), run(cell))
    kept = _snapshot.read(tmp_path / "run.pt")
    assert type(kept["scheduler"]["custom"]["deep"][0][0]["in it"]) is int
    assert {type(beta) for beta in kept["optimizer"]["param_groups"][0]["betas"]} == {float}


def test_a_model_is_kept_as_its_state_says(digits):
    """With the versions of its layers, which `load_state_dict` looks at."""
    state = Cell(digits).model.state_dict()
    kept = _snapshot.plain(state)
    assert kept._metadata == state._metadata and list(kept) == list(state)
    assert all(kept[name] is state[name] for name in state)


class Noisy(torch.utils.data.Dataset):
    """Images to which a worker adds noise out of its own generator."""

    def __len__(self):
        return 40

    def __getitem__(self, at):
        return torch.rand(1, 28, 28), at % 10


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_that_live_on_are_the_exception_to_the_same_bits(digits, tmp_path, persistent):
    def cell():
        made = Cell(digits)
        made.train = DataLoader(Noisy(), 20, num_workers=1, persistent_workers=persistent)
        return made

    checkpoint = Checkpoint(tmp_path / "run.pt", resume=True)
    assert len(cell().fit(checkpoint, loss_fn=interrupting(F.cross_entropy, 8))) == 2  # 2 + 1 losses an epoch
    assert equal(run(cell, checkpoint), run(cell)) is not persistent
