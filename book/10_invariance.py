# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · Invariance and augmentation
#
# *Move the image by one pixel. Does the answer stay?*
#
# **Read** 30 min · **Run** 65 s on two CPU cores · **Before this** lesson 6
#
# ## What you will be able to do
#
# 1. Say what invariance and equivariance promise, and test which of them a layer keeps.
# 2. Measure how far an image may move, turn or grow before a network misreads it.
# 3. Tell what pooling gives from what it is said to give.
# 4. Shift and turn images by hand, with torchvision's `v2`, and a whole batch at once.
# 5. Choose augmentation for a data set: which changes keep the label, and occur.
# 6. Ask a network several times about one image, and know when that pays.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("10_invariance")

# %%
import math
import time
from statistics import mean

import numpy
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor, v2

from course_utils import (Augment, augment, batches, check, claim, count_parameters, device,
                          evaluate, fit, load, mean_and_spread, plots, predict, recorded,
                          recorded_runs)
from course_utils.data import Images, as_dataset
from course_utils.networks import lenet

# %% [markdown]
# These numbers are yours to change. With a GPU, take all 55,000 images.

# %% nbmake={"mock": {"IMAGES": 300, "EPOCHS": 1, "ASKED": 100}}
SEED = 0
IMAGES, EPOCHS = 20_000, 3  # to learn from
ASKED = 2_000  # validation images at each point of a curve

# %% [markdown]
# ## What is promised
#
# Change an image. A network is **invariant** to the change if its answer stays as it was. It is **equivariant** if
# its answer changes in the same way. A convolution is equivariant to shifts (lesson 2): move the picture, and the
# feature map moves with it. For reading digits we want more: wherever the 7 stands, the answer is 7.
#
# Tutorials promise that pooling brings this. "Robust to small shifts", says one; "scale invariance", says another, and
# "prevents over-fitting to some degree". We test all three. First a shift, on noise. `roll` lets pixels that leave on
# the right come in on the left, so that nothing is lost. The change is the norm of the difference, as a share of the
# map's own.
#
# > **Predict before you run.** The picture moves by one pixel. By how much does its max-pooled map change: not at all,
# > by a quarter, by half? And what does a move by two pixels do to the map?

# %%
def max_pool(x):
    return F.max_pool2d(x, 2)


def relative_change(layer, x, pixels):
    before, after = layer(x), layer(x.roll(pixels, dims=3))
    return (after - before).norm() / before.norm()


torch.manual_seed(SEED)
noise = torch.rand(64, 1, 32, 32)
claim("One pixel changes the pooled map by {value:.0%} of its size.",
      relative_change(max_pool, noise, 1), equals=0.23, within=0.01)
by_one = max_pool(noise).roll(1, dims=3)
claim("Two pixels move it by one place, and change nothing else: {value}.",
      torch.equal(max_pool(noise.roll(2, dims=3)), by_one), equals=True)

# %% [markdown]
# So pooling is exactly equivariant for even steps, and neither equivariant nor invariant for odd ones: the pixels meet
# other neighbours in their windows. How bad is that? Compare it with two other ways to halve a map.

# %%
claim("Average pooling changes by {value:.0%}.",
      relative_change(lambda x: F.avg_pool2d(x, 2), noise, 1), equals=0.28, within=0.01)
claim("Every second pixel, with no pooling at all, changes by {value:.0%}.",
      relative_change(lambda x: x[:, :, ::2, ::2], noise, 1), equals=0.71, within=0.01)
claim("On noise around 0, max pooling changes by {value:.0%}.",
      relative_change(max_pool, noise - 0.5, 1), at_least=0.5)

# %% [markdown]
# Pooling softens the step, no more. (The last line warns of the measure: subtracting a constant changes nothing that a
# network could not undo, but a relative number depends on it.) Here is a real digit:

# %% mystnb={"image": {"alt": "A handwritten digit, the same digit one pixel further right, and their max-pooled maps, which differ along the strokes."}}
mnist = load("mnist")
digit = mnist.train.x[:1].float() / 255
pictures = torch.cat([digit, augment.shift(digit, 0, 1)])
pooled = max_pool(max_pool(pictures))
titles = ["digit", "one pixel right", "pooled twice", "pooled twice"]
plots.images([*pictures, *pooled], titles,
             title="After two poolings, one pixel still shows")

# %% [markdown]
# Now scale. We double a picture: each pixel becomes 2×2 equal ones.

