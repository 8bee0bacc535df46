"""Checkers of lesson 11, CIFAR-10 and honest tuning."""

import random
from math import comb, isclose, sqrt

import torch

from course_utils._arguments import shown
from course_utils.exercises import checker, right, wrong
from course_utils.records import recorded

from ._answers import RETURNED, Refused, items, near, number, numbers, texts, whole, wholes


@checker("11.1")
def chosen(answer):
    """three whole numbers, (c1, c2, hidden)."""
    mine = tuple(wholes(answer, 3, "(c1, c2, hidden)"))
    runs = {(run["c1"], run["c2"], run["hidden"]): run for run in recorded("published_cifar10_runs")["grid"]["runs"]}
    accuracies = sorted(run["accuracy"] for run in runs.values())
    if mine not in runs:
        if sorted(mine) in map(sorted, runs):
            finding = f"no run has {mine} in this order"
            return wrong(finding, hint="First a line's two numbers of channels, then its hidden ones.")
        return wrong(f"no run has {mine}", hint="Are all three from the same line of the table?")
    accuracy = runs[mine]["accuracy"]
    if accuracy == accuracies[-1]:
        return right(
            "It is the network that the study began with. Whatever made 71 % out of 62 %, it was not this. (The "
            "article speaks of up to 96 channels; its table goes up to 192.)"
        )
    if accuracy == accuracies[0]:
        return wrong("that one has the lowest accuracy", hint="Higher is better here: it is not a loss.")
    return wrong(f"that one has {accuracy:.2%}", hint="By which number does a search choose? Find the best of it.")


@checker("11.2")
def error_and_images(answer):
    """two numbers: points, and images."""
    error, images = numbers(answer, 2, "(points, images)")
    p, n = 0.7, 10_000
    share = sqrt(p * (1 - p) / n)
    if near(images, 100 * share, places=2) and near(error, p * (1 - p) / 0.001**2, places=0):
        return wrong("the two stand the other way round", hint="Give (points, images).")
    if not near(error, 100 * share, places=2):
        for mistake, hint in (
            (share, "That is a share. Points are hundredths."),
            (100 * share**2, "That is the variance, in hundredths. The standard error is its root."),
            (p * (1 - p), "That is p(1 − p). n is still missing, and the root."),
            (100 * sqrt(p * (1 - p)), "That is the error for a single image."),
            (100 * sqrt(p / n), "Not p alone stands under the root."),
            (100 * sqrt(1 - p) / sqrt(n), "Not 1 − p alone stands under the root."),
            (100 * p * (1 - p) / sqrt(n), "All of p(1 − p)/n stands under the root."),
            (196 * share, "The standard error itself is asked for, not half of the 95 % interval."),
            (200 * share, "The standard error itself is asked for, not two of them."),
            (2 * 196 * share, "The standard error itself is asked for, not the width of the 95 % interval."),
            (400 * share, "The standard error itself is asked for, not the width of the 95 % interval."),
        ):
            if abs(error - mistake) <= 0.02 * mistake:
                return wrong(f"your error is {error:g} points", hint=hint)
        if near(error, 100 * share, places=1):
            return wrong(f"your error is {error:g} points", hint="Close. Give two decimal places, rounded.")
        hint = "Put p and n into the formula; then go from a share to points."
        return wrong(f"your error is {error:g} points", hint=hint)
    needed, case = p * (1 - p) / 0.001**2, f"you ask for {images:,.0f} images"
    if abs(images - needed) <= 1:  # floats may miss it, and then be rounded up or down
        return right(
            "Twenty-one times the test set. From two scores alone, half a point apart, nobody can tell which "
            "network is better. Exercise 11.7 looks closer."
        )
    if any(abs(images / (n * (rounded / 0.1) ** 2) - 1) < 1e-4 for rounded in (error, 0.46, 0.458, 0.4583)):
        return wrong(case, hint="You go on with a rounded error. Solve the formula itself for n.")
    if any(abs(images / (n * rounded / 0.1) - 1) < 0.01 for rounded in (error, 100 * share)):
        return wrong(case, hint="That grows n in proportion. But n stands under a root.")
    if any(abs(images / (p * (1 - p) / tenth**2) - 1) < 0.01 for tenth in (0.1, 0.01)):
        return wrong(case, hint="How much is a tenth of a point, as a share?")
    hint = "The formula with n unknown, and a tenth of a point, as a share, for its value. Solve it for n."
    return wrong(case, hint=hint)


