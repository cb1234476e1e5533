"""What each step of the source workflow buys: macro-F1 on folds apart in space, with it and without.

    python -m benchmarks.ablation [--studies havelland romania simulated] [--models rf hgb] [--every 3] [--only time]

Each family of features is added to the bands alone, and taken from all of them together; sharpening is the same stack
made of unsharpened bands. All are trained on the same samples and tested on the same labelled pixels (every third), in
the same folds, whose gap is that of the widest window; differences are paired, with intervals of 95 % from drawing
whole blocks. Seconds and megabytes are those of a family's layers in memory. ``--only`` makes the row of one family
anew and leaves all others as they stand in docs/benchmarks/ablation.json; ``--draw`` only makes the figure again of
them.

No embedding of a foundation model was at hand. The one of the study `simulated` is SIMULATED (`embed`), and read from
its file as users read theirs: it shows that the family works, not what a real one would bring. "All" of the other
families are without it; what it brings to them stands in its row.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import yaml

from benchmarks import report
from lulc_kit import params, raster, run
from lulc_kit.baselines import estimators, training
from lulc_kit.cube import Cube
from lulc_kit.evaluate import accuracy
from lulc_kit.features import components, results
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from lulc_kit.samples import Samples

STUDIES, MODELS = ("havelland", "romania", "simulated"), ("rf", "hgb")
GAP = 80.0
"""Metres: half the widest window, and a pixel."""
SEGMENT = 50
"""Pixels of a segment."""
BASE, EMBEDDING = "bands", "embedding"
DIMENSIONS, NOISE = 16, 0.3
"""Of the simulated embedding: bands, and noise as a part of each band's standard deviation."""
COLUMNS = ["study", "model", "family", "bands and it", "added to the bands", "taken from all", "seconds", "MB"]
Layers = Mapping[str, npt.NDArray[np.float32]]


def prepare(study: str, sharpen: str, outputs: Path) -> Layout:
    """Run a study's notebooks 01 to 05 with its bands sharpened or not, and a gap that the widest window keeps."""
    settings = [f"02_preprocess.sharpen={sharpen}", f"05_samples.gap={GAP}", "04_features.context_windows=[]"]
    steps = run.plan(study, run.parse_settings(settings), str(outputs))
    run.run([step for step in steps if step.step < "06" and step.step != "03_visualize"], force=False, say=print)
    return Layout(outputs / study)


def embed(layout: Layout) -> params.features.External:
    """Write a SIMULATED embedding of a study's year, as AlphaEarth's are exported; return the entry that reads it.

    Each pixel's bands of all dates, where it is not clear their mean over the clear ones, are standardized and mixed
    by a random matrix, with noise; vectors of length 1 are written as 8-bit numbers q of sign(q) · (q / 127.5)².
    """
    cube, random = Cube(layout.cube), np.random.default_rng(1)
    year = int(raster.tags(layout.composite)["dates"].split()[0][:4])
    images = np.stack([cube.clear(date).values for date in cube.between([f"{year}-01-01", f"{year}-12-31"])])
    clear = np.isfinite(images)
    counts = clear.sum(axis=0)
    mean = np.divide(np.where(clear, images, 0).sum(axis=0), counts, where=counts > 0, out=np.full_like(images[0], 0))
    series = np.where(clear, images, mean).reshape(-1, *mean.shape[1:])
    series -= series.mean(axis=(1, 2), keepdims=True)
    series /= series.std(axis=(1, 2), keepdims=True)
    mixed = np.tensordot(random.normal(size=(DIMENSIONS, len(series))), series, 1)
    mixed += NOISE * mixed.std(axis=(1, 2), keepdims=True) * random.normal(size=mixed.shape)
    unit = mixed / np.linalg.norm(mixed, axis=0)
    codes = np.rint(np.sign(unit) * np.sqrt(np.abs(unit)) * 127.5).clip(-127, 127).astype(np.int8)
    codes[:, (counts == 0).any(axis=0)] = -128
    path = layout.folder / f"simulated_embedding_{year}.tif"
    names = [f"A{k:02d}" for k in range(DIMENSIONS)]
    image = raster.array(codes, raster.grid(layout.composite), names)
    writing.write(path, image, dtype="int8", nodata=-128)
    return params.features.External(file=str(path), family=EMBEDDING, year=year, scale="alphaearth", nodata=-128)


