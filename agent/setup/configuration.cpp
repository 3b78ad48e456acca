#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "agent/setup/config_text.h"
#include "agent/setup/settings_text.h"
#include "agent/setup/setup.h"
#include "common/files/files.h"

namespace backstay::setup {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileMax = 1 << 20;

struct Draft {
    std::string text;
    AgentConfig config;
    std::vector<std::string> changes;

    Result<> set(const std::string& table, std::size_t nth, const std::string& key, const std::string& value) {
        const std::string line = fmt::format("{} = {}", key, value);
        auto changed = set_value(text, table, nth, key, value);
        if (!changed && nth == 0 && table.starts_with('[') && !table.starts_with("[[")) {
            changed = append_table(text, fmt::format("{}\n{}\n", table, line));
        }
        if (!changed)
            return Error(Errc::invalid, fmt::format("{} {} cannot be changed here", table, key))
                .with_hint(fmt::format("write it into the file yourself: {} {}", table, line));
        text = *changed;
        changes.push_back(table.empty() ? line : fmt::format("{} {}", table, line));
        return {};
    }
    void append(const std::string& table, const std::vector<std::string>& lines) {
        std::string block = table + "\n", told = table;
        for (const std::string& line : lines) {
            block += line + "\n";
            told += " " + line;
        }
        text = append_table(text, block);
        changes.push_back(told);
    }
};

Result<AgentConfig> parse(const std::string& text) {
    const backstay::TempDir folder = TRY(backstay::TempDir::create("/tmp", "backstay-setup-"));
    const std::string path = folder.path() + "/agent.toml";
    TRY(atomic_write(path, text, 0600));
    auto config = load_agent_config(path);
    if (config) return config;
    std::string told = config.error().message();
    if (told.starts_with(path)) told.replace(0, path.size(), "the configuration");
    return Error(config.error().code(), told);
}

bool same_place(const ClusterConfig& one, const ClusterConfig& other) {
    std::error_code ignored;
    return one.port == other.port && (one.host == other.host || fs::weakly_canonical(one.host, ignored) ==
                                                                    fs::weakly_canonical(other.host, ignored));
}

std::string names_of(const std::vector<ClusterConfig>& clusters) {
    std::string names;
    for (const ClusterConfig& cluster : clusters) {
        names += fmt::format("{}{} ({}:{})", names.empty() ? "" : ", ", cluster.name, cluster.host, cluster.port);
    }
    return names;
}

// What runs here and would not be backed up: nothing to be done about where it is meant so.
std::string left_out(const AgentConfig& config, const std::vector<ClusterConfig>& found) {
    std::vector<ClusterConfig> others;
    for (const ClusterConfig& one : found) {
        const auto is_it = [&](const ClusterConfig& cluster) { return same_place(cluster, one); };
        if (std::none_of(config.clusters.begin(), config.clusters.end(), is_it)) others.push_back(one);
    }
    return others.empty() ? "" : "not backed up, until --cluster names it: " + names_of(others);
}

// The one that somebody asked for, or the only one there is where the configuration names one that is not there.
Result<std::optional<ClusterConfig>> meant(const Wishes& wishes, const AgentConfig& config,
                                           const std::vector<ClusterConfig>& found) {
    const auto among = [](const std::vector<ClusterConfig>& clusters, const auto& is) {
        return std::find_if(clusters.begin(), clusters.end(), is);
    };
    if (!wishes.cluster.empty()) {
        const auto named = [&](const ClusterConfig& cluster) {
            return cluster.name == wishes.cluster || std::to_string(cluster.port) == wishes.cluster;
        };
        if (among(config.clusters, named) != config.clusters.end()) return std::optional<ClusterConfig>();
        const auto one = among(found, named);
        if (one != found.end()) return std::optional(*one);
        return Error(Errc::invalid, fmt::format("no PostgreSQL '{}' was found", wishes.cluster))
            .with_hint(found.empty() ? "none was found at all: is one installed?" : "found: " + names_of(found));
    }
    const ClusterConfig usual;
    if (config.clusters.size() != 1 || !same_place(config.clusters.front(), usual)) {
        return std::optional<ClusterConfig>();
    }
    const bool there = among(found, [&](const ClusterConfig& one) { return same_place(one, usual); }) != found.end();
    if (there || found.empty()) return std::optional<ClusterConfig>();
    if (found.size() == 1) return std::optional(found.front());
    return Error(Errc::invalid, "none of the PostgreSQL servers of this host is the configured one")
        .with_hint("choose with --cluster: " + names_of(found));
}

Result<> choose_cluster(const Context& context, Draft& draft) {
    const auto found = find_clusters(context.places.clusters);
    const auto one = TRY(meant(context.wishes, draft.config, found));
    if (!one) return {};
    const auto& configured = draft.config.clusters;
    const bool known = std::any_of(configured.begin(), configured.end(),
                                   [&](const ClusterConfig& cluster) { return same_place(cluster, *one); });
    if (known) return {};
    const bool usual_is_gone = configured.size() == 1 && same_place(configured.front(), ClusterConfig()) &&
                               std::none_of(found.begin(), found.end(), [&](const ClusterConfig& cluster) {
                                   return same_place(cluster, configured.front());
                               });
    if (usual_is_gone) {
        TRY(draft.set("[[cluster]]", 0, "host", toml_text(one->host)));
        return draft.set("[[cluster]]", 0, "port", std::to_string(one->port));
    }
    draft.append("[[cluster]]", {"name = " + toml_text(one->name), "host = " + toml_text(one->host),
                                 fmt::format("port = {}", one->port)});
    return {};
}

std::string path_of(const DestinationOrder& destination) {
    const json::Value* path = destination.config.if_contains("path");
    return destination.type == "local" && path != nullptr && path->is_string() ? std::string(path->get_string()) : "";
}

bool is_empty_folder(const std::string& path) {
    std::error_code fault;
    return !fs::exists(path, fault) || fs::is_empty(path, fault);
}

Result<> choose_destination(const Wishes& wishes, Draft& draft) {
    const std::string& path = wishes.destination;
    if (path.empty()) return {};
    if (!path.starts_with('/') || path == "/" || path.find_first_of("\n\r") != std::string::npos) {
        return Error(Errc::invalid, fmt::format("--destination: '{}' is no absolute path of a folder", path));
    }
    std::error_code fault;
    if (fs::exists(path, fault) && !fs::is_directory(path, fault)) {
        return Error(Errc::invalid, fmt::format("--destination: {} is no folder", path));
    }
    const AgentConfig& config = draft.config;
    const bool allowed =
        std::any_of(config.local_roots.begin(), config.local_roots.end(),
                    [&](const std::string& root) { return path == root || path.starts_with(root + "/"); });
    if (!allowed) {
        auto roots = config.local_roots;
        roots.push_back(path);
        TRY(draft.set("", 0, "local_roots", toml_text(roots)));
    }
    const auto& all = config.destinations;
    if (std::any_of(all.begin(), all.end(), [&](const DestinationOrder& one) { return path_of(one) == path; })) {
        return {};
    }
    // What the package brings, and nobody has used.
    const bool unused =
        all.size() == 1 && path_of(all.front()) == "/var/backups/backstay" && is_empty_folder(path_of(all.front()));
    if (unused) return draft.set("[[destination]]", 0, "path", toml_text(path));
    std::string id = "disk";
    for (int number = 2; std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.id == id; }); ++number) {
        id = fmt::format("disk-{}", number);
    }
    draft.append("[[destination]]", {"id = " + toml_text(id), "type = \"local\"", "path = " + toml_text(path)});
    return {};
}

