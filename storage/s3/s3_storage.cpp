#include "storage/s3/s3_storage.h"

#include <fmt/format.h>

#include <charconv>

#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "storage/s3/dates.h"
#include "storage/s3/deletion.h"
#include "storage/s3/download.h"
#include "storage/s3/listing.h"
#include "storage/s3/object_options.h"
#include "storage/s3/part_buffer.h"
#include "storage/s3/part_size.h"
#include "storage/s3/refusal.h"
#include "storage/s3/upload.h"

namespace backstay::s3 {

namespace {

constexpr std::size_t kMostKeys = 1000;  // of one DeleteObjects
constexpr int kMostVersions = 1000;      // of one key, in one removal
// Everything of ours lies below it (common/domain/layout.h), the probe's object apart. A bucket may hold uploads of
// others.
constexpr std::string_view kOurKeys = "v1/";
constexpr std::string_view kDefaultScratch = "/var/tmp";

// Digests in the pieces in which the content was sent, and notes the first difference.
class PartsSink final : public Sink {
public:
    explicit PartsSink(const SentParts& parts) : parts_(parts) { skip_empty(); }

    Result<> write(ByteSpan bytes) override {
        while (!bytes.empty()) {
            if (at_ == parts_.size()) return differ();
            const auto count =
                static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), parts_[at_].size - in_part_));
            digest_.update(bytes.first(count));
            bytes = bytes.subspan(count);
            in_part_ += count;
            if (in_part_ < parts_[at_].size) continue;
            if (digest_.hex() != parts_[at_].sha256) return differ();
            in_part_ = 0;
            ++at_;
            skip_empty();
        }
        return {};
    }
    bool same() const { return !different_ && at_ == parts_.size(); }
    bool different() const { return different_; }

private:
    void skip_empty() {
        while (at_ < parts_.size() && parts_[at_].size == 0) ++at_;
    }
    Error differ() {
        different_ = true;
        return Error(Errc::conflict, "other content");
    }

    const SentParts& parts_;
    Digest digest_{DigestKind::sha256};
    std::size_t at_ = 0;
    std::uint64_t in_part_ = 0;
    bool different_ = false;
};

class S3Storage final : public Storage {
public:
    S3Storage(Address address, std::string prefix, const S3Config& config, const StorageContext& context)
        : connection_(std::move(address), config, context),
          prefix_(std::move(prefix)),
          options_{config.storage_class, config.sse, config.kms_key_id, config.object_lock_days},
          scratch_dir_(context.scratch_dir.empty() ? std::string(kDefaultScratch) : context.scratch_dir) {}

    std::string_view kind() const override { return "s3"; }

    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        const std::string whole = TRY(whole_key(key));
        if (options_.lock_days > 0 && !options.retain) TRY(can_lock().context(fmt::format("store '{}'", key)));
        ObjectInfo info = TRY(store(whole, content, options).context(fmt::format("store '{}'", key)));
        info.key = key;
        return info;
    }
    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        const std::string whole = TRY(whole_key(key));
        return download(connection_, whole, range, into).context(fmt::format("read '{}'", key));
    }
    Result<ObjectInfo> stat(std::string_view key) override {
        const std::string whole = TRY(whole_key(key));
        ObjectInfo info = TRY(inspect(whole).context(fmt::format("inspect '{}'", key)));
        info.key = key;
        return info;
    }
    Result<ListPage> list(const ListQuery& query) override {
        return list_page(connection_, prefix_, query).context(fmt::format("list '{}'", query.prefix));
    }
    Result<> remove(std::string_view key) override {
        const std::string whole = TRY(whole_key(key));
        return erase(whole).context(fmt::format("remove '{}'", key));
    }
    Result<> remove_all(const std::vector<std::string>& keys) override;
    Result<std::uint64_t> sweep_leftovers(TimeMs older_than) override {
        const auto dead = [&](const UnfinishedUpload& upload) { return is_dead(upload, older_than); };
        return abort_uploads(connection_, prefix_ + std::string(kOurKeys), dead, false)
            .context("sweep unfinished uploads");
    }
    Result<std::optional<std::uint64_t>> free_bytes() override { return std::optional<std::uint64_t>(); }
    Result<std::optional<std::string>> presign_get(std::string_view key, std::uint32_t seconds,
                                                   std::string_view download_name) override;

