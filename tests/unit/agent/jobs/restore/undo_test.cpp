// The instant way back when something is in its way: Odoo runs again on one whole pair, or it is said why not.
#include <signal.h>

#include <thread>

#include "agent/jobs/restore/swap.h"
#include "common/domain/reasons.h"
#include "tests/unit/agent/jobs/restore/sample.h"

namespace backstay {
namespace {

using testing::RestoreRun;
using testing::Sample;

class UndoOfARestore : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        sample_ = std::make_unique<Sample>();
        backup_ = sample_->back_up("source");
    }
    static void TearDownTestSuite() { sample_.reset(); }

    // A target with a service, restored.
    void SetUp() override {
        database_ = fmt::format("shop{}", ++number_);
        sample_->make_source(database_, "odoo_staging", 3);
        before_ = sample_->fingerprint(database_);
        running_ = sample_->folder.path() + "/" + database_ + ".running";
        testing::shell("touch " + running_);
        OdooConfig odoo;
        odoo.database = database_;
        odoo.stop_command = {"/bin/rm", running_};
        odoo.start_command = {"/bin/sh", "-c", fmt::format("test ! -e {0}.broken && touch {0}", running_)};
        sample_->config.odoo = {odoo};
        RestoreRun run(*sample_, sample_->order(backup_, database_));
        ASSERT_TRUE(run.outcome) << run.complaint();
        notes_ = run.journal.notes();
        after_ = sample_->fingerprint(database_);
    }
    void TearDown() override {
        EXPECT_TRUE(drop_previous(notes_, sample_->host()));
        EXPECT_EQ(sample_->leftovers(database_), "");
        sample_->config.odoo.clear();
    }

    Result<> undo(RememberingJournal& journal, std::stop_token stop = {}) {
        ProgressMeter progress(sample_->clock, "restore", "undo", "");
        Steps steps(journal, progress, sample_->clock, std::move(stop));
        return undo_restore("r", notes_, sample_->host(), steps);
    }
    bool runs() const { return std::filesystem::exists(running_); }
    std::string allows() const {
        return sample_->postgres.ask(
            "postgres", fmt::format("SELECT datallowconn FROM pg_database WHERE datname = '{}'", database_));
    }
    bool comes_to(const std::string& allowed) const {
        const std::int64_t deadline = steady_ms() + 30'000;
        while (steady_ms() < deadline && allows() != allowed)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return allows() == allowed;
    }

    static std::unique_ptr<Sample> sample_;
    static std::string backup_;
    static int number_;
    std::string database_;
    std::string before_;
    std::string after_;
    std::string running_;
    Facts notes_;
};

std::unique_ptr<Sample> UndoOfARestore::sample_;
std::string UndoOfARestore::backup_;
int UndoOfARestore::number_ = 0;

TEST_F(UndoOfARestore, ThatIsCancelledLeavesOdooRunningOnTheRestoredPair) {
    auto session = sample_->postgres.connect(database_, "postgres");
    ASSERT_EQ(::kill(session.backend_pid(), SIGSTOP), 0);
    std::stop_source stop;
    RememberingJournal journal;
    std::optional<Result<>> undone;
    std::thread undoing([&] { undone = undo(journal, stop.get_token()); });
    EXPECT_TRUE(comes_to("f")) << "it waits for the session";
    EXPECT_FALSE(runs());
    stop.request_stop();
    undoing.join();
    EXPECT_EQ(::kill(session.backend_pid(), SIGCONT), 0);
    ASSERT_FALSE(*undone);
    EXPECT_EQ(undone->error().code(), Errc::cancelled) << undone->error().message();
    EXPECT_TRUE(runs()) << undone->error().message();
    EXPECT_EQ(allows(), "t");
    EXPECT_EQ(sample_->fingerprint(database_), after_);
    EXPECT_TRUE(journal.notes().empty());

    RememberingJournal again;
    const auto done = undo(again);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(sample_->fingerprint(database_), before_);
    EXPECT_TRUE(runs());
    EXPECT_TRUE(again.notes().empty());
}

TEST_F(UndoOfARestore, WhoseOdooDoesNotStartSaysSoAndTheSweepTriesAgain) {
    testing::shell("touch " + running_ + ".broken");
    RememberingJournal journal;
    const auto undone = undo(journal);
    ASSERT_FALSE(undone);
    EXPECT_NE(undone.error().message().find("Odoo stays stopped"), std::string::npos) << undone.error().message();
    EXPECT_EQ(sample_->fingerprint(database_), before_) << "the pair itself is back";
    Facts notes = journal.notes();
    ASSERT_FALSE(notes.empty());
    const NoteWriter keep = [&](const std::string& key, const std::string& value) -> Result<> {
        notes.erase(key);
        if (!value.empty()) notes.emplace(key, value);
        return {};
    };
    const auto early = sweep_after_crash(Facts(notes), sample_->host(), keep);
    ASSERT_TRUE(early) << early.error().message();
    EXPECT_FALSE(early->clean);
    EXPECT_FALSE(notes.empty());
    std::filesystem::remove(running_ + ".broken");
    const auto swept = sweep_after_crash(Facts(notes), sample_->host(), keep);
    ASSERT_TRUE(swept) << swept.error().message();
    EXPECT_TRUE(swept->clean);
    EXPECT_TRUE(runs());
    EXPECT_TRUE(notes.empty());
    EXPECT_EQ(sample_->fingerprint(database_), before_);
}

TEST_F(UndoOfARestore, WhosePreviousFolderIsGoneTouchesNothing) {
    const auto record = restore::decode_swap(notes_.at(std::string(restore::kSwapNote))).value();
    std::filesystem::rename(record.previous_filestore, record.previous_filestore + ".away");
    RememberingJournal journal;
    const auto undone = undo(journal);
    std::filesystem::rename(record.previous_filestore + ".away", record.previous_filestore);
    ASSERT_FALSE(undone);
    EXPECT_EQ(undone.error().reason(), reason::kFilestoreMissing) << undone.error().message();
    EXPECT_EQ(journal.find(step::kStopInstance), nullptr);
    EXPECT_TRUE(runs());
    EXPECT_EQ(sample_->fingerprint(database_), after_);
}

TEST_F(UndoOfARestore, ThatDiedInTheMiddleIsFinishedAndKeepsWhatItReplaced) {
    auto record = restore::decode_swap(notes_.at(std::string(restore::kSwapNote))).value();
    record.undo = true;
    auto cluster = sample_->postgres.connect("postgres");
    // As a process leaves it that dies between the databases and the folders.
    record.side_filestore.clear();
    ASSERT_TRUE(restore::put_back(record, cluster, [](const std::string&, const std::string&) { return Result<>(); }));
    auto left = restore::decode_swap(notes_.at(std::string(restore::kSwapNote))).value();
    left.undo = true;
    left.state = restore::SwapState::reverting;
    Facts notes = {{std::string(restore::kSwapNote), restore::encode_note(left)}};
    const auto swept =
        sweep_after_crash(Facts(notes), sample_->host(), [&](const std::string& key, const std::string& v) {
            notes.erase(key);
            if (!v.empty()) notes.emplace(key, v);
            return Result<>();
        });
    ASSERT_TRUE(swept) << swept.error().message();
    EXPECT_EQ(sample_->fingerprint(database_), before_);
    EXPECT_NE(sample_->leftovers(database_), "") << "the restored pair is kept until its time";
    EXPECT_TRUE(notes.empty());
}

}  // namespace
}  // namespace backstay
