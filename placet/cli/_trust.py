"""``--trust FILE``: what an examiner got elsewhere, so that a log does not vouch for itself."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import AfterValidator

from placet.cli._output import read_model
from placet.ledger import NoteError, WitnessVerifier
from placet.model import Model, Thumbprint

Trust = Annotated[
    Path | None,
    typer.Option(help="JSON of what you got elsewhere: log_key, administrators, heads, witnesses."),
]


def _verifier_key(text: str) -> str:
    try:
        return WitnessVerifier.from_vkey(text).vkey
    except NoteError as error:
        raise ValueError(str(error)) from None


class _Trusted(Model):
    """The file's content."""

    log_key: str | None = None
    administrators: tuple[Thumbprint, ...] = ()
    heads: tuple[str, ...] = ()
    witnesses: tuple[Annotated[str, AfterValidator(_verifier_key)], ...] = ()


def read_trust(path: Path | None) -> dict[str, Any] | None:
    """What is trusted, if a file says so.

    Raises:
        CommandFailed: it is no such file; file and member are named.
    """
    return None if path is None else read_model(path, _Trusted).model_dump()
