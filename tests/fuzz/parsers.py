"""Everything that reads bytes from outside, and the errors that it may end in: nothing else may."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from activities.packet import read_files
from placet.cli._inventories import BadInventory, read_inventory
from placet.gateway._routes import Route, Routes, Unacceptable
from placet.ledger import EntryError, NoteError, decode_entry, parse_tile_path
from placet.ledger._notes import split_note
from placet.rules import BadPolicies, load_policies
from placet.tokens import KeyRefused, PublicKey, TokenError, verify_proof
from placet.tokens._encoding import parse_object
from placet.tokens._jws import parse_jws
from tests.tokens.samples import NOW, URL

CORPUS = Path(__file__).with_name("corpus")
"""A folder for each parser, a file for each input that is worth reading again each time."""

_ROUTES = Routes(
    [
        Route(
            method="GET",
            path="/loans/{loan}/files/{name}",
            action="loan:read",
            record="loan/{loan}",
            query=("page",),
        )
    ]
)


@dataclass(frozen=True)
class Parser:
    """One parser, given bytes, and what it raises for bad ones."""

    read: Callable[[bytes], object]
    raises: tuple[type[Exception], ...] = ()


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _path(data: bytes) -> object:
    path, _, query = data.partition(b"?")
    return _ROUTES.match("GET", path, query)


PARSERS: dict[str, Parser] = {
    "packet-xlsx": Parser(lambda data: read_files({"G703.xlsx": data})),
    "packet-csv": Parser(lambda data: read_files({"G703.csv": data})),
    "packet-pdf": Parser(lambda data: read_files({"invoice.pdf": data})),
    "inventory": Parser(
        _text(lambda text: read_inventory(text, {}, frozenset({"ana"}))), (BadInventory,)
    ),
    "jws": Parser(_text(parse_jws), (TokenError,)),
    "dpop": Parser(
        _text(lambda text: verify_proof(text, method="POST", url=URL, now=NOW)), (TokenError,)
    ),
    "jwk": Parser(
        lambda data: PublicKey.from_jwk(parse_object(data, "key")), (KeyRefused, TokenError)
    ),
    "ledger-entry": Parser(decode_entry, (EntryError,)),
    "note": Parser(_text(split_note), (NoteError,)),
    "tile-path": Parser(_text(parse_tile_path), (ValueError,)),
    "cedar": Parser(_text(lambda text: load_policies(text, "")), (BadPolicies,)),
    "gateway-path": Parser(_path, (Unacceptable,)),
}
