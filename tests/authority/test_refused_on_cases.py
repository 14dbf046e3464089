"""What is refused about a case: opening, ending, admitting and erasing it, its files and its keys."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from placet.authority._approvals import void_approved, waits_to_be_used
from placet.authority._definitions import Definitions
from placet.authority._payloads import PayloadService
from placet.authority._store import Case, Checkpoint, DecisionRow, Remark, Tx
from placet.authority._views import Views
from placet.model import AskKeys, OpenCase, trouble_digest
from tests.harness.acting import Acting, acting
from tests.harness.crowd import NOON, Asked, number_id, parcel_case, put
from tests.harness.granting import enrolled, sender
from tests.harness.processes import DEFINITION, matrix
from tests.tokens.samples import sign_raw

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = {"reason": "a test"}
NOWHERE, OPENING, GOES_ON, BARE = (number_id("case", each) for each in (99, 1, 2, 3))
UNRULED, ANOTHER, UNOPENED = "unruled", "another", "unopened"


_NO_STEP, _NOT_RUNNING = "no step of this agent runs in such a case", ("I1", "not_running")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority with cases that are opening, open, and closed."""
    async with acting(tmp_path_factory.mktemp("cases")) as made:
        await made.enrol("pat", "porter")
        for name in (DEFINITION.name, UNRULED, ANOTHER, UNOPENED):
            definition = DEFINITION.model_copy(update={"name": name})
            await made.act("ada", "process.publish", name, definition)
        kept = matrix().model_copy(update={"retention_days": 0})
        await made.act("ada", "matrix.publish", DEFINITION.name, kept)
        other = matrix().model_copy(update={"process": ANOTHER})
        await made.act("ada", "matrix.publish", ANOTHER, other)
        closing = matrix().model_copy(update={"process": UNOPENED, "openers": ()})
        await made.act("ada", "matrix.publish", UNOPENED, closing)
        closed: dict[str, Any] = {"status": "closed", "closed_at": NOON, "archived_at": NOON}

        def cases(tx: Tx) -> None:
            tx.add(parcel_case(1, status="opening"))
            tx.add(parcel_case(2))
            tx.add(parcel_case(3, process=UNRULED, **closed))
            tx.add(parcel_case(4, **{**closed, "archived_at": None, "lost_at": NOON}))

        await made.write(cases)
        yield made


_NO_CASE = (409, "there is no such case")
_REFUSED: dict[str, tuple[str, str, str, Any, int, str, tuple[str, ...]]] = {
    "opens-what-nobody-rules": (
        "pat",
        "case.open",
        "depot/D1/parcel/50",
        OpenCase(process=UNRULED, subject="depot/D1/parcel/50"),
        409,
        "process unruled or its matrix is not published",
        (),
    ),
    "opens-what-nobody-opens": (
        "pat",
        "case.open",
        "depot/D1/parcel/50",
        OpenCase(process=UNOPENED, subject="depot/D1/parcel/50"),
        403,
        "case.open is nobody's: the matrix of unopened names no openers",
        ("role",),
    ),
    "opens-what-another-process-has-open": (
        "pat",
        "case.open",
        "depot/D1/parcel/2",
        OpenCase(process=ANOTHER, subject="depot/D1/parcel/2"),
        409,
        "depot/D1/parcel/2 has an open case already",
        (),
    ),
    "admits-nothing": (
        "ada",
        "case.admit",
        NOWHERE,
        {"trouble_digest": trouble_digest(None, None), **WHY},
        409,
        "there is no such stopped case, nor a closed one with an alarm",
        (),
    ),
    "admits-nothing-in-a-run": (
        "ada",
        "case.admit",
        NOWHERE,
        {"trouble_digest": trouble_digest(None, None), "run_id": "0" * 36, **WHY},
        409,
        "there is no such stopped case, nor a closed one with an alarm",
        (),
    ),
    "ends-nothing": ("ada", "case.end", NOWHERE, WHY, *_NO_CASE, ()),
    "ends-what-is-opening": (
        "ada",
        "case.end",
        OPENING,
        WHY,
        409,
        "the case is still being opened; end it once its workflow was started",
        (),
    ),
    "erases-what-nobody-rules": (
        "ada",
        "case.erase",
        BARE,
        WHY,
        409,
        "no retention is set for unruled: publish retention_days first",
        (),
    ),
    "erases-what-is-open": (
        "ada",
        "case.erase",
        GOES_ON,
        WHY,
        409,
        "the case is open: only a closed one is erased",
        (),
    ),
    "answers-where-nobody-rules": (
        "pat",
        "case.resubmit",
        BARE,
        {"record": "depot/D1/parcel/3", "version": "1"},
        403,
        "no authority matrix is published for unruled",
        ("role",),
    ),
    "answers-what-is-over": (
        "pat",
        "case.resubmit",
        number_id("case", 4),
        {"record": "depot/D1/parcel/4", "version": "1"},
        409,
        "the case is closed, not open",
        (),
    ),
}


@pytest.mark.parametrize("name", _REFUSED)
async def test_it_is_refused_in_words_and_changes_nothing(at: Acting, name: str) -> None:
    """I6, I12: of a case that is not there, or not so far, nothing is done."""
    by, act, target, body, status, said, reasons = _REFUSED[name]
    await at.refuses_act(by, act, target, body, status, said, *reasons)


