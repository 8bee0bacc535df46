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
# **Read** 30 min · **Run** 30 s on two CPU cores · **Before this** lessons 1 and 2
#
# ## What you will be able to do
#
# 1. Take a data set apart before you use it: pictures, counts, ranges, statistics, a score to beat.
# 2. Split it so that the split's score means something, and find what leaks across.
# 3. Read files with `Dataset`, transforms and `DataLoader`, and check what comes out.
# 4. Catch a shuffle that does not shuffle, and a transform that two splits share.
# 5. Normalise once, by the right numbers, the same everywhere.
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
import time
from pathlib import Path
from statistics import mean, median, stdev

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split
from torchvision import datasets, transforms
from torchvision.utils import make_grid

from course_utils import batches, check, claim, diagrams, load, mean_and_spread, plots

# %% [markdown]
# These numbers are yours to change.

# %% nbmake={"mock": {"PROBES": 100, "LEAK_IMAGES": 100, "IMAGES": 200, "EPOCHS": 1, "TIMED": 200, "REPEATS": 2}}
SEED = 0
PROBES = 1_000  # test images whose twins we look for
LEAK_IMAGES = 1_500  # for the experiment with a leak
IMAGES, EPOCHS = 3_000, 2  # for the small trainings
TIMED, REPEATS = 2_000, 5  # images handed out on the clock, and how often

# %% [markdown]
# ## Seven steps
#
# Seven steps lead from a question to a network, after F. Chollet's textbook. They are the spine of this book.
#
# | step | it asks | lessons |
# |---|---|---|
# | 1 · define | What goes in, what comes out? | 5 |
# | 2 · measure | Which number says success? | 6, 9 |
# | 3 · hold out | Which images judge, and were they seen before? | 5, 6 |
# | 4 · prepare | How do files become tensors? | 5 |
# | 5 · beat a baseline | Is it better than not learning? | 5, 6 |
# | 6 · grow, then restrain | Can it overfit? What stops it? | 7, 8, 10, 12 |
# | 7 · distrust | Have I chosen by luck? | 5, 11 |
#
# This lesson walks the first five, and looks at the last.
#
# ## Look first
#
# The book has three data sets. In brackets stands the *data copy*: the official files, or these in another order, or
# once saved as JPEG. A claim about data says which. (`valid` are training images that `load` has set aside; why, comes
# below.)

# %%
mnist, fashion, cifar = (load(name) for name in ("mnist", "fashion_mnist", "cifar10"))
three = mnist, fashion, cifar
for data in three:
    print(data, "·", tuple(data.train.x.shape[1:]), data.train.x.dtype)

# %% [markdown]
# Pixels are whole numbers from 0 to 255, one byte each. Here is one image of each class, drawn at random.

# %% mystnb={"image": {"alt": "Three rows of ten pictures: handwritten digits 0 to 9 in white on black, ten kinds of clothing in grey on black, and ten colour photographs from airplane to truck."}}
torch.manual_seed(SEED)
pictures = []
for data in three:
    for label in range(10):
        of_class = data.train.x[data.train.y == label]
        pictures.append(of_class[torch.randint(len(of_class), ())])
plots.images(pictures, columns=10, title="Two are centred on black, the third is anything but")

# %% [markdown]
# The labels 0 to 9 stand for these classes.

# %%
print(fashion.classes, cifar.classes, sep="\n")

# %% [markdown]
# > **Predict before you run.** Are the ten classes of each set equally large?

# %%
def everything(data):
    """The published training set: what `load` set aside is put back."""
    return torch.cat([data.train.x, data.valid.x]), torch.cat([data.train.y, data.valid.y])


for data in three:
    x, y = everything(data)
    print(f"{data.name}: {len(y):,} and {len(data.test):,} to test, pixels {x.min()} to {x.max()}")
    print("images in each class:", y.bincount().tolist())
    claim.data(f"`{data.name}` has {{value:,}} images to learn from.", len(y),
               data=data, equals=50_000 if data is cifar else 60_000)

# %% [markdown]
# MNIST's ones outnumber its fives. And are *scikit-learn*'s digits a part of MNIST, as is often said?

# %%
digits = load_digits()
claim("scikit-learn's digits have {value} pixels.",
      "×".join(map(str, digits.images.shape)), equals="1797×8×8")
claim("Their brightest pixel is {value:.0f}.", digits.images.max(), equals=16)

# %% [markdown]
# Other sizes, other grey levels: a set of its own, from another collection.
#
# ## A score to beat
#
# Steps 2 and 5. Our number is *accuracy*, the share of right answers. Who learns next to nothing can always name the
# commonest class, or take the class whose *mean image* is nearest. A network must beat both.

# %%
def accuracy(answer, y):
    return (answer == y).double().mean().item()