def families(study: str, layout: Layout) -> tuple[Layers, dict[str, tuple[float, float]]]:
    """Compute the layers of all families, (layer, row, column) by family, with what they cost."""
    path = Path("params") / study / "04_features.yaml"
    p = params.Features.check(yaml.safe_load(path.read_text()) or {}, str(path))
    p = p.model_copy(update={"context_windows": params.features.CONTEXT, "context_statistics": ["mean"]})
    p = p.model_copy(update={"segment_size": SEGMENT, "external": [embed(layout)] if study == "simulated" else []})
    image = raster.read(layout.composite)
    found, costs = {}, {}

    def keep(name: str, compute: object) -> None:
        start = time.perf_counter()
        layers = compute()  # type: ignore[operator]
        if layers is not None:
            found[name] = np.asarray(layers.compute().data, np.float32)
            costs[name] = time.perf_counter() - start, found[name].nbytes / 1e6

    for name, compute in results.FAMILIES.items():
        keep(name, lambda compute=compute: compute(image, p, layout))
    fitted = components.explain(raster.select(image, p.bands), p.components)
    keep("components", lambda: components.transform(image, fitted))

    def textured() -> object:
        texture, _ = results.texture(image, p, layout)
        if texture is None:
            return None
        return components.transform(texture, components.explain(texture, p.texture_components, prefix="TPC"))

    keep("texture", textured)
    wide = p.model_copy(update={"context_statistics": ["std"]})
    keep("context, std", lambda: results.FAMILIES["context"](image, wide, layout))
    return found, costs


def judge(samples: Samples, layers: npt.NDArray[np.float32], model: str, every: int) -> accuracy.Accuracy:
    """Train on the samples, fold by fold, and test on every so many-th labelled pixel."""
    classifier, _, weight = estimators.build(model, {}, None, trees=100, min_leaf=3, seed=1)
    recipe = training.Recipe(classifier, weight)
    table = samples.table
    x = layers[:, table["row"], table["column"]].T
    whole = np.isfinite(x).all(axis=1)
    label, block = table["label"].to_numpy(), table["block"].to_numpy()
    labels, fold, blocks = np.asarray(samples.labels.data[0]), samples.codes("fold"), samples.codes("block")
    tested = np.flatnonzero(labels)[::every]
    pixels = layers.reshape(len(layers), -1)[:, tested].T
    mapped = np.zeros(len(tested), np.uint8)
    for k, rows in enumerate(samples.training("fold"), 1):
        rows = rows & whole
        fitted, _ = training.fit(x[rows], label[rows], block[rows], recipe)
        here = (fold.ravel()[tested] == k) & np.isfinite(pixels).all(axis=1)
        mapped[here] = fitted.predict(pixels[here])
    matrices = accuracy.by_block(labels.ravel()[tested], mapped, blocks.ravel()[tested], samples.scheme.values)
    return accuracy.assess(matrices, samples.scheme, confidence=0.95, resamples=1000, seed=1)


def difference(one: accuracy.Accuracy, other: accuracy.Accuracy) -> str:
    """Macro-F1 of the one less the other's, with its interval; a star where that excludes 0."""
    low, high = np.percentile(one.samples - other.samples, [2.5, 97.5])
    star = " *" if low > 0 or high < 0 else ""
    return f"{one.macro.value - other.macro.value:+.3f} ({low:+.3f} … {high:+.3f}){star}"


