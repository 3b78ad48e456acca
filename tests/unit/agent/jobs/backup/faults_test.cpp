// What goes wrong during a backup ends in the right verdict, with nothing half left anywhere.
#include <thread>

#include "agent/jobs/backup/leftovers.h"
#include "common/json/json.h"
#include "tests/unit/agent/jobs/backup/backup_scene.h"

namespace backstay::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BackupFaults : public BackupScene {
protected:
    // A folder of tools where `tool` is a shell script and the others are the server's own.
    void replace_tool(const std::string& tool, const std::string& body) {
        const std::string bin = folder_.path() + "/bin";
        std::filesystem::create_directories(bin);
        for (const char* name : {"pg_dump", "pg_restore", "pg_dumpall"}) {
            std::error_code ignored;
            std::filesystem::create_symlink(server_->bin() + "/" + name, bin + "/" + name, ignored);
        }
        std::filesystem::remove(bin + "/" + tool);
        std::ofstream(bin + "/" + tool) << "#!/bin/bash\nREAL=" << server_->bin() << "/" << tool
                                        << "\nif [ \"$1\" = --version ]; then exec $REAL --version; fi\n"
                                        << body;
        std::filesystem::permissions(bin + "/" + tool, std::filesystem::perms(0755));
        config_.clusters[0].bin_dir = bin;
    }

    // Changes `notes` as an agent's journal would.
    static NoteWriter remember(Facts& notes) {
        return [&notes](const std::string& key, const std::string& value) -> Result<> {
            notes.erase(key);
            if (!value.empty()) notes.emplace(key, value);
            return {};
        };
    }

    void expect_failed(const std::string& step, std::string_view code) {
        const auto outcome = back_up();
        ASSERT_FALSE(outcome);
        const RecoveryEvidence evidence = verdict();
        EXPECT_EQ(evidence.status, "red");
        EXPECT_EQ(evidence.reason, code) << outcome.error().message();
        EXPECT_EQ(outcome.error().reason(), code) << outcome.error().message();
        EXPECT_THAT(evidence.blocking_steps, Contains(step));
        EXPECT_THAT(files_in("one"), IsEmpty());
        EXPECT_TRUE(scratch_is_empty());
        EXPECT_THAT(journal_->notes(), IsEmpty());
    }
};

TEST_F(BackupFaults, ADumpThatIsKilledFailsTheBackup) {
    replace_tool("pg_dump", "$REAL \"$@\" | head -c 20000; kill -9 $$");
    expect_failed("db_dump", reason::kDbDumpFailed);
}

TEST_F(BackupFaults, AParallelDumpThatIsKilledFailsTheBackup) {
    config_.limits.parallel_dump_bytes = 1;
    replace_tool("pg_dump", "$REAL \"$@\"; kill -9 $$");
    expect_failed("db_dump", reason::kDbDumpFailed);
}

TEST_F(BackupFaults, AWorkerThatGetsNoLockMakesTheDumpOneStream) {
    config_.limits.parallel_dump_bytes = 1;
    replace_tool("pg_dump", R"(
case "$*" in *directory*) echo 'pg_dump: error: could not obtain lock on relation "public.sale_order"' >&2; exit 1;; esac
exec $REAL "$@")");
    ASSERT_TRUE(back_up());
    EXPECT_EQ(verdict().status, "green") << ::testing::PrintToString(verdict().why_not_green);
    EXPECT_EQ(verdict().artifact_paths.at("db"), "database.dump.zst");
    EXPECT_FALSE(std::filesystem::exists(stored("one", "database.tar.zst")));
}

// One bit of each artifact in turn, after the store has taken it and before it is read back.
TEST_F(BackupFaults, ABitThatTurnsInTheStoreIsFoundOnReadingBack) {
    for (const std::string artifact : {"db", "filestore", "config", "manifest"}) {
        bool turned = false;
        on_copy_ = [&](const CopyRecord& copy) {
            if (copy.artifact != artifact || copy.state != CopyState::uploaded) return;
            std::fstream file(folder_.path() + "/one/" + copy.key, std::ios::in | std::ios::out | std::ios::binary);
            file.seekg(-5, std::ios::end);
            const auto byte = static_cast<char>(file.get() ^ 0x10);
            file.seekp(-5, std::ios::end);
            file.put(byte);
            turned = true;
        };
        ASSERT_FALSE(back_up()) << artifact;
        EXPECT_TRUE(turned) << artifact;
        EXPECT_EQ(reason(), reason::kRemoteCorrupt) << artifact;
        EXPECT_THAT(files_in("one"), IsEmpty()) << artifact;
    }
}

