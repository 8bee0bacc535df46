# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 · LeNet on MNIST
#
# *The smallest complete recogniser. Which of its parts do the work, and how do you know that it works?*
#
# **Read** 55 min · **Run** 2.5 min on two CPU cores · **Before this** lessons 1 to 3
#
# ## What you will be able to do
#
# 1. Build LeNet-5 and account for each of its parameters, in the form of 1998 and in one of today's.
# 2. Check a network before you train it: its first loss, and one batch memorised.
# 3. Write the training and the evaluation loop from memory, without the quiet errors of published ones.
# 4. Compare activation functions fairly, and say what a sigmoid costs.
# 5. Keep three splits apart, and state an accuracy with its interval.
# 6. Read a confusion matrix, and look at what a network gets wrong.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("06_lenet")

# %%
import math
from statistics import mean, stdev

import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix
from torch import nn

from course_utils import (
    agree, batches, check, claim, count_macs, count_parameters, device,
    diagrams, evaluate, explore, fit, load, mean_and_spread, plots, predict,
    recorded_runs, wilson_interval,
)

# %% [markdown]
# These numbers are yours to change. With a GPU, try more epochs.

# %% nbmake={"mock": {"EPOCHS": 2, "SOME": 300, "SOME_EPOCHS": 1}}
SEED = 0
SOME, SOME_EPOCHS = 10_000, 3  # images for the comparisons, and epochs
EPOCHS = 3  # of the real training, on all images

# %% [markdown]
# ## A machine that reads cheques
#
# In the 1990s banks began to let a machine read the amounts on their cheques, several million a day. The part of it
# that recognised single characters was a network, LeNet-5, and it is small enough for you to build, train and
# understand in an hour. By the end of this lesson yours will read about ninety-nine digits in a hundred, and you will
# have looked at the worst of the others.
#
# The paper's digits are the data set MNIST, 70,000 of them. As in lesson 5 we keep three splits apart. The network
# learns from the first, we choose by the second, and we look at the third once, at the end. `batches` will hand the
# images out normalised, in `float32`.

# %% mystnb={"image": {"alt": "Twelve handwritten digits of the training split with their labels above them."}}
mnist = load("mnist")
print(mnist)
labels = [str(label.item()) for label in mnist.train.y[:12]]
plots.images(mnist.train.x[:12], labels, columns=6)

# %% [markdown]
# ## The network
#
# How would you read a digit that you have never seen before? Perhaps you notice strokes and corners first, then how
# they are arranged, and then you have a name for the whole. A convolutional network is built on this idea. A
# convolution looks for small patterns, an *activation function* keeps what was found, and a *pooling* layer keeps a
# coarser picture of where it was found. After two such rounds, *linear* layers read the class from what is left. In
# 1962 Hubel and Wiesel described cells of a cat's brain that work in such an order. Fukushima's Neocognitron of 1980
# was built that way, and LeCun's networks of 1989 and 1998 learnt their patterns by gradient descent. Here is LeNet-5
# in one of its usual forms today.

# %%
def lenet(activation=nn.ReLU):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), activation(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), activation(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(16 * 5 * 5, 120), activation(),
        nn.Linear(120, 84), activation(), nn.Linear(84, 10),
    )

# %% [markdown]
# > **Predict before you run.** Two layers are convolutions and three are linear. Which of the five holds the most
# > parameters?

# %% tags=["answer"] mystnb={"image": {"alt": "LeNet-5 as a list of bars: 28 by 28 pixels become 6 maps of 28 by 28, 6 of 14 by 14, 16 of 10 by 10, 16 of 5 by 5, then 400, 120, 84 and 10 numbers. The first linear layer has 48,120 of the parameters."}}
torch.manual_seed(SEED)
model = lenet()
diagrams.architecture(model, (1, 1, 28, 28), title="Pictures shrink, maps "
                      "multiply, and one layer holds most weights")

# %% [markdown]
# The figure comes from a real forward pass. A layer's bar is as long as the side of a square that holds all the
# numbers it passes on. The same account as a list, with the names under which PyTorch saves a network:

# %%
for name, parameter in model.named_parameters():
    print(f"{name:10} {parameter.numel():6,} =", *parameter.shape)

# %% tags=["claim"]
total = count_parameters(model)
claim("LeNet-5 as written today has {value:,} trainable parameters.",
      total, equals=61_706)

# %% tags=["claim"]
in_linear = sum(count_parameters(layer) for layer in model[6:])
claim("{value:.1%} of them are in the linear layers.",
      in_linear / total, equals=0.958, within=0.0005)

# %% [markdown]
# One often reads that training such a network means finding its filters. Counted in weights, it means finding linear
# layers. Counted in work, it is the other way round, because each filter is used at hundreds of places, and each
# weight of a linear layer once.

