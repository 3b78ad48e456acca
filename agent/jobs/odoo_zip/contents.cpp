#include "agent/jobs/odoo_zip/contents.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "agent/artifact/zip_reader.h"
#include "agent/odoo/attachments.h"
#include "common/domain/reasons.h"
#include "common/human.h"
#include "common/json/json.h"

namespace backstay::odoo_zip {
namespace {

constexpr std::string_view kFiles = "filestore/";
constexpr std::size_t kManifestMax = 4 << 20;
// A dump of SQL becomes a tenth or a twentieth, a filestore hardly smaller. What unpacks to more is made to fill disks.
constexpr std::uint64_t kMostRatio = 200;
constexpr std::uint64_t kAnyway = 64ULL << 20;

Error refused(std::string message) {
    return Error(Errc::corrupted, std::move(message)).with_reason(reason::kStructureInvalid);
}

std::string shown(std::string_view name) {
    std::string text(name.substr(0, 200));
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return text;
}

// Odoo's list of files to look at, and what was never its file.
bool is_spool(std::string_view name) { return name.starts_with("checklist/"); }

Result<> read_manifest(Source& content, ZipContents& seen) {
    const std::string text = TRY(read_all(content, kManifestMax).reason(reason::kStructureInvalid));
    const auto value = json::parse(text);
    if (!value || !value->is_object()) return refused("manifest.json is no JSON object");
    const auto word = [&](const char* key) -> std::string {
        const json::Value* found = value->as_object().if_contains(key);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
    };
    seen.database = word("db_name");
    seen.version = word("version");
    return {};
}

}  // namespace

Result<Part> part_of(const TarMember& member) {
    const std::string& path = member.path;
    if (path.empty()) return refused("the ZIP holds a member without a name that can be read");
    const bool odd = std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (path[0] == '/' || path.find('\\') != std::string::npos || odd ||
        fmt::format("/{}/", path).find("/../") != std::string::npos) {
        return refused(fmt::format("the ZIP holds '{}', which leads out of it", shown(path)));
    }
    if (member.kind == TarMember::Kind::folder) return Part::ignored;
    const bool plain = member.kind == TarMember::Kind::file;
    if (path == "dump.sql" || path == "manifest.json") {
        if (!plain) return refused(path + " is no plain file");
        return path == "dump.sql" ? Part::sql : Part::manifest;
    }
    if (!path.starts_with(kFiles)) return Part::ignored;
    const std::string_view name = std::string_view(path).substr(kFiles.size());
    if (!plain) return refused(fmt::format("'{}' is no plain file", shown(path)));
    if (is_spool(name)) return Part::ignored;
    if (odoo::kind_of_name(name) != odoo::NameKind::file) {
        return refused(fmt::format("'{}' is no file of a filestore", shown(path)));
    }
    return Part::file;
}

Result<ZipContents> look_through_zip(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) return Error::from_errno(errno, "look at the ZIP");
    if (!S_ISREG(about.st_mode)) return Error(Errc::invalid, "a ZIP is read from its end: give it as a file");
    ZipContents seen;
    seen.zip_bytes = static_cast<std::uint64_t>(about.st_size);
    const std::uint64_t most = seen.zip_bytes * kMostRatio + kAnyway;
    std::uint64_t total = 0;
    bool has_sql = false;
    TRY(read_zip(fd, [&](const TarMember& member, Source& content) -> Result<> {
        const Part part = TRY(part_of(member));
        if (part == Part::ignored) {
            ++seen.ignored;
            return {};
        }
        // Not their sum, which could wrap around.
        if (member.size_bytes > most - total) {
            return refused(fmt::format("{} that unpack to more than {}: this is no backup", human::size(seen.zip_bytes),
                                       human::size(most)));
        }
        total += member.size_bytes;
        if (part == Part::manifest) return read_manifest(content, seen);
        if (part == Part::file) {
            ++seen.files;
            seen.file_bytes += member.size_bytes;
            return {};
        }
        if (std::exchange(has_sql, true)) return refused("the ZIP holds dump.sql twice");
        seen.sql_bytes = member.size_bytes;
        return {};
    }));
    if (!has_sql) return refused("the ZIP holds no dump.sql: Odoo's database manager makes those with one");
    return seen;
}

Result<std::size_t> DeclaredContent::read(MutableByteSpan buffer) {
    const std::size_t count = TRY(content_.read(buffer));
    read_ += count;
    if (read_ > member_.size_bytes) {
        return refused(fmt::format("'{}' is longer than the ZIP's directory says", shown(member_.path)));
    }
    return count;
}

}  // namespace backstay::odoo_zip
