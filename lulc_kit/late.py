"""Packages that take long to import, imported when something of them is first used.

``from lulc_kit.late import xr`` stands for ``import xarray as xr``, so that a notebook's first cell takes a second or
two, not ten. A module that does so needs ``from __future__ import annotations``, or its annotations would use them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dask.array as da
    import geopandas as gpd
    import matplotlib.pyplot as plt
    import pandas as pd
    import xarray as xr
    from scipy import ndimage
else:

    class _Late:
        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            return getattr(importlib.import_module(self._name), attribute)

    da, gpd, ndimage = _Late("dask.array"), _Late("geopandas"), _Late("scipy.ndimage")
    pd, plt, xr = _Late("pandas"), _Late("matplotlib.pyplot"), _Late("xarray")

__all__ = ["da", "gpd", "ndimage", "pd", "plt", "xr"]
