// What happens to a call on its database thread: admission, permission, replay of an Idempotency-Key, the handler
// within its transaction. Nothing here touches the loop.
#pragma once

#include <string_view>

#include "common/crypto/secret_box.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/api/routes.h"
#include "control-plane/auth/gate.h"

namespace backstay::serve {

// What every call is checked against; immutable, shared by the database threads.
struct Checks {
    const auth::Gate& gate;
    const SecretBox& box;  // kept answers may hold a secret that is shown once
};

// Fills the call's principal and organization.
Result<> admit(const Checks& checks, const api::Route& route, const auth::Credential& credential, api::Call& call,
               sql::Database& db);

// Runs the route's handler, which must not be a loop handler. `idempotency_key` empty: none was sent. The call's
// organization may be known before: that of an agent's credential.
Result<http::Response> run_call(const Checks& checks, const api::Route& route, const auth::Credential& credential,
                                std::string_view idempotency_key, api::Call& call, sql::Database& db);

}  // namespace backstay::serve
