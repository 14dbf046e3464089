"""The codec: a payload opens for its own case, its own readers, and whole."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from placet.payloads import (
    ENCODING,
    PLAIN,
    WORKFLOW,
    CaseSecret,
    Keyring,
    PayloadError,
    UnknownPayloadKey,
    agent_scope,
    decrypt_messages,
    encrypting,
    open_payload,
    seal_payload,
)

CASE, OTHER = "case-" + "a" * 26, "case-" + "b" * 26
SECRET = CaseSecret("1.a", b"\x01" * 32)
NEWER = CaseSecret("2.a", b"\x02" * 32)
SAID = Payload(metadata={"encoding": b"json/plain"}, data=b'"loan/L-1001"')
ANALYST = agent_scope("draw-analyst")


def ring(case: str = CASE, *secrets: CaseSecret) -> Keyring:
    """A whole ring of a case."""
    return Keyring(case, secrets or (SECRET,))


class Held:
    """A source that has the rings it was given, and counts who asks."""

    def __init__(self, *rings: Keyring) -> None:
        self.rings = {each.case: each for each in rings}
        self.asked: list[tuple[str, str | None]] = []

    async def ring(self, case: str, key: str | None = None) -> Keyring:
        """The ring of a case."""
        self.asked.append((case, key))
        return self.rings[case]


@given(st.binary(max_size=2000), st.dictionaries(st.text(max_size=9), st.binary(max_size=9)))
def test_what_was_sealed_opens_and_shows_nothing(data: bytes, metadata: dict[str, bytes]) -> None:
    """I7: a payload comes back whole, and nothing of it stands outside."""
    said = Payload(metadata=metadata, data=data)
    sealed = seal_payload(ring(), WORKFLOW, said)
    assert open_payload(ring(), sealed) == said
    assert set(sealed.metadata) == {"encoding", "case", "key", "scope"}
    assert len(data) < 8 or data not in sealed.data
    assert seal_payload(ring(), WORKFLOW, said).data != sealed.data  # a nonce of its own


def _cut(sealed: Payload) -> None:
    sealed.data = sealed.data[:-1]


def _cut_to_nothing(sealed: Payload) -> None:
    sealed.data = sealed.data[:20]


def _flip(sealed: Payload) -> None:
    sealed.data = sealed.data[:15] + bytes([sealed.data[15] ^ 1]) + sealed.data[16:]


def _longer(sealed: Payload) -> None:
    sealed.data += b"\0"


def _other_scope(sealed: Payload) -> None:
    sealed.metadata["scope"] = ANALYST.encode()


def _other_key(sealed: Payload) -> None:
    sealed.metadata["key"] = NEWER.id.encode()


def _no_case(sealed: Payload) -> None:
    del sealed.metadata["case"]


def _other_case(sealed: Payload) -> None:
    sealed.metadata["case"] = OTHER.encode()


def _no_key(sealed: Payload) -> None:
    del sealed.metadata["key"]


def _odd_scope(sealed: Payload) -> None:
    sealed.metadata["scope"] = b"\xff"


@pytest.mark.parametrize(
    "change",
    [
        _cut,
        _cut_to_nothing,
        _flip,
        _longer,
        _other_scope,
        _other_key,
        _no_key,
        _odd_scope,
        _no_case,
        _other_case,
    ],
    ids=lambda change: change.__name__.strip("_"),
)
def test_a_payload_that_was_changed_does_not_open(change: object) -> None:
    """I12: cut, changed, or said to be for others: a clear error, never another value."""
    sealed = seal_payload(ring(), WORKFLOW, SAID)
    assert callable(change)
    change(sealed)
    with pytest.raises(PayloadError):
        open_payload(ring(CASE, SECRET, NEWER), sealed)


def test_a_payload_of_another_case_does_not_open() -> None:
    """I2: swapped between cases it opens in neither, even if both had one secret."""
    with pytest.raises(PayloadError, match="does not open"):
        open_payload(ring(OTHER), seal_payload(ring(CASE), WORKFLOW, SAID))


def test_a_wrong_key_does_not_open() -> None:
    """I7: another secret under the same id."""
    wrong = CaseSecret(SECRET.id, b"\x09" * 32)
    with pytest.raises(PayloadError, match="does not open"):
        open_payload(ring(CASE, wrong), seal_payload(ring(), WORKFLOW, SAID))


def test_after_a_rotation_the_newest_key_encrypts_and_old_ones_decrypt() -> None:
    """I11: payloads from before the rotation still open; a destroyed key opens nothing."""
    old = seal_payload(ring(CASE, SECRET), WORKFLOW, SAID)
    both = ring(CASE, NEWER, SECRET)
    new = seal_payload(both, WORKFLOW, SAID)
    assert [each.metadata["key"].decode() for each in (old, new)] == [SECRET.id, NEWER.id]
    assert open_payload(both, old) == open_payload(both, new) == SAID
    with pytest.raises(UnknownPayloadKey, match=r"2\.a"):
        open_payload(ring(CASE, SECRET), new)
    with pytest.raises(UnknownPayloadKey, match="erased"):
        seal_payload(Keyring(CASE, ()), WORKFLOW, SAID)
    # What an archive's salt is made of stays the same for the case's life.
    assert both.derive("archive") == ring(CASE, SECRET).derive("archive")


def test_an_agent_reads_its_own_steps_alone() -> None:
    """I2: what an agent is given opens its own scope, and makes no other key."""
    mine = Keyring.of(ring().for_scope(ANALYST))
    assert open_payload(mine, seal_payload(ring(), ANALYST, SAID)) == SAID
    for scope in (WORKFLOW, agent_scope("disbursement")):
        with pytest.raises(UnknownPayloadKey, match="not for"):
            open_payload(mine, seal_payload(ring(), scope, SAID))
    with pytest.raises(UnknownPayloadKey):
        mine.derive("archive")
    whole = Keyring.of(ring().for_orchestrator())
    assert open_payload(whole, seal_payload(ring(), ANALYST, SAID)) == SAID


def test_no_secret_is_shown() -> None:
    """I7: neither a ring, nor a secret, nor what is handed out shows a key when printed."""
    for each in (ring(), SECRET, ring().for_orchestrator(), ring().for_scope(ANALYST)):
        assert "AQEB" not in repr(each)
        assert "x01" not in repr(each)


async def test_a_worker_encrypts_for_the_case_and_step_that_the_context_names() -> None:
    """I7: the workflow schedules for the step's agent; the step answers in its own scope."""
    source = Held(ring(CASE), ring(OTHER))
    orchestrator = encrypting(source, "orchestrator")
    scheduling = orchestrator.with_context(_activity(CASE, "draw-analyst"))
    (sealed,) = await scheduling.encode(["loan/L-1001"])
    assert (sealed.metadata["encoding"], sealed.metadata["scope"]) == (ENCODING, ANALYST.encode())
    step = encrypting(Held(Keyring.of(ring().for_scope(ANALYST))), "draw-analyst")
    running = step.with_context(_activity(CASE, "draw-analyst"))
    assert await running.decode([sealed], [str]) == ["loan/L-1001"]
    (answer,) = await running.encode([7])
    waiting = orchestrator.with_context(WorkflowSerializationContext("default", CASE))
    assert await waiting.decode([answer], [int]) == [7]
    with pytest.raises(PayloadError):
        elsewhere = orchestrator.with_context(WorkflowSerializationContext("default", OTHER))
        await elsewhere.decode([answer], [int])
    with pytest.raises(PayloadError, match="no workflow"):
        await orchestrator.encode([1])


