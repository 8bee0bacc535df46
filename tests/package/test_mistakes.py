"""Typical first mistakes, and the sentence that a student reads: it names the cause, and nothing that is not one."""

import math
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import lr_scheduler

from course_utils import (
    Augment,
    EarlyStopping,
    _explain,
    as_dataset,
    batches,
    evaluate,
    fit,
    load,
    predict,
    train_epoch,
)
from course_utils.networks import lenet

X, Y = torch.randn(12, 1, 28, 28, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 10
BYTES = (X.sigmoid() * 255).round()
WITH_NAN = torch.where(torch.arange(28) == 5, float("nan"), X)
REMEDIES = {  # what is advised, by the words that only this advice has
    "scale": r"/ 255",
    "dtype": r"write x\.to\(",
    "axes": r"Compare the layer with x",
    "flatten": r"x\.flatten\(1\)",
    "batch axis": r"x\[None\]",
    "permute": r"x\.permute",
    "grey": r"x\.expand",
    "features": r"in_features=\d+\.",
    "drop_last": r"drop_last=True",
    "outputs": r"one output for each class",
    "from 0": r"y - 1",
    "below 0": r"y < 0",
    "one-hot": r"y\.argmax\(1\)",
    "long": r"y\.long\(\)",
    "thaw": r"requires_grad_\(True\)",
    "gradients": r"set_grad_enabled\(True\)",
    "detached": r"\.detach\(\)",
    "learning rate": r"ower the learning rate",
    "where made": r"look where the images are made",
}


@pytest.fixture(scope="module")
def digits():
    return load("mnist")


def small(*more):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10), *more)


def convolution(channels, *more):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(channels, 4, 5), *more)


class Model(nn.Module):
    """A linear layer in a forward of the student's own."""

    def __init__(self, forward=lambda linear, x: linear(x.flatten(1)), features=784):
        super().__init__()
        self.linear, self.written = nn.Linear(features, 10), forward

    def forward(self, x):
        return self.written(self.linear, x)


def frozen(module):
    return module.requires_grad_(False)


def sgd(model, lr=0.1):
    return torch.optim.SGD(model.parameters(), lr=lr)


def fitted(model, x=X, y=Y, **options):
    """Fit on one batch; options take the place of anything."""
    arguments = {"train_batches": [(x, y)], "valid_batches": [(X, Y)], "epochs": 1} | options
    optimizer = arguments.pop("optimizer", None)
    return fit(model, optimizer=sgd(model) if optimizer is None else optimizer, **arguments)


def fitted_without_gradients():
    with torch.no_grad():
        fitted(small())


def fitted_with_a_scheduler_of_another_optimizer():
    model = small()
    fitted(model, scheduler=lr_scheduler.StepLR(sgd(model), 1))


def fitted_with_a_frozen_body_in_the_optimizer():
    body, head = frozen(nn.Linear(784, 16)), nn.Linear(16, 10)
    fitted(nn.Sequential(nn.Flatten(), body, head), optimizer=sgd(body))


