"""What ``lulc doctor`` looks at."""

import importlib
import importlib.metadata
import shutil
import sys
from dataclasses import dataclass

from lulc_kit import files


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: is it good, what was found, and what to do if it is not."""

    good: bool
    what: str
    remedy: str = ""


PACKAGES = (
    *(
        "numpy",
        "scipy",
        "pandas",
        "xarray",
        "dask",
        "distributed",
        "rasterio",
        "rioxarray",
        "odc.geo",
        "geopandas",
    ),
    *(
        "pyogrio",
        "sklearn",
        "skops",
        "matplotlib",
        "earthpy",
        "pystac",
        "papermill",
        "jupyterlab",
        "ipywidgets",
    ),
    *("numba", "keras"),
)
INSTALL = "Install the kit again from requirements.lock (see README, Install)."


def examine() -> list[Finding]:
    """Look at Python, the packages, GDAL's formats, the kernel, the project's folder, memory and disk."""
    return [_python(), *_packages(), *_formats(), _kernel(), _folder(), _memory(), _disk()]


def _python() -> Finding:
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding(good, f"Python {found} (needs 3.11 to 3.13)", "Make the environment with another Python.")


def _packages() -> list[Finding]:
    findings = []
    for name in PACKAGES:
        try:
            module = importlib.import_module(name)
            findings.append(Finding(True, f"{name} {getattr(module, '__version__', '')}".rstrip()))
        except Exception as error:  # a broken package may raise anything when imported
            findings.append(Finding(False, f"{name}: {error}", INSTALL))
    return findings


def _formats() -> list[Finding]:
    try:
        import rasterio

        with rasterio.Env() as gdal:
            drivers = gdal.drivers()
    except Exception as error:
        return [Finding(False, f"raster formats: {error}", INSTALL)]
    wanted = {"COG": "Cloud-Optimized GeoTIFF", "JP2OpenJPEG": "JPEG 2000 of Sentinel-2 products"}
    return [
        Finding(d in drivers, f"GDAL driver {d} ({title})", "Install rasterio's wheel from requirements.lock.")
        for d, title in wanted.items()
    ]


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        KernelSpecManager().get_kernel_spec("python3")
        return Finding(True, "Jupyter kernel python3")
    except NoSuchKernel:
        return Finding(False, "Jupyter kernel python3 is missing", "python -m ipykernel install --sys-prefix")


def _folder() -> Finding:
    folder = files.project_folder()
    good = (folder / "notebooks").is_dir() and (folder / "params").is_dir()
    return Finding(good, f"project folder {folder}", "Run lulc in the folder that holds notebooks/ and params/.")


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    return Finding(free > 2, f"{free:.1f} GB of memory free (the samples need 2)", "Close other programs.")


def _disk() -> Finding:
    free = shutil.disk_usage(files.project_folder()).free / 1e9
    return Finding(free > 2, f"{free:.0f} GB of disk free (the samples need 2)", "Free some disk space.")
