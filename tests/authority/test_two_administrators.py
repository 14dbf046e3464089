"""Two administrators sign what changes who may approve, where the lender asks for two."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from placet.audit import LogFiles, verify
from placet.audit._report import Collector
from placet.audit._scene import Scene
from placet.audit._verify import Walk
from placet.cli._fetch import fetch_log
from placet.client import AuthorityError, OperatorClient
from placet.ledger import Entry
from placet.model import ActAnswer, AddKey, EnrolIdentity, Governance, Reason
from placet.tokens import SigningKey
from tests.harness.alone import Alone, alone
from tests.harness.world import until


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Alone]:
    """An authority whose first administrators, ada and bea, both sign."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}", signatures=2) as made:
        yield made


def _enrolment(key: SigningKey, *roles: str) -> EnrolIdentity:
    return EnrolIdentity(jwk=key.public.jwk(), roles=roles or ("clerk",))


async def _operators(client: OperatorClient) -> list[str]:
    return [each["principal"] for each in await client.identities("operator")]


async def holds(client: OperatorClient) -> list[tuple[str, str]]:
    """What the audit finds wrong with the whole log, once its head covers it."""

    async def covered() -> bool:
        head, entries = await client.head(), await client.get("/v1/ledger/entries?limit=1024")
        return head is not None and int(head.split("\n")[1]) == len(entries["entries"])

    await until(covered)
    return [(each.name, each.found) for each in verify(await fetch_log(client)).troubles]


async def _propose(client: OperatorClient, act: str, target: str, body: Any) -> ActAnswer:
    answer = await client.act(act, target, body)
    assert answer.status == "proposed"
    return answer


async def test_an_enrolment_takes_effect_with_the_second_signature(authority: Alone) -> None:
    """I6: one administrator alone enrols nobody; the second signs what the first signed."""
    key = SigningKey.generate()
    async with authority.ada() as ada, authority.bea() as bea:
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(key))
        assert await _operators(ada) == ["operator:ada", "operator:bea"]
        (waiting,) = await bea.proposals()
        assert (waiting.act, waiting.target) == ("operator.enrol", "operator:cleo")
        assert waiting.body["roles"] == ["clerk"]
        done = await bea.countersign(waiting)
        assert (done.status, done.target) == ("done", waiting.jti)
        assert await _operators(ada) == ["operator:ada", "operator:bea", "operator:cleo"]
        assert await bea.proposals() == []
        (ended,) = await bea.proposals("effective")
        assert ended.ended_by == "operator:bea"
        async with OperatorClient(authority.settings.issuer, "operator:cleo", key) as cleo:
            assert await cleo.cases() == []
        assert await holds(ada) == []


async def test_nobody_signs_twice(authority: Alone) -> None:
    """I6: the second signature is another person's, also under another key of the first."""
    another = SigningKey.generate()
    async with authority.ada() as ada:
        await ada.act("key.add", "operator:ada", AddKey(jwk=another.public.jwk()))
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(SigningKey.generate()))
        (waiting,) = await ada.proposals()
        twin = OperatorClient(authority.settings.issuer, "operator:ada", another)
        async with twin:
            for again in (ada, twin):
                with pytest.raises(AuthorityError) as refused:
                    await again.countersign(waiting)
                assert (refused.value.status, refused.value.problem.reasons) == (
                    403,
                    ("segregation",),
                )
        assert await _operators(ada) == ["operator:ada", "operator:bea"]
        assert await holds(ada) == []


