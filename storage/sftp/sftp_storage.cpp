#include "storage/sftp/sftp_storage.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/reasons.h"
#include "storage/sftp/link.h"
#include "storage/sftp/upload.h"
#include "storage/tree_listing.h"

namespace backstay::sftp {

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::size_t kMostSwept = 10'000;  // in one sweep; the next takes the others

Error missing() { return Error(Errc::not_found, "no such object").with_reason(reason::kRemoteMissing); }

std::string etag_of(const Attributes& about) {
    return fmt::format("{:x}-{:x}", about.modified_at / 1000, about.size_bytes);
}

ObjectInfo describe(std::string_view key, const Attributes& about) {
    return {std::string(key), about.size_bytes, about.modified_at, etag_of(about), ""};
}

class RemoteTree final : public Tree {
public:
    RemoteTree(Session& session, const Link& link) : session_(session), link_(link) {}

    Result<> read(const std::string& folder, const std::function<Result<>(TreeEntry)>& each) override {
        const std::string_view name = std::string_view(folder).substr(0, folder.size() - (folder.empty() ? 0 : 1));
        Result<Handle> opened = session_.open_folder(link_.path(name));
        if (!opened && opened.error().code() == Errc::not_found) {
            return link_.explain_missing(session_, std::move(opened).error());
        }
        Handle handle = TRY(std::move(opened));
        while (true) {
            const std::optional<Entry> entry = TRY(handle.next());
            if (!entry) return {};
            if (entry->name == "." || entry->name == ".." || !(entry->about.file || entry->about.folder)) continue;
            TRY(each({entry->name, entry->about.folder, true, entry->about.size_bytes, entry->about.modified_at,
                      etag_of(entry->about)}));
        }
    }
    Result<bool> complete(const std::string&, TreeEntry&) override { return true; }

private:
    Session& session_;
    const Link& link_;
};

// An object that is being read: the same one over all connections that it takes.
struct Reading {
    std::optional<Attributes> about;
    std::uint64_t position = 0;
    std::uint64_t end = 0;
    bool sink_failed = false;
};

class SftpStorage final : public Storage {
public:
    SftpStorage(const SftpConfig& config, std::vector<HostKey> host_keys, const StorageContext& context)
        : link_(config, std::move(host_keys), context) {}

    std::string_view kind() const override { return "sftp"; }

    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        TRY(check_file_key(key));
        return store(key, content, options).context(fmt::format("store '{}'", key));
    }
    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        TRY(check_file_key(key));
        return fetch(key, range, into).context(fmt::format("read '{}'", key));
    }
    Result<ObjectInfo> stat(std::string_view key) override {
        TRY(check_file_key(key));
        return find(key).context(fmt::format("inspect '{}'", key));
    }
    Result<ListPage> list(const ListQuery& query) override {
        Session* const session = TRY(link_.session());
        RemoteTree tree(*session, link_);
        return list_tree(tree, query).context(fmt::format("list '{}'", query.prefix));
    }
    Result<> remove(std::string_view key) override {
        TRY(check_file_key(key));
        return erase(key).context(fmt::format("remove '{}'", key));
    }
    Result<std::uint64_t> sweep_leftovers(TimeMs older_than) override;
    Result<std::optional<std::uint64_t>> free_bytes() override {
        Session* const session = TRY(link_.session());
        return session->free_bytes(link_.base());
    }
    Result<std::optional<std::string>> presign_get(std::string_view, std::uint32_t, std::string_view) override {
        return std::optional<std::string>();
    }

private:
    Result<Attributes> inspect(Session& session, std::string_view key) const;
    Result<ObjectInfo> find(std::string_view key);
    Result<> fetch(std::string_view key, const ByteRange& range, Sink& into);
    Result<> begin(Session& session, std::string_view key, const ByteRange& range, Reading& reading) const;
    Result<> read_over(Session& session, std::string_view key, Reading& reading, Sink& into) const;
    Result<ObjectInfo> store(std::string_view key, Source& content, const PutOptions& options);
    Result<> check_space(std::uint64_t more);
    Result<ObjectInfo> agree_with_stored(std::string_view key, std::uint64_t bytes, const std::string& sha256);
    Result<> erase(std::string_view key);

    Link link_;
};

Result<Attributes> SftpStorage::inspect(Session& session, std::string_view key) const {
    Result<Attributes> about = session.inspect(link_.path(key));
    if (about) return about->file ? about : missing();
    // A file where the key wants a folder comes as "failure" or "no such file".
    if (about.error().code() == Errc::io || about.error().code() == Errc::conflict) return missing();
    if (about.error().code() != Errc::not_found) return about;
    return link_.explain_missing(session, missing());
}

