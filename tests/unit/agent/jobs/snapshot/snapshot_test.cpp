#include "common/domain/reasons.h"
#include "tests/unit/agent/jobs/snapshot/snapshot_scene.h"

namespace backstay {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::shell;

class Snapshot : public testing::SnapshotScene {};

TEST_F(Snapshot, TheFirstIsFullAndTheNextHoldsWhatIsNew) {
    const std::string full = taken(order());
    EXPECT_EQ(journal_->verdict().status, "green");
    EXPECT_EQ(fact(step::kResolveFilestoreBase, "mode"), "full");
    EXPECT_EQ(members(own(full, "filestore.tar.zst")).size(), 40U);

    const std::string one = sample_->add_file(name_, "new one");
    const std::string two = sample_->add_file(name_, "new two");
    // Names are enough: nothing that is old is looked at.
    shell("find " + sample_->filestore(name_) + " -type f -size -20c ! -name '" + one.substr(3) + "' ! -name '" +
          two.substr(3) + "' -exec truncate -s 3 {} +");
    const std::string differential = taken(order());
    EXPECT_EQ(journal_->verdict().status, "green");
    EXPECT_EQ(fact(step::kResolveFilestoreBase, "base_snapshot_id"), full);
    EXPECT_EQ(members(own(differential, "filestore.diff.tar.zst")),
              (std::set<std::string>{".backstay/files", one, two}));
    const std::string list = shell("zstd -dcq " + own(differential, "filestore.diff.tar.zst") +
                                   " | tar -xO .backstay/files | sort -c && "
                                   "zstd -dcq " +
                                   own(differential, "filestore.diff.tar.zst") + " | tar -xO .backstay/files | wc -l");
    EXPECT_EQ(list, "42\n");
    const Manifest manifest = read_manifest(shell("cat " + own(differential, "manifest.json"))).value();
    EXPECT_EQ(manifest.kind, "snapshot");
    EXPECT_EQ(manifest.filestore->mode, "differential");
    EXPECT_EQ(manifest.filestore->base_snapshot_id, full);
    EXPECT_EQ(manifest.filestore->file_count, 42U);
}

TEST_F(Snapshot, ADifferentialBuildsOnAFullOneOnly) {
    const std::string full = taken(order());
    sample_->add_file(name_, "first");
    taken(order());
    const std::string second = sample_->add_file(name_, "second");
    const std::string third = taken(order());
    EXPECT_EQ(fact(step::kResolveFilestoreBase, "base_snapshot_id"), full);
    EXPECT_EQ(members(own(third, "filestore.diff.tar.zst")).size(), 3U);
    SnapshotOrder wanted = order();
    wanted.full_filestore = true;
    const std::string anew = taken(wanted);
    EXPECT_EQ(members(own(anew, "filestore.tar.zst")).size(), 42U);
    taken(order());
    EXPECT_EQ(fact(step::kResolveFilestoreBase, "base_snapshot_id"), anew);
}

TEST_F(Snapshot, IsFullAgainWhenTheBaseIsGoneOrMuchIsNew) {
    const std::string full = taken(order());
    std::filesystem::remove(own(full, "filestore.tar.zst"));
    const std::string anew = taken(order());
    EXPECT_EQ(fact(step::kResolveFilestoreBase, "mode"), "full");
    EXPECT_THAT(fact(step::kResolveFilestoreBase, "why_full"), HasSubstr("not whole"));
    sample_->add_file(name_, std::string(2000, 'x'));
    const std::string large = taken(order());
    EXPECT_THAT(fact(step::kResolveFilestoreBase, "why_full"), HasSubstr("are new"));
    EXPECT_EQ(members(own(large, "filestore.tar.zst")).size(), 41U);
}

TEST_F(Snapshot, AFileThatWasDamagedInTheBaseIsTakenAnewWhenItIsSound) {
    const std::string name = sample_->add_file(name_, "to be damaged");
    shell("cp -p " + in_filestore(name) + " /tmp/backstay-sound-$$ && echo x >> " + in_filestore(name) +
          " && mv /tmp/backstay-sound-$$ " + in_filestore(name) + ".sound");
    ASSERT_TRUE(take(order()));
    EXPECT_EQ(journal_->verdict().status, "amber");
    EXPECT_EQ(journal_->verdict().reason, reason::kFilestoreInconsistent);
    shell("mv " + in_filestore(name) + ".sound " + in_filestore(name));
    const std::string differential = taken(order());
    EXPECT_THAT(members(own(differential, "filestore.diff.tar.zst")), Contains(name));
    const std::string before = sample_->fingerprint(name_);
    sample_->add_file(name_, "later");
    const auto back = roll_back(back_to(differential, name_));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(sample_->fingerprint(name_), before);
}

TEST_F(Snapshot, ABaseOutlivesItsDifferentials) {
    const std::string full = taken(order());
    sample_->add_file(name_, "new");
    const std::string differential = taken(order());
    const auto refused = remove(full);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::conflict);
    EXPECT_THAT(refused.error().message(), HasSubstr(differential));
    EXPECT_TRUE(std::filesystem::exists(own(full, "manifest.json")));
    ASSERT_TRUE(remove(differential));
    ASSERT_TRUE(remove(full));
    EXPECT_FALSE(std::filesystem::exists(own(full)));
    taken(order());
    EXPECT_THAT(fact(step::kResolveFilestoreBase, "why_full"), HasSubstr("no full one"));
}

