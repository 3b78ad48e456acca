// One call of a subscriber's URL. The receiver checks where it comes from by
//   X-Backstay-Signature: sha256=<hex of HMAC-SHA256(secret, X-Backstay-Timestamp + "." + body)>
// and refuses timestamps (seconds since 1970) that are old. X-Backstay-Delivery is the same in every attempt.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "common/http/client.h"
#include "control-plane/alerts/deliveries.h"

namespace backstay::notify {

std::string sign(std::string_view secret, std::int64_t timestamp, std::string_view body);

// How an attempt ended for the queue.
struct Sent {
    std::optional<std::int64_t> status;
    std::string error;      // empty: the receiver took it
    bool is_final = false;  // another attempt would end the same
};

// Blocks, at most kTotalMs. Redirects are not followed: they are a refusal. The answer's body is not kept.
Sent call_webhook(http::Client& client, const std::string& url, std::string_view secret,
                  const alerts::Delivery& delivery, TimeMs now, const std::stop_token& stop);

// 422 with a code: not an https URL (or http, where private networks are allowed), with a user, or of a host that is
// visibly out of bounds. What a name means is looked at when it is connected to.
Result<> check_url(std::string_view url, http::AddressRule rule);

}  // namespace backstay::notify
