"""Checkers of lesson 11, CIFAR-10 and honest tuning."""

import random
from math import comb

import torch

from course_utils.exercises import checker, right, wrong
from course_utils.records import recorded


def _near(value, expected, share=0.01):
    return abs(value - expected) <= share * abs(expected)


@checker("11.1")
def chosen(answer):
    """three whole numbers, (c1, c2, hidden)."""
    c1, c2, hidden = answer
    rows = recorded("published_cifar10_runs")["grid"]["runs"]
    winner = max(rows, key=lambda row: row["accuracy"])
    expected = (winner["c1"], winner["c2"], winner["hidden"])
    if (c1, c2, hidden) == expected:
        return right("It is the network that the study began with. Whatever made 71 % out of 62 %, it was not this.")
    found = [row for row in rows if (row["c1"], row["c2"], row["hidden"]) == (c1, c2, hidden)]
    if not found:
        return wrong(f"no run has {answer!r}", hint="First a line's two numbers of channels, then its hidden ones.")
    if found[0] is min(rows, key=lambda row: row["accuracy"]):
        return wrong("that one has the lowest accuracy", hint="Higher is better here: it is not a loss.")
    return wrong(f"that one has {found[0]['accuracy']:.2%}", hint="Look for the highest accuracy of the eight lines.")


@checker("11.2")
def error_and_images(answer):
    """two numbers: points, and images."""
    error, images = (float(value) for value in answer)
    hints = {
        0.0046: "That is a share. Points are hundredths: multiply by 100.",
        0.0021: "That is the variance, p(1 − p)/n, in hundredths. Take its root first.",
        0.21: "That is p(1 − p). Divide by n, then take the root.",
        45.8: "That is the error for a single image. Divide by the root of n.",
        0.84: "Multiply p by 1 − p as well, before the root.",
        0.9: "The standard error itself is asked for; about two of them to each side make the 95 % interval.",
        1.8: "The standard error itself is asked for, not the width of the 95 % interval.",
    }
    for value, hint in hints.items():
        if _near(error, value, 0.02):
            return wrong(f"your error is {error:g} points", hint=hint)
    if not _near(error, 0.4583, 0.02):
        hint = "Put p and n into the formula; then go from a share to points."
        return wrong(f"your error is {error:g} points", hint=hint)
    if _near(images, 45_826, 0.05):
        return wrong(f"you ask for {images:,.0f} images", hint="That grows n in proportion. But n stands under a root.")
    if _near(images, 21, 0.05) or _near(images, 2_100, 0.05):
        return wrong(f"you ask for {images:,.0f} images", hint="A tenth of a point is a share of .001.")
    if not _near(images, 210_000, 0.03):
        return wrong(f"you ask for {images:,.0f} images", hint="Solve √(.21 / n) = .001 for n.")
    return right(
        "Twenty-one times the test set. From two scores alone, half a point apart, nobody can tell which "
        "network is better. Exercise 11.8 looks closer."
    )


@checker("11.3")
def pace(answer):
    """seconds, seconds, and "network" or "images"."""
    search, last, what = answer
    if _near(search, 2_984 / 10):
        return wrong("you divide by 10 epochs", hint="Each of eight networks had ten epochs.")
    if _near(search, 49.73 / 80) or _near(last, 25.33 / 41) or _near(search, 2_944 / 80, 0.001):
        return wrong(f"you have {search:.3g} and {last:.3g} seconds", hint="Minutes times 60, plus the seconds.")
    if not _near(search, 37.3):
        hint = "All seconds of the search, for the epochs of all eight networks."
        return wrong(f"your epoch of the search takes {search:.3g} s", hint=hint)
    if not _near(last, 1_520 / 41):
        hint = "All seconds of the last training, for its epochs."
        return wrong(f"your epoch of the last training takes {last:.3g} s", hint=hint)
    if what not in ("network", "images"):
        return wrong(f"your third answer is {what!r}", hint='"network" or "images".')
    if what == "network":
        hint = "The search trained networks of up to four times the winner's work. Did their epochs take longer?"
        return wrong("the network does not set the pace", hint=hint)
    return right(
        "The GPU waited while one process turned and coloured pictures, one after the other. A whole batch at "
        "once costs far less (lesson 10); lesson 15 looks for such waits."
    )


TEST = {  # the letter: whether it is fair, and what to think of if you got it wrong
    "A": (False, "The network then knows something of the test before it is tested. It is little, and still a leak."),
    "B": (False, "Who chooses the epoch, if not the test? Its loss is then the lowest of many."),
    "C": (True, "That is what the test is there for."),
    "D": (True, "What is reported was settled before. Nothing is chosen by the scores."),
    "E": (False, "The second score decides whether the first is kept. That is choosing by the test."),
    "F": (True, "The number is settled. Looking is harmless, until you change the network for what you saw."),
}


