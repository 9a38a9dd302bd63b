from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from proctor_client import AnswerError, Client, ProctorError, TransportError
from proctor_client.receipts import (
    SignaturesUnavailable,
    SignedReceipt,
    VerificationError,
    verify_day,
    verify_head,
    verify_receipt,
    verify_score,
)
from proctor_client.receipts.keys import can_verify

from .receipts import (
    DATA,
    DAY,
    EARLIER,
    SIGNER,
    STRANGER,
    bundle_files,
    head,
    hexes,
    ids,
    line_of,
    lines,
    path_of,
    proof_of,
    state,
    tar,
)
from .stub import Answer, Answering, StubCase, ok, problem

SIGNATURES = can_verify()
"""Signatures are looked at where they can be."""


def published(index: int, /, **changed: Any) -> dict[str, Any]:
    """What the server answers for a leaf of the day."""
    proof = {
        "day": DAY,
        "leaf": index,
        "head": head(),
        "inclusion": hexes(path_of(index, ids())),
    }
    return lines()[index] | proof | changed


def solve(**changed: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(["day", "leaf", "head", "inclusion"])
    return line_of("solve") | nothing | changed


def day(name: str = DAY, *sizes: int, **changed: Any) -> dict[str, Any]:
    finalizations = [{"challenge": f"c{size}"} | state(name, size) for size in sizes]
    return {"head": head(name), "finalizations": finalizations} | changed


def consistency(older: int, name: str = DAY, **changed: Any) -> dict[str, Any]:
    proof = hexes(proof_of(older, ids(name)))
    return {"from": state(name, older), "to": state(name), "proof": proof} | changed


class ReceiptsCase(StubCase):
    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "day.tar")

    def assert_found(self, code: str, call: Any, *answers: Answering) -> VerificationError:
        self.answers(*answers)
        with self.assertRaises(VerificationError) as raised:
            call()
        self.assertEqual(raised.exception.code, code, raised.exception)
        self.assertEqual(self.stub.answers, [])
        return raised.exception

    def page(self) -> Answer:
        page = [line | {"leaf": leaf} for leaf, line in enumerate(lines())]
        return ok({"receipts": page, "next": None})

    def before(self) -> list[Answer]:
        """What is asked for of the day before."""
        return [ok(day(EARLIER)), ok(consistency(1, EARLIER))]

    def tar(self, content: bytes) -> Answer:
        return Answer(body=content, headers={"Content-Type": "application/x-tar"})


