"""What workflow code imports: steps and checkpoints. Deterministic and sandbox-safe."""

from placet.process._code import code_digest
from placet.process._orchestrating import (
    CLOSE_CASE,
    OPEN_CHECKPOINT,
    READ_OUTCOME,
    STOP_CASE,
    orchestrating,
)
from placet.process._processes import Attached, Paper, Process
from placet.process._reasoning import (
    Reasoned,
    ReasoningWorkflow,
    ThinkRequest,
    Thought,
    ToolRequest,
)
from placet.process._refused import NotTaken, Unmet, refused_for
from placet.process._requests import CheckpointRequest, CloseRequest, StepRequest, StopRequest
from placet.process._workflow import (
    ADMITTED,
    BELL,
    READINGS,
    ROUNDS,
    STOPPED,
    GovernedWorkflow,
)

__all__ = [
    "ADMITTED",
    "BELL",
    "CLOSE_CASE",
    "OPEN_CHECKPOINT",
    "READINGS",
    "READ_OUTCOME",
    "ROUNDS",
    "STOPPED",
    "STOP_CASE",
    "Attached",
    "CheckpointRequest",
    "CloseRequest",
    "GovernedWorkflow",
    "NotTaken",
    "Paper",
    "Process",
    "Reasoned",
    "ReasoningWorkflow",
    "StepRequest",
    "StopRequest",
    "ThinkRequest",
    "Thought",
    "ToolRequest",
    "Unmet",
    "code_digest",
    "orchestrating",
    "refused_for",
]
