"""Composites: many dates of the cube as one image, over the whole time or month by month."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import raster
from lulc_kit.cube import Cube
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.late import da, pd, xr
from lulc_kit.preprocess.mosaic import REACH, clear_distance
from lulc_kit.raster import writing

Series = npt.NDArray[np.float32]

BLOCK_BYTES = 2**28
"""What the dates of one block may take in memory."""

SEASON = 30.0
"""Standard deviation of the score of the day, days."""


def write(
    folder: Path,
    *,
    method: str = "median",
    day: int | None = None,
    dates: Sequence[str] | None = None,
    monthly: bool = False,
) -> pd.DataFrame:
    """Write ``composite.tif``, for each month ``monthly/YYYY-MM.tif`` if wanted, and ``dispersion.tif`` of a geomedian.

    Masked pixels are ignored; a pixel that no date shows is nodata. The files are computed block by block, and their
    numbers do not depend on the blocks.

    Parameters
    ----------
    folder
        The cube's folder.
    method
        ``"median"`` of each band, the ``"medoid"`` (see `medoid`), the ``"best"`` observation (see `best`), or the
        ``"geomedian"`` (see `geomedian`). The second and third keep the bands of one date together.
    day
        Day of the year (1–366) that ``"best"`` prefers; None: it looks only at the distance to clouds.
    dates
        First and last day; None for all in the cube.
    monthly
        Whether to write the composite of each calendar month too. Those of an earlier call are removed in any case.

    Returns
    -------
    pandas.DataFrame
        For each file the number of dates that went in and the part of the grid (0–1) that has a value.

    Raises
    ------
    LulcError
        If no date of the cube lies between the two days, or no pixel is ever clear.
    """
    cube = Cube(folder)
    chosen = cube.between(dates)
    if not chosen:
        raise ParameterError(f"composite_dates {dates}: the cube has no such date. It has: {', '.join(cube.dates)}.")
    groups = {"composite": (cube.files.composite, chosen)}
    if monthly:
        for month in dict.fromkeys(d[:7] for d in chosen):
            groups[f"monthly/{month}"] = cube.files.monthly(month), [d for d in chosen if d[:7] == month]
    wanted = {path for path, _ in groups.values()}
    for old in set(cube.files.monthly("*").parent.glob("*.tif")) - wanted:
        old.unlink()
    cube.files.dispersion.unlink(missing_ok=True)
    rows = {}
    for name, (path, days) in groups.items():
        tags = {"dates": " ".join(days), "method": method} | ({"day_of_year": str(day)} if day else {})
        tags |= cube.lasting_tags(days[0])
        image = compose(cube, days, method, day)
        # A block of every date, as it is read and as it is masked.
        layers = 2 * len(days) * image.sizes["band"]
        outputs = [writing.reflectance(path, image, **tags)]
        if method == "geomedian" and path == cube.files.composite:
            outputs.append(writing.Output(cube.files.dispersion, _spread(cube, days, image), tags=tags))
        writing.write_all(outputs, layers=layers)
        covered = float(raster.read(path).notnull().all("band").mean().compute())
        rows[name] = {"dates": len(days), "covered": covered}
    if rows["composite"]["covered"] == 0:
        raise LulcError(f"The composite of {len(chosen)} date(s) has no clear pixel. Widen composite_dates.")
    return pd.DataFrame.from_dict(rows, orient="index")


def compose(cube: Cube, days: Sequence[str], method: str, day: int | None = None) -> xr.DataArray:
    """Return the composite of some dates of a cube, lazily: see `write`."""
    bands = raster.band_names(cube.files.image(days[0]))
    chunk = _chunk(len(days) * len(bands))
    images = [cube.clear(d, bands, chunk) for d in days]
    first = images[0]
    series = _series(images)
    shape: dict[str, Any] = {"chunks": series.chunks[1:], "dtype": np.float32, "meta": np.empty((0, 0, 0), np.float32)}
    if len(images) == 1:
        data = first.data
    elif method == "best":
        pixel = abs(first.odc.geobox.resolution.x)
        distances = da.stack([clear_distance(cube.mask(d, chunk).data[0], pixel) for d in days])
        distances = distances[:, None].rechunk({0: -1})
        data = da.map_blocks(_best, series, distances, closeness=closeness(days, day), drop_axis=0, **shape)
    else:
        data = da.map_blocks(METHODS[method], series, drop_axis=0, **shape)
    return raster.array(data, first.odc.geobox, bands)


def _series(images: Sequence[xr.DataArray]) -> da.Array:
    return da.stack([i.data for i in images]).rechunk({0: -1, 1: -1})


def _spread(cube: Cube, days: Sequence[str], middle: xr.DataArray) -> xr.DataArray:
    """Return how far the dates lie from their geomedian, lazily: see `dispersion`."""
    bands = [str(band) for band in middle.band.values]
    series = _series([cube.clear(d, bands, _chunk(len(days) * len(bands))) for d in days])
    data = da.map_blocks(
        lambda many, one: dispersion(many, one[0]),
        series,
        middle.data[None].rechunk({0: -1, 1: -1}),
        drop_axis=0,
        chunks=((len(DISPERSIONS),), *series.chunks[2:]),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    return raster.array(data, middle.odc.geobox, list(DISPERSIONS))


def _chunk(layers: int) -> int:
    """Rows and columns of a block whose dates stay below `BLOCK_BYTES`; a file's own blocks hold 512."""
    chunk = raster.CHUNK
    while chunk > 128 and layers * chunk**2 * 4 > BLOCK_BYTES:
        chunk //= 2
    return chunk


