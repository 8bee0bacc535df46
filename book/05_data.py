# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · Data you can trust
#
# *What went wrong before the model saw its first image?*
#
# **Read** 55 min · **Run** 50 s on two CPU cores · **Before this** lessons 1 and 2
#
# ## What you will be able to do
#
# 1. Take a data set apart before you use it: pictures, counts, ranges, statistics, a score to beat.
# 2. Split it so that the split's score means something, and find what leaks across.
# 3. Read files with `Dataset`, `ImageFolder`, transforms and `DataLoader`, and check what comes out.
# 4. Catch a shuffle that does not shuffle, and a transform that two splits share.
# 5. Normalise once, by the right numbers, the same everywhere, and say what the learning rate can make up for.
# 6. Hand out the same pixels many times faster.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("05_data")

# %%
import hashlib
import tempfile
import timeit
from pathlib import Path
from statistics import mean, median

import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, random_split
from torchvision import datasets
from torchvision.transforms import v2
from torchvision.utils import make_grid

from course_utils import (
    agree, batches, check, claim, diagrams, load, mean_and_spread, plots,
    recorded_runs,
)
from course_utils.data import as_dataset

# %% [markdown]
# These numbers are yours to change.

# %% nbmake={"mock": {"PROBES": 100, "LEAK_IMAGES": 100, "IMAGES": 200, "EPOCHS": 1, "TIMED": 200, "REPEATS": 2}}
SEED = 0
PROBES = 1_000  # test images whose twins we look for
LEAK_IMAGES = 1_500  # for the experiment with a leak
IMAGES, EPOCHS = 3_000, 2  # for the small trainings
TIMED, REPEATS = 2_000, 5  # images handed out on the clock, and how often

# %% [markdown]
# ## Look first
#
# Much of a network's accuracy is won or lost before it sees its first image, and what goes wrong there raises no
# error. It only makes a number too good or too bad. So we begin where a careful doctor begins, and look at the
# patient before we order a treatment.
#
# The book has three data sets. The brackets name the *copy*: the official files, the same in another order, or
# pictures that were once saved as JPEG. `valid` holds training images that are set aside for later.

# %%
three = mnist, fashion, cifar = [
    load(name) for name in ("mnist", "fashion_mnist", "cifar10")]
for data in three:
    print(data, "·", tuple(data.train.x.shape[1:]), data.train.x.dtype)

# %% [markdown]
# Pixels are whole numbers from 0 to 255, one byte each. Here is one image of each class, drawn at random.

# %% mystnb={"image": {"alt": "Three rows of ten pictures: handwritten digits 0 to 9 in white on black, ten kinds of clothing in grey on black, and ten colour photographs from airplane to truck."}}
pictures = []
for data in three:
    some = data.train.take(10, seed=SEED)  # one of each class
    pictures.extend(some.x[some.y.argsort()])
plots.images(pictures, columns=10,
             title="Two are centred on black, the third is anything but")
print(fashion.classes, cifar.classes, sep="\n")

# %% [markdown]
# > **Predict before you run.** Are the ten classes of each set equally large?

# %%
def everything(data):
    """The published training set: what `load` set aside is put back."""
    return (torch.cat([data.train.x, data.valid.x]),
            torch.cat([data.train.y, data.valid.y]))

# %% tags=["answer"]
for data in three:
    x, y = everything(data)
    print(f"{data.name}: {len(y):,} and {len(data.test):,} to test, "
          f"pixels {x.min()} to {x.max()}")
    print("images in each class:", y.bincount().tolist())

# %% [markdown]
# Fashion-MNIST and CIFAR-10 were balanced by design, while MNIST took what people wrote, and its ones outnumber its
# fives.
#
# A look also tells you *which* set you have. One of our sources takes scikit-learn's `load_digits` for a part of
# MNIST.

# %% tags=["claim"]
claim("scikit-learn's digits have {value} pixels.",
      "×".join(map(str, load_digits().images.shape)), equals="1797×8×8")

# %% [markdown]
# ## A score to beat
#
# Our measure is the *accuracy*, the share of right answers. Is 80 % good? You cannot tell until you know what
# somebody who has learned next to nothing can score. Such a person can always name the commonest class. With a little
# more effort, she averages the training images of each class, and names the class whose *mean image* is nearest. A
# network must beat both.

# %%
def accuracy(answer, y):
    return (answer == y).double().mean().item()


def nearest_mean(images):
    """A function that answers with the class whose mean image is nearest."""
    means = torch.stack([images.x[images.y == label].float().mean(0)
                         for label in range(10)]).flatten(1)
    return lambda x: torch.cdist(x.flatten(1).float(), means).argmin(1)