TEST_F(BackupFaults, AMissingDatabaseIsNamedBeforeAnythingIsDone) {
    order_.environment.database = "no_such_database";
    expect_failed("preflight", reason::kDbNotFound);
}

TEST_F(BackupFaults, AServerThatIsDownIsUnreachable) {
    config_.clusters[0].host = folder_.path();
    expect_failed("preflight", reason::kDbUnreachable);
}

TEST_F(BackupFaults, AClientOlderThanTheServerIsRefused) {
    const std::string bin = folder_.path() + "/old";
    std::filesystem::create_directories(bin);
    std::ofstream(bin + "/pg_dump") << "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n";
    std::filesystem::permissions(bin + "/pg_dump", std::filesystem::perms(0755));
    config_.clusters[0].bin_dir = bin;
    expect_failed("preflight", reason::kPgToolTooOld);
}

TEST_F(BackupFaults, ARoleThatMayNotReadATableFailsTheDump) {
    server_->exec(database_,
                  "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;"
                  "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; REVOKE ALL ON sale_order FROM reader");
    config_.clusters[0].user = "reader";
    expect_failed("db_dump", reason::kDbDumpFailed);
    server_->exec(database_, "DROP OWNED BY reader");
}

TEST_F(BackupFaults, AServerThatCrashesUnderTheDumpFailsIt) {
    const std::string begun = folder_.path() + "/begun";
    replace_tool("pg_dump", "$REAL \"$@\" | head -c 10000; touch " + begun + "; while [ -e " + begun +
                                " ]; do sleep 0.05; done; echo 'server closed the connection' >&2; exit 1");
    std::thread crashing([&] {
        while (!std::filesystem::exists(begun)) std::this_thread::yield();
        server_->crash();
        std::filesystem::remove(begun);
    });
    const auto outcome = back_up();
    crashing.join();
    server_->start();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(verdict().status, "red");
    EXPECT_EQ(verdict().reason, reason::kDbDumpFailed);
    EXPECT_THAT(verdict().blocking_steps, Contains("db_dump"));
    EXPECT_THAT(files_in("one"), IsEmpty());
}

TEST_F(BackupFaults, MissingAndDamagedFilesMakeItAmberAndAreNamedWithTheirRecords) {
    const std::string lost = attach("this one will be lost");
    const std::string hurt = attach("this one will be damaged");
    const std::string large = attach(std::string(3 << 20, 'L'));
    std::filesystem::remove(filestore_ + "/" + lost);
    std::ofstream(filestore_ + "/" + hurt) << "something else";
    std::ofstream(filestore_ + "/" + large, std::ios::in | std::ios::out) << "x";
    const auto outcome = back_up();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(verdict().status, "amber");
    EXPECT_EQ(reason(), reason::kFilestoreInconsistent);
    EXPECT_THAT(verdict().missing_evidence, ElementsAre("filestore:reconciled"));
    EXPECT_THAT(verdict().why_not_green, Contains(HasSubstr(lost)));
    ASSERT_EQ(outcome->manifest.filestore->missing_files.size(), 3U);
    for (const ManifestFileProblem& problem : outcome->manifest.filestore->missing_files) {
        EXPECT_EQ(problem.problem, problem.store_fname == lost ? "missing" : "damaged");
        EXPECT_EQ(problem.res_model, "sale.order");
        EXPECT_TRUE(problem.attachment_id);
    }
    EXPECT_EQ(outcome->manifest.filestore->file_count, 302U);
}

TEST_F(BackupFaults, NamesThatLeadElsewhereAreNeitherFollowedNorCalledMissing) {
    server_->exec(database_,
                  "INSERT INTO ir_attachment (name, type, store_fname) VALUES ('a', 'binary', 's3://b/c'), "
                  "('b', 'binary', '../../../etc/passwd')");
    const auto outcome = back_up();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(verdict().status, "amber");
    EXPECT_EQ(server_->run("zstd -dcq " + stored("one", "filestore.tar.zst") + " | tar -t | grep -c passwd || true"),
              "0\n");
    ASSERT_EQ(outcome->manifest.filestore->missing_files.size(), 2U);
    EXPECT_EQ(outcome->manifest.filestore->missing_files[0].problem, "unreadable");
    EXPECT_EQ(outcome->manifest.filestore->missing_files[1].problem, "external");
}

