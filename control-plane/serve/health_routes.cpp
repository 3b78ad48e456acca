#include "control-plane/serve/health_routes.h"

#include "common/log.h"
#include "control-plane/store/counts.h"

namespace backstay::serve {
namespace {

using Lane = store::DatabaseThreads::Lane;

http::Response status_answer(int status, std::string_view word) {
    json::Object body;
    body.emplace("status", word);
    return api::json_answer(status, json::Value(std::move(body)));
}

}  // namespace

Health::Health(store::DatabaseThreads& threads, Metrics& metrics, const Clock& clock)
    : threads_(threads), metrics_(metrics), clock_(clock) {
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
    const bool taken = threads_.submit(Lane::read, [this, number, now = clock_.now_ms()](sqlite::Database& db) {
        const bool answers = store::count_registry(db, now).has_value();
        return [this, number, answers] {
            auto waiting = waiting_.extract(number);
            waiting.mapped()->respond(answers ? status_answer(200, "ready") : status_answer(503, "store_unavailable"));
        };
    });
    if (!taken) return exchange->respond(status_answer(503, "overloaded"));
    waiting_.emplace(number, std::move(exchange));
}

void Health::answer_metrics(std::unique_ptr<http::Exchange> exchange) {
    const std::uint64_t number = ++last_number_;
    const auto collect = [this, number, collectors = collectors_, now = clock_.now_ms()](sqlite::Database& db) {
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
