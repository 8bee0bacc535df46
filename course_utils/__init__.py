"""The small package that the lessons of Kernel by Kernel earn step by step.

Names are loaded when they are first used: importing `course_utils` alone costs next to nothing.
"""

from typing import Any

__version__ = "0.1.0"

_NAMES = {  # module -> those of its names that can be taken from the package itself
    "augment": ["Augment"],
    "checkpoint": ["Checkpoint", "EarlyStopping"],
    "claims": ["agree", "claim"],
    "data": ["as_dataset", "batches", "load"],
    "exercises": ["check"],
    "explorers": ["explore"],
    "metrics": ["calibration_error", "fit_temperature", "mean_and_spread", "wilson_interval"],
    "records": ["recorded", "recorded_runs"],
    "runtime": ["device", "setup"],
    "shapes": ["conv_output_size", "count_macs", "count_parameters", "receptive_field", "step_milliseconds"],
    "solved": ["progress"],
    "training": ["evaluate", "fit", "predict", "train_epoch"],
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = {*_NAMES, "convolution", "diagrams", "history", "inside", "networks", "plots", "search"}


def __getattr__(name: str) -> Any:  # a module or what one holds
    from importlib import import_module

    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"course_utils has no {name!r}; it has {', '.join(sorted(_HOME.keys() | _MODULES))}")


def __dir__() -> list[str]:
    return sorted(globals().keys() | _HOME.keys() | _MODULES)
