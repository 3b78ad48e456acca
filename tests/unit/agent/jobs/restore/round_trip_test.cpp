// What the backup job wrote, the restore job brings back: encrypted, at several destinations, with a filestore that was
// not sound.
#include "common/crypto/secretstream.h"
#include "common/domain/reasons.h"
#include "tests/unit/agent/jobs/restore/sample.h"

namespace backstay {
namespace {

using testing::RestoreRun;
using testing::Sample;

class RoundTrip : public ::testing::Test {
protected:
    static void SetUpTestSuite() { sample_ = std::make_unique<Sample>(); }
    static void TearDownTestSuite() { sample_.reset(); }

    static BackupOrder backup_order(const std::string& database, const std::vector<std::string>& destinations) {
        BackupOrder order;
        order.backup_id = new_uuid();
        order.scope = "full";
        order.trigger = "manual";
        order.created_at = Timestamp{sample_->clock.now_ms()};
        order.environment.organization_id = "local";
        order.environment.project_id = "agent-1";
        order.environment.environment_id = database;
        order.environment.name = database;
        order.environment.type = "production";
        order.environment.database = database;
        order.environment.filestore = sample_->filestore(database);
        for (const std::string& name : destinations) {
            const std::string path = sample_->folder.path() + "/" + name;
            std::filesystem::create_directories(path);
            order.destinations.push_back(sample_->destination(path));
        }
        return order;
    }

    static Result<BackupOutcome> back_up(const BackupOrder& order) {
        RememberingJournal journal;
        ProgressMeter progress(sample_->clock, "backup", order.backup_id, "");
        Steps steps(journal, progress, sample_->clock, {});
        return run_backup(order, sample_->host(), steps);
    }

    static RestoreOrder restore_order(const BackupOrder& backup, const std::string& folder, const std::string& target) {
        RestoreOrder order;
        order.restore_id = new_uuid();
        order.backup_id = backup.backup_id;
        order.folder = folder;
        order.destinations = backup.destinations;
        order.target.database = target;
        order.target.name = target;
        order.target.type = "staging";
        order.target.filestore = sample_->filestore(target);
        order.target_type = "other";
        order.scope = "all";
        return order;
    }

    static std::unique_ptr<Sample> sample_;
};

std::unique_ptr<Sample> RoundTrip::sample_;

TEST_F(RoundTrip, BringsBackWhatWasEncryptedAtTwoDestinations) {
    const std::string key_file = sample_->folder.path() + "/key";
    ASSERT_TRUE(StreamKey::create(key_file));
    sample_->config.encryption_key_file = key_file;
    BackupOrder backup = backup_order("source", {"one", "two"});
    backup.encrypt_for = {backup.destinations[0].id, backup.destinations[1].id};
    auto made = back_up(backup);
    ASSERT_TRUE(made) << made.error().message();
    const RestoreOrder order = restore_order(backup, made->folder, "decrypted");
    {
        sample_->config.encryption_key_file = "";
        RestoreRun without(*sample_, order);
        ASSERT_FALSE(without.outcome);
        EXPECT_EQ(without.outcome.error().reason(), reason::kEncryptionKeyMissing);
        sample_->config.encryption_key_file = key_file;
    }
    // The first destination has lost an artifact meanwhile.
    for (const auto& entry : std::filesystem::directory_iterator(sample_->folder.path() + "/one/" + made->folder)) {
        if (entry.path().filename().string().starts_with("filestore")) std::filesystem::remove(entry.path());
    }
    RestoreRun run(*sample_, order);
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(run.journal.verdict().status, "green") << run.complaint();
    EXPECT_EQ(sample_->fingerprint("decrypted"), sample_->fingerprint("source"));
    sample_->config.encryption_key_file = "";
}

TEST_F(RoundTrip, SaysThatFilesWereLostOrDamagedBeforeTheBackup) {
    sample_->make_source("unsound");
    const std::string lost = sample_->add_file("unsound", "lost");
    const std::string damaged = sample_->add_file("unsound", "damaged");
    sample_->postgres.exec("unsound",
                           "INSERT INTO ir_attachment (name, store_fname, type) VALUES ('elsewhere', "
                           "'s3://bucket/some/object', 'binary')");
    std::filesystem::remove(sample_->filestore("unsound") + "/" + lost);
    std::ofstream(sample_->filestore("unsound") + "/" + damaged) << "changed";
    const BackupOrder backup = backup_order("unsound", {"unsound-store"});
    auto made = back_up(backup);
    ASSERT_TRUE(made) << made.error().message();
    RestoreRun run(*sample_, restore_order(backup, made->folder, "unsound_copy"));
    ASSERT_TRUE(run.outcome) << run.complaint();
    const RecoveryEvidence verdict = run.journal.verdict();
    EXPECT_EQ(verdict.status, "amber");
    ASSERT_EQ(verdict.missing_evidence.size(), 1U) << run.complaint();
    EXPECT_EQ(verdict.missing_evidence[0], "filestore:reconciled");
    EXPECT_NE(run.complaint().find("2 attachment files are missing or damaged, 2 were so"), std::string::npos)
        << run.complaint();
}

TEST_F(RoundTrip, KeepsTheOldStateAsASafetyBackupThatCanBeRestored) {
    sample_->make_source("guarded", "odoo_staging", 2);
    const std::string before = sample_->fingerprint("guarded");
    const BackupOrder backup = backup_order("source", {"main-store"});
    auto made = back_up(backup);
    ASSERT_TRUE(made) << made.error().message();
    RestoreOrder order = restore_order(backup, made->folder, "guarded");
    order.safety_backup = backup_order("guarded", {"main-store"});
    order.safety_backup->trigger = "pre_restore";
    std::string safety_folder;
    RestoreRun run(*sample_, order, {}, [&](const BackupOrder& safety) -> Result<BackupOutcome> {
        auto done = back_up(safety);
        if (done) safety_folder = done->folder;
        return done;
    });
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(run.journal.verdict().status, "green") << run.complaint();
    EXPECT_NE(sample_->fingerprint("guarded"), before);
    RestoreRun back(*sample_, restore_order(*order.safety_backup, safety_folder, "guarded"));
    ASSERT_TRUE(back.outcome) << back.complaint();
    EXPECT_EQ(sample_->fingerprint("guarded"), before);
}

TEST_F(RoundTrip, LeavesNothingWhenItIsCancelledAnywhere) {
    const BackupOrder backup = backup_order("source", {"cancel-store"});
    auto made = back_up(backup);
    ASSERT_TRUE(made) << made.error().message();
    sample_->make_source("kept", "odoo_staging", 2);
    const std::string before = sample_->fingerprint("kept");
    for (const int delay_ms : {0, 30, 100, 200, 350}) {
        std::stop_source stop;
        std::jthread later([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
            stop.request_stop();
        });
        RestoreRun run(*sample_, restore_order(backup, made->folder, "kept"), stop.get_token());
        later.join();
        if (run.outcome) {
            EXPECT_TRUE(drop_previous(run.journal.notes(), sample_->host()));
            continue;  // it was quicker
        }
        EXPECT_EQ(run.outcome.error().code(), Errc::cancelled) << run.complaint();
        EXPECT_EQ(sample_->leftovers("kept"), "") << delay_ms;
        EXPECT_EQ(sample_->fingerprint("kept"), before) << delay_ms;
    }
}

}  // namespace
}  // namespace backstay
