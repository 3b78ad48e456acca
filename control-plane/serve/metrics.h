// Numbers for Prometheus: its client library's home in the control plane. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::serve {

// One gauge as a collector reads it from the store at each scrape.
struct Sample {
    std::string name;  // "backstay_agents"
    std::string help;
    std::map<std::string, std::string> labels;
    double value = 0;
};
// Runs on a reading database thread.
using Collector = std::function<Result<std::vector<Sample>>(sql::Database&, TimeMs now)>;

class Metrics {
public:
    Metrics();
    ~Metrics();

    // `route` is a pattern of the route table, never a path: few values.
    void count_request(std::string_view method, std::string_view route, int status, double seconds);
    void set_gauge(const Sample& sample);
    // What the gauges of one name said before is forgotten: labels that are gone vanish.
    void replace_gauges(const std::vector<Sample>& samples);
    // The exposition format, version 0.0.4.
    std::string text() const;

private:
    struct Registry;
    std::unique_ptr<Registry> registry_;
};

// What the registry holds: organizations, environments, agents alive and silent.
Result<std::vector<Sample>> collect_registry(sql::Database& db, TimeMs now);

// What was ordered: jobs by kind and state, backups by status, and when each environment was last backed up.
Result<std::vector<Sample>> collect_operations(sql::Database& db, TimeMs now);

}  // namespace backstay::serve
