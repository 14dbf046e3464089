"""What is told of requests for grants: counts, seconds, and a line of the log for each refusal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from placet.authority._errors import Denied, Refusal, TooMuch
from placet.model import RequestedDetails
from placet.telemetry import metrics, note

_log = logging.getLogger("placet.authority.grants")
_ISSUED = metrics.GRANTS.labels("issued")


@contextmanager
def asked(agent: str, details: RequestedDetails) -> Iterator[None]:
    """One request, told by how it ends."""
    with timed():
        try:
            yield
        except Refusal as refusal:
            tell_refused(agent, details, refusal)
            raise


@contextmanager
def timed() -> Iterator[None]:
    """Time a request, of one grant or of many."""
    began = perf_counter()
    try:
        yield
    finally:
        metrics.GRANT_SECONDS.observe(perf_counter() - began)


def tell_issued(case: str, grant: str, agent: str) -> None:
    """A grant was issued. The ledger holds it; the log says so only where it is set to debug."""
    _ISSUED.inc()
    note("granted", case=case, grant=grant, agent=agent)
    _log.debug("granted", extra={"case": case, "grant": grant, "agent": agent})


def tell_refused(agent: str, details: RequestedDetails, refusal: Refusal) -> None:
    """A request was denied, held back, or could not be answered."""
    outcome = (
        "denied"
        if isinstance(refusal, Denied)
        else "held"
        if isinstance(refusal, TooMuch)
        else "unavailable"
        if refusal.status == 503
        else "refused"
    )
    metrics.GRANTS.labels(outcome).inc()
    note("no grant", case=details.case, agent=agent, action=details.action, outcome=outcome)
    _log.info(
        "no grant: %s",
        refusal.problem.error_description,
        extra={
            "case": details.case,
            "agent": agent,
            "action": details.action,
            "activity": details.activity.activity_type,
            "reasons": list(refusal.problem.reasons),
        },
    )
