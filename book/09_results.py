# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 · Reading results
#
# *What does one accuracy hide?*
#
# **Read** 50 min · **Run** 45 s on two CPU cores · **Before this** lesson 6
#
# ## What you will be able to do
#
# 1. Say what an accuracy hides where a class is rare, and what to print next to it.
# 2. Count a confusion matrix; compute precision, recall, F1 and average precision by hand.
# 3. Find bugs in published evaluations by numbers that do not fit.
# 4. Say how far a result can be trusted, from four images or from ten thousand.
# 5. Test whether a network's probabilities are true, and mend them with one number.
# 6. Look at errors, and suspect the label too.

# %% [markdown]
# The first cell finds the course's small package. The second says what this notebook runs on.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} cellView="form"
# The setup cell: `make notebooks` puts it here.

# %%
import course_utils

course_utils.setup("09_results")

# %%
from math import comb
from statistics import mean

import torch
import torch.nn.functional as F
from sklearn.metrics import (
    average_precision_score, classification_report, confusion_matrix,
    precision_recall_fscore_support,
)
from torch import nn

from course_utils import (
    agree, batches, calibration_error, check, claim, device, fit,
    fit_temperature, load, plots, predict, recorded, wilson_interval,
)
from course_utils.data import Images
from course_utils.networks import lenet

# %% [markdown]
# These numbers are yours to change. With a GPU, take all 55,000 images.

# %% nbmake={"mock": {"IMAGES": 1000, "EPOCHS": 5, "BELT_EPOCHS": 1}}
SEED = 0
IMAGES, EPOCHS = 10_000, 15  # to learn ten classes from
BELT_EPOCHS = 12  # for the warehouse

# %% [markdown]
# ## A belt in a warehouse
#
# A warehouse sends its clothes along a belt, and one item in fifty is a shirt that ended up there by mistake. A camera
# looks at each item, and a network is asked to pull the shirts out. Its builder reports an accuracy of 98 %. Would
# you buy it?
#
# Let us build that network. Fashion-MNIST has the format of MNIST, but its ten classes are things to wear or
# carry. We lay a belt from its training images and another from its validation images: everything that is no shirt,
# and as many shirts as make two in a hundred.

# %%
fashion = load("fashion_mnist")
SHIRT = fashion.classes.index("Shirt")


def belt(images):
    others = images[images.y != SHIRT]
    shirts = images[images.y == SHIRT].take(round(len(others) / 49))
    pixels = torch.cat([shirts.x, others.x])
    labels = torch.tensor([1] * len(shirts) + [0] * len(others))
    return Images(pixels, labels, images.mean, images.std)

# %% [markdown]
# The network is the LeNet of lesson 6 with two outputs, "something else" and "shirt".

# %%
DEVICE = device()
on_belt = belt(fashion.valid)
inspect = batches(on_belt, 1_000, device=DEVICE)
train = batches(belt(fashion.train.take(IMAGES)), 64, shuffle=True,
                device=DEVICE)
torch.manual_seed(SEED)
sorter = lenet(pool=nn.MaxPool2d)
sorter[-1] = nn.Linear(84, 2)
sorter.to(DEVICE)
belt_run = fit(sorter, train, inspect,
               torch.optim.Adam(sorter.parameters()),
               epochs=BELT_EPOCHS)

# %% [markdown]
# > **Predict before you run.** Beside it we put a *dummy*, which looks at nothing and always says "something else".
# > What is the dummy's accuracy on the belt? And of the shirts on it, what share will the network find?

# %% tags=["answer"]
is_shirt = (on_belt.y == 1).numpy()
says_shirt = (predict(sorter, inspect).argmax(1) == 1).cpu().numpy()
print(f"network: accuracy {(says_shirt == is_shirt).mean():.1%}")
print(f"dummy:   accuracy {(~is_shirt).mean():.1%}")
print(f"of {is_shirt.sum()} shirts the network finds "
      f"{(says_shirt & is_shirt).sum()}, the dummy 0")

# %% tags=["answer", "claim"]
belt_stated = (IMAGES, BELT_EPOCHS) == (10_000, 12)
claim.measured("The network for the belt finds {value:.0%} of the shirts.",
               (says_shirt & is_shirt).sum() / is_shirt.sum(),
               data=fashion, stated=belt_stated, at_least=0.05, at_most=0.6)

