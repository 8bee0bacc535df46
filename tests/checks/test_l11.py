"""Every exercise of lesson 11: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

from math import comb, erfc, exp, lgamma, log, sqrt

import numpy as np
import pytest
import torch

from course_utils.exercises import check
from tests.checks.checkers import Checkers


def halve(candidates, score, keep=lambda n: n // 2, grow=2, reverse=True, last=False, first=1):
    epochs = first
    while len(candidates) > 1 - last:
        scores = {candidate: score(candidate, epochs) for candidate in candidates}
        if len(candidates) == 1:
            break
        candidates = sorted(candidates, key=scores.get, reverse=reverse)[: keep(len(candidates))]
        epochs *= grow
    return candidates[0]


def halve_by_the_first_scores(candidates, score):
    order, epochs = sorted(candidates, key=lambda each: score(each, 1), reverse=True), 1
    while len(order) > 1:
        order, epochs = order[: len(order) // 2], 2 * epochs
        if len(order) > 1:
            [score(candidate, epochs) for candidate in order]
    return order[0]


def halve_in_place(candidates, score):
    epochs = 1
    while len(candidates) > 1:
        candidates.sort(key=lambda each: score(each, epochs), reverse=True)
        del candidates[len(candidates) // 2 :]
        epochs *= 2
    return candidates[0]


def halve_sorting_in_place(candidates, score):
    candidates.sort(key=lambda each: score(each, 1), reverse=True)
    left, epochs = candidates[: max(1, len(candidates) // 2)], 2
    while len(left) > 1:
        left = sorted(left, key=lambda each: score(each, epochs), reverse=True)[: len(left) // 2]
        epochs *= 2
    return left[0]


def halve_scoring_twice(candidates, score):
    epochs = 1
    while len(candidates) > 1:
        candidates = sorted(candidates, key=lambda each: (score(each, epochs), score(each, epochs)), reverse=True)
        candidates, epochs = candidates[: len(candidates) // 2], 2 * epochs
    return candidates[0]


def halve_without_end(candidates, score):
    while len(candidates) > 1:
        candidates = sorted(candidates, key=lambda each: score(each, 1))
    return candidates[0]


def halve_by_index(candidates, score):
    left = list(range(len(candidates)))
    while len(left) > 1:
        left = sorted(left, key=lambda each: score(each, 1))[: len(left) // 2]
    return candidates[left[0]]


def halve_with_epochs_to_come(candidates, score):
    """Counts the epochs of each round, not those in all: 1, then 1 more, then 2 more."""
    epochs = 1
    while len(candidates) > 1:
        scores = {candidate: score(candidate, epochs) for candidate in candidates}
        candidates = sorted(candidates, key=scores.get, reverse=True)[: len(candidates) // 2]
        epochs = max(1, epochs * 2 - 1)
    return candidates[0]


def halve_only_twice(candidates, score):
    for epochs in (1, 2, 4):
        if len(candidates) > 1:
            candidates = sorted(candidates, key=lambda each: score(each, epochs), reverse=True)[: len(candidates) // 2]
    return candidates[0]


def first_of_the_best(candidates, score):
    halve(candidates, score)
    return candidates[0]


def best_of_all(candidates, score):
    return max(candidates, key=lambda each: score(each, 4))


def split(a, b):
    return (a & ~b).sum().item(), (b & ~a).sum().item()


def heads(most, n):
    return sum(comb(n, k) for k in range(most + 1)) / 2**n


def mcnemar(a, b):
    only_a, only_b = split(a, b)
    return min(1.0, 2 * heads(min(only_a, only_b), only_a + only_b))


def with_tensors(a, b):
    only_a, only_b = (a & ~b).sum(), (b & ~a).sum()
    return min(1.0, 2 * heads(min(only_a, only_b), only_a + only_b))


def with_floats(a, b):
    few, n = min(split(a, b)), sum(split(a, b))
    return min(1.0, 2 * sum(comb(n, k) * 0.5**n for k in range(few + 1)))


def by_the_normal_curve(a, b):
    only_a, only_b = split(a, b)
    return erfc(abs(only_a - only_b) / sqrt(2 * (only_a + only_b))) if only_a + only_b else 1.0


def rounded(a, b):
    return round(mcnemar(a, b), 4)


def unpaired(a, b):
    return min(1.0, 2 * heads(min(a.sum().item(), b.sum().item()), len(a)))


RIGHT = {
    "11.1": (48, 96, 256),
    "11.2": (100 * sqrt(0.7 * 0.3 / 10_000), 210_000),
    "11.3": (2_984 / 80, 1_520 / 41, "images"),
    "11.4": {"C", "D", "F"},
    "11.5": (5.5, -0.5, -5),
    "11.6": halve,
    "11.7": mcnemar,
}
WRONG = [
    ("11.1", (96, 192, 512), "not a loss"),
    ("11.1", (96, 96, 256), "Find the best of it"),
    ("11.1", (256, 48, 96), "two numbers of channels"),
    ("11.1", (48, 96), "three numbers"),
    ("11.1", (48, 192, 256), "Find the best of it"),
    ("11.1", (48, 97, 256), "the same line"),
    ("11.1", (48.5, 96, 256), "whole numbers"),
    ("11.1", "48, 96, 256", "three numbers"),
    ("11.1", 0.7118, "three numbers"),
    ("11.2", (0.00458, 210_000), "hundredths"),
    ("11.2", (0.45, 210_000), "two decimal places"),
    ("11.2", (0.5, 210_000), "two decimal places"),
    ("11.2", (0.466, 210_000), "two decimal places"),
    ("11.2", (0.46, 211_600), "rounded error"),
    ("11.2", (0.458, 209_764), "rounded error"),
    ("11.2", (0.46, 205_000), "Solve it for n"),
    ("11.2", (210_000, 0.46), "other way round"),
    ("11.2", (0.46, 210_010), "Solve it for n"),
    ("11.2", 0.46, "two numbers"),
    ("11.2", (0.837, 210_000), "Not p alone"),
    ("11.2", (0.21, 210_000), "n is still missing"),
    ("11.2", (0.0021, 210_000), "is its root"),
    ("11.2", (45.8, 210_000), "a single image"),
    ("11.2", (0.898, 210_000), "95 % interval"),
    ("11.2", (0.3, 210_000), "from a share to points"),
    ("11.2", (0.458, 45_826), "under a root"),
    ("11.2", (0.458, 21), "as a share"),
    ("11.2", (0.458, 100_000), "Solve it for n"),
    ("11.3", (298.4, 37.07, "images"), "networks had ten"),
    ("11.3", (49.73 / 80, 25.33 / 41, "images"), "Those are minutes"),
    ("11.3", (49.44 * 60 / 80, 37.07, "images"), "plus the seconds"),
    ("11.3", (37.3, 25 * 60 / 41, "images"), "plus the seconds"),
    ("11.3", (37, 37, "images"), "one decimal place"),
    ("11.3", (37.07, 37.3, "images"), "other way round"),
    ("11.3", (37.3, 37.07), "three parts"),
    ("11.3", (37.3, 37.07, None), "still missing"),
    ("11.3", (37.3, 37.07, ...), "still missing"),
    ("11.3", (37.3, 37.07, 1), "third part"),
    ("11.3", (37.3, 37.07, {"images"}), "third part"),
    ("11.3", ("37.3", 37.07, "images"), "three parts"),
    ("11.3", (37.3, 41, "images"), "last training, for all its epochs"),
    ("11.3", (30, 37.07, "images"), "search, for all its epochs"),
    ("11.3", (37.3, 37.07, "network"), "four times"),
    ("11.3", (37.3, 37.07, "disk"), '"network" or "images"'),
    ("11.4", {"a", "c", "d", "f"}, "still a leak"),
    ("11.4", {"A", "C", "D", "F"}, "still a leak"),
    ("11.4", {"B", "C", "D", "F"}, "lowest of many"),
    ("11.4", {"C"}, "that you leave out"),
    ("11.4", {"C", "D", "F", "G"}, "from A to F"),
    ("11.4", set("ABCDEF"), "still a leak"),
    ("11.4", {"C", "D", "F", 7}, "from A to F"),
    ("11.4", "CDE", "choosing by the test"),
    ("11.4", {"C": True, "D": True, "F": True}, "from A to F"),
    ("11.4", {"C", "D"}, "that you leave out"),
    ("11.4", {"C", "D", "E", "F"}, "choosing by the test"),
    ("11.4", {"D", "F"}, "that you leave out"),
    ("11.4", {"G"}, "from A to F"),
    ("11.5", (0.055, -0.005, -0.05), "In points"),
    ("11.5", (8, 2, -5), "batches of 24 alone"),
    ("11.5", (3, -3, -5), "batches of 512 alone"),
    ("11.5", (5, 5, 0), "both at once"),
    ("11.5", (5.5, 2, -5), "without augmentation alone"),
    ("11.5", (5.5, 0.5, -5), "From 24 to 512"),
    ("11.5", (5.5, -0.5, 5), "which of the two is larger"),
    ("11.5", (5.5, -0.5, -2.5), "not half"),
    ("11.5", (5.5, -0.005, -5), "In points"),
    ("11.5", (5.51, -0.5, -5), "Take the mean"),
    ("11.5", (-0.5, 5.5, -5), "Take the mean"),
    ("11.5", (5.5, -0.5), "three numbers"),
    ("11.5", (11, -1, -5), "not their sum"),
    ("11.5", (5.5, 5, -5), "both at once"),
    ("11.5", (5.5, -0.5, 2), "less what it brings"),
    ("11.6", lambda candidates, score: halve(candidates, score, reverse=False), "the better"),
    ("11.6", halve_by_the_first_scores, "new scores"),
    ("11.6", lambda candidates, score: halve(candidates, score, keep=lambda n: (n + 1) // 2), "of 9 keep 4"),
    ("11.6", lambda candidates, score: halve(candidates, score, grow=1), "more epochs than the last"),
    ("11.6", lambda candidates, score: halve(candidates, score, last=True), "only one is left"),
    ("11.6", lambda candidates, score: [halve(candidates, score)], "not a list"),
    ("11.6", halve_in_place, "changed numbers of candidates"),
    ("11.6", halve_sorting_in_place, "changed numbers of candidates"),
    ("11.6", halve_scoring_twice, "one call of `score`"),
    ("11.6", best_of_all, "1, 2, 4"),
    ("11.6", lambda candidates, score: halve(candidates, score, grow=3), "1, 2, 4"),
    ("11.6", lambda candidates, score: halve(candidates, score, first=2), "1, 2, 4"),
    ("11.6", lambda candidates, score: halve(candidates, score, first=0), "how many epochs"),
    ("11.6", lambda candidates, score: halve(candidates, score, keep=lambda n: max(1, n // 3)), "of 9 keep 4"),
    ("11.6", lambda candidates, score: halve(candidates[:8], score), "All candidates"),
    ("11.6", lambda candidates, score: halve([[each] for each in candidates], score), "one of the candidates"),
    ("11.6", halve_without_end, "keep fewer"),
    ("11.6", halve_by_index, "one of the candidates"),
    ("11.6", halve_with_epochs_to_come, "more epochs than the last"),
    ("11.6", halve_only_twice, "leave one"),
    ("11.6", first_of_the_best, "newest score"),
    ("11.6", lambda candidates, score: str(halve(candidates, score)), "one of the candidates"),
    ("11.7", with_floats, "divide once"),
    ("11.7", by_the_normal_curve, "must be .25"),
    ("11.7", rounded, "rounded"),
    ("11.7", lambda a, b: 2 * heads(min(split(a, b)) - 1, sum(split(a, b))), "counts as well"),
    ("11.7", lambda a, b: mcnemar(a, b) if sum(split(a, b)) else 0, "as even as can be"),
    ("11.7", lambda a, b: 1.0, "Whose heads"),
    ("11.7", lambda a, b: mcnemar(a[:100], b[:100]), "must be .25"),
    ("11.7", lambda a, b: [mcnemar(a, b), 1], "one number from 0 to 1"),
    ("11.7", lambda a, b: 2 * heads(min(split(a, b)), sum(split(a, b))), "No chance is above 1"),
    ("11.7", lambda a, b: heads(min(split(a, b)), sum(split(a, b))), "only one of the two"),
    ("11.7", lambda a, b: 2 * comb(sum(split(a, b)), min(split(a, b))) / 2 ** sum(split(a, b)), "fewer count"),
    ("11.7", lambda a, b: min(1, 2 * heads(split(a, b)[0], sum(split(a, b)))), "Whose heads"),
    ("11.7", with_tensors, ".item()"),
    ("11.7", unpaired, "exactly one of the two"),
    ("11.7", lambda a, b: (a.double().mean() - b.double().mean()).abs(), "must be .25"),
]


class TestLesson11(Checkers):
    RIGHT, WRONG = RIGHT, WRONG


def halve_recursively(candidates, score, epochs=1):
    if len(candidates) == 1:
        return candidates[0]
    ranked = sorted(((score(each, epochs), k) for k, each in enumerate(candidates)), reverse=True)
    return halve_recursively([candidates[k] for _, k in ranked[: len(ranked) // 2]], score, 2 * epochs)


def halve_with_tensors(candidates, score):
    left, epochs = np.array(candidates), 1
    while len(left) > 1:
        scores = torch.tensor([score(each, epochs) for each in left])
        left, epochs = left[scores.topk(len(left) // 2).indices.numpy()], 2 * epochs
    return left[0]


def mcnemar_by_logs(a, b):
    only_a, only_b = (a & ~b).sum().item(), (b & ~a).sum().item()
    n = only_a + only_b
    logs = [lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2) for k in range(min(only_a, only_b) + 1)]
    return torch.tensor(2 * sum(map(exp, logs))).clamp(max=1)


def mcnemar_by_numpy(a, b):
    differ = np.asarray(a)[np.asarray(a) != np.asarray(b)]
    n, heads_of_a = len(differ), int(differ.sum())
    return np.float64(min(1, 2 * sum(comb(n, k) for k in range(min(heads_of_a, n - heads_of_a) + 1)) / 2**n))


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("11.1", [48.0, 96, np.int64(256)]),
        ("11.2", (0.46, 210_000)),
        ("11.2", [0.4583, 0.21 / 0.001**2]),
        ("11.2", (0.46, int(0.7 * 0.3 / 0.001**2))),  # 209,999
        ("11.3", (37.3, 37.1, "images")),
        ("11.3", [torch.tensor(37.3), np.float32(37.073), "Images"]),
        ("11.4", ["c", "D", "F"]),
        ("11.4", "CDF"),
        ("11.4", "F, D, C"),
        ("11.4", np.array(["C", "D", "F"])),
        ("11.5", torch.tensor([5.5, -0.5, -5])),
        ("11.6", halve_recursively),
        ("11.6", lambda candidates, score: np.float32(halve(candidates, score))),
        ("11.6", halve_with_tensors),
        ("11.7", mcnemar_by_logs),
        ("11.7", mcnemar_by_numpy),
    ],
)
def test_a_right_answer_of_another_form_is_right(exercise, answer, capsys):
    assert check(exercise, answer), capsys.readouterr().out


def test_a_missing_letter_is_not_named(capsys):
    for letter in "CDF":
        check("11.4", {"C", "D", "F"} - {letter})
        assert letter not in capsys.readouterr().out.split("Hint")[1].replace("Does", "")
