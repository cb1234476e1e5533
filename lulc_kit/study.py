"""A study: the folder of its results, what each step wrote there, and whether that is up to date."""

import datetime
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from lulc_kit import attribution, catalog, files, lock, params, provenance, steps
from lulc_kit.errors import LulcError, MissingFileError
from lulc_kit.layout import Layout, RunLayout
from lulc_kit.provenance import FileMark

if TYPE_CHECKING:
    import xarray as xr

    from lulc_kit.cube import Cube
    from lulc_kit.samples import Samples


class Record(pydantic.BaseModel):
    """What a step leaves in ``steps/<step>.json`` when it ends."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    step: str
    parameters: dict[str, Any]
    started: str
    duration_s: float
    peak_memory_mb: float
    notebook: str
    modules: dict[str, str]
    versions: dict[str, str]
    inputs: list[FileMark]
    outputs: list[FileMark]


def _state(path: Path) -> tuple[int, int, int]:
    # Files are written beside their place and renamed, so that a new one has another inode.
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _matches(patterns: Iterable[Path], folder: Path) -> dict[Path, list[Path]]:
    """Return the files that fit each pattern, in order."""
    return {
        pattern: sorted(
            p for p in folder.glob(pattern.relative_to(folder).as_posix()) if p.is_file() and not p.name.startswith(".")
        )
        for pattern in patterns
    }


class Study:
    """The folder ``outputs/<study>``.

    Parameters
    ----------
    p
        Parameters of any of its steps: their ``study`` and ``outputs`` say where it is.
    """

    def __init__(self, p: params.Parameters) -> None:
        self.name = p.study
        self.folder = files.resolve(p.outputs) / p.study
        self.layout = Layout(self.folder)

    def record(self, step: str) -> Record | None:
        """Return what a step recorded when it ended, or None if it has not, is being run again, or it is damaged."""
        try:
            record = Record.model_validate_json(self.layout.record(step).read_bytes())
            # A record is a file like any other: what it names outside the study is none of its outputs.
            inside = all(w.path and files.inside(self.folder / w.path, self.folder) for w in record.outputs)
        except (OSError, ValueError, RecursionError):  # not there, half a file, or the folder is a file: `begin` says
            return None
        return record if inside else None

    def inputs(self, p: params.Parameters) -> list[Path]:
        """Return the files a step reads; a LulcError names the notebook to run first if one is missing."""
        found: list[Path] = []
        for pattern, matches in _matches(steps.reads(p, self.layout), self.folder).items():
            if not matches:
                raise steps.missing(pattern, p, self.layout)
            found += matches
        for path in steps.borrows(p, self.layout):
            if not path.exists():
                study = path.relative_to(self.folder.parent).parts[0]
                raise MissingFileError(
                    f"{p.step} takes {path} from the study {study}, and that is not there. Run that study first (lulc "
                    f"run {study}), or name another one in {p.step}.yaml."
                )
            found.append(path)
        for path in steps.of_users(p, self.layout):
            if not path.exists():
                raise MissingFileError(f"{p.step} needs {path}, which is not there. Check the path in its parameters.")
            found.append(path)
        return [f for f in dict.fromkeys(found) if f.is_file()]

    def outdated(self, p: params.Parameters, *, verify: bool = False) -> str | None:
        """Return why a step must be run, in a few words, or None if what it wrote is up to date.

        Parameters
        ----------
        p
            The step's parameters.
        verify
            Read every file anew, also those whose size and time are what they were.
        """
        record = self.record(p.step)
        if record is None:
            return "not run yet"
        then, now = record.parameters, _plain(p)
        # As text, because NaN (a nodata value) is not equal to itself.
        changed = sorted(k for k in {*then, *now} if json.dumps(then.get(k, "")) != json.dumps(now.get(k, "")))
        if changed:
            return f"parameters changed: {', '.join(changed)}"
        if code := self._changed_code(p, record):
            return f"code changed: {', '.join(code)}"
        known = {} if verify else {f.path: f for f in record.inputs}
        try:
            current = [self.mark(path, known) for path in self.inputs(p)]
        except LulcError:
            return "inputs missing"
        if {m.path: m.sha256 for m in current} != {m.path: m.sha256 for m in record.inputs}:
            return "inputs changed"
        for written in record.outputs:
            path = self.folder / written.path
            if not path.exists():
                return f"{written.path} is missing"
            if FileMark.of(path, written.path, None if verify else written).sha256 != written.sha256:
                return f"{written.path} changed"
        return None

    @staticmethod
    def _changed_code(p: params.Parameters, record: Record) -> list[str]:
        notebook = ["the notebook"] if record.notebook != provenance.notebook_code(notebook_of(p)) else []
        return notebook + provenance.find_changed(record.modules, provenance.sources())

    def mark(self, path: Path, known: dict[str, FileMark]) -> FileMark:
        """Mark a file; of this study, and of those beside it, its path is relative, so that results may be moved."""
        name = str(path)
        if path.is_relative_to(self.folder.parent):
            name = Path(os.path.relpath(path, self.folder)).as_posix()
        return FileMark.of(path, name, known.get(name))


def notebook_of(p: params.Parameters) -> Path:
    """Return the notebook that a step runs."""
    return files.project_folder() / "notebooks" / f"{p.notebook}.ipynb"


class Step:
    """One run of a notebook: made by `begin`, ended by `finish`.

    Attributes
    ----------
    study
        The study.
    layout
        Where its files lie.
    parameters
        The notebook's.
    """

    def __init__(self, p: params.Parameters) -> None:
        self.study = Study(p)
        self.layout = self.study.layout
        self.parameters = p
        self._record = self.layout.record(p.step)
        earlier = self.study.record(p.step)
        self._earlier = [self.study.folder / f.path for f in earlier.outputs] if earlier else []
        known = {f.path: f for f in earlier.inputs} if earlier else {}
        self._sources = provenance.sources()  # now: somebody may edit the code while the step runs
        self._notebook = provenance.notebook_code(notebook_of(p))
        self._inputs = [self.study.mark(path, known) for path in self.study.inputs(p)]
        try:
            with files.report_full(self._record):
                self._record.parent.mkdir(parents=True, exist_ok=True)
            self._record.unlink(missing_ok=True)  # a step that dies from here on counts as not run
            _add_to_plan(self.layout.plan, p.step)
        except OSError as error:
            raise LulcError(
                f"No permission to write in {self.study.folder}. Choose another folder with the parameter 'outputs' "
                f"(lulc run --outputs DIR), or make this one writable. ({error})"
            ) from error
        self._started = datetime.datetime.now(datetime.UTC)
        self._clock = time.monotonic()
        self._before = {path: _state(path) for paths in self._declared().values() for path in paths}

    def catalog(self) -> catalog.Catalog:
        """Return the catalog of notebook 01."""
        return catalog.read(self.layout.catalog)

    def cube(self) -> "Cube":
        """Open the dates of notebook 02."""
        from lulc_kit.cube import Cube

        return Cube(self.layout.cube)

    def composite(self) -> "xr.DataArray | None":
        """Open the composite of notebook 02: reflectance 0–1, (band, y, x); None if the samples are a table alone."""
        from lulc_kit import raster

        return raster.read(self.layout.composite) if self.layout.composite.exists() else None

    def stack(self, features: Sequence[str] | None = None) -> "xr.DataArray":
        """Open the features of notebook 04, (band, y, x); None for all."""
        from lulc_kit import raster

        return raster.read(self.layout.stack, features)

    def samples(self) -> "Samples":
        """Open the samples of notebook 05."""
        from lulc_kit.samples import Samples

        return Samples.read(self.layout)

    def run(self, name: str) -> RunLayout:
        """Return where the files of a run of notebooks 06 to 08 lie."""
        return self.layout.run(name)

    def runs(self) -> list[str]:
        """Return the runs of notebooks 06 to 08 that are in the study's plan and have been cross-validated."""
        return steps.planned_runs(self.layout)

    def _declared(self) -> dict[Path, list[Path]]:
        return _matches(steps.writes(self.parameters, self.layout), self.study.folder)

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
        p, folder = self.parameters, self.study.folder
        fresh: list[Path] = []
        declared = self._declared()
        for pattern, found in declared.items():
            # Compared with what lay there before, not with the clock: a file server may have another time.
            new = [f for f in found if _state(f) != self._before.get(f)]
            if not new:
                name = pattern.relative_to(folder).as_posix()
                raise LulcError(f"{p.step} ended without writing {name}: the step has failed.")
            fresh += new
        # What an earlier run of this step wrote and this one did not would mislead the steps that follow.
        for path in {*(f for found in declared.values() for f in found), *self._earlier} - set(fresh):
            path.unlink(missing_ok=True)
        outputs = [self.study.mark(path, {}) for path in dict.fromkeys(fresh)]
        record = Record(
            step=p.step,
            parameters=_plain(p),
            started=self._started.isoformat(timespec="seconds"),
            duration_s=round(time.monotonic() - self._clock, 2),
            peak_memory_mb=provenance.peak_memory_mb(),
            notebook=self._notebook,
            modules=provenance.find_used(self._sources, pictures=p.notebook[:2] in ("03", "09")),
            versions=provenance.versions(),
            inputs=self._inputs,
            outputs=outputs,
        )
        files.write_json(self._record, record.model_dump(mode="json"))
        return Written(folder, [(m.path, m.size) for m in outputs])