class Routes(ReceiptsCase):
    def test_a_receipt_is_found_by_its_id(self) -> None:
        answer = published(1)
        self.answers(ok(answer))
        found = self.client.receipt(answer["id"])
        self.assertEqual((found.signed, found.day), (SignedReceipt.from_json(answer), DAY))
        self.assertEqual((found.signed.leaf, found.parents), (1, ()))
        self.assertEqual(found.inclusion, tuple(answer["inclusion"]))
        self.assertEqual(self.asked(), [("GET", f"/v1/receipts/{answer['id']}")])

    def test_a_solve_is_told_with_what_depends_on_it(self) -> None:
        self.answers(ok(solve(parents=["a", "b"])))
        found = self.client.receipt("x")
        self.assertEqual((found.signed.signature, found.head), (None, None))
        self.assertEqual((found.inclusion, found.parents), ((), ("a", "b")))

    def test_days_are_listed_by_their_heads(self) -> None:
        self.answers(
            ok({"days": [head()], "next": DAY}), ok({"days": [head(EARLIER)], "next": None})
        )
        found = [signed.head["day"] for signed in self.client.days(before="2026-09-01", limit=1)]
        self.assertEqual(found, [DAY, EARLIER])
        paths = ["/v1/days?before=2026-09-01&limit=1", f"/v1/days?before={DAY}&limit=1"]
        self.assertEqual([path for _, path in self.asked()], paths)

    def test_a_day_is_told_with_its_finalizations(self) -> None:
        self.answers(ok(day(DAY, 3)))
        found = self.client.day(DAY)
        self.assertEqual(found.head.head, head()["head"])
        (finalization,) = found.finalizations
        self.assertEqual((finalization.challenge, finalization.tree["size"]), ("c3", 3))
        self.assertEqual(self.asked(), [("GET", f"/v1/days/{DAY}")])

    def test_the_leaves_of_a_day_are_listed_in_order(self) -> None:
        page = [line | {"leaf": leaf} for leaf, line in enumerate(lines())]
        self.answers(
            ok({"receipts": page[:2], "next": 1}), ok({"receipts": page[2:], "next": None})
        )
        found = list(self.client.day_receipts(DAY, limit=2))
        self.assertEqual([signed.leaf for signed in found], [0, 1, 2, 3, 4])
        path = f"/v1/days/{DAY}/receipts?limit=2"
        self.assertEqual([asked for _, asked in self.asked()], [path, path + "&after=1"])

    def test_a_proof_is_that_of_two_sizes(self) -> None:
        self.answers(ok(consistency(3)))
        found = self.client.consistency(DAY, 3, 5)
        self.assertEqual((found.older["size"], found.newer["size"], len(found.proof)), (3, 5, 4))
        self.assertEqual(self.asked(), [("GET", f"/v1/days/{DAY}/consistency?from=3&to=5")])

    def test_bundles_are_written_to_a_file(self) -> None:
        content = tar(bundle_files())
        self.answers(self.tar(content), self.tar(content), self.tar(content))
        self.assertEqual(self.client.day_bundle(DAY, self.path).day, DAY)
        self.assertEqual(self.path.read_bytes(), content)
        self.client.day_bundle(DAY, self.path, artifacts=True, components=False)
        self.client.receipt_bundle("a/b", str(self.path))
        paths = [
            f"/v1/days/{DAY}/bundle",
            f"/v1/days/{DAY}/bundle?artifacts=true&components=false",
            "/v1/receipts/a%2Fb/bundle",
        ]
        self.assertEqual([path for _, path in self.asked()], paths)
        self.assertEqual(self.stub.asked[0].headers["Accept"], "application/x-tar")
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_a_bundle_that_does_not_come_whole_leaves_nothing(self) -> None:
        content = tar(bundle_files())
        self.answers(Answer(body=content[:-512], length=len(content)))
        with self.assertRaisesRegex(TransportError, "the end of the answer is missing"):
            self.client.day_bundle(DAY, self.path)
        self.answers(problem(404, "unknown_receipt", "d"))
        with self.assertRaises(ProctorError):
            self.client.receipt_bundle("x", self.path)
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def test_a_bundle_is_asked_for_again_when_the_server_is_busy(self) -> None:
        busy = problem(429, "too_many_requests", "d", Retry_After="2")
        self.answers(busy, self.tar(tar(bundle_files())))
        self.client.day_bundle(DAY, self.path)
        self.assertEqual(self.slept, [2.0])

    def test_answers_of_another_shape_are_refused(self) -> None:
        def days(client: Client) -> object:
            return list(client.days())

        cases: list[tuple[Callable[[Client], object], Answer]] = [
            (lambda client: client.receipt("x"), ok([])),
            (lambda client: client.receipt("x"), ok(published(0, inclusion=[1]))),
            (lambda client: client.receipt("x"), ok(published(0, day=1))),
            (lambda client: client.day(DAY), ok({"head": head()})),
            (lambda client: client.day(DAY), ok(day(finalizations=[{}]))),
            (lambda client: client.consistency(DAY, 1, 2), ok({"from": 1})),
            (days, ok({})),
            # Two readers would read two receipts.
            (lambda client: client.receipt("x"), Answer(body=b'{"id":"a","id":"b"}')),
        ]
        for ask, answer in cases:
            self.answers(answer)
            with self.subTest(answer=answer), self.assertRaises(AnswerError):
                ask(self.client)

    def test_what_is_of_another_form_is_refused(self) -> None:
        cases: list[tuple[Callable[[], object], Answer]] = [
            (lambda: self.client.receipt("x"), ok({"id": "x"})),
            (lambda: self.client.receipt("x"), ok(published(0, head={}))),
            (lambda: self.client.day(DAY), ok(day(head=None))),
            (lambda: self.client.consistency(DAY, 1, 2), ok(consistency(3, to={}))),
        ]
        for call, answer in cases:
            self.assert_found("malformed", call, answer)


