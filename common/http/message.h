// HTTP messages as plain values, shared by server and client.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace backstay::http {

// Field names compare without regard to case (RFC 9110 5.1); order and repetition are kept.
class Headers {
public:
    void add(std::string_view name, std::string_view value);
    // Replaces every field of that name.
    void set(std::string_view name, std::string value);
    // The first value of that name, or empty.
    std::string_view get(std::string_view name) const;
    bool has(std::string_view name) const;
    const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

private:
    void make_room();

    std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
    std::string method;  // upper case
    std::string target;  // as sent: path and query
    std::string path;    // percent-decoded once, valid UTF-8, no NUL; segments are not normalised
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
    Headers headers;
    std::string body;
    std::string peer;     // "127.0.0.1:54321", or "unix:uid=1000" on a Unix socket
    bool secure = false;  // came by TLS

    // The first query parameter of that name; nullptr when absent.
    const std::string* query_value(std::string_view name) const;
};

struct Response {
    int status = 200;
    Headers headers;
    std::string body;
};

// The standard reason phrase, "Unknown" for others.
std::string_view reason_phrase(int status);

// RFC 3986 percent-encoding of everything but unreserved characters (and '/' when kept).
std::string percent_encode(std::string_view text, bool keep_slash);

}  // namespace backstay::http
