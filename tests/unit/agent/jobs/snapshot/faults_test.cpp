// What filestores, shelves and clocks do that they should not.
#include "agent/jobs/restore/file_list.h"
#include "agent/worker/settings.h"
#include "agent/worker/snapshots.h"
#include "common/domain/reasons.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/agent/jobs/snapshot/snapshot_scene.h"

namespace backstay {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::shell;

// Somebody orders the base away between the look at it and the leaning on it.
class DepartingBase final : public snapshot::Shelf {
public:
    explicit DepartingBase(snapshot::Shelf& shelf) : shelf_(shelf) {}
    Result<std::optional<snapshot::Base>> newest_full(const std::string& environment) override {
        return shelf_.newest_full(environment);
    }
    Result<std::unique_ptr<snapshot::BaseNames>> names(const std::string& id) override { return shelf_.names(id); }
    Result<> begin(const SnapshotOrder& order, const std::string& folder) override {
        return shelf_.begin(order, folder);
    }
    Result<> lean_on(const std::string& id, const std::string& base) override {
        TRY(shelf_.begin_deletion(base));
        return shelf_.lean_on(id, base);
    }
    Result<> complete(const std::string& id, const BackupOutcome& outcome, const std::string& names) override {
        return shelf_.complete(id, outcome, names);
    }
    Result<> held_by(const std::string& id, const std::vector<std::string>& destinations) override {
        return shelf_.held_by(id, destinations);
    }
    Result<> begin_deletion(const std::string& id) override { return shelf_.begin_deletion(id); }
    Result<> forget(const std::string& id) override { return shelf_.forget(id); }

private:
    snapshot::Shelf& shelf_;
};

class SnapshotFaults : public testing::SnapshotScene {
protected:
    void TearDown() override {
        sample_->config.encryption_key_file.clear();
        SnapshotScene::TearDown();
    }
    void attachment(const std::string& store_fname) {
        sample_->postgres.exec(name_, fmt::format("INSERT INTO ir_attachment (name, store_fname, file_size) "
                                                  "VALUES ('made up', '{}', 5)",
                                                  store_fname));
    }
    std::string why_not_green() const {
        std::string all;
        for (const std::string& why : journal_->verdict().why_not_green) all += why + "\n";
        return all;
    }
};

TEST_F(SnapshotFaults, ABaseThatGoesMeanwhileMakesItAFullOne) {
    taken(order());
    sample_->add_file(name_, "new");
    const SnapshotOrder late = order();
    sqlite::Database database = open_state(sample_->config.state_dir).value();
    StateShelf shelf(database, sample_->clock, "socket");
    DepartingBase departing(shelf);
    const auto made = take(late, &departing);
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(journal_->verdict().status, "green");
    EXPECT_EQ(fact(step::kResolveFilestoreBase, "mode"), "full");
    EXPECT_THAT(fact(step::kResolveFilestoreBase, "why_full"), HasSubstr("going"));
    EXPECT_EQ(members(own(late.snapshot_id, "filestore.tar.zst")).size(), 41U);
}

TEST_F(SnapshotFaults, WhatNoAttachmentNamesStaysOut) {
    shell("mkdir -p " + in_filestore("checklist/ab") + " && touch " + in_filestore("checklist/ab/abcd") + " " +
          in_filestore("notes.txt"));
    const std::string full = taken(order());
    EXPECT_EQ(members(own(full, "filestore.tar.zst")).size(), 40U);
    EXPECT_THAT(members(own(full, "filestore.tar.zst")), Not(Contains("notes.txt")));
}

// Neither links nor names lead out of the filestore, and none passes for what we put in front of an archive.
TEST_F(SnapshotFaults, LinksAndMadeUpNamesAreNamedAndNotFollowed) {
    taken(order());
    const std::string link = sample_->add_file(name_, "a link");
    shell("ln -sf /etc/passwd " + in_filestore(link));
    const std::string kept = sample_->add_file(name_, "a file");
    attachment("../../../etc/passwd");
    attachment(".backstay/files");
    shell("mkdir -p " + in_filestore(".backstay") + " && echo forged > " + in_filestore(".backstay/files"));
    const SnapshotOrder odd = order();
    ASSERT_TRUE(take(odd));
    EXPECT_EQ(journal_->verdict().status, "amber");
    EXPECT_EQ(journal_->verdict().reason, reason::kFilestoreInconsistent);
    for (const std::string& name : {link, std::string("../../../etc/passwd"), std::string(".backstay/files")}) {
        EXPECT_THAT(why_not_green(), HasSubstr(name));
    }
    const std::string archive = own(odd.snapshot_id, "filestore.diff.tar.zst");
    EXPECT_EQ(members(archive), (std::set<std::string>{".backstay/files", kept}));
    EXPECT_EQ(shell("zstd -dcq " + archive + " | tar -tv | wc -l"), "2\n");
    EXPECT_THAT(shell("zstd -dcq " + archive + " | tar -xO"), Not(HasSubstr("root:")));
    const auto back = roll_back(back_to(odd.snapshot_id, name_));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_FALSE(std::filesystem::exists(in_filestore(".backstay")));
    EXPECT_TRUE(std::filesystem::exists(in_filestore(kept)));
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(in_filestore(link))));
}

