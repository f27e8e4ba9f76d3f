"""Small charts as SVG text, for pages that must stand alone.

Colours are CSS classes (`bar`, `dot`, `line`, `grid`), so that the page decides on them.
"""

import math
from html import escape

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 44


class Chart:
    """Axes over ranges of x and y, either of them logarithmic; `svg` gives the picture.

    Logarithmic ranges must be above 0. `marks` are (x, text) in place of numbers below
    the x axis.
    """

    def __init__(self, x, y, xlabel, ylabel, log_x=False, log_y=False, title="", marks=None):
        self.x, self.y = _range(x, log_x), _range(y, log_y)
        self.log_x, self.log_y = log_x, log_y
        self.labels, self.title, self.marks, self.parts = (xlabel, ylabel), title, marks, []

    def place(self, x, y):
        """The point of a value pair in the picture."""
        return (
            LEFT + _share(x, self.x, self.log_x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - _share(y, self.y, self.log_y) * (HEIGHT - TOP - BOTTOM),
        )

    def bar(self, start, end, value, tip, kind="bar"):
        """A bar over [start, end) of x, from the axis to `value`."""
        left, top = self.place(start, max(value, self.y[0]))
        right, bottom = self.place(end, self.y[0])
        self._add(
            f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{max(right - left - 1, 0.5):.1f}" '
            f'height="{max(bottom - top, 0):.1f}">',
            tip,
            "rect",
        )

    def dot(self, x, y, tip):
        across, down = self.place(x, y)
        self._add(f'<circle class="dot" cx="{across:.1f}" cy="{down:.1f}" r="3">', tip, "circle")

    def line(self, points, tip, kind="line"):
        """A line through (x, y) points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.place(*point) for point in points))
        self._add(f'<polyline class="{kind}" fill="none" points="{path}">', tip, "polyline")

    def _add(self, tag, tip, name):
        self.parts.append(f"{tag}<title>{escape(tip)}</title></{name}>")

    def svg(self) -> str:
        """The picture, with its axes behind what was drawn."""
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = []
        marks = self.marks or [(value, _number(value)) for value in ticks(*self.x, self.log_x)]
        for value, text in marks:
            across = self.place(value, self.y[0])[0]
            parts.append(
                f'<text class="tick" x="{across:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(text)}</text>'
            )
        for value in ticks(*self.y, self.log_y):
            down = self.place(self.x[0], value)[1]
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{down:.1f}" y2="{down:.1f}"/>'
                f'<text class="tick" x="{LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{_number(value)}</text>'
            )
        xlabel, ylabel = map(escape, self.labels)
        parts.append(
            f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{xlabel}</text>'
            f'<text transform="translate(14 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">{ylabel}</text>'
        )
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">'
            f"{''.join(parts)}{''.join(self.parts)}</svg>"
        )


def ticks(low, high, log=False) -> list[float]:
    """Round numbers of an axis from low to high."""
    if log:
        powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        found = [10.0**power for power in powers]
        return found if len(found) > 1 else [low, high]
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= 6)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _range(bounds, log):
    low, high = map(float, bounds)
    return (low, high) if high > low else (low, low * 10 if log else low + 1)


def _share(value, bounds, log):
    low, high = bounds
    if log:
        value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
    return min(max((value - low) / (high - low), 0), 1)


def _number(value):
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"
