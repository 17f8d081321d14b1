"""Models that PyTorch exports, against its own answers; skipped where torch is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rsonnx
from rsonnx.errors import ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

BATCH = np.random.default_rng(3).random((12, 1, 8, 8)).astype(np.float32)


class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
    """A small net whose reshape follows the batch, or is written out for a batch of 1."""

    def __init__(self, *, hard_coded: bool = False, last: Any = None, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = torch.nn.Conv2d(1, 4, 3, stride=2)
        self.norm = torch.nn.BatchNorm2d(4)
        self.dropout = torch.nn.Dropout(dropout)
        self.dense = torch.nn.Linear(36, 3)
        self.last = last or torch.nn.Identity()
        self.hard_coded = hard_coded

    def forward(self, x: Any) -> Any:
        """Return scores, (batch, 3) or what ``last`` makes of them."""
        x = torch.relu(self.norm(self.convolution(x)))
        x = x.reshape(1, 36) if self.hard_coded else x.flatten(1)
        return self.last(self.dense(self.dropout(x)))


def exported(net: Any, path: Path, *, dynamic: bool, legacy: bool, train: bool = False) -> Path:
    net.train(train)
    options: dict[str, Any] = {"dynamo": not legacy, "opset_version": 18}
    if legacy:
        options |= {"dynamic_axes": {"x": {0: "n"}}} if dynamic else {}
        options |= {"training": torch.onnx.TrainingMode.TRAINING} if train else {}
    elif dynamic:
        options |= {"dynamic_shapes": {"x": {0: torch.export.Dim("n")}}}
    example = torch.zeros((2 if dynamic else 1), 1, 8, 8)
    torch.onnx.export(net, (example,), path, input_names=["x"], **options)
    return path


def answers(net: Any) -> NDArray[np.int64]:
    net.eval()
    with torch.no_grad():
        return np.concatenate(
            [net(torch.from_numpy(row[None])).reshape(1, -1).argmax(1).numpy() for row in BATCH]
        )


CASES = {
    "logits": (Net(), True),
    "chances": (Net(last=torch.nn.Softmax(1)), True),
    "logs": (Net(last=torch.nn.LogSoftmax(1)), True),
    "logits of a fixed batch": (Net(), False),
    "chances of a fixed batch": (Net(last=torch.nn.Softmax(1)), False),
    "a hard-coded reshape": (Net(hard_coded=True), False),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "dynamo"])
@pytest.mark.parametrize("name", CASES)
def test_both_exporters(legacy: bool, name: str, tmp_path: Path) -> None:
    net, dynamic = CASES[name]
    path = exported(net, tmp_path / "net.onnx", dynamic=dynamic, legacy=legacy)
    base = rsonnx.load(path, preprocess="none", providers=["cpu"])
    np.testing.assert_array_equal(base.classify(BATCH), answers(net))
    assert base.batch_size is None


@pytest.mark.filterwarnings("ignore")
def test_dropout_in_training_mode_is_refused(tmp_path: Path) -> None:
    path = exported(Net(dropout=0.5), tmp_path / "net.onnx", dynamic=True, legacy=True, train=True)
    with pytest.raises(ModelError, match="mode"):
        rsonnx.load(path, preprocess="none", providers=["cpu"])


@pytest.mark.filterwarnings("ignore")
def test_one_sigmoid_score(tmp_path: Path) -> None:
    net = Net(last=torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Sigmoid()))
    path = exported(net, tmp_path / "net.onnx", dynamic=True, legacy=False)
    with pytest.raises(ModelError, match=r"--threshold .*0\.5"):
        rsonnx.load(path, preprocess="none", providers=["cpu"])
    found = rsonnx.load(path, preprocess="none", providers=["cpu"], threshold=0.5)
    net.eval()
    with torch.no_grad():
        expected = (net(torch.from_numpy(BATCH)).numpy()[:, 0] > 0.5).astype(int)
    np.testing.assert_array_equal(found.classify(BATCH), expected)
