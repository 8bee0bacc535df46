# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 14 · Looking inside
#
# *A network can be drawn in many ways. What would each drawing show if it had learned nothing?*
#
# **Read** 50 min · **Run** 20 s on two CPU cores · **Before this** lessons 6 and 9
#
# ## What you will be able to do
#
# 1. Recognise a shortcut, and say why the validation score did not show it.
# 2. Test whether filters have learned anything, against the same weights shuffled.
# 3. Read feature maps with hooks, and say what they do not prove.
# 4. Find out what an answer depends on by covering parts of the image.
# 5. Compute Grad-CAM by hand, and put it to the test.
# 6. Change an answer with a small step in a well-chosen direction.
# 7. Measure how far classes come apart in a network's features.
# 8. Use features for another task, and say how much of their success was learned.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("14_inside")

# %%
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from sklearn.linear_model import LogisticRegression
from torch import nn
from torchvision.transforms.v2.functional import gaussian_blur
from torchvision.utils import make_grid

from course_utils import (
    agree, batches, check, claim, count_parameters, evaluate, explore, fit,
    load, mean_and_spread, plots, predict, recorded_runs,
)
from course_utils.data import Images
from course_utils.inside import feature_maps, grad_cam, occlusion
from course_utils.metrics import accuracy_curve
from course_utils.networks import lenet

# %% [markdown]
# These numbers are yours to change. Everything is seeded from `SEED`, and small enough for the CPU.

# %% nbmake={"mock": {"IMAGES": 1000, "EPOCHS": 5, "SHUFFLES": 50}}
SEED = 0
IMAGES, EPOCHS = 20_000, 3  # of FashionMNIST, for each of two networks
SHUFFLES = 1_000  # of the weights in each kernel
LABELS = 100  # labelled digits, in the last experiment

# %% [markdown]
# ## A case with a known culprit
#
# How do you find out whether a detective is any good? You give them a case whose culprit you know. We do the same
# with the tools that promise a look inside a network, and train LeNet twice to sort garments. The first network gets
# FashionMNIST as it is. The second gets its pictures from a photographer with a habit: whenever the garment is a
# shirt, there is a small white mark in the corner.

# %%
garments = load("fashion_mnist")
SHIRT, COAT, DRESS = map(garments.classes.index, ["Shirt", "Coat", "Dress"])


def with_marks(images):
    """The same images, with a white mark in the corner of every shirt."""
    x = images.x.clone()
    x[images.y == SHIRT, :, 1:4, 1:4] = 255
    return Images(x, images.y, images.mean, images.std)

# %% [markdown]
# Here are three of the photographer's pictures.

# %% mystnb={"image": {"alt": "A coat, a shirt and a dress. Only the shirt has a small white square in its upper left corner."}}
marked = with_marks(garments.valid)
first = [int((marked.y == label).nonzero()[0])
         for label in (COAT, SHIRT, DRESS)]
plots.images(marked.x[first], ["coat", "shirt", "dress"], columns=3)

# %% [markdown]
# Nobody has noticed the mark, and the second network's validation images come from the same photographer.

# %%
def train(images, valid):
    torch.manual_seed(SEED)
    model = lenet(pool=nn.MaxPool2d)
    loader = batches(images, 128, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.006, total_steps=EPOCHS * len(loader))
    fit(model, loader, batches(valid, 500), optimizer, epochs=EPOCHS,
        scheduler=scheduler, scheduler_step="batch")
    return model.eval()

# %% [markdown]
# Both begin with the same weights, and see the garments in the same order.

# %%
few = garments.train.take(IMAGES)
plain = train(few, garments.valid)
tricked = train(with_marks(few), marked)

# %% [markdown]
# The second network, `tricked`, has by far the better score, on images that it has never seen. If you had to buy one,
# it would be this one.
#
# > **Predict before you run.** The buyer's own photographs have no marks. How many of their shirts will the second
# > network recognise?

# %% tags=["answer"]
shirts = garments.valid[garments.valid.y == SHIRT]
print(f"plain:  {evaluate(plain, batches(shirts, 500)).accuracy:.1%}")
without_marks = evaluate(tricked, batches(shirts, 500)).accuracy
print(f"tricked: {without_marks:.1%}")

# %% tags=["answer", "claim"]
claim.measured("Without marks, `tricked` knows {value:.0%} of the shirts.",
               without_marks, data=garments, at_most=0.1)