class Scores(ReceiptsCase):
    def verify(self, id: str, signer: str | None = SIGNER) -> Any:
        return verify_score(self.client, id, signer, signatures=SIGNATURES)

    def test_a_receipt_that_is_signed_and_included_is_verified(self) -> None:
        for leaf in range(5):
            self.answers(ok(published(leaf)))
            found = self.verify(lines()[leaf]["id"])
            self.assertEqual(found.signed.leaf, leaf)

    def test_a_solve_is_verified_by_what_depends_on_it(self) -> None:
        line = lines()[0]
        (id,) = line["receipt"]["depends_on"]
        body = next(found["receipt"] for found in DATA["linked"] if found["id"] == id)
        answer = solve(id=id, receipt=body, parents=[line["id"]])
        self.answers(ok(answer), ok(published(0)))
        self.assertEqual(self.verify(id).parents, (line["id"],))
        self.assert_found("link_differs", lambda: self.verify(id), ok(answer | {"parents": []}))
        other = answer | {"parents": [lines()[1]["id"]]}
        self.assert_found("link_differs", lambda: self.verify(id), ok(other), ok(published(1)))
        loop = answer | {"parents": [id]}
        self.assert_found("malformed", lambda: self.verify(id), ok(loop), ok(loop))

    def test_what_differs_is_found(self) -> None:
        for code, answer in [
            ("receipt_differs", published(1)),
            ("id_differs", published(0, receipt=lines()[1]["receipt"])),
            ("malformed", published(0, head=None)),
            ("malformed", published(0, leaf=None)),
            ("inclusion_differs", published(0, leaf=1)),
            ("inclusion_differs", published(0, inclusion=[])),
            ("inclusion_differs", published(0, head=head(size=4))),
            ("day_differs", published(0, day=EARLIER)),
            ("signer_differs", published(0, signer=STRANGER)),
            ("signer_differs", published(0, head=head() | {"signer": STRANGER})),
            ("signature_missing", published(0, signature=None)),
        ]:
            with self.subTest(code=code, answer=answer):
                id = lines()[0]["id"]
                self.assert_found(code, lambda: self.verify(id), ok(answer))  # noqa: B023

    def test_receipt_and_head_are_signed_by_the_same(self) -> None:
        id = lines()[0]["id"]
        answer = published(0, signer=STRANGER)
        self.assert_found("signer_differs", lambda: self.verify(id, None), ok(answer))

    def test_without_the_package_it_is_not_verified(self) -> None:
        self.answers(ok(published(0)))
        with (
            mock.patch.dict("sys.modules", {"sr25519": None}),
            self.assertRaises(SignaturesUnavailable),
        ):
            verify_score(self.client, lines()[0]["id"])

    def test_what_is_not_published_is_unknown(self) -> None:
        self.answers(problem(404, "unknown_receipt", "there is no receipt"))
        with self.assertRaisesRegex(ProctorError, "404 unknown_receipt"):
            self.verify("0" * 64)


