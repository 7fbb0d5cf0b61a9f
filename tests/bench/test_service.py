"""The programs that measure a server under load, on the stand-in for a model and on the starter."""

from __future__ import annotations

import httpx

from benchmarks.burst import burst
from benchmarks.comparison import compared
from benchmarks.crowd import STATE, Crowd, Got, Questions, Summary, serving


async def test_a_crowd_and_its_simulation() -> None:
    async with serving("benchmarks.stand_in", "--seconds", "0.02") as url:
        people, rate = await compared("stand-in", url, [3], 0.2, [10.0], 3, 20)
    assert (people.name, rate.name) == ("3 people, think 0.2 s", "10 requests/s")
    for row in (people, rate):
        assert row.measured.statuses.keys() == {200}
        assert row.measured.p50 >= 0.02
        assert row.simulated.p50 >= min(0.02, row.alone)


async def test_who_is_told_to_come_again_does_so_as_advised() -> None:
    async with serving("benchmarks.stand_in", "--seconds", "0.01") as url:
        crowd = Crowd(url, patient=True)
        await crowd.flood(80, 1)
    assert {each.status for each in crowd.got} == {200}
    assert max(each.tries for each in crowd.got) > 1


def test_questions_are_new_unless_they_are_to_come_again() -> None:
    new = Questions()
    assert len({new.next("a") for _ in range(50)} | {Questions().next("a") for _ in range(50)}) == 100
    again, shared = Questions(again=1.0), Questions(shared=1.0, few=2)
    assert len({again.next("a") for _ in range(20)}) == 1
    assert {shared.next(name) for name in "abcdefghij"} == {STATE.format(number=each) for each in (0, 1)}


async def test_a_burst() -> None:
    found = await burst(90, silent=20)
    assert sum(found.statuses.values()) == 90
    assert found.statuses[200] >= 65
    assert found.statuses[429] == 90 - found.statuses[200]


def test_a_summary_counts_what_was_lost_and_times_what_was_answered() -> None:
    got = [
        Got("a", began, seconds, status)
        for began, seconds, status in ((0, 1, 200), (1, 9, 500), (2, 3, 200), (3, 1, 0))
    ]
    made = Summary.of(got)
    assert made.statuses == {0: 1, 200: 2, 500: 1}
    assert (made.mean, made.p50, made.slowest, made.rate) == (2, 3, 3, 0.2)


async def test_the_stand_in_for_the_server_of_2023_answers() -> None:
    async with serving("benchmarks.server_of_2023") as url, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        answer = await http.post(url, json={"tactic_state": "p q : Prop\nhp : p\n⊢ p ∨ q", "prefix": ""})
    assert "exact Or.inl hp" in answer.json()["suggestions"]
