"""The codec: AES-256-GCM over each payload, with the case's id as associated data.

1. What is encrypted is the whole payload, its own metadata included. Beside the ciphertext stand
   case, key's id and scope, all authenticated; the nonce is random, 12 bytes.
2. A payload of another case, of another scope or under another key does not open, nor does one that
   was changed or cut.
3. Whatever a step says is encrypted, or does not leave. The one exception is a step that never
   began because its worker has no key: its :class:`ClearFailure` says so in clear.
4. A payload that is not encrypted is left as it is: encryption hides, it vouches for nothing. What
   a history says counts by grants and settlements alone (I13).
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import FailureError

from placet.payloads._errors import PayloadError
from placet.payloads._failures import CLEAR, ENCODING
from placet.payloads._keys import WORKFLOW, Keyring, agent_scope

_NONCE = 12
_TAG = 16


class KeySource(Protocol):
    """Where a codec gets a case's keys."""

    async def ring(self, case: str, key: str | None = None) -> Keyring:
        """The keys of a case, with ``key`` among them if there is such a key.

        Raises:
            FailureError: they can't be had now, or not at all (Temporal's own kind of failure).
        """
        ...


def seal_payload(ring: Keyring, scope: str, payload: Payload) -> Payload:
    """Encrypt one payload under a ring's newest key."""
    key = ring.newest
    nonce = os.urandom(_NONCE)
    said = payload.SerializeToString(deterministic=True)
    sealed = ring.cipher(key, scope).encrypt(nonce, said, _bound(ring.case, key, scope))
    return Payload(
        metadata={
            "encoding": ENCODING,
            "case": ring.case.encode(),
            "key": key.encode(),
            "scope": scope.encode(),
        },
        data=nonce + sealed,
    )


def open_payload(ring: Keyring, payload: Payload) -> Payload:
    """Decrypt one payload; one that is not encrypted is given back as it is.

    Raises:
        PayloadError: it does not open.
    """
    if payload.metadata.get("encoding") != ENCODING:
        return payload
    key, scope = key_of(payload), _told(payload, "scope")
    if case_of(payload) != ring.case:
        raise PayloadError(f"a payload of {case_of(payload)} does not open for {ring.case}")
    if len(payload.data) < _NONCE + _TAG:
        raise PayloadError(f"case {ring.case}: a payload was cut to {len(payload.data)} bytes")
    nonce, sealed = payload.data[:_NONCE], payload.data[_NONCE:]
    try:
        said = ring.cipher(key, scope).decrypt(nonce, sealed, _bound(ring.case, key, scope))
        return Payload.FromString(said)
    except (InvalidTag, DecodeError):
        raise PayloadError(
            f"a payload under key {key!r} does not open: it was changed, or is not of {ring.case}"
        ) from None


def key_of(payload: Payload) -> str:
    """The id of the key that an encrypted payload names.

    Raises:
        PayloadError: it names none.
    """
    return _told(payload, "key")


def case_of(payload: Payload) -> str:
    """The case that an encrypted payload names.

    Raises:
        PayloadError: it names none.
    """
    return _told(payload, "case")


class CaseCodec(PayloadCodec, WithSerializationContext):
    """Encrypts and decrypts for workers: its serialization context knows the case.

    Args:
        source: where keys come from.
        strict: whether a step's input for which no keys are to be had is an error; otherwise it
            stays closed.
        agent: whose worker it is; its own scope for all that its activities read and say.
    """

    def __init__(
        self,
        source: KeySource,
        agent: str,
        case: str | None = None,
        scope: str = WORKFLOW,
        *,
        strict: bool = True,
    ) -> None:
        self._source = source
        self._agent = agent
        self._case = case
        self._scope = scope
        self._strict = strict

    def with_context(self, context: SerializationContext) -> "CaseCodec":
        """The codec for what the context is about."""
        if isinstance(context, ActivitySerializationContext):
            # Named by the workflow when it schedules; in the activity itself, the worker's own.
            scope = agent_scope(context.activity_task_queue or self._agent)
            strict = self._strict
            return CaseCodec(self._source, self._agent, context.workflow_id, scope, strict=strict)
        if isinstance(context, WorkflowSerializationContext):
            return CaseCodec(self._source, self._agent, context.workflow_id)
        return self

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt.

        Raises:
            PayloadError: they are of no case.
        """
        if all(CLEAR in each.metadata for each in payloads):
            return [_unmarked(each) for each in payloads]
        ring = await self._source.ring(self._of_case())
        return [seal_payload(ring, self._scope, each) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what is encrypted.

        Raises:
            PayloadError: one does not open, or no keys are to be had.
        """
        named = {key_of(p) for p in payloads if p.metadata.get("encoding") == ENCODING}
        if not named:
            return list(payloads)
        case = self._of_case()
        try:
            rings = {key: await self._source.ring(case, key) for key in named}
        except FailureError as error:
            if self._strict:
                # A failure that is final would end the workflow for good; so, its task alone fails.
                raise PayloadError(f"the keys of {case} are not to be had: {error}") from error
            return list(payloads)
        return [_open_with(rings, each) for each in payloads]

    def _of_case(self) -> str:
        if self._case is None:
            raise PayloadError("a payload of no workflow has no key")
        return self._case


def decrypt_messages(ring: Keyring, messages: Iterable[Message]) -> list[tuple[int, str]]:
    """Decrypt every payload inside messages, such as a history's events, in place.

    Gives those that could not be opened, as the message's position and why; they stay as they are.
    """
    wrong: list[tuple[int, str]] = []
    for at, message in enumerate(messages):
        for payload in _payloads(message):
            try:
                payload.CopyFrom(open_payload(ring, payload))
            except PayloadError as error:
                wrong.append((at, str(error)))
    return wrong


def _open_with(rings: Mapping[str, Keyring], payload: Payload) -> Payload:
    if payload.metadata.get("encoding") != ENCODING:
        return payload
    return open_payload(rings[key_of(payload)], payload)


def _unmarked(payload: Payload) -> Payload:
    left = Payload()
    left.CopyFrom(payload)
    del left.metadata[CLEAR]
    return left


def _payloads(message: Message) -> Iterable[Payload]:
    """The payloads inside a message, however deep."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        of = field.message_type
        assert of is not None  # a field that holds messages has their type
        if of.GetOptions().map_entry:
            if of.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                for each in value.values():
                    yield from _payloads(each)
        elif field.is_repeated:
            for each in value:
                yield from _payloads(each)
        else:
            yield from _payloads(value)


def _told(payload: Payload, name: str) -> str:
    try:
        return payload.metadata[name].decode("ascii")
    except (KeyError, UnicodeDecodeError):
        raise PayloadError(f"an encrypted payload does not name its {name}") from None


def _bound(case: str, key: str, scope: str) -> bytes:
    """What is authenticated beside: of which case, under which key, for whom."""
    return b"\0".join((b"placet payload v1", case.encode(), key.encode(), scope.encode()))
