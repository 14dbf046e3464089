"""People who do one thing after another, at random, at the same time, and are cut short.

Nobody says beforehand what must come of it: what the authority answers, its log, and what an audit
finds in that must hold, whatever was done. The dice fall the same way for the same seed; what runs
at the same time does not.
"""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from temporalio.exceptions import ApplicationError

from placet.agent import NotHeard, NotJoined
from placet.audit import LogFiles, Report
from placet.cli import fetch_log
from placet.cli._output import CommandFailed
from placet.client import AuthorityError, EvidenceMismatch, OperatorClient
from placet.model import EnrolIdentity, Hold, Reason, SetRoles, SwitchOff
from placet.tokens import SigningKey, invitation_key
from tests.audit.recording import trusting
from tests.harness.world import until

Does = Callable[[], Awaitable[object]]

REFUSALS: tuple[type[Exception], ...] = (
    AuthorityError,
    EvidenceMismatch,
    ApplicationError,
    NotJoined,
    NotHeard,
    CommandFailed,
)
_CUT_SHORT = 0.1
_ON_THE_MACHINE = ("rotate_payload_keys", "rekey_log")
"""Commands beside the authority's database, which no network cuts short."""
_ASTRAY = 0.06
"""How often somebody does what is another's to do."""

ROLES = (
    ("porter",),
    ("clerk",),
    ("chief",),
    ("auditor", "management"),
    ("clerk", "chief"),
    ("administrator",),
    ("administrator", "chief"),
)


class Faults(logging.Handler):
    """What the authority's own log tells of that it had not foreseen."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(self.format(record))


@contextlib.contextmanager
def faults(*logs: str) -> Iterator[list[str]]:
    """The errors in the authority's log meanwhile, or in these."""
    handler = Faults()
    watched = [logging.getLogger(each) for each in logs or ("placet.authority",)]
    for log in watched:
        log.addHandler(handler)
    try:
        yield handler.told
    finally:
        for log in watched:
            log.removeHandler(handler)


