"""Limits of identities, counted again from the log: none was passed over, and none was made up."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from placet.audit._people import People
from placet.audit._scene import Scene
from placet.ledger import Entry
from placet.model import Beyond, Limit, Measure
from placet.rules import BadCalendar, Counts, denial_counts, hours_of, limits_of, opens_next

_SLACK = timedelta(seconds=2)
"""An entry is written an instant after what it tells of was counted."""

_DENIED = {Measure.DENIALS, Measure.CASE_DENIALS}
"""What is counted when it has happened; grants are before."""


class Limits:
    """What each agent did within its limits' time. A bundle has one case alone, and no counts."""

    def __init__(self, scene: Scene, people: People) -> None:
        self._scene = scene
        self._people = people
        self._whole = scene.files.indices is None
        self._times: dict[tuple[str, Measure, str], list[tuple[datetime, str]]] = defaultdict(list)
        self._unfollowed: set[str] = set()
        """Agents that were denied once too often by the rules of then, and nothing has followed."""

    def granted(self, entry: Entry) -> None:
        """A grant, which must have had room in every limit, and be in the hours that it keeps."""
        if not self._whole:
            return
        rules, agent = self._people.rules.identities, entry.actor
        self._followed(agent)
        for measure in (Measure.GRANTS, Measure.RECORDS):
            self._note(agent, measure, "", entry)
        for limit in limits_of(rules, agent, Measure.GRANTS, Measure.RECORDS):
            if self._count(agent, limit, "", entry.time, -_SLACK) > limit.at_most:
                self._scene.trouble("limit-passed", f"{agent} had more {limit.measure} than it may")
        for hours in hours_of(rules, agent):
            try:
                outside = opens_next(hours.calendar, entry.time) - entry.time > _SLACK
            except BadCalendar as error:
                self._scene.trouble("limit-passed", str(error))
                continue
            if outside:
                self._scene.trouble("limit-passed", f"{agent} was granted something after hours")

    def denied(self, entry: Entry) -> None:
        """A denial; where it is one too many, what the rules name follows before anything else."""
        reasons = entry.data.get("reasons")
        told = [str(each) for each in reasons] if isinstance(reasons, list) else []
        counts, case = denial_counts(told), entry.case
        if not self._whole or counts is Counts.NOTHING or case is None:
            return
        agent, rules = entry.actor, self._people.rules.identities
        self._followed(agent)
        measures = (Measure.DENIALS, *((Measure.CASE_DENIALS,) if counts is Counts.CASE else ()))
        for measure in measures:
            self._note(agent, measure, _place(measure, entry), entry)
        for limit in limits_of(rules, agent, *measures):
            place = _place(limit.measure, entry)
            if self._count(agent, limit, place, entry.time, -_SLACK) > limit.at_most:
                self._unfollowed.add(agent)

    def _followed(self, agent: str) -> None:
        """What an agent is told next comes after what its last denial had to bring about."""
        if agent in self._unfollowed:
            self._unfollowed.discard(agent)
            said = f"{agent} was denied more often than it may, and nothing followed"
            self._scene.trouble("limit-passed", said)

    def exceeded(self, entry: Entry) -> None:
        """A limit was met: one of the rules in force, and by what the log shows."""
        self._scene.collector.count("limits met")
        agent, data = str(entry.data.get("target")), entry.data
        try:
            measure, beyond = Measure(str(data.get("measure"))), Beyond(str(data.get("beyond")))
        except ValueError:
            self._scene.trouble("limit-unfounded", "it names no limit")
            return
        if measure in _DENIED:
            self._unfollowed.discard(agent)
        if beyond is Beyond.SUSPEND:
            self._people.suspended(agent)
        if self._whole and not self._is_founded(entry, agent, measure, beyond):
            self._scene.trouble("limit-unfounded", f"{agent} is within its limit of {measure}")
        if beyond is not Beyond.THROTTLE:
            self._times[agent, measure, _place(measure, entry)].clear()

    def _is_founded(self, entry: Entry, agent: str, measure: Measure, beyond: Beyond) -> bool:
        rules = self._people.rules.identities
        if measure is Measure.HOURS:
            return any(
                opens_next(each.calendar, moment) > moment
                for each in hours_of(rules, agent)
                for moment in (entry.time - _SLACK, entry.time)
                if each.beyond is beyond
            )
        place = _place(measure, entry)
        told = (beyond, entry.data.get("at_most"), entry.data.get("within_seconds"))
        for limit in limits_of(rules, agent, measure):
            if (limit.beyond, limit.at_most, limit.within_seconds) == told:
                least = limit.at_most + (measure in _DENIED)
                return self._count(agent, limit, place, entry.time, _SLACK) >= least
        return False

    def _note(self, agent: str, measure: Measure, place: str, entry: Entry) -> None:
        kept = self._times[agent, measure, place]
        kept.append((entry.time, entry.record or ""))
        if len(kept) > 2 * _MOST:
            del kept[:-_MOST]

    def _count(self, agent: str, limit: Limit, place: str, now: datetime, slack: timedelta) -> int:
        since = now - timedelta(seconds=limit.within_seconds) - slack
        kept = self._times[agent, limit.measure, place]
        times = list(_newer(kept, since))
        if limit.measure is Measure.RECORDS:
            return len({record for _, record in times})
        return len(times)


def _place(measure: Measure, entry: Entry) -> str:
    """Where it is counted: in its case, or wherever the agent works."""
    return entry.case or "" if measure is Measure.CASE_DENIALS else ""


_MOST = 20_000
"""Times kept of one agent at one measure; no limit is above 10,000."""


def _newer(times: list[tuple[datetime, str]], since: datetime) -> Iterable[tuple[datetime, str]]:
    for at, record in reversed(times):
        if at <= since:
            return
        yield at, record
