"""The workflows that GitHub runs: valid by GitHub's own schema, and asking only for what there is."""

import re
import subprocess
import sys

import pytest
import yaml

from tools.common import ROOT, read

pytest.importorskip("check_jsonschema")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def validate(schema, *files):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True)


def test_workflows_and_updates_hold_to_githubs_schemas(tmp_path):
    done = validate("vendor.github-workflows", *WORKFLOWS)
    assert done.returncode == 0, done.stdout
    done = validate("vendor.dependabot", ROOT / ".github" / "dependabot.yml")
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(read(WORKFLOWS[0]).replace("runs-on:", "run-on:"))
    assert validate("vendor.github-workflows", wrong).returncode != 0


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflows_call_what_there_is(file):
    jobs = yaml.safe_load(read(file))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    commands = "\n".join(step["run"] for step in steps if "run" in step)
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", commands)) <= targets
    for module in re.findall(r"python -m ([\w.]+)", commands):
        assert ROOT.joinpath(*module.split(".")).with_suffix(".py").exists(), module
    assert all(re.fullmatch(r"[\w-]+/[\w./-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    assert all(job["timeout-minutes"] <= 120 for job in jobs.values() if "runs-on" in job and "timeout-minutes" in job)


def test_the_weekly_check_starts_from_nothing_and_tells():
    text = read(ROOT / ".github" / "workflows" / "weekly.yml")
    assert "actions/cache" not in text and "gh issue create" in text and "schedule:" in text
