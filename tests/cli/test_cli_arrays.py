"""Arrays from a file to a table and to the check of the run: which are meant, and their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import command, done, refused, rows_of
from onnx_models import build, node, save

FEW = "--preprocess none --sigma 0.05 --n 60 --n0 10 --alpha 0.05 --seed 1 --providers cpu"
NAMES = ("plum", "fig", "kiwi")
Y = np.arange(12) % 3


@pytest.fixture(autouse=True)
def fruit(here: Path) -> np.ndarray:
    """A model of three classes, the largest of three values, with names and without."""
    for name, metadata in (("plain", {}), ("named", {"names": str(dict(enumerate(NAMES)))})):
        made = [node("Identity", ["x"], "scores")]
        save(build(made, ("n", 3), ("n", 3), metadata=metadata), here, f"{name}.onnx")
    x = np.random.default_rng(2).uniform(0.2, 0.4, (12, 3)).astype(np.float32)
    x[np.arange(12), Y] += 0.5
    np.savez("numbers.npz", x=x, y=Y)
    np.savez("texts.npz", x=x, y=np.array(NAMES)[Y])
    np.savez("both.npz", x_train=x[:3], y_train=Y[:3], x_test=x, y_test=np.eye(3)[Y])
    np.savez("unusual.npz", first=x, second=np.array(NAMES, "S")[Y], third=x)
    np.save("x.npy", x)
    np.save("y.npy", Y)
    np.savez("y.npz", Y)
    Path("classes.txt").write_text("\n".join(NAMES))
    return x


def test_texts_are_met_by_name_and_never_guessed() -> None:
    done(f"certify plain.onnx numbers.npz {FEW} -o numbers")
    done(f"certify named.onnx texts.npz {FEW} -o named")
    done(f"certify plain.onnx texts.npz --classes classes.txt {FEW} -o classes")
    assert rows_of(Path("numbers")) == rows_of(Path("named")) == rows_of(Path("classes"))
    refused(f"certify plain.onnx texts.npz {FEW} -o no", code=1, named="--classes")
    done("verify named --model named.onnx --data texts.npz --replay 12")
    assert command("verify classes --model plain.onnx --data texts.npz").code == 2
    done("verify classes --model plain.onnx --data texts.npz --classes classes.txt")


@pytest.mark.parametrize(
    ("data", "options", "files"),
    [
        ("both.npz", "--split test", ""),
        ("both.npz", "--arrays x_test,y_test", ""),
        ("unusual.npz", "--arrays first,second --classes classes.txt", "--classes classes.txt"),
        ("x.npy", "--labels y.npy", "--labels y.npy"),
        ("x.npy", "--labels y.npz", "--labels y.npz"),
    ],
)
def test_what_is_chosen_is_recorded_and_checked(data: str, options: str, files: str) -> None:
    done(f"certify plain.onnx numbers.npz {FEW} -o numbers")
    done(f"certify plain.onnx {data} {options} {FEW} -o chosen")
    assert rows_of(Path("chosen")) == rows_of(Path("numbers"))
    done(f"verify chosen --model plain.onnx --data {data} {files} --replay 12")
    done("report chosen numbers --paired")  # the inputs and labels are the same


def test_what_is_not_chosen_is_asked() -> None:
    for data, named in (("both.npz", "--split"), ("unusual.npz", "--arrays")):
        refused(f"certify plain.onnx {data} {FEW} -o no", named=named)
    refused(f"certify plain.onnx numbers.npz --labels y.npy {FEW} -o no", code=1, named="array y")
