# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 · From a tensor to a training loop
#
# *Which five lines does every network learn by?*
#
# **Read** 50 min · **Run** 30 s on two CPU cores · **Before this** some Python, and the slope of a curve
#
# ## What you will be able to do
#
# 1. Make tensors, and predict the type and the shape of what you compute.
# 2. Compute a gradient with a pencil, and get autograd's number.
# 3. Write the training loop from memory: with bare tensors, and with `Module`, `Sequential` and `optim`.
# 4. Recognise a learning rate that is too small or too large, and compare two optimisers fairly.
# 5. Say why a network needs a ReLU between its layers.
# 6. Say why a network can memorise noise, and still not predict it.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("01_training_loop")

# %%
import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import (
    agree, check, claim, count_parameters, diagrams, plots,
)

# %% [markdown]
# These numbers are yours to change. Everything below is seeded from `SEED`, and computed on the CPU on purpose.

# %% nbmake={"mock": {"LONG": 300, "RATES": [0.0001, 0.003, 0.5]}}
SEED = 0
LONG = 10_000  # steps of the published training
RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 0.5, 1.0]  # keep 0.5

# %% [markdown]
# ## Three rides in a tensor
#
# Three people each took a taxi. They remember how far they went and what they paid, but none of them knows the
# tariff. Can a computer work it out? Machine learning mostly asks this question, only with longer lists: there are
# examples, there is a rule behind them that nobody wrote down, and we look for numbers that reproduce it. In this
# lesson we first look for two numbers and then for a hundred thousand, with the same five lines.
#
# PyTorch keeps examples in a *tensor*, an array of numbers with any number of axes. Here each row is a ride, with its
# kilometres and its fare.

# %%
rides = torch.tensor([[1.0, 5.0], [2.0, 7.0], [3.0, 9.0]])
print(rides.shape)
print(rides.dtype)
print(rides.device)

# %% [markdown]
# Three rows and two columns make the *shape* (3, 2). Each number is a `float32`, which keeps about seven digits, and
# sits in CPU memory, from which `rides.to("cuda")` copies it to a GPU. An index for each axis picks out a part, so
# `rides[:, 0]` is the column of kilometres.
#
# There are other ways to make a tensor.
#
# > **Predict before you run.** One of `zeros(2)`, `arange(4)`, `arange(0, 1, 0.25)` and `tensor([1, 2]) / 2` has a
# > whole-number type. Which?

# %% tags=["answer"]
for tensor in (torch.zeros(2), torch.arange(4).reshape(2, 2),
               torch.arange(0, 1, 0.25), torch.tensor([1, 2]) / 2):
    print(tensor.dtype, tensor.tolist())

# %% [markdown]
# `arange(4)`, whose type is `int64`, because a decimal point, a division or `zeros` makes `float32`. `arange` stops
# before its end, as Python's `range` does, and `reshape` puts the same numbers into another shape.
#
# Random numbers come in two kinds. `rand` spreads them evenly from 0 up to 1, which it never reaches, while `randn`
# follows the bell curve, with mean 0 and *standard deviation* 1. That is the typical distance from the mean, and its
# square is the *variance*. With `manual_seed`, each run draws the same numbers.

# %%
torch.manual_seed(SEED)
even, bell = torch.rand(100_000), torch.randn(100_000)
print(f"rand: from {even.min():.5f} to {even.max():.5f}, "
      f"mean {even.mean():.2f}")
print(f"randn: mean {bell.mean():.2f}, variance {bell.var():.2f}")

# %% [markdown]
# A *cast* changes the type of a tensor, and `clamp` limits its values.
#
# > **Predict before you run.** Does a cast to whole numbers round or truncate?

# %% tags=["answer"]
numbers = torch.tensor([1.9, 0.4, -1.9])
print(numbers.to(torch.int64))
print(numbers.clamp(min=0))

# %% [markdown]
# It truncates. Remember `clamp(min=0)`, because networks use it everywhere, under the name *ReLU*.
#
# Networks spend most of their time on the *matrix product* `@`, which takes each row of the left tensor and each
# column of the right one, multiplies them number by number, and adds up. This already makes a taxi meter: the
# kilometres times 2, plus 1 times 3.

# %%
inputs = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])  # km, and a 1
tariff = torch.tensor([[2.0], [3.0]])
print((inputs @ tariff).tolist())

# %% [markdown]
# These are the fares: 2 for each kilometre and 3 to sit down fits all rides. This time I guessed.
#
# One trap is worth seeing before it bites. Computed fares are often a column, here of shape (3, 1), while the true
# ones have the shape (3,). We subtract one from the other and, since ours are right, hope for three zeros.
#
# > **Predict before you run.** How many numbers will there be?