# %%
doubled = noise.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
claim("Pooling the doubled picture gives the picture itself: {value}.",
      torch.equal(max_pool(doubled), noise), equals=True)
claim("It has {value} times as many numbers as the pooled picture.",
      max_pool(doubled).numel() // max_pool(noise).numel(), equals=4)

# %% [markdown]
# An invariant layer would give the same map for both. This one gives a map of twice the size: the scale has passed
# through untouched. So the second promise is wrong for the layer. Perhaps it holds for a whole network? Networks have
# to be asked.
#
# ## Change images yourself
#
# To ask, we need shifted, turned and scaled images. To shift is to pad, then to crop elsewhere.

# %%
def shift_by_hand(x, dy, dx):
    P, (H, W) = max(abs(dy), abs(dx)), x.shape[2:]
    return F.pad(x, (P, P, P, P))[:, :, P - dy : P - dy + H, P - dx : P - dx + W]


same = torch.equal(shift_by_hand(digit, -2, 3), augment.shift(digit, -2, 3))
claim("`augment.shift` does the same: {value}.", same, equals=True)

# %% [markdown]
# To turn, go backwards: for each pixel of the *answer*, find the place that it comes from. That place seldom is a
# pixel. So take a mean of the four nearest, the nearer the heavier: *bilinear interpolation*. `grid_sample` does this
# reading. It wants each place as column and row, and counts from −1 at one edge of the image to 1 at the other.

# %%
def rotate_by_hand(x, degrees):
    H, W = x.shape[2:]
    rows, columns = (torch.arange(size) - (size - 1) / 2 for size in (H, W))  # from the centre
    i, j = torch.meshgrid(rows, columns, indexing="ij")
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    places = torch.stack([2 * (c * j - s * i) / W, 2 * (s * j + c * i) / H], dim=-1)
    return F.grid_sample(x, places[None], align_corners=False)  # one image: x is 1×C×H×W


ours = rotate_by_hand(digit, 20)
theirs = v2.functional.rotate(digit, 20, interpolation=v2.InterpolationMode.BILINEAR)
claim("Turned by hand and by torchvision, pixels differ by {value:.0e}.",
      (ours - theirs).abs().max(), at_most=1e-5)
claim("`augment.rotate` differs from torchvision by {value:.0e}.",
      (augment.rotate(digit, 20) - theirs).abs().max(), at_most=1e-5)

# %% [markdown]
# `course_utils.augment` holds these and others. They work on a whole batch, and each image may have its own numbers:

# %% mystnb={"image": {"alt": "Eight versions of one photograph of a flower: as it is, mirrored, shifted with a black edge, turned, enlarged, brighter, with other colours, and with a black square."}}
photo = torch.tensor(load_sample_image("flower.jpg")).permute(2, 0, 1) / 255
flower = photo[None, :, 80:400, 160:480]
gallery = {
    "as it is": flower,
    "horizontal_flip": augment.horizontal_flip(flower, True),
    "shift": augment.shift(flower, 40, -60),
    "rotate": augment.rotate(flower, 20),
    "scale": augment.scale(flower, 1.5),
    "adjust_brightness": augment.adjust_brightness(flower, 1.6),
    "adjust_hue": augment.adjust_hue(flower, 0.2),
    "erase": augment.erase(flower, 100, 120, 110, 110),
}
plots.images([x[0] for x in gallery.values()], list(gallery), columns=4,
             title="Eight pictures, one label")

# %% [markdown]
# ## Ask three networks
#
# An MLP (linear layers only) with about as many parameters as LeNet, a LeNet that pools by maximum, and the same with
# **augmentation**: in training, each image of each batch is shifted by up to four pixels, at random. The label stays.
# It is one run each.

# %%
DEVICE = device()


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 77), nn.ReLU(), nn.Linear(77, 10))


def max_lenet():
    return lenet(pool=nn.MaxPool2d)


claim("The MLP has {value:.1%} of LeNet's parameters.",
      count_parameters(mlp()) / count_parameters(max_lenet()), equals=0.992, within=0.001)

# %% [markdown]
# Only `augment=` differs between the last two trainings below.

# %%
def trained(build, data, change=None):
    torch.manual_seed(SEED)
    model = build().to(DEVICE)
    train = batches(data.train.take(IMAGES), 128, shuffle=True, augment=change, device=DEVICE)
    valid = batches(data.valid, 1_000, device=DEVICE)
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.004, total_steps=EPOCHS * len(train))
    fit(model, train, valid, optimizer, epochs=EPOCHS,
        scheduler=scheduler, scheduler_step="batch")
    return model


