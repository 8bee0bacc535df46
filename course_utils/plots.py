"""Every figure style of the book, once. All functions draw and show a figure, and return None."""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ._arguments import kind, number, one_of, shown, whole

# Colours that stay apart for colour-blind readers (M. Okabe and K. Ito, Color universal design, 2008).
# The same colour is the same thing everywhere in the book.
COLOURS = {
    "train": "#0072B2",
    "valid": "#D55E00",
    "held out": "#D55E00",
    "published": "#666666",
    "sigmoid": "#CC79A7",
    "sigmoid − ½": "#882255",
    "tanh": "#E69F00",
    "relu": "#56B4E9",
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


def _numbers(name, values):
    """values as an array of numbers, with at least one axis. Raises: TypeError."""
    try:
        array = np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
    except ValueError:  # rows of different lengths
        array = None
    if array is None or array.dtype.kind not in "fiub" or array.ndim == 0:
        raise TypeError(f"{name} must hold numbers, along an axis or more; got {shown(values)}.")
    return array


def _groups(name, groups):
    """groups, a dict with something in it. Raises: TypeError, ValueError."""
    kind(name, groups, dict, "a dict, such as {name: values}")
    if not groups:
        raise ValueError(f"{name} must hold at least one entry, {{name: values}}; got an empty dict.")
    return groups


def _array(picture):
    """A picture as NumPy H×W or H×W×3, from a tensor or array of shape H×W, 1×H×W or 3×H×W."""
    array = _numbers("pictures", picture)
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.size == 0 or array.ndim != 2 and not (array.ndim == 3 and array.shape[-1] == 3):
        raise ValueError(f"Each of the pictures must be H×W, 1×H×W or 3×H×W; got shape {tuple(np.shape(picture))}.")
    return array


def draw_picture(axes, picture, *, signed=False, numbers=False, limit=None):
    """Draw one picture on given axes, without ticks.

    Args:
        picture: H×W, 1×H×W or 3×H×W. Colour pictures are 0–255 or 0–1; grey ones go from 0, or a
            lower value, as black to their largest value as white.
        signed: blue for negative, white for 0, red for positive.
        numbers: write each value into its pixel, to four digits.
        limit: with `signed`, the value of the strongest colour; else the value shown white. Default: the largest.

    Raises:
        TypeError, ValueError: the picture holds no numbers, or has another shape.
    """
    array = _array(picture)
    limit = max(float(np.abs(array).max()), 1e-12) if limit is None else number("limit", limit)
    if limit <= 0:
        raise ValueError(f"limit must be above 0, the value of the strongest colour; got {limit}.")
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
                j, i, f"{value + 0.0:.4g}", ha="center", va="center", color="white" if dark else "black", fontsize=10
            )


