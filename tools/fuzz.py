"""Feed mutated model files, run files and data to the readers, and count what comes of it.

    python tools/fuzz.py [--cases 5000] [--seed 1] [--seconds 600] [--models DIR] [--share-run 0.3]

Every case takes a real file and damages it: bits, cuts and splices, or for a model the fields of
its protobuf message (sizes, types, names, attributes, edges). Reading, planning and opening must
answer with a result or an RsonnxError: anything else is a bug, is printed with the seed of its
case, and makes the exit code 1. Of the models that can be planned, a share is also loaded and run
by onnxruntime in a forked child with limits on memory and time: there a crash is no bug of
rsonnx but what the command line's child process is for, and is only counted.

--case NUMBER repeats one case of the seed and prints its traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import EncodeError
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from rsonnx.cli.inspect import facts
from rsonnx.data import open_dataset
from rsonnx.errors import RsonnxError
from rsonnx.model import read_model
from rsonnx.runs import read_run
from rsonnx.smoothing import load, make_plan

_LARGEST_SEED = 300_000
"""Bytes: larger model files cost time in parsing and hold the same kinds of fields."""

_NUMBERS = (0, 1, 2, 3, -1, 7, 8, 255, 2**15, 2**31 - 1, -(2**31), 2**40, 2**62, -(2**63))
_WORDS = (
    b"",
    b"\x00",
    b"\xff",
    b"../x",
    b"/dev/zero",
    b"rsonnx_input",
    b"\xed\xa0\x80",
    b"a" * 999,
)
_OPERATORS = (
    "Identity", "If", "Loop", "Scan", "Reshape", "Constant", "Expand", "Tile", "RandomNormal",
    "Dropout", "BatchNormalization", "DynamicQuantizeLinear", "ZipMap", "Concat", "Cast", "Softmax",
    "ArrayFeatureExtractor", "TreeEnsembleClassifier", "Gather", "ConstantOfShape", "Nothing",
)  # fmt: skip
_RUN_TOKENS = (b"NaN", b"1e999", b"-1", b"9" * 5000, b"[" * 3000, b'"\\ud800"', b"null", b"{}", b"")
_CHILD_SECONDS = 15
_CHILD_BYTES = 8 * 2**30


# Mutations of bytes


def mutate_bytes(chance: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Damage some bytes: flip, cut, repeat, insert, splice with another file."""
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not content:
            return chance.randbytes(chance.randint(0, 9))
        at = chance.randrange(len(content))
        to = min(len(content), at + chance.choice((1, 1, 2, 4, 8, 64, 4096)))
        match chance.randrange(7):
            case 0:
                content = content[:at]
            case 1:
                content = content[:at] + content[to:]
            case 2:
                content = content[:at] + content[at:to] * 2 + content[to:]
            case 3:
                content = content[:at] + chance.randbytes(to - at) + content[to:]
            case 4:
                other = chance.choice(others)
                content = content[:at] + other[chance.randrange(len(other) + 1) :][:4096]
                content += content[to:]
            case 5:
                number = struct.pack("<q", chance.choice(_NUMBERS))
                content = content[:at] + number[: to - at] + content[to:]
            case _:
                flipped = bytes([content[at] ^ (1 << chance.randrange(8))])
                content = content[:at] + flipped + content[at + 1 :]
    return content


def mutate_run(chance: random.Random, content: bytes) -> bytes:
    """Damage a run file: bytes, lines, or the value of a key."""
    if chance.random() < 0.4:
        return mutate_bytes(chance, content, [content])
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            lines.insert(at, chance.choice(lines))
        case 1:
            del lines[at]
        case 2:
            chance.shuffle(lines)
        case _:
            with contextlib.suppress(ValueError):
                value = json.loads(lines[at])
                key = chance.choice(list(value))
                value[key] = chance.choice(
                    [None, -1, 2**70, 1e308, "x", [], {}, True, {"0": -1}, [[]], "\ud800"]
                )
                lines[at] = json.dumps(value).encode()
            lines[at] = lines[at].replace(b"0", chance.choice(_RUN_TOKENS), 1)
    return b"\n".join(lines)


# Mutations of a model's message