# %% tags=["answer"]
column, plain = rides[:, 1:], rides[:, 1]  # a slice keeps its axis
difference = column - plain
print(tuple(column.shape), "minus", tuple(plain.shape))
print(difference)

# %% [markdown]
# Nine, every fare minus every fare, and no error message. Where shapes differ, PyTorch lines up their right ends and
# *broadcasts*: it repeats a tensor along axes that are missing or have length 1. You would train on the wrong errors
# without noticing, so print your shapes.
#
# ## A model, a loss, a slope
#
# Now forget the tariff. Our *model* is a function with two knobs, its *parameters* w and b, which answers `w * km +
# b`. A single number, the *loss*, should say how wrong an answer is, and we take the square of the error. At w = 1
# and b = 2, a ride of 3 km that cost 9 gets the answer 5, which is 4 too low, so the loss is 16.
#
# Which way should we turn w? Imagine that you are on a hillside in thick fog, where you cannot see the valley, but
# can feel with one foot which way the ground falls. So nudge w a little, and divide the change of the loss by the
# nudge, which gives the *slope*.

# %%
def loss_at(w, b):
    return (w * 3 + b - 9) ** 2


slope = (loss_at(1.001, 2.0) - loss_at(1.0, 2.0)) / 0.001
print(f"{slope:.2f}")

# %% [markdown]
# It is about −24, so the loss falls when w grows. A pencil finds the exact slope. The error is $e = 3w + b - 9 = -4$.
# If e grows a little, the loss $e^2$ grows by $2e = -8$ times as much, and if w grows a little, e grows by 3 times as
# much. Together that is $-8 \cdot 3 = -24$. Multiplying slopes along the way is called the *chain rule*, and the
# slopes of all parameters together are the *gradient*.
#
# PyTorch does this for a hundred million parameters.
#
# > **Predict before you run.** What is the slope for b?

# %% tags=["answer"]
w = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(2.0, requires_grad=True)
loss = (w * 3 + b - 9) ** 2
loss.backward()
print("for w:", w.grad.item(), " for b:", b.grad.item())

# %% [markdown]
# It is −8, because the error grows as fast as b. `requires_grad=True` asks PyTorch to record what is computed from a
# tensor, so that `backward()` can walk the record back from the loss, multiply the slopes, and leave the results in
# `.grad`. That is *autograd*, and its record looks like this. Read the boxes from left to right, and then the orange
# slopes from right to left.

# %% mystnb={"image": {"alt": "A graph from left to right: w = 1 goes into Mul, which gives 3; Mul and b = 2 go into Add, which gives 5; then Sub gives minus 4, Pow, and the loss 16. Under the arrows the slopes walk back: 1, minus 8, minus 8, minus 8 to Mul and to b, and minus 24 to w."}}
product = w * 3
answer = product + b
error = answer - 9
loss = error ** 2
diagrams.graph(loss, {"w": w, "b": b, "product": product,
                      "answer": answer, "error": error},
               title="Numbers walk forwards, slopes walk back")

# %% [markdown]
# Going back, squaring multiplies by 2e, adding and subtracting pass on what they get, and multiplying by 3 triples
# it. The constants 3 and 9 get no box, because nobody asked for their slopes.
#
# What if we ask twice? As `backward()` throws its record away, we compute the loss again.
#
# > **Predict before you run.** What is in `w.grad` after the second `backward()`?

# %% tags=["answer"]
w.grad = b.grad = None
for _ in range(2):
    loss = (w * 3 + b - 9) ** 2
    loss.backward()
print(w.grad.item())

# %% [markdown]
# Twice the slope, because gradients are *added* to what is there. Normally you clear the old ones before you ask
# again.
#
# ## Five lines
#
# Feel the slope, take a small step downhill, and start again: that is all there is to training. Here are five rides,
# the loss is the mean of their squared errors, and the five lines are marked.

# %%
km = torch.tensor([1.0, 2, 3, 4, 5])
fare = 3 + 2 * km
w = torch.tensor(0.0, requires_grad=True)
b = torch.tensor(0.0, requires_grad=True)
for _ in range(500):
    answer = w * km + b                    # 1 forward
    loss = ((answer - fare) ** 2).mean()   # 2 loss
    w.grad = b.grad = None                 # 3 clear
    loss.backward()                        # 4 backward
    with torch.no_grad():                  # 5 step
        w -= 0.05 * w.grad
        b -= 0.05 * b.grad

# %% tags=["claim"]
claim("The loop finds {value:.2f} for each kilometre.",
      w, equals=2, within=0.01)

# %% tags=["claim"]
claim("The loop finds {value:.2f} to sit down.", b, equals=3, within=0.01)

