# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 · A whole CNN in twelve parameters
#
# *Can all that a network does fit on one sheet of paper?*
#
# **Read** 55 min · **Run** 30 s on one CPU core · **Before this** lessons 1 and 2
#
# ## What you will be able to do
#
# 1. Compute the answer of a convolutional network with a pencil, and get the same digits as PyTorch.
# 2. Carry the gradient backwards by hand, through each layer, and agree with autograd.
# 3. Say where max pooling sends the gradient, what it does with a tie, and which layers may change places with it.
# 4. Train two hundred networks at once, and state with an interval how many fail.
# 5. Say why a run gets stuck at ln 2, find the cause in the network, and choose a cure by measuring.
# 6. Say why a loss should take logits.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("04_twelve_parameters")

# %%
import math
import warnings

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import (
    agree, check, claim, count_parameters, diagrams, explore, plots,
    wilson_interval,
)
from course_utils.convolution import conv2d_backward, conv2d_loops

torch.set_num_threads(1)  # these tensors are too small to be shared

# %% [markdown]
# These numbers are yours to change. Nearly everything is computed in `float64`, and all of it on the CPU, because
# this lesson is about arithmetic.

# %% nbmake={"mock": {"EPOCHS": 200}}
SEED = 0
NETWORKS = 200  # trained side by side
EPOCHS = 2_000  # in each, a network sees both pictures once

# %% [markdown]
# ## Two pictures, twelve numbers
#
# A network of a million parameters takes hardly a step that a network of twelve does not take. It only takes it so
# often that nobody can watch. So let us take the smallest network that has everything: a convolution, a pooling, a
# ReLU and a linear layer. We borrow it from a published tutorial, together with its two pictures, of which picture 0
# has the label 0 and picture 1 the label 1.

# %% mystnb={"image": {"alt": "Two pictures of four by four numbers between minus 1 and 1. Those of picture 0 are all positive and rise smoothly. Those of picture 1 have both signs, mostly in turn."}}
pictures = torch.tensor(
    [[[1., 2, 3, 4], [2, 3, 4, 5], [5, 6, 7, 8], [1, 3, 4, 5]],
     [[-1, 2, 3, -4], [2, -3, 4, 5], [-5, 6, -7, 8], [-1, -3, -4, -5]]])
pictures = pictures[:, None].double() / 8  # N×C×H×W
labels = torch.tensor([0., 1.]).double()
plots.images(pictures, ["picture 0", "picture 1"], columns=2, numbers=True,
             signed=True, shared=True,
             title="One is smooth, the other keeps changing sign")

# %% [markdown]
# The network's linear layer gives one number z, called a *logit*. The *sigmoid* σ(z) = 1 / (1 + e⁻ᶻ) turns it into a
# probability, which says how sure the network is of label 1.
#
# > **Predict before you run.** Which layers learn, and how many numbers does each have?

# %% tags=["answer"]
def network(seed, activation=nn.ReLU, filters=1):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, filters, kernel_size=3), nn.MaxPool2d(2), activation(),
        nn.Flatten(), nn.Linear(filters, 1), nn.Sigmoid(),
    ).double()


model = network(SEED)
conv, linear = model[0], model[4]
for layer in (conv, linear):
    print(layer, "weights:", layer.weight.numel(),
          "biases:", layer.bias.numel())

# %% tags=["answer", "claim"]
claim("The network has {value} parameters.", count_parameters(model),
      equals=12)

# %% [markdown]
# Before training finds the twelve numbers, we choose them ourselves. The kernel asks: *is there a chequerboard here?*
# (`copy_` and `fill_` overwrite a tensor, and `no_grad` keeps autograd from recording that.)

# %%
kernel = torch.tensor([[1., -1, 1], [-1, 1, -1], [1, -1, 1]]).double()
with torch.no_grad():
    conv.weight.copy_(kernel)
    conv.bias.fill_(-1)
    linear.weight.fill_(2)
    linear.bias.fill_(-3)

# %% [markdown]
# ## Forwards, with a pencil
#
# A 3×3 kernel fits into a 4×4 picture at four places, and the pooling keeps the largest of the four answers. The
# number that the ReLU then lets through we call *heard*.
#
# > **Predict before you run.** Take a pencil and picture 1, before the division by 8. Which number does the kernel
# > give at the bottom left? Divide it by 8 and add the bias −1: it is the largest of the four. What does the network
# > answer?