# %% [markdown]
# Three numbers tell three stories. By its accuracy the network is excellent. Next to the dummy it is about as good as a
# box with no camera in it. And of the shirts that it was bought for, it misses most. All three are computed correctly,
# but only the last answers our question.
#
# Accuracy counts every image once, so that 98 % of it is decided by trousers, shoes and bags. This is why the first
# thing to print beside an accuracy is what a dummy would get, and the second is a count for each class. The rest of
# this lesson is about such counts.
#
# ## One network, asked once
#
# Now all ten classes, equally many of each: T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag and
# ankle boot. A LeNet sees 10,000 images fifteen times, with a learning rate that rises and falls as in lesson 6. This
# is one run with one seed, and another seed would move every number a little. After each epoch we also keep its logits
# on the validation images, because we will need them for a riddle. `fit` calls what we give it as a *callback*:

# %%
class KeepLogits:
    def __init__(self, loader):
        self.loader, self.logits = loader, []

    def on_epoch_end(self, state):
        self.logits.append(predict(state.model, self.loader).cpu())

# %% [markdown]
# Now the training.

# %%
train = batches(fashion.train.take(IMAGES), 64, shuffle=True, device=DEVICE)
valid = batches(fashion.valid, 1_000, device=DEVICE)
torch.manual_seed(SEED)
model = lenet(pool=nn.MaxPool2d).to(DEVICE)
optimizer = torch.optim.Adam(model.parameters())
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=0.006, total_steps=EPOCHS * len(train))
after_epoch = KeepLogits(valid)
run = fit(model, train, valid, optimizer, epochs=EPOCHS,
          scheduler=scheduler, scheduler_step="batch",
          callbacks=[after_epoch])

# %% [markdown]
# The training accuracy ends far above the validation accuracy, so the network has memorised many of its images. And
# there is a riddle. Towards the end the validation *loss* grows, and yet the validation *accuracy* does not fall. How
# can a network get worse and not get worse?

# %% tags=["claim"]
stated = (IMAGES, EPOCHS) == (10_000, 15)  # the size of these sentences
losses = run.column("valid", "loss")
claim.measured("From its lowest value to the last epoch, the validation "
               "loss grows by {value:.0%}.",
               losses[-1] / min(losses) - 1, data=fashion, stated=stated)

# %% [markdown]
# From the last logits come the probabilities, the
# *answer* (the class with the largest probability) and the *confidence* (how large that probability is).

# %%
logits = after_epoch.logits[-1].double()  # N×10
truth = fashion.valid.y
probabilities = logits.softmax(1)
confidence, answer = probabilities.max(1)
correct = answer == truth

# %% [markdown]
# ## Count
#
# An image has a true class and an answer, so there are a hundred possible pairs. Number them `10 * truth + answer` and
# count how often each occurs: that is the whole *confusion matrix*. A row holds the images of one true class, and a
# column those that got the same answer.
#
# > **Predict before you run.** Which of the ten classes gives the network most trouble?

# %% tags=["answer"] mystnb={"image": {"alt": "Confusion matrix of ten kinds of clothes. Most of the 500 images of each class are on the diagonal. Shirts are the exception: many are taken for T-shirts, pullovers, coats or dresses. Shoes are mixed up with shoes only."}}
pairs = 10 * truth + answer
counts = torch.bincount(pairs, minlength=100).view(10, 10)
plots.confusion(counts, fashion.classes,
                title="Shirts are taken for other tops")

# %% [markdown]
# The darkest cells are in the row and the column of the shirts, so our warehouse had picked the hardest class. Shoes
# are only mixed up with shoes.
#
# Before you believe a matrix, see that it adds up. These sums would have found most of the bugs that we are going to
# meet.

# %%
share = counts.trace() / counts.sum()
agree("the sums of the rows and the images of each class",
      counts.sum(1), truth.bincount(), within=0)
agree("diagonal over total and the accuracy that `fit` printed",
      share, run[-1].valid.accuracy, within=1e-6)
agree("our cells and scikit-learn's",
      counts, torch.from_numpy(confusion_matrix(truth, answer)), within=0)

# %% [markdown]
# ## By row, and by column
#
# Two people ask about shirts. The first owns the shirts and wants to know how many of them are found. She divides each
# row by its sum, and the diagonal then holds the **recall**. The second only sees the answers. When the network says
# "shirt", can he believe it? He divides each column by its sum, and his diagonal is the **precision**. Here is her
# matrix, in per cent.

# %% mystnb={"image": {"alt": "Recall matrix in per cent, each row adding up to 100. Nearly all trousers, sandals and bags are found, but only about seven in ten shirts."}}
recall_matrix = counts / counts.sum(1, keepdim=True)
plots.confusion(recall_matrix, fashion.classes,
                title="By row: lost shirts turn into T-shirts")

# %% [markdown]
# His has the same counts, divided by other sums.

# %% mystnb={"image": {"alt": "Precision matrix in per cent, each column adding up to 100. Nearly all answers trouser are right, but fewer than three quarters of the answers shirt."}}
precision_matrix = counts / counts.sum(0, keepdim=True)
plots.confusion(precision_matrix, fashion.classes,
                title="By column: trust “shirt” least")

