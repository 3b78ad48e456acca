#include "agent/adoption/adoption.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "agent/state/backups.h"
#include "agent/state/damage.h"
#include "agent/state/snapshots.h"
#include "agent/state/state.h"
#include "agent/state/wal.h"
#include "common/domain/layout.h"
#include "common/domain/manifest.h"
#include "common/domain/steps.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

namespace fs = std::filesystem;
using adoption::AdoptionReport;
using adoption::AdoptionRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kOwn = "11111111-1111-4111-8111-111111111111";
constexpr const char* kOther = "22222222-2222-4222-8222-222222222222";
constexpr TimeMs kDay = 1'795'398'345'000;

std::string uuid(int number) { return fmt::format("aaaaaaaa-0000-4000-8000-{:012}", number); }

class Adopting : public ::testing::Test {
protected:
    Adopting() {
        config_.state_dir = folder_.path() + "/state";
        config_.local_roots = {folder_.path()};
        for (const std::string id : {"one", "two"}) {
            fs::create_directories(folder_.path() + "/" + id);
            config_.destinations.push_back(
                {id, id, "local", {{"path", folder_.path() + "/" + id}, {"minFreeBytes", 0}}});
        }
    }
    void SetUp() override {
        auto opened = open_state(config_.state_dir);
        ASSERT_TRUE(opened) << opened.error().message();
        database_.emplace(std::move(*opened));
        ASSERT_TRUE(note_beginning(config_.state_dir));
    }

    static Manifest manifest(int number, const std::string& agent = kOwn) {
        Manifest made;
        made.backup_id = uuid(number);
        made.scope = "full";
        made.trigger = "manual";
        made.organization_id = "local";
        made.project_id = agent;
        made.environment_id = made.environment_name = "shop";
        made.environment_type = "production";
        made.dump_format = "custom";
        made.started_at = {kDay + number};
        made.completed_at = {kDay + number + 1000};
        made.agent = {agent, "0.1.0"};
        made.filestore = ManifestFilestore{};
        ManifestArtifact dump;
        dump.name = std::string(artifact::kDatabase);
        dump.path = "database.dump.zst";
        dump.bytes = 10;
        dump.sha256 = std::string(64, 'a');
        made.artifacts = {dump};
        return made;
    }
    void write(const std::string& root, const std::string& folder, const Manifest& manifest) const {
        const std::string path = root + "/" + folder;
        fs::create_directories(path);
        std::ofstream(path + "/manifest.json") << write_manifest(manifest);
        for (const ManifestArtifact& one : manifest.artifacts) {
            std::ofstream(path + "/" + one.path) << std::string(one.bytes, 'x');
        }
    }
    std::string root(const std::string& destination) const { return folder_.path() + "/" + destination; }
    std::string store(const std::string& destination, const Manifest& manifest) const {
        const layout::Owner owner{manifest.organization_id, manifest.project_id, manifest.environment_id};
        const std::string folder = layout::backup_folder(owner, manifest.started_at.ms, manifest.backup_id);
        write(root(destination), folder, manifest);
        return folder;
    }
    void snapshot(Manifest manifest, const std::optional<std::string>& base = std::nullopt) const {
        manifest.kind = "snapshot";
        manifest.filestore->mode = base ? "differential" : "full";
        manifest.filestore->base_snapshot_id = base;
        const layout::Owner owner{manifest.organization_id, manifest.project_id, manifest.environment_id};
        write(config_.state_dir + "/snapshots", layout::snapshot_folder(owner, manifest.backup_id), manifest);
    }
    AdoptionReport run(const AdoptionRequest& request = {}) {
        const JobHost host{config_, kOwn, "0.1.0", clock_, rate_};
        auto report = adoption::adopt({host, *database_, config_.destinations, {}}, request);
        EXPECT_TRUE(report) << report.error().message();
        return report ? std::move(*report) : AdoptionReport{};
    }
    std::vector<BackupRow> backups() { return *BackupRepository(*database_).newest("", 100); }
    StateLoss lose() const {
        std::ofstream(config_.state_dir + "/state-lost.json")
            << R"({"at": "2026-11-23T01:45:45Z", "why": "gone", "keptAs": []})";
        return **load_state_loss(config_.state_dir);
    }

