# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3 · Shape, receptive field, cost
#
# *What can you know about a network before you train it?*
#
# **Read** 30 min · **Run** 10 s on two CPU cores · **Before this** lessons 1 and 2
#
# ## What you will be able to do
#
# 1. Predict the size that a convolution or a pooling layer hands on, and name the pixels that it never reads.
# 2. Translate between the three conventions for padding and stride that courses teach.
# 3. Compute max and average pooling by hand, forwards and backwards, and get PyTorch's numbers.
# 4. Compute how far a network sees, by arithmetic and from a gradient.
# 5. Count parameters, multiply-adds and memory before any training, and say what each of them costs you.
# 6. Read the error of a `Linear` layer of the wrong size, and cure it in three ways.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("03_shapes")

# %%
import math
import warnings
from itertools import takewhile

import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import nn
from torchinfo import summary

from course_utils import (check, claim, conv_output_size, count_macs, count_parameters,
                          diagrams, plots, receptive_field)

# %% [markdown]
# These numbers are yours to change. All is computed on the CPU on purpose: this lesson is about arithmetic.

# %% nbmake={"mock": {"TRIALS": 100}}
SEED = 0
TRIALS = 500  # random settings to compare with PyTorch

# %% [markdown]
# ## How many places?
#
# In lesson 2 a kernel of width 2 took four places along five pixels. Three options change that number. *Padding* P
# adds zeros on each side of the H pixels. The *stride* S is the step from place to place. *Dilation* D spreads the
# kernel's K weights apart; with 1 they touch.
#
# > **Predict before you run.** A kernel of 3 with stride 2 on 6 pixels: how many places, and is every pixel read?

# %% mystnb={"image": {"alt": "Four lines of pixels with the places of a kernel of three below them. Five pixels give 3 places, with padding 5. Six pixels with stride 2 give 2 places, and the last pixel is crossed out. Seven pixels with dilation 2 give 3 places."}}
diagrams.places([{"size": 5, "kernel_size": 3},
                 {"size": 5, "kernel_size": 3, "padding": 1},
                 {"size": 6, "kernel_size": 3, "stride": 2},
                 {"size": 7, "kernel_size": 3, "dilation": 2}],
                title="A step that does not fit leaves a pixel unread")

# %% [markdown]
# Two places, and the crossed pixel has no say: one more step would leave the line, so PyTorch drops the pixel, without
# a word. (Grey: padding.)
#
# In general the kernel reaches over $D(K-1)+1$ pixels, out of $H+2P$. The rest is its room to move. It takes
# $\lfloor\text{room}/S\rfloor$ steps ($\lfloor\;\rfloor$: rounded down), and the places, $H'$ of them, are one more
# than the steps:
#
# $$H' = \left\lfloor \frac{H + 2P - D(K-1) - 1}{S} \right\rfloor + 1$$

# %%
def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """Along one axis: how many places a kernel takes."""
    room = size + 2 * padding - dilation * (kernel_size - 1) - 1
    return room // stride + 1

# %% [markdown]
# Is that PyTorch's rule? We compare with its layers for random settings. One axis is enough; the other follows the
# same rule. (P goes up to half of K: the pooling layers, below, refuse more.)

