"""What the audit's commands work on: an authority's log, or a bundle's file.

Whatever speaks with an authority is loaded where it is needed: an auditor's folder has none of it.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from placet.audit import MAX_BUNDLE_BYTES, Bundle, BundleError, LogFiles, read_bundle
from placet.cli._output import REFUSED, USAGE, console, fail, read_bytes
from placet.cli._trust import read_trust
from placet.ledger import LogProof

CASE = re.compile(r"case-[0-9a-z]{26}")


@contextlib.contextmanager
def online() -> Iterator[None]:
    """Failures of commands that speak with an authority."""
    from placet.cli._base import failures  # noqa: PLC0415 - it brings a client and a server

    with failures():
        yield


async def fetch_ledger(trusted: dict[str, Any] | None) -> LogFiles:
    """The log's entries and head, without what they refer to."""
    from placet.cli._base import operator_client  # noqa: PLC0415 - it brings a client
    from placet.cli._fetch import fetch_ledger as whole  # noqa: PLC0415 - the same

    async with operator_client() as client:
        with console().status("fetching the log"):
            return await whole(client, trusted)


async def fetch(
    trusted: dict[str, Any] | None, case: str | None = None, size: int | None = None
) -> LogFiles:
    from placet.cli._base import operator_client  # noqa: PLC0415 - it brings a client
    from placet.cli._fetch import fetch_case, fetch_log  # noqa: PLC0415 - the same

    async with operator_client() as client:
        with console().status("fetching the log"):
            if case is not None:
                return await fetch_case(client, case, size)
            return await fetch_log(client, trust=trusted)


async def fetch_proof(index: int, size: int | None) -> LogProof:
    from placet.cli._base import operator_client  # noqa: PLC0415 - it brings a client
    from placet.cli._fetch import fetch_log_proof  # noqa: PLC0415 - the same

    async with operator_client() as client:
        return await fetch_log_proof(client, index, size)


async def fetch_story(case: str) -> LogFiles:
    from placet.cli._base import operator_client  # noqa: PLC0415 - it brings a client
    from placet.cli._fetch import fetch_story as story  # noqa: PLC0415 - the same

    async with operator_client() as client:
        with console().status("fetching the case"):
            return await story(client, case)


def read_case_bundle(path: Path, trust: Path | None = None) -> Bundle:
    """A bundle's file, or the one that is piped in as ``-``.

    Raises:
        CommandFailed: it is none, or what is trusted is no such file.
    """
    return bundle_of(path, read_bytes(path, MAX_BUNDLE_BYTES + 1, "a bundle"), trust)


def bundle_of(path: Path, data: bytes, trust: Path | None) -> Bundle:
    """The bundle that was read from there.

    Raises:
        CommandFailed: as :func:`read_case_bundle`.
    """
    known = read_trust(trust)
    try:
        return read_bundle(data, trust=known)
    except BundleError as error:
        raise fail(f"{path}: {error}", REFUSED) from None


def require_case(case: str) -> None:
    """Require a case's id.

    Raises:
        CommandFailed: it can be none.
    """
    if not CASE.fullmatch(case):
        raise fail(f"{case!r} is no case's id", USAGE)
