"""What travelling costs: models of one half of a place, or of one year, on the other; and what a region takes.

    python -m benchmarks.travel [west_east east_west years halves west_east_fcn years_fcn halves_fcn change region …]

Each study is run through the notebooks themselves, in a project of its own. Simulated data are called simulated.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from benchmarks import report
from lulc_kit import params, raster, run
from lulc_kit.baselines import estimators, training
from lulc_kit.evaluate import accuracy, runs
from lulc_kit.layout import Layout
from lulc_kit.region import regions
from lulc_kit.samples import Samples
from lulc_kit.study import Study
from tests import kills

REPOSITORY = Path(__file__).parents[1]
PLAIN = {"sharpen": "none", "radiometry": "trust"}
"""Not sharpened: that takes most of the time and helps no forest (docs/benchmarks/ablation.md). Half a scene may have
no dark pixel at all, which would be taken for a missed offset."""
TRUST = {"radiometry": "trust"}
Steps = Mapping[str, Mapping[str, Any]]


def known(study: str) -> dict[str, dict[str, Any]]:
    """Return the parameters of a study that comes with the kit."""
    folder = REPOSITORY / "params" / study
    return {path.stem: params.load(path) for path in sorted(folder.glob("*.yaml"))}


def do(name: str, steps: Steps) -> Layout:
    """Run a study of these steps, with all that they say, in the working folder's project."""
    folder = Path("params") / name
    folder.mkdir(parents=True, exist_ok=True)
    for step, values in steps.items():
        (folder / f"{step}.yaml").write_text(yaml.safe_dump({**values, "study": name}, sort_keys=False))
    planned = run.plan(name)
    run.announce(planned)
    run.run(planned)
    return Layout(Path("outputs").absolute() / name)


def variant(
    base: Steps,
    name: str,
    origin: str | None,
    changes: Steps,
    *,
    network: bool = False,
    judged: Mapping[str, Any] | None = None,
) -> Layout:
    """Run a study with a model of its own, and one from elsewhere."""
    kept = ("01_download", "02_preprocess", "04_features", "05_samples")
    steps = {step: {**base[step], **changes.get(step, {})} for step in kept}
    own, away = ("07_fcn", "07_fcn_away") if network else ("06_rf", "06_away")
    if network:
        steps[own] = {**base["07_fcn"], "filters": [16, 32], "steps": 400}
    else:
        steps[own] = {"run": "rf", "model": "rf", "importance": 0}
    if origin is not None:
        steps["04_features"] = {**steps["04_features"], "fitted_in": origin}
        steps[away] = {"run": away[3:], "trained": f"{origin}/{own[3:]}"} | ({} if network else {"importance": 0})
    if judged is not None:
        steps["09_evaluate"] = dict(judged)
    return do(name, steps)


TAUGHT = {
    "rf": "forest, here",
    "away": "forest, there",
    "both": "forest, there and here, tested by folds of here",
    "fcn": "FCN, here",
    "fcn_away": "FCN, there",
}


def pooled(origin: str, layout: Layout) -> accuracy.Accuracy:
    """Test in each fold here a forest that the samples there and those of the other folds here taught together."""
    there, here = Samples.read(layout.other(origin)), Samples.read(layout)
    names = list(here.features(None))
    p = params.Baselines.check({"study": layout.folder.name, "run": "both", "model": "rf"}, "pooled")
    build = partial(estimators.build, "rf", {}, None, **p.model_dump(include={"trees", "min_leaf", "seed"}))
    image = np.asarray(raster.read(layout.stack, names).data)
    labels, fold = np.asarray(here.labels.data[0]), here.codes("fold")
    # On the same ground its samples of the tested fold say what is to be found out: they are left out, too.
    same = raster.grid(layout.stack) == raster.grid(layout.other(origin).stack)
    if same and (there.codes("fold") != fold).any():
        raise SystemExit("the same ground has other folds there")
    away = there.training("fold") if same else [np.ones(len(there.table), bool)] * here.n_splits
    mapped = np.zeros(labels.shape, np.uint8)
    for k, (rows, others) in enumerate(zip(here.training("fold"), away, strict=True), 1):
        taught = pd.concat([there.table[others], here.table[rows]])
        classifier, _, weight = build()
        x, y, block = taught[names].to_numpy(np.float32), taught["label"].to_numpy(), taught["block"].to_numpy()
        whole = np.isfinite(x).all(axis=1)
        model, _ = training.fit(x[whole], y[whole], block[whole], training.Recipe(classifier, weight))
        tested = (fold == k) & np.isfinite(image).all(axis=0)
        mapped[tested] = model.predict(image[:, tested].T)
    known = labels > 0
    matrices = accuracy.by_block(labels[known], mapped[known], here.codes("block")[known], here.scheme.values)
    return accuracy.assess(matrices, here.scheme, confidence=0.95, resamples=1000, seed=1)


