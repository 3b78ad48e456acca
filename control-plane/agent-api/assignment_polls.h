// Agents waiting for work: each long poll is parked on the loop thread until there is something for its agent, its time
// is over, the same process polls anew, or its peer goes away (which tells that the process ended).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "common/event/loop.h"
#include "common/http/server.h"
#include "control-plane-client/protocol.h"
#include "control-plane/api/call.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/dispatch/sessions.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/relay/storage_desk.h"
#include "control-plane/store/database_threads.h"

namespace backstay::agent_api {

inline constexpr std::int64_t kLongestWaitMs = 55'000;
// Of one agent; one process has a single poll, but a new process may begin before the old one's poll is over.
inline constexpr std::size_t kPollsPerAgent = 4;

// How long a poll is parked that wants to wait so long: up to a tenth less, so that those that began together do not
// end, and begin anew, in one second.
std::int64_t patience_ms(std::int64_t wanted_ms, std::string_view poll);

class AssignmentPolls {
public:
    using Stirred = std::function<void(const dispatch::Stir&)>;  // on the loop thread

    AssignmentPolls(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, dispatch::OpenDestination open,
                    Stirred stirred);
    ~AssignmentPolls();

    // Storage requests are handed out within polls from now on; it outlives this.
    void serve_storage(relay::StorageDesk& desk) { desk_ = &desk; }
    void open(api::Call call, std::unique_ptr<http::Exchange> exchange);
    // There may be something for these agents.
    void wake(const std::set<std::string>& agents);
    // Retries whose time has come, offers that nobody took, and what nobody woke us for: a cheap question that mostly
    // answers "none". Asked each second, too.
    void find_due();
    // Answers every poll with nothing: the daemon stops.
    void close_all();
    std::size_t size() const { return polls_.size(); }

private:
    struct Poll;
    struct Asker;
    struct Look;
    using Polls = std::map<std::uint64_t, std::unique_ptr<Poll>>;

    // Of one agent, the oldest first.
    const std::vector<std::uint64_t>& keys_of(const std::string& agent_id) const;
    Polls::iterator forget(Polls::iterator poll);
    void look(std::uint64_t key);
    void look_anew(std::uint64_t key, Poll& poll);
    store::DatabaseThreads::Work work_of(std::uint64_t key, const Poll& poll);
    store::DatabaseThreads::Member member_of(std::uint64_t key, const Poll& poll);
    static Asker asker_of(const Poll& poll);
    Look look_for(sql::Database& db, const Asker& asker) const;
    Result<control_plane::AssignmentsAnswer> ask(sql::Database& db, const Asker& asker, dispatch::Stir& stir) const;
    static dispatch::Waiting waiting_on(const Poll& poll);
    void looked(std::uint64_t key, Look look);
    void abandoned(std::uint64_t key);
    void leave(std::uint64_t key);
    // Before a new poll is parked: those that it takes the place of are answered with nothing.
    void make_room(const std::string& agent_id, const std::string& instance_id);
    void answer_now(std::uint64_t key);
    void tick();
    // What any replica's users want of the agent; taken from the store, where replicas share it.
    bool shares_storage() const { return desk_ != nullptr && desk_->is_shared(); }
    std::vector<control_plane::StorageRequest> shared_storage(sql::Database& db, const Asker& asker) const;
    // What was taken from there and did not get to the agent.
    void give_back(std::vector<control_plane::StorageRequest> requests);
    Result<std::set<std::string>> agents_with_something(sql::Database& db) const;
    // What users wanted of an agent's storage before it polled.
    void find_waited_for();
    // Wakes the polls of the agents that `question` names, once at a time.
    void find(bool& finding, std::function<Result<std::set<std::string>>(sql::Database&)> question);

    store::DatabaseThreads& threads_;
    const Clock& clock_;
    const dispatch::OpenDestination open_destination_;
    const Stirred stirred_;
    std::uint64_t last_key_ = 0;
    Polls polls_;
    // With ten thousand agents nobody may walk all polls because of one.
    std::unordered_map<std::string, std::vector<std::uint64_t>> keys_of_;
    relay::StorageDesk* desk_ = nullptr;
    bool finding_due_ = false;
    bool finding_waited_for_ = false;
    std::int64_t found_waited_for_ms_ = 0;  // steady
    Timer tick_timer_;
};

}  // namespace backstay::agent_api
