"""Every figure style of the book, once. All functions draw and show a figure, and return None."""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ._arguments import kind, one_of, shown, whole
from ._figure import COLOURS, WIDTH, draw_picture, groups_of, numbers_of, picture_of, show_figure


def images(pictures, titles=None, *, columns=4, signed=False, numbers=False, shared=False, correct=None, title=None):
    """A grid of pictures.

    Args:
        pictures: sequence of pictures (see `draw_picture`), or one tensor N×1×H×W or N×3×H×W.
        titles: one short text above each.
        columns: pictures in a row.
        signed, numbers: see `draw_picture`.
        shared: one grey scale (or colour scale, if signed) for all pictures instead of one for each.
        correct: one truth value for each title: green with a tick in front, or red with a cross.
        title: what the figure shows, one sentence.

    Raises:
        TypeError, ValueError: no pictures, a picture of another shape; another number of titles or truth values.
    """
    columns = whole("columns", columns, least=1)
    sequence = list | tuple | np.ndarray | torch.Tensor
    kind("pictures", pictures, sequence, "a sequence of pictures")
    if getattr(pictures, "ndim", 1) == 0 or len(pictures) == 0:
        raise ValueError(f"pictures must hold at least one picture; got {shown(pictures)}.")
    for name, values in (("titles", titles), ("correct", correct)):
        if values is not None and len(kind(name, values, sequence, "one for each picture")) != len(pictures):
            raise ValueError(f"{name} must hold one for each of {len(pictures)} pictures; got {len(values)}.")
    rows = math.ceil(len(pictures) / columns)
    shape = picture_of(pictures[0]).shape
    cell = WIDTH / columns
    above = 0.05 if titles is None else 0.14 + 0.18 * max(1 + str(text).count("\n") for text in titles)
    height = rows * (cell * shape[0] / shape[1] + above) + (0.1 if title is None else 0.45)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
    limit = max(float(np.abs(picture_of(picture)).max()) for picture in pictures) if shared else None
    for axes in grid.flat[len(pictures) :]:
        axes.axis("off")
    for k, (axes, picture) in enumerate(zip(grid.flat, pictures, strict=False)):
        draw_picture(axes, picture, signed=signed, numbers=numbers, limit=limit)
        if titles is not None:
            mark, colour = {None: ("", "black"), True: ("✓ ", COLOURS["right"]), False: ("✗ ", COLOURS["wrong"])}[
                None if correct is None else bool(correct[k])
            ]
            axes.set_title(mark + titles[k], fontsize=10, loc="center", color=colour)
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
    x, columns = numbers_of("x", x), whole("columns", columns, least=1)
    one_of("log", log, ("", "x", "y", "xy"))
    panels = lines if isinstance(next(iter(groups_of("lines", lines).values())), dict) else {"": lines}
    rows = math.ceil(len(panels) / columns)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 2.9 * rows), squeeze=False)
    for axes, (name, panel) in zip(grid.flat, panels.items(), strict=False):
        for label, values in groups_of("lines", panel).items():
            if len(numbers_of(f"lines[{label!r}]", values)) > len(x):
                raise ValueError(f"lines[{label!r}] must hold at most {len(x)} values, as x does; got {len(values)}.")
            style = {"marker": "." if len(values) < 10 else ""}  # few: where does each one lie?
            if label == "published":
                style = {"marker": "o", "linestyle": ":"}
            axes.plot(x[: len(values)], values, label=label, color=COLOURS.get(label), linewidth=2, **style)
        axes.set(xlabel=xlabel, xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
        axes.set_title(name, fontsize=11, loc="center")
        if percent is True or percent == name != "":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        if "x" not in log and all(float(value).is_integer() for value in x):
            axes.xaxis.set_major_locator(MaxNLocator(10 // columns, steps=[1, 2, 5, 10], integer=True))
    grid[0, 0].set_ylabel(ylabel)
    if len(grid[0, 0].lines) > 3:
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower left", ncols=5, columnspacing=1)
    else:
        grid[0, 0].legend()
    show_figure(figure, title)


def history(run, *, title):
    """Loss and accuracy of a training, epoch by epoch: training and validation split.

    Args:
        run: a `course_utils.history.History` with at least one row.

    Raises:
        TypeError, ValueError: run is no history, or an empty one.
    """
    from .history import History

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


def bars(groups, *, title, ylabel, log=False, spread=None, horizontal=False):
    """Groups of bars.

    Args:
        groups: {series: {category: value}}; every series has the same categories. A series that is a key of
            `COLOURS` gets that colour.
        log: logarithmic axis.
        spread: as groups, the length of a line up and down from the end of each bar, such as a standard deviation.
        horizontal: one row for each category, the first on top: for many of them, or long names.

    Raises:
        TypeError, ValueError: groups is no such dict, or its series, or those of spread, differ in their categories.
    """
    for name, values in groups_of("groups", groups).items():
        numbers_of(f"groups[{name!r}]", list(groups_of(f"groups[{name!r}]", values).values()))
    categories = list(next(iter(groups.values())))
    lengths = groups if spread is None else {name: spread.get(name, {}) for name in groups}
    for given, series in (("groups", groups), ("spread", lengths)):
        if strange := [name for name, values in series.items() if set(values) != set(categories)]:
            raise ValueError(f"{given} must share the categories {categories}; got others in {strange[0]!r}.")
    figure, axes = plt.subplots(figsize=(WIDTH, 0.8 + 0.3 * len(categories) if horizontal else 3.1))
    width = 0.8 / len(groups)
    draw, across, along = (axes.barh, "y", "x") if horizontal else (axes.bar, "x", "y")
    for k, (name, values) in enumerate(groups.items()):
        places = np.arange(len(categories)) + (k - (len(groups) - 1) / 2) * width
        lines = None if spread is None else [spread[name][category] for category in categories]
        draw(
            places,
            [values[category] for category in categories],
            width,
            label=name,
            color=COLOURS.get(name),
            error_kw={"ecolor": "#333333", "capsize": 2},
            **{f"{along}err": lines},
        )
    if horizontal:
        axes.invert_yaxis()
    axes.set(
        **{
            f"{across}ticks": range(len(categories)),
            f"{across}ticklabels": categories,
            "title": title,
            f"{along}label": ylabel,
            f"{along}scale": "log" if log else "linear",
        }
    )
    axes.grid(axis=across, visible=False)
    if len(groups) > 1 or not horizontal:
        axes.legend(ncols=len(groups), loc="upper left", bbox_to_anchor=(0, -0.12))
    plt.show()


def confusion(matrix, classes, *, title):
    """A confusion matrix as a heat-map: rows are the true classes, columns the answers.

    Off the diagonal the colours are scaled to the largest confusion, so that a few errors among many right answers
    still show.

    Args:
        matrix: classes × classes. Whole numbers are counts; others are shares from 0 to 1, such as recall or
            precision, and are written in per cent, those below one half left out.
        classes: their names.

    Raises:
        TypeError, ValueError: a matrix that is not square or holds no numbers, or not one name for each row.
    """
    import seaborn

    matrix = numbers_of("matrix", matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"matrix must be square, classes × classes; got shape {matrix.shape}.")
    if len(kind("classes", classes, list | tuple, "a list of names")) != len(matrix):
        raise ValueError(f"classes must hold one name for each of {len(matrix)} rows; got {len(classes)}.")
    written = matrix.astype(str)
    if not np.issubdtype(matrix.dtype, np.integer):
        percent = np.round(100 * matrix).astype(int)
        written = np.where(percent == 0, "", percent.astype(str))
    errors = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.78 * WIDTH))
    style = {"cmap": "Oranges", "cbar": False, "square": True, "linewidths": 0.5, "linecolor": "#dddddd"}
    seaborn.heatmap(
        errors,
        annot=written,
        fmt="",
        annot_kws={"fontsize": 10},
        ax=axes,
        **style,
        xticklabels=classes,
        yticklabels=classes,
    )
    axes.set(xlabel="answer", ylabel="truth", title=title)
    axes.tick_params(length=0)
    axes.grid(False)
    plt.show()


def reliability(answers, *, bins=10, title):
    """Reliability diagrams side by side: how often the answers of each confidence are right.

    Dots on the diagonal are well calibrated; the area of a dot grows with the number of answers in its bin.

    Args:
        answers: {panel title: (confidence, correct)}, as for `metrics.reliability`.
        bins: equal parts of the range from 0 to 1.

    Raises:
        TypeError, ValueError: answers is no such dict, or holds what `metrics.reliability` refuses.
    """
    from .metrics import reliability as bins_of  # the other figures have no use for it

    for name, pair in groups_of("answers", answers).items():
        if len(kind(f"answers[{name!r}]", pair, tuple | list, "a pair (confidence, correct)")) != 2:
            raise ValueError(f"answers[{name!r}] must be a pair (confidence, correct); got {shown(pair)}.")
    panels = {name: bins_of(*pair, bins=bins) for name, pair in answers.items()}
    figure, grid = plt.subplots(1, len(panels), figsize=(WIDTH, 3.3), squeeze=False, sharey=True)
    for axes, (name, rows) in zip(grid[0], panels.items(), strict=True):
        stated, reached, shares = ([getattr(row, key) for row in rows] for key in ("confidence", "accuracy", "share"))
        axes.plot([0, 1], [0, 1], linestyle="--", color=COLOURS["published"])
        axes.vlines(stated, stated, reached, color=COLOURS["wrong"], linewidth=2)
        axes.scatter(
            stated, reached, s=[20 + 400 * share for share in shares], color=COLOURS["valid"], zorder=3, clip_on=False
        )
        axes.set_title(name, fontsize=11, loc="center")
        axes.set(xlabel="confidence", xlim=(0, 1.04), ylim=(0, 1.04), aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
    grid[0, 0].set_ylabel("accuracy")
    show_figure(figure, title)


def distribution(groups, *, title, xlabel):
    """How values are spread: one histogram in outline for each group, all with the same bins.

    Args:
        groups: {name: values}.

    Raises:
        TypeError, ValueError: groups is no such dict, or values are no numbers.
    """
    import seaborn

    groups = groups_of("groups", groups)
    groups = {name: numbers_of(f"groups[{name!r}]", values).ravel() for name, values in groups.items()}
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
