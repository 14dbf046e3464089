"""What of a request's and an answer's headers passes: what is listed, and nothing else.

1. A request's header passes if it is on the list, stands once, and ``Connection`` does not name it
   (RFC 9110 section 7.6.1). So none that says who asks, how, or where can come from outside,
   however it is spelled: ``Placet-Agent``, ``placet_agent``, ``X-Original-URL``, ``Cookie``.
2. What was verified goes on under names of ours, made from the grant alone.
3. The token and its proof stay here (I7).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import AfterValidator

from placet.gateway._routes import Unacceptable
from placet.resource import VerifiedGrant

OURS = "placet-"
PASSED = frozenset(
    {
        *("accept", "accept-language", "content-type", "content-encoding", "content-language"),
        *("idempotency-key", "if-match", "if-none-match", "if-modified-since"),
        *("if-unmodified-since", "if-range", "range", "prefer", "traceparent", "tracestate"),
        "user-agent",
    }
)
HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te"),
        *("trailer", "transfer-encoding", "upgrade", "proxy-connection"),
    }
)
_NEVER = HOP_BY_HOP | {
    *("authorization", "dpop", "host", "content-length", "cookie", "expect", "forwarded"),
    *("client-assertion", "x-http-method-override", "x-http-method", "x-method-override"),
    *("x-original-url", "x-rewrite-url"),
}
_NAME = re.compile(r"[a-z0-9-]+\Z")


def _may_pass(name: str) -> str:
    name = name.lower()
    if not _NAME.match(name) or name in _NEVER or name.startswith((OURS, "x-forwarded-")):
        raise ValueError(f"{name!r} can't be passed on")
    return name


FurtherName = Annotated[str, AfterValidator(_may_pass)]
"""A header that a deployment lets through besides :data:`PASSED`."""

Header = tuple[str, str]


def pass_on(sent: Iterable[tuple[bytes, bytes]], further: frozenset[str]) -> list[Header]:
    """The headers of a request that go on.

    Raises:
        Unacceptable: one of them stands twice, or asks for another protocol.
    """
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in sent]
    if any(name == "upgrade" for name, _ in headers):
        raise Unacceptable(400, "invalid_request", "another protocol is not spoken here")
    dropped = _nominated(headers)
    passed = [
        (name, value) for name, value in headers if name in PASSED | further and name not in dropped
    ]
    names = [name for name, _ in passed]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Unacceptable(400, "invalid_request", f"{min(twice)} was sent twice")
    return passed


def _nominated(headers: Sequence[Header]) -> set[str]:
    """The names that ``Connection`` gives: they are for this hop alone."""
    return {
        each.strip().lower()
        for name, value in headers
        if name == "connection"
        for each in value.split(",")
    }


def facts_of(grant: VerifiedGrant) -> list[Header]:
    """What was verified, for the system behind."""
    claims, what = grant.claims, grant.claims.details
    facts = {
        "Placet-Grant": grant.id,
        "Placet-Agent": claims.sub.removeprefix("agent:"),
        "Placet-Case": claims.txn,
        "Placet-Action": what.action,
        "Placet-Record": what.identifier,
        "Placet-Max-Amount": None if what.max_amount is None else str(what.max_amount),
        "Placet-Payments-Digest": what.payments_digest,
        "Placet-Approvals": None if what.approvals is None else ",".join(what.approvals),
        "Placet-Evidence-Digest": what.evidence_digest,
        "Placet-Record-Version": what.record_version,
    }
    return [(name, value) for name, value in facts.items() if value is not None]


def pass_back(sent: Iterable[Header]) -> list[tuple[bytes, bytes]]:
    """The headers of the system's answer that go back."""
    headers = [(name.lower(), value) for name, value in sent]
    dropped = HOP_BY_HOP | _nominated(headers)
    return [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in headers
        if name not in dropped and not name.startswith(OURS)
    ]
