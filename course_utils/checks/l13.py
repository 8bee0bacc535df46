"""Checkers of lesson 13, the recipe."""

import math

import torch

from course_utils import load
from course_utils.exercises import checker, right, target, wrong
from course_utils.history import History
from course_utils.networks import fast_cifar_net
from course_utils.shapes import count_macs

from ._answers import RETURNED, Refused, close, near, number, numbers, tensor, whole
from .l06 import count_and_accuracy

EPOCHS = 5  # of the lesson's own training


@checker("13.1")
def sure_enough(answer):
    """a pair of numbers: a probability, and a loss."""
    probability, loss = numbers(answer, 2, "(probability, loss)")
    best = 0.8 + 0.2 / 5

    def least(share):
        return -(best * math.log(share) + (1 - best) * math.log((1 - share) / 4))

    if near(probability, least(best), places=3) and near(loss, best, places=3):
        return wrong("the two are swapped", hint="The probability first.")
    if not near(probability, best, places=3):
        case = f"a probability of {probability:g} is not it"
        for mistake, hint in (
            (0.8, "The s is spread over all five classes, and the right one is among them."),
            (0.2 / 5, "That is what the target gives to each wrong class."),
            (1, "That is the target without smoothing."),
            (1 - 0.2 / 5, "A fifth of s goes to each of the four wrong classes, not to one of them."),
            (0.8 + 0.2 / 10, "There are five classes."),
            (0.9 + 0.1 / 5, "Here s is .2."),
        ):
            if near(probability, mistake, places=3):
                return wrong(case, hint=hint)
        hint = "The loss is smallest where the network answers exactly what the target asks for. What is the target?"
        return wrong(case, hint=hint)
    if near(loss, least(best), places=3):
        return right("So a loss of 0 is out of reach, and a network that is surer than .84 pays for it.")
    case = f"a loss of {loss:g} is not it"
    for mistake, hint in (
        (0, "It would be 0 if the target were the right class alone. This target asks for four others as well."),
        (-math.log(best), "That is the loss for the right class alone. The target asks for the others as well."),
        (-best * math.log(best), "That is the right class's share of the sum. Four classes are missing."),
        (least(best) / math.log(2), "That is in bits: PyTorch takes the natural logarithm."),
        (least(best) / math.log(10), "That is with the logarithm to base 10: PyTorch takes the natural one."),
        (least(best) / 5, "It is a sum over the classes, not a mean."),
        (least(0.8), "That is the loss at another probability."),
        (-least(best), "The logarithm of a probability is negative, and so the sum wants a minus."),
        (-best * math.log(best) - 0.04 * math.log(0.04), "There are four wrong classes, and you counted one."),
    ):
        if near(loss, mistake, places=3):
            return wrong(case, hint=hint)
    if near(loss, least(best), places=2):
        return wrong(case, hint="Close. Give three decimal places.")
    hint = "Add up, over all five classes, minus the target times the natural logarithm of the probability."
    return wrong(case, hint=hint)


@checker("13.2")
def seeds_needed(answer):
    """a function of (gain, spread) that returns a whole number."""
    for gain, spread in ((0.4, 0.5), (1.0, 0.5), (0.1, 0.3), (4.0, 0.2), (2.5, 2.0), (0.7, 0.1)):
        mine = whole(answer(gain, spread), what=RETURNED)
        exact = 2 * (2.5 * spread / gain) ** 2
        true = max(2, math.ceil(exact))
        if mine == true:
            continue
        case = f"for a gain of {gain:g} and a spread of {spread:g} you get {mine}"
        for mistake, hint in (
            (math.ceil(exact), "One seed has no spread. At least two are asked."),
            (max(2, math.floor(exact)), "With so few, the gain is still below the bound. Round up."),
            (max(2, round(exact)), "Where that rounds down, the gain is still below the bound. Round up."),
            (max(2, math.ceil(exact / 2)), "Both recipes have a spread: the 2 under the root is missing."),
            (max(2, math.ceil(2 * exact)), "Asked are the seeds of each recipe, not of both together."),
            (max(2, math.ceil(exact / 6.25)), "The gain is to be 2.5 times the spread of the difference."),
            (max(2, math.ceil(exact**0.5)), "n is under a root. To get it out, square both sides."),
            (max(2, math.ceil(exact / 2.5)), "When both sides are squared, the 2.5 is squared as well."),
            (max(2, math.ceil(exact) + 1), "One fewer is enough."),
        ):
            if mine == mistake:
                return wrong(case, hint=hint)
        return wrong(case, hint="Try it: how large is 2.5 · spread · √(2/n) for your n, and for n − 1?")
    return right("For half the gain you pay four times the seeds. Small improvements are expensive to prove.")


