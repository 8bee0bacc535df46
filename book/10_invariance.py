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
# **Read** 55 min · **Run** 45 s on two CPU cores · **Before this** lesson 6
#
# ## What you will be able to do
#
# 1. Say what invariance and equivariance promise, and test which of them a layer keeps.
# 2. Measure how far an image may move, turn or grow before a network misreads it.
# 3. Tell what pooling gives from what it is said to give.
# 4. Shift and turn images by hand, with torchvision's `v2`, and a whole batch at once.
# 5. Choose augmentation for a data set, and find out whether it pays.
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

from course_utils import (
    Augment, agree, augment, batches, check, claim, count_parameters,
    device, evaluate, explore, fit, load, mean_and_spread, plots, predict,
    recorded, recorded_runs,
)
from course_utils.data import Images, as_dataset
from course_utils.metrics import accuracy_curve
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
# You read a 7 in the corner of a page as easily as one in the middle. Does a network? The digits of MNIST all sit in
# the middle of their pictures, so nothing has tested that so far. Two words will help us to test it. A network is
# **invariant** to a change of the image if its answer stays the same, and **equivariant** if its answer changes in a
# way you can predict: if the picture moves to the right, so does the map. A convolution with stride 1 is equivariant to
# shifts, away from the edges, as lesson 2 showed. For reading digits we want invariance, because a 7 is a 7 wherever it
# is.
#
# Tutorials promise that pooling brings it. "Robust to small shifts", says one. "Scale invariance", says another, and
# "prevents over-fitting to some degree". We will test all three, starting with a small shift, on noise. `roll` brings
# the pixels that leave on the right back in on the left, so nothing is lost. We measure the change by the norm of the
# difference, as a share of the map's own norm.
#
# > **Predict before you run.** The picture moves by one pixel. By how much does its max-pooled map change: not at all,
# > by a quarter, by half? And what does a move by two pixels do?

# %% tags=["answer"]
def max_pool(x):
    return F.max_pool2d(x, 2)


def relative_change(layer, x, pixels):
    before, after = layer(x), layer(x.roll(pixels, dims=3))
    return (after - before).norm() / before.norm()

# %% tags=["answer"]
torch.manual_seed(SEED)
noise = torch.rand(64, 1, 32, 32)
agree("a move by two pixels and a move of the pooled map by one",
      max_pool(noise.roll(2, dims=3)), max_pool(noise).roll(1, dims=3),
      within=0)

# %% tags=["answer", "claim"]
claim("One pixel changes the pooled map by {value:.0%} of its size.",
      relative_change(max_pool, noise, 1), equals=0.23, within=0.01)

# %% [markdown]
# So pooling by 2 is exactly equivariant for even steps. For odd steps it is neither equivariant nor invariant, because
# the pixels meet new neighbours in their windows. How bad is a change of 23 %? Compare it with the picture itself, and
# with two other ways to halve a map.

# %%
halvings = {
    "the picture itself": lambda x: x,
    "maximum": max_pool,
    "mean": lambda x: F.avg_pool2d(x, 2),
    "every second pixel": lambda x: x[:, :, ::2, ::2],
}
for name, layer in halvings.items():
    before, after = layer(noise), layer(noise.roll(1, dims=3))
    change, spread = (after - before).norm(), before - before.mean()
    print(f"{name:18} {change / before.norm():.0%}, "
          f"without its mean {change / spread.norm():.0%}")

# %% [markdown]
# Pooling softens the step, no more; leaving out every second pixel softens nothing. The second column warns about our
# own measure: the maximum has a large mean, which makes any change look small beside it, and which a single bias could
# remove. Without that mean, pooling softens by only about a quarter. Here is a real digit.

# %% mystnb={"image": {"alt": "A handwritten digit, the same digit one pixel further right, and their max-pooled maps, which differ along the strokes."}}
mnist = load("mnist")
digit = mnist.train.x[:1].float() / 255
pictures = torch.cat([digit, augment.shift(digit, 0, 1)])
pooled = max_pool(max_pool(pictures))
titles = ["digit", "one pixel right", "pooled twice", "moved, pooled"]
plots.images([*pictures, *pooled], titles,
             title="After two poolings, one pixel still shows")

# %% [markdown]
# Now the second promise, scale. We double a picture: each pixel becomes 2×2 equal ones. A layer that halves cannot give
# both pictures the same map, but perhaps it gives the doubled map?

