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
# **Read** 30 min · **Run** 35 s on two CPU cores · **Before this** lesson 6
#
# ## What you will be able to do
#
# 1. Count a confusion matrix, and read its rows (recall) and its columns (precision).
# 2. Compute precision, recall, F1 and average precision by hand, and get scikit-learn's numbers.
# 3. Find three bugs that published evaluations hold, by numbers that do not fit.
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

import torch
import torch.nn.functional as F
from sklearn.metrics import (average_precision_score, classification_report, confusion_matrix,
                             precision_recall_fscore_support)
from torch import nn

from course_utils import (batches, calibration_error, check, claim, device, fit,
                          fit_temperature, load, plots, predict, recorded, wilson_interval)
from course_utils.networks import lenet

# %% [markdown]
# These numbers are yours to change. With a GPU, take all 55,000 images.

# %% nbmake={"mock": {"IMAGES": 1000, "EPOCHS": 5}}
SEED = 0
IMAGES, EPOCHS = 10_000, 15  # to learn from

# %% [markdown]
# ## One network, asked once
#
# Fashion-MNIST has the format of MNIST, but its ten classes are things to wear or carry: T-shirt, trouser, pullover,
# dress, coat, sandal, shirt, sneaker, bag and ankle boot. The LeNet of lesson 6, with max pooling, sees 10,000 of the
# images fifteen times. The learning rate rises and falls as it did there. This is one run with one seed: what follows
# is true of this network, and another seed would move every number a little.

# %%
fashion = load("fashion_mnist")
DEVICE = device()
train = batches(fashion.train.take(IMAGES), 64, shuffle=True, device=DEVICE)
valid = batches(fashion.valid, 1_000, device=DEVICE)
torch.manual_seed(SEED)
model = lenet(pool=nn.MaxPool2d).to(DEVICE)
optimizer = torch.optim.Adam(model.parameters())
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=0.006, total_steps=EPOCHS * len(train))
run = fit(model, train, valid, optimizer, epochs=EPOCHS,
          scheduler=scheduler, scheduler_step="batch")

# %% [markdown]
# It has learnt many of its images by heart: the training accuracy is far above the validation accuracy. And there is
# a riddle. Towards the end the validation loss grows, while the validation accuracy does not fall. How can both be
# true?

# %%
stated = (IMAGES, EPOCHS) == (10_000, 15)  # the size that the sentences below speak of
losses = run.column("valid", "loss")
claim.measured("From its lowest value to the last epoch, the validation loss grows by {value:.0%}.",
               losses[-1] / min(losses) - 1, data=fashion, stated=stated)

# %% [markdown]
# The last validation accuracy is the one number that the rest of this lesson takes apart.
#
# Now we ask about each validation image. Nearly all that follows is computed from these answers. (A published notebook
# asks about all images in one batch, and warns that memory may run out. Batches give the same answers with less.)

# %%
logits = predict(model, valid).cpu()  # N×10
at_once = predict(model, batches(fashion.valid, len(fashion.valid), device=DEVICE)).cpu()
difference = (logits - at_once).abs().max() / logits.abs().max()
claim("In batches or all at once, the logits differ by {value:.1g} of the largest.",
      difference, at_most=0.01)
claim.data("All at once, the first feature maps alone take {value:.0f} MB.",
           len(logits) * 6 * 28 * 28 * 4 / 1e6, data=fashion, equals=94, within=0.5)

# %% [markdown]
# From the logits come the probabilities, the *answer* (the class with the largest) and the *confidence* (how large it
# is).

# %%
truth = fashion.valid.y
probabilities = logits.double().softmax(1)
confidence, answer = probabilities.max(1)
correct = answer == truth

# %% [markdown]
# ## Count
#
# There are a hundred pairs of truth and answer. Number them `10 * truth + answer`, and count how often each occurs:
# that is the whole confusion matrix. Rows are the truth, columns the answers. (`plots.confusion` colours the errors,
# with `seaborn.heatmap`.)
#
# > **Predict before you run.** Which of the ten classes gives the network most trouble?