# %%
def agreement(formula, layer):
    """The share of TRIALS random settings in which the formula gives the layer's size."""
    torch.manual_seed(SEED)
    right = 0
    for _ in range(TRIALS):
        spans = [(20, 60), (1, 7), (1, 6), (1, 4)]
        size, K, S, D = (torch.randint(*span, ()).item() for span in spans)
        P = torch.randint(0, K // 2 + 1, ()).item()
        answer = layer(K, S, P, D)(torch.zeros(1, 1, size))
        right += answer.shape[2] == formula(size, K, S, P, D)
    return right / TRIALS


def conv(K, S, P, D):
    return nn.Conv1d(1, 1, K, S, P, D)


claim("Our formula gives PyTorch's size in {value:.0%} of the random settings.",
      agreement(output_size, conv), equals=1)

# %% [markdown]
# **Find the bug.** Tutorials print the formula without the brackets: $(H+2P-K)/S+1$. Here it is, with dilation added
# in fairness.
#
# > **Predict before you run.** For 5 pixels with K = 2 and S = 2, what does it say? In how many of the random settings
# > will it hold?

# %%
def published(size, K, S, P, D):
    return (size + 2 * P - D * (K - 1) - 1) / S + 1


print("5 pixels, K = 2, S = 2:", published(5, 2, 2, 0, 1), "places")
print("PyTorch:", output_size(5, 2, 2))
claim("The formula without rounding holds in {value:.0%} of the settings.",
      agreement(published, conv), at_most=0.6)

# %% [markdown]
# It holds where S divides the room: always for S = 1, one time in five for S = 5.
#
# ## Three conventions
#
# Three courses, three rules. Each works by itself; mixed up, they don't.
#
# | course | padding counts | a step that does not fit |
# |---|---|---|
# | PyTorch | on each side | is dropped |
# | Dive into Deep Learning (d2l) | both sides together | is dropped |
# | Stanford's CS231n notes | on each side | makes the setting invalid |
#
# Here are the same settings, read in three ways. "Left" counts the pixels or zeros that PyTorch drops.

# %%
def d2l(H, K, S, P):
    return (H - K + P + S) // S


def cs231n(H, K, S, P):
    places = (H - K + 2 * P) / S + 1
    return int(places) if places.is_integer() else "invalid"


settings = [(28, 5, 1, 2), (10, 3, 2, 0), (224, 11, 4, 0), (227, 11, 4, 0), (224, 11, 4, 2)]
print("  H  K  S  P  PyTorch  left  d2l  CS231n")
for H, K, S, P in settings:
    ours, left = output_size(H, K, S, P), (H + 2 * P - K) % S
    theirs = d2l(H, K, S, P), cs231n(H, K, S, P)
    print(f"{H:3} {K:2} {S:2} {P:2} {ours:8} {left:5} {theirs[0]:4}  {theirs[1]}")

# %% [markdown]
# The last three rows are readings of the first layer of AlexNet, a famous network of 2012. Its paper states 224
# pixels, says nothing of padding, and shows 55 places. CS231n's notes therefore read 227 pixels; torchvision's version
# of the network pads by 2, and rounds.
#
# To translate d2l's rule, double the padding.

# %%
same = all(d2l(H, K, S, 2 * P) == output_size(H, K, S, P)
           for H in range(8, 40) for K in range(1, 8) for S in range(1, 6) for P in range(3))
claim("With its padding doubled, d2l's rule is PyTorch's: {value}.", same, equals=True)

# %% [markdown]
# ## Who reads a pixel?
#
# A kernel of ones adds up its window. So the gradient of the sum of all answers says, for each pixel, how many windows
# read it.

# %% mystnb={"image": {"alt": "Three maps of 6 by 6 numbers. Without padding the corner is read once and the middle nine times. With a padding of 1 the corner is read four times. With a stride of 2 the last row and column are zeros."}}
def readers(**options):
    """How many windows of a 3×3 kernel read each pixel of a 6×6 picture."""
    image = torch.zeros(1, 1, 6, 6, requires_grad=True)
    F.conv2d(image, torch.ones(1, 1, 3, 3), **options).sum().backward()
    return image.grad[0, 0]


maps = [readers(), readers(padding=1), readers(stride=2)]
plots.images(maps, ["P = 0", "P = 1", "S = 2"], columns=3, numbers=True, shared=True,
             title="Padding gives corners a say; a stride can silence a border")

# %%
claim("With stride 2, a 3×3 kernel never reads {value} of the 36 pixels.",
      (maps[2] == 0).sum(), equals=11)
claim("Padding lets {value:.0f} windows read the corner pixel, instead of one.",
      maps[1][0, 0], equals=4)

# %% [markdown]
# "Padding mainly adjusts the output's size", one tutorial says. It also decides how much the border counts, and it
# tells the network where the border is (lesson 2).
#
# ## What PyTorch's layers offer
#
# Their options come in this order: channels in and out for a convolution, then kernel, stride, padding. A kernel is
# one number, or a pair for rows and columns. Pooling layers, whose turn is next, slide a window by the same rule.
#
# > **Predict before you run.** Which of these layers keep the 28×28 pixels? Which has more channels than before?

# %%
x = torch.zeros(1, 8, 28, 28)
for layer in [nn.Conv2d(8, 6, 3, 1, "same"), nn.Conv2d(8, 16, (3, 5), 2), nn.Conv2d(8, 4, 1),
              nn.MaxPool2d(2, 1), nn.AvgPool2d(2, 2), nn.MaxPool2d(3, 1, 1)]:
    print(tuple(layer(x).shape[1:]), layer)

# %% [markdown]
# "Convolutions add channels, pooling halves": habits, not laws. With `"same"`, PyTorch chooses the padding that keeps
# the size, D(K − 1) in all. For a kernel of 4 these are three zeros, so one side gets more. With a stride
# above 1 it refuses. (`F.pad` takes left, right, top, bottom.)

# %%
torch.manual_seed(SEED)
image, even = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 4, 4)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch warns: this may be slower
    same = F.conv2d(image, even, padding="same")
