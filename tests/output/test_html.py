"""The web page: what it holds, that it loads nothing, that names stay names."""

import base64
import dataclasses
import functools
import hashlib
import io
import json
import math
import re
import tracemalloc

import browser
import golden
import pytest
import untrained
from browser import EVIL, OPEN, data_of
from hypothesis import given
from hypothesis import strategies as st
from scanning import LIBRARY, PROTEINS, records, rows, scan_here

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.hits import network_domain, network_hit
from pfamnet.output.html import BEST, END, INCLUDED, STRONG, HtmlWriter, line, page_head
from pfamnet.records import Record

TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(EVIL)


def readable(text):
    """What a page shows of a text that may hold bytes that are not UTF-8."""
    return "".join("\ufffd" if 0xD800 <= ord(character) < 0xE000 else character for character in text)


def page_of(proteins, title="x.fa", about=()):
    """A page of (record, hits) pairs."""
    out = io.BytesIO()
    with HtmlWriter(out, title, about, golden.families()) as writer:
        for record, hits in proteins:
            writer.write(record, hits)
    return out.getvalue()


def called(record, evalue=1e-9, included=True, **changes):
    """A hit of the network alone on a record."""
    family = dataclasses.replace(golden.families()[0], **changes)
    return network_hit(0, family, record, [network_domain(4, 60, evalue, 30.0, (1, 20), included=included)])


def evil(number=0):
    """Proteins whose every text is an attempt at markup."""
    for number, text in enumerate(EVIL, 1):
        record = Record(text.replace(" ", "_"), text, "A" * 90, number)
        yield record, [called(record, accession=text, name=text, description=text)]


def test_it_holds_what_the_table_holds(capfdbinary):
    assert scan_here("--no-header", LIBRARY, PROTEINS) == 0
    table = [row.decode().split("\t") for row in rows(capfdbinary.readouterr().out)]
    assert scan_here("--report", "html", LIBRARY, PROTEINS) == 0
    said = capfdbinary.readouterr()
    assert said.err == b"" and said.out.startswith(b"<!doctype html>") and said.out.endswith(END)
    families, found, names = {}, [], []
    for kind, *fields in data_of(said.out):
        if kind == "f":
            assert fields[0] not in families
            families[fields[0]] = fields[1:]
        elif kind == "p":
            name, description, length, hits = fields
            names.append(name)
            for index, source, evalue, score, domains in hits:
                family, accession, clan, states, what = families[index]
                found += [
                    [
                        family,
                        accession,
                        str(states),
                        name,
                        str(length),
                        evalue,
                        score,
                        own,
                        own_score,
                        *map(str, (h1, h2, a1, a2, e1, e2)),
                        what,
                        source,
                    ]
                    for a1, a2, e1, e2, h1, h2, own, own_score, _ in domains
                ]
    expected = [
        [
            *row[:4],
            row[5],
            float(row[6]),
            float(row[7]),
            float(row[12]),
            float(row[13]),
            *row[15:21],
            row[22],
            row[23],
        ]
        for row in table
    ]
    assert found == expected and len(found) > 100
    assert names == [record.name for record in golden.records()]  # also those without hits
    assert data_of(said.out)[-1] == ["end", len(names), len(families)]


