"""The command ``lulc``. Libraries are imported when a command needs them, so that ``lulc --help`` is quick."""

from pathlib import Path
from typing import Annotated

import typer

from lulc_kit.errors import LulcError

app = typer.Typer(
    help="From Sentinel-2 images to land-cover maps whose accuracy one can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _fail(error: LulcError) -> typer.Exit:
    typer.secho(f"lulc: {error}", fg="red", err=True)
    return typer.Exit(1)


@app.command("run")
def run_(
    studies: Annotated[list[str], typer.Argument(help="Names under params/, or paths of parameter folders.")],
    start: Annotated[str | None, typer.Option("--from", help="Begin at this notebook (NN or NN_name).")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Run only this step (NN_name); repeatable.")] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="STUDY/NN_NAME", help="Leave this step out; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run steps even if they are up to date.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NN_NAME.KEY=VALUE", help="Replace a parameter; repeatable."),
    ] = None,
    outputs: Annotated[str | None, typer.Option("--outputs", help="Folder of all results.")] = None,
    scheduler: Annotated[str | None, typer.Option("--scheduler", help="Compute on this dask cluster.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Start so many local workers.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Run so many steps at once.")] = 1,
) -> None:
    """Run studies through their notebooks, going on where an earlier run stopped.

    A study with a table of areas (areas.csv or areas.gpkg beside its parameter files) is a region: each area goes
    through the steps by itself, as many at once as there are workers, and their maps are joined.
    All parameter files are checked first. Exit code: 0 if every step is done, 1 if one failed, 2 for wrong usage.
    """
    from lulc_kit import parallel, run, study
    from lulc_kit.region import regions

    try:
        given = run.parse_settings(settings or [])
        plans = [run.plan(name, given, outputs) for name in studies]
        left_out = run.parse_left_out(without or [], plans)
        chosen, of_areas = [], []
        for name, steps in zip(studies, plans, strict=True):
            wanted = run.select(steps, only or [], start, left_out[steps[0].parameters.study])
            items = regions.items_of(name, steps, [s.step for s in wanted])
            if items is None:
                chosen += wanted
            else:
                of_areas.append((study.Study(steps[0].parameters), items))
        regional = {region.name for region, _ in of_areas}
        for steps in plans:
            if steps[0].parameters.study not in regional:
                run.announce(steps)
        with run.fork_kernels(len(chosen) + sum(len(item.steps) for _, items in of_areas for item in items)):
            if chosen:
                with run.cluster(scheduler, workers):
                    parallel.run_steps(chosen, jobs, force=force, say=typer.echo)
            for region, items in of_areas:
                regions.execute(region, items, scheduler=scheduler, workers=workers, force=force, say=typer.echo)
        pages, rows = run.results([s for steps in plans for s in steps])
    except LulcError as error:
        raise _fail(error) from None
    if rows:
        import pandas as pd

        table = pd.DataFrame([vars(r) for r in rows])
        table.columns = ["study", "run", "macro-F1 (95 %)", "overall accuracy (95 %)", "test pixels"]
        typer.echo()
        typer.echo(table.to_string(index=False))
        typer.echo()
        for page in pages:
            typer.echo(f"report: {page}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name under params/, or path of a parameter folder.")],
    outputs: Annotated[str | None, typer.Option("--outputs", help="Folder of all results.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all files anew, also those whose size and time did not change.")
    ] = False,
) -> None:
    """Print what each step of a study wrote, when, and whether it is up to date."""
    from lulc_kit import run, study
    from lulc_kit.region import regions

    try:
        steps = run.plan(name, outputs=outputs)
        items = regions.items_of(name, steps, [s.step for s in steps])
        for item in items or []:
            states = {s.step: item.study.outdated(s.parameters, verify=verify) for s in item.steps}
            late = [f"{step} ({reason})" for step, reason in states.items() if reason is not None]
            typer.secho(f"{item.area}: {', '.join(late) or 'up to date'}", fg="yellow" if late else "green")
        for planned in steps if items is None else []:
            home = study.Study(planned.parameters)
            reason, record = home.outdated(planned.parameters, verify=verify), home.record(planned.step)
            state = "up to date" if reason is None else reason
            when = (
                f", {record.started[:19]} UTC, {record.duration_s:.0f} s, {record.peak_memory_mb:.0f} MB"
                if record
                else ""
            )
            typer.secho(f"{planned.step}: {state}{when}", fg="green" if reason is None else "yellow")
            for file in record.outputs if record else []:
                typer.echo(f"    {file.path}  ({file.size / 1e6:.3f} MB)")
        typer.echo(f"in {study.Study(steps[0].parameters).folder}")
    except LulcError as error:
        raise _fail(error) from None


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="Name under params/, or path of a parameter folder.")],
    outputs: Annotated[str | None, typer.Option("--outputs", help="Folder of all results.")] = None,
) -> None:
    """Make the report page of a study again from the numbers and pictures that 09 left, without computing anything."""
    from lulc_kit import lock, run, study
    from lulc_kit.evaluate import results

    try:
        layout = study.Study(run.plan(name, outputs=outputs)[-1].parameters).layout
        with lock.hold(layout):
            results.write_page(layout)
    except LulcError as error:
        raise _fail(error) from None
    typer.echo(f"report: {layout.report}")


