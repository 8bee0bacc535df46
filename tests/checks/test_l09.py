"""Every exercise of lesson 9: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import numpy as np
import torch

from course_utils.exercises import check
from tests.checks.checkers import Checkers


def macro_f1(counts):
    return (2 * counts.diag() / (counts.sum(0) + counts.sum(1))).mean()


def macro_f1_of_ratios(counts, empty=None):
    precision, recall = counts.diag() / counts.sum(0), counts.diag() / counts.sum(1)
    f1 = 2 * precision * recall / (precision + recall)
    return f1.mean() if empty is None else f1[~f1.isnan()].mean()


def f1_of_means(counts):
    precision, recall = (counts.diag() / counts.sum(0)).mean(), (counts.diag() / counts.sum(1)).mean()
    return 2 * precision * recall / (precision + recall)


def per_class(model, loader, classes, *, evaluate=True, last=False, by_all=False):
    model.train(not evaluate)
    right = total = 0
    for x, y in loader:
        if last:
            right = total = 0
        right = right + y[model(x).argmax(1) == y].bincount(minlength=classes)
        total = total + y.bincount(minlength=classes)
    return right / (total.sum() if by_all else total)


def mean_of_batches(model, loader, classes, absent=None):
    shares = torch.stack([per_class(model, [batch], classes) for batch in loader])
    return shares.mean(0) if absent is None else shares.nanmean(0)


def without_minlength(model, loader, classes):
    model.eval()
    answer, y = torch.cat([model(x).argmax(1) for x, _ in loader]), torch.cat([y for _, y in loader])
    return y[answer == y].bincount()


def precision(model, loader, classes):
    model.eval()
    answer, y = torch.cat([model(x).argmax(1) for x, _ in loader]), torch.cat([y for _, y in loader])
    return y[answer == y].bincount(minlength=classes) / answer.bincount(minlength=classes)


def probabilities(model, pictures, images, *, scale=255, mean=None, std=None, evaluate=True, softmax=True):
    model.train(not evaluate)
    mean = images.mean.view(-1, 1, 1) if mean is None else mean
    std = images.std.view(-1, 1, 1) if std is None else std
    logits = model((pictures / scale - mean) / std)
    return logits.softmax(1) if softmax else logits


def by_their_own(model, pictures, images):
    return probabilities(model, pictures, images, mean=(pictures / 255).mean(), std=(pictures / 255).std())


def one_mean(model, pictures, images):
    return probabilities(model, pictures, images, mean=images.mean.mean(), std=images.std.mean())


def coverage(confidence, correct, target, *, descending=True, first_failure=False, count=False):
    kept = torch.arange(1, len(correct) + 1)
    reached = correct[confidence.argsort(descending=descending)].cumsum(0) / kept >= target
    if first_failure:
        reached = reached.int().cumprod(0)
    return (kept * reached).max().item() / (1 if count else len(correct))


def above(confidence, correct, target):
    return coverage(confidence, correct, target + 1e-6)


def lengths(confidence, correct, target):
    kept = torch.arange(1, len(correct) + 1)
    return (correct[confidence.argsort(descending=True)].cumsum(0) / kept >= target).double().mean()


def in_place(counts):
    return counts.fill_(0).sum()


def first_batch(model, loader, classes):
    return per_class(model, loader[:1], classes)


def short_bincount(model, loader, classes):
    model.eval()
    return sum(y[model(x).argmax(1) == y].bincount() for x, y in loader) / sum(y.bincount() for _, y in loader)


def at_least_one(*args):
    return max(coverage(*args), 1 / len(args[1]))


RIGHT = {
    "9.1": (1 / 3, 0.8, 0.471),
    "9.2": (0.51, 0.699, 73),
    "9.3": macro_f1,
    "9.4": per_class,
    "9.5": lambda counts: (counts / counts.sum(1, keepdim=True), counts / counts.sum(0)),
    "9.6": probabilities,
    "9.7": coverage,
}
WRONG = [
    ("9.1", (0.8, 1 / 3, 0.471), "Precision reads the column"),
    ("9.1", (0.55, 0.8, 0.471), "in its column"),
    ("9.1", (1 / 3, 0.55, 0.471), "in its row"),
    ("9.1", (1 / 3, 0.8, 0.567), "harmonic mean"),
    ("9.1", (1 / 3, 0.8, 0.235), "as you have them"),
    ("9.1", 0.471, "three numbers"),
    ("9.1", (0.33, 0.8, 0.47), "three places"),
    ("9.1", torch.tensor([0.8, 1 / 3, 0.471]), "Precision reads the column"),
    ("9.1", (33.3, 80, 47.1), "from 0 to 1"),
    ("9.1", np.array([1 / 3, 0.8, 0.567]), "harmonic mean"),
    ("9.2", (1.0, 0.699, 73), "gives both ends"),
    ("9.2", torch.tensor([0.51, 0.699, 72]), "at least 0.95"),
    ("9.2", [[0.51, 1.0], [0.70, 0.94], 73], "where they begin"),
    ("9.2", (0.51, 0.853, 73), "gives both ends"),
    ("9.2", (0.51, 0.936, 73), "where it begins"),
    ("9.2", (0.40, 0.699, 73), "wilson_interval(4, 4)"),
    ("9.2", (0.51, 0.735, 73), "wilson_interval(29, 34)"),
    ("9.2", (0.51, 0.699, 59), "growing n"),
    ("9.2", (0.51, 0.699, 72), "at least 0.95"),
    ("9.2", (0.51, 0.94), "three numbers"),
    ("9.2", ((0.51, 1.0), (0.70, 0.94), 73), "where they begin"),
    ("9.3", lambda counts: counts.trace() / counts.sum(), "First an F1"),
    ("9.3", f1_of_means, "not the reverse"),
    ("9.3", lambda c: (2 * c.diag() / (c.sum(0) + c.sum(1)) * c.sum(1)).sum() / c.sum(), "every class counts the same"),
    ("9.3", lambda counts: (counts.diag() / counts.sum(1)).mean(), "precision and recall"),
    ("9.3", lambda counts: macro_f1(counts) / 2, "2PR / (P + R), then"),
    ("9.3", macro_f1_of_ratios, "Multiply"),
    ("9.3", lambda counts: macro_f1_of_ratios(counts, empty="left out"), "F1 of 0"),
    ("9.3", lambda c: 2 * c.diag() / (c.sum(0) + c.sum(1)), "their mean"),
    ("9.4", first_batch, "behind the loop"),
    ("9.4", short_bincount, "minlength"),
    ("9.4", lambda *args: per_class(*args, last=True), "inside the loop"),
    ("9.4", lambda *args: per_class(*args, evaluate=False), "switches dropout"),
    ("9.4", mean_of_batches, "add counts"),
    ("9.4", lambda *args: mean_of_batches(*args, absent="left out"), "add counts"),
    ("9.4", lambda *args: per_class(*args, by_all=True), "of that class"),
    ("9.4", lambda *args: 1 - per_class(*args), "how many it has"),
    ("9.4", without_minlength, "minlength"),
    ("9.4", precision, "That is precision"),
    ("9.5", lambda counts: (counts / counts.sum(1), counts / counts.sum(0)), "Keep the summed axis"),
    ("9.5", lambda counts: (counts / counts.sum(0), counts / counts.sum(1, keepdim=True)), "Recall first"),
    ("9.5", lambda c: (c / c.sum(1, keepdim=True), c / c.sum(0)[:, None]), "Keep the summed axis"),
    ("9.5", lambda c: (c / c.sum(), c / c.sum(0)), "Divide each row"),
    ("9.5", lambda c: (c.T / c.sum(1), c / c.sum(0)), "Transpose"),
    ("9.5", lambda c: (c.diag() / c.sum(1), c.diag() / c.sum(0)), "Two whole matrices"),
    ("9.5", lambda counts: counts / counts.sum(1, keepdim=True), "recall_matrix, precision_matrix"),
    ("9.6", lambda *args: probabilities(*args, mean=0, std=1), "Subtract images.mean"),
    ("9.6", lambda *args: probabilities(*args, scale=1), "Divide by 255"),
    ("9.6", lambda *args: probabilities(*args, scale=1, mean=0, std=1), "Divide by 255"),
    ("9.6", lambda *args: probabilities(*args, softmax=False), "softmax(1)"),
    ("9.6", lambda *args: probabilities(*args, evaluate=False), "switches dropout off"),
    ("9.6", lambda *args: probabilities(*args).max(1).values, "N×M"),
    ("9.6", lambda *args: probabilities(*args) ** 2, "model, softmax"),
    ("9.6", lambda *args: probabilities(*args, softmax=False).softmax(0), "one picture"),
    ("9.6", lambda model, pictures, images: model(pictures / 255 - images.mean), "C×1×1"),
    ("9.6", by_their_own, "training split"),
    ("9.6", one_mean, "each channel"),
    ("9.7", lambda *args: coverage(*args, first_failure=True), "the first failure"),
    ("9.7", lambda *args: coverage(*args, count=True), "divide by the number"),
    ("9.7", lambda *args: coverage(*args, descending=False), "surest first"),
    ("9.7", lambda confidence, correct, target: (confidence >= target).float().mean(), "need not mean"),
    ("9.7", above, "exactly the target"),
    ("9.7", lengths, "the largest such length"),
    ("9.7", at_least_one, "Give 0"),
]


class TestLesson09(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)


def test_two_stacked_matrices_are_a_pair():
    assert check("9.5", lambda counts: torch.stack(RIGHT["9.5"](counts)))


def test_an_answer_that_overwrites_its_counts_spoils_no_later_one():
    for exercise in ("9.3", "9.5"):
        assert not check(exercise, in_place)
        assert check(exercise, RIGHT[exercise])
