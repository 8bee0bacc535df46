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
# **Read** 30 min · **Run** 30 s on one CPU core · **Before this** lessons 1 and 2
#
# ## What you will be able to do
#
# 1. Compute the answer of a convolutional network with a pencil, and get PyTorch's digits.
# 2. Carry the gradient backwards by hand, through each layer, and get autograd's.
# 3. Say which pixels max pooling pays, what it does with a tie, and which layers may change places with it.
# 4. Train two hundred networks at once, and state with an interval how many fail.
# 5. Say why a run stands still at ln 2, find the cause in the network, and choose a cure by measuring.
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
from torch.func import functional_call, stack_module_state, vmap

from course_utils import check, claim, count_parameters, diagrams, plots, wilson_interval
from course_utils.convolution import conv2d_backward, conv2d_loops

torch.set_num_threads(1)  # this lesson's tensors are too small to share among threads

# %% [markdown]
# These numbers are yours to change. Everything is computed in `float64`, and on the CPU: this lesson is about
# arithmetic.

# %% nbmake={"mock": {"EPOCHS": 200}}
SEED = 0
NETWORKS = 200  # trained side by side
EPOCHS = 2_000  # in each, a network sees both pictures once

# %% [markdown]
# ## Two pictures, twelve numbers
#
# A published tutorial shows a network so small that one can follow each of its steps. We borrow its two pictures and
# its network; later we test what it printed. Picture 0 has the label 0, picture 1 the label 1.

# %% mystnb={"image": {"alt": "Two pictures of four by four numbers between minus 1 and 1. Those of picture 0 are all positive and rise smoothly. Those of picture 1 have both signs, mostly in turn."}}
pictures = torch.tensor([[[1., 2, 3, 4], [2, 3, 4, 5], [5, 6, 7, 8], [1, 3, 4, 5]],
                         [[-1, 2, 3, -4], [2, -3, 4, 5], [-5, 6, -7, 8], [-1, -3, -4, -5]]])
pictures = pictures[:, None].double() / 8  # N×C×H×W
labels = torch.tensor([0., 1.]).double()
plots.images(pictures, ["picture 0", "picture 1"], columns=2, numbers=True, signed=True,
             shared=True, title="One is smooth, the other changes its sign")

# %%
claim("The smallest of these numbers is {value}.", pictures.min(), equals=-0.875)
claim("The largest of these numbers is {value}.", pictures.max(), equals=1)

# %% [markdown]
# The network has one of everything: one filter, one pooling, one ReLU (it turns negative numbers into 0), and one
# linear layer with one answer, z. The *sigmoid* σ(z) = 1 / (1 + e⁻ᶻ) makes a probability of it: how sure the network
# is of label 1.
#
# > **Predict before you run.** Which layers learn, and how many numbers each?

# %%
def network(seed, activation=nn.ReLU, filters=1):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, filters, kernel_size=3), nn.MaxPool2d(2), activation(),
        nn.Flatten(), nn.Linear(filters, 1), nn.Sigmoid(),
    ).double()


model = network(SEED)
conv, linear = [layer for layer in model.children() if hasattr(layer, "weight")]
for layer in (conv, linear):
    print(layer, "weights:", layer.weight.numel(), "biases:", layer.bias.numel())
claim("The network has {value} parameters.", count_parameters(model), equals=12)

# %% [markdown]
# Only layers that learn have a `weight`, and that is how the cell finds them. Now we choose the twelve numbers
# ourselves. The kernel asks: *is here a chequerboard?* (`copy_` and `fill_` overwrite; `no_grad` keeps that out of
# the graph.)

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
# A 3×3 kernel fits at four places. The pooling keeps the largest of the four answers. What the ReLU lets through we
# call *heard*.
#
# > **Predict before you run.** Take a pencil and picture 1. Without the division by 8, which number answers at the
# > bottom left? Divide it by 8 and add the bias −1: it is the largest of the four. What does the network answer?

