"""What a region leaves behind: one map of all areas for each run, and a page that says what became of each."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import jinja2

from lulc_kit import attribution, catalog, classes, files, grids, lock, mapping, raster
from lulc_kit.classes import Scheme, join
from lulc_kit.late import xr
from lulc_kit.layout import Layout
from lulc_kit.raster import joining, writing
from lulc_kit.region.items import Item, Outcome
from lulc_kit.visualize import maps


def write(items: Sequence[Item], outcomes: Sequence[Outcome], region: Layout) -> None:
    """Join the maps of the areas that have one, and write the page and its numbers.

    Parameters
    ----------
    items, outcomes
        The areas, and what became of each.
    region
        Names of the region's files.

    Raises
    ------
    LulcError
        If classes or pixels differ, or the areas lie too far apart for one map.
    """
    good = [item.study.layout for item, outcome in zip(items, outcomes, strict=True) if outcome.error is None]
    with lock.hold(region):
        attribution.declare("; ".join(dict.fromkeys(catalog.read(layout.catalog).attribution for layout in good)))
        runs = [s.parameters.run for s in items[0].steps if hasattr(s.parameters, "run")]
        joined = {run: _join(run, good, region) for run in runs} if good else {}
        files.write_json(region.areas, {"areas": [asdict(o) for o in outcomes], "runs": runs})
        files.write_text(region.report, _page(items, outcomes, joined, region))


def _join(run: str, areas: Sequence[Layout], region: Layout) -> tuple[xr.DataArray, Scheme, list[str]]:
    """Write the joined map of a run; return it, its classes, and the areas whose maps were warped to it."""
    at = {layout.folder.name: layout.run(run) for layout in areas}
    scheme = join({name: Scheme.from_dict(mapping.read_about(found)["classes"]) for name, found in at.items()})
    paths = [found.map for found in at.values()]
    grid = joining.common_grid([raster.grid(path) for path in paths])
    moved = {path.parent.parent.name for path in joining.find_moved(paths, grid)}
    target = region.run(run)
    writing.write(
        target.map,
        joining.join(paths, grid),
        dtype="uint8",
        nodata=0,
        colours={c.value: c.rgb for c in scheme.classes},
        tags={
            "classes": scheme.to_tag(),
            "run": run,
            "areas": " ".join(at),
            "warped": " ".join(sorted(moved)) or "none",
        },
    )
    files.write_text(target.style, classes.qml(scheme))
    return raster.read_codes(target.map), scheme, sorted(moved)


def _page(
    items: Sequence[Item],
    outcomes: Sequence[Outcome],
    joined: dict[str, tuple[xr.DataArray, Scheme, list[str]]],
    region: Layout,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    rows = [
        asdict(outcome) | {"study": item.study.name, "grid": _grid(item, joined)}
        for item, outcome in zip(items, outcomes, strict=True)
    ]
    pictures = {}
    for run, (codes, scheme, moved) in joined.items():
        figure = maps.class_map(codes, scheme, f"Run {run}")
        assert figure is not None, "there is a map"
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=100, bbox_inches="tight")
        data = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
        pictures[run] = {"data": data, "grid": grids.describe(codes.odc.geobox), "moved": moved}
    return environment.get_template("region.html.j2").render(
        region=region.folder.name,
        attribution=attribution.get(),
        rows=rows,
        failed=[row for row in rows if row["error"] is not None],
        pictures=pictures,
        hours=sum(o.seconds for o in outcomes) / 3600,
        memory=max((o.memory_mb for o in outcomes), default=0),
        stored=sum(o.stored_mb for o in outcomes) / 1000,
    )


def _grid(item: Item, runs: dict[str, tuple[xr.DataArray, Scheme, list[str]]]) -> str:
    found = [item.study.layout.run(run).map for run in runs]
    return grids.describe(raster.grid(found[0])) if found and found[0].exists() else "–"
