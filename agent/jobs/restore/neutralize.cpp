#include "agent/jobs/restore/neutralize.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/odoo/instance.h"
#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "common/ids.h"
#include "common/pq/quote.h"

namespace backstay::restore {
namespace {

constexpr std::size_t kSqlMax = 4 << 20;

Error failed(std::string message) {
    return Error(Errc::conflict, std::move(message)).with_reason(reason::kNeutralizeFailed);
}

struct Sql {
    std::string from;  // module or file
    std::string text;
};

// Module names become path segments.
bool is_module_name(std::string_view name) {
    return !name.empty() &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               std::string_view::npos &&
           name.front() != '.';
}

Result<std::vector<Sql>> odoo_sql(const std::vector<std::string>& modules, const std::vector<std::string>& paths) {
    std::vector<Sql> found;
    for (const std::string& module : modules) {
        if (!is_module_name(module)) continue;
        for (const std::string& path : paths) {
            auto text = read_file(fmt::format("{}/{}/data/neutralize.sql", path, module), kSqlMax);
            if (!text) {
                if (text.error().code() == Errc::not_found) continue;
                return std::move(text).error();
            }
            found.push_back({module, std::move(*text)});
            break;  // the first path that has the module wins, as in Odoo
        }
    }
    return found;
}

bool has_base(const std::vector<Sql>& sql) {
    return std::any_of(sql.begin(), sql.end(), [](const Sql& one) { return one.from == "base"; });
}

struct Ask {
    std::string_view table;
    std::string_view what;
    std::string_view sql;
};
constexpr auto kAsks = std::to_array<Ask>({
    {"ir_cron", "active crons",
     "SELECT count(*) FROM ir_cron WHERE active AND id NOT IN (SELECT res_id FROM ir_model_data WHERE model = 'ir.cron'"
     " AND module = 'base' AND name = 'autovacuum_job')"},
    {"ir_mail_server", "active mail servers",
     "SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host IS DISTINCT FROM 'invalid'"},
    {"fetchmail_server", "active incoming mail servers", "SELECT count(*) FROM fetchmail_server WHERE active"},
    {"payment_provider", "enabled payment providers", "SELECT count(*) FROM payment_provider WHERE state = 'enabled'"},
    {"payment_acquirer", "enabled payment acquirers", "SELECT count(*) FROM payment_acquirer WHERE state = 'enabled'"},
});

Result<> run(pq::Connection& database, const std::vector<Sql>& all) {
    for (const Sql& sql : all) {
        TRY(database.exec(sql.text).context("neutralize.sql of " + sql.from).reason(reason::kNeutralizeFailed));
    }
    return {};
}

Result<std::vector<Sql>> admin_sql(const std::vector<std::string>& files) {
    std::vector<Sql> own;
    for (const std::string& path : files) {
        std::string text = TRY(read_file(path, kSqlMax).reason(reason::kNeutralizeFailed));
        own.push_back({path, std::move(text)});
    }
    return own;
}

Testimony report(std::string_view used, const std::vector<Sql>& sql, const std::vector<Sql>& own) {
    Testimony testimony;
    std::vector<std::string> names;
    for (const Sql& one : sql) names.push_back(one.from);
    testimony.summary = fmt::format("{}{}; no active cron, mail server or payment provider is left", used,
                                    own.empty() ? "" : fmt::format(" and {} file(s) of this host", own.size()));
    testimony.facts = {{"used", std::string(used)},
                       {"modules", fmt::format("{}", fmt::join(names, " "))},
                       {"own_files", std::to_string(own.size())}};
    testimony.proofs = {"neutralize:report"};
    return testimony;
}

}  // namespace

Result<std::vector<std::string>> find_active(pq::Connection& database) {
    std::vector<std::string> active;
    for (const Ask& ask : kAsks) {
        const pq::Rows there = TRY(database.query("SELECT to_regclass($1) IS NOT NULL", {std::string(ask.table)}));
        if (!there.boolean(0, 0)) continue;
        const pq::Rows count = TRY(database.query(ask.sql));
        if (count.text(0, 0) != "0") active.push_back(fmt::format("{} {}", count.text(0, 0), ask.what));
    }
    const auto instance = TRY(odoo::read_instance(database));
    if (instance && !instance->neutralized) active.emplace_back("database.is_neutralized is not set");
    return active;
}

Result<Testimony> neutralize(pq::Connection& database, const NeutralizeOptions& options) {
    const auto instance = TRY(odoo::read_instance(database));
    const std::vector<Sql> own = TRY(admin_sql(options.own_sql));
    std::vector<Sql> sql;
    std::string used = "no Odoo lives in this database";
    if (instance) {
        sql = TRY(odoo_sql(instance->modules_to_neutralize, options.addons_paths));
        used = fmt::format("Odoo's own neutralize.sql of {} modules", sql.size());
        if (!has_base(sql)) {
            std::vector<Sql> built_in;
            for (std::string& statement : TRY(built_in_statements(database))) {
                built_in.push_back({"built-in list", std::move(statement)});
            }
            used = sql.empty() ? "built-in list (this host's addons hold no neutralize.sql of base)"
                               : fmt::format("built-in list and neutralize.sql of {} modules", sql.size());
            sql.insert(sql.begin(), built_in.begin(), built_in.end());
        }
    }
    auto transaction = TRY(pq::Transaction::begin(database));
    if (!options.role.empty()) TRY(database.exec("SET LOCAL ROLE " + pq::quote_identifier(options.role)));
    TRY(run(database, sql));
    TRY(run(database, own));
    const std::vector<std::string> active = TRY(find_active(database));
    if (!active.empty()) return failed(fmt::format("still active afterwards: {}", fmt::join(active, ", ")));
    TRY(transaction.commit());
    return report(used, sql, own);
}

Result<Testimony> renew_identity(pq::Connection& database) {
    Testimony testimony;
    const auto instance = TRY(odoo::read_instance(database));
    if (!instance) {
        testimony.summary = "no Odoo lives in this database";
        return testimony;
    }
    const std::string uuid = new_uuid();
    auto transaction = TRY(pq::Transaction::begin(database));
    TRY(database.query("UPDATE ir_config_parameter SET value = $1 WHERE key = 'database.uuid'", {uuid}));
    TRY(database.query("UPDATE ir_config_parameter SET value = $1 WHERE key = 'database.secret'", {new_uuid()}));
    TRY(database.exec(
        "UPDATE ir_config_parameter SET value = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
        " WHERE key = 'database.create_date'"));
    TRY(transaction.commit());
    testimony.summary = fmt::format("database.uuid is {} now, was {}", uuid, instance->uuid);
    testimony.facts = {{"database_uuid", uuid}, {"source_uuid", instance->uuid}};
    return testimony;
}

}  // namespace backstay::restore