def _add_to_plan(path: Path, step: str) -> None:
    # `lulc run` writes the whole plan; a run made by hand joins it, until the next `lulc run`.
    if path.exists():
        try:
            plan = files.read_json(path)
        except LulcError:
            return
        if isinstance(plan, list) and step not in plan:
            files.write_json(path, sorted({*map(str, plan), step}))


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
        If a file is missing (the message names the notebook to run first), the folder is not writable, or another
        process works on the study.
    """
    from lulc_kit.raster import blockwise  # `lulc show` needs none of it

    _connect()
    blockwise.limit_memory(getattr(p, "memory", None))
    with lock.hold(Study(p).layout):
        step = Step(p)
    attribution.declare("" if isinstance(p, params.Download) else _attribution(step.layout.catalog))
    return step


def _attribution(path: Path) -> str:
    if not path.exists():
        return ""
    with files.parse(path, "01_download") as content:
        return str(content.get("lulc:attribution", ""))


def _connect() -> None:
    # `lulc run --scheduler` or the environment (DASK_SCHEDULER_ADDRESS) name a cluster; dask then uses it everywhere.
    import dask
    import dask.threaded

    address = dask.config.get("scheduler-address", None)
    if address is None:
        if "distributed" not in sys.modules and dask.config.get("scheduler", None) is None:
            # Without a name to look up dask does not ask `distributed` for a cluster, whose import takes half a second.
            dask.config.set(scheduler=dask.threaded.get)
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


def _plain(p: params.Parameters) -> dict[str, Any]:
    # Where the results lie and how much is computed at once does not change what they are.
    return p.model_dump(mode="json", exclude={"outputs", "memory"})
