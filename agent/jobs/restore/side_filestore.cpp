#include "agent/jobs/restore/side_filestore.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "agent/jobs/restore/folders.h"
#include "agent/odoo/attachments.h"
#include "common/crypto/digest.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/fd.h"
#include "common/files/files.h"

namespace backstay::restore {
namespace {

constexpr std::size_t kExamples = 20;

struct CloseFolder {
    void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

Error failed(int number, const std::string& doing) {
    Error error = Error::from_errno(number, doing);
    if (number == ENOSPC || number == EDQUOT) error.add_reason(reason::kDiskSpaceLow);
    return error;
}

// Members may begin with "./" or "filestore/".
std::string store_name(std::string path) {
    for (const std::string_view prefix : {"./", "filestore/"}) {
        if (path.starts_with(prefix)) path.erase(0, prefix.size());
    }
    return path;
}

class FilestoreWriter {
public:
    FilestoreWriter(const FilestoreMaking& making, int root)
        : making_(making), root_(root), give_away_(may_give_files_away()), buffer_(256 * 1024) {}

    Result<> take(const TarMember& member, Source& content) {
        if (making_.stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
        if (member.kind == TarMember::Kind::folder) return {};
        const std::string name = store_name(member.path);
        if (making_.on_list && name == layout::kFileListMember) return making_.on_list(content);
        if (member.kind != TarMember::Kind::file || odoo::kind_of_name(name) != odoo::NameKind::file) {
            return Error(Errc::corrupted, fmt::format("the archive holds '{}', which is no file of a filestore", name))
                .with_reason(reason::kFilestoreInconsistent);
        }
        if (making_.wanted && !TRY(making_.wanted(name))) return {};
        TRY(make_folders_of(name));
        return write(name, content);
    }

    const FilesMade& made() const { return made_; }

private:
    Result<> make_folders_of(const std::string& name) {
        for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
            const std::string folder = name.substr(0, slash);
            if (!folders_.insert(folder).second) continue;
            if (mkdirat(root_, folder.c_str(), 0755) != 0) {
                if (making_.add && errno == EEXIST) continue;
                return failed(errno, "make folder " + folder);
            }
            if (give_away_ && fchownat(root_, folder.c_str(), making_.owner.uid, making_.owner.gid, 0) != 0) {
                return failed(errno, "give away folder " + folder);
            }
        }
        return {};
    }

