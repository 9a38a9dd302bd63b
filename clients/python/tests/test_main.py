from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from proctor_client.__main__ import main

from .stub import StubCase, problem, scoring


class Main(StubCase):
    def run_main(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with (
            redirect_stdout(out),
            redirect_stderr(err),
            mock.patch("sys.stdin", io.StringIO(stdin)),
        ):
            try:
                status = main(arguments)
            except SystemExit as ended:
                status = int(ended.code or 0)
        return status, out.getvalue(), err.getvalue()

    def ask(self, *commits: str, stdin: str = "") -> tuple[int, str, str]:
        base = ("scoring-result", "--url", self.stub.url, "--challenge", "digits")
        return self.run_main(*base, *commits, stdin=stdin)

    def test_it_prints_the_result_as_json(self) -> None:
        logs = {"ref": [{"similarity_score": 0.1}]}
        self.answers(scoring({"e1": {"score": 0.5, "comparison_logs": logs}}, True))
        status, out, err = self.ask("e1", "e2")
        self.assertEqual((status, err), (0, ""))
        printed = json.loads(out)
        self.assertEqual(list(printed), ["commits", "is_done"])
        self.assertEqual(printed["commits"]["e1"]["score"], 0.5)
        similarity = printed["commits"]["e1"]["comparison_logs"]["ref"][0]["similarity_score"]
        self.assertEqual((similarity, printed["commits"]["e2"]), (0.1, None))

    def test_commits_may_come_from_standard_input(self) -> None:
        self.answers(scoring({}, False))
        self.ask("e0", "-", stdin="e1\n\n  e2\n")
        sent = {"challenge_name": "digits", "encrypted_commits": ["e0", "e1", "e2"]}
        self.assertEqual(self.stub.asked[0].json(), sent)

    def test_an_error_goes_to_standard_error(self) -> None:
        self.answers(problem(404, "unknown_challenge", "there is no challenge"))
        message = "404 unknown_challenge: there is no challenge\n"
        self.assertEqual(self.ask("e"), (1, "", message))

    def test_wrong_use_is_told(self) -> None:
        bad_url = ("scoring-result", "--url", "host", "--challenge", "c", "e")
        for arguments in [(), ("other",), ("scoring-result",), bad_url]:
            status, out, err = self.run_main(*arguments)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("usage: python -m proctor_client", err)

    def test_it_runs_as_a_module(self) -> None:
        self.answers(scoring({"e": None}, True))
        command = [sys.executable, "-m", "proctor_client", "scoring-result"]
        command += ["--url", self.stub.url, "--challenge", "c", "e"]
        root = str(Path(__file__).parent.parent)
        environment = os.environ | {"PYTHONPATH": root}
        run = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        self.assertEqual(json.loads(run.stdout), {"commits": {"e": None}, "is_done": True})
