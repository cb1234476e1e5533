"""Accuracy against the share of labels that teach: networks beside a forest, from how much labelled land on.

    python -m benchmarks.labels [--study havelland] [--shares 100 25 …] [--runs mlp fcn] [--folds 2] [--steps 400]
        [--seed 1] [--outputs DIR]

A share of the labelled places (connected pixels of one class, at least `LEAST` of each class in each fold's training
land) teaches; the test pixels stay the same. Forest and networks learn from the same places, the forest from those of
the study's samples that lie in them. To take minutes, not hours, some of the folds are looked at, and networks are
trained for fewer steps than in `benchmarks.deep`. Each row is written as soon as it is there.
"""

import argparse
import tempfile
import time
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="havelland", help="havelland by default")
    parser.add_argument("--shares", type=float, nargs="+", default=[100, 50, 25, 10, 5], help="percent")
    parser.add_argument("--runs", nargs="+", default=["mlp", "fcn"], help="networks of single images")
    parser.add_argument("--folds", type=int, default=2, help="how many are looked at")
    parser.add_argument("--steps", type=int, default=400, help="at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outputs", help="folder of what notebooks 01 to 05 wrote, or are to write")
    arguments = parser.parse_args()
    note = (
        f"Macro-F1 (0–1) on the test pixels of {arguments.folds} folds; * the interval excludes 0. Networks: at most "
        f"{arguments.steps} steps. Labels: mean over the folds."
    )
    with tempfile.TemporaryDirectory() as folder:
        layout = prepare(arguments.study, Path(arguments.outputs or folder).absolute())
        samples = Samples.read(layout)
        labels, fold = np.asarray(samples.labels.data[0]), samples.codes("fold")
        known, stack = named(arguments.study), raster.read(layout.stack)
        layers, scenes, trainable = np.asarray(stack.data, np.float32), {}, samples.trainable()
        unseen = fold > arguments.folds

        def put(row: list[object]) -> None:
            key = (row[0], row[1], row[3], row[4])
            rows = report.earlier("labels", COLUMNS, lambda r: (r["study"], r["share"], r["model"], r["seed"]) == key)
            rows = sorted([*rows, row], key=lambda r: (str(r[0]), -float(str(r[1]).split()[0]), r[3] != "rf"))
            report.publish("labels", "Accuracy against the share of labels", COLUMNS, rows, note)

        for percent in arguments.shares:
            teach = [places(labels, may, percent / 100, arguments.seed + k) for k, may in enumerate(trainable, 1)]
            teach = teach[: arguments.folds]
            land = np.mean([t.sum() for t in teach]) / 1e4  # of 10 m
            begin = [arguments.study, f"{percent:g} %", f"{land:.2f}"]
            start = time.perf_counter()
            forest = judge_forest(samples, layers, teach, unseen)
            put([*begin, "rf", arguments.seed, str(forest.macro), "", (time.perf_counter() - start) / 60])
            for name in arguments.runs:
                p = known[name].model_copy(update={"seed": arguments.seed, "steps": arguments.steps})
                if name not in scenes:
                    scenes[name] = Scene(raster.read(layout.stack, p.features), samples)
                scene = scenes[name]
                scene.trainable = np.stack(teach)
                trained = results.train_fcn(scene, p.model_copy(update={"run": f"labels-{name}-{percent:g}"}), layout)
                lazy = np.asarray(prediction.of_images(trained.networks, scene.features, p.flips))
                said = list(lazy.reshape(len(teach), -1, *labels.shape))
                for probabilities in said:
                    probabilities[:, unseen] = np.nan
                own = judge(samples, said, unseen)
                minutes = float(trained.log.groupby("fold")["seconds"].max().sum()) / 60
                put([*begin, name, arguments.seed, str(own.macro), ablation.difference(own, forest), minutes])


def judge_forest(
    samples: Samples, layers: npt.NDArray[np.float32], teach: list[Mask], unseen: Mask
) -> accuracy.Accuracy:
    """Train a forest for each fold on the samples of the places that teach, and test it like the networks."""
    classifier, _, weight = estimators.build("rf", {}, None, trees=100, min_leaf=3, seed=1)
    recipe, table = training.Recipe(classifier, weight), samples.table
    x = layers[:, table["row"], table["column"]].T
    whole = np.isfinite(x).all(axis=1)
    label, block = table["label"].to_numpy(), table["block"].to_numpy()
    fold, values = samples.codes("fold"), list(samples.scheme.values)
    said = []
    for k, (rows, mask) in enumerate(zip(samples.training("fold"), teach, strict=False), 1):
        rows = rows & whole & mask[table["row"], table["column"]]
        fitted, _ = training.fit(x[rows], label[rows], block[rows], recipe)
        here = (fold == k) & np.isfinite(layers).all(axis=0)
        out = np.full((len(values), *fold.shape), np.nan, np.float32)
        found = fitted.predict(layers[:, here].T)
        out[:, here] = np.array(values)[:, None] == found
        said.append(out)
    return judge(samples, said, unseen)


if __name__ == "__main__":
    main()
