#include "agent/storage-desk/delivery.h"

#include "common/log.h"

namespace backstay {

Result<> deliver(control_plane::ControlPlaneClient& client, const control_plane::StorageRequest& request,
                 Source& content, std::optional<std::uint64_t> bytes) {
    auto sent = client.send_content(request.request_id, content, bytes);
    if (sent) return sent;
    log::info("content not delivered",
              {{"action", request.action}, {"key", request.key}, {"error", sent.error().message()}});
    const bool unwanted = sent.error().code() == Errc::cancelled || sent.error().code() == Errc::not_found;
    return unwanted ? Result<>() : sent;
}

}  // namespace backstay
