"""Acts that are refused: with which status and words, on the ledger, and with nothing changed."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from placet.authority._acts import lapse_proposals
from placet.authority._store import (
    CampaignItemRow,
    Identity,
    ProposalRow,
    SignedActRow,
    Tx,
)
from placet.model import (
    ADMINISTRATOR,
    CarriedOut,
    EnrolIdentity,
    InviteAgent,
    Reviewed,
    SignedAct,
    StartCampaign,
    digest_json,
)
from placet.tokens import SigningKey, invitation_key
from tests.harness.acting import Acting, acting, session_row
from tests.spine.test_identities import registration

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = {"reason": "a test"}
CODE = invitation_key("operator:ines", "ABCDE-FGHIJ").thumbprint
TOKEN = invitation_key("agent:scale", "ABCDE-FGHIJ").thumbprint
FRESH_CODE = invitation_key("operator:ines", "KLMNO-PQRST").thumbprint
ADAS = "a key of ada's"


def _jwk() -> dict[str, Any]:
    return dict(SigningKey.generate().public.jwk())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority with people and identities in every standing."""
    async with acting(tmp_path_factory.mktemp("acts")) as made:
        await made.enrol("bea", ADMINISTRATOR)
        await made.enrol("mira", ADMINISTRATOR, "management")
        for name in ("cleo", "gone", "paused"):
            await made.enrol(name, "clerk")
        await made.act("ada", "operator.offboard", "operator:gone", WHY)
        await made.act("ada", "operator.suspend", "operator:paused", WHY)
        for kind, name in (("agent", "scale"), ("agent", "retired"), ("system", "customs")):
            owner = "operator:ada" if kind == "agent" else None
            url = "http://customs.test" if kind == "system" else None
            body = EnrolIdentity(jwk=_jwk(), owner=owner, url=url)
            await made.act("ada", f"{kind}.enrol", f"{kind}:{name}", body)
        await made.act("ada", "agent.offboard", "agent:retired", WHY)
        invited = {"roles": ["clerk"], "invitation_key": CODE}
        await made.act("ada", "operator.invite", "operator:ines", invited)
        await made.act("ada", "agent.invite", "agent:scale", _invite_agent(TOKEN))
        for name in ("nightly", "ended"):
            rows = [{"identity": f"bot:{name}", "said": _said()}]
            await made.act("ada", "identity.import", "iam", {"rows": rows})
        await made.act("ada", "identity.end", "bot:ended", WHY)
        await made.act("mira", "campaign.start", "spring", _identities("bot:nightly"))
        await made.act("bea", "campaign.start", "summer", _identities("bot:nightly"))
        await made.write(lambda tx: _ended_by_hand(tx, made))
        await made.act("mira", "campaign.acknowledge", "summer", _counts())
        yield made


def _said(**changed: Any) -> dict[str, Any]:
    return registration(**changed).model_dump(mode="json", exclude_none=True)


def _identities(*named: str) -> StartCampaign:
    return StartCampaign(identities=named)


def _counts(kept: int = 1) -> dict[str, int]:
    return {"kept": kept, "narrowed": 0, "ended": 0, "suspended": 0}


def _invite_agent(key: str) -> InviteAgent:
    return InviteAgent(environment="production", task_queues=("scale",), invitation_key=key)


def _ended_by_hand(tx: Tx, at: Acting) -> None:
    """What took a review or a sign-in to become so."""
    done = CarriedOut(identity="bot:nightly", outcome=Reviewed.KEPT)
    for campaign in ("spring", "summer"):
        tx.change(CampaignItemRow, (campaign, 1), done_json=done.model_dump_json(exclude_none=True))
    tx.add(session_row("operator:cleo", tx.now, status="ended"))


