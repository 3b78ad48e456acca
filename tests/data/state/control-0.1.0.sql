-- The database of the first release's control plane, as its programs wrote it in a lab. It stays as it is: newer versions
-- must read it.
PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE agent_sessions (
    agent_id TEXT PRIMARY KEY,
    instance_id TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    heard_at INTEGER NOT NULL, -- its last heartbeat, which names the jobs that it holds
    gone INTEGER NOT NULL      -- its connection broke while it waited: the process ended
) STRICT;
INSERT INTO "agent_sessions" VALUES('46c2d82a-dec7-4955-a95f-2c146cf1c9e9','449bb95fa40734f5.2c95516c-d14b-4bad-a308-22879271a7f1',1795313597349,1795313588641,0);
CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    hostname TEXT NOT NULL,
    version TEXT NOT NULL,
    protocol_version INTEGER NOT NULL,
    credential_hash TEXT NOT NULL UNIQUE,
    instance_id TEXT NOT NULL DEFAULT '',
    seen_at INTEGER NOT NULL DEFAULT 0,
    clock_skew_ms INTEGER NOT NULL DEFAULT 0,
    inventory TEXT,
    inventory_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    UNIQUE (organization_id, id)
) STRICT;
INSERT INTO "agents" VALUES('46c2d82a-dec7-4955-a95f-2c146cf1c9e9','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','agent','erp1','0.1.0',1,'5e329aa2bce8e5543a6739c72507c5976d0183db7705ce303509edbe281da2ad','449bb95fa40734f5.2c95516c-d14b-4bad-a308-22879271a7f1',1795313597349,0,'{"hostname":"erp1","clusters":[{"name":"main","host":"/srv/lab/postgres/s","port":5432,"serverVersion":"15.20","serverVersionNum":150020,"systemId":"7710648491507520955","problem":null,"databases":[{"name":"odoo_production","owner":"odoo","sizeBytes":9256295,"isOdoo":true,"odooVersion":"17.0","baseVersion":"17.0.1.3","databaseUuid":"4981e643-7788-5719-90ba-1a497cb0d037","isNeutralized":false,"installedModules":9,"filestore":"/srv/lab/odoo/filestore/odoo_production","filestoreBytes":1509285,"odooConf":"/srv/lab/odoo.conf","problem":null},{"name":"odoo_staging","owner":"odoo","sizeBytes":9428327,"isOdoo":true,"odooVersion":"17.0","baseVersion":"17.0.1.3","databaseUuid":"068a2c7e-c887-5183-b332-5ed58b083241","isNeutralized":false,"installedModules":9,"filestore":"/srv/lab/odoo/filestore/odoo_staging","filestoreBytes":1533508,"odooConf":"/srv/lab/odoo.conf","problem":null},{"name":"postgres","owner":"postgres","sizeBytes":7708007,"isOdoo":false,"odooVersion":null,"baseVersion":null,"databaseUuid":null,"isNeutralized":null,"installedModules":null,"filestore":null,"filestoreBytes":null,"odooConf":null,"problem":null}]}],"disks":[{"path":"/srv/lab/agent","role":"state","freeBytes":39414505472,"totalBytes":270553174016},{"path":"/srv/lab/agent/scratch","role":"scratch","freeBytes":39414505472,"totalBytes":270553174016},{"path":"/srv/lab/backups","role":"destination","freeBytes":39414505472,"totalBytes":270553174016},{"path":"/srv/lab/odoo/filestore/odoo_production","role":"filestore","freeBytes":39414505472,"totalBytes":270553174016},{"path":"/srv/lab/odoo/filestore/odoo_staging","role":"filestore","freeBytes":39414505472,"totalBytes":270553174016}]}',1795313545009,1795313544634,1795313544634,NULL);
INSERT INTO "agents" VALUES('a7fe36d2-1c80-49c0-8bf4-7ef81b36642e','59dbf3b1-5671-4f3e-a3ee-0c0af654cd31','other-agent','erp1','0.1.0',1,'67641fd8b828d20f8240c2e135996ed18b0082e237968862cffd285b86df8d02','',0,0,NULL,NULL,1795313544779,1795313544779,NULL);
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    project_id TEXT,
    environment_id TEXT,
    type TEXT NOT NULL,
    subject TEXT NOT NULL, -- open alerts of one type and subject are one
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    url TEXT,
    reason TEXT NOT NULL,
    backup_id TEXT,
    snapshot_id TEXT,
    restore_log_id TEXT,
    destination_id TEXT,
    agent_id TEXT,
    occurrences INTEGER NOT NULL,
    first_occurred_at INTEGER NOT NULL,
    last_occurred_at INTEGER NOT NULL,
    resolved_at INTEGER,
    read_at INTEGER,
    read_by TEXT,
    dismissed_at INTEGER,
    dismissed_by TEXT,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "alerts" VALUES('01a20107-7ba2-71c6-8cea-c3a69a367b3d','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','7399ab62-0181-4dcf-ad87-a353998e08d8','4563223c-a665-44d6-938d-3ae308c754ab','restore_completed','1d2feb63-b98a-494b-9576-8d0d318097bb','info','Restore into production completed','production runs on what was restored','/api/restores/1d2feb63-b98a-494b-9576-8d0d318097bb','','01a20106-af83-707e-8eb9-10ba7076a02d',NULL,'1d2feb63-b98a-494b-9576-8d0d318097bb',NULL,NULL,1,1795313597346,1795313597346,NULL,NULL,NULL,NULL,NULL,1795313597346);
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    project_id TEXT,
    name TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('ro', 'rw')),
    prefix TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE,
    permissions TEXT NOT NULL, -- words, separated by spaces
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER,
    FOREIGN KEY (organization_id, project_id) REFERENCES projects (organization_id, id)
) STRICT;
INSERT INTO "api_keys" VALUES('3872bf17-6dee-4308-9944-a6fe6dcf2ab7','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',NULL,'lab ro','ro','bks_ro_cZAsYIfE','b1862a8e92aade40df4223a4e9f3d78fbe544dd1491de752b493ee8a97711552','view:backups view:storage','cli',1795313544560,NULL,NULL,NULL);
INSERT INTO "api_keys" VALUES('ce11058a-4233-43d8-a8d1-f476d7fedf04','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',NULL,'lab rw','rw','bks_rw_Nqiud86C','03fcc6cfba228ee1c8fc81bdbedc6134c9928b703421240bf9ec625f2a8f4567','view:backups manage:backups manage:restores view:storage manage:storage manage:projects manage:agents','cli',1795313544583,NULL,NULL,NULL);
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    organization_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL, -- "destination.update"
    object_id TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    request_id TEXT NOT NULL DEFAULT ''