async def test_an_administrator_alone_gets_no_key_of_someone_else(authority: Alone) -> None:
    """I6: nobody can enrol a key of their own for an operator and decide as that person."""
    key, planted, own = (SigningKey.generate() for _ in range(3))
    issuer = authority.settings.issuer
    async with authority.ada() as ada, authority.bea() as bea:
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(key))
        await bea.countersign((await bea.proposals())[0])
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(planted))
        async with OperatorClient(issuer, "operator:cleo", planted) as thief:
            with pytest.raises(AuthorityError, match="key"):
                await thief.cases()
        (waiting,) = await bea.proposals()
        await ada.act("act.withdraw", waiting.jti, Reason(reason="a test"))
        async with OperatorClient(issuer, "operator:cleo", key) as cleo:
            await cleo.act("key.add", "operator:cleo", AddKey(jwk=own.public.jwk()))
            await _propose(
                ada, "operator.enrol", "operator:cleo", _enrolment(SigningKey.generate())
            )
            (waiting,) = await cleo.proposals()
            await cleo.countersign(waiting)  # with their own earlier key
        async with OperatorClient(issuer, "operator:cleo", own) as elsewhere:
            with pytest.raises(AuthorityError) as refused:
                await elsewhere.act("key.add", "operator:ada", AddKey(jwk=planted.public.jwk()))
            assert refused.value.problem.reasons == ("segregation",)
        assert await holds(ada) == []


async def test_an_owner_signs_for_their_key_and_for_nothing_else(authority: Alone) -> None:
    """I6: who is enrolled countersigns a key of theirs, not their own roles."""
    key = SigningKey.generate()
    async with authority.ada() as ada, authority.bea() as bea:
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(key))
        await bea.countersign((await bea.proposals())[0])
        await _propose(ada, "operator.roles", "operator:cleo", {"roles": ["chief", "clerk"]})
        async with OperatorClient(authority.settings.issuer, "operator:cleo", key) as cleo:
            (waiting,) = await cleo.proposals()
            with pytest.raises(AuthorityError) as refused:
                await cleo.countersign(waiting)
            assert refused.value.problem.reasons == ("role",)
        await bea.countersign(waiting)
        (cleos,) = [
            each
            for each in await ada.identities("operator")
            if each["principal"] == "operator:cleo"
        ]
        assert cleos["roles"] == ["chief", "clerk"]
        assert await holds(ada) == []


async def test_what_is_withdrawn_or_lapsed_never_takes_effect(authority: Alone) -> None:
    """I4: an act that waits has an end, on the ledger."""
    async with authority.ada() as ada, authority.bea() as bea:
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(SigningKey.generate()))
        (withdrawn,) = await bea.proposals()
        await ada.act("act.withdraw", withdrawn.jti, Reason(reason="a mistake"))
        await _propose(ada, "operator.enrol", "operator:cid", _enrolment(SigningKey.generate()))
        (lapsed,) = await bea.proposals()
        authority.ahead = timedelta(hours=72, seconds=1)

        async def gone() -> bool:
            return await bea.proposals() == []

        await until(gone)
        for each, said in ((withdrawn, "withdrawn"), (lapsed, "lapsed")):
            with pytest.raises(AuthorityError, match=said) as refused:
                await bea.countersign(each)
            assert refused.value.status == 409
        assert await _operators(ada) == ["operator:ada", "operator:bea"]
        assert await holds(ada) == []


async def test_two_who_countersign_at_once_count_once(database_url: str) -> None:
    """I11: of two second signatures in the same instant, one takes effect."""
    async with (
        alone(database_url, signatures=2) as authority,
        authority.ada() as ada,
        authority.bea() as bea,
    ):
        await _propose(
            ada,
            "operator.enrol",
            "operator:cyd",
            _enrolment(SigningKey.generate(), "administrator"),
        )
        await bea.countersign((await bea.proposals())[0])
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(SigningKey.generate()))
        (waiting,) = await bea.proposals()
        answers = await asyncio.gather(
            bea.countersign(waiting), bea.countersign(waiting), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in answers) == ["ActAnswer", "AuthorityError"]
        entries = (await ada.get("/v1/ledger/entries?limit=1024"))["entries"]
        assert sum('"operator:cleo"' in each and "key.enrolled" in each for each in entries) == 1


async def test_whoever_may_not_act_any_more_proposes_nothing(authority: Alone) -> None:
    """I10: an act of someone who was suspended meanwhile does not take effect."""
    async with authority.ada() as ada, authority.bea() as bea:
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(SigningKey.generate()))
        (waiting,) = await bea.proposals()
        await bea.act("operator.suspend", "operator:ada", Reason(reason="a test"))
        with pytest.raises(AuthorityError) as refused:
            await bea.countersign(waiting)
        assert refused.value.problem.reasons == ("I10", "suspended")


