"""Running a study: its parameter files in order, each through papermill, skipping what is up to date."""

import contextlib
import importlib.metadata
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lulc_kit import environment, files, lock, params, study
from lulc_kit import steps as traffic
from lulc_kit.errors import LulcError, MissingFileError, ParameterError
from lulc_kit.layout import Layout

Say = Callable[[str], None]


@dataclass(frozen=True)
class Planned:
    """One step of a study: its name (``06_rf``) and its parameters."""

    step: str
    parameters: params.Parameters


def files_of(folder: Path) -> list[Path]:
    """Return a study's parameter files in order, without what macOS leaves beside them (``._01_download.yaml``)."""
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("._"))


def folder_of(name: str) -> Path:
    """Return the parameter folder of a study given by name or by path.

    Raises
    ------
    LulcError
        Lists the studies there are.
    """
    known = files.project_folder() / "params"
    for folder in (Path(name), known / name):
        if folder.is_dir():
            return folder
    names = sorted(f.name for f in known.glob("*") if f.is_dir()) if known.is_dir() else []
    raise MissingFileError(
        f"There is no study {name!r}: neither a folder of that path nor params/{name}. "
        f"Studies here: {', '.join(names) or 'none (run lulc in the folder that holds params/ and notebooks/)'}. "
        f"Start one with: lulc new {name}"
    )