shifts = Augment(shift=4)
models = {"MLP": trained(mlp, mnist), "LeNet": trained(max_lenet, mnist),
          "LeNet, shifts": trained(max_lenet, mnist, shifts)}

# %% [markdown]
# By validation accuracy the plain LeNet wins: the other had the harder task. Now move the validation digits, all by
# the same number of pixels, and ask again.
#
# > **Predict before you run.** Each network reads nearly all centred digits. By how many pixels must they move until
# > half are misread? Guess for the MLP, for LeNet, and for LeNet with shifts.
#
# `batches` calls its `augment` with a batch and a random generator. Ours leaves nothing to chance.

# %%
asked = mnist.valid.take(ASKED)


def accuracy_by_hand(model, images, change, value):
    changed = batches(images, 1_000, device=DEVICE,
                      augment=lambda x, generator: change(x, value))
    return evaluate(model, changed).accuracy


def shift_right(x, pixels):
    return augment.shift(x, 0, pixels)

# %% [markdown]
# `accuracy_curve` asks this for a list of values.

# %%
from course_utils.metrics import accuracy_curve

PIXELS = range(-8, 9)
shifted = {name: accuracy_curve(model, asked, shift_right, PIXELS) for name, model in models.items()}
claim("It gives the same as we by hand, at three pixels: {value}.",
      shifted["LeNet"][PIXELS.index(3)] == accuracy_by_hand(models["LeNet"], asked, shift_right, 3),
      equals=True)

# %% [markdown]
# Where does each curve cross 50%?

# %% mystnb={"image": {"alt": "Accuracy over a shift of minus 8 to 8 pixels. The MLP falls to a third at four pixels, LeNet to about two thirds. LeNet trained with shifts stays near its best up to four pixels, and then falls as well."}}
plots.curves(PIXELS, shifted, xlabel="pixels to the right", ylabel="accuracy", percent=True,
             title="A network stands the shifts that it was shown")

# %%
stated = (IMAGES, EPOCHS, ASKED) == (20_000, 3, 2_000)
at_four = {name: curve[PIXELS.index(4)] for name, curve in shifted.items()}
claim.measured("Moved by four pixels, LeNet reads {value:.0%} of the digits more than the MLP.",
               at_four["LeNet"] - at_four["MLP"], data=mnist, stated=stated)
claim.measured("Training with shifts brings another {value:.0%}.",
               at_four["LeNet, shifts"] - at_four["LeNet"], data=mnist, stated=stated)
lost = shifted["LeNet"][PIXELS.index(0)] - at_four["LeNet"]
claim.measured("Four pixels are a whole step of both poolings, and still LeNet loses {value:.0%}.",
               lost, data=mnist, stated=stated)

# %% [markdown]
# Convolution and pooling do help: LeNet stands a shift that ruins the MLP. But why does it fail at four pixels, where
# each of its two poolings has moved by whole windows? Look at the maps that its linear layers get. We compare the
# columns that the padding at the edges does not reach.

# %%
@torch.inference_mode()
def last_maps(pixels):
    x, _ = next(iter(batches(asked, 256, device=DEVICE,
                             augment=lambda x, generator: shift_right(x, pixels))))
    return models["LeNet"][:6](x)  # N×16×5×5


difference = (last_maps(4)[..., 2:4] - last_maps(0)[..., 1:3]).abs().max()
claim("Four pixels move LeNet's last maps by one column, and change them by {value:.0e}.",
      difference, at_most=1e-3)

# %% [markdown]
# So convolution and pooling did their part: *equivariant*, not invariant. The linear layers behind them read each
# place with weights of its own. What centred digits never showed, these have not learnt. Shifted training images teach
# it, as far as they were shifted, and little further.
#
# ## It buys what it shows
#
# Does a network that stands shifts also stand turns and other sizes?

# %% mystnb={"image": {"alt": "Accuracy over a turn of minus 60 to 60 degrees. All three networks fall on both sides. LeNet trained with shifts lies below the plain LeNet at large angles."}}
DEGREES = range(-60, 61, 10)
turned = {name: accuracy_curve(model, asked, augment.rotate, DEGREES)
          for name, model in models.items()}
plots.curves(DEGREES, turned, xlabel="degrees", ylabel="accuracy", percent=True,
             title="Shifts do not buy turns")

# %% [markdown]
# And the promise of scale invariance, put to a whole network:

