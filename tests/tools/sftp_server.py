"""A private SFTP server (tests/infra/sftp.sh) with a folder of its own."""

import os
import subprocess

SFTP_SH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "infra", "sftp.sh")


class Sftp:
    def __init__(self, place):
        self.place = place
        said = subprocess.run([SFTP_SH, "up", place], check=True, text=True, stdout=subprocess.PIPE).stdout
        self.env = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        self.folder = os.path.join(self.env["SFTP_FOLDER"], "erp")

    def __call__(self, *words):
        subprocess.run([SFTP_SH, words[0], self.place, *words[1:]], check=True)

    def read(self, name):
        with open(self.env[name]) as file:
            return file.read()

    def config(self, **more):
        """As the contract writes it."""
        return {"host": self.env["SFTP_HOST"], "port": int(self.env["SFTP_PORT"]), "username": self.env["SFTP_USER"],
                "privateKey": self.read("SFTP_KEY"), "hostKey": self.env["SFTP_HOST_KEY"], "basePath": self.folder, **more}

    def section(self, name, secret):
        """As the agent's configuration writes it, with a password in the file `secret`."""
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.env["SFTP_PASSWORD"] + "\n")
        return (f'[[destination]]\nid = "{name}"\ntype = "sftp"\nhost = "{self.env["SFTP_HOST"]}"\nport = {self.env["SFTP_PORT"]}\n'
                f'username = "{self.env["SFTP_USER"]}"\npassword_file = "{secret}"\nbase_path = "{self.folder}"\n'
                f'known_hosts_file = "{self.env["SFTP_KNOWN_HOSTS"]}"\n')

    def stored(self):
        """Every file below the folder, also what nobody finished."""
        return sorted(os.path.relpath(os.path.join(folder, name), self.folder)
                      for folder, _, names in os.walk(self.folder) for name in names)
