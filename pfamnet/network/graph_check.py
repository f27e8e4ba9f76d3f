"""A check of the light network's graph before onnxruntime sees it.

A model from elsewhere may hold any ONNX graph: one with a loop without end, with the names of files to
open, or with shapes for which there is no memory. Only what `light_onnx` writes is let through: its
operators, with sizes that follow from the weights in the file and are bounded. So the file is read here
field by field (Protocol Buffers' wire format, onnx.proto), and a field that is not known is refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

from ..errors import PfamnetError, reason
from .tokens import VOCABULARY

OPSET = 17
MOST_BYTES = 1 << 28  # of a file
MOST_NODES = 2_000
LENGTH = 4096  # residues that are run at once
MOST_VALUES = 1 << 28  # of all tensors that one window makes
MOST_PRODUCTS = 1 << 38  # multiplications for one window; the shipped network needs a hundredth

# Fields by their numbers: "name kind". Kinds are v varint, 4 four bytes, s bytes or a message; capitals
# are repeated fields, which may be packed.
MODEL = {1: "ir v", 2: "by s", 3: "by_version s", 4: "domain s", 5: "version v", 6: "doc s", 7: "graph s"}
MODEL |= {8: "opsets S", 14: "metadata S"}
OPSET_ID = {1: "domain s", 2: "version v"}
GRAPH = {1: "nodes S", 2: "name s", 5: "weights S", 10: "doc s", 11: "inputs S", 12: "outputs S"}
GRAPH |= {13: "values S", 16: "metadata S"}
NODE = {1: "inputs S", 2: "outputs S", 3: "name s", 4: "operator s", 5: "attributes S", 6: "doc s"}
NODE |= {7: "domain s", 9: "metadata S"}
ATTRIBUTE = {1: "name s", 2: "f 4", 3: "i v", 5: "t s", 8: "ints V", 13: "doc s", 20: "type v"}
TENSOR = {1: "dims V", 2: "type v", 4: "floats F", 5: "int32s V", 7: "int64s V", 8: "name s", 9: "raw s"}
TENSOR |= {12: "doc s", 14: "location v"}
VALUE = {1: "name s", 2: "type s", 3: "doc s"}
TYPE, TENSOR_TYPE = {1: "tensor s", 6: "denotation s"}, {1: "type v", 2: "shape s"}
SHAPE, DIMENSION = {1: "dims S"}, {1: "size v", 2: "symbol s", 3: "denotation s"}
FLOAT, UINT8, INT8, INT32, INT64 = 1, 2, 3, 6, 7
SIZES = {FLOAT: 4, UINT8: 1, INT8: 1, INT32: 4, INT64: 8}  # bytes by type of tensor
Shape = tuple[int, ...]


def read_light_graph(path: Path, block: int, families: int) -> bytes:
    """The bytes of a light network's graph.

    Raises:
        PfamnetError: it cannot be read, or is not the graph of a network of so many families.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        require(len(data) <= MOST_BYTES, f"more than {MOST_BYTES >> 20} MiB")
        check_graph(memoryview(data), block, families)
    except OSError as error:
        why = reason(error)
    except PfamnetError as error:
        why = str(error)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, struct.error):
        why = "not as pfamnet-build writes it"
    else:
        return data
    raise PfamnetError(f"{path}: cannot be opened as a network: {why}")


def require(sound: bool, otherwise: str) -> None:
    if not sound:
        raise PfamnetError(otherwise)


