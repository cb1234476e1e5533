"""What notebook 09 reads and leaves behind: the page, its numbers as data, layers of doubt, a style beside each map."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lulc_kit import catalog, classes, files, mapping, params, provenance, raster, steps
from lulc_kit.classes import Scheme
from lulc_kit.errors import FormatError, ParameterError
from lulc_kit.evaluate import (
    agreement,
    change,
    changed_areas,
    doubt,
    ensemble,
    qgis,
    references,
    report,
    smoothed,
    survey,
    trust,
)
from lulc_kit.evaluate.agreement import Agreement
from lulc_kit.evaluate.change import Change
from lulc_kit.evaluate.changed_areas import ChangedAreas
from lulc_kit.evaluate.findings import Findings
from lulc_kit.evaluate.qgis import RasterLayer
from lulc_kit.evaluate.runs import Evaluation
from lulc_kit.evaluate.sampling import HOW, Drawn
from lulc_kit.evaluate.smoothed import Smoothed, Way
from lulc_kit.evaluate.survey import Survey
from lulc_kit.evaluate.trust import Trust
from lulc_kit.late import pd, xr
from lulc_kit.layout import CONSENSUS, ENSEMBLE, Layout, RunLayout
from lulc_kit.map_layers import MAP_LAYERS
from lulc_kit.raster import blockwise, writing
from lulc_kit.samples import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def combine(samples: Samples, p: params.Evaluate, layout: Layout) -> list[str]:
    """Average runs into one more, if that is asked for; return the names of the runs that are to be judged.

    Of the runs that are to be averaged those that the plan leaves out are told and passed over; of fewer than two there
    is no mean.

    Raises
    ------
    LulcError
        If the study has no such run; see also `ensemble.combine`.
    """
    planned = steps.planned_runs(layout)
    known, there = steps.known_runs(p, layout), steps.members(p, layout)
    asked = p.ensemble or []
    if unknown := [name for name in asked if name not in known]:
        raise ParameterError(f"ensemble names the run {unknown[0]}, and there are: {', '.join(known)}.")
    if missing := [name for name in asked if name not in there]:
        averaged = f"the mean is that of {', '.join(there)}" if len(there) > 1 else "there is no mean"
        warnings.warn(f"ensemble: {', '.join(missing)} did not run, so {averaged}.", stacklevel=2)
    if len(there) < 2:
        return planned
    ensemble.combine(layout, there, samples)
    return [*planned, ENSEMBLE]


def read_maps(judged: Evaluation, layout: Layout) -> dict[str, xr.DataArray] | None:
    """Open the class maps of the runs, best first; None if they have none, as of samples that are a table."""
    maps = {run: mapping.read(layout.run(run), "class") for run in judged.ranked()}
    return {run: codes for run, codes in maps.items() if codes is not None} or None


def read_certainty(run: RunLayout) -> dict[str, xr.DataArray] | None:
    """Open the layers that say how sure a run is of itself, by name; None if there is no map."""
    found = {name: mapping.read(run, name) for name in (*reversed(MAP_LAYERS), CONSENSUS)}
    return {name: layer for name, layer in found.items() if layer is not None} or None


def read_doubt(run: RunLayout, layer: str) -> xr.DataArray | None:
    """Open a layer that says where a map is to be doubted, by name in `doubt.LAYERS`; None if it was not made.

    The combined layer keeps its codes; numbers are float32, NaN for no data.
    """
    path = run.doubt(layer)
    if not path.exists():
        return None
    return raster.read_codes(path) if layer == "care" else raster.read(path)


def examine(judged: Evaluation, samples: Samples, p: params.Evaluate, layout: Layout) -> dict[str, Trust]:
    """Measure where runs were taught, and calibrate their class sets: the best run, or those that are asked for.

    Raises
    ------
    LulcError
        If a run that is asked for is none of the study's; also as of `trust.examine`.
    """
    wanted: Sequence[str] = judged.ranked()[:1] if p.doubt is None else p.doubt
    for name in wanted:
        if name not in judged.runs:
            raise ParameterError(f"doubt names the run {name}, and there are: {', '.join(judged.ranked())}.")
    return {
        name: trust.examine(
            layout.run(name),
            samples,
            error_rate=p.error_rate,
            sets_by_class=p.sets_by_class,
            applicability_by_class=p.applicability_by_class,
            most=p.applicability_samples,
            seed=p.seed,
            taught=_taught(judged.about[name], p.study, layout),
        )
        for name in wanted
    }


def _taught(about: Mapping[str, Any], study: str, layout: Layout) -> list[Samples]:
    """Return the samples that taught a model elsewhere; none where they are this study's own, or are gone."""
    found = about.get("origin") or []
    names = [found.split("/")[0]] if isinstance(found, str) else [name for name in found if name != study]
    there = [layout.other(name) for name in names]
    return [Samples.read(other) for other in there if other.samples.exists()]