# %% mystnb={"image": {"alt": "Confusion matrix of ten kinds of clothes. Most of the 500 images of each class stand on the diagonal. Shirts are the exception: many are taken for T-shirts, pullovers, coats or dresses. Shoes are mixed up with shoes only."}}
counts = torch.bincount(10 * truth + answer, minlength=100).view(10, 10)
plots.confusion(counts, fashion.classes, title="Shirts are taken for other tops")

# %% [markdown]
# Shirts: their row and their column hold the darkest cells. But before you believe a matrix, see that it adds up.

# %%
share = counts.trace().item() / counts.sum().item()
claim("The rows add up to the number of images in each class: {value}.",
      torch.equal(counts.sum(1), truth.bincount()), equals=True)
claim("Diagonal over total is the accuracy that `fit` has printed: {value}.",
      share == run[-1].valid.accuracy, equals=True)
claim("Every cell is scikit-learn's: {value}.",
      (counts.numpy() == confusion_matrix(truth, answer)).all(), equals=True)

# %% [markdown]
# ## By row, and by column
#
# Two people ask about shirts. The first owns shirts: *how many of them are found?* Divide each row by its sum; the
# diagonal is the **recall**. The second reads the answer "shirt": *can I believe it?* Divide each column by its sum;
# the diagonal is the **precision**. Both figures are in per cent. First the rows, each of which is 100 % in all.

# %% mystnb={"image": {"alt": "Recall matrix in per cent, each row adding up to 100. Nearly all trousers, sandals and bags are found, but only about three quarters of the shirts."}}
recall_matrix = counts / counts.sum(1, keepdim=True)
plots.confusion(recall_matrix, fashion.classes, title="By row: lost shirts turn into T-shirts")

# %% [markdown]
# The second reader needs the same counts, divided by the other sums. Now each column is 100 % in all.

# %% mystnb={"image": {"alt": "Precision matrix in per cent, each column adding up to 100. Nearly all answers trouser are right, but fewer than three quarters of the answers shirt."}}
precision_matrix = counts / counts.sum(0, keepdim=True)
plots.confusion(precision_matrix, fashion.classes,
                title="By column: trust “shirt” least")

# %% [markdown]
# Either of the two is easily made perfect. Call everything a shirt, and the recall of shirts is 1. Name only the one
# surest shirt, and the precision is. **F1** is their *harmonic* mean, 2PR / (P + R) of precision P and recall R. It
# stays small if one of them is small.

# %%
def scores(counts):
    precision = counts.diag() / counts.sum(0)
    recall = counts.diag() / counts.sum(1)
    return precision, recall, 2 * precision * recall / (precision + recall)


reference = precision_recall_fscore_support(truth, answer)[:3]
difference = max((ours - torch.tensor(theirs)).abs().max()
                 for ours, theirs in zip(scores(counts), reference, strict=True))
claim("Precision, recall and F1 by hand differ from scikit-learn's by {value:.1g}.",
      difference, at_most=1e-6)

# %% [markdown]
# Now that you know what stands in it, let scikit-learn print the table. *Support* is the number of images. The *macro
# average* is the plain mean over the classes; in the *weighted* one, a class counts by its support. (From 73 % to 74 %
# is one *point*.)

# %%
print(classification_report(truth, answer, target_names=fashion.classes, digits=3))
recall = scores(counts)[1]
claim.measured("Between the class found best and the one found worst, recall differs by {value:.0f} points.",
               100 * (recall.max() - recall.min()), data=fashion, stated=stated)

# %% [markdown]
# So one accuracy hides ten numbers, and they lie far apart.
#
# ## A published matrix
#
# A tutorial on CIFAR-10, ten classes of small colour photographs, printed this matrix of its 10,000 test images. We
# need not train its network to check what it says.

