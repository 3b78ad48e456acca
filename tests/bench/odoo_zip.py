"""Odoo's own way to back up, as its database manager does it (odoo/service/db.py, dump_db): copy the filestore, run a plain
pg_dump, then deflate everything into one ZIP, dump.sql first."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile


def zip_dir(folder, target):
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_DEFLATED, allowZip64=True) as out:
        for root, _, names in os.walk(folder):
            for name in sorted(names, key=lambda n: n != "dump.sql"):
                path = os.path.join(root, name)
                out.write(path, os.path.relpath(path, folder))


def main():
    database, filestore, target = sys.argv[1:4]
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as work:
        shutil.copytree(filestore, os.path.join(work, "filestore"))
        with open(os.path.join(work, "manifest.json"), "w") as manifest:
            manifest.write("{}")
        subprocess.run(["pg_dump", "--no-owner", "--file", os.path.join(work, "dump.sql"), database], check=True)
        zip_dir(work, target)


if __name__ == "__main__":
    main()
