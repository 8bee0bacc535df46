"""Checkers of lesson 17, the audit: each mended function passes where the tutorial's fails."""

import math
import statistics

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils._arguments import shown
from course_utils.data import Images
from course_utils.exercises import checker, right, wrong
from course_utils.networks import small_vgg, two_convolutions
from course_utils.shapes import count_parameters

from ._answers import close, number, tensor, texts, truth

MISTAKES = set("ABDEFHIJKL")  # C and G are right


@checker("17.1")
def suspects(answer):
    """the letters of ten places, as one text such as "ACF"."""
    parts = [answer] if isinstance(answer, str) else texts(answer, 'one text of letters, such as "ACF"')
    letters = {letter.upper() for part in parts for letter in part if letter.isalpha()}
    if unknown := letters - set("ABCDEFGHIJKL"):
        return wrong(f"there is no place {min(unknown)}", hint="The places are marked A to L.")
    found, alarms = letters & MISTAKES, letters - MISTAKES
    if len(letters) != 10:
        return wrong(f"you name {len(letters)} of the twelve places", hint="Ten are mistakes. Decide, then name ten.")
    if alarms:
        hint = (
            "Make an experiment for each. What is right keeps its promise with any seed, any number of images and any "
            "scores. A mistake may change nothing today."
        )
        return wrong(f"{len(found)} of your ten are mistakes", hint=hint)
    return right("Ten of ten, and no false alarm. Two things that looked wrong were right: that counts as well.")


def _numbered(count):
    """Images that can be told apart by their pixels: the k-th holds the number k."""
    x = torch.zeros(count, 1, 28, 28, dtype=torch.uint8)
    x[:, 0, 0, 0], x[:, 0, 0, 1] = torch.arange(count) % 256, torch.arange(count) // 256
    return Images(x, torch.arange(count) % 10, [0.5], [0.5])


def _numbers_of(images):
    return (images.x[:, 0, 0, 0].long() + 256 * images.x[:, 0, 0, 1].long()).tolist()


@checker("17.2")
def mended_split(answer):
    """a function of images that returns (training images, validation images)."""
    for count in (1_000, 50):
        parts = answer(_numbered(count))
        if not isinstance(parts, tuple | list) or len(parts) != 2 or not all(isinstance(p, Images) for p in parts):
            return wrong(f"your function returns {shown(parts)}", hint="Return two parts of the images: train, valid.")
        train, valid = map(_numbers_of, parts)
        if both := set(train) & set(valid):
            hint = "One part ends at eight tenths; where does the other begin?"
            return wrong(f"{len(both)} of {count} images are in both parts", hint=hint)
        if len(set(train)) < len(train) or len(set(valid)) < len(valid):
            return wrong("some images come twice in one part", hint="`torch.randperm` names each position once.")
        if len(train) + len(valid) != count:
            left = count - len(train) - len(valid)
            return wrong(f"{left} of {count} images are in no part", hint="Each image belongs to one of the two.")
        if len(train) != count * 8 // 10:
            hint = "Eight tenths to train, and returned first."
            return wrong(f"of {count} images {len(train)} are in your first part", hint=hint)
        if set(train) in (set(range(len(train))), set(range(len(valid), count))):
            hint = "Draw by chance, as the tutorial does: files are often sorted."
            return wrong("your parts are simply the beginning and the end", hint=hint)
    return right("Lesson 5. A validation image that was trained on measures memory, and flatters the score.")


