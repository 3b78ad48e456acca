// What a request must look like before and beside the parser: every octet sequence that two readers could understand
// differently is refused (RFC 9112 2.2, 5.1, 5.2, 6.1, 11.2). Pure functions of bytes. Part of the server only.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/message.h"

namespace backstay::http {

// Why a request is refused: the status to answer, a stable word, a sentence. The connection closes after it.
struct Refusal {
    int status = 400;
    std::string_view code = "bad_request";
    std::string_view message;
};

// Finds the end of a head in bytes that come piece by piece, and refuses at the first bare CR or LF, NUL, or line that
// begins with white space (an obs-fold: Beast would unfold it, others not).
class HeadScan {
public:
    enum class State { more, end, refused };
    // Looks at `bytes` from the front; `used` is how many belong to the head when the answer is `end`.
    State scan(std::string_view bytes, std::size_t& used);
    const Refusal& refusal() const { return refusal_; }

private:
    State refuse(std::string_view message) {
        refusal_ = {400, "bad_request", message};
        return State::refused;
    }

    char previous_ = '\0';
    std::size_t line_bytes_ = 0;
    bool first_line_ = true;
    Refusal refusal_;
};

// METHOD SP origin-form SP HTTP/1.x, and nothing that only looks like it.
std::optional<Refusal> check_request_line(std::string_view line);

// Rules over all fields of one head; give it every field in order, then ask verdict().
class FieldRules {
public:
    std::optional<Refusal> add(std::string_view name, std::string_view value);
    std::optional<Refusal> verdict(bool http_1_0) const;
    bool expects_continue() const { return expects_continue_; }

private:
    int fields_ = 0;
    int hosts_ = 0;
    int lengths_ = 0;
    int codings_ = 0;
    bool expects_continue_ = false;
};

// One layer of percent-encoding undone; nullopt when it is malformed, not UTF-8, or holds a NUL. "+" stays what it is.
std::optional<std::string> percent_decode(std::string_view text);

// Fills path and query from target; false when it is not valid percent-encoded UTF-8 or holds control characters.
bool decode_target(Request& request);

}  // namespace backstay::http
