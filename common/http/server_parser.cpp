#include "common/http/server_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>

namespace backstay::http {

namespace {

namespace beast = boost::beast;
using BeastCode = beast::error_code;

// A line of chunk size and extensions, or the end of a chunked body, must be shorter. The body is given to the parser
// in slices of this size, so that the rule does not depend on how the network cut it.
constexpr std::size_t kSliceBytes = 1024;
// "0" and two line ends: nothing shorter follows where a chunk line begins, and Beast asserts that it has so much when
// it looks at the last chunk again.
constexpr std::size_t kShortestChunkEnd = 5;
// Of all chunks of a body together.
constexpr std::size_t kMaxExtensionBytes = 16 * 1024;

constexpr Refusal kBodyTooLarge = {413, "body_too_large", "the body is larger than allowed"};

// Beast's parser as a source of events; the request grows as they come.
class BeastReader final : public beast::http::basic_parser<true> {
public:
    Request request;
    FieldRules rules;
    std::optional<Refusal> refusal;
    std::uint64_t body_limit_bytes = 0;
    const RequestReader::StreamedBody* streamed_body = nullptr;
    bool streams = false;
    bool http_1_0 = false;

    bool at_chunk_line() const { return chunked() && chunk_left_ == 0; }

private:
    using Text = beast::string_view;

    static BeastCode stopped() { return beast::http::make_error_code(beast::http::error::bad_value); }

    void on_request_impl(beast::http::verb, Text method, Text target, int version, BeastCode&) override {
        http_1_0 = version == 10;
        request.method.assign(method.data(), method.size());
        request.target.assign(target.data(), target.size());
    }
    void on_response_impl(int, Text, int, BeastCode& code) override { code = stopped(); }
    void on_field_impl(beast::http::field, Text name, Text value, BeastCode& code) override {
        // Fields after a chunked body could change what was decided from the head: nobody here needs them.
        refusal = in_body_ ? Refusal{400, "bad_request", "fields after a chunked body"}
                           : rules.add({name.data(), name.size()}, {value.data(), value.size()});
        if (refusal) {
            code = stopped();
            return;
        }
        request.headers.add({name.data(), name.size()}, {value.data(), value.size()});
    }
    void on_header_impl(BeastCode& code) override {
        in_body_ = true;
        refusal = rules.verdict(http_1_0);
        if (!refusal && !decode_target(request)) {
            refusal = {400, "bad_request", "a target that is not percent-encoded UTF-8"};
        }
        if (!refusal) limit_body();
        if (refusal) code = stopped();
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastCode&) override {}
    std::size_t on_body_impl(Text body, BeastCode& code) override { return take(body, code); }
    void on_chunk_header_impl(std::uint64_t size, Text extensions, BeastCode& code) override {
        chunk_left_ = size;
        extension_bytes_ += extensions.size();
        if (extension_bytes_ > kMaxExtensionBytes) refusal = {413, "body_too_large", "too many chunk extensions"};
        if (refusal) code = stopped();
    }
    std::size_t on_chunk_body_impl(std::uint64_t, Text body, BeastCode& code) override {
        chunk_left_ -= body.size();
        return take(body, code);
    }
    void on_finish_impl(BeastCode&) override {}

    void limit_body() {
        if (streamed_body != nullptr && *streamed_body) {
            if (const auto limit = (*streamed_body)(request)) {
                streams = true;
                body_limit_bytes = *limit;
            }
        }
        const auto announced = content_length();
        if (announced && *announced > body_limit_bytes) refusal = kBodyTooLarge;
    }

    std::size_t take(Text body, BeastCode& code) {
        if (body.size() > body_limit_bytes - body_bytes_) {
            code = beast::http::make_error_code(beast::http::error::body_limit);
            return 0;
        }
        body_bytes_ += body.size();
        request.body.append(body.data(), body.size());
        return body.size();
    }

    std::uint64_t chunk_left_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::size_t extension_bytes_ = 0;
    bool in_body_ = false;
};

// Whether what begins at a chunk line can be read in one way only. Beast takes any octet inside the quotes of an
// extension, a line end too; whoever ends the line there reads the rest as the next chunk. It also waits for a CRLF
// after a bare LF.
bool sound_chunk_line(std::string_view text) {
    if (text.starts_with("\r\n")) text.remove_prefix(2);
    bool quoted = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\r') return at + 1 == text.size() || (text[at + 1] == '\n' && !quoted);
        if ((c >= 0 && c < 0x20 && c != '\t') || c == 0x7f) return false;
        if (c == '"') quoted = !quoted;
        if (c == '\\' && quoted && at + 1 < text.size() && text[at + 1] >= 0x20) ++at;
    }
    return true;
}

Refusal describe(const BeastCode& code) {
    if (code == beast::http::error::body_limit) return kBodyTooLarge;
    if (code == beast::http::error::header_limit) return {431, "head_too_large", "the head is larger than allowed"};
    return {400, "bad_request", "a malformed request"};
}

}  // namespace

