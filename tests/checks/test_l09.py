"""Every exercise of lesson 9: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torchvision.transforms.functional import normalize

from course_utils import batches, predict
from course_utils.data import Images
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
    return y[answer == y].bincount() / y.bincount()


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
    counts.fill_(0)
    return macro_f1(torch.eye(3))


def macro_f1_by_loops(counts):
    total = 0.0
    for k in range(len(counts)):
        hits, answered, there = counts[k, k].item(), counts[:, k].sum().item(), counts[k].sum().item()
        precision, recall = hits / answered if answered else 0, hits / there
        total += 2 * precision * recall / (precision + recall) if hits else 0
    return total / len(counts)


def macro_f1_by_sklearn(counts):
    places = counts.nonzero().repeat_interleave(counts[counts > 0], dim=0)
    return f1_score(places[:, 0], places[:, 1], average="macro", zero_division=0)


def zero_where_never_answered(counts):
    """Right, but for a class that was answered and never right."""
    precision = torch.where(counts.sum(0) > 0, counts.diag() / counts.sum(0), 0)
    recall = counts.diag() / counts.sum(1)
    f1 = 2 * precision * recall / (precision + recall)
    f1[counts.sum(0) == 0] = 0
    return f1.mean()


def for_three_classes(counts):
    return (2 * counts.diag() / (counts.sum(0) + counts.sum(1))).sum() / 3


def by_predict(model, loader, classes):
    answer, y = predict(model, loader).argmax(1), torch.cat([y for _, y in loader])
    return torch.stack([(answer[y == k] == k).float().mean() for k in range(classes)])


@torch.no_grad()
def by_loops(model, loader, classes):
    model.eval()
    place = next(model.parameters()).device
    right, total = [0] * classes, [0] * classes
    for x, y in loader:
        for truth, logits in zip(y.tolist(), model(x.to(place)), strict=True):
            total[truth] += 1
            right[truth] += int(logits.argmax().item() == truth)
    return [hits / count for hits, count in zip(right, total, strict=True)]


def three_classes(model, loader, classes):
    return per_class(model, loader, 3)


def counts_only(model, loader, classes):
    return per_class(model, loader, classes) * sum(y.bincount(minlength=classes) for _, y in loader)


def first_batch(model, loader, classes):
    return per_class(model, loader[:1], classes)


def short_bincount(model, loader, classes):
    model.eval()
    return sum(y[model(x).argmax(1) == y].bincount() for x, y in loader) / sum(y.bincount() for _, y in loader)


def by_our_batches(model, pictures, images):
    labels = torch.zeros(len(pictures), dtype=torch.int64)
    return predict(model, batches(Images(pictures, labels, images.mean, images.std), 2)).softmax(1)


@torch.no_grad()
def one_by_one(model, pictures, images):
    model.eval()
    rows = []
    for picture in pictures:
        channels = [(c / 255 - m) / s for c, m, s in zip(picture, images.mean, images.std, strict=True)]
        rows.append(torch.softmax(model(torch.stack(channels)[None])[0], dim=0))
    return torch.stack(rows)


def by_torchvision(model, pictures, images):
    pixels = normalize(pictures / 255, images.mean.tolist(), images.std.tolist())
    return F.softmax(model.eval()(pixels), dim=1)


def for_three_channels(model, pictures, images):
    means, deviations = images.mean.expand(3), images.std.expand(3)
    return probabilities(model, pictures, images, mean=means.view(3, 1, 1), std=deviations.view(3, 1, 1))


def by_the_split(model, pictures, images):
    return probabilities(model, images.x[: len(pictures)], images)


def changes_the_mean(model, pictures, images):
    images.mean.sub_(1)
    return probabilities(model, pictures, images, mean=(images.mean + 1).view(-1, 1, 1))


def coverage_by_thresholds(confidence, correct, target):
    """Tries round thresholds only, and so can't part two images that are nearly as sure."""
    chosen = [confidence >= k / 100 for k in range(101)]
    shares = [mask.double().mean().item() for mask in chosen if mask.any() and correct[mask].double().mean() >= target]
    return max(shares, default=0)


def coverage_by_a_loop(confidence, correct, target):
    order = sorted(range(len(correct)), key=lambda k: -confidence[k].item())
    best = right = 0
    for kept, k in enumerate(order, 1):
        right += bool(correct[k])
        best = kept if right / kept >= target else best
    return best / len(order)


