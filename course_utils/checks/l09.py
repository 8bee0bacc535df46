"""Checkers of lesson 9, Reading results."""

import torch
from torch import nn

from course_utils.data import Images
from course_utils.exercises import checker, right, wrong
from course_utils.metrics import wilson_interval

from ._answers import RETURNED, close, items, near, number, numbers, table, tensor, whole


@checker("9.1")
def middle(answer):
    """three numbers, (precision, recall, F1)."""
    mine = numbers(answer, 3, "(precision, recall, F1)")
    if max(mine) > 1:
        return wrong(f"{max(mine):g} is more than 1", hint="Give shares, from 0 to 1.")
    precision, recall, f1 = mine
    expected = (4 / 12, 4 / 5, 8 / 17)
    if near(precision, expected[1], places=3) and near(recall, expected[0], places=3):
        return wrong("precision and recall are swapped", hint="Precision reads the column of answers, recall the row.")
    for name, of_class in (("first", (4 / 4, 4 / 10)), ("third", (3 / 4, 3 / 5))):
        if near(precision, of_class[0], places=3) and near(recall, of_class[1], places=3):
            return wrong(f"these are numbers of the {name} class", hint="Asked is the middle one, second of three.")
    off = max(abs(a - b) for a, b in zip(mine, expected, strict=True))
    if not all(near(a, b, places=3) for a, b in zip(mine, expected, strict=True)) and off < 6e-3:
        return wrong(f"a number is off by {off:.1g}", hint="Give three decimal places; round only at the end.")
    if not near(precision, expected[0], places=3):
        hint = "How often was the middle class answered, and how often was that right?"
        return wrong(f"your precision is {precision:g}", hint=hint)
    if not near(recall, expected[1], places=3):
        hint = "How many images are of the middle class, and how many of them were found?"
        return wrong(f"your recall is {recall:g}", hint=hint)
    if near(f1, (expected[0] + expected[1]) / 2, places=3):
        return wrong(f"{f1:g} is the plain mean of the two", hint="F1 is the harmonic mean, 2PR / (P + R).")
    if near(f1, expected[2] / 2, places=3):
        return wrong(f"{f1:g} is PR / (P + R)", hint="Then of two equal numbers the mean would be half of each.")
    if not near(f1, expected[2], places=3):
        return wrong(f"your F1 is {f1:g}", hint="2PR / (P + R), with P and R as you have them.")
    return right("2PR / (P + R) is 2·4 / (12 + 5): twice the hits, by the sum of column and row.")


@checker("9.2")
def four(answer):
    """three numbers: where the interval begins for 4 of 4 and for 29 of 34, and how many images are needed."""
    begin_4, begin_29, images = numbers(answer, 3, "where the interval begins, twice, and how many images are needed")
    for mine, correct, total in ((begin_4, 4, 4), (begin_29, 29, 34)):
        low, high = wilson_interval(correct, total)
        share, case = correct / total, f"{mine:g} for {correct} of {total}"
        if near(mine, low, places=2):
            continue
        if near(mine, high, places=2):
            return wrong(f"{mine:g} is the upper end for {correct} of {total}", hint="Asked is where it begins.")
        if near(mine, share, places=2):
            return wrong(f"{mine:g} is the share {correct}/{total} itself", hint="`wilson_interval` gives both ends.")
        if near(mine, share - 1.96 * (share * (1 - share) / total) ** 0.5, places=2):
            return wrong(f"{case} is the textbook's p − 1.96·√(p(1−p)/n)", hint="Ask `wilson_interval`.")
        if mine > 1:
            return wrong(f"{case} is more than 1", hint="Give shares, from 0 to 1.")
        if abs(mine - low) <= 0.011:
            return wrong(f"{case} is close", hint="Ask `wilson_interval`, and give two places, rounded.")
        hint = "`wilson_interval` takes how many were right, and how many there were."
        return wrong(f"{case} is not where it begins", hint=hint)
    needed = whole(images, "a whole number of images", what="the third number")
    if not 1 <= needed <= 10**15:
        return wrong(f"you ask for {needed:g} images", hint="How many are needed, at least?")
    begins = f"with {needed:,} of {needed:,} it begins at {wilson_interval(needed, needed)[0]:.2%}"
    enough = next(n for n in range(1, 1_000) if wilson_interval(n, n)[0] >= 0.95)
    if needed < enough:
        return wrong(begins, hint="That is too low yet. Ask `wilson_interval` for growing numbers.")
    if needed > enough:
        return wrong(begins, hint="So it does with fewer images. Which is the first number that will do?")
    return right("Four of four fit a network that errs on nearly half of all images. The 78.6 % fit 29 of 34 as well.")


