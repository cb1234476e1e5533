"""Which step reads and writes what: one table."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lulc_kit import catalog, files, params
from lulc_kit.errors import LulcError
from lulc_kit.layout import CONSENSUS, DOUBT_LAYERS, ENSEMBLE, CubeLayout, Layout, RunLayout
from lulc_kit.map_layers import MAP_LAYERS
from lulc_kit.params.download import FETCHED
from lulc_kit.provenance import companions

DATES = "*-*-*"


def reads(p: params.Parameters, layout: Layout) -> list[Path]:
    """Return the files of earlier steps that a step reads; some are patterns (``cube/*-*-*.tif``)."""
    return _TABLE[p.notebook][0](p, layout)


def writes(p: params.Parameters, layout: Layout) -> list[Path]:
    """Return the files that a step must have written when it ends; some are patterns."""
    return _TABLE[p.notebook][1](p, layout)


def writer(path: Path, layout: Layout) -> str:
    """Return the notebook that writes a file, for a message."""
    for notebook, model in params.NOTEBOOKS.items():
        for written in writes(model.check({}, notebook), layout):
            if written.parent == path.parent and written.suffix == path.suffix:
                return notebook
    models = layout.folder / "models"
    return "the notebook that trains it" if path.is_relative_to(models) else "the notebooks before it"


def collisions(planned: Sequence[params.Parameters], layout: Layout) -> list[str]:
    """Return, in words, which steps of a plan would write the same files, also where names ignore case."""
    found: list[tuple[str, str, str]] = []
    taken: dict[str, str] = {}
    for p in planned:
        for path in writes(p, layout):
            other = taken.setdefault(str(path).casefold(), p.step)
            if other != p.step:
                found.append((other, p.step, path.relative_to(layout.folder).as_posix()))
    pairs = {(one, two): path for one, two, path in reversed(found)}
    return [
        f"{one}.yaml and {two}.yaml would both write {path}. Give one of the runs another name (file and 'run')."
        for (one, two), path in sorted(pairs.items())
    ]


def planned_runs(layout: Layout) -> list[str]:
    """Return the runs that have been cross-validated and are in the study's plan (all, if no plan lies there)."""
    try:
        plan = json.loads(layout.plan.read_text(encoding="utf-8"))
        names = {str(step)[3:] for step in plan}
    except (OSError, ValueError, TypeError, RecursionError):  # not there, or damaged: `lulc run` writes it anew
        return layout.runs()
    return [run for run in layout.runs() if run in names]


BY_ITSELF = ("hgb", "fcn")
"""Runs that are averaged where nothing is said: on the study that has both their mean is better than either."""


def members(p: params.Evaluate, layout: Layout) -> list[str]:
    """Return which of the runs that are to be averaged are there: ``--without`` may have left some out."""
    there = planned_runs(layout)
    return [name for name in (BY_ITSELF if p.ensemble is None else p.ensemble) if name in there]


def _labels(layout: Layout) -> list[Path]:
    return [layout.samples, layout.labels, layout.folds, layout.classes]


def _sampled(p: Any, layout: Layout) -> list[Path]:
    if p.is_table:
        return [layout.samples, layout.classes]
    return [*_labels(layout), *([layout.validation] if p.validation else [])]


def _maps(p: Any, layout: Layout) -> list[Path]:
    run = layout.run(p.run)
    if layout.tabular:
        return [run.crossval_table, run.about]
    return [*_mapped(run), *(_crossvalidated(run) if _is_judged(p, layout) else [])]


def _mapped(run: RunLayout) -> list[Path]:
    return [run.map, *(run.layer(name) for name in MAP_LAYERS), run.about]


def _crossvalidated(run: RunLayout) -> list[Path]:
    return [run.crossval, run.crossval_probability]


def _is_judged(p: Any, layout: Layout) -> bool:
    """Whether a run is tested on labels of the study: all are, but what was trained elsewhere maps without, too."""
    return not (_origins(p) and not layout.samples.exists())


def _origins(p: params.Parameters) -> list[str]:
    """Return the other studies that teach a run."""
    return [study for study in p.origins if study != p.study] if isinstance(p, params.Travelling) else []


def borrows(p: params.Parameters, layout: Layout) -> list[Path]:
    """Return the files of other studies that a step reads: a model, samples, what features were fitted with."""
    found: list[Path] = []
    if isinstance(p, params.Features) and p.fitted_in:
        there = layout.other(p.fitted_in)
        found += [there.components().with_suffix(".json")] if p.components else []
        found += [there.grey_levels] if p.texture_bands else []
        textured = p.texture_bands and p.texture_components
        found += [there.components("texture").with_suffix(".json")] if textured else []
    if isinstance(p, params.Travelling):
        for study in [] if p.trained else _origins(p):
            there = layout.other(study)
            of_patches = [there.stack, there.labels, there.folds] if isinstance(p, params.FCN) else []
            found += [there.samples, there.classes, *of_patches]
        if p.trained:
            study, name = p.trained.split("/")
            run = layout.other(study).run(name)
            pattern = run.network("*")
            networks = sorted(pattern.parent.glob(pattern.name)) or [run.network(1)]
            found += [run.about, *([run.model] if isinstance(p, params.Baselines) else networks)]
    return found


def _features(p: Any, layout: Layout) -> list[Path]:
    written = [layout.stack]
    if p.texture_bands:
        written += [layout.texture, layout.grey_levels]
    if p.time_layers:
        written.append(layout.time)
    for count, of in ((p.components, ""), (p.texture_components if p.texture_bands else 0, "texture")):
        if count:
            written += [layout.components(of), layout.components(of).with_suffix(".json")]
    return written


def _judged(p: Any, layout: Layout) -> list[Path]:
    runs = [layout.run(name) for name in planned_runs(layout)]
    if layout.tabular:
        rows = [[run.crossval_table, run.about] for run in runs or [layout.run("*")]]
        return [layout.samples, layout.classes, *(path for paths in rows for path in paths)]
    found = [layout.catalog, layout.composite, *_labels(layout)]
    designs = [layout.interpretation.drawn] if p.interpreted else []
    designs += [layout.change_interpretation.drawn] if p.change_interpreted else []
    found += [path for path in (layout.validation, *designs) if path.exists()]
    for run in runs or [layout.run("*")]:
        found += [*_mapped(run), *_crossvalidated(run)]
    return [*found, layout.stack]


def _report(p: Any, layout: Layout) -> list[Path]:
    written = [layout.report, layout.accuracy, layout.picture("*"), layout.table("*")]
    written += [layout.change] if p.compare_with else []
    if layout.tabular:
        return written
    asked = p.doubt is None or len(p.doubt) > 0
    names = [name for name in DOUBT_LAYERS if asked and (p.density or name != "density")]
    any_run = layout.run("*")
    if len(members(p, layout)) > 1:
        run = layout.run(ENSEMBLE)
        written += [*_mapped(run), *_crossvalidated(run), run.layer(CONSENSUS)]
    written += [any_run.agreement("*")] if p.references else []
    written += [any_run.smoothed, any_run.smoothed.with_suffix(any_run.style.suffix)] if p.smooth else []
    written += [layout.project, any_run.style, any_run.attributes]
    return [*written, *(any_run.doubt(name) for name in names)]


def _composites(p: Any, layout: Layout) -> list[Path]:
    likely = [CubeLayout(layout.cube).probabilities(DATES)] if p.mask == "csmask" else []
    monthly = [layout.monthly("*")] if p.composite_monthly else []
    spread = [layout.dispersion] if p.composite == "geomedian" else []
    return [layout.image(DATES), *likely, layout.composite, *spread, *monthly]


_Table = dict[str, tuple[Callable[[Any, Layout], list[Path]], Callable[[Any, Layout], list[Path]]]]
_TABLE: _Table = {
    "01_download": (lambda p, at: [], lambda p, at: [at.catalog]),
    "02_preprocess": (lambda p, at: [at.catalog], _composites),
    "03_visualize": (
        lambda p, at: [at.catalog, at.image("*")],
        lambda p, at: [at.figure(name) for name in ("bands", "composites", "histograms")],
    ),
    "04_features": (
        lambda p, at: [
            *(at.composite, at.catalog, *([at.image(DATES)] if p.time_layers else [])),
            *([at.dispersion] if at.dispersion.exists() else []),
        ],
        _features,
    ),
    "05_samples": (lambda p, at: [] if p.is_table else [at.catalog, at.stack], _sampled),
    "06_baselines": (
        lambda p, at: (
            [at.samples, at.classes] if at.tabular else [at.stack, *(_labels(at) if _is_judged(p, at) else [])]
        ),
        lambda p, at: [*_maps(p, at), *([] if p.trained else [at.run(p.run).model])],
    ),
    "07_fcn": (
        lambda p, at: [at.stack, *(_labels(at) if _is_judged(p, at) else [])],
        lambda p, at: [*_maps(p, at), *([] if p.trained else [at.run(p.run).network("*")])],
    ),
    "08_lstm": (
        lambda p, at: [
            *(at.stack, *(_labels(at) if _is_judged(p, at) else []), at.image(DATES)),
            *((at.run(p.fcn).network("*"), at.run(p.fcn).about) if p.starts_from_fcn and not p.trained else ()),
        ],
        lambda p, at: [*_maps(p, at), *([] if p.trained else [at.run(p.run).network("*")])],
    ),
    "09_evaluate": (_judged, _report),
}


def of_users(p: params.Parameters, layout: Layout) -> list[Path]:
    """Return the files outside the study's folder that a step reads: the user's own, with what belongs to them."""
    found = [file for path in _named(p, layout) for file in (*companions(path), *_chunks(path, p))]
    if isinstance(p, params.Evaluate) and p.compare_with:
        found += other_map(p.compare_with, layout)  # not its style, which 09 itself writes
    return found


def _chunks(path: Path, p: params.Parameters) -> list[Path]:
    """Return the files of a Zarr store of the user's; of a product, which 02 meets, the metadata counts."""
    own = isinstance(p, params.Download | params.Features) and path.suffix.lower() == ".zarr"
    return sorted(f for f in path.rglob("*") if f.is_file()) if own else []


def _named(p: params.Parameters, layout: Layout) -> list[Path]:
    if isinstance(p, params.Download):
        return [files.on_disk(files.locate(name)) for name in _of_download(p) if name]
    if isinstance(p, params.Evaluate):
        return _of_evaluation(p, layout)
    own = [*_of_labels(p), *_of_gap(p)] if isinstance(p, params.Samples) else []
    if isinstance(p, params.Samples) and "reference" not in _label_files(p):
        return own
    if not isinstance(p, params.Preprocess | params.Features | params.Samples) or not layout.catalog.exists():
        return []
    scenes, ancillary = catalog.files_of(layout.catalog)
    if isinstance(p, params.Preprocess):
        return scenes
    roles = ["reference"] if isinstance(p, params.Samples) else ["dem", "roads"]
    found = own + [f for role in roles for f in ancillary.get(role, [])]
    if isinstance(p, params.Features):
        found += [f for entry in p.external for f in files.find(entry.file)]
    return found


def _of_evaluation(p: params.Evaluate, layout: Layout) -> list[Path]:
    named = [reference.file for reference in p.references]
    own = [*named, p.interpreted, p.change_interpreted]
    found = [files.locate(name) for name in own if name and name != "reference"]
    if "reference" in named and layout.catalog.exists():
        found += catalog.files_of(layout.catalog)[1].get("reference", [])
    return found


def other_map(name: str, layout: Layout) -> tuple[Path, Path]:
    """Return the class map and the classes that ``STUDY/RUN`` names, beside the study that asks."""
    study, run = name.split("/")
    there = Layout(layout.folder.parent / study)
    return there.run(run).map, there.classes


def networks(p: params.Parameters) -> list[Path]:
    """Return the parameter files of the networks that are in a study's plan."""
    return _files_of_runs(p, "0[78]_*.yaml")


def _files_of_runs(p: params.Parameters, pattern: str) -> list[Path]:
    return sorted((files.project_folder() / "params" / p.study).glob(pattern))


def known_runs(p: params.Parameters, layout: Layout) -> list[str]:
    """Return the runs that a study may have: those that are there, and those with a file of parameters."""
    return sorted({*layout.runs(), *(path.stem[3:] for path in _files_of_runs(p, "0[678]_*.yaml"))})


def _of_gap(p: params.Samples) -> list[Path]:
    return networks(p) if p.gap is None else []  # their reach decides


def _label_files(p: params.Samples) -> list[str]:
    return (
        [p.labels] if isinstance(p.labels, str) else list(p.labels.values() if isinstance(p.labels, dict) else p.labels)
    )


def _of_labels(p: params.Samples) -> list[Path]:
    of_scheme = p.scheme if p.scheme and Path(p.scheme).suffix else None
    named = [*_label_files(p), p.validation, of_scheme]
    return [files.locate(name) for name in named if name and name != "reference"]


def _of_download(p: params.Download) -> list[str | None]:
    named: list[str | None] = [name for role, name in p.beside.items() if name not in FETCHED[role]]
    named.append(p.area_file)
    if p.vintage is not None and p.vintage.bing:
        named += map(str, files.find(p.vintage.bing))
    if p.cart is not None:
        named.append(p.cart)
    if p.products is not None:
        folder = files.resolve(p.products)
        named += [str(f) for f in [*sorted(folder.rglob("MTD_*.xml")), *sorted(folder.glob("[!.]*.zip"))]]
        # Of EOPF Zarr the metadata; the chunks are too many.
        named += [str(f) for pattern in ("*.zarr/zarr.json", "*.zarr/.z*") for f in sorted(folder.glob(pattern))]
    for scene in p.scenes:
        named += [scene.file, scene.scl, scene.mask, *(scene.bands or {}).values()]
    return named


def missing(path: Path, p: params.Parameters, layout: Layout) -> LulcError:
    """Return the error that says which notebook writes a file that a step needs."""
    return LulcError(
        f"{p.step} needs {layout.folder.name}/{path.relative_to(layout.folder).as_posix()}, which is not there. "
        f"Run {writer(path, layout)} first (or all in order: lulc run {p.study})."
    )
