#include "agent/jobs/backup/making.h"

#include <fmt/format.h>

#include <future>
#include <thread>

#include "agent/artifact/compression_pool.h"
#include "agent/artifact/tar_writer.h"
#include "agent/jobs/backup/together.h"
#include "common/crypto/digest.h"
#include "common/domain/reasons.h"

namespace backstay::backup {
namespace {

class SideBySide {
public:
    explicit SideBySide(Making& making) : making_(making), together_(making.steps.stop_token()) {}

    // Database first, files after: a file that comes later is surplus, a missing one is damage. Both begin from the
    // same snapshot, so they may run at once; it is closed as soon as neither needs it.
    Result<Stored> run() {
        std::promise<void> listed;
        std::thread files;
        if (making_.filestore) {
            files = std::thread([&]() noexcept {
                lower_priority(making_.shipping.priority());
                bool told = false;
                const auto tell = [&] {
                    if (!std::exchange(told, true)) listed.set_value();
                };
                make_filestore(tell);
                tell();
            });
        } else {
            listed.set_value();
        }
        std::thread database([&]() noexcept {
            lower_priority(making_.shipping.priority());
            make_database();
        });
        capture();
        database.join();
        listed.get_future().wait();
        making_.prepared.snapshot.reset();
        if (files.joinable()) files.join();
        if (const auto error = together_.first()) return *error;
        return std::move(stored_);
    }

private:
    void make_database() {
        auto stored = making_.steps.run(step::kDbDump, [&] {
            return together_.guard(step::kDbDump, store_database(making_.prepared, making_.shipping, making_.throttle,
                                                                 making_.steps.progress(), together_.stop()));
        });
        // The journal may have failed the step after its body.
        if (stored) stored_.database = std::move(*stored);
        if (!stored) static_cast<void>(together_.guard(step::kDbDump, std::move(stored)));
    }

    void make_filestore(const std::function<void()>& on_listed) {
        const std::string_view name = making_.filestore_step;
        auto stored = making_.steps.run(
            name, [&] { return together_.guard(name, making_.filestore(together_.stop(), on_listed)); });
        if (stored) stored_.filestore = std::move(*stored);
        if (!stored) static_cast<void>(together_.guard(name, std::move(stored)));
    }

    // Small, and needs neither of the two.
    void capture() {
        auto stored = making_.steps.run(step::kConfigCapture, [&] {
            return together_.guard(step::kConfigCapture,
                                   store_extras(making_.prepared, making_.shipping, together_.stop()));
        });
        if (stored) stored_.extras = std::move(*stored);
        if (!stored) static_cast<void>(together_.guard(step::kConfigCapture, std::move(stored)));
    }

    Making& making_;
    Together together_;
    Stored stored_;
};

}  // namespace

Result<Stored> make_artifacts(Making& making) { return SideBySide(making).run(); }

std::vector<ManifestArtifact> artifacts_of(const Stored& stored) {
    std::vector<ManifestArtifact> artifacts = {stored.database.artifact};
    if (stored.filestore) artifacts.push_back(stored.filestore->artifact);
    artifacts.push_back(stored.extras.config);
    artifacts.push_back(stored.extras.globals);
    return artifacts;
}

Manifest describe(const Prepared& prepared, const Stored& stored, TimeMs started_at) {
    const BackupOrder& order = prepared.order;
    const EnvironmentOrder& environment = order.environment;
    Manifest m;
    m.backup_id = order.backup_id;
    m.scope = order.scope;
    m.trigger = order.trigger;
    m.organization_id = environment.organization_id;
    m.project_id = environment.project_id;
    m.environment_id = environment.environment_id;
    m.environment_name = environment.name;
    m.environment_type = environment.type;
    m.label = order.label;
    m.dump_format = stored.database.dump_format;
    m.started_at = {started_at};
    m.completed_at = {prepared.host.clock.now_ms()};
    m.agent = {prepared.host.agent_id, prepared.host.agent_version};
    m.postgres = prepared.facts;
    m.postgres.end_lsn = stored.database.end_lsn;
    m.contents = stored.database.contents;
    if (stored.reconciled) m.filestore = stored.reconciled->filestore;
    m.artifacts = artifacts_of(stored);
    m.tools = {{"pg_dump", prepared.pg_dump.version}, {"zstd", compression_version()}, {"libarchive", tar_version()}};
    m.is_odoo = prepared.instance.has_value();
    if (!prepared.instance) return m;
    m.is_neutralized = prepared.instance->neutralized;
    if (!prepared.instance->uuid.empty()) m.database_uuid = prepared.instance->uuid;
    const std::string& name = prepared.known_as.empty() ? prepared.database : prepared.known_as;
    m.odoo = odoo::odoo_manifest(*prepared.instance, name, prepared.facts.server_version_num);
    return m;
}

std::uint64_t bytes_of(const Manifest& manifest, const std::string& text) {
    std::uint64_t bytes = text.size();
    for (const ManifestArtifact& artifact : manifest.artifacts) bytes += artifact.bytes;
    return bytes;
}

Result<Testimony> testify_checksums(const Stored& stored) {
    Testimony testimony;
    for (const ManifestArtifact& artifact : artifacts_of(stored)) {
        testimony.facts.emplace(artifact.name, "sha256:" + artifact.sha256);
        testimony.proofs.push_back("checksum:" + artifact.name);
    }
    testimony.summary = fmt::format("SHA-256 of {} artifacts taken while they were written", testimony.proofs.size());
    return testimony;
}

Result<Testimony> testify_manifest(const Manifest& manifest, const std::string& text) {
    Testimony testimony;
    const std::string sha256 = digest_hex(DigestKind::sha256, as_bytes(text));
    testimony.summary =
        fmt::format("{} artifacts, {} tables counted", manifest.artifacts.size(), manifest.contents.row_counts.size());
    testimony.facts = {{"sha256", sha256}, {"bytes", fmt::format("{}", text.size())}};
    testimony.proofs = {"artifact:manifest", "checksum:manifest"};
    return testimony;
}

Result<Testimony> verify_manifest(const Manifest& manifest, const std::string& text, const Stored& stored) {
    const Manifest again = TRY(read_manifest(text).reason(reason::kStructureInvalid));
    if (again.artifacts.size() != manifest.artifacts.size() || again.backup_id != manifest.backup_id) {
        return Error(Errc::corrupted, "the manifest does not read back as written")
            .with_reason(reason::kStructureInvalid);
    }
    Testimony testimony;
    testimony.summary = fmt::format("pg_restore lists {} entries", stored.database.toc_entries);
    if (stored.filestore) testimony.summary += fmt::format(", tar of {} members", stored.filestore->packed.files);
    testimony.facts = {{"toc_entries", fmt::format("{}", stored.database.toc_entries)}};
    testimony.proofs = {"db_toc:entries"};
    return testimony;
}

}  // namespace backstay::backup