TEST_F(BackupFaults, AFilestoreThatIsNotThereIsFoundAtOnce) {
    order_.environment.filestore = folder_.path() + "/nowhere";
    expect_failed("preflight", reason::kFilestoreMissing);
}

TEST_F(BackupFaults, OneOfTwoDestinationsFailingMakesItAmberPartial) {
    order_.destinations.push_back(local(kSecond, "two"));
    std::filesystem::remove(folder_.path() + "/two");
    std::ofstream(folder_.path() + "/two") << "a file where a folder should be";
    ASSERT_TRUE(back_up());
    EXPECT_EQ(verdict().status, "amber");
    EXPECT_EQ(reason(), reason::kRemoteCopyPartial);
    EXPECT_EQ(verdict().remote_copy_state, "partial");
    EXPECT_THAT(verdict().optional_failed_steps, ElementsAre("remote_upload:" + std::string(kSecond)));
    EXPECT_TRUE(std::filesystem::exists(stored("one", "manifest.json")));
}

TEST_F(BackupFaults, ADestinationThatLostItsCopyAtTheLastLookMakesItAmberPartial) {
    order_.destinations.push_back(local(kSecond, "two"));
    when_begins(step::kRemoteVerify, [&] { std::filesystem::remove(stored("two", "config.tar.zst")); });
    const auto outcome = back_up();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(verdict().status, "amber");
    EXPECT_EQ(reason(), reason::kRemoteCopyPartial);
    EXPECT_EQ(verdict().remote_copy_state, "partial");
    EXPECT_THAT(verdict().optional_failed_steps, ElementsAre("remote_upload:" + std::string(kSecond)));
    EXPECT_TRUE(std::filesystem::exists(stored("one", "manifest.json")));
    EXPECT_THAT(files_in("two"), IsEmpty()) << "what is not whole is no backup";
    EXPECT_THAT(journal_->notes(), IsEmpty());
}

TEST_F(BackupFaults, TheOnlyCopyLostAtTheLastLookFailsTheBackup) {
    when_begins(step::kRemoteVerify, [&] { std::filesystem::remove(stored("one", "config.tar.zst")); });
    expect_failed("remote_verify", reason::kRemoteMissing);
}

TEST_F(BackupFaults, WhatCouldNotBeWithdrawnIsSweptWhenTheDestinationIsBack) {
    const std::string place = folder_.path() + "/one";
    when_begins(step::kRemoteVerify, [&] {
        std::filesystem::rename(place, place + ".away");
        std::ofstream(place) << "a file where a folder should be";
    });
    ASSERT_FALSE(back_up());
    Facts notes = journal_->notes();
    ASSERT_FALSE(notes.empty()) << "a half backup with its manifest is out of sight";
    const NoteWriter keep = remember(notes);
    const auto early = backup::sweep(notes, host_, keep);
    ASSERT_TRUE(early) << early.error().message();
    EXPECT_FALSE(notes.empty()) << "it is out of reach still";
    std::filesystem::remove(place);
    std::filesystem::rename(place + ".away", place);
    ASSERT_TRUE(std::filesystem::exists(stored("one", "manifest.json")));
    const auto swept = backup::sweep(notes, host_, keep);
    ASSERT_TRUE(swept) << swept.error().message();
    EXPECT_THAT(files_in("one"), IsEmpty());
    EXPECT_THAT(notes, IsEmpty());
}

TEST_F(BackupFaults, OneOfTwoThatCouldNotBeWithdrawnIsSweptToo) {
    order_.destinations.push_back(local(kSecond, "two"));
    const std::string place = folder_.path() + "/two";
    when_begins(step::kRemoteVerify, [&] {
        std::filesystem::rename(place, place + ".away");
        std::ofstream(place) << "a file where a folder should be";
    });
    const auto outcome = back_up();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(verdict().remote_copy_state, "partial");
    Facts notes = journal_->notes();
    ASSERT_FALSE(notes.empty());
    std::filesystem::remove(place);
    std::filesystem::rename(place + ".away", place);
    ASSERT_TRUE(backup::sweep(notes, host_, remember(notes)));
    EXPECT_THAT(files_in("two"), IsEmpty());
    EXPECT_THAT(notes, IsEmpty());
    EXPECT_TRUE(std::filesystem::exists(stored("one", "manifest.json"))) << "the good copy stays";
}

