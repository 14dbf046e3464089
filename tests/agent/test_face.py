"""The public face of the agent's side."""

import pytest

import placet.agent


def test_the_public_names_are_pinned() -> None:
    assert placet.agent.__all__ == [
        "ORCHESTRATION",
        "AgentConfig",
        "Answer",
        "AuthorityLink",
        "CurrentGrant",
        "HeldGrant",
        "NotGoverned",
        "NotHeard",
        "NotJoined",
        "PlacetPlugin",
        "UnfitWorkflow",
        "UngovernedActivity",
        "current_grant",
        "denied",
        "governed",
        "join",
        "read_answer",
        "require_governed",
        "require_ok",
        "unavailable",
    ]
    assert all(hasattr(placet.agent, name) for name in placet.agent.__all__)


def test_there_is_no_grant_outside_a_step() -> None:
    """A guarded context raises when it is asked for what it was not given."""
    with pytest.raises(placet.agent.NotGoverned, match="no governed step"):
        placet.agent.current_grant()
