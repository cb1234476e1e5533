"""Masks: what hides the ground in a scene, one `Reason` per pixel.

Each word of the parameter ``mask`` is an entry of `MASKS`; a new kind of mask is a function and an entry.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc_kit import raster
from lulc_kit.catalog import Scene
from lulc_kit.cube import Reason
from lulc_kit.distance import within
from lulc_kit.errors import FormatError, ParameterError
from lulc_kit.late import da, xr
from lulc_kit.preprocess import clouds_l1c, csmask, product_clouds, radiometry, sun

Codes = NDArray[np.uint8]

SCL_DEFAULT = (0, 1, 3, 8, 9, 10, 11)
"""SCL codes that are masked unless told otherwise: all but dark areas, land, water and unclassified."""

_SCL_REASONS = {
    0: Reason.NODATA,
    1: Reason.DEFECTIVE,
    2: Reason.SHADOW,
    3: Reason.SHADOW,
    8: Reason.CLOUD,
    9: Reason.CLOUD,
    10: Reason.CIRRUS,
    11: Reason.SNOW,
}
_STRAY_LIMIT = 0.01  # lossy compression leaves a handful of impossible SCL codes, a wrong file leaves many
_BUFFERED = (Reason.CLOUD, Reason.CIRRUS, Reason.SHADOW)


@dataclass(frozen=True)
class Request:
    """What a mask is made of.

    Attributes
    ----------
    scene
        The scene.
    image
        Its reflectance on the study's grid, lazily.
    buffer
        Clear pixels within this distance of cloud, cirrus or shadow are out, too, metres.
    scl_exclude
        Scene classes to mask.
    """

    scene: Scene
    image: xr.DataArray
    buffer: float = 0.0
    scl_exclude: Collection[int] = SCL_DEFAULT

    @property
    def resolution(self) -> float:
        """Side of a pixel, metres."""
        return abs(float(self.image.odc.geobox.resolution.x))

    def add_buffer(self, codes: Codes) -> Codes:
        """Mark the clear pixels near cloud, cirrus or shadow."""
        return add_buffer(codes, distance=self.buffer, resolution=self.resolution)


@dataclass
class Pending:
    """A mask that is decided after one pass over the images of its scene.

    Reading them takes longer than all else here, so whoever wants something else of them computes it in the same pass.

    Attributes
    ----------
    decide
        Makes uint8 codes of `Reason`, (row, column), from the list of the computed arrays. It may empty the list, to
        give their memory back.
    arrays
        What is to be computed.
    about
        How it was made, in words, for the tags of its file.
    probabilities
        How likely cloud and shadow are, 0–1, (2, row, column), if the mask says so, after `decide`.
    """

    decide: Callable[[list[NDArray[Any]]], Codes]
    arrays: list[da.Array] = field(default_factory=list)
    about: str = ""
    probabilities: da.Array | None = None


def none(request: Request) -> Pending:
    """Leave out nothing but what has no data."""
    return Pending(lambda _: np.full(request.image.shape[1:], Reason.CLEAR, np.uint8))


def file(request: Request) -> Pending:
    """Leave out what is not clear in a file of the user's: all but 0, unless the scene says otherwise."""
    scene = request.scene
    if scene.mask is None:
        raise ParameterError(f"Scene {scene.date} has no mask file. Give one in 01_download.yaml, or mask: none.")
    found = radiometry.mask_on_grid(scene.mask, request.image.odc.geobox)

    def decide(got: list[NDArray[Any]]) -> Codes:
        clear = _is_clear(got[0], scene.mask_clear or (0,))
        if scene.mask_clear is None:
            _warn_of_values(scene.name, got[0])
        codes = np.where(clear, Reason.CLEAR, Reason.CLOUD).astype(np.uint8)
        codes[np.isnan(got[0])] = Reason.NODATA  # where a mask says nothing, nobody has looked
        return request.add_buffer(codes)

    return Pending(decide, [found], f"clear where the mask is {list(scene.mask_clear or (0,))}")


def _is_clear(numbers: NDArray[Any], clear: Collection[float | Collection[float]]) -> NDArray[np.bool_]:
    found = np.zeros(numbers.shape, bool)
    for one in clear:
        low, high = one if isinstance(one, list | tuple) else (one, one)
        found |= (numbers >= low) & (numbers <= high)
    return found