# %%
def double(x):
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


agree("pooling the doubled picture and the picture itself",
      max_pool(double(noise)), noise, within=0)
doubled_map = double(max_pool(noise))
off = (max_pool(double(noise)) - doubled_map).norm() / doubled_map.norm()
print(f"off by {off:.0%} from the doubled map")

# %% [markdown]
# It answers with the picture itself, so the layer is neither invariant nor equivariant to size. Perhaps the promise
# holds for a whole network? We have to ask one.
#
# ## Change images yourself
#
# To ask, we need pictures that are shifted, turned and scaled. A shift is easy: pad on all sides, then crop elsewhere.

# %%
def shift_by_hand(x, dy, dx):
    P, (H, W) = max(abs(dy), abs(dx)), x.shape[2:]
    padded = F.pad(x, (P, P, P, P))
    return padded[:, :, P - dy : P - dy + H, P - dx : P - dx + W]


agree("our shift and `augment.shift`", shift_by_hand(digit, -2, 3),
      augment.shift(digit, -2, 3), within=0)

# %% [markdown]
# To turn a picture, go backwards. If you asked where each old pixel goes, some new pixels would get two values and some
# none. So ask, for each pixel of the *answer*, where it comes from. That place is seldom exactly a pixel, so we take a
# mean of the four nearest, in which nearer ones weigh more. This is *bilinear interpolation*, and `grid_sample` does
# it. It wants each place as column and row, counted from −1 at one edge of the image to 1 at the other.

# %%
def rotate_by_hand(x, degrees):
    H, W = x.shape[2:]
    rows = torch.arange(H) - (H - 1) / 2  # counted from the centre
    columns = torch.arange(W) - (W - 1) / 2
    i, j = torch.meshgrid(rows, columns, indexing="ij")
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    from_column, from_row = c * j - s * i, s * j + c * i
    places = torch.stack([2 * from_column / W, 2 * from_row / H], dim=-1)
    return F.grid_sample(x, places[None], align_corners=False)


ours = rotate_by_hand(digit, 20)  # one image, 1×C×H×W
bilinear = v2.InterpolationMode.BILINEAR
theirs = v2.functional.rotate(digit, 20, interpolation=bilinear)
agree("turned by hand and by torchvision", ours, theirs, within=1e-5)
agree("`augment.rotate` and torchvision", augment.rotate(digit, 20),
      theirs, within=1e-5)

# %% [markdown]
# `course_utils.augment` holds these and other changes. They work on whole batches, and each image may have its own
# numbers.

# %% mystnb={"image": {"alt": "Eight versions of one photograph of a flower: as it is, mirrored, shifted with a black edge, turned, enlarged, brighter, with other colours, and with a black square."}}
photo = torch.tensor(load_sample_image("flower.jpg"))
flower = photo.permute(2, 0, 1)[None, :, 80:400, 160:480] / 255
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
# We train an MLP (linear layers only) with about as many parameters as LeNet, a LeNet that pools by maximum, and the
# same LeNet with **augmentation**: while it learns, each image of each batch is shifted at random by up to four pixels
# and keeps its label. We run each once.

# %%
DEVICE = device()


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 77), nn.ReLU(),
                         nn.Linear(77, 10))


def max_lenet():
    return lenet(pool=nn.MaxPool2d)


print(f"{count_parameters(mlp()):,} and {count_parameters(max_lenet()):,}")

# %% [markdown]
# Only `augment=` differs between the last two trainings below.

# %%
def trained(build, data, change=None):
    torch.manual_seed(SEED)
    model = build().to(DEVICE)
    train = batches(data.train.take(IMAGES), 128, shuffle=True,
                    augment=change, device=DEVICE)
    valid = batches(data.valid, 1_000, device=DEVICE)
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.004, total_steps=EPOCHS * len(train))
    fit(model, train, valid, optimizer, epochs=EPOCHS,
        scheduler=scheduler, scheduler_step="batch")
    return model


models = {"MLP": trained(mlp, mnist), "LeNet": trained(max_lenet, mnist),
          "LeNet, shifts": trained(max_lenet, mnist, Augment(shift=4))}

