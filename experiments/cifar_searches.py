"""Grid, random draws, successive halving: which finds the best network in equally many epochs? Five seeds.

All three search the peak of the learning rate, the width and the dropout of one network. A search ends when its epochs
are spent. Half of the validation images choose; the other half judge what was chosen, and have no part in choosing.

    python -m experiments.cifar_searches

Takes about half an hour on one CPU core. Each trial is kept in a journal in .run/experiments/ (see
`course_utils.search`), each search in the results: after a kill it goes on.
"""

import random
from functools import partial
from itertools import product
from pathlib import Path

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState
from torch.optim.lr_scheduler import OneCycleLR

from course_utils import batches, count_parameters, device, evaluate, load, train_epoch
from course_utils.data import ImageData, Images
from course_utils.networks import three_convolutions
from course_utils.search import asked, open_study, put_back
from tools.recording import command_line, record_all

KEPT = Path(__file__).parents[1] / ".run" / "experiments"
CONFIG = {
    "searches": ["grid", "random", "halving"],
    "lr": [0.0001, 0.1],  # of the peak, from, to; drawn evenly on a logarithmic scale
    "width": [8, 32],
    "dropout": [0.0, 0.5],
    "grid": {"lr": [0.001, 0.01], "width": [12, 24], "dropout": [0.0, 0.25]},
    "images": 5_000,
    "batch_size": 64,
    "epochs": 4,
    "budget": 32,  # epochs for one search
    "seeds": [0, 1, 2, 3, 4],
}


def candidates(search: str, seed: int, config: dict) -> list[dict]:
    """What a search will try, in this order: the grid, or draws. Of one seed, halving and random draw the same."""
    if search == "grid":
        return [dict(zip(config["grid"], values, strict=True)) for values in product(*config["grid"].values())]
    draws, (low, high) = random.Random(seed), config["lr"]
    return [
        {
            "lr": low * (high / low) ** draws.random(),
            "width": draws.randint(*config["width"]),
            "dropout": draws.uniform(*config["dropout"]),
        }
        for _ in range(config["budget"])  # enough, even if each were stopped after its first epoch
    ]


def objective(trial: optuna.Trial, splits: dict[str, Images], seed: int, config: dict) -> float:
    """Train one candidate; report its validation accuracy after each epoch, and be judged at the end."""
    lr = trial.suggest_float("lr", *config["lr"], log=True)
    width = trial.suggest_int("width", *config["width"])
    dropout = trial.suggest_float("dropout", *config["dropout"])
    torch.manual_seed(seed)
    model = three_convolutions(width, dropout).to(device())
    trial.set_user_attr("parameters", count_parameters(model))
    optimizer = torch.optim.Adam(model.parameters())
    train = batches(splits["train"], config["batch_size"], shuffle=True, device=device())
    scheduler = OneCycleLR(optimizer, max_lr=lr, total_steps=config["epochs"] * len(train))
    choose, judge = (batches(splits[name], 500, device=device()) for name in ("choose", "judge"))
    for epoch in range(1, config["epochs"] + 1):
        train_epoch(model, train, optimizer, after_step=scheduler.step)
        accuracy = evaluate(model, choose).accuracy
        trial.report(accuracy, epoch)
        if epoch < config["epochs"] and trial.should_prune():
            raise optuna.TrialPruned
    trial.set_user_attr("judged", evaluate(model, judge).accuracy)
    return accuracy


def kept(study: optuna.Study) -> list[FrozenTrial]:
    """The finished trials of a study: not the lost ones, which were tried again."""
    return study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])


def spent(study: optuna.Study) -> int:
    """Epochs that a study has used up."""
    return sum(len(trial.intermediate_values) for trial in kept(study))


def run(data: ImageData, config: dict, search: str, seed: int, *, journal: Path) -> dict:
    """One search, from where its journal stands; returns all its trials and what it chose."""
    splits = {"train": data.train.take(config["images"]), "choose": data.valid[::2], "judge": data.valid[1::2]}
    halving = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    study = open_study(journal, f"{search}, seed {seed}", pruner=halving if search == "halving" else None)
    setting = {"config": config, "data": data.source}
    if study.user_attrs.get("setting", setting) != setting:
        raise ValueError(f"{journal} holds trials of another configuration or data copy. Move it away to start anew.")
    study.set_user_attr("setting", setting)
    put_back(study)
    for candidate in candidates(search, seed, config):
        study.enqueue_trial(candidate, skip_if_exists=True)
    while spent(study) < config["budget"]:
        study.optimize(lambda trial: objective(trial, splits, seed, config), n_trials=1)
    best, trials = study.best_trial, kept(study)
    return {
        "trials": [
            asked(trial)
            | {
                "valid_accuracy": list(trial.intermediate_values.values()),
                "judged_accuracy": trial.user_attrs.get("judged"),  # None where it was stopped
            }
            for trial in trials
        ],
        "seconds": [trial.duration.total_seconds() for trial in trials],
        "best": asked(best) | {"parameters": best.user_attrs["parameters"]},
        "valid_accuracy": best.value,
        "judged_accuracy": best.user_attrs["judged"],
    }


def main(config: dict = CONFIG, folder: Path | None = None) -> None:
    marks = [{"search": search, "seed": seed} for seed in config["seeds"] for search in config["searches"]]
    search = partial(run, journal=(folder or KEPT) / "cifar_searches.journal")
    record_all("cifar_searches", config, load("cifar10"), search, marks, folder=folder)


if __name__ == "__main__":
    command_line(__doc__, main)
