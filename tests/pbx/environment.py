"""Makes a virtual environment, also where Debian's Python came without ensurepip (the package python3-venv).

It needs no root and no package of the host: the missing pip is taken from Debian's archive, checked by apt.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

if __package__:
    from tests.pbx.prepare import PBX, Apt, CannotPrepare, unpack
else:
    # The Makefile runs this file before anything is installed.
    from prepare import PBX, Apt, CannotPrepare, unpack

SUITE = "trixie"
PACKAGE = "python3-pip-whl"
WHEELS = Path("usr/share/python-wheels")


def main(arguments: list[str]) -> int:
    """Make the environment named on the command line; 0 when it is there, 1 with a sentence when it cannot be."""
    try:
        make(Path(arguments[0]))
    except CannotPrepare as reason:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        mend = f"install python{version}-venv with apt and run make again"
        print(f"error: this Python {version} has no ensurepip, and no pip could be fetched; {mend}", file=sys.stderr)
        print(f"       {reason}", file=sys.stderr)
        return 1
    return 0


def make(folder: Path, *, wheel: Path | None = None) -> None:
    """Make a virtual environment of this very Python in ``folder``, with pip from ``wheel`` if that is given.

    Raises CannotPrepare when pip cannot be had.
    """
    if wheel is None and importlib.util.find_spec("ensurepip") is not None:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], check=True)
    wheel = wheel or pip_wheel()
    # A wheel is a zip: pip can be run from inside it, to install itself.
    command = [folder / "bin" / "python", f"{wheel}/pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(command, check=True)


def pip_wheel(host: Path = Path("/")) -> Path:
    """Return a wheel of pip: the host's own, or one fetched without root; raises CannotPrepare."""
    own = sorted((host / WHEELS).glob("pip-*.whl"))
    if own:
        return own[-1]
    work = PBX.parent / ".cache" / "pip"
    apt = Apt(work / "apt", SUITE)
    apt.run("update")
    before = Path.cwd()
    os.chdir(work)
    try:
        apt.run("download", PACKAGE)
    finally:
        os.chdir(before)
    unpack(max(work.glob(f"{PACKAGE}_*.deb")), work / "root")
    return max((work / "root" / WHEELS).glob("pip-*.whl"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