def show_figure(figure, title=None):
    """Show a figure of several panels, with what it finds written above all of them."""
    if title is not None:
        kind("title", title, str, "a sentence")
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
        TypeError, ValueError: no pictures, a picture of another shape, or not one title for each.
    """
    columns = whole("columns", columns, least=1)
    kind("pictures", pictures, list | tuple | np.ndarray | torch.Tensor, "a sequence of pictures")
    if getattr(pictures, "ndim", 1) == 0 or len(pictures) == 0:
        raise ValueError(f"pictures must hold at least one picture; got {shown(pictures)}.")
    if titles is not None and len(kind("titles", titles, list | tuple, "a list of texts")) != len(pictures):
        raise ValueError(f"titles must hold one text for each of {len(pictures)} pictures; got {len(titles)}.")
    rows = math.ceil(len(pictures) / columns)
    shape = _array(pictures[0]).shape
    cell = WIDTH / columns
    above, top = 0.05 if titles is None else 0.32, 0.1 if title is None else 0.45
    height = rows * (cell * shape[0] / shape[1] + above) + top
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
    limit = max(float(np.abs(_array(picture)).max()) for picture in pictures) if shared else None
    for axes in grid.flat[len(pictures) :]:
        axes.axis("off")
    for k, (axes, picture) in enumerate(zip(grid.flat, pictures, strict=False)):
        draw_picture(axes, picture, signed=signed, numbers=numbers, limit=limit)
        if titles is not None:
            axes.set_title(titles[k], fontsize=10, loc="center")
    show_figure(figure, title)


def curves(x, lines, *, title, xlabel, ylabel="", percent=False, log="", columns=1):
    """Curves over a common axis, in one panel or several side by side.

    Args:
        x: the values along the axis.
        lines: {name: values}, or {panel title: {name: values}} for several panels. A name that is a key of
            `COLOURS` gets that colour; values shorter than x start at its beginning.
        percent: write values from 0 to 1 as percentages: in all panels (True), or in the panel of this title.
        columns: panels in a row.
        log: which axes are logarithmic: "", "x", "y" or "xy".

    Raises:
        TypeError, ValueError: no line, values that are no numbers, or more of them than x has.
    """
    x, columns = _numbers("x", x), whole("columns", columns, least=1)
    one_of("log", log, ("", "x", "y", "xy"))
    panels = lines if isinstance(next(iter(_groups("lines", lines).values())), dict) else {"": lines}
    rows = math.ceil(len(panels) / columns)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 2.9 * rows), squeeze=False)
    for axes, (name, panel) in zip(grid.flat, panels.items(), strict=False):
        for label, values in _groups("lines", panel).items():
            if len(_numbers(f"lines[{label!r}]", values)) > len(x):
                raise ValueError(f"lines[{label!r}] must hold at most {len(x)} values, as x does; got {len(values)}.")
            style = {"marker": "o", "linestyle": ":"} if label == "published" else {}
            axes.plot(x[: len(values)], values, label=label, color=COLOURS.get(label), linewidth=2, **style)
        axes.set(xlabel=xlabel, xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
        axes.set_title(name, fontsize=11, loc="center")
        if percent is True or percent == name != "":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        if "x" not in log and all(float(value).is_integer() for value in x):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid[0, 0].set_ylabel(ylabel)
    if len(grid[0, 0].lines) > 3:
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower left", ncols=5, columnspacing=1)
    else:
        grid[0, 0].legend()
    show_figure(figure, title)


def history(run, *, title):
    """Loss and accuracy of a training, epoch by epoch: training and validation split.

    Args:
        run: a `course_utils.training.History` with at least one row.

    Raises:
        TypeError, ValueError: run is no history, or an empty one.
    """
    from .training import History

    if not kind("run", run, History, "a History, as fit returns it"):
        raise ValueError("run must hold at least one epoch; got an empty history.")
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

    Raises:
        TypeError, ValueError: groups is no such dict, or its series differ in their categories.
    """
    for name, values in _groups("groups", groups).items():
        _numbers(f"groups[{name!r}]", list(_groups(f"groups[{name!r}]", values).values()))
    categories = list(next(iter(groups.values())))
    if strange := [name for name, values in groups.items() if set(values) != set(categories)]:
        raise ValueError(f"groups must share the categories {categories}; got others in {strange[0]!r}.")
    figure, axes = plt.subplots(figsize=(WIDTH, 3.1))
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

    Raises:
        TypeError, ValueError: a matrix that is not square or holds no whole numbers, or not one name for each row.
    """
    import seaborn

    matrix = _numbers("matrix", matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size or matrix.dtype.kind not in "iu":
        raise ValueError(f"matrix must be square and hold counts; got {matrix.dtype} of shape {matrix.shape}.")
    if len(kind("classes", classes, list | tuple, "a list of names")) != len(matrix):
        raise ValueError(f"classes must hold one name for each of {len(matrix)} rows; got {len(classes)}.")
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


def distribution(groups, *, title, xlabel):
    """How values are spread: one histogram in outline for each group, all with the same bins.

    Args:
        groups: {name: values}.

    Raises:
        TypeError, ValueError: groups is no such dict, or values are no numbers.
    """
    import seaborn

    groups = {name: _numbers(f"groups[{name!r}]", values) for name, values in _groups("groups", groups).items()}

    figure, axes = plt.subplots(figsize=(WIDTH, 2.9))
    bins = np.histogram_bin_edges(np.concatenate(list(groups.values())), bins=60)
    for name, values in groups.items():
        seaborn.histplot(
            x=values,
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