by_us = F.conv2d(F.pad(image, (1, 2, 1, 2)), even)
claim("With the third zero on the right and below, we differ from PyTorch by {value:.0e}.",
      (same - by_us).abs().max(), at_most=1e-5)
try:
    nn.Conv2d(1, 6, 3, 2, "same")
except ValueError as error:
    print(error)

# %% [markdown]
# Pooling layers can also round *up*: with `ceil_mode=True` a last window may hang over the end.
#
# > **Predict before you run.** Is `math.ceil` all that it takes?

# %%
def rounded_up(size, K, S, P, D):
    return math.ceil((size + 2 * P - D * (K - 1) - 1) / S) + 1


def with_rule(size, K, S, P, D):
    return conv_output_size(size, K, S, P, D, ceil_mode=True)


def pool(K, S, P, D):
    return nn.MaxPool1d(K, S, P, D, ceil_mode=True)


claim("Rounded up, the formula gives PyTorch's size in {value:.0%} of the settings.",
      agreement(rounded_up, pool), at_most=0.95)
claim("The package's `conv_output_size` gives it in {value:.0%}.",
      agreement(with_rule, pool), equals=1)

# %% [markdown]
# No: a rule was missing. A window that would *begin* in the padding behind the picture, or further out, is dropped
# again. `conv_output_size` is our `output_size` with that rule.
#
# ## Pooling by hand
#
# Smaller maps cost less, and each of their numbers stands for more of the picture. A pooling layer makes them smaller:
# it slides a window over each channel alone, and hands on the window's largest number (*max pooling*) or its mean
# (*average pooling*). It has no weights. Unless you say otherwise, its stride is its size, so that the windows touch.
#
# > **Predict before you run.** What is left of the three rows below?

# %%
def pool_loops(image, K, reduce):
    """One number for each K×K window of an H×W image."""
    H, W = (output_size(size, K, K) for size in image.shape)
    answer = image.new_empty(H, W)
    for i in range(H):
        for j in range(W):
            answer[i, j] = reduce(image[i * K:i * K + K, j * K:j * K + K])
    return answer


pool_loops(torch.tensor([[1., 3, 0, 9], [2, 6, 0, 1], [7, 7, 7, 7]]), 2, torch.max)

# %% [markdown]
# The row of sevens is gone: half a window is none. Now a photograph, with windows of 6×6.
#
# > **Predict before you run.** Which of the two will be brighter? Which will lose thin dark lines?

# %% mystnb={"image": {"alt": "A photograph of a Chinese tower in grey, and the same pooled by windows of 6 by 6: the maximum is brighter and its dark lines have thinned, the average looks like a small version of the photograph."}}
photo = torch.tensor(load_sample_image("china.jpg"), dtype=torch.float64).mean(2) / 255
tower = photo[40:310, 20:350]
largest, mean = pool_loops(tower, 6, torch.max), pool_loops(tower, 6, torch.mean)
plots.images([tower, largest, mean], ["photograph", "max", "average"], columns=3, shared=True,
             title="A maximum prefers what is bright, an average blurs")

# %%
brighter = largest.mean() - tower.mean()
claim("The maximum raises the mean grey value by {value:.2f}.", brighter, at_least=0.05)
claim("Pooling by 6 leaves {value} of 270 rows.", len(largest), equals=45)

# %% [markdown]
# Dark lines thinner than the window drown in its brightest pixel.
#
# For whole batches, `F.unfold` lays out windows as columns (lesson 2). But it puts all channels of a place into *one*
# column. Pooling wants each channel alone, so we take them apart: one column for each place and channel.

# %%
def as_columns(x, K):
    """N×C×H×W images as N×C×(K·K)×places."""
    return F.unfold(x, K, stride=K).view(*x.shape[:2], K * K, -1)


torch.manual_seed(SEED)
x = torch.randn(2, 3, 6, 8, dtype=torch.float64, requires_grad=True)
columns = as_columns(x.detach(), 2)
same = torch.equal(columns.amax(2), F.max_pool2d(x, 2).flatten(2))
difference = (columns.mean(2) - F.avg_pool2d(x, 2).flatten(2)).abs().max()
claim("The columns' maxima are PyTorch's max pooling: {value}.", same, equals=True)
claim("Their means differ from its average pooling by {value:.0e}.", difference, at_most=1e-12)

