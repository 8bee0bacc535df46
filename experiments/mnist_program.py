"""PyTorch's MNIST example as it is started without options: what `python -m course_utils.training` reaches.

    python -m experiments.mnist_program

Takes about 25 minutes on two CPU cores. Saves at its end.
"""

from pathlib import Path

from course_utils import evaluate, fit, load
from course_utils._program import main as train
from course_utils.data import ImageData
from tools.recording import command_line, curves, finished, record_all

CONFIG = {"arguments": ["--log-interval", "1000"], "seeds": [1]}


def run(data: ImageData, config: dict, seed: int) -> dict:
    """Run the program; return its curves, and its one score of the test split."""
    history, score = train(fit, evaluate, [*config["arguments"], "--seed", str(seed)])
    return {**curves(finished(history)), "test_loss": score.loss, "test_accuracy": score.accuracy}


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"seed": seed} for seed in config["seeds"]]
    record_all("mnist_program", config, load("mnist"), run, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
