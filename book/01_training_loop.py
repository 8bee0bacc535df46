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
# **Read** 25 min · **Run** 20 s on two CPU cores · **Before this** some Python, and the slope of a curve
#
# ## What you will be able to do
#
# 1. Make tensors, change their type and shape, and foresee the shape of what you compute.
# 2. Compute a gradient with a pencil, and get autograd's number.
# 3. Write the training loop from memory: with bare tensors, and with `Module`, `Sequential` and `optim`.
# 4. Recognise a learning rate that is too small or too large, and compare two optimisers fairly.
# 5. Say why a network can learn noise by heart, and still not predict it.
# 6. Read PyTorch code from before 2018, and write it anew.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("01_training_loop")

# %%
import math
import warnings
from collections import OrderedDict

import torch
import torch.nn.functional as F
from IPython.display import Markdown
from torch import nn

from course_utils import check, claim, count_parameters, diagrams, plots

# %% [markdown]
# These numbers are yours to change. Everything below is seeded from `SEED`, so that your run repeats itself, and
# computed on the CPU on purpose: this lesson is about arithmetic.

# %% nbmake={"mock": {"LONG": 300, "RATES": [0.0001, 0.003, 0.5]}}
SEED = 0
LONG = 10_000  # steps of the published training
RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 0.5, 1.0]  # to compare; keep 0.5

# %% [markdown]
# ## Tensors
#
# A *tensor* is an array of numbers. Here are three taxi rides, one in each row: the kilometres, and the fare.

# %%
rides = torch.tensor([[1.0, 5.0], [2.0, 7.0], [3.0, 9.0]])
print(rides.shape)
print(rides.dtype)
print(rides.device)

# %% [markdown]
# Three rows and two columns. Each number is a `float32`, which keeps about seven digits. They lie in the CPU's memory;
# `rides.to("cuda")` would copy them to a GPU. `rides[:, 0]` is the column of kilometres.
#
# Four more ways to make a tensor. Look at the types.

# %%
for tensor in (torch.zeros(2), torch.arange(4).reshape(2, 2), torch.arange(0, 1, 0.25),
               torch.tensor([1, 2]) / 2):
    print(tensor.dtype, tensor.tolist())

# %% [markdown]
# Whole numbers make `int64`; a decimal point, a division or `zeros` makes `float32`. `arange` stops before its end, as
# Python's `range` does; `reshape` lays the same numbers out anew.
#
# Random numbers come in two kinds: `rand` spreads them evenly from 0 (included) to 1 (excluded), `randn` follows the
# bell curve, with mean 0 and *variance* 1 (the mean squared distance from the mean; its root is the *standard
# deviation*). A sentence with a bar at its side is a *claim*: were it false, the cell would fail.

# %%
torch.manual_seed(SEED)
even, bell = torch.rand(100_000), torch.randn(100_000)
print(f"rand from {even.min():.6f} to {even.max():.6f}")
claim("`rand` has the mean {value:.3f}.", even.mean(), equals=0.5, within=0.01)
claim("`randn` has the variance {value:.3f}.", bell.var(), equals=1, within=0.05)

# %% [markdown]
# A *cast* changes the type. `clamp` limits the values.
#
# > **Predict before you run.** Does a cast to whole numbers round or cut?

# %%
numbers = torch.tensor([1.9, 0.4, -1.9])
print(numbers.to(torch.int64))
print(numbers.clamp(min=0))

# %% [markdown]
# It cuts. Remember `clamp(min=0)`: networks use it everywhere, and call it *ReLU*.
#
# The *matrix product* `@` takes each row of the left tensor and each column of the right one, multiplies them pair by
# pair, and adds up.

# %%
inputs = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])  # kilometres, and a 1
print((inputs @ torch.tensor([[2.0], [3.0]])).tolist())

# %% [markdown]
# 1·2 + 1·3 is 5: the fares. Last, shapes. Where they differ, PyTorch lines up their right ends and *broadcasts*: it
# repeats a tensor along *axes* (entries of the shape) that are missing or have length 1.
#
# > **Predict before you run.** The fares as a column, of shape (3, 1), less the fares of shape (3,). How many numbers?

