#include "agent/odoo/location.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>

#include <array>
#include <vector>

#include "agent/postgres/cluster.h"

namespace backstay::odoo {
namespace {

constexpr std::array<const char*, 3> kConfPlaces{"/etc/odoo/odoo.conf", "/etc/odoo.conf", "/etc/odoo-server.conf"};

bool is_folder(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
}

// Odoo's default data_dir is its user's data folder; Debian's package gives it the home /var/lib/odoo.
std::vector<std::string> default_data_dirs() {
    std::vector<std::string> folders = {"/var/lib/odoo/.local/share/Odoo", "/var/lib/odoo"};
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16 * 1024);
    if (::getpwnam_r("odoo", &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        folders.insert(folders.begin(), std::string(found->pw_dir) + "/.local/share/Odoo");
    }
    return folders;
}

std::string find_filestore(const std::optional<Conf>& conf, const std::string& database) {
    std::vector<std::string> folders;
    if (conf) folders.push_back(conf->get("data_dir"));
    if (folders.empty() || folders.front().empty()) folders = default_data_dirs();
    for (const std::string& folder : folders) {
        std::string path = fmt::format("{}/filestore/{}", folder, database);
        if (is_folder(path)) return path;
    }
    return "";
}

}  // namespace

Result<Location> locate(const AgentConfig& config, const std::string& cluster, const std::string& database,
                        const std::optional<std::string>& named_filestore,
                        const std::optional<std::string>& named_conf) {
    const OdooConfig* entry = find_odoo(config, cluster, database);
    Location location;
    std::string conf_path = named_conf.value_or("");
    if (conf_path.empty() && entry != nullptr) conf_path = entry->odoo_conf;
    if (!conf_path.empty()) {
        location.conf = TRY(read_conf(conf_path));
    } else {
        for (const char* place : kConfPlaces) {
            Result<Conf> conf = read_conf(place);
            if (!conf) continue;
            location.conf = std::move(*conf);
            break;
        }
    }
    location.filestore = named_filestore.value_or("");
    if (location.filestore.empty() && entry != nullptr && entry->database == database) {
        location.filestore = entry->filestore;
    }
    if (location.filestore.empty()) location.filestore = find_filestore(location.conf, database);
    return location;
}

}  // namespace backstay::odoo
