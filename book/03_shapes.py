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
# **Read** 50 min · **Run** 15 s on two CPU cores · **Before this** lessons 1 and 2
#
# ## What you will be able to do
#
# 1. Predict the size that a convolution or a pooling layer passes on, and name the pixels that it never reads.
# 2. Pool by hand, forwards and backwards, and get PyTorch's numbers.
# 3. Translate between three conventions for padding and stride.
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

import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import nn
from torchinfo import summary

from course_utils import (
    agree, check, claim, conv_output_size, count_macs, count_parameters,
    diagrams, explore, plots, receptive_field,
)

# %% [markdown]
# These numbers are yours to change. Everything is computed on the CPU on purpose.

# %% nbmake={"mock": {"TRIALS": 100}}
SEED = 0
TRIALS = 500  # random settings to compare with PyTorch

# %% [markdown]
# ## The picture shrinks
#
# In lesson 2 a kernel of width 2 found four places along five pixels. Losing one pixel is not much, but a deep
# network has many layers. Suppose we send a digit of 28×28 pixels through five 5×5 convolutions.
#
# > **Predict before you run.** How wide is what is left in the end?

# %% tags=["answer"]
x = torch.zeros(1, 1, 28, 28)
for number in range(1, 6):
    x = nn.Conv2d(1, 1, kernel_size=5)(x)
    print("after layer", number, "there are", tuple(x.shape[2:]))

# %% tags=["answer", "claim"]
claim("Five 5×5 convolutions take away {value:.0%} of the places.",
      1 - x.numel() / 28**2, equals=0.92, within=0.005)

# %% [markdown]
# Each layer peels two places off every side, although every pixel is still read. The remedy is *padding*, which adds
# P zeros on each side before the kernel slides. Two more options change the number of places. The *stride* S is the
# step from one place to the next, while *dilation* D spreads a kernel's weights, so that neighbours read pixels that
# are D apart.
#
# > **Predict before you run.** A kernel of 3 with stride 2 on 6 pixels: how many places, and is every pixel read?

# %% tags=["answer"] mystnb={"image": {"alt": "Four lines of pixels with the places of a kernel of three below them. Five pixels give 3 places, and 5 places with a padding of 1. Six pixels with stride 2 give 2 places, and the last pixel is crossed out. Seven pixels with dilation 2 give 3 places."}}
diagrams.places([{"size": 5, "kernel_size": 3},
                 {"size": 5, "kernel_size": 3, "padding": 1},
                 {"size": 6, "kernel_size": 3, "stride": 2},
                 {"size": 7, "kernel_size": 3, "dilation": 2}],
                title="A step that does not fit can leave a pixel unread")

# %% [markdown]
# There are two places, and PyTorch drops the crossed-out pixel without a word, because one more step would leave the
# line.
#
# ## How many places?
#
# The kernel covers $D(K-1)+1$ of the $H+2P$ pixels. The rest is its room to move, where it takes as many whole steps
# of S as fit, and there is one more place than there are steps:
#
# $$H' = \left\lfloor \frac{H + 2P - D(K-1) - 1}{S} \right\rfloor + 1$$
#
# The brackets $\lfloor\;\rfloor$ mean *rounded down*, and in Python that is `//`.

# %%
def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """Along one axis: how many places a kernel takes."""
    room = size + 2 * padding - dilation * (kernel_size - 1) - 1
    return room // stride + 1

# %% [markdown]
# We test this rule against PyTorch's layers, with random settings, along one axis.

