#include "agent/worker/runner.h"

#include <fmt/format.h>

#include "agent/jobs/snapshots.h"
#include "agent/state/damage.h"
#include "agent/state/jobs.h"
#include "agent/state/schedules.h"
#include "agent/state/state.h"
#include "agent/state/wal.h"
#include "agent/worker/catalogue.h"
#include "agent/worker/recovery.h"
#include "agent/worker/shelf.h"
#include "common/domain/reasons.h"
#include "common/domain/verdict.h"
#include "common/log.h"

namespace backstay {
namespace {

using control_plane::JobFinish;
using control_plane::JobOutcome;

constexpr std::size_t kJobsLooked = 1000;

// One operation on its way: journal, meter and steps, shown on the board while it lives.
class Scene {
public:
    static Result<std::unique_ptr<Scene>> open(const JobRequest& request, const RunnerParts& parts,
                                               const std::string& operation, const std::string& id,
                                               const std::string& environment) {
        const AgentConfig config = parts.settings.config();
        auto journal = TRY(OperationJournal::open(config.state_dir, parts.settings.clock(), id, request.row.job_id));
        return std::unique_ptr<Scene>(new Scene(std::move(journal), parts, request, operation, id, environment));
    }
    ~Scene() { board_.left(meter_); }
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;

    Steps& steps() { return steps_; }
    OperationJournal& journal() { return *journal_; }

    // The last word of the progress stream: the row's status by the verdict.
    void close(Phase phase, const std::string& failure, const std::string& reason, bool reverted) {
        const auto evidence = journal_->evidence();
        EvidenceInput input;
        if (evidence) {
            if (evidence->plan) input.plan = *evidence->plan;
            input.steps = evidence->steps;
            input.copies = evidence->copies;
        }
        input.phase = phase;
        input.failure = failure;
        input.failure_reason = reason;
        input.reverted = reverted;
        meter_.finish(row_status(input, judge(input)), failure);
        if (const auto stored = journal_->progressed(meter_.snapshot()); !stored) {
            log::warning("progress not stored", {{"error", stored.error().message()}});
        }
    }

private:
    Scene(std::unique_ptr<OperationJournal> journal, const RunnerParts& parts, const JobRequest& request,
          const std::string& operation, const std::string& id, const std::string& environment)
        : board_(parts.board),
          journal_(std::move(journal)),
          meter_(parts.settings.clock(), operation, id, environment),
          steps_(*journal_, meter_, parts.settings.clock(), parts.stop, request.row.attempt) {
        board_.entered(request.row.job_id, meter_, *journal_);
    }

    ProgressBoard& board_;
    std::unique_ptr<OperationJournal> journal_;
    ProgressMeter meter_;
    Steps steps_;
};

// What a job function answered, before it is known how the job is judged.
struct Ended {
    JobFinish finish;
    std::optional<Error> error;
};

class Runner {
public:
    Runner(const JobRequest& request, const RunnerParts& parts, const AgentConfig& config, sqlite::Database& database)
        : request_(request),
          parts_(parts),
          database_(database),
          host_(parts.settings.host(config)),
          clock_(parts.settings.clock()) {}

    Result<JobFinish> run() {
        const EnvironmentOrder* environment = environment_of(request_.order);
        auto scene = TRY(Scene::open(request_, parts_, operation_name(request_.row.kind), request_.row.operation_id,
                                     environment != nullptr ? environment->environment_id : ""));
        Ended ended = std::visit([&](const auto& order) { return act(order, *scene); }, request_.order);
        if (ended.error) {
            judge_failure(*ended.error, ended.finish);
        } else {
            ended.finish.outcome = JobOutcome::succeeded;
        }
        const bool cancelled = ended.finish.outcome == JobOutcome::cancelled;
        scene->close(cancelled ? Phase::cancelled : Phase::ended, ended.finish.error_message, ended.finish.reason,
                     ended.finish.reverted);
        return std::move(ended.finish);
    }

private:
    Ended act(const BackupOrder& order, Scene& scene) {
        Ended ended;
        auto outcome = run_backup(order, host_, scene.steps());
        if (!outcome) return failed(std::move(outcome).error());
        describe_backup(*outcome, ended.finish);
        if (auto kept = keep(order, *outcome, scene); !kept) return failed(std::move(kept).error());
        return ended;
    }

