// Any octets as the body of requests and of agents' messages: read, or refused by the path of each fault.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/json/json.h"
#include "control-plane-client/protocol.h"
#include "control-plane/api/call.h"
#include "control-plane/api/restore_checks.h"
#include "control-plane/dispatch/orders.h"

namespace backstay {
namespace {

void demand(bool holds) {
    if (!holds) std::abort();
}

// Lenient readers must also take back what they wrote themselves.
template <class T>
void try_message(const json::Value& value) {
    T out{};
    json::Faults faults;
    const bool read = json::decode_into(value, out, faults, json::kLenient);
    demand(read == faults.empty());
    for (const json::Fault& fault : faults) demand(!fault.message.empty());
    if (!read) return;
    const std::string written = json::encode_text(out);
    const auto again = json::decode_text<T>(written, json::kLenient);
    demand(again.has_value() && json::encode_text(*again) == written);
}

void try_request(std::string_view text) {
    api::Call call;
    call.request.body = text;
    call.request.headers.set("Content-Type", "application/json");
    const auto request = api::body<api::RestoreRequest>(call);
    if (!request) demand(request.error().reason() == "invalid_json" || request.error().reason() == "validation_error");
}

void try_order(const json::Value& value) {
    if (!value.is_object()) return;
    const json::Object bare = dispatch::without_secrets(value.get_object());
    const auto filled =
        dispatch::with_secrets(bare, [](std::string_view id) -> Result<std::optional<DestinationOrder>> {
            if (id.starts_with('x')) return std::optional<DestinationOrder>();
            return std::optional<DestinationOrder>({std::string(id), "n", "local", {{"path", "/p"}}});
        });
    if (filled)
        demand(json::serialize(json::Value(dispatch::without_secrets(*filled))).find("\"/p\"") == std::string::npos ||
               json::serialize(json::Value(bare)).find("\"/p\"") != std::string::npos);
}

void try_input(std::string_view text) {
    try_request(text);
    const auto value = json::parse(text);
    if (!value) return;
    try_message<control_plane::EnrollRequest>(*value);
    try_message<control_plane::Heartbeat>(*value);
    try_message<control_plane::AssignmentsRequest>(*value);
    try_message<control_plane::ReportBatch>(*value);
    try_order(*value);
}

}  // namespace
}  // namespace backstay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    backstay::try_input({reinterpret_cast<const char*>(data), size});
    return 0;
}
