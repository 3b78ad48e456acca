#include "agent/jobs/backup/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <set>

#include "agent/artifact/tar_writer.h"
#include "agent/postgres/contents.h"
#include "agent/postgres/dump.h"
#include "agent/postgres/facts.h"
#include "agent/postgres/parallel_dump.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/log.h"
#include "common/process/spawn.h"

namespace backstay::backup {
namespace {

// pg_dump's header and table of contents come first; so much of a single stream is kept to list them.
constexpr std::uint64_t kHeadBytes = 64 << 20;

struct Parts {
    Prepared& prepared;
    Throttle& throttle;
    ProgressMeter& progress;
    std::stop_token stop;
    Priority priority;
};

postgres::DumpRequest request_of(const Parts& parts) {
    const Prepared& prepared = parts.prepared;
    return {prepared.pg_dump, prepared.cluster, prepared.database, prepared.snapshot->id(), parts.priority, parts.stop};
}

Result<> passed(const Parts& parts, std::size_t bytes) {
    parts.progress.add(step::kDbDump, bytes);
    return parts.throttle.take(bytes);
}

Result<> write_all(int fd, ByteSpan bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return Error::from_errno(errno, "write to scratch").with_reason(reason::kDiskSpaceLow);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

// Entries are the lines that do not begin with ';': "4021; 0 16402 TABLE DATA public sale_order odoo".
struct Listing {
    std::int64_t entries = 0;
    std::map<std::string, std::int64_t> table_data;  // dump id → the table's OID
};

std::int64_t oid_of(std::string_view line) {
    std::int64_t oid = 0;
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    if (second != std::string_view::npos) std::from_chars(line.data() + second + 1, line.data() + line.size(), oid);
    return oid;
}

Result<Listing> read_listing(const std::string& text) {
    Listing listing;
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line.empty() || line.front() == ';') continue;
        ++listing.entries;
        if (line.find(" TABLE DATA ") != std::string_view::npos) {
            listing.table_data.emplace(line.substr(0, line.find(';')), oid_of(line));
        }
    }
    if (listing.entries == 0) {
        return Error(Errc::corrupted, "the dump's table of contents is empty").with_reason(reason::kStructureInvalid);
    }
    return listing;
}

Result<> stream_custom(const Parts& parts, ArtifactStream& to, Listing& listing) {
    const std::string head = parts.prepared.scratch->path() + "/head.dump";
    Fd head_file(::open(head.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!head_file.open()) return Error::from_errno(errno, "create " + head);
    const auto child = TRY(postgres::start_custom_dump(request_of(parts)));
    std::uint64_t total = 0;
    while (true) {
        const MutableByteSpan room = TRY(to.room());
        Result<std::size_t> count = child->output().read(room);
        if (!count) return postgres::classify_dump_error(std::move(count).error());
        if (*count == 0) break;
        if (total < kHeadBytes) TRY(write_all(head_file.get(), room.first(*count)));
        total += *count;
        TRY(to.took(*count));
        TRY(passed(parts, *count));
    }
    head_file.reset();
    listing = TRY(read_listing(TRY(postgres::list_archive(parts.prepared.pg_restore, head, parts.stop))));
    ::unlink(head.c_str());
    return {};
}

// The rows in a file of COPY text: each is one line, because line ends inside values are escaped.
class RowCounter {
public:
    void take(ByteSpan bytes) {
        for (const std::byte* at = bytes.data(); at != bytes.data() + bytes.size();) {
            const auto left = static_cast<std::size_t>(bytes.data() + bytes.size() - at);
            const void* found = std::memchr(at, '\n', left);
            if (found == nullptr) break;
            ++lines_;
            at = static_cast<const std::byte*>(found) + 1;
        }
        tail_.append(as_text(bytes.last(std::min(bytes.size(), kEnd.size()))));
        if (tail_.size() > kEnd.size()) tail_.erase(0, tail_.size() - kEnd.size());
    }
    // nullopt: this does not end as pg_dump ends table data.
    std::optional<std::int64_t> rows() const {
        if (tail_ != kEnd) return std::nullopt;
        return lines_ - 3;
    }

private:
    static constexpr std::string_view kEnd = "\\.\n\n\n";
    std::int64_t lines_ = 0;
    std::string tail_;
};

Result<std::optional<std::int64_t>> pack_file(const Parts& parts, TarWriter& tar, const std::string& path,
                                              const std::string& name, std::vector<std::byte>& buffer) {
    RowCounter rows;
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat about {};
    if (!file.open() || ::fstat(file.get(), &about) != 0) return Error::from_errno(errno, "open " + path);
    TRY(tar.begin({name, static_cast<std::uint64_t>(about.st_size), about.st_mtim.tv_sec, 0600}));
    std::uint64_t left = static_cast<std::uint64_t>(about.st_size);
    while (left > 0) {
        const ssize_t count = ::read(file.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), left));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return Error::from_errno(errno, "read " + path);
        if (count == 0) return Error(Errc::io, path + " shrank while it was read").with_reason(reason::kDbDumpFailed);
        const auto bytes = static_cast<std::size_t>(count);
        rows.take(ByteSpan(buffer).first(bytes));
        TRY(tar.data(ByteSpan(buffer).first(bytes)));
        TRY(passed(parts, bytes));
        left -= bytes;
    }
    return rows.rows();
}

