"""What notebook 05 reads and leaves behind: labels, folds, the table of samples, and the classes that occur."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from lulc_kit import catalog, classes, files, params, raster, sentinel2, steps
from lulc_kit.classes import Scheme
from lulc_kit.distance import distance
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.intake import rasters, tables, vectors
from lulc_kit.intake.vectors import Vectors
from lulc_kit.labels import class_maps, reach, schemes, shapes, sources, splits, value_names, variogram
from lulc_kit.labels import tables as of_table
from lulc_kit.labels.distances import Points
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splits import Folds, to_raster
from lulc_kit.labels.splitters import SPLITTERS, RandomSplit, Splitter
from lulc_kit.late import da, pd, xr
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from lulc_kit.samples import Samples
from lulc_kit.study import Study
from lulc_kit.translation import Meanings

MOST_SHOWN = 40
"""Features of a table that one picture shows."""


def open_stack(p: params.Samples, layout: Layout) -> xr.DataArray | None:
    """Open the features of notebook 04; None where they come in a table with the labels."""
    return None if p.is_table else raster.read(layout.stack)


def read(p: params.Samples, layout: Layout, stack: xr.DataArray | None) -> Labels:
    """Read the labels that the parameters name; on a grid, where the stack has all features and no test set lies."""
    if stack is None:
        return _of_table(p)
    found = _labelled(_named(p, layout), p, stack.odc.geobox, layout, *_asked(p))
    found = replace(found, scheme=classes.recolour(found.scheme, p.colours))
    if p.validation is not None:
        found = _apart(replace(found, test=_test(p.validation, p, layout, found)), gap(p, reaches(p, stack, layout)))
    there = stack.notnull().data
    valid, lacking = da.compute(there.all(axis=0), (~there & (found.values > 0)).sum(axis=(1, 2)))
    return sources.usable(found, valid, dict(zip(map(str, stack.band.values), lacking.tolist(), strict=True)))


def _of_table(p: params.Samples) -> Labels:
    assert isinstance(p.labels, str) and p.table_class is not None, "a table has a name and a column of classes"
    path = files.locate(p.labels)
    frame = tables.read(path, p.encoding)
    for name, parameter in ((p.table_class, "table_class"), (p.table_group, "table_group")):
        if name is not None:
            tables.column(frame, name, parameter, path)
    if p.table_x is not None and p.table_y is not None and p.table_crs is not None:
        frame = tables.points(frame, p.table_x, p.table_y, p.table_crs, path)
    found = of_table.read(
        frame,
        *_asked(p),
        label=p.table_class,
        features=p.table_features,
        group=p.table_group,
        without=[name for name in (p.table_x, p.table_y) if name],
        what=str(path),
    )
    return replace(found, scheme=classes.recolour(found.scheme, p.colours))


def explain(p: params.Samples, layout: Layout) -> pd.DataFrame | None:
    """Return what the files of labels were understood to say, to be seen before `read` takes or refuses them.

    Of files of polygons or points a column each: CRS, features by kind of geometry and by value of the field; of class
    maps a row for each band. None for a table of pixel values.
    """
    if p.is_table:
        return None
    names = [name for name, _ in _named(p, layout)]
    maps = [name for name in names if not _drawn(name)]
    if maps:
        return pd.DataFrame([row for n in maps for row in rasters.look(n, sources.PARAMETERS)[1]])
    columns = [_shapes(name, p).record(p.field)["found"] for name in names]
    return pd.concat(columns, axis=1, keys=[c["file"] for c in columns])


def _test(name: str, p: params.Samples, layout: Layout, found: Labels) -> Labels:
    """Read the independent test set, on the grid and in the classes of the labels found."""
    if not _drawn(name):
        raise ParameterError(f"validation: {name} is no file of polygons or points.")
    test = _labelled([(name, None)], p, found.geobox, layout, found.scheme, p.classes, partial=True)
    features = len(np.unique(test.source[test.values > 0]))
    if features < 2:
        raise LulcError(
            f"validation: {features} feature(s) of {name} label the study's grid, and a test needs two at least (ten "
            f"times as many to say anything)."
        )
    return test


def _apart(found: Labels, far: float) -> Labels:
    """Drop labels of the test set, and those nearer to it than the gap."""
    assert found.test is not None, "nothing to be apart from"
    resolution = abs(found.geobox.resolution.x)
    away = distance(found.test.values > 0, max(far, resolution) / resolution) * resolution >= far
    why = (
        f"farther than the gap ({far:g} m) from the test set ('validation'). Take some of its features out of that "
        f"file, or use a smaller gap."
    )
    return sources.keep(found, away & (found.test.values == 0), why)


def _asked(p: params.Samples) -> tuple[Scheme | None, Meanings | None]:
    """Return the classes and what means them, as far as the parameters say."""
    if p.scheme is None or p.scheme in classes.SCHEMES:
        return classes.scheme(p.scheme) if p.scheme else None, p.classes
    return schemes.read(files.locate(p.scheme)), p.classes


def _named(p: params.Samples, layout: Layout) -> list[tuple[str, str | None]]:
    """Return the files of the labels, each with the class that all of it is, if it is one."""
    if isinstance(p.labels, dict):
        return [(name, of) for of, name in p.labels.items()]
    names = [p.labels] if isinstance(p.labels, str) else p.labels
    return [(str(_reference(layout)) if name == "reference" else name, None) for name in names]


def _reference(layout: Layout) -> Path:
    found = catalog.read(layout.catalog).ancillary
    if "reference" not in found:
        raise ParameterError(
            "labels: reference, but notebook 01 was given no reference. Set 'reference' in 01_download.yaml, "
            "or the path of your polygons or class raster as 'labels' in 05_samples.yaml."
        )
    return found["reference"]


def _labelled(
    named: Sequence[tuple[str, str | None]],
    p: params.Samples,
    geobox: GeoBox,
    layout: Layout,
    scheme: Scheme | None,
    wanted: Meanings | None,
    *,
    partial: bool = False,
) -> Labels:
    """Read labels from files of shapes, or from class maps."""
    drawn = [_drawn(name) for name, _ in named]
    if all(drawn):
        found = shapes.gather([(_shapes(name, p), of) for name, of in named], p.field, geobox, p.group_field)
        return shapes.burn(
            found,
            geobox,
            scheme,
            wanted,
            point_radius=p.point_radius,
            erode=p.erode,
            all_touched=p.all_touched,
            partial=partial,
        )
    if any(drawn) or any(of for _, of in named):
        raise ParameterError(
            "labels: a file for each class, and files in a list together with others, are files of polygons or points; "
            f"{named[drawn.index(False)][0]} is a class map. Give class maps alone, or in a list of their own."
        )
    plain = [rasters.plain(rasters.describe(name, sources.PARAMETERS), name, layout.reference) for name, _ in named]
    return class_maps.read(
        plain, geobox, scheme, wanted, value_names.read(files.locate(named[0][0])), homogeneous=p.homogeneous
    )


def _drawn(name: str) -> bool:
    """Whether a file is one of shapes; one that is missing is, so that it is reported as such."""
    path = files.locate(name)
    return not path.exists() or vectors.is_vector(path) or _is_text(path)


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in tables.SUFFIXES


def _shapes(name: str, p: params.Samples) -> Vectors:
    """Open a file of polygons or points; of a text, the columns of the coordinates are parameters."""
    path = files.locate(name)
    if not _is_text(path):
        return vectors.read(path, layer=p.layer, encoding=p.encoding, crs=p.labels_crs, parameters=sources.PARAMETERS)
    if p.table_x is None or p.table_y is None or p.table_crs is None:
        raise ParameterError(
            f"{path} is a table. For points with a class, name the columns of their coordinates: table_x, table_y and "
            f"table_crs in 05_samples.yaml; for pixel values with a class, name its column: table_class. "
            f"Shapes in words (WKT): ogr2ogr -a_srs EPSG:NUMBER -oo GEOM_POSSIBLE_NAMES=COLUMN labels.gpkg {path}."
        )
    table = tables.read(path, p.encoding)
    return Vectors(tables.points(table, p.table_x, p.table_y, p.table_crs, path), path.stem, path)


def splitter(
    p: params.Samples, found: Labels, stack: xr.DataArray | None, layout: Layout, kind: str | None = None
) -> Splitter:
    """Return the splitter that the parameters describe; what they leave open follows from features and models.

    It is that of ``split``, unless another ``kind`` is named.

    ``gap: null`` is the reach of what sees farthest; a smaller number is warned of. ``block: null`` is the range of the
    variogram of the features' first principal component, in whole pixels, and at least the gap.
    """
    sees = {} if stack is None else reaches(p, stack, layout)
    far = gap(p, sees)
    kind = kind or p.split
    if stack is None and kind in ("groups", "polygons") and not hasattr(found.frame, "geometry"):
        far = 0.0  # groups without places
    if kind != "random" and kind == p.split:
        _warn_of_gap(far, sees)
    count = p.folds if kind == "groups" else p.folds or Splitter.n_splits
    own: dict[str, Any] = {"n_splits": count, "random_state": p.seed}
    if kind == "blocks":
        own["spacing"] = p.block if p.block is not None else max(_range(p, found, stack), far)
    if kind == "knndm":
        own["prediction"] = _everywhere(found, layout)
    if kind != "random":
        own["buffer"] = far
    return SPLITTERS[kind](**own)


def add_further(folds: Folds, p: params.Samples, found: Labels, stack: xr.DataArray | None, layout: Layout) -> Folds:
    """Split the same pixels in another way too (``further_split``), to be scored beside.

    They stay as they are if none is asked for, or the labels do not allow it: a table has no map to match, and the
    pixels of a class raster are no polygons.
    """
    kind = p.further_split
    if kind is None or kind == p.split or (kind == "knndm" and stack is None):
        return folds
    if kind in ("knndm", "polygons") and not found.source[found.values > 0].all():
        return folds
    return splits.split_further(found, folds, splitter(p, found, stack, layout, kind))


def distances(found: Labels, folds: Folds, layout: Layout) -> tuple[Mapping[str, Points] | None, str]:
    """Measure the distances that say whether the splits answer the question (see `lulc_kit.labels.distances`).

    Returns
    -------
    dict
        Distances by what they lead from and to; None for a table, which no map is made of.
    str
        What follows from them.
    """
    if found.frame is not None:
        return None, "The samples are a table: what a map would be asked is not known."
    places = _everywhere(found, layout)
    measured = splits.measure(found, folds, places)
    curves, verdict = dict(measured.curves()), measured.title()
    tests = {splits.title(folds.splitter): curves.pop("test to training")}
    if folds.further is not None:
        other, name = splits.measure(found, folds.further, places), splits.title(folds.further.splitter)
        tests[name] = other.test
        verdict += f" Further split, {name}: {other.verdict()} (W = {other.w:.0f} m)."
    if not isinstance(folds.splitter, RandomSplit):
        tests["random pixels"] = splits.measure_random(found, folds)
    curves |= {f"test to training, {name}": distances for name, distances in tests.items()}
    return curves, verdict


def bands(table: pd.DataFrame, found: Labels) -> list[str]:
    """Return the bands of the table of samples in the order of their wavelengths; where it has none, its features."""
    own = [str(c) for c in found.frame.columns if c != "geometry"] if found.frame is not None else []
    return [b for b in sentinel2.BANDS if b in table] or own[:MOST_SHOWN]


def _everywhere(found: Labels, layout: Layout) -> Points:
    coarse = raster.preview(layout.stack, raster.header(layout.stack).names[:1], side=200)
    return splits.everywhere(coarse, found.geobox)


def reaches(p: params.Samples, stack: xr.DataArray, layout: Layout) -> dict[str, float]:
    """Return how far from a pixel its features and the study's networks see, metres, by what sees so far."""
    resolution = abs(stack.odc.geobox.resolution.x)
    features = Study(p).record("04_features")
    texture = raster.header(layout.texture).names if layout.texture.exists() else []
    bands = [str(b) for b in stack.band.values]
    found = reach.of_features(features.parameters if features else {}, bands, texture, resolution)
    known = [params.model_of(path.stem).check(params.load(path), str(path)) for path in steps.networks(p)]
    networks = [n for n in known if getattr(n, "trained", None) is None]  # what learnt elsewhere has seen nothing here
    fcns = {n.run: n for n in networks if isinstance(n, params.FCN)}
    found |= {f"run {name}": fcn.reach * resolution for name, fcn in fcns.items()}
    for n in networks:
        if isinstance(n, params.LSTM):
            first = fcns.get(n.fcn, params.FCN.check({}, "07_fcn")).reach if n.starts_from_fcn else 0
            found[f"run {n.run}"] = (first + n.reach) * resolution
    return found


