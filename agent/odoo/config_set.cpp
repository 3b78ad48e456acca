#include "agent/odoo/config_set.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "common/files/files.h"
#include "common/json/json.h"
#include "common/process/subprocess.h"

namespace backstay::odoo {
namespace {

constexpr std::array<const char*, 3> kUnitFolders{"/etc/systemd/system", "/lib/systemd/system",
                                                  "/usr/lib/systemd/system"};
constexpr std::size_t kUnitMax = 64 << 10;

// The unit whose text names this odoo.conf, or one called odoo*.service.
void add_unit(const Location& location, std::vector<ConfigFile>& files) {
    for (const char* folder : kUnitFolders) {
        DIR* stream = ::opendir(folder);
        if (stream == nullptr) continue;
        std::vector<ConfigFile> found;
        while (const dirent* entry = ::readdir(stream)) {
            const std::string name = entry->d_name;
            if (!name.ends_with(".service")) continue;
            Result<std::string> text = read_file(fmt::format("{}/{}", folder, name), kUnitMax);
            if (!text) continue;
            const bool names_it = location.conf && text->find(location.conf->path) != std::string::npos;
            if (names_it || name.starts_with("odoo")) found.push_back({"systemd/" + name, redact_conf(*text)});
        }
        ::closedir(stream);
        files.insert(files.end(), found.begin(), found.end());
        if (!found.empty()) return;
    }
}

// The checked-out commit of the repository that holds `path`; empty when there is none.
std::string commit_of(const std::string& path) {
    ProcessSpec spec;
    // The owner of an addons folder is Odoo's user, which git would otherwise refuse to trust.
    // What its configuration names may therefore not be run.
    spec.argv = {"git",
                 "-c",
                 "safe.directory=*",
                 "-c",
                 "core.fsmonitor=false",
                 "-c",
                 "protocol.allow=never",
                 "-c",
                 "core.hooksPath=/dev/null",
                 "-C",
                 path,
                 "rev-parse",
                 "HEAD"};
    Result<std::string> out = run_tool(std::move(spec), 10'000, 4096);
    if (!out) return "";
    return out->substr(0, out->find('\n'));
}

json::Array module_names_of(const std::string& path) {
    json::Array names;
    DIR* stream = ::opendir(path.c_str());
    if (stream == nullptr) return names;
    while (const dirent* entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        const std::string manifest = fmt::format("{}/{}/__manifest__.py", path, name);
        if (name[0] != '.' && ::access(manifest.c_str(), R_OK) == 0) names.emplace_back(name);
    }
    ::closedir(stream);
    return names;
}

std::string addons_json(const std::vector<std::string>& paths) {
    json::Array addons;
    for (const std::string& path : paths) {
        json::Object entry;
        entry["path"] = path;
        const std::string commit = commit_of(path);
        if (!commit.empty()) entry["commit"] = commit;
        entry["modules"] = module_names_of(path);
        addons.push_back(std::move(entry));
    }
    return json::serialize_pretty(json::Value(std::move(addons)));
}

std::string modules_json(const Instance& instance) {
    json::Object modules;
    for (const auto& [name, version] : instance.modules) modules[name] = version;
    json::Object out;
    out["series"] = instance.series;
    out["modules"] = std::move(modules);
    return json::serialize_pretty(json::Value(std::move(out)));
}

}  // namespace

Result<std::vector<ConfigFile>> collect_config(const Location& location, const OdooConfig* configured,
                                               const std::optional<Instance>& instance, bool with_secrets) {
    std::vector<ConfigFile> files;
    std::vector<std::string> addons;
    if (location.conf) {
        files.push_back({"odoo.conf", with_secrets ? location.conf->text : redact_conf(location.conf->text)});
        addons = location.conf->addons_paths();
    }
    if (configured != nullptr && !configured->addons_paths.empty()) addons = configured->addons_paths;
    add_unit(location, files);
    if (instance) files.push_back({"modules.json", modules_json(*instance)});
    if (!addons.empty() || files.empty()) files.push_back({"addons.json", addons_json(addons)});
    return files;
}

}  // namespace backstay::odoo
