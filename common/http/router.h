// Finds the handler of a request by method and path. Filled once at start-up, then only read: any thread, though the
// server calls it on the loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http/server.h"

namespace backstay::http {

// What the braces of a pattern stood for, percent-decoded.
class PathParams {
public:
    void set(std::string name, std::string value) { values_.insert_or_assign(std::move(name), std::move(value)); }
    // Aborts when the pattern has no such name: a bug of the caller.
    const std::string& operator[](std::string_view name) const;

private:
    std::map<std::string, std::string, std::less<>> values_;
};

class Router {
public:
    using Handler = std::function<void(std::unique_ptr<Exchange>, const PathParams&)>;

    // `pattern` is "/api/backups/{id}/progress"; {name} stands for one segment that is not empty, a last {name*} for
    // one or more segments ("a/b"). A literal segment goes before {name}, that before {name*}. GET also serves HEAD.
    // Aborts on a pattern that is malformed, or added twice for a method.
    void add(std::string_view method, std::string_view pattern, Handler handler);

    struct Match {
        const Handler* handler = nullptr;  // null: nothing is there, or not for this method
        std::string_view pattern;          // as added; empty when nothing is there
        std::string allow;                 // the methods of the path, when only the method did not fit
        PathParams params;
    };
    // A path with an empty, "." or ".." segment, or with an encoded "/" in a segment, matches nothing: whoever sends
    // one means to get somewhere else.
    Match match(const Request& request) const;

    // Method and pattern of all that were added.
    std::vector<std::pair<std::string, std::string>> routes() const;

    // Calls the handler, or answers 404 (`not_found`) or 405 (`method_not_allowed`, with Allow) in this body.
    void handle(std::unique_ptr<Exchange> exchange, const Server::ErrorBody& error_body) const;

private:
    struct Route {
        std::string method;
        std::string pattern;
        Handler handler;
    };
    struct Node {
        std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
        std::unique_ptr<Node> segment;  // {name}
        std::unique_ptr<Node> rest;     // {name*}
        std::vector<Route> routes;
    };
    using Segments = std::vector<std::string>;

    // The node for all segments, whose values for braces are in `values`; nodes without routes do not count.
    static const Node* find(const Node& node, const Segments& path, std::size_t at, Segments& values);

    static void list(const Node& node, std::vector<std::pair<std::string, std::string>>& out);

    Node root_;
};

}  // namespace backstay::http
