#include "common/http/router.h"

#include <algorithm>
#include <cstdlib>

#include "common/http/server_policy.h"

namespace backstay::http {

namespace {

// The segments of an absolute path; nullopt when it does not begin with "/".
std::optional<std::vector<std::string_view>> split(std::string_view path) {
    if (path.empty() || path.front() != '/') return std::nullopt;
    std::vector<std::string_view> segments;
    for (path.remove_prefix(1);;) {
        const std::size_t slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return segments;
        path.remove_prefix(slash + 1);
    }
}

// Decoded after the split, so that an encoded slash is seen for what it is.
std::optional<std::vector<std::string>> request_segments(std::string_view target) {
    const auto raw = split(target.substr(0, target.find('?')));
    if (!raw) return std::nullopt;
    std::vector<std::string> segments;
    for (const std::string_view segment : *raw) {
        std::optional<std::string> decoded = percent_decode(segment);
        const bool last_empty = raw->size() == 1 && segment.empty();  // the path "/"
        if (!decoded || (decoded->empty() && !last_empty) || *decoded == "." || *decoded == "..") return std::nullopt;
        if (decoded->find('/') != std::string::npos) return std::nullopt;
        segments.push_back(std::move(*decoded));
    }
    return segments;
}

bool in_braces(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

// The names in braces, in order.
std::vector<std::string> names_of(std::string_view pattern) {
    std::vector<std::string> names;
    for (std::size_t open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1)) {
        std::string name(pattern.substr(open + 1, pattern.find('}', open) - open - 1));
        if (name.ends_with('*')) name.pop_back();
        names.push_back(std::move(name));
    }
    return names;
}

}  // namespace

const std::string& PathParams::operator[](std::string_view name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) std::abort();
    return found->second;
}

void Router::add(std::string_view method, std::string_view pattern, Handler handler) {
    const auto segments = split(pattern);
    if (!segments) std::abort();
    Node* node = &root_;
    for (std::size_t i = 0; i < segments->size(); ++i) {
        const std::string_view segment = (*segments)[i];
        std::unique_ptr<Node>* next = nullptr;
        if (in_braces(segment)) {
            const bool rest = segment[segment.size() - 2] == '*';
            if (rest && i + 1 != segments->size()) std::abort();
            next = rest ? &node->rest : &node->segment;
        } else {
            if (segment.find_first_of("{}") != std::string_view::npos) std::abort();
            next = &node->literals[std::string(segment)];
        }
        if (*next == nullptr) *next = std::make_unique<Node>();
        node = next->get();
    }
    const bool twice = std::any_of(node->routes.begin(), node->routes.end(),
                                   [&](const Route& route) { return route.method == method; });
    if (twice) std::abort();
    node->routes.push_back({std::string(method), std::string(pattern), std::move(handler)});
}

const Router::Node* Router::find(const Node& node, const Segments& path, std::size_t at, Segments& values) {
    if (at == path.size()) return node.routes.empty() ? nullptr : &node;
    const auto literal = node.literals.find(path[at]);
    if (literal != node.literals.end()) {
        if (const Node* found = find(*literal->second, path, at + 1, values)) return found;
    }
    if (path[at].empty()) return nullptr;
    const std::size_t known = values.size();
    if (node.segment != nullptr) {
        values.push_back(path[at]);
        if (const Node* found = find(*node.segment, path, at + 1, values)) return found;
        values.resize(known);
    }
    if (node.rest == nullptr || node.rest->routes.empty()) return nullptr;
    std::string rest = path[at];
    for (std::size_t i = at + 1; i < path.size(); ++i) rest.append("/").append(path[i]);
    values.push_back(std::move(rest));
    return node.rest.get();
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
    std::vector<std::pair<std::string, std::string>> out;
    list(root_, out);
    return out;
}

void Router::list(const Node& node, std::vector<std::pair<std::string, std::string>>& out) {
    for (const Route& route : node.routes) out.emplace_back(route.method, route.pattern);
    for (const auto& [segment, below] : node.literals) list(*below, out);
    if (node.segment) list(*node.segment, out);
    if (node.rest) list(*node.rest, out);
}

Router::Match Router::match(const Request& request) const {
    Match match;
    const auto path = request_segments(request.target);
    if (!path) return match;
    Segments values;
    const Node* node = find(root_, *path, 0, values);
    if (node == nullptr) return match;
    const auto route_for = [&](std::string_view method) {
        return std::find_if(node->routes.begin(), node->routes.end(),
                            [&](const Route& route) { return route.method == method; });
    };
    auto route = route_for(request.method);
    if (route == node->routes.end() && request.method == "HEAD") route = route_for("GET");
    if (route == node->routes.end()) {
        match.pattern = node->routes.front().pattern;
        for (const Route& one : node->routes) {
            match.allow += match.allow.empty() ? "" : ", ";
            match.allow += one.method == "GET" ? "GET, HEAD" : one.method;
        }
        return match;
    }
    match.handler = &route->handler;
    match.pattern = route->pattern;
    std::vector<std::string> names = names_of(route->pattern);
    for (std::size_t i = 0; i < names.size(); ++i) match.params.set(std::move(names[i]), std::move(values[i]));
    return match;
}

void Router::handle(std::unique_ptr<Exchange> exchange, const Server::ErrorBody& error_body) const {
    const Match found = match(exchange->request());
    if (found.handler != nullptr) return (*found.handler)(std::move(exchange), found.params);
    if (found.allow.empty()) return exchange->respond(error_body(404, "not_found", "there is nothing at this path"));
    Response refusal = error_body(405, "method_not_allowed", "this path does not take this method");
    refusal.headers.set("Allow", found.allow);
    exchange->respond(std::move(refusal));
}

}  // namespace backstay::http