# %% [markdown]
# Now move the validation digits, all by the same number of pixels, and ask again. `accuracy_curve` does this for a list
# of values: it changes the images and calls `evaluate`.
#
# > **Predict before you run.** Each network reads nearly all centred digits. By how many pixels must they move before
# > half are misread? Guess for the MLP, for LeNet, and for LeNet with shifts.

# %% tags=["answer"]
def shift_right(x, pixels):
    return augment.shift(x, 0, pixels)


asked, PIXELS = mnist.valid.take(ASKED), range(-8, 9)

# %% tags=["answer"] mystnb={"image": {"alt": "Accuracy over a shift of minus 8 to 8 pixels. The MLP falls below a third at four pixels, LeNet to about two thirds. LeNet trained with shifts stays near its best up to four pixels, and then falls as well."}}
shifted = {name: accuracy_curve(model, asked, shift_right, PIXELS)
           for name, model in models.items()}
plots.curves(PIXELS, shifted, xlabel="pixels to the right",
             ylabel="accuracy", percent=True,
             title="A network tolerates the shifts that it was shown")

# %% tags=["answer", "claim"]
stated = (IMAGES, EPOCHS, ASKED) == (20_000, 3, 2_000)
at_four = {name: curve[PIXELS.index(4)] for name, curve in shifted.items()}
claim.measured("Moved by four pixels, LeNet reads {value:.0%} of the "
               "digits more than the MLP.",
               at_four["LeNet"] - at_four["MLP"], data=mnist, stated=stated)

# %% tags=["answer", "claim"]
claim.measured("Training with shifts brings another {value:.0%}.",
               at_four["LeNet, shifts"] - at_four["LeNet"], data=mnist,
               stated=stated)

# %% [markdown]
# Convolution and pooling do help: at two pixels, LeNet misreads about one digit in twenty, and the MLP more than one in
# four. At four pixels, though, LeNet has lost more than a third of the digits. Why, when both of its poolings were
# shifted by whole windows? Look at the maps that its linear layers receive, in the inner columns,
# which the padding does not reach.

# %%
@torch.inference_mode()
def last_maps(pixels):
    moved = batches(asked, 256, device=DEVICE,
                    augment=lambda x, generator: shift_right(x, pixels))
    x, _ = next(iter(moved))
    return models["LeNet"][:6](x)  # N×16×5×5


agree("LeNet's last maps after four pixels, and moved by one column",
      last_maps(4)[..., 2:4], last_maps(0)[..., 1:3], within=1e-3)

# %% [markdown]
# So convolution and pooling have done their part, and away from the edges they have done it exactly: the maps have
# moved by one column. This is *equivariance*. Invariance would have to come from the linear layers
# behind them, which read each place of the map with weights of its own, and have not learnt what centred digits never
# showed them. Shifted training images teach it, as far as they were shifted and about two pixels further. The
# network below has seen centred digits only.
#
# > **Try this.** Shift the 5 to the right, pixel by pixel. Does the network become unsure before it errs?

# %%
explore("digit", digit=5)

# %% [markdown]
# ## It buys what it shows
#
# Does a network that tolerates shifts also tolerate turns and other sizes?
#
# > **Predict before you run.** For turns of 40 degrees: is the LeNet that knows shifts better than the plain one,
# > equal, or worse?

# %% tags=["answer"] mystnb={"image": {"alt": "Accuracy over a turn of minus 60 to 60 degrees: all three networks fall on both sides, and LeNet trained with shifts is below the plain LeNet at large angles."}}
DEGREES = range(-60, 61, 10)
turned = {name: accuracy_curve(model, asked, augment.rotate, DEGREES)
          for name, model in models.items()}
plots.curves(DEGREES, turned, xlabel="degrees", ylabel="accuracy",
             percent=True, title="Shifts do not buy turns")

# %% [markdown]
# And the promise of scale invariance, put to a whole network:

# %% mystnb={"image": {"alt": "Accuracy over a scale of one half to one and a half. All networks are best near 1 and fall on both sides; at one half fewer than half of the digits are read."}}
FACTORS = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
scaled = {name: accuracy_curve(model, asked, augment.scale, FACTORS)
          for name, model in models.items()}
plots.curves(FACTORS, scaled, xlabel="scale", ylabel="accuracy",
             percent=True, title="No network here is invariant to scale")

# %% tags=["claim"]
claim.measured("At half their size, LeNet reads {value:.0%} of the digits "
               "less.", max(scaled["LeNet"]) - scaled["LeNet"][0],
               data=mnist, stated=stated)