# mistake: (what the student runs, the error, its decisive words, the one remedy among `REMEDIES` if any)
MISTAKES = {
    # images
    "images are uint8": (lambda: fitted(small(), BYTES.byte()), ValueError, "must be floating-point numbers", "scale"),
    "images are int64": (lambda: fitted(lenet(), BYTES.long()), ValueError, "must be floating-point numbers", "scale"),
    "images are float64": (
        lambda: fitted(small(), X.double()),
        ValueError,
        r"one dtype; the weights are torch.float32, x is torch.float64: write x.to\(torch.float32\)",
        "dtype",
    ),
    "images are float64, for a convolution": (lambda: fitted(lenet(), X.double()), ValueError, "one dtype", "dtype"),
    "images are float16": (lambda: fitted(small(), X.half()), ValueError, "x is torch.float16", "dtype"),
    "the model is float64": (
        lambda: fitted(small().double()),
        ValueError,
        r"write x.to\(torch.float64\)",
        "dtype",
    ),
    "channels are last": (lambda: fitted(lenet(), X.movedim(1, -1)), ValueError, "channels of x come last", "permute"),
    "grey images for a network for colour": (
        lambda: fitted(convolution(3)),
        ValueError,
        "wants colour, three channels, and these images are grey",
        "grey",
    ),
    "colour images for a network for grey": (
        lambda: fitted(lenet(), X.expand(-1, 3, -1, -1)),
        ValueError,
        "to have 1 channels, but got 3 channels.*channels are axis 1",
        "axes",
    ),
    "an image without a batch": (
        lambda: fitted(lenet(), X[0], Y[0]),
        ValueError,
        r"four axes, N×C×H×W, and this x has three: x\[None\] adds the batch axis",
        "batch axis",
    ),
    "an image without a batch, for a linear layer": (
        lambda: fitted(small(), X[0], Y[0]),
        ValueError,
        "its label has no axis, as that of a single image",
        "batch axis",
    ),
    "images without an axis of channels": (
        lambda: fitted(lenet(), X[:, 0]),
        ValueError,
        r"x\[:, None\] the channel axis for grey ones",
        "batch axis",
    ),
    "images of another size": (
        lambda: fitted(lenet(), F.pad(X, (2, 2, 2, 2))),
        ValueError,
        "takes 400 numbers an image, and 576 reach it.*make the layer with in_features=576",
        "features",
    ),
    "NaN in the images": (
        lambda: fitted(small(), WITH_NAN),
        FloatingPointError,
        "Some pixels of its batch are not finite",
        "where made",
    ),
    "pixels from 0 to 255, and a loss that is not finite": (
        lambda: fitted(small(), BYTES, loss_fn=lambda logits, y: F.cross_entropy(logits, y) * math.inf),
        FloatingPointError,
        "The pixels lie from .* as in a file: x / 255 scales them",
        "scale|learning rate",
    ),
    "float pixels from 0 to 255 out of a transform": (
        lambda: as_dataset(load("mnist").train, lambda picture: BYTES[0])[0],
        ValueError,
        r"from \d+ to \d+. Divide them by 255.$",
        "",
    ),
    # labels
    "labels are float": (lambda: fitted(small(), y=Y.float()), ValueError, "whole numbers.*float32", "long"),
    "labels are int32": (lambda: fitted(small(), y=Y.int()), ValueError, "int64; got shape .12,., torch.int32", "long"),
    "labels are one-hot": (lambda: fitted(small(), y=F.one_hot(Y)), ValueError, "a column for each class", "one-hot"),
    "labels are one-hot and float": (
        lambda: fitted(small(), y=F.one_hot(Y).float()),
        ValueError,
        "a column for each class",
        "one-hot",
    ),
    "labels from 1": (
        lambda: fitted(small(), y=Y + 1),
        ValueError,
        "they lie from 1 to 10. They begin at 1, and must begin at 0: subtract one",
        "from 0",
    ),
    "a label of -1": (lambda: fitted(small(), y=Y - 1), ValueError, "No class has a number below 0", "below 0"),
    "labels to be ignored, -100": (
        lambda: fitted(small(), y=torch.where(Y == 3, -100, Y)),
        ValueError,
        "they lie from -100 to 9. No class has a number below 0",
        "below 0",
    ),
    "more classes than logits": (
        lambda: fitted(small(), y=Y + 5),
        ValueError,
        "If the labels are right, the last layer needs one output for each class, 15 or more",
        "outputs",
    ),
    "one output for ten classes": (
        lambda: fitted(nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.Sigmoid())),
        ValueError,
        "needs one output for each class, 10 or more",
        "outputs",
    ),
    "one output for ten classes, without its axis": (
        lambda: fitted(Model(lambda linear, x: linear(x.flatten(1))[:, 0])),
        ValueError,
        r"got shape \(12,\). An axis is missing, that of the classes",
        "outputs",
    ),
    "fewer labels than images": (lambda: fitted(small(), y=Y[:5]), ValueError, "holds 12 images and 5 labels", ""),
    # the model
    "the model's class": (
        lambda: fit(Model, [(X, Y)], [(X, Y)], sgd(small()), epochs=1),
        TypeError,
        r"model must be a network \(nn.Module\), such as lenet\(\); got type <class",
        "",
    ),
    "the function that makes the model": (
        lambda: fit(lenet, [(X, Y)], [(X, Y)], sgd(small()), epochs=1),
        TypeError,
        r"such as lenet\(\); got function <function lenet",
        "",
    ),
    "forgotten flatten": (
        lambda: fitted(nn.Sequential(nn.Linear(784, 10))),
        ValueError,
        "rows of 784 numbers, one row for each image; what reaches it has 4 axes",
        "flatten",
    ),
    "forgotten flatten behind a convolution": (
        lambda: fitted(convolution(1, nn.Linear(2304, 10))),
        ValueError,
        "what reaches it has 4 axes",
        "flatten",
    ),
    "the batch is flattened, too": (
        lambda: fitted(Model(lambda linear, x: linear(x.flatten()))),
        ValueError,
        "Flatten each image by itself",
        "flatten",
    ),
    "images are mixed by a view": (
        lambda: fitted(Model(lambda linear, x: linear(x.view(-1, 28)), features=28)),
        ValueError,
        r"got shape \(336, 10\). One row must be left for each image",
        "flatten",
    ),
    "maps for logits": (lambda: fitted(convolution(1)), ValueError, r"\(12, 4, 24, 24\). These are maps", ""),
    "forgotten return": (lambda: fitted(Model(lambda linear, x: None)), TypeError, "ends without a return", ""),
    "a tuple for the logits": (
        lambda: fitted(Model(lambda linear, x: (linear(x.flatten(1)), x))),
        TypeError,
        "its logits and nothing else, one tensor N×classes; got tuple",
        "",
    ),
    "a batch of one for BatchNorm": (
        lambda: fitted(small(nn.BatchNorm1d(10)), X[:1], Y[:1]),
        ValueError,
        "One image has no spread",
        "drop_last",
    ),
    "the model on another device": (
        lambda: fitted(small().to("meta")),
        ValueError,
        r"it is on meta, x on cpu, y on cpu. Move the model, model.to\(...\), before you make the optimizer",
        "",
    ),
    # the loss
    "the loss's result": (
        lambda: fitted(small(), loss_fn=F.cross_entropy(torch.zeros(12, 10), Y)),
        TypeError,
        "such as F.cross_entropy itself, not what it returns; got Tensor",
        "",
    ),
    "the loss's class": (
        lambda: fitted(small(), loss_fn=nn.CrossEntropyLoss),
        TypeError,
        r"nn.CrossEntropyLoss\(\); got type <class .*That is a class: its brackets make a function of it",
        "",
    ),
    "a loss of each image": (
        lambda: fitted(small(), loss_fn=nn.CrossEntropyLoss(reduction="none")),
        ValueError,
        'must return one number.*Neither reduction="none"',
        "",
    ),
    "a loss as a float": (
        lambda: fitted(small(), loss_fn=lambda logits, y: F.cross_entropy(logits, y).item()),
        ValueError,
        "as a tensor; got float",
        "",
    ),
    "the number of errors as the loss": (
        lambda: fitted(small(), loss_fn=lambda logits, y: (logits.argmax(1) != y).float().mean()),
        ValueError,
        "the way from it back to them is cut",
        "detached",
    ),
    "a detached answer": (
        lambda: fitted(Model(lambda linear, x: linear(x.flatten(1)).detach())),
        ValueError,
        "the way from it back to them is cut",
        "detached",
    ),
    "gradients are switched off": (fitted_without_gradients, ValueError, "they are switched off here", "gradients"),
    # optimizer, scheduler, callbacks, batches
    "a frozen model": (lambda: fitted(frozen(small())), ValueError, "all of its own are frozen", "thaw"),
    "an optimizer of frozen parameters": (
        fitted_with_a_frozen_body_in_the_optimizer,
        ValueError,
        "all of its own are frozen",
        "thaw",
    ),
    "the model made anew after the optimizer": (
        lambda: fitted(small(), optimizer=sgd(small())),
        ValueError,
        "it holds those of another. Make it anew",
        "",
    ),
    "the optimizer's class": (
        lambda: fitted(small(), optimizer=torch.optim.Adam),
        TypeError,
        r"such as torch.optim.Adam\(model.parameters\(\)\); got type",
        "",
    ),
    "a learning rate below 0": (
        lambda: fitted(small(), optimizer=sgd(small(), -1)),
        ValueError,
        "learning rate: -1",
        "",
    ),
    "a learning rate far too high": (
        lambda: fitted(model := small(), optimizer=sgd(model, 1e38), train_batches=[(X, Y)] * 9),
        FloatingPointError,
        r"If there were steps before, lower the learning rate \(1e\+38\)",
        "learning rate",
    ),
    "a scheduler of another optimizer": (
        fitted_with_a_scheduler_of_another_optimizer,
        ValueError,
        "it was made with another. Make it anew",
        "",
    ),
    "a callback's class": (
        lambda: fitted(small(), callbacks=[EarlyStopping]),
        TypeError,
        r"must be objects .* such as EarlyStopping\(3\); got type",
        "",
    ),
    "zip for batches": (
        lambda: fitted(small(), train_batches=zip([X], [Y], strict=True)),
        TypeError,
        "got a zip, which is empty after one",
        "",
    ),
    "a generator for batches": (
        lambda: fitted(small(), train_batches=(pair for pair in [(X, Y)])),
        TypeError,
        "got a generator, which is empty after one",
        "",
    ),
    "a slice of a dataset": (
        lambda: as_dataset(load("mnist").train)[:3],
        TypeError,
        r"a whole number; for several, as_dataset\(images\[:3\]\); got slice",
        "",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_sentence_names_the_cause_and_only_its_remedy(mistake):
    run, error, words, remedy = MISTAKES[mistake]
    with pytest.raises(error, match=words) as caught:
        run()
    advised = [name for name, pattern in REMEDIES.items() if re.search(pattern, str(caught.value))]
    assert advised == [name for name in REMEDIES if name in remedy.split("|")]


@pytest.mark.parametrize("call", [evaluate, predict, lambda model, pairs: train_epoch(model, pairs, sgd(model))])
def test_the_relatives_of_fit_say_the_same(call):
    with pytest.raises(ValueError, match=r"write x.to\(torch.float32\)"):
        call(lenet(), [(X.double(), Y)])


# What trains all the same: a note where it is certain, silence elsewhere


class Steps:
    """A callback that moves a scheduler after each epoch."""

    def __init__(self, scheduler):
        self.scheduler = scheduler

    def on_epoch_end(self, state):
        self.scheduler.step()


def notes(capsys, model, **options):
    """The notes that `fit` prints; nothing may come on stderr."""
    capsys.readouterr()
    fitted(model, **({"epochs": 2} | options))
    said = capsys.readouterr()
    assert said.err == ""
    return [line.removeprefix("Note: ") for line in said.out.splitlines() if line.startswith("Note")]


@pytest.mark.parametrize("loss_fn", [F.cross_entropy, nn.CrossEntropyLoss()])
def test_softmax_before_the_loss_is_noticed_once_in_each_fit(capsys, loss_fn):
    for _ in range(2):
        (said,) = notes(capsys, small(nn.Softmax(1)), loss_fn=loss_fn)
        assert said.startswith("the model's answers are probabilities (each row sums to 1). Cross-entropy wants logits")


def nll(probabilities, y):
    return F.nll_loss(probabilities.log(), y)


@pytest.mark.parametrize(
    ("model", "loss_fn"),
    [
        (lambda: small(), F.cross_entropy),
        (lambda: small(nn.Softmax(1)), nll),  # where they are wanted
        (lambda: small(nn.LogSoftmax(1)), F.cross_entropy),  # changes nothing
        (lambda: small(nn.Sigmoid()), F.cross_entropy),
        (lambda: small(nn.ReLU()), F.cross_entropy),
    ],
)
def test_other_answers_are_not_taken_for_probabilities(capsys, model, loss_fn):
    assert notes(capsys, model(), loss_fn=loss_fn) == []


def test_an_evaluation_of_probabilities_is_silent(capsys):
    evaluate(small(nn.Softmax(1)), [(X, Y)])
    assert capsys.readouterr().out == ""


def test_validation_on_training_images_is_noticed(capsys, digits):
    pairs, train = [(X, Y)], batches(digits.train, 300, shuffle=True)
    for valid_of_train in ((pairs, pairs), (train, train), (train, batches(digits.train, 600))):
        (said,) = notes(capsys, small(), **dict(zip(("train_batches", "valid_batches"), valid_of_train, strict=True)))
        assert said.startswith("train_batches and valid_batches hold the same images.")
    assert notes(capsys, small(), train_batches=train, valid_batches=batches(digits.valid, 300)) == []
    halves = {"train_batches": batches(digits.train[:600], 300), "valid_batches": batches(digits.train[600:], 300)}
    assert notes(capsys, small(), **halves) == []


def test_augmented_validation_is_noticed(capsys, digits):
    change = Augment(shift=2)
    train, valid = batches(digits.train, 300, augment=change), batches(digits.valid, 300, augment=change)
    (said,) = notes(capsys, small(), train_batches=train, valid_batches=valid)
    assert said.startswith("valid_batches augment their images.")
    assert notes(capsys, small(), train_batches=train, valid_batches=batches(digits.valid, 300)) == []


SCHEDULERS = [
    lambda optimizer: lr_scheduler.StepLR(optimizer, 1),
    lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, patience=0),
    lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2),
    lambda optimizer: lr_scheduler.SequentialLR(
        optimizer, [lr_scheduler.LinearLR(optimizer), lr_scheduler.ExponentialLR(optimizer, 0.9)], [1]
    ),
    lambda optimizer: lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(optimizer, 0.9)]),
]


