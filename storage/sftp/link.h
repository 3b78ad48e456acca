// The way to the destination's folder: a session that is made when it is needed and made anew when it broke.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/backoff.h"
#include "storage/sftp/session.h"

namespace backstay::sftp {

class Link {
public:
    // `config` is checked already (check_config).
    Link(const SftpConfig& config, std::vector<HostKey> host_keys, const StorageContext& context)
        : config_(config), host_keys_(std::move(host_keys)), context_(context) {}

    // Connected and with the folder there (made, when only its last segment was missing). Handles of an earlier session
    // must be gone before.
    Result<Session*> session();

    // `act(session)`, again with the patience that a piece of an upload deserves.
    template <class Act>
    auto persist(Act act) -> decltype(act(std::declval<Session&>())) {
        const std::int64_t began = steady_ms();
        for (int attempt = 1;; ++attempt) {
            auto result = over_session(act);
            if (result || !result.error().transient()) return result;
            const std::int64_t spent = steady_ms() - began;
            if (attempt >= patience().piece_attempts || spent > static_cast<std::int64_t>(patience().piece_ms)) {
                return result;
            }
            TRY(pause(attempt));
        }
    }

    Result<> pause(int attempt) const {
        return wait_ms(backoff_ms(attempt, patience().first_wait_ms, patience().longest_wait_ms), context_.stop);
    }

    const Patience& patience() const { return context_.patience; }
    const std::string& base() const { return config_.base_path; }
    std::string path(std::string_view key) const;

    // A missing object, or rather a missing folder of the whole destination? Never "nothing there" for the latter.
    Error explain_missing(Session& session, Error missing) const;

private:
    template <class Act>
    auto over_session(Act& act) -> decltype(act(std::declval<Session&>())) {
        Session* const here = TRY(session());
        return act(*here);
    }
    Result<> enter(Session& session) const;

    SftpConfig config_;
    std::vector<HostKey> host_keys_;
    StorageContext context_;
    std::unique_ptr<Session> session_;
};

}  // namespace backstay::sftp
