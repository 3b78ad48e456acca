// Operations, their steps, copies and events as rows. Every function runs on the thread of its connection, inside the
// caller's transaction.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/progress.h"
#include "common/domain/steps.h"
#include "common/domain/verdict.h"
#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::operations {

// What runs; the words of /operations/{type}. The first five have a plan and a verdict.
enum class Kind { backup, snapshot, restore, rollback, verification, copy, deletion, undo, destination_test };
BOOST_DESCRIBE_ENUM(Kind, backup, snapshot, restore, rollback, verification, copy, deletion, undo, destination_test)

std::string_view to_string(Kind kind);
std::optional<Kind> kind_from(std::string_view text);
// Has steps, proofs and a verdict.
bool is_judged(Kind kind);
// Its copies are its own; another operation only names what it read.
bool makes_copies(Kind kind);

struct OperationRow {
    std::string id;
    Kind kind = Kind::backup;
    std::string organization_id;
    std::optional<std::string> environment_id;  // a restore's or a rollback's is its target
    std::optional<std::string> backup_id;       // the backup or the snapshot that it makes, reads or removes
    std::string subject;                        // an undo's restore, a test's destination, the snapshot of a deletion
    std::string job_id;
    OperationPlan plan;
    Phase phase = Phase::pending;
    std::string status = "pending";  // pending, running, completed, partial, failed, cancelled, reverted
    std::string failure;
    std::string failure_reason;
    bool reverted = false;
    std::vector<std::string> notes;
    std::optional<Progress> progress;
    std::string evidence;  // JSON of RecoveryEvidence; "" when not judged
    std::int64_t event_id = 0;
    std::string performed_by;
    TimeMs created_at = 0;
    std::optional<TimeMs> started_at;
    std::optional<TimeMs> completed_at;
    std::optional<TimeMs> steps_purged_at;  // its steps are not kept any more; the verdict stays
};

bool is_ended(const OperationRow& operation);

Result<> insert_operation(sql::Database& db, const OperationRow& operation);
Result<> update_operation(sql::Database& db, const OperationRow& operation);
Result<std::optional<OperationRow>> find_operation(sql::Database& db, std::string_view id);

struct StepRow {
    StepRecord record;
    std::int64_t sort_order = 0;
    std::int64_t version = 0;  // rises with each change
};
Result<> put_step(sql::Database& db, std::string_view operation_id, const StepRecord& step, std::int64_t sort_order);
Result<std::vector<StepRow>> steps_of(sql::Database& db, std::string_view operation_id);
// A new attempt begins with a clean page.
Result<> clear_steps(sql::Database& db, std::string_view operation_id);

Result<> put_copy(sql::Database& db, std::string_view backup_id, const CopyRecord& copy, TimeMs now);
Result<std::vector<CopyRecord>> copies_of(sql::Database& db, std::string_view backup_id);
// The same in two halves, for who asks more at once.
sql::Question copies_question(std::string_view backup_id);
Result<std::vector<CopyRecord>> read_copies(Result<sql::Statement> rows);
// Of several, by their backup; nothing for one that has none.
Result<std::map<std::string, std::vector<CopyRecord>>> copies_of_each(sql::Database& db,
                                                                      const std::vector<std::string>& backup_ids);
// Those in which every artifact of the plan is stored.
std::set<std::string> destinations_holding_all(const OperationPlan& plan, const std::vector<CopyRecord>& copies);
void add_once(std::vector<std::string>& ids, const std::string& id);
Result<> clear_copies(sql::Database& db, std::string_view backup_id);

// Operations of that job, besides `id`, that have not ended.
Result<std::vector<std::string>> unended_beside(sql::Database& db, std::string_view job_id, std::string_view id);

// Enough to know whether there is more to come. absent: no such operation.
struct OperationHead {
    std::string kind;
    bool ended = false;
    std::int64_t event_id = 0;
};
Result<std::optional<OperationHead>> operation_head(sql::Database& db, std::string_view id);
// Those that have events after the one that was seen.
Result<std::set<std::string>> moved_on(sql::Database& db, const std::map<std::string, std::int64_t>& seen);

struct ProgressEvent {
    std::int64_t id = 0;
    std::string payload;  // JSON of Progress
};
// In their order; old ones are forgotten.
Result<> append_events(sql::Database& db, std::string_view operation_id, const std::vector<ProgressEvent>& events);
// Events after `after`, oldest first.
Result<std::vector<ProgressEvent>> events_after(sql::Database& db, std::string_view operation_id, std::int64_t after);

}  // namespace backstay::operations