# %% [markdown]
# **Backwards.** Suppose that we know the gradient `g` of the answer. In a mean, K² pixels have an equal say, so each
# gets g/K². A maximum depends on its winner alone, so the winner gets all of g and the others 0. Below, `scatter_`
# writes g to the winner's place in each column, and `F.fold` lays the columns back into pictures.

# %%
g = torch.randn(2, 3, 3, 4, dtype=torch.float64)
winner = columns.argmax(2, keepdim=True)
g_columns = g.flatten(2)[:, :, None]  # N×C×1×places
routed = torch.zeros_like(columns).scatter_(2, winner, g_columns)
by_hand = F.fold(routed.flatten(1, 2), (6, 8), 2, stride=2)
by_autograd, = torch.autograd.grad(F.max_pool2d(x, 2), x, g)
claim("By hand and by autograd, max pooling has the same gradient: {value}.",
      torch.equal(by_hand, by_autograd), equals=True)

# %% [markdown]
# > **Predict before you run.** All four pixels of a window are equal. Who gets the gradient?

# %%
flat = torch.zeros(1, 1, 2, 2, requires_grad=True)
F.max_pool2d(flat, 2).sum().backward()
flat.grad[0, 0]

# %% [markdown]
# The first in reading order takes all; lesson 4 returns to this. The package's functions also know
# windows that overlap, `ceil_mode`, and padding: it never wins a maximum, and it counts as zeros in an average. Here
# they meet PyTorch, on pictures of whole numbers, so that there are many ties.

# %%
from course_utils.pooling import pool2d_backward, pool2d_loops, pool2d_unfold