# %% [markdown]
# Either of the two is easily made perfect. Call everything a shirt, and all shirts are found: the recall is 1. Name
# only the one surest shirt, and the precision is 1. So a report should state both, or a number that neither trick can
# raise. **F1** is the *harmonic* mean of precision P and recall R, 2PR / (P + R). It stays small when either of them is
# small.

# %%
def scores(counts):
    precision = counts.diag() / counts.sum(0)
    recall = counts.diag() / counts.sum(1)
    f1 = 2 * precision * recall / (precision + recall)
    return precision, recall, f1

# %% [markdown]
# scikit-learn should find the same.

# %%
theirs = precision_recall_fscore_support(truth, answer)
ours = scores(counts)
for k, name in enumerate(["precision", "recall", "F1"]):
    agree(f"our {name} and scikit-learn's",
          ours[k], theirs[k].tolist(), within=1e-6)

# %% [markdown]
# Now scikit-learn may print the table. *Support* is the number of images. The *macro average* is the plain mean over
# the classes, and in the *weighted* one each class counts by its support. From 73 % to 74 % is one *point*.

# %%
print(classification_report(truth, answer, digits=3,
                            target_names=fashion.classes))

# %% tags=["claim"]
recall = scores(counts)[1]
claim.measured("Between the class found best and the one found worst, "
               "recall differs by {value:.0f} points.",
               100 * (recall.max() - recall.min()),
               data=fashion, stated=stated)

# %% [markdown]
# One accuracy hid ten numbers, and they are far apart. One of the two measures has a catch. Recall asks about the
# shirts alone, so that it stays the same whether shirts are common or rare. Precision does not. Suppose that this
# network watched the belt of the first section. The rows of its matrix would keep their shares, but for each shirt
# there would be far more other things to be taken for one.
#
# > **Predict before you run.** Here one image in ten is a shirt. What happens to the precision of "shirt" when one in
# > fifty is?

# %% tags=["answer"]
of_belt = counts.double()
of_belt[SHIRT] *= 9 / 49  # among 4,500 others, 92 shirts instead of 500
for name, matrix in {"1 in 10": counts, "1 in 50": of_belt}.items():
    precision, recall, f1 = (scores(matrix)[k][SHIRT] for k in range(3))
    print(f"{name}: recall {recall:.0%}, precision {precision:.0%}, "
          f"F1 {f1:.0%}")

# %% [markdown]
# The network has not changed, and neither has its recall. Its precision collapses, because the few shirts that remain
# are outnumbered by mistaken T-shirts and coats. So a precision from a balanced test set says little about a place
# where the class is rare.
#
# ## A published matrix
#
# A tutorial on CIFAR-10, ten classes of small colour photographs, printed the confusion matrix of its 10,000 test
# images. That is all we need to check what it says.

# %% mystnb={"image": {"alt": "The published confusion matrix of CIFAR-10. The strongest colours: 176 dogs called cats, 113 cats called dogs, 100 cats called birds."}}
published = recorded("published_cifar10_confusion")
matrix, classes = torch.tensor(published["matrix"]), published["classes"]
print(published["source"])
plots.confusion(matrix, classes,
                title="Cats and dogs are hard, and so are birds")

# %% [markdown]
# > **Predict before you run.** The tutorial calls dogs and cats its worst classes, and says that an earlier network had
# > failed on birds and cats. Which two are worst in this matrix?

# %% tags=["answer"]
precision, recall, f1 = scores(matrix)
print(f"{'':11} recall precision     F1")
for k, name in enumerate(classes):
    print(f"{name:11} {recall[k]:6.1%} {precision[k]:9.1%} {f1[k]:6.1%}")

# %% tags=["answer", "claim"]
lowest = {name: sorted(classes[k] for k in values.argsort()[:2])
          for name, values in [("recall", recall), ("F1", f1)]}
claim("The worst two are {value}.",
      " by recall, ".join(" and ".join(lowest[k]) for k in lowest)
      + " by F1", equals="cat and dog by recall, bird and cat by F1")

# %% [markdown]
# Dogs and cats, or birds and cats: "worst" means nothing without the name of a measure. Here are both matrices of
# shares.

# %% mystnb={"image": {"alt": "Recall of the published matrix in per cent. Automobiles are found best, at 91 per cent, cats worst, at 64."}}
by_row = matrix / matrix.sum(1, keepdim=True)
plots.confusion(by_row, classes,
                title="By row: one cat in nine is called a dog")

# %% [markdown]
# And by column:

# %% mystnb={"image": {"alt": "Precision of the published matrix in per cent. The answers bird and cat are believed least, at about 60 per cent."}}
by_column = matrix / matrix.sum(0, keepdim=True)
plots.confusion(by_column, classes,
                title="By column: “bird” and “cat” are often wrong")

