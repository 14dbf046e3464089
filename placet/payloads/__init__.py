"""Encrypting the payloads of a case's workflow: a key per case, one way in and out (no I/O)."""

from placet.payloads._codec import (
    CaseCodec,
    KeySource,
    case_of,
    decrypt_messages,
    open_payload,
    seal_payload,
)
from placet.payloads._converter import PLAIN, encrypting
from placet.payloads._errors import PayloadError, UnknownPayloadKey
from placet.payloads._failures import ENCODING, ClearFailure, ClosedPayload
from placet.payloads._keys import WORKFLOW, CaseSecret, Keyring, agent_scope
from placet.payloads._starting import Start, going_on, start_of, started_otherwise

__all__ = [
    "ENCODING",
    "PLAIN",
    "WORKFLOW",
    "CaseCodec",
    "CaseSecret",
    "ClearFailure",
    "ClosedPayload",
    "KeySource",
    "Keyring",
    "PayloadError",
    "Start",
    "UnknownPayloadKey",
    "agent_scope",
    "case_of",
    "decrypt_messages",
    "encrypting",
    "going_on",
    "open_payload",
    "seal_payload",
    "start_of",
    "started_otherwise",
]
