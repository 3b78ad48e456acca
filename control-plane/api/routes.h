// The table of routes. Folders of the API register theirs at start:
//
//   void add_backup_routes(RouteTable& routes) {
//       routes.add({"GET", "/api/backups/{id}", Permission::view_backups}, show_backup);
//       routes.add({"POST", "/api/environments/{environmentId}/backups", Permission::manage_backups}, create_backup);
//       routes.add_loop({"GET", "/api/backups/{id}/progress", …}, [&hub](Call call, auto exchange) { … });
//   }
//
// Before a handler runs, the pipeline (control-plane/serve) has checked: credential, organization, permission,
// rate limit, UUIDs in the path, Idempotency-Key. GET handlers run on a reading database thread. Others run on the
// writing thread inside one transaction, which is committed when they answer below 400 and undone otherwise.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/server.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "common/sql/transaction.h"
#include "control-plane/api/call.h"
#include "control-plane/auth/principal.h"

namespace backstay::api {

// Who may call a route.
enum class Access {
    member,  // a user or key of the organization with the route's permission
    user,    // a user, whatever the organization (its handler looks for itself)
    agent,   // an enrolled agent; Call::principal.id is its id
    open,    // anybody
};

struct RouteSpec {
    std::string_view method;
    std::string_view pattern;  // "/api/backups/{id}"; a parameter is one whole segment
    auth::Permission permission = auth::Permission::view_backups;
    Access access = Access::member;
    bool slow = false;         // waits for other hosts: runs on a slow thread, opens its own transactions
    bool query_token = false;  // a browser's event stream may send ?access_token=
    bool storage = false;      // slow because of a destination: runs on a storage thread
    // Of loop handlers that read the body by Exchange::read_body: the most that it may have; 0: Request::body has it.
    std::uint64_t streamed_body = 0;
};

using ReadHandler = std::function<Result<http::Response>(Call&, sql::Database&)>;
using WriteHandler = std::function<Result<http::Response>(Call&, sql::Transaction&)>;
// Of a route that anybody may call: the organization that it writes for, or its refusal, so that strangers keep no
// writer waiting. Outside of the transaction: the handler looks again.
using OrganizationOf = std::function<Result<std::string>(const Call&, sql::Database&)>;
// Event streams and long polls: on the loop thread, keeps the exchange until it answers. Database work goes through
// DatabaseThreads.
using LoopHandler = std::function<void(Call, std::unique_ptr<http::Exchange>)>;

struct Route {
    std::string method;
    std::string pattern;
    std::vector<std::string> segments;
    auth::Permission permission = auth::Permission::view_backups;
    Access access = Access::member;
    bool slow = false;
    bool query_token = false;
    bool storage = false;
    std::uint64_t streamed_body = 0;
    // Exactly one is set.
    ReadHandler read;
    WriteHandler write;
    LoopHandler loop;
    OrganizationOf organization_of;  // of a write; may be empty

    bool writes() const { return method != "GET" && method != "HEAD"; }
};

class RouteTable {
public:
    void add(const RouteSpec& spec, ReadHandler handler);
    void add_write(const RouteSpec& spec, WriteHandler handler, OrganizationOf organization_of = {});
    void add_loop(const RouteSpec& spec, LoopHandler handler);

    struct Match {
        const Route* route = nullptr;  // null: see `allowed`
        std::map<std::string, std::string, std::less<>> params;
        std::string allowed;  // methods that the path has ("GET, POST"); empty: there is no such path
    };
    // `path` is decoded once; HEAD finds GET. A literal segment wins over a parameter.
    Match find(std::string_view method, std::string_view path) const;
    const std::vector<std::unique_ptr<Route>>& all() const { return routes_; }

private:
    Route& make(const RouteSpec& spec);
    std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace backstay::api
