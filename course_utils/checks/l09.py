"""Checkers of lesson 9, Reading results."""

import torch
from torch import nn

from course_utils.data import Images
from course_utils.exercises import as_list, checker, right, wrong
from course_utils.metrics import wilson_interval


def _near(a, b, within=1e-4):
    return abs(float(a) - float(b)) <= within


@checker("9.1")
def middle(answer):
    """three numbers, (precision, recall, F1)."""
    answer = as_list(answer)
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        return wrong(f"your answer is {answer!r}", hint="Give three numbers: (precision, recall, F1).")
    if max(answer) > 1:
        return wrong(f"{max(answer):g} is more than 1", hint="Give shares, from 0 to 1.")
    precision, recall, f1 = answer
    if _near(precision, 4 / 5, 6e-4) and _near(recall, 4 / 12, 6e-4):
        return wrong("precision and recall are swapped", hint="Precision reads the column of answers, recall the row.")
    off = max(abs(mine - true) for mine, true in zip(answer, (4 / 12, 4 / 5, 8 / 17), strict=True))
    if 6e-4 < off < 6e-3:
        return wrong(f"a number is off by {off:.3f}", hint="Give three places behind the point.")
    if not _near(precision, 4 / 12, 6e-4):
        return wrong(f"your precision is {precision:g}", hint="Of the 6 + 4 + 2 in its column, how many are right?")
    if not _near(recall, 4 / 5, 6e-4):
        return wrong(f"your recall is {recall:g}", hint="Of the 0 + 4 + 1 in its row, how many are found?")
    if _near(f1, (4 / 12 + 4 / 5) / 2, 6e-4):
        return wrong(f"{f1:g} is the plain mean of the two", hint="F1 is the harmonic mean, 2PR / (P + R).")
    if not _near(f1, 8 / 17, 6e-4):
        return wrong(f"your F1 is {f1:g}", hint="2PR / (P + R), with P and R as you have them.")
    return right("2PR / (P + R) is 2·4 / (12 + 5): twice the hits, by the sum of column and row.")


@checker("9.2")
def four(answer):
    """three numbers: where the interval begins for 4 of 4 and for 29 of 34, and how many images are needed."""
    answer = as_list(answer)
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        return wrong(f"your answer is {answer!r}", hint="Give three numbers: two lower ends and a number of images.")
    if any(isinstance(end, tuple | list) for end in answer):
        return wrong("you give whole intervals", hint="Asked is where they begin: wilson_interval(4, 4)[0].")
    for mine, correct, total in ((answer[0], 4, 4), (answer[1], 29, 34)):
        low, high = wilson_interval(correct, total)
        if _near(mine, correct / total, 1e-3):
            return wrong(f"{mine:g} is the share {correct}/{total} itself", hint="`wilson_interval` gives both ends.")
        if _near(mine, high, 5e-3):
            return wrong(f"{mine:g} is the upper end for {correct} of {total}", hint="Asked is where it begins.")
        if not _near(mine, low, 5e-3):
            return wrong(f"{mine:g} for {correct} of {total}", hint=f"Try wilson_interval({correct}, {total}).")
    enough = next(n for n in range(1, 1_000) if wilson_interval(n, n)[0] >= 0.95)
    if answer[2] in (20, 59):
        return wrong(
            f"with {answer[2]} images it begins at {wilson_interval(answer[2], answer[2])[0]:.1%}",
            hint="Try wilson_interval(n, n) for growing n.",
        )
    if answer[2] != enough:
        n = max(int(answer[2]), 1)
        return wrong(
            f"with {n} of {n} it begins at {wilson_interval(n, n)[0]:.2%}",
            hint="The smallest n for which wilson_interval(n, n)[0] is at least 0.95.",
        )
    return right("Four right of four fit a network that errs on half of all images. The 78.6 % fit 29 of 34 as well.")


_UNEVEN = torch.tensor([[90, 10, 0], [5, 5, 0], [0, 2, 8]])
_NEVER = torch.tensor([[9, 1, 0], [2, 8, 0], [3, 2, 0]])  # nobody ever answered the third class


def _f1(counts):
    return 2 * counts.diag() / (counts.sum(0) + counts.sum(1))


