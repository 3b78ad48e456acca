// Scans and clean-ups over a store in memory and the real database.
#include <gtest/gtest.h>

#include <functional>

#include "common/domain/layout.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/browse/scans.h"
#include "control-plane/browse/tally.h"
#include "control-plane/operations/rows.h"
#include "control-plane/store/replicas.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_storage.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::browse {
namespace {

constexpr TimeMs kDay = 86'400'000;

class ScanTest : public ::testing::Test {
protected:
    ScanTest() {
        row_.id = new_uuid();
        row_.organization_id = world_.organization_id;
        row_.name = "here";
        row_.type = "local";
        auto transaction = sql::Transaction::begin(world_.db()).value();
        EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, row_));
        EXPECT_TRUE(transaction.commit());
    }

    void put(const std::string& key, TimeMs age = kDay) {
        StringSource content("x");
        EXPECT_TRUE(storage_.put(key, content, {}));
        storage_.objects().at(key).modified_at = now_ - age;
    }

    // A finished backup with two files here; its folder.
    std::string backup(const std::vector<std::string>& destinations) {
        operations::BackupRow row;
        row.scope = "full";
        row.status = "completed";
        row.trigger_kind = "manual";
        row.created_at = now_ - kDay;
        row.project_id = world_.environment.project_id;
        const std::string id = world_.add_backup(row);
        ids_.push_back(id);
        const std::string folder = layout::backup_folder(
            {world_.organization_id, world_.environment.project_id, world_.environment.id}, now_ - kDay, id);
        for (const std::string& destination : destinations) {
            for (const std::string artifact : {"db", "manifest"}) {
                CopyRecord copy;
                copy.destination_id = destination;
                copy.artifact = artifact;
                copy.state = CopyState::verified;
                copy.key = folder + (artifact == "db" ? "/database.dump.zst" : "/manifest.json");
                EXPECT_TRUE(operations::put_copy(world_.db(), id, copy, now_ - kDay));
            }
        }
        return folder;
    }
    std::string stored_backup() {
        const std::string folder = backup({row_.id});
        put(folder + "/database.dump.zst");
        put(folder + "/manifest.json");
        return folder;
    }

    json::Object run(ScanKind kind, std::int64_t days = 0, Storage* other = nullptr) {
        clock_.set(now_);
        EXPECT_TRUE(queue_scan(world_.db(), row_, {kind, days, force_}, "somebody", now_));
        const auto scan = claim_scan(world_.db(), "r1", now_).value();
        EXPECT_TRUE(scan);
        Storage& storage = other == nullptr ? storage_ : *other;
        const auto ran = run_scan(world_.db(), *scan, storage, folder_.path() + "/list.db", clock_, stopping_);
        EXPECT_TRUE(ran) << ran.error().message();
        return latest_analytics(world_.db(), row_.id).value().get_object();
    }
    bool raised(std::string_view type) {
        return alerts::Alerts(world_.db()).was_raised(world_.organization_id, type, row_.id).value();
    }
    bool exists(std::size_t which) {
        return operations::find_backup(world_.db(), world_.organization_id, ids_.at(which)).value().has_value();
    }

    dispatch::World world_;
    const TimeMs now_ = world_.now + 100 * kDay;
    FakeClock clock_;
    testing::TempDir folder_;
    testing::MemoryStorage storage_;
    store::DestinationRow row_;
    std::vector<std::string> ids_;
    std::atomic<bool> stopping_ = false;
    bool force_ = false;
};

TEST_F(ScanTest, JoinsWhatIsThereWithWhatIsKnown) {
    stored_backup();
    put("stray");
    const json::Object found = run(ScanKind::look);
    EXPECT_EQ(found.at("status").as_string(), "ok");
    EXPECT_EQ(found.at("totalFiles").to_number<int>(), 3);
    EXPECT_EQ(found.at("linkedFiles").to_number<int>(), 2);
    EXPECT_EQ(found.at("orphanFiles").to_number<int>(), 1);
    EXPECT_EQ(found.at("staleRecords").to_number<int>(), 0);
    EXPECT_EQ(found.at("byEnvironment").as_array()[0].as_object().at("name").as_string(), "prod");
}

