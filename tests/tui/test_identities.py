"""The registry as the console shows it: all kinds, what is wrong, and each signed act on one."""

from decimal import Decimal

import pytest
from textual.widgets import Button, Input, Select

from placet.model import AuthorityMatrix, Candidate, CheckpointRule, Mode, Need, Risk, Tier
from placet.tokens import invitation_key
from tests.tui.conftest import PASSPHRASE, THUMBPRINT, Desk, Opened, known, put_in_registry
from tests.tui.simulator import Simulator
from tui.screens.act import Act, Handed
from tui.screens.case import CaseScreen
from tui.screens.main import Main
from tui.widgets.table import VirtualTable

pytestmark = pytest.mark.timeout(60)


async def sign(desk: Desk, **typed: str) -> None:
    """Cancel has the focus; then what is typed, the passphrase, and the button."""
    await desk.on(Act)
    assert desk.app.focused is desk.app.screen.query_one("#cancel", Button)
    for name, text in {**typed, "passphrase": PASSPHRASE}.items():
        desk.app.screen.query_one(f"#{name}", Input).value = text
    await desk.push("#sign")


async def at(desk: Desk, identity: str) -> None:
    desk.app.screen.query_one("#identities-table", VirtualTable).go_to(identity)
    await desk.settle()


async def test_each_identity_is_shown_with_what_it_may_do_against_what_it_did(
    open_console: Opened, registry: Simulator
) -> None:
    async with open_console("una") as desk:
        await desk.press("3")
        await desk.expect("all kinds: 3", "2 live grants", "1 not in order", "▲ suspended")
        await at(desk, "agent:weigher")
        await desk.expect("parcel:weigh 41 ×, last 2 h", "parcel:open never did", "80 d old")
        await desk.press("S", "O")
        assert not isinstance(desk.app.screen, Act)  # who only reads is offered nothing


async def test_what_holds_an_identity_back_stands_beside_it(
    open_console: Opened, registry: Simulator
) -> None:
    registry.registry[0] = known(
        "agent:sorter", "suspended", suspended_for="limit", narrowed_to=("parcel:sort",)
    )
    async with open_console("una", (140, 60)) as desk:
        await desk.press("3")
        await desk.expect("▲ it went beyond a limit", "Narrowed to parcel:sort")
        await desk.press("down")
        await desk.expect("▲ slowed down until", "Its limits", "at most 2 grants in 1 h")
        await desk.expect("Reviews", "q1, since", "waits for its owner")
        await desk.press("i")
        await desk.on(CaseScreen)


async def test_kinds_and_people_are_looked_at_by_themselves(
    open_console: Opened, registry: Simulator
) -> None:
    async with open_console("una", size=(80, 24)) as desk:
        await desk.press("3", "v")
        await desk.expect("agents: 2", "agent:sorter")
        await desk.press("v")
        await desk.expect("There are none: service accounts.")
        await desk.press("v")
        await desk.expect("API keys: 1", "api-key:payments/stripe", "○ elsewhere")
        await desk.press("enter")
        await desk.expect("Environment production", "Credential api-key")
        await desk.press("escape")
        await desk.press("v", "v", "v")
        await desk.expect("people: 5, 5 active", "operator:omar")


