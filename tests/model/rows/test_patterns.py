"""What exporters write: reshapes by arithmetic on shapes, attention, tokens, time-distributed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx_models import rows_model
from row_oracle import assert_rows_are_independent, proof_of

HEADS, TOKENS, WIDTH = 2, 5, 4
WEIGHTS: dict[str, Any] = {
    "zero": np.array(0),
    "zeros": np.array([0]),
    "one": np.array([1]),
    "ones": np.array([1, 1, 1]),
    "minusones": np.array([-1, -1, -1]),
    "heads": np.array([HEADS]),
    "tokens": np.array([TOKENS]),
    "depth": np.array([WIDTH // HEADS]),
    "width": np.array([WIDTH]),
    "root": np.float32(np.sqrt(WIDTH // HEADS)),
    "q": np.eye(WIDTH, dtype=np.float32) + 0.1,
    "k": np.eye(WIDTH, dtype=np.float32) - 0.2,
    "token": np.full((1, 1, WIDTH), 0.5, np.float32),
    "position": np.linspace(-1, 1, (TOKENS + 1) * WIDTH, dtype=np.float32).reshape(1, -1, WIDTH),
    "step": np.full((WIDTH, 2), 0.3, np.float32),
    "flat": np.array([-1, WIDTH]),
    "back": np.array([-1, TOKENS, 2]),
    "back0": np.array([-1, TOKENS, WIDTH]),
    "numbers": np.arange(100, dtype=np.float32)[None],
    "standing": np.array([-1, 1, 1]),
    "named": np.array([1, TOKENS * WIDTH]),
    "none": np.zeros((0, TOKENS, WIDTH), np.float32),
    "flat0": np.array([0, -1]),
    "whole0": np.array([0, TOKENS, WIDTH]),
    "narrow": np.zeros((0, TOKENS, 1), np.float32),
    "noplaces": np.zeros((0, 1), np.int64),
    "single": np.ones((1, TOKENS, WIDTH), np.float32),
}
ROWS = "shape = Shape(x); rows0 = Gather(shape, zero); rows = Unsqueeze(rows0, zeros)"
ATTENTION = f"""
    {ROWS}; split = Concat<axis=0>(rows, tokens, heads, depth);
    q1 = MatMul(x, q); q2 = Reshape(q1, split); q3 = Transpose<perm=[0, 2, 1, 3]>(q2);
    k1 = MatMul(x, k); k2 = Reshape(k1, split); k3 = Transpose<perm=[0, 2, 3, 1]>(k2);
    scores = MatMul(q3, k3); scaled = Div(scores, root); weights = Softmax<axis=-1>(scaled);
    mixed = MatMul(weights, q3); turned = Transpose<perm=[0, 2, 1, 3]>(mixed);
    joined = Concat<axis=0>(rows, tokens, width); y = Reshape(turned, joined)
"""
MERGED = f"{ROWS}; lots = Mul(rows, heads); merged = Concat<axis=0>(tokens, lots, depth)"
# Heads merged into the batch, as torch.nn.MultiheadAttention does.
TURNED_FIRST = "t = Transpose<perm=[1, 0, 2]>(x); h = Reshape(t, merged)"
OLD_ATTENTION = f"""
    {MERGED}; {TURNED_FIRST};
    a = Transpose<perm=[1, 0, 2]>(h); b = Transpose<perm=[1, 2, 0]>(h); scores = MatMul(a, b);
    weights = Softmax<axis=-1>(scores); mixed = MatMul(weights, a);
    u = Transpose<perm=[1, 0, 2]>(mixed); joined = Concat<axis=0>(tokens, rows, width);
    v = Reshape(u, joined); y = Transpose<perm=[1, 0, 2]>(v)
"""
# torch's expand: Where(Equal(sizes, -1), 1, sizes)
TOKEN = f"""
    {ROWS}; sizes0 = Concat<axis=0>(rows, one, width); sizes1 = Mul(sizes0, ones);
    asked = Equal(sizes1, minusones); sizes = Where(asked, ones, sizes1);
    first = Expand(token, sizes); longer = Concat<axis=1>(first, x);
    placed = Add(longer, position); y = Gather<axis=1>(placed, zero)
