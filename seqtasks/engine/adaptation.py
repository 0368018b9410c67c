"""Adapting language models to the inputs of a task before a run starts from them."""

import dataclasses
import logging
from pathlib import Path

from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import Splits
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.pretrained import Pretrained, direction_of
from seqtasks.engine.run_folder import check_free
from seqtasks.engine.training import Training, inherited
from seqtasks.errors import UserError
from seqtasks.options import make_options

log = logging.getLogger("seqtasks")


def adapt(experiment: Experiment, directory: Path, overwrite: bool = False) -> Experiment:
    """Fine-tunes the language models that an experiment names on the inputs of its training split.

    Args:
        experiment: whose option `adapt_epochs` is above 0.
        directory: of the run to be; that of an adapted model has its name with the option and the direction appended.
        overwrite: whether adapted models that exist are replaced.

    Returns:
        The experiment with the adapted models in place of those that it named.

    Raises:
        UserError: if there is nothing to adapt, or a directory exists.

    References:
        Howard and Ruder, 2018, section 3.2, https://arxiv.org/abs/1801.06146
    """
    config, as_text = experiment.config, experiment.recipe.as_text
    runs = Pretrained(config).runs
    if not runs or as_text is None:
        what, remedy = "there is no language model to adapt", "name one with --pretrained, or leave the option out"
        raise UserError(what, where="--adapt_epochs", remedy=remedy)
    if config.strategy == "multiworker":  # each process would write the adapted models
        what, remedy = "excludes --adapt_epochs", "fine-tune the language models first, and name them with --pretrained"
        raise UserError(what, where="--strategy multiworker", remedy=remedy)
    sources = experiment.read().sources
    adapted: dict[str, str] = {}
    for name, found in runs.items():

        def documents(split: str, name: str = name) -> Source:
            return sources[split].map(lambda e: Example(as_text(config, e, name), "end", e.place))

        splits = Splits(documents("train"), documents("validation"), documents("validation"))
        paths = []
        for run in found:
            path = directory.with_name(f"{directory.name}-{name}-{direction_of(run)}")
            check_free(path, overwrite)
            fields = inherited(run, {}) | {"epochs": config.adapt_epochs, "seed": config.seed}
            options = make_options(run.recipe.Config, fields)
            log.info("adapting %s on the inputs of train: %s", run.directory, path)
            made = Experiment(run.recipe, options, {"data": splits}, splits)
            Training(made, path, run.recipe.name).start(overwrite, run)
            paths.append(str(path))
        adapted[name] = ",".join(paths)
    return dataclasses.replace(experiment, config=dataclasses.replace(config, adapt_epochs=0, **adapted))