# %% [markdown]
# The loop has found the tariff. A sentence with a tick is a *claim*, and its cell fails if the number is wrong.
#
# The 0.05 is the *learning rate*, which says how long a step is. `no_grad` is there because a step is not part of the
# model and must not be recorded. If you forget it, PyTorch objects to `-=`, which overwrites a *leaf*, a tensor that
# you made yourself, *in place*.

# %%
try:
    w -= 0.05 * w.grad
except RuntimeError as problem:
    print(problem)

# %% [markdown]
# ## How long should a step be?
#
# The learning rate is the number that you will tune most often, so here is the loop again, with both parameters in
# one tensor. It keeps the losses and the places that it passes through. (`item()` gives a plain number, and
# `detach()` leaves the record behind.)

# %%
def walk(lr, steps=60):
    """Train the taxi; return its loss and its place at each step."""
    p = torch.zeros(2, requires_grad=True)
    losses, places = [], []
    for _ in range(steps):
        loss = ((p[0] * km + p[1] - fare) ** 2).mean()
        losses.append(loss.item())
        places.append(p.detach().clone())
        p.grad = None
        loss.backward()
        with torch.no_grad():
            p -= lr * p.grad
    return losses, torch.stack(places)

# %% [markdown]
# > **Predict before you run.** Which learning rate is ahead after 60 steps, 0.001, 0.01, 0.08 or 0.09, and which is
# > last?

# %% tags=["answer"] mystnb={"image": {"alt": "Loss over 60 steps on a logarithmic axis for four learning rates. 0.001 falls slowly, 0.01 falls and then crawls, 0.08 falls longest and ends lowest, 0.09 climbs without end."}}
taxi = {f"{lr:g}": walk(lr)[0] for lr in (0.001, 0.01, 0.08, 0.09)}
plots.curves(range(60), taxi, log="y", xlabel="step", ylabel="loss",
             title="The best of these rates is close to one that explodes")

# %% [markdown]
# The best is 0.08. At 0.09 the loss explodes: each step multiplies it, hence the straight line. To see why, lift the
# fog. With only two parameters we can compute the loss for all pairs and draw a hiking map with contour lines, whose
# lowest point is at w = 2, b = 3. (You need not follow how.)

# %% mystnb={"image": {"alt": "A map with contour lines of a long narrow valley, which runs from the upper left to the lower right, with its lowest point at w = 2, b = 3. Two paths start at 0, 0. The one of learning rate 0.01 walks down the side and then hardly moves along the floor. The one of 0.08 jumps from side to side and moves along the floor with each jump."}}
w_axis, b_axis = torch.linspace(-0.5, 5.5, 100), torch.linspace(-1, 5, 100)
b_all, w_all = torch.meshgrid(b_axis, w_axis, indexing="ij")
answers = w_all[..., None] * km + b_all[..., None]  # for all pairs and rides
heights = ((answers - fare) ** 2).mean(dim=2)
paths = {f"lr {lr:g}": walk(lr, steps=12)[1].T for lr in (0.01, 0.08)}
plots.scatter(paths, heights=(w_axis, b_axis, heights), xlabel="w",
              ylabel="b", title="The loss is a long and narrow valley")

# %% [markdown]
# The sides are steep and the floor is nearly flat, so short steps get down a side safely, but then creep along the
# floor. Longer steps jump across, land a little lower on the other side each time, and move faster along the floor.
# If they are longer still, they land *higher*, where the slope is larger, so the next jump is longer yet, and the
# loss explodes.

# %% tags=["claim"]
claim("At 0.09, each step ends up multiplying the loss by {value:.2f}.",
      taxi["0.09"][-1] / taxi["0.09"][-2], at_least=1.01)

# %% [markdown]
# ## Why a network needs a bend
#
# `w * km + b` is a straight line, but not every tariff is. If each kilometre after the third costs only 1, no w and b
# can follow. Stacking two such functions does not help, because two matrices in a row do no more than one, their
# product.

# %%
torch.manual_seed(SEED)
x = torch.randn(5, 4).double()
w1, w2 = torch.randn(4, 3).double(), torch.randn(3, 2).double()
agree("two matrix products in a row, and one with their product",
      x @ w1 @ w2, x @ (w1 @ w2), within=1e-12)

# %% [markdown]
# (`agree` stops the lesson if two results are too far apart.)
#
# What is missing is a bend, and the simplest is the ReLU, which is 0 up to some point and then rises.