class Walk:
    """Who there is, with which keys, and what befell them."""

    roles: ClassVar[tuple[tuple[str, ...], ...]] = ROLES
    names: ClassVar[tuple[str, ...]] = ("bea", "bo", "cleo", "cid", "hal", "nia")
    """Who may come to be, be suspended, or leave."""

    givers: ClassVar[tuple[str, ...]] = ("cleo", "hal")
    processes: ClassVar[tuple[str, ...]] = ("parcel-check",)
    refusals: ClassVar[tuple[type[Exception], ...]] = REFUSALS

    def __init__(self, seed: int, issuer: str, clock: Callable[[], datetime]) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - the same walk each time, not a secret
        self.people: dict[str, OperatorClient] = {}
        self.keys: dict[str, SigningKey] = {}
        self.earlier: list[SigningKey] = []
        self.codes: list[tuple[str, str]] = []
        self.versions = Counter[str]()
        self.done = Counter[str]()
        self.unforeseen: list[str] = []
        self.issuer, self.clock = issuer, clock
        self._opened: list[OperatorClient] = []
        self._in_a_hurry = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._opened:
            await each.__aexit__(None, None, None)

    # --- who --------------------------------------------------------------------------------

    def met(self, name: str, key: SigningKey) -> None:
        """Someone signs with this key from now on."""
        if name in self.keys:
            self.earlier.append(self.keys[name])
        self.keys[name] = key
        self.people[name] = self.client(name, key)

    def client(self, name: str, key: SigningKey) -> OperatorClient:
        made = OperatorClient(self.issuer, f"operator:{name}", key, clock=self.clock)
        self._opened.append(made)
        return made

    def one_of(self, *names: str) -> OperatorClient:
        """One of these who is there, or now and then anybody."""
        there = [each for each in names if each in self.people]
        if not there or self.dice.random() < _ASTRAY:
            there = list(self.people)
        return self.people[self.dice.choice(there)]

    @property
    def administrator(self) -> OperatorClient:
        return self.one_of("ada", "ada", "ada", "bea", "bo")

    @property
    def why(self) -> Reason:
        return Reason(reason=self.dice.choice(("why not", "looked at", "so it is")))

    # --- what people's tools do with people -----------------------------------------------------

    def some(self) -> str:
        """The name of someone who may come to be, be suspended, or leave."""
        return self.dice.choice(self.names)

    async def enrol(self) -> None:
        name, key = self.some(), SigningKey.generate()
        body = EnrolIdentity(jwk=key.public.jwk(), roles=self.dice.choice(self.roles))
        await self.administrator.act("operator.enrol", f"operator:{name}", body)
        self.met(name, key)

    async def set_roles(self) -> None:
        body = SetRoles(roles=self.dice.choice(self.roles))
        await self.administrator.act("operator.roles", f"operator:{self.some()}", body)

    async def add_key(self) -> None:
        name, key = self.dice.choice([each for each in self.people if each != "ada"]), _new()
        jwk = {"jwk": dict(key.public.jwk())}
        await self.people[name].act("key.add", f"operator:{name}", jwk)
        if self.dice.random() < 0.7:
            self.met(name, key)

    async def revoke(self) -> None:
        if self.earlier:
            key = self.dice.choice(self.earlier).public.thumbprint
            await self.administrator.act("key.revoke", key, self.why)

    async def invite(self) -> None:
        name, code = self.some(), f"code-{self.dice.random()}"
        key = invitation_key(f"operator:{name}", code)
        body = {
            "roles": list(self.dice.choice(self.roles)),
            "invitation_key": key.thumbprint,
            "minutes": self.dice.choice((1, 60)),
        }
        await self.administrator.act("operator.invite", f"operator:{name}", body)
        self.codes.append((name, code))

    async def claim(self) -> None:
        if self.codes:
            (name, code), key = self.dice.choice(self.codes), _new()
            await self.client(name, key).enrol_with_code(code)
            self.met(name, key)

    async def suspend_or_resume(self) -> None:
        verb = self.dice.choices(("suspend", "resume", "offboard"), (4, 6, 1))[0]
        await self.administrator.act(f"operator.{verb}", f"operator:{self.some()}", self.why)

    async def sign_in_and_out(self) -> None:
        name = self.dice.choice(list(self.people))
        await self.people[name].sign_in_again()
        if self.dice.random() < 0.4:
            await self.administrator.act("session.end", f"operator:{name}", self.why)

    async def second(self) -> None:
        """Someone signs what waits for a second signature, or takes it back."""
        who = self.administrator
        if waiting := await who.proposals():
            chosen = self.dice.choice(waiting)
            if self.dice.random() < 0.8:
                await who.countersign(chosen)
            else:
                await who.act("act.withdraw", chosen.jti, self.why)

    async def stand_in(self) -> None:
        giver = self.one_of(*self.givers)
        if self.dice.random() < 0.7:
            begins = self.clock() + timedelta(seconds=self.dice.choice((-5, 0, 3, 90_000)))
            ends = begins + timedelta(seconds=self.dice.choice((4, 3_600, 432_000)))
            process = self.dice.choice((None, *self.processes))
            await giver.hand_over(f"operator:{self.some()}", begins, ends, "away", process)
        elif given := await giver.delegations():
            await giver.end_delegation(self.dice.choice(given).act)

    async def switch_off(self) -> None:
        """All that a vendor runs, as it is shown."""
        who = self.administrator
        if shown := (await who.get("/v1/vendors/acme"))["identities"]:
            body = SwitchOff(identities=tuple(shown), reason="it was broken into")
            await who.act("vendor.off", "acme", body)

    def record(self) -> str:
        """One that somebody may hold."""
        return self.dice.choice(("depot/D1", "depot/D1/parcel/2"))

    async def hold(self) -> None:
        if self.dice.random() < 0.5:
            body = Hold(reason="the sender asked")
            await self.administrator.act("hold.place", self.record(), body)
        else:
            await self.administrator.act("hold.lift", self.record(), self.why)

    # --- walking ----------------------------------------------------------------------------

    async def go(self, what: Mapping[Does, int], steps: int, at_once: int) -> None:
        """Take so many steps, some at the same time; ``what`` says how often each is taken.

        One after the other, none is cut short, so that a walk is much the same each time.
        In each walk some are never taken, and some more often: what always happens a little hides
        what happens only where one thing comes after another (swarm testing).
        """
        self._in_a_hurry = at_once > 1
        often = [each * self.dice.choice((0, 1, 1, 4)) for each in what.values()]

        async def lane() -> None:
            for _ in range(steps // at_once):
                (does,) = self.dice.choices(list(what), often)
                await self.step(does)

        await asyncio.gather(*(lane() for _ in range(at_once)))

    async def step(self, does: Does) -> None:
        """One step, which may be refused, but by no error that nobody had foreseen."""
        name = does.__name__
        cut = self._in_a_hurry and self.dice.random() < _CUT_SHORT and name not in _ON_THE_MACHINE
        patience = self.dice.random() * 0.04 if cut else None
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await does()
            self.done[name] += 1
        except self.refusals as error:
            if isinstance(error, AuthorityError) and error.status >= 500 and error.status != 503:
                self.unforeseen.append(f"{name}: {error.status} {error}")


@contextlib.asynccontextmanager
async def shifts(
    workers: Callable[[], AbstractAsyncContextManager[None]], seconds: Callable[[], float]
) -> AsyncIterator[None]:
    """Workers that stop and start meanwhile, each time after so many seconds."""
    over = asyncio.Event()

    async def work() -> None:
        while not over.is_set():
            async with workers():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds()):
                        await over.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        try:
            yield
        finally:
            over.set()


def _new() -> SigningKey:
    return SigningKey.generate()


async def whole(client: OperatorClient) -> LogFiles:
    """The whole log, once its newest head covers every entry."""

    async def covered() -> bool:
        head = await client.head()
        size = int((head or "\n0").split("\n")[1])
        return not (await client.get(f"/v1/ledger/entries?from={size}&limit=1"))["entries"]

    await until(covered)
    return trusting(await fetch_log(client))


def told(report: Report) -> list[Any]:
    """All that does not hold, and what was not judged."""
    return [*report.troubles, *report.unchecked]
