// The process is really killed at every record of a backup; after the sweep a backup is there whole or not at all.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "agent/jobs/backup/leftovers.h"
#include "tests/unit/agent/jobs/backup/backup_scene.h"

namespace backstay::testing {
namespace {

// Keeps its notes in a file, as the agent's journal does, and kills its process at the n-th record.
class KillingJournal final : public StepJournal {
public:
    KillingJournal(std::string notes, int at) : notes_(std::move(notes)), left_(at) {}
    Result<> planned(const OperationPlan&) override { return {}; }
    Result<> recorded(const StepRecord&) override { return tick(); }
    Result<> copied(const CopyRecord&) override { return tick(); }
    Result<> noted(const std::string& key, const std::string& value) override {
        return value.empty() ? atomic_write(notes_, "") : atomic_write(notes_, key + "\n" + value);
    }

private:
    Result<> tick() {
        if (--left_ == 0) ::kill(::getpid(), SIGKILL);
        return {};
    }
    std::string notes_;
    std::atomic<int> left_;
};

class BackupCrash : public BackupScene {
protected:
    // True: the child was killed at that record; false: it came to its end before.
    bool killed_at(int record) {
        const pid_t child = ::fork();
        if (child == 0) {
            KillingJournal journal(notes_, record);
            ProgressMeter meter(clock_, "backup", order_.backup_id, "env");
            Steps steps(journal, meter, clock_, {});
            ::_exit(run_backup(order_, host_, steps) ? 0 : 1);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << record;
        return WIFSIGNALED(status);
    }

    Result<Swept> sweep() {
        return backup::sweep(notes(), host_, [](const std::string&, const std::string& value) {
            EXPECT_EQ(value, "") << "nothing is left to be swept";
            return Result<>();
        });
    }

    // A program that the dead one was about to start holds its open files until it runs: what they lock is swept later.
    bool is_swept_at_last(const std::string& destination) {
        for (int i = 0; i < 100 && !files_in(destination).empty(); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            EXPECT_TRUE(sweep());
        }
        return files_in(destination).empty();
    }

    Facts notes() const {
        const auto text = read_file(notes_);
        if (!text || text->empty()) return {};
        const std::size_t line = text->find('\n');
        return {{text->substr(0, line), text->substr(line + 1)}};
    }

    std::string notes_ = folder_.path() + "/notes";
};

TEST_F(BackupCrash, AfterAKillAnywhereTheSweepLeavesAWholeBackupOrNone) {
    ASSERT_TRUE(back_up());
    std::filesystem::remove_all(folder_.path() + "/one/v1");
    for (int record = 1; killed_at(record); ++record) {
        ASSERT_LT(record, 200);
        const auto swept = sweep();
        ASSERT_TRUE(swept) << swept.error().message();
        EXPECT_TRUE(scratch_is_empty()) << record;
        if (std::filesystem::exists(stored("one", "manifest.json"))) {
            const Manifest manifest = read_manifest(read_file(stored("one", "manifest.json")).value()).value();
            for (const ManifestArtifact& artifact : manifest.artifacts) {
                const std::string content = read_file(stored("one", artifact.path), 1 << 30).value();
                EXPECT_EQ(digest_hex(DigestKind::sha256, as_bytes(content)), artifact.sha256) << record;
            }
        } else {
            EXPECT_TRUE(is_swept_at_last("one")) << record;
        }
        std::filesystem::remove_all(folder_.path() + "/one/v1");
    }
    EXPECT_TRUE(std::filesystem::exists(stored("one", "manifest.json")));
}

}  // namespace
}  // namespace backstay::testing
