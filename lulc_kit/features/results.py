"""What notebook 04 reads beside the composite, and what it leaves behind."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from lulc_kit import catalog, files, params, raster, travel
from lulc_kit import families as families_of
from lulc_kit.cube import Cube, Reason
from lulc_kit.errors import BandError, LulcError, MissingFileError, ParameterError
from lulc_kit.features import components, embeddings, external, indices, periods, roads, segments, stack, units
from lulc_kit.features.components import Components
from lulc_kit.intake import rasters, vectors
from lulc_kit.late import da, pd, xr
from lulc_kit.layout import Layout
from lulc_kit.raster import writing

if TYPE_CHECKING:
    from lulc_kit.features.quantize import Quantizer

PARAMETERS = "04_features.yaml"


def texture(image: xr.DataArray, p: params.Features, layout: Layout) -> tuple[xr.DataArray | None, xr.DataArray | None]:
    """Compute texture, write it, and open that file: it is used twice, and computed once.

    Its grey levels are those of the study ``fitted_in`` if it is given; they are written beside it.

    Returns
    -------
    xarray.DataArray
        One layer for each of ``texture_bands`` and ``texture_features``; None if no band is asked for.
    xarray.DataArray
        The same in a few hundred rows and columns, for a picture.
    """
    from lulc_kit.features import quantize, texture_layers  # numba takes its time to load
    from lulc_kit.features.texture import Settings

    if not p.texture_bands:
        return None, None
    settings = Settings(**{field.name: getattr(p, f"texture_{field.name}") for field in fields(Settings)})
    if p.fitted_in is None:
        levels = texture_layers.fit_quantizers(raster.select(image, p.texture_bands), settings)
    else:
        levels = _lent_levels(quantize.read(layout.other(p.fitted_in).grey_levels), p)
    layers = texture_layers.compute(image, p.texture_bands, settings, levels)
    assert layers is not None, "there are bands"
    quantize.write(layout.grey_levels, dict(zip(p.texture_bands, levels, strict=True)))
    about = {name: str(value) for name, value in p.model_dump().items() if name.startswith("texture_")}
    # Each band of a block, its neighbours', and the two put together.
    writing.write_all([writing.Output(layout.texture, layers, tags=about)], layers=4 * len(p.texture_bands))
    return raster.read(layout.texture), raster.preview(layout.texture)


def _lent_levels(known: Mapping[str, Quantizer], p: params.Features) -> list[Quantizer]:
    """Return the grey levels of the texture's bands, fitted in another study, if they are what is asked for here."""
    there = {band: quantizer.levels for band, quantizer in known.items()}
    here = dict.fromkeys(p.texture_bands, p.texture_levels)
    if any(there.get(band) != levels for band, levels in here.items()):
        raise ParameterError(
            f"fitted_in: {p.fitted_in} has no such grey levels.\n  there (levels by band): {_listed(there)}\n  here:"
            f"  {_listed(here)}\nSet texture_bands and texture_levels as in {p.fitted_in}, or fitted_in: null."
        )
    return [known[band] for band in p.texture_bands]


def _listed(found: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items()) or "none"


def projection(
    image: xr.DataArray | None, p: params.Features, layout: Layout, of: Literal["", "texture"] = ""
) -> Components | None:
    """Fit principal components to layers, or take those of the study ``fitted_in``; None if none are asked for.

    Parameters
    ----------
    image
        The layers, all of which take part; None for none.
    p, layout
        The parameters, and names of the study's files.
    of
        What the layers are: bands, or texture.

    Raises
    ------
    LulcError
        If that study has no components of these layers, or fewer; see also `components.fit`.
    """
    count, standardize, prefix = (p.components, False, "PC")
    if of:
        count, standardize, prefix = (p.texture_components, p.texture_standardize, "TPC")
    if p.fitted_in is None or image is None or not count:
        return components.explain(image, count, standardize=standardize, prefix=prefix)
    lent = components.read(layout.other(p.fitted_in).components(of).with_suffix(".json"))
    here = tuple(str(band) for band in image.band.values)
    if (lent.bands, len(lent.variance)) != (here, count):
        raise ParameterError(
            f"fitted_in: {p.fitted_in} has other components.\n  there: {len(lent.variance)} of {', '.join(lent.bands)}"
            f"\n  here:  {count} of {', '.join(here)}\nSet bands, texture and components as in {p.fitted_in}, or "
            f"fitted_in: null."
        )
    return lent


def _bands(image: xr.DataArray, p: params.Features, layout: Layout) -> xr.DataArray:
    return raster.select(image, p.bands)


