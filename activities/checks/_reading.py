"""A reading as results of checks: what stands, what was dropped, and whether a person must look."""

from lender.model import Concern, Confidence, Reading
from placet.model import (
    CheckResult,
    CheckStatus,
    Compared,
    Digest,
    Ending,
    Finding,
    Place,
    Severity,
)

_MOST = 60


def results(reading: Reading, packet: Digest) -> tuple[CheckResult, ...]:
    """The results that a reading adds to those of the rules on a packet. Pure.

    A model's word can only bring more to people: nothing that it says makes a finding go away.
    """
    return (
        _of_packet(reading, packet),
        _ended(reading),
        _supported(reading),
        _concerns(reading),
        _agreed(reading),
    )


def _of_packet(reading: Reading, packet: Digest) -> CheckResult:
    found = Finding(
        id="reading.packet#files",
        check="reading.packet",
        severity=Severity.BLOCKING,
        message="other files were read than those that the rules checked: read them yourself",
    )
    return _result("reading.packet", () if reading.packet in {None, packet} else (found,))


def _ended(reading: Reading) -> CheckResult:
    found = tuple(
        Finding(
            id=f"reading.ended#{each.reader}",
            check="reading.ended",
            severity=Severity.BLOCKING,
            message=f"{each.reader} did not come to an end of its own: {each.ending}"
            + (f" ({each.why})" if each.why else ""),
        )
        for each in reading.runs
        if each.ending is not Ending.CONCLUDED
    )
    return _result("reading.ended", found)


def _supported(reading: Reading) -> CheckResult:
    low = reading.confidence is Confidence.LOW
    found = [
        Finding(
            id=f"reading.supported#{number}",
            check="reading.supported",
            severity=Severity.WARNING,
            message=f"dropped, because {each.why}: {each.says}"[:1000],
        )
        for number, each in enumerate(reading.unsupported[:_MOST], 1)
    ]
    if low:
        found.append(
            Finding(
                id="reading.supported#confidence",
                check="reading.supported",
                severity=Severity.BLOCKING,
                message="the confidence in the reading is low: read the documents yourself",
            )
        )
    return _result("reading.supported", tuple(found))


def _concerns(reading: Reading) -> CheckResult:
    found = tuple(
        Finding(
            id=f"reading.concerns#{number}",
            check="reading.concerns",
            severity=Severity.BLOCKING if each.concern is Concern.SERIOUS else Severity.WARNING,
            message=each.says,
            compared=tuple(
                Compared(label="it says", value=quote.words, place=quote.place)
                for quote in each.quotes
            ),
        )
        for number, each in enumerate(reading.statements, 1)
        if each.concern is not Concern.NONE
    )[:_MOST]
    return _result("reading.concerns", found)


def _agreed(reading: Reading) -> CheckResult:
    found = tuple(
        Finding(
            id=f"reading.agreed#{number}",
            check="reading.agreed",
            severity=Severity.BLOCKING,
            message=each,
            compared=(Compared(label="the readers", value="disagree", place=Place(document="-")),),
        )
        for number, each in enumerate(reading.disagreements[:_MOST], 1)
    )
    return _result("reading.agreed", found)


def _result(check: str, found: tuple[Finding, ...]) -> CheckResult:
    status = CheckStatus.FINDINGS if found else CheckStatus.PASSED
    return CheckResult(check=check, status=status, findings=found)
