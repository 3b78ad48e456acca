"""Manual pages and completion know every command, option and key that the sources know."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from conftest import PRESET

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import command_tree  # noqa: E402
import completion  # noqa: E402
import manual  # noqa: E402

PROGRAMS = [("backstay", 1, "agent/cli/options.cpp"), ("backstay-agent", 8, "agent/main.cpp"),
            ("backstay-control", 8, "control-plane/cli/command_line.cpp")]
KEY = re.compile(r'\b\w+\.(?:read|read_path|text|number|flag)\("(\w+)"')


def binary(program):
    return str(ROOT / "build" / PRESET / "bin" / program)


def words_of_source(path):
    """Commands and options as its literals name them."""
    text = (ROOT / path).read_text()
    options = {one.lstrip("!") for literal in re.findall(r'"(!?--[a-z][\w,!-]*)"', text) for one in literal.split(",")}
    commands = set(re.findall(r'(?:add_subcommand|command|group|of_one)\((?:[*\w]+, )*(?:line, )?"([a-z][\w-]*)"', text))
    return options - {"--help"}, commands


def plain(page):
    return page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "").replace("\\fI", "")


def keys_of(path):
    return set(KEY.findall((ROOT / path).read_text()))


@pytest.mark.parametrize("program, section, source", PROGRAMS)
def test_the_manual_page_of_a_program_tells_all_its_commands_and_options(program, section, source):
    page = plain(manual.program_page(program, section, binary(program)))
    options, commands = words_of_source(source)
    assert len(options) > 2 and (len(commands) > 8 or not commands)
    assert not [word for word in sorted(options | commands) if not re.search(rf"(?<![\w-]){word}(?![\w-])", page)]


@pytest.mark.parametrize("program, section, source", PROGRAMS)
def test_bash_completes_every_command_and_option_of_a_program(program, section, source, folder):
    script = folder / "completion.bash"
    script.write_text(completion.script(program, binary(program)))
    asked = []
    for command in command_tree.read(binary(program)).walk():
        asked += [[program, *command.words, ""], [program, *command.words, "-"]]
    calls = "".join(f"COMP_WORDS=({' '.join(repr(word) for word in words)}) COMP_CWORD={len(words) - 1}\n"
                    f"_{program.replace('-', '_')}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n" for words in asked)
    done = subprocess.run(["bash", "-uc", f"source {script}\n{calls}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    options, commands = words_of_source(source)
    assert not (options | commands) - set(done.stdout.split())


def test_completion_goes_by_what_stands_before(folder):
    script = folder / "completion.bash"
    script.write_text(completion.script("backstay", binary("backstay")))

    def completed(*words):
        typed = " ".join(repr(word) for word in ["backstay", *words])
        ask = f"source {script}; COMP_WORDS=({typed}) COMP_CWORD={len(words)}; _backstay; echo \"${{COMPREPLY[*]}}\""
        return subprocess.run(["bash", "-uc", ask], capture_output=True, text=True, timeout=60, check=True).stdout.split()

    assert completed("resto") == ["restore"]
    assert completed("restore", "--scope", "") == ["all", "db", "filestore"]
    assert completed("--json", "key", "") == ["generate"]
    assert completed("restore", "--database", "") == []
    assert completed("restore", "") == []  # a backup, of which bash knows none: its own way follows
    assert "--json" in completed("job", "--j") and "--json" not in completed("wal-push", "-")


@pytest.mark.parametrize("name, shown, sources", [
    ("backstay-agent.toml", "conf/agent.toml", ["agent/config/config_checks.cpp"]),
    ("backstay-control.toml", "conf/control.toml", ["control-plane/config/settings.cpp"]),
])
def test_the_manual_page_of_settings_tells_every_key(name, shown, sources):
    page = plain(manual.settings_page(name, shown, (ROOT / shown).read_text()))
    told = set(re.findall(r"^\.TP\n(\w+) = ", page, re.M))
    known = set().union(*(keys_of(path) for path in sources))
    assert len(known) > 25
    assert not known - told
    for heading in re.findall(r"^(?:# )?(\[\[?\w+\]\]?)", (ROOT / shown).read_text(), re.M):
        assert f".SH {heading}" in page


def test_pages_are_roff_without_faults(folder):
    """As far as groff is there to say so; Debian's base system has it not, the package's own test has."""
    pages = {f"{program}.{section}": manual.program_page(program, section, binary(program)) for program, section, _ in PROGRAMS}
    pages["a.5"] = manual.settings_page("backstay-agent.toml", "a", (ROOT / "conf/agent.toml").read_text())
    for name, page in pages.items():
        assert page.startswith(".TH ") and ".SH NAME" in page and ".SH SEE ALSO" in page
        assert not re.search(r"^['.](?!TH |SH |SS |TP$|PP$|nf$|fi$)", page, re.M), name
        if shutil.which("groff"):
            (folder / name).write_text(page)
            done = subprocess.run(["groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-z", str(folder / name)], capture_output=True, text=True,
                                  timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})
            assert not done.stderr, done.stderr
