#include "agent/jobs/restore/restoration.h"

#include <fmt/format.h>

#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/service.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {

Result<RestoreOutcome> run_restore(const RestoreOrder& order, const JobHost& host, Steps& steps,
                                   const SafetyBackupRunner& safety_backup) {
    return restore::Restoration(order, host, steps, safety_backup).run();
}

namespace restore {

Restoration::Restoration(const RestoreOrder& order, const JobHost& host, Steps& steps,
                         const SafetyBackupRunner& safety_backup, std::optional<RollbackWay> way)
    : order_(order),
      host_(host),
      steps_(steps),
      safety_backup_(safety_backup),
      way_(std::move(way)),
      linked_(steps.stop_token(), [this] { work_.request_stop(); }) {}

Restoration::~Restoration() { work_.request_stop(); }

bool Restoration::managed() const { return target_ && manages_service(target_->odoo); }

bool Restoration::neutral_into_production() const {
    return backup_ && backup_->manifest.is_neutralized && order_.target.type == "production";
}

Note Restoration::note_writer() {
    return [this](const std::string& key, const std::string& value) { return steps_.note(key, value); };
}

// The plan depends on what is there, so target and backup are looked at before the first step; what went wrong is kept
// for the step whose business it is.
void Restoration::look() {
    const auto see_target = [&]() -> Result<> {
        const ClusterConfig config = TRY(find_cluster(host_.config, order_.target.cluster));
        cluster_ = std::make_unique<pq::Connection>(TRY(connect_to_cluster(config, work_.get_token())));
        target_ = TRY(look_at_target(order_, host_, *cluster_));
        return {};
    };
    if (auto seen = see_target(); !seen) target_fault_ = std::move(seen).error();
    if (order_.pitr) return look_at_moment();
    auto opened = open_backup(order_.destinations, order_.folder, order_.backup_id, host_, work_.get_token());
    if (!opened) {
        backup_fault_ = std::move(opened).error();
        return;
    }
    backup_ = std::move(*opened);
    if (auto based = open_base(); !based) backup_fault_ = std::move(based).error();
}

RestoreShape Restoration::shape() const {
    RestoreShape shape;
    shape.scope = order_.scope;
    shape.pitr = order_.pitr.has_value();
    shape.with_filestore = !backup_ || backup_->manifest.filestore.has_value();
    shape.safety_backup = makes_safety();
    shape.neutralize = order_.neutralize;
    shape.new_uuid = order_.new_uuid;
    shape.managed_service = managed();
    shape.health_check = target_ && checks_health(target_->odoo);
    shape.keep_previous = order_.keep_previous_ms > 0;
    return shape;
}

Result<RestoreOutcome> Restoration::run() {
    look();
    OperationPlan plan = this->plan();
    // Never left: what such a restore proves is not production (contract/semantics.md 8.3).
    if (neutral_into_production()) plan.required_proofs.emplace_back(kSourceNeutralized);
    TRY(steps_.plan(plan));
    auto prepared = prepare();
    if (!prepared) return undo_all(std::move(prepared).error());
    auto changed = change_over();
    if (!changed) return undo_all(std::move(changed).error());
    return std::move(outcome_);
}

Result<> Restoration::prepare() {
    if (way_) {
        TRY(steps_.run(step::kValidateSnapshot, [&] { return validate_snapshot(); }));
    } else {
        TRY(steps_.run(step::kValidateTarget, [&] { return validate(); }));
        TRY(steps_.run(step::kFetchArtifacts, [&] { return order_.pitr ? find_moment() : find_backup(); }));
    }
    SideRecord side{target_->cluster.name, target_->database, with_database() ? target_->side_database : "",
                    with_filestore() ? target_->side_filestore : "", target_->scratch};
    TRY(steps_.note(std::string(kSideNote), encode_note(side)));
    side_noted_ = true;
    if (with_filestore()) {
        // Beside everything that follows: it is bound by the disk and by creating files, the rest by processors.
        std::promise<Result<>> promise;
        filestore_ = promise.get_future();
        filestore_thread_ = std::jthread([this, done = std::move(promise)]() mutable {
            auto made = steps_.run(step::kRestoreFilestore,
                                   [&] { return order_.pitr ? unite_filestores() : restore_filestore(); });
            done.set_value(made ? Result<>() : Result<>(std::move(made).error()));
        });
    }
    TRY(steps_.run(step::kVerifyArtifacts, [&] { return verify_artifacts(); }));
    if (recovery_) TRY(recover());
    if (makes_safety()) {
        TRY(way_ ? steps_.run(step::kSafetySnapshot, [&] { return make_safety_snapshot(); })
                 : steps_.run(step::kSafetyBackup, [&] { return make_safety_backup(); }));
    }
    if (with_database()) TRY(steps_.run(step::kRestoreDatabase, [&] { return restore_database(); }));
    if (filestore_.valid()) TRY(filestore_.get());
    TRY(steps_.run(step::kPostRestoreChecks, [&] { return check_result(); }));
    if (with_database() && order_.neutralize) TRY(steps_.run(step::kNeutralize, [&] { return neutralize_copy(); }));
    if (with_database() && order_.new_uuid) TRY(steps_.run(step::kResetDbuuid, [&] { return renew_uuid(); }));
    return settle();
}

// What the swap needs, while nothing is stopped yet.
Result<> Restoration::settle() {
    if (with_filestore()) TRY(sync_file_system(target_->side_filestore));
    if (with_database()) TRY(copy_settings(*cluster_, target_->database, target_->side_database));
    swap_.cluster = target_->cluster.name;
    swap_.database = target_->database;
    swap_.owner = target_->owner;
    swap_.keep_until = Timestamp{host_.clock.now_ms() + order_.keep_previous_ms};
    swap_.drop_at_once = order_.keep_previous_ms <= 0;
    if (with_database()) {
        swap_.side_database = target_->side_database;
        swap_.previous_database = target_->previous_database;
    }
    if (with_filestore()) {
        swap_.filestore = target_->filestore;
        swap_.side_filestore = target_->side_filestore;
        swap_.previous_filestore = target_->previous_filestore;
    }
    return identify(swap_, *cluster_);
}

Result<> Restoration::change_over() {
    if (managed()) {
        TRY(steps_.note(std::string(kStoppedNote),
                        encode_note(StoppedRecord{target_->cluster.name, target_->database})));
        stopped_ = true;
        TRY(steps_.run(step::kStopInstance, [&] { return stop_instance(*target_->odoo, steps_.stop_token()); }));
    } else {
        outcome_.notes.push_back("stop_instance: this host's configuration does not let the agent manage Odoo");
    }
    TRY(steps_.run(step::kSwapIn, [&]() -> Result<Testimony> {
        // Even a swap that failed, and could not put itself back, is undone: on a connection that no cancel stops.
        swapped_ = true;
        TRY(swap_in(swap_, *cluster_, note_writer()));
        Testimony testimony;
        testimony.summary =
            fmt::format("{} holds the restored pair{}", target_->database,
                        swap_.old_oid.empty() && swap_.old_folder.empty() ? "" : ", the old one is kept");
        testimony.facts = {{"previous_database", swap_.old_oid.empty() ? "" : swap_.previous_database},
                           {"previous_filestore", swap_.old_folder.empty() ? "" : swap_.previous_filestore}};
        return testimony;
    }));
    if (managed()) {
        TRY(steps_.run(step::kStartInstance, [&] { return start_instance(*target_->odoo, steps_.stop_token()); }));
        TRY(steps_.note(std::string(kStoppedNote), ""));
        stopped_ = false;
    }
    if (checks_health(target_->odoo)) {
        TRY(steps_.run(step::kHealthCheck, [&] { return await_health(*target_->odoo, steps_.stop_token()); }));
    }
    TRY(steps_.run(step::kCatalogCommit, [&] { return commit(); }));
    if (!swap_.old_oid.empty()) outcome_.previous_database = swap_.previous_database;
    if (!swap_.old_folder.empty()) outcome_.previous_filestore = swap_.previous_filestore;
    if (order_.keep_previous_ms > 0) return {};
    auto dropped = steps_.run(step::kCleanupPrevious, [&]() -> Result<Testimony> {
        TRY(drop_replaced(swap_, *cluster_));
        TRY(steps_.note(std::string(kSwapNote), ""));
        return Testimony{"the previous pair is removed, as ordered", {}, {}, ""};
    });
    if (dropped) {
        outcome_.previous_database.clear();
        outcome_.previous_filestore.clear();
    }
    return {};
}

// Back to how it was; whatever does not work is told and left to the sweep, which has the notes.
Error Restoration::undo_all(Error error) {
    work_.request_stop();
    if (filestore_thread_.joinable()) filestore_thread_.join();
    if (recovery_) {
        const auto ended = recovery_->end();
        const auto noted = ended ? steps_.note(std::string(pitr::kSidecarNote), "") : Result<>();
        if (!ended) error.followed_by(ended.error());
        if (!noted) error.followed_by(noted.error());
    }
    if (!target_) return error;
    const auto attempt = [&](Result<> done) {
        if (!done) error.followed_by(done.error());
        return done.has_value();
    };
    // The connection of the job obeys its stop token, which may be why we are here.
    cluster_.reset();
    auto cluster = connect_to_cluster(target_->cluster, {});
    if (!cluster) {
        attempt(std::move(cluster).error());
        return error;
    }
    if (side_noted_ && !attempt(take_over_target(*cluster, target_->database))) return error;
    bool sound = true;
    if (swapped_) {
        if (!stopped_ && managed()) {
            if (auto halted = stop_instance(*target_->odoo, {}); !halted) {
                log::warning("Odoo does not stop", {{"error", halted.error().message()}});
            }
            stopped_ = true;
        }
        sound = attempt(put_back(swap_, *cluster, note_writer()));
        if (sound) error.add_fact("reverted", "true");
        if (!sound) attempt(admit_connections(swap_, *cluster));
    }
    const auto stands = swapped_ && !sound ? standing(swap_, *cluster) : Result<Standing>(Standing::previous);
    if (stopped_ && managed() && (!stands || *stands == Standing::mixed)) {
        attempt(Error(Errc::conflict, "Odoo stays stopped until its database and its files are of one pair again"));
    } else if (stopped_ && managed()) {
        auto started = start_instance(*target_->odoo, {});
        if (!started) attempt(std::move(started).error());
        if (started) attempt(steps_.note(std::string(kStoppedNote), ""));
    }
    if (!sound || !side_noted_) return error;
    sound = attempt(drop_database(*cluster, target_->side_database)) && sound;
    for (const std::string& path : {target_->side_filestore, target_->scratch}) {
        if (!path.empty()) sound = attempt(remove_folder(path)) && sound;
    }
    if (!sound) return error;
    attempt(steps_.note(std::string(kSideNote), ""));
    attempt(steps_.note(std::string(kSwapNote), ""));
    return error;
}

}  // namespace restore
}  // namespace backstay
