#include "control-plane/serve/health_routes.h"

#include "common/files/files.h"
#include "common/log.h"
#include "control-plane/api/answer.h"
#include "control-plane/auth/credential.h"
#include "control-plane/store/counts.h"

namespace backstay::serve {
namespace {

using Lane = store::DatabaseThreads::Lane;

http::Response status_answer(int status, std::string_view word) {
    json::Object body;
    body.emplace("status", word);
    return api::json_answer(status, json::Value(std::move(body)));
}

// A proxy on this host speaks for others: what it adds to a request says so.
bool from_this_host(const http::Request& request) {
    for (const char* name : {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"}) {
        if (request.headers.has(name)) return false;
    }
    for (const std::string_view beginning : {"127.", "[::1]:", "[::ffff:127.", "unix:"}) {
        if (request.peer.starts_with(beginning)) return true;
    }
    return false;
}

}  // namespace

Result<MetricsAccess> metrics_access(const MetricsSettings& settings) {
    MetricsAccess access;
    access.open = settings.open;
    if (settings.token_file.empty()) return access;
    access.token_hash =
        auth::hash_secret(TRY(read_secret_file(settings.token_file, 4096).context("read metrics_token_file")));
    return access;
}

Health::Health(store::DatabaseThreads& threads, Metrics& metrics, const Clock& clock, MetricsAccess access)
    : threads_(threads), metrics_(metrics), clock_(clock), access_(std::move(access)) {
    add_collector(collect_registry);
}

void Health::add_routes(api::RouteTable& routes) {
    const auto open = [](std::string_view path) {
        return api::RouteSpec{.method = "GET", .pattern = path, .access = api::Access::open};
    };
    for (const std::string_view path : {"/healthz", "/health"}) {
        routes.add_loop(open(path), [](const api::Call&, std::unique_ptr<http::Exchange> exchange) {
            exchange->respond(status_answer(200, "ok"));
        });
    }
    for (const std::string_view path : {"/readyz", "/ready"}) {
        routes.add_loop(open(path), [this](const api::Call&, std::unique_ptr<http::Exchange> exchange) {
            answer_ready(std::move(exchange));
        });
    }
    routes.add_loop(open("/metrics"), [this](const api::Call&, std::unique_ptr<http::Exchange> exchange) {
        answer_metrics(std::move(exchange));
    });
}

void Health::answer_ready(std::unique_ptr<http::Exchange> exchange) {
    if (stopping_) return exchange->respond(status_answer(503, "stopping"));
    const std::uint64_t number = ++last_number_;
    const bool taken = threads_.submit(Lane::read, [this, number, now = clock_.now_ms()](sql::Database& db) {
        const bool answers = store::count_registry(db, now).has_value();
        return [this, number, answers] {
            auto waiting = waiting_.extract(number);
            waiting.mapped()->respond(answers ? status_answer(200, "ready") : status_answer(503, "store_unavailable"));
        };
    });
    if (!taken) return exchange->respond(status_answer(503, "overloaded"));
    waiting_.emplace(number, std::move(exchange));
}

bool Health::may_read_metrics(const http::Request& request) const {
    constexpr std::string_view kBearer = "Bearer ";
    if (access_.open) return true;
    const std::string_view sent = request.headers.get("Authorization");
    if (!access_.token_hash.empty() && sent.starts_with(kBearer) &&
        auth::hash_secret(sent.substr(kBearer.size())) == access_.token_hash) {
        return true;
    }
    return from_this_host(request);
}

void Health::answer_metrics(std::unique_ptr<http::Exchange> exchange) {
    if (!may_read_metrics(exchange->request())) {
        const bool token = !access_.token_hash.empty();
        auto refusal = api::error_answer(token ? 401 : 403, token ? "missing_auth" : "forbidden",
                                         token ? "send the token of metrics_token_file as `Authorization: Bearer …`"
                                               : "metrics are for this host; see metrics in control.toml");
        if (token) refusal.headers.set("WWW-Authenticate", "Bearer");
        return exchange->respond(std::move(refusal));
    }
    const std::uint64_t number = ++last_number_;
    const auto collect = [this, number, collectors = collectors_, now = clock_.now_ms()](sql::Database& db) {
        std::vector<Sample> samples;
        for (const Collector& collector : collectors) {
            auto more = collector(db, now);
            if (more) {
                samples.insert(samples.end(), more->begin(), more->end());
            } else {
                log::warning("metrics incomplete", {{"error", more.error().message()}});
            }
        }
        return [this, number, samples = std::move(samples)] {
            for (const auto& gauge : gauges_) metrics_.set_gauge(gauge());
            metrics_.replace_gauges(samples);
            http::Response response;
            response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
            response.body = metrics_.text();
            waiting_.extract(number).mapped()->respond(std::move(response));
        };
    };
    if (!threads_.submit(Lane::read, collect)) return exchange->respond(status_answer(503, "overloaded"));
    waiting_.emplace(number, std::move(exchange));
}

}  // namespace backstay::serve
