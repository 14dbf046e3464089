"""NHI6:2025 Insecure Cloud Deployment Configurations: no pipeline's token but the very one."""

import pytest
from pydantic import ValidationError

from placet.agent import NotJoined, join
from placet.model import JoinAs, Workload
from placet.tokens import SigningKey
from tests.authority.test_registry import SAID
from tests.harness.alone import Alone
from tests.harness.platform import platform

MAIN = "repo:acme/parcels:ref:refs/heads/main"


async def test_another_pipelines_token_deploys_nothing(authority: Alone) -> None:
    """I6: another branch, repository or audience; a pattern is no subject; no issuer without TLS."""
    async with authority.ada() as ada, platform() as ci:

        async def tries(word: str) -> None:
            sent = JoinAs(
                agent="scale",
                environment="production",
                task_queues=("depot-7",),
            )
            await join(
                authority.settings.issuer,
                sent,
                SigningKey.generate(),
                authority.now(),
                attestation=word,
            )

        workload = Workload(issuer=ci.issuer, audience="placet", subject=MAIN)
        body = SAID.model_copy(update={"workload": workload})
        await ada.act("identity.register", "agent:scale", body)
        for changed in (
            {"sub": "repo:acme/parcels:ref:refs/heads/fork"},
            {"sub": "repo:acme/parcels:pull_request"},
            {"sub": "repo:evil/parcels:ref:refs/heads/main"},
            {"sub": MAIN + "x"},
            {"sub": MAIN, "aud": "sts.cloud.example"},
        ):
            with pytest.raises(NotJoined, match="platform"):
                await tries(ci.token(**changed))
        pattern = workload.model_copy(update={"subject": "repo:acme/*"})
        body = SAID.model_copy(update={"workload": pattern})
        await ada.act("identity.register", "agent:scale", body)
        with pytest.raises(NotJoined, match="platform"):
            await tries(ci.token(sub=MAIN))
        assert (await ada.registered("agent:scale")).keys == ()
    with pytest.raises(ValidationError, match="issuer"):
        Workload(issuer="http://ci.example", audience="placet", subject=MAIN)
