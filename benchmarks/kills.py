"""Killing `lulc run` again and again, without warning: does the next run end with what an undisturbed one ends with?

    python -m benchmarks.kills [--n 27] [--seed 1]

The tiny study of the tests (all nine notebooks). Each time its outputs are removed, it runs, and at a random moment the
whole process group, the parent alone, or a kernel alone is killed. It survives if the same command then ends well,
every file that a study is for (catalog, cube, features, samples, models, maps, report) has the bytes of the undisturbed
run, and nothing is left half written. About two minutes a kill.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests import kills, scene

STUDY = "outputs/tiny"


def leftovers(study: Path) -> list[str]:
    """Return files that a process writes beside their place, and that nobody has renamed or removed."""
    return [str(path.relative_to(study)) for path in study.rglob("*") if path.name.startswith(".") and path.is_file()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=27)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        data = scene.write_data(Path(folder) / "data")
        project = scene.make_project(Path(folder) / "project", scene.parameters(data))
        whole = kills.timed(project, ["run", "tiny"])
        expected = kills.results(project / STUDY)
        print(f"undisturbed: {whole:.0f} s, {len(expected)} files", flush=True)
        for number in range(1, options.n + 1):
            how, after = chance.choice(list(kills.HOW)), chance.uniform(0, whole)
            shutil.rmtree(project / STUDY)
            hit = kills.strike(project, ["run", "tiny"], how, after)
            try:
                kills.timed(project, ["run", "tiny"])
                found = kills.results(project / STUDY)
                wrong = sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n))
                wrong += leftovers(project / STUDY)
            except AssertionError as error:
                wrong = [str(error)[-500:]]
            survived += not wrong
            moment = f"after {after:.0f} s" if hit else "too late"
            print(f"{number}: {how} {moment}: {'; '.join(wrong[:5]) or 'survived'}", flush=True)
    print(f"kills {options.n}, survived {survived}")
    return 0 if survived == options.n else 1


if __name__ == "__main__":
    sys.exit(main())