# %% mystnb={"image": {"alt": "The network as arithmetic. Picture 1 with a frame at the bottom left, slid under the chequerboard kernel, minus 1, gives a feature map of four numbers: minus 4.375, 1.25, 2.125, minus 4.375. The largest, 2.125, passes the ReLU; times 2 minus 3 it is 1.25, and its sigmoid 0.777."}}
feature_map = conv2d_loops(pictures[1:], kernel[None, None])[0, 0] - 1
pooled = feature_map.max()
heard = pooled.clamp(min=0)  # ReLU
z = 2 * heard - 3
answer = 1 / (1 + torch.exp(-z))
diagrams.arithmetic(
    [[("picture 1", pictures[1, 0], (1, 0, 3, 3)), "⋆", ("kernel", kernel)],
     ["− 1 =", ("feature map", feature_map, (1, 0, 1, 1)), "max =", ("pooled", pooled)],
     ["ReLU =", ("heard", heard), "· 2 − 3 =", ("z", z), "σ =", ("answer", answer)]],
    title="The whole network, on one sheet of paper")

# %%
difference = (answer - model(pictures[1:])).abs()
claim("By hand and by PyTorch, the answers differ by {value:.0e}.", difference, at_most=1e-12)

# %% [markdown]
# > **Predict before you run.** On the smooth picture 0, no place answers more than −0.25. What does the network answer
# > there?

# %%
feature_map_0 = conv2d_loops(pictures[:1], kernel[None, None])[0, 0] - 1
print("feature map:", feature_map_0.tolist())
claim("On picture 0 the network answers {value:.4f}, the sigmoid of its last bias.",
      model(pictures[:1]), equals=torch.sigmoid(linear.bias).item(), within=1e-12)

# %% [markdown]
# The ReLU lets nothing through; we call the filter *silent* on picture 0. All that is left is the last bias.
#
# One tutorial says that a bias "saves values that ReLU would kill". Let us count how many of the eight places of both
# pictures get through.

# %%
for bias in (-1, 0, 1):
    places = conv2d_loops(pictures, kernel[None, None]) + bias
    print(f"bias {bias:2}: {(places > 0).sum()} of {places.numel()} get through")

# %% [markdown]
# It saves some when it is positive and kills some when it is negative. **A bias is a threshold**: with −1, the filter
# is heard only where the picture matches the kernel by more than 1. And, like the kernel, it is learnt.
#
# ## Who comes first: ReLU or pooling?
#
# Our network pools before the ReLU. The tutorial's calculation by hand does it the other way round, and still gets
# its model's digits. Is that luck?
#
# > **Predict before you run.** May ReLU and max pooling change places? And ReLU and average pooling?

# %%
torch.manual_seed(SEED)
maps = torch.randn(100, 1, 8, 8).double()
differ = [(F.relu(pool(maps, 2)) - pool(F.relu(maps), 2)).abs().max()
          for pool in (F.max_pool2d, F.avg_pool2d)]
claim("With max pooling, the two orders differ by {value} at most.", differ[0], equals=0)
claim("With average pooling, they differ by up to {value:.2f}.", differ[1], at_least=0.5)

# %% [markdown]
# The largest stays the largest under any function that never falls, so such a function may trade places with max
# pooling; pooling first is cheaper, with a quarter of the ReLUs. A mean changes when its negative parts are cut off.
#
# ## Backwards, with a pencil
#
# The loss for a probability p and a label t is −ln p if t is 1, and −ln(1 − p) if t is 0: the *binary cross-entropy*.
# We want its slope in each of the twelve numbers. The chain rule starts at the end.
#
# *Loss and sigmoid.* For t = 1 the loss has the slope −1/p in p, and the sigmoid has the slope p(1 − p) in z. Their
# product is p − 1. For t = 0 it comes out as p. In both cases **p − t**: answer minus truth.
#
# *Linear.* z = w·heard + b. So w gets (p − t)·heard, b gets p − t, and the layer below gets (p − t)·w.
#
# *ReLU* lets the gradient through if it let the number through. *Max pooling* depends on the winner only; nudge
# another place a little, and nothing changes. So **all the gradient goes to the winner.**
#
# *Convolution.* The winner's number is a dot product of the kernel with one window. So each weight gets the gradient
# times its pixel, each pixel gets it times its weight, the bias gets it as it is.
#
# > **Predict before you run.** The label of picture 1 is 1, and the answer was 0.777. Which sign has the gradient of
# > the winner? How many of the 16 pixels get no gradient?

