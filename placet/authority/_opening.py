"""Opening a case's encrypted payloads for a person, as Temporal's UI asks a codec server.

1. Whoever may read a case's archive may read its payloads while it runs: an active operator. Nobody
   else is told whether there is such a case.
2. (I4) What is opened, and by whom, is on the ledger before it is shown; a read that opens nothing
   is no read.
3. A payload that is not encrypted, or does not open for this case, is given back as it came.
"""

from collections.abc import Sequence
from functools import partial

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.requests import Request
from starlette.responses import Response
from temporalio.api.common.v1 import Payload

from placet.authority._core import Core
from placet.authority._errors import Invalid, NotFound
from placet.authority._http import answer, read_model
from placet.authority._services import Services
from placet.authority._store import Case, Reader, Tx
from placet.model import EncodedPayload, EncodedPayloads
from placet.payloads import Keyring, PayloadError, open_payload


class OpeningRoutes:
    """One method a route."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def open(self, request: Request) -> Response:
        """A case's payloads, opened for the person who asks."""
        session, _ = await self._s.admit(request)
        asked = await read_model(request, EncodedPayloads)
        case = request.path_params["case"]
        return answer(await open_for(self._s.core, session.sub, case, asked))


async def open_for(
    core: Core, operator: str, case_id: str, asked: EncodedPayloads
) -> EncodedPayloads:
    """Open payloads of a case, once it is on the ledger who reads them.

    Raises:
        NotFound: there is no such case.
        Invalid: a payload is not in Temporal's form.
    """
    given = [_read(each) for each in asked.payloads]

    def read(reader: Reader) -> tuple[Case | None, Keyring]:
        return reader.get(Case, case_id), core.keys.payloads.ring(reader, case_id)

    case, ring = await core.store.read(read)
    if case is None:
        raise NotFound("there is no such case")
    found = _opened(ring, given)
    count = sum(before != after for before, after in zip(given, found, strict=True))
    if count:
        await core.store.write(partial(_record, operator=operator, case=case, count=count))
    return EncodedPayloads(payloads=tuple(_spell(each) for each in found))


def _record(tx: Tx, operator: str, case: Case, count: int) -> None:
    tx.append("payloads.opened", operator, {"payloads": count}, case=case.id, record=case.subject)


def _opened(ring: Keyring, given: Sequence[Payload]) -> list[Payload]:
    found: list[Payload] = []
    for each in given:
        try:
            found.append(open_payload(ring, each))
        except PayloadError:
            found.append(each)
    return found


def _read(each: EncodedPayload) -> Payload:
    try:
        return ParseDict(each.model_dump(), Payload())
    except ParseError:
        raise Invalid("invalid_request", "payloads: metadata and data are base64") from None


def _spell(payload: Payload) -> EncodedPayload:
    return EncodedPayload.model_validate(MessageToDict(payload))
