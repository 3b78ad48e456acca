// A store of a test's own: an SQLite file in its folder or, when the test program was started with BACKSTAY_TEST_STORE
// (tests/tools/with-postgres), a new schema in that PostgreSQL database. The same tests run on both.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "common/pq/connection.h"
#include "common/result.h"

namespace backstay::testing {

inline bool on_postgres() { return std::getenv("BACKSTAY_TEST_STORE") != nullptr; }

// What store::prepare_store takes; empty yet. The same name in the same folder is the same store.
inline std::string test_store(const std::string& folder, const std::string& name = "control.db") {
    if (!on_postgres()) return folder + "/" + name;
    const std::string url = std::getenv("BACKSTAY_TEST_STORE");
    pq::ConnectParameters parameters;
    parameters.url = url;
    auto connection = pq::Connection::connect(parameters).value();
    const std::string schema = folder + "/" + name;
    const auto made = connection.exec("CREATE SCHEMA IF NOT EXISTS " + pq::quote_identifier(schema));
    EXPECT_TRUE(made) << made.error().message();
    // In a URL a space of the option is %20, a backslash keeps it in one option.
    return url + (url.find('?') == std::string::npos ? "?" : "&") + "options=-csearch_path%3D%22" + schema + "%22";
}

}  // namespace backstay::testing