def mutate_model(chance: random.Random, content: bytes) -> bytes:
    """Change fields of the message, so that it still parses and means something else."""
    proto = onnx.ModelProto()
    proto.ParseFromString(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError):
            chance.choice(_MODEL_MUTATIONS)(chance, proto)
    try:
        return bytes(proto.SerializeToString())
    except (EncodeError, ValueError):
        return content


def _node(chance: random.Random, proto: onnx.ModelProto) -> onnx.NodeProto:
    return chance.choice(proto.graph.node)


def _a_name(chance: random.Random, proto: onnx.ModelProto) -> str:
    names = [n for node in proto.graph.node for n in (*node.input, *node.output)]
    own = ["rsonnx_input", "rsonnx_label", "rsonnx_scores", "", "nowhere", "x" * 999, "\n\x1b[2J"]
    return chance.choice([*names, *own])


def _edge(chance: random.Random, proto: onnx.ModelProto) -> None:
    node = _node(chance, proto)
    side = chance.choice((node.input, node.output))
    if side and chance.random() < 0.7:
        side[chance.randrange(len(side))] = _a_name(chance, proto)
    elif side and chance.random() < 0.5:
        del side[chance.randrange(len(side))]
    else:
        side.append(_a_name(chance, proto))


def _operator(chance: random.Random, proto: onnx.ModelProto) -> None:
    node = _node(chance, proto)
    node.op_type = chance.choice(_OPERATORS)
    node.domain = chance.choice(("", "", "", "ai.onnx.ml", "com.microsoft", "evil"))


def _attribute(chance: random.Random, proto: onnx.ModelProto) -> None:
    node = _node(chance, proto)
    found = list(node.attribute)
    attribute = chance.choice(found) if found and chance.random() < 0.8 else node.attribute.add()
    attribute.name = attribute.name or chance.choice(("value", "axis", "to", "body", "then_branch"))
    match chance.randrange(7):
        case 0:
            attribute.i = chance.choice(_NUMBERS)
        case 1:
            attribute.type = chance.randrange(16)
        case 2:
            attribute.ints.extend([chance.choice(_NUMBERS)] * chance.choice((1, 3, 1000)))
        case 3:
            del attribute.ints[chance.randrange(len(attribute.ints)) :]
        case 4:
            attribute.s = chance.choice(_WORDS)
        case 5:
            attribute.strings.append(chance.choice(_WORDS))
        case _:
            subgraph = attribute.g
            for _ in range(chance.choice((1, 2, 12))):
                inner = subgraph.node.add(op_type=chance.choice(_OPERATORS))
                inner.input.append(_a_name(chance, proto))
                inner.output.append(_a_name(chance, proto))
                inner_attribute = inner.attribute.add(name="body", type=5)
                subgraph = inner_attribute.g


def _tensor(chance: random.Random, proto: onnx.ModelProto) -> None:
    tensors = [*proto.graph.initializer]
    tensors += [a.t for n in proto.graph.node for a in n.attribute if a.HasField("t")]
    tensor = chance.choice(tensors)
    match chance.randrange(7):
        case 0:
            tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(_NUMBERS)
        case 1:
            tensor.dims.append(chance.choice(_NUMBERS))
        case 2:
            tensor.data_type = chance.choice((*range(28), 99, -1))
        case 3:
            tensor.raw_data = tensor.raw_data[: chance.randrange(len(tensor.raw_data) + 1)]
        case 4:
            tensor.float_data.append(chance.random())
        case 5:
            tensor.data_location = TensorProto.EXTERNAL
            location = chance.choice(("../x", "/dev/zero", "/etc/passwd", "", ".", "case.onnx"))
            tensor.external_data.add(key="location", value=location)
            number = str(chance.choice(_NUMBERS))
            tensor.external_data.add(key=chance.choice(("offset", "length")), value=number)
        case _:
            tensor.name = _a_name(chance, proto)


def _interface(chance: random.Random, proto: onnx.ModelProto) -> None:
    values = chance.choice((proto.graph.input, proto.graph.output, proto.graph.value_info))
    value = chance.choice(values)
    dims = value.type.tensor_type.shape.dim
    match chance.randrange(8):
        case 0:
            value.type.tensor_type.elem_type = chance.choice((*range(28), 99))
        case 1:
            dims.add(dim_value=chance.choice(_NUMBERS))
        case 2:
            dims[chance.randrange(len(dims))].dim_value = chance.choice(_NUMBERS)
        case 3:
            dims[chance.randrange(len(dims))].dim_param = chance.choice(("N", "", "?", "a" * 99))
        case 4:
            del dims[chance.randrange(len(dims))]
        case 5:
            value.name = _a_name(chance, proto)
        case 6:
            values.add().CopyFrom(value)
        case _:
            value.type.sequence_type.elem_type.tensor_type.elem_type = 1


