"""Networks beside forest and gradient boosting: macro-F1 on folds apart in space, minutes of training, parameters.

    python -m benchmarks.deep [--studies romania …] [--runs fcn …] [--seeds 1 …] [--steps 600] [--outputs DIR] [--again]

Each row is written as soon as it is there, and a row that is there is not made again (but by --again): what was cut off
goes on with the same line. With --outputs the studies' files and the networks stay for the next call; FCN+LSTM takes
the FCN of its study and seed from there, or trains it.

All are trained on the same land and tested on the same labelled pixels in the same folds; forest and boosting take the
samples and all features of the study, networks what its files of parameters say (params/<study>/07_*.yaml and
08_*.yaml), and those that no plan has (an MLP, a light FCN, TempCNN, L-TAE, a small U-TAE) the kit's settings.
Of havelland there is one date, and so no network of dates.
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
from lulc_kit import mapping, params, raster, run
from lulc_kit.deep import dated, prediction, results, sequences, storage, training
from lulc_kit.deep.scene import Scene
from lulc_kit.evaluate import accuracy
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

KINDS = ("tempcnn", "ltae", "utae")
"""Networks of dates that are in no study's plan."""
STUDIES, BASELINES = ("romania", "havelland", "simulated"), ("rf", "hgb")
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
NOTE = (
    "Macro-F1 (0–1) on folds apart in space; * the interval excludes 0. Minutes: of all folds, on a machine that "
    "others used too. Baselines' minutes count prediction, the networks' do not. The study simulated is SIMULATED data."
)


def judge(
    samples: Samples, by_fold: list[npt.NDArray[np.float32]], leave_out: npt.NDArray[np.bool_] | None = None
) -> accuracy.Accuracy:
    """Compare what each fold's network says of its test pixels, (class, row, column), with their labels."""
    labels, fold, blocks = np.asarray(samples.labels.data[0]), samples.codes("fold"), samples.codes("block")
    mapped = np.zeros(labels.shape, np.uint8)
    for k, probabilities in enumerate(by_fold, 1):
        known = (fold == k) & np.isfinite(probabilities).all(axis=0)
        mapped[known] = np.array(samples.scheme.values, np.uint8)[probabilities[:, known].argmax(axis=0)]
    tested = labels > 0 if leave_out is None else (labels > 0) & ~leave_out
    matrices = accuracy.by_block(labels[tested], mapped[tested], blocks[tested], samples.scheme.values)
    return accuracy.assess(matrices, samples.scheme, confidence=0.95, resamples=1000, seed=1)


def beside(study: str, planned: list[params.FCN | params.LSTM]) -> list[params.FCN | params.LSTM]:
    """Return the networks that are compared beside those of a study's plan."""
    found: list[params.FCN | params.LSTM] = [params.FCN(study=study, run=n, network=n) for n in ("mlp", "fcn_light")]
    lstms = [p for p in planned if isinstance(p, params.LSTM)]
    for sequences_of in ("fixed", "random") if lstms else ():
        found.append(lstms[0].model_copy(update={"run": f"lstm_{sequences_of}", "sequences": sequences_of}))
        for kind in KINDS:
            asked = {"network": kind, "run": f"{kind}_{sequences_of}", "sequences": sequences_of, "gaps": "mean"}
            found.append(lstms[0].model_copy(update=asked))
    return [p for p in found if p.run not in {other.run for other in planned}]


def named(study: str) -> dict[str, params.FCN | params.LSTM]:
    """Return the networks of a study's plan, and those beside it, by run."""
    steps = run.plan(study, {}, "outputs")
    planned = [s.parameters for s in steps if isinstance(s.parameters, params.FCN | params.LSTM)]
    return {p.run: p for p in [*planned, *beside(study, planned)]}


