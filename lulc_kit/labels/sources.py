"""Labels on the study's grid.

Label 0 means "no label". A pixel that two classes claim has no label.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from lulc_kit import raster
from lulc_kit.classes import Scheme
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.late import pd, xr

if TYPE_CHECKING:
    import geopandas as gpd
    import pyproj

PARAMETERS = "05_samples.yaml"

LABELLED = "labelled"
UNNAMED = "left out: no class names the value"
"""What becomes of a feature or a value."""

_MANY = 0.01  # share of the labels that is not lost without a warning
_ZONE = 9.0  # degrees of longitude from its meridian within which a UTM zone errs by about 1 %
_POLAR = 84.0  # degrees of latitude beyond which there is no UTM
_STRETCHED = 0.05  # share by which distances may be too long without a warning
_NAMED = 5  # layers that a message names


@dataclass(frozen=True)
class Labels:
    """Labels on a grid.

    Attributes
    ----------
    values
        uint8, shape (row, column): class value, 0 for no label.
    source
        uint32, shape (row, column): number of the feature (from 1, in the order of the files), or 0. Of a feature of
        several parts it is that of its first; the others have numbers after the last feature. For labels from a raster
        all are 0.
    geobox
        The grid.
    scheme
        The classes that were asked for.
    account
        What became of every feature and value: class, value, what it became, features (of a vector file), pixels.
    mended
        What was wrong with features and could be repaired: what, how many, which.
    overlaps
        Which classes claim the same pixels: both classes with their features, and pixels.
    groups
        What each feature, or part, belongs to (region, site), by its number from 1.
    test
        The independent test set, in the same classes; None without.
    frame
        The features of labels that came as a table: a row for each pixel of a grid of one row, with their places if
        it has any; None for labels on an image.
    """

    values: npt.NDArray[np.uint8]
    source: npt.NDArray[np.uint32]
    geobox: GeoBox
    scheme: Scheme
    account: pd.DataFrame | None = None
    mended: pd.DataFrame | None = None
    overlaps: pd.DataFrame | None = None
    groups: npt.NDArray[Any] | None = None
    test: Labels | None = None
    frame: pd.DataFrame | gpd.GeoDataFrame | None = None

    def raster(self) -> xr.DataArray | None:
        """Return the values as a raster, (1, row, column); None for labels that came as a table."""
        return raster.array(self.values[None], self.geobox, ["label"]) if self.frame is None else None

    def points(self) -> npt.NDArray[np.float64]:
        """Return where the labelled pixels lie, (pixel, 2): metres to the right and down, or easting and northing.

        Raises
        ------
        LulcError
            If they came as a table without places, or from more than half the earth.
        """
        if self.frame is None:
            rows, columns = np.nonzero(self.values)
            return np.column_stack([columns, rows]).astype(np.float64) * float(abs(self.geobox.resolution.x))
        places = getattr(self.frame, "geometry", None)
        if places is None:
            raise ParameterError(
                "The table does not say where its rows lie, and this split needs to know. Name its columns as table_x, "
                "table_y and table_crs in 05_samples.yaml, or set split: groups with table_group, or split: random."
            )
        return _in_metres(places[self.values[0] > 0])

    def only(self, keep: npt.NDArray[np.bool_]) -> Labels:
        """Return the labels of some pixels, (row, column)."""
        values = np.where(keep, self.values, 0).astype(np.uint8)
        return replace(self, values=values, source=np.where(values > 0, self.source, 0).astype(np.uint32))


def _in_metres(places: gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Return points in a CRS in which distances are metres, (n, 2): their own if it is one.

    Degrees, feet and Mercator's metres are none: then their UTM zone where it carries them all, or an azimuthal
    equidistant one about their middle. At an angle c from there it stretches distances across the radius by c / sin c,
    a half at a quarter of the earth; beyond, blocks and gaps in metres would mean nothing.
    """
    if _keeps_metres(places.crs):
        return np.column_stack([places.x, places.y]).astype(np.float64)
    degrees = places.to_crs(4326)
    longitude, latitude, far = _middle(degrees)
    zone = min(60, int((longitude + 180) // 6) + 1)
    aside = np.abs((degrees.x - (6 * zone - 183) + 180) % 360 - 180)
    if aside.max() <= _ZONE and np.abs(degrees.y).max() <= _POLAR:
        crs = f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"
    else:
        _check_span(longitude, latitude, far)
        crs = f"+proj=aeqd +lon_0={longitude:.6f} +lat_0={latitude:.6f} +datum=WGS84 +units=m"
    flat = degrees.to_crs(crs)
    return np.column_stack([flat.x, flat.y]).astype(np.float64)


def _keeps_metres(crs: pyproj.CRS) -> bool:
    method = crs.coordinate_operation.method_name if crs.coordinate_operation is not None else ""
    stretched = "Mercator" in method and "Transverse" not in method and "Oblique" not in method
    return bool(crs.is_projected and crs.axis_info[0].unit_name == "metre" and not stretched)


def _middle(degrees: gpd.GeoSeries) -> tuple[float, float, float]:
    """Return longitude and latitude, degrees, of the middle of places, and the largest angle from there, radians."""
    longitude, latitude = np.radians(degrees.x), np.radians(degrees.y)
    ball = np.column_stack([np.cos(latitude) * part for part in (np.cos(longitude), np.sin(longitude))])
    ball = np.column_stack([ball, np.sin(latitude)])
    x, y, z = ball.mean(axis=0)
    cosine = ball @ (x, y, z) / max(float(np.linalg.norm((x, y, z))), 1e-12)
    far = float(np.arccos(np.clip(cosine, -1, 1)).max())
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y)))), far


