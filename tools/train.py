"""Train a base classifier for smoothing and export it to ONNX.

    python tools/train.py --method smoothmix --data mnist --folder FOLDER_OF_MNIST_GZ_FILES \
        --sigma 0.5 --out smoothmix.onnx
    python tools/train.py --method gaussian --noise splitting --lam 2 --data mnist \
        --folder FOLDER_OF_MNIST_GZ_FILES --out splitting.onnx

The four methods are Gaussian training, which is cross-entropy under the noise (Cohen et al., arXiv
1902.02918), Consistency (Jeong and Shin, 2006.04062), SmoothAdv (Salman et al., 1906.04584) and
SmoothMix (Jeong et al., 2111.09277), with the hyper-parameters that their authors published.
``--recipe published`` is theirs in network and schedule too, hours on a processor; ``--recipe
short`` is a smaller network and fewer epochs. Sigma is in units of pixels in [0, 1], and noisy
pixels are not clipped. With ``--noise`` the samples are those of another smoothing distribution, or
of a transformation, as ``--noise brightness --sigma 0.3`` and ``--noise blur --lam 2`` are; with
``--angles -30,30 --sigma 0.25`` the images are turned at random before Gaussian noise.

Needs ``pip install 'rsonnx[train,gpu]'``. The same options on the same kind of machine with the
same torch give the same file; a training that was stopped goes on from its last epoch with
``--resume``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

try:
    import torch
except ImportError as error:
    sys.exit(
        f"torch cannot be imported ({error}), but training needs it; "
        "pip install 'rsonnx[train,gpu]'"
    )
from training.datasets import KINDS, load
from training.export import AGREEMENT, accuracy, disagreement, export, rounded, start_from
from training.loop import Job, train
from training.networks import NETWORKS, Normalised, build
from training.noises import keeps_pixels, law_of, samples
from training.recipes import METHODS, RECIPES, settings
from training.session import session

from rsonnx.noise.options import INTERVALS


def main() -> None:
    """Read the arguments, train, export and check the exported file."""
    parser = _parser()
    args = parser.parse_args()
    for option in ("epochs", "threads", "draws", "attack_steps", "keep_every"):
        value = getattr(args, option)
        if value is not None and value < 1:
            parser.error(f"--{option.replace('_', '-')} must be at least 1, not {value}")
    for option in ("seed", "held_out"):
        if getattr(args, option) < 0:
            parser.error(f"--{option.replace('_', '-')} must be at least 0")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda was given, but torch finds no CUDA device; use --device cpu")

    with session(parser, args) as checkpoint:
        job = _job(args)
        if args.method != "gaussian" and not job.law.additive:
            noise = job.law.name
            parser.error(f"{noise} noise is not added, so only --method gaussian has a meaning")
        if job.kind.name == "mnist" and job.recipe.network.startswith("resnet"):
            parser.error(f"--network {job.recipe.network} takes images of 3 x 32 x 32; use cifar10")
        if job.kind.name == "cifar10" and not job.recipe.network.startswith("resnet"):
            parser.error(f"--network {job.recipe.network} takes images of 1 x 28 x 28; use mnist")
        data, test = load(job.kind, args.folder, "train"), load(job.kind, args.folder, "test")
        data, _ = data.parted(job.held_out)
        name, shape = job.recipe.network, job.law.sample_shape(job.kind.shape)
        channels = shape[0]
        network = start_from(args.start, name, channels) if args.start else build(name, channels)
        args.out.parent.mkdir(parents=True, exist_ok=True)

        def write(model: Normalised, epochs: int, path: Path) -> None:
            facts = _facts(job, args) | {"epochs": epochs}
            export(model, shape, path, facts, half=args.float16_weights)

        def after(epochs: int, model: Normalised) -> None:
            if args.keep_every and epochs % args.keep_every == 0:
                kept = args.out.with_name(f"{args.out.stem}_epoch_{epochs}.onnx")
                write(rounded(model) if args.float16_weights else model, epochs, kept)

        model = train(job, network, data, checkpoint, after)

    if args.float16_weights:
        model = rounded(model)
    write(model, job.recipe.epochs, args.out)
    noisy = samples(job.law, test.pixels(slice(0, 256)), 1)[0]
    worst = disagreement(model, args.out, noisy)
    if not worst < AGREEMENT:
        sys.exit(f"{args.out}: onnxruntime and torch differ by {worst} on noisy test images")
    checkpoint.unlink()
    pixels = keeps_pixels(job.law)
    clean = f"clean test accuracy {accuracy(model, test):.4f}, " if pixels else ""
    print(
        f"{args.out}: {clean}logits of torch and onnxruntime agree to {worst:.1e}",
        file=sys.stderr,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Train a base classifier for randomized smoothing and export it to ONNX."
    )
    add = parser.add_argument
    add("--method", choices=METHODS, required=True, help="the loss")
    add("--data", choices=sorted(KINDS), required=True, help="the data set")
    add("--folder", type=Path, required=True, help="folder of the data set's files")
    add("--sigma", type=float, help="standard deviation of the noise, pixels in [0, 1]")
    add("--lam", type=float, help="lambda, the noise's own scale, in place of --sigma")
    add("--noise", default="gaussian", help="NAME[,KEY=VALUE]; default: %(default)s")
    for name, own in INTERVALS.items():
        add(str(own["option"]), dest=name, type=_interval, help="=LOW,HIGH: images so transformed")
    add("--out", type=Path, required=True, help="ONNX file to write")
    add("--recipe", choices=("published", "short"), default="published", help="default: published")
    add("--network", choices=NETWORKS, help="default: the recipe's")
    add("--epochs", type=int, help="default: the recipe's")
    add("--draws", type=int, help="of noise, an image and a step; default: the method's")
    add("--attack-steps", type=int, help="in place of the method's; as far in all as its own go")
    add("--held-out", type=int, default=0, help="of the last training images, to validate on")
    add("--keep-every", type=int, help="epochs after which the model so far is written too")
    add("--rate", type=float, help="highest learning rate; default: the recipe's")
    add("--start", type=Path, help="exported file of the same network, to start from its weights")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="default: %(default)s")
    add("--threads", type=int, default=2, help="of the processor; default: %(default)s")
    add("--float16-weights", action="store_true", help="store weights in half the space")
    add("--bfloat16", action="store_true", help="compute in bfloat16; weights stay in float32")
    add("--resume", action="store_true", help="go on from the checkpoint beside --out")
    return parser


def _interval(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        expected = "LOW,HIGH, two numbers with a comma between, was expected"
        raise argparse.ArgumentTypeError(f"{text!r} was given, but {expected}") from None
    return low, high


def _job(args: argparse.Namespace) -> Job:
    kind = KINDS[args.data]
    recipe = RECIPES[args.recipe, kind.name]
    chosen = {"network": args.network, "epochs": args.epochs, "rate": args.rate}
    recipe = replace(recipe, **{key: value for key, value in chosen.items() if value is not None})
    start = hashlib.sha256(args.start.read_bytes()).hexdigest() if args.start else ""
    intervals = {name: value for name in INTERVALS if (value := getattr(args, name)) is not None}
    law = law_of(args.noise, kind, args.sigma, args.lam, intervals)
    return Job(
        args.method,
        law,
        settings(args.method, kind, law.deviation, args.draws, args.attack_steps),
        kind,
        recipe,
        args.seed,
        start,
        args.device,
        args.bfloat16,
        args.held_out,
    )


def _facts(job: Job, args: argparse.Namespace) -> dict[str, object]:
    """Return what the exported file says of its training."""
    hyper = {key: value for key, value in vars(job.settings).items() if value}
    started = {"start": f"{args.start.name}, SHA-256 {job.start}"} if job.start else {}
    return {
        "method": job.method,
        "noise": job.law.name,
        **({} if job.law.deviation is None else {"sigma": job.law.deviation}),
        "noise parameters": {k: v for k, v in job.law.parameters.items() if k != "sigma"},
        "hyper-parameters": hyper,
        "dataset": job.kind.title,
        "epochs": job.recipe.epochs,
        "seed": job.seed,
        "recipe": job.recipe.words(job.kind),
        **started,
        **({"held out": f"the last {job.held_out} training images"} if job.held_out else {}),
        "arithmetic": "bfloat16" if job.bfloat16 else "float32",
        **({"weights": "rounded to float16"} if args.float16_weights else {}),
        "device": f"{job.device}, {args.threads} threads" if job.device == "cpu" else job.device,
        "torch": torch.__version__,
        "script": "tools/train.py",
    }


if __name__ == "__main__":
    main()
