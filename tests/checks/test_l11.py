"""Every exercise of lesson 11: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

from math import comb, sqrt

from tests.checks.checkers import Checkers


def after(mean, variance, p):
    return (variance + mean**2) / (1 - p) - mean**2


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


def halve_scoring_twice(candidates, score):
    epochs = 1
    while len(candidates) > 1:
        candidates = sorted(candidates, key=lambda each: (score(each, epochs), score(each, epochs)), reverse=True)
        candidates, epochs = candidates[: len(candidates) // 2], 2 * epochs
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


def unpaired(a, b):
    return min(1.0, 2 * heads(min(a.sum().item(), b.sum().item()), len(a)))


RIGHT = {
    "11.1": (48, 96, 256),
    "11.2": (100 * sqrt(0.7 * 0.3 / 10_000), 210_000),
    "11.3": (2_984 / 80, 1_520 / 41, "images"),
    "11.4": {"C", "D", "F"},
    "11.5": (5.5, -0.5, -5),
    "11.6": after,
    "11.7": halve,
    "11.8": mcnemar,
}
WRONG = [
    ("11.1", (96, 192, 512), "not a loss"),
    ("11.1", (96, 96, 256), "the highest accuracy"),
    ("11.1", (256, 48, 96), "two numbers of channels"),
    ("11.1", (48, 96), "three whole numbers"),
    ("11.2", (0.00458, 210_000), "multiply by 100"),
    ("11.2", (0.0021, 210_000), "Take its root first"),
    ("11.2", (45.8, 210_000), "by the root of n"),
    ("11.2", (0.898, 210_000), "95 % interval"),
    ("11.2", (0.3, 210_000), "from a share to points"),
    ("11.2", (0.458, 45_826), "under a root"),
    ("11.2", (0.458, 21), "a share of .001"),
    ("11.2", (0.458, 100_000), "for n"),
    ("11.3", (298.4, 37.07, "images"), "had ten epochs"),
    ("11.3", (49.73 / 80, 25.33 / 41, "images"), "times 60"),
    ("11.3", (37.3, 41, "images"), "last training, for its epochs"),
    ("11.3", (30, 37.07, "images"), "epochs of all eight"),
    ("11.3", (37.3, 37.07, "network"), "four times"),
    ("11.3", (37.3, 37.07, "disk"), '"network" or "images"'),
    ("11.4", {"a", "c", "d", "f"}, "still a leak"),
    ("11.4", {"A", "C", "D", "F"}, "still a leak"),
    ("11.4", {"B", "C", "D", "F"}, "lowest of many"),
    ("11.4", {"C"}, "settled before"),
    ("11.4", {"C", "D"}, "Looking is harmless"),
    ("11.4", {"C", "D", "E", "F"}, "choosing by the test"),
    ("11.4", {"D", "F"}, "is there for"),
    ("11.4", {"G"}, "from A to F"),
    ("11.5", (0.055, -0.005, -0.05), "In points"),
    ("11.5", (8, 2, -5), "batches of 24 alone"),
    ("11.5", (3, -3, -5), "batches of 512 alone"),
    ("11.5", (5, 5, 0), "both at once"),
    ("11.5", (5.5, 2, -5), "without augmentation alone"),
    ("11.5", (5.5, 0.5, -5), "From 24 to 512"),
    ("11.5", (5.5, -0.5, 5), "Which sign"),
    ("11.5", (5.5, -0.5, 2), "less what it brings"),
    ("11.6", lambda mean, variance, p: (variance + mean**2) / (1 - p), "the mean stays"),
    ("11.6", lambda mean, variance, p: variance / (1 - p), "Where is the mean"),
    ("11.6", lambda mean, variance, p: (1 - p) * variance, "so their squares"),
    ("11.6", lambda mean, variance, p: (variance + mean**2) / p - mean**2, "the share that goes"),
    ("11.6", lambda mean, variance, p: (variance + mean**2) / (1 - p) ** 2 - mean**2, "Only a share"),
    ("11.6", lambda mean, variance, p: (1 - p) * (variance + mean**2) - ((1 - p) * mean) ** 2, "so their squares"),
    ("11.6", lambda mean, variance, p: variance, "before dropout, then after it"),
    ("11.7", lambda candidates, score: halve(candidates, score, reverse=False), "highest first"),
    ("11.7", halve_by_the_first_scores, "newest score"),
    ("11.7", lambda candidates, score: halve(candidates, score, keep=lambda n: (n + 1) // 2), "of 7 keep 3"),
    ("11.7", lambda candidates, score: halve(candidates, score, grow=1), "Rounds of 1, 2, 4"),
    ("11.7", lambda candidates, score: halve(candidates, score, last=True), "no round for the last"),
    ("11.7", lambda candidates, score: [halve(candidates, score)], "not a list"),
    ("11.7", halve_in_place, "Make new lists"),
    ("11.7", halve_scoring_twice, "keep its score"),
    ("11.7", best_of_all, "Rounds of 1, 2, 4"),
    ("11.8", lambda a, b: 2 * heads(min(split(a, b)), sum(split(a, b))), "No chance is above 1"),
    ("11.8", lambda a, b: heads(min(split(a, b)), sum(split(a, b))), "twice that chance"),
    ("11.8", lambda a, b: 2 * comb(sum(split(a, b)), min(split(a, b))) / 2 ** sum(split(a, b)), "add up all"),
    ("11.8", lambda a, b: min(1, 2 * heads(split(a, b)[0], sum(split(a, b)))), "the smaller side"),
    ("11.8", with_tensors, ".item()"),
    ("11.8", unpaired, "exactly one of the two"),
    ("11.8", lambda a, b: (a.double().mean() - b.double().mean()).abs(), "then double"),
]


class TestLesson11(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)
