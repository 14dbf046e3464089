"""Facts the authority fetches itself from systems of record, each with its version (I3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

import aiohttp
from pydantic import JsonValue, ValidationError

from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.authority._http import describe
from placet.authority._store import Identity
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
    """What systems of record said just now: facts by name, and versions by source."""

    facts: tuple[Fact, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()

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
            Unavailable: a system did not answer, or not in the form it must.
        """
        wanted = set(names)
        facts: list[Fact] = []
        versions: list[tuple[str, str]] = []
        for source in definition.facts:
            if source.name not in wanted:
                continue
            record = fact_record(definition, source, subject)
            answer = await self._ask(source.system, record)
            versions.append((source.name, answer.version))
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
        return FetchedFacts(tuple(facts), tuple(versions))

    async def _ask(self, system: str, record: str) -> FactsAnswer:
        identity = await self._core.store.read(lambda r: r.get(Identity, f"system:{system}"))
        if identity is None or identity.url is None:
            raise Unavailable(f"system {system} is not enrolled with an address")
        url = f"{identity.url.rstrip('/')}/v1/facts/{quote(record, safe='/')}"
        now = self._core.clock()
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


def fact_record(definition: ProcessDefinition, source: FactSource, subject: str) -> str:
    """The record of a fact source: its relation's template, bound by the subject alone."""
    bound = subject_variables(definition, subject)
    return definition.relation(source.relation).template.format_map(bound)