def check_graph(data: memoryview, block: int, families: int) -> None:
    """Raise an error unless it is a light network's."""
    model = fields(data, MODEL)
    versions = {text(opset.get("domain", b"")): opset["version"] for opset in each(model, "opsets", OPSET_ID)}
    require(versions.get("") == OPSET, f"not of operator set {OPSET}")
    graph = fields(model["graph"], GRAPH)
    require(len(graph["nodes"]) <= MOST_NODES, "too many operators")
    tensors = dict(map(tensor, graph.get("weights", [])))
    ((given, claimed),) = map(value, graph["inputs"])
    require(given == "tokens" and claimed[:1] == (1,) and len(claimed) == 2, "its input is not 'tokens'")
    shapes = tensors | {"tokens": (1, LENGTH + -LENGTH % block)}
    work = size = 0
    for node in each(graph, "nodes", NODE):
        name, shape, products = node_shape(node, shapes)
        require(name not in shapes and name != "", "two tensors of one name")
        shapes[name] = shape
        work, size = work + products, size + math.prod(shape)
        require(size <= MOST_VALUES and work <= MOST_PRODUCTS, "too large to run")
    for name, shape in map(value, graph.get("values", [])):
        require(name not in shapes or agree(shapes[name], shape), "shapes that do not fit each other")
    claims = dict(map(value, graph["outputs"]))
    require(list(claims) == ["levels", "none"], "its outputs are not 'levels' and 'none'")
    blocks, classes = shapes["levels"]
    require(blocks == shapes["tokens"][1] // block, "not one row of logits for each block")
    require(classes == families + 1, f"logits of {classes - 1} families; the model has {families}")
    require(shapes["none"] == (blocks,), "not one probability for each block")
    require(
        all(agree(shapes[name], claims[name]) for name in claims),
        "an output has another shape than it claims",
    )


def agree(shape: Shape, claimed: Shape) -> bool:
    """Whether a claimed shape, in which -1 is a size that is not known, fits."""
    return len(shape) == len(claimed) and all(b in (-1, a) for a, b in zip(shape, claimed))


def node_shape(node: dict, shapes: dict[str, Shape]) -> tuple[str, Shape, int]:
    """Name and shape of a node's output, and the multiplications it takes."""
    operator, inputs = text(node["operator"]), [shapes[text(name)] for name in node.get("inputs", [])]
    require(not text(node.get("domain", b"")) and operator in OPERATORS, f"operator {operator[:40]!r}")
    attributes = dict(attribute(fields(part, ATTRIBUTE)) for part in node.get("attributes", []))
    (name,) = map(text, node["outputs"])
    shape = OPERATORS[operator](*inputs, **attributes)
    return name, shape, math.prod(shape) * (math.prod(inputs[1][1:]) if operator in ("Conv", "Gemm") else 1)


def attribute(parts: dict):
    """Name and value of a node's attribute."""
    kind = parts["type"]
    get = {1: lambda: parts.get("f", 0.0), 2: lambda: parts.get("i", 0), 7: lambda: parts.get("ints", [])}
    get[4] = lambda: tensor(parts["t"])[1]
    return text(parts["name"]), get[kind]()


def tensor(data: memoryview) -> tuple[str, Shape]:
    """Name and shape of a tensor that has all its values with it."""
    parts = fields(data, TENSOR)
    shape, size = tuple(parts.get("dims", ())), SIZES[parts["type"]]
    require(not parts.get("location") and min(shape, default=1) > 0, "weights that are not in the file")
    raw = len(parts["raw"]) / size if "raw" in parts else 0
    held = raw + sum(len(parts.get(name, ())) for name in ("floats", "int32s", "int64s"))
    require(held == math.prod(shape), "weights of another size than they claim")
    return text(parts.get("name", b"")), shape


def value(data: memoryview) -> tuple[str, Shape]:
    """Name and claimed shape of an input, output or intermediate; -1 where the size is not known."""
    parts = fields(data, VALUE)
    shape = fields(fields(fields(parts["type"], TYPE)["tensor"], TENSOR_TYPE)["shape"], SHAPE)
    return text(parts["name"]), tuple(dim.get("size", -1) for dim in each(shape, "dims", DIMENSION))


# Shapes of the operators


def convolution(x, weight, bias=None, *, kernel_shape, strides, pads, dilations, group=1):
    (one, channels, length), (filters, inputs, width) = x, weight
    require(one == 1 == group and inputs == channels and bias in (None, (filters,)), "a convolution")
    require(list(kernel_shape) == [width], "a convolution's kernel")
    return 1, filters, slid(length, width, *strides, *dilations, *pads)


def pool(x, *, kernel_shape, strides, pads, dilations=(1,), ceil_mode=0, count_include_pad=0):
    one, channels, length = x
    require(ceil_mode == 0 and count_include_pad in (0, 1), "a pooling")
    return one, channels, slid(length, *kernel_shape, *strides, *dilations, *pads)


def slid(length: int, width: int, stride: int, dilation: int, left: int, right: int) -> int:
    """The number of places of a kernel."""
    reach = dilation * (width - 1) + 1
    require(min(width, stride, dilation) >= 1 and min(left, right) >= 0, "a kernel")
    require(max(left, right) < max(reach, 2) and reach <= length + left + right, "a kernel")
    return (length + left + right - reach) // stride + 1


def linear(x, weight, bias, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    (rows, inputs), (filters, columns) = x, weight if transB else weight[::-1]
    require(not transA and inputs == columns and bias == (filters,), "a linear layer")
    return rows, filters


def gather(table, indices, axis=0):
    if (axis, indices) == (1, ()):  # one class of all
        return table[:1]
    require(axis == 0 and len(table) == 2 and table[0] == len(VOCABULARY), "an embedding")
    return *indices, table[1]


def normalised(x, *, axis):
    require(axis == len(x) - 1, "a softmax")
    return x


def transposed(x, *, perm):
    require(sorted(perm) == list(range(len(x))), "a transposition")
    return tuple(x[axis] for axis in perm)


def joined(*parts, axis):
    first = parts[0]
    require(0 <= axis < len(first), "a concatenation")
    require(
        all(p[:axis] + p[axis + 1 :] == first[:axis] + first[axis + 1 :] for p in parts), "a concatenation"
    )
    return *first[:axis], sum(part[axis] for part in parts), *first[axis + 1 :]


def squeezed(x, axes):
    require(x[0] == 1 and axes == (1,), "more than one protein")
    return x[1:]


def added(x, y):
    require(x == y, "a sum of different shapes")
    return x


def scaled(x, scale, zero, *, axis=1):
    require(scale == zero, "a quantization")
    require(scale == () or (axis >= 0 and scale == (x[axis],)), "a quantization")
    return x


OPERATORS = {
    "Add": added,
    "AveragePool": pool,
    "Concat": joined,
    "Constant": lambda *, value: value,
    "Conv": convolution,
    "DequantizeLinear": scaled,
    "Gather": gather,
    "Gemm": linear,
    "Identity": lambda x: x,
    "LogSoftmax": normalised,
    "MaxPool": pool,
    "QuantizeLinear": scaled,
    "Relu": lambda x: x,
    "Squeeze": squeezed,
    "Transpose": transposed,
}


# The wire format


def text(data) -> str:
    return str(data, "utf-8")


def each(parts: dict, name: str, known: dict) -> Iterator[dict]:
    return (fields(part, known) for part in parts.get(name, []))


def fields(data: memoryview, known: dict[int, str]) -> dict:
    """The fields of a message by name: numbers, bytes, or lists of those that may be repeated.

    Raises an error if there is another field, or one twice that may not be repeated.
    """
    found, place, end = {}, 0, len(data)
    while place < end:
        key, place = varint(data, place)
        name, kind = known[key >> 3].split()
        wire = key & 7
        if wire == 2:
            size, place = varint(data, place)
            require(size <= end - place, "cut off")
            one, place = data[place : place + size], place + size
            if kind in "VF":
                found.setdefault(name, []).extend(unpacked(one, kind))
                continue
        elif wire == 0:
            one, place = varint(data, place)
            one -= (one >> 63) << 64
        elif wire == 5:
            (one,) = struct.unpack_from("<f", data, place)
            place += 4
        require({"s": 2, "v": 0, "4": 5, "f": 5}[kind.lower()] == wire, "a field of another kind")
        if kind.isupper():
            found.setdefault(name, []).append(one)
        else:
            require(name not in found, "a field twice")
            found[name] = one
    return found


def unpacked(data: memoryview, kind: str):
    """The numbers of a packed field."""
    if kind == "F":
        return struct.unpack(f"<{len(data) // 4}f", data)
    if data.tobytes().isascii():
        return data  # each byte is a number
    numbers, place = [], 0
    while place < len(data):
        number, place = varint(data, place)
        numbers.append(number - ((number >> 63) << 64))
    return numbers


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """A number of up to 64 bits, and the place after it."""
    number = data[place]
    if number < 128:
        return number, place + 1
    number &= 127
    for shift in range(7, 70, 7):
        place += 1
        byte = data[place]
        number |= (byte & 127) << shift
        if byte < 128:
            require(number < 1 << 64, "a number of more than 64 bits")
            return number, place + 1
    raise PfamnetError("a number of more than 64 bits")
