"""Manual pages: of the programs from their own help, of the settings from the file in conf/ that shows them all."""

import re

import command_tree

SEE = {"backstay": "backstay-agent(8), backstay-agent.toml(5)", "backstay-agent": "backstay(1), backstay-agent.toml(5)",
       "backstay-control": "backstay-control.toml(5), backstay-agent(8)"}
WHAT = {"backstay": "back up and restore Odoo on PostgreSQL, through the agent of this host",
        "backstay-agent": "the daemon that backs up and restores the Odoo databases of its host",
        "backstay-control": "Backstay's control plane: schedules, retention, evidence, REST"}
FILES = {
    "backstay": [("/run/backstay/agent.sock", "the agent's socket: members of the group backstay, or of socket_group, may use it")],
    "backstay-agent": [("/etc/backstay/agent.toml", "the configuration, see backstay-agent.toml(5)"),
                       ("/var/lib/backstay", "the journal of jobs, the identity, scratch space and snapshots"),
                       ("/run/backstay", "the sockets of backstay(1) and of PostgreSQL's hooks")],
    "backstay-control": [("/var/lib/backstay-control", "the state folder of the service: settings, keys, store")],
}
STATUS = {
    "backstay-agent": [("0", "stopped as asked, or the configuration is good"), ("1", "something else failed: the message says what"),
                       ("2", "no configuration, one with faults, or a wrong command line; systemd does not start it again")],
    "backstay-control": [("0", "done"), ("1", "not found, refused or out of reach: the message says what"),
                         ("2", "a wrong command line, wrong settings, or not set up yet; systemd does not start it again"),
                         ("4", "something that is stored is damaged"), ("130", "interrupted")],
}


def plain(text):
    """Text that roff takes for nothing else."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.split("\n"))


def title(name, section, what):
    return [f'.TH {name.upper()} {section} "" "Backstay" "Backstay"', ".SH NAME", f"{plain(name)} \\- {plain(what)}"]


def option_lines(option):
    value = f" \\fI{plain(option.value)}\\fR" if option.value else ""
    names = ", ".join(f"\\fB{plain(name)}\\fR" for name in option.names)
    text = [option.text] if option.text else []
    if option.choices:
        text.append("one of " + ", ".join(option.choices))
    if option.required and option.names[0].startswith("-"):
        text.append("required")
    return [".TP", names + value, plain("; ".join(text)) or "\\&"]


def usage(program, command):
    parts = [f"\\fB{plain(' '.join([program, *command.words]))}\\fR"]
    parts += [f"\\fB{plain(one.names[0])}\\fR \\fI{plain(one.value)}\\fR" for one in command.options if one.required]
    if any(not one.required for one in command.options):
        parts.append("[\\fIoptions\\fR]")
    parts += [f"\\fI{plain(one.names[0])}\\fR" if one.required else f"[\\fI{plain(one.names[0])}\\fR]" for one in command.positionals]
    return " ".join(parts)


def command_lines(program, command):
    """A command that does something; those that only lead to others are told by these."""
    lines = [".SS " + plain(" ".join(command.words)), ".nf", usage(program, command), ".fi", ".PP", plain(command.text)]
    for one in [*command.positionals, *command.options]:
        lines += option_lines(one)
    return lines


def listed(heading, items):
    lines = [".SH " + heading]
    for name, text in items:
        lines += [".TP", f"\\fB{plain(name)}\\fR", plain(text)]
    return lines


def program_page(program, section, path):
    tree = command_tree.read(path)
    lines = title(program, section, WHAT[program]) + [".SH SYNOPSIS", ".nf"]
    lines.append(usage(program, tree) + (" \\fIcommand\\fR …" if tree.commands else ""))
    lines += [".fi", ".SH DESCRIPTION", plain(tree.text)]
    if tree.footer:
        lines += [".PP", plain(tree.footer).replace("\n", "\n.PP\n")]
    lines.append(".SH OPTIONS")
    for option in tree.options:
        lines += option_lines(option)
    told = [one for one in tree.walk() if one.words and not one.commands]
    if told:
        lines.append(".SH COMMANDS")
    for one in told:
        lines += command_lines(program, one)
    if program in STATUS:
        lines += listed("EXIT STATUS", STATUS[program])
    lines += listed("FILES", FILES[program]) + [".SH SEE ALSO", plain(SEE[program])]
    return "\n".join(lines) + "\n"


KEY = re.compile(r"^(# )?(\w+) = (.*?)(?:\s+# (.*))?$")
TABLE = re.compile(r"^(?:# )?(\[\[?\w+\]\]?)\s*(?:# (.*))?$")
CONTINUATION = re.compile(r"^#?\s{6,}#\s*(.*)$")
PROSE = re.compile(r"^# ?(.*)$")


def settings_page(name, file, text):
    """Every key of the file with its default, told by the comments before and behind it."""
    lines = title(name, 5, f"settings of {name.removesuffix('.toml')}") + [".SH DESCRIPTION"]
    lines += [plain(f"{file} is TOML. Keys are shown with their defaults, or with an example.")]
    before, first = [], True
    for line in text.splitlines() + [""]:
        further, table, key = CONTINUATION.match(line), TABLE.match(line), KEY.match(line)
        if further:
            lines[-1] += "\n" + plain(further.group(1))
        elif table:
            lines += [".SH " + plain(table.group(1)), plain(" ".join(before + [table.group(2) or ""]).strip()) or "\\&"]
            before = []
        elif key:
            told = " ".join(before + [key.group(4) or ""]).strip()
            lines += [".TP", f"\\fB{plain(key.group(2))}\\fR = {plain(key.group(3))}", plain(told) or "\\&"]
            before = []
        elif PROSE.match(line):
            before.append(PROSE.match(line).group(1))
        elif before and first:
            lines += [".PP", plain(" ".join(before))]
            before = []
        first = first and not (table or key)
    see = "backstay-control(8)" if "control" in name else "backstay-agent(8), backstay(1)"
    return "\n".join(lines + [".SH SEE ALSO", plain(see)]) + "\n"
