"""A study: the folder of its results, what each step wrote there, and whether that is up to date."""

import datetime
import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lulc_kit
from lulc_kit import attribution, catalog, files, params
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout, RunLayout

if TYPE_CHECKING:
    import xarray as xr

# Rooms of the package whose code decides what a step writes (figures do not count where they are only shown);
# the ground floor counts for every step.
ROOMS = {
    "01": ("download",),
    "02": ("preprocess",),
    "03": ("visualize",),
    "04": ("features",),
    "05": ("labels",),
    "06": ("baselines",),
    "07": ("deep",),
    "08": ("deep",),
    "09": ("evaluate", "visualize"),
}
READERS = {"01": ("safe", "simulated"), "02": ("safe",)}
"""Ground floor that counts for some steps only."""
GROUND_FLOOR = (
    "attribution.py",
    "catalog.py",
    "classes.py",
    "files.py",
    "grids.py",
    "layout.py",
    "mapping.py",
    "sentinel2.py",
    *(f"raster/{name}.py" for name in ("__init__", "blockwise", "reading", "resample", "warping", "writing")),
)
PACKAGES = (
    "numpy",
    "numba",
    "rasterio",
    "spyndex",
    "scikit-learn",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "dask",
    "xarray",
)


def project_folder() -> Path:
    """Return the folder that holds ``notebooks/`` and ``params/``: the working folder or the nearest one above."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
            return folder
    return here


def resolve(path: str) -> Path:
    """Return a parameter's path as an absolute one; relative paths start at the project's folder."""
    return (project_folder() / Path(path).expanduser()).absolute()


def _state(path: Path) -> tuple[int, int, int]:
    # Files are written beside their place and renamed, so that a new one has another inode.
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def named_files(pattern: str) -> list[Path]:
    """Return the files that a parameter names: one path, or those that fit a glob (``exports/NAME-*.tif``)."""
    path = resolve(pattern)
    if not any(mark in pattern for mark in "*?["):
        return [path]
    return sorted(f for f in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if f.is_file())


def _parts(pattern: str, folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob(pattern) if p.is_file() and not p.name.startswith("."))


@dataclass(frozen=True)
class FileMark:
    """A file as it was: size, modification time (ns) and SHA-256."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, name: str, known: "FileMark | None" = None) -> "FileMark":
        """Mark a file. A known mark with the same size and time is trusted, so that big files are read once."""
        stat = path.stat()
        if known and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return known
        return cls(name, stat.st_size, stat.st_mtime_ns, files.sha256(path))