# %% tags=["answer"] mystnb={"image": {"alt": "The network as arithmetic. Picture 1 with a frame at the bottom left, slid under the chequerboard kernel, minus 1, gives a feature map of four numbers: minus 4.375, 1.25, 2.125, minus 4.375. The largest, 2.125, passes the ReLU; times 2 minus 3 it is 1.25, and its sigmoid 0.777."}}
feature_map = conv2d_loops(pictures[1:], kernel[None, None])[0, 0] - 1
pooled = feature_map.max()
heard = pooled.clamp(min=0)  # ReLU
z = 2 * heard - 3
answer = 1 / (1 + torch.exp(-z))
diagrams.arithmetic(
    [[("picture 1", pictures[1, 0], (1, 0, 3, 3)), "⋆", ("kernel", kernel)],
     ["− 1 =", ("feature map", feature_map, (1, 0, 1, 1)), "max =",
      ("pooled", pooled)],
     ["ReLU =", ("heard", heard), "· 2 − 3 =", ("z", z), "σ =",
      ("answer", answer)]],
    title="The whole network, on one sheet of paper")

# %% tags=["answer"]
agree("the answer by hand and by PyTorch", answer.view(1, 1),
      model(pictures[1:]), within=1e-12)

# %% [markdown]
# Four times nine products, a maximum, a ReLU, a line and a sigmoid are all that happened. Now the other picture, on
# which no place answers more than −0.25.
#
# > **Predict before you run.** What does the network answer to the smooth picture 0?

# %% tags=["answer"]
feature_map_0 = conv2d_loops(pictures[:1], kernel[None, None])[0, 0] - 1
print("feature map:", feature_map_0.tolist())
print("answer:", model(pictures[:1]).item())
print("sigmoid of the last bias:", torch.sigmoid(linear.bias).item())

# %% [markdown]
# The ReLU lets nothing through, so all that is left is the last bias. We say that the filter is *silent* on picture 0
# and *hears* picture 1.
#
# What is a bias good for, then? It is sometimes said to save values that the ReLU would kill. Let us count how many
# of the eight places of both pictures get through.

# %%
for bias in (-1, 0, 1):
    places = conv2d_loops(pictures, kernel[None, None]) + bias
    print(f"bias {bias:2}: {(places > 0).sum()} of {places.numel()} get "
          "through")

# %% [markdown]
# It saves some when it is positive and kills some when it is negative. **A bias is a threshold**: with −1, a place
# gets through only where the dot product of picture and kernel is more than 1. Like the kernel, this threshold is
# learned.
#
# ## Who comes first: ReLU or pooling?
#
# Our network pools before the ReLU, while the tutorial calculates by hand in the other order, and still gets the same
# digits as its model. Is that luck?
#
# > **Predict before you run.** May ReLU and max pooling change places? And ReLU and average pooling?

# %% tags=["answer"]
torch.manual_seed(SEED)
maps = torch.randn(100, 1, 8, 8).double()
for pool in (F.max_pool2d, F.avg_pool2d):
    apart = (F.relu(pool(maps, 2)) - pool(F.relu(maps), 2)).abs().max()
    print(f"{pool.__name__}: the two orders differ by {apart:.3g} at most")

# %% [markdown]
# The largest number stays the largest under any function that never falls, so such a function may change places with
# max pooling. (Pooling first is cheaper, because it leaves only a quarter of the ReLUs.) With average pooling it may
# not, because a mean changes when its negative parts are cut off.
#
# ## Backwards, with a pencil
#
# Now the network should learn, and for that we need the slope of the loss with respect to each of the twelve numbers.
# Our loss is the *binary cross-entropy*: for a probability p and a label t it is −ln p if t is 1, and −ln(1 − p) if t
# is 0. Think of the gradient as a payment that starts at the loss and is handed back from layer to layer. What does
# each layer keep, and whom does it pay?
#
# *Loss and sigmoid.* For t = 1 the loss has the slope −1/p in p, and the sigmoid has the slope p(1 − p) in z. Their
# product is p − 1, while for t = 0 it comes out as p. So in both cases z gets **p − t**, the answer minus the truth.
#
# *Linear.* As z = w·heard + b, the weight w gets (p − t)·heard, b gets p − t, and the layer below gets (p − t)·w.
#
# The *ReLU* lets the gradient through if it has let the number through. *Max pooling* depends only on the winner, the
# largest of the four, because nothing changes when another place is nudged. So **all the gradient goes to the
# winner.**
#
# *Convolution.* The winner's number is a dot product of the kernel with one window. So each weight gets the gradient
# times its pixel, each pixel gets it times its weight, and the bias gets it as it is.
#
# > **Predict before you run.** The label of picture 1 is 1, and the answer was 0.777. What sign does the winner's
# > gradient have, and how many of the 16 pixels get no gradient?

