#include "agent/jobs/odoo_zip/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "agent/artifact/tar_reader.h"
#include "agent/artifact/zip_writer.h"
#include "agent/jobs/odoo_zip/plain_sql.h"
#include "agent/odoo/attachments.h"
#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "common/domain/steps.h"
#include "common/ids.h"
#include "common/json/json.h"

namespace backstay::odoo_zip {
namespace {

// Gathers libarchive's many small writes, and counts.
class Gathering final : public Sink {
public:
    explicit Gathering(Sink& next) : next_(next) { held_.reserve(kBlock); }
    Result<> write(ByteSpan bytes) override {
        bytes_ += bytes.size();
        if (held_.size() + bytes.size() > kBlock) TRY(finish());
        if (bytes.size() > kBlock) return next_.write(bytes);
        held_.append(as_text(bytes));
        return {};
    }
    Result<> finish() override {
        if (held_.empty()) return {};
        TRY(next_.write(as_bytes(held_)));
        held_.clear();
        return {};
    }
    std::uint64_t bytes() const { return bytes_; }

private:
    static constexpr std::size_t kBlock = 256 * 1024;
    Sink& next_;
    std::string held_;
    std::uint64_t bytes_ = 0;
};

// A member's content.
class MemberSink final : public Sink {
public:
    MemberSink(ZipWriter& zip, std::uint64_t& bytes) : zip_(zip), bytes_(bytes) {}
    Result<> write(ByteSpan bytes) override {
        bytes_ += bytes.size();
        return zip_.data(bytes);
    }

private:
    ZipWriter& zip_;
    std::uint64_t& bytes_;
};

class Export {
public:
    Export(const restore::OpenedBackup& backup, const ZipOrder& order, ZipWriter& zip)
        : backup_(backup), order_(order), zip_(zip) {
        const auto& filestore = backup.manifest.filestore;
        if (!filestore) return;
        for (const ManifestFileProblem& problem : filestore->missing_files) known_.insert(problem.store_fname);
        unnamed_ = filestore->missing_count - std::min<std::uint64_t>(filestore->missing_count, known_.size());
    }

    Result<ZipMade> run() {
        TRY(write_sql());
        TRY(write_manifest());
        made_.without_files = !backup_.manifest.filestore;
        if (backup_.manifest.filestore) TRY(write_files());
        TRY(zip_.finish());
        return made_;
    }

private:
    std::int64_t written_at() const { return backup_.manifest.completed_at.ms / 1000; }

    Result<> write_sql() {
        const Manifest& manifest = backup_.manifest;
        const ClusterConfig cluster = TRY(find_cluster(order_.host.config, std::nullopt));
        const Tool tool = TRY(find_tool(cluster, "pg_restore", manifest.postgres.server_version_num));
        // Its length is known when it has been written.
        TRY(zip_.begin({"dump.sql", std::nullopt, written_at()}));
        MemberSink sink(zip_, made_.sql_bytes);
        const std::string scratch = fmt::format("{}/export-{}", scratch_folder(order_.host.config), new_uuid());
        return write_plain_sql({backup_, tool, scratch, order_.stop, order_.on_stored_bytes}, sink);
    }

    Result<> write_manifest() {
        const std::string text = odoo_manifest_text(*backup_.manifest.odoo);
        TRY(zip_.begin({"manifest.json", text.size(), written_at()}));
        return zip_.data(as_bytes(text));
    }

    Result<> write_files() {
        const ManifestArtifact* artifact = find_artifact(backup_.manifest, artifact::kFilestore);
        auto reader = TRY(
            ArtifactReader::open(backup_.origins.list, backup_.folder, *artifact, backup_.key, order_.on_stored_bytes));
        return read_tar(*reader,
                        [this](const TarMember& member, Source& content) { return write_file(member, content); });
    }

    Result<> write_file(const TarMember& member, Source& content) {
        if (order_.stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
        if (member.kind == TarMember::Kind::folder) return {};
        const std::string name = member.path.starts_with("./") ? member.path.substr(2) : member.path;
        if (member.kind != TarMember::Kind::file || odoo::kind_of_name(name) != odoo::NameKind::file) {
            return Error(Errc::corrupted, fmt::format("the archive holds '{}', which is no file of a filestore", name))
                .with_reason(reason::kFilestoreInconsistent);
        }
        std::size_t count = TRY(content.read(buffer_));
        const bool deflate = !looks_compressed(ByteSpan(buffer_).first(count));
        TRY(zip_.begin({"filestore/" + name, member.size_bytes, member.modified_at, deflate}));
        for (; count > 0; count = TRY(content.read(buffer_))) {
            const ByteSpan piece = ByteSpan(buffer_).first(count);
            digest_.update(piece);
            TRY(zip_.data(piece));
            made_.file_bytes += count;
        }
        ++made_.files;
        return check(name);
    }

    Result<> check(const std::string& name) {
        const std::string sha1 = digest_.hex();
        const std::string wanted = odoo::sha1_of_name(name);
        if (wanted.empty() || wanted == sha1) return {};
        if (!known_.contains(name)) {
            if (unnamed_ == 0) {
                return Error(Errc::corrupted, fmt::format("{} has content of SHA-1 {}", name, sha1))
                    .with_reason(reason::kFilestoreInconsistent);
            }
            --unnamed_;
        }
        ++made_.damaged;
        return {};
    }

    const restore::OpenedBackup& backup_;
    const ZipOrder& order_;
    ZipWriter& zip_;
    std::set<std::string> known_;  // damaged or missing when it was backed up
    std::uint64_t unnamed_ = 0;
    std::vector<std::byte> buffer_ = std::vector<std::byte>(256 * 1024);
    Digest digest_{DigestKind::sha1};
    ZipMade made_;
};

json::Value number_or_text(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault == std::errc{} && end == text.data() + text.size()) return json::Value(number);
    return json::Value(text);
}

}  // namespace

std::string odoo_manifest_text(const OdooManifest& manifest) {
    json::Value value = json::encode(manifest, json::Names::as_is);
    json::Array info;
    for (const std::string& part : manifest.version_info) info.push_back(number_or_text(part));
    value.as_object()["version_info"] = std::move(info);
    return json::serialize(value);
}

Result<> check_exportable(restore::OpenedBackup& backup) {
    const Manifest& manifest = backup.manifest;
    if (manifest.scope == "base") return Error(Errc::invalid, "a base backup is of a whole cluster, not of one Odoo");
    if (!manifest.odoo) return Error(Errc::invalid, "no Odoo lives in the database of this backup");
    if (manifest.filestore && manifest.filestore->mode != "full") {
        return Error(Errc::invalid, "a differential snapshot holds not all of its files");
    }
    std::vector<std::string> needed = {std::string(artifact::kDatabase)};
    if (manifest.filestore) needed.emplace_back(artifact::kFilestore);
    TRY(restore::find_artifacts(backup, needed));
    return {};
}

Result<ZipMade> write_odoo_zip(const restore::OpenedBackup& backup, const ZipOrder& order, Sink& to) {
    Gathering gathering(to);
    auto zip = TRY(ZipWriter::open(gathering));
    ZipMade made = TRY(Export(backup, order, *zip).run());
    TRY(gathering.finish());
    made.bytes = gathering.bytes();
    return made;
}

}  // namespace backstay::odoo_zip
