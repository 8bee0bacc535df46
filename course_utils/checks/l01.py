"""Checkers of lesson 1, From a tensor to a training loop."""

import torch
from torch import nn

from course_utils.exercises import checker, right, wrong


@checker("1.1")
def shapes(answer):
    """a list of three tuples."""
    layer = nn.Linear(20, 7)
    expected = [tuple(thing.shape) for thing in (layer(torch.zeros(64, 20)), layer.weight, layer.bias)]
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        return wrong(f"your answer is {answer!r}", hint="Give three tuples: of the answer, the weight and the bias.")
    mine = [tuple(shape) if isinstance(shape, tuple | list | torch.Size) else (shape,) for shape in answer]
    if mine[0] in [(7,), (448,)]:
        return wrong(f"you say that the answer is {mine[0]}", hint="64 inputs go in, each gets 7 numbers: two axes.")
    if mine[0] != expected[0]:
        return wrong(f"you say that the answer is {mine[0]}", hint="A row for each input, a column for each output.")
    if mine[1] == (20, 7):
        return wrong("you say that the weight is (20, 7)", hint="Linear stores W with the outputs first.")
    if mine[1] != expected[1]:
        return wrong(f"you say that the weight is {mine[1]}", hint="It joins 20 inputs to 7 outputs, for any batch.")
    if mine[2] != expected[2]:
        return wrong(f"you say that the bias is {mine[2]}", hint="One number for each output, in a single axis.")
    return right("The 64 stands in the answer only: a layer does not know how many inputs will come.")


@checker("1.2")
def two_paths(answer):
    """one number."""
    w = torch.tensor(2.0, requires_grad=True)
    error = 5 * w + w**2 - 11
    (error**2).backward()
    e, expected, mine = error.item(), w.grad.item(), float(answer)
    if mine == expected / 2:
        return wrong(f"you say {mine:g}", hint="The square has a slope of its own: 2e, not e.")
    if mine in (2 * e * 5, 2 * e * 4):
        return wrong(f"you say {mine:g}", hint="That is one path. Add the other: over 5w, and over w².")
    if mine == 2 * e * (5 + 2):
        return wrong(f"you say {mine:g}", hint="w² changes 2w times as fast as w, and w is 2.")
    if mine == -expected:
        return wrong(f"you say {mine:g}", hint="The error is 10 + 4 − 11: what is its sign?")
    if mine != expected:
        return wrong(f"you say {mine:g}", hint="Slope of the square, 2e, times the slope of 5w + w² − 11.")
    return right("Autograd adds over paths for the same reason for which `.grad` adds over calls of `backward()`.")


@checker("1.3")
def names(answer):
    """a list of strings."""
    layers = [("first", nn.Linear(4, 3)), ("act", nn.ReLU()), ("last", nn.Linear(3, 2, bias=False))]
    expected = [name for name, layer in layers for name in [f"{name}.{key}" for key in layer.state_dict()]]
    if isinstance(answer, str | set):
        return wrong(f"you say {answer!r}", hint="Give a list, with each name as a string of its own.")
    mine = list(answer)
    if any(str(name)[:1].isdigit() for name in mine):
        return wrong(f"you say {mine}", hint="Sequential numbers its layers only when they have no names.")
    if any(str(name).startswith("act") for name in mine):
        return wrong(f"you say {mine}", hint="A ReLU has nothing to learn, so it has no entry.")
    if "last.bias" in mine:
        return wrong(f"you say {mine}", hint="The last layer was made with bias=False.")
    if all("." not in str(name) for name in mine):
        return wrong(f"you say {mine}", hint="A name has two parts: the layer, a point, and weight or bias.")
    if sorted(mine) == sorted(expected) and mine != expected:
        return wrong(f"you say {mine}", hint="Layer by layer, and in each the weight before the bias.")
    if mine != expected:
        return wrong(f"you say {mine}", hint="Each Linear owns a weight and, unless told otherwise, a bias.")
    return right("Such names are what a file of saved weights holds; a layer renamed later will not find its own.")


