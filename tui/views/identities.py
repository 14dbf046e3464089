"""Identities: whose each agent is, how old its key, what it did; and taking it out at once."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from placet.model import ADMINISTRATOR
from tui import acts, words
from tui.answers import Identity
from tui.figures import AgentFigures, by_agent
from tui.said import Piece, said
from tui.screens.act import Act
from tui.text import harmless
from tui.views.base import View
from tui.widgets.table import Cell, Column, Rows, VirtualTable

TAIL = 2048
_KINDS = ("agent", "operator", "system")
_COLUMNS = (
    Column("Identity", 24, grow=2),
    Column("Standing", 11),
    Column("Owner", 10, grow=1, drop=2),
    Column("Roles", 18, grow=2, drop=3),
    Column("Enrolled", 12, right=True, drop=4),
    Column("Last used", 12, right=True),
    Column("Live", 4, right=True),
    Column("Denied", 6, right=True, drop=1),
)
_STANDING = {"active": ("● active", "good"), "suspended": ("▲ suspended", "warn")}


class Identities(View):
    """Agents first, then people, then systems of record."""

    name_shown = "Identities"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "S",
            "change('suspend')",
            "Suspend",
            id="identities.suspend",
            tooltip="No new grant; live ones end",
        ),
        Binding("R", "change('resume')", "Resume", id="identities.resume", tooltip="Let it go on"),
        Binding(
            "K",
            "revoke",
            "Revoke key",
            id="identities.revoke",
            tooltip="Refuse one of its keys for good; it goes on with another",
        ),
        Binding(
            "O",
            "change('offboard')",
            "Offboard",
            id="identities.offboard",
            tooltip="End it for good",
        ),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._found: list[Identity] = []
        self._did: dict[str, AgentFigures] = {}

    def compose(self) -> ComposeResult:
        """List and look."""
        yield Static(id="identities-head", classes="view-head")
        with Horizontal(classes="split"):
            yield VirtualTable(_COLUMNS, empty="Looking …", id="identities-table")
            yield Static(id="identities-look", classes="side")

    @work(exclusive=True, group="identities")
    async def load(self) -> None:
        """Ask for all kinds, and for what the newest entries tell of them."""
        if not self.console.signed_in:
            return
        found: list[Identity] = []
        for kind in _KINDS:
            found += await self.ask(self.session.gateway.identities(kind)) or []
        tail = await self.ask(self.session.gateway.tail(TAIL))
        if not found or tail is None:
            return
        self._found, self._did = found, by_agent(tail)
        self._show()

    def _show(self) -> None:
        table = self.query_one(VirtualTable)
        found = self._found
        table.show(Rows.of([each.principal for each in found], lambda at: self._cells(found[at])))
        active = sum(each.status == "active" for each in found)
        live = sum(each.live for each in self._did.values())
        self.query_one("#identities-head", Static).update(
            said(
                (f"{len(found)} identities, {active} active", "strong"),
                f"  ·  {live} live grants  ·  what they did: the newest {TAIL} entries",
            )
        )
        self._look()
        self.screen.refresh_bindings()

    def _cells(self, each: Identity) -> tuple[Cell, ...]:
        now = words.now()
        did = self._did.get(each.principal, AgentFigures())
        text, tone = _STANDING.get(each.status, (f"○ {harmless(each.status)}", "muted"))
        return (
            Cell(each.principal),
            Cell(text, tone),
            Cell(words.person(each.owner or ""), "muted"),
            Cell(", ".join(each.roles), "muted"),
            Cell(words.ago(each.enrolled_at, now), "muted"),
            Cell(words.ago(did.last, now) if did.last else "", "muted"),
            Cell(str(did.live) if did.live else "", "accent"),
            Cell(str(did.denied) if did.denied else "", "bad"),
        )

    def _here(self) -> Identity | None:
        tables = self.query(VirtualTable)
        row = tables.first().row if tables else ""
        return next((each for each in self._found if each.principal == row), None)

    def _look(self) -> None:
        each = self._here()
        made: list[Piece] = [("Nothing is selected.", "muted")]
        if each is not None:
            did = self._did.get(each.principal, AgentFigures())
            made = [
                (f"{each.principal}\n", "head"),
                f"{harmless(each.status)}\n\n",
                ("Owner  ", "muted"),
                f"{words.person(each.owner or 'itself')}\n",
                ("Roles  ", "muted"),
                f"{', '.join(each.roles) or 'none'}\n",
                ("Enrolled  ", "muted"),
                f"{words.clock(each.enrolled_at)}\n",
                ("\nKeys\n", "head"),
                *(f"{thumbprint}\n" for thumbprint in each.keys),
                ("\nWhat it did lately\n", "head"),
                f"{did.issued} grants, {did.denied} denied, {did.live} live\n",
                *(f"  {harmless(action)}\n" for action in did.actions),
            ]
        self.query_one("#identities-look", Static).update(said(*made))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Administrators alone, and only what fits its standing."""
        if action not in {"change", "revoke"}:
            return super().check_action(action, parameters)
        if not self.console.signed_in or ADMINISTRATOR not in self.session.me.roles:
            return False
        each = self._here()
        if each is None or action == "revoke":
            return each is not None and bool(each.keys)
        fits = {"suspend": {"active"}, "resume": {"suspended"}, "offboard": {"active", "suspended"}}
        return each.status in fits[str(parameters[0])] and not each.principal.startswith("system:")

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Another one."""
        self._look()
        self.screen.refresh_bindings()

    def action_change(self, verb: str) -> None:
        """A signed act on it."""
        each = self._here()
        if each is None:
            return
        kind = each.principal.partition(":")[0]
        effects = {
            "suspend": "It gets no new grant from that instant, and its live ones end in seconds.",
            "resume": "It may work again.",
            "offboard": "It is out for good, and its live grants end in seconds.",
        }
        self.app.push_screen(
            Act(
                acts.plain(
                    f"{kind}.{verb}",
                    each.principal,
                    f"{verb.capitalize()} {kind} {words.person(each.principal)}",
                    effects[verb],
                )
            ),
            self._done,
        )

    def action_revoke(self) -> None:
        """Refuse one of its keys for good."""
        each = self._here()
        if each is not None:
            self.app.push_screen(Act(acts.revoke_key(each.principal, each.keys)), self._done)

    def _done(self, done: str | None) -> None:
        if done:
            self.app.notify(done, markup=False)
            self.load()
