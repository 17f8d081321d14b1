"""Draw the README's picture: certified accuracy of the sample models against the radius.

Certifies 500 images with each of the three models, n = 10,000, and draws the runs into
``sample_models/certified_accuracy.svg``. Takes a few minutes on two cores.

    python tools/make_curves.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rsonnx.cli import run

SAMPLES = Path(__file__).resolve().parents[1] / "sample_models"
PICTURE = SAMPLES / "certified_accuracy.svg"


def main() -> None:
    """Certify, then draw."""
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for sigma in ("0.25", "0.50", "1.00"):
            file = Path(folder, f"{sigma}.jsonl")
            model, images = SAMPLES / f"mnist_gaussian_{sigma}.onnx", SAMPLES / "mnist_test_500"
            words = ["certify", model, images, "--sigma", sigma, "--n", "10000", "--seed", "1"]
            words += ["-o", file]
            _run(words)
            runs.append(file)
        PICTURE.unlink(missing_ok=True)
        _run(["report", *runs, "--plot", PICTURE])


def _run(words: list[str | Path]) -> None:
    code = run([str(word) for word in words])
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    main()
