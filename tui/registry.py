"""Identities as rows, and a closer look at one: whose it is, how old its key, what it did. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from placet.model import IdentityKind, IdentityStanding, RegisteredView, ReportLine, quantity
from tui import words
from tui.answers import Identity
from tui.said import Piece, field
from tui.standing import standing_look, why_suspended
from tui.text import harmless
from tui.widgets.table import Cell, Column

COLUMNS = (
    Column("Identity", 20, grow=3),
    Column("Kind", 15, drop=4),
    Column("Standing", 12),
    Column("Owner", 10, grow=1, drop=1),
    Column("Key age", 7, right=True, drop=2),
    Column("Last used", 10, right=True, drop=-1),
    Column("Live", 4, right=True, drop=3),
    Column("Review", 11, drop=5),
    Column("Ends", 11, drop=6),
)
WRONG = (
    Column("What is wrong", 17),
    Column("Identity", 22, grow=1),
    Column("Owner", 10, drop=2),
    Column("Why", 20, grow=3, drop=1),
)
PEOPLE = "people"
VIEWS: Mapping[str, str] = {
    "": "all kinds",
    IdentityKind.AI_AGENT: "agents",
    IdentityKind.SERVICE_ACCOUNT: "service accounts",
    IdentityKind.API_KEY: "API keys",
    IdentityKind.CERTIFICATE: "certificates",
    IdentityKind.BOT: "bots",
    PEOPLE: "people",
}
_STANDING = {"active": ("● active", "good"), "suspended": ("▲ suspended", "warn")}
_SOON = 14 * 86_400  # seconds before its end in which a key is shown as one to renew


def _standing(status: str, lacks: tuple[str, ...]) -> Cell:
    if lacks and status in {"active", "invited", "elsewhere"}:
        return Cell("▲ no grant" if status != "elsewhere" else "▲ elsewhere", "bad")
    return Cell(*_STANDING.get(status, (f"○ {harmless(status)}", "muted")))


def _age(since: datetime | None, now: datetime) -> str:
    """How long since, in its largest unit."""
    return " ".join(words.span((now - since).total_seconds()).split()[:2]) if since else "?"


def _day(moment: datetime | None, now: datetime) -> Cell:
    if moment is None:
        return Cell("", "muted")
    left = (moment - now).total_seconds()
    text = f"{words.day(moment)}{'!' if left <= 0 else ''}"
    return Cell(text, "bad" if left <= 0 else "warn" if left < _SOON else "muted")


def _key_ends(each: RegisteredView, now: datetime) -> str:
    """How the age of its keys weighs."""
    ends = [key.expires_at for key in each.keys if key.status == "active" and key.expires_at]
    left = min(((end - now).total_seconds() for end in ends), default=_SOON + 1)
    return "bad" if left <= 0 else "warn" if left < _SOON else "plain"


def cells(each: RegisteredView | Identity, now: datetime) -> tuple[Cell, ...]:
    """One identity, or one person, as a row."""
    if isinstance(each, Identity):
        return (
            Cell(each.principal),
            Cell("person", "muted"),
            _standing(each.status, ()),
            Cell(""),
            Cell(_age(each.enrolled_at, now), "muted"),
        )
    owner = Cell(words.person(each.owner), "muted") if each.owner else Cell("nobody", "bad")
    return (
        Cell(harmless(each.identity)),
        Cell(each.kind.value, "muted"),
        _standing(each.status, each.lacks),
        owner,
        Cell(_age(each.credential_since, now), _key_ends(each, now)),
        Cell(f"{_age(each.last_used, now)} ago" if each.last_used else "never", "muted"),
        Cell(str(each.live_grants) if each.live_grants else "", "accent"),
        _day(each.review_by, now),
        _day(each.ends_at, now),
    )


def wrong_cells(line: ReportLine) -> tuple[Cell, ...]:
    """One line of a report as a row."""
    owner = Cell(words.person(line.owner), "muted") if line.owner else Cell("nobody", "bad")
    return (
        Cell(f"▲ {line.report.value}", "warn"),
        Cell(harmless(line.identity)),
        owner,
        Cell(harmless(line.why), "muted"),
    )


def person_look(each: Identity) -> Iterator[Piece]:
    """A closer look at a person."""
    yield (f"{each.principal}\n", "head")
    yield f"{harmless(each.status)}\n\n"
    yield from field("Roles", ", ".join(each.roles) or "none")
    yield from field("Enrolled", words.clock(each.enrolled_at))
    yield ("\nKeys\n", "head")
    yield from (f"{harmless(thumbprint)}\n" for thumbprint in each.keys)


def look(
    each: RegisteredView, now: datetime, stands: IdentityStanding | None = None
) -> Iterator[Piece]:
    """A closer look at an identity: how it stands, what it may do against what it did, its keys."""
    yield (f"{harmless(each.identity)}\n", "head")
    yield f"{harmless(each.status)}\n"
    if each.suspended_for:
        yield (f"▲ {why_suspended(each.suspended_for)}\n", "warn")
    yield from ((f"▲ {harmless(lack)}\n", "bad") for lack in each.lacks)
    yield "\n"
    yield from field(
        "Owner", words.person(each.owner or "nobody"), "plain" if each.owner else "bad"
    )
    yield from field("Deputy", words.person(each.deputy or ""))
    yield from field("For", each.purpose or "")
    yield from field("Process", each.process or "")
    yield from field("Environment", each.environment or "")
    yield from field("Vendor", each.vendor or "")
    yield from field("Runs on", ", ".join(each.runs_on))
    since = each.credential_since
    proof = each.credential.value if each.credential else "key"
    age = f", {_age(since, now)} old, since {words.clock(since)}" if since else ""
    yield from field("Credential", f"{proof}{age}")
    yield from field("Last used", words.clock(each.last_used) if each.last_used else "never")
    for label, moment in (("Review by", each.review_by), ("Ends", each.ends_at)):
        if moment is not None:
            yield from field(label, words.clock(moment), _day(moment, now).tone)
    if each.narrowed_to is not None:
        left = ", ".join(each.narrowed_to) or "nothing"
        yield from field("Narrowed to", left, "warn")
    if stands is not None:
        yield from standing_look(stands, now)
    yield from _done(each, now)
    if each.keys:
        yield ("\nKeys\n", "head")
    for key in each.keys:
        ends = f", until {words.clock(key.expires_at)}" if key.expires_at else ""
        where = f", {key.instance}" if key.instance else ""
        yield (f"{harmless(key.thumbprint)}\n", "plain" if key.status == "active" else "muted")
        yield (f"  {harmless(key.status)}{ends}{harmless(where)}\n", "muted")


def _done(each: RegisteredView, now: datetime) -> Iterator[Piece]:
    did = {one.action: one for one in each.did}
    may = tuple(dict.fromkeys(one.action for one in each.may))
    if not may and not did:
        return
    yield ("\nWhat it may do, and did\n", "head")
    yield f"{quantity(each.live_grants, 'live grant')}\n"
    for action in (*may, *(one for one in did if one not in may)):
        used = did.get(action)
        said = f"{used.times} ×, last {words.ago(used.last, now)}" if used else "never did"
        yield f"  {harmless(action)}  "
        yield (said, "plain" if used else "warn")
        yield ("\n", "plain") if action in may else ("  may no more\n", "muted")


def wrong_look(line: ReportLine) -> Iterable[Piece]:
    """A closer look at a line of a report: what mends it, to be copied."""
    return (
        (f"{harmless(line.identity)}\n", "head"),
        (f"▲ {line.report.value}\n\n", "warn"),
        f"{harmless(line.why)}\n\n",
        ("Owner  ", "muted"),
        f"{words.person(line.owner or 'nobody')}\n\n",
        ("What mends it (c copies it)\n", "head"),
        (f"{harmless(line.mend)}\n", "accent"),
    )