_UNEVEN = torch.tensor([[90, 10, 0], [5, 5, 0], [0, 2, 8]])


@checker("9.3")
def macro_f1(answer):
    """a function of a matrix of counts that returns one number."""
    never_answered, never_right = [[9, 1, 0], [2, 8, 0], [3, 2, 0]], [[9, 1, 0], [2, 8, 1], [3, 2, 0]]
    others = [[[3, 1], [4, 9]], [[7, 0, 1, 0], [2, 5, 0, 1], [0, 0, 9, 0], [1, 1, 1, 30]], never_answered, never_right]
    for counts in (_UNEVEN, *map(torch.tensor, others)):
        case = f"for {counts.tolist()}"
        result = answer(counts.clone())
        mine = number(result, "one number, the mean over the classes", what=f"{case}, what your function returns")
        hits, answered, there = counts.diag(), counts.sum(0), counts.sum(1)
        f1 = 2 * hits / (answered + there)
        if near(mine, f1.mean().item(), places=5):
            continue
        case += f" you get {mine:.4f}"
        precision, recall = (hits / answered).mean(), (hits / there).mean()
        mistakes = {
            "the accuracy": (hits.sum() / counts.sum(), "First an F1 for each class, then their plain mean."),
            "a mean by support": ((f1 * there).sum() / there.sum(), "Macro: every class counts the same."),
            "the F1 of two means": (2 * precision * recall / (precision + recall), "The mean comes last."),
            "the mean precision": (precision, "F1 is made of precision and recall."),
            "the mean recall": (recall, "F1 is made of precision and recall."),
            "the mean F1 of the classes that were ever right": (f1[hits > 0].mean(), "The others count as well."),
            "in per cent": (100 * f1.mean(), "A share, from 0 to 1."),
        }
        for name, (value, hint) in mistakes.items():
            if near(mine, value.item(), places=5):
                return wrong(f"{case}, {name}", hint=hint)
        if near(mine, f1.mean().item(), places=2):
            return wrong(case, hint="Close. Is something rounded, or added below the bar?")
        return wrong(case, hint="For each class 2PR / (P + R), then the mean over the classes.")
    return right("Written with counts, F1 stays the same when truth and answer change places.")


class _Reader(nn.Module):
    """Answers the class that is written in the first pixel; in training mode always class 0."""

    def __init__(self, classes):
        super().__init__()
        self.classes, self.scale = classes, nn.Parameter(torch.ones(()))

    def forward(self, x):
        written = x[:, 0, 0, 0].long() * (not self.training)
        return self.scale * nn.functional.one_hot(written, self.classes)


def _recall(y, answers, classes):
    return y[answers == y].bincount(minlength=classes) / y.bincount(minlength=classes)


