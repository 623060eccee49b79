"""Builds .pbx/: a private Asterisk, SIPp, espeak-ng, sox and age from Debian's archive, without root.

Nothing outside .pbx/ is changed and no maintainer script runs: packages are downloaded and checked by apt, unpacked
beside the host's own libraries, and started through their own loader.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PBX = ROOT / ".pbx"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Raise it when what is made of the same packages changes; a world is built anew when this or its own entry changes.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class World:
    """The packages of one suite, unpacked into one folder, and the programs of it that get a command."""

    suite: str
    packages: tuple[str, ...]
    programs: Mapping[str, str]
    """The name of the file by command."""
    megabytes: int
    """What is downloaded, about."""
    wanted: bool = True
    """Whether it is built when no world is named."""


WORLDS = {
    "root": World(
        "forky",
        # The last two hold test vectors: of the age format, and of the primitives below it.
        tuple(
            "asterisk asterisk-core-sounds-en-wav sip-tester espeak-ng sox age "
            "golang-github-c2sp-cctv-dev golang-github-c2sp-wycheproof-dev".split()
        ),
        {name: name for name in ("asterisk", "sipp", "espeak-ng", "sox", "age", "age-keygen")},
        120,
    ),
    "root-age-1.1": World("bookworm", ("age",), {"age-1.1": "age", "age-keygen-1.1": "age-keygen"}, 10),
    # Looks at pages as a person's browser does: headless, and with a font to measure with.
    "root-browser": World(
        "bookworm", ("chromium-headless-shell", "fonts-dejavu-core"), {"chromium": "chromium-headless-shell"}, 110
    ),
    "root-16": World(
        "bullseye", ("asterisk", "asterisk-core-sounds-en-wav"), {"asterisk-16": "asterisk"}, 86, wanted=False
    ),
}
VERSION_FLAGS = {"asterisk": "-V", "asterisk-16": "-V", "sipp": "-v"}
WRAPPER = """\
#!/bin/sh
# Starts {program} of the private copy with the copy's own loader and libraries.
here=$(dirname "$(readlink -f "$0")")
root=$here/../{world}
export ESPEAK_DATA_PATH="$root/{triplet_lib}" FONTCONFIG_FILE="$root/fonts.conf"
exec "$root/{loader}" --library-path "{library_path}" "$root/{program}" "$@"
"""


FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">usr/share/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
"""


class CannotPrepare(Exception):
    """Says what is missing on this machine and what to install."""


def main(names: Sequence[str] = ()) -> int:
    """Prepare the named worlds, or the ordinary ones, and print what they hold; 1 with a sentence if it cannot be."""
    names = names or [name for name, world in WORLDS.items() if world.wanted]
    try:
        unknown = [name for name in names if name not in WORLDS]
        if unknown:
            raise CannotPrepare(f"no such world: {', '.join(unknown)}; there are {', '.join(WORLDS)}")
        prepare(names)
    except CannotPrepare as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    for name in names:
        print(stamp(name).read_text().partition("\n")[2], end="")
    return 0


