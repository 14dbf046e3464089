"""NHI7:2025 Long-Lived Secrets: everything that opens something has an end that is near."""

import secrets
from datetime import timedelta

import pytest
from pydantic import ValidationError

from placet.agent import NotJoined, join
from placet.model import InviteAgent, JoinAs
from placet.tokens import SigningKey, invitation_key
from tests.harness.alone import Alone
from tests.owasp.attacking import agent, knock


async def test_what_was_stolen_long_ago_is_worth_nothing(authority: Alone) -> None:
    """I10: a key that nobody rotated, and a token that nobody used, found months later."""
    token = secrets.token_urlsafe(32)
    async with authority.ada() as ada:
        key = await agent(ada)
        body = InviteAgent(
            environment="production",
            task_queues=("depot-7",),
            invitation_key=invitation_key("agent:scale", token).thumbprint,
        )
        await ada.act("agent.invite", "agent:scale", body)
        assert (await knock(authority, key)).status_code == 200
        authority.ahead = timedelta(days=90)
        found = await knock(authority, key)
        assert (found.status_code, found.json()["reasons"]) == (403, ["I10", "expired"])
        sent = JoinAs(agent="scale", environment="production", task_queues=("depot-7",))
        with pytest.raises(NotJoined, match="not good"):
            await join(
                authority.settings.issuer, sent, SigningKey.generate(), authority.now(), token=token
            )
        lines = await ada.identity_report("long-lived")
        assert [each.identity for each in lines] == ["agent:scale"]
    with pytest.raises(ValidationError, match="minutes"):
        InviteAgent(**{**body.model_dump(), "minutes": 60 * 24 * 365})
