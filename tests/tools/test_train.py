"""The training recipes: each loss against its formula, resuming, and the exported file."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="training needs rsonnx[train]")
pytest.importorskip("onnxscript", reason="training needs rsonnx[train]")

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from training import export, losses, recipes  # noqa: E402
from training.datasets import CIFAR10, MNIST, Split, augment  # noqa: E402
from training.loop import learning_rate  # noqa: E402
from training.networks import Normalised, build, folded  # noqa: E402
from training.noises import law_of, samples, transformed  # noqa: E402

from rsonnx.noise import NOISES, InputSpace  # noqa: E402
from rsonnx.transforms import images  # noqa: E402


class Linear(Normalised):
    """Scores that are linear in the pixels, so that gradients are known."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(1)
        dense = torch.nn.Linear(16, 3)
        dense.weight.data = torch.randn(3, 16, generator=generator)
        dense.bias.data.zero_()
        super().__init__(torch.nn.Sequential(torch.nn.Flatten(), dense), (0.0,), (1.0,))
        self.weight = dense.weight


def batch(draws: int, sigma: float = 0.3) -> losses.Batch:
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(5, 1, 4, 4, generator=generator)
    noise = sigma * torch.randn(draws, 5, 1, 4, 4, generator=generator)
    return losses.Batch(images, torch.tensor([0, 1, 2, 0, 1]), noise)


def soft(network: Any, images: Any, noise: Any) -> Any:
    """The softmax [m, B, K] in doubles, by a loop."""
    weight = network.weight.detach().double().numpy()
    scores = [(images + one).flatten(1).double().numpy() @ weight.T for one in noise]
    exponent = [np.exp(s - s.max(1, keepdims=True)) for s in scores]
    return np.array([e / e.sum(1, keepdims=True) for e in exponent])


def cross_entropy(probabilities: Any, labels: Any) -> float:
    return float(-np.log([p[np.arange(5), labels.numpy()] for p in probabilities]).mean())


def test_gaussian_is_cross_entropy_under_the_noise() -> None:
    network, given = Linear(), batch(2)
    found = losses.gaussian(network, given, losses.Settings(draws=2), 1.0).item()
    expected = cross_entropy(soft(network, given.images, given.noise), given.labels)
    assert found == pytest.approx(expected, rel=1e-5)  # float32


def test_consistency_is_its_equation() -> None:
    network, given = Linear(), batch(2)
    settings = losses.Settings(draws=2, weight=10.0, entropy=0.5)
    p = soft(network, given.images, given.noise)
    mean = p.mean(0)
    divergence = np.mean([(mean * np.log(mean / one)).sum(1).mean() for one in p])
    entropy = -(mean * np.log(mean)).sum(1).mean()
    expected = cross_entropy(p, given.labels) + 10 * divergence + 0.5 * entropy
    found = losses.consistency(network, given, settings, 1.0).item()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("ramp", [0.25, 1.0])
def test_smoothadv_attacks_within_its_ball(ramp: float) -> None:
    network, given = Linear(), batch(4)
    seen = []
    network.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    settings = losses.Settings(draws=4, steps=10, size=0.5)
    found = losses.smoothadv(network, given, settings, ramp)
    adversary = seen[-1].unflatten(0, (4, 5))[0] - given.noise[0]
    away = (adversary - given.images).flatten(1).norm(dim=1)
    assert (away <= 0.5 * ramp + 1e-5).all()
    assert (away > 0.4 * ramp).all()  # a linear score is best attacked at the edge
    assert ((adversary > -1e-5) & (adversary < 1 + 1e-5)).all()
    assert found > losses.gaussian(network, given, settings, ramp)
    found.backward()
    assert network.weight.grad is not None


def test_smoothmix_is_cross_entropy_before_its_warm_up() -> None:
    network, given = Linear(), batch(4)
    settings = losses.Settings(draws=4, weight=5.0, steps=2, size=1.0)
    plain = losses.gaussian(network, given, settings, 0.0).item()
    assert losses.smoothmix(network, given, settings, 0.0).item() == pytest.approx(plain, rel=1e-6)