TEST_F(SnapshotFaults, AFileThatIsMissingIsNamedAndARollbackGoesOnWithoutIt) {
    taken(order());
    const std::string gone = sample_->add_file(name_, "gone");
    std::filesystem::remove(in_filestore(gone));
    const SnapshotOrder poor = order();
    ASSERT_TRUE(take(poor));
    EXPECT_EQ(journal_->verdict().status, "amber");
    EXPECT_THAT(why_not_green(), HasSubstr(gone + " missing"));
    const auto back = roll_back(back_to(poor.snapshot_id, name_));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(shell("find " + sample_->filestore(name_) + " -type f | wc -l"), "40\n");
}

TEST_F(SnapshotFaults, EncryptedOnesHoldNothingReadableAndNeedTheKey) {
    const std::string key = sample_->folder.path() + "/snapshot.key";
    shell("(umask 077; head -c 32 /dev/urandom | base64 -w0 > " + key + ")");
    sample_->config.encryption_key_file = key;
    SnapshotOrder secret = order();
    secret.destinations = {sample_->destination(sample_->folder.path() + "/away-" + name_)};
    secret.encrypt_for = {secret.destinations.front().id};
    const std::string full = taken(secret);
    sample_->add_file(name_, "between");
    secret.snapshot_id = new_uuid();
    const std::string differential = taken(secret);
    EXPECT_EQ(fact(step::kResolveFilestoreBase, "mode"), "differential");
    EXPECT_TRUE(std::filesystem::exists(own(full, "filestore.tar.zst.enc")));
    EXPECT_TRUE(std::filesystem::exists(own(differential, "filestore.diff.tar.zst.enc")));
    EXPECT_EQ(
        shell("find " + own(full) + " " + own(differential) + " -type f ! -name '*.enc' -printf '%f\\n' | sort -u"),
        "manifest.json\n");
    EXPECT_EQ(shell("cd " + own(differential) + " && sha256sum * > /tmp/backstay-sums-$$ && cd " +
                    sample_->folder.path() + "/away-" + name_ + "/" + folder(differential) +
                    " && sha256sum -c --quiet /tmp/backstay-sums-$$ && echo equal; rm /tmp/backstay-sums-$$"),
              "equal\n");
    const std::string before = sample_->fingerprint(name_);
    sample_->add_file(name_, "after");
    const std::string now = sample_->fingerprint(name_);
    sample_->config.encryption_key_file.clear();
    const auto blind = roll_back(back_to(differential, name_));
    ASSERT_FALSE(blind);
    EXPECT_EQ(blind.error().reason(), reason::kEncryptionKeyMissing);
    EXPECT_EQ(sample_->fingerprint(name_), now);
    sample_->config.encryption_key_file = key;
    const auto back = roll_back(back_to(differential, name_));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(sample_->fingerprint(name_), before);
}