@checker("1.4")
def edge(answer):
    """one number, a learning rate."""
    mine, expected = float(answer), 2 / 18
    if abs(mine - expected / 2) < 1e-3:
        return wrong(
            f"at {mine:.4g} the error is 0 after one step", hint="Beyond it overshoots. When is |1 − 18·lr| above 1?"
        )
    if abs(mine - 2 * expected) < 1e-3:
        return wrong(f"at {mine:.4g} the loss already explodes", hint="The slope of e² is 2e. Was the 2 forgotten?")
    if abs(mine - 1 / 3) < 1e-3:
        return wrong(f"at {mine:.4g} the loss already explodes", hint="The 3 counts twice, in slope and error.")
    if abs(mine - 0.0845) < 1e-3:
        return wrong(f"at {mine:.4g} the loss still falls", hint="That is the edge for five rides; this is one.")
    if not abs(mine - expected) <= 2e-3:  # true of NaN, too
        return wrong(
            f"a step at {mine:.4g} multiplies the error by {1 - 18 * mine:.3g}",
            hint="The loss grows when that number lies below −1.",
        )
    return right("The edge is 1/x²: ten times larger inputs need a hundredth of the learning rate. So we scale inputs.")


def _line(km, fare, lr, steps, *, mean=True, clear=True, sign=1):
    """w and b of the reader's loop, right or with a typical mistake."""
    w, b = (torch.tensor(0.0, requires_grad=True) for _ in range(2))
    for _ in range(steps):
        squares = (w * km + b - fare) ** 2
        if clear:
            w.grad = b.grad = None
        (squares.mean() if mean else squares.sum()).backward()
        with torch.no_grad():
            w -= sign * lr * w.grad
            b -= sign * lr * b.grad
    return w.item(), b.item()


@checker("1.5")
def learn(answer):
    """a function of (km, fare, lr, steps) that returns two plain numbers."""
    km = torch.tensor([1.0, 2, 4])
    setting = (km, 1 + 0.5 * km, 0.02, 7)
    try:
        mine = answer(*setting)
    except (RuntimeError, TypeError) as problem:
        if "in-place" in str(problem):
            return wrong("PyTorch refuses your step", hint="Put the step under torch.no_grad().")
        if "NoneType" in str(problem) or "does not require grad" in str(problem):
            return wrong("w has lost its gradient", hint="w = w − … makes a new tensor. Change w itself, with -=.")
        raise
    if not isinstance(mine, tuple | list) or len(mine) != 2:
        return wrong(f"it returns {mine!r}", hint="Return (w, b), two plain numbers.")
    if any(isinstance(value, torch.Tensor) for value in mine):
        return wrong("it returns tensors", hint="w.item() is the plain number, without its record.")

    def is_like(*, steps=7, swap=False, **mistake):
        expected = _line(*setting[:3], steps, **mistake)
        return all(abs(a - b) < 1e-5 for a, b in zip(mine[::-1] if swap else mine, expected, strict=True))

    if is_like(swap=True):
        return wrong("the two stand the other way round", hint="Return (w, b).")
    if is_like(steps=1):
        return wrong("your loop ends after one step", hint="Does `return` stand in the loop?")
    if is_like(steps=6) or is_like(steps=8):
        return wrong("asked for 7 steps, you take one too few or too many", hint="Use range(steps).")
    if is_like(clear=False):
        return wrong("your steps are those of gradients that add up", hint="Clear them before each backward().")
    if is_like(mean=False):
        return wrong("your steps are those of a sum", hint="The loss is the mean of the squares.")
    if is_like(sign=-1):
        return wrong("your loss grows", hint="Step against the slope: subtract.")
    if 0 in mine:
        return wrong(f"your w is {mine[0]:g}, your b {mine[1]:g}", hint="Does the step change both w and b themselves?")
    if not is_like():
        w, b = _line(*setting)
        return wrong(
            f"after 7 steps your w is {mine[0]:.4f}, not {w:.4f}; your b {mine[1]:.4f}, not {b:.4f}",
            hint="Start both at 0. Then: forward, loss, clear, backward, step.",
        )
    return right("Every network of this course learns by these five lines; only forward and loss will grow.")


def _pieces(x, y, size):
    return [(x[start : start + size], y[start : start + size]) for start in range(0, len(x), size)]