def test_smoothmix_mixes_as_its_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    network, given = Linear(), batch(4)
    share = torch.tensor([0.0, 0.2, 0.4, 0.6, 1.0])
    monkeypatch.setattr(losses.torch, "rand", lambda *_, **__: share.clone())
    seen = []
    network.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    settings = losses.Settings(draws=4, weight=5.0, steps=1, size=0.7)
    found = losses.smoothmix(network, given, settings, 0.5).item()
    p = soft(network, given.images, given.noise)
    mean, u = p.mean(0), share.double().numpy() / 2
    at = given.images.clone().requires_grad_()
    averaged = torch.softmax(network((at + given.noise).flatten(0, 1)), 1).unflatten(0, (4, 5))
    loss = -averaged.mean(0)[torch.arange(5), given.labels].log().sum()
    (gradient,) = torch.autograd.grad(loss, [at])
    step = 0.7 * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    far = (given.images + step).clamp(0, 1)
    wide = torch.tensor(u).view(-1, 1, 1, 1).float()
    q = soft(network, (1 - wide) * given.images + wide * far, given.noise)
    target = (1 - u[:, None]) * mean + u[:, None] / 3
    right = mean.argmax(1) == given.labels.numpy()
    divergence = np.mean([right * (target * np.log(target / one)).sum(1) for one in q])
    expected = cross_entropy(p, given.labels) + 5.0 * 0.5 * divergence
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_attack_leaves_the_network_as_it_was() -> None:
    norm = torch.nn.BatchNorm1d(16)
    layers = torch.nn.Sequential(torch.nn.Flatten(), norm, *Linear().network)
    network = Normalised(layers, (0.0,), (1.0,)).train()
    losses.smoothadv(network, batch(2), losses.Settings(draws=2, steps=2, size=0.1), 1.0)
    assert norm.num_batches_tracked == 1  # by the loss
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_published_settings() -> None:
    """From the experiments that the Consistency and SmoothMix projects list for MNIST."""
    found = {
        (method, sigma): recipes.settings(method, MNIST, sigma)
        for method in recipes.METHODS
        for sigma in (0.25, 0.5, 1.0)
    }
    assert [found["consistency", s].weight for s in (0.25, 0.5, 1.0)] == [10, 5, 5]
    assert {found["consistency", s].draws for s in (0.25, 0.5, 1.0)} == {2}
    assert found["smoothadv", 0.5] == losses.Settings(draws=4, steps=10, size=255 / 256)
    assert [found["smoothmix", s].steps for s in (0.25, 0.5, 1.0)] == [2, 4, 8]
    assert found["smoothmix", 0.5].size == 1.0
    recipe = recipes.RECIPES["published", "mnist"]
    rates = [learning_rate(recipe, epoch, 0.0) for epoch in (0, 29, 30, 60, 89)]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.0001, 0.0001])
    assert recipe.warm_up == 10
    assert not recipe.normalises  # their MNIST networks take pixels as they are
    assert replace(recipe, epochs=9).warm_up == 1


@pytest.mark.parametrize("method", ["smoothadv", "smoothmix"])
def test_an_attack_of_fewer_steps_goes_as_far(method: str) -> None:
    published = recipes.settings(method, MNIST, 1.0)
    fewer = recipes.settings(method, MNIST, 1.0, draws=2, steps=1)
    assert (fewer.draws, fewer.steps) == (2, 1)
    ball = method == "smoothadv"  # its step follows from the radius of its ball
    assert fewer.size == (published.size if ball else published.steps * published.size)


def test_the_last_images_are_held_out() -> None:
    split = Split(torch.arange(6).reshape(6, 1, 1, 1), torch.arange(6))
    before, held_out = split.parted(2)
    assert before.labels.tolist() == [0, 1, 2, 3]
    assert held_out.images.flatten().tolist() == [4, 5]
    assert split.parted(0)[0].labels.tolist() == split.labels.tolist()


