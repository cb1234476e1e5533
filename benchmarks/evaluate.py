"""How often intervals hold the truth, in simulations whose truth is known; and how fast the bootstrap is.

    python -m benchmarks.evaluate [--replicates 1000] [--speed]

Cross-validated scores: labelled pixels in blocks, whose errors depend on each other (each block has its own mixture of
classes and its own difficulty). Intervals of a bootstrap over blocks, for few and many blocks, by plain percentiles, by
BCa, and by BCa as the kit has it, widened for few blocks. Once with blocks that are independent, once with a difficulty
that reaches over to the neighbouring blocks, which no bootstrap over blocks knows of.
Probability samples: points drawn from a map whose truth is known.
With --speed the bootstrap is timed and nothing else, in seconds; simulations take minutes and are not timed.
"""

import argparse
import functools
import time

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

from benchmarks import report
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.evaluate import accuracy, assisted, bootstrap, design

SHARES = np.array([0.5, 0.3, 0.15, 0.05])
RIGHT = np.array([0.9, 0.8, 0.75, 0.55])
"""Of each class: its part of the land, and how often it is mapped right."""
BLOCKS = (10, 20, 40, 80, 160)
WATCHED = {"overall": 0, "macro-F1": 1, "kappa": 2, "F1 of the rarest class": len(accuracy.WHOLE) + 3 * 4 - 1}
"""Scores that are watched, by their place in `accuracy.scores`."""
SCHEME = Scheme("x", "X", tuple(LandClass(i, f"class {i}", "#000000") for i in range(1, 5)))


def simulate(generator: np.random.Generator, blocks: int, reach: float = 0.0) -> npt.NDArray[np.int64]:
    """Draw the confusion matrices of blocks, (block, true, predicted).

    Parameters
    ----------
    reach
        How far difficulty reaches over to neighbouring blocks, in blocks; 0: not at all.
    """
    size = len(SHARES)
    if reach:
        side = int(np.ceil(np.sqrt(blocks)))
        field = ndimage.gaussian_filter(generator.normal(size=(side, side)), reach, mode="wrap")
        difficulty = 0.8 * (field / field_spread(side, reach)).ravel()[:blocks]
    else:
        difficulty = generator.normal(0, 0.8, blocks)
    mixture = generator.dirichlet(3 * SHARES, blocks)
    pixels = generator.multinomial(generator.poisson(60, blocks) + 5, mixture)
    chance = 1 / (1 + np.exp(-(np.log(RIGHT / (1 - RIGHT)) + difficulty[:, None])))
    right = generator.binomial(pixels, chance)
    matrices = np.zeros((blocks, size, size), np.int64)
    for true in range(size):
        others = [c for c in range(size) if c != true]
        matrices[:, true, others] = generator.multinomial(
            pixels[:, true] - right[:, true], SHARES[others] / SHARES[others].sum()
        )
        matrices[:, true, true] = right[:, true]
    return matrices


def field_spread(side: int, reach: float) -> float:
    """Return the standard deviation that smoothing leaves of white noise of a standard deviation of 1."""
    impulse = np.zeros((side, side))
    impulse[0, 0] = 1
    return float(np.sqrt((ndimage.gaussian_filter(impulse, reach, mode="wrap") ** 2).sum()))


@functools.cache
def true_scores() -> npt.NDArray[np.float64]:
    """Return the scores of very many blocks."""
    return accuracy.scores(simulate(np.random.default_rng(0), 400_000).sum(axis=0))


def ends(matrices: npt.NDArray[np.int64], seed: int) -> dict[str, tuple[npt.NDArray, npt.NDArray]]:
    """Return 95 % intervals of all scores, by how they are made."""
    blocks, whole = len(matrices), matrices.sum(axis=0)
    times = bootstrap.resample(blocks, 1000, seed).astype(float)
    many = accuracy.scores((times @ matrices.reshape(blocks, -1)).reshape(-1, *whole.shape))
    value, left_out = accuracy.scores(whole), accuracy.scores(whole - matrices)
    # What the kit's widening makes 95 % of gives plain BCa.
    plain = 2 * stats.t.cdf(stats.norm.ppf(0.975) / np.sqrt(blocks / (blocks - 1)), blocks - 1) - 1
    return {
        "percentiles": tuple(np.sort(np.nan_to_num(many), axis=0)[[24, 974]]),
        "BCa": bootstrap.interval(value, many, left_out, plain),
        "BCa, widened (the kit)": bootstrap.interval(value, many, left_out, 0.95),
    }


def cover_blocks(blocks: int, replicates: int, reach: float = 0.0) -> dict[str, npt.NDArray[np.float64]]:
    """Return how often intervals hold the truth, by how they are made, for each of `WATCHED`."""
    generator, truth = np.random.default_rng(blocks), true_scores()[list(WATCHED.values())]
    held: dict[str, npt.NDArray[np.float64]] = {}
    for seed in range(replicates):
        for how, (low, high) in ends(simulate(generator, blocks, reach), seed).items():
            low, high = low[list(WATCHED.values())], high[list(WATCHED.values())]
            held[how] = held.get(how, np.zeros(len(WATCHED))) + ((low <= truth) & (truth <= high))
    return {how: times / replicates for how, times in held.items()}


LAND = np.array(
    [[0.45, 0.02, 0.02, 0.001], [0.03, 0.24, 0.02, 0.001], [0.02, 0.01, 0.16, 0.002], [0.001, 0, 0.002, 0.023]]
)
"""Parts of a map by mapped and true class; the last class is rare, and sometimes overlooked in the large ones."""