# %% [markdown]
# The means come from the training images, the scores from those set aside.

# %%
baseline = {}
for data in three:
    baseline[data.name] = nearest_mean(data.train)
    commonest = accuracy(data.train.y.mode().values, data.valid.y)
    nearest = accuracy(baseline[data.name](data.valid.x), data.valid.y)
    print(f"{data.name:13} commonest class {commonest:.1%}, "
          f"nearest mean {nearest:.1%}")

# %% [markdown]
# So 80 % on MNIST is no achievement, since ten blurred pictures do that. On colour photographs they help little.
#
# ## Hold out, at random
#
# Why set images aside at all? A student who is examined on the very questions she has practised shows memory, and you
# would like to see understanding. So three parts are kept apart: the *training* split to learn from, the *validation*
# split to choose by, and the *test* split, which judges once, at the end. They must be alike, so chance must deal the
# images out, and a *generator* makes chance repeatable.

# %%
def split(images, generator=None):
    return random_split(images, [5 / 6, 1 / 6], generator)[1].indices

# %% [markdown]
# > **Predict before you run.** Below, one seed is set, then two splits are drawn. Are they equal? And two splits with
# > a generator each?

# %% tags=["answer"]
torch.manual_seed(42)
first, second = split(mnist.train), split(mnist.train)
print("one seed at the top, two splits: equal is", first == second)
mine = split(mnist.train, torch.Generator().manual_seed(42))
yours = split(mnist.train, torch.Generator().manual_seed(42))
print("a seeded generator each: equal is", mine == yours)

# %% [markdown]
# A seed at the top of a notebook starts one long stream of numbers, and whatever is drawn earlier shifts what comes
# later. Give each experiment its own generator (or set the seed right before it), and it stays the same whatever runs
# before it. A later PyTorch may draw different numbers from the same seed, so if you need a split for years, save the
# positions. (The package's `load` draws *stratified*, which means at random, but the same share of each class.)
#
# Is chance really necessary? One could simply take the first images. MNIST's page warns that the first 5,000 test
# digits, which were taken from another collection, "are cleaner and easier than the last 5000". We have a baseline,
# so we need not believe it.
#
# > **Predict before you run.** On which half does the nearest mean do better, and by how much?

# %% tags=["answer"]
right = baseline["mnist"](mnist.test.x) == mnist.test.y
halves = [half.double().mean() for half in right.chunk(2)]
print(f"first half {halves[0]:.1%}, second half {halves[1]:.1%}")

# %% [markdown]
# For our baseline it is the other way round, and by far. (We choose nothing by this, so the test split is not used
# up.) So the first images are not like the rest.

# %% tags=["claim"]
claim.data("MNIST's second half of the test digits is easier for the nearest "
           "mean, by {value:.1f} points.", 100 * (halves[1] - halves[0]),
           data=mnist, equals={"official": 9.3}, within=0.05)

# %% [markdown]
# ## Leaks
#
# If an image is in two splits, a network that has memorised it looks better than it is. How would you find such
# copies among 60,000 images? Equal bytes have equal *hashes*, and different bytes practically always have different
# ones, so a set of such fingerprints finds copies at once.

# %%
def fingerprints(images):
    return [hashlib.sha256(image.tobytes()).hexdigest()
            for image in images.numpy()]


for data in three:
    seen = set(fingerprints(everything(data)[0]))
    copies = sum(mark in seen for mark in fingerprints(data.test.x))
    print(f"{data.name}: {copies} test images are training images")

# %% [markdown]
# Byte for byte there are none. But a hash is blind to a copy that was cropped, saved again, or made brighter. A
# coarse look is more forgiving. So we shrink all images to 8×8 pixels, and take out brightness and contrast.

# %%
def thumbnails(images):
    small = torch.cat([F.adaptive_avg_pool2d(part.float(), 8)
                       for part in images.split(5_000)]).flatten(1)
    return F.normalize(small - small.mean(1, keepdim=True))  # length 1

# %% [markdown]
# The dot product of two such rows is their likeness, and 1 means equal. For each test image we look for the training
# image that is most alike, and show the eight closest pairs.

# %% mystnb={"image": {"alt": "Eight test images of CIFAR-10 above the training image most like each. The pairs show the same photographs, some slightly shifted or in another tone; their likeness is about 0.98 or 0.99."}}
x, _ = everything(cifar)
probes = cifar.test.take(PROBES)  # of each class its share
likeness, twin = (thumbnails(probes.x) @ thumbnails(x).T).max(1)
top = likeness.argsort(descending=True)[:8]
names = ["test"] * 8 + [f"{value:.3f}" for value in likeness[top]]
plots.images([*probes.x[top], *x[twin[top]]], names, columns=8,
             title="Test images that the training set knows already")

