"""The example of encrypted pictures: the same answers as in plain, and no key at the server."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tenseal", reason="the example needs rsonnx[examples]")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "examples"))
private = importlib.import_module("private_mnist")


def test_encrypted_pictures_get_the_answers_of_plain_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All 4,096, scores within 0.01: three of them in a thousand are nearer to a tie than that."""
    words = ["--limit", "1", "--seed", "1"]
    model, data = ROOT / "sample_models/mnist_squares_0.50.onnx", ROOT / "sample_models"
    monkeypatch.setattr(sys, "argv", ["", str(model), str(data / "mnist_test_500"), *words])
    private.main()
    printed = capsys.readouterr().out
    assert "class 7, radius 1." in printed
    assert f"0 of {private.SAMPLES:,} answers differ" in printed
    assert float(printed.split("largest error of a score ")[1].split()[0]) < 0.01


def test_the_server_has_no_key_to_decrypt_with() -> None:
    client = private.Client()
    model = private.Squares(np.eye(2, 784), np.zeros(2), np.eye(2), np.zeros(2))
    server = private.Server(model, client.public_key())
    assert not server._public.has_secret_key()
    vector = private.tenseal.ckks_vector_from(server._public, client.encrypted(np.ones(784)))
    with pytest.raises(ValueError, match="secret"):
        vector.decrypt()
