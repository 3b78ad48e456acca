#include "control-plane/serve/run_call.h"

#include "common/bytes.h"
#include "common/crypto/digest.h"
#include "common/log.h"
#include "common/sql/snapshot.h"
#include "control-plane/api/scope.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/idempotency.h"

namespace backstay::serve {
namespace {

Result<> check_permission(const api::Route& route, const auth::Principal& principal) {
    if (route.access != api::Access::member) return {};
    if (principal.read_only && route.writes()) {
        return api::problem(403, "read_only_key", "this API key only reads");
    }
    if (!principal.may(route.permission)) {
        return api::problem(403, "forbidden", "this needs the permission " + std::string(word_of(route.permission)));
    }
    return {};
}

// Whose keys these are: two members of one organization never meet in one key.
std::string holder_of(const api::Call& call) {
    return std::to_string(static_cast<int>(call.principal.kind)) + ":" + call.principal.id + ":" + call.organization_id;
}

std::string request_hash(const api::Call& call) {
    return digest_hex(DigestKind::sha256,
                      as_bytes(call.request.method + "\n" + call.request.target + "\n" + call.request.body));
}

std::string box_context(std::string_view key, const api::Call& call) {
    return "idempotency:" + holder_of(call) + ":" + std::string(key);
}

Result<std::optional<http::Response>> replay(const Checks& checks, std::string_view key, const api::Call& call,
                                             sql::Database& db) {
    if (key.empty()) return std::optional<http::Response>();
    const auto kept = TRY(store::Idempotency(db).find(holder_of(call), key, call.now));
    if (!kept) return std::optional<http::Response>();
    if (kept->request_hash != request_hash(call)) {
        return api::problem(422, "idempotency_key_reused", "this Idempotency-Key was used for another request");
    }
    http::Response response;
    response.status = kept->status;
    response.headers.set("Content-Type", "application/json");
    response.headers.set("Idempotency-Replayed", "true");
    response.body = TRY(checks.box.open(kept->body, box_context(key, call)));
    return std::optional<http::Response>(std::move(response));
}

Result<> keep(const Checks& checks, std::string_view key, const api::Call& call, const http::Response& response,
              sql::Database& db) {
    if (key.empty()) return {};
    const std::string sealed = checks.box.seal(response.body, box_context(key, call));
    return store::Idempotency(db).keep(holder_of(call), key, {request_hash(call), response.status, sealed}, call.now);
}

bool is_audited(const api::Route& route, const api::Call& call) {
    return route.writes() && route.access != api::Access::agent && !call.organization_id.empty();
}

// The audit trail's end before the call.
Result<std::int64_t> audit_end(const api::Route& route, const api::Call& call, sql::Database& db) {
    if (!is_audited(route, call)) return std::int64_t{0};
    return store::Audit(db).last();
}

// Whatever changes something leaves a row: where a handler tells nothing of its own, the request.
Result<> note_change(const api::Route& route, const api::Call& call, std::int64_t before, sql::Database& db) {
    if (!is_audited(route, call)) return {};
    store::Audit audit(db);
    if (TRY(audit.has_since(before, call.request_id))) return {};
    return audit.add(api::audit_entry(call, "request", "", ""));
}

// While it lives no other replica works on this key; where there is no key it does nothing.
class KeyHeld {
public:
    KeyHeld(sql::Database& db, std::string_view key, const api::Call& call)
        : db_(db), name_(key.empty() ? "" : "idempotency " + holder_of(call) + " " + std::string(key)) {}
    ~KeyHeld() {
        if (name_.empty()) return;
        if (const auto done = db_.let_go(name_); !done)
            log::warning("a key is held until the connection ends", {{"error", done.error().message()}});
    }
    KeyHeld(const KeyHeld&) = delete;
    KeyHeld& operator=(const KeyHeld&) = delete;

