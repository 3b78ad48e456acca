// Backups that go well: green, complete, and restorable with PostgreSQL's tools, zstd and tar alone.
#include <sys/fsuid.h>

#include <algorithm>
#include <filesystem>

#include "common/crypto/secretstream.h"
#include "tests/unit/agent/jobs/backup/backup_scene.h"

namespace backstay::testing {

std::unique_ptr<PrivatePostgres> BackupScene::server_;
int BackupScene::number_ = 0;

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BackupTest : public BackupScene {
protected:
    // Restores the database artifact by hand into a new database and compares.
    void expect_restorable(const std::string& load) {
        const std::string copy = database_ + "_copy";
        server_->run("createdb -T template0 " + copy + "; " + load + " -d " + copy);
        for (const char* question :
             {"SELECT count(*) || md5(string_agg(name || note, '' ORDER BY id)) FROM sale_order",
              "SELECT count(*) FROM ir_attachment", "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"}) {
            EXPECT_EQ(server_->ask(copy, question), server_->ask(database_, question)) << question;
        }
        server_->exec("postgres", "DROP DATABASE " + copy);
    }

    void expect_same_files(const std::string& folder) {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(filestore_)) {
            if (!entry.is_regular_file()) continue;
            const std::string name = std::filesystem::relative(entry.path(), filestore_).string();
            EXPECT_EQ(read_file(folder + "/" + name).value(), read_file(entry.path().string()).value()) << name;
            ++count;
        }
        EXPECT_EQ(count, 300U);
    }
};

TEST_F(BackupTest, AFullBackupIsGreenAndRestoresWithStandardToolsAlone) {
    const auto outcome = back_up();
    ASSERT_TRUE(outcome) << outcome.error().message();
    const RecoveryEvidence evidence = verdict();
    EXPECT_EQ(evidence.status, "green") << ::testing::PrintToString(evidence.why_not_green);
    EXPECT_TRUE(evidence.can_write_clean_success);
    EXPECT_EQ(evidence.remote_copy_state, "verified");
    EXPECT_EQ(evidence.artifact_paths.at("db"), "database.dump.zst");

    server_->run("zstd -dcq " + stored("one", "database.dump.zst") + " >" + folder_.path() + "/dump");
    expect_restorable("pg_restore --exit-on-error " + folder_.path() + "/dump");
    std::filesystem::create_directories(folder_.path() + "/out");
    server_->run("zstd -dcq " + stored("one", "filestore.tar.zst") + " | tar -x -C " + folder_.path() + "/out");
    expect_same_files(folder_.path() + "/out");
    EXPECT_THAT(server_->run("zstd -dcq " + stored("one", "globals.sql.zst")), HasSubstr("CREATE ROLE postgres"));
    EXPECT_THAT(server_->run("zstd -dcq " + stored("one", "config.tar.zst") + " | tar -t"), HasSubstr("modules.json"));
    EXPECT_TRUE(scratch_is_empty());
    EXPECT_THAT(journal_->notes(), IsEmpty());
}

TEST_F(BackupTest, TheManifestCountsWhatWasDumpedAndNamesTheOdoo) {
    ASSERT_TRUE(back_up());
    const Manifest manifest = read_manifest(read_file(stored("one", "manifest.json")).value()).value();
    EXPECT_EQ(manifest.backup_id, order_.backup_id);
    EXPECT_EQ(manifest.contents.row_counts.at("public.sale_order"), 3000);
    EXPECT_EQ(manifest.contents.row_counts.at("public.empty_one"), 0);
    EXPECT_EQ(manifest.contents.row_counts.at("public.ir_attachment"), 300);
    EXPECT_THAT(manifest.contents.modules_in_transition, ElementsAre("sale (to upgrade)"));
    ASSERT_TRUE(manifest.filestore);
    EXPECT_EQ(manifest.filestore->file_count, 300U);
    EXPECT_EQ(manifest.filestore->missing_count, 0U);
    ASSERT_TRUE(manifest.odoo);
    EXPECT_EQ(manifest.odoo->version, "17.0");
    EXPECT_EQ(manifest.database_uuid, "a5f0a2c8-0000-4000-8000-000000000001");
    EXPECT_EQ(manifest.artifacts.size(), 4U);
    for (const ManifestArtifact& artifact : manifest.artifacts) {
        const std::string content = read_file(stored("one", artifact.path), 1 << 30).value();
        EXPECT_EQ(artifact.bytes, content.size());
        EXPECT_EQ(artifact.sha256, digest_hex(DigestKind::sha256, as_bytes(content))) << artifact.name;
    }
}

