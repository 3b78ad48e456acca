"""Secrets are fed everywhere, in good and in failing ways, at the most talkative log level; nothing of them comes out where it
does not belong: logs, answers, command lines and environments of children, PostgreSQL's log, databases of ours."""

import json
import os
import pathlib
import re
import secrets
import subprocess
import threading

import odoo_data
import pytest
import requests
from api import until_terminal
from conftest import PRESET, end, new_folder
from lab import Lab
from mail_receiver import Receiver as MailServer
from processes import wait_until
from sftp_server import Sftp
from tiny_s3 import TinyS3
from webhook_receiver import Receiver as WebServer

LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warning|error) [a-z].*")


class Feeding:
    """Words that nobody may see again, and whatever was said while they were fed."""

    def __init__(self):
        self.words, self.said = [], []

    def word(self, name):
        """A new secret, of the form of its name."""
        forms = {"jwt": "eyJhbGciOiJIUzI1NiJ9.{}.c2ln", "key": "bsk_{}", "long": "{0}{0}"}
        text = secrets.token_hex(16)
        self.words.append((name, text))
        return forms.get(name.partition(" ")[0], "{}").format(text)

    def keep(self, name, text):
        assert len(text) >= 8, name
        self.words.append((name, text))
        return text

    def hear(self, where, text):
        self.said.append((where, text if isinstance(text, bytes) else str(text).encode()))

    def run(self, *argv, env=None):
        done = subprocess.run(argv, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, env=env)
        self.hear(" ".join(map(os.path.basename, argv[:3])), done.stdout)
        return done

    def leaks(self):
        return sorted({f"{name} in {where}: {text[max(0, text.find(word.encode()) - 160):][:240]!r}"
                       for where, text in self.said for name, word in self.words if word.encode() in text})


class Children:
    """Command lines and environments of everything that the agent starts."""

    def __init__(self, feeding, pid):
        self.feeding, self.pid, self.seen = feeding, pid, set()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def children(self):
        """By the kernel's own list where it keeps one, else by everybody's parent."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task")
        try:
            return set(" ".join((task / "children").read_text() for task in tasks.iterdir()).split())
        except OSError:
            found = set()
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                if stat.read_text().rpartition(")")[2].split()[1] == str(self.pid):
                    found.add(stat.parent.name)
            except (OSError, IndexError):
                continue
        return found

    def watch(self):
        while not self.over.is_set():
            for child in self.children():
                for name in ("cmdline", "environ"):
                    try:
                        text = pathlib.Path(f"/proc/{child}/{name}").read_bytes()
                    except OSError:
                        continue
                    self.seen.add((name, text))
            self.over.wait(0.002)

    def end(self):
        self.over.set()
        self.thread.join()
        for name, text in self.seen:
            self.feeding.hear(f"a child's {name}", text)


def private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return str(path)


@pytest.fixture(scope="module")
def fed():
    feeding = Feeding()
    one = Lab(str(new_folder()), PRESET, production=odoo_data.Made("production", partners=20, messages=20, files=10), s3={}, agent=False,
              settings=["log_statement = 'all'", "log_connections = on", "log_min_error_statement = debug1"])
    sftp = Sftp(str(new_folder() / "sftp"))
    try:
        one.up()
        yield one, feeding, sftp
    finally:
        sftp("down")
        end(one)


def settle_postgres(lab, feeding):
    """The agent's role logs in with a password; first with a wrong one."""
    password = feeding.word("PostgreSQL password")
    hba = pathlib.Path(lab.pg.data, "pg_hba.conf")
    lab.pg.psql("postgres", f"SET log_statement = 'none'; ALTER ROLE backstay PASSWORD '{password}'; SELECT pg_reload_conf()")
    hba.write_text("local all backstay scram-sha-256\n" + hba.read_text())
    lab.pg.psql("postgres", "SELECT pg_reload_conf()")
    return password


