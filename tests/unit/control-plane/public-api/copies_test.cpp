// From where a backup is taken away.
#include "control-plane/public-api/copies.h"

#include <gtest/gtest.h>

#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::public_api {
namespace {

class CopiesTest : public ::testing::Test {
protected:
    CopiesTest() {
        call_.organization_id = world_.organization_id;
        call_.now = world_.now;
    }

    std::string destination(const std::string& type, const std::optional<std::string>& agent = {}) {
        store::DestinationRow row;
        row.id = new_uuid();
        row.organization_id = world_.organization_id;
        row.name = type + row.id;
        row.type = type;
        row.agent_id = agent;
        auto transaction = sql::Transaction::begin(world_.db()).value();
        EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, row));
        EXPECT_TRUE(transaction.commit());
        return row.id;
    }

    std::string another_agent() {
        store::Agent wanted;
        wanted.organization_id = world_.organization_id;
        wanted.name = wanted.hostname = "db2";
        return store::Agents(world_.db()).create(wanted, "hash2", world_.now).value().id;
    }

    // Of this world's agent, whole in each of them.
    Item backup(const std::vector<std::string>& destinations) {
        operations::BackupRow row;
        row.scope = "db";
        row.status = "completed";
        row.trigger_kind = "manual";
        row.created_at = world_.now;
        row.project_id = world_.environment.project_id;
        const std::string id = world_.add_backup(row);
        for (const std::string& place : destinations) {
            for (const std::string artifact : {"db", "manifest"}) {
                CopyRecord copy;
                copy.destination_id = place;
                copy.artifact = artifact;
                copy.state = CopyState::verified;
                copy.key = "folder/" + artifact;
                EXPECT_TRUE(operations::put_copy(world_.db(), id, copy, world_.now));
            }
        }
        return {{id, false, "completed", "manual"}, world_.backup(id), {}};
    }

    std::string chosen(const Item& item, const std::optional<std::string>& reader = {}) {
        auto copy = best_copy(call_, world_.db(), item, reader);
        return copy ? copy->destination.id : copy.error().reason();
    }

    dispatch::World world_;
    api::Call call_;
};

TEST_F(CopiesTest, AStoreIsBetterThanAHost) {
    const std::string host = destination("local");
    const std::string files = destination("sftp");
    EXPECT_EQ(chosen(backup({host})), host);
    EXPECT_EQ(chosen(backup({host, files})), files);
    EXPECT_EQ(chosen(backup({host, files, destination("s3")})).size(), files.size());
    EXPECT_EQ(chosen(backup({})), "not_downloadable");
}

TEST_F(CopiesTest, AFolderOfAnotherHostHoldsNothingOfIt) {
    const std::string other = another_agent();
    const std::string here = destination("local", world_.agent.id);
    const std::string there = destination("local", other);
    EXPECT_EQ(chosen(backup({here})), here);
    EXPECT_EQ(chosen(backup({there})), "not_downloadable");
    EXPECT_EQ(chosen(backup({there, here})), here);
    EXPECT_EQ(chosen(backup({destination("local")})), "not_downloadable") << "nobody knows whose folder it is";
}

TEST_F(CopiesTest, TheAgentThatReadsItKnowsItsOwnFolders) {
    const std::string other = another_agent();
    const std::string shared = destination("local");
    EXPECT_EQ(chosen(backup({shared}), world_.agent.id), shared);
    EXPECT_EQ(chosen(backup({shared}), other), "not_downloadable");
}

}  // namespace
}  // namespace backstay::public_api
