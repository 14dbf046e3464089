"""An authority's acts and decisions without HTTP, Temporal or jobs; its clock is the test's."""

import contextlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast

import aiohttp
import pytest
from pydantic import BaseModel
from sqlalchemy import select

from placet.authority import AuthoritySettings, SigningKeys, Store, create_log
from placet.authority._acts import Acts
from placet.authority._bootstrap import load_keys
from placet.authority._campaigns import Campaigns
from placet.authority._core import Core
from placet.authority._decisions import Decisions
from placet.authority._definitions import Definitions
from placet.authority._errors import Refusal
from placet.authority._facts import FactsClient
from placet.authority._provider import Provider
from placet.authority._sessions import Sessions
from placet.authority._store import Checkpoint, LedgerEntry, Reader, SessionRow, Tx
from placet.authority._store._base import Row
from placet.authority._vouching import Vouching
from placet.model import (
    ActAnswer,
    ActClaims,
    DecisionClaims,
    EnrolIdentity,
    SignedAct,
    Verdict,
    digest_json,
)
from placet.tokens import SigningKey, numeric_date, sign_act, sign_decision
from tests.harness.world import PASSPHRASE

T = TypeVar("T")
_APART = {"ledger_entry", "ledger_node", "tree_state", "writer_state", "used_jti"}
"""The ledger, which is looked at apart, and what was used up."""

Body = BaseModel | Mapping[str, Any]


@dataclass
class Acting:
    """An authority, everybody's keys, and the time."""

    core: Core
    acts: Acts
    decisions: Decisions
    vouching: Vouching
    facts: FactsClient
    provider: Provider
    keys: dict[str, SigningKey]
    now: list[datetime] = field(default_factory=lambda: [datetime.now(UTC)])

    def sign(self, by: str, act: str, target: str, body: Body, **claims: Any) -> SignedAct:
        """An act as a person signs it; ``claims`` are others than they would be."""
        plain = _plain(body)
        said = {
            "iss": f"operator:{by}",
            "aud": self.core.issuer,
            "iat": numeric_date(self.core.clock()),
            "jti": secrets.token_urlsafe(18),
            "act": act,
            "target": target,
            "body_digest": digest_json(plain),
            **claims,
        }
        return SignedAct(act=sign_act(ActClaims.model_validate(said), self.keys[by]), body=plain)

    async def act(
        self, by: str, act: str, target: str, body: Body, content: str | None = None
    ) -> ActAnswer:
        """Sign and carry out an act; ``content`` is a file beside it, in base64."""
        signed = self.sign(by, act, target, body)
        return await self.acts.perform(signed.model_copy(update={"content": content}))

    async def decision(
        self, by: str, checkpoint: str, key: SigningKey | None = None, **changed: Any
    ) -> str:
        """A person's approval of 100.00 at a checkpoint, with claims changed."""
        row = await self.core.store.read(lambda reader: reader.get(Checkpoint, checkpoint))
        assert row is not None
        said = {
            "iss": f"operator:{by}",
            "aud": self.core.issuer,
            "iat": numeric_date(self.core.clock()),
            "jti": secrets.token_urlsafe(18),
            "sub": row.id,
            "txn": row.case_id,
            "evidence_digest": row.evidence_digest,
            "requirement_digest": row.requirement_digest,
            "verdict": Verdict.APPROVE,
            "amount": Decimal("100.00"),
            **changed,
        }
        return sign_decision(DecisionClaims.model_validate(said), key or self.keys[by])

    async def enrol(self, name: str, *roles: str) -> None:
        """One more operator, whom ada enrols."""
        key = self.keys[name] = SigningKey.generate()
        body = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
        await self.act("ada", "operator.enrol", f"operator:{name}", body)

    async def write(self, run: Callable[[Tx], T]) -> T:
        """Write past every act, as a job, another replica or the database's owner would."""
        return await self.core.store.write(run)

    async def entries(self) -> list[dict[str, Any]]:
        """The ledger."""

        def read(reader: Reader) -> list[dict[str, Any]]:
            rows = reader.all(LedgerEntry, order_by=[LedgerEntry.index])
            return [json.loads(each.content) for each in rows]

        return await self.core.store.read(read)

    async def rows(self) -> dict[str, set[str]]:
        """Every row but the ledger's."""

        def read(reader: Reader) -> dict[str, set[str]]:
            return {
                name: {repr(tuple(row)) for row in reader.execute(select(table))}
                for name, table in Row.metadata.tables.items()
                if name not in _APART
            }

        return await self.core.store.read(read)

    @contextlib.asynccontextmanager
    async def refuses(self, status: int, said: str, *reasons: str) -> AsyncIterator[list[Any]]:
        """What is done inside is refused, and changes nothing; gives the new entries' data."""
        before, length, told = await self.rows(), len(await self.entries()), list[Any]()
        with pytest.raises(Refusal) as refused:
            yield told
        problem = refused.value.problem
        assert (refused.value.status, problem.reasons) == (status, reasons), problem
        assert said in problem.error_description
        assert await self.rows() == before
        told += [(each["type"], each["data"]) for each in (await self.entries())[length:]]

    async def refuses_act(
        self,
        by: str,
        act: str,
        target: str,
        body: Body,
        status: int,
        said: str,
        *reasons: str,
        content: str | None = None,
    ) -> None:
        """An act is refused, which stands on the ledger if its signer may not do it."""
        async with self.refuses(status, said, *reasons) as told:
            await self.act(by, act, target, body, content)
        entry = {"act": act, "target": target, "reasons": list(reasons)}
        assert told == ([("act.refused", entry)] if status == 403 else [])


def session_row(principal: str, now: datetime, **changed: Any) -> SessionRow:
    """A session at the identity provider that ends now, with columns changed."""
    said = {
        "id": "session-1",
        "principal": principal,
        "thumbprint": "t",
        "issuer": "https://id.test",
        "subject_digest": "d",
        "roles_json": "[]",
        "status": "active",
        **dict.fromkeys(("started_at", "ends_at", "next_check_at", "vouched_at"), now),
        **changed,
    }
    return SessionRow(**said)


def _plain(body: Body) -> dict[str, Any]:
    if isinstance(body, BaseModel):
        return body.model_dump(mode="json", exclude_none=True)
    return dict(body)


@contextlib.asynccontextmanager
async def acting(folder: Path, *, signatures: int = 1) -> AsyncIterator[Acting]:
    """One on a new SQLite file; ada and, where two must sign, bea are its administrators."""
    settings = AuthoritySettings(
        issuer="http://authority.test",
        database_url=f"sqlite:///{folder / 'authority.db'}",
        key_passphrase=PASSPHRASE,
    )
    now = [datetime.now(UTC)]
    clock = lambda: now[0]  # noqa: E731
    keys, first = SigningKeys.of(settings), ("ada", "bea")[:signatures]
    owned = {name: SigningKey.generate() for name in first}
    store = await Store.open(settings.database_url, origin=settings.origin, clock=clock)
    async with store, aiohttp.ClientSession() as session:
        await create_log(
            store, keys, [(name, key.public) for name, key in owned.items()], signatures=signatures
        )
        await load_keys(store, keys)
        core = Core(settings, store, cast(Any, None), keys, clock, os.urandom)
        definitions = Definitions()
        provider = Provider(core, session)
        vouching = Vouching(core, Sessions(core, provider))
        facts, campaigns = FactsClient(core, session), Campaigns(core, definitions)
        acts = Acts(core, definitions, facts, vouching, campaigns)
        decisions = Decisions(core, vouching)
        yield Acting(core, acts, decisions, vouching, facts, provider, owned, now)
