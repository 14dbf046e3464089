"""What waits between people, in words: an act, an emergency's review, who stands in. Pure."""

from collections.abc import Iterator

from placet.model import DelegationView, ProposalView, ReviewView
from tui import words
from tui.answers import read_details
from tui.said import Piece, field
from tui.text import harmless, set_off


def between_look(thing: ProposalView | ReviewView | DelegationView, about: str) -> Iterator[Piece]:
    """A closer look at one; ``about`` is what it is of, as its row says it."""
    match thing:
        case ProposalView():
            yield from _proposal(thing)
        case ReviewView():
            yield from _review(thing, about)
        case DelegationView():
            yield from _delegation(thing)


def _proposal(thing: ProposalView) -> Iterator[Piece]:
    yield (f"{harmless(thing.act)} on {harmless(thing.target)}\n", "head")
    yield ("waits for a second signature\n\n", "warn")
    yield from field("Signed by", words.person(thing.proposed_by))
    yield from field("At", words.clock(thing.proposed_at))
    yield from field("Lapses", words.clock(thing.lapses_at))
    yield ("\nWhat it says\n", "head")
    yield f"{harmless(proposal_details(thing), lines=True)}\n"
    yield (f"\n{harmless(thing.body_digest)}\n{thing.jti}", "muted")


def proposal_details(thing: ProposalView) -> str:
    """What a proposal would change: each of its members, as it is signed."""
    return read_details(thing.model_dump_json(include={"body"}))


def _review(thing: ReviewView, about: str) -> Iterator[Piece]:
    yield (f"Review of an emergency: {harmless(about)}\n", "head")
    yield ("waits for somebody who did not begin it\n\n", "warn")
    yield from field("Begun by", words.person(thing.opened_by))
    yield from field("At", words.clock(thing.opened_at))
    yield from field("It lasts until", words.clock(thing.until))
    yield ("\nWhy\n", "head")
    yield (f"{set_off(thing.reason)}\n") if thing.reason else ("it was erased\n", "muted")
    yield (f"\n{thing.checkpoint}\n{thing.case}\n{thing.id}", "muted")


def _delegation(thing: DelegationView) -> Iterator[Piece]:
    giver, delegate = words.person(thing.giver), words.person(thing.delegate)
    yield (f"{harmless(delegate)} stands in for {harmless(giver)}\n\n", "head")
    yield from field("For", thing.process or "every process")
    yield from field("From", words.clock(thing.starts_at))
    yield from field("Until", words.clock(thing.ends_at))
    yield (f"\n{thing.act}", "muted")
