"""An agent that holds state and does what a test says: enrols, sends heartbeats, polls, reports in order under the fence
it was given. It makes no backup; it testifies as one that did, or as one that failed where the test wants it to."""

import hashlib
import socket
import uuid
from datetime import datetime, timedelta, timezone

import requests

ARTIFACTS = {"db": ["db", "config", "manifest"], "full": ["db", "filestore", "config", "manifest"]}
FILES = {"db": "database.dump.zst", "filestore": "filestore.tar.zst", "config": "config.tar.zst", "manifest": "manifest.json"}


class Refusal(Exception):
    def __init__(self, answer):
        self.status, self.body = answer.status_code, answer.json()
        super().__init__(f"{answer.url}: {answer.status_code} {self.body}")


def stamp(offset_seconds=0):
    moment = datetime.now(timezone.utc) + timedelta(seconds=offset_seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def backup_plan(scope, destinations):
    steps = ["preflight", "db_dump"] + (["filestore_archive", "filestore_reconcile"] if scope == "full" else [])
    steps += ["config_capture", "artifact_checksums", "manifest_write", "local_verify", "remote_upload"]
    planned = [{"name": name, "required": True, "weight": 10} for name in steps]
    if len(destinations) > 1:
        planned += [{"name": f"remote_upload:{one}", "required": False, "weight": 0} for one in destinations]
    planned += [{"name": name, "required": True, "weight": 5} for name in ("remote_verify", "catalog_commit")]
    names = ARTIFACTS[scope]
    proofs = [f"artifact:{name}" for name in names] + [f"checksum:{name}" for name in names]
    proofs += ["db_toc:entries", "manifest:readback", "catalog:row"] + (["filestore:reconciled"] if scope == "full" else [])
    return {"operation": "backup", "steps": planned, "requiredProofs": proofs, "destinationIds": destinations, "artifacts": names}


def snapshot_plan(destinations):
    steps = ["preflight", "resolve_filestore_base", "db_dump", "filestore_capture", "config_capture", "artifact_checksums",
             "manifest_write", "local_verify", "catalog_commit"]
    planned = [{"name": name, "required": True, "weight": 10} for name in steps]
    if destinations:
        planned += [{"name": name, "required": False, "weight": 1} for name in ("remote_upload", "remote_verify")]
    names = ARTIFACTS["full"]
    proofs = [f"artifact:{name}" for name in names] + [f"checksum:{name}" for name in names]
    proofs += ["db_toc:entries", "filestore:reconciled", "manifest:readback", "catalog:row"]
    return {"operation": "snapshot", "steps": planned, "requiredProofs": proofs, "destinationIds": [], "artifacts": names}


def simple_plan(operation, steps, proofs=()):
    planned = [{"name": name, "required": True, "weight": 10} for name in steps]
    return {"operation": operation, "steps": planned, "requiredProofs": list(proofs), "destinationIds": [], "artifacts": []}


def manifest_of(order, server_version_num=150018):
    environment = order["environment"]
    digest = hashlib.sha256(b"").hexdigest()
    artifacts = [{"name": name, "path": FILES[name], "bytes": 10, "uncompressedBytes": 100, "sha256": digest, "codec": "zstd",
                  "encryption": None} for name in ARTIFACTS[order["scope"]] if name != "manifest"]
    return {"format": 1, "backupId": order["backupId"], "kind": "backup", "scope": order["scope"], "trigger": order["trigger"],
            "organizationId": environment["organizationId"], "projectId": environment["projectId"],
            "environmentId": environment["environmentId"], "environmentName": environment["name"],
            "environmentType": environment["type"], "isNeutralized": False, "dumpFormat": "custom",
            "startedAt": stamp(), "completedAt": stamp(), "postgres": {"serverVersion": "15.18",
                                                                        "serverVersionNum": server_version_num},
            "artifacts": artifacts}


def manifest_of_snapshot(order, base=None, neutralized=False, server_version_num=150018):
    manifest = manifest_of({**order, "backupId": order["snapshotId"], "scope": "full"}, server_version_num)
    return {**manifest, "kind": "snapshot", "isNeutralized": neutralized,
            "filestore": {"fileCount": 3, "sizeBytes": 200, "mode": "differential" if base else "full", "baseSnapshotId": base}}


class FakeAgent:
    def __init__(self, url, credential=None, agent_id=None):
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        self.credential, self.agent_id = credential, agent_id
        self.instance_id = str(uuid.uuid4())
        self.skew = 0
        self.inventory = self.wal = None
        self.held, self.seq = {}, {}

    @classmethod
    def enrolled(cls, url, token, hostname=None):
        agent = cls(url)
        answer = agent.call("enroll", {"token": token, "hostname": hostname or socket.gethostname(), "agentVersion": "9.9",
                                       "protocolVersion": 1})
        agent.credential, agent.agent_id = answer["credential"], answer["agentId"]
        return agent

    def twin(self):
        """Another process with the same identity."""
        return FakeAgent(self.url, self.credential, self.agent_id)

    def call(self, message, body, timeout=70):
        headers = {"Authorization": f"Bearer {self.credential}"} if self.credential else {}
        answer = self.session.post(f"{self.url}/agent/v1/{message}", json=body, headers=headers, timeout=timeout)
        if answer.status_code != 200:
            raise Refusal(answer)
        return answer.json()

    # ---- the conversation

    def heartbeat(self, held=None, **members):
        jobs = [{"jobId": job, "fence": fence} for job, fence in (self.held if held is None else held).items()]
        return self.call("heartbeat", {"instanceId": self.instance_id, "agentVersion": "9.9", "protocolVersion": 1,
                                       "sentAt": stamp(self.skew), "inventory": self.inventory, "jobs": jobs,
                                       "wal": self.wal, **members})

    def poll(self, wait_ms=0, slots=4):
        answer = self.call("assignments", {"instanceId": self.instance_id, "waitMs": wait_ms, "freeSlots": slots})
        for assignment in answer["assignments"]:
            self.held[assignment["jobId"]] = assignment["fence"]
        return answer

    def take(self, wait_ms=10_000, kind=None):
        """Waits for exactly one assignment and accepts it."""
        found = self.poll(wait_ms)["assignments"]
        assert len(found) == 1, found
        assert kind is None or found[0]["kind"] == kind, found[0]
        self.report(found[0], "accepted")
        return found[0]

    def made(self, assignment, kind, operation=None, **members):
        key = (assignment["jobId"], assignment["fence"])
        self.seq[key] = self.seq.get(key, 0) + 1
        return {"jobId": assignment["jobId"], "operationId": operation or assignment["jobId"], "fence": assignment["fence"],
                "seq": self.seq[key], "at": stamp(self.skew), "kind": kind, **members}

    def send(self, reports):
        return self.call("reports", {"instanceId": self.instance_id, "reports": reports})["acks"]

    def report(self, assignment, kind, operation=None, **members):
        ack = self.send([self.made(assignment, kind, operation, **members)])[0]
        assert not ack["refused"], ack
        return ack

    # ---- what a job would tell

    def step(self, assignment, name, status="completed", operation=None, **members):
        record = {"name": name, "required": True, "status": status, "startedAt": stamp(), "attempt": assignment.get("attempt", 1),
                  "completedAt": None if status == "running" else stamp(), "durationMs": 5, "output": "", "facts": {},
                  "proofs": [], "summary": f"{name} done", "reason": "", **members}
        return self.report(assignment, "step", operation, step=record)

    def copy(self, assignment, destination, artifact, folder, state="verified", operation=None, message=""):
        stored = state in ("uploaded", "verified")
        record = {"destinationId": destination, "artifact": artifact, "state": state, "sizeBytes": 10 if stored else 0,
                  "key": f"{folder}/{FILES[artifact]}" if stored else "", "message": message, "reason": "",
                  "sha256": hashlib.sha256(artifact.encode()).hexdigest() if stored else ""}
        return self.report(assignment, "copy", operation, copy=record)

    def progress(self, assignment, percent, operation="backup", **members):
        payload = {"operation": operation, "id": assignment["jobId"], "environmentId": None, "status": "running", "step": "db_dump",
                   "stepStatus": "running", "stepIndex": 2, "stepCount": 11, "percent": percent, "bytesDone": int(percent),
                   "bytesTotal": 100, "rateBytesPerSec": 1, "message": "dumping", "at": stamp(), "done": False, "error": None}
        return self.report(assignment, "progress", progress={**payload, **members})

    def finish(self, assignment, outcome="succeeded", operation=None, **members):
        self.held.pop(assignment["jobId"], None)
        last = {"outcome": outcome, "reason": "", "errorMessage": "", "transient": False, "reverted": False, "notes": [],
                "folder": None, "sizeBytes": 0, "databaseBytes": 0, "filestoreBytes": 0, "safetyBackupId": None, "manifest": None}
        return self.report(assignment, "finished", operation, finished={**last, **members})

    def testify_backup(self, assignment, order=None, operation=None, failing=(), until=None):
        """Every step of a backup with its proofs; destinations in `failing` take nothing. Stops before the step `until`."""
        order = order or assignment["order"]
        ids = [one["id"] for one in order["destinations"]]
        plan = backup_plan(order["scope"], ids)
        folder = f"v1/x/{order['backupId']}"
        self.report(assignment, "planned", operation, plan=plan)
        for planned in plan["steps"]:
            name = planned["name"]
            if name == until:
                return plan
            if name == "remote_upload":
                for one in ids:
                    state = "failed" if one in failing else "verified"
                    for artifact in plan["artifacts"]:
                        self.copy(assignment, one, artifact, folder, state, operation, "refused" if one in failing else "")
            failed = name.startswith("remote_upload:") and name.split(":")[1] in failing
            proofs = plan["requiredProofs"] if name == "catalog_commit" else []
            self.step(assignment, name, "failed" if failed else "completed", operation, proofs=proofs, required=planned["required"])
        return plan

    def do_backup(self, assignment, order=None, operation=None, failing=()):
        order = order or assignment["order"]
        self.testify_backup(assignment, order, operation, failing)
        self.finish(assignment, "succeeded", operation, folder=f"v1/x/{order['backupId']}", sizeBytes=40, databaseBytes=400,
                    filestoreBytes=200 if order["scope"] == "full" else 0, manifest=manifest_of(order))

    def do_snapshot(self, assignment, order=None, operation=None, base=None, failing=(), until=None, **manifest):
        """A snapshot on the host and in its destinations; a differential when it has a base. Stops before the step `until`."""
        order = order or assignment["order"]
        ids = [one["id"] for one in order["destinations"]]
        plan, folder = snapshot_plan(ids), f"v1/x/snapshots/{order['snapshotId']}"
        self.report(assignment, "planned", operation, plan=plan)
        for planned in plan["steps"]:
            name, status = planned["name"], "completed"
            if name == until:
                return
            for place in {"manifest_write": ["host"], "remote_upload": ids}.get(name, []):
                bad = place in failing
                for artifact in plan["artifacts"]:
                    self.copy(assignment, place, artifact, folder, "failed" if bad else "verified", operation, "refused" if bad else "")
            if name == "remote_upload" and failing:
                status = "failed"
            proofs = plan["requiredProofs"] if name == "catalog_commit" else []
            self.step(assignment, name, status, operation, proofs=proofs, required=planned["required"])
        self.finish(assignment, "succeeded", operation, folder=folder, sizeBytes=40, databaseBytes=400, filestoreBytes=200,
                    manifest=manifest_of_snapshot(order, base, **manifest))

    def do_rollback(self, assignment, without_proof=(), until=None):
        """A rollback with its safety snapshot. Stops before the step `until`."""
        order = assignment["order"]
        names, proofs = ["validate_snapshot", "verify_artifacts"], ["restore:row_counts", "filestore:reconciled", "catalog:row"]
        safety = order["safetySnapshot"]
        if safety:
            names.append("safety_snapshot")
            proofs.append("safety_snapshot:id")
        names += ["restore_database", "restore_filestore", "post_restore_checks"]
        if order["neutralize"]:
            names.append("neutralize")
            proofs.append("neutralize:report")
        names += ["swap_in", "health_check", "catalog_commit"]
        self.report(assignment, "planned", plan=simple_plan("rollback", names, proofs))
        owner = {"safety_snapshot": ["safety_snapshot:id"], "neutralize": ["neutralize:report"]}
        for name in names:
            if name == until:
                return
            if name == "safety_snapshot":
                self.do_snapshot(assignment, safety, safety["snapshotId"])
            left = owner.get(name, [])
            if name == "catalog_commit":
                left = [proof for proof in proofs if proof not in sum(owner.values(), [])]
            self.step(assignment, name, proofs=[proof for proof in left if proof not in without_proof])
        self.finish(assignment, safetyBackupId=safety["snapshotId"] if safety else None)

    def do_restore(self, assignment, without_proof=()):
        order = assignment["order"]
        names = ["validate_target", "fetch_artifacts", "verify_artifacts"]
        proofs = ["restore:row_counts", "filestore:reconciled", "catalog:row"]
        safety = order["safetyBackup"]
        if safety:
            names.append("safety_backup")
            proofs.append("safety_backup:id")
        names += ["restore_database", "restore_filestore", "post_restore_checks"]
        if order["neutralize"]:
            names.append("neutralize")
            proofs.append("neutralize:report")
        names += ["swap_in", "catalog_commit"]
        self.report(assignment, "planned", plan=simple_plan("restore", names, proofs))
        for name in names:
            if name == "safety_backup":
                inner = safety["backupId"]
                self.do_backup(assignment, {**safety, "environment": order["target"]}, inner)
            left = [proof for proof in proofs if proof not in without_proof] if name == "catalog_commit" else []
            self.step(assignment, name, proofs=left)
        self.finish(assignment, notes=["stop_instance: not managed by the agent"],
                    safetyBackupId=safety["backupId"] if safety else None)
