// What besides data makes this Odoo run: the members of config.tar.zst.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/odoo/instance.h"
#include "agent/odoo/location.h"
#include "common/result.h"

namespace backstay::odoo {

struct ConfigFile {
    std::string name;  // inside the archive
    std::string content;
};

// odoo.conf (its secrets only with `with_secrets`: when the archive is encrypted), the systemd unit that starts it,
// modules.json, addons.json (each addons path with its commit). What is not there is left out; answers at least one
// file.
Result<std::vector<ConfigFile>> collect_config(const Location& location, const OdooConfig* configured,
                                               const std::optional<Instance>& instance, bool with_secrets);

}  // namespace backstay::odoo