using FileRows = std::map<std::string, std::int64_t>;  // dump id → rows

Result<> stream_parallel(const Parts& parts, ArtifactStream& to, Listing& listing, FileRows& file_rows) {
    const Prepared& prepared = parts.prepared;
    const TempDir folder = TRY(TempDir::create(prepared.scratch->path(), "dump-"));
    const auto dump =
        TRY(postgres::ParallelDump::start(request_of(parts), folder.path(), prepared.host.config.limits.dump_jobs));
    const auto tar = TRY(TarWriter::open(to));
    std::vector<std::byte> buffer(256 * 1024);
    std::set<std::string> packed;
    while (true) {
        const std::optional<std::string> name = TRY(dump->next(prepared.scratch_free_bytes / 2));
        if (!name) break;
        const std::string path = fmt::format("{}/{}", folder.path(), *name);
        const std::optional<std::int64_t> rows = TRY(pack_file(parts, *tar, path, *name, buffer));
        if (rows && name->ends_with(".dat")) file_rows.emplace(name->substr(0, name->size() - 4), *rows);
        if (*name == "toc.dat") {
            listing = TRY(read_listing(TRY(postgres::list_archive(prepared.pg_restore, folder.path(), parts.stop))));
        }
        if (::unlink(path.c_str()) != 0) return Error::from_errno(errno, "remove " + path);
        packed.insert(*name);
    }
    for (const auto& [id, oid] : listing.table_data) {
        if (packed.contains(id + ".dat")) continue;
        return Error(Errc::corrupted, fmt::format("the dump lacks the rows of entry {}", id))
            .with_reason(reason::kStructureInvalid);
    }
    if (listing.entries == 0) {
        return Error(Errc::corrupted, "the dump has no table of contents").with_reason(reason::kStructureInvalid);
    }
    return tar->finish();
}

Result<DatabaseStored> store_one_way(const Parts& parts, Shipping& shipping, bool parallel) {
    const Prepared& prepared = parts.prepared;
    DatabaseStored out;
    Listing listing;
    const ArtifactPlan plan{std::string(artifact::kDatabase),
                            layout::artifact_file(artifact::kDatabase, parallel, prepared.key.has_value()),
                            prepared.facts.size_bytes};
    FileRows file_rows;
    out.artifact = TRY(shipping.store(plan, [&](ArtifactStream& stream) {
        return parallel ? stream_parallel(parts, stream, listing, file_rows) : stream_custom(parts, stream, listing);
    }));
    for (const auto& [id, oid] : listing.table_data) {
        const auto found = file_rows.find(id);
        if (found != file_rows.end()) out.rows_by_oid.emplace(oid, found->second);
    }
    out.dump_format = parallel ? "directory" : "custom";
    out.toc_entries = listing.entries;
    out.table_data_entries = static_cast<std::int64_t>(listing.table_data.size());
    out.pg_dump_version = prepared.pg_dump.version;
    return out;
}

