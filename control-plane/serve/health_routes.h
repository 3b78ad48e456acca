// /healthz, /readyz and /metrics (also as /health and /ready): for load balancers and Prometheus, without credential.
#pragma once

#include <vector>

#include "control-plane/api/routes.h"
#include "control-plane/serve/metrics.h"
#include "control-plane/store/database_threads.h"

namespace backstay::serve {

class Health {
public:
    // All outlive this; loop thread only.
    Health(store::DatabaseThreads& threads, Metrics& metrics, const Clock& clock);

    void add_routes(api::RouteTable& routes);
    void add_collector(Collector collector) { collectors_.push_back(std::move(collector)); }
    // Read on the loop thread at each scrape.
    void add_gauge(std::function<Sample()> gauge) { gauges_.push_back(std::move(gauge)); }
    // From now on not ready: a load balancer sends nothing new.
    void begin_stopping() { stopping_ = true; }

private:
    void answer_ready(std::unique_ptr<http::Exchange> exchange);
    void answer_metrics(std::unique_ptr<http::Exchange> exchange);

    store::DatabaseThreads& threads_;
    Metrics& metrics_;
    const Clock& clock_;
    std::vector<Collector> collectors_;
    std::vector<std::function<Sample()>> gauges_;
    std::map<std::uint64_t, std::unique_ptr<http::Exchange>> waiting_;
    std::uint64_t last_number_ = 0;
    bool stopping_ = false;
};

}  // namespace backstay::serve