# %% mystnb={"image": {"alt": "The published confusion matrix of CIFAR-10. The strongest colours: 176 dogs called cats, 113 cats called dogs, 100 cats called birds."}}
published = recorded("published_cifar10_confusion")
matrix, classes = torch.tensor(published["matrix"]), published["classes"]
print(published["source"])
plots.confusion(matrix, classes, title="Cats and dogs are hard, and so are birds")

# %% [markdown]
# > **Predict before you run.** The tutorial calls dogs and cats its worst classes, and says that an earlier network had
# > failed on birds and cats. Which two are worst here?

# %%
def worst_two(values):
    return " and ".join(classes[k] for k in values.argsort()[:2].tolist())


precision, recall, f1 = scores(matrix)
accuracy = (matrix.trace() / matrix.sum()).item()
for row in zip(classes, recall, precision, f1, strict=True):
    print("{:11} recall {:.1%}   precision {:.1%}   F1 {:.1%}".format(*row))
claim("By its matrix the accuracy is {value:.2%}.", accuracy, equals=0.7785, within=1e-6)
claim("The mean recall is {value:.2%} as well: all classes are equally large.",
      recall.mean(), equals=accuracy, within=1e-6)
claim("By recall the worst two are {value}.", worst_two(recall), equals="cat and dog")
claim("By precision they are {value}.", worst_two(precision), equals="cat and bird")
claim("By F1 they are {value}.", worst_two(f1), equals="cat and bird")

# %% [markdown]
# Dogs and cats, or birds and cats: "worst" means nothing without the name of a measure. What of the claim that cats
# and dogs are mixed up most? Add both directions.

# %%
both = (matrix + matrix.T).triu(1)  # above the diagonal: each pair once
row, column = divmod(both.argmax().item(), len(classes))
claim("The pair mixed up most is {value}.", f"{classes[row]} and {classes[column]}", equals="cat and dog")
claim("It is mixed up {value} times.", both.max(), equals=289)

# %% [markdown]
# ## Three numbers that do not fit
#
# Each of the following went unnoticed, because the number that came out looked fine. We rewrote the code in our own
# words and kept the bug.
#
# **One.** The same tutorial prints an accuracy for each class. "Right among the airplanes" *is* the recall of
# airplanes. Compare.

# %%
for name, printed, found in zip(classes, published["per_class_accuracy"], recall, strict=True):
    print(f"{name:11} printed {printed:.1%}   by its matrix {found:.1%}")

# %% [markdown]
# Ten classes, ten contradictions. It was counted like this. We let it judge our own network.
#
# > **Find the bug.** Each line is right by itself. What is it that gets counted?

# %%
@torch.inference_mode()
def last_wins(model, loader):
    for x, y in loader:
        answer, truth = model(x).argmax(1), y
    right = truth[answer == truth].bincount(minlength=10)
    return (right / truth.bincount(minlength=10)).cpu()


in_512 = batches(fashion.valid, published["batch_size"], device=DEVICE)
off = (last_wins(model, in_512) - scores(counts)[1]).abs().max()
claim.measured("For one of our classes this is wrong by {value:.0f} points.",
               100 * off, data=fashion, stated=stated)

# %% [markdown]
# The counting stands behind the loop instead of inside it. So it sees the last batch only. How many images is that? A
# rounded percentage betrays it: 85.3 % must be a fraction.

# %%
last_batch = 10_000 % published["batch_size"]
claim("In batches of 512, the last of 10,000 images holds {value}.", last_batch, equals=272)
fractions = [f"{k} of {n}" for n in range(1, 60) for k in range(n) if round(k / n, 3) == 0.853]
claim("With fewer than 60 airplanes, 85.3 % can only be {value}.", ", ".join(fractions), equals="29 of 34")

# %% [markdown]
# A tenth of 272 would be 27 airplanes, so 34 is nothing strange. The 1,000 of the whole test are out of reach. To add
# up the supports, and hold the sum against the number of images, would have shown it.
#
# **Two.** The tutorial's recall matrix is computed as `matrix / matrix.sum(1)`.
#
# > **Find the bug.** Compare with our own line. A vector is laid along each *row* of a matrix: what is divided by what?
# > And how much does it change here?