def worst_difference(kind, in_torch):
    """The largest difference to PyTorch in TRIALS random poolings, forwards and backwards."""
    torch.manual_seed(SEED)
    worst = 0.0
    for _ in range(TRIALS):
        K, stride = torch.randint(1, 5, (2,)).tolist()
        options = {"stride": stride, "padding": K // 2, "ceil_mode": stride % 2 == 0}
        x = torch.randint(9, (1, 2, 7, 8)).double().requires_grad_()
        answer = in_torch(x, K, **options)
        g = torch.randn_like(answer)
        answer.backward(g)
        pixels = x.detach()
        for ours, expected in [(pool2d_loops(pixels, K, kind, **options), answer),
                               (pool2d_unfold(pixels, K, kind, **options), answer),
                               (pool2d_backward(g, pixels, K, kind, **options), x.grad)]:
            worst = max(worst, (ours - expected).abs().max().item())
    return worst


claim("Max pooling by hand differs from PyTorch's by {value:.0e} at most, both ways.",
      worst_difference("max", F.max_pool2d), at_most=1e-12)
claim("Average pooling by hand differs by {value:.0e} at most.",
      worst_difference("average", F.avg_pool2d), at_most=1e-12)

# %% [markdown]
# "Pooling convolves with a filter", one source says. An average does, with fixed weights, and with a filter of its own
# for each channel: `groups=3` below splits three channels into three groups that don't mix. A maximum can't be a
# convolution: it isn't linear.

# %%
box = torch.full((3, 1, 2, 2), 1 / 4, dtype=torch.float64)
difference = (F.avg_pool2d(x, 2) - F.conv2d(x, box, stride=2, groups=3)).abs().max()
claim("Written as a convolution, average pooling differs by {value:.0e}.",
      difference, at_most=1e-12)
a, b = x.detach(), x.detach().flip(3)
linear = torch.allclose(F.max_pool2d(a + b, 2), F.max_pool2d(a, 2) + F.max_pool2d(b, 2))
claim("The maxima of a sum are the sum of the maxima: {value}.", linear, equals=False)

# %% [markdown]
# ## How far does it see?
#
# One number of a feature map is a *unit*. Its *receptive field* is the square of the picture's pixels that can change
# it. Neighbouring units of a map lie a *jump* of pixels apart: the product of all strides so far. A layer widens the
# field by D(K − 1) jumps of the map that it reads.
#
# > **Predict before you run.** A convolution of 5, a pooling of 2, and both again: how wide is the field?

# %%
field, jump = 1, 1
for name, kernel, stride in [("conv", 5, 1), ("pool", 2, 2), ("conv", 5, 1), ("pool", 2, 2)]:
    field, jump = field + (kernel - 1) * jump, jump * stride
    print(f"{name} {kernel}: a unit sees {field:2} pixels, neighbours lie {jump} apart")

# %% [markdown]
# That was LeNet, which lesson 6 builds. Now meet the networks of five published tutorials, which later lessons train,
# and a small one in the style of VGG, a well-known deep network. CIFAR and VGG read colour photographs, Fashion
# pictures of clothes, the others digits. Here is Fashion's.

# %%
from course_utils.networks import (cifar_net, fashion_net, lenet, mnist_net, small_vgg,
                                   wide_mnist_net)

torch.manual_seed(SEED)
NETS = {"LeNet": (lenet(), (1, 1, 28, 28)), "MNIST": (mnist_net(), (1, 1, 28, 28)),
        "Fashion": (fashion_net(), (1, 1, 28, 28)), "CIFAR": (cifar_net(), (1, 3, 32, 32)),
        "wide": (wide_mnist_net(), (1, 1, 28, 28)), "VGG": (small_vgg(), (1, 3, 32, 32))}
print(NETS["Fashion"][0])

# %% [markdown]
# Do they see as far as the rule says? We measure it on their last maps. The gradient of the units in the middle is
# exactly 0 at the pixels outside of their field. We take eight random pictures, because ReLU and max pooling let only
# a part of the gradient through at a time, and pictures larger than any field.

# %%
def influence(model, channels):
    """How strongly each pixel of 48×48 changes the units in the middle of the last maps."""
    ends = nn.Flatten | nn.AdaptiveAvgPool2d
    to_maps = takewhile(lambda layer: not isinstance(layer, ends), model)
    x = torch.rand(8, channels, 48, 48, requires_grad=True)
    answer = nn.Sequential(*to_maps).eval()(x)
    middle = answer.shape[2] // 2
    answer[:, :, middle, middle].sum().backward()
    return x.grad.abs().mean((0, 1))

# %% [markdown]
# > **Predict before you run.** How far does the Fashion network see?

# %%
torch.manual_seed(SEED)
seen = {name: influence(model, shape[1]) for name, (model, shape) in NETS.items()}
sides = {name: (pixels > 0).any(0).sum().item() for name, pixels in seen.items()}
print("by gradient:", sides)
rule = {name: receptive_field(model) for name, (model, _) in NETS.items()}
claim("The gradient's squares are as wide as the rule says: {value}.",
      sides == rule, equals=True)

# %% [markdown]
# Here are two of them. The brightness is the square root of the gradient, so that faint edges show.

# %% mystnb={"image": {"alt": "Two maps of 48 by 48 pixels on black. The CIFAR network's is a small bright square in the middle; the VGG-like network's is much larger, bright in its middle and fading towards its edges."}}
plots.images([seen["CIFAR"].sqrt(), seen["VGG"].sqrt()], ["CIFAR", "VGG"], columns=2,
             title="One sees 9 pixels, one 32, and both see their middle best")

# %%
centre = seen["VGG"][18:34, 18:34].sum() / seen["VGG"].sum()  # 16×16 of its 32×32
claim("A quarter of the VGG-like field, its middle, carries {value:.0%} of the gradient.",
      centre, at_least=0.4)

# %% [markdown]
# A pixel in the middle reaches the unit by many paths, one at the edge by few. And the CIFAR network sees a horse of
# 32×32 pixels in patches of 9×9; its linear layers alone must put them together. Lesson 11 will come back to that.
#
# Depth is the cheap way to see further. Compare two 3×3 convolutions with one 5×5:

# %%
stack = nn.Sequential(nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3))
claim("Two convolutions of 3×3 see {value} pixels.", receptive_field(stack), equals=5)

# %% [markdown]
# They see as far, with fewer weights (exercise 3.3), though they don't compute the same.
#
# ## What does it cost?
#
# **Parameters.** Each filter has C·K·K weights and one bias; each output of a linear layer has a weight for every
# input and one bias. For the Fashion network (lesson 8):

# %%
by_layer = [(1 * 3 * 3 + 1) * 64, (64 * 3 * 3 + 1) * 128, (3_200 + 1) * 256, (256 + 1) * 10]
print(by_layer)
claim("The Fashion network has {value:,} parameters.",
      sum(by_layer), equals=count_parameters(fashion_net()))