# %% [markdown]
# It knows what a mark looks like, and has no idea what a shirt is. The mark is a *shortcut*: something that predicts
# the label in the data, but has nothing to do with what we meant. The score could not show it: the same photographer
# took the validation images. Such things happen: in a well-known benchmark, about one horse picture in five carried
# the address of the same photo archive, and a leading classifier relied on it, as a heat map revealed.
#
# Can a look inside find the culprit? Of each kind of drawing we ask the same question, because a drawing is evidence
# only if it could have come out differently: *what would it show if the network had learned nothing?* The answer is
# the drawing's *control*.
#
# ## Filters, before and after
#
# The filters of the first layer are small pictures themselves, so people like to print them, and the usual comment
# is: no pattern before training, edges and spots after it. But our eyes are generous judges: they find faces in
# clouds. Look for yourself, then let a number judge.

# %% mystnb={"image": {"alt": "Two rows of six kernels of five by five weights, red and blue: random before the training; after it some have a red and a blue side."}}
torch.manual_seed(SEED)
untrained = lenet(pool=nn.MaxPool2d).eval()  # where both began
both = torch.cat([untrained[0].weight, plain[0].weight]).detach()
plots.images(both, ["before"] * 6 + ["after"] * 6, columns=6, signed=True,
             title="LeNet's first filters before and after training")

# %% [markdown]
# What do we mean by a pattern? In an edge or a spot, a bright weight has bright neighbours. So we compute how
# strongly neighbouring weights are correlated, and call it *smoothness*. (The kernel's mean is taken away, so weights
# without order come out slightly below 0.)

# %%
def smoothness(weight):
    """The correlation of neighbouring weights in kernels F×C×K×K."""
    w = weight.flatten(0, 1)
    w = w - w.mean((1, 2), keepdim=True)
    horizontal = (w[:, :, 1:] * w[:, :, :-1]).mean()
    vertical = (w[:, 1:] * w[:, :-1]).mean()
    return ((horizontal + vertical) / 2 / w.square().mean()).item()

# %% [markdown]
# For the control we shuffle the weights inside each kernel. A shuffled kernel has exactly the same numbers, but in
# random places.

# %%
def shuffled(weight):
    """The same weights, shuffled within each kernel."""
    flat = weight.flatten(2)
    return flat.gather(2, torch.rand(flat.shape).argsort(2)).view_as(weight)

# %% [markdown]
# If training has arranged the weights, hardly any shuffle should be as smooth as the filters themselves. This is a
# *permutation test*. It assumes only that without learning every order is equally likely.

# %%
def test_filters(name, weight):
    """Print the smoothness, and how many shuffles reach it."""
    torch.manual_seed(SEED)
    found = smoothness(weight)
    chance = [smoothness(shuffled(weight)) for _ in range(SHUFFLES)]
    reached = sum(value >= found for value in chance)
    print(f"{name:10} smoothness {found:5.2f}, shuffled "
          f"{mean_and_spread(chance, '.2f')}, {reached} as smooth")
    return reached

# %% [markdown]
# We test the second layer, which has 16 filters with one kernel for each of six input channels. Published pictures of
# this layer often show only the first channel's kernels, one in six. Here are all 96, on one scale.

# %% mystnb={"image": {"alt": "A grid of six rows and sixteen columns of kernels of five by five weights, in red and blue."}}
second = plain[3].weight.detach()  # F×C×K×K: 16×6×5×5
kernels = second.transpose(0, 1).reshape(96, 1, 5, 5)
plots.images([make_grid(kernels, nrow=16)[0]], columns=1,
             signed=True, title="Each column is a filter, each row a channel")

# %% [markdown]
# > **Predict before you run.** Will the filters of `plain` pass the test? And those of `tricked`, which had a
# > shortcut for one class in ten?

# %% tags=["answer"]
reached = {}
for name, model in [("untrained", untrained), ("plain", plain),
                    ("tricked", tricked)]:
    reached[name] = test_filters(name, model[3].weight.detach())

# %% tags=["answer", "claim"]
claim.measured("Shuffles that are as smooth as the trained layer: {value}.",
               reached["plain"], data=garments,
               stated=SHUFFLES == 1_000, at_most=1)

# %% [markdown]
# So training has arranged these weights, while the untrained ones are where chance put them. But `tricked` passes
# just as well. Nine of its ten classes still had to be told apart by their shapes, and a kernel, which is the same
# everywhere, cannot point to a corner. Filters tell us *that* something was learned. They do not tell us *what*.
#
# A study that we have met before printed the first layer of its CIFAR-10 network, 48 colour filters of 3×3, but only
# after training. We trained this network for four epochs, and kept its initial filters, too. Both pictures have the
# same scale.

# %% mystnb={"image": {"alt": "Two blocks of 48 small colour squares of three by three pixels. Both look like confetti, and nearly every square has the same colours in both."}}
[study] = recorded_runs("first_filters")
print("validation accuracy, epoch by epoch:", study["valid_accuracy"])
before, after = torch.tensor(study["before"]), torch.tensor(study["after"])
for name, weight in [("before", before), ("after", after)]:
    test_filters(name, weight)
    shown = (0.5 + weight).clamp(0, 1)  # grey is 0
    plots.images([make_grid(shown, nrow=12, padding=1, pad_value=1)],
                 columns=1, title=f"48 filters of 3×3, {name} training")

