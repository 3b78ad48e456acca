#include "control-plane/relay/storage_desk.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/domain/reasons.h"
#include "common/ids.h"
#include "common/log.h"
#include "control-plane/api/answer.h"
#include "control-plane/store/replicas.h"

namespace backstay::relay {
namespace {

using control_plane::StorageAnswer;
using control_plane::StorageFailure;
using control_plane::StorageRequest;

constexpr std::size_t kMostTickets = 200;
constexpr std::size_t kMostCancelled = 200;
constexpr std::size_t kPipeBytes = 512 * 1024;
constexpr std::int64_t kLookMs = 500;
constexpr std::size_t kQuickText = 64 * 1024;  // of JSON
constexpr std::string_view kOdooZip = "odoo_zip";

Error offline() {
    return api::problem(503, "agent_offline",
                        "the agent on whose host this destination is does not answer; it is shown again when the "
                        "agent is back");
}

Error outdated() {
    return api::problem(503, "agent_outdated",
                        "the agent on whose host this destination is cannot show its files yet; update it");
}

Errc code_from(std::string_view text) {
    constexpr std::array kCodes = {Errc::invalid,   Errc::not_found, Errc::conflict,  Errc::denied,   Errc::unavailable,
                                   Errc::timed_out, Errc::corrupted, Errc::exhausted, Errc::cancelled};
    for (const Errc code : kCodes) {
        if (to_string(code) == text) return code;
    }
    return Errc::io;
}

Error to_error(const StorageFailure& failure) {
    return Error(code_from(failure.code), failure.message).with_reason(failure.reason);
}

Error overloaded() { return api::problem(503, "overloaded", "too many requests wait for agents; try again"); }

Error no_address() {
    return api::problem(503, "replica_unreachable",
                        "the agent's answer may come to another replica, which cannot pass it on: set replicas.address "
                        "in control.toml");
}

Error stopped() { return Error(Errc::cancelled, "stopped"); }

StorageAnswer lost() {
    StorageAnswer answer;
    answer.failure = {"unavailable", std::string(reason::kAgentRestarted), "the agent was restarted meanwhile"};
    return answer;
}

}  // namespace

StorageDesk::StorageDesk(std::function<void(const std::string& agent)> wake) : StorageDesk(std::move(wake), {}) {}

StorageDesk::StorageDesk(std::function<void(const std::string& agent)> wake, Patience patience,
                         std::optional<Sharing> sharing)
    : wake_(std::move(wake)), patience_(patience), sharing_(std::move(sharing)) {}

std::optional<SharedRequests> StorageDesk::shared(sql::Database& store) const {
    if (!sharing_) return std::nullopt;
    return SharedRequests(store, sharing_->box);
}

Result<std::shared_ptr<StorageDesk::Ticket>> StorageDesk::place(const std::string& agent, StorageRequest request,
                                                                sql::Database* store) {
    auto ticket = std::make_shared<Ticket>();
    ticket->agent = agent;
    ticket->request = std::move(request);
    ticket->request.request_id = new_uuid();
    ticket->store = store;
    ticket->placed_ms = steady_ms();
    ticket->pipe =
        std::make_shared<BytePipe>(BytePipe::Limits{kPipeBytes, static_cast<std::uint64_t>(patience_.silent_ms)});
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || tickets_.size() >= kMostTickets) return overloaded();
        tickets_.emplace(ticket->request.request_id, ticket);
    }
    if (auto told = sharing_ ? share(*ticket) : Result<>(); !told) {
        const std::lock_guard lock(mutex_);
        tickets_.erase(ticket->request.request_id);
        return told.error();
    }
    wake_(agent);
    return ticket;
}

Result<> StorageDesk::share(const Ticket& ticket) {
    if (ticket.store == nullptr) return Error(Errc::invalid, "the desk is shared by a store");
    const TimeMs now = sharing_->clock.now_ms();
    if (!sharing_->has_address) {
        const auto alive = TRY(store::Replicas(*ticket.store).alive(now));
        const bool alone = alive.empty() || (alive.size() == 1 && alive.front().id == sharing_->replica_id);
        if (!alone) return no_address();
    }
    return shared(*ticket.store)->place(sharing_->replica_id, ticket.agent, ticket.request, now);
}

bool StorageDesk::is_outdated(const std::string& agent) const {
    const auto known = agents_.find(agent);
    return known != agents_.end() && known->second.version < 1;
}

