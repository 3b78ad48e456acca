// A real store in a folder of its own, with two organizations.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "common/sql/transaction.h"
#include "control-plane/registry/registry.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/store.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace backstay::testing {

class StoreTest : public ::testing::Test {
protected:
    void SetUp() override {
        path_ = test_store(folder_.path());
        ASSERT_TRUE(store::prepare_store(path_));
        auto opened = store::open_store(path_);
        ASSERT_TRUE(opened) << opened.error().message();
        db_.emplace(std::move(*opened));
        acme_ = store::Organizations(*db_).create("acme", "Acme", kNow).value().id;
        other_ = store::Organizations(*db_).create("other", "Other", kNow).value().id;
    }

    std::string make_project(const std::string& organization, const std::string& name) {
        return store::Projects(*db_).create(organization, name, "", kNow).value().id;
    }
    std::string make_agent(const std::string& organization, const std::string& name,
                           const std::string& credential_hash = "") {
        store::Agent agent;
        agent.organization_id = organization;
        agent.name = name;
        agent.hostname = name;
        agent.version = "0.1";
        return store::Agents(*db_)
            .create(agent, credential_hash.empty() ? "hash of " + organization + name : credential_hash, kNow)
            .value()
            .id;
    }
    // Runs `change(transaction)` and commits when it succeeds.
    template <class Change>
    auto committed(Change change) -> decltype(change(std::declval<sql::Transaction&>())) {
        auto transaction = sql::Transaction::begin(*db_);
        if (!transaction) return transaction.error();
        auto done = change(*transaction);
        if (!done) return done;
        auto committed = transaction->commit();
        if (!committed) return committed.error();
        return done;
    }
    static store::AuditFilter trail_of(const std::string& organization) {
        store::AuditFilter filter;
        filter.organization_id = organization;
        return filter;
    }
    registry::Actor actor() const { return {"tester", "request-1", kNow}; }

    static constexpr TimeMs kNow = 1'800'000'000'000;
    TempDir folder_;
    std::string path_;
    std::optional<sql::Database> db_;
    std::string acme_;
    std::string other_;
};

}  // namespace backstay::testing