# %%
column, plain = rides[:, 1:], rides[:, 1]  # a slice keeps its axis, a number drops it
difference = column - plain
print(tuple(column.shape), "less", tuple(plain.shape), "is", tuple(difference.shape))
claim("Three fares less the same three fares are {value} numbers.",
      difference.numel(), equals=9)

# %% [markdown]
# Every fare less every fare, and no error. When answers have shape N×1 and targets shape N, a loss written like this
# is silently computed over N×N pairs. Print your shapes.
#
# ## A model, a loss, a slope
#
# This taxi asks 3 to sit down and 2 for each kilometre. We pretend not to know that. Our *model* is a function with
# two *parameters*, numbers that can be turned: `w * km + b`. The *loss* says how wrong it is; we take the square of
# its error. At w = 1 and b = 2, a ride of 3 km that cost 9 gets the answer 5, which is 4 too few: the loss is 16.
#
# Which way should w be turned? Nudge it. The change of the loss, divided by the nudge, is the *slope*.

# %%
def loss_at(w, b):
    return (w * 3 + b - 9) ** 2


slope = (loss_at(1.001, 2.0) - loss_at(1.0, 2.0)) / 0.001
claim("For w, the slope is about {value:.2f}.", slope, equals=-24, within=0.01)

# %% [markdown]
# So a larger w makes the loss smaller. Now with a pencil. The error is $e = 3w + b - 9 = -4$. The loss $e^2$ changes
# $2e = -8$ times as fast as $e$, and $e$ 3 times as fast as w. Multiply: −24, which smaller nudges would approach.
# This is the *chain rule*. The slopes of all parameters together are the *gradient*.
#
# > **Predict before you run.** What is the slope for b?

# %%
w = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(2.0, requires_grad=True)
loss = (w * 3 + b - 9) ** 2
loss.backward()
claim("For w, autograd finds {value}.", w.grad, equals=-24)
claim("For b, it finds {value}.", b.grad, equals=-8)

# %% [markdown]
# `requires_grad=True` asks PyTorch to record what is computed from a tensor. `backward()` walks the record back from
# the loss, multiplies slopes, and leaves the result in `.grad`. This is *autograd*. The record itself hangs on
# `loss.grad_fn`; the figure is drawn from it. Read the arrows forwards, then the orange slopes back.

# %% mystnb={"image": {"alt": "A graph from left to right: w = 1 goes into Mul; Mul and b = 2 go into Add; then Sub, Pow, and the loss 16. Under the arrows the slopes walk back: 1, minus 8, minus 8, minus 8 to Mul and to b, and minus 24 to w."}}
loss = (w * 3 + b - 9) ** 2
diagrams.graph(loss, {"w": w, "b": b}, title="Forwards to the loss, and the slopes back")

# %% [markdown]
# Squaring multiplies by 2e, adding and subtracting pass on what they get, multiplying by 3 triples it. The constants 3
# and 9 leave no trace: nobody asked for their slopes.
#
# > **Predict before you run.** We ask twice, and clear nothing in between. (The loss is computed anew each time, since
# > `backward()` throws its record away.) What stands in `w.grad` after the second `backward()`?

# %%
w.grad = b.grad = None
for _ in range(2):
    loss = (w * 3 + b - 9) ** 2
    loss.backward()
claim("After the second `backward()`, `w.grad` is {value}.", w.grad, equals=-48)

# %% [markdown]
# Gradients are *added* to what is there. Clear them before you ask again. One more check, on five rides: for w, the
# mean of the squared errors has the slope `(2 * error * km).mean()`.

# %%
km = torch.tensor([1.0, 2, 3, 4, 5])
fare = 3 + 2 * km
w.grad = b.grad = None
error = w * km + b - fare
(error ** 2).mean().backward()
by_hand = (2 * error * km).mean()
claim("On five rides, pencil and autograd differ by {value:.0e}.",
      (by_hand - w.grad).abs(), at_most=1e-5)

