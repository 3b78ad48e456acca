// GET /api/openapi.json: docs/openapi.json as it was built in. Its `servers` is relative, so that it fits wherever the
// control plane is reached.
#include "control-plane/api/backups.h"
#include "control-plane/api/openapi_text.h"

namespace backstay::api {

void add_openapi_route(RouteTable& routes) {
    RouteSpec spec{"GET", "/api/openapi.json"};
    spec.access = Access::open;
    routes.add(spec, [](Call&, sql::Database&) -> Result<http::Response> {
        http::Response response;
        response.headers.set("Content-Type", "application/json");
        response.headers.set("Cache-Control", "max-age=300");
        response.body = openapi_text();
        return response;
    });
}

}  // namespace backstay::api
