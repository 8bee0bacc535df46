# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12 · Modern blocks
#
# *Which of the inventions since 1998 earn their place?*
#
# **Read** 55 min · **Run** 65 s on two CPU cores · **Before this** lessons 3, 7, 8 and 11
#
# ## What you will be able to do
#
# 1. Put 1×1 convolutions and global averages in place of large linear layers.
# 2. Follow the size of the signal from layer to layer, and keep it steady.
# 3. Write batch normalisation, tell its two modes apart, and fold it away.
# 4. Build a residual block, and show what depth does without it.
# 5. Build newer blocks, and say what each costs in parameters, multiply-adds and milliseconds.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("12_modern_blocks")

# %%
import copy
from functools import partial
from statistics import mean

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torchvision.models import googlenet

from course_utils import (
    agree, batches, check, claim, count_macs, count_parameters, device,
    evaluate, fit, load, mean_and_spread, networks, plots, receptive_field,
    recorded_runs, step_milliseconds,
)
from course_utils.data import Images

# %% [markdown]
# These numbers are yours to change. With a GPU, take more images and epochs.

# %% nbmake={"mock": {"IMAGES": 64, "EPOCHS": 1, "RUNS": 2, "ASKED": 200}}
SEED = 0
IMAGES, EPOCHS, RUNS = 2_500, 5, 3  # plain against residual
ASKED = 2_000  # validation images to try things on

# %% [markdown]
# ## A network that sees too little
#
# Almost every convolutional network since 2015 is made of the same dozen parts, such as 1×1 convolutions, batch
# normalisation and shortcuts. Each was invented against some trouble. If you know which, you know when you need it. So
# in this lesson we break networks on purpose, and then mend them.
#
# We start with the network of lesson 11's study. Each number in its last maps has a receptive field of only nine
# pixels. Here are four squares of that size, cut from the middle of four photographs:

# %% mystnb={"image": {"alt": "Four squares of 9 by 9 pixels, enlarged: patches of colour in which nothing can be recognised."}}
cifar = load("cifar10")
places = [(cifar.train.y == label).nonzero() for label in (1, 4, 7, 8)]
chosen = [int(place[4]) for place in places]  # the fifth of each class
side = receptive_field(networks.cifar_net())
at = (32 - side) // 2
squares = cifar.train.x[chosen][:, :, at : at + side, at : at + side]
plots.images(squares, title="All that one number in its last map can see")

# %% [markdown]
# > **Predict before you run.** What do they show?

# %% tags=["answer"] mystnb={"image": {"alt": "The four whole images, with the names of their classes."}}
names = [cifar.classes[label] for label in cifar.train.y[chosen]]
plots.images(cifar.train.x[chosen], names, title="The whole images")

# %% [markdown]
# Nobody could name these from the squares. So one linear layer, with 95 % of all parameters, has to put the pieces
# together. VGG (2014) stacked many small convolutions of 3×3 with pooling in between, so that a number at the end has
# seen the whole image. Here is a small network in this style, without VGG's three large linear layers, `small_vgg` in
# `course_utils.networks`.

# %%
def conv(before, width):
    return [nn.Conv2d(before, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width), nn.ReLU()]


vgg = nn.Sequential(
    *conv(3, 32), *conv(32, 32), nn.MaxPool2d(2),
    *conv(32, 64), *conv(64, 64), nn.MaxPool2d(2),
    *conv(64, 128), *conv(128, 128), nn.AdaptiveAvgPool2d(1),
    nn.Flatten(), nn.Linear(128, 10),
)

# %% [markdown]
# How does it compare?

# %%
nets = {"published": networks.cifar_net(), "small VGG": vgg}
for name, net in nets.items():
    macs = count_macs(net, (1, 3, 32, 32)) / 1e6
    print(f"{name:10} {count_parameters(net):9,} parameters, receptive field "
          f"{receptive_field(net):2}, {macs:.0f} million multiply-adds")

# %% [markdown]
# The small VGG sees 32 pixels instead of nine, with a thirteenth of the parameters. Two parts need explaining, the
# layer called `BatchNorm2d` and the ending, which we take first.
#
# ## One number for each map
#
# The published network flattens its maps into 13,824 numbers for a linear layer, which is large because each place has
# its own weights. *Network in Network* (2013) dropped it: `AdaptiveAvgPool2d(1)` replaces each map by its mean, a
# **global average**. There the maps were the ten classes already. Since GoogLeNet (2014), a small linear layer follows.
# Such an ending is called a *head*.

# %% tags=["claim"]
claim("For maps with 192 channels, such a head has {value:,} parameters.",
      count_parameters(nn.Linear(192, 10)), equals=1_930)