# %%
t = labels[1]
for_z = answer - t
for_w, for_b = for_z * heard, for_z
for_pooled = for_z * 2 * (pooled > 0)
for_map = torch.zeros(4).double()
for_map[feature_map.argmax()] = for_pooled  # counted in reading order
for_map = for_map.view(2, 2)
for_kernel = for_pooled * pictures[1, 0, 1:4, 0:3]
for_picture = torch.zeros(4, 4).double()
for_picture[1:4, 0:3] = for_pooled * kernel
print(f"The winner gets {for_pooled:.3f}; {(for_picture == 0).sum()} pixels get nothing.")

# %% [markdown]
# The same as a picture; each array shows the slopes of the loss in it. What the winner gets goes two ways: times the
# kernel to the picture, times the window to the kernel.

# %% mystnb={"image": {"alt": "The gradient on its way back. Minus 0.223 at z, times 2 is minus 0.445 at the pooled number; the feature map gets it at its winner, bottom left, and 0 at the three others. The picture gets it in the winner's window, times the kernel; the kernel gets it times the window's pixels."}}
diagrams.arithmetic(
    [[("z", for_z), "· 2 =", ("pooled", for_pooled), "→", ("feature map", for_map, (1, 0, 1, 1))],
     ["· kernel =", ("picture 1", for_picture, (1, 0, 3, 3))],
     ["· window =", ("kernel", for_kernel)]],
    title="Only the winner is paid, and passes it on")

# %% [markdown]
# Autograd now works out the same, and lesson 2's `conv2d_backward` the convolution's part.

# %%
picture = pictures[1:].clone().requires_grad_()
model.zero_grad()
F.binary_cross_entropy(model(picture).flatten(), labels[1:]).backward()
by_hand = [for_kernel, for_map.sum(), for_w, for_b, for_picture]
by_autograd = [conv.weight.grad, conv.bias.grad, linear.weight.grad, linear.bias.grad,
               picture.grad]
difference = max((a - b).abs().max() for a, b in zip(by_hand, by_autograd, strict=True))
claim("All twelve gradients, and those of the 16 pixels, differ from autograd's by {value:.0e}.",
      difference, at_most=1e-12)

lesson_2 = conv2d_backward(for_map[None, None], pictures[1:], kernel[None, None])
difference = max((a - b).abs().max()
                 for a, b in zip(lesson_2, [for_picture, for_kernel, for_map.sum()], strict=True))
claim("Lesson 2's formulas differ from our shortcut by {value:.0e}.", difference, at_most=1e-12)

# %% [markdown]
# That was backpropagation. Where a larger network uses a number in several places, it adds up the gradients.
#
# ### And if two win?
#
# At a tie, the largest number has no single owner. Three functions find the same maximum; look at whom they pay.

# %%
tie = torch.tensor([[1., 3], [3, 3]], dtype=torch.float64, requires_grad=True)
maximum = {"max_pool2d": F.max_pool2d(tie[None, None], 2), "amax": tie.amax(), "max": tie.max()}
paid = {name: torch.autograd.grad(value.sum(), tie)[0] for name, value in maximum.items()}
for name, gradient in paid.items():
    print(f"{name:10}", gradient.round(decimals=2).tolist())
claim("`max_pool2d` pays the first of the winners in reading order: {value}.",
      paid["max_pool2d"].tolist() == [[0, 1], [0, 0]], equals=True)
claim("`amax` pays each of the three {value:.3f}.", paid["amax"][0, 1], equals=1 / 3, within=1e-6)

