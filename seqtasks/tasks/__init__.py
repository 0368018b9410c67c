"""Tasks: how a target becomes numbers, a model's output an answer, and both together a figure."""

from seqtasks.tasks.classification import Classification
from seqtasks.tasks.language import LanguageModelling
from seqtasks.tasks.music import FrameModelling
from seqtasks.tasks.spans import SpanTagging
from seqtasks.tasks.steps import StepTagging
from seqtasks.tasks.task import Task
from seqtasks.tasks.transcription import Transcription
from seqtasks.tasks.translation import Translation

__all__ = [
    "Classification",
    "FrameModelling",
    "LanguageModelling",
    "SpanTagging",
    "StepTagging",
    "Task",
    "Transcription",
    "Translation",
]