def _structure(chance: random.Random, proto: onnx.ModelProto) -> None:
    nodes = proto.graph.node
    at = chance.randrange(len(nodes))
    match chance.randrange(6):
        case 0:
            del nodes[at]
        case 1:
            nodes.add().CopyFrom(nodes[at])
        case 2:
            nodes[at].CopyFrom(chance.choice(nodes))
        case 3:
            del proto.graph.initializer[chance.randrange(len(proto.graph.initializer))]
        case 4:
            function = proto.functions.add(name="F", domain="evil")
            function.node.add(op_type="F", domain="evil", input=["x"], output=["y"])
            nodes[at].op_type, nodes[at].domain = "F", "evil"
        case _:
            sparse = proto.graph.sparse_initializer.add()
            sparse.values.CopyFrom(helper.make_tensor("s", 1, [2], [1.0, 2.0]))
            sparse.indices.CopyFrom(helper.make_tensor("i", 7, [2], [0, chance.choice(_NUMBERS)]))
            sparse.dims.extend([chance.choice(_NUMBERS), 4])


def _header(chance: random.Random, proto: onnx.ModelProto) -> None:
    match chance.randrange(5):
        case 0:
            proto.ir_version = chance.choice(_NUMBERS)
        case 1:
            chance.choice(proto.opset_import).version = chance.choice((*range(30), *_NUMBERS))
        case 2:
            del proto.opset_import[:]
        case 3:
            key = chance.choice(("rsonnx.preprocess", "rsonnx.bounds", "rsonnx.layout", "\x1b[2J"))
            value = chance.choice(("none", '"none"', "[0, 1]", "[" * 9999, "{}", "NaN", "[1, 0]"))
            proto.metadata_props.add(key=key, value=value)
        case _:
            key = chance.choice(("Image.NominalPixelRange", "Image.BitmapPixelFormat"))
            proto.metadata_props.add(key=key, value=chance.choice(("NominalRange_0_255", "Bgr8")))


_MODEL_MUTATIONS: tuple[Callable[[random.Random, onnx.ModelProto], None], ...] = (
    _edge, _edge, _operator, _attribute, _tensor, _tensor, _interface, _interface, _structure,
    _header,
)  # fmt: skip


# Files to begin with


def seed_models(folder: Path | None) -> list[bytes]:
    """Return the model files of a folder that are not large, and small ones made here."""
    found = []
    if folder is not None:
        files = [p for p in sorted(folder.glob("*.onnx")) if p.stat().st_size <= _LARGEST_SEED]
        found += [path.read_bytes() for path in files]
    return [*found, _linear(), _with_subgraph(), _with_labels()]


def _model(nodes: list[onnx.NodeProto], weights: dict[str, Any], outputs: list[Any]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "seed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        outputs,
        [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(made.SerializeToString())


def _scores() -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3])


def _linear() -> bytes:
    generator = np.random.default_rng(0)
    weights = {
        "shape": np.array([1, 16]),
        "w": generator.standard_normal((16, 3)).astype(np.float32),
        "b": generator.standard_normal(3).astype(np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        helper.make_node("Dropout", ["flat"], ["kept"]),
        helper.make_node("Gemm", ["kept", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    return _model(nodes, weights, [_scores()])


def _with_subgraph() -> bytes:
    branches = {}
    for key, operator in (("then_branch", "Relu"), ("else_branch", "Neg")):
        result = helper.make_tensor_value_info(f"{key}_out", TensorProto.FLOAT, None)
        node = helper.make_node(operator, ["flat"], [f"{key}_out"])
        branches[key] = helper.make_graph([node], key, [], [result])
    weights = {"yes": np.array(True), "w": np.ones((16, 3), np.float32)}
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("If", ["yes"], ["chosen"], **branches),
        helper.make_node("MatMul", ["chosen", "w"], ["scores"]),
    ]
    return _model(nodes, weights, [_scores()])


def _with_labels() -> bytes:
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node(
            "LinearClassifier",
            ["flat"],
            ["label", "probabilities"],
            domain="ai.onnx.ml",
            coefficients=[float(i % 5) for i in range(48)],
            intercepts=[0.0, 0.1, 0.2],
            classlabels_strings=["a", "b", "c"],
            post_transform="SOFTMAX",
        ),
        helper.make_node(
            "ZipMap",
            ["probabilities"],
            ["maps"],
            domain="ai.onnx.ml",
            classlabels_strings=["a", "b", "c"],
        ),
    ]
    key = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.STRING, key))
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.STRING, [1]),
        helper.make_value_info("maps", maps),
    ]
    return _model(nodes, {}, outputs)