# %% [markdown]
# ## Five lines
#
# Turn each parameter a little against its slope, and start again. That is all of training. The five lines are marked.

# %%
w = torch.tensor(0.0, requires_grad=True)
b = torch.tensor(0.0, requires_grad=True)
for _ in range(500):  # nobody asks for the number of the step
    answer = w * km + b                    # 1 forward
    loss = ((answer - fare) ** 2).mean()   # 2 loss
    w.grad = b.grad = None                 # 3 clear
    loss.backward()                        # 4 backward
    with torch.no_grad():                  # 5 step
        w -= 0.05 * w.grad
        b -= 0.05 * b.grad
claim("The loop finds {value:.2f} for each kilometre.", w, equals=2, within=0.01)
claim("The loop finds {value:.2f} to sit down.", b, equals=3, within=0.01)

# %% [markdown]
# The 0.05 is the *learning rate*: how far to go. `no_grad` is there because the step is no part of the model and must
# not be recorded. Forget it, and PyTorch objects. (A `Variable` was a tensor. A *leaf* is one that you made. *In
# place*: `-=` writes over the old numbers.)

# %%
try:
    w -= 0.05 * w.grad
except RuntimeError as problem:
    print(problem)

# %% [markdown]
# Here is one turn of the loop, on the ride from before, at a learning rate of 0.01.

# %% mystnb={"image": {"alt": "Five boxes in a circle joined by arrows: forward, answer 5; loss, 16; clear, no old slopes; backward, slopes minus 24 and minus 8; step, w is 1.24 and b is 2.08; and back to forward."}}
w, b = 1.0, 2.0
answer = w * 3 + b
error = answer - 9
for_w, for_b = 2 * error * 3, 2 * error
new_w, new_b = w - 0.01 * for_w, b - 0.01 * for_b
turn = {"1 forward": f"answer {answer:g}", "2 loss": f"({answer:g} − 9)² = {error ** 2:g}",
        "3 clear": "no old slopes", "4 backward": f"slopes {for_w:g} and {for_b:g}",
        "5 step": f"w = {new_w:g}, b = {new_b:g}"}
diagrams.cycle(turn, title=f"One turn moves the answer from 5 to {new_w * 3 + new_b:g}, towards 9")

# %% [markdown]
# ## How far?
#
# Here is the loop again, with both parameters in one tensor. It keeps the losses: `item()` makes a plain number of
# one, without its record.
#
# > **Predict before you run.** Which learning rate is ahead after 60 steps: 0.001, 0.01, 0.08 or 0.09?

# %% mystnb={"image": {"alt": "Loss over 60 steps on a logarithmic axis for four learning rates. 0.001 falls slowly, 0.01 falls and then crawls, 0.08 falls longest and ends lowest, 0.09 climbs without end."}}
def taxi_losses(lr, steps=60):
    p, losses = torch.zeros(2, requires_grad=True), []
    for _ in range(steps):
        loss = ((p[0] * km + p[1] - fare) ** 2).mean()
        losses.append(loss.item())
        p.grad = None
        loss.backward()
        with torch.no_grad():
            p -= lr * p.grad
    return losses


taxi = {f"{lr:g}": taxi_losses(lr) for lr in (0.001, 0.01, 0.08, 0.09)}
plots.curves(range(60), taxi, log="y", xlabel="step", ylabel="loss",
             title="The best learning rate lies close to one that explodes")

# %%
claim("After 60 steps, {value} has the smallest loss.",
      min(taxi, key=lambda lr: taxi[lr][-1]), equals="0.08")
claim("At 0.09, each step ends up multiplying the loss by {value:.2f}.",
      taxi["0.09"][-1] / taxi["0.09"][-2], at_least=1.01)

# %% [markdown]
# The loss is a valley with steep sides and a floor that is nearly flat. A short step gets down a side, then creeps
# along the floor. A longer one jumps across and lands lower on the other side. Still longer, it lands *higher*, where
# the slope is larger, so the next jump is longer yet.
#
# ## A network that explodes
#
# A *network* stacks such functions. Ours makes 100 hidden numbers from 1,000 inputs (a matrix product with *weights*,
# its parameters), applies ReLU, and makes 10 answers of them (another). A published tutorial trains it with bare
# tensors on random inputs *and random targets*, with the sum of the squares as loss and a learning rate of 1e-6. So do
# we.

