"""What `make` calls: each script runs as `python -m tools.NAME`."""
