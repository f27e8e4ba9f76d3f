"""Worker processes: the same results, one line if one of them ends, and none left behind."""

import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import synthetic
from scanning import ENVIRONMENT, LIBRARY, PROGRAM, PROTEINS, start

import pfamnet
from pfamnet.errors import PfamnetError
from pfamnet.records import Record
from pfamnet.scan.opening import ScanOptions
from pfamnet.scan.processes import Workers
from pfamnet.scan.workers import in_order

RECORDS = [Record(f"q{i}", "", "A" * (1 + i % 7), i + 1) for i in range(300)]

HYBRID = ScanOptions("hybrid")


def lengths(records):
    return [(len(record.sequence), os.getpid()) for record in records]


def test_each_thread_has_a_process_and_results_are_in_order():
    with Workers(lengths, 3) as workers:
        results = list(in_order(RECORDS, workers.calls, 3))
    assert [(record, length) for record, (length, _) in results] == [(r, len(r.sequence)) for r in RECORDS]
    assert os.getpid() not in {process for _, (_, process) in results}
    assert not any(process.is_alive() for process in workers.processes)


def refused(records):
    if records[0].number == 7:
        raise PfamnetError("record 7: refused")
    if records[0].number == 9:
        raise KeyError("a fault of the program")
    return lengths(records)


def test_errors_come_from_the_process_as_they_are_or_with_their_place():
    with Workers(refused, 1) as workers:
        [call] = workers.calls
        assert len(call(RECORDS[:3])) == 3
        with pytest.raises(PfamnetError, match="^record 7: refused$"):
            call(RECORDS[6:7])
        with pytest.raises(RuntimeError, match="in refused"):
            call(RECORDS[8:9])
        assert len(call(RECORDS[:3])) == 3


def test_a_worker_that_is_killed_is_an_error():
    def end(records):
        os.kill(os.getpid(), signal.SIGKILL)

    with Workers(end, 2) as workers, pytest.raises(PfamnetError, match=r"signal 9 \(Killed\)"):
        list(in_order(RECORDS, workers.calls, 2))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Proteins enough for processes."""
    path = tmp_path_factory.mktemp("many") / "many.fa"
    path.write_bytes(PROTEINS.read_bytes() * 400)
    return path


def children(process):
    """Workers of a program under way, as soon as it has them."""
    for _ in range(400):
        found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if len(found) == 2:
            return list(map(int, found))
        time.sleep(0.05)
    raise AssertionError("no workers")


def scan_many(many, folder):
    process = start("--cpu", "2", "--domtblout", folder / "d", "-o", folder / "o", LIBRARY, many)
    workers = children(process)
    time.sleep(0.5)
    return process, workers


def gone(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1))
def test_signals_end_all_processes_in_order(many, tmp_path, number):
    process, workers = scan_many(many, tmp_path)
    for one in (process.pid, *workers) if number != signal.SIGTERM else (process.pid,):
        os.kill(one, number)  # a terminal interrupts all processes
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number and said == b""
    assert b"# [ok]" not in (tmp_path / "d").read_bytes()
    assert (tmp_path / "o").read_bytes().splitlines()[-1].startswith(b"# incomplete: ")
    assert all(map(gone, workers))


def test_a_killed_worker_ends_the_scan_in_one_line(many, tmp_path):
    process, workers = scan_many(many, tmp_path)
    os.kill(workers[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and said.count(b"\n") == 1 and b"signal 9 (Killed)" in said
    assert b"# [ok]" not in (tmp_path / "d").read_bytes()
    assert all(map(gone, workers))


def test_workers_end_if_the_program_is_killed(many, tmp_path):
    process, workers = scan_many(many, tmp_path)
    process.kill()
    process.communicate()
    for _ in range(600):
        if all(map(gone, workers)):
            return
        time.sleep(0.05)
    raise AssertionError("a worker goes on alone")


def test_tables_are_the_same_for_any_number_of_processes(tmp_path):
    query = tmp_path / "some.fa"
    query.write_bytes(PROTEINS.read_bytes() * 3)
    assert query.stat().st_size > 20_000
    made = []
    for cpu in (1, 2, 3):
        command = [*PROGRAM, "--cpu", str(cpu), "--report", "text", "--no-date", LIBRARY, query]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
        made.append([line for line in done.stdout.splitlines() if not line.startswith(b"# option")])
        assert not done.stderr
    assert made[0] == made[1] == made[2] and len(made[0]) > 100


def test_where_the_network_proposes_many_threads_are_processes(light_model, tmp_path):
    query, records = tmp_path / "some.fa", synthetic.queries(30)
    query.write_text(synthetic.fasta((record[0], record[1]) for record in records))
    made = []
    for cpu in (1, 5):
        command = [*PROGRAM, "--mode", "hybrid", "--cpu", str(cpu), "--no-date", light_model, query]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
        made.append([line for line in done.stdout.splitlines() if not line.startswith(b"# option")])
        assert not done.stderr
    assert made[0] == made[1] and len(made[0]) > 20
    with pfamnet.Model(light_model).start([str(query)], HYBRID, 5, processes=True) as scan:
        assert len(multiprocessing.active_children()) == 5
        assert len(list(scan)) == len(records)
    assert not multiprocessing.active_children()
