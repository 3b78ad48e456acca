"""What is in each package, and where: one list for .deb and .rpm."""

import dataclasses
import gzip
import os
import pathlib
import re
import shutil
import subprocess

import completion
import manual

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Who answers for packages made here: whoever makes them, by Debian's usual variables.
MAINTAINER = "{} <{}>".format(os.environ.get("DEBFULLNAME", "Backstay maintainers"),
                              os.environ.get("DEBEMAIL", "maintainers@backstay.example"))


@dataclasses.dataclass
class Package:
    name: str
    summary: str
    description: str
    programs: dict  # program: where it lies
    pages: list  # (program, section)
    settings: tuple  # (file in conf/, page, what the page calls the file)
    settings_at: str = ""  # a configuration file of the system; empty: an example only
    docs: tuple = ("operations.md", "disaster-drill.md", "evidence.md", "glossary.md")
    examples: tuple = ()


AGENT = Package(
    "backstay-agent", "backups and restores of Odoo on PostgreSQL: the agent of a host",
    "The agent runs beside a PostgreSQL server and backs up, verifies and restores\nthe Odoo databases and filestores of its host,"
    " by itself or ordered by a\ncontrol plane. With it comes the command line `backstay`, which is also\nPostgreSQL's"
    " archive_command and restore_command.",
    {"backstay-agent": "usr/bin", "backstay": "usr/bin", "backstay-cli": "usr/lib/backstay"},
    [("backstay", 1), ("backstay-agent", 8)], ("agent.toml", "backstay-agent.toml", "/etc/backstay/agent.toml"),
    "etc/backstay/agent.toml", ("operations.md", "socket.md", "disaster-drill.md", "evidence.md", "glossary.md", "restore-by-hand.md"),
    ("systemd/restores.conf",))
CONTROL = Package(
    "backstay-control", "backups and restores of Odoo on PostgreSQL: the control plane",
    "The control plane knows organizations, environments and destinations, orders\nbackups and restores from agents by schedule"
    " or through REST, applies\nretention, judges the evidence and raises alerts.",
    {"backstay-control": "usr/bin"}, [("backstay-control", 8)],
    ("control.toml", "backstay-control.toml", "control.toml in the state folder"))
PACKAGES = (AGENT, CONTROL)


def version():
    return re.search(r"project\(backstay VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


def moment():
    """Of the last commit, so that the same source makes the same packages; where there is no git, of this file."""
    told = subprocess.run(["git", "-C", str(ROOT), "log", "-1", "--format=%ct"], capture_output=True, text=True)
    given = os.environ.get("SOURCE_DATE_EPOCH") or told.stdout.strip()
    return int(given) if given else int(pathlib.Path(__file__).stat().st_mtime)


def put(tree, where, content, mode=0o644):
    path = tree / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


def packed(text):
    return gzip.compress(text.encode(), 9, mtime=0)


def stage_programs(package, binaries, tree):
    for program, where in package.programs.items():
        target = tree / where / program
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(binaries / program, target)
        target.chmod(0o755)
        subprocess.run(["strip", "--strip-unneeded", "--remove-section=.comment", "--remove-section=.note", str(target)], check=True)


def stage_manuals(package, binaries, tree):
    for program, section in package.pages:
        page = manual.program_page(program, section, str(binaries / program))
        put(tree, f"usr/share/man/man{section}/{program}.{section}.gz", packed(page))
        put(tree, f"usr/share/bash-completion/completions/{program}", completion.script(program, str(binaries / program)))
    file, page, shown = package.settings
    text = manual.settings_page(page, shown, (ROOT / "conf" / file).read_text())
    put(tree, f"usr/share/man/man5/{page}.5.gz", packed(text))


def stage_docs(package, tree, doc):
    for name in package.docs:
        put(tree, f"{doc}/{name}.gz", packed((ROOT / "docs" / name).read_text()))
    put(tree, f"{doc}/changelog.gz", packed((ROOT / "CHANGELOG.md").read_text()))
    put(tree, f"{doc}/examples/{package.settings[0]}", (ROOT / "conf" / package.settings[0]).read_text())
    for example in package.examples:
        put(tree, f"{doc}/examples/{pathlib.Path(example).name}", (ROOT / example).read_text())


def stage(package, binaries, tree, units):
    """Everything that both kinds of packages have; `units` is where the system's own units lie."""
    stage_programs(package, binaries, tree)
    stage_manuals(package, binaries, tree)
    stage_docs(package, tree, f"usr/share/doc/{package.name}")
    system = ROOT / "systemd"
    put(tree, f"{units}/{package.name}.service", (system / f"{package.name}.service").read_text())
    for kind in ("sysusers", "tmpfiles"):
        put(tree, f"usr/lib/{kind}.d/{package.name}.conf", (system / f"{package.name}.{kind}").read_text())
    if package.settings_at:
        put(tree, package.settings_at, (ROOT / "conf" / package.settings[0]).read_text())


def settle(tree, when):
    """Folders that everybody may enter, and one time for all, so that nothing of the building machine is in a package."""
    for path in [tree, *tree.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    for path in sorted(tree.rglob("*"), reverse=True):
        os.utime(path, (when, when), follow_symlinks=False)
