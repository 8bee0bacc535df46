"""The commands of the page *Beyond one machine*, as far as one machine can try them."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import optuna
import pytest
import torch
from optuna.trial import TrialState

from tools.common import ROOT, read
from tools.rehearse import OFFLINE

PAGE = read(ROOT / "book" / "beyond.md")
ENVIRONMENT = os.environ | {"COURSE_DATA": "sample", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def blocks(language):
    """The page's pieces of code in this language."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def block(language, start):
    """The one piece that begins like this."""
    [text] = [text for text in blocks(language) if text.startswith(start)]
    return text


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def words_of(command, **places):
    """A command of the page as a list, with this machine's own names, for this Python."""
    words = command.replace("\\\n", " ").split()
    words = [re.sub("|".join(places), lambda found: places[found[0]], word) for word in words]
    launcher = {"python": [], "torchrun": ["-m", "torch.distributed.run"]}[words[0]]
    return [sys.executable, *launcher, *words[1:]]


def test_every_code_block_says_what_it_is_and_whether_it_was_tried():
    assert len(blocks("bash")) == 5 and len(blocks("python")) == 3 and len(blocks("yaml")) == 1
    assert PAGE.count("```") == 2 * 9
    for untried in ("#!/bin/bash", "sbatch", "apiVersion"):
        before = PAGE[: PAGE.index(untried)].rpartition("```")[0].rstrip()
        assert before.endswith("*Not tried:*"), untried


@pytest.mark.slow
def test_two_launchers_meet_at_the_rendezvous_and_train_one_network(tmp_path):
    host = f"127.0.0.1:{free_port()}"
    command = words_of(block("bash", "torchrun"), **{"HOST:29400": host}) + ["--no-cuda", "--save-model"]
    folders = [tmp_path / "first", tmp_path / "second"]
    launchers = []
    for folder in folders:
        folder.mkdir()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        launchers.append(subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, **pipes))
    said = [launcher.communicate(timeout=240) for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0, 0], said
    assert sum(out.count("test loss") for out, _ in said) == 1
    assert sum((folder / "mnist_cnn.pt").exists() for folder in folders) == 1
    [file] = tmp_path.glob("*/mnist_cnn.pt")
    shared = torch.load(file, weights_only=True)
    alone = [sys.executable, "-m", "course_utils.training", "--network", "lenet", "--epochs", "1"]
    subprocess.run([*alone, "--no-cuda", "--save-model"], cwd=tmp_path, env=ENVIRONMENT, check=True)
    for name, value in torch.load(tmp_path / "mnist_cnn.pt", weights_only=True).items():
        torch.testing.assert_close(shared[name], value, rtol=0, atol=1e-5)


def finished(study):
    return {trial.number: trial.value for trial in study.get_trials(states=[TrialState.COMPLETE])}


def search_with_a_kill(folder, worker, study, *arguments):
    """Two workers of this text search; the first is killed in the middle, the other goes on to its end."""
    (folder / "worker.py").write_text(worker)
    command = [sys.executable, "worker.py", *arguments]
    workers = [subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.DEVNULL) for _ in range(2)]
    end = time.monotonic() + 120
    while len(finished(study)) < 4 and time.monotonic() < end:
        time.sleep(0.05)
    workers[0].kill()
    before = finished(study)
    assert workers[1].wait(timeout=120) == 0
    workers[0].wait()
    after = finished(study)
    assert len(before) >= 4 and before.items() <= after.items()
    assert 20 <= len(after) <= 40
    return workers


def slowed(worker):
    """A trial that takes long enough for a kill to come in the middle."""
    assert worker.count("    return -((lr") == 1
    return worker.replace("    return -((lr", "    __import__('time').sleep(0.1)\n    return -((lr")


@pytest.mark.slow
def test_workers_meet_in_a_data_base_that_has_heartbeats(tmp_path):
    url = "sqlite:///studies.db"
    study = optuna.create_study(study_name="cnn", storage=f"sqlite:///{tmp_path}/studies.db", direction="maximize")
    search_with_a_kill(tmp_path, slowed(block("python", "# worker.py")), study, url)


