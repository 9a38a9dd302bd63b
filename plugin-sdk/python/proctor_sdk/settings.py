"""Settings: read from JSON, described by a schema, checked with a path."""

from __future__ import annotations

import copy
import dataclasses
import typing
from typing import TYPE_CHECKING, Any

from . import jsontext, shape
from .types import SettingsProblem

if TYPE_CHECKING:
    from .challenge import Challenge


@dataclasses.dataclass(frozen=True)
class NoSettings:
    """The settings of a challenge that has none."""


def setting(
    default: Any = dataclasses.MISSING,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    doc: str = "",
) -> Any:
    """A field of a settings dataclass: its default, the range that is allowed (both ends
    included), and what it is for. Without a default the operator must set it.

        @dataclass
        class Settings:
            tasks: int = setting(10, minimum=1, maximum=1000, doc="Tasks per submission.")
    """
    metadata = {
        "minimum": minimum,
        "maximum": maximum,
        "description": doc or None,
    }
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, (list, dict, set)) or default.__class__.__hash__ is None:
        factory = lambda: copy.deepcopy(default)  # noqa: E731
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def settings_type(cls: type[Challenge]) -> type:
    """The dataclass that a challenge annotates its `settings` with; `NoSettings` if it
    annotates none.

    Raises `TypeError` if the annotation is no dataclass.
    """
    found = typing.get_type_hints(cls).get("settings", Any)
    if found is Any:
        return NoSettings
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise TypeError(f"{cls.__name__}.settings is annotated with {found!r}, no dataclass")
    return found


def schema(cls: type[Challenge]) -> str:
    """JSON Schema (2020-12) of a challenge's settings."""
    settings = settings_type(cls)
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": settings.__name__,
        **shape.schema(settings, strict=True),
    }
    return jsontext.dumps(described)


def read(cls: type[Challenge], text: str) -> Any:
    """Reads settings and checks them.

    Raises `ShapeError` with every problem found.
    """
    try:
        value = jsontext.loads(text)
    except ValueError as error:
        raise shape.ShapeError([SettingsProblem("", f"not JSON: {error}")]) from None
    if not isinstance(value, dict):
        raise shape.ShapeError([SettingsProblem("", "settings are an object")])
    settings = shape.read(settings_type(cls), value, strict=True)
    problems = list(cls.check_settings(settings))
    if problems:
        raise shape.ShapeError(problems)
    return settings