# %% mystnb={"image": {"alt": "Accuracy over a scale of one half to one and a half. All networks are best at 1 and fall on both sides; at one half fewer than half of the digits are read."}}
FACTORS = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
scaled = {name: accuracy_curve(model, asked, augment.scale, FACTORS)
          for name, model in models.items()}
plots.curves(FACTORS, scaled, xlabel="scale", ylabel="accuracy", percent=True,
             title="No network here is invariant to scale")

# %%
at_40 = {name: curve[DEGREES.index(40)] for name, curve in turned.items()}
claim.measured("At half their size, LeNet reads {value:.0%} of the digits less.",
               max(scaled["LeNet"]) - scaled["LeNet"][0], data=mnist, stated=stated)
claim.measured("Turned by 40 degrees, the LeNet that knows shifts reads {value:.0%} less than the other.",
               at_40["LeNet"] - at_40["LeNet, shifts"], data=mnist, stated=stated)

# %% [markdown]
# What was bought for shifts was paid for with turns. With size it is mixed: digits a little smaller are read less well,
# much larger ones better. One run could be luck, so a script trained eight networks with three seeds each, one with
# turns of up to 40 degrees, one with shifts, turns and scales together. The curves are means.

# %% mystnb={"image": {"alt": "Mean accuracy over a turn of minus 60 to 60 degrees. The MLP, the plain LeNet and LeNet with shifts fall to between a sixth and a third at 60 degrees. LeNet trained with turns, alone or with all three changes, stays near its best up to about 40 degrees."}}
runs = recorded_runs("invariance")


def of_network(name, measure):
    return [run[measure] for run in runs if run["network"] == name]


curves = {name: [mean(point) for point in zip(*of_network(name, "turn"), strict=True)]
          for name in ["MLP", "LeNet", "LeNet, shifts", "LeNet, turns", "LeNet, all three"]}
plots.curves(DEGREES, curves, xlabel="degrees", ylabel="mean accuracy", percent=True,
             title="To stand turns, a network must see turns")

# %% [markdown]
# In numbers, with the standard deviation over the seeds:

# %%
columns = {"as it is": ("shift", PIXELS.index(0)), "1 pixel": ("shift", PIXELS.index(1)),
           "4 pixels": ("shift", PIXELS.index(4)), "40 degrees": ("turn", DEGREES.index(40)),
           "size 0.7": ("scale", FACTORS.index(0.7))}
print(f"{'':20}", *(f"{label:12}" for label in columns))
for name in dict.fromkeys(run["network"] for run in runs):
    values = [[curve[at] for curve in of_network(name, measure)]
              for measure, at in columns.values()]
    print(f"{name:20}", *(mean_and_spread(some, "5.1%") for some in values))

# %% [markdown]
# "All three" serves everywhere, and pays for it in the first column. The lower lines answer the first promise for whole
# networks: LeNets that pool by maximum ("LeNet"), by mean, not at all (every second pixel), or with a blur before the
# step, as Zhang proposed (exercise 10.6). By one pixel, the one without pooling loses about twice as much as the other
# three, and at four it reads the fewest. So the promise holds, in small. The blur's lead over the maximum is little
# more than the spread. Training with shifts brings far more than any pooling.
#
# ### Over-fitting
#
# The third promise: pooling prevents over-fitting. A script trains LeNet on 1,000 images of clothes: with max pooling;
# with every second pixel in its place, which has equally many parameters; and with neither, so that the first linear
# layer must read 24×24 places instead of 5×5.

# %%
arms = recorded_runs("pooling_overfit")
for name in dict.fromkeys(run["network"] for run in arms):
    some = [run for run in arms if run["network"] == name]
    seen, new = ([run[split]["accuracy"] for run in some] for split in ("train", "valid"))
    gap = [a - b for a, b in zip(seen, new, strict=True)]
    print(f"{name:11} {some[0]['parameters']:9,} parameters", *(
        f"  {label} {mean_and_spread(values, '5.1%')}"
        for label, values in {"seen": seen, "new": new, "gap": gap}.items()))

# %% [markdown]
# The gap is the distance from *seen* images to *new* ones. The first two lines differ by little more than their spread,
# the third by far more: what narrows the gap is the smaller map, with or without pooling. And the third line has the
# widest gap and the best score on new images. A gap is no harm in itself.
#
# ## torchvision's `v2`
#
# A published course sends its readers to `imgaug`. That library's last release is of 2020. It needs NumPy's `sctypes`,
# which NumPy 2 no longer has:

