# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8 · A deeper CNN on FashionMNIST: capacity and forgetting
#
# *A larger network does better on images it has seen. Does it do better on others?*
#
# **Read** 25 min · **Run** 1.5 min on two CPU cores · **Before this** lesson 6
#
# ## What you will be able to do
#
# 1. Say where a network's parameters sit, and what they buy.
# 2. Tell underfitting from overfitting by two numbers, and choose a remedy that fits.
# 3. Show that a network can learn labels by heart that mean nothing.
# 4. Write dropout yourself, and say what it zeroes and what it scales.
# 5. Find dropout that was left on in evaluation, and measure the damage.
# 6. Say what a convolution knows about images before it has seen one.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("08_capacity")

# %%
import copy
from statistics import mean, median

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import (batches, check, claim, count_macs, count_parameters, diagrams, evaluate,
                          fit, load, mean_and_spread, networks, plots, recorded_runs)
from course_utils.data import Images

# %% [markdown]
# These numbers are yours to change. `FEW` images are too few on purpose.

# %% nbmake={"mock": {"FEW": 128, "EPOCHS": 2, "MORE": 2, "NOISE_IMAGES": 64, "NOISE_EPOCHS": 2, "PIXEL_IMAGES": 128, "PIXEL_EPOCHS": 1}}
SEED = 0
FEW, EPOCHS = 1_000, 30
MORE = 10  # times as many images, in about as many steps
NOISE_IMAGES, NOISE_EPOCHS = 400, 60  # with random labels
PIXEL_IMAGES, PIXEL_EPOCHS = 4_000, 4  # with scrambled pixels

# %% [markdown]
# FashionMNIST has the shape of MNIST: 60,000 + 10,000 grey images of 28×28 pixels in ten classes. It is harder.

# %% mystnb={"image": {"alt": "Twelve grey pictures of clothes, shoes and bags with the names of their classes."}}
fashion = load("fashion_mnist")
names = [fashion.classes[label] for label in fashion.train.y[:12]]
plots.images(fashion.train.x[:12], names, columns=6)

# %% [markdown]
# ## From 44 thousand to 25.8 million
#
# Four published networks read such images. How large are they, and what does one image cost?
#
# - `small_fashion_net`, from PyTorch's TensorBoard tutorial, where it learns from batches of four (lesson 14);
# - `fashion_net`, from Chinese course notes;
# - `mnist_net`, PyTorch's MNIST example, with *dropout* (it hides numbers at random; below) of ¼ after its
#   convolutions and ½ before its last layer;
# - `wide_mnist_net`, from other notes, with dropout of ½ before its last layer.

# %%
nets = {build.__name__: build() for build in (networks.small_fashion_net, networks.fashion_net,
                                              networks.mnist_net, networks.wide_mnist_net)}
for name, model in nets.items():
    macs = count_macs(model, (1, 1, 28, 28)) / 1e6
    print(f"{name:17}  {count_parameters(model):10,} parameters  {macs:5.1f} million multiply-adds")

# %% [markdown]
# Look inside the second. You can do its arithmetic by hand (lesson 3): a convolution has (channels · K · K + 1) ·
# filters parameters, a linear layer (inputs + 1) · outputs.

# %% mystnb={"image": {"alt": "The layers of fashion_net as bars: 64 maps of 26 by 26, pooled to 13 by 13, 128 maps of 11 by 11, pooled to 5 by 5, then 3,200, 256 and 10 numbers. The first linear layer has 819,456 parameters."}}
diagrams.architecture(nets["fashion_net"], (1, 1, 28, 28), title="One layer holds nine parameters in ten")

# %%
by_hand = [(1 * 9 + 1) * 64, (64 * 9 + 1) * 128, (3_200 + 1) * 256, (256 + 1) * 10]
print(by_hand)
claim("The four layers hold {value:,} parameters.", sum(by_hand), equals=896_522)
claim("That is what PyTorch counts: {value}.",
      sum(by_hand) == count_parameters(nets["fashion_net"]), equals=True)

