// The commands of backstay-control that administer an installation. They work directly on its store, beside a running
// server. Each prints what it made or found: for people, or as one JSON object with --json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace backstay::cli {

struct Common {
    std::string state_dir;
    bool json = false;
};

struct InitArguments {
    std::string listen = "127.0.0.1:8480";
    std::string store;  // empty: a file in the state folder
};
struct TokenArguments {
    std::string organization;
    std::string role = "owner";
    std::string subject = "admin@localhost";
    std::int64_t ttl_s = 3600;
};
struct OrganizationArguments {
    std::string slug;
    std::string name;
};
struct ProjectArguments {
    std::string organization;
    std::string name;
    std::string description;
};
struct EnvironmentArguments {
    std::string organization;
    std::string project;
    std::string name;
    std::string type;
    std::string agent;
    std::string database;
    std::optional<std::string> filestore;
    std::optional<std::string> odoo_conf;
    std::optional<std::string> cluster;
};
struct DestinationArguments {
    std::string organization;
    std::string name;
    std::string type;
    std::string config;  // JSON
    std::string agent;
    bool is_default = false;
    bool encrypt = false;
    bool skip_test = false;
};
struct EnrollTokenArguments {
    std::string organization;
    std::string name;
    std::int64_t ttl_s = 3600;
};
struct KeyArguments {
    std::string organization;
    std::string mode = "ro";
    std::string name;
    std::optional<std::string> project;
};

struct ScheduleArguments {
    std::string organization;
    std::string environment;
    std::string database;  // a frequency or a cron
    std::string full;
    std::string time_zone;
    std::vector<std::string> destinations;
    std::string enabled;  // on, off; "" stays
    std::string paused;
    std::string wal;
    std::optional<std::int64_t> wal_days;
    std::string retention;  // JSON: {"retainDaily": 14, …}
};
struct AuditArguments {
    std::string organization;
    std::string actor;
    std::string action;
    std::string object;
    std::string since;
    std::string until;
    std::int64_t limit = 100;
};
struct OwnBackupArguments {
    std::string output;
    std::string from;
    std::string key_file;
    std::string store;  // postgresql://… to restore into
    bool without_keys = false;
    std::int64_t keep = 0;
};
struct MoveArguments {
    std::string to;
    bool keep_settings = false;
};
struct DrillArguments {
    std::string organization;
    std::string environment;
    std::int64_t every_days = 0;
};
struct AlertArguments {
    std::string organization;
    std::string id;
    bool all = false;
};

Result<> init(const Common& common, const InitArguments& arguments);
Result<> token(const Common& common, const TokenArguments& arguments);
Result<> organization_create(const Common& common, const OrganizationArguments& arguments);
Result<> organization_list(const Common& common);
Result<> project_create(const Common& common, const ProjectArguments& arguments);
Result<> project_list(const Common& common, const std::string& organization);
Result<> environment_create(const Common& common, const EnvironmentArguments& arguments);
Result<> environment_list(const Common& common, const std::string& organization, const std::string& project);
Result<> destination_create(const Common& common, const DestinationArguments& arguments);
Result<> destination_list(const Common& common, const std::string& organization);
Result<> agent_enroll_token(const Common& common, const EnrollTokenArguments& arguments);
Result<> agent_list(const Common& common, const std::string& organization);
Result<> key_create(const Common& common, const KeyArguments& arguments);
Result<> key_list(const Common& common, const std::string& organization);
Result<> schedule_list(const Common& common, const std::string& organization);
Result<> schedule_show(const Common& common, const ScheduleArguments& arguments);
Result<> schedule_set(const Common& common, const ScheduleArguments& arguments);
Result<> schedule_remove(const Common& common, const ScheduleArguments& arguments);
// What schedules keep that say nothing themselves.
Result<> retention_show(const Common& common, const std::string& organization);
Result<> retention_set(const Common& common, const ScheduleArguments& arguments);
Result<> retention_reset(const Common& common, const std::string& organization);
// Restore drills of one environment.
Result<> drills_list(const Common& common, const DrillArguments& arguments);
Result<> drills_run(const Common& common, const DrillArguments& arguments);
Result<> drills_set(const Common& common, const DrillArguments& arguments);
Result<> alert_list(const Common& common, const AlertArguments& arguments);
// Who did what, newest first.
Result<> audit_list(const Common& common, const AuditArguments& arguments);
Result<> alert_read(const Common& common, const AlertArguments& arguments);
Result<> alert_dismiss(const Common& common, const AlertArguments& arguments);
// Of the control plane itself.
Result<> own_backup(const Common& common, const OwnBackupArguments& arguments);
Result<> own_restore(const Common& common, const OwnBackupArguments& arguments);
// Retention and expiry go on after a restore.
Result<> release_hold(const Common& common);
// The store, to PostgreSQL or back.
Result<> migrate_store(const Common& common, const MoveArguments& arguments);
// The processes that serve this store, on PostgreSQL.
Result<> replica_list(const Common& common);
Result<> key_revoke(const Common& common, const std::string& organization, const std::string& id);

}  // namespace backstay::cli
