// Files taken out of a folder that another host has too.
#include "control-plane/browse/removal.h"

#include <gtest/gtest.h>

#include "common/domain/layout.h"
#include "control-plane/operations/rows.h"
#include "tests/support/memory_storage.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::browse {
namespace {

class RemovalTest : public ::testing::Test {
protected:
    RemovalTest() {
        call_.organization_id = world_.organization_id;
        call_.now = world_.now;
        row_.id = new_uuid();
        row_.organization_id = world_.organization_id;
        row_.name = row_.type = "local";
        auto transaction = sql::Transaction::begin(world_.db()).value();
        EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, row_));
        EXPECT_TRUE(transaction.commit());
    }

    // Of this world's agent; the key of its one file.
    std::string backup() {
        operations::BackupRow backup;
        backup.scope = "db";
        backup.status = "completed";
        backup.trigger_kind = "manual";
        backup.created_at = world_.now;
        backup.project_id = world_.environment.project_id;
        id_ = world_.add_backup(backup);
        CopyRecord copy;
        copy.destination_id = row_.id;
        copy.artifact = "db";
        copy.state = CopyState::verified;
        copy.key = key_of(id_);
        EXPECT_TRUE(operations::put_copy(world_.db(), id_, copy, world_.now));
        return copy.key;
    }
    std::string key_of(const std::string& id) const {
        return layout::backup_folder({world_.organization_id, world_.environment.project_id, world_.environment.id},
                                     world_.now, id) +
               "/database.dump.zst";
    }
    void put(const std::string& key) {
        StringSource content("x");
        EXPECT_TRUE(storage_.put(key, content, {}));
        storage_.objects().at(key).modified_at = world_.now;
    }
    std::string removed(const std::string& key, bool force) {
        const auto done = remove_file(call_, world_.db(), storage_, row_, key, force);
        return done ? "" : done.error().reason();
    }
    CopyState state() { return operations::copies_of(world_.db(), id_).value().at(0).state; }

    dispatch::World world_;
    testing::MemoryStorage storage_;
    store::DestinationRow row_;
    api::Call call_;
    std::string id_;
};

TEST_F(RemovalTest, OfWhatABackupNeedsIsForced) {
    const std::string key = backup();
    put(key);
    EXPECT_EQ(removed(key, false), "file_referenced");
    EXPECT_EQ(removed(key, true), "");
    EXPECT_EQ(state(), CopyState::missing);
    EXPECT_EQ(removed(key, true), "file_not_found");
}

TEST_F(RemovalTest, OfABackupThatNobodyToldOfIsForcedToo) {
    const std::string key = key_of(new_uuid());
    put(key);
    EXPECT_EQ(removed(key, false), "file_referenced");
    storage_.objects().at(key).modified_at = world_.now - 91LL * 86'400'000;
    EXPECT_EQ(removed(key, false), "");
}

TEST_F(RemovalTest, InAFolderOfAnotherHostCostsABackupNothing) {
    const std::string key = backup();
    put(key);
    ASSERT_TRUE(world_.db().run("UPDATE backups SET agent_id = 'another' WHERE id = $1", {id_}));
    EXPECT_EQ(removed(key, true), "");
    EXPECT_EQ(state(), CopyState::verified);
}

}  // namespace
}  // namespace backstay::browse