TEST_F(BackupTest, AParallelDumpRestoresInParallel) {
    config_.limits.parallel_dump_bytes = 1;
    const auto outcome = back_up();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(verdict().status, "green") << ::testing::PrintToString(verdict().why_not_green);
    EXPECT_EQ(verdict().artifact_paths.at("db"), "database.tar.zst");
    EXPECT_EQ(outcome->manifest.contents.row_counts.at("public.sale_order"), 3000);
    EXPECT_EQ(outcome->manifest.contents.row_counts.at("public.empty_one"), 0);
    EXPECT_EQ(outcome->manifest.contents.row_counts.size(), 5U);
    EXPECT_GT(outcome->manifest.contents.indexes, 0);
    const std::string dump = folder_.path() + "/dump";
    std::filesystem::create_directories(dump);
    server_->run("zstd -dcq " + stored("one", "database.tar.zst") + " | tar -x -C " + dump);
    expect_restorable("pg_restore --exit-on-error -j2 " + dump);
    EXPECT_TRUE(scratch_is_empty());
}

TEST_F(BackupTest, ADatabaseBackupNeedsNoFilestore) {
    order_.scope = "db";
    order_.environment.filestore = folder_.path() + "/nowhere";
    ASSERT_TRUE(back_up());
    EXPECT_EQ(verdict().status, "green") << ::testing::PrintToString(verdict().why_not_green);
    EXPECT_FALSE(std::filesystem::exists(stored("one", "filestore.tar.zst")));
}

TEST_F(BackupTest, ADatabaseThatIsNoOdooIsBackedUpToo) {
    server_->exec(database_, "DROP TABLE ir_attachment, ir_module_module, ir_config_parameter");
    rows_.clear();
    order_.scope = "db";
    ASSERT_TRUE(back_up());
    EXPECT_EQ(verdict().status, "green") << ::testing::PrintToString(verdict().why_not_green);
}

TEST_F(BackupTest, EncryptedArtifactsOpenWithTheKeyAlone) {
    config_.encryption_key_file = folder_.path() + "/key";
    const StreamKey key = StreamKey::create(config_.encryption_key_file).value();
    order_.encrypt_for = {kFirst};
    const auto outcome = back_up();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(verdict().status, "green") << ::testing::PrintToString(verdict().why_not_green);
    const std::string sealed = read_file(stored("one", "database.dump.zst.enc"), 1 << 30).value();
    EXPECT_EQ(encrypted_key_id(as_bytes(sealed)), key.id());
    StringSink opened(1 << 30);
    DecryptingSink opener(key, opened);
    ASSERT_TRUE(opener.write(as_bytes(sealed)));
    ASSERT_TRUE(opener.finish());
    std::ofstream(folder_.path() + "/dump.zst", std::ios::binary) << opened.text();
    server_->run("zstd -dq " + folder_.path() + "/dump.zst");
    expect_restorable("pg_restore --exit-on-error " + folder_.path() + "/dump");
}

TEST_F(BackupTest, TwoDestinationsGetTheSameBytes) {
    order_.destinations.push_back(local(kSecond, "two"));
    ASSERT_TRUE(back_up());
    EXPECT_EQ(verdict().status, "green") << ::testing::PrintToString(verdict().why_not_green);
    for (const char* file : {"database.dump.zst", "filestore.tar.zst", "config.tar.zst", "manifest.json"}) {
        EXPECT_EQ(read_file(stored("one", file), 1 << 30).value(), read_file(stored("two", file), 1 << 30).value());
    }
}

TEST_F(BackupTest, AnEarlierAttemptOfTheSameBackupIsReplaced) {
    ASSERT_TRUE(back_up());
    server_->exec(database_, "INSERT INTO sale_order (name) VALUES ('later')");
    ASSERT_TRUE(back_up());
    EXPECT_EQ(verdict().status, "green") << ::testing::PrintToString(verdict().why_not_green);
}

TEST_F(BackupTest, ACopyRepairsADestinationThatLacksTheBackupAndADeletionRemovesIt) {
    ASSERT_TRUE(back_up());
    CopyOrder copy;
    copy.backup_id = order_.backup_id;
    copy.folder = "v1/org/project/env/backups/2026/01/02/" + order_.backup_id;
    copy.from = {local(kFirst, "one")};
    copy.to = {local(kSecond, "two")};
    std::filesystem::create_directories(stored("two"));
    std::ofstream(stored("two", "database.dump.zst")) << "half of something";
    RememberingJournal journal;
    Steps steps(journal, *meter_, clock_, {});
    const auto copied = run_copy(copy, host_, steps);
    ASSERT_TRUE(copied) << copied.error().message();
    EXPECT_EQ(read_file(stored("one", "filestore.tar.zst"), 1 << 30).value(),
              read_file(stored("two", "filestore.tar.zst"), 1 << 30).value());
    EXPECT_EQ(journal.copies().size(), 5U);
    for (const CopyRecord& record : journal.copies()) EXPECT_EQ(record.state, CopyState::verified) << record.artifact;

    DeleteOrder deletion;
    deletion.backup_id = order_.backup_id;
    deletion.folder = copy.folder;
    deletion.destinations = {local(kFirst, "one"), local(kSecond, "two")};
    ASSERT_TRUE(run_delete(deletion, host_, steps));
    EXPECT_THAT(files_in("one"), IsEmpty());
    EXPECT_THAT(files_in("two"), IsEmpty());
}