def write_doubt(judged: Evaluation, trusted: Mapping[str, Trust], p: params.Evaluate, layout: Layout) -> None:
    """Map for each run where its map is to be doubted; nothing for samples that are a table."""
    for name, known in () if layout.tabular else trusted.items():
        run = layout.run(name)
        stack = raster.read(layout.stack, mapping.read_about(run)["features"])
        percent = raster.read_codes(run.layer("probability"))
        least = known.least_of([str(b) for b in percent.band.values], judged.classes)
        limits = doubt.Limits(known.spaces, least, 100 * p.least_margin, p.density)
        found = doubt.layers(stack, raster.read_codes(run.map), percent, limits)
        held = stack.sizes["band"] + percent.sizes["band"]
        doubt.write(found, run, held, most=p.density, error_rate=p.error_rate)


def parts_of_care(run: RunLayout) -> dict[str, float]:
    """Return which part of a map (0–1) has which reason for doubt as its gravest; empty if that was not mapped."""
    codes = read_doubt(run, "care")
    if codes is None:
        return {}
    counts = np.sum(blockwise.reduce(lambda part: np.bincount(part.ravel(), minlength=256), codes.data), axis=0)
    mapped = max(1, int(counts[1:].sum()))
    return {c.name: float(counts[c.value] / mapped) for c in doubt.CARE.classes}


def draw_sample(judged: Evaluation, p: params.Evaluate, layout: Layout) -> Drawn | None:
    """Draw points for interpretation, as the parameters have it; None if none are wanted, or they have come back."""
    if p.interpreted or not (p.sample_points or p.sample_error):
        return None
    return survey.draw(
        judged,
        layout,
        points=p.sample_points,
        standard_error=p.sample_error,
        how=p.sample_design,
        allocation=p.sample_allocation,
        least=p.sample_least,
        run=p.sample_run,
        blind=p.sample_blind,
        seed=p.seed,
    )


def describe_sample(drawn: Drawn | None) -> pd.DataFrame | None:
    """Return how many points each class has; None without a sample."""
    if drawn is None:
        return None
    points = [int((drawn.stratum == value).sum()) for value in drawn.classes.values]
    table = pd.DataFrame({"class": drawn.classes.names, "mapped pixels": drawn.pixels, "points": points})
    return table.set_index("class").rename_axis(f"{HOW[drawn.how]}, from the map of run {drawn.run}")


def assess_sample(judged: Evaluation, p: params.Evaluate, layout: Layout) -> Survey | None:
    """Say what the interpreted points say of the maps; None if there are none yet."""
    if p.interpreted is None or p.interpreted_date is None:
        return None
    return survey.assess(judged, layout, files.locate(p.interpreted), p.interpreted_date)


def _chosen(wanted: Sequence[str] | None, parameter: str, judged: Evaluation) -> Sequence[str]:
    """Return the runs that a parameter names, each once; the best if it names none."""
    if unknown := [name for name in wanted or () if name not in judged.runs]:
        raise ParameterError(f"{parameter} names the run {unknown[0]}, and there are: {', '.join(judged.ranked())}.")
    return list(dict.fromkeys(wanted or judged.ranked()[:1]))


