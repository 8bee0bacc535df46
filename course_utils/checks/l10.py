"""Checkers of lesson 10, Invariance and augmentation."""

from unittest.mock import patch

import torch
import torch.nn.functional as F

from course_utils import augment
from course_utils.exercises import checker, right, wrong

from ._answers import Refused, Unfinished, close, items, near, number, numbers, table, tensor, texts


def _whole_dict(answer, form):
    """The answer, a dict without stubs; form is an example of it."""
    if not isinstance(answer, dict) or not answer:
        raise Refused("your answer is no dict with something in it", hint=f"Give a dict, such as {form}.")
    stubs = [part is ... or part is None for part in answer.values()]
    if all(stubs):
        raise Unfinished
    if any(stubs):
        raise Refused(f"{sum(stubs)} of {len(stubs)} values are still dots", hint="Replace each ... by an answer.")
    return answer


@checker("10.1")
def pooled_rows(answer):
    """two lists of four numbers: the pooled row after a move by one pixel, and by two."""
    row = torch.tensor([0.0, 0, 0, 6, 4, 0, 2, 0])

    def pooled(pixels):
        return pixels.view(4, 2).amax(1)

    def moved(pixels, steps):
        return F.pad(pixels, (steps, -steps))  # zeros come in, what leaves is lost

    mine = table(answer, "two lists of four numbers: moved by one, moved by two").float()
    if mine.shape == (2, 8):
        return wrong("each row has eight numbers", hint="Those are pixels. Pool them: the larger of each pair.")
    if mine.shape != (2, 4):
        finding = f"your answer has shape {tuple(mine.shape)}"
        return wrong(finding, hint="Give two lists of four numbers: moved by one, moved by two.")
    expected = torch.stack([pooled(moved(row, steps)) for steps in (1, 2)])
    if torch.equal(mine, expected.flip(0)):
        return wrong("the two lists are swapped", hint="First the move by one pixel.")
    for steps, name in ((1, "one"), (2, "two")):
        numbers_given = mine[steps - 1]
        case = f"moved by {name} you have [{', '.join(f'{value:g}' for value in numbers_given.tolist())}]"
        if torch.equal(numbers_given, expected[steps - 1]):
            continue
        for mistake, hint in (
            (pooled(row), "That is the pooled row before any move. Move the pixels first, then pool."),
            (moved(pooled(row), steps), "You move the pooled row. Move the eight pixels, write them down, then pool."),
            (pooled(moved(row, -steps)), "To the right: zeros come in on the left."),
            (pooled(row.roll(steps)), "What leaves on the right is lost; it does not come in again on the left."),
            (moved(row, steps).view(4, 2).mean(1), "Max pooling takes the larger of a pair, not its mean."),
        ):
            if torch.equal(numbers_given, mistake):
                return wrong(case, hint=hint)
        return wrong(case, hint="Write the moved row down, eight pixels, and take the larger of each pair.")
    return right("Two pixels move the pooled row by one place. One pixel makes 4 and 6 share a window: the 4 is gone.")


ALLOWED = {
    "digits": {"turn by 10°"},
    "cars": {"mirror", "turn by 10°"},
    "cells": {"mirror", "upside down", "turn by 10°"},
}
TOO_MUCH = {  # what to try with a change that is not allowed
    ("digits", "mirror"): "Mirror a 7 on paper. Which digit is it?",
    ("digits", "upside down"): "Turn a 4 upside down. Which digit is it?",
    ("cars", "upside down"): "Still a car, but will the network ever meet one like this?",
}
MISSING = {  # what to ask about each of the three changes
    "digits": "After each of the three, can you still read a 4 and a 7? And does anybody write them so?",
    "cars": "Which of the three might a photograph from the street show?",
    "cells": "Would you notice if the slide lay the other way round?",
}


@checker("10.2")
def allowed(answer):
    """a dict from "digits", "cars" and "cells" to a set of changes each."""
    answer = _whole_dict(answer, '{"digits": {"mirror"}, …}')
    if set(answer) != set(ALLOWED):
        return wrong("your dict has other keys", hint='Its keys are "digits", "cars" and "cells".')
    for kind, good in ALLOWED.items():
        given = [answer[kind]] if isinstance(answer[kind], str) else answer[kind]
        names = texts(given, 'a set of names for each, such as {"mirror"}', what=f"your answer for {kind}")
        mine = {name.strip().lower() for name in names}
        if strange := sorted(mine - ALLOWED["cells"]):
            return wrong(f"there is no change {strange[0]!r}", hint="Copy the three names as they stand.")
        for change in sorted(mine - good):
            return wrong(f"for {kind} you take {change!r}", hint=TOO_MUCH[kind, change])
        if mine != good:
            return wrong(f"for {kind} you leave out a change that keeps the label and occurs", hint=MISSING[kind])
    return right("The list comes from what you know of the pictures. Whether it helps is another question: measure it.")