# %% [markdown]
# So whoever replaces `MaxPool2d` by `amax`, or by `max` as the tutorial's calculation does, has the same forward pass
# and, at ties, another backward pass. (Four zeros after a ReLU are a tie as well; there the ReLU blocks whoever is
# paid.)
#
# ## Find the bug: three printouts, one network?
#
# The tutorial trained this network (one picture after the other, 2,000 epochs), printed the answer for picture 0,
# then the twelve numbers, then the calculation by hand beside the model's answer again. The first answer was 0.0033,
# the last 5.9713e-05. These are its twelve numbers.
#
# > **Predict before you run.** Which of its two answers belongs to these numbers?

# %%
torch.manual_seed(SEED)
with torch.no_grad():
    conv.weight.copy_(torch.tensor([[[[-1.3260, 0.5475, 0.8533],
                                      [0.7495, -1.4212, 0.8499],
                                      [-1.3079, -1.1657, -0.8810]]]]))
    conv.bias.fill_(0.5895)
    linear.weight.fill_(2.6379)
    linear.bias.fill_(-5.7652)
    print("feature map:", conv(pictures[:1]).flatten().round(decimals=3).tolist())
    published, any_picture = model(pictures[:1]), model(10 * torch.randn(10_000, 1, 4, 4).double())
claim("The printed numbers answer {value:.4f}.", published, equals=0.0031, within=5e-5)
claim("Of 10,000 random pictures, the lowest answer is {value:.4f}.",
      any_picture.min(), equals=published.item(), within=1e-12)

# %% [markdown]
# Neither. No place gets through, so the answer is the sigmoid of −5.7652. Nor is it a matter of rounding. What ReLU
# hands on is never negative, and the last weight is positive. So no picture whatever gets an answer below 0.0031 from
# these numbers, least of all 5.9713e-05. The three printouts show three networks.
#
# No seed was set, so each run of the page gave another one. So the reader can't check anything, and a single lucky run
# hides what we look at next.
#
# ## Two hundred runs at once
#
# We train two hundred networks, from the seeds 0, 1, 2, …, with the tutorial's recipe: Adam with `lr=0.01`, one
# picture a step, first 0, then 1.
#
# They all take the same steps, with other numbers, so we take one large step in place of two hundred small ones.
# `stack_module_state` stacks the weights of all networks in tensors with one more axis in front. `functional_call`
# runs a network with weights that it is handed. `vmap` does so along the new axis. A network's weights touch its own
# loss only, so the gradient of the *sum* of all losses is right for each. And Adam treats each number by itself.

# %%
def train_all(networks, loss_fn=F.binary_cross_entropy):
    """Train networks side by side. Their losses, EPOCHS×networks, and their weights."""
    weights, _ = stack_module_state(networks)  # _: numbers that don't learn; here none
    optimizer = torch.optim.Adam(weights.values(), lr=0.01)

    def loss_of_one(weights, x, t):
        return loss_fn(functional_call(networks[0], weights, x).flatten(), t)

    loss_of_each = vmap(loss_of_one, in_dims=(0, None, None))
    history = []
    for _ in range(EPOCHS):
        for k in (0, 1):
            loss = loss_of_each(weights, pictures[k:k + 1], labels[k:k + 1])
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            history.append(loss.detach())
    return torch.stack(history).view(EPOCHS, 2, -1).mean(1), weights


seeds = range(SEED, SEED + NETWORKS)
networks = [network(seed) for seed in seeds]
history, weights = train_all(networks)
losses = history[-1]

# %% [markdown]
# Is this the same as training each alone? We train the first one as in lesson 1.