@checker("1.6")
def piecewise(answer):
    """a function of (w, read, count, size) that returns a tensor of w's shape."""
    torch.manual_seed(0)
    x, y = torch.randn(10, 3, dtype=torch.float64), torch.randn(10, dtype=torch.float64)
    start = torch.randn(3, dtype=torch.float64)

    def slope(rows_x, rows_y):
        return 2 * rows_x.T @ (rows_x @ start - rows_y)  # of the sum of the squares

    def read(first, last):
        if last - first > 4:
            raise ValueError(f"read({first}, {last}) asks for {last - first} rows; 4 is the limit")
        return x[first:last], y[first:last]

    w = start.clone().requires_grad_()
    w.grad = torch.full_like(w, 100.0)
    mine = answer(w, read, 10, 4)
    if not isinstance(mine, torch.Tensor) or mine.shape != (3,):
        return wrong(f"it returns {mine!r}", hint="Return w.grad, as long as w.")
    mine = mine.double()
    pieces = _pieces(x, y, 4)
    slopes = [slope(*piece) for piece in pieces]
    total, means = sum(slopes), [s / len(rows) for s, (rows, _) in zip(slopes, pieces, strict=True)]
    if torch.allclose(mine, total / 10):
        return right("So a batch too large for a GPU's memory can be learnt from in pieces: gradient accumulation.")
    if torch.allclose(mine - 100, total / 10):
        return wrong("your gradient is too large by 100 in each place", hint="An old one stood there: clear it first.")
    if torch.allclose(mine, total):
        return wrong("your gradient is that of the sum", hint="Divide by count, once, to make it that of the mean.")
    if torch.allclose(mine, sum(means) / len(means)) or torch.allclose(mine, sum(means) * 4 / 10):
        return wrong("each piece weighs the same", hint="The last piece has 2 rows and must weigh half of a full one.")
    if torch.allclose(mine, sum(means)):
        return wrong("the pieces' means, added", hint="In the mean, each row counts a tenth, whatever its piece.")
    if any(torch.allclose(mine, part) for part in (slopes[-1] / 10, means[-1], slopes[-1])):
        return wrong("only the last piece is left", hint="Clear once, before the first piece.")
    if torch.allclose(mine, sum(slopes[:-1]) / 10):
        return wrong("the last rows are missing", hint="10 rows in pieces of 4: the last piece is shorter.")
    return wrong(
        f"the largest difference is {(mine - total / 10).abs().max():.2g}",
        hint="Write the mean over all rows as a sum, with one share for each piece.",
    )


@checker("1.7")
def by_pencil(answer):
    """a function of (x, y, w1, w2) that returns two gradients, for w1 and for w2, without autograd."""
    torch.manual_seed(0)
    shapes = [(6, 5), (6, 2), (5, 4), (4, 2)]
    x, y, w1, w2 = (torch.randn(shape, dtype=torch.float64) for shape in shapes)
    leaves = [w1.clone().requires_grad_(), w2.clone().requires_grad_()]
    ((x @ leaves[0]).clamp(min=0) @ leaves[1] - y).pow(2).sum().backward()
    expected = [leaf.grad for leaf in leaves]
    with torch.inference_mode():  # autograd is off, and enable_grad() does not bring it back
        mine = answer(x, y, w1, w2)
    if not isinstance(mine, tuple | list) or len(mine) != 2:
        return wrong(f"it returns {type(mine).__name__}", hint="Return two gradients: (for_w1, for_w2).")
    found = [tuple(getattr(gradient, "shape", ())) for gradient in mine]
    if found == [(4, 2), (5, 4)]:
        return wrong("the two stand the other way round", hint="Return (for_w1, for_w2).")
    if found != [(5, 4), (4, 2)]:
        return wrong(f"with w1 5×4 and w2 4×2, yours are {found}", hint="A gradient has the shape of its weight.")
    mine = [gradient.double() for gradient in mine]
    if all(torch.allclose(2 * a, b) for a, b in zip(mine, expected, strict=True)):
        return wrong("both are half of what they should be", hint="The slope of a square is twice the error.")
    if not torch.allclose(mine[1], expected[1]):
        error = 2 * ((x @ w1).clamp(min=0) @ w2 - y)
        if torch.allclose(mine[1], (x @ w1).T @ error):
            return wrong("w2's gradient was made before ReLU", hint="w2 meets the numbers that ReLU lets through.")
        return wrong("w2's gradient differs from autograd's", hint="First rule, for hidden @ w2: which g does it get?")
    g = 2 * ((x @ w1).clamp(min=0) @ w2 - y) @ w2.T
    if torch.allclose(mine[0], x.T @ g):
        return wrong("w2's gradient is right, w1's has forgotten ReLU", hint="Where x @ w1 was negative, pass 0.")
    if torch.allclose(mine[0], x.T @ (g * (x @ w1).clamp(min=0))):
        return wrong("w1's gradient was multiplied by ReLU's output", hint="Its slope is 1 or 0, whatever the output.")
    if torch.allclose(mine[0], x.T @ (g * (g > 0))):
        return wrong("w1's gradient was cut by its own sign", hint="What counts is where ReLU's input was positive.")
    if not torch.allclose(mine[0], expected[0]):
        return wrong("w2's gradient is right, w1's is not", hint="Go back through @ w2, through ReLU, through x @.")
    return right("This is backpropagation, whole: from the loss to the first layer, one rule at a time.")