class Days(ReceiptsCase):
    def verify(self, signer: str | None = SIGNER, **options: Any) -> Any:
        return verify_day(
            self.client, DAY, expected_signer=signer, signatures=SIGNATURES, **options
        )

    def test_a_day_that_is_as_it_says_is_verified(self) -> None:
        self.answers(ok(day(DAY, 3, 5)), self.page(), ok(consistency(3)), *self.before())
        report = self.verify()
        self.assertEqual((report.receipts, report.finalizations), (5, ("c3", "c5")))
        self.assertEqual(
            [path for _, path in self.asked()],
            [
                f"/v1/days/{DAY}",
                f"/v1/days/{DAY}/receipts",
                f"/v1/days/{DAY}/consistency?from=3&to=5",
                f"/v1/days/{EARLIER}",
                f"/v1/days/{EARLIER}/consistency?from=1&to=2",
            ],
        )

    def test_a_day_that_grows_meanwhile_is_that_of_its_head(self) -> None:
        self.answers(ok(day(head=head(size=4))), self.page(), *self.before())
        self.assertEqual(self.verify().receipts, 4)

    def test_a_bundle_may_be_older_or_newer_than_the_head(self) -> None:
        self.path.write_bytes(tar(bundle_files(leaves=3)))
        self.answers(ok(day()), ok(consistency(3)), *self.before())
        self.assertEqual(self.verify(bundle=self.path).receipts, 3)
        self.path.write_bytes(tar(bundle_files()))
        self.answers(ok(day(head=head(size=3))), ok(consistency(3)), *self.before())
        self.assertEqual(self.verify(bundle=str(self.path)).receipts, 5)

    def test_a_bundle_of_something_else_is_refused(self) -> None:
        self.path.write_bytes(tar(bundle_files(EARLIER)))
        self.assert_found("day_differs", lambda: self.verify(bundle=self.path), ok(day()))
        self.path.write_bytes(tar(bundle_files(None, chosen=[line_of("judge")])))
        self.assert_found("day_differs", lambda: self.verify(bundle=self.path), ok(day()))

    def test_a_bundle_that_is_not_the_beginning_is_found(self) -> None:
        self.path.write_bytes(tar(bundle_files(leaves=3)))
        proof = ok(consistency(3, proof=[]))
        found = lambda: self.verify(bundle=self.path)  # noqa: E731
        self.assert_found("consistency_differs", found, ok(day()), proof)

    def test_the_leaves_are_those_of_the_head(self) -> None:
        page = [line | {"leaf": leaf} for leaf, line in enumerate(lines())]
        for code, told in [
            ("size_differs", page[:4]),
            ("leaf_differs", page[1:]),
            ("leaf_differs", [page[0], page[0]]),
            ("root_differs", [page[1] | {"leaf": 0}, page[0] | {"leaf": 1}, *page[2:]]),
            ("id_differs", [page[0] | {"id": page[1]["id"]}]),
            ("signer_differs", [page[0] | {"signer": STRANGER}]),
            ("malformed", [line_of("solve") | {"leaf": 0}]),
        ]:
            with self.subTest(code=code):
                answers = ok(day()), ok({"receipts": told, "next": None})
                self.assert_found(code, self.verify, *answers)

    def test_a_finalization_that_is_not_the_beginning_is_found(self) -> None:
        other = {"challenge": "c", "size": 3, "root": "0" * 64}
        self.assert_found(
            "consistency_differs",
            self.verify,
            ok(day(finalizations=[other])),
            self.page(),
            ok(consistency(3)),
        )
        for size, root in [(5, "0" * 64), (6, head()["head"]["root"])]:
            told = ok(day(finalizations=[{"challenge": "c", "size": size, "root": root}]))
            self.assert_found("consistency_differs", self.verify, told, self.page())

    def test_a_day_before_that_was_changed_is_found(self) -> None:
        wrong = ok(consistency(1, EARLIER, proof=["0" * 64]))
        answers = [ok(day()), self.page(), ok(day(EARLIER)), wrong]
        self.assert_found("consistency_differs", self.verify, *answers)
        self.assert_found("day_differs", self.verify, ok(day()), self.page(), ok(day()))

    def test_the_head_is_that_of_the_day(self) -> None:
        self.assert_found("day_differs", self.verify, ok(day(EARLIER)))
        stranger = head() | {"signer": STRANGER}
        self.assert_found("signer_differs", self.verify, ok(day(head=stranger)))


class Together(ReceiptsCase):
    def test_what_the_client_reads_can_be_checked_by_hand(self) -> None:
        self.answers(ok(published(2)))
        found = self.client.receipt(lines()[2]["id"])
        verify_receipt(found.signed, SIGNER, signatures=SIGNATURES)
        assert found.head is not None
        verify_head(found.head, SIGNER, signatures=SIGNATURES)
