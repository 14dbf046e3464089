"""The group that every command stands in: what the library says of options, said for people.

1. A wrong value is told without the words of the library that found it.
2. A flag takes no value, and its help names none.
3. An act's id, or a thumbprint, is no option, although it may begin with a hyphen.
4. A paragraph of a help ends its lines where the screen does.
5. A day is asked for as it is written, ``YYYY-MM-DD``, and not as programs spell that.
"""

import re
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_ID = re.compile(r"-[A-Za-z0-9_-]{21,}$")
_FORMATS = " does not match the formats "
_SPELLED = {"%Y": "YYYY", "%m": "MM", "%d": "DD", "%H": "hh", "%M": "mm", "%S": "ss"}


class Commands(TyperGroup):
    """The root of a tree of commands."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for; what is wrong in it passes through here."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            said, formats, asked = error.message.removeprefix("Value error, ").partition(_FORMATS)
            error.message = f"{said}{formats}{_spelled(asked)}"
            raise

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of the root."""
        return _in_words(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command of the root, whose options and those below it say of themselves what is so."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            _look_through(found, ctx)
        return found


class TakesId(TyperCommand):
    """A command whose argument is in base64url: one in 64 begins with a hyphen."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take a word as it stands that is as long as an id; no option is."""
        ctx.ignore_unknown_options = any(_ID.match(each) for each in args)
        return super().parse_args(ctx, args)


def _look_through(command: Any, ctx: Any) -> None:
    _in_words(command.get_params(ctx))
    command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", command.help or "")
    for each in getattr(command, "commands", {}).values():
        _look_through(each, ctx)


def _in_words(options: Iterable[Any]) -> list[Any]:
    found = list(options)
    for each in found:
        described = getattr(each, "type_descriptor", None)
        formats = getattr(getattr(described, "parameter_info", None), "formats", None)
        if getattr(each, "is_flag", False):
            each.metavar = ""
        elif formats:
            each.metavar = _spelled("|".join(formats))
    return found


def _spelled(formats: str) -> str:
    for code, said in _SPELLED.items():
        formats = formats.replace(code, said)
    return formats