# %% tags=["answer"]
t = labels[1]
for_z = answer - t
for_w, for_b = for_z * heard, for_z
for_pooled = for_z * 2 * (pooled > 0)
for_map = torch.zeros(2, 2).double()
for_map[1, 0] = for_pooled  # the winner, at the bottom left
for_kernel = for_pooled * pictures[1, 0, 1:4, 0:3]
for_picture = torch.zeros(4, 4).double()
for_picture[1:4, 0:3] = for_pooled * kernel
print(f"The winner gets {for_pooled:.3f}, "
      f"and {(for_picture == 0).sum()} pixels get nothing.")

# %% [markdown]
# Here is the same as a picture, in which each array holds slopes of the loss. What the winner gets goes two ways:
# multiplied by the kernel to the picture, and multiplied by the window to the kernel.

# %% mystnb={"image": {"alt": "The gradient on its way back. Minus 0.223 at z, times 2 is minus 0.445 at the pooled number; the feature map gets it at its winner, bottom left, and 0 at the three others. The picture gets it in the winner's window, times the kernel; the kernel gets it times the window's pixels."}}
diagrams.arithmetic(
    [[("z", for_z), "· 2 =", ("pooled", for_pooled), "→",
      ("feature map", for_map, (1, 0, 1, 1))],
     ["· kernel =", ("picture 1", for_picture, (1, 0, 3, 3))],
     ["· window =", ("kernel", for_kernel)]],
    title="Only the winner is paid, and passes it on")

# %% [markdown]
# Autograd must work out the same, and so must lesson 2's `conv2d_backward`.

# %%
picture = pictures[1:].clone().requires_grad_()
model.zero_grad()
F.binary_cross_entropy(model(picture).flatten(), labels[1:]).backward()
agree("the gradient of the kernel", for_kernel, conv.weight.grad[0, 0],
      within=1e-12)
agree("the gradient of the picture", for_picture, picture.grad[0, 0],
      within=1e-12)
agree("the gradients of both biases and of the last weight",
      torch.stack([for_pooled, for_b, for_w]),
      torch.cat([conv.bias.grad, linear.bias.grad,
                 linear.weight.grad.flatten()]), within=1e-12)
_, by_lesson_2, _ = conv2d_backward(for_map[None, None], pictures[1:],
                                    kernel[None, None])
agree("lesson 2's formula for the kernel", by_lesson_2[0, 0], for_kernel,
      within=1e-12)

# %% [markdown]
# That was the whole of backpropagation. Where a larger network uses a number in several places, it adds up the
# gradients from all of them.
#
# ### And if two win?
#
# At a tie the largest number has no single owner. Three functions find the same maximum, so let us see which places
# each of them pays.

# %%
tie = torch.tensor([[1., 3], [3, 3]], requires_grad=True)
for name, largest in {"max_pool2d": F.max_pool2d(tie[None, None], 2),
                      "amax": tie.amax(), "max": tie.max()}.items():
    gradient = torch.autograd.grad(largest.sum(), tie)[0]
    print(f"{name:10}", gradient.tolist())

# %% [markdown]
# `max_pool2d` pays only the first of the winners in reading order, while `amax` and `max` share the payment out among
# all three. (`max` along one axis pays one.) So whoever replaces `MaxPool2d` by `amax`, or by `max` as the tutorial's
# calculation does, gets the same forward pass but, at ties, a different backward pass. (Four zeros after a ReLU are a
# tie as well, but there the ReLU blocks whoever is paid.)
#
# ## Find the bug: three printouts, one network?
#
# The tutorial trained this network, one picture after the other, for 2,000 epochs. It printed three things: the
# answer to picture 0, which was 0.0033; then the twelve numbers; then a calculation by hand beside the model's answer
# again, which was now 5.9713e-05. The next cell sets the twelve numbers.

# %%
with torch.no_grad():
    conv.weight.copy_(torch.tensor([[[[-1.3260, 0.5475, 0.8533],
                                      [0.7495, -1.4212, 0.8499],
                                      [-1.3079, -1.1657, -0.8810]]]]))
    conv.bias.fill_(0.5895)
    linear.weight.fill_(2.6379)
    linear.bias.fill_(-5.7652)

# %% [markdown]
# > **Predict before you run.** Which of its two answers belongs to these numbers, if any?

