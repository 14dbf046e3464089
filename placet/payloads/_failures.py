"""What may leave without a key: a payload that stayed closed, and the error that says so."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    DefaultFailureConverter,
    EncodingPayloadConverter,
    PayloadConverter,
)
from temporalio.exceptions import ApplicationError

ENCODING = b"binary/placet-aes-gcm"
CLEAR = "placet-clear"
"""Metadata of a payload that its maker vouches for: the codec leaves it as it is, unmarked."""


@dataclass(frozen=True)
class ClosedPayload:
    """What a step gets in its input's place while its worker has no key for it."""

    key: str


class ClearFailure(ApplicationError):
    """A step could not begin, for its worker has no key: it knows nothing that could be said.

    It is the one failure that leaves unencrypted, since there is no key to encrypt it with.
    """


class CaseFailureConverter(DefaultFailureConverter):
    """Puts messages and stack traces into a payload of their own: so a codec reaches them."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)
        self._clear = DefaultFailureConverter()

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """See base class."""
        if not isinstance(exception, ClearFailure):
            super().to_failure(exception, payload_converter, failure)
            return
        self._clear.to_failure(exception, payload_converter, failure)
        failure.stack_trace = ""
        failure.ClearField("cause")
        for payload in failure.application_failure_info.details.payloads:
            payload.metadata[CLEAR] = b"1"


class CasePayloadConverter(PydanticPayloadConverter):
    """Pydantic's, which also tells of a payload that stayed closed."""

    def __init__(self) -> None:
        # For each payload's context the SDK makes one that it throws away: outside of the sandbox
        # all share one set, and one cache of pydantic's. Inside, types are a workflow's own.
        self._set_converters(*(_make() if workflow.unsafe.in_sandbox() else _shared()))


def _make() -> tuple[EncodingPayloadConverter, ...]:
    return (*PydanticPayloadConverter().converters.values(), _Closed())


@cache
def _shared() -> tuple[EncodingPayloadConverter, ...]:
    return _make()


class _Closed(EncodingPayloadConverter):
    @property
    def encoding(self) -> str:
        return ENCODING.decode()

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002  # the base's own
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002  # the base's own
        return ClosedPayload(payload.metadata.get("key", b"").decode("ascii", "replace"))