"""
STEPS = "steps = Reshape(x, flat); each = MatMul(steps, step)"
EXPORTED = {
    "attention": ATTENTION,
    "old attention": OLD_ATTENTION,
    "token": TOKEN,
    "time-distributed": f"{STEPS}; y = Reshape(each, back)",
}
MIXING = {
    "attention": ATTENTION.replace("Softmax<axis=-1>", "Softmax<axis=0>"),
    "old attention": OLD_ATTENTION.replace("Softmax<axis=-1>", "Softmax<axis=0>"),
    # The rows are not moved to the front before the heads are: each head mixes rows.
    "heads": OLD_ATTENTION.replace(TURNED_FIRST, "h = Reshape(x, merged)"),
    # Time is turned before the steps are merged, and not back.
    "time": "z = Transpose<perm=[1, 0, 2]>(x); y = Reshape(z, back0)",
    "steps": f"{STEPS}; s = Softmax<axis=0>(each); y = Reshape(s, back)",
    "named": "y = Reshape(x, named)",
}

# Rows whose first value is negative.
HIGHEST = "first = Gather<axis=1>(x, zero); highest = ReduceMax<axes=[1], keepdims=0>(first)"
MASK = f"{HIGHEST}; mask = Less(highest, root)"
PLACES = "n = NonZero(mask); places = Transpose(n)"
AGAIN = "m = NonZero(mask); places2 = Transpose(m)"
TAKEN = f"{MASK}; {PLACES}; some = GatherND(x, places)"
CHANGED = "t = Tanh(some); changed = Softmax<axis=1>(t)"
OTHER = "mask2 = Greater(highest, root); m = NonZero(mask2)"
BACK = "y = ScatterND(x, places, changed)"
COLUMN = "f = Cast<to=1>(places); column = Unsqueeze(f, one)"
SUBSETS = {
    "gathered": f"{TAKEN}; {CHANGED}; {BACK}",
    "twice": f"{MASK}; {PLACES}; {AGAIN}; some = GatherND(x, places2); {CHANGED}; {BACK}",
    "squeezed": f"{MASK}; {PLACES}; list = Squeeze(n, zeros); some = Gather(x, list); {CHANGED};"
    + BACK,
    "compressed": f"{MASK}; {PLACES}; some = Compress<axis=0>(x, mask); {CHANGED}; {BACK}",
}
MIXED_SUBSETS = {
    "mixed within": f"{TAKEN}; changed = Softmax<axis=0>(some); {BACK}",
    "put in other places": f"{TAKEN}; {CHANGED}; {OTHER}; places2 = Transpose(m);"
    "y = ScatterND(x, places2, changed)",
    "left as they are": f"{MASK}; {PLACES}; y = GatherND(x, places)",
    "as data": f"{MASK}; {PLACES}; f = Cast<to=1>(places); s = ReduceSum(f); y = Add(x, s)",
    "their numbers as values": f"{TAKEN}; {COLUMN}; changed = Add(some, column); {BACK}",
    "their numbers into a table": f"{TAKEN}; list = Squeeze(n, zeros);"
    f"f = Gather<axis=1>(numbers, list); g = Reshape(f, standing); changed = Add(some, g); {BACK}",
    "their numbers compared": f"{TAKEN}; late = Less(places, one); late3 = Unsqueeze(late, one);"
    f"changed = Where(late3, some, root); {BACK}",
    "their numbers through a branch": f"{TAKEN}; {AGAIN}; high = ReduceMax<keepdims=0>(position);"
    "opaque = Cast<to=9>(high); numbers2 = If<then_branch = a () => (b) {b = Identity(places)},"
    "else_branch = a () => (b) {b = Identity(places2)}>(opaque); f = Cast<to=1>(numbers2);"
    f"column = Unsqueeze(f, one); changed = Add(some, column); {BACK}",
    "how many": f"{MASK}; {PLACES}; s = Size(n); f = Cast<to=1>(s); y = Add(x, f)",
    "whether any": f"{MASK}; {PLACES}; s = Size(n); any = Greater(s, zero);y = Where(any, x, root)",
    "of two masks": f"{MASK}; {OTHER}; some = Compress<axis=0>(x, mask);"
    f"others = Compress<axis=0>(x, mask2); changed = Add(some, others); {PLACES}; {BACK}",
    "squeezed with a single one": f"{MASK}; {PLACES}; list = Squeeze(n); some = Gather(x, list);"
    f"{CHANGED}; {BACK}",
    "of values": f"mask = Less(x, root); {PLACES}; some = GatherND(x, places);"
    f"changed = Tanh(some); {BACK}",
    "of two outputs of one node": f"{MASK}; column = Unsqueeze(highest, one);"
    "columns = Concat<axis=1>(column, column); a1, b1 = Split<axis=1>(columns);"
    f"a = Squeeze(a1, one); b = Squeeze(b1, one); some = Compress<axis=0>(x, a); {CHANGED};"
    f"n = NonZero(b); places = Transpose(n); {BACK}",
}

ANY = "s = Size(places); any = Cast<to=9>(s)"


def branches(then: str, otherwise: str = "e = Identity(none)", made: str = "changed") -> str:
    return (
        f"{made} = If<then_branch = a () => (t) {{{then}}},"
        f"else_branch = a () => (e) {{{otherwise}}}>(any)"
    )


CHANGED_WITHIN = branches("h = Tanh(some) t = Softmax<axis=1>(h)")
WHERE_ANY = {
    "scattered": f"{TAKEN}; {ANY}; {CHANGED_WITHIN}; {BACK}",
    "by its values": f"{TAKEN}; s = Size(some); any = Cast<to=9>(s); {CHANGED_WITHIN}; {BACK}",
    "gathered within": f"{MASK}; {PLACES}; {ANY};"
    + branches("r = GatherND(x, places) t = Softmax<axis=1>(r)")
    + f"; {BACK}",
    # 0 rows could not tell what -1 stands for; within the branch there is one.
    "reshaped within": f"{TAKEN}; {ANY}; "
    + branches("r = Reshape(some, flat0) p = Softmax<axis=1>(r) t = Reshape(p, whole0)")
    + f"; {BACK}",
    "within those": f"{TAKEN}; {ANY}; first2 = Gather<axis=1>(some, zero); sums = "
    "ReduceSum<keepdims=0>(first2, one); inner = Greater(sums, root); q = NonZero(inner); among = "
    "Transpose(q); s2 = Size(among); any2 = Cast<to=9>(s2); z = GatherND(some, among); "
    + branches("t = Tanh(z)", made="few").replace("(any)", "(any2)")
    + f"; changed = ScatterND(some, among, few); {BACK}",
}
MIXED_WHERE_ANY = {
    "reshaped behind it": f"{TAKEN}; {ANY}; {branches('t = Tanh(some)', made='c')};"
    f"r = Reshape(c, flat0); changed = Reshape(r, whole0); {BACK}",
    "all rows": f"{TAKEN}; {ANY}; {branches('t = Tanh(x)', 'e = Identity(x)', 'y')}",
    "all rows or none": f"{TAKEN}; {ANY}; {branches('t = Tanh(x)', made='y')}",
    "mixed within": f"{TAKEN}; {ANY}; {branches('t = Softmax<axis=0>(some)')}; {BACK}",
    "where another mask has any": f"{TAKEN}; {OTHER}; s = Size(m); any = Cast<to=9>(s);"
    f"{CHANGED_WITHIN}; {BACK}",
    "of another mask": f"{TAKEN}; {ANY}; {OTHER}; others = Compress<axis=0>(x, mask2);"
    + branches("t = Tanh(others)")
    + f"; {BACK}",
    "put in other places": f"{TAKEN}; {ANY}; {OTHER}; places2 = Transpose(m); {CHANGED_WITHIN};"
    "y = ScatterND(x, places2, changed)",
    "left as they are": f"{TAKEN}; {ANY}; {branches('t = Tanh(some)', made='y')}",
    "turned about": f"{TAKEN}; {ANY}; "
    + branches("t = Identity(none)", "h = Tanh(some) e = Softmax<axis=1>(h)")
    + f"; {BACK}",
    "else a row": f"{TAKEN}; {ANY}; {branches('t = Tanh(some)', 'e = Identity(single)')}; {BACK}",
    "else of another shape": f"{TAKEN}; {ANY}; {branches('t = Tanh(some)', 'e = Identity(narrow)')}"
    f"; {BACK}",
    "a fixed row": f"{TAKEN}; {ANY}; {branches('t = Identity(single)', made='c')}; y = Add(x, c)",
    "whether any as a value": f"{TAKEN}; {ANY}; y = Where(any, x, root)",
    "whether any as a number": f"{TAKEN}; {ANY}; f = Cast<to=1>(any); y = Add(x, f)",
    "whether any as a whole number": f"{TAKEN}; {ANY}; g = Cast<to=7>(any); f = Cast<to=1>(g);"
    "y = Add(x, f)",
    "how many within": f"{TAKEN}; {ANY}; "
    + branches("f = Cast<to=1>(s) t = Mul(some, f)")
    + f"; {BACK}",
    "their numbers through the branch": f"{TAKEN}; {ANY}; "
    + branches("t = Identity(places)", "e = Identity(noplaces)", "numbers2")
    + "; f = Cast<to=1>(numbers2); column = Unsqueeze(f, one); changed = Add(some, column);"
    + BACK,
    "a mask that looks at others": "highest = ReduceMean<axes=[0, 1, 2], keepdims=0>(x); first = "
    "Gather<axis=1>(x, zero); second = Gather<axis=1>(first, zero); mask = Less(second, highest);"
    f"{PLACES}; some = GatherND(x, places); {ANY}; {CHANGED_WITHIN}; {BACK}",
}


@pytest.mark.parametrize("text", [*EXPORTED.values(), *SUBSETS.values(), *WHERE_ANY.values()])
def test_it_is_proved(text: str) -> None:
    model = rows_model(text, (TOKENS, WIDTH), WEIGHTS)
    assert proof_of(model).stopped_by is None
    assert_rows_are_independent(model, "y")


@pytest.mark.parametrize(
    "text", [*MIXING.values(), *MIXED_SUBSETS.values(), *MIXED_WHERE_ANY.values()]
)
def test_its_mixing_sibling_is_not(text: str) -> None:
    assert not proof_of(rows_model(text, (TOKENS, WIDTH), WEIGHTS)).proved