# %% [markdown]
# **Multiply-adds.** A weight of a convolution works once at every place, so H′·W′ times; one of a linear layer, once.
# This course doesn't count the additions of biases; `torchinfo` does. (The older `torchsummary` is no longer
# maintained. It wants the shape without the batch axis.)

# %%
report = summary(fashion_net(), (1, 1, 28, 28), verbose=0)
ours = count_macs(fashion_net(), (1, 1, 28, 28))
biases = 64 * 26 * 26 + 128 * 11 * 11 + 256 + 10
claim("For one image it does {value:,} multiply-adds, biases not counted.",
      ours, equals=10_132_224)
claim("With biases, torchinfo counts {value:,}.", report.total_mult_adds, equals=ours + biases)

# %% [markdown]
# **Memory.** A `float32` takes four bytes. There is one for each parameter. And in training the backward pass needs
# most of the numbers that layers hand on (*activations*). We count them all, a rough measure.

# %%
def activations(model, shape):
    """How many numbers the layers hand on, for one image."""
    x, count = torch.zeros(shape), 0
    for layer in model.eval():
        x = layer(x)
        count += x.numel()
    return count

# %% [markdown]
# This table answers the lesson's question.
#
# > **Predict before you run.** Which network has the most parameters, which does the most work, and which hands on the
# > most activations? (The first linear layer of wide turns 25,088 numbers into 1,024; VGG's only one reads 128.)

# %%
cost = {}
print("network  layers  parameters  in largest  multiply-adds  activations  field")
for name, (model, shape) in NETS.items():
    layers = sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in model)
    parameters, macs = count_parameters(model), count_macs(model, shape)
    largest, kept = max(map(count_parameters, model)), activations(model, shape)
    cost[name] = {"parameters": parameters, "multiply-adds": macs, "activations": kept}
    print(f"{name:8}{layers:7}{parameters:12,}{largest / parameters:12.1%}"
          f"{macs:15,}{kept:13,}{rule[name]:7}")

# %% [markdown]
# "Layers" counts convolutions and linear layers: five in LeNet. (A tutorial says that it counts only such layers, and
# finds seven.) In four of the six networks one linear layer holds more than nine parameters in ten.
#
# The same on a logarithmic axis:

# %% mystnb={"image": {"alt": "Bars on a logarithmic axis for six networks: parameters, multiply-adds and activations. The wide network leads in the first two; the VGG-like one has few parameters but nearly the most activations."}}
kinds = ["parameters", "multiply-adds", "activations"]
plots.bars({kind: {name: cost[name][kind] for name in NETS} for kind in kinds},
           title="Three costs, three different orders", ylabel="count", log=True)

# %% [markdown]
# How much memory is that, in mebibytes (MiB, 2²⁰ bytes)?

# %%
MIB = 2**20 / 4  # so many float32 numbers make one
claim("The Fashion network's parameters take {value:.2f} MiB.",
      cost["Fashion"]["parameters"] / MIB, equals=3.42, within=0.005)
claim("Its activations and as many gradients take {value:.2f} MiB for one image.",
      2 * cost["Fashion"]["activations"] / MIB, equals=0.69, within=0.005)

# %% [markdown]
# So says the tutorial's table too; `torchsummary` doubles the activations.
#
# In training with Adam (lesson 1) there are four numbers for each parameter: itself, its gradient and two running
# averages. Activations come with each image of the batch.
#
# > **Predict before you run.** With 128 images in a batch, which takes more memory: parameters or activations?

# %%
for name in ("wide", "VGG"):
    parameters, kept = 4 * cost[name]["parameters"], 128 * cost[name]["activations"]
    print(f"{name:5} parameters {parameters / MIB:4.0f} MiB, activations {kept / MIB:4.0f} MiB")

# %% [markdown]
# It depends on the network. If the file is too large, count parameters; if training runs out of memory, activations,
# and take a smaller batch; if it is too slow, multiply-adds (roughly: lesson 15).
#
# ## One size too many
#
# A published network reads photographs of 184×338 pixels. Two poolings make 46×84.5 places of them. Suppose that we
# round this to 85.

# %%
features = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
picture = torch.rand(1, 3, 184, 338)
try:
    nn.Sequential(features, nn.Flatten(), nn.Linear(32 * 46 * 85, 256))(picture)
except RuntimeError as error:
    print(error)

