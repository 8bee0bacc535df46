"""Checkers of lesson 10, Invariance and augmentation."""

import torch
import torch.nn.functional as F

from course_utils.augment import Augment
from course_utils.exercises import Unattempted, as_list, checker, right, wrong
from course_utils.pooling import blur_pool2d


def _filled(parts):
    """Whether no part of an answer is a stub any more. Raises: Unattempted, where all of them still are."""
    stubs = [part is ... or part is None for part in parts]
    if stubs and all(stubs):
        raise Unattempted
    return not any(stubs)


@checker("10.1")
def pooled_rows(answer):
    """two lists of four numbers: the pooled row after a move by one pixel, and by two."""
    rows = [as_list(row) for row in answer]
    if not _filled(rows):
        return wrong("one of the two rows is missing", hint="Two lists of four numbers: moved by one, moved by two.")
    if len(rows) != 2 or any(not isinstance(row, list | tuple) or len(row) not in (4, 8) for row in rows):
        return wrong(f"your answer is {answer!r}", hint="Two lists of four numbers: moved by one, moved by two.")
    rows = [list(map(float, row)) for row in rows]
    if any(len(row) == 8 for row in rows):
        return wrong("a row has eight numbers", hint="Those are pixels. Pool them: the larger of each pair.")
    expected = [[0, 0, 6, 2], [0, 0, 6, 4]]
    if rows == expected[::-1]:
        return wrong("the two lists are swapped", hint="First the move by one pixel.")
    slid = [[0, 0, 6, 4], [0, 0, 0, 6]]  # the pooled row, moved by as many places
    for moved, mine, true, pooled_first in zip(("one", "two"), rows, expected, slid, strict=True):
        case = f"moved by {moved} you have [{', '.join(f'{value:g}' for value in mine)}]"
        if mine == [0, 6, 4, 2]:
            return wrong(case, hint="That is the pooled row before any move. Move the pixels first, then pool.")
        if mine == pooled_first:
            return wrong(case, hint="You move the pooled row. Write the moved row of eight pixels down, then pool it.")
        if mine in ([0, 6, 2, 0], [6, 4, 2, 0]):
            return wrong(case, hint="To the right: zeros come in on the left.")
        if mine == [2, 0, 6, 4]:
            return wrong(case, hint="What leaves on the right is lost; it does not come in again on the left.")
        if mine in ([0, 0, 5, 1], [0, 0, 3, 2]):
            return wrong(case, hint="Max pooling takes the larger of a pair, not its mean.")
        if mine != true:
            return wrong(case, hint="Write the moved row down, eight pixels, and take the larger of each pair.")
    return right("Two pixels move the pooled row by one place. One pixel makes 4 and 6 share a window: the 4 is gone.")


PUBLISHED = {"rotation": 20, "brightness": 0.2, "hue": 0.1, "flip": 0.5}
MENU = {"mirror", "upside down", "turn by 10°"}


@checker("10.2")
def allowed(answer):
    """a dict from "digits", "cars" and "cells" to a set of changes each."""
    if not isinstance(answer, dict) or set(answer) != {"digits", "cars", "cells"}:
        return wrong(f"your answer is {answer!r}", hint='A dict with the keys "digits", "cars" and "cells".')
    if not _filled(answer.values()):
        return wrong("not all three are filled in", hint='Replace each ..., for example by {"mirror"}.')
    sets = {kind: {choice} if isinstance(choice, str) else set(choice) for kind, choice in answer.items()}
    if strange := set().union(*sets.values()) - MENU:
        return wrong(f"there is no change {sorted(map(str, strange))[0]!r}", hint="Copy the three names as they stand.")
    reasons = [
        ("digits", "mirror", False, "Mirror a 7 on paper. Which digit is it?"),
        ("digits", "upside down", False, "Turn a 4 upside down. Which digit is it?"),
        ("cars", "upside down", False, "Still a car, but will the network ever meet one like this?"),
        ("cars", "mirror", True, "Cars drive in both directions."),
        ("cells", "mirror", True, "Would you notice if the slide lay the other way round?"),
        ("cells", "upside down", True, "Which side of the slide is up?"),
        *((kind, "turn by 10°", True, "Nobody writes or holds a camera exactly upright.") for kind in sets),
    ]
    for kind, change, keep, hint in reasons:
        if (change in sets[kind]) != keep:
            return wrong(f"for {kind} you {'leave out' if keep else 'take'} {change!r}", hint=hint)
    return right("The list comes from what you know of the pictures. Whether it helps is another question: measure it.")