Result<> choose_odoo(const Wishes& wishes, Draft& draft) {
    std::error_code fault;
    if (!wishes.filestore.empty() && !fs::is_directory(wishes.filestore, fault)) {
        return Error(Errc::invalid, fmt::format("--filestore: {} is no folder", wishes.filestore))
            .with_hint("the one of this database, as …/filestore/shop");
    }
    if (!wishes.odoo_conf.empty() && !fs::is_regular_file(wishes.odoo_conf, fault)) {
        return Error(Errc::invalid, fmt::format("--odoo-conf: there is no file {}", wishes.odoo_conf));
    }
    const auto& all = draft.config.odoo;
    const auto place = static_cast<std::size_t>(
        std::find_if(all.begin(), all.end(), [&](const OdooConfig& odoo) { return odoo.database == wishes.database; }) -
        all.begin());
    std::vector<std::pair<std::string, std::string>> values;
    for (const auto& [key, wish, now] :
         {std::tuple{"filestore", wishes.filestore, place < all.size() ? all[place].filestore : ""},
          std::tuple{"odoo_conf", wishes.odoo_conf, place < all.size() ? all[place].odoo_conf : ""}}) {
        if (!wish.empty() && wish != now) values.emplace_back(key, wish);
    }
    if (values.empty()) return {};
    if (!wishes.filestore.empty() && wishes.database.empty()) {
        return Error(Errc::invalid, "--filestore is that of one database: name it with --database");
    }
    if (place < all.size()) {
        for (const auto& [key, wish] : values) TRY(draft.set("[[odoo]]", place, key, toml_text(wish)));
        return {};
    }
    std::vector<std::string> lines;
    if (!draft.config.clusters.empty()) lines.push_back("cluster = " + toml_text(draft.config.clusters.front().name));
    if (!wishes.database.empty()) lines.push_back("database = " + toml_text(wishes.database));
    for (const auto& [key, wish] : values) lines.push_back(fmt::format("{} = {}", key, toml_text(wish)));
    draft.append("[[odoo]]", lines);
    return {};
}