def nearest_mean(images):
    """A function that answers images with the class whose mean image is nearest."""
    means = torch.stack([images.x[images.y == label].float().mean(0) for label in range(10)])
    return lambda x: torch.cdist(x.flatten(1).float(), means.flatten(1)).argmin(1)  # each image to each mean

# %% [markdown]
# Means from the training images, scores from those set aside:

# %%
baseline = {}
for data in three:
    baseline[data.name] = nearest_mean(data.train)
    commonest = accuracy(data.train.y.bincount().argmax(), data.valid.y)
    nearest = accuracy(baseline[data.name](data.valid.x), data.valid.y)
    print(f"{data.name}: commonest class {commonest:.1%}, nearest mean {nearest:.1%}")

# %% [markdown]
# So 80 % on MNIST is no achievement. Mean images help little with colour photographs: nothing there has a fixed place.
#
# ## Hold out, at random
#
# Step 3. The *training* split is for learning, *validation* for choosing, the *test* split to judge, once. Validation
# images must be like the rest, so chance must choose them. A *generator* makes chance repeatable.
#
# > **Predict before you run.** Below, one seed is set, then two splits are drawn. Are they equal? And two splits with
# > a generator each?

# %%
def split(images, generator=None):
    return random_split(images, [5 / 6, 1 / 6], generator=generator)[1].indices  # positions, for validation


x, y = everything(mnist)
torch.manual_seed(42)
first, second = split(x), split(x)
mine, yours = (split(x, torch.Generator().manual_seed(42)) for _ in range(2))
claim("One seed at the top, two splits: equal is {value}.", first == second, equals=False)
claim("One seeded generator each: equal is {value}.", mine == yours, equals=True)

# %% [markdown]
# A seed at the top of a notebook fixes nothing that you run twice. Give each experiment its own generator. (Another
# PyTorch may draw otherwise; who needs one split for years keeps its positions.) `load` also draws *stratified*: each
# class gives its share.

# %%
off = {}
for name, part in {"random": y[mine], "stratified": mnist.valid.y}.items():
    share = y.bincount() * len(part) / len(y)
    off[name] = (part.bincount() - share).abs().max()
    print(f"{name}, {len(part):,} images: some class is off by {off[name]:.1f}")
claim("In the stratified split no class is off by more than {value:.1f} images.",
      off["stratified"], at_most=1)

# %% [markdown]
# Why not simply take the first images? MNIST's page warns that the first 5,000 test digits, taken from another
# collection, "are cleaner and easier than the last 5000". Nobody needs to believe that: we have a baseline.
#
# > **Predict before you run.** On which half does the nearest mean do better, and by how much?

# %%
right = baseline["mnist"](mnist.test.x) == mnist.test.y
halves = [half.double().mean() for half in right.chunk(2)]
claim.data("Of the first half of MNIST's test digits it reads {value:.1%}.", halves[0],
           data=mnist, equals={"official": 0.773}, within=0.003)
claim.data("Of the second half it reads {value:.1%}.", halves[1],
           data=mnist, equals={"official": 0.866}, within=0.003)

# %% [markdown]
# For our baseline it is the other way round, and by far. (We choose nothing by it, so the test split stays unspent.)
# So the first images are not like the rest.
#
# ## Leaks
#
# An image that stands in two splits makes a network look better than it is. Equal bytes have equal *hashes*, other
# bytes practically never. So a set of such fingerprints finds copies at once.

# %%
def fingerprints(images):
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in images.numpy()]


for data in three:
    seen = set(fingerprints(everything(data)[0]))
    copies = sum(mark in seen for mark in fingerprints(data.test.x))
    bound = {"JPEG-recompressed copy": 0} if data is cifar else 0
    claim.data(f"`{data.name}`: {{value}} test images are training images, byte for byte.",
               copies, data=data, equals=bound)

# %% [markdown]
# None. But a hash is blind to a copy that was cropped, saved anew, or made brighter. So we shrink all images to 8×8
# pixels, take out brightness and contrast, and look for the training image most alike (1 means equal). Each stands
# below its test image, with the likeness.

# %% mystnb={"image": {"alt": "Eight test images of CIFAR-10 above the training image most like each. The pairs show the same photographs, some slightly shifted or in another tone; their likeness is about 0.98 or 0.99."}}
def thumbnails(images):
    small = torch.cat([F.adaptive_avg_pool2d(part.float(), 8) for part in images.split(5_000)]).flatten(1)
    return F.normalize(small - small.mean(1, keepdim=True))  # rows of length 1


x, _ = everything(cifar)
probes = cifar.test.take(PROBES)  # of each class its share
likeness, twin = (thumbnails(probes.x) @ thumbnails(x).T).max(1)
top = likeness.argsort(descending=True)[:8]
names = ["test"] * 8 + [f"{value:.3f}" for value in likeness[top]]
plots.images([*probes.x[top], *x[twin[top]]], names, columns=8,
             title="Test images that the training set knows already")