# %%
torch.manual_seed(SEED)
x, y = torch.randn(100, 1000), torch.randn(100, 10)


def network_losses(lr, steps=20):
    torch.manual_seed(SEED + 1)  # not SEED, or the weights would repeat the numbers of x
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
# The tutorial prints these losses and says that they fall. Look at the first few. For comparison stands the loss of a
# model that answers 0 to everything.

# %% mystnb={"image": {"alt": "Loss over 20 steps on a logarithmic axis. With 1e-6 it first rises more than tenfold, then falls; with 5e-7 and 1e-7 it falls from the start. All stay far above a flat line, the loss of always answering 0."}}
zero = y.pow(2).sum().item()
losses = {f"{lr:g}": network_losses(lr) for lr in (1e-6, 5e-7, 1e-7)}
plots.curves(range(20), losses | {"always 0": [zero] * 20},
             log="y", xlabel="step", ylabel="loss",
             title="Half the learning rate, and nothing explodes")

# %%
explodes, cured = losses["1e-06"], losses["5e-07"]
claim("At 1e-6 the loss climbs to {value:.0f} times its start.",
      max(explodes) / explodes[0], at_least=5)
claim("At 4e-6 the last loss is a finite number: {value}.",
      math.isfinite(network_losses(4e-6)[-1]), equals=False)
claim("At 5e-7 it falls at every step: {value}.",
      cured == sorted(cured, reverse=True), equals=True)
claim("After 20 steps the cured loss is still {value:,.0f} times that of always answering 0.",
      cured[-1] / zero, at_least=100)

# %% [markdown]
# The leap at 1e-6 ended on flatter ground, where the same step is short enough.
#
# "The loss falls" says little without a *baseline*, a model that costs no effort. Why does this one start so far
# above it? A hidden number adds up 1,000 products, so weights of size 1 make it large, and the answers larger.

# %%
torch.manual_seed(SEED + 1)
untrained = (x @ torch.randn(1000, 100)).clamp(min=0) @ torch.randn(100, 10)
claim("The untrained answers have a standard deviation of {value:.0f}, the targets of 1.",
      untrained.std(), at_least=100)

# %% [markdown]
# The second cure is to start with smaller weights. PyTorch's layers do.
#
# ## The same loop in PyTorch's words
#
# A `Module` is a function that owns its parameters. You say in `__init__` what it owns and in `forward` what
# `model(x)` computes. Ours owns two *layers*. A `Linear` layer is a matrix product, plus one number for each output,
# its *bias*.

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
# Its `state_dict` holds every parameter under its name. Look at the shapes of the weights: which comes first, inputs
# or outputs?

# %%
model = new_network()
for name, values in model.state_dict().items():
    print(f"{name:14}", tuple(values.shape))
claim("Their sizes add up to {value:,} parameters.", count_parameters(model), equals=101_110)
claim("Its first loss, now `mse_loss`, the mean of the squared errors, is {value:.2f}.",
      F.mse_loss(model(x), y), at_most=1.5)

# %% [markdown]
# Outputs first: where a tutorial writes XW + b, `Linear` computes `x @ W.T + b`. For many inputs it answers with one
# row each.

# %%
by_hand = x @ model.hidden.weight.T + model.hidden.bias
claim("`x @ W.T + b` and the layer differ by {value:.0e}.",
      (by_hand - model.hidden(x)).abs().max(), at_most=1e-5)
claim("For 100 inputs the answer has {value} axes.", model(x).ndim, equals=2)
claim("ReLU is `clamp(min=0)`: {value}.",
      torch.equal(by_hand.relu(), by_hand.clamp(min=0)), equals=True)

# %% [markdown]
# Where data just flows from layer to layer, `Sequential` saves you the class. It numbers its layers, or takes your
# names; with equal names, the weights of one fit into the other.