bool StorageDesk::is_silent(const std::string& agent) const {
    const auto known = agents_.find(agent);
    if (known == agents_.end()) return false;
    const std::int64_t limit_ms = known->second.gone ? patience_.silent_ms : patience_.unheard_ms;
    return steady_ms() - known->second.heard_ms >= limit_ms;
}

// An agent that still works on what nobody waits for any more is told with its next poll.
void StorageDesk::forget(const Ticket& ticket, bool complete) {
    if (sharing_) return forget_shared(ticket, complete);
    {
        const std::lock_guard lock(mutex_);
        tickets_.erase(ticket.request.request_id);
        const auto known = agents_.find(ticket.agent);
        if (complete || !ticket.taken || ticket.answered() || stopping_ || known == agents_.end()) return;
        Agent& agent = known->second;
        if (agent.version < control_plane::kTakesCancels || agent.cancelled.size() >= kMostCancelled) return;
        agent.cancelled.push_back(ticket.request.request_id);
    }
    wake_(ticket.agent);
}

void StorageDesk::forget_shared(const Ticket& ticket, bool complete) {
    {
        const std::lock_guard lock(mutex_);
        tickets_.erase(ticket.request.request_id);
        complete = complete || ticket.answered();
    }
    if (auto ended = shared(*ticket.store)->end(ticket.request.request_id, complete); !ended)
        log::warning("storage request not ended", {{"error", ended.error().message()}});
    if (!complete) wake_(ticket.agent);
}

// It is taken by whatever replica has the poll: the store tells, unless the answer comes first.
Result<> StorageDesk::wait_taken_elsewhere(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop) {
    auto requests = *shared(*ticket->store);
    const std::string& id = ticket->request.request_id;
    const std::int64_t until = steady_ms() + patience_.taken_ms;
    while (true) {
        {
            std::unique_lock lock(mutex_);
            const std::int64_t left = std::max<std::int64_t>(until - steady_ms(), 0);
            moved_.wait_for(lock, stop, std::chrono::milliseconds(std::min(kLookMs, left)),
                            [&] { return stopping_ || ticket->begun || ticket->answered(); });
            if (ticket->begun || ticket->answered()) return {};
            if (stopping_ || stop.stop_requested()) return stopped();
        }
        const Fate fate = TRY(requests.fate(id));
        if (fate == Fate::taken) return {};
        if (fate == Fate::outdated) return outdated();
        if (fate == Fate::lost) return to_error(*lost().failure);
        if (steady_ms() >= until && TRY(requests.withdraw(id))) return offline();
    }
}

Result<std::optional<Error>> StorageDesk::trouble_with_agent(const Ticket& ticket) const {
    using Trouble = std::optional<Error>;
    auto requests = *shared(*ticket.store);
    const Fate fate = TRY(requests.fate(ticket.request.request_id));
    if (fate == Fate::lost) return Trouble(to_error(*lost().failure));
    // It was given back, by a replica whose poll had gone.
    const bool late = fate == Fate::waiting && steady_ms() - ticket.placed_ms >= patience_.taken_ms;
    if (late && TRY(requests.withdraw(ticket.request.request_id))) return Trouble(offline());
    const auto silence = TRY(requests.silence_of(ticket.agent));
    if (!silence) return Trouble(offline());
    const std::int64_t limit_ms = silence->gone ? patience_.silent_ms : patience_.unheard_ms;
    return sharing_->clock.now_ms() - silence->since >= limit_ms ? Trouble(offline()) : Trouble();
}

Result<> StorageDesk::check_agent(const Ticket& ticket) {
    if (!sharing_) {
        const std::lock_guard lock(mutex_);
        return is_silent(ticket.agent) ? Result<>(offline()) : Result<>();
    }
    const auto trouble = trouble_with_agent(ticket);
    // A store that is away for a moment says nothing of the agent.
    return trouble && *trouble ? Result<>(**trouble) : Result<>();
}

Result<> StorageDesk::wait_taken(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop) {
    if (sharing_) return wait_taken_elsewhere(ticket, stop);
    std::unique_lock lock(mutex_);
    if (is_outdated(ticket->agent)) return outdated();
    moved_.wait_for(lock, stop, std::chrono::milliseconds(patience_.taken_ms),
                    [&] { return stopping_ || ticket->taken || is_outdated(ticket->agent); });
    if (ticket->taken) return {};
    if (stopping_ || stop.stop_requested()) return stopped();
    return is_outdated(ticket->agent) ? outdated() : offline();
}