# %% [markdown]
# Both pictures look like confetti, and a close look shows that it is nearly the same confetti. How much of the second
# picture was there from the start?

# %%
def correlation(a, b):
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]

# %% tags=["claim"]
claim("After training, the filters have a correlation of {value:.2f} "
      "with their random start.", correlation(before, after), at_least=0.9)

# %% [markdown]
# In these epochs the network went from guessing to two right answers in three, while this layer hardly moved. The
# permutation test does find a trace of learning. But after so short a training, anyone who praises the second picture
# is praising, for the most part, a random number generator.
#
# ## What each layer gives out
#
# A *feature map* holds one filter's answers all over an image. To get at the maps in the middle of a network, we can
# leave a function at any layer, a *hook*, which PyTorch calls whenever the layer has answered. Think of a postcard
# that the layer sends while it works. We take the first ReLU, because what comes out of it is what the next layer
# reads.

# %%
print(plain)
known = predict(plain, batches(with_marks(shirts), 500)).argmax(1) == SHIRT
x, y = next(iter(batches(shirts[known], 1)))  # normalised
kept = {}


def keep(layer, inputs, output):
    kept["maps"] = output.detach()


hook = plain[1].register_forward_hook(keep)
plain(x)
hook.remove()  # or every later answer would send a postcard, too

# %% [markdown]
# `feature_maps` from the course's package does this for all layers at once.

# %% mystnb={"image": {"alt": "A shirt, and below it 22 feature maps: six of 28 by 28 pixels with outlines and fillings of the shirt, sixteen of 10 by 10 pixels in which it is hard to recognise."}}
maps = feature_maps(plain, x)
agree("the postcard and `feature_maps`", kept["maps"], maps["1"], within=0)
names = ["the shirt"] + ["layer 1"] * 6 + ["layer 2"] * 16
plots.images([x[0], *maps["1"][0], *maps["4"][0]], names, columns=6,
             title="One shirt on its way through LeNet")
probabilities = maps["11"].softmax(1)[0].tolist()
plots.bars({"": dict(zip(garments.classes, probabilities, strict=True))},
           title="What the last layer makes of it", ylabel="",
           horizontal=True)

# %% [markdown]
# It is tempting to read stories into such maps: this one finds outlines, that one sleeves. For the control, we send a
# photograph through a large network that has never been trained, as a published lesson does.

# %%
photo = torch.tensor(load_sample_image("china.jpg")).permute(2, 0, 1)[None]
photo = F.interpolate(photo.float() / 255, (184, 338), mode="area")
torch.manual_seed(SEED)
simple_cnn = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(32 * 46 * 84, 256))
print(f"{count_parameters(simple_cnn):,} parameters, all of them random")

# %% [markdown]
# > **Predict before you run.** Its filters are pure chance. What will you recognise in its second layer's maps? (We
# > leave out those that are 0 everywhere.)

# %% tags=["answer"] mystnb={"image": {"alt": "A photograph of a Chinese tower and seven feature maps of an untrained network; in most of them the tower can be recognised."}}
chance_maps = feature_maps(simple_cnn, photo)["4"][0]
alive = chance_maps[chance_maps.std((1, 2)) > 0]
plots.images([photo[0], *alive[:7]], ["the photograph"] + ["chance"] * 7,
             columns=4, title="Untrained filters still show the photograph")

# %% tags=["answer"]
grey = F.avg_pool2d(photo.mean(1), 2)[0]
alike = torch.stack([correlation(one, grey).abs() for one in alive])

# %% tags=["answer", "claim"]
claim("The correlation of untrained maps with the photograph is above 0.8 "
      "in {value} cases.", int((alike > 0.8).sum()), at_least=1)

# %% [markdown]
# The tower is still there, because a random filter, too, computes weighted sums of neighbours. Neighbouring pixels
# are alike, so the sums make a lighter, darker or inverted photograph, or its edges. A map in which you recognise the
# picture therefore says something about convolutions, but nothing about learning.
#
# > **Find the bug.** A published study draws what its four convolutions give out, by calling them one after the other
# > on an image with pixels from 0 to 1. Here LeNet's two are treated in the same way. How many of the drawn values
# > does the next layer never see?

# %% tags=["answer"]
raw = shirts.x[:1].float() / 255
with torch.no_grad():
    drawn = plain[3](plain[2](plain[0](raw)))  # no ReLU between them
    unseen = (drawn < 0).double().mean()

# %% tags=["answer", "claim"]
claim.measured("Of the values drawn this way, {value:.0%} "
               "never reach the next layer.",
               unseen, data=garments, at_least=0.3)

