"""Windows over long sequences."""

import pytest

from pfamnet.profiles.long_sequences import OVERLAP, windows


@pytest.mark.parametrize("length", (1, 99_999, 100_000, 100_001, 180_000, 180_001, 305_000, 10**6))
def test_windows_cover_everything_with_overlap(length):
    spans = windows(length, 100_000)
    assert spans[0][0] == 0 and spans[-1][1] == length
    assert all(end - start == min(length, 100_000) for start, end in spans)
    for (_, end), (start, _) in zip(spans, spans[1:]):
        assert end - start >= OVERLAP
    assert len(set(spans)) == len(spans) == max(1, -(-(length - OVERLAP) // 80_000))