    Result<> write(const std::string& name, Source& content) {
        if (making_.damaged != nullptr && making_.damaged->erase(name) > 0) unlinkat(root_, name.c_str(), 0);
        const Fd file(openat(root_, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
        // Equal names are equal contents; whatever of this one is left unread is skipped.
        if (file.get() < 0 && errno == EEXIST && making_.add) return {};
        if (file.get() < 0) return failed(errno, "make file " + name);
        Result<> filled = fill(file.get(), name, content);
        // What is cut off or wrong must not pass for the file when another destination is read in this one's stead.
        if (!filled) unlinkat(root_, name.c_str(), 0);
        return filled;
    }

    Result<> fill(int fd, const std::string& name, Source& content) {
        while (const std::size_t count = TRY(content.read(buffer_))) {
            const ByteSpan piece(buffer_.data(), count);
            digest_.update(piece);
            TRY(write_all(fd, piece, name));
            made_.bytes += count;
            if (making_.on_bytes) making_.on_bytes(count);
        }
        if (fchmod(fd, 0644) != 0) return failed(errno, "set the mode of " + name);
        if (give_away_ && fchown(fd, making_.owner.uid, making_.owner.gid) != 0) {
            return failed(errno, "give away " + name);
        }
        ++made_.files;
        return check(name);
    }

    static Result<> write_all(int fd, ByteSpan bytes, const std::string& name) {
        while (!bytes.empty()) {
            const ssize_t count = ::write(fd, bytes.data(), bytes.size());
            if (count < 0) {
                if (errno == EINTR) continue;
                return failed(errno, "write " + name);
            }
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
        return {};
    }

    Result<> check(const std::string& name) {
        const std::string sha1 = digest_.hex();
        const std::string wanted = odoo::sha1_of_name(name);
        if (wanted.empty() || wanted == sha1) return {};
        if (!making_.known_damaged.contains(name) && unnamed_damaged_++ >= making_.unnamed_damaged) {
            return Error(Errc::corrupted, fmt::format("{} has content of SHA-1 {}", name, sha1))
                .with_reason(reason::kFilestoreInconsistent);
        }
        ++made_.damaged;
        if (making_.damaged != nullptr) making_.damaged->insert(name);
        return {};
    }

    const FilestoreMaking& making_;
    int root_;
    bool give_away_;
    std::vector<std::byte> buffer_;
    std::set<std::string> folders_;
    Digest digest_{DigestKind::sha1};
    std::uint64_t unnamed_damaged_ = 0;
    FilesMade made_;
};

// The file is there and its content has the SHA-1 of its name.
Result<bool> is_what_it_says(int root, const std::string& name) {
    const Fd file(openat(root, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    const std::string wanted = odoo::sha1_of_name(name);
    if (file.get() < 0 || wanted.empty()) return false;
    Digest digest(DigestKind::sha1);
    std::vector<std::byte> buffer(256 * 1024);
    while (true) {
        const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed(errno, "read " + name);
        if (count == 0) return digest.hex() == wanted;
        digest.update(ByteSpan(buffer).first(static_cast<std::size_t>(count)));
    }
}

// The folders above `name`, owned as those of the filestore that it comes from.
Result<> make_parents_like(int from, int into, const std::string& name) {
    for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
        const std::string folder = name.substr(0, slash);
        if (mkdirat(into, folder.c_str(), 0755) != 0) {
            if (errno == EEXIST) continue;
            return failed(errno, "make folder " + folder);
        }
        struct stat status {};
        if (!may_give_files_away() || fstatat(from, folder.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (fchownat(into, folder.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
            return failed(errno, "give away folder " + folder);
        }
    }
    return {};
}

bool is_hash_folder(std::string_view name) {
    return (name.size() == 2 || name.size() == 3) &&
           name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::uint64_t> keep_from_folder(int from, int into, const std::string& name) {
    const Fd source(openat(from, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (source.get() < 0) return failed(errno, "open folder " + name);
    const Folder listing(fdopendir(dup(source.get())));
    if (!listing) return failed(errno, "list folder " + name);
    std::uint64_t kept = 0;
    std::optional<Fd> target;
    while (const dirent* entry = readdir(listing.get())) {
        if (entry->d_type != DT_REG) continue;
        if (!target) {
            struct stat status {};
            fstat(source.get(), &status);
            if (mkdirat(into, name.c_str(), 0755) == 0 && may_give_files_away() &&
                fchownat(into, name.c_str(), status.st_uid, status.st_gid, 0) != 0) {
                return failed(errno, "give away folder " + name);
            }
            target.emplace(openat(into, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (target->get() < 0) return failed(errno, "open folder " + name);
        }
        if (linkat(source.get(), entry->d_name, target->get(), entry->d_name, 0) == 0) {
            ++kept;
        } else if (errno != EEXIST) {
            return failed(errno, fmt::format("keep {}/{}", name, entry->d_name));
        }
    }
    return kept;
}

}  // namespace

void admit_damage(FilestoreMaking& making, const ManifestFilestore& said) {
    for (const ManifestFileProblem& problem : said.missing_files) making.known_damaged.insert(problem.store_fname);
    if (said.missing_count > said.missing_files.size()) {
        making.unnamed_damaged += said.missing_count - said.missing_files.size();
    }
}

Result<> begin_filestore(const FilestoreMaking& making) {
    TRY(remove_folder(making.folder));
    TRY(make_folders(parent_of(making.folder), 0755));
    if (mkdir(making.folder.c_str(), 0755) != 0) return failed(errno, "make folder " + making.folder);
    if (may_give_files_away() && lchown(making.folder.c_str(), making.owner.uid, making.owner.gid) != 0) {
        return failed(errno, "give away folder " + making.folder);
    }
    return {};
}

Result<FilesMade> make_filestore(Source& archive, const FilestoreMaking& making) {
    return make_filestore([&](const OnTarMember& take) { return read_tar(archive, take); }, making);
}

Result<FilesMade> make_filestore(const ReadMembers& read, const FilestoreMaking& making) {
    if (!making.add) TRY(begin_filestore(making));
    const Fd root(open(making.folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (root.get() < 0) return failed(errno, "open folder " + making.folder);
    FilestoreWriter writer(making, root.get());
    TRY(read([&](const TarMember& member, Source& content) { return writer.take(member, content); }));
    return writer.made();
}

Result<std::uint64_t> keep_newer_files(const std::string& in_use, const std::string& folder) {
    const Fd from(open(in_use.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (from.get() < 0) return failed(errno, "open folder " + in_use);
    const Fd into(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (into.get() < 0) return failed(errno, "open folder " + folder);
    const Folder listing(fdopendir(dup(from.get())));
    if (!listing) return failed(errno, "list folder " + in_use);
    std::uint64_t kept = 0;
    while (const dirent* entry = readdir(listing.get())) {
        if (entry->d_type == DT_DIR && is_hash_folder(entry->d_name)) {
            kept += TRY(keep_from_folder(from.get(), into.get(), entry->d_name));
        }
    }
    return kept;
}

Result<std::uint64_t> take_named_files(pq::Connection& connection, const std::string& in_use,
                                       const std::string& folder) {
    const pq::Rows odoo = TRY(connection.query("SELECT to_regclass('ir_attachment') IS NOT NULL"));
    if (!odoo.boolean(0, 0)) return std::uint64_t{0};
    const Fd from(open(in_use.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (from.get() < 0) return failed(errno, "open folder " + in_use);
    const Fd into(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (into.get() < 0) return failed(errno, "open folder " + folder);
    std::uint64_t taken = 0;
    const auto take = [&](const std::string& name) -> Result<> {
        if (odoo::kind_of_name(name) != odoo::NameKind::file) return {};
        if (faccessat(into.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW | AT_EACCESS) == 0) return {};
        if (!TRY(is_what_it_says(from.get(), name))) return {};
        TRY(make_parents_like(from.get(), into.get(), name));
        if (linkat(from.get(), name.c_str(), into.get(), name.c_str(), 0) == 0) ++taken;
        return {};
    };
    TRY(connection.stream("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL", {},
                          [&](pq::RowView row) { return take(std::string(row.text(0, 0))); }));
    return taken;
}

Result<> drop_damaged_files(const std::string& in_use, const std::string& folder, std::set<std::string>& damaged) {
    if (damaged.empty()) return {};
    const Fd from(open(in_use.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (from.get() < 0) return failed(errno, "open folder " + in_use);
    const Fd into(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (into.get() < 0) return failed(errno, "open folder " + folder);
    for (auto name = damaged.begin(); name != damaged.end();) {
        if (TRY(is_what_it_says(from.get(), *name))) {
            if (unlinkat(into.get(), name->c_str(), 0) != 0) return failed(errno, "remove " + *name);
            name = damaged.erase(name);
        } else {
            ++name;
        }
    }
    return {};
}

Result<std::optional<Reconciled>> reconcile_filestore(pq::Connection& connection, const std::string& folder) {
    const pq::Rows odoo = TRY(connection.query("SELECT to_regclass('ir_attachment') IS NOT NULL"));
    if (!odoo.boolean(0, 0)) return std::optional<Reconciled>();
    const Fd root(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (root.get() < 0) return failed(errno, "open folder " + folder);
    Reconciled out;
    TRY(connection.stream("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL", {},
                          [&](pq::RowView row) -> Result<> {
                              const std::string name(row.text(0, 0));
                              ++out.names;
                              if (odoo::kind_of_name(name) != odoo::NameKind::file) {
                                  ++out.external;
                              } else if (faccessat(root.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW | AT_EACCESS) !=
                                         0) {
                                  ++out.missing;
                                  if (out.examples.size() < kExamples) out.examples.push_back(name);
                              }
                              return {};
                          }));
    return std::optional<Reconciled>(std::move(out));
}

}  // namespace backstay::restore