PUBLISHED = {"rotation": 20, "brightness": 0.2, "hue": 0.1, "flip": 0.5}
SAME_RANGE = {
    "rotation": "RandomRotation(5) draws from −5 to 5 degrees. Print Augment(rotation=5) beside it.",
    "brightness": "ColorJitter(brightness=0.4) draws factors from .6 to 1.4. Print Augment(brightness=0.4) beside it.",
    "hue": "ColorJitter(hue=0.3) turns by up to .3 of a full turn, either way. Print Augment(hue=0.3) beside it.",
    "flip": "RandomHorizontalFlip(0.9) mirrors nine images in ten. What does `flip` say?",
}


def _value(name, value):
    """A keyword's value in plain numbers: text as it is, one number, or a pair."""
    form = "one number, or a pair (low, high)"
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0):
        ends = numbers(value, None, form, what=f"your {name}")
        return tuple(ends) if len(ends) != 1 else ends[0]
    value = number(value, form, what=f"your {name}")
    return int(value) if value == round(value) else value  # shift and cutout want whole numbers


@checker("10.3")
def as_published(answer):
    """a dict of keywords for `Augment`."""
    answer = _whole_dict(answer, '{"shift": 4}')
    names = augment.Augment.__init__.__kwdefaults__
    if strange := [name for name in answer if not isinstance(name, str) or name not in names]:
        return wrong(f"`Augment` has no keyword {strange[0]!r}", hint=f"It has {', '.join(names)}.")
    try:
        mine = vars(augment.Augment(**{name: _value(name, value) for name, value in answer.items()}))
    except (TypeError, ValueError) as problem:
        return wrong(f"`Augment` refuses this: {problem}", hint="Try it: Augment(**as_published).")
    for name, wanted in vars(augment.Augment(**PUBLISHED)).items():
        given = mine[name]
        same = given == wanted if isinstance(wanted, str) else _same_range(given, wanted)
        if not same:
            finding = f"your {name} is {given!r}" if name in answer else f"your dict does not speak of {name}"
            return wrong(finding, hint=SAME_RANGE.get(name, "Which of the study's three transforms does this?"))
    return right("Equal ranges, nearly the same pictures: our hue turns about the grey axis, v2's goes through HSV.")


def _same_range(mine, wanted):
    """Whether two numbers or two pairs are equal, also where one was float32."""
    mine, wanted = (value if isinstance(value, tuple) else (value,) for value in (mine, wanted))
    return all(near(a, b, places=6) for a, b in zip(mine, wanted, strict=True))


def _forbidden(*given, **named):
    raise Refused("your function calls `course_utils.augment`", hint="Do its work yourself: draw, and mirror.")


@checker("10.4")
def mirror_each(answer):
    """a function of (x, p) that returns a batch. One truth value for each image has the shape N×1×1×1."""
    with patch.object(augment, "tensor", _forbidden):  # each function of augment calls it first
        for shape in ((400, 2, 4, 5), (1, 3, 5, 2), (30, 1, 3, 4)):
            if (mistake := _mirrors_none_and_all(answer, torch.rand(shape))) is not None:
                return mistake
        if (mistake := _mirrors_by_chance(answer, torch.rand(400, 2, 4, 5))) is not None:
            return mistake
    return right("One draw for each image: so does `Augment`. v2 would draw once for the whole batch.")