@checker("17.3")
def mended_prepare(answer):
    """a function of (images, mean, std) that returns pixels and labels."""
    torch.manual_seed(17)
    images = Images(torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8), torch.arange(40) % 10, [0.5], [0.5])
    pixels = images.x.double() / 255
    for mean, std in ((0.25, 0.5), (0.5, 0.125)):
        for some in (images, images[3]):
            result = answer(some, mean, std)
            if not isinstance(result, tuple | list) or len(result) != 2:
                return wrong(f"your function returns {shown(result)}", hint="Return pixels and labels, as before.")
            mine, labels = tensor(result[0], "N×1×28×28"), result[1]
            if not isinstance(labels, Tensor) or not torch.equal(labels, some.y):
                return wrong("the labels are not those of the images", hint="Return `images.y` beside the pixels.")
            of_these = pixels if some is images else pixels[3:4]
            if close(mine, (of_these - mean) / std, tolerance=1e-4):
                continue
            finding = f"with mean {mean} and std {std} the pixels are other numbers"
            mistakes = {
                "It still uses its own mean and standard deviation. Use the two that it is given.": (
                    of_these - of_these.mean()
                )
                / of_these.std(),
                "Divide the pixels by 255 first.": (255 * of_these - mean) / std,
                "First subtract the mean, then divide the difference by std.": of_these - mean / std,
                "Divide by std as well.": of_these - mean,
                "Divide by std; do not multiply.": (of_these - mean) * std,
            }
            for hint, mistake in mistakes.items():
                if close(mine, mistake, tolerance=1e-4):
                    return wrong(finding, hint=hint)
            return wrong(finding, hint="(pixels / 255 − mean) / std.")
    return right(
        "Lesson 5. All sets are scaled with the numbers of the training images: the network has met no others."
    )


@checker("17.4")
def share_in_convolutions(answer):
    """a function of a model that returns a share from 0 to 1."""
    for model in (two_convolutions(4), small_vgg(), nn.Sequential(nn.Flatten(), nn.Linear(784, 10))):
        inside = sum(count_parameters(layer) for layer in model.modules() if isinstance(layer, nn.Conv2d))
        total, mine = count_parameters(model), number(answer(model), "one number from 0 to 1")
        if math.isclose(mine, inside / total, rel_tol=1e-4, abs_tol=1e-9):
            continue
        finding = f"for a network of {total:,} weights your share is {mine:.4g}"
        weights = sum(layer.weight.numel() for layer in model.modules() if isinstance(layer, nn.Conv2d))
        layers = list(model.modules())
        mistakes = {
            "That is how many they are. Divide by the number of all weights.": inside,
            "A share from 0 to 1, not a percentage.": 100 * inside / total,
            "Count the biases of the convolutions, too.": weights / total,
            "That is the share of the layers. Count their weights.": sum(isinstance(x, nn.Conv2d) for x in layers)
            / len(layers),
            "That is what the other layers hold.": 1 - inside / total,
        }
        for hint, mistake in mistakes.items():
            if math.isclose(mine, mistake, rel_tol=1e-4):
                return wrong(finding, hint=hint)
        return wrong(finding, hint="`model.modules()` gives all layers; `isinstance(layer, nn.Conv2d)` picks some.")
    return right("Lessons 3 and 8. Convolutions share their weights, so they are few.")


class _Log(list):
    """What copies of a network write, too."""

    def __deepcopy__(self, memo):
        return self


