"""Networks beside forest and gradient boosting: macro-F1 on folds apart in space, minutes of training, parameters.

    python -m benchmarks.deep [--studies havelland romania] [--seeds 1] [--runs fcn …] [--outputs DIR]

All are trained on the same land and tested on the same labelled pixels in the same folds; forest and boosting take the
samples and all features of the study, networks what its files of parameters say (params/<study>/07_*.yaml and
08_*.yaml), and those that no plan has (an MLP, a light FCN, TempCNN, L-TAE, a small U-TAE) the kit's settings.
Differences to the forest are paired, with intervals of 95 % from drawing whole blocks. Inner validation is land that
the networks did not learn from and that chose their weights; settings were chosen by it, never by the test.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import ablation, report
from lulc_kit import params, raster, run
from lulc_kit.deep import dated, prediction, results, sequences, training
from lulc_kit.deep.scene import Scene
from lulc_kit.evaluate import accuracy
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

KINDS = ("tempcnn", "ltae", "utae")
"""Networks of dates that are in no study's plan."""
STUDIES, BASELINES = ("havelland", "romania"), ("rf", "hgb")
COLUMNS = [
    "study",
    "model",
    "seed",
    "macro-F1",
    "less the forest's",
    "inner validation",
    "steps",
    "minutes",
    "parameters",
]


def judge(samples: Samples, by_fold: list[npt.NDArray[np.float32]]) -> accuracy.Accuracy:
    """Compare what each fold's network says of its test pixels, (class, row, column), with their labels."""
    labels, fold, blocks = np.asarray(samples.labels.data[0]), samples.codes("fold"), samples.codes("block")
    mapped = np.zeros(labels.shape, np.uint8)
    for k, probabilities in enumerate(by_fold, 1):
        known = (fold == k) & np.isfinite(probabilities).all(axis=0)
        mapped[known] = np.array(samples.scheme.values, np.uint8)[probabilities[:, known].argmax(axis=0)]
    tested = labels > 0
    matrices = accuracy.by_block(labels[tested], mapped[tested], blocks[tested], samples.scheme.values)
    return accuracy.assess(matrices, samples.scheme, confidence=0.95, resamples=1000, seed=1)


def beside(study: str, planned: list[params.Parameters]) -> list[params.Parameters]:
    """Return the networks that are compared beside those of a study's plan."""
    found: list[params.Parameters] = [params.FCN(study=study, run=n, network=n) for n in ("mlp", "fcn_light")]
    lstms = [p for p in planned if isinstance(p, params.LSTM)]
    for kind in KINDS if lstms else ():
        for sequences_of in ("fixed", "random"):
            asked = {"network": kind, "run": f"{kind}_{sequences_of}", "sequences": sequences_of, "gaps": "mean"}
            found.append(lstms[0].model_copy(update=asked))
    return found


def networks_of(
    study: str, layout: Layout, seed: int, runs: list[str] | None = None
) -> dict[str, tuple[training.Trained, float, list[object]]]:
    """Train the networks of a study, or some; return each with its minutes and its probabilities by fold."""
    samples = Samples.read(layout)
    found, fcns = {}, {}
    planned = [s.parameters for s in run.plan(study, {}, str(layout.folder.parent)) if s.step[:2] in ("07", "08")]
    for p in [p for p in [*planned, *beside(study, planned)] if runs is None or p.run in runs]:
        p = p.model_copy(update={"seed": seed})
        if isinstance(p, params.FCN):
            stack = results.open_stack(p, layout)
            trained = results.train_fcn(Scene(stack, samples), p, layout)
            features = np.asarray(stack.data, np.float32)
            said = [prediction.predictor(m, p.flips)(features) for m in trained.networks]
            bands = [str(b) for b in stack.band.values]
            fcns[p.run] = results.FCNRun(trained.networks, bands, p.patch)
        else:
            first = fcns[p.fcn] if p.starts_from_fcn else results.open_first(p, samples, layout)
            scene = Scene(raster.read(layout.stack, first.features), samples)
            series = results.read_series(layout, first.features, p)
            trained = results.train_lstm(scene, series, first, p, layout)
            choice = sequences.Choice(p.length, p.sequences == "random", p.draws)
            if p.starts_from_fcn:
                said = list(sequences.predict(series, trained.networks, first.networks, choice, p.seed, p.flips))
            else:
                said = list(dated.predict(series, trained.networks, choice, p.seed, p.flips))
        minutes = float(trained.log.groupby("fold")["seconds"].max().sum()) / 60
        found[p.run] = trained, minutes, said
    return found


def prepare(study: str, outputs: Path) -> Layout:
    """Run a study's notebooks 01 to 05."""
    steps = run.plan(study, {}, str(outputs))
    run.run([step for step in steps if step.step < "06" and step.step != "03_visualize"], force=False, say=print)
    return Layout(outputs / study)


def compare(study: str, seeds: int, runs: list[str] | None, layout: Layout) -> list[list[object]]:
    """Return one row for each model and seed."""
    samples = Samples.read(layout)
    rows: list[list[object]] = []
    layers = np.asarray(raster.read(layout.stack).data, np.float32)
    forest = None
    for model in BASELINES:
        start = time.perf_counter()
        own = ablation.judge(samples, layers, model, 1)
        forest = forest or own
        less = "" if own is forest else ablation.difference(own, forest)
        rows.append([study, model, 1, str(own.macro), less, "", "", (time.perf_counter() - start) / 60, ""])
        print(rows[-1], flush=True)
    for seed in range(1, seeds + 1):
        for name, (trained, minutes, said) in networks_of(study, layout, seed, runs).items():
            own = judge(samples, said)
            inner = np.mean([trained.validated(k) for k in range(1, len(trained.networks) + 1)])
            kept = " / ".join(map(str, trained.kept))
            row = [study, name, seed, str(own.macro), ablation.difference(own, forest), f"{inner:.3f}", kept]
            rows.append([*row, minutes, trained.networks[0].count_params()])
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), help="which; both by default")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 1")
    parser.add_argument("--outputs", help="folder of what notebooks 01 to 05 wrote; without it they are run")
    parser.add_argument("--runs", nargs="+", help="of networks, those of the plan and beside it; all by default")
    arguments = parser.parse_args()
    note = (
        "Macro-F1 (0–1) on folds apart in space; * the interval excludes 0. Minutes: of all folds, on a machine that "
        "others used too. Baselines' minutes count prediction, the networks' do not."
    )
    with tempfile.TemporaryDirectory() as folder:
        for study in arguments.studies:
            anew = arguments.runs and [*arguments.runs, *BASELINES]
            rows = report.earlier(
                "deep", COLUMNS, lambda row, s=study, a=anew: row["study"] == s and (not a or row["model"] in a)
            )
            ready = arguments.outputs and Layout(Path(arguments.outputs).absolute() / study)
            rows += compare(study, arguments.seeds, arguments.runs, ready or prepare(study, Path(folder)))
            report.publish("deep", "Networks beside forest and gradient boosting", COLUMNS, rows, note)


if __name__ == "__main__":
    main()
