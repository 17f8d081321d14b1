"""The model and the devices of the tests of engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from device_models import Model, opened
from onnx_models import linear
from stub_cuda import StubCuda


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return opened(linear(), tmp_path_factory.mktemp("device"))


@pytest.fixture
def cuda() -> Iterator[StubCuda]:
    with StubCuda(11).installed() as stub:
        yield stub
