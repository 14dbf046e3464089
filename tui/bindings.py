"""Every act of the console by the id of its binding, as the code lists them."""

import importlib
import pkgutil

from textual.binding import Binding

import tui


def every_binding() -> dict[str, Binding]:
    """All bindings of the console's own, by id, as each screen has them.

    Raises:
        ValueError: one has no id, and so could not be given another key.
    """
    found: dict[str, Binding] = {}
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        for kind in vars(importlib.import_module(module.name)).values():
            if not isinstance(kind, type) or kind.__module__ != module.name:
                continue
            for each in vars(kind).get("BINDINGS", ()):
                if not isinstance(each, Binding) or not each.id:
                    raise ValueError(f"{kind.__name__}: a binding has no id: {each}")
                found[each.id] = each
    return found
