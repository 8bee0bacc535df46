"""Checkers of lesson 6, LeNet on MNIST."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils import load, networks
from course_utils.data import ImageData, batches
from course_utils.exercises import checker, right, target, wrong

from ._answers import RETURNED, Refused, close, near, network, number, scores, size_of, wholes


@checker("6.1")
def first_loss(answer):
    """one number."""
    loss, expected = number(answer), math.log(1000)
    if near(loss, expected, places=2):
        return right(
            "A network that starts far above this has a last layer that is sure of something, before it knows anything."
        )
    for base in (10, 2):
        if near(loss, math.log(1000, base), places=2):
            finding = f"{loss:g} is a logarithm to base {base}"
            return wrong(finding, hint="Cross-entropy uses the natural logarithm.")
    if near(loss, math.log(10), places=2):
        return wrong(f"{loss:g} belongs to ten classes", hint="How large is the probability of each class here?")
    if near(loss, -expected, places=2):
        return wrong("the sign is wrong", hint="The loss is minus the logarithm of a probability.")
    if loss == 1 / 1000:
        return wrong(f"{loss:g} is the probability of each class", hint="Which loss belongs to it?")
    if loss in (round(expected, 1), round(expected)):
        return wrong(f"{loss:g} is rounded too far", hint="Give two decimal places.")
    return wrong(f"your loss is {loss:g}", hint="Which probability does each class get? Then see how the loss is made.")


@checker("6.2")
def c3(answer):
    """a pair (with_table, without)."""
    maps, kernels, weights = 16, 6 * 3 + 9 * 4 + 6, 25
    with_table, without = wholes(answer, 2, "(with_table, without)")
    full = maps * 6
    if (without, with_table) == (kernels * weights + maps, full * weights + maps):
        return wrong("the two stand the other way round", hint="Give (with_table, without).")
    cost = "Each digit in C3_TABLE is a map that is read. What does reading one map cost?"
    all_maps = "Count as for any layer: how many kernels are there when each map reads all maps before it?"
    asked = ((with_table, kernels, "three", "with", cost), (without, full, "six", "without", all_maps))
    for mine, count, read, which, hint in asked:
        if mine == count * weights:
            return wrong(f"{mine} counts weights only", hint="Each map has a bias too.")
        if mine == count * (weights + 1):
            return wrong(f"{mine} gives every kernel a bias", hint=f"How many biases has a map that reads {read} maps?")
        if mine == maps * (weights + 1):
            return wrong(f"{mine} gives every map one kernel", hint="A map has a kernel for each map that it reads.")
        if mine != count * weights + maps:
            return wrong(f"{mine} {which} the table", hint=hint)
    return right("The table saves 900 weights of 60,000. Its other aim was to break the symmetry between maps.")


@checker("6.3")
def side(answer):
    """a function of n that returns a number of pixels."""
    sizes = [28, 32, 29, 30, 31, *range(12, 28), 33, 47, 64, 101]
    mine = [number(answer(n), "one whole number, such as 5", what=RETURNED) for n in sizes]
    with torch.no_grad():
        features = networks.lenet()[:6]
        expected = [features(torch.zeros(1, 1, n, n)).shape[-1] for n in sizes]
    mistakes = {
        "The second convolution comes before the second pooling.": lambda n: n // 4 - 4,
        "Pooling drops a lone last column: round down.": lambda n: (n / 2 - 4) / 2,
        "A lone last column is dropped, in the first pooling too.": lambda n: ((n + 1) // 2 - 4) // 2,
        "A lone last column is dropped, in the second pooling too.": lambda n: (n // 2 - 3) // 2,
        "A lone last column is dropped, in both poolings.": lambda n: ((n + 1) // 2 - 3) // 2,
        "Today's first convolution has a padding.": lambda n: ((n - 4) // 2 - 4) // 2,
        "The second convolution has no padding.": lambda n: n // 4,
        "A second pooling follows.": lambda n: n // 2 - 4,
        "Pooling halves the maps, twice.": lambda n: n - 4,
    }
    for n, one, by_network in zip(sizes, mine, expected, strict=True):
        if one == by_network:
            continue
        hint = (
            "Maps have whole sizes: pooling rounds down."
            if one != round(one)
            else f"Ask the network: lenet()[:6](torch.zeros(1, 1, {n}, {n})).shape. Then follow it layer by layer."
        )
        for cause, rule in mistakes.items():
            if mine == [rule(size) for size in sizes]:
                hint = cause
        return wrong(f"side({n}) is {one:g}", hint=hint)
    return right("So widths from 28 to 31 all give 5: pooling drops the last column of a map of odd width.")


@checker("6.4")
def connections(answer):
    """a list of seven numbers."""
    # outputs, inputs of each, and parameters
    layers = {
        "C1": (6 * 28 * 28, 25, 6 * 26),
        "S2": (6 * 14 * 14, 4, 12),
        "C3": (16 * 100, 60 * 25 / 16, 1516),
        "S4": (16 * 25, 4, 32),
        "C5": (120, 400, None),
        "F6": (84, 120, None),
        "output": (10, 83, None),  # 84 inputs and no bias
    }
    counts = wholes(answer, 7, f"for {', '.join(layers)}")
    expected = {name: round(outputs * (inputs + 1)) for name, (outputs, inputs, _) in layers.items()}
    for mine, (name, (outputs, inputs, parameters)) in zip(counts, layers.items(), strict=True):
        if mine == expected[name]:
            continue
        if name == "C3" and mine == 100 * 2416:
            hint = "This is a C3 whose maps all read six maps. Exercise 6.2 counted with the table."
        elif mine == parameters:
            hint = "These are parameters. A shared weight makes a connection at every place."
        elif name == "output" and mine == 10 * 85:
            hint = "Here is no bias."
        elif name != "output" and mine == round(outputs * inputs):
            hint = "Each output has a bias as well."
        elif name == "C3":
            hint = "At how many places is each parameter of exercise 6.2 used?"
        else:
            hint = "How many outputs has the layer, and how many numbers go into each?"
        return wrong(f"{name} has {mine:,} in your list", hint=hint)
    total = sum(expected.values())
    return right(f"Together {total:,}, as the paper says: each parameter is used nearly six times an image.")


class _Watched(nn.Linear):
    """A linear layer that notes in which mode it was asked."""

    def forward(self, x):
        self.modes = [*getattr(self, "modes", []), self.training]
        return super().forward(x)


def _network_and_optimizer(kind, **options):
    torch.manual_seed(1)
    model = nn.Sequential(_Watched(5, 4), nn.Tanh(), nn.Linear(4, 3))
    return model, kind(model.parameters(), **options)


def _reference_step(model, x, y, optimizer, *, zero=True):
    """A right step, or one that lets gradients add up. Returns the loss before it."""
    loss = F.cross_entropy(model(x), y)
    if zero:
        optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _vector(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@checker("6.5", changes=True)
def train_step(answer):
    """a function of (model, x, y, optimizer) that returns a number."""
    batches = [(torch.randn(n, 5), torch.randint(0, 3, (n,))) for n in (8, 8, 1)]
    for kind, options in (
        (torch.optim.SGD, {"lr": 0.5}),
        (torch.optim.Adam, {"lr": 0.1}),
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    ):
        trainings = [_network_and_optimizer(kind, **options) for _ in range(3)]
        (model, optimizer), (reference, _), (adding_up, _) = trainings
        for k, (x, y) in enumerate(batches, 1):  # what one step leaves behind shows in the next
            model.train(k == 2)
            old, model[0].modes = _vector(model), []
            loss = _reference_step(reference, x, y, trainings[1][1])
            _reference_step(adding_up, x, y, trainings[2][1], zero=False)
            result = answer(model, x, y, optimizer)
            case = f"with {kind.__name__}, in step {k}"
            if torch.equal(_vector(model), old):
                hint = "backward() fills the gradients, and step() uses them. Does anything empty them in between?"
                return wrong(f"{case} the weights stay as they were", hint=hint)
            if False in model[0].modes:
                came = "training" if k == 2 else "evaluation"
                return wrong(
                    f"{case} the model came in {came} mode, and was asked in evaluation mode",
                    hint="Which call switches dropout and its like on, in all layers?",
                )
            if not close(_vector(model), _vector(reference)):
                summed = k > 1 and close(_vector(model), _vector(adding_up))
                hint = (
                    "Gradients add up until they are set to 0."
                    if summed
                    else "Lay it beside the lesson's loop, line by line: mean loss of the logits, the given optimizer."
                )
                return wrong(f"{case} the weights are not those after one step of the optimizer", hint=hint)
            if len(model[0].modes) > 1:
                hint = "One forward pass gives the loss that is returned and the one that is followed back."
                return wrong(f"{case} the model was asked {len(model[0].modes)} times", hint=hint)
            if isinstance(result, torch.Tensor):
                hint = "Return the plain number that is in it: a tensor may drag its graph along."
                return wrong("you return a tensor", hint=hint)
            mine = number(result, "the loss as one plain number", what=RETURNED)
            if abs(mine - loss) > 1e-5:
                after = F.cross_entropy(model(x), y).item()
                hint = (
                    "This is the loss after the step."
                    if abs(mine - after) <= 1e-5
                    else "The mean loss of this batch is asked, before the step, and not rounded."
                )
                return wrong(f"{case}, on {len(x)} images, you return {mine:.4f}", hint=hint)
    return right("Six lines. The rest of this course is built around them.")


class _FirstPixel(nn.Module):
    """Answers the class that is written in the first pixel; in training mode always class 1."""

    def forward(self, x):
        first = x[:, 0, 0, 0].long()
        return F.one_hot(torch.ones_like(first) if self.training else first, 10).float()


class _Batches:
    """Batches (x, y) of these lengths."""

    def __init__(self, x, y, lengths):
        self.parts = list(zip(x.split(lengths), y.split(lengths), strict=True))

    def __iter__(self):
        return iter(self.parts)

    def __len__(self):
        return len(self.parts)


@checker("6.6")
def accuracy(answer):
    """a function of (model, loader) that returns a number."""
    y, answers = torch.tensor([1, 1, 2, 2, 3, 0, 5]), torch.tensor([1, 1, 2, 2, 4, 0, 6])
    x, settings = answers.float().view(-1, 1, 1, 1), ([4, 1], [4, 1], [1, 4, 2], [2, 2, 2, 1], [7], [1, 1, 1])
    mine, mistakes = [], []
    for k, lengths in enumerate(settings):
        N, trains = sum(lengths), k % 2 == 0
        loader, model = _Batches(x[:N], y[:N], lengths), nn.Sequential(nn.Identity(), _FirstPixel()).train(trains)
        try:
            mine.append(number(answer(model, loader), "one number from 0 to 1", what=RETURNED))
        except AttributeError as error:
            if "_Batches" not in str(error):
                raise
            return wrong(f"your function raised {error}", hint="All it has are batches. Count what comes out.")
        if {each.training for each in model.modules()} != {trains}:
            came, left = ("training", "evaluation") if trains else ("evaluation", "training")
            return wrong(
                f"the model came in {came} mode, and some of it left in {left} mode",
                hint="Note the mode that it came in, and give it back.",
            )
        hits = (answers[:N] == y[:N]).double()
        of_batches = [part.mean().item() for part in hits.split(lengths)]
        share, in_training = hits.mean().item(), (y[:N] == 1).double().mean().item()
        mistakes.append({
            "": share,
            "The model answered in the mode in which it came, in some layers.": in_training if trains else share,
            "The model answered in training mode. Which call switches dropout off, in all layers?": in_training,
            "A short batch must not weigh as much as a long one.": sum(of_batches) / len(of_batches),
            "This is the accuracy on the last batch.": of_batches[-1],
            "This is the accuracy on the first batch.": of_batches[0],
            "This is a number of images. The share of them is asked.": hits.sum().item(),
            "Give a share, from 0 to 1.": 100 * share,
            "Divide by the number of images, not of batches.": hits.sum().item() / len(lengths),
            "This is the share of errors.": 1 - share,
        })  # fmt: skip
    for lengths, one, values in zip(settings, mine, mistakes, strict=True):
        if math.isclose(one, values[""], rel_tol=1e-6):
            continue
        hint = "Count right answers and images over all batches."
        for cause in values:
            pairs = zip(mine, (each[cause] for each in mistakes), strict=True)
            if all(math.isclose(*pair, rel_tol=1e-6, abs_tol=1e-6) for pair in pairs):
                hint = cause
        if all(any(a == round(each[""], n) for n in range(1, 6)) for a, each in zip(mine, mistakes, strict=True)):
            hint = "This is rounded. Give it as it is."
        right_ones = int((answers == y)[: sum(lengths)].sum())
        finding = f"with {right_ones} of {sum(lengths)} right, in batches of {', '.join(map(str, lengths))}"
        return wrong(f"{finding}, you get {one:.5g}", hint=hint)
    return right("With one short batch among many the first bug is small, and so stays unseen; dropout left on is not.")


CONSTANTS = 1_000  # so many numbers may stand in plain attributes


def count_and_accuracy(answer: Any, data: ImageData, *, limit: int) -> tuple[int, float]:
    """How many numbers a network owns, and which share of the validation images it reads, in evaluation mode.

    Refused are `limit` numbers and more, and networks whose answers come from elsewhere: from layers in a plain list,
    from kept images. So all must be silent when its numbers are 0, and mind a touch of noise no more than others do.
    """
    model = network(getattr(answer, "function", answer)).eval()
    owned = [each for _, each in (*model.named_parameters(), *model.named_buffers())]
    if (size := size_of(model)) >= limit:
        finding = f"it has {size:,} numbers in its parameters and buffers, fewer than {limit:,} are asked"
        raise Refused(finding, hint="Where do most of them sit: in a linear layer, in wide layers, in what it keeps?")
    like = next(iter(owned), torch.empty(0))  # for its device, and its type of numbers
    valid = [(x.to(like.dtype), y) for x, y in batches(data.valid, 1_000, device=like.device)]
    images, labels = valid[0]
    with torch.no_grad():
        with _Foreign([*owned, *(x for x, _ in valid)]) as used:
            logits = [scores(model, x) for x, _ in valid]
        if any(some.shape != (len(x), 10) for some, (x, _) in zip(logits, valid, strict=True)):
            finding = f"{len(images)} images give scores of shape {tuple(logits[0].shape)}"
            raise Refused(finding, hint="Ten scores for each image: N×10.")
        noisy = scores(model, images + 0.01 * torch.randn_like(images))
        with _at_zero(owned):
            silent = scores(model, images).nan_to_num()
    if used.size() > CONSTANTS:
        finding = f"it reads {used.size():,} numbers that are neither its parameters nor its buffers"
        hint = "Layers in a plain list are no part of a network, and images are not to be kept. All must count."
        raise Refused(finding, hint=hint)
    if ((silent - silent[:1]).abs() > 1e-4).any():
        hint = "Something outside of them answers. Layers belong into attributes, nn.Sequential or nn.ModuleList."
        raise Refused("with all its parameters and buffers at 0, it still tells images apart", hint=hint)
    hits, noisy_hits = (int((some.argmax(1) == labels).sum()) for some in (logits[0], noisy))
    if noisy_hits < hits - 0.1 * len(images):
        finding = f"of {len(images)} images it reads {hits}, and with a touch of noise {noisy_hits}"
        hint = "A network that has learnt what it sees does not mind. Does yours know these images by heart?"
        raise Refused(finding, hint=hint)
    hit = torch.cat([some.argmax(1) == y for some, (_, y) in zip(logits, valid, strict=True)])
    return size, hit.cpu().double().mean().item()


class _Foreign(TorchFunctionMode):
    """Notes the tensors that functions read, and that are neither known nor made by a function before."""

    def __init__(self, known: list[Tensor]):
        super().__init__()
        self.known, self.foreign = {id(each) for each in known}, dict[int, Tensor]()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = _tensors([args, kwargs or {}])
        self.foreign.update((id(each), each) for each in given if id(each) not in self.known)
        result = function(*args, **(kwargs or {}))
        if getattr(function, "__name__", "") not in ("tensor", "as_tensor"):  # these bring in numbers of Python's
            self.known.update(map(id, _tensors(result)))
        return result

    def size(self) -> int:
        return sum(each.numel() for each in self.foreign.values())


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [each for part in parts for each in _tensors(part)]


@contextmanager
def _at_zero(owned: list[Tensor]) -> Iterator[None]:
    """All of a network's numbers at 0 for a while. (In place, so that a compiled network takes part.)"""
    kept = [each.clone() for each in owned]
    try:
        for each in owned:
            each.zero_()
        yield
    finally:
        for each, value in zip(owned, kept, strict=True):
            each.copy_(value)


@checker("6.7")
def small_network(answer):
    """a trained nn.Module."""
    mnist = load("mnist")
    size, reached = count_and_accuracy(answer, mnist, limit=10_001)
    needed = target(mnist, real=0.985, sample=0.90)
    if reached < 0.2:
        return wrong(f"it reads {reached:.1%} of the validation digits", hint="That is chance: was this model trained?")
    if reached < needed:
        return wrong(
            f"it reads {reached:.2%} of the validation digits, {needed:.1%} are asked",
            hint="Three rounds of 3×3 convolution, pooling and batch normalisation; a learning rate that falls to 0.",
        )
    return right(f"It reads {reached:.2%} with {size:,} numbers.")
