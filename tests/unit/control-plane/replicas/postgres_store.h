// A store on a PostgreSQL of the suite's own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "control-plane/store/store.h"
#include "tests/support/private_postgres.h"

namespace backstay::testing {

class PostgresStore : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        postgres_ = std::make_unique<PrivatePostgres>();
        ASSERT_TRUE(store::prepare_store(url()));
    }
    static void TearDownTestSuite() { postgres_.reset(); }

    static std::string url() {
        return "postgresql://postgres@:" + postgres_->port() + "/postgres?host=" + postgres_->host();
    }
    // The server ends this connection, as when it is restarted.
    static void cut(sql::Database& db) {
        auto row = db.query("SELECT pg_backend_pid()").value();
        ASSERT_TRUE(row.step().value());
        postgres_->ask("postgres", "SELECT pg_terminate_backend(" + std::to_string(row.integer(0)) + ", 5000)");
    }

    static inline std::unique_ptr<PrivatePostgres> postgres_;
};

}  // namespace backstay::testing
