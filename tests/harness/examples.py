"""How many examples a dear property takes: few in every run, thousands where someone asks for them."""

import os


def examples(usual: int) -> int:
    """So many, times ``PLACET_EXAMPLES``."""
    return usual * int(os.environ.get("PLACET_EXAMPLES", "1"))