async def test_a_long_registry_is_read_page_by_page(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.registry = [known(f"bot:b{number:04}", "elsewhere") for number in range(450)]
    async with open_console("una") as desk:
        await desk.press("3")
        await desk.expect("all kinds: 200+")
        await desk.press("end")
        await desk.expect("all kinds: 400+")
        simulator.note("agent.suspended", "operator:ada", None, None, {})
        await desk.expect("something changed: f5")
        await desk.press("end")
        await desk.expect("all kinds: 450 ")


async def test_what_is_wrong_stands_with_the_command_that_mends_it(
    open_console: Opened, registry: Simulator
) -> None:
    async with open_console("una") as desk:
        await desk.press("3", "w")
        await desk.expect("what is wrong · 1 stale · 1 unowned", "nobody owns it")
        await desk.press("down", "c")
        assert desk.app.clipboard == "placet identity register agent:sorter --owner …"
        await desk.press("w")
        await desk.expect("all kinds: 3")


async def test_an_identity_is_suspended_and_resumed_by_signed_acts(
    open_console: Opened, registry: Simulator
) -> None:
    async with open_console("ada") as desk:
        await desk.press("3")
        await at(desk, "agent:weigher")
        await desk.press("S")
        await desk.expect("Suspend agent weigher?")
        await sign(desk, why="stolen")
        await at(desk, "agent:sorter")
        await desk.press("ctrl+p")
        await desk.type("resume")
        await desk.until(lambda: desk.sees("Let it go on"))
        await desk.press("enter")
        await desk.expect("Resume agent sorter?")
        await sign(desk, why="back")
        await desk.on(Main)
    assert registry.acts == [
        ("operator:ada", "agent.suspend", "agent:weigher", {"reason": "stolen"}),
        ("operator:ada", "agent.resume", "agent:sorter", {"reason": "back"}),
    ]


async def test_offboarding_shows_first_what_is_left_behind(
    open_console: Opened, registry: Simulator
) -> None:
    async with open_console("ada") as desk:
        await desk.press("3")
        await at(desk, "agent:weigher")
        await desk.press("O")
        await desk.expect(
            "Offboard agent weigher?",
            "live grants 2, keys 1, join tokens 0",
            "parcels: weigh",
            "Open cases that come to such a step: 3",
        )
        await sign(desk, why="retired")
        await at(desk, "api-key:payments/stripe")
        await desk.press("E")
        await desk.expect("End api-key:payments/stripe?", "such a step: 3")
        await sign(desk, why="gone")
        await desk.on(Main)
        await desk.press("v", "v", "v", "v", "v", "v")
        await at(desk, "operator:omar")
        await desk.press("O")
        await desk.expect("Offboard operator omar?", "They own no identity.")
        await desk.press("escape")
        await at(desk, "operator:ada")
        await desk.press("O")
        assert not isinstance(desk.app.screen, Act)  # nobody takes themselves out
    assert registry.acts == [
        ("operator:ada", "agent.offboard", "agent:weigher", {"reason": "retired"}),
        ("operator:ada", "identity.end", "api-key:payments/stripe", {"reason": "gone"}),
    ]


async def test_an_owners_leaving_says_who_follows(
    open_console: Opened, registry: Simulator
) -> None:
    registry.registry[1] = registry.registry[1].model_copy(
        update={"owner": "operator:omar", "deputy": "operator:sofia"}
    )
    registry.registry[2] = registry.registry[2].model_copy(update={"owner": "operator:omar"})
    async with open_console("ada") as desk:
        await desk.press("3", "v", "v", "v", "v", "v", "v")
        await at(desk, "operator:omar")
        await desk.press("O")
        await desk.expect(
            "Identities they own: 2", "agent:weigher: sofia", "stripe: nobody, and it ends"
        )


async def test_a_vendor_is_switched_off_as_it_was_shown(
    open_console: Opened, registry: Simulator
) -> None:
    async with open_console("ada") as desk:
        await desk.press("3")
        await at(desk, "agent:weigher")
        await desk.press("X")
        await desk.expect(
            "Switch off vendor acme?",
            "Identities that stop: 1; 3 more go on until",
            "agent:weigher",
            "payments: 1",
            "open ones that need them: 150",
        )
        await sign(desk, why="breached")
        await desk.on(Main)
    body = {"identities": ["agent:weigher"], "reason": "breached"}
    assert registry.acts == [("operator:ada", "vendor.off", "acme", body)]


async def test_an_agents_key_is_rotated_by_a_token_that_is_shown_once(
    open_console: Opened, registry: Simulator
) -> None:
    """I7: the authority gets the token's digest alone."""
    async with open_console("ada") as desk:
        await desk.press("3")
        await at(desk, "agent:weigher")
        await desk.press("N")
        await desk.expect("Rotate the key of agent weigher?")
        await sign(desk, queues="scales, scales-2", minutes="soon")
        await desk.expect("'soon' is no number of minutes")
        desk.app.screen.query_one("#minutes", Input).value = "20"
        await desk.push("#sign")
        await desk.on(Handed)
        await desk.press("c", "escape")
        await desk.on(Main)
        token = desk.app.clipboard
        assert token not in desk.text()
    ((_, act, target, body),) = registry.acts
    assert (act, target) == ("agent.invite", "agent:weigher")
    assert body == {
        "environment": "production",
        "task_queues": ["scales", "scales-2"],
        "invitation_key": invitation_key("agent:weigher", token).thumbprint,
        "minutes": 20,
    }


async def test_others_new_credentials_and_owners_are_registered(
    open_console: Opened, registry: Simulator
) -> None:
    async with open_console("ada") as desk:
        await desk.press("3")
        await at(desk, "api-key:payments/stripe")
        await desk.press("N")
        await desk.expect("Record a new credential of api-key:payments/stripe?")
        await sign(desk, since="yesterday")
        await desk.expect("'yesterday' is no day such as")
        desk.app.screen.query_one("#since", Input).value = "2026-11-01"
        await desk.push("#sign")
        await desk.on(Main)
        await desk.press("U")
        await desk.expect("Register api-key:payments/stripe anew?")
        desk.app.screen.query_one("#owner", Select).value = "omar"
        await sign(desk, ends="2027-01-31", review="2027-01-15")
        await desk.on(Main)
    renewed, anew = (body for _, _, _, body in registry.acts)
    assert [act for _, act, _, _ in registry.acts] == ["identity.register"] * 2
    assert renewed["credential_since"] == "2026-11-01T00:00:00Z"
    assert (anew["owner"], anew["ends_at"]) == ("operator:omar", "2027-01-31T00:00:00Z")
    assert anew["purpose"] == renewed["purpose"] == "weighs parcels"


async def test_one_of_its_keys_is_refused_for_good(
    open_console: Opened, registry: Simulator
) -> None:
    async with open_console("ada") as desk:
        await desk.press("3")
        await at(desk, "agent:weigher")
        await desk.press("K")
        await desk.expect("Revoke a key of weigher?")
        await sign(desk, why="lost")
        await desk.on(Main)
    assert registry.acts == [("operator:ada", "key.revoke", THUMBPRINT, {"reason": "lost"})]


async def test_who_could_not_answer_is_named_before_a_campaign_is_signed(
    open_console: Opened, simulator: Simulator
) -> None:
    """I10: silence suspends; omar has no role that a review asks for, and una has."""
    put_in_registry(simulator)
    simulator.due = [
        Candidate(identity=f"bot:{name}", owner=f"operator:{name}", risk=Risk.LOW)
        for name in ("omar", "una", "ada")
    ]
    need = Need(roles=("auditor",), count=1)
    rule = CheckpointRule(checkpoint="recertification", tiers=(Tier(needs=(need,)),))
    simulator.matrices = [
        AuthorityMatrix(
            process="identity-review",
            version=1,
            mode=Mode.ASSIST,
            automatic_limit=Decimal(0),
            rules=(rule,),
        )
    ]
    async with open_console("ada") as desk:
        await desk.press("3", "r", "n")
        await desk.expect("Start a campaign on 2", "▲ omar can't answer without the role auditor")
        assert "una can't answer" not in desk.text()
        assert "ada can't answer" not in desk.text()
