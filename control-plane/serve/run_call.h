// What happens to a call on its database thread: admission, permission, replay of an Idempotency-Key, the handler
// within its transaction. Nothing here touches the loop.
#pragma once

#include <string_view>

#include "common/result.h"
#include "common/sqlite/database.h"
#include "control-plane/api/routes.h"
#include "control-plane/auth/gate.h"

namespace backstay::serve {

// Fills the call's principal and organization.
Result<> admit(const auth::Gate& gate, const api::Route& route, const auth::Credential& credential, api::Call& call,
               sqlite::Database& db);

// Runs the route's handler, which must not be a loop handler. `idempotency_key` empty: none was sent.
Result<http::Response> run_call(const auth::Gate& gate, const api::Route& route, const auth::Credential& credential,
                                std::string_view idempotency_key, api::Call& call, sqlite::Database& db);

}  // namespace backstay::serve
