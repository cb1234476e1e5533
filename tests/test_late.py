"""What takes long to import is imported when it is used: a notebook's first cell is quick."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.startup import LIGHT, imports
from lulc_kit import late
from tests.scene import REPOSITORY, environment

HEAVY = {
    *("dask.array", "distributed", "earthpy", "geopandas", "ipywidgets", "keras", "matplotlib", "numba", "pandas"),
    *("pystac", "pytest", "rioxarray", "scipy", "skops", "sklearn", "sklearnex", "spyndex", "tensorflow", "xarray"),
}
NOTEBOOKS = [path for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")) if path.stem.startswith(LIGHT)]


def loaded(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_imports_of_a_notebook_load_nothing_heavy(notebook: Path) -> None:
    code = imports(notebook)
    assert "lulc_kit.study" in code
    found = loaded(code)
    assert "lulc_kit.params" in found
    assert found & HEAVY == set()


def test_what_is_heavy_exists() -> None:
    """A misspelt name in the list would guard nothing."""
    assert [name for name in HEAVY - {"sklearnex"} if importlib.util.find_spec(name) is None] == []


def test_a_late_package_is_the_package() -> None:
    import matplotlib.pyplot
    import numpy as np
    import xarray

    assert late.xr.DataArray is xarray.DataArray
    assert late.plt.subplots is matplotlib.pyplot.subplots
    assert late.da.zeros((2, 2)).compute().tolist() == np.zeros((2, 2)).tolist()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        late.pd.nothing  # noqa: B018


def test_images_that_others_made_have_a_grid_for_the_front_door() -> None:
    code = "import lulc_kit, xarray\nlulc_kit.compute_indices\nassert hasattr(xarray.DataArray([0]), 'odc')"
    assert "odc.geo.xr" in loaded(code)


@pytest.mark.parametrize(("own", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_openmp_wait_without_spinning_unless_the_user_says_so(own: str | None, expected: str) -> None:
    variables = {k: v for k, v in environment().items() if k != "OMP_WAIT_POLICY"}
    variables |= {"OMP_WAIT_POLICY": own} if own else {}
    code = "import lulc_kit, os; print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_a_step_that_has_no_cluster_does_not_load_what_looks_for_one(tmp_path: Path) -> None:
    code = f"""
from lulc_kit import params, study
study.begin(params.Download(study="s", outputs={str(tmp_path)!r}))
import dask.array
assert dask.array.ones(3).sum().compute() == 3
"""
    found = loaded(code)
    assert "dask.threaded" in found and "distributed" not in found