def _mirrors_none_and_all(answer, x):
    """A verdict, if p = 0 and p = 1 do anything but mirror none and all."""
    form = "×".join(map(str, x.shape))
    none, every = (tensor(answer(x, p), form) for p in (0.0, 1.0))
    x = x.double()
    for p, mine in ((0, none), (1, every)):
        if mine.shape != x.shape:
            finding = f"for p = {p}, a batch of {form} comes back as {'×'.join(map(str, mine.shape))}"
            return wrong(finding, hint="Return all images, mirrored or not.")
    if torch.equal(none, x) and torch.equal(every, x.flip(3)):
        return None
    if torch.equal(none, x.flip(3)) and torch.equal(every, x):
        return wrong("p = 0 mirrors all", hint="p is the chance of being mirrored, not of staying.")
    if torch.equal(every, x.flip(2)):
        return wrong("the images are upside down", hint="Left and right are the last axis.")
    if torch.equal(every, x.flip(2, 3)) or torch.equal(every, x.flip(1, 2, 3)):
        return wrong("more than left and right has changed places", hint="Left and right are the last axis alone.")
    if len(x) > 1 and torch.equal(every, x.flip(0)):
        return wrong("the images of the batch have changed places", hint="Left and right are the last axis.")
    if not torch.equal(none, x):
        return wrong(f"p = 0 changes a batch of {form}", hint="What is drawn from 0 to 1 is never below 0.")
    hint = "What torch.rand draws is always below 1."
    if not (every == x.flip(3)).flatten(1).all(1).any():
        hint = "It mirrors none. Left and right are the last axis, and p says how often."
    return wrong(f"p = 1 does not mirror all of a batch of {form}", hint=hint)


def _mirrors_by_chance(answer, x):
    """A verdict, if images are mirrored otherwise than each by a draw of its own."""
    calls = []
    for p in (0.25, 0.9, *[0.5] * 9):
        mine = tensor(answer(x, p), "×".join(map(str, x.shape)))
        if mine.shape != x.shape:
            return wrong(f"for p = {p} some images are missing", hint="Return all images, mirrored or not.")
        mirrored = (mine == x.flip(3)).flatten(1).all(1)
        alone = mirrored | (mine == x).flatten(1).all(1)
        if not alone.all():
            strange = mine[~alone][0]
            if ((x == strange).flatten(1).all(1) | (x.flip(3) == strange).flatten(1).all(1)).any():
                return wrong(
                    "images have changed places in the batch", hint="Each stays where it was, mirrored or not."
                )
            hint = "One draw for an image, all its channels and rows: shape it as N×1×1×1."
            return wrong("an image is neither itself nor mirrored", hint=hint)
        count = int(mirrored.sum())
        if count in (0, len(x)):
            finding = f"for p = {p} all {len(x)} images get the same answer"
            return wrong(finding, hint="Is there a draw, and one for each image?")
        if abs(count / len(x) - p) > 0.15:  # six standard deviations
            hint = f"About {p * len(x):.0f} should be. How does your draw depend on p?"
            return wrong(f"for p = {p} you mirror {count} of {len(x)}", hint=hint)
        calls.append(mirrored)
    calls = torch.stack(calls[2:])  # those with p = 0.5
    if (calls[1:] == calls[:-1]).all(1).any():
        hint = "Draw anew in each call, and leave the seed alone."
        return wrong("a second call mirrors the same images", hint=hint)
    alike = (calls[:, 1:] == calls[:, :-1]).double().mean().item()
    if abs(alike - 0.5) > 0.1:
        finding = f"for p = 0.5, {alike:.0%} of the neighbours in a batch get the same answer"
        return wrong(finding, hint="A draw for each image knows nothing of its neighbour's: half would agree.")
    counts = calls.sum(1).tolist()
    if len(set(counts)) == 1:
        finding = f"each of {len(counts)} calls mirrors exactly {counts[0]} of {len(x)} images"
        return wrong(finding, hint="A draw for each image knows nothing of the others, so the count varies.")
    return None


@checker("10.5")
def mean_answer(answer):
    """a function of (model, x, changes) that returns N×classes probabilities."""
    changes = [lambda x: x, lambda x: x.flip(3), lambda x: 4 * x, lambda x: x - 1]
    for N, classes, some in ((5, 3, changes[:3]), (1, 4, changes[1:]), (3, 2, changes[2:3]), (4, 4, changes)):
        model = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(24, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, classes)
        ).eval()
        x = 5 * torch.randn(N, 2, 3, 4)
        mine = tensor(answer(model, x, list(some)), f"{N}×{classes}")
        case = f"{N} image{'s' * (N > 1)}, {classes} classes and {len(some)} change{'s' * (len(some) > 1)}"
        if model.training or any(layer.training for layer in model):
            return wrong("the model has been put into training mode", hint="It is in the right mode when it comes.")
        logits = torch.stack([model(change(x)) for change in some]).detach()
        expected = logits.softmax(2).mean(0)
        if mine.shape != expected.shape:
            finding = f"{case} give shape {tuple(mine.shape)}"
            return wrong(finding, hint="Mean over the changes only: N×classes is left.")
        if close(mine, expected):
            continue
        finding, hint = _why_no_mean(mine, model, x, some, logits)
        return wrong(f"for {case}, {finding}", hint=hint)
    return right("A mean of logits weighs loud answers more. With either, the copies must keep the label.")


