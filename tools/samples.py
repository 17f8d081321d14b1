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
        name: of its file, without ``.onnx``.
        data: ``"mnist"`` or ``"cifar10"``.
        training: options of ``tools/train.py`` beside the data, the file and the threads.
        start: the sample model whose weights it starts from; "" for fresh ones.
        certifying: options of ``rsonnx certify`` beside the model, the inputs and the run file.
    """

    name: str
    data: str
    training: tuple[str, ...]
    start: str = ""
    certifying: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.onnx"


SIGMAS = ("0.25", "0.50", "1.00")
_SHORT = ("--recipe", "short")
_ONE_THREAD = ("--threads", "1", "--bfloat16")
_ADVERSARIAL_EPOCHS = {
    "smoothadv": {"0.25": "2", "0.50": "2", "1.00": "6"},
    "smoothmix": {"0.25": "10", "0.50": "8", "1.00": "5"},
}
_CIFAR_EPOCHS = {"0.25": "9", "0.50": "15"}
"""As many as the time of one sitting allowed."""
_MNIST_RUN = ("--skip-every", "5")
_CIFAR_RUN = ("--skip-every", "20", "--adaptive", "--n", "2000")


def _mnist(method: str, sigma: str) -> Model:
    options = ("--method", method, "--sigma", f"{float(sigma):g}", *_SHORT)
    certifying = ("--sigma", f"{float(sigma):g}", *_MNIST_RUN)
    name = f"mnist_{method}_{sigma}"
    if method == "gaussian":
        return Model(name, "mnist", options, certifying=certifying)
    if method == "consistency":
        options = (*options, "--epochs", "30", *_ONE_THREAD)
        return Model(name, "mnist", options, certifying=certifying)
    start = f"mnist_gaussian_{sigma}"
    epochs = ("--epochs", _ADVERSARIAL_EPOCHS[method][sigma], "--rate", "0.004")
    options = (*options, *epochs, *_ONE_THREAD)
    return Model(name, "mnist", options, start, certifying)


def _cifar(method: str, sigma: str) -> Model:
    sigma_option = ("--sigma", f"{float(sigma):g}")
    epochs = ("--epochs", _CIFAR_EPOCHS[sigma])
    options = ("--method", method, *sigma_option, *_SHORT, *epochs, *_ONE_THREAD)
    return Model(
        f"cifar10_{method}_{sigma}", "cifar10", options, certifying=(*sigma_option, *_CIFAR_RUN)
    )


def _other(name: str, noise: tuple[str, ...], run: tuple[str, ...]) -> Model:
    options = ("--method", "gaussian", *noise, *_SHORT, "--epochs", "12", *_ONE_THREAD)
    return Model(name, "mnist", options, certifying=run)


MODELS = (
    *(
        _mnist(method, sigma)
        for method in ("gaussian", "consistency", "smoothadv", "smoothmix")
        for sigma in SIGMAS
    ),
    _cifar("gaussian", "0.25"),
    _cifar("gaussian", "0.50"),
    _cifar("consistency", "0.50"),
    _other(
        "mnist_splitting_2",
        ("--noise", "splitting", "--lam", "2"),
        ("--noise", "splitting", "--lambda", "2"),
    ),
    _other(
        "mnist_ablation_45",
        ("--noise", "ablation,keep=45"),
        ("--noise", "ablation,keep=45", "--n", "10000"),
    ),
    _other(
        "mnist_columns_4",
        ("--noise", "columns,width=4"),
        ("--noise", "columns,width=4"),
    ),
)