# %% [markdown]
# What is lost is the place: the head knows what was seen, not where. Tutorials say that convolutions extract features
# and fully connected layers classify. Is that so here? We need one more part. A **1×1 convolution** looks at no
# neighbours at all. It takes the channels of one place and mixes them, which is what a linear layer does.

# %%
torch.manual_seed(SEED)
x = torch.randn(8, 192, 4, 4).double()
point = nn.Conv2d(192, 10, 1).double().requires_grad_(False)
weight, bias = point.weight[:, :, 0, 0], point.bias
by_hand = (x.permute(0, 2, 3, 1) @ weight.T + bias).permute(0, 3, 1, 2)
agree("a linear layer at each place and a 1×1 convolution", by_hand,
      point(x), within=1e-12)

# %% [markdown]
# Now combine it with the average, in either order. We can average first and then classify, as GoogLeNet does, or
# classify every place and average the scores, as *Network in Network* did.

# %%
mean_then_classify = x.mean((2, 3)) @ weight.T + bias
classify_then_mean = point(x).mean((2, 3))
agree("the average, classified, and the average of all scores",
      mean_then_classify, classify_then_mean, within=1e-12)

# %% [markdown]
# The two agree, because both steps are linear. So this fully connected layer is a convolution in disguise: it gives
# every place of the map its scores, and the answer is their average.
#
# A 1×1 convolution can also save weights, as a *bottleneck*: it reduces the number of channels before an expensive
# layer, as in each block of GoogLeNet.

# %%
direct = nn.Conv2d(192, 32, 3, bias=False)
through = nn.Sequential(nn.Conv2d(192, 32, 1, bias=False),
                        nn.Conv2d(32, 32, 3, bias=False))
print(f"3×3, 192 to 32 channels: {count_parameters(direct):6,} weights")
print(f"1×1 to 32, then 3×3:     {count_parameters(through):6,} weights")

# %% [markdown]
# ### A network must fit its images
#
# GoogLeNet was made for images of 224×224 pixels. Some course notes train it on CIFAR-10 all the same, for 83 epochs,
# and report 67.6 %. On the device `meta`, tensors have shapes but no numbers, so we can follow its maps for free.

# %%
with torch.device("meta"):
    google = googlenet(num_classes=10, aux_logits=False, init_weights=False)
    maps = {224: torch.zeros(1, 3, 224, 224), 32: torch.zeros(1, 3, 32, 32)}
google.eval()
sides = {}
for name, layer in list(google.named_children())[:-3]:  # up to the average
    maps = {size: layer(x) for size, x in maps.items()}
    sides[name] = {size: x.shape[-1] for size, x in maps.items()}
for name in ("conv1", "maxpool1", "inception3a", "inception4a"):
    print(f"{name:12} 224 → {sides[name][224]:3}   32 → {sides[name][32]:2}")

# %% tags=["claim"]
claim("At 32×32, its fourth stage works on maps {value} pixels wide.",
      sides["inception4a"][32], equals=2)

# %% [markdown]
# On a 2×2 map, a padded 3×3 kernel meets padding with five of its nine weights at every place. Networks made for CIFAR
# begin with a 3×3 convolution of stride 1.
#
# ## Will the signal arrive?
#
# Why did nobody train twenty layers before 2014? Imagine a rumour that passes through twenty people. If each passes it
# on a little more softly than he heard it, in the end nobody hears it. If each speaks a little louder, the last one
# shouts. The numbers in a network have the same trouble, and random weights decide by what factor each layer changes
# them.
#
# Take a layer with C input channels, K×K kernels, and weights drawn independently with mean 0. Each answer y is a sum
# of C·K² products, so its variance is
#
# $$\operatorname{Var}(y) = C K^2 \cdot \operatorname{Var}(w) \cdot \overline{x^2} ,$$
#
# where $\overline{x^2}$ is the mean square of the inputs. ReLU then sets the negative half of y to 0, which halves the
# mean square. To keep its size, we need Var(w) = 2/(CK²). This is **He's initialisation**. **Xavier's**, with as many
# channels in as out, is 1/(CK²), which suits layers without ReLU. PyTorch's default comes to 1/(3CK²).
#
# > **Predict before you run.** By which factor does each of the three change the variance at every layer with ReLU? And
# > after twenty layers?

# %%
STARTS = {
    "N(0, 0.01²)": partial(nn.init.normal_, std=0.01),  # AlexNet's
    "PyTorch": lambda weight: None,  # as `Conv2d` made it
    "Xavier": nn.init.xavier_normal_,
    "He": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
}

