"""Train a small convolutional net on MNIST under Gaussian noise and export it to ONNX.

    python tools/train_mnist.py --data DIR_WITH_MNIST_GZ --sigma 0.5 \
        --out sample_models/mnist_gaussian_0.50.onnx

This is the Gaussian training of Cohen, Rosenfeld and Kolter (arXiv 1902.02918): cross-entropy on
f(x + eps), eps ~ N(0, sigma^2 I) drawn afresh for every image and every epoch. Sigma is in units of
pixels in [0, 1], and noisy pixels are not clipped. The defaults reproduce the committed models on
the same machine and the same torch; another processor sums in another order and gives a slightly
different network. Needs torch, numpy, onnx, onnxruntime and onnxscript.
"""

import argparse
import gzip
import json
import math
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.optim.swa_utils import AveragedModel

MEAN, STD = 0.1307, 0.3081
"""Of the pixels of the MNIST training set; part of the preprocessing, not of the ONNX graph."""

BATCH = 256
LEARNING_RATE = 0.01
WARM_UP = 0.1
WEIGHT_DECAY = 0.05
EPOCHS = 70
EMA_DECAY = 0.999
ROTATION, SCALE = 0.2, 0.1
AGREEMENT = 1e-4
RECIPE = (
    f"cross-entropy on x + N(0, sigma^2), AdamW, batch {BATCH}, "
    f"peak learning rate {LEARNING_RATE}, linear warm-up over {WARM_UP:.0%} of the steps "
    f"then cosine to 0, weight decay {WEIGHT_DECAY}, "
    f"exponential moving average of the weights {EMA_DECAY}; before the noise each image is turned "
    f"by up to {ROTATION} rad and each axis scaled by up to {SCALE:.0%}, uniformly at random"
)


def read_idx(path: Path) -> np.ndarray:
    """Return the unsigned bytes of a gzip-compressed idx file, in the shape its header states.

    Raises ValueError when the file is absent, damaged or no idx file of unsigned bytes.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path} cannot be read: {reason}") from error
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is not an idx file of unsigned bytes")
    dimensions = raw[3]
    start = 4 + 4 * dimensions
    shape = np.frombuffer(raw[4:start], ">u4").astype(int)
    if len(raw) != start + math.prod(shape):
        raise ValueError(f"{path} does not hold the {shape.tolist()} bytes that its header states")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def load_split(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """Return (images [N, 1, 28, 28] float32 in [0, 1], labels [N] int64) of "train" or "t10k"."""
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz").astype(np.float32)[:, None] / 255
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz").astype(np.int64)
    return torch.from_numpy(images), torch.from_numpy(labels)


def normalise(pixels: Tensor) -> Tensor:
    """Return the network's input for pixels in [0, 1], of any shape."""
    return (pixels - MEAN) / STD