def gap(p: params.Samples, sees: Mapping[str, float]) -> float:
    """Return the least distance between training and test, metres: the parameter, or what sees farthest."""
    return p.gap if p.gap is not None else max(sees.values(), default=0.0)


def _warn_of_gap(far: float, sees: Mapping[str, float]) -> None:
    found = {name: metres for name, metres in sees.items() if metres > far}
    if found:
        listed = ", ".join(f"{name} {metres:g} m" for name, metres in found.items())
        warnings.warn(
            f"gap is {far:g} m, but this reaches farther: {listed}. It sees test pixels in training. Set "
            f"gap: null in {sources.PARAMETERS} for a gap of {max(found.values()):g} m.",
            stacklevel=3,
        )


def _range(p: params.Samples, found: Labels, stack: xr.DataArray | None) -> float:
    resolution = float(abs(found.geobox.resolution.x))
    labelled = np.flatnonzero(found.values)
    chosen = np.sort(np.random.default_rng(p.seed).permutation(len(labelled))[: variogram.SAMPLED])
    few = labelled[chosen]
    if stack is None:
        assert found.frame is not None, "features come from a stack or from a table"
        features = found.frame.drop(columns="geometry", errors="ignore").to_numpy()[few]
    else:
        features = da.asarray(stack.data).reshape(len(stack.band), -1)[:, few].compute().T
    fitted = variogram.of_features(found.points()[chosen], features, p.seed)
    if fitted.range > 0.99 * fitted.longest:
        warnings.warn(
            f"The variogram does not level off within {fitted.longest:.0f} m, half of all distances between labels: "
            f"they lie too close together to tell how far neighbours resemble each other. Blocks have that side.",
            stacklevel=3,
        )
    return float(np.ceil(fitted.range / resolution) * resolution)


