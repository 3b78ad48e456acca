#include "common/domain/reasons.h"
#include "tests/unit/agent/jobs/snapshot/snapshot_scene.h"

namespace backstay {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::shell;

class Rollback : public testing::SnapshotScene {
protected:
    // A full one, then a differential; answers the differential, at whose moment the fingerprint is `before_`.
    std::string prepared() {
        taken(order());
        sample_->add_file(name_, "between");
        sample_->postgres.exec(name_, "DELETE FROM ir_attachment WHERE id = 1");
        const std::string differential = taken(order());
        rows_ = sample_->postgres.ask(name_, "SELECT count(*) FROM ir_attachment");
        sample_->add_file(name_, "after");
        sample_->postgres.exec(name_, "INSERT INTO res_partner (name) VALUES ('after')");
        shell("rm " + in_filestore(sample_->postgres.ask(name_, "SELECT store_fname FROM ir_attachment WHERE id = 5")));
        return differential;
    }
    std::string partners(const std::string& database) const {
        return sample_->postgres.ask(database, "SELECT count(*) FROM res_partner WHERE name = 'after'");
    }
    std::string rows_;
};

TEST_F(Rollback, BringsDatabaseAndFilesOfThatMomentBack) {
    const std::string differential = prepared();
    RollbackOrder back = back_to(differential, name_);
    back.safety_snapshot = order();
    const auto done = roll_back(back);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(journal_->verdict().status, "green");
    EXPECT_EQ(done->safety_backup_id, back.safety_snapshot->snapshot_id);
    EXPECT_EQ(partners(name_), "0");
    EXPECT_EQ(sample_->postgres.ask(name_, "SELECT count(*) FROM ir_attachment"), rows_);
    // Exactly the files that it lists: the one that only the base names is not among them.
    EXPECT_EQ(shell("find " + sample_->filestore(name_) + " -type f | wc -l"), "40\n");
    EXPECT_EQ(shell("cd " + sample_->filestore(name_) +
                    " && find . -type f -printf '%f  %p\\n' | sha1sum -c --quiet - && "
                    "echo sound"),
              "sound\n");
    std::vector<std::string> names;
    for (const StepRecord& step : journal_->steps()) names.push_back(step.name);
    EXPECT_THAT(names, Contains("validate_snapshot"));
    EXPECT_THAT(names, Contains("safety_snapshot"));
    // The way forward again is the safety snapshot, though a file had been lost before it.
    EXPECT_TRUE(std::filesystem::exists(own(back.safety_snapshot->snapshot_id, "manifest.json")));
}

TEST_F(Rollback, IntoAnotherEnvironmentNeutralizesIt) {
    const std::string differential = prepared();
    const std::string other = name_ + "_staging";
    sample_->make_source(other, "odoo_staging", 7);
    RollbackOrder back = back_to(differential, other);
    back.target.type = "staging";
    back.neutralize = true;
    back.new_uuid = true;
    const auto done = roll_back(back);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(journal_->verdict().status, "green");
    EXPECT_EQ(
        sample_->postgres.ask(other, "SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host <> 'invalid'"),
        "0");
    EXPECT_NE(sample_->postgres.ask(other, "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"),
              sample_->postgres.ask(name_, "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"));
    EXPECT_EQ(partners(name_), "1");
}

TEST_F(Rollback, AFailedSafetySnapshotEndsItBeforeAnythingIsTouched) {
    const std::string differential = prepared();
    const std::string before = sample_->fingerprint(name_);
    RollbackOrder back = back_to(differential, name_);
    back.safety_snapshot = order();
    back.safety_snapshot->environment.filestore = "/nowhere";
    const auto done = roll_back(back);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().reason(), reason::kSafetyCopyFailed);
    EXPECT_EQ(sample_->fingerprint(name_), before);
    EXPECT_EQ(sample_->leftovers(name_), "");
}

TEST_F(Rollback, PutsThePreviousPairBackWhenOdooDoesNotComeUp) {
    const std::string differential = prepared();
    const std::string before = sample_->fingerprint(name_);
    OdooConfig odoo;
    odoo.database = name_;
    odoo.stop_command = {"/bin/true"};
    odoo.start_command = {
        "/bin/sh", "-c",
        fmt::format("test $({}/psql -XAt -h {} -p {} -U postgres -d {} -c \"SELECT count(*) FROM "
                    "res_partner WHERE name = 'after'\") = 1",
                    sample_->postgres.bin(), sample_->postgres.host(), sample_->postgres.port(), name_)};
    sample_->config.odoo = {odoo};
    const auto done = roll_back(back_to(differential, name_));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().facts().at("reverted"), "true");
    EXPECT_EQ(sample_->fingerprint(name_), before);
    EXPECT_EQ(sample_->leftovers(name_), "");
}

TEST_F(Rollback, ADamagedBaseIsFoundBeforeAnythingIsTouched) {
    const std::string full = taken(order());
    sample_->add_file(name_, "between");
    const std::string differential = taken(order());
    const std::string before = sample_->fingerprint(name_);
    const std::string file = own(full, "filestore.tar.zst");
    shell("chmod u+w " + file + "; printf X | dd of=" + file + " bs=1 seek=1000 conv=notrunc status=none");
    const auto done = roll_back(back_to(differential, name_));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().reason(), reason::kChecksumMismatch);
    EXPECT_EQ(sample_->fingerprint(name_), before);
    EXPECT_EQ(sample_->leftovers(name_), "");
}

TEST_F(Rollback, AMissingBaseIsSaidAtOnce) {
    const std::string full = taken(order());
    sample_->add_file(name_, "between");
    const std::string differential = taken(order());
    std::filesystem::remove_all(own(full));
    const auto done = roll_back(back_to(differential, name_));
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message(), HasSubstr("the full snapshot that it builds on"));
    EXPECT_NE(journal_->find(step::kValidateSnapshot), nullptr);
    EXPECT_EQ(journal_->find(step::kVerifyArtifacts), nullptr);
}

}  // namespace
}  // namespace backstay
