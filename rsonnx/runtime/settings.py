"""Where and how a run counts: threads of this process, a process a device, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from rsonnx.arguments import check_choice, check_flag, check_kind, check_positive, check_texts
from rsonnx.errors import UsageError
from rsonnx.runtime.device_options import DeviceOptions, check_device, check_time_limit
from rsonnx.runtime.engine import Engine
from rsonnx.runtime.engines import BEFORE, ENGINES
from rsonnx.runtime.onnx_classifier import OnnxClassifier
from rsonnx.runtime.providers import ProviderChoice, choose_provider
from rsonnx.runtime.watchdog import SECONDS_A_CALL, SECONDS_TO_TRY
from rsonnx.scalars import as_float, plain, shown


@dataclass(frozen=True)
class EngineSettings:
    """Where and how a model runs and counts; only ``providers`` and ``tf32`` may change an answer.

    Attributes:
        providers: execution providers as they are asked for, or one name; empty takes the best that
            works.
        devices: numbers of the devices, a process each where there are several; empty takes the
            first.
        tf32, cuda_graph, time_limit_per_call: see
            :class:`rsonnx.runtime.device_options.DeviceOptions`.
        batch_size: inputs a call of the model; None chooses.
        workers: threads, or workers of the Ray cluster; None chooses.
        engine: of :data:`ENGINES`: ``"embedded"``, or ``"ray"`` for a Ray cluster.
        address: of the cluster; None takes the one that Ray finds, else starts one here.
        gpus_per_worker: devices that Ray keeps for a worker; None takes one where the model runs on
            a device.
        time_limit_to_try: seconds that the child process may take which tries a model first; 0 for
            any time.

    Raises:
        UsageError: settings that exclude each other.
    """

    providers: Sequence[str] = ()
    devices: Sequence[int] = ()
    tf32: bool = False
    cuda_graph: bool = False
    batch_size: int | None = None
    workers: int | None = None
    engine: str = "embedded"
    address: str | None = None
    gpus_per_worker: float | None = None
    time_limit_per_call: float = SECONDS_A_CALL
    time_limit_to_try: float = SECONDS_TO_TRY

    def __post_init__(self) -> None:
        values = {name: plain(value) for name, value in vars(self).items()}
        devices = () if values["devices"] is None else values["devices"]
        listed = isinstance(devices, Iterable) and not isinstance(devices, str)
        values |= {
            "providers": check_texts("providers", values["providers"]),
            "devices": tuple(map(check_device, devices if listed else (devices,))),
            "tf32": check_flag("tf32", values["tf32"]),
            "cuda_graph": check_flag("cuda_graph", values["cuda_graph"]),
            "time_limit_per_call": check_time_limit(values["time_limit_per_call"]),
            "time_limit_to_try": check_time_limit(values["time_limit_to_try"]),
            "engine": check_choice("the engine", values["engine"], ENGINES),
        }
        for name in ("batch_size", "workers"):
            if values[name] is not None:
                values[name] = check_positive(name, values[name])
        if values["address"] is not None:
            check_kind("address", values["address"], str, "the address of a Ray cluster")
        gpus = values["gpus_per_worker"]
        if gpus is not None and not as_float(gpus) >= 0:
            raise UsageError(
                f"gpus_per_worker is {shown(gpus)}, but a number of at least 0 was expected"
            )
        for name, value in values.items():
            object.__setattr__(self, name, value)
        ray = self.engine == "ray"
        if ray and self.devices:
            raise UsageError(
                "devices are those of this machine, but a Ray cluster places its workers itself; "
                "ask for --gpus-per-worker in place of --devices"
            )
        if not ray and (self.address, self.gpus_per_worker) != (None, None):
            option = "--gpus-per-worker" if self.address is None else "--address"
            raise UsageError(f"{option} is of a Ray cluster; add --engine ray, or leave it out")
        if len(set(self.devices)) < len(self.devices):
            raise UsageError(f"the devices {self.devices} name one twice; name each once")

    @property
    def device(self) -> DeviceOptions:
        """How the model is opened in this process: on the first of the devices."""
        return DeviceOptions(
            self.devices[0] if self.devices else 0,
            tf32=self.tf32,
            cuda_graph=self.cuda_graph,
            time_limit_per_call=self.time_limit_per_call,
        )

    def provider(self) -> ProviderChoice:
        """Return the provider that the model runs on.

        Raises:
            UsageError: a provider is not known, or devices are named and it has none.
            ProviderError: it does not work on this machine.
        """
        choice = choose_provider(self.providers, self.device)
        if choice.is_cpu and self.devices:
            raise UsageError(
                "--devices was given, but the model runs on the processor; ask for --providers "
                "cuda, or for --workers"
            )
        return choice


def before_engine(settings: EngineSettings) -> AbstractContextManager[None]:
    """Begin with what an engine needs beside a model; what :func:`open_engine` did not take ends.

    What goes wrong is raised by :func:`open_engine`.
    """
    begin = BEFORE.get(settings.engine)
    return nullcontext() if begin is None else begin(settings)


def open_engine(model: OnnxClassifier, settings: EngineSettings) -> AbstractContextManager[Engine]:
    """Return what counts for a model, which ends with its context.

    Args:
        model: the model, open in this process; elsewhere its :attr:`origin` is loaded again.
        settings: where and how.

    Raises:
        RsonnxError: the engine does not start.
    """
    return ENGINES[settings.engine](model, settings)
