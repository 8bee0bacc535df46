"""Mixed precision: bfloat16 where it pays, and nothing but a printed line elsewhere."""

import copy
import random
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import Checkpoint, _generators, _precision, batches, evaluate, fit, load
from course_utils._loop import State

NATIVE = {"avx512_bf16": True}


def processor(monkeypatch, capabilities=NATIVE, seconds=(2.0, 1.0)):
    """A processor with these capabilities, on which a step takes so many seconds in float32 and in bfloat16."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    ends = iter([end for _ in range(4) for each in seconds for end in (0.0, each)])
    monkeypatch.setattr(_precision, "time", type("Clock", (), {"perf_counter": staticmethod(lambda: next(ends))}))


class Training:
    """A network with what bfloat16 could break: batch norm, dropout, shuffling. It notes the dtypes that come by."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        digits = load("mnist")
        self.train = batches(digits.train.take(600), 50, shuffle=True)
        self.valid = batches(digits.valid, 300)
        layers = nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2)
        self.model = nn.Sequential(*layers, nn.Linear(8 * 12 * 12, 10))
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.logits, self.inside = set(), {True: set(), False: set()}
        self.model[0].register_forward_hook(self.note)

    def note(self, layer, _, maps):
        if layer is self.model[0]:  # and not one of its copies, which are timed
            self.inside[layer.training].add(maps.dtype)

    def loss_fn(self, logits, y):
        self.logits.add(logits.dtype)
        return F.cross_entropy(logits, y)

    def fit(self, *callbacks, epochs=2, mixed_precision=True):
        return fit(
            self.model,
            self.train,
            self.valid,
            self.optimizer,
            epochs=epochs,
            loss_fn=self.loss_fn,
            callbacks=callbacks,
            mixed_precision=mixed_precision,
        )

    def end(self):
        return {**self.model.state_dict(), "random": torch.get_rng_state()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("capabilities", "seconds", "said"),
    [
        (NATIVE, (1.0, 1.5), "Mixed precision: float32, since a step in bfloat16 takes 1.50 of the time."),
        ({"avx512_bf16": False}, (2.0, 1.0), "float32, since this is no processor that computes in bfloat16."),
        ({}, (2.0, 1.0), "float32, since this is no processor that computes in bfloat16."),
    ],
)
def test_where_it_does_not_pay_nothing_changes(capabilities, seconds, said, monkeypatch, capsys):
    plain = Training()
    expected = [row[:-1] for row in plain.fit(mixed_precision=False)], plain.end()
    assert "precision" not in capsys.readouterr().out
    processor(monkeypatch, capabilities, seconds)
    mixed = Training()
    history = [row[:-1] for row in mixed.fit()]
    assert capsys.readouterr().out.count(said) == 1
    assert history == expected[0] and equal(mixed.end(), expected[1])


def test_timing_draws_no_random_number(monkeypatch):
    def noisy(x, generator):
        return (x + random.random() * np.random.rand() * torch.rand(x.shape, generator=generator)).clamp(0, 1)

    processor(monkeypatch)
    training, own = Training(), torch.Generator().manual_seed(3)
    training.valid = batches(load("mnist").valid, 50, shuffle=True, augment=noisy, generator=own)
    state = State(training.model, training.optimizer, None, "epoch", training.train, training.valid, True)
    before = _generators.random_state(training.model), own.get_state()
    weights = copy.deepcopy(training.model.state_dict())
    assert _precision.choose(state, training.loss_fn)
    after = _generators.random_state(training.model)
    assert torch.equal(after.pop("cpu"), before[0].pop("cpu")) and after == before[0]
    assert torch.equal(own.get_state(), before[1]) and equal(training.model.state_dict(), weights)


@pytest.mark.parametrize("name", _precision.NATIVE)
def test_where_it_pays_layers_compute_in_bfloat16_and_all_else_in_float32(name, monkeypatch, capsys):
    processor(monkeypatch, {name: True})
    training = Training()
    history = training.fit()
    assert "Mixed precision: bfloat16, since a step in bfloat16 takes 0.50 of the time.\n" in capsys.readouterr().out
    assert training.inside == {True: {torch.bfloat16}, False: {torch.float32}} and training.logits == {torch.float32}
    kept = [*training.model.parameters(), *(weight.grad for weight in training.model.parameters())]
    assert {tensor.dtype for tensor in kept} == {torch.float32}
    assert "forward" not in vars(training.model)
    assert evaluate(training.model, training.valid) == history[-1].valid