    Ended act(const RestoreOrder& wanted, Scene& scene) {
        auto order = complete(wanted);
        if (!order) return failed(std::move(order).error());
        Ended ended;
        auto outcome = run_restore(*order, host_, scene.steps(),
                                   [this](const BackupOrder& safety) { return run_safety_backup(safety); });
        if (!outcome) return failed(std::move(outcome).error());
        ended.finish.notes = outcome->notes;
        ended.finish.safety_backup_id = outcome->safety_backup_id;
        return ended;
    }

    // The archive that is meant is this host's when its state knows the system; the cluster may have another name here.
    Result<RestoreOrder> complete(const RestoreOrder& wanted) {
        if (!wanted.pitr) return wanted;
        const auto known = TRY(WalRepository(database_).cluster(wanted.pitr->system_id));
        return complete_moment(wanted, host_.config, known ? known->cluster : "");
    }

    Ended act(const BaseBackupOrder& wanted, Scene& scene) {
        const auto wish = ScheduleRepository(database_).wal_wish(wanted.cluster);
        if (!wish) return failed(wish.error());
        const BaseBackupOrder order = complete_base_order(wanted, host_.config, *wish);
        Ended ended;
        auto outcome = run_base_backup(order, host_, scene.steps(), memory(order, scene));
        if (!outcome) return failed(std::move(outcome).error());
        ended.finish.folder = outcome->folder;
        ended.finish.size_bytes = outcome->size_bytes;
        ended.finish.manifest = slim_manifest(outcome->manifest);
        ended.finish.notes = outcome->notes;
        ended.finish.database_bytes = outcome->manifest.postgres.size_bytes;
        const auto keep_base = [&]() -> Result<> {
            const OperationEvidence evidence = TRY(scene.journal().evidence());
            return catalogue_base(database_, order, *outcome, evidence);
        };
        if (auto kept = keep_base(); !kept) return failed(std::move(kept).error());
        return ended;
    }

    ArchiveMemory memory(const BaseBackupOrder& order, Scene& scene) {
        ArchiveMemory memory;
        memory.keep = [this, &order, &scene](const BaseBackupOutcome& outcome) -> Result<> {
            const OperationEvidence evidence = TRY(scene.journal().evidence());
            return catalogue_base(database_, order, outcome, evidence);
        };
        memory.forget = [this](const BaseBackupOutcome& outcome, const wal::Disposal& gone,
                               const std::vector<std::string>& stored) {
            return forget_archived(database_, outcome.manifest, gone, stored);
        };
        memory.hindrance = [this](const std::string& archive) -> Result<std::string> {
            // Who else asked for longer retention is not known any more.
            if (TRY(load_state_loss(host_.config.state_dir))) {
                return std::string("the agent's state was lost, and `backstay adopt` has not run since");
            }
            return reader_of(archive);
        };
        return memory;
    }

    // A restore to a moment may need what retention would let go while it runs.
    Result<std::string> reader_of(const std::string& archive) {
        for (const JobRow& job : TRY(JobRepository(database_).newest(kJobsLooked, true))) {
            const json::Value* pitr = job.order.if_contains("pitr");
            if (job.kind != "restore" || pitr == nullptr || !pitr->is_object()) continue;
            const json::Value* system_id = pitr->as_object().if_contains("systemId");
            if (system_id == nullptr || !system_id->is_string()) continue;
            if (!archive.ends_with(fmt::format("/{}", std::string_view(system_id->as_string())))) continue;
            return fmt::format("restore {} reads this archive", job.operation_id);
        }
        return std::string();
    }

    Ended act(const VerifyOrder& order, Scene& scene) {
        Ended ended;
        auto outcome = run_verify(order, host_, scene.steps());
        if (!outcome) return failed(std::move(outcome).error());
        ended.finish.manifest = slim_manifest(outcome->manifest);
        return ended;
    }

