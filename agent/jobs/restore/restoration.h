// One restore under way: what run_restore's steps share. Made, run and destroyed on one worker thread; the filestore is
// made on a thread of its own meanwhile.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/jobs/jobs.h"
#include "agent/jobs/pitr/recovery.h"
#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/opened_backup.h"
#include "agent/jobs/restore/side_database.h"
#include "agent/jobs/restore/side_filestore.h"
#include "agent/jobs/restore/swap.h"
#include "agent/jobs/restore/target.h"

namespace backstay::restore {

inline constexpr std::string_view kSourceNeutralized = "source_neutralized";

// What a rollback does otherwise than a restore: it has steps of its own names, and another safety copy.
struct RollbackWay {
    struct Safety {
        std::string id;
        Testimony testimony;
    };
    std::function<Result<Safety>()> make_safety;  // empty: none
};

class Restoration {
public:
    // `way`: a rollback.
    Restoration(const RestoreOrder& order, const JobHost& host, Steps& steps, const SafetyBackupRunner& safety_backup,
                std::optional<RollbackWay> way = std::nullopt);
    ~Restoration();
    Restoration(const Restoration&) = delete;
    Restoration& operator=(const Restoration&) = delete;

    Result<RestoreOutcome> run();

private:
    // restoration.cpp: the order of things
    void look();
    RestoreShape shape() const;
    Result<> prepare();
    Result<> change_over();
    Error undo_all(Error error);

    // restoration_steps.cpp: beside the running Odoo
    Result<Testimony> validate();
    Result<Testimony> find_backup();
    Result<Testimony> verify_artifacts();
    Result<Testimony> make_safety_backup();
    Result<Testimony> restore_database();
    Result<Testimony> restore_filestore();
    Result<Testimony> check_result();
    Result<Testimony> neutralize_copy();
    Result<Testimony> renew_uuid();
    Result<Testimony> commit();

    // restoration_pitr.cpp: to a moment
    void look_at_moment();
    Result<Testimony> find_moment();
    Result<> recover();
    Result<> own_new_database();
    std::vector<std::string> live_filestores() const;
    Result<Testimony> unite_filestores();
    Result<> check_moment_files(pq::Connection& database, Testimony& testimony);

    // restoration_rollback.cpp: snapshots
    OperationPlan plan() const;
    bool makes_safety() const;
    Result<> open_base();
    Result<Testimony> validate_snapshot();
    Result<Testimony> make_safety_snapshot();
    Result<> read_archives(const FilestoreMaking& making);
    Result<> read_two_archives(const FilestoreMaking& making);
    Result<Origins> open_holders(const OpenedBackup& backup);

    // restoration_checks.cpp
    Result<> check_contents(pq::Connection& database, Testimony& testimony);
    Result<> check_files(pq::Connection& database, Testimony& testimony);

    Result<pq::Connection> connect_side();
    Result<> settle();
    Note note_writer();
    bool with_database() const { return target_ && target_->wants_database; }
    bool with_filestore() const {
        return target_ && target_->wants_filestore && (!backup_ || backup_->manifest.filestore.has_value());
    }
    bool managed() const;
    bool neutral_into_production() const;

    const RestoreOrder& order_;
    const JobHost& host_;
    Steps& steps_;
    const SafetyBackupRunner& safety_backup_;
    const std::optional<RollbackWay> way_;
    std::stop_source work_;  // ends what runs beside when the job fails
    std::stop_callback<std::function<void()>> linked_;

    std::unique_ptr<pq::Connection> cluster_;  // holds the lock on the target
    std::optional<Target> target_;
    std::optional<OpenedBackup> backup_;
    std::optional<OpenedBackup> base_;   // of a differential snapshot
    std::optional<Error> target_fault_;  // met while looking; told by the step that is to tell it
    std::optional<Error> backup_fault_;
    std::unique_ptr<pitr::Recovery> recovery_;
    std::vector<OpenedBackup> moment_files_;
    std::set<std::string> moment_damaged_;  // names in the united filestore whose content is not theirs
    std::optional<Tool> pg_restore_;
    std::optional<FetchedDump> dump_;
    std::future<Result<>> filestore_;
    std::jthread filestore_thread_;
    std::optional<FilesMade> files_made_;
    SwapRecord swap_;
    bool side_noted_ = false;
    bool stopped_ = false;
    bool swapped_ = false;
    RestoreOutcome outcome_;
};

}  // namespace backstay::restore