def from_the_end(confidence, correct, target):
    correct = correct[confidence.argsort(descending=True)].float()
    for kept in range(len(correct), 0, -1):
        if correct[:kept].mean() >= target:
            return kept / len(correct)
    return 0


def by_thresholds(confidence, correct, target):
    shares = [0.0]
    for threshold in confidence.unique():
        kept = confidence >= threshold
        if correct[kept].double().mean() >= target:
            shares.append(kept.double().mean().item())
    return max(shares)


def by_halving(confidence, correct, target):
    """Right where the accuracy only ever falls."""
    correct = correct[confidence.argsort(descending=True)].float()
    low, high = 0, len(correct)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if correct[:middle].mean() >= target else (low, middle - 1)
    return low / len(correct)


def of_eight(*args):
    return coverage(*args, count=True) / 8


def as_they_come(confidence, correct, target):
    return coverage(torch.arange(len(correct), 0, -1), correct, target)


def at_least_one(*args):
    return max(coverage(*args), 1 / len(args[1]))


RIGHT = {
    "9.1": (1 / 3, 0.8, 0.471),
    "9.2": (0.51, 0.699, 73),
    "9.3": macro_f1,
    "9.4": per_class,
    "9.5": lambda counts: (counts / counts.sum(1, keepdim=True), counts / counts.sum(0, keepdim=True)),
    "9.6": probabilities,
    "9.7": coverage,
}
WRONG = [
    ("9.1", (0.8, 1 / 3, 0.471), "Precision reads the column"),
    ("9.1", (0.55, 0.8, 0.471), "how often was that right"),
    ("9.1", (1 / 3, 0.55, 0.471), "how many of them were found"),
    ("9.1", (1 / 3, 0.8, 0.567), "harmonic mean"),
    ("9.1", (1 / 3, 0.8, 0.235), "half of each"),
    ("9.1", (1 / 3, 0.8, 0.9), "as you have them"),
    ("9.1", 0.471, "three numbers"),
    ("9.1", (0.33, 0.8, 0.47), "three decimal places"),
    ("9.1", (0.333, 0.8, 0.470), "only at the end"),
    ("9.1", (0.334, 0.8, 0.471), "three decimal places"),
    ("9.1", (1.0, 0.4, 0.571), "first class"),
    ("9.1", (0.75, 0.6, 0.667), "third class"),
    ("9.1", (1 / 3, 0.8, float("nan")), "divided by 0"),
    ("9.1", (1 / 3, 0.8, ...), "still missing"),
    ("9.1", ("1/3", 0.8, 0.471), "plain numbers"),
    ("9.1", torch.tensor([0.8, 1 / 3, 0.471]), "Precision reads the column"),
    ("9.1", (33.3, 80, 47.1), "from 0 to 1"),
    ("9.1", np.array([1 / 3, 0.8, 0.567]), "harmonic mean"),
    ("9.2", (1.0, 0.699, 73), "where it begins"),
    ("9.2", torch.tensor([0.51, 0.699, 72]), "too low yet"),
    ("9.2", [[0.51, 1.0], [0.70, 0.94], 73], "where the interval begins"),
    ("9.2", (0.51, 0.853, 73), "gives both ends"),
    ("9.2", (0.51, 0.936, 73), "where it begins"),
    ("9.2", (0.40, 0.699, 73), "how many were right"),
    ("9.2", (0.699, 0.51, 73), "how many were right"),
    ("9.2", (0.52, 0.699, 73), "two places"),
    ("9.2", (0.51, 0.69, 73), "two places"),  # cut off
    ("9.2", (0.53, 0.699, 73), "how many were right"),
    ("9.2", (0.51, 0.7085, 73), "two places"),
    ("9.2", (51, 69.9, 73), "from 0 to 1"),
    ("9.2", (0.51, 0.734, 73), "Ask `wilson_interval`"),
    ("9.2", (0.51, 0.699, 59), "too low yet"),
    ("9.2", (0.51, 0.699, 72), "too low yet"),
    ("9.2", (0.51, 0.699, 74), "with fewer"),
    ("9.2", (0.51, 0.699, 10**12), "with fewer"),
    ("9.2", (0.51, 0.699, 1e300), "at least"),
    ("9.2", (0.51, 0.699, 72.9), "whole number of images"),
    ("9.2", (0.51, 0.699, -73), "at least"),
    ("9.2", (0.51, 0.699, 0), "at least"),
    ("9.2", (0.51, 0.94), "three numbers"),
    ("9.2", ((0.51, 1.0), (0.70, 0.94), 73), "where the interval begins"),
    ("9.3", lambda counts: counts.trace() / counts.sum(), "First an F1"),
    ("9.3", f1_of_means, "comes last"),
    ("9.3", lambda c: (2 * c.diag() / (c.sum(0) + c.sum(1)) * c.sum(1)).sum() / c.sum(), "every class counts the same"),
    ("9.3", lambda counts: (counts.diag() / counts.sum(1)).mean(), "precision and recall"),
    ("9.3", lambda counts: (counts.diag() / counts.sum(0)).mean(), "precision and recall"),
    ("9.3", lambda counts: macro_f1(counts) / 2, "2PR / (P + R), then"),
    ("9.3", macro_f1_of_ratios, "divided by 0"),
    ("9.3", zero_where_never_answered, "divided by 0"),
    ("9.3", lambda counts: macro_f1_of_ratios(counts, empty="left out"), "count as well"),
    ("9.3", lambda c: 2 * c.diag() / (c.sum(0) + c.sum(1)), "the mean over the classes"),
    ("9.3", for_three_classes, "2PR / (P + R), then"),
    ("9.3", lambda counts: round(macro_f1(counts).item(), 2), "rounded"),
    ("9.3", lambda counts: 100 * macro_f1(counts), "from 0 to 1"),
    ("9.3", in_place, "Make new ones"),
    ("9.4", lambda *args: 100 * per_class(*args), "you give per cent"),
    ("9.4", first_batch, "When does your loop end"),
    ("9.4", short_bincount, "lacks a class"),
    ("9.4", lambda *args: per_class(*args, last=True), "when the next one comes"),
    ("9.4", lambda *args: per_class(*args, evaluate=False), "switches dropout"),
    ("9.4", mean_of_batches, "add counts"),
    ("9.4", lambda *args: mean_of_batches(*args, absent="left out"), "add counts"),
    ("9.4", lambda *args: per_class(*args, by_all=True), "of that class"),
    ("9.4", lambda *args: 1 - per_class(*args), "Asked is the accuracy"),
    ("9.4", counts_only, "must each count be divided"),
    ("9.4", lambda *args: per_class(*args).mean(), "One number for each class"),
    ("9.4", three_classes, "raised"),
    ("9.4", lambda model, loader, classes: per_class(model, loader, 10), "for 3 classes you return shape (10,)"),
    ("9.4", lambda model, loader, classes: (0.5, 0.5), "for 3 classes you return shape (2,)"),
    ("9.4", without_minlength, "lacks a class"),
    ("9.4", lambda *args: per_class(*args) ** 2, "how many it has"),
    ("9.4", precision, "That is precision"),
    ("9.5", lambda counts: (counts / counts.sum(1), counts / counts.sum(0)), "Which sum has divided"),
    ("9.5", lambda counts: (counts / counts.sum(0), counts / counts.sum(1, keepdim=True)), "Recall first"),
    ("9.5", lambda c: (c / c.sum(1, keepdim=True), c / c.sum(0)[:, None]), "Which sum has divided"),
    ("9.5", lambda c: (c / c.sum(), c / c.sum(0)), "Divide each row"),
    ("9.5", lambda c: (c / c.sum(1, keepdim=True), c / c.sum()), "Divide each column"),
    ("9.5", lambda c: (c.T / c.sum(1), c / c.sum(0)), "Truth stays in rows"),
    ("9.5", lambda c: (c.diag() / c.sum(1), c.diag() / c.sum(0)), "Both are whole matrices"),
    ("9.5", lambda counts: counts / counts.sum(1, keepdim=True), "recall_matrix, precision_matrix"),
    ("9.5", lambda c: (c / c.sum(1).view(3, 1), c / c.sum(0).view(1, 3)), "raised"),
    ("9.5", lambda c: (c.float().softmax(1), c.float().softmax(0)), "Each count by the sum of its row"),
    ("9.5", lambda c: ((c / c.sum(1, keepdim=True)).round(decimals=2), c / c.sum(0)), "nothing rounded"),
    ("9.5", lambda c: (c / c.sum(1, keepdim=True), c / c.sum(0), c), "two matrices"),
    ("9.5", lambda c: {"recall": c / c.sum(1, keepdim=True), "precision": c / c.sum(0)}, "two matrices"),
    ("9.5", lambda c: (100 * c / c.sum(1, keepdim=True), 100 * c / c.sum(0)), "Divide each row"),
    ("9.6", lambda *args: probabilities(*args, mean=args[2].mean), "C×1×1"),
    ("9.6", lambda *args: probabilities(*args).round(decimals=3), "a probability is off"),
    ("9.6", lambda *args: probabilities(*args, mean=0, std=1), "What were the pixels like"),
    ("9.6", lambda *args: probabilities(*args, mean=0, std=1, softmax=False), "What were the pixels like"),
    ("9.6", lambda *args: probabilities(*args, scale=1), "pixels from 0 to 1"),
    ("9.6", lambda *args: probabilities(*args, scale=1, mean=0, std=1), "pixels from 0 to 1"),
    ("9.6", lambda *args: probabilities(*args, softmax=False), "makes probabilities"),
    ("9.6", lambda *args: probabilities(*args, evaluate=False), "switches dropout off"),
    ("9.6", lambda *args: probabilities(*args).max(1).values, "N×M"),
    ("9.6", lambda *args: probabilities(*args).argmax(1), "N×M"),
    ("9.6", lambda *args: probabilities(*args) ** 2, "Probabilities add up to 1"),
    ("9.6", lambda *args: probabilities(*args).log(), "Probabilities add up to 1"),
    ("9.6", lambda *args: probabilities(*args).softmax(1), "Look at each step"),
    ("9.6", lambda *args: probabilities(*args, softmax=False).sigmoid(), "Probabilities add up to 1"),
    ("9.6", lambda *args: probabilities(*args, softmax=False).softmax(0), "one picture"),
    ("9.6", lambda *args: probabilities(*args, std=1), "two steps"),
    ("9.6", lambda *args: probabilities(*args, scale=256), "Look at each step"),
    ("9.6", lambda model, pictures, images: model(pictures / 255 - images.mean), "raised"),
    ("9.6", by_their_own, "learnt with those of"),
    ("9.6", one_mean, "Each channel has its own"),
    ("9.6", for_three_channels, "raised"),
    ("9.6", by_the_split, "Asked is about `pictures`"),
    ("9.6", changes_the_mean, "still needs them"),
    ("9.7", coverage_by_thresholds, "surest one, two, three"),
    ("9.7", lambda *args: coverage(*args, first_failure=True), "come back"),
    ("9.7", lambda *args: coverage(*args, count=True), "divide by the number"),
    ("9.7", lambda *args: coverage(*args, descending=False), "the least sure"),
    ("9.7", lambda confidence, correct, target: (confidence >= target).float().mean(), "need not mean"),
    ("9.7", above, "exactly the target"),
    ("9.7", lengths, "the largest such length"),
    ("9.7", at_least_one, "Give 0"),
    ("9.7", by_halving, "come back"),
    ("9.7", of_eight, "How many of the surest"),
    ("9.7", as_they_come, "In which order"),
    ("9.7", lambda *args: 100 * coverage(*args), "from 0 to 1"),
    ("9.7", lambda *args: 1 - coverage(*args), "passes on"),
    ("9.7", lambda confidence, correct, target: coverage(confidence, correct, target - 0.01), "How many of the surest"),
    ("9.7", lambda confidence, correct, target: correct.double().mean(), "How many of the surest"),
]


