"""What is about to leave a worker, in the form in which it would leave (I7).

1. A result and heartbeat details leave as the very payloads that were looked at, whatever becomes
   of the objects that they were made from.
2. An error is all that Temporal's failure converter makes of it (messages, types, stack traces,
   details, causes), and what a log shows beside: contexts, notes, members of exception groups.
"""

import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RawValue

from placet.model import payloads_digest


def encode(values: Sequence[Any]) -> list[Payload]:
    """The payloads of values, as the running activity's worker makes them."""
    return activity.payload_converter().to_payloads(list(values))


def as_bytes(payloads: Sequence[Payload]) -> list[bytes]:
    """Payloads, whole, to be looked at."""
    return [payload.SerializeToString() for payload in payloads]


def as_values(payloads: Sequence[Payload]) -> tuple[RawValue, ...]:
    """Payloads as values, which no converter changes any more."""
    return tuple(RawValue(payload) for payload in payloads)


def digest(payloads: Sequence[Payload]) -> str:
    """The digest of payloads as Temporal's history keeps them."""
    return payloads_digest([payload.data for payload in payloads])


def departing(error: BaseException) -> Iterator[bytes]:
    """Everything that would leave with an error.

    Raises:
        Exception: whatever the failure converter raises; then nobody knows what would leave.
    """
    for each in causes(error):
        yield "".join(traceback.format_exception_only(each)).encode(errors="replace")
        if isinstance(each, BaseExceptionGroup):
            for member in each.exceptions:
                yield from departing(member)
    failure = Failure()
    converter = activity.client().data_converter.failure_converter
    converter.to_failure(error, activity.payload_converter(), failure)
    yield failure.SerializeToString()


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, as Python shows them and Temporal sends them."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
