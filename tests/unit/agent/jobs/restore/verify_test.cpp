#include "agent/jobs/restore/dump_list.h"
#include "agent/jobs/restore/standalone.h"
#include "common/domain/reasons.h"
#include "tests/support/deadly_journal.h"
#include "tests/unit/agent/jobs/restore/sample.h"

namespace backstay {
namespace {

using testing::RestoreRun;
using testing::Sample;

struct VerifyRun {
    RememberingJournal journal;
    Result<VerifyOutcome> outcome = Error(Errc::invalid, "not run");

    static VerifyOrder order_of(Sample& sample, const std::string& folder, bool drill,
                                const std::vector<std::string>& destinations) {
        VerifyOrder order;
        order.verification_id = new_uuid();
        order.backup_id = sample.manifests.at(folder).backup_id;
        order.folder = folder;
        order.drill = drill;
        for (const std::string& path : destinations) order.destinations.push_back(sample.destination(path));
        return order;
    }

    VerifyRun(Sample& sample, const std::string& folder, bool drill, const std::vector<std::string>& destinations) {
        const VerifyOrder order = order_of(sample, folder, drill, destinations);
        ProgressMeter progress(sample.clock, "verification", order.verification_id, "");
        Steps steps(journal, progress, sample.clock, {});
        outcome = run_verify(order, sample.host(), steps);
    }
};

class Verify : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        sample_ = std::make_unique<Sample>();
        backup_ = sample_->back_up("source");
        sample_crons_ = sample_->postgres.ask("source", "SELECT count(*) FROM ir_cron WHERE active");
    }
    static void TearDownTestSuite() { sample_.reset(); }

    static std::string copy_of_destination(const std::string& name) {
        const std::string path = sample_->folder.path() + "/" + name;
        testing::shell(fmt::format("cp -r {} {}", sample_->destination_folder(), path));
        return path;
    }
    static void damage(const std::string& file) {
        std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(200);
        const char byte = static_cast<char>(stream.get() ^ 1);
        stream.seekp(200);
        stream.put(byte);
    }

    static std::unique_ptr<Sample> sample_;
    static std::string backup_;
    static std::string sample_crons_;
};

std::unique_ptr<Sample> Verify::sample_;
std::string Verify::backup_;
std::string Verify::sample_crons_;

TEST_F(Verify, ProvesASoundBackupByItsStructure) {
    VerifyRun run(*sample_, backup_, false, {sample_->destination_folder()});
    ASSERT_TRUE(run.outcome) << run.outcome.error().message();
    EXPECT_EQ(run.journal.verdict().status, "green");
    EXPECT_EQ(run.journal.copies().size(), 3U) << "database, filestore, manifest";
    for (const CopyRecord& copy : run.journal.copies()) EXPECT_EQ(copy.state, CopyState::verified);
}

TEST_F(Verify, ProvesItByADrillAndLeavesNothing) {
    for (const bool directory : {false, true}) {
        const std::string backup = directory ? sample_->back_up("source", true) : backup_;
        VerifyRun run(*sample_, backup, true, {sample_->destination_folder()});
        ASSERT_TRUE(run.outcome) << run.outcome.error().message();
        EXPECT_EQ(run.journal.verdict().status, "green");
        EXPECT_EQ(sample_->leftovers("backstay_drill"), "");
        const auto fact = [&](std::string_view step, const std::string& name) {
            const StepRecord* record = run.journal.find(step);
            return record == nullptr ? "no step" : record->facts.at(name);
        };
        EXPECT_EQ(fact(step::kContentChecks, "attachment_files"), "40");
        EXPECT_EQ(fact(step::kContentChecks, "attachment_files_missing"), "0");
        EXPECT_EQ(fact(step::kScratchRestore, "files"), "40");
        EXPECT_TRUE(fact(step::kNeutralize, "used").starts_with("built-in list"));
    }
    EXPECT_EQ(sample_->postgres.ask("source", "SELECT count(*) FROM ir_cron WHERE active"), sample_crons_);
}

