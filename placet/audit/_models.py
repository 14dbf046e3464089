"""Language models: none is asked unnamed, none while it is stopped (I10), and amounts are said."""

from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import ALL_MODELS, ProcessDefinition

MODELS = {EntryType.MODEL_SUSPENDED, EntryType.MODEL_RESUMED}


class Models:
    """Models as the log stops them and lets them go on."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stopped: set[str] = set()

    def changed(self, entry: Entry) -> None:
        """A model is stopped that was not, or goes on that was; its live grants ended first."""
        model = str(entry.data.get("target"))
        stops = entry.type is EntryType.MODEL_SUSPENDED
        if (model in self._stopped) == stops:
            self._scene.trouble("model-twice", f"{model} was so before")
        if not stops:
            self._stopped.discard(model)
            return
        self._stopped.add(model)
        for name, grant in self._scene.grants.items():
            asked = grant.issued.data.get("model")
            if grant.ended is None and asked is not None and model in {ALL_MODELS, str(asked)}:
                self._scene.trouble("grant-outlives", f"{name}, which asks {asked}, lives on")

    def granted(self, entry: Entry, definition: ProcessDefinition | None) -> None:
        """A grant of a step that asks a model names it, and no other does."""
        activity, model = entry.data.get("activity"), entry.data.get("model")
        step = str(activity.get("activity_type")) if isinstance(activity, dict) else ""
        if definition is not None and definition.thinks(step) != (model is not None):
            self._scene.trouble("grant-model", "a step asks a model if, and only if, it names one")
        if definition is not None and definition.takes_amount(step) != ("amount" in entry.data):
            self._scene.trouble("grant-amount", "a tool says an amount if, and only if, it has one")
        if model is not None and {ALL_MODELS, str(model)} & self._stopped:
            self._scene.trouble("grant-model", f"{model} was stopped")