    Result<> take() {
        if (name_.empty()) return {};
        if (TRY(db_.hold(name_))) return {};
        return api::conflict("idempotency_in_flight", "a request with this Idempotency-Key is being worked on");
    }

private:
    sql::Database& db_;
    const std::string name_;
};

Result<http::Response> run_slow(const Checks& checks, const api::Route& route, std::string_view key, api::Call& call,
                                sql::Database& db) {
    KeyHeld held(db, key, call);
    TRY(held.take());
    if (auto again = TRY(replay(checks, key, call, db))) return std::move(*again);
    const std::int64_t before = TRY(audit_end(route, call, db));
    auto response = TRY(route.read(call, db));
    if (response.status >= 400) return response;
    TRY(note_change(route, call, before, db));
    TRY(keep(checks, key, call, response, db));
    return response;
}

// A write is alone in the call's organization. Where others write at the same time (PostgreSQL), that one must be known
// before, as an agent's is (it never changes); whether the credential still holds is decided inside.
Result<sql::Transaction> begin_write(const Checks& checks, const api::Route& route, const auth::Credential& credential,
                                     api::Call& call, sql::Database& db) {
    const bool side_by_side = db.dialect() == sql::Dialect::postgres;
    if (side_by_side && call.organization_id.empty()) TRY(admit(checks, route, credential, call, db));
    const std::string before = call.organization_id;
    std::string organization = before;
    if (route.organization_of) organization = TRY(route.organization_of(call, db));
    auto transaction = TRY(sql::Transaction::begin(db, organization));
    TRY(admit(checks, route, credential, call, db));
    if ((side_by_side || !before.empty()) && call.organization_id != before)
        return api::problem(503, "busy", "the organization was changed at this moment; try again");
    return transaction;
}

Result<http::Response> run_in_transaction(const Checks& checks, const api::Route& route,
                                          const auth::Credential& credential, std::string_view key, api::Call& call,
                                          sql::Database& db) {
    // Who repeats it may not be let in twice: an enrolment token is used up by then.
    if (route.organization_of) {
        if (auto again = TRY(replay(checks, key, call, db))) return std::move(*again);
    }
    auto transaction = TRY(begin_write(checks, route, credential, call, db));
    if (auto again = TRY(replay(checks, key, call, db))) return std::move(*again);
    const std::int64_t before = TRY(audit_end(route, call, db));
    auto response = TRY(route.write(call, transaction));
    if (response.status >= 400) {
        call.after_commit.clear();
        return response;
    }
    TRY(note_change(route, call, before, db));
    TRY(keep(checks, key, call, response, db));
    TRY(transaction.commit());
    return response;
}

// All that an answer is made of is of one moment where that is cheap: SQLite takes and leaves its lock once; PostgreSQL
// would be asked twice more.
Result<http::Response> run_read(const api::Route& route, api::Call& call, sql::Database& db) {
    if (db.dialect() == sql::Dialect::postgres) return route.read(call, db);
    const auto snapshot = TRY(sql::Snapshot::begin(db));
    return route.read(call, db);
}

}  // namespace

Result<> admit(const Checks& checks, const api::Route& route, const auth::Credential& credential, api::Call& call,
               sql::Database& db) {
    auth::Admission admission;
    switch (route.access) {
        case api::Access::open:
            return {};
        case api::Access::member:
            admission = TRY(checks.gate.admit_member(credential, call.request.headers.get("X-Org-Slug"), db, call.now));
            break;
        case api::Access::user:
            admission = TRY(checks.gate.admit_user(credential, db, call.now));
            break;
        case api::Access::agent:
            admission = TRY(checks.gate.admit_agent(credential, db));
            break;
    }
    call.principal = std::move(admission.principal);
    call.organization_id = std::move(admission.organization_id);
    call.agent = std::move(admission.agent);
    return check_permission(route, call.principal);
}

Result<http::Response> run_call(const Checks& checks, const api::Route& route, const auth::Credential& credential,
                                std::string_view idempotency_key, api::Call& call, sql::Database& db) {
    if (route.write) return run_in_transaction(checks, route, credential, idempotency_key, call, db);
    TRY(admit(checks, route, credential, call, db));
    if (route.slow) return run_slow(checks, route, idempotency_key, call, db);
    return run_read(route, call, db);
}

}  // namespace backstay::serve