# %% tags=["claim"]
at_40 = {name: curve[DEGREES.index(40)] for name, curve in turned.items()}
claim.measured("Turned by 40 degrees, the LeNet that knows shifts reads "
               "{value:.0%} of the digits less than the other.",
               at_40["LeNet"] - at_40["LeNet, shifts"], data=mnist,
               stated=stated)

# %% [markdown]
# The gain on shifts was paid for with turns. With size, results are mixed: somewhat smaller digits are read less well,
# the smallest and the largest better. One run could be luck, so we recorded eight kinds of network with three seeds
# each, among them one that saw turns of up to 40 degrees and one that saw shifts, turns and scales together. The last
# three networks pool by the mean, not at all, or with a blur before the step, as Zhang proposed (exercise 10.6).

# %%
runs = recorded_runs("invariance")
columns = {"as it is": ("shift", [0]), "±1 pixel": ("shift", [-1, 1]),
           "±4 pixels": ("shift", [-4, 4]),
           "±40 degrees": ("turn", [-40, 40]), "size 0.7": ("scale", [0.7])}
config = recorded("invariance")["config"]
asked_for = {"shift": config["pixels"], "turn": config["degrees"],
             "scale": config["factors"]}


def mean_of(runs, kind, values):
    places = [asked_for[kind].index(value) for value in values]
    return mean(run[kind][k] for run in runs for k in places)


print(f"{'':20}", *(f"{label:>11}" for label in columns))
for name in dict.fromkeys(run["network"] for run in runs):
    own = [run for run in runs if run["network"] == name]
    print(f"{name:20}", *(f"{mean_of(own, *column):11.1%}"
                          for column in columns.values()))

# %% [markdown]
# Read the columns: to tolerate turns, a network must see turns. "All three" does well everywhere, but in the first
# column it makes twice the errors of the plain LeNet. The last three lines answer the promises for whole networks. At
# one pixel, the network without pooling loses nearly twice as much as the other LeNets, and at four it is the worst of
# them, so the first promise holds for small steps; training with shifts brings far more at four. The second promise is
# kept a little, too: at seven tenths of the size, LeNet with pooling reads eleven points more than the one without.
#
# The third promise was that pooling prevents over-fitting. We recorded LeNet with five seeds on 1,000 images of
# clothes, until it knew nearly all of them: with max pooling; with every second pixel instead, which needs equally many
# parameters; and with neither, so the first linear layer must read 24×24 places instead of 5×5.

# %%
arms = recorded_runs("pooling_overfit")
for name in dict.fromkeys(run["network"] for run in arms):
    some = [run for run in arms if run["network"] == name]
    seen, new = ([run[split]["accuracy"] for run in some]
                 for split in ("train", "valid"))
    gap = [a - b for a, b in zip(seen, new, strict=True)]
    loss = mean(run["valid"]["loss"] for run in some)
    print(f"{name:11} {some[0]['parameters']:9,} parameters, "
          f"new {mean_and_spread(new)}, gap {mean_and_spread(gap)}, "
          f"loss on new {loss:.2f}")

# %% [markdown]
# The *gap* is the distance from seen images to new ones. All three end with about the same gap, although the third
# network has eighteen times the parameters, so the third promise is not kept. Pooling does give something else: with
# equally many parameters, the largest of four reads 1.4 points more of the new images than every second pixel, more
# than the seeds would explain. And the third network, though as accurate as the first, is the most wrongly confident of
# all: look at its loss.
#
# ## torchvision's `v2`
#
# A published course sends its readers to `imgaug`, whose last release is from 2020. It needs NumPy's `sctypes`, which
# NumPy 2 no longer has. torchvision's `transforms.v2` does the same work, and `Compose` chains its transforms.

# %% mystnb={"image": {"alt": "Eight random versions of one piece of clothing: turned, brighter or darker, some mirrored."}}
print(f"NumPy {numpy.__version__}, sctypes:", hasattr(numpy, "sctypes"))
fashion = load("fashion_mnist")
pipeline = v2.Compose([
    v2.RandomRotation(20, interpolation=bilinear),
    v2.ColorJitter(brightness=0.2),
    v2.RandomHorizontalFlip(0.5),
])
torch.manual_seed(SEED)
clothing = fashion.train.x[0].float() / 255
plots.images([pipeline(clothing) for _ in range(8)], columns=8,
             title="A new picture each time, the same label")

