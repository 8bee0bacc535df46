"""Every exercise of lesson 1: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.exercises import check
from tests.checks.checkers import Checkers


def learn(km, fare, lr, steps, clear=True, reduction="mean", sign=1, plain=True, start=0.0, forget_step=False):
    w, b = (torch.tensor(start, requires_grad=True) for _ in range(2))
    for _ in range(steps):
        loss = F.mse_loss(w * km + b, fare, reduction=reduction)
        if clear:
            w.grad = b.grad = None
        loss.backward()
        with torch.no_grad():
            for p in () if forget_step else (w, b):
                p -= sign * lr * p.grad
    return (w.item(), b.item()) if plain else (w, b)


def learn_anew(km, fare, lr, steps, mode):
    """The mistake `w = w - …`: a new tensor in each step."""
    w, b = (torch.tensor(0.0, requires_grad=True) for _ in range(2))
    for _ in range(steps):
        ((w * km + b - fare) ** 2).mean().backward()
        with mode():
            w, b = w - lr * w.grad, b - lr * b.grad
    return w.item(), b.item()


def learn_recorded(km, fare, lr, steps):
    """The mistake of a step without `no_grad`."""
    w = torch.tensor(0.0, requires_grad=True)
    ((w * km - fare) ** 2).mean().backward()
    w -= lr * w.grad
    return w.item(), 0.0


def learn_old(km, fare, lr, steps, *, before=False, records=True):
    """As pages of 2017 write it; `before`: the step stands before the first backward."""
    w, b = (torch.tensor(0.0, requires_grad=records) for _ in range(2))
    for _ in range(steps):
        loss = ((w * km + b - fare) ** 2).mean()
        if before:
            w.data -= lr * w.grad
        for p in (w, b):
            p.grad.zero_()
        loss.backward()
    return w.item(), b.item()


def learn_by(optimizer, module=False):
    def learn(km, fare, lr, steps):
        w, b = (torch.zeros((), requires_grad=True) for _ in range(2))
        model = nn.Linear(1, 1)
        if module:
            nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
        opt = optimizer(model.parameters() if module else [w, b], lr=lr)
        for _ in range(steps):
            opt.zero_grad()
            answer = model(km[:, None])[:, 0] if module else w * km + b
            F.mse_loss(answer, fare).backward()
            opt.step()
        return (model.weight.item(), model.bias.item()) if module else (w.item(), b.item())

    return learn


def learn_with_a_column(km, fare, lr, steps):
    """The trap of the lesson: answers in a column, fares in a row."""
    return learn(km[:, None], fare, lr, steps)


def learn_without_a_column(km, fare, lr, steps):
    model = nn.Linear(1, 1)
    return F.mse_loss(model(km), fare)


def learn_by_pencil(km, fare, lr, steps):
    w = b = 0.0
    for _ in range(steps):
        error = w * km + b - fare
        w, b = w - lr * 2 * (error * km).mean().item(), b - lr * 2 * error.mean().item()
    return np.array([w, b])


def learn_on():
    """The mistake of w and b that stand outside of the function."""
    w, b = (torch.tensor(0.0, requires_grad=True) for _ in range(2))

    def learn(km, fare, lr, steps):
        opt = torch.optim.SGD([w, b], lr=lr)
        for _ in range(steps):
            opt.zero_grad()
            F.mse_loss(w * km + b, fare).backward()
            opt.step()
        return w.item(), b.item()

    return learn


def learn_from_one_loss(km, fare, lr, steps):
    """The mistake of a forward pass in front of the loop."""
    w, b = (torch.tensor(0.0, requires_grad=True) for _ in range(2))
    loss = F.mse_loss(w * km + b, fare)
    for _ in range(steps):
        w.grad = b.grad = None
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
    return w.item(), b.item()


def learn_one_after_the_other(km, fare, lr, steps):
    """The mistake of a step for b at the new w."""
    w = b = 0.0
    for _ in range(steps):
        w = w - lr * 2 * ((w * km + b - fare) * km).mean().item()
        b = b - lr * 2 * (w * km + b - fare).mean().item()
    return w, b


def one_more(km, fare, lr, steps):
    return learn(km, fare, lr, steps + 1)


def always_seven(km, fare, lr, steps):
    return learn(km, fare, lr, min(steps, 7))


def for_three_rides(km, fare, lr, steps):
    """Right for three rides: it divides by 3."""
    w, b = (torch.tensor(0.0, requires_grad=True) for _ in range(2))
    for _ in range(steps):
        w.grad = b.grad = None
        (((w * km + b - fare) ** 2).sum() / 3).backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
    return w.item(), b.item()


def piecewise(w, read, count, size, clear="first", weigh="count", last=True):
    pieces = range(0, count if last else count - count % size, size)
    if clear == "first":
        w.grad = None
    for start in pieces:
        if clear == "each":
            w.grad = None
        x, y = read(start, min(start + size, count))
        squares = (x @ w - y).pow(2)
        rows = len(x)
        divide = {"count": count, "piece": rows, "means": rows * len(pieces), "size": rows * count / size, "none": 1}[
            weigh
        ]
        (squares.sum() / divide).backward()
    return w.grad


def zeroed(w, read, count, size):
    """Right only where an old gradient stands already."""
    w.grad.zero_()
    return piecewise(w, read, count, size, clear="never")


def first_piece(w, read, count, size):
    w.grad = None
    x, y = read(0, min(size, count))
    ((x @ w - y).pow(2).sum() / count).backward()
    return w.grad


def stepping(w, read, count, size):
    gradient = piecewise(w, read, count, size)
    with torch.no_grad():
        w -= 0.1 * gradient
    return gradient


def lengths(w, read, count, size):
    """The mistake of a length in place of the end."""
    w.grad = None
    for start in range(0, count, size):
        x, y = read(start, min(size, count - start))
        ((x @ w - y).pow(2).sum() / count).backward()
    return w.grad


def one_piece_more(w, read, count, size):
    """Asks behind the end, and gets nothing there."""
    w.grad = None
    for k in range(count // size + 1):
        x, y = read(k * size, (k + 1) * size)
        ((x @ w - y).pow(2).sum() / count).backward()
    return w.grad


def piecewise_named(w, read, count, size):
    w.grad = None
    for start in range(0, count, size):
        x, y = read(start=start, stop=start + size)
        (F.mse_loss(x @ w, y, reduction="sum") / count).backward()
    return w.grad.clone()


def piecewise_by_pencil(w, read, count, size):
    total = 0
    for start in range(count):
        x, y = read(start, start + 1)
        total = total + 2 * x.T @ (x @ w.detach() - y) / count
    return total


def piecewise_functional(w, read, count, size):
    def share(start):
        x, y = read(start, min(start + size, count))
        return torch.func.grad(lambda w: ((x @ w - y) ** 2).sum() / count)(w.detach())

    return sum(share(start) for start in reversed(range(0, count, size)))


def piecewise_in_one_record(w, read, count, size):
    """All pieces kept until one backward(): the memory that the exercise wants to save."""
    w.grad = None
    sums = [(x @ w - y).pow(2).sum() for x, y in (read(k, min(k + size, count)) for k in range(0, count, size))]
    (sum(sums) / count).backward()
    return w.grad


def by_pencil(x, y, w1, w2, two=2, gate="input", order=1, hidden="after"):
    before = x @ w1
    after = before.clamp(min=0)
    g = two * (after @ w2 - y)
    back = g @ w2.T
    gates = {"input": before > 0, "none": 1, "output": after, "gradient": back > 0, "flipped": before < 0}
    for_w1, for_w2 = x.T @ (back * gates[gate]), (after if hidden == "after" else before).T @ g
    return (for_w1, for_w2)[::order]


def loss(x, y, w1, w2):
    return ((x @ w1).clamp(min=0) @ w2 - y).pow(2).sum()


def by_autograd(x, y, w1, w2):
    """Not asked for: autograd does it, even where its recording was switched off."""
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [w.clone().requires_grad_() for w in (w1, w2)]
        loss(x, y, *leaves).backward()
        return [leaf.grad for leaf in leaves]


def by_grad(x, y, w1, w2):
    leaves = [w.clone().requires_grad_() for w in (w1, w2)]
    return torch.autograd.grad(loss(x, y, *leaves), leaves)


def by_func(x, y, w1, w2):
    return torch.func.grad(lambda a, b: loss(x, y, a, b), argnums=(0, 1))(w1, w2)


def by_forward_mode(x, y, w1, w2):
    return torch.func.jacfwd(lambda a, b: loss(x, y, a, b), argnums=(0, 1))(w1, w2)


def by_pencil_in_loops(x, y, w1, w2):
    """One input at a time, under no_grad, with outer products."""
    with torch.no_grad():
        for_w1, for_w2 = torch.zeros(w1.shape), torch.zeros(w2.shape)
        for row, target in zip(x, y, strict=True):
            before = row @ w1
            hidden = torch.where(before > 0, before, 0)
            g = 2 * (hidden @ w2 - target)
            for_w2 += torch.outer(hidden, g)
            for_w1 += torch.outer(row, (w2 @ g) * (before > 0))
    return [for_w1, for_w2]


small = nn.Sequential(OrderedDict(first=nn.Linear(4, 3), act=nn.ReLU(), last=nn.Linear(3, 2, bias=False)))


def by_autograd_later(*given):
    yield from by_autograd(*given)


RIGHT = {
    "1.1": [(64, 7), (7, 20), (7,)],
    "1.2": 54,
    "1.3": ["first.weight", "first.bias", "last.weight"],
    "1.4": 2 / 18,
    "1.5": learn,
    "1.6": piecewise,
    "1.7": by_pencil,
    "1.8": [1, -2, 2, 1, -5, -1, 3],
}
WRONG = [
    ("1.1", [(64, 7), (20, 7), (7,)], "Which comes first"),
    ("1.1", [(7,), (7, 20), (7,)], "two axes"),
    ("1.1", [448, (7, 20), (7,)], "two axes"),
    ("1.1", [(7, 64), (7, 20), (7,)], "A row for each input"),
    ("1.1", [(64, 20), (7, 20), (7,)], "A row for each input"),
    ("1.1", [(64, 7), (64, 7), (7,)], "fits any batch"),
    ("1.1", [(64, 7), (7, 20), (1, 7)], "in a single axis"),
    ("1.1", [(64, 7), (7, 20), 20], "One number for each output"),
    ("1.1", [(64, 7), (7, 20), ()], "One number for each output"),
    ("1.1", [(64, 7), (7, 20), None], "still missing"),
    ("1.1", ["64×7", "7×20", "7"], "as in (5, 3)"),
    ("1.1", (64, 7), "three tuples"),
    ("1.1", 140, "three tuples"),
    ("1.2", 27, "2e, not e"),
    ("1.2", 30, "Add the other"),
    ("1.2", 24, "Add the other"),
    ("1.2", 120, "those of two paths"),
    ("1.2", 42, "2w times as fast"),
    ("1.2", 12, "2w times as fast"),
    ("1.2", 6, "the error with w"),
    ("1.2", -54, "grows with w"),
    ("1.2", 9, "the slope of the loss"),
    ("1.2", 54.04, "from w = 2"),
    ("1.2", "54", "one number"),
    ("1.3", ["first.w", "first.b", "last.w"], "how are parts called"),
    ("1.3", ["First.weight", "First.bias", "Last.weight"], "there is no 'First.weight'"),
    ("1.3", ["0.weight", "0.bias", "2.weight"], "no names"),
    ("1.3", ["first.weight", "first.bias", "act.weight", "last.weight"], "nothing to learn"),
    ("1.3", ["first.weight", "first.bias", "last.weight", "last.bias"], "options"),
    ("1.3", ["first", "last"], "two parts"),
    ("1.3", ["first_weight", "first_bias", "last_weight"], "two parts"),
    ("1.3", ["first.bias", "first.weight", "last.weight"], "which order"),
    ("1.3", ["last.weight", "first.weight", "first.bias"], "which order"),
    ("1.3", ["first.weight", "first.bias", "last.weight", "last.weight"], "twice"),
    ("1.3", ["first.weight", "last.weight"], "unless told otherwise"),
    ("1.3", "first.weight, first.bias, last.weight", "a string of its own"),
    ("1.3", {"first.weight", "first.bias", "last.weight"}, "the order is asked"),
    ("1.3", small.state_dict(), "Give a list"),
    ("1.4", 0.12, "larger than before"),
    ("1.4", 1 / 18, "further away"),
    ("1.4", 2 / 9, "Was the 2 forgotten"),
    ("1.4", 1 / 3, "counts twice"),
    ("1.4", 0.0845, "five rides"),
    ("1.4", 0.5, "multiplies the error by -8"),
    ("1.4", -1 / 9, "Its sign does not matter"),
    ("1.4", 0.11, "three places"),
    ("1.4", 0.112, "three places"),
    ("1.4", 9, "larger than before"),
    ("1.5", lambda km, fare, lr, steps: learn(km, fare, lr / 2, steps), "The slope of"),
    ("1.5", lambda *args: [round(value, 3) for value in learn(*args)], "unrounded"),
    ("1.5", lambda *args: learn(*args, clear=False), "Clear them"),
    ("1.5", lambda *args: learn(*args, reduction="sum"), "mean of the squares"),
    ("1.5", lambda *args: learn(*args, sign=-1), "Against the slope"),
    ("1.5", lambda *args: learn(*args, plain=False), "w.item()"),
    ("1.5", lambda *args: torch.tensor(learn(*args)), "w.item()"),
    ("1.5", lambda *args: learn_anew(*args, torch.no_grad), "makes a new tensor"),
    ("1.5", lambda *args: learn_anew(*args, torch.enable_grad), "makes a new tensor"),
    ("1.5", learn_recorded, "under torch.no_grad()"),
    ("1.5", learn_old, "`.grad` is None"),
    ("1.5", lambda *args: learn_old(*args, before=True), "before it is used"),
    ("1.5", lambda *args: learn_old(*args, records=False), "`.grad` is None"),
    ("1.5", lambda *args: learn(*args, forget_step=True), "change both w and b themselves"),
    ("1.5", lambda *args: learn(*args, start=1.0), "Start both at 0"),
    ("1.5", lambda *args: learn(*args, start=torch.rand(()).item()), "Each call starts at"),
    ("1.5", learn_on(), "Each call starts at"),
    ("1.5", lambda *args: learn(*args)[0], "two plain numbers"),
    ("1.5", lambda *args: learn(*args)[::-1], "Return (w, b)"),
    ("1.5", lambda km, fare, lr, steps: learn(km, fare, lr, 1), "stand in the loop"),
    ("1.5", lambda km, fare, lr, steps: learn(km, fare, lr, steps - 1), "Count your steps"),
    ("1.5", learn_from_one_loss, "computed anew"),
    ("1.5", learn_one_after_the_other, "with a pencil"),
    ("1.5", one_more, "one step too many"),
    ("1.5", always_seven, "Each call starts at"),
    ("1.5", for_three_rides, "Print w and b"),
    ("1.5", lambda km, fare, lr, steps: learn(km, fare, 0.02, steps), "lr = 0.05"),
    ("1.5", lambda *args: (learn(*args)[0], 0.0), "both w and b"),
    ("1.5", learn_by(torch.optim.Adam), "So step Adam"),
    ("1.5", learn_by(lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)), "Print w and b"),
    ("1.6", lambda w, read, count, size: piecewise(w, read, count, size) * count / size, "over all rows"),
    ("1.6", lambda *args: piecewise(*args, clear="never"), "clear it first"),
    ("1.6", lambda *args: piecewise(*args, clear="each"), "Clear once"),
    ("1.6", lambda *args: piecewise(*args, clear="each", weigh="piece"), "Clear once"),
    ("1.6", lambda *args: piecewise(*args, weigh="none"), "What makes a mean"),
    ("1.6", lambda *args: piecewise(*args, weigh="means"), "must weigh the same"),
    ("1.6", lambda *args: piecewise(*args, weigh="size"), "must weigh the same"),
    ("1.6", lambda *args: piecewise(*args, weigh="piece"), "a single row"),
    ("1.6", lambda *args: piecewise(*args, last=False), "may be shorter"),
    ("1.6", lambda w, read, count, size: piecewise(w, read, count, count), "4 is the limit"),
    ("1.6", lambda w, read, count, size: piecewise(w, read, count, 4), "1 is the limit"),
    ("1.6", lambda w, read, count, size: piecewise(w, read, 10, size), "count = 12"),
    ("1.6", lambda *args: piecewise(*args).sum(), "as long as w"),
    ("1.6", lambda *args: 3 * piecewise(*args), "one share for each piece"),
    ("1.6", lambda *args: piecewise(*args).tolist(), "Return a tensor"),
    ("1.6", zeroed, "`.grad` is None"),
    ("1.6", first_piece, "stand in the loop"),
    ("1.6", lambda w, read, count, size: w.detach(), "returns w itself"),
    ("1.6", lengths, "asks for no rows"),
    ("1.6", piecewise_in_one_record, "still in memory"),
    ("1.6", stepping, "has changed numbers of w"),
    ("1.7", by_autograd_later, "calls PyTorch's backward"),
    ("1.7", lambda x, y, w1, w2: (w1, 2 * (x @ w1).T @ (x @ w1 @ w2 - y)), "on the way forwards"),
    ("1.7", lambda x, *rest: [each / len(x) for each in by_pencil(x, *rest)], "a sum"),
    ("1.7", by_autograd, "calls PyTorch's backward"),
    ("1.7", by_grad, "calls PyTorch's grad"),
    ("1.7", by_func, "calls PyTorch's grad"),
    ("1.7", by_forward_mode, "Do its work yourself"),
    ("1.7", lambda *args: by_pencil(*args, order=-1), "(for_w1, for_w2)"),
    ("1.7", lambda *args: by_pencil(*args)[0], "two gradients"),
    ("1.7", lambda *args: by_pencil(*args, two=1), "twice the error"),
    ("1.7", lambda x, y, w1, w2: [g / y.numel() for g in by_pencil(x, y, w1, w2)], "This loss is a sum"),
    ("1.7", lambda *args: by_pencil(*args, gate="none"), "no gradient through"),
    ("1.7", lambda *args: by_pencil(*args, gate="output"), "whatever its output"),
    ("1.7", lambda *args: by_pencil(*args, gate="gradient"), "ReLU's input"),
    ("1.7", lambda *args: by_pencil(*args, gate="flipped"), "one step at a time"),
    ("1.7", lambda *args: by_pencil(*args, hidden="before"), "on the way forwards"),
    ("1.7", lambda *args: [-gradient for gradient in by_pencil(*args)], "less y"),
    ("1.7", lambda *args: [gradient * torch.tensor([3.0]) for gradient in by_pencil(*args)], "First rule"),
    ("1.7", lambda *args: tuple(gradient.T for gradient in by_pencil(*args)), "shape of its weight"),
    ("1.7", lambda x, y, w1, w2: [g / len(x) * 6 for g in by_pencil(x, y, w1, w2)], "with x 1×3"),
    ("1.7", lambda *args: [gradient.tolist() for gradient in by_pencil(*args)], "Return a tensor"),
    ("1.5", learn_with_a_column, "print the shapes of both"),
    ("1.5", learn_without_a_column, "is a column"),
    ("1.7", lambda x, y, w1, w2: (w1, (x @ w1).clamp(min=0) @ (x @ w1 @ w2 - y)), "Print the shapes"),
    ("1.8", [1, -2, 2, 1, -5, -1, 0], "the fare is d alone"),
    ("1.8", [1, 2, 2, 1, -5, -1, 3], "the fare is d alone"),
    ("1.8", [1, -2, 1, 1, -5, -1, 3], "begins at km = −c/a"),
    ("1.8", [2, -2, 1, 1, -5, -1, 3], "the fare is d alone"),
    ("1.8", [1, -3, 2, 1, -5, -1, 3], "begins at km = −c/a"),
    ("1.8", [1, -2, 2, 1, -5, 1, 3], "slopes add up"),
    ("1.8", [1, -2, 2, 1, 5, -1, 3], "the fare is d alone"),
    ("1.8", [1, -2, 2, 1, -4, -1, 3], "begins at km = −c/a"),
    ("1.8", [1, -2, 2, 1, -6, -1, 3], "slopes add up"),
    ("1.8", [1, -2, 2, 1, -5, -1], "seven numbers"),
]


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # what PyTorch tells a reader who has lost a gradient
class TestLesson01(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)

    @pytest.mark.parametrize(
        ("number", "form"),
        [
            ("1.1", [torch.Size([64, 7]), torch.Size([7, 20]), torch.Size([7])]),
            ("1.1", ([64, 7], [7, 20], 7)),
            ("1.1", [torch.tensor([64, 7]), np.array([7, 20]), torch.tensor([7])]),
            ("1.2", 54.0),
            ("1.2", torch.tensor([54.0], requires_grad=True)),
            ("1.3", small.state_dict().keys()),
            ("1.3", np.array(RIGHT["1.3"])),
            ("1.3", (name for name, _ in small.named_parameters())),
            ("1.4", 0.111),
            ("1.4", 1 / 9),
            ("1.4", torch.tensor(0.1111)),
            ("1.5", learn_by(torch.optim.SGD)),
            ("1.5", learn_by(torch.optim.SGD, module=True)),
            ("1.5", learn_by_pencil),
            ("1.5", lambda *args: np.float32(learn(*args))),
            ("1.6", piecewise_named),
            ("1.6", one_piece_more),
            ("1.6", piecewise_by_pencil),
            ("1.6", piecewise_functional),
            ("1.6", lambda w, read, count, size: piecewise(w, read, count, 1)),
            ("1.7", by_pencil_in_loops),
            ("1.8", [1, -5, -1, 2, -4, 1, 3]),
            ("1.8", torch.tensor([0.5, -1.0, 4.0, 1.0, -5.0, -1.0, 3.0])),
            ("1.7", lambda *args: by_pencil(*(each.double() for each in args))),
        ],
    )
    def test_a_right_answer_may_come_in_another_form(self, number, form, capsys):
        assert check(number, form), capsys.readouterr().out