# %%
def agreement(formula, layer):
    """The share of random settings in which formula and layer agree."""
    torch.manual_seed(SEED)
    right = 0
    for _ in range(TRIALS):
        size = torch.randint(20, 60, ()).item()
        K, S, D = torch.randint(1, 5, (3,)).tolist()
        P = torch.randint(0, K // 2 + 1, ()).item()
        answer = layer(K, S, P, D)(torch.zeros(1, 1, size))
        right += answer.shape[2] == formula(size, K, S, P, D)
    return right / TRIALS


def conv(K, S, P, D):
    return nn.Conv1d(1, 1, K, S, P, D)

# %% tags=["claim"]
claim("Our formula gives PyTorch's size in {value:.0%} of the settings.",
      agreement(output_size, conv), equals=1)

# %% [markdown]
# > **Find the bug.** Many tutorials print the formula without the brackets: $(H + 2P - K)/S + 1$. Below are seven
# > flattened sizes from published tutorials. How many does it get right?

# %%
C3, C5, POOL = (3, 1, 0), (5, 1, 0), (2, 2, 0)  # kernel, stride, padding
PUBLISHED = [  # name, maps, pixels, layers, the size that is printed
    ("LeNet", 16, 28, [(5, 1, 2), POOL, C5, POOL], 400),
    ("MNIST", 64, 28, [C3, C3, POOL], 9_216),
    ("Fashion", 128, 28, [C3, POOL, C3, POOL], 3_200),
    ("small Fashion", 16, 28, [C5, POOL, C5, POOL], 256),
    ("CIFAR", 96, 32, [C3, C3, C3, (3, 2, 0)], 13_824),
    ("CIFAR, 5×5", 96, 32, [C5, C3, C3, (3, 2, 0)], 11_616),
    ("wide", 128, 28, [(3, 1, 1), (3, 1, 1), POOL], 25_088),
]
unrounded = []
for name, maps, pixels, layers, printed in PUBLISHED:
    ours = theirs = pixels
    for K, S, P in layers:
        ours = output_size(ours, K, S, P)
        theirs = (theirs + 2 * P - K) / S + 1
    unrounded.append(maps * theirs**2 == printed)
    print(f"{name:14} printed {printed:6,}, ours {maps * ours**2:6,}, "
          f"unrounded {maps * theirs**2:9,.1f}")

# %% tags=["claim"]
claim("Without rounding down, {value} of the seven sizes are right.",
      sum(unrounded), equals=4)

# %% [markdown]
# The other three networks lose a row and a column of pixels on the way.
#
# ## Who reads a pixel?
#
# If some pixels are dropped, are the others read equally often? With a kernel of ones, which adds up its window, the
# gradient of the sum of all answers says how many windows read each pixel.

# %%
def readers(**options):
    """How many windows of a 3×3 kernel read each pixel of a 6×6 picture."""
    image = torch.zeros(1, 1, 6, 6, requires_grad=True)
    F.conv2d(image, torch.ones(1, 1, 3, 3), **options).sum().backward()
    return image.grad[0, 0]

# %% [markdown]
# Plain, with padding, and with a stride:

# %% mystnb={"image": {"alt": "Three maps of 6 by 6 numbers. Without padding the corner is read once and the middle nine times. With a padding of 1 the corner is read four times. With a stride of 2 the last row and column are zeros."}}
maps = [readers(), readers(padding=1), readers(stride=2)]
plots.images(maps, ["P = 0", "P = 1", "S = 2"], columns=3, numbers=True,
             shared=True, title="The border has little say, padding gives "
                                "it more, and a stride can silence it")

# %% [markdown]
# So padding does more than keep the size, because it also decides how much the border counts, and its zeros tell the
# network where the border is (lesson 2).
#
# To make these maps, the backward pass spread each answer over its window and added up the overlaps. A layer that
# enlarges a small map in this way is a *transposed convolution*.

# %%
larger = F.conv_transpose2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3))
agree("a transposed convolution of ones, and our first map",
      larger[0, 0], maps[0], within=0)

# %% [markdown]
# ## Pooling by hand
#
# Smaller maps cost less, and each of their numbers stands for more of the picture, so a *pooling* layer shrinks maps
# on purpose. It slides a window over each channel separately and passes on the window's largest number (*max
# pooling*) or its mean (*average pooling*). It has no weights, and unless you say otherwise its stride is its size,
# so that the windows touch.
#
# > **Predict before you run.** The rows are (1, 3, 0, 9), (2, 6, 0, 1) and (7, 7, 7, 7). What does max pooling with
# > windows of 2×2 leave of them?

# %% tags=["answer"]
def pool_loops(image, K, reduce):
    """One number for each K×K window of an H×W image."""
    H, W = (output_size(size, K, K) for size in image.shape)
    answer = image.new_empty(H, W)
    for i in range(H):
        for j in range(W):
            window = image[i * K:i * K + K, j * K:j * K + K]
            answer[i, j] = reduce(window)
    return answer


rows = torch.tensor([[1., 3, 0, 9], [2, 6, 0, 1], [7, 7, 7, 7]])
pool_loops(rows, 2, torch.max)

# %% [markdown]
# The sevens are gone, because half a window does not count. Now a photograph, with windows of 6×6.
#
# > **Predict before you run.** Will the maximum or the average be brighter, and which will lose thin dark lines?

