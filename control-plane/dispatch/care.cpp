#include "control-plane/dispatch/care.h"

#include <map>
#include <set>

#include "common/domain/copies.h"
#include "common/ids.h"
#include "control-plane/operations/rows.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/environments.h"

namespace backstay::dispatch {
namespace {

Result<std::vector<store::DestinationRow>> holders(sql::Database& db, const Stored& stored, bool complete_only) {
    const auto operation = TRY(operations::find_operation(db, stored.id));
    std::map<std::string, std::size_t> held;
    std::set<std::string> touched;
    for (const CopyRecord& copy : TRY(operations::copies_of(db, stored.id))) {
        if (copy.state != CopyState::deleted) touched.insert(copy.destination_id);
        if (is_stored(copy)) ++held[copy.destination_id];
    }
    // A full snapshot went wherever a differential's copy was begun.
    if (!complete_only) touched.merge(TRY(operations::destinations_of_differentials(db, stored.id)));
    const std::size_t all = operation ? operation->plan.artifacts.size() : 0;
    std::vector<store::DestinationRow> out;
    for (const std::string& id : touched) {
        if (complete_only && held[id] < all) continue;
        auto row = TRY(store::Destinations(db).find(stored.organization_id, id));
        if (row) out.push_back(std::move(*row));
    }
    return out;
}

// Of a copy that failed the agent left nothing, or removes it itself; one that is missing was looked for.
bool may_hold_bytes(CopyState state) {
    switch (state) {
        case CopyState::pending:
        case CopyState::failed:
        case CopyState::missing:
        case CopyState::deleted:
            return false;
        case CopyState::uploading:
        case CopyState::uploaded:
        case CopyState::verified:
        case CopyState::corrupt:
        case CopyState::deleting:
            return true;
    }
    return true;
}

}  // namespace

Result<std::string> caring_agent(sql::Database& db, const Stored& stored) {
    store::Agents agents(db);
    if (TRY(agents.find(stored.organization_id, stored.agent_id))) return stored.agent_id;
    if (stored.environment_id) {
        const auto environment = TRY(store::Environments(db).find(stored.organization_id, *stored.environment_id));
        if (environment) return environment->agent_id;
    }
    const auto others = TRY(agents.list(stored.organization_id, {1, 0}));
    if (!others.items.empty()) return others.items.front().id;
    return Error(Errc::conflict, "the agent that made it was removed, and the organization has no other")
        .with_reason("no_agent");
}

Result<Care> care_for(sql::Database& db, const Stored& stored, bool complete_only) {
    Care care;
    care.where = TRY(holders(db, stored, complete_only));
    if (care.where.empty()) return care;
    care.agent_id = TRY(caring_agent(db, stored));
    // A folder of another host is out of reach, even where the agent has one of the same name.
    std::erase_if(care.where, [&](const store::DestinationRow& row) {
        return row.type == "local" && care.agent_id != stored.agent_id;
    });
    return care;
}

Result<std::string> left_behind(sql::Database& db, const Stored& stored, const Care& care) {
    std::set<std::string> touched;
    for (const CopyRecord& copy : TRY(operations::copies_of(db, stored.id))) {
        if (may_hold_bytes(copy.state)) touched.insert(copy.destination_id);
    }
    for (const auto& row : care.where) touched.erase(row.id);
    std::string text;
    store::Destinations destinations(db);
    if (touched.erase(std::string(kHostPlace)) > 0 &&
        !TRY(store::Agents(db).find(stored.organization_id, stored.agent_id))) {
        text = "the host of a removed agent";
    }
    for (const std::string& id : touched) {
        const auto row = TRY(destinations.find_any(stored.organization_id, id));
        const bool there = TRY(destinations.find(stored.organization_id, id)).has_value();
        const std::string_view why = !row    ? " (unknown here)"
                                     : there ? " (a folder of a removed agent's host)"
                                             : " (removed)";
        if (!text.empty()) text += ", ";
        text.append("'").append(row ? row->name : id).append("'").append(why);
    }
    return text;
}

NewJob job_about(const Stored& stored, operations::Kind operation, std::string_view kind, std::string_view agent_id,
                 std::string_view performed_by) {
    NewJob job;
    job.kind = kind;
    job.agent_id = agent_id;
    job.operation.id = new_ordered_uuid();
    job.operation.kind = operation;
    job.operation.organization_id = stored.organization_id;
    job.operation.environment_id = stored.environment_id;
    job.operation.backup_id = stored.id;
    job.operation.performed_by = performed_by;
    return job;
}

}  // namespace backstay::dispatch