# %% [markdown]
# ## Find the bug: a number that does not fit
#
# The same tutorial prints an accuracy for each class. The accuracy on airplanes *is* the recall of airplanes, so its
# list and its matrix should hold the same ten numbers.

# %%
printed = published["per_class_accuracy"]
for k, name in enumerate(classes):
    print(f"{name:11} printed {printed[k]:.1%}, by matrix {recall[k]:.1%}")

# %% [markdown]
# Ten classes, and ten contradictions. This is how it was counted, in our own words and with the bug kept. We let it
# judge our network.
#
# > **Find the bug.** Each line is right by itself. What is it that gets counted?

# %%
@torch.inference_mode()
def accuracy_by_class(model, loader):
    for x, y in loader:
        answer, truth = model(x).argmax(1), y
    right = truth[answer == truth].bincount(minlength=10)
    return (right / truth.bincount(minlength=10)).cpu()

# %% tags=["claim"]
in_512 = batches(fashion.valid, published["batch_size"], device=DEVICE)
off = (accuracy_by_class(model, in_512) - scores(counts)[1]).abs().max()
claim.measured("For one of our classes this is wrong by {value:.0f} points.",
               100 * off, data=fashion, stated=stated)

# %% [markdown]
# The counting comes after the loop instead of inside it, so that it sees only the last batch. In batches of 512, the
# last of 10,000 images holds 272, about 27 of each class. Can ten printed percentages prove that this is what happened?
# One of them proves nothing: 85.3 % may be 29 of 34 airplanes, or 853 of 1,000. But small classes cannot show every
# percentage.

# %%
def sizes_that_fit(share):
    """The class sizes near 27 of which some whole number is this share."""
    return [n for n in range(15, 45)
            if any(round(k / n, 3) == share for k in range(n + 1))]


possible = {name: sizes_that_fit(share)
            for name, share in zip(classes, printed, strict=True)}
for name, sizes in possible.items():
    print(f"{name:11}", *sizes)

# %% [markdown]
# Every class has a size that fits. How surprising is that? Counted over a thousand images each, any percentage from
# 50.0 to 95.0 could have turned up, and not all of those fit a small class.

# %%
every = [k / 1000 for k in range(500, 951)]
fitting = mean(bool(sizes_that_fit(share)) for share in every)
print(f"{fitting:.0%} of such shares fit a small class, "
      f"and ten in ten would fit by luck with {fitting**10:.1%}")
sums = {0}
for sizes in possible.values():
    sums = {total + size for total in sums for size in sizes}

# %% tags=["claim"]
last_batch = 10_000 % published["batch_size"]
claim("The ten sizes can add up to the {value} images of the last batch.",
      last_batch if last_batch in sums else 0, equals=272)

# %% [markdown]
# So the numbers themselves point to the last batch, and the code confirms it. Add up the images behind your shares, and
# hold the sum against the size of the test set.
#
# Two more of its mistakes wait in exercises 9.5 and 9.6.
#
# ## How far can you trust it?
#
# A share of 500 images is known less well than a share of 5,000. The Wilson interval of lesson 6 says how well.

# %%
hits, support = counts.diag().tolist(), counts.sum(1).tolist()
for k, name in enumerate(fashion.classes):
    low, high = wilson_interval(hits[k], support[k])
    print(f"{name:12} recall between {low:.1%} and {high:.1%}")

# %% [markdown]
# Even with 500 images, some of these intervals are eight points wide. Now to the published matrix: is the cat really
# harder than the dog? People often look whether two intervals overlap. That is no test. Two intervals may overlap a
# little although the difference is clear, because both numbers are seldom off in opposite directions. We want an
# interval of the *difference*. The cats and the dogs are different images, so their two variances add.

# %%
cat, dog = recall[classes.index("cat")], recall[classes.index("dog")]
variance = (cat * (1 - cat) + dog * (1 - dog)) / 1_000
half = 1.96 * variance.sqrt()
print(f"the dog's recall is {dog - cat:+.1%} against the cat's, "
      f"95 % interval {dog - cat - half:+.1%} to {dog - cat + half:+.1%}")

# %% [markdown]
# The interval reaches to both sides of 0, so a thousand images of each do not settle which of the two is harder. With
# the 34 airplanes of the bug, next to nothing is settled: exercise 9.2 asks how little.
#
# ## Every threshold at once
#
# So far the class with the largest probability won. Our warehouse may choose otherwise. It can pull out each item whose
# probability of "shirt" is above some threshold, and a person looks through the pile. A low threshold finds more
# shirts, which is recall, and puts more mistakes into the pile, which is precision. The right threshold depends on what
# a missed shirt costs.
#
# To see all thresholds, sort the images by that probability and walk down. When you meet the *k*-th real shirt
# of *n*, you have found *k / n* of them, and precision is *k* divided by the number of images that you have passed.