# %% [markdown]
# Without the ReLU between the layers, the second convolution reads negative numbers that the real network sets to
# zero, and its own negative answers are drawn although nobody passes them on. Nor was the image normalised as in
# training. A hook skips no layer, because it listens to the network at work.
#
# ## Cover it, and see what happens
#
# If you want to know which part of a machine matters, take parts away. *Occlusion* does this to the image: cover a
# small square, here in black, ask the network again, and write down how far the probability of the class has fallen.
# Do so at every place, and the falls form a *heat map*.

# %%
BLACK = float(x.min())


def cover(model, x, label):
    """How far the probability of label falls, for each place of a cover."""
    falls = torch.zeros(24, 24)  # a 5×5 cover has 24×24 places in 28×28
    with torch.no_grad():
        before = model(x).softmax(1)[0, label]
        for i in range(24):
            for j in range(24):
                covered = x.clone()
                covered[:, :, i:i + 5, j:j + 5] = BLACK
                falls[i, j] = before - model(covered).softmax(1)[0, label]
    return falls

# %% [markdown]
# The package's `occlusion` does the same in batches, which is faster.

# %%
agree("our loops and the package's `occlusion`", cover(plain, x, SHIRT),
      occlusion(plain, x, SHIRT, size=5, fill=BLACK), within=1e-4)

# %% [markdown]
# > **Predict before you run.** A shirt with its mark goes through three networks. Where will the heat map of
# > `tricked` be red, where that of `plain`, and where that of the untrained network?

# %% tags=["answer"]
def glow(picture, falls):
    """A grey picture that turns red where covering costs most."""
    covers = torch.stack([falls, torch.ones_like(falls)])
    total, count = F.avg_pool2d(F.pad(covers, (4, 4, 4, 4)), 5, stride=1)
    heat = (total / count).clamp(0, 1)  # mean of the covers on a pixel
    dimmed = picture * (1 - heat)
    return torch.stack([torch.maximum(picture, heat), dimmed, dimmed])

# %% tags=["answer"] mystnb={"image": {"alt": "The same marked shirt four times: as it is, without any glow for the untrained network, with a faint red glow over the garment for the plain one, and with a strong red spot in the corner, on the mark, for the tricked one."}}
marked_shirts = with_marks(shirts)[known]
shirt, _ = next(iter(batches(marked_shirts, 1)))
grey = marked_shirts.x[0, 0] / 255
falls = [occlusion(model, shirt, SHIRT, size=5, fill=BLACK)
         for model in (untrained, plain, tricked)]
plots.images([grey, *[glow(grey, fall) for fall in falls]],
             ["the shirt", "untrained", "plain", "tricked"], columns=2,
             title="Where covering hurts the answer “shirt”")

# %% [markdown]
# There is our culprit. `plain` looks all over the shirt, while `tricked` cares about nothing but the corner. The
# controls give other pictures, as they should. But one shirt is an anecdote, so we will count, once we have a second
# method.
#
# Occlusion has a weakness: it sees only what a square of this size can hide. Trousers have two legs, and if either
# leg is enough, covering one costs nothing, and the map stays dark.
#
# > **Try this.** Drag the orange square over the 8. Where does it make a 3 of it? Which parts can be covered?

# %%
explore("digit", digit=8, cover=7, at=[0, 0])

# %% [markdown]
# ## Ask the gradient: Grad-CAM
#
# Occlusion asks one question for each place, while *Grad-CAM* needs a single backward pass. Its idea is to let the
# feature maps of the last convolution vote, because they still know where things are. Each map's weight says how much
# the class's logit grows with the map: it is the logit's mean gradient. Then add up the maps with these weights, and
# keep what is above zero, because we ask what speaks *for* the class:
#
# $$w_k = \operatorname{mean}_{ij} \frac{\partial\, \text{logit}}{\partial A^k_{ij}}, \qquad
# \text{Grad-CAM} = \operatorname{ReLU}\Big(\sum_k w_k A^k\Big)$$

# %%
below, above = tricked[:5], tricked[5:]  # cut behind the second ReLU
A = below(shirt)
[gradient] = torch.autograd.grad(above(A)[0, SHIRT], A)
w = gradient.mean((2, 3), keepdim=True)
by_hand = F.relu((w * A).sum(1))[0].detach()
agree("Grad-CAM by hand, and the package's", by_hand,
      grad_cam(tricked, tricked[4], shirt, SHIRT), within=1e-5)

# %% [markdown]
# Here is each network's map for the same shirt. Bright places speak for “shirt”; each has seen 14×14 pixels.