# %% tags=["answer"]
@torch.no_grad()
def variances(start, kind, layers=20):
    torch.manual_seed(0)
    x, found = torch.randn(16, 64, 8, 8).double(), []
    for _ in range(layers):  # circular: no zeros come in at the edges
        layer = nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular",
                          bias=False)
        start(layer.weight)
        y = layer.double()(x)
        found.append(y.var().item())
        if kind == "batch norm":
            y = F.batch_norm(y, None, None, training=True)
        x = x + y.relu() if kind == "x + f(x)" else y.relu()
    return found

# %% tags=["answer"]
panels = {}
for kind in ("plain", "batch norm", "x + f(x)"):
    panels[kind] = {name: variances(start, kind)
                    for name, start in STARTS.items()}

# %% tags=["answer"] mystnb={"image": {"alt": "Variance over twenty layers, logarithmic, in three panels. Plain layers: only He's initialisation stays level, the others fall, the smallest to nothing. With batch normalisation all four are level. With shortcuts none falls, and He's grows more than a hundred millionfold."}}
plots.curves(range(1, 21), panels, columns=3, log="y", xlabel="layer",
             ylabel="variance of y",
             title="Plain layers lose the signal, unless weights are right")

# %% tags=["answer", "claim"]
plain = panels["plain"]
claim("PyTorch's default multiplies the variance by {value:.2f} at each "
      "layer.", (plain["PyTorch"][-1] / plain["PyTorch"][0]) ** (1 / 19),
      equals=1 / 6, within=0.03)

# %% tags=["answer", "claim"]
claim("With He's, the last layer has {value:.1f} times the variance of the "
      "first.", plain["He"][-1] / plain["He"][0], at_least=0.05, at_most=20)

# %% [markdown]
# Xavier's keeps one half at each layer, which leaves a millionth after twenty. The default keeps one sixth and leaves
# less than a millionth of a billionth. (Its biases, left out here, do arrive, but say the same of every image.) It is
# good for shallow networks, or for those with batch normalisation, which comes next.
#
# The panels on the right show two remedies that we build next. The second needs the first: with shortcuts alone the
# variance grows.
#
# ## Batch normalisation
#
# He's weights are right at the start, and then training changes them. Within days of He's paper of 2015, S. Ioffe and
# C. Szegedy published a bolder idea: instead of hoping that the variance is 1, *make* it 1, at every layer and in every
# step. For each channel, subtract its mean over batch, height and width, and divide by its standard deviation. A small
# ε keeps us from dividing by 0. Then let the network choose its own scale and shift after all, a learned γ (`weight`)
# and β (`bias`).
#
# In use there may be no batch to take a mean of, so in training the layer also keeps a running mean and variance. They
# begin at 0 and 1, and each batch moves them a tenth of the way (`momentum`, no relative of the optimiser's).

