"""Facts the authority fetches itself from systems of record, each with its version (I3).

A system that is suspended, offboarded or has ended is not asked; and what it has answered before is
looked at again in the transaction that acts on it, and not believed (I10).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import aiohttp
from pydantic import JsonValue, ValidationError

from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.authority._http import describe
from placet.authority._identities import ACTIVE
from placet.authority._lacking import lacking
from placet.authority._store import Identity, Reader
from placet.model import FactsAnswer, FactSource, ProcessDefinition, system_urn
from placet.rules import Fact, subject_variables
from placet.telemetry import carried
from placet.tokens import (
    Confirmation,
    InquiryClaims,
    SigningKey,
    make_proof,
    sign_inquiry,
)
from placet.transport import over_tls

_SECONDS = aiohttp.ClientTimeout(total=5)
_LIFETIME = timedelta(seconds=30)
_MAX_ANSWER = 1024 * 1024


@dataclass(frozen=True)
class FetchedFacts:
    """What systems of record said just now: facts by name, versions by source, and who said it."""

    facts: tuple[Fact, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    systems: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, JsonValue]:
        """The facts' values by name."""
        return {fact.name: fact.value for fact in self.facts}


class UnknownRecord(Unavailable):
    """The system has no such record, as far as it knows now."""


class FactsClient:
    """Asks systems of record, under a token and proof of the authority's own."""

    def __init__(self, core: Core, session: aiohttp.ClientSession) -> None:
        self._core = core
        self._session = session
        self._key = SigningKey.generate()

    async def fetch(
        self, definition: ProcessDefinition, subject: str, names: Iterable[str]
    ) -> FetchedFacts:
        """Fetch the named fact sources of a case's process.

        Raises:
            UnknownRecord: a system has no such record.
            Unavailable: a system is off, did not answer, or not in the form it must.
        """
        wanted = set(names)
        facts: list[Fact] = []
        versions: list[tuple[str, str]] = []
        systems: list[str] = []
        for source in definition.facts:
            if source.name not in wanted:
                continue
            record = fact_record(definition, source, subject)
            answer = await self._ask(source.system, record)
            versions.append((source.name, answer.version))
            systems.append(source.system)
            facts += [
                Fact(
                    name=name,
                    value=value,
                    system=source.system,
                    record=record,
                    version=answer.version,
                )
                for name, value in sorted(answer.facts.items())
            ]
        return FetchedFacts(tuple(facts), tuple(versions), tuple(systems))

    async def _ask(self, system: str, record: str) -> FactsAnswer:
        now = self._core.clock()
        address = await self._core.store.read(lambda reader: _address(reader, system, now))
        url = f"{address.rstrip('/')}/v1/facts/{quote(record, safe='/')}"
        claims = InquiryClaims(
            iss=self._core.issuer,
            aud=system_urn(system),
            iat=int(now.timestamp()),
            exp=int((now + _LIFETIME).timestamp()),
            jti=self._core.new_id("inquiry"),
            identifier=record,
            cnf=Confirmation(jkt=self._key.thumbprint),
        )
        token = await self._core.keys.sign(now, lambda signer: sign_inquiry(claims, signer))
        proof = make_proof(
            self._key, "GET", url, access_token=token, now=now, jti=self._core.new_id("proof")
        )
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof, **carried()}
        try:
            async with self._session.get(
                url, headers=headers, timeout=_SECONDS, allow_redirects=False
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():  # read() gives what is there
                    body += chunk
                    if len(body) > _MAX_ANSWER:
                        break
                if response.status == 404:
                    raise UnknownRecord(f"{system} has no {record}")
                if response.status != 200 or len(body) > _MAX_ANSWER:
                    raise Unavailable(f"system {system} answered {response.status} for its facts")
            answer = FactsAnswer.model_validate_json(bytes(body))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"system {system} does not answer{over_tls(error, url)}") from error
        except ValidationError as error:
            said = f"system {system} answered facts in a wrong form: {describe(error)[:300]}"
            raise Unavailable(said) from error
        if answer.record != record:
            raise Unavailable(f"system {system} answered about another record")
        return answer


def require_believed(reader: Reader, fetched: FetchedFacts, now: datetime) -> None:
    """Go on if every system that was asked may still be believed.

    Raises:
        Unavailable: one was suspended or offboarded, or has ended meanwhile.
    """
    for system in fetched.systems:
        _address(reader, system, now)


def _address(reader: Reader, system: str, now: datetime) -> str:
    """Where a system of record is asked.

    Raises:
        Unavailable: it is not enrolled with an address, is suspended or offboarded, or has ended.
    """
    principal = f"system:{system}"
    identity = reader.get(Identity, principal)
    if identity is None or identity.url is None:
        raise Unavailable(f"system {system} is not enrolled with an address")
    if identity.status != ACTIVE:
        raise Unavailable(f"system {system} is {identity.status}")
    found = lacking(reader, principal, now)
    if found is not None:
        raise Unavailable(f"system {system}: {found.description}")
    return identity.url


def fact_record(definition: ProcessDefinition, source: FactSource, subject: str) -> str:
    """The record of a fact source: its relation's template, bound by the subject alone."""
    bound = subject_variables(definition, subject)
    return definition.relation(source.relation).template.format_map(bound)
