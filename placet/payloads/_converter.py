"""The data converters: one for workers, which encrypts, and one for what was decrypted."""

import dataclasses

from temporalio.converter import DataConverter

from placet.payloads._codec import CaseCodec, KeySource
from placet.payloads._failures import CaseFailureConverter, CasePayloadConverter

PLAIN = DataConverter(
    payload_converter_class=CasePayloadConverter, failure_converter_class=CaseFailureConverter
)
"""For histories whose payloads were decrypted, and for what is not encrypted yet.

Messages and stack traces of failures stand in a payload of their own: so a codec reaches them."""


def encrypting(source: KeySource, agent: str, *, strict: bool = True) -> DataConverter:
    """The converter of an agent's client and workers.

    Not ``strict``: a step for which there is no key gets a :class:`ClosedPayload` as its input, and
    whoever runs it says why.
    """
    return dataclasses.replace(PLAIN, payload_codec=CaseCodec(source, agent, strict=strict))
