"""What waits between people: acts for a second signature, reviews, and who stands in for whom."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from placet.model import (
    ADMINISTRATOR,
    CaseView,
    DelegationView,
    Governance,
    ProposalView,
    ReviewView,
)
from tui import acts, words
from tui.acts import Deed
from tui.between import between_look
from tui.said import Piece, said
from tui.screens.act import Act
from tui.text import harmless
from tui.views.base import View
from tui.widgets.table import Cell, Column, Rows, VirtualTable

_COLUMNS = (
    Column("What", 14),
    Column("Of", 22, grow=2),
    Column("By", 12, grow=1, drop=-1),
    Column("Until", 22, grow=1, drop=1),
)
_AUDITOR = "auditor"


@dataclass(frozen=True)
class _Line:
    what: str
    of: str
    by: str
    until: str
    thing: ProposalView | ReviewView | DelegationView


class People(View):
    """Proposals, reviews and delegations that hold."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "c",
            "countersign",
            "Countersign",
            id="people.countersign",
            tooltip="Sign it as the second administrator",
        ),
        Binding("w", "withdraw", "Withdraw", id="people.withdraw", tooltip="It never takes effect"),
        Binding("r", "review", "Close review", id="people.review", tooltip="Say what came of it"),
        Binding("d", "delegate", "Stand-in", id="people.delegate", tooltip="Hand over for a time"),
        Binding("u", "end", "End stand-in", id="people.end", tooltip="Before its time"),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._lines: list[_Line] = []
        self._others: tuple[str, ...] = ()
        self._rules: Governance | None = None

    def compose(self) -> ComposeResult:
        """List and look."""
        yield Static(id="people-head", classes="view-head")
        with Horizontal(classes="split"):
            yield VirtualTable(_COLUMNS, empty="Looking …", id="people-table")
            yield Static(id="people-look", classes="side")

    @work(exclusive=True, group="people")
    async def load(self) -> None:
        """Ask for all three, and for whom one may hand over to."""
        if not self.console.signed_in:
            return
        gateway = self.session.gateway
        proposals = await self.ask(gateway.proposals())
        reviews = await self.ask(gateway.reviews())
        delegations = await self.ask(gateway.delegations())
        cases = await self.ask(gateway.cases()) if reviews else []
        people = await self.ask(gateway.identities("operator"))
        self._rules = await self.ask(gateway.governance())
        if proposals is None or reviews is None or delegations is None or people is None:
            return
        me, subjects = self.session.me, {each.id: self._about(each) for each in cases or ()}
        self._others = tuple(
            words.person(each.principal)
            for each in people
            if each.status == "active"
            and each.principal != me.principal
            and set(me.roles) <= set(each.roles)
        )
        self._lines = [
            *(
                _Line(
                    each.act,
                    words.person(each.target),
                    each.proposed_by,
                    words.clock(each.lapses_at),
                    each,
                )
                for each in proposals
            ),
            *(
                _Line(
                    "review",
                    subjects.get(each.case, each.checkpoint),
                    each.opened_by,
                    words.clock(each.until),
                    each,
                )
                for each in reviews
            ),
            *(
                _Line(
                    "stand-in",
                    words.person(each.delegate),
                    each.giver,
                    words.clock(each.ends_at),
                    each,
                )
                for each in delegations
                if each.ended_at is None and each.ends_at > words.now()
            ),
        ]
        self._show()

    def _show(self) -> None:
        lines = self._lines

        def cells(at: int) -> tuple[Cell, ...]:
            each = lines[at]
            return (
                Cell(each.what, "accent"),
                Cell(harmless(each.of)),
                Cell(words.person(each.by), "muted"),
                Cell(each.until, "muted"),
            )

        table = self.query_one(VirtualTable)
        table.say("Nothing waits between people.")
        table.show(Rows.of([_id(each.thing) for each in lines], cells))
        alone = not self._others and set(self.session.me.roles) != {_AUDITOR}
        self.query_one("#people-head", Static).update(
            said(
                (f"between people: {len(lines)}", "strong"),
                "  acts, reviews, stand-ins",
                ("  ·  nobody who has all of your roles could stand in for you", "muted")
                if alone
                else "",
            )
        )
        self._look()
        self.screen.refresh_bindings()

    def _about(self, case: CaseView) -> str:
        definition = self.session.gateway.newest_definition(case.process)
        return words.subject_words(definition, case.subject)

    def _line(self) -> _Line | None:
        tables = self.query(VirtualTable)
        row = tables.first().row if tables else ""
        return next((each for each in self._lines if _id(each.thing) == row), None)

    def _here(self) -> ProposalView | ReviewView | DelegationView | None:
        line = self._line()
        return line.thing if line else None

    def _look(self) -> None:
        line = self._line()
        made: Iterable[Piece] = (("Nothing is selected.", "muted"),)
        if line is not None:
            made = between_look(line.thing, line.of)
        self.query_one("#people-look", Static).update(said(*made))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what this person can do with this, as far as it is known."""
        if action not in {"countersign", "withdraw", "review", "delegate", "end"}:
            return super().check_action(action, parameters)
        if not self.console.signed_in:
            return False
        me, thing = self.session.me, self._here()
        roles = set(me.roles)
        match action, thing:
            case "delegate", _:
                return roles != {_AUDITOR} and bool(self._others)
            case "countersign", ProposalView():
                return ADMINISTRATOR in roles and thing.proposed_by != me.principal
            case "withdraw", ProposalView():
                return ADMINISTRATOR in roles or thing.proposed_by == me.principal
            case "review", ReviewView():
                rule = self._rules.break_glass if self._rules else None
                reviewers = set(rule.reviewers if rule else (ADMINISTRATOR,))
                return bool(roles & reviewers) and thing.opened_by != me.principal
            case "end", DelegationView():
                return thing.giver == me.principal
            case _:
                return False

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Another one."""
        self._look()
        self.screen.refresh_bindings()

    def _ask_act(self, deed: Deed) -> None:
        self.app.push_screen(Act(deed), self._done)

    def _done(self, done: str | None) -> None:
        if done:
            self.app.notify(done, markup=False)
            self.load()

    def action_countersign(self) -> None:
        """Sign what was shown as the second person."""
        thing = self._here()
        if isinstance(thing, ProposalView):
            self._ask_act(acts.countersign(thing))

    def action_withdraw(self) -> None:
        """Let it never take effect."""
        thing = self._here()
        if isinstance(thing, ProposalView):
            self._ask_act(acts.withdraw(thing))

    def action_review(self) -> None:
        """Say what came of an emergency."""
        line = self._line()
        if line is not None and isinstance(line.thing, ReviewView):
            self._ask_act(acts.close_review(line.thing, line.of))

    def action_delegate(self) -> None:
        """Hand over for a time."""
        self._ask_act(acts.delegate(self._others, self.session.gateway.processes()))

    def action_end(self) -> None:
        """End it before its time."""
        thing = self._here()
        if isinstance(thing, DelegationView):
            self._ask_act(acts.end_delegation(thing.act, thing.delegate))


def _id(thing: ProposalView | ReviewView | DelegationView) -> str:
    match thing:
        case ProposalView():
            return thing.jti
        case ReviewView():
            return thing.id
        case DelegationView():
            return thing.act