def _check_span(longitude: float, latitude: float, far: float) -> None:
    if far > np.pi / 2:
        raise ParameterError(
            f"The table's places lie up to {np.degrees(far):.0f}° from their middle, and no map keeps distances over "
            f"more than half the earth, which this split needs. Set split: groups with table_group (country, region), "
            f"and gap: 0, in {PARAMETERS}, or give the places of one part of the world."
        )
    stretch = far / np.sin(far) - 1
    if stretch > _STRETCHED:
        warnings.warn(
            f"The table's places lie up to {np.degrees(far):.0f}° from their middle ({longitude:.0f}°, {latitude:.0f}°)"
            f": distances in metres come out up to {stretch:.0%} too long there. Take a gap that is larger by that.",
            stacklevel=4,
        )


def keep(labels: Labels, where: npt.NDArray[np.bool_], why: str) -> Labels:
    """Return the labels of some pixels, of every class.

    Parameters
    ----------
    labels
        Labels on the grid.
    where
        Shape (row, column): pixels that keep their label.
    why
        For the message: where a class has no pixel left, why, and what to do.

    Raises
    ------
    LulcError
        If a class is lost.
    """
    left = labels.only(where)
    lost = sorted(set(np.unique(labels.values)) - set(np.unique(left.values)) - {0})
    if lost:
        names = [c.name for c in labels.scheme.classes if c.value in lost]
        raise LulcError(f"No pixel of {', '.join(names)} is left {why}")
    return left


def usable(labels: Labels, valid: npt.NDArray[np.bool_], lacking: Mapping[str, int] | None = None) -> Labels:
    """Drop labels where the features have no data (cloud, shadow, swath edge), and warn if they are many.

    Parameters
    ----------
    labels
        Labels on the grid.
    valid
        Shape (row, column): pixels with all features.
    lacking
        On how many labelled pixels each feature has no data, for messages.

    Raises
    ------
    LulcError
        If a class, or every label, is lost.
    """
    most = sorted((lacking or {}).items(), key=lambda item: -item[1])[:_NAMED]
    told = ", ".join(f"{name} on {count}" for name, count in most if count)
    without = f" (labelled pixels without data: {told})" if told else ""
    left = keep(
        labels,
        valid,
        f"where the features have data{without}: all lie under cloud, shadow or nodata. Leave the class out of "
        f"'classes', or use another date or other layers.",
    )
    if len(np.unique(left.values[left.values > 0])) < 2:
        raise LulcError(
            "The labels have a single class. A classifier needs at least two: add classes in 05_samples.yaml."
        )
    before, after = np.count_nonzero(labels.values), np.count_nonzero(left.values)
    if before - after >= _MANY * before:
        warnings.warn(
            f"{before - after} of {before} labelled pixels ({1 - after / before:.1%}) are left out, because not all "
            f"features have data there{without}.",
            stacklevel=2,
        )
    return left
