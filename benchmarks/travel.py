"""What travelling costs: a forest of one half of a place, or of one year, on the other; and what a region takes.

    python -m benchmarks.travel [simulated romania change region]

Each study is run through the notebooks themselves, in a project of its own. Simulated data are called simulated.
"""

import argparse
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from benchmarks import report
from lulc_kit import params, raster, run
from lulc_kit.evaluate import runs
from lulc_kit.layout import Layout
from lulc_kit.region import regions
from lulc_kit.study import Study

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


def variant(base: Steps, name: str, origin: str | None, changes: Steps, *, several: bool = True) -> Layout:
    """Run a study with a forest of its own, one from elsewhere, and one that both taught together."""
    kept = ("01_download", "02_preprocess", "04_features", "05_samples")
    steps = {step: {**base[step], **changes.get(step, {})} for step in kept}
    steps["06_rf"] = {"run": "rf", "model": "rf", "importance": 0}
    if origin is not None:
        steps["04_features"] = {**steps["04_features"], "fitted_in": origin}
        steps["06_away"] = {"run": "away", "trained": f"{origin}/rf", "importance": 0}
        if several:
            steps["06_both"] = {"run": "both", "samples": [origin, name], "importance": 0}
    return do(name, steps)


def scores(title: str, there: Layout) -> list[list[object]]:
    """Return a row for each run of a study: where it was taught, its macro-F1, what travelling cost."""
    judged = runs.evaluate(there)
    costs = judged.travelled().set_index("run")
    rows: list[list[object]] = []
    for name in judged.ranked():
        cost = ""
        if name in costs.index and costs.loc[name, "cost"] is not None:
            row = costs.loc[name]
            cost = f"{row['cost']:+.3f} ({row['low']:+.3f} … {row['high']:+.3f})"
        taught = {"rf": "here", "away": "there", "both": "there and here, tested by there"}[name]
        rows.append([title, taught, str(judged.runs[name].macro), str(judged.runs[name].overall), cost])
    return rows


def simulated(directions: int = 2) -> list[list[object]]:
    """Two halves of the simulated study."""
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
    rows = []
    for one, other in (("west", "east"), ("east", "west"))[:directions]:
        variant(base, one, None, {"02_preprocess": {"bbox": halves[one]} | PLAIN})
        there = variant(base, f"{other}_of_{one}", one, {"02_preprocess": {"bbox": halves[other]} | PLAIN})
        rows += scores(f"simulated: taught in the {one}, mapped and tested in the {other}", there)
    return rows


def romania() -> list[list[object]]:
    """Two years of romania, on the same ground and on the two halves of it."""
    base = known("romania")
    years = {
        y: {"dates": [f"{y}-01-01", f"{y}-12-31"], "composite_dates": [f"{y}-05-01", f"{y}-10-31"]} for y in (17, 19)
    }
    years = {y: {k: [f"20{day}" for day in days] for k, days in chosen.items()} for y, chosen in years.items()}
    first = variant(base, "y2017", None, {"02_preprocess": years[17] | TRUST})
    rows = scores(
        "romania: taught in 2017, mapped in 2019, the same ground and labels: it flatters",
        variant(base, "y2019", "y2017", {"02_preprocess": years[19] | TRUST}),
    )
    box = raster.grid(first.composite).boundingbox
    middle = (box.left + box.right) / 2
    west, east = [box.left, box.bottom, middle, box.top], [middle, box.bottom, box.right, box.top]
    variant(base, "west17", None, {"02_preprocess": years[17] | TRUST | {"bbox": west}})
    rows += scores(
        "romania: taught in the west in 2017, mapped in the east in 2019",
        variant(base, "east19", "west17", {"02_preprocess": years[19] | TRUST | {"bbox": east}}),
    )
    return rows


def change() -> list[list[object]]:
    """The simulated land and the same two years on: what a model of the first year finds of the known change."""
    base = known("simulated")
    base["01_download"] = {**base["01_download"], "tiles": 1}
    first = variant(base, "now", None, {"02_preprocess": PLAIN})
    changes = {"01_download": {"later": True}, "02_preprocess": PLAIN}
    later = variant(base, "later", "now", changes, several=False)
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


def read(path: Path) -> npt.NDArray[np.uint8]:
    """Return the codes of a raster of one band."""
    return np.asarray(raster.read_codes(path).data[0])