# %%
def precision_at_hits(score, positive):
    hits = positive[score.argsort(descending=True)]
    passed = hits.nonzero().flatten() + 1
    return torch.arange(1, len(passed) + 1) / passed


lines = {name: precision_at_hits(probabilities[:, k], truth == k)
         for k, name in enumerate(fashion.classes)}

# %% [markdown]
# This is the *precision-recall curve*. Its mean height is the *average precision*, written beside each name.

# %% mystnb={"image": {"alt": "Precision against recall for three classes. Trousers stay at 100 per cent until nearly all are found. Pullovers fall only towards the end. Shirts fall early and steadily, to less than half."}}
found = torch.arange(1, len(lines["Shirt"]) + 1) / len(lines["Shirt"])
three = {f"{name}: {lines[name].mean():.1%}": lines[name]
         for name in ("Trouser", "Pullover", "Shirt")}
plots.curves(found, three, percent=True, xlabel="recall",
             ylabel="precision",
             title="The last shirts cost the most precision")

# %% [markdown]
# scikit-learn does the same.

# %%
area = torch.stack([line.mean() for line in lines.values()])
theirs = average_precision_score(F.one_hot(truth), probabilities,
                                 average=None)
agree("our average precision and scikit-learn's",
      area, theirs.tolist(), within=1e-5)

# %% [markdown]
# ## Is it as sure as it should be?
#
# Tutorials print probabilities such as 99.998 % beside their answers. If a doctor's machine says "99 % benign", you
# want to know whether one in a hundred such cases is malign, or six.
#
# > **Predict before you run.** Among the answers that our network gives with more than 99 %, how many in a hundred are
# > wrong?

# %% tags=["answer"]
sure = confidence > 0.99
print(f"{sure.double().mean():.0%} of the answers have more than 99 %, "
      f"and {(~correct[sure]).double().mean():.1%} of those are wrong")

# %% tags=["answer", "claim"]
excess = confidence.mean() - correct.double().mean()
claim.measured("Its mean confidence lies {value:.1f} points above its "
               "accuracy.", 100 * excess, data=fashion, stated=stated)

# %% [markdown]
# More than 99 % promises fewer than one error in a hundred. This network does not keep that promise. A network is
# *calibrated* if, of the answers given with 80 %, eighty in a hundred are right, and so for every other number. To
# measure this, sort the answers into ten bins by their confidence. The gap of a bin is the distance between its mean
# confidence and its accuracy. The mean of the gaps, each weighted by the images in its bin, is the *expected
# calibration error*.

# %%
bins = (confidence * 10).ceil()  # 1 to 10
by_hand = 0.0
for k in bins.unique():
    here = bins == k
    gap = confidence[here].mean() - correct[here].double().mean()
    by_hand += here.double().mean() * gap.abs()
agree("our calibration error and `calibration_error`", by_hand,
      calibration_error(confidence, correct), within=1e-9)
print(f"expected calibration error: {by_hand:.1%}")

# %% [markdown]
# How would you make an over-confident person honest without teaching them anything new? You might ask them to tone
# everything down alike. That works here: divide all logits by one number, the *temperature*. Above 1, it brings the
# logits closer together, and every answer becomes less sure. The largest logit stays the largest, so no answer changes.
# We take the temperature with the lowest cross-entropy on the validation split.

# %%
temperatures = torch.arange(0.2, 5, 0.01)
by_temperature = torch.stack([F.cross_entropy(logits / t, truth)
                              for t in temperatures])
ours = temperatures[by_temperature.argmin()]
temperature = fit_temperature(logits, truth)
agree("our search and `fit_temperature`", ours, temperature, within=0.01)

# %% tags=["claim"]
claim.measured("The best temperature is {value:.2f}.",
               temperature, data=fashion, stated=stated)

# %% [markdown]
# A *reliability diagram* shows what the temperature does. Each dot is a bin, larger where it holds more answers. The
# line from the dot to the diagonal is its gap.

# %% mystnb={"image": {"alt": "Two reliability diagrams. As trained, most dots are below the diagonal: accuracy is lower than confidence. With the temperature they are close to the diagonal."}}
softened = (logits / temperature).softmax(1).amax(1)
plots.reliability({"as trained": (confidence, correct),
                   "softened": (softened, correct)},
                  title="Too sure, until one number mends it")

