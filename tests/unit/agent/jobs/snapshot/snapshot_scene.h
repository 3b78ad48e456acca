// A small Odoo whose snapshots are taken and gone back to, with the agent's own shelf.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "agent/jobs/snapshots.h"
#include "agent/state/snapshots.h"
#include "agent/state/state.h"
#include "agent/worker/shelf.h"
#include "tests/unit/agent/jobs/restore/sample.h"

namespace backstay::testing {

class SnapshotScene : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        if (!sample_) sample_ = std::make_unique<Sample>();
    }

    void SetUp() override {
        name_ = fmt::format("shop{}", ++number_);
        sample_->make_source(name_, "odoo", 2);
        environment_.organization_id = "org";
        environment_.project_id = "project";
        environment_.environment_id = name_;
        environment_.name = name_;
        environment_.type = "production";
        environment_.database = name_;
        environment_.filestore = sample_->filestore(name_);
    }
    void TearDown() override { sample_->config.odoo.clear(); }

    SnapshotOrder order() const {
        SnapshotOrder order;
        order.snapshot_id = new_uuid();
        order.trigger = "manual";
        order.created_at = {sample_->clock.now_ms()};
        order.environment = environment_;
        return order;
    }

    // `instead`: another shelf than the agent's own.
    Result<SnapshotOutcome> take(const SnapshotOrder& order, snapshot::Shelf* instead = nullptr) {
        sqlite::Database database = open_state(sample_->config.state_dir).value();
        StateShelf shelf(database, sample_->clock, "socket");
        journal_ = std::make_unique<RememberingJournal>();
        ProgressMeter progress(sample_->clock, "snapshot", order.snapshot_id, "");
        Steps steps(*journal_, progress, sample_->clock, {});
        const JobHost host = sample_->host();
        return run_snapshot(order, host, steps, instead != nullptr ? *instead : shelf);
    }
    // Its id; a test that needs one fails without.
    std::string taken(const SnapshotOrder& order) {
        const auto made = take(order);
        EXPECT_TRUE(made) << (made ? "" : made.error().message());
        for (const std::string& why : journal_->verdict().why_not_green) ADD_FAILURE() << why;
        return order.snapshot_id;
    }
    std::string fact(std::string_view step, const std::string& key) const {
        const StepRecord* record = journal_->find(step);
        return record == nullptr || !record->facts.contains(key) ? "" : record->facts.at(key);
    }

    RollbackOrder back_to(const std::string& snapshot, const std::string& target) const {
        RollbackOrder order;
        order.rollback_id = new_uuid();
        order.snapshot_id = snapshot;
        order.folder = folder(snapshot);
        order.source = environment_;
        order.target = environment_;
        order.target.database = target;
        order.target.name = target;
        order.target.filestore = sample_->filestore(target);
        order.target_type = target == name_ ? "same" : "other";
        return order;
    }
    Result<RestoreOutcome> roll_back(const RollbackOrder& order) {
        journal_ = std::make_unique<RememberingJournal>();
        ProgressMeter progress(sample_->clock, "rollback", order.rollback_id, "");
        Steps steps(*journal_, progress, sample_->clock, {});
        const JobHost host = sample_->host();
        return run_rollback(order, host, steps, [&](const SnapshotOrder& safety) -> Result<SnapshotOutcome> {
            auto mine = std::move(journal_);
            auto made = take(safety);
            journal_ = std::move(mine);
            return made;
        });
    }

    Result<> remove(const std::string& snapshot, std::vector<DestinationOrder> destinations = {}) {
        sqlite::Database database = open_state(sample_->config.state_dir).value();
        StateShelf shelf(database, sample_->clock, "socket");
        DeleteSnapshotOrder order;
        order.deletion_id = new_uuid();
        order.snapshot_id = snapshot;
        order.folder = folder(snapshot);
        order.destinations = std::move(destinations);
        RememberingJournal journal;
        ProgressMeter progress(sample_->clock, "delete_snapshot", order.deletion_id, "");
        Steps steps(journal, progress, sample_->clock, {});
        const JobHost host = sample_->host();
        return run_delete_snapshot(order, host, steps, shelf);
    }

    std::string folder(const std::string& snapshot) const {
        return fmt::format("v1/org/project/{}/snapshots/{}", name_, snapshot);
    }
    std::string own_root() const { return snapshot_folder(sample_->config); }
    std::string own(const std::string& snapshot, const std::string& file = "") const {
        return own_root() + "/" + folder(snapshot) + (file.empty() ? "" : "/" + file);
    }
    std::set<std::string> members(const std::string& archive) const {
        std::istringstream lines(shell("zstd -dcq " + archive + " | tar -t"));
        std::set<std::string> found;
        for (std::string line; std::getline(lines, line);) found.insert(line);
        return found;
    }
    std::string in_filestore(const std::string& name) const { return sample_->filestore(name_) + "/" + name; }

    static inline std::unique_ptr<Sample> sample_;
    static inline int number_ = 0;
    std::string name_;
    EnvironmentOrder environment_;
    std::unique_ptr<RememberingJournal> journal_;
};

}  // namespace backstay::testing
