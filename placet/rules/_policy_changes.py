"""What one set of policies changes of another, by the ids of its policies."""

from cedarpy import PolicySet, pst

from placet.model import Model

_MOST = 300
"""Names of one kind that are told; an entry of the ledger has room for no more of each."""


class PolicyChanges(Model):
    """Policies that are new, gone, or say something else under the same id."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    schema_changed: bool = False


def policy_changes(before: tuple[str, str], after: tuple[str, str]) -> PolicyChanges:
    """What changes from policies and schema to others; both can be loaded.

    A policy that only moved, or whose comments changed, is the same.
    """
    old, new = _by_id(before[0]), _by_id(after[0])
    return PolicyChanges(
        added=tuple(sorted(new.keys() - old.keys()))[:_MOST],
        removed=tuple(sorted(old.keys() - new.keys()))[:_MOST],
        changed=tuple(sorted(n for n in old.keys() & new.keys() if old[n] != new[n]))[:_MOST],
        schema_changed=before[1] != after[1],
    )


def _by_id(policies: str) -> dict[str, object]:
    """Each policy by its id, without the position that the parser names it by."""
    tree = PolicySet.from_str(policies).to_pst()
    return {each.annotations["id"]: _meaning(each) for each in tree.static_policies.values()}


def _meaning(policy: pst.Template) -> object:
    return (
        policy.effect,
        dict(policy.annotations),
        policy.principal,
        policy.action,
        policy.resource,
        policy.clauses,
    )