def cover_points(points: int, replicates: int, how: str) -> dict[str, npt.NDArray[np.float64]]:
    """Return how often 95 % intervals from a stratified sample hold the truth, by measure and class."""
    generator, land = np.random.default_rng(points), LAND / LAND.sum()
    weights = land.sum(axis=1)
    truth = design.estimate_stratified(np.round(land * 1e9), weights)
    held = {name: np.zeros(4) for name in ("users_accuracy", "producers_accuracy", "area_share")}
    for _ in range(replicates):
        counts = np.stack([generator.multinomial(points, row / row.sum()) for row in land])
        found = design.estimate_stratified(counts, weights)
        for name in held:
            if how == "normal":
                low, high = found[name] - 1.96 * found[f"{name}_se"], found[name] + 1.96 * found[f"{name}_se"]
            else:
                low, high = found.interval(name, how=how)
            held[name] += (low <= truth[name]) & (truth[name] <= high)
    return {name: times / replicates for name, times in held.items()}


def compare_areas(points: int, replicates: int) -> tuple[list[float], list[float]]:
    """Return mean standard errors and coverage of class areas: points alone, post-stratified, with probabilities."""
    generator = np.random.default_rng(7)
    probability = generator.dirichlet(0.35 * np.ones(4), 100_000)
    true = (generator.random(100_000)[:, None] > probability.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    mapped, share = probability.argmax(axis=1), np.bincount(true) / 100_000
    pixels = np.bincount(mapped)
    means = np.stack([probability[mapped == h].mean(axis=0) for h in range(4)])
    errors, held = np.zeros(3), np.zeros(3)
    for _ in range(replicates):
        some = generator.choice(100_000, points, replace=False)
        seen, predicted, stratum = np.eye(4)[true[some]], probability[some], mapped[some]
        for i, found in enumerate(
            (
                assisted.estimate(seen, predicted, 0 * stratum, [1.0], probability.mean(axis=0)[None], power=0.0),
                assisted.estimate(seen, predicted, stratum, pixels, means, power=0.0),
                assisted.estimate(seen, predicted, stratum, pixels, means),
            )
        ):
            errors[i] += found.se.mean()
            held[i] += (abs(found.value - share) <= 1.96 * found.se).mean()
    return (errors / replicates).tolist(), (held / replicates).tolist()


def speed() -> tuple[float, float]:
    """Return the seconds of 1000 resamples of 10 runs × 500 blocks × 12 classes: on the clock, and of processors."""
    scheme = Scheme("x", "X", tuple(LandClass(i, f"class {i}", "#000000") for i in range(1, 13)))
    matrices = np.random.default_rng(1).integers(0, 9, (10, 500, 12, 12))
    start, used = time.perf_counter(), time.process_time()
    runs = {
        str(i): accuracy.assess(each, scheme, confidence=0.95, resamples=1000, seed=1)
        for i, each in enumerate(matrices)
    }
    accuracy.compare(runs, 0.95)
    return time.perf_counter() - start, time.process_time() - used


def publish_speed() -> None:
    """Time the bootstrap five times, after once for what is loaded then."""
    speed()
    rows: list[list[object]] = [[10, 500, 12, 1000, *speed()] for _ in range(5)]
    columns = ["runs", "blocks", "classes", "resamples", "seconds on the clock", "seconds of processors"]
    note = "All scores of all runs with their intervals, and all pairs of runs compared. Each row is one more time. "
    note += "Measured alone on the machine: the load is that of the minutes before."
    report.publish("bootstrap", "How long the bootstrap takes", columns, rows, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--speed", action="store_true", help="time the bootstrap alone")
    arguments = parser.parse_args()
    if arguments.speed:
        publish_speed()
        return
    replicates = arguments.replicates
    columns = ["what", "how many", "interval", "number", "coverage, %"]
    rows: list[list[object]] = []
    for reach, sizes, what in (
        (0.0, BLOCKS, "blocks, independent of each other"),
        (0.7, BLOCKS[2:], "blocks, difficulty reaches over"),
    ):
        for blocks in sizes:
            for how, times in cover_blocks(blocks, replicates, reach).items():
                rows += [[what, blocks, how, name, round(100 * t, 1)] for name, t in zip(WATCHED, times, strict=True)]
    for points in (25, 50, 100, 200):
        for how in ("normal", "logit", "wilson"):
            for name, times in cover_points(points, replicates, how).items():
                rows.append(
                    ["points in each of 4 strata", points, how, f"{name}, rare class", round(100 * times[3], 1)]
                )
                rows.append(
                    ["points in each of 4 strata", points, how, f"{name}, others", round(100 * min(times[:3]), 1)]
                )
    errors, held = compare_areas(200, replicates)
    names = ("points alone", "post-stratified", "with the map's probabilities")
    rows += [
        ["points, simple random", 200, n, "class areas", round(100 * h, 1)] for n, h in zip(names, held, strict=True)
    ]
    note = (
        f"{replicates} replicates each; coverage of 95 % intervals, of which 93–97 % is wanted. Of classes, the "
        f"rarest, and of the others the least. `benchmarks/evaluate.py` says how it was simulated.\n\n"
        f"Mean standard error of class areas from 200 points of a simple random sample: "
        f"{', '.join(f'{n} {e:.4f}' for n, e in zip(names, errors, strict=True))}.\n\n"
        f"How long the bootstrap takes: [bootstrap.md](bootstrap.md)."
    )
    report.publish("evaluate", "How often intervals hold the truth", columns, rows, note)


if __name__ == "__main__":
    main()
