"""``placet audit export`` and ``prove``: what is handed to whoever checks without us."""

from pathlib import Path
from typing import Annotated

import typer

from placet.audit import BundleError, log_proof, read_bundle, write_bundle
from placet.cli._audited import fetch, fetch_proof, online, read_case_bundle, require_case
from placet.cli._output import (
    USAGE,
    AsJson,
    fail,
    new_file,
    offline_failures,
    run,
    show,
    write_bytes,
)
from placet.ledger import LedgerError
from placet.model import digest_bytes

Size = Annotated[int | None, typer.Option(min=1, help="Under the signed head of so many entries.")]


def export(
    case: str,
    out: Annotated[
        Path | None,
        typer.Option(help="A file or a folder to write it to; CASE.zip in this one if not given."),
    ] = None,
    size: Size = None,
    as_json: AsJson = False,
) -> None:
    """Write a case's evidence bundle: all that an examiner needs to check it offline.

    The same case at the same size gives the same bytes. Another file is never written over.
    """
    with online():
        require_case(case)
        new_file(out or Path(), f"{case}.zip")  # before anything is fetched
        try:
            files = run(fetch(None, case, size))
            data = write_bundle(files, case)
        except (BundleError, LedgerError) as error:
            raise fail(str(error), USAGE) from None
        written = _write_new(out, f"{case}.zip", data)
        show(written | {"size": read_bundle(data).manifest.size}, as_json=as_json)


def prove(
    entry: Annotated[int, typer.Argument(min=0, help="An entry's index; the log's first is 0.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Take it from this case's bundle, offline.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A file or a folder; entry-N.tlog-proof in this one if not given."),
    ] = None,
    size: Size = None,
    as_json: AsJson = False,
) -> None:
    """Write one entry's proof, with the entry in it, as a C2SP tlog-proof.

    Whoever has the log's key verifies it: with placet audit verify, or any tool of that format.
    Another file is never written over.
    """
    with offline_failures():
        try:
            if bundle is None:
                with online():
                    proof = run(fetch_proof(entry, size))
            elif size is None:
                proof = log_proof(read_case_bundle(bundle).files, entry)
            else:
                raise fail("a bundle has one head: leave --size away", USAGE)
        except LedgerError as error:
            raise fail(str(error), USAGE) from None
        written = _write_new(out, f"entry-{entry}.tlog-proof", proof.text.encode())
        show(written | {"size": proof.head().size}, as_json=as_json)


def _write_new(out: Path | None, name: str, data: bytes) -> dict[str, str | int]:
    """Write a file that is not there yet, or is the very same; what is to be told of it.

    Raises:
        CommandFailed: another file is there.
    """
    path = new_file(out or Path(), name)
    if path.exists() and path.read_bytes() != data:
        raise fail(f"{path}: is there already, and is another; nothing was written", USAGE)
    write_bytes(path, data)
    return {"file": str(path), "bytes": len(data), "digest": digest_bytes(data)}