def median(series: Series) -> Series:
    """Return the median over time of the numbers that are not NaN: (time, band, row, column) → (band, row, column)."""
    # Sorting puts NaN last, so the median of the n that are not is in the middle of the first n: several times
    # faster than numpy.nanmedian.
    ordered = np.sort(series, axis=0)
    n = np.isfinite(series).sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum(n - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(ordered, np.minimum(n // 2, len(series) - 1)[None], axis=0)[0]
    return np.where(n > 0, (low + high) / 2, np.nan).astype(np.float32)


def medoid(series: Series) -> Series:
    """Return the observation that lies in the middle of all: the one with the least sum of distances to the others.

    Distances are Euclidean over the bands (Flood 2013, doi:10.3390/rs5126481). Of equals (two observations are always)
    the earliest wins. An observation that lacks a band does not count.

    Parameters
    ----------
    series
        (time, band, row, column), NaN where masked.

    Returns
    -------
    numpy.ndarray of float32
        (band, row, column), NaN where there is no observation.
    """
    from lulc_kit.preprocess import _medoid  # numba takes its time to load

    out = np.full(series.shape[1:], np.nan, np.float32)
    _medoid.medoid(np.ascontiguousarray(series, np.float32), out)
    return out


def geomedian(series: Series) -> Series:
    """Return the geometric median: the spectrum with the least sum of distances to all that were observed.

    Distances are Euclidean over the bands (Roberts et al. 2017, doi:10.1109/TGRS.2017.2723896), by Geoscience
    Australia's package geomad. An observation that lacks a band does not count.

    Parameters
    ----------
    series
        (time, band, row, column), reflectance 0–1, NaN where masked.

    Returns
    -------
    numpy.ndarray of float32
        (band, row, column), NaN where there is no observation.
    """
    import geomad

    return np.moveaxis(geomad.nangeomedian_pcm(_pixels(series), eps=1e-7, num_threads=1, nocheck=True), -1, 0)


DISPERSIONS = ("SMAD", "EMAD", "BCMAD")
"""Median distances to the geomedian: spectral (1 − cosine), Euclidean, Bray–Curtis."""


def dispersion(series: Series, middle: Series) -> Series:
    """Return the median distances of observations to their geomedian, `DISPERSIONS` (Roberts et al. 2018).

    They say how much a place changes in colour, in brightness and in both (doi:10.1109/IGARSS.2018.8518312).

    Parameters
    ----------
    series
        (time, band, row, column), NaN where masked.
    middle
        (band, row, column), of `geomedian`.

    Returns
    -------
    numpy.ndarray of float32
        (3, row, column), 0 or more; NaN where there is no observation.
    """
    import geomad

    pixels, middle = _pixels(series), np.array(np.moveaxis(middle, 0, -1), np.float32, order="C")
    seen = np.isfinite(middle).all(axis=-1)
    pixels[~seen], middle[~seen] = 1, 1  # any number: it is said aloud where a median has none
    measures = (geomad.smad_pcm, geomad.emad_pcm, geomad.bcmad_pcm)
    found = np.stack([measure(pixels, middle, num_threads=1) for measure in measures])
    return np.where(seen, found, np.nan).astype(np.float32)


def _pixels(series: Series) -> Series:
    """Return (row, column, band, time), all bands of an observation NaN if one is."""
    whole = np.isfinite(series).all(axis=1, keepdims=True)
    return np.ascontiguousarray(np.where(whole, series, np.nan).transpose(2, 3, 1, 0), np.float32)


METHODS = {"median": median, "medoid": medoid, "geomedian": geomedian}
"""What needs nothing but the numbers."""


def closeness(days: Sequence[str], day: int | None) -> npt.NDArray[np.float32]:
    """Score how near dates are to a day of the year: exp(−½ (Δ/30)²), Δ in days around the year; 0 without a day."""
    if day is None:
        return np.zeros(len(days), np.float32)
    of_year = np.array([datetime.date.fromisoformat(d).timetuple().tm_yday for d in days])
    apart = np.abs(of_year - day)
    return np.exp(-0.5 * (np.minimum(apart, 365.25 - apart) / SEASON) ** 2).astype(np.float32)


def best(series: Series, score: npt.NDArray[np.float32]) -> Series:
    """Return the observation with the highest score; of equals the earliest.

    The score (see `write`) is the sum of two, each between 0 and 1, after the idea of Griffiths et al. 2013
    (doi:10.1109/JSTARS.2012.2228167): the distance to cloud, shadow and scene edge over 1 km, and, if a day is wanted,
    the closeness to it. Their curve for the distance is a sigmoid and not a line; their score for the year is left out,
    because dates are chosen beforehand.

    Parameters
    ----------
    series
        (time, band, row, column), NaN where masked.
    score
        (time, row, column).

    Returns
    -------
    numpy.ndarray of float32
        (band, row, column), NaN where there is no observation.
    """
    seen = np.isfinite(series).all(axis=1)
    chosen = np.where(seen, score, -np.inf).argmax(axis=0)
    picked = np.take_along_axis(series, chosen[None, None], axis=0)[0]
    return np.where(seen.any(axis=0), picked, np.nan).astype(np.float32)


def _best(series: Series, distances: Series, closeness: npt.NDArray[np.float32]) -> Series:
    return best(series, distances[:, 0] / np.float32(REACH) + closeness[:, None, None])
