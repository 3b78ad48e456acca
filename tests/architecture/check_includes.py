#!/usr/bin/env python3
"""Who may include whom, and the one home of each third-party library. A new edge is a design decision: change the table
here and say why in the commit."""

import re

import tree

COMMON = ["common", "common/json", "common/domain", "common/event", "common/http", "common/crypto", "common/sqlite",
          "common/mail", "common/pq", "common/sql", "common/process", "common/files", "common/time"]
AGENT_PARTS = ["agent/config", "agent/evidence", "agent/postgres", "agent/odoo", "agent/artifact", "agent/wal"]

# A file belongs to the longest entry that its path starts with; it may include its own folder and what stands here.
ALLOWED = {
    "common": [],
    "common/json": ["common"],
    "common/domain": ["common", "common/json", "common/time"],
    "common/event": ["common"],
    "common/http": ["common", "common/event", "common/json", "common/crypto", "common/process"],
    "common/crypto": ["common", "common/json", "common/files"],
    "common/mail": ["common"],
    "common/sqlite": ["common"],
    "common/pq": ["common", "common/domain"],
    # One store on SQLite or PostgreSQL.
    "common/sql": ["common", "common/sqlite", "common/pq"],
    "common/process": ["common"],
    "common/files": ["common"],
    "common/time": ["common"],
    "storage": COMMON,
    "control-plane-client": COMMON,
    "agent/config": [*COMMON, "storage"],
    "agent/evidence": COMMON,
    "agent/postgres": [*COMMON, "agent/config"],
    "agent/odoo": [*COMMON, "agent/config", "agent/postgres"],
    "agent/artifact": [*COMMON, "storage", "agent/config"],
    # PostgreSQL starts it for every segment: the standard library alone.
    "agent/hook": [],
    "agent/archiver": [*COMMON, "storage", *AGENT_PARTS, "agent/hook", "agent/state", "agent/jobs", "agent/worker",
                       "control-plane-client"],
    "agent/wal": [*COMMON, "storage", "agent/artifact"],
    "agent/storage-desk": [*COMMON, "storage", *AGENT_PARTS, "agent/jobs", "control-plane-client"],
    "agent/state": [*COMMON, "agent/evidence", "control-plane-client"],
    # Jobs know no daemon, no database of ours and no control plane: restore works with all three gone.
    "agent/jobs": [*COMMON, "storage", *AGENT_PARTS],
    "agent/inventory": [*COMMON, "agent/config", "agent/postgres", "agent/odoo", "control-plane-client"],
    "agent/worker": [*COMMON, "storage", *AGENT_PARTS, "agent/state", "agent/jobs", "control-plane-client"],
    "agent/adoption": [*COMMON, "storage", *AGENT_PARTS, "agent/state", "agent/jobs", "agent/worker",
                       "control-plane-client"],
    "agent/courier": [*COMMON, "agent/config", "agent/state", "agent/inventory", "control-plane-client"],
    "agent/local-api": [*COMMON, "storage", *AGENT_PARTS, "agent/state", "agent/jobs", "agent/inventory",
                        "agent/worker", "agent/adoption", "agent/archiver", "control-plane-client"],
    "agent/setup": [*COMMON, *AGENT_PARTS, "agent/archiver", "agent/inventory", "agent/state", "control-plane-client"],
    "agent/cli": [*COMMON, "storage", *AGENT_PARTS, "agent/state", "agent/jobs", "agent/adoption", "agent/local-api", "agent/setup",
                  "control-plane-client"],
    "agent": [*COMMON, "storage", "control-plane-client", "agent"],
    # The published language, and the names of objects in a destination; never the agent.
    "control-plane/store": [*COMMON, "control-plane-client"],
    "control-plane": [*COMMON, "storage", "control-plane-client", "control-plane"],
    "cmake": [],
    "tests": ["common", "storage", "control-plane-client", "agent", "control-plane", "tests"],
}

# Header (exact, or a prefix that ends in /) → the folders or files that are its home.
HOMES = {
    "uv.h": ["common/event", "common/http"],
    "curl/": ["common/http", "common/mail"],
    "sqlite3.h": ["common/sqlite"],
    "libpq-fe.h": ["common/pq"],
    "archive.h": ["agent/artifact"],
    "archive_entry.h": ["agent/artifact"],
    "zstd.h": ["agent/artifact", "agent/wal"],
    "zstd_errors.h": ["agent/artifact"],
    "expat.h": ["storage/s3"],
    "libssh2.h": ["storage/sftp"],
    "libssh2_sftp.h": ["storage/sftp"],
    "sodium.h": ["common/crypto"],
    "openssl/": ["common/crypto", "common/http"],
    "boost/json": ["common/json", "cmake"],
    "boost/beast": ["common/http"],
    "boost/asio": ["common/http"],
    "toml++/": ["agent/config", "control-plane"],
    "CLI/": ["agent", "control-plane"],
    "systemd/": ["agent", "control-plane"],
    "prometheus/": ["control-plane", "agent"],
    "date/": ["common/time", "control-plane/scheduler"],
    "boost/": ["common", "storage", "agent", "control-plane", "control-plane-client", "cmake"],
    "fmt/": ["common", "storage", "agent", "control-plane", "control-plane-client", "cmake", "tests"],
    "gtest/": ["tests"],
    "gmock/": ["tests"],
    "benchmark/": ["tests"],
}
# Headers that cost seconds: at most so many source files in each top folder, and never a header of ours.
HEAVY = {"toml++/": 1, "CLI/": 3}

