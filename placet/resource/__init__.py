"""What a system of record installs: verifies a grant on each request, and tells of its use."""

from placet.resource._authority import AuthorityAway, SystemLink
from placet.resource._errors import BadToken, CannotJudge, NoToken, Refused, WrongAction
from placet.resource._feed import FEED_MAX_AGE, GRANTS_KEPT
from placet.resource._guard import Guard, VerifiedGrant
from placet.resource._outbox import UseOutbox, tell_uses
from placet.resource._replay import ReplayCache

__all__ = [
    "FEED_MAX_AGE",
    "GRANTS_KEPT",
    "AuthorityAway",
    "BadToken",
    "CannotJudge",
    "Guard",
    "NoToken",
    "Refused",
    "ReplayCache",
    "SystemLink",
    "UseOutbox",
    "VerifiedGrant",
    "WrongAction",
    "tell_uses",
]
