// Answers of the REST API: JSON bodies, and the one error body {"error","message","detail"?} that every refusal has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/message.h"
#include "common/json/json.h"
#include "common/result.h"

namespace backstay::api {

http::Response json_answer(int status, const json::Value& value);
// What is the text of JSON already.
http::Response json_text_answer(std::string text);
// {name: […], "total": n}
http::Response list_answer(std::string_view name, const std::vector<std::string>& items, std::int64_t total);
http::Response message_answer(int status, std::string_view message);  // {"message": …}
http::Response no_content();

// A refusal as an Error, so that TRY passes it up: problem(422, "no_destination", "the organization has none").
Error problem(int status, std::string_view code, std::string message);
// 400 validation_error with `detail`.
Error problem(const json::Faults& faults);
// 422 with `detail` for one field that is well-formed but breaks a rule.
Error rule_broken(std::string_view code, std::string_view field, std::string message);
// The same for several fields.
Error rules_broken(std::string_view code, std::string message, const json::Faults& faults);
// The thing is absent, or another organization's: nobody learns which.
Error not_found(std::string_view what);
// 409
Error conflict(std::string_view code, std::string message);
// 429 with Retry-After, in the body too.
Error too_many(std::string_view code, std::string message, std::int64_t retry_after_s);
// The same with `detail`: what stands in the way.
Error conflict(std::string_view code, std::string message, const json::Faults& faults);

// Whether problem(), or one of its like, made it.
bool is_problem(const Error& error);

// The error body. Errors that no problem() made get the status of their kind, and those of the server itself (io,
// corrupted) say nothing of their cause: it stands in the log under the request id.
http::Response error_answer(const Error& error);
http::Response error_answer(int status, std::string_view code, std::string_view message);

}  // namespace backstay::api
