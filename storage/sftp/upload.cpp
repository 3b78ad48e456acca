#include "storage/sftp/upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/domain/reasons.h"
#include "common/ids.h"
#include "storage/tree_listing.h"

namespace backstay::sftp {

namespace {

// So much is on its way at once: 100 MB/s over a line of 10 ms.
constexpr std::size_t kWindowBytes = 1 << 20;
constexpr int kAttemptsToPublish = 100;
// With less free than this, a "failure" while writing means a full disk.
constexpr std::uint64_t kNextToNothing = 1 << 20;

// Each missing folder of `key`.
Result<> make_folders(Session& session, const Link& link, std::string_view key) {
    for (std::size_t slash = key.find('/'); slash != key.npos; slash = key.find('/', slash + 1)) {
        const std::string folder = link.path(key.substr(0, slash));
        const Result<> made = session.make_folder(folder);
        if (made) continue;
        if (made.error().transient()) return made;
        const Result<Attributes> about = session.inspect(folder, true);
        if (!about && about.error().transient()) return about.error();
        if (!about) return Result<>(made).context(fmt::format("make folder '{}'", folder));
        if (!about->folder) return Error(Errc::conflict, fmt::format("'{}' is a file, not a folder", folder));
    }
    return {};
}

}  // namespace

Upload::Upload(Link& link) : link_(link), path_(link.path(fmt::format("{}/{}", kUnfinished, new_uuid()))) {
    window_.resize(kWindowBytes);
}

Upload::~Upload() {
    handle_.reset();
    if (!created_ || published_) return;
    // One try: where it fails, the sweep will find the file.
    if (const Result<Session*> session = link_.session()) (void)(*session)->remove(path_);
}

Result<Handle> Upload::create(Session& session) {
    Result<Handle> made = session.create(path_);
    if (!made && made.error().code() == Errc::not_found) {
        TRY(make_folders(session, link_, fmt::format("{}/", kUnfinished)));
        made = session.create(path_);
    }
    // An attempt whose answer got lost has made it: nobody else knows the name.
    if (made || made.error().transient()) return made;
    const Result<Attributes> about = session.inspect(path_);
    if (about) return session.open_for_writing(path_);
    return about.error().transient() ? Result<Handle>(about.error()) : std::move(made);
}

Result<> Upload::open(Session& session) {
    if (handle_) return {};
    Handle handle = TRY(created_ ? session.open_for_writing(path_) : create(session));
    created_ = true;
    const Attributes about = TRY(handle.inspect());
    if (about.size_bytes < acknowledged_) {
        return Error(Errc::corrupted, fmt::format("the server kept {} bytes of the {} that it acknowledged",
                                                  about.size_bytes, acknowledged_))
            .with_reason(reason::kRemoteCorrupt);
    }
    handle.seek(acknowledged_);
    handle_.emplace(std::move(handle));
    return {};
}

Error Upload::explain_failure(Session& session, Error error) const {
    if (error.code() != Errc::io) return error;
    const Result<std::optional<std::uint64_t>> free = session.free_bytes(link_.base());
    if (!free) return free.error();
    if (!*free || **free > kNextToNothing) return error;
    return Error(Errc::exhausted, fmt::format("the server's disk is full ({} bytes are free)", **free))
        .with_reason(reason::kDestinationFull);
}

Result<> Upload::send_over(Session& session, std::size_t keep) {
    TRY(open(session));
    while (held() > keep) {
        const Result<std::size_t> count = handle_->write(ByteSpan(window_).subspan(begin_, held()));
        if (!count) return explain_failure(session, count.error());
        begin_ += *count;
        acknowledged_ += *count;
    }
    return {};
}

// Until no more than `keep` bytes wait for their acknowledgement.
Result<> Upload::send(std::size_t keep) {
    return link_.persist([&](Session& session) {
        Result<> sent = send_over(session, keep);
        if (!sent) handle_.reset();
        return sent;
    });
}

Result<> Upload::finish_over(Session& session) {
    TRY(open(session));
    if (Result<> synced = handle_->sync(); !synced) return explain_failure(session, synced.error());
    const Attributes about = TRY(handle_->inspect());
    if (about.size_bytes != acknowledged_) {
        return Error(Errc::corrupted,
                     fmt::format("the server has {} bytes of the {} that were sent", about.size_bytes, acknowledged_))
            .with_reason(reason::kRemoteCorrupt);
    }
    return handle_->close();
}

Result<> Upload::fill(Source& content) {
    while (true) {
        if (end_ == window_.size()) {
            TRY(send(kWindowBytes / 2));
            std::memmove(window_.data(), window_.data() + begin_, held());
            end_ -= std::exchange(begin_, 0);
        }
        const MutableByteSpan room = MutableByteSpan(window_).subspan(end_);
        const std::size_t count = TRY(content.read(room));
        if (count == 0) break;
        digest_.update(room.first(count));
        end_ += count;
    }
    sha256_ = digest_.hex();
    TRY(send(0));
    return link_.persist([&](Session& session) {
        Result<> finished = finish_over(session);
        handle_.reset();
        return finished;
    });
}

Result<bool> Upload::publish_over(Session& session, std::string_view key) {
    const std::string target = link_.path(key);
    for (int attempt = 0;; ++attempt) {
        const Result<> renamed = session.rename(path_, target);
        if (renamed) return published_ = true;
        if (renamed.error().transient()) return renamed.error();
        // Taken: by others, or by an earlier attempt of ours whose answer got lost.
        const Result<Attributes> taken = session.inspect(target);
        if (taken) return false;
        if (taken.error().transient()) return taken.error();
        // A remove() beside us may prune empty folders between any two of these calls.
        if (renamed.error().code() != Errc::not_found || attempt >= kAttemptsToPublish) {
            return Result<bool>(renamed.error()).context("publish");
        }
        TRY(make_folders(session, link_, key));
    }
}

Result<bool> Upload::publish(std::string_view key) {
    return link_.persist([&](Session& session) { return publish_over(session, key); });
}

}  // namespace backstay::sftp
