"""How a governed step fails: terminal or retryable, and never with a secret in its words.

::

    ApplicationError
    ├── type GrantDenied        terminal: the authority said no; details are its reasons
    ├── type Ungoverned         terminal: this kind of activity can't be governed
    ├── type TokenLeak          terminal: the step's token was in what it wanted to send out
    ├── type SettlementRefused  terminal: the authority does not take what the step leaves behind
    ├── type StepRefused        terminal: a system of record refused the request for good
    ├── type AnotherPast        retryable: the ledger is not the one that this worker saw before
    ├── type Unauthenticated    retryable: the authority does not know this worker, or its clock
    ├── type Unavailable        retryable: the authority or a system is away, or a limit is met
    ├── type TooLarge           retryable: a result that Temporal would not take
    └── type Unspeakable        retryable: an error that can't be looked at for tokens

    NotGoverned                 current_grant() was called where no governed step runs
    UngovernedActivity          a worker does not start: an activity can't be governed
    UnfitWorkflow               a worker does not start: a workflow does not fit its definition
"""

from datetime import timedelta

from temporalio.exceptions import ApplicationError


class NotGoverned(RuntimeError):
    """There is no current grant here."""


class UngovernedActivity(ValueError):
    """A worker was given an activity that can't be governed; it does not start."""


class UnfitWorkflow(ValueError):
    """A worker was given a workflow that does not fit its definition; it does not start."""


def denied(description: str, reasons: tuple[str, ...]) -> ApplicationError:
    """The authority said no."""
    return ApplicationError(description, *reasons, type="GrantDenied", non_retryable=True)


def ungoverned(what: str) -> ApplicationError:
    """This kind of activity can't be governed."""
    return ApplicationError(what, type="Ungoverned", non_retryable=True)


def leaked() -> ApplicationError:
    """The token was in what the step wanted to send out."""
    return ApplicationError(
        "the step tried to send out its own token; nothing of it was sent",
        type="TokenLeak",
        non_retryable=True,
    )


SETTLEMENT_REFUSED = "SettlementRefused"


def settlement_refused(why: str) -> ApplicationError:
    """The authority does not take what the step leaves behind, and never will."""
    return ApplicationError(
        f"the authority refused the settlement: {why}", type=SETTLEMENT_REFUSED, non_retryable=True
    )


def unauthenticated(why: str) -> ApplicationError:
    """The authority does not know who asks: nothing was decided about the step."""
    return ApplicationError(
        f"the authority does not know this worker: {why}", type="Unauthenticated"
    )


ANOTHER_PAST = "AnotherPast"


def another_past(why: str) -> ApplicationError:
    """The ledger is not the one that this worker saw before: it signs nothing on it."""
    return ApplicationError(
        f"the ledger is not the one of before: {why}; this worker signs nothing until an "
        "administrator knows why, and starts it anew",
        type=ANOTHER_PAST,
    )


def unspeakable(error: BaseException) -> ApplicationError:
    """The step's error can't be encoded, so nobody can look for tokens in it."""
    return ApplicationError(
        f"the step failed with {type(error).__name__}, which can't be encoded; it was not sent",
        type="Unspeakable",
    )


def too_large(size: int, most: int) -> ApplicationError:
    """The step's result is more than Temporal takes; mended code finds its case waiting."""
    return ApplicationError(
        f"the step's result has {size} bytes, and Temporal takes no more than {most}: keep it as a "
        "part, and return the reference",
        type="TooLarge",
    )


def unavailable(what: str, seconds: int | None = None) -> ApplicationError:
    """Something is away; the step is tried again, in so many seconds if that is known."""
    again = None if seconds is None else timedelta(seconds=seconds)
    return ApplicationError(what, type="Unavailable", next_retry_delay=again)
