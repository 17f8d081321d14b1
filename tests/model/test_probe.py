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


def rescaled(x: Array) -> Array:
    return plain(x / 255 if x.max() > 1.2 else x)


def masked(mask: float) -> Run:
    def run(x: Array) -> Array:
        scores = centred(x)
        scores[:, 3] = mask
        return scores

    return run


def broken(x: Array) -> Array:
    scores = plain(x)
    scores[:, 0], scores[:, 1] = np.nan, np.inf
    return scores


FREE = {
    "proved": choose(plain),
    "freed": choose(only(1, plain), 1, freed=[plain]),
    "rounded": choose(lambda x: np.asarray(plain(x) * np.float32(1 + 1e-6 * (len(x) > 1)))),
    "offset": choose(lambda x: plain(x) + np.float32(1e5)),
    "not finite": choose(broken),
}
ALONE = {
    "not proved": choose(plain, coupled_by="Magic"),
    # Whatever the graph shows: a kernel may have a fault that no graph shows.
    "coupled, proved": choose(centred),
    "coupled, watched": choose(centred, coupled_by="Magic", watch=True),
    "coupled outside of the bounds": choose(rescaled, coupled_by="Magic", watch=True),
    "a free batch that fails": choose(only(1, plain)),
    # A tolerance relative to the scores would pass these.
    "coupled beside an offset": choose(lambda x: centred(x) + np.float32(1e5)),
    "coupled beside a mask": choose(masked(-1e9)),
    "coupled beside the largest mask": choose(masked(-3e38)),
    "known coupling": choose(plain, coupling="Magic", watch=True),
    "known coupling, fixed": choose(plain, 1, freed=[plain], coupling="Magic", watch=True),
}


@pytest.mark.parametrize("name", FREE)
def test_a_free_batch_is_used_where_the_graph_proves_it(name: str) -> None:
    batching = FREE[name]
    assert (batching.size, batching.rows, batching.chosen) == (None, "proved", 0)
    assert batching.num_classes == 4


@pytest.mark.parametrize("name", ALONE)
def test_rows_that_are_not_proved_or_are_seen_to_be_coupled_run_alone(name: str) -> None:
    batching = ALONE[name]
    assert (batching.size, batching.rows, batching.chosen) == (1, "alone", None)
    if "known" in name or name == "not proved":
        assert "Magic" in batching.why


def test_what_the_graph_does_not_prove_may_be_watched() -> None:
    batching = choose(plain, coupled_by="Magic", watch=True)
    assert (batching.size, batching.rows, batching.chosen) == (None, "watched", 0)


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


@given(
    top=st.floats(-100, 100, width=32),
    gap=st.floats(0, 1, width=32),
    bits=st.sampled_from([10, 23]),
    moved=st.tuples(*[st.floats(-3, 3, width=32)] * 2),
)
def test_a_row_whose_class_rounding_changes_is_a_near_tie(
    top: float, gap: float, bits: int, moved: tuple[float, float]
) -> None:
    """Scores that are rounded thrice each; and one that is far from any other is none."""
    tolerance, unit = Tolerance(usual_gap=1.0, unit=2.0**-23), 2.0**-bits
    scores = np.array([[top - gap, top, top - 500]])
    other = scores * (1 + np.array([*moved, 0.0]) * unit)
    near = tolerance.near_ties(scores, unit)
    assert near[0] or scores.argmax() == other.argmax()
    assert not near[0] or gap <= 2e-4 + 8 * unit * max(abs(top), 1)


@pytest.mark.parametrize(
    ("scores", "near"),
    [
        ([1.0, 1.0], True),
        ([1.0, 1.0, -np.inf], True),  # a class that is masked
        ([-np.inf, 1.0], False),
        ([1.0, 1.0, np.nan], False),  # neither class is answered
        ([1.0, 1.0, np.inf], False),
        ([-np.inf, -np.inf], False),
        ([3.0], False),  # a label
    ],
)
def test_near_ties_are_between_two_classes(scores: list[float], near: bool) -> None:
    tolerance = Tolerance(usual_gap=1.0, unit=2.0**-23)
    assert tolerance.near_ties(np.array([scores] * 2)).tolist() == [near] * 2


def test_random_answers_are_refused() -> None:
    generator = np.random.default_rng(1)
    with pytest.raises(ModelError, match="different scores for the same input twice"):
        choose(lambda x: plain(x) + generator.standard_normal((len(x), 4)).astype(np.float32))


@pytest.mark.parametrize(
    ("run", "kind", "named"),
    [
        (lambda x: plain(x)[:, :0], "scores", r"\[0\]"),
        (lambda x: plain(x)[:, :1], "scores", "--threshold"),
        *((lambda x, n=n: plain(x)[:, :n], "score", "threshold") for n in (1, 3, 4)),
        (lambda x: np.repeat(plain(x), 2, axis=0), "scores", "2 answers"),
        (only(4, plain), "scores", "batch size 1"),
    ],
)
def test_what_gives_no_scores_an_input_is_refused(run: Run, kind: str, named: str) -> None:
    with pytest.raises(ModelError, match=rf"a\.onnx.*{named}") as caught:
        choose(run, kind=kind)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("kind", "columns"), [("score", 2), ("label", 1)])
def test_a_threshold_and_a_score_or_a_label_are_columns(kind: str, columns: int) -> None:
    assert choose(lambda x: plain(x)[:, :columns].round(), kind=kind).num_classes == columns


def test_a_batch_of_the_probe_s_own_size_is_no_free_batch() -> None:
    assert choose(only(8, plain), 8, freed=[only(8, plain)]).size == 8


def test_the_first_rewrite_that_is_proved_is_used() -> None:
    found = choose(only(1, plain), 1, freed=[centred, plain])
    assert (found.size, found.chosen) == (None, 1)