, actor_id TEXT NOT NULL DEFAULT '', peer TEXT NOT NULL DEFAULT '', request TEXT NOT NULL DEFAULT '', status INTEGER) STRICT;
INSERT INTO "audit" VALUES(1,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544377,'cli','organization.create','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','lab','','','','',NULL);
INSERT INTO "audit" VALUES(2,'59dbf3b1-5671-4f3e-a3ee-0c0af654cd31',1795313544406,'cli','organization.create','59dbf3b1-5671-4f3e-a3ee-0c0af654cd31','other-lab','','','','',NULL);
INSERT INTO "audit" VALUES(3,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544450,'cli','project.create','7399ab62-0181-4dcf-ad87-a353998e08d8','Shop','','','','',NULL);
INSERT INTO "audit" VALUES(4,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544484,'cli','destination.create','86833a20-0151-4c14-a40a-3ac258ee00fa','local','','','','',NULL);
INSERT INTO "audit" VALUES(5,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544507,'cli','token.create','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','owner owner@lab.example','','','','',NULL);
INSERT INTO "audit" VALUES(6,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544523,'cli','token.create','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','viewer viewer@lab.example','','','','',NULL);
INSERT INTO "audit" VALUES(7,'59dbf3b1-5671-4f3e-a3ee-0c0af654cd31',1795313544540,'cli','token.create','59dbf3b1-5671-4f3e-a3ee-0c0af654cd31','owner owner@other-lab.example','','','','',NULL);
INSERT INTO "audit" VALUES(8,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544560,'cli','key.create','3872bf17-6dee-4308-9944-a6fe6dcf2ab7','bks_ro_cZAsYIfE','','','','',NULL);
INSERT INTO "audit" VALUES(9,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544583,'cli','key.create','ce11058a-4233-43d8-a8d1-f476d7fedf04','bks_rw_Nqiud86C','','','','',NULL);
INSERT INTO "audit" VALUES(10,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544610,'cli','enroll_token.create','9ea6dd0f-7484-4e65-b48a-26ba663f7af1','agent','','','','',NULL);
INSERT INTO "audit" VALUES(11,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544700,'cli','environment.create','4563223c-a665-44d6-938d-3ae308c754ab','production','','','','',NULL);
INSERT INTO "audit" VALUES(12,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313544726,'cli','environment.create','3ca3f1be-2951-4050-9e1b-4bdab5b36a9a','staging','','','','',NULL);
INSERT INTO "audit" VALUES(13,'59dbf3b1-5671-4f3e-a3ee-0c0af654cd31',1795313544755,'cli','enroll_token.create','a57ba472-b9fb-4b20-8b2d-7ab9f7095910','other-agent','','','','',NULL);
INSERT INTO "audit" VALUES(14,'59dbf3b1-5671-4f3e-a3ee-0c0af654cd31',1795313544831,'cli','project.create','f98ec562-c4fe-45fe-8a34-1bc62cf49cc8','Elsewhere','','','','',NULL);
INSERT INTO "audit" VALUES(15,'59dbf3b1-5671-4f3e-a3ee-0c0af654cd31',1795313544859,'cli','environment.create','d5956e58-7703-4ca6-bafe-4a223fd40a99','production','','','','',NULL);
INSERT INTO "audit" VALUES(16,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313545091,'owner@lab.example','backup.create','01a20106-af83-707e-8eb9-10ba7076a02d','full','20673b61-e7c1-47a2-bfd9-375a7e30cfaf','owner@lab.example','127.0.0.1','POST /api/environments/4563223c-a665-44d6-938d-3ae308c754ab/backups',NULL);
INSERT INTO "audit" VALUES(17,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313546536,'owner@lab.example','snapshot.create','01a20106-b528-726a-805b-06503d174109','manual','8919632b-f787-4d1d-86c3-0a702c9a8df7','owner@lab.example','127.0.0.1','POST /api/environments/4563223c-a665-44d6-938d-3ae308c754ab/snapshots',NULL);
INSERT INTO "audit" VALUES(18,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313566544,'owner@lab.example','refused','','operation_in_progress','875dc3ac-dff1-4c2c-a0eb-da67da16588f','owner@lab.example','127.0.0.1','POST /api/environments/4563223c-a665-44d6-938d-3ae308c754ab/snapshots',409);
INSERT INTO "audit" VALUES(19,'c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1795313566548,'owner@lab.example','schedule.create','4563223c-a665-44d6-938d-3ae308c754ab','','3b661d24-1b03-468e-9bb9-3de6266ac3e6','owner@lab.example','127.0.0.1','PUT /api/environments/4563223c-a665-44d6-938d-3ae308c754ab/backup-schedule',NULL);
CREATE TABLE audit_forgetting (before INTEGER NOT NULL) STRICT;
INSERT INTO "audit_forgetting" VALUES(1760753554333);
CREATE TABLE backups (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    project_id TEXT,
    environment_id TEXT,
    agent_id TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('db', 'full', 'base')),
    trigger_kind TEXT NOT NULL,
    status TEXT NOT NULL,
    label TEXT,
    retention TEXT NOT NULL DEFAULT 'default',
    folder TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    verified_at INTEGER,
    deleted_at INTEGER,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    database_bytes INTEGER NOT NULL DEFAULT 0,
    filestore_bytes INTEGER NOT NULL DEFAULT 0,
    error_message TEXT,
    performed_by TEXT NOT NULL,
    manifest TEXT
, next_check_at INTEGER) STRICT;
INSERT INTO "backups" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','7399ab62-0181-4dcf-ad87-a353998e08d8','4563223c-a665-44d6-938d-3ae308c754ab','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','full','manual','completed',NULL,'default','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/01a20106-af83-707e-8eb9-10ba7076a02d',1795313545091,1795313545951,1795313546507,1795313546507,NULL,24806,88910,1513984,NULL,'owner@lab.example','{"format":1,"backupId":"01a20106-af83-707e-8eb9-10ba7076a02d","kind":"backup","scope":"full","trigger":"manual","organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"7399ab62-0181-4dcf-ad87-a353998e08d8","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","environmentName":"production","environmentType":"production","isNeutralized":false,"databaseUuid":"4981e643-7788-5719-90ba-1a497cb0d037","isOdoo":true,"dumpFormat":"custom","startedAt":"2026-11-22T02:12:25.974Z","completedAt":"2026-11-22T02:12:26.380Z","agent":{"id":"46c2d82a-dec7-4955-a95f-2c146cf1c9e9","version":"0.1.0"},"postgres":{"serverVersion":"15.20","serverVersionNum":150020,"systemId":"7710648491507520955","timeline":1,"startLsn":"0/4000000","endLsn":"0/4E00000","encoding":"UTF8","collate":"C","ctype":"C.UTF-8","owner":"odoo","extensions":[{"name":"pg_trgm","version":"1.6"},{"name":"plpgsql","version":"1.0"},{"name":"unaccent","version":"1.1"}],"unaccentImmutable":true,"sizeBytes":9256295},"contents":{"tables":20,"indexes":34,"constraints":44,"sequences":18,"modulesInTransition":[]},"filestore":{"fileCount":5,"sizeBytes":1509285,"mode":"full","baseSnapshotId":null,"missingFiles":[],"missingCount":0},"base":null,"artifacts":[{"name":"db","path":"database.dump.zst","bytes":14366,"uncompressedBytes":88910,"sha256":"371596896299dbcb82f47e921ade3aaf0b821222ffff602793a37d95a4d6dd91","codec":"zstd","encryption":null},{"name":"filestore","path":"filestore.tar.zst","bytes":5787,"uncompressedBytes":1513984,"sha256":"b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","codec":"zstd","encryption":null},{"name":"config","path":"config.tar.zst","bytes":394,"uncompressedBytes":4096,"sha256":"2c6be704d0ef8505ac6220c523d1dfde3331ee0f73ac91c7cd9c436a2a90acf2","codec":"zstd","encryption":null},{"name":"globals","path":"globals.sql.zst","bytes":383,"uncompressedBytes":762,"sha256":"48f66ff44503622979fc8cdc01cfe24e5ce004f658e2dfa293d1aaf0eaa0d580","codec":"zstd","encryption":null}],"tools":{"libarchive":"3.6.2","pg_dump":"15.20","zstd":"1.5.4"},"label":null,"odoo_dump":"1","db_name":"odoo_production","version":"17.0","version_info":["17","0","0","final","0",""],"major_version":"17.0","pg_version":"15.20","modules":{"auth_signup":"17.0.1.0","base":"17.0.1.3","bus":"17.0.1.0","contacts":"17.0.1.0","iap":"17.0.1.0","mail":"17.0.1.0","payment":"17.0.1.0","web":"17.0.1.0","website":"17.0.1.0"}}',1797905546507);
INSERT INTO "backups" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','7399ab62-0181-4dcf-ad87-a353998e08d8','4563223c-a665-44d6-938d-3ae308c754ab','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','base','scheduled','completed',NULL,'default','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/clusters/7710648491507520955/base/d2e4e497-2558-4cb8-82fd-043d5da27ff7',1795313545447,1795313545456,1795313546507,1795313546507,NULL,4908363,41483323,0,NULL,'agent:agent','{"format":1,"backupId":"d2e4e497-2558-4cb8-82fd-043d5da27ff7","kind":"backup","scope":"base","trigger":"scheduled","organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"","environmentId":"","environmentName":"","environmentType":"","isNeutralized":false,"databaseUuid":null,"isOdoo":false,"dumpFormat":"","startedAt":"2026-11-22T02:12:25.552Z","completedAt":"2026-11-22T02:12:26.439Z","agent":{"id":"46c2d82a-dec7-4955-a95f-2c146cf1c9e9","version":"0.1.0"},"postgres":{"serverVersion":"15.20","serverVersionNum":150020,"systemId":"7710648491507520955","timeline":1,"startLsn":"0/3000028","endLsn":"0/3000100","encoding":"","collate":"","ctype":"","owner":"","extensions":[],"unaccentImmutable":false,"sizeBytes":41483323},"contents":{"tables":0,"indexes":0,"constraints":0,"sequences":0,"modulesInTransition":[]},"filestore":null,"base":{"cluster":"main","archive":"v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/clusters/7710648491507520955","segmentBytes":16777216,"superuser":"postgres","startedAt":"2026-11-22T02:12:25.552Z","endedAt":"2026-11-22T02:12:26.309Z","databases":["odoo_production","odoo_staging","postgres"]},"artifacts":[{"name":"base","path":"base.tar.zst","bytes":4862779,"uncompressedBytes":42892800,"sha256":"315782e95dafe9a077576cb86c025bc66a4e7eaedeca0d103af2bf0f6b83c057","codec":"zstd","encryption":null},{"name":"backup_manifest","path":"backup_manifest.zst","bytes":43529,"uncompressedBytes":357860,"sha256":"0a9c68845ccb6a07e16d331feaf04b355eaaa4f998891bc6c1037a483afdb9ed","codec":"zstd","encryption":null}],"tools":{"pg_basebackup":"15.20"},"label":null}',NULL);
INSERT INTO "backups" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','7399ab62-0181-4dcf-ad87-a353998e08d8','4563223c-a665-44d6-938d-3ae308c754ab','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','full','pre_restore','completed',NULL,'default','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/951677ba-1ac4-4581-8199-37b45dad6bb7',1795313596896,1795313596896,1795313596896,1795313596896,NULL,24808,88910,1513984,NULL,'system','{"format":1,"backupId":"951677ba-1ac4-4581-8199-37b45dad6bb7","kind":"backup","scope":"full","trigger":"pre_restore","organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"7399ab62-0181-4dcf-ad87-a353998e08d8","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","environmentName":"production","environmentType":"production","isNeutralized":false,"databaseUuid":"4981e643-7788-5719-90ba-1a497cb0d037","isOdoo":true,"dumpFormat":"custom","startedAt":"2026-11-22T02:13:16.650Z","completedAt":"2026-11-22T02:13:16.884Z","agent":{"id":"46c2d82a-dec7-4955-a95f-2c146cf1c9e9","version":"0.1.0"},"postgres":{"serverVersion":"15.20","serverVersionNum":150020,"systemId":"7710648491507520955","timeline":1,"startLsn":"0/50286E8","endLsn":"0/50286E8","encoding":"UTF8","collate":"C","ctype":"C.UTF-8","owner":"odoo","extensions":[{"name":"pg_trgm","version":"1.6"},{"name":"plpgsql","version":"1.0"},{"name":"unaccent","version":"1.1"}],"unaccentImmutable":true,"sizeBytes":9321831},"contents":{"tables":20,"indexes":34,"constraints":44,"sequences":18,"modulesInTransition":[]},"filestore":{"fileCount":5,"sizeBytes":1509285,"mode":"full","baseSnapshotId":null,"missingFiles":[],"missingCount":0},"base":null,"artifacts":[{"name":"db","path":"database.dump.zst","bytes":14363,"uncompressedBytes":88910,"sha256":"c4cd4d59ac312f7db4b6f11607acc7b10c7a765a65dd392ddfc27ad626917d6e","codec":"zstd","encryption":null},{"name":"filestore","path":"filestore.tar.zst","bytes":5787,"uncompressedBytes":1513984,"sha256":"b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","codec":"zstd","encryption":null},{"name":"config","path":"config.tar.zst","bytes":394,"uncompressedBytes":4096,"sha256":"01e3941ba1c4e62b4e2f8c861381cf0bce0fe0a6e84f0bf0b1d81dab4cfb54ed","codec":"zstd","encryption":null},{"name":"globals","path":"globals.sql.zst","bytes":383,"uncompressedBytes":762,"sha256":"f9d7867c8cfe1e20e7c855692898f3f67eb2c11c0d0072f57ef048ce79c04699","codec":"zstd","encryption":null}],"tools":{"libarchive":"3.6.2","pg_dump":"15.20","zstd":"1.5.4"},"label":null,"odoo_dump":"1","db_name":"odoo_production","version":"17.0","version_info":["17","0","0","final","0",""],"major_version":"17.0","pg_version":"15.20","modules":{"auth_signup":"17.0.1.0","base":"17.0.1.3","bus":"17.0.1.0","contacts":"17.0.1.0","iap":"17.0.1.0","mail":"17.0.1.0","payment":"17.0.1.0","web":"17.0.1.0","website":"17.0.1.0"}}',1797905596896);
CREATE TABLE cluster_wal (
    agent_id TEXT NOT NULL REFERENCES agents (id),
    cluster TEXT NOT NULL,
    archive TEXT NOT NULL, -- the archive's folder in its destinations
    wal TEXT NOT NULL,
    reported_at INTEGER NOT NULL,
    PRIMARY KEY (agent_id, cluster)
) STRICT;
INSERT INTO "cluster_wal" VALUES('46c2d82a-dec7-4955-a95f-2c146cf1c9e9','main','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/clusters/7710648491507520955','{"cluster":"main","systemId":"7710648491507520955","archive":"v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/clusters/7710648491507520955","destinationIds":["86833a20-0151-4c14-a40a-3ac258ee00fa"],"archiving":{"enabled":true,"status":"ok","lastArchivedAt":"2026-11-22T02:12:26.382Z","lastArchivedSegment":"000000010000000000000004","failedCount":0,"lagSeconds":null,"spoolBytes":0,"backlogBytes":0,"secondsToFull":null,"archiveTimeoutSeconds":60,"retentionDays":7},"baseBackups":[{"backupId":"d2e4e497-2558-4cb8-82fd-043d5da27ff7","timestamp":"2026-11-22T02:12:26.309Z"}],"earliestRecoverable":"2026-11-22T02:12:26.309Z","latestRecoverable":"2026-11-22T02:12:26.330Z","walRanges":[{"start":"2026-11-22T02:12:26.309Z","end":"2026-11-22T02:12:26.330Z"}],"gaps":[]}',1795313568541);
CREATE TABLE copies (
    backup_id TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    artifact TEXT NOT NULL,
    state TEXT NOT NULL,
    object_key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    message TEXT NOT NULL,
    reason TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (backup_id, destination_id, artifact)
) STRICT;
INSERT INTO "copies" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','86833a20-0151-4c14-a40a-3ac258ee00fa','base','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/clusters/7710648491507520955/base/d2e4e497-2558-4cb8-82fd-043d5da27ff7/base.tar.zst','315782e95dafe9a077576cb86c025bc66a4e7eaedeca0d103af2bf0f6b83c057',4862779,'','',1795313546425);
INSERT INTO "copies" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','86833a20-0151-4c14-a40a-3ac258ee00fa','config','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/01a20106-af83-707e-8eb9-10ba7076a02d/config.tar.zst','2c6be704d0ef8505ac6220c523d1dfde3331ee0f73ac91c7cd9c436a2a90acf2',394,'','',1795313546425);
INSERT INTO "copies" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','86833a20-0151-4c14-a40a-3ac258ee00fa','db','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/01a20106-af83-707e-8eb9-10ba7076a02d/database.dump.zst','371596896299dbcb82f47e921ade3aaf0b821222ffff602793a37d95a4d6dd91',14366,'','',1795313546425);
INSERT INTO "copies" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','86833a20-0151-4c14-a40a-3ac258ee00fa','filestore','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/01a20106-af83-707e-8eb9-10ba7076a02d/filestore.tar.zst','b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef',5787,'','',1795313546425);
INSERT INTO "copies" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','86833a20-0151-4c14-a40a-3ac258ee00fa','globals','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/01a20106-af83-707e-8eb9-10ba7076a02d/globals.sql.zst','48f66ff44503622979fc8cdc01cfe24e5ce004f658e2dfa293d1aaf0eaa0d580',383,'','',1795313546425);
INSERT INTO "copies" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','86833a20-0151-4c14-a40a-3ac258ee00fa','backup_manifest','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/clusters/7710648491507520955/base/d2e4e497-2558-4cb8-82fd-043d5da27ff7/backup_manifest.zst','0a9c68845ccb6a07e16d331feaf04b355eaaa4f998891bc6c1037a483afdb9ed',43529,'','',1795313546425);
INSERT INTO "copies" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','86833a20-0151-4c14-a40a-3ac258ee00fa','manifest','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/01a20106-af83-707e-8eb9-10ba7076a02d/manifest.json','2e5d555b7700d194ea7945d0c399c69b57b8fe2cc7ad9339f219c3e2a0f290e1',3876,'','',1795313546425);
INSERT INTO "copies" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','86833a20-0151-4c14-a40a-3ac258ee00fa','manifest','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/clusters/7710648491507520955/base/d2e4e497-2558-4cb8-82fd-043d5da27ff7/manifest.json','6e6576f77f4491e7cf56e3f7c800ac286b38cbc25d5aea76f0c9b5b162efc8e3',2055,'','',1795313546507);
INSERT INTO "copies" VALUES('01a20106-b528-726a-805b-06503d174109','host','filestore','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/snapshots/01a20106-b528-726a-805b-06503d174109/filestore.tar.zst','b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef',5787,'','',1795313571841);
INSERT INTO "copies" VALUES('01a20106-b528-726a-805b-06503d174109','host','config','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/snapshots/01a20106-b528-726a-805b-06503d174109/config.tar.zst','a85aea48a3617fcdb03f069ee290dc1a235ae6f3edc5c5d57b3db41e7a66b13e',393,'','',1795313571841);
INSERT INTO "copies" VALUES('01a20106-b528-726a-805b-06503d174109','host','db','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/snapshots/01a20106-b528-726a-805b-06503d174109/database.dump.zst','a8807d1db1ae7b3c26eb16a7eae7348a29478645fe18aae4fdfaf6a25fbb32c7',14364,'','',1795313571841);
INSERT INTO "copies" VALUES('01a20106-b528-726a-805b-06503d174109','host','globals','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/snapshots/01a20106-b528-726a-805b-06503d174109/globals.sql.zst','efab27a5676a7cb6b5eeadb5d9b17b937edfa642a18a5ab99a013d295b98ca7e',386,'','',1795313571841);
INSERT INTO "copies" VALUES('01a20106-b528-726a-805b-06503d174109','host','manifest','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/snapshots/01a20106-b528-726a-805b-06503d174109/manifest.json','6ad404b3207bb7983f07364301ecc23ba5fe4405b6a5e9f047f535ea3625833b',3878,'','',1795313571891);
INSERT INTO "copies" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','86833a20-0151-4c14-a40a-3ac258ee00fa','config','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/951677ba-1ac4-4581-8199-37b45dad6bb7/config.tar.zst','01e3941ba1c4e62b4e2f8c861381cf0bce0fe0a6e84f0bf0b1d81dab4cfb54ed',394,'','',1795313596896);
INSERT INTO "copies" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','86833a20-0151-4c14-a40a-3ac258ee00fa','db','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/951677ba-1ac4-4581-8199-37b45dad6bb7/database.dump.zst','c4cd4d59ac312f7db4b6f11607acc7b10c7a765a65dd392ddfc27ad626917d6e',14363,'','',1795313596896);
INSERT INTO "copies" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','86833a20-0151-4c14-a40a-3ac258ee00fa','filestore','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/951677ba-1ac4-4581-8199-37b45dad6bb7/filestore.tar.zst','b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef',5787,'','',1795313596896);
INSERT INTO "copies" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','86833a20-0151-4c14-a40a-3ac258ee00fa','globals','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/951677ba-1ac4-4581-8199-37b45dad6bb7/globals.sql.zst','f9d7867c8cfe1e20e7c855692898f3f67eb2c11c0d0072f57ef048ce79c04699',383,'','',1795313596896);
INSERT INTO "copies" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','86833a20-0151-4c14-a40a-3ac258ee00fa','manifest','verified','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/951677ba-1ac4-4581-8199-37b45dad6bb7/manifest.json','fbc408881d360c92dd5e04e3f9b472edf840dde0c466ed5d949223d7b7e00b16',3881,'','',1795313596896);
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    subscription_id TEXT NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    alert_id TEXT,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'failed')),
    attempt INTEGER NOT NULL,    -- attempts begun
    not_before INTEGER NOT NULL, -- of the next attempt; while one runs: when it is given up for lost
    created_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE TABLE delivery_attempts (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER, -- the receiver's; null: it gave none
    error TEXT NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
) STRICT;
CREATE TABLE destination_silence (
    destination_id TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE TABLE destinations (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    config_box TEXT NOT NULL, -- the whole configuration, sealed
    agent_id TEXT,            -- where a local path is looked at for the connection test
    is_default INTEGER NOT NULL DEFAULT 0,
    encrypt INTEGER NOT NULL DEFAULT 0,
    test_status TEXT NOT NULL DEFAULT 'untested' CHECK (test_status IN ('untested', 'pending', 'passed', 'failed')),
    test_message TEXT NOT NULL DEFAULT '',
    tested_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    FOREIGN KEY (organization_id, agent_id) REFERENCES agents (organization_id, id)
) STRICT;
INSERT INTO "destinations" VALUES('86833a20-0151-4c14-a40a-3ac258ee00fa','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','local','local','v1.po8CcBO3NU9pTzJuSxqsps9UD4lgUan6akgSTPRTbp1Tt-XfJ47YQKAh1Ztik3M_t2aqTRHrrzYqIRi9uLukF-9uCUJ7Vq7QErobbmTx5RO_XUeJ_IBul_AfkZeYJw',NULL,1,0,'untested','',NULL,1795313544484,1795313544484,NULL);
CREATE TABLE drill_settings (
    environment_id TEXT PRIMARY KEY REFERENCES environments (id),
    organization_id TEXT NOT NULL,
    every_days INTEGER NOT NULL, -- 0: never by itself
    next_at INTEGER,             -- null: never
    updated_at INTEGER NOT NULL
) STRICT;
CREATE TABLE enroll_tokens (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL, -- of the agent to come; empty: its host name
    token_hash TEXT NOT NULL UNIQUE,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    agent_id TEXT REFERENCES agents (id)
) STRICT;
INSERT INTO "enroll_tokens" VALUES('9ea6dd0f-7484-4e65-b48a-26ba663f7af1','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','agent','c8b0ef8c729e23198109456f17c261c330c5b43243dd1fff3020ae76aadfed49','cli',1795313544610,1795317144610,1795313544634,'46c2d82a-dec7-4955-a95f-2c146cf1c9e9');
INSERT INTO "enroll_tokens" VALUES('a57ba472-b9fb-4b20-8b2d-7ab9f7095910','59dbf3b1-5671-4f3e-a3ee-0c0af654cd31','other-agent','97439570faeed5c5fabf93e27f8cf3a0c813a2d26b6045d595e0eb5912adfcde','cli',1795313544755,1795317144755,1795313544779,'a7fe36d2-1c80-49c0-8bf4-7ef81b36642e');
CREATE TABLE environments (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    type TEXT NOT NULL CHECK (type IN ('production', 'staging', 'development')),
    agent_id TEXT NOT NULL,
    cluster TEXT,
    database TEXT NOT NULL,
    filestore TEXT,
    odoo_conf TEXT,
    is_neutralized INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    FOREIGN KEY (organization_id, project_id) REFERENCES projects (organization_id, id),
    FOREIGN KEY (organization_id, agent_id) REFERENCES agents (organization_id, id)
) STRICT;
INSERT INTO "environments" VALUES('4563223c-a665-44d6-938d-3ae308c754ab','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','7399ab62-0181-4dcf-ad87-a353998e08d8','production','','production','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','main','odoo_production','/srv/lab/odoo/filestore/odoo_production','/srv/lab/odoo.conf',0,1795313544700,1795313597346,NULL);
INSERT INTO "environments" VALUES('3ca3f1be-2951-4050-9e1b-4bdab5b36a9a','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','7399ab62-0181-4dcf-ad87-a353998e08d8','staging','','staging','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','main','odoo_staging','/srv/lab/odoo/filestore/odoo_staging','/srv/lab/odoo.conf',0,1795313544726,1795313544726,NULL);
INSERT INTO "environments" VALUES('d5956e58-7703-4ca6-bafe-4a223fd40a99','59dbf3b1-5671-4f3e-a3ee-0c0af654cd31','f98ec562-c4fe-45fe-8a34-1bc62cf49cc8','production','','production','a7fe36d2-1c80-49c0-8bf4-7ef81b36642e','main','odoo_other','/srv/lab/odoo/filestore/odoo_other','/srv/lab/odoo.conf',0,1795313544859,1795313544859,NULL);
CREATE TABLE idempotency (
    credential TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL, -- method, organization, path, query and body
    status INTEGER NOT NULL,
    body TEXT NOT NULL, -- sealed
    created_at INTEGER NOT NULL,
    PRIMARY KEY (credential, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    environment_id TEXT,
    backup_id TEXT,
    operation_id TEXT NOT NULL,
    order_text TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'accepted', 'finished')),
    fence INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    waiting_since INTEGER NOT NULL,
    lease_until INTEGER,
    lost_at INTEGER,
    told_at INTEGER,
    started_at INTEGER,
    moved_at INTEGER,
    timeout_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
INSERT INTO "jobs" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','backup','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','4563223c-a665-44d6-938d-3ae308c754ab','01a20106-af83-707e-8eb9-10ba7076a02d','01a20106-af83-707e-8eb9-10ba7076a02d','{"backupId":"01a20106-af83-707e-8eb9-10ba7076a02d","scope":"full","trigger":"manual","label":null,"createdAt":"2026-11-22T02:12:25.091Z","environment":{"organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"7399ab62-0181-4dcf-ad87-a353998e08d8","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","name":"production","type":"production","cluster":"main","database":"odoo_production","filestore":"/srv/lab/odoo/filestore/odoo_production","odooConf":"/srv/lab/odoo.conf"},"destinations":[{"id":"86833a20-0151-4c14-a40a-3ac258ee00fa","name":"local","type":"local","config":{}}],"encryptFor":[],"timeoutMs":21600000,"dueAt":null}','finished',1,41,1,0,1795313545091,1795313545091,1795313545091,NULL,NULL,NULL,1795313545951,1795313546507,21600000,'succeeded','','');
INSERT INTO "jobs" VALUES('6400fabe-2128-41cc-9d38-5828c14abb16','base_backup','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','4563223c-a665-44d6-938d-3ae308c754ab','d2e4e497-2558-4cb8-82fd-043d5da27ff7','d2e4e497-2558-4cb8-82fd-043d5da27ff7','{"backupId":"d2e4e497-2558-4cb8-82fd-043d5da27ff7","trigger":"scheduled","reason":"wal_enabled","createdAt":"2026-11-22T02:12:25.447Z","organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","cluster":"main","destinations":[],"encryptFor":[],"retentionDays":0,"timeoutMs":86400000}','finished',0,32,1,0,1795313545447,1795313545447,1795313545447,NULL,NULL,NULL,1795313545456,1795313546507,21600000,'succeeded','','');
INSERT INTO "jobs" VALUES('01a20106-b528-726a-805b-06503d174109','snapshot','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','4563223c-a665-44d6-938d-3ae308c754ab','01a20106-b528-726a-805b-06503d174109','01a20106-b528-726a-805b-06503d174109','{"snapshotId":"01a20106-b528-726a-805b-06503d174109","trigger":"manual","label":null,"createdAt":"2026-11-22T02:12:26.536Z","environment":{"organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"7399ab62-0181-4dcf-ad87-a353998e08d8","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","name":"production","type":"production","cluster":"main","database":"odoo_production","filestore":"/srv/lab/odoo/filestore/odoo_production","odooConf":"/srv/lab/odoo.conf"},"deploymentId":null,"commitSha":null,"imageTag":null,"fullFilestore":false,"destinations":[],"encryptFor":[],"timeoutMs":1800000}','finished',1,38,1,0,1795313546536,1795313546536,1795313546536,NULL,NULL,NULL,1795313571340,1795313571907,1860000,'succeeded','','');
INSERT INTO "jobs" VALUES('1bed2e03-e5a6-4722-8655-b23a97941f42','restore','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','4563223c-a665-44d6-938d-3ae308c754ab','01a20106-af83-707e-8eb9-10ba7076a02d','1d2feb63-b98a-494b-9576-8d0d318097bb','{"restoreId":"1d2feb63-b98a-494b-9576-8d0d318097bb","backupId":"01a20106-af83-707e-8eb9-10ba7076a02d","folder":"v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/01a20106-af83-707e-8eb9-10ba7076a02d","destinations":[{"id":"86833a20-0151-4c14-a40a-3ac258ee00fa","name":"local","type":"local","config":{}}],"source":{"organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"7399ab62-0181-4dcf-ad87-a353998e08d8","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","name":"production","type":"production","cluster":"main","database":"odoo_production","filestore":"/srv/lab/odoo/filestore/odoo_production","odooConf":"/srv/lab/odoo.conf"},"target":{"organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"7399ab62-0181-4dcf-ad87-a353998e08d8","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","name":"production","type":"production","cluster":"main","database":"odoo_production","filestore":"/srv/lab/odoo/filestore/odoo_production","odooConf":"/srv/lab/odoo.conf"},"targetType":"same","scope":"all","neutralize":false,"newUuid":false,"pitr":null,"safetyBackup":{"backupId":"951677ba-1ac4-4581-8199-37b45dad6bb7","scope":"full","trigger":"pre_restore","label":null,"createdAt":"2026-11-22T02:13:16.571Z","environment":{"organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"7399ab62-0181-4dcf-ad87-a353998e08d8","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","name":"production","type":"production","cluster":"main","database":"odoo_production","filestore":"/srv/lab/odoo/filestore/odoo_production","odooConf":"/srv/lab/odoo.conf"},"destinations":[{"id":"86833a20-0151-4c14-a40a-3ac258ee00fa","name":"local","type":"local","config":{}}],"encryptFor":[],"timeoutMs":21600000,"dueAt":null},"keepPreviousMs":86400000,"timeoutMs":43200000}','finished',0,63,1,0,1795313596571,1795313596571,1795313596571,NULL,NULL,NULL,1795313596575,1795313597346,21600000,'succeeded','','');
CREATE TABLE memberships (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    subject TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, subject)
) STRICT;
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment_id TEXT,
    backup_id TEXT,
    subject TEXT NOT NULL DEFAULT '', -- an undo's restore, a test's destination
    job_id TEXT NOT NULL,
    plan TEXT NOT NULL,
    phase TEXT NOT NULL,
    status TEXT NOT NULL,
    failure TEXT NOT NULL DEFAULT '',
    failure_reason TEXT NOT NULL DEFAULT '',
    reverted INTEGER NOT NULL DEFAULT 0,
    notes TEXT NOT NULL DEFAULT '[]',
    progress TEXT,
    evidence TEXT,
    event_id INTEGER NOT NULL DEFAULT 0,
    performed_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER
, steps_purged_at INTEGER) STRICT;
INSERT INTO "operations" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','backup','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','4563223c-a665-44d6-938d-3ae308c754ab','01a20106-af83-707e-8eb9-10ba7076a02d','','01a20106-af83-707e-8eb9-10ba7076a02d','{"operation":"backup","steps":[{"name":"preflight","required":true,"weight":2},{"name":"db_dump","required":true,"weight":40},{"name":"filestore_archive","required":true,"weight":30},{"name":"filestore_reconcile","required":true,"weight":1},{"name":"config_capture","required":true,"weight":1},{"name":"artifact_checksums","required":true,"weight":1},{"name":"manifest_write","required":true,"weight":1},{"name":"local_verify","required":true,"weight":2},{"name":"remote_upload","required":true,"weight":5},{"name":"remote_verify","required":true,"weight":14},{"name":"catalog_commit","required":true,"weight":3}],"requiredProofs":["artifact:db","artifact:filestore","artifact:config","artifact:globals","artifact:manifest","checksum:db","checksum:filestore","checksum:config","checksum:globals","checksum:manifest","db_toc:entries","filestore:reconciled","manifest:readback","catalog:row"],"destinationIds":["86833a20-0151-4c14-a40a-3ac258ee00fa"],"artifacts":["db","filestore","config","globals","manifest"]}','ended','completed','','',0,'["filestore: Odoo''s collector was held off while the files were packed"]','{"operation":"backup","id":"01a20106-af83-707e-8eb9-10ba7076a02d","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"catalog_commit","stepStatus":"completed","stepIndex":11,"stepCount":11,"percent":1E2,"bytesDone":1598195,"bytesTotal":1598195,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:12:26.507Z","done":true,"error":null}','{"operation":"backup","status":"green","reason":"ok","requiredSteps":["preflight","db_dump","filestore_archive","filestore_reconcile","config_capture","artifact_checksums","manifest_write","local_verify","remote_upload","remote_verify","catalog_commit"],"missingSteps":[],"blockingSteps":[],"optionalFailedSteps":[],"missingEvidence":[],"artifactPaths":{"config":"config.tar.zst","db":"database.dump.zst","filestore":"filestore.tar.zst","globals":"globals.sql.zst","manifest":"manifest.json"},"artifactChecksums":{"config":"sha256:2c6be704d0ef8505ac6220c523d1dfde3331ee0f73ac91c7cd9c436a2a90acf2","db":"sha256:371596896299dbcb82f47e921ade3aaf0b821222ffff602793a37d95a4d6dd91","filestore":"sha256:b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","globals":"sha256:48f66ff44503622979fc8cdc01cfe24e5ce004f658e2dfa293d1aaf0eaa0d580","manifest":"sha256:2e5d555b7700d194ea7945d0c399c69b57b8fe2cc7ad9339f219c3e2a0f290e1"},"remoteCopyState":"verified","progress":{"operation":"backup","id":"01a20106-af83-707e-8eb9-10ba7076a02d","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"catalog_commit","stepStatus":"completed","stepIndex":11,"stepCount":11,"percent":1E2,"bytesDone":1598195,"bytesTotal":1598195,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:12:26.507Z","done":true,"error":null},"canWriteCleanSuccess":true,"whyGreen":["preflight: PostgreSQL 15.20, pg_dump 15.20, Odoo 17.0, 1 of 1 destinations writable","db_dump: 0.1 MB custom dump in 0.0 MB, 169 TOC entries, 20 tables","filestore_archive: 5 files, 1.5 MB in 0.0 MB, each SHA-1 compared with its name","filestore_reconcile: 6 attachments name 5 files, all of them archived and sound","config_capture: odoo.conf, modules.json, addons.json; roles and tablespaces, secrets left out","artifact_checksums: SHA-256 of 4 artifacts taken while they were written","manifest_write: 4 artifacts, 20 tables counted","local_verify: pg_restore lists 169 entries, tar of 5 members","remote_upload: every artifact and the manifest in local","remote_verify: SHA-256 equal when read back from 1 destination","catalog_commit: recorded with its evidence","filestore: Odoo''s collector was held off while the files were packed"],"whyNotGreen":[]}',26,'owner@lab.example',1795313545091,1795313545951,1795313546507,NULL);
INSERT INTO "operations" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','backup','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','4563223c-a665-44d6-938d-3ae308c754ab','d2e4e497-2558-4cb8-82fd-043d5da27ff7','','6400fabe-2128-41cc-9d38-5828c14abb16','{"operation":"backup","steps":[{"name":"preflight","required":true,"weight":2},{"name":"base_backup","required":true,"weight":72},{"name":"wal_continuity","required":true,"weight":3},{"name":"artifact_checksums","required":true,"weight":1},{"name":"manifest_write","required":true,"weight":1},{"name":"remote_upload","required":true,"weight":5},{"name":"remote_verify","required":true,"weight":12},{"name":"catalog_commit","required":true,"weight":3},{"name":"wal_prune","required":false,"weight":1}],"requiredProofs":["artifact:base","artifact:backup_manifest","artifact:manifest","checksum:base","checksum:backup_manifest","checksum:manifest","wal:continuous","manifest:readback","catalog:row"],"destinationIds":["86833a20-0151-4c14-a40a-3ac258ee00fa"],"artifacts":["base","backup_manifest","manifest"]}','ended','completed','','',0,'[]','{"operation":"backup","id":"d2e4e497-2558-4cb8-82fd-043d5da27ff7","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"wal_prune","stepStatus":"completed","stepIndex":9,"stepCount":9,"percent":1E2,"bytesDone":42892800,"bytesTotal":42892800,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:12:26.507Z","done":true,"error":null}','{"operation":"backup","status":"green","reason":"ok","requiredSteps":["preflight","base_backup","wal_continuity","artifact_checksums","manifest_write","remote_upload","remote_verify","catalog_commit"],"missingSteps":[],"blockingSteps":[],"optionalFailedSteps":[],"missingEvidence":[],"artifactPaths":{"backup_manifest":"backup_manifest.zst","base":"base.tar.zst","manifest":"manifest.json"},"artifactChecksums":{"backup_manifest":"sha256:0a9c68845ccb6a07e16d331feaf04b355eaaa4f998891bc6c1037a483afdb9ed","base":"sha256:315782e95dafe9a077576cb86c025bc66a4e7eaedeca0d103af2bf0f6b83c057","manifest":"sha256:6e6576f77f4491e7cf56e3f7c800ac286b38cbc25d5aea76f0c9b5b162efc8e3"},"remoteCopyState":"verified","progress":{"operation":"backup","id":"d2e4e497-2558-4cb8-82fd-043d5da27ff7","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"wal_prune","stepStatus":"completed","stepIndex":9,"stepCount":9,"percent":1E2,"bytesDone":42892800,"bytesTotal":42892800,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:12:26.507Z","done":true,"error":null},"canWriteCleanSuccess":true,"whyGreen":["preflight: PostgreSQL 15.20, 39 MB in 3 databases, timeline 1","base_backup: 42.9 MB in 4.9 MB, 1818 files, WAL 0/3000028 to 0/3000100 on timeline 1","wal_continuity: 1 segments from 0/3000028 to 0/3000100 are archived","artifact_checksums: SHA-256 of both artifacts taken while they were written","manifest_write: 2 artifacts","remote_upload: both artifacts and the manifest in local","remote_verify: each artifact found equal after it was stored, and looked up again, in 1 destination","catalog_commit: recorded with its evidence","wal_prune: 0 base backups and 0 segments removed"],"whyNotGreen":[]}',22,'agent:agent',1795313545447,1795313545456,1795313546507,NULL);
INSERT INTO "operations" VALUES('01a20106-b528-726a-805b-06503d174109','snapshot','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','4563223c-a665-44d6-938d-3ae308c754ab','01a20106-b528-726a-805b-06503d174109','','01a20106-b528-726a-805b-06503d174109','{"operation":"snapshot","steps":[{"name":"preflight","required":true,"weight":2},{"name":"resolve_filestore_base","required":true,"weight":3},{"name":"db_dump","required":true,"weight":60},{"name":"filestore_capture","required":true,"weight":25},{"name":"config_capture","required":true,"weight":1},{"name":"artifact_checksums","required":true,"weight":1},{"name":"manifest_write","required":true,"weight":1},{"name":"local_verify","required":true,"weight":4},{"name":"catalog_commit","required":true,"weight":1}],"requiredProofs":["artifact:db","artifact:filestore","artifact:config","artifact:manifest","checksum:db","checksum:filestore","checksum:config","checksum:manifest","db_toc:entries","filestore:reconciled","manifest:readback","catalog:row"],"destinationIds":[],"artifacts":["db","filestore","config","manifest"]}','ended','completed','','',0,'[]','{"operation":"snapshot","id":"01a20106-b528-726a-805b-06503d174109","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"catalog_commit","stepStatus":"completed","stepIndex":9,"stepCount":9,"percent":1E2,"bytesDone":1598195,"bytesTotal":1598195,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:12:51.907Z","done":true,"error":null}','{"operation":"snapshot","status":"green","reason":"ok","requiredSteps":["preflight","resolve_filestore_base","db_dump","filestore_capture","config_capture","artifact_checksums","manifest_write","local_verify","catalog_commit"],"missingSteps":[],"blockingSteps":[],"optionalFailedSteps":[],"missingEvidence":[],"artifactPaths":{"config":"config.tar.zst","db":"database.dump.zst","filestore":"filestore.tar.zst","globals":"globals.sql.zst","manifest":"manifest.json"},"artifactChecksums":{"config":"sha256:a85aea48a3617fcdb03f069ee290dc1a235ae6f3edc5c5d57b3db41e7a66b13e","db":"sha256:a8807d1db1ae7b3c26eb16a7eae7348a29478645fe18aae4fdfaf6a25fbb32c7","filestore":"sha256:b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","globals":"sha256:efab27a5676a7cb6b5eeadb5d9b17b937edfa642a18a5ab99a013d295b98ca7e","manifest":"sha256:6ad404b3207bb7983f07364301ecc23ba5fe4405b6a5e9f047f535ea3625833b"},"remoteCopyState":"not_required","progress":{"operation":"snapshot","id":"01a20106-b528-726a-805b-06503d174109","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"catalog_commit","stepStatus":"completed","stepIndex":9,"stepCount":9,"percent":1E2,"bytesDone":1598195,"bytesTotal":1598195,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:12:51.907Z","done":true,"error":null},"canWriteCleanSuccess":true,"whyGreen":["preflight: PostgreSQL 15.20, pg_dump 15.20, Odoo 17.0, 1 of 1 destinations writable","resolve_filestore_base: full, 5 files: no full one of this environment is here","db_dump: 0.1 MB custom dump in 0.0 MB, 169 TOC entries, 20 tables","filestore_capture: 5 files, 1.5 MB in 0.0 MB, each SHA-1 compared with its name; 6 attachments name 5 files, all of them archived and sound","config_capture: odoo.conf, modules.json, addons.json; roles and tablespaces, secrets left out","artifact_checksums: SHA-256 of 4 artifacts taken while they were written","manifest_write: 4 artifacts, 20 tables counted","local_verify: pg_restore lists 169 entries, tar of 5 members; every artifact read back as it was written","catalog_commit: 24808 bytes on this host"],"whyNotGreen":[]}',23,'owner@lab.example',1795313546536,1795313571340,1795313571907,NULL);
INSERT INTO "operations" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','restore','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','4563223c-a665-44d6-938d-3ae308c754ab','01a20106-af83-707e-8eb9-10ba7076a02d','1d2feb63-b98a-494b-9576-8d0d318097bb','1bed2e03-e5a6-4722-8655-b23a97941f42','{"operation":"restore","steps":[{"name":"validate_target","required":true,"weight":2},{"name":"fetch_artifacts","required":true,"weight":2},{"name":"verify_artifacts","required":true,"weight":10},{"name":"safety_backup","required":true,"weight":20},{"name":"restore_database","required":true,"weight":40},{"name":"restore_filestore","required":true,"weight":15},{"name":"post_restore_checks","required":true,"weight":3},{"name":"swap_in","required":true,"weight":1},{"name":"catalog_commit","required":true,"weight":1}],"requiredProofs":["safety_backup:id","restore:row_counts","filestore:reconciled","catalog:row"],"destinationIds":[],"artifacts":[]}','ended','completed','','',0,'["stop_instance: this host''s configuration does not let the agent manage Odoo"]','{"operation":"restore","id":"1d2feb63-b98a-494b-9576-8d0d318097bb","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"catalog_commit","stepStatus":"completed","stepIndex":9,"stepCount":9,"percent":1E2,"bytesDone":1523651,"bytesTotal":10779946,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:13:17.346Z","done":true,"error":null}','{"operation":"restore","status":"green","reason":"ok","requiredSteps":["validate_target","fetch_artifacts","verify_artifacts","safety_backup","restore_database","restore_filestore","post_restore_checks","swap_in","catalog_commit"],"missingSteps":[],"blockingSteps":[],"optionalFailedSteps":[],"missingEvidence":[],"artifactPaths":{"config":"config.tar.zst","db":"database.dump.zst","filestore":"filestore.tar.zst","globals":"globals.sql.zst","manifest":"manifest.json"},"artifactChecksums":{"config":"sha256:2c6be704d0ef8505ac6220c523d1dfde3331ee0f73ac91c7cd9c436a2a90acf2","db":"sha256:371596896299dbcb82f47e921ade3aaf0b821222ffff602793a37d95a4d6dd91","filestore":"sha256:b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","globals":"sha256:48f66ff44503622979fc8cdc01cfe24e5ce004f658e2dfa293d1aaf0eaa0d580","manifest":"sha256:2e5d555b7700d194ea7945d0c399c69b57b8fe2cc7ad9339f219c3e2a0f290e1"},"remoteCopyState":"not_required","progress":{"operation":"restore","id":"1d2feb63-b98a-494b-9576-8d0d318097bb","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"catalog_commit","stepStatus":"completed","stepIndex":9,"stepCount":9,"percent":1E2,"bytesDone":1523651,"bytesTotal":10779946,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:13:17.346Z","done":true,"error":null},"canWriteCleanSuccess":true,"whyGreen":["validate_target: odoo_production on PostgreSQL 15, replaces the database there","fetch_artifacts: db, filestore (0 MB stored) at 1 destination(s)","verify_artifacts: database: SHA-256 as in the manifest, 169 TOC entries; the filestore''s is proven while it is written","safety_backup: backup 951677ba-1ac4-4581-8199-37b45dad6bb7 of the target, 24808 bytes","restore_database: 169 entries by pg_restore 15.20 -j2 into odoo_production__restore_318097bb, owner odoo","restore_filestore: 5 files, 1509285 bytes, SHA-256 of the archive and SHA-1 of each file checked","post_restore_checks: 20 tables with 205 rows, 34 indexes, 44 constraints as in the backup; every one of 5 attachment files is there","swap_in: odoo_production holds the restored pair, the old one is kept","catalog_commit: the restore is recorded","stop_instance: this host''s configuration does not let the agent manage Odoo"],"whyNotGreen":[]}',22,'agent:agent',1795313596571,1795313596575,1795313597346,NULL);
INSERT INTO "operations" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','backup','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','4563223c-a665-44d6-938d-3ae308c754ab','951677ba-1ac4-4581-8199-37b45dad6bb7','','1bed2e03-e5a6-4722-8655-b23a97941f42','{"operation":"backup","steps":[{"name":"preflight","required":true,"weight":2},{"name":"db_dump","required":true,"weight":40},{"name":"filestore_archive","required":true,"weight":30},{"name":"filestore_reconcile","required":true,"weight":1},{"name":"config_capture","required":true,"weight":1},{"name":"artifact_checksums","required":true,"weight":1},{"name":"manifest_write","required":true,"weight":1},{"name":"local_verify","required":true,"weight":2},{"name":"remote_upload","required":true,"weight":5},{"name":"remote_verify","required":true,"weight":14},{"name":"catalog_commit","required":true,"weight":3}],"requiredProofs":["artifact:db","artifact:filestore","artifact:config","artifact:globals","artifact:manifest","checksum:db","checksum:filestore","checksum:config","checksum:globals","checksum:manifest","db_toc:entries","filestore:reconciled","manifest:readback","catalog:row"],"destinationIds":["86833a20-0151-4c14-a40a-3ac258ee00fa"],"artifacts":["db","filestore","config","globals","manifest"]}','ended','completed','','',0,'["filestore: Odoo''s collector was held off while the files were packed"]','{"operation":"backup","id":"951677ba-1ac4-4581-8199-37b45dad6bb7","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"catalog_commit","stepStatus":"completed","stepIndex":11,"stepCount":11,"percent":1E2,"bytesDone":1598195,"bytesTotal":1598195,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:13:16.896Z","done":true,"error":null}','{"operation":"backup","status":"green","reason":"ok","requiredSteps":["preflight","db_dump","filestore_archive","filestore_reconcile","config_capture","artifact_checksums","manifest_write","local_verify","remote_upload","remote_verify","catalog_commit"],"missingSteps":[],"blockingSteps":[],"optionalFailedSteps":[],"missingEvidence":[],"artifactPaths":{"config":"config.tar.zst","db":"database.dump.zst","filestore":"filestore.tar.zst","globals":"globals.sql.zst","manifest":"manifest.json"},"artifactChecksums":{"config":"sha256:01e3941ba1c4e62b4e2f8c861381cf0bce0fe0a6e84f0bf0b1d81dab4cfb54ed","db":"sha256:c4cd4d59ac312f7db4b6f11607acc7b10c7a765a65dd392ddfc27ad626917d6e","filestore":"sha256:b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","globals":"sha256:f9d7867c8cfe1e20e7c855692898f3f67eb2c11c0d0072f57ef048ce79c04699","manifest":"sha256:fbc408881d360c92dd5e04e3f9b472edf840dde0c466ed5d949223d7b7e00b16"},"remoteCopyState":"verified","progress":{"operation":"backup","id":"951677ba-1ac4-4581-8199-37b45dad6bb7","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"completed","step":"catalog_commit","stepStatus":"completed","stepIndex":11,"stepCount":11,"percent":1E2,"bytesDone":1598195,"bytesTotal":1598195,"rateBytesPerSec":0,"message":"completed","at":"2026-11-22T02:13:16.896Z","done":true,"error":null},"canWriteCleanSuccess":true,"whyGreen":["preflight: PostgreSQL 15.20, pg_dump 15.20, Odoo 17.0, 1 of 1 destinations writable","db_dump: 0.1 MB custom dump in 0.0 MB, 169 TOC entries, 20 tables","filestore_archive: 5 files, 1.5 MB in 0.0 MB, each SHA-1 compared with its name","filestore_reconcile: 6 attachments name 5 files, all of them archived and sound","config_capture: odoo.conf, modules.json, addons.json; roles and tablespaces, secrets left out","artifact_checksums: SHA-256 of 4 artifacts taken while they were written","manifest_write: 4 artifacts, 20 tables counted","local_verify: pg_restore lists 169 entries, tar of 5 members","remote_upload: every artifact and the manifest in local","remote_verify: SHA-256 equal when read back from 1 destination","catalog_commit: recorded with its evidence","filestore: Odoo''s collector was held off while the files were packed"],"whyNotGreen":[]}',25,'system',1795313596896,1795313596896,1795313596896,NULL);
CREATE TABLE organization_policies (
    organization_id TEXT PRIMARY KEY REFERENCES organizations (id),
    retention TEXT NOT NULL, -- the contract's retain… numbers that it sets
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL
) STRICT;
CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
INSERT INTO "organizations" VALUES('c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','lab','Lab',1795313544377,1795313544377,NULL);
INSERT INTO "organizations" VALUES('59dbf3b1-5671-4f3e-a3ee-0c0af654cd31','other-lab','Another lab',1795313544406,1795313544406,NULL);
CREATE TABLE progress_events (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    event_id INTEGER NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (operation_id, event_id)
) STRICT;
INSERT INTO "progress_events" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d',1,'{"operation":"backup","id":"01a20106-af83-707e-8eb9-10ba7076a02d","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"pending","step":"","stepStatus":"","stepIndex":0,"stepCount":11,"percent":0E0,"bytesDone":0,"bytesTotal":0,"rateBytesPerSec":0,"message":"waiting for the agent","at":"2026-11-22T02:12:25.091Z","done":false,"error":null}');
INSERT INTO "progress_events" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d',2,'{"operation":"backup","id":"01a20106-af83-707e-8eb9-10ba7076a02d","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"running","step":"","stepStatus":"","stepIndex":0,"stepCount":11,"percent":0E0,"bytesDone":0,"bytesTotal":0,"rateBytesPerSec":0,"message":"the agent began","at":"2026-11-22T02:12:25.951Z","done":false,"error":null}');
INSERT INTO "progress_events" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d',3,'{"operation":"backup","id":"01a20106-af83-707e-8eb9-10ba7076a02d","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"running","step":"preflight","stepStatus":"running","stepIndex":1,"stepCount":11,"percent":0E0,"bytesDone":0,"bytesTotal":0,"rateBytesPerSec":0,"message":"preflight: running","at":"2026-11-22T02:12:25.991Z","done":false,"error":null}');
INSERT INTO "progress_events" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d',4,'{"operation":"backup","id":"01a20106-af83-707e-8eb9-10ba7076a02d","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","status":"running","step":"preflight","stepStatus":"completed","stepIndex":1,"stepCount":11,"percent":0E0,"bytesDone":0,"bytesTotal":0,"rateBytesPerSec":0,"message":"preflight: PostgreSQL 15.20, pg_dump 15.20, Odoo 17.0, 1 of 1 destinations writable","at":"2026-11-22T02:12:26.425Z","done":false,"error":null}');
CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    UNIQUE (organization_id, id)
) STRICT;
INSERT INTO "projects" VALUES('7399ab62-0181-4dcf-ad87-a353998e08d8','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','Shop','',1795313544450,1795313544450,NULL);
INSERT INTO "projects" VALUES('f98ec562-c4fe-45fe-8a34-1bc62cf49cc8','59dbf3b1-5671-4f3e-a3ee-0c0af654cd31','Elsewhere','',1795313544831,1795313544831,NULL);
CREATE TABLE prunes (
    environment_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
INSERT INTO "prunes" VALUES('4563223c-a665-44d6-938d-3ae308c754ab',1795313599335);
CREATE TABLE restores (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    backup_id TEXT NOT NULL,
    source_environment_id TEXT,
    target_environment_id TEXT,
    agent_id TEXT NOT NULL,
    target_type TEXT NOT NULL,
    scope TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    keep_until INTEGER,
    undone_at INTEGER,
    error_message TEXT,
    safety_backup_id TEXT,
    performed_by TEXT NOT NULL
) STRICT;
INSERT INTO "restores" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','01a20106-af83-707e-8eb9-10ba7076a02d','4563223c-a665-44d6-938d-3ae308c754ab','4563223c-a665-44d6-938d-3ae308c754ab','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','same','all','completed',1795313596571,1795313596575,1795313597346,1795399997346,NULL,NULL,'951677ba-1ac4-4581-8199-37b45dad6bb7','agent:agent');
CREATE TABLE rollbacks (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    snapshot_id TEXT NOT NULL,
    source_environment_id TEXT,
    target_environment_id TEXT,
    agent_id TEXT NOT NULL,
    deployment_id TEXT, -- the snapshot's
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    keep_until INTEGER,
    error_message TEXT,
    safety_snapshot_id TEXT,
    safety_snapshot_created INTEGER NOT NULL DEFAULT 0,
    neutralization_triggered INTEGER NOT NULL DEFAULT 0,
    performed_by TEXT NOT NULL
) STRICT;
CREATE TABLE schedule_runs (
    environment_id TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('db', 'full')),
    due_at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('ordered', 'by_agent', 'covered', 'skipped', 'missed')),
    backup_id TEXT,
    message TEXT NOT NULL DEFAULT '',
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (environment_id, scope, due_at)
) STRICT, WITHOUT ROWID;
CREATE TABLE schedules (
    environment_id TEXT PRIMARY KEY REFERENCES environments (id),
    id TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    time_zone TEXT NOT NULL,
    db_frequency TEXT NOT NULL,
    db_cron TEXT NOT NULL, -- empty: none
    full_frequency TEXT NOT NULL,
    full_cron TEXT NOT NULL,
    destination_ids TEXT NOT NULL DEFAULT '[]', -- none: the organization's default
    wal_enabled INTEGER NOT NULL,
    wal_retention_days INTEGER NOT NULL,
    retention TEXT NOT NULL DEFAULT '{}', -- the contract's retain… numbers
    next_db_at INTEGER, -- the first moment about which nothing is decided yet: in the past while it waits
    next_full_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
, wal_since INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "schedules" VALUES('4563223c-a665-44d6-938d-3ae308c754ab','0d810519-1110-4026-baff-3dbdc12a40f5','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a',1,0,'UTC','custom','0 0 1 1 *','none','','["86833a20-0151-4c14-a40a-3ac258ee00fa"]',0,7,'{"retainHourly":null,"retainDaily":null,"retainWeekly":null,"retainMonthly":null,"retainHourlyDays":null,"retainDailyDays":null,"retainWeeklyDays":null,"retainMonthlyDays":null,"retainDbHourly":null,"retainDbDaily":null,"retainDbWeekly":null,"retainDbMonthly":null,"retainFullHourly":null,"retainFullDaily":null,"retainFullWeekly":null,"retainFullMonthly":null}',1798761600000,NULL,1795313566548,1795313566548,1795313566548);
CREATE TABLE snapshot_settings (
    environment_id TEXT PRIMARY KEY REFERENCES environments (id),
    id TEXT NOT NULL UNIQUE,
    auto_enabled INTEGER NOT NULL,
    failure_policy TEXT NOT NULL CHECK (failure_policy IN ('block', 'warn', 'ignore')),
    max_pinned INTEGER NOT NULL,
    retention_days INTEGER NOT NULL,
    timeout_seconds INTEGER NOT NULL,
    destination_ids TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO "snapshot_settings" VALUES('4563223c-a665-44d6-938d-3ae308c754ab','e1eaef85-2d7f-4f49-b5d9-88b82d7354c6',1,'block',5,7,1800,'[]',1795313546536,1795313546536);
CREATE TABLE snapshots (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    project_id TEXT,
    environment_id TEXT,
    agent_id TEXT NOT NULL,
    trigger_kind TEXT NOT NULL,
    status TEXT NOT NULL,
    label TEXT,
    deployment_id TEXT,
    commit_sha TEXT,
    image_tag TEXT,
    failure_policy TEXT NOT NULL, -- as it was when the snapshot was ordered
    destination_ids TEXT NOT NULL DEFAULT '[]', -- that it is copied to
    remote_status TEXT NOT NULL DEFAULT 'none',
    folder TEXT NOT NULL DEFAULT '',
    database_file TEXT,
    filestore_file TEXT,
    config_file TEXT,
    is_full INTEGER, -- null until it is known
    base_id TEXT,    -- the full snapshot that a differential lacks files of
    is_pinned INTEGER NOT NULL DEFAULT 0,
    pin_label TEXT NOT NULL DEFAULT '',
    unpinned_at INTEGER,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    expires_at INTEGER, -- its own; a base lives as long as its differentials
    deleted_at INTEGER,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    database_bytes INTEGER NOT NULL DEFAULT 0,
    filestore_bytes INTEGER NOT NULL DEFAULT 0,
    error_message TEXT,
    performed_by TEXT NOT NULL,
    manifest TEXT
) STRICT;
INSERT INTO "snapshots" VALUES('01a20106-b528-726a-805b-06503d174109','c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a','7399ab62-0181-4dcf-ad87-a353998e08d8','4563223c-a665-44d6-938d-3ae308c754ab','46c2d82a-dec7-4955-a95f-2c146cf1c9e9','manual','completed',NULL,NULL,NULL,NULL,'block','[]','none','v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/snapshots/01a20106-b528-726a-805b-06503d174109','database.dump.zst','filestore.tar.zst','config.tar.zst',1,NULL,0,'',NULL,1795313546536,1795313571340,1795313571907,1795918371907,NULL,24808,88910,1513984,NULL,'owner@lab.example','{"format":1,"backupId":"01a20106-b528-726a-805b-06503d174109","kind":"snapshot","scope":"full","trigger":"manual","organizationId":"c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a","projectId":"7399ab62-0181-4dcf-ad87-a353998e08d8","environmentId":"4563223c-a665-44d6-938d-3ae308c754ab","environmentName":"production","environmentType":"production","isNeutralized":false,"databaseUuid":"4981e643-7788-5719-90ba-1a497cb0d037","isOdoo":true,"dumpFormat":"custom","startedAt":"2026-11-22T02:12:51.358Z","completedAt":"2026-11-22T02:12:51.846Z","agent":{"id":"46c2d82a-dec7-4955-a95f-2c146cf1c9e9","version":"0.1.0"},"postgres":{"serverVersion":"15.20","serverVersionNum":150020,"systemId":"7710648491507520955","timeline":1,"startLsn":"0/5019C88","endLsn":"0/5019C88","encoding":"UTF8","collate":"C","ctype":"C.UTF-8","owner":"odoo","extensions":[{"name":"pg_trgm","version":"1.6"},{"name":"plpgsql","version":"1.0"},{"name":"unaccent","version":"1.1"}],"unaccentImmutable":true,"sizeBytes":9256295},"contents":{"tables":20,"indexes":34,"constraints":44,"sequences":18,"modulesInTransition":[]},"filestore":{"fileCount":5,"sizeBytes":1509285,"mode":"full","baseSnapshotId":null,"missingFiles":[],"missingCount":0},"base":null,"artifacts":[{"name":"db","path":"database.dump.zst","bytes":14364,"uncompressedBytes":88910,"sha256":"a8807d1db1ae7b3c26eb16a7eae7348a29478645fe18aae4fdfaf6a25fbb32c7","codec":"zstd","encryption":null},{"name":"filestore","path":"filestore.tar.zst","bytes":5787,"uncompressedBytes":1513984,"sha256":"b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","codec":"zstd","encryption":null},{"name":"config","path":"config.tar.zst","bytes":393,"uncompressedBytes":4096,"sha256":"a85aea48a3617fcdb03f069ee290dc1a235ae6f3edc5c5d57b3db41e7a66b13e","codec":"zstd","encryption":null},{"name":"globals","path":"globals.sql.zst","bytes":386,"uncompressedBytes":762,"sha256":"efab27a5676a7cb6b5eeadb5d9b17b937edfa642a18a5ab99a013d295b98ca7e","codec":"zstd","encryption":null}],"tools":{"libarchive":"3.6.2","pg_dump":"15.20","zstd":"1.5.4"},"label":null,"odoo_dump":"1","db_name":"odoo_production","version":"17.0","version_info":["17","0","0","final","0",""],"major_version":"17.0","pg_version":"15.20","modules":{"auth_signup":"17.0.1.0","base":"17.0.1.3","bus":"17.0.1.0","contacts":"17.0.1.0","iap":"17.0.1.0","mail":"17.0.1.0","payment":"17.0.1.0","web":"17.0.1.0","website":"17.0.1.0"}}');
CREATE TABLE steps (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    sort_order INTEGER NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (operation_id, name)
) STRICT;
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','preflight',1,2,'{"name":"preflight","required":true,"status":"completed","startedAt":"2026-11-22T02:12:25.463Z","completedAt":"2026-11-22T02:12:25.531Z","durationMs":68,"attempt":1,"output":"","facts":{"cluster_bytes":"41483323","encrypted":"no","pg_basebackup_version":"15.20","reason":"wal_enabled","server_version":"15.20","system_id":"7710648491507520955","timeline":"1"},"proofs":[],"summary":"PostgreSQL 15.20, 39 MB in 3 databases, timeline 1","reason":""}');
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','base_backup',2,2,'{"name":"base_backup","required":true,"status":"completed","startedAt":"2026-11-22T02:12:25.539Z","completedAt":"2026-11-22T02:12:26.311Z","durationMs":772,"attempt":1,"output":"","facts":{"ended_at":"2026-11-22T02:12:26.309Z","plain_bytes":"42892800","sha256":"315782e95dafe9a077576cb86c025bc66a4e7eaedeca0d103af2bf0f6b83c057","start_lsn":"0/3000028","started_at":"2026-11-22T02:12:25.552Z","stop_lsn":"0/3000100","stored_bytes":"4862779","timeline":"1"},"proofs":["artifact:base","artifact:backup_manifest"],"summary":"42.9 MB in 4.9 MB, 1818 files, WAL 0/3000028 to 0/3000100 on timeline 1","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','preflight',1,2,'{"name":"preflight","required":true,"status":"completed","startedAt":"2026-11-22T02:12:25.978Z","completedAt":"2026-11-22T02:12:26.088Z","durationMs":110,"attempt":1,"output":"","facts":{"attachment_files":"5","database_bytes":"9256295","dump_way":"stream","encrypted":"no","filestore":"/srv/lab/odoo/filestore/odoo_production","pg_dump":"/usr/lib/postgresql/15/bin/pg_dump","pg_dump_version":"15.20","server_version":"15.20"},"proofs":[],"summary":"PostgreSQL 15.20, pg_dump 15.20, Odoo 17.0, 1 of 1 destinations writable","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','config_capture',5,2,'{"name":"config_capture","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.089Z","completedAt":"2026-11-22T02:12:26.199Z","durationMs":110,"attempt":1,"output":"","facts":{"files":"odoo.conf modules.json addons.json","secrets":"removed"},"proofs":["artifact:config","artifact:globals"],"summary":"odoo.conf, modules.json, addons.json; roles and tablespaces, secrets left out","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','filestore_archive',3,2,'{"name":"filestore_archive","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.089Z","completedAt":"2026-11-22T02:12:26.183Z","durationMs":94,"attempt":1,"output":"","facts":{"collector_held":"yes","file_bytes":"1509285","files":"5","problems":"0","sha256":"b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","stored_bytes":"5787"},"proofs":["artifact:filestore"],"summary":"5 files, 1.5 MB in 0.0 MB, each SHA-1 compared with its name","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','db_dump',2,2,'{"name":"db_dump","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.089Z","completedAt":"2026-11-22T02:12:26.345Z","durationMs":256,"attempt":1,"output":"","facts":{"dump_format":"custom","pg_dump_version":"15.20","plain_bytes":"88910","sha256":"371596896299dbcb82f47e921ade3aaf0b821222ffff602793a37d95a4d6dd91","stored_bytes":"14366","table_data_entries":"20","toc_entries":"169"},"proofs":["artifact:db"],"summary":"0.1 MB custom dump in 0.0 MB, 169 TOC entries, 20 tables","reason":""}');
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','wal_continuity',3,2,'{"name":"wal_continuity","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.317Z","completedAt":"2026-11-22T02:12:26.371Z","durationMs":54,"attempt":1,"output":"","facts":{"destination":"86833a20-0151-4c14-a40a-3ac258ee00fa","first_segment":"000000010000000000000003","last_segment":"000000010000000000000003","segments":"1","waited_ms":"0"},"proofs":["wal:continuous"],"summary":"1 segments from 0/3000028 to 0/3000100 are archived","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','filestore_reconcile',4,2,'{"name":"filestore_reconcile","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.376Z","completedAt":"2026-11-22T02:12:26.377Z","durationMs":1,"attempt":1,"output":"","facts":{"damaged":"0","external":"0","files":"5","missing":"0","rows":"6"},"proofs":["filestore:reconciled"],"summary":"6 attachments name 5 files, all of them archived and sound","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','artifact_checksums',6,2,'{"name":"artifact_checksums","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.378Z","completedAt":"2026-11-22T02:12:26.379Z","durationMs":1,"attempt":1,"output":"","facts":{"config":"sha256:2c6be704d0ef8505ac6220c523d1dfde3331ee0f73ac91c7cd9c436a2a90acf2","db":"sha256:371596896299dbcb82f47e921ade3aaf0b821222ffff602793a37d95a4d6dd91","filestore":"sha256:b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","globals":"sha256:48f66ff44503622979fc8cdc01cfe24e5ce004f658e2dfa293d1aaf0eaa0d580"},"proofs":["checksum:db","checksum:filestore","checksum:config","checksum:globals"],"summary":"SHA-256 of 4 artifacts taken while they were written","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','manifest_write',7,2,'{"name":"manifest_write","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.379Z","completedAt":"2026-11-22T02:12:26.380Z","durationMs":1,"attempt":1,"output":"","facts":{"bytes":"3876","sha256":"2e5d555b7700d194ea7945d0c399c69b57b8fe2cc7ad9339f219c3e2a0f290e1"},"proofs":["artifact:manifest","checksum:manifest"],"summary":"4 artifacts, 20 tables counted","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','local_verify',8,2,'{"name":"local_verify","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.381Z","completedAt":"2026-11-22T02:12:26.382Z","durationMs":1,"attempt":1,"output":"","facts":{"toc_entries":"169"},"proofs":["db_toc:entries"],"summary":"pg_restore lists 169 entries, tar of 5 members","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','remote_upload',9,2,'{"name":"remote_upload","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.382Z","completedAt":"2026-11-22T02:12:26.398Z","durationMs":16,"attempt":1,"output":"","facts":{"destinations":"1 of 1","stored_bytes":"24806"},"proofs":[],"summary":"every artifact and the manifest in local","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','remote_verify',10,2,'{"name":"remote_verify","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.402Z","completedAt":"2026-11-22T02:12:26.405Z","durationMs":3,"attempt":1,"output":"","facts":{},"proofs":["manifest:readback"],"summary":"SHA-256 equal when read back from 1 destination","reason":""}');
INSERT INTO "steps" VALUES('01a20106-af83-707e-8eb9-10ba7076a02d','catalog_commit',11,2,'{"name":"catalog_commit","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.409Z","completedAt":"2026-11-22T02:12:26.410Z","durationMs":1,"attempt":1,"output":"","facts":{"folder":"v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/01a20106-af83-707e-8eb9-10ba7076a02d"},"proofs":["catalog:row"],"summary":"recorded with its evidence","reason":""}');
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','artifact_checksums',4,2,'{"name":"artifact_checksums","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.436Z","completedAt":"2026-11-22T02:12:26.438Z","durationMs":2,"attempt":1,"output":"","facts":{"backup_manifest":"sha256:0a9c68845ccb6a07e16d331feaf04b355eaaa4f998891bc6c1037a483afdb9ed","base":"sha256:315782e95dafe9a077576cb86c025bc66a4e7eaedeca0d103af2bf0f6b83c057"},"proofs":["checksum:base","checksum:backup_manifest"],"summary":"SHA-256 of both artifacts taken while they were written","reason":""}');
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','manifest_write',5,2,'{"name":"manifest_write","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.439Z","completedAt":"2026-11-22T02:12:26.439Z","durationMs":0,"attempt":1,"output":"","facts":{"bytes":"2055","sha256":"6e6576f77f4491e7cf56e3f7c800ac286b38cbc25d5aea76f0c9b5b162efc8e3"},"proofs":["artifact:manifest","checksum:manifest"],"summary":"2 artifacts","reason":""}');
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','remote_upload',6,2,'{"name":"remote_upload","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.440Z","completedAt":"2026-11-22T02:12:26.449Z","durationMs":9,"attempt":1,"output":"","facts":{"destinations":"1 of 1","stored_bytes":"4908363"},"proofs":[],"summary":"both artifacts and the manifest in local","reason":""}');
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','remote_verify',7,2,'{"name":"remote_verify","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.452Z","completedAt":"2026-11-22T02:12:26.453Z","durationMs":1,"attempt":1,"output":"","facts":{},"proofs":["manifest:readback"],"summary":"each artifact found equal after it was stored, and looked up again, in 1 destination","reason":""}');
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','catalog_commit',8,2,'{"name":"catalog_commit","required":true,"status":"completed","startedAt":"2026-11-22T02:12:26.458Z","completedAt":"2026-11-22T02:12:26.459Z","durationMs":1,"attempt":1,"output":"","facts":{"folder":"v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/clusters/7710648491507520955/base/d2e4e497-2558-4cb8-82fd-043d5da27ff7"},"proofs":["catalog:row"],"summary":"recorded with its evidence","reason":""}');
INSERT INTO "steps" VALUES('d2e4e497-2558-4cb8-82fd-043d5da27ff7','wal_prune',9,2,'{"name":"wal_prune","required":false,"status":"completed","startedAt":"2026-11-22T02:12:26.463Z","completedAt":"2026-11-22T02:12:26.467Z","durationMs":4,"attempt":1,"output":"","facts":{"anchor":"","bases":"0","segments":"0","segments_before":""},"proofs":[],"summary":"0 base backups and 0 segments removed","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','preflight',1,2,'{"name":"preflight","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.362Z","completedAt":"2026-11-22T02:12:51.497Z","durationMs":135,"attempt":1,"output":"","facts":{"attachment_files":"5","database_bytes":"9256295","dump_way":"stream","encrypted":"no","filestore":"/srv/lab/odoo/filestore/odoo_production","pg_dump":"/usr/lib/postgresql/15/bin/pg_dump","pg_dump_version":"15.20","server_version":"15.20","snapshot_dir":"/srv/lab/agent/snapshots"},"proofs":[],"summary":"PostgreSQL 15.20, pg_dump 15.20, Odoo 17.0, 1 of 1 destinations writable","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','resolve_filestore_base',2,2,'{"name":"resolve_filestore_base","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.499Z","completedAt":"2026-11-22T02:12:51.536Z","durationMs":37,"attempt":1,"output":"","facts":{"base_snapshot_id":"","free_bytes":"39297519616","mode":"full","names":"5","needed_bytes":"138041086","new_bytes":"1509285","new_files":"5","shared_files":"none","why_full":"no full one of this environment is here"},"proofs":[],"summary":"full, 5 files: no full one of this environment is here","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','filestore_capture',4,2,'{"name":"filestore_capture","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.539Z","completedAt":"2026-11-22T02:12:51.587Z","durationMs":48,"attempt":1,"output":"","facts":{"collector_held":"yes","damaged":"0","external":"0","file_bytes":"1509285","files":"5","missing":"0","problems":"0","rows":"6","sha256":"b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","snapshot_files":"5","stored_bytes":"5787"},"proofs":["artifact:filestore","filestore:reconciled"],"summary":"5 files, 1.5 MB in 0.0 MB, each SHA-1 compared with its name; 6 attachments name 5 files, all of them archived and sound","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','config_capture',5,2,'{"name":"config_capture","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.539Z","completedAt":"2026-11-22T02:12:51.644Z","durationMs":105,"attempt":1,"output":"","facts":{"files":"odoo.conf modules.json addons.json","secrets":"removed"},"proofs":["artifact:config","artifact:globals"],"summary":"odoo.conf, modules.json, addons.json; roles and tablespaces, secrets left out","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','db_dump',3,2,'{"name":"db_dump","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.539Z","completedAt":"2026-11-22T02:12:51.835Z","durationMs":296,"attempt":1,"output":"","facts":{"dump_format":"custom","pg_dump_version":"15.20","plain_bytes":"88910","sha256":"a8807d1db1ae7b3c26eb16a7eae7348a29478645fe18aae4fdfaf6a25fbb32c7","stored_bytes":"14364","table_data_entries":"20","toc_entries":"169"},"proofs":["artifact:db"],"summary":"0.1 MB custom dump in 0.0 MB, 169 TOC entries, 20 tables","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','artifact_checksums',6,2,'{"name":"artifact_checksums","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.837Z","completedAt":"2026-11-22T02:12:51.838Z","durationMs":1,"attempt":1,"output":"","facts":{"config":"sha256:a85aea48a3617fcdb03f069ee290dc1a235ae6f3edc5c5d57b3db41e7a66b13e","db":"sha256:a8807d1db1ae7b3c26eb16a7eae7348a29478645fe18aae4fdfaf6a25fbb32c7","filestore":"sha256:b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","globals":"sha256:efab27a5676a7cb6b5eeadb5d9b17b937edfa642a18a5ab99a013d295b98ca7e"},"proofs":["checksum:db","checksum:filestore","checksum:config","checksum:globals"],"summary":"SHA-256 of 4 artifacts taken while they were written","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','manifest_write',7,2,'{"name":"manifest_write","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.841Z","completedAt":"2026-11-22T02:12:51.854Z","durationMs":13,"attempt":1,"output":"","facts":{"bytes":"3878","sha256":"6ad404b3207bb7983f07364301ecc23ba5fe4405b6a5e9f047f535ea3625833b"},"proofs":["artifact:manifest","checksum:manifest"],"summary":"4 artifacts, 20 tables counted","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','local_verify',8,2,'{"name":"local_verify","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.858Z","completedAt":"2026-11-22T02:12:51.863Z","durationMs":5,"attempt":1,"output":"","facts":{"toc_entries":"169"},"proofs":["db_toc:entries","manifest:readback"],"summary":"pg_restore lists 169 entries, tar of 5 members; every artifact read back as it was written","reason":""}');
INSERT INTO "steps" VALUES('01a20106-b528-726a-805b-06503d174109','catalog_commit',9,2,'{"name":"catalog_commit","required":true,"status":"completed","startedAt":"2026-11-22T02:12:51.866Z","completedAt":"2026-11-22T02:12:51.874Z","durationMs":8,"attempt":1,"output":"","facts":{"folder":"v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/snapshots/01a20106-b528-726a-805b-06503d174109","stored_bytes":"24808"},"proofs":["catalog:row"],"summary":"24808 bytes on this host","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','validate_target',1,2,'{"name":"validate_target","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.585Z","completedAt":"2026-11-22T02:13:16.626Z","durationMs":41,"attempt":1,"output":"","facts":{"database":"odoo_production","filestore":"/srv/lab/odoo/filestore/odoo_production","owner":"odoo","pg_restore":"15.20","server_version_num":"150020"},"proofs":[],"summary":"odoo_production on PostgreSQL 15, replaces the database there","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','fetch_artifacts',2,2,'{"name":"fetch_artifacts","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.626Z","completedAt":"2026-11-22T02:13:16.627Z","durationMs":1,"attempt":1,"output":"","facts":{"destination":"86833a20-0151-4c14-a40a-3ac258ee00fa","stored_bytes":"20153"},"proofs":["manifest:readback"],"summary":"db, filestore (0 MB stored) at 1 destination(s)","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','verify_artifacts',3,2,'{"name":"verify_artifacts","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.628Z","completedAt":"2026-11-22T02:13:16.648Z","durationMs":20,"attempt":1,"output":"","facts":{"dump_bytes":"88910","sha256":"371596896299dbcb82f47e921ade3aaf0b821222ffff602793a37d95a4d6dd91","toc_entries":"169"},"proofs":["checksum:db","db_toc:entries"],"summary":"database: SHA-256 as in the manifest, 169 TOC entries; the filestore''s is proven while it is written","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','restore_filestore',6,2,'{"name":"restore_filestore","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.628Z","completedAt":"2026-11-22T02:13:16.641Z","durationMs":13,"attempt":1,"output":"","facts":{"bytes":"1509285","damaged":"0","files":"5","kept_from_target":"0","sha256":"b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef"},"proofs":["checksum:filestore"],"summary":"5 files, 1509285 bytes, SHA-256 of the archive and SHA-1 of each file checked","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','safety_backup',4,2,'{"name":"safety_backup","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.649Z","completedAt":"2026-11-22T02:13:16.892Z","durationMs":243,"attempt":1,"output":"","facts":{"backup_id":"951677ba-1ac4-4581-8199-37b45dad6bb7","folder":"v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/951677ba-1ac4-4581-8199-37b45dad6bb7"},"proofs":["safety_backup:id"],"summary":"backup 951677ba-1ac4-4581-8199-37b45dad6bb7 of the target, 24808 bytes","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','preflight',1,2,'{"name":"preflight","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.651Z","completedAt":"2026-11-22T02:13:16.700Z","durationMs":49,"attempt":1,"output":"","facts":{"attachment_files":"5","database_bytes":"9321831","dump_way":"stream","encrypted":"no","filestore":"/srv/lab/odoo/filestore/odoo_production","pg_dump":"/usr/lib/postgresql/15/bin/pg_dump","pg_dump_version":"15.20","server_version":"15.20"},"proofs":[],"summary":"PostgreSQL 15.20, pg_dump 15.20, Odoo 17.0, 1 of 1 destinations writable","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','config_capture',5,2,'{"name":"config_capture","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.700Z","completedAt":"2026-11-22T02:13:16.765Z","durationMs":65,"attempt":1,"output":"","facts":{"files":"odoo.conf modules.json addons.json","secrets":"removed"},"proofs":["artifact:config","artifact:globals"],"summary":"odoo.conf, modules.json, addons.json; roles and tablespaces, secrets left out","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','db_dump',2,2,'{"name":"db_dump","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.700Z","completedAt":"2026-11-22T02:13:16.877Z","durationMs":177,"attempt":1,"output":"","facts":{"dump_format":"custom","pg_dump_version":"15.20","plain_bytes":"88910","sha256":"c4cd4d59ac312f7db4b6f11607acc7b10c7a765a65dd392ddfc27ad626917d6e","stored_bytes":"14363","table_data_entries":"20","toc_entries":"169"},"proofs":["artifact:db"],"summary":"0.1 MB custom dump in 0.0 MB, 169 TOC entries, 20 tables","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','filestore_archive',3,2,'{"name":"filestore_archive","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.701Z","completedAt":"2026-11-22T02:13:16.771Z","durationMs":70,"attempt":1,"output":"","facts":{"collector_held":"yes","file_bytes":"1509285","files":"5","problems":"0","sha256":"b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","stored_bytes":"5787"},"proofs":["artifact:filestore"],"summary":"5 files, 1.5 MB in 0.0 MB, each SHA-1 compared with its name","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','filestore_reconcile',4,2,'{"name":"filestore_reconcile","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.878Z","completedAt":"2026-11-22T02:13:16.879Z","durationMs":1,"attempt":1,"output":"","facts":{"damaged":"0","external":"0","files":"5","missing":"0","rows":"6"},"proofs":["filestore:reconciled"],"summary":"6 attachments name 5 files, all of them archived and sound","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','artifact_checksums',6,2,'{"name":"artifact_checksums","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.882Z","completedAt":"2026-11-22T02:13:16.883Z","durationMs":1,"attempt":1,"output":"","facts":{"config":"sha256:01e3941ba1c4e62b4e2f8c861381cf0bce0fe0a6e84f0bf0b1d81dab4cfb54ed","db":"sha256:c4cd4d59ac312f7db4b6f11607acc7b10c7a765a65dd392ddfc27ad626917d6e","filestore":"sha256:b3689cd066717f61f4d5bb267c74fa516ebad1e764078241984d3849f9b205ef","globals":"sha256:f9d7867c8cfe1e20e7c855692898f3f67eb2c11c0d0072f57ef048ce79c04699"},"proofs":["checksum:db","checksum:filestore","checksum:config","checksum:globals"],"summary":"SHA-256 of 4 artifacts taken while they were written","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','manifest_write',7,2,'{"name":"manifest_write","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.884Z","completedAt":"2026-11-22T02:13:16.884Z","durationMs":0,"attempt":1,"output":"","facts":{"bytes":"3881","sha256":"fbc408881d360c92dd5e04e3f9b472edf840dde0c466ed5d949223d7b7e00b16"},"proofs":["artifact:manifest","checksum:manifest"],"summary":"4 artifacts, 20 tables counted","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','local_verify',8,2,'{"name":"local_verify","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.884Z","completedAt":"2026-11-22T02:13:16.885Z","durationMs":1,"attempt":1,"output":"","facts":{"toc_entries":"169"},"proofs":["db_toc:entries"],"summary":"pg_restore lists 169 entries, tar of 5 members","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','remote_upload',9,2,'{"name":"remote_upload","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.885Z","completedAt":"2026-11-22T02:13:16.888Z","durationMs":3,"attempt":1,"output":"","facts":{"destinations":"1 of 1","stored_bytes":"24808"},"proofs":[],"summary":"every artifact and the manifest in local","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','remote_verify',10,2,'{"name":"remote_verify","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.888Z","completedAt":"2026-11-22T02:13:16.888Z","durationMs":0,"attempt":1,"output":"","facts":{},"proofs":["manifest:readback"],"summary":"SHA-256 equal when read back from 1 destination","reason":""}');
INSERT INTO "steps" VALUES('951677ba-1ac4-4581-8199-37b45dad6bb7','catalog_commit',11,2,'{"name":"catalog_commit","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.888Z","completedAt":"2026-11-22T02:13:16.889Z","durationMs":1,"attempt":1,"output":"","facts":{"folder":"v1/c7a4a5c1-ee32-44aa-8dd9-baf5b1948c5a/7399ab62-0181-4dcf-ad87-a353998e08d8/4563223c-a665-44d6-938d-3ae308c754ab/backups/2026/11/22/951677ba-1ac4-4581-8199-37b45dad6bb7"},"proofs":["catalog:row"],"summary":"recorded with its evidence","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','restore_database',5,2,'{"name":"restore_database","required":true,"status":"completed","startedAt":"2026-11-22T02:13:16.895Z","completedAt":"2026-11-22T02:13:17.209Z","durationMs":314,"attempt":1,"output":"","facts":{"duration_ms":"314","owner":"odoo","rights":"0","tool_version":"15.20"},"proofs":[],"summary":"169 entries by pg_restore 15.20 -j2 into odoo_production__restore_318097bb, owner odoo","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','post_restore_checks',7,2,'{"name":"post_restore_checks","required":true,"status":"completed","startedAt":"2026-11-22T02:13:17.210Z","completedAt":"2026-11-22T02:13:17.295Z","durationMs":85,"attempt":1,"output":"","facts":{"attachment_files":"5","attachment_files_missing":"0","constraints":"44","indexes":"34","rows":"205","tables":"20"},"proofs":["restore:row_counts","filestore:reconciled"],"summary":"20 tables with 205 rows, 34 indexes, 44 constraints as in the backup; every one of 5 attachment files is there","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','swap_in',8,2,'{"name":"swap_in","required":true,"status":"completed","startedAt":"2026-11-22T02:13:17.328Z","completedAt":"2026-11-22T02:13:17.332Z","durationMs":4,"attempt":1,"output":"","facts":{"previous_database":"odoo_production__prev_318097bb","previous_filestore":"/srv/lab/odoo/filestore/odoo_production__prev_318097bb"},"proofs":[],"summary":"odoo_production holds the restored pair, the old one is kept","reason":""}');
INSERT INTO "steps" VALUES('1d2feb63-b98a-494b-9576-8d0d318097bb','catalog_commit',9,2,'{"name":"catalog_commit","required":true,"status":"completed","startedAt":"2026-11-22T02:13:17.332Z","completedAt":"2026-11-22T02:13:17.333Z","durationMs":1,"attempt":1,"output":"","facts":{},"proofs":["catalog:row"],"summary":"the restore is recorded","reason":""}');
CREATE TABLE storage_scans (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('scan', 'cleanup_orphans', 'scan_cleanup')),
    retention_days INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'finished')),
    status TEXT NOT NULL DEFAULT '', -- ok, partial, failed
    error TEXT NOT NULL DEFAULT '',
    requested_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    analytics TEXT
, force INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    kind TEXT NOT NULL CHECK (kind IN ('webhook', 'email')),
    target TEXT NOT NULL, -- URL or address
    description TEXT NOT NULL,
    events TEXT NOT NULL, -- JSON: ["backup.failed", "restore.*"]
    least_severity TEXT NOT NULL CHECK (least_severity IN ('info', 'warning', 'critical')),
    secret_box TEXT NOT NULL, -- of a webhook's signature, sealed
    is_active INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX memberships_subject ON memberships (subject);
CREATE UNIQUE INDEX projects_name ON projects (organization_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX agents_name ON agents (organization_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX environments_name ON environments (project_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX environments_database ON environments (agent_id, COALESCE(cluster, ''), database)
    WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX destinations_name ON destinations (organization_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX destinations_default ON destinations (organization_id) WHERE is_default AND deleted_at IS NULL;
CREATE INDEX idempotency_age ON idempotency (created_at);
CREATE INDEX audit_organization ON audit (organization_id, id);
CREATE INDEX backups_of_environment ON backups (environment_id, created_at);
CREATE INDEX backups_of_project ON backups (project_id, created_at);
CREATE INDEX restores_of_backup ON restores (backup_id, created_at);
CREATE INDEX restores_of_source ON restores (source_environment_id, created_at);
CREATE INDEX restores_of_target ON restores (target_environment_id, created_at);
CREATE INDEX operations_of_environment ON operations (environment_id, created_at);
CREATE INDEX operations_of_organization ON operations (organization_id, created_at);
CREATE INDEX operations_of_backup ON operations (backup_id, created_at);
CREATE INDEX operations_of_job ON operations (job_id);
CREATE INDEX copies_of_destination ON copies (destination_id);
CREATE INDEX jobs_unfinished ON jobs (agent_id, created_at) WHERE state <> 'finished';
CREATE INDEX jobs_of_environment ON jobs (environment_id) WHERE state <> 'finished';
CREATE INDEX jobs_of_backup ON jobs (backup_id);
CREATE INDEX operations_ended ON operations (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX operations_with_steps ON operations (completed_at) WHERE completed_at IS NOT NULL AND steps_purged_at IS NULL;
CREATE INDEX audit_age ON audit (at);
CREATE INDEX snapshots_of_environment ON snapshots (environment_id, created_at);
CREATE INDEX snapshots_of_project ON snapshots (project_id, created_at);
CREATE INDEX snapshots_of_base ON snapshots (base_id) WHERE deleted_at IS NULL;
CREATE INDEX snapshots_expiring ON snapshots (expires_at) WHERE deleted_at IS NULL;
CREATE INDEX rollbacks_of_snapshot ON rollbacks (snapshot_id, created_at);
CREATE INDEX rollbacks_of_safety_snapshot ON rollbacks (safety_snapshot_id);
CREATE INDEX rollbacks_of_source ON rollbacks (source_environment_id, created_at);
CREATE INDEX rollbacks_of_target ON rollbacks (target_environment_id, created_at);
CREATE INDEX schedules_due_db ON schedules (next_db_at) WHERE next_db_at IS NOT NULL;
CREATE INDEX schedules_due_full ON schedules (next_full_at) WHERE next_full_at IS NOT NULL;
CREATE INDEX schedule_runs_age ON schedule_runs (decided_at);
CREATE UNIQUE INDEX alerts_open ON alerts (organization_id, type, subject) WHERE resolved_at IS NULL;
CREATE INDEX alerts_open_of_agent ON alerts (agent_id, type) WHERE resolved_at IS NULL;
CREATE INDEX alerts_of_subject ON alerts (organization_id, type, subject);
CREATE INDEX alerts_listed ON alerts (organization_id, created_at, id);
CREATE INDEX alerts_active ON alerts (organization_id, read_at) WHERE dismissed_at IS NULL;
CREATE INDEX alerts_age ON alerts (created_at);
CREATE INDEX subscriptions_of_organization ON subscriptions (organization_id, kind, created_at);
CREATE INDEX deliveries_due ON deliveries (not_before) WHERE state = 'queued';
CREATE INDEX deliveries_waiting ON deliveries (subscription_id, created_at) WHERE state = 'queued';
CREATE INDEX deliveries_of_subscription ON deliveries (subscription_id, created_at, id);
CREATE INDEX deliveries_age ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX backups_completed ON backups (environment_id, completed_at);
CREATE INDEX backups_failed ON backups (created_at) WHERE status IN ('failed', 'cancelled') AND deleted_at IS NULL;
CREATE INDEX backups_deleting ON backups (created_at) WHERE status = 'deleting';
CREATE INDEX backups_there ON backups (environment_id, created_at) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX storage_scans_unfinished ON storage_scans (destination_id) WHERE state <> 'finished';
CREATE INDEX storage_scans_of_destination ON storage_scans (destination_id, finished_at);
CREATE INDEX audit_of_actor ON audit (organization_id, actor, action, at);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit WHEN OLD.at >= (SELECT before FROM audit_forgetting)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is kept');
END;
CREATE INDEX backups_to_check ON backups (next_check_at)
WHERE next_check_at IS NOT NULL AND deleted_at IS NULL AND status IN ('completed', 'partial');
CREATE INDEX drill_settings_due ON drill_settings (next_at) WHERE next_at IS NOT NULL;
PRAGMA user_version = 14;
COMMIT;
