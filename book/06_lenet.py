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
# **Read** 30 min · **Run** 80 s on two CPU cores · **Before this** lessons 1 to 3
#
# ## What you will be able to do
#
# 1. Build LeNet-5 and account for each of its parameters, in the form of 1998 and in today's.
# 2. Check a network before you train it: its first loss, and one batch learnt by heart.
# 3. Explain why a LeNet with sigmoids stands still at first.
# 4. Write the training and the evaluation loop from memory, without the quiet errors of published ones.
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
import copy
import math

import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix
from torch import nn
from torchinfo import summary

from course_utils import (batches, check, claim, count_macs, count_parameters, device, diagrams,
                          evaluate, fit, load, plots, predict, recorded, wilson_interval)

# %% [markdown]
# These numbers are yours to change. With a GPU, try more epochs.

# %% nbmake={"mock": {"EPOCHS": 2, "COMPARE_IMAGES": 300, "COMPARE_EPOCHS": 1, "SMALL_EPOCHS": 2}}
SEED = 0
EPOCHS = 3  # of the final training, on all images
COMPARE_IMAGES, COMPARE_EPOCHS = 10_000, 3  # for the comparison of activation functions
SMALL_EPOCHS = 1  # of the small network at the end

# %% [markdown]
# ## Three splits, three jobs
#
# MNIST holds 70,000 handwritten digits. Its makers set 10,000 of them aside for the *test*. We set aside 5,000 more
# for *validation*. The training split is for learning. The validation split is for choosing: which activation, how
# many epochs. The test split is for one look per network, at the end: the best of many looks is no estimate any more,
# it has kept the luck. `batches` will hand images out as `float32`, *normalised*: less the mean of the training
# pixels, divided by their standard deviation.

# %% mystnb={"image": {"alt": "Twelve handwritten digits of the training split with their labels above them."}}
mnist = load("mnist")
print(mnist)
labels = [str(label.item()) for label in mnist.train.y[:12]]
plots.images(mnist.train.x[:12], labels, columns=6)

# %% [markdown]
# ## The network
#
# A convolutional network alternates two steps: a convolution, followed by an *activation function*, looks for
# patterns; a *pooling* layer keeps a coarser picture of where they were. *Linear* layers (lesson 2 called them dense)
# then read the class. In 1962 Hubel and Wiesel described cells of a cat's brain that work in such an order;
# Fukushima's Neocognitron of 1980 was built in that way, and LeCun's networks of 1989 and 1998 learnt their patterns
# by gradient descent. Here is LeNet-5 as everyone writes it today.

# %%
def lenet(activation=nn.ReLU, pool=nn.AvgPool2d):
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), activation(), pool(2),
        nn.Conv2d(6, 16, kernel_size=5), activation(), pool(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), activation(),
        nn.Linear(120, 84), activation(),
        nn.Linear(84, 10),
    )

# %% [markdown]
# The figure is drawn from a real forward pass. If the numbers that a layer hands on were laid out as a square, its bar
# would be the side. Blue layers have parameters.
#
# > **Predict before you run.** Which layer holds the most parameters?

# %% mystnb={"image": {"alt": "LeNet-5 as a list of bars: 28 by 28 pixels become 6 maps of 28 by 28, 6 of 14 by 14, 16 of 10 by 10, 16 of 5 by 5, then 400, 120, 84 and 10 numbers. The first linear layer has 48,120 of the parameters."}}
torch.manual_seed(SEED)
model = lenet()
diagrams.architecture(model, (1, 1, 28, 28),
                      title="Pictures shrink, maps multiply, and one layer holds most weights")

# %%
total = count_parameters(model)
in_linear = sum(count_parameters(layer) for layer in model if isinstance(layer, nn.Linear))
claim("LeNet-5 as written today has {value:,} trainable parameters.", total, equals=61_706)
claim("{value:.1%} of them sit in the linear layers.",
      in_linear / total, equals=0.958, within=0.0005)

# %% [markdown]
# "Training a CNN means finding its filters" is what tutorials say. By count, it means finding linear layers. By work
# it is the other way round.