class Study:
    """The folder ``outputs/<study>``.

    Parameters
    ----------
    p
        Parameters of any of its steps: their ``study`` and ``outputs`` say where it is.
    """

    def __init__(self, p: params.Parameters) -> None:
        self.name = p.study
        self.folder = resolve(p.outputs) / p.study
        self.layout = Layout(self.folder)

    def path(self, name: str) -> Path:
        """Return the absolute path of a file of the study."""
        return self.folder / name

    def record(self, step: str) -> dict[str, Any] | None:
        """Return what a step recorded when it ended, or None if it has not (or is being run again)."""
        path = self.folder / "steps" / f"{step}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there, half a file, or the folder is a file: `begin` says so
            return None

    def external(self, p: params.Parameters) -> list[Path]:
        """Return the files outside the study's folder that a step reads: the user's own."""
        if isinstance(p, params.Download):
            named: list[str | None] = [p.reference, p.dem, p.roads]
            if p.products is not None:
                named += [str(f) for f in sorted(resolve(p.products).rglob("MTD_*.xml"))]
                named += [str(f) for f in sorted(resolve(p.products).glob("*.zip"))]
            for scene in p.scenes:
                named += [scene.file, scene.scl, scene.mask, *(scene.bands or {}).values()]
            return [files.on_disk(resolve(n)) for n in named if n]
        if isinstance(p, params.Samples) and p.labels != "reference":
            return [resolve(p.labels)]
        if isinstance(p, params.Preprocess | params.Features | params.Samples) and self.path("catalog.json").exists():
            scenes, ancillary = catalog.files_of(self.path("catalog.json"))
            if isinstance(p, params.Preprocess):
                return scenes
            roles = ["reference"] if isinstance(p, params.Samples) else ["dem", "roads"]
            found = [f for role in roles for f in ancillary.get(role, [])]
            if isinstance(p, params.Features):
                found += [f for entry in p.external for f in named_files(entry.file)]
            return found
        return []

    def inputs(self, p: params.Parameters) -> list[Path]:
        """Return the files a step reads; a LulcError names the notebook to run first if one is missing."""
        found: list[Path] = []
        for pattern in p.reads():
            matches = _parts(pattern, self.folder)
            if not matches:
                raise LulcError(
                    f"{p.step} needs {self.folder.name}/{pattern}, which is not there. "
                    f"Run {_writer(pattern)} first (or all in order: lulc run {self.name})."
                )
            found += matches
        for path in self.external(p):
            if not path.exists():
                raise LulcError(f"{p.step} needs {path}, which is not there. Check the path in its parameters.")
            found += sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix == ".shp" else [path]
        return [f for f in dict.fromkeys(found) if f.is_file()]

    def outdated(self, p: params.Parameters) -> str | None:
        """Return why a step must be run, in a few words, or None if what it wrote is up to date."""
        record = self.record(p.step)
        if record is None:
            return "not run yet"
        then, now = record["parameters"], _plain(p)
        # As text, because NaN (a nodata value) is not equal to itself.
        changed = sorted(k for k in {*then, *now} if json.dumps(then.get(k, "")) != json.dumps(now.get(k, "")))
        if changed:
            return f"parameters changed: {', '.join(changed)}"
        if record["code"] != code_version(p):
            return "code changed"
        known = {f["path"]: FileMark(**f) for f in record["inputs"]}
        try:
            current = [self._mark(path, known) for path in self.inputs(p)]
        except LulcError:
            return "inputs missing"
        if {m.path: m.sha256 for m in current} != {m.path: m.sha256 for m in known.values()}:
            return "inputs changed"
        for written in (FileMark(**f) for f in record["outputs"]):
            path = self.folder / written.path
            if not path.exists():
                return f"{written.path} is missing"
            if FileMark.of(path, written.path, written).sha256 != written.sha256:
                return f"{written.path} changed"
        return None

    def _mark(self, path: Path, known: dict[str, FileMark]) -> FileMark:
        name = path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else str(path)
        return FileMark.of(path, name, known.get(name))


class Step:
    """One run of a notebook: made by `begin`, ended by `finish`."""

    def __init__(self, p: params.Parameters) -> None:
        self.study = Study(p)
        self.layout = self.study.layout
        self.parameters = p
        self._record = self.study.path(f"steps/{p.step}.json")
        earlier = self.study.record(p.step) or {"inputs": [], "outputs": []}
        self._earlier = [f["path"] for f in earlier["outputs"]]
        known = {f["path"]: FileMark(**f) for f in earlier["inputs"]}
        self._code = code_version(p)  # now: somebody may edit it while the step runs
        self._inputs = [self.study._mark(path, known) for path in self.study.inputs(p)]
        try:
            self._record.parent.mkdir(parents=True, exist_ok=True)
            self._record.unlink(missing_ok=True)  # a step that dies from here on counts as not run
        except OSError as error:
            raise LulcError(
                f"No permission to write in {self.study.folder}. Choose another folder with the parameter 'outputs' "
                f"(lulc run --outputs DIR), or make this one writable. ({error})"
            ) from error
        self._started = datetime.datetime.now(datetime.UTC)
        self._clock = time.monotonic()
        self._before = {path: _state(path) for path in self._declared()}

    def path(self, name: str) -> Path:
        """Return the absolute path of a file of the study."""
        return self.study.path(name)

    def catalog(self) -> catalog.Catalog:
        """Return the catalog of notebook 01."""
        return catalog.read(self.layout.catalog)

    def composite(self) -> "xr.DataArray":
        """Open the composite of notebook 02: reflectance 0–1, (band, y, x)."""
        from lulc_kit import raster

        return raster.read(self.layout.composite)

    def stack(self, features: Sequence[str] | None = None) -> "xr.DataArray":
        """Open the features of notebook 04, (band, y, x); None for all."""
        from lulc_kit import raster

        return raster.read(self.layout.stack, features)

    def run(self, name: str) -> RunLayout:
        """Return where the files of a run of notebooks 06 to 08 lie."""
        return self.layout.run(name)

    def _declared(self) -> list[Path]:
        return [f for pattern in self.parameters.writes() for f in _parts(pattern, self.study.folder)]

    def finish(self) -> "Written":
        """Check that all declared files were written, and record the step.

        Returns
        -------
        Written
            The files, as a table that JupyterLab shows.

        Raises
        ------
        LulcError
            If a declared file was not written by this run.
        """
        p = self.parameters
        fresh: list[Path] = []
        for pattern in p.writes():
            # Compared with what lay there before, not with the clock: a file server may have another time.
            new = [f for f in _parts(pattern, self.study.folder) if _state(f) != self._before.get(f)]
            if not new:
                raise LulcError(f"{p.step} ended without writing {pattern}: the step has failed.")
            fresh += new
        # What an earlier run of this step wrote and this one did not would mislead the steps that follow.
        for path in {*self._declared(), *map(self.study.path, self._earlier)} - set(fresh):
            path.unlink(missing_ok=True)
        outputs = [self.study._mark(path, {}) for path in dict.fromkeys(fresh)]
        files.write_json(
            self._record,
            {
                "step": p.step,
                "parameters": _plain(p),
                "started": self._started.isoformat(timespec="seconds"),
                "duration_s": round(time.monotonic() - self._clock, 2),
                "peak_memory_mb": _peak_memory_mb(),
                "code": self._code,
                "versions": versions(),
                "inputs": [vars(m) for m in self._inputs],
                "outputs": [vars(m) for m in outputs],
            },
        )
        return Written(self.study.folder, [(m.path, m.size) for m in outputs])