Result<ObjectInfo> SftpStorage::find(std::string_view key) {
    Session* const session = TRY(link_.session());
    const Attributes about = TRY(inspect(*session, key));
    return describe(key, about);
}

Result<> SftpStorage::begin(Session& session, std::string_view key, const ByteRange& range, Reading& reading) const {
    const Attributes about = TRY(inspect(session, key));
    if (reading.about) {
        if (about.size_bytes == reading.about->size_bytes && about.modified_at == reading.about->modified_at) return {};
        return Error(Errc::corrupted, "the object was replaced while it was read").with_reason(reason::kRemoteCorrupt);
    }
    const std::uint64_t size = about.size_bytes;
    if (range.first > size || (range.first == size && (range.first > 0 || range.count > 0))) {
        return Error(Errc::invalid, fmt::format("the range begins at {}, the object has {} bytes", range.first, size));
    }
    reading.about = about;
    reading.position = range.first;
    reading.end = range.count == 0 ? size : range.first + std::min(range.count, size - range.first);
    return {};
}

Result<> SftpStorage::read_over(Session& session, std::string_view key, Reading& reading, Sink& into) const {
    if (reading.position == reading.end) return {};
    Handle handle = TRY(session.open_for_reading(link_.path(key)));
    handle.seek(reading.position);
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, reading.end - reading.position)));
    while (reading.position < reading.end) {
        const std::uint64_t left = reading.end - reading.position;
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left));
        const std::size_t count = TRY(handle.read(MutableByteSpan(buffer).first(wanted)));
        if (count == 0) {
            return Error(Errc::corrupted, "the file became shorter while it was read")
                .with_reason(reason::kRemoteCorrupt);
        }
        Result<> written = into.write(ByteSpan(buffer).first(count));
        reading.sink_failed = !written;
        TRY(std::move(written));
        reading.position += count;
    }
    return {};
}

Result<> SftpStorage::fetch(std::string_view key, const ByteRange& range, Sink& into) {
    Reading reading;
    for (int fruitless = 1;; ++fruitless) {
        const std::uint64_t before = reading.position;
        const auto attempt = [&]() -> Result<> {
            Session* const session = TRY(link_.session());
            TRY(begin(*session, key, range, reading));
            return read_over(*session, key, reading, into);
        };
        Result<> read = attempt();
        if (read) return read;
        // Before the first byte the caller repeats the call as a whole, and the sink's own failure is final.
        const bool begun = reading.about && reading.position > range.first;
        if (reading.sink_failed || !read.error().transient() || !begun) return read;
        if (reading.position > before) fruitless = 1;
        if (fruitless >= link_.patience().attempts) {
            return std::move(read).context(
                fmt::format("broken off at byte {} and not taken up again", reading.position));
        }
        TRY(link_.pause(fruitless));
    }
}

Result<> SftpStorage::check_space(std::uint64_t more) {
    const std::optional<std::uint64_t> free =
        TRY(link_.persist([&](Session& session) { return session.free_bytes(link_.base()); }));
    if (!free || *free >= more) return {};
    return Error(Errc::exhausted, fmt::format("the server has {} bytes free, {} are needed", *free, more))
        .with_reason(reason::kDestinationFull);
}

// The key is taken: by the same content (a retry after a lost answer), or by another.
Result<ObjectInfo> SftpStorage::agree_with_stored(std::string_view key, std::uint64_t bytes,
                                                  const std::string& sha256) {
    const Error other(Errc::conflict, "this key is taken by other content");
    return link_.persist([&](Session& session) -> Result<ObjectInfo> {
        const Result<Attributes> found = inspect(session, key);
        // A folder of that name.
        if (!found && found.error().code() == Errc::not_found) return other;
        const Attributes about = TRY(Result<Attributes>(found));
        if (about.size_bytes != bytes) return other;
        DigestSink digest(DigestKind::sha256);
        Reading reading{about, 0, bytes, false};
        TRY(read_over(session, key, reading, digest).context("compare with the stored object"));
        if (digest.hex() != sha256) return other;
        return describe(key, about);
    });
}

Result<ObjectInfo> SftpStorage::store(std::string_view key, Source& content, const PutOptions& options) {
    const Result<Attributes> existing = link_.persist([&](Session& session) { return inspect(session, key); });
    if (!existing && existing.error().code() != Errc::not_found) return existing.error();
    if (existing) {
        DigestSink digest(DigestKind::sha256);
        TRY(copy(content, digest));
        return agree_with_stored(key, digest.bytes(), digest.hex());
    }
    TRY(check_space(options.expected_bytes));
    Upload upload(link_);
    TRY(upload.fill(content));
    const bool published = TRY(upload.publish(key));
    if (!published) return agree_with_stored(key, upload.bytes(), upload.sha256());
    const Attributes about = TRY(link_.persist([&](Session& session) { return inspect(session, key); }));
    return describe(key, about);
}

