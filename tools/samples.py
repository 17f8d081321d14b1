"""What stands in ``sample_models/``: how each model is trained, and how it is certified."""

from __future__ import annotations

from dataclasses import dataclass

MNIST_TEST = "sample_models/mnist_test_500"
CIFAR_TEST = "cifar10_test.zip"
"""In the folder of the data sets, not in the project: CIFAR-10's pictures are not passed on."""


@dataclass(frozen=True)
class Model:
    """A sample model.

    Attributes:
        name: of its file, without ``.onnx``; it begins with the data, ``mnist`` or ``cifar10``.
        training: options of ``tools/train.py`` beside the data and the file.
        certifying: options of ``rsonnx certify`` beside the model, the inputs and the run file.
        in_full: those of a second run, with the n that is published; "" for none.
        start: the sample model whose weights it starts from; "" for fresh ones.
        radii: of its figures; () for those of a report.
    """

    name: str
    training: str
    certifying: str
    start: str = ""
    radii: tuple[float, ...] = ()
    in_full: str = ""

    @property
    def data(self) -> str:
        """``"mnist"`` or ``"cifar10"``."""
        return self.name.split("_")[0]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.onnx"

    @property
    def runs(self) -> dict[str, tuple[str, str]]:
        """Its run files, and the options of each, by what the manifest calls the figures."""
        made = {"certified": (f"{self.name}.jsonl", self.certifying)}
        full = {"in_full": (f"{self.name}_in_full.jsonl", self.in_full)}
        return made | (full if self.in_full else {})


SIGMAS = ("0.25", "0.50", "1.00")
METHODS = {
    "gaussian": "Gaussian",
    "consistency": "Consistency",
    "smoothadv": "SmoothAdv",
    "smoothmix": "SmoothMix",
}
"""The methods of training under Gaussian noise: their names and titles."""

_SPARING = "--threads 1 --bfloat16"
_FEWER = "--draws 2 --attack-steps 4 --rate 0.02"
_LENET = {
    "gaussian_0.25": "--threads 1",
    "gaussian_0.50": _SPARING,
    "gaussian_1.00": _SPARING,
    "consistency_0.25": "--threads 1",
    "consistency_0.50": _SPARING,
    "consistency_1.00": _SPARING,
    "smoothadv_0.25": f"--threads 1 {_FEWER} --epochs 8",
    "smoothadv_0.50": f"--threads 1 {_FEWER} --epochs 20",
    "smoothadv_1.00": f"{_SPARING} {_FEWER} --epochs 24",
    "smoothmix_0.25": f"--threads 1 {_FEWER} --epochs 8",
    "smoothmix_0.50": f"--threads 1 {_FEWER} --epochs 24",
    "smoothmix_1.00": f"{_SPARING} {_FEWER} --epochs 48",
}
"""How LeNet is trained beyond the published recipe: in full, or as the time allowed. Bfloat16 where
the processor at hand had it."""
_FROM_GAUSSIAN = (
    *("smoothadv_0.25", "smoothadv_0.50", "smoothadv_1.00"),
    *("smoothmix_0.25", "smoothmix_0.50"),
)
"""Those that had too few epochs for fresh weights."""
_IN_FULL = ("0.50",)
"""The sigmas certified with n = 100,000 too, which takes a core some 90 minutes a model."""

_OTHERS = {
    "splitting_2": (
        "--noise splitting --lam 2 --float16-weights",
        "--noise splitting --lambda 2",
    ),
    "ablation_45": (
        "--noise ablation,keep=45 --float16-weights",
        "--noise ablation,keep=45 --n 10000",
    ),
    "columns_4": ("--noise columns,width=4 --float16-weights", "--noise columns,width=4"),
}
# The epochs of CIFAR-10 are as many as the time of one sitting allowed.
_CIFAR = (("gaussian", "0.25", 9), ("gaussian", "0.50", 15), ("consistency", "0.50", 15))


def _law(training: str) -> str:
    """Return the options of training that say which law, in the words of ``rsonnx certify``."""
    return training.partition(" --epochs")[0].replace("--lam ", "--lambda ").replace("s=", "s ")