# %% [markdown]
# `mat1` is what arrived: 1 image with 123,648 numbers. `mat2` is what we built: a layer for 125,120 numbers that
# answers with 256. The two in the middle must be equal. Three cures:
#
# - arithmetic: round down twice;
# - `LazyLinear`, which takes its size from its first batch (so send one before you make the optimiser);
# - *global average pooling*, `AdaptiveAvgPool2d(1)`: one number for each map, its mean.

# %%
H, W = (conv_output_size(conv_output_size(size, 2, 2), 2, 2) for size in (184, 338))
heads = {"arithmetic": nn.Sequential(nn.Flatten(), nn.Linear(32 * H * W, 256)),
         "LazyLinear": nn.Sequential(nn.Flatten(), nn.LazyLinear(256)),
         "averages": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 256))}
for name, head in heads.items():
    shape = tuple(head(features(picture)).shape)
    parameters = count_parameters(features) + count_parameters(head)
    print(f"{name:11}{shape} {parameters:11,} parameters")

# %%
larger = heads["averages"](features(torch.rand(1, 3, 200, 400)))
claim("With global averages, a larger picture fits too: {value}.",
      larger.shape == (1, 256), equals=True)

# %% [markdown]
# The third head has few parameters and reads pictures of other sizes, but no longer knows where in the picture
# something was. Whether that hurts is a question for lesson 12.
#
# Flattening has a trap of its own. One tutorial calls forms like these equal.
#
# > **Predict before you run.** Which one is not?

# %%
maps = torch.randn(8, 16, 5, 5)
forms = {"flatten(x, 1)": torch.flatten(maps, 1), "x.view(8, -1)": maps.view(8, -1),
         "nn.Flatten()": nn.Flatten()(maps), "flatten(x, -1)": torch.flatten(maps, -1)}
for form, flat in forms.items():
    print(f"{form:15}", tuple(flat.shape))

# %% [markdown]
# The number is the axis at which flattening *starts*; from the last axis on there is nothing to flatten.
#
# `view` reads the same memory with another shape. So it fails where the numbers lie in another order, as they do after
# `permute` (lesson 2: strides). `reshape` then makes a copy.

# %%
channels_behind = maps.permute(0, 2, 3, 1)
try:
    channels_behind.view(8, -1)
except RuntimeError as error:
    print(error)
claim("`reshape` gives the shape {value}.", str(tuple(channels_behind.reshape(8, -1).shape)),
      equals="(8, 400)")

# %% [markdown]
# Last, seven flattened sizes that tutorials print. Does our rule give them all?

# %%
def side(size, layers, formula):
    for K, S, P in layers:
        size = formula(size, K, S, P, 1)
    return size


C3, C5, C3_STRIDE2, POOL = (3, 1, 0), (5, 1, 0), (3, 2, 0), (2, 2, 0)
TUTORIALS = [  # name, maps, pixels of the image, layers as (K, S, P), printed size
    ("LeNet", 16, 28, [(5, 1, 2), POOL, C5, POOL], 400),
    ("MNIST", 64, 28, [C3, C3, POOL], 9_216),
    ("Fashion", 128, 28, [C3, POOL, C3, POOL], 3_200),
    ("Fashion, small", 16, 28, [C5, POOL, C5, POOL], 256),
    ("CIFAR", 96, 32, [C3, C3, C3, C3_STRIDE2], 13_824),
    ("CIFAR, 5×5", 96, 32, [C5, C3, C3, C3_STRIDE2], 11_616),
    ("wide", 128, 28, [(3, 1, 1), (3, 1, 1), POOL], 25_088),
]
for name, maps, pixels, layers, printed in TUTORIALS:
    places = side(pixels, layers, output_size)
    print(f"{name:15}{maps:4}·{places}² = {maps * places**2:6,}, printed: {printed:6,}")

# %% [markdown]
# > **Predict before you run.** How many would come out without rounding down?

# %%
unrounded = sum(maps * side(pixels, layers, published)**2 == printed
                for _, maps, pixels, layers, printed in TUTORIALS)
claim("Without rounding down, {value} of the seven come out.", unrounded, equals=4)

# %% [markdown]
# The other three lose a row and a column of pixels on the way.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 3.1 · By arithmetic
#
# A picture of 184×338 pixels goes through a convolution (K = 3, S = 2, P = 1) and then `MaxPool2d(2)`. Give the
# size `(H, W)` of the result.

# %%
size = ...
check("3.1", size)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.1
H_solution = conv_output_size(conv_output_size(184, 3, 2, 1), 2, 2)  # 184 → 92 → 46
W_solution = conv_output_size(conv_output_size(338, 3, 2, 1), 2, 2)  # 338 → 169 → 84
size_solution = (H_solution, W_solution)
assert check("3.1", size_solution)