def seed_data() -> list[tuple[str, bytes]]:
    """Return small data sets of every form as (file name, content)."""
    pixels = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
    png, jpeg, npz, archive = (io.BytesIO() for _ in range(4))
    Image.fromarray(pixels[0]).save(png, "png")
    Image.fromarray(pixels[1]).save(jpeg, "jpeg")
    np.savez_compressed(npz, x=pixels.astype(np.float32) / 255, y=np.arange(3))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("set/0/a.png", png.getvalue())
        stream.writestr("set/1/b.jpg", jpeg.getvalue())
    idx = struct.pack(">HBBIII", 0, 8, 3, *pixels.shape) + pixels.tobytes()
    return [
        ("case.npz", npz.getvalue()),
        ("case.zip", archive.getvalue()),
        ("case-images-idx3-ubyte", idx),
        ("case-images-idx3-ubyte.gz", gzip.compress(idx)),
        ("0/case.png", png.getvalue()),
        ("0/case.jpg", jpeg.getvalue()),
    ]


def seed_runs(folder: Path) -> list[bytes]:
    """Return run files as ``rsonnx certify`` writes them, made by a process of its own."""
    model, data = folder / "seed.onnx", folder / "seed.npz"
    model.write_bytes(_linear())
    np.savez(
        data, x=np.random.default_rng(2).random((4, 1, 4, 4)).astype(np.float32), y=[0, 1, 2, 0]
    )
    out = folder / "seed.jsonl"
    command = ["certify", str(model), str(data), "--sigma", "0.25", "--n", "200", "--seed", "1"]
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        from rsonnx.cli import run  # noqa: PLC0415 - the child alone needs it

        with open(os.devnull, "w") as sink:
            sys.stdout = sys.stderr = sink
            os._exit(run([*command, "--preprocess", "none", "-o", str(out)]))
    os.waitpid(child, 0)
    return [out.read_bytes()]


# What is done with a case


def try_model(path: Path) -> str:
    """Read, describe and plan a model; return the outcome in a word."""
    model = read_model(path)
    facts(model, _ARGUMENTS | {"preprocess": None})
    make_plan(path, **_ARGUMENTS)
    return "planned"


_ARGUMENTS: dict[str, Any] = {
    "bounds": None,
    "preprocess": "zero-one",
    "output_name": None,
    "threshold": None,
    "input_shape": None,
    "feeds": {},
}


def try_data(path: Path) -> str:
    """Open a data set and read every example of it."""
    dataset = open_dataset(path)
    for index in range(min(4, len(dataset))):
        _ = dataset.name(index), dataset.shape(index), dataset[index].values.sum()
    return "read"


def try_run(path: Path) -> str:
    """Read a run file."""
    return f"read, {read_run(path).status}"


def in_child(path: Path) -> str:
    """Load a model and run it on its probe inputs in a forked child; return the outcome.

    The child has limits; its memory goes back to the system whatever the model did to it.
    """
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        _live_as_child(path)
    until = time.monotonic() + _CHILD_SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return {0: "loaded", 3: "load refused", 4: "bug"}.get(code, "child died")
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "child took too long"


def _live_as_child(path: Path) -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_CHILD_BYTES, _CHILD_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 4
    try:
        load(path, **_ARGUMENTS, providers=["cpu"])
        code = 0
    except (RsonnxError, MemoryError):
        code = 3
    except BaseException:
        Path(f"{path}.traceback").write_text(traceback.format_exc())
    os._exit(code)


