"""nginx with one static file, to compare with, and wrk, which asks."""

import contextlib
import glob
import os
import re
import socket
import subprocess

import processes
import requests


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Nginx:
    """Debian's, unpacked and not installed: installing starts it."""

    def __init__(self, work, content):
        self.folder = os.path.join(work, "nginx")
        os.makedirs(self.folder + "/root", exist_ok=True)
        os.chmod(self.folder, 0o755)
        with open(self.folder + "/root/backup.json", "wb") as file:
            file.write(content)
        if not os.path.exists(self.folder + "/usr/sbin/nginx"):
            subprocess.run(["apt-get", "-qq", "download", "nginx"], cwd=self.folder, check=True, stderr=subprocess.DEVNULL)
            subprocess.run(["dpkg-deb", "-x", *glob.glob(self.folder + "/nginx_*.deb"), self.folder], check=True)
        self.port = free_port()
        with open(self.folder + "/nginx.conf", "w") as conf:
            conf.write(f"""
daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log; user root;
events {{ worker_connections 1024; }}
http {{ client_body_temp_path {self.folder}; proxy_temp_path {self.folder}; fastcgi_temp_path {self.folder}; uwsgi_temp_path {self.folder};
scgi_temp_path {self.folder}; access_log {self.folder}/access.log; sendfile on; keepalive_requests 100000000; default_type application/json;
server {{ listen 127.0.0.1:{self.port}; root {self.folder}/root; }} }}
""")

    def __enter__(self):
        self.running = processes.begin([self.folder + "/usr/sbin/nginx", "-p", self.folder, "-c", self.folder + "/nginx.conf"], self.folder + "/log")
        self.url = f"http://127.0.0.1:{self.port}/backup.json"

        def answers():
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(self.url, timeout=5).ok
        if not processes.wait_until(answers, 20):
            raise SystemExit(f"nginx does not answer; see {self.folder}/log")
        with open(f"/proc/{self.running[0]}/task/{self.running[0]}/children") as children:
            self.worker = int(children.read().split()[0])
        return self

    def __exit__(self, *_):
        processes.end(*self.running)


def wrk_begun(url, token=None, connections=4, seconds=6):
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *(["-H", f"Authorization: Bearer {token}"] if token else []), url]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def wrk(url, token=None, connections=4, seconds=6):
    """(requests in a second, p99 in ms)"""
    out = wrk_begun(url, token, connections, seconds).communicate()[0]
    if "Non-2xx" in out or "Requests/sec" not in out:
        raise SystemExit(f"{url}: {out}")
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    scale = {"us": 0.001, "ms": 1, "s": 1000}[found[2]]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), float(found[1]) * scale
