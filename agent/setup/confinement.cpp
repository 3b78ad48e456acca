// The service's unit lets it write next to nothing, and its account is in no group: what this host needs beyond that is
// one drop-in, which says what for.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "agent/setup/setup.h"
#include "common/fd.h"
#include "common/files/files.h"
#include "common/process/account.h"

namespace backstay::setup {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOpenByItself = "/var/backups/backstay";
constexpr const char* kRestoring = "CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE";

// A folder that its group is let into. It is known by more than its path, under which its owner may put another one.
struct Opening {
    std::string path;
    mode_t bits = 0;
    dev_t device = 0;
    ino_t inode = 0;
};

struct Needs {
    std::set<std::string> groups, writable;
    bool capabilities = false;
    std::vector<Opening> opened;
    std::vector<std::string> left;
};

std::string group_name(gid_t gid) {
    std::vector<char> text(64 * 1024);
    struct group entry {};
    struct group* found = nullptr;
    ::getgrgid_r(gid, &entry, text.data(), text.size(), &found);
    return found != nullptr ? found->gr_name : "";
}

// By name, of an account as it logs in.
std::set<std::string> groups_of(const std::string& account) {
    std::vector<char> text(16 * 1024);
    struct passwd entry {};
    struct passwd* found = nullptr;
    ::getpwnam_r(account.c_str(), &entry, text.data(), text.size(), &found);
    if (found == nullptr) return {};
    std::vector<gid_t> groups(256);
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(account.c_str(), found->pw_gid, groups.data(), &count) < 0) return {};
    std::set<std::string> names;
    for (int i = 0; i < count; ++i) names.insert(group_name(groups[static_cast<std::size_t>(i)]));
    return names;
}

std::vector<std::string> told(const std::vector<Opening>& opened) {
    std::vector<std::string> lines;
    for (const Opening& one : opened) {
        lines.push_back(fmt::format("chmod {} {}", one.bits == 050 ? "g+rx" : "g+x", shell_word(one.path)));
    }
    return lines;
}