_REFUSED: dict[str, tuple[str, str, str, Any, int, str, tuple[str, ...]]] = {
    "enrols-their-own-key": (
        "ada",
        "operator.enrol",
        "operator:ada",
        {"jwk": _jwk(), "roles": [ADMINISTRATOR]},
        403,
        "nobody enrols keys for themselves",
        ("segregation",),
    ),
    "invites-themselves": (
        "ada",
        "operator.invite",
        "operator:ada",
        {"roles": [ADMINISTRATOR], "invitation_key": FRESH_CODE},
        403,
        "nobody enrols keys for themselves",
        ("segregation",),
    ),
    "changes-their-own-roles": (
        "ada",
        "operator.roles",
        "operator:ada",
        {"roles": [ADMINISTRATOR, "clerk"]},
        403,
        "nobody changes their own roles",
        ("segregation",),
    ),
    "changes-their-own-status": (
        "ada",
        "operator.suspend",
        "operator:ada",
        WHY,
        403,
        "nobody changes their own status",
        ("segregation",),
    ),
    "revokes-their-own-key": (
        "ada",
        "key.revoke",
        ADAS,
        WHY,
        403,
        "nobody revokes their own keys",
        ("segregation",),
    ),
    "revokes-an-unknown-key": ("ada", "key.revoke", "A" * 43, WHY, 409, "no active key", ()),
    "enrols-who-is-gone": (
        "ada",
        "agent.enrol",
        "agent:retired",
        {"jwk": _jwk(), "owner": "operator:ada"},
        409,
        "agent:retired is offboarded",
        (),
    ),
    "enrols-for-another-owner": (
        "ada",
        "agent.enrol",
        "agent:scale",
        {"jwk": _jwk(), "owner": "operator:bea"},
        409,
        "agent:scale is owned by operator:ada; see identity.register",
        (),
    ),
    "enrols-for-an-owner-who-is-paused": (
        "ada",
        "agent.enrol",
        "agent:new",
        {"jwk": _jwk(), "owner": "operator:paused"},
        409,
        "owner: there is no active operator operator:paused",
        (),
    ),
    "invites-an-agent-as-operator": (
        "ada",
        "operator.invite",
        "agent:scale",
        {"roles": ["clerk"], "invitation_key": FRESH_CODE},
        400,
        "target: operator.invite invites an operator:<name>",
        (),
    ),
    "invites-no-name": (
        "ada",
        "operator.invite",
        "operator:No-Name",
        {"roles": ["clerk"], "invitation_key": FRESH_CODE},
        400,
        "target: operator.invite invites an operator:<name>",
        (),
    ),
    "invites-into-other-roles": (
        "ada",
        "operator.invite",
        "operator:cleo",
        {"roles": ["chief"], "invitation_key": FRESH_CODE},
        409,
        "operator:cleo is enrolled with other roles",
        (),
    ),
    "invites-who-is-gone": (
        "ada",
        "operator.invite",
        "operator:gone",
        {"roles": ["clerk"], "invitation_key": FRESH_CODE},
        409,
        "operator:gone is offboarded",
        (),
    ),
    "invites-with-a-code-that-was-given": (
        "ada",
        "operator.invite",
        "operator:ines",
        {"roles": ["clerk"], "invitation_key": CODE},
        409,
        "this code was used for another invitation",
        (),
    ),
    "sets-roles-of-nobody": (
        "ada",
        "operator.roles",
        "operator:nobody",
        {"roles": ["clerk"]},
        409,
        "there is no operator operator:nobody",
        (),
    ),
    "sets-roles-of-an-agent": (
        "ada",
        "operator.roles",
        "agent:scale",
        {"roles": ["clerk"]},
        409,
        "there is no operator agent:scale",
        (),
    ),
    "sets-roles-of-who-is-gone": (
        "ada",
        "operator.roles",
        "operator:gone",
        {"roles": ["clerk"]},
        409,
        "there is no operator operator:gone",
        (),
    ),
    "ends-no-session": ("ada", "session.end", "session-0", {}, 409, "no such session", ()),
    "ends-a-session-twice": ("cleo", "session.end", "session-1", {}, 409, "it has ended", ()),
    "resends-what-is-no-number": (
        "ada",
        "notice.resend",
        "one",
        {},
        400,
        "target: must be a delivery's number",
        (),
    ),
    "resends-a-number-beyond-all": (
        "ada",
        "notice.resend",
        "1" * 16,
        {},
        400,
        "target: must be a delivery's number",
        (),
    ),
    "publishes-rules-elsewhere": (
        "ada",
        "governance.publish",
        "rules",
        {"version": 1},
        400,
        "target: must be governance",
        (),
    ),
    "invites-an-operator-as-agent": (
        "ada",
        "agent.invite",
        "operator:cleo",
        _invite_agent(FRESH_CODE),
        400,
        "target: agent.invite invites an agent:<name>",
        (),
    ),
    "invites-no-agents-name": (
        "ada",
        "agent.invite",
        "agent:No-Name",
        _invite_agent(FRESH_CODE),
        400,
        "target: agent.invite invites an agent:<name>",
        (),
    ),
    "invites-with-a-token-that-was-given": (
        "ada",
        "agent.invite",
        "agent:scale",
        _invite_agent(TOKEN),
        409,
        "this token was used for another invitation",
        (),
    ),
    "ends-what-has-ended": (
        "ada",
        "identity.end",
        "bot:ended",
        WHY,
        409,
        "bot:ended has ended already",
        (),
    ),
    "registers-for-an-agent-as-owner": (
        "ada",
        "identity.register",
        "bot:nightly",
        _said(owner="operator:gone"),
        409,
        "owner: there is no active operator operator:gone",
        (),
    ),
    "imports-from-no-name": (
        "ada",
        "identity.import",
        "No-Name",
        {"rows": [{"identity": "bot:new", "said": _said()}]},
        400,
        "target: must be the source's name",
        (),
    ),
    "orders-what-has-ended": (
        "ada",
        "identity.order",
        "bot:ended",
        {"goal": "rotate", **WHY},
        409,
        "bot:ended has ended already",
        ("past_end_date",),
    ),
    "starts-a-campaign-without-a-name": (
        "bea",
        "campaign.start",
        "No-Name",
        _identities("bot:nightly"),
        400,
        "target: must be a campaign's name",
        (),
    ),
    "starts-a-campaign-again": (
        "bea",
        "campaign.start",
        "spring",
        _identities("bot:nightly"),
        409,
        "the campaign spring was started before",
        (),
    ),
    "starts-with-one-twice": (
        "bea",
        "campaign.start",
        "autumn",
        _identities("bot:nightly", "bot:nightly"),
        400,
        "identities: one is named twice",
        (),
    ),
    "starts-with-an-unknown-one": (
        "bea",
        "campaign.start",
        "autumn",
        _identities("bot:nightly", "bot:unknown"),
        409,
        "the registry has no bot:unknown",
        (),
    ),
    "acknowledges-no-campaign": (
        "mira",
        "campaign.acknowledge",
        "winter",
        _counts(),
        409,
        "there is no such campaign",
        (),
    ),
    "acknowledges-their-own-campaign": (
        "mira",
        "campaign.acknowledge",
        "spring",
        _counts(),
        403,
        "nobody acknowledges a campaign that they started",
        ("segregation",),
    ),
    "acknowledges-twice": (
        "mira",
        "campaign.acknowledge",
        "summer",
        _counts(),
        409,
        "it was acknowledged by operator:mira",
        (),
    ),
    "countersigns-nothing": (
        "ada",
        "act.countersign",
        "no-act-of-anybody",
        {"act": "operator.enrol", "target": "operator:x", "body_digest": "sha-256:" + "A" * 43},
        409,
        "no such act waits for a second signature",
        (),
    ),
    "withdraws-nothing": (
        "ada",
        "act.withdraw",
        "no-act-of-anybody",
        WHY,
        409,
        "no such act waits for a second signature",
        (),
    ),
}


