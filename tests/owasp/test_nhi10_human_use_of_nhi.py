"""NHI10:2025 Human Use of NHI: a person is no agent, and an agent signs for nobody."""

import pytest

from placet.client import AuthorityError, OperatorClient
from placet.model import AddKey, EnrolIdentity, Reason
from placet.tokens import SigningKey
from tests.harness.alone import Alone
from tests.owasp.attacking import agent, knock


async def test_nobody_acts_through_an_agents_key(authority: Alone) -> None:
    """I6: not as a person with it, not by making it theirs, and not as an agent with their own."""
    issuer = authority.settings.issuer
    person = SigningKey.generate()
    why = Reason(reason="through the back door")
    async with authority.ada() as ada:
        key = await agent(ada)
        body = EnrolIdentity(jwk=person.public.jwk(), roles=("clerk",))
        await ada.act("operator.enrol", "operator:cleo", body)
        async with OperatorClient(issuer, "operator:cleo", key, clock=authority.now) as thief:
            with pytest.raises(AuthorityError) as reading:
                await thief.cases()
            with pytest.raises(AuthorityError) as acting:
                await thief.act("hold.place", "depot/D1", why)
        assert (reading.value.status, acting.value.status) == (400, 401)
        async with OperatorClient(issuer, "operator:cleo", person, clock=authority.now) as cleo:
            with pytest.raises(AuthorityError, match="enrolled already"):
                await cleo.act("key.add", "operator:cleo", AddKey(jwk=key.public.jwk()))
            with pytest.raises(AuthorityError) as enrolling:
                own = EnrolIdentity(jwk=person.public.jwk(), owner="operator:cleo")
                await cleo.act("agent.enrol", "agent:mine", own)
        assert enrolling.value.status == 403
        for client in ("agent:scale", "operator:cleo"):
            assert (await knock(authority, person, client)).status_code in {400, 401}
        assert [each["actor"] for each in await ada.entries("hold.placed")] == []