async def test_a_failure_says_nothing_in_clear() -> None:
    """I7: neither message nor stack trace nor details of a step's error are readable."""
    running = encrypting(Held(ring()), "scale").with_context(_activity(CASE, "scale"))
    error = ApplicationError("Ms Lovelace's account 4711", "her details", type="Odd")
    failure = HistoryEvent().activity_task_failed_event_attributes.failure
    await running.encode_failure(error, failure)
    assert not [s for s in (b"Lovelace", b"4711", b"her details") if s in _bytes(failure)]
    back = await running.decode_failure(failure)
    assert isinstance(back, ApplicationError)
    assert (back.message, list(back.details)) == ("Ms Lovelace's account 4711", ["her details"])


async def test_what_is_not_encrypted_is_left_as_it_is() -> None:
    """I13: encryption vouches for nothing; a stranger's plain payload costs nobody a key."""
    source = Held()
    codec = encrypting(source, "orchestrator").payload_codec
    assert codec is not None
    assert await codec.decode([SAID]) == [SAID]
    assert source.asked == []


def test_every_payload_of_a_history_is_decrypted_and_the_others_are_named() -> None:
    """I9: wherever a payload stands in an event; what does not open stays, and is told."""
    sealed = seal_payload(ring(), WORKFLOW, SAID)
    foreign = seal_payload(ring(OTHER), WORKFLOW, SAID)
    first, second = HistoryEvent(event_id=1), HistoryEvent(event_id=2)
    started = first.workflow_execution_started_event_attributes
    started.input.CopyFrom(Payloads(payloads=[sealed, SAID]))
    started.memo.fields["note"].CopyFrom(sealed)
    started.header.fields["h"].CopyFrom(sealed)
    first.user_metadata.summary.CopyFrom(sealed)
    failed = second.activity_task_failed_event_attributes.failure
    failed.encoded_attributes.CopyFrom(sealed)
    failed.cause.application_failure_info.details.payloads.append(foreign)
    wrong = decrypt_messages(ring(), [first, second])
    assert [at for at, _ in wrong] == [1]
    assert list(started.input.payloads) == [SAID, SAID]
    opened = (started.memo.fields["note"], started.header.fields["h"], first.user_metadata.summary)
    assert all(each == SAID for each in (*opened, failed.encoded_attributes))
    assert failed.cause.application_failure_info.details.payloads[0] == foreign


def test_the_sandbox_gets_no_codec() -> None:
    """I9: workflow code is given converters alone, which load no cryptography."""
    assert PLAIN.payload_codec is None
    given = dataclasses.replace(encrypting(Held(), "orchestrator"), payload_codec=None)
    assert given.payload_converter_class is PLAIN.payload_converter_class
    assert given.failure_converter_class is PLAIN.failure_converter_class


def _bytes(message: object) -> bytes:
    said: bytes = message.SerializeToString()  # type: ignore[attr-defined]  # any protobuf message
    return said


def _activity(case: str, queue: str) -> ActivitySerializationContext:
    return ActivitySerializationContext(
        namespace="default",
        activity_id="1",
        activity_type="weigh",
        activity_task_queue=queue,
        workflow_id=case,
        workflow_type="ParcelCheck",
        is_local=False,
    )