@pytest.mark.parametrize("name", _REFUSED)
async def test_it_is_refused_in_words_and_changes_nothing(at: Acting, name: str) -> None:
    """I4, I6: nobody enrols, invites, promotes, suspends or reviews themselves, and nothing is done
    to who or what is not there, has ended, or was done before."""
    by, act, target, body, status, said, reasons = _REFUSED[name]
    target = at.keys["ada"].thumbprint if target == ADAS else target
    await at.refuses_act(by, act, target, body, status, said, *reasons)


async def test_an_id_is_one_acts(at: Acting) -> None:
    """I11: nothing else is carried out under it, nor as if it were that one, sent again late."""
    jti, hold = secrets.token_urlsafe(18), ("hold.place", "depot/D1")
    first = at.sign("cleo", *hold, WHY, jti=jti)
    answer = await at.acts.perform(first)
    assert await at.acts.perform(first) == answer
    other = at.sign("bea", "hold.place", "depot/D2", WHY, jti=jti)
    async with at.refuses(409, "this jti was used for another act") as told:
        await at.acts.perform(other)
    old = int((at.core.clock() - timedelta(days=1)).timestamp())
    late = at.sign("cleo", "hold.place", "depot/D3", WHY, jti=jti, iat=old)
    async with at.refuses(401, "the act's signature: "):
        await at.acts.perform(late)
    assert told == []


async def test_a_system_is_suspended_as_agents_are_and_a_further_key_changes_no_more_of_it(
    at: Acting,
) -> None:
    """I10: its address and owner stay; it stands on the ledger as an agent's suspension does."""
    await at.act("ada", "identity.register", "system:customs", _said())
    body = EnrolIdentity(jwk=_jwk())
    await at.act("ada", "system.enrol", "system:customs", body)
    await at.act("ada", "system.suspend", "system:customs", WHY)
    known = await at.core.store.read(lambda reader: reader.get(Identity, "system:customs"))
    assert known is not None
    assert (known.status, known.url) == ("suspended", "http://customs.test")
    last = (await at.entries())[-1]
    assert (last["type"], last["data"]["target"]) == ("agent.suspended", "system:customs")
    await at.act("ada", "system.resume", "system:customs", WHY)


