"""What `make` calls: each script runs as `python -m tools.NAME`."""

import sys

# nbformat imports jsonschema, which with this package compiles a grammar, for two seconds; no notebook ever needs it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