@dataclass
class Written:
    """The files a step wrote, with their sizes in bytes."""

    folder: Path
    files: list[tuple[str, int]]

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.files)
        return f"Written to {self.folder}:\n" + "\n".join(
            f"  {name:<{width}}  {size / 1e6:9.3f} MB" for name, size in self.files
        )

    __repr__ = __str__


def begin(p: params.Parameters) -> Step:
    """Begin a step: check that what it reads is there and its folder can be written to.

    Raises
    ------
    LulcError
        If a file is missing (the message names the notebook to run first) or the folder is not writable.
    """
    from lulc_kit.raster import blockwise  # `lulc show` needs none of it

    _connect()
    blockwise.limit_memory(getattr(p, "memory", None))
    step = Step(p)
    attribution.declare("" if isinstance(p, params.Download) else _attribution(step.path("catalog.json")))
    return step


def _attribution(path: Path) -> str:
    return str(files.read_json(path).get("lulc:attribution", "")) if path.exists() else ""


def _connect() -> None:
    # `lulc run --scheduler` or the environment (DASK_SCHEDULER_ADDRESS) name a cluster; dask then uses it everywhere.
    import dask

    address = dask.config.get("scheduler-address", None)
    if address is None:
        return
    import distributed

    try:
        distributed.get_client(address)
    except ValueError:
        try:
            distributed.Client(address, timeout="20s")
        except OSError as error:
            raise LulcError(
                f"No dask scheduler answers at {address} ({error}). Start one (dask scheduler) and its workers "
                f"(dask worker {address}), or run without --scheduler."
            ) from error


def code_version(p: params.Parameters) -> str:
    """Hash of the code that decides what a step writes: its rooms, the ground floor, the notebook's code cells."""
    package = Path(lulc_kit.__file__).parent
    sources = [package / name for name in GROUND_FLOOR]
    for room in (*ROOMS[p.notebook[:2]], *READERS.get(p.notebook[:2], ())):
        sources += sorted((package / room).rglob("*.py")) + sorted((package / room).rglob("*.j2"))
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.relative_to(package).as_posix().encode())
        digest.update(source.read_bytes())
    notebook = project_folder() / "notebooks" / f"{p.notebook}.ipynb"
    if notebook.exists():
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            # Other values in the parameters cell are other parameters, which are compared by themselves.
            if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
                digest.update("".join(cell["source"]).encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, the kit and the packages that do the computing."""
    found = {"python": platform.python_version(), "lulc_kit": lulc_kit.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _plain(p: params.Parameters) -> dict[str, Any]:
    # Where the results lie and how much is computed at once does not change what they are.
    return p.model_dump(mode="json", exclude={"outputs", "memory"})


def _peak_memory_mb() -> int:
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return round(psutil.Process().memory_info().peak_wset / 1e6)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if platform.system() == "Darwin" else 1e3))


def _writer(pattern: str) -> str:
    for notebook, model in params.NOTEBOOKS.items():
        for written in model.check({}, notebook).writes():
            if written.split("/")[0] == pattern.split("/")[0] and Path(written).suffix == Path(pattern).suffix:
                return notebook
    return "the notebooks before it"
