#include "control-plane/agent-api/assignment_polls.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>

#include "common/ids.h"
#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/api/answer.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/store/fair_queue.h"

namespace backstay::agent_api {
namespace {

using control_plane::AssignmentsAnswer;
using control_plane::AssignmentsRequest;
using control_plane::StorageRequest;
using Lane = store::DatabaseThreads::Lane;
using Done = store::DatabaseThreads::Done;
using Told = store::DatabaseThreads::Told;

constexpr std::uint64_t kTickMs = 1'000;
constexpr std::int64_t kFindSpacingMs = 50;  // between questions that new polls bring about

bool is_empty(const AssignmentsAnswer& answer) {
    return answer.assignments.empty() && answer.cancel.empty() && answer.storage.empty();
}

}  // namespace

std::int64_t patience_ms(std::int64_t wanted_ms, std::string_view poll) {
    const std::int64_t most = std::clamp<std::int64_t>(wanted_ms, 0, kLongestWaitMs);
    const std::size_t less = std::hash<std::string_view>()(poll) % static_cast<std::size_t>(most / 10 + 1);
    return most - static_cast<std::int64_t>(less);
}

struct AssignmentPolls::Poll {
    std::unique_ptr<http::Exchange> exchange;
    std::string agent_id;
    std::string organization_id;
    std::string id;  // among those of all replicas
    bool noted = false;
    AssignmentsRequest request;
    std::int64_t until_ms = 0;  // steady
    bool looking = false;
    bool looked = false;
    bool again = false;
    // Whether the look that was ordered last has begun. Shared: the poll may be gone before either of its places in the
    // lines comes up.
    std::shared_ptr<std::atomic<bool>> begun = {};
    bool among_heartbeats = false;  // that look's only place
    bool abandoned = false;         // its peer went away while it was looking
};

struct AssignmentPolls::Asker {
    dispatch::Waiting waiting;
    std::string organization_id;
    AssignmentsRequest request;
    bool is_new = false;  // the poll has not been noted yet
};

struct AssignmentPolls::Look {
    Result<AssignmentsAnswer> answer = AssignmentsAnswer{};
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
    poll->organization_id = call.organization_id;
    poll->id = new_uuid();
    poll->request = std::move(*request);
    poll->until_ms = steady_ms() + patience_ms(poll->request.wait_ms, poll->id);
    poll->exchange->on_abandoned([this, key] { abandoned(key); });
    keys_of_[poll->agent_id].push_back(key);
    polls_.emplace(key, std::move(poll));
    look(key);
}

const std::vector<std::uint64_t>& AssignmentPolls::keys_of(const std::string& agent_id) const {
    static const std::vector<std::uint64_t> kNone;
    const auto found = keys_of_.find(agent_id);
    return found == keys_of_.end() ? kNone : found->second;
}

AssignmentPolls::Polls::iterator AssignmentPolls::forget(Polls::iterator poll) {
    const auto keys = keys_of_.find(poll->second->agent_id);
    std::erase(keys->second, poll->first);
    if (keys->second.empty()) keys_of_.erase(keys);
    return polls_.erase(poll);
}

void AssignmentPolls::make_room(const std::string& agent_id, const std::string& instance_id) {
    std::vector<std::uint64_t> others;
    std::vector<std::uint64_t> over;
    for (const std::uint64_t key : keys_of(agent_id)) {
        (polls_.at(key)->request.instance_id == instance_id ? over : others).push_back(key);
    }
    // The oldest come first.
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
    const std::unique_ptr<http::Exchange> exchange = std::move(found->second->exchange);
    forget(found);
    exchange->respond(api::json_answer(200, json::encode(AssignmentsAnswer{})));
}

void AssignmentPolls::look(std::uint64_t key) {
    const auto found = polls_.find(key);
    if (found == polls_.end()) return;
    Poll& poll = *found->second;
    if (poll.looking) return look_anew(key, poll);
    poll.looking = true;
    poll.begun = std::make_shared<std::atomic<bool>>(false);
    poll.among_heartbeats = !std::exchange(poll.looked, true);
    const std::string line = poll.organization_id + (poll.among_heartbeats ? store::kAgentsLine : "");
    // Who does not wait has this look only, which must find all there is.
    const bool waits = poll.until_ms > steady_ms() + static_cast<std::int64_t>(kTickMs);
    const bool taken = poll.among_heartbeats && waits ? threads_.submit_member(member_of(key, poll), line)
                                                      : threads_.submit(Lane::write, work_of(key, poll), line);
    if (!taken) looked(key, {api::problem(503, "busy", "too much to do at the moment"), {}});
}

// Somebody waits for what a poll is woken for: that look does not wait behind heartbeats. One that stands there has a
// second place, and begins in whichever comes first.
void AssignmentPolls::look_anew(std::uint64_t key, Poll& poll) {
    if (*poll.begun) {
        poll.again = true;
    } else if (poll.among_heartbeats) {
        poll.among_heartbeats = !threads_.submit(Lane::write, work_of(key, poll), poll.organization_id);
    }
}

store::DatabaseThreads::Work AssignmentPolls::work_of(std::uint64_t key, const Poll& poll) {
    return [this, key, asker = asker_of(poll), begun = poll.begun](sql::Database& db) {
        if (begun->exchange(true)) return Done();
        Look look = look_for(db, asker);
        if (look.answer) look.answer->storage = shared_storage(db, asker);
        return Done([this, key, look = std::move(look)]() mutable { looked(key, std::move(look)); });
    };
}

// Its commit is shared with heartbeats and other polls.
store::DatabaseThreads::Member AssignmentPolls::member_of(std::uint64_t key, const Poll& poll) {
    return [this, key, asker = asker_of(poll), begun = poll.begun](sql::Database& db) -> Told {
        if (begun->exchange(true)) return [](const Result<>&) {};
        return [this, key, look = look_for(db, asker)](const Result<>& stored) mutable {
            // A refusal too: it may rest on what another member wrote.
            if (!stored) look.answer = stored.error();
            // Storage requests are not in the look: they would be locked until others' writes are stored. Who was woken
            // while it stood in line looks again, since they may be why.
            const auto found = polls_.find(key);
            if (found != polls_.end() && !found->second->among_heartbeats && shares_storage())
                found->second->again = true;
            looked(key, std::move(look));
            find_waited_for();
        };
    };
}

AssignmentPolls::Look AssignmentPolls::look_for(sql::Database& db, const Asker& asker) const {
    Look look;
    look.answer = ask(db, asker, look.stir);
    return look;
}

Result<AssignmentsAnswer> AssignmentPolls::ask(sql::Database& db, const Asker& asker, dispatch::Stir& stir) const {
    auto transaction = TRY(sql::Transaction::begin(db, asker.organization_id));
    const auto agent = TRY(store::Agents(db).by_id(asker.waiting.agent_id));
    if (!agent) return api::problem(401, "invalid_auth", "this agent is not known any more");
    auto answer = TRY(dispatch::next_assignments(db, *agent, asker.request, open_destination_, clock_.now_ms(), stir));
    if (asker.is_new) TRY(dispatch::note_waiting(db, asker.waiting));
    TRY(transaction.commit());
    return answer;
}

AssignmentPolls::Asker AssignmentPolls::asker_of(const Poll& poll) {
    return {waiting_on(poll), poll.organization_id, poll.request, !poll.noted};
}

dispatch::Waiting AssignmentPolls::waiting_on(const Poll& poll) {
    return {poll.agent_id, poll.request.instance_id, poll.id};
}

void AssignmentPolls::looked(std::uint64_t key, Look look) {
    if (look.answer) stirred_(look.stir);
    const auto found = polls_.find(key);
    const bool stays = found != polls_.end() && !found->second->abandoned;
    // Jobs that were handed out are offered again by themselves.
    if (!stays && look.answer) give_back(std::move(look.answer->storage));
    if (found == polls_.end()) return;
    Poll& poll = *found->second;
    if (poll.abandoned) return leave(key);
    poll.looking = false;
    poll.noted = poll.noted || look.answer.has_value();
    if (look.answer && desk_ != nullptr && !desk_->is_shared() && poll.request.storage_version >= 1)
        look.answer->storage = desk_->take(poll.agent_id);
    const bool answers = !look.answer || !is_empty(*look.answer) || steady_ms() >= poll.until_ms;
    if (answers) {
        const std::unique_ptr<http::Exchange> exchange = std::move(poll.exchange);
        forget(found);
        exchange->respond(look.answer ? api::json_answer(200, json::encode(*look.answer))
                                      : api::error_answer(look.answer.error()));
        return;
    }
    if (std::exchange(poll.again, false)) this->look(key);
}

void AssignmentPolls::abandoned(std::uint64_t key) {
    const auto found = polls_.find(key);
    if (found == polls_.end()) return;
    // What it is doing notes that the process waits: the end comes after that.
    found->second->abandoned = true;
    if (!found->second->looking) leave(key);
}

void AssignmentPolls::leave(std::uint64_t key) {
    const auto found = polls_.find(key);
    const dispatch::Waiting waited = waiting_on(*found->second);
    const std::string organization = found->second->organization_id;
    forget(found);
    // A hang-up of an old connection says nothing about a process that polls on a newer one.
    const auto& keys = keys_of(waited.agent_id);
    const bool polls_on = std::any_of(keys.begin(), keys.end(), [&](std::uint64_t other) {
        return polls_.at(other)->request.instance_id == waited.instance_id && !polls_.at(other)->abandoned;
    });
    if (polls_on) return;
    if (desk_ != nullptr) desk_->note_gone(waited.agent_id, waited.instance_id);
    const bool taken = threads_.submit(
        Lane::write,
        [this, waited](sql::Database& db) {
            const auto noted = dispatch::note_gone(db, waited);
            if (!noted)
                log::warning("session not noted", {{"agent", waited.agent_id}, {"error", noted.error().message()}});
            // Who polls anew since then may have been met before.
            return Done([this, agent = waited.agent_id] { wake({agent}); });
        },
        organization + store::kAgentsLine);
    if (!taken) log::warning("session not noted", {{"agent", waited.agent_id}});
}

void AssignmentPolls::wake(const std::set<std::string>& agents) {
    for (const std::string& agent : agents) {
        const std::vector<std::uint64_t> keys = keys_of(agent);  // a copy: looking may end a poll
        for (const std::uint64_t key : keys) look(key);
    }
}

void AssignmentPolls::tick() {
    std::vector<std::unique_ptr<http::Exchange>> over;
    const std::int64_t now = steady_ms();
    for (auto at = polls_.begin(); at != polls_.end();) {
        if (at->second->looking || now < at->second->until_ms) {
            ++at;
            continue;
        }
        over.push_back(std::move(at->second->exchange));
        at = forget(at);
    }
    for (const auto& exchange : over) exchange->respond(api::json_answer(200, json::encode(AssignmentsAnswer{})));
    find_due();
}

// Not in the transaction of the jobs: what waits is taken by one statement, and whoever is waited for is not locked.
std::vector<StorageRequest> AssignmentPolls::shared_storage(sql::Database& db, const Asker& asker) const {
    if (!shares_storage()) return {};
    const auto& [agent, instance, poll] = asker.waiting;
    auto taken = desk_->shared(db)->take(agent, instance, asker.request.storage_version, clock_.now_ms());
    if (taken) return std::move(*taken);
    log::warning("storage requests not handed out", {{"agent", agent}, {"error", taken.error().message()}});
    return {};
}

void AssignmentPolls::give_back(std::vector<StorageRequest> requests) {
    if (requests.empty()) return;
    const bool taken = threads_.submit(Lane::write, [desk = desk_, requests = std::move(requests)](sql::Database& db) {
        if (auto given = desk->shared(db)->give_back(requests); !given)
            log::warning("storage requests not given back", {{"error", given.error().message()}});
        return Done();
    });
    if (!taken) log::warning("storage requests not given back: too much waits");
}

Result<std::set<std::string>> AssignmentPolls::agents_with_something(sql::Database& db) const {
    auto agents = TRY(dispatch::agents_with_due_jobs(db, clock_.now_ms()));
    if (shares_storage()) agents.merge(TRY(desk_->shared(db)->agents_waited_for(clock_.now_ms())));
    return agents;
}

void AssignmentPolls::find_due() {
    find(finding_due_, [this](sql::Database& db) { return agents_with_something(db); });
}

// Only those: agents whose jobs wait for a free slot would be woken each time.
void AssignmentPolls::find_waited_for() {
    if (!shares_storage() || steady_ms() < found_waited_for_ms_ + kFindSpacingMs) return;
    found_waited_for_ms_ = steady_ms();
    find(finding_waited_for_,
         [this](sql::Database& db) { return desk_->shared(db)->agents_waited_for(clock_.now_ms()); });
}

void AssignmentPolls::find(bool& finding, std::function<Result<std::set<std::string>>(sql::Database&)> question) {
    if (finding || polls_.empty()) return;
    finding = threads_.submit(Lane::read, [this, &finding, question = std::move(question)](sql::Database& db) {
        auto agents = question(db);
        return Done([this, &finding, agents = std::move(agents)] {
            finding = false;
            if (agents) wake(*agents);
        });
    });
}

void AssignmentPolls::close_all() {
    for (const auto& [key, poll] : polls_) {
        if (poll->abandoned) continue;
        poll->exchange->respond(api::json_answer(200, json::encode(AssignmentsAnswer{})));
    }
    polls_.clear();
    keys_of_.clear();
}

}  // namespace backstay::agent_api
