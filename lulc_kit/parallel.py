"""Steps at once that do not need each other, each in a process of its own: many of them keep one core busy at most."""

from __future__ import annotations

import contextlib
import fnmatch
import graphlib
import io
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import IO

from lulc_kit import environment, lock, params, parent, run, study
from lulc_kit import steps as traffic
from lulc_kit.errors import LulcError
from lulc_kit.run import Planned


class Named(io.TextIOBase):
    """A stream that puts a name before every line, so that lines of several steps can be told apart."""

    def __init__(self, stream: IO[str], name: str) -> None:
        self.stream, self.name, self.rest = stream, name, ""

    def write(self, text: str) -> int:
        """Write what is whole lines, empty ones aside, and keep the rest until its line is whole."""
        *lines, self.rest = (self.rest + text).split("\n")
        self.stream.write("".join(f"{self.name}: {line}\n" for line in lines if line.strip()))
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        self.stream.flush()


def needs(steps: Sequence[Planned]) -> dict[int, set[int]]:
    """Return which steps of a plan each step has to wait for, by their places in it.

    A step waits for those before it that write what it reads, of other studies, too; evaluation for all of its study.
    """
    found: dict[int, set[int]] = {}
    for i, (p, reads) in enumerate((s.parameters, _reads(s.parameters)) for s in steps):
        found[i] = {
            j
            for j, earlier in enumerate(s.parameters for s in steps[:i])
            if (isinstance(p, params.Evaluate) and earlier.study == p.study)
            or any(_same(r, w) for r in reads for w in traffic.writes(earlier, study.Study(earlier).layout))
        }
    return found


def _reads(p: params.Parameters) -> list[Path]:
    layout = study.Study(p).layout
    return [*traffic.reads(p, layout), *traffic.borrows(p, layout), *traffic.of_users(p, layout)]


def _same(one: Path, other: Path) -> bool:
    """Whether two paths, of which the names may be patterns, may be those of one file."""
    return one.parent == other.parent and (
        fnmatch.fnmatchcase(one.name, other.name) or fnmatch.fnmatchcase(other.name, one.name)
    )


def run_steps(steps: Sequence[Planned], jobs: int, *, force: bool = False, say: Callable[[str], None] = print) -> None:
    """Run steps, as many at once as there are jobs; those up to date are skipped.

    Parameters
    ----------
    steps
        From `run.plan`, of one or more studies.
    jobs
        Steps at once; with 1 all is done in this process, one after the other.
    force
        Run them even if they are up to date.
    say
        Told what happens to a study; what steps say goes to standard output, each line with the step's name.

    Raises
    ------
    LulcError
        When nothing is left that can run: all that failed. What does not need a step that failed is run nevertheless.
    """
    if jobs == 1:
        run.run(steps, force=force, say=say)
        return
    failed: list[str] = []
    order = graphlib.TopologicalSorter(needs(steps))
    order.prepare()
    running: dict[Future[None], int] = {}
    with contextlib.ExitStack() as stack:
        for layout in {s.parameters.study: study.Study(s.parameters).layout for s in steps}.values():
            stack.enter_context(lock.hold(layout))
        # Not forked: a fork would have the locks of threads that it does not have.
        spawn = multiprocessing.get_context("spawn")
        pool = stack.enter_context(ProcessPoolExecutor(jobs, mp_context=spawn, initializer=parent.watch))
        while order.is_active():
            running |= {pool.submit(_run_one, steps[i], force): i for i in sorted(order.get_ready())}
            if not running:
                break  # all that is left needs a step that failed
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                i = running.pop(future)
                try:
                    future.result()
                    order.done(i)
                except LulcError as error:
                    failed.append(str(error))
                except BrokenProcessPool:
                    failed.append(
                        f"{steps[i].parameters.study} {steps[i].step} ended: a process died, most often for lack of "
                        f"memory. Run the same command again, with fewer --jobs."
                    )
    if failed:
        raise LulcError("\n".join(dict.fromkeys(failed)))


def _run_one(planned: Planned, force: bool) -> None:
    p, out = planned.parameters, sys.stdout
    held = {lock.HELD: str(study.Study(p).folder)}
    with environment.change(held), contextlib.redirect_stdout(Named(out, f"{p.study} {planned.step}")):
        run.run([planned], force=force, say=lambda line: print(line, file=out, flush=True))
