"""What is left of a map as dates are taken away or clouded: networks of dates beside a forest on time features.

    python -m benchmarks.dates [--study romania] [--runs forest lstm_fixed …] [--seed 1] [--steps 600]
        [--outputs DIR] [--again]

Takes networks that learnt from all dates, those that `benchmarks.deep --outputs DIR` kept, or trains them, and asks
them about series of which dates are gone, or of which clouds hide a part of each date: blobs of a smooth random field,
another one on each date.
The forest has the 10th, 50th and 90th percentile and the spread over the dates of each band, trained on all dates and
asked with those of the dates that are left. Test pixels are those of the folds that a model has not seen; a pixel that
nothing shows any more counts as wrong for all. Each row is the mean over some draws of what is gone, the same for all
models. A row is written as soon as it is there, and a run that was cut off goes on with those that are missing.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks import report
from benchmarks.deep import named, prepare, trained_network
from lulc_kit import params, run
from lulc_kit.baselines import estimators, training
from lulc_kit.deep import dated, results, sequences, storage
from lulc_kit.deep.series import Series
from lulc_kit.deep.training import macro_f1
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

SHARES, DRAWS = (0.0, 0.2, 0.4, 0.6, 0.8), 2
FOREST = "rf on time features"
BLOB = 6
"""Pixels over which the random field of clouds is smoothed."""
KINDS = ("removed", "clouded")
COLUMNS = ["study", "bands", "what", "share", "clear", "model", "macro-F1"]
NOTE = (
    f"Macro-F1 (0–1) on folds apart in space, mean over {DRAWS} draws of what is gone; no intervals. Clear: dates that "
    "show a pixel, on average."
)
Numbers = npt.NDArray[np.float32]


def reduced(series: Series, what: str, share: float, draw: int) -> Series:
    """Take a share of the dates away, or of each date's pixels."""
    generator = np.random.default_rng([draw, round(100 * share)])
    images = series.window(0, series.shape[0], 0, series.shape[1]).images
    if what == "removed":
        left = np.sort(generator.permutation(len(images))[: round(len(images) * (1 - share))])
        return Series(images[left], [series.dates[i] for i in left], series.filled)
    images = images.copy()
    for image in images if share else ():
        field = ndimage.gaussian_filter(generator.standard_normal(series.shape), BLOB)
        image[field < np.quantile(field, share)] = np.nan
    return Series(images, series.dates, series.filled)


def over_time(series: Series) -> Numbers:
    """Return percentiles and spread of each band over the dates, (layer, row, column)."""
    images = series.window(0, series.shape[0], 0, series.shape[1]).images
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what no date shows
        found = np.concatenate([np.nanpercentile(images, [10, 50, 90], axis=0), np.nanstd(images, axis=0)[None]])
    return np.moveaxis(found, (0, 3), (0, 1)).reshape(-1, *series.shape).astype(np.float32)