def _warn_of_values(name: str, numbers: NDArray[Any]) -> None:
    """Say what is taken for cloud where a mask may mean something else: several kinds, or most of the scene."""
    sample = numbers[:: -(-numbers.shape[0] // 1000), :: -(-numbers.shape[1] // 1000)]
    seen = sample[~np.isnan(sample)]
    values, counts = np.unique(seen[seen != 0], return_counts=True)
    if len(values) > 1 or counts.sum() > seen.size / 2:
        listed = ", ".join(f"{v:g} ({n / seen.size:.0%})" for v, n in list(zip(values, counts, strict=True))[:8])
        warnings.warn(
            f"The mask of scene {name} leaves out all that is not 0: {listed}{' …' if len(values) > 8 else ''}. If "
            f"some of these are clear (in Fmask 1 is water, in other masks 1 is what is to be seen), say so in "
            f"01_download.yaml with mask_clear: [0, 1], or [[0, 40]] for all from 0 to 40.",
            stacklevel=3,
        )


def scl(request: Request) -> Pending:
    """Leave out classes of the scene classification (SCL) of a Level-2A product."""
    scene = request.scene
    if scene.scl is None:
        raise ParameterError(
            f"Scene {scene.date} has no scene classification. Set mask in 02_preprocess.yaml to spectral, csmask, "
            f"product, file (the scenes' own masks) or none."
        )
    classes = radiometry.codes_on_grid(scene.scl, request.image.odc.geobox)
    return Pending(lambda got: request.add_buffer(from_scl(got[0], exclude=request.scl_exclude)), [classes])


def product(request: Request) -> Pending:
    """Leave out what the cloud mask marks that comes with a product."""
    scene = request.scene
    if scene.clouds is None:
        raise ParameterError(
            f"Scene {scene.date} brings no cloud mask of its own (QI_DATA/MSK_CLOUDS_B00.gml, or "
            f"MSK_CLASSI_B00.jp2). Fetch the whole product with source: products, or choose another mask."
        )
    path, crs = scene.clouds, next(iter(scene.bands.values())).geobox.crs
    assert crs is not None
    geobox = request.image.odc.geobox
    return Pending(lambda _: request.add_buffer(product_clouds.from_product(path, geobox, crs=crs.to_wkt())))


def spectral(request: Request) -> Pending:
    """Leave out the clouds and shadows that `clouds_l1c` finds in a Level-1C scene."""
    scene = request.scene
    if scene.level != "L1C":
        raise ParameterError(
            f"mask: spectral is a rule for top-of-atmosphere images (L1C); scene {scene.date} is {scene.level}. "
            f"Use mask: scl or csmask."
        )
    stood = sun.of_scene(scene, request.image.odc.geobox)
    if not stood.certain:
        warnings.warn(
            f"Scene {scene.name} does not say where the sun stood: azimuth {stood.azimuth:.0f}° and zenith "
            f"{stood.zenith:.0f}° are {stood.source}. A wrong sun misplaces shadows and thresholds of cloud: give "
            f"sun_azimuth and sun_zenith in 01_download.yaml if you know them.",
            stacklevel=2,
        )
    names = [b for b in clouds_l1c.BANDS if b in scene.bands]
    factor = clouds_l1c.grid_factor(request.resolution)
    bands = raster.select(request.image, names).data
    coarse = _reduced(bands, clouds_l1c.coarsen, factor)
    bands = bands.rechunk({0: -1})
    flags = da.map_blocks(clouds_l1c.flags, bands, names, drop_axis=0, dtype=np.uint8)

    def decide(got: list[NDArray[Any]]) -> Codes:
        ground = dict(zip(names, got.pop(0), strict=True))  # held by nobody else: `find` empties it
        angles = {"sun_azimuth": stood.azimuth, "sun_zenith": stood.zenith}
        return request.add_buffer(clouds_l1c.find(ground, got[0], resolution=request.resolution, **angles))

    about = f"sun at azimuth {stood.azimuth:.1f}°, zenith {stood.zenith:.1f}°, {stood.source}"
    return Pending(decide, [coarse, flags], about)


def network(request: Request) -> Pending:
    """Leave out the clouds and shadows that a network finds, which others have trained: see `csmask`."""
    scene, (rows, columns) = request.scene, request.image.shape[1:]
    csmask.import_package()
    names = csmask.choose_bands(list(scene.bands))
    factor = max(1, round(csmask.SIDE / request.resolution))
    coarse = _reduced(raster.select(request.image, names).data, csmask.coarsen, factor)

    def decide(got: list[NDArray[Any]]) -> Codes:
        likely = csmask.probabilities(got.pop(0), names, scene.level)
        kind = np.stack([1 - likely.sum(axis=0), *likely]).argmax(axis=0)
        codes = np.array([Reason.CLEAR, Reason.CLOUD, Reason.SHADOW], np.uint8)[kind]
        pending.probabilities = _enlarged(da.from_array(likely, (2, raster.CHUNK, raster.CHUNK)), factor, rows, columns)
        return request.add_buffer(np.asarray(_enlarged(codes[None], factor, rows, columns)[0]).copy())

    about = f"ukis-csmask {version('ukis-csmask')}, its network of {scene.level} and {len(names)} bands"
    pending = Pending(decide, [coarse], f"{about} at {factor * request.resolution:g} m")
    return pending


def _reduced(bands: da.Array, coarsen: Callable[..., NDArray[np.float32]], factor: int) -> da.Array:
    """Apply a function that makes one pixel of ``factor`` × ``factor``, block by block."""
    side = raster.CHUNK - raster.CHUNK % factor
    bands = bands.rechunk({0: -1, 1: side, 2: side})
    chunks = (bands.chunks[0], *(tuple(-(-n // factor) for n in sizes) for sizes in bands.chunks[1:]))
    return da.map_blocks(coarsen, bands, factor=factor, chunks=chunks, dtype=np.float32)


def _enlarged(planes: Any, factor: int, rows: int, columns: int) -> Any:
    return planes.repeat(factor, axis=1).repeat(factor, axis=2)[:, :rows, :columns]


MASKS: Mapping[str, Callable[[Request], Pending]] = {
    "spectral": spectral,
    "csmask": network,
    "scl": scl,
    "product": product,
    "file": file,
    "none": none,
}
"""How a mask is made, by the word for it in the parameters."""


def from_scl(scl: NDArray[np.generic], *, exclude: Collection[int] = SCL_DEFAULT) -> Codes:
    """Turn a scene classification into a mask of reasons.

    Parameters
    ----------
    scl
        (row, column) codes 0–11 of Sen2Cor's scene classification; NaN counts as 0.
    exclude
        Codes to mask. 0 (no data) is masked whether it is named or not. 1 becomes ``DEFECTIVE``, 2 (dark
        area) and 3 ``SHADOW``, 8 and 9 ``CLOUD``, 10 ``CIRRUS``, 11 ``SNOW``; the others (4 vegetation, 5
        bare, 6 water, 7 unclassified) become ``EXCLUDED``.

    Returns
    -------
    numpy.ndarray
        (row, column) uint8 codes of `Reason`.

    Raises
    ------
    LulcError
        If ``exclude`` names a code that does not exist, or more than 1 % of the pixels have one. Fewer stray
        codes, which lossy compression makes, become ``DEFECTIVE`` whatever ``exclude`` says.

    Examples
    --------
    Vegetation is clear, 9 is cloud, 3 the shadow of one; see `lulc_kit.cube.Reason`.

    >>> from_scl(np.array([[4, 9, 3]])).tolist()
    [[0, 2, 4]]
    """
    unknown = sorted(set(exclude) - set(range(12)))
    if unknown:
        raise ParameterError(f"exclude names the SCL codes {unknown}; the codes are 0 to 11.")
    codes: NDArray[Any] = np.asarray(scl)
    if np.issubdtype(codes.dtype, np.floating):
        codes = np.where(np.isnan(codes), 0.0, codes)
    valid = (codes >= 0) & (codes <= 11) & (codes == np.floor(codes))
    stray = 1.0 - valid.mean() if codes.size else 0.0
    if stray > _STRAY_LIMIT:
        found = np.unique(codes[~valid])[:5].tolist()
        raise FormatError(
            f"{stray:.1%} of the pixels are not SCL codes (for example {found}); a scene classification "
            "holds whole numbers 0–11. Check that the file is the SCL band, resampled by nearest neighbour."
        )
    table = np.zeros(13, dtype=np.uint8)
    for code in {0, *exclude}:
        table[code] = _SCL_REASONS.get(code, Reason.EXCLUDED)
    table[12] = Reason.DEFECTIVE
    return table[np.where(valid, codes, 12).astype(np.uint8)]


def add_buffer(mask: Codes, *, distance: float, resolution: float) -> Codes:
    """Mark the clear pixels near cloud, cirrus or shadow.

    Parameters
    ----------
    mask
        (row, column) codes of `Reason`.
    distance
        Width of the buffer (m), between pixel centres; 0 returns the mask as it is.
    resolution
        Pixel size (m).

    Returns
    -------
    numpy.ndarray
        A copy in which ``CLEAR`` pixels within ``distance`` of cloud, cirrus or shadow are ``BUFFER``.
    """
    if distance < 0 or resolution <= 0:
        raise ParameterError(
            f"buffer is {distance} m and resolution {resolution} m; expected a buffer of 0 or more and a "
            "resolution above 0."
        )
    result = mask.copy()
    covered = np.isin(mask, _BUFFERED)
    if distance < resolution or not covered.any():
        return result
    result[within(covered, distance / resolution) & (mask == Reason.CLEAR)] = Reason.BUFFER
    return result
