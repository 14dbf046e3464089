"""What workflow code imports: steps and checkpoints. Deterministic and sandbox-safe."""

from placet.process._code import code_digest
from placet.process._workflow import (
    ADMITTED,
    BELL,
    CLOSE_CASE,
    OPEN_CHECKPOINT,
    READ_OUTCOME,
    STOP_CASE,
    STOPPED,
    Attached,
    CheckpointRequest,
    CloseRequest,
    GovernedWorkflow,
    Paper,
    Process,
    StepRequest,
    StopRequest,
    refused_for,
)

__all__ = [
    "ADMITTED",
    "BELL",
    "CLOSE_CASE",
    "OPEN_CHECKPOINT",
    "READ_OUTCOME",
    "STOPPED",
    "STOP_CASE",
    "Attached",
    "CheckpointRequest",
    "CloseRequest",
    "GovernedWorkflow",
    "Paper",
    "Process",
    "StepRequest",
    "StopRequest",
    "code_digest",
    "refused_for",
]
