#include "agent/jobs/odoo_zip/import.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/artifact/zip_reader.h"
#include "agent/jobs/backup/backup_as.h"
#include "agent/jobs/odoo_zip/loading.h"
#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/side_filestore.h"
#include "agent/jobs/restore/swap.h"
#include "agent/jobs/restore/target.h"
#include "common/crypto/digest.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/fd.h"
#include "common/files/files.h"
#include "common/human.h"
#include "common/pq/quote.h"

namespace backstay::odoo_zip {
namespace {

constexpr std::uint64_t kReserve = 1ULL << 30;
constexpr std::size_t kNameMost = 63;
constexpr std::string_view kNoConf =
    "; This backup was imported from a ZIP of Odoo's database manager, which holds no configuration.\n[options]\n";

// It becomes part of a path, and of what people type.
bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= kNameMost && name[0] != '.' && name[0] != '-' &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                      c == '-' || c == '.';
           });
}

Result<std::string> digest_of(int fd) {
    Digest digest(DigestKind::sha256);
    std::vector<std::byte> buffer(256 * 1024);
    if (::lseek(fd, 0, SEEK_SET) != 0) return Error::from_errno(errno, "read the ZIP");
    while (true) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return Error::from_errno(errno, "read the ZIP");
        if (count == 0) return digest.hex();
        digest.update(ByteSpan(buffer).first(static_cast<std::size_t>(count)));
    }
}

class Import {
public:
    Import(const ImportOrder& order, const JobHost& host, Steps& steps)
        : order_(order), host_(host), config_(host.config), steps_(steps) {
        // What the host says of its own Odoos is not true of this one.
        config_.odoo.clear();
    }

    Result<ImportOutcome> run() {
        TRY(look());
        cluster_ = TRY(find_cluster(config_, order_.cluster));
        scratch_ = fmt::format("{}/import-{}", scratch_folder(config_), order_.backup_id);
        name_ = restore::side_name("backstay_import", "restore", order_.backup_id);
        TRY(check_room());
        TRY(steps_.note(std::string(restore::kSideNote),
                        restore::encode_note(restore::SideRecord{cluster_.name, name_, name_, "", scratch_})));
        auto backup = make();
        Result<> cleared = clear();
        if (!backup) {
            Error error = std::move(backup).error();
            if (!cleared) error.followed_by(cleared.error());
            return error;
        }
        TRY(cleared);
        return ImportOutcome{std::move(*backup), contents_, sha256_};
    }

private:
    Result<> look() {
        zip_ = Fd(::open(order_.zip.c_str(), O_RDONLY | O_CLOEXEC));
        if (!zip_.open()) return Error::from_errno(errno, "open " + order_.zip);
        contents_ = TRY(look_through_zip(zip_.get()).context(order_.zip));
        database_ = order_.database.value_or(contents_.database);
        if (!is_plain_name(database_)) {
            return Error(Errc::invalid, database_.empty() ? "the ZIP does not say which database it is of"
                                                          : "the database's name is not one of letters, digits and _-.")
                .with_hint("name it with --database");
        }
        sha256_ = TRY(digest_of(zip_.get()));
        return {};
    }

    Result<> check_room() const {
        const std::uint64_t free = TRY(free_space(scratch_folder(config_))).free_bytes;
        if (free >= contents_.file_bytes + kReserve) return {};
        return Error(Errc::exhausted,
                     fmt::format("the filestore needs {} in {}, and {} are free", human::size(contents_.file_bytes),
                                 scratch_folder(config_), human::size(free)))
            .with_reason(reason::kDiskSpaceLow);
    }

    Result<BackupOutcome> make() {
        TRY(make_folders(scratch_, 0700));
        TRY(unpack_files());
        TRY(load_database());
        return back_up();
    }

    std::string filestore() const { return scratch_ + "/filestore"; }

    Result<> unpack_files() {
        restore::FilestoreMaking making;
        making.folder = filestore();
        making.owner = {::geteuid(), ::getegid()};
        making.stop = steps_.stop_token();
        const auto only_files = [this](const OnTarMember& take) {
            return read_zip(zip_.get(), [&](const TarMember& member, Source& content) -> Result<> {
                if (TRY(part_of(member)) != Part::file) return {};
                DeclaredContent declared(content, member);
                return take(member, declared);
            });
        };
        TRY(restore::make_filestore(only_files, making));
        return {};
    }

    Result<> load_database() {
        auto server = TRY(restore::connect_to_cluster(cluster_, steps_.stop_token()));
        const Tool psql = TRY(find_tool(cluster_, "psql", server.server_version_num()));
        // As Odoo makes one, but for the extensions: the dump names those that it needs.
        const std::string owner = order_.owner.value_or("");
        const std::string owned = owner.empty() ? "" : " OWNER " + pq::quote_identifier(owner);
        TRY(server.exec(fmt::format("CREATE DATABASE {}{} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'",
                                    pq::quote_identifier(name_), owned)));
        TRY(server.exec(fmt::format("REVOKE ALL ON DATABASE {} FROM PUBLIC", pq::quote_identifier(name_))));
        return read_zip(zip_.get(), [&](const TarMember& member, Source& content) -> Result<> {
            if (TRY(part_of(member)) != Part::sql) return {};
            DeclaredContent declared(content, member);
            return load_script({cluster_, name_, owner, psql, steps_.stop_token()}, declared);
        });
    }

    Result<BackupOutcome> back_up() {
        const std::string conf = scratch_ + "/odoo.conf";
        TRY(atomic_write(conf, kNoConf, 0600));
        BackupOrder order;
        order.backup_id = order_.backup_id;
        order.scope = contents_.files > 0 ? "full" : "db";
        order.trigger = "manual";
        order.label = order_.label.value_or(fmt::format("imported from a ZIP, SHA-256 {}", sha256_));
        order.created_at = {host_.clock.now_ms()};
        order.environment = {std::string(layout::kLocal),
                             host_.agent_id,
                             database_,
                             database_,
                             "production",
                             cluster_.name,
                             name_,
                             filestore(),
                             conf};
        order.destinations = {order_.destination};
        if (order_.encrypt) order.encrypt_for = {order_.destination.id};
        const JobHost host{config_, host_.agent_id, host_.agent_version, host_.clock, host_.rate_bytes_per_sec};
        return backup::run_backup_as(database_, order, host, steps_);
    }

    // Also when the job was stopped.
    Result<> clear() {
        auto server = TRY(restore::connect_to_cluster(cluster_, {}));
        TRY(restore::drop_database(server, name_));
        TRY(restore::remove_folder(scratch_));
        return steps_.note(std::string(restore::kSideNote), "");
    }

    const ImportOrder& order_;
    const JobHost& host_;
    AgentConfig config_;
    Steps& steps_;
    Fd zip_;
    ZipContents contents_;
    std::string sha256_;
    std::string database_;
    ClusterConfig cluster_;
    std::string scratch_;
    std::string name_;
};

}  // namespace

Result<ImportOutcome> run_import(const ImportOrder& order, const JobHost& host, Steps& steps) {
    return Import(order, host, steps).run();
}

}  // namespace backstay::odoo_zip
