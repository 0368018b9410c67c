"""Tasks: how a target becomes ids, how a model's outputs become an answer, and how both become metrics.

Here are the tasks that several applications share: one target for a sequence (`sequence_task`) is a class
(`Classification`), several labels (`MultiLabel`), a class of an order (`Ordinal`) or a number (`Regression`);
`StepTagging` and `LanguageModelling` have one for each step. Their baselines are here too; each application keeps its
own tasks in its `task.py`. A task knows no model and no recipe.

It may import `data`, `ops`, `layers`, `metrics` and `errors`. Start with `task`, the interface.
"""

from seqtasks.tasks import baselines, label_metrics, ngrams, number_metrics
from seqtasks.tasks.classification import Classification
from seqtasks.tasks.language_modelling import LanguageModelling
from seqtasks.tasks.multi_label import MultiLabel
from seqtasks.tasks.ordinal import Ordinal
from seqtasks.tasks.regression import Regression
from seqtasks.tasks.step_tagging import StepTagging
from seqtasks.tasks.targets import SequenceTask, sequence_task
from seqtasks.tasks.task import Task

__all__ = [
    "Classification",
    "LanguageModelling",
    "MultiLabel",
    "Ordinal",
    "Regression",
    "SequenceTask",
    "StepTagging",
    "Task",
    "baselines",
    "label_metrics",
    "ngrams",
    "number_metrics",
    "sequence_task",
]