struct RequestReader::Impl {
    Impl(const ServerLimits& limits, const StreamedBody& streamed_body) : head_limit(limits.head_bytes) {
        parser.eager(false);  // one element at a time: what is left at a chunk line is looked at before it is given
        parser.header_limit(std::numeric_limits<std::uint32_t>::max());  // ours is stricter and comes first
        parser.body_limit(boost::none);                                  // ours depends on the head
        parser.body_limit_bytes = limits.body_bytes;
        parser.streamed_body = &streamed_body;
    }

    Progress refuse(const Refusal& why) {
        refusal = why;
        return Progress::refused;
    }

    Progress feed_head(std::string_view& bytes) {
        std::size_t used = 0;
        const HeadScan::State state = scan.scan(bytes.substr(0, head_limit + 1 - head.size()), used);
        if (state == HeadScan::State::refused) return refuse(scan.refusal());
        head.append(bytes.substr(0, used));
        bytes.remove_prefix(used);
        if (head.size() > head_limit) {
            const bool in_first_line = head.find('\n') == std::string::npos;
            return refuse(in_first_line ? Refusal{414, "target_too_long", "the request target is too long"}
                                        : Refusal{431, "head_too_large", "the head is larger than allowed"});
        }
        return state == HeadScan::State::end ? parse_head() : Progress::more;
    }

    Progress parse_head() {
        if (const auto wrong = check_request_line(std::string_view(head).substr(0, head.find('\r')))) {
            return refuse(*wrong);
        }
        BeastCode code;
        parser.put(boost::asio::buffer(head), code);
        if (parser.refusal) return refuse(*parser.refusal);
        if (code && code != beast::http::error::need_more) return refuse(describe(code));
        if (!parser.is_header_done()) return refuse({400, "bad_request", "a malformed head"});
        head = {};
        head_done = true;
        return parser.is_done() ? Progress::complete : Progress::head;
    }

    Progress feed_body(std::string_view& bytes) {
        const std::string joined = carry.empty() ? std::string() : carry + std::string(bytes);
        const std::string_view input = carry.empty() ? bytes : std::string_view(joined);
        std::size_t used = 0;
        while (!parser.is_done() && used < input.size()) {
            const std::string_view slice = input.substr(used, parser.chunked() ? kSliceBytes : input.size());
            if (parser.at_chunk_line()) {
                if (!sound_chunk_line(slice)) return refuse({400, "bad_request", "a malformed chunk line"});
                if (slice.size() < kShortestChunkEnd) break;
            }
            BeastCode code;
            const std::size_t taken = parser.put(boost::asio::buffer(slice), code);
            used += taken;
            if (parser.refusal) return refuse(*parser.refusal);
            if (code && code != beast::http::error::need_more) return refuse(describe(code));
            if (taken > 0) continue;
            if (slice.size() >= kSliceBytes) return refuse({400, "bad_request", "a chunk line that is too long"});
            break;
        }
        if (parser.is_done()) {
            bytes.remove_prefix(used - carry.size());
            return Progress::complete;
        }
        carry = std::string(input.substr(used));
        bytes = {};
        return Progress::more;
    }

    std::size_t head_limit;
    HeadScan scan;
    std::string head;
    std::string carry;  // the start of a chunk line whose end has not come
    bool head_done = false;
    BeastReader parser;
    Refusal refusal;
};

RequestReader::RequestReader(const ServerLimits& limits, const StreamedBody& streamed_body)
    : impl_(std::make_unique<Impl>(limits, streamed_body)) {}
RequestReader::~RequestReader() = default;

RequestReader::Progress RequestReader::feed(std::string_view& bytes) {
    return impl_->head_done ? impl_->feed_body(bytes) : impl_->feed_head(bytes);
}

const Refusal& RequestReader::refusal() const { return impl_->refusal; }
bool RequestReader::streams_body() const { return impl_->parser.streams; }
bool RequestReader::complete() const { return impl_->parser.is_done(); }
std::string RequestReader::take_body() { return std::exchange(impl_->parser.request.body, {}); }
Request RequestReader::take_request() { return std::exchange(impl_->parser.request, {}); }
bool RequestReader::keep_alive() const { return impl_->parser.keep_alive(); }
bool RequestReader::http_1_0() const { return impl_->parser.http_1_0; }
bool RequestReader::expects_continue() const { return impl_->parser.rules.expects_continue(); }

}  // namespace backstay::http