# %%
def batch_norm(x, weight, bias, running_mean, running_var, training,
               momentum=0.1, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean = x.mean((0, 2, 3))
        var = x.var((0, 2, 3), correction=0)
        n = x.numel() / x.shape[1]  # numbers in a channel
        running_mean += momentum * (mean - running_mean)
        unbiased = var * n / (n - 1)  # as PyTorch keeps it
        running_var += momentum * (unbiased - running_var)
    x = (x - mean[:, None, None]) / (var[:, None, None] + eps).sqrt()
    return weight[:, None, None] * x + bias[:, None, None]

# %% [markdown]
# We give ours and PyTorch's three batches in training mode, then one in evaluation mode:

# %%
torch.manual_seed(SEED)
norm = nn.BatchNorm2d(4).double().requires_grad_(False)
nn.init.uniform_(norm.weight, 0.5, 2)
nn.init.normal_(norm.bias)
running_mean, running_var = torch.zeros(4).double(), torch.ones(4).double()
for training in (True, True, True, False):
    x = 3 + 2 * torch.randn(16, 4, 8, 8).double()
    y = batch_norm(x, norm.weight, norm.bias, running_mean, running_var,
                   training)
    agree(f"ours and `nn.BatchNorm2d`, training {training}", y,
          norm.train(training)(x), within=1e-12)
agree("the running variances", running_var, norm.running_var, within=1e-12)

# %% [markdown]
# Published notes write √σ² + ε where √(σ² + ε) is meant. For a channel that hardly varies, with σ² = 10⁻⁸, the slip
# blows the noise up thirtyfold.
#
# In evaluation mode, the layer multiplies each channel by a fixed number and adds another. The convolution before it
# can do that by itself, so after training the two are *folded* into one.

# %%
before = nn.Conv2d(3, 4, 3, bias=False).double().requires_grad_(False)
scale = norm.weight / (norm.running_var + norm.eps).sqrt()
folded = nn.Conv2d(3, 4, 3).double().requires_grad_(False)
folded.weight.copy_(before.weight * scale[:, None, None, None])
folded.bias.copy_(norm.bias - norm.running_mean * scale)
x = torch.randn(8, 3, 32, 32).double()
agree("one folded layer and the two", folded(x), norm.eval()(before(x)),
      within=1e-12)

# %% [markdown]
# ### Does it matter for learning?
#
# How much is all this worth in training, and would He's weights have done as well? A script compares them on three
# networks: a plain one of twenty layers, `small_vgg`, and the published one at a quarter of its widths, which
# normalises only once, near its end. Where batch normalisation is taken out, convolutions get a bias that begins at 0.
# All train on 5,000 images, flipped and shifted at random, for ten epochs. One seed chooses among four peaks of the
# learning rate (.0003, .001, .003, .01) by the validation images, and five others judge it.

# %%
def judged(name, *keys):
    groups = {}
    for run in recorded_runs(name):
        if run["seed"] > 0:  # seed 0 chose the peak of the learning rate
            key = tuple(run[key] for key in keys)
            groups.setdefault(key, []).append(run)
    return groups

# %% [markdown]
# The means of the five:

# %%
for (network, start), own in judged("starts", "network", "start").items():
    new = mean_and_spread([run["valid"]["accuracy"] for run in own])
    print(f"{network:26}{start:26}{new}   (peak {own[0]['peak']})")

# %% [markdown]
# From PyTorch's weights, the twenty layers hardly learn: four of five seeds end at a fifth of the images, and one at a
# tenth, which is chance. He's weights reach a third, and batch normalisation more. In the same order, `small_vgg` gains
# some nine points each time. The published network is shallow and normalises before its linear layers. There He's
# weights did harm, in its convolutions and more so *everywhere*, in its linear layers too. Why, we do not know.
#
# ### Find the bug: dropout before batch normalisation
#
# The published network drops half of its features, and then normalises them: `Dropout(0.5)`, `Flatten`, `BatchNorm1d`.
#
# > **Find the bug.** Which variance does the layer note in training, and which does it meet in evaluation?

# %% tags=["answer"]
torch.manual_seed(SEED)
x = torch.randn(1_000_000).relu()
print(f"after dropout: {F.dropout(x, 0.5).var():.2f}, without: {x.var():.2f}")

# %% tags=["answer"]
published = networks.cifar_net()
published[11].momentum = None  # its BatchNorm1d notes plain statistics
images = next(iter(batches(cifar.train.take(400), 400)))[0]
with torch.no_grad():
    published.train()(images)
    normalised = published.eval()[:12](images)

# %% tags=["answer", "claim"]
claim("Before any training, the published network's normalised features have "
      "a variance of {value:.2f} in evaluation instead of 1.",
      normalised.var(0).mean(), at_most=0.4)

# %% [markdown]
# In training, half of the numbers are 0 and the others doubled, so they vary more than the plain ones do, and more so
# the larger their mean is. The layer notes the larger variance, and in evaluation divides by too much. To mend it,
# leave the dropout out, or put it after the last normalisation.
#
# ## Shortcuts
#
# With He's weights and batch normalisation, networks could grow deep. In 2015, K. He and others compared plain networks
# of 20 and 56 layers on CIFAR-10, and the deeper one was worse, *on the training images too*. So it did not overfit: it
# failed to learn what the smaller network could, although it only had to copy that network and let 36 layers do
# nothing. Doing nothing, it seems, is hard to learn. Their remedy makes it easy: let some layers learn only what to
# *add* to their input.

# %%
class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)

# %% [markdown]
# Where the layers answer 0, the block passes its input on untouched, and the gradient back. Now we can build a network
# of any depth, with or without these shortcuts around each pair of convolutions.

# %%
def pair(width, residual):
    layers = [*conv(width, width), *conv(width, width)]
    last_relu = layers.pop()  # it comes after the sum
    block = Residual(*layers) if residual else nn.Sequential(*layers)
    return nn.Sequential(block, last_relu)

# %% [markdown]
# And the whole network:

# %%
def deep_net(depth, residual, width=16):  # stride 2 saves time
    layers = [nn.Conv2d(3, width, 4, stride=2, padding=1, bias=False),
              nn.BatchNorm2d(width), nn.ReLU()]
    for pool in (nn.MaxPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)):
        for _ in range((depth - 2) // 6):  # pairs in each third
            layers.append(pair(width, residual))
        layers.append(pool)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 10))