# %%
slip = (matrix / matrix.sum(1) - matrix / matrix.sum(1, keepdim=True)).abs().max()
claim("On the published matrix the slip changes no share by more than {value:g}.", slip, equals=0)

# %% [markdown]
# Nothing. Without `keepdim=True`, *column* 3 is divided by the number of cats, instead of row 3; but that is 1,000, as
# for every class. Now take nine of ten cats out of the test.

# %%
fewer = matrix.clone()
fewer[3] = (matrix[3] / 10).round()
wrong = fewer / fewer.sum(1)
print("sums of the rows:", [round(total, 2) for total in wrong.sum(1).tolist()])
claim("Now {value:.0%} of the dogs are called cats.", wrong[5, 3], equals=1.80, within=0.005)
claim("And the diagonal is still right: {value}.",
      torch.equal(wrong.diag(), scores(fewer)[1]), equals=True)

# %% [markdown]
# Whoever checks only the diagonal sees nothing. The rows of a recall matrix must add up to 1.
#
# **Three.** The tutorial shows twelve test images with the network's answers.
#
# > **Predict before you run.** Six of the twelve are right. How likely is that, or fewer, for a network that is right
# > in 78 of 100 cases?

# %%
shown, right = published["samples_shown"], published["samples_right"]
chance = sum(comb(shown, k) * accuracy**k * (1 - accuracy) ** (shown - k)
             for k in range(right + 1))  # k are right: there are comb(shown, k) ways to choose which
claim("The chance is {value:.1%}.", chance, equals=0.0314, within=0.0001)

# %% [markdown]
# Bad luck, or a bug? In its code the images for the figure come straight from the file, with pixels from 0 to 1. The
# network had learnt from normalised ones. We do the same to ours.

# %%
pixels = (fashion.valid.x / 255).to(DEVICE)  # never normalised
raw = predict(model, [(pixels, truth.to(DEVICE))]).cpu().argmax(1)
lost = correct.double().mean() - (raw == truth).double().mean()
claim.measured("Without normalisation, the accuracy of our network falls by {value:.0f} points.",
               100 * lost, data=fashion, stated=stated)

# %% [markdown]
# No error is raised, and most answers are still right: that is what makes it dangerous. The cure is one function that
# prepares images, for training, test and figures alike. Ours is `batches`.
#
# And a fourth, in passing: the same tutorial also printed an accuracy.

# %%
print(f"printed {published['accuracy']:.1%}, by the matrix {accuracy:.2%}: one network, the same images")

# %% [markdown]
# Its dropout, a layer that zeroes random numbers while a network learns, stays on even after `model.eval()` (lesson 8
# says why). So every pass gives other answers.
#
# ## How far can you trust it?
#
# Behind each share stand so many images, and no more. The Wilson interval of lesson 6 says what they allow.

# %%
for name, hits, support in zip(fashion.classes, counts.diag().tolist(), counts.sum(1).tolist(), strict=True):
    low, high = wilson_interval(hits, support)
    print(f"{name:12} recall between {low:.1%} and {high:.1%}")
cat, dog = (wilson_interval(matrix[k, k].item(), 1_000) for k in (3, 5))
print(f"published: cat between {cat[0]:.1%} and {cat[1]:.1%}, dog between {dog[0]:.1%} and {dog[1]:.1%}")
claim("The published intervals of cat and dog overlap by {value:.1f} points.",
      100 * (cat[1] - dog[0]), equals=4.2, within=0.05)

