"""Every exercise of lesson 17: the mended function is right, the published one wrong, mistakes get their hint."""

import copy
import statistics

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.exercises import check
from course_utils.records import recorded
from tests.checks.checkers import Checkers
from tools.common import ROOT, read_notebook


def split(images, *, first=0.8, second=0.8, shuffled=True):
    n = len(images)
    order = torch.randperm(n) if shuffled else torch.arange(n)
    return images[order[: int(n * first + 0.5)]], images[order[int(n * second + 0.5) :]]


def backwards(images):
    order = torch.arange(len(images)).flip(0)
    cut = len(images) * 8 // 10
    return images[order[:cut]], images[order[cut:]]


def sorted_halves(images):
    train, valid = torch.randperm(len(images)).tensor_split([len(images) * 8 // 10])
    return images[train.sort().values], images[valid.sort().values]


def with_doubles(images):
    order = torch.randint(len(images), (len(images),))
    cut = len(images) * 8 // 10
    some, others = order[:cut] % cut, cut + order[cut:] % (len(images) - cut)
    return images[some], images[others]


def prepare(images, mean, std):
    return (images.x.float() / 255 - mean) / std, images.y


def own_numbers(images, mean, std):
    x = images.x.float() / 255
    return (x - x.mean()) / x.std(), images.y


def share(model, *, biases=True, percent=False):
    found = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    inside = sum(layer.weight.numel() for layer in found)
    if biases:
        inside += sum(layer.bias.numel() for layer in found if layer.bias is not None)
    total = sum(weight.numel() for weight in model.parameters())
    return (100 if percent else 1) * inside / total


def in_convolutions(model):
    return sum(w.numel() for layer in model.modules() if isinstance(layer, nn.Conv2d) for w in layer.parameters())


def accuracy(model, x, y):
    training = model.training
    model.eval()
    with torch.no_grad():
        answers = torch.cat([model(some).argmax(1) for some in x.split(900)])
    model.train(training)
    return (answers == y).float().mean().item()


def published_accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def left_in_evaluation(model, x, y):
    model.eval()
    return published_accuracy(model, x, y)


def always_back_to_training(model, x, y):
    score = left_in_evaluation(model, x, y)
    model.train()
    return score


def mean_of_means(model, x, y):
    training = model.training
    model.eval()
    with torch.no_grad():
        hits = (model(x).argmax(1) == y).float()
    model.train(training)
    return torch.stack([part.mean() for part in hits.split(900)]).mean().item()


def of_a_copy(model, x, y):
    return left_in_evaluation(copy.deepcopy(model), x, y)


def batch_losses(model, x, y):
    with torch.no_grad():
        pairs = zip(x.split(900), y.split(900), strict=True)
        return [F.cross_entropy(model(some), labels, reduction="none") for some, labels in pairs]


def mean_loss(model, x, y):
    return torch.cat(batch_losses(model, x, y)).mean().item()


def keep_parameters(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def best_by(part):
    return lambda results: max(results, key=lambda lr: results[lr][part])


def is_better(ours, theirs, *, least=5, factor=2.5, spread=statistics.variance):
    if min(len(ours), len(theirs)) < least:
        return False
    deviation = (spread(ours) / len(ours) + spread(theirs) / len(theirs)) ** 0.5
    return statistics.mean(ours) - statistics.mean(theirs) > factor * deviation


def all_by_our_number(ours, theirs):
    if min(len(ours), len(theirs)) < 5:
        return False
    deviation = ((statistics.variance(ours) + statistics.variance(theirs)) / len(ours)) ** 0.5
    return statistics.mean(ours) - statistics.mean(theirs) > 2.5 * deviation


def by_the_larger_spread(ours, theirs):
    if min(len(ours), len(theirs)) < 5:
        return False
    deviation = (2 * max(statistics.variance(ours), statistics.variance(theirs)) / len(theirs)) ** 0.5
    return statistics.mean(ours) - statistics.mean(theirs) > 2.5 * deviation


def spread_of_one(ours, theirs):
    if min(len(ours), len(theirs)) < 5:
        return False
    return statistics.mean(ours) - statistics.mean(theirs) > 2.5 * statistics.stdev(ours)


class Test(Checkers):
    RIGHT = {
        "17.1": "ABDEFHIJKL",
        "17.2": split,
        "17.3": prepare,
        "17.4": share,
        "17.5": accuracy,
        "17.6": mean_loss,
        "17.7": lambda model: copy.deepcopy(model.state_dict()),
        "17.8": best_by("valid"),
        "17.9": lambda logits: logits.softmax(1).max(1).values,
        "17.10": lambda counts: counts.diag() / counts.sum(0),
        "17.11": is_better,
    }
    FREE = ("17.10",)
    WRONG = [
        ("17.1", "ABCDEFGHIJKL", "then name ten"),
        ("17.1", "ABDEFHIJK", "then name ten"),
        ("17.1", "ABX", "A to L"),
        ("17.1", list("ABCDEFHIJK"), "keeps its promise"),
        ("17.1", "", "then name ten"),
        ("17.2", lambda images: split(images, second=0.7), "where does the other begin"),
        ("17.2", lambda images: split(images, second=0.9), "belongs to one"),
        ("17.2", lambda images: split(images)[::-1], "returned first"),
        ("17.2", lambda images: split(images, first=0.5, second=0.5), "Eight tenths"),
        ("17.2", lambda images: split(images, shuffled=False), "by chance"),
        ("17.2", backwards, "by chance"),
        ("17.2", with_doubles, "names each position once"),
        ("17.2", lambda images: split(images)[0], "two parts"),
        ("17.3", own_numbers, "still uses its own"),
        ("17.3", lambda images, mean, std: ((images.x.float() - mean) / std, images.y), "by 255"),
        ("17.3", lambda images, mean, std: (images.x.float() / 255 - mean / std, images.y), "the difference"),
        ("17.3", lambda images, mean, std: (images.x.float() / 255 - mean, images.y), "Divide by std as well"),
        ("17.3", lambda images, mean, std: ((images.x.float() / 255 - mean) * std, images.y), "do not multiply"),
        ("17.3", lambda images, mean, std: prepare(images, mean, std)[0], "pixels and labels"),
        ("17.3", lambda images, mean, std: (prepare(images, mean, std)[0], images.y + 1), "images.y"),
        ("17.4", in_convolutions, "number of all weights"),
        ("17.4", lambda model: share(model, percent=True), "not a percentage"),
        ("17.4", lambda model: share(model, biases=False), "biases"),
        ("17.4", lambda model: 1 - share(model), "other layers"),
        ("17.5", published_accuracy, "model.eval()"),
        ("17.5", left_in_evaluation, "put it back"),
        ("17.5", always_back_to_training, "put it back"),
        ("17.5", lambda model, x, y: 100 * accuracy(model, x, y), "percentage"),
        ("17.5", lambda model, x, y: len(x) * accuracy(model, x, y), "number of images"),
        ("17.5", lambda model, x, y: 0.5, "gives the logits"),
        ("17.5", mean_of_means, "Count all hits"),
        ("17.6", lambda *g: torch.stack([part.mean() for part in batch_losses(*g)]).mean().item(), "small last batch"),
        ("17.6", lambda *g: torch.cat(batch_losses(*g)).sum().item(), "by their number"),
        ("17.6", lambda *g: torch.cat(batch_losses(*g)).sum().item() / len(batch_losses(*g)), "that of the batches"),
        ("17.6", lambda model, x, y: mean_loss(model, x[:900], y[:900]), "adds up a batch"),
        ("17.6", lambda model, x, y: F.cross_entropy(model(x), y).item(), "batches of 900"),
        ("17.7", lambda model: model.state_dict(), "model's own"),
        ("17.7", lambda model: dict(model.state_dict()), "model's own"),
        ("17.7", copy.deepcopy, "load_state_dict"),
        ("17.7", lambda model: {k: v.numpy().copy() for k, v in model.state_dict().items()}, "Keep tensors"),
        ("17.7", keep_parameters, "batch normalisation"),
        ("17.7", lambda model: list(model.parameters()), "load_state_dict"),
        (
            "17.8",
            lambda results: max(results, key=lambda lr: (results[lr]["valid"], results[lr]["test"])),
            "at the end",
        ),
        ("17.8", lambda results: max(results, key=lambda lr: results[lr].get("test", 0)), "test images"),
        ("17.8", lambda results: max(results, key=lambda lr: sum(results[lr].values())), "not count at all"),
        ("17.8", lambda results: min(results, key=lambda lr: results[lr]["valid"]), "not the lowest"),
        ("17.8", lambda results: max(results), "Return the key"),
        ("17.9", lambda logits: logits.softmax(0).max(1).values, "over the images"),
        ("17.9", lambda logits: logits.max(1).values, "into probabilities"),
        ("17.9", lambda logits: logits.softmax(1).max(1), "take `.values`"),
        ("17.9", lambda logits: logits.softmax(1), "shape"),
        ("17.10", lambda counts: counts.diag() / counts.sum(1), "the *answer*"),
        ("17.10", lambda counts: (counts.diag() / counts.sum(0)).nan_to_num(), "Leave it NaN"),
        ("17.10", lambda counts: counts.diag() / counts.sum(), "all images"),
        ("17.10", lambda counts: (counts.diag() / counts.sum(0)).tolist(), "a tensor"),
        ("17.11", lambda ours, theirs: max(ours) > max(theirs), "fewer than five"),
        ("17.11", lambda ours, theirs: is_better(ours, theirs, least=2), "fewer than five"),
        ("17.11", lambda ours, theirs: is_better(ours, theirs, factor=2), "Our mean minus"),
        ("17.11", spread_of_one, "Our mean minus"),
        ("17.11", lambda *runs: is_better(*runs, spread=statistics.pvariance), "divides by n − 1"),
        ("17.11", all_by_our_number, "Our mean minus"),
        ("17.11", by_the_larger_spread, "Our mean minus"),
        ("17.11", lambda *runs: len(sum(runs, [])) >= 10 and is_better(*runs, least=2), "fewer than five"),
        ("17.11", lambda ours, theirs: min(len(ours), len(theirs)) >= 5 and max(ours) > max(theirs), "not the best"),
    ]


def test_other_ways_to_be_right():
    assert check("17.1", list("abdefhijkl")) and check("17.1", "A, B, D, E, F, H, I, J, K, L")
    assert check("17.1", set("ABDEFHIJKL"))
    assert check("17.7", lambda model: {name: value.clone() for name, value in model.state_dict().items()})
    assert check("17.9", lambda logits: logits.softmax(1).amax(1))
    assert check("17.5", of_a_copy)
    assert check("17.2", sorted_halves)


@pytest.mark.parametrize("number", range(2, 12))
def test_no_exercise_is_judged_right_for_nothing(number):
    assert not check(f"17.{number}", lambda *given: given[0] if given else None)


def test_the_tutorial_quotes_runs_that_were_made():
    """What place L compares are validation accuracies of the first three recorded seeds."""
    [cell] = [
        cell.source
        for cell in read_notebook(ROOT / "notebooks" / "17_audit.ipynb").cells
        if cell.source.startswith("without = [")
    ]
    quoted: dict = {"is_better": lambda ours, theirs: max(ours) > max(theirs)}
    exec(cell, quoted)
    for name, letters in (("without", "0"), ("with_dropout", "")):
        runs = [run["valid_accuracy"] for run in recorded("audit")["runs"] if run["mended"] == letters]
        assert [round(value, 4) for value in runs[:3]] == quoted[name]
    assert quoted["is_better"](quoted["without"], quoted["with_dropout"])