def compare_references(
    judged: Evaluation, p: params.Evaluate, layout: Layout
) -> dict[str, tuple[Agreement, xr.DataArray]] | None:
    """Compare the maps of runs with other maps, and write where they differ; None without any.

    Returns
    -------
    dict
        By run and other map, ``<run>_<name>``: how far they agree, and the layer of differences.

    Raises
    ------
    LulcError
        If a map cannot be read or translated (`references.open_codes`), 01 fetched none, or a run is unknown.
    """
    if not p.references or layout.tabular:
        return None
    found: dict[str, tuple[Agreement, xr.DataArray]] = {}
    for run in map(layout.run, _chosen(p.reference_runs, "reference_runs", judged)):
        ours = raster.read_codes(run.map)
        for other in p.references:
            path = _fetched(layout) if other.file == "reference" else files.locate(other.file)
            theirs = references.open_codes(
                path, ours.odc.geobox, judged.classes, other.scheme, other.classes, copies=layout.reference
            )
            matrix = agreement.count(ours.data[0], theirs.rechunk(ours.data[0].chunks), judged.classes.values)
            target = run.agreement(other.name)
            if target.stem in found:
                raise ParameterError(
                    f"references: {target.name} would be written twice (two other maps of one name, or a run and a map "
                    f"whose names join to the same). Give the other map another name."
                )
            colours = {c.value: c.rgb for c in agreement.DIFFERENCE.classes}
            meaning = agreement.DIFFERENCE.to_tag()
            tags = {"classes": meaning, "run": run.name, "reference": other.name}
            layer = agreement.layer(ours, theirs)
            writing.write(target, layer, dtype="uint8", nodata=0, colours=colours, tags=tags)
            found[target.stem] = (Agreement(other.name, run.name, matrix), raster.read_codes(target))
    return found


def _fetched(layout: Layout) -> Path:
    path = catalog.read(layout.catalog).ancillary.get("reference")
    if path is None:
        raise ParameterError(
            "references names the map that notebook 01 fetched, and it fetched none. Give the path of a map, or set "
            "'reference' in 01_download.yaml."
        )
    return path


def smooth(judged: Evaluation, samples: Samples, p: params.Evaluate, layout: Layout) -> dict[str, Smoothed]:
    """Smooth the maps of runs, each into one of its own, and score both; by run, none unless it is asked for.

    Raises
    ------
    LulcError
        If a run is none of the study's, or nothing would change.
    """
    if p.smooth is None or layout.tabular:
        return {}
    found = {}
    for name in _chosen(p.smooth.runs, "smooth", judged):
        run = layout.run(name)
        side = abs(raster.grid(run.map).resolution.x)
        least = round(p.smooth.least_area * 10_000 / side**2)
        way = Way(p.smooth.method, p.smooth.radius / side, least, p.smooth.edge)
        made = smoothed.smooth(layout, name, samples.scheme.values, way)
        tags = {"classes": judged.classes.to_tag(), "smoothed": str(way)}
        colours = {c.value: c.rgb for c in judged.classes.classes}
        output = writing.Output(run.smoothed, made, "uint8", 0, colours=colours, tags=tags)
        writing.write_all([output], f"smooth {name}", layers=way.held(len(samples.scheme.values)))
        files.write_text(run.smoothed.with_suffix(run.style.suffix), classes.qml(judged.classes))
        found[name] = smoothed.judge(
            layout, name, samples, way, confidence=p.confidence, resamples=p.resamples, seed=p.seed
        )
    return found


def read_smoothed(made: Mapping[str, Smoothed], layout: Layout) -> dict[str, xr.DataArray]:
    """Open the smoothed maps, (1, y, x), by run."""
    return {run: raster.read_codes(layout.run(run).smoothed) for run in made}


def compare_maps(judged: Evaluation, p: params.Evaluate, layout: Layout) -> Change | None:
    """Compare a map with that of another run or study, and write the change map; None if none is named.

    Raises
    ------
    LulcError
        If a run is unknown or has no map, or as of `change.compare`.
    """
    if p.compare_with is None:
        return None
    run = p.compare_run or judged.ranked()[0]
    if run not in judged.runs:
        raise ParameterError(f"compare_run names the run {run}, and there are: {', '.join(judged.ranked())}.")
    after = mapping.read(layout.run(run), "class")
    if after is None:
        raise ParameterError(f"compare_with: run {run} has no map to compare, as its samples are a table.")
    path, of_classes = steps.other_map(p.compare_with, layout)
    with files.parse(of_classes, "05_samples") as about:
        scheme = Scheme.from_dict(about["scheme"])
    names = (p.compare_with, f"{p.study}/{run}")
    found = change.compare(raster.read_codes(path), after, (scheme, judged.classes), names)
    values = found.classes.to_tag()
    meaning = f"class in {names[0]} × {change.CODE} + class in {names[1]}; 0: one of them has none"
    writing.write(layout.change, found.codes, dtype="uint32", nodata=0, tags={"meaning": meaning, "classes": values})
    return found