# %% [markdown]
# The panel on the right flatters a little, because the temperature was chosen on these same images. The test at the end
# will tell. How much of what is left is chance? A fair coin, thrown ten times, seldom shows exactly five heads, and so
# even a perfect forecaster does not reach 0. Let dice decide which answers are right, with exactly the stated
# confidence, a hundred times:

# %%
torch.manual_seed(SEED)
dice = [calibration_error(softened, torch.rand(len(softened)) < softened)
        for _ in range(100)]
for name, sureness in {"as trained": confidence,
                       "softened": softened}.items():
    print(f"{name:11} {calibration_error(sureness, correct):.1%}")
print(f"perfect     {mean(dice):.1%}, and at most {max(dice):.1%}")

# %% [markdown]
# So compare a calibration error with that of a perfect forecaster on as many images, and not with 0.
#
# ## The riddle of the growing loss
#
# Cross-entropy punishes an error by the confidence with which it was made. Suppose that late in the training the
# network's answers no longer change, and that it only becomes surer of each. The right answers then cost a little less.
# The wrong ones cost more and more, and the loss rises while the accuracy stays.
#
# > **Predict before you run.** If this is all that happens, what will the loss curve look like when each epoch's logits
# > are first divided by that epoch's own best temperature?

# %% tags=["answer"] mystnb={"image": {"alt": "Validation loss over fifteen epochs. As trained, it falls at first and rises later. Softened by each epoch's own temperature, it falls and then stays level."}}
softest = [F.cross_entropy(epoch / fit_temperature(epoch, truth), truth)
           for epoch in after_epoch.logits]
plots.curves(range(1, EPOCHS + 1),
             {"as trained": losses, "softened": softest},
             title="Take the confidence off, and the loss does not rise",
             xlabel="epoch", ylabel="validation loss")

# %% tags=["answer", "claim"]
each = F.cross_entropy(logits, truth, reduction="none")
claim.measured("The wrong answers alone make {value:.0%} of the validation "
               "loss.", each[~correct].sum() / each.sum(),
               data=fashion, stated=stated)

# %% [markdown]
# Once the confidence is taken out, the rise is gone. So the answers had not become worse. The network had become too
# sure of them, and of the wrong ones as well. It had a reason: nearly all training images are answered correctly by
# then, and there, more confidence always lowers the loss. If you use only the answers, a rising validation loss need
# not worry you. If you use the probabilities, it should.
#
# ## Look at the errors
#
# No table replaces looking. First twelve images at random. Above each are the answer with its
# confidence, and the label. A tick or a cross says whether the answer is right.

# %% mystnb={"image": {"alt": "Twelve random validation images, each with the answer and its probability; right ones in green with a tick, wrong ones in red with a cross."}}
generator = torch.Generator().manual_seed(SEED)
some = torch.randperm(len(truth), generator=generator)[:12]
names = fashion.classes
titles = [f"{names[answer[k]]} {confidence[k]:.0%}\nis {names[truth[k]]}"
          for k in some]
plots.images(fashion.valid.x[some], titles, correct=correct[some],
             columns=4)

# %% [markdown]
# Errors teach more, and the surest errors most. So we sort all images: the surest errors first, and after the errors
# the right answers, the least sure first.

# %%
order = torch.where(correct, -confidence, confidence)
order = order.argsort(descending=True)

# %% [markdown]
# When a network insists, who says that the label is right? Below each of the five surest errors (label → answer) we
# show the training image whose pixels are nearest, with its label.

# %% mystnb={"image": {"alt": "Two rows of five images: above, the five surest errors with label and answer; below each, the training image most like it, some with the network's answer as their label."}}
training_pixels = fashion.train.x.flatten(1).float()


def nearest_label(images):
    distances = torch.cdist(images.flatten(1).float(), training_pixels)
    return distances.argmin(1)


five = order[:5]
twins = nearest_label(fashion.valid.x[five])
above = [f"{names[truth[k]]}\n→ {names[answer[k]]}" for k in five]
below = [names[fashion.train.y[k]] for k in twins]
plots.images(torch.cat([fashion.valid.x[five], fashion.train.x[twins]]),
             above + below, columns=5,
             title="Nearly the same image, often another label")

# %% [markdown]
# Five images are an anecdote. Whose side does the nearest image take among the 300 surest errors, and among the 300
# surest right answers?

# %%
for group, some in {"surest errors": order[:300],
                    "surest right": order[-300:]}.items():
    nearest = fashion.train.y[nearest_label(fashion.valid.x[some])]
    with_label = (nearest == truth[some]).double().mean()
    with_answer = (nearest == answer[some]).double().mean()
    print(f"{group:13}: {with_label:.0%} of the nearest images have the "
          f"label, {with_answer:.0%} the network's answer")