@checker("10.3")
def as_published(answer):
    """a dict of keywords for `Augment`. A number a stands for ±a around what changes nothing."""
    if not isinstance(answer, dict):
        return wrong("your answer is no dict", hint='A dict of keywords, such as {"shift": 4}.')
    if not _filled(answer.values()):
        return wrong("not all values are filled in", hint="Replace each ... by a number, or by a pair (low, high).")
    names = Augment.__init__.__kwdefaults__
    if strange := [name for name in answer if name not in names]:
        return wrong(f"`Augment` has no keyword {strange[0]!r}", hint=f"It has {', '.join(names)}.")
    hints = {
        "rotation": "RandomRotation(20) draws from −20 to 20 degrees, and so does a rotation of 20.",
        "brightness": "A brightness of 0.2 stands for factors from .8 to 1.2, in both.",
        "hue": "A hue of 0.1 stands for a tenth of a full turn, either way, in both.",
        "flip": "flip is the chance of being mirrored.",
    }
    true, mine = (vars(Augment(**asked)) for asked in (PUBLISHED, answer))
    for name, value in mine.items():
        if value != true[name]:
            return wrong(f"your {name} is {value!r}", hint=hints.get(name, "The study did not ask for that."))
    return right("Equal ranges, nearly the same pictures: our hue turns about the grey axis, v2's goes through HSV.")