# %%
print(f"NumPy {numpy.__version__} has `sctypes`: {hasattr(numpy, 'sctypes')}")

# %% [markdown]
# torchvision's `transforms.v2` does the same work. Transforms are chained by `Compose`:

# %% mystnb={"image": {"alt": "Eight random versions of one piece of clothing: turned, brighter or darker, some mirrored."}}
fashion = load("fashion_mnist")
pipeline = v2.Compose([
    v2.RandomRotation(20),
    v2.ColorJitter(brightness=0.2),
    v2.RandomHorizontalFlip(0.5),
])
torch.manual_seed(SEED)
clothing = fashion.train.x[0].float() / 255
plots.images([pipeline(clothing) for _ in range(8)], columns=8,
             title="A new picture each time, the same label")

# %% [markdown]
# A published table says that `RandomVerticalFlip` "flips horizontally".
#
# > **Find the bug.** What becomes of `[[0, 1], [2, 3]]`?

# %%
tiny = torch.tensor([[[0, 1], [2, 3]]])
upside_down = v2.RandomVerticalFlip(p=1)(tiny)
print(upside_down[0].tolist())
claim("It turns the picture upside down: {value}.", torch.equal(upside_down, tiny.flip(1)), equals=True)

# %% [markdown]
# The same table has `Resize` (below to 64 pixels a side), and `ToTensor`, which v2 writes as two steps: to a tensor,
# C×H×W; then to floats from 0 to 1.

# %%
pixels = flower[0].mul(255).byte().permute(1, 2, 0).numpy()  # H×W×3, as a file of it holds them
two_steps = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Resize(64)])
as_before = v2.Compose([ToTensor(), v2.Resize(64)])
difference = (two_steps(pixels) - as_before(pixels)).abs().max()
claim("The two steps differ from `ToTensor` by {value:.0e}.", difference, at_most=1e-6)

# %% [markdown]
# A more expensive mistake. Transforms of single pictures are slow, so people hand them whole batches. It runs.
#
# > **Find the bug.** Eight pictures, each to be mirrored with a chance of one half. How many will be?

# %%
eight = noise[:8]


def mirrored(change):
    return sum(not torch.equal(a, b) for a, b in zip(change(eight), eight, strict=True))


torch.manual_seed(SEED)
by_v2 = {mirrored(v2.RandomHorizontalFlip(0.5)) for _ in range(100)}
by_augment = {mirrored(Augment(flip=0.5)) for _ in range(100)}
print("mirrored of eight, in 100 trials: ", by_v2, "or", by_augment)
claim("v2 mirrors all or none: {value}.", by_v2 == {0, 8}, equals=True)
claim("`Augment` gives {value} different counts.", len(by_augment), at_least=5)

# %% [markdown]
# v2 draws once for each *call*. That is right for a picture and its mask, and wrong for a batch: all its images get
# the same angle. `Augment` draws for each image. What does it save?

# %%
def seconds(loader):
    start = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - start


some = fashion.train.take(1_000)
one_by_one = DataLoader(as_dataset(some, pipeline), batch_size=128)
at_once = batches(some, 128, augment=Augment(rotation=20, brightness=0.2, flip=0.5))
for name, loader in {"one by one": one_by_one, "whole batches": at_once}.items():
    print(f"{name:14} {1_000_000 * seconds(loader) / len(some):6.0f} µs for an image")

# %% [markdown]
# Augmentation costs computing for every image of every epoch. Divide a `seconds` that `fit` printed by 20,000 images:
# one by one, the changes may well cost more than the training itself. (Lesson 15 follows that up.)
#
# Two rules, whichever way you take. Augment *before* normalising: what comes in from outside, and the square of
# *cutout* (`Augment(cutout=8)`), is painted black, 0; after normalising, 0 is the mean grey. And augment training
# images only: validation stays as it is.
#
# Not every augmentation keeps the label. *Mixup* lays two images of a batch over each other, and mixes their labels in
# the same measure. The first image's partner here is the last:

# %%
torch.manual_seed(SEED)
x, y = next(iter(batches(mnist.train, 64)))
mixed, labels = v2.MixUp(num_classes=10)(x, y)
print(f"a {y[0]} and a {y[-1]}:", [f"{share:.2f}" for share in labels[0].tolist()])
claim("The shares add up to {value:g}.", labels[0].sum(), equals=1, within=1e-5)