# %%
claim.data(f"Of {PROBES:,} test images of CIFAR-10, {{value}} have a twin (likeness 0.97 or more).",
           (likeness >= 0.97).sum(), data=cifar, at_least=0.008 * PROBES)

# %% [markdown]
# Barz and Denzler looked with more care, and by eye: 3.3 % of CIFAR-10's test images have near copies among the
# training images. This much of the benchmark rewards memory.
#
# Such leaks are inherited; the next one is home-made. Someone *augments* first, here with a copy of each image moved
# by one pixel, and then splits at random. The model names the label of the nearest training image. It learns nothing
# at all.
#
# > **Predict before you run.** How many percentage points does the leak bring it on CIFAR-10?

# %%
def nearest_image(x, y, in_valid):
    nearest = torch.cdist(x[in_valid], x[~in_valid]).argmin(1)
    return accuracy(y[~in_valid][nearest], y[in_valid])

# %% [markdown]
# In the figure, the frame says where a picture (above) and its copy (below) went.

# %% mystnb={"image": {"alt": "Two blocks of eight pictures above their moved copies. Augmented and then split, several pictures have a blue frame and their copy an orange one. Split and then augmented, both frames always have one colour."}}
scores = {"augment, then split": [], "split, then augment": []}
for seed in range(SEED, SEED + 3):
    generator = torch.Generator().manual_seed(seed)
    images = cifar.train.take(LEAK_IMAGES, seed)
    pictures = torch.cat([images.x, images.x.roll(1, dims=3)])
    y, n = images.y.repeat(2), len(images)
    sides = {"augment, then split": torch.rand(2 * n, generator=generator) < 0.2,
             "split, then augment": (torch.rand(n, generator=generator) < 0.2).repeat(2)}
    for name, in_valid in sides.items():
        scores[name].append(nearest_image(pictures.flatten(1).float(), y, in_valid))
diagrams.sides(pictures.unflatten(0, (2, n))[:, :8],
               {name: in_valid.view(2, n)[:, :8] for name, in_valid in sides.items()},
               title="Split last, and copies fall on both sides")

# %%
for name, values in scores.items():
    print(f"{name}: {mean_and_spread(values)} (three draws)")
claim.data("Augmented first, the model without learning reaches {value:.0%}.",
           mean(scores["augment, then split"]), data=cifar, at_least=0.7)
claim.data("Split first, it reaches {value:.0%}.",
           mean(scores["split, then augment"]), data=cifar, at_most=0.35)

# %% [markdown]
# Four copies in five have their twin in training, which gives the answer away. Split first, then augment the training
# part only. The same holds for whatever comes in groups: frames of one film, scans of one patient, digits of one
# writer.
#
# ## From files to tensors
#
# Step 4. MNIST comes as four *idx* files: a mark, the length of each axis, the bytes. We write them, and let
# `torchvision` read them. (`download=True` fetches them, where there is a network.)

# %%
def write_idx(path, tensor):
    lengths = np.array(tensor.shape, dtype=">u4")  # four bytes each, the most significant first
    mark = bytes([0, 0, 8, tensor.ndim])  # 8 stands for unsigned bytes
    path.write_bytes(mark + lengths.tobytes() + tensor.numpy().tobytes())

# %% [markdown]
# `torchvision` looks for four names below `MNIST/raw`.

# %%
with tempfile.TemporaryDirectory() as root:
    raw = Path(root) / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, images in {"train": mnist.train, "t10k": mnist.test}.items():
        write_idx(raw / f"{name}-images-idx3-ubyte", images.x[:, 0])
        write_idx(raw / f"{name}-labels-idx1-ubyte", images.y.byte())
    from_files = datasets.MNIST(root, train=True, transform=transforms.ToTensor())
claim("Every pixel came back: {value}.",
      torch.equal(from_files.data, mnist.train.x[:, 0]), equals=True)

# %%
image, label = from_files[0]
print(image.dtype, f"{image.min():.0f} to {image.max():.0f}, label {label}")
claim("The first digit has the shape {value}.", str(tuple(image.shape)), equals="(1, 28, 28)")

# %% [markdown]
# A `Dataset` answers two questions: how many, and what is number *k*? Its *transform* works when an item is asked for.
# `ToTensor` divided by 255 and put the channel first. It made no list of 784 numbers: that is the network's business.
# A colour photograph shows more.

# %% mystnb={"image": {"alt": "A photograph of a Chinese tower in colour, and its red, green and blue channel as grey pictures. The sky is brightest in blue, the red columns in red."}}
photo = Image.fromarray(load_sample_image("china.jpg"))
read = transforms.Compose([transforms.Resize((184, 338)), transforms.ToTensor()])
batch = read(photo).unsqueeze(0)
claim("The file is an array of shape {value}.",
      str(np.asarray(photo).shape), equals="(427, 640, 3)")
claim("Resized, as a batch, it has the shape {value}.", str(tuple(batch.shape)),
      equals="(1, 3, 184, 338)")
