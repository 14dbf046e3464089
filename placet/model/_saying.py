"""What is said to people in many places: how many there are, and what did not fit."""

from pydantic import ValidationError


def quantity(number: int, noun: str, nouns: str | None = None) -> str:
    """A number of things: ``1 entry``, ``2 entries``; ``nouns`` where an s does not make them."""
    return f"{number} {noun if number == 1 else nouns or f'{noun}s'}"


def first_error(error: ValidationError) -> tuple[str, str]:
    """Where the first error is, and what it says, without the value: it may be a secret (I7)."""
    first = error.errors(include_input=False, include_url=False)[0]
    return ".".join(str(part) for part in first["loc"]), plain_error(first["msg"])


def plain_error(message: str) -> str:
    """What an error says, without pydantic's word for what raised it."""
    return message.removeprefix("Value error, ")