// Files that rows name and the archive lacks: the structure is sound, and yet it cannot be restored.
TEST_F(Verify, FailsTheDrillWhenAttachmentsHaveNoFile) {
    sample_->postgres.exec("source",
                           "INSERT INTO ir_attachment (name, store_fname, type) VALUES ('lost', "
                           "'ab/ab00000000000000000000000000000000000000', 'binary')");
    const std::string lacking = sample_->back_up("source");
    sample_->postgres.exec("source", "DELETE FROM ir_attachment WHERE name = 'lost'");
    VerifyRun plain(*sample_, lacking, false, {sample_->destination_folder()});
    EXPECT_TRUE(plain.outcome);
    VerifyRun run(*sample_, lacking, true, {sample_->destination_folder()});
    ASSERT_FALSE(run.outcome);
    EXPECT_EQ(run.outcome.error().reason(), reason::kFilestoreInconsistent);
    EXPECT_NE(run.outcome.error().message().find("ab/ab0000"), std::string::npos);
    EXPECT_EQ(sample_->leftovers("backstay_drill"), "");
}

TEST_F(Verify, DrillsOnlyWhereThereIsRoom) {
    const std::string large = copy_of_destination("drill-large");
    Manifest manifest = sample_->manifests.at(backup_);
    manifest.postgres.size_bytes = 1ULL << 50;
    std::ofstream(large + "/" + backup_ + "/manifest.json") << write_manifest(manifest);
    VerifyRun run(*sample_, backup_, true, {large});
    ASSERT_FALSE(run.outcome);
    EXPECT_EQ(run.outcome.error().reason(), reason::kDiskSpaceLow);
    EXPECT_EQ(sample_->leftovers("backstay_drill"), "");
}

// A few moments of the drill, each in a process that is really killed there; the sweep finds what it left.
TEST_F(Verify, LeavesNothingOfADrillThatWasKilled) {
    int left = 0;
    for (const int word : {7, 8, 10, 12, 13}) {
        const std::string file = fmt::format("{}/drill-notes-{}", sample_->folder.path(), word);
        const pid_t child = testing::start_doomed(file, word, true, sample_->clock, [&](Steps& steps) -> Result<> {
            const VerifyOrder order = VerifyRun::order_of(*sample_, backup_, true, {sample_->destination_folder()});
            TRY(run_verify(order, sample_->host(), steps));
            return {};
        });
        const int status = testing::wait_for(child);
        ASSERT_FALSE(WIFEXITED(status)) << word;
        if (!sample_->leftovers("backstay_drill").empty()) ++left;
        Facts notes = testing::read_notes(file);
        const NoteWriter note = [&](const std::string& key, const std::string& value) -> Result<> {
            notes.erase(key);
            if (!value.empty()) notes.emplace(key, value);
            return {};
        };
        const auto swept = sweep_after_crash(Facts(notes), sample_->host(), note);
        ASSERT_TRUE(swept) << swept.error().message();
        EXPECT_EQ(sample_->leftovers("backstay_drill"), "") << word;
        EXPECT_TRUE(notes.empty()) << word;
    }
    EXPECT_GE(left, 3) << "the kills reached what a drill makes";
}

TEST_F(Verify, NamesTheDestinationThatIsDamagedOrLacksAnArtifact) {
    const std::string damaged = copy_of_destination("damaged");
    damage(damaged + "/" + backup_ + "/filestore.tar.zst");
    VerifyRun run(*sample_, backup_, false, {sample_->destination_folder(), damaged});
    ASSERT_FALSE(run.outcome);
    EXPECT_EQ(run.outcome.error().reason(), reason::kChecksumMismatch);
    EXPECT_NE(run.outcome.error().message().find("d-damaged"), std::string::npos);
    int corrupt = 0;
    for (const CopyRecord& copy : run.journal.copies()) {
        const bool bad = copy.destination_id == "d-damaged" && copy.artifact == "filestore";
        EXPECT_EQ(copy.state, bad ? CopyState::corrupt : CopyState::verified);
        corrupt += bad ? 1 : 0;
    }
    EXPECT_EQ(corrupt, 1);

    const std::string lacking = copy_of_destination("lacking");
    std::filesystem::remove(lacking + "/" + backup_ + "/database.dump.zst");
    VerifyRun second(*sample_, backup_, false, {lacking});
    ASSERT_FALSE(second.outcome);
    EXPECT_EQ(second.outcome.error().reason(), reason::kRemoteMissing);
}

