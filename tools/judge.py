"""Run one returned notebook and judge its answers: `tools.mark` starts this in a process of its own, for each notebook.

Reads a job from standard input, as JSON: cells with the answers to judge after each, limits, where to write verdicts.
All of this runs beside a student's code, which is foreign code. So the job is read, the checkers are loaded, and what
judges is remembered before the first cell runs; it is put back before each answer is judged.
"""

import builtins
import importlib
import json
import math
import os
import resource
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path


class TooSlow(BaseException):
    """A cell was running for too long. No `Exception`, which students' code catches."""


def limit(memory: int, file_size: int) -> None:
    """No process from now on gets more memory, in bytes, or writes a larger file."""
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, file_size), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # where the limit is lower already
            resource.setrlimit(kind, (most, most))


class Judges:
    """What judges an answer, as it was before the student's code ran."""

    def __init__(self, lesson: str) -> None:
        self.exercises = importlib.import_module("course_utils.exercises")
        importlib.import_module(f"course_utils.checks.l{lesson[:2]}")
        import torch

        modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "course_utils"]
        modules += [builtins, math, torch, torch.nn.functional]
        self.known = [(module, {key: v for key, v in vars(module).items() if callable(v)}) for module in modules]
        self.checkers = dict(self.exercises._checkers)
        self.check = self.exercises.check

    def judge(self, exercise: str, answer: object) -> tuple[str, str]:
        """The verdict's status and message."""
        for module, callables in self.known:
            vars(module).update(callables)
        self.exercises._checkers.clear()
        self.exercises._checkers.update(self.checkers)
        verdict = self.check(exercise, answer)
        return verdict.status, verdict.message


def too_slow(*_: object) -> None:
    raise TooSlow


def run(job: dict) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    verdicts = os.fdopen(job["verdicts"], "w", buffering=1, encoding="utf-8")
    os.set_inheritable(job["verdicts"], False)
    limit(job["memory"], job["file_size"])
    if job["files"]:
        shutil.copytree(job["files"], ".", dirs_exist_ok=True)
    sys.path.insert(0, os.environ["PYTHONPATH"])  # the course; Python itself was told to look at no variable
    sys.path.append(str(Path.cwd()))
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.colors = "NoColor"
    judges = Judges(job["lesson"])
    signal.signal(signal.SIGALRM, too_slow)

    def tell(**said: object) -> None:
        verdicts.write(json.dumps({"secret": job["secret"], **said}) + "\n")

    tell(started=True)
    for cell in job["cells"]:
        signal.alarm(job["cell_seconds"])
        result = shell.run_cell(cell["source"], store_history=True)  # whatever the cell raises, it comes back
        error = result.error_before_exec or result.error_in_exec
        shell.user_ns.update(cell["mock"])
        for exercise, expression in cell["answers"]:
            signal.alarm(job["cell_seconds"])
            try:
                if isinstance(error, TooSlow):
                    raise error
                status, message = answer_judged(judges, shell.user_ns, exercise, expression, error)
            except TooSlow:
                status, message = "stopped", f"still running after {job['cell_seconds']} s"
            tell(exercise=exercise, status=status, message=message)
        signal.alarm(0)
    tell(ended=True)


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
