#include "control-plane/retention/verdicts.h"

#include <algorithm>
#include <map>
#include <set>

#include "control-plane/store/rows.h"

namespace backstay::retention {
namespace {

struct Stored {
    Candidate candidate;
    std::int64_t size_bytes = 0;
    bool by_hand = false;
    bool permanent = false;
};

bool restorable(const Candidate& candidate) { return candidate.status == "completed" || candidate.status == "partial"; }

Stored read(const sql::Statement& row) {
    Stored out;
    out.candidate.id = row.text(0);
    out.candidate.scope = row.text(1);
    out.candidate.status = row.text(2);
    out.candidate.created_at = row.integer(3);
    out.size_bytes = row.integer(4);
    out.by_hand = row.text(5) == "manual";
    out.permanent = row.text(6) == "permanent";
    // What failed is history, whoever began it.
    out.candidate.held = (out.by_hand || out.permanent) && restorable(out.candidate);
    return out;
}

Result<std::vector<Stored>> candidates_of(sql::Database& db, std::string_view environment_id) {
    return store::all_rows(
        db.query("SELECT id, scope, status, created_at, size_bytes, trigger_kind, retention FROM backups WHERE "
                 "environment_id = $1 AND deleted_at IS NULL AND status <> 'deleting' ORDER BY created_at, id",
                 {environment_id}),
        read);
}

// What a job reads or copies now, what a running restore may read besides the backup that it names, and the way back of
// restores that can be undone.
Result<std::set<std::string>> in_use(sql::Database& db, std::string_view environment_id, TimeMs now) {
    auto rows = TRY(db.query(
        "SELECT j.backup_id FROM jobs j WHERE j.state <> 'finished' AND EXISTS (SELECT 1 FROM backups b WHERE b.id "
        "= j.backup_id AND b.environment_id = $1) "
        "UNION SELECT safety_backup_id FROM restores WHERE target_environment_id = $1 AND safety_backup_id IS "
        "NOT NULL AND undone_at IS NULL AND keep_until > $2 "
        "UNION SELECT id FROM backups WHERE environment_id = $1 AND deleted_at IS NULL AND EXISTS (SELECT 1 FROM "
        "restores WHERE "
        "source_environment_id = $1 AND completed_at IS NULL)",
        {environment_id, now}));
    std::set<std::string> ids;
    while (TRY(rows.step())) ids.insert(rows.text(0));
    return ids;
}

// The newest of each type that can be restored, whoever made it: with complete ones before partial ones.
std::set<std::string> last_good(const std::vector<Stored>& stored, TimeMs now) {
    std::map<std::string, const Candidate*> best;
    for (const Stored& item : stored) {  // oldest first
        const Candidate& candidate = item.candidate;
        if (!restorable(candidate) || candidate.created_at > now) continue;
        const Candidate*& known = best[candidate.scope];
        const bool worse = known != nullptr && known->status == "completed" && candidate.status != "completed";
        if (!worse) known = &candidate;
    }
    std::set<std::string> ids;
    for (const auto& [scope, candidate] : best) ids.insert(candidate->id);
    return ids;
}

bool is_over(const Stored& stored, TimeMs now) {
    const bool judged = stored.candidate.scope == "db" || stored.candidate.scope == "full";
    return judged && stored.by_hand && !stored.permanent && restorable(stored.candidate) &&
           now - stored.candidate.created_at > kByHandMs;
}

}  // namespace

bool prunes(const store::Schedule& schedule) { return schedule.runs(); }

Result<Policy> policy_of(const store::Schedule& schedule, const Numbers& numbers) {
    Zone zone = TRY(Zone::find(schedule.time_zone));
    return resolve(numbers, std::move(zone));
}

Result<std::vector<BackupVerdict>> judge_backups(sql::Database& db, std::string_view environment_id,
                                                 const Policy& policy, TimeMs now) {
    const auto stored = TRY(candidates_of(db, environment_id));
    const auto used = TRY(in_use(db, environment_id, now));
    const auto good = last_good(stored, now);
    std::vector<Candidate> candidates;
    candidates.reserve(stored.size());
    for (const Stored& item : stored) candidates.push_back(item.candidate);
    std::vector<Verdict> verdicts = decide(candidates, policy, now);
    std::vector<BackupVerdict> out;
    out.reserve(stored.size());
    for (std::size_t i = 0; i < stored.size(); ++i) {
        const Candidate& candidate = stored[i].candidate;
        Verdict& verdict = verdicts[i];
        if (is_over(stored[i], now)) {
            const bool last = good.contains(candidate.id);
            verdict.keep = last;
            verdict.reason = last ? "last_good: the newest that can be restored always stays"
                                  : "not_in_any_tier: made by hand more than 30 days ago";
        }
        if (!verdict.keep && used.contains(candidate.id)) {
            verdict.keep = true;
            verdict.reason = "held: something works with it";
        }
        out.push_back({candidate.id, candidate.scope, candidate.status, candidate.created_at, stored[i].size_bytes,
                       verdict.keep, std::move(verdict.tiers), std::move(verdict.reason)});
    }
    return out;
}

}  // namespace backstay::retention
