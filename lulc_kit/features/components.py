"""Principal components of named bands, from a covariance that is summed block by block."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dask
import numpy as np
import numpy.typing as npt

from lulc_kit import files, raster
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.features import blocks
from lulc_kit.late import pd, xr
from lulc_kit.raster import blockwise


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
    scale
        What each band is divided by after its mean is taken away, shape (band,): 1, or its standard deviation.
    prefix
        What the components' names begin with.
    """

    bands: tuple[str, ...]
    mean: npt.NDArray[np.float64]
    loadings: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    total_variance: float
    scale: npt.NDArray[np.float64]
    prefix: str = "PC"

    @property
    def names(self) -> list[str]:
        """PC1, PC2, …."""
        return [f"{self.prefix}{i}" for i in range(1, len(self.variance) + 1)]

    @property
    def explained(self) -> npt.NDArray[np.float64]:
        """Parts of the bands' variance that the components explain, 0–1, shape (component,)."""
        return self.variance / self.total_variance


PIECE = 16384
"""Pixels that are worked on at once: in double precision they stay in the processor's cache."""


def _moments(block: npt.NDArray[np.float32], shift: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    flat = block.reshape(len(block), -1)
    # Count, sums and products in one matrix: [n, Σ; Σᵀ, ΣΣᵀ].
    total = np.zeros((len(block) + 1, len(block) + 1))
    pixels = np.ones((len(block) + 1, PIECE))
    for start in range(0, flat.shape[1], PIECE):
        piece = flat[:, start : start + PIECE]
        part = pixels[:, : piece.shape[1]]
        np.subtract(piece, shift[:, None], out=part[1:])
        known = np.isfinite(part[1:].sum(axis=0))
        if not known.all():
            part = part[:, known]
        total += part @ part.T
    return total


def fit(image: xr.DataArray, components: int, *, standardize: bool = False, prefix: str = "PC") -> Components:
    """Find the principal components of an image's bands, in one pass over its blocks.

    As Orfeo ToolBox and scikit-learn do by default, bands are centred and not normalized (Pearson 1901,
    doi:10.1080/14786440109462720).

    Parameters
    ----------
    image
        (band, y, x), NaN for nodata. Pixels that miss any band do not count.
    components
        How many to keep, 1 to the number of bands.
    standardize
        Divide each band by its standard deviation first, so that bands of different units weigh the same: components
        of the correlation matrix. A band that does not vary has no part in them.
    prefix
        What the components' names begin with.

    Raises
    ------
    LulcError
        If more components are asked for than there are bands, or fewer than two pixels have all bands.
    """
    bands = tuple(str(b) for b in image.band.values)
    if not 1 <= components <= len(bands):
        raise ParameterError(
            f"{components} components of {len(bands)} bands were asked for: expected 1 to {len(bands)}."
        )
    shift = _centre(image)
    total = sum(blockwise.reduce(_moments, blocks.lazy(image), shift, layers=len(bands), what="components"))
    n = total[0, 0]
    if n < 2:
        raise LulcError(f"Principal components need at least two pixels with all of {', '.join(bands)}; found {n:.0f}.")
    mean = total[0, 1:] / n
    covariance = (total[1:, 1:] - n * np.outer(mean, mean)) / (n - 1)
    scale = np.ones(len(bands))
    if standardize:
        deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
        scale = np.where(deviation > 0, deviation, 1)
        covariance /= np.outer(scale, scale)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    order = np.argsort(eigenvalues)[::-1][:components]
    loadings = vectors[:, order].T
    largest = np.abs(loadings).argmax(axis=1)
    loadings *= np.sign(loadings[np.arange(components), largest])[:, None]
    variance = np.maximum(eigenvalues[order], 0)
    return Components(bands, mean + shift, loadings, variance, float(np.trace(covariance)), scale, prefix)


def _centre(image: xr.DataArray) -> npt.NDArray[np.float64]:
    # Sums of squares lose digits where the mean is large beside the spread: subtract something near the mean first.
    # A window in the middle says enough; where it has no data, pixels from everywhere.
    row, column = (n // 2 for n in image.shape[1:])
    sample = dask.compute(image.data[:, row : row + 64, column : column + 64])[0].reshape(image.shape[0], -1)
    if not np.isfinite(sample).any(axis=1).all():
        step = max(1, max(image.shape[1:]) // 64)
        sample = blockwise.decimate(blocks.lazy(image), step).reshape(image.shape[0], -1)
    centre = [np.mean(b[np.isfinite(b)], dtype=np.float64) if np.isfinite(b).any() else 0.0 for b in sample]
    return np.array(centre)


def transform(image: xr.DataArray | None, fitted: Components | None) -> xr.DataArray | None:
    """Project an image onto fitted components, lazily: (component, y, x), float32, NaN where a band is missing.

    None where there is no image, or no components were asked for.
    """
    if image is None or fitted is None:
        return None
    image = raster.select(image, fitted.bands)

    loadings = fitted.loadings / fitted.scale
    constant = loadings @ fitted.mean

    def project(block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        flat = block.reshape(len(block), -1)
        out = np.empty((len(loadings), flat.shape[1]), np.float32)
        for start in range(0, flat.shape[1], PIECE):
            piece = slice(start, start + PIECE)
            out[:, piece] = loadings @ flat[:, piece].astype(np.float64) - constant[:, None]
        return out.reshape(-1, *block.shape[1:])

    return blocks.with_halo(project, image, 0, fitted.names)


def explain(
    image: xr.DataArray | None, components: int, *, standardize: bool = False, prefix: str = "PC"
) -> Components | None:
    """Fit components as `fit` does; None if there is no image, or no components are asked for."""
    if image is None or components == 0:
        return None
    return fit(image, components, standardize=standardize, prefix=prefix)


def table(fitted: Components | None) -> pd.DataFrame | None:
    """Return loadings and explained variance (parts of the total, 0–1), one row per component; None for None."""
    if fitted is None:
        return None
    loadings = pd.DataFrame(fitted.loadings, index=fitted.names, columns=list(fitted.bands))
    loadings.insert(0, "explained", fitted.explained)
    return loadings


def write(path: Path, fitted: Components) -> None:
    """Write bands, mean, scale, loadings, variances and explained parts as JSON."""
    numbers = (fitted.variance, fitted.explained, fitted.loadings)
    rows = zip(fitted.names, *(n.tolist() for n in numbers), strict=True)
    content = {
        "bands": list(fitted.bands),
        "mean": fitted.mean.tolist(),
        "scale": fitted.scale.tolist(),
        "total_variance": fitted.total_variance,
        "components": [
            {
                "name": name,
                "variance": variance,
                "explained": part,
                "loadings": dict(zip(fitted.bands, row, strict=True)),
            }
            for name, variance, part, row in rows
        ],
    }
    files.write_json(path, content)


def read(path: Path) -> Components:
    """Return the components that `write` wrote; a LulcError if the file is missing or is not that."""
    with files.parse(path, "04_features") as content:
        rows, bands = content["components"], tuple(content["bands"])
        return Components(
            bands,
            np.array(content["mean"], np.float64),
            np.array([[row["loadings"][band] for band in bands] for row in rows], np.float64),
            np.array([row["variance"] for row in rows], np.float64),
            float(content["total_variance"]),
            np.array(content["scale"], np.float64),
            rows[0]["name"].rstrip("0123456789"),
        )