def ablate(study: str, models: list[str], every: int, outputs: Path, only: str | None) -> list[list[object]]:
    """Return one row for each family and model, or that of one family."""
    made = {}
    for sharpen in ("local",) if only else ("local", "none"):
        layout = prepare(study, sharpen, outputs / sharpen)
        made[sharpen] = (*families(study, layout), Samples.read(layout))
    rows: list[list[object]] = []
    for model in models:

        def score(names: list[str], sharpen: str = "local", model: str = model) -> accuracy.Accuracy:
            layers, _, samples = made[sharpen]
            found = judge(samples, np.concatenate([layers[n] for n in names]), model, every)
            print(f"{study} {model} {sharpen} {'+'.join(names)}: {found.macro}", flush=True)
            return found

        layers, costs, _ = made["local"]
        own = [n for n in layers if n != EMBEDDING]
        base, everything = score([BASE]), score(own)
        if only is None:
            soft, all_soft = score([BASE], "none"), score(own, "none")
            rows.append([study, model, "bands alone", str(base.macro), "", "", *costs[BASE]])
            rows.append([study, model, "all", str(everything.macro), "", "", "", ""])
            rows.append([study, model, "all, not sharpened", str(all_soft.macro), "", "", "", ""])
            gained = difference(base, soft), difference(everything, all_soft)
            rows.append([study, model, "sharpening", str(base.macro), *gained, "", ""])
        for name in [only] if only else [n for n in layers if n != BASE]:
            alone = score([BASE, name])
            if name == EMBEDDING:
                taken = difference(score([*own, name]), everything)
            else:
                taken = difference(everything, score([n for n in own if n != name]))
            rows.append([study, model, name, str(alone.macro), difference(alone, base), taken, *costs[name]])
    return rows


def draw(path: Path, rows: list[list[object]]) -> None:
    """Draw what each family adds to the bands and what all lose without it, with intervals, one panel a study."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    studies = [s for s in STUDIES if any(row[0] == s for row in rows)]
    figure, axes = plt.subplots(1, len(studies), figsize=(4.4 * len(studies), 5.4), layout="constrained", squeeze=False)
    styles = {"rf": ("#0072B2", "o", "random forest"), "hgb": ("#E69F00", "s", "gradient boosting")}
    for ax, study in zip(axes[0], studies, strict=True):
        mine = [row for row in rows if row[0] == study and row[4]]
        names = list(dict.fromkeys(str(row[2]) for row in mine))
        for _, model, family, _, added, taken, *_ in mine:
            colour, marker, title = styles[str(model)]
            for how, cell, shift in (("added to the bands", added, 0.0), ("taken from all", taken, 0.36)):
                value, low, high = (float(x) for x in re.findall(r"[+-][0-9.]+", str(cell)))
                y = names.index(str(family)) + shift + (0.18 if model == "hgb" else 0.0) - 0.27
                face = colour if how.startswith("added") else "white"
                label = f"{title}, {how}" if family == names[0] else None
                ax.plot([low, high], [y, y], color=colour, lw=1.2)
                ax.plot(value, y, marker, color=colour, mfc=face, ms=4.5, label=label)
        ax.axvline(0, color="0.4", lw=0.8)
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.set_title(f"{study} (SIMULATED)" if study == "simulated" else study)
        ax.set_xlabel("gain in macro-F1, 95 % interval")
        ax.xaxis.set_major_locator(plt.MaxNLocator(5))
        ax.grid(axis="x", color="0.9")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), help="which; all three by default")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="rf and hgb by default")
    parser.add_argument("--every", type=int, default=3, help="test on every so many-th labelled pixel")
    parser.add_argument("--only", help="the row of this family alone; all others stay")
    parser.add_argument("--draw", action="store_true", help="only the figure, of the rows there are")
    arguments = parser.parse_args()
    note = (
        "Macro-F1 (0–1) on folds apart in space; * the interval excludes 0. The study simulated is SIMULATED data, and "
        "so is its embedding, a noisy random mixture of the year's own images in 8 bits: no foundation model made it. "
        "'All' of the other families are without it."
    )
    note += "\n\n![Gain of each family of features, with intervals](ablation.png)"
    if arguments.draw:
        draw(report.DOCS / "ablation.png", report.earlier("ablation", COLUMNS, lambda row: False))
        return
    with tempfile.TemporaryDirectory() as folder:
        for study in arguments.studies:

            def anew(row: dict[str, object], study: str = study) -> bool:
                mine = row["study"] == study and row["model"] in arguments.models
                return mine and arguments.only in (None, row["family"])

            rows = report.earlier("ablation", COLUMNS, anew)
            rows += ablate(study, arguments.models, arguments.every, Path(folder), arguments.only)
            order = list(dict.fromkeys((row[0], row[1]) for row in rows))
            rows.sort(key=lambda row: order.index((row[0], row[1])))
            draw(report.DOCS / "ablation.png", rows)
            report.publish("ablation", "What each step of the source workflow buys", COLUMNS, rows, note)


if __name__ == "__main__":
    main()
