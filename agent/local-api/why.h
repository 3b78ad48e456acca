// Why this host is not green: every reason that its agent knows, each with what to do about it and what happens by
// itself. Backups, snapshots and verifications are judged by the verdict alone, and lateness by the rule that raises
// the control plane's alerts; nothing here judges once more.
#pragma once

#include "agent/config/config.h"
#include "agent/local-api/messages.h"
#include "agent/local-api/upcoming.h"
#include "common/sqlite/database.h"

namespace backstay::local_api {

struct WhyContext {
    sqlite::Database& database;
    const AgentConfig& config;
    const StatusAnswer& status;  // all of it but `why`
    const ServerTimeline& timeline;
    TimeMs now;
};

Result<WhyAnswer> explain(const WhyContext& context);

// Its backups, snapshots, verifications and lateness.
Result<> explain_databases(const WhyContext& context, WhyAnswer& answer);

// What is known of one database; not_found when nothing is.
Result<WhyAnswer> of_database(const WhyAnswer& all, const std::string& database);

// One job, by its own evidence.
WhyAnswer explain_job(const JobDetail& detail, const StatusAnswer& status);

// What the agent does by itself so that this database has a good backup again.
void add_next_backup(const StatusAnswer& status, WhyReason& reason);

}  // namespace backstay::local_api
