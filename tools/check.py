"""What `make test` runs, in this order, each step though an earlier one failed; then one line for each, and the sum.

`--slow` includes the tests that are marked slow. The built book is not touched.
"""

import sys
import time

from tools.common import call

PYTEST = ["pytest", "-q", "-rs", "-n", 2, "--dist", "worksteal", *(["-m", ""] if "--slow" in sys.argv else [])]
STEPS: dict[str, list] = {
    "lint": ["ruff", "check", "."],
    "layout": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "every lesson in fast mode, a strict site": ["python", "-m", "tools.rehearse"],
    "tests": [*PYTEST, "tests"],
}


def main() -> None:
    lines, failed = [], False
    for name, command in STEPS.items():
        print(f"\n=== {name}", flush=True)
        started = time.monotonic()
        status = call(*command, COURSE_DATA="sample", OMP_NUM_THREADS="1")
        failed = failed or status != 0
        lines.append(f"{'FAILED' if status else 'passed'}  {time.monotonic() - started:5.0f} s  {name}")
    print("\n" + "\n".join(lines))
    sys.exit("Something FAILED, see above." if failed else None)


if __name__ == "__main__":
    main()