@checker("13.3")
def triangle(answer):
    """a function of (step, steps, peak, rising) that returns a number."""
    for steps, peak, rising in ((100, 0.01, 0.25), (40, 2.0, 0.5), (60, 0.3, 0.1), (1_000, 1.0, 0.9)):
        up = round(steps * rising)
        for step in (1, up // 2, up, up + 1, (up + steps) // 2, steps - 1, steps, 0):
            mine = number(answer(step, steps, peak, rising), what=RETURNED)
            true = peak * (step / up if step <= up else (steps - step) / (steps - up))
            if abs(mine - true) <= 1e-6 * peak:
                continue
            case = f"at step {step} of {steps}, with a peak of {peak:g} and rising {rising:g}, you get {mine:.4g}"
            return wrong(case, hint=_why_no_triangle(mine, step, steps, peak, up))
    return right("`OneCycleLR` draws nearly the same line. It begins at a 25th of the peak instead of at 0.")


def _why_no_triangle(mine, step, steps, peak, up):
    """A hint, from what the rate is instead."""
    for mistake, hint in (
        (step / up if step <= up else (steps - step) / (steps - up), "The height is the peak, not 1."),
        (peak * step / steps, "It rises all the way. When should it turn?"),
        (peak * step / up, "Behind the peak it goes on rising. When should it turn?"),
        (peak * (steps - step) / steps, "It falls all the way. It should rise first."),
        (peak * (steps - step) / (steps - up), "It falls all the way. It should rise first."),
        (peak * max(0, 2 - step / up), "It falls as steeply as it rises. How many steps has it to fall?"),
        (
            peak * (1 + math.cos(math.pi * (step - up) / (steps - up))) / 2,
            "A cosine? Asked is a straight line.",
        ),
        (peak, "It is at its peak already. Straight lines lead there and away."),
        (0, "It is 0 already. Straight lines lead to the peak and away."),
    ):
        if abs(mine - mistake) <= 1e-6 * max(peak, 1):
            return hint
    if mine < 0:
        return "A learning rate is never negative. On which of the two lines is this step?"
    return "Draw it: 0 at step 0, the peak at step rising · steps, 0 at the last step. Which line is this step on?"


@checker("13.4")
def moving_average(answer):
    """a function of (values, keep) that returns a tensor."""
    generator = torch.Generator().manual_seed(0)
    for shape, count, keep in (((3,), 4, 0.9), ((2, 3), 5, 0.5), ((), 3, 0.98), ((4,), 1, 0.9), ((2,), 3, 0.0)):
        values = [torch.randn(shape, generator=generator) for _ in range(count)]
        mine = tensor(answer(values, keep))
        case = f"for {count} value{'s' * (count > 1)} and keep = {keep:g}"
        if mine.shape != shape:
            finding = f"{case} you return the shape {tuple(mine.shape)}, where each value has {tuple(shape)}"
            return wrong(finding, hint="One average is asked, the last one.")
        if not close(mine, _average(values, keep)):
            return wrong(f"{case} you return other numbers", hint=_why_no_average(mine, values, keep))
    return right("The last 1 / (1 − keep) values count most: with .99, about a hundred steps.")


def _average(values, keep):
    average = values[0]
    for value in values[1:]:
        average = keep * average + (1 - keep) * value
    return average


def _why_no_average(mine, values, keep):
    """A hint, from what the average is instead."""
    for mistake, hint in (
        (torch.stack(values).mean(0), "That is the plain mean. The latest values should count more."),
        (values[-1], "That is the last value. Where are those before it?"),
        (values[0], "That is the first value. It should move towards those after it."),
        (_average(values, 1 - keep), "keep is the share of the old average that stays."),
        (_average([torch.zeros_like(values[0]), *values], keep), "It starts at the first value, not at 0."),
        (_average(values[:-1] or values, keep), "The last value is missing."),
        (_average(values[::-1], keep), "You go through the values backwards."),
    ):
        if close(mine, mistake):
            return hint
    return "Try it with two values: the answer is keep times the first, plus 1 − keep times the second."


@checker("13.5")
def best_within(answer):
    """a function of (runs, seconds) that returns a name."""
    runs = {
        "small": (2.0, [0.40, 0.52, 0.57, 0.60, 0.61, 0.615, 0.616]),
        "large": (5.0, [0.50, 0.64, 0.70]),
        "wide": (11.0, [0.66, 0.74]),
        "early": (3.0, [0.55, 0.56, 0.57, 0.58]),
        "slow": (40.0, [0.99]),
        "falls": (4.0, [0.63, 0.30, 0.20, 0.72, 0.10]),
    }
    for names, seconds in (
        (("small", "early"), 6.0), (("small", "large"), 5.0), (("small", "large", "wide"), 4.5),
        (("small", "large", "wide"), 9.0), (("small", "large", "wide"), 10.0),
        (("small", "large", "wide"), 12.0), (("small", "large", "wide"), 15.0), (("small", "slow"), 39.0),
        (("small", "large", "slow"), 41.0), (("large", "falls"), 13.0), (("falls", "small"), 100.0),
        (("wide", "large"), 100.0),
    ):  # fmt: skip
        given = {name: (runs[name][0], list(runs[name][1])) for name in names}
        mine = answer(given, seconds)
        if not isinstance(mine, str):
            raise Refused("your function does not return text", hint="Return the name of a run, one of the keys.")
        if mine not in given:
            return wrong(f"you return {mine!r}", hint="Return the name of a run, one of the keys.")
        done = {name: min(int(seconds // each), len(scores)) for name, (each, scores) in given.items()}
        reached = {name: scores[done[name] - 1] for name, (_, scores) in given.items() if done[name]}
        true = max(reached, key=reached.get)
        if mine != true:
            case = f"of {', '.join(names)} within {seconds:g} seconds you take {mine!r}"
            return wrong(case, hint=_why_not_the_best(mine, given, done))
    return right(
        "A caveat: a run whose rate falls to 0 can't be cut short. Each budget needs a training of its own, "
        "planned for it."
    )


def _why_not_the_best(mine, given, done):
    """A hint, from what the chosen run would be the best of."""
    if not done[mine]:
        return "It has not finished one epoch by then."
    last = {name: scores[-1] for name, (_, scores) in given.items()}
    peak = {name: max(scores[: done[name]]) for name, (_, scores) in given.items() if done[name]}
    equal = min(count for count in done.values() if count)
    at_equal_epochs = {name: scores[equal - 1] for name, (_, scores) in given.items()}
    if mine == max(peak, key=peak.get):
        return "It was better in an earlier epoch. What counts is the last epoch that is finished in time."
    if mine == max(last, key=last.get):
        return "It is the best at its end, but its end comes later."
    if mine == max(at_equal_epochs, key=at_equal_epochs.get):
        return "It is the best after equally many epochs. Here all get equally many seconds."
    return "For each run: how many whole epochs fit into the time? Which score has it then?"


@checker("13.6")
def own_minute(answer):
    """a pair: a trained nn.Module, and the History of its training."""
    if not isinstance(answer, tuple | list) or len(answer) != 2 or not isinstance(answer[1], History):
        hint = "Give both: the network, and what `fit` returned when you trained it."
        raise Refused("this is no pair of a network and its history", hint=hint)
    (model, history), cifar = answer, load("cifar10")
    size, reached = count_and_accuracy(model, cifar, limit=900_000)
    each, ours = count_macs(model, (1, *cifar.train.x.shape[1:])), count_macs(fast_cifar_net(), (1, 3, 32, 32))
    spent, budget, needed = each * len(history), ours * EPOCHS, target(cifar, real=0.776, sample=0.8)
    if not history or abs(history[-1].valid.accuracy - reached) > 0.01:
        read = f"{history[-1].valid.accuracy:.1%}" if history else "nothing"
        hint = "Give the history of this network's last training, as `fit` returned it."
        return wrong(f"it reads {reached:.1%} of the validation images, and its history ends at {read}", hint=hint)
    if spent > budget:
        hint = f"With {each / 1e6:.1f} million an image, {budget // each} epochs fit. Or make each image cheaper."
        return wrong(f"its {len(history)} epochs spend {spent / budget:.2f} times what ours do", hint=hint)
    if reached < needed:
        case = f"it reads {reached:.2%} of the validation images, {needed:.1%} are asked"
        for holds, hint in (
            (reached < 0.2, "Chance reads as many. Was it trained, and on normalised images?"),
            (spent < 0.7 * budget, f"You have time left: it spends {spent / budget:.0%} of what ours does."),
            (history[-1].lr > 0.5 * max(row.lr for row in history), "Does its learning rate fall to 0 at the end?"),
            (True, "The lesson's blocks, its augmentation, and two or three peaks for the learning rate."),
        ):
            if holds:
                return wrong(case, hint=hint)
    return right(f"It reads {reached:.2%} for {spent / budget:.0%} of our arithmetic, with {size:,} numbers.")
