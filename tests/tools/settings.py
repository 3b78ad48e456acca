"""Changes in the settings of a control plane under test."""

import json
import pathlib


def change(state, **values):
    """Gives new values to settings that control.toml of this folder has; a name may not stand in two of its sections."""
    path = pathlib.Path(state, "control.toml")
    lines, missing = [], set(values)
    for line in path.read_text().splitlines():
        key = line.partition(" = ")[0]
        if key in values:
            line = f"{key} = {json.dumps(values[key])}"
            missing.discard(key)
        lines.append(line)
    assert not missing, missing
    path.write_text("\n".join(lines) + "\n")