# %% tags=["answer"] mystnb={"image": {"alt": "A photograph of a Chinese tower in grey, and the same pooled by windows of 6 by 6: the maximum is brighter and its thin dark lines are gone, the average looks like a small version of the photograph."}}
photo = torch.tensor(load_sample_image("china.jpg")).double().mean(2) / 255
tower = photo[40:310, 20:350]
largest = pool_loops(tower, 6, torch.max)
mean = pool_loops(tower, 6, torch.mean)
plots.images([tower, largest, mean], ["photograph", "max", "average"],
             columns=3, shared=True,
             title="A maximum prefers what is bright, an average blurs")

# %% [markdown]
# The maximum does both, because dark lines thinner than a window drown in its brightest pixel.
#
# What does pooling do to a gradient? In a mean, all K² pixels have an equal say, so each gets 1/K² of it, while a
# maximum depends on its winner alone, which therefore gets everything. We write each window as a column, as in lesson
# 2 but channel by channel. Then `scatter_` puts the gradient in the winner's place, and `F.fold` lays the columns
# back into pictures.

# %%
torch.manual_seed(SEED)
x = torch.randn(2, 3, 6, 8, dtype=torch.float64, requires_grad=True)
columns = F.unfold(x.detach(), 2, stride=2).view(2, 3, 4, -1)
g = torch.randn(2, 3, 3, 4, dtype=torch.float64)  # the answers' gradient

winner = columns.argmax(2, keepdim=True)
routed = torch.zeros_like(columns).scatter_(2, winner, g.view(2, 3, 1, -1))
by_hand = F.fold(routed.flatten(1, 2), (6, 8), 2, stride=2)
by_autograd, = torch.autograd.grad(F.max_pool2d(x, 2), x, g)
agree("max pooling by columns and PyTorch's", columns.amax(2),
      F.max_pool2d(x, 2).flatten(2), within=0)
agree("its gradient by hand and by autograd", by_hand, by_autograd, within=0)

# %% [markdown]
# > **Predict before you run.** All four pixels of a window are equal. Who gets the gradient?

# %% tags=["answer"]
flat = torch.zeros(1, 1, 2, 2, requires_grad=True)
F.max_pool2d(flat, 2).sum().backward()
flat.grad[0, 0]

# %% [markdown]
# The first in reading order takes it all (see lesson 4).
#
# Nothing changes in this when windows overlap, except that a pixel is in several columns, and `F.fold` adds up
# what comes back from each of them. Padding must never win a maximum, so we pad with −∞ there; in an average its zeros
# count. We compare both with PyTorch on whole numbers, which give many ties.

# %%
def as_columns(x, K, stride, padding, outside):
    """All windows of each channel: N×C×K²×places."""
    x = F.pad(x, (padding,) * 4, value=outside)
    return F.unfold(x, K, stride=stride).view(*x.shape[:2], K * K, -1)


x = torch.randint(9, (4, 2, 17, 18)).double().requires_grad_()
answer = {"max": F.max_pool2d(x, 3, stride=2, padding=1),
          "average": F.avg_pool2d(x, 3, stride=2, padding=1)}
g = torch.randn_like(answer["max"]).flatten(2).unsqueeze(2)
shares = {}  # of the gradient, for each pixel of each window

# %% [markdown]
# First the maximum, whose gradient goes to the winner:

# %%
columns = as_columns(x.detach(), 3, 2, 1, outside=-math.inf)
agree("max pooling with overlap and PyTorch's", columns.amax(2),
      answer["max"].flatten(2), within=0)
shares["max"] = torch.zeros_like(columns).scatter_(
    2, columns.argmax(2, keepdim=True), g)

# %% [markdown]
# Then the average, which hands a ninth to everybody:

# %%
columns = as_columns(x.detach(), 3, 2, 1, outside=0)
agree("average pooling with overlap and PyTorch's", columns.mean(2),
      answer["average"].flatten(2), within=1e-12)
shares["average"] = (g / 9).expand_as(columns)

# %% [markdown]
# And back into pictures, of 19×20 pixels with the padding:

# %%
for kind, share in shares.items():
    back = F.fold(share.flatten(1, 2), (19, 20), 3, stride=2)
    g_maps = g.view_as(answer[kind])
    by_autograd, = torch.autograd.grad(answer[kind], x, g_maps,
                                       retain_graph=True)
    agree(f"{kind} pooling, backwards", back[:, :, 1:-1, 1:-1],
          by_autograd, within=1e-12)

# %% [markdown]
# Is pooling a convolution? Averaging is, with fixed and equal weights and `groups=2` to keep the two channels apart.
# Taking a maximum is not, because it isn't linear: the maxima of a sum are not the sum of the maxima.