async def test_a_case_whose_history_is_lost_is_erased_and_decisions_without_words_stay(
    at: Acting,
) -> None:
    """I7: there is nothing more to seal; who decided what is kept, what they said is not."""
    await at.enrol("bea", "administrator")
    case, checkpoint = number_id("case", 4), number_id("ckpt", 4)

    def decided(tx: Tx) -> None:
        put(tx, Asked(40, process=DEFINITION.name, status="approved", now=NOON))
        row = tx.get(Checkpoint, number_id("ckpt", 40))
        assert row is not None
        tx.add(Checkpoint(**{**row.__dict__, "id": checkpoint, "case_id": case}))
        for jti, words in (("plain", {}), ("worded", {"comment": "he is my cousin"})):
            tx.add(
                DecisionRow(
                    jti=jti,
                    checkpoint_id=checkpoint,
                    operator="operator:pat",
                    key="k",
                    verdict="approve",
                    jws=sign_raw({"alg": "ES256"}, {"jti": jti, **words}, at.keys["pat"]),
                    decided_at=NOON,
                    counted=False,
                )
            )

    await at.write(decided)
    signed = at.sign("ada", "case.erase", case, WHY)
    proposed = await at.acts.perform(signed)
    assert proposed.status == "proposed"
    entry = (await at.entries())[proposed.entry]
    body = {
        "act": "case.erase",
        "target": case,
        "body_digest": entry["data"]["body_digest"],
    }
    await at.act("bea", "act.countersign", entry["data"]["proposal"], body)
    rows = await at.core.store.read(
        lambda r: r.all(DecisionRow, DecisionRow.checkpoint_id == checkpoint)
    )
    assert {each.jti: bool(each.jws) for each in rows} == {"plain": True, "worded": False}
    erased = (await at.entries())[-1]
    assert (erased["type"], erased["data"]["erased"]["decisions"]) == ("case.erased", 1)
    assert erased["data"]["erased"]["histories"] == 0


async def test_a_file_is_read_at_its_checkpoint_alone_and_as_long_as_it_is_there(
    at: Acting,
) -> None:
    """I2, I12: not elsewhere, no comment for a file, and none once it was erased."""
    here, elsewhere = number_id("ckpt", 60), number_id("ckpt", 61)

    def remark(tx: Tx, name: str, media_type: str | None, content: bytes) -> None:
        tx.add(
            Remark(
                id=name,
                checkpoint_id=here,
                operator="operator:pat",
                kind="attachment" if media_type else "comment",
                digest="d",
                salt="s",
                media_type=media_type,
                content=content,
                at=tx.now,
                entry=1,
            )
        )

    await at.write(lambda tx: remark(tx, "photo", "image/png", b"png"))
    await at.write(lambda tx: remark(tx, "comment", None, b"looked"))
    await at.write(lambda tx: remark(tx, "erased", "image/png", b""))
    views = Views(at.core, at.vouching)
    assert await views.attachment(here, "photo") == (b"png", "image/png")
    for checkpoint, act in ((elsewhere, "photo"), (here, "comment"), (here, "erased")):
        async with at.refuses(404, "the checkpoint has no such file"):
            await views.attachment(checkpoint, act)


async def test_no_keys_are_given_to_an_agent_of_no_step_nor_before_the_case_runs(
    at: Acting,
) -> None:
    """I1, I7: Temporal is not even asked for the one; the other asks again."""
    payloads = PayloadService(at.core, Definitions())
    for agent, case, status, said, reasons in (
        ("agent:stranger", GOES_ON, 403, _NO_STEP, _NOT_RUNNING),
        ("agent:scale", OPENING, 503, "the case is just being opened; ask again", ()),
        ("agent:scale", NOWHERE, 403, _NO_STEP, _NOT_RUNNING),
    ):
        if agent not in at.keys:
            at.keys[agent] = await enrolled(at, agent)
        asks = sender(at, agent, at.keys[agent])
        async with at.refuses(status, said, *reasons):
            await payloads.hand_out(asks, case, AskKeys())


async def test_an_approval_waits_to_be_used_where_it_guards_and_is_voided_once(
    at: Acting,
) -> None:
    """I5: what guards nothing was acted on when the workflow went on; what is void is void."""

    def look(tx: Tx) -> list[bool]:
        found = []
        for number, name, resolved in (
            (80, "release", tx.now),
            (81, "customs", tx.now),
            (82, "release", None),
            (83, "elsewhere", tx.now),
        ):
            status = "approved"
            asked = Asked(number, name=name, process=DEFINITION.name, status=status, now=NOON)
            put(tx, asked)
            tx.change(Checkpoint, asked.id, resolved_at=resolved)
            row = tx.get(Checkpoint, asked.id)
            assert row is not None
            found.append(waits_to_be_used(tx, DEFINITION, row))
        return found

    assert await at.write(look) == [True, True, False, False]
    case = await at.core.store.read(lambda reader: reader.get(Case, number_id("case", 80)))
    assert case is not None
    checkpoint = number_id("ckpt", 80)
    for _ in range(2):
        await at.write(lambda tx: void_approved(tx, case, checkpoint, ("I5", "changed")))
    await at.write(lambda tx: void_approved(tx, case, number_id("ckpt", 99), ("I5",)))
    types = [each["type"] for each in await at.entries()]
    assert types.count("checkpoint.voided") == 1
