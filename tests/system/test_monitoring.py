"""What both daemons tell Prometheus, and that the rules and the dashboard ask for nothing else."""

import json
import os
import re
import socket
import urllib.error
import urllib.request

import pytest
from agent_program import ROOT
from conftest import PRESET, new_folder
from test_admin_api import server_in
from wal_agent import WalAgent

MONITORING = os.path.join(ROOT, "docs", "monitoring")
LINE = re.compile(r'(backstay_\w+)(\{\w+="(?:[^"\\]|\\.)*"(?:,\w+="(?:[^"\\]|\\.)*")*\})? \S+')


@pytest.fixture
def agent():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = new_folder()
    folder.chmod(0o755)
    one = WalAgent(folder, PRESET, top=f"metrics_port = {port}")
    one.port = port
    one.pg.start()
    one.start()
    yield one
    one.end()


@pytest.fixture
def control():
    one = server_in(new_folder())
    one.start()
    yield one
    one.stop()


def families(text):
    """Names with their types; every line is one that Prometheus reads, after help and type of its family."""
    found, family = {}, ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert len(line.split()) > 3, line
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family, line
            found[family] = line.split()[3]
        else:
            assert LINE.fullmatch(line) and line.startswith(family), line
    return found


def get(port, path="/metrics", method="GET"):
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method), timeout=30) as answer:
        return answer.read().decode()


def test_an_agent_serves_its_figures_and_nothing_else(agent):
    agent.waits_for(agent.switch(), 60)
    text = get(agent.port)
    assert 'backstay_agent_info{version="' in text and 'backstay_wal_archived_files_total{cluster="' in text
    told = families(agent.run("metrics", check=0).stdout)
    assert told == families(text)
    assert all(kind == ("counter" if name.endswith("_total") else "gauge") for name, kind in told.items())
    for path, method, status in (("/v1/status", "GET", 404), ("/v1/backups", "POST", 404), ("/metrics", "POST", 405)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(agent.port, path, method)
        assert refused.value.code == status
    assert agent.stop() == 0


def test_rules_and_dashboard_ask_for_figures_that_exist(agent, control):
    control.call("GET", "/metrics")  # what is counted is seen from the second time on
    there = {**families(agent.run("metrics", check=0).stdout), **families(control.call("GET", "/metrics").text)}
    # Told only when there is something to tell of.
    there.update({"backstay_agent_control_plane_connected": "gauge", "backstay_last_backup_timestamp_seconds": "gauge", "backstay_jobs": "gauge"})
    with open(os.path.join(MONITORING, "dashboard.json")) as file:
        asked = " ".join(target["expr"] for panel in json.load(file)["panels"] for target in panel["targets"])
    with open(os.path.join(MONITORING, "alerts.yml")) as file:
        asked += " ".join(line for line in file if "expr:" in line)
    names = {name.removesuffix("_bucket") for name in re.findall(r"\bbackstay_\w+", asked)}
    assert len(names) > 15 and names <= set(there), names - set(there)