    Ended act(const CopyOrder& order, Scene& scene) {
        if (auto done = run_copy(order, host_, scene.steps()); !done) return failed(std::move(done).error());
        if (auto kept = catalogue_copy(database_, order); !kept) return failed(std::move(kept).error());
        if (auto forgotten = forget_what_lay_there(order); !forgotten) return failed(std::move(forgotten).error());
        return {};
    }

    Ended act(const DeleteOrder& order, Scene& scene) {
        if (auto done = run_delete(order, host_, scene.steps()); !done) return failed(std::move(done).error());
        if (auto kept = catalogue_deletion(database_, order); !kept) return failed(std::move(kept).error());
        return {};
    }

    Ended act(const UndoOrder& order, Scene& scene) {
        auto evidence = EvidenceRepository(database_).of(order.restore_id);
        if (!evidence) return failed(std::move(evidence).error());
        if (!*evidence || (*evidence)->notes.empty()) {
            return failed(Error(Errc::not_found, fmt::format("nothing is kept here of restore {}", order.restore_id))
                              .with_reason(reason::kRestoreFailed));
        }
        if (auto done = undo_restore(order.restore_id, (*evidence)->notes, host_, scene.steps()); !done) {
            return failed(std::move(done).error());
        }
        return {};
    }

    Ended act(const SnapshotOrder& order, Scene& scene) {
        Ended ended;
        auto outcome = take_snapshot(order, scene, ended.finish);
        if (!outcome) return failed(std::move(outcome).error());
        return ended;
    }

    Ended act(const RollbackOrder& order, Scene& scene) {
        Ended ended;
        auto outcome = run_rollback(order, host_, scene.steps(),
                                    [this](const SnapshotOrder& safety) { return run_safety_snapshot(safety); });
        if (!outcome) return failed(std::move(outcome).error());
        ended.finish.notes = outcome->notes;
        ended.finish.safety_backup_id = outcome->safety_backup_id;
        return ended;
    }

    Ended act(const DeleteSnapshotOrder& order, Scene& scene) {
        StateShelf shelf(database_, clock_, request_.row.origin);
        if (auto done = run_delete_snapshot(order, host_, scene.steps(), shelf); !done) {
            return failed(std::move(done).error());
        }
        return {};
    }

    Ended act(const TestDestinationOrder& order, Scene&) {
        if (auto done = run_test_destination(order, host_); !done) return failed(std::move(done).error());
        return {};
    }

    // A sweep for the backup's sake must not take the copy for its leftovers.
    Result<> forget_what_lay_there(const CopyOrder& order) {
        EvidenceRepository evidence(database_);
        const auto backup = TRY(evidence.of(order.backup_id));
        if (!backup) return {};
        return forget_leftovers(backup->notes, order.to, [&](const std::string& key, const std::string& value) {
            return evidence.note(order.backup_id, key, value);
        });
    }

    // An operation of its own inside the job of a restore or rollback: its own id, steps, copies and place in the
    // catalogue. `act` does it and describes its end.
    template <class Outcome, class Act>
    Result<Outcome> run_inner(const std::string& kind, const std::string& id, const std::string& environment, Act act) {
        auto scene = TRY(Scene::open(request_, parts_, kind, id, environment));
        JobFinish finish;
        Result<Outcome> outcome = act(*scene, finish);
        if (outcome) {
            finish.outcome = JobOutcome::succeeded;
        } else {
            judge_failure(outcome.error(), finish);
        }
        const bool cancelled = finish.outcome == JobOutcome::cancelled;
        scene->close(cancelled ? Phase::cancelled : Phase::ended, finish.error_message, finish.reason, false);
        TRY(JobRepository(database_).finish_inner(request_.row.job_id, id, finish, clock_.now_ms()));
        return outcome;
    }

