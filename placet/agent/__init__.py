"""What an agent's worker installs: the Temporal plugin, ``@governed``, ``current_grant()``."""

from placet.agent._config import AgentConfig
from placet.agent._errors import (
    NotGoverned,
    UnfitWorkflow,
    UngovernedActivity,
    denied,
    unavailable,
)
from placet.agent._governed import governed, require_governed
from placet.agent._grant import Answer, CurrentGrant, current_grant
from placet.agent._joining import NotHeard, NotJoined, join
from placet.agent._link import AuthorityLink, HeldGrant
from placet.agent._orchestrator import ORCHESTRATION, read_answer, require_ok
from placet.agent._plugin import PlacetPlugin

__all__ = [
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