# %% mystnb={"image": {"alt": "Fare against kilometres from 0 to 8: the straight tariff, and below it from 3 kilometres on the bent one, which is the straight one minus a ReLU. The ReLU is flat at 0 until 3 kilometres and then rises."}}
far = torch.linspace(0, 8, 81)
late = (far - 3).clamp(min=0)  # a ReLU
plots.curves(far, {"3 + 2 km": 3 + 2 * far, "relu(km − 3)": late,
                   "their difference": 3 + 2 * far - late},
             xlabel="kilometres", ylabel="fare",
             title="A ReLU bends a straight tariff")

# %% [markdown]
# Enough such bends, each at its own place, follow any unbroken curve. This is a *network*: a matrix product with
# *weights*, its parameters, makes many *hidden* numbers, a ReLU bends each of them, and a second matrix product adds
# them up into answers.
#
# ## A network that explodes
#
# A published tutorial has such a network, with 1,000 inputs, 100 hidden numbers and 10 answers. Inputs and *targets*,
# the answers we want, are random, the loss is the sum of the squares, and the learning rate is 1e-6.

# %%
torch.manual_seed(SEED)
x, y = torch.randn(100, 1000), torch.randn(100, 10)


def network_losses(lr, steps=300):
    """Train by hand, as the tutorial does; return the losses."""
    torch.manual_seed(SEED + 1)  # other numbers than those of x
    w1 = torch.randn(1000, 100, requires_grad=True)
    w2 = torch.randn(100, 10, requires_grad=True)
    losses = []
    for _ in range(steps):
        answer = (x @ w1).clamp(min=0) @ w2
        loss = (answer - y).pow(2).sum()
        losses.append(loss.item())
        w1.grad = w2.grad = None
        loss.backward()
        with torch.no_grad():
            w1 -= lr * w1.grad
            w2 -= lr * w2.grad
    return losses

# %% [markdown]
# The tutorial prints the losses of twenty steps and says that they fall. We take 300 steps, try three more learning
# rates, and compare them with a *baseline*, a model that costs no effort. Ours answers 0 to everything, and without
# it "the loss falls" says little.

# %% mystnb={"image": {"alt": "Loss over 300 steps on a logarithmic axis. 4e-6 shoots up, and is drawn for three steps only. 1e-6 first rises more than tenfold, then falls fast, and ends above 5e-7, which falls from the start. 1e-7 falls slowly. 5e-7 comes closest to the flat line, the loss of always answering 0."}}
zero = y.pow(2).sum().item()
losses = {"4e-06": network_losses(4e-6, steps=3)}
losses |= {f"{lr:.0e}": network_losses(lr) for lr in (1e-6, 5e-7, 1e-7)}
plots.curves(range(300), losses | {"always 0": [zero] * 300},
             log="y", xlabel="step", ylabel="loss",
             title="One rate explodes, one leaps and comes back")

# %% [markdown]
# At 4e-6 the loss grows without end, while at the tutorial's 1e-6 it leaps up and comes back, like a ball that is
# thrown out of a bowl and happens to land in another. For a while this looks even better than the steady fall at
# 5e-7, which ends lower, but after 300 steps about equals a model that does nothing.

# %% tags=["claim"]
leap = losses["1e-06"]
claim("At 1e-6 the loss climbs to {value:.0f} times its start.",
      max(leap) / leap[0], at_least=5)

# %% tags=["claim"]
claim("At 5e-7, after twenty steps, the loss is still {value:,.0f} times "
      "that of always answering 0.",
      losses["5e-07"][19] / zero, at_least=100)

# %% [markdown]
# Why does the loss start so high? A hidden number adds up 1,000 products, so weights of size 1 make it large, and the
# answers are larger still.

# %%
torch.manual_seed(SEED + 1)
untrained = (x @ torch.randn(1000, 100)).clamp(min=0) @ torch.randn(100, 10)
print(f"standard deviation of the answers {untrained.std():.0f}, "
      f"of the targets {y.std():.0f}")

# %% [markdown]
# Apart from a smaller rate, the cure is to start with smaller weights, as PyTorch does.
#
# ## The same loop in PyTorch's words
#
# A network of fifty layers needs order among its parameters, so in PyTorch a network is a `Module`, a function that
# owns them: `__init__` says what it owns, and `forward` what `model(x)` computes. Ours owns two *layers* of the kind
# `Linear`, a matrix product plus one number for each output, its *bias*.

# %%
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(1000, 100)
        self.out = nn.Linear(100, 10)

    def forward(self, x):
        return self.out(self.hidden(x).relu())


def new_network():
    torch.manual_seed(SEED + 1)
    return Network()

# %% [markdown]
# The `state_dict` of a module holds all its parameters by name.
#
# > **Predict before you run.** In the shape of a weight, which comes first, inputs or outputs?

# %% tags=["answer"]
model = new_network()
for name, values in model.state_dict().items():
    print(f"{name:14}", tuple(values.shape))