@pytest.mark.parametrize("make", SCHEDULERS)
@pytest.mark.parametrize("step", ["epoch", "batch"])
def test_a_scheduler_that_only_fit_moves_is_right(capsys, make, step):
    model = small()
    optimizer = sgd(model)
    scheduler = make(optimizer)
    if step == "batch" and isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        pytest.skip("it goes by epochs")
    assert notes(capsys, model, optimizer=optimizer, scheduler=scheduler, scheduler_step=step) == []


def test_a_scheduler_that_steps_twice_is_noticed(capsys):
    model = small()
    optimizer = sgd(model)
    scheduler = lr_scheduler.StepLR(optimizer, 1)
    (said,) = notes(capsys, model, optimizer=optimizer, scheduler=scheduler, callbacks=[Steps(scheduler)])
    assert said.startswith("a callback has moved the scheduler, and `fit` moves it, too.")
    callbacks = [Steps(lr_scheduler.StepLR(optimizer, 1))]
    assert notes(capsys, model, optimizer=optimizer, callbacks=callbacks) == []  # the callback alone moves one


def test_the_mode_before_an_evaluation_does_not_matter():
    """Nobody can forget eval(): `evaluate` and `predict` see to it."""
    model = small(nn.Dropout(0.5))
    scores = [evaluate(model.train(mode), [(X, Y)]) for mode in (True, False)]
    assert scores[0] == scores[1]
    assert torch.equal(predict(model.train(), [(X, Y)]), predict(model.eval(), [(X, Y)]))


def test_every_sentence_is_said_somewhere():
    code = "".join(path.read_text(encoding="utf-8") for path in Path(_explain.__file__).parent.glob("*.py"))
    assert [key for key in _explain.TEXTS if f'"{key}"' not in code] == []