# %% [markdown]
# Both have equally many parameters. We train each with three seeds.
#
# > **Predict before you run.** Twenty layers, five epochs. Which kind learns faster, and by how much?

# %% tags=["answer"]
DEVICE = device()
options = {"channels_last": True, "device": DEVICE}
few = batches(cifar.train.take(IMAGES), 64, shuffle=True, **options)
asked = cifar.valid.take(ASKED)
some = batches(asked, 1_000, **options)

# %% tags=["answer"]
reached = {"plain": [], "residual": []}
for name, accuracies in reached.items():
    for seed in range(SEED, SEED + RUNS):
        torch.manual_seed(seed)
        model = deep_net(20, name == "residual")
        model = model.to(DEVICE, memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters())
        cycle = OneCycleLR(optimizer, 0.01, total_steps=EPOCHS * len(few))
        run = fit(model, few, some, optimizer, epochs=EPOCHS,
                  scheduler=cycle, scheduler_step="batch")
        accuracies.append(run[-1].valid.accuracy)

# %% tags=["answer"]
for name, accuracies in reached.items():
    print(f"{name:9} {mean_and_spread(accuracies)} of new images")

# %% tags=["answer", "claim"]
stated = (IMAGES, EPOCHS, RUNS) == (2_500, 5, 3)
claim.measured("With shortcuts, {value:.0%} more of the validation images "
               "are right, the mean of three seeds.",
               mean(reached["residual"]) - mean(reached["plain"]),
               data=cifar, stated=stated)

# %% [markdown]
# Is the plain network worse, then, or merely slower? A script trained both kinds on 5,000 images, without augmentation:
# twenty layers for ten epochs and for forty, and 56 layers for ten. Again one seed chose the peak, from three, and
# others judged it.

# %%
long = {}
groups = judged("cifar_depth", "depth", "epochs", "residual")
for (depth, epochs, residual), own in groups.items():
    kind = "residual" if residual else "plain"
    seen = mean_and_spread([run["train"]["accuracy"] for run in own])
    new = mean_and_spread([run["valid"]["accuracy"] for run in own])
    print(f"{depth} layers, {epochs} epochs, {kind:9} seen {seen} new {new}")
    if epochs == 40:
        long[kind] = own

# %% [markdown]
# The long runs, epoch by epoch:

# %% mystnb={"image": {"alt": "Accuracy over forty epochs for networks of twenty layers, in two panels. On seen images the plain network climbs more slowly and almost meets the residual one at the end. On new images it stays below."}}
panels = {}
for title, split in (("seen images", "train"), ("new images", "valid")):
    panels[title] = {}
    for kind, own in long.items():
        epochs = zip(*[run[f"{split}_accuracy"] for run in own], strict=True)
        panels[title][kind] = [mean(accuracies) for accuracies in epochs]
plots.curves(range(1, 41), panels, columns=2, xlabel="epoch",
             ylabel="accuracy", percent=True,
             title="Plain layers catch up on seen images, not on new")

# %% [markdown]
# With twenty layers the plain network is slower. In the runs of ten epochs it learned half of its training images, and
# the residual one three quarters; in those of forty, both learned nearly all. But on new images the plain one is still
# behind, so it is worse as well. With 56 layers it has hardly begun after ten epochs, while the residual network
# learned more than with twenty. On new images it does no better: depth alone bought nothing here.
#
#
# ## Bitten by the two modes
#
# Batch normalisation has a habit that none of our other layers has: in training mode, an image's answer depends on its
# neighbours in the batch. It can bite in three ways. First, take one image in training mode, with maps of one number:

# %%
try:
    nn.BatchNorm2d(192).train()(torch.randn(1, 192, 1, 1))
except ValueError as error:
    print(error)

# %% [markdown]
# One number has no spread, so the layer refuses. The second bite is silent. We take the residual network that we have
# just trained, and forget `eval()`.
#
# > **Predict before you run.** The weights stay as they are. How much accuracy is lost in batches of 2, and of 128? And
# > if the images come sorted by class?

# %% tags=["answer"]
def eval_forgotten(model, images, size):
    forgotten, right = copy.deepcopy(model).train(), []
    with torch.no_grad():
        for x, y in batches(images, size, **options):
            right.append(forgotten(x).argmax(1) == y)
    return torch.cat(right).float().mean().item()

# %% tags=["answer"]
order = asked.y.argsort()
by_class = Images(asked.x[order], asked.y[order], asked.mean, asked.std)
exact = evaluate(model, some).accuracy

