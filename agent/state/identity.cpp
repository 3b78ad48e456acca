#include "agent/state/identity.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "agent/state/state.h"
#include "common/files/files.h"
#include "common/ids.h"
#include "common/json/json.h"

namespace backstay {

namespace {

// `backstay enroll` is mostly typed as root; the daemon that must read the file is not root.
Result<> give_to_owner_of(const std::string& folder, const std::string& path) {
    struct stat about {};
    if (::geteuid() != 0) return {};
    if (::stat(folder.c_str(), &about) != 0) return Error::from_errno(errno, "look at " + folder);
    if (::lchown(path.c_str(), about.st_uid, about.st_gid) != 0) return Error::from_errno(errno, "give away " + path);
    return {};
}

}  // namespace

std::string identity_file(const std::string& state_dir) { return state_dir + "/identity.json"; }

Result<std::optional<Identity>> load_identity(const std::string& state_dir) {
    auto text = read_secret_file(identity_file(state_dir));
    if (!text && text.error().code() == Errc::not_found) return std::optional<Identity>();
    if (!text) return std::move(text).error();
    return std::optional<Identity>(
        TRY(json::decode_text<Identity>(*text, json::kLenient).context("read the identity")));
}

Result<> save_identity(const std::string& state_dir, const Identity& identity) {
    TRY(make_folders(state_dir, 0700));
    const std::string path = identity_file(state_dir);
    TRY(atomic_write(path, json::serialize_pretty(json::encode(identity)) + "\n", 0600));
    return give_to_owner_of(state_dir, path);
}

Result<std::string> local_agent_id(const std::string& state_dir) {
    const std::string path = state_dir + "/agent-id";
    auto text = read_file(path, 4096);
    if (text) {
        while (!text->empty() && text->back() == '\n') text->pop_back();
        if (is_uuid(*text)) return *text;
        return Error(Errc::corrupted, path + " holds no UUID").with_reason(kStateUnusable);
    }
    if (text.error().code() != Errc::not_found) return std::move(text).error();
    const std::string id = new_uuid();
    TRY(atomic_write(path, id + "\n", 0600));
    return id;
}

}  // namespace backstay
