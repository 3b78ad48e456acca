#include "storage/sftp/link.h"

#include <fmt/format.h>

#include "common/domain/reasons.h"

namespace backstay::sftp {

std::string Link::path(std::string_view key) const {
    if (key.empty()) return base();
    return base() == "/" ? fmt::format("/{}", key) : fmt::format("{}/{}", base(), key);
}

Result<Session*> Link::session() {
    if (session_ && !session_->broken()) return session_.get();
    session_.reset();
    const std::string doing = fmt::format("SFTP server {}:{}", config_.host, config_.port);
    std::unique_ptr<Session> fresh = TRY(Session::connect(config_, host_keys_, context_).context(doing));
    TRY(enter(*fresh));
    session_ = std::move(fresh);
    return session_.get();
}

Result<> Link::enter(Session& session) const {
    const std::string doing = fmt::format("destination folder '{}'", base());
    const Result<Attributes> about = session.inspect(base(), true).context(doing);
    if (about && !about->folder) {
        return Error(Errc::unavailable, fmt::format("destination folder '{}' is a file", base()))
            .with_reason(reason::kDestinationUnreachable);
    }
    if (about) return {};
    if (about.error().code() != Errc::not_found) return about.error();
    const Result<> made = session.make_folder(base());
    // Somebody may have made it between the two.
    if (made) return {};
    const Result<Attributes> again = session.inspect(base(), true);
    if (again) return {};
    if (again.error().transient()) return again.error();
    const bool refused = made.error().code() == Errc::denied;
    Error error(refused ? Errc::denied : Errc::unavailable, fmt::format("{}: not there, and not made", doing));
    return std::move(error).with_reason(refused ? reason::kDestinationAuthFailed : reason::kDestinationUnreachable);
}

Error Link::explain_missing(Session& session, Error missing) const {
    const Result<Attributes> folder = session.inspect(base(), true);
    if (folder) return missing;
    if (folder.error().code() != Errc::not_found) return folder.error();
    return Error(Errc::unavailable, fmt::format("destination folder '{}' has gone", base()))
        .with_reason(reason::kDestinationUnreachable);
}

}  // namespace backstay::sftp
