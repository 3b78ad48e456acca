"""The commands and options of a program, as its own --help tells them: manuals and completion are made of this, so that
they cannot tell anything else."""

import dataclasses
import functools
import re
import subprocess

CONTINUED = " " * 30
HIDDEN = ("--help",)  # every command has it


@dataclasses.dataclass
class Option:
    names: list
    value: str = ""  # what stands for the value: TEXT, INT …; empty: a flag
    choices: tuple = ()
    required: bool = False
    text: str = ""


@dataclasses.dataclass
class Command:
    words: list
    text: str = ""
    positionals: list = dataclasses.field(default_factory=list)  # of Option: one name each
    options: list = dataclasses.field(default_factory=list)
    commands: list = dataclasses.field(default_factory=list)
    footer: str = ""

    def walk(self):
        yield self
        for one in self.commands:
            yield from one.walk()


def help_of(program, words):
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"{program} {' '.join(words)} --help: left with {done.returncode}: {done.stderr.strip()}")
    return done.stdout or done.stderr


def option_of(name, text):
    first, _, rest = name.strip().partition(" ")
    names = [re.sub(r"\{.*\}", "", one) for one in first.split(",")]
    chosen = re.search(r"\{([^}]*)\}", rest)
    shown = re.match(r"(?!REQUIRED)([A-Z]+)(?:=(\S+))?", rest.strip())
    value, default = shown.groups() if shown else ("", None)
    text = f"{text.strip()} (default {default})" if default else text
    return Option([one for one in names if one != "-h"], value, tuple(chosen.group(1).split(",")) if chosen else (),
                  "REQUIRED" in rest.split(), text.strip())


def entries(lines):
    """(name, text) of a section's lines: names to column 30, or a line of their own when they are longer."""
    found = []
    for at, line in enumerate(lines):
        if line.startswith(CONTINUED):
            continue
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if following.startswith(CONTINUED):
            found.append((line.strip(), following.strip()))
        elif line[29:30].strip():
            found.append((line.strip(), ""))
        else:
            found.append((line[:30].strip(), line[30:].strip()))
    return found


def sections(text):
    """{heading: lines} of CLI11's help; what stands before and behind has no heading."""
    found, heading = {"": []}, ""
    for line in text.splitlines():
        named = re.fullmatch(r"(Positionals|Options|Subcommands):", line)
        if named:
            heading = named.group(1)
            found[heading] = []
        elif line.startswith("  "):
            found[heading].append(line)
        elif line.strip():
            heading = ""
            found[""].append(line)
    return found


def read_cli11(program, words, text):
    parts = sections(text)
    prose = [line for line in parts[""] if not line.startswith("Usage:")]
    command = Command(words, prose[0], footer="\n".join(prose[1:]))
    command.positionals = [option_of(*entry) for entry in entries(parts.get("Positionals", []))]
    command.options = [option for option in (option_of(*entry) for entry in entries(parts.get("Options", [])))
                       if option.names[0] not in HIDDEN]
    for name, text_of_one in entries(parts.get("Subcommands", [])):
        command.commands.append(read(program, (*words, name), text_of_one))
    return command


def read_plain(words, text, known):
    """backstay-agent and PostgreSQL's hooks write their own help: a line of usage, and lines of options."""
    usage = text.partition("\n")[0]
    listed = re.findall(r"^  (--[\w-]+(?: [A-Z]+)?) {2,}(.*)$", text, re.M)
    command = Command(words, known or next(line for line in text.splitlines()[1:] if line.strip()))
    command.options = [option_of(*entry) for entry in listed]
    if not listed:
        command.options = [option_of(one, "") for one in re.findall(r"\[(--[\w-]+(?: [A-Z]+)?)\]", usage)]
    return command


@functools.cache
def read(program, words=(), known=""):
    """The command and all below it; `known` is what the help above says of it."""
    text = help_of(program, words)
    return read_cli11(program, list(words), text) if "\nUsage: " in text else read_plain(list(words), text, known)
