"""Headless Chromium, where there is one: a page after its scripts have run."""

import json
import os
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

OPEN = b'<script type="application/x-ndjson" id="data">\n'

EVIL = (
    "</script><script>document.title = 'hacked'</script>",
    "<img src=x onerror=\"document.title='hacked'\">",
    "<!--<script>",
    "&lt;b&gt;",
    "N" * 1000,
    "\u202eyfdommoc",
    "a\udcffb",
    "]]>'\"`\\u003c",
)
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


def data_of(page):
    """The lines of data of a page, whole or not."""
    text = page.partition(OPEN)[2].partition(b"</script>")[0]
    return [json.loads(row) for row in text.split(b"\n") if row]


def needed():
    """The path of the program; skips the test where there is none."""
    if PROGRAM is None:
        pytest.skip("no Chromium here")
    return PROGRAM


def opened(path, profile, fragment="", options=()):
    """The document of a page on disk, as a `Document`; `profile` is an empty directory's name."""
    address = Path(path).resolve().as_uri() + fragment
    command = [
        needed(),
        "--headless",
        *QUIET,
        *options,
        f"--user-data-dir={profile}",
        "--virtual-time-budget=3000",
        "--dump-dom",
        address,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return Document(done.stdout)


class Document(HTMLParser):
    """Elements of a document, in order: (tag, attributes, text); text includes that of children."""

    VOID = {"meta", "link", "input", "br", "img", "hr"}

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))
        if tag not in self.VOID:
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element[2].append(data)

    def tags(self):
        return {tag for tag, _, _ in self.elements}

    def of_class(self, name):
        """Texts of the elements of a class."""
        return [
            "".join(text)
            for _, attributes, text in self.elements
            if name in (attributes.get("class") or "").split()
        ]

    def by_id(self, name):
        """Attributes and text of an element."""
        return next(
            (attributes, "".join(text))
            for _, attributes, text in self.elements
            if attributes.get("id") == name
        )

    def rows(self):
        """The texts of the cells of each row of tables' bodies."""
        table = []
        for tag, _, text in self.elements:
            if tag == "tr":
                table.append([])
            elif tag == "td":
                table[-1].append("".join(text))
        return [row for row in table if row]

    def links(self):
        return [
            attributes["href"]
            for tag, attributes, _ in self.elements
            if tag == "a" and attributes["href"].startswith("http")
        ]