private:
    Result<std::string> whole_key(std::string_view key) const;
    Result<bool> is_dead(const UnfinishedUpload& upload, TimeMs older_than);
    Result<http::ClientResponse> head(const std::string& key, bool patiently = false);
    Result<http::ClientResponse> look(const std::string& key);
    Result<> can_lock();
    Result<> ensure_locked(const std::string& key, const http::Headers& wanted);
    Result<ObjectInfo> inspect(const std::string& key, bool patiently = false);
    Result<> refuse_locked(const http::Headers& found);
    Result<> erase_one(const std::string& key, const std::string& version);
    Result<> erase(const std::string& key);
    Result<ObjectInfo> store(const std::string& key, Source& content, const PutOptions& options);
    Result<ObjectInfo> store_new(const std::string& key, Source& content, const PutOptions& options,
                                 const http::Headers& headers);
    Result<ObjectInfo> store_whole(const std::string& key, const PartBuffer& part, const http::Headers& headers);
    Result<ObjectInfo> store_parts(const std::string& key, PartBuffer& part, Source& content, const PutOptions& options,
                                   const http::Headers& headers);
    Result<> send_parts(const std::string& key, MultipartUpload& upload, PartBuffer& part, Source& content,
                        const PutOptions& options);
    Result<ObjectInfo> compare_unsent(const std::string& key, Source& content);
    Result<ObjectInfo> agree_with_stored(const std::string& key, const SentParts& parts);

    Connection connection_;
    std::string prefix_;  // "" or ending in '/'
    ObjectOptions options_;
    std::string scratch_dir_;
    Features features_;
};

Result<std::string> S3Storage::whole_key(std::string_view key) const {
    TRY(check_key(key));
    std::string whole = prefix_ + std::string(key);
    if (whole.size() > 1024) return Error(Errc::invalid, "object key is longer than 1024 bytes with its prefix");
    return whole;
}

// Old, and without a part since: an upload over a thin line may go on for days.
Result<bool> S3Storage::is_dead(const UnfinishedUpload& upload, TimeMs older_than) {
    if (upload.initiated_at >= older_than) return false;
    const Result<TimeMs> last = last_part_at(connection_, upload);
    if (last) return *last < older_than;
    if (last.error().transient()) return last.error();
    // Gone meanwhile; or nobody may look into it, and what may be alive is left alone.
    return false;
}

Result<http::ClientResponse> S3Storage::head(const std::string& key, bool patiently) {
    Call call;
    call.method = "HEAD";
    call.key = key;
    if (features_.checksums) call.headers.set("x-amz-checksum-mode", "ENABLED");
    return patiently ? connection_.persist(call) : connection_.once(call);
}

// `patiently` where the caller's own repetition would cost a whole upload.
Result<ObjectInfo> S3Storage::inspect(const std::string& key, bool patiently) {
    Result<http::ClientResponse> found = head(key, patiently);
    if (!found) {
        if (found.error().code() != Errc::not_found) return std::move(found).error();
        // A HEAD has no body that could tell a missing object from a missing bucket.
        Call call;
        call.key = key;
        call.headers.set("Range", "bytes=0-0");
        const auto why = connection_.once(call);
        return why ? found.error() : why.error();
    }
    const http::Headers& headers = found->headers;
    const std::string_view length = headers.get("Content-Length");
    ObjectInfo info;
    const auto [end, failed] = std::from_chars(length.data(), length.data() + length.size(), info.size_bytes);
    if (failed != std::errc() || end != length.data() + length.size()) {
        return Error(Errc::corrupted, "the store does not say how long the object is");
    }
    info.modified_at = TRY(parse_http_date(headers.get("Last-Modified")));
    info.etag = unquoted(headers.get("ETag"));
    info.sha256 = sha256_of_base64(headers.get("x-amz-checksum-sha256"));
    return info;
}

Result<> S3Storage::refuse_locked(const http::Headers& found) {
    const Result<TimeMs> until = parse_rfc3339(found.get(kLockUntil));
    const bool held = found.get("x-amz-object-lock-legal-hold") == "ON";
    if (!held && (!until || *until <= connection_.now_ms())) return {};
    return Error(Errc::denied, held ? "the object is under a legal hold"
                                    : fmt::format("the object is locked until {}", to_rfc3339(*until)))
        .with_reason(reason::kRemoteImmutable);
}

Result<> S3Storage::erase_one(const std::string& key, const std::string& version) {
    Call call;
    call.method = "DELETE";
    call.key = key;
    if (!version.empty()) call.query = {{"versionId", version}};
    const auto erased = connection_.once(call);
    if (!erased && erased.error().code() != Errc::not_found) return erased.error();
    return {};
}