def scores(title: str, there: Layout, origin: str = "") -> list[list[object]]:
    """Return a row for each run of a study: where it was taught, its macro-F1, what travelling cost.

    With the study that taught the other a row more: a forest of both.
    """
    judged = runs.evaluate(there)
    costs = judged.travelled().set_index("run")
    rows: list[list[object]] = []
    for name in judged.ranked():
        cost = ""
        if name in costs.index and costs.loc[name, "cost"] is not None:
            row = costs.loc[name]
            cost = f"{row['cost']:+.3f} ({row['low']:+.3f} … {row['high']:+.3f})"
        rows.append([title, TAUGHT[name], str(judged.runs[name].macro), str(judged.runs[name].overall), cost])
    if origin:
        both, here = pooled(origin, there), judged.runs["rf"]
        low, high = np.percentile(here.samples - both.samples, [2.5, 97.5])
        cost = f"{here.macro.value - both.macro.value:+.3f} ({low:+.3f} … {high:+.3f})"
        rows.append([title, TAUGHT["both"], str(both.macro), str(both.overall), cost])
    return rows


def simulated(one: str, other: str, network: bool = False) -> list[list[object]]:
    """From one half of the simulated study to the other."""
    base = known("simulated")
    whole = do("whole", {"01_download": base["01_download"]})
    box = raster.grid(whole.folder / "truth" / "classes.tif").boundingbox
    middle = (box.left + box.right) / 2
    source = {"source": "products", "products": str(whole.scenes)}
    beside = {"reference": next(whole.reference.glob("*.gpkg")), "dem": next(whole.ancillary.glob("*.tif"))}
    beside["roads"] = next(whole.ancillary.glob("*.gpkg"))
    base["01_download"] = source | {role: str(path) for role, path in beside.items()}
    halves = {
        "west": [box.left, box.bottom, middle, box.top],
        "east": [middle, box.bottom, box.right, box.top],
    }
    plain: dict[str, Steps] = {half: {"02_preprocess": {"bbox": place} | PLAIN} for half, place in halves.items()}
    variant(base, one, None, plain[one], network=network)
    there = variant(base, f"{other}_of_{one}", one, plain[other], network=network)
    title = f"simulated: taught in the {one}, mapped and tested in the {other}"
    return scores(title, there, "" if network else one)


def romania(halves: bool, network: bool = False) -> list[list[object]]:
    """From 2017 to 2019 in romania, on the same ground, or from its western half to its eastern one as well."""
    base = known("romania")
    years = {
        y: {"dates": [f"{y}-01-01", f"{y}-12-31"], "composite_dates": [f"{y}-05-01", f"{y}-10-31"]} | TRUST
        for y in (2017, 2019)
    }
    if not halves:
        variant(base, "y2017", None, {"02_preprocess": years[2017]}, network=network)
        there = variant(base, "y2019", "y2017", {"02_preprocess": years[2019]}, network=network)
        title = "romania: taught in 2017, mapped in 2019, the same ground and labels: it flatters"
        return scores(title, there, "" if network else "y2017")
    first = {"01_download": base["01_download"], "02_preprocess": {**base["02_preprocess"], **years[2017]}}
    whole = do("whole", first)
    box = raster.grid(whole.composite).boundingbox
    middle = (box.left + box.right) / 2
    west, east = [box.left, box.bottom, middle, box.top], [middle, box.bottom, box.right, box.top]
    rows = []
    for year, words in ((2017, "in the same year"), (2019, "in 2019")):
        if year == 2017:
            variant(base, "west17", None, {"02_preprocess": years[2017] | {"bbox": west}}, network=network)
        changes = {"02_preprocess": years[year] | {"bbox": east}}
        there = variant(base, f"east{year}", "west17", changes, network=network)
        title = f"romania: taught in the west in 2017, mapped in the east {words}"
        rows += scores(title, there, "" if network else "west17")
    return rows