# %%
box = torch.full((2, 1, 2, 2), 1 / 4, dtype=torch.float64)
agree("average pooling, and a convolution with equal weights",
      F.avg_pool2d(x, 2), F.conv2d(x, box, stride=2, groups=2), within=1e-12)

a, b = x.detach(), x.detach().flip(3)
apart = F.max_pool2d(a + b, 2) - (F.max_pool2d(a, 2) + F.max_pool2d(b, 2))
print("for a maximum they differ by up to", apart.abs().max().item())

# %% [markdown]
# ## What PyTorch's layers offer
#
# A convolution takes its channels in and out first, and then, like pooling, kernel, stride and padding. A kernel is
# one number, or a pair for rows and columns.
#
# Here are six layers for 8 channels:

# %%
layers = [nn.Conv2d(8, 6, 3, 1, "same"), nn.Conv2d(8, 16, (3, 5), 2),
          nn.Conv2d(8, 4, 1), nn.MaxPool2d(2, 1), nn.AvgPool2d(2, 2),
          nn.MaxPool2d(3, 1, 1)]

# %% [markdown]
# > **Predict before you run.** Which of them keep 28×28 pixels? Which has more channels than before?

# %% tags=["answer"]
for layer in layers:
    print(tuple(layer(torch.zeros(1, 8, 28, 28)).shape[1:]), layer)

# %% [markdown]
# That convolutions add channels and pooling halves sizes is a habit, not a law. With `"same"` PyTorch chooses the
# padding that keeps the size, D(K − 1) zeros in all, and refuses a stride above 1. A kernel of 4 needs three zeros,
# so one side gets more. (`F.pad` takes left, right, top, bottom.)

# %%
torch.manual_seed(SEED)
image, even = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 4, 4)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch warns: this may be slower
    same = F.conv2d(image, even, padding="same")
by_us = F.conv2d(F.pad(image, (1, 2, 1, 2)), even)
agree("`same`, and the third zero on the right and below", by_us, same,
      within=1e-5)
try:
    nn.Conv2d(1, 6, 3, 2, "same")
except ValueError as error:
    print(error)

# %% [markdown]
# Pooling layers can also round *up*, with `ceil_mode=True`, so that the last window may hang over the end, but a
# window that would *begin* beyond the picture is dropped. The package's `conv_output_size` adds this rule to our
# formula.

# %%
def pool(K, S, P, D):
    return nn.MaxPool1d(K, S, P, D, ceil_mode=True)


def rounded_up(size, K, S, P, D):
    return math.ceil((size + 2 * P - D * (K - 1) - 1) / S) + 1


def with_rule(size, K, S, P, D):
    return conv_output_size(size, K, S, P, D, ceil_mode=True)


print(f"rounding up is right in {agreement(rounded_up, pool):.0%}")
print(f"with the rule, it is in {agreement(with_rule, pool):.0%}")

# %% [markdown]
# ## Three conventions
#
# Now that you know one rule, you can read others.
#
# | course | padding counts | a step that does not fit |
# |---|---|---|
# | PyTorch | on each side | is dropped |
# | Dive into Deep Learning (d2l) | both sides together | is dropped |
# | Stanford's CS231n notes | on each side | makes the setting invalid |

# %%
def d2l(H, K, S, P):
    return (H - K + P + S) // S


def cs231n(H, K, S, P):
    places = (H - K + 2 * P) / S + 1
    return int(places) if places.is_integer() else "invalid"

# %% [markdown]
# Here are the same settings, read in three ways:

# %%
print("  H  K  S  P  PyTorch  d2l  CS231n")
for H, K, S, P in [(28, 5, 1, 2), (10, 3, 2, 0), (224, 11, 4, 0),
                   (227, 11, 4, 0), (224, 11, 4, 2)]:
    print(f"{H:3} {K:2} {S:2} {P:2} {output_size(H, K, S, P):8} "
          f"{d2l(H, K, S, P):4}  {cs231n(H, K, S, P)}")

# %% [markdown]
# The last three rows are readings of one famous layer, the first of AlexNet (2012). Its paper gives 224 pixels,
# doesn't mention padding, and shows 55 places. CS231n's notes therefore assume 227 pixels, while torchvision's
# version pads by 2 and rounds down. For d2l's rule, double the padding:

# %%
settings = torch.cartesian_prod(
    torch.arange(8, 40), torch.arange(1, 8), torch.arange(1, 6),
    torch.arange(3))
