"""Tasks: how a target becomes ids, how a model's outputs become an answer, and how both become metrics.

Here are the tasks that several applications share, `Classification`, `StepTagging` and `LanguageModelling`, and
baselines that they share; each application keeps its own tasks in its `task.py`. A task knows no model and no recipe.

It may import `data`, `ops`, `layers`, `metrics` and `errors`. Start with `task`, the interface.
"""

from seqtasks.tasks import baselines, ngrams
from seqtasks.tasks.classification import Classification
from seqtasks.tasks.language_modelling import LanguageModelling
from seqtasks.tasks.step_tagging import StepTagging
from seqtasks.tasks.task import Task

__all__ = ["Classification", "LanguageModelling", "StepTagging", "Task", "baselines", "ngrams"]
