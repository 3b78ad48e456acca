// From a request to a handler and back: route, credential, limits, organization, permission, Idempotency-Key, the
// handler on its database thread, the answer. The one place that turns errors into answers and writes the access log.
// Everything here runs on the loop thread unless it says otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "common/clock.h"
#include "common/http/server.h"
#include "control-plane/api/routes.h"
#include "control-plane/auth/rate_limiter.h"
#include "control-plane/config/settings.h"
#include "control-plane/serve/metrics.h"
#include "control-plane/serve/run_call.h"
#include "control-plane/serve/shared_limits.h"
#include "control-plane/store/database_threads.h"

namespace backstay::serve {

// A request on its way. While it is on a database thread, `call` belongs to that thread.
struct Pending {
    std::unique_ptr<http::Exchange> exchange;
    const api::Route* route = nullptr;
    api::Call call;
    std::string credential_hash;  // empty: none was sent
    std::string idempotency;      // the in-flight mark; empty: none
    std::string allow;            // of a 405
    auth::RateDecision rate;
    std::int64_t began_ms = 0;
};

class Pipeline {
public:
    // All outlive the pipeline; `threads` is stopped before it is destroyed.
    struct Parts {
        const api::RouteTable& routes;
        store::DatabaseThreads& threads;
        Checks checks;
        const Clock& clock;
        Metrics& metrics;
    };
    Pipeline(const Parts& parts, const ApiLimits& limits);

    void handle(std::unique_ptr<http::Exchange> exchange);
    // For Server::Options.
    std::optional<std::uint64_t> streamed_body(const http::Request& request) const;

    // Other replicas count too: limits hold for all of them together from now on.
    void share_limits(Loop& loop);

    // From now on no event stream or long poll begins: they would keep the daemon from stopping.
    void begin_stopping() { stopping_ = true; }

    // The error body that the server itself uses for what never becomes a request.
    static http::Response server_error(int status, std::string_view code, std::string_view message);

    // Long polls and streams that are not answered yet.
    std::int64_t waiting_requests() const { return waiting_requests_; }
    std::size_t in_flight() const { return pending_.size(); }

private:
    class Watched;
    using Answer = Result<http::Response>;

    Result<> prepare(Pending& pending);
    Result<> check_limits(Pending& pending);
    Result<> mark_idempotency(Pending& pending);
    void dispatch(std::unique_ptr<Pending> pending, auth::Credential credential);
    // `run` on a database thread, what came out to `finish`. False: too much waits. What agents write is a member of
    // its organization's group.
    bool submit(std::uint64_t number, const Pending& pending, std::function<Answer(sql::Database&)> run);
    void finish(std::uint64_t number, Answer result);
    void hand_to_loop(std::unique_ptr<Pending> pending);
    void answer(std::unique_ptr<Pending> pending, http::Response response);
    void refuse(std::unique_ptr<Pending> pending, const Error& error);
    void count_refusal(const Pending& pending);
    void remember_caller(const Pending& pending);
    void remember(const std::string& credential_hash, const std::string& organization_id);
    // Whose line a call waits in; those that were never let in share one.
    std::string tenant_of(const Pending& pending) const;
    // The one of that line; empty: none.
    std::string known_organization(const Pending& pending) const;
    void stamp(http::Response& response, const Pending& pending) const;
    void record(const Pending& pending, int status);
    // A change or a download that was refused is told in the audit trail, once an hour.
    void note_refusal(const Pending& pending, const http::Response& response);
    static std::string shown_path(const Pending& pending);
    // A link that is none counts as a refused credential.
    void note_link(const Pending& pending, int status);
    // The exchange of a loop handler: what it answers is stamped, logged and counted like any other answer.
    std::unique_ptr<http::Exchange> watch(std::unique_ptr<Pending> pending);
    auth::RateLimiter& limiter_for(const Pending& pending);

    Parts parts_;
    ApiLimits limits_;
    auth::RateLimiter reads_;
    auth::RateLimiter writes_;
    auth::RateLimiter public_reads_;
    auth::RateLimiter public_writes_;
    auth::RateLimiter refusals_;            // by peer
    std::unique_ptr<SharedLimits> shared_;  // none: this process is alone
    std::unordered_map<std::uint64_t, std::unique_ptr<Pending>> pending_;
    std::uint64_t last_number_ = 0;
    std::unordered_set<std::string> idempotency_in_flight_;
    std::unordered_map<std::string, std::string> admitted_;      // credential hash → its organization when last good
    std::unordered_map<std::string, std::int64_t> key_used_at_;  // API key → when its row was told
    std::int64_t waiting_requests_ = 0;
    bool stopping_ = false;
};

}  // namespace backstay::serve