def _why_no_mean(mine, model, x, changes, logits):
    """What was found, and a hint."""
    each = logits.softmax(2)
    chained, changed = [], x
    for change in changes:
        changed = change(changed)
        chained.append(model(changed).detach().softmax(1))
    images = torch.stack([change(x) for change in changes]).mean(0)
    for mistake, finding, hint in (
        (torch.stack(chained).mean(0), "each change acts on what the last one left", "All of them act on x itself."),
        (logits.mean(0), "you average logits", "Probabilities first, then their mean."),
        (logits.mean(0).softmax(1), "you average logits", "Probabilities first, then their mean."),
        (each.sum(0), f"a row adds up to {mine.sum(1)[0]:.3g}", "The mean, not the sum."),
        (model(images).detach().softmax(1), "you average the images", "Ask about each, and average the answers."),
        (each.log().mean(0), "you average logarithms", "Probabilities themselves are asked for."),
        (
            (each.sum(0) + model(x).detach().softmax(1)) / (len(changes) + 1),
            "x itself counts once more",
            "Only the given changes count; one of them may leave x as it is.",
        ),
        (
            logits.softmax(1).mean(0),
            "each column of an answer adds up to 1",
            "The probabilities of one image add up to 1. Which axis holds the classes once answers are stacked?",
        ),
        (logits.softmax(0).mean(0), "softmax runs over the changes", "The probabilities of one image add up to 1."),
        *((one, "you return the answer to one change only", "All of them, and their mean.") for one in each),
    ):
        if close(mine, mistake):
            return finding, hint
    sums = mine.sum(1)
    if not close(sums, torch.ones_like(sums), tolerance=0.01):
        return f"a row adds up to {sums[0]:.3g}", "A mean of probabilities adds up to 1, image by image."
    return "the probabilities differ from the mean", "Give it one change only: then it must be the model's own answer."


BINOMIAL = [[1 / 16, 1 / 8, 1 / 16], [1 / 8, 1 / 4, 1 / 8], [1 / 16, 1 / 8, 1 / 16]]


def _blurred(pixels, kernel, mode="reflect", stride=2):
    """Each channel padded by one and convolved with the kernel."""
    kernel, channels = torch.tensor(kernel), pixels.shape[1]
    padded = F.pad(pixels, (1, 1, 1, 1), mode=mode)
    return F.conv2d(padded, kernel.expand(channels, 1, 3, 3), stride=stride, groups=channels)


def blur_pool2d(x):
    """Anti-aliased max pooling of N×C×H×W: the largest of each 2×2 window, blurred by (1, 2, 1)/4, every second.

    Source: R. Zhang, Making convolutional networks shift-invariant again, ICML 2019.
    """
    largest = F.pad(F.max_pool2d(x, 2, stride=1), (1, 1, 1, 1), mode="reflect")
    line = x.new_tensor([1, 2, 1]) / 4
    return F.conv2d(largest, (line[:, None] * line).expand(x.shape[1], 1, 3, 3), stride=2, groups=x.shape[1])


@checker("10.6")
def blurred_pool(answer):
    """a function of x, N×C×H×W, that returns N×C×⌊H/2⌋×⌊W/2⌋."""
    for shape in ((2, 3, 8, 10), (1, 1, 7, 6), (3, 4, 3, 5)):
        x = torch.randn(shape) - 1  # so that answers of both signs come out
        expected = blur_pool2d(x)
        given, wanted = ("×".join(map(str, some.shape)) for some in (x, expected))
        mine = tensor(answer(x), wanted)
        if mine.shape[:2] != expected.shape[:2]:
            finding = f"{given} numbers come back as {'×'.join(map(str, mine.shape))}"
            return wrong(finding, hint="Each image and each channel alone: see `groups` (lesson 3).")
        if mine.shape != expected.shape:
            finding = f"{given} numbers come back as {'×'.join(map(str, mine.shape))}, and should as {wanted}"
            return wrong(finding, hint="Which of the three steps has stride 1, which 2, and what does the padding add?")
        if close(mine, expected):
            continue
        finding, hint = _why_not_blurred(mine, x, expected)
        return wrong(f"for {given} numbers, {finding}", hint=hint)
    return right("One pixel now changes it less. It is softer, still not invariant.")