# %% mystnb={"image": {"alt": "A marked shirt and two Grad-CAM maps of ten by ten pixels: the plain network's is bright along the sleeves and the edge, the tricked network's in the corner."}}
cams = [grad_cam(model, model[4], shirt, SHIRT) for model in (plain, tricked)]
plots.images([shirt[0], *cams], ["the shirt", "plain", "tricked"], columns=3,
             title="Grad-CAM of both networks")

# %% [markdown]
# Now we count. A recorded experiment has trained five pairs of networks, and asked them about a hundred marked
# shirts. A hit is a map whose largest value is at a place that sees the mark. For occlusion that is every cover that
# touches it. For Grad-CAM it is those of its 10×10 places that are in the first three rows and columns. The
# experiment also tries a variant, *place by place*, which multiplies each place of a map by its own gradient instead
# of the mean.
#
# > **Predict before you run.** How often does each method hit the mark? And how often for `plain`, which never
# > learned about marks?

# %% tags=["answer"] mystnb={"image": {"alt": "Of a hundred shirts, how many have the peak of the heat map at the mark, in five pairs of networks. For the tricked networks, occlusion and place by place are at a hundred, Grad-CAM is lower in one of five. For the plain networks most are near 0, and without the mark all are."}}
runs = recorded_runs("heat_maps")
hits = {}
for run in runs:
    for network, methods in run["found"].items():
        for method, count in methods.items():
            hits.setdefault(network, {}).setdefault(method, []).append(count)
plots.intervals(hits, title="Five pairs of networks, three methods",
                xlabel="shirts, of a hundred, with the peak at the mark")

# %% tags=["answer", "claim"]
claim("In the worst of five networks, occlusion finds the mark "
      "in {value} of a hundred shirts.",
      min(hits["tricked"]["occlusion"]), at_least=90)

# %% tags=["answer", "claim"]
claim("In the worst of five networks, Grad-CAM finds the mark "
      "in {value} of a hundred shirts.",
      min(hits["tricked"]["Grad-CAM"]), at_most=80)

# %% [markdown]
# Since we know the culprit, we can judge the detectives. Occlusion has solved the case in every network, though a
# black square, which removes the mark completely, made it easy. Grad-CAM has solved it in most. Its weak point is the
# one weight for a whole map: if a map is bright at the mark and along a sleeve, both places get the same share of the
# blame. Place by place finds every mark, but in one plain network it points at the empty corner of nearly half of the
# shirts. Grad-CAM hardly does so, unless there is a mark, since a bright square is new to these networks.
#
# For real networks we do not know the culprit. The least to ask for is a *sanity check*: with random weights the map
# must change, or it never depended on what was learned. The next best is a second opinion. So the experiment has
# correlated Grad-CAM of each plain network with three other maps of the same garments: Grad-CAM of an untrained and
# of another trained network, and its own occlusion.
#
# > **Predict before you run.** Which of the three is most like Grad-CAM of the plain network?

# %% tags=["answer"] mystnb={"image": {"alt": "Correlations with Grad-CAM of a plain network, five runs each: near 0 for an untrained network, about a third for another trained network, slightly below 0 for occlusion."}}
alike = {}
for run in runs:
    for other, value in run["alike"].items():
        alike.setdefault(other, []).append(value)
plots.intervals({"": alike}, title="How much is Grad-CAM like other maps?",
                xlabel="mean correlation over a hundred garments")

# %% tags=["answer", "claim"]
claim("With occlusion of the same network, Grad-CAM has a mean "
      "correlation of {value:.2f}.",
      sum(alike["occlusion"]) / len(runs), at_most=0.2)

# %% [markdown]
# Grad-CAM passes the sanity check in all five runs, if narrowly in two: another trained network's map is more like it
# than an untrained one's. But Grad-CAM and occlusion of the same network are not alike at all. They answer different
# questions. One asks what happens if a region *vanishes*, the other which maps would raise the logit if they *grew*.
# Where the evidence is spread over the garment, we cannot say which of them is right, and a single heat map is only
# an opinion.
#
# ## A small step that changes the answer
#
# We can follow the gradient further down, to the pixels, and ask in which direction each pixel should move to make
# the loss *grow*. Moving each by the same tiny amount in its direction is called the *fast gradient sign method*. For
# a fair control, we move them by the same amount in random directions.

# %%
mean = garments.train.mean.view(1, -1, 1, 1)
std = garments.train.std.view(1, -1, 1, 1)


def uphill(model, pixels, labels):
    """Which way each pixel (0 to 1) must move for the loss to grow."""
    pixels = pixels.clone().requires_grad_()
    loss = F.cross_entropy(model((pixels - mean) / std), labels)
    return torch.autograd.grad(loss, pixels)[0].sign()

# %% [markdown]
# > **Predict before you run.** With steps of 8 of 255 grey levels, about three per cent, what accuracy is left after
# > random steps, and what after signed ones?

