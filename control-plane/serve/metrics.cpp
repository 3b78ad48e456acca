#include "control-plane/serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <tuple>

#include "control-plane/store/counts.h"

namespace backstay::serve {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30};

}  // namespace

struct Metrics::Registry {
    prometheus::Registry counters;
    std::unique_ptr<prometheus::Registry> gauges = std::make_unique<prometheus::Registry>();
    prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                            .Name("backstay_http_requests_total")
                                                            .Help("Requests answered, by route and status")
                                                            .Register(counters);
    prometheus::Family<prometheus::Histogram>& seconds = prometheus::BuildHistogram()
                                                             .Name("backstay_http_request_seconds")
                                                             .Help("Time from a request to its answer, by route")
                                                             .Register(counters);
    struct Route {
        prometheus::Counter& requests;
        prometheus::Histogram& seconds;
    };
    // Found anew in their families they would cost more than the rest of a request's bookkeeping.
    std::map<std::tuple<std::string, std::string, int>, Route, std::less<>> routes;
    std::map<std::string, Sample> standing;  // gauges set from here, kept through replace_gauges
};

Metrics::Metrics() : registry_(std::make_unique<Registry>()) {}
Metrics::~Metrics() = default;

void Metrics::count_request(std::string_view method, std::string_view route, int status, double seconds) {
    if (route.empty()) route = "none";
    auto found = registry_->routes.find(std::tuple(method, route, status));
    if (found == registry_->routes.end()) {
        const std::string path(route);
        auto& requests = registry_->requests.Add(
            {{"method", std::string(method)}, {"route", path}, {"status", std::to_string(status)}});
        auto& durations = registry_->seconds.Add({{"route", path}}, kSeconds);
        found = registry_->routes
                    .emplace(std::tuple(std::string(method), path, status), Registry::Route{requests, durations})
                    .first;
    }
    found->second.requests.Increment();
    found->second.seconds.Observe(seconds);
}

void Metrics::set_gauge(const Sample& sample) { registry_->standing.insert_or_assign(sample.name, sample); }

void Metrics::replace_gauges(const std::vector<Sample>& samples) {
    registry_->gauges = std::make_unique<prometheus::Registry>();
    // Building a family that is there already gives it again.
    const auto add = [this](const Sample& sample) {
        auto& family = prometheus::BuildGauge().Name(sample.name).Help(sample.help).Register(*registry_->gauges);
        family.Add(sample.labels).Set(sample.value);
    };
    for (const Sample& sample : samples) add(sample);
    for (const auto& [name, sample] : registry_->standing) add(sample);
}

std::string Metrics::text() const {
    auto families = registry_->counters.Collect();
    auto gauges = registry_->gauges->Collect();
    families.insert(families.end(), gauges.begin(), gauges.end());
    return prometheus::TextSerializer().Serialize(families);
}

Result<std::vector<Sample>> collect_registry(sql::Database& db, TimeMs now) {
    const auto counts = TRY(store::count_registry(db, now));
    std::vector<Sample> samples;
    const auto add = [&](const char* name, const char* help, std::map<std::string, std::string> labels,
                         std::int64_t value) {
        samples.push_back({name, help, std::move(labels), static_cast<double>(value)});
    };
    add("backstay_organizations", "Organizations", {}, counts.organizations);
    add("backstay_environments", "Environments", {}, counts.environments);
    add("backstay_destinations_failing", "Destinations whose last connection test failed", {},
        counts.failing_destinations);
    const char* agents = "Agents, by whether they were heard lately";
    add("backstay_agents", agents, {{"state", "alive"}}, counts.live_agents);
    add("backstay_agents", agents, {{"state", "silent"}}, counts.agents - counts.live_agents);
    return samples;
}

}  // namespace backstay::serve