@checker("9.3")
def macro_f1(answer):
    """a function of a matrix of counts that returns one number."""
    mine = torch.as_tensor(answer(_UNEVEN.clone()))
    if mine.shape == (3,):
        return wrong("you return one number for each class", hint="Macro F1 is their mean.")
    mine, expected = mine.item(), _f1(_UNEVEN).mean().item()
    precision, recall = _UNEVEN.diag() / _UNEVEN.sum(0), _UNEVEN.diag() / _UNEVEN.sum(1)
    case = f"for {_UNEVEN.tolist()} you get {mine:.4f}"
    if _near(mine, _UNEVEN.trace() / _UNEVEN.sum()):
        return wrong(f"{case}, which is the accuracy", hint="First an F1 for each class, then their plain mean.")
    if _near(mine, (_f1(_UNEVEN) * _UNEVEN.sum(1)).sum() / _UNEVEN.sum()):
        return wrong(f"{case}, a mean by support", hint="Macro: every class counts the same, however large.")
    p, r = precision.mean(), recall.mean()
    if _near(mine, 2 * p * r / (p + r)):
        return wrong(f"{case}, the F1 of two means", hint="First each class's F1, then their mean; not the reverse.")
    if _near(mine, r) or _near(mine, p):
        return wrong(f"{case}, the mean of one of the two only", hint="F1 is made of precision and recall.")
    if not _near(mine, expected):
        return wrong(case, hint="For each class 2PR / (P + R), then the mean over the classes.")
    mine = float(answer(_NEVER.clone()))
    if mine != mine:
        return wrong(
            "a class that was never answered makes it NaN",
            hint="0 / 0 appears where a column is empty. Multiply 2PR / (P + R) out until it does not.",
        )
    if not _near(mine, _f1(_NEVER).mean()):
        return wrong(
            f"with a class that was never answered you get {mine:.4f}", hint="It counts as a class with an F1 of 0."
        )
    return right("Written with counts, F1 stays the same when truth and answer change places.")


class _Reader(nn.Module):
    """Answers the class that is written in the first pixel; in training mode always class 0."""

    def forward(self, x):
        return nn.functional.one_hot(x[:, 0, 0, 0].long() * (not self.training), 4).float()


def _loader(pairs, sizes):
    """Batches of these sizes; each pair is (truth, answer)."""
    y, answers = torch.tensor(pairs).T
    return list(zip(answers.float().view(-1, 1, 1, 1).split(sizes), y.split(sizes), strict=True))


@checker("9.4")
def per_class_accuracy(answer):
    """a function of (model, loader, classes) that returns one number a class. A batch may lack a class: minlength."""
    loader = _loader([(0, 0), (0, 1), (1, 1), (2, 2), (3, 0), (0, 0), (1, 1), (2, 1), (1, 0)], [5, 4])
    expected = torch.tensor([2 / 3, 2 / 3, 1 / 2, 0])
    mine = torch.as_tensor(answer(_Reader().train(), loader, 4), dtype=torch.float32).cpu()
    if mine.shape != (4,):
        return wrong(
            f"for four classes you return shape {tuple(mine.shape)}",
            hint="One number for each class: bincount needs minlength, as the last class may be missing in a batch.",
        )
    if torch.allclose(mine, torch.tensor([1 / 2, 1, 1, 0])):
        return wrong("you count the first batch only", hint="`return` belongs behind the loop, not inside it.")
    if torch.allclose(mine, torch.tensor([1, 1 / 2, 0, torch.nan]), equal_nan=True):
        return wrong("you count the last batch only", hint="What is added up must be added inside the loop.")
    if torch.allclose(mine, torch.tensor([1 / 2, 1 / 2, 1, torch.nan]), equal_nan=True):
        return wrong("you divide by the answers", hint="That is precision. Divide by the images in the class.")
    if torch.allclose(mine, torch.tensor([1.0, 0, 0, 0])):
        return wrong("the model was asked in training mode", hint="Which call switches dropout and its like off?")
    if mine.isnan().any() or torch.allclose(mine, torch.tensor([3 / 4, 3 / 4, 1 / 2, 0])):
        return wrong(
            "you average the accuracies of the batches",
            hint="A class may be rare in one batch and absent in the next: add counts, and divide once.",
        )
    if torch.allclose(mine, expected * torch.tensor([3.0, 3, 2, 1]) / 9):
        return wrong("you divide by all images", hint="Divide by the number of images of that class.")
    if not torch.allclose(mine, expected, atol=1e-6):
        k = (mine - expected).abs().argmax()
        return wrong(
            f"class {k} has {mine[k]:.3g} in your answer, and should have {expected[k]:.3g}",
            hint="For each class: how many of its images were right, by how many it has.",
        )
    return right("It equals the recall, and the sum of the counts equals the number of images: check that every time.")


@checker("9.5")
def shares(answer):
    """a function of a matrix of counts that returns a pair of matrices."""
    mine = answer(_UNEVEN.clone())
    if not isinstance(mine, tuple | list | torch.Tensor) or len(mine) != 2:
        return wrong("you do not return two matrices", hint="return recall_matrix, precision_matrix")
    recall, precision = (torch.as_tensor(part, dtype=torch.float32) for part in mine)
    rows, columns = _UNEVEN.sum(1, keepdim=True), _UNEVEN.sum(0, keepdim=True)
    if recall.shape != _UNEVEN.shape or precision.shape != _UNEVEN.shape:
        return wrong(f"your shapes are {tuple(recall.shape)} and {tuple(precision.shape)}", hint="Two whole matrices.")
    if torch.allclose(recall, _UNEVEN / columns) and torch.allclose(precision, _UNEVEN / rows):
        return wrong("the two are swapped", hint="Recall first. It divides by the images of each true class: rows.")
    if torch.allclose(recall, (_UNEVEN / rows).T):
        return wrong("your recall has the truth in columns", hint="Transpose it back, or divide with keepdim=True.")
    for name, part, sums, axis in (("recall", recall, rows, 1), ("precision", precision, columns, 0)):
        if torch.allclose(part, _UNEVEN / sums):
            continue
        line = ("row", "column")[1 - axis]
        if torch.allclose(part, _UNEVEN / rows.T) or torch.allclose(part, _UNEVEN / columns.T):
            hint = "A vector of sums divides the columns. Keep the summed axis, and it divides the rows."
        else:
            hint = f"Divide each {line} by its sum."
        return wrong(f"a {line} of your {name} adds up to {part.sum(axis).max():.3g}", hint=hint)
    return right("Precision gets along without keepdim: a vector of column sums already divides the columns.")