H, K, S, P = settings.T
agree("d2l's rule with the padding doubled, and PyTorch's",
      d2l(H, K, S, 2 * P), output_size(H, K, S, P), within=0)

# %% [markdown]
# ## How far does it see?
#
# How much of the picture can a *unit*, one number of a feature map, know about? It reads a window, whose numbers have
# each read a window of their own, and so on down to the pixels. Take one unit after three convolutions of width 3
# along a line, and count the paths that lead to it.

# %% mystnb={"image": {"alt": "A pyramid of numbers in four rows. The unit at the top is 1. Below it 1 1 1, then 1 2 3 2 1, then 1 3 6 7 6 3 1."}}
row = torch.zeros(1, 1, 7)
row[0, 0, 3] = 1  # the unit
rows = [row]
for _ in range(3):
    rows.append(F.conv1d(rows[-1], torch.ones(1, 1, 3), padding=1))
plots.images([torch.cat(rows)[:, 0]], numbers=True, columns=1,
             title="One unit behind three layers: 7 pixels, by 27 paths")

# %% [markdown]
# The bottom row is the unit's *receptive field*, the part of the picture that can change it, and each layer has
# widened it by K − 1. With equal weights the middle counts most, because most paths begin there.
#
# With strides the field grows faster, because neighbours in a map are then several pixels apart. This distance, the
# *jump*, is the product of all strides so far, and a layer widens the field by D(K − 1) jumps of the map that it
# reads.
#
# > **Predict before you run.** A convolution of 5, a pooling of 2, and both again: how wide is the field?

# %% tags=["answer"]
field, jump = 1, 1
for name, kernel, stride in [("conv", 5, 1), ("pool", 2, 2)] * 2:
    field, jump = field + (kernel - 1) * jump, jump * stride
    print(f"{name} {kernel}: sees {field:2} pixels, jump {jump}")

# %% [markdown]
# That was LeNet, which lesson 6 builds. Here it is with four more networks from published tutorials, which later
# lessons train, and one in the style of VGG, a well-known deep network. All have random weights for now. A unit's
# gradient can test the rule, because it is exactly 0 outside the field. The random pictures are larger than any
# field, and we use eight, because ReLU and max pooling block part of the gradient in each.

# %%
from course_utils.networks import (
    cifar_net, fashion_net, lenet, mnist_net, small_vgg, wide_mnist_net,
)

torch.manual_seed(SEED)
NETS = {"LeNet": (lenet(), (1, 1, 28, 28)),
        "MNIST": (mnist_net(), (1, 1, 28, 28)),
        "Fashion": (fashion_net(), (1, 1, 28, 28)),
        "CIFAR": (cifar_net(), (1, 3, 32, 32)),
        "wide": (wide_mnist_net(), (1, 1, 28, 28)),
        "VGG": (small_vgg(), (1, 3, 32, 32))}


def influence(model, channels):
    """How strongly each pixel of 48×48 changes the last maps' middle."""
    x = maps = torch.rand(8, channels, 48, 48, requires_grad=True)
    for layer in model.eval():
        if isinstance(layer, nn.Flatten | nn.AdaptiveAvgPool2d):
            break  # behind these, a unit sees everything
        maps = layer(maps)
    middle = maps.shape[2] // 2
    maps[:, :, middle, middle].sum().backward()
    return x.grad.abs().mean((0, 1))

# %% [markdown]
# > **Predict before you run.** Some of these networks are much larger than LeNet. Do they see further?

# %% tags=["answer"]
torch.manual_seed(SEED)
seen = {name: influence(net, shape[1]) for name, (net, shape) in NETS.items()}
sides = [(pixels > 0).any(0).sum().item() for pixels in seen.values()]
fields = [receptive_field(net) for net, _ in NETS.values()]
print(dict(zip(NETS, fields, strict=True)))
agree("the six fields by the rule, and by the gradient",
      torch.tensor(fields), torch.tensor(sides), within=0)

# %% [markdown]
# Only VGG does, with fewer parameters than the other four. CIFAR's network sees a horse of 32×32 pixels in patches of
# 9×9, which its linear layers alone must put together (lesson 11). Here are both fields, with the square root of the
# gradient as brightness, so that faint edges show.