Result<> StorageDesk::wait_begun(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop) {
    const bool prepares = ticket->request.action == kOdooZip;
    const std::int64_t until = steady_ms() + (prepares ? patience_.prepared_ms : patience_.answer_ms);
    while (true) {
        {
            std::unique_lock lock(mutex_);
            moved_.wait_for(lock, stop, std::chrono::milliseconds(kLookMs),
                            [&] { return stopping_ || ticket->begun || ticket->answered(); });
            if (stopping_ || stop.stop_requested()) return stopped();
            if (ticket->answer && ticket->answer->failure) return to_error(*ticket->answer->failure);
            if (ticket->begun) return {};
            if (ticket->answered() || steady_ms() >= until) return offline();
        }
        TRY(check_agent(*ticket));
    }
}

Result<> StorageDesk::wait_answered(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop) {
    const std::int64_t until = steady_ms() + patience_.answer_ms;
    while (true) {
        {
            std::unique_lock lock(mutex_);
            const std::int64_t left = std::max<std::int64_t>(until - steady_ms(), 0);
            moved_.wait_for(lock, stop, std::chrono::milliseconds(std::min(kLookMs, left)),
                            [&] { return stopping_ || ticket->answered(); });
            if (ticket->answered()) return {};
            if (stopping_ || stop.stop_requested()) return stopped();
            if (steady_ms() >= until) return offline();
        }
        TRY(check_agent(*ticket));
    }
}

StorageDesk::Answered StorageDesk::wait_answer(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop) {
    TRY(wait_answered(ticket, stop));
    std::unique_lock lock(mutex_);
    if (ticket->answer && ticket->answer->failure) return to_error(*ticket->answer->failure);
    if (ticket->answer) return *ticket->answer;
    const std::string text = std::move(*ticket->text);
    lock.unlock();
    auto decoded = json::decode_text<StorageAnswer>(text, json::kLenient);
    if (!decoded) return Error(Errc::corrupted, "the agent's answer is not understood: " + decoded.error().message());
    if (decoded->failure) return to_error(*decoded->failure);
    return decoded;
}

Result<StorageAnswer> StorageDesk::ask(const std::string& agent, StorageRequest request, const std::stop_token& stop,
                                       sql::Database* store) {
    const auto ticket = TRY(place(agent, std::move(request), store));
    auto answered = [&]() -> Answered {
        TRY(wait_taken(ticket, stop));
        return wait_answer(ticket, stop);
    }();
    forget(*ticket, answered.has_value());
    return answered;
}

Result<> StorageDesk::fetch(const std::string& agent, StorageRequest request, Sink& into, const std::stop_token& stop,
                            sql::Database* store) {
    const auto ticket = TRY(place(agent, std::move(request), store));
    const std::stop_callback closing(stop, [&] { ticket->pipe->close(stopped()); });
    auto fetched = [&]() -> Result<> {
        TRY(wait_taken(ticket, stop));
        TRY(wait_begun(ticket, stop));
        PipeSource content(*ticket->pipe);
        TRY(copy(content, into));
        return {};
    }();
    forget(*ticket, fetched.has_value());
    ticket->pipe->close(Error(Errc::cancelled, "nobody reads it any more"));
    return fetched;
}

Result<StorageAnswer> StorageDesk::bring(const std::string& agent, StorageRequest request, Source& from,
                                         const std::stop_token& stop, sql::Database* store) {
    const auto ticket = TRY(place(agent, std::move(request), store));
    const std::stop_callback closing(stop, [&] { ticket->pipe->close(stopped()); });
    auto brought = [&]() -> Answered {
        TRY(wait_taken(ticket, stop));
        PipeSink content(*ticket->pipe);
        if (auto copied = copy(from, content); !copied) {
            ticket->pipe->fail(copied.error());
            return copied.error();
        }
        ticket->pipe->finish();
        return wait_answer(ticket, stop);
    }();
    // The agent may still wait for bytes; what it has been given is not whole.
    if (!brought) ticket->pipe->fail(brought.error());
    forget(*ticket, brought.has_value());
    return brought;
}

