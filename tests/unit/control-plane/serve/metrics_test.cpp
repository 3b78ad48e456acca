#include "control-plane/serve/metrics.h"

#include <gtest/gtest.h>

namespace backstay::serve {
namespace {

TEST(Metrics, CountRequestsByRoute) {
    Metrics metrics;
    metrics.count_request("GET", "/api/backups/{id}", 200, 0.002);
    metrics.count_request("GET", "/api/backups/{id}", 200, 0.002);
    metrics.count_request("GET", "", 404, 0.001);
    const std::string text = metrics.text();
    EXPECT_NE(text.find(R"(backstay_http_requests_total{method="GET",route="/api/backups/{id}",status="200"} 2)"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find(R"(route="none",status="404"} 1)"), std::string::npos);
    EXPECT_NE(text.find(R"(backstay_http_request_seconds_count{route="/api/backups/{id}"} 2)"), std::string::npos);
}

TEST(Metrics, ForgetGaugesThatAreGone) {
    Metrics metrics;
    metrics.set_gauge({"backstay_streams", "Open", {}, 3});
    metrics.replace_gauges(
        {{"backstay_jobs", "Jobs", {{"state", "queued"}}, 2}, {"backstay_jobs", "Jobs", {{"state", "running"}}, 1}});
    EXPECT_NE(metrics.text().find(R"(backstay_jobs{state="queued"} 2)"), std::string::npos);
    metrics.replace_gauges({{"backstay_jobs", "Jobs", {{"state", "running"}}, 4}});
    const std::string text = metrics.text();
    EXPECT_EQ(text.find("queued"), std::string::npos);
    EXPECT_NE(text.find(R"(backstay_jobs{state="running"} 4)"), std::string::npos);
    EXPECT_NE(text.find("backstay_streams 3"), std::string::npos);
}

}  // namespace
}  // namespace backstay::serve
