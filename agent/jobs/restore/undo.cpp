#include <fmt/format.h>

#include "agent/jobs/jobs.h"
#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/service.h"
#include "agent/jobs/restore/swap.h"
#include "agent/jobs/restore/target.h"
#include "common/domain/reasons.h"

namespace backstay {
namespace {

using restore::SwapRecord;

Result<SwapRecord> kept_pair(const Facts& notes) {
    const auto note = notes.find(std::string(restore::kSwapNote));
    if (note == notes.end() || note->second.empty()) {
        return Error(Errc::not_found, "this restore keeps no previous pair").with_reason(reason::kPreflightFailed);
    }
    return restore::decode_swap(note->second);
}

OperationPlan plan_undo(bool managed, bool health) {
    OperationPlan plan;
    plan.operation = Operation::restore;
    const auto add = [&](std::string_view name, std::int32_t weight) {
        plan.steps.push_back({std::string(name), true, weight});
    };
    add(step::kValidateTarget, 10);
    if (managed) add(step::kStopInstance, 20);
    add(step::kSwapIn, 20);
    if (managed) add(step::kStartInstance, 20);
    if (health) add(step::kHealthCheck, 20);
    add(step::kCatalogCommit, 10);
    if (health) plan.required_proofs.emplace_back("health:http_200");
    plan.required_proofs.emplace_back("catalog:row");
    return plan;
}

class Undo {
public:
    Undo(SwapRecord record, const JobHost& host, Steps& steps)
        : record_(std::move(record)),
          host_(host),
          steps_(steps),
          odoo_(find_odoo(host.config, record_.cluster, record_.database)) {
        record_.undo = true;
    }

    Result<> run() {
        TRY(steps_.plan(plan_undo(managed(), restore::checks_health(odoo_))));
        Validated validated = TRY(steps_.run(step::kValidateTarget, [&] { return validate(); }));
        cluster_ = std::move(validated.connection);
        auto done = go_back();
        if (!done) return stand_again(std::move(done).error());
        TRY(steps_.note(std::string(restore::kSwapNote), ""));
        return commit();
    }

private:
    struct Validated {
        std::unique_ptr<pq::Connection> connection;
        Testimony testimony;
        friend Testimony testify(const Validated& value) { return value.testimony; }
    };

    bool managed() const { return restore::manages_service(odoo_); }

    Result<> go_back() {
        if (managed()) {
            TRY(steps_.note(std::string(restore::kStoppedNote),
                            restore::encode_note(restore::StoppedRecord{record_.cluster, record_.database})));
            stopped_ = true;
            TRY(steps_.run(step::kStopInstance, [&] { return restore::stop_instance(*odoo_, steps_.stop_token()); }));
        }
        TRY(steps_.run(step::kSwapIn, [&] { return put_back(); }));
        if (managed()) {
            TRY(steps_.run(step::kStartInstance, [&] { return restore::start_instance(*odoo_, steps_.stop_token()); }));
            TRY(started());
        }
        if (restore::checks_health(odoo_)) {
            TRY(steps_.run(step::kHealthCheck, [&] { return restore::await_health(*odoo_, steps_.stop_token()); }));
        }
        return {};
    }

    // It failed or was stopped: Odoo runs again on whichever pair is whole, or it is said why not; what cannot be done
    // now stays in the notes, and the sweep does it.
    Error stand_again(Error error) {
        const auto attempt = [&](Result<> done) {
            if (!done) error.followed_by(done.error());
            return done.has_value();
        };
        if (auto stood = stand(); !stood) {
            error.followed_by(stood.error());
            error.add_fact("odoo", stopped_ ? "stays stopped; it is tried again" : "");
            return error;
        }
        if (!stopped_) return error;
        // Without the job's stop token, which may be why we are here.
        auto again = restore::start_instance(*odoo_, {});
        if (!again) attempt(std::move(again).error().add_context("Odoo stays stopped; its start is tried again"));
        if (again && attempt(started())) error.add_fact("odoo", "started again");
        return error;
    }