# %% tags=["claim"]
claim.data(f"Of {PROBES:,} test images of CIFAR-10, {{value}} have a twin "
           "(likeness 0.975 or more).", (likeness >= 0.975).sum(), data=cifar,
           at_least=0.006 * PROBES)

# %% [markdown]
# Barz and Denzler looked with more care, and by eye, and found near copies of 3.3 % of CIFAR-10's test images among
# the training images. That much of the benchmark rewards memory.
#
# Such leaks are inherited, while the next one is home-made. Somebody *augments* the images first, here by adding a
# copy of each, moved by one pixel, and then splits at random. Our model learns nothing at all: it names the label of
# the nearest training image.

# %%
def nearest_image(x, y, in_valid):
    nearest = torch.cdist(x[in_valid], x[~in_valid]).argmin(1)
    return accuracy(y[~in_valid][nearest], y[in_valid])

# %% [markdown]
# > **Predict before you run.** What does it reach on CIFAR-10, with the leak and without?

# %% tags=["answer"]
images = cifar.train.take(LEAK_IMAGES, SEED)
pictures = torch.cat([images.x, images.x.roll(1, dims=3)])
y, n = images.y.repeat(2), len(images)
generator = torch.Generator().manual_seed(SEED)
leaky = torch.rand(2 * n, generator=generator) < 0.2
clean = (torch.rand(n, generator=generator) < 0.2).repeat(2)
sides = {"augment, then split": leaky, "split, then augment": clean}
scores = {name: nearest_image(pictures.flatten(1).float(), y, in_valid)
          for name, in_valid in sides.items()}
for name, reached in scores.items():
    print(f"{name}: {reached:.1%}")

# %% [markdown]
# The figure shows how the leak comes about. The frame's colour tells which side a picture (above) or its copy (below)
# is on.

# %% mystnb={"image": {"alt": "Two blocks of eight pictures above their moved copies. Augmented and then split, several pictures have a blue frame and their copy an orange one. Split and then augmented, both frames always have one colour."}}
diagrams.sides(pictures.unflatten(0, (2, n))[:, :8],
               {name: side.view(2, n)[:, :8] for name, side in sides.items()},
               title="Split last, and copies fall on both sides")

# %% [markdown]
# Where the two frames differ, the exam question is already in the exercise book, moved by one pixel. So split first,
# and augment afterwards. The same holds for whatever comes in groups, such as the frames of a film, the scans of a
# patient, or the digits of a writer.

# %% tags=["claim"]
claim.data("Augmented first, a model without learning reaches {value:.0%}.",
           scores["augment, then split"], data=cifar, at_least=0.7)

# %% [markdown]
# ## From files to tensors
#
# Sooner or later your data are files, and PyTorch meets them half-way. MNIST comes in a plain format called *idx*: a
# mark, the length of each axis, the bytes. We write such files ourselves, and let `torchvision` read them.
# (`download=True` would fetch the real ones.)

# %%
def write_idx(path, tensor):
    mark = bytes([0, 0, 8, tensor.ndim])  # 8 stands for unsigned bytes
    lengths = b"".join(n.to_bytes(4, "big") for n in tensor.shape)
    path.write_bytes(mark + lengths + tensor.numpy().tobytes())

# %% [markdown]
# A data set applies its *transform* whenever an item is asked for. Ours makes a tensor with the channel first, and
# with `scale=True` divides bytes by 255. Older code says `ToTensor` for both.

# %%
to_tensor = v2.Compose([v2.ToImage(),
                        v2.ToDtype(torch.float32, scale=True)])
with tempfile.TemporaryDirectory() as root:
    raw = Path(root, "MNIST", "raw")
    raw.mkdir(parents=True)
    for name, part in {"train": mnist.train, "t10k": mnist.test}.items():
        write_idx(raw / f"{name}-images-idx3-ubyte", part.x[:, 0])
        write_idx(raw / f"{name}-labels-idx1-ubyte", part.y.byte())
    from_files = datasets.MNIST(root, transform=to_tensor)

# %% [markdown]
# A `Dataset` answers two questions: how many are there, and what is number *k*?

# %%
image, label = from_files[0]
print(tuple(image.shape), image.dtype, f"up to {image.max()}, a {label}")
agree("every pixel, written and read", from_files.data,
      mnist.train.x[:, 0], within=0)

# %% [markdown]
# Your own pictures more likely sit in a folder, with one subfolder for each class, and `ImageFolder` reads that.

