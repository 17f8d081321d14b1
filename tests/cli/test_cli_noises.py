"""Every noise from the command line: what the model tells it, what suits, what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import done, refused
from onnx_models import linear, save

from rsonnx.noise import NOISES
from rsonnx.runs import read_run

ASKED = {
    "laplace": "image.onnx grey.npz --noise laplace --sigma 0.25",
    "uniform": "image.onnx grey.npz --noise uniform --lambda 0.5",
    "exp-l2": "image.onnx grey.npz --noise exp-l2 --sigma 0.25",
    "ball": "image.onnx grey.npz --noise ball --lambda 1",
    "brightness": "image.onnx grey.npz --noise brightness --sigma 0.1",
    "contrast": "image.onnx grey.npz --noise contrast --sigma 0.05",
    "brightness-contrast": "image.onnx grey.npz --noise brightness-contrast,contrast=0.02 "
    "--sigma 0.05",
    "blur": "image.onnx grey.npz --noise blur --lambda 2",
    "translation": "image.onnx grey.npz --noise translation --sigma 2",
    "columns": "pair.onnx grey.npz --noise columns,width=2",
    "blocks": "pair_last.onnx tall.npz --noise blocks,width=2",
    "ablation": "pair.onnx grey.npz --noise ablation,keep=5",
    "flips": "codes.onnx codes.npz --noise flips,keep=0.8,values=4",
}


def words(name: str) -> str:
    samples = "" if name in ("columns", "blocks") else "--n 200"
    return f"{ASKED[name]} {samples} --seed 3 --providers cpu"


def test_the_model_tells_layout_channels_and_size(here: Path) -> None:
    for name, layout in (("columns", "NCHW"), ("blocks", "NHWC"), ("ablation", "NCHW")):
        done(f"certify {words(name)} --limit 1 -o {name}.jsonl")
        parameters = read_run(here / f"{name}.jsonl").header.record["noise"]["parameters"]
        assert (parameters["layout"], parameters.get("channels", 1)) == (layout, 1)
    done("certify flatpair.onnx bits.npz --noise ablation,keep=5 --n 200 -o flat.jsonl")
    assert read_run(here / "flat.jsonl").header.record["noise"]["parameters"] == {
        "keep": 5, "channels": 1, "layout": None, "norm": "l0", "size": 12,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("ablation", "--adaptive", "1, 2, 3, 4, 5, 6, 7"),
        ("ablation", "--target-radius 3", "radii 3"),
        ("ablation", "--radius two-sided", "two-sided"),
        ("laplace", "--radius two-sided --norm linf", "two-sided"),
        ("exp-l2", "--share-noise --target-radius 0.1", "radii 0.1"),
        ("uniform", "--family-wise", "alpha = 0.00025"),
        ("brightness", "--adaptive --share-noise", "brightness"),
        ("contrast", "--radius two-sided", "two-sided"),
        ("brightness-contrast", "--target-radius 0.05", "radii 0.05"),
        ("blur", "--adaptive", "blur"),
        ("translation", "--radius two-sided", "two-sided"),
    ],
)
def test_every_way_to_certify_goes_with_other_noise(
    name: str, more: str, said: str, here: Path
) -> None:
    assert said in done(f"certify {words(name)} {more} -o run.jsonl").err
    assert all(row.label == row.prediction for row in read_run(here / "run.jsonl").rows)
    done("verify run.jsonl")


def test_predict(here: Path) -> None:
    for name in ("laplace", "ball", "ablation", "flips", "brightness", "blur", "translation"):
        found = done(f"predict {words(name)} --n 1000 --json").lines()
        assert [one["prediction"] for one in found] == [0, 1, 2, 3]


TRANSFORMED = ("brightness", "contrast", "brightness-contrast", "blur", "translation")


@pytest.mark.parametrize("name", TRANSFORMED)
def test_a_transformation_is_certified_in_parts_resumed_replayed_and_reported(
    name: str, here: Path
) -> None:
    model, data = ASKED[name].split()[:2]
    done(f"certify {words(name)} -o whole.jsonl")
    for part in (1, 2):
        done(f"certify {words(name)} --shard {part}/2 -o {part}.jsonl")
    done("merge 1.jsonl 2.jsonl -o merged.jsonl")
    whole, merged = read_run(here / "whole.jsonl"), read_run(here / "merged.jsonl")
    assert [row.counts for row in merged.rows] == [row.counts for row in whole.rows]
    (here / "cut.jsonl").write_bytes(
        b"".join((here / "whole.jsonl").read_bytes().splitlines(True)[:3])
    )
    done(f"certify {words(name)} --resume -o cut.jsonl")
    assert [row.radius for row in read_run(here / "cut.jsonl").rows] == [
        row.radius for row in whole.rows
    ]
    replay = done(f"verify whole.jsonl --model {model} --data {data} --replay 4 --json").json()
    assert [row["differing"] for row in replay["replay"]["rows"]] == [0] * 4
    assert replay["proved"] == (0 if name in ("blur", "brightness-contrast") else 4)
    exact = name in ("brightness", "translation")
    assert whole.header.arithmetic == ("exact" if exact else "float")
    report = done("report whole.jsonl --html page.html --card card.md --details").said
    assert whole.header.noise.units(0, 1) in report
    assert ("float noise" in report) != exact
    for told in (report, (here / "page.html").read_text(), (here / "card.md").read_text()):
        assert name in told
    refused("report whole.jsonl --top-k 2", named=name)
    refused(f"certify {ASKED[name]} --procedure exact", named=name)


def test_a_contrast_is_short_for_its_noise(here: Path) -> None:
    given = "image.onnx grey.npz --sigma 0.05 --n 100 --seed 3 --providers cpu"
    done(f"certify {given} --contrast 0.02 --noise brightness-contrast -o a.jsonl")
    done(f"certify {given} --contrast 0.02 -o b.jsonl")
    done(f"certify {given} --noise brightness-contrast,contrast=0.02 -o c.jsonl")
    a, b, c = (read_run(here / f"{name}.jsonl") for name in "abc")
    assert a.header.noise == b.header.noise == c.header.noise
    assert [row.radius for row in a.rows] == [row.radius for row in c.rows]
    done(f"certify {given} --contrast 0.02 --resume -o c.jsonl")
    refused(f"certify {given} --noise laplace --contrast 0.02", named="contrast")
    refused(f"certify {given} --contrast 0.02 --noise brightness-contrast,contrast=0.02")
    said = done("plan --contrast 0.02 --sigma 0.05 --n 100").out
    assert said == done("plan --noise brightness-contrast,contrast=0.02 --sigma 0.05 --n 100").out


def test_what_can_certify_nothing_is_said(here: Path) -> None:
    columns = done("certify pair.onnx grey.npz --noise columns,width=5")  # 2·5 > 8
    blocks = done("certify pair_last.onnx tall.npz --noise blocks,width=4")  # 2·4² = 8·4, one more
    assert ["no radius above 0" in said.err for said in (columns, blocks)] == [True, False]


def test_the_help_lists_every_noise() -> None:
    text = done("certify --help").out.replace("gaussian-per-feature", "")
    assert set(NOISES) - {"gaussian-per-feature"} <= set(text.split())


UNIT, LEVELS, ANY = "0 1", "0 255", "-inf inf"
IMAGES = " ".join((*TRANSFORMED, "padded-translation", "rotation", "scaling"))
OWN = {"gaussian": "--sigma", "gaussian-per-feature": "--sigma-per-feature"}
OWN |= {"rotation": "--angles", "scaling": "--scales"}
SUITED = [
    ((1, 28, 28), UNIT, f"gaussian laplace uniform splitting {IMAGES}"),
    ((32, 32, 3), UNIT, f"gaussian laplace uniform splitting {IMAGES}"),
    ((3, 32, 32), LEVELS, f"gaussian laplace uniform {IMAGES}"),
    ((1, 28, 28), "-1 1", f"gaussian laplace uniform {IMAGES}"),
    ((2, 28, 28), UNIT, "columns blocks ablation"),
    ((32, 32, 6), UNIT, "columns blocks ablation"),
    ((13,), ANY, "gaussian gaussian-per-feature"),
    ((13,), UNIT, "sparse-flips gaussian gaussian-per-feature laplace"),
    ((13,), "0 9", "flips gaussian gaussian-per-feature laplace"),
    ((13,), "-4 4", "flips gaussian gaussian-per-feature laplace"),
    ((13,), "0 2.5", "gaussian gaussian-per-feature laplace"),
    ((13,), "0 1e6", "gaussian gaussian-per-feature laplace"),
]


@pytest.mark.parametrize(("shape", "bounds", "names"), SUITED)
def test_which_noise_suits(shape: tuple[int, ...], bounds: str, names: str, here: Path) -> None:
    save(linear(("n", *shape), 3), here)
    found = done(f"inspect model.onnx --json --bounds {bounds}").json()["noises"]
    assert [one["noise"] for one in found] == names.split()
    for one in found:
        assert one["norms"] == list(NOISES[one["noise"]].norms)
        assert OWN.get(one["noise"], one["noise"]) in one["options"]


def test_inspect_says_which(here: Path) -> None:
    lines = done("inspect pair.onnx").out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("noises"))
    assert lines[start].split()[1:3] == ["--noise", "columns,width=W"]  # as it was trained
    assert [line.split()[1].split(",")[0] for line in lines[start + 1 :]] == ["blocks", "ablation"]
    for model, data in (("pair", "grey"), ("pair_last", "tall")):  # shown as x and 1 - x
        found = done(f"inspect {model}.onnx {data}.npz --json").json()["preprocessings"]
        assert (found[0]["preprocess"], found[0]["right"]) == ("none", 4)


TRAINED: list[tuple[object, str, bool]] = [
    # What the metadata say, the noise that is asked for, and whether it is another one.
    ({"method": "gaussian", "sigma": 0.5}, "--sigma 0.5", False),
    ({"method": "gaussian", "sigma": 0.5}, "--sigma 0.5 --norm l1", False),
    ({"method": "gaussian", "sigma": 0.5}, "--sigma 0.25", True),
    ({"method": "gaussian", "sigma": 0.5}, "--noise laplace --sigma 0.5", True),
    ({"method": "gaussian", "sigma": 0.5}, "--sigma-per-feature sigmas.txt", True),
    ({"method": "consistency", "sigma": 0.5, "seed": 3}, "--sigma 0.25", True),
    ({"noise": "laplace", "method": "x", "sigma": 0.5}, "--noise laplace --sigma 0.5", False),
    ({"method": "splitting", "lambda": 2}, "--noise splitting,seed=4 --lambda 2", False),
    ({"method": "splitting", "lambda": 2}, "--noise splitting --lambda 1", True),
    ({"method": "gaussian"}, "--sigma 3 --bounds 0 9", False),
    ({"method": "gaussian", "sigma": float("nan")}, "--sigma 0.5", False),
    ({"method": "gaussian", "sigma": True}, "--sigma 0.5", False),
    ({"method": "gaussian", "sigma": 10**400}, "--sigma 0.5", False),
    ({"method": "smoothadv"}, "--sigma 0.5", False),
    ({"method": ["gaussian"]}, "--sigma 0.5", False),
    ([], "--sigma 0.5", False),
    ("gaussian", "--sigma 0.5", False),
]


@pytest.mark.parametrize(("training", "noise", "warned"), TRAINED)
def test_noise_that_the_model_was_not_trained_for_is_said(
    training: object, noise: str, warned: bool, here: Path
) -> None:
    stored = {"rsonnx.training": json.dumps(training), "rsonnx.preprocess": '"none"'}
    save(linear(("n", 1, 8, 8), 4, metadata=stored), here)
    n = "" if "splitting" in noise else "--n 50"
    said = done(f"certify model.onnx grey.npz {noise} {n} --limit 1 --providers cpu").err
    assert ("trained" in "".join(x for x in said.splitlines() if x.startswith("warn"))) is warned