TEST_F(ScanTest, IsAloneInItsDestination) {
    EXPECT_TRUE(queue_scan(world_.db(), row_, {ScanKind::look, 0, false}, "a", now_));
    const auto second = queue_scan(world_.db(), row_, {ScanKind::orphans, 30, false}, "b", now_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().reason(), "scan_in_progress");
    const auto claimed = claim_scan(world_.db(), "r1", now_).value();
    EXPECT_FALSE(queue_scan(world_.db(), row_, {ScanKind::look, 0, false}, "c", now_));
    EXPECT_FALSE(claim_scan(world_.db(), "r1", now_).value()) << "handed out once";
    EXPECT_TRUE(end_interrupted(world_.db(), "r2", now_));
    EXPECT_TRUE(queue_scan(world_.db(), row_, {ScanKind::look, 0, false}, "d", now_)) << "a dead process holds nothing";
}

TEST_F(ScanTest, EndsOnlyWhatOtherReplicasLeftWhenTheyDied) {
    ASSERT_TRUE(store::Replicas(world_.db()).beat({"r1", "", "1", 0}, now_));
    ASSERT_TRUE(queue_scan(world_.db(), row_, {ScanKind::look, 0, false}, "a", now_));
    const auto scan = claim_scan(world_.db(), "r1", now_).value();
    ASSERT_TRUE(scan);
    EXPECT_FALSE(has_interrupted(world_.db(), "r2", now_).value()) << "r1 lives";
    EXPECT_TRUE(end_interrupted(world_.db(), "r2", now_));
    EXPECT_TRUE(is_running(world_.db(), *scan).value());
    const TimeMs later = now_ + store::kReplicaSilentMs;
    EXPECT_FALSE(has_interrupted(world_.db(), "r1", later).value()) << "its own";
    EXPECT_TRUE(has_interrupted(world_.db(), "r2", later).value());
    EXPECT_TRUE(end_interrupted(world_.db(), "r2", later));
    EXPECT_FALSE(is_running(world_.db(), *scan).value());
    EXPECT_TRUE(finish_scan(world_.db(), *scan, "ok", "", json::Object{{"x", 1}}, later));
    EXPECT_TRUE(latest_analytics(world_.db(), row_.id).value().is_null()) << "it comes too late";
}

TEST_F(ScanTest, CleansOrphansThatAreOldAndNothingElse) {
    const std::string folder = stored_backup();
    const std::string other = "v1/" + new_uuid() + "/p/e/backups/2020/01/01/" + new_uuid() + "/manifest.json";
    for (const std::string& key : {std::string("old"), std::string("young"), other,
                                   layout::cluster_folder(world_.organization_id, "7") + "/wal/00000001/x.zst"})
        put(key, key == "young" ? 29 * kDay : 40 * kDay);
    storage_.objects().at(folder + "/manifest.json").modified_at = now_ - 90 * kDay;
    const json::Object after = run(ScanKind::orphans, 30);
    EXPECT_FALSE(storage_.objects().contains("old"));
    EXPECT_TRUE(storage_.objects().contains("young"));
    EXPECT_TRUE(storage_.objects().contains(other)) << "another organization's";
    EXPECT_EQ(storage_.objects().size(), 5U) << "neither WAL nor what a backup needs";
    EXPECT_EQ(after.at("orphanFiles").to_number<int>(), 1);
    EXPECT_TRUE(raised(alerts::type::kOrphansRemoved));
}

TEST_F(ScanTest, KeepsWhatIsOfABackupThatItNeverHeardOfForThreeMonths) {
    const std::string folder = layout::backup_folder(
        {world_.organization_id, world_.environment.project_id, world_.environment.id}, now_ - kDay, new_uuid());
    put(folder + "/manifest.json", 89 * kDay);
    put(folder + "/old", 91 * kDay);
    const std::string deleted = stored_backup();
    storage_.objects().at(deleted + "/manifest.json").modified_at = now_ - 31 * kDay;
    ASSERT_TRUE(world_.db().run("UPDATE backups SET deleted_at = $2 WHERE id = $1", {ids_[0], now_ - kDay}));
    const json::Object after = run(ScanKind::orphans, 30);
    EXPECT_TRUE(storage_.objects().contains(folder + "/manifest.json")) << "its agent may still have to tell of it";
    EXPECT_FALSE(storage_.objects().contains(folder + "/old"));
    EXPECT_FALSE(storage_.objects().contains(deleted + "/manifest.json")) << "known to be deleted";
    EXPECT_EQ(after.at("orphanFiles").to_number<int>(), 1) << "the other file of the deleted one is too young";
    force_ = true;
    run(ScanKind::orphans, 90);
    EXPECT_TRUE(storage_.objects().contains(folder + "/manifest.json")) << "force does not shorten the window";
    run(ScanKind::orphans, 30);
    EXPECT_FALSE(storage_.objects().contains(folder + "/manifest.json"));
}

