#include "control-plane-client/client.h"

#include <fmt/format.h>

#include <charconv>

#include "common/http/client.h"

namespace backstay::control_plane {
namespace {

constexpr std::uint64_t kCallMs = 30'000;
constexpr std::uint64_t kPollGraceMs = 10'000;
constexpr std::size_t kAnswerMax = 8 << 20;

http::ClientOptions http_options(const ClientConfig& config) {
    http::ClientOptions options;
    options.ca_file = config.ca_file;
    options.user_agent = fmt::format("backstay-agent/{}", kProtocolVersion);
    return options;
}

std::string without_trailing_slashes(std::string url) {
    while (!url.empty() && url.back() == '/') url.pop_back();
    return url;
}

// The control plane's own words, when its error body has the shape of the contract ({"detail", "code"}) or of the
// agent's ({"message", "code"}); a proxy's HTML is left out.
std::string said(const http::ClientResponse& response) {
    const auto body = json::parse(response.body);
    if (!body || !body->is_object()) return "";
    for (const char* name : {"detail", "message"}) {
        const json::Value* text = body->get_object().if_contains(name);
        if (text != nullptr && text->is_string()) return std::string(text->get_string()).substr(0, 500);
    }
    return "";
}

Errc code_of(int status) {
    if (status == 401 || status == 403) return Errc::denied;
    if (status == 409) return Errc::conflict;
    if (status == 408) return Errc::timed_out;
    if (status == 429 || status >= 500) return Errc::unavailable;
    return Errc::invalid;
}

Error refusal(const http::ClientResponse& response) {
    const std::string words = said(response);
    Error error(code_of(response.status),
                words.empty() ? fmt::format("the control plane answered {}", response.status)
                              : fmt::format("the control plane answered {}: {}", response.status, words));
    error.add_fact("http_status", std::to_string(response.status));
    // Only the form in seconds (RFC 9110 10.2.3); a date would depend on two clocks.
    const std::string_view after = response.headers.get("Retry-After");
    std::uint32_t seconds = 0;
    const auto [end, fault] = std::from_chars(after.data(), after.data() + after.size(), seconds);
    if (!after.empty() && fault == std::errc() && end == after.data() + after.size()) {
        error.add_fact("retry_after_s", std::to_string(seconds));
    }
    return error;
}

// {}
struct NoAnswer {};
BOOST_DESCRIBE_STRUCT(NoAnswer, (), ())

}  // namespace

struct ControlPlaneClient::Impl {
    explicit Impl(ClientConfig given) : config(std::move(given)), http(http_options(config)) {
        config.url = without_trailing_slashes(std::move(config.url));
    }

    template <class Answer, class Message>
    Result<Answer> post(std::string_view path, const Message& message, bool with_credential, std::uint64_t total_ms) {
        http::ClientRequest request;
        request.method = "POST";
        request.url = fmt::format("{}/agent/v1/{}", config.url, path);
        request.headers.add("Content-Type", "application/json");
        if (with_credential) request.headers.add("Authorization", "Bearer " + config.credential);
        request.body = json::encode_text(message);
        request.total_ms = total_ms;
        request.body_limit = kAnswerMax;
        request.stop = config.stop;
        const http::ClientResponse response =
            TRY(http.perform(request).context(fmt::format("{} {}", path, config.url)));
        if (response.status != 200) return refusal(response).add_context(path);
        return json::decode_text<Answer>(response.body, json::kLenient)
            .context(fmt::format("understand the answer to {}", path));
    }

    // Content of any size: only a stall ends it.
    Result<> exchange_content(const std::string& request_id, http::ClientRequest request) {
        request.url = fmt::format("{}/agent/v1/storage/{}", config.url, request_id);
        request.headers.add("Authorization", "Bearer " + config.credential);
        request.stop = config.stop;
        const http::ClientResponse response = TRY(http.perform(request).context("storage content"));
        if (response.status == 404) return Error(Errc::not_found, "storage content: nobody waits for it any more");
        if (response.status != 200) return refusal(response).add_context("storage content");
        return {};
    }

    ClientConfig config;
    http::Client http;
};

ControlPlaneClient::ControlPlaneClient(ClientConfig config) : impl_(std::make_unique<Impl>(std::move(config))) {}
ControlPlaneClient::~ControlPlaneClient() = default;
ControlPlaneClient::ControlPlaneClient(ControlPlaneClient&&) noexcept = default;
ControlPlaneClient& ControlPlaneClient::operator=(ControlPlaneClient&&) noexcept = default;

Result<EnrollAnswer> ControlPlaneClient::enroll(const EnrollRequest& request) {
    return impl_->post<EnrollAnswer>("enroll", request, false, kCallMs);
}

Result<HeartbeatAnswer> ControlPlaneClient::heartbeat(const Heartbeat& heartbeat) {
    return impl_->post<HeartbeatAnswer>("heartbeat", heartbeat, true, kCallMs);
}

Result<AssignmentsAnswer> ControlPlaneClient::next_assignments(const AssignmentsRequest& request) {
    const std::uint64_t wait_ms = request.wait_ms > 0 ? static_cast<std::uint64_t>(request.wait_ms) : 0;
    return impl_->post<AssignmentsAnswer>("assignments", request, true, wait_ms + kPollGraceMs);
}

Result<ReportAnswer> ControlPlaneClient::report(const ReportBatch& batch) {
    return impl_->post<ReportAnswer>("reports", batch, true, kCallMs);
}

Result<> ControlPlaneClient::answer_storage(const std::string& request_id, const StorageAnswer& answer) {
    TRY(impl_->post<NoAnswer>("storage/" + request_id, answer, true, kCallMs));
    return {};
}

Result<> ControlPlaneClient::send_content(const std::string& request_id, Source& content,
                                          std::optional<std::uint64_t> bytes) {
    http::ClientRequest request;
    request.method = "POST";
    request.headers.add("Content-Type", "application/octet-stream");
    request.body_source = &content;
    request.body_source_bytes = bytes.value_or(0);
    request.body_source_unsized = !bytes;
    return impl_->exchange_content(request_id, std::move(request));
}

Result<> ControlPlaneClient::get_content(const std::string& request_id, Sink& into) {
    http::ClientRequest request;
    request.body_sink = &into;
    return impl_->exchange_content(request_id, std::move(request));
}

}  // namespace backstay::control_plane