TEST_F(BackupFaults, ACopyMadeSinceIsNoLeftover) {
    ASSERT_TRUE(back_up());
    const json::Value note = json::Object{{"folder", "v1/org/project/env/backups/2026/01/02/" + order_.backup_id},
                                          {"destinations", json::Array{kFirst}},
                                          {"unwanted", true},
                                          {"madeAt", to_rfc3339(clock_.now_ms() - 60'000)}};
    config_.destinations = {local(kFirst, "one")};
    Facts notes = {{"backup.unfinished", json::serialize(note)}};
    ASSERT_TRUE(backup::sweep(notes, host_, remember(notes)));
    EXPECT_THAT(notes, IsEmpty());
    EXPECT_TRUE(std::filesystem::exists(stored("one", "manifest.json")));

    notes = {{"backup.unfinished", json::serialize(note)}};
    ASSERT_TRUE(backup::forget(notes, config_.destinations, remember(notes)));
    EXPECT_THAT(notes, IsEmpty());
}

TEST_F(BackupFaults, LeftoversAtADestinationThatThisHostCannotOpenWaitForIt) {
    const json::Value note = json::Object{
        {"folder", "v1/x"}, {"destinations", json::Array{kFirst}}, {"madeAt", to_rfc3339(clock_.now_ms())}};
    Facts notes = {{"backup.unfinished", json::serialize(note)}};
    ASSERT_TRUE(backup::sweep(notes, host_, remember(notes)));
    EXPECT_FALSE(notes.empty());
    // A job that brings the destination along makes it known.
    config_.destinations = {local(kFirst, "one")};
    ASSERT_TRUE(backup::sweep(notes, host_, remember(notes)));
    EXPECT_THAT(notes, IsEmpty());
}

TEST_F(BackupFaults, AFullDestinationIsNamed) {
    order_.destinations[0].config["minFreeBytes"] = 1ULL << 60;
    expect_failed("preflight", reason::kDestinationFull);
}

TEST_F(BackupFaults, WithoutItsKeyAnEncryptedBackupDoesNotBegin) {
    order_.encrypt_for = {kFirst};
    expect_failed("preflight", reason::kEncryptionKeyMissing);
}

TEST_F(BackupFaults, AStopEndsItCleanly) {
    replace_tool("pg_dump", "touch " + folder_.path() + "/begun; exec sleep 60");
    std::thread stopping([this] {
        while (!std::filesystem::exists(folder_.path() + "/begun")) std::this_thread::yield();
        stop_.request_stop();
    });
    const auto outcome = back_up();
    stopping.join();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code(), Errc::cancelled);
    EXPECT_THAT(files_in("one"), IsEmpty());
    EXPECT_TRUE(scratch_is_empty());
}

TEST_F(BackupFaults, AJournalThatCannotWriteEndsItAtAnyStep) {
    ASSERT_TRUE(back_up());
    const std::size_t records = journal_->history().size();
    std::filesystem::remove_all(folder_.path() + "/one/v1");
    for (std::size_t left = 0; left < records; ++left) {
        journal_ = std::make_unique<RememberingJournal>();
        journal_->fail_after(static_cast<int>(left));
        Steps steps(*journal_, *meter_, clock_, {});
        EXPECT_FALSE(run_backup(order_, host_, steps)) << left;
        EXPECT_TRUE(scratch_is_empty());
        EXPECT_THAT(files_in("one"), IsEmpty()) << left;
    }
}

TEST_F(BackupFaults, ARateLimitHoldsReadingBackAndMayBeLiftedMeanwhile) {
    attach(std::string(4 << 20, 'r'));
    rate_ = 1 << 20;
    std::atomic<bool> lifted = false;
    std::thread lifting([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(700));
        lifted = true;
        rate_ = 0;
    });
    ASSERT_TRUE(back_up());
    EXPECT_TRUE(lifted);
    lifting.join();
    EXPECT_EQ(verdict().status, "green") << ::testing::PrintToString(verdict().why_not_green);
}

}  // namespace
}  // namespace backstay::testing
