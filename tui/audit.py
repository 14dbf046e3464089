"""An audit in the background of the console: fetch, prove, replay, record; told as it goes on.

What takes the processor long runs in a thread, so that the screen stays awake.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from placet.cli import CommandFailed
from tui.answers import Refused
from tui.gateway import Gateway

if TYPE_CHECKING:
    from placet.audit import Flight, Report

STAGES = ("fetching the case", "checking its proof", "replaying it")


@dataclass(frozen=True)
class Audited:
    """What came of an audit: the case's own proof, its flight if it has closed, and the bundle."""

    proof: "Report"
    flight: "Flight | None"
    why_not: str
    bundle: bytes

    @property
    def troubles(self) -> int:
        """How much does not hold, or could not be judged."""
        return len(self.proof.troubles) + (len(self.flight.report.troubles) if self.flight else 0)

    @property
    def refuted(self) -> bool:
        """Whether something does not hold: more than that it could not be judged."""
        return self.proof.refuted or (self.flight is not None and self.flight.report.refuted)

    @property
    def checked(self) -> int:
        """How much was checked."""
        counted = sum(self.proof.checked.values())
        return counted + (sum(self.flight.report.checked.values()) if self.flight else 0)


async def audit_case(
    gateway: Gateway, case: str, tell: Callable[[int], None], *, not_yet: str = ""
) -> Audited:
    """Audit one case from what the authority gives, as an examiner would from its bundle.

    ``not_yet`` says why there is no history of it in the archive so far: then it is not replayed.

    Raises:
        Away: the authority does not answer.
        Refused: it has no such case, or no proof of it yet.
    """
    from placet.audit import (  # noqa: PLC0415 - it takes longer to load than the first screen
        BundleError,
        read_bundle,
        verify_bundle,
        write_bundle,
    )
    from placet.cli import record_case  # noqa: PLC0415 - the same
    from placet.ledger import LedgerError  # noqa: PLC0415 - the same

    tell(0)
    files = await gateway.ledger.case_files(case)
    tell(1)
    try:
        data = await asyncio.to_thread(write_bundle, files, case)
        bundle = await asyncio.to_thread(read_bundle, data)
    except (BundleError, LedgerError) as error:
        raise Refused(str(error)) from None
    proof = await asyncio.to_thread(verify_bundle, bundle)
    if not_yet:
        return Audited(proof, None, not_yet, data)
    tell(2)
    try:
        flight = await asyncio.to_thread(asyncio.run, record_case(bundle.files, case))
    except CommandFailed as error:
        return Audited(proof, None, str(error), data)
    return Audited(proof, flight, "", data)