def prepare(names: Sequence[str]) -> None:
    """Build each world unless the same recipe built it before; raises CannotPrepare."""
    if all(is_ready(name) for name in names):
        return
    PBX.mkdir(exist_ok=True)
    with (PBX / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another run may have built some while this one waited.
        absent = [name for name in names if not is_ready(name)]
        if absent:
            size = sum(WORLDS[name].megabytes for name in absent)
            say(f"preparing {', '.join(absent)} in .pbx/ (once; some {size} MB are downloaded)")
            for number, name in enumerate(absent, 1):
                build(name, f"[{number}/{len(absent)}]")
            say("ready")


def is_ready(name: str) -> bool:
    """Return whether a world was built, whole, by its present recipe."""
    return stamp(name).is_file() and stamp(name).read_text().splitlines()[:1] == [recipe(name)]


def stamp(name: str) -> Path:
    """Return the file that is written when a world is whole: its recipe, then one line per program."""
    return PBX / f"{name}.ready"


def build(name: str, step: str) -> None:
    """Build one world; what an interrupted run downloaded is used again."""
    host = host_asterisk()
    stamp(name).unlink(missing_ok=True)
    unpack_world(name, step)
    write_wrappers(name, host)
    whole = stamp(name).with_suffix(".new")
    whole.write_text("".join(f"{line}\n" for line in (recipe(name), *versions(name, host))))
    whole.rename(stamp(name))


def recipe(name: str) -> str:
    """Return the hash of all that decides what a world holds: its entry, the machine's kind, the host's own PBX."""
    world = WORLDS[name]
    own = {command: path for command, path in host_asterisk().items() if command in world.programs}
    parts = (FORMAT, world.suite, world.packages, sorted(world.programs.items()), os.uname().machine, own)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def host_asterisk() -> dict[str, str]:
    """Return the host's own asterisk and sipp by command, if both are on PATH and Asterisk is 18 or newer."""
    outside = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if ".pbx" not in p)
    found = {name: shutil.which(name, path=outside + ":/usr/sbin") for name in ("asterisk", "sipp")}
    if found["asterisk"] is None or found["sipp"] is None:
        return {}
    said = subprocess.run([found["asterisk"], "-V"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"(\d+)\.", said)
    if version is None or int(version[1]) < 18:
        return {}
    return {name: path for name, path in found.items() if path is not None}


def unpack_world(name: str, step: str) -> None:
    """Download the packages of one world and unpack them into .pbx/<name>, whole or not at all."""
    suite, packages = WORLDS[name].suite, WORLDS[name].packages
    apt = Apt(PBX / "apt" / suite, suite)
    say(f"{step} reading Debian {suite}'s package lists")
    apt.run("update")
    wanted = archives_of(apt.run("install", "--simulate", *packages))
    say(f"{step} downloading {len(wanted)} packages for {', '.join(packages)}")
    apt.run("install", "--download-only", "--yes", *packages)
    building = PBX / f"{name}.building"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    # The cache may also hold what an earlier run downloaded, in older versions.
    archives = [path for path in sorted(apt.archives.glob("*.deb")) if path.name.rpartition("_")[0] in wanted]
    if len(archives) != len(wanted):
        raise CannotPrepare(f"{len(wanted) - len(archives)} packages of {suite} were not downloaded; try again")
    say(f"{step} unpacking {len(archives)} packages")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda deb: unpack(deb, building), archives))
    sounds = building / "usr/share/asterisk/sounds"
    if (sounds / "en_US_f_Allison").is_dir() and not (sounds / "en").exists():
        # What the package's own script would have made.
        (sounds / "en").symlink_to("en_US_f_Allison")
    if (building / "usr/share/fonts").is_dir():
        (building / "fonts.conf").write_text(FONTS)
    former = PBX / f"{name}.former"
    shutil.rmtree(former, ignore_errors=True)
    if (PBX / name).exists():
        (PBX / name).rename(former)
    building.rename(PBX / name)
    shutil.rmtree(former, ignore_errors=True)


def archives_of(simulated: str) -> set[str]:
    """Return <package>_<version>, as apt names its files, of each package that a simulated installation names."""
    found = re.findall(r"^Inst (\S+) \((\S+) ", simulated, re.MULTILINE)
    return {f"{package}_{version.replace(':', '%3a')}" for package, version in found}


def unpack(archive: Path, target: Path) -> None:
    """Unpack one .deb; raises CannotPrepare for a broken one."""
    done = subprocess.run(["dpkg", "-x", archive, target], capture_output=True, text=True, check=False)
    if done.returncode:
        archive.unlink(missing_ok=True)
        raise CannotPrepare(f"{archive.name} cannot be unpacked ({done.stderr.strip()}); it was removed: try again")


