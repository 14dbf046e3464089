"""Segregation of duties: who had a hand in a case never approves it (invariant I6)."""

from collections.abc import Iterable

from placet.model import Principal


def excluded(
    case_opener: Principal, preparers: Iterable[Principal], *others: Principal
) -> tuple[Principal, ...]:
    """Who may not decide at any checkpoint of a case.

    Args:
        case_opener: who signed the act that opened the case.
        preparers: who prepared what is decided on: keyed values, inspected, answered findings.
        others: further people the deployment names, such as the owners of the agents.

    Returns:
        Each once, sorted, so that a requirement has one spelling and one digest.
    """
    return tuple(sorted({case_opener, *preparers, *others}))
