"""PyTorch: train a small convolutional net with noise, export it twice, certify both files.

    pip install 'rsonnx[gpu]' torch onnxscript scikit-learn
    python tools/examples/pytorch_digits.py --out digits

The data are scikit-learn's digits, 8x8 pixels. ``torch.onnx.export`` has two exporters: the one of
``dynamo=True`` follows the program (it needs onnxscript), the older one of ``dynamo=False``
records one run. Both fix the batch size at that of the example input unless they are told
otherwise, each in its own words. Here the first is told and the second is not: rsonnx frees a fixed
batch size where runs prove that the result is the same function, so both files certify alike, to
the last vote, and this script ends with an error if they do not. The newer exporter puts weights
into a second file beside the first (``external_data``); rsonnx reads such pairs, but one file is
easier to keep.
"""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from example_steps import certify, declare, missing, output_folder, show
from numpy.typing import NDArray

INSTALL = "pip install 'rsonnx[gpu]' torch onnxscript scikit-learn"
try:
    import onnxscript  # noqa: F401  torch imports it late, in the exporter
    import torch
    from example_data import Split, digits
    from torch import Tensor, nn
except ModuleNotFoundError as error:
    sys.exit(missing(error, INSTALL))

SIGMA = 0.25
RADII = (0.1, 0.2, 0.3, 0.5)
EPOCHS, BATCH, SEED = 40, 64, 0
MEAN, STD = 0.305, 0.376
"""Of the training pixels; declared to rsonnx, not part of the exported graph."""


def pixels(levels: NDArray[np.uint8]) -> Tensor:
    """Return 8-bit images [N, 8, 8] as pixels in [0, 1], [N, 1, 8, 8]."""
    return torch.from_numpy(levels[:, None].astype(np.float32) / 255)


def train(split: Split) -> nn.Sequential:
    """Return a net trained on pixels with fresh Gaussian noise in every step."""
    torch.manual_seed(SEED)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 4 * 4, 10)),
    )
    x, y = pixels(split.train_x), torch.from_numpy(split.train_y)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(EPOCHS):
        for chosen in torch.split(torch.randperm(len(x)), BATCH):
            noisy = x[chosen] + SIGMA * torch.randn(x[chosen].shape)
            loss = nn.functional.cross_entropy(net((noisy - MEAN) / STD), y[chosen])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    return net.eval()


def export(net: nn.Sequential, path: Path, *, dynamo: bool) -> None:
    """Write the net to a file: with a free batch axis by the newer exporter, else a fixed one."""
    example = torch.zeros(2 if dynamo else 1, 1, 8, 8)
    free: dict[str, Any] = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamo else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the older exporter will go one day
        torch.onnx.export(
            net, (example,), path, dynamo=dynamo, verbose=False, external_data=False, **free
        )
    declare(
        path,
        preprocess={"mean": [MEAN], "std": [STD]},
        bounds=(0, 1),
        layout="NCHW",
        training={"method": "gaussian", "sigma": SIGMA, "dataset": "scikit-learn digits"},
    )


def main() -> None:
    """Train, export twice, certify twice, compare."""
    torch.set_num_threads(1)  # sums depend on the number of threads
    logging.disable(logging.WARNING)  # the newer exporter warns that torchvision is not there
    with output_folder("PyTorch to certificates, by both exporters.") as folder:
        split = digits()
        net = train(split)
        with torch.inference_mode():
            expected = net((pixels(split.test_x) - MEAN) / STD).argmax(1).numpy()
        found = []
        for dynamo in (True, False):
            path = folder / f"digits_dynamo_{dynamo}.onnx".lower()
            export(net, path, dynamo=dynamo)
            found.append(
                certify(
                    *(path, split.test_x[:, None], split.test_y),
                    sigma=SIGMA,
                    expected=expected,
                    target_radii=RADII,
                )
            )
    one, other = ([row.to_json() | {"seconds": 0.0} for row in run.rows] for run in found)
    if one != other:
        sys.exit("The two exported files give different certificates; they should not.")
    show(found, RADII, "grey values between 0 and 1")
    print("Both exported files give the same certificates, vote for vote.")


if __name__ == "__main__":
    main()