# %% mystnb={"image": {"alt": "Two maps of 48 by 48 pixels on black. The CIFAR network's is a small bright square in the middle; the VGG-like network's is much larger, bright in its middle and fading towards its edges."}}
plots.images([seen["CIFAR"].sqrt(), seen["VGG"].sqrt()], ["CIFAR", "VGG"],
             columns=2, title="With random weights, CIFAR sees 9 pixels and "
                              "VGG 32, both best in the middle")

# %% [markdown]
# Depth is a cheap way to see further, because two 3×3 convolutions see as far as one 5×5 with fewer weights (exercise
# 3.3), though they don't compute the same thing.
#
# ## What does it cost?
#
# **Parameters.** Each filter has C·K·K weights and one bias, and each output of a linear layer a weight for every
# input and one bias. For the Fashion network:

# %%
ledger = {"conv   1 →  64": (1 * 3 * 3 + 1) * 64,
          "conv  64 → 128": (64 * 3 * 3 + 1) * 128,
          "linear 3,200 → 256": (3_200 + 1) * 256,
          "linear   256 →  10": (256 + 1) * 10}
for name, count in ledger.items():
    print(f"{name:19}{count:8,}")

# %% tags=["claim"]
claim("The Fashion network has {value:,} parameters.", sum(ledger.values()),
      equals=count_parameters(fashion_net()))

# %% [markdown]
# **Multiply-adds.** Each use of a weight is one multiplication and one addition. A convolution uses each weight at
# every place, so H′·W′ times, and a linear layer once. We don't count adding the biases, but `torchinfo` does. (Its
# predecessor `torchsummary` wants the shape without the batch axis.)

# %%
report = summary(fashion_net(), (1, 1, 28, 28), verbose=0)
ours = count_macs(fashion_net(), (1, 1, 28, 28))
biases = 64 * 26 * 26 + 128 * 11 * 11 + 256 + 10
print(f"for one image {ours:,} multiply-adds")
agree("torchinfo's count, and ours with the biases",
      report.total_mult_adds, ours + biases, within=0)

# %% [markdown]
# **Memory.** Each parameter is a `float32` of four bytes. In training the backward pass also needs most of the
# numbers that layers pass on, their *activations*. We leave out those of `Flatten`, which are the same numbers in
# another shape.

# %%
def activations(model, shape):
    """How many numbers the layers pass on, for one image."""
    x, count = torch.zeros(shape), 0
    for layer in model.eval():
        x = layer(x)
        if not isinstance(layer, nn.Flatten):
            count += x.numel()
    return count

# %% [markdown]
# The next table answers the lesson's question.
#
# > **Predict before you run.** Is the network with the most parameters also the one with the most activations?

# %% tags=["answer"]
cost = {}
print("network  layers  parameters  largest's  multiply-adds  activations")
for name, (model, shape) in NETS.items():
    kinds = [layer for layer in model
             if isinstance(layer, nn.Conv2d | nn.Linear)]
    parameters = count_parameters(model)
    largest = max(count_parameters(layer) for layer in kinds) / parameters
    macs, kept = count_macs(model, shape), activations(model, shape)
    cost[name] = {"parameters": parameters, "multiply-adds": macs,
                  "activations": kept}
    print(f"{name:8}{len(kinds):7}{parameters:12,}{largest:11.1%}"
          f"{macs:15,}{kept:13,}")

# %% [markdown]
# The same on a logarithmic axis:

# %% tags=["answer"] mystnb={"image": {"alt": "Bars on a logarithmic axis for six networks: parameters, multiply-adds and activations. The wide network leads in the first two; the VGG-like one has few parameters but nearly the most activations."}}
bars = {kind: {name: cost[name][kind] for name in NETS}
        for kind in ("parameters", "multiply-adds", "activations")}
plots.bars(bars, title="Three costs, three different orders",
           ylabel="count", log=True)

# %% [markdown]
# "Layers" counts convolutions and linear layers. In four of the six networks a single linear layer holds more than
# nine parameters in ten.
#
# Training with Adam (lesson 1) keeps four numbers in memory for each parameter: itself, its gradient and two running
# averages. Activations are kept for each image of the batch.
#
# > **Predict before you run.** With 128 images in a batch, which takes more memory, parameters or activations?

# %% tags=["answer"]
MIB = 2**20 / 4  # float32 numbers in a mebibyte of 2²⁰ bytes
for name in ("wide", "VGG"):
    parameters = 4 * cost[name]["parameters"] / MIB
    kept = 128 * cost[name]["activations"] / MIB
    print(f"{name:5} parameters {parameters:4.0f} MiB, "
          f"activations {kept:4.0f} MiB")