TEST_F(ScanTest, DropsCopiesWhoseFilesAreGoneAndBackupsThatHadNoOther) {
    stored_backup();
    backup({row_.id});
    backup({row_.id, "elsewhere"});
    const json::Object found = run(ScanKind::records);
    EXPECT_EQ(found.at("staleRecords").to_number<int>(), 2);
    EXPECT_TRUE(exists(0));
    EXPECT_FALSE(exists(1));
    EXPECT_TRUE(exists(2));
    const auto copies = operations::copies_of(world_.db(), ids_[2]).value();
    for (const CopyRecord& copy : copies) {
        EXPECT_EQ(copy.state, copy.destination_id == row_.id ? CopyState::missing : CopyState::verified);
    }
    EXPECT_TRUE(raised(alerts::type::kStaleRecordsRemoved));
    EXPECT_EQ(run(ScanKind::records).at("staleRecords").to_number<int>(), 0) << "told once";
}

TEST_F(ScanTest, DropsNothingWhenTooMuchIsMissing) {
    for (int i = 0; i < 5; ++i) backup({row_.id});
    const json::Object found = run(ScanKind::records);
    EXPECT_EQ(found.at("staleRecords").to_number<int>(), 5);
    EXPECT_FALSE(found.at("error").is_null());
    for (std::size_t i = 0; i < 5; ++i) EXPECT_TRUE(exists(i));
    EXPECT_TRUE(raised(alerts::type::kScanSuspicious));
    EXPECT_FALSE(raised(alerts::type::kStaleRecordsRemoved));
}

TEST_F(ScanTest, DropsNothingWhenThereIsNothing) {
    backup({row_.id});
    const json::Object found = run(ScanKind::records);
    EXPECT_FALSE(found.at("error").is_null());
    EXPECT_TRUE(exists(0)) << "the folder is not mounted";
    EXPECT_TRUE(raised(alerts::type::kScanSuspicious));
}

TEST_F(ScanTest, LooksInTheFolderOfAHostForWhatThatHostStoredOnly) {
    stored_backup();
    backup({row_.id});
    ASSERT_TRUE(world_.db().run("UPDATE backups SET agent_id = 'another' WHERE id = $1", {ids_[1]}));
    ASSERT_TRUE(world_.db().run("UPDATE destinations SET type = 'local', agent_id = $2 WHERE id = $1",
                                {row_.id, world_.environment.agent_id}));
    EXPECT_EQ(run(ScanKind::records).at("staleRecords").to_number<int>(), 0);
    EXPECT_TRUE(exists(1));
}

// Gives all to another one; a test overrides what is to go wrong.
class Wrapped : public Storage {
public:
    explicit Wrapped(Storage& inner) : inner_(inner) {}
    std::string_view kind() const override { return "s3"; }
    Result<ListPage> list(const ListQuery& query) override { return inner_.list(query); }
    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        return inner_.put(key, content, options);
    }
    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        return inner_.get(key, range, into);
    }
    Result<ObjectInfo> stat(std::string_view key) override { return inner_.stat(key); }
    Result<> remove(std::string_view key) override { return inner_.remove(key); }
    Result<std::uint64_t> sweep_leftovers(TimeMs at) override { return inner_.sweep_leftovers(at); }
    Result<std::optional<std::uint64_t>> free_bytes() override { return inner_.free_bytes(); }
    Result<std::optional<std::string>> presign_get(std::string_view, std::uint32_t, std::string_view) override {
        return std::optional<std::string>();
    }

protected:
    Storage& inner_;
};

// Its listings leave out what holds `hidden`.
class Forgetful final : public Wrapped {
public:
    Forgetful(Storage& inner, std::string hidden) : Wrapped(inner), hidden_(std::move(hidden)) {}
    Result<ListPage> list(const ListQuery& query) override {
        auto page = inner_.list(query);
        if (page)
            std::erase_if(page->objects,
                          [&](const ObjectInfo& one) { return one.key.find(hidden_) != std::string::npos; });
        return page;
    }
    Result<ObjectInfo> stat(std::string_view key) override {
        ++asked;
        if (failing) return Error(Errc::unavailable, "not now");
        if (meanwhile) meanwhile();
        return inner_.stat(key);
    }
    int asked = 0;
    bool failing = false;
    std::function<void()> meanwhile;

private:
    const std::string hidden_;
};