modes = ("RGBA", "L", "RGB")  # colour with an opacity, grey, colour
print({mode: len(read(photo.convert(mode))) for mode in modes}, "channels")
plots.images([read(photo), *read(photo)], ["photograph", "red", "green", "blue"], columns=2,
             title="A colour picture is three grey ones")

# %% [markdown]
# NumPy and files keep the channels last, PyTorch first. PNG files often hold a fourth, and grey files one:
# `.convert("RGB")` before the transforms spares a network the surprise. Now one of the random transforms, on four
# pixels, and then flips of whole sets.
#
# > **Predict before you run.** A tutorial says that `RandomVerticalFlip` "flips horizontally". Does it? And which
# > flips may one use for augmentation?

# %%
print(transforms.RandomVerticalFlip(p=1)(torch.tensor([[[0, 1], [2, 3]]])).tolist())
for data in three:
    x, y = data.valid.x, data.valid.y
    views = {"as it is": x, "mirrored": x.flip(3), "upside down": x.flip(2)}
    print(f"{data.name:>13}:", *(f"{name} {accuracy(baseline[data.name](view), y):.0%} "
                                 for name, view in views.items()))

# %% [markdown]
# Upside down. And an augmentation must leave the label true: a mirror costs our baseline nothing on photographs, and
# ruins digits. (The library imgaug, often recommended, is no longer maintained; see lesson 10.)

# %%
claim(f"NumPy {np.__version__} still has `sctypes`, which imgaug asks for: {{value}}.",
      hasattr(np, "sctypes"), equals=np.__version__ < "2")

# %% [markdown]
# ## A data set by hand
#
# Three methods are all that PyTorch asks for.

# %%
class Pictures(Dataset):
    def __init__(self, images, transform=None):
        self.images, self.transform = images, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, k):
        x = self.images.x[k].float() / 255
        return (self.transform(x) if self.transform else x), self.images.y[k].item()

# %% [markdown]
# A `DataLoader` gathers items into batches. Its defaults surprise: look at the first line.

# %%
loaders = {
    "defaults": DataLoader(TensorDataset(mnist.train.x, mnist.train.y)),
    "MNIST": DataLoader(Pictures(mnist.train), batch_size=128, shuffle=True),
    "CIFAR-10": DataLoader(Pictures(cifar.train), batch_size=24, shuffle=True),
}
for name, loader in loaders.items():
    x, y = next(iter(loader))
    order = type(loader.sampler).__name__
    print(f"{name}: {tuple(x.shape)}, {tuple(y.shape)}, {x.dtype}, {order}")

# %% [markdown]
# One image a batch, in the order of the file, as bytes: nothing complains. (Leave out two habits: shuffling the test
# split, which changes nothing, and `.to(device)` inside of `__getitem__`, one small copy an image.)
#
# ## Find the bug: a shuffle that does not shuffle
#
# These lines have been copied from program to program for years.
#
# > **Predict before you run.** On a machine without a GPU, how do the first labels of two epochs compare?

# %%
use_cuda = False
options = {"batch_size": 64}
if use_cuda:
    options |= {"num_workers": 1, "pin_memory": True, "shuffle": True}
loader = DataLoader(Pictures(mnist.train), **options)
first, second = (next(iter(loader))[1][:10].tolist() for epoch in range(2))
print("first epoch: ", first)
print("second epoch:", second)
claim("Both epochs begin alike: {value}.", first == second, equals=True)

# %% [markdown]
# `shuffle` came in with the GPU's options. Does it matter? MNIST's labels are mixed already, so hardly. But a folder
# with one subfolder a class is read class by class. A small network shows what that does. Its loss is `cross_entropy`:
# small where the right one of its ten answers stands out (lesson 6).