// Counts while pg_dump dumps: the rows too when they are not counted in the dump itself. On a connection of its own,
// because a statement that fails would end the snapshot for everybody.
class Counting {
public:
    Counting(const postgres::Snapshot& snapshot, Priority priority, bool with_rows)
        : thread_([this, &snapshot, priority, with_rows]() noexcept {
              lower_priority(priority);
              result_ = count(snapshot, with_rows);
          }) {}
    ~Counting() { join(); }
    Result<ManifestContents> take() {
        join();
        return std::move(*result_).context("count what the database holds").reason(reason::kDbDumpFailed);
    }

private:
    static Result<ManifestContents> count(const postgres::Snapshot& snapshot, bool with_rows) {
        pq::Connection connection = TRY(snapshot.join());
        return with_rows ? count_contents(connection) : count_objects(connection);
    }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    std::optional<Result<ManifestContents>> result_;
    std::thread thread_;
};

// Rows as the dump holds them, by table; a table whose file could not be counted makes the server count all.
Result<> name_rows(pq::Connection& connection, DatabaseStored& stored) {
    for (const auto& [oid, table] : TRY(counted_tables(connection))) {
        const auto rows = stored.rows_by_oid.find(oid);
        if (rows == stored.rows_by_oid.end()) {
            stored.contents = TRY(count_contents(connection).reason(reason::kDbDumpFailed));
            return {};
        }
        stored.contents.row_counts.emplace(table, rows->second);
    }
    return {};
}

}  // namespace

Testimony testify(const DatabaseStored& stored) {
    Testimony testimony;
    testimony.summary =
        fmt::format("{:.1f} MB {} dump in {:.1f} MB, {} TOC entries, {} tables",
                    static_cast<double>(stored.artifact.uncompressed_bytes) / 1e6, stored.dump_format,
                    static_cast<double>(stored.artifact.bytes) / 1e6, stored.toc_entries, stored.contents.tables);
    testimony.facts = {{"dump_format", stored.dump_format},
                       {"pg_dump_version", stored.pg_dump_version},
                       {"plain_bytes", fmt::format("{}", stored.artifact.uncompressed_bytes)},
                       {"stored_bytes", fmt::format("{}", stored.artifact.bytes)},
                       {"toc_entries", fmt::format("{}", stored.toc_entries)},
                       {"table_data_entries", fmt::format("{}", stored.table_data_entries)},
                       {"sha256", stored.artifact.sha256}};
    testimony.proofs = {"artifact:db"};
    return testimony;
}

Result<DatabaseStored> store_database(Prepared& prepared, Shipping& shipping, Throttle& throttle,
                                      ProgressMeter& progress, std::stop_token stop) {
    const Parts parts{prepared, throttle, progress, std::move(stop), shipping.priority()};
    progress.set_total(step::kDbDump, prepared.facts.size_bytes);
    pq::Connection& connection = prepared.snapshot->connection();
    Counting counting(*prepared.snapshot, parts.priority, !prepared.parallel_dump);
    Result<DatabaseStored> stored = store_one_way(parts, shipping, prepared.parallel_dump);
    if (!stored && prepared.parallel_dump && postgres::is_worker_lock_failure(stored.error())) {
        log::info("parallel dump met a lock, one stream instead", {{"database", prepared.database}});
        prepared.parallel_dump = false;
        stored = store_one_way(parts, shipping, false);
    }
    Result<ManifestContents> contents = counting.take();
    if (!stored) return stored;
    if (!contents) return std::move(contents).error();
    stored->contents = std::move(*contents);
    if (stored->contents.row_counts.empty()) TRY(name_rows(connection, *stored));
    if (prepared.instance) stored->contents.modules_in_transition = prepared.instance->modules_in_transition;
    stored->end_lsn = TRY(postgres::current_lsn(connection));
    progress.set_total(step::kDbDump, stored->artifact.uncompressed_bytes);
    return stored;
}

}  // namespace backstay::backup
