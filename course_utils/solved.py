"""How far you have come: `progress()` shows which exercises you have solved."""

import numpy as np
from matplotlib.patches import Rectangle

from . import _tries
from ._figure import COLOURS, make_panels, show_figure
from ._files import PACKAGE
from .exercises import SIGNS, steps


def progress() -> None:
    """Show which exercises of the course you have solved: a row for each lesson, a box for each of its exercises.

    A full box with ✓ is solved, one with ✗ was tried. What you solve is kept in a file of yours, which the environment
    variable `COURSE_PROGRESS` can name; nothing leaves your machine.

    Example:
        >>> progress()
    """
    tries, exercises = _tries.tried(), list(steps())
    names = {int(file.stem[:2]): file.stem[3:].replace("_", " ") for file in (PACKAGE / "needs").glob("[0-9]*.toml")}
    numbers = {exercise: [int(part) for part in exercise.split(".")] for exercise in exercises}
    figure, [[axes]] = make_panels(1, 1, 0.27 * len(names))
    for exercise, (lesson, number) in numbers.items():
        status = tries.get(exercise, "unattempted")
        sign, colour = SIGNS[status] if exercise in tries else ("", COLOURS["line"])
        full, place = status == "right", (number - 0.44, lesson - 0.4)
        axes.add_patch(Rectangle(place, 0.88, 0.8, facecolor=colour if full else "none", edgecolor=colour))
        style = {"ha": "center", "va": "center_baseline", "color": "white" if full else colour}
        axes.text(number, lesson, sign, **style)
    most = max(number for _, number in numbers.values())
    axes.set(xlim=(0.4, most + 0.6), ylim=(max(names) + 0.6, 0.4), xticks=np.arange(1, most + 1))
    axes.set_yticks(sorted(names), [f"{names[lesson]}  {lesson}" for lesson in sorted(names)])
    axes.set_xlabel("exercise")
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set(visible=False)
    axes.grid(False)
    solved = sum(tries.get(exercise) == "right" for exercise in exercises)
    show_figure(figure, f"You have solved {solved} of {len(exercises)} exercises")