def build_network() -> nn.Sequential:
    """Return the untrained net: normalised pixels [B, 1, 28, 28] to logits [B, 10].

    Three convolutions of stride 2 and two dense layers: 1,135,168 multiply-adds an image.
    """

    def block(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *block(1, 16, 5),  # to 14 x 14
        *block(16, 48, 3),  # to 7 x 7
        *block(48, 80, 3),  # to 4 x 4
        nn.Flatten(),
        nn.Linear(80 * 4 * 4, 128, bias=False),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def turn_and_scale(images: Tensor) -> Tensor:
    """Return images [B, 1, 28, 28], each turned and scaled at random about its centre.

    There are no shifts: MNIST digits are centred, so shifts cost certified radius.
    """
    angle = (2 * torch.rand(len(images)) - 1) * ROTATION
    scale = 1 + (2 * torch.rand(len(images), 2) - 1) * SCALE
    transform = torch.zeros(len(images), 2, 3)
    transform[:, 0, 0] = torch.cos(angle) * scale[:, 0]
    transform[:, 0, 1] = -torch.sin(angle) * scale[:, 1]
    transform[:, 1, 0] = torch.sin(angle) * scale[:, 0]
    transform[:, 1, 1] = torch.cos(angle) * scale[:, 1]
    grid = functional.affine_grid(transform, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate of one step: linear warm-up, then half a cosine to zero."""
    done = step / steps
    if done < WARM_UP:
        return LEARNING_RATE * done / WARM_UP
    return LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
    """Return the moving average; the first steps weigh more, so that it forgets its start."""
    decay = min(EMA_DECAY, (1 + int(count)) / (10 + int(count)))
    return old.lerp(new, 1 - decay) if old.is_floating_point() else new


def train(images: Tensor, labels: Tensor, sigma: float, epochs: int, seed: int) -> nn.Sequential:
    """Return the averaged net after Gaussian training (arXiv 1902.02918), in evaluation mode.

    images: [N, 1, 28, 28] in [0, 1]; labels: [N]; sigma: in units of those pixels.
    """
    torch.manual_seed(seed)
    network = build_network()
    # Twice as fast on a processor; torch has this argument, its type stubs do not.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = AveragedModel(network, avg_fn=average, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    batches, start = len(images) // BATCH, time.monotonic()
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(images))
        for batch in range(batches):
            chosen = order[batch * BATCH : (batch + 1) * BATCH]
            clean = turn_and_scale(images[chosen])
            noisy = clean + sigma * torch.randn(clean.shape)
            loss = functional.cross_entropy(network(normalise(noisy)), labels[chosen])
            optimiser.param_groups[0]["lr"] = learning_rate(
                epoch * batches + batch, epochs * batches
            )
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            averaged.update_parameters(network)
            total += loss.item()
        seconds = time.monotonic() - start
        print(
            f"epoch {epoch + 1}/{epochs}  loss {total / batches:.4f}  {seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    result = averaged.module.eval()
    assert isinstance(result, nn.Sequential)
    return result


def fold_batch_norm(network: nn.Sequential) -> nn.Sequential:
    """Return the same function without batch-norm layers, each folded into the layer before it."""
    layers: list[nn.Module] = []
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for layer in network.eval():
        if isinstance(layer, nn.BatchNorm2d):
            convolution = layers[-1]
            assert isinstance(convolution, nn.Conv2d)
            layers[-1] = fuse_conv_bn_eval(convolution, layer)
        elif isinstance(layer, nn.BatchNorm1d):
            dense = layers[-1]
            assert isinstance(dense, nn.Linear)
            layers[-1] = fuse_linear_bn_eval(dense, layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def export(network: nn.Sequential, path: Path, training: dict[str, object]) -> None:
    """Write the net to one ONNX file that declares its preprocessing and its training.

    Input "image" [batch, 1, 28, 28] (normalised pixels), output "logits" [batch, 10].
    """
    program = torch.onnx.export(
        network,
        (torch.zeros(2, 1, 28, 28),),
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=18,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    # The exporter notes source files and lines in every node; they are nobody's business.
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.initializer, *graph.value_info)
    for item in (graph, *graph.node, *values):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    properties = {
        "rsonnx.preprocess": json.dumps({"mean": [MEAN], "std": [STD]}),
        "rsonnx.bounds": json.dumps([0, 1]),
        "rsonnx.layout": "NCHW",
        "rsonnx.training": json.dumps(training),
    }
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def disagreement(network: nn.Sequential, path: Path, inputs: Tensor) -> float:
    """Return the largest difference of logits, torch against onnxruntime; inf if a label differs.

    inputs: [N, 1, 28, 28], normalised.
    """
    with torch.inference_mode():
        expected = network(inputs).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"image": inputs.numpy()})[0]
    if (logits.argmax(1) != expected.argmax(1)).any():
        return math.inf
    return float(np.abs(logits - expected).max())


def accuracy(network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
    """Return the fraction of images [N, 1, 28, 28] in [0, 1] whose label the net gives."""
    with torch.inference_mode():
        return float((network(normalise(images)).argmax(1) == labels).float().mean())


def main() -> None:
    """Read the arguments, train, export and check the exported file."""
    parser = argparse.ArgumentParser(description="Gaussian training on MNIST, exported to ONNX.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the MNIST .gz files")
    parser.add_argument("--sigma", type=float, required=True, help="noise, pixels in [0, 1]")
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    args = parser.parse_args()
    if not (math.isfinite(args.sigma) and args.sigma > 0):
        parser.error(f"--sigma must be a finite number above 0, not {args.sigma}")
    if args.epochs < 1:
        parser.error(f"--epochs must be at least 1, not {args.epochs}")
    if args.seed < 0:
        parser.error(f"--seed must be at least 0, not {args.seed}")
    try:
        images, labels = load_split(args.data, "train")
        test_images, test_labels = load_split(args.data, "t10k")
        args.out.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(2)  # sums depend on the number of threads, so it is part of the recipe
    torch.set_flush_denormal(True)
    network = fold_batch_norm(train(images, labels, args.sigma, args.epochs, args.seed))
    training = {
        "method": "gaussian",
        "sigma": args.sigma,
        "dataset": "MNIST training set (60,000 images)",
        "epochs": args.epochs,
        "seed": args.seed,
        "recipe": RECIPE,
        "torch": torch.__version__,
        "script": "tools/train_mnist.py",
    }
    export(network, args.out, training)
    sample = test_images[:256]
    noisy = sample + args.sigma * torch.randn(sample.shape)
    worst = disagreement(network, args.out, normalise(noisy))
    if not worst < AGREEMENT:
        sys.exit(f"{args.out}: onnxruntime and torch differ by {worst} on noisy test images.")
    clean = accuracy(network, test_images, test_labels)
    summary = f"clean test accuracy {clean:.4f}, logits agree to {worst:.1e}"
    print(f"{args.out}: {summary}", file=sys.stderr)


if __name__ == "__main__":
    main()
