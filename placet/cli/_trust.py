"""``--trust FILE``: what an examiner got elsewhere, so that a log does not vouch for itself."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import AfterValidator, Field, JsonValue

from placet.cli._output import read_model
from placet.ledger import (
    Checkpoint,
    LedgerError,
    NoteError,
    NoteVerifier,
    WitnessVerifier,
    split_note,
)
from placet.model import Model, Thumbprint

Trust = Annotated[
    Path | None,
    typer.Option(
        help="JSON of what you got elsewhere: log_key, administrators, heads, witnesses, "
        "identity_provider."
    ),
]


def _log_key(text: str) -> str:
    try:
        return NoteVerifier.from_vkey(text).vkey
    except NoteError as error:
        raise ValueError(str(error)) from None


def _witness_key(text: str) -> str:
    try:
        return WitnessVerifier.from_vkey(text).vkey
    except NoteError as error:
        raise ValueError(str(error)) from None


def _head(note: str) -> str:
    try:
        Checkpoint.parse(split_note(note)[0])
    except LedgerError as error:
        raise ValueError(str(error)) from None
    return note


class _Provider(Model):
    """The identity provider's key set (RFC 7517), with its issuer.

    The log keeps nothing that these keys sign: they say which sign-ins the audit names unchecked.
    """

    issuer: str
    keys: tuple[dict[str, JsonValue], ...] = Field(min_length=1)


class _Trusted(Model):
    """The file's content."""

    log_key: Annotated[str, AfterValidator(_log_key)] | None = None
    administrators: tuple[Thumbprint, ...] = ()
    heads: tuple[Annotated[str, AfterValidator(_head)], ...] = ()
    witnesses: tuple[Annotated[str, AfterValidator(_witness_key)], ...] = ()
    identity_provider: _Provider | None = None


def read_trust(path: Path | None) -> dict[str, Any] | None:
    """What is trusted, if a file says so.

    Raises:
        CommandFailed: it is no such file; file and member are named.
    """
    return None if path is None else read_model(path, _Trusted).model_dump()
