"""Loading Keras and TensorFlow tells the reader nothing, and takes nothing from what comes after."""

import subprocess
import sys


def test_only_what_comes_after_is_on_standard_error() -> None:
    code = "import lulc_kit.deep.networks, os, sys; os.write(2, b'file '); sys.stderr.write('stream')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "file stream")
