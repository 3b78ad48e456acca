// One call of the REST API on its way: what the pipeline found out about it, and what a handler may ask of it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/http/message.h"
#include "common/json/json.h"
#include "common/result.h"
#include "control-plane/api/answer.h"
#include "control-plane/auth/principal.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/store.h"

namespace backstay::api {

struct Call {
    http::Request request;
    std::string request_id;
    std::map<std::string, std::string, std::less<>> params;  // path parameters; those named …id are checked UUIDs
    auth::Principal principal;
    std::string organization_id;        // empty on routes without a credential
    std::optional<store::Agent> agent;  // who calls an agent's route, as the store holds it
    TimeMs now = 0;
    // Run on the loop thread once the answer's transaction is committed, before the answer is sent: wake long polls
    // and event streams here.
    std::vector<std::function<void()>> after_commit;

    // A path parameter of the route's own pattern.
    const std::string& param(std::string_view name) const;
};

// "DELETE /api/backups/…": method and path, without the query.
std::string request_line(const http::Request& request);

// The body as T (camelCase, unknown members refused, absent members keep T's defaults unless std::optional marks them).
// 400 invalid_json or validation_error with `detail`. An empty body counts as {}.
Result<json::Value> body_value(const Call& call);

template <class T>
Result<T> body(const Call& call, json::Missing missing = json::Missing::keep_default) {
    const json::Value value = TRY(body_value(call));
    T out{};
    json::Faults faults;
    if (!json::decode_into(value, out, faults, {json::Names::camel, json::Unknown::refuse, missing})) {
        return problem(faults);
    }
    return out;
}

// limit and offset of the query; 400 invalid_parameter when they are no whole numbers from 0 on. A limit of 0 means the
// default, one above `most` means `most`.
Result<store::Page> page_of(const Call& call, std::int64_t usual, std::int64_t most = 100);

// A parameter of the query; empty when absent.
std::string query_of(const Call& call, std::string_view name);

// An optional query parameter with a fixed set of values; empty when absent, 400 invalid_parameter for others.
Result<std::string> choice_of(const Call& call, std::string_view name, std::initializer_list<std::string_view> values);

}  // namespace backstay::api