def parse_settings(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read ``NN_name.key=value`` into values by step; the value is read as YAML, as in a parameter file."""
    found: dict[str, dict[str, Any]] = {}
    for setting in settings:
        match = re.fullmatch(r"(\d\d_[\w\-]+)\.(\w+)=(.*)", setting, re.DOTALL)
        if not match:
            raise ParameterError(f"--set {setting}: expected NN_name.key=value, for example --set 06_rf.trees=500")
        try:
            found.setdefault(match[1], {})[match[2]] = yaml.safe_load(match[3])
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ParameterError(f"--set {setting[:80]}: the value is not valid YAML ({str(error)[:300]}).") from error
    return found


def plan(
    name: str, settings: Mapping[str, Mapping[str, Any]] | None = None, outputs: str | None = None
) -> list[Planned]:
    """Read and validate all parameter files of a study, before anything runs.

    Parameters
    ----------
    name
        A name under ``params/`` or the path of a parameter folder.
    settings
        Values that replace those of the files, by step.
    outputs
        Replaces the parameter ``outputs`` of every step.

    Raises
    ------
    LulcError
        Lists everything that is wrong in any of the files.
    """
    folder = folder_of(name)
    paths = files_of(folder)
    if not paths:
        raise MissingFileError(
            f"{folder} holds no parameter file (01_download.yaml, …). Start a study with: lulc new NAME"
        )
    wrong, steps = [], []
    for path in sorted(folder.glob("*.yml")):
        wrong.append(f"{path} would not be read: parameter files end in .yaml. Rename it to {path.stem}.yaml.")
    unused = set(settings or {}) - {p.stem for p in paths}
    if unused:
        wrong.append(
            f"--set names {', '.join(sorted(unused))}, but {folder.name} has only: {', '.join(p.stem for p in paths)}."
        )
    for path in paths:
        try:
            model = params.model_of(path.stem)
            values = params.load(path) | dict((settings or {}).get(path.stem, {}))
            if outputs is not None:
                values["outputs"] = outputs
            checked = model.check(values, str(path))
            _check_names(path, values, checked)
            steps.append(Planned(path.stem, checked))
        except LulcError as error:
            wrong.append(str(error))
    names = {s.parameters.study for s in steps}
    if len(names) > 1:
        wrong.append(f"{folder}: the files name different studies ({', '.join(sorted(names))}). They must agree.")
    if not wrong:
        wrong = [f"{folder}: {line}" for line in traffic.collisions([s.parameters for s in steps], _layout(steps[0]))]
    if wrong:
        raise ParameterError("\n".join(wrong))
    return steps


def select(
    steps: Sequence[Planned], only: Collection[str] = (), start: str | None = None, without: Collection[str] = ()
) -> list[Planned]:
    """Return the steps of a study that are wanted.

    Parameters
    ----------
    steps
        From `plan`.
    only
        Names of steps; empty for all.
    start
        Name of the first step, or its beginning (``04``); None for the first that there is.
    without
        Names of steps that are left out for now.

    Raises
    ------
    LulcError
        If the study has no such step; the message lists those that it has.
    """
    names = [s.step for s in steps]
    lacking = [name for name in [*only, *without] if name not in names]
    if start is not None and not any(name.startswith(start) for name in names):
        lacking.append(start)
    if lacking:
        raise ParameterError(f"Study {steps[0].parameters.study} has no step {lacking[0]}. It has: {', '.join(names)}.")
    wanted = [s for s in steps if (not only or s.step in only) and (start is None or s.step >= start)]
    return [s for s in wanted if s.step not in without]


def parse_left_out(named: Sequence[str], plans: Sequence[Sequence[Planned]]) -> dict[str, list[str]]:
    """Read ``STUDY/NN_name`` into steps to leave out by study; every study of the plans has a list."""
    found: dict[str, list[str]] = {steps[0].parameters.study: [] for steps in plans}
    for name in named:
        study_, _, step = name.partition("/")
        if study_ not in found:
            raise ParameterError(f"--without {name}: expected STUDY/NN_name, of {', '.join(found)}.")
        found[study_].append(step)
    return found


def _layout(planned: Planned) -> Layout:
    return study.Study(planned.parameters).layout


def _check_names(path: Path, values: Mapping[str, Any], checked: params.Parameters) -> None:
    if "study" not in values:
        raise LulcError(f"{path}: 'study' is missing. Write the line: study: {path.parent.name}")
    if checked.step != path.stem:
        raise LulcError(
            f"{path}: 'run' must be what the file's name says after its number. "
            f"Write the line: run: {path.stem[3:]}  (or rename the file to {checked.step}.yaml)"
        )


@contextlib.contextmanager
def cluster(scheduler: str | None = None, workers: int | None = None) -> Iterator[None]:
    """Let the notebooks that run inside compute on a dask cluster.

    Parameters
    ----------
    scheduler
        Address of a scheduler that runs already, ``tcp://host:8786``.
    workers
        Number of worker processes of a cluster that is started on this machine, and ended with the block.
    """
    if scheduler is not None and workers is not None:
        raise ParameterError("--scheduler and --workers exclude each other: use a cluster there is, or start one here.")
    with contextlib.ExitStack() as stack:
        if workers is not None:
            import distributed

            local = stack.enter_context(
                distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            )
            scheduler = local.scheduler_address
        if scheduler is not None:
            stack.enter_context(environment.change({"DASK_SCHEDULER_ADDRESS": scheduler}))
        yield


FORKED = "lulc-kit-forked"
"""The name of `lulc_kit.kernels.Forked` among the entry points of the package."""


@contextlib.contextmanager
def fork_kernels(steps: int) -> Iterator[None]:
    """Let the kernels of the notebooks that run inside be forked from a process that has loaded the libraries.

    Parameters
    ----------
    steps
        How many there are; one alone is not quicker for it. Only on Linux: elsewhere a process that has loaded so much
        cannot be forked in safety, or not at all.
    """
    use = steps > 1 and sys.platform == "linux"
    if use:  # without the entry point, in a checkout that was installed before there was one, kernels start as ever
        use = bool(importlib.metadata.entry_points(group="jupyter_client.kernel_provisioners", name=FORKED))
    with environment.change({"JUPYTER_DEFAULT_PROVISIONER_NAME": FORKED} if use else {}):
        yield


def announce(steps: Sequence[Planned]) -> None:
    """Write down which steps a study has, so that a run that left the plan leaves the report too."""
    if steps:
        layout = _layout(steps[0])
        _make_folder(layout.plan.parent, layout)
        names = [s.step for s in steps]
        text = json.dumps(names, indent=2) + "\n"
        if not layout.plan.exists() or layout.plan.read_bytes() != text.encode():
            files.write_text(layout.plan, text)


def _make_folder(folder: Path, layout: Layout) -> None:
    try:
        with files.report_full(folder):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LulcError(
            f"No permission to write in {layout.folder}. Choose another folder with --outputs DIR. ({error})"
        ) from error


def run(steps: Sequence[Planned], *, force: bool = False, say: Say = print) -> None:
    """Run steps in order; those that are up to date are skipped.

    Parameters
    ----------
    steps
        From `plan`.
    force
        Run them even if they are up to date.
    say
        Told what happens, a line at a time.

    Raises
    ------
    LulcError
        At the first step that fails. What it had written before stays; the next run goes on from that step.
    """
    for _, group in itertools.groupby(steps, key=lambda planned: planned.parameters.study):
        of_one = list(group)
        with lock.hold(_layout(of_one[0])):
            for planned in of_one:
                _run_step(planned, force, say)


def _run_step(planned: Planned, force: bool, say: Say) -> None:
    p, home = planned.parameters, study.Study(planned.parameters)
    reason = "forced" if force else home.outdated(p)
    if reason is None:
        say(f"{p.study} {planned.step}: up to date")
        return
    say(f"{p.study} {planned.step}: running ({reason})")
    started = time.monotonic()
    before = home.record(planned.step)
    _execute(planned)
    record = home.record(planned.step)
    if record is None or record == before:
        raise LulcError(
            f"{p.study} {planned.step}: the notebook ran to its end, but the step was not finished: its last cell "
            f"'step.finish()' did not run. Restore the notebook (git checkout notebooks/{p.notebook}.ipynb)."
        )
    missing = [f.path for f in record.outputs if not (home.folder / f.path).exists()]
    if missing:
        raise LulcError(f"{p.study} {planned.step}: {', '.join(missing)} disappeared while the step ran.")
    say(f"{p.study} {planned.step}: done in {time.monotonic() - started:.0f} s")


@contextlib.contextmanager
def _without(name: str) -> Iterator[None]:
    """Import others as if a module that they can do without were not installed."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def _execute(planned: Planned) -> None:
    with _without("rfc3987_syntax"):  # a grammar of addresses, which jsonschema would compile, for two seconds
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError

    p = planned.parameters
    project = files.project_folder()
    source = project / "notebooks" / f"{p.notebook}.ipynb"
    if not source.exists():
        raise MissingFileError(
            f"{source} does not exist. Run lulc in the kit's folder, which holds notebooks/ and params/."
        )
    layout = _layout(planned)
    target, part, failed = (layout.notebook(f"{planned.step}{end}") for end in ("", ".running", ".failed"))
    _make_folder(target.parent, layout)
    try:
        with files.report_full(target, partial=[part]):
            _papermill(source, part, p, project)
    except PapermillExecutionError as error:
        part.replace(failed)
        what = error.evalue if error.ename == LulcError.__name__ else f"{error.ename}: {error.evalue}"
        raise LulcError(
            f"{p.study} {planned.step} failed: {what}\n(the notebook as far as it came: {failed})"
        ) from error
    except DeadKernelError as error:
        raise LulcError(
            f"{p.study} {planned.step} failed: its Python process died, most often for lack of memory. "
            f"Free memory, or map a smaller area (bbox in 02_preprocess.yaml), and run the same command again."
        ) from error
    except RuntimeError as error:
        if not _never_started(error):
            raise
        raise LulcError(
            f"{p.study} {planned.step}: its Jupyter kernel did not start ({error}). "
            f"Run lulc doctor; if all is well there, the computer may be too busy: run the same command again."
        ) from error
    part.replace(target)
    failed.unlink(missing_ok=True)


def _papermill(source: Path, target: Path, p: params.Parameters, project: Path) -> None:
    import papermill

    for attempt in range(STARTS):
        try:
            with environment.change(KERNEL_ENVIRONMENT | {lock.HELD: str(study.Study(p).folder)}):
                papermill.execute_notebook(
                    str(source),
                    str(target),
                    # All of them, so that what somebody left in the notebook's own cell counts for nothing here.
                    parameters=p.model_dump(mode="json"),
                    kernel_name="python3",
                    cwd=str(project),
                    progress_bar=False,
                    log_output=False,
                    extra_arguments=["--log-level=CRITICAL"],  # to the kernel
                    stdout_file=sys.stdout,
                    iopub_timeout=OUTPUT,
                )
            return
        except RuntimeError as error:
            if not _never_started(error) or attempt == STARTS - 1:
                raise


def _never_started(error: RuntimeError) -> bool:
    # A kernel is told ports that were free a moment before; of many kernels on one machine one may find its port taken.
    return str(error).startswith(("Kernel died before", "Kernel didn't respond"))


STARTS = 3
"""How often a kernel that does not come up is started."""
OUTPUT = 120
"""Seconds that a cell's last output may take on its way; nbclient's own 4 are too few on a busy computer."""


# Progress comes as plain lines (no Jupyter session), and pictures are drawn for the notebook.
KERNEL_ENVIRONMENT: dict[str, str | None] = {
    "JPY_SESSION_NAME": None,
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "MPLBACKEND": None,
}


@dataclass(frozen=True)
class Result:
    """One line of the closing table."""

    study: str
    run: str
    macro_f1: str
    overall_accuracy: str
    separation: str


def results(steps: Sequence[Planned]) -> tuple[list[Path], list[Result]]:
    """Return the report pages that are up to date, and the accuracy of each run in them."""
    pages, rows = [], []
    for planned in steps:
        home = study.Study(planned.parameters)
        if not isinstance(planned.parameters, params.Evaluate) or home.outdated(planned.parameters) is not None:
            continue
        pages.append(home.layout.report)
        with files.parse(home.layout.accuracy, planned.step) as accuracy:
            for name, run_ in accuracy["runs"].items():
                apart = run_["apart_in_space"]
                macro_f1, overall = (
                    f"{n['value']:.3f} ({n['low']:.3f}–{n['high']:.3f})"
                    for n in (apart["macro_f1"], apart["overall_accuracy"])
                )
                rows.append(Result(home.name, name, macro_f1, overall, accuracy["separation"]))
    return pages, rows
