"""A .deb with Debian's own tools: dpkg-shlibdeps finds the libraries, dpkg-deb packs."""

import email.utils
import hashlib
import pathlib
import shutil
import subprocess
import time

import contents

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: backstay

Files: *
Copyright: {year} The Backstay maintainers
License: Apache-2.0
 On Debian systems the whole text is in /usr/share/common-licenses/Apache-2.0.
"""
# Every fault that lintian may find and why it is none.
OVERRIDES = {
    "backstay-agent": ["# PostgreSQL starts it for each segment of WAL; without shared libraries it takes half the time.",
                       "statically-linked-binary [usr/bin/backstay]"],
}


def architecture():
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def libraries(tree, work):
    """What the programs are linked to, as packages with versions."""
    (work / "debian").mkdir(exist_ok=True)
    (work / "debian/control").write_text("Source: backstay\n\nPackage: backstay\nArchitecture: any\n")
    programs = [str(path) for path in sorted(tree.rglob("usr/bin/*")) + sorted(tree.rglob("usr/lib/backstay/*"))]
    shared = [path for path in programs if b"INTERP" in subprocess.run(["readelf", "-lW", path], capture_output=True, check=True).stdout]
    told = subprocess.run(["dpkg-shlibdeps", "-O", "--warnings=0", *shared], cwd=work, capture_output=True, text=True, check=True).stdout
    return told.strip().partition("shlibs:Depends=")[2]


def control(package, tree, depends):
    size = sum(max(path.stat().st_size, 1023) for path in tree.rglob("*") if path.is_file()) // 1024 + 1
    description = "\n".join(" " + line for line in package.description.split("\n"))
    recommends = "Recommends: postgresql-client\n" if package is contents.AGENT else ""
    return (f"Package: {package.name}\nSource: backstay\nVersion: {contents.version()}-1\nArchitecture: {architecture()}\n"
            f"Maintainer: {contents.MAINTAINER}\nInstalled-Size: {size}\nDepends: {depends}, systemd\n{recommends}"
            f"Section: database\nPriority: optional\nDescription: {package.summary}\n{description}\n")


def changelog(when):
    return (f"backstay ({contents.version()}-1) stable; urgency=medium\n\n  * See changelog.gz.\n\n"
            f" -- {contents.MAINTAINER}  {email.utils.formatdate(when, localtime=False).replace('-0000', '+0000')}\n")


def sums(tree):
    lines = []
    for path in sorted(tree.rglob("*")):
        if path.is_file() and "DEBIAN" not in path.parts:
            lines.append(f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n")
    return "".join(lines)


def build(package, binaries, work, out):
    tree, when = work / f"deb-{package.name}", contents.moment()
    shutil.rmtree(tree, ignore_errors=True)
    contents.stage(package, binaries, tree, "lib/systemd/system")
    doc = f"usr/share/doc/{package.name}"
    contents.put(tree, f"{doc}/copyright", COPYRIGHT.format(year=time.gmtime(when).tm_year))
    contents.put(tree, f"{doc}/changelog.Debian.gz", contents.packed(changelog(when)))
    if package.name in OVERRIDES:
        contents.put(tree, f"usr/share/lintian/overrides/{package.name}", "\n".join(
            line if line.startswith("#") else f"{package.name}: {line}" for line in OVERRIDES[package.name]) + "\n")
    inside = control(package, tree, libraries(tree, work))
    contents.put(tree, "DEBIAN/control", inside)
    contents.put(tree, "DEBIAN/md5sums", sums(tree))
    if package.settings_at:
        contents.put(tree, "DEBIAN/conffiles", f"/{package.settings_at}\n")
    for script in ("postinst", "prerm", "postrm"):
        contents.put(tree, f"DEBIAN/{script}", (contents.ROOT / f"packaging/deb/{package.name}.{script}").read_text(), 0o755)
    contents.settle(tree, when)
    made = out / f"{package.name}_{contents.version()}-1_{architecture()}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(made)], check=True, stdout=subprocess.DEVNULL,
                   env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": str(when)})
    return pathlib.Path(made)
