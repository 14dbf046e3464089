"""Reviews of identities: campaigns, how far each is, and whom the next one should look at."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Static

from placet.model import ADMINISTRATOR, CampaignItem, CampaignView, Candidate, Governance
from tui import identity_acts, words
from tui.asking import Asking, Listener
from tui.said import Piece, said
from tui.screens.act import Act
from tui.standing import COLUMNS, campaign_look, due_cells, item_cells
from tui.widgets.keys import Keys
from tui.widgets.table import Cell, Rows, VirtualTable

DAYS = 30
"""Whose review is due within so many days is listed below the campaigns."""

_Row = tuple[CampaignView, CampaignItem] | Candidate


class Reviews(Screen[None], Asking, Listener):
    """Rows of campaigns, the newest first, then who is due."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="reviews.back", tooltip="Back to identities"),
        Binding(
            "n",
            "start",
            "New campaign",
            id="reviews.start",
            tooltip="Ask the owners of those that are due, each by a case",
        ),
        Binding(
            "a",
            "acknowledge",
            "Acknowledge",
            id="reviews.acknowledge",
            tooltip="Management has seen what came of this campaign",
        ),
        Binding(
            "o",
            "go_on",
            "Open cases",
            id="reviews.go-on",
            tooltip="Open the cases that this campaign has not yet",
        ),
        Binding("f5,ctrl+r", "load", "Refresh", id="reviews.refresh", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, _Row] = {}
        self._rules: Governance | None = None
        self._unheard: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """List and look."""
        yield Static(id="reviews-head", classes="view-head")
        with Horizontal(classes="split"):
            yield VirtualTable(COLUMNS, empty="Looking …", id="reviews-table")
            yield Static(id="reviews-look", classes="side")
        yield Keys()

    def on_mount(self) -> None:
        """Ask for them."""
        self.query_one(VirtualTable).focus()
        self.load()

    def heard(self, size: int) -> None:
        """Something changed: look again."""
        del size
        if self.is_mounted and self.console.signed_in:
            self.load()

    def action_load(self) -> None:
        """Ask again."""
        self.load()

    @work(exclusive=True, group="identities")
    async def load(self) -> None:
        """Ask for the campaigns, and for those that are due."""
        directory = self.session.gateway.directory
        campaigns = await self.ask(directory.campaigns())
        due = await self.ask(directory.due(DAYS))
        self._rules = await self.ask(self.session.gateway.governance())
        if campaigns is None or due is None:
            return
        self._unheard = await self.ask(directory.unheard(due)) or {}
        rows: dict[str, _Row] = {}
        for campaign in campaigns:
            for item in campaign.items:
                rows[f"{campaign.campaign} {item.number}"] = (campaign, item)
        waiting = {
            item.identity for each in campaigns for item in each.items if item.outcome is None
        }
        rows |= {f"due {each.identity}": each for each in due if each.identity not in waiting}
        self._rows = rows
        self._show(len(campaigns))

    def _show(self, campaigns: int) -> None:
        found, now = list(self._rows.values()), words.now()

        def cells(at: int) -> tuple[Cell, ...]:
            row = found[at]
            return due_cells(row, now) if isinstance(row, Candidate) else item_cells(*row)

        table = self.query_one(VirtualTable)
        table.say(f"No campaign yet, and nothing is due within {DAYS} days.")
        table.show(Rows.of(list(self._rows), cells))
        self.query_one("#reviews-head", Static).update(
            said(
                (f"campaigns: {campaigns}", "strong"),
                f"  ·  {len(self._due())} due within {DAYS} days, in no campaign",
            )
        )
        self._look()
        self.refresh_bindings()

    def _due(self) -> list[Candidate]:
        return [each for each in self._rows.values() if isinstance(each, Candidate)]

    def _here(self) -> _Row | None:
        tables = self.query(VirtualTable)
        return self._rows.get(tables.first().row) if tables else None

    def _look(self) -> None:
        row = self._here()
        made: list[Piece] = [("Nothing is selected.", "muted")]
        if isinstance(row, Candidate):
            starts = " n starts one on all of these." if self.check_action("start", ()) else ""
            made = [(f"In no campaign.{starts}", "muted")]
        elif row is not None:
            made = list(campaign_look(row[0]))
        self.query_one("#reviews-look", Static).update(said(*made))

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Another one."""
        self._look()
        self.refresh_bindings()

    @on(VirtualTable.Opened)
    def opened(self) -> None:
        """To the case in which its owner decides."""
        row = self._here()
        if isinstance(row, Candidate) or row is None:
            return
        self.open_review(row[1].identity, row[0].campaign)

    @work(exclusive=True, group="review-case")
    async def open_review(self, identity: str, campaign: str) -> None:
        """The checkpoint of a review, or what has happened in it so far."""
        stands = await self.ask(self.session.gateway.directory.standing(identity))
        found = (
            next((x for x in stands.reviews if x.campaign == campaign), None) if stands else None
        )
        if found is None or found.case is None:
            self.app.notify("Its review has not begun.", markup=False)
        elif found.checkpoint is not None:
            from tui.screens.case import CaseScreen  # noqa: PLC0415 - not before it is asked for

            self.app.push_screen(CaseScreen(found.checkpoint))
        else:
            from tui.screens.replay import Replay  # noqa: PLC0415 - not before it is asked for

            self.app.push_screen(Replay(found.case))

    # --- acts ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what this person can do."""
        if action not in {"start", "acknowledge", "go_on"}:
            return super().check_action(action, parameters)
        if not self.console.signed_in:
            return False
        me, row = self.session.me, self._here()
        if action == "start":
            return ADMINISTRATOR in me.roles and bool(self._others())
        if isinstance(row, Candidate) or row is None or self._rules is None:
            return False
        campaign = row[0]
        if action == "go_on":
            begun = all(each.case or each.outcome for each in campaign.items)
            return ADMINISTRATOR in me.roles and not begun
        managers = self._rules.identities.managers
        return (
            bool(set(managers) & set(me.roles))
            and campaign.acknowledged_by is None
            and campaign.started_by != me.principal
            and not campaign.left
        )

    def _others(self) -> tuple[str, ...]:
        """Those that are due and are not one's own, which one may start no review of."""
        mine = self.session.me.principal
        return tuple(each.identity for each in self._due() if each.owner != mine)

    def action_start(self) -> None:
        """Sign a campaign on those that are due, and open its cases."""
        wanted, mine = self._others(), self.session.me.principal
        unheard = [said for owner, said in self._unheard.items() if owner != mine]
        self.app.push_screen(Act(identity_acts.campaign(wanted, unheard)), self._done)

    @work(exclusive=True, group="identities-act")
    async def action_go_on(self) -> None:
        """Open the cases of a campaign whose start was cut off."""
        row = self._here()
        if row is None or isinstance(row, Candidate):
            return
        campaign = row[0].campaign
        if await self.ask(self.session.gateway.directory.begin(campaign, ())) is not None:
            self.app.notify(f"{campaign}: its cases are open.", markup=False)
            self.load()

    def action_acknowledge(self) -> None:
        """Sign that management has seen it."""
        row = self._here()
        if row is not None and not isinstance(row, Candidate):
            self.app.push_screen(Act(identity_acts.acknowledge(row[0])), self._done)

    def _done(self, done: str | None) -> None:
        if done:
            self.app.notify(done, markup=False)
            self.load()