# %%
with tempfile.TemporaryDirectory() as root:
    for k in range(6):
        kind = Path(root, mnist.classes[mnist.train.y[k]])
        kind.mkdir(exist_ok=True)
        picture = Image.fromarray(mnist.train.x[k, 0].numpy())
        picture.save(kind / f"{k}.png")
    folder = datasets.ImageFolder(root, transform=to_tensor)
    print(folder.classes, "first shape:", tuple(folder[0][0].shape))

# %% [markdown]
# A label is the place of a folder's name in the sorted list, so the nine has label 5 here. And the shape? These were
# grey pictures, but `ImageFolder` makes three channels of everything, whether colour, grey, or colour with a fourth
# channel for opacity. If you open files with PIL yourself, call `.convert("RGB")` for the same effect. (It turns most
# of a 16-bit X-ray white.)
#
# Transforms can also change pictures at random, so that a network sees each of them in many forms. But the label must
# stay true. Which of the pictures below are still what they were?

# %% mystnb={"image": {"alt": "A handwritten two and its mirror image, which is no digit; a shoe and its mirror image, which is a shoe."}}
two = mnist.train.x[mnist.train.y == 2][0]
shoe = fashion.train.x[fashion.train.y == 7][0]
plots.images([two, two.flip(2), shoe, shoe.flip(2)],
             ["a two", "mirrored", "a shoe", "mirrored"],
             title="A mirrored shoe is a shoe, a mirrored two is nothing")

# %% [markdown]
# No statistic can answer this, since it is a question about the world. A number can only say how strange mirrored
# images are to a model that never saw any.
#
# > **Predict before you run.** On which of the three data sets does mirroring hurt our baseline? And one tutorial
# > says that `RandomVerticalFlip` "flips horizontally". Does it?

# %% tags=["answer"]
for data in three:
    x, y = data.valid.x, data.valid.y
    plain, mirrored = baseline[data.name](x), baseline[data.name](x.flip(3))
    print(f"{data.name:13} as it is {accuracy(plain, y):.0%}, "
          f"mirrored {accuracy(mirrored, y):.0%}")
print(v2.RandomVerticalFlip(p=1)(torch.tensor([[[0, 1], [2, 3]]])).tolist())

# %% [markdown]
# The baseline finds mirrored clothes strange, too, although their labels are right. The shoes! In this data set
# nearly all point to the left. A network that *trains* with mirrored images can learn both forms, and only you can
# know whether both have the same name. (`RandomVerticalFlip` swaps top and bottom.)
#
# ## A data set by hand
#
# Where no ready-made class fits, you write your own. Two methods are all that PyTorch asks for, besides your own
# `__init__`.

# %%
class Pictures(Dataset):
    def __init__(self, images, transform=None):
        self.images, self.transform = images, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, k):
        x = self.images.x[k].float() / 255
        if self.transform:
            x = self.transform(x)
        return x, self.images.y[k].item()

# %% [markdown]
# A `DataLoader` gathers items into batches. Its defaults are worth a look.

# %%
loader = DataLoader(Pictures(mnist.train))
x, y = next(iter(loader))
print(tuple(x.shape), tuple(y.shape), type(loader.sampler).__name__)

# %% [markdown]
# By default a batch is a single image, and the images come in the order of the file. For training you want
# `batch_size=128, shuffle=True`.
#
# ## Find the bug: a shuffle that does not shuffle
#
# These lines have been copied from program to program for years.
#
# > **Predict before you run.** On a machine without a GPU, how do the first labels of two epochs compare?

# %% tags=["answer"]
options = {"batch_size": 64}
use_cuda = False
if use_cuda:
    options |= {"num_workers": 1, "pin_memory": True, "shuffle": True}
loader = DataLoader(Pictures(mnist.train), **options)
for epoch in range(2):
    x, y = next(iter(loader))
    print(f"epoch {epoch}:", y[:10].tolist())

# %% [markdown]
# Both epochs begin alike, because `shuffle` was set only along with the GPU's options. Does it matter? On MNIST
# hardly, since its labels are mixed already. But an `ImageFolder` is read class by class. A small network shows what
# that does. (Its loss is `cross_entropy`, which is small when the right answer stands out among the ten. Lesson 6
# explains it.)

