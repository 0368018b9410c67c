"""Tasks: how a target becomes numbers, a model's output an answer, and both together a figure."""

from seqtasks.tasks.classification import Classification
from seqtasks.tasks.spans import SpanTagging
from seqtasks.tasks.steps import StepTagging
from seqtasks.tasks.task import Task
from seqtasks.tasks.translation import Translation

__all__ = ["Classification", "SpanTagging", "StepTagging", "Task", "Translation"]