# %%
numbered = nn.Sequential(nn.Linear(1000, 100), nn.ReLU(), nn.Linear(100, 10))
named = nn.Sequential(OrderedDict(hidden=nn.Linear(1000, 100), relu=nn.ReLU(),
                                  out=nn.Linear(100, 10)))
print(list(numbered.state_dict()))
print(list(named.state_dict()))
named.load_state_dict(model.state_dict())
claim("With its weights, `Sequential` answers as our class does: {value}.",
      torch.equal(named(x), model(x)), equals=True)

# %% [markdown]
# An *optimiser* is handed the parameters and does lines 3 and 5. This is the loop to know by heart.

# %%
def train(model, optimizer, steps):
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
# `SGD` takes the step that we have written. (In full: *stochastic gradient descent*. Later lessons take each step on a
# random *batch* of the data; here all of it fits.) Is it the same? Ten steps each.

# %%
by_sgd, by_us = new_network(), new_network()
train(by_sgd, torch.optim.SGD(by_sgd.parameters(), lr=0.1), steps=10)
for _ in range(10):
    by_us.zero_grad()  # clears all its parameters
    F.mse_loss(by_us(x), y).backward()
    with torch.no_grad():
        for p in by_us.parameters():
            p -= 0.1 * p.grad
difference = (by_us.hidden.weight - by_sgd.hidden.weight).abs().max()
claim("After ten steps the weights differ by {value:.0e}.", difference, at_most=1e-6)

# %% [markdown]
# > **Find the bug.** The tutorial's own module has an empty method `backward`, which is said to "implement autograd".
# > What calls it? And what does this module own? We let the method shout.

# %%
class OldNetwork(nn.Module):
    def forward(self, x, w1, w2):
        return (x @ w1).clamp(min=0) @ w2

    def backward(self):
        raise RuntimeError("Somebody called me!")


w1, w2 = torch.randn(1000, 100, requires_grad=True), torch.randn(100, 10, requires_grad=True)
old = OldNetwork()
old(x, w1, w2).sum().backward()
claim("Its `backward` is not called, and the gradient is there: {value}.",
      w1.grad is not None, equals=True)
claim("The module owns {value} parameters.", count_parameters(old), equals=0)

# %% [markdown]
# Nothing calls it: the record alone knows the way back. (Slopes of your own are the business of
# `torch.autograd.Function`.) And weights that come as arguments are not the module's, so an optimiser would get none.
#
# ## A fair race
#
# The same tutorial trains such a network twice, with `lr=1e-4` both times: by plain gradient descent for 10,000 steps,
# by the optimiser *Adam* for 100. It concludes that Adam is far better.
#
# > **Find the bug.** Both runs are correct. What is wrong with the conclusion?

# %%
plain, adam = new_network(), new_network()
slow = train(plain, torch.optim.SGD(plain.parameters(), lr=1e-4), LONG)
fast = train(adam, torch.optim.Adam(adam.parameters(), lr=1e-4), 100)
claim("After all its steps, SGD's loss is {value:.2f}.", slow[-1], at_least=0.5)
claim("After 100 steps, Adam's is {value:.2f}.", fast[-1], at_most=0.3)

# %% [markdown]
# Equal learning rates look fair. But how far does the first step move a weight?

# %%
def first_move(optimizer):
    model = new_network()
    before = model.hidden.weight.detach().clone()
    train(model, optimizer(model.parameters(), lr=1e-4), steps=1)
    return (model.hidden.weight - before).abs().median()


claim("Adam's first step moves the median weight by {value:.1e}.",
      first_move(torch.optim.Adam), equals=1e-4, within=1e-5)
claim("SGD's first step moves it by {value:.1e}.", first_move(torch.optim.SGD), at_most=1e-6)

# %% [markdown]
# SGD walks `lr` times the slope, and slopes are tiny here. Adam divides each slope by its own recent size, so it walks
# about `lr`, however small the slope. A fair race gives each runner the learning rate that suits it. Three more start:
# *momentum* follows a sum of past slopes that slowly forgets; *AdaGrad* divides by the size of all past slopes,
# *RMSProp* by that of recent ones. Adam is roughly RMSProp with momentum.

