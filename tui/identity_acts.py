"""Signed acts on identities, as a dialog asks for them; each shows first what it stops."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from placet.model import (
    MOST_AT_ONCE,
    ActAnswer,
    CampaignView,
    InviteAgent,
    LeftBehind,
    RegisteredView,
    RegisterIdentity,
    StartCampaign,
    SwitchOff,
    VendorView,
    quantity,
)
from placet.tokens import invitation_key
from tui import words
from tui.acts import WHY, Answers, Ask, Deed, plain
from tui.gateway import Gateway
from tui.said import Piece
from tui.text import harmless

EFFECTS: Mapping[str, str] = {
    "suspend": "It gets no new grant from that instant, and its live ones end in seconds.",
    "resume": "It may work again.",
    "offboard": "It is out for good, and its live grants end in seconds.",
}
_DAY = "2027-06-30"
_SHOWN = 12  # lines of a list that are shown before a dialog says how many more there are


def change(verb: str, principal: str, look: tuple[Piece, ...] = ()) -> Deed:
    """Suspend, resume or offboard one that is enrolled here."""
    kind = principal.partition(":")[0]
    said = f"{verb.capitalize()} {kind} {words.person(principal)}"
    return plain(f"{kind}.{verb}", principal, said, EFFECTS[verb], look)


def end(identity: str, look: tuple[Piece, ...] = ()) -> Deed:
    """End any identity now, ours or others'."""
    effect = "No new grant from that instant; its live ones end. It may be registered anew."
    return plain("identity.end", identity, f"End {harmless(identity)}", effect, look)


# --- what would stop, and what would be left ---------------------------------------------------


def left_look(left: LeftBehind) -> tuple[Piece, ...]:
    """What there is of an identity now, before it is taken out."""
    made: list[Piece] = [
        f"What ends with it: live grants {left.live_grants}, keys {left.keys}, ",
        f"join tokens {left.join_tokens}\n",
    ]
    if left.steps:
        made.append(("Steps that name it, and wait for a person then:\n", "warn"))
        made += _some(left.steps)
        made.append((f"Open cases that come to such a step: {left.open_cases}\n", "warn"))
        made += _some(left.cases)
    else:
        made.append(("No step of a process names it.\n", "good"))
    return tuple(made)


def owned_look(owned: list[RegisteredView]) -> tuple[Piece, ...]:
    """Who follows a person as the owner of each of their identities."""
    if not owned:
        return (("They own no identity.\n", "good"),)
    made: list[Piece] = [(f"Identities they own: {len(owned)}; who follows:\n", "warn")]
    lines = [
        f"{harmless(each.identity)}: "
        + (words.person(each.deputy) if each.deputy else "nobody, and it ends with the grace")
        for each in owned
    ]
    return (*made, *_some(lines))


def vendor_look(seen: VendorView) -> tuple[Piece, ...]:
    """What switching off a third party stops."""
    risky = "bad" if seen.payments_in_flight else "plain"
    further = f"; {seen.further} more go on until you do this again" if seen.further else ""
    return (
        (f"Identities that stop: {len(seen.identities)}{further}\n", "warn"),
        *_some(seen.identities),
        (f"Live grants that end: {seen.live_grants}; payments: {seen.payments_in_flight}\n", risky),
        f"Cases they work in now: {len(seen.running)}; open ones that need them: ",
        f"{seen.open_cases}\n",
        *_some(seen.running),
    )