def change() -> list[list[object]]:
    """The simulated land and the same two years on: what a model of the first year finds of the known change."""
    base = known("simulated")
    base["01_download"] = {**base["01_download"], "tiles": 1}
    first = variant(base, "now", None, {"02_preprocess": PLAIN})
    changes: Steps = {"01_download": {"later": True}, "02_preprocess": PLAIN}
    later = variant(base, "later", "now", changes)
    truth = [read(layout.folder / "truth" / "classes.tif") for layout in (first, later)]
    changed = truth[0] != truth[1]
    rows: list[list[object]] = []
    for name, words in {"away": "one forest, taught in the first year", "rf": "a forest for each year"}.items():
        one, two = read(first.run("rf").map), read(later.run(name).map)
        mapped = (one > 0) & (two > 0)
        rows.append([words, *rates(one != two, changed, mapped)])
        for kind, (before, after) in {"built over": (2, 1), "felled": (3, 6)}.items():
            happened = (truth[0] == before) & (truth[1] == after)
            rows.append([f"… {kind}", *rates((one == before) & (two == after), happened, mapped)])
    greens = [np.asarray(raster.read(layout.stack, ["NDVI"]).data[0]) for layout in (first, later)]
    difference = np.abs(greens[1] - greens[0])
    tried = {
        round(float(t), 2): rates(difference > t, changed, np.isfinite(difference)) for t in np.arange(0.05, 0.6, 0.05)
    }
    best = max(tried, key=lambda t: tried[t][2])
    rows.append([f"NDVI of the two composites differs by more than {best:g}", *tried[best]])
    return rows


DROPS = (0.1, 0.2, 0.3)
"""How much lower the NDVI of a composite must be for the rule to call it a loss."""


def logged() -> list[list[object]]:
    """Find forest that one model saw in 2016 and no more in 2020, through notebook 09, and where NDVI fell."""
    base = known("romania")
    plain: Steps = {"04_features": {"time_layers": []}}
    found = {}
    for year, origin in ((2018, None), (2016, "y2018"), (2020, "y2018")):
        days = {"dates": [f"{year}-01-01", f"{year}-12-31"], "composite_dates": [f"{year}-05-01", f"{year}-10-31"]}
        changes = {**plain, "02_preprocess": days | TRUST}
        compared = {"compare_with": "y2016/away", "compare_run": "away", "doubt": []} if year == 2020 else None
        found[year] = variant(base, f"y{year}", origin, changes, judged=compared)
    codes = np.asarray(raster.read_codes(found[2020].change).data[0])
    forest, other = 1, 2
    was_forest = codes // 1000 == forest
    lost = codes == 1000 * forest + other
    before, after = (np.asarray(raster.read(found[year].stack, ["NDVI"]).data[0]) for year in (2016, 2020))
    fell = {drop: was_forest & (before - after > drop) for drop in DROPS}
    hectare = abs(np.prod(raster.grid(found[2020].stack).resolution.yx)) / 1e4
    rows: list[list[object]] = [["forest in 2016", float(was_forest.sum() * hectare), 1.0, "", ""]]
    for how, said, others in (
        ("one forest for both years: forest, then not", lost, fell[DROPS[1]]),
        *((f"NDVI lower by more than {drop:g}", fell[drop], lost) for drop in DROPS),
    ):
        both = float((said & others).sum())
        area, part = float(said.sum() * hectare), float(said.sum() / was_forest.sum())
        rows.append([how, area, part, both / max(1, said.sum()), both / max(1, others.sum())])
    gained = codes == 1000 * other + forest
    rows.append(["one forest for both years: not, then forest", float(gained.sum() * hectare), "", "", ""])
    _draw_logged(before, after, lost, fell[DROPS[1]])
    return rows


def _draw_logged(
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    lost: npt.NDArray[np.bool_],
    fell: npt.NDArray[np.bool_],
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
    for ax, ndvi, year in zip(axes, (before, after), (2016, 2020), strict=False):
        shown = ax.imshow(ndvi, cmap="viridis", vmin=0.2, vmax=0.95)
        ax.set_title(f"NDVI, median of May to October {year}")
    figure.colorbar(shown, ax=axes[:2], shrink=0.8, label="NDVI")
    colours = np.array(["#eeeeee", "#0072b2", "#e69f00", "#000000"])
    axes[2].imshow([[tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in row] for row in colours[lost + 2 * fell]])
    for colour, words in zip(colours[1:], ("the map alone", "NDVI alone (−0.2)", "both"), strict=True):
        axes[2].plot([], [], "s", color=colour, label=words)
    axes[2].legend(loc="lower left", fontsize=8)
    axes[2].set_title("Forest of 2016 that is said to be gone")
    for ax in axes:
        ax.set_xticks([])
        ax.set_yticks([])
    figure.supxlabel("1 km × 1 km. Contains modified Copernicus Sentinel data 2016 and 2020.", fontsize=8)
    figure.savefig(report.DOCS / "logged.png", dpi=90)
    plt.close(figure)


def read(path: Path) -> npt.NDArray[np.uint8]:
    """Return the codes of a raster of one band."""
    return np.asarray(raster.read_codes(path).data[0])


def rates(said: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_], mapped: npt.NDArray[np.bool_]) -> list[float]:
    """Return of what is said to have changed the part that has, of what has the part that is said, and their F1."""
    right = float((said & true & mapped).sum())
    precision, recall = right / max(1.0, (said & mapped).sum()), right / max(1.0, (true & mapped).sum())
    return [precision, recall, 2 * precision * recall / max(1e-9, precision + recall)]


