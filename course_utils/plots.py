"""Every figure style of the book, once. All functions draw and show a figure, and return None."""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.ticker import MaxNLocator, PercentFormatter

# Colours that stay apart for colour-blind readers (M. Okabe and K. Ito, Color universal design, 2008).
# The same colour is the same thing everywhere in the book.
COLOURS = {
    "train": "#0072B2",
    "valid": "#D55E00",
    "published": "#666666",
    "sigmoid": "#CC79A7",
    "sigmoid − ½": "#882255",
    "tanh": "#E69F00",
    "relu": "#56B4E9",
    "red": "#CC3311",
    "green": "#117733",
    "blue": "#0077BB",
    "frame": "#D55E00",
}
WIDTH = 6.4  # inches: the width of every figure, so that its letters keep their size on the page

plt.rcParams.update(
    {
        "figure.dpi": 130,
        "figure.facecolor": "white",
        "savefig.bbox": "tight",
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "image.cmap": "gray",
        "axes.prop_cycle": plt.cycler(color=["#332288", "#117733", "#AA4499", "#999933", "#44AA99"]),  # P. Tol, muted
    }
)


def _array(picture):
    """A picture as NumPy H×W or H×W×3, from a tensor or array of shape H×W, 1×H×W or 3×H×W."""
    array = np.asarray(picture.detach().cpu() if isinstance(picture, torch.Tensor) else picture)
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[-1] == 3):
        raise ValueError(f"A picture must be H×W, 1×H×W or 3×H×W; got shape {tuple(array.shape)}.")
    return array


def draw_picture(axes, picture, *, signed=False, numbers=False, limit=None):
    """Draw one picture on given axes, without ticks.

    Args:
        picture: H×W, 1×H×W or 3×H×W. Colour pictures are 0–255 or 0–1; grey ones go from 0, or a
            lower value, as black to their largest value as white.
        signed: blue for negative, white for 0, red for positive.
        numbers: write each value into its pixel.
        limit: with `signed`, the value of the strongest colour; else the value shown white. Default: the largest.
    """
    array = _array(picture)
    limit = limit or max(float(np.abs(array).max()), 1e-12)
    lowest = -limit if signed else min(0, array.min())
    axes.imshow(array, cmap="RdBu_r" if signed else "gray", vmin=lowest, vmax=limit)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#999999")
    if numbers:
        for (i, j), value in np.ndenumerate(array):
            dark = abs(value) > 0.6 * limit if signed else value < 0.5 * limit
            axes.text(
                j, i, f"{value + 0.0:.3g}", ha="center", va="center", color="white" if dark else "black", fontsize=10
            )


def show_figure(figure, title=None):
    """Show a figure of several panels, with what it finds written above all of them."""
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    plt.show()


def images(pictures, titles=None, *, columns=4, signed=False, numbers=False, shared=False, title=None):
    """A grid of pictures.

    Args:
        pictures: sequence of pictures (see `draw_picture`), or one tensor N×1×H×W or N×3×H×W.
        titles: one short text above each.
        columns: pictures in a row.
        signed, numbers: see `draw_picture`.
        shared: one grey scale (or colour scale, if signed) for all pictures instead of one for each.
        title: what the figure shows, one sentence.

    Raises:
        ValueError: no pictures, or a picture of another shape.
    """
    pictures = list(pictures)
    if not pictures:
        raise ValueError("There are no pictures to draw.")
    rows = math.ceil(len(pictures) / columns)
    shape = _array(pictures[0]).shape
    cell = WIDTH / columns
    height = rows * (cell * shape[0] / shape[1] + (0.32 if titles is not None else 0.05)) + (0.45 if title else 0.1)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
    limit = max(float(np.abs(_array(picture)).max()) for picture in pictures) if shared else None
    for axes in grid.flat[len(pictures) :]:
        axes.axis("off")
    for k, (axes, picture) in enumerate(zip(grid.flat, pictures, strict=False)):
        draw_picture(axes, picture, signed=signed, numbers=numbers, limit=limit)
        if titles is not None:
            axes.set_title(titles[k], fontsize=10, loc="center")
    show_figure(figure, title)