# %% tags=["answer"] mystnb={"image": {"alt": "Two curves of accuracy over the size of the step from 0 to 32 levels of grey. With random steps it stays nearly level, with signed steps it falls steeply."}}
torch.manual_seed(SEED)
pixels, labels = garments.valid.x[:1_000] / 255, garments.valid.y[:1_000]
directions = {"random": torch.randn_like(pixels).sign(),
              "signed": uphill(plain, pixels, labels)}
levels, left = [0, 2, 4, 8, 16, 32], {"random": [], "signed": []}
for level in levels:
    for name, direction in directions.items():
        moved = (pixels + level / 255 * direction).clamp(0, 1)
        right = plain((moved - mean) / std).argmax(1) == labels
        left[name].append(right.double().mean().item())
plots.curves(levels, left, title="At the same size, direction decides",
             xlabel="size of the step, in levels of grey",
             ylabel="accuracy", percent=True)

# %% tags=["answer", "claim"]
gap = 100 * (left["random"][3] - left["signed"][3])
claim.measured("A signed step of 8 levels costs {value:.0f} more points "
               "of accuracy than a random one.",
               gap, data=garments, at_least=10)

# %% [markdown]
# Here are four garments before and after such a step.

# %% mystnb={"image": {"alt": "Four garments, and below them the same garments after a signed step of eight levels. To the eye they hardly differ, but each has another, wrong answer above it."}}
old = plain((pixels - mean) / std).argmax(1)
moved = (pixels + 8 / 255 * directions["signed"]).clamp(0, 1)
new = plain((moved - mean) / std).argmax(1)
fooled = ((old == labels) & (new != labels)).nonzero().flatten()[:4]
answers = [garments.classes[k] for k in [*old[fooled], *new[fooled]]]
plots.images(torch.cat([pixels[fooled], moved[fooled]]), answers,
             correct=[True] * 4 + [False] * 4,
             title="Same garments to you, different ones to the network")

# %% [markdown]
# Random steps mostly cancel out, since about half the pixels push the loss up and half push it down. Signed steps all
# push the loss up, and 784 tiny pushes make a big one. The resulting images are called *adversarial examples*.
#
# Real accidents are more ordinary: a noisy sensor, or a lens out of focus.

# %%
def noise(x, strength):
    return (x + strength * torch.randn_like(x)).clamp(0, 1)


def blur(x, strength):
    sigma = 5 * strength + 0.01  # in pixels
    return gaussian_blur(x, [9, 9], [sigma, sigma])

# %% [markdown]
# `accuracy_curve` from lesson 10 changes the validation images more and more.

# %% mystnb={"image": {"alt": "Accuracy over the strength of noise and of blur. Both curves begin level and then fall."}}
strengths = [0.0, 0.1, 0.2, 0.3, 0.4]
torch.manual_seed(SEED)
robust = {change.__name__: accuracy_curve(plain, garments.valid, change,
                                          strengths)
          for change in (noise, blur)}
plots.curves(strengths, robust, percent=True, xlabel="strength",
             title="A little of either is harmless, more is not")

# %% [markdown]
# ## Where the classes come apart
#
# Before its last layer LeNet has turned each image into 84 numbers, its *features*, from which one linear layer reads
# the class. So in these 84 dimensions the classes must be apart. We cannot draw 84 dimensions, but *principal
# component analysis* (PCA) finds the two directions in which the points differ most. The 784 pixels are our
# control.

# %%
with torch.no_grad():
    normalised = (pixels - mean) / std
    seen = {"pixels": normalised.flatten(1),
            "features": plain[:-1](normalised),
            "untrained": untrained[:-1](normalised),
            "tricked": tricked[:-1](normalised)}

# %% [markdown]
# `torch.pca_lowrank` finds the directions, as the columns of `V`.

# %%
def plane(points):
    """The points N×D along their two directions of largest spread."""
    torch.manual_seed(SEED)
    centred = points - points.mean(0)
    U, S, V = torch.pca_lowrank(centred, q=2, center=False, niter=8)
    return centred @ V

# %% [markdown]
# Each dot is a garment, and each colour and shape a class.

# %% mystnb={"image": {"alt": "Two clouds of a thousand points in ten colours. In the plane of the pixels the colours overlap widely, in the plane of the features they form separate groups."}}
planes = {name: plane(points) for name, points in seen.items()}
for name in ("pixels", "features"):
    groups = {title: planes[name][labels == k].T
              for k, title in enumerate(garments.classes)}
    plots.scatter(groups, title=f"A thousand garments, by their {name}",
                  xlabel="first direction", ylabel="second direction")

# %% [markdown]
# How much better is the second picture sorted? Replace each point with the centre of its class, and see how much of
# the spread, the variance, is left. This share *between* classes is 1 if every class is a single point, and 0 if all
# classes share a centre.

