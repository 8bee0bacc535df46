"""The loop: equal to one written by hand, right with uneven batches, and clear about what cannot be trained."""

import copy
import multiprocessing
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import EarlyStopping, batches, evaluate, fit, load, predict, train_epoch
from course_utils._explain import Watch
from course_utils.history import Diverged
from course_utils.networks import lenet
from tests.package import resumable


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


def history_of_one_seed(seed, sender=None):
    torch.set_num_threads(1)
    model, train_batches, valid_batches, optimizer, scheduler = resumable.parts(seed)
    history = fit(model, train_batches, valid_batches, optimizer, epochs=2, scheduler=scheduler, scheduler_step="batch")
    rows = [row[:-1] for row in history.to_lists()]
    return rows if sender is None else sender.send(rows)


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def sgd(model, lr=0.1):
    return torch.optim.SGD(model.parameters(), lr=lr)


def fitted(model, pairs, **options):
    return fit(model, pairs, pairs, sgd(model), epochs=1, **options)


class Unflattened(nn.Linear):
    def forward(self, x):
        return super().forward(x.reshape(-1, 784 // 4))


class Buggy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(784, 10)

    def forward(self, x):
        return self.linear(x.flatten(1))[self.missing]


class Elsewhere(torch.Tensor):
    device = torch.device("cuda")

    def __new__(cls, value):
        return torch.tensor(value, requires_grad=True).as_subclass(cls)


def fitted_with_valid_loss(digits, factor):
    model = small()
    loss_fn = lambda logits, y: F.cross_entropy(logits, y) * (factor if not model.training else 1)  # noqa: E731
    train, valid = batches(digits.train, 300), batches(digits.valid, 300)
    return fit(model, train, valid, sgd(model), epochs=1, loss_fn=loss_fn)


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
        assert all(module.training is training for module in model.modules())
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


def test_evaluation_gives_each_layer_its_mode_back(digits):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10), nn.Dropout(0.5))
    model[2].eval()  # as one freezes it
    evaluate(model, batches(digits.valid, 100))
    with pytest.raises(ZeroDivisionError):
        evaluate(model, batches(digits.valid, 100), loss_fn=lambda logits, y: 1 / 0)
    assert [module.training for module in model.modules()] == [True, True, True, False, True]


def test_one_seed_gives_one_history_in_each_process():
    here, again, other = history_of_one_seed(0), history_of_one_seed(0), history_of_one_seed(1)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=history_of_one_seed, args=(0, sender))
    child.start()
    assert receiver.poll(120) and receiver.recv() == here == again != other
    child.join(60)


# What cannot be trained


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1; got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be a whole number"),
        ({"scheduler_step": "step"}, ValueError, "scheduler_step must be one of 'epoch', 'batch'; got 'step'"),
        ({"scheduler": "cosine"}, TypeError, "scheduler must be a scheduler of torch"),
        ({"loss_fn": 3}, TypeError, "loss_fn must be a function"),
        ({"callbacks": EarlyStopping(3)}, TypeError, "callbacks must be a list of callbacks"),
        ({"callbacks": [EarlyStopping]}, TypeError, r"objects with a method on_epoch_end\(state\), such as"),
        ({"callbacks": [print]}, TypeError, "got builtin_function_or_method"),
        ({"model": lambda x: x}, TypeError, "model must be a network"),
        ({"optimizer": 0.1}, TypeError, "optimizer must be an optimizer"),
        ({"train_batches": 64}, TypeError, "train_batches must be batches to loop over"),
        ({"valid_batches": None}, TypeError, "valid_batches must be batches to loop over"),
        ({"train_batches": iter([])}, TypeError, "train_batches must start anew in each epoch; got a list_iterator"),
    ],
)
def test_impossible_arguments_are_refused(digits, options, error, words):
    model = small()
    arguments = {"model": model, "train_batches": batches(digits.train, 100), "optimizer": sgd(model)}
    arguments |= {"valid_batches": batches(digits.valid, 100), "epochs": 1} | options
    with pytest.raises(error, match=words):
        fit(**arguments)


