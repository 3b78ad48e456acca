// The agent's socket as `backstay` uses it: one request at a time, errors as the agent words them.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/local-api/messages.h"
#include "common/http/client.h"
#include "common/json/json.h"
#include "common/result.h"

namespace backstay::cli {

// An Error of a call that never reached the agent carries this fact (exit code 4).
inline constexpr std::string_view kUnreachable = "unreachable";

class AgentSocket {
public:
    static constexpr std::uint64_t kPatientMs = 300'000;  // a check probes destinations for a while

    // `stall_ms`: no byte for so long and the agent hangs. A stop request ends a call.
    explicit AgentSocket(std::string path, std::uint64_t stall_ms = kPatientMs, std::stop_token stop = {});

    // The text of a 2xx answer.
    Result<std::string> call(std::string_view method, const std::string& target, std::string body = "");
    template <class Answer>
    Result<Answer> get(const std::string& target) {
        const std::string text = TRY(call("GET", target));
        return json::decode_text<Answer>(text, json::kLenient).context("understand the agent");
    }

    // Follows a job's events until it is over.
    Result<> watch(const std::string& job_id, const std::function<void(const Progress&)>& on_progress);

private:
    Error unreachable(const Error& cause) const;
    std::string path_;
    std::stop_token stop_;
    http::Client client_;
};

}  // namespace backstay::cli
