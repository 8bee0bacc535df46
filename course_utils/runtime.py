"""Where a lesson runs: its needs, its device, the files it used, and one line that says so."""

import ast
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

from . import __version__
from ._arguments import kind, one_of

PACKAGE = Path(__file__).parent
_resources = set()


def setup(lesson: str) -> None:
    """Make everything ready that one lesson needs, and print one line that says what it runs on.

    Installs what `needs/LESSON.toml` names and this environment lacks (never torch or torchvision), and starts the
    numbering of the lesson's claims.

    Args:
        lesson: the lesson's file name without its ending, such as `"06_lenet"`.

    Raises:
        TypeError, ValueError: there is no such lesson.
        RuntimeError: a needed package could not be installed; the message holds the command to try.
    """
    one_of("lesson", lesson, sorted(file.stem for file in (PACKAGE / "needs").glob("*.toml")))
    needs = tomllib.loads(resource(f"needs/{lesson}.toml").read_text(encoding="utf-8"))
    _install(missing(needs["packages"]))

    from . import claims, sources

    claims.begin(lesson)
    copies = "".join(f" · {name}: {sources.describe(name)}" for name in needs["data"])
    print(f"course_utils {__version__} ({origin()}) · {machine()}{copies}")
    if needs.get("gpu_helps") and device() == "cpu" and "google.colab" in sys.modules:
        print("Colab lends a GPU: Runtime → Change runtime type → T4 GPU, then run the lesson again.")


def missing(requirements: list[str]) -> list[str]:
    """Those of `requirements` (such as `"seaborn>=0.13"`) that are not installed, or not in the asked version.

    Raises:
        TypeError, ValueError: requirements is no list, or holds what is no requirement.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    def satisfied(requirement):
        try:
            return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
        except importlib.metadata.PackageNotFoundError:
            return False

    kind("requirements", requirements, list, "a list of lines such as 'seaborn>=0.13'")
    try:
        wanted = [Requirement(text) for text in requirements]
    except (InvalidRequirement, TypeError) as problem:
        expected = "requirements must hold lines such as 'seaborn>=0.13'"
        raise ValueError(f"{expected}; got {requirements!r} ({problem}).") from None
    return [text for text, requirement in zip(requirements, wanted, strict=True) if not satisfied(requirement)]


def _install(requirements):
    if not requirements:
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", *requirements]
    print("Installing", ", ".join(requirements))
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"This lesson needs {', '.join(requirements)}, and installing failed. "
            f"Where there is a network, run: {' '.join(command[1:])}\n{done.stderr.strip()[-500:]}"
        )


def origin() -> str:
    """Where this package came from: `"clone"`, `"archive"` (fetched by a lesson's first cell) or `"installed"`."""
    if not (PACKAGE.parent / "pyproject.toml").exists():
        return "installed"
    fetched = Path(os.environ.get("COURSE_HOME", Path.home() / ".cache" / "kernel-by-kernel")).resolve()
    return "archive" if fetched in PACKAGE.resolve().parents else "clone"


def device() -> str:
    """The fastest kind of device here: `"cuda"`, `"mps"` (Apple) or `"cpu"`."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def machine() -> str:
    """One line about what computes here: the torch version, the device, and on a CPU the number of threads."""
    import torch

    threads = torch.get_num_threads()
    name = {"cpu": f"CPU, {threads} thread{'s' * (threads > 1)}", "mps": "Apple GPU"}.get(device())
    return f"torch {torch.__version__.split('+')[0]} on {name or torch.cuda.get_device_name()}"


def resource(path: str) -> Path:
    """A data file of this package, by its path inside it, such as `"results/NAME.json"`.

    Raises:
        FileNotFoundError: the package holds no such file; the message lists its neighbours.
        TypeError: path is no string.
    """
    file = PACKAGE / kind("path", path, str, "a path inside the package, such as 'results/NAME.json'")
    if not file.is_file():
        others = sorted(other.name for other in file.parent.glob("*") if other.is_file())
        raise FileNotFoundError(f"course_utils has no {path!r}. In that folder: {', '.join(others) or 'nothing'}.")
    _resources.add(path)
    return file


def recorded(name: str) -> dict:
    """A result that was recorded by `python -m experiments.NAME`: configuration, seeds, histories, machine, date.

    Files called `published_…` hold what others have printed instead, and name their source.

    Raises:
        FileNotFoundError: nothing of that name was recorded.
        TypeError: name is no string.
    """
    kind("name", name, str, "the name of an experiment")
    return json.loads(resource(f"results/{name}.json").read_text(encoding="utf-8"))


def recorded_runs(name: str) -> list[dict]:
    """The runs of `python -m experiments.NAME`, oldest first; prints when and on what machines, or that none was run.

    Returns:
        The runs, each a dict; an empty list where the experiment has not been run.

    Raises:
        TypeError: name is no string.
    """
    path = f"results/{kind('name', name, str, 'the name of an experiment')}.json"
    _resources.add(path)  # also where there is none yet: the lesson depends on it
    if not (PACKAGE / path).is_file():
        print(f"Not run yet. In a clone of the course, this records it: python -m experiments.{name}")
        return []
    result = recorded(name)
    runs = result["runs"]
    dates, machines = (dict.fromkeys(run[key] for run in runs) for key in ("date", "machine"))  # each once, in order
    print(f"Recorded on {' and '.join(dates)} by python -m experiments.{name}: {result['data']}; {'; '.join(machines)}")
    return runs


def fingerprint_module(file: Path) -> str:
    """SHA-256 of a Python file's code; comments, docstrings and layout do not count.

    Raises:
        TypeError, OSError: file is no path, or can't be read.
    """
    tree = ast.parse(Path(kind("file", file, str | Path, "the path of a Python file")).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _sha256(file):
    """Of a file's bytes; None where there is no file."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def used() -> dict:
    """What this process has used so far: modules and files of this package, data, versions, device.

    The book keeps this record beside each executed lesson and runs the lesson again when any of it has changed.
    """
    modules = {
        name: fingerprint_module(module.__file__)
        for name, module in sorted(sys.modules.items())
        if name.startswith("course_utils.") and Path(module.__file__).name != "__init__.py"
    }
    owners = importlib.metadata.packages_distributions()
    loaded = {owner for name in list(sys.modules) if "." not in name for owner in owners.get(name, ())}
    record = {
        "modules": modules,
        "resources": {path: _sha256(PACKAGE / path) for path in sorted(_resources)},
        "distributions": {name: importlib.metadata.version(name) for name in sorted(loaded)},
        "python": platform.python_version(),
        "course_data": os.environ.get("COURSE_DATA", "auto"),
        "data": dict(sys.modules["course_utils.sources"].loaded) if "course_utils.sources" in sys.modules else {},
    }
    if "torch" in sys.modules:
        import torch

        record |= {
            "torch": torch.__version__,
            "device": device(),
            "threads": torch.get_num_threads(),
            "machine": machine(),
        }
    return record
