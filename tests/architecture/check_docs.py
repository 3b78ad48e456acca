#!/usr/bin/env python3
"""What the documents name exists: files, links, words of ./dev, options of the programs, steps, routes."""

import re

import tree

README_LINES = 120
FENCE = re.compile(r"^```.*?^```", re.S | re.M)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TICKED = re.compile(r"`([^`\n]+)`")
ROUTE = re.compile(r"\b(?:GET|POST|PUT|DELETE|PATCH) (/[\w/{}.:-]*[\w}])")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]+)")
TOP = ("agent/", "cmake/", "common/", "conf/", "control-plane/", "control-plane-client/", "dev.d/", "docs/", "packaging/",
       "storage/", "systemd/", "tests/", ".ci/")
PROGRAMS = ("backstay-agent", "backstay-control", "backstay", "./dev")


def documents(root):
    return [path for path in tree.files(root, ".md") if not path.startswith("tests/")]


def link_faults(root, path, text):
    faults = []
    for target in LINK.findall(FENCE.sub("", text)):
        name = target.split("#")[0]
        if not name or "://" in target or target.startswith("mailto:"):
            continue
        if not ((root / path).parent / name).exists():
            faults.append(f"{path}: link to {target}, which is not there")
    return faults


def file_faults(root, path, text):
    faults = []
    for ticked in TICKED.findall(FENCE.sub("", text)):
        name = ticked.strip().split(" ")[0].rstrip("/")
        if (name + "/").startswith(TOP) and re.fullmatch(r"[\w./-]+", name) and not (root / name).exists():
            faults.append(f"{path}: names {name}, which is not there")
    return faults


def sources(root):
    text = {}
    for path in tree.files(root, ".cpp", ".h", ".sh", "dev", ".py"):
        if path.startswith(("agent/", "control-plane/", "common/", "dev", "tests/tools/", "tests/bench/")):
            text[path] = (root / path).read_text(errors="replace")
    return "\n".join(text.values())


def command_faults(path, text, source):
    """Options behind one of our programs, in code blocks and ticks."""
    faults, lines = [], []
    for block in FENCE.findall(text):
        lines += block.replace("\\\n", " ").split("\n")
    lines += TICKED.findall(FENCE.sub("", text))
    for line in lines:
        command = re.sub(r"^\s*(\$|#|sudo( -u \w+)?)\s+", "", line.strip())
        if not command.startswith(tuple(program + " " for program in PROGRAMS)):
            continue
        for option in OPTION.findall(command):
            if "--" + option not in source:
                faults.append(f"{path}: option --{option} (in `{command[:60]}`) is in no source")
        word = re.match(r"\./dev (\w+)", command)
        if word and f"cmd_{word.group(1)}()" not in source:
            faults.append(f"{path}: ./dev {word.group(1)} does not exist")
    return faults


def route_faults(path, text, source):
    known = {re.sub(r"\{\w*\}", "{}", literal) for literal in re.findall(r'"(/[\w/{}.:-]+)"', source)}
    faults = []
    for route in ROUTE.findall(text):
        shape = re.sub(r"\{\w*\}", "{}", route)
        if not any(shape == one or shape.endswith(one) for one in known):
            faults.append(f"{path}: route {route} is served by no source")
    return faults


def step_faults(root):
    evidence, steps = root / "docs/evidence.md", root / "common/domain/steps.h"
    if not evidence.exists() or not steps.exists():
        return []
    known = set(re.findall(r'string_view k\w+ = "([a-z_]+)"', steps.read_text().split("namespace artifact")[0]))
    told = set(re.findall(r"^### `?(\w+)", evidence.read_text(), re.M))
    return [f"docs/evidence.md: step {name} does not exist" for name in sorted(told - known)] + [
        f"docs/evidence.md: step {name} is not described" for name in sorted(known - told)]


FACT = (re.compile(r'facts(?:\[|\.(?:try_)?emplace\(|\.insert_or_assign\()"(\w+)"'), re.compile(r'(?:add|with)_fact\("(\w+)"'))
FACT_LIST = re.compile(r'facts = \{\s*(\{.*?\})\s*\};', re.S)
PROOF = re.compile(r'proofs(?:\.emplace_back\(|\.push_back\()"([a-z_]+:[\w:]*)"')
PROOF_LIST = re.compile(r'proofs = \{("[^}]*)\}')
PROOF_WORD = re.compile(r'"([a-z_]+:\w*)"')


def evidence_keys(root):
    """Facts and proofs that the agent's code can record, as literals."""
    facts, proofs = set(), set()
    for path in tree.files(root, ".cpp"):
        if not path.startswith(("agent/jobs/", "agent/evidence/", "agent/artifact/", "agent/odoo/", "agent/postgres/",
                                "storage/", "common/pq/", "common/process/")):
            continue
        code = (root / path).read_text()
        for pattern in FACT:
            facts.update(pattern.findall(code))
        for block in FACT_LIST.findall(code):
            facts.update(re.findall(r'\{"(\w+)",', block))
        proofs.update(PROOF.findall(code))
        for block in PROOF_LIST.findall(code):
            proofs.update(PROOF_WORD.findall(block))
    return facts, proofs