def draw_change(changed: Change | None, p: params.Evaluate, layout: Layout) -> Drawn | None:
    """Draw points of the change map for interpretation; None if none are wanted, or they have come back."""
    if changed is None or p.change_interpreted or not p.change_points:
        return None
    return changed_areas.draw(
        changed,
        layout.change_interpretation,
        points=p.change_points,
        allocation=p.sample_allocation,
        least=p.sample_least,
        blind=p.sample_blind,
        seed=p.seed,
    )


def describe_change_sample(drawn: Drawn | None) -> pd.DataFrame | None:
    """Return how many points each kind of change has; None without a sample."""
    return None if drawn is None else changed_areas.describe(drawn)


def assess_change(changed: Change | None, p: params.Evaluate, layout: Layout) -> ChangedAreas | None:
    """Say what the interpreted points of the change map say of the areas of change; None if there are none yet."""
    if changed is None or p.change_interpreted is None or p.change_dates is None:
        return None
    before, after = p.change_dates
    path = files.locate(p.change_interpreted)
    return changed_areas.assess(changed, layout.change_interpretation, path, (before, after), p.confidence)


def numbers(found: Findings, p: params.Evaluate, layout: Layout) -> dict[str, Any]:
    """Return all numbers as plain data: what ``accuracy.json`` holds (`accuracy.schema.json`)."""
    judged, changed, estimated = found.judged, found.changed, found.estimated
    maps = read_maps(judged, layout)
    return {
        "format": report.FORMAT,
        "study": p.study,
        "data": _data(judged, maps, layout),
        **judged.to_dict(),
        "trust": {
            name: known.to_dict(judged.classes) | {"parts": parts_of_care(layout.run(name))}
            for name, known in found.trusted.items()
        },
        "survey": None if found.surveyed is None else found.surveyed.to_dict(),
        "agreement": [one.to_dict(judged.classes) for one, _ in (found.agreed or {}).values()],
        "smoothed": [one.to_dict() for one in found.made.values()],
        "change": None
        if changed is None
        else changed.to_dict() | {"areas": None if estimated is None else estimated.to_dict()},
        "parameters": p.model_dump(mode="json", exclude={"outputs", "memory", "study"}),
        "versions": provenance.versions(),
    }


def _data(judged: Evaluation, maps: Mapping[str, xr.DataArray] | None, layout: Layout) -> dict[str, Any]:
    labelled = int(next(iter(judged.runs.values())).matrix.sum())
    if maps is None:
        return {
            **{"table": True, "attribution": "", "dates": [], "levels": [], "grid": None, "covered": None},
            "labelled": labelled,
        }
    scenes = catalog.read(layout.catalog)
    codes = maps[judged.ranked()[0]]
    box = codes.odc.geobox
    epsg = box.crs.to_epsg() if box.crs else None
    return {
        "table": False,
        "attribution": scenes.attribution,
        "dates": sorted({scene.date for scene in scenes.scenes}),
        "levels": sorted({scene.level for scene in scenes.scenes}),
        "grid": {
            "crs": f"EPSG:{epsg}" if epsg else str(box.crs),
            "resolution": abs(box.resolution.x),
            "rows": box.height,
            "columns": box.width,
        },
        "covered": measure_coverage(codes),
        "labelled": labelled,
    }


def measure_coverage(codes: xr.DataArray) -> float:
    """Return the part of a class map (0–1) that has a class."""
    return float((codes.data != 0).mean().compute())


def write(
    found: Findings,
    pictures: Mapping[str, Figure | Mapping[str, Figure | None] | None],
    p: params.Evaluate,
    layout: Layout,
) -> None:
    """Write all numbers as data and as tables, the pictures, the page made of them, and a QGIS style for each map.

    Parameters
    ----------
    found
        The numbers.
    pictures
        By name, or by name and run (``map``: ``rf``); None is left out.
    p
        The notebook's parameters.
    layout
        The study's files.
    """
    files.write_json(layout.accuracy, numbers(found, p, layout))
    for old in layout.picture("x").parent.glob(layout.picture("*").name):
        old.unlink()
    for name, shown in pictures.items():
        for run, figure in (shown if isinstance(shown, Mapping) else {"": shown}).items():
            if figure is not None:
                figure.draw_without_rendering()  # lays it out, which savefig would do twice
                figure.set_layout_engine("none")
                with files.replacing(layout.picture(f"{name}_{run}" if run else name)) as part:
                    figure.savefig(part, dpi=110, bbox_inches="tight")
    for name, table in found.tables().items():
        with files.replacing(layout.table(name)) as part:
            table.to_csv(part)
    write_qgis(found, p, layout)
    write_page(layout)


