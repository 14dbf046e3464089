"""How a step that was not taken for good is told to workflow code."""

from enum import StrEnum

from temporalio.exceptions import ActivityError, ApplicationError

UNMET = "unmet"
"""The reason for which nobody is asked: what a checkpoint rests on has to be made anew."""


class NotTaken(StrEnum):
    """Why a guarded step of an approved case was not taken, for good."""

    VOIDED = "voided"
    """The approval no longer holds, or its system does not take what it fixes: look anew."""

    FORBIDDEN = "forbidden"
    """For one of the reasons that the workflow takes for an end."""


class Unmet(ApplicationError):
    """People could not be asked of a case as it stands; a person has looked, and let it go on."""

    def __init__(self) -> None:
        said = "people could not be asked: what the checkpoint rests on has to be made anew"
        super().__init__(said, type="Unmet", non_retryable=True)


def refused_for(error: ActivityError) -> tuple[str, ...]:
    """The reasons for which the authority, or a system of record, denied a step for good.

    None if it failed otherwise.
    """
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == "GrantDenied":
        return tuple(str(reason) for reason in cause.details)
    return ()
