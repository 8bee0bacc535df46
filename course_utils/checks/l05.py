"""Checkers of lesson 5, Data you can trust."""

import math
import tracemalloc

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torchvision.utils import make_grid

from course_utils._arguments import shown
from course_utils.exercises import checker, right, wrong

from ._answers import RETURNED, Refused, close, items, number, table, tensor, truth, wholes


def _bytes(*shape, seed=0):
    """Random bytes N×C×H×W, which don't depend on what the student draws."""
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed)).byte()


def _channelwise(values):
    return values.view(-1, 1, 1)


@checker("5.1")
def sheets(answer):
    """two shapes C×H×W, for 64 and for 4 digits."""
    expected = [tuple(make_grid(torch.zeros(n, 1, 28, 28)).shape) for n in (64, 4)]
    both = items(answer, "two shapes of three numbers, ((C, H, W), (C, H, W))")
    if len(both) != 2:
        return wrong(f"your answer has {len(both)} parts", hint="Give two shapes of three numbers.")
    mine = [tuple(wholes(shape, 3, "(C, H, W)", what="a shape of yours")) for shape in both]
    if mine == expected[::-1]:
        return wrong("the two stand the other way round", hint="First the sheet of 64 digits.")
    for n, rows, columns, shape, sheet in ((64, 8, 8, mine[0], expected[0]), (4, 1, 4, mine[1], expected[1])):
        if shape == sheet:
            continue
        C, H, W = shape
        hints = {
            (sheet[0], sheet[2], sheet[1]): "The height comes before the width.",
            (*sheet[1:], sheet[0]): "PyTorch puts the channels first.",
            (3, 62, 62): "How many pictures stand in one row?",
            (3, 32, 242): "Where no picture stands, the sheet ends.",
        }
        sides = {
            (28 * rows, 28 * columns): "Between two pictures lie black pixels, and around the sheet as well.",
            (30 * rows - 2, 30 * columns - 2): "Black lies around the sheet as well.",
            (30 * rows, 30 * columns): "Is your sheet black on all four sides?",
            (32 * rows, 32 * columns): "Two neighbours share the black between them.",
        }
        if sheet[1:] == (H, W):
            hint = "Read once more what happens to grey."
        else:
            neutral = "Walk along one row: black, picture, black, picture. How often does black come?"
            hint = hints.get(shape) or sides.get((H, W), neutral)
        return wrong(f"for {n} digits your sheet has the shape {shape}", hint=hint)
    return right("Shapes tell: who sees 242×242 knows that eight rows of eight digits went in.")


def _per_channel(part):
    """The numbers of one list of the pair; one number may stand without its brackets."""
    values = items(part, "two lists, (mean, std)") if hasattr(part, "__len__") and getattr(part, "ndim", 1) else [part]
    return [number(value, "plain numbers in two lists, (mean, std)", what="one of your numbers") for value in values]


@checker("5.2")
def pair(answer):
    """a pair (mean, std) of lists."""
    parts = items(answer, "two lists, (mean, std)")
    if len(parts) != 2:
        return wrong(f"your answer has {len(parts)} parts", hint="Give two lists, (mean, std).")
    mean, std = map(_per_channel, parts)
    if len(mean) != 1 or len(std) != 1:
        return wrong(
            f"your lists hold {len(mean)} and {len(std)} numbers",
            hint="One number for each channel. How many has a digit?",
        )
    mean, std = mean[0], std[0]
    if std == 0:
        return wrong("your standard deviation is 0", hint="The pixels are divided by it.")
    low, high = (0 - mean) / std, (1 - mean) / std
    if abs(low + 1) < 1e-5 and abs(high - 1) < 1e-5:
        return right("Three numbers would suit a digit copied to three channels. Nothing is gained by that.")
    if abs(mean - 0.1307) < 1e-3 and abs(std - 0.3081) < 1e-3:
        hint = "These standardise MNIST. Asked are the two numbers that send 0 to −1 and 1 to 1."
    elif std < 0:
        hint = "Black must stay darker than white. A standard deviation is never negative."
    elif std > 100:
        hint = "ToTensor has divided by 255 already."
    elif abs(high - low - 2) > 1e-5:
        hint = "How far is it from black to white, and how far shall it be?"
    else:
        hint = "Black and white lie as far apart as they should. Which grey must become 0?"
    return wrong(f"pixels from 0 to 1 become {low:.3g} to {high:.3g}", hint=hint)


