"""The checks of lien waivers: who is paid by this draw, and what each of them must have signed."""

from activities.checks._given import Findings, Given, side, total
from lender.model import (
    Claim,
    DocumentKind,
    Read,
    Waiver,
    WaiverKind,
    says_none,
)
from placet.model import CheckResult, Place, Severity

_NO_DOCUMENT = Place(document="packet")


def claims(given: Given) -> tuple[Claim, ...]:
    """Who is paid what by this draw and must waive.

    The contractor, and each listed subcontractor above the loan's threshold.
    """
    loan = given.loan
    contractor = loan.payee(loan.contractor)
    found: list[Claim] = []
    request = given.packet.request
    if contractor is not None and request is not None:
        paid = total(
            p.amount.value
            for p in request.payees
            if _same(p.payee.value, contractor.name) or p.payee.value == contractor.id
        )
        if paid:
            found.append(Claim(claimant=contractor.name, amount=paid))
    found += [
        Claim(claimant=each.name.value, amount=each.due.value)
        for each in given.packet.subcontractors
        if each.due.value > loan.terms.waiver_threshold
    ]
    return tuple(sorted(found, key=lambda each: each.claimant))


def waivers_current(given: Given) -> CheckResult:
    """Each claimant's statutory form for this draw: signed, right job, through date, amount."""
    findings = Findings("waivers.current")
    application = given.packet.application
    final = application is not None and application.final
    wanted = WaiverKind.CONDITIONAL_FINAL if final else WaiverKind.CONDITIONAL_PROGRESS
    period = application.period_to if application else None
    if given.packet.request is None:
        findings.undetermined("request", "there is no readable draw request with payees")
    if all(file.kind is not DocumentKind.SUBCONTRACTORS for file in given.packet.files):
        findings.undetermined("subcontractors", "there is no readable subcontractor list")
    if final:
        _occupancy(given, findings)
    for claim in claims(given):
        waiver = _waiver(given, claim, wanted)
        if waiver is None:
            findings.add(
                claim.claimant,
                f"no Civil Code {wanted.value} waiver of {claim.claimant}",
                side("paid by this draw", claim.amount, _NO_DOCUMENT),
                side("waiver", "none", _NO_DOCUMENT),
            )
            continue
        _check_waiver(waiver, claim, given, findings)
        if final:
            continue  # the final forms have no through date
        if waiver.through is None or period is None:
            findings.undetermined(
                f"{claim.claimant}:through",
                "the waiver's through date or the period's end is not readable",
                waiver.claimant.place,
            )
        elif waiver.through.value < period.value:
            findings.add(
                f"{claim.claimant}:through",
                f"the waiver of {claim.claimant} ends before the period does",
                side("through date", waiver.through.value, waiver.through.place),
                side("period to", period.value, period.place),
            )
    return findings.result(otherwise=None if claims(given) else "nobody who must waive is paid")


def waivers_previous(given: Given) -> CheckResult:
    """An unconditional waiver for what the previous draw paid each of them."""
    findings = Findings("waivers.previous")
    last = given.loan.last_draw
    if last is None or not last.claims:
        return findings.result(otherwise="no earlier draw paid anyone who must waive")
    for claim in last.claims:
        waiver = _waiver(given, claim, WaiverKind.UNCONDITIONAL_PROGRESS)
        if waiver is None:
            findings.add(
                claim.claimant,
                f"no Civil Code 8134 waiver of {claim.claimant} for draw {last.number}",
                side(
                    f"paid by draw {last.number}",
                    claim.amount,
                    Place(document=given.loan_place, spot=f"draw {last.number}"),
                ),
                side("waiver", "none", _NO_DOCUMENT),
            )
        else:
            _check_waiver(waiver, claim, given, findings)
    return findings.result()


def _occupancy(given: Given, findings: Findings) -> None:
    """The final draw asks for the certificate of occupancy."""
    found = given.packet.occupancy
    issued = found.issued if found else None
    if issued is None:
        findings.undetermined("occupancy", "there is no readable certificate of occupancy")
    elif issued.value > given.today:
        findings.add(
            "occupancy",
            "the certificate of occupancy is dated after the funding date",
            side("date issued", issued.value, issued.place),
            side("funding date", given.today, Place(document=given.loan_place)),
        )


def _waiver(given: Given, claim: Claim, kind: WaiverKind) -> Waiver | None:
    """The claimant's waiver of that kind; of several, the one for the amount, then by file."""
    found = [
        waiver
        for waiver in given.packet.waivers
        if waiver.kind.value is kind and _same(waiver.claimant.value, claim.claimant)
    ]

    def preference(waiver: Waiver) -> tuple[bool, str]:
        fits = waiver.amount is not None and waiver.amount.value == claim.amount
        return not fits, waiver.claimant.place.document

    return min(found, key=preference, default=None)


def _check_waiver(waiver: Waiver, claim: Claim, given: Given, findings: Findings) -> None:
    name = claim.claimant
    amount = waiver.amount
    if amount is None:
        findings.undetermined(f"{name}:amount", "the amount is not readable", waiver.claimant.place)
    elif amount.value != claim.amount:
        findings.add(
            f"{name}:amount",
            f"the waiver of {name} is not for what is paid",
            side("waiver", amount.value, amount.place),
            side("paid", claim.amount, Place(document=given.loan_place)),
            difference=amount.value - claim.amount,
        )
    if waiver.signed is None:
        findings.add(
            f"{name}:signed",
            f"the waiver of {name} is not signed and dated",
            side("date of signature", "nothing", waiver.claimant.place),
        )
    for what, read, expected in (
        ("job location", waiver.job_location, given.loan.job_location),
        ("owner", waiver.owner, given.loan.owner),
    ):
        if read is None or not _same(read.value, expected):
            findings.add(
                f"{name}:{what.replace(' ', '-')}",
                f"the waiver of {name} names another {what}",
                side(
                    what,
                    read.value if read else "nothing",
                    read.place if read else waiver.claimant.place,
                ),
                side("loan file", expected, Place(document=given.loan_place, spot=what)),
            )
    exceptions: Read[str] | None = waiver.exceptions
    if exceptions is not None and not says_none(exceptions.value):
        findings.add(
            f"{name}:exceptions",
            f"the waiver of {name} reserves exceptions",
            side("exceptions", exceptions.value, exceptions.place),
            severity=Severity.WARNING,
        )


def _same(left: str, right: str) -> bool:
    return " ".join(left.lower().split()) == " ".join(right.lower().split())
