"""The first start: the log's first entry names the first administrators and the signing keys."""

import json
from collections.abc import Sequence

from placet.authority._acts import ADMINISTRATOR, enrol
from placet.authority._core import AUTHORITY
from placet.authority._signing import GRANTS, HEADS, SigningKeys
from placet.authority._store import Identity, SigningKey, Store, Tx
from placet.model import EnrolIdentity, Name
from placet.tokens import PublicKey


class AlreadyCreated(Exception):
    """The log exists; administrators are enrolled by acts from here on."""


async def create_log(
    store: Store, keys: SigningKeys, administrators: Sequence[tuple[Name, PublicKey]]
) -> None:
    """Create the log: its first entry names the first administrators' key thumbprints.

    Everything that anyone may do later is chained to these keys (PROTOCOL.md).

    Raises:
        AlreadyCreated: the database has a log.
        ValueError: no administrator was named.
    """
    if not administrators:
        raise ValueError("name at least one administrator and a public key")

    def write(tx: Tx) -> None:
        if tx.first(SigningKey) is not None or tx.first(Identity) is not None:
            raise AlreadyCreated("this database has a log already")
        tx.append(
            "log.created",
            AUTHORITY,
            {
                "administrators": {
                    f"operator:{name}": key.thumbprint for name, key in administrators
                }
            },
        )
        keys.create(tx, HEADS, tx.now)
        keys.create(tx, GRANTS, tx.now)
        for name, key in administrators:
            body = EnrolIdentity(jwk=json.loads(json.dumps(key.jwk())), roles=(ADMINISTRATOR,))
            enrol(tx, f"operator:{name}", key, body, by=AUTHORITY, act=None)

    await store.write(write)


async def load_keys(store: Store, keys: SigningKeys) -> None:
    """Load the signing keys from the store."""
    keys.load(await store.read(lambda reader: reader.all(SigningKey)))
