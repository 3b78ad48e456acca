"""C++ text as the style check needs it: without comments and literals, and cut into functions."""

import re

_LITERALS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z_])\'(?:\\.|[^\'\\\n])+\'', re.S
)
_SCOPE = re.compile(r"\b(namespace|class|struct|enum|union)\b[^()]*$|\bextern\s*$")


def blank(text):
    """Comments and literals become spaces; the lines stay where they are."""

    def hide(match):
        found = match.group(0)
        kept = "".join(c if c == "\n" else " " for c in found)
        return kept if found.startswith("/") else '"' + kept[2:] + '"' if len(kept) >= 2 else kept

    return _LITERALS.sub(hide, text)


def _drop_directives(code):
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.M)


def _matching(code, start):
    depth = 0
    for at in range(start, len(code)):
        if code[at] == "{":
            depth += 1
        elif code[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return len(code) - 1


def functions(text):
    """(name, first line, lines from the opening to the closing brace) of every function that has a body."""
    code, found = _drop_directives(blank(text)), []
    at, head_from, parens = 0, 0, 0
    while at < len(code):
        c = code[at]
        if c == "(":
            parens += 1
        elif c == ")":
            parens -= 1
        elif c in ";}" and parens == 0:
            head_from = at + 1
        elif c == "{":
            head = code[head_from:at].strip()
            if parens > 0 or _initialises(head):
                at = _matching(code, at)
            elif "(" in head and not _SCOPE.search(head):
                end = _matching(code, at)
                name = re.search(r"([\w:~]+|operator\W+)\s*\(", head)
                found.append((name.group(1) if name else "?", code.count("\n", 0, at) + 1,
                              code.count("\n", at, end) + 1))
                at, head_from = end, end + 1
            elif head.endswith("=") or re.search(r"=\s*[\w:<>, ]*$", head):
                at = _matching(code, at)
            else:
                head_from = at + 1
        at += 1
    return found


def _initialises(head):
    """A brace that initialises a member in a constructor's list: `X() : member_` before `{`."""
    return bool(re.search(r"\)\s*(noexcept\s*)?:[^:]", head)) and bool(re.search(r"[\w>]$", head))
