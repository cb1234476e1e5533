"""A stand-in that says and does what Sen2Cor is documented to, and Level-1C products without pixels for it."""

import stat
import sys

STAND_IN = r'''#!{python}
"""Says and does what Sen2Cor {version} is documented to; behaviour.txt tells how it goes on."""
import argparse, html, os, re, subprocess, sys, time
from pathlib import Path

processor = ("Sentinel-2 Level 2A Processor (Sen2Cor). Version: {version}, created: 2018.03.19, "
             "supporting Level-1C product version {formats}")
parser = argparse.ArgumentParser(description=processor + ".")
parser.add_argument("input_dir")
parser.add_argument("--resolution", type=int, choices=[10, 20, 60])
if {output_dir}:
    parser.add_argument("--output_dir")
parser.add_argument("--GIP_L2A")
args = parser.parse_args()

def say(text):
    print(text, flush=True)

def progress(percent, what):
    times = "elapsed time[s]: 0.1, total: 0:00:01.0"
    say(f"Progress[%]: {{percent:.2f}} : PID-{{os.getpid()}}, {{what}}, {{times}}")

def fail():
    say("Progress[%]: 100.00 : Application terminated with at least one error.\n")
    sys.exit(1)

source = Path(args.input_dir)
behaviour = (source / "behaviour.txt").read_text()
say(processor + " started ...")
if behaviour == "old format" and {output_dir}:
    say("[CRITICAL]  Product metadata file cannot be read.")
    fail()
strips = list((source / "DATASTRIP").glob("*"))
needed = [source / "AUX_DATA", source / "HTML", *(strip / "QI_DATA" for strip in strips)]
if not all(path.is_dir() for path in needed):
    say("[CRITICAL]  L2A_Config: 3181   Error in creating L2A User Product")
    fail()
target = source.parent
if getattr(args, "output_dir", None):
    target = Path(args.output_dir)
elif args.GIP_L2A:
    setting = re.search("<Target_Directory>(.*)</Target_Directory>", Path(args.GIP_L2A).read_text())[1]
    setting = html.unescape(setting)
    target = target if setting == "DEFAULT" else Path(setting)
(source / "MTD_MSIL1C.xml").write_text("scribbled over")  # must never reach the user's product
(source / "left.h5").write_text("temporary")
name = re.sub("MSIL1C", "MSIL2A", re.sub(r"_N\d{{4}}_", "_N9999_", source.name))
images = target / name / "GRANULE" / "L2A_T33UUU" / "IMG_DATA"
files = []
for percent, resolution in ((30, 60), (60, 20), (90, 10)):
    progress(percent, f"L2A_AtmCorr: resolution {{resolution}}")
    (images / f"R{{resolution}}m").mkdir(parents=True)
    for band in ("B02", "SCL") if resolution != 10 else ("B02",):
        file = images / f"R{{resolution}}m" / f"T33UUU_{{band}}_{{resolution}}m.jp2"
        file.write_bytes(b"pixels")
        files.append(file.relative_to(target / name).with_suffix(""))
    if resolution == 20 and behaviour == "hang":
        sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
        child = subprocess.Popen(sleeper, start_new_session=True)
        say(f"child {{child.pid}}")
        time.sleep(600)
    if resolution == 20 and behaviour == "crash":
        raise MemoryError
    if resolution == 20 and behaviour == "killed":
        os.kill(os.getpid(), 9)
if behaviour == "partial":
    (target / name / f"{{files[-1]}}.jp2").unlink()
listed = "".join(f"<IMAGE_FILE>{{file}}</IMAGE_FILE>" for file in files)
(target / name / "MTD_MSIL2A.xml").write_text(f"<n1:x xmlns:n1='https://psd-14'>{{listed}}</n1:x>")
if behaviour == "error":
    say("IOError: [Errno 28] No space left on device")
    fail()
say("Progress[%]: 100.00 : Application terminated successfully.\n")
sys.exit({status})
'''

FORMATS = {"2.5.5": "<= 14.5", "2.8.0": "14.2 - 14.5", "02.11.00": "14.2 - 14.9", "03.03.01": "15.0"}


def install(folder, version):
    """Put a stand-in where an installer would."""
    program = folder / f"Sen2Cor-{version}-Linux64" / "bin" / "L2A_Process"
    program.parent.mkdir(parents=True)
    old = version == "2.5.5"
    program.write_text(
        STAND_IN.format(
            python=sys.executable,
            version=version,
            formats=FORMATS[version],
            output_dir=not old,
            status=int(old),
        )
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def make_product(folder, *, tile="T33UUU", baseline="02.06", psd=14, behaviour="fine", folders=False):
    """A Level-1C product without pixels, and without the empty folders unless asked for."""
    product = folder / f"S2A_MSIL1C_20180101T105441_N{baseline.replace('.', '')}_R051_{tile}_20180101T124911.SAFE"
    images = product / "GRANULE" / f"L1C_{tile}_A013204_20180101T105435" / "IMG_DATA"
    images.mkdir(parents=True)
    for band in (*(f"B{number:02d}" for number in range(1, 13)), "B8A"):
        (images / f"{tile}_20180101T105441_{band}.jp2").write_bytes(b"pixels")
    (product / "DATASTRIP" / "DS_1").mkdir(parents=True)
    (product / "DATASTRIP" / "DS_1" / "MTD_DS.xml").write_text("<x/>")
    (product / "behaviour.txt").write_text(behaviour)
    (product / "MTD_MSIL1C.xml").write_text(
        f'<n1:Level-1C_User_Product xmlns:n1="https://psd-{psd}.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd">'
        f"<n1:General_Info><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></n1:General_Info>"
        "</n1:Level-1C_User_Product>"
    )
    if folders:
        (product / "AUX_DATA").mkdir()
        (product / "HTML").mkdir()
    return product
