// How a connection writes its answers: head, framing, streams.

#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <utility>

#include "common/http/server_connection.h"
#include "common/http/server_exchange.h"

namespace backstay::http {

namespace {

constexpr std::size_t kUsualHead = 512;

// The server's own business, whatever a handler says.
constexpr std::array<std::string_view, 4> kOwnFields = {"content-length", "transfer-encoding", "connection", "date"};

bool own_field(std::string_view name) {
    return std::any_of(kOwnFields.begin(), kOwnFields.end(), [&](std::string_view own) {
        return std::equal(name.begin(), name.end(), own.begin(), own.end(), [](char a, char b) {
            return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
        });
    });
}

// A line end in a value would begin a field, or an answer, of somebody else's choice.
void append_clean(std::string& out, std::string_view text) {
    std::transform(text.begin(), text.end(), std::back_inserter(out),
                   [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f ? ' ' : c; });
}

std::string http_date() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return fmt::format(FMT_COMPILE("{}, {:02} {} {} {:02}:{:02}:{:02} GMT"),
                       kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                       kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                       parts.tm_min, parts.tm_sec);
}

bool without_body(int status) { return status == 204 || status == 304; }

// The length a handler names for a stream, if it does.
std::optional<std::uint64_t> named_length(const Response& head) {
    const std::string_view text = head.headers.get("Content-Length");
    if (text.empty() || text.size() > 18) return std::nullopt;
    std::uint64_t length = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        length = length * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return length;
}

}  // namespace

void Connection::write_head(const Response& response, Framing framing, std::uint64_t length) {
    // What is left of a body that nobody reads to its end cannot be told from the next request.
    if (response.headers.get("Connection") == "close" || body_open_) keep_alive_ = false;
    std::string& head = output_;
    head.reserve(head.size() + kUsualHead + response.body.size());
    fmt::format_to(std::back_inserter(head), FMT_COMPILE("HTTP/1.1 {} {}\r\nDate: {}\r\n"), response.status,
                   reason_phrase(response.status), http_date());
    for (const auto& [name, value] : response.headers.all()) {
        if (own_field(name)) continue;
        append_clean(head, name);
        head += ": ";
        append_clean(head, value);
        head += "\r\n";
    }
    switch (framing) {
        case Framing::length:
            fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", length);
            break;
        case Framing::chunked:
            head += "Transfer-Encoding: chunked\r\n";
            break;
        case Framing::until_close:
            keep_alive_ = false;
            break;
        case Framing::none:
            break;
    }
    if (!keep_alive_ || core_->stopping) {
        head += "Connection: close\r\n";
    } else if (http_1_0_) {
        head += "Connection: keep-alive\r\n";
    }
    head += "\r\n";
}

void Connection::answer(Response response) {
    exchange_ = nullptr;
    if (state_ != State::busy) return;
    if (without_body(response.status)) {
        write_head(response, Framing::none, 0);
    } else {
        // To HEAD a handler may name the length of a body that it did not make.
        const bool named = head_only_ && response.body.empty();
        const std::uint64_t length = response.body.size();
        write_head(response, Framing::length, named ? named_length(response).value_or(length) : length);
        if (!head_only_) output_ += response.body;
    }
    answered();
}

void Connection::begin_stream(Response head, PendingStream& stream) {
    exchange_ = nullptr;
    stream_ = &stream;
    const std::optional<std::uint64_t> length = named_length(head);
    framing_ = length ? Framing::length : http_1_0_ ? Framing::until_close : Framing::chunked;
    stream_left_ = length.value_or(0);
    write_head(head, framing_, stream_left_);
    if (!working_) settle();
}

bool Connection::write_stream(std::string_view bytes) {
    if (bytes.empty()) return true;
    // What goes wrong in here is told by the answer, not by on_closed as well: the feeder may be walking its streams.
    PendingStream* stream = std::exchange(stream_, nullptr);
    if (head_only_) {
        stream->detach();
        answered();
        return false;
    }
    // More than promised would be read as the next answer.
    const bool too_much = framing_ == Framing::length && bytes.size() > stream_left_;
    if (!too_much) {
        stream_left_ -= framing_ == Framing::length ? bytes.size() : 0;
        if (framing_ == Framing::chunked) fmt::format_to(std::back_inserter(output_), "{:x}\r\n", bytes.size());
        output_.append(bytes);
        if (framing_ == Framing::chunked) output_ += "\r\n";
        // Not gathered like answers: what buffered() tells must be what the system has not taken, or a feeder would
        // wait for a drain that never comes.
        flush();
        if (state_ != State::closed && unsent() <= core_->limits.stream_buffer_bytes) {
            stream_ = stream;
            return true;
        }
    }
    stream->detach();
    close();
    return false;
}

void Connection::end_stream() {
    stream_ = nullptr;
    if (head_only_) return answered();
    // A promise not kept must look broken, not complete.
    if (framing_ == Framing::length && stream_left_ > 0) return close();
    if (framing_ == Framing::chunked) send("0\r\n\r\n");
    if (state_ != State::closed) answered();
}

void Connection::abort_stream() {
    stream_ = nullptr;
    close();
}

}  // namespace backstay::http