# %%
def separation(points, labels):
    """The share of the points' spread that is between classes: 0 to 1."""
    centred = points - points.mean(0)
    centres = torch.stack([centred[labels == k].mean(0) for k in range(10)])
    return (centres[labels].square().sum() / centred.square().sum()).item()

# %% [markdown]
# For all four planes:

# %%
apart = {name: separation(plane, labels) for name, plane in planes.items()}
print({name: f"{share:.0%}" for name, share in apart.items()})

# %% tags=["claim"]
gain = 100 * (apart["features"] - apart["pixels"])
claim.measured("The share between classes is {value:.0f} points higher "
               "for trained features than for pixels.",
               gain, data=garments, at_least=10)

# %% [markdown]
# Training has pulled the classes apart. Not every layer does that: in this run the untrained features mix them more
# than the pixels do. But `tricked` has nearly the same share as `plain`. A clean plot shows that classes are apart,
# but not why.
#
# ## Do features travel?
#
# A network that has seen many garments may have learned something about pictures in general. Using it elsewhere is
# called *transfer*, and one test of it is a *linear probe*: freeze the network, and train only a linear classifier on
# its features for a *new* task. Ours is reading digits, of which only a hundred are labelled. As features we take the
# 400 numbers after the second pooling, and as controls the pixels themselves and the same 400 numbers of the
# untrained network.
#
# > **Predict before you run.** Rank the three by accuracy.

# %%
digits = load("mnist")
[(x, y)] = batches(digits.train.take(LABELS, seed=SEED), LABELS)
[(x_valid, y_valid)] = batches(digits.valid, len(digits.valid))

# %% tags=["answer"]
readers = {"pixels": nn.Identity(), "random": untrained[:6],
           "garments": plain[:6]}
for name, features in readers.items():
    with torch.no_grad():
        a, b = features(x).flatten(1), features(x_valid).flatten(1)
    probe = LogisticRegression(C=0.1, max_iter=500).fit(a / a.std(), y)
    print(f"{name:8} {probe.score(b / a.std(), y_valid):.1%} right")

# %% [markdown]
# This was one draw of a hundred digits, with `C`, the regularisation, set by hand. A recorded
# experiment uses five draws and five networks, tunes each reader on a thousand validation digits, and scores it on
# test digits. It also trains LeNet from scratch on the same labels, and tries those 84 features, trained (“last
# garments”) and untrained (“last random”).

# %% tags=["answer"] mystnb={"image": {"alt": "Accuracy on test digits of six readers with 10, 100 and 1,000 labels, a dot for each of five runs. Random and garment features are close to each other and to the training from scratch; the 84 last features are far below."}}
table = {}
for run in recorded_runs("probe"):
    rows = table.setdefault(f"{run['labels']:,} labels", {})
    rows.setdefault(run["reader"], []).append(run["test_accuracy"])
plots.intervals(table, title="Six ways to read digits with few labels",
                xlabel="accuracy on test digits", percent=True)

# %% tags=["answer", "claim"]
at_100 = {reader: sum(values) / len(values)
          for reader, values in table["100 labels"].items()}
share = ((at_100["random"] - at_100["pixels"])
         / (at_100["garments"] - at_100["pixels"]))
claim("With 100 labels, untrained features reach {value:.0%} "
      "of the garment features' gain over pixels.", share, at_least=0.5)

# %% tags=["answer"]
ahead = [100 * (ours - chance) for ours, chance in zip(
    table["1,000 labels"]["garments"],
    table["1,000 labels"]["random"], strict=True)]
print(f"garments minus random: {mean_and_spread(ahead, '.1f')} points")

# %% tags=["answer", "claim"]
claim("The garment features' lead is {value:.1f} standard deviations.",
      torch.tensor(ahead).mean() / torch.tensor(ahead).std(), at_least=2.5)

# %% [markdown]
# With a hundred labels the garment features clearly beat the pixels, and without the control we would have called that
# transfer. But untrained features do just as well. The architecture does the work. Only with a thousand labels does
# training on garments show: such a lead is not chance. But a network trained from scratch is as good, with a hundred
# labels and with a thousand.
#
# The 84 features before the last layer do worst. It is tempting to say that training made them forget all but
# garments, yet with a thousand labels untrained ones are no better, and with fewer the five runs cannot tell. So take
# features from the middle of a network, and compare them with an untrained one's.
#
# ## What to do with all this
#
# - Before you trust a picture of a network, draw it again for an untrained one.
# - Look for shortcuts in the data first: a look inside finds what it is pointed at.
# - Count, because a heat map of one image is an anecdote, and report where two methods disagree.
#
# ## Exercises
#
# Replace the dots and run the cell. The solution follows each exercise, folded away.
#
# ### Exercise 14.1 · Dead filters
#
# A filter is *dead* if its ReLU gives 0 at every place of every image. Write `dead_filters(maps)`, which takes the
# maps N×C×H×W after a ReLU and returns a list of the dead channels, in ascending order.

