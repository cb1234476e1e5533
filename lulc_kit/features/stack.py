"""The feature stack: layers of one grid under one name each."""

from __future__ import annotations

from lulc_kit import grids, raster
from lulc_kit.errors import BandError, ParameterError
from lulc_kit.late import da, xr


def merge(*rasters: xr.DataArray | None) -> xr.DataArray:
    """Put rasters of one grid one upon the other, in the order given; None stands for one that was not asked for.

    Raises
    ------
    LulcError
        If they are not on the same grid, or a band name occurs twice.
    """
    layers = [layer for layer in rasters if layer is not None]
    if not layers:
        raise ParameterError("merge needs at least one raster.")
    geobox = layers[0].odc.geobox
    for layer in layers[1:]:
        grids.check(layer.odc.geobox, geobox, f"The raster with bands {', '.join(map(str, layer.band.values))}")
    names = [str(b) for layer in layers for b in layer.band.values]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise BandError(
            f"Two layers are called {', '.join(twice)}. If one is of a raster of yours, give its entry of 'external' "
            f"in 04_features.yaml a prefix, for example prefix: other_"
        )
    return raster.array(da.concatenate([da.asarray(layer.data) for layer in layers]), geobox, names)