def _quantiles(distances: Points) -> list[float]:
    finite = distances[np.isfinite(distances)]
    return [round(float(d), 2) for d in np.percentile(finite, range(101))] if len(finite) else []


def write(
    found: Labels,
    folds: Folds,
    table: pd.DataFrame,
    layout: Layout,
    verdict: str,
    doubt: str | None = None,
    curves: Mapping[str, Points] | None = None,
) -> None:
    """Write the table of samples, the labels, the folds, and the classes that occur with what is known of both.

    ``curves`` and ``verdict`` (of `distances`) and ``doubt`` (of `quality.circularity`) go into the report.
    """
    occurring = found.scheme.subset(np.unique(found.values))
    Samples(
        table,
        occurring,
        splits.separation(found, folds),
        found.raster(),
        to_raster(found, folds),
        notes=(*folds.notes, verdict),
        scarce=splits.scarce(found, folds).to_dict("records"),
        doubt=doubt or "",
        distances={name: _quantiles(found) for name, found in (curves or {}).items()},
        further=splits.separation(found, folds.further) if folds.further is not None else "",
    ).write(layout)
    test = found.test
    if test is not None:
        codes = np.stack([test.values, test.source]).astype(np.uint32)
        writing.write(
            layout.validation, raster.array(codes, test.geobox, ["label", "feature"]), dtype="uint32", nodata=0
        )