# %% [markdown]
# Among the errors, the nearest image sides with the network at least as often as with the label. This does not prove
# those labels wrong, because a neighbour in pixels is misled by the same things as the network, such as a sneaker that
# is as high as a boot. But it shows that many of these images are *ambiguous*: nearly the same picture has one label
# here and another there. Northcutt and others had people check the test splits of ten well-known data sets, and they
# found wrong labels in each of them, MNIST included.
#
# ## One look at the test
#
# All choices are made, the temperature included. Now we look at the test split, once.

# %%
test = batches(fashion.test, 1_000, device=DEVICE)
test_logits = predict(model, test).cpu().double()
hits = test_logits.argmax(1) == fashion.test.y
low, high = wilson_interval(hits.sum().item(), len(hits))
print(f"95 % interval from {low:.2%} to {high:.2%}")

# %% tags=["claim"]
claim.measured("It recognises {value:.1%} of the test images.",
               hits.double().mean(), data=fashion, stated=stated)

# %% [markdown]
# And does the temperature help on images that it was not chosen on?

# %%
before, after = (
    calibration_error((test_logits / t).softmax(1).amax(1), hits)
    for t in (1, temperature))
print(f"calibration error {before:.1%} as trained, {after:.1%} softened")

# %% tags=["claim"]
claim.measured("The temperature takes {value:.1f} points off the "
               "calibration error of new images.",
               100 * (before - after), data=fashion, stated=stated)

# %% [markdown]
# One number, fitted on other images, has made the confidence honest, and no answer better.
#
# **On Monday.** When you report a network, print the dummy beside it, recall and precision for each class with the
# number of images behind them, and one interval. Add up the counts. Look at the twenty surest errors, and if anyone
# will act on the probabilities, fit a temperature first.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. A folded solution follows each exercise.
#
# ### Exercise 9.1 · With a pencil
#
# A network for three classes has the matrix `[[4, 6, 0], [0, 4, 1], [0, 2, 3]]`, truth in rows. Give
# `(precision, recall, F1)` of the middle class, to three decimal places.

# %%
middle = ...
check("9.1", middle)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.1
precision_solution = 4 / (6 + 4 + 2)  # its column
recall_solution = 4 / (0 + 4 + 1)  # its row
f1_solution = 2 / (1 / precision_solution + 1 / recall_solution)
middle_solution = (precision_solution, recall_solution, f1_solution)
assert check("9.1", middle_solution)

# %% [markdown]
# ### Exercise 9.2 · Four images
#
# A published page calls it the best check to look at four random images. Say that all four are right. Where does the
# 95 % Wilson interval begin? Where does it begin for 29 right of 34 airplanes? And how many images, all of them right,
# does it take until it begins at 0.95 or above? Give these three numbers; two decimal places will do.

# %%
four = ...
check("9.2", four)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.2
enough_solution = 1
while wilson_interval(enough_solution, enough_solution)[0] < 0.95:
    enough_solution += 1
four_solution = (wilson_interval(4, 4)[0], wilson_interval(29, 34)[0],
                 enough_solution)
assert check("9.2", four_solution)

# %% [markdown]
# ### Exercise 9.3 · Macro F1
#
# Write `macro_f1(counts)`: the mean of the classes' F1, from a tensor of counts with truth in rows. A class that was
# never right has an F1 of 0, even if it was never answered. (Of each class there is an image.)

# %%
def macro_f1(counts):
    ...


check("9.3", macro_f1)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.3
def macro_f1_solution(counts):
    # 2PR / (P + R), multiplied out: no division by zero is left
    f1 = 2 * counts.diag() / (counts.sum(0) + counts.sum(1))
    return f1.mean()


print(f"the published matrix: {macro_f1_solution(matrix):.3f}")
assert check("9.3", macro_f1_solution)

# %% [markdown]
# ### Exercise 9.4 · Mend the bug
#
# Write `per_class_accuracy(model, loader, classes)`: the accuracy of each class over *all* batches, a tensor of that
# many numbers. The model may come in training mode, and need not be given back in it.

# %%
def per_class_accuracy(model, loader, classes):
    ...


check("9.4", per_class_accuracy)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.4
@torch.inference_mode()
def per_class_accuracy_solution(model, loader, classes):
    model.eval()
    right, total = torch.zeros(2, classes)
    for x, y in loader:
        hit = model(x).argmax(1) == y
        right += y[hit].bincount(minlength=classes).cpu()
        total += y.bincount(minlength=classes).cpu()
    return right / total


assert check("9.4", per_class_accuracy_solution)

# %% [markdown]
# ### Exercise 9.5 · A slip that hides
#
# The tutorial computed its recall matrix as `matrix / matrix.sum(1)`. A vector is laid along each *row* of a matrix, so
# that *column* 3 is divided by the number of cats. Every class has 1,000 images there, and not one number is wrong.
# Write `shares(counts)` that returns two matrices, recall and precision, for classes of any number and size. Every
# class has an image, and was answered at least once.