void StorageDesk::note_poll(const std::string& agent, const std::string& instance, std::int32_t storage_version) {
    if (sharing_) return;  // the store knows, wherever it polls
    std::vector<std::string> lost_ids;
    {
        const std::lock_guard lock(mutex_);
        Agent& known = agents_[agent];
        if (!known.instance.empty() && known.instance != instance) {
            known.cancelled.clear();
            for (const auto& [id, ticket] : tickets_) {
                if (ticket->agent == agent && ticket->taken) lost_ids.push_back(id);
            }
        }
        known.version = storage_version;
        known.instance = instance;
        known.heard_ms = steady_ms();
        known.gone = false;
    }
    moved_.notify_all();
    for (const std::string& id : lost_ids) answer(agent, id, lost());
}

void StorageDesk::note_gone(const std::string& agent, const std::string& instance) {
    const std::lock_guard lock(mutex_);
    const auto known = agents_.find(agent);
    if (known == agents_.end() || known->second.instance != instance) return;
    known->second.heard_ms = steady_ms();
    known->second.gone = true;
}

bool StorageDesk::expects(const std::string& agent, const std::string& request_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = tickets_.find(request_id);
    return found != tickets_.end() && found->second->agent == agent && (sharing_ || found->second->taken) &&
           !found->second->answered();
}

bool StorageDesk::waits_here(const std::string& agent, const std::string& request_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = tickets_.find(request_id);
    return found != tickets_.end() && found->second->agent == agent;
}

bool StorageDesk::has_waiting(const std::string& agent) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, ticket] : tickets_) {
        if (ticket->agent == agent && !ticket->taken) return true;
    }
    return false;
}

std::vector<StorageRequest> StorageDesk::take(const std::string& agent) {
    std::vector<StorageRequest> out;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, ticket] : tickets_) {
            if (ticket->agent != agent || ticket->taken) continue;
            ticket->taken = true;
            out.push_back(ticket->request);
        }
        if (const auto known = agents_.find(agent); known != agents_.end()) {
            for (std::string& id : std::exchange(known->second.cancelled, {})) {
                StorageRequest cancel;
                cancel.action = "cancel";
                cancel.request_id = std::move(id);
                out.push_back(std::move(cancel));
            }
        }
    }
    if (!out.empty()) moved_.notify_all();
    return out;
}

bool StorageDesk::answer(const std::string& agent, const std::string& request_id, StorageAnswer answer) {
    std::shared_ptr<Ticket> ticket;
    {
        const std::lock_guard lock(mutex_);
        const auto found = tickets_.find(request_id);
        if (found == tickets_.end() || found->second->agent != agent || found->second->answered()) return false;
        ticket = found->second;
        ticket->answer = std::move(answer);
    }
    moved_.notify_all();
    // Whoever is busy with its content learns of a failure there.
    if (ticket->answer->failure) {
        ticket->pipe->fail(to_error(*ticket->answer->failure));
        if (ticket->request.action == "write") ticket->pipe->close(to_error(*ticket->answer->failure));
    }
    return true;
}

Result<bool> StorageDesk::answer_text(const std::string& agent, const std::string& request_id, std::string text) {
    if (text.size() <= kQuickText) {
        auto decoded = TRY(json::decode_text<StorageAnswer>(text, json::kLenient));
        return answer(agent, request_id, std::move(decoded));
    }
    {
        const std::lock_guard lock(mutex_);
        const auto found = tickets_.find(request_id);
        if (found == tickets_.end() || found->second->agent != agent || found->second->answered()) return false;
        found->second->text = std::move(text);
    }
    moved_.notify_all();
    return true;
}

SharedPipe StorageDesk::content(const std::string& agent, const std::string& request_id, std::string_view action) {
    SharedPipe pipe;
    {
        const std::lock_guard lock(mutex_);
        const auto found = tickets_.find(request_id);
        if (found == tickets_.end() || found->second->agent != agent || found->second->request.action != action)
            return nullptr;
        // Two bodies at once would be mixed.
        if (std::exchange(found->second->begun, true)) return nullptr;
        pipe = found->second->pipe;
    }
    moved_.notify_all();
    return pipe;
}

void StorageDesk::stop() {
    std::vector<std::shared_ptr<Ticket>> left;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (const auto& [id, ticket] : tickets_) left.push_back(ticket);
    }
    moved_.notify_all();
    for (const auto& ticket : left) {
        ticket->pipe->fail(Error(Errc::cancelled, "the control plane is stopping"));
        ticket->pipe->close(Error(Errc::cancelled, "the control plane is stopping"));
    }
}

}  // namespace backstay::relay