# %% tags=["answer"]
with torch.no_grad():
    print("feature map:", conv(pictures[:1]).flatten().tolist())
    published = model(pictures[:1]).item()

# %% tags=["answer", "claim"]
claim("The printed numbers answer {value:.4f}.", published, equals=0.0031,
      within=5e-5)

# %% [markdown]
# Neither of them. No place gets through, so the answer is the sigmoid of −5.7652. Rounding cannot explain 5.9713e-05
# either: what a ReLU passes on is never negative, and the last weight is positive, so with these numbers no picture
# whatsoever gets an answer below 0.0031, let alone one of 5.9713e-05. The last printout must come from another
# network. The first may be this one, some epochs earlier.
#
# Because no seed was set, each run of the page trained a different network, and its reader can check nothing. Worse,
# a single run cannot show how often such a network fails to learn.
#
# ## Two hundred runs at once
#
# We train two hundred networks, from the seeds 0, 1, 2, …, with the tutorial's recipe: Adam with `lr=0.01`, one
# picture a step, first 0, then 1. One after the other, they would take minutes. But two hundred networks with one
# filter each are *one convolution with two hundred filters*, as long as each filter's answer then goes to its own w
# and b. (A network may also have several filters, whose weighted answers it adds up. PyTorch's general tool for such
# crowds is `torch.func.vmap`.)

# %%
class Crowd(nn.Module):
    """Networks side by side: N pictures give N×networks logits z."""

    def __init__(self, networks):
        super().__init__()
        self.activation = networks[0][2]

        def joined(layer, name):
            own = [getattr(net[layer], name) for net in networks]
            return nn.Parameter(torch.cat(own).detach())

        self.kernels, self.biases = joined(0, "weight"), joined(0, "bias")
        self.w, self.b = joined(4, "weight"), joined(4, "bias")

    def pooled(self, x):
        """What reaches the ReLU: N×networks×filters."""
        maps = F.conv2d(x, self.kernels, self.biases)
        return F.max_pool2d(maps, 2).view(len(x), *self.w.shape)

    def forward(self, x):
        return (self.w * self.activation(self.pooled(x))).sum(2) + self.b

# %% [markdown]
# Each number affects the loss of its own network only, so the gradient of the *sum* of all losses is right for each.
# Adam, too, treats each number by itself, so no network disturbs another.

# %%
def published_loss(z, t):
    return F.binary_cross_entropy(z.sigmoid(), t, reduction="none")


def train(crowd, loss_fn=published_loss, epochs=EPOCHS, look=lambda: None):
    """Train all networks of a crowd; their losses, epochs×networks."""
    optimizer = torch.optim.Adam(crowd.parameters(), lr=0.01)
    losses = []
    for _ in range(epochs):
        look()
        for k in (0, 1):
            z = crowd(pictures[k:k + 1])
            loss = loss_fn(z, labels[k].expand_as(z))
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            losses.append(loss.detach())
    return torch.cat(losses).view(epochs, 2, -1).mean(1)


seeds = range(SEED, SEED + NETWORKS)
networks = [network(seed) for seed in seeds]
crowd = Crowd(networks)
history = train(crowd)
losses = history[-1]

# %% [markdown]
# Is this the same as training each alone? For the first one we use lesson 1's loop.

