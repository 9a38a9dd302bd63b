from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from proctor_client.receipts import (
    Bundle,
    SignaturesUnavailable,
    VerificationError,
    canonical_bytes,
    digest,
    read_bundle,
)
from proctor_client.receipts import zstd as zstd_module
from proctor_client.receipts.keys import can_verify

from .receipts import (
    DATA,
    DAY,
    EARLIER,
    SIGNER,
    STRANGER,
    bundle_files,
    head,
    line_of,
    lines,
    linked_files,
    needs_sr25519,
    needs_zstd,
    tar,
)
from .test_receipts import Case


class BundleCase(Case):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "day.tar")

    def bundle(self, files: dict[str, bytes] | None = None) -> Bundle:
        self.path.write_bytes(tar(bundle_files() if files is None else files))
        return read_bundle(self.path)

    def assert_bundle(self, code: str, files: dict[str, bytes], **options: Any) -> Any:
        """What is found is this, when the bundle is opened or verified."""
        options.setdefault("signatures", False)
        return self.assert_found(code, lambda: self.bundle(files).verify(**options))

    def changed(self, name: str, change: Callable[[Any], object]) -> dict[str, bytes]:
        """The files of the day, with this one, which is JSON, changed."""
        files = bundle_files()
        value = json.loads(files[name])
        change(value)
        return files | {name: canonical_bytes(value)}


class Bundles(BundleCase):
    def test_what_is_in_it_is_told(self) -> None:
        bundle = self.bundle()
        self.assertEqual(bundle.day, DAY)
        assert bundle.head is not None
        self.assertEqual(bundle.head.head, head()["head"])
        self.assertEqual(set(bundle.withheld.values()), {"private", "not_included"})
        found = list(bundle.receipts())
        self.assertEqual([signed.id for signed in found], [line["id"] for line in lines()])
        self.assertEqual([signed.leaf for signed in found], [0, 1, 2, 3, 4])
        self.assertEqual(len(list(bundle.linked())), 3)
        self.assertLessEqual(set(bundle.blobs()), set(DATA["blobs"]))

    def test_what_is_as_it_says_is_reported(self) -> None:
        report = self.bundle().verify(SIGNER, signatures=can_verify())
        self.assertEqual((report.day, report.receipts, report.linked), (DAY, 5, 3))
        self.assertEqual((report.blobs, report.withheld), (len(self.bundle().blobs()), 2))
        self.assertEqual(report.signers, (SIGNER,))
        unchecked = [] if can_verify() else ["signatures"]
        unchecked += [] if zstd_module.module() else ["blobs"]
        self.assertEqual(report.unchecked, tuple(unchecked))

    def test_the_headers_may_be_written_as_the_host_writes_them(self) -> None:
        # With seven digits of the checksum and no devices, where Python has six.
        archive = bytearray(tar(bundle_files(EARLIER)))
        offset, sizes = 0, [len(content) for content in bundle_files(EARLIER).values()]
        for size in sizes:
            block = archive[offset : offset + 512]
            block[329:345] = bytes(16)
            block[148:156] = b" " * 8
            block[148:156] = b"%07o\0" % sum(block)
            archive[offset : offset + 512] = block
            offset += 512 + size + -size % 512
        self.path.write_bytes(archive)
        self.assertEqual(read_bundle(self.path).verify(signatures=False).receipts, 2)

    def test_it_may_be_of_one_receipt(self) -> None:
        for line in (line_of("judge"), line_of("evaluate"), line_of("solve")):
            files = bundle_files(None, chosen=[line])
            report = self.bundle(files).verify(signatures=False)
            self.assertEqual((report.head, report.receipts), (None, 1))
            self.assertEqual(report.linked, len(line["receipt"]["depends_on"]))
        self.assert_bundle("size_differs", bundle_files(None, chosen=lines()[:2]))
        self.assert_bundle("size_differs", bundle_files(None, chosen=[]))

    @needs_zstd
    def test_documents_are_read(self) -> None:
        receipt = line_of("judge")["receipt"]
        content = self.bundle().blob(receipt["output"])
        self.assertEqual(content, b'{"outcome":"ok","what":"a verdict"}')
        with self.assertRaises(KeyError):
            self.bundle().blob("0" * 64)

    def test_without_what_decompresses_documents_are_told_to_be_unchecked(self) -> None:
        with mock.patch.object(zstd_module, "module", lambda: None):
            report = self.bundle().verify(signatures=False)
            self.assertEqual(report.unchecked, ("signatures", "blobs"))
            with self.assertRaisesRegex(ImportError, r"proctor-client\[verify\]"):
                self.bundle().blob(self.bundle().blobs()[0])
            report = self.bundle(bundle_files(blobs=False)).verify(signatures=False)
            self.assertEqual(report.unchecked, ("signatures",))

    def test_without_the_package_for_signatures_it_is_not_verified(self) -> None:
        with (
            mock.patch.dict("sys.modules", {"sr25519": None}),
            self.assertRaises(SignaturesUnavailable),
        ):
            self.bundle().verify()

    def test_who_signed_is_compared_with_who_should_have(self) -> None:
        report = self.bundle().verify([STRANGER, SIGNER], signatures=False)
        self.assertNotIn("signers", report.unchecked)
        other = lines()[0] | {"signer": STRANGER}
        text = bundle_files()["receipts.jsonl"].split(b"\n", 1)[1]
        files = bundle_files()
        files["receipts.jsonl"] = canonical_bytes(other) + b"\n" + text
        # Whoever signed the head signed the leaf too: it may be another key.
        for expected in (None, SIGNER):
            report = self.bundle(files).verify(expected, signatures=False)
            self.assertIn("signers", report.unchecked)
        self.assert_bundle("signer_differs", files, expected_signer=STRANGER)
        self.assert_bundle("signer_differs", files, expected_signer="x")
        # And of another day.
        self.assertNotIn("signers", self.bundle().verify(signatures=False).unchecked)
        of_head = self.changed("proofs.json", lambda it: it["heads"][0].update(signer=STRANGER))
        self.assertIn("signers", self.bundle(of_head).verify(signatures=False).unchecked)
        linked = [json.loads(line) for line in bundle_files()["linked.jsonl"].splitlines()]
        for line in linked:
            if line["signer"] is not None:
                line["signer"] = STRANGER
        files = bundle_files()
        files["linked.jsonl"] = b"".join(canonical_bytes(line) + b"\n" for line in linked)
        self.assertIn("signers", self.bundle(files).verify(signatures=False).unchecked)
        self.assert_bundle("signer_differs", bundle_files(), expected_signer=STRANGER)