# %% [markdown]
# That is most of either. So even 1,000 images of each do not settle which of the two is harder. (A small overlap would
# not mean that: both ends are seldom reached at once.) With 34 airplanes, next to nothing is settled: exercise 9.2.
#
# ## Every threshold at once
#
# So far the class with the largest probability won. A shop that looks for the shirts in its stock may choose
# otherwise: take each image whose probability of "shirt" is above some threshold. A low one finds more (recall) and
# errs more (precision). To see all thresholds, sort the images by that probability and walk down. At the *k*-th real
# shirt of *n*, recall is *k / n*, and precision is *k* divided by the images passed.

# %%
def precision_at_hits(score, positive):
    hits = positive[score.argsort(descending=True)]
    passed = hits.nonzero().flatten() + 1
    return torch.arange(1, len(passed) + 1) / passed


lines = {name: precision_at_hits(probabilities[:, k], truth == k)
         for k, name in enumerate(fashion.classes)}

# %% [markdown]
# This is the *precision-recall curve*. (TensorBoard calls it `pr_curve`; a published page translates that as
# "prediction and accuracy".) Its mean height is the *average precision*; it stands beside each name.

# %% mystnb={"image": {"alt": "Precision against recall for three classes. Trousers stay at 100 per cent until nearly all are found. Pullovers fall only towards the end. Shirts fall early and steadily, to less than half."}}
area = torch.stack([line.mean() for line in lines.values()])
reference = average_precision_score(F.one_hot(truth), probabilities, average=None)
claim("Average precision by hand differs from scikit-learn's by {value:.1g}.",
      (area - torch.tensor(reference)).abs().max(), at_most=1e-5)
found = torch.arange(1, len(lines["Shirt"]) + 1) / len(lines["Shirt"])
three = {f"{name}: {lines[name].mean():.1%}": lines[name] for name in ("Trouser", "Pullover", "Shirt")}
plots.curves(found, three, percent=True, xlabel="recall", ylabel="precision",
             title="The last shirts cost the most precision")

# %% [markdown]
# ## Is it as sure as it should be?
#
# Tutorials print probabilities such as 99.998 % beside their answers.
#
# > **Predict before you run.** Among the answers that our network gives with more than 99 %, how many of 100 are
# > wrong?

# %%
sure = confidence > 0.99
print(f"{sure.double().mean():.0%} of the answers are given with more than 99 %;")
print(f"{(~correct[sure]).double().mean():.1%} of those are wrong")
excess = confidence.mean() - correct.double().mean()
claim.measured("Its mean confidence lies {value:.1f} points above its accuracy.",
               100 * excess, data=fashion, stated=stated)

# %% [markdown]
# More than 99 % promises fewer than one error in a hundred. A network is *calibrated* if, of the answers given with
# 80 %, eighty in a hundred are right, and so for each number. To measure that, sort the answers into ten bins by their
# confidence. In each bin, the gap is the distance between mean confidence and accuracy. The mean of the gaps, each bin
# counted by its images, is the *expected calibration error*.

# %%
bins = (confidence * 10).ceil()  # 1 to 10
expected_error = 0.0
for k in bins.unique():
    here = bins == k
    gap = (confidence[here].mean() - correct[here].double().mean()).abs()
    expected_error += here.double().mean() * gap
print(f"expected calibration error: {expected_error:.1%}")
claim("`calibration_error` does the same, to {value:.1g}.",
      abs(expected_error - calibration_error(confidence, correct)), at_most=1e-9)

# %% [markdown]
# If every bin is too sure, this is just confidence less accuracy, as above. What can be done without training again?
# Divide all logits by one number, the *temperature*. Above 1 it makes every answer less sure. We take the one with the
# lowest cross-entropy on the validation split.

# %%
temperatures = torch.arange(0.2, 5, 0.01)
by_temperature = torch.stack([F.cross_entropy(logits / t, truth) for t in temperatures])
best = temperatures[by_temperature.argmin()]
temperature = fit_temperature(logits, truth)
claim.measured("The best temperature is {value:.2f}.", temperature, data=fashion, stated=stated)
claim.data("`fit_temperature` and our search differ by {value:.3f}.",
           (best - temperature).abs(), data=fashion, at_most=0.01)
