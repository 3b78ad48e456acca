#include "agent/jobs/restore/sweep.h"

#include <fmt/format.h>

#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/service.h"
#include "agent/jobs/restore/swap.h"
#include "agent/jobs/restore/target.h"
#include "common/domain/reasons.h"

namespace backstay::restore {
namespace {

class Sweeper {
public:
    Sweeper(const Facts& notes, const JobHost& host, const NoteWriter& note)
        : notes_(notes), host_(host), note_(note) {}

    Result<Swept> run() {
        if (const std::string* stopped = find(kStoppedNote)) stopped_ = *stopped;
        // The swap first: until it is settled nobody knows which of the names holds what.
        if (const std::string* swap = find(kSwapNote)) TRY(settle_swap(*swap));
        if (const std::string* side = find(kSideNote)) TRY(drop_side(*side));
        if (!stopped_.empty()) TRY(start_stopped());
        return std::move(swept_);
    }

private:
    const std::string* find(std::string_view key) const {
        const auto found = notes_.find(std::string(key));
        return found == notes_.end() || found->second.empty() ? nullptr : &found->second;
    }

    Result<> settle_swap(const std::string& note) {
        SwapRecord record = TRY(decode_swap(note));
        const ClusterConfig config = TRY(find_cluster(host_.config, record.cluster));
        auto cluster = TRY(connect_to_cluster(config, {}));
        TRY(take_over_target(cluster, record.database));
        if (record.state == SwapState::proven) return complete(record, cluster);
        const bool whole = TRY(standing(record, cluster)) == Standing::restored;
        if (record.state != SwapState::swapped || !whole) return put_previous_back(record, cluster);
        testify(step::kSwapIn, Testimony{fmt::format("{} holds the restored pair", record.database), {}, {}, ""});
        auto proven = prove(record);
        if (proven) {
            TRY(keep_proven(record, note_));
            swept_.done.push_back(fmt::format("the restored {} is live and proven", record.database));
            return complete(record, cluster);
        }
        Error why = std::move(proven).error();
        TRY(halt(record));
        TRY(put_previous_back(record, cluster));
        swept_.reverted = std::move(why);
        return {};
    }

    // What the restore itself would have asked of the pair that it swapped in.
    Result<> prove(const SwapRecord& record) {
        const OdooConfig* odoo = find_odoo(host_.config, record.cluster, record.database);
        if (manages_service(odoo)) {
            TRY(record_step(step::kStartInstance, start_instance(*odoo, {})));
            TRY(note_(std::string(kStoppedNote), ""));
            stopped_.clear();
        }
        if (checks_health(odoo)) TRY(record_step(step::kHealthCheck, await_health(*odoo, {})));
        return {};
    }

    // Odoo must not run while the pair under it changes; the note starts it again, also if we die meanwhile.
    Result<> halt(const SwapRecord& record) {
        const OdooConfig* odoo = find_odoo(host_.config, record.cluster, record.database);
        if (!manages_service(odoo)) return {};
        stopped_ = encode_note(StoppedRecord{record.cluster, record.database});
        TRY(note_(std::string(kStoppedNote), stopped_));
        // Its start may have failed just before: then there is nothing to stop.
        if (auto halted = stop_instance(*odoo, {}); !halted) {
            swept_.done.push_back(fmt::format("Odoo does not stop: {}", halted.error().message()));
        }
        return {};
    }

    Result<> put_previous_back(SwapRecord& record, pq::Connection& cluster) {
        TRY(put_back(record, cluster, note_));
        // An undo keeps what it replaces, as long as the restore would have kept the other pair.
        if (!record.undo) TRY(drop_replaced(record, cluster));
        TRY(note_(std::string(kSwapNote), ""));
        swept_.done.push_back(fmt::format("put the previous {} back", record.database));
        return {};
    }

    Result<> complete(const SwapRecord& record, pq::Connection& cluster) {
        testify(step::kCatalogCommit,
                Testimony{"the restore is recorded, after the agent's restart", {}, {"catalog:row"}, ""});
        swept_.completed = true;
        if (!record.drop_at_once) return {};
        TRY(drop_replaced(record, cluster));
        TRY(note_(std::string(kSwapNote), ""));
        testify(step::kCleanupPrevious, Testimony{"the previous pair is removed, as ordered", {}, {}, ""});
        return {};
    }

    Result<> drop_side(const std::string& note) {
        const SideRecord side = TRY(decode_side(note));
        if (!side.database.empty()) {
            const ClusterConfig config = TRY(find_cluster(host_.config, side.cluster));
            auto cluster = TRY(connect_to_cluster(config, {}));
            TRY(take_over_target(cluster, side.target));
            TRY(drop_database(cluster, side.database));
            swept_.done.push_back(fmt::format("dropped what was left of database {}", side.database));
        }
        for (const std::string& path : {side.filestore, side.scratch}) {
            if (path.empty()) continue;
            TRY(remove_folder(path));
            swept_.done.push_back("removed " + path);
        }
        return note_(std::string(kSideNote), "");
    }

    Result<> start_stopped() {
        const StoppedRecord stopped = TRY(decode_stopped(stopped_));
        const OdooConfig* odoo = find_odoo(host_.config, stopped.cluster, stopped.database);
        if (manages_service(odoo)) {
            if (auto started = start_instance(*odoo, {}); !started) {
                swept_.done.push_back(
                    fmt::format("the Odoo of {} does not start: {}", stopped.database, started.error().message()));
                swept_.clean = false;
                return {};
            }
            swept_.done.push_back(fmt::format("started the Odoo of {} again", stopped.database));
        }
        return note_(std::string(kStoppedNote), "");
    }

    void testify(std::string_view name, const Testimony& testimony) {
        StepRecord record = begun(name);
        record.status = StepStatus::completed;
        record.summary = testimony.summary;
        record.facts = testimony.facts;
        record.proofs = testimony.proofs;
        swept_.steps.push_back(std::move(record));
    }

    Result<> record_step(std::string_view name, const Result<Testimony>& done) {
        if (done) {
            testify(name, *done);
            return {};
        }
        StepRecord record = begun(name);
        record.status = StepStatus::failed;
        record.summary = done.error().message();
        record.reason = done.error().reason().empty() ? std::string(reason::kRestoreFailed) : done.error().reason();
        swept_.steps.push_back(std::move(record));
        return done.error();
    }

    StepRecord begun(std::string_view name) const {
        StepRecord record;
        record.name = name;
        record.started_at = record.completed_at = Timestamp{host_.clock.now_ms()};
        return record;
    }

    const Facts& notes_;
    const JobHost& host_;
    const NoteWriter& note_;
    std::string stopped_;  // the note as it is now
    Swept swept_;
};

}  // namespace

Result<Swept> sweep(const Facts& notes, const JobHost& host, const NoteWriter& note) {
    return Sweeper(notes, host, note).run();
}

}  // namespace backstay::restore