@checker("11.3")
def pace(answer):
    """seconds, seconds, and "network" or "images"."""
    form = 'three parts: seconds, seconds, and "network" or "images"'
    parts = items(answer, form)
    if len(parts) != 3:
        return wrong(f"your answer has {len(parts)} parts", hint=f"Give {form}.")
    search, last = (number(part, form, what=f"number {k + 1} of your answer") for k, part in enumerate(parts[:2]))
    if parts[2] is None or parts[2] is ...:
        return wrong("the third part is still missing", hint='"network" or "images".')
    (what,) = texts(parts[2:], '"network" or "images" as the third part', what="the end of your answer")
    runs = {"search": (49, 44, 80), "last training": (25, 20, 41)}  # minutes, seconds, epochs
    exact = [(60 * minutes + seconds) / epochs for minutes, seconds, epochs in runs.values()]
    if all(near(mine, true, places=1) for mine, true in zip((search, last), exact[::-1], strict=True)):
        return wrong("the two times stand the other way round", hint="First the search, then the last training.")
    for mine, true, (name, (minutes, seconds, epochs)) in zip((search, last), exact, runs.items(), strict=True):
        if near(mine, true, places=1):
            continue
        case = f"your epoch of the {name} takes {mine:.4g} s"
        if near(mine, (60 * minutes + seconds) / 10, places=1):
            return wrong(case, hint="You divide by 10 epochs. Each of eight networks had ten.")
        in_minutes = (minutes + seconds / 60) / epochs, (minutes + seconds / 100) / epochs
        if any(near(mine, mistake, places=2) for mistake in in_minutes):
            return wrong(case, hint="Those are minutes.")
        mixed = 60 * (minutes + seconds / 100) / epochs, 60 * minutes / epochs
        if any(near(mine, mistake, places=1) for mistake in mixed):
            return wrong(case, hint="Minutes times 60, plus the seconds.")
        if near(mine, true, places=0):
            return wrong(case, hint="Close. Give one decimal place, rounded.")
        return wrong(case, hint=f"All seconds of the {name}, for all its epochs.")
    if what.strip().lower() not in ("network", "images"):
        return wrong(f"your third part is {shown(what)}", hint='"network" or "images".')
    if what.strip().lower() == "network":
        hint = "The search trained networks of up to four times the winner's work. Did their epochs take longer?"
        return wrong("the network does not set the pace", hint=hint)
    return right(
        "The GPU waited while one process turned and coloured pictures, one after the other. A whole batch at "
        "once costs far less (lesson 10); lesson 16 looks for such waits."
    )


FAIR = {"C", "D", "F"}
UNFAIR = {  # what to think of with a letter that is not fair
    "A": "The network then knows something of the test before it is tested. It is little, and still a leak.",
    "B": "Who chooses the epoch, if not the test? Its loss is then the lowest of many.",
    "E": "The second score decides whether the first is kept. That is choosing by the test.",
}


@checker("11.4")
def fair(answer):
    """a set of letters, such as {"A", "B"}."""
    form = 'a set of letters from A to F, such as {"A", "B"}'
    given = list(answer.replace(",", " ").replace(" ", "")) if isinstance(answer, str) else answer
    letters = {letter.strip().upper() for letter in texts(given, form)}
    if not letters or letters - FAIR - UNFAIR.keys():
        return wrong(f"your answer is {shown(answer)}", hint=f"Give {form}.")
    for letter in sorted(letters - FAIR):
        return wrong(f"{letter} is not fair", hint=UNFAIR[letter])
    if letters != FAIR:
        return wrong(
            f"what you give is fair, but {', '.join(sorted(letters))} is not all",
            hint="Ask of each letter that you leave out: is anything chosen or changed by what the test says?",
        )
    return right("One question decides: did the test images have a say in the network, or in what is reported?")