claim("It changes {value} answers.", ((logits / temperature).argmax(1) != answer).sum(), equals=0)

# %% [markdown]
# No answer changes, since all ten logits are divided alike. Only the confidence does. In a *reliability diagram* each
# dot is a bin, and larger where it holds more answers. The line from it to the diagonal is its gap.

# %% mystnb={"image": {"alt": "Two reliability diagrams. As trained, most dots lie below the diagonal: accuracy is lower than confidence. With the temperature they lie close to the diagonal."}}
cooler = (logits.double() / temperature).softmax(1).amax(1)
before, after = (calibration_error(sureness, correct) for sureness in (confidence, cooler))
print(f"calibration error: {before:.1%} as trained, {after:.1%} with the temperature")
plots.reliability({"as trained": (confidence, correct), "with temperature": (cooler, correct)},
                  title="Too sure, until one number mends it")

# %% [markdown]
# The right-hand panel flatters: the temperature was chosen on these same images. The test at the end will tell. And
# how much of what is left is chance? Even a perfect forecaster does not show 0. Let the dice decide which answers are
# right, with exactly the stated confidence:

# %%
torch.manual_seed(SEED)
by_dice = torch.rand(len(cooler)) < cooler
print(f"calibration error of a perfect forecaster: {calibration_error(cooler, by_dice):.1%}")

# %% [markdown]
# Compare a calibration error with this one, not with 0.
#
# Now the riddle of the growing loss. Cross-entropy punishes an error by the confidence with which it was made. If
# nothing but confidence made the loss grow, the temperature should take that off again.

# %%
cooled = F.cross_entropy(logits / temperature, truth)
print(f"validation loss: lowest {min(losses):.3f}, at the end {losses[-1]:.3f}, with the temperature {cooled:.3f}")
each = F.cross_entropy(logits, truth, reduction="none")
claim.measured("The wrong answers alone make {value:.0%} of the validation loss.",
               each[~correct].sum() / each.sum(), data=fashion, stated=stated)

# %% [markdown]
# It does, and goes below the lowest. So the answers had not become worse. The network had become too sure of them, of
# the wrong ones too. Accuracy does not notice. The loss does.
#
# ## Look at the errors
#
# First twelve images at random. Above each stand the answer with its confidence, then the label. (A published page
# calls four images random that are the last batch of its *training*: they say nothing of new ones.) A tick or a cross
# says right or wrong, so that the colour is not needed.

# %% mystnb={"image": {"alt": "Twelve random validation images, each with the answer and its probability; right ones in green with a tick, wrong ones in red with a cross."}}
generator = torch.Generator().manual_seed(SEED)
some = torch.randperm(len(truth), generator=generator)[:12]
names = fashion.classes
titles = [f"{names[answer[k]]} {confidence[k]:.0%}\nis {names[truth[k]]}" for k in some]
plots.images(fashion.valid.x[some], titles, correct=correct[some], columns=4)

# %% [markdown]
# Random images show what is usual. Errors teach more. Sort all images: the surest errors first, and behind the errors
# the right answers, the least sure first.

# %%
order = torch.where(correct, -confidence, confidence).argsort(descending=True)
errors = order[:(~correct).sum()]
claim("Errors and diagonal together are all images: {value}.",
      len(errors) + counts.trace() == len(truth), equals=True)
claim("The tutorial of lesson 6, with 98.78 % of 10,000 images, must list {value} errors. It does.",
      round(10_000 * (1 - 0.9878)), equals=122)

# %% [markdown]
# But who says that the label is right? For each error we look for the training image whose pixels are nearest. Above:
# the five surest errors, with label → answer. Below each: the nearest training image, with its label.

# %% mystnb={"image": {"alt": "Two rows of five images: above, the five surest errors with label and answer; below each, the training image most like it, some with the network's answer as their label."}}
def nearest_in_training(images):
    return torch.cdist(images.flatten(1).float(), fashion.train.x.flatten(1).float()).argmin(1)


