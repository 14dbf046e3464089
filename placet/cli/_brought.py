"""What installed packages bring, and cannot be loaded: said in one line, by its name."""

from importlib.metadata import EntryPoint

from pydantic import ValidationError

from placet.model import first_error


def unloadable(what: str, found: EntryPoint, error: Exception) -> str:
    """Why what a package brings can't be loaded, and where to look."""
    if isinstance(error, ModuleNotFoundError):
        return (
            f"the {what} {found.name!r} can't be loaded here: there is no {error.name}; install "
            f"what brings the {what} with all that it needs"
        )
    return (
        f"the {what} {found.name!r} can't be loaded: {why(error)}; "
        f"python -c 'import {found.module}' shows where"
    )


def why(error: Exception) -> str:
    """An error of a package's own code, in one line."""
    if isinstance(error, ValidationError):
        member, said = first_error(error)
        return f"{error.title}: {member}: {said}" if member else said
    said = (str(error).strip() or "no reason").splitlines()[0][:300]
    return f"{type(error).__name__}: {said}"