# %% [markdown]
# > **Predict before you run.** The fourth network pads its convolutions, so they keep 28×28 pixels; it pools once, and
# > joins 128 maps of 14×14 numbers to 1,024. Which share of its 25.8 million parameters sits in that layer?

# %%
wide = nets["wide_mnist_net"]
in_first_linear = max(count_parameters(layer) for layer in wide)
claim("{value:.1%} of the largest network's parameters sit in one linear layer.",
      in_first_linear / count_parameters(wide), equals=0.997, within=0.0005)

# %% [markdown]
# Its notes gave a recipe (MNIST, five epochs, Adam, batches of 64) and left the place of the accuracy blank. A script
# follows the recipe, once, and records what belongs there:

# %%
for run in recorded_runs("wide_mnist"):
    print(f"test accuracy after five epochs: {run['test_accuracy']:.2%}, "
          f"in {sum(run['seconds']) / 60:.0f} minutes")

# %% [markdown]
# Lesson 6 ended with a network of under half of LeNet's 61,706 parameters. After one epoch it read at least as many
# test digits as a published LeNet after 59. Parameters are not skill. What are they, then?
#
# ## Too small, too large
#
# *Capacity* is what a network could learn, if it had to. To see it we take one shape of network, make it wider step by
# step, and give it only few images.

# %%
def two_convolutions(width, dropout=0.0):
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(dropout),
        nn.Linear(2 * width * 5 * 5, 10),
    )

# %% [markdown]
# One function trains them all, and watches 2,000 validation images. Its optimiser, AdamW, is Adam with *weight decay*,
# a remedy that we need further down; 0 switches that off.

# %%
valid = batches(fashion.valid.take(2_000), 1_000)


def train(model, images, epochs, weight_decay=0.0):
    torch.manual_seed(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=weight_decay)
    return fit(model, batches(images, 64, shuffle=True), valid, optimizer, epochs=epochs)


def scores(model, images):
    """Both splits in evaluation mode."""
    return {"train": evaluate(model, batches(images, 1_000)), "valid": evaluate(model, valid)}

# %% [markdown]
# > **Predict before you run.** The narrowest has 540 parameters for 1,000 images, the widest 12,810. Which will know
# > the training images best? And the others?

# %% tags=["hide-output"]
few = fashion.train.take(FEW)
models, runs, reached = {}, {}, {}
for width in (1, 4, 16):
    torch.manual_seed(SEED)
    models[width] = two_convolutions(width)
    runs[width] = train(models[width], few, EPOCHS)
    reached[width] = scores(models[width], few)

# %% [markdown]
# Each curve joins the three networks. The distance between the curves is the *gap*: what was learnt by heart.

# %% mystnb={"image": {"alt": "Accuracy over the number of parameters, logarithmic, for three networks. The training curve rises to almost all images; the validation curve rises at first and then hardly, so the gap between them opens."}}
counts = [count_parameters(model) for model in models.values()]
lines = {split: [reached[width][split].accuracy for width in models] for split in ("train", "valid")}
plots.curves(counts, lines, log="x", xlabel="parameters", ylabel="accuracy", percent=True,
             title="More parameters open the gap")

# %% [markdown]
# In numbers:

# %%
stated = (FEW, EPOCHS) == (1_000, 30)
gap = {width: reached[width]["train"].accuracy - reached[width]["valid"].accuracy for width in models}
claim.measured("The widest network knows {value:.1%} of its training images.",
               reached[16]["train"].accuracy, data=fashion, stated=stated)
claim.measured("Its gap is wider than that of the narrowest by {value:.1%} of the images.",
               gap[16] - gap[1], data=fashion, stated=stated)
ahead = reached[16]["valid"].accuracy - reached[1]["valid"].accuracy
print(f"Its validation accuracy is ahead of the narrowest by {ahead:.1%} (one run).")

# %% [markdown]
# So "a larger network is worse on new images" is too simple: the widest is ahead of the narrowest on both splits. By
# how much depends on the seed (a recording below takes three). Whether it beats the middle one, a single run on 2,000
# images cannot say: in the figure they are too close. By accuracy, its excess of parameters did little harm. The harm
# shows in the loss. (Mind the scales: each panel has its own.)

