#include "agent/local-api/answers.h"

namespace backstay::local_api {
namespace {

int status_of(Errc code) {
    switch (code) {
        case Errc::invalid:
            return 400;
        case Errc::not_found:
            return 404;
        case Errc::conflict:
            return 409;
        case Errc::denied:
            return 403;
        case Errc::unavailable:
            return 503;
        case Errc::timed_out:
            return 504;
        case Errc::exhausted:
            return 429;
        case Errc::cancelled:
        case Errc::corrupted:
        case Errc::io:
            return 500;
    }
    return 500;
}

}  // namespace

http::Response json_answer(int status, const json::Value& value) {
    http::Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.headers.add("Cache-Control", "no-store");
    response.body = json::serialize(value) + "\n";
    return response;
}

http::Response error_answer(const Error& error) {
    const ErrorBody body{std::string(to_string(error.code())), error.message(), error.reason(), error.hint()};
    return answer(status_of(error.code()), body);
}

http::Response error_answer(int status, std::string_view code, std::string_view message) {
    return answer(status, ErrorBody{std::string(code), std::string(message), "", ""});
}

}  // namespace backstay::local_api
