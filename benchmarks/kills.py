"""Killing `lulc run` again and again, without warning: does it end with what an undisturbed run ends with?

    python -m benchmarks.kills [--n 27] [--seed 1]

The tiny study of the tests (all nine notebooks). It runs; at a random moment the whole process group, the parent alone,
or a kernel alone is killed; the same command goes on from there and is killed again, until it reaches its end. Then
every file that a study is for (catalog, cube, features, samples, models, maps, report) has to have the bytes of the
undisturbed run, and nothing may be left half written. The outputs are removed and it all begins anew, until so many
kills are done. If an end is not as it should be, none of the kills before it counts as survived.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks import report
from tests import kills, scene

STUDY = "outputs/tiny"
PART = 0.4  # of an undisturbed run: after so much of it at most it is killed


def leftovers(study: Path) -> list[str]:
    """Return files that a process writes beside their place, and that nobody has renamed or removed."""
    return [str(path.relative_to(study)) for path in study.rglob("*") if path.name.startswith(".") and path.is_file()]


def difference(study: Path, expected: dict[str, str]) -> list[str]:
    """Return the files of a study that are not what they should be."""
    found = kills.results(study)
    return sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)) + leftovers(study)


def reached(project: Path) -> str:
    """Return the first step that is not finished."""
    plan = sorted(path.stem for path in (project / "params/tiny").glob("*.yaml"))
    return next((step for step in plan if not (project / STUDY / f"steps/{step}.json").exists()), "the end")


def finished(project: Path, arguments: list[str]) -> float:
    """Run ``lulc`` to its end and return how many seconds it took; an AssertionError says what went wrong."""
    started = time.monotonic()
    said = scene.lulc(project, *arguments)
    assert said.returncode == 0, said.stdout + said.stderr
    return time.monotonic() - started


def publish(rows: list[list[object]], expected: int, whole: float) -> None:
    """Write what was survived so far, so that a run that is cut off leaves what it has seen."""
    survived, ways = sum(row[-1] == "yes" for row in rows), Counter(row[0] for row in rows)
    report.publish(
        "kills",
        f"{len(rows)} kills ({', '.join(f'{ways[how]} × {how}' for how in kills.HOW)}), {survived} survived with the "
        f"{expected} files of an undisturbed run ({whole:.0f} s)",
        ["killed", "after s", "in", "survived"],
        rows,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=27)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    command = ["run", "tiny"]
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = scene.write_data(Path(folder) / "data")
        project = scene.make_project(Path(folder) / "project", scene.parameters(data))
        whole = finished(project, command)
        expected = kills.results(project / STUDY)
        print(f"undisturbed: {whole:.0f} s, {len(expected)} files", flush=True)
        while len(rows) < options.n:
            shutil.rmtree(project / STUDY)
            struck: list[list[object]] = []
            while len(rows) + len(struck) < options.n:
                how, after = chance.choice(list(kills.HOW)), chance.uniform(0, PART * whole)
                if not kills.strike(project, command, how, after):
                    break  # it had reached its end
                struck.append([how, round(after), reached(project)])
                print(*struck[-1], flush=True)
            try:
                finished(project, command)
                wrong = difference(project / STUDY, expected)
            except AssertionError as error:
                wrong = [str(error)[-500:]]
            print(f"the end: {'; '.join(wrong[:5]) or 'as undisturbed'}", flush=True)
            rows += [[*row, "no" if wrong else "yes"] for row in struck]
            publish(rows, len(expected), whole)
    return 0 if all(row[-1] == "yes" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
