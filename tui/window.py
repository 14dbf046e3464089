"""One window of the browser: the console, as the web server starts it."""

from placet.cli import OperatorSettings, load_settings, offline_failures
from tui.app import Console, given_of
from tui.settings import ConsoleSettings


def main() -> None:
    """Start at the sign-in, whatever passphrase the server's own environment has."""
    with offline_failures():
        who, settings = load_settings(OperatorSettings), load_settings(ConsoleSettings)
        Console(given_of(who.issuer, who.operator, who.key_file), settings, fixed=True).run()


if __name__ == "__main__":
    main()