class TestLesson09(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)


OTHER_FORMS = [
    ("9.2", (0.5101, 0.6987, 73.0)),
    ("9.3", macro_f1_by_loops),
    ("9.3", macro_f1_by_sklearn),
    ("9.3", lambda counts: macro_f1_of_ratios(counts.double(), empty="left out") * (counts.diag() > 0).double().mean()),
    ("9.4", by_predict),
    ("9.4", by_loops),
    ("9.4", lambda *args: np.array(by_loops(*args))),
    ("9.5", lambda counts: torch.stack(RIGHT["9.5"](counts))),
    ("9.5", lambda counts: [(counts.T / counts.sum(1)).T.tolist(), (counts.numpy() / counts.numpy().sum(0))]),
    ("9.6", by_our_batches),
    ("9.6", one_by_one),
    ("9.6", by_torchvision),
    ("9.7", coverage_by_a_loop),
    ("9.7", from_the_end),
    ("9.7", by_thresholds),
    ("9.7", lambda *args: torch.tensor(coverage(*args))),
]


@pytest.mark.parametrize(("exercise", "answer"), OTHER_FORMS)
def test_other_forms_of_a_right_answer_are_right(exercise, answer):
    assert check(exercise, answer)


def test_an_answer_that_overwrites_its_counts_spoils_no_later_one():
    for exercise in ("9.3", "9.5"):
        assert not check(exercise, in_place)
        assert check(exercise, RIGHT[exercise])