# %% [markdown]
# Outputs, because `Linear` computes `x @ W.T + b` where books often write XW + b.

# %%
by_hand = x @ model.hidden.weight.T + model.hidden.bias
agree("`x @ W.T + b` and the layer", by_hand, model.hidden(x), within=1e-5)
agree("ReLU and `clamp(min=0)`", by_hand.relu(), by_hand.clamp(min=0),
      within=0)

# %% tags=["claim"]
claim("The network has {value:,} parameters.",
      count_parameters(model), equals=101_110)

# %% [markdown]
# Where data just flows from one layer to the next, `Sequential` saves you from writing a class. It numbers its layers
# or takes your names, and networks with equal names and shapes can load each other's weights.

# %%
numbered = nn.Sequential(nn.Linear(1000, 100), nn.ReLU(),
                         nn.Linear(100, 10))
named = nn.Sequential(OrderedDict(hidden=nn.Linear(1000, 100),
                                  relu=nn.ReLU(), out=nn.Linear(100, 10)))
print(list(numbered.state_dict()))
print(list(named.state_dict()))
named.load_state_dict(model.state_dict())
agree("`Sequential` and our class", named(x), model(x), within=0)

# %% [markdown]
# The last helper is an *optimiser*, which gets the parameters once and then does lines 3 and 5. This is the loop to
# remember.

# %%
def train(model, optimizer, x, y, steps):
    losses = []
    for _ in range(steps):
        answer = model(x)             # 1 forward
        loss = F.mse_loss(answer, y)  # 2 loss
        optimizer.zero_grad()         # 3 clear
        loss.backward()               # 4 backward
        optimizer.step()              # 5 step
        losses.append(loss.item())
    return losses

# %% [markdown]
# `mse_loss` is the *mean* of the squares, where the tutorial's network had their sum. As `y` holds 1,000 numbers, all
# slopes are a thousand times smaller, and a learning rate of 1e-3 takes the same step as 1e-6 did before.
#
# The optimiser `SGD` takes the step that we have written. It is short for *stochastic gradient descent*, because
# later lessons take each step on a random *batch* of the examples, while here all fit into one. Ten steps each:

# %%
by_sgd, by_us = new_network(), new_network()
sgd = torch.optim.SGD(by_sgd.parameters(), lr=0.1)
train(by_sgd, sgd, x, y, steps=10)
for _ in range(10):
    by_us.zero_grad()  # clears all its parameters
    F.mse_loss(by_us(x), y).backward()
    with torch.no_grad():
        for p in by_us.parameters():
            p -= 0.1 * p.grad
agree("the weights after ten steps of SGD, and of our own",
      by_us.hidden.weight, by_sgd.hidden.weight, within=1e-6)

# %% [markdown]
# And the bent tariff? A hundred bends should be enough.

# %% mystnb={"image": {"alt": "Fare against kilometres from 0 to 8. The bent tariff, and the line of the trained network, which bends with it at 3 kilometres."}}
torch.manual_seed(SEED)
bender = nn.Sequential(nn.Linear(1, 100), nn.ReLU(), nn.Linear(100, 1))
kilometres, bent_fare = far[:, None], (3 + 2 * far - late)[:, None]
train(bender, torch.optim.SGD(bender.parameters(), lr=0.02),
      kilometres, bent_fare, steps=2000)
with torch.no_grad():
    learned = bender(kilometres)[:, 0]
plots.curves(far, {"tariff": bent_fare[:, 0], "network": learned},
             xlabel="kilometres", ylabel="fare",
             title="The network finds the bend by itself")

# %% [markdown]
# ## A fair race
#
# Does it matter which optimiser you use? The same tutorial trains its network twice with `mse_loss` and `lr=1e-4`,
# for 10,000 steps by plain gradient descent, and for 100 steps by *Adam*, and concludes that Adam is far better.
#
# > **Find the bug.** Both runs are correct. What is wrong with the conclusion?

# %%
plain, adam = new_network(), new_network()
slow = train(plain, torch.optim.SGD(plain.parameters(), lr=1e-4), x, y, LONG)
fast = train(adam, torch.optim.Adam(adam.parameters(), lr=1e-4), x, y, 100)
print(f"SGD {slow[-1]:.2f} after {LONG:,} steps, "
      f"Adam {fast[-1]:.2f} after 100")

# %% [markdown]
# Equal learning rates look fair. But how far does the first step move a weight?

# %%
def first_move(optimizer):
    """How far the median weight is moved by one step at lr=1e-4."""
    model = new_network()
    before = model.hidden.weight.detach().clone()
    train(model, optimizer(model.parameters(), lr=1e-4), x, y, steps=1)
    return (model.hidden.weight - before).abs().median().item()