def test_a_forward_of_the_model_itself_comes_back():
    model = nn.Linear(2, 2)
    own = model.forward = copy.deepcopy(model).forward
    with _precision.bfloat16(model):
        assert model.forward is not own
    assert model.forward is own


def test_a_mistake_is_explained_as_without_it(monkeypatch, capsys):
    processor(monkeypatch)
    training = Training()
    training.model.append(nn.Linear(7, 7))  # takes no logits
    with pytest.raises(ValueError, match="Layer '6', Linear"):
        training.fit()
    assert "float32, since the steps that were to be timed failed (RuntimeError)." in capsys.readouterr().out


def test_what_cannot_compute_in_bfloat16_is_trained_in_float32(monkeypatch, capsys):
    class Picky(nn.Module):
        def forward(self, x):
            if x.dtype == torch.bfloat16:
                raise TypeError("only float32")
            return x

    processor(monkeypatch)
    training = Training()
    training.model.insert(1, Picky())
    assert training.fit()[-1].valid.accuracy > 0.5
    assert "float32, since the steps that were to be timed failed (TypeError)." in capsys.readouterr().out


def test_bfloat16_ends_when_a_step_fails():
    model = nn.Linear(7, 7)
    with pytest.raises(RuntimeError), _precision.bfloat16(model):
        model(torch.zeros(2, 10))
    assert "forward" not in vars(model) and not torch.is_autocast_enabled("cpu")


def test_it_reads_as_many_digits_within_its_spread(monkeypatch):
    accuracy = {True: [], False: []}
    for seed in range(5):
        for mixed in accuracy:
            processor(monkeypatch)
            accuracy[mixed].append(Training(seed).fit(epochs=3, mixed_precision=mixed)[-1].valid.accuracy)
    means = {mixed: sum(found) / 5 for mixed, found in accuracy.items()}
    spread = torch.tensor(accuracy[False]).std().item()
    assert min(accuracy[False]) > 0.7 and abs(means[True] - means[False]) < 2 * spread


def test_a_resumed_training_ends_with_the_same_bits(monkeypatch, tmp_path, capsys):
    processor(monkeypatch)
    whole = Training()
    whole.fit(epochs=4)
    file = tmp_path / "run.pt"
    processor(monkeypatch)
    Training().fit(Checkpoint(file), epochs=2)
    processor(monkeypatch, {})  # another machine: what was begun in bfloat16 goes on in it
    capsys.readouterr()
    rest = Training(seed=1)
    rest.fit(Checkpoint(file, resume=True), epochs=4)
    assert "Mixed precision: bfloat16, as before.\n" in capsys.readouterr().out
    assert equal(rest.end(), whole.end())


def test_killed_before_its_first_epoch_it_is_timed_again(monkeypatch, tmp_path):
    processor(monkeypatch)
    whole = Training()
    whole.fit(epochs=1)

    class Killed(Exception):
        pass

    def killed(*_, **__):
        raise Killed

    file, first = tmp_path / "run.pt", Training()
    processor(monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("course_utils.training.train_epoch", killed)
        first.fit(Checkpoint(file), epochs=1)
    processor(monkeypatch)
    again = Training(seed=1)
    again.fit(Checkpoint(file, resume=True), epochs=1)
    assert equal(again.end(), whole.end())


@pytest.mark.parametrize("first", [True, False])
def test_the_checkpoint_of_another_precision_is_refused(first, monkeypatch, tmp_path):
    processor(monkeypatch)
    Training().fit(Checkpoint(tmp_path / "run.pt"), epochs=1, mixed_precision=first)
    with pytest.raises(ValueError, match="fit, mixed_precision: .* in the file, .* here"):
        Training().fit(Checkpoint(tmp_path / "run.pt", resume=True), epochs=2, mixed_precision=not first)


def test_no_scaler_is_needed_for_small_gradients():
    """bfloat16 has float32's exponent: what float16 would lose is still there."""
    model, x = nn.Linear(4, 4), torch.full((2, 4), 1e-12)
    with _precision.bfloat16(model):
        model(x).sum().backward()
    assert (model.weight.grad > 0).all() and (x.half() == 0).all()


def test_the_real_clock_decides_too(capsys):
    start = time.perf_counter()
    Training().fit(epochs=1)
    assert "Mixed precision: " in capsys.readouterr().out and time.perf_counter() - start < 60
