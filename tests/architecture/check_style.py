#!/usr/bin/env python3
"""Sizes, where TRY may stand, and what has no place in the tree."""

import re

import cpp_source
import tree

FILE_LINES, FUNCTION_LINES = 600, 60
# shared_ptr hides who owns what. A file named here says in a comment why two owners are right.
SHARED_PTR = {"common/event/byte_pipe.h", "control-plane/agent-api/assignment_polls.cpp",
              "control-plane/agent-api/storage_routes.cpp", "control-plane/relay/pumps.cpp", "control-plane/relay/pumps.h",
              "control-plane/relay/storage_desk.cpp", "control-plane/relay/storage_desk.h"}
TEXT = (".cpp", ".h", ".py", ".sh", ".md", ".cmake", ".txt", ".toml", ".service", ".json", ".sql", "dev", "run")
SELF = "tests/architecture/"

WORDS = [
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "leaves something undone: do it or take it out"),
    (re.compile(r"\b(GTEST_SKIP|pytest\.skip|mark\.skip)\b"), "a skipped test proves nothing"),
    (re.compile(r"(?<![\w.])/(work|tmp/wt)/"), "a path of somebody's machine"),
]
CPP_WORDS = [
    # Inside a function a clock's words may stand bare.
    (re.compile(r"^using\s+namespace\b|\busing\s+namespace\s+(?!std::(?:chrono|literals)\b)", re.M), "using namespace"),
    (re.compile(r"\b(class|struct)\s+\w+(Manager|Helper|Helpers|Util|Utils|Impl)\b"), "a name that says nothing"),
    (re.compile(r"\bfriend\s+class\b.*Test"), "a test gets no friend: reach it through the public face"),
    (re.compile(r"#\s*ifdef\s+\w*TEST"), "no code for tests in the product"),
]
TRY = re.compile(r"\bTRY\s*\(")


def try_faults(path, code):
    """TRY stands alone, is a whole initialiser, the only argument, or directly inside another TRY: beside other values
    in braces or arguments it would leak the earlier ones on the error path (common/result.h)."""
    faults = []
    for match in TRY.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        if code[code.rfind("\n", 0, match.start()) + 1 : match.start()].lstrip().startswith("#"):
            continue
        before = code[max(0, match.start() - 200) : match.start()].rstrip()
        after = code[_end(code, match.end()) :].lstrip()[:1]
        if not _stands_well(before, after) and not _stands_well(before.rstrip("!*").rstrip(), after):
            faults.append(f"{path}:{line}: TRY beside other values: give it a statement of its own")
    return faults


def _end(code, at):
    depth = 1
    while depth and at < len(code):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        at += 1
    return at


def _stands_well(before, after):
    if not before or before[-1] in ";}":
        return True
    if before[-1] == "{":
        return not re.search(r"[\w>)]\{$", before)  # `Thing{TRY(…)}`; the format puts a space before a block
    if before[-1] == "=":
        return not re.search(r"[{,]\s*\.\w+\s*=$", before)  # a designated member
    if before[-1] == "(":
        return after == ")" or bool(re.search(r"\b(if|while|switch)\s*\($", before))
    # Left of an operator stands a scalar: nothing to leak. An argument after a comma is what leaks.
    return before[-1] in ":)&|*+-/<>?" or bool(re.search(r"\b(return|else|do)$", before))


def check_cpp(path, text):
    faults, code = [], cpp_source.blank(text)
    for name, line, lines in cpp_source.functions(text):
        if lines > FUNCTION_LINES:
            faults.append(f"{path}:{line}: {name} has {lines} lines, more than {FUNCTION_LINES}")
    for pattern, why in CPP_WORDS:
        faults += [f"{path}:{code.count(chr(10), 0, m.start()) + 1}: {why}" for m in pattern.finditer(code)]
    if path not in SHARED_PTR and re.search(r"\bshared_ptr\b", code):
        faults.append(f"{path}: shared_ptr outside the list of tests/architecture/check_style.py")
    if path.endswith(".h") and "#pragma once" not in text:
        faults.append(f"{path}: no #pragma once")
    if path.endswith(".h") and not text.startswith("//"):
        faults.append(f"{path}: a header opens with what it is, who owns it and which thread may call it")
    return faults + try_faults(path, code)