// A bucket with object lock keeps versions. Asked to delete a mere key it says yes whatever is locked, shows the object
// no more, and keeps its bytes for ever: each version is looked at and deleted by its name.
Result<> S3Storage::erase(const std::string& key) {
    if (options_.lock_days == 0) return erase_one(key, "");
    for (int versions = 0; versions < kMostVersions; ++versions) {
        const auto found = head(key);
        if (!found) return found.error().code() == Errc::not_found ? Result<>() : found.error();
        TRY(refuse_locked(found->headers));
        const std::string version(found->headers.get("x-amz-version-id"));
        TRY(erase_one(key, version));
        if (version.empty()) return {};
    }
    return Error(Errc::unavailable, fmt::format("the object has over {} versions", kMostVersions))
        .with_reason(reason::kDestinationUnreachable);
}

Result<> S3Storage::remove_all(const std::vector<std::string>& keys) {
    // Each one's lock is looked at before.
    if (options_.lock_days > 0) return Storage::remove_all(keys);
    for (std::size_t at = 0; at < keys.size();) {
        const std::size_t count = std::min(kMostKeys, keys.size() - at);
        std::vector<std::string> whole;
        for (std::size_t i = at; i < at + count; ++i) whole.push_back(TRY(whole_key(keys[i])));
        if (features_.batches && count > 1) {
            Result<> removed = erase_batch(connection_, whole).context(fmt::format("remove {} objects", count));
            features_.batches = removed || !is_unsupported(removed.error());
            if (features_.batches) TRY(std::move(removed));
        }
        if (!features_.batches || count == 1) {
            for (const std::string& key : whole) TRY(erase(key).context(fmt::format("remove '{}'", key)));
        }
        at += count;
    }
    return {};
}

Result<ObjectInfo> S3Storage::agree_with_stored(const std::string& key, const SentParts& parts) {
    for (int attempt = 1;; ++attempt) {
        PartsSink compared(parts);
        const Result<> read = download(connection_, key, {}, compared).context("compare with the stored object");
        if (compared.same() && read) return inspect(key, true);
        if (read || compared.different()) return Error(Errc::conflict, "this key is taken by other content");
        if (!read.error().transient() || attempt >= connection_.patience().piece_attempts) return read.error();
        TRY(connection_.pause(attempt));
    }
}

Result<ObjectInfo> S3Storage::compare_unsent(const std::string& key, Source& content) {
    DigestSink digest(DigestKind::sha256);
    TRY(copy(content, digest));
    SentPart all{digest.bytes(), "", ""};
    all.sha256 = digest.hex();
    return agree_with_stored(key, {all});
}

Result<ObjectInfo> S3Storage::store_whole(const std::string& key, const PartBuffer& part,
                                          const http::Headers& headers) {
    Result<ObjectInfo> stored = put_whole(connection_, key, part, headers, features_);
    if (stored || stored.error().code() != Errc::conflict) return stored;
    return agree_with_stored(key, {SentPart{part.size(), part.sha256(), ""}});
}

Result<> S3Storage::send_parts(const std::string& key, MultipartUpload& upload, PartBuffer& part, Source& content,
                               const PutOptions& options) {
    while (part.size() > 0) {
        if (upload.parts().size() == static_cast<std::size_t>(kMostParts)) {
            return Error(Errc::exhausted, "the content does not fit into 10000 parts");
        }
        TRY(upload.add(part));
        if (part.source_ended()) break;
        const int next = static_cast<int>(upload.parts().size()) + 1;
        TRY(part.fill(content, part_size(next, options.expected_bytes)));
    }
    // Some servers do not know the condition on a completion: a second look leaves them only a moment.
    if (const auto existing = look(key); existing) return Error(Errc::conflict, "an object appeared meanwhile");
    return upload.complete();
}

Result<ObjectInfo> S3Storage::store_parts(const std::string& key, PartBuffer& part, Source& content,
                                          const PutOptions& options, const http::Headers& headers) {
    MultipartUpload upload = TRY(MultipartUpload::begin(connection_, key, headers, features_));
    Result<> sent = send_parts(key, upload, part, content, options);
    // Taken already, by somebody else or by a first completion whose answer got lost: the content decides. But a part
    // that finds no upload any more means that somebody aborted it.
    const bool perhaps_done = !sent && part.source_ended() &&
                              (sent.error().code() == Errc::conflict || has_code(sent.error(), "NoSuchUpload"));
    if (!sent) {
        if (const Result<> aborted = upload.abort(); !aborted) sent.error().followed_by(aborted.error());
    }
    if (perhaps_done) {
        Result<ObjectInfo> stored = agree_with_stored(key, upload.parts());
        if (stored || stored.error().code() != Errc::not_found) return stored;
    }
    TRY(std::move(sent));
    ObjectInfo info = TRY(inspect(key, true).context("look at the object that was put together"));
    if (info.size_bytes == upload.bytes()) return info;
    Error torn(Errc::corrupted,
               fmt::format("the store has {} bytes of the {} that were sent", info.size_bytes, upload.bytes()));
    if (const Result<> erased = erase(key); !erased) torn.followed_by(erased.error());
    return std::move(torn).with_reason(reason::kRemoteCorrupt);
}

