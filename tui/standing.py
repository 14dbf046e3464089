"""How an identity stands, in words: what holds it back, its limits, and its reviews. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from placet.model import (
    Beyond,
    CampaignItem,
    CampaignView,
    Candidate,
    HeldBack,
    IdentityStanding,
    LimitInForce,
    Measure,
    ReviewOfIdentity,
)
from tui import words
from tui.said import Piece
from tui.text import harmless
from tui.widgets.table import Cell, Column

COLUMNS = (
    Column("Campaign", 14, grow=1),
    Column("Identity", 22, grow=2),
    Column("Owner", 10, grow=1, drop=2),
    Column("Risk", 6, drop=1),
    Column("Where it stands", 24, grow=1),
)
_WHY: Mapping[str, str] = {
    "limit": "it went beyond a limit",
    "review_unanswered": "its owner said nothing when it was reviewed",
}
_MEASURED: Mapping[Measure, str] = {
    Measure.GRANTS: "grants",
    Measure.RECORDS: "different records",
    Measure.DENIALS: "denials",
    Measure.CASE_DENIALS: "denials in one case",
    Measure.HOURS: "its hours",
}
_BEYOND: Mapping[Beyond, str] = {
    Beyond.THROTTLE: "it is slowed down",
    Beyond.PERSON: "its case is stopped for a person",
    Beyond.SUSPEND: "it is suspended",
}


def why_suspended(reason: str | None) -> str:
    """Why the authority itself has suspended it, in words; nothing if it has not."""
    return _WHY.get(reason, harmless(reason)) if reason else ""


def standing_look(stands: IdentityStanding, now: datetime) -> Iterator[Piece]:
    """What holds it back, what it is held to, and who looks at it again."""
    slowed = [each for each in stands.held if each.until is not None and each.until > now]
    looked = [each for each in stands.held if each.since is not None]
    for each in slowed:
        yield (f"▲ slowed down until {words.clock(each.until or now)}: ", "warn")
        yield (f"{_MEASURED[each.measure]}\n", "warn")
    yield from (_since(each) for each in looked)
    if stands.limits:
        yield ("\nIts limits\n", "head")
        yield from (f"  {_limit(each)}\n" for each in stands.limits)
    if stands.reviews:
        yield ("\nReviews\n", "head")
    for review in stands.reviews:
        yield f"  {harmless(review.campaign)}, since {words.day(review.started_at)}: "
        yield (f"{stage(review)}\n", "muted" if review.outcome else "warn")
        if review.case is not None:
            yield (f"    {harmless(review.case)}\n", "muted")


def _since(held: HeldBack) -> Piece:
    where = f" in {harmless(held.case)}" if held.case else ""
    since = words.clock(held.since) if held.since else "?"
    return (f"went beyond its limit of {_MEASURED[held.measure]}{where}, {since}\n", "warn")


def _limit(each: LimitInForce) -> str:
    if each.calendar is not None:
        return f"only in the hours of {harmless(each.calendar)}; else {_BEYOND[each.beyond]}"
    span = words.span(each.within_seconds or 0)
    return (
        f"at most {each.at_most} {_MEASURED[each.measure]} in {span}; else {_BEYOND[each.beyond]}"
    )


def stage(item: ReviewOfIdentity | CampaignItem) -> str:
    """Where a review stands."""
    if item.outcome is not None:
        return item.outcome.value
    return "not begun" if item.case is None else "waits for its owner"


def item_cells(campaign: CampaignView, item: CampaignItem) -> tuple[Cell, ...]:
    """One identity of a campaign as a row."""
    return (
        Cell(harmless(campaign.campaign), "accent"),
        Cell(harmless(item.identity)),
        _owner(item.owner),
        Cell(item.risk.value, "warn" if item.risk.value == "high" else "muted"),
        Cell(stage(item), "muted" if item.outcome else "warn"),
    )


def due_cells(each: Candidate, now: datetime) -> tuple[Cell, ...]:
    """An identity that a campaign should look at, as a row."""
    by = "never reviewed"
    if each.review_by is not None:
        by = f"{'overdue since' if each.review_by <= now else 'due'} {words.day(each.review_by)}"
    return (
        Cell("", "muted"),
        Cell(harmless(each.identity)),
        _owner(each.owner),
        Cell(each.risk.value, "warn" if each.risk.value == "high" else "muted"),
        Cell(by, "bad" if each.review_by is None or each.review_by <= now else "plain"),
    )


def campaign_look(campaign: CampaignView) -> Iterator[Piece]:
    """A closer look at a campaign: how far it is, and what came of it."""
    yield (f"{harmless(campaign.campaign)}\n", "head")
    yield f"started by {words.person(campaign.started_by)}, {words.clock(campaign.started_at)}\n"
    yield (f"{campaign.left} of {len(campaign.items)} wait for their owners\n\n", "strong")
    for name, count in campaign.counted().model_dump().items():
        yield f"  {count} {name}\n"
    if campaign.acknowledged_by is not None:
        yield (f"\nacknowledged by {words.person(campaign.acknowledged_by)}\n", "good")


def _owner(owner: str | None) -> Cell:
    return Cell(words.person(owner), "muted") if owner else Cell("nobody", "bad")
