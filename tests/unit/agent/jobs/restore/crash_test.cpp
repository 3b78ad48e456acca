// The restoring process is really killed: before and after each word of its journal, and at times of no meaning. What
// the sweep then leaves must be the whole old pair or the whole new one, and nothing besides.
#include <signal.h>

#include <chrono>
#include <random>
#include <thread>

#include "agent/jobs/restore/swap.h"
#include "tests/support/deadly_journal.h"
#include "tests/unit/agent/jobs/restore/sample.h"

namespace backstay {
namespace {

using testing::read_notes;
using testing::Sample;
using testing::wait_for;

class RestoreCrash : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        sample_ = std::make_unique<Sample>();
        backup_ = sample_->back_up("source");
        sample_->make_source("target", "odoo_staging", 3);
        old_backup_ = sample_->back_up("target");
        old_ = sample_->fingerprint("target");
        new_ = sample_->fingerprint("source");
        running_ = sample_->folder.path() + "/running";
        OdooConfig odoo;
        odoo.database = "target";
        odoo.stop_command = {"/bin/rm", running_};
        // While there is a file beside it, Odoo does not come up on the restored pair, only on the old one.
        const testing::PrivatePostgres& server = sample_->postgres;
        odoo.start_command = {"/bin/sh", "-c",
                              fmt::format("touch {0}; test -e {0}.strict || exit 0; rows=$({1}/psql -XAt -h {2} -p {3} "
                                          "-U postgres -d target -c 'SELECT count(*) FROM res_partner'); "
                                          "test $rows = 503 || {{ rm {0}; exit 1; }}",
                                          running_, server.bin(), server.host(), server.port())};
        sample_->config.odoo = {odoo};
        testing::shell("touch " + running_);
    }
    static void TearDownTestSuite() { sample_.reset(); }

    // Starts a restore in a process of its own.
    static pid_t start(const std::string& notes, int die_at, bool after, bool keep = true) {
        RestoreOrder order = sample_->order(backup_, "target");
        if (!keep) order.keep_previous_ms = 0;
        return testing::start_doomed(notes, die_at, after, sample_->clock,
                                     [order](Steps& steps) { return restored(order, steps); });
    }
    static Result<> restored(const RestoreOrder& order, Steps& steps) {
        const JobHost host = sample_->host();
        TRY(run_restore(order, host, steps,
                        [](const BackupOrder&) -> Result<BackupOutcome> { return BackupOutcome{}; }));
        return {};
    }

    static NoteWriter remember(Facts& notes) {
        return [&notes](const std::string& key, const std::string& value) -> Result<> {
            notes.erase(key);
            if (!value.empty()) notes.emplace(key, value);
            return {};
        };
    }

    // What must hold after the sweep; brings the old pair back when the new one stands. True: the new one stood.
    static bool settle(const std::string& file, const std::string& when) {
        Facts notes = read_notes(file);
        const NoteWriter note = remember(notes);
        auto swept = sweep_after_crash(Facts(notes), sample_->host(), note);
        EXPECT_TRUE(swept) << when << ": " << swept.error().message();
        EXPECT_TRUE(std::filesystem::exists(running_)) << when;
        const std::string found = sample_->fingerprint("target");
        if (found == old_) {
            EXPECT_EQ(sample_->leftovers("target"), "") << when;
            // Once more does nothing.
            EXPECT_TRUE(notes.empty()) << when << ": " << notes.begin()->first;
            EXPECT_TRUE(sweep_after_crash(read_notes(file), sample_->host(), note)) << when;
            EXPECT_EQ(sample_->fingerprint("target"), old_) << when;
            return false;
        }
        EXPECT_EQ(found, new_) << when;
        EXPECT_TRUE(previous_kept_until(notes)) << when << ": it stands, so it was proven";
        bring_old_back(notes, when);
        return true;
    }

