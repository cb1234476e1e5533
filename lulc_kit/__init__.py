"""From Sentinel-2 images to land-cover maps whose accuracy one can trust.

The package has one room for each stage of the notebooks (``download`` … ``evaluate``) and a ground floor that the
rooms share. What people use outside the notebooks stands here at the front door, ``lulc_kit.NAME``; it is imported
when it is asked for, so that ``import lulc_kit`` itself loads nothing. `docs/api.md` lists it.
"""

import importlib
import os
from typing import Any

__version__ = "0.1.0"

# OpenMP's threads wait for each other by spinning, and read this once, when the first library loads it. Where the
# cores are shared they then spin against the work: gradient boosting took 162 s beside other programs, 24 s without.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOMES = {
    # where things are, and how they are opened
    "Layout": "layout:Layout",
    "Cube": "cube:Cube",
    "Samples": "samples:Samples",
    "open_product": "safe.product:open_product",
    "read_catalog": "catalog:read",
    "describe_raster": "intake.rasters:describe",
    "read_vectors": "intake.vectors:read",
    "read_raster": "raster:read",
    "make_raster": "raster:array",
    "simulate": "simulated:simulate",
    # what is made of images
    "mask_from_scl": "preprocess.masks:from_scl",
    "sharpen": "preprocess.sharpening.sharpen:sharpen",
    "compute_indices": "features.indices:compute",
    "texture": "features.texture:glcm",
    "TextureSettings": "features.texture:Settings",
    "slope_aspect": "features.terrain:slope_aspect",
    "pixelwise": "mapping:pixelwise",
    "predict_maps": "mapping:predict",
    # classes, samples held apart, and how well the map fits them
    "Scheme": "classes:Scheme",
    "scheme": "classes:scheme",
    "BlockSplit": "labels.splitters:BlockSplit",
    "PolygonSplit": "labels.splitters:PolygonSplit",
    "GroupSplit": "labels.splitters:GroupSplit",
    "KNNDMSplit": "labels.splitters:KNNDMSplit",
    "RandomSplit": "labels.splitters:RandomSplit",
    "measure_distances": "labels.distances:measure",
    "fit_variogram": "labels.variogram:fit",
    "count_by_block": "evaluate.accuracy:by_block",
    "assess_accuracy": "evaluate.accuracy:assess",
    "compare_runs": "evaluate.accuracy:compare",
    "estimate_stratified": "evaluate.design:estimate_stratified",
    "fit_applicability": "evaluate.applicability:fit",
    "fit_applicability_by_class": "evaluate.applicability:fit_by_class",
    # what goes wrong
    "LulcError": "errors:LulcError",
    "MissingFileError": "errors:MissingFileError",
    "FormatError": "errors:FormatError",
    "StorageError": "errors:StorageError",
    "GridError": "errors:GridError",
    "BandError": "errors:BandError",
    "ParameterError": "errors:ParameterError",
    "RareClassError": "errors:RareClassError",
}
"""Where each name of the front door lives: ``module:name``. The room's own name may be shorter."""

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"lulc_kit has no {name!r} at its front door; there are: {', '.join(_HOMES)}.")
    import odc.geo.xr  # noqa: F401  # gives images that were not made by the kit their grid, ``image.odc.geobox``

    module, attribute = _HOMES[name].split(":")
    return getattr(importlib.import_module(f"lulc_kit.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
