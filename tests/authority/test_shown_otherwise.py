"""What answers shows something else than it has people sign: the client signs and sends nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from placet.client import AuthorityAway, AuthorityError, EvidenceMismatch, OperatorClient
from placet.model import (
    CheckpointStatus,
    CheckpointView,
    Evidence,
    EvidenceItem,
    ImportedIdentity,
    Need,
    Part,
    Proposal,
    ProposalView,
    RegisterIdentity,
    Requirement,
    RowCut,
    Verdict,
    digest_json,
)
from placet.tokens import SigningKey

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SALT, RECORD = "A" * 43, "depot/D1/parcel/7"
CASE, CHECKPOINT, GRANT = (f"{kind}-{'0' * 26}" for kind in ("case", "ckpt", "grant"))


class Server:
    """Answers as a test says, and notes what was sent to it."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.says: dict[str, Any] = {}
        self.session: Any = {"access_token": "token", "expires_in": 600, "token_type": "DPoP"}

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/oauth/token":
            return httpx.Response(200, json=self.session)
        if request.method == "POST":
            self.sent.append(path)
        if path == "/ledger/checkpoint":
            return httpx.Response(404, json={"error": "not_found"})
        status, body = self.says.get(path, (404, {"error": "not_found"}))
        return httpx.Response(status, json=body)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[OperatorClient]:
    transport = httpx.MockTransport(server.answer)
    key = SigningKey.generate()
    issuer = "http://authority.test"
    async with OperatorClient(issuer, "operator:ada", key, transport=transport) as made:
        yield made


ROW = ImportedIdentity(
    identity="bot:nightly",
    said=RegisterIdentity(
        owner="operator:olga", purpose="a test", environment="test", review_by=NOW, ends_at=NOW
    ),
)
PART = Part(name="weight", record=RECORD, salt=SALT, data={"value": "80.00"})


def shown(amount: str | None = "80.00", name: str = "release") -> CheckpointView:
    """A checkpoint as it is."""
    item = EvidenceItem(
        name="weight", record=RECORD, digest=PART.digest, agent="agent:scale", grant=GRANT
    )
    value = None if amount is None else Decimal(amount)
    evidence = Evidence(
        case=CASE,
        checkpoint=name,
        subject=RECORD,
        salt=SALT,
        items=(item,),
        proposal=Proposal(amount=value),
    )
    requirement = Requirement(
        checkpoint=name,
        matrix_digest=digest_json({"matrix": 1}),
        matrix_version=1,
        needs=(Need(roles=("clerk",), count=1),),
        amount=value,
    )
    return CheckpointView(
        id=CHECKPOINT,
        case=CASE,
        name=name,
        title="Release",
        subject=RECORD,
        status=CheckpointStatus.OPEN,
        opened_at=NOW,
        deadline=NOW,
        evidence_digest=digest_json(evidence),
        requirement_digest=digest_json(requirement),
        evidence=evidence,
        requirement=requirement,
    )


async def test_other_evidence_than_its_digest_is_not_signed(
    server: Server, client: OperatorClient
) -> None:
    """I6: another amount is shown than the digest is of."""
    view = shown()
    other = view.model_copy(update={"evidence": shown("8.00").evidence})
    with pytest.raises(EvidenceMismatch, match="the evidence shown"):
        await client.decide(other, Verdict.APPROVE, amount=Decimal("8.00"))
    assert server.sent == []


async def test_another_body_than_was_proposed_is_not_countersigned(
    server: Server, client: OperatorClient
) -> None:
    """I6: other roles are shown than the first administrator signed."""
    signed, told = {"roles": ["chief"]}, {"roles": ["clerk"]}
    proposal = ProposalView(
        jti="j" * 24,
        act="operator.roles",
        target="operator:cleo",
        proposed_by="operator:bea",
        proposed_at=NOW,
        lapses_at=NOW,
        status="proposed",
        body_digest=digest_json(signed),
        body=told,
        jws="a.b.c",
    )
    with pytest.raises(EvidenceMismatch, match="the body shown"):
        await client.countersign(proposal)
    assert server.sent == []


async def test_another_part_than_was_settled_is_not_shown(
    server: Server, client: OperatorClient
) -> None:
    """I13: under the digest that the evidence names."""
    path = f"/v1/cases/{CASE}/parts/{PART.digest}"
    other = PART.model_copy(update={"data": {"value": "8.00"}})
    for part, fits in ((PART, True), (other, False)):
        told = {"part": part.model_dump(mode="json"), "digest": PART.digest, "grant": GRANT}
        server.says[path] = (200, {**told, "agent": "agent:scale"})
        if fits:
            assert (await client.part(CASE, PART.digest)).part == PART
            continue
        with pytest.raises(EvidenceMismatch, match="not the one that was settled"):
            await client.part(CASE, PART.digest)


async def test_what_has_no_amount_is_not_lowered(server: Server, client: OperatorClient) -> None:
    """I12: there is nothing that a row could be taken from."""
    with pytest.raises(ValueError, match="no amount"):
        await client.lower(shown(None), [RowCut(item="1", amount=Decimal(1), reason="broken")])
    assert server.sent == []


async def test_checkpoints_of_two_kinds_are_not_decided_at_once(
    server: Server, client: OperatorClient
) -> None:
    """I6: somebody has read one kind, and would sign for another."""
    with pytest.raises(ValueError, match="of one kind at once"):
        await client.decide_many([shown(), shown(name="customs")], Verdict.REJECT)
    with pytest.raises(ValueError, match="of one kind at once"):
        await client.decide_many([], Verdict.REJECT)
    assert server.sent == []


@pytest.mark.parametrize("session", [{"access_token": 1}, {"expires_in": "soon"}, {}])
async def test_a_session_that_is_none_is_no_authoritys(
    server: Server, client: OperatorClient, session: dict[str, Any]
) -> None:
    """I12: whatever answers there, it is told as being away."""
    server.session = {**server.session, **session} if session else {}
    with pytest.raises(AuthorityAway, match="is no authority"):
        await client.governance()


async def test_an_import_goes_on_after_what_says_nothing_new_and_nothing_else(
    server: Server, client: OperatorClient
) -> None:
    """I12: an inventory that is refused for another reason is told so."""
    for reasons in (["unchanged"], ["role"]):
        problem = {"error": "conflict", "error_description": "no", "reasons": reasons}
        server.says["/v1/acts"] = (409, problem)
        if reasons == ["unchanged"]:
            assert await client.import_identities("aws", [ROW]) == (0, 0)
            continue
        with pytest.raises(AuthorityError, match="no"):
            await client.import_identities("aws", [ROW])
