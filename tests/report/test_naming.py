"""What runs are called beside each other."""

from __future__ import annotations

import pytest
from reported import changed_header, figures, named

from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian
from rsonnx.report import Figures, told_apart


def called(name: str, path: str = "run.jsonl", sigma: float = 0.5) -> Figures:
    header = changed_header(noise=Gaussian(sigma), record={"name": name})
    return Figures(**vars(figures([1.0])) | {"header": header, "path": path})


def test_a_given_name_goes_before_the_recorded_and_that_before_the_model() -> None:
    runs = [called("ours"), called("ours", sigma=0.25), named("a.jsonl", figures([1.0]))]
    assert [run.label for run in told_apart(runs)] == ["ours", "ours", "tiny.onnx"]
    given = told_apart(runs, ["x", None, "y"])
    assert [run.label for run in given] == ["x", "ours", "y"]
    assert [run.name for run in given] == ["x (run.jsonl)", "ours (run.jsonl)", "y (a.jsonl)"]
    assert given[0].title.startswith("x, sigma = 0.5")


def test_runs_of_one_name_and_noise_are_told_apart_by_their_paths() -> None:
    runs = told_apart([called("ours", "a/1.jsonl"), called("ours", "b/1.jsonl"), called("theirs")])
    assert [run.label for run in runs] == ["ours (a/1.jsonl)", "ours (b/1.jsonl)", "theirs"]
    assert len({run.title for run in runs}) == 3


@pytest.mark.parametrize("name", ["", " x", "x" * 65, "a\nb", "\x1b[2J", "\u202eabc"])
def test_a_name_is_short_and_printable(name: str) -> None:
    with pytest.raises(UsageError, match="the name of a run is"):
        told_apart([called("ours")], [name])


def test_no_two_runs_are_given_one_name() -> None:
    with pytest.raises(UsageError, match="'x'"):
        told_apart([called("ours"), called("theirs")], ["x", "x"])
    with pytest.raises(UsageError, match="1 names"):
        told_apart([called("ours"), called("theirs")], ["x"])
