#include "control-plane/serve/pipeline.h"

#include <algorithm>
#include <utility>

#include "common/ids.h"
#include "common/log.h"
#include "control-plane/store/api_keys.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/fair_queue.h"

namespace backstay::serve {
namespace {

constexpr std::size_t kMaxRequestIdBytes = 64;
constexpr std::size_t kMaxIdempotencyKeyBytes = 255;
constexpr std::size_t kRemembered = 50'000;
constexpr std::int64_t kMinuteMs = 60'000;
// No organization's id. Our own work has a line of its own.
constexpr const char* kNewcomers = "newcomers";
constexpr std::string_view kOverloaded = "overloaded";

bool plain_word(std::string_view text, std::size_t most, std::string_view also) {
    if (text.empty() || text.size() > most) return false;
    return std::all_of(text.begin(), text.end(), [also](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               also.find(c) != std::string_view::npos;
    });
}

std::string request_id_of(const http::Request& request) {
    const std::string_view sent = request.headers.get("X-Request-Id");
    return plain_word(sent, kMaxRequestIdBytes, "-_.") ? std::string(sent) : new_uuid();
}

bool is_id(std::string_view name) { return name == "id" || name.ends_with("Id") || name.ends_with("_id"); }

// An encoded slash means one path to a proxy and another one here.
bool hides_slash(std::string_view target) {
    const std::string_view path = target.substr(0, target.find('?'));
    return path.find("%2f") != std::string_view::npos || path.find("%2F") != std::string_view::npos;
}

// Path ids are UUIDs; either case is understood, rows have lower case.
Result<> check_ids(std::map<std::string, std::string, std::less<>>& params) {
    for (auto& [name, value] : params) {
        if (!is_id(name)) continue;
        if (!is_uuid(value)) return api::problem(400, "invalid_id", name + " must be a UUID");
        std::transform(value.begin(), value.end(), value.begin(),
                       [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
    }
    return {};
}

// The body of a 429 says it too.
void add_retry_after(http::Response& response, const Error& error, const auth::RateDecision& rate) {
    const std::int64_t seconds = std::max<std::int64_t>(1, rate.retry_after_s);
    if (response.status == 429) {
        json::Object body;
        body.emplace("error", error.reason());
        body.emplace("message", error.message());
        body.emplace("retry_after", seconds);
        response.body = json::serialize(json::Value(std::move(body)));
    }
    response.headers.set("Retry-After", std::to_string(seconds));
}

store::DatabaseThreads::Lane lane_of(const api::Route& route) {
    if (route.write) return store::DatabaseThreads::Lane::write;
    if (route.storage) return store::DatabaseThreads::Lane::storage;
    if (route.slow) return store::DatabaseThreads::Lane::slow;
    return store::DatabaseThreads::Lane::read;
}

bool is_agents_write(const api::Route& route) { return route.write && route.access == api::Access::agent; }

// Who holds a link has the token in its path as a credential.
bool is_link(const api::Route* route) { return route != nullptr && route->pattern.ends_with("/{token}"); }

// Of a path that leads nowhere: a link that was asked for in a wrong way (another method, a proxy's prefix) is a link
// yet. Names and ids are shorter.
std::string without_long_words(std::string_view path) {
    constexpr std::size_t kLongest = 40;
    std::string shown;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/', 1), path.size());
        shown.append(end > kLongest ? "/..." : path.substr(0, end));
        path.remove_prefix(end);
    }
    return shown;
}

bool is_public_api(const http::Request& request) { return request.path.starts_with("/api/public/v1/"); }

}  // namespace

Pipeline::Pipeline(const Parts& parts, const ApiLimits& limits)
    : parts_(parts),
      limits_(limits),
      reads_(limits.reads_per_minute),
      writes_(limits.writes_per_minute),
      public_reads_(limits.public_reads_per_minute),
      public_writes_(limits.public_writes_per_minute),
      refusals_(limits.refusals_per_minute) {}

http::Response Pipeline::server_error(int status, std::string_view code, std::string_view message) {
    http::Response response = api::error_answer(status, code, message);
    response.headers.set("X-Request-Id", new_uuid());
    return response;
}

void Pipeline::share_limits(Loop& loop) {
    shared_ = std::make_unique<SharedLimits>(loop, parts_.threads, parts_.clock,
                                             std::vector<SharedLimits::Named>{{"reads", reads_},
                                                                              {"writes", writes_},
                                                                              {"public-reads", public_reads_},
                                                                              {"public-writes", public_writes_},
                                                                              {"refusals", refusals_}});
}

std::optional<std::uint64_t> Pipeline::streamed_body(const http::Request& request) const {
    if (request.method != "POST") return std::nullopt;
    const api::Route* route = parts_.routes.find(request.method, request.path).route;
    if (route == nullptr || route->streamed_body == 0) return std::nullopt;
    return route->streamed_body;
}

void Pipeline::handle(std::unique_ptr<http::Exchange> exchange) {
    auto pending = std::make_unique<Pending>();
    api::Call& call = pending->call;
    call.request = exchange->take_request();
    call.request_id = request_id_of(call.request);
    pending->exchange = std::move(exchange);
    pending->began_ms = steady_ms();
    if (auto prepared = prepare(*pending); !prepared) return refuse(std::move(pending), prepared.error());
    const api::Route& route = *pending->route;
    if (route.access == api::Access::open && route.loop) {
        if (is_link(&route)) {
            pending->credential_hash = auth::hash_secret(call.param("token"));
            if (auto allowed = check_limits(*pending); !allowed) return refuse(std::move(pending), allowed.error());
        }
        return hand_to_loop(std::move(pending));
    }
    auto credential = auth::credential_of(call.request, is_public_api(call.request), route.query_token);
    if (!credential) return refuse(std::move(pending), credential.error());
    pending->credential_hash = credential->hash;
    if (auto allowed = check_limits(*pending); !allowed) return refuse(std::move(pending), allowed.error());
    if (auto marked = mark_idempotency(*pending); !marked) return refuse(std::move(pending), marked.error());
    dispatch(std::move(pending), std::move(*credential));
}

Result<> Pipeline::prepare(Pending& pending) {
    api::Call& call = pending.call;
    if (hides_slash(call.request.target)) return api::not_found("path");
    api::RouteTable::Match match = parts_.routes.find(call.request.method, call.request.path);
    if (match.route == nullptr) {
        if (match.allowed.empty()) return api::not_found("path");
        pending.allow = std::move(match.allowed);
        return api::problem(405, "method_not_allowed", "this path takes " + pending.allow);
    }
    pending.route = match.route;
    TRY(check_ids(match.params));
    call.params = std::move(match.params);
    call.now = parts_.clock.now_ms();
    return {};
}

// A copy of the call: what its answer is logged with stays here.
void Pipeline::hand_to_loop(std::unique_ptr<Pending> pending) {
    const api::LoopHandler& handler = pending->route->loop;
    api::Call call = pending->call;
    handler(std::move(call), watch(std::move(pending)));
}

auth::RateLimiter& Pipeline::limiter_for(const Pending& pending) {
    const bool writes = pending.route->writes();
    if (is_link(pending.route) || is_public_api(pending.call.request)) return writes ? public_writes_ : public_reads_;
    return writes ? writes_ : reads_;
}

Result<> Pipeline::check_limits(Pending& pending) {
    const std::int64_t now = steady_ms();
    const std::string peer = store::peer_address(pending.call.request.peer);
    // Who was let in lately is not stopped by others behind the same address.
    if (!admitted_.contains(pending.credential_hash)) {
        const auth::RateDecision refused = refusals_.look(peer, now);
        if (!refused.allowed) {
            pending.rate = refused;
            return api::problem(429, "rate_limit_exceeded", "too many refused credentials from this address");
        }
    }
    if (pending.route->access == api::Access::agent || pending.credential_hash.empty()) return {};
    pending.rate = limiter_for(pending).take(pending.credential_hash, now);
    if (shared_) shared_->taken();
    if (!pending.rate.allowed) return api::problem(429, "rate_limit_exceeded", "too many requests in this minute");
    return {};
}

Result<> Pipeline::mark_idempotency(Pending& pending) {
    const http::Request& request = pending.call.request;
    const std::string_view key = request.headers.get("Idempotency-Key");
    if (key.empty() || request.method != "POST" || pending.route->loop) return {};
    if (!plain_word(key, kMaxIdempotencyKeyBytes, "-_.:+/=~")) {
        return api::problem(400, "invalid_parameter",
                            "Idempotency-Key must be at most 255 letters, digits and -_.:+/=~");
    }
    std::string mark = pending.credential_hash + " " + std::string(key);
    if (!idempotency_in_flight_.insert(mark).second) {
        return api::conflict("idempotency_in_flight", "a request with this Idempotency-Key is being worked on");
    }
    pending.idempotency = std::move(mark);
    return {};
}

void Pipeline::dispatch(std::unique_ptr<Pending> pending, auth::Credential credential) {
    const std::uint64_t number = ++last_number_;
    const api::Route& route = *pending->route;
    api::Call& call = pending->call;
    std::string key;
    if (!pending->idempotency.empty()) key = call.request.headers.get("Idempotency-Key");
    if (is_agents_write(route)) call.organization_id = known_organization(*pending);
    auto run = [this, &route, &call, credential = std::move(credential),
                key = std::move(key)](sql::Database& db) -> Answer {
        if (!route.loop) return run_call(parts_.checks, route, credential, key, call, db);
        TRY(admit(parts_.checks, route, credential, call, db));
        return http::Response{};
    };
    if (!submit(number, *pending, std::move(run))) {
        call.organization_id.clear();  // nobody was let in
        return refuse(std::move(pending), api::problem(503, kOverloaded, "too much is waiting; try again"));
    }
    pending_.emplace(number, std::move(pending));
}

bool Pipeline::submit(std::uint64_t number, const Pending& pending, std::function<Answer(sql::Database&)> run) {
    const api::Route& route = *pending.route;
    const std::string tenant = tenant_of(pending);
    if (is_agents_write(route)) {
        auto member = [this, number, run = std::move(run)](sql::Database& db) {
            return [this, number, answer = run(db)](const Result<>& stored) mutable {
                // A refusal too: it may rest on what another member wrote (a second process of the agent).
                finish(number, stored ? std::move(answer) : Answer(stored.error()));
            };
        };
        return parts_.threads.submit_member(std::move(member), tenant);
    }
    auto work = [this, number, run = std::move(run)](sql::Database& db) {
        return [this, number, answer = run(db)]() mutable { finish(number, std::move(answer)); };
    };
    return parts_.threads.submit(lane_of(route), std::move(work), tenant);
}

void Pipeline::finish(std::uint64_t number, Answer result) {
    const auto found = pending_.find(number);
    std::unique_ptr<Pending> pending = std::move(found->second);
    pending_.erase(found);
    remember_caller(*pending);
    if (!result) return refuse(std::move(pending), result.error());
    if (pending->route->loop) {
        if (stopping_)
            return refuse(std::move(pending), api::problem(503, "stopping", "the control plane is stopping"));
        return hand_to_loop(std::move(pending));
    }
    for (const auto& task : pending->call.after_commit) task();
    answer(std::move(pending), std::move(*result));
}

void Pipeline::remember_caller(const Pending& pending) {
    const auth::Principal& principal = pending.call.principal;
    if (principal.kind == auth::Principal::Kind::nobody) return;
    remember(pending.credential_hash, pending.call.organization_id);
    if (principal.kind != auth::Principal::Kind::api_key) return;
    const std::int64_t now = steady_ms();
    if (key_used_at_.size() >= kRemembered) key_used_at_.clear();
    std::int64_t& told_at = key_used_at_.try_emplace(principal.id, now - 2 * kMinuteMs).first->second;
    if (now - told_at < kMinuteMs) return;
    told_at = now;
    // Only a sign of use: when the queue is full, the next minute tells it.
    static_cast<void>(parts_.threads.submit(
        store::DatabaseThreads::Lane::write,
        [id = principal.id, at = pending.call.now](sql::Database& db) -> store::DatabaseThreads::Done {
            if (auto noted = store::ApiKeys(db).note_used(id, at); !noted) {
                log::warning("api key use not noted", {{"error", noted.error().message()}});
            }
            return {};
        },
        pending.call.organization_id));
}

void Pipeline::remember(const std::string& credential_hash, const std::string& organization_id) {
    if (admitted_.size() >= kRemembered) admitted_.clear();
    // People of no organization yet; "" is the line of our own work.
    admitted_.insert_or_assign(credential_hash, organization_id.empty() ? kNewcomers : organization_id);
}

std::string Pipeline::tenant_of(const Pending& pending) const {
    const auto found = admitted_.find(pending.credential_hash);
    if (found == admitted_.end()) return kNewcomers;
    const bool of_agent = pending.route->access == api::Access::agent;
    return of_agent ? found->second + store::kAgentsLine : found->second;
}

std::string Pipeline::known_organization(const Pending& pending) const {
    return std::string(store::organization_of(tenant_of(pending)));
}

void Pipeline::refuse(std::unique_ptr<Pending> pending, const Error& error) {
    http::Response response = api::error_answer(error);
    if (response.status == 401) {
        count_refusal(*pending);
        response.headers.set("WWW-Authenticate", "Bearer");
    }
    if (response.status == 405) response.headers.set("Allow", pending->allow);
    if (response.status == 429 || response.status == 503) add_retry_after(response, error, pending->rate);
    // Of an overload the line of the request tells enough: what is refused must cost little.
    if (response.status >= 500 && error.reason() != kOverloaded) {
        log::error("request failed",
                   {{"request", pending->call.request_id}, {"path", shown_path(*pending)}, {"error", error.message()}});
    }
    answer(std::move(pending), std::move(response));
}

void Pipeline::count_refusal(const Pending& pending) {
    refusals_.take(store::peer_address(pending.call.request.peer), steady_ms());
    if (shared_) shared_->taken();
}

void Pipeline::answer(std::unique_ptr<Pending> pending, http::Response response) {
    if (!pending->idempotency.empty()) idempotency_in_flight_.erase(pending->idempotency);
    stamp(response, *pending);
    record(*pending, response.status);
    note_refusal(*pending, response);
    pending->exchange->respond(std::move(response));
}

void Pipeline::stamp(http::Response& response, const Pending& pending) const {
    response.headers.set("X-Request-Id", pending.call.request_id);
    response.headers.set("Cache-Control", "no-store");
    response.headers.set("X-Content-Type-Options", "nosniff");
    if (pending.rate.limit <= 0) return;
    response.headers.set("X-RateLimit-Limit", std::to_string(pending.rate.limit));
    response.headers.set("X-RateLimit-Remaining", std::to_string(pending.rate.remaining));
    response.headers.set("X-RateLimit-Window", "60");
}

// Without its query: an access_token stands there. The token of a link is a secret too.
std::string Pipeline::shown_path(const Pending& pending) {
    if (pending.route == nullptr) return without_long_words(pending.call.request.path);
    return is_link(pending.route) ? std::string(pending.route->pattern) : pending.call.request.path;
}

void Pipeline::note_link(const Pending& pending, int status) {
    if (!is_link(pending.route)) return;
    if (status == 404 || status == 410) count_refusal(pending);
    if (status < 400) remember(pending.credential_hash, kNewcomers);
}

void Pipeline::record(const Pending& pending, int status) {
    const http::Request& request = pending.call.request;
    const std::int64_t took_ms = steady_ms() - pending.began_ms;
    const std::string_view route = pending.route == nullptr ? "" : std::string_view(pending.route->pattern);
    parts_.metrics.count_request(request.method, route, status, static_cast<double>(took_ms) / 1000);
    const bool quiet = pending.route != nullptr && pending.route->access == api::Access::open;
    log::line(quiet ? log::Level::debug : log::Level::info, "request",
              {{"method", request.method},
               {"path", shown_path(pending)},
               {"status", status},
               {"ms", took_ms},
               {"request", pending.call.request_id},
               {"who", pending.call.principal.name},
               {"organization", pending.call.organization_id},
               {"peer", request.peer}});
}

}  // namespace backstay::serve
