#include "agent/local-api/check_host.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agent/state/identity.h"
#include "common/files/files.h"
#include "common/files/rights.h"
#include "common/human.h"
#include "common/process/account.h"

namespace backstay::local_api {
namespace {

constexpr const char* kDropIn =
    "systemctl edit backstay-agent: [Service] ReadWritePaths={}, then restart it; its folder must belong to {} or to a "
    "group of it";

std::string account() { return fmt::format("uid {}", ::geteuid()); }

struct Group {
    bool exists = false;
    bool ours = false;
};

Group find_group(const std::string& name) {
    const auto id = group_named(name);
    if (!id) return {};
    std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    groups.resize(static_cast<std::size_t>(std::max(count, 0)));
    const bool member = std::find(groups.begin(), groups.end(), *id) != groups.end();
    return {true, ::geteuid() == 0 || ::getegid() == *id || member};
}

void check_group(const char* key, const std::string& name, CheckList& list) {
    if (name.empty()) return;
    const Group group = find_group(name);
    if (!group.exists) {
        return list.fail(key, fmt::format("there is no group {}", name),
                         fmt::format("create it, or name another one with {}", key));
    }
    if (!group.ours) {
        return list.fail(key, fmt::format("the agent is not in the group {} and cannot give its socket to it", name),
                         fmt::format("usermod -aG {} backstay, then restart the agent", name));
    }
    list.ok(key, name);
}

std::optional<dev_t> device_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return std::nullopt;
    return info.st_dev;
}

}  // namespace

void check_state_owner(const AgentConfig& config, CheckList& list) {
    struct stat info {};
    if (::stat(config.state_dir.c_str(), &info) != 0) return;
    if ((info.st_mode & 0077U) != 0) {
        list.warn("state rights", fmt::format("{} is open to others", config.state_dir),
                  fmt::format("chmod 0700 {}", config.state_dir));
    }
    std::error_code fault;
    for (std::filesystem::directory_iterator entry(config.state_dir, fault), end; !fault && entry != end;
         entry.increment(fault)) {
        struct stat inside {};
        if (::lstat(entry->path().c_str(), &inside) != 0 || inside.st_uid == info.st_uid) continue;
        return list.fail("state owner",
                         fmt::format("{} belongs to another account than its folder", entry->path().string()),
                         fmt::format("chown -R --reference={0} {0}, and run nothing as root on it", config.state_dir));
    }
    if (fault) return list.fail("state owner", fmt::format("{}: {}", config.state_dir, fault.message()));
    list.ok("state owner", "all of it belongs to one account");
}

void check_groups(const AgentConfig& config, CheckList& list) {
    check_group("socket_group", config.socket_group, list);
    if (!config.wal.empty()) check_group("wal_group", config.wal_group, list);
}

void check_roots(const AgentConfig& config, CheckList& list) {
    for (const std::string& root : config.local_roots) {
        if (may_access(root, W_OK | X_OK)) {
            list.ok("local_roots", root);
        } else if (errno == ENOENT) {
            list.fail("local_roots", root + " is not there: a disk that is not mounted, or a folder to make",
                      fmt::format("mount it, or: install -d -m 0700 -o backstay -g backstay {}", root));
        } else {
            list.fail("local_roots", fmt::format("{} cannot be written by {}: {}", root, account(), strerror(errno)),
                      fmt::format(kDropIn, root, account()));
        }
    }
}

void check_apart(const AgentConfig& config, CheckList& list) {
    const bool elsewhere = std::any_of(config.destinations.begin(), config.destinations.end(),
                                       [](const DestinationOrder& destination) { return destination.type != "local"; });
    if (config.destinations.empty() || elsewhere) return;
    const auto state = device_of(config.state_dir);
    const bool one_disk =
        state && std::any_of(config.local_roots.begin(), config.local_roots.end(),
                             [&](const std::string& root) { return device_of(root).value_or(*state + 1) == *state; });
    list.warn(
        "only here",
        fmt::format("every [[destination]] is on this host{}", one_disk ? ", and one on the agent's own disk" : ""),
        "add one that is elsewhere: s3_compatible or sftp");
}

void check_restores(const std::string& filestore, CheckList& list) {
    const std::string parent = filestore.substr(0, filestore.rfind('/'));
    if (parent.empty() || may_access(parent, W_OK | X_OK)) return;
    list.warn("restores", fmt::format("{} cannot be written: {}", parent, strerror(errno)),
              "for restores on this host, take what fits from "
              "/usr/share/doc/backstay-agent/examples/restores.conf");
}

void check_enrolment(const AgentConfig& config, CheckList& list) {
    if (config.control_plane_url.empty()) return;
    const auto identity = load_identity(config.state_dir);
    if (!identity) return list.fail("enrolment", identity.error());
    if (!*identity || (*identity)->organization_id.empty()) {
        return list.fail("enrolment", fmt::format("{} does not know this host yet", config.control_plane_url),
                         "backstay-control agent enroll-token there, backstay enroll here");
    }
    if ((*identity)->url != config.control_plane_url) {
        return list.warn("enrolment",
                         fmt::format("this host was enrolled at {}, the configuration names {}", (*identity)->url,
                                     config.control_plane_url),
                         "right if it moved; else enroll again");
    }
    list.ok("enrolment", fmt::format("{} at {}", (*identity)->name, config.control_plane_url));
}

void check_spool(const AgentConfig& config, CheckList& list) {
    for (const WalConfig& wal : config.wal) {
        if (wal.ack != "spool") continue;
        const auto space = free_space(config.state_dir);
        if (!space) return list.fail("spool", space.error());
        const std::string message =
            fmt::format("spool_max_bytes of {} is {}, {} are free in {}", wal.cluster, human::size(wal.spool_max_bytes),
                        human::size(space->free_bytes), config.state_dir);
        if (space->free_bytes < wal.spool_max_bytes) {
            list.warn("spool", message, "a smaller spool_max_bytes, or a larger disk below state_dir");
        } else {
            list.ok("spool", message);
        }
    }
}

void check_clock(bool synchronised, CheckList& list) {
    if (synchronised) return list.ok("clock", "synchronised");
    list.warn("clock", "nothing keeps the clock right: schedules, leases and retention go by it",
              "apt-get install systemd-timesyncd (or chrony), then timedatectl");
}

bool clock_is_synchronised() {
    timex state{};
    // Reading needs no right; a kernel that does not tell (containers) is not complained about.
    return ::adjtimex(&state) < 0 || (state.status & STA_UNSYNC) == 0;
}

void check_service(const std::string& root, CheckList& list) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    if (!fs::exists(root + "/run/systemd/system", ignored)) return;
    for (const char* place : {"/etc/systemd/system", "/run/systemd/system"}) {
        std::error_code fault;
        for (fs::directory_iterator entry(root + place, fault), end; !fault && entry != end; entry.increment(fault)) {
            const std::string name = entry->path().filename().string();
            if (!name.ends_with(".wants") && !name.ends_with(".requires")) continue;
            if (fs::is_symlink(entry->path() / "backstay-agent.service", ignored))
                return list.ok("service", "begins at boot");
        }
    }
    list.warn("service", "backstay-agent is not enabled: after the next boot nothing is backed up",
              "systemctl enable backstay-agent");
}

void check_host(const AgentConfig& config, CheckList& list) {
    list.about("agent");
    check_state_owner(config, list);
    check_groups(config, list);
    check_roots(config, list);
    check_enrolment(config, list);
    check_spool(config, list);
}

}  // namespace backstay::local_api
