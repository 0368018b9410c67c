"""Runs as they are before the first step, for tests to which it does not matter what was learnt."""

from seqtasks.engine.experiment import Experiment
from seqtasks.engine.run import Run, save_setup
from seqtasks.options import make_options
from seqtasks.recipe import load_recipe


def untrained(name, directory, *, train, valid, test, change=lambda model: None, **fields):
    """The `Run` of a recipe in `directory`, with the weights that its training would start from.

    Its vocabularies are learnt from the data and its files are those of a trained run, without figures.

    Args:
        change: a function of the model that may alter the weights.
    """
    recipe = load_recipe(name)
    splits = {"train": train, "valid": valid, "test": test}
    experiment = Experiment(recipe, make_options(recipe.Config, fields), splits)
    prepared = experiment.prepare()
    change(prepared.model)
    save_setup(directory, name, None, {}, experiment.config, prepared.assets)
    prepared.model.save(directory / "model.keras")
    return Run(directory)