print(f"Adam {first_move(torch.optim.Adam):.0e}")
print(f"SGD  {first_move(torch.optim.SGD):.0e}")

# %% [markdown]
# SGD walks `lr` times the slope, and with a mean over 1,000 numbers the slopes are tiny. Adam divides each slope by
# its own recent size, so its first step is about `lr`, however small the slope, as if two runners agreed on one step
# a second, and one were an ant.
#
# In a fair race each has the learning rate that suits it, and three more may start. *Momentum* follows a slowly
# fading sum of past slopes. *AdaGrad* divides each slope by the size of all its past slopes, *RMSProp* by that of the
# recent ones, and Adam is roughly RMSProp with momentum. Back in our valley you can see the difference.

# %%
optimizers = {
    "SGD": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(
        parameters, lr=lr, momentum=0.9),
    "AdaGrad": torch.optim.Adagrad,
    "RMSProp": torch.optim.RMSprop,
    "Adam": torch.optim.Adam,
}


def path(name, lr, steps=60):
    """The places that an optimiser passes through in the valley."""
    p = torch.zeros(2, requires_grad=True)
    optimizer, places = optimizers[name]([p], lr=lr), []
    for _ in range(steps):
        places.append(p.detach().clone())
        optimizer.zero_grad()
        F.mse_loss(p[0] * km + p[1], fare).backward()
        optimizer.step()
    return torch.stack(places).T

# %% [markdown]
# The rates are chosen so that you can tell the paths apart.

# %% mystnb={"image": {"alt": "The map of the valley with four paths from 0, 0. SGD jumps from side to side. Momentum swings across in long arcs and moves along the floor. RMSProp and Adam set out diagonally, since they move both parameters equally far, and reach the floor nearer to the lowest point."}}
rates = {"SGD": 0.08, "momentum": 0.01, "RMSProp": 0.1, "Adam": 0.2}
paths = {name: path(name, lr) for name, lr in rates.items()}
plots.scatter(paths, heights=(w_axis, b_axis, heights), xlabel="w",
              ylabel="b", title="Four optimisers in one valley")

# %% [markdown]
# SGD goes where the ground falls most steeply, which is across the valley. Momentum adds up its steps, so that those
# across cancel and those along the floor grow. RMSProp and Adam divide by the size of the slope, so they set out with
# equal steps for w and b, on a diagonal.
#
# Now the fair race: five optimisers, ten learning rates each, 100 steps.

# %%
trained = {}
for name, optimizer in optimizers.items():
    for lr in RATES:
        trained[name, lr] = model = new_network()
        train(model, optimizer(model.parameters(), lr=lr), x, y, steps=100)

# %% [markdown]
# Where a curve breaks off, training exploded. The published race took place at the left edge.

# %% mystnb={"image": {"alt": "Loss after 100 steps against the learning rate, both axes logarithmic. Five optimisers have their valleys at different places: RMSProp at a few ten-thousandths, AdaGrad and Adam near three thousandths, momentum anywhere from 0.03 to one half, SGD at one half. SGD's is one of the deepest."}}
def loss_on(x, y, model):
    """A trained model's loss; infinite if its training has exploded."""
    with torch.no_grad():
        loss = F.mse_loss(model(x), y).item()
    return loss if math.isfinite(loss) else math.inf


loss_of = {key: loss_on(x, y, model) for key, model in trained.items()}
by_rate = {name: [loss_of[name, lr] for lr in RATES] for name in optimizers}
plots.curves(RATES, by_rate, log="xy", xlabel="learning rate",
             ylabel="loss after 100 steps",
             title="What is best for one optimiser is bad for another")

# %% [markdown]
# In numbers:

# %%
for name in optimizers:
    loss, lr = min((loss_of[name, lr], lr) for lr in RATES)
    print(f"{name:8} is best at {lr:<6g} with a loss of {loss:.0e}")

# %% tags=["claim"]
claim("With `lr=0.5`, SGD reaches a loss of {value:.0e} in 100 steps.",
      loss_of["SGD", 0.5], at_most=1e-6)

# %% [markdown]
# SGD did not need 10,000 steps but another learning rate. One problem, one seed and 100 steps do not make it the
# winner, but they teach a rule: before you compare two things, give each its own best learning rate.
#
# ## What has it learned?
#
# Although the targets are random and have nothing to do with the inputs, the loss goes to 0. With 101,110 parameters
# for 1,000 targets, a network can memorise them, like a student who knows old exams, but only new questions can show
# whether it has *learned* anything. So we draw 5,000 new inputs and targets, *held-out* data on which nothing was
# trained.
#
# > **Predict before you run.** What is the smallest loss that any model can hope for on new targets?

