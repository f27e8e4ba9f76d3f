"""Charts: where values stand, and round numbers at the axes."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.explore.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_and_inside(low, span):
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 8
    assert all(low - span * 1e-6 <= value <= low + span * (1 + 1e-6) for value in found)


def test_round_ticks():
    assert ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert ticks(1, 1000, log=True) == [1, 10, 100, 1000] and ticks(2, 5, log=True) == [2, 5]


def test_values_stand_in_their_places():
    chart = Chart((1, 100), (0, 10), "x", "y", log_x=True)
    assert chart.place(1, 0) == (LEFT, HEIGHT - BOTTOM)
    assert chart.place(100, 10) == pytest.approx((WIDTH - RIGHT, TOP))
    assert chart.place(10, 5)[0] == pytest.approx((LEFT + WIDTH - RIGHT) / 2)
    assert chart.place(1e9, -4) == pytest.approx((WIDTH - RIGHT, HEIGHT - BOTTOM))


def test_a_chart_is_xml_with_its_texts_escaped():
    chart = Chart((0, 0), (0, 0), "<x>", "a & b", title='"q"', marks=[(0, "<m>")])
    chart.bar(0, 1, 0, "<tip>")
    chart.dot(0, 0, "&")
    chart.line([(0, 0), (1, 1)], "law")
    root = ElementTree.fromstring(chart.svg())
    texts = "".join(root.itertext())
    assert "<x>" in texts and "a & b" in texts and "<m>" in texts and "<tip>" in texts
    assert root.get("aria-label") == '"q"'