five = order[:5]
twins = nearest_in_training(fashion.valid.x[five])
above = [f"{names[truth[k]]}\n→ {names[answer[k]]}" for k in five]
below = [names[fashion.train.y[k]] for k in twins]
plots.images(torch.cat([fashion.valid.x[five], fashion.train.x[twins]]), above + below,
             columns=5, title="Nearly the same image, often another label")

# %% [markdown]
# Does the nearest image side with the label, or with the network? Ask about the 300 surest errors, and to compare,
# about the 300 surest right answers.

# %%
wrong_ones, right_ones = order[:300], order[-300:]
by_wrong, by_right = (fashion.train.y[nearest_in_training(fashion.valid.x[some])]
                      for some in (wrong_ones, right_ones))
print(f"network right: {(by_right == truth[right_ones]).double().mean():.0%} of the nearest have the label")
print(f"network wrong: {(by_wrong == truth[wrong_ones]).double().mean():.0%} of the nearest have the label")
claim.measured("For {value:.0%} of these errors, the nearest training image bears the network's answer.",
               (by_wrong == answer[wrong_ones]).double().mean(), data=fashion, stated=stated)

# %% [markdown]
# Among these errors the nearest image sides with the network at least as often as with the label. Many are no
# blunders: images that are nearly the same bear different labels. Northcutt and others had people check the test
# splits of ten well-known data sets, and found wrong labels in each, MNIST included. So a network that reaches 100 %
# there has learnt the mistakes as well. (The opposite danger is an image that stands in both splits: lesson 5 looks
# for those.)
#
# ## One look at the test
#
# All choices are made, the temperature too. Now the test split, once.

# %%
test_logits = predict(model, batches(fashion.test, 1_000, device=DEVICE)).cpu().double()
hits = test_logits.argmax(1) == fashion.test.y
low, high = wilson_interval(hits.sum().item(), len(hits))
print(f"95 % interval from {low:.2%} to {high:.2%}")
claim.measured("It recognises {value:.1%} of the test images.", hits.double().mean(), data=fashion, stated=stated)

# %%
before, after = (calibration_error((test_logits / t).softmax(1).amax(1), hits) for t in (1, temperature))
print(f"calibration error: {before:.1%} as trained, {after:.1%} with the temperature")
claim.measured("The temperature takes {value:.1f} points off the calibration error of new images.",
               100 * (before - after), data=fashion, stated=stated)

# %% [markdown]
# One number, fitted on other images, has made the confidence honest. It has not made the network better.
#
# ## Exercises
#
# Replace the dots, run the cell, and read what it answers. The solution follows each exercise, folded away.
#
# ### Exercise 9.1 · With a pencil
#
# A network for three classes has the matrix `[[4, 6, 0], [0, 4, 1], [0, 2, 3]]`, truth in rows. Give
# `(precision, recall, F1)` of the middle class, to three places.

# %%
middle = ...
check("9.1", middle)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.1
precision_solution, recall_solution = 4 / (6 + 4 + 2), 4 / (0 + 4 + 1)  # its column, its row
f1_solution = 2 * precision_solution * recall_solution / (precision_solution + recall_solution)
middle_solution = (precision_solution, recall_solution, f1_solution)
assert check("9.1", middle_solution)

# %% [markdown]
# ### Exercise 9.2 · Four images
#
# A published page calls it the best check to look at four random images. Say that all four are right. Where does the
# 95 % Wilson interval begin? Where does it begin for 29 right of 34 airplanes? And how many images, all of them right,
# does it take until it begins at 0.95 or above? Give these three numbers; two places will do.

# %%
four = ...
check("9.2", four)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.2
enough_solution = 1
while wilson_interval(enough_solution, enough_solution)[0] < 0.95:
    enough_solution += 1
