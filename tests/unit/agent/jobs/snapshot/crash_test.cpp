// The process that rolls back, or takes a snapshot, is really killed: before and after each word of its journal. What
// the clean-up leaves is the whole old pair or the whole new one, and no part of a snapshot.
#include "agent/worker/settings.h"
#include "agent/worker/snapshots.h"
#include "tests/support/deadly_journal.h"
#include "tests/unit/agent/jobs/snapshot/snapshot_scene.h"

namespace backstay {
namespace {

using testing::read_notes;

class SnapshotCrash : public testing::SnapshotScene {
protected:
    // As the agent does when it starts again.
    Facts settle(const std::string& file, const std::string& when) {
        Facts notes = read_notes(file);
        AgentConfig opened = sample_->config;
        opened.local_roots.push_back(own_root());
        const JobHost host{opened, "agent-1", "0.1.0", sample_->clock, sample_->rate};
        const auto swept = sweep_after_crash(Facts(notes), host, [&](const std::string& key, const std::string& value) {
            notes.erase(key);
            if (!value.empty()) notes.emplace(key, value);
            return Result<>();
        });
        EXPECT_TRUE(swept) << when << ": " << swept.error().message();
        sqlite::Database database = open_state(sample_->config.state_dir).value();
        const Settings settings(sample_->config, "agent-1", sample_->clock);
        const auto cleared = clear_unfinished_snapshots(database, settings);
        EXPECT_TRUE(cleared) << when;
        return notes;
    }
};

TEST_F(SnapshotCrash, ARollbackLeavesOneWholePairWhereverItIsKilled) {
    taken(order());
    sample_->add_file(name_, "between");
    const std::string differential = taken(order());
    const std::string then = sample_->fingerprint(name_);
    sample_->add_file(name_, "after");
    sample_->postgres.exec(name_, "INSERT INTO res_partner (name) VALUES ('after')");
    const std::string now = sample_->fingerprint(name_);
    ASSERT_NE(then, now);
    int old_stood = 0;
    int new_stood = 0;
    testing::kill_at_each_word(
        sample_->folder.path() + "/rollback", sample_->clock,
        [&](Steps& steps) -> Result<> {
            const JobHost host = sample_->host();
            TRY(run_rollback(back_to(differential, name_), host, steps, {}));
            return {};
        },
        [&](const std::string& file, const std::string& when, bool ended) {
            const Facts notes = settle(file, when);
            const std::string found = sample_->fingerprint(name_);
            if (ended) {
                EXPECT_EQ(found, then) << when;
            }
            if (found == now) {
                ++old_stood;
                EXPECT_EQ(sample_->leftovers(name_), "") << when;
                return;
            }
            ++new_stood;
            ASSERT_EQ(found, then) << when;
            RememberingJournal journal;
            ProgressMeter progress(sample_->clock, "undo", "undo", "");
            Steps steps(journal, progress, sample_->clock, {});
            ASSERT_TRUE(undo_restore("r", notes, sample_->host(), steps)) << when;
            ASSERT_TRUE(drop_previous(journal.notes(), sample_->host())) << when;
            ASSERT_TRUE(drop_previous(notes, sample_->host())) << when;
            ASSERT_EQ(sample_->fingerprint(name_), now) << when;
        });
    EXPECT_GT(old_stood, 20);
    EXPECT_GT(new_stood, 4);
}

TEST_F(SnapshotCrash, ASnapshotIsWholeOrNotThere) {
    const std::string full = taken(order());
    sample_->add_file(name_, "between");
    int gone = 0;
    int whole = 0;
    SnapshotOrder one = order();
    testing::kill_at_each_word(
        sample_->folder.path() + "/snapshot", sample_->clock,
        [&](Steps& steps) -> Result<> {
            const JobHost host = sample_->host();
            sqlite::Database database = TRY(open_state(sample_->config.state_dir));
            StateShelf shelf(database, sample_->clock, "socket");
            TRY(run_snapshot(one, host, steps, shelf));
            return {};
        },
        [&](const std::string& file, const std::string& when, bool ended) {
            settle(file, when);
            sqlite::Database database = open_state(sample_->config.state_dir).value();
            const auto row = SnapshotRepository(database).find(one.snapshot_id).value();
            EXPECT_EQ(std::filesystem::exists(own(one.snapshot_id, "manifest.json")), row.has_value()) << when;
            EXPECT_EQ(testing::shell("find " + own_root() + " -type f -path '*" + one.snapshot_id + "*'") != "",
                      row.has_value())
                << when;
            EXPECT_EQ(sample_->leftovers(name_), "") << when;
            if (ended) {
                EXPECT_TRUE(row) << when;
            }
            ++(row ? whole : gone);
            if (row) {
                EXPECT_TRUE(remove(one.snapshot_id)) << when;
            }
            one = order();
        });
    EXPECT_GT(gone, 10);
    EXPECT_GT(whole, 2);
    // Nothing of the dead leans on the base any more.
    EXPECT_TRUE(remove(full));
}

}  // namespace
}  // namespace backstay