# %% mystnb={"image": {"alt": "Two panels of loss over epochs. Left, 540 parameters: both losses fall and stay high, training somewhat below validation. Right, 12,810 parameters: the training loss goes to zero, the validation loss falls for a few epochs and then rises."}}
panels = {f"{count:,} parameters": {split: runs[width].column(split, "loss")
                                    for split in ("train", "valid")}
          for width, count in zip((1, 16), (counts[0], counts[2]), strict=True)}
plots.curves(range(1, EPOCHS + 1), panels, columns=2, xlabel="epoch", ylabel="loss",
             title="The narrow one stays poor, the wide one learns by heart")

# %%
losses = runs[16].column("valid", "loss")
best = runs[16][losses.index(min(losses))]
print(f"lowest loss in epoch {best.epoch}: {best.valid.loss:.3f}, accuracy {best.valid.accuracy:.1%}")
print(f"at the end: {losses[-1]:.3f}, accuracy {reached[16]['valid'].accuracy:.1%}")
claim.measured("At the end, the widest network's validation loss is {value:.2f} times its lowest.",
               losses[-1] / min(losses), data=fashion, stated=stated)

# %% [markdown]
# On the left is mostly **underfitting**: even the images it has seen stay hard. It is a student who cannot follow.
# (Its 540 parameters still learn a little by heart; hence its smaller gap.) On the right is **overfitting**: the
# training loss goes to nothing while the validation loss rises. It is a student who has learnt the answers to old
# exams by heart. In a new exam he gives about as many right answers as before (compare the two accuracies), but is
# ever surer of the wrong ones, and cross-entropy charges for that.
#
# ## Which remedy for which?
#
# A tutorial advises *more data* against underfitting. Try it: ten times the images, in a tenth of the epochs, so that
# the number of steps stays about the same.
#
# > **Predict before you run.** Which network will gain from them on new images: the narrow one, the wide one, or both?

