"""choose_batching against Python functions; test_batch_sizes.py has whole files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx_models import echo, model_file

from rsonnx.errors import InferenceError, ModelError
from rsonnx.model import (
    Batched,
    Batching,
    Input,
    choose_batching,
    find_input,
    find_output,
    probe_rows,
    rows_beyond,
)
from rsonnx.model.probe import Tolerance

Array = NDArray[np.float32]
Run = Callable[[Array], Array]
W = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)


def data_input(batch: int | str = "n") -> Input:
    model = model_file(echo(3, batch))
    return find_input(model, find_output(model))


def choose(
    as_filed: Run,
    batch: int | str = "n",
    freed: Sequence[Run] = (),
    coupling: str | None = None,
    kind: str = "scores",
    *,
    coupled_by: str | None = None,
    watch: bool = False,
) -> Batching:
    """Choose for a model whose graph proves its rows independent, unless it is coupled_by."""
    found = data_input(batch)
    free = freed if isinstance(batch, int) else [as_filed]
    return choose_batching(
        "a.onnx",
        found,
        probe_rows(found, (0.0, 1.0)),
        as_filed=as_filed,
        batched=[Batched(run, coupled_by) for run in free],
        watch=watch,
        coupling=coupling,
        kind=kind,
        beyond=rows_beyond(found, (0.0, 1.0)),
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


def test_a_free_batch_is_used_where_the_graph_proves_it() -> None:
    found = choose(plain)
    assert (found.size, found.rows, found.num_classes, found.chosen) == (None, "proved", 4, 0)


def test_what_the_graph_does_not_prove_runs_alone_unless_watched() -> None:
    found = choose(plain, coupled_by="Magic")
    assert (found.size, found.rows, found.chosen) == (1, "alone", None)
    assert "Magic" in found.why
    found = choose(plain, coupled_by="Magic", watch=True)
    assert (found.size, found.rows, found.chosen) == (None, "watched", 0)


@pytest.mark.parametrize("coupled_by", [None, "Magic"])
def test_rows_that_are_seen_to_be_coupled_run_alone(coupled_by: str | None) -> None:
    """Whatever the graph shows: a kernel may have a fault that no graph shows."""
    found = choose(centred, coupled_by=coupled_by, watch=True)
    assert (found.size, found.rows, found.chosen) == (1, "alone", None)


def test_coupling_outside_of_the_bounds_is_seen() -> None:
    def rescaled(x: Array) -> Array:
        return plain(x / 255 if x.max() > 1.2 else x)

    assert choose(rescaled, coupled_by="Magic", watch=True).rows == "alone"


def test_a_batch_that_says_free_and_fails_runs_at_1() -> None:
    assert choose(only(1, plain)).size == 1


def test_a_fixed_batch_is_freed_where_that_is_proved() -> None:
    found = choose(only(1, plain), 1, freed=[plain])
    assert (found.size, found.chosen) == (None, 0)


@pytest.mark.parametrize(
    "freed", [None, centred, only(1, plain), lambda x: plain(x)[::-1], lambda x: plain(x)[:1]]
)
@pytest.mark.parametrize("fixed", [1, 3])
def test_a_fixed_batch_is_filled_with_copies_where_freeing_it_fails(
    freed: Run | None, fixed: int
) -> None:
    rewrites = [] if freed is None else [freed, freed]
    found = choose(only(fixed, plain), fixed, freed=rewrites)
    assert (found.size, found.rows, found.num_classes) == (fixed, "alone", 4)


def test_coupling_at_a_fixed_batch_is_no_matter_among_copies() -> None:
    for run, coupling in ((centred, None), (plain, "Magic")):
        found = choose(only(3, run), 3, freed=[run], coupling=coupling)
        assert (found.size, found.rows) == (3, "alone")


def test_an_answer_that_depends_on_the_place_among_copies_is_refused() -> None:
    def by_place(x: Array) -> Array:
        return np.asarray(plain(x) * np.arange(1, len(x) + 1)[:, None])

    with pytest.raises(ModelError, match="place"):
        choose(only(3, by_place), 3)


def test_known_coupling_runs_alone_and_is_not_watched() -> None:
    for batch in ("n", 1):
        found = choose(plain, batch, freed=[plain], coupling="Magic", watch=True)
        assert (found.size, found.rows) == (1, "alone")
        assert "Magic couples" in found.why


def test_a_common_offset_does_not_hide_coupling() -> None:
    """A tolerance relative to the scores would pass a batch mean beside an offset of 1e5."""
    assert choose(lambda x: centred(x) + np.float32(1e5)).rows == "alone"
    assert choose(lambda x: plain(x) + np.float32(1e5)).rows == "proved"


def test_labels_are_compared_exactly() -> None:
    def labels(x: Array) -> Array:
        return np.full((len(x), 1), 50_000 + (len(x) > 1), np.int64)  # type: ignore[return-value]

    assert choose(labels, kind="label").rows == "alone"


@given(
    top=st.floats(-100, 100, width=32),
    gap=st.floats(0, 10, width=32),
    moved=st.floats(-0.0078125, 0.0078125, width=32),
    offset=st.sampled_from([0.0, 1e3, 1e5]),
)
def test_scores_agree_if_their_distances_to_the_largest_do(
    top: float, gap: float, moved: float, offset: float
) -> None:
    """By its law, whatever is added to all of them, which decides nothing."""
    tolerance = Tolerance(usual_gap=1.0, unit=2.0**-23)
    alone = np.array([[top, top - gap, top - 20]], np.float64) + offset
    together = alone + [[0.0, moved, 0.0]] + 7.0
    gaps = [scores.max() - scores for scores in (alone, together)]
    allowed = 1e-4 * (gaps[0] + 1) + 8 * 2.0**-23 * abs(alone.max())
    beyond = np.abs(gaps[0] - gaps[1]) - allowed
    assume((np.abs(beyond) > 1e-9).all())  # which rounding here decides
    assert tolerance.agree(alone, together) == (beyond <= 0).all()


@pytest.mark.parametrize("mask", [-1e9, -3e38])
def test_a_masked_class_does_not_hide_coupling(mask: float) -> None:
    """Its score dwarfs the others, so a tolerance relative to the largest would pass anything."""

    def masked(x: Array) -> Array:
        scores = centred(x)
        scores[:, 3] = mask
        return scores

    assert choose(masked).size == 1


def test_a_difference_of_rounding_is_no_coupling() -> None:
    def rounded(x: Array) -> Array:
        return np.asarray(plain(x) * np.float32(1 + 1e-6 * (len(x) > 1)))

    assert choose(rounded).size is None


def test_random_answers_are_refused() -> None:
    generator = np.random.default_rng(1)
    with pytest.raises(ModelError, match="different scores for the same input twice"):
        choose(lambda x: plain(x) + generator.standard_normal((len(x), 4)).astype(np.float32))


def test_scores_that_are_not_finite_agree_with_themselves() -> None:
    def broken(x: Array) -> Array:
        scores = plain(x)
        scores[:, 0], scores[:, 1] = np.nan, np.inf
        return scores

    assert choose(broken).size is None


def test_no_score_is_refused() -> None:
    with pytest.raises(ModelError, match=r"shape \[0\].*at least 2 class scores"):
        choose(lambda x: plain(x)[:, :0])


def test_one_score_needs_a_threshold() -> None:
    with pytest.raises(ModelError, match=r"a\.onnx gives one number an input.*--threshold"):
        choose(lambda x: plain(x)[:, :1])


@pytest.mark.parametrize("columns", [1, 3, 4])
def test_a_threshold_and_one_score_are_two_columns(columns: int) -> None:
    with pytest.raises(ModelError, match=r"a threshold was given, but .*leave the threshold out"):
        choose(lambda x: plain(x)[:, :columns], kind="score")
    assert choose(lambda x: plain(x)[:, :2], kind="score").num_classes == 2


def test_a_column_of_labels_is_accepted() -> None:
    assert choose(lambda x: plain(x)[:, :1].round(), kind="label").num_classes == 1


@pytest.mark.parametrize("fixed", ["n", 1, 3])
def test_other_than_one_answer_a_row_is_refused(fixed: int | str) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx gives \d+ answers to a batch of"):
        choose(lambda x: np.repeat(plain(x), 2, axis=0), fixed)


def test_a_batch_of_the_probe_s_own_size_is_no_free_batch() -> None:
    assert choose(only(8, plain), 8, freed=[only(8, plain)]).size == 8


def test_the_first_rewrite_that_is_proved_is_used() -> None:
    found = choose(only(1, plain), 1, freed=[centred, plain])
    assert (found.size, found.chosen) == (None, 1)


def test_a_model_that_does_not_run_is_refused() -> None:
    with pytest.raises(ModelError, match=r"a\.onnx does not run .*batch size 1 .*batch of 1") as c:
        choose(only(4, plain))
    assert c.value.exit_code == 4
