"""Bilinear and cubic resampling between coordinate systems: GDAL's results, faster, whatever the blocks.

GDAL either computes the coordinates of every pixel, which is slow, or interpolates them in a way that depends on the
block, which moves pixels by up to an eighth of their size. Here they are computed at the nodes of a lattice that is
fixed in space and interpolated between those. On a lattice of 16 pixels of 10 m the error is below a millimetre.

It is worth its lines where all bands come from another UTM zone: GDAL's exact way takes eight to thirteen times as
long, which would be most of notebook 02; for an elevation model it would be a fifteenth of 04
(``docs/benchmarks/warping.md``).
"""

import numba
import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox
from rasterio.warp import transform

SPACING = 16
"""Pixels between the nodes of the lattice."""

EDGE = 2
"""Pixels that the cubic kernel reaches to either side."""


class Positions:
    """Where the pixels of a grid lie in another raster, in pixels of that raster from its upper left corner.

    Attributes
    ----------
    x, y : numpy.ndarray of float64, (node row, node column)
        Positions of the lattice's nodes.
    row, column
        Position of the first pixel's centre on the lattice, in units of its spacing from its first node.
    """

    def __init__(self, geobox: GeoBox, source: GeoBox) -> None:
        assert geobox.crs is not None and source.crs is not None
        step_x, step_y = geobox.affine.a * SPACING, geobox.affine.e * SPACING
        left, top = geobox.affine * (0.5, 0.5)
        first_column, first_row = int(np.floor(left / step_x)), int(np.floor(top / step_y))
        self.column, self.row = left / step_x - first_column, top / step_y - first_row
        shape = ((n - 1) / SPACING + o for n, o in zip(geobox.shape, (self.row, self.column), strict=True))
        rows, columns = (int(np.floor(n)) + 2 for n in shape)
        xs, ys = np.meshgrid((first_column + np.arange(columns)) * step_x, (first_row + np.arange(rows)) * step_y)
        # GDAL's own transformation, so that both agree on the datum.
        x, y = map(np.asarray, transform(geobox.crs.to_wkt(), source.crs.to_wkt(), xs.ravel(), ys.ravel()))
        if source.crs.geographic:  # 180.1° is -179.9°: of a meridian's names the one that the source uses
            middle = (source.affine * (source.width / 2, source.height / 2))[0]
            x = x - 360 * np.round((x - middle) / 360)
        self.x, self.y = (np.reshape(v, xs.shape) for v in ~source.affine * (x, y))

    @property
    def known(self) -> bool:
        """Whether every node has a position: outside their area some projections have none."""
        return bool(np.isfinite(self.x).all() and np.isfinite(self.y).all())

    @property
    def step(self) -> float:
        """The longest step in the source, in its pixels, that one pixel of the grid makes."""
        steps = [np.diff(v, axis=axis) for v in (self.x, self.y) for axis in (0, 1)]
        return float(max(np.abs(s).max() for s in steps) / SPACING)

    def window(self, source: GeoBox) -> tuple[slice, slice]:
        """Rows and columns of the source that are needed; empty if they lie outside it."""

        def needed(values: npt.NDArray[np.float64], size: int) -> slice:
            start, stop = int(np.floor(values.min())) - EDGE, int(np.ceil(values.max())) + EDGE
            start = min(max(start, 0), size)
            return slice(start, max(start, min(stop, size)))

        return needed(self.y, source.height), needed(self.x, source.width)


@numba.njit(nogil=True, cache=True)
def _keys(t):  # type: ignore[no-untyped-def]
    """Weights of four neighbours at a distance t from the second one: Keys (1981) with a = −1/2, as in GDAL."""
    return (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )


@numba.njit(nogil=True, cache=True)
def _weighted(data, nx, ny, fx, fy):  # type: ignore[no-untyped-def]
    """Of the four nearest pixels those that have data, by their weights; NaN where the nearest has none, as in GDAL."""
    height, width = data.shape
    x, y = nx + int(fx >= 0.5), ny + int(fy >= 0.5)
    if x < 0 or y < 0 or x >= width or y >= height or np.isnan(data[y, x]):
        return np.nan
    total = weight = 0.0
    for dy in range(2):
        for dx in range(2):
            x, y = nx + dx, ny + dy
            if x < 0 or y < 0 or x >= width or y >= height or np.isnan(data[y, x]):
                continue
            w = (fx if dx else 1.0 - fx) * (fy if dy else 1.0 - fy)
            total += w * data[y, x]
            weight += w
    return total / weight


@numba.njit(nogil=True, cache=True)
def _resample(data, top, left, x, y, row, column, cubic, out):  # type: ignore[no-untyped-def]
    height, width = data.shape
    spacing = np.float64(SPACING)
    x_line, y_line = np.empty(x.shape[1]), np.empty(x.shape[1])
    fraction = column + np.arange(out.shape[1]) / spacing
    node = fraction.astype(np.int64)
    fraction -= node
    for r in range(out.shape[0]):
        v = row + r / spacing
        i = int(v)
        v -= i
        for k in range(x.shape[1]):
            x_line[k] = x[i, k] + (x[i + 1, k] - x[i, k]) * v - left
            y_line[k] = y[i, k] + (y[i + 1, k] - y[i, k]) * v - top
        for c in range(out.shape[1]):
            k, u = node[c], fraction[c]
            px = x_line[k] + (x_line[k + 1] - x_line[k]) * u - 0.5
            py = y_line[k] + (y_line[k + 1] - y_line[k]) * u - 0.5
            nx, ny = int(np.floor(px)), int(np.floor(py))
            fx, fy = px - nx, py - ny
            value = np.nan
            if cubic and nx >= 1 and ny >= 1 and nx + 2 < width and ny + 2 < height:
                a, b, d, e = _keys(fx)
                weights = _keys(fy)
                value = 0.0
                for dy in range(4):
                    line = data[ny - 1 + dy]
                    value += weights[dy] * (a * line[nx - 1] + b * line[nx] + d * line[nx + 1] + e * line[nx + 2])
            if np.isnan(value) and nx >= 0 and ny >= 0 and nx + 1 < width and ny + 1 < height:
                first = data[ny, nx] + (data[ny, nx + 1] - data[ny, nx]) * fx
                second = data[ny + 1, nx] + (data[ny + 1, nx + 1] - data[ny + 1, nx]) * fx
                value = first + (second - first) * fy
            out[r, c] = _weighted(data, nx, ny, fx, fy) if np.isnan(value) else value


def resample(
    data: npt.NDArray[np.float32], corner: tuple[int, int], positions: Positions, shape: tuple[int, int], kernel: str
) -> npt.NDArray[np.float32]:
    """Interpolate a window of a raster at the positions of a grid's pixels.

    Parameters
    ----------
    data : (row, column)
        The window, NaN for nodata.
    corner
        Row and column of its first pixel in the raster.
    positions
        Where the grid's pixels lie in the raster.
    shape
        Rows and columns of the grid.
    kernel
        ``"bilinear"``, or ``"cubic"`` (Keys 1981, doi:10.1109/TASSP.1981.1163711), which is bilinear where one of the
        16 pixels it needs is missing.

    Returns
    -------
    numpy.ndarray of float32
        NaN where the raster's nearest pixel has no data.
    """
    out = np.empty(shape, np.float32)
    p = positions
    _resample(np.ascontiguousarray(data, np.float32), *corner, p.x, p.y, p.row, p.column, kernel == "cubic", out)
    return out