class OtherDays(BundleCase):
    def test_what_is_of_another_day_is_shown_to_be_a_leaf_there(self) -> None:
        proofs = self.bundle().proofs
        self.assertEqual([leaf.id for leaf in proofs.leaves.values()], sorted(proofs.leaves))
        self.assertEqual({leaf.day for leaf in proofs.leaves.values()}, {EARLIER})
        self.assertEqual(set(proofs.leaves), {line["id"] for line in lines(EARLIER)})
        self.assertEqual(proofs.heads[EARLIER].head, head(EARLIER)["head"])

    def test_what_is_no_leaf_there_is_found(self) -> None:
        def swap(it: Any) -> None:
            one, other = it["leaves"]
            one["leaf"], other["leaf"] = other["leaf"], one["leaf"]

        for change in (
            swap,
            lambda it: it["leaves"][0].update(leaf=2),
            lambda it: it["leaves"][0].update(proof=["0" * 64]),
            lambda it: it["leaves"][0].update(proof=[]),
            lambda it: it["heads"][0]["head"].update(size=3),
            lambda it: it["heads"][0]["head"].update(root="0" * 64),
        ):
            self.assert_bundle("inclusion_differs", self.changed("proofs.json", change))

    @needs_sr25519
    def test_a_head_of_another_day_is_signed(self) -> None:
        # Else it may be of a tree of what was never a leaf.
        other = {"day": "2026-08-20", "root": "0" * 64, "size": 1}

        def change(it: Any) -> None:
            it["heads"][0]["head"]["previous"] = other

        self.bundle().verify()
        files = self.changed("proofs.json", change)
        self.assert_bundle("signature_differs", files, signatures=True)

    def test_what_is_not_shown_is_told_to_be_unchecked(self) -> None:
        self.assertNotIn("proofs", self.bundle().verify(signatures=False).unchecked)
        for change in (
            lambda it: it["leaves"].pop(),
            lambda it: it.update(leaves=[], heads=[]),
        ):
            files = self.changed("proofs.json", change)
            self.assertIn("proofs", self.bundle(files).verify(signatures=False).unchecked)

    def test_proofs_are_of_what_is_linked_and_in_their_form(self) -> None:
        solve = line_of("solve")["id"]
        ids = sorted([solve, *(line["id"] for line in lines(EARLIER))])

        def with_solve(it: Any) -> None:
            it["leaves"].insert(ids.index(solve), it["leaves"][0] | {"id": solve})

        for code, change in (
            ("link_differs", with_solve),
            ("order_differs", lambda it: it["leaves"].reverse()),
            ("order_differs", lambda it: it["heads"].append(it["heads"][0])),
            ("malformed", lambda it: it.update(heads=[])),
            ("malformed", lambda it: it.update(leaves=[])),
            ("malformed", lambda it: it["heads"].append(head())),
            ("malformed", lambda it: it.update(version="proctor-proofs-2")),
            ("malformed", lambda it: it.update(more=1)),
            ("malformed", lambda it: it["leaves"][0].update(leaf="0")),
            ("malformed", lambda it: it["leaves"][0].update(proof=["x"])),
            ("malformed", lambda it: it["leaves"][0].pop("day")),
        ):
            self.assert_bundle(code, self.changed("proofs.json", change))
        own = {"id": lines(EARLIER)[0]["id"], "day": DAY, "leaf": 0, "proof": []}
        files = self.changed("proofs.json", lambda it: it.update(leaves=[own], heads=[head()]))
        self.assert_bundle("malformed", files)

    def test_a_bundle_of_no_day_has_no_head(self) -> None:
        files = self.changed("bundle.json", lambda it: it.update(day=None))
        self.assert_bundle("day_differs", files)