    backstay::testing::TempDir folder_;
    AgentConfig config_;
    FakeClock clock_;
    std::atomic<std::uint64_t> rate_{0};
    std::optional<sqlite::Database> database_;
};

TEST_F(Adopting, TakesWhatIsItsOwnWithAllItsCopiesAndTwiceIsOnce) {
    Manifest labelled = manifest(1);
    labelled.label = "before v2";
    const std::string folder = store("one", labelled);
    store("two", labelled);
    store("two", manifest(2));
    AdoptionReport report = run();
    EXPECT_EQ(report.backups, 2U);
    EXPECT_EQ(report.copies, 1U);
    ASSERT_EQ(backups().size(), 2U);
    const BackupRow row = backups().back();
    EXPECT_EQ(row.backup_id, uuid(1));
    EXPECT_EQ(row.folder, folder);
    EXPECT_EQ(row.database, "shop");
    EXPECT_EQ(row.label, "before v2");
    EXPECT_EQ(row.status, "completed");
    EXPECT_EQ(row.origin, "socket");
    EXPECT_EQ(row.size_bytes, 10 + fs::file_size(root("one") + "/" + folder + "/manifest.json"));
    EXPECT_THAT(row.destination_ids, ElementsAre("one", "two"));
    report = run();
    EXPECT_EQ(report.backups + report.copies, 0U);
    EXPECT_EQ(report.known, 3U);
}

TEST_F(Adopting, ChangesNothingThatIsKnownAndOnlyShowsWhenAsked) {
    store("one", manifest(1));
    store("two", manifest(1));
    AdoptionRequest show;
    show.show = true;
    const AdoptionReport shown = run(show);
    EXPECT_EQ(shown.backups, 1U);
    EXPECT_EQ(shown.copies, 1U);
    EXPECT_THAT(backups(), IsEmpty());
    BackupRow known;
    known.backup_id = uuid(1);
    known.status = "partial";
    known.label = "as it was";
    known.destination_ids = {"one"};
    ASSERT_TRUE(BackupRepository(*database_).put(known));
    EXPECT_EQ(run().backups, 0U);
    EXPECT_EQ(backups().front().label, "as it was");
    EXPECT_EQ(backups().front().status, "partial");
    EXPECT_THAT(backups().front().destination_ids, ElementsAre("one", "two"));
}

TEST_F(Adopting, LeavesAloneWhatOthersMadeUntilItTakesTheirPlace) {
    store("one", manifest(1));
    store("one", manifest(2, kOther));
    store("one", manifest(3, kOther));
    const AdoptionReport report = run();
    EXPECT_EQ(report.backups, 1U);
    ASSERT_EQ(report.foreign.size(), 1U);
    EXPECT_EQ(report.foreign[0].agent_id, kOther);
    EXPECT_EQ(report.foreign[0].count, 2U);
    EXPECT_THAT(report.foreign[0].databases, ElementsAre("shop"));
    AdoptionRequest heir;
    heir.from_agent = kOther;
    EXPECT_EQ(run(heir).backups, 2U);
    EXPECT_EQ(backups().size(), 3U);
    heir.from_agent = "nobody";
    const JobHost host{config_, kOwn, "0.1.0", clock_, rate_};
    EXPECT_EQ(adoption::adopt({host, *database_, {}, {}}, heir).error().code(), Errc::invalid);
}