# %% [markdown]
# It depends on the network. If the saved file is too large, look at the parameters. If training runs out of memory,
# compare the two, because a smaller batch saves activations only. If it is too slow, the multiply-adds are a rough
# guide (lesson 16).
#
# All that this lesson has counted stands in one table. Choose a layer, and move its sliders.

# %%
explore("shapes")

# %% [markdown]
# > **Predict before you try this.** Take away the second pooling, and give the convolution before it a stride of 2
# > instead. What becomes of the size, of the multiply-adds, and of what the last layer sees?

# %% tags=["answer"]
front = nn.Conv2d(1, 8, 3), nn.MaxPool2d(2)
for name, end in {"pooling": [nn.Conv2d(8, 16, 3), nn.MaxPool2d(2)],
                  "stride": [nn.Conv2d(8, 16, 3, stride=2)]}.items():
    net, shape = nn.Sequential(*front, *end), (1, 1, 28, 28)
    print(f"{name:7} {tuple(net(torch.zeros(shape)).shape[1:])}, "
          f"{count_macs(net, shape):,} multiply-adds, "
          f"sees {receptive_field(net)} pixels")

# %% [markdown]
# A stride saves work because it never computes what pooling would have thrown away. For the same reason, each number
# behind it has seen a little less.
#
# ## One size too many
#
# A published network reads photographs of 184×338 pixels, and halving that twice gives 46×84.5. Suppose that we round
# up to 85.

# %%
features = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
picture = torch.rand(1, 3, 184, 338)
try:
    nn.Sequential(features, nn.Flatten(),
                  nn.Linear(32 * 46 * 85, 256))(picture)
except RuntimeError as error:
    print(error)

# %% [markdown]
# `mat1` is what arrived: 1 image with 123,648 numbers. `mat2` is what we built, a layer that reads 125,120 numbers
# and answers with 256. The two middle numbers must be equal. There are three cures:
#
# - arithmetic, rounding down twice;
# - `LazyLinear`, which takes its size from its first batch (so send one before you make the optimiser);
# - *global average pooling*, `AdaptiveAvgPool2d(1)`, which leaves one number for each map, its mean.

# %%
H, W = (output_size(output_size(size, 2, 2), 2, 2) for size in (184, 338))
heads = {
    "arithmetic": nn.Sequential(nn.Flatten(), nn.Linear(32 * H * W, 256)),
    "LazyLinear": nn.Sequential(nn.Flatten(), nn.LazyLinear(256)),
    "averages": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                              nn.Linear(32, 256))}
for name, head in heads.items():
    shape = tuple(head(features(picture)).shape)
    parameters = count_parameters(features) + count_parameters(head)
    print(f"{name:11}{shape} {parameters:11,} parameters")
other = heads["averages"](features(torch.rand(1, 3, 200, 400)))
print("averages, of another size:", tuple(other.shape))

# %% [markdown]
# The third head has few parameters and reads pictures of any size, but no longer knows where in them something was.
#
# Flattening has two traps of its own.
#
# > **Predict before you run.** Are `flatten(x, 1)`, `x.view(8, -1)`, `nn.Flatten()(x)` and `flatten(x, -1)` equal, as
# > one tutorial says?

# %% tags=["answer"]
maps = torch.randn(8, 16, 5, 5)
forms = {"flatten(x, 1)": torch.flatten(maps, 1),
         "x.view(8, -1)": maps.view(8, -1),
         "nn.Flatten()": nn.Flatten()(maps),
         "flatten(x, -1)": torch.flatten(maps, -1)}
for form, flat in forms.items():
    print(f"{form:15}", tuple(flat.shape))

# %% [markdown]
# The number in `flatten` is the axis at which flattening *starts*, so `-1` leaves nothing to flatten. The second trap
# is `view`, which reads the same memory in another shape. It fails when memory holds the numbers in another order, as
# after `permute` (lesson 2), while `reshape` then makes a copy, in another order than `flatten` gave.

# %%
channels_behind = maps.permute(0, 2, 3, 1)
try:
    channels_behind.view(8, -1)
except RuntimeError as error:
    print(error)
print("`reshape`:", tuple(channels_behind.reshape(8, -1).shape))

# %% [markdown]
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 3.1 · By arithmetic
#
# A picture of 184×338 pixels goes through a convolution (K = 3, S = 2, P = 1) and then `MaxPool2d(2)`. Give the
# resulting `(H, W)`.