# %%
alone = network(SEED)
optimizer = torch.optim.Adam(alone.parameters(), lr=0.01)
for _ in range(EPOCHS):
    for x, t in zip(pictures.split(1), labels.split(1), strict=True):
        loss = F.binary_cross_entropy(alone(x).flatten(), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
agree("the first kernel, trained alone and in the crowd",
      alone[0].weight[0], crowd.kernels[0], within=1e-9)

# %% [markdown]
# > **Predict before you run.** Two pictures, twelve parameters. How many of the two hundred learn to tell them apart?

# %% tags=["answer"]
stuck = losses > 0.6
count = stuck.sum().item()
low, high = wilson_interval(count, NETWORKS)
print(f"{count} of {NETWORKS} are stuck: 95% interval from {low:.0%} to "
      f"{high:.0%}")

# %% [markdown]
# About a quarter fail, although the task could hardly be smaller. Another two hundred seeds would give another count,
# so we print an interval too: the *Wilson interval* is made so that in about 95 of 100 such samples it covers the
# true share.

# %% tags=["claim"]
claim("{value:.1%} of the networks get stuck.", count / NETWORKS,
      at_least=0.15, at_most=0.35)

# %% [markdown]
# Here is one that learns, beside one that does not.

# %% mystnb={"image": {"alt": "Loss over the epochs of two networks. One falls to nearly 0. The other starts near 0.7 and stays at 0.693 to the end."}}
lines = {"learns": history[:, (~stuck).nonzero()[0].item()],
         "stuck": history[:, stuck.nonzero()[0].item()]}
plots.curves(range(1, EPOCHS + 1), lines, xlabel="epoch", ylabel="loss",
             title="One learns, the other soon comes to a halt")

# %% [markdown]
# ## Stuck at ln 2
#
# The stuck one stops at a curious number, about 0.693. Where does it come from? If a network gives both pictures the
# same answer p, then the best it can do is p = ½, like somebody who tosses a coin.

# %%
p = torch.linspace(0.01, 0.99, 99)
same_answer = -(p.log() + (1 - p).log()) / 2  # the mean of both labels
print(f"the best p is {p[same_answer.argmin()]:.2f}, "
      f"with a loss of {same_answer.min():.4f}; ln 2 is {math.log(2):.4f}")

# %% tags=["claim"]
claim("The losses of all stuck networks differ from ln 2 by {value:.4f} at "
      "most.", (losses[stuck] - math.log(2)).abs().max(), at_most=0.01)

# %% [markdown]
# But why would a network give both pictures the same answer? We suspect that its filter is silent on *both*, so that
# the last bias is all that it can still learn. To find out, we look at the end of all two hundred runs. (The axis is
# a decimal logarithm: −2 is a loss of 0.01.)

# %% mystnb={"image": {"alt": "Two groups on a logarithmic axis of final losses. Networks that are silent on both pictures all end at ln 2; all others end below three thousandths."}}
pooled_at_end = crowd.pooled(pictures).detach()[..., 0]  # pictures×networks
silent = (pooled_at_end <= 0).all(0)
plots.distribution({"all others": losses[~silent].log10(),
                    "silent on both": losses[silent].log10()},
                   xlabel="log10 of the final loss",
                   title="Whoever is silent on both pictures is stuck")

# %% tags=["claim"]
claim("All {value} stuck networks are silent on both pictures, and no "
      "others.",
      (stuck & silent).sum(), equals=(stuck | silent).sum().item())

# %% [markdown]
# Being silent on both is nearly always for ever: where a ReLU answers 0 its slope is 0 too, so the kernel that would
# have to change gets no gradient, and neither does its bias, which was supposed to "save" values. (Adam's momentum
# moves both for a few more steps, and that brings back one or two.) This is called a *dead ReLU*.

# %%
print("the largest gradient of a stuck kernel in the last step:",
      crowd.kernels.grad[stuck].abs().max().item())

# %% [markdown]
# ### How a filter dies
#
# At the start, chance decides whether a filter hears neither picture, one of them, or both. If it hears one, the last
# weight has the right sign for that picture or the wrong one, because picture 1 must raise z, while picture 0 must
# lower it.

# %%
start = Crowd(networks)
hears_0, hears_1 = start.pooled(pictures)[..., 0] > 0
one, positive = hears_0 ^ hears_1, start.w[:, 0] > 0
groups = {"neither picture": ~hears_0 & ~hears_1,
          "both pictures": hears_0 & hears_1,
          "one, with the right sign": one & (positive == hears_1),
          "one, with the wrong sign": one & (positive != hears_1)}
for name, group in groups.items():
    print(f"hears {name:25} {group.sum():3} networks, "
          f"{(group & stuck).sum():2} get stuck")

# %% [markdown]
# Most hear both. Whatever the sign of their last weight, it is right for one of the two pictures, and nearly all
# learn by going silent on the other. Those that hear nothing are stuck from birth, while those with the right sign
# all learn. But nearly all of those with the wrong sign get stuck as well, and that needs an explanation, because
# they do get gradients. Suppose that a filter hears picture 1 only, and that the last weight is negative while the
# loss wants z to rise.
#
# > **Predict before you run.** Apart from the last bias, which two ways are there for z to rise, and which of them
# > ends badly?

# %% tags=["answer"]
wrong = groups["one, with the wrong sign"]
loudness, louder = start.pooled(pictures)[..., 0].detach().max(0)
fates = {"right sign": groups["one, with the right sign"],
         "wrong sign": wrong & stuck,
         "born silent": groups["neither picture"]}
loudest = [torch.where(group, loudness, -torch.inf).argmax().item()
           for group in fates.values()]
few = Crowd([network(SEED + k) for k in loudest])
which = louder[loudest]  # the picture that each hears, or nearly hears
helps = 2 * which - 1  # the sign that would help: + for picture 1
track = []


def note_down():
    heard = few.pooled(pictures)[which, range(3), 0]
    track.append(torch.stack([helps * few.w[:, 0], heard]).detach())


train(few, epochs=60, look=note_down)

# %% [markdown]
# We follow the loudest network of each kind, a dot for each epoch: the further right the dot, the more the last
# weight helps.

# %% tags=["answer"] mystnb={"image": {"alt": "What reaches the ReLU against the last weight, for three networks over 60 epochs. The one with the right sign moves up and to the right. The one with the wrong sign falls to just below 0 while its weight is still on the wrong side, and stays there. The silent one is a single dot below 0."}}
x, y = torch.stack(track, dim=1)
plots.scatter({name: (x[:, k], y[:, k]) for k, name in enumerate(fates)},
              xlabel="last weight, times the sign that would help",
              ylabel="what reaches the ReLU",
              title="With the wrong sign, the filter dies first")

# %% [markdown]
# The weight can rise through 0, which is the cure. Or what is heard can shrink, which raises z because the weight is
# negative, but that ends at 0, where the ReLU closes for good. So it is a race, and an unfair one: the last weight is
# a single number, which Adam at first moves by nearly `lr` a step (lesson 1), while what is heard comes from nine
# weights and a bias, all ten of which Adam moves by nearly `lr` in the same step. (Adam is not to blame: with plain
# SGD about as many die, since ten numbers that pull together are faster than one.) Most of the few that escape begin
# to hear the other picture, for which their sign is the right one.

# %%
before = start.pooled(pictures)[:, wrong, 0].amax(0)
early = Crowd(networks)
train(early, epochs=5)
fallen = before - early.pooled(pictures)[:, wrong, 0].amax(0)
moved = start.w[wrong, 0].abs() - early.w[wrong, 0].abs()
ratio = (fallen / moved).median()

# %% tags=["claim"]
claim("In five epochs, what is heard falls {value:.1f} times as fast as the "
      "last weight moves, in the median.", ratio, at_least=3)

# %% [markdown]
# > **Try this.** Press *New random weights*, then *1,000 steps*, until a filter dies. Which slopes are left, and which
# > single number would you change to bring it back?

# %%
explore("twelve-parameters", step=7)

# %% [markdown]
# ## Four cures, measured
#
# Four cures come to mind. *Logits*: the sigmoid is left out, and the loss takes z itself (the last section says why).
# *Last weight 0*: the last weight starts at 0. *Leaky ReLU*: negative numbers are not cut off but multiplied by 0.01.
# *Four filters* instead of one.
#
# > **Predict before you run.** Which of these help, and by how much?

# %% tags=["answer"]
def loss_on_logits(z, t):
    return F.binary_cross_entropy_with_logits(z, t, reduction="none")


at_zero = Crowd(networks)
nn.init.zeros_(at_zero.w)
final = {
    "as published": losses,
    "logits": train(Crowd(networks), loss_on_logits)[-1],
    "last weight 0": train(at_zero)[-1],
    "leaky ReLU": train(Crowd([network(seed, nn.LeakyReLU)
                               for seed in seeds]))[-1],
    "four filters": train(Crowd([network(seed, filters=4)
                                 for seed in seeds]))[-1]}
for name, ends in final.items():
    number = (ends > 0.6).sum().item()
    low, high = wilson_interval(number, NETWORKS)
    print(f"{name:14}{number:3} stuck: {low:5.1%} to {high:5.1%}")

# %% [markdown]
# *Logits* can't help, because the damage is done before the sigmoid. *Last weight 0* calls off the race: the first step
# on a picture that is heard gives the weight the sign that is right for it, and only then does the filter get a
# gradient. But those born silent stay lost, whereas a *leaky ReLU* is never quite silent, so even they come back. *Four
# filters* seldom die together, and that is one way in which large networks get away with dead ReLUs, which cost them a
# filter and not the run.

# %% tags=["claim"]
claim("Networks that get stuck with the last weight at 0, though they were "
      "not born silent: {value}.",
      ((final["last weight 0"] > 0.6) & ~groups["neither picture"]).sum(),
      at_most=5)

# %% tags=["claim"]
claim("With a leaky ReLU, {value:.1%} get stuck.",
      (final["leaky ReLU"] > 0.6).double().mean(), at_most=0.1)

# %% [markdown]
# Now we can also guess where the tutorial's two printouts come from. Nearly all networks that have learned hear
# picture 1 only or picture 0 only, and their answer to picture 0 depends on which.

# %%
hears = pooled_at_end > 0
answers = crowd(pictures[:1])[0].sigmoid().detach()
for name, which in {"picture 1 only": hears[1] & ~hears[0],
                    "picture 0 only": hears[0] & ~hears[1]}.items():
    print(f"{which.sum():3} hear {name}, and answer picture 0 with "
          f"{answers[which].min():.1e} to {answers[which].max():.1e}")

# %% [markdown]
# The tutorial's 0.0033 and 5.9713e-05 look like one run of each kind.
#
# ## A loss that takes logits
#
# Training on logits, the numbers z before the sigmoid, did not cure dead ReLUs, but you should do it all the same.
#
# > **Predict before you run.** The label is 1 and the network answers z = −200: sure, and wrong. By the formula the
# > loss −ln σ(−200) is 200. Will PyTorch's two losses send back the same gradient?

# %% tags=["answer"]
z = torch.tensor([-200., -40., 20.], requires_grad=True)
t = torch.tensor([1., 1., 0.])
for name, loss_fn in {"sigmoid first": published_loss,
                      "with logits": loss_on_logits}.items():
    loss = loss_fn(z, t)
    slope = torch.autograd.grad(loss.sum(), z)[0]
    print(f"{name:13}: losses {loss.tolist()}, slopes {slope.tolist()}")

# %% [markdown]
# In `float32`, σ(−200) is 0, and even σ(20) is already 1. The logarithm of 0 is minus infinity, so PyTorch cuts this
# loss off at 100. And the sigmoid sends the gradient back times p(1 − p), which is 0 here, so a network that is as
# wrong as can be is told nothing. (This begins earlier: at z = −40 the loss is still 40, but hardly any slope is
# left.) The loss that takes logits never forms p, and has none of these troubles. So end a network without a sigmoid,
# train with `binary_cross_entropy_with_logits`, and use `torch.sigmoid` where you want to read probabilities. (Older
# pages write `F.sigmoid`, and `F.softmax` without saying along which axis. Does PyTorch warn?)

# %%
for function in (F.sigmoid, F.softmax):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(torch.zeros(2, 2))
    messages = [str(warning.message) for warning in caught]
    print(f"F.{function.__name__}:", messages or "no warning")

# %% [markdown]
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 4.1 · What is left
#
# Back to the network on paper: the last weight is 2, the last bias −3. What does it answer when the *pooled* number
# is −0.4? And when it is 0.4? Give both answers, to three decimal places.

# %%
two_answers = ...
check("4.1", two_answers)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.1
# The ReLU makes −0.4 a 0, so that only the bias is left.
heard_solution = torch.tensor([0, 0.4])
two_answers_solution = torch.sigmoid(2 * heard_solution - 3).tolist()
assert check("4.1", two_answers_solution)

# %% [markdown]
# ### Exercise 4.2 · Who is paid?
#
# `max_pool2d` with windows of 2×2 reads the feature map `[[1, 3, 0, -1], [2, 0, -2, 0], [5, 5, -3, -1], [4, 5, -2,
# -4]]`. The gradient of its four answers is `[[1, 2], [3, 4]]`. Give the gradient of the feature map: four rows of
# four numbers.

# %%
paid_out = ...
check("4.2", paid_out)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.2
# At ties, the first in reading order is paid.
paid_out_solution = [[0, 1, 2, 0], [0, 0, 0, 0], [3, 0, 0, 4], [0, 0, 0, 0]]
assert check("4.2", paid_out_solution)

# %% [markdown]
# ### Exercise 4.3 · Who may change places?
#
# Which of `"relu"`, `"leaky_relu"`, `"sigmoid"`, `"abs"`, `"square"` and `"neg"` may change places with max pooling
# without changing any answer? Give a list of names.

# %%
may_swap = ...
check("4.3", may_swap)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.3
may_swap_solution = ["relu", "leaky_relu", "sigmoid"]  # they never fall
assert check("4.3", may_swap_solution)

# %% [markdown]
# ### Exercise 4.4 · Backwards through a mean
#
# The same network with *average* pooling: convolution of a 4×4 picture with a 3×3 kernel, plus `bias`; mean of the
# four; ReLU; times `w`, plus `b`; sigmoid; binary cross-entropy with the label `t`. Write `kernel_gradient(picture,
# kernel, bias, w, b, t)`, which returns the 3×3 gradient of the kernel, by hand and so without autograd. `picture`
# and `kernel` are in `float64`, like nearly everything in this lesson; `bias`, `w`, `b`, `t` are plain numbers.

# %%
def kernel_gradient(picture, kernel, bias, w, b, t):
    ...


check("4.4", kernel_gradient)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.4
def kernel_gradient_solution(picture, kernel, bias, w, b, t):
    windows = [picture[i:i + 3, j:j + 3] for i in (0, 1) for j in (0, 1)]
    window = sum(windows) / 4  # the mean of products is a product with it
    pooled = (window * kernel).sum() + bias
    p = torch.sigmoid(w * pooled.clamp(min=0) + b)
    return (p - t) * w * (pooled > 0) * window


assert check("4.4", kernel_gradient_solution)

# %% [markdown]
# ### Exercise 4.5 · All at once
#
# `kernels` has the shape M×3×3, `biases`, `w` and `b` the shape M: the twelve numbers of M networks, in `float64`.
# Write `answers_of_all(pictures, kernels, biases, w, b)`, which returns the M×N answers (not logits) of all networks
# to N×1×4×4 pictures, without a loop over networks or pictures.

# %%
def answers_of_all(pictures, kernels, biases, w, b):
    ...


check("4.5", answers_of_all)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.5
def answers_of_all_solution(pictures, kernels, biases, w, b):
    maps = F.conv2d(pictures, kernels[:, None], biases)  # N×M×2×2
    heard = maps.amax((2, 3)).relu()
    return torch.sigmoid(w * heard + b).T


assert check("4.5", answers_of_all_solution)

# %% [markdown]
# ### Exercise 4.6 · Born to hear
#
# Design a better start. Write `initialise(model)`, which gets a fresh `network(seed)` and changes its numbers in
# place, so that *all* of a hundred networks tell the pictures apart after training. (What it returns does not
# matter.) Pictures, layers, loss and optimiser stay as they are, and different seeds must still give kernels that
# differ when rounded to two decimal places. The check trains them for 200 epochs, and a loss above 0.6 then counts as
# stuck.

# %%
def initialise(model):
    ...


check("4.6", initialise)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.6
def initialise_solution(model):
    nn.init.ones_(model[0].bias)  # a low threshold: it hears both pictures
    nn.init.zeros_(model[4].weight)  # no sign yet, so no wrong one


assert check("4.6", initialise_solution)

# %% [markdown]
# ### Exercise 4.7 · The loss that takes logits
#
# Write `loss_with_logits(z, t)` for tensors of logits and labels, without PyTorch's own losses. It returns the loss
# of each entry, and both loss and autograd's slope must be correct in `float32` from z = −1,000 to 1,000. Start from
# ln(1 + eᶻ) − t·z (why is that the loss?) and see where it overflows. `torch.logaddexp(a, b)` computes ln(eᵃ + eᵇ)
# without overflow.

# %%
def loss_with_logits(z, t):
    ...


check("4.7", loss_with_logits)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.7
def loss_with_logits_solution(z, t):
    return torch.logaddexp(z, torch.zeros_like(z)) - t * z  # 1 is e to the 0


assert check("4.7", loss_with_logits_solution)

# %% [markdown]
# ### An open question
#
# A quarter of our runs fail, and a printed page shows a single one. How would you write a tutorial about this
# network, so that a reader who gets stuck is not led to believe that the mistake is hers? What would you print, and
# what would you leave out?

# %% [markdown]
# ## What you can do now
#
# 1. Compute a network's answer with a pencil: dot products, the largest, ReLU, a line, a sigmoid.
# 2. Carry p − t back: times the weight, through the ReLU if it is open, to the winner, times the window.
# 3. Say that max pooling pays the winner only, the first at a tie, and that functions which never fall may change
#    places with it.
# 4. Train networks side by side, as one convolution with many filters, and give a count its interval.
# 5. Recognise ln 2, look for a filter that is silent on all pictures, and measure a cure before you believe in it.
# 6. Train on logits, so that a network that is sure and wrong still learns.
#
# ## Further reading
#
# - A. L. Maas, A. Y. Hannun, A. Y. Ng, *Rectifier nonlinearities improve neural network acoustic models* (2013): the
#   leaky ReLU.
# - L. Lu, Y. Shin, Y. Su, G. E. Karniadakis, *Dying ReLU and initialization: theory and numerical examples* (arXiv
#   1903.06733): networks that are born dead, and how likely that is.