def applied(base: Steps, side: int) -> tuple[str, dict[str, Any], Any]:
    """Train a forest on a simulated scene; return the region's name, its steps' values, and the scene's grid."""
    name = f"here{side}"
    steps = {s: base[s] for s in ("01_download", "02_preprocess", "04_features", "05_samples")}
    steps["01_download"] = {**steps["01_download"], "size": side, "tiles": 1}
    steps["06_rf"] = {"run": "rf", "model": "rf", "importance": 0}
    here = do(name, steps)
    origin = {"source": "products", "products": str(here.scenes)}
    origin |= {"dem": str(next(here.ancillary.glob("*.tif"))), "roads": str(next(here.ancillary.glob("*.gpkg")))}
    area = {
        "01_download": origin,
        "02_preprocess": {**base["02_preprocess"], **TRUST},
        "04_features": {**base["04_features"], "fitted_in": name},
        "06_rf": {"run": "rf", "trained": f"{name}/rf", "importance": 0},
    }
    return f"region{side}", area, raster.grid(here.composite)


def put(region: str, steps: Mapping[str, Any], boxes: Mapping[str, Any]) -> None:
    """Write the parameter folder of a region with a table of areas (boxes in metres of the grid's CRS)."""
    folder = Path("params") / region
    folder.mkdir(parents=True)
    for step, values in steps.items():
        (folder / f"{step}.yaml").write_text(yaml.safe_dump({**values, "study": region}, sort_keys=False))
    lines = ["name,left,bottom,right,top"]
    for name, shape in boxes.items():
        box = shape.to_crs("EPSG:4326").boundingbox
        lines.append(f"{name},{box.left},{box.bottom},{box.right},{box.top}")
    (folder / "areas.csv").write_text("\n".join(lines) + "\n")


def region() -> list[list[object]]:
    """Measure what the steps of an area take, by its size: seconds of processors, memory, files."""
    rows: list[list[object]] = []
    for side in (300, 600):
        name, steps, grid = applied(known("simulated"), side)
        put(name, steps, {"a": grid.extent})
        planned = run.plan(name)
        items = regions.items_of(name, planned, list(steps))
        assert items is not None
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        (outcome,) = regions.execute(Study(planned[0].parameters), items)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        own = raster.grid(Layout(Path("outputs").absolute() / f"{name}-a").run("rf").map)
        pixels = own.width * own.height / 1e6
        rows.append([f"{side}×{side}, 10 dates", pixels, used, outcome.seconds, outcome.memory_mb, outcome.stored_mb])
    return rows


def areas() -> list[list[object]]:
    """Map six areas with two workers, of which one is killed in the middle of an area."""
    name, steps, grid = applied(known("simulated"), 300)
    boxes = {}
    for row in range(2):
        for column in range(3):
            part = grid[row * 150 + 2 : row * 150 + 148, column * 100 + 2 : column * 100 + 98]
            boxes[f"a{row}{column}"] = part.extent
    put(name, steps, boxes)
    began, killed = time.perf_counter(), 0.0
    code = "from lulc_kit.cli import app; app()"
    process = subprocess.Popen([sys.executable, "-c", code, "run", name, "--workers", "2"], stdout=sys.stderr)
    while process.poll() is None and not killed:
        time.sleep(0.2)
        if (victim := kills.busy(process)) is not None and victim.pid != process.pid:
            time.sleep(10)
            victim.kill()
            killed = time.perf_counter() - began
    if process.wait() or not killed:
        raise SystemExit("the region has no map, or no worker was killed")
    took = time.perf_counter() - began
    done = json.loads(Layout(Path("outputs").absolute() / name).areas.read_text(encoding="utf-8"))["areas"]
    rows: list[list[object]] = [[a["area"], a["seconds"], a["memory_mb"], a["stored_mb"]] for a in done]
    total = f"all six, {took:.0f} s in all, a worker killed after {killed:.0f} s"
    stored = sum(a["stored_mb"] for a in done)
    rows.append([total, sum(a["seconds"] for a in done), max(a["memory_mb"] for a in done), stored])
    return rows