# %% [markdown]
# `F.cross_entropy` takes such labels as they are.
#
# ## Which changes may you make?
#
# A mirrored shirt is a shirt. A mirrored 7 is nothing, and a 6 on its head is a 9. A cheap test before you train with
# a change: show it to a network that has not seen it. The second bars belong to a LeNet trained on clothes.
#
# > **Predict before you run.** Clothes are as good mirrored as not, surely?

# %%
on_clothes = trained(max_lenet, fashion)
CHANGES = {"as it is": lambda x, generator: x, "mirrored": lambda x, generator: x.flip(3),
           "upside down": lambda x, generator: x.flip(2)}


def accuracies(model, images):
    return {name: evaluate(model, batches(images, 1_000, augment=change, device=DEVICE)).accuracy
            for name, change in CHANGES.items()}

# %% [markdown]
# One network for each data set, one run:

# %% mystnb={"image": {"alt": "Bars: accuracy on images as they are, mirrored, and upside down, for a LeNet on digits and one on clothes. Both lose much when mirrored, and more upside down."}}
plots.bars({"digits": accuracies(models["LeNet"], mnist.valid),
            "clothes": accuracies(on_clothes, fashion.valid)},
           ylabel="accuracy", title="Mirrored clothes are misread as well")

# %% [markdown]
# Why? Ask class by class. And turn the sixes on their heads: what are they read as?

# %%
def of_class(images, k):
    chosen = images.y == k
    return Images(images.x[chosen], images.y[chosen], images.mean, images.std)


for k, name in enumerate(fashion.classes):
    found = accuracies(on_clothes, of_class(fashion.valid, k))
    print(f"{name:12} {found['as it is']:4.0%}   mirrored {found['mirrored']:4.0%}")

sixes = batches(of_class(mnist.valid, 6), 1_000, device=DEVICE,
                augment=lambda x, generator: augment.rotate(x, 180))
read = predict(models["LeNet"], sixes).cpu().argmax(1)
claim.measured("Of the sixes on their heads, LeNet reads {value:.0%} as nines.",
               (read == 9).double().mean(), data=mnist, stated=stated)

# %% [markdown]
# The shoes! In this data set they point to the left. So "keeps the label" is only half of the question. The other
# half: *will the network ever meet it?* If test images point left as well, mirrored shoes cost the network effort for
# nothing. Whether such effort pays must be measured. A script did: 5,000 images, twelve epochs, one change at a time,
# three data sets, three seeds. Each dot is one seed's gain over no change; the bar is their mean, the line one standard
# deviation to both sides.

# %% mystnb={"image": {"alt": "Gain in validation accuracy, with standard deviations. Flips cost on digits and clothes and pay on CIFAR-10. Shifts pay a little on digits, cost on clothes, and seem to pay on CIFAR-10. Turns and scales cost on clothes. Most other gains are no larger than their spread."}}
trials = recorded_runs("augmentations")
reached = {(run["data"], run["change"], run["seed"]): run["valid"]["accuracy"] for run in trials}


def gains(data, change):  # in points, seed by seed
    return [100 * (accuracy - reached[data, "none", seed]) for (name, made, seed), accuracy
            in reached.items() if (name, made) == (data, change)]


sets = dict.fromkeys(run["data"] for run in trials)
made = ["flip", "shift", "turn", "scale", "brightness", "cutout"]
all_gains = {data: {change: gains(data, change) for change in made} for data in sets}
plots.intervals(all_gains, xlabel="gain in points",
                title="What helps depends on the data")

# %% [markdown]
# For each row ask two things: is its bar much further from 0 than its line is long (three seeds say little), and does
# the change keep the label and occur? Mirrored digits cost, mirrored animals and vehicles pay. On clothes flips cost,
# as the shoes made us fear, but shifts, turns and scales cost more still, and the one gain, of brightness, is no
# larger than its line. Perhaps a small network had more to learn, and no more time; this was not tested. So
# "augmentation improves generalisation" is no law. The numbers, with what `Augment` was asked for (`hue` where there
# are colours):

# %%
settings = recorded("augmentations")["config"]["changes"]
for data in sets:
    for change in (*made, *(["hue"] if data == "cifar10" else [])):
        values = gains(data, change)
        print(f"{data:14} {str(settings[change]):19} {mean_and_spread(values, '+5.2f')} points")

# %% [markdown]
# ## Ask five times
#
# Augmentation at test time: ask about an image and its four neighbours, moved by one pixel, and take the mean of the
# five answers. It costs five times the computing.
#
# > **Predict before you run.** For which images should it help: for centred ones, or for those off the centre?