@pytest.mark.slow
def test_a_trial_whose_heartbeat_stops_is_tried_again(tmp_path):
    """What the page says of heartbeats, with a minute cut down to a second."""
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="cnn", storage=url, direction="maximize")
    worker = slowed(block("python", "# worker.py")).replace("interval=60", "interval=1, grace_period=2")
    (tmp_path / "worker.py").write_text(worker.replace("sleep(0.1)", "sleep(600)"))
    command = [sys.executable, "worker.py", "sqlite:///studies.db"]
    stuck = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not study.get_trials(states=[TrialState.RUNNING]) and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(2)  # until its heart has beaten
    stuck.kill()
    stuck.wait()
    [lost] = study.get_trials(states=[TrialState.RUNNING])
    time.sleep(3)
    (tmp_path / "worker.py").write_text(worker.replace("sleep(0.1)", "sleep(0)"))
    subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, check=True, capture_output=True, timeout=120)
    assert study.trials[lost.number].state == TrialState.FAIL
    again = [trial for trial in study.trials if trial.system_attrs.get("failed_trial") == lost.number]
    assert [trial.state for trial in again] == [TrialState.COMPLETE] and again[0].params == lost.params


@pytest.mark.slow
def test_workers_meet_at_the_proxy(tmp_path, monkeypatch):
    """Behind an HTTP proxy that knows nothing of this machine: the variable that the page names keeps gRPC from it."""
    for variable, value in (OFFLINE | {"no_grpc_proxy": "127.0.0.1"}).items():
        monkeypatch.setenv(variable, value)
        monkeypatch.setitem(ENVIRONMENT, variable, value)
    assert "`no_grpc_proxy=HOST`" in PAGE
    port = str(free_port())
    (tmp_path / "server.py").write_text(block("python", "# server.py"))
    command = words_of(block("bash", "python server.py"), **{"13000": port})
    server = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        line = block("python", "storage = ").replace('"HOST"', '"127.0.0.1"').replace("13000", port)
        here: dict = {"optuna": optuna}
        exec(line, here)
        here["storage"].wait_server_ready(timeout=60)
        study = optuna.create_study(study_name="cnn", storage=here["storage"], direction="maximize")
        worker = slowed(block("python", "# worker.py"))
        start, end = worker.index("storage = RDBStorage"), worker.index("study = ")
        search_with_a_kill(tmp_path, worker[:start] + line + worker[end:], study)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


@pytest.fixture
def postgresql(tmp_path):
    """The address of a data base `studies` of a PostgreSQL server that runs for this test."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        pytest.skip("PostgreSQL is not installed")
    folder, port = tmp_path / "postgresql", free_port()
    as_user = ["runuser", "-u", "nobody", "--"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # not as root
    if as_user:
        shutil.chown(tmp_path, "nobody")
        for parent in tmp_path.parents[:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
    try:
        subprocess.run(
            [*as_user, "initdb", "-D", folder, "-A", "trust", "-U", "course"], check=True, capture_output=True
        )
    except subprocess.CalledProcessError as problem:
        pytest.skip(f"initdb does not work here: {problem.stderr[-200:]}")
    options = f"-p {port} -k {tmp_path} -c listen_addresses=127.0.0.1"
    start = [*as_user, "pg_ctl", "-D", folder, "-w", "-l", folder / "log", "-o", options, "start"]
    subprocess.run(start, check=True, capture_output=True)
    try:
        with psycopg.connect(f"host=127.0.0.1 port={port} user=course dbname=postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE studies")
        yield f"postgresql+psycopg://course@127.0.0.1:{port}/studies"
    finally:
        subprocess.run([*as_user, "pg_ctl", "-D", folder, "-m", "immediate", "stop"], check=True, capture_output=True)


@pytest.mark.slow
def test_workers_meet_in_postgresql(postgresql, tmp_path):
    (tmp_path / "work").mkdir()
    study = optuna.create_study(study_name="cnn", storage=postgresql, direction="maximize")
    search_with_a_kill(tmp_path / "work", slowed(block("python", "# worker.py")), study, postgresql)
