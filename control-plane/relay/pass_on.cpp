#include "control-plane/relay/pass_on.h"

#include <charconv>
#include <utility>

#include "common/log.h"
#include "control-plane/api/answer.h"

namespace backstay::relay {
namespace {

using Lane = store::DatabaseThreads::Lane;
using Done = store::DatabaseThreads::Done;

constexpr std::size_t kMostPasses = 100;
constexpr std::uint64_t kSweepMs = 30'000;

http::Response overloaded() {
    return api::error_answer(503, "overloaded", "too much is passed on between replicas; try again");
}

// The agent tries again, until that replica is known to be dead.
http::Response unreachable() {
    return api::error_answer(503, "replica_unreachable", "the replica that waits cannot be reached; try again");
}

http::ClientRequest passed(const http::Request& request, const std::string& replica) {
    http::ClientRequest out;
    out.method = request.method;
    out.url = request.target;  // behind the other's address, once it is known
    for (const char* name : {"Authorization", "Content-Type", "User-Agent"}) {
        if (request.headers.has(name)) out.headers.add(name, std::string(request.headers.get(name)));
    }
    out.headers.add(kPassedOnBy, replica);
    return out;
}

// Nothing of it: it comes in chunks.
std::optional<std::uint64_t> announced(const http::Request& request) {
    const std::string_view text = request.headers.get("Content-Length");
    std::uint64_t bytes = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (text.empty() || read.ec != std::errc()) return std::nullopt;
    return bytes;
}

http::Response answer_of(const http::ClientResponse& from) {
    http::Response out;
    out.status = from.status;
    if (from.headers.has("Content-Type"))
        out.headers.set("Content-Type", std::string(from.headers.get("Content-Type")));
    out.body = from.body;
    return out;
}

}  // namespace

http::Response nobody_waits() { return api::error_answer(404, "not_found", "nobody waits for this request"); }

PassOn::PassOn(Parts parts)
    : parts_(std::move(parts)), sweep_timer_(parts_.loop, kSweepMs, kSweepMs, [this] { sweep(); }) {}

PassOn::~PassOn() {
    for (auto& [number, pass] : passes_) {
        pass.stop.request_stop();
        pass.pipe->close(Error(Errc::cancelled, "the control plane is stopping"));
        pass.pipe->fail(Error(Errc::cancelled, "the control plane is stopping"));
    }
}

void PassOn::pass(const api::Call& call, std::unique_ptr<http::Exchange> exchange) {
    if (!parts_.desk.is_shared() || call.request.headers.has(kPassedOnBy)) return exchange->respond(nobody_waits());
    if (passes_.size() >= kMostPasses) return exchange->respond(overloaded());
    const std::uint64_t number = ++last_number_;
    exchange->on_abandoned([this, number] { gone(number); });
    Pass& pass = passes_[number];
    pass.request = passed(call.request, parts_.replica_id);
    pass.pipe = std::make_shared<BytePipe>();
    pass.exchange = std::move(exchange);
    const bool taken = parts_.threads.submit(
        Lane::read, [this, number, id = call.param("requestId"), agent = call.principal.id](sql::Database& db) -> Done {
            auto waiter = parts_.desk.shared(db)->waiter_of(id, agent, parts_.clock.now_ms());
            return [this, number, waiter = std::move(waiter)] { found(number, waiter); };
        });
    if (!taken) finish(number, overloaded());
}

void PassOn::found(std::uint64_t number, const Found& waiter) {
    const auto at = passes_.find(number);
    if (at == passes_.end()) return;
    Pass& pass = at->second;
    if (pass.exchange == nullptr) return static_cast<void>(passes_.erase(at));  // the agent has gone
    if (!waiter) return finish(number, api::error_answer(waiter.error()));
    // Our own row without one who waits: it has just given up.
    if (!*waiter || (*waiter)->replica_id == parts_.replica_id) return finish(number, nobody_waits());
    if ((*waiter)->address.empty()) {
        log::warning("an answer cannot be passed on",
                     {{"replica", (*waiter)->replica_id}, {"hint", "set replicas.address in its control.toml"}});
        return finish(number, nobody_waits());
    }
    pass.request.url.insert(0, (*waiter)->address);
    call_replica(number, pass);
}

void PassOn::call_replica(std::uint64_t number, Pass& pass) {
    const bool sends = pass.request.method == "POST";
    if (sends) {
        const auto bytes = announced(pass.exchange->request());
        pass.request.body_source_bytes = bytes.value_or(0);
        pass.request.body_source_unsized = !bytes;
    }
    pass.thread = std::jthread([this, number, sends, pipe = pass.pipe, request = pass.request, http = parts_.http,
                                stop = pass.stop.get_token()]() mutable {
        PipeSource body(*pipe);
        PipeSink content(*pipe);
        if (sends) {
            request.body_source = &body;
        } else {
            request.body_sink = &content;
            request.on_head = [this, number](const http::ClientResponse& head) -> Result<> {
                parts_.loop.post([this, number, head] { begin_answer(number, head); });
                return {};
            };
        }
        request.stop = stop;
        // A connection of its own: a kept one may be dead, and a body that streams cannot be sent again.
        auto answer = http::Client(http).perform(request);
        parts_.loop.post([this, number, answer = std::move(answer)] { called(number, answer); });
    });
    if (!sends) return;
    pass.receiving = true;
    parts_.pumps.receive_body(
        std::move(pass.exchange), pass.pipe,
        [this, number](std::unique_ptr<http::Exchange> exchange, bool) { received(number, std::move(exchange)); });
}

// The other replica gives content to the agent.
void PassOn::begin_answer(std::uint64_t number, const http::ClientResponse& head) {
    const auto at = passes_.find(number);
    if (at == passes_.end() || at->second.exchange == nullptr) return;
    Pass& pass = at->second;
    pass.answering = true;
    const auto exchange = std::move(pass.exchange);
    parts_.pumps.send_body(exchange->open_stream(answer_of(head)), pass.pipe, {});
}

// The agent's body is through, or was not wanted any more.
void PassOn::received(std::uint64_t number, std::unique_ptr<http::Exchange> exchange) {
    const auto at = passes_.find(number);
    if (at == passes_.end()) return;
    Pass& pass = at->second;
    pass.receiving = false;
    pass.exchange = std::move(exchange);
    if (pass.exchange == nullptr) {
        pass.stop.request_stop();
    } else {
        pass.exchange->on_abandoned([this, number] { gone(number); });
    }
    if (pass.answer) finish(number, std::move(*pass.answer));
}

// The other replica has answered, or cannot be reached.
void PassOn::called(std::uint64_t number, const Result<http::ClientResponse>& answer) {
    const auto at = passes_.find(number);
    if (at == passes_.end()) return;
    Pass& pass = at->second;
    pass.thread.join();
    if (!answer) log::info("an answer was not passed on", {{"error", answer.error().message()}});
    if (pass.answering && answer) pass.pipe->finish();
    if (pass.answering && !answer) pass.pipe->fail(answer.error());
    // After a whole body this changes nothing; before its end the agent is held up no longer.
    if (!pass.answering) pass.pipe->close(Error(Errc::cancelled, "the other replica wants no more"));
    finish(number, answer ? answer_of(*answer) : unreachable());
}

// Before its body was asked for, or after it came.
void PassOn::gone(std::uint64_t number) {
    const auto at = passes_.find(number);
    if (at == passes_.end()) return;
    const auto exchange = std::move(at->second.exchange);
    at->second.stop.request_stop();
}

// The answer waits until the body lets go of the exchange.
void PassOn::finish(std::uint64_t number, http::Response answer) {
    const auto at = passes_.find(number);
    if (at->second.receiving) {
        at->second.answer = std::move(answer);
        return;
    }
    const auto exchange = std::move(at->second.exchange);
    passes_.erase(at);
    if (exchange != nullptr) exchange->respond(std::move(answer));
}

void PassOn::sweep() {
    if (!parts_.desk.is_shared()) return;
    const bool taken = parts_.threads.submit(Lane::slow, [this](sql::Database& db) -> Done {
        if (auto swept = parts_.desk.shared(db)->sweep(parts_.clock.now_ms()); !swept)
            log::warning("old storage requests not removed", {{"error", swept.error().message()}});
        return {};
    });
    if (!taken) log::warning("old storage requests not removed: too much waits");
}

}  // namespace backstay::relay