def _why_not_blurred(mine, x, expected):
    """What was found, and a hint."""
    factor = ((mine * expected).sum() / (expected**2).sum()).item()
    if factor > 0 and close(mine, factor * expected):
        return f"all is {factor:.3g} times as large as it should be", "The nine weights must add up to 1."
    channels = x.shape[1]
    if channels > 1 and close(mine, mine[:, :1].expand_as(mine)):
        return "all channels give the same map", "Each channel alone: see `groups` (lesson 3)."
    largest, pooled, even = F.max_pool2d(x, 2, 1), F.max_pool2d(x, 2), "(1, 2, 1) times (1, 2, 1): try it on paper."
    column, row = [[1 / 12, 1 / 6, 1 / 12]] * 3, [[1 / 12] * 3, [1 / 6] * 3, [1 / 12] * 3]
    mistakes = [
        (pooled, "this is max pooling as it was", "The step of 2 comes last, after the blur."),
        (_blurred(x, BINOMIAL), "you blur the picture without a maximum", "First comes a maximum at every place."),
        (_blurred(F.avg_pool2d(x, 2, 1), BINOMIAL), "you blur means", "First comes the largest of each window."),
        (_blurred(largest, BINOMIAL, "constant"), "zeros come in at the edges", "Pad by mirroring."),
        (
            _blurred(largest, BINOMIAL, "replicate"),
            "the edges repeat",
            "Mirroring does not repeat the outermost pixel.",
        ),
        (_blurred(largest, [[1 / 9] * 3] * 3), "all nine weights are equal", even),
        (_blurred(largest, column), "you blur in one direction only", even),
        (_blurred(largest, row), "you blur in one direction only", even),
    ]
    if min(pooled.shape[2:]) > 1:
        twice = _blurred(pooled, BINOMIAL, stride=1)
        mistakes.append((twice, "you leave numbers out, and then blur", "Blur the maximum of every place, then step."))
    for mistake, finding, hint in mistakes:
        if close(mine, mistake):
            return finding, hint
    difference = (mine - expected).abs().max()
    return (
        f"a number is off by {difference:.3g}",
        "Send a single 1 through, and print what comes out: 2×2 copies, blurred.",
    )


def _largest(picture, kernel):
    return F.conv2d(picture[None, None], kernel[None, None]).max().item()


@checker("10.7")
def largest_answer(answer):
    """a pair of tensors, (picture, kernel), 8×8 and 3×3."""
    form = "a picture of 8×8 numbers and a kernel of 3×3: (picture, kernel)"
    parts = items(answer, form)
    if len(parts) != 2:
        return wrong(f"your answer has {len(parts)} parts", hint=f"Give {form}.")
    picture, kernel = (
        table(part, form, what=f"your {name}").squeeze()
        for part, name in zip(parts, ("picture", "kernel"), strict=True)
    )
    if picture.shape != (8, 8) or kernel.shape != (3, 3):
        return wrong(f"your shapes are {tuple(picture.shape)} and {tuple(kernel.shape)}", hint=f"Give {form}.")
    border = picture.clone()
    border[2:6, 2:6] = 0
    if border.any():
        return wrong(
            "the picture has something in its two outermost rows or columns",
            hint="Leave them 0, so that a shift by one loses nothing: picture[2:6, 2:6] is yours.",
        )
    before, after = _largest(picture, kernel), _largest(picture.repeat_interleave(2, 0).repeat_interleave(2, 1), kernel)
    if before <= 0:
        hint = "It must be above 0: does the kernel fit something in the picture?"
        return wrong(f"the largest answer is {before:.3g}", hint=hint)
    if not 1e-9 < before < 1e9:
        return wrong(f"the largest answer is {before:.3g}", hint="Take numbers of a usual size.")
    if near(after / before, 1, places=6):
        return wrong(
            f"doubled, the largest answer still is {after:g}",
            hint="Through this kernel both look alike. What would a kernel that sees more of the picture say?",
        )
    if after < before * (2 - 1e-9):  # sums are rounded
        return wrong(
            f"the largest answer goes from {before:g} to {after:g}",
            hint="Doubling makes one pixel four. For which pictures does a kernel see all four, and only one before?",
        )
    return right("A kernel has a size, and so it answers to a size. Forgetting where does not forget how large.")