def write_qgis(found: Findings, p: params.Evaluate, layout: Layout) -> None:
    """Write a style and the names of the classes beside each map, and a project that shows all; nothing of a table."""
    judged = found.judged
    maps = read_maps(judged, layout)
    if maps is None:
        return
    for run in maps:
        files.write_text(layout.run(run).style, classes.qml(judged.classes))
        files.write_text(layout.run(run).attributes, qgis.attributes(judged.classes))
    order = judged.ranked()
    runs, best = {run: layout.run(run) for run in order}, order[0]
    spans = {"applicability": (0.0, 2.0), "density": (0.0, 254.0), "set_size": (0.0, float(len(judged.classes.values)))}
    doubted = [
        RasterLayer(
            f"{run} {name}", runs[run].doubt(name), doubt.CARE if name == "care" else None, span=spans.get(name)
        )
        for run in found.trusted
        for name in ("care", *spans)
        if p.density or name != "density"
    ]
    if ENSEMBLE in judged.runs:
        doubted.append(RasterLayer(f"{ENSEMBLE} {CONSENSUS}", runs[ENSEMBLE].layer(CONSENSUS), span=(0.0, 100.0)))
    apart = [
        RasterLayer(f"{o.run} and {o.reference}", runs[o.run].agreement(o.reference), agreement.DIFFERENCE)
        for o, _ in (found.agreed or {}).values()
    ]
    smooth_ = [RasterLayer(f"{run} smoothed", runs[run].smoothed, judged.classes) for run in found.made]
    groups = {
        "Doubt": doubted,
        "Other maps": apart,
        "Maps": [*(RasterLayer(r, at.map, judged.classes, shown=r == best) for r, at in runs.items()), *smooth_],
        "Labels": [RasterLayer("labels", layout.labels, judged.classes)],
        "Image": _image(layout),
    }
    box = maps[best].odc.geobox
    data = qgis.project({n: shown for n, shown in groups.items() if shown}, box, layout.folder.name, layout.project)
    with files.replacing(layout.project) as part:
        part.write_bytes(data)


def _image(layout: Layout) -> list[RasterLayer]:
    """Return the composite in true colour, or in its first three bands; nothing without one."""
    if not layout.composite.exists():
        return []
    names = raster.band_names(layout.composite)
    true_colour = ["B4", "B3", "B2"]
    wanted = true_colour if set(true_colour) <= set(names) else (names * 3)[:3]
    small = raster.preview(layout.composite, list(dict.fromkeys(wanted)), side=400)
    low, high = np.nanpercentile(small.values, [2, 98])
    colours = [(names.index(n) + 1, round(float(low), 4), round(float(high), 4)) for n in wanted]
    return [RasterLayer("image", layout.composite, colours=colours, shown=True)]


def write_page(layout: Layout) -> None:
    """Make the page of what 09 left: numbers, pictures, and the records of the steps before it.

    Raises
    ------
    LulcError
        If 09 has not been run, or left numbers of another version.
    """
    with files.parse(layout.accuracy, "09_evaluate") as found:
        if found.get("format") != report.FORMAT:
            raise FormatError(
                f"{layout.accuracy} is of another version of the kit ({found.get('format')}; expected "
                f"{report.FORMAT}). Run 09_evaluate again."
            )
        pictures = {path.stem: path for path in sorted(layout.picture("x").parent.glob(layout.picture("*").name))}
        records = [
            files.read_json(path)
            for path in sorted(layout.record("x").parent.glob(layout.record("[0-9][0-9]_*").name))
            if path.stem[:2] < "09"
        ]
        page = report.render(found, pictures, records)
    files.write_text(layout.report, page)


def coverage(trusted: Mapping[str, Trust], scheme: Scheme) -> pd.DataFrame | None:
    """Return what the class sets of the first run achieve, for reading (`Trust.coverage`); None without a run."""
    return next((known.coverage(scheme).round(3) for known in trusted.values()), None)


def first(pictures: Mapping[str, Figure]) -> Figure | None:
    """Return the picture of the first run, to be shown; None if there is none."""
    return next(iter(pictures.values()), None)