@pytest.mark.parametrize("kind", [MNIST, CIFAR10], ids=lambda kind: kind.name)
def test_changed_images_stay_images(kind: Any) -> None:
    torch.manual_seed(3)
    images = torch.rand(6, *kind.shape)
    changed = augment(kind, images)
    assert changed.shape == images.shape
    assert ((changed > -1e-5) & (changed < 1 + 1e-5)).all()
    assert not torch.equal(changed, images)


@pytest.mark.parametrize("name", ["lenet", "convnet", "squares", "resnet20"])
def test_folding_keeps_the_function(name: str) -> None:
    torch.manual_seed(4)
    channels, side = (3, 32) if name == "resnet20" else (1, 28)
    network = build(name, channels)
    network.train()(torch.randn(16, channels, side, side))  # moves the batch norms' statistics
    x = torch.randn(3, channels, side, side)
    with torch.inference_mode():
        expected = network.eval()(x)
        torch.testing.assert_close(folded(network)(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "noise",
    [
        *("laplace", "splitting", "ablation,keep=9", "columns,width=3", "blur", "translation"),
        *("brightness", "contrast", "brightness-contrast,contrast=0.1"),
    ],
)
def test_samples_are_of_the_law(noise: str) -> None:
    torch.manual_seed(5)
    lam = {"laplace": 0.2, "splitting": 0.5, "blur": 2.0}.get(noise)
    sigma = 1.0 if NOISES[noise.partition(",")[0]].scales() and lam is None else None
    law = law_of(noise, MNIST, sigma, lam)
    drawn = samples(law, torch.rand(4, 1, 28, 28), 3)
    assert drawn.shape == (3, 4, *law.sample_shape((1, 28, 28)))
    assert torch.unique(drawn.flatten(2), dim=0).shape[0] > 1
    if "keep" in noise:
        kept = (drawn != 0).any(2).flatten(2).sum(2)
        assert (kept == 9).all()


@pytest.mark.parametrize(("field", "interval"), [("angles", (-30, 30)), ("factors", (0.7, 1.3))])
def test_images_are_turned_and_scaled_as_certificates_do(
    field: str, interval: tuple[float, float]
) -> None:
    torch.manual_seed(6)
    law = law_of("gaussian", CIFAR10, 0.25, None, {field: interval})
    image = torch.rand(1, *CIFAR10.shape)
    made = transformed(law, image)[0].double().numpy()
    torch.manual_seed(6)
    torch.rand(1, *CIFAR10.shape)
    low, high = interval
    expected = images.transformed(
        image[0].double().numpy(), law.family, low + (high - low) * torch.rand(1).item()
    )
    # Matrices are rounded to 2^-20 in one and to float32 in the other; a place is 22 away at most.
    np.testing.assert_allclose(made, expected, atol=22 * 2**-19)


def test_images_are_shifted_as_certificates_do() -> None:
    torch.manual_seed(6)
    law = law_of("padded-translation,shifts=3", MNIST, 0.25, None)
    image = torch.rand(1, *MNIST.shape)
    made = transformed(law, image)[0].double().numpy()
    torch.manual_seed(6)
    torch.rand(1, *MNIST.shape)
    shift = law.every[torch.randint(len(law.every), (1,)).item()]
    point = InputSpace(MNIST.shape, layout="NCHW").point(image[0].double().numpy(), "float")
    expected = law.image(point, shift).data
    np.testing.assert_allclose(made, expected, atol=1e-4)  # places are float32, up to 14 away
    assert shift != (0, 0)


def test_weights_in_half_of_the_space_are_those_of_the_network(tmp_path: Path) -> None:
    torch.manual_seed(7)
    network = build("convnet", 1)
    network.train()(torch.randn(16, *MNIST.shape))  # so that no two biases are the same
    model = export.rounded(Normalised(network, MNIST.mean, MNIST.std).eval())
    whole, half = tmp_path / "whole.onnx", tmp_path / "half.onnx"
    for path in (whole, half):
        export.export(model, MNIST.shape, path, {}, half=path is half)
    pixels = torch.rand(64, *MNIST.shape)
    assert export.disagreement(model, half, pixels) < export.AGREEMENT
    assert half.stat().st_size < 0.51 * whole.stat().st_size
    for name, weight in export.start_from(half, "convnet", 1).state_dict().items():
        torch.testing.assert_close(weight, model.network.state_dict()[name], rtol=0, atol=0)


def _idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A set of 600 blobs whose place is their class."""
    rng = np.random.default_rng(6)
    for prefix, count in (("train", 600), ("t10k", 300)):
        labels = np.arange(count) % 10
        images = rng.integers(0, 60, (count, 28, 28))
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 4)
            image[8 * row : 8 * row + 6, 7 * column : 7 * column + 6] = 250
        _idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images)
        _idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return tmp_path


def _train(folder: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(TOOLS / "train.py"), "--data", "mnist", "--folder", str(folder)]
    words += ["--out", str(out), "--recipe", "short", "--threads", "1", *options]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_an_interrupted_training_ends_as_an_unbroken_one(mnist: Path) -> None:
    options = ("--method", "smoothmix", "--sigma", "0.25", "--epochs", "3")
    whole, broken = mnist / "whole.onnx", mnist / "broken.onnx"
    done = _train(mnist, whole, *options)
    assert done.returncode == 0, done.stderr
    assert "logits of torch and onnxruntime agree" in done.stderr
    code = (
        "import sys, runpy; sys.path.insert(0, sys.argv[1]); import training.loop as loop\n"
        "save = loop._State.save\n"
        "def die(self, epoch):\n    save(self, epoch)\n    sys.exit(9) if epoch == 2 else None\n"
        "loop._State.save = die; tool = sys.argv[1] + '/train.py'; sys.argv = sys.argv[1:]\n"
        "runpy.run_path(tool, run_name='__main__')"
    )
    words = ["--data", "mnist", "--folder", str(mnist), "--out", str(broken)]
    words += ["--recipe", "short", "--threads", "1", *options]
    first = subprocess.run([sys.executable, "-c", code, str(TOOLS), *words], check=False)
    assert first.returncode == 9
    refused = _train(mnist, broken, *options)
    assert refused.returncode == 2
    assert "give --resume, or remove it" in refused.stderr
    other = _train(mnist, broken, *options, "--resume", "--seed", "5")
    assert "was left by another training" in other.stderr
    assert _train(mnist, broken, *options, "--resume").returncode == 0
    assert whole.read_bytes() == broken.read_bytes()
    facts = {p.key: p.value for p in onnx.load(whole).metadata_props}
    training = json.loads(facts["rsonnx.training"])
    assert (training["method"], training["sigma"], training["epochs"]) == ("smoothmix", 0.25, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--method", "gaussian"), "gaussian noise needs sigma"),
        (("--method", "gaussian", "--sigma", "-1"), "sigma is -1"),
        (("--method", "gaussian", "--sigma", "1", "--epochs", "0"), "--epochs must be at least 1"),
        (("--method", "gaussian", "--sigma", "1", "--network", "resnet20"), "3 x 32 x 32"),
        (("--method", "smoothadv", "--noise", "splitting", "--lam", "1"), "only --method gaussian"),
        (("--method", "gaussian", "--sigma", "1", "--start", "no.onnx"), "no.onnx"),
        (("--method", "x", "--sigma", "1"), "invalid choice"),
    ],
)
def test_wrong_options_get_a_sentence(mnist: Path, options: tuple[str, ...], said: str) -> None:
    done = _train(mnist, mnist / "out.onnx", *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_data_set_gets_a_sentence(tmp_path: Path) -> None:
    done = _train(tmp_path, tmp_path / "out.onnx", "--method", "gaussian", "--sigma", "1")
    assert done.returncode == 2
    assert "train-images-idx3-ubyte.gz" in done.stderr
    assert "Traceback" not in done.stderr
