#include "agent/wal/archive.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/reasons.h"

namespace backstay::wal {
namespace {

class SpanSource final : public Source {
public:
    explicit SpanSource(ByteSpan bytes) : bytes_(bytes) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        const std::size_t count = std::min(buffer.size(), bytes_.size());
        std::copy_n(bytes_.begin(), count, buffer.begin());
        bytes_ = bytes_.subspan(count);
        return count;
    }

private:
    ByteSpan bytes_;
};

// Keeps the first `limit` bytes and lets the rest go by.
class BeginningSink final : public Sink {
public:
    explicit BeginningSink(std::size_t limit) : limit_(limit) {}
    Result<> write(ByteSpan bytes) override {
        const std::size_t room = limit_ - text_.size();
        text_.append(as_text(bytes.first(std::min(room, bytes.size()))));
        return {};
    }
    ByteSpan bytes() const { return as_bytes(text_); }

private:
    std::size_t limit_;
    std::string text_;
};

class NoSink final : public Sink {
public:
    Result<> write(ByteSpan) override { return {}; }
};

// Keeps what passes.
class KeepingSink final : public Sink {
public:
    KeepingSink(Buffer& kept, Sink& next) : kept_(kept), next_(next) {}
    Result<> write(ByteSpan bytes) override {
        kept_.append(bytes);
        return next_.write(bytes);
    }

private:
    Buffer& kept_;
    Sink& next_;
};

}  // namespace

Result<StoredWal> Archive::put(const PackedObject& object, bool encrypted) {
    StoredWal stored;
    stored.key = archive_key(folder_, object.name, object.head.digest(), encrypted);
    PutOptions options;
    options.expected_bytes = object.bytes.size();
    SpanSource content(object.bytes.bytes());
    const auto put = storage_.put(stored.key, content, options);
    if (put) {
        stored.stored_bytes = put->size_bytes;
        return stored;
    }
    if (put.error().code() != Errc::conflict) return put.error();
    // Other bytes may still be the same content: another level, another zstd, another nonce.
    const auto there = head_at(stored.key, encrypted);
    if (!there) {
        // Only what was read and is none of ours is a conflict for certain.
        if (there.error().code() != Errc::corrupted) {
            // A driver's own "conflict" (a file where a folder should be) says nothing about the content.
            return Error(there.error().code() == Errc::conflict ? Errc::unavailable : there.error().code(),
                         there.error().message());
        }
        return Error(Errc::conflict,
                     fmt::format("{} is taken by something else: {}", object.name.text, there.error().message()));
    }
    if (there->bytes == object.head.bytes && TRY(is_content(object, there->digest(), encrypted))) {
        const ObjectInfo info = TRY(storage_.stat(stored.key));
        stored.stored_bytes = info.size_bytes;
        stored.was_there = true;
        return stored;
    }
    return Error(Errc::conflict,
                 fmt::format("{} was archived before with other content (digest {}, now {})", object.name.text,
                             there->digest().substr(0, 16), object.head.digest().substr(0, 16)))
        .with_hint("two servers write the same WAL: a clone, a machine put back to an earlier state, or a split brain");
}

// Without a key: an encrypted object is there, or there is none.
Error Archive::unreadable(const std::string& key) {
    const auto found = storage_.stat(key);
    if (!found) return found.error();
    return Error(Errc::denied, "archived WAL is encrypted, and there is no key")
        .with_reason(reason::kEncryptionKeyMissing);
}

Result<ObjectHead> Archive::head_at(const std::string& key, bool encrypted) {
    if (!encrypted) {
        BeginningSink beginning(kHeadBytesMax);
        TRY(storage_.get(key, {0, kHeadBytesMax}, beginning));
        return read_object_head(beginning.bytes());
    }
    if (key_ == nullptr) return unreadable(key);
    BeginningSink plain(kHeadBytesMax);
    DecryptingSink decrypting(*key_, plain);
    TRY(storage_.get(key, {0, kEncryptedHeadBytes}, decrypting));
    // A small object is whole within the range, and its last chunk comes out at the end only.
    if (plain.bytes().empty()) TRY(decrypting.finish());
    return read_object_head(plain.bytes());
}

Result<ObjectHead> Archive::get_at(const std::string& key, bool encrypted, Sink& into) {
    UnpackingSink unpacking(into);
    if (!encrypted) {
        TRY(storage_.get(key, {}, unpacking));
        TRY(unpacking.finish());
        return unpacking.head();
    }
    if (key_ == nullptr) return unreadable(key);
    DecryptingSink decrypting(*key_, unpacking);
    TRY(storage_.get(key, {}, decrypting));
    TRY(decrypting.finish());
    return unpacking.head();
}

Result<ObjectHead> Archive::head(const WalName& name) {
    auto plain = head_at(archive_key(folder_, name, "", false), false);
    if (plain || plain.error().code() != Errc::not_found) return plain;
    return head_at(archive_key(folder_, name, "", true), true);
}

Result<ObjectHead> Archive::get(const WalName& name, Sink& into) {
    // Nothing was passed on when it is not there, so that the other name may be tried.
    const bool encrypted_first = key_ != nullptr;
    auto first = get_at(archive_key(folder_, name, "", encrypted_first), encrypted_first, into);
    if (!first && first.error().code() == Errc::not_found) {
        first = get_at(archive_key(folder_, name, "", !encrypted_first), !encrypted_first, into);
    }
    if (first && first->name != name.text) {
        return Error(Errc::corrupted, fmt::format("{} holds {}", name.text, first->name))
            .with_reason(reason::kRemoteCorrupt);
    }
    return first;
}

Result<PackedObject> Archive::get_packed(const WalName& name, std::string_view digest, bool encrypted) {
    if (encrypted && key_ == nullptr) return unreadable(archive_key(folder_, name, digest, encrypted));
    PackedObject object;
    object.name = name;
    NoSink nothing;
    UnpackingSink unpacking(nothing);
    std::optional<DecryptingSink> decrypting;
    if (encrypted) decrypting.emplace(*key_, unpacking);
    Sink& reading = decrypting ? static_cast<Sink&>(*decrypting) : unpacking;
    KeepingSink kept(object.bytes, reading);
    TRY(storage_.get(archive_key(folder_, name, digest, encrypted), {}, kept));
    TRY(reading.finish());
    object.head = unpacking.head();
    return object;
}

Result<WalPage> Archive::list(Timeline timeline, const std::string& continue_after, std::size_t most) {
    ListQuery query;
    query.prefix = timeline == 0 ? folder_ + "/wal/" : timeline_prefix(folder_, timeline);
    query.continue_after = continue_after;
    query.max_entries = most;
    const ListPage page = TRY(storage_.list(query));
    WalPage found;
    found.next = page.next;
    for (const ObjectInfo& object : page.objects) {
        auto entry = parse_archive_key(folder_, object.key);
        if (entry) found.files.push_back({std::move(*entry), object.key, object.size_bytes, object.modified_at});
    }
    return found;
}

Result<ObjectHead> Archive::head_of(const ListedWal& listed) { return head_at(listed.key, listed.entry.encrypted); }

}  // namespace backstay::wal