TEST_F(Verify, CallsABackupLostOnlyWhenEveryDestinationDeniesIt) {
    const std::string emptied = copy_of_destination("emptied");
    std::filesystem::remove(emptied + "/" + backup_ + "/manifest.json");
    VerifyRun lost(*sample_, backup_, false, {emptied});
    ASSERT_FALSE(lost.outcome);
    EXPECT_EQ(lost.outcome.error().reason(), reason::kRemoteMissing);
    ASSERT_EQ(lost.journal.copies().size(), 1U);
    EXPECT_EQ(lost.journal.copies()[0].artifact, "manifest");
    EXPECT_EQ(lost.journal.copies()[0].state, CopyState::missing);

    const std::string away = copy_of_destination("away");
    std::filesystem::remove_all(away);
    std::ofstream(away) << "no folder";
    VerifyRun unsure(*sample_, backup_, false, {away, emptied});
    ASSERT_FALSE(unsure.outcome);
    EXPECT_EQ(unsure.outcome.error().reason(), reason::kDestinationUnreachable);
    EXPECT_TRUE(std::none_of(unsure.journal.copies().begin(), unsure.journal.copies().end(),
                             [](const CopyRecord& copy) { return copy.destination_id == "d-away"; }));

    VerifyRun one_lacks(*sample_, backup_, false, {sample_->destination_folder(), emptied});
    ASSERT_FALSE(one_lacks.outcome);
    EXPECT_EQ(one_lacks.outcome.error().reason(), reason::kRemoteMissing);
    for (const CopyRecord& copy : one_lacks.journal.copies()) {
        const bool bad = copy.destination_id == "d-emptied" && copy.artifact == "manifest";
        EXPECT_EQ(copy.state, bad ? CopyState::missing : CopyState::verified) << copy.destination_id << copy.artifact;
    }
}

TEST_F(Verify, FailsTheDrillWhenTheManifestCountsOtherwise) {
    const std::string other = copy_of_destination("other");
    Manifest manifest = sample_->manifests.at(backup_);
    manifest.contents.row_counts["public.res_partner"] += 1;
    std::ofstream(other + "/" + backup_ + "/manifest.json") << write_manifest(manifest);
    VerifyRun run(*sample_, backup_, true, {other});
    ASSERT_FALSE(run.outcome);
    EXPECT_EQ(run.outcome.error().reason(), reason::kRestoreFailed);
    EXPECT_EQ(sample_->leftovers("backstay_drill"), "");
    // A restore says the same and leaves nothing either.
    RestoreOrder order = sample_->order(backup_, "counted");
    order.destinations = {sample_->destination(other)};
    RestoreRun restored(*sample_, order);
    ASSERT_FALSE(restored.outcome);
    EXPECT_EQ(restored.outcome.error().reason(), reason::kRestoreFailed);
    EXPECT_EQ(sample_->postgres.ask("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'counted%'"), "0");
}