@checker("11.5")
def effects(answer):
    """three numbers of points: augmentation, batches of 512, their interaction."""
    form = "(augmentation, batches of 512, interaction)"
    mine = numbers(answer, 3, form)
    expected = {  # and what a mistake gives instead
        "augmentation brings": (
            5.5,
            "What does it bring with batches of 24, what with 512? Take the mean.",
            {
                8: "That is its effect with batches of 24 alone.",
                3: "That is its effect with batches of 512 alone.",
                5: "That changes both at once, from the first recipe to the last.",
                -5.5: "From without to with: 68 − 60, not 60 − 68.",
                11: "The mean of the two effects, not their sum.",
            },
        ),
        "batches of 512 bring": (
            -0.5,
            "What do they bring without augmentation, what with it? Take the mean.",
            {
                2: "That is without augmentation alone.",
                -3: "That is with augmentation alone.",
                5: "That changes both at once, from the first recipe to the last.",
                0.5: "From 24 to 512: 62 − 60, not 60 − 62.",
                -1: "The mean of the two effects, not their sum.",
            },
        ),
        "interaction is": (
            -5,
            "What augmentation brings with batches of 512, less what it brings with batches of 24.",
            {
                5: "More with 512 than with 24? Look at which of the two is larger.",
                -2.5: "The difference itself, not half of it.",
                2.5: "The difference itself, not half of it, and mind its sign.",
                11: "Their difference, not their sum.",
            },
        ),
    }
    for value, (name, (true, hint, mistakes)) in zip(mine, expected.items(), strict=True):
        if near(value, true, places=2):
            continue
        case = f"your {name} {value:g}"
        if near(100 * value, true, places=2):
            return wrong(case, hint="In points: from 60 % to 68 % are 8.")
        for mistake, reason in mistakes.items():
            if near(value, mistake, places=2):
                return wrong(case, hint=reason)
        return wrong(case, hint=hint)
    return right("Whoever changes one after the other credits augmentation with 8 points or with 3, by their order.")


@checker("11.6")
def halving(answer):
    """a function of (candidates, score) that returns one candidate."""
    draws = random.Random(0)
    for count in (8, 7, 3, 13, 2, 5, 16, 1):
        rates = [round(0.0001 * 1_000 ** draws.random(), 6) for _ in range(count)]  # candidates are learning rates
        search = _Search({rate: [draws.random() for _ in range(5)] for rate in rates})
        mine = answer(list(rates), search.score)
        if isinstance(mine, list | tuple):
            return wrong(f"you return {shown(mine)}", hint="Return the candidate itself, not a list.")
        mine = number(mine, "one of the candidates back", what=RETURNED)
        expected, winner = _halved(rates, search.accuracy)
        if count > 1 and sorted(search.calls) != expected:
            finding, hint = _why_not_halved(search.calls, rates, search.accuracy)
            return wrong(f"of {count} candidates, you train {finding}", hint=hint)
        if not isclose(mine, winner, rel_tol=1e-6):  # it may have been float32
            hint = "Return the one that is left at the end, by its newest score."
            return wrong(f"of {count} candidates you return {mine:g}, which is not the one left", hint=hint)
    return right("8 candidates for 16 epochs; to give each four would take 32. The price: who blooms late is gone.")


class _Search:
    """Candidates with their accuracies after 1, 2, 4 … epochs, and the calls of `score`."""

    def __init__(self, accuracies):
        self.accuracies, self.calls = accuracies, []

    def accuracy(self, candidate, epochs):
        return self.accuracies[candidate][min(4, epochs.bit_length() - 1)]

    def score(self, candidate, epochs):
        epochs = whole(epochs, what="the number of epochs that `score` gets")
        if isinstance(candidate, list | tuple | dict) or candidate not in self.accuracies or epochs < 1:
            finding = f"`score` gets the candidate {shown(candidate)}, and {epochs} for the epochs"
            raise Refused(finding, hint="Give it one of the candidates, and how many epochs it shall have had.")
        self.calls.append((candidate, epochs))
        if len(self.calls) > 20 * len(self.accuracies):
            finding = f"`score` is called without end for {len(self.accuracies)} candidates"
            raise Refused(finding, hint="Does each round keep fewer?")
        return self.accuracy(candidate, epochs)