# %% [markdown]
# A published table says that `RandomVerticalFlip` "flips horizontally". It also has `ToTensor`, which v2 writes as two
# steps: to a tensor, C×H×W, and then to floats from 0 to 1. We check both.

# %%
tiny = torch.tensor([[[0, 1], [2, 3]]])
print(tiny[0].tolist(), "→", v2.RandomVerticalFlip(p=1)(tiny)[0].tolist())
pixels = flower[0].mul(255).byte().permute(1, 2, 0).numpy()  # H×W×3
two_steps = v2.Compose([v2.ToImage(),
                        v2.ToDtype(torch.float32, scale=True),
                        v2.Resize(64)])
as_before = v2.Compose([ToTensor(), v2.Resize(64)])
agree("two steps and `ToTensor`", two_steps(pixels), as_before(pixels),
      within=1e-6)

# %% [markdown]
# The vertical flip mirrors top and bottom. A costlier mistake: transforms of single pictures are slow, so people hand
# them whole batches, and that runs.
#
# > **Find the bug.** Eight pictures, each to be mirrored with a chance of one half. How many will be?

# %% tags=["answer"]
eight = noise[:8]


def mirrored(change):
    pairs = zip(change(eight), eight, strict=True)
    return sum(not torch.equal(a, b) for a, b in pairs)

# %% tags=["answer"]
torch.manual_seed(SEED)
flip = v2.RandomHorizontalFlip(0.5)
print("v2:     ", {mirrored(flip) for _ in range(100)})
print("Augment:", {mirrored(Augment(flip=0.5)) for _ in range(100)})

# %% [markdown]
# In a hundred trials, v2 mirrored all eight or none, because it draws once for each *call*. That is right for a
# picture and its mask, and wrong for a batch, all of whose images get the same angle. `Augment` draws for each image.
# How much time does that save here, now?

# %%
def seconds(loader):
    start = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - start


some = fashion.train.take(1_000)
whole = Augment(rotation=20, brightness=0.2, flip=0.5)
one_by_one = DataLoader(as_dataset(some, pipeline), batch_size=128)
ratio = seconds(one_by_one) / seconds(batches(some, 128, augment=whole))
print(f"one by one takes {ratio:.0f} times as long as whole batches")

# %% [markdown]
# Augmentation costs computing for every image of every epoch, and one by one it may well cost more than the training
# itself. Lesson 16 follows that up. Two rules hold either way. Colour changes come *before* normalising, since they
# need pixels from 0 to 1. For what is painted in from outside, such as the edge of a shift or the square of *cutout*,
# you can choose: before normalising it is black, after it mean grey. And random augmentation is for training images
# only: validation stays as it is.
#
# Not every augmentation keeps the label. *Mixup* lays two images over each other and mixes their labels in the same
# proportion, one for the whole batch; `F.cross_entropy` takes such labels as they are. `MixUp` pairs each image with
# the one before it in the batch, and the first with the last.

# %%
torch.manual_seed(SEED)
x, y = next(iter(batches(mnist.train, 64)))
mixed, labels = v2.MixUp(num_classes=10)(x, y)
print(f"a {y[0]} and a {y[-1]}:",
      [f"{share:.2f}" for share in labels[0].tolist()])

# %% [markdown]
# ## Which changes may you make?
#
# A mirrored shirt is a shirt, but a mirrored 7 is nothing, and a 6 on its head is a 9. Before you train with a change,
# there is a cheap test: show it to a network that has not seen it. This tells you what the network does not know yet,
# though not whether it should. The second bars belong to a LeNet trained on clothes.
#
# > **Predict before you run.** Surely mirrored clothes are read just as well?

# %% tags=["answer"]
on_clothes = trained(max_lenet, fashion)
CHANGES = {"as it is": lambda x, generator: x,
           "mirrored": lambda x, generator: x.flip(3),
           "on its head": lambda x, generator: x.flip(2).flip(3)}

# %% tags=["answer"]
def accuracies(model, images):
    return {name: evaluate(model, batches(images, 1_000, augment=change,
                                          device=DEVICE)).accuracy
            for name, change in CHANGES.items()}

