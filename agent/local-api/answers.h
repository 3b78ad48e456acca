// Responses of the socket API.
#pragma once

#include <string_view>

#include "agent/local-api/messages.h"
#include "common/http/message.h"
#include "common/result.h"

namespace backstay::local_api {

http::Response json_answer(int status, const json::Value& value);
template <class T>
http::Response answer(int status, const T& message) {
    return json_answer(status, json::encode(message));
}
// 400, 404, 409 … by the error's code.
http::Response error_answer(const Error& error);
http::Response error_answer(int status, std::string_view code, std::string_view message);

}  // namespace backstay::local_api
