"""What people name by an id or a name: what is none is said, before anybody is asked about it."""

from pydantic import TypeAdapter, ValidationError

from placet.cli._output import USAGE, fail
from placet.model import CaseId, CheckpointId, IdentityId, Jti, Principal, RecordId

_ACT: TypeAdapter[str] = TypeAdapter(Jti)
_CASE: TypeAdapter[str] = TypeAdapter(CaseId)
_CHECKPOINT: TypeAdapter[str] = TypeAdapter(CheckpointId)
_IDENTITY: TypeAdapter[str] = TypeAdapter(IdentityId)
_PRINCIPAL: TypeAdapter[str] = TypeAdapter(Principal)
_RECORD: TypeAdapter[str] = TypeAdapter(RecordId)


def act_id(text: str) -> str:
    """The id of an act that waits, or a failure that says where to find one."""
    return _required(_ACT, text, f"{text!r} is no act's id; see placet act list")


def case_id(text: str) -> str:
    """A case's id, or a failure that says where to find one."""
    return _required(_CASE, text, f"{text!r} is no case's id; see placet case list")


def checkpoint_id(text: str) -> str:
    """A checkpoint's id, or a failure that says where to find one."""
    said = f"{text!r} is no checkpoint's id; see placet checkpoint list"
    return _required(_CHECKPOINT, text, said)


def identity_id(text: str) -> str:
    """An identity that is no person, or a failure that says where to find one."""
    said = f"{text!r} is no identity, such as agent:reader; see placet identity list"
    return _required(_IDENTITY, text, said)


def principal(kind: str, name: str) -> str:
    """Who is enrolled here under a name, or a failure that says how names are written."""
    said = f"{name!r} is no {kind}'s name: lower-case letters, digits and single hyphens"
    return _required(_PRINCIPAL, f"{kind}:{name}", said)


def record(text: str) -> str:
    """A record's path, or a failure that shows one."""
    return _required(_RECORD, text, f"{text!r} is no record, such as shop/S1")


def record_part(text: str, said: str) -> str:
    """One segment of a record's path, or a failure in these words."""
    if "/" in text:
        raise fail(said, USAGE)
    _required(_RECORD, f"any/{text}", said)
    return text


def _required(kind: TypeAdapter[str], text: str, said: str) -> str:
    try:
        return kind.validate_python(text)
    except ValidationError:
        raise fail(said, USAGE) from None
