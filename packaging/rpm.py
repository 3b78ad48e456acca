"""An .rpm by rpmbuild, of the same files; libraries are found by rpm's own generators."""

import pathlib
import shutil
import subprocess
import time

import contents

SPEC = """\
Name: {name}
Version: {version}
Release: 1
Summary: {summary}
License: Apache-2.0
Group: Applications/Databases
Packager: {maintainer}
BuildArch: {arch}
Requires: systemd

%install
cp -a %{{tree}}/. %{{buildroot}}/

%description
{description}

%post
{post}
%preun
{preun}
%postun
{postun}
%files
{files}

%changelog
* {day} {maintainer} - {version}-1
- See changelog.gz
"""
ALIKE = ("_build_id_links none", "debug_package %{nil}", "__os_install_post %{nil}", "use_source_date_epoch_as_buildtime 1",
         "clamp_mtime_to_source_date_epoch 1", "_buildhost reproducible", "_binary_payload w19.zstdio")


def entry(tree, path):
    name = "/" + str(path.relative_to(tree))
    if name.startswith("/etc/"):
        return f"%config(noreplace) {name}"
    return f"%doc {name}" if name.startswith(("/usr/share/doc/", "/usr/share/man/")) else name


def script(package, name):
    return (contents.ROOT / f"packaging/rpm/{name}.sh").read_text().replace("@NAME@", package.name).partition("\n")[2]


def build(package, binaries, work, out):
    tree, when = work / f"rpm-{package.name}", contents.moment()
    shutil.rmtree(tree, ignore_errors=True)
    contents.stage(package, binaries, tree, "usr/lib/systemd/system")
    contents.put(tree, f"usr/share/licenses/{package.name}/LICENSE", (contents.ROOT / "LICENSE").read_text())
    contents.settle(tree, when)
    files = [entry(tree, path) for path in sorted(tree.rglob("*")) if path.is_file()]
    files += [f"%dir /{one}" for one in (f"usr/share/doc/{package.name}", f"usr/share/doc/{package.name}/examples",
                                          f"usr/share/licenses/{package.name}")]
    files += ["%dir %attr(0700,root,root) /etc/backstay", "%dir /usr/lib/backstay"] if package is contents.AGENT else []
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
    spec = work / f"{package.name}.spec"
    spec.write_text(SPEC.format(
        name=package.name, version=contents.version(), summary=package.summary[0].upper() + package.summary[1:], arch=machine,
        description=package.description, files="\n".join(files), maintainer=contents.MAINTAINER,
        day=time.strftime("%a %b %d %Y", time.gmtime(when)), **{name: script(package, name) for name in ("post", "preun", "postun")}))
    top = work / f"rpmbuild-{package.name}"
    defined = [word for macro in (f"_topdir {top}", *ALIKE) for word in ("--define", macro)]
    done = subprocess.run(["rpmbuild", "-bb", "--buildroot", str(top / "root"), *defined, "--define", f"tree {tree}", str(spec)],
                          capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": str(when), "HOME": str(work)})
    if done.returncode != 0:
        raise SystemExit(f"rpmbuild {package.name}: {done.stderr}")
    made = next(top.glob("RPMS/*/*.rpm"))
    return pathlib.Path(shutil.move(made, out / made.name))