# %% tags=["answer"] mystnb={"image": {"alt": "Bars: accuracy on images as they are, mirrored, and turned by 180 degrees, for a LeNet on digits and one on clothes. Both lose much when mirrored, and more on their heads."}}
plots.bars({"digits": accuracies(models["LeNet"], mnist.valid),
            "clothes": accuracies(on_clothes, fashion.valid)},
           ylabel="accuracy", title="Mirrored clothes are misread as well")

# %% [markdown]
# Why? Ask class by class.

# %%
for k, name in enumerate(fashion.classes):
    of_class = fashion.valid[fashion.valid.y == k]
    found = accuracies(on_clothes, of_class)
    print(f"{name:12} {found['as it is']:4.0%}, "
          f"mirrored {found['mirrored']:4.0%}")

# %% [markdown]
# The shoes! In this data set they point to the left. And the sixes on their heads?

# %%
sixes = batches(mnist.valid[mnist.valid.y == 6], 1_000, device=DEVICE,
                augment=CHANGES["on its head"])
read = predict(models["LeNet"], sixes).cpu().argmax(1)

# %% tags=["claim"]
claim.measured("Of the sixes on their heads, LeNet reads {value:.0%} as "
               "nines.", (read == 9).double().mean(), data=mnist,
               stated=stated)

# %% [markdown]
# So "does it keep the label?" is only half the question. The other half is whether the network will ever meet the
# change. If test shoes point left as well, mirrored ones cost the network effort for nothing. Whether such effort pays
# must be measured. We recorded one change at a time: LeNets with max pooling on 5,000 images of each of three data
# sets, with five seeds, for twelve epochs at first.
#
# > **Predict before you run.** Six changes, three data sets. Which of the changes will help on one set and hurt on
# > another?

# %% tags=["answer"]
trials = recorded_runs("augmentations")


def runs_of(data, change, epochs):
    return [run for run in trials if run["data"] == data
            and run["change"] == change and run["epochs"] == epochs]

# %% tags=["answer"]
def gains(data, change, epochs):
    """On new images, in points over no change, seed by seed."""
    plain = {run["seed"]: run["valid"]["accuracy"]
             for run in runs_of(data, "none", epochs)}
    return [100 * (run["valid"]["accuracy"] - plain[run["seed"]])
            for run in runs_of(data, change, epochs)]

# %% tags=["answer"] mystnb={"image": {"alt": "Gain in validation accuracy after twelve epochs, a dot for each seed, with means and standard deviations. Flips cost on digits and clothes and pay on CIFAR-10. Shifts pay a little on digits, cost on clothes, and pay on CIFAR-10. Turns and scales cost on clothes."}}
sets = ["mnist", "fashion_mnist", "cifar10"]
made = ["flip", "shift", "turn", "scale", "brightness", "cutout"]
after_12 = {data: {change: gains(data, change, 12) for change in made}
            for data in sets}
plots.intervals(after_12, xlabel="gain on new images, in points",
                title="What helps depends on the data")

# %% [markdown]
# Each dot is one seed's gain over no change, the bar their mean, and the line one standard deviation either way. The
# flip and the shift both help and hurt. Mirroring costs digits a point, but brings animals and vehicles almost three.
# On clothes nothing helps, and turns cost almost two points, although a coat that leans a little is surely still a
# coat. Why should more variety make a network worse? Perhaps it has not finished, since a coat that looks different in
# every epoch is more to learn. So we gave all of them forty epochs.

# %% mystnb={"image": {"alt": "Gain on new images of clothes for six changes, after twelve and after forty epochs. After twelve epochs flips, shifts, turns and scales cost; after forty, none of them clearly costs, and shifts and flips pay."}}
clothes = {f"{epochs} epochs": {change: gains("fashion_mnist", change, epochs)
                                for change in made} for epochs in (12, 40)}
plots.intervals(clothes, xlabel="gain on new clothes, in points",
                title="With more time the costs vanish, and shifts pay")

# %% [markdown]
# To see why, look at the images that the networks have *seen*, unchanged. Here is the accuracy on these, and beside it
# the gain on new images.

# %%
for data in sets[1:]:
    print(f"{data:15} 12 epochs: seen, gain   40 epochs: seen, gain")
    for change in ("none", *made):
        print(f"    {change:11}", end="")
        for epochs in (12, 40):
            seen = [run["train"]["accuracy"]
                    for run in runs_of(data, change, epochs)]
            gain = mean(gains(data, change, epochs))
            print(f"{mean(seen):17.1%} {gain:+6.1f}", end="")
        print()

