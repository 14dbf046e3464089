"""Which action on which record a request is: a small file of routes, and one spelling of a path.

1. What no route names is refused; no request is two routes'.
2. A path has one spelling. Empty, ``.`` and ``..`` segments, semicolons, backslashes, control
   characters, and escapes of what needs none are refused, so that no system behind can read
   another record into it than was verified here.
3. A record's segments come from the path alone. A query has only the names that its route lists,
   each once, and is spelled anew.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from placet.model import Action, Model, RecordId, first_error

SAFE = frozenset({"GET", "HEAD"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""

MAX_PATH = 2000
"""Bytes; a record has 200 characters at most."""

_FACTS = ("GET", "v1", "facts")
_FREE = "!$&'()*+,=:@~"
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+\Z")
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_RECORD: TypeAdapter[str] = TypeAdapter(RecordId)
_Names = tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], ...]


class BadRoutes(Exception):
    """The file of routes is none."""


class Unacceptable(Exception):
    """A request that no route takes: a status, an error code and what is wrong."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error


class Route(Model):
    """One kind of request: ``GET /loans/{loan}`` is ``loan:read`` on ``loan/{loan}``.

    ``intent`` makes the use durable at the authority before the system hears of it: of every
    method that changes something, unless told otherwise. Only then may it be an action that
    people fixed something of. ``query`` are the names that may stand in its query.
    """

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, StringConstraints(pattern=r"^/", max_length=MAX_PATH)]
    action: Action
    record: Annotated[str, StringConstraints(max_length=400)]
    query: Annotated[_Names, Field(max_length=20)] = ()
    intent: bool | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        names = [_name(each) for each in self.segments]
        places = [each for each in names if each is not None]
        if len(set(places)) != len(places):
            raise ValueError("path: a place stands twice")
        if lacking := set(_PLACE.findall(self.record)) - set(places):
            raise ValueError(f"record: the path has no {{{min(lacking)}}}")
        try:
            _RECORD.validate_python(_PLACE.sub("x", self.record))
        except ValidationError:
            raise ValueError("record: not two to eight segments, such as loan/{loan}") from None
        return self

    @property
    def segments(self) -> list[str]:
        """The path's segments."""
        return self.path.split("/")[1:]

    @property
    def has_intent(self) -> bool:
        """Whether the use is made durable before it."""
        return self.method not in SAFE if self.intent is None else self.intent

    def overlaps(self, other: "Route") -> bool:
        """Whether a request could be both."""
        if self.method != other.method or len(self.segments) != len(other.segments):
            return False
        pairs = zip(self.segments, other.segments, strict=True)
        return all(a == b or _name(a) or _name(b) for a, b in pairs)


def _name(segment: str) -> str | None:
    """The place's name, of a segment that is one.

    Raises:
        ValueError: it is neither a place nor plain text.
    """
    place = _PLACE.fullmatch(segment)
    if place is None and (not _PLAIN.match(segment) or segment in {".", ".."}):
        raise ValueError(f"path: {segment!r} is neither a {{place}} nor plain text")
    return None if place is None else place[1]


class _File(Model):
    route: Annotated[tuple[Route, ...], Field(min_length=1, max_length=1000)]


@dataclass(frozen=True)
class Match:
    """What a request is, and the path and query that go on: spelled here, not by the sender."""

    route: Route
    record: str
    target: str


class Routes:
    """The routes of one system."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        for number, route in enumerate(self._routes):
            for other in self._routes[:number]:
                if route.overlaps(other):
                    raise BadRoutes(f"{route.method} {route.path} overlaps {other.path}")

    def match(self, method: str, raw_path: bytes, query: bytes) -> Match:
        """What a request is.

        Raises:
            Unacceptable: it is none of the routes', or not spelled as it must be.
        """
        segments = _segments(raw_path)
        methods: set[str] = set()
        for route in self._routes:
            values = _values(route, segments)
            if values is None:
                continue
            methods.add(route.method)
            if route.method == method:
                path = "/" + "/".join(quote(each, safe=_FREE) for each in segments)
                said = _query(route, query)
                return Match(route, _record(route, values), f"{path}?{said}" if said else path)
        if methods:
            allowed = ", ".join(sorted(methods))
            raise Unacceptable(405, "method_not_allowed", f"the methods here are {allowed}")
        if (method, *segments[:2]) == _FACTS:  # the authority would take 404 for no such record
            raise Unacceptable(501, "no_facts", "a gateway tells no facts of the system behind it")
        raise Unacceptable(404, "not_found", "there is no such route")


def _segments(raw_path: bytes) -> list[str]:
    """The decoded segments of a path in its one spelling."""
    if len(raw_path) > MAX_PATH:
        raise _misspelled(f"longer than {MAX_PATH} bytes")
    if not raw_path.startswith(b"/"):
        raise _misspelled("it does not begin with a slash")
    return [_segment(each) for each in raw_path[1:].split(b"/")]


def _segment(sent: bytes) -> str:
    try:
        text = unquote_to_bytes(sent).decode("utf-8")
    except UnicodeDecodeError:
        raise _misspelled("an escape is no UTF-8") from None
    if text in {"", ".", ".."}:
        raise _misspelled("a segment is empty, . or ..")
    if not text.isprintable() or any(each in "/\\%;" for each in text):
        raise _misspelled("a segment has a character that it can't have")
    if quote(text, safe=_FREE).encode() != sent:
        raise _misspelled("escape what needs it, in capitals, and nothing else")
    return text


def _misspelled(why: str) -> Unacceptable:
    return Unacceptable(400, "invalid_request", f"the path is not in its one spelling: {why}")


def _values(route: Route, segments: Sequence[str]) -> Mapping[str, str] | None:
    if len(route.segments) != len(segments):
        return None
    values: dict[str, str] = {}
    for expected, found in zip(route.segments, segments, strict=True):
        name = _name(expected)
        if name is not None:
            values[name] = found
        elif expected != found:
            return None
    return values


def _record(route: Route, values: Mapping[str, str]) -> str:
    record = _PLACE.sub(lambda place: values[place[1]], route.record)
    try:
        # A value has no slash: the record has as many segments as the route says.
        return _RECORD.validate_python(record)
    except ValidationError:
        raise Unacceptable(404, "not_found", "there is no such record") from None


def _query(route: Route, query: bytes) -> str:
    if not query:
        return ""
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=20,
        )
    except ValueError:
        raise Unacceptable(400, "invalid_request", "the query is malformed") from None
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names) or not set(names) <= set(route.query):
        said = f"a query may have {', '.join(route.query) or 'nothing'}, each once"
        raise Unacceptable(400, "invalid_request", said)
    if not all(value.isprintable() for _, value in pairs):
        raise Unacceptable(400, "invalid_request", "the query has a character that it can't have")
    return urlencode(pairs, quote_via=quote)


def read_routes(path: Path) -> Routes:
    """Read a file of routes, in TOML: a ``[[route]]`` for each.

    Raises:
        BadRoutes: it can't be read, or two routes overlap; what and where is said.
    """
    try:
        with path.open("rb") as file:
            return Routes(_File.model_validate(tomllib.load(file), strict=False).route)
    except OSError as error:
        raise BadRoutes(f"{path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRoutes(f"{path}: {error}") from None
    except ValidationError as error:
        where, said = first_error(error)
        raise BadRoutes(f"{path}: {where}: {said}") from None
    except BadRoutes as error:
        raise BadRoutes(f"{path}: {error}") from None