# %% tags=["answer"]
torch.manual_seed(SEED + 2)
x_new, y_new = torch.randn(5000, 1000), torch.randn(5000, 10)
floor = y_new.pow(2).mean().item()
with torch.no_grad():
    f = trained["SGD", 0.5](x_new)
print(f"mean of f²       {f.pow(2).mean():.3f}")
print(f"mean of −2fy     {(-2 * f * y_new).mean():.3f}")
print(f"mean of y²       {floor:.3f}")
print(f"all three: loss  {F.mse_loss(f, y_new):.3f}")

# %% [markdown]
# Call the answers $f$ and the targets $y$. The loss is the mean of $(f - y)^2 = f^2 - 2fy + y^2$, whose three parts
# the cell has computed for SGD's best network. The first is never negative, and the second is 0 on average, because f
# knows nothing of y, so their products are as often positive as negative. The third is the variance of the noise
# itself, a *floor* that you reach by always answering 0, and that no model gets below, except by luck.
#
# So on new data, what this network has memorised is worth less than nothing. Here are all networks for which both
# losses are below 1.3. The others are far worse.

# %% mystnb={"image": {"alt": "Held-out loss against training loss for the networks of five optimisers. Networks that have hardly trained, with a training loss near 1, are at about 1.05 held out. Those with a training loss below 0.1 are all higher, between 1.08 and 1.25."}}
points = {name: [] for name in optimizers}
for (name, lr), model in trained.items():
    point = (loss_of[name, lr], loss_on(x_new, y_new, model))
    if max(point) < 1.3:
        points[name].append(point)
groups = {name: torch.tensor(found).T for name, found in points.items()}
plots.scatter(groups, xlabel="training loss", ylabel="held-out loss", log="x",
              title="Whoever memorises pays for it on new data")

# %% tags=["claim"]
memorised = [held_out for found in points.values()
             for loss, held_out in found if loss < 0.1]
claim("Each network with a training loss below 0.1 is at least {value:.2f} "
      "above the floor on new data.", min(memorised) - floor, at_least=0.03)

# %% [markdown]
# The training loss alone can't tell you this, which is why the loop is only the middle of a longer road: say what is
# asked, choose a measure, hold data back, turn the rest into tensors, beat a baseline, let the network learn too
# well, and then rein it in, without asking the held-out data too often. Lesson 5 begins it.
#
# ## Exercises
#
# Replace the dots and run the cell. A folded solution follows each exercise.
#
# ### Exercise 1.1 · Three shapes
#
# `nn.Linear(20, 7)` reads 64 inputs at once. Give the shapes of its answer, its weight and its bias, as a list of
# three tuples.

# %%
shapes = ...
check("1.1", shapes)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.1
shapes_solution = [(64, 7), (7, 20), (7,)]
assert check("1.1", shapes_solution)

# %% [markdown]
# ### Exercise 1.2 · Two paths
#
# The loss is $(5w + w^2 - 11)^2$, and w is 2. Compute its slope with a pencil. On its way to the loss, w takes two
# paths, and their slopes add up.

# %%
two_paths = ...
check("1.2", two_paths)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.2
# The error is 3. It changes 5 + 2w times as fast as w.
two_paths_solution = 2 * 3 * (5 + 2 * 2)
assert check("1.2", two_paths_solution)

# %% [markdown]
# ### Exercise 1.3 · Names
#
# Which names does the `state_dict` of this network hold, and in which order? Give a list of strings before you ask
# the network itself.

# %%
small = nn.Sequential(OrderedDict(
    first=nn.Linear(4, 3), act=nn.ReLU(), last=nn.Linear(3, 2, bias=False)))
names = ...
check("1.3", names)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.3
# A ReLU owns nothing.
names_solution = ["first.weight", "first.bias", "last.weight"]
assert check("1.3", names_solution)

# %% [markdown]
# ### Exercise 1.4 · The edge
#
# The model is `w * 3`, without b, and the loss is `(w * 3 - 9) ** 2`. Above which learning rate does the loss grow
# from step to step? Give it to three decimal places. (By which number does one step multiply the error?)

# %%
edge = ...
check("1.4", edge)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.4
# The slope is 2·e·3, so a step moves w by −6·lr·e and the error by
# −18·lr·e. It multiplies the error by 1 − 18·lr, which is below −1 if
# lr is above 2/18.
edge_solution = 2 / 18
assert check("1.4", edge_solution)

# %% [markdown]
# ### Exercise 1.5 · The loop from memory
#
# Without looking, write `learn(km, fare, lr, steps)`. It starts the model `w * km + b` at w = b = 0, takes that many
# steps of plain gradient descent on the mean of the squares, and returns `(w, b)` as plain numbers. Bare tensors or
# `torch.optim`, as you like.

