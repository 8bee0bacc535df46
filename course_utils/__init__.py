"""The small package that the lessons of Kernel by Kernel earn step by step.

Names are loaded when they are first used: importing `course_utils` alone costs next to nothing.
"""

__version__ = "0.1.0"

_HOME = {  # public name -> the module that holds it
    "Augment": "augment",
    "Checkpoint": "checkpoint",
    "EarlyStopping": "checkpoint",
    "as_dataset": "data",
    "batches": "data",
    "calibration_error": "metrics",
    "check": "exercises",
    "claim": "claims",
    "conv_output_size": "shapes",
    "count_macs": "shapes",
    "count_parameters": "shapes",
    "device": "runtime",
    "evaluate": "training",
    "fit": "training",
    "fit_temperature": "metrics",
    "load": "data",
    "predict": "training",
    "receptive_field": "shapes",
    "recorded": "records",
    "recorded_runs": "records",
    "setup": "runtime",
    "train_epoch": "training",
    "wilson_interval": "metrics",
}
_MODULES = {
    "augment",
    "checkpoint",
    "claims",
    "convolution",
    "data",
    "diagrams",
    "exercises",
    "history",
    "metrics",
    "networks",
    "plots",
    "pooling",
    "records",
    "runtime",
    "search",
    "shapes",
    "training",
}


def __getattr__(name):
    from importlib import import_module

    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"course_utils has no {name!r}; it has {', '.join(sorted(_HOME.keys() | _MODULES))}")


def __dir__():
    return sorted(globals().keys() | _HOME.keys() | _MODULES)
