"""Train a denoiser, or a diffusion model, to stand before classifiers that never saw noise.

    python tools/train_denoiser.py IMAGES --sigma 0.25 0.5 --out denoiser.onnx
    python tools/train_denoiser.py IMAGES --schedule linear-1000 --out unet.onnx

Then ``rsonnx compose denoise denoiser.onnx CLASSIFIER -o both.onnx``, or ``compose diffuse``.
IMAGES is any data that ``rsonnx certify`` opens, of 8-bit pictures of one size; no label is read.
The denoiser is a small convolutional network, trained by mean-squared error and, with
``--classifier``, by the stability of a classifier's answers; the diffusion model is a small U-Net
that predicts the noise at every step of its schedule. Sigma is in units of pixels in [0, 1].

Needs ``pip install 'rsonnx[train,gpu]'``. The same options on the same images, kind of machine and
torch give the same file; a training that was stopped goes on from its last epoch with ``--resume``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

try:
    import torch
except ImportError as error:
    sys.exit(
        f"torch cannot be imported ({error}), but training needs it; "
        "pip install 'rsonnx[train,gpu]'"
    )
from torch import nn
from training.datasets import pictures
from training.denoising import (
    AGREEMENT,
    DenoisingJob,
    export_denoiser,
    schedule_of,
    train_denoiser,
)
from training.recipes import Recipe
from training.session import session

from rsonnx.data import open_dataset


def main() -> None:
    """Read the arguments, train, export and check the exported file."""
    parser = _parser()
    args = parser.parse_args()
    if (args.schedule is None) == (args.sigma is None):
        parser.error("give --sigma for a denoiser, or --schedule for a diffusion model")
    if args.schedule and args.classifier:
        parser.error("--classifier has no meaning for a diffusion model")
    with session(parser, args) as checkpoint:
        job = _job(args)
        if job.schedule:
            schedule_of(job)
        classifier = _frozen(args.classifier) if args.classifier else None
        images = pictures(open_dataset(args.images))
        args.out.parent.mkdir(parents=True, exist_ok=True)
        model = train_denoiser(job, images, classifier, checkpoint)
    shown = images[:8].to(torch.float32) / 255
    worst = export_denoiser(job, model, shown, args.out, _facts(job, args, len(images)))
    if not worst < AGREEMENT:
        sys.exit(f"{args.out}: onnxruntime and torch differ by {worst} on training images")
    checkpoint.unlink()
    print(f"{args.out}: torch and onnxruntime agree to {worst:.1e}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("images", type=Path, help="data of pictures, without labels or with")
    add("--sigma", type=_positive, nargs="+", help="of the noise; each image draws one of several")
    add("--schedule", help="train a diffusion model: cosine-4000, linear-1000, or a file")
    add("--classifier", type=Path, help="frozen, of pixels in [0, 1], by torch.export.save (.pt2)")
    add("--stability", type=_positive, default=0.05, help="the loss's weight; default: %(default)s")
    add("--out", type=Path, required=True, help="ONNX file to write")
    add("--width", type=_whole, default=32, help="channels, a multiple of 8; default: %(default)s")
    add("--epochs", type=_whole, default=12, help="default: %(default)s")
    add("--rate", type=_positive, default=4e-3, help="highest learning rate; default: %(default)s")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add("--threads", type=_whole, default=2, help="of the processor; default: %(default)s")
    add("--bfloat16", action="store_true", help="compute in bfloat16; weights stay in float32")
    add("--resume", action="store_true", help="go on from the checkpoint beside --out")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def _job(args: argparse.Namespace) -> DenoisingJob:
    name = "unet" if args.schedule else "denoiser"
    recipe = Recipe(
        name, name, args.epochs, 128, "adamw", args.rate, 1e-4, False, 0.999, augments=False
    )
    digest = hashlib.sha256(args.classifier.read_bytes()).hexdigest() if args.classifier else ""
    return DenoisingJob(
        recipe,
        args.width,
        tuple(args.sigma or ()),
        args.schedule or "",
        args.stability if args.classifier else 0.0,
        digest,
        args.seed,
        args.bfloat16,
    )


def _frozen(path: Path) -> nn.Module:
    """Return a classifier that torch exported, whose weights stay as they are.

    Raises:
        ValueError: it is no such file.
    """
    try:
        classifier = torch.export.load(path).module()
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as a file of torch.export.save: {error}"
        ) from error
    for weight in classifier.parameters():
        weight.requires_grad_(False)
    return classifier


def _facts(job: DenoisingJob, args: argparse.Namespace, examples: int) -> dict[str, object]:
    """Return what the exported file says of its training."""
    losses = "mean-squared error" + (f" + {job.stability:g} * stability" if job.digest else "")
    return {
        "method": "diffusion" if job.schedule else "denoiser",
        **({"schedule": job.schedule, "predicts": "noise"} if job.schedule else {}),
        **({"sigma": list(job.sigmas)} if job.sigmas else {}),
        "loss": losses,
        **({"classifier": f"{args.classifier.name}, SHA-256 {job.digest}"} if job.digest else {}),
        "dataset": f"{args.images.name} ({examples:,} images, no labels)",
        "epochs": job.recipe.epochs,
        "seed": job.seed,
        "recipe": job.recipe.words(),
        "arithmetic": "bfloat16" if job.bfloat16 else "float32",
        "device": f"cpu, {args.threads} threads",
        "torch": torch.__version__,
        "script": "tools/train_denoiser.py",
    }


if __name__ == "__main__":
    main()
