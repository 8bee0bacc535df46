"""Run one returned notebook and judge its answers: `tools.mark` starts this in a process of its own, for each notebook.

Reads a job from standard input, as JSON: cells with the answers to judge after each, limits, where to write verdicts.
All of this runs beside a student's code, which is foreign code. So the job is read, the checkers are loaded, and what
judges is remembered before the first cell runs; it is put back before each answer is judged.
"""

import builtins
import importlib
import inspect
import json
import math
import os
import re
import resource
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


class TooSlow(BaseException):
    """A cell was running for too long. No `Exception`, which students' code catches."""


def limit(memory: int, file_size: int) -> None:
    """No process from now on gets more memory, in bytes, or writes a larger file."""
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, file_size), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # where the limit is lower already
            resource.setrlimit(kind, (most, most))


class Judges:
    """What judges an answer, as it was before the student's code ran. The notebook's own `check` is always content: so
    it takes no time, and only ours counts tries."""

    def __init__(self, lesson: str) -> None:
        import torch

        self.exercises: Any
        self.exercises = importlib.import_module("course_utils.exercises")
        importlib.import_module(f"course_utils.checks.l{lesson[:2]}")
        self.check, verdict = self.exercises.check, self.exercises.Verdict
        self.exercises.check = lambda *given, **named: verdict("right", "It is judged later.")

        ours = [module for name, module in sys.modules.items() if name.partition(".")[0] == "course_utils"]
        judging = [module for module in ours if re.search(r"\.(exercises|checks)\b", module.__name__)]
        self.modules: list[tuple[Any, dict]] = [(module, dict(vars(module))) for module in judging]
        for module in (*ours, builtins, math, torch, torch.nn.functional):
            self.modules.append((module, {key: value for key, value in vars(module).items() if callable(value)}))
        parts: list[Any] = [value for module in ours for value in vars(module).values()]
        functions = [part for part in parts if inspect.isfunction(part)]
        self.functions = [(f, (f.__code__, f.__defaults__, f.__kwdefaults__)) for f in functions]
        classes = [part for part in parts if isinstance(part, type) and part.__module__.startswith("course_utils")]
        self.classes = [(each, dict(vars(each))) for each in (*classes, torch.Tensor, torch.nn.Module)]
        self.checkers = dict(self.exercises._checkers)

    def put_back(self) -> None:
        """Undo what a student's code may have done to what judges."""
        for module, names in self.modules:
            vars(module).update(names)
        for function, made_of in self.functions:
            function.__code__, function.__defaults__, function.__kwdefaults__ = made_of
        for each, attributes in self.classes:
            for name, value in dict(vars(each)).items():
                if name not in attributes and getattr(value, "__module__", "__main__") == "__main__":
                    delattr(each, name)
            for name, value in attributes.items():
                if vars(each).get(name) is not value:
                    setattr(each, name, value)
        self.exercises._checkers.clear()
        self.exercises._checkers.update(self.checkers)

    def judge(self, exercise: str, answer: object) -> tuple[str, str]:
        """The verdict's status and message."""
        self.put_back()
        verdict = self.check(exercise, answer)
        return verdict.status, verdict.message


def too_slow(*_: object) -> None:
    raise TooSlow


def limit_time(seconds: float) -> None:
    """Raise TooSlow after so many seconds, and then every second, for code that catches everything. 0 for no limit."""
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0 if seconds else 0)


def run(job: dict) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    verdicts = os.fdopen(job["verdicts"], "w", buffering=1, encoding="utf-8")
    os.set_inheritable(job["verdicts"], False)
    limit(job["memory"], job["file_size"])
    secret, files = job.pop("secret"), job.pop("files")
    if files:
        with suppress(OSError):  # of what can't be copied, such as a link to nowhere, the rest
            shutil.copytree(files, ".", dirs_exist_ok=True, ignore_dangling_symlinks=True)
    sys.path.insert(0, os.environ["PYTHONPATH"])  # the course; Python itself was told to look at no variable
    sys.path.append(str(Path.cwd()))
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.colors = "NoColor"
    judges = Judges(job["lesson"])
    signal.signal(signal.SIGALRM, too_slow)

    def tell(**said: object) -> None:
        verdicts.write(json.dumps({"secret": secret, **said}) + "\n")

    tell(started=True)
    right: set[str] = set()
    for cell in job["cells"]:
        error = ran(shell, cell["source"], job["cell_seconds"])
        shell.user_ns.update(cell["mock"])
        for exercise, expression in cell["answers"]:
            if cell["late"] and exercise in right:
                continue
            limit_time(job["cell_seconds"])
            try:
                if isinstance(error, TooSlow):
                    raise error
                status, message = answer_judged(judges, shell.user_ns, exercise, expression, error)
            except TooSlow:
                status, message = "stopped", f"still running after {job['cell_seconds']} s"
            finally:
                limit_time(0)
            right |= {exercise} if status == "right" else set()
            tell(exercise=exercise, status=status, message=message, late=cell["late"])
    tell(ended=True)


def ran(shell: Any, source: str, seconds: float) -> BaseException | None:
    """Run a cell, and return what it raised."""
    try:
        limit_time(seconds)
        result = shell.run_cell(source, store_history=True)  # whatever the cell raises, it comes back
        return result.error_before_exec or result.error_in_exec
    except TooSlow as late:  # so late that not even its traceback was shown in time
        return late
    finally:
        limit_time(0)


def answer_judged(
    judges: Judges, names: dict, exercise: str, expression: str, error: BaseException | None
) -> tuple[str, str]:
    """The verdict on the answer that an expression of the student's gives; `error` is what its cell raised."""
    try:
        answer = eval(expression, names)
    except Exception as missing:
        return "wrong", f"there is no answer: {type(error or missing).__name__}: {error or missing}"
    return judges.judge(exercise, answer)


if __name__ == "__main__":
    job = json.load(sys.stdin)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - nobody answers a student's input()
    run(job)
