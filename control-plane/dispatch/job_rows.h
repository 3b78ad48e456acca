// Jobs as rows. Every function runs on the thread of its connection, inside the caller's transaction.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/rules.h"

namespace backstay::dispatch {

Result<> insert_job(sql::Database& db, const Job& job);
// Writes everything that the rules change; identity and order stay.
Result<> update_job(sql::Database& db, const Job& job);
Result<std::optional<Job>> find_job(sql::Database& db, std::string_view id);

// Unfinished jobs, oldest first.
Result<std::vector<Job>> unfinished_jobs(sql::Database& db);
Result<std::vector<Job>> unfinished_jobs_of_agent(sql::Database& db, std::string_view agent_id);
// The same, to be asked together with others.
sql::Question unfinished_question(std::string_view agent_id);
// For whoever hands them out: no other transaction has or gets them meanwhile.
sql::Question taking_question(const sql::Database& db, std::string_view agent_id);
Result<std::vector<Job>> read_jobs(sql::Statement rows);
// Those that change or read this environment's database (deletions and copies do neither).
Result<std::vector<Job>> busy_jobs_of_environment(sql::Database& db, std::string_view environment_id);
// Agents for whom next_assignments may have something now.
Result<std::set<std::string>> agents_with_due_jobs(sql::Database& db, TimeMs now);
Result<std::vector<Job>> unfinished_jobs_of_backup(sql::Database& db, std::string_view backup_id);

}  // namespace backstay::dispatch
