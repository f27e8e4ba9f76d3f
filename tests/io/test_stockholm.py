"""Stockholm files of several alignments."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfamnet.errors import PfamnetError
from pfamnet.io.stockholm import read_stockholm

PFAM_LIKE = """\
# STOCKHOLM 1.0
#=GF ID   KH_1
#=GF AC   PF00013.29
#=GF DE   KH domain,
#=GF DE   type 1
#=GF GA   25.00 12.50;
#=GF TC   25.10 12.60;
#=GF RA   Fr\xe9d\xe9ric;
#=GF CL   CL0007
#=GS one/3-9 AC P12345.2
one/3-9   AC.De-F
#=GR one/3-9 SS CCCCCCC
two/1-5   .CGDE..
#=GC SS_cons   CCCCCCC
//
# STOCKHOLM 1.0
#=GF AC   PF2

x    ACD
yy   A-D

x    EF
yy   .F
//
"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_alignments_as_pfam_writes_them(tmp_path, pack):
    path = tmp_path / "seeds"
    path.write_bytes(pack(PFAM_LIKE.encode("latin-1")))
    first, second = read_stockholm(path)
    assert (first.number, first.line, first.features["AC"]) == (1, 1, "PF00013.29")
    assert first.features["DE"] == "KH domain, type 1"
    assert first.features["RA"] == "Fr\udce9d\udce9ric;"
    assert first.cutoff("GA") == (25.0, 12.5)
    assert first.cutoff("TC") == (25.1, 12.6)
    assert first.cutoff("NC") is None
    assert first.rows == {"one/3-9": "AC.De-F", "two/1-5": ".CGDE.."}
    assert first.row_lines == {"one/3-9": 11, "two/1-5": 13}
    assert (second.number, second.line) == (2, 16)
    assert second.rows == {"x": "ACDEF", "yy": "A-D.F"}
    assert second.row_lines == {"x": 19, "yy": 20}


name = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12).filter(
    lambda text: not text.startswith(("#", "/"))
)


@st.composite
def alignments(draw):
    names = draw(st.lists(name, min_size=1, max_size=5, unique=True))
    width = draw(st.integers(1, 40))
    row = st.text("ACDEFGHIKLMNPQRSTVWYacdxBZ.-", min_size=width, max_size=width)
    return {name: draw(row) for name in names}


@settings(deadline=None)
@given(st.lists(alignments(), min_size=1, max_size=4), st.integers(1, 45))
def test_wrapped_rows_are_put_together(tmp_path_factory, written, width):
    lines = []
    for rows in written:
        lines += ["# STOCKHOLM 1.0", ""]
        for start in range(0, len(next(iter(rows.values()))), width):
            lines += [f"{name} {row[start : start + width]}" for name, row in rows.items()] + [""]
        lines += ["//"]
    path = tmp_path_factory.getbasetemp() / "wrapped.sto"
    path.write_text("\n".join(lines) + "\n")
    assert [alignment.rows for alignment in read_stockholm(path)] == written


@pytest.mark.parametrize(
    "text, message",
    [
        ("one ACD\n", "line 1: not in an alignment (# STOCKHOLM 1.0)"),
        ("# STOCKHOLM 1.0\n#=GF AC PF1\n//\n", "alignment 1 'PF1': no rows"),
        ("# STOCKHOLM 1.0\n#=GF ID a\nx AC\n", "alignment 1 'a': no // at its end (truncated file)"),
        ("# STOCKHOLM 1.0\nx AC D\n//\n", "line 2: 3 words, a row has a name and residues"),
        ("# STOCKHOLM 1.0\nx\n//\n", "line 2: 1 words, a row has a name and residues"),
        ("# STOCKHOLM 1.0\nx AC\nx AC\n//\n", "line 3: row 'x' occurs twice"),
        (
            "# STOCKHOLM 1.0\nx AC\n//\n# STOCKHOLM 1.0\n#=GF AC PF2.1\nx ACD\ny AC\n//\n",
            "alignment 2 'PF2.1': row 'y' (line 7) has 2 columns, the first row 3",
        ),
    ],
)
def test_bad_alignments(tmp_path, text, message):
    path = tmp_path / "bad.sto"
    path.write_text(text)
    with pytest.raises(PfamnetError) as caught:
        list(read_stockholm(path))
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("cutoff", ["25.0", "25.0;", "25.0; 25.0;", "25.0 25.0"])
def test_cutoffs_as_people_write_them(tmp_path, cutoff):
    path = tmp_path / "good.sto"
    path.write_text(f"# STOCKHOLM 1.0\n#=GF AC PF1\n#=GF GA {cutoff}\nx AC\n//\n")
    [alignment] = read_stockholm(path)
    assert alignment.cutoff("GA") == (25.0, 25.0)


@pytest.mark.parametrize("cutoff", ["nan", "25.0 nan;", "25.0 x;", "1 2 3;"])
def test_bad_cutoff(tmp_path, cutoff):
    path = tmp_path / "bad.sto"
    path.write_text(f"# STOCKHOLM 1.0\n#=GF AC PF1\n#=GF GA {cutoff}\nx AC\n//\n")
    [alignment] = read_stockholm(path)
    with pytest.raises(PfamnetError, match=f"alignment 1 'PF1': GA '{cutoff}' is not two numbers"):
        alignment.cutoff("GA")
