"""For every pytest run, `pytest --nbmake notebooks` in a fresh clone included: sample data unless told otherwise, one
thread, nothing kept as solved, and `course_utils` importable in the kernels of notebooks."""

import os
from pathlib import Path

ROOT = Path(__file__).parent

os.environ.setdefault("COURSE_DATA", "sample")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two lessons at once must not fight for the same cores
os.environ["COURSE_PROGRESS"] = "off"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