# %% tags=["answer"] mystnb={"image": {"alt": "Accuracy over the size of the batches in which the validation images are scored. In evaluation mode a level line. With eval forgotten, shuffled images lose much in batches of two and little in large ones; sorted images lose most in every size."}}
sizes = [2, 8, 32, 128]
lines = {"eval()": [exact] * len(sizes)}
for name, images in {"shuffled": asked, "sorted by class": by_class}.items():
    lines[name] = [eval_forgotten(model, images, size) for size in sizes]
plots.curves(sizes, lines, log="x", xlabel="images in a batch",
             ylabel="accuracy", percent=True,
             title="Without eval(), an image's neighbours answer too")

# %% tags=["answer", "claim"]
claim.measured("In sorted batches of 128, a forgotten `eval()` costs "
               "{value:.0%} of the images.",
               exact - lines["sorted by class"][-1], data=cifar,
               stated=stated and ASKED == 2_000)

# %% [markdown]
# Shuffled, large batches lose little, since their mean is everybody's. In a batch of nothing but dogs, what the dogs
# have in common is subtracted as "the mean of this batch", and the network no longer sees it. The third bite: merely
# running a network in training mode *changes* it, even under `no_grad()`.

# %%
touched = copy.deepcopy(model).train()
with torch.no_grad():
    for x, _ in batches(by_class, 8, **options):
        touched(x)
print(f"in evaluation mode before: {exact:.1%}, "
      f"after: {evaluate(touched, some).accuracy:.1%}")

# %% [markdown]
# No weight has moved, but the running statistics have: the last 25 batches were all of one class.
#
# ## Since 2016
#
# Many later blocks are about thrift, at first for phones. We build two of these and three others, and then ask what
# each costs.
#
# A 3×3 convolution does two jobs at once: it looks around, and it mixes channels. A **depthwise separable** convolution
# (MobileNet, 2017) separates the two. With `groups=width`, each channel gets a kernel of its own and looks around in
# its own map only. Then a 1×1 convolution mixes the channels.

# %%
def separable(width):
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width),  # depthwise
        nn.Conv2d(width, width, 1),
    )

# %% [markdown]
# Since looking around is now cheap, more channels can do it. An **inverted bottleneck** (MobileNetV2, 2018) widens
# (there six times, here four), looks around, and narrows again, with a shortcut around it all. The last layer has no
# ReLU, which would lose too much of so few channels.

# %%
def inverted(width, factor=4):
    wide = factor * width
    return Residual(
        nn.Conv2d(width, wide, 1), nn.ReLU(),
        nn.Conv2d(wide, wide, 3, padding=1, groups=wide), nn.ReLU(),
        nn.Conv2d(wide, width, 1),
    )

# %% [markdown]
# **Squeeze-and-excitation** (2018) lets a block turn its channels up or down by what it sees in the whole image: *there
# is grass here, so listen to the fur detectors*. A global average squeezes each channel into one number. Two small
# layers turn these into a factor between 0 and 1 for each channel.

