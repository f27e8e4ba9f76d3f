"""--parquet: the rows of data frames."""

import sys

import pytest
from scanning import LIBRARY, PROTEINS, records, scan_here

import pfamnet
from pfamnet.output import parquet as ours
from pfamnet.output.rows import COLUMNS


def test_without_pyarrow(tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert scan_here("--parquet", tmp_path / "x", "-o", tmp_path / "out", LIBRARY, PROTEINS) == 1
    assert "pyarrow is not installed; pip install 'pfamnet[table]'" in capfd.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("rows", (1, 7, 50_000))
def test_rows_are_those_of_data_frames(rows, tmp_path, monkeypatch):
    pandas, parquet = pytest.importorskip("pandas"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(ours, "ROWS", rows)
    path = tmp_path / "x.parquet"
    assert scan_here("--parquet", path, "-o", tmp_path / "out", LIBRARY, PROTEINS) == 0
    table = parquet.read_table(path)
    assert table.column_names == list(COLUMNS) and table.num_rows > 100
    frame = table.to_pandas()
    expected = pfamnet.Model(LIBRARY).scan(PROTEINS).to_pandas()
    key = ["query", "start", "end", "family"]
    same = [
        one.sort_values(key).reset_index(drop=True).astype({"included": bool}) for one in (frame, expected)
    ]
    pandas.testing.assert_frame_equal(*same, check_dtype=False)


def test_a_run_that_failed_has_no_footer(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    query, path = tmp_path / "x.fa", tmp_path / "x.parquet"
    query.write_bytes(records("P15056") + b">bad\nAC1\n")
    assert scan_here("--parquet", path, "-o", tmp_path / "out", LIBRARY, query) == 1
    with pytest.raises((OSError, ValueError)):
        parquet.read_table(path)
    query.write_bytes(b"")
    assert scan_here("--parquet", path, "--quiet", "-o", tmp_path / "out", LIBRARY, query) == 0
    assert parquet.read_table(path).num_rows == 0
