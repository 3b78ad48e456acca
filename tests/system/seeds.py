"""The objects of the reference contract, as examples of their types: every field is there, with this type or null."""

EVIDENCE = {
    "artifactChecksums": {"property1": "string"}, "artifactPaths": {"property1": "string"}, "blockingSteps": ["string"],
    "canWriteCleanSuccess": True, "missingEvidence": ["string"], "missingSteps": ["string"], "operation": "string",
    "optionalFailedSteps": ["string"], "progress": {}, "reason": "string", "remoteCopyState": "string",
    "requiredSteps": ["string"], "status": "string", "whyGreen": ["string"], "whyNotGreen": ["string"],
}
BACKUP = {
    "backupType": "string", "completedAt": "string", "configChecksum": "string", "createdAt": "string", "dbChecksum": "string",
    "environmentId": "string", "environmentName": "string", "environmentType": "string", "errorMessage": "string",
    "filestoreChecksum": "string", "gfsTiers": ["string"], "id": "string", "recoveryEvidence": EVIDENCE,
    "remotePaths": {"property1": "string"}, "sizeBytes": 0, "startedAt": "string", "status": "string",
}
RESTORE_LOG = {
    "backupId": "string", "completedAt": "string", "createdAt": "string", "errorMessage": "string", "id": "string",
    "performedBy": "string", "recoveryEvidence": EVIDENCE, "sourceEnvironmentId": "string", "sourceEnvironmentName": "string",
    "startedAt": "string", "status": "string", "targetEnvironmentId": "string", "targetEnvironmentName": "string",
    "targetType": "string",
}
SNAPSHOT = {
    "commitSha": "string", "completedAt": "string", "configPath": "string", "createdAt": "string", "dbDumpPath": "string",
    "dbSizeBytes": 0, "deploymentId": "string", "durationMs": 0, "environmentId": "string", "environmentName": "string",
    "environmentType": "string", "errorMessage": "string", "expiresAt": "string", "filestorePath": "string",
    "filestoreSizeBytes": 0, "id": "string", "imageTag": "string", "isFullFilestore": True, "isPinned": True, "pinLabel": "string",
    "recoveryEvidence": EVIDENCE, "remoteStatus": "string", "startedAt": "string", "status": "string", "totalSizeBytes": 0,
    "trigger": "string",
}
SNAPSHOT_SETTINGS = {
    "autoEnabled": True, "createdAt": "string", "environmentId": "string", "failurePolicy": "string", "id": "string", "maxPinned": 0,
    "retentionDays": 0, "timeoutSeconds": 0, "updatedAt": "string",
}
SCHEDULE = {
    "dbCron": "string", "dbFrequency": "string", "destinationIds": ["string"], "enabled": True, "environmentId": "string",
    "fullCron": "string", "fullFrequency": "string", "id": "string", "nextDbBackupAt": "string", "nextFullBackupAt": "string",
    "paused": True, "retainDaily": 0, "retainDailyDays": 0, "retainDbDaily": 0, "retainDbHourly": 0, "retainDbMonthly": 0,
    "retainDbWeekly": 0, "retainFullDaily": 0, "retainFullHourly": 0, "retainFullMonthly": 0, "retainFullWeekly": 0,
    "retainHourly": 0, "retainHourlyDays": 0, "retainMonthly": 0, "retainMonthlyDays": 0, "retainWeekly": 0, "retainWeeklyDays": 0,
    "timezone": "string", "walEnabled": True, "walRetentionDays": 0,
}
PREVIEW = {
    "items": [{"backupId": "string", "backupType": "string", "createdAt": "string", "gfsTiers": ["string"], "reason": "string",
               "sizeBytes": 0}],
    "totalSizeBytes": 0,
}
ROLLBACK_LOG = {
    "completedAt": "string", "createdAt": "string", "deploymentId": "string", "environmentId": "string", "errorMessage": "string",
    "id": "string", "neutralizationTriggered": True, "performedBy": "string", "recoveryEvidence": EVIDENCE,
    "rollbackDeploymentId": "string", "safetySnapshotCreated": True, "safetySnapshotId": "string", "snapshotId": "string",
    "startedAt": "string", "status": "string",
}
NEVER_NULL = {"id", "status", "createdAt", "backupType", "recoveryEvidence", "remotePaths", "gfsTiers", "sizeBytes", "isPinned",
              "pinLabel", "dbSizeBytes", "filestoreSizeBytes", "totalSizeBytes", "remoteStatus", "trigger", "snapshotId",
              "rollbackDeploymentId", "safetySnapshotCreated", "neutralizationTriggered", "performedBy", "environmentId",
              "autoEnabled", "failurePolicy", "maxPinned", "retentionDays", "timeoutSeconds", "updatedAt"}


def fits(seed, value, path=""):
    """Asserts that the value is what the seed is an example of."""
    if isinstance(seed, dict):
        assert isinstance(value, dict), f"{path}: {value!r} is no object"
        if list(seed) == ["property1"]:
            for key, item in value.items():
                fits(seed["property1"], item, f"{path}.{key}")
            return
        for key, item in seed.items():
            assert key in value, f"{path}.{key} is missing"
            if value[key] is None:
                assert key not in NEVER_NULL, f"{path}.{key} is null"
                continue
            fits(item, value[key], f"{path}.{key}")
    elif isinstance(seed, list):
        assert isinstance(value, list), f"{path}: {value!r} is no array"
        for number, item in enumerate(value):
            fits(seed[0], item, f"{path}[{number}]")
    else:
        assert type(value) is type(seed), f"{path}: {value!r} should be of {type(seed).__name__}"