def rates(said: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_], mapped: npt.NDArray[np.bool_]) -> list[float]:
    """Return of what is said to have changed the part that has, of what has the part that is said, and their F1."""
    right = float((said & true & mapped).sum())
    precision, recall = right / max(1.0, (said & mapped).sum()), right / max(1.0, (true & mapped).sum())
    return [precision, recall, 2 * precision * recall / max(1e-9, precision + recall)]


def region() -> list[list[object]]:
    """Measure what the steps of an area take, by its size: seconds of processors, memory, files."""
    base = known("simulated")
    rows: list[list[object]] = []
    for side in (300, 600, 900):
        name = f"here{side}"
        steps = {s: base[s] for s in ("01_download", "02_preprocess", "04_features", "05_samples")}
        steps["01_download"] = {**steps["01_download"], "size": side, "tiles": 1}
        steps["06_rf"] = {"run": "rf", "model": "rf", "importance": 0}
        here = do(name, steps)
        origin = {"source": "products", "products": str(here.scenes)}
        origin |= {"dem": str(next(here.ancillary.glob("*.tif"))), "roads": str(next(here.ancillary.glob("*.gpkg")))}
        box = raster.grid(here.composite).extent.to_crs("EPSG:4326").boundingbox
        area = {
            "01_download": origin,
            "02_preprocess": base["02_preprocess"],
            "04_features": {**base["04_features"], "fitted_in": name},
            "06_rf": {"run": "rf", "trained": f"{name}/rf"},
        }
        folder = Path("params") / f"region{side}"
        folder.mkdir(parents=True)
        for step, values in area.items():
            (folder / f"{step}.yaml").write_text(yaml.safe_dump({**values, "study": folder.name}, sort_keys=False))
        (folder / "areas.csv").write_text(
            f"name,left,bottom,right,top\na,{box.left},{box.bottom},{box.right},{box.top}\n"
        )
        planned = run.plan(folder.name)
        items = regions.items_of(folder.name, planned, list(area))
        assert items is not None
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        (outcome,) = regions.execute(Study(planned[0].parameters), items)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        grid = raster.grid(Layout(Path("outputs").absolute() / f"{folder.name}-a").run("rf").map)
        pixels = grid.width * grid.height / 1e6
        rows.append([f"{side}×{side}, 10 dates", pixels, used, outcome.seconds, outcome.memory_mb, outcome.stored_mb])
    return rows


PARTS: dict[str, tuple[str, str, list[str], Callable[[], list[list[object]]]]] = {
    name: (
        "travel",
        "What travelling costs",
        ["place and time", "taught", "macro-F1", "overall accuracy", "cost"],
        make,
    )
    for name, make in {"simulated": simulated, "romania": romania}.items()
}
PARTS["region"] = (
    "region",
    "What an area of a region takes",
    ["area", "megapixels", "seconds of processors", "seconds", "memory, MB", "files, MB"],
    region,
)
PARTS["change"] = ("change", "What is found of a known change", ["how", "precision", "recall", "F1"], change)
NOTES = {
    "change": "Parts of pixels (0–1), against the true classes of both years, 300×300 pixels. The threshold of the "
    "NDVI is the best of all for this very truth, which nobody knows beforehand. SIMULATED data.",
    "travel": "Macro-F1 and overall accuracy (0–1) with intervals of 95 % from drawing whole blocks. The cost is "
    "paired: how much lower than the forest taught here, on the same labelled pixels. Simulated data say nothing of "
    "the earth.",
    "region": "All steps of an area (scenes of ten dates, composite, features with statistics of time, map, "
    "probabilities) by a forest from elsewhere, one area at a time. SIMULATED data.",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help="which; all by default")
    arguments = parser.parse_args()
    for part in arguments.parts:
        file, title, columns, make = PARTS[part]
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            (project / "params").mkdir()
            shutil.copytree(REPOSITORY / "notebooks", project / "notebooks")
            os.chdir(project)
            rows = make()
            os.chdir(REPOSITORY)
        before = report.earlier(
            file, columns, lambda row, p=part, c=columns[0]: str(row[c]).startswith(p) or p in ("region", "change")
        )
        report.publish(file, title, columns, before + rows, NOTES[file])


if __name__ == "__main__":
    main()
