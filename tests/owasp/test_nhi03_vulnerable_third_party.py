"""NHI3:2025 Vulnerable Third-Party NHI: a vendor is switched off whole, before its thief is in."""

import secrets

import pytest

from placet.agent import NotJoined, join
from placet.client import AuthorityError
from placet.model import InviteAgent, JoinAs, Reason, SwitchOff
from placet.tokens import SigningKey, invitation_key
from tests.harness.alone import Alone
from tests.owasp.attacking import agent, knock


async def test_who_broke_into_a_vendor_gets_nowhere_once_it_is_off(authority: Alone) -> None:
    """I10: neither with the vendor's key, nor with its token, nor as one of it nobody saw."""
    token = secrets.token_urlsafe(32)
    async with authority.ada() as ada:
        stolen, hidden = await agent(ada), await agent(ada, "hidden")
        body = InviteAgent(
            environment="production",
            task_queues=("depot-7",),
            invitation_key=invitation_key("agent:scale", token).thumbprint,
        )
        await ada.act("agent.invite", "agent:scale", body)
        assert (await knock(authority, stolen)).status_code == 200
        some = SwitchOff(identities=("agent:scale",), reason="broken into")
        with pytest.raises(AuthorityError, match="look again"):
            await ada.act("vendor.off", "acme", some)  # it would have left one on
        seen = await ada.vendor("acme")
        whole = SwitchOff(identities=seen.identities, reason="broken into")
        await ada.act("vendor.off", "acme", whole)
    assert (await knock(authority, stolen)).status_code == 403
    assert (await knock(authority, hidden, "agent:hidden")).status_code == 403
    async with authority.ada() as ada:  # who goes on with another vendor's worker
        await ada.act("agent.resume", "agent:scale", Reason(reason="in other hands"))
    sent = JoinAs(agent="scale", environment="production", task_queues=("depot-7",))
    with pytest.raises(NotJoined, match="not good, or not any more"):
        await join(
            authority.settings.issuer, sent, SigningKey.generate(), authority.now(), token=token
        )