# --- what two must sign --------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module")
async def two(tmp_path: Path) -> AsyncIterator[Acting]:
    """An authority whose administrators, ada and bea, both sign; cleo is a clerk."""
    async with acting(tmp_path, signatures=2) as made:
        key = made.keys["cleo"] = SigningKey.generate()
        proposed = await _propose(made, "cleo", key)
        await made.act("bea", "act.countersign", proposed.jti, _seen(proposed))
        yield made


@dataclass(frozen=True)
class Proposed:
    """An act of ada's that waits."""

    jti: str
    target: str
    digest: str


async def _propose(at: Acting, name: str, key: SigningKey | None = None) -> Proposed:
    jwk = (key or SigningKey.generate()).public.jwk()
    target = f"operator:{name}"
    signed = at.sign("ada", "operator.enrol", target, EnrolIdentity(jwk=jwk, roles=("clerk",)))
    assert (await at.acts.perform(signed)).status == "proposed"
    return Proposed(_jti(signed), target, digest_json(signed.body))


def _jti(signed: SignedAct) -> str:
    return str(jwt.decode(signed.act, options={"verify_signature": False})["jti"])


def _seen(proposed: Proposed, **changed: str) -> dict[str, str]:
    said = {
        "act": "operator.enrol",
        "target": proposed.target,
        "body_digest": proposed.digest,
    }
    return {**said, **changed}


async def test_a_second_signature_is_on_what_was_proposed_and_in_time(two: Acting) -> None:
    """I6: whoever countersigns another act, or too late, has nothing carried out."""
    waits = await _propose(two, "cid")
    said = "body: it is not what was proposed; read it again"
    for changed in (
        {"act": "operator.roles"},
        {"target": "operator:una"},
        {"body_digest": "sha-256:" + "A" * 43},
    ):
        body = _seen(waits, **changed)
        await two.refuses_act("bea", "act.countersign", waits.jti, body, 400, said)
    hold = two.sign("bea", "hold.place", "depot/D1", WHY)
    await two.acts.perform(hold)
    said = "no such act waits for a second signature"
    await two.refuses_act("bea", "act.countersign", _jti(hold), _seen(waits), 409, said)
    two.now[0] += timedelta(hours=72)
    said = "this act has lapsed; propose it again"
    await two.refuses_act("bea", "act.countersign", waits.jti, _seen(waits), 409, said)


async def test_what_waits_is_withdrawn_by_an_administrator_and_lapses_once(two: Acting) -> None:
    """I6, I11: nobody else takes it back; of two replicas that find it late, one says so."""
    first, second = await _propose(two, "cid"), await _propose(two, "una")
    said = "act.withdraw needs the role administrator"
    await two.refuses_act("cleo", "act.withdraw", first.jti, WHY, 403, said, "role")
    await two.act("bea", "act.withdraw", first.jti, WHY)
    two.now[0] += timedelta(hours=72)
    await asyncio.gather(*(lapse_proposals(two.core) for _ in range(3)))
    lapsed = [each["data"] for each in await two.entries() if each["type"] == "act.lapsed"]
    assert lapsed == [{"proposal": second.jti}]
    async with two.refuses(409, "this act is lapsed; it waits for nobody"):
        await two.act("bea", "act.countersign", second.jti, _seen(second))


@pytest.mark.parametrize("forged", ["body", "act", "digest-too"])
async def test_no_body_is_slipped_under_a_proposers_signature(two: Acting, forged: str) -> None:
    """I6: what the second person has carried out is what the first one signed, to the letter."""
    key = SigningKey.generate()
    waits = await _propose(two, "cid", key)
    other = await (_propose(two, "cid", key) if forged == "act" else _propose(two, "thief"))

    def forge(tx: Tx) -> None:
        theirs = tx.get(SignedActRow, other.jti)
        assert theirs is not None
        changed = {"jws": theirs.jws} if forged == "act" else {"body_json": theirs.body_json}
        tx.change(SignedActRow, waits.jti, **changed)
        if forged == "digest-too":
            tx.change(ProposalRow, waits.jti, body_digest=other.digest)

    await two.write(forge)
    body = _seen(waits, body_digest=other.digest if forged == "digest-too" else waits.digest)
    said = "what is kept of this act is not what was signed"
    await two.refuses_act("bea", "act.countersign", waits.jti, body, 409, said)