TEST_F(Adopting, TellsOfWhatIsDamagedOrNotWholeAndGoesOn) {
    const std::string cut = store("one", manifest(1));
    fs::resize_file(root("one") + "/" + cut + "/database.dump.zst", 4);
    const std::string gone = store("one", manifest(2));
    fs::remove(root("one") + "/" + gone + "/database.dump.zst");
    const std::string garbage = store("one", manifest(3));
    std::ofstream(root("one") + "/" + garbage + "/manifest.json") << "{";
    const std::string moved = store("one", manifest(4));
    std::ofstream(root("one") + "/" + moved + "/manifest.json") << write_manifest(manifest(5));
    const std::string begun = store("one", manifest(6));
    fs::remove(root("one") + "/" + begun + "/manifest.json");
    store("one", manifest(7));
    const AdoptionReport report = run();
    EXPECT_EQ(report.backups, 1U);
    EXPECT_EQ(report.fault_count, 4U);
    EXPECT_THAT(report.faults[0], HasSubstr("4 bytes instead of 10"));
    EXPECT_THAT(report.faults[1], HasSubstr("is missing"));
    EXPECT_EQ(backups().front().backup_id, uuid(7));
}

TEST_F(Adopting, TakesSnapshotsWithTheirBasesWhateverTheirOrder) {
    snapshot(manifest(1), uuid(2));  // before its base, by name
    snapshot(manifest(2));
    snapshot(manifest(3), uuid(9));  // whose base is gone
    const AdoptionReport report = run();
    EXPECT_EQ(report.snapshots, 2U);
    EXPECT_EQ(report.fault_count, 1U);
    EXPECT_THAT(report.faults[0], HasSubstr(uuid(9)));
    SnapshotRepository snapshots(*database_);
    EXPECT_EQ((*snapshots.find(uuid(1)))->base_id, uuid(2));
    EXPECT_THAT(*snapshots.dependents(uuid(2)), ElementsAre(uuid(1)));
    EXPECT_EQ(snapshots.begin_deletion(uuid(2)).error().code(), Errc::conflict);
    const std::string environment = (*snapshots.find(uuid(2)))->environment;
    EXPECT_FALSE(*snapshots.newest_full(environment)) << "the names of its files are not known";
    EXPECT_EQ(run().snapshots, 0U);
}

TEST_F(Adopting, TakesBaseBackupsIntoTheArchiveTheyBelongTo) {
    Manifest base = manifest(1);
    base.scope = "base";
    base.filestore.reset();
    base.postgres.system_id = "7000000000000000001";
    base.postgres.timeline = 1;
    base.postgres.start_lsn = "0/2000000";
    base.postgres.end_lsn = "0/3000000";
    base.base = ManifestBase{
        "main", "v1/local/clusters/7000000000000000001", 1 << 24, "postgres", {kDay}, {kDay + 5000}, {"shop"}};
    write(root("one"), layout::base_folder(base.base->archive, base.backup_id), base);
    // WAL beside it is not looked at.
    fs::create_directories(root("one") + "/" + base.base->archive + "/wal/00000001");
    std::ofstream(root("one") + "/" + base.base->archive + "/wal/00000001/x") << "x";
    EXPECT_EQ(run().bases, 1U);
    WalRepository wal(*database_);
    const auto cluster = wal.cluster("7000000000000000001");
    ASSERT_TRUE(cluster && *cluster);
    EXPECT_EQ((*cluster)->folder, base.base->archive);
    ASSERT_EQ(wal.bases("7000000000000000001")->size(), 1U);
    EXPECT_EQ(wal.bases("7000000000000000001")->front().ended_at, kDay + 5000);
    EXPECT_EQ(run().bases, 0U);
}

TEST_F(Adopting, LeavesTheLossOpenUntilEveryDestinationWasLookedAt) {
    store("one", manifest(1));
    lose();
    fs::remove_all(root("two"));
    std::ofstream(root("two")) << "no folder";
    AdoptionReport report = run();
    EXPECT_EQ(report.backups, 1U);
    EXPECT_FALSE(report.settled);
    EXPECT_THAT(report.open, HasSubstr("two"));
    EXPECT_FALSE(report.destinations.back().error.empty());
    EXPECT_TRUE(*load_state_loss(config_.state_dir));
    AdoptionRequest done;
    done.done = true;
    report = run(done);
    EXPECT_TRUE(report.settled);
    EXPECT_FALSE(report.lost.empty());
    EXPECT_FALSE(*load_state_loss(config_.state_dir));
}

}  // namespace
}  // namespace backstay
