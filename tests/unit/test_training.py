"""The loop: equal to one written by hand, right with uneven batches, and clear about what cannot be trained."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import batches, evaluate, fit, load, predict, train_epoch
from course_utils.networks import lenet


@pytest.fixture(scope="module")
def digits():
    return load("mnist")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return lenet()


def loop_by_hand(model, batches, optimizer, epochs):
    for _ in range(epochs):
        model.train()
        for x, y in batches:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@pytest.mark.parametrize(
    "make", [lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), torch.optim.Adam], ids=["SGD", "Adam"]
)
def test_fit_is_the_loop_by_hand_bit_for_bit(digits, model, make):
    ours, theirs = model, copy.deepcopy(model)
    torch.manual_seed(1)
    loop_by_hand(ours, batches(digits.train, 50, shuffle=True), make(ours.parameters()), epochs=5)
    torch.manual_seed(1)
    fit(
        theirs, batches(digits.train, 50, shuffle=True), batches(digits.valid, 100), make(theirs.parameters()), epochs=5
    )
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_scores_are_sums_over_images_divided_once(digits, model):
    images = digits.valid
    with torch.no_grad():
        x, y = next(iter(batches(images, len(images))))
        logits = model(x)
    loss, accuracy = F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).double().mean().item()
    for size in (7, 64, 299, 300):  # the last batch is short in all but one
        score = evaluate(model, batches(images, size))
        assert score.loss == pytest.approx(loss, rel=1e-5)
        assert score.accuracy == pytest.approx(accuracy, abs=1e-12)


def test_the_training_score_is_taken_on_the_way(digits, model):
    before = evaluate(model, batches(digits.train, 60)).loss
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    assert train_epoch(model, batches(digits.train, 60), frozen).loss == pytest.approx(before, rel=1e-5)


def test_evaluation_leaves_model_and_mode_alone(digits):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10), nn.Dropout(0.5))
    for training in (True, False):
        model.train(training)
        before = copy.deepcopy(model.state_dict())
        first, second = (evaluate(model, batches(digits.valid, 100)) for _ in range(2))
        assert first == second, "dropout was on"
        assert model.training is training
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_predict_keeps_the_order(digits, model):
    logits = predict(model, batches(digits.test, 100))
    assert logits.shape == (len(digits.test), 10)
    assert not logits.requires_grad
    share = (logits.argmax(1) == digits.test.y).double().mean().item()
    assert share == pytest.approx(evaluate(model, batches(digits.test, 64)).accuracy)


def test_the_history_holds_one_row_an_epoch(digits, model, capsys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    history = fit(
        model, batches(digits.train, 100), batches(digits.valid, 100), optimizer, epochs=3, scheduler=scheduler
    )
    assert [row.epoch for row in history] == [1, 2, 3]
    assert [row.lr for row in history] == pytest.approx([0.4, 0.2, 0.1])
    assert history.column("valid", "loss") == [row.valid.loss for row in history]
    out = capsys.readouterr()
    assert len(out.out.splitlines()) == 4 and out.err == ""


def test_a_scheduler_can_step_with_the_batches(digits, model):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    train = batches(digits.train, 100)
    fit(model, train, batches(digits.valid, 100), optimizer, epochs=2, scheduler=scheduler, scheduler_step="batch")
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1 / (1 + 2 * len(train)))


def test_a_callback_sees_the_state_and_can_stop(digits, model):
    class Stop:
        seen = []

        def on_epoch_end(self, state):
            self.seen.append((len(state.history), state.model is model))
            return "stop" if len(state.history) == 2 else None

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    history = fit(
        model, batches(digits.train, 300), batches(digits.valid, 300), optimizer, epochs=9, callbacks=[Stop()]
    )
    assert len(history) == 2 and Stop.seen == [(1, True), (2, True)]


def test_one_seed_gives_one_history(digits):
    def run():
        torch.manual_seed(3)
        model = lenet()
        train = batches(digits.train, 100, shuffle=True)
        history = fit(model, train, batches(digits.valid, 100), torch.optim.Adam(model.parameters()), epochs=2)
        return [(row.train, row.valid) for row in history]

    assert run() == run()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"epochs": 1, "scheduler_step": "step"}, '"epoch" or "batch"'),
    ],
)
def test_impossible_options_are_refused(digits, model, options, words):
    with pytest.raises(ValueError, match=words):
        fit(
            model,
            batches(digits.train, 100),
            batches(digits.valid, 100),
            torch.optim.SGD(model.parameters(), 0.1),
            **options,
        )


def test_an_empty_loader_is_named(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for call in (lambda: train_epoch(model, [], optimizer), lambda: evaluate(model, []), lambda: predict(model, [])):
        with pytest.raises(ValueError, match="not one batch"):
            call()
