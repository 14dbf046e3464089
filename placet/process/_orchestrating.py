"""The orchestrator's steps, which every process has: they ask people, stop a case and close it."""

from placet.model import Action, Identifier, Name, Step

OPEN_CHECKPOINT = "open_checkpoint"
READ_OUTCOME = "read_outcome"
STOP_CASE = "stop_case"
CLOSE_CASE = "close_case"


def orchestrating(
    relation: Name, *, facts: tuple[Identifier, ...] = (), agent: Name = "orchestrator"
) -> tuple[Step, ...]:
    """The steps by which a process's orchestrator asks people, stops a case and closes it.

    ``relation`` is the one of the case's subject; ``facts`` are what opening a checkpoint fetches.
    """

    def step(activity_type: str, action: Action, facts: tuple[Identifier, ...] = ()) -> Step:
        return Step(
            activity_type=activity_type,
            agent=agent,
            action=action,
            system="authority",
            relation=relation,
            facts=facts,
        )

    return (
        step(OPEN_CHECKPOINT, "checkpoint:open", facts),
        step(READ_OUTCOME, "outcome:read"),
        step(STOP_CASE, "case:stop"),
        step(CLOSE_CASE, "case:close"),
    )
