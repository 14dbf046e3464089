"""Models are built when they are needed, and all at once in what serves."""

from collections.abc import Iterator

import pytest

from placet.model import Model, build_models


def _all(model: type[Model]) -> Iterator[type[Model]]:
    yield model
    for each in model.__subclasses__():
        yield from _all(each)


def test_every_model_can_be_built_and_is_in_what_serves() -> None:
    class Late(Model):
        number: int

    assert not Late.__pydantic_complete__
    build_models()
    assert [each for each in _all(Model) if not each.__pydantic_complete__] == []
    with pytest.raises(ValueError, match="number"):
        Late.model_validate({"number": "many"})