TEST_F(Verify, RestoresFromTheDestinationThatIsSound) {
    const std::string damaged = copy_of_destination("half");
    damage(damaged + "/" + backup_ + "/filestore.tar.zst");
    damage(damaged + "/" + backup_ + "/database.dump.zst");
    RestoreOrder order = sample_->order(backup_, "sound");
    order.destinations = {sample_->destination(damaged)};
    RestoreRun alone(*sample_, order);
    ASSERT_FALSE(alone.outcome);
    EXPECT_EQ(alone.outcome.error().reason(), reason::kChecksumMismatch) << alone.complaint();
    EXPECT_EQ(sample_->leftovers("sound"), "");
    order.destinations.push_back(sample_->destination(sample_->destination_folder()));
    RestoreRun both(*sample_, order);
    ASSERT_TRUE(both.outcome) << both.complaint();
    EXPECT_EQ(sample_->fingerprint("sound"), sample_->fingerprint("source"));
}

TEST_F(Verify, RefusesBeforeAnythingIsTouched) {
    const auto reason_of = [&](const RestoreOrder& order) {
        RestoreRun run(*sample_, order);
        EXPECT_FALSE(run.outcome);
        EXPECT_EQ(run.journal.history().size(), 2U);  // validate_target began and failed
        return run.outcome ? "" : run.outcome.error().reason();
    };
    RestoreOrder order = sample_->order(backup_, "postgres");
    EXPECT_EQ(reason_of(order), reason::kPreflightFailed);
    order = sample_->order(backup_, "fresh");
    order.target.cluster = "elsewhere";
    EXPECT_EQ(reason_of(order), reason::kDbUnreachable);
    order.target.cluster.reset();

    auto rival = sample_->postgres.connect("postgres");
    ASSERT_TRUE(rival.query("SELECT pg_advisory_lock(hashtextextended('backstay:fresh', 0))"));
    EXPECT_EQ(reason_of(order), reason::kTargetLocked);
    ASSERT_TRUE(rival.query("SELECT pg_advisory_unlock_all()"));

    // A manifest changed in one respect at a time.
    const auto with = [&](const std::string& name, const std::function<void(Manifest&)>& change) {
        const std::string path = copy_of_destination(name);
        Manifest manifest = sample_->manifests.at(backup_);
        change(manifest);
        std::ofstream(path + "/" + backup_ + "/manifest.json") << write_manifest(manifest);
        RestoreOrder changed = sample_->order(backup_, "fresh");
        changed.destinations = {sample_->destination(path)};
        return reason_of(changed);
    };
    EXPECT_EQ(with("newer", [](Manifest& m) { m.postgres.server_version_num = 990000; }), reason::kVersionMismatch);
    EXPECT_EQ(with("large", [](Manifest& m) { m.postgres.size_bytes = 1ULL << 50; }), reason::kDiskSpaceLow);
    EXPECT_EQ(with("files", [](Manifest& m) { m.filestore->size_bytes = 1ULL << 50; }), reason::kDiskSpaceLow);
    EXPECT_EQ(with("extension",
                   [](Manifest& m) {
                       m.postgres.extensions.push_back({"no_such_thing", "1"});
                   }),
              reason::kPreflightFailed);
    EXPECT_EQ(sample_->postgres.ask("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'fresh%'"), "0");

    sample_->make_source("occupied");
    sample_->postgres.exec("occupied", "UPDATE ir_module_module SET latest_version = '16.0.1.3' WHERE name = 'base'");
    EXPECT_EQ(reason_of(sample_->order(backup_, "occupied")), reason::kVersionMismatch);
}