# Words without code that any folder may speak.
VOCABULARY = ("common/domain/reasons.h",)

SYSTEM = re.compile(
    r"^([a-z_0-9]+|sys/\w+\.h|linux/\w+\.h|netinet/\w+\.h|arpa/inet\.h|net/if\.h|experimental/\w+|"
    r"(assert|ctype|dirent|endian|err|errno|fcntl|fnmatch|ftw|getopt|glob|grp|inttypes|limits|locale|netdb|poll|pthread|pty|"
    r"malloc|pwd|regex|sched|shadow|signal|spawn|stdarg|stddef|stdint|stdio|stdlib|string|strings|sysexits|syslog|termios|time|"
    r"unistd|utime|wchar|wctype)\.h)$"
)
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def owner(path):
    folder = path.rsplit("/", 1)[0]
    while folder not in ALLOWED and "/" in folder:
        folder = folder.rsplit("/", 1)[0]
    return folder if folder in ALLOWED else None


def below(path, folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def edge_fault(path, included):
    mine, theirs = owner(path), owner(included)
    if theirs is None:
        return f"{path}: includes \"{included}\", which lies in no known folder (includes start at the root)"
    if mine == theirs or theirs in ALLOWED[mine] or included in VOCABULARY:
        return None
    # Only folders that collect others (agent, control-plane, tests) open what lies below an allowed entry.
    if mine in ("agent", "control-plane", "tests") and below(theirs, ALLOWED[mine]):
        return None
    return f"{path}: {mine} may not include {theirs} (\"{included}\")"


def home_fault(path, header):
    if SYSTEM.match(header):
        return None
    for prefix, homes in HOMES.items():
        if header == prefix or (header.startswith(prefix) and not prefix.endswith(".h")):
            if below(path, homes) or (path.startswith("tests/") and prefix not in ("uv.h", "CLI/", "toml++/")):
                return None
            return f"{path}: <{header}> has its home in {', '.join(homes)}"
    return f"{path}: <{header}> has no home yet: name one in tests/architecture/check_includes.py"


def check(root):
    faults, heavy = [], {}
    for path in tree.files(root, ".cpp", ".h"):
        if owner(path) is None:
            faults.append(f"{path}: lies in no folder that tests/architecture/check_includes.py knows")
            continue
        text = (root / path).read_text()
        for ours, theirs in INCLUDE.findall(text):
            fault = edge_fault(path, ours) if ours else home_fault(path, theirs)
            if fault:
                faults.append(fault)
            for prefix in HEAVY:
                if theirs.startswith(prefix):
                    heavy.setdefault((path.split("/")[0], prefix), []).append(path)
    for (folder, prefix), paths in heavy.items():
        if len(paths) > HEAVY[prefix] or any(path.endswith(".h") for path in paths):
            faults.append(f"<{prefix}…> costs seconds: too many files of {folder} include it: {', '.join(paths)}")
    return faults


CASES = [
    ("a downward edge", {"agent/jobs/a.cpp": '#include "storage/storage.h"\n#include <vector>\n'}, None),
    ("jobs and state", {"agent/jobs/a.cpp": '#include "agent/state/jobs.h"\n'}, "may not include agent/state"),
    ("agent and control plane", {"agent/main.cpp": '#include "control-plane/store/x.h"\n'}, "may not include"),
    ("control plane and agent", {"control-plane/api/a.cpp": '#include "agent/jobs/jobs.h"\n'}, "may not include agent/jobs"),
    ("upward edge", {"common/json/a.h": '#include "common/domain/x.h"\n'}, "may not include common/domain"),
    ("the vocabulary", {"common/pq/a.cpp": '#include "common/domain/reasons.h"\n'}, None),
    ("unknown folder", {"common/a.h": '#include "result.h"\n'}, "no known folder"),
    ("a library away from home", {"agent/jobs/a.cpp": "#include <sqlite3.h>\n"}, "has its home in common/sqlite"),
    ("a library at home", {"common/sqlite/a.cpp": "#include <sqlite3.h>\n"}, None),
    ("a library without home", {"agent/jobs/a.cpp": "#include <nlohmann/json.hpp>\n"}, "has no home yet"),
    ("a heavy header", {"agent/config/a.h": "#include <toml++/toml.h>\n"}, "costs seconds"),
    ("boost.json", {"agent/jobs/a.cpp": "#include <boost/json.hpp>\n"}, "has its home in common/json"),
]

if __name__ == "__main__":
    tree.main(check, CASES)