class Damage(BundleCase):
    def test_each_flipped_byte_is_found(self) -> None:
        # Of a signature only where it can be checked; of documents further down.
        files = bundle_files(EARLIER, leaves=1)
        archive = tar(files)
        unchecked = self.spans(archive, files)
        self.path.write_bytes(archive)
        read_bundle(self.path).verify(signatures=can_verify())
        with self.path.open("r+b", buffering=0) as file:
            for byte in sorted(set(range(len(archive))) - unchecked):
                file.seek(byte)
                file.write(bytes([archive[byte] ^ 1 << byte % 8]))
                with self.assertRaises(VerificationError, msg=f"byte {byte}"):
                    read_bundle(self.path).verify(signatures=can_verify())
                file.seek(byte)
                file.write(archive[byte : byte + 1])

    def spans(self, archive: bytes, files: dict[str, bytes]) -> set[int]:
        """The bytes that cannot be checked with what is installed."""
        found: set[int] = set()
        if not can_verify():
            signatures = [head(EARLIER, 1)["signature"], lines(EARLIER)[0]["signature"]]
            for start in (archive.index(text.encode()) for text in signatures):
                found.update(range(start, start + 128))
        for name, content in files.items():
            if name.startswith("blobs/"):
                start = archive.index(content)
                found.update(range(start, start + len(content)))
        return found

    @needs_zstd
    def test_each_flipped_byte_of_a_document_is_found_or_changes_nothing(self) -> None:
        # Zstandard has bits that mean nothing.
        files = bundle_files(EARLIER, leaves=1)
        name, frame = next((name, files[name]) for name in files if name.startswith("blobs/"))
        original, found = self.bundle(files).blob(name[13:77]), 0
        for byte in range(len(frame)):
            changed = bytearray(frame)
            changed[byte] ^= 1 << byte % 8
            try:
                content = self.bundle(files | {name: bytes(changed)}).blob(name[13:77])
                self.assertEqual(content, original)
            except VerificationError as error:
                self.assertEqual(error.code, "blob_differs")
                found += 1
        self.assertGreater(found, 0.9 * len(frame))

    def test_each_cut_is_found(self) -> None:
        archive = tar(bundle_files(EARLIER, leaves=1))
        for size in [*range(0, len(archive), 97), len(archive) - 512, len(archive) - 1]:
            self.path.write_bytes(archive[:size])
            self.assert_found("unreadable_bundle", read_bundle, self.path)

    def test_what_is_no_bundle_is_told(self) -> None:
        for content in [b"", b"{}", b"\x1f\x8b" + bytes(600), b"x" * 2048, bytes(1024)]:
            self.path.write_bytes(content)
            self.assert_found("unreadable_bundle", read_bundle, self.path)
        with self.assertRaises(FileNotFoundError):
            read_bundle(self.path.with_name("none"))

    def test_there_are_plain_files_and_nothing_else(self) -> None:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            info = tarfile.TarInfo("bundle.json")
            info.type = kind
            archive = info.tobuf(tarfile.USTAR_FORMAT) + tar(bundle_files())
            self.path.write_bytes(archive)
            self.assert_found("unreadable_bundle", read_bundle, self.path)
        archive = tar(bundle_files())
        self.path.write_bytes(archive[:-1024] + b"x" + archive[-1023:])
        self.assert_found("unreadable_bundle", read_bundle, self.path)
        self.path.write_bytes(archive + archive)
        self.assert_found("unreadable_bundle", read_bundle, self.path)

    def test_files_are_those_of_a_bundle_in_their_order(self) -> None:
        files = bundle_files()
        for name in ("bundle.json", "receipts.jsonl", "linked.jsonl", "proofs.json"):
            without = {other: files[other] for other in files if other != name}
            self.assert_bundle("unreadable_bundle", without)
        headless = {other: files[other] for other in files if other != "head.json"}
        self.assert_bundle("unreadable_bundle", headless)
        self.assert_bundle("unreadable_bundle", files | {"blobs/sha256/x.zst": b""})
        self.assert_bundle("unreadable_bundle", files | {"../../x": b""})
        self.assert_bundle("unreadable_bundle", dict(reversed(files.items())))
        *first, one, other = files
        swapped = {name: files[name] for name in [*first, other, one]}
        self.assert_bundle("order_differs", swapped)
        # The second of two would win with what takes them by name.
        archive = tar(files)
        self.path.write_bytes(archive[:-1024] + tar({"head.json": b"{}"}))
        self.assert_found("order_differs", read_bundle, self.path)

    def test_what_it_is_of_is_told_in_a_form(self) -> None:
        for name, value in [
            ("version", "proctor-bundle-2"),
            ("day", "yesterday"),
            ("withheld", None),
            ("withheld", [{"digest": "0" * 64, "why": "so"}]),
            ("withheld", [{"digest": "0", "why": "private"}]),
            ("withheld", [{"digest": "0" * 64}]),
            ("more", 1),
        ]:
            with self.subTest(name=name, value=value):
                files = self.changed("bundle.json", lambda it: it.update({name: value}))  # noqa: B023
                self.assert_bundle("malformed", files)
        files = self.changed("bundle.json", lambda it: it["withheld"].append(it["withheld"][0]))
        self.assert_bundle("order_differs", files)
        files = self.changed("bundle.json", lambda it: it["withheld"].reverse())
        self.assert_bundle("order_differs", files)
        blob = self.bundle().blobs()[0]
        there = {"digest": blob, "why": "private"}
        files = self.changed("bundle.json", lambda it: it.update(withheld=[there]))
        self.assert_bundle("malformed", files)

    def test_texts_are_canonical(self) -> None:
        files = bundle_files()
        for name in ("bundle.json", "head.json"):
            self.assert_bundle("not_canonical", files | {name: files[name] + b"\n"})
            self.assert_bundle("not_canonical", files | {name: files[name].replace(b":", b": ", 1)})
        text = files["receipts.jsonl"]
        for wrong in [
            text.replace(b'"fuel":', b'"fuel": ', 1),
            text.replace(b'"fuel":9007199254740991', b'"fuel":9007199254740991.0', 1),
            text.replace(b'"fuel":9007199254740991', b'"fuel":9007199254740992', 1),
            text.replace(b'"fuel":', b'"fuel":0,"fuel":', 1),
            text.replace(b"\n", b"\r\n", 1),
            text + b"\n",
            b"\n" + text,
        ]:
            self.assert_bundle("not_canonical", files | {"receipts.jsonl": wrong})
        self.assert_bundle("unreadable_bundle", files | {"receipts.jsonl": text[:-1]})

    def test_the_head_is_that_of_the_leaves(self) -> None:
        files = bundle_files()
        first, *others = files["receipts.jsonl"].splitlines(keepends=True)
        for code, leaves in [
            ("size_differs", others),
            ("root_differs", [others[0], first, *others[1:]]),
            ("order_differs", [first, *others, first]),
        ]:
            self.assert_bundle(code, files | {"receipts.jsonl": b"".join(leaves)})
        older = files | {"head.json": canonical_bytes(head(size=4))}
        self.assert_bundle("size_differs", older)
        files = self.changed("bundle.json", lambda it: it.update(day=EARLIER))
        self.assert_bundle("day_differs", files)

    def test_a_solve_is_no_leaf(self) -> None:
        files = bundle_files()
        solve = canonical_bytes(line_of("solve")) + b"\n"
        files["receipts.jsonl"] = solve + files["receipts.jsonl"]
        self.assert_bundle("malformed", files)

    def test_what_a_leaf_depends_on_is_there_and_nothing_else(self) -> None:
        files = bundle_files()
        linked = files["linked.jsonl"].splitlines(keepends=True)
        for missing in range(len(linked)):
            left = [json.loads(line) for line in linked[:missing] + linked[missing + 1 :]]
            self.assert_bundle("link_missing", files | linked_files(left))
        stranger = next(found for found in DATA["linked"] if found["id"] not in self.named(files))
        more = b"".join(sorted([*linked, canonical_bytes(stranger) + b"\n"]))
        self.assert_bundle("link_differs", files | {"linked.jsonl": more})
        self.assert_bundle("order_differs", files | {"linked.jsonl": b"".join(reversed(linked))})
        doubled = b"".join(linked + linked[-1:])
        self.assert_bundle("order_differs", files | {"linked.jsonl": doubled})

    def named(self, files: dict[str, bytes]) -> set[str]:
        found = files["receipts.jsonl"].splitlines()
        return {id for line in found for id in json.loads(line)["receipt"]["depends_on"]}

    def test_a_document_is_there_or_said_not_to_be(self) -> None:
        files = bundle_files()
        blobs = [name for name in files if name.startswith("blobs/")]
        for name in blobs:
            without = {other: files[other] for other in files if other != name}
            error = self.assert_bundle("blob_missing", without)
            self.assertIn(name[13:77], error.detail)
        files = self.changed("bundle.json", lambda it: it.update(withheld=[]))
        self.assert_bundle("blob_missing", files)
        # Nobody needs the document of an environment that is empty.
        empty = digest(b'{"variables":{},"version":"proctor-environment-1"}')
        self.assertEqual(line_of("evaluate")["receipt"]["environment"], empty)

    @needs_zstd
    def test_a_document_is_that_of_its_digest(self) -> None:
        files = bundle_files()
        one, other = [name for name in files if name.startswith("blobs/")][:2]
        for wrong in [files[other], b"", files[one][:-1], files[one] + b"x", files[one] * 2]:
            error = self.assert_bundle("blob_differs", files | {one: wrong})
            self.assertEqual(error.at, one)

    @needs_sr25519
    def test_a_forged_signature_is_found(self) -> None:
        files = bundle_files()
        signature = lines()[0]["signature"].encode()
        text = files["receipts.jsonl"].replace(signature, lines()[1]["signature"].encode())
        forged = files | {"receipts.jsonl": text}
        self.assert_bundle("signature_differs", forged, signatures=True)
        of_head = self.changed("head.json", lambda it: it.update(signature=signature.decode()))
        self.assert_bundle("signature_differs", of_head, signatures=True)