TEST_F(SnapshotFaults, AnOpenBaseIsNeverTakenWhereOnlyEncryptedOnesMayLie) {
    taken(order());  // as a safety snapshot is: on this host only
    const std::string key = sample_->folder.path() + "/later.key";
    shell("(umask 077; head -c 32 /dev/urandom | base64 -w0 > " + key + ")");
    sample_->config.encryption_key_file = key;
    SnapshotOrder secret = order();
    const std::string away = sample_->folder.path() + "/closed-" + name_;
    secret.destinations = {sample_->destination(away)};
    secret.encrypt_for = {secret.destinations.front().id};
    taken(secret);
    EXPECT_THAT(fact(step::kResolveFilestoreBase, "why_full"), HasSubstr("not encrypted"));
    EXPECT_EQ(shell("find " + away + " -type f ! -name '*.enc' -printf '%f\\n' | sort -u"), "manifest.json\n");
}

TEST_F(SnapshotFaults, ABaseThatIsNoIdIsRefused) {
    taken(order());
    sample_->add_file(name_, "new");
    const std::string differential = taken(order());
    const std::string manifest = own(differential, "manifest.json");
    shell("chmod u+w " + manifest + "; sed -i 's|\"baseSnapshotId\": *\"[^\"]*\"|\"baseSnapshotId\": \"../../x\"|' " +
          manifest);
    const auto done = roll_back(back_to(differential, name_));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().reason(), reason::kStructureInvalid);
    EXPECT_THAT(done.error().message(), HasSubstr("no snapshot's id"));
}

TEST(FileList, HoldsNoLineThatIsNoName) {
    testing::TempDir folder;
    auto list = restore::FileList::create(folder.path()).value();
    StringSource endless(std::string(10'000, 'a'));
    const auto taken = list.take(endless);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().reason(), reason::kStructureInvalid);
    StringSource sound("aa/" + std::string(40, 'a') + "\nab/b\n");
    ASSERT_TRUE(list.take(sound));
    ASSERT_TRUE(list.rewind());
    EXPECT_TRUE(list.holds("ab/b").value());
}

TEST_F(SnapshotFaults, OldOnesOfThisHostGoAndTheBaseGoesLast) {
    const std::string full = taken(order());
    sample_->add_file(name_, "new");
    const std::string differential = taken(order());
    SnapshotOrder wanted = order();
    wanted.full_filestore = true;
    const std::string other = taken(wanted);
    sqlite::Database database = open_state(sample_->config.state_dir).value();
    ASSERT_TRUE(database.run("UPDATE snapshots SET origin = 'control_plane' WHERE snapshot_id = $1", {other}));
    const TimeMs day = 24LL * 3600 * 1000;
    FakeClock clock(sample_->clock.now_ms() + sample_->config.snapshot_keep_days * day - 3600 * 1000);
    const Settings settings(sample_->config, "agent-1", clock);
    ASSERT_TRUE(prune_snapshots(database, settings));
    EXPECT_TRUE(std::filesystem::exists(own(full)));
    clock.advance(2 * 3600 * 1000);
    ASSERT_TRUE(prune_snapshots(database, settings));
    EXPECT_FALSE(std::filesystem::exists(own(full)));
    EXPECT_FALSE(std::filesystem::exists(own(differential)));
    EXPECT_TRUE(std::filesystem::exists(own(other, "manifest.json"))) << "the control plane says when it goes";
    SnapshotRepository snapshots(database);
    EXPECT_FALSE(snapshots.find(full)->has_value());
    EXPECT_TRUE(snapshots.find(other)->has_value());
}

}  // namespace
}  // namespace backstay