_TRANSFORMED = {
    # How it is trained, which law that means to ``rsonnx certify``, and the radii of the figures.
    "mnist_brightness_0.3": ("--noise brightness --sigma 0.3", "", (0.25, 0.5, 0.75)),
    "mnist_contrast_0.3": ("--noise contrast --sigma 0.3", "", (0.25, 0.4, 0.5, 0.75)),
    "mnist_brightness_contrast_0.3": (
        "--noise brightness-contrast,contrast=0.3 --sigma 0.3",
        "",
        (0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    "mnist_blur_2": ("--noise blur --lam 2", "", (1, 2, 4, 7, 10)),
    "mnist_translation_4": ("--noise translation --sigma 4", "", (2, 4, 8, 12)),
    "mnist_rotation_0.25": ("--angles=-30,30 --sigma 0.25", "", (5, 10, 20, 30)),
    "mnist_scaling_0.25": ("--scales=0.7,1.3 --sigma 0.25", "", (0.05, 0.1, 0.2, 0.3)),
    "cifar10_brightness_0.2": (
        "--noise brightness --sigma 0.2 --epochs 15",
        "--skip-every 20 --n 2000 --adaptive",
        (),
    ),
    "cifar10_rotation_0.12": (
        "--angles=-10,10 --sigma 0.12 --epochs 10",
        "--skip-every 200 --n 1000",
        (2, 5, 10),
    ),
}
TRANSFORMED = tuple(
    Model(
        name,
        f"--method gaussian {training} --recipe short {_SPARING} --float16-weights"
        + ("" if "--epochs" in training else " --epochs 20"),
        f"{_law(training)} {certifying or '--n 10000'}",
        radii=radii,
    )
    for name, (training, certifying, radii) in _TRANSFORMED.items()
)
"""Trained with and certified against transformations."""

MODELS = (
    *(
        Model(
            f"mnist_gaussian_{sigma}",
            f"--method gaussian --sigma {float(sigma):g} --recipe short",
            f"--sigma {float(sigma):g} --skip-every 5",
        )
        for sigma in SIGMAS
    ),
    *(
        Model(
            f"mnist_lenet_{name}",
            f"--method {method} --sigma {float(sigma):g} --recipe published --held-out 500 "
            f"--float16-weights {extra}",
            f"--sigma {float(sigma):g} --n 10000",
            f"mnist_lenet_gaussian_{sigma}" if name in _FROM_GAUSSIAN else "",
            in_full=f"--sigma {float(sigma):g}" if sigma in _IN_FULL else "",
        )
        for name, extra in _LENET.items()
        for method, _, sigma in [name.partition("_")]
    ),
    *(
        Model(
            f"cifar10_{method}_{sigma}",
            f"--method {method} --sigma {float(sigma):g} --recipe short --epochs {epochs} "
            + _SPARING,
            f"--sigma {float(sigma):g} --skip-every 20 --adaptive --n 2000",
        )
        for method, sigma, epochs in _CIFAR
    ),
    *(
        Model(
            f"mnist_{name}",
            f"--method gaussian {noise} --recipe short --epochs 12 {_SPARING}",
            certifying,
        )
        for name, (noise, certifying) in _OTHERS.items()
    ),
    Model(
        "mnist_squares_0.50",
        "--method gaussian --sigma 0.5 --recipe short --network squares --epochs 20 --threads 1",
        "--sigma 0.5 --n 10000",
    ),
    *TRANSFORMED,
)


@dataclass(frozen=True)
class Front:
    """A sample of what stands before a classifier.

    Attributes:
        name: of its file, without ``.onnx``; it begins with the data, ``mnist`` or ``cifar10``.
        training: options of ``tools/train_denoiser.py`` beside the images and the file.
    """

    name: str
    training: str

    @property
    def images(self) -> str:
        """What it is trained on, in the folder of the data sets."""
        is_mnist = self.name.startswith("mnist")
        return "mnist/train-images-idx3-ubyte.gz" if is_mnist else "cifar10_train.zip"


FRONTS = (
    *(
        Front(f"{data}_denoiser_{sigma}", f"--sigma {float(sigma):g} {how} {_SPARING}")
        for data, how in (("mnist", "--epochs 12"), ("cifar10", "--width 48 --epochs 10"))
        for sigma in ("0.25", "0.50")
    ),
    Front("mnist_unet", "--schedule linear-1000 --width 24 --epochs 4 --threads 1"),
)


@dataclass(frozen=True)
class Stumps:
    """A sample of an ensemble of stumps, which is certified exactly.

    Attributes:
        name: of its file, without ``.onnx``.
        training: options of ``tools/train_stumps.py`` beside the file; FOLDER is that of the data
            sets.
    """

    name: str
    training: str


STUMPS = (
    Stumps("breast_cancer_stumps_0.25", "breast-cancer --scale 0.25 --boost 200"),
    Stumps("wine_stumps_0.25", "wine --scale 0.25"),
    Stumps(
        "mnist_1_5_stumps_0.25",
        "FOLDER/mnist/train-images-idx3-ubyte.gz --classes 5 1 --scale 0.25",
    ),
)