# %%
macs = count_macs(model, (1, 1, 28, 28))
in_convolutions = count_macs(model[:6], (1, 1, 28, 28))
claim("One image costs {value:,} multiply-adds, biases not counted.", macs, equals=416_520)
claim("The convolutions do {value:.0%} of them.", in_convolutions / macs, equals=0.86, within=0.005)

# %% [markdown]
# A library should agree with us, but for the biases, whose additions `torchinfo` counts (lesson 3).

# %%
report = summary(model, (1, 1, 28, 28), verbose=0)
report

# %%
additions = 6 * 28 * 28 + 16 * 10 * 10 + 120 + 84 + 10  # one for each output: its bias
claim("torchinfo counts {value:,} multiply-adds.", report.total_mult_adds, equals=macs + additions)
claim("It finds our number of parameters: {value}.", report.total_params == total, equals=True)

# %% [markdown]
# ## As it was written in 1998
#
# The paper's network is another one. Its input has 32×32 pixels. Its pooling, called *subsampling*, has a trainable
# coefficient and bias for each map. Its activation is a scaled tanh. Its second convolution does not see all maps: a
# table says which.

# %%
class Subsampling(nn.Module):
    """The sum of 2×2 pixels, times one coefficient, plus one bias, for each map."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x):
        return self.weight * 4 * F.avg_pool2d(x, 2) + self.bias


class ScaledTanh(nn.Module):
    def forward(self, x):
        return 1.7159 * torch.tanh(2 / 3 * x)

# %% [markdown]
# Each of the 16 maps of layer C3 reads three, four or all six maps before it. The paper's reason: fewer connections,
# and maps that are forced to differ.

# %%
C3_TABLE = ["012", "123", "234", "345", "045", "015", "0123", "1234",
            "2345", "0345", "0145", "0125", "0134", "1245", "0235", "012345"]


class TableConv2d(nn.Module):
    """A convolution in which each output map reads only the input maps of its row in the table."""

    def __init__(self, table, kernel_size):
        super().__init__()
        self.rows = [[int(digit) for digit in row] for row in table]
        self.convs = nn.ModuleList(nn.Conv2d(len(row), 1, kernel_size) for row in self.rows)

    def forward(self, x):
        maps = [conv(x[:, row]) for conv, row in zip(self.convs, self.rows, strict=True)]
        return torch.cat(maps, dim=1)

# %% [markdown]
# Last, each class has a fixed code of 84 numbers, and the answer is the distance to it. The paper drew the
# codes as little 7×12 bitmaps of the digits. We take random signs; nothing there is trained.

# %%
class Distances(nn.Module):
    """Squared distances to fixed codes, N×84 → N×10: the smallest marks the class."""

    def __init__(self):
        super().__init__()
        self.register_buffer("codes", torch.randn(10, 84).sign())

    def forward(self, x):
        return (x[:, None] - self.codes).pow(2).sum(2)


torch.manual_seed(SEED)
lenet_1998 = nn.Sequential(
    nn.Conv2d(1, 6, 5), ScaledTanh(), Subsampling(6), ScaledTanh(),  # C1, S2
    TableConv2d(C3_TABLE, 5), ScaledTanh(), Subsampling(16), ScaledTanh(),  # C3, S4
    nn.Conv2d(16, 120, 5), ScaledTanh(), nn.Flatten(),  # C5
    nn.Linear(120, 84), ScaledTanh(), Distances(),  # F6, output
)
print("answer:", tuple(lenet_1998(torch.zeros(1, 1, 32, 32)).shape))
claim("The LeNet-5 of 1998 has {value:,} trainable parameters.",
      count_parameters(lenet_1998), equals=60_000)

# %% [markdown]
# A round 60,000, as the paper says. It counts seven layers: C1, S2, C3, S4, C5, F6 and the output. (The network of
# 1989, often called LeNet as well, read 16×16 pixels and had 9,760 parameters.)
#
# ## Before any training: two checks
#
# Ten minutes of training are a slow way to find a bug. Two checks take seconds.
#
# **One: the first loss.** The network answers each image with ten numbers, the *logits*. *Softmax* turns them into
# probabilities: e to the power of each, divided by the sum of the ten. The loss is *cross-entropy*: minus the natural
# logarithm of the probability of the true class.
#
# > **Predict before you run.** An untrained network knows nothing. Which loss should it show?

# %%
x, y = next(iter(batches(mnist.train, 256)))
with torch.no_grad():
    logits = model(x)
    by_hand = -logits.softmax(1)[torch.arange(len(y)), y].log().mean()
print(f"ln 10 = {math.log(10):.4f}")
claim("The untrained LeNet starts at a loss of {value:.3f}.",
      by_hand, equals=math.log(10), within=0.05)
claim("`F.cross_entropy` of the logits differs by {value:.0e} from the formula.",
      (F.cross_entropy(logits, y) - by_hand).abs(), at_most=1e-6)

# %% [markdown]
# Had it started far above, the last layer would be too loud, or the pixels huge; far below, the loss would be computed
# wrongly. (`F.nll_loss(F.log_softmax(logits, 1), y)` is the same loss in two steps: a network for either needs no
# softmax of its own.)
#
# **Two: learn one batch by heart.** A network that cannot learn 64 images will not learn 55,000. If this loss does not
# go to 0, look for the bug in the network or the loop before you ask for more data. The *optimiser* (Adam here)
# changes each weight against its gradient; the *learning rate* `lr` says how far.

# %%
torch.manual_seed(SEED)
probe = lenet()
optimizer = torch.optim.Adam(probe.parameters(), lr=0.005)
for _ in range(80):
    loss = F.cross_entropy(probe(x[:64]), y[:64])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
claim("After 80 steps on one batch its loss is {value:.0e}.",
      F.cross_entropy(probe(x[:64]), y[:64]), at_most=0.02)

# %% [markdown]
# ## Which activation?
#
# Many LeNets on the web use sigmoids. Below are four activation functions, and their slopes. Backpropagation
# multiplies a slope into the gradient at every layer. The fourth function is a control: a sigmoid moved down by ½, so
# that its values lie around 0. Its slopes are those of the sigmoid, so the two cover each other on the right.

# %% mystnb={"image": {"alt": "Left: sigmoid rises from 0 to 1, the moved sigmoid from minus a half to a half, tanh from minus 1 to 1, ReLU is 0 and then a straight line. Right: their slopes. Those of both sigmoids never pass a quarter, tanh's reaches 1 at zero, ReLU's is 0 or 1."}}
class Centred(nn.Module):
    def forward(self, x):
        return torch.sigmoid(x) - 0.5


ACTIVATIONS = {"sigmoid": nn.Sigmoid, "sigmoid − ½": Centred, "tanh": nn.Tanh, "relu": nn.ReLU}
line = torch.linspace(-5, 5, 201, requires_grad=True)
values = {name: layer()(line) for name, layer in ACTIVATIONS.items()}
slopes = {name: torch.autograd.grad(value.sum(), line)[0] for name, value in values.items()}
values = {name: value.detach() for name, value in values.items()}
plots.curves(line.detach(), {"function": values, "slope": slopes}, columns=2, xlabel="input",
             title="A sigmoid passes on a quarter of the gradient at best")

# %% [markdown]
# Between the loss and the first convolution lie four activations. With sigmoids each passes on a quarter at most, so
# little should arrive. We measure it on one batch, from the same random weights.

# %% mystnb={"image": {"alt": "Bars on a logarithmic axis: size of the gradient in each of LeNet's five layers for the four activations. The sigmoid's shrinks from layer to layer towards the input; the moved sigmoid's is small everywhere. In the first layer both are far below tanh and ReLU."}}
x, y = next(iter(batches(mnist.train, 256)))
gradients = {}
for name, activation in ACTIVATIONS.items():
    torch.manual_seed(SEED)
    probe = lenet(activation)
    F.cross_entropy(probe(x), y).backward()
    weights = [layer.weight for layer in probe if hasattr(layer, "weight")]
    gradients[name] = {f"layer {k}": w.grad.norm().item() for k, w in enumerate(weights, 1)}
plots.bars(gradients, title="Sigmoid starves the first layer",
           ylabel="size of the gradient", log=True)

# %%
ratio = gradients["relu"]["layer 1"] / gradients["sigmoid"]["layer 1"]
claim.data("At the start, ReLU's first layer receives {value:.0f} times the gradient of sigmoid's.",
           ratio, data=mnist, at_least=10)

# %% [markdown]
# Does it matter for training? Four networks, the same images, the same optimiser. An *epoch* is one pass over them.
#
# > **Predict before you run.** The moved sigmoid's gradients are no larger than the sigmoid's. Will it learn as
# > slowly?

# %%
some = mnist.train.take(COMPARE_IMAGES)
valid = batches(mnist.valid, 1_000)
accuracy = {}
for name, activation in ACTIVATIONS.items():
    torch.manual_seed(SEED)
    probe = lenet(activation)
    optimizer = torch.optim.Adam(probe.parameters(), lr=0.001)
    print(name)
    train = batches(some, 64, shuffle=True)
    run = fit(probe, train, valid, optimizer, epochs=COMPARE_EPOCHS)
    accuracy[name] = run[-1].valid.accuracy

# %% [markdown]
# This is one run of each; the claims below also name the book's five runs, with the seeds 0 to 4.

# %%
stated = (COMPARE_IMAGES, COMPARE_EPOCHS) == (10_000, 3)
claim.measured("After three epochs on 10,000 images, ReLU reads {value:.1%} of the validation digits.",
               accuracy["relu"], data=mnist, stated=stated)
claim.measured("ReLU then reads {value:.1%} of the digits more than sigmoid.",
               accuracy["relu"] - accuracy["sigmoid"], data=mnist, stated=stated)
claim.measured("Moving the sigmoid down by ½ alone brings {value:.1%} of the digits.",
               accuracy["sigmoid − ½"] - accuracy["sigmoid"], data=mnist, stated=stated)

# %% [markdown]
# So small slopes are only half of the story. Adam scales each weight's step by its past gradients, and so makes up for
# small ones. The other half: the outputs of a sigmoid lie around ½, so all images look much alike to the next layer.
# tanh and ReLU finish close together; we take ReLU, which is the cheapest and usually trains deeper networks better.
#
# ### How long does the sigmoid stand still?
#
# A published tutorial trained the sigmoid LeNet on 50,000 images (pixels from 0 to 1, Adam, `lr=0.005`, batches of
# 1,024, so 49 steps an epoch) and printed its validation accuracy after each of ten epochs. We ran that again with
# three seeds; recorded by `python -m experiments.lenet_plateau`.

# %% mystnb={"image": {"alt": "Validation accuracy over ten epochs: three recorded runs and the published points begin between one tenth and one fifth, climb from the second epoch on, and reach about 95 per cent."}}
published = [0.1507, 0.4576, 0.7078, 0.8043, 0.8904, 0.9182, 0.9314, 0.9390, 0.9452, 0.9500]
plateau = recorded("lenet_plateau")["runs"]
constant = [run for run in plateau if run["schedule"] == "constant"]
lines = {f"seed {run['seed']}": run["valid_accuracy"] for run in constant}
plots.curves(range(1, 11), lines | {"published": published}, xlabel="epoch", percent=True,
             ylabel="validation accuracy", title="The sigmoid LeNet loses its first epoch")

# %% [markdown]
# After one epoch all four read one or two digits in ten, and guessing reads one. What about the loss? And what does
# patience bring? The tutorial's longer run lowered the learning rate along a cosine and stopped after 59 epochs.

# %%
long = next(run for run in plateau if run["schedule"] == "cosine")
firsts = [run["valid_loss"][0] for run in plateau]
epochs = len(long["valid_accuracy"])
print(f"ln 10 is {math.log(10):.3f}")
print(f"loss after the first epoch: {min(firsts):.3f} to {max(firsts):.3f}")
print(f"test accuracy after {epochs} epochs: {long['test_accuracy']:.2%} here, 98.78% published")
print(f"recorded on {long['date']}, {long['machine']}")

# %% [markdown]
# After one pass over the data it has hardly left the loss of a network that knows nothing. (That our single long run
# meets the published figure so closely is luck.)
#
# ## The loop, by hand
#
# Everything so far has used `fit`. Now you write it. Two functions are enough.

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
# The second looks, and must not touch. `model.eval()` switches layers such as dropout (lesson 8) to their other mode,
# and `inference_mode` keeps no graph for a backward pass.

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
# Short as they are, published versions of these two go wrong in many quiet ways. We have found:
#
# - the mean of the batches' means, in which a short last batch counts too much;
# - the sum of the batches' mean losses divided by the number of *images*: 64 times too small;
# - the loss of the last batch, returned as that of the epoch;
# - no `eval()` in the test, so that dropout stays on; or `eval()` in the middle, and no `train()` after it;
# - a second forward pass after the step, just for the accuracy: a third more time, and flattering;
# - the test split scored after every epoch, and the best of those scores reported.
#
# Sums over images, divided once, avoid the first three.
#
# Is `course_utils.training.fit` the same loop? We train two equal networks for a hundred steps, one with each. The
# weights must be equal to the last bit.

# %%
torch.manual_seed(SEED)
by_us = lenet()
by_fit = copy.deepcopy(by_us)
hundred = mnist.train.take(6_400)

torch.manual_seed(SEED)
optimizer = torch.optim.Adam(by_us.parameters())
train_epoch(by_us, batches(hundred, 64, shuffle=True), optimizer)
our_score = score(by_us, valid)

torch.manual_seed(SEED)
optimizer = torch.optim.Adam(by_fit.parameters())
run = fit(by_fit, batches(hundred, 64, shuffle=True), valid, optimizer, epochs=1)

# %%
pairs = zip(by_us.parameters(), by_fit.parameters(), strict=True)
same = all(torch.equal(a, b) for a, b in pairs)
claim("Our loop and `fit` end with equal bits in every weight: {value}.", same, equals=True)
claim("They report the same loss and accuracy: {value}.",
      our_score == tuple(run[-1].valid), equals=True)

# %% [markdown]
# From here on `fit` is an abbreviation for something you have written.
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
model = lenet(nn.ReLU).to(DEVICE)
optimizer = torch.optim.Adam(model.parameters())
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=0.004, total_steps=EPOCHS * len(train))
run = fit(model, train, valid, optimizer, epochs=EPOCHS,
          scheduler=scheduler, scheduler_step="batch")

# %% [markdown]
# Read the two curves together. If the training loss goes on falling while the validation loss rises, the network has
# begun to learn its images by heart. (At first the training score is the worse one: it is taken on the way, while the
# network is still learning.)

# %% mystnb={"image": {"alt": "Loss and accuracy over the epochs, for training and validation. Both losses fall together, both accuracies rise to about 99 per cent."}}
plots.history(run, title="Both splits still improve when the training ends")

# %% [markdown]
# The choices are made. Now this network's one look at the test split.

# %%
test = batches(mnist.test, 1_000, device=DEVICE)
final = evaluate(model, test)
claim.measured("The network reads {value:.2%} of the test digits.",
               final.accuracy, data=mnist, stated=EPOCHS == 3)
correct = round(final.accuracy * len(mnist.test))
low, high = wilson_interval(correct, len(mnist.test))
print(f"{correct:,} of {len(mnist.test):,}: 95 % interval from {low:.2%} to {high:.2%}")

# %% [markdown]
# An accuracy is an estimate from 10,000 digits; another 10,000 would give another number. The *Wilson interval* is
# made so that in 95 of 100 such samples it covers the accuracy on all digits of this kind. It says nothing of another
# seed: for that the claim names several runs.
#
# ## What does it get wrong?
#
# The *confusion matrix* counts, for each true class (row), what the network answered (column). Right answers stand on
# the diagonal. Only the errors are coloured.

# %% mystnb={"image": {"alt": "Ten by ten counts with nearly all digits on the diagonal. The coloured cells off the diagonal are confusions, a few digits each."}}
logits = predict(model, test).cpu()
matrix = confusion_matrix(mnist.test.y, logits.argmax(1))
plots.confusion(matrix, mnist.classes, title="No confusion is frequent")

# %% [markdown]
# Now the ten errors that the network was surest of. Above each stand the truth, an arrow, the answer and its
# probability.
#
# > **Predict before you run.** For how many of the ten would you have given the network's answer?

# %% mystnb={"image": {"alt": "The ten test digits that the network got wrong with the highest confidence, with truth and answer; several are hard to read."}}
confidence, answer = logits.softmax(1).max(1)
errors = (answer != mnist.test.y).nonzero().flatten()
worst = errors[confidence[errors].argsort(descending=True)][:10]
titles = [f"{mnist.test.y[k]} → {answer[k]} ({confidence[k]:.0%})" for k in worst]
plots.images(mnist.test.x[worst], titles, columns=5, title="Sure, and wrong")

# %% [markdown]
# Some a person would misread too; others not. High confidence does not mean right: lesson 9 measures that.
#
# And the filters? Here are the six of the first layer, before and after training, on one scale: red is positive, blue
# negative.

# %% mystnb={"image": {"alt": "Two rows of six 5 by 5 filters. Before training they are noise; after training some are red on one side and blue on the other."}}
torch.manual_seed(SEED)
before = lenet(nn.ReLU)[0].weight
filters = torch.cat([before, model[0].weight.cpu()])
plots.images(filters, ["before"] * 6 + ["after"] * 6, columns=6,
             signed=True, shared=True,
             title="Some filters have become edge detectors, none is a drawing")

# %% [markdown]
# Some now have a red and a blue side, like the Sobel kernels of lesson 2. Do not read more into 25 pixels; lesson 13
# looks inside with better tools.
#
# ## Half the size, one epoch
#
# With 59 epochs the tutorial's sigmoid LeNet read 98.78 % of the test digits. What can half its parameters do in one?
# Three blocks of a 3×3 convolution, pooling, *batch normalisation* (lesson 12) and ReLU.

# %%
def block(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.MaxPool2d(2), nn.BatchNorm2d(out_channels), nn.ReLU(),
    )


torch.manual_seed(SEED)
small = nn.Sequential(block(1, 16), block(16, 32), block(32, 64),
                      nn.Flatten(), nn.Linear(64 * 3 * 3, 10))
small = small.to(DEVICE, memory_format=torch.channels_last)
share = count_parameters(small) / count_parameters(model)
claim("It has {value:.0%} of LeNet's parameters.", share, at_most=0.5)

# %% [markdown]
# Its images lie in memory with channels last (lesson 2), which makes this network faster.

# %%
options = {"channels_last": True, "device": DEVICE}
train = batches(mnist.train, 128, shuffle=True, **options)
valid = batches(mnist.valid, 1_000, **options)
optimizer = torch.optim.AdamW(small.parameters())
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=0.01, total_steps=SMALL_EPOCHS * len(train))
run = fit(small, train, valid, optimizer, epochs=SMALL_EPOCHS,
          scheduler=scheduler, scheduler_step="batch")

# %% [markdown]
# This network too looks at the test split once.

# %%
reached = evaluate(small, batches(mnist.test, 1_000, **options)).accuracy
claim.measured("After one epoch it reads {value:.2%} of the test digits; 59 epochs gave 98.78%.",
               reached, data=mnist, stated=SMALL_EPOCHS == 1, at_least=0.9878)

# %% [markdown]
# One epoch of this network beats 59 of that one. But much differs between them: the parts, the schedule, the batches
# (128 images against 1,024), the normalised pixels. Which of them did it? That takes one change at a time, and several
# seeds: the rest of this course.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 6.1 · The first loss
#
# You build a network for 1,000 classes. What should its loss be before training? Give it to two places behind the
# point.

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
# How many parameters has layer C3 of 1998, with its table? And how many would it have if each map read all six maps?
# Give `(with_table, without)`.

# %%
c3 = ...
check("6.2", c3)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.2
kernels_solution = len("".join(C3_TABLE))  # a kernel for each digit in the table, a bias for each map
c3_solution = (kernels_solution * 25 + 16, 16 * 6 * 25 + 16)
assert check("6.2", c3_solution)

# %% [markdown]
# ### Exercise 6.3 · From 28 to 5
#
# Write `side(n)`: how many pixels wide are the maps that today's `lenet` flattens, for an image of n×n pixels? For 28
# it is 5. (The paper pads nothing and reads 32×32 pixels. Why is that the same?)

# %%
def side(n):
    ...


check("6.3", side)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.3
def side_solution(n):
    # 28 padded by 2 on each side is the paper's 32, and a 5×5 kernel takes 4 of it again: padding by 2 keeps n.
    return (n // 2 - 4) // 2  # pooling halves, a lone last column is dropped; the second 5×5 kernel takes 4


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
    6 * 28 * 28 * 26, 6 * 14 * 14 * 5, (60 * 25 + 16) * 10 * 10, 16 * 5 * 5 * 5,  # C1 to S4
    120 * (16 * 25 + 1), 84 * (120 + 1), 10 * 84,  # C5, F6, output
]
assert check("6.4", connections_solution)

# %% [markdown]
# ### Exercise 6.5 · One step from memory
#
# Close your eyes, recall the loop, then write `train_step(model, x, y, optimizer)`: one step of training on the batch
# `x, y`, with the model in training mode, in whichever mode it came. Return the loss as a plain number, as it was
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
# A function like this one has been published. Write `accuracy_of(model, loader)`: it must be right for batches of any
# length, run the model in evaluation mode, and give it back in the mode in which it came.

# %%
def published_accuracy(model, loader):
    return sum((model(x).argmax(1) == y).float().mean().item() for x, y in loader) / len(loader)


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
# Train a network of your own on `mnist.train`; three epochs are enough. It may hold at most 10,000 numbers: its
# parameters, frozen ones too, and its buffers (batch normalisation has some: means, variances, and a count). Reach
# 98.5 % on the *validation* split (90 % on the built-in sample). Give the trained model.

# %%
my_model = ...
check("6.7", my_model)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 6.7
def tiny_solution(epochs=3):
    torch.manual_seed(SEED)
    tiny = nn.Sequential(block(1, 8), block(8, 16), block(16, 32), nn.Flatten(), nn.Linear(288, 10))
    tiny = tiny.to(DEVICE, memory_format=torch.channels_last)
    train = batches(mnist.train, 64, shuffle=True, **options)
    optimizer = torch.optim.Adam(tiny.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.02, total_steps=epochs * len(train))
    fit(tiny, train, valid, optimizer, epochs=epochs, scheduler=scheduler, scheduler_step="batch")
    return tiny


my_model_solution = tiny_solution()
assert check("6.7", my_model_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Build LeNet-5 with 61,706 parameters, and the one of 1998 with 60,000, and say where each of them sits.
# 2. Check the first loss against ln M for M classes, and learn one batch by heart, before you train.
# 3. Explain the plateau: a sigmoid passes on at most a quarter of the gradient at each layer, and its outputs are not
#    centred.
# 4. Write both loops: sums over images, divided once; `train()` to learn, `eval()` to look.
# 5. Choose by validation, look at the test split once, and state an interval.
# 6. Read confusions by row and column, and look at the errors themselves.
#
# ## Further reading
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-based learning applied to document recognition* (1998):
#   section II-B is LeNet-5.
# - X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks* (2010): the
#   plateau, explained.
# - A. Karpathy, *A recipe for training neural networks* (2019): the checks before training, and more of them.
# - L. Brown, T. Cai, A. DasGupta, *Interval estimation for a binomial proportion* (2001): why Wilson's.
