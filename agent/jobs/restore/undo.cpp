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
        : record_(std::move(record)), steps_(steps), odoo_(find_odoo(host.config, record_.cluster, record_.database)) {}

    Result<> run(const JobHost& host) {
        const bool managed = restore::manages_service(odoo_);
        const bool health = restore::checks_health(odoo_);
        TRY(steps_.plan(plan_undo(managed, health)));
        auto cluster = TRY(steps_.run(step::kValidateTarget, [&] { return validate(host); }));
        if (managed) {
            TRY(steps_.note(std::string(restore::kStoppedNote),
                            restore::encode_note(restore::StoppedRecord{record_.cluster, record_.database})));
            TRY(steps_.run(step::kStopInstance, [&] { return restore::stop_instance(*odoo_, steps_.stop_token()); }));
        }
        TRY(steps_.run(step::kSwapIn, [&] { return put_back(*cluster.connection); }));
        if (managed) {
            TRY(steps_.run(step::kStartInstance, [&] { return restore::start_instance(*odoo_, steps_.stop_token()); }));
            TRY(steps_.note(std::string(restore::kStoppedNote), ""));
        }
        if (health) {
            TRY(steps_.run(step::kHealthCheck, [&] { return restore::await_health(*odoo_, steps_.stop_token()); }));
        }
        return commit();
    }

private:
    struct Validated {
        std::unique_ptr<pq::Connection> connection;
        Testimony testimony;
        friend Testimony testify(const Validated& value) { return value.testimony; }
    };

    Result<Validated> validate(const JobHost& host) {
        const ClusterConfig config = TRY(find_cluster(host.config, record_.cluster));
        Validated validated;
        validated.connection =
            std::make_unique<pq::Connection>(TRY(restore::connect_to_cluster(config, steps_.stop_token())));
        TRY(restore::lock_target(*validated.connection, record_.database));
        if (!record_.side_database.empty() && !record_.old_oid.empty()) {
            const auto old_name = TRY(restore::database_name(*validated.connection, record_.old_oid));
            if (!old_name) {
                return Error(Errc::not_found, fmt::format("the previous {} is no longer kept", record_.database))
                    .with_reason(reason::kDbNotFound);
            }
        }
        if (TRY(is_in_place(*validated.connection))) {
            return Error(Errc::conflict, fmt::format("{} is already what it was before the restore", record_.database))
                .with_reason(reason::kPreflightFailed);
        }
        validated.testimony.summary = fmt::format("the previous pair of {} is still kept", record_.database);
        return validated;
    }

    // Nothing of the restored pair bears the name that Odoo uses.
    Result<bool> is_in_place(pq::Connection& cluster) const {
        if (!record_.side_database.empty()) {
            return TRY(restore::database_name(cluster, record_.new_oid)) != record_.database;
        }
        return TRY(restore::folder_identity(record_.filestore)) != record_.new_folder;
    }

    Result<Testimony> put_back(pq::Connection& cluster) {
        const restore::Note note = [this](const std::string& key, const std::string& value) {
            return steps_.note(key, value);
        };
        TRY(restore::put_back(record_, cluster, note));
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
    Steps& steps_;
    const OdooConfig* odoo_;
};

}  // namespace

Result<> undo_restore(const std::string& restore_id, const Facts& notes, const JobHost& host, Steps& steps) {
    auto record = kept_pair(notes);
    if (!record) return std::move(record).context("undo restore " + restore_id).error();
    return Undo(std::move(*record), host, steps).run(host);
}

std::optional<TimeMs> previous_kept_until(const Facts& notes) {
    const auto record = kept_pair(notes);
    // While a swap or the way back hangs in the middle, what looks like the old pair may be the only good one.
    if (!record || record->keep_until.ms == 0 || record->state != restore::SwapState::swapped) return std::nullopt;
    return record->keep_until.ms;
}

Result<> drop_previous(const Facts& notes, const JobHost& host) {
    const auto record = kept_pair(notes);
    if (!record || record->state != restore::SwapState::swapped) return {};
    const ClusterConfig config = TRY(find_cluster(host.config, record->cluster));
    auto cluster = TRY(restore::connect_to_cluster(config, {}));
    return restore::drop_replaced(*record, cluster);
}

}  // namespace backstay
