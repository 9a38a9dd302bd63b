"""Reads JSON values as annotated types, and describes the types by JSON Schema.

Understood are `None`, `bool`, `int`, `float`, `str`, `Any`, `list[T]`, `tuple[A, B]`,
`tuple[T, ...]`, `dict[str, T]`, unions, `Literal`, enumerations by their values, and
dataclasses as objects.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import functools
import math
import types
import typing
from typing import Any, Literal, Union

from .types import SettingsProblem

_UNIONS = (Union, types.UnionType)
_LISTS = (list, collections.abc.Sequence)
_DICTS = (dict, collections.abc.Mapping)


_MAX_PROBLEMS = 20


class ShapeError(ValueError):
    """A value is not of the wanted shape. `problems` has the places and their faults, the
    first 20 and how many more."""

    def __init__(self, problems: list[SettingsProblem]) -> None:
        more = len(problems) - _MAX_PROBLEMS
        if more > 0:
            rest = SettingsProblem("", f"… and {more} more")
            problems = [*problems[:_MAX_PROBLEMS], rest]
        super().__init__("; ".join(describe(problem) for problem in problems))
        self.problems = problems


def describe(problem: SettingsProblem) -> str:
    """A problem as one text: the path, then the message."""
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def read(shape: Any, value: Any, *, strict: bool = False) -> Any:
    """Makes a value of type `shape` of one that JSON gave. Fields that a dataclass does
    not have are refused if `strict`, as settings are read, else passed over.

    Raises `ShapeError`: if `strict` with every problem found, else with the first, so that
    a hostile answer costs no more than a good one.
    """
    problems: list[SettingsProblem] = []
    found = _Reader(problems, strict).read(shape, value, "")
    if problems:
        raise ShapeError(problems)
    return found


@functools.lru_cache(maxsize=None)
def fields(cls: type) -> dict[str, tuple[dataclasses.Field[Any], Any]]:
    """The fields of a dataclass that `__init__` takes, each with its type."""
    hints = typing.get_type_hints(cls, include_extras=False)
    return {f.name: (f, hints[f.name]) for f in dataclasses.fields(cls) if f.init}


def required(field: dataclasses.Field[Any]) -> bool:
    """Whether a field has no default."""
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


class _Reader:
    def __init__(self, problems: list[SettingsProblem], strict: bool) -> None:
        self.problems = problems
        self.strict = strict

    def wrong(self, path: str, message: str) -> None:
        self.add([SettingsProblem(path, message)])

    def add(self, problems: list[SettingsProblem]) -> None:
        self.problems.extend(problems)
        if not self.strict:
            raise ShapeError(self.problems)

    def expected(self, path: str, wanted: str, value: Any) -> None:
        self.wrong(path, f"expected {wanted}, got {kind(value)}")

    def read(self, shape: Any, value: Any, path: str) -> Any:
        if shape is Any or shape is object:
            return value
        if shape is None or shape is type(None):
            return self.check(value is None, "null", value, path)
        if shape is bool:
            return self.check(isinstance(value, bool), "a boolean", value, path)
        if shape is str:
            return self.check(isinstance(value, str), "a text", value, path)
        if shape is int:
            whole = isinstance(value, int) and not isinstance(value, bool)
            return self.check(whole, "a whole number", value, path)
        if shape is float:
            return self.number(value, path)
        origin, arguments = typing.get_origin(shape), typing.get_args(shape)
        if origin in _UNIONS:
            return self.union(arguments, value, path)
        if origin is Literal:
            return self.one_of(arguments, arguments, value, path)
        if origin is tuple or shape is tuple:
            return self.tuple(arguments, value, path)
        if (origin or shape) in _LISTS:
            return self.list(arguments[0] if arguments else Any, value, path)
        if (origin or shape) in _DICTS:
            return self.dict(arguments[1] if arguments else Any, value, path)
        if isinstance(shape, type) and issubclass(shape, enum.Enum):
            members = list(shape)
            return self.one_of([m.value for m in members], members, value, path)
        if dataclasses.is_dataclass(shape) and isinstance(shape, type):
            return self.object(shape, value, path)
        raise TypeError(f"{shape!r} is no type that the SDK can read from JSON")

    def check(self, good: bool, wanted: str, value: Any, path: str) -> Any:
        if not good:
            self.expected(path, wanted, value)
        return value

    def number(self, value: Any, path: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.expected(path, "a number", value)
            return value
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            self.wrong(path, "the number is not finite")
        return found

    def union(self, options: tuple[Any, ...], value: Any, path: str) -> Any:
        attempts: list[list[SettingsProblem]] = []
        for option in options:
            problems: list[SettingsProblem] = []
            try:
                found = _Reader(problems, self.strict).read(option, value, path)
            except ShapeError:
                found = None
            if not problems:
                return found
            attempts.append(problems)
        # Of `T | None` the problems with T say more than that it is not null.
        real = [a for o, a in zip(options, attempts) if o is not type(None)]
        if len(real) == 1:
            self.add(real[0])
        else:
            wanted = " or ".join(_name(option) for option in options)
            self.expected(path, wanted, value)
        return value

    def one_of(self, allowed: Any, results: Any, value: Any, path: str) -> Any:
        for each, result in zip(allowed, results):
            # `1 == True` in Python.
            if type(each) is type(value) and each == value:
                return result
        names = ", ".join(repr(each) for each in allowed)
        self.wrong(path, f"expected one of {names}, got {short(value)}")
        return value

    def tuple(self, shapes: tuple[Any, ...], value: Any, path: str) -> Any:
        if not shapes or shapes[-1] is Ellipsis:
            return tuple(self.list(shapes[0] if shapes else Any, value, path) or ())
        if not isinstance(value, list):
            self.expected(path, f"an array of {len(shapes)}", value)
            return value
        if len(value) != len(shapes):
            self.wrong(path, f"expected an array of {len(shapes)}, got {len(value)}")
            return value
        return tuple(
            self.read(shape, each, f"{path}[{index}]")
            for index, (shape, each) in enumerate(zip(shapes, value))
        )

    def list(self, shape: Any, value: Any, path: str) -> Any:
        if not isinstance(value, list):
            self.expected(path, "an array", value)
            return None
        if shape is Any:
            return value
        return [self.read(shape, v, f"{path}[{i}]") for i, v in enumerate(value)]

    def dict(self, shape: Any, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            self.expected(path, "an object", value)
            return value
        return {k: self.read(shape, v, _below(path, k)) for k, v in value.items()}

    def object(self, cls: type, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            self.expected(path, "an object", value)
            return value
        known = fields(cls)
        before = len(self.problems)
        if self.strict:
            allowed = f"the fields are: {', '.join(known)}" if known else "there are none"
            for name in value:
                if name not in known:
                    message = f"unknown field; {allowed}"
                    self.wrong(_below(path, name), message)
        read = {}
        for name, (field, shape) in known.items():
            if name not in value:
                if required(field):
                    self.wrong(_below(path, name), "missing")
                continue
            start = len(self.problems)
            found = read[name] = self.read(shape, value[name], _below(path, name))
            if len(self.problems) == start:
                self.bounds(field, found, _below(path, name))
        if len(self.problems) > before:
            return None
        try:
            return cls(**read)
        except ValueError as error:
            # What `__post_init__` refuses.
            self.wrong(path, str(error))
            return None

    def bounds(self, field: dataclasses.Field[Any], value: Any, path: str) -> None:
        low, high = (field.metadata.get(k) for k in ("minimum", "maximum"))
        if not isinstance(value, (int, float)):
            return
        if low is not None and value < low or high is not None and value > high:
            if high is None:
                wanted = f"at least {low}"
            elif low is None:
                wanted = f"at most {high}"
            else:
                wanted = f"{low} to {high}"
            self.wrong(path, f"{value} is out of range: {wanted}")


def kind(value: Any) -> str:
    """What a JSON value is, for people."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {short(value)}"
    if isinstance(value, str):
        return f"the text {short(value)}"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "an object"
    return type(value).__name__