// Without the rights of root, for this thread alone.
class AsNobody {
public:
    AsNobody() : was_(setfsuid(65534)) {}
    ~AsNobody() { setfsuid(static_cast<uid_t>(was_)); }
    AsNobody(const AsNobody&) = delete;
    AsNobody& operator=(const AsNobody&) = delete;

private:
    int was_;
};

TEST_F(BackupTest, ARefusedDeletionKeepsTheStoresReasonAndSaysThatItIsStillToBeDone) {
    ASSERT_TRUE(back_up());
    DeleteOrder deletion;
    deletion.backup_id = order_.backup_id;
    deletion.folder = "v1/org/project/env/backups/2026/01/02/" + order_.backup_id;
    deletion.destinations = {local(kFirst, "one"), local(kSecond, "two")};
    namespace fs = std::filesystem;
    const fs::path kept = fs::path(stored("one", "manifest.json")).parent_path();
    for (fs::path above = kept; above != "/tmp" && above != "/"; above = above.parent_path()) {
        fs::permissions(above,
                        fs::perms::group_exec | fs::perms::others_exec | fs::perms::group_read | fs::perms::others_read,
                        fs::perm_options::add);
    }
    for (const auto& entry : fs::recursive_directory_iterator(kept.parent_path().parent_path())) {
        fs::permissions(entry.path(), fs::perms::others_read | fs::perms::others_exec, fs::perm_options::add);
    }
    fs::permissions(kept, fs::perms::owner_write, fs::perm_options::remove);
    const auto before = files_in("one");
    RememberingJournal journal;
    Steps steps(journal, *meter_, clock_, {});
    const auto done = [&] {
        const AsNobody nobody;
        return run_delete(deletion, host_, steps);
    }();
    fs::permissions(kept, fs::perms::owner_write, fs::perm_options::add);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().reason(), reason::kDestinationAuthFailed) << done.error().message();
    EXPECT_EQ(files_in("one"), before);
    const auto copies = journal.copies();
    const auto last = std::find_if(copies.rbegin(), copies.rend(),
                                   [](const CopyRecord& copy) { return copy.destination_id == kFirst; });
    ASSERT_NE(last, copies.rend());
    EXPECT_EQ(last->state, CopyState::deleting) << "it is still to be deleted";
    EXPECT_EQ(last->reason, reason::kDestinationAuthFailed);
    EXPECT_FALSE(last->message.empty());
}

TEST_F(BackupTest, ACopyFromADamagedOriginLeavesNothingBehind) {
    ASSERT_TRUE(back_up());
    std::ofstream(stored("one", "filestore.tar.zst"), std::ios::binary | std::ios::in).write("damage", 6);
    CopyOrder copy;
    copy.backup_id = order_.backup_id;
    copy.folder = "v1/org/project/env/backups/2026/01/02/" + order_.backup_id;
    copy.from = {local(kFirst, "one")};
    copy.to = {local(kSecond, "two")};
    RememberingJournal journal;
    Steps steps(journal, *meter_, clock_, {});
    const auto copied = run_copy(copy, host_, steps);
    ASSERT_FALSE(copied);
    EXPECT_EQ(copied.error().reason(), reason::kChecksumMismatch);
    EXPECT_FALSE(std::filesystem::exists(stored("two", "manifest.json")));
    EXPECT_FALSE(std::filesystem::exists(stored("two", "filestore.tar.zst")));
}

TEST_F(BackupTest, ADestinationIsTestedByWritingToIt) {
    TestDestinationOrder order{"t", local(kFirst, "one")};
    EXPECT_TRUE(run_test_destination(order, host_));
    EXPECT_THAT(files_in("one"), IsEmpty());
    order.destination.config["path"] = "/proc/nowhere";
    EXPECT_FALSE(run_test_destination(order, host_));
    config_.local_roots.clear();
    order.destination = local(kFirst, "one");
    EXPECT_FALSE(run_test_destination(order, host_));
}

}  // namespace
}  // namespace backstay::testing
