// /healthz, /readyz (also as /health and /ready) for load balancers, without credential; /metrics for Prometheus.
#pragma once

#include <vector>

#include "control-plane/api/routes.h"
#include "control-plane/config/settings.h"
#include "control-plane/serve/metrics.h"
#include "control-plane/store/database_threads.h"

namespace backstay::serve {

// Who may read /metrics: it tells what there is and how busy it is, and each answer counts rows.
struct MetricsAccess {
    bool open = false;       // everybody
    std::string token_hash;  // of auth::hash_secret; whoever sends that token, from anywhere
    // Otherwise peers on this host, unless a proxy says that it speaks for somebody else.
};
// invalid: the token file is empty.
Result<MetricsAccess> metrics_access(const MetricsSettings& settings);

class Health {
public:
    // All outlive this; loop thread only.
    Health(store::DatabaseThreads& threads, Metrics& metrics, const Clock& clock, MetricsAccess access);

    void add_routes(api::RouteTable& routes);
    void add_collector(Collector collector) { collectors_.push_back(std::move(collector)); }
    // Read on the loop thread at each scrape.
    void add_gauge(std::function<Sample()> gauge) { gauges_.push_back(std::move(gauge)); }
    // From now on not ready: a load balancer sends nothing new.
    void begin_stopping() { stopping_ = true; }

private:
    void answer_ready(std::unique_ptr<http::Exchange> exchange);
    void answer_metrics(std::unique_ptr<http::Exchange> exchange);
    bool may_read_metrics(const http::Request& request) const;

    store::DatabaseThreads& threads_;
    Metrics& metrics_;
    const Clock& clock_;
    const MetricsAccess access_;
    std::vector<Collector> collectors_;
    std::vector<std::function<Sample()>> gauges_;
    std::map<std::uint64_t, std::unique_ptr<http::Exchange>> waiting_;
    std::uint64_t last_number_ = 0;
    bool stopping_ = false;
};

}  // namespace backstay::serve