# %% tags=["claim"]
macs = count_macs(model, (1, 1, 28, 28))
share = count_macs(model[:6], (1, 1, 28, 28)) / macs
claim("The convolutions do {value:.0%} of the multiply-adds.", share,
      equals=0.86, within=0.005)

# %% [markdown]
# ## Two checks before you train
#
# Ten minutes of training are a slow way to find a bug. Two checks take seconds.
#
# **One: the first loss.** The network answers each image with ten numbers, the *logits*. *Softmax* turns them into
# probabilities: e to the power of each, divided by the sum of all ten. The loss is *cross-entropy*, which is minus
# the natural logarithm of the probability of the true class. A confident right answer costs nothing, and a confident
# wrong one costs a great deal.
#
# > **Predict before you run.** An untrained network knows nothing. Which loss should it show?

# %% tags=["answer"]
x, y = next(iter(batches(mnist.train, 256)))
with torch.no_grad():
    logits = model(x)
by_hand = -logits.softmax(1)[torch.arange(len(y)), y].log().mean()
print(f"loss {by_hand:.3f}, and ln 10 is {math.log(10):.3f}")

# %% [markdown]
# Somebody who knows nothing gives each of ten classes a tenth, and −ln ¹⁄₁₀ is ln 10. If the loss started far above,
# the last layer's weights would be too large or the pixels huge. If far below, it would be computed wrongly. PyTorch
# has our formula in a form that never meets log 0, in one step or two. Neither needs a softmax in the network.

# %%
loss = F.cross_entropy(logits, y)
two_steps = F.nll_loss(F.log_softmax(logits, 1), y)
agree("the formula and F.cross_entropy", by_hand, loss, within=1e-6)
agree("two steps and F.cross_entropy", two_steps, loss, within=1e-6)

# %% [markdown]
# **Two: memorise one batch.** A network that cannot learn 64 images will not learn 55,000. If this loss does not go
# to 0, look for the bug before you ask for more data.

# %%
torch.manual_seed(SEED)
probe = lenet()
optimizer = torch.optim.Adam(probe.parameters(), lr=0.005)
for _ in range(80):
    loss = F.cross_entropy(probe(x[:64]), y[:64])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% tags=["claim"]
claim("After 80 steps on one batch the loss is {value:.0e}.",
      F.cross_entropy(probe(x[:64]), y[:64]), at_most=0.001)

# %% [markdown]
# ## The loop, by hand
#
# Both checks are passed, so we may train. Two functions are enough. The first learns.

# %%
def train_epoch(model, loader, optimizer):
    model.train()
    loss_sum, correct, count = 0.0, 0, 0
    for x, y in loader:
        logits = model(x)  # forward
        loss = F.cross_entropy(logits, y)  # how wrong?
        optimizer.zero_grad()  # forget the last batch's gradients
        loss.backward()  # backward
        optimizer.step()  # learn
        loss_sum += loss.item() * len(y)
        correct += (logits.argmax(1) == y).sum().item()
        count += len(y)
    return loss_sum / count, correct / count

# %% [markdown]
# The second only measures, and must change nothing. `model.eval()` switches layers such as dropout (lesson 8) to
# their other mode, and `inference_mode` keeps no graph for a backward pass.

# %%
@torch.inference_mode()
def score(model, loader):
    model.eval()
    loss_sum, correct, count = 0.0, 0, 0
    for x, y in loader:
        logits = model(x)
        loss_sum += F.cross_entropy(logits, y).item() * len(y)
        correct += (logits.argmax(1) == y).sum().item()
        count += len(y)
    return loss_sum / count, correct / count

# %% [markdown]
# Each line gives loss and accuracy, on the training images and on the validation images.

# %%
some = mnist.train.take(SOME)
train, valid = batches(some, 64, shuffle=True), batches(mnist.valid, 1_000)
torch.manual_seed(SEED)
model = lenet()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
for _ in range(SOME_EPOCHS):
    print(train_epoch(model, train, optimizer), score(model, valid))

# %% [markdown]
# After a few seconds, your network reads most digits that it has never seen. Someone who knew only the average
# picture of each digit read four in five (lesson 5).
#
# Is the package's `fit` the same loop? It gets the same seed, and so the same first weights and the same order of the
# images. If it also does the same arithmetic, not one bit may differ.

# %%
torch.manual_seed(SEED)
twin = lenet()
optimizer = torch.optim.Adam(twin.parameters(), lr=0.003)
run = fit(twin, train, valid, optimizer, epochs=SOME_EPOCHS)
agree("our scores and fit's", torch.tensor(score(model, valid)),
      torch.tensor(run[-1].valid), within=0)