def _misread(mine, batches, classes):
    """The verdict on wrong accuracies: of which mistake they are."""
    y, answers = (torch.cat(parts) for parts in zip(*batches, strict=True))
    each = torch.stack([_recall(*batch, classes) for batch in batches])
    hits, answered = y[answers == y].bincount(minlength=classes), answers.bincount(minlength=classes)
    always_first = _recall(y, torch.zeros_like(y), classes)
    mistakes = [
        (each[0], "you count the first batch only", "When does your loop end?"),
        (each[-1], "you count the last batch only", "What becomes of the counts of a batch when the next one comes?"),
        (hits / answered, "you divide by the answers", "That is precision. Divide by the images in the class."),
        (hits / len(y), "you divide by all images", "Divide by the number of images of that class."),
        (always_first, "the model was asked in training mode", "Which call switches dropout and its like off?"),
        (hits.double(), "you count, and do not divide", "A share: by what must each count be divided?"),
        (1 - _recall(y, answers, classes), "you give the share of errors", "Asked is the accuracy."),
        (100 * _recall(y, answers, classes), "you give per cent", "Shares, from 0 to 1."),
    ]
    means = "you average the accuracies of the batches"
    means_hint = "A class may be rare in one batch and absent in the next: add counts, and divide once."
    mistakes += [(mean, means, means_hint) for mean in (each.mean(0), each.nanmean(0), each.nan_to_num().mean(0))]
    for value, finding, hint in mistakes:
        if close(mine, value):
            return wrong(finding, hint=hint)
    pairs = ", ".join(f"{a.tolist()} as {b.tolist()}" for a, b in batches)
    return wrong(
        f"for batches of the classes {pairs} you give {[round(value, 3) for value in mine.tolist()]}",
        hint="For each class: how many of its images were right, by how many it has.",
    )


@checker("9.4")
def per_class_accuracy(answer):
    """a function of (model, loader, classes) that returns one number a class, also where a batch lacks a class."""
    whole_batches = [([0, 0, 1, 2, 1, 2], [0, 1, 1, 2, 0, 1]), ([2, 0, 1, 2], [1, 0, 1, 2]), ([0, 1, 2], [1, 1, 2])]
    lacking = [([4, 0, 1], [3, 1, 1]), ([0], [0]), ([2, 3, 2, 0], [2, 3, 0, 0])]  # in each, some class is missing
    for classes, lists, mode in ((3, whole_batches, True), (5, lacking, True), (2, [([0, 1, 1], [1, 1, 1])], False)):
        batches = [(torch.tensor(y), torch.tensor(answers)) for y, answers in lists]
        loader = [(answers.float().view(-1, 1, 1, 1).repeat(1, 1, 2, 3), y.clone()) for y, answers in batches]
        what = f"what your function returns for batches of the classes {[y for y, _ in lists]}"
        form = "a number for each class"
        mine = table(answer(_Reader(classes).train(mode), loader, classes), form, what=what, finite=False)
        if mine.shape != (classes,):  # first: classes that there are none of may well have given nan
            hint = "One number for each class, even if the last classes are missing in a batch."
            return wrong(f"for {classes} classes you return shape {tuple(mine.shape)}", hint=hint)
        mine = table(mine, form, what=what)
        if not close(mine, _recall(*(torch.cat(parts) for parts in zip(*batches, strict=True)), classes)):
            return _misread(mine, batches, classes)
    return right("It equals the recall, and the sum of the counts equals the number of images: check that every time.")


