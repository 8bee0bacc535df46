"""Checkers of lesson 8, capacity and forgetting."""

import copy

import torch

from course_utils import networks
from course_utils.exercises import checker, right, wrong

from ._answers import Refused, close, near, number, scores, subclass, tensor, texts, whole


@checker("8.1")
def factor(answer):
    """one number."""
    mine = number(answer)
    hints = {
        0.8: "That share survives. What must each survivor count for, so that the sum stays the same on average?",
        5.0: "That is 1/p. p is the share that goes.",
        0.2: "That share goes. What happens to those that stay?",
        1.0: "Then the sum would be smaller in training than in evaluation.",
        1.2: "That is 1 + p. Of ten ones eight survive: the sum would be 9.6.",
        2.0: "That belongs to p = 0.5.",
    }
    for value, hint in hints.items():
        if near(mine, value, places=6):
            return wrong(f"{mine:g} is not it", hint=hint)
    if not near(mine, 1 / (1 - 0.2), places=6):
        return wrong(f"{mine:g} is not it", hint="On average the sum of ten ones must stay ten. How many survive?")
    return right("The paper of 2014 scaled in evaluation instead, by 1 − p. Then whoever uses a network has to know p.")


@checker("8.2")
def one_more_pooling(answer):
    """a number of parameters."""
    mine = whole(answer, "one whole number, all parameters of the network")
    convolutions, last = (1 * 9 + 1) * 64 + (64 * 9 + 1) * 128, (1_024 + 1) * 10
    weights, biases = 128 * 7 * 7 * 1_024, 1_024  # of the first linear layer
    halved_once = 128 * 14 * 7 * 1_024 + biases
    as_it_is = convolutions + 128 * 14 * 14 * 1_024 + biases + last
    hints = {
        as_it_is: "That is the network as it is. What arrives at its first linear layer after one more pooling?",
        as_it_is // 4: "Only the weights of one layer shrink by four; its biases and the other layers stay.",
        weights: "Those are the weights of one layer. Biases and three other layers are missing.",
        weights + biases: "That is the first linear layer. Add the two convolutions and the last layer.",
        weights + biases + last: "Those are the linear layers. Add the two convolutions.",
        weights + biases + convolutions: "The last layer is missing.",
        weights + convolutions + last: "One layer's biases are missing: each of its outputs has one.",
        weights + 1_024 * 10 + 9 * 64 + 64 * 9 * 128: "Those are all weights. Each filter and each output has a bias.",
        halved_once + convolutions + last: "Pooling by 2×2 halves rows and columns.",
    }
    if mine in hints:
        return wrong(f"{mine:,} is not it", hint=hints[mine])
    if mine != weights + biases + convolutions + last:
        hint = "Add up four layers. How many numbers does the pooling leave of each map, and how many maps are there?"
        return wrong(f"{mine:,} is not it", hint=hint)
    return right("A layer without parameters saves three quarters of them. Global pooling (lesson 12) goes further.")


@checker("8.3")
def remedies(answer):
    """a dict with the keys A, B, C and D."""
    expected = {"A": "larger network", "B": "more images", "C": "evaluation mode", "D": "check the labels"}
    mine = {str(key): value for key, value in answer.items()} if isinstance(answer, dict) else {}
    if set(mine) != set(expected):
        return wrong("your answer has not the four keys A to D", hint='Such as {"A": …, "B": …, "C": …, "D": …}.')
    form = "each of A to D one of the four remedies, copied from the exercise"
    missing = [key for key in expected if mine[key] is None or mine[key] is ...]
    if 0 < len(missing) < len(expected):
        return wrong(f"nothing is given for {' and '.join(missing)} yet", hint=f"Give {form}.")
    remedies = [text.strip().lower() for text in texts([mine[key] for key in expected], form)]
    mine = dict(zip(expected, remedies, strict=True))
    hints = {
        ("A", "more images"): "A is poor even on the images it has: what would it do with more?",
        ("A", None): "A is poor on both splits and no longer improves. Which of the lesson's networks was like that?",
        ("B", "larger network"): "B already knows every training image.",
        ("B", None): "A gap of 22 points, and a rising validation loss: which picture of the lesson is that?",
        ("C", None): "Same weights, same images, different scores: what in a network is drawn anew each time?",
        ("D", "more images"): "D reads as many as guessing would. More of what it has been told would not help.",
        ("D", None): "D knows all its images and has understood nothing. Where did you see these two numbers?",
    }
    for key, value in expected.items():
        if mine[key] not in expected.values():
            return wrong(f"{key} has none of the four remedies: {mine[key]!r}", hint=f"Give {form}.")
        if mine[key] != value:
            hint = hints.get((key, mine[key]), hints[key, None])
            return wrong(f"{key} is not cured by {mine[key]!r}", hint=hint)
    return right("Ask in this order: is the score real, are the labels, is it poor on what it saw, is there a gap?")


