#include "agent/odoo/instance.h"

#include <fmt/format.h>

namespace backstay::odoo {
namespace {

constexpr std::string_view kIsOdoo = R"(
SELECT count(*) FROM pg_class WHERE relname IN ('ir_module_module', 'ir_config_parameter', 'ir_attachment')
   AND relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace)";

constexpr std::string_view kModules = R"(
SELECT name, state, coalesce(latest_version, '') FROM public.ir_module_module
 WHERE state IN ('installed', 'to upgrade', 'to remove', 'to install') ORDER BY name)";

constexpr std::string_view kParameters = R"(
SELECT key, coalesce(value, '') FROM public.ir_config_parameter
 WHERE key IN ('database.uuid', 'database.is_neutralized'))";

// "17.0.1.3" → "17.0"; "saas~17.2.1.0" → "saas~17.2"
std::string series_of(std::string_view version) {
    std::size_t at = version.find('.');
    if (at == std::string_view::npos) return std::string(version);
    at = version.find('.', at + 1);
    return std::string(version.substr(0, at));
}

}  // namespace

Result<std::optional<Instance>> read_instance(pq::Connection& connection) {
    const pq::Rows tables = TRY(connection.query(kIsOdoo).context("look for Odoo"));
    if (tables.text(0, 0) != "3") return std::optional<Instance>();
    Instance instance;
    const pq::Rows modules = TRY(connection.query(kModules).context("read Odoo's modules"));
    for (std::size_t i = 0; i < modules.size(); ++i) {
        const std::string name(modules.text(i, 0));
        const std::string_view state = modules.text(i, 1);
        if (state == "installed") instance.modules.emplace(name, modules.text(i, 2));
        if (state != "installed") instance.modules_in_transition.push_back(fmt::format("{} ({})", name, state));
        if (state != "to install") instance.modules_to_neutralize.push_back(name);
        if (name == "base") instance.series = series_of(modules.text(i, 2));
    }
    const pq::Rows parameters = TRY(connection.query(kParameters).context("read Odoo's parameters"));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const std::string_view value = parameters.text(i, 1);
        if (parameters.text(i, 0) == "database.uuid") instance.uuid = value;
        if (parameters.text(i, 0) == "database.is_neutralized") {
            instance.neutralized = value == "true" || value == "True" || value == "1";
        }
    }
    return std::optional<Instance>(std::move(instance));
}

OdooManifest odoo_manifest(const Instance& instance, const std::string& database, std::int32_t server_version_num) {
    OdooManifest manifest;
    manifest.db_name = database;
    manifest.version = instance.series;
    manifest.major_version = instance.series;
    const std::size_t dot = instance.series.find('.');
    manifest.version_info = {instance.series.substr(0, dot),
                             dot == std::string::npos ? "0" : instance.series.substr(dot + 1),
                             "0",
                             "final",
                             "0",
                             ""};
    manifest.pg_version = fmt::format("{}.{}", server_version_num / 10'000, server_version_num % 10'000);
    manifest.modules = instance.modules;
    return manifest;
}

}  // namespace backstay::odoo
