#include "control-plane/store/replicas.h"

#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

constexpr TimeMs kForgottenMs = 3'600'000;

}  // namespace

Result<> Replicas::beat(const Replica& replica, TimeMs now) {
    TRY(
        db_.run("INSERT INTO replicas (id, address, version, seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO "
                "UPDATE SET seen_at = excluded.seen_at",
                {replica.id, replica.address, replica.version, now}));
    TRY(db_.run("DELETE FROM replicas WHERE seen_at < $1", {now - kForgottenMs}));
    return {};
}

Result<> Replicas::leave(std::string_view id) {
    TRY(db_.run("DELETE FROM replicas WHERE id = $1", {id}));
    return {};
}

Result<std::vector<Replica>> Replicas::alive(TimeMs now) {
    return all_rows(db_.query("SELECT id, address, version, seen_at FROM replicas WHERE seen_at > $1 ORDER BY id",
                              {now - kReplicaSilentMs}),
                    [](const sql::Statement& row) {
                        return Replica{row.text(0), row.text(1), row.text(2), row.integer(3)};
                    });
}

}  // namespace backstay::store