# %%
optimizers = {
    "SGD": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9),
    "AdaGrad": torch.optim.Adagrad,
    "RMSProp": torch.optim.RMSprop,
    "Adam": torch.optim.Adam,
}
trained = {}
for name, optimizer in optimizers.items():
    for lr in RATES:
        trained[name, lr] = model = new_network()
        train(model, optimizer(model.parameters(), lr=lr), steps=100)

# %% [markdown]
# Each curve is one optimiser; where it is lowest lies its learning rate. Where one breaks off, training exploded. The
# published race took place at the left edge.

# %% mystnb={"image": {"alt": "Loss after 100 steps against the learning rate, both axes logarithmic. Each of five optimisers has a valley at another place: RMSProp, AdaGrad and Adam near one thousandth, momentum and SGD near one half. SGD's is one of the deepest."}}
def loss_on(x, y, model):
    """A trained model's loss; infinite if its training has exploded."""
    with torch.no_grad():
        loss = F.mse_loss(model(x), y).item()
    return loss if math.isfinite(loss) else math.inf


loss_of = {key: loss_on(x, y, model) for key, model in trained.items()}
plots.curves(RATES, {name: [loss_of[name, lr] for lr in RATES] for name in optimizers},
             log="xy", xlabel="learning rate", ylabel="loss after 100 steps",
             title="Each optimiser has a learning rate of its own")

# %%
for name in optimizers:
    loss, lr = min((loss_of[name, lr], lr) for lr in RATES)
    print(f"{name:8} is best at {lr:<6g} with a loss of {loss:.0e}")
claim("With `lr=0.5`, SGD reaches {value:.0e} in 100 steps.", loss_of["SGD", 0.5], at_most=1e-6)
claim("Adam's own default would have been {value}.",
      torch.optim.Adam(model.parameters()).defaults["lr"], equals=0.001)

# %% [markdown]
# So SGD needed no 10,000 steps; it needed another learning rate. Nor is SGD now the winner: this is one
# problem, one seed, 100 steps. Tune each learning rate before you compare.
#
# ## What has it learnt?
#
# The targets are random numbers that have nothing to do with the inputs. Yet the loss goes to 0: with 101,110
# parameters for 1,000 targets, a network can learn them by heart. So we draw 5,000 new inputs and targets in the same
# way: *held-out* data, on which nothing was trained.
#
# > **Predict before you run.** What is the smallest mean square that any model can hope for on new targets?

# %%
torch.manual_seed(SEED + 2)
x_new, y_new = torch.randn(5000, 1000), torch.randn(5000, 10)
floor = y_new.pow(2).mean()
claim("A model that always answers 0 has the loss {value:.2f}.", floor, equals=1, within=0.03)

# %% [markdown]
# Call the answers $f$. The mean of $(f - y)^2$ is the mean of $f^2$, less twice that of $fy$, plus that of $y^2$. The
# first is never negative. The second is 0 on average: $f$ knows nothing of $y$, so their products are as often
# positive as negative. The third is the noise's own variance, 1. It is the *floor*, and 0 is the best answer. Here are
# the three for SGD's best network.

# %%
with torch.no_grad():
    f = trained["SGD", 0.5](x_new)
print(f"mean of f²  {f.pow(2).mean():.3f}")
print(f"mean of fy  {(f * y_new).mean():.3f}")
print(f"mean of y²  {floor:.3f}")
claim("On new noise, the loss of the network that SGD trained best is {value:.2f}.",
      F.mse_loss(f, y_new), at_least=1.05)

# %% [markdown]
# What it has learnt by heart is worth less than nothing. And the others?

# %%
lowest = min(loss_on(x_new, y_new, model) for model in trained.values())
claim("On new noise, the best of all these networks stays {value:.2f} above the floor.",
      lowest - floor, at_least=0)

# %% [markdown]
# Here is SGD's best network again, from step to step.