@checker("9.5")
def shares(answer):
    """a function of a matrix of counts that returns a pair of matrices."""
    form = "two matrices: return recall_matrix, precision_matrix"
    for counts in (_UNEVEN, torch.tensor([[3, 1], [40, 9]]), torch.randint(1, 50, (5, 5))):
        parts = items(answer(counts.clone()), form, what=RETURNED)
        if len(parts) != 2:
            return wrong(f"your function returns {len(parts)} parts", hint=f"Give {form}.")
        recall, precision = (table(part, "a matrix of numbers", what="one of your matrices") for part in parts)
        rows, columns = counts.sum(1, keepdim=True), counts.sum(0, keepdim=True)
        case = f"for {counts.tolist()}"
        if recall.shape != counts.shape or precision.shape != counts.shape:
            finding = f"{case} your shapes are {tuple(recall.shape)} and {tuple(precision.shape)}"
            return wrong(finding, hint="Both are whole matrices, as large as the counts.")
        if close(recall, counts / rows) and close(precision, counts / columns):
            continue
        if close(recall, counts / columns) and close(precision, counts / rows):
            return wrong("the two are swapped", hint="Recall first. It divides by the images of each true class.")
        for name, part, sums, axis in (("recall", recall, rows, 1), ("precision", precision, columns, 0)):
            if close(part, counts / sums):
                continue
            if close(part, (counts / sums).T):
                return wrong(f"{case} your {name} has the truth in columns", hint="Truth stays in rows.")
            line, off = ("column", "row")[axis], (part - counts / sums).abs().max()
            total = part.sum(axis)[(part.sum(axis) - 1).abs().argmax()].item()
            if near(total, 1, places=2):
                finding = f"{case} a number of your {name} is off by {off:.2g}"
                return wrong(finding, hint=f"Each count by the sum of its {line}, and nothing rounded.")
            hint = f"Divide each {line} by its sum."
            if close(part, counts / sums.T):
                hint = "Which sum has divided the number in row 0, column 1, and which should have?"
            return wrong(f"{case} a {line} of your {name} adds up to {total:.3g}", hint=hint)
    return right("Precision gets along without keepdim: a vector of column sums already divides the columns.")


def _wrong_pixels(pictures, images, mean, std):
    """Pixels as they shouldn't reach the model: (pixels, what is wrong with them, a hint)."""
    pixels = pictures / 255
    large, large_hint = "the pixels still go from 0 to 255", "images.mean and images.std are for pixels from 0 to 1."
    own, own_hint = "you normalise by these pictures themselves", "The model has learnt with those of `images`."
    return [
        (pixels, "the pictures are not normalised", "What were the pixels like that the model has learnt from?"),
        (pixels - mean, "the pixels are not divided by images.std", "Normalising has two steps."),
        ((pictures - mean) / std, large, large_hint),
        (pictures.float(), large, large_hint),
        ((pixels - pixels.mean((0, 2, 3), keepdim=True)) / pixels.std((0, 2, 3), keepdim=True), own, own_hint),
        ((pixels - pixels.mean()) / pixels.std(), own, own_hint),
        ((pixels - mean.mean()) / std.mean(), "all channels share one mean", "Each channel has its own: C×1×1."),
        ((pixels - mean) / std**2, "you divide by the variance", "images.std is the deviation already."),
        ((images.x[: len(pictures)] / 255 - mean) / std, "you ask about images.x", "Asked is about `pictures`."),
    ]


@checker("9.6")
def probabilities_of(answer):
    """a function of (model, pictures, images) that returns N×M probabilities; the C means must have shape C×1×1."""
    channels = {3: ([0.2, 0.4, 0.6], [0.1, 0.2, 0.4]), 1: ([0.3], [0.35])}
    for n, c, height, width, classes in ((5, 3, 6, 4, 4), (1, 3, 3, 5, 2), (4, 1, 5, 5, 10)):
        pictures, x = torch.randint(0, 256, (2, max(n, 4), c, height, width), dtype=torch.uint8)
        pictures, y = pictures[:n].clone(), torch.zeros(len(x), dtype=torch.int64)
        images, kept = (Images(x.clone(), y, *map(torch.tensor, channels[c])) for _ in range(2))
        layer = nn.Linear(c * height * width, classes)
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), layer)
        mean, std = kept.mean.view(-1, 1, 1), kept.std.view(-1, 1, 1)
        with torch.no_grad():
            logits = layer(((pictures / 255 - mean) / std).flatten(1))
        form = f"{n}×{classes}"
        mine = tensor(answer(model.train(), pictures, images), form)
        case = f"for {n} pictures of {c}×{height}×{width} and {classes} classes"
        if mine.shape != logits.shape:
            return wrong(f"{case} you return shape {tuple(mine.shape)}", hint="N×M: a row for each picture.")
        if not (torch.equal(images.mean, kept.mean) and torch.equal(images.std, kept.std)):
            return wrong("your function has changed images.mean or images.std", hint="The caller still needs them.")
        if close(mine, logits.softmax(1)):
            continue
        if close(mine, logits):
            return wrong(f"{case} you return logits", hint="What makes probabilities of them?")
        if close(mine, logits.softmax(0)):
            return wrong(
                f"{case} each column adds up to 1", hint="Each row belongs to one picture: it must add up to 1."
            )
        if not close(tensor(answer(model.train(), pictures, images), form), mine):
            return wrong("asked twice, it gives two answers", hint="Which call switches dropout off?")
        for pixels, finding, hint in _wrong_pixels(pictures, kept, mean, std):
            with torch.no_grad():
                wrong_logits = layer(pixels.flatten(1))
            if close(mine, wrong_logits.softmax(1)) or close(mine, wrong_logits):
                return wrong(finding, hint=hint)
        if not close(mine.sum(1), torch.ones(n), tolerance=0.01):
            return wrong(f"{case} a row adds up to {mine.sum(1)[0]:.3g}", hint="Probabilities add up to 1.")
        return wrong(
            f"{case} a probability is off by {(mine - logits.softmax(1)).abs().max():.2g}",
            hint="Look at each step: pixels as `batches` hands them on, a model in evaluation mode, rows of softmax.",
        )
    return right("What prepares images for training should prepare them for every figure too: one function, one place.")


