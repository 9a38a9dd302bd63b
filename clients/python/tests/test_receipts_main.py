from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from proctor_client.receipts import zstd as zstd_module
from proctor_client.receipts.__main__ import main
from proctor_client.receipts.keys import can_verify

from .receipts import (
    DAY,
    SIGNER,
    STRANGER,
    bundle_files,
    lines,
    linked_files,
    needs_sr25519,
    needs_zstd,
    tar,
)
from .stub import ok
from .test_published import ReceiptsCase, day, published

# Without the packages nothing is found, and not everything is checked.
ALL = 0 if can_verify() else 3


class Main(ReceiptsCase):
    def run_main(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                status = main(arguments)
            except SystemExit as ended:
                status = int(ended.code or 0)
        return status, out.getvalue(), err.getvalue()

    def verify(self, target: object, *options: str) -> tuple[int, str, str]:
        return self.run_main("verify", str(target), *options)

    def write(self, files: dict[str, bytes]) -> Path:
        self.path.write_bytes(tar(files))
        return self.path

    @needs_sr25519
    @needs_zstd
    def test_a_bundle_is_verified(self) -> None:
        path = self.write(bundle_files())
        status, out, err = self.verify(path, "--signer", SIGNER)
        self.assertEqual((status, err), (0, ""))
        blobs = sum(name.startswith("blobs/") for name in bundle_files())
        self.assertEqual(
            out,
            f"{DAY}: 5 receipts and 3 linked ones, root {self.root()}, {blobs} blobs, "
            f"2 withheld, signed by {SIGNER}\n",
        )

    def root(self) -> object:
        return published(0)["head"]["head"]["root"]

    @needs_sr25519
    @needs_zstd
    def test_it_is_told_that_nobody_was_expected(self) -> None:
        status, out, _ = self.verify(self.write(bundle_files()))
        self.assertEqual(status, 0)
        self.assertIn("whose key that is was not checked: --signer ADDRESS", out)

    def test_what_differs_has_status_1(self) -> None:
        files = bundle_files()
        path = self.write(files | {"receipts.jsonl": files["receipts.jsonl"] * 2})
        status, out, err = self.verify(path)
        self.assertEqual((status, out), (1, ""))
        self.assertTrue(err.startswith("order_differs: receipt "), err)
        status, _, err = self.verify(self.write(files), "--signer", STRANGER)
        self.assertEqual(status, 1)
        self.assertIn(f"(expected {STRANGER}, found {SIGNER})", err)

    def test_what_cannot_be_read_has_status_2(self) -> None:
        status, _, err = self.verify(self.path.with_name("none"))
        self.assertEqual(status, 2)
        self.assertIn("No such file", err)
        self.path.write_bytes(b"no tar")
        status, _, err = self.verify(self.path)
        self.assertEqual((status, err), (2, "unreadable_bundle: byte 0: it is cut off\n"))

    def test_what_cannot_be_checked_has_status_3(self) -> None:
        path = self.write(bundle_files())
        with mock.patch.dict("sys.modules", {"sr25519": None}):
            status, out, err = self.verify(path)
        self.assertEqual(status, 3)
        self.assertIn("5 receipts", out)
        self.assertIn("not checked: signatures", err)
        self.assertIn("pip install 'proctor-client[verify]'", err)
        with mock.patch.object(zstd_module, "module", lambda: None):
            status, _, err = self.verify(path)
        self.assertEqual(status, 3)
        self.assertIn("blobs", err)
        # Not whole, and nothing in it is wrong.
        files = bundle_files()
        status, _, err = self.verify(self.write(files | linked_files([])))
        self.assertEqual(status, 3)
        self.assertTrue(err.startswith("link_missing"), err)

    def test_urls_of_receipts_days_and_bundles_are_verified(self) -> None:
        id = lines()[0]["id"]
        self.answers(ok(published(0)))
        status, out, _ = self.verify(f"{self.stub.url}/v1/receipts/{id}", "--signer", SIGNER)
        self.assertEqual(
            (status, out), (ALL, f"receipt {id}: evaluate, leaf 0 of {DAY}, signed by {SIGNER}\n")
        )
        self.answers(ok(day()), self.page(), *self.before())
        status, out, _ = self.verify(f"{self.stub.url}/v1/days/{DAY}", "--signer", SIGNER)
        self.assertEqual(
            (status, out), (ALL, f"{DAY}: 5 receipts, root {self.root()}, signed by {SIGNER}\n")
        )
        self.answers(self.tar(tar(bundle_files(blobs=False))))
        url = f"{self.stub.url}/v1/days/{DAY}/bundle?artifacts=false&components=true"
        status, _, err = self.verify(url, "--signer", SIGNER)
        self.assertEqual(status, ALL, err)
        path = f"/v1/days/{DAY}/bundle?artifacts=false&components=true"
        self.assertEqual(self.asked()[-1], ("GET", path))
        self.answers(self.tar(tar(bundle_files(None, chosen=lines()[:1], blobs=False))))
        status, _, err = self.verify(f"{self.stub.url}/v1/receipts/{id}/bundle")
        self.assertEqual(status, ALL, err)

    def test_wrong_use_is_told(self) -> None:
        for arguments in [(), ("verify",), ("verify", f"{self.stub.url}/v1/results")]:
            status, out, err = self.run_main(*arguments)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("usage: python -m proctor_client.receipts", err)

    def test_a_signer_that_is_no_address_is_wrong_use(self) -> None:
        path = self.write(bundle_files())
        for signer in ["", "nobody", SIGNER[:-1], SIGNER.swapcase(), f"{SIGNER}1"]:
            status, out, err = self.verify(path, "--signer", SIGNER, "--signer", signer)
            self.assertEqual((status, out), (2, ""), signer)
            self.assertIn(f"{signer!r} is no SS58 address with prefix 42", err)

    def test_it_runs_as_a_module(self) -> None:
        path = self.write(bundle_files(blobs=False))
        command = [sys.executable, "-m", "proctor_client.receipts", "verify", str(path)]
        root = str(Path(__file__).parent.parent)
        environment = os.environ | {"PYTHONPATH": root}
        run = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
        self.assertEqual(run.returncode, ALL, run.stderr)
        self.assertNotIn(b"Warning", run.stderr)
