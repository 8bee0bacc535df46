"""Checkers of lesson 5, Data you can trust."""

import weakref

import numpy as np
import torch
from torchvision import transforms
from torchvision.utils import make_grid

from course_utils.exercises import as_list, checker, right, wrong


def _bytes(n, channels=3, seed=0):
    """n pictures of 6×6 random bytes."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, 6, 6), generator=generator).byte()


@checker("5.1")
def sheets(answer):
    """two shapes C×H×W, for 64 and for 4 digits."""
    expected = [tuple(make_grid(torch.zeros(n, 1, 28, 28)).shape) for n in (64, 4)]
    answer = as_list(answer)
    if len(answer) != 2 or any(not isinstance(shape, tuple | list) or len(shape) != 3 for shape in answer):
        return wrong(f"your answer is {answer!r}", hint="Give two shapes of three numbers: ((C, H, W), (C, H, W)).")
    for n, mine, shape in zip((64, 4), map(tuple, answer), expected, strict=True):
        if mine == shape:
            continue
        C, H, W = mine
        if shape[1:] == (H, W):
            hint = "Grey is copied to three channels, so that a sheet can hold any picture."
        elif shape == (C, W, H):
            hint = "The height comes before the width."
        elif shape in [(H, W, C), (W, H, C)]:
            hint = "PyTorch puts the channels first."
        elif n == 4 and H == W:
            hint = "Up to eight pictures stand in one row."
        elif H % 28 == 0 or W % 28 == 0:
            hint = "Between two pictures lie two black pixels, and around the sheet as well."
        elif H % 30 == 0 or W % 30 == 0:
            hint = "Each picture brings two black pixels; two more close the sheet."
        else:
            hint = "Along one axis: (number of pictures) · (28 + 2) + 2."
        return wrong(f"for {n} digits your sheet has the shape {mine}", hint=hint)
    return right("Shapes tell: who sees 242×242 knows that eight rows of eight digits went in.")


@checker("5.2")
def pair(answer):
    """a pair (mean, std) of lists."""
    digit = torch.linspace(0, 1, 28 * 28).view(1, 28, 28)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return wrong(f"your answer is {answer!r}", hint="Give two lists: (mean, std).")
    for part in answer:
        if isinstance(part, list | tuple) and len(part) != 1:
            return wrong(f"a list holds {len(part)} numbers", hint="One number for each channel. How many has a digit?")
    low, high = transforms.Normalize(*answer)(digit).flatten()[[0, -1]].tolist()
    if abs(low + 1) < 1e-5 and abs(high - 1) < 1e-5:
        return right("Three numbers would suit a digit copied to three channels. Nothing is gained by that.")
    if abs(low - (0 - 0.1307) / 0.3081) < 1e-2:
        hint = "These standardise MNIST. Asked are the two numbers that send 0 to −1 and 1 to 1."
    elif high < low:
        hint = "Black must stay darker than white. A standard deviation is never negative."
    elif high - low < 0.1:
        hint = "ToTensor has divided by 255 already."
    elif abs(high - low - 2) > 1e-5:
        hint = "Divide by half of what is between the ends: 0 … 1 is 1 long, −1 … 1 is 2."
    else:
        hint = "The length is right. Which number must become 0?"
    return wrong(f"pixels from 0 to 1 become {low:.3g} to {high:.3g}", hint=hint)


@checker("5.3")
def pixels(answer):
    """a function of (x, mean, std) that returns uint8 images."""
    mean, std = torch.tensor([0.49, 0.48, 0.45]), torch.tensor([0.25, 0.24, 0.26])
    known = torch.arange(256).repeat(3, 1).view(3, 16, 16).repeat(2, 1, 1, 1).byte()
    x = (known / 255 - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    given = x.clone()
    try:
        mine = answer(given, mean, std)
    except RuntimeError as error:
        if "must match" not in str(error):
            raise
        return wrong(
            f"your answer raised {error}",
            hint="Three numbers line up with the last axis, the width. Make them C×1×1 first.",
        )
    if not isinstance(mine, torch.Tensor):
        return wrong(f"you return a {type(mine).__name__}", hint="Tensors in, a tensor out.")
    if not torch.equal(given, x):
        return wrong("x itself is not what it was", hint="Methods that end in _ write over their tensor.")
    if mine.shape != x.shape:
        return wrong(f"your images have shape {tuple(mine.shape)}", hint="N×C×H×W in, N×C×H×W out.")
    if mine.dtype != torch.uint8:
        scale = " on the scale 0 to 1" if mine.max() <= 1.01 else ""
        return wrong(f"you return {mine.dtype}{scale}", hint="Bytes are asked: times 255, rounded, as uint8.")
    off = (mine.int() - known.int()).abs()
    if (off > 0).any():
        k = off.flatten().argmax()
        if known.max() > 1 >= mine.max():
            hint = "The scale is 0 to 1 here. What makes it 0 to 255?"
        elif torch.equal(mine, (known / 255 * 256).byte()):
            hint = "ToTensor divides by 255, not by 256."
        elif (off[:, 0] == 0).all():
            hint = "The first channel is right. Each channel has a mean and a standard deviation of its own."
        elif off.max() == 1:
            hint = "Conversion to bytes cuts off what follows the point: 6.9999 becomes 6."
        else:
            hint = "Normalising subtracts first and then divides. Undo the last step first."
        return wrong(f"a pixel of {known.flatten()[k]} comes back as {mine.flatten()[k]}", hint=hint)
    sound = answer(x[..., :3], mean, std)  # as wide as there are channels, which hides a wrong axis
    if not torch.equal(sound, known[..., :3]):
        return wrong("images three pixels wide come back changed", hint="Make mean and std C×1×1: one for a channel.")
    return right("Rounding forgives: float32 is off by less than a thousandth of a grey level here.")


@checker("5.4")
def leaked(answer):
    """a function of (train_x, test_x) that returns a list of positions."""
    train, test = _bytes(40), _bytes(12, seed=1)
    test[3], test[7], test[9] = train[20], train[5], train[5]
    expected = [3, 7, 9]
    test[1] = train[11]
    test[1, 0, 0, 0] += 1  # nearly equal
    test[4] = train[12].flip(2)  # the same bytes, in another order
    test[5] = test[6]  # twins inside of the test split
    test[0, 0] = train[15, 0]  # one channel of three
    mine = as_list(answer(train, test))
    if isinstance(mine, int):
        return wrong(f"you return {mine}", hint="Not how many, but which: a list of positions.")
    mine = list(mine)
    if any(isinstance(k, tuple | list) for k in mine):
        return wrong(f"you found {mine}", hint="Numbers, not pairs: the positions in the test split.")
    if mine == expected:
        return right("One look into a set for each image. Each with each, MNIST would take 600 million comparisons.")
    if sorted(mine) == [5, 20] or sorted(mine) == [5, 5, 20]:
        return wrong(f"{mine} are positions in the training set", hint="The positions in the test split are asked.")
    if all(isinstance(k, bool) for k in mine) and len(mine) == len(test):
        return wrong("you return a truth value for each image", hint="Give the positions where it is True.")
    hints = {
        0: "Image 0 has one channel of a training image. All three count.",
        1: "Image 1 differs from a training image in one pixel, by 1. Byte for byte means: all of them.",
        4: "Image 4 has the bytes of a training image in another order. A sum or a histogram cannot tell.",
        5: "Images 5 and 6 are equal to each other, and to no training image.",
    }
    for k, hint in hints.items():
        if k in mine:
            return wrong(f"you found {mine}", hint=hint)
    if not mine:
        return wrong(
            "you found none of the three planted copies",
            hint="A copy can have another position. And hash(tensor) and tensor in set compare objects, not pixels: "
            "take image.numpy().tobytes().",
        )
    if sorted(mine) == expected:
        return wrong(f"you found {mine}", hint="All three, but not in rising order.")
    return wrong(f"you found {mine}", hint="Three images were planted; two of them are the same training image.")


def _short(values):
    return [round(value, 4) for value in values.tolist()]


class _Stream:
    """Batches of 4, made when they are asked for. Counts passes, and how many batches lived at the same time."""

    def __init__(self, x):
        self.x, self.passes, self.kept = x, 0, 0

    def __len__(self):
        return len(self.x.split(4))

    def __iter__(self):
        self.passes += 1
        made = []
        for part in self.x.split(4):
            batch = part.clone()
            made.append(weakref.ref(batch))
            yield batch, torch.zeros(len(batch))
            del batch
            self.kept = max(self.kept, sum(one() is not None for one in made))


class _Loader:
    """Batches of 4 out of 24 pictures, in the order that `draw` makes for each epoch. All labels are equal."""

    def __init__(self, draw):
        self.draw, self.epoch, self.x = draw, 0, _bytes(24)

    def __iter__(self):
        self.epoch += 1
        generator = torch.Generator().manual_seed(self.epoch)
        for at in self.draw(generator).split(4):
            yield self.x[at], torch.zeros(len(at), dtype=torch.int64)

    def __len__(self):
        return 6


def _reshuffled(generator):
    return torch.randperm(24, generator=generator)


def _one_twice(generator):
    """The images 0 to 22, and one of them again, another in each epoch."""
    again = torch.randint(23, (1,), generator=generator)
    return torch.cat([torch.arange(23), again])[torch.randperm(24, generator=generator)]


def _same_beginning(generator):
    return torch.cat([torch.arange(4), 4 + torch.randperm(20, generator=generator)])


@checker("5.5")
def shuffles(answer):
    """a function of a loader that returns True or False."""
    cases = [
        (
            "that draws a new order for each epoch",
            _reshuffled,
            True,
            "Its epochs hold the same images in two orders. (Its labels are all equal: do not compare those.)",
        ),
        (
            "that hands the images out as they lie",
            lambda generator: torch.arange(24),
            False,
            "Its epochs are equal. Compare two of them.",
        ),
        (
            "that was shuffled once, for all epochs",
            lambda generator: torch.arange(24).view(4, 6).T.flatten(),
            False,
            "Its order looks random, but is the same in each epoch.",
        ),
        (
            "whose epochs begin alike by chance",
            _same_beginning,
            True,
            "Only its first batches are equal: compare whole epochs.",
        ),
        (
            "that draws with replacement",
            lambda generator: torch.randint(24, (24,), generator=generator),
            False,
            "Its epochs differ, but some images come twice and others never.",
        ),
        (
            "whose epochs hold one image twice, another one each time",
            _one_twice,
            False,
            "A set forgets how often an image came. Compare sorted lists.",
        ),
    ]
    for name, draw, expected, hint in cases:
        try:
            mine = answer(_Loader(draw))
        except AttributeError as error:
            if "_Loader" not in str(error):
                raise
            return wrong(f"your answer raised {error}", hint="All it has are batches. Look at what comes out.")
        if not isinstance(mine, bool | np.bool_ | torch.Tensor) or (
            isinstance(mine, torch.Tensor) and mine.numel() != 1
        ):
            return wrong(f"you return {mine!r}", hint="One truth value: True or False.")
        if bool(mine) != expected:
            return wrong(f"for a loader {name} you return {bool(mine)}", hint=hint)
    return right("Run it once on each loader of your own, and a mistake of years takes a second to find.")


@checker("5.6")
def split_groups(answer):
    """a function of (groups, share, generator) that returns two tensors of positions."""
    generator = torch.Generator().manual_seed(3)
    writers = torch.tensor([7, 19, 400, 23, 5, 31, 88, 64, 1000, 12])
    groups = writers[torch.randint(10, (200,), generator=generator)]
    draws = []
    for seed in (0, 0, 1):
        both = answer(groups, 0.36, torch.Generator().manual_seed(seed))  # rounded, 3.6 of 10 writers are 4
        if not isinstance(both, tuple | list) or len(both) != 2:
            return wrong("you do not return two tensors", hint="Return (train, valid).")
        train, valid = (torch.as_tensor(part) for part in both)
        if {train.dtype, valid.dtype} & {torch.bool}:
            return wrong("you return truth values", hint="Positions are asked: nonzero() finds them.")
        if train.ndim != 1 or valid.ndim != 1:
            return wrong(
                f"your positions have the shapes {tuple(train.shape)} and {tuple(valid.shape)}",
                hint="One axis each: nonzero() makes two, flatten() one.",
            )
        together = torch.cat([train, valid]).sort().values
        if not torch.equal(together, torch.arange(200)):
            return wrong(
                f"200 images became {len(train)} and {len(valid)} positions that are not all images, each once",
                hint="Positions of images are asked, not writers, and each image goes to one side.",
            )
        torn = set(groups[train].tolist()) & set(groups[valid].tolist())
        if torn:
            return wrong(f"writer {min(torn)} is on both sides", hint="Draw writers, not images.")
        drawn = len(groups[valid].unique())
        if drawn == 6:
            return wrong("validation got 6 of 10 writers, training 4", hint="The share goes to validation.")
        if drawn != 4:
            return wrong(
                f"for the share 0.36 validation got {drawn} of 10 writers",
                hint="Draw round(share · number of writers) of groups.unique(): the writers' numbers have gaps.",
            )
        draws.append(valid.sort().values)
    if not torch.equal(draws[0], draws[1]):
        return wrong("one seed gives two splits", hint="Hand the generator on to whatever draws.")
    if torch.equal(draws[1], draws[2]):
        return wrong("two seeds give one split", hint="Which writers go to validation must be drawn.")
    return right("MNIST's makers did this: nobody wrote for both its training and its test set.")


@checker("5.7")
def statistics(answer):
    """a function of a loader that returns (mean, std), C numbers each."""
    generator = torch.Generator().manual_seed(0)
    tone = torch.rand(11, 2, 1, 1, generator=generator)  # bright and dark images: their means differ
    x = 0.5 * tone + 0.5 * torch.rand(11, 2, 5, 4, generator=generator)
    x[8:] *= 0.5
    loader = _Stream(x)
    mean, std = x.double().mean((0, 2, 3)), x.double().std((0, 2, 3), correction=0)
    parts = list(answer(loader))
    if loader.passes > 1:
        return wrong(
            f"you go through the loader {loader.passes} times",
            hint="One pass is enough, with a count, a sum and a sum of squares.",
        )
    if loader.kept == len(loader):
        return wrong(
            "you keep all batches, which do not fit into memory",
            hint="Keep a count, a sum and a sum of squares. Let each batch go.",
        )
    if len(parts) != 2:
        return wrong(f"you return {len(parts)} things", hint="Return (mean, std).")
    mine = [torch.as_tensor(part).double() for part in parts]
    for name, part in zip(("mean", "standard deviation"), mine, strict=True):
        if part.shape != (2,):
            return wrong(
                f"your {name} has shape {tuple(part.shape)} for images of 2 channels",
                hint="One number for each channel: sum over the axes 0, 2 and 3.",
            )
    if torch.allclose(mine[0], torch.stack([b.double().mean((0, 2, 3)) for b, _ in loader]).mean(0)):
        return wrong(
            "your mean is the mean of the batches' means", hint="The last batch is smaller. Sum up, count, divide once."
        )
    if not torch.allclose(mine[0], mean, atol=1e-6):
        return wrong(
            f"your mean is {_short(mine[0])}, it is {_short(mean)}", hint="All pixels, divided by their number."
        )
    averaged = [torch.stack([b.double().std((0, 2, 3), correction=c) for b, _ in loader]).mean(0) for c in (0, 1)]
    if any(torch.allclose(mine[1], wrong_one, atol=1e-6) for wrong_one in averaged):
        return wrong(
            "you average the batches' standard deviations", hint="Average the squares: std² = mean of x² − mean²."
        )
    if any(torch.allclose(mine[1], x.double().std((2, 3), correction=c).mean(0), atol=1e-6) for c in (0, 1)):
        return wrong(
            "you average the images' standard deviations", hint="That is the mistake in circulation: .2023 for .247."
        )
    if torch.allclose(mine[1], std.square(), atol=1e-6):
        return wrong("your second number is the variance", hint="Take its square root.")
    if torch.allclose(mine[1], x.double().std((0, 2, 3)), atol=1e-6):
        return wrong("you divide by one pixel less", hint="All pixels are known, so divide by their number.")
    if not torch.allclose(mine[1], std, atol=1e-5):
        return wrong(
            f"your standard deviation is {_short(mine[1])}, it is {_short(std)}",
            hint="Keep a count, a sum and a sum of squares. Then std² = mean of x² − mean².",
        )
    return right("Three numbers for each channel are enough, however many images pass by.")
