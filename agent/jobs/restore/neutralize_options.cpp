#include "agent/jobs/restore/neutralize.h"
#include "agent/odoo/location.h"

namespace backstay::restore {
namespace {

constexpr const char* kDebianAddons = "/usr/lib/python3/dist-packages/odoo/addons";

}  // namespace

NeutralizeOptions neutralize_options(const AgentConfig& config, const OdooConfig* odoo, const std::string& cluster,
                                     const EnvironmentOrder& environment) {
    NeutralizeOptions options;
    if (odoo != nullptr) {
        options.addons_paths = odoo->addons_paths;
        options.own_sql = odoo->neutralize_sql;
    }
    if (options.addons_paths.empty() && !environment.database.empty()) {
        const auto place =
            odoo::locate(config, cluster, environment.database, environment.filestore, environment.odoo_conf);
        if (place && place->conf) options.addons_paths = place->conf->addons_paths();
    }
    // odoo.conf need not name the addons that come with Odoo.
    options.addons_paths.emplace_back(kDebianAddons);
    return options;
}

}  // namespace backstay::restore