def test_it_loads_nothing_and_runs_one_script():
    page = page_of(evil()).decode("ascii")
    script = re.search(r"<script>(.*?)</script>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1]
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy
    assert page.count("<script") == page.count("</script") == 2 and "$" not in policy
    assert not re.search(
        r"""@import|url\(|\bsrc=|fetch\(|XMLHttp|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(""",
        page.replace("img src=x", ""),
    )
    addresses = {re.match(r"https?://[^/]+", found)[0] for found in re.findall(r"https?://[^\s\"'`]+", page)}
    assert addresses == {"https://www.ebi.ac.uk", "http://www.w3.org"}  # links, and the name of SVG's space


@functools.cache
def harmless_page(hit):
    record = Record("n", "d", "A" * 90, 1)
    return page_of([(record, [called(record)] if hit else [])], "t", [("Sequences", "t")])


@given(st.lists(TEXT, min_size=5, max_size=5), st.booleans())
def test_no_text_becomes_markup(texts, hit):
    name, description, accession, family, title = texts
    record = Record(name, description, "A" * 90, 1)
    page = page_of(
        [
            (
                record,
                [called(record, accession=accession, name=family, description=description)] if hit else [],
            )
        ],
        title,
        [("Sequences", title)],
    )
    plain = harmless_page(hit)
    assert page.isascii()
    assert browser.Document(page.decode()).tags() == browser.Document(plain.decode()).tags()
    assert page.count(b"<") == plain.count(b"<") and page.count(b">") == plain.count(b">")
    rows = {row[0]: row for row in data_of(page)}
    assert rows["p"][1:4] == [readable(name), readable(description), 90]
    assert not hit or rows["f"][2:4] == [readable(family), readable(accession)]


@given(st.text())
def test_the_reason_of_a_page_that_is_not_whole_is_inert(reason):
    assert not {b"<", b">", b"&"} & {bytes([byte]) for byte in line("incomplete", reason)}


def test_a_page_that_is_not_whole(tmp_path):
    path = tmp_path / "page"
    record = golden.record("P06213")
    for ended in (False, True):
        writer = HtmlWriter(str(path), "x.fa", [], golden.families())
        writer.write(record, [])
        if ended:
            writer.end()
        writer.abandon("no </script> room")
        page = path.read_bytes()
        assert END not in page and data_of(page)[-1] == ["incomplete", "no </script> room"]
        assert data_of(page)[0][1] == "P06213" and page.count(b"</script") == 1
    writer = HtmlWriter(str(tmp_path / "new"), "x.fa", [], golden.families())
    writer.abandon("nothing was found out")
    assert (tmp_path / "new").read_bytes() == b""


def test_rows_of_any_length_and_a_mark_on_a_line_of_its_own(tmp_path):
    path = tmp_path / "page"
    writer = HtmlWriter(str(path), "x.fa", [], golden.families())
    writer.write(Record("long", "d" * 200_000, "A", 1), [])
    writer.flush()
    with open(path, "r+b") as file:  # as a full disk leaves it
        file.truncate(path.stat().st_size - 1000)
    writer.abandon("no room")
    last = path.read_bytes().split(b"\n")
    assert last[-1] == b"" and json.loads(last[-2]) == ["incomplete", "no room"]


def test_memory_does_not_grow():
    class Nowhere:
        write = staticmethod(lambda data: len(data))
        flush = staticmethod(lambda: None)

    writer = HtmlWriter(Nowhere(), "x.fa", [], golden.families())
    tracemalloc.start()
    for number in range(600):
        record = Record(f"{number}" * 300, "what it is " * 400, "A" * 100, number)
        writer.write(record, [called(record)])
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 500_000  # of over 2 MB that were written


def test_the_command(tmp_path, capfdbinary):
    few = tmp_path / "few<b>.fa"
    few.write_bytes(records("P15056", "empty"))
    for name in "ab":
        assert scan_here("--report", "html", "--no-date", "-o", tmp_path / "page", LIBRARY, few) == 0
        (tmp_path / "page").rename(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert capfdbinary.readouterr() == (b"", b"")
    page = (tmp_path / "a").read_text()
    assert "<title>few&lt;b&gt;.fa" in page and "Domains of few&lt;b&gt;.fa" in page and "22 families" in page
    assert scan_here("--report", "html", "--noali", "-o", tmp_path / "c", LIBRARY, few) == 0
    assert "<dt>Date</dt>" in (tmp_path / "c").read_text() and "<dt>Date</dt>" not in page
    assert b"warning: --noali has no effect on a page" in capfdbinary.readouterr().err
    few.write_bytes(records("P15056") + b">bad\nA1\n")
    assert scan_here("--report", "html", LIBRARY, few) == 1
    page = capfdbinary.readouterr().out
    kind, why = data_of(page)[-1]
    assert kind == "incomplete" and "illegal character" in why and END not in page
    assert scan_here("--report", "html", "-o", "/dev/full", LIBRARY, PROTEINS) == 1
    assert capfdbinary.readouterr().err == b"pfamnet-scan: /dev/full: no space left on device\n"


def test_clans_and_sources_of_a_model(tmp_path, capfdbinary):
    model = untrained.write_model(tmp_path / "model")
    assert run(scan, ["--report", "html", "--mode", "hybrid", str(model), str(PROTEINS)]) == 0
    data = data_of(capfdbinary.readouterr().out)
    clans = {row[2]: row[4] for row in data if row[0] == "f"}
    assert untrained.CLANS.items() <= clans.items() and set(clans.values()) == {"CL0016", ""}
    assert {hit[1] for row in data if row[0] == "p" for hit in row[4]} == {"profile", "network", "both"}


def test_a_missing_head_is_ascii():
    assert page_head("caf\u00e9 \udcff", [("a", "\u20ac")]).isascii()


def test_strong_domains_and_the_best_of_a_clan_are_marked():
    families = [
        dataclasses.replace(golden.families()[0], clan="CL0001", ga=(25.0, 20.0)),
        dataclasses.replace(golden.families()[1], clan="CL0001", ga=None),
    ]
    record = Record("a", "", "A" * 300, 1)

    def hit(index, *domains, source="profile"):
        made = [
            dataclasses.replace(
                network_domain(start, end, evalue, score, (1, 9)), log_p=math.log(evalue), included=yes
            )
            for start, end, evalue, score, yes in domains
        ]
        return dataclasses.replace(network_hit(index, families[index], record, made), source=source)

    hits = [
        hit(0, (0, 50, 1e-9, 30, True), (100, 150, 1e-4, 15, True), (200, 250, 1e-3, 24, True)),
        hit(1, (20, 70, 1e-5, 9, True), (120, 160, 1e-2, 9, True), (210, 240, 1.0, 2, False)),
    ]
    out = io.BytesIO()
    with HtmlWriter(out, "t", [], families) as writer:
        writer.write(record, hits)
        writer.write(record, [hit(0, (0, 50, 1e-9, 12, True), source="network")])
    one, two = (row[4] for row in data_of(out.getvalue()) if row[0] == "p")
    kinds = [[domain[-1] for domain in domains] for *_, domains in one]
    best, strong, included = BEST, STRONG, INCLUDED
    assert kinds == [
        [best + strong + included, included + best, best + strong + included],
        [strong + included, best + strong + included, 0],
    ]
    assert two[0][-1][0][-1] == best + strong + included  # a profile's cutoff is not the network's


# In a browser


@pytest.fixture(scope="module")
def golden_page(tmp_path_factory):
    browser.needed()
    path = tmp_path_factory.mktemp("page") / "page.html"
    assert scan_here("--report", "html", "-o", path, LIBRARY, PROTEINS) == 0
    return path


def test_names_are_text_in_a_browser(tmp_path):
    path = tmp_path / "page.html"
    path.write_bytes(page_of(evil(), EVIL[0], [("Sequences", EVIL[1])]))
    page = browser.opened(path, tmp_path / "profile")
    assert not page.tags() & {"img", "iframe"} and sum(tag == "script" for tag, _, _ in page.elements) == 1
    (title,) = ["".join(text) for tag, _, text in page.elements if tag == "title"]
    assert "<script>" in title and "hacked" not in title.replace("'hacked'", "")
    shown = page.of_class("name")
    assert shown == [text.replace(" ", "_").replace("\udcff", "\ufffd") for text in EVIL]
    assert "hidden" in page.by_id("unfinished")[0] and len(page.of_class("domain")) == len(EVIL)
    assert page.links() == []  # no accession is Pfam's


def test_the_picture_and_a_filter(golden_page, tmp_path):
    page = browser.opened(golden_page, tmp_path / "profile", "#q=P15056")
    assert page.of_class("name") == ["P15056"] and "1 of " in page.by_id("shown")[1]
    labels = [
        attributes["aria-label"]
        for _, attributes, _ in page.elements
        if attributes.get("class", "").startswith("domain")
    ]
    assert any("Pkinase PF00069" in label and "E-value" in label and "bits" in label for label in labels)
    assert "hidden" in page.by_id("unfinished")[0] and "proteins" in page.by_id("counts")[1]


def test_the_table_is_sorted_and_linked(golden_page, tmp_path):
    page = browser.opened(golden_page, tmp_path / "profile", "#view=table&sort=E-value&weak=1&sisters=1")
    evalues = [float(row[8]) for row in page.rows()[:100]]
    assert len(evalues) == 100 and evalues == sorted(evalues) and evalues[0] < 1e-50
    accessions = [re.sub(r"\..*", "", row[2]) for row in page.rows()[:100]]
    links = [link for link in page.links() if "/entry/" in link][:100]
    assert links == [f"https://www.ebi.ac.uk/interpro/entry/pfam/{accession}/" for accession in accessions]


def test_a_browser_says_of_a_page_that_it_breaks_off(golden_page, tmp_path):
    half = tmp_path / "half.html"
    whole = golden_page.read_bytes()
    half.write_bytes(whole[: (whole.index(OPEN) + len(whole)) // 2])
    page = browser.opened(half, tmp_path / "profile")
    attributes, text = page.by_id("unfinished")
    assert "hidden" not in attributes and "incomplete" in text and len(page.of_class("name")) > 2


@pytest.fixture(scope="module")
def clan_page(tmp_path_factory):
    """A page of a model that knows a clan."""
    browser.needed()
    folder = tmp_path_factory.mktemp("clans")
    model = untrained.write_model(folder / "model")
    options = ["--report", "html", "--mode", "profiles", "-o", str(folder / "page.html")]
    assert run(scan, [*options, str(model), str(PROTEINS)]) == 0
    return folder / "page.html"


def drawn(page):
    """Of each domain drawn, the classes and the name that it has."""
    return [
        (attributes["class"].split(), "".join(text))
        for tag, attributes, text in page.elements
        if tag == "g" and attributes.get("class", "").startswith("domain") and "aria-label" in attributes
    ]


def test_sisters_and_weak_hits_are_switched_on(clan_page, tmp_path):
    counts, kinases = [], []
    for number, view in enumerate(("", "&sisters=1", "&weak=1", "&sisters=1&weak=1")):
        shown = drawn(browser.opened(clan_page, tmp_path / f"p{number}", f"#view=picture{view}"))
        assert any("weak" in kinds for kinds, _ in shown) == ("weak" in view)
        assert all(text for _, text in shown)  # every domain has its name
        counts.append(len(shown))
        kinases.append({text for _, text in shown if text.startswith(("Pkinase", "PK_Tyr"))})
    assert "PK_Tyr_Ser-Thr +1" in kinases[0] and kinases[1] == {"PK_Tyr_Ser-Thr", "Pkinase"}
    assert counts[0] < counts[1] < counts[3] and counts[0] < counts[2]


def test_no_two_clans_have_one_colour(golden_page, tmp_path):
    page = browser.opened(golden_page, tmp_path / "profile", "#weak=1&sisters=1&view=table")
    colours = {}
    for row in page.elements:
        if row[0] == "span" and row[1].get("class") == "swatch":
            last = row[1]["style"]
        elif row[0] == "button" and "data-key" in row[1]:
            colours[row[1]["data-key"]] = None
    styles = {}
    place = iter(page.elements)
    for tag, attributes, _ in place:
        if tag == "button" and "data-key" in attributes:
            styles[attributes["data-key"]] = next(place)[1]["style"]
    assert len(styles) == 12 == len(set(styles.values())) and last and set(styles) == set(colours)


SAVE = b"""<script>
const texts = [];
URL.createObjectURL = blob => { texts.push(blob.text()); return "#"; };
HTMLAnchorElement.prototype.click = () => {};
addEventListener("load", async () => {
  for (const name of ["svg", "tsv"]) document.getElementById(name).click();
  for (const text of await Promise.all(texts)) document.body.append(html("pre", { class: "saved" }, text));
});
</script></body>"""


def test_what_is_shown_is_saved(clan_page, tmp_path):
    import xml.etree.ElementTree as ElementTree

    path = tmp_path / "page.html"
    page = re.sub(rb'<meta http-equiv="Content-Security-Policy"[^>]*>', b"", clan_page.read_bytes())
    path.write_bytes(page.replace(b"</body>", SAVE))
    shown = browser.opened(path, tmp_path / "profile", "#q=P15056")
    drawing, table = shown.of_class("saved")
    root = ElementTree.fromstring(drawing)
    groups = [node for node in root.iter() if node.get("class", "").startswith("domain")]
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and len(groups) == len(drawn(shown)) > 0
    assert "P15056" in "".join(root.itertext()) and "oklch" not in drawing and "var(" not in drawing
    head, *rows = [line.split("\t") for line in table.splitlines()]
    assert head[:3] == ["protein", "length", "family"] and len(rows) == len(groups)
    assert all(row[0] == "P15056" and len(row) == len(head) for row in rows)


@pytest.mark.parametrize("view", ("", "#view=table&weak=1&sisters=1", "#weak=1&sisters=1"))
def test_nothing_is_wider_than_a_phone(clan_page, view, tmp_path):
    frame = tmp_path / "frame.html"
    script = (
        "const frame = document.querySelector('iframe'); setTimeout(() => { "
        "const root = frame.contentDocument.documentElement; "
        "document.body.dataset.widths = [root.scrollWidth, root.clientWidth]; }, 1500);"
    )
    frame.write_text(
        f'<body><iframe src="{clan_page.as_uri()}{view}" style="border:0;width:390px;height:900px"></iframe>'
        f"<script>{script}</script></body>"
    )
    page = browser.opened(frame, tmp_path / "profile", options=["--allow-file-access-from-files"])
    (widths,) = [attributes["data-widths"] for tag, attributes, _ in page.elements if tag == "body"]
    shown, wide = map(int, widths.split(","))
    assert shown == wide <= 390