# %%
def train_small(images, prepare, lr=0.05, seed=SEED, shuffle=True):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(images.x[0].numel(), 100), nn.ReLU(),
                          nn.Linear(100, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for _ in range(EPOCHS):
        order = torch.randperm(len(images)) if shuffle else images.y.argsort()
        for at in order.split(50):
            loss = F.cross_entropy(model(prepare(images.x[at])), images.y[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model

# %% [markdown]
# `prepare` makes numbers from bytes; for now it divides by 255. The largest of ten answers names the class.

# %%
@torch.inference_mode()
def score(model, images, prepare):
    return accuracy(model(prepare(images.x)).argmax(1), images.y)


def unit(x):
    return x.float() / 255

# %% [markdown]
# > **Predict before you run.** How well does it read digits, when the first it sees are zeros, then ones, and so on?

# %%
some = mnist.train.take(IMAGES)
for shuffle in (True, False):
    models = [train_small(some, unit, 0.1, seed, shuffle) for seed in range(3)]
    reached = [score(model, mnist.valid, unit) for model in models]
    print(f"shuffle={shuffle}: {mean_and_spread(reached)} (three seeds)")
answers = models[-1](unit(mnist.valid.x)).argmax(1)
print("how often the last one answers 0 to 9:", answers.bincount(minlength=10).tolist())

# %%
claim.measured("Fed class by class, it reads {value:.0%} of the validation digits.",
               mean(reached), data=mnist, stated=(IMAGES, EPOCHS) == (3_000, 2), at_most=0.5)

# %% [markdown]
# It forgets each class while it sees the next, and nearly always answers 9, the last.
#
# ## Find the bug: a transform that two splits share
#
# The training images shall be erased in part at random, the validation images shall not.

# %%
erase = transforms.RandomErasing(p=1)
training, validation = random_split(Pictures(mnist.train, transform=erase), [0.9, 0.1])


def still(dataset):
    """Whether the first image is the same, asked twice."""
    return torch.equal(dataset[0][0], dataset[0][0])

# %% [markdown]
# > **Predict before you run.** Which of the answers below are `True`?

# %%
print("validation stands still:", still(validation))
validation.dataset.transform = None  # the published cure
print("validation stands still:", still(validation), "· training:", still(training))
claim("Both parts are views of one data set: {value}.",
      training.dataset is validation.dataset, equals=True)

# %% [markdown]
# `random_split` shares out positions, not images. So the bug erases in both parts, and the cure in neither. Two data
# sets and one list of positions keep them apart:

# %%
generator = torch.Generator().manual_seed(SEED)
order = torch.randperm(len(mnist.train), generator=generator).tolist()
training = Subset(Pictures(mnist.train, transform=erase), order[100:])
validation = Subset(Pictures(mnist.train), order[:100])
claim("Now the training images change and validation stands still: {value}.",
      still(validation) and not still(training), equals=True)

# %% [markdown]
# `load` hands out separate splits to begin with. (skorch, lesson 7, accepts such a fixed validation set as
# `predefined_split`.)
#
# ## Normalise
#
# Optimisers like numbers around 0, of size 1 or so. So we *standardise*: subtract the mean of the training pixels, and
# divide by their standard deviation, each channel for itself. (Never of the test pixels: that would be a leak.)

# %%
x, _ = everything(mnist)
claim.data("MNIST's pixels have the mean {value:.4f}.", unit(x).mean(),
           data=mnist, equals=0.1307, within=5e-5)
claim.data("Their standard deviation is {value:.4f}.", unit(x).std(),
           data=mnist, equals=0.3081, within=5e-5)

# %% [markdown]
# And CIFAR-10? Programs everywhere divide by .2023, .1994, .2010.
#
# > **Predict before you run.** Below are two ways to a standard deviation for each channel. Which one do these numbers
# > come from, and which one makes the standard deviation 1?

# %%
x, _ = everything(cifar)
of_pixels = torch.stack([unit(x[:, channel]).std() for channel in range(3)])
of_images = torch.cat([unit(part).std((2, 3)) for part in x.split(5_000)]).mean(0)
print("of all pixels:", of_pixels)
print("of each image, then averaged:", of_images)

# %% [markdown]
# The second line: the numbers in circulation average each image's own standard deviation. How bright images differ
# from dark ones is missing there. One may divide by them, as we shall see; they are just not what they are called.
# Here are the true ones, per copy:

# %%
means, official, jpeg = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262), (0.245, 0.243, 0.261)
for k, name in enumerate(("red", "green", "blue")):
    claim.data(f"The mean of CIFAR-10's {name} is {{value:.3f}}.", unit(x[:, k]).mean(),
               data=cifar, equals=means[k], within=1e-3)
    spread = {"official": official[k], "JPEG-recompressed copy": jpeg[k]}
    claim.data(f"The standard deviation of its {name} is {{value:.3f}}.", of_pixels[k],
               data=cifar, equals=spread, within=1e-3)

# %% [markdown]
# Does standardising make pixels *normally distributed*, as one can read? CIFAR-10's come near. And MNIST's?

# %% mystnb={"image": {"alt": "Histograms of the red, green and blue pixels of CIFAR-10, standardised, beside the bell of a normal distribution. They are nearly as wide, but end abruptly at about minus 2 and 2, with a peak at the right end."}}
torch.manual_seed(SEED)
spread = {"normal distribution": torch.randn(50_000)}
for k, name in enumerate(("red", "green", "blue")):
    some = unit(x[:, k].flatten()[torch.randint(x[:, k].numel(), (50_000,))])
    spread[name] = (some - some.mean()) / some.std()
plots.distribution(spread, title="Nearly a bell, but cut at both ends, with a peak at white",
                   xlabel="standardised pixel")

# %%
dark = (mnist.train.x == 0).double().mean()
claim.data("Of MNIST's pixels, {value:.0%} are one and the same number, standardised or not.",
           dark, data=mnist, equals=0.81, within=0.005)

# %% [markdown]
# No bell has such a spike. Standardising moves and stretches a histogram; its shape stays.
#
# ## Once, and everywhere the same
#
# Five ways to prepare a picture are in use, the last by accident. (Lesson 4 had a sixth: −7 … 8, divided by 8.) Look
# at what they make of the pixels.

# %%
middle, width = (value.view(-1, 1, 1) for value in (cifar.train.mean, cifar.train.std))
PREPARED = {
    "0…255": lambda x: x.float(),
    "0…1": unit,
    "±1": lambda x: (unit(x) - 0.5) / 0.5,
    "once": lambda x: (unit(x) - middle) / width,
    "twice": lambda x: ((unit(x) - middle) / width - middle) / width,
}
for name, prepare in PREPARED.items():
    z = prepare(cifar.valid.x)
    print(f"{name}: {z.min():.2f} to {z.max():.2f}")

# %% [markdown]
# We train with each, and test with each: rows say how the training images were prepared, columns the validation
# images.
#
# > **Predict before you run.** Which row is the worst on its own diagonal? And what is worse off it: to forget
# > standardising in the test, or to do it twice?

# %%
some, judges = cifar.train.take(IMAGES), cifar.valid.take(1_000)
table = {}
print(" " * 6, *(f"{tested:>8}" for tested in PREPARED))
for trained, prepare in PREPARED.items():
    models = [train_small(some, prepare, seed=seed) for seed in range(3)]
    for tested, other in PREPARED.items():
        table[trained, tested] = [score(model, judges, other) for model in models]
    print(f"{trained:>6}", *(f"{mean(table[trained, tested]):8.1%}" for tested in PREPARED))
print(f"three seeds each, spread at most {max(map(stdev, table.values())):.1%}")

# %%
stated = (IMAGES, EPOCHS) == (3_000, 2)
claim.measured("Standardised in training and test, it reaches {value:.0%}.",
               mean(table["once", "once"]), data=cifar, stated=stated, at_least=0.3)
claim.measured("Standardised in training only, {value:.0%}.",
               mean(table["once", "0…1"]), data=cifar, stated=stated, at_most=0.27)
claim.measured("On pixels from 0 to 255 it stays at {value:.0%}.",
               mean(table["0…255", "0…255"]), data=cifar, stated=stated, at_most=0.15)

# %% [markdown]
# Forgetting costs much, doing it twice hardly anything, and no error message tells. On the diagonal *0…255* learns
# nothing, ½ and ½ (±1) do nearly as well as the true statistics, and *twice* does badly. Is double normalisation
# harmful in itself? Its numbers are larger, so perhaps the learning rate is too large for them (lesson 1).

# %%
calm = [train_small(some, PREPARED["twice"], 0.003, seed) for seed in range(3)]
reached = mean(score(model, judges, PREPARED["twice"]) for model in calm)
claim.measured("Normalised twice, at a smaller learning rate, it reaches {value:.0%}.",
               reached, data=cifar, stated=stated, at_least=0.28)

# %% [markdown]
# So the numbers matter less than that they fit the learning rate and are the same everywhere. Prepare by one function,
# for every split and every later guest.
#
# Pictures on screen need the way back, *x* · std + mean. A published preview went back without having gone there:

# %% mystnb={"image": {"alt": "A photograph as it was, the same after normalising and undoing it, and a pale version that was undone without being normalised."}}
x = unit(cifar.valid.x[16])
there = (x - 0.5) / 0.5
pale = x * 0.5 + 0.5
plots.images([x, there * 0.5 + 0.5, pale], ["as it was", "there and back", "back only"],
             columns=3, title="Washed out: the way back, and nobody had gone there")

# %%
claim("Nothing in the pale one is darker than {value:.2f}.", pale.min(), at_least=0.5)

# %% [markdown]
# ## Lines that cannot run
#
# Four published lines. Each fails before the first batch: who runs a program sees it, who prints it does not.
#
# > **Predict before you run.** Which kind of error does each raise?

# %%
PUBLISHED = {
    "one letter too few": "steps = transform.Compose([])",
    "a name of another draft": "len(full)",
    "a comment in a list": 'transforms.Compose(["""a tensor""" transforms.ToTensor()])',
    "three means, one channel": "transforms.Normalize([.5] * 3, [.5] * 3)(image)",
}
raised = []
for what, line in PUBLISHED.items():
    try:
        exec(line)
    except Exception as error:
        raised.append(type(error).__name__)
        print(f"{what}: {raised[-1]}: {error}")
claim("They raise {value}.", " ".join(raised),
      equals="NameError NameError SyntaxError RuntimeError")

# %% [markdown]
# ## The whole batch at once
#
# A `DataLoader` calls `__getitem__` for each image, and each step of a transform again. But the three sets fit into
# memory, as bytes. A batch is then one slice, one division, one subtraction:

# %%
def whole_batches(images, batch_size):
    middle, width = (value.view(-1, 1, 1) for value in (images.mean, images.std))
    for at in torch.randperm(len(images)).split(batch_size):
        yield (unit(images.x[at]) - middle) / width, images.y[at]

# %% [markdown]
# Even an augmentation with its own random numbers for each image needs no loop. Here one look-up moves each by up to
# two pixels.

# %%
def moved(x, generator=None):
    """N×1×H×W images, each moved by up to two pixels, as RandomCrop(28, padding=2) does."""
    N, _, H, W = x.shape
    down, right = torch.randint(5, (2, N, 1), generator=generator)
    rows, columns = torch.arange(H) + down, torch.arange(W) + right  # N×H and N×W
    picture = torch.arange(N)[:, None, None]
    padded = F.pad(x, (2, 2, 2, 2))[:, 0]
    return padded[picture, rows[:, :, None], columns[:, None, :]][:, None]  # positions broadcast to N×H×W

# %% [markdown]
# Padded by two, a digit has 25 crops of its size.

# %%
first = moved(unit(mnist.train.x[:5]))[0]
padded = F.pad(unit(mnist.train.x[0]), (2, 2, 2, 2))
crops = [padded[:, i:i + 28, j:j + 28] for i in range(5) for j in range(5)]
claim("The first image comes out as one of them: {value}.",
      any(torch.equal(first, crop) for crop in crops), equals=True)

# %% [markdown]
# The package has both ways: `batches`, our function with more options, and `as_dataset`, your `Pictures` normalised,
# for what wants items one by one. First: are the pixels the same?

# %%
from course_utils.data import as_dataset


def pixels_of(loader):
    torch.manual_seed(SEED)
    return torch.cat([x for x, _ in loader])


some = mnist.train.take(TIMED)
by_hand, packaged = whole_batches(some, 100), batches(some, 100, shuffle=True)
claim("Our function and `batches` shuffle out the same bits: {value}.",
      torch.equal(pixels_of(by_hand), pixels_of(packaged)), equals=True)
items, slices = DataLoader(as_dataset(some), 100), batches(some, 100)
claim("Item by item the bits are the same: {value}.",
      torch.equal(pixels_of(items), pixels_of(slices)), equals=True)

# %% [markdown]
# Now the clock. *Item by item* are the files that `torchvision` read, with `ToTensor` and `Normalize`. All four take
# turns, so that a busy moment hits all.

# %%
normalise = transforms.Normalize(mnist.train.mean, mnist.train.std)
from_files.transform = transforms.Compose([transforms.ToTensor(), normalise])
files = Subset(from_files, range(len(some)))
cropped = as_dataset(some, transforms.RandomCrop(28, padding=2))
ways = {
    "item by item": DataLoader(files, 100, shuffle=True),
    "item by item, moved": DataLoader(cropped, 100, shuffle=True),
    "whole batch": batches(some, 100, shuffle=True),
    "whole batch, moved": batches(some, 100, shuffle=True, augment=moved),
}

# %% [markdown]
# > **Predict before you run.** How many times faster is the whole batch?

# %%
seconds = {name: [] for name in ways}
for _ in range(REPEATS):
    for name, way in ways.items():
        start = time.perf_counter()
        count = sum(len(y) for _, y in way)
        seconds[name].append(time.perf_counter() - start)

# %% [markdown]
# Seconds for one pass (median, smallest and largest), and how many times the whole batch's:

# %%
print(f"{count:,} images, {REPEATS} times each, {course_utils.runtime.machine()}")
fastest = median(seconds["whole batch"])
for name, times in seconds.items():
    print(f"{name:>19}: {median(times):.3f} s ({min(times):.3f} to {max(times):.3f}),",
          f"{median(times) / fastest:.0f}×")

# %% [markdown]
# These seconds are of one machine and one moment; keep the order of size. Moving images costs time in both ways, but
# beside a small network only one is felt.
#
# ## Last: distrust
#
# Step 7. A thousand models answer at random. We choose the best by 500 validation images.
#
# > **Predict before you run.** What does the winner score there? And on 500 new images?

# %%
torch.manual_seed(SEED)
truth, guesses = torch.randint(10, (1_000,)), torch.randint(10, (1_000, 1_000))
hits = (guesses == truth).double()
valid, test = hits[:, :500].mean(1), hits[:, 500:].mean(1)
winner = valid.argmax()
claim("The best of 1,000 guessers is right in {value:.1%} of the validation images.",
      valid[winner], at_least=0.13)
claim("On new images the same guesser is right in {value:.1%}.", test[winner], at_most=0.14)

# %% [markdown]
# Nobody cheated. Choosing alone made the number too good, and so the test split is looked at once.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 5.1 · A sheet of digits
#
# `make_grid(images)` lays a batch out on one sheet: up to eight in a row (fewer make a narrower sheet), two black
# pixels around each (neighbours share them), grey copied to three channels. Which shape has the sheet of 64 digits of
# MNIST? And of 4 digits? Give two shapes C×H×W, in your head first.

# %%
sheets = ...
check("5.1", sheets)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.1
sheets_solution = (make_grid(mnist.train.x[:64]).shape, make_grid(mnist.train.x[:4]).shape)  # 8·(28 + 2) + 2
assert check("5.1", sheets_solution)

# %% [markdown]
# ### Exercise 5.2 · Three means for one channel
#
# `Normalize([.5] * 3, [.5] * 3)` failed on a digit of one channel. Which two lists bring `ToTensor`'s digits to −1 …
# 1? Give `(mean, std)`.

# %%
pair = ...
check("5.2", pair)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.2
pair_solution = ([0.5], [0.5])  # (0 − ½) / ½ = −1 and (1 − ½) / ½ = 1, for one channel
assert check("5.2", pair_solution)

# %% [markdown]
# ### Exercise 5.3 · The way back
#
# Write `pixels(x, mean, std)`: it takes normalised images N×C×H×W, and two tensors, the C means and C standard
# deviations that they were normalised by (on the scale 0 to 1). It returns the bytes, `uint8`, exactly as they were.

# %%
def pixels(x, mean, std):
    ...


check("5.3", pixels)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.3
def pixels_solution(x, mean, std):
    mean, std = (torch.as_tensor(value).view(-1, 1, 1) for value in (mean, std))
    return ((x * std + mean) * 255).round().byte()  # byte() alone would cut 6.9999 down to 6


assert check("5.3", pixels_solution)

# %% [markdown]
# ### Exercise 5.4 · A planted leak
#
# Write `leaked(train_x, test_x)` for `uint8` images N×C×H×W: the positions of all test images that are also in the
# training set, byte for byte, as a list in rising order.

# %%
def leaked(train_x, test_x):
    ...


check("5.4", leaked)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.4
def leaked_solution(train_x, test_x):
    seen = set(fingerprints(train_x))
    return [k for k, mark in enumerate(fingerprints(test_x)) if mark in seen]


assert check("5.4", leaked_solution)

# %% [markdown]
# ### Exercise 5.5 · Audit a shuffle
#
# Write `shuffles(loader)` for anything that yields batches `(x, y)` anew in each loop: `True` if two epochs hold the
# same images in different orders, else `False`. Loaders can fail at this in three ways; find all three.

# %%
def shuffles(loader):
    ...


check("5.5", shuffles)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.5
def shuffles_solution(loader):
    first, second = (fingerprints(torch.cat([x for x, _ in loader])) for _ in range(2))
    return sorted(first) == sorted(second) and first != second


assert check("5.5", shuffles_solution)

# %% [markdown]
# ### Exercise 5.6 · Groups stay together
#
# `groups` says for each image who wrote it: a tensor of N numbers, such as `[7, 7, 400, 19, 7]`. Write
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
    drawn = writers[torch.randperm(len(writers), generator=generator)][:round(share * len(writers))]
    in_valid = torch.isin(groups, drawn)
    return (~in_valid).nonzero().flatten(), in_valid.nonzero().flatten()


assert check("5.6", split_groups_solution)

# %% [markdown]
# ### Exercise 5.7 · Statistics of what does not fit
#
# A data set too large for memory comes in batches N×C×H×W, numbers from 0 to 1; the last batch may be smaller. Write
# `statistics(loader)`: the mean and the standard deviation of all pixels of each channel, two tensors of C numbers, in
# one pass, and keep no batch. (Divide by the number of pixels. Standard deviations cannot be averaged, but sums can be
# added up: a variance is the mean of the squares less the square of the mean.)

# %%
def statistics(loader):
    ...


check("5.7", statistics)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 5.7
def statistics_solution(loader):
    count, total, squares = 0, 0, 0
    for x, _ in loader:
        x = x.double()  # the difference of two large sums needs its digits
        count += x.numel() // x.shape[1]
        total, squares = total + x.sum((0, 2, 3)), squares + x.square().sum((0, 2, 3))
    return total / count, (squares / count - (total / count).square()).sqrt()


assert check("5.7", statistics_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Look before you train: pictures, counts, ranges, statistics, a score to beat.
# 2. Split by a seeded generator, before augmenting, by groups; find copies by hash and twins by likeness.
# 3. Read files with `Dataset`, transforms and `DataLoader`, and check shape, type and range.
# 4. Compare two epochs to audit a shuffle, and ask twice whether validation stands still.
# 5. Standardise once, by the training pixels, in training and test alike.
# 6. Slice batches out of memory: equal pixels, in a fraction of the time.
#
# ## Further reading
#
# - F. Chollet, *Deep Learning with Python*, first edition, section 4.5: the seven steps. Our last is his warning.
# - B. Barz and J. Denzler, *Do we train on test data?* (arXiv 1902.00423): the near copies in CIFAR.
# - C. Yadav and L. Bottou, *Cold case: the lost MNIST digits* (arXiv 1905.10498): where the digits come from.