# %%
alone = network(SEED)
optimizer = torch.optim.Adam(alone.parameters(), lr=0.01)
for _ in range(EPOCHS):
    for k in (0, 1):
        loss = F.binary_cross_entropy(alone(pictures[k:k + 1]).flatten(), labels[k:k + 1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
difference = max((weights[name][0] - p).abs().max() for name, p in alone.named_parameters())
claim("Trained alone, the first network ends with weights that differ by {value:.0e}.",
      difference, at_most=1e-9)

# %% [markdown]
# Now all of them.
#
# > **Predict before you run.** Two pictures, twelve parameters. How many of the two hundred learn to tell them apart?

# %%
stuck = losses > 0.6
count = stuck.sum().item()
low, high = wilson_interval(count, NETWORKS)
print(f"{count} of {NETWORKS} are stuck: 95% interval from {low:.0%} to {high:.0%}")
claim("{value:.1%} of the networks learn nothing.", count / NETWORKS, at_least=0.15, at_most=0.35)

# %% [markdown]
# Another two hundred seeds would give another count. The *Wilson interval* is made so that in about 95 of 100 such
# samples it covers the true share. Here is one network that learns, and one that does not.

# %% mystnb={"image": {"alt": "Loss over the epochs of two networks. One falls to nearly 0. The other starts near 0.7 and stays at 0.693 to the end."}}
lines = {"learns": history[:, (~stuck).nonzero()[0].item()],
         "stuck": history[:, stuck.nonzero()[0].item()]}
plots.curves(range(1, EPOCHS + 1), lines, xlabel="epoch", ylabel="loss",
             title="One learns, the other soon stands still")

# %% [markdown]
# ## Stuck at ln 2
#
# A network that gives both pictures the same answer p does best with p = ½, like a coin.

# %%
p = torch.linspace(0.01, 0.99, 99)
same_answer = -(p.log() + (1 - p).log()) / 2  # the mean loss of labels 1 and 0
print(f"the best p is {p[same_answer.argmin()]:.2f}; the log10 of ln 2 is {math.log10(math.log(2)):.2f}")
claim("The least loss of one answer for both labels is {value:.4f}, ln 2.",
      same_answer.min(), equals=math.log(2), within=1e-6)
claim("The stuck networks' losses differ from it by {value:.4f} at most.",
      (losses[stuck] - math.log(2)).abs().max(), at_most=0.01)

# %% [markdown]
# But why would a network do so? Our suspicion: its filter is silent on *both*, so that all it can learn is its last
# bias. We look at the end of all two hundred runs. (The axis is log10: −2 is a loss of 0.01.)

# %% mystnb={"image": {"alt": "Two groups on a logarithmic axis of final losses. Networks that are silent on both pictures all end at ln 2; all others end below three thousandths."}}
def pooled_numbers(weights):
    """What the pooling hands to the ReLU, networks×pictures."""
    front = network(SEED)[:2]  # convolution and pooling
    own = {name: weight.detach() for name, weight in weights.items() if name in front.state_dict()}
    return vmap(lambda one: functional_call(front, one, pictures))(own).flatten(1)


silent = (pooled_numbers(weights) <= 0).all(1)
plots.distribution({"all others": losses[~silent].log10(), "silent on both": losses[silent].log10()},
                   title="Whoever is silent on both pictures is stuck",
                   xlabel="log10 of the final loss")

# %%
claim("The stuck networks are those that are silent on both pictures: {value}.",
      torch.equal(stuck, silent), equals=True)
claim("The largest gradient of a stuck network's kernel, in the last step, is {value}.",
      weights["0.weight"].grad[stuck].abs().max(), equals=0)

# %% [markdown]
# Not small: zero. This is a *dead ReLU*. Where it answers 0 its slope is 0 too, so the filter that would have to
# change gets no gradient. Nor does its bias, which was to "save" values.
#
# ### How a filter dies
#
# By chance a filter hears neither picture, one, or both; and the last weight has the right sign for what it hears, or
# the wrong one.
#
# > **Predict before you run.** A filter hears picture 1 only, and the last weight is negative. The loss wants z to
# > rise. Which two ways are there (beside the last bias), and which one ends badly?

# %%
start, _ = stack_module_state(networks)  # stacking has copied the weights: these are still untrained
hears_0, hears_1 = (pooled_numbers(start) > 0).T
born_silent = ~hears_0 & ~hears_1
one, positive = hears_0 ^ hears_1, start["4.weight"].flatten() > 0
groups = {"neither picture": born_silent, "both pictures": hears_0 & hears_1,
          "one, with the right sign": one & (positive == hears_1),  # picture 1 must raise z
          "one, with the wrong sign": one & (positive != hears_1)}
for name, group in groups.items():
    print(f"hears {name:25} {group.sum():3} networks, {(group & stuck).sum():2} get stuck")
print("heard by those two:", pooled_numbers(start)[hears_0 & hears_1 & stuck].numpy().round(3).tolist())
claim("Of all networks born silent, {value:.0%} get stuck.", stuck[born_silent].double().mean(), equals=1)

# %% [markdown]
# The two that heard both heard picture 1 so faintly that the first steps drowned it, and fell into the last group.
#
# With the wrong sign, two things happen at once: the last weight moves towards 0 and through it, which is the cure;
# and what is heard moves towards 0, where it stays. It is a race. In its first steps Adam moves each number by nearly
# `lr` (lesson 1). The weight is one number. But what is heard comes from nine weights and a bias, so it falls by `lr`
# times the sum of the window's pixels, without their signs, plus 1.

# %%
speed = F.unfold(pictures.abs(), kernel_size=3).sum(1) + 1
claim("What is heard falls at least {value:.1f} times as fast as the weight moves.",
      speed.min(), at_least=5)

# %% [markdown]
# An unfair race, and most lose it.
#
# ## Four cures, measured
#
# > **Predict before you run.** Which of these help, and by how much? *Logits*: no sigmoid at the end; the loss takes z
# > (the last section says why). *Last weight 0*: it starts at 0. *Leaky ReLU*: negative numbers are not cut off but
# > multiplied by 0.01. *Four filters* instead of one.

# %%
def with_last_weight_0(seed):
    model = network(seed)
    nn.init.zeros_(model[4].weight)
    return model


loss_on_logits = F.binary_cross_entropy_with_logits
cures = {"logits": train_all([network(seed)[:-1] for seed in seeds], loss_on_logits),
         "last weight 0": train_all([with_last_weight_0(seed) for seed in seeds]),
         "leaky ReLU": train_all([network(seed, nn.LeakyReLU) for seed in seeds]),
         "four filters": train_all([network(seed, filters=4) for seed in seeds])}
failed = {"as published": stuck} | {name: losses[-1] > 0.6 for name, (losses, _) in cures.items()}
for name, which in failed.items():
    low, high = wilson_interval(which.sum().item(), NETWORKS)
    print(f"{name:14} {which.sum():3} of {NETWORKS} stuck: {low:5.1%} to {high:5.1%}")

# %%
claim("With logits, the very same networks get stuck: {value}.",
      torch.equal(failed["logits"], stuck), equals=True)
claim("With the last weight at 0, {value} networks get stuck that were not born silent.",
      (failed["last weight 0"] & ~born_silent).sum(), at_most=5)
claim("With leaky ReLU, {value:.1%} get stuck.",
      failed["leaky ReLU"].double().mean(), at_most=0.1)
claim("If filters died independently, all four would die in {value:.1%} of the networks.",
      (count / NETWORKS) ** 4, at_most=0.02)

# %% [markdown]
# *Logits* can't help: the fault lies before the sigmoid. *Last weight 0* calls off the race: the first step gives the
# weight the right sign, and only then does the filter get a gradient. The born silent stay lost. A *leaky ReLU* is
# never quite silent, so even they come back. *Four filters* seldom die together. That is how large networks get away
# with dead ReLUs: one costs them a filter, and not the run.
#
# Now we can also say where the tutorial's two printouts may come from.

# %%
hears = pooled_numbers(weights) > 0
w, b = weights["4.weight"].flatten(), weights["4.bias"].flatten()
answers = torch.sigmoid(w * pooled_numbers(weights)[:, 0].clamp(min=0) + b).detach()
for name, which in {"hear picture 1 only": hears[:, 1] & ~hears[:, 0],
                    "hear picture 0 only": hears[:, 0] & ~hears[:, 1]}.items():
    print(f"{which.sum():3} {name}, and answer picture 0 with "
          f"{answers[which].min():.1e} to {answers[which].max():.1e}")

# %% [markdown]
# Nearly all that learn take one of these two ways, and 0.0033 and 5.9713e-05 look like one run of each.
#
# ## A loss that takes logits
#
# Logits did not cure dead ReLUs, and you should use them all the same. The number z before the sigmoid is a *logit*.
#
# > **Predict before you run.** The label is 1 and the network answers z = −200: sure, and wrong. The loss −ln σ(−200)
# > is 200. What do PyTorch's two losses say, and which gradient do they send back?

# %%
z = torch.tensor([-200., 20.], requires_grad=True)
t = torch.tensor([1., 0.])
in_two_steps = F.binary_cross_entropy(z.sigmoid(), t, reduction="none")
with_logits = loss_on_logits(z, t, reduction="none")
for name, loss in {"sigmoid first": in_two_steps, "with logits": with_logits}.items():
    slope = torch.autograd.grad(loss.sum(), z)[0]
    print(f"{name:13}: losses {loss.tolist()}, slopes {slope.tolist()}")

# %% [markdown]
# In `float32`, σ(−200) is 0, and a mere σ(20) is already 1. The logarithm of 0 is minus infinity, and PyTorch cuts the
# loss off at 100. The slope is 0: who is most wrong learns nothing. The loss that takes logits never forms p. So end a
# network without a sigmoid, train with `binary_cross_entropy_with_logits`, and use `torch.sigmoid` where you want to
# read probabilities. (Older pages write `F.sigmoid`, and for several classes `F.softmax`. Does PyTorch warn?)

# %%
for function in (F.sigmoid, F.softmax):  # softmax, without saying along which axis
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(torch.zeros(2, 2))
    print(f"F.{function.__name__}:", *[warning.message for warning in caught] or ["no warning"])

# %% [markdown]
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 4.1 · What is left
#
# Back to the network on paper: the last weight is 2, the last bias −3. What does it answer when the *pooled* number is
# −0.4? And when it is 0.4? Give both answers, to three places.

# %%
two_answers = ...
check("4.1", two_answers)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.1
heard_solution = torch.tensor([0, 0.4])  # ReLU makes −0.4 a 0, so that only the bias is left
two_answers_solution = torch.sigmoid(2 * heard_solution - 3).tolist()
assert check("4.1", two_answers_solution)

# %% [markdown]
# ### Exercise 4.2 · Who is paid?
#
# `max_pool2d` with windows of 2×2 reads the feature map
# `[[1, 3, 0, -1], [2, 0, -2, 0], [5, 5, -3, -1], [4, 5, -2, -4]]`. The gradient of its four answers is
# `[[1, 2], [3, 4]]`. Give the gradient of the feature map: four rows of four numbers.

# %%
paid_out = ...
check("4.2", paid_out)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.2
paid_out_solution = [[0, 1, 2, 0], [0, 0, 0, 0], [3, 0, 0, 4], [0, 0, 0, 0]]  # at ties, the first
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
may_swap_solution = ["relu", "leaky_relu", "sigmoid"]  # those that never fall
assert check("4.3", may_swap_solution)

# %% [markdown]
# ### Exercise 4.4 · Backwards through a mean
#
# The same network with *average* pooling: convolution of a 4×4 picture with a 3×3 kernel, plus `bias`; mean of the
# four; ReLU; times `w`, plus `b`; sigmoid; binary cross-entropy with the label `t`. Write
# `kernel_gradient(picture, kernel, bias, w, b, t)`: the 3×3 gradient of the kernel, by hand, so without autograd.
# `picture` and `kernel` are in `float64`, as all in this lesson; `bias`, `w`, `b`, `t` are plain numbers.

# %%
def kernel_gradient(picture, kernel, bias, w, b, t):
    ...


check("4.4", kernel_gradient)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.4
def kernel_gradient_solution(picture, kernel, bias, w, b, t):
    windows = [picture[i:i + 3, j:j + 3] for i in (0, 1) for j in (0, 1)]
    window = sum(windows) / 4  # the mean of dot products is the dot product with the mean window
    pooled = (window * kernel).sum() + bias
    p = torch.sigmoid(w * pooled.clamp(min=0) + b)
    return (p - t) * w * (pooled > 0) * window


assert check("4.4", kernel_gradient_solution)

# %% [markdown]
# ### Exercise 4.5 · All at once, without vmap
#
# `kernels` has the shape M×3×3, `biases`, `w` and `b` the shape M: the twelve numbers of M networks, in `float64`.
# Write `answers_of_all(pictures, kernels, biases, w, b)`: the M×N answers of all networks to N×1×4×4 pictures, without
# a loop, over networks or pictures. M networks with one filter each are one convolution with how many filters?

# %%
def answers_of_all(pictures, kernels, biases, w, b):
    ...


check("4.5", answers_of_all)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.5
def answers_of_all_solution(pictures, kernels, biases, w, b):
    maps = F.conv2d(pictures, kernels[:, None], biases)  # N×M×2×2: each network is one filter
    heard = maps.amax((2, 3)).relu()
    return torch.sigmoid(w * heard + b).T


assert check("4.5", answers_of_all_solution)

# %% [markdown]
# ### Exercise 4.6 · Born to hear
#
# Write `initialise(model)`. It gets a fresh `network(seed)` and changes its numbers in place, so that after training
# *all* of a hundred tell the pictures apart; what it returns does not matter. Pictures, layers, loss and optimiser
# stay as they are, and different seeds must still give different kernels (to two places). The check trains them for
# 200 epochs; above 0.6, a loss is stuck.

# %%
def initialise(model):
    ...


check("4.6", initialise)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.6
def initialise_solution(model):
    nn.init.ones_(model[0].bias)  # a low threshold: the filter hears both pictures at first
    nn.init.zeros_(model[4].weight)  # no sign yet, so no wrong one
    return model


assert check("4.6", initialise_solution)

# %% [markdown]
# ### Exercise 4.7 · The loss that takes logits
#
# Write `loss_with_logits(z, t)` for tensors of logits and labels, without PyTorch's own losses: the loss of each entry,
# correct in `float32` from z = −1,000 to 1,000, as is autograd's slope. Start from ln(1 + eᶻ) − t·z (why is that the
# loss?) and see where it overflows. At z = 0 beware of functions with a kink there: autograd picks one side for
# `clamp`, while `torch.maximum`, at a tie, pays both a half.

# %%
def loss_with_logits(z, t):
    ...


check("4.7", loss_with_logits)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 4.7
def loss_with_logits_solution(z, t):
    # ln(1 + e^z) = z + ln(1 + e^−z): take the form whose exponent is negative
    positive = torch.maximum(z, torch.zeros_like(z))  # its slope at 0 is a half, as the loss wants
    return positive + torch.log1p(torch.exp(-z.abs())) - t * z


assert check("4.7", loss_with_logits_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Compute a network's answer with a pencil: dot products, the largest, ReLU, a line, a sigmoid.
# 2. Carry p − t back: times the weight, through the ReLU if it is open, to the winner, times the window.
# 3. Say that max pooling pays the winner only, the first at a tie, and that functions which never fall may change
#    places with it.
# 4. Stack networks and train them side by side with `vmap`, and give a count its interval.
# 5. Tell ln 2 for what it is, look for a filter that is silent on all pictures, and measure a cure before you believe
#    in it.
# 6. Train on logits, so that a network that is sure and wrong still learns.
#
# ## Further reading
#
# - A. L. Maas, A. Y. Hannun, A. Y. Ng, *Rectifier nonlinearities improve neural network acoustic models* (2013): the
#   leaky ReLU.
# - L. Lu, Y. Shin, Y. Su, G. E. Karniadakis, *Dying ReLU and initialization: theory and numerical
#   examples* (arXiv 1903.06733): networks that are
#   born dead, and how likely that is.
# - PyTorch's tutorial *Model ensembling*: `stack_module_state` and `vmap` at work.