// Its first page is followed by itself.
class Repeating final : public Wrapped {
public:
    using Wrapped::Wrapped;
    Result<ListPage> list(const ListQuery&) override {
        auto page = inner_.list({});
        if (page) page->next = std::to_string(++pages_);
        return page;
    }

private:
    int pages_ = 0;
};

TEST_F(ScanTest, EndsWithAListingThatHasNoEndAndActsOnNothingOfIt) {
    put("uploads/old", 90 * kDay);
    Repeating storage(storage_);
    const json::Object analytics = run(ScanKind::orphans, 30, &storage);
    EXPECT_EQ(analytics.at("status").as_string(), "partial");
    EXPECT_EQ(storage_.objects().size(), 1U);
}

TEST_F(ScanTest, AsksForEachMissingFileByNameBeforeARecordGoes) {
    const std::string hidden = stored_backup();
    stored_backup();
    Forgetful storage(storage_, hidden);
    EXPECT_EQ(run(ScanKind::records, 0, &storage).at("staleRecords").to_number<int>(), 0);
    EXPECT_EQ(storage.asked, 2) << "only what the listing lacks";
    EXPECT_TRUE(exists(0));
    EXPECT_FALSE(raised(alerts::type::kStaleRecordsRemoved));

    ASSERT_TRUE(storage_.remove(hidden + "/database.dump.zst"));
    EXPECT_EQ(run(ScanKind::records, 0, &storage).at("staleRecords").to_number<int>(), 1);
    const auto copies = operations::copies_of(world_.db(), ids_[0]).value();
    for (const CopyRecord& copy : copies) {
        EXPECT_EQ(copy.state, copy.artifact == "db" ? CopyState::missing : CopyState::verified);
    }
}

TEST_F(ScanTest, KeepsWhatIsStoredAnewWhileItLooksAgain) {
    stored_backup();
    backup({row_.id});
    Forgetful storage(storage_, "nothing");
    storage.meanwhile = [&] {
        CopyRecord copy;
        copy.destination_id = row_.id;
        copy.artifact = "db";
        copy.state = CopyState::verified;
        copy.key = "anew";
        EXPECT_TRUE(operations::put_copy(world_.db(), ids_[1], copy, now_ + 1));
    };
    run(ScanKind::records, 0, &storage);
    EXPECT_TRUE(exists(1));
    const auto copies = operations::copies_of(world_.db(), ids_[1]).value();
    for (const CopyRecord& copy : copies) {
        EXPECT_EQ(copy.state, copy.artifact == "db" ? CopyState::verified : CopyState::missing);
    }
}

TEST_F(ScanTest, DropsNothingWhenTheDestinationDoesNotSay) {
    stored_backup();
    backup({row_.id});
    Forgetful storage(storage_, "nothing");
    storage.failing = true;
    const json::Object found = run(ScanKind::records, 0, &storage);
    EXPECT_EQ(found.at("staleRecords").to_number<int>(), 1);
    EXPECT_FALSE(found.at("error").is_null());
    EXPECT_TRUE(exists(1));
    EXPECT_FALSE(raised(alerts::type::kStaleRecordsRemoved));
}

TEST_F(ScanTest, ActsOnlyAfterACompleteListing) {
    class Breaking final : public Wrapped {
    public:
        using Wrapped::Wrapped;
        Result<ListPage> list(const ListQuery& query) override {
            if (!query.continue_after.empty()) return Error(Errc::unavailable, "gone");
            ListQuery small = query;
            small.max_entries = 1;
            return inner_.list(small);
        }
    };
    backup({row_.id});
    put("old-1", 50 * kDay);
    put("old-2", 50 * kDay);
    Breaking breaking(storage_);
    for (const ScanKind kind : {ScanKind::records, ScanKind::orphans}) {
        EXPECT_TRUE(queue_scan(world_.db(), row_, {kind, 30, false}, "somebody", now_));
        const auto scan = claim_scan(world_.db(), "r1", now_).value();
        EXPECT_TRUE(run_scan(world_.db(), *scan, breaking, folder_.path() + "/list.db", clock_, stopping_));
        EXPECT_EQ(latest_analytics(world_.db(), row_.id).value().get_object().at("status").as_string(), "partial");
    }
    EXPECT_EQ(storage_.objects().size(), 2U);
    EXPECT_TRUE(exists(0));
}

}  // namespace
}  // namespace backstay::browse