# %%
STEPS = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]


@torch.inference_mode()
def accuracy_of_five(model, images):
    model.eval()
    views = [batches(images, 1_000, augment=lambda x, generator, s=step: augment.shift(x, *s),
                     device=DEVICE) for step in STEPS]
    answers = [torch.cat([model(x).softmax(1) for x, _ in view]) for view in views]
    return (torch.stack(answers).mean(0).argmax(1).cpu() == images.y).double().mean().item()

# %% [markdown]
# The images off the centre are the same digits, each moved at random by up to two pixels.

# %%
generator = torch.Generator().manual_seed(SEED)
moved = Augment(shift=2)(mnist.valid.x.float() / 255, generator=generator)
moved = Images((255 * moved).round().byte(), mnist.valid.y, mnist.valid.mean, mnist.valid.std)
for name, images in {"centred": mnist.valid, "moved": moved}.items():
    for model in ("LeNet", "LeNet, shifts"):
        once = evaluate(models[model], batches(images, 1_000, device=DEVICE)).accuracy
        five = accuracy_of_five(models[model], images)
        print(f"{name:8} {model:14} once {once:.2%}   five times {five:.2%}")

# %% [markdown]
# Centred digits gain next to nothing. Where the network has not learnt the change, asking five times mends a small
# part; to have learnt it mends more, and costs nothing when the network is used. Differences of a tenth of a percent
# are five images.
#
# ## One look at the test
#
# Two networks, both tests named beforehand: the test digits as they are, and moved to the right by four pixels.

# %%
plain, robust = (accuracy_curve(models[name], mnist.test, shift_right, [0, 4])
                 for name in ("LeNet", "LeNet, shifts"))
print(f"as they are: LeNet {plain[0]:.2%}, with shifts {robust[0]:.2%}")
claim.measured("Moved by four pixels, LeNet with shifts reads {value:.1%} of the test digits.",
               robust[1], data=mnist, stated=stated)
claim.measured("That is {value:.0%} of the digits more than LeNet without reads.",
               robust[1] - plain[1], data=mnist, stated=stated)

# %% [markdown]
# A test of centred digits would have called the plain LeNet better, or equal. A test only answers what it asks.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 10.1 · With a pencil
#
# A row of pixels, `[0, 0, 0, 6, 4, 0, 2, 0]`, is max-pooled in pairs. What is the pooled row after the pixels have
# moved one to the right, and two to the right? (Zeros come in on the left, what leaves is lost.) Give two lists of
# four.

# %%
pooled_rows = ...
check("10.1", pooled_rows)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.1
pooled_rows_solution = ([0, 0, 6, 2], [0, 0, 6, 4])  # without a move: [0, 6, 4, 2]
assert check("10.1", pooled_rows_solution)

# %% [markdown]
# ### Exercise 10.2 · Keeps the label, and occurs
#
# Which of the changes `"mirror"`, `"upside down"`, `"turn by 10°"` would you use in training for each kind of picture?
# Cars are photographed from the street; cells lie on a slide under a microscope. Give one set of names for each.

# %%
allowed = {"digits": ..., "cars": ..., "cells": ...}
check("10.2", allowed)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.2
allowed_solution = {
    "digits": {"turn by 10°"},  # a mirrored 7 is none, a 6 on its head is a 9
    "cars": {"mirror", "turn by 10°"},  # they drive both ways, and seldom on their roofs
    "cells": {"mirror", "upside down", "turn by 10°"},  # a slide has no up
}
assert check("10.2", allowed_solution)

# %% [markdown]
# ### Exercise 10.3 · From v2 to whole batches
#
# A published study of CIFAR-10 used `RandomRotation(20)`, `ColorJitter(brightness=0.2, hue=0.1)` and
# `RandomHorizontalFlip(0.5)`. Give the keywords with which `Augment` draws from the same ranges, as a dict such as
# `{"shift": 4}`. (It has `flip`, `shift`, `rotation`, `scale`, `brightness`, `hue` and `cutout`. A range is a pair
# `(low, high)`, in degrees, factors, or shares of a full turn of the hue; one number a stands for ±a around what
# changes nothing. `help(v2.ColorJitter)` tells how v2 reads its numbers.)

# %%
as_published = ...
check("10.3", as_published)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.3
as_published_solution = {"rotation": 20, "brightness": 0.2, "hue": 0.1, "flip": 0.5}
assert check("10.3", as_published_solution)