    // One whole pair in place, and connections to it.
    Result<> stand() {
        cluster_.reset();
        const ClusterConfig config = TRY(find_cluster(host_.config, record_.cluster));
        auto cluster = TRY(restore::connect_to_cluster(config, {}));
        TRY(restore::take_over_target(cluster, record_.database));
        if (TRY(restore::standing(record_, cluster)) == restore::Standing::mixed) {
            TRY(restore::put_back(record_, cluster, note_writer()).context("database and files are of two pairs"));
        }
        TRY(restore::admit_connections(record_, cluster));
        return steps_.note(std::string(restore::kSwapNote), "");
    }

    Result<> started() {
        TRY(steps_.note(std::string(restore::kStoppedNote), ""));
        stopped_ = false;
        return {};
    }

    restore::Note note_writer() {
        return [this](const std::string& key, const std::string& value) { return steps_.note(key, value); };
    }

    Result<Validated> validate() {
        const ClusterConfig config = TRY(find_cluster(host_.config, record_.cluster));
        Validated validated;
        validated.connection =
            std::make_unique<pq::Connection>(TRY(restore::connect_to_cluster(config, steps_.stop_token())));
        TRY(restore::lock_target(*validated.connection, record_.database));
        if (!record_.side_database.empty() && !record_.old_oid.empty()) {
            const auto old_name = TRY(restore::database_name(*validated.connection, record_.old_oid));
            if (!old_name) return no_longer_kept(reason::kDbNotFound);
        }
        if (TRY(restore::standing(record_, *validated.connection)) != restore::Standing::restored) {
            return Error(Errc::conflict, fmt::format("{} is already what it was before the restore", record_.database))
                .with_reason(reason::kPreflightFailed);
        }
        if (!record_.side_filestore.empty() && !record_.old_folder.empty()) {
            const auto kept = TRY(restore::folder_identity(record_.previous_filestore));
            if (kept != record_.old_folder) return no_longer_kept(reason::kFilestoreMissing);
        }
        validated.testimony.summary = fmt::format("the previous pair of {} is still kept", record_.database);
        return validated;
    }

    Error no_longer_kept(std::string_view why) const {
        return Error(Errc::not_found, fmt::format("the previous {} is no longer kept", record_.database))
            .with_reason(why);
    }

    Result<Testimony> put_back() {
        TRY(restore::put_back(record_, *cluster_, note_writer()));
        Testimony testimony;
        testimony.summary = fmt::format("{} is again what it was before the restore", record_.database);
        testimony.facts = {{"database", record_.database}, {"restored_database", record_.side_database}};
        return testimony;
    }

    Result<> commit() {
        TRY(steps_.run(step::kCatalogCommit, []() -> Result<Testimony> {
            Testimony testimony;
            testimony.summary = "recorded";
            testimony.proofs = {"catalog:row"};
            return testimony;
        }));
        return {};
    }

    SwapRecord record_;
    const JobHost& host_;
    Steps& steps_;
    const OdooConfig* odoo_;
    std::unique_ptr<pq::Connection> cluster_;
    bool stopped_ = false;
};

}  // namespace

Result<> undo_restore(const std::string& restore_id, const Facts& notes, const JobHost& host, Steps& steps) {
    auto record = kept_pair(notes);
    if (!record) return std::move(record).context("undo restore " + restore_id).error();
    return Undo(std::move(*record), host, steps).run();
}

std::optional<TimeMs> previous_kept_until(const Facts& notes) {
    const auto record = kept_pair(notes);
    // Before the new pair is proven, and while the way back hangs in the middle, the old one may be the only good one.
    if (!record || record->keep_until.ms == 0 || record->state != restore::SwapState::proven) return std::nullopt;
    return record->keep_until.ms;
}

Result<> drop_previous(const Facts& notes, const JobHost& host) {
    const auto record = kept_pair(notes);
    if (!record || record->state != restore::SwapState::proven) return {};
    const ClusterConfig config = TRY(find_cluster(host.config, record->cluster));
    auto cluster = TRY(restore::connect_to_cluster(config, {}));
    return restore::drop_replaced(*record, cluster);
}

}  // namespace backstay
