"""Results in the order of the input, from several threads."""

import threading
import time
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfamnet.records import Record
from pfamnet.scan.workers import AHEAD, MOST, RESIDUES, in_order


def records(stop=None):
    return (
        Record(f"q{i}", "", "A" * (1 + i % 7), i + 1) for i in (range(stop) if stop is not None else count())
    )


def names(some):
    return [record.name for record in some]


def slow_names(some):
    time.sleep(0.01)
    return names(some)


@settings(max_examples=40)
@given(st.integers(0, 700), st.integers(1, 5), st.integers(1, 300))
def test_every_record_is_worked_on_once_and_few_enough_at_a_time(total, threads, most):
    seen = []

    def work(some):
        seen.extend(names(some))
        assert 0 < len(some) <= most
        return names(some)

    results = [(record.name, result) for record, result in in_order(records(total), work, threads, most)]
    assert results == [(f"q{i}", f"q{i}") for i in range(total)]
    assert sorted(seen) == sorted(f"q{i}" for i in range(total))


def test_many_that_wait_are_taken_together_and_the_last_are_shared():
    sizes, first = [], threading.Event()

    def work(some):
        first.wait(20)  # until all have been read
        sizes.append(len(some))
        return names(some)

    def reading():
        yield from records(AHEAD)
        first.set()

    list(in_order(reading(), work, 2))
    assert max(sizes) > MOST / 4 and max(sizes) <= MOST and min(sizes[-3:]) < 4


def test_the_first_results_come_soon_however_many_wait():
    sizes, all_read = [], threading.Event()

    def work(some):
        all_read.wait(20)
        sizes.append(len(some))
        return names(some)

    def reading():
        yield from records(400)
        all_read.set()

    list(in_order(reading(), work, 1))
    assert sizes[:3] == [1, 8, 64]


def test_long_sequences_are_not_taken_together():
    def work(some):
        assert len(some) == 1 or sum(len(record.sequence) for record in some) <= RESIDUES
        return names(some)

    long = [Record(f"q{i}", "", "A" * (RESIDUES // 3 + i), i + 1) for i in range(40)]
    assert len(list(in_order(long, work, 2))) == 40


def test_results_come_in_the_order_of_the_input():
    def work(some):
        time.sleep(0.002 * (7 - len(some[0].sequence)))
        return [record.name for record in some]

    assert [(record.name, result) for record, result in in_order(records(100), work, 4)] == [
        (f"q{i}", f"q{i}") for i in range(100)
    ]


def test_no_records_no_results():
    assert list(in_order(records(0), names, 3)) == []


def test_the_input_is_read_ahead_by_a_bounded_number():
    """An input that never ends is no reason to fill the memory."""
    read = []

    def reading():
        for record in records():
            read.append(record)
            yield record

    results = in_order(reading(), names, 2)
    for _ in range(5):
        next(results)
    time.sleep(0.3)
    assert len(read) <= 5 + 2 * AHEAD + 2
    results.close()
    time.sleep(0.1)
    reached = len(read)
    time.sleep(0.3)
    assert len(read) <= reached + 1


def test_a_result_does_not_wait_for_the_next_record():
    """From a pipe that stays open and silent."""
    more = threading.Event()

    def reading():
        yield from records(3)
        assert more.wait(20)

    results = in_order(reading(), names, 2)
    assert [next(results)[1] for _ in range(3)] == ["q0", "q1", "q2"]
    more.set()
    assert list(results) == []


def test_what_was_read_before_a_fault_comes_out_first():
    def reading():
        yield from records(5)
        raise ValueError("record 6")

    seen = []
    with pytest.raises(ValueError, match="record 6"):
        for record, _ in in_order(reading(), slow_names, 3):
            seen.append(record.name)
    assert seen == ["q0", "q1", "q2", "q3", "q4"]


def test_a_fault_of_the_work_comes_in_its_place():
    def work(some):
        if any(record.name == "q3" for record in some):
            raise KeyError("q3")
        return names(some)

    seen = []
    with pytest.raises(KeyError):
        for record, _ in in_order(records(50), work, 3):
            seen.append(record.name)
    assert seen == ["q0", "q1", "q2"]
