"""./dev demo: a full backup of an Odoo, ordered over REST, proven, restored into staging and compared with its source.

Exit 0 only if all of it held."""

import argparse
import hashlib
import os
import sys
import tempfile

import odoo_compare
from api import until_terminal
from bars import Bar, size
from lab import PRODUCTION, STAGING, Lab


class Demo:
    def __init__(self, lab):
        self.lab, self.api, self.env = lab, lab.api(), lab.env
        self.failures = []

    def title(self, text):
        print(f"\n\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)

    def check(self, holds, text):
        print(f"  {'✓' if holds else '✗'} {text}", flush=True)
        if not holds:
            self.failures.append(text)

    def run(self):
        backup = self.backup()
        if self.restorable(backup):
            self.by_hand(backup)
            self.restore(backup)
            self.compare()
        self.on_the_host()
        return not self.failures

    def backup(self):
        self.title("1. A full backup of production, ordered through REST")
        answer = self.api.post(f"/environments/{self.env['ENV_PRODUCTION_ID']}/backups", {"type": "full", "label": "demo"})
        path = f"/backups/{answer['backupId']}"
        print(f"  POST /api/environments/{self.env['ENV_PRODUCTION_ID']}/backups → {answer['message']}")
        self.api.follow(path + "/progress", Bar())
        return until_terminal(lambda: self.api.get(path), 60)

    def restorable(self, backup):
        self.evidence(backup["recoveryEvidence"])
        self.check(backup["status"] == "completed", f"the backup is {backup['status']}, {size(backup['sizeBytes'])} stored")
        return backup["status"] in ("completed", "partial")

    def evidence(self, evidence):
        self.title(f"   The evidence: {evidence['status']}, remote copy {evidence['remoteCopyState']}. Why this is green:")
        for line in evidence["whyGreen"]:
            print(f"  + {line}")
        for line in evidence["whyNotGreen"]:
            print(f"  - {line}")
        self.check(evidence["canWriteCleanSuccess"] and evidence["status"] == "green",
                   f"all {len(evidence['requiredSteps'])} required steps testified, nothing is missing")

    def by_hand(self, backup):
        self.title("2. What lies in the destination, checked without Backstay")
        evidence = backup["recoveryEvidence"]
        folder = os.path.join(self.lab.path("backups"), backup["remotePaths"][self.env["DESTINATION_ID"]])
        for name, path in sorted(evidence["artifactPaths"].items()):
            file = os.path.join(folder, path)
            with open(file, "rb") as stored:
                digest = "sha256:" + hashlib.file_digest(stored, "sha256").hexdigest()
            self.check(digest == evidence["artifactChecksums"][name], f"sha256 of {path} ({size(os.path.getsize(file))}) is as testified")

    def restore(self, backup):
        self.title("3. A restore into the staging environment")
        answer = self.api.post(f"/backups/{backup['id']}/restore",
                               {"targetType": "other", "targetEnvironmentId": self.env["ENV_STAGING_ID"]})
        print(f"  POST /api/backups/{backup['id']}/restore → {answer['message']}")
        self.api.follow(f"/backups/{backup['id']}/restore/progress", Bar())
        logs = until_terminal(lambda: self.api.get(f"/environments/{self.env['ENV_STAGING_ID']}/restore-logs")["restoreLogs"][0], 60)
        self.evidence(logs["recoveryEvidence"])
        self.check(logs["status"] == "completed", f"the restore is {logs['status']}")

    def compare(self):
        self.title("4. Staging compared with production")
        lab = self.lab
        result = odoo_compare.compare(lab.pg, PRODUCTION, STAGING, lab.filestore(PRODUCTION), lab.filestore(STAGING))
        for text in result.good:
            self.check(True, text)
        for text in result.wrong:
            self.check(False, text)
        ours, theirs = (lab.pg.psql(name, "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'")
                        for name in (PRODUCTION, STAGING))
        self.check(ours != theirs, "staging has a database identity of its own")
        live = lab.pg.psql(STAGING, "SELECT count(*) FROM ir_cron WHERE active AND cron_name NOT ILIKE '%vacuum%'")
        mail = lab.pg.psql(STAGING, "SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host <> 'invalid'")
        self.check(live == "0" and mail == "0", "staging is neutralized: no scheduled action runs, no mail leaves")

    def on_the_host(self):
        self.title("5. The same on the host's command line")
        for line in self.lab.backstay("jobs").stdout.splitlines():
            print(f"  {line}")


def main():
    parse = argparse.ArgumentParser(prog="./dev demo")
    parse.add_argument("--preset", default="dev", help="which build to run")
    parse.add_argument("--keep", action="store_true", help="leave the lab running and say where")
    given = parse.parse_args()
    folder = tempfile.mkdtemp(prefix="backstay-demo-", dir="/tmp")
    lab = Lab(folder, given.preset)
    good = False
    try:
        lab.up()
        print(f"Data: {lab.data}")
        demo = Demo(lab)
        good = demo.run()
        print("\n" + ("Everything held." if good else "Not everything held:\n  " + "\n  ".join(demo.failures)))
    except BaseException:
        for name in ("control", "agent"):
            print(f"--- {name} said last:\n{lab.log_tail(name)}", file=sys.stderr)
        raise
    finally:
        if given.keep:
            print(f"The lab stays up: {lab.path('lab.env')}; ./dev down --dir {folder} --purge ends it.")
        else:
            lab.down()
            lab.purge()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
