// Orders: what an agent is asked to do, complete in themselves, so that a job needs nothing else to run. They come
// inside assignments from the control plane, or are made by the agent for requests on its own socket. Destinations
// travel with their secrets; an order is kept in memory and never logged or stored whole.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/json/json.h"

namespace backstay {

// A destination as the contract writes it; storage/destination_json.h turns it into a storage.
struct DestinationOrder {
    std::string id;
    std::string name;
    std::string type;     // local, s3, s3_compatible, sftp
    json::Object config;  // contract names, secrets in the clear
};
BOOST_DESCRIBE_STRUCT(DestinationOrder, (), (id, name, type, config))

// One environment on the agent's host. Empty members are found by the agent's inventory.
struct EnvironmentOrder {
    std::string organization_id;
    std::string project_id;
    std::string environment_id;
    std::string name;
    std::string type;                    // production, staging, development
    std::optional<std::string> cluster;  // a [[cluster]] of the agent's configuration
    std::string database;
    std::optional<std::string> filestore;
    std::optional<std::string> odoo_conf;
};
BOOST_DESCRIBE_STRUCT(EnvironmentOrder, (),
                      (organization_id, project_id, environment_id, name, type, cluster, database, filestore,
                       odoo_conf))

struct BackupOrder {
    std::string backup_id;
    std::string scope;    // db, full
    std::string trigger;  // manual, scheduled, pre_deploy, pre_restore, pre_upgrade, pre_destroy, drill
    std::optional<std::string> label;
    Timestamp created_at;  // fixes the folder
    EnvironmentOrder environment;
    std::vector<DestinationOrder> destinations;
    std::vector<std::string> encrypt_for;  // ids of destinations that get encrypted artifacts: all of them, or none
    std::int64_t timeout_ms = 6LL * 3600 * 1000;
    std::optional<Timestamp> due_at;  // of its schedule; backup_id is then schedule::run_id() of it
};
BOOST_DESCRIBE_STRUCT(BackupOrder, (),
                      (backup_id, scope, trigger, label, created_at, environment, destinations, encrypt_for, timeout_ms,
                       due_at))

// A physical copy of a whole cluster, the beginning of point-in-time recoveries (scope "base").
struct BaseBackupOrder {
    std::string backup_id;
    std::string trigger;  // manual, scheduled
    std::string reason;   // asked, wal_enabled, interval, gap, timeline_changed, upgraded
    Timestamp created_at;
    std::string organization_id;
    std::string cluster;                         // a [[cluster]] of the agent's configuration
    std::vector<DestinationOrder> destinations;  // empty: those of the cluster's [[wal]]
    std::vector<std::string> encrypt_for;        // ids of destinations that get encrypted artifacts: all, or none
    std::int32_t retention_days = 0;             // 0: of the cluster's [[wal]]; -1: nothing is pruned afterwards
    std::int64_t timeout_ms = 24LL * 3600 * 1000;
};
BOOST_DESCRIBE_STRUCT(BaseBackupOrder, (),
                      (backup_id, trigger, reason, created_at, organization_id, cluster, destinations, encrypt_for,
                       retention_days, timeout_ms))

// A full backup whose filestore helps to restore a moment beside it.
struct PitrFilestore {
    std::string backup_id;
    std::string folder;
    std::vector<DestinationOrder> destinations;
    Timestamp taken_at;
};
BOOST_DESCRIBE_STRUCT(PitrFilestore, (), (backup_id, folder, destinations, taken_at))

// Where a restore takes the database of one moment from: a base backup and the WAL behind it.
struct PitrOrder {
    Timestamp target;
    std::string system_id;
    std::string archive;                         // the cluster's folder: layout::cluster_folder
    std::optional<std::string> base_backup_id;   // absent: the newest that ended at or before the target
    std::vector<DestinationOrder> destinations;  // of base backups and WAL, best first; empty: the host's [[wal]]
    std::vector<PitrFilestore> filestores;       // the last full backup before the target and the first after it
};
BOOST_DESCRIBE_STRUCT(PitrOrder, (), (target, system_id, archive, base_backup_id, destinations, filestores))

struct RestoreOrder {
    std::string restore_id;
    std::string backup_id;
    std::string folder;                          // the backup's folder, equal in every destination
    std::vector<DestinationOrder> destinations;  // those that hold it, best first
    EnvironmentOrder source;                     // whose backup it was
    EnvironmentOrder target;
    std::string target_type;  // same, other
    std::string scope;        // all, db, filestore
    bool neutralize = false;
    bool new_uuid = false;
    // A moment instead of the backup: backup_id, folder and destinations then name nothing or the backup that was asked
    // for, and source.database is the database's name in the recovered cluster.
    std::optional<PitrOrder> pitr;
    // The safety backup to make first; absent: none.
    std::optional<BackupOrder> safety_backup;
    std::int64_t keep_previous_ms = 24LL * 3600 * 1000;  // the instant way back
    std::int64_t timeout_ms = 12LL * 3600 * 1000;
};
BOOST_DESCRIBE_STRUCT(RestoreOrder, (),
                      (restore_id, backup_id, folder, destinations, source, target, target_type, scope, neutralize,
                       new_uuid, pitr, safety_backup, keep_previous_ms, timeout_ms))

struct VerifyOrder {
    std::string verification_id;
    std::string backup_id;
    std::string folder;
    std::vector<DestinationOrder> destinations;  // each of them is verified
    bool drill = false;                          // also restore into a scratch database and ask questions
    EnvironmentOrder environment;
};
BOOST_DESCRIBE_STRUCT(VerifyOrder, (), (verification_id, backup_id, folder, destinations, drill, environment))

// Repairs a partial backup: copies every artifact from a destination that has it to those that lack it, manifest last.
struct CopyOrder {
    std::string copy_id;
    std::string backup_id;
    std::string folder;
    std::vector<DestinationOrder> from;
    std::vector<DestinationOrder> to;
};
BOOST_DESCRIBE_STRUCT(CopyOrder, (), (copy_id, backup_id, folder, from, to))

// Removes a backup's objects, manifest first (so that what remains is no backup), from every destination named.
struct DeleteOrder {
    std::string deletion_id;
    std::string backup_id;
    std::string folder;
    std::vector<DestinationOrder> destinations;
};
BOOST_DESCRIBE_STRUCT(DeleteOrder, (), (deletion_id, backup_id, folder, destinations))

// Puts the pair that a restore replaced back in its place, while it is kept (RestoreOrder::keep_previous_ms).
struct UndoOrder {
    std::string undo_id;
    std::string restore_id;
    EnvironmentOrder target;
};
BOOST_DESCRIBE_STRUCT(UndoOrder, (), (undo_id, restore_id, target))

// A snapshot: first on the agent's own host, where a rollback finds it at once, then copied to the destinations.
struct SnapshotOrder {
    std::string snapshot_id;
    std::string trigger;  // manual, pre_deploy, pre_rollback, pre_restore, pre_upgrade
    std::optional<std::string> label;
    Timestamp created_at;  // fixes the folder
    EnvironmentOrder environment;
    // The deployment that it was taken for.
    std::optional<std::string> deployment_id;
    std::optional<std::string> commit_sha;
    std::optional<std::string> image_tag;
    bool full_filestore = false;                 // false: the agent decides between full and differential
    std::vector<DestinationOrder> destinations;  // copied to afterwards; empty: it stays on the host
    std::vector<std::string> encrypt_for;        // ids of destinations that get encrypted artifacts: all, or none
    std::int64_t timeout_ms = 30LL * 60 * 1000;
};
BOOST_DESCRIBE_STRUCT(SnapshotOrder, (),
                      (snapshot_id, trigger, label, created_at, environment, deployment_id, commit_sha, image_tag,
                       full_filestore, destinations, encrypt_for, timeout_ms))

// Back to a snapshot, in its own environment or another one of the project (contract/semantics.md 7).
struct RollbackOrder {
    std::string rollback_id;
    std::string snapshot_id;
    std::string folder;                          // the snapshot's folder, equal in every place
    std::vector<DestinationOrder> destinations;  // those that hold a copy, for when the host's own is gone
    EnvironmentOrder source;
    EnvironmentOrder target;
    std::string target_type;  // same, other
    bool neutralize = false;
    bool new_uuid = false;
    std::optional<SnapshotOrder> safety_snapshot;        // to be taken first; absent: none
    std::int64_t keep_previous_ms = 24LL * 3600 * 1000;  // the instant way back
    std::int64_t timeout_ms = 6LL * 3600 * 1000;
};
BOOST_DESCRIBE_STRUCT(RollbackOrder, (),
                      (rollback_id, snapshot_id, folder, destinations, source, target, target_type, neutralize,
                       new_uuid, safety_snapshot, keep_previous_ms, timeout_ms))

// Removes a snapshot from its host and from every destination named, manifest first. Refused while another snapshot of
// the host is a differential against it.
struct DeleteSnapshotOrder {
    std::string deletion_id;
    std::string snapshot_id;
    std::string folder;
    std::vector<DestinationOrder> destinations;
};
BOOST_DESCRIBE_STRUCT(DeleteSnapshotOrder, (), (deletion_id, snapshot_id, folder, destinations))

struct TestDestinationOrder {
    std::string test_id;
    DestinationOrder destination;
};
BOOST_DESCRIBE_STRUCT(TestDestinationOrder, (), (test_id, destination))

}  // namespace backstay