# %% mystnb={"image": {"alt": "Loss over 100 steps. The training loss falls from 1 to 0 within thirty steps. The held-out loss starts a little above the floor of 1 and rises away from it."}}
model = new_network()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
curve = {"train": [], "held out": [], "floor": [floor.item()] * 50}
for _ in range(50):
    curve["held out"].append(loss_on(x_new, y_new, model))
    curve["train"].append(train(model, optimizer, steps=2)[0])
plots.curves(range(0, 100, 2), curve, xlabel="step", ylabel="loss",
             title="Learnt by heart, and nothing learnt")

# %% [markdown]
# The training loss alone can't tell you. That is why the loop is only the middle of a longer way: say what is asked,
# choose a measure, hold data back, turn it into tensors, beat a baseline, let the network learn too well, then rein it
# in, and beware of asking the held-out data too often. Lesson 5 walks it.
#
# ## Reading old code
#
# Until PyTorch 0.4 of 2018, only a `Variable` had gradients, and its numbers lay in `.data`. Much of the web still
# writes so. On the left stand old lines, on the right new ones.

# %%
NEW = {
    "v = Variable(torch.ones(2), requires_grad=True)": "v = torch.ones(2, requires_grad=True)",
    "v = torch.FloatTensor([1, 2])": "v = torch.tensor([1.0, 2.0])",
    "v = torch.IntTensor([1, 2])": "v = torch.tensor([1, 2], dtype=torch.int32)",
    "v = torch.range(0, 4)": "v = torch.arange(0, 5)",
    "v = x.type(torch.DoubleTensor)": "v = x.to(torch.float64)",
    "v = loss.data[0]": "v = loss.item()",
    "v = Variable(x, volatile=True) * w": "with torch.no_grad(): v = x * w",
    "v = nn.MSELoss(size_average=False)(w, x)": "v = nn.MSELoss(reduction='sum')(w, x)",
    "w.data -= 0.1 * w.grad.data": "with torch.no_grad(): w -= 0.1 * w.grad",
    "w.grad.data.zero_()": "w.grad = None",
}

# %% [markdown]
# We run each line and compare what it leaves behind: `v`, the weight `w`, and the gradient of `w` after one more
# `backward()`.

# %%
def run(line):
    """How a line of code went, and what it left behind."""
    x, w = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0], requires_grad=True)
    loss = w.pow(2).sum()
    loss.backward()
    names = {"torch": torch, "nn": nn, "Variable": torch.autograd.Variable,
             "x": x, "w": w, "loss": loss, "v": 0}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            exec(line, names)
        except Exception as problem:
            return type(problem).__name__, None
    w.pow(2).sum().backward()
    values = [torch.as_tensor(value).flatten().double() for value in (names["v"], w, w.grad)]
    return "warns" if warned else "runs", torch.cat(values).detach()


went = {line: run(line) for pair in NEW.items() for line in pair}
same = [torch.equal(went[old][1], went[new][1])
        for old, new in NEW.items() if went[old][1] is not None]
claim("Of the new lines, {value} run without a word.",
      sum(went[new][0] == "runs" for new in NEW.values()), equals=len(NEW))
claim("Where the old line still runs, both leave the same behind: {value}.",
      all(same), equals=True)

# %% [markdown]
# The middle column says how each old line fares in this PyTorch.

# %%
rows = [f"| `{old}` | {went[old][0]} | `{new}` |" for old, new in NEW.items()]
Markdown("\n".join(["| until 2018 | now | write |", "|---|---|---|", *rows]))

# %% [markdown]
# The trap is what still runs. Worst is `.data`: it changes numbers behind autograd's back.
#
# > **Predict before you run.** The slope of $e^w + 5$ at w = 0 is 1. What does autograd say when the 5 comes in
# > through `.data`?

# %%
w = torch.tensor(0.0, requires_grad=True)
answer = w.exp()
answer.data += 5
answer.backward()
claim("Autograd says {value}, without a warning.", w.grad, equals=6)
answer = w.exp()
with torch.no_grad():
    answer += 5