@checker("5.3")
def pixels(answer):
    """a function of (x, mean, std) that returns uint8 images."""
    means, stds = torch.tensor([0.49, 0.48, 0.45, 0.3]), torch.tensor([0.25, 0.24, 0.26, 0.31])
    for k, (N, C, H, W) in enumerate(((2, 3, 16, 16), (1, 1, 15, 20), (5, 4, 9, 4), (3, 3, 16, 3), (3, 2, 2, 64))):
        # all grey levels, then random ones
        known = torch.arange(256).byte().view(16, 16).expand(N, C, H, W) if k == 0 else _bytes(N, C, H, W)
        mean, std = means[:C].clone(), stds[:C].clone()
        unit = known / 255
        x = (unit - _channelwise(mean)) / _channelwise(std)
        case = f"for images of shape {N}×{C}×{H}×{W}"
        try:
            mine = answer(x, mean, std)
        except RuntimeError as error:
            if "must match" not in str(error):
                raise
            hint = "The C numbers of mean and std line up with the last axis, as they are. Which one is it?"
            return wrong(f"{case} your function raised {error}", hint=hint)
        values = tensor(mine, "N×C×H×W, of uint8")
        if mine.shape != x.shape:
            return wrong(f"{case} yours have shape {tuple(mine.shape)}", hint="N×C×H×W in, N×C×H×W out.")
        if mine.dtype != torch.uint8:
            scale = " on the scale 0 to 1" if close(values, unit, tolerance=0.01) else ""
            return wrong(f"you return {mine.dtype}{scale}", hint="Bytes are asked: 0 to 255, whole, as uint8.")
        if torch.equal(mine, known):
            continue
        back = x * _channelwise(std) + _channelwise(mean)
        mistakes = {
            "Conversion to bytes cuts off what follows the point: 6.9999 becomes 6.": back * 255,
            "The scale is 0 to 1 here. What makes it 0 to 255?": back.round(),
            "ToTensor divides by 255, not by 256.": back * 256,
            "ToTensor divides by 255.": (back * 256).round(),
            "Normalising subtracts first and then divides. Undo the last step first.": (
                (x + _channelwise(mean)) * _channelwise(std) * 255
            ).round(),
            "Each channel has a mean and a standard deviation of its own.": ((x * std[0] + mean[0]) * 255).round(),
        }
        if C == W:
            hint = "The C numbers of mean and std line up with the last axis, the width."
            mistakes[hint] = ((x * std + mean) * 255).round()
        at = (mine != known).nonzero()[0].tolist()
        finding = f"{case}, a pixel of {known[tuple(at)]} in channel {at[1]} comes back as {mine[tuple(at)]}"
        for hint, guess in mistakes.items():
            if any(torch.equal(mine, one.byte()) for one in (guess, guess.clamp(0, 255))):
                return wrong(finding, hint=hint)
        return wrong(finding, hint="Normalise this one pixel by hand. Then undo it, the last step first.")
    return right("Rounding forgives: float32 is off by less than a thousandth of a grey level here.")


