#include "control-plane/agent-api/assignment_polls.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/api/answer.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/sessions.h"

namespace backstay::agent_api {
namespace {

using control_plane::AssignmentsAnswer;
using control_plane::AssignmentsRequest;
using Lane = store::DatabaseThreads::Lane;
using Done = store::DatabaseThreads::Done;

constexpr std::uint64_t kTickMs = 1'000;

bool is_empty(const AssignmentsAnswer& answer) {
    return answer.assignments.empty() && answer.cancel.empty() && answer.storage.empty();
}

Result<AssignmentsAnswer> ask(sql::Database& db, const std::string& agent_id, const AssignmentsRequest& request,
                              const dispatch::OpenDestination& open, TimeMs now, dispatch::Stir& stir) {
    auto transaction = TRY(sql::Transaction::begin(db));
    const auto agent = TRY(store::Agents(db).by_id(agent_id));
    if (!agent) return api::problem(401, "invalid_auth", "this agent is not known any more");
    auto answer = TRY(dispatch::next_assignments(db, *agent, request, open, now, stir));
    TRY(transaction.commit());
    return answer;
}

}  // namespace

struct AssignmentPolls::Poll {
    std::unique_ptr<http::Exchange> exchange;
    std::string agent_id;
    AssignmentsRequest request;
    std::int64_t until_ms = 0;  // steady
    bool looking = false;
    bool again = false;
};

struct AssignmentPolls::Look {
    Result<AssignmentsAnswer> answer;
    dispatch::Stir stir;
};

AssignmentPolls::AssignmentPolls(Loop& loop, store::DatabaseThreads& threads, const Clock& clock,
                                 dispatch::OpenDestination open, Stirred stirred)
    : threads_(threads),
      clock_(clock),
      open_destination_(std::move(open)),
      stirred_(std::move(stirred)),
      tick_timer_(loop, kTickMs, kTickMs, [this] { tick(); }) {}

AssignmentPolls::~AssignmentPolls() = default;

void AssignmentPolls::open(api::Call call, std::unique_ptr<http::Exchange> exchange) {
    auto request = json::decode_text<AssignmentsRequest>(call.request.body, json::kLenient);
    if (!request) return exchange->respond(api::error_answer(400, "validation_error", request.error().message()));
    if (desk_ != nullptr) desk_->note_poll(call.principal.id, request->instance_id, request->storage_version);
    make_room(call.principal.id, request->instance_id);
    const std::uint64_t key = ++last_key_;
    auto poll = std::make_unique<Poll>();
    poll->exchange = std::move(exchange);
    poll->agent_id = call.principal.id;
    poll->request = std::move(*request);
    poll->until_ms = steady_ms() + std::clamp<std::int64_t>(poll->request.wait_ms, 0, kLongestWaitMs);
    poll->exchange->on_abandoned([this, key] { abandoned(key); });
    polls_.emplace(key, std::move(poll));
    look(key);
}

void AssignmentPolls::make_room(const std::string& agent_id, const std::string& instance_id) {
    std::vector<std::uint64_t> others;
    std::vector<std::uint64_t> over;
    for (const auto& [key, poll] : polls_) {
        if (poll->agent_id != agent_id) continue;
        (poll->request.instance_id == instance_id ? over : others).push_back(key);
    }
    // Keys rise: the oldest come first.
    for (std::size_t i = 0; others.size() - i >= kPollsPerAgent; ++i) over.push_back(others[i]);
    for (const std::uint64_t key : over) answer_now(key);
}

void AssignmentPolls::answer_now(std::uint64_t key) {
    const auto found = polls_.find(key);
    if (found->second->looking) {  // what it finds must be told: it answers then
        found->second->until_ms = 0;
        found->second->again = false;
        return;
    }
    const std::unique_ptr<Poll> poll = std::move(found->second);
    polls_.erase(found);
    poll->exchange->respond(api::json_answer(200, json::encode(AssignmentsAnswer{})));
}

void AssignmentPolls::look(std::uint64_t key) {
    const auto found = polls_.find(key);
    if (found == polls_.end()) return;
    Poll& poll = *found->second;
    if (poll.looking) {
        poll.again = true;
        return;
    }
    poll.looking = true;
    const bool taken =
        threads_.submit(Lane::write, [this, key, agent = poll.agent_id, request = poll.request](sql::Database& db) {
            dispatch::Stir stir;
            auto answer = ask(db, agent, request, open_destination_, clock_.now_ms(), stir);
            return Done([this, key, look = Look{std::move(answer), std::move(stir)}]() mutable {
                looked(key, std::move(look));
            });
        });
    if (!taken) looked(key, {api::problem(503, "busy", "too much to do at the moment"), {}});
}

void AssignmentPolls::looked(std::uint64_t key, Look look) {
    if (look.answer) stirred_(look.stir);
    const auto found = polls_.find(key);
    if (found == polls_.end()) return;  // gone meanwhile: what was handed out is offered again
    Poll& poll = *found->second;
    poll.looking = false;
    if (look.answer && desk_ != nullptr && poll.request.storage_version >= 1)
        look.answer->storage = desk_->take(poll.agent_id);
    const bool answers = !look.answer || !is_empty(*look.answer) || steady_ms() >= poll.until_ms;
    if (answers) {
        const std::unique_ptr<Poll> taken = std::move(found->second);
        polls_.erase(found);
        taken->exchange->respond(look.answer ? api::json_answer(200, json::encode(*look.answer))
                                             : api::error_answer(look.answer.error()));
        return;
    }
    if (std::exchange(poll.again, false)) this->look(key);
}

void AssignmentPolls::abandoned(std::uint64_t key) {
    const auto found = polls_.find(key);
    if (found == polls_.end()) return;
    const std::string agent = found->second->agent_id;
    const std::string instance = found->second->request.instance_id;
    polls_.erase(found);
    // A hang-up of an old connection says nothing about a process that polls on a newer one.
    const bool polls_on = std::any_of(polls_.begin(), polls_.end(), [&](const auto& item) {
        return item.second->agent_id == agent && item.second->request.instance_id == instance;
    });
    if (polls_on) return;
    if (desk_ != nullptr) desk_->note_gone(agent, instance);
    const bool taken = threads_.submit(Lane::write, [agent, instance](sql::Database& db) {
        const auto noted = dispatch::note_gone(db, agent, instance);
        if (!noted) log::warning("session not noted", {{"agent", agent}, {"error", noted.error().message()}});
        return Done();
    });
    if (!taken) log::warning("session not noted", {{"agent", agent}});
}

void AssignmentPolls::wake(const std::set<std::string>& agents) {
    std::vector<std::uint64_t> keys;
    for (const auto& [key, poll] : polls_) {
        if (agents.contains(poll->agent_id)) keys.push_back(key);
    }
    for (const std::uint64_t key : keys) look(key);
}

void AssignmentPolls::tick() {
    std::vector<std::unique_ptr<Poll>> over;
    const std::int64_t now = steady_ms();
    for (auto at = polls_.begin(); at != polls_.end();) {
        if (at->second->looking || now < at->second->until_ms) {
            ++at;
            continue;
        }
        over.push_back(std::move(at->second));
        at = polls_.erase(at);
    }
    for (const auto& poll : over) poll->exchange->respond(api::json_answer(200, json::encode(AssignmentsAnswer{})));
    if (!polls_.empty()) find_due();
}

// Retries whose time has come, and offers that nobody took: a cheap question that mostly answers "none".
void AssignmentPolls::find_due() {
    if (finding_) return;
    finding_ = threads_.submit(Lane::read, [this](sql::Database& db) {
        auto due = dispatch::agents_with_due_jobs(db, clock_.now_ms());
        return Done([this, due = std::move(due)] {
            finding_ = false;
            if (due) wake(*due);
        });
    });
}

void AssignmentPolls::close_all() {
    for (const auto& [key, poll] : polls_) {
        poll->exchange->respond(api::json_answer(200, json::encode(AssignmentsAnswer{})));
    }
    polls_.clear();
}

}  // namespace backstay::agent_api