Result<> open_to_group(const Opening& one) {
    const Fd folder(::open(one.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat about {};
    if (!folder.open() || ::fstat(folder.get(), &about) != 0) return Error::from_errno(errno, one.path);
    if (about.st_dev != one.device || about.st_ino != one.inode) {
        return Error(Errc::conflict, one.path + " is another folder by now");
    }
    if (::fchmod(folder.get(), (about.st_mode & 07777U) | one.bits) != 0) return Error::from_errno(errno, one.path);
    return {};
}

// With root's links followed. Whoever owns the filestore could lead root anywhere by one of his own.
Result<std::string> followed(const std::string& path) {
    fs::path at = "/";
    int links = 0;
    for (fs::path rest = fs::path(path).relative_path(); !rest.empty();) {
        const fs::path part = *rest.begin();
        rest = rest.lexically_relative(part);
        if (rest == ".") rest.clear();
        struct stat about {};
        if (::lstat((at / part).c_str(), &about) != 0) return Error::from_errno(errno, (at / part).string());
        if (!S_ISLNK(about.st_mode)) {
            at /= part;
            continue;
        }
        std::error_code fault;
        const fs::path target = fs::read_symlink(at / part, fault);
        if (fault || about.st_uid != 0 || ++links > 40) {
            return Error(Errc::denied, fmt::format("{} is a link that is not root's", (at / part).string()));
        }
        const fs::path whole = ((target.is_absolute() ? target : at / target) / rest).lexically_normal();
        rest = whole.relative_path();
        at = "/";
    }
    return at.string();
}

// Every folder down to the filestore must be open to the agent, by Odoo's group where it is closed to others.
void need_to_read(const std::string& filestore, const std::string& account, Needs& needs) {
    fs::path at = "/";
    for (const fs::path& part : fs::path(filestore)) {
        at /= part;
        const unsigned wanted = at == filestore ? 05 : 01;
        struct stat about {};
        if (::lstat(at.c_str(), &about) != 0) {
            needs.left.push_back(fmt::format("{} could not be looked at: {}", at.string(), std::strerror(errno)));
            return;
        }
        if ((about.st_mode & wanted) == wanted) continue;
        const std::string group = group_name(about.st_gid);
        if (about.st_gid == 0 || group.empty()) {
            needs.left.push_back(fmt::format("let the agent into {1}: setfacl -m u:{0}:rx {2}", account, at.string(),
                                             shell_word(at.string())));
            continue;
        }
        needs.groups.insert(group);
        if ((about.st_mode >> 3U & wanted) == wanted) continue;
        needs.opened.push_back({at.string(), wanted << 3U, about.st_dev, about.st_ino});
    }
}

void need_filestores(Context& context, const std::vector<OdooDatabase>& databases, Needs& needs) {
    std::set<std::string> seen;
    for (const OdooDatabase& database : databases) {
        if (database.filestore.empty()) {
            needs.left.push_back(fmt::format(
                "no filestore was found for {0}: backstay setup --database {0} --filestore FOLDER", database.name));
            continue;
        }
        const std::string folder = database.filestore.substr(0, database.filestore.rfind('/'));
        if (context.role == Role::restore) {
            needs.writable.insert(folder);
            needs.capabilities = true;
        }
        // All of an Odoo's lie together and are alike: one shows what is needed.
        if (!seen.insert(folder).second || context.host.may_read(database.filestore)) continue;
        const auto filestore = followed(database.filestore);
        if (!filestore) {
            needs.left.push_back(fmt::format("the filestore of {} could not be looked at: {}", database.name,
                                             filestore.error().message()));
        } else if (context.role == Role::restore) {
            struct stat about {};
            if (::lstat(filestore->c_str(), &about) == 0 && about.st_gid != 0) {
                needs.groups.insert(group_name(about.st_gid));
            }
        } else {
            need_to_read(*filestore, context.wishes.account, needs);
        }
    }
}

void need_destinations(const AgentConfig& config, Needs& needs) {
    for (const std::string& root : config.local_roots) {
        if (root != kOpenByItself && !root.starts_with(std::string(kOpenByItself) + "/")) needs.writable.insert(root);
    }
    for (const std::string& folder : {snapshot_folder(config), scratch_folder(config)}) {
        if (!folder.starts_with(config.state_dir + "/")) needs.writable.insert(folder);
    }
}

// Other drop-ins of the administrator's: what stands there needs not stand in ours.
std::string other_drop_ins(const std::string& folder) {
    std::string text;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
        if (entry.path().extension() != ".conf" || entry.path().filename() == "setup.conf") continue;
        text += read_file(entry.path().string()).value_or("") + "\n";
    }
    return text;
}

bool stands_in(const std::string& text, std::string_view key, const std::string& word) {
    for (const std::string& line : lines_of(text)) {
        if (!line.starts_with(std::string(key) + "=")) continue;
        const std::string values = " " + line.substr(key.size() + 1) + " ";
        if (values.find(" " + word + " ") != std::string::npos) return true;
    }
    return false;
}

std::string words(const std::set<std::string>& all) {
    std::string line;
    for (std::string word : all) {
        for (std::size_t at = 0; (at = word.find('%', at)) != std::string::npos; at += 2) word.insert(at, "%");
        for (std::size_t at = 0; (at = word.find_first_of("\"\\", at)) != std::string::npos; at += 2)
            word.insert(at, "\\");
        const bool quoted = word.find_first_of(" \t'") != std::string::npos;
        line += fmt::format("{}{}{}{}", line.empty() ? "" : " ", quoted ? "\"" : "", word, quoted ? "\"" : "");
    }
    return line;
}

std::string drop_in(Needs needs, const std::string& others) {
    std::erase_if(needs.groups, [&](const auto& word) { return stands_in(others, "SupplementaryGroups", word); });
    // A disk that is not mounted must not keep the agent from starting.
    std::set<std::string> writable;
    for (const std::string& path : needs.writable) {
        const bool there = stands_in(others, "ReadWritePaths", path) || stands_in(others, "ReadWritePaths", "-" + path);
        if (!there) writable.insert("-" + path);
    }
    needs.capabilities = needs.capabilities && !stands_in(others, "AmbientCapabilities", "CAP_DAC_OVERRIDE");
    std::string text;
    if (!needs.groups.empty()) {
        text += "# Reads Odoo's files, and gives its WAL socket to PostgreSQL's group.\nSupplementaryGroups=" +
                words(needs.groups) + "\n";
    }
    if (!writable.empty()) {
        text += "# Destinations on this host, and filestores for restores.\nReadWritePaths=" + words(writable) + "\n";
    }
    if (needs.capabilities) {
        text += fmt::format(
            "# Restored files belong to Odoo's account.\nCapabilityBoundingSet={0}\n"
            "AmbientCapabilities={0}\n",
            kRestoring);
    }
    if (text.empty()) return "";
    return "# Written by `backstay setup`; yours belongs into another file beside it.\n[Service]\n" + text;
}

Result<> replace(Context& context, const std::string& folder, const std::string& text) {
    const std::string path = folder + "/setup.conf";
    if (text.empty()) {
        std::error_code fault;
        fs::remove(path, fault);
        if (fault) return Error(Errc::io, fmt::format("{}: {}", path, fault.message()));
    } else {
        TRY(make_folders(folder, 0755));
        TRY(atomic_write(path, text, 0644));
    }
    if (context.places.systemd) TRY(context.host.run({"systemctl", "daemon-reload"}));
    return {};
}

}  // namespace

std::vector<Step> confinement(Context& context) {
    const std::string folder = context.places.units + "/backstay-agent.service.d";
    Step step{"service rights", "rights of the service",
              "its unit confines it: files of Odoo's and other folders are opened one by one"};
    const OdooDatabases databases = odoo_databases(context);
    const std::string now = read_file(folder + "/setup.conf").value_or("");
    // What stands there may be for a server that is only down for a moment.
    if (!databases.unknown.empty() && !now.empty()) {
        return {Step::failed(step.name, step.about, Error(Errc::unavailable, databases.unknown.front()))};
    }
    Needs needs;
    needs.left = databases.unknown;
    need_filestores(context, databases.found, needs);
    need_destinations(context.config, needs);
    const std::string& group = context.config.wal_group;
    if (!context.config.wal.empty() && !group.empty()) {
        // A unit with a group that is not there does not start.
        if (group_named(group)) {
            needs.groups.insert(group);
        } else {
            needs.left.push_back(fmt::format("there is no group {}: name PostgreSQL's own with wal_group", group));
        }
    }
    const auto has = groups_of(context.wishes.account);
    std::erase_if(needs.groups, [&](const std::string& one) { return has.contains(one); });
    const std::string wanted = drop_in(needs, other_drop_ins(folder));
    step.changes = told(needs.opened);
    step.left = needs.left;
    const bool differs = now != wanted;
    if (differs) {
        step.changes.push_back(wanted.empty() ? fmt::format("remove {}/setup.conf", folder)
                                              : fmt::format("write {}/setup.conf:\n{}", folder, wanted));
        if (context.places.systemd) step.changes.push_back("systemctl daemon-reload");
    }
    step.restarts = differs;
    step.apply = [&context, folder, wanted, differs, opened = needs.opened]() -> Result<> {
        for (const Opening& one : opened) TRY(open_to_group(one));
        return differs ? replace(context, folder, wanted) : Result<>();
    };
    return {step};
}

}  // namespace backstay::setup