def _halved(candidates, accuracy, *, best_first=True, newest=True):
    """The calls of score(candidate, epochs) that successive halving makes, and who is left."""
    calls, left, epochs = [], list(candidates), 1
    while len(left) > 1:
        calls += [(candidate, epochs) for candidate in left]
        shown_by = epochs if newest else 1
        left = sorted(left, key=lambda each: accuracy(each, shown_by), reverse=best_first)[: len(left) // 2]
        epochs *= 2
    return sorted(calls), left[0]


def _why_not_halved(calls, candidates, accuracy):
    """What was found, and a hint."""
    expected, _ = _halved(candidates, accuracy)
    rounds = sorted({epochs for _, epochs in calls})
    tried = {epochs: len({candidate for candidate, trained in calls if trained == epochs}) for epochs in rounds}
    wanted = {epochs: sum(trained == epochs for _, trained in expected) for _, epochs in expected}
    found = ", ".join(f"{number_of} for {epochs}" for epochs, number_of in tried.items()) or "none"
    if len(calls) != len(set(calls)):
        hint = "Each round has more epochs than the last, and one call of `score` for each of its candidates."
        return f"{found}, and some of them twice", hint
    if sorted(calls) == _halved(candidates, accuracy, best_first=False)[0]:
        return (
            f"{found}, but the worse ones go on",
            "`score` returns an accuracy. Which end of the order is the better?",
        )
    if sorted(calls) == _halved(candidates, accuracy, newest=False)[0]:
        return f"{found}, chosen by their first scores", "Each round has new scores: order by those."
    if tried == wanted:
        return f"{found}, but not the better ones", "Print each round: who was scored, how, and who goes on?"
    if len(rounds) > len(wanted) and tried[rounds[-1]] == 1:
        return found, "No round is needed when only one is left."
    if rounds != [2**k for k in range(len(rounds))]:
        return found, "The rounds give 1, 2, 4 … epochs in all."
    if any(tried[2 * epochs] != tried[epochs] // 2 for epochs in rounds[:-1]):
        return found, "Each round keeps half of those who were in it: of 9 keep 4, then 2, then 1."
    if tried and tried[1] != len(candidates):
        return found, "All candidates get one epoch, however many there are."
    return found, "Does the last round leave one?"


@checker("11.7")
def p_value(answer):
    """a function of (right_a, right_b) that returns a number from 0 to 1."""
    cases = (
        (5, 12, 4, 60), (5, 4, 12, 60), (500, 30, 18, 2), (9, 5, 5, 0), (9, 0, 0, 9), (0, 1, 0, 2), (40, 60, 2, 7),
        (5, 70, 50, 5), (2_000, 700, 610, 900),
    )  # fmt: skip
    for both, only_a, only_b, neither in cases:
        a, b = ([1] * both + [x] * only_a + [1 - x] * only_b + [0] * neither for x in (1, 0))
        order = torch.randperm(len(a))
        a, b = (torch.tensor(values, dtype=torch.bool)[order] for values in (a, b))
        n, few = only_a + only_b, min(only_a, only_b)
        case = f"for {only_a} images that only A reads and {only_b} that only B reads you get"
        try:
            result = answer(a, b)
        except OverflowError as error:
            return wrong(
                f"{case} an OverflowError: {error}",
                hint="Tensors and floats hold no number as large. Take Python's whole numbers (.item()), and divide "
                "once, at the end.",
            )
        mine = number(result, "one number from 0 to 1", what=RETURNED)

        def heads(most, throws):
            return sum(comb(throws, k) for k in range(most + 1)) / 2**throws

        def is_near(value, mine=mine):
            return isclose(mine, value, rel_tol=1e-4)

        true = min(1.0, 2 * heads(few, n))
        if is_near(true):
            continue
        for mistake, hint in (
            (2 * heads(few, n), "No chance is above 1: see the end of the text."),
            (heads(few, n), "Uneven to either side: that is only one of the two."),
            (2 * comb(n, few) / 2**n, "*At most* so many heads: fewer count, too."),
            (comb(n, few) / 2**n, "*At most* so many heads: fewer count, too, and both sides."),
            (2 * heads(few - 1, n), "At most so many heads: the number itself counts as well."),
            (1, "So it is for an even split. Whose heads do you count?"),
            (
                min(1.0, 2 * heads(min(both + only_a, both + only_b), len(a))),
                "Only images count that exactly one of the two reads.",
            ),
        ):
            if mistake and is_near(mistake):
                return wrong(f"{case} {mine:.4g}", hint=hint)
        hint = "Try by hand: if of three such images A reads all and B none, it must be .25."
        hint = hint if n else "Such a split is as even as can be. How likely is one at least as uneven?"
        hint = "Close. Is something rounded, or drawn?" if isclose(mine, true, rel_tol=0.01) else hint
        return wrong(f"{case} {mine:.4g}", hint=hint)
    return right(
        "Two networks that agree on most images can be told apart by a few others. To compare their "
        "accuracies as if each had had images of its own would miss that."
    )