# %%
class SqueezeExcitation(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.factors = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width // 4, 1),
            nn.ReLU(), nn.Conv2d(width // 4, width, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.factors(x)

# %% [markdown]
# **GELU** (2016) is a ReLU with a round corner: x times the share of a normal distribution that is below x. **Group
# normalisation** (2018) takes mean and variance over a few channels of *one* image. It needs no batch and has only one
# mode, so it cannot bite.

# %%
x = torch.randn(2, 8, 4, 4).double()
share_below = torch.distributions.Normal(0, 1).cdf(x)
agree("x times that share and `F.gelu`", x * share_below, F.gelu(x),
      within=1e-12)

# %% [markdown]
# Over two channels at a time:

# %%
groups = x.view(2, 4, -1)  # image, group of two channels, all their numbers
var, mu = torch.var_mean(groups, 2, correction=0, keepdim=True)
by_hand = ((groups - mu) / (var + 1e-5).sqrt()).view(x.shape)
agree("group normalisation by hand and `F.group_norm`", by_hand,
      F.group_norm(x, 4), within=1e-12)

# %% [markdown]
# Now for the bill. Each block gets 64 images, 64 channels of 16×16 numbers, for one forward and one backward pass.
#
# > **Predict before you run.** The separable convolution needs an eighth of the multiply-adds. Will it take an eighth
# > of the time?

# %%
WIDTH = 64
BLOCKS = {
    "3×3": nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
    "1×1": nn.Conv2d(WIDTH, WIDTH, 1),
    "depthwise 3×3": nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH),
    "separable": separable(WIDTH),
    "inverted bottleneck": inverted(WIDTH),
    "squeeze-and-excitation": SqueezeExcitation(WIDTH),
    "batch norm": nn.BatchNorm2d(WIDTH),
    "group norm": nn.GroupNorm(8, WIDTH),
    "ReLU": nn.ReLU(),
    "GELU": nn.GELU(),
}

# %% tags=["answer"]
macs = {}
print(" " * 24 + "parameters   million   ms on this\n"
      + " " * 24 + "           multiply-adds  machine, now")

# %% tags=["answer"]
for name, block in BLOCKS.items():
    macs[name] = count_macs(block, (1, WIDTH, 16, 16))
    ms = step_milliseconds(block.to(DEVICE), (64, WIDTH, 16, 16))
    print(f"{name:24}{count_parameters(block):10,}   "
          f"{macs[name] / 1e6:7.2f}   {ms:10.1f}")

# %% tags=["answer", "claim"]
claim("The separable convolution needs {value:.0%} of the multiply-adds of "
      "the 3×3.", macs["separable"] / macs["3×3"], equals=0.127, within=0.005)

# %% [markdown]
# An eighth of the multiply-adds did not take an eighth of the time. On our two cores it was between a quarter and a
# half. The main reason is probably how often a number is used once it is fetched from memory. A 3×3 convolution with 64
# channels uses each in 9·64 products. A depthwise one uses it in nine, and then has to wait for the next. The inverted
# bottleneck has fewer multiply-adds than the 3×3, and took two to four times as long: nearly all its layers work on
# maps with 256 channels. Lesson 16 measures this limit, the speed of memory.
#
# So count multiply-adds to understand a block, and time it before you choose it.
#
# ## Which of them earn their place?
#
# Each part is against one trouble, so ask which troubles you have:
#
# 1. *A number in the last map sees too little.* Stack 3×3 convolutions with pooling between them.
# 2. *Most of the parameters are in one linear layer.* Average each map first.
# 3. *A deep plain network does not begin to learn.* Put batch normalisation after each convolution. He's weights help
#    less, and did harm where a layer normalises already.
# 4. *Batches are small, or an answer must not depend on its neighbours.* Use group normalisation.
# 5. *More layers learn less.* Add shortcuts.
# 6. *Multiply-adds are scarce, as on a phone.* Use separable convolutions, after timing them there.
#
# Normalisation, initial weights and shortcuts we have seen in training. The other parts we have only built, counted and
# timed.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. A folded solution follows each exercise.
#
# ### Exercise 12.1 · Count, and remember
#
# Batch normalisation follows a convolution with 64 filters. How many parameters does it learn? And if one channel has
# the mean 2 in each of the first three batches, what is its running mean then, to three decimal places? (The momentum
# is 0.1.) Give both as a pair.

# %%
learned_and_running = ...
check("12.1", learned_and_running)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 12.1
gap_solution = 2 * 0.9**3  # each batch leaves nine tenths of the gap to 2
learned_and_running_solution = (2 * 64, 2 - gap_solution)
assert check("12.1", learned_and_running_solution)

# %% [markdown]
# ### Exercise 12.2 · A bottleneck
#
# In the deepest residual networks, a block takes 256 channels to 64 by a 1×1 convolution, then 64 to 64 by 3×3, then
# back to 256 by 1×1. How many weights, without biases, have its three convolutions? And how many have two 3×3
# convolutions that keep all 256 channels? Give a pair.

# %%
bottleneck_and_plain = ...
check("12.2", bottleneck_and_plain)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 12.2
bottleneck_solution = 256 * 64 + 64 * 64 * 9 + 64 * 256
bottleneck_and_plain_solution = (bottleneck_solution, 2 * 256 * 256 * 9)
assert check("12.2", bottleneck_and_plain_solution)

# %% [markdown]
# ### Exercise 12.3 · A gentler ReLU
#
# *Leaky ReLU* multiplies negative numbers by a factor, here 0.5, instead of cutting them off. What standard deviation
# do the weights of a 5×5 convolution with 16 input channels need, to four decimal places, so that the variance stays
# the same from layer to layer?

# %%
gentle_std = ...
check("12.3", gentle_std)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 12.3
kept_solution = (1 + 0.5**2) / 2  # half as it is, half of it times a quarter
gentle_std_solution = (1 / (kept_solution * 16 * 5 * 5)) ** 0.5
assert check("12.3", gentle_std_solution)

# %% [markdown]
# ### Exercise 12.4 · Fold any pair
#
# Write `fold(conv, bn)`, which returns a new `nn.Conv2d` that answers as `bn(conv(x))` does in evaluation mode. `conv`
# may have a bias, a stride and a padding. Leave both layers as they are, whatever their mode.

# %%
def fold(conv, bn):
    ...


check("12.4", fold)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 12.4
def fold_solution(conv, bn):
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    new = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size,
                    stride=conv.stride, padding=conv.padding).to(conv.weight)
    bias = 0 if conv.bias is None else conv.bias
    new.weight.data = conv.weight.data * scale.data[:, None, None, None]
    new.bias.data = (bn.bias + (bias - bn.running_mean) * scale).data
    return new


