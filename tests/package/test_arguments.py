"""Wrong arguments, by the thousand: each public function refuses them with a name, what it expected and what it got.

The table below names every public function of the package and its arguments, with a right call of it. A wrong value is
drawn from `ANYTHING`, less what is right in this place. Flags take any truth value, and file names, titles and the
like any text, so that they are refused for their type alone.
"""

import inspect
import pkgutil
import tempfile
from importlib import import_module
from numbers import Real
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

import course_utils
from course_utils.augment import Augment
from course_utils.data import ImageData, Images, batches, load
from course_utils.history import Epoch, History, Score

SHAPES = st.lists(st.integers(0, 4), max_size=5)
DTYPES = [torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool]
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.floats(-9, 9) | st.sampled_from([float("nan"), float("inf"), -float("inf")]),
    st.complex_numbers(max_magnitude=9),
    st.text("abc{}:é ", max_size=6),
    st.binary(max_size=4),
    st.lists(st.none() | st.integers(-3, 3) | st.text(max_size=2), max_size=4),
    st.dictionaries(st.text(max_size=2), st.none() | st.text(max_size=2), max_size=2),
    st.builds(object),
    st.builds(lambda shape, dtype: torch.zeros(shape, dtype=dtype), SHAPES, st.sampled_from(DTYPES)),
    st.builds(np.zeros, SHAPES),
)


# What is right in a place: functions of a value.


def never(value):
    return False


def whole(least, most=10**9):
    def right(value):
        if isinstance(value, torch.Tensor):
            return value.numel() == 1 and value.dtype in DTYPES[2:] and value.dtype != torch.bool and value >= least
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return right


def number(least=-(10**9), most=10**9):
    return lambda value: isinstance(value, Real) and not isinstance(value, bool) and least <= value <= most