TEST_F(Verify, FindsBackupsAndRestoresWithNothingButADestination) {
    const DestinationOrder destination = sample_->destination(sample_->destination_folder());
    std::filesystem::create_directories(sample_->destination_folder() + "/v1/a/b/c/backups/2026/01/01/broken");
    std::ofstream(sample_->destination_folder() + "/v1/a/b/c/backups/2026/01/01/broken/manifest.json") << "{";
    auto listing = standalone::find_backups(destination, sample_->host(), {}, {});
    ASSERT_TRUE(listing) << listing.error().message();
    EXPECT_GE(listing->backups.size(), 1U);
    EXPECT_EQ(listing->faults.size(), 1U);
    standalone::Filter filter;
    filter.backup_id = sample_->manifests.at(backup_).backup_id;
    filter.database = "source";
    listing = standalone::find_backups(destination, sample_->host(), filter, {});
    ASSERT_EQ(listing->backups.size(), 1U);

    standalone::RestoreWish wish;
    wish.database = "alone";
    wish.filestore = sample_->filestore("alone");
    const RestoreOrder order = standalone::order_for(listing->backups[0], destination, wish);
    {
        auto journal = standalone::FileJournal::open(sample_->host(), order.restore_id, {});
        ASSERT_TRUE(journal) << journal.error().message();
        ProgressMeter progress(sample_->clock, "restore", order.restore_id, "");
        Steps steps(**journal, progress, sample_->clock, {});
        auto done = run_restore(order, sample_->host(), steps, {});
        ASSERT_TRUE(done) << done.error().message();
        EXPECT_EQ(sample_->fingerprint("alone"), sample_->fingerprint("source"));
        // It still holds its notes: a sweep leaves it alone.
        auto nothing = standalone::sweep(sample_->host());
        ASSERT_TRUE(nothing) << nothing.error().message();
        EXPECT_TRUE(nothing->empty());
    }
    EXPECT_TRUE(standalone::kept_notes(sample_->host(), order.restore_id));
    ASSERT_TRUE(standalone::sweep(sample_->host()));
    EXPECT_EQ(sample_->fingerprint("alone"), sample_->fingerprint("source"));
}

TEST(DumpList, SplitsTheTableOfContents) {
    const auto lists = restore::split_list(
        ";\n; Archive created at 2026-01-01\n;\n"
        "6; 2615 2200 SCHEMA - app odoo\n"
        "2; 3079 16386 EXTENSION - pg_trgm \n"
        "3456; 0 0 COMMENT - EXTENSION pg_trgm \n"
        "215; 1259 16500 TABLE public sale_order odoo\n"
        "3500; 0 0 ACL public TABLE sale_order odoo\n"
        "3501; 0 0 COMMENT public TABLE sale_order odoo\n"
        "2100; 826 17000 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES odoo\n");
    EXPECT_EQ(lists.entries, 7U);
    EXPECT_EQ(lists.first, "6; 2615 2200 SCHEMA - app odoo\n2; 3079 16386 EXTENSION - pg_trgm \n");
    EXPECT_EQ(lists.main,
              "215; 1259 16500 TABLE public sale_order odoo\n"
              "3501; 0 0 COMMENT public TABLE sale_order odoo\n");
    EXPECT_EQ(lists.rights,
              "3500; 0 0 ACL public TABLE sale_order odoo\n"
              "2100; 826 17000 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES odoo\n");
}

TEST(DumpList, MapsRightsToTheRolesOfTheServer) {
    const auto mapped = restore::map_rights(
        "--\n-- Name: x\n--\nGRANT ALL ON TABLE public.\"TO odoo\" TO odoo;\n"
        "GRANT SELECT(id),UPDATE(name) ON TABLE public.a TO \"Read Only\" WITH GRANT OPTION;\n"
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;\n"
        "ALTER DEFAULT PRIVILEGES FOR ROLE odoo IN SCHEMA public GRANT SELECT ON TABLES  TO gone;\n"
        "ALTER DEFAULT PRIVILEGES FOR ROLE odoo IN SCHEMA public GRANT SELECT ON TABLES  TO \"Read Only\";\n",
        {{"odoo", "staging"}}, {"staging", "Read Only"});
    const std::vector<std::string> expected = {
        "GRANT ALL ON TABLE public.\"TO odoo\" TO \"staging\";",
        "GRANT SELECT(id),UPDATE(name) ON TABLE public.a TO \"Read Only\" WITH GRANT OPTION;",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE \"staging\" IN SCHEMA public GRANT SELECT ON TABLES  TO \"Read Only\";"};
    EXPECT_EQ(mapped.statements, expected);
    EXPECT_EQ(mapped.missing_roles, std::set<std::string>{"gone"});
}

}  // namespace
}  // namespace backstay
