#include "agent/state/damage.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "agent/state/state.h"
#include "common/files/files.h"
#include "common/json/json.h"
#include "common/sqlite/database.h"
#include "common/sqlite/migrations.h"

namespace backstay {
namespace {

constexpr std::string_view kSetAside = "agent.db.damaged-";
constexpr std::array<std::string_view, 2> kBeside = {"-wal", "-shm"};

std::string beginning_file(const std::string& state_dir) { return state_dir + "/agent.db.began"; }
std::string suspicion_file(const std::string& state_dir) { return state_dir + "/agent.db.suspect"; }
std::string loss_file(const std::string& state_dir) { return state_dir + "/state-lost.json"; }

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// What only an agent with a state makes: earlier releases left no other mark.
bool was_at_work(const std::string& state_dir) {
    return has_begun(state_dir) || is_there(state_dir + "/wal-spool") || is_there(state_dir + "/snapshots/v1");
}

// Databases, without what lies beside them.
Result<std::vector<std::string>> set_aside_before(const std::string& state_dir) {
    std::vector<std::string> names;
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator(state_dir, failure)) {
        std::string name = entry.path().filename().string();
        const bool beside = std::any_of(kBeside.begin(), kBeside.end(), [&](auto end) { return name.ends_with(end); });
        if (name.starts_with(kSetAside) && !beside) names.push_back(std::move(name));
    }
    if (failure) return Error(Errc::io, fmt::format("list {}: {}", state_dir, failure.message()));
    std::sort(names.begin(), names.end());
    return names;
}

// 20261122T014545Z
std::string stamp_of(TimeMs now) {
    std::string stamp = to_rfc3339(now - now % 1000);
    std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
    return stamp;
}

Result<> move_aside(const std::string& from, const std::string& to, std::vector<std::string>& kept_as) {
    if (!is_there(from)) return {};
    if (::rename(from.c_str(), to.c_str()) != 0) return Error::from_errno(errno, "set aside " + from);
    kept_as.push_back(to);
    return {};
}

// The note first: what a crash leaves half done is then finished by the next start.
Result<StateLoss> set_aside(const std::string& state_dir, std::string why, TimeMs now) {
    StateLoss loss{Timestamp{now}, std::move(why), {}};
    const auto before = TRY(set_aside_before(state_dir));
    if (before.size() >= kSetAsideMax) {
        return Error(Errc::corrupted, fmt::format("{}; {} damaged databases were set aside in {} before, and one more "
                                                  "is not",
                                                  loss.why, before.size(), state_dir))
            .with_reason(kStateUnusable)
            .with_hint(
                "something destroys them: look at the disk and its file system, move the files agent.db.damaged-* "
                "away, and start the agent again");
    }
    const auto known = load_state_loss(state_dir);
    if (known && *known) loss.kept_as = (*known)->kept_as;
    const auto write = [&]() -> Result<> {
        return atomic_write(loss_file(state_dir), json::serialize_pretty(json::encode(loss)) + "\n", 0600);
    };
    TRY(write());
    std::string to = fmt::format("{}/{}{}", state_dir, kSetAside, stamp_of(now));
    for (int i = 2; is_there(to); ++i) to = fmt::format("{}/{}{}.{}", state_dir, kSetAside, stamp_of(now), i);
    TRY(move_aside(state_file(state_dir), to, loss.kept_as));
    for (const std::string_view end : kBeside) {
        TRY(move_aside(fmt::format("{}{}", state_file(state_dir), end), fmt::format("{}{}", to, end), loss.kept_as));
    }
    TRY(write());
    // What is missing now is to be made anew.
    ::unlink(beginning_file(state_dir).c_str());
    ::unlink(suspicion_file(state_dir).c_str());
    TRY(fsync_folder(state_dir));
    return loss;
}

// Only what says of itself that it is damaged is: a state that cannot be opened for another reason stays.
Result<> look_closely(const std::string& state_dir) {
    sqlite::OpenOptions options;
    options.create = false;
    options.keep_log = true;
    sqlite::Database database = TRY(sqlite::Database::open(state_file(state_dir), options));
    TRY(is_suspect(state_dir) ? database.check_integrity() : database.check_pages());
    // What had not reached the file itself lay in the log beside it, and is gone with it.
    if (has_begun(state_dir) && TRY(sqlite::schema_version(database)) == 0) {
        return Error(Errc::corrupted, "the database holds nothing");
    }
    return {};
}

}  // namespace

std::string state_file(const std::string& state_dir) { return state_dir + "/agent.db"; }

Result<std::optional<StateLoss>> set_damage_aside(const std::string& state_dir, TimeMs now) {
    struct stat about {};
    const bool there = ::lstat(state_file(state_dir).c_str(), &about) == 0;
    if (!there && errno != ENOENT) return Error::from_errno(errno, "look at " + state_file(state_dir));
    if (!there || about.st_size == 0) {
        if (there ? !has_begun(state_dir) : !was_at_work(state_dir)) return std::optional<StateLoss>();
        return std::optional(TRY(set_aside(state_dir, there ? "the database is empty" : "the database is gone", now)));
    }
    const auto sound = look_closely(state_dir);
    if (!sound && sound.error().code() == Errc::corrupted) {
        return std::optional(TRY(set_aside(state_dir, sound.error().message(), now)));
    }
    if (!sound) return Error(sound.error()).add_context("look at the state");
    ::unlink(suspicion_file(state_dir).c_str());
    return std::optional<StateLoss>();
}

Result<> note_beginning(const std::string& state_dir) {
    if (has_begun(state_dir)) return {};
    return atomic_write(beginning_file(state_dir), "agent.db was made; without it the agent's state is lost\n", 0600);
}

bool has_begun(const std::string& state_dir) { return is_there(beginning_file(state_dir)); }

Result<std::optional<StateLoss>> load_state_loss(const std::string& state_dir) {
    const auto text = read_file(loss_file(state_dir), 64 << 10);
    if (!text && text.error().code() == Errc::not_found) return std::optional<StateLoss>();
    if (!text) return text.error();
    return std::optional(TRY(json::decode_text<StateLoss>(*text, json::kLenient).context(loss_file(state_dir))));
}

Result<> forget_state_loss(const std::string& state_dir) {
    if (::unlink(loss_file(state_dir).c_str()) != 0 && errno != ENOENT) {
        return Error::from_errno(errno, "remove " + loss_file(state_dir));
    }
    return fsync_folder(state_dir);
}

void suspect_damage(const std::string& state_dir) {
    if (is_suspect(state_dir)) return;
    // Not written: then the next statement that meets it tries again.
    static_cast<void>(
        atomic_write(suspicion_file(state_dir), "a statement met damage in agent.db\n", 0600).has_value());
}

bool is_suspect(const std::string& state_dir) { return is_there(suspicion_file(state_dir)); }

StateWatch::StateWatch(std::string state_dir) : state_dir_(std::move(state_dir)) {
    struct stat about {};
    if (::lstat(state_file(state_dir_).c_str(), &about) != 0) return;
    device_ = about.st_dev;
    inode_ = about.st_ino;
}

std::string StateWatch::trouble() const {
    if (is_suspect(state_dir_)) return "a statement met damage";
    struct stat about {};
    if (::lstat(state_file(state_dir_).c_str(), &about) != 0) return errno == ENOENT ? "the file is gone" : "";
    if (about.st_dev != device_ || about.st_ino != inode_) return "the file was replaced";
    return "";
}

}  // namespace backstay