four_solution = (wilson_interval(4, 4)[0], wilson_interval(29, 34)[0], enough_solution)
print(f"29 of 34: {wilson_interval(29, 34)[0]:.2f} to {wilson_interval(29, 34)[1]:.2f}")
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
    return (2 * counts.diag() / (counts.sum(0) + counts.sum(1))).mean()  # 2PR / (P + R), multiplied out


print(f"the published matrix: {macro_f1_solution(matrix):.3f}")
assert check("9.3", macro_f1_solution)

# %% [markdown]
# ### Exercise 9.4 · Mend the first bug
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
        right += y[model(x).argmax(1) == y].bincount(minlength=classes).cpu()
        total += y.bincount(minlength=classes).cpu()
    return right / total


assert check("9.4", per_class_accuracy_solution)

# %% [markdown]
# ### Exercise 9.5 · Mend the second bug
#
# Write `shares(counts)` that returns two matrices, recall and precision, for any number of classes of any size. (Each
# class has an image, and was answered at least once.)

# %%
def shares(counts):
    ...


check("9.5", shares)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.5
def shares_solution(counts):
    return counts / counts.sum(1, keepdim=True), counts / counts.sum(0, keepdim=True)


assert check("9.5", shares_solution)

# %% [markdown]
# ### Exercise 9.6 · Mend the third bug
#
# Write `probabilities_of(model, pictures, images)` for a figure: `pictures` are `uint8`, N×C×H×W; `images` is the
# training split, whose `images.mean` and `images.std` (C numbers each, for pixels from 0 to 1) the model has learnt
# with. Return N×M probabilities. The model may come in training mode, and need not be given back in it.

# %%
def probabilities_of(model, pictures, images):
    ...


check("9.6", probabilities_of)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.6
@torch.inference_mode()
def probabilities_of_solution(model, pictures, images):
    model.eval()
    mean, std = images.mean.view(-1, 1, 1), images.std.view(-1, 1, 1)  # one for each channel
    return model((pictures / 255 - mean) / std).softmax(1)


assert check("9.6", probabilities_of_solution)

# %% [markdown]
# ### Exercise 9.7 · Answer only when sure
#
# A network may pass the images of which it is least sure to a person. Write `coverage(confidence, correct, target)`:
# the largest share of images that it can keep, the surest first, so that its accuracy on those is at least `target`.
# (0 if there is none.) `confidence` and `correct` are tensors like ours; no two images are equally sure.

# %%
def coverage(confidence, correct, target):
    ...


check("9.7", coverage)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution 9.7
def coverage_solution(confidence, correct, target):
    kept = torch.arange(1, len(correct) + 1)
    accuracy = correct[confidence.argsort(descending=True)].cumsum(0) / kept
    return (kept * (accuracy >= target)).max().item() / len(correct)


print(f"ours can keep {coverage_solution(confidence, correct, 0.97):.0%} and be right in 97 %")
assert check("9.7", coverage_solution)

# %% [markdown]
# ## What you can do now
#
# 1. Count a confusion matrix with one `bincount`, and check it by three sums.
# 2. Say which question a measure answers: recall reads rows, precision columns, F1 wants both, average precision looks
#    at all thresholds. scikit-learn computes them.
# 3. Find the batch that overwrote the others, the sum along the wrong axis, the image that was not normalised.
# 4. Name the number of images behind each share, and its interval.
# 5. Measure calibration on images that were not learnt from, and mend it with a temperature.
# 6. Sort errors by confidence, and ask whether the label is right.
#
# ## Further reading
#
# - C. Guo, G. Pleiss, Y. Sun, K. Weinberger, *On calibration of modern neural networks* (2017): larger networks are
#   too sure, and one temperature mends most of it.
# - C. Northcutt, A. Athalye, J. Mueller, *Pervasive label errors in test sets destabilize machine learning benchmarks*
#   (2021).
# - B. Barz and J. Denzler, *Do we train on test data?* (2019): near-duplicates in CIFAR.
# - T. Saito and M. Rehmsmeier, *The precision-recall plot is more informative than the ROC plot* (2015): when classes
#   are of different size.
