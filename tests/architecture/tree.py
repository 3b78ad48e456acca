"""The project's files as the architecture checks see them, and how a check reports and tests itself."""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = ("build", ".git", "node_modules", "__pycache__", ".pytest_cache", "dist")


def files(root, *suffixes):
    """Paths relative to root, in order: what git knows or would take; every file where there is no git."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, text=True
    )
    if listed.returncode == 0 and (root / ".git").exists():
        names = [name for name in listed.stdout.split("\0") if name]
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    kept = []
    for name in sorted(set(names)):
        if name.split("/")[0] in SKIPPED or "__pycache__" in name:
            continue
        if name.endswith(suffixes) and (root / name).is_file():
            kept.append(name)
    return kept


def self_test(check, cases):
    """Each case is (name, {path: text}, word): the check must complain with that word, or be content when it is None."""
    wrong = 0
    for name, tree, word in cases:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in tree.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            faults = check(root)
        good = not faults if word is None else any(word in fault for fault in faults)
        if not good:
            wrong += 1
            print(f"self-test '{name}': expected {word!r}, got {faults}")
    print(f"{len(cases) - wrong} of {len(cases)} self-tests passed")
    return 1 if wrong else 0


def main(check, cases):
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test(check, cases))
    faults = check(ROOT)
    for fault in faults:
        print(fault)
    print(f"{pathlib.Path(sys.argv[0]).name}: {len(faults)} faults" if faults else "holds")
    sys.exit(1 if faults else 0)