TEST_F(Snapshot, SpaceIsReckonedBeforeAnythingIsWritten) {
    sample_->postgres.exec(
        name_,
        "INSERT INTO ir_attachment (name, store_fname, file_size) SELECT 'f', 'zz/' || i, 2147483647 "
        "FROM generate_series(1, 4000) i");
    const SnapshotOrder large = order();
    const auto refused = take(large);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), reason::kDiskSpaceLow);
    EXPECT_EQ(journal_->find(step::kDbDump), nullptr);
    EXPECT_FALSE(std::filesystem::exists(own(large.snapshot_id)));
    EXPECT_TRUE(journal_->notes().empty());
}

TEST_F(Snapshot, AFailedOneLeavesNothingAndIsNoBase) {
    SnapshotOrder broken = order();
    broken.environment.filestore = "/nowhere";
    EXPECT_FALSE(take(broken));
    EXPECT_FALSE(std::filesystem::exists(own(broken.snapshot_id)));
    sqlite::Database database = open_state(sample_->config.state_dir).value();
    EXPECT_FALSE(SnapshotRepository(database).find(broken.snapshot_id)->has_value());
}

TEST_F(Snapshot, CopiesBringTheBaseAlong) {
    const std::string full = taken(order());
    sample_->add_file(name_, "new");
    SnapshotOrder copied = order();
    copied.destinations = {sample_->destination(sample_->folder.path() + "/away")};
    taken(copied);
    EXPECT_EQ(journal_->verdict().status, "green");
    const std::string away = sample_->folder.path() + "/away/";
    EXPECT_EQ(shell(fmt::format("cmp {0}/filestore.tar.zst {1}{2}/filestore.tar.zst && cmp {0}/manifest.json "
                                "{1}{2}/manifest.json && echo equal",
                                own(full), away, folder(full))),
              "equal\n");
    // Both are known to lie there, so that they go from there.
    sqlite::Database database = open_state(sample_->config.state_dir).value();
    for (const std::string& id : {full, copied.snapshot_id}) {
        const auto row = SnapshotRepository(database).find(id).value();
        EXPECT_EQ(row->destination_ids, (std::vector<std::string>{copied.destinations.front().id})) << id;
    }
    // The host's own is gone: the copies serve.
    const std::string before = sample_->fingerprint(name_);
    sample_->add_file(name_, "later");
    std::filesystem::remove_all(own_root() + "/v1/org/project/" + name_);
    RollbackOrder back = back_to(copied.snapshot_id, name_);
    back.destinations = copied.destinations;
    const auto done = roll_back(back);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(sample_->fingerprint(name_), before);
}

TEST_F(Snapshot, ACopyThatFailsLeavesTheSnapshotWhole) {
    SnapshotOrder copied = order();
    copied.destinations = {sample_->destination("/proc/nowhere")};
    const auto made = take(copied);
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_TRUE(made->destination_ids.empty());
    EXPECT_EQ(journal_->verdict().status, "amber");
    EXPECT_THAT(journal_->verdict().optional_failed_steps, Contains("remote_upload"));
    EXPECT_TRUE(std::filesystem::exists(own(copied.snapshot_id, "manifest.json")));
}

}  // namespace
}  // namespace backstay
