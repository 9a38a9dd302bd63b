"""The language of the rules: a part of Python that ends, and that can do nothing but count.

    steady = jitter < 0.3
    bot = steady and pause < 0.5

Lines are `NAME = EXPRESSION`; the last value of `bot` is the answer. Expressions have
numbers, names, `+ - * /`, comparisons, `and`, `or`, `not`, `A if C else B`, parentheses,
and `min`, `max`, `abs`.

What a submission hands in is run by this and never by Python's own `exec`, which would let
it change its score.
"""

from __future__ import annotations

import io
import operator
import tokenize
from collections.abc import Callable, Iterable, Sequence

Value = float
Expression = Callable[[dict[str, Value]], Value]

_MAX_DEPTH = 40
_FUNCTIONS: dict[str, Callable[..., Value]] = {"min": min, "max": max, "abs": abs}
_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_KEYWORDS = {"and", "or", "not", "if", "else"}


class RuleError(Exception):
    """What is wrong with the rules, for their author."""


class Program:
    """Rules that can be run."""

    def __init__(self, lines: Sequence[tuple[str, Expression]]) -> None:
        self._lines = lines

    def run(self, values: dict[str, Value]) -> bool:
        """Whether a session is that of a bot. Raises `RuleError` for what cannot be
        computed."""
        known = dict(values)
        try:
            for name, expression in self._lines:
                known[name] = expression(known)
        except ZeroDivisionError:
            raise RuleError("division by zero") from None
        return bool(known["bot"])


def tokens(source: str) -> list[tokenize.TokenInfo]:
    """The tokens of a source without comments and layout. Raises `RuleError`."""
    left_out = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}
    try:
        found = tokenize.generate_tokens(io.StringIO(source).readline)
        return [token for token in found if token.type not in left_out]
    except (tokenize.TokenError, SyntaxError, ValueError) as error:
        raise RuleError(f"cannot read the source: {error.args[0]}") from None


def parse(source: str, features: Iterable[str]) -> Program:
    """Makes a program of a source. Raises `RuleError` if it is none."""
    return _Parser(tokens(source), set(features)).program()


class _Parser:
    def __init__(self, found: list[tokenize.TokenInfo], features: set[str]) -> None:
        self.tokens, self.at, self.depth = found, 0, 0
        self.features = features
        self.known = set(features)

    def program(self) -> Program:
        lines = []
        while self.peek().type != tokenize.ENDMARKER:
            if self.peek().type == tokenize.NEWLINE:
                self.at += 1
                continue
            name = self.name()
            if name in self.features or name in _FUNCTIONS:
                raise self.error(f"{name} cannot be set")
            self.take("=")
            lines.append((name, self.expression()))
            if self.peek().type not in (tokenize.NEWLINE, tokenize.ENDMARKER):
                raise self.error(f"unexpected {self.peek().string!r}")
            self.known.add(name)
        if "bot" not in self.known:
            raise RuleError("nothing sets `bot`")
        return Program(lines)

    def peek(self) -> tokenize.TokenInfo:
        return self.tokens[self.at]

    def error(self, message: str) -> RuleError:
        return RuleError(f"line {self.peek().start[0]}: {message}")

    def accept(self, *strings: str) -> str | None:
        if self.peek().string in strings:
            self.at += 1
            return self.tokens[self.at - 1].string
        return None

    def take(self, string: str) -> None:
        if not self.accept(string):
            raise self.error(f"expected {string!r}, got {self.peek().string!r}")

    def name(self) -> str:
        token = self.peek()
        if token.type != tokenize.NAME or token.string in _KEYWORDS:
            raise self.error(f"expected a name, got {token.string!r}")
        self.at += 1
        return token.string

    def expression(self) -> Expression:
        # A source of nothing but parentheses must not overflow the stack.
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(f"nested deeper than {_MAX_DEPTH}")
        value = self.either()
        if self.accept("if"):
            condition = self.either()
            self.take("else")
            value = _choice(condition, value, self.expression())
        self.depth -= 1
        return value

    def either(self) -> Expression:
        parts = [self.both()]
        while self.accept("or"):
            parts.append(self.both())
        return _any(parts)

    def both(self) -> Expression:
        parts = [self.negation()]
        while self.accept("and"):
            parts.append(self.negation())
        return _all(parts)

    def negation(self) -> Expression:
        negate = False
        while self.accept("not"):
            negate = not negate
        value = self.comparison()
        return _not(value) if negate else value

    def comparison(self) -> Expression:
        left = self.sum()
        if sign := self.accept(*_COMPARE):
            left = _binary(_COMPARE[sign], left, self.sum())
        return left

    def sum(self) -> Expression:
        terms = [(1.0, self.product())]
        while sign := self.accept("+", "-"):
            terms.append((1.0 if sign == "+" else -1.0, self.product()))
        return _sum(terms)

    def product(self) -> Expression:
        factors = [("*", self.atom())]
        while sign := self.accept("*", "/"):
            factors.append((sign, self.atom()))
        return _product(factors)

    def atom(self) -> Expression:
        sign = 1.0
        while self.accept("-"):
            sign = -sign
        token = self.peek()
        if self.accept("("):
            value = self.expression()
            self.take(")")
        elif token.type == tokenize.NUMBER:
            self.at += 1
            value = _constant(self.number(token.string))
        else:
            name = self.name()
            if name in _FUNCTIONS:
                value = self.call(name)
            elif name in self.known:
                value = _variable(name)
            else:
                raise self.error(f"nothing sets {name!r} before this line")
        return _sum([(sign, value)])

    def number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise self.error(f"{text} is no decimal number") from None

    def call(self, name: str) -> Expression:
        self.take("(")
        arguments = [self.expression()]
        while self.accept(","):
            arguments.append(self.expression())
        self.take(")")
        if name == "abs" and len(arguments) != 1:
            raise self.error("abs takes one argument")
        function = _FUNCTIONS[name]
        if len(arguments) == 1:
            only = arguments[0]
            return only if name != "abs" else lambda known: abs(only(known))
        return lambda known: function(*[each(known) for each in arguments])


def _constant(value: Value) -> Expression:
    return lambda known: value


def _variable(name: str) -> Expression:
    return lambda known: known[name]


def _choice(condition: Expression, yes: Expression, no: Expression) -> Expression:
    return lambda known: yes(known) if condition(known) else no(known)


def _not(value: Expression) -> Expression:
    return lambda known: float(not value(known))


def _any(parts: list[Expression]) -> Expression:
    if len(parts) == 1:
        return parts[0]
    return lambda known: float(any(part(known) for part in parts))


def _all(parts: list[Expression]) -> Expression:
    if len(parts) == 1:
        return parts[0]
    return lambda known: float(all(part(known) for part in parts))


def _binary(
    compare: Callable[[Value, Value], bool], left: Expression, right: Expression
) -> Expression:
    return lambda known: float(compare(left(known), right(known)))


def _sum(terms: list[tuple[float, Expression]]) -> Expression:
    if len(terms) == 1 and terms[0][0] == 1.0:
        return terms[0][1]

    def total(known: dict[str, Value]) -> Value:
        value = 0.0
        for sign, term in terms:
            value += sign * term(known)
        return value

    return total


def _product(factors: list[tuple[str, Expression]]) -> Expression:
    if len(factors) == 1:
        return factors[0][1]

    def total(known: dict[str, Value]) -> Value:
        value = 1.0
        for sign, factor in factors:
            value = value * factor(known) if sign == "*" else value / factor(known)
        return value

    return total
