"""What `make` calls: each script runs as `python -m tools.NAME`."""

import sys

# nbformat imports jsonschema, which with this package compiles a grammar, for two seconds; no notebook ever needs it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# As `course_utils._console.forgive`, which a kernel that is asked what its lesson has used must not load.
for _stream in (sys.stdout, sys.stderr):
    if hasattr(_stream, "reconfigure"):
        _stream.reconfigure(errors="replace")  # a console that can't print "×" prints "?" and goes on
