"""Which class of an author's file the component is made of."""

from __future__ import annotations

import re
import typing
from typing import Any, TypeVar

from . import settings
from .challenge import Challenge, score_shapes
from .solver import Solver, task_shape

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

T = TypeVar("T", bound="type[Challenge] | type[Solver]")

_exported: list[Any] = []


class ExportError(Exception):
    """What is wrong with what a file exports, for its author."""


def export(cls: T) -> T:
    """Makes the component of this `Challenge` or `Solver`: the last line of its file, or a
    decorator of the class. Returns the class.

    Raises `ExportError` if something is missing in it.
    """
    if not isinstance(cls, type) or not issubclass(cls, (Challenge, Solver)):
        raise ExportError(f"export takes a Challenge or a Solver, not {cls!r}")
    name = cls.__name__
    try:
        if issubclass(cls, Solver):
            _defined(cls, Solver, ["solve"])
            task_shape(cls)
        else:
            if not isinstance(cls.name, str) or not _NAME.fullmatch(cls.name):
                raise ExportError(
                    f"{name}.name is {cls.name!r}: a name is 1 to 64 of a-z, 0-9, - and _, "
                    "the first a letter or digit"
                )
            settings.schema(cls)
    except (TypeError, NameError, ValueError) as error:
        raise ExportError(f"{name}: {error}") from error
    _exported.append(cls)
    return cls


def exported(source: str) -> Any:
    """The class that a file exported. Raises `ExportError` if that is not one class."""
    if not _exported:
        raise ExportError(
            f"{source} exports nothing: end it with `export(…)` and the name of your class"
        )
    if len(_exported) > 1:
        names = " and ".join(cls.__name__ for cls in _exported)
        raise ExportError(f"{source} exports {names}: a component is made of one")
    return _exported[0]


def check_capabilities(cls: type[Challenge], capabilities: list[str]) -> None:
    """Raises `ExportError` if a method is missing that a capability needs."""
    overridden = typing.cast(Any, cls)
    if "scoring" in capabilities and overridden.evaluate is Challenge.evaluate:
        _defined(cls, Challenge, ["task_count", "make_task", "score"], "scoring")
        try:
            score_shapes(cls)
        except (TypeError, NameError) as error:
            raise ExportError(str(error)) from error
    if "comparison" in capabilities and overridden.compare is Challenge.compare:
        _defined(cls, Challenge, ["similarity"], "comparison")


def _defined(cls: type, base: type, methods: list[str], capability: str = "") -> None:
    missing = [m for m in methods if getattr(cls, m) is getattr(base, m)]
    if missing:
        names = " and ".join(f"`{name}`" for name in missing)
        needs = f": the capability `{capability}` needs it" if capability else ""
        raise ExportError(f"{cls.__name__} defines no {names}{needs}")
