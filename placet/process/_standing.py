"""How a case stands, told to Temporal: its search attributes, and the details that its UI shows.

1. Each change of an attribute is a command, and an event of the history: it is told when a case
   begins to wait or goes on, not step by step.
2. Attributes stand in clear, so they hold no record and nobody's name; details are encrypted.
3. A workflow that the authority did not start has no attributes, in a namespace that may know none:
   it tells none either.
"""

from collections.abc import Mapping

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from placet.model import SearchAttribute, Stage

_PROCESS = SearchAttributeKey.for_keyword(SearchAttribute.PROCESS)
_TOLD = {
    each: SearchAttributeKey.for_keyword(each)
    for each in (SearchAttribute.STAGE, SearchAttribute.CHECKPOINT, SearchAttribute.OUTCOME)
}


def tell(stage: Stage, checkpoint: str | None = None, outcome: str | None = None) -> None:
    """Tell how the case stands, if Temporal has it otherwise."""
    workflow.set_current_details(_words(stage, checkpoint, outcome))
    has = workflow.info().typed_search_attributes
    if has.get(_PROCESS) is None:
        return
    now: Mapping[SearchAttribute, str | None] = {
        SearchAttribute.STAGE: stage.value,
        SearchAttribute.CHECKPOINT: checkpoint,
        SearchAttribute.OUTCOME: outcome,
    }
    changed = [
        _TOLD[name].value_unset() if value is None else _TOLD[name].value_set(value)
        for name, value in now.items()
        if has.get(_TOLD[name]) != value
    ]
    if changed:
        workflow.upsert_search_attributes(changed)


def _words(stage: Stage, checkpoint: str | None, outcome: str | None) -> str:
    match stage:
        case Stage.WAITING:
            return f"Waits for people at checkpoint **{checkpoint}**."
        case Stage.RETURNED:
            return f"Checkpoint **{checkpoint}** has returned it; waits to be handed in again."
        case Stage.STOPPED:
            return "Stopped: a step was denied. Waits for a person to look and admit it."
        case Stage.CLOSED:
            return f"Closed: **{outcome}**."
        case Stage.RUNNING:
            return "Its agents are at work."
