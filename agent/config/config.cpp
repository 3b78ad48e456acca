// toml++'s home in the agent: it costs seconds of compile time, so that this file only turns TOML into Sections.
#include "agent/config/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "agent/config/config_checks.h"
#include "agent/config/section.h"
#include "common/files/files.h"

namespace backstay {
namespace config {
namespace {

constexpr std::size_t kFileMax = 1 << 20;

Value value_of(const toml::node& node) {
    Value value;
    value.line = node.source().begin.line;
    if (const auto* flag = node.as_boolean()) value.held = flag->get();
    if (const auto* number = node.as_integer()) value.held = number->get();
    if (const auto* real = node.as_floating_point()) value.held = real->get();
    if (const auto* text = node.as_string()) value.held = text->get();
    if (const auto* array = node.as_array()) {
        std::vector<std::string> list;
        for (const toml::node& item : *array) {
            const auto* text = item.as_string();
            if (text == nullptr) return value;
            list.push_back(text->get());
        }
        value.held = std::move(list);
    }
    return value;
}

Section section_of(std::string title, const toml::table& table, Faults& faults) {
    std::map<std::string, Value> values;
    for (const auto& [key, node] : table) {
        if (node.is_table() || node.is_array_of_tables()) continue;
        values.emplace(std::string(key.str()), value_of(node));
    }
    Section section(std::move(title), table.source().begin.line, std::move(values), faults);
    for (const auto& [key, node] : table) {
        if (node.is_table() || node.is_array_of_tables()) {
            section.fault(key.str(), "must not be a table", node.source().begin.line);
        }
    }
    return section;
}

using ReadOne = void (*)(Section&, AgentConfig&);

void read_each(const toml::node& node, std::string_view name, ReadOne read, AgentConfig& config, Faults& faults) {
    const toml::array* array = node.as_array();
    if (array == nullptr || !node.is_array_of_tables()) {
        faults.push_back({node.source().begin.line, fmt::format("{0}: write each one as [[{0}]]", name)});
        return;
    }
    for (const toml::node& item : *array) {
        Section section = section_of(fmt::format("[[{}]]", name), *item.as_table(), faults);
        read(section, config);
    }
}

void read_one(const toml::node& node, std::string_view name, ReadOne read, AgentConfig& config, Faults& faults) {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
        faults.push_back({node.source().begin.line, fmt::format("{0}: write it as [{0}]", name)});
        return;
    }
    Section section = section_of(fmt::format("[{}]", name), *table, faults);
    read(section, config);
}

void read_limits_of(Section& section, AgentConfig& config) { read_limits(section, config.limits); }

void read_tables(const toml::table& file, AgentConfig& config, Faults& faults) {
    for (const auto& [key, node] : file) {
        if (key.str() == "control_plane")
            read_one(node, key.str(), read_control_plane, config, faults);
        else if (key.str() == "limits")
            read_one(node, key.str(), read_limits_of, config, faults);
        else if (key.str() == "cluster")
            read_each(node, key.str(), read_cluster, config, faults);
        else if (key.str() == "odoo")
            read_each(node, key.str(), read_odoo, config, faults);
        else if (key.str() == "destination")
            read_each(node, key.str(), read_destination, config, faults);
        else if (key.str() == "wal")
            read_each(node, key.str(), read_wal, config, faults);
        else if (node.is_table() || node.is_array_of_tables()) {
            faults.push_back({node.source().begin.line, fmt::format("[{}]: is not known here", key.str())});
        }
    }
}

void read_top_of(const toml::table& file, AgentConfig& config, Faults& faults) {
    std::map<std::string, Value> values;
    for (const auto& [key, node] : file) {
        if (!node.is_table() && !node.is_array_of_tables()) values.emplace(std::string(key.str()), value_of(node));
    }
    for (const char* table : {"control_plane", "limits", "cluster", "odoo", "destination", "wal"}) values.erase(table);
    Section top("", 0, std::move(values), faults);
    read_top(top, config);
}

Error to_error(const std::string& path, Faults faults) {
    std::stable_sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) { return a.line < b.line; });
    std::string text = fmt::format("{} has {} fault{}", path, faults.size(), faults.size() == 1 ? "" : "s");
    for (const Fault& fault : faults) {
        text += fault.line != 0 ? fmt::format("\n  line {}: {}", fault.line, fault.text)
                                : fmt::format("\n  {}", fault.text);
    }
    return Error(Errc::invalid, text);
}

}  // namespace
}  // namespace config

Result<AgentConfig> load_agent_config(const std::string& file) {
    const std::string text = TRY(read_file(file, config::kFileMax).context("read the configuration"));
    AgentConfig loaded;
    config::Faults faults;
    try {
        const toml::table table = toml::parse(text);
        config::read_top_of(table, loaded, faults);
        config::read_tables(table, loaded, faults);
    } catch (const toml::parse_error& error) {
        faults.push_back({error.source().begin.line, std::string(error.description())});
    }
    if (faults.empty()) config::check_whole(loaded, faults);
    if (!faults.empty()) return config::to_error(file, std::move(faults));
    return loaded;
}

std::vector<DestinationOrder> wal_destinations(const AgentConfig& config, const WalConfig& wal) {
    if (wal.destinations.empty()) return config.destinations;
    std::vector<DestinationOrder> chosen;
    for (const DestinationOrder& destination : config.destinations) {
        const bool named = std::any_of(wal.destinations.begin(), wal.destinations.end(), [&](const std::string& name) {
            return name == destination.id || name == destination.name;
        });
        if (named) chosen.push_back(destination);
    }
    return chosen;
}

const WalConfig* find_wal(const AgentConfig& config, const std::string& cluster) {
    const auto found = std::find_if(config.wal.begin(), config.wal.end(),
                                    [&](const WalConfig& wal) { return wal.cluster == cluster; });
    return found == config.wal.end() ? nullptr : &*found;
}

std::string snapshot_folder(const AgentConfig& config) {
    return config.snapshot_dir.empty() ? config.state_dir + "/snapshots" : config.snapshot_dir;
}

std::string scratch_folder(const AgentConfig& config) {
    return config.scratch_dir.empty() ? config.state_dir + "/scratch" : config.scratch_dir;
}

}  // namespace backstay
