// The socket API: what `backstay` asks of the daemon. Made, used and destroyed on the loop thread; whatever must block
// is answered at one of two desks. Who may connect is decided by the socket's mode and group; what they ask is logged
// with their user id.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/archiver/service.h"
#include "agent/local-api/desk.h"
#include "agent/local-api/messages.h"
#include "agent/local-api/spaces.h"
#include "agent/local-api/watchers.h"
#include "agent/worker/settings.h"
#include "agent/worker/worker.h"
#include "common/event/loop.h"
#include "common/http/router.h"
#include "common/http/server.h"

namespace backstay::local_api {

struct ApiParts {
    Loop& loop;
    Settings& settings;
    Worker& worker;
    // Any thread: how the agent stands with its control plane, and that there is something to report.
    std::function<ControlPlaneView()> control_plane;
    std::function<void()> nudge;
    std::function<std::vector<archiver::ClusterStatus>()> wal;
    Timestamp started_at;
    // Any thread: destinations beside those of the configuration.
    std::function<std::vector<DestinationOrder>()> told_destinations = {};
};

class Api {
public:
    explicit Api(ApiParts parts);

    void handle(std::unique_ptr<http::Exchange> exchange);
    // Of the worker, handed over to the loop.
    void job_changed(const std::string& job_id);
    void progressed(const std::string& job_id, const Progress& progress);

    // Method and pattern of each (docs/socket.md tells them all).
    std::vector<std::pair<std::string, std::string>> routes() const { return router_.routes(); }

    // Of the port for Prometheus, which has this one answer.
    void handle_metrics(std::unique_ptr<http::Exchange> exchange);

    static http::Response error_body(int status, std::string_view code, std::string_view message);

private:
    void add_reading();
    void add_refused();
    void add_looking();
    void add_adopting();
    void add_ordering();
    void add_snapshots();
    void add_changing();
    void add_wal();
    Result<StatusAnswer> status(sqlite::Database& database);
    Result<WhyAnswer> why(sqlite::Database& database, const std::string& of);
    Result<http::Response> metrics(sqlite::Database& database);
    void measure_spaces();
    void watch(std::unique_ptr<http::Exchange> exchange, const std::string& job_id);
    void end_watch(const std::string& job_id);
    // A desk's work that needs the request's path parameter.
    template <class Do>
    void add(std::string_view method, std::string_view pattern, Desk& desk, Do act);
    // POST of a message that makes an order.
    template <class Message, class Make>
    void add_order(std::string_view pattern, Make make);
    Result<Accepted> accept(Order order, sqlite::Database& database, const http::Request& request);

    ApiParts parts_;
    http::Router router_;
    Watchers watchers_;
    Spaces spaces_;
    Desk slow_;
    Desk quick_;  // ends first: its work may give some to the slow one
};

}  // namespace backstay::local_api
