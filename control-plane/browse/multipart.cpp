#include "control-plane/browse/multipart.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "control-plane/api/answer.h"

namespace backstay::browse {
namespace {

constexpr std::size_t kMostHeaders = 16 * 1024;
constexpr std::size_t kRefillBytes = 64 * 1024;
constexpr std::size_t kMostBoundary = 70;  // RFC 2046 5.1.1

Error malformed(std::string_view why) {
    return api::problem(400, "invalid_multipart", "the body is no multipart/form-data: " + std::string(why));
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

// The value of `name=…` among parameters, quoted or not.
std::optional<std::string> parameter(std::string_view text, std::string_view name) {
    const std::string small = lower(text);
    for (std::size_t at = small.find(name); at != std::string::npos; at = small.find(name, at + 1)) {
        const std::size_t equals = at + name.size();
        const bool begins = at > 0 && (text[at - 1] == ';' || text[at - 1] == ' ' || text[at - 1] == '\t');
        if (!begins || equals >= text.size() || text[equals] != '=') continue;
        std::string_view value = text.substr(equals + 1);
        if (value.starts_with('"')) {
            value.remove_prefix(1);
            return std::string(value.substr(0, value.find('"')));
        }
        return std::string(value.substr(0, value.find_first_of("; \t\r\n")));
    }
    return std::nullopt;
}

// Whether the headers of a part call it `field`.
bool is_called(std::string_view headers, std::string_view field) {
    while (!headers.empty()) {
        const std::string_view line = headers.substr(0, headers.find("\r\n"));
        if (lower(line).starts_with("content-disposition:")) return parameter(line, "name") == field;
        headers.remove_prefix(std::min(headers.size(), line.size() + 2));
    }
    return false;
}

}  // namespace

std::optional<std::string> boundary_of(std::string_view content_type) {
    if (!lower(content_type).starts_with("multipart/form-data")) return std::nullopt;
    auto boundary = parameter(content_type, "boundary");
    if (!boundary || boundary->empty() || boundary->size() > kMostBoundary) return std::nullopt;
    return boundary;
}

MultipartSource::MultipartSource(Source& body, const std::string& boundary, std::string field)
    : body_(body), delimiter_("\r\n--" + boundary), field_(std::move(field)), buffer_("\r\n") {}

Result<bool> MultipartSource::refill() {
    std::vector<std::byte> piece(kRefillBytes);
    const std::size_t count = TRY(body_.read(piece));
    buffer_.append(as_text(ByteSpan(piece.data(), count)));
    return count > 0;
}

Result<> MultipartSource::read_headers(std::string& headers) {
    while (true) {
        const std::size_t end = buffer_.find("\r\n\r\n");
        if (end != std::string::npos) {
            headers = buffer_.substr(0, end);
            buffer_.erase(0, end + 4);
            return {};
        }
        if (buffer_.size() > kMostHeaders) return malformed("the headers of a part are too long");
        if (!TRY(refill())) return malformed("it ends within a part's headers");
    }
}

Result<> MultipartSource::find_part() {
    while (true) {
        const std::size_t at = buffer_.find(delimiter_);
        if (at == std::string::npos) {
            // What cannot begin a delimiter is passed over.
            if (buffer_.size() > delimiter_.size()) buffer_.erase(0, buffer_.size() - delimiter_.size());
            if (!TRY(refill())) return malformed("it has no end");
            continue;
        }
        const std::size_t after = at + delimiter_.size();
        while (buffer_.size() < after + 2) {
            if (!TRY(refill())) return malformed("it has no end");
        }
        if (buffer_.compare(after, 2, "--") == 0)
            return api::problem(400, "file_required", "the form has no field '" + field_ + "' with the file");
        // The headers begin behind the delimiter's line; its line end is where an empty block of headers begins.
        buffer_.erase(0, after);
        if (!buffer_.starts_with("\r\n")) return malformed("a delimiter is followed by something else");
        std::string headers;
        TRY(read_headers(headers));
        if (!is_called(headers, field_)) continue;
        in_part_ = true;
        return {};
    }
}

Result<std::size_t> MultipartSource::read(MutableByteSpan buffer) {
    if (ended_) return std::size_t{0};
    if (!in_part_) TRY(find_part());
    while (true) {
        const std::size_t at = buffer_.find(delimiter_);
        if (at == 0) {
            ended_ = true;
            return std::size_t{0};
        }
        const std::size_t sure = at != std::string::npos              ? at
                                 : buffer_.size() < delimiter_.size() ? 0
                                                                      : buffer_.size() - delimiter_.size() + 1;
        if (sure > 0) {
            const std::size_t count = std::min(sure, buffer.size());
            std::memcpy(buffer.data(), buffer_.data(), count);
            buffer_.erase(0, count);
            return count;
        }
        if (!TRY(refill())) return malformed("the file has no end");
    }
}

}  // namespace backstay::browse