# %% tags=["hide-output"]
more = fashion.train.take(MORE * FEW)
for width in (1, 16):
    torch.manual_seed(SEED)
    model = two_convolutions(width)
    train(model, more, max(1, EPOCHS // MORE))
    reached[width, "more"] = scores(model, more)

# %% [markdown]
# Compare the narrow network's lines, then those of the wide one.

# %%
for width in (1, 16):
    for images, key in ((len(few), width), (len(more), (width, "more"))):
        seen, new = reached[key]["train"], reached[key]["valid"]
        print(f"width {width:2}, {images:6,} images:  train {seen.accuracy:.1%}, loss {seen.loss:.3f}"
              f"   valid {new.accuracy:.1%}, loss {new.loss:.3f}")

# %% [markdown]
# Two differences in numbers. The second is on the images that both networks have now learnt from.

# %%
claim.measured("More images narrow the wide network's gap by {value:.1%} of the images.",
               gap[16] - reached[16, "more"]["train"].accuracy
               + reached[16, "more"]["valid"].accuracy, data=fashion, stated=stated and MORE == 10)
claim.measured("On their common training images, the narrow one then knows {value:.1%} fewer.",
               reached[16, "more"]["train"].accuracy - reached[1, "more"]["train"].accuracy,
               data=fashion, stated=stated and MORE == 10)

# %% [markdown]
# More data cures *over*fitting. It took the narrow network's smaller gap too, and with it what it knew by heart: now
# it is as poor on images it has seen as on others. That is pure underfitting, and only more capacity cures it (or
# longer training, while it still improves).
#
# A script repeats this for 500 to 32,000 images, 800 steps each, with three seeds.

# %% mystnb={"image": {"alt": "Accuracy over the number of training images for a narrow and a wide network, where recorded. In both panels the training curve falls. The wide network's validation curve rises up to 8,000 images, the narrow one's only up to 2,000. At 32,000 images training and validation are close in both panels."}}
curve = recorded_runs("learning_curve")


def mean_accuracy(width, split):
    some = [run for run in curve if run["width"] == width]
    return [mean(run[split]["accuracy"] for run in some if run["size"] == size)
            for size in sorted({run["size"] for run in some})]


if curve:
    panels = {f"width {width}": {split: mean_accuracy(width, split) for split in ("train", "valid")}
              for width in (1, 16)}
    plots.curves(sorted({run["size"] for run in curve}), panels, columns=2, log="x", percent=True,
                 xlabel="training images", ylabel="accuracy", title="More images: the gap closes")

# %% [markdown]
# Each point is a mean. The spread over the seeds:

# %%
for width in (1, 16):
    for size in sorted({run["size"] for run in curve}):
        some = [run["valid"]["accuracy"] for run in curve if (run["width"], run["size"]) == (width, size)]
        print(f"width {width:2}, {size:6,} images: {mean_and_spread(some, '.2%')}")

# %% [markdown]
# From 2,000 images on, the narrow network gains nothing beyond its (wide) spread: so much for more data against
# underfitting. For each number of images the wide network is ahead, by more than the spread. Only its last step, to
# 32,000 images, gained nothing: 800 batches of 64 show each of them once or twice, which is probably too short to use
# them.
#
# And where you cannot have more images? *Weight decay* pulls all weights a little towards zero in every step.
# *Dropout* hides a part of the numbers from the next layer, other ones each time. *Early stopping* (lesson 7) ends at
# the lowest validation loss. Here are the first two, on the few images.
#
# > **Predict before you run.** Will they raise the accuracy, lower the loss, or both?

# %% tags=["hide-output"]
for name, p, decay in (("dropout", 0.5, 0.0), ("weight decay", 0.0, 0.3)):
    torch.manual_seed(SEED)
    models[name] = two_convolutions(16, p)
    runs[name] = train(models[name], few, EPOCHS, decay)
    reached[name] = scores(models[name], few)

# %% [markdown]
# The first line is the wide network from above, without a remedy.

# %% mystnb={"image": {"alt": "Validation loss over epochs for the wide network without a remedy, with dropout and with weight decay. Without a remedy it rises most."}}
lines = {"none": losses} | {name: runs[name].column("valid", "loss") for name in ("dropout", "weight decay")}
plots.curves(range(1, EPOCHS + 1), lines, xlabel="epoch", ylabel="validation loss",
             title="Dropout and weight decay hold the loss down")

# %% [markdown]
# Both hold the loss down. And the accuracy?

# %%
claim.measured("With dropout, the validation loss ends {value:.2f} lower.",
               losses[-1] - reached["dropout"]["valid"].loss, data=fashion, stated=stated)
difference = reached["dropout"]["valid"].accuracy - reached[16]["valid"].accuracy
print(f"its validation accuracy differs by {difference:+.1%}: one run, 2,000 images")

# %% [markdown]
# Is that dropout, or luck? One run on 2,000 images cannot say. Again a script takes three seeds, and all 5,000
# validation images:

# %%
remedies = recorded_runs("remedies")
for remedy in dict.fromkeys(run["remedy"] for run in remedies):
    some = [run["valid"] for run in remedies if run["remedy"] == remedy]
    accuracy, loss = [one["accuracy"] for one in some], [one["loss"] for one in some]
    print(f"{remedy:13}  accuracy {mean_and_spread(accuracy, '.2%')}"
          f"   loss {mean_and_spread(loss, '.3f')}")

# %% [markdown]
# Both remedies lower the loss by more than the spread. The accuracy they leave where it was, within the spread,
# whatever the single run above has said: they cure false confidence, not wrong answers. More images cured both.
#
# Now the published four, on 2,000 images for ten epochs, with three seeds:

# %%
published = recorded_runs("capacity")
for name in dict.fromkeys(run["network"] for run in published):
    some = [run for run in published if run["network"] == name]
    seen, new = ([run[split]["accuracy"] for run in some] for split in ("train", "valid"))
    print(f"{name:17}  train {mean_and_spread(seen)}   valid {mean_and_spread(new)}"
          f"   gap {mean(seen) - mean(new):.1%}")

# %% [markdown]
# The smallest network has the narrowest gap, the largest the widest; the two between are alike. None is worse on new
# images than a smaller one: the last, with over twenty times the parameters of the third, is as good within the
# spread. But the four differ in more than their size (two have dropout), so this shows what you get, and not why.
#
# ## Labels that mean nothing
#
# How far can learning by heart go? Shuffle the labels: a coat may now be called a sandal. There is nothing left to
# understand.
#
# > **Predict before you run.** Will the training loss fall? How many validation images will it get right?

# %% tags=["hide-output"]
torch.manual_seed(SEED)
some = fashion.train.take(NOISE_IMAGES)
nonsense = Images(some.x, some.y[torch.randperm(len(some))], some.mean, some.std)
model = two_convolutions(16)
run = train(model, nonsense, NOISE_EPOCHS)
by_heart = scores(model, nonsense)

# %%
stated_noise = (NOISE_IMAGES, NOISE_EPOCHS) == (400, 60)
claim.measured("The network knows {value:.0%} of the labels that mean nothing.",
               by_heart["train"].accuracy, data=fashion, stated=stated_noise)
claim.measured("Of the validation images it gets {value:.0%} wrong.",
               1 - by_heart["valid"].accuracy, data=fashion, stated=stated_noise)

# %% [markdown]
# Guessing would get nine in ten wrong. So a low training loss proves nothing about understanding, not even with a
# convolutional network: what these networks *can* learn does not explain why they generalise when the labels are
# true. (C. Zhang and others showed it in 2017 on ImageNet.)
#
# ## Dropout, by hand
#
# Dropout forgets on purpose. Its layer tosses a coin for each number: with probability p the number becomes 0; the
# survivors are divided by 1 − p. So, on average, the next layer receives what it would have received without dropout.

# %%
def dropout(x, p=0.5, training=True):
    if not training:
        return x
    mask = torch.empty_like(x).bernoulli_(1 - p)  # 1: stays, 0: goes
    return x * mask / (1 - p)


torch.manual_seed(SEED)
ours = dropout(torch.ones(1_000_000), p=0.25)
torch.manual_seed(SEED)
torchs = F.dropout(torch.ones(1_000_000), p=0.25)
claim("Ours and `F.dropout` drop the same numbers and agree: {value}.",
      torch.allclose(ours, torchs), equals=True)
claim("The mean of a million ones stays {value:.3f}.", ours.mean(), equals=1, within=0.005)
claim("The survivors become {value:.4f}.", ours.max(), equals=4 / 3, within=1e-4)

# %% [markdown]
# What is zeroed? Some notes say *parameters*. It is activations: the numbers that pass through. The weights stay as
# they are, and the next batch meets other zeros.

# %% mystnb={"image": {"alt": "One ankle boot as it is, then three times with random pixels black: a quarter of them, half of them, and half of them once more, other ones."}}
layer = nn.Dropout()
boot = fashion.train.x[fashion.train.y == 9][0] / 255
plots.images([boot, dropout(boot, 0.25), layer(boot), layer(boot)],
             ["p = 0", "p = ¼", "p = ½", "p = ½, again"], shared=True,
             title="Other numbers go every time, the rest grow brighter")

# %%
before = copy.deepcopy(models["dropout"].state_dict())
models["dropout"].train()(boot[None])
after = models["dropout"].state_dict()
claim("Weights that dropout changed: {value}.",
      sum(not torch.equal(before[name], after[name]) for name in before), equals=0)
claim("Parameters of a layer of dropout: {value}.", count_parameters(layer), equals=0)
claim("Without an argument, p is {value}.", layer.p, equals=0.5)

# %% [markdown]
# Why does it help? No number can rely on one certain other: it may be missing. G. Hinton's picture: each image trains
# another thinned network, and evaluation asks them all at once. That is why `eval()` must switch it off.
#
# ## Find the bug: dropout that never sleeps
#
# A published CIFAR-10 study used dropout as a function, in this way. The same checkpoint read 77.6 % of the test
# images in one cell of its notebook and 77.85 % in the next.

# %%
class Published(nn.Module):
    def __init__(self, trained):
        super().__init__()
        self.features, self.last = trained[:7], trained[8]  # trained[7] is its layer of dropout

    def forward(self, x):
        return self.last(F.dropout(self.features(x), 0.5))

# %% [markdown]
# We put our trained weights into it, and score the same weights twenty times. `evaluate` calls `eval()` each time.
#
# > **Predict before you run.** How many different scores, and on which side of the true one?

# %% mystnb={"image": {"alt": "Accuracy of twenty evaluations of one network. With dropout left on it jumps from one to the next and stays below the line of evaluation mode, which is straight."}}
torch.manual_seed(SEED)
trained = models["dropout"]
left_on = [evaluate(Published(trained), valid).accuracy for _ in range(20)]
exact = [evaluate(trained, valid).accuracy for _ in range(20)]
plots.curves(range(1, 21), {"dropout left on": left_on, "evaluation mode": exact}, percent=True,
             xlabel="evaluation", ylabel="accuracy", title="One network, twenty scores: all too low")

# %%
print(f"left on: {mean_and_spread(left_on, '.2%')}, evaluation mode: {exact[0]:.2%}")
claim("Different scores in evaluation mode: {value}.", len(set(exact)), equals=1)
claim.measured("Dropout left on costs {value:.1%} of the images on average.",
               exact[0] - mean(left_on), data=fashion, stated=stated)

# %% [markdown]
# The spread above is over draws of dropout, with one set of weights. Over three trained networks:

# %%
for run in remedies:
    if run["left_on"]:
        print(f"seed {run['seed']}: evaluation mode {run['valid']['accuracy']:.2%}, left on "
              f"{mean_and_spread(run['left_on'], '.2%')}")

# %% [markdown]
# `F.dropout` does not know the mode of your module: its default is `training=True`. Say `training=self.training`, or
# use `nn.Dropout`, which `eval()` reaches. A line worth having in your tests:

# %%
x = next(iter(valid))[0][:8]
broken, mended = Published(trained).eval(), trained.eval()
claim("The published form answers twice alike in evaluation mode: {value}.",
      torch.equal(broken(x), broken(x)), equals=False)
claim("The mended form does: {value}.", torch.equal(mended(x), mended(x)), equals=True)

# %% [markdown]
# ## Does flattening lose the picture?
#
# "Flattening destroys spatial information", tutorials say, to explain why dense layers do worse. Test it: scramble the
# 784 pixels, in the same way for every image. No person can read that.

# %% mystnb={"image": {"alt": "Three pieces of clothing, and the same with their pixels scrambled: grey noise."}}
torch.manual_seed(SEED)
order = torch.randperm(784)


def scramble(images):
    x = images.x.flatten(1)[:, order].view(-1, 1, 28, 28)
    return Images(x, images.y, images.mean, images.std)


three = fashion.train.x[:3]
pictures = torch.cat([three, three.flatten(1)[:, order].view(-1, 1, 28, 28)])
plots.images(pictures, columns=3, title="The same pixels, elsewhere")

# %% [markdown]
# A dense layer has a weight for each pixel. Move the weights along with the pixels, and nothing is lost.

# %%
def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


torch.manual_seed(SEED)
plain = dense().double()
moved = copy.deepcopy(plain)
moved[1].weight.data = plain[1].weight.data[:, order]
x = fashion.valid.take(200).x.double() / 255
difference = (plain(x) - moved(x.flatten(1)[:, order])).abs().max()
claim("The moved network's answers on scrambled pixels differ by {value:.0e}.",
      difference, at_most=1e-12)

# %% [markdown]
# So whatever a dense network can learn from images, it can learn from scrambled ones. And a convolutional one? We
# train both, with three seeds, on both kinds.
#
# > **Predict before you run.** Which of the four combinations will be worst?

# %% tags=["hide-output"]
plain_split, results = fashion.train.take(PIXEL_IMAGES), {}
for kind, change in (("as they are", lambda images: images), ("scrambled", scramble)):
    loader = batches(change(fashion.valid.take(2_000)), 1_000)
    for name, build in (("dense", dense), ("convolutions", lambda: two_convolutions(8))):
        for seed in (SEED, SEED + 1, SEED + 2):
            torch.manual_seed(seed)
            model = build()
            optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
            pixels = batches(change(plain_split), 64, shuffle=True)
            run = fit(model, pixels, loader, optimizer, epochs=PIXEL_EPOCHS)
            results.setdefault((name, kind), []).append(run[-1].valid)

# %% [markdown]
# Mean and standard deviation over the three seeds:

# %%
loss = {}
for (name, kind), some in results.items():
    accuracy, loss[name, kind] = [one.accuracy for one in some], [one.loss for one in some]
    print(f"{name:12} {kind:11}  accuracy {mean_and_spread(accuracy)}"
          f"   loss {mean_and_spread(loss[name, kind], '.3f')}")

# %%
harm = {name: mean(loss[name, "scrambled"]) - mean(loss[name, "as they are"])
        for name in ("dense", "convolutions")}
print({name: round(value, 3) for name, value in harm.items()})
claim.measured("Scrambling raises the loss of convolutions by {value:.3f} more than that of dense layers.",
               harm["convolutions"] - harm["dense"], data=fashion,
               stated=(PIXEL_IMAGES, PIXEL_EPOCHS) == (4_000, 4))

# %% [markdown]
# Flattening loses no information, and neither does scrambling: both can be undone. What a convolution loses is its
# *prior*, a bet made before any
# image is seen: neighbours belong together, and what is worth seeing here is worth seeing there. Dense layers bet on
# nothing; they look at all pixels at once, a convolution at a small window. Where the bet is wrong, it costs: compare
# the two scrambled lines.
#
# ## One network, two loops
#
# Back to the network of 896,522 parameters. Its notes trained for five epochs with Adam at .001 and batches of 32,
# used the test split as validation, and their curves are lost. A script runs that loop again (with a validation
# split), then ours: normalised pixels, batches of 128, a learning rate that rises and falls (lesson 7), channels last
# (lesson 2), three epochs. One run each.

# %% mystnb={"image": {"alt": "Validation accuracy of the 896,522-parameter network over epochs, where recorded, in the published loop and in ours."}}
loops = recorded_runs("fashion_loops")
whole = {run["loop"]: run for run in loops if run["loop"] != "timed"}
for name, run in whole.items():
    print(f"{name:10} {sum(run['seconds']):4.0f} s, {len(run['seconds'])} epochs, "
          f"test accuracy {run['test_accuracy']:.2%}")
if whole:
    labels = {"published": "published loop", "ours": "our loop"}
    lines = {labels[name]: run["valid_accuracy"] for name, run in whole.items()}
    plots.curves(range(1, 6), lines, xlabel="epoch", ylabel="validation accuracy", percent=True,
                 title="Three epochs reach what five did")

# %% [markdown]
# Where does the time go? The published loop makes a second forward pass after each step, only to count right answers.
# Single changes, timed in turns, each line keeping those above it; the median of five rounds:

# %%
for run in loops:
    if run["loop"] == "timed":
        for name, seconds in run["seconds"].items():
            print(f"{name:17} {median(seconds):.2f} s for 1,000 images "
                  f"({min(seconds):.2f} to {max(seconds):.2f})")

# %% [markdown]
# The rest of the saving is three epochs instead of five. Which of our changes allows that, these two runs cannot say.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 8.1 · The survivors
#
# In training, a layer of dropout has p = 0.2. By which number does it multiply what it lets through?

# %%
factor = ...
check("8.1", factor)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.1
factor_solution = 1 / (1 - 0.2)  # four of five stay, each counts for five fourths
assert check("8.1", factor_solution)

# %% [markdown]
# ### Exercise 8.2 · One more pooling
#
# Put one more 2×2 pooling right before the `Flatten` of `wide_mnist_net`, and fit its first linear layer to what then
# arrives (the 1,024 stay). How many parameters has the whole network? (Its convolutions read 1 and 64 channels and
# have 64 and 128 filters of 3×3; the last layer joins 1,024 to 10.)

# %%
pooled = ...
check("8.2", pooled)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.2
convolutions_solution = (1 * 9 + 1) * 64 + (64 * 9 + 1) * 128
linear_solution = (128 * 7 * 7 + 1) * 1_024 + (1_024 + 1) * 10
pooled_solution = convolutions_solution + linear_solution
assert check("8.2", pooled_solution)

# %% [markdown]
# ### Exercise 8.3 · Which remedy?
#
# Four networks for ten classes, equally many images of each. Accuracy on the images they were trained on, and on
# validation images:
#
# - A: 62 % and 61 %, both level for twenty epochs.
# - B: 100 % and 78 %, while the validation loss rises.
# - C: 97 %; and, scored three times with the same weights and images, 81.3 %, 80.2 % and 81.9 %.
# - D: 100 % and 10 %.
#
# Give each one remedy, all four different: `"larger network"`, `"more images"`, `"evaluation mode"`,
# `"check the labels"`.

# %%
remedy = {"A": ..., "B": ..., "C": ..., "D": ...}
check("8.3", remedy)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.3
remedy_solution = {
    "A": "larger network",  # poor on both, and level: underfitting
    "B": "more images",  # overfitting
    "C": "evaluation mode",  # dropout was left on
    "D": "check the labels",  # no better than guessing: what it learnt by heart means nothing
}
assert check("8.3", remedy_solution)

# %% [markdown]
# ### Exercise 8.4 · Drop whole maps
#
# Neighbours in a feature map look alike, so hiding one pixel hides little. Write `drop_maps(x, p, training)`: for `x`
# of shape N×C×H×W, drop whole maps with probability p (below 1), each map of each image by a coin of its own. Scale as
# dropout does, leave `x` as it is, and do nothing outside of training. (Without `F.dropout2d`, which does this.)

# %%
def drop_maps(x, p, training):
    ...


check("8.4", drop_maps)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.4
def drop_maps_solution(x, p, training):
    if not training:
        return x
    coins = torch.empty(x.shape[0], x.shape[1], 1, 1).bernoulli_(1 - p)  # one for each map
    return x * coins / (1 - p)


assert check("8.4", drop_maps_solution)

# %% [markdown]
# ### Exercise 8.5 · Let it sleep
#
# Write `Mended`, a class like `Published`, to be built from a trained network of the same nine layers, of any width. In
# training mode it drops each feature with probability ½, in evaluation mode it gives the trained network's own answers.

# %%
class Mended(Published):
    def forward(self, x):
        ...


check("8.5", Mended)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.5
class Mended_solution(Published):
    def forward(self, x):
        return self.last(F.dropout(self.features(x), 0.5, training=self.training))


assert check("8.5", Mended_solution)

# %% [markdown]
# ### Exercise 8.6 · Unscramble a network
#
# A dense layer was trained on scrambled pixels, `x[:, order]`, and has the weight matrix `weight`, outputs × pixels.
# Write `unscramble(weight, order)`: the matrix that gives the same answers on plain pixels `x`.

# %%
def unscramble(weight, order):
    ...


check("8.6", unscramble)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 8.6
def unscramble_solution(weight, order):
    plain = torch.empty_like(weight)
    plain[:, order] = weight  # column k belongs to pixel order[k]
    return plain  # the same as weight[:, order.argsort()]


assert check("8.6", unscramble_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Say where a network's parameters sit (mostly in the first linear layer), and what they buy: capacity, not skill.
# 2. Tell underfitting (poor on both splits: more capacity) from overfitting (a gap, and a rising validation loss: more
#    images, dropout, weight decay, an earlier end).
# 3. Show that a network learns random labels by heart, so that a low training loss proves nothing.
# 4. Write dropout: it zeroes activations with probability p, and divides the rest by 1 − p, in training only.
# 5. Find dropout that was left on: the same weights and images give different scores, and lower ones.
# 6. Say what flattening keeps (everything) and what a convolution brings: a bet on neighbours.
#
# ## Further reading
#
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, *Dropout: a simple way to prevent neural
#   networks from overfitting* (2014).
# - C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals, *Understanding deep learning requires rethinking
#   generalization* (2017): random labels, learnt by heart.
# - I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning* (2016): chapter 5 on capacity, chapter 9 on the prior of
#   convolutions.
# - M. Belkin, D. Hsu, S. Ma, S. Mandal, *Reconciling modern machine-learning practice and the classical bias–variance
#   trade-off* (2019): why the largest network need not be the worst.
