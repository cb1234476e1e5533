"""Run the benchmarks one after the other, each in a process of its own.

python -m benchmarks              all
python -m benchmarks texture pca  some
"""

import subprocess
import sys
from pathlib import Path

KNOWN = sorted(p.stem for p in Path(__file__).parent.glob("[a-z]*.py") if p.stem != "report")


def main() -> int:
    names = sys.argv[1:] or KNOWN
    unknown = [n for n in names if n not in KNOWN]
    if unknown:
        print(f"No benchmark {', '.join(unknown)}. There are: {', '.join(KNOWN)}.", file=sys.stderr)
        return 2
    codes = []
    for name in names:
        print(f"== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
