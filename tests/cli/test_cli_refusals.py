"""Bad input: one sentence, the right exit code, no traceback, and nothing written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from commands import assert_sentence, command, done, refused

from rsonnx.cli import cli
from rsonnx.runtime.providers import provider_problem

RUN = "tiny.onnx set --sigma 0.25 --n 20 --n0 5 --alpha 0.05 --limit 1 --providers cpu"
BASE = {
    "certify": f"{RUN} -o out.jsonl",
    "predict": f"{RUN.replace(' --n0 5', '')}",
    "preview": "tiny.onnx set --sigma 0.25 --n0 5 --limit 1 --providers cpu -o out.png",
    "plan": "--sigma 0.25 --n 20 --alpha 0.05",
    "bounds": "-k 9 -n 10",
    "inspect": "tiny.onnx set --providers cpu",
    "report": "run.jsonl",
    "verify": "run.jsonl --model tiny.onnx --data set --replay 1 --providers cpu",
    "audit": "log.tsv",
}
WRONG, STRANGE = ("nan", "-1", "x\x1b[31m"), ("0", "9" * 30)


def _options() -> Iterator[tuple[str, click.Option]]:
    context = click.Context(cli)
    for name in BASE:
        found = cli.get_command(context, name)
        assert found is not None
        for option in found.params:
            if isinstance(option, click.Option) and not option.is_flag and option.nargs == 1:
                yield name, option


@pytest.fixture
def made(here: Path) -> Path:
    """A folder with a run and a log of it, beside models and data."""
    done("certify tiny.onnx set --sigma 0.25 --n 99 --seed 1 -o run.jsonl")
    done("export run.jsonl --tsv -o log.tsv")
    return here


@pytest.mark.parametrize("name", BASE)
def test_no_value_of_an_option_is_a_bug(name: str, made: Path) -> None:
    """What is no number of its kind is refused; what is, is done, or refused in a sentence."""
    kept = set(made.iterdir())
    for option in (option for owner, option in _options() if owner == name):
        flag = max(option.opts, key=len)
        numeric = isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
        for value in (*WRONG, *STRANGE) if flag != "--workers" else WRONG:  # so many would start
            outcome = command(f"{name} {BASE[name]}", flag, value)
            wrong = numeric and value in WRONG and (flag, value) != ("--threshold", "-1")
            assert outcome.code in ((1, 2) if wrong else (0, 1, 2, 4)), (flag, value)
            if outcome.code:
                assert outcome.out == "" or name in ("inspect", "verify")  # which say what they saw
                assert_sentence(outcome)
                assert set(made.iterdir()) == kept
            for path in set(made.iterdir()) - kept:
                path.unlink()


CERTIFY = "certify tiny.onnx set --sigma 0.25 --n 100 --providers cpu -o out.jsonl "
NOISY = "certify image.onnx grey.npz --providers cpu --noise "
PAIRED = "certify pair.onnx grey.npz --providers cpu --noise "
COUNTED = f"{PAIRED}columns,width=2 "
PLAN = "plan --sigma 0.5 "
TARGET = f"{PLAN}--target-radius 0.5 "
PREVIEW = "preview tiny.onnx set --providers cpu -o out.png "
REFUSED: list[tuple[str, int, str]] = [
    # What is not there, or is something else.
    ("certify no.onnx set --sigma 1", 2, "no.onnx"),
    ("certify tiny.onnx nowhere --sigma 1", 2, "nowhere"),
    ("certify text.onnx set --sigma 1", 4, "text.onnx"),
    ("certify tiny.onnx sizes --sigma 1", 1, "9x9"),
    ("certify tiny.onnx broken --sigma 1", 1, "3.png"),
    ("certify tiny.onnx labels.npz --sigma 1", 1, "label 10"),
    ("certify tiny.onnx nan.npz --sigma 1", 1, "NaN"),
    ("certify tiny.onnx bytes.npz --sigma 1", 1, "0 to 1"),
    ("certify undeclared.onnx set --sigma 1", 2, "preprocessing"),
    (f"{CERTIFY}--classes no.txt", 2, "no.txt"),
    ("report no.jsonl", 2, "no.jsonl"),
    ("report plain/0.png", 1, "plain/0.png"),
    ("inspect no.onnx", 2, "no.onnx"),
    ("inspect text.onnx", 4, "text.onnx"),
    ("audit .", 2, "is not a file"),
    ("export no.jsonl --tsv -o x", 2, "no.jsonl"),
    ("export log.tsv --tsv -o x", 1, "log.tsv"),
    ("verify run.jsonl --attestation no.json", 2, "no.json"),
    ("verify run.jsonl --attestation set", 2, "set is no file"),
    (f"{CERTIFY}--commit set --beacon {'0f' * 16}", 2, "set is no file"),
    ("merge run.jsonl no.jsonl -o x", 2, "no.jsonl"),
    (f"{PLAN}--model no.onnx --data set", 2, "no.onnx"),
    (f"{PLAN}--model tiny.onnx --data nowhere", 2, "nowhere"),
    (f"{PLAN}--model text.onnx --data set", 4, "text.onnx"),
    # What is not among the words that are known.
    ("certfy", 2, "certfy"),
    (f"{CERTIFY}--sigm 1", 2, "--sigm"),
    (f"{CERTIFY}--providers gpu", 2, "'gpu'"),
    (f"{CERTIFY}--preprocess imagnet", 2, "'imagnet'"),
    ("predict tiny.onnx set --sigma 1 --method x", 2, "'x'"),
    ("report run.jsonl --format word", 2, "word"),
    ("report run.jsonl --bound chernof", 2, "'chernof'"),
    ("report run.jsonl --radius both", 2, "'both'"),
    ("report run.jsonl --plot x.png --plot-kind nothing", 2, "nothing"),
    ("export run.jsonl --xls -o x", 2, "--xls"),
    # Numbers that can do nothing.
    (f"{CERTIFY}--n 9", 2, "10"),
    ("predict tiny.onnx set --sigma 1 --n 10", 2, "11"),
    (f"{CERTIFY}--sigma 127", 2, "too wide"),
    (f"{CERTIFY}--bounds 1 0", 2, "1 and 0"),
    (f"{PLAN}--n 9", 2, "10"),
    (f"{PLAN}--target-radius 2 --n 100000", 2, "218,105"),
    (f"{PLAN}--target-radius 9", 2, "3.29"),
    ("plan --sigma 1e-300 --target-radius 1e300", 2, "out of reach"),
    ("bounds -k 3 -n 2", 2, "k is 3"),
    ("bounds -k 3 -n 9 --uniform 2", 2, "2.0"),
    ("report run.jsonl --radii 1,0", 2, "ascending"),
    ("report run.jsonl --fail-under acc@0.5=60", 2, "0 to 1"),
    ("audit log.tsv --alpha 1", 2, "alpha"),
    (f"{PREVIEW}--sigma 1,2,3,4,5,6,7,8,9,10,11", 2, "10"),
    (f"{PREVIEW}--sigma 1 --limit 51", 2, "50"),
    (f"{PREVIEW}--sigma .25 .5", 2, ".5"),
    (f"{CERTIFY}--seed 1 --shard 3/2", 2, "3/2"),
    (f"{CERTIFY}--seed 1 --shard 1/{'9' * 300}", 2, "3/8"),
    (f"{CERTIFY}--seed 1 --samples 5:5", 2, "5:5"),
    (f"{CERTIFY}--seed 1 --samples 0:101", 2, "0:101"),
    # Too little.
    ("certify tiny.onnx set", 2, "--sigma"),
    ("report", 2, "RUN"),
    ("audit", 2, "LOG"),
    ("merge -o x", 2, "PART"),
    ("bounds -n 5", 2, "-k"),
    ("plan --sigma 0.5", 2, "--target-radius"),
    ("plan --n 100", 2, "--sigma"),
    (f"{PLAN}--n 99 --model tiny.onnx", 2, "--data"),
    (f"{PLAN}--n 99 --data set", 2, "--model"),
    ("export run.jsonl -o x", 2, "--tsv"),
    ("export run.jsonl --tsv", 2, "--output"),
    ("verify run.jsonl --replay 5", 2, "--model"),
    ("verify run.jsonl --data set", 2, "--model"),
    (PREVIEW, 2, "--sigma"),
    (f"{CERTIFY}--shard 1/2", 2, "--seed"),
    (f"{CERTIFY}--samples 0:10", 2, "--seed"),
    ("certify tiny.onnx set --sigma 1 --resume", 2, "-o"),
    ("certify tiny.onnx set --sigma 1 --n 99 --seed 1 --samples 0:9", 2, "-o"),
    ("report run.jsonl --paired", 2, "two"),
    ("report run.jsonl --plot-kind radii", 2, "--plot"),
    ("report run.jsonl --data set", 2, "--html"),
    # What goes not together.
    (f"{CERTIFY}--first", 2, "limit"),
    (f"{CERTIFY}--sample 1", 2, "limit"),
    (f"{CERTIFY}--limit 3 --sample 1 --first", 2, "sample"),
    (f"{CERTIFY}--limit 3 --sample 1 --skip-every 2", 2, "sample"),
    (f"{CERTIFY}--seed 1 --samples 0:9 --adaptive", 2, "--shard"),
    (f"{CERTIFY}--devices 0", 2, "--devices"),
    (f"{CERTIFY}--devices 1,1", 2, "1"),
    (f"{CERTIFY}--tf32", 2, ""),
    (f"{CERTIFY}--address x:1", 2, "--address"),
    (f"{CERTIFY}--gpus-per-worker 1", 2, "--gpus-per-worker"),
    (f"{CERTIFY}--engine ray --devices 0", 2, "--gpus-per-worker"),
    (f"{PLAN}--n 99 --limit 3", 2, "--limit"),
    (f"{TARGET}--seed 3", 2, "--seed"),
    (f"{TARGET}--classes c.txt", 2, "--classes"),
    (f"{TARGET}--bounds 0 1", 2, "--bounds"),
    ("report run.jsonl --json --format csv", 2, "--format csv"),
    ("report run.jsonl log.tsv --paired", 2, "log.tsv"),
    ("report log.tsv --alpha 0.01 --radius two-sided", 2, "--alpha and --radius, or the log"),
    ("report run.jsonl ./run.jsonl --paired", 2, "run.jsonl"),
    ("report log.tsv --fail-under acr=0", 2, "--fail-under"),
    ("report log.tsv --fail-over abstain=1", 2, "--fail-over"),
    ("report run.jsonl --fail-over acr=1", 2, "abstain"),
    ("report run.jsonl --fail-under acr=baseline", 2, "--baseline"),
    ("report run.jsonl --baseline log.tsv --fail-under acr=baseline", 2, "log.tsv"),
    ("report run.jsonl --baseline run.jsonl --fail-under acr=baseline", 2, "one run"),
    ("report run.jsonl --baseline run.jsonl", 2, "--fail-under"),
    ("report run.jsonl --junit new.xml", 2, "--fail-under"),
    ("report run.jsonl --github", 2, "--fail-under"),
    ("report run.jsonl --fail-under acr=0 --junit run.jsonl", 2, "run.jsonl"),
    ("report log.tsv --card x.md", 2, "--card"),
    ("report log.tsv --html x.html", 2, "--html"),
    ("report log.tsv --plot x.svg --plot-kind samples", 2, "log.tsv"),
    ("report log.tsv --top-k 5", 2, "log.tsv"),
    ("report run.jsonl --top-k 5 --paired", 2, "--paired"),
    # Radii that counts cannot support.
    ("report run.jsonl --bound wilson", 2, "wilson"),
    ("report run.jsonl --bound randomized-clopper-pearson", 2, "uniform"),
    ("report two.jsonl --bound hoeffding", 2, "clopper-pearson"),
    ("report target.jsonl --alpha 0.01", 2, "fixed n"),
    ("report target.jsonl --bound hoeffding", 2, "target.jsonl"),
    ("report run.jsonl target.jsonl --radius two-sided", 2, "target.jsonl"),
    ("report target.jsonl --top-k 2", 2, "target.jsonl"),
    # Outputs that cannot be.
    (f"{CERTIFY}-o nowhere/run.jsonl", 2, "nowhere"),
    (f"{CERTIFY}-o {'a' * 300}", 2, "too long"),
    (f"{CERTIFY}-o run.jsonl", 2, "run.jsonl"),
    ("merge run.jsonl -o run.jsonl", 2, "run.jsonl"),
    ("export run.jsonl --tsv -o run.jsonl", 2, "run.jsonl"),
    ("attest run.jsonl -o run.jsonl", 2, "run.jsonl"),
    *((f"report run.jsonl --{option} run.jsonl", 2, "run.jsonl") for option in ("card", "html")),
    *((f"report no.jsonl --plot {'a' * 300}.{end}", 2, "too long") for end in ("png", "pdf")),
    ("report run.jsonl --plot x.gif", 2, ".png"),
    ("report run.jsonl --plot no/x.png", 2, "no"),
    ("report run.jsonl --card x.svg --plot x.svg", 2, "same file"),
    ("report run.jsonl --html x.html --data no", 2, "no"),
    ("report run.jsonl --html x.html --data run.jsonl", 1, "run.jsonl"),
    ("bounds -k 9 -n 10 --plot x.gif", 2, ".png"),
    ("bounds -k 9 -n 10 --plot none/x.svg", 2, "none"),
    *((f"{PREVIEW}--sigma 1 -o {name}", 2, name) for name in ("a.jpg", "a", "no/a.png", "run.png")),
    # Noise that is none, or not for this model or data.
    (f"{NOISY}cauchy", 2, "cauchy"),
    (f"{NOISY}{'x' * 999}", 2, "xxx"),
    (f"{NOISY}laplace,3", 2, "laplace"),
    (f"{NOISY}laplace,name=3", 2, "laplace"),
    (f"{NOISY}laplace,sigma=1", 2, "sigma=1"),
    (f"{NOISY}laplace,lambda=1", 2, "lambda=1"),
    (f"{NOISY}laplace", 2, "--sigma or --lambda"),
    (f"{NOISY}splitting", 2, "--lambda"),
    (f"{NOISY}laplace --sigma 1 --lambda 1", 2, "lambda"),
    (f"{NOISY}laplace --sigma 1 --norm l7", 2, "l1 or linf"),
    (f"{NOISY}gaussian --lambda 1", 2, "lambda"),
    (f"{NOISY}splitting --sigma 0.3", 2, "lambda"),
    (f"{NOISY}splitting --lambda 0.301", 2, "0.301"),
    (f"{NOISY}splitting --lambda 1 --norm l2", 2, "l1"),
    (f"{NOISY}pareto,a=1e400 --sigma 1", 2, "1e400"),
    (f"{NOISY}power-linf --sigma 1", 2, "--noise power-linf,a="),
    (f"{NOISY}power-linf,a=64 --sigma 1", 2, "above 64"),
    (f"{NOISY}exp-l2 --sigma 1e300", 2, "1e+30"),
    (f"{NOISY}flips,keep=0.5,values=2", 1, "type"),
    (f"{NOISY}columns,width=2", 2, "x and 1 - x"),
    (f"{NOISY}laplace --sigma-per-feature sigmas.txt", 2, "--noise"),
    (f"{NOISY}gaussian --lambda 1 --sigma-per-feature sigmas.txt", 2, "--lambda"),
    (f"{NOISY}gaussian-per-feature", 2, "--sigma-per-feature"),
    (f"{PAIRED}columns,layout=3", 2, "layout=3"),
    (f"{PAIRED}columns,width=1_0", 2, "1_0"),
    (f"{PAIRED}columns,width=1.5", 2, "1.5"),
    (f"{PAIRED}columns,width=9", 2, "9"),
    (f"{PAIRED}ablation,keep=2,keep=3", 2, "keep=3"),
    (f"{PAIRED}ablation,keep=64", 2, "63"),
    (f"{PAIRED}ablation,keep=5 --target-radius 99", 2, "at most"),
    ("certify codes.onnx codes.npz --noise flips,keep=nan,values=4", 2, "nan"),
    ("certify codes.onnx codes.npz --noise flips,keep=1,values=4", 2, "keep is 1"),
    ("certify codes.onnx codes.npz --noise columns,width=2", 2, "12"),
    ("certify codes.onnx bits.npz --noise flips,keep=0.5,values=9", 2, "8 apart"),
    ("certify bits.onnx bits.npz --sigma-per-feature sigmas.txt", 1, "12"),
    ("certify image.onnx grey_off.npz --noise splitting --lambda 0.5", 1, "grid"),
    *((f"{COUNTED}{more}", 2, "--" + more.split()[0][2:]) for more in ("--n 9", "--alpha 0.1")),
    *((f"{COUNTED}{more}", 2, "") for more in ("--adaptive", "--family-wise", "--share-noise")),
    ("predict pair.onnx grey.npz --noise columns,width=2", 2, "in full"),
    *(
        (f"{PREVIEW}--sigma 1 --noise {law}", 2, law[:7])
        for law in ("splitting", "ablation,keep=3")
    ),
    ("plan --noise columns,width=4", 2, "--input-shape"),
    ("plan --noise laplace --sigma 1 --norm linf --n 99", 2, "--input-shape"),
    ("plan --noise splitting --lambda 2 --n 100", 2, "--n"),
    ("plan --noise blocks,width=4 --input-shape 2,28,2", 2, "both"),
    ("plan --noise blocks,width=4 --input-shape 2,0,28", 2, "at least 1"),
    ("plan --noise blocks,width=4 --input-shape x", 2, "'x'"),
    ("plan --noise uniform --lambda 1 --target-radius 1", 2, "out of reach"),
]


@pytest.fixture(scope="module")
def crowded(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of the workshop, runs by several rules, a log and a picture."""
    here = tmp_path_factory.mktemp("crowded")
    for path in workshop.iterdir():
        (here / path.name).symlink_to(path)
    words = "certify tiny.onnx set --sigma 0.25 --n 99 --seed 1 --limit 2 -o"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        done(words, "run.jsonl")
        done(words, "two.jsonl", "--radius", "two-sided")
        done(words, "target.jsonl", "--target-radius", "0.1")
        done("export run.jsonl --tsv -o log.tsv")
    (here / "run.png").write_text("precious")
    return here


@pytest.mark.parametrize(("words", "code", "named"), REFUSED, ids=[w[:70] for w, *_ in REFUSED])
def test_what_cannot_be_is_refused_in_a_sentence(
    words: str, code: int, named: str, crowded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(crowded)
    refused(words, code=code, named=named)


@pytest.mark.skipif(provider_problem("CUDAExecutionProvider") is None, reason="CUDA works here")
def test_cuda_is_refused_where_it_does_not_work(here: Path) -> None:
    refused(CERTIFY, "--providers", "cuda", code=4, named="cuda")
    refused(CERTIFY.replace("cpu", "cuda"), "--devices", "all", code=4)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere"
)
def test_an_output_in_an_unwritable_folder(here: Path) -> None:
    (here / "locked").mkdir(mode=0o500)
    refused(CERTIFY, "-o", "locked/run", named="not writable")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_that_nobody_writes_to_is_refused(here: Path) -> None:
    os.mkfifo("pipe")
    for words in ("report pipe", "verify pipe", "audit pipe", "certify tiny.onnx pipe --sigma 1"):
        refused(words, named="pipe")
