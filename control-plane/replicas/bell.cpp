#include "control-plane/replicas/bell.h"

#include <utility>

#include "common/log.h"
#include "common/pq/connection.h"
#include "control-plane/replicas/rings.h"
#include "storage/backoff.h"

namespace backstay::replicas {
namespace {

using Done = store::DatabaseThreads::Done;

constexpr const char* kChannel = "backstay";
constexpr std::uint64_t kListenAgainMs = 1'000;
constexpr std::int64_t kConnectTimeoutMs = 3'000;
constexpr std::int64_t kSilentMs = 6'000;
constexpr std::int64_t kListenMs = 60'000;

Result<> tell(sql::Database& db, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) TRY(db.run("SELECT pg_notify($1, $2)", {kChannel, text}));
    return {};
}

bool is_empty(const dispatch::Stir& stir) { return stir.agents.empty() && stir.operations.empty(); }

}  // namespace

Bell::Bell(Loop& loop, store::DatabaseThreads& threads, std::string store, std::string replica, Ears ears)
    : loop_(loop),
      threads_(threads),
      store_(std::move(store)),
      replica_(std::move(replica)),
      ears_(std::move(ears)),
      listener_([this](const std::stop_token& stop) { listen(stop); }) {}

void Bell::ring(const dispatch::Stir& stir) {
    if (is_empty(stir)) return;
    pending_.merge(stir);
    if (!ringing_) send();
}

void Bell::send() {
    auto texts = texts_of(std::exchange(pending_, {}), replica_, std::exchange(too_much_, false));
    ringing_ = threads_.submit(store::DatabaseThreads::Lane::exchange,
                               [this, all = std::move(texts)](sql::Database& db) -> Done {
                                   const auto told = tell(db, all);
                                   if (!told) log::warning("bell not rung", {{"error", told.error().message()}});
                                   return [this, ok = told.has_value()] { sent(ok); };
                               });
    if (!ringing_) too_much_ = true;
}

// What could not be told by name is told with the next ring, or when the server is back.
void Bell::sent(bool all) {
    ringing_ = false;
    too_much_ = too_much_ || !all;
    if (!is_empty(pending_)) send();
}

void Bell::listening() {
    ears_.missed();
    if (too_much_ && !ringing_) send();
}

void Bell::listen(const std::stop_token& stop) {
    do {
        const auto listened = listen_once(stop);
        if (stop.stop_requested()) return;
        if (!listened) log::warning("the bell is not heard", {{"error", listened.error().message()}});
    } while (wait_ms(kListenAgainMs, stop));
}

// Until the connection breaks.
Result<> Bell::listen_once(const std::stop_token& stop) {
    pq::ConnectParameters parameters;
    parameters.url = store_;
    parameters.application_name = "backstay-control bell";
    parameters.connect_timeout_ms = kConnectTimeoutMs;
    parameters.silent_ms = kSilentMs;
    auto connection = TRY(pq::Connection::connect(parameters, stop));
    TRY(connection.exec(std::string("LISTEN ") + kChannel));
    loop_.post([this] { listening(); });
    while (true) {
        for (const pq::Notification& one : TRY(connection.notifications(kListenMs))) {
            auto ring = read_ring(one.payload);
            // A newer replica may say what this one does not understand.
            if (!ring) ring = Ring{{}, {}, {}, true};
            if (ring->from == replica_) continue;
            if (ring->everything) {
                loop_.post(ears_.missed);
            } else {
                loop_.post([this, stir = stir_of(*ring)] { ears_.heard(stir); });
            }
        }
    }
}

}  // namespace backstay::replicas
