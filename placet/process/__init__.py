"""What workflow code imports: steps and checkpoints. Deterministic and sandbox-safe."""

from placet.process._workflow import (
    BELL,
    CLOSE_CASE,
    OPEN_CHECKPOINT,
    READ_OUTCOME,
    CheckpointRequest,
    CloseRequest,
    GovernedWorkflow,
    Process,
    StepRequest,
    refused_for,
)

__all__ = [
    "BELL",
    "CLOSE_CASE",
    "OPEN_CHECKPOINT",
    "READ_OUTCOME",
    "CheckpointRequest",
    "CloseRequest",
    "GovernedWorkflow",
    "Process",
    "StepRequest",
    "refused_for",
]
