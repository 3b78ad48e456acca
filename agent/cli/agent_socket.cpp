#include "agent/cli/agent_socket.h"

#include <fmt/format.h>

namespace backstay::cli {
namespace {

constexpr std::size_t kEventMax = 1 << 20;

http::ClientOptions options_of(const std::string& path, std::uint64_t stall_ms) {
    http::ClientOptions options;
    options.unix_socket = path;
    options.connect_ms = 5'000;
    options.stall_ms = stall_ms;
    return options;
}

Errc code_of(int status) {
    if (status == 400 || status == 405 || status == 413) return Errc::invalid;
    if (status == 404) return Errc::not_found;
    if (status == 409) return Errc::conflict;
    if (status == 403) return Errc::denied;
    if (status == 429) return Errc::exhausted;
    if (status == 503 || status == 504) return Errc::unavailable;
    return Errc::io;
}

// Splits a stream of server-sent events; pieces may end anywhere.
class Events {
public:
    using OnEvent = std::function<bool(std::string_view event, std::string_view data)>;
    explicit Events(OnEvent on_event) : on_event_(std::move(on_event)) {}

    bool feed(std::string_view bytes) {
        text_ += bytes;
        if (text_.size() > kEventMax) return false;
        for (std::size_t end = text_.find("\n\n"); end != std::string::npos; end = text_.find("\n\n")) {
            const std::string block = text_.substr(0, end);
            text_.erase(0, end + 2);
            if (!block.starts_with("event: ")) continue;
            const std::size_t line = block.find('\n');
            const std::size_t data = block.find("data: ");
            if (line == std::string::npos || data == std::string::npos) continue;
            if (!on_event_(std::string_view(block).substr(7, line - 7), std::string_view(block).substr(data + 6))) {
                return false;
            }
        }
        return true;
    }

private:
    OnEvent on_event_;
    std::string text_;
};

}  // namespace

AgentSocket::AgentSocket(std::string path, std::uint64_t stall_ms, std::stop_token stop)
    : path_(std::move(path)), stop_(std::move(stop)), client_(options_of(path_, stall_ms)) {}

Error AgentSocket::unreachable(const Error& cause) const {
    return Error(Errc::unavailable, fmt::format("no agent answers on {}: {}", path_, cause.message()))
        .with_fact(std::string(kUnreachable), "true")
        .with_hint("is backstay-agent running, and may you open its socket?");
}

Result<std::string> AgentSocket::call(std::string_view method, const std::string& target, std::string body) {
    http::ClientRequest request;
    request.method = method;
    request.url = "http://agent" + target;
    if (!body.empty()) request.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    request.stop = stop_;
    auto response = client_.perform(request);
    if (!response) return unreachable(response.error());
    if (response->status / 100 == 2) return std::move(response->body);
    const auto told = json::decode_text<local_api::ErrorBody>(response->body, json::kLenient);
    if (!told) return Error(code_of(response->status), fmt::format("the agent answered {}", response->status));
    return Error(code_of(response->status), told->message).with_reason(told->reason).with_hint(told->hint);
}

Result<> AgentSocket::watch(const std::string& job_id, const std::function<void(const Progress&)>& on_progress) {
    bool ended = false;
    Events events([&](std::string_view event, std::string_view data) {
        if (event == "end") ended = true;
        if (event == "progress") {
            if (const auto progress = json::decode_text<Progress>(data, json::kLenient)) on_progress(*progress);
        }
        return !ended;
    });
    http::ClientRequest request;
    request.url = fmt::format("http://agent/v1/jobs/{}/events", job_id);
    const auto response = client_.stream(request, [&](std::string_view bytes) { return events.feed(bytes); });
    if (ended) return {};
    if (!response) return unreachable(response.error());
    return Error(Errc::unavailable, "the agent went away before the job was over")
        .with_fact(std::string(kUnreachable), "true")
        .with_hint(fmt::format("`backstay job {}` tells how it ended", job_id));
}

}  // namespace backstay::cli