class Apt:
    """An apt with its own lists, cache and empty package state, that trusts Debian's archive key alone."""

    def __init__(self, folder: Path, suite: str) -> None:
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            raise CannotPrepare(
                "this system has no apt, so no private Asterisk can be prepared; "
                "install asterisk (18 or newer), sipp, espeak-ng, sox and age and put them on PATH"
            )
        if not KEYRING.exists():
            raise CannotPrepare(f"{KEYRING} is missing; install the package debian-archive-keyring")
        self.folder = folder
        self.suite = suite
        self.archives = folder / "cache" / "archives"
        for part in ("lists/partial", "cache/archives/partial", "etc"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "etc/sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
        self._config().write_text(self._settings())

    def _config(self) -> Path:
        return self.folder / "etc" / "apt.conf"

    def _settings(self) -> str:
        settings = {
            "Dir::Etc::SourceList": self.folder / "etc/sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State": self.folder,
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Cache::archives": self.archives,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "1",
        }
        return "".join(f'{key} "{value}";\n' for key, value in settings.items())

    def run(self, *arguments: str) -> str:
        """Run apt-get and return what it printed; raises CannotPrepare with its last words."""
        done = subprocess.run(
            ["apt-get", "-q", *arguments],
            env={**os.environ, "APT_CONFIG": str(self._config()), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip())[-600:]
            if "NO_PUBKEY" in last or "Missing key" in last:
                last = f"{KEYRING} does not know the key of this suite; upgrade debian-archive-keyring ({last})"
            if "Release file" in last or "404" in last:
                last += f"; if the archive no longer carries {self.suite}, set DEBIAN_MIRROR to one that does"
            raise CannotPrepare(f"apt-get {arguments[0]} failed: {last}")
        return done.stdout


def mirror() -> str:
    """Return the Debian archive that this host itself uses, or $DEBIAN_MIRROR; raises CannotPrepare."""
    given = os.environ.get("DEBIAN_MIRROR")
    if given:
        return given
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    for uri in listed:
        if re.fullmatch(r"\w+://[^ ]*/debian/?", uri):
            return uri
    raise CannotPrepare("apt on this host names no Debian archive; set DEBIAN_MIRROR to the address of one")


def write_wrappers(name: str, host: dict[str, str]) -> None:
    """Write .pbx/bin/<command> for each program of a world."""
    folder = PBX / "bin"
    folder.mkdir(exist_ok=True)
    for command, file in WORLDS[name].programs.items():
        own = f'#!/bin/sh\nexec {host.get(command)} "$@"\n'
        text = own if command in host else wrapper(PBX / name, file)
        # A program that runs keeps its script; who starts one finds the old or the new.
        whole = folder / f"{command}.new"
        whole.write_text(text)
        whole.chmod(0o755)
        whole.rename(folder / command)


def wrapper(world: Path, file: str) -> str:
    """Return the script that starts ``file`` of an unpacked world from wherever the checkout lies."""
    places = ("usr/lib/chromium", "usr/sbin", "usr/bin")
    program = next(path for folder in places if (path := world / folder / file).exists())
    loader = next(loaders(world))
    if program.parent.name == "chromium":
        # It looks for its data beside what runs, and that is the loader.
        loader = Path(shutil.copy(loader, program.parent / "loader"))
    # libc, not the loader, says where the libraries of this machine's kind are
    library_folder = next(world.glob("usr/lib/*/libc.so.6"), None) or next(world.glob("lib/*/libc.so.6"))
    lib = library_folder.parent
    # Debian 11's Asterisk has libraries of its own beside the folders of the machine's kind.
    folders = [lib, world / "usr/lib" / lib.name, lib / "pulseaudio", world / "usr/lib"]
    folders += [world / "usr/lib" / lib.name / "pulseaudio"]
    present = dict.fromkeys(path.relative_to(world) for path in folders if any(path.glob("lib*.so*")))
    return WRAPPER.format(
        program=program.relative_to(world),
        world=world.name,
        loader=loader.relative_to(world),
        triplet_lib=lib.relative_to(world),
        library_path=":".join(f"$root/{path}" for path in present),
    )


def loaders(world: Path) -> Iterator[Path]:
    """Yield the dynamic loaders of an unpacked world."""
    for pattern in ("usr/lib64/ld-linux-*.so.*", "lib64/ld-linux-*.so.*", "usr/lib/ld-linux-*.so.*", "lib/*/ld-*.so.*"):
        for path in sorted(world.glob(pattern)):
            real = path.resolve() if path.resolve().is_relative_to(world) else None
            if real is None:
                # An absolute link would lead to the host's own loader: the file itself is looked for.
                same_name = world.glob(f"**/{Path(os.readlink(path)).name}")
                real = next((found for found in same_name if not found.is_symlink()), None)
            if real is not None:
                yield real


def versions(name: str, host: dict[str, str]) -> list[str]:
    """Return one line per program of a world: its command, its version, and whether it is the host's own."""
    return [
        f"{command:14} {version(command, VERSION_FLAGS.get(command, '--version'))}"
        f"{'  (of this host)' if command in host else ''}"
        for command in WORLDS[name].programs
    ]


def version(name: str, flag: str) -> str:
    """Return the version that a program of .pbx/bin says it has; raises CannotPrepare when it does not start."""
    done = subprocess.run([PBX / "bin" / name, flag], capture_output=True, text=True, check=False)
    found = re.search(r"v?(\d+\.\d[\w.+~-]*)", done.stdout + done.stderr)
    if found is None:
        raise CannotPrepare(f"{name} of the private copy does not start: {(done.stderr or done.stdout).strip()[-300:]}")
    return found[1].rstrip(".")


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"pbx: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