agree("our weights and fit's",
      nn.utils.parameters_to_vector(model.parameters()),
      nn.utils.parameters_to_vector(twin.parameters()), within=0)

# %% [markdown]
# From here on `fit` is an abbreviation for something you have written.
#
# ## Find the bug: quiet errors
#
# Short as they are, published versions of these two functions go wrong in many ways, and none of them raises an
# error. We have found:
#
# - the mean of the batches' means, in which a short last batch counts too much;
# - the loss of the last batch, returned as that of the epoch;
# - no `eval()` in the test, so that dropout stays on; or `eval()` in the middle, and no `train()` after it;
# - a second forward pass after the step, just for the accuracy, which costs a third more time and flatters;
# - the test split scored after every epoch, and the best of those scores reported;
# - the loss of each batch, already a mean, added up and divided by the number of *images*.
#
# > **Predict before you run.** By what factor is the last one wrong, with batches of 64?

# %% tags=["answer"]
with torch.inference_mode():
    losses = [F.cross_entropy(model(x), y).item() for x, y in train]
right, _ = score(model, train)
wrong = sum(losses) / len(some)
print(f"right {right:.4f}, published {wrong:.4f}, "
      f"{right / wrong:.1f} times too small")

# %% [markdown]
# Not quite 64, because the last batch is short. It will be believed, because nobody complains about a small loss. Sum
# over images and divide once to avoid this.
#
# ## One digit, layer by layer
#
# What does the network see in there? Let us send one validation digit through it and stop after each step. A row
# shows the first six maps: after the first convolution and its ReLU, after pooling, after the second convolution and
# its ReLU, and after pooling again.

# %% mystnb={"image": {"alt": "Four rows of six maps of one digit. In the first row strokes of certain directions are bright, in the second they are the same at half the size, in the third and fourth only a few coarse blots are left."}}
x, y = next(iter(valid))
x, label, maps = x[:1], y[0].item(), []
with torch.no_grad():
    for layer in model[:6]:
        x = layer(x)
        if not isinstance(layer, nn.Conv2d):
            maps.extend(x[0, :6])
plots.images(maps, columns=6, title=f"A {label} becomes strokes, and "
             "strokes become a few blots")

# %% [markdown]
# In the first row you can still read the digit, six times over, but each filter has an opinion of its own. In our run
# the fourth likes upright strokes and the sixth level ones. (The frames are padding: its 0 is grey here.) Two rows
# below, nobody could read the digit any more. The blots answer coarser questions, such as "does something level end on
# the left?", and the linear layers have learnt what such answers mean together. Here are their ten logits:

# %% mystnb={"image": {"alt": "Bars: the logit of each of the ten digits. That of the four is far above the others, most of which are negative."}}
logits = model[6:](x)[0].tolist()
plots.bars({"logits": dict(zip(mnist.classes, logits, strict=True))},
           ylabel="logit", title=f"The ten answers to this {label}")

# %% [markdown]
# ## Which activation?
#
# We have used ReLU, while many LeNets on the web use sigmoids, and the one of 1998 a kind of tanh. Does it matter?
# Backpropagation multiplies the slope of the activation into the gradient at each layer, so we look at functions and
# slopes side by side. The fourth function is a control, a sigmoid moved down by ½ so that its values are around 0.
# Its slopes are those of the sigmoid.

# %%
class Centred(nn.Module):
    def forward(self, x):
        return torch.sigmoid(x) - 0.5

# %% [markdown]
# Autograd gives the slopes, one for each point of the line.

# %% mystnb={"image": {"alt": "Left: sigmoid rises from 0 to 1, the moved sigmoid from minus a half to a half, tanh from minus 1 to 1, ReLU is 0 and then a straight line. Right: their slopes. Those of both sigmoids never pass a quarter, tanh's reaches 1 at zero, ReLU's is 0 or 1."}}
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "sigmoid − ½": Centred,
               "tanh": nn.Tanh, "relu": nn.ReLU}
line = torch.linspace(-5, 5, 201, requires_grad=True)
values, slopes = {}, {}
for name, activation in ACTIVATIONS.items():
    value = activation()(line)
    values[name] = value.detach()
    slopes[name], = torch.autograd.grad(value.sum(), line)
plots.curves(line.detach(), {"function": values, "slope": slopes},
             columns=2, xlabel="input",
             title="A sigmoid passes on a quarter of the gradient at best")

# %% [markdown]
# Take a pencil. Between the loss and the first convolution there are four activations. A sigmoid passes on a quarter
# at most, four of them ¼⁴ = ¹⁄₂₅₆, so the first layer should hear next to nothing of what went wrong. Now we measure
# the gradients, on one batch and from the same random weights.
#
# > **Predict before you run.** Which of the four gives the first layer the largest gradient? Will the control differ
# > from the sigmoid?