async def test_what_could_not_take_effect_is_not_proposed(authority: Alone) -> None:
    """I12: a wrong act is refused before anyone is asked for a second signature."""
    async with authority.ada() as ada:
        for act, target, body in (
            ("operator.enrol", "operator:cleo", {"jwk": {"kty": "EC"}, "roles": ["clerk"]}),
            ("policy.publish", "parcel-check", {"policies": "permit(", "cedar_schema": ""}),
            ("governance.publish", "governance", {"version": 0}),
        ):
            with pytest.raises(AuthorityError) as refused:
                await ada.act(act, target, body)
            assert refused.value.status in {400, 409}
        assert await ada.proposals(None) == []


async def test_two_stay_two_until_two_say_otherwise(authority: Alone) -> None:
    """I6: one administrator can't lower the number of signatures."""
    rules = Governance(version=1, signatures=1)
    async with authority.ada() as ada, authority.bea() as bea:
        await _propose(ada, "governance.publish", "governance", rules)
        assert (await ada.governance()).signatures == 2
        await bea.countersign((await bea.proposals())[0])
        assert (await ada.governance()).signatures == 1
        done = await ada.act("operator.enrol", "operator:cleo", _enrolment(SigningKey.generate()))
        assert done.status == "done"
        assert await holds(ada) == []


async def test_one_administrator_can_not_ask_for_two(tmp_path: Path) -> None:
    """A log that nobody could change any more is refused."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as made, made.ada() as ada:
        with pytest.raises(AuthorityError, match="second"):
            await ada.act("governance.publish", "governance", Governance(version=1, signatures=2))


_FORGERIES = {
    "second-signature-left-out": ("key.enrolled", {"second": None}, "act-one-person"),
    "second-signature-of-another-act": ("key.enrolled", {"second": "x" * 24}, "act-one-person"),
    "countersigned-by-the-proposer": ("act.countersigned", "operator:ada", "act-one-person"),
    "countersigned-too-late": ("act.proposed", {"lapses_at": 1}, "act-refusable"),
    "countersigned-never": ("act.countersigned", None, "act-one-person"),
    "another-act-proposed": ("act.proposed", {"name": "agent.enrol"}, "act-says-other"),
    "another-body-proposed": ("act.proposed", {"body_digest": "sha-256:" + "A" * 43}, "act-body"),
}


@pytest.fixture
async def signed_by_two(authority: Alone) -> LogFiles:
    """A log in which two enrolled a third."""
    async with authority.ada() as ada, authority.bea() as bea:
        await _propose(ada, "operator.enrol", "operator:cleo", _enrolment(SigningKey.generate()))
        await bea.countersign((await bea.proposals())[0])
        return await fetch_log(ada)


async def test_the_audit_finds_what_two_did_not_sign(signed_by_two: LogFiles) -> None:
    """I6: whoever owns the log can't make one administrator's word two."""
    assert troubles(signed_by_two, "", {}) == set()
    for name, (type_, change, trouble) in _FORGERIES.items():
        assert trouble in troubles(signed_by_two, type_, change), name


def troubles(files: LogFiles, type_: str, change: Any) -> set[str]:
    """What a walk finds once the last entry of a type says something else, or is left out."""
    entries = [json.loads(each) for each in files.entries]
    last = max((at for at, each in enumerate(entries) if each["type"] == type_), default=None)
    if last is not None and change is None:
        del entries[last]
    elif last is not None and isinstance(change, str):
        entries[last]["actor"] = change
    elif last is not None:
        data = {**entries[last]["data"], **change}
        entries[last]["data"] = {name: value for name, value in data.items() if value is not None}
    collector = Collector()
    walk = Walk(Scene(files, collector))
    for index, each in enumerate(entries):
        walk.entry(index, Entry.model_validate_json(json.dumps(each)))
    return {each.name for each in collector.report().troubles}