def agent_settings(lab, feeding, sftp, s3, database_password):
    text = pathlib.Path(lab.path("agent.toml")).read_text()
    passwords = private(lab.path("pgpass"), f"*:*:*:backstay:{database_password}\n")
    text = text.replace('user = "backstay"\n', f'user = "backstay"\npassword_file = "{passwords}"\n', 1)
    key = lab.path("artifacts.key")
    if not os.path.exists(key):
        feeding.run(f"{lab.bin}/backstay", "key", "generate", key)
        feeding.keep("encryption key", pathlib.Path(key).read_text().strip())
    text = text.replace("scratch_dir", f'encryption_key_file = "{key}"\nscratch_dir', 1)
    text = text.replace('name = "local"', 'name = "local"\nencrypt = true', 1)
    wrong = private(lab.path("sftp.wrong"), feeding.word("SFTP password of the agent") + "\n")
    good = private(lab.path("s3.secret"), feeding.word("S3 secret of the agent") + "\n")
    return text + (f'[[destination]]\nid = "files"\ntype = "sftp"\nhost = "{sftp.env["SFTP_HOST"]}"\nport = {sftp.env["SFTP_PORT"]}\n'
                   f'username = "{sftp.env["SFTP_USER"]}"\npassword_file = "{wrong}"\nbase_path = "{sftp.folder}"\n'
                   f'known_hosts_file = "{sftp.env["SFTP_KNOWN_HOSTS"]}"\n'
                   f'[[destination]]\nid = "bucket"\ntype = "s3_compatible"\nendpoint = "http://127.0.0.1:{s3.port}"\nbucket = "b-1"\n'
                   f'access_key_id = "a"\nsecret_access_key_file = "{good}"\n')


def start_control(lab, feeding, mail):
    """At debug, with mail whose server refuses the password, and a token for /metrics."""
    lab.end("control")
    settings = pathlib.Path(lab.path("control", "control.toml"))
    text = settings.read_text().replace('log_level = "info"', 'log_level = "debug"')
    text = text.replace("allow_private_webhooks = false", "allow_private_webhooks = true")
    text = text.replace('metrics_token_file = ""', 'metrics_token_file = "metrics.token"')
    text = re.sub(r'\n\[mail\].*?(?=\n\[)', f'\n[mail]\nhost = "127.0.0.1"\nport = {mail.port}\nsecurity = "none"\nfrom = "b@example.com"\n'
                  'username = "backstay"\npassword_file = "mail.password"\n', text, flags=re.S)
    settings.write_text(text)
    private(lab.path("control", "mail.password"), feeding.word("mail password") + "\n")
    private(lab.path("control", "metrics.token"), feeding.word("metrics token") + "\n")
    lab.start_control(listen=lab.address)
    for name in ("secrets.key", "jwt.key"):
        feeding.keep(name, pathlib.Path(lab.path("control", name)).read_text().strip())
    for name in ("TOKEN", "VIEWER_TOKEN", "OTHER_ORG_TOKEN", "API_KEY_RO", "API_KEY_RW"):
        feeding.keep(name, lab.env[name])
    credential = json.loads(pathlib.Path(lab.path("agent", "identity.json")).read_text())["credential"]
    feeding.keep("agent credential", credential)


