"""What the mean of several runs is worth: a network with each classical model, with three seeds of the network.

    python -m benchmarks.ensemble [--studies havelland romania simulated] [--seeds 1 2 3] [--outputs DIR]

Each run's probabilities of labelled pixels, by the model that had not seen their fold, are averaged as notebook 09 does
with `ensemble`. Which runs are averaged was settled beforehand: the FCN with each classical run of the study's plan,
with all of them, and the FCN's seeds. Differences are paired, with intervals of 95 % from drawing whole blocks; the
best part is the best of what is averaged, on these very pixels, which favours it. With --outputs the studies' files and
the networks stay for the next call. The study `simulated` is SIMULATED data.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import ablation, report
from benchmarks.deep import judge, named, trained_network
from lulc_kit import params, raster, run
from lulc_kit.deep import prediction, storage
from lulc_kit.deep.scene import Scene
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

COLUMNS = ["study", "averaged", "seed of the FCN", "macro-F1", "overall accuracy", "less the best part's", "best part"]
NOTE = (
    "Macro-F1 and overall accuracy (0–1) on folds apart in space; * the interval of the paired difference excludes 0 "
    "(one comparison at a time). The study simulated is SIMULATED data."
)
Array = npt.NDArray[np.float32]


def prepare(study: str, outputs: Path) -> Layout:
    """Run a study's notebooks 01 to 06 where they are not up to date."""
    steps = run.plan(study, {}, str(outputs))
    run.run([step for step in steps if step.step < "07" and step.step != "03_visualize"], force=False, say=print)
    return Layout(outputs / study)


def unseen(layout: Layout, name: str, samples: Samples) -> Array:
    """Return what a run says of labelled pixels that it has not seen, (class, row, column), NaN elsewhere."""
    names = [f"fold {c}" for c in samples.scheme.names]
    percent = np.asarray(raster.read_codes(layout.run(name).crossval_probability, names).data)
    return np.where(percent > 100, np.nan, percent / np.float32(100)).astype(np.float32)


def network(study: str, seed: int, layout: Layout, samples: Samples) -> Array:
    """Return the same of the study's FCN with a seed, which is trained if it is not there."""
    known = named(study)
    p, stored = known["fcn"], layout.run(f"fcn-{seed}")
    assert isinstance(p, params.FCN)
    if stored.about.exists():
        scene = Scene(raster.read(layout.stack, p.features), samples)
        said = np.asarray(prediction.of_images(storage.load(stored), scene.features, p.flips))
        by_fold = list(said.reshape(samples.n_splits, -1, *scene.labels.shape))
    else:
        _, by_fold = trained_network(known, "fcn", seed, None, layout)
    fold = samples.codes("fold")
    out = np.full_like(by_fold[0], np.nan)
    for k, probabilities in enumerate(by_fold, 1):
        np.copyto(out, probabilities, where=fold == k)
    return out


def compare(study: str, seeds: list[int], layout: Layout) -> list[list[object]]:
    """Return the rows of a study."""
    samples = Samples.read(layout)
    planned = [step.parameters for step in run.plan(study, {}, str(layout.folder.parent))]
    classical = {p.run: unseen(layout, p.run, samples) for p in planned if isinstance(p, params.Baselines)}
    fcns = {seed: network(study, seed, layout, samples) for seed in seeds}
    folds = samples.n_splits

    def row(parts: dict[str, Array], seed: object) -> list[object]:
        singles = {name: judge(samples, [part] * folds) for name, part in parts.items()}
        best = max(singles, key=lambda name: singles[name].macro.value)
        whole = judge(samples, [np.mean(list(parts.values()), axis=0)] * folds)
        less = (ablation.difference(whole, singles[best]), best) if len(parts) > 1 else ("", "")
        return [study, " + ".join(parts), seed, str(whole.macro), str(whole.overall), *less]

    rows = [row({name: part}, "") for name, part in classical.items()]
    for seed, fcn in fcns.items():
        rows.append(row({"fcn": fcn}, seed))
        rows += [row({name: part, "fcn": fcn}, seed) for name, part in classical.items()]
        rows.append(row({**classical, "fcn": fcn}, seed))
    together = {f"fcn {seed}": fcn for seed, fcn in fcns.items()}
    rows.append(row(together, "all"))
    mean = np.mean(list(fcns.values()), axis=0)
    rows += [row({name: part, "mean of the fcn's": mean}, "all") for name, part in classical.items()]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=["havelland", "romania", "simulated"], help="all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the FCN; 1, 2 and 3 by default")
    parser.add_argument("--outputs", help="folder of what notebooks 01 to 06 wrote, or are to write, and of networks")
    arguments = parser.parse_args()
    for study in arguments.studies:
        with tempfile.TemporaryDirectory() as folder:
            rows = compare(study, arguments.seeds, prepare(study, Path(arguments.outputs or folder).absolute()))

        def anew(found: dict[str, object], study: str = study) -> bool:
            return found["study"] == study

        kept = report.earlier("ensemble", COLUMNS, anew)
        report.publish("ensemble", "The mean of several runs", COLUMNS, [*kept, *rows], NOTE)


if __name__ == "__main__":
    main()