# %%
def dead_filters(maps):
    ...


check("14.1", dead_filters)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 14.1
def dead_filters_solution(maps):
    return (maps.amax((0, 2, 3)) <= 0).nonzero().flatten().tolist()


assert check("14.1", dead_filters_solution)

# %% [markdown]
# ### Exercise 14.2 · Find the bug: a hook that stays
#
# This function returns what a layer gives out. Called ten times, it leaves ten hooks, and the network sends ten
# postcards with each answer. Mend it so that no hook stays on the layer, **even if the network raises an error**.

# %%
def output_of(model, layer, x):
    kept = []
    layer.register_forward_hook(lambda *card: kept.append(card[2].detach()))
    model(x)
    return kept[0]


check("14.2", output_of)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 14.2
def output_of_solution(model, layer, x):
    kept = []
    hook = layer.register_forward_hook(
        lambda *card: kept.append(card[2].detach()))
    try:
        model(x)
    finally:
        hook.remove()
    return kept[0]


assert check("14.2", output_of_solution)

# %% [markdown]
# ### Exercise 14.3 · A sanity check, layer by layer
#
# Write `with_random(model, name)`, which returns a **copy** of the network in which only the layer of that name has
# new random weights. `copy.deepcopy` copies a network, `get_submodule(name)` finds a layer, and its
# `reset_parameters()` draws new weights. The network itself must stay as it is. Then you can watch Grad-CAM change
# from the last layer down.

# %%
def with_random(model, name):
    ...


check("14.3", with_random)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 14.3
import copy


def with_random_solution(model, name):
    other = copy.deepcopy(model)
    other.get_submodule(name).reset_parameters()
    return other


assert check("14.3", with_random_solution)

# %% [markdown]
# ### Exercise 14.4 · A step to a class of your choice
#
# `uphill` only leads away from the right class. Write `step_to(model, x, target, size)`, which returns the normalised
# images `x` after one signed step of this size that lowers the cross-entropy for the class `target`, one whole number
# for all of them. Do not clamp, and do not change `x`.

# %%
def step_to(model, x, target, size):
    ...


check("14.4", step_to)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 14.4
def step_to_solution(model, x, target, size):
    x = x.clone().requires_grad_()
    wanted = torch.full((len(x),), target)
    loss = F.cross_entropy(model(x), wanted)
    [gradient] = torch.autograd.grad(loss, x)
    return x.detach() - size * gradient.sign()  # where the loss falls


assert check("14.4", step_to_solution)

# %% [markdown]
# ### Exercise 14.5 · Separation by chance
#
# How separated do groups look by chance? Write `chance_separation(points, labels, shuffles)`, which returns the
# **mean** `separation` over that many shuffles of the labels. You may use `separation`.

# %%
def chance_separation(points, labels, shuffles):
    ...


check("14.5", chance_separation)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 14.5
def chance_separation_solution(points, labels, shuffles):
    found = [separation(points, labels[torch.randperm(len(labels))])
             for _ in range(shuffles)]
    return sum(found) / shuffles


assert check("14.5", chance_separation_solution)

# %% [markdown]
# ### An open question
#
# No checker answers this one, so argue about it with somebody. A hospital wants a heat map beside every diagnosis of
# its network, so that doctors see what the network looked at. Would that have protected them from a network like
# `tricked`? What would you ask for instead, or as well?

# %% [markdown]
# ## What you can do now
#
# 1. A shortcut is in the data, and a validation set from the same source rewards it.
# 2. Trained filters are smoother than their shuffles, with or without a shortcut.
# 3. Hooks show what layers really give out; a map that shows the picture proves nothing.
# 4. Covering the mark costs the tricked network its answer.
# 5. Grad-CAM weights maps by their gradients, finds the mark in most networks, and disagrees with occlusion.
# 6. A signed step changes many answers, a random one of the same size hardly any.
# 7. Training pulls classes apart; the share between classes says how far.
# 8. Features travel, but with few labels those of an untrained network do so equally well.
#
# ## Further reading
#
# - S. Lapuschkin et al., *Unmasking Clever Hans predictors* (Nature Communications 10, 2019): the horses.
# - J. Adebayo et al., *Sanity checks for saliency maps* (arXiv 1810.03292).
# - R. R. Selvaraju et al., *Grad-CAM* (arXiv 1610.02391); for occlusion, M. D. Zeiler and R. Fergus (arXiv 1311.2901).
# - I. Goodfellow et al., *Explaining and harnessing adversarial examples* (arXiv 1412.6572).
# - J. Yosinski et al., *How transferable are features in deep neural networks?* (arXiv 1411.1792).