# %%
size = ...
check("3.1", size)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.1
H_solution = output_size(output_size(184, 3, 2, 1), 2, 2)  # 184 → 92 → 46
W_solution = output_size(output_size(338, 3, 2, 1), 2, 2)  # 338 → 169 → 84
size_solution = (H_solution, W_solution)
assert check("3.1", size_solution)

# %% [markdown]
# ### Exercise 3.2 · Backwards
#
# A convolution with K = 3, S = 2, P = 1 answers with 14 places. How many pixels did the picture have along that axis?
# List all possible sizes.

# %%
sizes_before = ...
check("3.2", sizes_before)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.2
sizes_before_solution = list(filter(
    lambda n: output_size(n, 3, 2, 1) == 14, range(1, 50)))
assert check("3.2", sizes_before_solution)

# %% [markdown]
# ### Exercise 3.3 · Small kernels
#
# All layers have 64 channels in and out, and no bias. How many weights do two 3×3 convolutions have, and one 5×5 that
# sees as far? And three 3×3, and one 7×7? Give the four numbers as a list.

# %%
weights_of = ...
check("3.3", weights_of)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.3
# There are 64·64 pairs of channels in and out, each with its own kernel.
weights_of_solution = [64 * 64 * 2 * 9, 64 * 64 * 25,
                       64 * 64 * 3 * 9, 64 * 64 * 49]
assert check("3.3", weights_of_solution)

# %% [markdown]
# ### Exercise 3.4 · An average without the padding
#
# PyTorch's average counts the zeros of the padding. Write `inner_average(x, K, P)`, for N×C×H×W images, a stride of 1
# and padding P, which gives each window's mean over its *real* pixels only. Use `F.avg_pool2d` or `F.unfold`, but not
# `count_include_pad`.

# %%
def inner_average(x, K, P):
    ...


check("3.4", inner_average)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.4
def inner_average_solution(x, K, P):
    real = F.avg_pool2d(torch.ones_like(x), K, 1, P)  # share of real pixels
    return F.avg_pool2d(x, K, 1, P) / real


assert check("3.4", inner_average_solution)

# %% [markdown]
# ### Exercise 3.5 · A convolution in two steps
#
# A 3×3 convolution from 64 to 128 channels has 73,728 weights. With **8,768** weights, build an `nn.Sequential` of
# two layers, without biases, that also turns N×64×H×W into N×128×H×W and in which each unit sees 3×3 pixels and all
# channels. First look around within each channel (`groups=64`), then mix the channels.

# %%
separable = ...
check("3.5", separable)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 3.5
separable_solution = nn.Sequential(
    nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),  # depthwise
    nn.Conv2d(64, 128, 1, bias=False),  # pointwise: 128 filters of 64×1×1
)
assert check("3.5", separable_solution)

# %% [markdown]
# ### Exercise 3.6 · Design
#
# Build an `nn.Sequential` of PyTorch's layers for N×3×32×32 images that answers with ten numbers for each. It has at
# least four convolutions, which see (with the poolings) at least 32 pixels; at most 300,000 parameters, counting any
# other number that a layer keeps, such as running averages; **and** at most 20 million multiply-adds.
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
# ### An open question
#
# You have a million parameters for photographs of 32×32 pixels. Would you spend them on more layers, on more
# channels, or on one large linear layer? What would each choice gain in sight, work and memory?

# %% [markdown]
# ## What you can do now
#
# 1. Predict sizes: the room to move, divided by the stride, rounded down, plus one. What the rounding drops is never
#    read.
# 2. Pool by hand: a maximum passes its gradient to its winner, the first of equals, and an average shares it out.
# 3. Translate: d2l counts the padding of both sides together, and CS231n forbids a step that does not fit.
# 4. Compute the receptive field: each layer adds D(K − 1) times the product of the strides before it.
# 5. Count parameters, multiply-adds and activations, and know that they rank networks differently.
# 6. Read `mat1` and `mat2`, and match them by arithmetic, `LazyLinear`, or global average pooling.
#
# ## Further reading
#
# - V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning* (arXiv 1603.07285).
# - A. Araujo, W. Norris, J. Sim, *Computing receptive fields of convolutional neural networks* (Distill, 2019).
# - W. Luo, Y. Li, R. Urtasun, R. Zemel, *Understanding the effective receptive field in deep convolutional
#   neural networks* (arXiv 1701.04128).
# - V. Sze, Y.-H. Chen, T.-J. Yang, J. Emer, *Efficient processing of deep neural networks* (arXiv 1703.09039).
