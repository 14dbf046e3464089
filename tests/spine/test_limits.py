"""Identities are watched: beyond its limits one is slowed, its case stopped, or it is suspended."""

from datetime import UTC, datetime, time
from typing import Any

import pytest
from temporalio import activity

from placet.cli._fetch import fetch_log
from placet.model import (
    Beyond,
    Calendar,
    Governance,
    Hours,
    IdentityRules,
    Limit,
    Measure,
    Reason,
    WorkingHours,
)
from tests.admitting import admit
from tests.authority.test_two_administrators import troubles
from tests.harness.raw import Reply, ask, details_of, rogue_worker
from tests.harness.world import World, until
from tests.spine.test_identities import _holds

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"
STRANGE = "depot/D9/parcel/1"
"""A record that no case of these tests is about."""


async def _rules(w: World, version: int, **rules: Any) -> None:
    body = Governance(version=version, identities=IdentityRules(**rules))
    await w.admin.act("governance.publish", "governance", body)


def _limit(measure: Measure, at_most: int, beyond: Beyond, seconds: int = 3600) -> Limit:
    return Limit(
        agents=("scale",),
        measure=measure,
        at_most=at_most,
        within_seconds=seconds,
        beyond=beyond,
    )


async def test_who_asks_for_too_much_is_slowed_down_or_suspended(w: World) -> None:
    """I4, I10: 429 with Retry-After and one entry; outside its hours too; or off at once."""
    answers: list[list[Reply]] = []
    today = datetime.now(UTC).isoweekday()
    other = [Hours(weekday=day, opens=time(1), closes=time(23)) for day in (1, 2) if day != today]
    closed = Calendar(name="another-day", zone="UTC", hours=(other[0],))

    async def probe(info: activity.Info) -> list[Reply]:
        await _rules(w, 1, limits=(_limit(Measure.GRANTS, 2, Beyond.THROTTLE),))
        replies = [await ask(w, "scale", details_of(info)) for _ in range(4)]
        await _rules(w, 2, hours=(WorkingHours(calendar=closed, beyond=Beyond.THROTTLE),))
        replies.append(await ask(w, "scale", details_of(info)))
        await _rules(w, 3, limits=(_limit(Measure.GRANTS, 2, Beyond.SUSPEND),))
        replies += [await ask(w, "scale", details_of(info)) for _ in range(2)]
        return replies

    async with rogue_worker(w, "scale", "weigh", probe, answers), w.workers(only=("orchestrator",)):
        case = await w.open(SUBJECT)

        async def asked() -> list[list[Reply]]:
            return answers

        ((*granted, slowed, again, late, last, off),) = await until(asked)
    assert [each.status for each in granted] == [200, 200]
    for reply, measure in ((slowed, "grants"), (again, "grants"), (late, "hours")):
        assert (reply.status, reply.reasons) == (429, ["limit", measure])
        assert reply.body["error"] == "slow_down"
    assert 3500 < int(slowed.headers["Retry-After"]) <= 3600
    assert (last.status, last.reasons) == (400, ["limit", "grants"])
    assert (off.status, off.reasons) == (400, ["I10", "suspended"])
    met = await w.entries("identity.exceeded")
    assert [(each["data"]["measure"], each["data"]["beyond"]) for each in met] == [
        ("grants", "throttle"),
        ("hours", "throttle"),
        ("grants", "suspend"),
    ]
    assert met[0]["data"]["reason"] == (
        "agent:scale was granted something more than 2 times within 3600 seconds"
    )
    assert met[2]["data"]["revoked_grants"] == 1
    shown = await w.admin.registered("agent:scale")
    assert (shown.status, shown.suspended_for) == ("suspended", "limit")
    stands = await w.people["una"].standing("agent:scale")
    (limit,) = stands.limits
    assert (limit.measure, limit.at_most, limit.beyond) == (Measure.GRANTS, 2, Beyond.SUSPEND)
    assert {each.measure for each in stands.held if each.until} == {Measure.GRANTS, Measure.HOURS}
    assert stands.suspended_for == "limit"
    assert (await w.people["una"].case(case)).status == "stopped"
    await w.admin.act("agent.resume", "agent:scale", Reason(reason="a person has looked"))
    shown = await w.admin.registered("agent:scale")
    assert (shown.status, shown.suspended_for) == ("active", None)
    await _holds(w)
    files = await fetch_log(w.people["una"])
    for change in ({"at_most": 1}, {"beyond": "person"}, {"measure": "denials"}, {"measure": 1}):
        assert "limit-unfounded" in troubles(files, "identity.exceeded", change)


async def test_an_agent_that_is_denied_again_and_again_is_stopped(w: World) -> None:
    """I2, I10: the fifth denial in one case stops it; a person lets it go on, and it counts anew."""
    answers: list[list[Reply]] = []

    async def probe(info: activity.Info) -> list[Reply]:
        strange = details_of(info, record=STRANGE)
        replies = [await ask(w, "scale", strange) for _ in range(6)]
        await admit(w.admin, info.workflow_id or "", "look at it again")
        return [*replies, *[await ask(w, "scale", strange) for _ in range(4)]]

    async with rogue_worker(w, "scale", "weigh", probe, answers), w.workers(only=("orchestrator",)):
        case = await w.open(SUBJECT)

        async def asked() -> list[list[Reply]]:
            return answers

        (replies,) = await until(asked)
    assert [each.reasons[0] for each in replies] == ["I2"] * 5 + ["I1"] + ["I2"] * 4
    assert "case_stopped" in replies[5].reasons
    (met,) = await w.entries("identity.exceeded")
    assert (met["case"], met["data"]["measure"]) == (case, "case-denials")
    (stopped,) = await w.entries("case.stopped")
    assert stopped["data"]["reason"] == met["data"]["reason"]
    assert stopped["data"]["reason"].endswith(
        "was denied in this case more than 4 times within 3600 seconds"
    )
    await _holds(w)
    files = await fetch_log(w.people["una"])
    found = troubles(files, "identity.exceeded", {"measure": "grants"})
    assert {"limit-unfounded", "limit-passed"} <= found


async def test_a_worker_that_is_slowed_down_goes_on_by_itself(w: World) -> None:
    """I11: its step is tried again when there is room, and nothing is lost."""
    await _rules(w, 1, limits=(_limit(Measure.RECORDS, 1, Beyond.THROTTLE, seconds=2),))
    async with w.workers():
        cases = [await w.open(f"depot/D1/parcel/{number}") for number in (21, 22)]
        for case in cases:
            await w.until_checkpoint(case)
    met = await w.entries("identity.exceeded")
    assert {each["data"]["measure"] for each in met} == {"records"}
    assert await w.entries("grant.denied") == []
    await _holds(w)
