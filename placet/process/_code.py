"""The digest of a workflow's code: what was published, what ran a case, and what replays it."""

import importlib.util
from importlib.abc import InspectLoader
from pathlib import Path

from pydantic import JsonValue

from placet.model import Digest, digest_bytes, digest_json


def code_digest(workflow: type) -> Digest:
    """The digest of the sources that order a workflow's steps, as they are installed here.

    These are the modules of the class and of its bases, and those that the class names in
    ``code_modules``; sources alone, read from the installation, never run for this.

    Raises:
        LookupError: a module has no source, or is not installed.
    """
    names = {each.__module__ for each in workflow.__mro__ if each is not object}
    names |= set(getattr(workflow, "code_modules", ()))
    sources: dict[str, JsonValue] = {name: digest_bytes(_source(name)) for name in sorted(names)}
    return digest_json(sources)


def _source(name: str) -> bytes:
    spec = importlib.util.find_spec(name)
    source = None
    if spec is not None and isinstance(spec.loader, InspectLoader):
        source = spec.loader.get_source(name)
    elif spec is not None and (spec.origin or "").endswith(".py"):  # a loader of someone's own
        source = Path(spec.origin or "").read_text(encoding="utf-8")
    if source is None:
        raise LookupError(f"module {name} of a workflow has no source here")
    return source.encode()
