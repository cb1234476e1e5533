"""What notebook 04 reads beside the composite, and what it leaves behind."""

from pathlib import Path

import xarray as xr
from odc.geo.geobox import GeoBox

from lulc_kit import catalog, files, params, raster
from lulc_kit.errors import LulcError
from lulc_kit.features import components, external, roads, stack, terrain, texture_layers
from lulc_kit.features.components import Components
from lulc_kit.raster import writing


def texture(image: xr.DataArray, p: params.Features, folder: Path) -> tuple[xr.DataArray, xr.DataArray]:
    """Compute texture, write ``features/texture.tif``, and open that: it is used twice, and computed once.

    Returns
    -------
    xarray.DataArray
        One layer for each of ``texture_bands`` and ``texture_features``; none if no band is asked for.
    xarray.DataArray
        The same in a few hundred rows and columns, for a picture.
    """
    settings = texture_layers.Settings(
        features=p.texture_features,
        window=p.texture_window,
        levels=p.texture_levels,
        directions=p.texture_directions,
        distance=p.texture_distance,
        convention=p.texture_convention,
        quantizer=p.texture_quantizer,
        value_range=None if p.texture_range is None else (p.texture_range[0], p.texture_range[1]),
    )
    layers = texture_layers.compute(image, p.texture_bands, settings)
    if not p.texture_bands:
        return layers, layers
    path = folder / "features/texture.tif"
    about = {name: str(value) for name, value in p.model_dump().items() if name.startswith("texture_")}
    # Each band of a block, its neighbours', and the two put together.
    writing.write_all([writing.Output(path, layers, tags=about)], layers=4 * len(p.texture_bands))
    return raster.read(path), raster.preview(path)


def ground(p: params.Features, folder: Path, geobox: GeoBox) -> xr.DataArray:
    """Compute terrain and roads, lazily, from what the catalog has: DEM, slope, aspect; road, road_distance."""
    found = catalog.read(folder / "catalog.json").ancillary
    layers = []
    if "dem" in found:
        flat = p.flat_aspect
        layers.append(terrain.compute(found["dem"], geobox, resampling=p.dem_resampling, flat_aspect=flat))
    if "roads" in found:
        touched, maximum = p.roads_all_touched, p.roads_distance
        layers.append(roads.compute(found["roads"], geobox, all_touched=touched, maximum=maximum))
    return stack.merge(*layers) if layers else stack.nothing(geobox)


def others(p: params.Features, folder: Path, geobox: GeoBox) -> xr.DataArray:
    """Read what others computed, lazily: the bands of all entries of ``external``.

    Tiles are joined in ``features/<name of the export>.vrt``.

    Raises
    ------
    LulcError
        If an entry names no file; see also `lulc_kit.features.external`.
    """
    layers = []
    for entry in p.external:
        paths = files.named(entry.file)
        if not paths:
            raise LulcError(f"external: no file fits {entry.file!r}. Check the path in 04_features.yaml.")
        path = paths[0]
        if len(paths) > 1:
            path = external.join(paths, folder / f"features/{external.export_name(paths[0])}.vrt")
        options = entry.model_dump(exclude={"file"})
        layers.append(external.read(path, geobox, **options))
    return stack.merge(*layers) if layers else stack.nothing(geobox)


def names(p: params.Features, *surroundings: xr.DataArray) -> list[str]:
    """Return the layers that go into the stack: those of ``stack``, or bands, indices and all of ``surroundings``.

    With an elevation model and the defaults these are the 20 bands of the source workflow, in its order.
    """
    if p.stack is not None:
        return p.stack
    return [*p.bands, *p.indices, *(str(b) for layer in surroundings for b in layer.band.values)]


def write(
    folder: Path,
    features: xr.DataArray,
    projected: tuple[xr.DataArray, Components],
    texture_projected: tuple[xr.DataArray, Components],
) -> None:
    """Write stack.tif, and components.tif and texture_components.tif with their loadings where there are any.

    What the files share is computed once.
    """
    outputs = [writing.Output(folder / "features/stack.tif", features)]
    for name, (layers, fitted) in {"components": projected, "texture_components": texture_projected}.items():
        if layers.sizes["band"]:
            outputs.append(writing.Output(folder / f"features/{name}.tif", layers))
            components.write(folder / f"features/{name}.json", fitted)
    writing.write_all(outputs, "features", layers=2 * sum(o.data.sizes["band"] for o in outputs))