def test_parts_of_another_model_are_refused(digits):
    """In a notebook: the cell that makes the model ran again, the one that makes the optimizer did not."""
    model, other = small(), small()
    train = batches(digits.train, 100)
    for call in (lambda: fit(model, train, train, sgd(other), epochs=1), lambda: train_epoch(model, train, sgd(other))):
        with pytest.raises(ValueError, match="optimizer must hold parameters of this model"):
            call()
    scheduler = torch.optim.lr_scheduler.StepLR(sgd(model), 1)
    with pytest.raises(ValueError, match="scheduler must change the learning rate of this optimizer"):
        fit(model, train, train, sgd(model), epochs=1, scheduler=scheduler)


X, Y = torch.zeros(6, 1, 28, 28), torch.tensor([0, 1, 2, 3, 4, 9])


@pytest.mark.parametrize(
    ("model", "x", "y", "error", "words"),
    [
        (small, X, Y + 1, ValueError, "must lie from 0 to 9, as the model gives 10 logits; they lie from 1 to 10"),
        (small, X, Y - 1, ValueError, "they lie from -1 to 8.*No class has a number below 0"),
        (small, X, Y.float(), ValueError, "whole numbers.*float32"),
        (small, X, F.one_hot(Y), ValueError, r"got shape \(6, 10\), torch.int64"),
        (small, X, Y[:5], ValueError, "this batch holds 6 images and 5 labels"),
        (lambda: Unflattened(196, 10), X, Y, ValueError, r"got shape \(24, 10\).*x.flatten\(1\)"),
        (lambda: nn.Conv2d(1, 10, 5), X, Y, ValueError, r"got shape \(6, 10, 24, 24\)"),
        (lambda: nn.LSTM(28, 10), X[:, 0], Y, TypeError, "must return its logits.*got tuple"),
        (lenet, X.expand(6, 3, 28, 28), Y, ValueError, r"Layer '0', Conv2d\(1.*\(6, 3, 28, 28\).*channels are axis 1"),
        (lenet, X[..., :24], Y, ValueError, r"Layer '7', Linear\(in_features=400.*\(6, 1, 28, 24\).*in_features=320"),
        (lenet, X.byte(), Y, ValueError, "torch.uint8.*Pixels must be floating-point numbers"),
        (lambda: lenet().to("meta"), X, Y, ValueError, "it is on meta, x on cpu, y on cpu"),
        (small, X.to("meta"), Y, ValueError, "it is on cpu, x on meta, y on cpu"),
    ],
)
def test_what_does_not_fit_is_explained(model, x, y, error, words):
    for call in (fitted, evaluate, lambda model, pairs: train_epoch(model, pairs, sgd(model))):
        with pytest.raises(error, match=words):
            call(model(), [(x, y)])


def test_a_wrong_label_of_a_later_batch_is_explained(digits):
    for pairs in ([(X, Y), (X, Y + 1)], DataLoader(TensorDataset(X.repeat(2, 1, 1, 1), torch.cat([Y, Y + 1])), 6)):
        with pytest.raises(ValueError, match="labels of this batch lie from 1 to 10: Target 10 is out of bounds"):
            fitted(small(), pairs)
    ours = batches(digits.train, 100)
    ours.y = torch.where(torch.arange(len(ours.y)) == len(ours.y) - 1, 10, ours.y)
    with pytest.raises(ValueError, match="they lie from 0 to 10"):  # at the first batch, though it is in the last
        fitted(small(), ours, loss_fn=lambda logits, y: pytest.fail("the loss was computed"))


def test_what_is_no_pair_is_explained(digits):
    for pairs in ([X], [(X, Y, Y)], [(X, 3)]):
        for call in (fitted, predict):
            with pytest.raises(TypeError, match=r"Each batch must be a pair of tensors \(x, y\)"):
                call(small(), pairs)
    for pairs in (X, "digits", {"x": X}):
        for call in (fitted, predict):
            with pytest.raises(TypeError, match="must be batches to loop over"):
                call(small(), pairs)


def test_a_loss_that_is_no_mean_is_explained():
    with pytest.raises(ValueError, match="loss_fn must return one number"):
        fitted(small(), [(X, Y)], loss_fn=lambda logits, y: F.cross_entropy(logits, y, reduction="none"))


def test_one_image_alone_in_batch_norm_is_explained():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10))
    with pytest.raises(ValueError, match=r"Layer '2', BatchNorm1d.*leave a last batch of one image out with drop_last"):
        fitted(model, [(X[:5], Y[:5]), (X[5:], Y[5:])])


