"""JSON Lines: one object a query, the values of the hits."""

import json
import math

import golden
from scanning import LIBRARY, PROTEINS, scan_here

from pfamnet import __version__
from pfamnet.output.json_lines import JsonLinesWriter
from pfamnet.records import Record


def test_values_are_the_hits(tmp_path, capfd):
    path = tmp_path / "hits.jsonl"
    assert scan_here("--json-lines", path, LIBRARY, PROTEINS) == 0
    queries = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(queries) == len(golden.records()) and queries[0]["model"] == LIBRARY.name
    for query, record, hits in zip(queries, golden.records(), golden.hits("default")):
        assert (query["query"], query["length"]) == (record.name, len(record.sequence))
        assert [hit["name"] for hit in query["hits"]] == [hit.target_name for hit in hits]
        for ours, hit in zip(query["hits"], hits):
            assert math.isclose(ours["evalue"], hit.evalue) and ours["source"] == "profile"
            for domain, other in zip(ours["domains"], hit.reported_domains, strict=True):
                assert all(getattr(other, key) == value for key, value in domain.items())


def test_names_that_are_no_utf8(tmp_path):
    path = tmp_path / "x"
    with JsonLinesWriter(str(path), "my model") as writer:
        writer.write(Record('a\udcff"', "d\té", "", 1), [])
    assert json.loads(path.read_text()) == {
        "schema": 1,
        "program": "pfamnet-scan",
        "version": __version__,
        "model": "my model",
        "query": 'a\udcff"',
        "accession": "",
        "description": "d\té",
        "length": 0,
        "hits": [],
    }


def test_not_whole(tmp_path):
    writer = JsonLinesWriter(str(tmp_path / "x"))
    writer.abandon("why")
    assert json.loads((tmp_path / "x").read_text()) == {"incomplete": "why"}


def test_bytes_that_are_not_utf8_are_kept(tmp_path):
    names = [b"caf\xe9", b"caf\xe8", "caf\u00e9\n".encode()]
    with JsonLinesWriter(str(tmp_path / "x")) as writer:
        for name in names:
            record = Record(name.decode("utf-8", "surrogateescape"), "", "ACDE", 1)
            writer.write(record, [])
    lines = (tmp_path / "x").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["query"].encode("utf-8", "surrogateescape") for line in lines]
    assert found == names
