"""Memory that HMMER would not get is known before it asks for it."""

import resource
import subprocess
import sys

import golden
import pytest

from pfamnet.errors import PfamnetError
from pfamnet.profiles import memory, search


def test_a_domain_that_does_not_fit_is_one_line(monkeypatch):
    record = golden.record("P15056")
    largest = max(golden.families(), key=lambda family: family.length)
    need = memory.matrix_bytes(largest.length, len(record.sequence))
    found = []
    for limit in (need, need - 1):
        for module in (memory, search):
            monkeypatch.setattr(module, "memory_limit", lambda limit=limit: limit)
        if limit < need:
            with pytest.raises(PfamnetError, match=rf"^record \d+ 'P15056': profile '{largest.name}' of"):
                golden.search([record])
            others = [i for i, family in enumerate(golden.families()) if family.length < largest.length]
            found.append(golden.profile_search().search([record], [others]))
        else:
            found.append(golden.search([record]))
    assert all(hits[0] for hits in found)


def test_the_matrices_of_a_short_sequence_are_small():
    assert memory.matrix_bytes(2000, 100) == memory.matrix_bytes(100, 100) * 20
    assert memory.matrix_bytes(2000, 100_000) == memory.matrix_bytes(2000, 2000)


def test_the_limit_is_that_of_the_process():
    code = "from pfamnet.profiles.memory import memory_limit; print(memory_limit())"
    most = 3 << 30
    limited = lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most))
    done = subprocess.run([sys.executable, "-c", code], preexec_fn=limited, capture_output=True, check=True)
    assert 0 < int(done.stdout) <= most