@app.command()
def compare(
    names: Annotated[list[str], typer.Argument(help="Names under params/, or paths of parameter folders.")],
    outputs: Annotated[str | None, typer.Option("--outputs", help="Folder of all results.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="The page; default compare.html in that folder.")] = None,
) -> None:
    """Put the reports of several studies side by side on one page: numbers, classes, maps."""
    from lulc_kit import run, study
    from lulc_kit.evaluate import compare as comparison

    try:
        studies = [study.Study(run.plan(name, outputs=outputs)[-1].parameters) for name in names]
        target = to or studies[0].folder.parent / "compare.html"
        comparison.write({home.name: home.layout for home in studies}, target)
    except LulcError as error:
        raise _fail(error) from None
    typer.echo(f"comparison: {target}")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Name under params/, or path of a parameter folder.")],
    outputs: Annotated[str | None, typer.Option("--outputs", help="Folder of all results.")] = None,
) -> None:
    """Run 01_download of a study alone; what is there already is not fetched again."""
    from lulc_kit import run

    try:
        steps = run.plan(name, outputs=outputs)[:1]
        run.announce(steps)
        run.run(steps, say=typer.echo)
    except LulcError as error:
        raise _fail(error) from None


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of your study.")],
    like: Annotated[str | None, typer.Option("--like", help="Copy the parameters of this study.")] = None,
    area: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option("--area", metavar="LEFT BOTTOM RIGHT TOP", help="Fetch scenes of this area, degrees."),
    ] = None,
    dates: Annotated[
        tuple[str, str] | None, typer.Option("--dates", metavar="FIRST LAST", help="Of these days, YYYY-MM-DD.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Labels for them: a file of yours, or esri or worldcover.")
    ] = None,
    apply: Annotated[
        str | None,
        typer.Option("--apply", metavar="STUDY[/RUN]", help="Map with the models that were trained in this study."),
    ] = None,
) -> None:
    """Start a study of your own: a folder of commented parameter files under params/.

    With --area and --dates it downloads, preprocesses and shows; with --reference it goes on to maps and a report.
    With --apply nothing is trained: the models of another study map this one.
    """
    from lulc_kit import scaffold

    try:
        folder = scaffold.new(name, like, area, dates, reference, apply)
    except LulcError as error:
        raise _fail(error) from None
    typer.echo(f"Made {folder}:")
    for path in sorted(folder.iterdir()):
        typer.echo(f"    {path.name}")
    if apply is not None:
        where = "" if area else f"Edit {folder.name}/01_download.yaml first: the scenes are still those of {apply}. "
        typer.echo(f"{where}When {apply} has run: lulc run {name}")
    elif area is None:
        typer.echo(
            f"Edit {folder.name}/01_download.yaml (images) and 05_samples.yaml (labels) first; with other bands or "
            f"masks, 'mask' in 02, 'composites' in 03 and 'bands' in 04. Then: lulc run {name}"
        )
    else:
        typer.echo(f"Then: lulc run {name}")
        if reference is None:
            typer.echo(
                "It ends with pictures. For a map it needs labels: draw polygons over them, or take a reference map "
                "(what it is worth: docs/download.md), and start a study with --reference FILE, esri or worldcover."
            )


@app.command()
def sample(
    names: Annotated[list[str] | None, typer.Argument(help="havelland, romania; default both.")] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="Folder to keep them in.")] = None,
) -> None:
    """Fetch the real samples into the cache, so that studies run without a network later."""
    from lulc_kit.download import sample

    try:
        for name in names or list(sample.SAMPLES):
            typer.echo(f"{name}: {sample.fetch(name, cache)}")
    except LulcError as error:
        raise _fail(error) from None


@app.command()
def doctor() -> None:
    """Check the installation: packages, raster formats, the notebooks' kernel, memory and disk."""
    from lulc_kit import checkup

    findings = checkup.examine()
    for finding in findings:
        typer.secho(f"{'ok ' if finding.good else 'BAD'}  {finding.what}", fg="green" if finding.good else "red")
        if not finding.good:
            typer.echo(f"     {finding.remedy}")
    if not all(f.good for f in findings):
        raise typer.Exit(1)
