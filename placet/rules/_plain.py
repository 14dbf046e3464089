"""What may stand in a policy's context: plain JSON that Cedar reads as nothing else."""

from pydantic import JsonValue

from placet.model import canonical_json


def require_plain(value: JsonValue, limit: int) -> None:
    """Refuse a value that has no canonical form, is too large, or spells an escape of Cedar's.

    Cedar's JSON takes ``__entity`` and ``__extn`` for entities and extension values; data from
    outside never makes one.

    Raises:
        ValueError: saying which of these.
    """
    size = len(canonical_json(value))
    if size > limit:
        raise ValueError(f"{size} bytes, more than {limit}")
    rest = [value]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            for name in node:
                if name.startswith("__"):
                    raise ValueError(
                        f"the member {name[:40]!r} would be an escape for the policies"
                    )
            rest.extend(node.values())
        elif isinstance(node, list):
            rest.extend(node)