def test_an_error_of_the_model_itself_stays_as_it_is():
    with pytest.raises(AttributeError, match="missing") as caught:
        fitted(nn.Sequential(Buggy()), [(X, Y)])
    note = "It arose in layer '0', Buggy, with a batch x of shape (6, 1, 28, 28), torch.float32."
    assert caught.value.__notes__ == [note]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_its_step(digits, bad):
    model, losses, before = small(), iter([1, 1, 1, 1, 1, bad]), []

    def loss_fn(logits, y):
        before[:] = [copy.deepcopy(model.state_dict())]
        return F.cross_entropy(logits, y) * next(losses)

    train = batches(digits.train.take(300), 100)  # so the sixth loss is in epoch 2: the fourth was of validation
    with pytest.raises(Diverged, match=f"The loss is {bad} at epoch 2, step 2. Its step was not taken.") as caught:
        fit(model, train, batches(digits.valid, 300), sgd(model, 0.25), epochs=9, loss_fn=loss_fn)
    error = caught.value
    assert (error.epoch, error.step, len(error.history)) == (2, 2, 1) and isinstance(error, FloatingPointError)
    assert all(torch.equal(value, before[0][name]) for name, value in model.state_dict().items())
    for words in (r"learning rate \(0.25\)", r"look at loss_fn and model: the pixels are finite, from -0.\d+ to \d"):
        assert re.search(words, str(error))


def test_a_learning_rate_that_is_too_large_is_found(digits):
    with pytest.raises(Diverged, match=r"learning rate \(1e\+38\)"):
        train_epoch(model := small(), batches(digits.train, 100), sgd(model, 1e38))


@pytest.mark.parametrize("step", [1, 49, 50, 51, 130])
def test_elsewhere_losses_are_read_together_and_the_first_bad_one_is_named(step, monkeypatch):
    """As on a GPU, where Python would have to wait for each loss: here the CPU plays another device."""
    losses = iter([Elsewhere(float("nan") if number >= step else 0.5) for number in range(1, 131)])
    watch = Watch(small(), [(X, Y)] * 130, lambda logits, y: next(losses), sgd(small()))
    reads = []
    monkeypatch.setattr(torch, "stack", lambda losses, stack=torch.stack: reads.append(len(losses)) or stack(losses))
    with pytest.raises(Diverged, match=f"The loss is nan at step {step}.*begin anew, or from a checkpoint"):
        for _, y in watch:
            watch.loss(torch.zeros(6, 10), y)
    assert reads == [50] * min(-(-step // 50), 2) + [30] * (step > 100)


def test_a_validation_loss_may_be_infinite(digits):
    history = fitted_with_valid_loss(digits, float("inf"))
    assert history.column("valid", "loss") == [float("inf")] and history.best() is None


def test_callbacks_are_told_of_the_start_and_only_stop_stops(digits):
    class Notes:
        seen = []

        def on_fit_start(self, state):
            self.seen.append(("start", state.epoch, state.step))

        def on_epoch_end(self, state):
            self.seen.append(("end", state.epoch, state.step))

    class Odd:
        def on_epoch_end(self, state):
            return True

    train = batches(digits.train, 300)
    model = small()
    fit(model, train, train, sgd(model), epochs=2, callbacks=[Notes()])
    assert Notes.seen == [("start", 0, 0), ("end", 1, len(train)), ("end", 2, 2 * len(train))]
    with pytest.raises(TypeError, match='Odd.on_epoch_end must return "stop" or None; got True'):
        fitted(small(), train, callbacks=[Odd()])


@pytest.mark.parametrize("mode", ["min", "max"])
def test_reduce_on_plateau_is_shown_the_validation_score(digits, mode):
    model = small()
    optimizer = sgd(model, 0.01)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode)
    history = fit(model, *[batches(digits.train, 300)] * 2, optimizer, epochs=3, scheduler=scheduler)
    assert scheduler.best == (
        min(history.column("valid", "loss")) if mode == "min" else max(history.column("valid", "accuracy"))
    )
    with pytest.raises(ValueError, match='scheduler_step must be "epoch" for ReduceLROnPlateau'):
        fit(model, *[batches(digits.train, 300)] * 2, optimizer, epochs=1, scheduler=scheduler, scheduler_step="batch")


def test_an_empty_loader_is_named(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for call in (lambda: train_epoch(model, [], optimizer), lambda: evaluate(model, []), lambda: predict(model, [])):
        with pytest.raises(ValueError, match="at least one batch"):
            call()