@checker("11.4")
def fair(answer):
    """a set of letters, such as {"A", "B"}."""
    letters = {str(letter).upper() for letter in answer}
    if not letters or letters - TEST.keys():
        return wrong(f"your answer is {answer!r}", hint='A set of letters from A to F, such as {"A", "B"}.')
    for letter, (is_fair, hint) in TEST.items():
        if (letter in letters) != is_fair:
            return wrong(f"{letter} is {'fair' if is_fair else 'not fair'}", hint=hint)
    return right("One question decides: did the test images have a say in the network, or in what is reported?")


@checker("11.5")
def effects(answer):
    """three numbers of points: augmentation, batches of 512, their interaction."""
    augmentation, batch, interaction = (float(value) for value in answer)
    if all(abs(value) < 0.06 for value in (augmentation, batch, interaction)):
        return wrong("your numbers are shares", hint="In points: from 60 % to 68 % are 8.")
    hints = {
        8: "That is its effect with batches of 24 alone. Take the mean of both.",
        3: "That is its effect with batches of 512 alone. Take the mean of both.",
        5: "That changes both at once, from the first recipe to the last.",
        -5.5: "From without to with: 68 − 60, not 60 − 68.",
        11: "The mean of the two effects, not their sum.",
    }
    if abs(augmentation - 5.5) > 0.01:
        hint = hints.get(augmentation, "What does it bring with batches of 24, what with 512? Take the mean.")
        return wrong(f"your augmentation brings {augmentation:g}", hint=hint)
    hints = {
        2: "That is without augmentation alone. Take the mean of both.",
        -3: "That is with augmentation alone. Take the mean of both.",
        0.5: "From 24 to 512: 62 − 60, and 65 − 68.",
        -1: "The mean of the two effects, not their sum.",
    }
    if abs(batch + 0.5) > 0.01:
        hint = hints.get(batch, "What do they bring without augmentation, what with it? Take the mean.")
        return wrong(f"your batches of 512 bring {batch:g}", hint=hint)
    if abs(interaction - 5) < 0.01:
        return wrong("your interaction is 5", hint="More with 512 than with 24: 3 against 8. Which sign has that?")
    if abs(interaction + 5) > 0.01:
        hint = "What augmentation brings with batches of 512, less what it brings with batches of 24."
        return wrong(f"your interaction is {interaction:g}", hint=hint)
    return right("Whoever changes one after the other credits augmentation with 8 points or with 3, by their order.")


@checker("11.6")
def variance_after(answer):
    """a function of (mean, variance, p) that returns a number."""
    for mean, variance, p in ((2.0, 1.0, 0.25), (0.0, 1.0, 0.5), (1.0, 0.0, 0.5)):
        mine = float(answer(mean, variance, p))
        case = f"for a mean of {mean:g}, a variance of {variance:g} and p = {p:g} you get {mine:.4g}"
        squares = variance + mean**2
        expected = squares / (1 - p) - mean**2
        if _near(mine, expected, 1e-4) or abs(mine - expected) < 1e-9:
            continue
        if _near(mine, squares / (1 - p), 1e-4):
            return wrong(case, hint="That is the mean of the squares. Take the square of the mean off; the mean stays.")
        if _near(mine, squares / p - mean**2, 1e-4):
            return wrong(case, hint="p is the share that goes; the survivors are divided by what stays.")
        undivided = (1 - p) * variance, (1 - p) * squares - mean**2, (1 - p) * squares - ((1 - p) * mean) ** 2
        if any(_near(mine, value, 1e-4) for value in undivided):
            return wrong(case, hint="The survivors are divided by 1 − p, so their squares by (1 − p)².")
        if _near(mine, variance / (1 - p), 1e-4) or _near(mine, variance / (1 - p) ** 2, 1e-4):
            return wrong(case, hint="Equal numbers vary after dropout as well: some are 0 then. Where is the mean?")
        if _near(mine, squares / (1 - p) ** 2 - mean**2, 1e-4):
            return wrong(case, hint="Only a share of 1 − p of the squares is left.")
        hint = "First the mean of the squares: before dropout, then after it. What does dropout do to the mean?"
        return wrong(case, hint=hint)
    return right(
        "With p = ½ that is 2·variance + mean²: behind ReLU, where no mean is 0, more than twice. "
        "X. Li and others described it in 2019. Batch norm before dropout avoids it."
    )


