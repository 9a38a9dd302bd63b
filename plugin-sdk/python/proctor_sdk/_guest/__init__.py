"""Between the generated bindings and an author's class. Used by the module that
`proctor plugin build` writes, inside of componentize-py only."""

from __future__ import annotations

import importlib
import linecache
import random
import traceback
from typing import Any

from .. import exporting
from ..challenge import Challenge
from ..solver import Solver


def load(
    source: str, module: str, capabilities: list[str] | None, report: str
) -> dict[str, Any]:
    """Imports the author's module and returns the classes that the world wants, by name.
    `capabilities` is None for a solver. What is wrong is written to the file `report`,
    for the author."""
    try:
        importlib.import_module(module)
        cls = exporting.exported(source)
        classes = _classes(cls, source, capabilities)
    except exporting.ExportError as error:
        _write(report, _where(error, source) + str(error))
        raise
    except BaseException as error:
        _write(report, _trace(error))
        raise
    # The generator was seeded by chance when it was imported, and would be part of the
    # component.
    random.seed(0)
    linecache.clearcache()
    return classes


def _classes(cls: Any, source: str, capabilities: list[str] | None) -> dict[str, Any]:
    if capabilities is None:
        if not issubclass(cls, Solver):
            raise exporting.ExportError(
                f"{source} exports the challenge {cls.__name__}, but project.toml has it "
                "as a solver"
            )
        from . import submission

        return submission.classes(cls)
    if not issubclass(cls, Challenge):
        raise exporting.ExportError(
            f"{source} exports the solver {cls.__name__}, but project.toml has it as the "
            "challenge"
        )
    exporting.check_capabilities(cls, capabilities)
    from . import plugin

    return plugin.classes(cls, capabilities)


def _trace(error: BaseException) -> str:
    """The traceback from the author's file on."""
    trace = error.__traceback__
    while trace is not None and not _is_author(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def _where(error: BaseException, source: str) -> str:
    """The line of `export(…)`, if the error came from there."""
    for frame in traceback.extract_tb(error.__traceback__):
        if _is_author(frame.filename):
            return f"{source}:{frame.lineno}: "
    return ""


def _is_author(filename: str) -> bool:
    internal = filename.startswith(("<", "/python/")) or "/proctor_sdk/" in filename
    return not internal and not filename.endswith("/proctor_entry.py")


def _write(report: str, text: str) -> None:
    with open(report, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
