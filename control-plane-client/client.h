// The conversation with a control plane, for agents, scripts and load generators: four blocking calls, no thread, no
// timer, no retry policy (the caller decides when). One thread at a time per client.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "common/bytes.h"
#include "common/result.h"
#include "control-plane-client/protocol.h"

namespace backstay::control_plane {

struct ClientConfig {
    std::string url;         // "https://control.example.com", without a path
    std::string ca_file;     // empty: the system's
    std::string credential;  // empty before enrolment
    std::stop_token stop;
};

// Errors: unavailable and timed_out are worth another try later (Retry-After, when sent, stands in the fact
// "retry_after_s"); denied: the credential or token is not accepted; conflict: duplicate_agent; invalid: the control
// plane did not understand the message.
class ControlPlaneClient {
public:
    explicit ControlPlaneClient(ClientConfig config);
    ~ControlPlaneClient();
    ControlPlaneClient(ControlPlaneClient&&) noexcept;
    ControlPlaneClient& operator=(ControlPlaneClient&&) noexcept;

    Result<EnrollAnswer> enroll(const EnrollRequest& request);
    Result<HeartbeatAnswer> heartbeat(const Heartbeat& heartbeat);
    // Blocks up to request.wait_ms and a little.
    Result<AssignmentsAnswer> next_assignments(const AssignmentsRequest& request);
    Result<ReportAnswer> report(const ReportBatch& batch);
    // What came of a storage request. invalid with fact "http_status" 404: nobody waits for it any more.
    Result<> answer_storage(const std::string& request_id, const StorageAnswer& answer);
    // The content that `read` asks for, exactly `bytes` of it; of a ZIP, whose length nobody knows yet, nullopt.
    Result<> send_content(const std::string& request_id, Source& content, std::optional<std::uint64_t> bytes);
    // The content that `write` brings. An error: it is not whole.
    Result<> get_content(const std::string& request_id, Sink& into);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace backstay::control_plane
