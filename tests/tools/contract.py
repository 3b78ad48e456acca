"""The REST contract held against what the server says: every answer of a CheckedApi must fit docs/openapi.json."""

import json
import os
import re

import jsonschema
from api import Api, Refused

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
FORMATS = jsonschema.FormatChecker()


@FORMATS.checks("date-time")
def _is_time(value):
    return not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", value) is not None


@FORMATS.checks("uuid")
def _is_uuid(value):
    return not isinstance(value, str) or re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


class Contract:
    def __init__(self):
        with open(os.path.join(ROOT, "docs", "openapi.json")) as file:
            self.document = json.load(file)
        self.used = set()
        self.patterns = []
        for path, item in self.document["paths"].items():
            pattern = re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", path) + "$")
            self.patterns.append((path.count("{"), pattern, path, item))
        self.patterns.sort(key=lambda entry: entry[0])

    def operation(self, method, path):
        for _, pattern, template, item in self.patterns:
            if pattern.match(path) and method.lower() in item:
                self.used.add((method.lower(), template))
                return item[method.lower()]
        return None

    def check(self, method, path, status, body):
        operation = self.operation(method, path)
        if operation is None:
            assert status in (404, 405), f"{method} {path} is served but not documented"
            return
        described = operation["responses"].get(str(status))
        assert described is not None, f"{method} {path} answered {status}, which is not documented"
        if "$ref" in described:
            described = self.document["components"]["responses"][described["$ref"].rsplit("/", 1)[1]]
        content = described.get("content", {}).get("application/json")
        if content is None:
            assert body is None, f"{method} {path}: a body where none is documented"
            return
        self.fits(content["schema"], body, f"{method} {path} → {status}")

    def fits(self, schema, value, where):
        whole = {**schema, "components": self.document["components"]}
        faults = list(jsonschema.Draft202012Validator(whole, format_checker=FORMATS).iter_errors(value))
        assert not faults, where + ": " + "; ".join(f"{list(fault.absolute_path)}: {fault.message}" for fault in faults[:5])


class CheckedApi(Api):
    def __init__(self, contract, url, token, headers=None):
        super().__init__(url, token, headers)
        self.contract = contract

    def call(self, method, path, body=None, **options):
        answer = self.session.request(method, self.url + path, json=body, timeout=30, **options)
        self.contract.check(method, path, answer.status_code, answer.json() if answer.content else None)
        assert answer.headers.get("X-Request-Id"), f"{method} {path}: no X-Request-Id"
        if answer.status_code >= 400:
            raise Refused(answer)
        return answer.json() if answer.content else None


def refused(call, status, code, field=None):
    """The call is refused with this status and code, and, when asked, names the field at fault."""
    try:
        answer = call()
    except Refused as refusal:
        assert (refusal.status, refusal.body["error"]) == (status, code), refusal.body
        if field is not None:
            assert field in [entry["field"] for entry in refusal.body.get("detail", [])], refusal.body
        return refusal.body
    raise AssertionError(f"not refused: {answer}")