    Result<BackupOutcome> run_safety_backup(const BackupOrder& order) {
        return run_inner<BackupOutcome>("backup", order.backup_id, order.environment.environment_id,
                                        [&](Scene& scene, JobFinish& finish) -> Result<BackupOutcome> {
                                            auto outcome = TRY(run_backup(order, host_, scene.steps()));
                                            describe_backup(outcome, finish);
                                            TRY(keep(order, outcome, scene));
                                            return outcome;
                                        });
    }

    Result<SnapshotOutcome> run_safety_snapshot(const SnapshotOrder& order) {
        return run_inner<SnapshotOutcome>(
            "snapshot", order.snapshot_id, order.environment.environment_id,
            [&](Scene& scene, JobFinish& finish) { return take_snapshot(order, scene, finish); });
    }

    Result<SnapshotOutcome> take_snapshot(const SnapshotOrder& order, Scene& scene, JobFinish& finish) {
        StateShelf shelf(database_, clock_, request_.row.origin);
        auto outcome = TRY(run_snapshot(order, host_, scene.steps(), shelf));
        describe_backup(outcome.made, finish);
        const OperationEvidence evidence = TRY(scene.journal().evidence());
        TRY(catalogue_snapshot(database_, order.snapshot_id, evidence));
        return outcome;
    }

    Result<> keep(const BackupOrder& order, const BackupOutcome& outcome, Scene& scene) {
        const OperationEvidence evidence = TRY(scene.journal().evidence());
        return catalogue_backup(database_, order, request_.row.origin, outcome, evidence, clock_.now_ms());
    }

    static Ended failed(Error error) { return Ended{{}, std::move(error)}; }

    void judge_failure(const Error& error, JobFinish& finish) const {
        finish.outcome = JobOutcome::failed;
        finish.reason = error.reason().empty() ? std::string(reason::kInternalError) : error.reason();
        finish.error_message = error.message();
        if (!error.hint().empty()) finish.error_message += fmt::format(" ({})", error.hint());
        finish.transient = error.transient();
        const auto reverted = error.facts().find("reverted");
        finish.reverted = reverted != error.facts().end() && reverted->second == "true";
        switch (parts_.stop_cause()) {
            case StopCause::none:
                return;
            case StopCause::lost:
            case StopCause::cancelled:
                finish.outcome = JobOutcome::cancelled;
                finish.reason = reason::kCancelled;
                finish.transient = false;
                return;
            case StopCause::timed_out:
                finish.reason = reason::kTimeout;
                finish.error_message = "it took longer than it was given: " + finish.error_message;
                return;
            case StopCause::shut_down:
                finish.outcome = JobOutcome::interrupted;
                finish.reason = reason::kAgentRestarted;
                finish.error_message = "the agent was stopped: " + finish.error_message;
                finish.transient = true;
                return;
        }
    }

    const JobRequest& request_;
    const RunnerParts& parts_;
    sqlite::Database& database_;
    JobHost host_;
    const Clock& clock_;
};

}  // namespace

std::string operation_name(std::string_view kind) {
    if (kind == "verify") return "verification";
    if (kind == "undo") return "rollback";
    if (kind == "base_backup") return "backup";
    return std::string(kind);
}

Result<JobFinish> run_job(const JobRequest& request, const RunnerParts& parts) {
    // The job's own copy: a reload while it runs changes nothing under its feet.
    const AgentConfig config = parts.settings.config();
    sqlite::Database database = TRY(open_state(config.state_dir));
    JobRepository jobs(database);
    TRY(jobs.start(request.row.job_id, parts.settings.clock().now_ms()));
    auto finish = Runner(request, parts, config, database).run();
    if (!finish) {
        JobFinish broken;
        broken.reason = reason::kInternalError;
        broken.error_message = finish.error().message();
        finish = std::move(broken);
    }
    if (auto marked = mark_leftovers(database, request.row.job_id); !marked) {
        log::warning("leftovers not marked", {{"job", request.row.job_id}, {"error", marked.error().message()}});
    }
    TRY(jobs.finish(request.row.job_id, *finish, parts.settings.clock().now_ms()));
    return finish;
}

}  // namespace backstay