def curves(x, lines, *, title, xlabel, ylabel="", percent=False, columns=1):
    """Curves over a common axis, in one panel or several side by side.

    Args:
        x: the values along the axis.
        lines: {name: values}, or {panel title: {name: values}} for several panels. A name that is a key of
            `COLOURS` gets that colour; values shorter than x start at its beginning.
        percent: write values from 0 to 1 as percentages: in all panels (True), or in the panel of this title.
    """
    panels = lines if isinstance(next(iter(lines.values())), dict) else {"": lines}
    rows = math.ceil(len(panels) / columns)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 2.9 * rows), squeeze=False)
    for axes, (name, panel) in zip(grid.flat, panels.items(), strict=False):
        for label, values in panel.items():
            style = {"marker": "o", "linestyle": ":"} if label == "published" else {}
            axes.plot(x[: len(values)], values, label=label, color=COLOURS.get(label), linewidth=2, **style)
        axes.set_title(name, fontsize=11, loc="center")
        axes.set_xlabel(xlabel)
        if percent is True or percent == name != "":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        if all(float(value).is_integer() for value in x):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid[0, 0].set_ylabel(ylabel)
    grid[0, 0].legend()
    show_figure(figure, title)


def history(run, *, title):
    """Loss and accuracy of a training, epoch by epoch: training and validation split.

    Args:
        run: a `course_utils.training.History`.
    """
    x = [row.epoch for row in run]
    curves(
        x,
        {
            measure: {split: run.column(split, measure) for split in ("train", "valid")}
            for measure in ("loss", "accuracy")
        },
        title=title,
        xlabel="epoch",
        percent="accuracy",
        columns=2,
    )


def bars(groups, *, title, ylabel, log=False):
    """Groups of bars.

    Args:
        groups: {series: {category: value}}; every series has the same categories. A series that is a key of
            `COLOURS` gets that colour.
        log: logarithmic axis.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.1))
    categories = list(next(iter(groups.values())))
    width = 0.8 / len(groups)
    for k, (name, values) in enumerate(groups.items()):
        x = np.arange(len(categories)) + (k - (len(groups) - 1) / 2) * width
        axes.bar(x, [values[category] for category in categories], width, label=name, color=COLOURS.get(name))
    axes.set_xticks(range(len(categories)), categories)
    axes.set(ylabel=ylabel, title=title, yscale="log" if log else "linear")
    axes.grid(axis="x", visible=False)
    axes.legend(ncols=len(groups), loc="upper left", bbox_to_anchor=(0, -0.12))
    plt.show()


def confusion(matrix, classes, *, title):
    """A confusion matrix as a heat-map: rows are the true classes, columns the answers.

    Off the diagonal the colours are scaled to the largest confusion, so that a few errors among many right answers
    still show.

    Args:
        matrix: classes × classes, counts.
        classes: their names.
    """
    import seaborn

    matrix = np.asarray(matrix)
    errors = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.78 * WIDTH))
    seaborn.heatmap(
        errors,
        annot=matrix,
        fmt="d",
        cmap="Oranges",
        cbar=False,
        square=True,
        linewidths=0.5,
        linecolor="#dddddd",
        xticklabels=classes,
        yticklabels=classes,
        annot_kws={"fontsize": 10},
        ax=axes,
    )
    axes.set(xlabel="answer", ylabel="truth", title=title)
    axes.tick_params(length=0)
    axes.grid(False)
    plt.show()


def distribution(groups, *, title, xlabel, shared=False):
    """How values are spread: one histogram in outline for each group.

    Args:
        groups: {name: values}.
        shared: the same bins for all groups, so that heights can be compared; otherwise 40 for each.
    """
    import seaborn

    figure, axes = plt.subplots(figsize=(WIDTH, 2.9))
    bins = np.histogram_bin_edges(np.concatenate(list(groups.values())), 40) if shared else 40
    for name, values in groups.items():
        seaborn.histplot(
            x=np.asarray(values),
            bins=bins,
            element="step",
            fill=False,
            linewidth=2,
            label=name,
            color=COLOURS.get(name),
            ax=axes,
        )
    axes.set(xlabel=xlabel, ylabel="count", title=title)
    axes.legend()
    plt.show()