# %% [markdown]
# ### Exercise 3.2 · Backwards
#
# A convolution with K = 3, S = 2, P = 1 answers with 14 places. How many pixels did it read along that axis? Give a
# list of all the sizes that are possible.

# %%
sizes_before = ...
check("3.2", sizes_before)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.2
sizes_before_solution = list(filter(lambda n: conv_output_size(n, 3, 2, 1) == 14, range(1, 50)))
assert check("3.2", sizes_before_solution)

# %% [markdown]
# ### Exercise 3.3 · Small kernels
#
# All layers have 64 channels in and out, and no bias. How many weights have two 3×3 convolutions, and one 5×5 that
# sees as far? Three 3×3, and one 7×7? Give the four numbers in this order, as a list.

# %%
weights_of = ...
check("3.3", weights_of)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.3
pairs_solution = 64 * 64  # of channels in and out, each with a kernel of its own
weights_of_solution = [2 * pairs_solution * 9, pairs_solution * 25,
                       3 * pairs_solution * 9, pairs_solution * 49]
assert check("3.3", weights_of_solution)

# %% [markdown]
# ### Exercise 3.4 · An average without the padding
#
# PyTorch's average counts the zeros of the padding. Write `inner_average(x, K, P)`, for N×C×H×W images, a stride of 1
# and padding P: each window's mean over its *real* pixels only. Use `F.avg_pool2d` or `F.unfold`, but not
# `count_include_pad`.

# %%
def inner_average(x, K, P):
    ...


check("3.4", inner_average)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.4
def inner_average_solution(x, K, P):
    real = F.avg_pool2d(torch.ones_like(x), K, 1, P)  # the share of real pixels in each window
    return F.avg_pool2d(x, K, 1, P) / real


assert check("3.4", inner_average_solution)

# %% [markdown]
# ### Exercise 3.5 · A convolution in two steps
#
# A 3×3 convolution from 64 to 128 channels has 73,728 weights. Build an `nn.Sequential` of two layers, without biases,
# that also turns N×64×H×W into N×128×H×W and in which each unit sees 3×3 pixels and all channels, with **8,768**
# weights. First look at places, each channel alone (`groups=64`); then mix the channels.

# %%
separable = ...
check("3.5", separable)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.5
separable_solution = nn.Sequential(
    nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),  # depthwise: 64 kernels of 3×3
    nn.Conv2d(64, 128, 1, bias=False),  # pointwise: 128 filters of 64×1×1
)
assert check("3.5", separable_solution)

# %% [markdown]
# ### Exercise 3.6 · Design
#
# Build an `nn.Sequential` of PyTorch's layers for N×3×32×32 images that answers with ten numbers for each. It has at
# least four convolutions, which see (with the poolings) at least 32 pixels; at most 300,000 parameters, counting those
# that training may not change and any other number that a layer keeps; **and** at most 20 million multiply-adds.
# `receptive_field`, `count_parameters` and `count_macs` tell you where you are.

# %%
design = ...
check("3.6", design)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.6
design_solution = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10),
)
assert check("3.6", design_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Predict sizes: the room to move, divided by the stride, rounded down, plus one. What the rounding drops is never
#    read.
# 2. Translate: d2l counts both sides' padding together; CS231n forbids a step that does not fit.
# 3. Pool by hand: a maximum hands its gradient to its winner, the first of equals; an average shares it out.
# 4. Compute the receptive field: add (K − 1)·D times the product of the strides before. Its middle counts most.
# 5. Count parameters, multiply-adds and activations, and know that they rank networks differently.
# 6. Read `mat1` and `mat2`: what arrived, what was built. Cures: arithmetic, `LazyLinear`, global average pooling.
#
# ## Further reading
#
# - V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning* (arXiv 1603.07285): every case,
#   transposed convolution too.
# - A. Araujo, W. Norris, J. Sim, *Computing receptive fields of convolutional neural networks* (Distill, 2019).
# - W. Luo, Y. Li, R. Urtasun, R. Zemel, *Understanding the effective receptive field in deep convolutional
#   neural networks* (arXiv 1701.04128): why the middle counts most.
# - V. Sze, Y.-H. Chen, T.-J. Yang, J. Emer, *Efficient processing of deep neural networks* (arXiv 1703.09039): what
#   these counts cost in time and energy.