@checker("10.4")
def mirror_each(answer):
    """a function of (x, p) that returns a batch. One truth value for each image has the shape N×1×1×1."""
    x = torch.rand(64, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    none, every, half = (answer(x, p) for p in (0.0, 1.0, 0.5))
    if not torch.equal(x, before):
        return wrong("x itself has changed", hint="Make a new batch: torch.where, or x.clone() first.")
    for mine in (none, every, half):
        if not isinstance(mine, torch.Tensor) or mine.shape != x.shape:
            return wrong("you do not return a batch of the shape of x", hint="N×C×H×W, all images, mirrored or not.")
    if torch.equal(none, x.flip(3)) and torch.equal(every, x):
        return wrong("p = 0 mirrors all", hint="torch.rand(…) < p is true with chance p.")
    if torch.equal(every, x.flip(2)):
        return wrong("the images are upside down", hint="Left and right are the last axis.")
    if torch.equal(every, x.flip(2, 3)) or torch.equal(every, x.flip(1, 2, 3)):
        return wrong("more than left and right has changed places", hint="x.flip(3), the last axis alone.")
    if torch.equal(every, x.flip(0)):
        return wrong("the images of the batch have changed places", hint="Left and right are the last axis.")
    if not torch.equal(none, x):
        return wrong("p = 0 changes images", hint="torch.rand(…) < p is never true for p = 0.")
    if not torch.equal(every, x.flip(3)):
        return wrong("p = 1 does not mirror them all", hint="torch.rand(…) < p is always true for p = 1.")
    flipped = (half == x.flip(3)).flatten(1).all(1)
    if not (flipped | (half == x).flatten(1).all(1)).all():
        return wrong(
            "an image is neither itself nor mirrored",
            hint="One draw for an image, all its channels and rows: shape it as N×1×1×1.",
        )
    if flipped.all() or not flipped.any():
        return wrong("all 64 images get the same answer", hint="One draw is not enough: torch.rand(len(x)).")
    if not 12 <= flipped.sum() <= 52:
        return wrong(f"with p = ½ you mirror {flipped.sum()} of 64", hint="torch.rand(len(x)) < p, for each image.")
    calls = [(answer(x, 0.5) == x.flip(3)).flatten(1).all(1) for _ in range(10)]
    if torch.equal(flipped, calls[0]):
        return wrong("a second call mirrors the same images", hint="Draw anew in each call, and leave the seed alone.")
    if len({int(mirrored.sum()) for mirrored in calls}) == 1:
        return wrong(
            f"each of ten calls mirrors exactly {calls[0].sum()} of 64 images",
            hint="A draw for each image knows nothing of the others, so the count varies.",
        )
    return right("One draw for each image: so does `Augment`. v2 would draw once for the whole batch.")


@checker("10.5")
def mean_answer(answer):
    """a function of (model, x, changes) that returns N×classes probabilities."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    x = 5 * torch.rand(5, 1, 3, 4)
    changes = [lambda x: x, lambda x: x.flip(3), lambda x: 4 * x]
    logits = torch.stack([model(change(x)) for change in changes]).detach()
    chained = torch.stack([model(x), model(x.flip(3)), model(4 * x.flip(3))]).detach()
    mine = torch.as_tensor(answer(model, x, changes)).detach()
    if mine.shape != (5, 3):
        return wrong(f"five images, three classes give shape {tuple(mine.shape)}", hint="Mean over the changes only.")

    def equals(expected):
        return torch.allclose(mine, expected, atol=1e-5)

    if equals(chained.softmax(2).mean(0)):
        return wrong("each change acts on what the last one left", hint="All of them act on x itself.")

    if equals(logits.mean(0)) or equals(logits.mean(0).softmax(1)):
        return wrong("you average logits", hint="First softmax(1) of each answer, then the mean.")
    if equals(logits.softmax(2).sum(0)):
        return wrong(f"a row adds up to {mine.sum(1)[0]:.3g}", hint="The mean, not the sum.")
    if equals(model(torch.stack([change(x) for change in changes]).mean(0)).softmax(1).detach()):
        return wrong("you average the images", hint="Ask for each change, and average the answers.")
    if any(equals(one) for one in logits.softmax(2)):
        return wrong("you return the answer to one change only", hint="All of them, and their mean.")
    if equals((logits.softmax(2).sum(0) + logits[0].softmax(1)) / 4):
        return wrong("x itself counts once more", hint="Only the given changes; one of them may leave x as it is.")
    if equals(logits.softmax(1).mean(0)):
        return wrong("each column adds up to 1", hint="softmax(1) of each N×classes answer, before they are stacked.")
    if not equals(logits.softmax(2).mean(0)):
        return wrong(
            "the probabilities differ from the mean",
            hint="For each change, the probabilities of the model's answer; then their mean.",
        )
    return right("A mean of logits weighs loud answers more. With either, the copies must keep the label.")


@checker("10.6")
def blurred_pool(answer):
    """a function of x, N×C×H×W, that returns N×C×⌊H/2⌋×⌊W/2⌋."""
    x = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(0))
    mine, expected = answer(x), blur_pool2d(x)
    if not isinstance(mine, torch.Tensor) or mine.shape[:2] != (2, 3):
        return wrong(
            f"two images of three channels give {getattr(mine, 'shape', mine)}",
            hint="Each channel alone: groups=C, and a kernel C×1×3×3.",
        )
    if mine.shape != expected.shape:
        return wrong(
            f"8×10 pixels give {mine.shape[2]}×{mine.shape[3]}, and should give 4×5",
            hint="Maximum with stride 1, pad by one on each side, convolution with stride 2.",
        )

    def blur(pixels, kernel, mode="reflect", stride=2):
        kernel = torch.tensor(kernel).expand(3, 1, 3, 3)
        return F.conv2d(F.pad(pixels, (1, 1, 1, 1), mode=mode), kernel, stride=stride, groups=3)

    def equals(other):
        return other.shape == mine.shape and torch.allclose(mine, other, atol=1e-5)

    binomial, largest = [[1 / 16, 1 / 8, 1 / 16], [1 / 8, 1 / 4, 1 / 8], [1 / 16, 1 / 8, 1 / 16]], F.max_pool2d(x, 2, 1)
    if equals(F.max_pool2d(x, 2)):
        return wrong("this is max pooling as it was", hint="Maximum at stride 1, then the blur with stride 2.")
    if equals(blur(x, binomial)):
        return wrong("you blur the picture without a maximum", hint="First F.max_pool2d(x, 2, stride=1).")
    if equals(blur(F.avg_pool2d(x, 2, 1), binomial)):
        return wrong("you blur the mean of each window", hint="First the largest: F.max_pool2d(x, 2, stride=1).")
    factor = (mine.sum() / expected.sum()).item()
    if equals(factor * expected) and abs(factor - 1) > 0.01:
        return wrong(f"bright by a factor of {factor:.3g}", hint="The nine weights must add up to 1.")
    if torch.allclose(mine, mine[:, :1], atol=1e-5):
        return wrong("all channels give the same map", hint="Each channel alone: groups=C, and a kernel C×1×3×3.")
    if equals(blur(F.max_pool2d(x, 2), binomial, stride=1)):
        return wrong(
            "you leave numbers out, and then blur",
            hint="The maximum at every place (stride 1); the convolution takes the step of 2.",
        )
    if equals(blur(largest, binomial, "constant")):
        return wrong("the edges are too dark", hint='Zeros come in. Pad by mirroring: F.pad(…, mode="reflect").')
    if equals(blur(largest, binomial, "replicate")):
        return wrong("the edges differ", hint='mode="reflect" mirrors at the outermost pixel and does not repeat it.')
    if equals(blur(largest, [[1 / 9] * 3] * 3)):
        return wrong("all nine weights are equal", hint="(1, 2, 1) times (1, 2, 1): the middle weighs 4.")
    if any(
        equals(blur(largest, one_way))
        for one_way in ([[1 / 12, 1 / 6, 1 / 12]] * 3, [[1 / 12] * 3, [1 / 6] * 3, [1 / 12] * 3])
    ):
        return wrong("you blur in one direction only", hint="(1, 2, 1) times (1, 2, 1): the middle weighs 4.")
    if not equals(expected):
        return wrong(
            f"a number is off by {(mine - expected).abs().max():.3g}",
            hint="Is the maximum at stride 1? Weighs the kernel's middle 4 in 16, and a corner 1?",
        )
    return right("One pixel now changes less than half as much. It is softer, still not invariant.")


def _largest(picture, kernel):
    return F.conv2d(picture[None, None], kernel[None, None]).max().item()


@checker("10.7")
def largest_answer(answer):
    """a pair of tensors, (picture, kernel), 8×8 and 3×3."""
    parts = list(answer)
    if not _filled(parts) or len(parts) != 2:
        return wrong("your answer is no pair", hint="A picture and a kernel: (picture, kernel).")
    picture, kernel = (torch.as_tensor(part, dtype=torch.float32) for part in parts)
    if picture.shape != (8, 8) or kernel.shape != (3, 3):
        return wrong(f"your shapes are {tuple(picture.shape)} and {tuple(kernel.shape)}", hint="8×8 and 3×3.")
    border = picture.clone()
    border[2:6, 2:6] = 0
    if border.any():
        return wrong(
            "the picture has something in its two outermost rows or columns",
            hint="Leave them 0, so that a shift by one loses nothing: picture[2:6, 2:6] is yours.",
        )
    before, after = _largest(picture, kernel), _largest(picture.repeat_interleave(2, 0).repeat_interleave(2, 1), kernel)
    if not before > 0:
        return wrong(f"the largest answer is {before:g}", hint="Above 0: does the kernel fit something in the picture?")
    if after == before:
        return wrong(
            f"doubled, the largest answer still is {after:g}",
            hint="Through this kernel both look alike. Take a small thing and a kernel that sees around it.",
        )
    if after < 2 * before:
        return wrong(
            f"the largest answer goes from {before:g} to {after:g}",
            hint="A kernel that adds up what it sees gains most from a single small bright thing.",
        )
    return right("A kernel has a size, and so it answers to a size. Forgetting where does not forget how large.")
