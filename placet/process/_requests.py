"""What a workflow gives its steps: ids, never document text (I7)."""

from typing import Annotated

from pydantic import StringConstraints

from placet.model import CaseId, Identifier, Model, Name, RecordId


class StepRequest(Model):
    """What every governed activity is given first: its case and the record it is about."""

    case: CaseId
    record: RecordId


class CheckpointRequest(StepRequest):
    """Open a checkpoint, or read what came of it."""

    checkpoint: Name


class StopRequest(StepRequest):
    """Stop the case for a person to look at, and say why; ``admissions`` as in ``StopCase``."""

    admissions: int = 0
    reason: Annotated[str, StringConstraints(min_length=1, max_length=300)]


class CloseRequest(StepRequest):
    """Close the case with a result."""

    result: Identifier
