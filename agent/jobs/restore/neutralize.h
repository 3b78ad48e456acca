// Makes a copy of an Odoo harmless before it may start: no mail, no crons, no payments (anchors: Odoo's own
// neutralize). Odoo's own SQL of the target host is taken, module by module; where the host has none for base, a
// built-in list is, and the evidence says so. The result is looked at, not believed.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/evidence/testimony.h"
#include "common/domain/orders.h"
#include "common/pq/connection.h"
#include "common/result.h"

namespace backstay::restore {

struct NeutralizeOptions {
    std::vector<std::string> addons_paths;  // where <module>/data/neutralize.sql may lie
    std::vector<std::string> own_sql;       // files of the admin, run last
    std::string role;                       // the database's owner; statements run as it
};

// What this host has to offer: addons of its configuration (`odoo`, may be null), of its odoo.conf, and Odoo's own.
NeutralizeOptions neutralize_options(const AgentConfig& config, const OdooConfig* odoo, const std::string& cluster,
                                     const EnvironmentOrder& environment);

// In one transaction: everything, or nothing and neutralize_failed. Leaves the proof neutralize:report.
Result<Testimony> neutralize(pq::Connection& database, const NeutralizeOptions& options);

// What still acts on the outside world; empty means neutral.
Result<std::vector<std::string>> find_active(pq::Connection& database);

// A copy is another database: new database.uuid, database.secret and database.create_date, as Odoo's own copy does.
Result<Testimony> renew_identity(pq::Connection& database);

// The statements of the built-in list that fit the tables and columns of this database.
Result<std::vector<std::string>> built_in_statements(pq::Connection& database);

}  // namespace backstay::restore
