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
        start: the sample model whose weights it starts from; "" for fresh ones.
    """

    name: str
    training: str
    certifying: str
    start: str = ""

    @property
    def data(self) -> str:
        """``"mnist"`` or ``"cifar10"``."""
        return self.name.split("_")[0]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.onnx"


SIGMAS = ("0.25", "0.50", "1.00")
METHODS = {
    "gaussian": ("", "", ""),
    "consistency": ("--epochs 30",) * 3,
    "smoothadv": tuple(f"--epochs {epochs} --rate 0.004" for epochs in (2, 2, 6)),
    "smoothmix": tuple(f"--epochs {epochs} --rate 0.004" for epochs in (10, 8, 5)),
}
"""How MNIST is trained beyond the short recipe, at each sigma."""

_SPARING = "--threads 1 --bfloat16"
_OTHERS = {
    "splitting_2": ("--noise splitting --lam 2", "--noise splitting --lambda 2"),
    "ablation_45": ("--noise ablation,keep=45", "--noise ablation,keep=45 --n 10000"),
    "columns_4": ("--noise columns,width=4", "--noise columns,width=4"),
}
# The epochs of CIFAR-10 are as many as the time of one sitting allowed.
_CIFAR = (("gaussian", "0.25", 9), ("gaussian", "0.50", 15), ("consistency", "0.50", 15))

MODELS = (
    *(
        Model(
            f"mnist_{method}_{sigma}",
            f"--method {method} --sigma {float(sigma):g} --recipe short "
            + (f"{extra} {_SPARING}" if extra else ""),
            f"--sigma {float(sigma):g} --skip-every 5",
            f"mnist_gaussian_{sigma}" if "--rate" in extra else "",
        )
        for method, extras in METHODS.items()
        for sigma, extra in zip(SIGMAS, extras, strict=True)
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
