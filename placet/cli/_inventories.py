"""Inventories of identities that others own: CSV and JSON files, read row by row.

1. (I7) No secret is imported: a file with one is refused whole, by row and column, wherever it
   stands; it is repeated nowhere.
2. (I12) A bad row is named by its number with the reason, and takes no other with it. Rows are
   numbered as a spreadsheet shows them: the header of a CSV file is row 1.
3. The same file gives the same identities: what a row leaves out is said by whoever imports it.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from placet.model import IdentityKind, ImportedIdentity, first_error, is_ours, looks_secret

COLUMNS = (
    "kind",
    "name",
    "owner",
    "deputy",
    "purpose",
    "process",
    "environment",
    "credential",
    "credential_since",
    "last_used",
    "vendor",
    "runs_on",
    "review_by",
    "ends_at",
)
"""What a row may say; ``kind`` and ``name`` it must. ``runs_on`` is split at semicolons."""

_NEEDED = {
    "kind": "",
    "name": "",
    "environment": "--environment",
    "review_by": "--review-by",
    "ends_at": "--ends",
}
"""What must be said of each, and by which option of all that leave it out."""

_IDS = frozenset(COLUMNS) - {"purpose"} | {"arn"}
_RECORD_LINES = 100
"""Of one row; a quote that is open for longer is a stray one."""

_SECRET_NAMES = re.compile(
    r"secret|password|passwd|passphrase|private|token_value|api_?key_value", re.IGNORECASE
)
_AWS_NOTHING = {"N/A", "no_information", "not_supported", ""}
_AWS_OWN = {"user", "arn", "password_enabled", "access_key_1_active", "access_key_2_active"}
_AWS_PASSWORDS = re.compile(r"password_(?:enabled|last_used|last_changed|next_rotation)")


class BadInventory(ValueError):
    """A file that is refused whole; the message says where and why, and no value."""


@dataclass(frozen=True)
class _Row:
    """A row of a file; what belongs to no column stands under the empty name."""

    number: int
    said: Mapping[str, str]
    wrong: str | None = None


@dataclass
class Inventory:
    """What a file says: the identities by id, and what is wrong with the rows that say none."""

    rows: dict[str, ImportedIdentity] = field(default_factory=dict)
    bad: list[tuple[int, str]] = field(default_factory=list)


def read_inventory(text: str, defaults: Mapping[str, str], people: frozenset[str]) -> Inventory:
    """Read an inventory: JSON if it begins as such, else CSV; the AWS IAM credential report too.

    Args:
        text: the file.
        defaults: what is said of each row that leaves it out, by column.
        people: the active operators; another owner is none here.

    Raises:
        BadInventory: it is no inventory, or contains a secret.
    """
    made, seen = Inventory(), dict[str, int]()
    rows = list(_json_rows(text) if text.lstrip().startswith(("[", "{")) else _csv_rows(text))
    for row in rows:
        _refuse_secrets(row)
    for row in rows:
        try:
            if row.wrong is not None:
                raise ValueError(row.wrong)
            for said in _from_aws(row.said) if row.said.keys() >= _AWS_OWN else [row.said]:
                each = _identity(said, defaults, people)
                if each.identity in seen:
                    raise ValueError(f"{each.identity} stands in row {seen[each.identity]}, too")
                seen[each.identity] = row.number
                made.rows[each.identity] = each
        except ValidationError as error:
            name, why = first_error(error)
            name = name.removeprefix("said").removeprefix(".")
            made.bad.append((row.number, f"{name}: {why}" if name else why))
        except ValueError as error:
            made.bad.append((row.number, str(error)))
    return made


def _csv_rows(text: str) -> Iterator[_Row]:
    records = _records(io.StringIO(text.removeprefix("\ufeff"), newline="").readlines())
    first = next(records, [])
    if isinstance(first, _Broken):
        raise BadInventory(f"row 1: {first.why}")
    header = [name.strip() for name in first]
    _refuse_names(1, header)
    if len(set(header)) != len(header) or not header:
        raise BadInventory("row 1: the header names no columns, or one twice")
    if not ({"kind", "name"} <= set(header) or set(header) >= _AWS_OWN):
        raise BadInventory("row 1: the header lacks the columns kind and name; it is no inventory")
    for number, cells in enumerate(records, 2):
        if isinstance(cells, _Broken):
            yield _Row(number, {"": cells.text}, cells.why)
            continue
        said = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
        if len(cells) > len(header):
            over = ",".join([said.get("", ""), *cells[len(header) :]])
            yield _Row(number, {**said, "": over}, "more cells than the header has columns")
        else:
            yield _Row(number, said)


@dataclass(frozen=True)
class _Broken:
    text: str
    why: str


def _records(lines: list[str]) -> Iterator[list[str] | _Broken]:
    """The cells of each row. A line with a stray quote is broken by itself: the next is read."""
    at = 0
    while at < len(lines):
        reader = csv.reader(lines[at : at + _RECORD_LINES], strict=True)
        try:
            yield next(reader)
            at += reader.line_num
        except csv.Error as error:
            yield _Broken(lines[at], str(error))
            at += 1


def _json_rows(text: str) -> Iterator[_Row]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInventory(f"not JSON: {error}") from None
    if not isinstance(found, list):
        raise BadInventory("a JSON inventory is a list of objects")
    for number, row in enumerate(found, 1):
        if isinstance(row, dict):
            _refuse_names(number, row)
            said = {name: _text(value) for name, value in row.items() if value is not None}
            yield _Row(number, said)
        else:
            yield _Row(number, {"": _text(row)}, "not an object")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ";".join(map(str, value))
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _refuse_names(number: int, names: Iterable[str]) -> None:
    if any(map(looks_secret, names)):
        raise BadInventory(f"row {number}: a column's name looks like a secret; take it out")


def _refuse_secrets(row: _Row) -> None:
    aws = row.said.keys() >= _AWS_OWN
    for name, value in row.said.items():
        where = f"row {row.number}, {name[:40]!r}" if name else f"row {row.number}"
        if value and _SECRET_NAMES.search(name) and not (aws and _AWS_PASSWORDS.fullmatch(name)):
            raise BadInventory(f"{where}: a secret is not imported; take it out")
        if looks_secret(value, is_id=name in _IDS):
            raise BadInventory(f"{where}: it looks like a secret; take it out")


def _identity(
    row: Mapping[str, str], defaults: Mapping[str, str], people: frozenset[str]
) -> ImportedIdentity:
    unknown = sorted(row.keys() - set(COLUMNS))
    if unknown:
        raise ValueError(f"{unknown[0][:40]}: there is no such column")
    said = {**defaults, **{name: value for name, value in row.items() if value}}
    for name, option in _NEEDED.items():
        if name not in said:
            hint = f"; {option} says it for rows that leave it out" if option else ""
            raise ValueError(f"{name}: it is missing{hint}")
    kind = said.pop("kind")
    identity = f"{kind}:{said.pop('name')}"
    if is_ours(identity):
        raise ValueError("kind: Placet's own identities are enrolled, and never imported")
    if kind not in {*IdentityKind}:
        raise ValueError(f"kind: it is none of {', '.join(IdentityKind)}")
    used = said.pop("last_used", None)
    body: dict[str, Any] = {name: _moment(name, value) for name, value in said.items()}
    if "runs_on" in said:
        body["runs_on"] = [each.strip() for each in said["runs_on"].split(";") if each.strip()]
    for who in ("owner", "deputy"):
        if who in said:
            person = said[who] if ":" in said[who] else f"operator:{said[who]}"
            body[who] = person if person in people else None
    last = None if used is None else _moment("last_used", used)
    return ImportedIdentity.model_validate({"identity": identity, "said": body, "last_used": last})


def _moment(name: str, value: str) -> str:
    """A day is its first moment, UTC."""
    is_day = name in {"credential_since", "last_used", "review_by", "ends_at"} and len(value) == 10
    return f"{value}T00:00:00Z" if is_day else value


def _from_aws(row: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The identities of one user in the credential report that AWS IAM gives.

    A user without a password is a service account, which is as old as its oldest active key; each
    active access key and certificate is an identity of its own. A user with a password is a person,
    who is none. The root account has a password always, and the report does not say since when.
    """
    arn = row["arn"]
    base = {"purpose": f"AWS IAM user {row['user']}"[:300], "name": arn}
    keys = list(_aws_keys(row, base))
    signs_in = row["password_enabled"].lower()
    if signs_in == "false":
        oldest = min(keys, key=lambda each: each.get("credential_since", ""), default={})
        shown = {name: oldest[name] for name in oldest if name.startswith("credential")}
        yield {**base, "kind": "service-account", "credential": "api-key", **shown}
    elif signs_in != "true":
        since = _aws(row, "user_creation_time")
        yield {**base, "kind": "service-account", "credential": "password", **since}
    yield from keys


def _aws_keys(row: Mapping[str, str], base: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for number in ("1", "2"):
        for kind, what, credential in (
            ("api-key", f"access_key_{number}", "api-key"),
            ("certificate", f"cert_{number}", "certificate"),
        ):
            if row.get(f"{what}_active", "").lower() != "true":
                continue
            yield {
                **base,
                "kind": kind,
                "name": f"{base['name']}/{what.replace('_', '-')}",
                "credential": credential,
                **_aws(row, f"{what}_last_rotated"),
                **_aws(row, f"{what}_last_used_date", "last_used"),
            }


def _aws(row: Mapping[str, str], column: str, name: str = "credential_since") -> dict[str, str]:
    value = row.get(column, "")
    return {} if value in _AWS_NOTHING else {name: value}