    // By the way back, when the new pair stands and keeps the old one; by another restore when it does not keep it.
    static void bring_old_back(const Facts& notes, const std::string& when) {
        if (sample_->fingerprint("target") == old_) {
            EXPECT_EQ(sample_->leftovers("target"), "") << when;
            return;
        }
        if (!previous_kept_until(notes)) {
            EXPECT_EQ(sample_->leftovers("target"), "") << when;
            RestoreOrder order = sample_->order(old_backup_, "target");
            order.keep_previous_ms = 0;
            const testing::RestoreRun run(*sample_, order);
            EXPECT_TRUE(run.outcome) << when << run.complaint();
            return;
        }
        RememberingJournal journal;
        ProgressMeter progress(sample_->clock, "restore", "undo", "");
        Steps steps(journal, progress, sample_->clock, {});
        auto undone = undo_restore("r", notes, sample_->host(), steps);
        EXPECT_TRUE(undone) << when << ": " << undone.error().message();
        EXPECT_TRUE(drop_previous(notes, sample_->host())) << when;
        EXPECT_EQ(sample_->fingerprint("target"), old_) << when;
        EXPECT_EQ(sample_->leftovers("target"), "") << when;
    }

    static std::unique_ptr<Sample> sample_;
    static std::string backup_;
    static std::string old_backup_;
    static std::string old_;
    static std::string new_;
    static std::string running_;
};

std::unique_ptr<Sample> RestoreCrash::sample_;
std::string RestoreCrash::backup_;
std::string RestoreCrash::old_backup_;
std::string RestoreCrash::old_;
std::string RestoreCrash::new_;
std::string RestoreCrash::running_;

TEST_F(RestoreCrash, LeavesOneWholePairWhereverTheProcessIsKilled) {
    int old_stood = 0;
    int new_stood = 0;
    testing::kill_at_each_word(
        sample_->folder.path() + "/notes", sample_->clock,
        [&](Steps& steps) { return restored(sample_->order(backup_, "target"), steps); },
        [&](const std::string& notes, const std::string& when, bool ended) {
            const bool was_new = settle(notes, when);
            ++(was_new ? new_stood : old_stood);
            if (ended) {
                EXPECT_TRUE(was_new) << when;
            }
        });
    // The kills reached both sides of the swap.
    EXPECT_GT(old_stood, 20);
    EXPECT_GT(new_stood, 6);
}

// Between the swap and its commit the new pair is live and nobody has vouched for it; the old one must not be lost.
TEST_F(RestoreCrash, PutsThePreviousPairBackWhenWhatIsLiveCannotBeProven) {
    int unproven = 0;
    for (const bool keep : {true, false}) {
        for (int at = 20;; ++at) {
            const std::string when = fmt::format("killed after word {}, the pair is {}kept", at, keep ? "" : "not ");
            const std::string file = fmt::format("{}/notes-unproven-{}-{}", sample_->folder.path(), at, keep);
            const int status = wait_for(start(file, at, true, keep));
            Facts notes = read_notes(file);
            const bool noted = notes.contains(std::string(restore::kSwapNote));
            const auto state = noted ? restore::decode_swap(notes.at(std::string(restore::kSwapNote))).value().state
                                     : restore::SwapState::reverted;
            const bool live = state == restore::SwapState::swapped;
            if (live) testing::shell("touch " + running_ + ".strict");
            const auto swept = sweep_after_crash(Facts(notes), sample_->host(), remember(notes));
            std::filesystem::remove(running_ + ".strict");
            ASSERT_TRUE(swept) << when << ": " << swept.error().message();
            EXPECT_TRUE(std::filesystem::exists(running_)) << when;
            EXPECT_EQ(swept->reverted.has_value(), live) << when;
            if (live) {
                ++unproven;
                EXPECT_EQ(sample_->fingerprint("target"), old_) << when;
                EXPECT_TRUE(notes.empty()) << when;
                EXPECT_FALSE(swept->completed) << when;
            }
            bring_old_back(notes, when);
            if (HasFailure() || WIFEXITED(status)) break;
        }
        if (HasFailure()) return;
    }
    EXPECT_GT(unproven, 5);
}

TEST_F(RestoreCrash, LeavesOneWholePairWheneverTheProcessIsKilled) {
    std::mt19937 random(20260101);
    for (int round = 0; round < 12; ++round) {
        const int delay_ms = static_cast<int>(random() % 900);
        const std::string notes = fmt::format("{}/notes-timed-{}", sample_->folder.path(), round);
        const pid_t child = start(notes, -1, false);
        std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
        ::kill(child, SIGKILL);
        wait_for(child);
        settle(notes, fmt::format("killed after {} ms", delay_ms));
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace backstay