# %% tags=["answer"] mystnb={"image": {"alt": "Bars on a logarithmic axis: size of the gradient in each of LeNet's five layers for the four activations. The sigmoid's shrinks from layer to layer towards the input; the moved sigmoid's is small everywhere. In the first layer both are far below tanh and ReLU."}}
x, y = next(iter(batches(mnist.train, 256)))
gradients = {}
for name, activation in ACTIVATIONS.items():
    torch.manual_seed(SEED)
    probe = lenet(activation)
    F.cross_entropy(probe(x), y).backward()
    weights = [parameter for parameter in probe.parameters()
               if parameter.ndim > 1]  # no biases
    gradients[name] = {f"layer {k}": weight.grad.norm().item()
                       for k, weight in enumerate(weights, start=1)}
plots.bars(gradients, log=True, ylabel="size of the gradient",
           title="Sigmoid starves the first layer")

# %% [markdown]
# Tanh hears most, and the control starves like the sigmoid.

# %% tags=["claim"]
ratio = gradients["relu"]["layer 1"] / gradients["sigmoid"]["layer 1"]
claim.data("At the start, ReLU's first layer receives {value:.0f} times the "
           "gradient of sigmoid's.", ratio, data=mnist, at_least=30)

# %% [markdown]
# Many texts stop here, and conclude that sigmoids learn slowly because so little arrives. But that can be tested. A
# *hook* is a function that autograd calls with a gradient, and it may return another.

# %%
def learn(activation, lr, louder=1):
    """Accuracy of a LeNet whose first layer gets its gradients louder."""
    torch.manual_seed(SEED)
    probe = lenet(activation)
    for parameter in probe[0].parameters():
        parameter.register_hook(lambda gradient: louder * gradient)
    optimizer = torch.optim.Adam(probe.parameters(), lr=lr)
    for _ in range(SOME_EPOCHS):
        train_epoch(probe, train, optimizer)
    return score(probe, valid)[1]

# %% [markdown]
# > **Predict before you run.** Make the first layer's gradients 64 times as large, which is ReLU's size. With Adam at
# > a rate of .001, how much does the sigmoid gain?

# %% tags=["answer"]
for louder in (1, 64):
    print(f"{louder:2} times: {learn(nn.Sigmoid, 0.001, louder):.2%}")

# %% [markdown]
# Nothing. Adam divides each weight's step by the size of its past gradients, so whether they are loud or soft makes
# no difference. Is it the rate, then? Lesson 1 has a rule for comparisons: each rival at its own learning rate.
#
# > **Predict before you run.** At a rate of .001, who wins, sigmoid or ReLU, and by how many points? And at .01?

# %% tags=["answer"]
for lr in (0.001, 0.01):
    for name in ("sigmoid", "relu"):
        print(f"lr {lr:<5} {name:8} {learn(ACTIVATIONS[name], lr):.1%}")

# %% [markdown]
# The lead of ReLU was mostly a matter of the rate, and a paper that had tried only the first would have reported it
# as a law. One seed proves little, so a larger comparison is recorded: four activations, five rates, five seeds, by
# `python -m experiments.activations`.

# %%
reached = {}
for run in recorded_runs("activations"):
    by_rate = reached.setdefault(run["activation"], {})
    by_rate.setdefault(run["lr"], []).append(run["valid_accuracy"][-1])

# %% [markdown]
# Each line is the average of five runs, drawn as errors.

# %% mystnb={"image": {"alt": "Validation error against the learning rate, both on logarithmic axes, for four activations. ReLU and tanh are lowest near 0.003, the two sigmoids near 0.01. At the best rates all four are between 3 and 6 percent. At 0.03 sigmoid and ReLU fail."}}
RATES = list(reached["relu"])
errors = {name: [1 - mean(by_rate[lr]) for lr in RATES]
          for name, by_rate in reached.items()}
plots.curves(RATES, errors, log="xy", xlabel="learning rate",
             ylabel="validation error", percent=True,
             title="Each activation has a learning rate of its own")

# %% [markdown]
# Two results can be read from it. At the smallest rate the sigmoid loses to ReLU by nearly forty points, its equally
# starved control by sixteen. And each curve has a valley, and their floors are close together:

# %%
best = {name: max(by_rate.values(), key=mean)
        for name, by_rate in reached.items()}
for name, accuracies in best.items():
    print(f"{name:12} at its best rate {mean_and_spread(accuracies)}")

# %% [markdown]
# ReLU still leads, if not by much. We compare run by run, because the runs of one seed saw the same images in the
# same order.

