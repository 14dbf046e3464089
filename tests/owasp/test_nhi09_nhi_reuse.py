"""NHI9:2025 NHI Reuse: one identity, one key, one worker; nothing serves twice."""

import secrets

import pytest

from placet.agent import NotJoined, join
from placet.client import AuthorityError
from placet.model import EnrolIdentity, InviteAgent, JoinAs
from placet.tokens import SigningKey, invitation_key
from tests.harness import processes
from tests.harness.alone import Alone
from tests.owasp.attacking import agent, knock


async def test_a_key_is_one_identitys_and_a_token_one_workers(authority: Alone) -> None:
    """I6, I11: the second identity, worker or request that would share it is refused."""
    token = secrets.token_urlsafe(32)
    async with authority.ada() as ada:
        key = await agent(ada)
        body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
        with pytest.raises(AuthorityError, match="enrolled already"):
            await ada.act("agent.enrol", "agent:carrier", body)
        invitation = InviteAgent(
            environment="production",
            task_queues=("depot-7",),
            invitation_key=invitation_key("agent:scale", token).thumbprint,
        )
        await ada.act("agent.invite", "agent:scale", invitation)
        sent = JoinAs(agent="scale", environment="production", task_queues=("depot-7",))
        with pytest.raises(NotJoined, match="enrolled already"):
            await join(authority.settings.issuer, sent, key, authority.now(), token=token)
        first, second = SigningKey.generate(), SigningKey.generate()
        await join(authority.settings.issuer, sent, first, authority.now(), token=token)
        with pytest.raises(NotJoined, match="not good"):
            await join(authority.settings.issuer, sent, second, authority.now(), token=token)
        assert (await knock(authority, first, "agent:carrier")).status_code == 401
        await ada.act("process.publish", "parcel-check", processes.DEFINITION)
        other = processes.DEFINITION.model_copy(update={"name": "parcel-recheck"})
        await ada.act("process.publish", "parcel-recheck", other)
        (line,) = await ada.identity_report("shared")
        assert (line.identity, "parcel-recheck" in line.why) == ("agent:scale", True)
