#include "control-plane/api/routes.h"

#include <algorithm>
#include <cassert>

namespace backstay::api {
namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    if (path.starts_with('/')) path.remove_prefix(1);
    segments.reserve(1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')));
    while (true) {
        const std::size_t slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return segments;
        path.remove_prefix(slash + 1);
    }
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

// How many literal segments match; -1: not this route.
int literal_matches(const Route& route, const std::vector<std::string_view>& path) {
    if (route.segments.size() != path.size()) return -1;
    int literals = 0;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (is_parameter(route.segments[i])) {
            if (path[i].empty()) return -1;
        } else if (route.segments[i] == path[i]) {
            ++literals;
        } else {
            return -1;
        }
    }
    return literals;
}

bool method_fits(const Route& route, std::string_view method) {
    return route.method == method || (method == "HEAD" && route.method == "GET" && !route.loop);
}

}  // namespace

Route& RouteTable::make(const RouteSpec& spec) {
    auto route = std::make_unique<Route>();
    route->method = spec.method;
    route->pattern = spec.pattern;
    const auto segments = split(spec.pattern);
    route->segments.assign(segments.begin(), segments.end());
    route->permission = spec.permission;
    route->access = spec.access;
    route->slow = spec.slow;
    route->query_token = spec.query_token;
    route->storage = spec.storage;
    route->streamed_body = spec.streamed_body;
    routes_.push_back(std::move(route));
    return *routes_.back();
}

void RouteTable::add(const RouteSpec& spec, ReadHandler handler) { make(spec).read = std::move(handler); }

void RouteTable::add_write(const RouteSpec& spec, WriteHandler handler, OrganizationOf organization_of) {
    assert(!spec.slow);
    Route& route = make(spec);
    route.write = std::move(handler);
    route.organization_of = std::move(organization_of);
}

void RouteTable::add_loop(const RouteSpec& spec, LoopHandler handler) { make(spec).loop = std::move(handler); }

RouteTable::Match RouteTable::find(std::string_view method, std::string_view path) const {
    Match match;
    const std::vector<std::string_view> segments = split(path);
    int best = -1;
    for (const auto& route : routes_) {
        const int literals = literal_matches(*route, segments);
        if (literals < 0) continue;
        if (match.allowed.find(route->method) == std::string::npos) {
            match.allowed.append(match.allowed.empty() ? "" : ", ").append(route->method);
        }
        if (!method_fits(*route, method) || literals <= best) continue;
        best = literals;
        match.route = route.get();
    }
    if (match.route == nullptr) return match;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const std::string& name = match.route->segments[i];
        if (is_parameter(name)) match.params.emplace(name.substr(1, name.size() - 2), segments[i]);
    }
    return match;
}

}  // namespace backstay::api