def short(value: Any) -> str:
    """A value for a message, cut."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _name(shape: Any) -> str:
    if shape is type(None):
        return "null"
    return getattr(shape, "__name__", str(shape))


_SIMPLE: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    Any: {},
    object: {},
}


def schema(shape: Any, *, strict: bool = False) -> dict[str, Any]:
    """JSON Schema (2020-12) of a type.

    Raises `TypeError` for a type that cannot be read from JSON.
    """
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin in _UNIONS:
        return {"anyOf": [schema(option, strict=strict) for option in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple or shape is tuple:
        if not arguments or arguments[-1] is Ellipsis:
            items = schema(arguments[0], strict=strict) if arguments else {}
            return {"type": "array", "items": items}
        prefix = [schema(each, strict=strict) for each in arguments]
        count = len(prefix)
        return {
            "type": "array",
            "prefixItems": prefix,
            "minItems": count,
            "maxItems": count,
        }
    if (origin or shape) in _LISTS:
        items = schema(arguments[0], strict=strict) if arguments else {}
        return {"type": "array", "items": items}
    if (origin or shape) in _DICTS:
        if arguments and arguments[0] is not str:
            raise TypeError("the keys of a JSON object are texts")
        values = schema(arguments[1], strict=strict) if arguments else {}
        return {"type": "object", "additionalProperties": values}
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return {"enum": [member.value for member in shape]}
    if dataclasses.is_dataclass(shape) and isinstance(shape, type):
        return _object_schema(shape, strict)
    try:
        return dict(_SIMPLE[shape])
    except (KeyError, TypeError):
        message = f"{shape!r} is no type that the SDK can read from JSON"
        raise TypeError(message) from None


def _object_schema(cls: type, strict: bool) -> dict[str, Any]:
    properties, wanted = {}, []
    for name, (field, shape) in fields(cls).items():
        entry = schema(shape, strict=strict)
        for key in ("description", "minimum", "maximum"):
            if field.metadata.get(key) is not None:
                entry[key] = field.metadata[key]
        if required(field):
            wanted.append(name)
        else:
            entry["default"] = _default_of(field)
        properties[name] = entry
    described: dict[str, Any] = {"type": "object", "properties": properties}
    if wanted:
        described["required"] = wanted
    if strict:
        described["additionalProperties"] = False
    return described


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    assert field.default_factory is not dataclasses.MISSING
    return field.default_factory()
