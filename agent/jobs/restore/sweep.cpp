#include "agent/jobs/restore/sweep.h"

#include <fmt/format.h>

#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/service.h"
#include "agent/jobs/restore/swap.h"
#include "agent/jobs/restore/target.h"

namespace backstay::restore {
namespace {

const std::string* find_note(const Facts& notes, std::string_view key) {
    const auto found = notes.find(std::string(key));
    return found == notes.end() || found->second.empty() ? nullptr : &found->second;
}

// The notes of the dead job are the caller's: what a put_back says about itself while it is swept is not kept.
Result<> no_note(const std::string& /*key*/, const std::string& /*value*/) { return {}; }

Result<> sweep_swap(const std::string& note, const JobHost& host, std::vector<std::string>& done) {
    SwapRecord record = TRY(decode_swap(note));
    if (record.state == SwapState::swapped || record.state == SwapState::reverted) return {};
    const ClusterConfig config = TRY(find_cluster(host.config, record.cluster));
    auto cluster = TRY(connect_to_cluster(config, {}));
    TRY(take_over_target(cluster, record.database));
    TRY(put_back(record, cluster, no_note));
    TRY(drop_replaced(record, cluster));
    done.push_back(fmt::format("put the previous {} back", record.database));
    return {};
}

Result<> sweep_side(const std::string& note, const JobHost& host, std::vector<std::string>& done) {
    const SideRecord side = TRY(decode_side(note));
    if (!side.database.empty()) {
        const ClusterConfig config = TRY(find_cluster(host.config, side.cluster));
        auto cluster = TRY(connect_to_cluster(config, {}));
        TRY(take_over_target(cluster, side.target));
        TRY(drop_database(cluster, side.database));
        done.push_back(fmt::format("dropped what was left of database {}", side.database));
    }
    for (const std::string& path : {side.filestore, side.scratch}) {
        if (path.empty()) continue;
        TRY(remove_folder(path));
        done.push_back("removed " + path);
    }
    return {};
}

Result<> sweep_stopped(const std::string& note, const JobHost& host, std::vector<std::string>& done) {
    const StoppedRecord stopped = TRY(decode_stopped(note));
    const OdooConfig* odoo = find_odoo(host.config, stopped.cluster, stopped.database);
    if (!manages_service(odoo)) return {};
    TRY(start_instance(*odoo, {}));
    done.push_back(fmt::format("started the Odoo of {} again", stopped.database));
    return {};
}

}  // namespace

Result<std::vector<std::string>> sweep(const Facts& notes, const JobHost& host) {
    std::vector<std::string> done;
    // The swap first: until it is settled nobody knows which of the names holds what.
    if (const std::string* swap = find_note(notes, kSwapNote)) TRY(sweep_swap(*swap, host, done));
    if (const std::string* side = find_note(notes, kSideNote)) TRY(sweep_side(*side, host, done));
    if (const std::string* stopped = find_note(notes, kStoppedNote)) TRY(sweep_stopped(*stopped, host, done));
    return done;
}

}  // namespace backstay::restore
