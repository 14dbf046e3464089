"""Identities: what administrators do with them, each a signed act after a look at what it stops."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from placet.model import ADMINISTRATOR, RegisteredView, ReportLine
from tui import acts, identity_acts, words
from tui.acts import Deed
from tui.answers import Identity
from tui.directory import PAGE
from tui.screens.act import Act
from tui.views.registry import Registry

_CHANGES = frozenset({"change", "end", "revoke", "rotate", "register", "vendor"})
_FITS = {
    "suspend": {"active"},
    "resume": {"suspended"},
    "offboard": {"active", "suspended"},
}


class Identities(Registry):
    """The registry by kind, people, and the reports; a closer look at the row under the cursor."""

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
            "N",
            "rotate",
            "Rotate",
            id="identities.rotate",
            tooltip="A new key: for an agent by a token good once, for others' since which day",
        ),
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
            tooltip="End it for good, after looking at what it leaves behind",
        ),
        Binding(
            "E",
            "end",
            "End",
            id="identities.end",
            tooltip="End it now, ours or others', until it is registered anew",
            show=False,
        ),
        Binding(
            "U",
            "register",
            "Register",
            id="identities.register",
            tooltip="Say anew whose it is, what for, and until when",
            show=False,
        ),
        Binding(
            "X",
            "vendor",
            "Vendor off",
            id="identities.vendor",
            tooltip="Switch off all identities of the third party that runs it",
            show=False,
        ),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Administrators alone, and only what fits its standing."""
        each = self._here()
        if action not in _CHANGES:
            return super().check_action(action, parameters)
        if not self.console.signed_in or ADMINISTRATOR not in self.session.me.roles:
            return False
        if each is None or isinstance(each, ReportLine):
            return False
        if isinstance(each, Identity):
            mine = each.principal == self.session.me.principal
            return (
                not mine
                and {
                    "change": lambda: each.status in _FITS[str(parameters[0])],
                    "revoke": lambda: bool(each.keys),
                }.get(action, lambda: False)()
            )
        return _offers(action, parameters, each)

    def _ask_act(self, deed: Deed) -> None:
        self.app.push_screen(Act(deed), self._done)

    def _done(self, done: str | None) -> None:
        if done:
            self.app.notify(done, markup=False)
            self.look_anew()

    @work(exclusive=True, group="identities-act")
    async def _ask_after(self, asked: Awaitable[Deed | None]) -> None:
        """The dialog of an act, once it is known what it stops."""
        deed = await asked
        if deed is not None:
            self._ask_act(deed)

    def action_change(self, verb: str) -> None:
        """A signed act on it; offboarding after looking at what it leaves."""
        each = self._here()
        if isinstance(each, Identity):
            if verb == "offboard":
                self._ask_after(self._offboard_person(each))
            else:
                self._ask_act(identity_acts.change(verb, each.principal))
        elif isinstance(each, RegisteredView):
            name = each.identity
            if verb == "offboard":
                self._ask_after(self._after_a_look(name, identity_acts.change, verb, name))
            else:
                self._ask_act(identity_acts.change(verb, name))

    async def _after_a_look(
        self, identity: str, deed: Callable[..., Deed], *told: str
    ) -> Deed | None:
        left = await self.ask(self.session.gateway.directory.left_behind(identity))
        return None if left is None else deed(*told, identity_acts.left_look(left))

    async def _offboard_person(self, each: Identity) -> Deed | None:
        owned: list[RegisteredView] = []
        last = ""
        while True:
            page = await self.ask(self.session.gateway.directory.page(None, last))
            if page is None:
                return None
            owned += [one for one in page if one.owner == each.principal]
            if len(page) < PAGE:
                break
            last = page[-1].identity
        look_ = identity_acts.owned_look(owned)
        return identity_acts.change("offboard", each.principal, look_)

    def action_end(self) -> None:
        """End it now, after looking at what it leaves."""
        each = self._here()
        if isinstance(each, RegisteredView):
            name = each.identity
            self._ask_after(self._after_a_look(name, identity_acts.end, name))

    def action_rotate(self) -> None:
        """A new key."""
        each = self._registered_here()
        if each is not None:
            ours = each.identity.startswith("agent:")
            self._ask_act(identity_acts.invite(each) if ours else identity_acts.renewed(each))

    def action_register(self) -> None:
        """Say anew what is known of it."""
        each = self._registered_here()
        people = tuple(
            sorted(words.person(one.principal) for one in self._people if one.status == "active")
        )
        if each is not None:
            self._ask_act(identity_acts.register(each, people))

    def action_vendor(self) -> None:
        """Switch off the third party that runs it, after looking at what that stops."""
        each = self._here()
        if isinstance(each, RegisteredView) and each.vendor:
            self._ask_after(self._vendor_off(each.vendor))

    async def _vendor_off(self, vendor: str) -> Deed | None:
        seen = await self.ask(self.session.gateway.directory.vendor(vendor))
        return None if seen is None else identity_acts.vendor_off(seen)

    def action_revoke(self) -> None:
        """Refuse one of its keys for good."""
        each = self._here()
        if isinstance(each, Identity):
            self._ask_act(acts.revoke_key(each.principal, each.keys))
        elif isinstance(each, RegisteredView):
            self._ask_act(acts.revoke_key(each.identity, _keys(each)))


def _keys(each: RegisteredView) -> tuple[str, ...]:
    return tuple(key.thumbprint for key in each.keys if key.status == "active")


def _offers(action: str, parameters: tuple[object, ...], each: RegisteredView) -> bool:
    """Whether an administrator can do an act with one, as far as it is known."""
    ended = each.ends_at is not None and each.ends_at <= words.now()
    match action:
        case "change":
            return each.status in _FITS[str(parameters[0])]
        case "revoke":
            return bool(_keys(each))
        case "rotate":
            ours = each.identity.startswith("agent:") and each.status in {"active", "invited"}
            return ours or each.status == "elsewhere"
        case "register":
            return each.status != "offboarded"
        case "vendor":
            return each.vendor is not None and not ended
        case _:
            return not ended
