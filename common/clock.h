// Time: UTC milliseconds since 1970 inside the program, RFC 3339 with `Z` in every text.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace backstay {

using TimeMs = std::int64_t;

// A time inside a message; JSON writes it as RFC 3339 text.
struct Timestamp {
    TimeMs ms = 0;
    friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// The wall clock as an interface, so that silence, leases and expiry are tested with a clock moved by hand.
// Thread-safe.
class Clock {
public:
    virtual ~Clock() = default;
    virtual TimeMs now_ms() const = 0;
};

class SystemClock final : public Clock {
public:
    TimeMs now_ms() const override;
};

// Monotonic milliseconds; for durations and timeouts only.
std::int64_t steady_ms();

// "2026-01-02T03:04:05Z"; milliseconds appear only when they are not zero.
std::string to_rfc3339(TimeMs time);
void append_rfc3339(std::string& out, TimeMs time);

// Accepts RFC 3339 with `Z` or a numeric offset and up to nine decimals; a time without an offset is refused.
Result<TimeMs> parse_rfc3339(std::string_view text);

}  // namespace backstay