def _must_lack_maps(mine, x, p):
    """Refuses what is not x, whose maps were dropped with probability p."""
    images, maps = x.shape[:2]
    case = f"for x of shape {tuple(x.shape)} and p = {p}"
    if mine.shape != x.shape:
        raise Refused(f"{case} you return shape {tuple(mine.shape)}", hint="x keeps its shape: what goes becomes 0.")
    gone = mine == 0
    dropped = gone.flatten(2).all(2)  # N×C
    if dropped.all() or not gone.any():
        raise Refused(f"{case} {'all' if gone.any() else 'nothing'} is dropped", hint="Toss one coin for each map.")
    if not torch.equal(gone.flatten(2).any(2), dropped):
        raise Refused(f"{case} parts of maps are gone", hint="All pixels of a map share one coin.")
    if images > 1 and torch.equal(dropped, dropped[:1].expand_as(dropped)):
        raise Refused(f"{case} all images lose the same maps", hint="Each image has its own coins: N·C of them.")
    if maps > 1 and torch.equal(dropped, dropped[:, :1].expand_as(dropped)):
        raise Refused(f"{case} images lose all their maps or none", hint="Each map has its own coin: N·C of them.")
    share = dropped.double().mean().item()
    if not abs(share - p) <= 0.05:
        raise Refused(f"{case} {share:.0%} of the maps are gone", hint="p is the probability with which a map goes.")
    if min(images, maps) > 1 and len(dropped.sum(1).unique()) == 1:
        raise Refused(f"{case} every image loses equally many maps", hint="With a coin for each, their number varies.")
    if close(mine[~gone], x[~gone]):
        hint = "On average, the next layer must receive what it would have received without dropout."
        raise Refused(f"{case} what stays is as it was", hint=hint)
    times = (mine[~gone] / x[~gone]).median()
    if not close(mine[~gone], x[~gone] * times, tolerance=1e-4):
        raise Refused(f"{case} what stays is no multiple of x", hint="It is scaled, and else as it was.")
    if not close(mine[~gone], x[~gone] / (1 - p)):
        hint = "How many of a hundred stay? What must each of them count for, so that the sum stays the same?"
        raise Refused(f"{case} what stays is multiplied by about {times:.3g}", hint=hint)


@checker("8.4", without=("dropout1d", "dropout2d", "dropout3d", "feature_dropout", "feature_dropout_"))
def drop_maps(answer):
    """a function of (x, p, training) that returns a tensor."""
    exact = []
    for shape, p in (((64, 32, 4, 4), 0.25), ((50, 40, 3, 5), 0.6), ((1, 2000, 2, 3), 0.25), ((2000, 1, 1, 1), 0.6)):
        x = torch.randn(shape)
        mine = tensor(answer(x, p, True), "×".join(map(str, shape)))
        _must_lack_maps(mine, x, p)
        if torch.equal(tensor(answer(x, p, True)), mine):
            hint = "Each call draws new coins; so no seed is set in the function."
            return wrong("two calls drop the same maps", hint=hint)
        if not close(tensor(answer(x, p, False)), x):
            hint = "Outside of training nothing is dropped, and nothing scaled."
            return wrong("with training=False, x comes back changed", hint=hint)
        exact.append((mine == 0).double().mean().item() == p)
    if all(exact):
        return wrong("the share of maps that go is always exactly p", hint="With a coin for each, their number varies.")
    if not close(tensor(answer(x, 0.0, True)), x):
        return wrong("with p = 0, x comes back changed", hint="Then no map goes, and nothing needs scaling.")
    return right("F.dropout2d does this. J. Tompson and others proposed it in 2015, as spatial dropout.")


_SHOWN = [0, 1, 2, 3, 4, 25, 26, 27, 28]  # of 25 features a map: five of the first, four of the second


