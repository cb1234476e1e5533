"""The FCN's settings on a study by inner validation alone, with learning curves; test folds for those that are named.

    python -m benchmarks.curves [--study havelland] [--tried as_it_is sqrt …] [--folds 2] [--steps 600] [--seed 1]
        [--judge as_it_is …] [--outputs DIR]
    python -m benchmarks.curves --study romania --logs fcn-3 lstm_fixed-3 … --outputs DIR

Each setting of `TRIED` is trained for the first folds; its loss and macro-F1 on their inner validation parts go into
the table, and nothing of the test folds is looked at. What is named after ``--judge`` is tested, beside forest and
gradient boosting, on the test pixels of those folds: that is for what inner validation has chosen, and for the settings
as they are. A training that was cut off goes on. The picture has the loss of training and of inner validation by fold.
With ``--logs`` nothing is trained: what `benchmarks.deep` left of its networks there is drawn.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from benchmarks import ablation, report
from benchmarks.deep import judge, named, prepare
from benchmarks.labels import judge_pixels
from lulc_kit import params, raster
from lulc_kit.deep import prediction, results
from lulc_kit.deep.scene import Scene
from lulc_kit.evaluate.accuracy import Accuracy
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

TRIED: dict[str, dict[str, object]] = {
    "as it is": {},
    "class weights, square root": {"class_weight": "sqrt"},
    "class weights, capped": {"class_weight": "capped"},
    "labels smoothed by 0.1, weights square root": {"label_smoothing": 0.1, "class_weight": "sqrt"},
    "32 patches of 16 px": {"patch": 16, "batch": 32},
    "dilated by 1, 2, 4, 8": {"network": "fcn_light", "filters": [32, 32, 32, 32]},
    "64 filters": {"filters": [64]},
    "U-Net of two levels": {"filters": [32, 64]},
    "single pixels": {"network": "mlp", "filters": [64, 64]},
    "64 filters, weights square root": {"filters": [64], "class_weight": "sqrt"},
    "single pixels, weights square root": {"network": "mlp", "filters": [64, 64], "class_weight": "sqrt"},
}
COLUMNS = ["study", "setting", "seed", "loss", "macro-F1", "kept steps", "minutes", "on test pixels", "less boosting's"]


def draw(path: Path, logs: dict[str, pd.DataFrame], study: str) -> None:
    """Draw the loss of training and of inner validation against the steps, one panel a setting."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
    columns = min(3, len(logs))
    rows = -(-len(logs) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(4 * columns, 2.8 * rows), layout="constrained", squeeze=False, sharey=True
    )
    for ax in axes.ravel()[len(logs) :]:
        ax.remove()
    for ax, (name, log) in zip(axes.ravel(), logs.items(), strict=False):
        for fold, colour in zip(sorted(log["fold"].unique()), colours, strict=False):
            own = log[log["fold"] == fold]
            ax.plot(own["step"], own["loss"], ":", color=colour, label=f"fold {fold}, training")
            ax.plot(own["step"], own["validation_loss"], color=colour, label=f"fold {fold}, inner validation")
            least = own.loc[own["validation_loss"].idxmin()]
            ax.plot(least["step"], least["validation_loss"], "o", color=colour, ms=5)
        ax.set_title(f"{study}: {name}", fontsize=9)
        ax.set_xlabel("steps")
        ax.grid(color="0.9")
    axes[0, 0].set_ylabel("loss")
    axes[0, 0].set_yscale("log")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    figure.savefig(path, dpi=100)


def read_log(folder: Path) -> pd.DataFrame:
    """Return the log of a network, all folds one under the other."""
    folds = sorted(folder.glob("fold_*.csv"))
    return pd.concat([pd.read_csv(path).assign(fold=int(path.stem.removeprefix("fold_"))) for path in folds])


def compare(arguments: argparse.Namespace, layout: Layout) -> None:
    """Make the rows of a study, each written at once, and the picture."""
    study, seed, folds = arguments.study, arguments.seed, arguments.folds
    samples, plan, logs = Samples.read(layout), named(study)["fcn"], {}
    assert isinstance(plan, params.FCN)
    left_out, teach = samples.codes("fold") > folds, list(samples.trainable()[:folds])
    forests: dict[str, Accuracy] = {}

    def put(row: list[object]) -> None:
        rows = report.earlier("curves", COLUMNS, lambda r: [r["study"], r["setting"], r["seed"]] == row[:3])
        note = (
            f"Loss (mean over the classes) and macro-F1 on inner validation, mean of the first {folds} folds, at most "
            f"{arguments.steps} steps; test pixels are looked at for few settings. * the interval excludes 0."
            "\n\n![Loss of training and of inner validation against the steps](curves.png)"
        )
        report.publish("curves", "Settings of the FCN by inner validation", COLUMNS, [*rows, row], note)

    if arguments.judge:
        layers = np.asarray(raster.read(layout.stack).data, np.float32)
        for name in ("rf", "hgb"):
            forests[name] = judge_pixels(samples, layers, teach, left_out, True, name)
        for name, own in forests.items():
            less = ablation.difference(own, forests["hgb"]) if name == "rf" else ""
            put([study, name, 1, "", "", "", "", str(own.macro), less])
    for name in arguments.tried:
        p = plan.model_copy(update={"seed": seed, "steps": arguments.steps, **TRIED[name]})
        p = p.model_copy(update={"run": f"{name.replace(' ', '_').replace(',', '')}-{seed}"})
        scene = Scene(raster.read(layout.stack, p.features), samples)
        scene.trainable = scene.trainable[:folds]
        trained = results.train_fcn(scene, p, layout)
        logs[name] = log = trained.log
        losses = [log.loc[log["fold"] == k, "validation_loss"].min() for k in range(1, folds + 1)]
        found = [trained.validated(k) for k in range(1, folds + 1)]
        minutes = float(log.groupby("fold")["seconds"].max().sum()) / 60
        tested, less = "", ""
        if name in arguments.judge:
            said = np.asarray(prediction.of_images(trained.networks, scene.features, p.flips))
            by_fold = list(said.reshape(folds, -1, *scene.labels.shape))
            own = judge(samples, by_fold, left_out)
            tested, less = str(own.macro), ablation.difference(own, forests["hgb"])
        kept = " / ".join(map(str, trained.kept))
        put([study, name, seed, f"{np.mean(losses):.3f}", f"{np.mean(found):.3f}", kept, minutes, tested, less])
        draw(report.DOCS / "curves.png", logs, study)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="havelland", help="havelland by default")
    parser.add_argument("--tried", nargs="+", default=list(TRIED), choices=list(TRIED), help="all by default")
    parser.add_argument("--judge", nargs="+", default=[], choices=list(TRIED), help="tested as well; none by default")
    parser.add_argument("--folds", type=int, default=2, help="how many are looked at")
    parser.add_argument("--steps", type=int, default=600, help="at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outputs", help="folder of what notebooks 01 to 05 wrote, or are to write, and of networks")
    parser.add_argument("--logs", nargs="+", help="networks below --outputs whose logs are drawn; nothing else is done")
    arguments = parser.parse_args()
    if arguments.logs:
        logs = Path(arguments.outputs) / arguments.study / "logs"
        drawn = {name: read_log(logs / name) for name in arguments.logs}
        draw(report.DOCS / f"curves_{arguments.study}.png", drawn, arguments.study)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments, prepare(arguments.study, Path(arguments.outputs or folder).absolute()))


if __name__ == "__main__":
    main()
