#include "agent/jobs/odoo_zip/plain_sql.h"

#include <fmt/format.h>

#include <thread>

#include "agent/jobs/odoo_zip/sql_lines.h"
#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/side_database.h"
#include "common/domain/reasons.h"
#include "common/domain/steps.h"
#include "common/files/files.h"
#include "common/human.h"

namespace backstay::odoo_zip {
namespace {

constexpr std::uint64_t kReserve = 1ULL << 30;

ProcessSpec script_process(const SqlMaking& making) {
    ProcessSpec spec;
    spec.argv = {making.pg_restore.path, "--no-owner", "--no-privileges", "-f", "-"};
    spec.stop = making.stop;
    return spec;
}

Result<> drain(Subprocess& child, Sink& to) {
    SqlLines lines(to, keep_unaccent);
    TRY(copy(child.output(), lines));
    return lines.finish();
}

// The custom format is read front to back: no copy of it is made.
Result<> from_stream(const SqlMaking& making, Source& dump, Sink& to) {
    ProcessSpec spec = script_process(making);
    spec.pipe_stdin = true;
    auto child = TRY(Subprocess::start(std::move(spec)));
    Result<> fed;
    std::jthread feeding([&]() noexcept {
        std::vector<std::byte> buffer(256 * 1024);
        bool wanted = true;
        for (;;) {
            auto count = dump.read(buffer);
            if (!count) {
                fed = std::move(count).error();
                child->terminate();
                return;
            }
            if (*count == 0) break;
            // A child that went away says why by its own status; the rest is read for its checksum.
            wanted = wanted && child->input().write(ByteSpan(buffer.data(), *count)).has_value();
        }
        if (wanted) static_cast<void>(child->input().finish());
    });
    Result<> drained = drain(*child, to);
    if (!drained) child->terminate();
    feeding.join();
    TRY(fed);
    return drained;
}

// Before anything of it is fetched.
Result<> check_room(const SqlMaking& making) {
    const ManifestArtifact* dump = find_artifact(making.backup.manifest, artifact::kDatabase);
    const std::uint64_t needed = dump == nullptr ? 0 : std::max(dump->bytes, dump->uncompressed_bytes);
    const std::uint64_t free = TRY(free_space(making.scratch)).free_bytes;
    if (free >= kReserve && free - kReserve >= needed) return {};
    return Error(Errc::exhausted, fmt::format("the dump needs {} in the agent's scratch folder, and {} are free",
                                              human::size(needed), human::size(free)))
        .with_reason(reason::kDiskSpaceLow);
}

// Its files come in the order in which pg_dump ended them, which is not that of the script.
Result<> from_folder(const SqlMaking& making, Sink& to) {
    TRY(check_room(making));
    const TempDir folder = TRY(TempDir::create_at(making.scratch));
    const auto dump = TRY(restore::fetch_dump(making.backup.origins.list, making.backup, folder.path(),
                                              making.pg_restore, making.stop, making.on_stored_bytes));
    ProcessSpec spec = script_process(making);
    spec.argv.push_back(dump.path);
    auto child = TRY(Subprocess::start(std::move(spec)));
    return drain(*child, to);
}

}  // namespace

Result<> write_plain_sql(const SqlMaking& making, Sink& to) {
    if (making.backup.manifest.dump_format == "directory") return from_folder(making, to);
    const ManifestArtifact* artifact = find_artifact(making.backup.manifest, artifact::kDatabase);
    if (artifact == nullptr) {
        return Error(Errc::not_found, "the backup has no database").with_reason(reason::kArtifactMissing);
    }
    auto reader = TRY(ArtifactReader::open(making.backup.origins.list, making.backup.folder, *artifact,
                                           making.backup.key, making.on_stored_bytes));
    return from_stream(making, *reader, to);
}

}  // namespace backstay::odoo_zip