# %% [markdown]
# ### Exercise 10.4 · One draw for each image
#
# Write `mirror_each(x, p)`: a new batch, N×C×H×W, in which each image has been mirrored left to right with chance p,
# by a draw of its own. `x` stays as it is. (Without `augment` and `Augment`; `torch.where` will do.)

# %%
def mirror_each(x, p):
    ...


check("10.4", mirror_each)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.4
def mirror_each_solution(x, p):
    flip = torch.rand(len(x)) < p
    return torch.where(flip[:, None, None, None], x.flip(3), x)


assert check("10.4", mirror_each_solution)

# %% [markdown]
# ### Exercise 10.5 · The mean of several answers
#
# Write `mean_answer(model, x, changes)`: the mean of the *probabilities*, N×classes, that the model gives to x after
# each of the changes, which are functions of a batch. Each change acts on x itself. The model gives logits, and is in
# evaluation mode already.

# %%
def mean_answer(model, x, changes):
    ...


check("10.5", mean_answer)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.5
def mean_answer_solution(model, x, changes):
    return torch.stack([model(change(x)).softmax(1) for change in changes]).mean(0)


assert check("10.5", mean_answer_solution)

# %% [markdown]
# ### Exercise 10.6 · Blur before you step
#
# Max pooling does two things at once: the largest of each 2×2 window at *every* place, then every second of those
# numbers. Signal engineers blur before they leave numbers out. Write `blurred_pool(x)`: the maximum at stride 1; then
# one more row and column on each side, mirrored (`F.pad(…, mode="reflect")`); then, for each channel alone (`groups`,
# lesson 3), a convolution with stride 2 and the 3×3 kernel whose rows and columns go like (1, 2, 1), and whose nine
# weights add up to 1.

# %%
def blurred_pool(x):
    ...


check("10.6", blurred_pool)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.6
def blurred_pool_solution(x):
    largest = F.pad(F.max_pool2d(x, 2, stride=1), (1, 1, 1, 1), mode="reflect")
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    return F.conv2d(largest, kernel.to(x).expand(x.shape[1], 1, 3, 3), stride=2, groups=x.shape[1])


for layer_solution in (max_pool, blurred_pool_solution):
    print(f"{layer_solution.__name__}: {relative_change(layer_solution, noise, 1):.1%}")
assert check("10.6", blurred_pool_solution)

# %% [markdown]
# ### Exercise 10.7 · The largest answer of all
#
# A network that takes the largest number of a whole feature map forgets *where* it was: that is invariant to shifts.
# Is it invariant to scale? Find a picture (8×8, its two outermost rows and columns on each side 0) and a kernel (3×3)
# such that the largest answer of `F.conv2d` is above 0, and at least doubles when each pixel of the picture becomes
# 2×2 equal ones. Give `(picture, kernel)`.

# %%
small_or_large = ...
check("10.7", small_or_large)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.7
picture_solution, kernel_solution = torch.zeros(8, 8), torch.ones(3, 3)
picture_solution[3, 3] = 1  # one bright pixel: the kernel sees 1, and after doubling 4
small_or_large_solution = (picture_solution, kernel_solution)
assert check("10.7", small_or_large_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Tell invariance (the answer stays) from equivariance (it moves along). Pooling by 2 is equivariant to shifts by 2,
#    and neither to shifts by 1.
# 2. Draw accuracy over shift, angle and size, and see where a network stops.
# 3. Pooling softens small shifts. It gives no invariance to scale. A smaller map, pooled or not, narrows the gap
#    between seen and new images.
# 4. Shift by padding and cropping, turn by looking up where each pixel comes from; v2 draws once a call, `Augment`
#    once an image. Before normalising, and in training only.
# 5. Choose changes that keep the label and occur, then measure the gain beside its spread.
# 6. Average over changed copies at test time, where the network has not learnt the change.
#
# ## Further reading
#
# - R. Zhang, *Making convolutional networks shift-invariant again* (2019): the blur.
# - A. Azulay and Y. Weiss, *Why do deep convolutional networks generalize so poorly to small image transformations?*
#   (2019).
# - D. Scherer, A. Müller, S. Behnke, *Evaluation of pooling operations in convolutional architectures for object
#   recognition* (2010).
# - H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, *mixup: Beyond empirical risk minimization* (2018).
# - T. DeVries and G. Taylor, *Improved regularization of convolutional neural networks with cutout* (2017).