@checker("9.7")
def coverage(answer):
    """a function of (confidence, correct, target) that returns a share, 0 if no share reaches the target."""
    settings = [  # what was right, the surest first; targets
        ("1011111110100", (0.8, 0.75, 0.7501, 0.9, 0.1)),
        ("1111110000", (0.8,)),
        ("01101110000", (0.7, 0.6, 0.5, 1.0)),
        ("11111", (1.0, 0.9)),
        ("1", (0.9,)),
        ("00000000", (0.5,)),
    ]
    for hits, targets in settings:
        n = len(hits)
        by_confidence = torch.tensor([hit == "1" for hit in hits])
        shuffled = torch.tensor([3 * k % n for k in range(n)])
        lowest = 0.985 if n == 10 else 0.6  # those are so close together that round thresholds don't part them
        confidence, correct = torch.linspace(0.99, lowest, n)[shuffled], by_confidence[shuffled]
        kept = torch.arange(1, n + 1)
        for target in targets:
            result = answer(confidence.clone(), correct.clone(), target)
            mine = number(result, "one number, a share", what=RETURNED)
            reached = by_confidence.cumsum(0) / kept >= target
            expected = (kept * reached).max().item() / n
            if near(mine, expected, places=6):
                continue
            case = f"with {' '.join(hits)} (1: right; the surest first) and a target of {target:g} you keep {mine:g}"
            above = by_confidence.cumsum(0) / kept > target
            in_given_order = correct.cumsum(0) / kept >= target
            least_sure = by_confidence.flip(0).cumsum(0) / kept >= target
            mistakes = [
                (n * expected, "A share: divide by the number of images."),
                (100 * expected, "A share, from 0 to 1."),
                ((kept * above).max() / n, "At least: an accuracy of exactly the target is enough."),
                (reached.int().cumprod(0).sum() / n, "Accuracy can fall below the target and come back: go on."),
                ((kept * in_given_order).max() / n, "In which order do the images come?"),
                ((kept * least_sure).max() / n, "Which come first: the surest, or the least sure?"),
                (reached.double().mean(), "Not at how many lengths the accuracy reaches it: the largest such length."),
                ((confidence >= target).double().mean(), "A confidence of 80 % need not mean 80 % right."),
                (1 - expected, "Asked is what it keeps, not what it passes on."),
            ]
            for value, hint in mistakes:
                if near(mine, float(value), places=6):
                    return wrong(case, hint=hint)
            if expected == 0:
                return wrong(case, hint="Give 0 if no share reaches the target.")
            return wrong(
                case, hint="How many of the surest one, two, three … are right, and for which does it suffice?"
            )
    return right("A temperature would not change this order much: to rank answers, calibration is not needed.")
