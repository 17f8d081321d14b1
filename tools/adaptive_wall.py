"""Wall time of adaptive against fixed certification of one target radius, on a real model.

    python tools/adaptive_wall.py sample_models/mnist_gaussian_0.50.onnx \
        sample_models/mnist_test_500 --sigma 0.5 --target-radius 0.5 --limit 40

Each input is certified with n samples and then adaptively, in turn, in one process, so that the
load of the machine touches both alike. Printed are the ratio of the two sums of wall time, the
samples, and on how many inputs the decision at the target differs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import rsonnx
from rsonnx.data import open_dataset
from rsonnx.runs import prepare_job
from rsonnx.runs.sample import Sample


def main() -> None:
    """Print the ratio of wall times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sigma", type=float, required=True)
    parser.add_argument("--target-radius", type=float, required=True)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=40)
    arguments = parser.parse_args()
    job = prepare_job(
        rsonnx.load(arguments.model),
        arguments.sigma,
        open_dataset(arguments.data),
        sample=Sample(arguments.limit),
    )
    seconds, samples, differ = [0.0, 0.0], [0, 0], 0
    for index in job.indices:
        point = job.point(index)
        reached = []
        for way, targets in enumerate((None, [arguments.target_radius])):
            start = time.perf_counter()
            found = job.smoothed.certify(point, n=arguments.n, target_radii=targets, seed=1)
            seconds[way] += time.perf_counter() - start
            samples[way] += found.n0 + found.n
            reached.append(found.radius >= arguments.target_radius)
        differ += reached[0] != reached[1]
    count = len(job.indices)
    print(f"fixed     {seconds[0]:8.2f} s  {samples[0] / count:9,.0f} samples an input")
    print(f"adaptive  {seconds[1]:8.2f} s  {samples[1] / count:9,.0f} samples an input")
    print(f"ratio of wall time: {seconds[0] / seconds[1]:.1f}")
    print(f"ratio of samples:   {samples[0] / samples[1]:.1f}")
    print(f"decided otherwise on {differ} of {count} inputs")


if __name__ == "__main__":
    main()