# %%
def lead(ours, theirs):
    """Mean difference over the seeds, and the standard error of it."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    return mean(differences), stdev(differences) / len(differences) ** 0.5

# %% [markdown]
# Chance alone moves a mean by about one standard error, so with five seeds a lead of less than three is no finding.

# %%
for ours, theirs in (("relu", "sigmoid"), ("relu", "tanh"),
                     ("sigmoid − ½", "sigmoid")):
    difference, error = lead(best[ours], best[theirs])
    print(f"{ours} over {theirs}: {difference:.1%}, "
          f"{difference / error:.1f} standard errors")

# %% tags=["claim"]
claim.data("At its best rate, ReLU reads {value:.1%} of the digits more than "
           "sigmoid at its own.", lead(best["relu"], best["sigmoid"])[0],
           data=mnist, at_least=0.01)

# %% [markdown]
# What about the control? Its lead over the sigmoid is too small for five seeds to tell from nothing, and there is a
# reason to expect little. Whatever a layer makes of σ(*x*) − ½ it can make of σ(*x*), if its bias takes up the rest.
# So the two networks can compute exactly the same functions, and differ only in how easily training finds them. Away
# from its best rate that shows clearly in the figure, most at .03, since the outputs of a plain sigmoid have a large
# part in common, as the pixels had in lesson 5. At its own rate, three epochs nearly hide it.
#
# We stay with ReLU, the cheapest of the four and the usual choice in deeper networks.
#
# ### How long does the sigmoid stand still?
#
# The slow start is real, though. A published tutorial trained the sigmoid LeNet on pixels from 0 to 1, with Adam at a
# rate of .005, in batches of 1,024 of 50,000 images, so 49 steps an epoch. Three recorded runs of ours (`python -m
# experiments.lenet_plateau`) are drawn beside its numbers.

# %% mystnb={"image": {"alt": "Validation accuracy over 490 steps: three recorded runs and the published points begin between one tenth and one fifth, climb after about fifty to a hundred steps, and reach about 95 per cent."}}
published = [0.1507, 0.4576, 0.7078, 0.8043, 0.8904, 0.9182, 0.9314, 0.9390,
             0.9452, 0.9500]
plateau = recorded_runs("lenet_plateau")
lines = {f"seed {run['seed']}": run["valid_accuracy"] for run in plateau
         if run["schedule"] == "constant"}
plots.curves(range(49, 491, 49), lines | {"published": published},
             xlabel="step", percent=True, ylabel="validation accuracy",
             title="After 49 steps the sigmoid LeNet has hardly begun")

# %% [markdown]
# How far has the loss come after the first epoch? And where does a longer run end?

# %%
first = [run["valid_loss"][0] for run in plateau]
print(f"after 49 steps the loss is {min(first):.3f} to {max(first):.3f}")
long = next(run for run in plateau if run["schedule"] == "cosine")
good = [accuracy >= 0.985 for accuracy in long["valid_accuracy"]]
print(f"the long run passes 98.5 % in epoch {good.index(True) + 1}; after "
      f"{len(good)} epochs, test accuracy {long['test_accuracy']:.2%}")

# %% [markdown]
# After 49 steps its loss is still close to ln 10. The tutorial's longer run, 59 epochs with a falling rate, reached
# 98.78 %, and by chance ours equals it.
#
# ## As it was written in 1998
#
# How much of today's LeNet was in the paper? Its input has 32×32 pixels. Its pooling, called *subsampling*, has a
# trainable coefficient and a bias for each map. Its activation is a scaled tanh, also after the subsampling.

# %%
class Subsampling(nn.Module):
    """The sum of 2×2 pixels, times one coefficient, plus one bias, a map."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x):
        return self.weight * 4 * F.avg_pool2d(x, 2) + self.bias

# %% [markdown]
# The factors of the tanh are chosen so that ±1 stays ±1.

# %%
class ScaledTanh(nn.Module):
    def forward(self, x):
        return 1.7159 * torch.tanh(2 / 3 * x)

# %% [markdown]
# The second convolution, C3, does not connect all maps. A table says which three, four or six inputs each of its 16
# maps reads. The paper gives two reasons: fewer connections, and maps that are forced to differ.

# %%
C3_TABLE = ["012", "123", "234", "345", "045", "015", "0123", "1234",
            "2345", "0345", "0145", "0125", "0134", "1245", "0235", "012345"]

# %% [markdown]
# For each digit in the table there is one kernel. Where the table has no digit, the weights stay 0.

