"""Checkers of lesson 8, capacity and forgetting."""

import torch
from torch import nn

from course_utils import networks
from course_utils.exercises import Unattempted, checker, right, wrong


@checker("8.1")
def factor(answer):
    """one number."""
    hints = {
        0.8: "That share survives. What must each survivor count for, so that the sum stays the same on average?",
        5.0: "That is 1/p. p is the share that goes.",
        0.2: "That share goes. What happens to those that stay?",
        1.0: "Then the sum would be smaller in training than in evaluation.",
        2.0: "That belongs to p = 0.5.",
    }
    for value, hint in hints.items():
        if abs(answer - value) < 1e-6:
            return wrong(f"{answer:g} is not it", hint=hint)
    if not abs(answer - 1.25) <= 1e-6:  # so that NaN is wrong too
        return wrong(f"{answer:g} is not it", hint="On average the sum of ten ones must stay ten. How many survive?")
    return right("The paper of 2014 scaled in evaluation instead, by 1 − p. Then whoever uses a network has to know p.")


@checker("8.2")
def one_more_pooling(answer):
    """a number of parameters."""
    convolutions, last = 640 + 73_856, 10_250
    hints = {
        25_775_882: "That is the network as it is: 14·14 numbers a map. What arrives after one more pooling?",
        25_775_882 // 4: "Only the weights of one layer shrink by four; its biases and the other layers stay.",
        6_272 * 1_024: "Those are the weights of one layer. Biases and three other layers are missing.",
        6_273 * 1_024: "That is the first linear layer. Add the two convolutions and the last layer.",
        6_273 * 1_024 + last: "Those are the linear layers. Add the two convolutions.",
        6_273 * 1_024 + convolutions: "The last layer is missing.",
        6_272 * 1_024 + convolutions + last: "One bias for each of the 1,024 outputs is missing.",
        12_545 * 1_024 + convolutions + last: "Pooling by 2×2 halves both sides: 14×14 becomes 7×7.",
    }
    if answer in hints:
        return wrong(f"{answer:,} is not it", hint=hints[answer])
    with torch.device("meta"):  # shapes without numbers: quick
        model = networks.wide_mnist_net()
        model.insert(5, nn.MaxPool2d(2))
        model[7] = nn.Linear(128 * 7 * 7, 1_024)
    expected = sum(parameter.numel() for parameter in model.parameters())
    if answer != expected:
        hint = "128 maps of 7×7 numbers arrive at the first linear layer, and each layer has its biases."
        return wrong(f"{answer:,} is not it", hint=hint)
    return right("A layer without parameters saves three quarters of them. Global pooling (lesson 12) goes further.")


@checker("8.3")
def remedies(answer):
    """a dict with the keys A, B, C and D."""
    expected = {"A": "larger network", "B": "more images", "C": "evaluation mode", "D": "check the labels"}
    if not isinstance(answer, dict) or set(answer) != set(expected):
        return wrong("your answer has not the four keys A to D", hint='Such as {"A": "larger network", …}.')
    if all(value is ... or value is None for value in answer.values()):
        raise Unattempted
    hints = {
        ("A", "more images"): "A is poor even on the images it has: what would it do with more?",
        ("A", None): "A is poor on both splits and no longer improves. Is that too much capacity, or too little?",
        ("B", "larger network"): "B already knows every training image.",
        ("B", None): "A gap of 22 points, and a rising validation loss: which picture of the lesson is that?",
        ("C", None): "Same weights, same images, different scores: what in a network is drawn anew each time?",
        ("D", "more images"): "D reads as many as guessing would. More of what it has been told would not help.",
        ("D", None): "D knows all its images and has understood nothing. Where did you see these two numbers?",
    }
    for key, value in expected.items():
        if answer[key] not in expected.values():
            hint = f"Copy one of these: {', '.join(sorted(expected.values()))}."
            return wrong(f"{key} has none of the four remedies", hint=hint)
        if answer[key] != value:
            hint = hints.get((key, answer[key]), hints[key, None])
            return wrong(f"{key} is not cured by {answer[key]!r}", hint=hint)
    return right("Ask in this order: is the score real, are the labels, is it poor on what it saw, is there a gap?")