@checker("9.6")
def probabilities_of(answer):
    """a function of (model, pictures, images) that returns N×M probabilities. One mean for each channel is C×1×1."""
    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (5, 3, 6, 6), dtype=torch.uint8)
    images = Images(pictures, torch.zeros(5, dtype=torch.int64), mean=[0.2, 0.4, 0.6], std=[0.1, 0.2, 0.4])
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 4), nn.Dropout(0.5)).train()

    def ask(x):
        return nn.functional.linear(x.flatten(1), model[1].weight, model[1].bias).detach()

    mean, std = images.mean.view(-1, 1, 1), images.std.view(-1, 1, 1)
    expected = ask((pictures / 255 - mean) / std)
    mine = torch.as_tensor(answer(model, pictures, images)).detach().float()
    if mine.shape != expected.shape:
        return wrong(f"five pictures and four classes give shape {tuple(mine.shape)}", hint="N×M, one row a picture.")

    def equals(logits):
        return torch.allclose(mine, logits.softmax(1), atol=1e-5)

    if torch.allclose(mine, expected.softmax(0), atol=1e-5):
        return wrong("each column adds up to 1", hint="Each row belongs to one picture: softmax(1).")
    if torch.allclose(mine, expected, atol=1e-4):
        return wrong("these are logits", hint="softmax(1) makes probabilities of them.")
    if equals(ask(pictures / 255)):
        return wrong("the pictures are not normalised", hint="Subtract images.mean, divide by images.std.")
    if equals(ask((pictures - mean) / std)) or equals(ask(pictures.float())):
        return wrong("the pixels still go from 0 to 255", hint="Divide by 255 first: mean and std are of 0 to 1.")
    own = pictures / 255
    if equals(ask((own - own.mean((0, 2, 3), keepdim=True)) / own.std((0, 2, 3), keepdim=True))) or equals(
        ask((own - own.mean()) / own.std())
    ):
        return wrong("you normalise by these five pictures", hint="By the training split: images.mean and images.std.")
    if equals(ask((own - images.mean.mean()) / images.std.mean())):
        return wrong("all channels share one mean", hint="One for each channel: .view(-1, 1, 1) turns C into C×1×1.")
    if not equals(expected):
        again = torch.as_tensor(answer(model.train(), pictures, images)).detach().float()
        if not torch.equal(mine, again):
            return wrong("asked twice, it gives two answers", hint="Which call switches dropout off?")
        return wrong("the probabilities are not the model's", hint="(pixel / 255 − mean) / std, model, softmax(1).")
    return right("What prepares images for training should prepare them for every figure too: one function, one place.")


@checker("9.7")
def coverage(answer):
    """a function of (confidence, correct, target) that returns a share, 0 if no share reaches the target."""
    confidence = torch.tensor([0.95, 0.60, 0.99, 0.50, 0.90, 0.80, 0.55, 0.70])
    correct = torch.tensor([False, True, True, False, True, True, False, True])
    # The surest first: right, wrong, then four right, then two wrong; all eight are right in exactly 0.625.
    for target, expected in ((0.8, 6 / 8), (0.625, 1.0), (0.9, 1 / 8)):
        mine = float(answer(confidence, correct, target))
        if _near(mine, expected, 1e-6):
            continue
        case = f"with a target of {target:g} you keep {mine:g}"
        if _near(mine, 8 * expected, 1e-6):
            return wrong(case, hint="A share: divide by the number of images.")
        if _near(mine, (confidence >= target).float().mean(), 1e-6):
            return wrong(case, hint="A confidence of 80 % need not mean 80 % right. Use what was right.")
        if target == 0.8 and _near(mine, 1 / 8, 1e-6):
            hint = "The accuracy can fall below the target and come back: do not stop at the first failure."
            return wrong(case, hint=hint)
        if target == 0.8 and _near(mine, 3 / 8, 1e-6):
            return wrong(case, hint="Not at how many lengths the accuracy reaches it: the largest such length.")
        if target == 0.625 and _near(mine, 7 / 8, 1e-6):
            return wrong(case, hint="At least: an accuracy of exactly the target is enough.")
        return wrong(case, hint="Sort by confidence, the surest first; cumsum counts the right ones so far.")
    if not _near(answer(confidence, torch.zeros(8, dtype=torch.bool), 0.5), 0, 1e-6):
        return wrong("where nothing is right you keep some", hint="Give 0 if no share reaches the target.")
    return right("A temperature would not change this order much: to rank answers, calibration is not needed.")