class _Moody(nn.Module):
    """A network whose answers differ between training and evaluation, and which notes the mode that it was asked in."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Dropout(0.5))
        self.asked = _Log()

    def forward(self, x):
        self.asked.append((self.training, self.inner[2].training, torch.is_grad_enabled()))
        return self.inner(x)


@checker("17.5")
def mended_accuracy(answer):
    """a function of (model, x, y) that returns the share of right answers."""
    torch.manual_seed(5)
    x, y = torch.randn(901, 1, 28, 28), torch.randint(10, (901,))
    for training in (True, False):
        model = _Moody().train(training)
        with torch.no_grad():
            model.eval()
            hits = (model(x).argmax(1) == y).double()
            truth_ = hits.mean().item()
            model.train(training)
        model.asked.clear()
        mine = number(answer(model, x, y), "one number from 0 to 1", what="what your function returns")
        if not model.asked:
            return wrong("the model was never asked", hint="`model(x)` gives the logits.")
        if any(mode or inner for mode, inner, _ in model.asked):
            return wrong("the model was asked in training mode", hint="`model.eval()` before you ask it.")
        if not math.isclose(mine, truth_, abs_tol=1e-6):
            if math.isclose(mine, 100 * truth_, abs_tol=1e-4):
                return wrong(f"your accuracy is {mine:g}", hint="A share from 0 to 1, not a percentage.")
            if math.isclose(mine, len(x) * truth_, abs_tol=1e-3):
                return wrong(f"your accuracy is {mine:g}", hint="Divide by the number of images.")
            if math.isclose(mine, (hits[:900].mean() + hits[900:].mean()) / 2, abs_tol=1e-6):
                hint = "A small last batch still weighs as much as a full one. Count all hits, and divide once."
                return wrong(f"your accuracy is {mine:g}, not {truth_:g}", hint=hint)
            return wrong(f"your accuracy is {mine:g}, not {truth_:g}", hint="The largest logit is the answer; compare.")
        if model.training != training or model.inner[2].training != training:
            before = "training" if training else "evaluation"
            hint = "Whoever called it may be in the middle of a training: note `model.training`, and put it back."
            return wrong(f"a model in {before} mode comes back in another", hint=hint)
    return right("Lesson 8. Here the mistake made the network look worse than it is. Mistakes have no preference.")


@checker("17.6")
def mended_mean_loss(answer):
    """a function of (model, x, y) that returns the mean loss."""
    torch.manual_seed(6)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()
    sizes: list[int] = []
    model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    for count in (901, 2_000, 300, 1_800):
        x, y = torch.randn(count, 1, 28, 28), torch.randint(10, (count,))
        x[count // 2 :] *= 3
        with torch.no_grad():
            losses = F.cross_entropy(model(x), y, reduction="none").double()
        sizes.clear()
        mine, expected = number(answer(model, x, y), "one number", what="what your function returns"), losses.mean()
        if math.isclose(mine, expected, rel_tol=1e-4):
            if max(sizes, default=0) > 900:
                hint = "Keep to batches of 900: not every set fits into memory."
                return wrong(f"{max(sizes):,} images went through at once", hint=hint)
            continue
        finding = f"for {count} images your loss is {mine:.5g}, not {expected:.5g}"
        unequal = torch.stack([part.mean() for part in losses.split(900)]).mean()
        if math.isclose(mine, unequal, rel_tol=1e-4):
            return wrong(finding, hint="A small last batch still weighs as much as a full one. Add up, divide once.")
        if math.isclose(mine, losses.sum(), rel_tol=1e-4):
            return wrong(finding, hint="That is the sum over all images. Divide it by their number.")
        if math.isclose(mine, losses.sum() / math.ceil(count / 900), rel_tol=1e-4):
            return wrong(finding, hint="Divide by the number of images, not by that of the batches.")
        return wrong(finding, hint='`F.cross_entropy(…, reduction="sum")` adds up a batch. Divide once, at the end.')
    return right("Lesson 6. In the tutorial the error is small, because its last batch is. It grows unseen.")


@checker("17.7")
def mended_keep(answer):
    """a function of a model that returns its weights as they are now."""
    for width in (2, 3):
        torch.manual_seed(width)
        model = nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(8, 2))
        then = {name: value.clone() for name, value in model.state_dict().items()}
        kept = answer(model)
        with torch.no_grad():
            for value in model.state_dict().values():
                value += 1  # training goes on
        if not isinstance(kept, dict):
            return wrong(f"your function returns {shown(kept)}", hint="Return a dict that `load_state_dict` can read.")
        if missing := [name for name in then if name not in kept]:
            hint = "Keep all of `model.state_dict()`: batch normalisation has numbers that are no parameters."
            return wrong(f"{missing[0]!r} is not in what you keep", hint=hint)
        if other := [name for name in then if not isinstance(kept[name], Tensor)]:
            hint = "Keep tensors: `load_state_dict` reads no other kind of number."
            return wrong(f"{other[0]!r} is {shown(kept[other[0]])}", hint=hint)
        if changed := [name for name, value in then.items() if not torch.equal(kept[name], value)]:
            hint = "The tensors are still the model's own. Copy each of them, for example by `copy.deepcopy`."
            return wrong(f"when training goes on, {changed[0]!r} changes in what you kept", hint=hint)
    return right("Lesson 7. The tutorial always went back to the last epoch, and called it the best.")


@checker("17.8")
def mended_choose(answer):
    """a function of a dict {lr: {"valid": …, "test": …}} that returns one of its keys."""
    pairs = {0.01: (0.9, 0.1), 0.03: (0.7, 0.7), 0.001: (0.3, 0.9), 0.1: (0.2, 0.5), 0.3: (0.6, 0.2)}
    cases = [
        {lr: {"valid": valid, "test": test} for lr, (valid, test) in pairs.items()},
        {0.3: {"valid": 0.9, "test": 0.1}, 0.03: {"valid": 0.2, "test": 0.3}},
        {0.1: {"valid": 0.4}, 0.2: {"valid": 0.6}},
    ]
    for results in cases:
        expected = max(results, key=lambda lr: results[lr]["valid"])
        try:
            mine = number(answer({lr: dict(scores) for lr, scores in results.items()}), "one learning rate")
        except KeyError as missing:
            if missing.args == ("test",):
                return wrong("your function asks for test scores", hint="Choose without them: they come at the end.")
            raise
        if mine == expected:
            continue
        by_test = {lr: scores.get("test", 0) for lr, scores in results.items()}
        if mine == max(by_test, key=by_test.get):
            return wrong(f"of {results} you choose {mine:g}", hint="That still goes by the test images.")
        sums = {lr: sum(scores.values()) for lr, scores in results.items()}
        if mine == max(sums, key=sums.get):
            return wrong(f"of {results} you choose {mine:g}", hint="The test scores must not count at all.")
        if mine == min(results, key=lambda lr: results[lr]["valid"]):
            return wrong(f"of {results} you choose {mine:g}", hint="The highest validation accuracy, not the lowest.")
        return wrong(f"of {results} you choose {mine:g}", hint="Return the key whose validation score is the highest.")
    return right("Lesson 11. With three candidates the luck is small. With three hundred it is not.")


@checker("17.9")
def mended_confidence(answer):
    """a function of logits, N×classes, that returns N probabilities."""
    torch.manual_seed(9)
    for logits in (torch.randn(6, 10) * 3, torch.randn(40, 3), torch.randn(1, 4), torch.randn(5, 5)):
        expected, mine = logits.double().softmax(1).amax(1), answer(logits.clone())
        if isinstance(mine, tuple) and len(mine) == 2:
            return wrong("your function returns two things", hint="`.max(1)` gives values and places: take `.values`.")
        mine = tensor(mine, "N")
        if mine.shape == expected[:, None].shape and len(logits) > 1:
            return wrong(f"your answer has the shape {tuple(mine.shape)}", hint="One number for each image: shape N.")
        if close(mine.reshape(-1) if mine.numel() == len(expected) else mine, expected):
            continue
        mistakes = {
            "The softmax still runs over the images. For one image, the classes must add up to 1.": logits.double()
            .softmax(0)
            .amax(1),
            "Those are the largest logits. Turn them into probabilities first.": logits.double().amax(1),
            "That is the largest of each class, over the images.": logits.double().softmax(1).amax(0),
            "That is one number for all images. Return one for each.": expected.mean(),
            "Those are all probabilities. Return the largest of each image.": logits.double().softmax(1),
            "Those are the answers. Return their probabilities.": logits.argmax(1).double(),
        }
        for hint, mistake in mistakes.items():
            if close(mine, mistake):
                return wrong(f"for logits of shape {tuple(logits.shape)} you give other numbers", hint=hint)
        return wrong(
            f"for logits of shape {tuple(logits.shape)} you give other numbers", hint="`softmax(1)`, then max."
        )
    return right(
        "Lesson 9. The shape is the same either way, and here even the size is plausible. Only a row's sum tells."
    )


@checker("17.10")
def mended_precision(answer):
    """a function of a matrix truth × answer that returns one number for each answer."""
    for counts in (
        torch.tensor([[8.0, 2.0, 0.0], [1.0, 6.0, 3.0], [4.0, 0.0, 6.0]]),
        torch.tensor([[5.0, 0.0], [2.0, 0.0]]),
    ):
        mine = answer(counts.clone())
        if not isinstance(mine, Tensor):
            return wrong(f"your function returns {shown(mine)}", hint="Return a tensor, one number for each class.")
        mine, expected = mine.detach().cpu().double(), (counts.diag() / counts.sum(0)).double()
        if mine.shape != expected.shape:
            return wrong(f"your answer has the shape {tuple(mine.shape)}", hint="One number for each class.")
        if torch.allclose(mine, expected, atol=1e-6, equal_nan=True):
            continue
        if torch.allclose(mine, (counts.diag() / counts.sum(1)).double(), atol=1e-6):
            return wrong(f"for {counts.tolist()} you give the recall", hint="Divide by how often it was the *answer*.")
        if torch.allclose(mine, expected.nan_to_num(), atol=1e-6):
            return wrong("a class that was never an answer gets 0", hint="Leave it NaN: nobody can know its precision.")
        if torch.allclose(mine, (counts.diag() / counts.sum()).double(), atol=1e-6):
            return wrong("you divide by all images", hint="Divide each by how often that class was the answer.")
        return wrong(
            f"for {counts.tolist()} you give {mine.tolist()}", hint="The diagonal, divided by the columns' sums."
        )
    return right("Lesson 9. Which sum runs over the truths, and which over the answers? Write it beside the matrix.")


@checker("17.11")
def mended_is_better(answer):
    """a function of two lists of accuracies that returns True or False."""
    base = [0.80, 0.81, 0.79, 0.805, 0.795]
    wide = [0.8 + 4 * (value - 0.8) for value in base] * 4
    spread = math.sqrt(2 * statistics.variance(base) / 5)
    mixed = math.sqrt(statistics.variance(base) / 5 + statistics.variance(wide) / 20)
    cases = [
        (base, [0.80, 0.81, 0.79, 0.805, 0.82], "the two overlap"),
        ([value + 0.05 for value in base], base, "ours are far higher, in five runs each"),
        (base, [value + 0.05 for value in base], "ours are far lower"),
        ([0.95, 0.96, 0.94], [0.5, 0.51, 0.52], "there are three runs each"),
        ([0.95, 0.96, 0.94, 0.95, 0.955], [0.5, 0.51, 0.52, 0.5], "there are only four runs on one side"),
        ([value + 0.05 for value in base + base[:3]], base[:4], "eight runs meet four"),
        ([*base[:4], 0.9], base, "one lucky run leads"),
        ([value + 2.4 * spread for value in base], base, "the means are 2.4 standard deviations apart"),
        ([value + 2.6 * spread for value in base], base, "the means are 2.6 standard deviations apart"),
        ([value + 2.4 * spread for value in base + base], base + base, "ten runs each are 3.6 deviations apart"),
        ([value + 2.7 * mixed for value in base], wide, "five even runs lead twenty uneven ones by 2.7 deviations"),
        ([value + 2.3 * mixed for value in wide], base, "twenty uneven runs lead five even ones by 2.3 deviations"),
    ]
    for ours, theirs, case in cases:
        n, m = len(ours), len(theirs)
        apart = statistics.mean(ours) - statistics.mean(theirs)
        deviation = math.sqrt(statistics.variance(ours) / n + statistics.variance(theirs) / m)
        expected = min(n, m) >= 5 and apart > 2.5 * deviation
        mine = truth(answer(list(ours), list(theirs)), what="what your function returns")
        if mine == expected:
            continue
        finding = f"where {case}, your function says {mine}"
        if min(n, m) < 5:
            return wrong(finding, hint="With fewer than five runs on a side nothing is claimed.")
        if max(ours) > max(theirs) and mine and "lucky" in case:
            return wrong(finding, hint="Compare the means, not the best runs.")
        hint = (
            "Our mean minus theirs, against 2.5 · √(s₁²/n₁ + s₂²/n₂); s is `statistics.stdev`, which divides by n − 1."
        )
        return wrong(finding, hint=hint)
    return right("Lesson 11. Of two equal settings the tutorial's line would say so every other time.")