@checker("8.4")
def drop_maps(answer):
    """a function of (x, p, training) that returns a tensor."""
    torch.manual_seed(0)
    x = torch.rand(64, 32, 4, 4) + 0.5
    given = x.clone()
    dropped = answer(x, 0.25, True)
    if not isinstance(dropped, torch.Tensor) or dropped.shape != x.shape:
        return wrong("you return no tensor of the shape of x", hint="One number of shape N×C×1×1 for each map.")
    if not torch.equal(x, given):
        return wrong("x itself has changed", hint="Multiply into a new tensor: the caller may still need x.")
    gone = dropped == 0
    whole = gone.flatten(2).all(2)
    if gone.all() or not gone.any():
        amount = "everything" if gone.all() else "nothing"
        return wrong(f"with p = 0.25 {amount} was dropped", hint="One coin for each map, by bernoulli_(1 - p).")
    if not torch.equal(gone.flatten(2).any(2), whole):
        return wrong("parts of maps are gone", hint="The mask has the shape N×C×1×1, so that a map shares one coin.")
    if torch.equal(whole, whole[:1].expand_as(whole)):
        return wrong("all images lose the same maps", hint="Each image has its own coins: N·C of them.")
    if torch.equal(whole, whole[:, :1].expand_as(whole)):
        return wrong("images lose all their maps or none", hint="Each map has its own coin: N·C of them.")
    share = whole.float().mean().item()
    if abs(share - 0.75) < 0.05:
        return wrong(f"{share:.0%} of the maps are gone with p = 0.25", hint="p is the share that goes.")
    if abs(share - 0.25) > 0.05:
        return wrong(f"{share:.0%} of the maps are gone with p = 0.25", hint="bernoulli_(1 - p) is 1 for what stays.")
    if len(whole.sum(1).unique()) == 1:
        return wrong("every image loses equally many maps", hint="With a coin for each map, their number varies.")
    ratio = (dropped[~gone] / x[~gone]).mean().item()
    if abs(ratio - 4 / 3) > 1e-4:
        return wrong(f"what stays is multiplied by {ratio:.3g}", hint="Divide by the share that stays, 1 − p.")
    if torch.equal(answer(x, 0.25, True), dropped):
        return wrong("two calls drop the same maps", hint="Draw new coins in each call; set no seed in the function.")
    if not torch.equal(answer(x, 0.25, False), x):
        return wrong("with training=False, x comes back changed", hint="Outside of training, return x as it is.")
    return right("F.dropout2d does this. J. Tompson and others proposed it in 2015, as spatial dropout.")


@checker("8.5")
def mended(answer):
    """a class, built from a trained network."""
    if isinstance(answer, nn.Module):
        return wrong("this is a network already", hint="Give the class itself, without brackets: Mended.")
    torch.manual_seed(0)
    trained, x = networks.two_convolutions(2), torch.rand(16, 1, 28, 28)
    model = answer(trained)
    if not isinstance(model, nn.Module):
        return wrong(f"it builds a {type(model).__name__}", hint="Give the class itself: a subclass of nn.Module.")
    model.eval()
    first = model(x)
    if first is None or first is ...:
        raise Unattempted
    if not torch.equal(first, model(x)):
        hint = "Tell F.dropout training=self.training. (A layer made inside forward is new, and in training mode.)"
        return wrong("in evaluation mode, two scores of the same images differ", hint=hint)
    if not torch.allclose(first, trained.eval()(x), atol=1e-6):
        hint = "The features, then dropout, then the last layer; nothing is scaled in evaluation."
        return wrong("in evaluation mode the answers are not those of the trained network", hint=hint)
    model.train()
    if torch.equal(model(x), model(x)):
        return wrong("in training mode nothing is dropped", hint="training=self.training, not False.")
    features, arrived = trained[:7](x), []
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda _, inputs: arrived.append(inputs[0]))
    model(x)
    kept = arrived[0] != 0
    if torch.equal(arrived[0], features):
        return wrong("all features reach the last layer", hint="Drop features, not what the last layer answers.")
    factor = arrived[0][kept] / features[kept]
    if not torch.allclose(factor, factor[:1]):
        return wrong("other numbers reach the last layer", hint="Drop what the features hand on, nothing before.")
    share = 1 - kept.sum().item() / features.count_nonzero().item()
    if abs(share - 0.5) > 0.1:
        return wrong(f"in training mode {share:.0%} of the features are dropped", hint="Half of them: p = 0.5.")
    if abs(factor[0].item() - 2) > 1e-4:
        return wrong("the survivors are not scaled", hint="What stays is divided by 1 − p; F.dropout does it for you.")
    return right("With nn.Dropout as a layer of the module, eval() does this for you.")


@checker("8.6")
def unscramble(answer):
    """a function of (weight, order) that returns a matrix."""
    torch.manual_seed(0)
    weight, x, order = torch.randn(12, 12), torch.randn(5, 12), torch.randperm(12)  # square: rows can be moved too
    given = weight.clone()
    mine = answer(weight, order)
    if not isinstance(mine, torch.Tensor) or mine.shape != weight.shape:
        return wrong("you return no matrix of the shape of weight", hint="Its columns change places, nothing else.")
    if not torch.equal(weight, given):
        return wrong("weight itself has changed", hint="Write into a new matrix: the caller may still need weight.")
    if torch.equal(mine, weight[:, order]):
        hint = "That scrambles once more. Column k of weight belongs to pixel order[k]: where must it go?"
        return wrong("the columns are moved the wrong way", hint=hint)
    if torch.equal(mine, weight):
        return wrong("the matrix is as it was", hint="Column k of weight belongs to pixel order[k].")
    if not torch.allclose(x @ mine.T, x[:, order] @ weight.T, atol=1e-5):
        return wrong("the answers differ", hint="Move columns, not rows: each column belongs to a pixel.")
    return right("So training on scrambled pixels finds the same networks, with their columns in another order.")