# %%
def train_small(images, prepare, lr=0.05, seed=SEED, shuffle=True):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(),
                          nn.Linear(images.x[0].numel(), 100), nn.ReLU(),
                          nn.Linear(100, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for _ in range(EPOCHS):
        mixed, by_class = torch.randperm(len(images)), images.y.argsort()
        for at in (mixed if shuffle else by_class).split(50):
            logits = model(prepare(images.x[at]))
            loss = F.cross_entropy(logits, images.y[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model

# %% [markdown]
# `prepare` makes numbers from bytes, and for now it divides by 255. The largest answer names the class.

# %%
@torch.inference_mode()
def score(model, images, prepare):
    return accuracy(model(prepare(images.x)).argmax(1), images.y)


def unit(x):
    return x.float() / 255

# %% [markdown]
# > **Predict before you run.** How well does it read digits if it sees the zeros first, then the ones, and so on? And
# > which digit does it like best in the end?

# %% tags=["answer"]
some = mnist.train.take(IMAGES)
reached = {}
for shuffle, lr in ((True, 0.1), (False, 0.01), (False, 0.1)):
    models = [train_small(some, unit, lr, seed, shuffle)
              for seed in range(SEED, SEED + 5)]
    found = [score(model, mnist.valid, unit) for model in models]
    print(f"shuffle={shuffle}, lr {lr}: {mean_and_spread(found)}")
    reached[shuffle, lr] = mean(found)
answers = models[-1](unit(mnist.valid.x)).argmax(1).bincount(minlength=10)
print("how often it then answers 0 to 9:", answers.tolist())

# %% [markdown]
# While it sees sevens, the quickest way to a small loss is to answer *seven* whatever comes. Then come only eights,
# and it unlearns the seven. In the end it nearly always answers 9, the class that it saw last. At a tenth of the rate
# it forgets more slowly, and still reads less than half of the digits.

# %% tags=["claim"]
stated = (IMAGES, EPOCHS) == (3_000, 2)
claim.measured("Fed class by class, it reads {value:.0%} of the digits.",
               reached[False, 0.01], data=mnist, stated=stated, at_most=0.5)

# %% [markdown]
# ## Find the bug: a transform that two splits share
#
# We want to erase a random patch of each training image, and leave the validation images alone. A published program
# does it like this.

# %%
erase = v2.RandomErasing(p=1, value="random")
training, validation = random_split(
    Pictures(mnist.train, transform=erase), [0.9, 0.1])


def changes(dataset):
    """Whether the first image comes out in two forms, asked twice."""
    return not torch.equal(dataset[0][0], dataset[0][0])

# %% [markdown]
# It then sets the transform of the validation part to `None`.
#
# > **Predict before you run.** Which of the two parts change, before this cure and after it?

# %% tags=["answer"]
print("before:", changes(training), changes(validation))
validation.dataset.transform = None
print("after: ", changes(training), changes(validation))

# %% [markdown]
# `random_split` shares out positions, not images. Both parts are windows on *one* data set with one transform, so the
# program first erases in both parts and then in neither. Two data sets and one list of positions keep them apart.

# %%
generator = torch.Generator().manual_seed(SEED)
learn, judge = random_split(range(len(mnist.train)), [0.9, 0.1], generator)
training = Subset(Pictures(mnist.train, transform=erase), learn)
validation = Subset(Pictures(mnist.train), judge)
print(changes(training), changes(validation))

# %% [markdown]
# ## Normalise
#
# Optimisers like numbers around 0, of about size 1. So we *standardise*: subtract the mean of the training pixels and
# divide by their standard deviation, for each channel by itself. The numbers must come from the training images
# alone, because test images that help to prepare the data have leaked into it. Here are MNIST's.

# %%
x = unit(mnist.train.x)
print(f"MNIST: mean {x.mean():.4f}, standard deviation {x.std():.4f}")

# %% [markdown]
# And CIFAR-10? Programs everywhere divide by .2023, .1994, .2010. A channel's standard deviation can be taken of all
# pixels at once, or of each image and then averaged.
#
# > **Predict before you run.** Which of the two gives these numbers? And which must you divide by to make the
# > standard deviation 1?

# %% tags=["answer"]
x = unit(cifar.train.x)
of_pixels = x.std((0, 2, 3))
of_images = x.std((2, 3)).mean(0)
print("of all pixels:", of_pixels)
print("of each image, then averaged:", of_images)

# %% [markdown]
# The numbers in circulation average each image's own standard deviation, in which the difference between bright
# images and dark ones is missing. Ours may differ in the third decimal place, because a copy that was saved as JPEG
# has lost a little contrast. One may divide by them, as we will see, but they are not what they are called.

# %% tags=["claim"]
claim.data("Divided by them, the red of CIFAR-10 has a standard deviation of "
           "{value:.2f} and not of 1.", of_pixels[0] / 0.2023, data=cifar,
           equals=1.21, within=0.02)

# %% [markdown]
# ## Once, and everywhere the same
#
# Six ways to prepare a picture are in use, the last one by accident.

# %%
middle = cifar.train.mean.view(-1, 1, 1)
width = cifar.train.std.view(-1, 1, 1)
PREPARED = {
    "0…255": lambda x: x.float(),
    "0…1": unit,
    "centred": lambda x: unit(x) - middle,
    "±1": lambda x: (unit(x) - 0.5) / 0.5,
    "once": lambda x: (unit(x) - middle) / width,
    "twice": lambda x: ((unit(x) - middle) / width - middle) / width,
}

# %% [markdown]
# Standardising does not make pixels *normally distributed*, though some texts say so. It moves and stretches their
# histogram, and leaves its shape as it was, even one like MNIST's:

# %% tags=["claim"]
dark = (mnist.train.x == 0).double().mean()
claim.data("Of MNIST's pixels, {value:.0%} are one and the same number, "
           "standardised or not.", dark, data=mnist, equals=0.81,
           within=0.005)

# %% [markdown]
# Which is best? Lesson 1's rule says that each must have its own learning rate before we compare. Numbers that are
# 255 times as large want a much smaller one, so the rates below span more than five powers of ten.
#
# > **Predict before you run.** At its own best rate, which preparation is the worst? Can a small rate make up for
# > normalising twice? And for not subtracting a mean?

# %% tags=["answer"] mystnb={"image": {"alt": "Validation accuracy against the learning rate on a logarithmic axis. 0 to 255 reaches about 16 percent and 0 to 1 about 26. Centred, once and twice all reach about 35, each at another rate."}}
RATES = [1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1]
some, judges = cifar.train.take(IMAGES), cifar.valid.take(1_000)
by_rate = {}
for name, prepare in PREPARED.items():
    by_rate[name] = [score(train_small(some, prepare, lr), judges, prepare)
                     for lr in RATES]
drawn = {name: by_rate[name] for name in by_rate if name != "±1"}
plots.curves(RATES, drawn, log="x", percent=True, xlabel="learning rate",
             ylabel="accuracy",
             title="A rate can mend the scale, but not a missing mean")

# %% [markdown]
# *Twice* makes the numbers four times as large, and a smaller rate makes up for nearly all of that. But *0…1* never
# catches up with *centred*, which is the same pictures on the same scale, less their mean. With the mean left in, all
# images share a large part, their average picture. That says nothing about the class, and yet it dominates every
# gradient. A step that is safe for it is too small for the differences between images, which do tell the class. (More
# epochs narrow the gap, slowly.) *0…255* has the same fault, and its numbers are too large for the weights that
# training starts from.
#
# Now five new seeds, each preparation at its best rate.

# %%
reached = {}
for name, prepare in PREPARED.items():
    best = RATES[torch.tensor(by_rate[name]).argmax()]
    models = [train_small(some, prepare, best, seed)
              for seed in range(SEED + 1, SEED + 6)]
    reached[name] = [score(model, judges, prepare) for model in models]
    print(f"{name:7} at {best:<6g} {mean_and_spread(reached[name])}")

# %% tags=["claim"]
claim.measured("Normalised twice, at its own rate, it reaches {value:.0%}.",
               mean(reached["twice"]), data=cifar, stated=stated,
               at_least=0.3)

# %% tags=["claim"]
claim.measured("On pixels from 0 to 1, at their own rate, it reaches "
               "{value:.0%}.", mean(reached["0…1"]), data=cifar,
               stated=stated, at_most=0.3)

# %% [markdown]
# Preparing test images differently from training images hurts as well, most of all where the mean stays in. One
# model, six tests:

# %%
model = train_small(some, PREPARED["once"])
for name, prepare in PREPARED.items():
    print(f"tested on {name:7} {score(model, judges, prepare):6.1%}")

# %% [markdown]
# No error message tells you, so prepare every split, and every later image, with one and the same function.
#
# ## The whole batch at once
#
# A `DataLoader` asks for one item at a time, like somebody who walks to the shelf for every single book. For each
# image it calls `__getitem__`, and each step of a transform again. But our three sets fit into memory, as bytes, and
# a batch is then one indexing, one division, one subtraction.

# %%
def whole_batches(images, batch_size):
    middle, width = images.mean.view(-1, 1, 1), images.std.view(-1, 1, 1)
    for at in torch.randperm(len(images)).split(batch_size):
        yield (unit(images.x[at]) - middle) / width, images.y[at]

# %% [markdown]
# The package has both ways: `batches` is our function with more options, and `as_dataset` is your `Pictures`,
# normalised, for whatever wants items one by one. First, are the pixels the same?

# %%
def pixels_of(loader):
    torch.manual_seed(SEED)
    return torch.cat([x for x, _ in loader])


some = mnist.train.take(TIMED)
agree("ours and the package's", pixels_of(whole_batches(some, 100)),
      pixels_of(batches(some, 100, shuffle=True)), within=0)
agree("one by one and as a batch", pixels_of(batches(some, 100)),
      pixels_of(DataLoader(as_dataset(some), 100)), within=0)

# %% [markdown]
# Now the clock. First come the items that `torchvision` found in our files, with the usual transforms, then those of
# `as_dataset`. We count the fastest of several times, because a busy moment can only make a run slower.

# %%
def fastest(loader):
    return min(timeit.repeat(lambda: list(loader), number=1, repeat=REPEATS))

# %% [markdown]
# > **Predict before you run.** How many times faster is the whole batch?

# %% tags=["answer"]
normalise = v2.Normalize(mnist.train.mean.tolist(), mnist.train.std.tolist())
from_files.transform = v2.Compose([to_tensor, normalise])
fast = fastest(batches(some, 100, shuffle=True))
for items in (Subset(from_files, range(TIMED)), as_dataset(some)):
    slow = fastest(DataLoader(items, 100, shuffle=True))
    print(f"{slow:.3f} s and {fast:.4f} s, a ratio of {slow / fast:.0f}")

# %% [markdown]
# Most of the time goes into transforming single images. A whole training gains less, because its own work remains.
# "But I use `num_workers`", you may say. Then several processes prepare items while the network trains, which helps
# where cores are idle. On two cores they compete with it. Lesson 16 has timed a small network on augmented
# photographs, five times each.

# %%
for run in recorded_runs("loading"):
    if run["width"] == 4 and run["pipeline"] != "one tensor at a time":
        print(f"{run['pipeline']:15} {median(run['seconds']['total']):.1f} s")

# %% [markdown]
# ## Last: distrust
#
# One thing remains, even with the cleanest data. A thousand models answer at random, and we choose the best of them
# by 500 validation images.
#
# > **Predict before you run.** What does the winner score there? And on 500 new images?

# %% tags=["answer"]
torch.manual_seed(SEED)
truth = torch.randint(10, (1_000,))
hits = (torch.randint(10, (1_000, 1_000)) == truth).double()
valid, test = hits[:, :500].mean(1), hits[:, 500:].mean(1)
winner = valid.argmax()
print(f"validation {valid[winner]:.1%}, new images {test[winner]:.1%}")

# %% [markdown]
# Nobody cheated. The best of many scores is partly luck, and luck does not travel to new images. This is why the test
# split is looked at once, after all choices are made.

# %% tags=["claim"]
claim("The best of 1,000 guessers is right in {value:.1%} of the validation "
      "images.", valid[winner], at_least=0.13)

# %% tags=["claim"]
claim("On new images the same guesser is right in {value:.1%}.",
      test[winner], at_most=0.13)

# %% [markdown]
# You have now taken most of the seven steps that F. Chollet describes in his textbook: say what goes in and what
# comes out, choose a measure, hold images back, make tensors, beat a baseline. The sixth, to let a network learn too
# well and then restrain it, takes lessons 7, 8, 10 and 12. The last, to distrust your own choices, is lesson 11's.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 5.1 · A sheet of digits
#
# `make_grid(images)` lays a batch out on one sheet: up to eight in a row (fewer make a narrower sheet), two black
# pixels around each (neighbours share them), grey copied to three channels. What shape does the sheet of 64 MNIST
# digits have? And of 4 digits? Give two shapes C×H×W, in your head first.

# %%
sheets = ...
check("5.1", sheets)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.1
# Eight in a row are 8·(28 + 2) + 2 pixels wide.
sheets_solution = (make_grid(mnist.train.x[:64]).shape,
                   make_grid(mnist.train.x[:4]).shape)
assert check("5.1", sheets_solution)

# %% [markdown]
# ### Exercise 5.2 · Three means for one channel
#
# A published program calls `Normalize([.5] * 3, [.5] * 3)` on digits of one channel. The old transforms raise an
# error there, and `v2` silently makes three channels. Which two lists bring digits from 0 … 1 to −1 … 1 in one? Give
# `(mean, std)`.

# %%
pair = ...
check("5.2", pair)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.2
# (0 − ½) / ½ = −1 and (1 − ½) / ½ = 1, for one channel.
pair_solution = ([0.5], [0.5])
assert check("5.2", pair_solution)

# %% [markdown]
# ### Exercise 5.3 · The way back
#
# Pictures on screen need the way back. (A published preview undoes a normalisation that was never done, and looks
# pale.) Write `pixels(x, mean, std)`. It takes normalised images N×C×H×W, and two tensors, the C means and C standard
# deviations that they were normalised by (on the scale 0 to 1). It returns the bytes, `uint8`, exactly as they were.

# %%
def pixels(x, mean, std):
    ...


check("5.3", pixels)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.3
def pixels_solution(x, mean, std):
    mean, std = mean.view(-1, 1, 1), std.view(-1, 1, 1)
    return ((x * std + mean) * 255).round().byte()  # byte() alone would cut


assert check("5.3", pixels_solution)

# %% [markdown]
# ### Exercise 5.4 · A planted leak
#
# Write `leaked(train_x, test_x)` for `uint8` images N×C×H×W, which returns the positions of all test images that are
# also in the training set, byte for byte, as a list in rising order.

# %%
def leaked(train_x, test_x):
    ...


check("5.4", leaked)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.4
def leaked_solution(train_x, test_x):
    seen = set(fingerprints(train_x))
    marks = fingerprints(test_x)
    return [k for k, mark in enumerate(marks) if mark in seen]


assert check("5.4", leaked_solution)

# %% [markdown]
# ### Exercise 5.5 · Audit a shuffle
#
# Design a test. Write `shuffles(loader)` for anything that yields batches `(x, y)`, from the start in each loop. It
# returns `True` if two epochs hold the same images in different orders, else `False`. Loaders can fail at this in
# three ways, and your test should find all three.

# %%
def shuffles(loader):
    ...


check("5.5", shuffles)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.5
def shuffles_solution(loader):
    first, second = (fingerprints(torch.cat([x for x, _ in loader]))
                     for _ in range(2))
    return sorted(first) == sorted(second) and first != second


assert check("5.5", shuffles_solution)

# %% [markdown]
# ### Exercise 5.6 · Groups stay together
#
# `groups` says for each image who wrote it, in a tensor of N numbers such as `[7, 7, 400, 19, 7]`. Write
# `split_groups(groups, share, generator)`. Of the writers, `round(share · their number)` go to validation, drawn by
# the generator. Return the positions of the images, `(train, valid)`, two tensors.

# %%
def split_groups(groups, share, generator):
    ...


check("5.6", split_groups)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.6
def split_groups_solution(groups, share, generator):
    writers = groups.unique()
    order = torch.randperm(len(writers), generator=generator)
    drawn = writers[order[:round(share * len(writers))]]
    in_valid = torch.isin(groups, drawn)
    return (~in_valid).nonzero().flatten(), in_valid.nonzero().flatten()


assert check("5.6", split_groups_solution)

# %% [markdown]
# ### Exercise 5.7 · Statistics of what does not fit
#
# A data set too large for memory comes in batches `(x, y)`, where x is N×C×H×W from 0 to 1. The last may be smaller.
# Write `statistics(loader)`, which returns the mean and the standard deviation of all pixels of each channel, two
# tensors of C numbers, in one pass, and keeps no batch. (Divide by the number of pixels. Standard deviations cannot
# be averaged, but sums can be added up, and a variance is the mean of the squares minus the square of the mean.)

# %%
def statistics(loader):
    ...


check("5.7", statistics)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.7
def statistics_solution(loader):
    count, total, squares = 0, 0, 0
    for x, _ in loader:
        x = x.double()  # the difference of large sums needs its digits
        count += x.numel() // x.shape[1]
        total = total + x.sum((0, 2, 3))
        squares = squares + x.square().sum((0, 2, 3))
    mean = total / count
    return mean, (squares / count - mean.square()).sqrt()


assert check("5.7", statistics_solution)

# %% [markdown]
# ### An open question
#
# A hospital has 50,000 X-ray images of 9,000 patients, from two machines, taken over ten years. How would you split
# them, if the network is to judge next year's patients? What would you look at before you train, and what would a
# score to beat be?

# %% [markdown]
# ## What you can do now
#
# 1. Look before you train: pictures, counts, ranges, statistics, a score to beat.
# 2. Split by a seeded generator, before augmenting, by groups, and find copies by hash and twins by likeness.
# 3. Read files with `Dataset`, `ImageFolder`, transforms and `DataLoader`, and check shape, type and range.
# 4. Compare two epochs to audit a shuffle, and ask twice whether validation changes.
# 5. Standardise once, by the training pixels, in training and test alike. A rate can mend the scale only.
# 6. Slice batches out of memory: equal pixels, in a fraction of the time.
#
# ## Further reading
#
# - F. Chollet, *Deep Learning with Python*, first edition, section 4.5.
# - B. Barz and J. Denzler, *Do we train on test data?* (arXiv 1902.00423): the near copies in CIFAR.
# - C. Yadav and L. Bottou, *Cold case: the lost MNIST digits* (arXiv 1905.10498): where the digits come from.