class Forest:
    """A forest for each fold on time features of all dates."""

    def __init__(self, samples: Samples, series: Series) -> None:
        classifier, _, weight = estimators.build("rf", {}, None, trees=100, min_leaf=3, seed=1)
        recipe, table = training.Recipe(classifier, weight), samples.table
        x = over_time(series)[:, table["row"], table["column"]].T
        whole = np.isfinite(x).all(axis=1)
        label, block = table["label"].to_numpy(), table["block"].to_numpy()
        self.models = [
            training.fit(x[rows & whole], label[rows & whole], block[rows & whole], recipe)[0]
            for rows in samples.training("fold")
        ]

    def __call__(self, series: Series, fold: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return the class of each test pixel by the forest that has not seen it, 0 for none."""
        layers = over_time(series)
        found = np.zeros(fold.shape, np.uint8)
        for k, model in enumerate(self.models, 1):
            here = (fold == k) & np.isfinite(layers).all(axis=0)
            if here.any():
                found[here] = model.predict(layers[:, here].T)
        return found


class Network:
    """The networks of a run that was kept."""

    def __init__(self, p: params.LSTM, layout: Layout, samples: Samples) -> None:
        self.p, self.samples = p, samples
        self.first = results.open_first(p, samples, layout)
        self.models = storage.load(layout.run(p.run))

    def __call__(self, series: Series, fold: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return the class of each test pixel by the network that has not seen it, 0 for none."""
        p, models = self.p, self.models
        length = p.length if p.network == "tempcnn" else min(p.length, len(series.dates))
        choice = sequences.Choice(length, p.sequences == "random", p.draws)
        if p.starts_from_fcn:
            lazy = sequences.predict(series, models, self.first.networks, choice, p.seed, p.flips)
        else:
            lazy = dated.predict(series, models, choice, p.seed, p.flips)
        values = np.array(self.samples.scheme.values, np.uint8)
        said = np.asarray(lazy).reshape(len(models), len(values), *series.shape)
        found = np.zeros(fold.shape, np.uint8)
        for k, probabilities in enumerate(said, 1):
            here = (fold == k) & np.isfinite(probabilities).all(axis=0)
            found[here] = values[probabilities[:, here].argmax(axis=0)]
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="romania", help="romania by default")
    parser.add_argument(
        "--runs", nargs="+", default=["forest", "lstm_fixed", "lstm_random", "ltae_fixed", "ltae_random"]
    )
    parser.add_argument("--seed", type=int, default=1, help="of the networks that were kept")
    parser.add_argument("--steps", type=int, help="at most, of those that are not there; without it what the plan says")
    parser.add_argument("--outputs", help="folder of what benchmarks.deep kept, or is to be kept")
    parser.add_argument("--again", action="store_true", help="make rows again that are there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        layout = prepare(arguments.study, Path(arguments.outputs or folder).absolute())
        for name in arguments.runs:
            compare(arguments.study, name, arguments.seed, arguments.steps, arguments.again, layout)


def compare(study: str, name: str, seed: int, steps: int | None, again: bool, layout: Layout) -> None:
    """Make the rows of a model that are missing."""
    model = FOREST if name == "forest" else name
    mine = [(what, f"{100 * share:.0f} %", share) for what in KINDS for share in SHARES if share or what == "removed"]
    how = next(s.parameters for s in run.plan(study, {}, "") if isinstance(s.parameters, params.Preprocess)).sharpen
    begin = [study, "interpolated" if how == "none" else "sharpened"]
    kept = report.earlier(
        "dates", COLUMNS, lambda row: again and [row["study"], row["bands"], row["model"]] == [*begin, model]
    )
    there = {(*row[:2], row[5], *row[2:4]) for row in kept}
    missing = [(what, part, share) for what, part, share in mine if (*begin, model, what, part) not in there]
    if not missing:
        return
    samples, known = Samples.read(layout), named(study)
    labels, fold = np.asarray(samples.labels.data[0]), samples.codes("fold")
    tested = (labels > 0) & (fold > 0)
    p = next(p for p in known.values() if isinstance(p, params.LSTM)) if name == "forest" else known[name]
    assert isinstance(p, params.LSTM), f"{name} reads no dates"
    whole = results.read_series(layout, known[p.fcn].features, p)
    asked: Forest | Network
    if name == "forest":
        asked = Forest(samples, whole)
    else:
        p = p.model_copy(update={"run": f"{name}-{seed}", "fcn": f"{p.fcn}-{seed}"})
        if not layout.run(p.run).network(1).exists():
            trained_network(known, name, seed, steps, layout)
        asked = Network(p, layout, samples)
    for what, part, share in missing:
        some = [reduced(whole, what, share, draw) for draw in range(DRAWS if share else 1)]
        clear = np.mean([np.mean(s.clear_parts()) * len(s.dates) for s in some])
        found = [macro_f1(labels[tested], asked(s, fold)[tested]) for s in some]
        kept.append([*begin, what, part, f"{clear:.1f}", model, f"{np.mean(found):.3f}"])
        kept.sort(key=lambda r: (r[:2], r[2] != "removed", float(str(r[3]).split()[0]), r[5] != FOREST))
        report.publish("dates", "Networks of dates as dates are taken away or clouded", COLUMNS, kept, NOTE)


if __name__ == "__main__":
    main()
