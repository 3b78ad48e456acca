#include "control-plane/replicas/membership.h"

#include "common/ids.h"
#include "common/log.h"
#include "common/version.h"
#include "storage/backoff.h"

namespace backstay::replicas {
namespace {

constexpr std::uint64_t kBeatMs = store::kReplicaSilentMs / 5;

// Answers are passed on between replicas, which takes an address of each.
Result<> warn_of_missing_addresses(sql::Database& db, const store::Replica& self, TimeMs now) {
    for (const store::Replica& other : TRY(store::Replicas(db).alive(now))) {
        if (other.id == self.id || (!other.address.empty() && !self.address.empty())) continue;
        log::warning("a replica names no address",
                     {{"replica", self.address.empty() ? self.id : other.id},
                      {"hint", "set replicas.address in control.toml; without it local destinations are not shown"}});
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Membership>> Membership::join(const std::string& store, std::string address,
                                                     const Clock& clock) {
    std::unique_ptr<Membership> self(new Membership({new_uuid(), std::move(address), std::string(kVersion), 0}, clock));
    if (!sql::is_postgres_url(store)) return self;
    auto db = TRY(store::open_store(store));
    TRY(store::Replicas(db).beat(self->self_, clock.now_ms()));
    TRY(warn_of_missing_addresses(db, self->self_, clock.now_ms()));
    log::info("serving as a replica", {{"replica", self->id()}, {"address", self->address()}});
    self->thread_ = std::jthread([member = self.get(), db = std::move(db)](const std::stop_token& stop) mutable {
        member->keep(std::move(db), stop);
    });
    return self;
}

Membership::~Membership() = default;

void Membership::keep(sql::Database db, const std::stop_token& stop) {
    while (wait_ms(kBeatMs, stop)) {
        if (auto told = store::Replicas(db).beat(self_, clock_.now_ms()); !told)
            log::warning("no sign of life given to other replicas", {{"error", told.error().message()}});
    }
    if (auto left = store::Replicas(db).leave(self_.id); !left)
        log::warning("other replicas not told of the end", {{"error", left.error().message()}});
}

}  // namespace backstay::replicas
