"""Lays out a root file system around the interpreter that runs this: python_rootfs.py ROOT WHEELS.

The standard library, pip from WHEELS, the shared libraries that all of it links to, a shell and a few commands.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT, WHEELS = Path(sys.argv[1]), Path(sys.argv[2])
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
COMMANDS = "sh cat chmod chown cp env id ls mkdir mv rm sleep true false test".split()
# What compiled wheels may link to (the manylinux list), and what glibc loads by name.
LOADED_LATER = (
    "libgcc_s.so.1", "libstdc++.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libutil.so.1",
    "libresolv.so.2", "libnss_files.so.2", "libnss_dns.so.2", "libz.so.1",
)  # fmt: skip


def main():
    # Debian's layout with its own search paths stays where it is; any other moves to where python images have it.
    base = Path(sys.base_prefix)
    prefix = ROOT / ("usr" if base == Path("/usr") else "usr/local")
    for path in ("usr/bin", "usr/sbin", "usr/lib64", "usr/local/bin", "etc", "tmp", "var/tmp", "root", "home", "app"):
        (ROOT / path).mkdir(parents=True, exist_ok=True)
    for path in ("bin", "sbin", "lib", "lib64"):
        (ROOT / path).symlink_to(f"usr/{path}")
    for path in ("tmp", "var/tmp"):
        (ROOT / path).chmod(0o1777)
    (ROOT / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
        "nonroot:x:65532:65532:nonroot:/tmp:/bin/false\n"
    )
    (ROOT / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n")

    interpreter = prefix / "bin" / VERSION
    library = prefix / "lib" / VERSION
    interpreter.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(base / "bin" / VERSION, interpreter)
    leave = shutil.ignore_patterns(
        "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "site-packages", "dist-packages",
        "config-*", "__pycache__", "EXTERNALLY-MANAGED", "sitecustomize.py",
    )  # fmt: skip
    shutil.copytree(base / "lib" / VERSION, library, ignore=leave)

    packages = library / "site-packages"
    if prefix == ROOT / "usr":
        packages = ROOT / "usr/local/lib" / VERSION / "dist-packages"
    packages.mkdir(parents=True)
    (pip,) = WHEELS.glob("pip-*.whl")
    with zipfile.ZipFile(pip) as wheel:
        wheel.extractall(packages)
    shutil.copytree(WHEELS, ROOT / "wheels", ignore=shutil.ignore_patterns("complete"))

    python = "/" + str(interpreter.relative_to(ROOT))
    for name in ("python", "python3"):
        link = ROOT / "usr/local/bin" / name
        link.symlink_to(os.path.relpath(interpreter, link.parent))
    for name in ("pip", "pip3"):
        script = ROOT / "usr/local/bin" / name
        script.write_text(f"#!{python}\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n")
        script.chmod(0o755)
    for name in COMMANDS:
        if found := shutil.which(name, path="/usr/bin:/bin"):
            shutil.copy(found, ROOT / "usr/bin" / name)

    link_libraries([interpreter, *library.glob("lib-dynload/*.so"), *(ROOT / "usr/bin").iterdir()])
    # As a distribution's packages do; otherwise every start would compile what it imports.
    compileall.compile_dir(library, quiet=2, stripdir=ROOT, workers=0, rx=re.compile(r"bad_coding|badsyntax"))


def link_libraries(files):
    """Copies what the files link to, and the loader, to the directories that the loader searches by itself."""
    where = ROOT / "usr/lib" / (getattr(sys.implementation, "_multiarch", "") or "x86_64-linux-gnu")
    where.mkdir(parents=True, exist_ok=True)
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    same_bits = [line for line in known.splitlines() if "x86-64" in line or "libc6,64" in line or "AArch64" in line]
    paths = {line.split(" => ")[1] for line in same_bits if line.split()[0] in LOADED_LATER}
    for file in [*files, *paths]:
        # The copies search from where they lie now, so the original's neighbours have to be named.
        search = os.pathsep.join([f"{sys.base_prefix}/lib", os.environ.get("LD_LIBRARY_PATH", "")]).strip(os.pathsep)
        linked = subprocess.run(
            ["ldd", file], capture_output=True, text=True, env={**os.environ, "LD_LIBRARY_PATH": search}
        )
        paths |= set(re.findall(r"(/\S+\.so\S*) \(0x", linked.stdout))
    for path in map(Path, paths):
        loader = path.name.startswith("ld-linux")
        shutil.copy(path, (ROOT / "usr/lib64" if "lib64" in path.parts else ROOT / "usr/lib" if loader else where) / path.name)


main()