# %%
class TableConv2d(nn.Module):
    """A 5×5 convolution with kernels only where the table has a digit."""

    def __init__(self, table):
        super().__init__()
        self.maps = [k for k, row in enumerate(table) for _ in row]
        self.inputs = [int(digit) for row in table for digit in row]
        kernels = torch.empty(len(self.maps), 5, 5).uniform_(-0.1, 0.1)
        self.kernels = nn.Parameter(kernels)
        self.bias = nn.Parameter(torch.zeros(len(table)))

    def forward(self, x):
        weight = x.new_zeros(len(self.bias), x.shape[1], 5, 5)
        weight[self.maps, self.inputs] = self.kernels
        return F.conv2d(x, weight, self.bias)

# %% [markdown]
# Last, each class has a fixed code of 84 numbers, and the class whose code is nearest wins. In the paper the codes
# are little 7×12 pictures of the characters, and we draw random signs. Nothing there is trained.

# %%
class NearestCode(nn.Module):
    """Minus the squared distance to each class's code: N×84 → N×10."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.register_buffer("codes", torch.randn(10, 84).sign())

    def forward(self, x):
        return -self.scale * (x[:, None] - self.codes).square().sum(2)

# %% [markdown]
# The names of the layers are the paper's.

# %%
def lenet_1998(scale=1):
    return nn.Sequential(
        nn.ZeroPad2d(2), nn.Conv2d(1, 6, 5), ScaledTanh(),  # C1
        Subsampling(6), ScaledTanh(),  # S2
        TableConv2d(C3_TABLE), ScaledTanh(),  # C3
        Subsampling(16), ScaledTanh(),  # S4
        nn.Conv2d(16, 120, 5), ScaledTanh(), nn.Flatten(),  # C5
        nn.Linear(120, 84), ScaledTanh(), NearestCode(scale),  # F6, output
    )

# %% tags=["claim"]
claim("The LeNet-5 of 1998 has {value:,} trainable parameters.",
      count_parameters(lenet_1998()), equals=60_000)

# %% [markdown]
# A round 60,000, as the paper says. (The network of 1989, often called LeNet as well, read 16×16 pixels and had 9,760
# parameters.) Would it have passed our first check?
#
# > **Predict before you run.** Its ten answers are sums of 84 squares. Is its first loss near ln 10, above or below?

# %% tags=["answer"]
for scale in (1, 1 / 84):
    torch.manual_seed(SEED)
    loss = F.cross_entropy(lenet_1998(scale)(x), y)
    print(f"squares times {scale:.3f}: a first loss of {loss:.2f}")

# %% [markdown]
# The sums are too loud, so that the network is sure before it knows anything. With means in their place the nearest
# code is still the nearest, and the check is passed. Now the race that people wonder about. Both networks get today's
# training, at two rates each.
#
# > **Predict before you run.** More than twenty-five years of habits separate them. How many points are those habits
# > worth?

# %% tags=["answer"]
race = {}
for name in ("1998", "today"):
    for lr in (0.001, 0.003):
        print(f"{name}, learning rate {lr}")
        torch.manual_seed(SEED)
        model = lenet() if name == "today" else lenet_1998(1 / 84)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        run = fit(model, train, valid, optimizer, epochs=SOME_EPOCHS)
        race[f"{name}, {lr}"] = [epoch.valid.accuracy for epoch in run]

# %% tags=["answer"] mystnb={"image": {"alt": "Validation accuracy over three epochs of four runs. At each of the two rates, the networks of 1998 and of today are close together; both are better at 0.003."}}
plots.curves(range(1, SOME_EPOCHS + 1), race, xlabel="epoch", percent=True,
             ylabel="validation accuracy",
             title="Made quiet, the network of 1998 keeps up with today's")

# %% [markdown]
# On digits, next to none. (Without the mend it falls behind: try `scale=1`.)

# %% tags=["claim"]
stated = (SOME, SOME_EPOCHS) == (10_000, 3)
claim.measured("At a rate of .003 the network of 1998 reads {value:.1%} "
               "of the validation digits.", race["1998, 0.003"][-1],
               data=mnist, stated=stated, at_least=0.95)

# %% [markdown]
# Today's parts have won because they are simpler, and because they also work in much deeper networks. In the paper,
# after twenty passes over 60,000 digits, LeNet-5 misread 0.95 % of the test.
#
# ## The real training
#
# All 55,000 images, and ReLU. The learning rate rises at first and then falls to almost nothing (`OneCycleLR`; lesson
# 7 says why). A GPU is used where there is one.

# %%
DEVICE = device()
train = batches(mnist.train, 64, shuffle=True, device=DEVICE)
valid = batches(mnist.valid, 1_000, device=DEVICE)
torch.manual_seed(SEED)
model = lenet().to(DEVICE)

# %% [markdown]
# The scheduler is told how many steps there will be, and moves on after each batch.

# %%
optimizer = torch.optim.Adam(model.parameters())
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=0.004, total_steps=EPOCHS * len(train))
run = fit(model, train, valid, optimizer, epochs=EPOCHS,
          scheduler=scheduler, scheduler_step="batch")

# %% [markdown]
# Read the two curves together. If the training loss goes on falling while the validation loss rises, the network has
# begun to memorise its images. At first the training score is the worse one, because it is taken on the way, while
# the network is still learning.

# %% mystnb={"image": {"alt": "Loss and accuracy over the epochs, for training and validation. Both losses fall together, both accuracies rise to about 99 per cent."}}
plots.history(run, title="Training and validation go together")

# %% [markdown]
# The choices are made, so this network may look at the test split, once.

# %%
test = batches(mnist.test, 1_000, device=DEVICE)
final = evaluate(model, test)
correct = round(final.accuracy * len(mnist.test))
low, high = wilson_interval(correct, len(mnist.test))
print(f"{correct:,} of {len(mnist.test):,} digits, "
      f"95 % interval from {low:.2%} to {high:.2%}")

# %% tags=["claim"]
claim.measured("The network reads {value:.2%} of the test digits.",
               final.accuracy, data=mnist, stated=EPOCHS == 3)

# %% [markdown]
# An accuracy is an estimate from 10,000 digits, and another 10,000 would give another number. The *Wilson interval*
# is made so that in 95 of 100 such samples it covers the accuracy on all digits of this kind. It says nothing about
# another seed, and for that the claim names several runs.
#
# ## What does it get wrong?
#
# The *confusion matrix* counts, for each true class (row), what the network answered (column). Right answers are on
# the diagonal, and only the errors are coloured.

# %% mystnb={"image": {"alt": "Ten by ten counts with nearly all digits on the diagonal. The coloured cells off the diagonal are confusions, a few digits each."}}
logits = predict(model, test).cpu()
matrix = confusion_matrix(mnist.test.y, logits.argmax(1))
plots.confusion(matrix, mnist.classes, title="No confusion is frequent")

# %% [markdown]
# Now the ten errors of which the network was surest.
#
# > **Predict before you run.** For how many of the ten would you have given the network's answer?

# %% tags=["answer"] mystnb={"image": {"alt": "The ten test digits that the network got wrong with the highest confidence, with truth, answer and probability; several are hard to read."}}
confidence, answer = logits.softmax(1).max(1)
errors = (answer != mnist.test.y).nonzero().flatten()
worst = errors[confidence[errors].argsort(descending=True)][:10]
titles = [f"{mnist.test.y[k]} → {answer[k]} ({confidence[k]:.0%})"
          for k in worst]
plots.images(mnist.test.x[worst], titles, columns=5, title="Sure, and wrong")

# %% [markdown]
# A person would misread some of them too, but not others. High confidence does not mean right, and lesson 9 measures
# how far you may trust it. Below is a smaller network, which exercise 6.7 asks for.
#
# > **Try this.** Draw a digit that you can read and the network can't. What is new in it?

# %%
explore("digit")

# %% [markdown]
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 6.1 · The first loss
#
# You build a network for 1,000 classes. What should its loss be before training? Give it to two decimal places.

# %%
first_loss = ...
check("6.1", first_loss)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.1
first_loss_solution = math.log(1000)  # each class gets the probability 1/1000
assert check("6.1", first_loss_solution)

# %% [markdown]
# ### Exercise 6.2 · What the table saves
#
# How many parameters does layer C3 of 1998 have, with its table? And how many would it have if each map read all six
# maps? Give `(with_table, without)`.

# %%
c3 = ...
check("6.2", c3)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.2
# A kernel for each digit in the table, and a bias for each map.
kernels_solution = len("".join(C3_TABLE))
c3_solution = (kernels_solution * 25 + 16, 16 * 6 * 25 + 16)
assert check("6.2", c3_solution)

# %% [markdown]
# ### Exercise 6.3 · From 28 to 5
#
# Write `side(n)`: how many pixels wide are the maps that today's `lenet` flattens, for an image of n×n pixels? For 28
# it is 5. (The paper's first convolution pads nothing, and reads 32×32 pixels. Why is that the same?)

# %%
def side(n):
    ...


check("6.3", side)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.3
def side_solution(n):
    # Padding by 2 keeps n: 28 becomes the paper's 32, and the kernel takes 4.
    # Pooling halves and drops a lone last column; the second kernel takes 4.
    return (n // 2 - 4) // 2


assert check("6.3", side_solution)

# %% [markdown]
# ### Exercise 6.4 · Connections
#
# Weights are shared, but *connections* are counted at every place: in C1, each of the 6·28·28 outputs has 25 weights
# and a bias. An output of a subsampling layer has four inputs and a bias. In C3 the maps read different numbers of
# inputs. The distances of the output layer have no bias. The paper counts 340,908 connections in all. Give the list
# for C1, S2, C3, S4, C5, F6, output.

# %%
connections = ...
check("6.4", connections)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.4
connections_solution = [
    6 * 28 * 28 * 26, 6 * 14 * 14 * 5,  # C1, S2
    (60 * 25 + 16) * 10 * 10, 16 * 5 * 5 * 5,  # C3, S4
    120 * (16 * 25 + 1), 84 * (120 + 1), 10 * 84,  # C5, F6, output
]
assert check("6.4", connections_solution)

# %% [markdown]
# ### Exercise 6.5 · One step from memory
#
# Close your eyes, recall the loop, then write `train_step(model, x, y, optimizer)`: one step of training on the batch
# `x, y`. The model may come in either mode, and learns in training mode. Return the loss as a plain number, as it was
# before the step.

# %%
def train_step(model, x, y, optimizer):
    ...


check("6.5", train_step)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.5
def train_step_solution(model, x, y, optimizer):
    model.train()
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


assert check("6.5", train_step_solution)

# %% [markdown]
# ### Exercise 6.6 · Find the bugs
#
# A function like this one has been published. Write `accuracy_of(model, loader)`. It must be right for batches of any
# length, run the model in evaluation mode, and give it back in the mode in which it came.

# %%
def published_accuracy(model, loader):
    shares = [(model(x).argmax(1) == y).float().mean() for x, y in loader]
    return sum(shares).item() / len(loader)


def accuracy_of(model, loader):
    ...


check("6.6", accuracy_of)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.6
@torch.inference_mode()
def accuracy_of_solution(model, loader):
    was_training = model.training
    model.eval()
    right = torch.cat([model(x).argmax(1) == y for x, y in loader])
    model.train(was_training)
    return right.float().mean().item()


assert check("6.6", accuracy_of_solution)

# %% [markdown]
# ### Exercise 6.7 · A sixth of LeNet
#
# Train a network of your own on `mnist.train`. Three epochs are enough. It may hold at most 10,000 numbers in its
# `state_dict()`. Reach 98.5 % on the *validation* split (90 % on the built-in sample), and give the trained model.
# (What helps: 3×3 kernels, one linear layer, the one-cycle schedule, and `nn.BatchNorm2d(maps)` after each
# convolution, which standardises each map over the batch. Lesson 12 explains it.)

# %%
my_model = ...
check("6.7", my_model)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.7
def block_solution(before, after):
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False),
                         nn.MaxPool2d(2), nn.BatchNorm2d(after), nn.ReLU())


torch.manual_seed(SEED)
my_model_solution = nn.Sequential(
    block_solution(1, 8), block_solution(8, 16), block_solution(16, 32),
    nn.Flatten(), nn.Linear(32 * 3 * 3, 10)).to(DEVICE)
optimizer_solution = torch.optim.Adam(my_model_solution.parameters())
scheduler_solution = torch.optim.lr_scheduler.OneCycleLR(
    optimizer_solution, max_lr=0.02, total_steps=3 * len(train))
fit(my_model_solution, train, valid, optimizer_solution, epochs=3,
    scheduler=scheduler_solution, scheduler_step="batch")
assert check("6.7", my_model_solution)

# %% [markdown]
# ### An open question
#
# Your network reads 99 digits of 100, and an amount on a cheque has five of them. Of a million cheques, how many
# amounts does it read wrongly? It may also refuse a cheque, and then a person reads it. Which cheques should it
# refuse, how many, and what would you need to know from the bank to decide?

# %% [markdown]
# ## What you can do now
#
# 1. Build LeNet-5 with 61,706 parameters, and the one of 1998 with 60,000, and say where each of them is.
# 2. Check the first loss against ln M for M classes, and memorise one batch, before you train.
# 3. Write both loops: sums over images, divided once; `train()` to learn, `eval()` to look.
# 4. Compare each activation at its own learning rate. A sigmoid passes on a quarter of the gradient at most, but with
# Adam most of its loss was the rate's.
# 5. Choose by validation, look at the test split once, and state an interval.
# 6. Read confusions by row and column, and look at the errors themselves.
#
# ## Further reading
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-based learning applied to document recognition* (1998):
#   section II-B is LeNet-5.
# - X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks* (2010): why
# sigmoids start slowly.
# - A. Karpathy, *A recipe for training neural networks* (2019): the checks before training, and more of them.
# - L. Brown, T. Cai, A. DasGupta, *Interval estimation for a binomial proportion* (2001): why Wilson's.
