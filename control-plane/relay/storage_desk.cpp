#include "control-plane/relay/storage_desk.h"

#include <array>

#include "common/domain/reasons.h"
#include "common/ids.h"
#include "control-plane/api/answer.h"

namespace backstay::relay {
namespace {

using control_plane::StorageAnswer;
using control_plane::StorageFailure;
using control_plane::StorageRequest;

constexpr std::size_t kMostTickets = 200;
constexpr BytePipe::Limits kPatient = {512 * 1024, 30 * 60 * 1000};

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

}  // namespace

StorageDesk::StorageDesk(std::function<void(const std::string& agent)> wake) : StorageDesk(std::move(wake), {}) {}

StorageDesk::StorageDesk(std::function<void(const std::string& agent)> wake, Patience patience)
    : wake_(std::move(wake)), patience_(patience) {}

std::shared_ptr<StorageDesk::Ticket> StorageDesk::place(const std::string& agent, StorageRequest request) {
    auto ticket = std::make_shared<Ticket>();
    ticket->agent = agent;
    ticket->request = std::move(request);
    ticket->request.request_id = new_uuid();
    // Before a ZIP begins, a dump may have to be fetched whole.
    ticket->pipe = std::make_shared<BytePipe>(ticket->request.action == "odoo_zip" ? kPatient : BytePipe::Limits());
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || tickets_.size() >= kMostTickets) return nullptr;
        tickets_.emplace(ticket->request.request_id, ticket);
    }
    wake_(agent);
    return ticket;
}

void StorageDesk::forget(const Ticket& ticket) {
    const std::lock_guard lock(mutex_);
    tickets_.erase(ticket.request.request_id);
}

Result<> StorageDesk::wait_taken(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto known = versions_.find(ticket->agent);
    if (known != versions_.end() && known->second < 1) return outdated();
    const bool taken = moved_.wait_for(lock, stop, std::chrono::milliseconds(patience_.taken_ms), [&] {
        const auto version = versions_.find(ticket->agent);
        return stopping_ || ticket->taken || (version != versions_.end() && version->second < 1);
    });
    if (ticket->taken) return {};
    if (stopping_ || stop.stop_requested()) return Error(Errc::cancelled, "stopped");
    return taken ? outdated() : offline();
}

StorageDesk::Answered StorageDesk::wait_answer(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    moved_.wait_for(lock, stop, std::chrono::milliseconds(patience_.answer_ms),
                    [&] { return stopping_ || ticket->answer.has_value(); });
    if (!ticket->answer) return stopping_ || stop.stop_requested() ? Error(Errc::cancelled, "stopped") : offline();
    if (ticket->answer->failure) return to_error(*ticket->answer->failure);
    return std::move(*ticket->answer);
}

Result<StorageAnswer> StorageDesk::ask(const std::string& agent, StorageRequest request, const std::stop_token& stop) {
    const auto ticket = place(agent, std::move(request));
    if (!ticket) return api::problem(503, "overloaded", "too many requests wait for agents; try again");
    auto answered = [&]() -> Answered {
        TRY(wait_taken(ticket, stop));
        return wait_answer(ticket, stop);
    }();
    forget(*ticket);
    return answered;
}

Result<> StorageDesk::fetch(const std::string& agent, StorageRequest request, Sink& into, const std::stop_token& stop) {
    const auto ticket = place(agent, std::move(request));
    if (!ticket) return api::problem(503, "overloaded", "too many requests wait for agents; try again");
    auto fetched = [&]() -> Result<> {
        TRY(wait_taken(ticket, stop));
        PipeSource content(*ticket->pipe);
        TRY(copy(content, into));
        return {};
    }();
    forget(*ticket);
    ticket->pipe->close(Error(Errc::cancelled, "nobody reads it any more"));
    return fetched;
}

Result<StorageAnswer> StorageDesk::bring(const std::string& agent, StorageRequest request, Source& from,
                                         const std::stop_token& stop) {
    const auto ticket = place(agent, std::move(request));
    if (!ticket) return api::problem(503, "overloaded", "too many requests wait for agents; try again");
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
    forget(*ticket);
    return brought;
}

void StorageDesk::note_poll(const std::string& agent, std::int32_t storage_version) {
    {
        const std::lock_guard lock(mutex_);
        versions_.insert_or_assign(agent, storage_version);
    }
    moved_.notify_all();
}

bool StorageDesk::expects(const std::string& agent, const std::string& request_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = tickets_.find(request_id);
    return found != tickets_.end() && found->second->agent == agent && found->second->taken && !found->second->answer;
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
    }
    if (!out.empty()) moved_.notify_all();
    return out;
}

bool StorageDesk::answer(const std::string& agent, const std::string& request_id, StorageAnswer answer) {
    std::shared_ptr<Ticket> ticket;
    {
        const std::lock_guard lock(mutex_);
        const auto found = tickets_.find(request_id);
        if (found == tickets_.end() || found->second->agent != agent || found->second->answer) return false;
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

SharedPipe StorageDesk::content(const std::string& agent, const std::string& request_id, std::string_view action) {
    const std::lock_guard lock(mutex_);
    const auto found = tickets_.find(request_id);
    if (found == tickets_.end() || found->second->agent != agent || found->second->request.action != action)
        return nullptr;
    return found->second->pipe;
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
