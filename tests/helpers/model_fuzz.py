"""Models whose digests agree and whose parts do not: each scan ends in rows or in one line.

Every mutant is scanned in a process of its own, with at most 2 GiB of address space and a minute.

python tests/helpers/model_fuzz.py --count 400 [--first N] [MODEL ...]
"""

import argparse
import collections
import gzip
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import onnx
from mutations import mutated
from onnx import helper, numpy_helper

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.model.directory import PROFILES, as_text, description_digest, file_digest
from pfamnet.network.runtime import import_onnxruntime

MEMORY, SECONDS = 2 << 30, 60
HUGE = [0, -1, 1, 2, 3, 16, 17, 255, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63)]
NAMES = ["\ud800", ".", "..", "model.json/x", "n" * 300, "/etc/passwd", "a/b/c/d", "", "\0", "x\ny", "-"]
VALUES = [None, True, -1, 0, 1, 16.5, 1e308, 1 << 70, "", "x", [], {}, [[]], {"a": {}}, [0] * 1000, *NAMES]
OPERATORS = ["Loop", "If", "Scan", "Tile", "Expand", "ConstantOfShape", "Relu", "Add", "Concat", "Identity"]
OPERATORS += [
    "Conv",
    "Gemm",
    "Gather",
    "MaxPool",
    "Squeeze",
    "Transpose",
    "Cast",
    "Resize",
    "Pad",
    "RandomNormal",
]


# The mutations: each changes files of a model directory


def graph_bytes(folder, rng):
    rewrite(folder / "light.onnx", lambda data: mutated(data, rng))


def graph_bytes_of_structure(folder, rng):
    """Changes among names and attributes, not among the weights."""

    def changed(data):
        data, place = bytearray(data), rng.choice((0, len(data) - 3000))
        for _ in range(rng.choice((1, 2, 4))):
            data[max(0, place + rng.randrange(3000)) % len(data)] = rng.choice((0, 1, 8, 10, 127, 128, 255))
        return bytes(data)

    rewrite(folder / "light.onnx", changed)


def graph_parts(folder, rng):
    model = onnx.load(folder / "light.onnx")
    graph = model.graph
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(GRAPH_CHANGES)(model, graph, rng)
    (folder / "light.onnx").write_bytes(model.SerializeToString())


def attribute_value(model, graph, rng):
    node = rng.choice([node for node in graph.node if node.attribute])
    one = rng.choice(node.attribute)
    if one.ints:
        one.ints[rng.randrange(len(one.ints))] = rng.choice(HUGE)
    else:
        one.i = rng.choice(HUGE)


