// This process among those that serve the same store: told by a thread and a connection of its own, so that neither a
// busy loop nor busy database threads make it look dead.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "common/clock.h"
#include "control-plane/store/replicas.h"

namespace backstay::replicas {

class Membership {
public:
    // Noted when it returns. `address`: where other replicas reach this one, empty if nowhere. On SQLite it is alone,
    // and nothing is noted.
    static Result<std::unique_ptr<Membership>> join(const std::string& store, std::string address, const Clock& clock);
    // Leaves.
    ~Membership();
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

    const std::string& id() const { return self_.id; }
    const std::string& address() const { return self_.address; }
    // Whether others can serve this store too.
    bool is_shared() const { return thread_.joinable(); }

private:
    Membership(store::Replica self, const Clock& clock) : self_(std::move(self)), clock_(clock) {}
    void keep(sql::Database db, const std::stop_token& stop);

    const store::Replica self_;
    const Clock& clock_;
    std::jthread thread_;
};

}  // namespace backstay::replicas