# %%
def learn(km, fare, lr, steps):
    ...


check("1.5", learn)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.5
def learn_solution(km, fare, lr, steps):
    w = torch.tensor(0.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([w, b], lr=lr)
    for _ in range(steps):
        loss = F.mse_loss(w * km + b, fare)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return w.item(), b.item()


assert check("1.5", learn_solution)

# %% [markdown]
# ### Exercise 1.6 · Adding on purpose
#
# Gradients add up, which is sometimes just what you need. A table of `count` rows is too large for memory, so
# `read(start, stop)` returns `x, y` for these rows, at most `size` at once. Write `piecewise(w, read, count, size)`,
# which returns the gradient of the mean of `(x @ w - y) ** 2` over all rows, and leaves `w` as it is. (`w` and `y`
# have one axis.) The last piece may be shorter than the others, and `w.grad` may hold an old gradient, or nothing
# yet.

# %%
def piecewise(w, read, count, size):
    ...


check("1.6", piecewise)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.6
def piecewise_solution(w, read, count, size):
    w.grad = None
    for start in range(0, count, size):
        x, y = read(start, min(start + size, count))
        loss = (x @ w - y).pow(2).sum() / count  # its share of the mean
        loss.backward()
    return w.grad


assert check("1.6", piecewise_solution)

# %% [markdown]
# ### Exercise 1.7 · A network with a pencil
#
# The loss is `((x @ w1).clamp(min=0) @ w2 - y).pow(2).sum()`. Write `by_pencil(x, y, w1, w2)`, which returns its
# gradients for `w1` and `w2` without autograd. You need two rules (`.T` swaps rows and columns). If `c = a @ b`, and
# `g` is the gradient for `c`, then the gradient for `b` is `a.T @ g`, and that for `a` is `g @ b.T`. And a ReLU
# passes a gradient on where its input was positive, and makes it 0 elsewhere.

# %%
def by_pencil(x, y, w1, w2):
    ...


check("1.7", by_pencil)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.7
def by_pencil_solution(x, y, w1, w2):
    before = x @ w1
    hidden = before.clamp(min=0)
    g = 2 * (hidden @ w2 - y)
    for_w2 = hidden.T @ g
    for_w1 = x.T @ (g @ w2.T * (before > 0))
    return for_w1, for_w2


assert check("1.7", by_pencil_solution)

# %% [markdown]
# ### Exercise 1.8 · Design a tariff
#
# A taxi charges 3 for a ride of up to 2 km. Each further kilometre costs 2, but beyond 5 km only 1. Design a network
# with two hidden numbers that charges this fare:
#
# $$v \cdot \mathrm{relu}(a \cdot \mathrm{km} + c) + r \cdot \mathrm{relu}(p \cdot \mathrm{km} + q) + d$$
#
# Give the list `[a, c, v, p, q, r, d]`.

# %%
bent = ...
check("1.8", bent)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.8
# The first bend is at 2 km and adds a slope of 2. The second is at 5 km
# and takes 1 off.
bent_solution = [1, -2, 2, 1, -5, -1, 3]
assert check("1.8", bent_solution)

# %% [markdown]
# ### An open question
#
# A friend's training loss has fallen from 1.1 to 0.0001. Has the network learned anything? Which three things would
# you ask to see, and what could each reveal?

# %% [markdown]
# ## How far are you?
#
# What you solve is kept, in a small file of yours. (The book solves nothing.)

# %% mystnb={"image": {"alt": "One row of boxes for each lesson of the course, from 1 to 17, with one box for each of its exercises. A solved exercise is a full box with a tick, one that was tried and not solved has a cross, and the others are empty."}}
from course_utils import progress

progress()

# %% [markdown]
# ## What you can do now
#
# 1. Predict the types and shapes of tensors, also where two broadcast.
# 2. Compute a gradient: multiply slopes along a path, and add over paths.
# 3. Write the loop from memory: forward, loss, clear, backward, step.
# 4. Recognise a learning rate that is too small or too large, and give each optimiser its own.
# 5. Say what a ReLU is for: without a bend, two layers are one.
# 6. Say why a network that has memorised noise stays above the floor on new noise.
#
# Until 2018 PyTorch code looked different, and much of the web still does. The page *Reading old code* translates it.
#
# ## Further reading
#
# - PyTorch's notes *Autograd mechanics*.
# - D. Kingma and J. Ba, *Adam: a method for stochastic optimization* (arXiv 1412.6980).
# - D. Choi and others, *On empirical comparisons of optimizers for deep learning* (arXiv 1910.05446).
# - C. Zhang and others, *Understanding deep learning requires rethinking generalization* (arXiv 1611.03530).
