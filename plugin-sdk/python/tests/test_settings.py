"""Settings: defaults, problems with their paths, and the schema."""

import json
import unittest
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Optional

from proctor_sdk import Challenge, SettingsProblem, setting
from proctor_sdk.ranking import Aggregate, VerdictRules
from proctor_sdk.testing import Harness


class Mode(Enum):
    FAST = "fast"
    SLOW = "slow"


@dataclass
class Limits:
    tasks: int = setting(3, minimum=1, maximum=10, doc="Tasks per submission.")
    share: float = 0.5


@dataclass
class Settings:
    limits: Limits = setting(Limits())
    mode: Mode = Mode.FAST
    kind: Literal["a", "b"] = "a"
    names: list[str] = setting([])
    note: Optional[str] = None
    rules: VerdictRules = VerdictRules()


class Sample(Challenge):
    name = "sample"
    settings: Settings

    @classmethod
    def check_settings(cls, settings):
        if settings.mode is Mode.SLOW and settings.limits.tasks > 5:
            yield SettingsProblem("limits.tasks", "too many for slow")


class Unset(Challenge):
    name = "unset"


def problems(given, challenge=Sample):
    harness = Harness(challenge)
    harness.settings = given if isinstance(given, str) else json.dumps(given)
    return [(p.path, p.message) for p in harness.validate_settings()]


class TestSettings(unittest.TestCase):
    def test_an_empty_object_gives_the_defaults(self):
        self.assertEqual(problems({}), [])
        seen = []
        Harness(Sample)._call(lambda c, x: seen.append(c.settings))
        self.assertEqual(seen[0], Settings())
        # A default that can change is another one for each call.
        Harness(Sample)._call(lambda c, x: seen.append(c.settings))
        self.assertIsNot(seen[0].names, seen[1].names)

    def test_a_problem_names_its_path(self):
        for given, path, message in [
            ({"limits": {"tasks": "x"}}, "limits.tasks", "expected a whole number"),
            ({"limits": {"tasks": 3.5}}, "limits.tasks", "expected a whole number"),
            ({"limits": {"tasks": True}}, "limits.tasks", "expected a whole number"),
            ({"limits": {"tasks": 11}}, "limits.tasks", "11 is out of range: 1 to 10"),
            ({"limits": 1}, "limits", "expected an object"),
            ({"mode": "medium"}, "mode", "expected one of 'fast', 'slow'"),
            ({"kind": "c"}, "kind", "expected one of 'a', 'b'"),
            ({"names": ["a", 1]}, "names[1]", "expected a text"),
            ({"note": 1}, "note", "expected a text"),
            ({"limit": 1}, "limit", "unknown field; the fields are: limits, mode"),
            ({"rules": {"min_score": 1}}, "rules.min_score", "unknown field"),
            ({"mode": "slow", "limits": {"tasks": 6}}, "limits.tasks", "too many"),
            ("[]", "", "settings are an object"),
            ("{", "", "not JSON"),
            ('{"limits": {"share": NaN}}', "", "not JSON"),
        ]:
            found = problems(given)
            self.assertEqual(len(found), 1, found)
            self.assertEqual(found[0][0], path, found)
            self.assertIn(message, found[0][1])

    def test_every_problem_is_told(self):
        given = {"mode": "x", "limits": {"tasks": 0, "share": "y"}}
        paths = {path for path, _ in problems(given)}
        self.assertEqual(paths, {"mode", "limits.tasks", "limits.share"})

    def test_of_many_problems_the_first_are_told(self):
        found = problems({"names": [1] * 50})
        self.assertEqual(len(found), 21)
        self.assertEqual(found[19][0], "names[19]")
        self.assertEqual(found[20], ("", "… and 30 more"))

    def test_rules_are_settings_with_defaults(self):
        harness = Harness(Sample, settings={"rules": {"aggregate": "max"}})
        seen = []
        harness._call(lambda c, x: seen.append(c.settings.rules))
        self.assertEqual(seen[0], VerdictRules(aggregate=Aggregate.MAX))

    def test_the_schema_says_what_is_allowed(self):
        schema = json.loads(Harness(Sample).describe().settings_schema)
        self.assertFalse(schema["additionalProperties"])
        tasks = schema["properties"]["limits"]["properties"]["tasks"]
        self.assertEqual(
            tasks,
            {
                "type": "integer",
                "description": "Tasks per submission.",
                "minimum": 1,
                "maximum": 10,
                "default": 3,
            },
        )
        self.assertEqual(schema["properties"]["mode"]["enum"], ["fast", "slow"])

    def test_a_challenge_without_settings_takes_none(self):
        self.assertEqual(problems({}, Unset), [])
        self.assertEqual(problems({"a": 1}, Unset)[0][0], "a")