def _some(lines: tuple[str, ...] | list[str]) -> list[Piece]:
    made: list[Piece] = [(f"  {harmless(each)}\n", "muted") for each in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        made.append((f"  and {len(lines) - _SHOWN} more\n", "muted"))
    return made


def vendor_off(seen: VendorView) -> Deed:
    """Switch off all identities of a third party, as they were shown."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        body = SwitchOff(identities=seen.identities, reason=told["why"])
        return await gateway.act("vendor.off", seen.vendor, body)

    effect = "Ours are suspended, others' end; if there are others by then, nothing is done."
    signs = f"vendor.off on {seen.vendor}, and the identities listed"
    said = f"Switch off vendor {seen.vendor}"
    return Deed(said, effect, signs, send, (WHY,), vendor_look(seen))


# --- reviews ----------------------------------------------------------------------------------


def campaign(identities: tuple[str, ...], unheard: Sequence[str]) -> Deed:
    """Ask the owners of identities to look at them again; ``unheard`` says who can't answer."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        wanted = identities[:MOST_AT_ONCE]
        body = StartCampaign(identities=wanted)
        answer = await gateway.act("campaign.start", told["name"], body)
        await gateway.directory.begin(told["name"], wanted)
        return answer

    left = f"; {len(identities) - MOST_AT_ONCE} more wait for another one"
    now = quantity(min(len(identities), MOST_AT_ONCE), "identity", "identities")
    return Deed(
        f"Start a campaign on {now}",
        "A case is opened for each, in which its owner decides; silence suspends"
        + (left if len(identities) > MOST_AT_ONCE else "")
        + ".",
        "campaign.start on the name below, and these identities",
        send,
        (Ask("name", "Its name", "Name it.", hint="2027-q1", longest=64),),
        (*((f"▲ {harmless(each)}\n", "warn") for each in unheard), *_some(identities)),
    )


def acknowledge(seen: CampaignView) -> Deed:
    """Management has seen what came of a campaign."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        del told
        return await gateway.act("campaign.acknowledge", seen.campaign, seen.counted())

    counts = ", ".join(f"{n} {name}" for name, n in seen.counted().model_dump().items())
    return Deed(
        f"Acknowledge the campaign {harmless(seen.campaign)}",
        f"You sign that you have seen what came of it: {counts}.",
        f"campaign.acknowledge on {seen.campaign}, and these counts",
        send,
        (),
    )


# --- what is said of one -----------------------------------------------------------------------


def register(each: RegisteredView, people: tuple[str, ...]) -> Deed:
    """Say anew whose it is, and until when."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        body = _said(
            each,
            owner=f"operator:{told['owner']}" if told["owner"] else None,
            deputy=f"operator:{told['deputy']}" if told["deputy"] else None,
            purpose=told["purpose"],
            environment=told["environment"],
            review_by=_day(told["review"]),
            ends_at=_day(told["ends"]),
        )
        return await gateway.act("identity.register", each.identity, body)

    def known(person: str | None) -> str:
        name = words.person(person or "")
        return name if name in people else ""

    asks = (
        Ask("owner", "Owner; nobody: it gets no grant", value=known(each.owner), choices=people),
        Ask("deputy", "Who follows an owner who leaves", value=known(each.deputy), choices=people),
        Ask("purpose", "What it is for", "Say what it is for.", each.purpose or "", longest=300),
        Ask("environment", "The environment it serves", "Name it.", each.environment or ""),
        Ask("review", "Its owner looks at it again by", "Name a day.", _on(each.review_by), _DAY),
        Ask("ends", "It ends", "Name a day.", _on(each.ends_at), _DAY),
    )
    effect = "From then on this is said of it; an owner or an end that has passed ends its grants."
    signs = f"identity.register on {each.identity}, and all that is said of it"
    return Deed(f"Register {harmless(each.identity)} anew", effect, signs, send, asks)


def renewed(each: RegisteredView) -> Deed:
    """Others' identity has a new credential: say since when."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        body = _said(each, credential_since=_day(told["since"]))
        return await gateway.act("identity.register", each.identity, body)

    asks = (Ask("since", "Its credential is new since", "Name a day.", hint=_DAY),)
    effect = "The credential itself is changed where it lives; here its age begins anew."
    signs = f"identity.register on {each.identity}, and all that is said of it"
    return Deed(f"Record a new credential of {harmless(each.identity)}", effect, signs, send, asks)


def invite(each: RegisteredView) -> Deed:
    """Rotate an agent's key at once: a worker joins with a new one, by a token good once."""
    token = secrets.token_urlsafe(32)

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        minutes = told["minutes"]
        if not (minutes.isascii() and minutes.isdecimal()) or not 1 <= int(minutes[:3]) <= 60:
            raise ValueError(f"{minutes!r} is no number of minutes from 1 to 60")
        body = InviteAgent(
            environment=told["environment"],
            task_queues=tuple(told["queues"].replace(",", " ").split()),
            invitation_key=invitation_key(each.identity, token).thumbprint,
            minutes=int(minutes),
        )
        return await gateway.act("agent.invite", each.identity, body)

    name = words.person(each.identity)
    return Deed(
        f"Rotate the key of agent {name}",
        "A worker joins with a key that it makes itself; then refuse the old one with K.",
        f"agent.invite on {each.identity}, and what stands below",
        send,
        (
            Ask("environment", "The environment it serves", "Name it.", each.environment or ""),
            Ask("queues", "Its task queues", "Name one.", " ".join(each.runs_on), "draws-analyst"),
            Ask("minutes", "How long the token is good, in minutes", "Say how long.", "15"),
        ),
        handed=(
            (f"The join token of {name}, good once:\n\n", "head"),
            (f"{token}\n\n", "accent"),
            "Hand it to whoever starts the worker; it is shown nowhere else, and never again. "
            "There: ",
            (f"PLACET_JOIN_TOKEN=… placet agent join {name} --environment … --queue …", "strong"),
        ),
        secret=token,
    )


def _said(each: RegisteredView, **changed: object) -> RegisterIdentity:
    """All that is said of it now, but for what changes."""
    names = set(RegisterIdentity.model_fields)
    said = {**each.model_dump(include=names), **changed}
    if each.keys:  # of those that Placet enrols the age is known
        said["credential_since"] = None
    missing = [
        name for name in ("purpose", "environment", "review_by", "ends_at") if not said[name]
    ]
    if missing:
        raise ValueError(
            f"nothing is registered of it yet: {', '.join(missing)}; register it first"
        )
    if said["credential"] is None:
        del said["credential"]
    return RegisterIdentity.model_validate(said)


def _on(moment: datetime | None) -> str:
    return moment.astimezone(UTC).date().isoformat() if moment else ""


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text!r} is no day such as {_DAY}") from None