# %%
def shares(counts):
    ...


check("9.5", shares)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.5
def shares_solution(counts):
    by_row = counts / counts.sum(1, keepdim=True)
    by_column = counts / counts.sum(0, keepdim=True)
    return by_row, by_column


assert check("9.5", shares_solution)

# %% [markdown]
# Take nine of ten cats out of the published test, and the slip shows, though not on the diagonal:

# %%
fewer = matrix.clone()
fewer[3] = (matrix[3] / 10).round()  # row 3: the cats
slipped = fewer / fewer.sum(1)
print(f"dogs called cats: {slipped[5, 3]:.0%}")
print(f"cats that are found: {slipped[3, 3]:.0%}")

# %% [markdown]
# ### Exercise 9.6 · Twelve unlucky images
#
# The tutorial shows twelve test images with its network's answers. Six are right, from a network that is right in 78
# of 100 cases. For this figure the images come straight from the file, with pixels from 0 to 1; the network had learnt
# from normalised ones. Write `probabilities_of(model, pictures, images)` for a figure: `pictures` are `uint8`,
# N×C×H×W, and `images` is the training split, whose `images.mean` and `images.std` (C numbers each, for pixels from 0
# to 1) the model has learnt with. Return N×M probabilities. The model may come in training mode, and need not be given
# back in it.

# %%
def probabilities_of(model, pictures, images):
    ...


check("9.6", probabilities_of)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.6
@torch.inference_mode()
def probabilities_of_solution(model, pictures, images):
    model.eval()
    mean = images.mean.view(-1, 1, 1)  # one for each channel
    std = images.std.view(-1, 1, 1)
    return model((pictures / 255 - mean) / std).softmax(1)


assert check("9.6", probabilities_of_solution)

# %% [markdown]
# Bad luck, or the bug? First the chance of six or fewer by luck, then the bug on our own network. No error is raised,
# and most answers are still right.

# %%
accuracy = (matrix.trace() / matrix.sum()).item()
shown, right = published["samples_shown"], published["samples_right"]
chance = sum(comb(shown, k) * accuracy**k * (1 - accuracy)**(shown - k)
             for k in range(right + 1))
pixels = (fashion.valid.x / 255).to(DEVICE)  # never normalised
raw = predict(model, [(pixels, truth.to(DEVICE))]).cpu().argmax(1)
fall = correct.double().mean() - (raw == truth).double().mean()

# %% tags=["claim"]
claim("The chance of six or fewer of twelve is {value:.1%}.",
      chance, equals=0.0314, within=0.0001)

# %% tags=["claim"]
claim.measured("Without normalisation, the accuracy of our network falls "
               "by {value:.0f} points.",
               100 * fall, data=fashion, stated=stated)

# %% [markdown]
# ### Exercise 9.7 · Answer only when sure
#
# A network may leave the images of which it is least sure to a person. Write `coverage(confidence, correct, target)`:
# the largest share of images that it can keep, the surest first, so that its accuracy on those is at least `target`.
# It is 0 if there is none. `confidence` and `correct` are tensors like ours, and no two images are equally sure.

# %%
def coverage(confidence, correct, target):
    ...


check("9.7", coverage)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.7
def coverage_solution(confidence, correct, target):
    kept = torch.arange(1, len(correct) + 1)
    surest_first = correct[confidence.argsort(descending=True)]
    accuracy = surest_first.cumsum(0) / kept
    return (kept * (accuracy >= target)).max().item() / len(correct)


kept_solution = coverage_solution(confidence, correct, 0.97)
print(f"ours can keep {kept_solution:.0%} and be right in 97 %")
assert check("9.7", coverage_solution)

# %% [markdown]
# ### An open question
#
# The warehouse loses 1 coin for each item that a person checks in vain, and 30 coins for each shirt that leaves in the
# wrong parcel. Which threshold would you set? Now suppose that the shirts are tumours. Who should set the two prices?
#
# ## What you can do now
#
# 1. Put a dummy beside every accuracy, and counts for each class, and check that the counts add up.
# 2. Say which question a measure answers: recall reads rows, precision reads columns and depends on how rare the class
#    is, F1 wants both, average precision looks at all thresholds.
# 3. Name the interval of a share, and of a difference.
# 4. Measure calibration, mend it with a temperature, and doubt a label.
#
# ## Further reading
#
# - C. Guo, G. Pleiss, Y. Sun, K. Weinberger, *On calibration of modern neural networks* (2017).
# - C. Northcutt, A. Athalye, J. Mueller, *Pervasive label errors in test sets destabilize machine learning benchmarks*
#   (2021).
