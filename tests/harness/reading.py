"""Reading what a case's payloads say, as the authority could: with the keys of its store."""

import json

from google.protobuf.json_format import MessageToJson
from temporalio.api.history.v1 import History
from temporalio.client import Client

from placet.authority import AuthoritySettings, SigningKeys, Store, load_signing_keys
from placet.payloads import Keyring, decrypt_messages, encrypting


class KeysOfStore:
    """Every case's keys, from an authority's database."""

    def __init__(self, settings: AuthoritySettings) -> None:
        self._settings = settings
        self._rings: dict[str, Keyring] = {}

    async def ring(self, case: str, key: str | None = None) -> Keyring:
        """A case's keys, looked up again for one that was not there before."""
        known = self._rings.get(case)
        if known is None or not (key is None or known.has(key)):
            known = self._rings[case] = await self._look_up(case)
        return known

    async def _look_up(self, case: str) -> Keyring:
        settings = self._settings
        keys = SigningKeys.of(settings)
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            await load_signing_keys(store, keys)
            return await store.read(lambda reader: keys.payloads.ring(reader, case))


def reading(temporal: Client, settings: AuthoritySettings) -> Client:
    """The same Temporal, for a client that can read (and write) the cases' payloads."""
    config = temporal.config()
    config["data_converter"] = encrypting(KeysOfStore(settings), "orchestrator")
    return Client(**config)


async def plain_history(temporal: Client, settings: AuthoritySettings, case: str) -> str:
    """The newest run's whole history, with its payloads decrypted: none may stay closed."""
    history = await temporal.get_workflow_handle(case).fetch_history()
    whole = History(events=history.events)
    wrong = decrypt_messages(await KeysOfStore(settings).ring(case), whole.events)
    assert wrong == []
    return json.dumps(json.loads(MessageToJson(whole)))
