from __future__ import annotations

from proctor_client import AnswerError, Client, ProctorError

from .stub import Answer, StubCase, ok, problem


class Pages(StubCase):
    def test_challenges_are_listed(self) -> None:
        challenge = {
            "name": "digits",
            "version": "0.1.0",
            "active": True,
            "is_done": False,
            "last_finalized_day": None,
            "new": 1,
        }
        self.answers(ok({"challenges": [challenge]}))
        self.assertEqual(self.client.challenges(), [challenge])
        self.assertEqual(self.asked(), [("GET", "/v1/challenges")])

    def test_a_leaderboard_is_that_of_its_challenge(self) -> None:
        board = {"challenge": "a/b ü", "day": "2026-08-22", "entries": [{"rank": 1}]}
        self.answers(ok(board))
        self.assertEqual(self.client.leaderboard("a/b ü"), board)
        self.assertEqual(self.asked(), [("GET", "/v1/challenges/a%2Fb%20%C3%BC/leaderboard")])

    def test_results_go_on_to_the_last_page(self) -> None:
        self.answers(
            ok({"results": [{"id": 1}, {"id": 2}], "next": "a&b="}),
            ok({"results": [], "next": 7}),
            ok({"results": [{"id": 3}], "next": None}),
        )
        found = self.client.results(challenge="c", hotkey="h", day="2026-08-22", state="s", limit=2)
        self.assertEqual([result["id"] for result in found], [1, 2, 3])
        query = "/v1/results?challenge=c&hotkey=h&day=2026-08-22&state=s&limit=2"
        paths = [query, query + "&cursor=a%26b%3D", query + "&cursor=7"]
        self.assertEqual([path for _, path in self.asked()], paths)

    def test_a_page_is_asked_for_when_it_is_needed(self) -> None:
        self.answers(ok({"results": [{"id": 1}], "next": "n"}), problem(410, "gone", "d"))
        found = self.client.results()
        self.assertEqual(self.asked(), [])
        self.assertEqual(next(found), {"id": 1})
        self.assertEqual(self.asked(), [("GET", "/v1/results")])
        with self.assertRaises(ProctorError):
            next(found)

    def test_pages_that_go_round_in_circles_end(self) -> None:
        page = ok({"finalizations": [{"day": "2026-08-22"}], "next": "n"})
        self.answers(page, page)
        with self.assertRaisesRegex(AnswerError, "in circles"):
            list(self.client.finalizations(challenge="c", limit=1))
        self.assertEqual(
            [path for _, path in self.asked()],
            [
                "/v1/finalizations?challenge=c&limit=1",
                "/v1/finalizations?challenge=c&limit=1&cursor=n",
            ],
        )

    def test_one_result_is_found_by_the_hash_of_its_ciphertext(self) -> None:
        self.answers(ok({"score": 1}))
        self.assertEqual(self.client.result("c", "abc"), {"score": 1})
        digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        self.assertEqual(self.asked(), [("GET", f"/v1/results/c/{digest}")])

    def test_one_finalization_is_found_by_challenge_and_day(self) -> None:
        self.answers(ok({"outcome": "ok"}))
        self.assertEqual(self.client.finalization("c", "2026-08-22"), {"outcome": "ok"})
        self.assertEqual(self.asked(), [("GET", "/v1/finalizations/c/2026-08-22")])

    def test_names_cannot_lead_to_another_route(self) -> None:
        for name in ("", ".", ".."):
            for ask in (self.client.leaderboard, lambda name: self.client.result(name, "e")):
                with self.subTest(name=name), self.assertRaises(ValueError):
                    ask(name)
        self.assertEqual(self.asked(), [])

    def test_answers_of_another_shape_are_refused(self) -> None:
        def all_results(client: Client) -> object:
            return list(client.results())

        for ask, answer in [
            (Client.challenges, ok([])),
            (Client.challenges, ok({})),
            (Client.challenges, ok({"challenges": {}})),
            (Client.challenges, ok({"challenges": ["digits"]})),
            (Client.challenges, Answer(body=b"no JSON")),
            (lambda client: client.leaderboard("c"), ok({"entries": None})),
            (lambda client: client.leaderboard("c"), ok({"entries": [1]})),
            (lambda client: client.result("c", "e"), ok([])),
            (all_results, ok({"results": None, "next": None})),
            (all_results, ok({"results": [], "next": True})),
            (all_results, ok({"results": [], "next": {"a": 1}})),
        ]:
            self.answers(answer)
            with self.subTest(answer=answer), self.assertRaises(AnswerError):
                ask(self.client)
