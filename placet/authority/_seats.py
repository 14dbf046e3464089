"""Whose word a list waits for, as keys that the database finds: a role, or one person in it.

Most checkpoints wait for whoever has a role. One that a named person decides
(``Requirement.decided_by``) waits for them in each of its roles, and for who stands in for them: in
all processes, or in this one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from placet.model import Name, Principal, Requirement


@dataclass(frozen=True)
class Asker:
    """Who asks for a list. ``absent``: for whom they stand in, and in which process, if in one."""

    principal: Principal
    roles: tuple[str, ...]
    absent: tuple[tuple[Principal, Name | None], ...] = ()

    @property
    def seats(self) -> tuple[str, ...]:
        """The keys under which something waits for them."""
        people = ((self.principal, None), *self.absent)
        named = (_named(role, who, where) for role in self.roles for who, where in people)
        return tuple(sorted({*self.roles, *named}))


def seats_of(asked: Requirement, roles: Iterable[Name], process: Name) -> tuple[str, ...]:
    """The keys under which a checkpoint waits for a word in one of these roles."""
    who = asked.decided_by
    if who is None:
        return tuple(roles)
    return tuple(_named(role, who, where) for role in roles for where in (None, process))


def told_of(asked: Requirement, roles: Iterable[Name]) -> tuple[str, ...]:
    """Whom a notice that it waits is for: the one who decides it, else those in its roles."""
    if asked.decided_by is not None:
        return (asked.decided_by,)
    return tuple(f"role:{role}" for role in dict.fromkeys(roles))


def _named(role: Name, who: Principal, process: Name | None) -> str:
    return f"{role} {who}" if process is None else f"{role} {who} {process}"