def evidence_faults(root):
    """docs/evidence.md names every fact and proof that the code can record, and no other."""
    page = root / "docs/evidence.md"
    if not page.exists():
        return []
    text = page.read_text()
    ticked = set(TICKED.findall(text))
    facts, proofs = evidence_keys(root)
    facts.discard("stderr")  # becomes the output of the record
    faults = [f"docs/evidence.md: fact {key} is recorded and not described" for key in sorted(facts - ticked)]
    for proof in sorted(proofs):
        # "checksum:" is put together with the artifact's name.
        if not (any(word.startswith(proof) for word in ticked) if proof.endswith(":") else proof in ticked):
            faults.append(f"docs/evidence.md: proof {proof} is recorded and not described")
    done = steps_done(root)
    for step, section in re.findall(r"^### (\w+)\n(.*?)(?=^#|\Z)", text, re.M | re.S):
        facts_told = re.search(r"\bFacts: (.*?)(?:Proofs?:|Optional|\n\n|\Z)", section, re.S)
        if step not in done or not facts_told:
            continue  # told ahead of the code that will do it
        # What stands in parentheses is a value.
        told = {word for word in TICKED.findall(re.sub(r"\([^)]*\)", "", facts_told.group(1))) if re.fullmatch(r"\w+", word)}
        faults += [f"docs/evidence.md: fact {word} is recorded nowhere" for word in sorted(told - facts)]
    return faults


def steps_done(root):
    """Names of the steps that the agent's code does."""
    steps = root / "common/domain/steps.h"
    names = dict(re.findall(r'string_view (k\w+) = "(\w+)"', steps.read_text())) if steps.exists() else {}
    code = "".join((root / path).read_text() for path in tree.files(root, ".cpp") if path.startswith("agent/jobs/"))
    return {name for constant, name in names.items() if f"step::{constant}" in code}


def decision_faults(documents):
    """Two that were written side by side must not share a number."""
    faults, taken = [], {}
    for path in sorted(path for path in documents if path.startswith("docs/decisions/")):
        number = path.split("/")[-1].split("-")[0]
        if number in taken:
            faults.append(f"{path}: the number is that of {taken[number]}")
        taken.setdefault(number, path)
    return faults


def check(root):
    faults, source = step_faults(root) + evidence_faults(root) + decision_faults(documents(root)), sources(root)
    for path in documents(root):
        text = (root / path).read_text()
        if path == "README.md" and text.count("\n") > README_LINES:
            faults.append(f"README.md: more than {README_LINES} lines")
        faults += link_faults(root, path, text) + command_faults(path, text, source)
        if path != "CHANGELOG.md":
            faults += file_faults(root, path, text) + route_faults(path, text, source)
    return faults


STEPS = 'namespace step {\ninline constexpr std::string_view kDbDump = "db_dump";\n}\nnamespace artifact {\n}\n'
CASES = [
    ("a good document", {"README.md": "Read `common/a.h`, [this](docs/b.md), `./dev build --fast`.\n", "common/a.h": "",
                         "docs/b.md": "", "dev": "cmd_build() {\n--fast\n"}, None),
    ("a file gone", {"README.md": "Read `common/a.h`.\n"}, "names common/a.h"),
    ("a dead link", {"README.md": "[this](docs/b.md)\n"}, "link to docs/b.md"),
    ("an option gone", {"README.md": "```\nbackstay status --loud\n```\n", "agent/cli/a.cpp": '"--json"'}, "--loud"),
    ("somebody else's option", {"README.md": "```\nzstd --rm x\n```\n"}, None),
    ("a word gone", {"README.md": "`./dev fly`\n", "dev": "cmd_build() {\n"}, "./dev fly"),
    ("a route gone", {"docs/a.md": "POST /backups/{id}/cancel\n", "control-plane/a.cpp": '"/backups/{id}"'}, "is served"),
    ("a route", {"docs/a.md": "GET /api/backups/{x}\n", "control-plane/a.cpp": '"/backups/{id}"'}, None),
    ("a number twice", {"docs/decisions/0001-a.md": "", "docs/decisions/0001-b.md": ""}, "the number is that of"),
    ("a long README", {"README.md": "a\n" * 130}, "more than 120 lines"),
    ("evidence told", {"docs/evidence.md": "Facts: `files`, `way` (`stream`). Proofs: `checksum:<artifact>`, `toc:entries`.\n",
                       "agent/jobs/a.cpp": 'facts = {{"files", "1"},\n {"way", x}};\nproofs = {"toc:entries"};\n'
                                           'proofs.push_back("checksum:" + name);\n'}, None),
    ("a fact untold", {"docs/evidence.md": "Facts: `files`.\n",
                       "agent/jobs/a.cpp": 'facts = {{"files", "1"}};\nerror.add_fact("bytes", "2");\n'}, "fact bytes is recorded"),
    ("a fact gone", {"docs/evidence.md": "### db_dump\n\nFacts: `files`, `rows`.\n", "common/domain/steps.h": STEPS,
                     "agent/jobs/a.cpp": 'step::kDbDump; facts["files"] = "1";\n'}, "fact rows is recorded nowhere"),
    ("a proof untold", {"docs/evidence.md": "Proof: `toc:entries`.\n", "agent/jobs/a.cpp": 'proofs = {"toc:entries", "x:y"};\n'},
     "proof x:y is"),
    ("a step untold", {"docs/evidence.md": "### db_dump2\n", "common/domain/steps.h": STEPS}, "is not described"),
]

if __name__ == "__main__":
    tree.main(check, CASES)
