"""Principal components of named bands, from a covariance that is summed block by block."""

from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from lulc_kit import raster
from lulc_kit.errors import LulcError


@dataclass(frozen=True)
class Components:
    """Fitted principal components.

    Attributes
    ----------
    bands
        The bands, in the order of the columns of ``loadings``.
    mean
        Mean of each band over the pixels that have all bands, shape (band,).
    loadings
        Unit eigenvectors of the covariance matrix, shape (component, band), by decreasing eigenvalue. The largest
        loading of each is positive: the sign of an eigenvector is arbitrary, and this fixes it.
    variance
        Eigenvalues: the variance of each component, shape (component,).
    total_variance
        Sum of the bands' variances.
    """

    bands: tuple[str, ...]
    mean: npt.NDArray[np.float64]
    loadings: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    total_variance: float

    @property
    def names(self) -> list[str]:
        """PC1, PC2, …."""
        return [f"PC{i}" for i in range(1, len(self.variance) + 1)]

    def table(self) -> pd.DataFrame:
        """Loadings and explained variance (parts of the total, 0–1), one row per component."""
        table = pd.DataFrame(self.loadings, index=self.names, columns=list(self.bands))
        table.insert(0, "explained", self.variance / self.total_variance)
        return table


def _moments(block: npt.NDArray[np.float32], shift: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    pixels = block.reshape(len(block), -1).T.astype(np.float64)
    pixels = pixels[np.isfinite(pixels).all(axis=1)] - shift
    # Count, sums and products in one matrix: [n, Σ; Σᵀ, ΣΣᵀ].
    ones = np.column_stack([np.ones(len(pixels)), pixels])
    return ones.T @ ones


def fit(image: xr.DataArray, components: int) -> Components:
    """Find the principal components of an image's bands, in one pass over its blocks.

    As Orfeo ToolBox and scikit-learn do by default, bands are centred and not normalized (Pearson 1901,
    doi:10.1080/14786440109462720).

    Parameters
    ----------
    image
        (band, y, x), NaN for nodata. Pixels that miss any band do not count.
    components
        How many to keep, 1 to the number of bands.

    Raises
    ------
    LulcError
        If more components are asked for than there are bands, or fewer than two pixels have all bands.
    """
    bands = tuple(str(b) for b in image.band.values)
    if not 1 <= components <= len(bands):
        raise LulcError(f"{components} components of {len(bands)} bands were asked for: expected 1 to {len(bands)}.")
    lazy = image.data if dask.is_dask_collection(image.data) else da.from_array(image.data)
    lazy = lazy.rechunk({0: -1})
    shift = _centre(lazy)
    blocks = lazy.to_delayed().ravel()
    total = sum(dask.compute(*(dask.delayed(_moments)(block, shift) for block in blocks)))
    n = total[0, 0]
    if n < 2:
        raise LulcError(f"Principal components need at least two pixels with all of {', '.join(bands)}; found {n:.0f}.")
    mean = total[0, 1:] / n
    covariance = (total[1:, 1:] - n * np.outer(mean, mean)) / (n - 1)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    order = np.argsort(eigenvalues)[::-1][:components]
    loadings = vectors[:, order].T
    largest = np.abs(loadings).argmax(axis=1)
    loadings *= np.sign(loadings[np.arange(components), largest])[:, None]
    variance = np.maximum(eigenvalues[order], 0)
    return Components(bands, mean + shift, loadings, variance, float(np.trace(covariance)))


def _centre(lazy: da.Array) -> npt.NDArray[np.float64]:
    # Sums of squares lose digits where the mean is large beside the spread: subtract something near the mean first.
    step = max(1, max(lazy.shape[1:]) // 64)
    thin = lazy[:, ::step, ::step].compute().reshape(len(lazy), -1)
    with np.errstate(invalid="ignore"):
        centre = np.array([np.mean(b[np.isfinite(b)]) if np.isfinite(b).any() else 0.0 for b in thin])
    return centre.astype(np.float64)


def transform(image: xr.DataArray, fitted: Components) -> xr.DataArray:
    """Project an image onto fitted components, lazily: (component, y, x), float32, NaN where a band is missing."""
    image = raster.select(image, fitted.bands)

    def project(block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        centred = block.astype(np.float64) - fitted.mean[:, None, None]
        return np.tensordot(fitted.loadings, centred, axes=1).astype(np.float32)

    lazy = image.data if dask.is_dask_collection(image.data) else da.from_array(image.data)
    lazy = lazy.rechunk({0: -1})
    count = len(fitted.variance)
    data = da.map_blocks(project, lazy, chunks=((count,), *lazy.chunks[1:]), dtype=np.float32)
    return raster.array(data, image.odc.geobox, fitted.names)


def explain(image: xr.DataArray, components: int) -> tuple[xr.DataArray, pd.DataFrame]:
    """Fit and project in one call: the components as a raster, and their table (see `Components.table`)."""
    fitted = fit(image, components)
    return transform(image, fitted), fitted.table()
