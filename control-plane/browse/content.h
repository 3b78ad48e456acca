// What is answered to somebody who wants an object's content: status, headers, and which bytes (RFC 9110 13 and 14).
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/http/message.h"
#include "storage/storage.h"

namespace backstay::browse {

struct ContentPlan {
    http::Response head;  // 200, 206 with its length; 304 and 416 without a body
    ByteRange range;
    bool has_body = false;
};

// One range is served; several are answered with the whole, as the RFC allows.
ContentPlan plan_content(const http::Request& request, const ObjectInfo& object, std::string_view download_name);

// `attachment; filename="…"; filename*=UTF-8''…`
std::string content_disposition(std::string_view name);

}  // namespace backstay::browse
