"""The number of threads: --cpu, HMMER_NCPU, affinity, control groups."""

import math
import os

import click
import pytest

from pfamnet.cli.common import threads_of
from pfamnet.scan.processors import MOST, quota, usable_processors


def files(root, texts):
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V1 = "5:cpu,cpuacct:/a/b\n4:memory:/a\n"


@pytest.mark.parametrize(
    "texts, cpus",
    (
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/\n"}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 0.5),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, math.inf),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            math.inf,
        ),
    ),
)
def test_quotas_of_control_groups(texts, cpus, tmp_path):
    assert quota(files(tmp_path, texts)) == cpus
    least = min(len(os.sched_getaffinity(0)), cpus)
    assert usable_processors(str(tmp_path)) == max(1, math.ceil(least))


def test_numbers_of_threads(monkeypatch):
    monkeypatch.setenv("HMMER_NCPU", " 2\n")
    assert threads_of(None) == 2
    monkeypatch.setenv("HMMER_NCPU", "999999")
    assert threads_of(None) == threads_of(10**9) == max(MOST, os.cpu_count())
    for text in ("", "x", "-3", "2 3", "9" * 30):
        monkeypatch.setenv("HMMER_NCPU", text)
        with pytest.raises(click.UsageError, match="not a number of threads"):
            threads_of(None)
