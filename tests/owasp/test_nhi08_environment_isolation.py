"""NHI8:2025 Environment Isolation: an identity of the test environment is nobody in production."""

import secrets

import pytest

from placet.agent import NotJoined, join
from placet.client import AuthorityError
from placet.model import InviteAgent, JoinAs
from placet.tokens import SigningKey, invitation_key
from tests.authority.test_registry import SAID
from tests.harness.alone import Alone

TEST = SAID.model_copy(update={"environment": "test"})


async def test_a_test_worker_does_not_join_in_production(authority: Alone) -> None:
    """I6: neither with production's token, nor with one of its own, nor by saying another name."""
    token = secrets.token_urlsafe(32)

    async def tries(environment: str) -> None:
        sent = JoinAs(agent="scale", environment=environment, task_queues=("depot-7",))
        await join(
            authority.settings.issuer, sent, SigningKey.generate(), authority.now(), token=token
        )

    def invitation(environment: str) -> InviteAgent:
        return InviteAgent(
            environment=environment,
            task_queues=("depot-7",),
            invitation_key=invitation_key("agent:scale", token).thumbprint,
        )

    async with authority.ada() as ada:
        await ada.act("identity.register", "agent:scale", TEST)
        for environment in ("test", "production"):
            with pytest.raises(AuthorityError) as refused:
                await ada.act("agent.invite", "agent:scale", invitation(environment))
            assert refused.value.problem.reasons == ("environment",)
        await ada.act("identity.register", "agent:scale", SAID)
        await ada.act("agent.invite", "agent:scale", invitation("production"))
        with pytest.raises(NotJoined, match="not good"):
            await tries("test")
        await ada.act("identity.register", "agent:scale", TEST)
        with pytest.raises(NotJoined, match="another environment"):
            await tries("production")
        assert (await ada.registered("agent:scale")).keys == ()