# %% [markdown]
# On clothes, the network without changes reads 93 % of the images it has seen after twelve epochs, and all of them
# after forty. From then on it has nothing more to learn, and it reads the new ones no better than before. With shifts
# it has read only 87 % after twelve epochs, because every epoch brings it new pictures. It was not worse, it was not
# finished. After forty epochs the same change that had cost two points brings almost one. So give a change time before
# you judge it.
#
# But time is not all. On photographs, five changes make memorising harder, and after forty epochs only the flip and the
# shift have clearly paid, by four and by more than five points. New photographs do come mirrored and off centre. They
# seldom come turned. So "augmentation improves generalisation" is no law. A change makes the network pay in training
# time, and whether it gets something back depends on what new images do. (With five seeds, trust a mean that is three
# standard errors, or 1.3 standard deviations, from 0.)
#
# ## Ask five times
#
# Augmentation can be used at test time, too. Ask about an image and its four neighbours, moved by one pixel, and take
# the mean of the five answers. This costs five times the computing.

# %%
STEPS = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]


def answers(model, images, step):
    view = batches(images, 1_000, device=DEVICE,
                   augment=lambda x, generator: augment.shift(x, *step))
    return predict(model, view).softmax(1).cpu()


def accuracy_of_five(model, images):
    total = sum(answers(model, images, step) for step in STEPS)
    return (total.argmax(1) == images.y).double().mean()

# %% [markdown]
# We ask about the digits as they are, and about the same digits off centre, each moved at random by up to two pixels.
#
# > **Predict before you run.** Which images should it help: centred ones, or those off centre?

# %% tags=["answer"]
generator = torch.Generator().manual_seed(SEED)
x = Augment(shift=2)(mnist.valid.x / 255, generator=generator)
moved = Images((255 * x).round().byte(), mnist.valid.y, mnist.valid.mean,
               mnist.valid.std)

# %% tags=["answer"]
for name, images in {"centred": mnist.valid, "moved": moved}.items():
    for kind in ("LeNet", "LeNet, shifts"):
        loader = batches(images, 1_000, device=DEVICE)
        once = evaluate(models[kind], loader).accuracy
        five = accuracy_of_five(models[kind], images)
        print(f"{name:8} {kind:14} once {once:.2%}, five times {five:.2%}")

# %% [markdown]
# Centred digits gain next to nothing. Off centre, asking five times removes about a tenth of the errors of either
# network. Having learnt shifts removes two thirds, and costs nothing when the network is used. A tenth of a point is
# five images, so do not read much into it.
#
# ## One look at the test
#
# Two networks, and both tests named beforehand: the test digits as they are, and moved to the right by four pixels.

# %%
usual, robust = (accuracy_curve(models[name], mnist.test, shift_right,
                                [0, 4])
                 for name in ("LeNet", "LeNet, shifts"))
print(f"as they are: LeNet {usual[0]:.2%}, with shifts {robust[0]:.2%}")

# %% tags=["claim"]
claim.measured("Moved by four pixels, LeNet with shifts reads {value:.1%} "
               "of the test digits.", robust[1], data=mnist, stated=stated)

# %% tags=["claim"]
claim.measured("That is {value:.0%} of the digits more than LeNet without "
               "reads.", robust[1] - usual[1], data=mnist, stated=stated)

# %% [markdown]
# A test of centred digits would have preferred the wrong network, because it only answers what it asks.
#
# **On Monday.** List the changes that your images will meet, and draw one accuracy curve for each before you choose a
# network. Train with those that occur and keep the label. If a change costs accuracy, look at the training accuracy
# too: the network may just need more time.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. A folded solution follows each exercise.
#
# ### Exercise 10.1 · With a pencil
#
# A row of pixels, `[0, 0, 0, 6, 4, 0, 2, 0]`, is max-pooled in pairs. What is the pooled row after the pixels have
# moved one to the right, and two to the right? Zeros come in on the left, and what leaves is lost. Give two lists of
# four.

# %%
pooled_rows = ...
check("10.1", pooled_rows)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.1
# without a move: [0, 6, 4, 2]
pooled_rows_solution = ([0, 0, 6, 2], [0, 0, 6, 4])
assert check("10.1", pooled_rows_solution)

