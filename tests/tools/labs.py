"""./dev up --dir D and ./dev down --dir D."""

import argparse
import os
import sys

import odoo_data
from lab import Lab


def parser():
    parse = argparse.ArgumentParser(prog="./dev")
    words = parse.add_subparsers(dest="word", required=True)
    up = words.add_parser("up", help="start a lab and return when everything answers")
    up.add_argument("--dir", required=True)
    up.add_argument("--database", help="a plain dump of an Odoo database, .sql.zst")
    up.add_argument("--filestore", help="its filestore/<database>, .tar.zst")
    up.add_argument("--control-store", help="another store for the control plane")
    up.add_argument("--no-agent", action="store_true", help="enrol the agent, but do not start it")
    up.add_argument("--wal", action="store_true", help="archive WAL through the agent")
    up.add_argument("--preset", default="dev", help="which build to run")
    down = words.add_parser("down", help="stop exactly what up started")
    down.add_argument("--dir", required=True)
    down.add_argument("--purge", action="store_true", help="remove the folder too")
    return parse


def up(given):
    if given.filestore and not given.database:
        raise SystemExit("--filestore belongs to a --database")
    for path in (given.database, given.filestore):
        if path and not os.path.exists(path):
            raise SystemExit(f"{path} does not exist")
    lab = Lab(given.dir, given.preset, odoo_data.production(given.database, given.filestore), given.control_store,
              not given.no_agent, given.wal).up()
    print(f"lab is up: {lab.path('lab.env')}\n  data of production: {lab.data}\n  API {lab.env['API_URL']}\n"
          f"  agent socket {lab.env['AGENT_SOCKET']}", file=sys.stderr)


def down(given):
    if not os.path.exists(os.path.join(given.dir, "lab.json")):
        raise SystemExit(f"no lab is up in {given.dir}")
    lab = Lab.found(given.dir)
    lab.down()
    if given.purge:
        lab.purge()


if __name__ == "__main__":
    arguments = parser().parse_args()
    {"up": up, "down": down}[arguments.word](arguments)
