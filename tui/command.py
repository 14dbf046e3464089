"""``placet console``: the entry point. It loads what the first screen needs, and no server."""

import gc
import io
import os
import sys
from typing import Annotated

import typer

from placet.cli import USAGE, OperatorSettings, fail, load_settings, offline_failures
from tui.settings import ConsoleSettings


def console(
    web: Annotated[
        bool, typer.Option("--web", help="Serve it to a browser on this machine.")
    ] = False,
) -> None:
    """Work: decide what waits, follow cases, replay them."""
    with offline_failures():
        who, settings = load_settings(OperatorSettings), load_settings(ConsoleSettings)
        if web:
            from tui.web import serve  # noqa: PLC0415 - a browser's server is not always needed

            serve(who, settings)
            return
        if not (sys.stdin.isatty() and sys.stdout.isatty()) and "TEXTUAL_DRIVER" not in os.environ:
            raise fail("the console needs a terminal; placet checkpoint does all the same", USAGE)
        if isinstance(sys.__stderr__, io.TextIOWrapper):  # where Textual draws
            sys.__stderr__.reconfigure(errors="replace")  # one cell, where six would shift the rest
        gc.disable()  # until its first screen: loading leaves no garbage, and looking takes a tenth
        from tui.app import Console, given_of  # noqa: PLC0415 - settings are judged first

        passphrase = who.passphrase.get_secret_value() if who.passphrase else ""
        Console(
            given_of(who.issuer, who.operator, who.key_file), settings, passphrase=passphrase
        ).run()