def trained_network(
    known: dict[str, params.FCN | params.LSTM], name: str, seed: int, steps: int | None, layout: Layout
) -> tuple[training.Trained, list[npt.NDArray[np.float32]]]:
    """Train a network and keep it; return it and its probabilities by fold."""
    asked: dict[str, object] = {"seed": seed, "run": f"{name}-{seed}"} | ({"steps": steps} if steps else {})
    p = known[name].model_copy(update=asked)
    samples = Samples.read(layout)
    if isinstance(p, params.FCN):
        stack = raster.read(layout.stack, p.features)
        scene = Scene(stack, samples)
        trained = results.train_fcn(scene, p, layout)
        lazy = prediction.of_images(trained.networks, scene.features, p.flips)
        more = {"patch": p.patch, "classes": samples.scheme.to_dict(), "tells": [*samples.scheme.values]}
        mapping.write_about(layout.run(p.run), name, [str(b) for b in stack.band.values], samples.fingerprint, **more)
    else:
        if p.starts_from_fcn:
            p = p.model_copy(update={"fcn": f"{p.fcn}-{seed}"})
            if not layout.run(p.fcn).about.exists():
                trained_network(known, known[name].fcn, seed, None, layout)
        first = results.open_first(p, samples, layout)
        scene = Scene(raster.read(layout.stack, first.features), samples)
        series = results.read_series(layout, first.features, p)
        trained = results.train_lstm(scene, series, first, p, layout)
        choice = sequences.Choice(p.length, p.sequences == "random", p.draws)
        if p.starts_from_fcn:
            lazy = sequences.predict(series, trained.networks, first.networks, choice, p.seed, p.flips)
        else:
            lazy = dated.predict(series, trained.networks, choice, p.seed, p.flips)
    storage.save(trained.networks, layout.run(p.run))
    said = np.asarray(lazy)
    return trained, list(said.reshape(len(trained.networks), -1, *said.shape[1:]))


def prepare(study: str, outputs: Path) -> Layout:
    """Run a study's notebooks 01 to 05, if its samples are not there."""
    layout = Layout(outputs / study)
    if not layout.samples.exists():
        steps = run.plan(study, {}, str(outputs))
        run.run([step for step in steps if step.step < "06" and step.step != "03_visualize"], force=False, say=print)
    return layout


def table(study: str, model: str, seed: int, again: bool) -> list[list[object]] | None:
    """Return all other rows; None if this one is there and need not be made again."""

    def this(row: dict[str, object]) -> bool:
        return (row["study"], row["model"], row["seed"]) == (study, model, seed)

    others, whole = report.earlier("deep", COLUMNS, this), report.earlier("deep", COLUMNS, lambda row: False)
    return None if len(others) < len(whole) and not again else others


def put(row: list[object], others: list[list[object]]) -> None:
    """Write the table with a row more."""
    order = {s: i for i, s in enumerate(STUDIES)}
    rows = sorted([*others, row], key=lambda r: (order.get(str(r[0]), len(order)), r[1] not in BASELINES))
    report.publish("deep", "Networks beside forest and gradient boosting", COLUMNS, rows, NOTE)


def compare(
    study: str, runs: list[str] | None, seeds: list[int], steps: int | None, layout: Layout, again: bool
) -> None:
    """Make the rows of a study that are missing, each written at once."""
    samples, known = Samples.read(layout), named(study)
    if unknown := [name for name in runs or () if name not in known]:
        raise SystemExit(f"{study} has no {', '.join(unknown)}; there are {', '.join(known)}.")
    wanted = [(n, s) for s in seeds for n in runs or known if table(study, n, s, again) is not None]
    layers = np.asarray(raster.read(layout.stack).data, np.float32)
    forest = None
    for model in BASELINES:
        others = table(study, model, 1, False)
        if others is None and (model != "rf" or not wanted):
            continue
        start = time.perf_counter()
        own = ablation.judge(samples, layers, model, 1)
        forest = forest or own
        less = "" if own is forest else ablation.difference(own, forest)
        if others is not None:
            minutes = (time.perf_counter() - start) / 60
            put([study, model, 1, str(own.macro), less, "", "", minutes, ""], others)
    for name, seed in wanted:
        trained, said = trained_network(known, name, seed, steps, layout)
        minutes = float(trained.log.groupby("fold")["seconds"].max().sum()) / 60
        own = judge(samples, said)
        inner = np.mean([trained.validated(k) for k in range(1, len(trained.networks) + 1)])
        kept = " / ".join(map(str, trained.kept)) + (f" of {steps}" if steps else "")
        row = [study, name, seed, str(own.macro), ablation.difference(own, forest), f"{inner:.3f}", kept]
        put([*row, minutes, trained.networks[0].count_params()], table(study, name, seed, True) or [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), help="which; all by default")
    parser.add_argument("--runs", nargs="+", help="of networks, those of the plan and beside it; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="which; 1 by default")
    parser.add_argument("--steps", type=int, help="at most; without it what the plan says")
    parser.add_argument("--outputs", help="folder of what notebooks 01 to 05 wrote, or are to write, and of networks")
    parser.add_argument("--again", action="store_true", help="make rows again that are there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for study in arguments.studies:
            layout = prepare(study, Path(arguments.outputs or folder).absolute())
            compare(study, arguments.runs, arguments.seeds, arguments.steps, layout, arguments.again)


if __name__ == "__main__":
    main()
