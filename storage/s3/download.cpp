#include "storage/s3/download.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "common/domain/reasons.h"
#include "storage/backoff.h"
#include "storage/s3/refusal.h"

namespace backstay::s3 {

namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

struct ContentRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<std::uint64_t> whole;  // bytes of the object, where the server tells
};

// "bytes 3-6/10"
std::optional<ContentRange> content_range(std::string_view text) {
    if (!text.starts_with("bytes ")) return std::nullopt;
    text.remove_prefix(6);
    const std::size_t dash = text.find('-');
    const std::size_t slash = text.find('/');
    if (dash == text.npos || slash == text.npos || slash < dash) return std::nullopt;
    const auto first = number(text.substr(0, dash));
    const auto last = number(text.substr(dash + 1, slash - dash - 1));
    if (!first || !last || *last < *first) return std::nullopt;
    return ContentRange{*first, *last, number(text.substr(slash + 1))};
}

Error damaged(std::string why) { return Error(Errc::corrupted, std::move(why)).with_reason(reason::kRemoteCorrupt); }

// One object on its way, over as many transfers as it takes.
class Download final : public Sink {
public:
    Download(const ByteRange& range, Sink& into) : range_(range), into_(into), position_(range.first) {}

    void ask(Call& call) const {
        if (range_.count > 0 || position_ > 0) {
            const auto last = last_wanted();
            call.headers.set("Range",
                             last ? fmt::format("bytes={}-{}", position_, *last) : fmt::format("bytes={}-", position_));
        }
        if (!etag_.empty()) call.headers.set("If-Match", etag_);
    }

    // Before the first byte: is that what was asked for, and how much will it be?
    Result<> announced(const http::ClientResponse& head) {
        const std::string_view range = head.headers.get("Content-Range");
        const bool asked = range_.count > 0 || position_ > 0;
        if (asked && (head.status != 206 || range.empty())) {
            return damaged("the store answers the whole object instead of the range that was asked for");
        }
        std::uint64_t end = 0;
        if (asked) {
            const auto covered = content_range(range);
            if (!covered || !fits(*covered)) return damaged("the store answers another range");
            end = covered->last + 1;
        } else {
            const auto length = number(head.headers.get("Content-Length"));
            if (!length) return damaged("the store does not say how long the object is");
            end = *length;
        }
        if (end_ && *end_ != end) return damaged("the object changed while it was read");
        end_ = end;
        etag_ = head.headers.get("ETag");
        return {};
    }

    Result<> write(ByteSpan bytes) override {
        if (!end_ || bytes.size() > *end_ - position_) return damaged("the store sends more than it announced");
        position_ += bytes.size();
        Result<> written = into_.write(bytes);
        sink_failed_ = !written;
        return written;
    }

    bool complete() const { return end_ && position_ == *end_; }
    bool sink_failed() const { return sink_failed_; }
    std::uint64_t position() const { return position_; }

private:
    // nullopt: to the end. Beyond the largest size there is nothing; the sum must not wrap.
    std::optional<std::uint64_t> last_wanted() const {
        const std::uint64_t last = range_.first + (range_.count - 1);
        return range_.count == 0 || last < range_.first ? std::nullopt : std::optional(last);
    }
    // Neither more than was asked for nor, as far as the server tells the size, less.
    bool fits(const ContentRange& covered) const {
        const std::uint64_t last = last_wanted().value_or(~std::uint64_t{0});
        const bool stops_early = covered.whole && covered.last < last && covered.last + 1 < *covered.whole;
        return covered.first == position_ && covered.last <= last && !stops_early;
    }

    ByteRange range_;
    Sink& into_;
    std::uint64_t position_;
    std::optional<std::uint64_t> end_;
    std::string etag_;
    bool sink_failed_ = false;
};

}  // namespace

Result<> download(Connection& connection, std::string_view key, const ByteRange& range, Sink& into) {
    Download object(range, into);
    for (int fruitless = 1;; ++fruitless) {
        const std::uint64_t before = object.position();
        Call call;
        call.key = key;
        call.into = &object;
        call.on_head = [&object](const http::ClientResponse& head) { return object.announced(head); };
        object.ask(call);
        const auto response = connection.once(call);
        if (response && object.complete()) return {};
        if (response) return damaged("the store sent less than it announced");
        Error error = response.error();
        if (has_status(error, "412")) return damaged("the object was replaced while it was read");
        // Before the first byte the caller repeats the call as a whole, and the sink's own failure is final.
        if (object.sink_failed() || !error.transient() || object.position() == range.first) return error;
        if (object.position() > before) fruitless = 1;
        if (fruitless >= connection.patience().attempts) {
            return error.add_context(fmt::format("broken off at byte {} and not taken up again", object.position()));
        }
        TRY(connection.pause(fruitless));
    }
}

}  // namespace backstay::s3
