"""Training of denoisers and diffusion models: the losses, resuming, and files that compose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import linear

import rsonnx
from rsonnx.compose import denoise, diffuse

torch = pytest.importorskip("torch", reason="training needs rsonnx[train]")
pytest.importorskip("onnxscript", reason="training needs rsonnx[train]")

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from training import denoising, recipes  # noqa: E402

CLASSIFIER = linear(("n", 1, 8, 8), classes=3)
NONE: dict[str, Any] = {"preprocess": "none"}


class Classes(torch.nn.Module):  # type: ignore[misc,name-defined]
    """Scores that are the sums of the three thirds of an image's first nine values."""

    def forward(self, x: Any) -> Any:
        return x.flatten(1)[:, :9].unflatten(1, (3, 3)).sum(2)


def test_stability_is_cross_entropy_with_the_classes_of_clean_images() -> None:
    generator = torch.Generator().manual_seed(1)
    clean, denoised = torch.rand(2, 5, 1, 4, 4, generator=generator)
    scores = Classes()(denoised).double().numpy()
    labels = Classes()(clean).argmax(1).numpy()
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    expected = -np.log(chances[np.arange(5), labels]).mean()
    found = denoising.stability(Classes(), denoised, clean).item()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Squares of 8 x 8 pixels at random places, 300 of them, in an archive of arrays."""
    generator = np.random.default_rng(2)
    images = np.zeros((300, 8, 8, 1), np.uint8)
    for image, row, column in zip(images, *generator.integers(0, 5, (2, 300)), strict=True):
        image[row : row + 4, column : column + 4] = 240
    path = tmp_path / "squares.npz"
    np.savez(path, x=images)
    return path


def train(*words: object, broken: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the tool, or let it die after its first epoch."""
    code = (
        "import sys, runpy; sys.path.insert(0, sys.argv[1]); import training.loop as loop\n"
        "save = loop._State.save\n"
        "def die(self, epoch):\n    save(self, epoch)\n    sys.exit(9)\n"
        f"loop._State.save = {'die' if broken else 'save'}\n"
        "tool = sys.argv[1] + '/train_denoiser.py'; sys.argv = sys.argv[1:]\n"
        "runpy.run_path(tool, run_name='__main__')"
    )
    options = [TOOLS, *words, "--width", 8, "--threads", 1]
    told = [sys.executable, "-c", code, *map(str, options)]
    return subprocess.run(told, capture_output=True, text=True, check=False)


def test_an_interrupted_denoiser_is_that_of_an_unbroken_training(pictures: Path) -> None:
    classifier = pictures.with_name("classifier.pt2")
    batch = torch.export.Dim("batch")
    example = (torch.zeros(2, 1, 8, 8),)
    torch.export.save(
        torch.export.export(Classes(), example, dynamic_shapes=({0: batch},)), classifier
    )
    whole, broken = pictures.with_name("whole.onnx"), pictures.with_name("broken.onnx")
    options = (pictures, "--sigma", 0.25, 0.5, "--epochs", 3, "--classifier", classifier, "--out")
    done = train(*options, whole)
    assert done.returncode == 0, done.stderr
    assert train(*options, broken, broken=True).returncode == 9
    assert train(*options, broken).returncode == 2
    assert train(*options, broken, "--resume").returncode == 0
    assert whole.read_bytes() == broken.read_bytes()
    facts = {p.key: p.value for p in onnx.load(whole).metadata_props}
    training = json.loads(facts["rsonnx.training"])
    assert (training["sigma"], training["epochs"]) == ([0.25, 0.5], 3)
    loaded = rsonnx.load(denoise(whole, CLASSIFIER, declared=NONE), providers=["cpu"])
    assert loaded.rows == "proved"


def test_a_diffusion_model_composes(pictures: Path) -> None:
    out = pictures.with_name("unet.onnx")
    done = train(pictures, "--schedule", "cosine-100", "--epochs", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    model = diffuse(out, CLASSIFIER, sigma=0.5, schedule="cosine-100", declared=NONE)
    assert rsonnx.load(model, providers=["cpu"]).rows == "proved"


def test_a_denoiser_learns_to_remove_noise(pictures: Path) -> None:
    torch.manual_seed(3)
    recipe = recipes.Recipe("denoiser", "denoiser", 30, 30, "adamw", 4e-3, 0, False, 0.9, False)
    job = denoising.DenoisingJob(recipe, 8, (0.5,), "", 0.0, "", 0, bfloat16=False)
    images = torch.from_numpy(np.load(pictures)["x"]).permute(0, 3, 1, 2)
    model = denoising.train_denoiser(job, images, None, pictures.with_name("checkpoint"))
    clean = images[:100].float() / 255
    with torch.inference_mode():
        error = (model(clean + 0.5 * torch.randn_like(clean)) - clean).square().mean().item()
    assert error < 0.25 / 2  # half the noise's variance, of which nothing is left after more epochs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--sigma"),
        (("--sigma", 0.5, "--schedule", "cosine-100"), "--sigma"),
        (("--sigma", 0), "0"),
        (("--schedule", "cosine"), "cosine-4000"),
        (("--sigma", 0.5, "--classifier", "no.pt2"), "no.pt2"),
        (("--schedule", "cosine-100", "--classifier", "no.pt2"), "--classifier"),
        (("--sigma", 0.5, "--epochs", 0), "--epochs"),
    ],
)
def test_wrong_options_get_a_sentence(pictures: Path, options: Any, said: str) -> None:
    out = pictures.with_name("out.onnx")
    done = train(pictures, *options, "--out", out)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