Result<> SftpStorage::erase(std::string_view key) {
    Session* const session = TRY(link_.session());
    const Result<Attributes> about = inspect(*session, key);
    if (!about) return about.error().code() == Errc::not_found ? Result<>() : about.error();
    Result<> removed = session->remove(link_.path(key));
    if (!removed && removed.error().code() != Errc::not_found) return removed;
    // Folders that became empty go too: for a store of keys they do not exist.
    for (std::size_t slash = key.rfind('/'); slash != key.npos; slash = key.rfind('/', slash - 1)) {
        if (!session->remove_folder(link_.path(key.substr(0, slash)))) break;
    }
    return {};
}

Result<std::uint64_t> SftpStorage::sweep_leftovers(TimeMs older_than) {
    Session* const session = TRY(link_.session());
    std::vector<std::string> old;
    {
        Result<Handle> folder = session->open_folder(link_.path(kUnfinished));
        if (!folder && folder.error().code() == Errc::not_found) return std::uint64_t{0};
        Handle handle = TRY(std::move(folder));
        while (old.size() < kMostSwept) {
            const std::optional<Entry> entry = TRY(handle.next());
            if (!entry) break;
            // Every piece that is written moves the time: who still writes is not old.
            if (entry->about.file && entry->about.modified_at < older_than) old.push_back(entry->name);
        }
    }
    std::uint64_t removed = 0;
    for (const std::string& name : old) {
        const Result<> gone = session->remove(link_.path(fmt::format("{}/{}", kUnfinished, name)));
        if (!gone && gone.error().transient()) return gone.error();
        if (gone) ++removed;
    }
    return removed;
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

bool is_host(std::string_view text) {
    return !text.empty() && text.size() <= 253 && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '.' || c == ':' || c == '_';
           });
}

std::string tidy_path(std::string_view path) {
    std::string text(path);
    for (std::size_t at = text.find("//"); at != text.npos; at = text.find("//")) text.erase(at, 1);
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
}

Result<std::vector<HostKey>> read_host_keys(const SftpConfig& config) {
    return config.host_key.empty() ? find_known_hosts(config.known_hosts, config.host, config.port)
                                   : parse_host_keys(config.host_key);
}

std::string sentence(const Error& error) {
    return error.hint().empty() ? error.message() : fmt::format("{}; {}", error.message(), error.hint());
}

void check_identity(const SftpConfig& config, const std::function<void(std::string, std::string)>& fault) {
    if (config.username.empty() || config.username.size() > 255 || has_control(config.username)) {
        fault("username", "must be a login name");
    }
    if (config.password.empty() == config.private_key.empty()) {
        fault(config.password.empty() ? "privateKey" : "password", "give either a password or a private key");
    }
    if (config.private_key.empty()) return;
    const Result<> key = check_private_key(config.private_key, !config.private_key_passphrase.empty());
    if (!key) fault("privateKey", sentence(key.error()));
}

}  // namespace

std::vector<ConfigFault> check_config(const SftpConfig& config) {
    std::vector<ConfigFault> faults;
    const auto fault = [&](std::string member, std::string message) {
        faults.push_back({std::move(member), std::move(message)});
    };
    if (!is_host(config.host)) fault("host", "must be a name or an address");
    if (config.port == 0) fault("port", "must be between 1 and 65535");
    check_identity(config, fault);
    const std::string framed = fmt::format("/{}/", config.base_path);
    if (config.base_path.empty() || config.base_path.size() > 2048 || has_control(config.base_path) ||
        framed.find("/../") != framed.npos || framed.find("/./") != framed.npos) {
        fault("basePath", "must be a folder's path without '.' or '..' segments");
    }
    if (config.host_key.empty() == config.known_hosts.empty()) {
        fault("hostKey",
              "is required: the fingerprint (SHA256:…) or the public key of the server, which nobody else has");
        return faults;
    }
    const Result<std::vector<HostKey>> keys = read_host_keys(config);
    if (!keys) fault(config.host_key.empty() ? "knownHosts" : "hostKey", sentence(keys.error()));
    return faults;
}

Result<std::unique_ptr<Storage>> open_sftp(const SftpConfig& config, const StorageContext& context) {
    if (const std::vector<ConfigFault> faults = check_config(config); !faults.empty()) {
        return Error(Errc::invalid, fmt::format("{} {}", faults.front().member, faults.front().message));
    }
    SftpConfig tidy = config;
    tidy.base_path = tidy_path(config.base_path);
    std::vector<HostKey> host_keys = TRY(read_host_keys(config));
    return std::unique_ptr<Storage>(std::make_unique<SftpStorage>(tidy, std::move(host_keys), context));
}

}  // namespace backstay::sftp
