#include "agent/jobs/base/parts.h"

#include <fmt/format.h>

#include <cerrno>

#include "common/domain/reasons.h"

namespace backstay::base {
namespace {

Error refused(std::string message) {
    return Error(Errc::invalid, std::move(message)).with_reason(reason::kPreflightFailed);
}

}  // namespace

Result<> check_cluster(const postgres::ClusterFacts& facts) {
    if (facts.in_recovery) return refused("the server is a standby: base backups are taken from the primary");
    if (!facts.archiving) {
        return refused("archive_mode is off: a base backup without WAL would restore nothing")
            .with_hint("backstay setup-wal shows what postgresql.conf needs");
    }
    if (facts.tablespaces > 0) {
        return refused(fmt::format("the cluster has {} tablespaces of its own, which base backups do not carry",
                                   facts.tablespaces));
    }
    return {};
}

Result<std::vector<std::string>> list_databases(pq::Connection& connection) {
    const pq::Rows rows =
        TRY(connection.query("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname LIMIT 1000"));
    std::vector<std::string> names;
    for (std::size_t i = 0; i < rows.size(); ++i) names.emplace_back(rows.text(i, 0));
    return names;
}

Result<StreamKey> load_key(const JobHost& host) {
    const std::string& file = host.config.encryption_key_file;
    if (file.empty()) {
        return Error(Errc::invalid, "the base backup is to be encrypted, but the agent has no encryption_key_file")
            .with_reason(reason::kEncryptionKeyMissing);
    }
    return StreamKey::load(file).reason(reason::kEncryptionKeyMissing);
}

Result<TimeMs> server_time(const ClusterConfig& cluster, std::stop_token stop) {
    auto connection = TRY(pq::Connection::connect(connect_parameters(cluster, cluster.database), std::move(stop)));
    const pq::Rows row = TRY(connection.query("SELECT ceil(extract(epoch FROM clock_timestamp()) * 1000)::bigint"));
    return row.integer(0, 0);
}

Result<> nudge_archiver(const ClusterConfig& cluster, const std::string& backup_id, std::stop_token stop) {
    auto connection = TRY(pq::Connection::connect(connect_parameters(cluster, cluster.database), std::move(stop)));
    TRY(connection.query("SELECT pg_logical_emit_message(true, 'backstay', $1)", {"base backup " + backup_id}));
    TRY(connection.query("SELECT pg_switch_wal()"));
    return {};
}

ManifestKeeper::ManifestKeeper(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wxe")) {}

ManifestKeeper::~ManifestKeeper() {
    if (file_ != nullptr) std::fclose(file_);
}

Result<> ManifestKeeper::write(ByteSpan bytes) {
    if (file_ == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size() ||
        std::fflush(file_) != 0) {
        Error error = Error::from_errno(errno, "write " + path_);
        if (errno == ENOSPC || errno == EDQUOT) error.add_reason(reason::kDiskSpaceLow);
        return error;
    }
    tail_.append(as_text(bytes.last(std::min(bytes.size(), kTail))));
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
    return {};
}

Result<> copy_file(const std::string& path, Sink& to) {
    const std::unique_ptr<std::FILE, decltype([](std::FILE* open) { std::fclose(open); })> file(
        std::fopen(path.c_str(), "re"));
    if (!file) return Error::from_errno(errno, "open " + path);
    std::vector<std::byte> buffer(256 << 10);
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
        TRY(to.write(ByteSpan(buffer).first(count)));
    }
    return std::ferror(file.get()) != 0 ? Result<>(Error(Errc::io, "read " + path)) : Result<>();
}

}  // namespace backstay::base