def feed_rest(lab, feeding):
    """Bodies, headers and addresses that hold secrets and are refused."""
    url, session = lab.env["API_URL"], requests.Session()
    session.trust_env = False
    word = feeding.word

    def call(method, path, credential=lab.env["TOKEN"], **more):
        headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json", **more.pop("headers", {})}
        answer = session.request(method, path if "://" in path else url + path, headers=headers, timeout=60, **more)
        feeding.hear(f"the answer to {method} {path.partition('?')[0]}", answer.content)
        return answer

    def config(**more):
        return {"endpoint": "http://127.0.0.1:9", "bucket": "b-1", "accessKeyId": "a", **more}

    places = "/backup-destinations"
    bodies = [(places, f'{{"config": {{"secretAccessKey": "{word("a torn body")}'),
              (places, f'{{"name": "x", "destinationType": "s3_compatible", "config": {{"secretAccessKey": {word("an unquoted secret")}}}}}')]
    bodies += [(places, json.dumps({"name": "x", "destinationType": kind, "config": given})) for kind, given in (
        ("s3_compatible", config(secretAccessKey=[word("a secret in an array")])),
        ("s3_compatible", config(secretAccessKey=word("a secret of a closed port"))),
        ("s3_compatible", config(secretAccessKey="x" * 20, endpoint=f"http://u:{word('a password in an endpoint')}@127.0.0.1:9")),
        ("s3_compatible", config(secretAccessKey="x" * 20, passphrase=word("an unknown member"))),
        ("s3", word("a configuration that is text")),
        ("sftp", {"host": "127.0.0.1", "username": "u", "password": word("an SFTP password"), "port": 1, "hostKey": "SHA256:" + "A" * 43}),
        ("sftp", {"host": "127.0.0.1", "username": "u", "privateKey": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{word('a broken key')}\n"}),
        ("gdrive", {"refreshToken": word("a refresh token")}))]
    bodies += [("/webhook-endpoints", json.dumps(given)) for given in (
        {"url": f"https://u:{word('a password in a webhook')}@example.com/", "events": ["*"], "secret": "x" * 32},
        {"url": "https://example.com/", "events": ["nothing.such"], "secret": word("a webhook secret, refused")},
        {"url": 5, "secret": word("a webhook secret, beside a number")})]
    for path, body in bodies:
        assert call("POST", path, data=body).status_code in (400, 422), body
    for credential in (word("key refused"), word("jwt refused"), lab.env["TOKEN"] + word("a token and more")):
        assert call("GET", "/backup-destinations", credential).status_code == 401
    assert call("GET", "/backup-destinations", "", headers={"X-API-Key": word("X-API-Key")}).status_code == 401
    for path in (f"/backups?access_token={word('a token in a query')}", f"/public/v1/content/{word('long link')}",
                 f"/storage/stream/{word('long link of another')}"):
        assert call("GET", path).status_code in (400, 401, 403, 404)
    call("GET", "/backups/x/progress?token=" + word("a stream token"), "")
    agent = f"http://{lab.address}/agent/v1/"
    assert call("POST", agent + "enroll", "", json={"token": word("an enrolment token"), "hostname": "h"}).status_code == 401
    assert call("POST", agent + "heartbeat", word("an agent's credential, refused"), json={}).status_code == 401
    assert call("POST", agent + "enroll", "", data=f'{{"token": "{word("a torn enrolment")}').status_code in (400, 401, 422)
    return call


def feed_commands(lab, feeding):
    """What administrators mistype."""
    control, cli = f"{lab.bin}/backstay-control", f"{lab.bin}/backstay"
    create = [control, "destination", "create", "--state", lab.path("control"), "--org", "lab", "--name", "c", "--type", "s3_compatible"]
    for config in (f'{{"secretAccessKey": "{feeding.word("a torn --config")}', json.dumps({"secretAccessKey": [feeding.word("--config, an array")]}),
                   json.dumps({"endpoint": "http://127.0.0.1:9", "bucket": "b-1", "accessKeyId": "a",
                               "secretAccessKey": feeding.word("--config, a closed port")}), feeding.word("--config, text")):
        assert feeding.run(*create, "--config", config).returncode != 0
    for url in (f"http://{lab.address}", "http://127.0.0.1:9", f"http://u:{feeding.word('a password in --url')}@127.0.0.1:9"):
        os.makedirs(lab.path("third"), mode=0o700, exist_ok=True)
        private(lab.path("third.toml"), f'state_dir = "{lab.path("third")}"\nsocket = "{lab.path("third", "s")}"\n')
        assert feeding.run(cli, "enroll", "--config", lab.path("third.toml"), "--url", url, "--token",
                           feeding.word(f"--token at {url[-12:]}")).returncode != 0
    faults = [f'[[destination]]\nid = "b"\ntype = "s3"\nsecret_access_key = "{feeding.word("a secret in the settings")}"\n',
              f'[[destination]]\nid = "b"\ntype = "sftp"\npassword = {feeding.word("an unquoted secret in the settings")}\n',
              f'[control_plane]\nurl = "https://u:{feeding.word("a password in url")}@example.com"\n',
              f'[[cluster]]\nname = "m"\nhost = "postgresql://u:{feeding.word("a password in host")}@db"\n',
              f'[[cluster]]\nname = "m"\ndatabase = "dbname=x password={feeding.word("a password in database")}"\n',
              f'[[odoo]]\nhealth_url = "http://u:{feeding.word("a password in health_url")}@127.0.0.1:9/"\n',
              f'encryption_key_file = "{private(lab.path("bad.key"), feeding.word("a key of the wrong length"))}"\n']
    for number, fault in enumerate(faults):
        path = private(lab.path(f"fault{number}.toml"), f'state_dir = "{lab.path("third")}"\n{fault}')
        feeding.run(f"{lab.bin}/backstay-agent", "--config", path, "--check-config")
        feeding.run(cli, "doctor", "--config", path)
    folder = lab.path("bad-control")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for fault in (f'mail.password = "{feeding.word("a password in control.toml")}"', f'secret = {feeding.word("unquoted in control.toml")}'):
        private(os.path.join(folder, "control.toml"), fault + "\n")
        assert feeding.run(control, "serve", "--state", folder).returncode == 2


def work(lab, feeding, call, s3):
    """Backups that succeed and fail, links that are used, webhooks and mail: what is done with the secrets that are accepted."""
    hook = WebServer(feeding.word("webhook secret"))
    try:
        assert call("POST", "/webhook-endpoints", json={"url": hook.url, "events": ["*"], "secret": hook.secret}).status_code == 201
        call("POST", "/alert-recipients", json={"email": "ops@example.com", "leastSeverity": "info"})
        s3.refusal = None
        made = call("POST", "/backup-destinations", json={"name": "tiny", "destinationType": "s3_compatible", "config": s3.config(
            secretAccessKey=feeding.word("S3 secret of the control plane"))})
        assert made.status_code == 201, made.text
        s3.refusal = (403, b"<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>")
        places = [lab.env["DESTINATION_ID"], made.json()["id"]]
        path = f"/environments/{lab.env['ENV_PRODUCTION_ID']}/backups"
        orders = [call("POST", path, json={"type": "full", "destinationIds": some}).json()["backupId"] for some in (places[:1],)]
        backup = until_terminal(lambda: lab.api().get(f"/backups/{orders[0]}"))
        assert backup["status"] == "completed", backup["recoveryEvidence"]
        failing = call("POST", path, json={"type": "db", "destinationIds": places[1:]}).json()["backupId"]
        until_terminal(lambda: lab.api().get(f"/backups/{failing}"))
        links = call("GET", f"/public/v1/backups/{backup['id']}/download", lab.env["API_KEY_RO"])
        feeding.said.pop()  # here they belong
        for member in ("database_url", "manifest_url"):
            url = links.json()[member]
            feeding.keep(f"the link {member}", url.rpartition("/")[2])
            assert requests.Session().get(url, timeout=60).status_code == 200
            for method, wrong in (("POST", url), ("GET", url + "/"), ("GET", url.replace("/api/", "/prefix/api/"))):
                answer = requests.request(method, wrong, timeout=60)
                assert answer.status_code in (404, 405), wrong
                feeding.hear("the answer to a link asked for in a wrong way", answer.content)
        hook.wait(lambda calls: len(calls) > 0, 60)
        for path in ("/audit-logs?limit=100", "/backup-alerts", "/webhook-endpoints", "/backup-destinations", f"/backups/{failing}",
                     f"/operations/backup/{failing}/steps", lab.env["METRICS_URL"]):
            assert call("GET", path).status_code == 200, path
    finally:
        hook.close()


def hear_the_agent(lab, feeding):
    cli = [f"{lab.bin}/backstay", "--socket", lab.env["AGENT_SOCKET"]]
    for words in (["status"], ["status", "--json"], ["jobs", "--json"], ["check"], ["backups", "--json"], ["metrics"],
                  ["backup", "odoo_production", "--type", "db", "--to", "files"], ["backup", "odoo_production", "--type", "db", "--to", "bucket"],
                  ["doctor", "--config", lab.path("agent.toml")]):
        feeding.run(*cli, *words)
    for job in json.loads(feeding.run(*cli, "jobs", "--json").stdout)["jobs"]:
        feeding.run(*cli, "job", job["jobId"], "--json")


def hear_what_is_kept(lab, feeding):
    """Databases and logs; only files that are meant to hold a secret may hold it."""
    for pattern in ("control/control.db*", "agent/agent.db*", "agent/wal/**/*", "log/*", "backups/**/manifest.json"):
        for path in pathlib.Path(lab.folder).glob(pattern):
            if path.is_file():
                feeding.hear(str(path.relative_to(lab.folder)), path.read_bytes())
    statements = pathlib.Path(lab.pg.folder, "log").read_bytes()
    assert b"statement:" in statements and b"password authentication failed" in statements
    feeding.hear("PostgreSQL's log", statements)


def test_no_secret_comes_out_where_it_does_not_belong(fed):
    lab, feeding, sftp = fed
    mail, s3 = MailServer(login=("backstay", "another password")), TinyS3()
    mail.start()
    try:
        start_control(lab, feeding, mail)
        call = feed_rest(lab, feeding)
        feed_commands(lab, feeding)
        password = settle_postgres(lab, feeding)
        config = pathlib.Path(lab.path("agent.toml"))
        plain = config.read_text()
        for given in (feeding.word("a wrong PostgreSQL password"), password):
            config.write_text(plain)
            config.write_text(agent_settings(lab, feeding, sftp, s3, given))
            pid = lab.begin("agent", f"{lab.bin}/backstay-agent", "--config", str(config), "--debug")
            assert wait_until(lambda: feeding.run(f"{lab.bin}/backstay", "--socket", lab.env["AGENT_SOCKET"], "status").returncode == 0, 60)
            if given != password:
                hear_the_agent(lab, feeding)
                lab.end("agent")
        children = Children(feeding, pid)
        try:
            work(lab, feeding, call, s3)
            hear_the_agent(lab, feeding)
        finally:
            children.end()
        assert children.seen
    finally:
        s3.close()
        mail.close()
    for name in ("agent", "control"):
        lab.end(name)
    hear_what_is_kept(lab, feeding)
    found = "\n".join(feeding.leaks())
    assert not found
    for name in ("agent", "control"):
        lines = pathlib.Path(lab.path("log", name + ".log")).read_text().splitlines()
        assert not [line for line in lines if not LINE.fullmatch(line)]