def check_python(path, text):
    faults, open_defs = [], []
    lines = text.split("\n")
    for number, line in enumerate([*lines, "end"], 1):
        indent = len(line) - len(line.lstrip())
        while open_defs and line.strip() and indent <= open_defs[-1][1] and not line.lstrip().startswith(")"):
            name, _, first, last = open_defs.pop()
            if last - first + 1 > FUNCTION_LINES:
                faults.append(f"{path}:{first}: {name} has {last - first + 1} lines, more than {FUNCTION_LINES}")
        if line.strip():
            open_defs = [(n, i, first, number) for n, i, first, _ in open_defs]
        found = re.match(r"\s*(?:async )?def (\w+)", line)
        if found:
            open_defs.append((found.group(1), indent, number, number))
    return faults


def check(root):
    faults = []
    for path in tree.files(root, *TEXT):
        text = (root / path).read_text(errors="replace")
        lines = text.count("\n")
        if lines > FILE_LINES and path.endswith((".cpp", ".h", ".py", ".sh", "dev")):
            faults.append(f"{path}: {lines} lines, more than {FILE_LINES}: two ideas in one room")
        if not path.startswith(SELF):
            for pattern, why in WORDS:
                faults += [f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {m.group(0)}: {why}"
                           for m in pattern.finditer(text)]
        if path.endswith((".cpp", ".h")):
            faults += check_cpp(path, text)
        elif path.endswith(".py"):
            faults += check_python(path, text)
    return faults


def body(lines, kind="int f(int a) {\n"):
    return kind + "    g();\n" * lines + "}\n"


CASES = [
    ("a short function", {"a.cpp": body(50)}, None),
    ("a long function", {"a.cpp": body(61)}, "f has 63 lines"),
    ("a long test", {"a.cpp": body(70, "TEST(Thing, Works) {\n")}, "TEST has 72 lines"),
    ("a long method", {"a.cpp": "namespace b {\nclass C final {\n" + body(70, "C() : x_{1}, y_(2) {\n") + "};\n}\n"},
     "C has 72 lines"),
    ("a long table", {"a.cpp": "constexpr auto k = make({\n" + "    1,\n" * 90 + "});\n"}, None),
    ("a long struct", {"a.cpp": "struct S {\n" + "    int a;\n" * 90 + "};\n"}, None),
    ("a long file", {"a.cpp": "int a;\n" * 601}, "601 lines"),
    ("a long python function", {"a.py": "def f():\n" + "    g()\n" * 61 + "x = 1\n"}, "f has 62 lines"),
    ("TRY alone", {"a.cpp": "R f() {\n    TRY(g());\n    auto a = TRY(h(TRY(i())));\n    if (TRY(j())) TRY(k());\n}\n"}, None),
    ("TRY among arguments", {"a.cpp": "R f() {\n    g(a, TRY(h()));\n}\n"}, "TRY beside other values"),
    ("TRY first of arguments", {"a.cpp": "R f() {\n    g(TRY(h()), a);\n}\n"}, "TRY beside other values"),
    ("TRY as only argument", {"a.cpp": "R f() {\n    g(TRY(h()));\n}\n"}, None),
    ("TRY in braces", {"a.cpp": "R f() {\n    return Thing{TRY(h()), 1};\n}\n"}, "TRY beside other values"),
    ("TRY as designated member", {"a.cpp": "R f() {\n    return Thing{.a = TRY(h())};\n}\n"}, "TRY beside"),
    ("TRY in a lambda", {"a.cpp": "R f() {\n    g([&]() -> Result<> { TRY(h()); return {}; });\n}\n"}, None),
    ("undone", {"a.cpp": "// TO" + "DO later\n"}, "leaves something undone"),
    ("using namespace", {"a.cpp": "using namespace std;\n"}, "using namespace"),
    ("using namespace in a class", {"a.cpp": "void f() {\n    using namespace boost;\n}\n"}, "using namespace"),
    ("a clock's words", {"a.cpp": "void f() {\n    using namespace std::chrono;\n}\n"}, None),
    ("only in a comment", {"a.cpp": "// never using namespace\n"}, None),
    ("shared_ptr", {"a.cpp": "std::shared_ptr<int> a;\n"}, "shared_ptr outside"),
    ("a header without guard", {"a.h": "// What it is.\nint a;\n"}, "no #pragma once"),
    ("an empty name", {"a.h": "// A.\n#pragma once\nclass JobManager {};\n"}, "says nothing"),
    ("somebody's path", {"a.sh": "cd /wo" + "rk/x\n"}, "somebody's machine"),
]

if __name__ == "__main__":
    tree.main(check, CASES)
