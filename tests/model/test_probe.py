"""prove_batching against runners that are Python functions; test_batch_sizes.py has whole files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import echo, model_file

from rsonnx.errors import InferenceError, ModelError
from rsonnx.model import Batching, Input, find_input, find_output, probe_rows, prove_batching

Array = NDArray[np.float32]
Run = Callable[[Array], Array]
W = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)


def data_input(batch: int | str = "n") -> Input:
    model = model_file(echo(3, batch))
    return find_input(model, find_output(model))


def prove(
    as_filed: Run,
    batch: int | str = "n",
    freed: Sequence[Run] = (),
    coupling: str | None = None,
    kind: str = "scores",
) -> Batching:
    found = data_input(batch)
    rows = probe_rows(found, (0.0, 1.0))
    return prove_batching(
        "a.onnx", found, rows, as_filed=as_filed, freed=freed, coupling=coupling, kind=kind
    )


def plain(x: Array) -> Array:
    return np.asarray(x @ W)


def only(size: int, run: Run) -> Run:
    def checked(x: Array) -> Array:
        if len(x) != size:
            raise InferenceError(f"batch of {len(x)}")
        return run(x)

    return checked


def centred(x: Array) -> Array:
    return plain(x - x.mean(axis=0, keepdims=True))


@pytest.mark.parametrize(
    "bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-np.inf, np.inf), (0.0, np.inf)]
)
def test_probe_rows_lie_within_the_bounds_and_differ(bounds: tuple[float, float]) -> None:
    rows = probe_rows(data_input(), bounds)
    assert rows.dtype == np.float32
    assert rows.shape == (8, 3)
    assert np.isfinite(rows).all()
    assert rows.min() >= bounds[0]
    assert rows.max() <= bounds[1]
    assert len(np.unique(rows, axis=0)) == 8
    np.testing.assert_array_equal(rows, probe_rows(data_input(), bounds))


def test_a_free_batch_is_proved() -> None:
    assert prove(plain) == Batching(None, 4, "any, as the file declares")


def test_rows_that_are_coupled_run_alone() -> None:
    found = prove(centred)
    assert (found.size, found.rewrite) == (1, None)
    assert "larger batches fail or change" in found.why


def test_a_batch_that_says_free_and_fails_runs_at_1() -> None:
    assert prove(only(1, plain)).size == 1


def test_a_fixed_batch_is_freed_where_that_is_proved() -> None:
    found = prove(only(1, plain), 1, freed=[plain])
    assert (found.size, found.rewrite) == (None, 0)


@pytest.mark.parametrize(
    "freed", [None, centred, only(1, plain), lambda x: plain(x)[::-1], lambda x: plain(x)[:1]]
)
@pytest.mark.parametrize("fixed", [1, 3])
def test_a_fixed_batch_stays_where_freeing_it_is_not_proved(freed: Run | None, fixed: int) -> None:
    rewrites = [] if freed is None else [freed, freed]
    found = prove(only(fixed, plain), fixed, freed=rewrites)
    assert (found.size, found.num_classes, found.rewrite) == (fixed, 4, None)


def test_coupling_at_a_fixed_batch_is_refused() -> None:
    with pytest.raises(ModelError, match=r"a\.onnx runs only at batch size 3.*batch size of 1"):
        prove(only(3, centred), 3)
    with pytest.raises(ModelError, match=r"depend on the other rows \(Magic\)"):
        prove(only(3, plain), 3, freed=[plain], coupling="Magic")


def test_an_answer_that_depends_on_the_place_in_a_fixed_batch_is_refused() -> None:
    def by_place(x: Array) -> Array:
        return np.asarray(plain(x) * np.arange(1, len(x) + 1)[:, None])

    with pytest.raises(ModelError, match="depend on the other rows"):
        prove(only(3, by_place), 3)


def test_known_coupling_means_batch_1() -> None:
    for batch in ("n", 1):
        found = prove(plain, batch, freed=[plain], coupling="Magic")
        assert (found.size, found.rewrite) == (1, None)
        assert "Magic couples" in found.why


@pytest.mark.parametrize("mask", [-1e9, -3e38])
def test_a_masked_class_does_not_hide_coupling(mask: float) -> None:
    """Its score dwarfs the others, so a tolerance relative to the largest would pass anything."""

    def masked(x: Array) -> Array:
        scores = centred(x)
        scores[:, 3] = mask
        return scores

    assert prove(masked).size == 1


def test_a_difference_of_rounding_is_no_coupling() -> None:
    def rounded(x: Array) -> Array:
        return np.asarray(plain(x) * np.float32(1 + 1e-6 * (len(x) > 1)))

    assert prove(rounded).size is None


def test_random_answers_are_refused() -> None:
    generator = np.random.default_rng(1)
    with pytest.raises(ModelError, match="different scores for the same input twice"):
        prove(lambda x: plain(x) + generator.standard_normal((len(x), 4)).astype(np.float32))


def test_scores_that_are_not_finite_agree_with_themselves() -> None:
    def broken(x: Array) -> Array:
        scores = plain(x)
        scores[:, 0], scores[:, 1] = np.nan, np.inf
        return scores

    assert prove(broken).size is None


def test_no_score_is_refused() -> None:
    with pytest.raises(ModelError, match=r"shape \[0\].*at least 2 class scores"):
        prove(lambda x: plain(x)[:, :0])


def test_one_score_needs_a_threshold() -> None:
    with pytest.raises(ModelError, match=r"a\.onnx gives one number an input.*--threshold"):
        prove(lambda x: plain(x)[:, :1])


@pytest.mark.parametrize("columns", [1, 3, 4])
def test_a_threshold_and_one_score_are_two_columns(columns: int) -> None:
    with pytest.raises(ModelError, match=r"a threshold was given, but .*leave the threshold out"):
        prove(lambda x: plain(x)[:, :columns], kind="score")
    assert prove(lambda x: plain(x)[:, :2], kind="score").num_classes == 2


def test_a_column_of_labels_is_accepted() -> None:
    assert prove(lambda x: plain(x)[:, :1].round(), kind="label").num_classes == 1


@pytest.mark.parametrize("fixed", ["n", 1, 3])
def test_other_than_one_answer_a_row_is_refused(fixed: int | str) -> None:
    with pytest.raises(
        ModelError, match=r"a\.onnx gives \d+ answers to a batch of .*one answer an"
    ):
        prove(lambda x: np.repeat(plain(x), 2, axis=0), fixed)


def test_a_batch_of_the_probe_s_own_size_is_no_free_batch() -> None:
    assert prove(only(8, plain), 8, freed=[only(8, plain)]).size == 8


def test_the_first_rewrite_that_is_proved_is_used() -> None:
    found = prove(only(1, plain), 1, freed=[centred, plain])
    assert (found.size, found.rewrite) == (None, 1)
    assert found.why == "any; the file's 1 was freed"


def test_a_model_that_does_not_run_is_refused() -> None:
    with pytest.raises(ModelError, match=r"a\.onnx does not run .*batch size 1 .*batch of 1") as c:
        prove(only(4, plain))
    assert c.value.exit_code == 4
