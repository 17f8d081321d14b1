"""A Ray cluster: join it or start one on this machine, and what it has room for."""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from rsonnx.errors import InferenceError, ProviderError, RsonnxError, UsageError, first_line

_SECONDS = 10.0
"""How long a cluster may take to accept a connection."""


class Cluster:
    """A connection to Ray, ended by :meth:`close` if it was made here.

    Args:
        address: ``host:port`` of a cluster, or ``"auto"``; None does what Ray does: it takes
            RAY_ADDRESS, else a cluster that runs on this machine, else starts one there. Where this
            process has already joined a cluster, that one is used.

    Raises:
        UsageError: Ray is not installed, or another cluster than ``address`` was joined before.
        ProviderError: there is no such cluster, or it does not take us.
    """

    def __init__(self, address: str | None) -> None:
        try:
            self.ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise UsageError(
                f"Ray cannot be imported ({error}), but counting on many machines needs it; "
                "pip install 'rsonnx[ray]'"
            ) from None
        self._own = not self.ray.is_initialized()
        if self._own:
            self._join(address)
        elif address not in (None, "auto"):
            joined = self.ray.get_runtime_context().gcs_address
            if joined != address:
                raise UsageError(
                    f"this process has joined the Ray cluster at {joined}, so it cannot use the "
                    f"one at {address}; leave the address out, or call ray.shutdown() before"
                )

    def _join(self, address: str | None) -> None:
        _probe(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            self.ray.init(
                address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
            )
        except (ConnectionError, RuntimeError, ValueError, OSError, ImportError) as error:
            raise ProviderError(
                f"no Ray cluster could be joined at {address or 'the default address'}: "
                f"{first_line(error)}; start one with `ray start --head`, or check --address"
            ) from None
        # Ray prints the deaths of workers on stdout whatever log_to_driver says; that is where
        # results go, and it is for us to say what becomes of them.
        importlib.import_module("ray._private.worker").__dict__["_worker_logs_enabled"] = False

    def put(self, factory: object) -> Any:
        """Return a reference to a factory, which every node fetches once.

        Raises:
            UsageError: it cannot be pickled.
            InferenceError: Ray has no memory for it.
        """
        try:
            return self.ray.put(factory)
        except self.ray.exceptions.RayError as error:
            raise InferenceError(f"Ray cannot hold the model: {first_line(error)}") from None
        except Exception as error:  # cloudpickle raises many classes
            raise UsageError(
                f"the factory cannot be sent to a Ray worker ({first_line(error)}); make it of "
                "functions and values that can be pickled"
            ) from None

    def nodes(self) -> list[dict[str, float]]:
        """Return the resources of each node that lives."""
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._own:
            self.ray.shutdown()


_JOINING: dict[str | None, Future[Cluster]] = {}
"""Clusters that are being joined, by the address that was given."""


@contextlib.contextmanager
def joining(address: str | None) -> Iterator[None]:
    """Inside, a cluster is joined beside what else is done; see :class:`Cluster`.

    :func:`joined` gives it to who asks first; else it is left again at the end.
    """
    with ThreadPoolExecutor(1) as pool:
        cluster = _JOINING[address] = pool.submit(Cluster, address)
        try:
            yield
        finally:
            if _JOINING.get(address) is cluster:
                del _JOINING[address]
                with contextlib.suppress(RsonnxError):
                    cluster.result().close()


def joined(address: str | None) -> Cluster:
    """Return the cluster that is being joined, or join it now; errors as for :class:`Cluster`."""
    begun = _JOINING.pop(address, None)
    return Cluster(address) if begun is None else begun.result()


def _probe(address: str | None) -> None:
    """Refuse an address that nobody answers at: Ray would try it for minutes."""
    if address in (None, "auto"):
        address = os.environ.get("RAY_ADDRESS")
    if address in (None, "auto", "local") or "://" in address:
        return
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise UsageError(
            f"the Ray address is {address!r}, but HOST:PORT, as `ray start --head` prints it, "
            "auto or local was expected"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or first_line(error)
        raise ProviderError(
            f"no Ray cluster answers at {address} ({why}); start one with `ray start --head`, or "
            "check --address"
        ) from None