// What is stored without a lock, as probes are, would not show that the others cannot get theirs. Whoever may not look,
// and a store that cannot tell, learn it with the first lock.
Result<> S3Storage::can_lock() {
    Call call;
    call.query = {{"object-lock", ""}};
    const auto told = connection_.persist(call);
    if (told || !has_code(told.error(), "ObjectLockConfigurationNotFoundError")) return {};
    return Error(Errc::invalid, "objectLockDays is set, and the bucket was made without object lock")
        .with_hint("make a bucket with object lock, or leave objectLockDays out");
}

// An object that is believed to be locked must be. Some servers forget the lock that a multipart upload was begun with,
// and an earlier put may have ended between its last byte and its lock.
Result<> S3Storage::ensure_locked(const std::string& key, const http::Headers& wanted) {
    const http::ClientResponse found = TRY(look(key));
    const Result<TimeMs> until = parse_rfc3339(found.headers.get(kLockUntil));
    if (until && *until > connection_.now_ms()) return {};
    Call call;
    call.method = "PUT";
    call.key = key;
    call.query = {{"retention", ""}};
    call.body = fmt::format(
        "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{}</Mode><RetainUntilDate>{}"
        "</RetainUntilDate></Retention>",
        wanted.get("x-amz-object-lock-mode"), wanted.get(kLockUntil));
    call.payload_sha256 = digest_hex(DigestKind::sha256, as_bytes(call.body));
    call.headers.set("x-amz-checksum-sha256", base64_of_hex(call.payload_sha256));
    TRY(connection_.persist(call).context("lock the object"));
    return {};
}

Result<http::ClientResponse> S3Storage::look(const std::string& key) {
    Call call;
    call.method = "HEAD";
    call.key = key;
    return connection_.persist(call);
}

Result<ObjectInfo> S3Storage::store(const std::string& key, Source& content, const PutOptions& options) {
    const auto existing = look(key);
    // Who may write but not read hears "denied" here; the store itself refuses to replace an object (If-None-Match).
    if (!existing && existing.error().code() != Errc::not_found && existing.error().code() != Errc::denied) {
        return existing.error();
    }
    const http::Headers headers = options_.headers(options, connection_.now_ms());
    ObjectInfo info = TRY(existing ? compare_unsent(key, content) : store_new(key, content, options, headers));
    if (headers.has(kLockUntil)) TRY(ensure_locked(key, headers));
    return info;
}

Result<ObjectInfo> S3Storage::store_new(const std::string& key, Source& content, const PutOptions& options,
                                        const http::Headers& headers) {
    PartBuffer part(scratch_dir_);
    TRY(part.fill(content, part_size(1, options.expected_bytes)));
    return part.source_ended() ? store_whole(key, part, headers) : store_parts(key, part, content, options, headers);
}

Result<std::optional<std::string>> S3Storage::presign_get(std::string_view key, std::uint32_t seconds,
                                                          std::string_view download_name) {
    const std::string whole = TRY(whole_key(key));
    if (seconds == 0 || seconds > kLongestPresign) {
        return Error(Errc::invalid, fmt::format("a signed URL lives 1 to {} seconds", kLongestPresign));
    }
    Query query;
    if (!download_name.empty()) {
        query.emplace_back("response-content-disposition",
                           "attachment; filename*=UTF-8''" + http::percent_encode(download_name, false));
    }
    return std::optional<std::string>(connection_.presigned_get(whole, std::move(query), seconds));
}

}  // namespace

Result<std::unique_ptr<Storage>> open_s3(const S3Config& config, const StorageContext& context) {
    Address address = TRY(find_address(config));
    std::string prefix = config.prefix;
    if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';
    if (!prefix.empty()) {
        TRY(check_key(std::string_view(prefix).substr(0, prefix.size() - 1)).context("prefix"));
    }
    return std::unique_ptr<Storage>(
        std::make_unique<S3Storage>(std::move(address), std::move(prefix), config, context));
}

}  // namespace backstay::s3