class Fuzzer:
    """Makes cases and counts their outcomes.

    Args:
        models: seed model files.
        runs: seed run files.
        folder: where the mutated files are written.
        seed: case number i of a seed is always the same.
        share_run: of the models that can be planned, how many are also loaded in a child.
    """

    def __init__(
        self,
        models: Sequence[bytes],
        runs: Sequence[bytes],
        folder: Path,
        *,
        seed: int,
        share_run: float,
    ) -> None:
        self._models, self._runs, self._data = models, runs, seed_data()
        self._folder, self._seed, self._share_run = folder, seed, share_run
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.bugs: list[str] = []
        self.slowest = (0.0, -1)

    def case(self, number: int) -> None:
        """Make one case, try it and count its outcome."""
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - cases, no secrets
        kind, path, attempt = self._make(chance)
        start = time.perf_counter()
        try:
            outcome = attempt(path)
        except RsonnxError as error:
            outcome = "refused"
            if "\n" in str(error):
                self.bugs.append(f"case {number} ({kind}): the refusal has several lines: {error}")
        except Exception as error:
            outcome = f"BUG {type(error).__name__}"
            where = traceback.extract_tb(error.__traceback__)
            ours = [f"{Path(f.filename).name}:{f.lineno}" for f in where if "rsonnx" in f.filename]
            self.bugs.append(f"case {number} ({kind}): {type(error).__name__}: {error} at {ours}")
        self.slowest = max(self.slowest, (time.perf_counter() - start, number))
        self.outcomes[kind, outcome] += 1
        if outcome == "planned" and chance.random() < self._share_run:
            loaded = in_child(path)
            self.outcomes[f"{kind}, in a child", loaded] += 1
            if loaded == "bug":
                text = Path(f"{path}.traceback").read_text()
                self.bugs.append(f"case {number} ({kind}, load): {text.strip().splitlines()[-1]}")

    def _make(self, chance: random.Random) -> tuple[str, Path, Callable[[Path], str]]:
        choice = chance.random()
        if choice < 0.5:
            content = mutate_model(chance, chance.choice(self._models))
            return "model, fields", self._write("case.onnx", content), try_model
        if choice < 0.7:
            content = mutate_bytes(chance, chance.choice(self._models), self._models)
            return "model, bytes", self._write("case.onnx", content), try_model
        if choice < 0.85:
            name, content = chance.choice(self._data)
            content = mutate_bytes(chance, content, [c for _, c in self._data])
            path = self._write(name, content)
            return "data", path.parent.parent if "/" in name else path, try_data
        content = mutate_run(chance, chance.choice(self._runs))
        return "run file", self._write("case.jsonl", content), try_run

    def _write(self, name: str, content: bytes) -> Path:
        # An image is alone in its folder, since the others would be part of the data set.
        folder = self._folder / ("images-" + name[-3:] if "/" in name else "files")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def report(self) -> Iterator[str]:
        """Yield the totals and the bugs, a line each."""
        for (kind, outcome), count in sorted(self.outcomes.items()):
            yield f"{count:7d}  {kind}: {outcome}"
        yield f"slowest case: {self.slowest[0]:.2f} s (number {self.slowest[1]})"
        yield f"bugs: {len(self.bugs)}"
        yield from self.bugs[:40]


def main() -> int:
    """Run the cases and print the totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--models", type=Path, help="folder of .onnx files to begin with")
    parser.add_argument("--share-run", type=float, default=0.3)
    parser.add_argument("--case", type=int, help="repeat this one and print its traceback")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fuzzer = Fuzzer(
            seed_models(arguments.models),
            seed_runs(folder),
            folder,
            seed=arguments.seed,
            share_run=arguments.share_run,
        )
        if arguments.case is not None:
            chance = random.Random(f"{arguments.seed}/{arguments.case}")  # noqa: S311
            kind, path, attempt = fuzzer._make(chance)
            print(kind, path, attempt(path))
            return 0
        start = time.monotonic()
        done = 0
        while done < arguments.cases and time.monotonic() - start < arguments.seconds:
            fuzzer.case(done)
            done += 1
        print(f"{done} cases of seed {arguments.seed} in {time.monotonic() - start:.0f} s")
        print("\n".join(fuzzer.report()))
    return 1 if fuzzer.bugs else 0


if __name__ == "__main__":
    sys.exit(main())
