// What every command opens first: settings, keys and the store of one installation, and how it prints.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/crypto/secret_box.h"
#include "common/json/json.h"
#include "common/result.h"
#include "common/sql/transaction.h"
#include "control-plane/cli/commands.h"
#include "control-plane/config/installation.h"
#include "control-plane/registry/registry.h"
#include "control-plane/store/organizations.h"

namespace backstay::cli {

struct Session {
    Settings settings;
    sql::Database db;
    TimeMs now = 0;

    static Result<Session> open(const Common& common);
    registry::Actor actor() const { return {"cli", "", now}; }
    // By slug; not_found with a hint.
    Result<store::Organization> organization(const std::string& slug);
};

// Lines of "key  value" for people.
using Lines = std::vector<std::pair<std::string, std::string>>;
void print(const Common& common, const json::Object& object, const Lines& lines);

// A table with a heading row for people, {name: […], "total": n} for programs.
void print_table(const Common& common, const json::Value& listing, const std::vector<std::string>& headings,
                 const std::vector<std::vector<std::string>>& rows);

}  // namespace backstay::cli