@dataclass(frozen=True)
class Part:
    """A piece of the benchmark: which table it writes rows of, and which of the rows it makes anew."""

    file: str
    make: Callable[[], list[list[object]]]
    begins: str = ""
    """How its rows begin; "": all of the table."""
    taught: tuple[str, ...] = ("forest", "FCN")


PARTS: dict[str, Part] = {
    "west_east": Part("travel", partial(simulated, "west", "east"), "simulated: taught in the west", ("forest",)),
    "east_west": Part("travel", partial(simulated, "east", "west"), "simulated: taught in the east", ("forest",)),
    "years": Part("travel", partial(romania, False), "romania: taught in 2017", ("forest",)),
    "halves": Part("travel", partial(romania, True), "romania: taught in the west", ("forest",)),
    "halves_fcn": Part("travel", partial(romania, True, True), "romania: taught in the west", ("FCN",)),
    "west_east_fcn": Part(
        "travel", partial(simulated, "west", "east", True), "simulated: taught in the west", ("FCN",)
    ),
    "years_fcn": Part("travel", partial(romania, False, True), "romania: taught in 2017", ("FCN",)),
    "change": Part("change", change),
    "logged": Part("logged", logged),
    "region": Part("region", region),
    "areas": Part("areas", areas),
}
TABLES = {
    "travel": ("What travelling costs", ["place and time", "taught", "macro-F1", "overall accuracy", "cost"]),
    "change": ("What is found of a known change", ["how", "precision", "recall", "F1"]),
    "logged": (
        "What became of the forest of 2016 by 2020, on a square kilometre of Romania",
        ["how", "hectares", "part of the forest", "of this the other says, too", "of the other this says, too"],
    ),
    "region": (
        "What an area of a region takes",
        ["area", "megapixels", "seconds of processors", "seconds", "memory, MB", "files, MB"],
    ),
    "areas": ("Six areas, two workers, one of them killed", ["area", "seconds", "memory, MB", "files, MB"]),
}
NOTES = {
    "change": "Parts of pixels (0–1), against the true classes of both years, 300×300 pixels. The threshold of the "
    "NDVI is the best of all for this very truth, which nobody knows beforehand. SIMULATED data.",
    "logged": "For looking: nobody knows what has changed there. One random forest, taught on the composite of 2018 "
    "(tree cover density of 2018), maps the composites of 2016 and 2020; hectares and map through notebook 09. The "
    "other: for the map a fall of the NDVI by more than 0.2, for the falls the map.",
    "travel": "Macro-F1 and overall accuracy (0–1) with intervals of 95 % from drawing whole blocks. The cost is "
    "paired: how much lower than the forest (or FCN) taught here, on the same labelled pixels. Taught there and here: "
    "each fold here is tested by a forest of all samples there and of the other folds here; on the same ground the "
    "tested fold is left out there, too. Simulated data say nothing of the earth.",
    "region": "All steps of an area (scenes of ten dates, composite, features with statistics of time, map, "
    "probabilities) by a forest from elsewhere, one area at a time. SIMULATED data.",
    "areas": "Areas of about 96×146 pixels, ten dates. Seconds: of the steps that came to their end; what the killed "
    "worker had begun is not in them. Most of them start notebooks. SIMULATED data.",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help="which; all by default")
    for name in parser.parse_args().parts:
        part = PARTS[name]
        title, columns = TABLES[part.file]
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            (project / "params").mkdir()
            shutil.copytree(REPOSITORY / "notebooks", project / "notebooks")
            os.chdir(project)
            rows = part.make()
            os.chdir(REPOSITORY)

        def anew(row: dict[str, object], part: Part = part, columns: list[str] = columns) -> bool:
            taught = str(row.get("taught", "forest")).startswith(part.taught)
            return str(row[columns[0]]).startswith(part.begins) and taught

        kept = report.earlier(part.file, columns, anew)
        rows = sorted([*kept, *rows], key=lambda row: str(row[0])) if part.file == "travel" else kept + rows
        report.publish(part.file, title, columns, rows, NOTES[part.file])


if __name__ == "__main__":
    main()
