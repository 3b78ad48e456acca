#include "common/http/client_transfer.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "common/clock.h"

namespace backstay::http {

namespace {

// A curl list or nullptr; append leaves the old list to its owner when memory runs out.
bool append(std::unique_ptr<curl_slist, FreeList>& list, const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) return false;
    (void)list.release();
    list.reset(longer);
    return true;
}

bool breaks_line(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos; }

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != text.npos) text.remove_suffix(1);
    return text;
}

constexpr std::size_t kMaxHeaders = 200;

}  // namespace

Result<> Transfer::prepare(CURL* easy) {
    curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail_);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    // The URL goes out as it was signed.
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, this);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L * 1024);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    prepare_connection(easy);
    prepare_body(easy);
    last_byte_at_ = steady_ms();
    return prepare_headers(easy);
}

void Transfer::prepare_connection(CURL* easy) {
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_ms));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request_.total_ms));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options_.verify_tls ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options_.verify_tls ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!options_.ca_file.empty() || !options_.ca_pem.empty()) {
        // A private CA replaces the system's; the built-in folder would still be trusted beside it.
        curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
        curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.empty() ? nullptr : options_.ca_file.c_str());
    }
    if (options_.ca_file.empty() && !options_.ca_pem.empty()) {
        curl_blob pem{};
        // curl does not write to it and copies it at once.
        pem.data = const_cast<char*>(options_.ca_pem.data());  // NOLINT
        pem.len = options_.ca_pem.size();
        pem.flags = CURL_BLOB_COPY;
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &pem);
    }
    if (!options_.unix_socket.empty()) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options_.unix_socket.c_str());
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
    if (options_.address_rule != AddressRule::any) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
}

curl_socket_t Transfer::on_open_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    if (!may_connect(transfer.options_.address_rule, address->addr)) {
        transfer.address_refused_ = true;
        return CURL_SOCKET_BAD;  // curl goes on to the name's next address
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

ByteSpan Transfer::kept_body() const {
    return request_.body_bytes.empty() ? as_bytes(request_.body) : request_.body_bytes;
}

void Transfer::prepare_body(CURL* easy) {
    const std::uint64_t size = request_.body_source != nullptr ? request_.body_source_bytes : kept_body().size();
    const bool sends = size > 0 || request_.body_source != nullptr || request_.method == "PUT" ||
                       request_.method == "POST" || request_.method == "PATCH";
    if (sends) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, nullptr);
        const bool unsized = request_.body_source != nullptr && request_.body_source_unsized;
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, unsized ? curl_off_t{-1} : static_cast<curl_off_t>(size));
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, this);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &Transfer::on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
    } else if (request_.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

Result<> Transfer::prepare_headers(CURL* easy) {
    for (const auto& [name, value] : request_.headers.all()) {
        if (breaks_line(name) || breaks_line(value)) {
            return Error(Errc::invalid, "a header may not contain a line break or NUL");
        }
        // curl's spelling of a header without a value.
        const std::string line = value.empty() ? name + ";" : fmt::format("{}: {}", name, value);
        if (!append(headers_, line)) return Error(Errc::exhausted, "out of memory");
    }
    if (request_.body_source != nullptr && request_.body_source_unsized &&
        !append(headers_, "Transfer-Encoding: chunked")) {
        return Error(Errc::exhausted, "out of memory");
    }
    // curl would add these on its own.
    for (const char* name : {"Content-Type", "Accept", "Expect"}) {
        if (!request_.headers.has(name) && !append(headers_, fmt::format("{}:", name))) {
            return Error(Errc::exhausted, "out of memory");
        }
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    return {};
}

std::size_t Transfer::give_body(MutableByteSpan buffer) {
    if (request_.body_source == nullptr) {
        const ByteSpan rest = kept_body().subspan(static_cast<std::size_t>(sent_));
        const std::size_t count = std::min(buffer.size(), rest.size());
        if (count > 0) std::memcpy(buffer.data(), rest.data(), count);
        sent_ += count;
        return count;
    }
    if (request_.body_source_unsized) {
        Result<std::size_t> count = request_.body_source->read(buffer);
        if (count) return *count;
        failure_ = std::move(count).error();
        return CURL_READFUNC_ABORT;
    }
    const std::uint64_t missing = request_.body_source_bytes - sent_;
    if (missing == 0) return 0;
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), missing));
    Result<std::size_t> count = request_.body_source->read(buffer.first(room));
    if (!count || *count == 0) {
        failure_ =
            count ? Error(Errc::io, fmt::format("the body ended {} bytes early", missing)) : std::move(count).error();
        return CURL_READFUNC_ABORT;
    }
    sent_ += *count;
    return *count;
}