def _planted():
    """(train, test, {position in test: position in train} of copies, {position in test: why it is none})."""
    train, test = _bytes(40, 3, 20, 18), _bytes(13, 3, 20, 18, seed=1)
    test[3], test[7], test[9] = train[20], train[5], train[5]
    for k, pixel in {1: (0, 0, 0), 2: (2, 19, 17), 11: (1, 9, 8)}.items():
        test[k] = train[k]
        test[k][pixel] ^= 1
    test[4] = train[12].flip(2)
    test[8] = train[13].flip(0)
    test[5] = test[6]
    test[0, 0] = train[15, 0]
    other_order = "has the bytes of a training image in another order. Does your comparison see that?"
    yield train, test, {3: 20, 7: 5, 9: 5}, {
        0: "Image 0 has one channel of a training image. All three count.",
        **{k: f"Image {k} differs from a training image in one pixel, by 1. All pixels count." for k in (1, 2, 11)},
        4: f"Image 4 {other_order}",
        8: f"Image 8 {other_order}",
        5: "Images 5 and 6 are equal to each other, and to no training image.",
        6: "Images 5 and 6 are equal to each other, and to no training image.",
    }  # fmt: skip
    train, test = _bytes(6, 1, 5, 8), _bytes(30, 1, 5, 8, seed=1)
    test[2], test[28] = train[0], train[5]
    yield train, test, {2: 0, 28: 5}, {}
    yield _bytes(9, 1, 4, 4), _bytes(7, 1, 4, 4, seed=1), {}, {}
    train, test = _bytes(3, 1, 4, 4), _bytes(2, 1, 4, 4, seed=1)
    test[1] = train[1]
    yield train, test, {1: 1}, {}


@checker("5.4")
def leaked(answer):
    """a function of (train_x, test_x) that returns a list of positions."""
    for train, test, copies, traps in _planted():
        case = f"for {len(train)} training and {len(test)} test images of shape {'×'.join(map(str, test.shape[1:]))}"
        found = items(answer(train, test), "a list of positions in test_x, in rising order", what=RETURNED)
        if found and all(isinstance(k, bool) for k in found):
            return wrong("you return a truth value for each image", hint="Give the positions where it is True.")
        mine = wholes(found, None, "positions in test_x", what=RETURNED)
        if mine == list(copies):
            continue
        finding = f"{case} you find {shown(mine)}"
        if mine and set(mine) == set(copies.values()):
            hint = "These are positions in the training set. Those in the test split are asked."
            return wrong(finding, hint=hint)
        if mine == [k + 1 for k in copies]:
            return wrong(finding, hint="Count positions from 0.")
        if missing := set(copies) - set(mine):
            k = min(missing)
            hint = f"Test image {k} has the bytes of training image {copies[k]}. Does your comparison say so?"
            return wrong(finding, hint=hint)
        for k, hint in traps.items():
            if k in mine:
                return wrong(finding, hint=hint)
        if other := set(mine) - set(copies):
            return wrong(finding, hint=f"Compare test image {min(other)} with each training image.")
        return wrong(finding, hint="Each position once, in rising order.")
    return right("One look into a set for each image. Each with each, MNIST would take 600 million comparisons.")


class _Loader:
    """Batches of 5 out of 24 pictures, in the order that `draw` makes for each epoch. All labels are equal."""

    def __init__(self, draw, x):
        self.draw, self.x, self.epoch = draw, x, 0

    def __iter__(self):
        self.epoch += 1
        generator = torch.Generator().manual_seed(self.epoch)
        for at in self.draw(generator).split(5):
            yield self.x[at], torch.zeros(len(at), dtype=torch.int64)

    def __len__(self):
        return 5


def _reshuffled(generator):
    return torch.randperm(24, generator=generator)


def _within_batches(generator):
    return torch.cat([at[torch.randperm(len(at), generator=generator)] for at in torch.arange(24).split(5)])


def _one_twice(generator):
    """The images 0 to 22, and one of them again, another in each epoch."""
    again = torch.randint(23, (1,), generator=generator)
    return torch.cat([torch.arange(23), again])[torch.randperm(24, generator=generator)]


def _same_ends(generator):
    return torch.cat([torch.arange(9), 9 + torch.randperm(6, generator=generator), torch.arange(15, 24)])


