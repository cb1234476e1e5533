"""Accuracy against the share of labels that teach: networks beside a forest, from how much labelled land on.

    python -m benchmarks.labels [--study havelland] [--shares 100 25 …] [--crops 1 4] [--runs mlp fcn] [--folds 2]
        [--steps 400] [--seed 1] [--outputs DIR]

A share of the labelled places (connected pixels of one class, at least `LEAST` of each class in each fold's training
land) teaches; the test pixels stay the same. Forest and networks learn from the same places, the forest from those of
the study's samples that lie in them. To take minutes, not hours, some of the folds are looked at, and networks are
trained for fewer steps than in `benchmarks.deep`. Each row is written as soon as it is there.

With ``--crops`` squares of so many km² teach, all their labels and nothing else, as if that were the whole scene: of
the land that may train the first fold those with the most classes, then with the most labels of the rarest class, apart
from each other. A class counts if it has `FEW` pixels there; test pixels of others are left out for this square. The
forest learns from all of its labelled pixels, too.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks import ablation, report
from benchmarks.deep import judge, named, prepare
from lulc_kit import raster
from lulc_kit.baselines import estimators, training
from lulc_kit.deep import prediction, results
from lulc_kit.deep.scene import Scene
from lulc_kit.evaluate import accuracy
from lulc_kit.samples import Samples

LEAST = 4
"""Places of each class that teach at least."""
FEW, SQUARES = 100, 2
"""Pixels that a class has in a square at least; squares of one size."""
COLUMNS = ["study", "share", "km² of labels that teach", "model", "seed", "macro-F1", "less the forest's", "minutes"]
Mask = npt.NDArray[np.bool_]


def places(labels: npt.NDArray[np.integer], may: Mask, share: float, seed: int) -> Mask:
    """Return the pixels of a share of the labelled places of each class."""
    generator = np.random.default_rng(seed)
    out = np.zeros(labels.shape, bool)
    for value in np.unique(labels[labels > 0]):
        place, count = ndimage.label((labels == value) & may)
        chosen = 1 + generator.permutation(count)[: max(LEAST, round(share * count))]
        out |= np.isin(place, chosen)
    return out


def squares(labels: npt.NDArray[np.integer], may: Mask, side: int) -> list[tuple[slice, slice, tuple[int, ...]]]:
    """Choose squares, apart from each other, and say which classes have `FEW` pixels in each."""
    found = []
    for top in range(0, labels.shape[0] - side + 1, side // 4):
        for left in range(0, labels.shape[1] - side + 1, side // 4):
            here = np.s_[top : top + side, left : left + side]
            values, counts = np.unique(labels[here][may[here] & (labels[here] > 0)], return_counts=True)
            kept = counts >= FEW
            if kept.sum() > 1:
                found.append((int(kept.sum()), int(counts[kept].min()), here, tuple(map(int, values[kept]))))
    chosen: list[tuple[slice, slice, tuple[int, ...]]] = []
    for _, _, (rows, columns), values in sorted(found, key=lambda f: f[:2], reverse=True):
        if all(abs(rows.start - r.start) >= side or abs(columns.start - c.start) >= side for r, c, _ in chosen):
            chosen.append((rows, columns, values))
    return chosen[:SQUARES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="havelland", help="havelland by default")
    parser.add_argument("--shares", type=float, nargs="+", default=[100, 50, 25, 10, 5], help="percent")
    parser.add_argument("--crops", type=float, nargs="+", default=[], help="km², in place of shares")
    parser.add_argument("--runs", nargs="+", default=["mlp", "fcn"], help="networks of single images")
    parser.add_argument("--folds", type=int, default=2, help="how many are looked at")
    parser.add_argument("--steps", type=int, default=400, help="at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outputs", help="folder of what notebooks 01 to 05 wrote, or are to write")
    arguments = parser.parse_args()
    note = (
        "Macro-F1 (0–1), of shares on the test pixels of the folds, mean of their labels, of squares on those of the "
        "first fold, of the classes that the square has; * the interval excludes 0. Networks: of shares at most 300 "
        f"steps, of squares {arguments.steps}."
    )
    with tempfile.TemporaryDirectory() as folder:
        layout = prepare(arguments.study, Path(arguments.outputs or folder).absolute())
        samples = Samples.read(layout)
        labels, fold = np.asarray(samples.labels.data[0]), samples.codes("fold")
        known, stack = named(arguments.study), raster.read(layout.stack)
        layers, scenes, trainable = np.asarray(stack.data, np.float32), {}, samples.trainable()

        def order(what: str) -> tuple[float, str]:
            return -float(what.split()[0]), what

        def put(row: list[object]) -> None:
            key = (row[0], row[1], row[3], row[4])
            rows = report.earlier("labels", COLUMNS, lambda r: (r["study"], r["share"], r["model"], r["seed"]) == key)
            rows = sorted([*rows, row], key=lambda r: (str(r[0]), "km²" in str(r[1]), order(str(r[1])), r[3] != "rf"))
            report.publish("labels", "Accuracy against the share of labels", COLUMNS, rows, note)

        def compare(what: str, own: Samples, teach: list[Mask], leave_out: Mask) -> None:
            begin = [arguments.study, what, f"{np.mean([t.sum() for t in teach]) / 1e4:.2f}"]  # of 10 m
            start = time.perf_counter()
            forest = judge_pixels(own, layers, teach, leave_out, not arguments.crops, "rf")
            put([*begin, "rf", arguments.seed, str(forest.macro), "", (time.perf_counter() - start) / 60])
            for name in arguments.runs:
                p = known[name].model_copy(update={"seed": arguments.seed, "steps": arguments.steps})
                if name not in scenes:
                    scenes[name] = Scene(raster.read(layout.stack, p.features), samples)
                scene = scenes[name]
                scene.trainable, scene.classes = np.stack(teach), own.scheme
                run = f"labels-{name}-{what.replace(' %', '').replace(' ', '_')}"
                trained = results.train_fcn(scene, p.model_copy(update={"run": run}), layout)
                lazy = np.asarray(prediction.of_images(trained.networks, scene.features, p.flips))
                said = list(lazy.reshape(len(teach), -1, *labels.shape))
                for probabilities in said:
                    probabilities[:, leave_out] = np.nan
                found = judge(own, said, leave_out)
                minutes = float(trained.log.groupby("fold")["seconds"].max().sum()) / 60
                put([*begin, name, arguments.seed, str(found.macro), ablation.difference(found, forest), minutes])

        for size in arguments.crops:
            chosen = squares(labels, trainable[0], round(100 * size**0.5))  # pixels of 10 m
            for number, (rows, columns, values) in enumerate(chosen, 1):
                teach = np.zeros(labels.shape, bool)
                teach[rows, columns] = True
                teach &= trainable[0] & np.isin(labels, values)
                own = replace(samples, scheme=samples.scheme.subset(values))
                what = f"{size:g} km², square {number}, {len(values)} classes"
                compare(what, own, [teach], (fold != 1) | ~np.isin(labels, values))
        for percent in arguments.shares if not arguments.crops else ():
            teach = [places(labels, may, percent / 100, arguments.seed + k) for k, may in enumerate(trainable, 1)]
            compare(f"{percent:g} %", samples, teach[: arguments.folds], fold > arguments.folds)


def judge_pixels(
    samples: Samples, layers: npt.NDArray[np.float32], teach: list[Mask], leave_out: Mask, sampled: bool, model: str
) -> accuracy.Accuracy:
    """Train a model of 06 for each fold on what teaches, or its samples, and test it like the networks."""
    classifier, _, weight = estimators.build(model, {}, None, trees=100, min_leaf=3, seed=1)
    recipe, table = training.Recipe(classifier, weight), samples.table
    valid, labels = np.isfinite(layers).all(axis=0), np.asarray(samples.labels.data[0])
    fold, block, values = samples.codes("fold"), samples.codes("block"), list(samples.scheme.values)
    said = []
    for k, (rows, mask) in enumerate(zip(samples.training("fold"), teach, strict=False), 1):
        learns = mask & valid
        if sampled:
            drawn = np.zeros(mask.shape, bool)
            drawn[table["row"][rows], table["column"][rows]] = True
            learns &= drawn
        fitted, _ = training.fit(layers[:, learns].T, labels[learns], block[learns], recipe)
        here = (fold == k) & valid
        out = np.full((len(values), *fold.shape), np.nan, np.float32)
        out[:, here] = np.array(values)[:, None] == fitted.predict(layers[:, here].T)
        said.append(out)
    return judge(samples, said, leave_out)


if __name__ == "__main__":
    main()
