"""Common mistakes, made for real: `backstay doctor` finds each and says what to do."""

import json
import os
import socket
import stat
import subprocess

import pytest
from conftest import PRESET
from local_agent import DATABASE, LocalAgent
from tiny_s3 import TinyS3

NO_BUCKET = (404, b"<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>")
NO_KEY = (403, b"<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>")


class Host(LocalAgent):
    """No agent runs: the doctor looks by itself, each time at a configuration with one mistake in it."""

    def examine(self, old="", new="", database=DATABASE, user=None):
        self.write_config(extra=f'encryption_key_file = "{self.path("key")}"\nscratch_dir = "{self.path("scratch")}"')
        with open(self.path("agent.toml")) as file:
            text = file.read()
        assert old in text, text
        with open(self.path("agent.toml"), "w") as file:
            file.write(text.replace(old, new, 1) if old else text + new)
        done = self.run("--json", "doctor", "--config", self.path("agent.toml"), "--user", user or "root", database)
        return json.loads(done.stdout)["checks"]

    def s3(self, port):
        return (f'[[destination]]\nid = "bucket"\ntype = "s3_compatible"\nendpoint = "http://127.0.0.1:{port}"\nbucket = "b-1"\n'
                f'access_key_id = "a"\nsecret_access_key_file = "{self.path("secret")}"\n')


def write(path, text, mode=0o600):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


@pytest.fixture
def host(folder):
    one = Host(folder, PRESET).prepare()
    os.makedirs(one.path("state"), mode=0o700)
    one.run("key", "generate", one.path("key"), check=0)
    write(one.path("secret"), "s" * 20)
    yield one
    one.pg.forget()


def found(checks, subject, name, *words):
    """The line, which has these words in its message or its hint, and a hint at all."""
    lines = [one for one in checks if one["subject"] == subject and one["name"] == name and one["result"] != "ok"]
    assert lines, checks
    for word in words:
        assert any(word in one["message"] + " → " + one["hint"] for one in lines), (word, lines)
    assert all(one["hint"] for one in lines), lines
    return lines[0]


def test_a_sound_host_needs_nothing_mended(host):
    assert [one for one in host.examine() if one["result"] == "failed" and one["name"] != "socket"] == []


def test_mistakes_about_postgresql(host):
    pg = host.pg
    found(host.examine(f"port = {pg.port}", "port = 1"), "cluster main", "connection", "is PostgreSQL running")
    found(host.examine(database="nosuch"), "database nosuch", "connection", "inventory")
    pg.psql("postgres", "CREATE ROLE meek LOGIN PASSWORD 'right'")
    found(host.examine('user = "backstay"', 'user = "meek"'), f"database {DATABASE}", "read rights", "GRANT pg_read_all_data")
    hba = os.path.join(pg.data, "pg_hba.conf")
    with open(hba) as file:
        rules = file.read()
    with open(hba, "w") as file:
        file.write("local all meek scram-sha-256\n" + rules)
    pg.psql("postgres", "SELECT pg_reload_conf()")
    wrong = write(host.path("pgpass"), "*:*:*:meek:wrong\n")
    line = found(host.examine('user = "backstay"', f'user = "meek"\npassword_file = "{wrong}"'), "cluster main", "connection", "password_file")
    assert "password authentication failed" in line["message"], line
    os.makedirs(host.path("tools"))
    for tool in ("pg_dump", "pg_restore"):
        write(host.path("tools", tool), f"#!/bin/sh\necho '{tool} (PostgreSQL) 9.6.24'\n", 0o755)
    line = found(host.examine('user = "backstay"', f'user = "backstay"\nbin_dir = "{host.path("tools")}"'), f"database {DATABASE}", "pg_dump",
                 "install postgresql-client")
    assert "9.6.24" in line["message"], line


def test_mistakes_about_files(host):
    named = f'filestore = "{host.filestore}"'
    found(host.examine(named, f'filestore = "{host.path("gone")}"'), f"database {DATABASE}", "filestore", "is not there", "mount it")
    os.makedirs(host.path("filestore", "other"))
    found(host.examine(named, f'filestore = "{host.path("filestore", "other")}"'), f"database {DATABASE}", "filestore", "not this database's")
    conf = write(host.path("odoo.conf"), f"[options]\ndata_dir = {host.path('elsewhere')}\n")
    found(host.examine(named, f'{named}\nodoo_conf = "{conf}"'), f"database {DATABASE}", "data_dir", host.path("elsewhere"))
    found(host.examine(named, f'{named}\nodoo_conf = "{conf}.not"'), f"database {DATABASE}", "odoo.conf", "odoo_conf")
    os.chmod(host.path("key"), 0o644)
    found(host.examine(), "encryption", "key", "read by others", "chmod 0600")
    os.remove(host.path("key"))
    found(host.examine(), "encryption", "key", "put the key back", "key generate")
    assert stat.S_IMODE(os.stat(host.state).st_mode) == 0o700
    os.chmod(host.state, 0o755)
    found(host.examine(), "agent", "state rights", "chmod 0700")
    found(host.examine(user="no-such-account" if os.geteuid() == 0 else "root"), "account", "account" if os.geteuid() == 0 else "rights")


def test_mistakes_about_destinations(host):
    roots = f'local_roots = ["{host.folder}"]'
    found(host.examine(roots, f'local_roots = ["{host.path("unmounted")}"]'), "agent", "local_roots", "not mounted", "install -d")
    found(host.examine(roots, "local_roots = []"), "destination disk", "open", "local_roots")
    found(host.examine(f'path = "{host.store}"', f'path = "{host.path("agent.toml")}"'), "destination disk", "write and read")
    found(host.examine("min_free_bytes = 0", f"min_free_bytes = {1 << 60}"), "destination disk", "write and read", "free space")
    found(host.examine(), "host", "only here", "s3_compatible or sftp")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found(host.examine(new=host.s3(closed.getsockname()[1])), "destination bucket", "write and read", "is the address right")
    store = TinyS3()
    try:
        assert not [one for one in host.examine(new=host.s3(store.port)) if one["subject"] == "destination bucket" and one["result"] != "ok"]
        found(host.examine(new=host.s3(store.port) + "object_lock_days = 3\n"), "destination bucket", "write and read", "without object lock")
    finally:
        store.close()
    for refusal, words in ((NO_BUCKET, ("does the bucket exist",)), (NO_KEY, ("is the access key right",))):
        store = TinyS3(refusal)
        try:
            found(host.examine(new=host.s3(store.port)), "destination bucket", "write and read", *words)
        finally:
            store.close()


def test_a_socket_that_the_caller_may_not_open_is_told_from_an_agent_that_is_gone(host):
    if os.geteuid() != 0:
        return  # its owner may always
    host.start()
    os.chmod(host.socket, 0o600)
    done = subprocess.run([os.path.join(host.bin, "backstay"), "--socket", host.socket, "--json", "doctor", "--config", host.path("agent.toml"),
                           "--user", "nobody"], text=True, stdout=subprocess.PIPE)
    host.stop()
    found(json.loads(done.stdout)["checks"], "agent", "socket", "your account is not in the group of the socket")