Result<Draft> edited(const Context& context, std::string text, AgentConfig config) {
    Draft draft{std::move(text), std::move(config), {}};
    TRY(choose_cluster(context, draft));
    TRY(choose_destination(context.wishes, draft));
    TRY(choose_odoo(context.wishes, draft));
    const std::string& url = context.wishes.url;
    if (!url.empty() && url != draft.config.control_plane_url) {
        TRY(draft.set("[control_plane]", 0, "url", toml_text(url)));
    }
    if (context.wishes.wal) {
        const AgentConfig so_far = TRY(parse(draft.text));
        for (const ClusterConfig& cluster :
             so_far.clusters.empty() ? find_clusters(context.places.clusters) : so_far.clusters) {
            if (find_wal(so_far, cluster.name) == nullptr)
                draft.append("[[wal]]", {"cluster = " + toml_text(cluster.name)});
        }
    }
    if (draft.changes.empty()) return draft;
    auto after = parse(draft.text);
    if (!after) return Error(std::move(after).error()).with_hint("nothing was written: another value is needed");
    draft.config = std::move(*after);
    return draft;
}

Result<> write(Host& host, const std::string& path, const std::string& text) {
    struct stat before {};
    const bool known = ::stat(path.c_str(), &before) == 0;
    const std::string folder = path.substr(0, path.rfind('/'));
    if (!known && !fs::exists(folder)) TRY(host.run({"install", "-d", "-m", "0755", folder}));
    TRY(atomic_write(path, text, known ? before.st_mode & 0777U : 0644));
    if (known && ::geteuid() == 0 && ::chown(path.c_str(), before.st_uid, before.st_gid) != 0) {
        return Error::from_errno(errno, path);
    }
    return {};
}

}  // namespace

Step configuration(Context& context) {
    const std::string& path = context.wishes.config;
    Step step{"configuration", "configuration " + path, "what is backed up, and where it goes"};
    auto text = read_file(path, kFileMax);
    const bool absent = !text && text.error().code() == Errc::not_found;
    if (!text && !absent) return Step::failed(step.name, step.about, text.error());
    std::string now = absent ? settings_text() : *text;
    auto config = absent ? parse(now) : load_agent_config(path);
    if (!config) {
        return Step::failed(step.name, step.about,
                            std::move(config).error().with_hint("mend each line, then run this again"));
    }
    auto draft = edited(context, std::move(now), std::move(*config));
    if (!draft) return Step::failed(step.name, step.about, draft.error());
    if (absent) step.changes.push_back(fmt::format("write {} with every key at its default", path));
    for (const std::string& change : draft->changes) step.changes.push_back(fmt::format("in {}: {}", path, change));
    context.config = draft->config;
    complete_clusters(context.config, context.places.clusters);
    step.hint = left_out(context.config, find_clusters(context.places.clusters));
    step.restarts = true;
    step.apply = [&host = context.host, path, after = draft->text] { return write(host, path, after); };
    return step;
}

}  // namespace backstay::setup