assert check("12.4", fold_solution)

# %% [markdown]
# ### Exercise 12.5 · When the shapes differ
#
# Write the class `Block(before, width, stride)`, as in ResNet. Its f is a 3×3 convolution with this stride, batch norm,
# ReLU, a 3×3 convolution, batch norm. Then come the sum and ReLU. Apart from the stride, all convolutions keep the
# size, and none has a bias. Where x and f(x) have the same shape, the shortcut is x itself, else a 1×1 convolution with
# this stride, and batch norm. (Use no more `nn.Conv2d` and `nn.BatchNorm2d` layers than you need.)

# %%
class Block(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()

    def forward(self, x):
        ...


check("12.5", Block)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 12.5
class Block_solution(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Identity()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, width, 1, stride=stride, bias=False),
                nn.BatchNorm2d(width))

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.f(x))


assert check("12.5", Block_solution)

# %% [markdown]
# ### Exercise 12.6 · Fresh statistics
#
# When somebody changes a network's weights by hand, its running statistics still describe the old ones. Write
# `refresh(model, loader)` without PyTorch's `update_bn`. It returns the same model, in which the running statistics of
# each `nn.BatchNorm2d` are now the plain means over the batches of `loader`, which gives pairs (x, y). Weights, mode
# and momentum stay as they were. (`momentum = None` asks for plain means, and `reset_running_stats()` forgets the old
# ones.)

# %%
def refresh(model, loader):
    ...


check("12.6", refresh)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 12.6
@torch.no_grad()
def refresh_solution(model, loader):
    mode = model.training
    layers = [layer for layer in model.modules()
              if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    model.train()
    for x, _ in loader:
        model(x)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(mode)
    return model


assert check("12.6", refresh_solution)

# %% [markdown]
# ### Exercise 12.7 · After dropout
#
# Numbers with the given `mean` and `variance` go through dropout, which sets each to 0 with probability p and divides
# the others by 1 − p. Write `variance_after(mean, variance, p)`. (The variance is the mean of the squares, less the
# square of the mean.)

# %%
def variance_after(mean, variance, p):
    ...


check("12.7", variance_after)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 12.7
def variance_after_solution(mean, variance, p):
    squares = (variance + mean**2) * (1 - p)  # fewer of them
    return squares / (1 - p) ** 2 - mean**2  # each larger; the mean stays


for mean_solution in (0, 1, 2):
    times_solution = variance_after_solution(mean_solution, 1, 0.5)
    print(f"p = .5, variance 1, mean {mean_solution}: "
          f"{times_solution:g} times the variance")
assert check("12.7", variance_after_solution)

# %% [markdown]
# ### An open question
#
# No checker answers this one, so argue about it with somebody. Batch normalisation was published as a remedy for
# *internal covariate shift*: each layer must keep up with the changing outputs of the one before. Three years later,
# others added such shifts on purpose, and networks with it learned as well as before. Which experiment of this lesson
# shows that it works, and which one could show why?
#
# ## What you can do now
#
# 1. Mix channels by 1×1 convolutions, and end with a global average.
# 2. Follow the signal: He's weights keep its size, normalisation restores it, a shortcut passes it on.
# 3. Write batch normalisation. Call `eval()`, put no dropout before it, and fold it for use.
# 4. Build x + f(x), with a 1×1 convolution where the shapes differ.
# 5. Ask what a newer block costs in parameters, multiply-adds and milliseconds on your machine.
#
# ## Further reading
#
# - S. Ioffe and C. Szegedy, *Batch normalization* (2015). S. Santurkar and others (2018) added the shifts.
# - K. He and others, *Delving deep into rectifiers* (2015) and *Deep residual learning for image recognition* (2016).
# - M. Lin and others, *Network in network* (2014); C. Szegedy and others, *Going deeper with convolutions* (2015).
# - X. Li and others, *Understanding the disharmony between dropout and batch normalization* (2019).
# - M. Sandler and others, *MobileNetV2* (2018); J. Hu and others, *Squeeze-and-excitation networks* (2018); Y. Wu and
#   K. He, *Group normalization* (2018).
