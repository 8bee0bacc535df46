"""Run every lesson in fast mode, as the tests do, and build a throw-away site from them.

Fast mode: copies in `.run/test/`, the sample, small parameters (nbmake's mocks), one thread each, and no way to the
internet. The site lies in `.run/site/_build/html` and is built as strictly as the real one.
"""

import shutil
import sys
import time
from importlib.metadata import version

from tools.build import build, gather, start_builder
from tools.common import ROOT, RUN, call, manuscripts, needs, read_notebook

TEST = RUN / "test"
TRACE = RUN / "trace"  # which modules each lesson has loaded and used: see tools/trace.py
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")  # a proxy at which nobody listens


def run_in_fast_mode(*arguments: object, **variables: str) -> int:
    """Run notebooks by nbmake; arguments as for pytest, variables of the environment. Returns the exit status."""
    settings = ["-c", ROOT / "pyproject.toml", f"--rootdir={ROOT}", "-p", "no:cacheprovider"]
    fast = {"COURSE_DATA": "sample", "OMP_NUM_THREADS": "1"}
    return call("pytest", "--nbmake", *settings, *arguments, **OFFLINE, **fast, **variables)


def main() -> None:
    shutil.rmtree(TEST, ignore_errors=True)
    shutil.rmtree(TRACE, ignore_errors=True)
    shutil.rmtree(RUN / "site", ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", TEST / "notebooks", ignore=shutil.ignore_patterns(".*"))
    TRACE.mkdir(parents=True)
    trace = {"PYTHONSTARTUP": str(ROOT / "tools" / "trace.py"), "COURSE_TRACE": str(TRACE)}
    if run_in_fast_mode(TEST / "notebooks", "--overwrite", "-n", 2, "--durations=0", **trace):
        sys.exit("A lesson failed in fast mode, see above.")
    builder = start_builder()
    today = {"date": time.strftime("%Y-%m-%d"), "machine": f"torch {version('torch')} on CPU, 1 thread"}
    runs = {}
    for name in manuscripts():
        data = dict.fromkeys(needs(name)["data"], "sample")
        runs[name] = (read_notebook(TEST / "notebooks" / f"{name}.ipynb"), today | {"data": data})
    gather(TEST, runs)
    build(TEST, RUN / "site" / "_build" / "html", builder)


if __name__ == "__main__":
    main()
