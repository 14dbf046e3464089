"""Walking the acts of a place of the console: each by its keys, by the palette, and by the mouse."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding
from textual.command import Command, CommandList, CommandPalette
from textual.screen import ActiveBinding, Screen
from textual.widgets._footer import FooterKey

from tests.tui.conftest import Desk
from tests.tui.simulator import Simulator
from tui.commands import Acts
from tui.widgets.table import VirtualTable


@dataclass(frozen=True)
class Seen:
    """A console after an act, and what was there before it."""

    desk: Desk
    simulator: Simulator
    text: str
    asked: int
    acts: int


Check = Callable[[Seen], bool]
Reach = Callable[[Desk], Awaitable[None]]


@dataclass(frozen=True)
class Act:
    """An act by the id of its binding: what it comes to, keys that go before, keys that lead back.

    ``mouse`` is what is clicked, and where, if the act has no place at the foot of the screen.
    """

    id: str
    comes_to: Check
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    mouse: str = ""
    offset: tuple[int, int] | None = None
    times: int = 1


@dataclass(frozen=True)
class Place:
    """Where acts are in force: who stands there, how it is reached, what there is.

    ``anew``: it is reached again for each act, since the act leaves it.
    """

    who: str
    reach: Reach
    acts: tuple[Act, ...]
    prepare: Callable[[Simulator], None] = lambda simulator: None
    anew: bool = False


# --- what an act comes to --------------------------------------------------------------------


def says(*words: str) -> Check:
    return lambda seen: seen.desk.sees(*words)


def says_not(*words: str) -> Check:
    return lambda seen: not any(seen.desk.sees(each) for each in words)


def on(screen: type[Screen[Any]], *words: str) -> Check:
    return lambda seen: isinstance(seen.desk.app.screen, screen) and seen.desk.sees(*words)


def at(row: int, table: str = "") -> Check:
    return lambda seen: (
        seen.desk.app.screen.query(table or VirtualTable).first(VirtualTable).cursor == row
    )


def focus(selector: str) -> Check:
    return lambda seen: bool(seen.desk.app.screen.query_one(selector).has_focus)


def signs(act: str) -> Check:
    return lambda seen: {each[1] for each in seen.simulator.acts[seen.acts :]} == {act}


def changed(seen: Seen) -> bool:
    """Something else is on the screen."""
    return seen.desk.text() != seen.text


def asks(seen: Seen) -> bool:
    """The authority was asked again."""
    return len(seen.simulator.asked) > seen.asked


# --- the three ways --------------------------------------------------------------------------


def in_force(desk: Desk, name: str) -> dict[str, ActiveBinding]:
    """The keys of an act, as they are in force now."""
    return {
        key: each
        for key, each in desk.app.screen.active_bindings.items()
        if each.binding.id == name and each.enabled
    }


async def by_palette(desk: Desk, active: ActiveBinding) -> None:
    """Open it, go down to the act's line, and enter."""
    await desk.pilot.press("ctrl+p")
    at = await _line_of(desk, active)
    desk.app.screen.query_one(CommandList).highlighted = at
    await desk.pilot.press("enter")


async def by_mouse(desk: Desk, act: Act, active: ActiveBinding) -> None:
    """What was named; else its name at the foot; else the palette, which is at the foot too."""
    if act.mouse:
        where = {"offset": act.offset} if act.offset else {}
        await desk.pilot.click(act.mouse, times=act.times, **where)
        return
    foot = _at_the_foot(desk, active.binding)
    await desk.pilot.click(foot)
    if not foot.has_class("-command-palette"):
        return
    at = await _line_of(desk, active)
    found = desk.app.screen.query_one(CommandList)
    found.highlighted = at  # as the wheel would bring it into view
    found.scroll_to_highlight()
    await desk.pilot.pause()
    line = next(
        y for y in range(found.size.height) if found.get_style_at(0, y).meta.get("option") == at
    )
    await desk.pilot.click(found, offset=(2, line))


def _at_the_foot(desk: Desk, binding: Binding) -> FooterKey:
    """The act's own name at the foot of the screen, or else the palette's."""
    keys = [each for each in desk.app.screen.query(FooterKey) if each.display]
    own = [each for each in keys if each.key == binding.key]
    (foot, *_) = own or [each for each in keys if each.has_class("-command-palette")]
    assert foot.region in desk.app.screen.region
    return foot


async def _line_of(desk: Desk, active: ActiveBinding) -> int:
    """Where the open palette lists an act."""

    def place() -> int | None:
        if not isinstance(desk.app.screen, CommandPalette):
            return None
        found = desk.app.screen.query_one(CommandList).options
        return next(
            (y for y, x in enumerate(found) if isinstance(x, Command) and _is(x.hit, active)), None
        )

    await desk.until(lambda: place() is not None)
    found = place()
    assert found is not None
    return found


def _is(hit: Any, active: ActiveBinding) -> bool:
    """Whether a line of the palette does what a key does: the same act, of the same widget."""
    asked = getattr(hit.command, "args", ())
    return hit.text == active.binding.description and asked == (active.binding.action, active.node)


async def walk(desk: Desk, simulator: Simulator, place: Place) -> None:
    """Do every act of a place.

    By all of its keys; by what it has for the mouse alone; and the first one by the palette and at
    the foot as well, drawn and clicked. That takes long: of the others it is seen that the palette
    has the line which does the same, and that the foot has its name, or the palette's.
    """
    if not place.anew:
        await place.reach(desk)
        await _helped(desk, place)
    for act in place.acts:
        if act is place.acts[0]:
            await _try(desk, simulator, place, act, "palette")
        if act is place.acts[0] or act.mouse:
            await _try(desk, simulator, place, act, "mouse")
        for key in await _try(desk, simulator, place, act, "key"):
            await _try(desk, simulator, place, act, "key", key)


async def _helped(desk: Desk, place: Place) -> None:
    """Help names what is in force at a place."""
    wanted = [each.id for each in place.acts if not each.before and each.id != "help.close"]
    wanted = [each for each in wanted if in_force(desk, each)]
    await desk.press("f1")
    shown = " ".join(str(each.content) for each in desk.app.screen.query("#help-acts Static"))
    assert [each for each in wanted if each not in shown] == []
    await desk.press("f1")


async def _try(
    desk: Desk, simulator: Simulator, place: Place, act: Act, way: str, key: str = ""
) -> list[str]:
    """Do an act in one way, and come back; the other keys that it has."""
    if place.anew:
        await place.reach(desk)
    if act.before:
        await desk.press(*act.before)
    desk.app.clear_notifications()
    found = in_force(desk, act.id)
    assert found, f"{act.id} is not in force here:\n{desk.text()}"
    first, *more = found
    lines = [each async for each in Acts(desk.app.screen).discover() if _is(each, found[first])]
    assert lines, f"the palette has no line for {act.id}"
    before = (desk.text(), len(simulator.asked), len(simulator.acts))
    match way:
        case "key":
            assert act.mouse or _at_the_foot(desk, found[first].binding)
            await desk.pilot.press(key or first)
        case "palette":
            await by_palette(desk, found[first])
        case _:
            await by_mouse(desk, act, found[first])
    seen = Seen(desk, simulator, *before)
    try:
        await desk.until(lambda: act.comes_to(seen))
    except AssertionError as error:
        raise AssertionError(f"{act.id} by {way} {key or first}: {error}") from None
    await desk.pilot.press(*act.after)
    await desk.settle()
    return more