def other_attribute(model, graph, rng):
    value = rng.choice((1, [1, 2], 0.5, "SAME_UPPER", [1 << 40] * 2))
    name = rng.choice(("pads", "strides", "group", "auto_pad", "axis", "perm", "kernel_shape", "dilations"))
    node = rng.choice(graph.node)
    kept = [one for one in node.attribute if one.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def operator(model, graph, rng):
    rng.choice(graph.node).op_type = rng.choice(OPERATORS)


def rewired(model, graph, rng):
    node = rng.choice([node for node in graph.node if node.input])
    names = [name for other in graph.node for name in other.output] + [one.name for one in graph.initializer]
    node.input[rng.randrange(len(node.input))] = rng.choice([*names, "tokens", "logits", "none", ""])


def inserted(model, graph, rng):
    names = ["tokens", *(one.name for one in graph.initializer)]
    inputs = [rng.choice(names) for _ in range(rng.choice((0, 1, 2, 3)))]
    graph.node.insert(0, helper.make_node(rng.choice(OPERATORS), inputs, [rng.choice(("new", "logits"))]))


def growing(model, graph, rng):
    """A tensor that doubles with each node."""
    last = rng.choice(graph.node).output[0]
    for n in range(rng.choice((5, 30, 70))):
        kind = rng.choice((("Concat", {"axis": 1}), ("Concat", {"axis": 0}), ("Add", {})))
        graph.node.append(helper.make_node(kind[0], [last, last], [f"g{n}"], **kind[1]))
        last = f"g{n}"
    if rng.random() < 0.5:
        graph.node.append(helper.make_node("Identity", [last], ["unused"]))


def dropped(model, graph, rng):
    rng.choice((graph.node, graph.initializer)).pop(0)


def weight_shape(model, graph, rng):
    one = rng.choice([one for one in graph.initializer if one.dims])
    one.dims[rng.randrange(len(one.dims))] = rng.choice(HUGE)


def weight_type(model, graph, rng):
    rng.choice(graph.initializer).data_type = rng.randrange(0, 24)


def weight_values(model, graph, rng):
    one = rng.choice(graph.initializer)
    array = numpy_helper.to_array(one).copy()
    array[...] = rng.choice((0, -1, 1, 100))
    if array.dtype == "float32" and rng.random() < 0.7:
        array[...] = rng.choice((float("nan"), float("inf"), 3e38, -3e38))
    one.CopyFrom(numpy_helper.from_array(array, one.name))


def weight_elsewhere(model, graph, rng):
    one = rng.choice(graph.initializer)
    one.ClearField("raw_data")
    one.data_location = 1
    one.external_data.add(
        key="location", value=rng.choice(("/dev/zero", "../x", "families.tsv", "/dev/stdin"))
    )


def claims(model, graph, rng):
    one = rng.choice([*graph.input, *graph.output])
    rng.choice(one.type.tensor_type.shape.dim).dim_value = rng.choice(HUGE)


def names(model, graph, rng):
    rng.choice([*graph.input, *graph.output, *graph.node, *graph.initializer]).name = rng.choice(
        ("tokens", "x", "")
    )


def versions(model, graph, rng):
    model.opset_import[0].version = rng.choice((0, 1, 7, 16, 17, 18, 99, 1 << 40))
    model.ir_version = rng.choice((0, 3, 8, 99))


GRAPH_CHANGES = [attribute_value, other_attribute, operator, rewired, inserted, growing, dropped, claims]
GRAPH_CHANGES += [weight_shape, weight_type, weight_values, weight_elsewhere, names, versions]


def profiles(folder, rng):
    rewrite(folder / PROFILES, lambda data: mutated(data, rng))


def profile_numbers(folder, rng):
    """A number of a binary head, or of a table, is another."""

    def changed(data):
        data = bytearray(data)
        starts = offsets(folder)
        for _ in range(rng.choice((1, 3, 30))):
            at = rng.choice(starts) + rng.choice(
                (0, 4, 8, 12, 16 + 4 * rng.randrange(3000), rng.randrange(200))
            )
            value = rng.choice(
                (0, -1, 1, 100_000_000, 99_000, 3, 0x7F800000, 0x7FC00000, 1 << 30, -(1 << 31))
            )
            data[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")
        return bytes(data)

    rewrite(folder / PROFILES, changed)


def profile_sizes(folder, rng):
    """Bytes of heads, and of the texts' sizes, of packed profiles."""

    def changed(data):
        data, at = bytearray(data), rng.choice(offsets(folder)) + rng.randrange(28)
        data[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        return bytes(data)

    rewrite(folder / PROFILES, changed)


def profile_order(folder, rng):
    """The profiles of other families: two offsets are changed for those of each other, or all moved."""
    data, starts = (folder / PROFILES).read_bytes(), offsets(folder)
    ends = [*starts[1:], len(data)]
    parts = [data[start:end] for start, end in zip(starts, ends)]
    rng.shuffle(parts)
    (folder / PROFILES).write_bytes(b"".join(parts))
    if rng.random() < 0.5:
        places = [sum(map(len, parts[:n])) for n in range(len(parts))]
        table(folder, lambda row, field: row.__setitem__(field["offset"], str(places.pop(0))))


def profile_bomb(folder, rng):
    """A gzip member that unpacks to much."""
    size = rng.choice((1 << 20, 1 << 28))
    bomb = gzip.compress(bytes(size), 9)
    if rng.random() < 0.5:
        bomb = gzip.compress((folder / PROFILES).read_bytes()[:16] + bytes(size), 9)
    rewrite(folder / PROFILES, lambda data: bomb + data)
    table(folder, lambda row, field: row.__setitem__(field["offset"], moved(row[field["offset"]], len(bomb))))


def moved(offset, by):
    return str(int(offset) + by) if int(offset) else "0"


def families(folder, rng):
    rewrite(folder / "families.tsv", lambda data: mutated(data, rng))


def family_fields(folder, rng):
    values = [
        "",
        "-",
        "0",
        "-1",
        "1e9",
        "nan",
        "inf",
        "99999999999999999999",
        "9" * 5000,
        "x y",
        "\ud800",
        "PF00069",
    ]

    def changed(row, field):
        if rng.random() < 0.2:
            row[rng.randrange(len(row))] = rng.choice(values)

    table(folder, changed)


def family_rows(folder, rng):
    lines = (folder / "families.tsv").read_text().splitlines(True)
    header, rows = lines[0], lines[1:]
    change = rng.choice(("drop", "twice", "shuffle", "many", "gzip"))
    if change == "gzip":
        text = gzip.compress(lines[0].encode() + b"\n" * (1 << 28))
        (folder / "families.tsv").write_bytes(text)
        return
    rows = {
        "drop": rows[:-1],
        "twice": rows * 2,
        "shuffle": rng.sample(rows, len(rows)),
        "many": [f"F{n}\t" + row.split("\t", 1)[1] for row in rows for n in range(3000)],
    }[change]
    (folder / "families.tsv").write_text(header + "".join(rows))
    if rng.random() < 0.5:
        describe(folder, lambda fields: fields.__setitem__("families", len(rows)))


def description(folder, rng):
    """A value somewhere in model.json is another, or gone."""

    def changed(fields):
        place = fields
        while True:
            key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
            inner = place[key]
            if key == "files" and rng.random() < 0.8:
                continue
            if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.15:
                break
            place = inner
        if rng.random() < 0.2 and isinstance(place, dict):
            del place[key]
        else:
            place[key] = rng.choice([*VALUES, *HUGE])

    describe(folder, changed)


def description_bytes(folder, rng):
    rewrite(folder / "model.json", lambda data: mutated(data, rng))


def file_names(folder, rng):
    name = rng.choice(NAMES)

    def changed(fields):
        fields["files"][name] = fields["files"]["light.onnx"]
        if rng.random() < 0.5:
            fields["profiles"] = name

    describe(folder, changed)


def words(folder, rng):
    """Changes among the match states, or of the header before them."""

    def changed(data):
        end = 8 + int.from_bytes(data[:8], "little")
        if rng.random() < 0.5:
            return mutated(data[:end], rng) + data[end:]
        return data[:end] + mutated(data[end:], rng)

    rewrite(folder / "words.safetensors", changed)


def special_files(folder, rng):
    """Pipes and devices in the place of a file."""
    path = folder / rng.choice(("light.onnx", "families.tsv", PROFILES, "model.json"))
    path.unlink()
    if rng.random() < 0.5:
        os.mkfifo(path)
    else:
        path.symlink_to(rng.choice(("/dev/zero", "/dev/null", "/", path.name)))


CHANGES = [graph_bytes, graph_bytes_of_structure, graph_parts, graph_parts, graph_parts, profiles]
CHANGES += [profile_numbers, profile_sizes, profile_order, profile_bomb, families, family_fields, family_rows]
CHANGES += [description, description, description_bytes, file_names, special_files, words, words]


# Files


def rewrite(path, change):
    path.write_bytes(change(path.read_bytes()))


def offsets(folder):
    found = []
    table(folder, lambda row, field: found.append(int(row[field["offset"]])))
    return found


def table(folder, change):
    """Change each row of families.tsv; `change` gets its fields, and the place of each column."""
    path = folder / "families.tsv"
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    field = {name: place for place, name in enumerate(rows[0])}
    for row in rows[1:]:
        change(row, field)
    text = "".join("\t".join(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")


def describe(folder, change):
    path = folder / "model.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(as_text(fields))


def sign(folder):
    """Make all digests fit, as far as model.json can be read."""
    path = folder / "model.json"
    try:
        if not path.is_file():
            return
        fields = json.loads(path.read_bytes())
        fields.pop("digest", None)
        for name in fields["files"]:
            if is_file(folder, name):
                fields["files"][name] = file_digest(folder / name)
        fields["digest"] = description_digest(fields)
        path.write_text(as_text(fields))
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError):
        pass


def is_file(folder, name):
    try:
        return (folder / name).resolve().is_relative_to(folder.resolve()) and (folder / name).is_file()
    except (OSError, ValueError, RuntimeError):
        return False


# Runs


def outcome(model, proteins, mode):
    """'rows', 'refused', or what is wrong; and the peak of memory in MB."""
    with tempfile.TemporaryFile() as said:
        process = os.fork()
        if not process:
            child(model, proteins, mode, said.fileno())
        _, status, usage = os.wait4(process, 0)
        said.seek(0)
        text = said.read().decode(errors="replace")
    lines, code = text.splitlines(), os.waitstatus_to_exitcode(status)
    plain = all(line.startswith("pfamnet-scan: ") and len(line) < 1000 for line in lines)
    warnings = [line for line in lines if line.startswith("pfamnet-scan: warning: ")]
    if code == 0 and plain and lines == warnings:
        return "rows", usage.ru_maxrss / 1024
    if code == 1 and plain and len(lines) - len(warnings) == 1 and "out of memory" not in text:
        return "refused", usage.ru_maxrss / 1024
    return f"exit {code}: {text[-2000:]}", usage.ru_maxrss / 1024


def child(model, proteins, mode, said):
    """Scan in this process, and end it."""
    code = 99
    try:
        os.dup2(said, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        code = run(scan, ["--cpu", "1", "--mode", mode, str(model), str(proteins)])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def mutant(base, folder, number, seed):
    """The model of a number; returns the name of its change."""
    rng = random.Random(f"{seed} {number}")
    shutil.copytree(base, folder)
    change = CHANGES[number % len(CHANGES)]
    change(folder, rng)
    sign(folder)
    return change.__name__, rng.choice(("hybrid", "hybrid", "network", "profiles"))


def write_base(folder, *packed):
    """The untrained model of the tests, by another process: torch stays out of this one."""
    code = "import sys, untrained; untrained.write_model(sys.argv[1], packed=bool(sys.argv[2:]))"
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run(
        [sys.executable, "-c", code, folder, *packed], check=True, env=os.environ | {"PYTHONPATH": path}
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("models", type=Path, nargs="*")
    options = parser.parse_args()
    import_onnxruntime()
    counts, bad, most = collections.Counter(), 0, 0
    with tempfile.TemporaryDirectory() as place:
        bases, copy = options.models or [Path(place, "base"), Path(place, "packed")], Path(place, "model")
        if not options.models:
            write_base(bases[0])
            write_base(bases[1], "packed")
        proteins = Path(__file__).parent.parent / "data" / "golden.fa"
        for number in range(options.first, options.first + options.count):
            change, mode = mutant(bases[number // len(CHANGES) % len(bases)], copy, number, options.seed)
            found, memory = outcome(copy, proteins, mode)
            shutil.rmtree(copy)
            most = max(most, memory)
            sound = found in ("rows", "refused")
            counts[change, found if sound else "other"] += 1
            if not sound:
                bad += 1
                print(f"--- mutant {number}, {change}, --mode {mode}\n{found}", flush=True)
    for (change, found), count in sorted(counts.items()):
        print(change, found, count, sep="\t")
    print(f"mutants\t{options.count}\tneither rows nor one line\t{bad}\tpeak\t{most:.0f} MB")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