@checker("11.7")
def halving(answer):
    """a function of (candidates, score) that returns one candidate."""
    draws = random.Random(0)
    for count in (8, 7, 1):
        strength = {f"candidate {k}": [draws.random() for _ in range(4)] for k in range(count)}
        calls, trained = [], {}
        expected_calls, left, epochs = [], list(strength), 1

        def value(candidate, epochs, strength=strength):
            return strength[candidate][min(3, epochs.bit_length() - 1)]

        def score(candidate, epochs, calls=calls, value=value):
            calls.append((candidate, epochs))
            return value(candidate, epochs)

        while len(left) > 1:
            expected_calls += [(candidate, epochs) for candidate in left]
            left = sorted(left, key=lambda each: value(each, epochs), reverse=True)[: len(left) // 2]
            epochs *= 2
        given = list(strength)
        mine = answer(given, score)
        if given != list(strength):
            return wrong("the list of candidates has changed", hint="Make new lists; sorted() and slices do.")
        if isinstance(mine, list | tuple):
            return wrong(f"you return {type(mine).__name__} {mine!r}", hint="Return the candidate itself, not a list.")
        for candidate, epochs in calls:
            trained.setdefault(epochs, []).append(candidate)
        tried = {epochs: len(set(some)) for epochs, some in trained.items()}
        wanted = {epochs: sum(each == epochs for _, each in expected_calls) for _, epochs in expected_calls}
        case = f"of {count} candidates, you train {_in_words(tried)}"
        rounds = "Rounds of 1, 2, 4 … epochs in all, and no round for the last one left."
        if sorted(calls) != sorted(expected_calls):
            if len(tried) < 2 < count:
                return wrong(case, hint=rounds)
            if len(calls) != len(set(calls)):
                return wrong(case, hint="You score a candidate twice after as many epochs: keep its score in a list.")
            if any(tried.get(epochs) not in (None, wanted[epochs]) for epochs in wanted):
                return wrong(case, hint="Each time the better half goes on: of 8 keep 4, then 2, then 1; of 7 keep 3.")
            if tried == wanted:
                hint = "Sort by the newest scores, highest first, and keep the front half."
                return wrong(f"{case}, but not the better ones", hint=hint)
            return wrong(case, hint=rounds)
        if mine not in strength:
            return wrong(f"you return {mine!r}", hint="Return the candidate that is left.")
        if mine != left[0]:
            hint = "Return the one that is left at the end, by its newest score."
            return wrong(f"you return {mine!r} of {count} candidates", hint=hint)
    return right("8 candidates for 16 epochs; to give each four would take 32. The price: who blooms late is gone.")


def _in_words(tried):
    return ", ".join(f"{count} for {epochs}" for epochs, count in sorted(tried.items())) or "none"


@checker("11.8")
def p_value(answer):
    """a function of (right_a, right_b) that returns a number from 0 to 1."""
    cases = ((5, 12, 4, 60), (5, 4, 12, 60), (500, 30, 18, 2), (9, 5, 5, 0), (9, 0, 0, 9), (5, 70, 50, 5))
    for both, only_a, only_b, neither in cases:
        a, b = ([1] * both + [x] * only_a + [1 - x] * only_b + [0] * neither for x in (1, 0))
        order = torch.randperm(len(a), generator=torch.Generator().manual_seed(0))
        a, b = (torch.tensor(values, dtype=torch.bool)[order] for values in (a, b))
        n, few = only_a + only_b, min(only_a, only_b)
        try:
            mine = float(answer(a, b))
        except OverflowError:
            return wrong(f"2**{n} does not fit into a tensor", hint="Make Python numbers of the counts first: .item().")
        case = f"for {only_a} images that only A reads and {only_b} that only B reads you get {mine:.4g}"

        def heads(most, throws):
            return sum(comb(throws, k) for k in range(most + 1)) / 2**throws

        expected = min(1.0, 2 * heads(few, n))
        if abs(mine - expected) < 1e-6:
            continue
        if mine > 1:
            return wrong(case, hint="No chance is above 1: take min(1, …).")
        if abs(mine - heads(few, n)) < 1e-6:
            return wrong(case, hint="Uneven to either side: twice that chance.")
        if abs(mine - 2 * comb(n, few) / 2**n) < 1e-6 or abs(mine - comb(n, few) / 2**n) < 1e-6:
            return wrong(case, hint="At most so many heads: add up all numbers from 0 on.")
        if only_a > only_b and abs(mine - min(1, 2 * heads(only_a, n))) < 1e-6:
            return wrong(case, hint="Count the heads of the smaller side: min(a, n − a).")
        if abs(mine - min(1, 2 * heads(min(both + only_a, both + only_b), len(a)))) < 1e-6:
            return wrong(case, hint="Only images count that exactly one of the two reads.")
        return wrong(case, hint=f"n is {n} here, and min(a, n − a) is {few}. Add up comb(n, k) / 2**n, then double.")
    return right(
        "Two networks that agree on most images can be told apart by a few others. To compare their "
        "accuracies as if each had had images of its own would miss that."
    )