# %% [markdown]
# ### Exercise 10.2 · Keeps the label, and occurs
#
# Which of the changes `"mirror"`, `"upside down"` (by 180°), `"turn by 10°"` would you use in training for each kind of
# picture? Cars are photographed by hand, from the street; cells lie on a slide under a microscope. Give one set of
# names for each.

# %%
allowed = {"digits": ..., "cars": ..., "cells": ...}
check("10.2", allowed)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.2
allowed_solution = {
    "digits": {"turn by 10°"},  # a mirrored 7 is none
    "cars": {"mirror", "turn by 10°"},  # seldom on their roofs
    "cells": {"mirror", "upside down", "turn by 10°"},  # no up
}
assert check("10.2", allowed_solution)

# %% [markdown]
# ### Exercise 10.3 · From v2 to whole batches
#
# A published study of CIFAR-10 used `RandomRotation(20)`, `ColorJitter(brightness=0.2, hue=0.1)` and
# `RandomHorizontalFlip(0.5)`. Give the keywords with which `Augment` draws from the same ranges, as a dict such as
# `{"shift": 4}`. It has `flip`, `shift`, `rotation`, `scale`, `brightness`, `hue` and `cutout`. A range is a pair
# `(low, high)`, in degrees, factors, or shares of a full turn of the hue; one number a stands for ±a around what
# changes nothing, and `flip` is a chance. `help(v2.ColorJitter)` tells how v2 reads its numbers.

# %%
as_published = ...
check("10.3", as_published)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.3
as_published_solution = {"rotation": 20, "brightness": 0.2, "hue": 0.1,
                         "flip": 0.5}
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
    answers = [model(change(x)).softmax(1) for change in changes]
    return torch.stack(answers).mean(0)


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
    largest = F.max_pool2d(x, 2, stride=1)
    padded = F.pad(largest, (1, 1, 1, 1), mode="reflect")
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    channels = x.shape[1]
    kernels = kernel.to(x).expand(channels, 1, 3, 3)
    return F.conv2d(padded, kernels, stride=2, groups=channels)


for layer_solution in (max_pool, blurred_pool_solution):
    change_solution = relative_change(layer_solution, noise, 1)
    print(f"{layer_solution.__name__}: {change_solution:.1%}")
assert check("10.6", blurred_pool_solution)

# %% [markdown]
# ### Exercise 10.7 · The largest answer of all
#
# A network that takes the largest number of a whole feature map forgets *where* it was. It is invariant to shifts,
# while the object stays inside. Is it invariant to scale? Find a picture (8×8, its two outermost rows and columns on
# each side 0) and a kernel (3×3) such that the largest answer of `F.conv2d` is above 0, and at least doubles when each
# pixel of the picture becomes 2×2 equal ones. Give `(picture, kernel)`.

# %%
small_or_large = ...
check("10.7", small_or_large)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 10.7
picture_solution, kernel_solution = torch.zeros(8, 8), torch.ones(3, 3)
picture_solution[3, 3] = 1  # one pixel: the kernel sees 1, and later 4
small_or_large_solution = (picture_solution, kernel_solution)
assert check("10.7", small_or_large_solution)

# %% [markdown]
# ### An open question
#
# Some people want networks that *cannot* depend on an object's place or angle, whatever they are trained on. Others
# show the network every place and angle, and let it learn. When would you pay for the first? Think of a radiologist,
# for whom left and right lungs differ, and of an astronomer, for whom no galaxy is upside down.
#
# ## What you can do now
#
# 1. Tell invariance (the answer stays) from equivariance (it moves along), and measure both.
# 2. Say what pooling gives: a softer step for small shifts, some tolerance for size, and no invariance to either.
# 3. Shift by padding and cropping, and turn by looking up where each pixel comes from. v2 draws once a call, `Augment`
#    once an image.
# 4. Choose changes that keep the label and occur, and look at seen and new images before you keep one.
#
# ## Further reading
#
# - R. Zhang, *Making convolutional networks shift-invariant again* (2019): the blur.
# - A. Azulay and Y. Weiss, *Why do deep convolutional networks generalize so poorly to small image transformations?*
#   (2019).
# - H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, *mixup: Beyond empirical risk minimization* (2018).
# - T. DeVries and G. Taylor, *Improved regularization of convolutional neural networks with cutout* (2017).