@checker("5.5")
def shuffles(answer):
    """a function of a loader that returns True or False."""
    tones = _bytes(90) / 255
    x, of_one_sum = _bytes(24, 3, 6, 5) / 255, torch.stack([tones.roll(k).view(3, 6, 5) for k in range(24)])
    with_twins = x[torch.arange(24) // 2]
    cases = [
        (
            "that draws a new order for each epoch",
            _Loader(_reshuffled, x),
            True,
            "Its epochs hold the same images in two orders. (Its labels are all equal.)",
        ),
        (
            "that hands the images out as they lie",
            _Loader(lambda generator: torch.arange(24), x),
            False,
            "Its epochs are equal.",
        ),
        (
            "that was shuffled once, for all epochs",
            _Loader(lambda generator: torch.arange(24).view(4, 6).T.flatten(), x),
            False,
            "Its order looks random, but is the same in each epoch.",
        ),
        (
            "whose epochs begin and end alike by chance",
            _Loader(_same_ends, x),
            True,
            "Only its first and last images are equal: compare whole epochs.",
        ),
        (
            "that mixes the images within each batch only",
            _Loader(_within_batches, x),
            True,
            "Its batches hold the same images each time, in different orders: compare image by image.",
        ),
        (
            "that draws with replacement",
            _Loader(lambda generator: torch.randint(24, (24,), generator=generator), of_one_sum),
            False,
            "Its epochs differ, but some images come twice and others never.",
        ),
        (
            "whose epochs hold one image twice, another one each time",
            _Loader(_one_twice, of_one_sum),
            False,
            "How often does each image come, in one epoch and in the other? A set would not know.",
        ),
        (
            "of a data set that holds each image twice",
            _Loader(_reshuffled, with_twins),
            True,
            "Both epochs hold the same images, each of them twice, in different orders.",
        ),
    ]
    for name, loader, expected, hint in cases:
        try:
            mine = truth(answer(loader), what=RETURNED)
        except AttributeError as error:
            if "_Loader" not in str(error):
                raise
            return wrong(f"your function raised {error}", hint="All it has are batches. Look at what comes out.")
        if mine != expected:
            return wrong(f"for a loader {name} you return {mine}", hint=hint)
    return right("Run it once on each of your loaders, without augmentation. It finds mistakes of years in a second.")


def _positions(part):
    """Positions of images, as a list."""
    if getattr(part, "ndim", 1) != 1:
        raise Refused(f"a part of your split has the shape {tuple(part.shape)}", hint="Positions need one axis only.")
    values = items(part, "two tensors of positions, (train, valid)", what="a part of your split")
    if values and all(isinstance(value, bool) for value in values):
        raise Refused("you return truth values", hint="Give the positions where they are True.")
    return wholes(values, None, "positions of images", what="a part of your split")


def _split(answer, groups, share, generator):
    """The positions (train, valid) that an answer returns."""
    both = items(answer(groups, share, generator), "two tensors of positions, (train, valid)", what=RETURNED)
    if len(both) != 2:
        raise Refused(f"{RETURNED} has {len(both)} parts", hint="Give two tensors of positions, (train, valid).")
    return tuple(map(_positions, both))


@checker("5.6")
def split_groups(answer):
    """a function of (groups, share, generator) that returns two tensors of positions."""
    writers = torch.tensor([7, 19, 400, 23, 5, 31, 88, 64, 1000, 12])
    many = writers[torch.randint(10, (200,), generator=torch.Generator().manual_seed(3))]
    few = torch.tensor([7, 7, 400, 19, 7])
    # the number of writers times the share ends on .6, .4, .2, .8, .0 and .1
    settings = [(many, 0.36), (many, 0.34), (few, 0.4), (few, 0.6), (many, 0.0), (few[:1], 0.1)]
    drawn = []
    for groups, share in settings:
        N, M = len(groups), len(groups.unique())
        train, valid = _split(answer, groups, share, torch.Generator().manual_seed(0))
        case = f"for {N} images by {M} writers and the share {share}"
        if sorted(train + valid) != list(range(N)):
            return wrong(
                f"{case} you give {len(train)} and {len(valid)} positions that are not all images, each once",
                hint="Positions of images are asked, not writers, and each image goes to one side.",
            )
        if torn := set(groups[train].tolist()) & set(groups[valid].tolist()):
            return wrong(f"{case} writer {min(torn)} is on both sides", hint="Draw writers, not images.")
        drawn.append(len(groups[valid].unique()))
    shares = [(share * len(groups.unique()), len(groups.unique())) for groups, share in settings]
    for (groups, share), mine, (part, M) in zip(settings, drawn, shares, strict=True):
        if mine == round(part):
            continue
        if drawn == [M - round(part) for part, M in shares]:
            hint = "The share goes to validation."
        elif drawn in ([int(part) for part, _ in shares], [math.ceil(part) for part, _ in shares]):
            hint = "Rounding goes to the nearest whole number, up or down."
        else:
            hint = (
                "Count the writers, not their images or numbers: the numbers have gaps. Then take the share, rounded."
            )
        case = f"for {len(groups)} images by {M} writers and the share {share}"
        return wrong(f"{case} validation gets {mine} of the writers", hint=hint)

    def drawn_by(generator):
        return set(many[_split(answer, many, 0.36, generator)[1]].tolist())

    first, *others = (drawn_by(torch.Generator().manual_seed(seed)) for seed in (0, 0, *range(1, 9)))
    if counts := {len(other) for other in others} - {4}:
        hint = "Can a writer be drawn twice?"
        return wrong(
            f"for 10 writers and the share 0.36, another seed gives validation {min(counts)} of them", hint=hint
        )
    if others[0] != first:
        return wrong("one seed gives two splits", hint="Hand the generator on to whatever draws.")
    if all(other == first for other in others):
        return wrong("nine seeds give one split", hint="Which writers go to validation must be drawn.")
    generator = torch.Generator().manual_seed(0)
    if all(drawn_by(generator) == first for _ in range(3)):
        hint = "Draw by the generator itself: each draw moves it on."
        return wrong("one generator, asked three times, gives one split", hint=hint)
    return right("MNIST's makers did this for its test set. (In our validation split, writers are shared.)")


class _Living(TorchFunctionMode):
    """Knows the memory of all tensors made while it is entered, and what is still in use: also by NumPy's arrays."""

    def __init__(self):
        super().__init__()
        self.made = {}

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.layout == torch.strided:
            storage = result.untyped_storage()
            self.made[StorageWeakRef(storage)] = storage.nbytes()
        return result

    def bytes(self):
        """How many bytes are still in use."""
        return sum(size for memory, size in self.made.items() if not memory.expired())


class _Stream:
    """Batches, made when they are asked for. Counts passes, and how many bytes were kept at the end of one."""

    def __init__(self, x, batch_size, living):
        self.x, self.batch_size, self.living = x, batch_size, living
        self.passes, self.kept = 0, 0

    def __len__(self):
        return len(self.x.split(self.batch_size))

    def __iter__(self):
        self.passes += 1
        was_tracing = tracemalloc.is_tracing()  # it sees lists and arrays, but no tensors
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        try:
            for part in self.x.split(self.batch_size):
                yield part.clone(), torch.zeros(len(part), dtype=torch.int64)
            self.kept = max(self.kept, self.living.bytes() + tracemalloc.get_traced_memory()[0] - before)
        finally:
            if not was_tracing:
                tracemalloc.stop()


def _pictures(N, C, H, W):
    """Bright and dark images: their means differ, and so do those of the channels and of the last images."""
    generator = torch.Generator().manual_seed(N)
    tone = torch.rand(N, C, 1, 1, generator=generator)
    x = 0.5 * tone + 0.5 * torch.rand(N, C, H, W, generator=generator)
    x[-2:] *= 0.5
    return x


@checker("5.7")
def statistics(answer):
    """a function of a loader that returns (mean, std), C numbers each."""
    for N, C, H, W, batch_size in ((41, 2, 30, 40, 3), (23, 3, 7, 5, 4), (13, 1, 6, 9, 6), (5, 4, 3, 3, 8)):
        x = _pictures(N, C, H, W)
        with _Living() as living:
            loader = _Stream(x, batch_size, living)
            result = answer(loader)
        if loader.passes > 1:
            hint = "One pass is enough. What can be added up on the way?"
            return wrong(f"you go through the loader {loader.passes} times", hint=hint)
        if loader.kept > x.nbytes / 2 and x.nbytes > 300_000:  # smaller ones drown in what Python itself keeps
            hint = "Let each batch go, and keep only what you add up."
            return wrong("at the end you still keep most of the pixels, which do not fit into memory", hint=hint)
        both = items(result, "two tensors of C numbers, (mean, std)", what=RETURNED)
        if len(both) != 2:
            return wrong(f"you return {len(both)} parts", hint="Return two tensors of C numbers, (mean, std).")
        mean, std = table(both, "two tensors of C numbers, (mean, std)", what=RETURNED).reshape(2, -1)
        case = f"for {N} images {C}×{H}×{W} in batches of {batch_size}"
        for name, part in (("mean", mean), ("standard deviation", std)):
            if part.numel() != C:
                hint = "One number for each channel: over which axes must the pixels be added up?"
                return wrong(f"{case} your {name} has {part.numel()} numbers", hint=hint)
        for name, part, hint in (
            ("mean", mean, _hint_for_mean(mean, x.double(), batch_size)),
            ("standard deviation", std, _hint_for_std(std, x.double(), batch_size)),
        ):
            if hint:
                return wrong(f"{case} your {name} of channel 0 is {part.flatten()[0]:.4f}", hint=hint)
    return right("Three numbers for each channel are enough, however many images pass by.")


def _hint_for_mean(mine, x, batch_size):
    """The hint for a mean; empty where it is right."""
    if close(mine, x.mean((0, 2, 3))):
        return ""
    if close(mine, _averaged(x, batch_size, lambda part: part.mean((0, 2, 3)))):
        return "This is the mean of the batches' means. But the last batch is smaller."
    return "Add up all pixels of the channel, count them, and divide once."


def _hint_for_std(mine, x, batch_size):
    """The hint for a standard deviation; empty where it is right."""
    std = x.std((0, 2, 3), correction=0)
    if close(mine, std):
        return ""
    variance = _averaged(x, batch_size, lambda part: part.var((0, 2, 3), correction=0))
    mistakes = {
        "You average the batches' standard deviations. Average what can be averaged.": [
            _averaged(x, batch_size, lambda part, c=c: part.std((0, 2, 3), correction=c)) for c in (0, 1)
        ],
        "You average the images' standard deviations: the mistake that gave the world .2023 for .247.": [
            x.std((2, 3), correction=c).mean(0) for c in (0, 1)
        ],
        "You average the batches' variances, each around its own mean. Add up squares instead.": [
            variance,
            variance.sqrt(),
        ],
        "This is the variance.": [std.square()],
        "You divide by one pixel less. All pixels are known, so divide by their number.": [x.std((0, 2, 3))],
        "This is the root of the mean square. The mean has not been taken out yet.": [
            x.square().mean((0, 2, 3)).sqrt()
        ],
    }
    for hint, guesses in mistakes.items():
        if any(close(mine, guess) for guess in guesses):
            return hint
    return "Add up the pixels and their squares. What do the two sums say together?"


def _averaged(x, batch_size, of_batch):
    """The mean over all batches of something that is taken of each batch."""
    return torch.stack([of_batch(part) for part in x.split(batch_size)]).mean(0)