def _indices(image: xr.DataArray, p: params.Features, layout: Layout) -> xr.DataArray | None:
    return indices.compute(image, p.indices)


def _terrain(image: xr.DataArray, p: params.Features, layout: Layout) -> xr.DataArray | None:
    dem = catalog.read(layout.catalog).ancillary.get("dem")
    if dem is None:
        return None
    from lulc_kit.features import terrain  # numba takes its time to load

    found = rasters.describe(dem)
    if len(found.bands) > 1:
        raise BandError(
            f"dem: {dem} has {len(found.bands)} bands ({', '.join(b.name for b in found.bands)}), and an elevation "
            f"model has one. Save the right one by itself: gdal_translate -b NUMBER FILE dem.tif."
        )
    (band,) = found.bands
    return terrain.compute(
        rasters.plain(found, dem, layout.ancillary),
        image.odc.geobox,
        resampling=p.dem_resampling,
        flat_aspect=p.flat_aspect,
        calibration=terrain.metres(band.scale, band.offset, band.unit, dem),
    )


def _roads(image: xr.DataArray, p: params.Features, layout: Layout) -> xr.DataArray | None:
    lines = catalog.read(layout.catalog).ancillary.get("roads")
    if lines is None:
        return None
    return roads.compute(lines, image.odc.geobox, all_touched=p.roads_all_touched, maximum=p.roads_distance)


def _external(image: xr.DataArray, p: params.Features, layout: Layout, family: str = "external") -> xr.DataArray | None:
    layers = []
    for entry in p.external:
        if entry.family != family:
            continue
        first, *more = own = _own(entry)
        named = entry.model_dump(include={"bands", "prefix", "align", "nodata"})
        if more:
            tiles = [Path(tile) for tile in own]
            path = external.join(tiles, layout.features / f"{external.read_place(tiles[0])[0]}.vrt")
        else:
            known = rasters.describe(first, PARAMETERS)
            path = rasters.plain(known, first, layout.features, entry.nodata)
            if path != Path(known.source[0]):
                named["nodata"] = None  # the copy says itself what means nodata
        found = external.read(path, image.odc.geobox, **named)
        if entry.year is not None:
            embeddings.check_year(entry.file, entry.year, raster.tags(layout.composite).get("dates", "").split())
            with raster.open(path) as source:
                plain_integers = source.scales[0] == 1 and np.dtype(source.dtypes[0]).kind in "iu"
            found = embeddings.decode(found, entry.scale, plain_integers, entry.file)
        layers.append(found)
    return stack.merge(*layers) if layers else None


def explain(p: params.Features, layout: Layout, part: Literal["band", "layer"]) -> pd.DataFrame | None:
    """Return what the elevation model and the rasters of ``external`` ("band"), or the roads ("layer"), say.

    A row for each band or layer, for reading; None where there is no such file. Of the tiles of an export the first.
    """
    ancillary = catalog.read(layout.catalog).ancillary
    if part == "layer":
        found = vectors.describe(ancillary["roads"]) if "roads" in ancillary else []
    else:
        named: list[tuple[str | Path, float | None]] = [(ancillary["dem"], None)] if "dem" in ancillary else []
        named += [(_own(entry)[0], entry.nodata) for entry in p.external]
        found = [row for name, nodata in named for row in rasters.look(name, PARAMETERS, nodata)[1]]
    return pd.DataFrame(found) if found else None


def context(image: xr.DataArray, p: params.Features) -> xr.DataArray | None:
    """Compute the means (and deviations) of moving windows of ``context_layers``, lazily; None without windows."""
    if not p.context_windows:
        return None
    from lulc_kit.features import context as surroundings  # numba takes its time to load

    return surroundings.compute(_layers(image, p.context_layers or p.bands), p.context_windows, p.context_statistics)


def _segments(image: xr.DataArray, p: params.Features, layout: Layout) -> xr.DataArray | None:
    layers = _layers(image, p.context_layers or p.bands)
    return segments.compute(layers, p.segment_size, p.segment_compactness, p.context_statistics)


CLOSEUP = 300
"""Side of the picture of `closeup`, pixels."""


