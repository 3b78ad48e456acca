#include "storage/s3/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "storage/backoff.h"
#include "storage/s3/dates.h"
#include "storage/s3/refusal.h"

namespace backstay::s3 {

namespace {

constexpr std::uint64_t kCleanUpMs = 15'000;  // each attempt
constexpr int kCleanUpAttempts = 3;
// S3 refuses a difference of 15 minutes; whatever is refused below this has another cause.
constexpr std::int64_t kWorthAdjustingMs = 5 * 60'000;
constexpr std::uint64_t kLongestRetryAfterMs = 60'000;

http::ClientOptions client_options(const S3Config& config, const StorageContext& context) {
    http::ClientOptions options;
    options.ca_pem = config.ca_pem;
    options.verify_tls = config.verify_tls;
    options.address_rule = context.address_rule;
    options.connect_ms = context.patience.connect_ms;
    options.stall_ms = context.patience.stall_ms;
    return options;
}

std::uint64_t retry_after(const http::ClientResponse& response) {
    const std::string_view text = response.headers.get("Retry-After");
    std::uint64_t seconds = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (failed != std::errc() || end != text.data() + text.size()) return 0;
    return std::min(seconds, kLongestRetryAfterMs / 1000) * 1000;
}

}  // namespace

Connection::Connection(Address address, const S3Config& config, const StorageContext& context)
    : address_(std::move(address)),
      credentials_{config.access_key_id, config.secret_access_key, config.session_token, config.region},
      patience_(context.patience),
      stop_(context.stop),
      client_(client_options(config, context)) {}

TimeMs Connection::now_ms() const { return SystemClock().now_ms() + clock_offset_ms_; }

http::ClientRequest Connection::prepare(const Call& call, Source* source) const {
    http::ClientRequest request;
    request.method = call.method;
    request.headers = call.headers;
    request.body = call.body;
    request.body_bytes = call.bytes;
    request.body_source = source;
    request.body_source_bytes = call.source_bytes;
    request.body_sink = call.into;
    request.on_head = call.on_head;
    request.stall_ms = call.stall_ms;
    if (call.clean_up) {
        request.total_ms = kCleanUpMs;
    } else {
        request.stop = stop_;
    }
    // The payload's digest is signed over TLS too: it is known anyway for the checksum, and a store that knows no
    // checksum headers still compares it.
    const std::string payload = !call.payload_sha256.empty() ? call.payload_sha256
                                : call.body.empty()          ? std::string(kEmptySha256)
                                                             : digest_hex(DigestKind::sha256, as_bytes(call.body));
    const Signable signable = {call.method, address_.host, address_.path(call.key), call.query, payload};
    sign(credentials_, signable, now_ms(), request.headers);
    request.url = address_.origin() + signable.path;
    if (!call.query.empty()) request.url += "?" + canonical_query(call.query);
    return request;
}

Result<http::ClientResponse> Connection::attempt(const Call& call) {
    const std::unique_ptr<Source> source = call.source ? call.source() : nullptr;
    Result<http::ClientResponse> response = client_.perform(prepare(call, source.get()));
    if (response) return response;
    const Errc code = response.error().code();
    if (code == Errc::unavailable || code == Errc::timed_out || code == Errc::denied) {
        response.error().add_reason(reason::kDestinationUnreachable);
    }
    return response;
}

bool Connection::adjust_clock(const http::ClientResponse& response) {
    const Result<TimeMs> theirs = parse_http_date(response.headers.get("Date"));
    if (response.status != 403 || !theirs) return false;
    const std::int64_t difference = *theirs - now_ms();
    if (std::abs(difference) < kWorthAdjustingMs) return false;
    clock_offset_ms_ += difference;
    return true;
}

Result<http::ClientResponse> Connection::once(const Call& call) {
    retry_after_ms_ = 0;
    http::ClientResponse response = TRY(attempt(call));
    // A wrong clock of this host must not cost backups; the server's own is good enough for signatures.
    if (adjust_clock(response)) response = TRY(attempt(call));
    if (response.status < 200 || response.status >= 300) {
        retry_after_ms_ = retry_after(response);
        return refusal(response);
    }
    if (call.accept) TRY(call.accept(response));
    return response;
}

Result<http::ClientResponse> Connection::persist(const Call& call) {
    const std::int64_t began = steady_ms();
    const int most = call.clean_up ? std::min(kCleanUpAttempts, patience_.piece_attempts) : patience_.piece_attempts;
    for (attempts_made_ = 1;; ++attempts_made_) {
        Result<http::ClientResponse> response = once(call);
        if (response || !response.error().transient()) return response;
        const std::uint64_t wait =
            std::max(retry_after_ms_, backoff_ms(attempts_made_, patience_.first_wait_ms, patience_.longest_wait_ms));
        const std::uint64_t spent = static_cast<std::uint64_t>(steady_ms() - began);
        if (attempts_made_ >= most || spent + wait > patience_.piece_ms) {
            if (attempts_made_ > 1) {
                response.error().add_context(fmt::format("{} attempts failed, the last", attempts_made_));
            }
            return response;
        }
        TRY(wait_ms(wait, call.clean_up ? std::stop_token() : stop_));
    }
}

Result<> Connection::pause(int attempt) {
    return wait_ms(std::max(retry_after_ms_, backoff_ms(attempt, patience_.first_wait_ms, patience_.longest_wait_ms)),
                   stop_);
}

std::string Connection::presigned_get(std::string_view key, Query query, std::uint32_t seconds) const {
    Signable signable = {"GET", address_.host, address_.path(key), std::move(query), ""};
    const std::string path = signable.path;
    return address_.origin() + path + "?" + presign(credentials_, std::move(signable), now_ms(), seconds);
}

}  // namespace backstay::s3
