#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "agent/setup/setup.h"
#include "common/process/account.h"

namespace backstay::setup {
namespace {

bool is_below(const std::string& path, const std::string& folder) {
    return path == folder || path.starts_with(folder + "/");
}

// The state, and where backups lie on this host.
std::vector<std::string> wanted(const AgentConfig& config) {
    std::vector<std::string> all = {config.state_dir};
    for (const std::string& root : config.local_roots) all.push_back(root);
    for (const DestinationOrder& destination : config.destinations) {
        const json::Value* path = destination.config.if_contains("path");
        if (destination.type != "local" || path == nullptr || !path->is_string()) continue;
        const std::string folder(path->get_string());
        // Below a folder of its own the agent makes what it needs.
        const bool made =
            std::any_of(all.begin(), all.end(), [&](const std::string& other) { return is_below(folder, other); });
        if (!made) all.push_back(folder);
    }
    return all;
}

// The folder above `path` in which somebody other than root or the agent could exchange what is made there; "": none.
std::string exchangeable(const std::string& path, uid_t agent) {
    for (std::filesystem::path at = std::filesystem::path(path).parent_path(); at.has_relative_path();
         at = at.parent_path()) {
        struct stat about {};
        if (::stat(at.c_str(), &about) != 0) continue;  // made with it
        const bool trusted = about.st_uid == 0 || about.st_uid == agent || about.st_uid == ::geteuid();
        const bool open = (about.st_mode & 0022U) != 0 && (about.st_mode & S_ISVTX) == 0;
        if (!trusted || open) return at.string();
    }
    return "";
}

}  // namespace

std::vector<Step> folders(Context& context) {
    const std::string& account = context.wishes.account;
    const auto uid = account_named(account);
    const std::string group = std::to_string(group_of_account(account).value_or(0));
    Step step{"folders", "folders of the agent",
              "its state, and where backups lie on this host; what is made is closed to others"};
    Commands commands;
    for (const std::string& folder : wanted(context.config)) {
        struct stat about {};
        if (::stat(folder.c_str(), &about) != 0) {
            if (errno != ENOENT) return {Step::failed(step.name, step.about, Error::from_errno(errno, folder))};
            if (const std::string other = exchangeable(folder, uid.value_or(0)); !other.empty()) {
                step.left.push_back(
                    fmt::format("{} is not made: {} is not root's alone, whoever may write there could "
                                "put another folder in its place",
                                folder, other));
                continue;
            }
            commands.add({"install", "-d", "-o", account, "-g", group, "-m", "0700", folder});
        } else if (!S_ISDIR(about.st_mode)) {
            return {Step::failed(step.name, step.about, Error(Errc::invalid, folder + " is no folder"))};
        } else if (uid && about.st_uid != *uid && *uid != 0 && (about.st_mode & 0003U) != 0003U &&
                   !context.host.may_write(folder)) {
            step.left.push_back(fmt::format("{} cannot be written by {}: chown {}: {}, if nobody else needs it", folder,
                                            account, account, shell_word(folder)));
        }
    }
    step.changes = commands.told();
    step.apply = [&host = context.host, commands] { return commands.apply(host); };
    return {step};
}

}  // namespace backstay::setup