def closeup(image: xr.DataArray, p: params.Features) -> xr.DataArray | None:
    """Compute context of one layer in the middle of the scene, pixel by pixel, for a picture; None without windows."""
    if not p.context_windows:
        return None
    top, left = (max(0, (size - CLOSEUP) // 2) for size in image.shape[1:])
    middle = image.isel(y=slice(top, top + CLOSEUP), x=slice(left, left + CLOSEUP))
    names = p.context_layers or p.bands
    one = ["B8" if "B8" in names else names[-1]]
    return stack.merge(raster.select(middle, one), context(middle, p.model_copy(update={"context_layers": one})))


def _own(entry: params.features.External) -> list[str | Path]:
    """Return the rasters that an entry of ``external`` names: one, or the tiles of an export."""
    paths = files.find(entry.file)
    if not paths:
        raise MissingFileError(f"external: no file fits {entry.file!r}. Check the path in {PARAMETERS}.")
    pattern = any(mark in entry.file for mark in "*?[")
    return list(paths) if pattern or len(paths) > 1 else [entry.file]


def time(p: params.Features, layout: Layout) -> tuple[xr.DataArray | None, xr.DataArray | None]:
    """Compute layers of the cube's dates (statistics, months, the dates themselves), write and open them.

    Raises
    ------
    LulcError
        If a layer is neither a band of the cube nor an index of its bands, no date lies in ``time_dates`` or in one
        of ``time_months``, there are fewer dates than a statistic needs, or a month shows no pixel.
    """
    if not p.time_layers:
        return None, None
    from lulc_kit.features import temporal  # numba takes its time to load

    cube = Cube(layout.cube)
    dates = _dates(p, cube)
    _check_statistics(p, dates)
    series = [open_layers(cube, date, p.time_layers) for date in dates]
    parts = [temporal.compute(series, dates, p.time_statistics, p.time_min)]
    for period in p.time_months:
        within = periods.dates_in(period, dates)
        _check_clear(cube, within, period)
        median = temporal.compute([series[dates.index(date)] for date in within], within, ["p50"], 1)
        parts.append(_renamed(median, p.time_layers, period))
    if p.time_each:
        parts += [_renamed(image, p.time_layers, date) for date, image in zip(dates, series, strict=True)]
    found = stack.merge(*parts)
    tags = {"dates": " ".join(dates), "least": str(p.time_min)}
    # Each band of each date, the layers made of them, the two put together, and what is made of all.
    needed = len(dates) * (cube.image(dates[0]).sizes["band"] + 2 * len(p.time_layers)) + found.sizes["band"]
    writing.write_all([writing.Output(layout.time, found, tags=tags)], layers=needed)
    return raster.read(layout.time), raster.preview(layout.time)


def open_series(p: params.Features, layout: Layout) -> xr.DataArray | None:
    """Open the first of ``time_layers`` on all dates, lazily: (date, y, x), NaN where it is not clear; None without."""
    if not p.time_layers:
        return None
    cube = Cube(layout.cube)
    dates = _dates(p, cube)
    layers = [open_layers(cube, date, p.time_layers[:1]).isel(band=0, drop=True) for date in dates]
    return xr.concat(layers, "date").assign_coords(date=dates).rename(p.time_layers[0])


def wave(
    values: npt.NDArray[np.floating], dates: Sequence[str], order: int
) -> tuple[list[datetime.date], npt.NDArray[np.float64]]:
    """Return the days and the wave fitted to one pixel of `open_series`: `temporal.curve`."""
    from lulc_kit.features import temporal  # numba takes its time to load

    return temporal.curve(values, dates, order)


def _dates(p: params.Features, cube: Cube) -> list[str]:
    """Return the cube's dates that count."""
    dates = cube.between(p.time_dates)
    if not dates:
        raise ParameterError(
            f"time_dates: no date of the cube lies from {' to '.join(p.time_dates or [])}. It has {len(cube.dates)}: "
            f"{', '.join(cube.dates[:20])}."
        )
    return dates


def _check_statistics(p: params.Features, dates: Sequence[str]) -> None:
    """Refuse dates that are too few for a statistic, of which no pixel could have it."""
    from lulc_kit.features import temporal  # numba takes its time to load

    needed = {name: temporal.count_needed(name, p.time_statistics, p.time_min) for name in p.time_statistics}
    if short := [f"{name} needs {least}" for name, least in needed.items() if least > len(dates)]:
        raise ParameterError(
            f"time_statistics: {', '.join(short)} clear dates of a pixel, and there are {len(dates)} dates in all: "
            f"{', '.join(dates)}. Leave it out, lower time_min ({p.time_min}), or widen 'dates' in 02_preprocess.yaml."
        )


def _check_clear(cube: Cube, within: Sequence[str], period: str) -> None:
    """Refuse a month or season on whose dates clouds hide everything."""
    if not any(bool((cube.mask(date).data == Reason.CLEAR).any().compute()) for date in within):
        raise ParameterError(
            f"time_months: on no date of {period} ({', '.join(within)}) any pixel is clear: this layer would be empty "
            f"everywhere. Leave {period} out, or widen it to a season (06..08)."
        )


def _renamed(layers: xr.DataArray, names: Sequence[str], ending: str) -> xr.DataArray:
    return layers.assign_coords(band=[f"{name}_{ending}" for name in names])


def clear_by_month(p: params.Features, layout: Layout) -> pd.DataFrame | None:
    """Count what the cube's dates show, month by month; None where no ``time_layers`` are asked for.

    Returns
    -------
    pandas.DataFrame
        Index ``month`` (``YYYY-MM``), every month from the first to the last; ``dates``, ``clear`` (clear observations
        of a pixel, on average), ``never`` (part of the pixels that have none, 0–1).
    """
    if not p.time_layers:
        return None
    cube = Cube(layout.cube)
    dates = _dates(p, cube)
    by_month: dict[str, list[str]] = {str(m): [] for m in pd.period_range(dates[0], dates[-1], freq="M")}
    for date in dates:
        by_month[date[:7]].append(date)
    counts = [cube.observations(of).data for of in by_month.values() if of]
    summed = da.compute(*((count.mean(), (count == 0).mean()) for count in counts))
    seen = iter(summed)
    rows = [(month, len(of), *(next(seen) if of else (0.0, 1.0))) for month, of in by_month.items()]
    return pd.DataFrame(rows, columns=["month", "dates", "clear", "never"]).set_index("month")


def _layers(image: xr.DataArray, names: Sequence[str]) -> xr.DataArray:
    """Return bands of an image, and indices of its bands, by name."""
    own = {str(band) for band in image.band.values}
    return raster.select(stack.merge(image, indices.compute(image, [n for n in names if n not in own])), names)


def open_layers(cube: Cube, date: str, names: Sequence[str]) -> xr.DataArray:
    """Open layers of a date lazily, NaN where it is not clear, from the bands that they need and no others."""
    have = raster.band_names(cube.files.image(date))
    needed = {band for name in names for band in ([name] if name in have else indices.find(name).bands)}
    # With all of them, the message about one that is missing says what there is.
    bands = [band for band in have if band in needed] if needed <= set(have) else None
    return _layers(cube.clear(date, bands), names)


def _time(image: xr.DataArray, p: params.Features, layout: Layout) -> xr.DataArray | None:
    return raster.read(layout.time) if p.time_layers else None


def _dispersion(image: xr.DataArray, p: params.Features, layout: Layout) -> xr.DataArray | None:
    return raster.read(layout.dispersion) if layout.dispersion.exists() else None


FAMILIES: dict[str, Callable[[xr.DataArray, params.Features, Layout], xr.DataArray | None]] = {
    "bands": _bands,
    "indices": _indices,
    "terrain": _terrain,
    "roads": _roads,
    "external": _external,
    "embedding": lambda image, p, layout: _external(image, p, layout, "embedding"),
    "context": lambda image, p, layout: context(image, p),
    "segments": _segments,
    "time": _time,
    "dispersion": _dispersion,
}
"""What gives the layers of the stack, in its order. Each gets the composite, and returns None where it has nothing.

With an elevation model the first three are, by default, the 20 bands of the source workflow, in its order.
"""


COMPONENT = re.compile(r"(T?PC)\d+")
"""Names that notebook 04 gives components of bands and of texture."""


def families(image: xr.DataArray, p: params.Features, layout: Layout) -> dict[str, xr.DataArray]:
    """Compute the layers of all `FAMILIES` that have any, lazily, on the composite's grid.

    Tiles of an export are joined in ``<name of the export>.vrt``, beside the stack.

    Raises
    ------
    LulcError
        If an entry of ``external`` names no file; see also the families' own modules.
    """
    found = {name: compute(image, p, layout) for name, compute in FAMILIES.items()}
    return {name: layers for name, layers in found.items() if layers is not None}


def table(found: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """Return the names of each family's layers, for reading."""
    rows = {name: ", ".join(map(str, layers.band.values)) for name, layers in found.items()}
    return pd.DataFrame({"layers": rows})


def choose(
    image: xr.DataArray,
    found: Mapping[str, xr.DataArray],
    projected: Sequence[xr.DataArray | None],
    texture: xr.DataArray | None,
    *,
    names: Sequence[str] | None,
) -> xr.DataArray:
    """Return the layers of the stack: those of the given names, or with None those of the families, then components.

    The attribute ``families`` says in JSON which family each belongs to: what notebook 06 shows the worth of.

    Parameters
    ----------
    image
        The composite: also bands that the parameter ``bands`` leaves out can be named.
    found
        Layers by family.
    projected
        Components, of bands and of texture.
    texture
        In the stack only where it is named: its components say the same in fewer layers.
    names
        The parameter ``stack``.

    Raises
    ------
    LulcError
        If a layer is missing, or two have the same name.
    """
    everything = stack.merge(image, *(v for name, v in found.items() if name != "bands"), *projected, texture)
    if names is None:
        of_stack = [*found.values(), *(layers for layers in projected if layers is not None)]
        names = [str(band) for layers in of_stack for band in layers.band.values]
    family = {str(band): name for name, layers in found.items() for band in layers.band.values}
    family = {str(band): "bands" for band in image.band.values} | family
    others = {name: "components" if COMPONENT.fullmatch(name) else "texture" for name in set(names) - set(family)}
    chosen = raster.select(everything, names)
    return chosen.assign_attrs(families_of.tag({name: (family | others)[name] for name in names}))


def write(
    features: xr.DataArray,
    projected: Mapping[str, tuple[xr.DataArray | None, Components | None]],
    p: params.Features,
    layout: Layout,
) -> None:
    """Write the stack, and components with their loadings. What the files share is computed once.

    Parameters
    ----------
    features
        The stack.
    projected
        Components and what they are made of, None if there are none, by what they are of: ``""`` for the bands,
        ``"texture"`` (`Layout.components`).
    p, layout
        The parameters, which are written into the stack as far as a model must find them again elsewhere
        (`lulc_kit.travel`), and names of the study's files.
    """
    outputs = []
    for of, (layers, fitted) in projected.items():
        if layers is not None and fitted is not None:
            path = layout.components(of)
            outputs.append(writing.Output(path, layers))
            components.write(path.with_suffix(".json"), fitted)
    outputs.insert(0, writing.Output(layout.stack, features, tags=features.attrs | _made(features, p, layout)))
    writing.write_all(outputs, "features", layers=2 * sum(o.data.sizes["band"] for o in outputs))
    _check_numbers(layout.stack)


def _check_numbers(path: Path) -> None:
    """Refuse a stack with a layer that is nodata everywhere: no pixel would have all features, so none a class."""
    small = raster.preview(path, side=64)  # from the smallest overview; what seems empty is read in full
    suspects = [str(band) for band in small.band.values[~np.isfinite(small.data).any(axis=(1, 2))]]
    if not suspects:
        return
    whole = raster.read(path, suspects)
    empty = [
        name
        for name, there in zip(suspects, da.isfinite(whole.data).any(axis=(1, 2)).compute(), strict=True)
        if not there
    ]
    if empty:
        raise LulcError(
            f"04_features: {', '.join(empty)} have no number on any pixel of the study, so that no pixel could be "
            f"mapped. Look at the table of notebook 04 that says what was understood of the files: where a layer "
            f"comes from a file (dem, roads, external), that file says nodata all over the study's area. Give "
            f"another file, or name in 'stack' the layers to go on with."
        )


def _made(features: xr.DataArray, p: params.Features, layout: Layout) -> dict[str, str]:
    """Return the tag that says how the layers of a stack were made."""
    family: Mapping[str, str] = families_of.parse(features.attrs)
    composite = raster.tags(layout.composite)
    textured = {
        **{f"texture {name}": str(getattr(p, f"texture_{name}")) for name in TEXTURE},
        "grey levels": _fingerprint(layout.grey_levels),
    }
    facts = {
        travel.ALWAYS: {name: composite.get(tag, "–") for tag, name in travel.COMPOSITE.items()},
        "PC": {"components": _fingerprint(layout.components().with_suffix(".json"))},
        "TPC": textured | {"components of texture": _fingerprint(layout.components("texture").with_suffix(".json"))},
        "texture": textured,
        "segments": {f"segment {name}": str(getattr(p, f"segment_{name}")) for name in ("size", "compactness")},
        "time": {"fewest clear dates": str(p.time_min)},
    }
    layers = {}
    for name in map(str, features.band.values):
        found = COMPONENT.fullmatch(name)
        layers[name] = (found[1] if found else family[name], units.of(name, family[name]))
    return travel.tag(layers, facts)


TEXTURE = ("window", "levels", "directions", "distance", "convention", "quantizer")
"""Parameters of texture that a layer's name does not tell."""


def _fingerprint(path: Path) -> str:
    """Return the first digits of a file's hash; "none" if there is no such file."""
    return files.sha256(path)[:12] if path.exists() else "none"
