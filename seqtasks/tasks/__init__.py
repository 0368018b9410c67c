"""Tasks: how a target becomes numbers, how a model's output becomes an answer, and how both become metrics.

Here are the tasks that several applications share; each application keeps its own in its `task.py`.
"""

from seqtasks.tasks import baselines, ngrams
from seqtasks.tasks.classification import Classification
from seqtasks.tasks.language_modelling import LanguageModelling
from seqtasks.tasks.step_tagging import StepTagging
from seqtasks.tasks.task import Task

__all__ = ["Classification", "LanguageModelling", "StepTagging", "Task", "baselines", "ngrams"]