def single(value):
    """One number, perhaps in a tensor; infinity too."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return np.prod(value.shape) == 1 and value.dtype != torch.bool
    return isinstance(value, Real) and not isinstance(value, bool)


def bound(value):
    return value is None or single(value) and bool(value == value)


def bounds(value):
    return bound(value) or isinstance(value, dict)


def inside(least, most):
    return lambda value: number(least, most)(value) and least < value < most


def tensor(*shape, dtypes=tuple(DTYPES)):
    """None stands for any length."""

    def right(value):
        fits = isinstance(value, torch.Tensor) and value.ndim == len(shape) and value.dtype in dtypes
        return fits and all(length in (None, seen) for length, seen in zip(shape, value.shape, strict=True))

    return right


def listed(count, right):
    """A list of so many (None: one or more) right things."""

    def fits(value):
        return isinstance(value, list) and (len(value) == count if count else len(value) > 0) and all(map(right, value))

    return fits


def numbers(least):
    """Something that holds at least so many numbers along its first axis."""

    def fits(value):
        if isinstance(value, list):
            return len(value) >= least and all(map(number(), value))
        return isinstance(value, torch.Tensor | np.ndarray) and value.ndim > 0 and len(value) >= least

    return fits


def picture(value):
    if isinstance(value, list):
        return False
    shape = getattr(value, "shape", ())
    return 0 not in shape and (len(shape) == 2 or len(shape) == 3 and (shape[0] in (1, 3) or shape[2] in (1, 3)))


def pictures(value):
    return getattr(value, "ndim", 0) > 1 and len(value) > 0 and picture(value[0])


def images_of(*channels):
    """A batch with one of these numbers of channels, floating point."""
    return lambda value: tensor(None, None, None, None, dtypes=DTYPES[:2])(value) and value.shape[1] in channels


def no_small(value):
    return images_of(*range(1, 9))(value) and min(value.shape[2:]) >= 3


def a_pair(value):
    return getattr(value, "ndim", 1) > 0 and hasattr(value, "__len__") and len(value) == 2


def five_axes(value):
    return getattr(value, "ndim", 0) == 5


def each(right):
    """One right thing, or one for each of two images."""

    def fits(value):
        parts = value.tolist() if isinstance(value, torch.Tensor | np.ndarray) else value
        if isinstance(parts, list):
            return len(parts) == 2 and all(map(right, parts))
        return right(parts)

    return fits


def one_or_two(right):
    return lambda value: right(value) or isinstance(value, list) and len(value) == 2


def widths(value):
    return isinstance(value, list) and len(value) > 1 and all(map(whole(1), value))


def empty(value):
    return isinstance(value, list) and not value


def filled(value):
    return isinstance(value, dict) and len(value) > 0


def of(*kinds):
    return lambda value: isinstance(value, kinds)


def none_or(right):
    return lambda value: value is None or right(value)


TEXT, SHAPE, GRID = of(str), listed(None, whole(1)), tensor(None, None)
X, WEIGHT, BIAS = torch.zeros(2, 3, 5, 6), torch.zeros(4, 3, 2, 3), torch.zeros(4)
PICTURE, KERNEL = torch.ones(4, 4), torch.ones(2, 2)
IMAGES = Images(torch.zeros(9, 1, 4, 4, dtype=torch.uint8), torch.arange(9) % 3, [0.5], [0.5])
DATA = ImageData(IMAGES, IMAGES, IMAGES, ("a", "b", "c"), "official", "toy")
NET = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
LOOKED, ONE = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(32, 3)), torch.rand(1, 1, 4, 4)
SGD = torch.optim.SGD(NET.parameters(), lr=0.1)
LOADER = batches(IMAGES, 3)
ROW = Epoch(1, Score(1.0, 0.5), Score(1.0, 0.5), 0.1, 1.0)


class Case(NamedTuple):
    """A right call, and for its arguments what would be right in their place. The rest are flags, texts for a figure,
    and arguments whose errors have a test of their own."""

    call: dict
    right: dict


CONVOLUTION = Case(
    dict(x=X, weight=WEIGHT, bias=BIAS, stride=1, padding=0),
    dict(x=never, weight=never, bias=none_or(tensor(4)), stride=whole(1), padding=whole(0)),
)
CLAIM = dict(sentence="It is {value}.", value=3, equals=3, within=0, at_least=None, at_most=None)
CLAIMED = dict(
    sentence=never,
    value=single,
    equals=bound,
    within=number(0),
    at_least=bound,
    at_most=bound,
)
PIXELS = torch.zeros(2, 3, 4, 4)
CONFIDENCE, CORRECT = torch.full((4,), 0.5), torch.tensor([True, False, True, True])
GRAPH = torch.ones((), requires_grad=True)
CASES = {
    "augment.Augment": Case(
        dict(flip=0.5, shift=1, rotation=5, scale=0.1, padding_mode="edge", brightness=0.1, hue=0.1, cutout=2),
        dict(flip=number(0, 1), shift=one_or_two(whole(0)), rotation=one_or_two(number(0)),
             scale=one_or_two(number(0)), padding_mode=never, brightness=one_or_two(number(0)),
             hue=one_or_two(number(0)), cutout=whole(0)),
    ),
    "augment.Augment.__call__": Case(
        dict(self=Augment(flip=0.5), x=PIXELS, generator=None), dict(x=images_of(*range(9)), generator=none_or(never))
    ),
    "augment.adjust_brightness": Case(
        dict(x=PIXELS, brightness_factor=1.0), dict(x=images_of(*range(9)), brightness_factor=each(number(0)))
    ),
    "augment.adjust_hue": Case(
        dict(x=PIXELS, hue_factor=0.1), dict(x=images_of(3), hue_factor=each(number(-0.5, 0.5)))
    ),
    "augment.erase": Case(
        dict(x=PIXELS, i=0, j=0, h=2, w=2, v=0),
        dict(x=images_of(*range(9)), i=each(whole(-9)), j=each(whole(-9)), h=each(whole(0)), v=number()),
    ),
    "augment.horizontal_flip": Case(
        dict(x=PIXELS, flip=True), dict(x=tensor(None, None, None, None), flip=each(of(bool)))
    ),
    "augment.rotate": Case(
        dict(x=PIXELS, angle=10, padding_mode="constant"),
        dict(x=images_of(*range(9)), angle=each(number()), padding_mode=never),
    ),
    "augment.scale": Case(
        dict(x=PIXELS, factor=1.5, padding_mode="constant"),
        dict(x=images_of(*range(9)), factor=each(number(0)), padding_mode=never),
    ),
    "augment.shift": Case(
        dict(x=PIXELS, dy=1, dx=0, padding_mode="constant"),
        dict(x=images_of(*range(9)), dy=each(whole(-9)), dx=each(whole(-9)), padding_mode=never),
    ),
    "checkpoint.Checkpoint": Case(
        dict(file="a.pt", monitor="valid loss", resume=False), dict(file=TEXT, monitor=never, resume=of(bool))
    ),
    "checkpoint.EarlyStopping": Case(
        dict(patience=3, monitor="valid loss", min_delta=0), dict(patience=whole(1), monitor=never, min_delta=number(0))
    ),
    "data.as_dataset": Case(dict(images=IMAGES, transform=None), dict(images=never, transform=none_or(never))),
    "diagrams.arithmetic": Case(dict(rows=[[("a", PICTURE)]], title="T"), dict(rows=never, title=none_or(TEXT))),
    "diagrams.graph": Case(
        dict(result=GRAPH * 2, tensors={"w": GRAPH}, title="T"),
        dict(result=never, tensors=never, title=none_or(TEXT)),
    ),
    "diagrams.places": Case(
        dict(settings=[{"size": 5, "kernel_size": 3}], title="T"), dict(settings=never, title=none_or(TEXT))
    ),
    "diagrams.sides": Case(
        dict(pictures=torch.zeros(1, 2, 1, 4, 4), panels={"a": torch.tensor([[True, False]])}, title="T"),
        dict(pictures=five_axes, panels=never, title=none_or(TEXT)),
    ),
    "history.History.best": Case(
        dict(self=History([ROW]), monitor="valid loss", min_delta=0), dict(monitor=never, min_delta=number(0))
    ),
    "metrics.accuracy_curve": Case(
        dict(model=NET, images=IMAGES, change=lambda x, value: x, values=[0], batch_size=9),
        dict(model=never, images=never, change=never, values=listed(None, number()), batch_size=whole(1)),
    ),
    "metrics.calibration_error": Case(
        dict(confidence=CONFIDENCE, correct=CORRECT, bins=5),
        dict(confidence=tensor(4), correct=tensor(4), bins=whole(1)),
    ),
    "metrics.reliability": Case(
        dict(confidence=CONFIDENCE, correct=CORRECT, bins=5),
        dict(confidence=tensor(4), correct=tensor(4), bins=whole(1)),
    ),
    "metrics.fit_temperature": Case(
        dict(logits=torch.eye(4), labels=torch.arange(4)), dict(logits=tensor(4, None), labels=tensor(4))
    ),
    "networks.cifar_net": Case(
        dict(c1=2, c2=2, hidden=2, dropout=0.5, first_kernel=3),
        dict(c1=whole(1), c2=whole(1), hidden=whole(1), dropout=number(0, 1), first_kernel=whole(1, 24)),
    ),
    "networks.fast_cifar_net": Case(dict(widths=(4, 5), residual=False), dict(widths=widths, residual=of(bool))),
    "networks.three_convolutions": Case(dict(width=2, dropout=0.5), dict(width=whole(1), dropout=number(0, 1))),
    "networks.two_convolutions": Case(dict(width=2, dropout=0.5), dict(width=whole(1), dropout=number(0, 1))),
    "plots.reliability": Case(
        dict(answers={"a": (CONFIDENCE, CORRECT)}, bins=5, title="T"),
        dict(answers=never, bins=whole(1), title=none_or(TEXT)),
    ),
    "shapes.receptive_field": Case(dict(model=NET), dict(model=never)),
    "claims.begin": Case(dict(lesson="06_lenet"), dict(lesson=never)),
    "claims.claim": Case(CLAIM, CLAIMED),
    "claims.claim.data": Case(
        CLAIM | dict(data=DATA), CLAIMED | dict(equals=bounds, at_least=bounds, at_most=bounds, data=never)
    ),
    "claims.claim.measured": Case(
        dict(sentence="It is {value}.", value=3, data=DATA, at_least=1, at_most=5),
        dict(sentence=never, value=single, data=never, at_least=bound, at_most=bound),
    ),
    "convolution.conv2d_loops": CONVOLUTION,
    "convolution.conv2d_im2col": CONVOLUTION,
    "convolution.conv2d_backward": Case(
        dict(grad=torch.zeros(2, 4, 4, 4), x=X, weight=WEIGHT, stride=1, padding=0),
        dict(grad=never, x=never, weight=never, stride=whole(1), padding=whole(0)),
    ),
    "data.load": Case(dict(name="mnist", valid=5, seed=0), dict(name=never, valid=whole(1), seed=whole(0))),
    "data.Images": Case(
        dict(x=IMAGES.x, y=IMAGES.y, mean=[0.5], std=[0.5]), dict(x=never, y=never, mean=numbers(1), std=numbers(1))
    ),
    "data.Images.take": Case(dict(self=IMAGES, n=3, seed=0), dict(n=whole(1), seed=whole(0))),
    "data.batches": Case(
        dict(images=IMAGES, batch_size=3, augment=None, generator=None),
        dict(images=never, batch_size=whole(1), augment=none_or(never), generator=none_or(never)),
    ),
    "diagrams.im2col": Case(
        dict(image=PICTURE, kernel=KERNEL, at=3, title="T"),
        dict(image=GRID, kernel=GRID, at=whole(0, 8), title=none_or(TEXT)),
    ),
    "diagrams.who_sees_what": Case(
        dict(images={"train": 3}, panels={"A": {"learns": "train"}}, title="T"),
        dict(images=never, panels=never, title=none_or(TEXT)),
    ),
    "diagrams.architecture": Case(
        dict(model=NET, input_shape=(1, 1, 4, 4), title="T"),
        dict(model=never, input_shape=SHAPE, title=none_or(TEXT)),
    ),
    "explorers.explore": Case(dict(name="shapes", size=8), dict(name=never, size=whole(4, 64))),
    "explorers.frame": Case(dict(name="shapes", size=8), dict(name=never, size=whole(4, 64))),
    "exercises.target": Case(
        dict(data=load("mnist"), real=0.9, sample=0.5), dict(data=never, real=number(0, 1), sample=number(0, 1))
    ),
    "inside.feature_maps": Case(dict(model=LOOKED, x=ONE), dict(model=never, x=never)),
    "inside.occlusion": Case(
        dict(model=LOOKED, x=ONE, label=0, size=2, stride=1, fill=0.0),
        dict(model=never, x=never, label=whole(0, 2), size=whole(1, 4), stride=whole(1), fill=number()),
    ),
    "inside.grad_cam": Case(
        dict(model=LOOKED, layer=LOOKED[0], x=ONE, label=0),
        dict(model=never, layer=never, x=never, label=whole(0, 2)),
    ),
    "metrics.mean_and_spread": Case(dict(values=[1.0, 2.0], form=".1%"), dict(values=never, form=never)),
    "metrics.wilson_interval": Case(
        dict(correct=20, total=30, confidence=0.95),
        dict(correct=whole(0, 30), total=whole(1), confidence=inside(0, 1)),
    ),
    "networks.lenet": Case(dict(activation=nn.ReLU, pool=nn.MaxPool2d), dict(activation=never, pool=never)),
    "_figure.draw_picture": Case(
        dict(axes=plt.figure().subplots(), picture=PICTURE, limit=None),
        dict(picture=picture, limit=none_or(inside(0, 1e9))),
    ),
    "_figure.show_figure": Case(dict(figure=plt.figure(), title="T"), dict(title=none_or(TEXT))),
    "plots.images": Case(
        dict(pictures=[PICTURE] * 2, titles=None, columns=2, title="T"),
        dict(pictures=pictures, titles=none_or(a_pair), columns=whole(1), title=none_or(TEXT)),
    ),
    "plots.curves": Case(
        dict(x=[0, 1], lines={"a": [0.0, 1.0]}, title="T", xlabel="x", columns=1),
        dict(x=numbers(0), lines=never, title=none_or(TEXT), columns=whole(1)),
    ),
    "plots.history": Case(dict(run=History([ROW]), title="T"), dict(run=never)),
    "plots.bars": Case(dict(groups={"a": {"x": 1.0}}, title="T", ylabel="y"), dict(groups=never)),
    "plots.intervals": Case(dict(groups={"a": {"x": [1.0, 2.0]}}, title="T", xlabel="x"), dict(groups=never)),
    "plots.scatter": Case(
        dict(groups={"a": ([1, 2], [3, 4])}, title="T", xlabel="x", ylabel="y", heights=None),
        dict(groups=never, heights=none_or(never)),
    ),
    "plots.confusion": Case(
        dict(matrix=np.eye(3, dtype=int), classes=["a", "b", "c"], title="T"),
        dict(matrix=GRID, classes=listed(3, lambda value: True)),
    ),
    "plots.distribution": Case(dict(groups={"a": [1.0, 2.0]}, title="T", xlabel="x"), dict(groups=never)),
    "runtime.setup": Case(dict(lesson="06_lenet"), dict(lesson=never)),
    "records.recorded": Case(dict(name="lenet_plateau"), dict(name=TEXT)),
    "records.recorded_runs": Case(dict(name="lenet_plateau"), dict(name=TEXT)),
    "search.asked": Case(dict(trial=optuna.trial.create_trial(value=1.0)), dict(trial=never)),
    "search.open_study": Case(
        dict(file=f"{tempfile.mkdtemp()}/a.journal", name="s", pruner=None),
        dict(file=TEXT, name=TEXT, pruner=none_or(never)),
    ),
    "search.put_back": Case(dict(study=optuna.create_study()), dict(study=never)),
    "shapes.conv_output_size": Case(
        dict(size=30, kernel_size=3, stride=1, padding=0, dilation=1),
        dict(size=whole(1), kernel_size=whole(1, 30), stride=whole(1), padding=whole(0), dilation=whole(1, 14)),
    ),
    "shapes.count_parameters": Case(dict(model=NET), dict(model=never)),
    "shapes.count_macs": Case(dict(model=NET, input_shape=(1, 1, 4, 4)), dict(model=never, input_shape=SHAPE)),
    "shapes.step_milliseconds": Case(
        dict(model=NET, input_shape=(1, 1, 4, 4), seconds=0.001),
        dict(model=never, input_shape=SHAPE, seconds=number(0.001)),
    ),
    "training.train_epoch": Case(
        dict(model=NET, batches=LOADER, optimizer=SGD, loss_fn=nn.functional.cross_entropy, after_step=None),
        dict(model=never, batches=never, optimizer=never, loss_fn=never, after_step=none_or(never)),
    ),
    "training.evaluate": Case(
        dict(model=NET, batches=LOADER, loss_fn=nn.functional.cross_entropy),
        dict(model=never, batches=never, loss_fn=never),
    ),
    "training.predict": Case(dict(model=NET, batches=LOADER), dict(model=never, batches=never)),
    "training.fit": Case(
        dict(model=NET, train_batches=LOADER, valid_batches=LOADER, optimizer=SGD, epochs=1, scheduler=None,
             scheduler_step="epoch", callbacks=(), mixed_precision=False),
        dict(model=never, train_batches=never, valid_batches=never, optimizer=never, epochs=whole(1),
             scheduler=none_or(never), scheduler_step=never, callbacks=empty, mixed_precision=of(bool)),
    ),
    "history.History.column": Case(
        dict(self=History([ROW]), split="train", measure="loss"), dict(split=never, measure=never)
    ),
}  # fmt: skip
CALLED = {"train_batches": "batch", "valid_batches": "batch"}  # what is wrong is one of them
EXEMPT = {
    "claims.Claims": "its one object is `claim`",
    "claims.Statement": "made by claims only",
    "claims.Agreement": "made by `agree` only",
    "claims.agree": "whatever is no equal is told as such: see test_claims",
    "data.ImageData": "made by `load`",
    "metrics.Bin": "made by `reliability`",
    "exercises.check": "judges any answer and never raises; tests/checks throws strange ones at it",
    "exercises.checker": "for checkers of lessons",
    "exercises.right": "for checkers of lessons",
    "exercises.wrong": "for checkers of lessons",
    "exercises.Verdict": "made by `check`",
    "networks.Residual": "takes layers, which nn.Sequential checks",
    "history.Epoch": "made by `fit`",
    "history.Score": "made by `train_epoch` and `evaluate`",
    "history.History": "a list; made by `fit`",
}


def public():
    """The names of all public functions and classes of the package that take arguments; errors apart."""
    for module in pkgutil.iter_modules(course_utils.__path__):
        if module.name.startswith("_") or module.ispkg:
            continue
        for name, made in vars(import_module(f"course_utils.{module.name}")).items():
            ours = getattr(made, "__module__", None) == f"course_utils.{module.name}" and not name.startswith("_")
            error = inspect.isclass(made) and issubclass(made, Exception)
            if ours and callable(made) and not error and (name == "claim" or inspect.signature(made).parameters):
                yield f"{module.name}.{name}"


def function(name):
    module, *path = name.split(".")
    made = import_module(f"course_utils.{module}")
    for part in path:
        made = getattr(made, part)
    return made


def call(name, arguments):
    arguments = dict(arguments)
    return function(name)(*([arguments.pop("self")] if "self" in arguments else []), **arguments)


def shown(value):
    """What a message may show of a value: one of these."""
    parts = [repr(value)[:50], type(value).__name__]
    if isinstance(value, torch.Tensor | np.ndarray):
        parts += [str(tuple(value.shape)), str(value.dtype), *(f" {length}" for length in value.shape)]
        parts += [f"got {value.item()!r}", f"value {value.item()!r}"] if np.prod(value.shape) == 1 else []
    elif isinstance(value, list | dict | str | bytes):
        inner = list(value.values()) if isinstance(value, dict) else list(value)
        parts += [f"got {len(value)}", "got none", f"{len(value)} values", f"shape ({len(value)},)"]
        parts += [text for part in inner for text in (f"{type(part).__name__} {part!r}", f"got {part!r}")]
    return parts


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.setenv("COURSE_DATA", "sample")
    yield
    plt.close("all")


def test_the_table_holds_every_public_function():
    assert not set(public()) - CASES.keys() - EXEMPT.keys()
    assert not EXEMPT.keys() & CASES.keys()
    assert all(function(name) for name in EXEMPT)


@pytest.mark.parametrize("name", CASES)
def test_the_right_call_is_right(name):
    call(name, CASES[name].call)


WRONG = [(name, argument) for name, case in CASES.items() for argument in case.right]
EACH = 12  # wrong values for each argument


@pytest.mark.parametrize(("name", "argument"), WRONG, ids=[".".join(pair) for pair in WRONG])
def test_wrong_arguments_are_refused(name, argument):
    arguments, right = CASES[name]
    refused = 0

    @settings(max_examples=EACH, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(value=ANYTHING)
    def refuse(value):
        nonlocal refused
        assume(not right[argument](value))
        with pytest.raises((TypeError, ValueError)) as caught:
            call(name, arguments | {argument: value})
        message = str(caught.value)
        assert CALLED.get(argument, argument) in message, f"{argument} is not named: {message}"
        assert "must" in message and "got" in message, message
        assert any(text in message for text in shown(value)), f"{value!r} is not shown: {message}"
        refused += 1

    refuse()
    assert refused >= EACH


def test_that_makes_more_than_a_thousand():
    assert len(WRONG) * EACH >= 1000