std::size_t Transfer::on_read(char* buffer, std::size_t size, std::size_t count, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::size_t given = transfer.give_body(std::as_writable_bytes(std::span(buffer, size * count)));
    // The time that our own source took is not the peer's.
    transfer.last_byte_at_ = steady_ms();
    return given;
}

int Transfer::on_seek(void* self, curl_off_t offset, int origin) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    // A kept connection may turn out dead with the first bytes; what we still hold can be sent again.
    if (origin != SEEK_SET || transfer.request_.body_source != nullptr) return CURL_SEEKFUNC_CANTSEEK;
    if (offset < 0 || static_cast<std::uint64_t>(offset) > transfer.kept_body().size()) return CURL_SEEKFUNC_FAIL;
    transfer.sent_ = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
}

bool Transfer::show_head() {
    if (head_shown_ || !request_.on_head || !success_status()) return true;
    head_shown_ = true;
    Result<> agreed = request_.on_head(response_);
    if (!agreed) failure_ = std::move(agreed).error();
    return !failure_;
}

bool Transfer::take_body(std::string_view bytes) {
    if (!show_head()) return false;
    if (on_bytes_ != nullptr && success_status()) {
        ended_by_reader_ = !(*on_bytes_)(bytes);
        return !ended_by_reader_;
    }
    if (request_.body_sink != nullptr && success_status()) {
        Result<> written = request_.body_sink->write(as_bytes(bytes));
        if (!written) failure_ = std::move(written).error();
        return !failure_;
    }
    if (bytes.size() > request_.body_limit - std::min(request_.body_limit, response_.body.size())) {
        failure_ = Error(Errc::exhausted, fmt::format("the answer is larger than {} bytes", request_.body_limit));
        return false;
    }
    response_.body += bytes;
    return true;
}

std::size_t Transfer::on_write(char* data, std::size_t size, std::size_t count, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const bool taken = transfer.take_body(std::string_view(data, size * count));
    transfer.last_byte_at_ = steady_ms();
    return taken ? size * count : 0;
}

void Transfer::take_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {
        // A later head (after 100 Continue) replaces the one before.
        response_ = {};
        const std::size_t space = line.find(' ');
        const std::string_view digits = space == line.npos ? "" : line.substr(space + 1, 3);
        std::from_chars(digits.data(), digits.data() + digits.size(), response_.status);
        return;
    }
    const std::size_t colon = line.find(':');
    if (colon == line.npos || response_.headers.all().size() >= kMaxHeaders) return;
    response_.headers.add(std::string(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1))));
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.take_header(std::string_view(data, size * count));
    transfer.last_byte_at_ = steady_ms();
    return size * count;
}

int Transfer::on_progress(void* self, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    if (down != transfer.seen_down_ || up != transfer.seen_up_) {
        transfer.seen_down_ = down;
        transfer.seen_up_ = up;
        transfer.last_byte_at_ = steady_ms();
    }
    return 0;
}

bool Transfer::alive() {
    const std::uint64_t limit = request_.stall_ms > 0 ? request_.stall_ms : options_.stall_ms;
    if (steady_ms() - last_byte_at_ < static_cast<std::int64_t>(limit)) return true;
    failure_ = Error(Errc::timed_out, fmt::format("no byte moved for {} ms", limit));
    return false;
}

Error Transfer::describe(CURLcode code) const {
    if (code == CURLE_COULDNT_CONNECT && address_refused_) {
        Error error(Errc::denied, "connections to this address are not allowed");
        error.add_fact(kAddressRefused, "true");
        return error;
    }
    const std::string text = detail_[0] != '\0' ? detail_ : curl_easy_strerror(code);
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT:
            return Error(Errc::timed_out, text);
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            return Error(Errc::denied, text).with_hint("is the certificate of the server signed by the configured CA?");
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
            return Error(Errc::invalid, text);
        case CURLE_OUT_OF_MEMORY:
            return Error(Errc::exhausted, text);
        default:
            return Error(Errc::unavailable, text);
    }
}

Result<ClientResponse> Transfer::conclude(CURLcode code) {
    if (code == CURLE_OK && !failure_) (void)show_head();
    if (failure_) return std::move(*failure_);
    if (code == CURLE_OK || ended_by_reader_) return std::move(response_);
    return describe(code);
}

}  // namespace backstay::http