try:
    answer.backward()
except RuntimeError as problem:
    print(str(problem).split(":")[0])

# %% [markdown]
# For the slope of an exponential autograd re-uses its answer, which was no longer the answer. Under `no_grad` it
# notices, and refuses. Write `answer = answer + 5`.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
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
# The loss is $(5w + w^2 - 11)^2$, and w = 2. Compute its slope with a pencil. On its way to the loss, w takes two
# paths; their slopes add.

# %%
two_paths = ...
check("1.2", two_paths)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.2
two_paths_solution = 2 * 3 * (5 + 2 * 2)  # the error is 3, and changes 5 + 2w times as fast as w
assert check("1.2", two_paths_solution)

# %% [markdown]
# ### Exercise 1.3 · Names
#
# Which names does the `state_dict` of this network hold, in which order? Give a list of strings before you ask it.

# %%
small = nn.Sequential(OrderedDict(first=nn.Linear(4, 3), act=nn.ReLU(),
                                  last=nn.Linear(3, 2, bias=False)))
names = ...
check("1.3", names)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.3
names_solution = ["first.weight", "first.bias", "last.weight"]  # a ReLU owns nothing
assert check("1.3", names_solution)

# %% [markdown]
# ### Exercise 1.4 · The edge
#
# The model is `w * 3`, without b; the loss is `(w * 3 - 9) ** 2`. Above which learning rate does the loss grow from
# step to step? Give it to three places. (With which number does one step multiply the error?)

# %%
edge = ...
check("1.4", edge)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 1.4
# The slope is 2·e·3, so a step moves w by −6·lr·e and the error by −18·lr·e: it is multiplied by 1 − 18·lr.
edge_solution = 2 / 18  # above it, that number lies below −1
assert check("1.4", edge_solution)

# %% [markdown]
# ### Exercise 1.5 · The loop from memory
#
# Without looking: write `learn(km, fare, lr, steps)`. It starts the model `w * km + b` at w = b = 0, takes so many
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
# Gradients add up. Use it: write `piecewise(w, read, count, size)`, which returns the gradient of the mean of
# `(x @ w - y) ** 2` over all `count` rows, though `read(start, stop)` gives out `x, y` for `size` rows at most at a
# time. The last piece may be shorter, and in `w.grad` may stand an old gradient, or nothing yet. `w` itself stays.

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
        loss = (x @ w - y).pow(2).sum() / count  # each piece adds its share of the one mean
        loss.backward()
    return w.grad


assert check("1.6", piecewise_solution)

# %% [markdown]
# ### Exercise 1.7 · A network with a pencil
#
# The loss is `((x @ w1).clamp(min=0) @ w2 - y).pow(2).sum()`. Write `by_pencil(x, y, w1, w2)`, which returns its
# gradients for `w1` and `w2` without autograd. If `c = a @ b`, and `g` is the gradient for `c`,
# then `a.T @ g` is that for `b`, and `g @ b.T` that for `a`. And ReLU passes a gradient on where its input was
# positive, elsewhere 0.

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
# ## What you can do now
#
# 1. Make tensors, cast and clamp them, and foresee their shapes, also where two of them broadcast.
# 2. Compute a gradient with the chain rule: multiply along a path, add over paths.
# 3. Write the loop from memory: forward, loss, clear, backward, step.
# 4. Recognise a learning rate that creeps or explodes; give each optimiser its own; compare with a baseline.
# 5. Say why held-out noise has a floor: the noise's own variance.
# 6. Read `Variable` and `.data`, and write `requires_grad=True` and `no_grad`.
#
# ## Further reading
#
# - PyTorch's notes *Autograd mechanics*, and its migration guide for version 0.4.
# - D. Kingma and J. Ba, *Adam: a method for stochastic optimization* (arXiv 1412.6980).
# - D. Choi and others, *On empirical comparisons of optimizers for deep learning* (arXiv 1910.05446): who wins depends
#   on how well each was tuned.
# - C. Zhang and others, *Understanding deep learning requires rethinking generalization* (arXiv 1611.03530).