def _transparent(width, image):
    """A trained network, all features above 0, whose answers show them: nine features, each plus 1, and a count plus 1.

    The count is of all features of this image: each counts 1.
    """
    model = networks.two_convolutions(width, dropout=0.5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
        model[8].weight.zero_()
        model[8].weight[range(9), _SHOWN] = 1
        model[8].weight[9] = 1 / model[:7](image)[0]
        model[8].bias.fill_(1)
    return model


def _must_sleep(model, images, expected):
    """Refuses a network that in evaluation mode does not answer as expected."""
    model.eval()
    mine = tensor(scores(model, images), what="in evaluation mode the network answers with")
    if not torch.equal(mine, tensor(scores(model, images))):
        hint = "Does what drops learn of eval()? Neither `F.dropout` by itself does, nor a layer made inside forward."
        raise Refused("in evaluation mode, two scores of the same images differ", hint=hint)
    if not close(mine, expected):
        hint = "The features, then dropout, then the last layer; nothing is scaled in evaluation."
        raise Refused("in evaluation mode the answers are not those of the trained network", hint=hint)


def _must_drop(model, images, expected):
    """Refuses a network that in training mode drops anything but half of the features, of one image many times."""
    model.train()
    given = scores(model, images)
    mine = tensor(given, what="in training mode the network answers with")
    if mine.shape != expected.shape:
        finding = f"in training mode the answers have shape {tuple(mine.shape)}"
        raise Refused(finding, hint="As in evaluation mode: the features, then dropout, then the last layer.")
    if not given.requires_grad:
        hint = "Is there a `no_grad`, a `detach()` or a `.data` in it?"
        raise Refused("in training mode no gradient comes through, so nothing can learn", hint=hint)
    if close(mine, expected):
        raise Refused("in training mode nothing is dropped", hint="What does your class do after train()?")
    if (mine == 0).any():  # without its bias
        raise Refused("answers are dropped", hint="Drop what the last layer reads, not what it answers.")
    times = (mine - 1) / (expected.double() - 1)  # what each feature counts for: 0 where it is dropped
    times, count = times[:, :9], times[:, 9]
    gone = times.abs() < 1e-4
    share, kept = gone.double().mean().item(), times[~gone]
    if not 0 < share < 1 or not close(kept, kept.median().expand_as(kept), tolerance=1e-3):
        hint = "Some features become 0, all others are multiplied by one number; what comes before them stays."
        raise Refused("in training mode the last layer does not read the features with some dropped", hint=hint)
    if torch.equal(gone, gone[:1].expand_as(gone)):
        raise Refused("all images lose the same features", hint="Each feature of each image has a coin of its own.")
    if abs(share - 0.75) <= 0.05:
        hint = "Are they dropped twice? `trained` has a layer of dropout, too."
        raise Refused(f"in training mode {share:.0%} of the features are dropped", hint=hint)
    if not abs(share - 0.5) <= 0.05:
        hint = "Each goes with probability ½."
        raise Refused(f"in training mode {share:.0%} of the features are dropped", hint=hint)
    if torch.equal(gone[:, :5].all(1), gone[:, :5].any(1)):
        raise Refused("maps go as a whole", hint="Each of their 25 features has a coin of its own.")
    if close(count, count[:1].expand_as(count)):
        raise Refused("every image loses equally many features", hint="With a coin for each, their number varies.")
    if not near(kept.median().item(), 2, places=2):
        hint = "In evaluation nothing is scaled. What must the survivors count for in training?"
        raise Refused(f"in training mode the survivors are multiplied by {kept.median():.3g}", hint=hint)
    if torch.equal(tensor(scores(model, images)), mine):
        raise Refused("two calls drop the same features", hint="Each call draws new coins; so no seed is set.")


@checker("8.5")
def mended(answer):
    """a class, built from a trained network."""
    build = subclass(answer, "Mended")
    for width, mode in ((2, True), (1, False)):
        images, one = torch.rand(5, 1, 28, 28), torch.rand(1, 1, 28, 28)
        trained, one = _transparent(width, one).train(mode), one.repeat(300, 1, 1, 1)
        with torch.no_grad():
            reference = copy.deepcopy(trained).eval()
            expected, of_one = reference(images), reference(one)
        model = build(trained)
        _must_sleep(model, images, expected)
        _must_drop(model, one, of_one)
        _must_sleep(model, images[:1], expected[:1])
    return right("With nn.Dropout as a layer of the module, eval() does this for you.")


@checker("8.6")
def unscramble(answer):
    """a function of (weight, order) that returns a matrix."""
    for outputs, pixels in ((12, 12), (5, 12), (7, 4), (1, 3)):  # square at first: there rows can be moved, too
        weight, order = torch.randn(outputs, pixels), torch.randperm(pixels)
        back = order.argsort()
        mine, expected = tensor(answer(weight, order), f"{outputs}×{pixels}"), weight[:, back]
        case = f"for a weight of shape {outputs}×{pixels} and order {order.tolist()}"
        if mine.shape != weight.shape:
            hint = "Its columns change places, nothing else."
            return wrong(f"{case} you return shape {tuple(mine.shape)}", hint=hint)
        if close(mine, expected):
            continue
        if close(mine, weight[:, order]):
            hint = "That scrambles once more. Which pixel of plain x does column 0 belong to?"
            return wrong(f"{case} the columns are moved the wrong way", hint=hint)
        if close(mine, weight):
            hint = "Column k belongs to number k of x[:, order]: which pixel of plain x is that?"
            return wrong(f"{case} the matrix is as it was", hint=hint)
        if outputs == pixels and (close(mine, weight[order]) or close(mine, weight[back])):
            return wrong(f"{case} rows are moved", hint="Each row belongs to an output, each column to a pixel.")
        x = torch.randn(3, pixels)
        difference = (x.double() @ mine.T - (x[:, order] @ weight.T)).abs().max()
        return wrong(
            f"{case} the answers to three images differ by up to {difference:.2g}",
            hint="Try a weight of one row, [[0, 1, 2]], and follow each number to its pixel.",
        )
    return right("So training on scrambled pixels finds the same networks, with their columns in another order.")
