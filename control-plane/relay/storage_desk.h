// Requests to look into a destination on an agent's host: a worker asks and waits, the agent's long poll takes the
// request, its answer comes by an HTTP request of its own (control-plane-client/README.md). Thread-safe; whoever asks
// blocks, whoever hands out or answers does not.
//
// Where several replicas share the store, a request is also a row (shared_requests.h): any replica's poll takes it
// there. The answer is still waited for here; what comes to another replica is passed on (pass_on.h).
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/event/byte_pipe.h"
#include "control-plane-client/protocol.h"
#include "control-plane/relay/shared_requests.h"

namespace backstay::relay {

class StorageDesk {
public:
    struct Patience {
        std::int64_t taken_ms = 6'000;    // until the agent's poll takes it
        std::int64_t answer_ms = 60'000;  // until its answer, or until its content begins
        // A ZIP begins when a dump has been fetched whole: that may take long, but not in silence.
        std::int64_t prepared_ms = 30 * 60'000;
        std::int64_t silent_ms = 30'000;   // content without a byte, an agent that has left
        std::int64_t unheard_ms = 90'000;  // an agent whose polls, a minute long, do not come
    };
    // This replica among others.
    struct Sharing {
        const SecretBox& box;  // outlives the desk, as the clock
        const Clock& clock;
        std::string replica_id;
        bool has_address = false;  // the others can reach it
    };
    // `wake`: something waits for this agent, wherever its poll is; called from any thread. Without `sharing` all polls
    // are here.
    explicit StorageDesk(std::function<void(const std::string& agent)> wake);
    StorageDesk(std::function<void(const std::string& agent)> wake, Patience patience,
                std::optional<Sharing> sharing = {});

    // 503 agent_offline, agent_outdated; else the agent's own failure. A stop request ends each of them at once; the
    // agent is told that it need not go on. `store`: the calling thread's own, outside of a transaction; needed where
    // the desk is shared.
    Result<control_plane::StorageAnswer> ask(const std::string& agent, control_plane::StorageRequest request,
                                             const std::stop_token& stop, sql::Database* store = nullptr);
    // Action read: the content goes into `into`.
    Result<> fetch(const std::string& agent, control_plane::StorageRequest request, Sink& into,
                   const std::stop_token& stop, sql::Database* store = nullptr);
    // Action write: the content comes from `from`.
    Result<control_plane::StorageAnswer> bring(const std::string& agent, control_plane::StorageRequest request,
                                               Source& from, const std::stop_token& stop,
                                               sql::Database* store = nullptr);

    // Where the desk is shared: what the polls take from, and where answers belong.
    std::optional<SharedRequests> shared(sql::Database& store) const;
    bool is_shared() const { return sharing_.has_value(); }

    // For the polls, where it is not: what an agent says of itself, and what waits for it (handed out once).
    // Another process than before has lost what was handed out.
    void note_poll(const std::string& agent, const std::string& instance, std::int32_t storage_version);
    // The process has no poll any more.
    void note_gone(const std::string& agent, const std::string& instance);
    bool has_waiting(const std::string& agent) const;
    std::vector<control_plane::StorageRequest> take(const std::string& agent);

    // For the agent's answers. False, or null: nobody waits for it here, or it is another agent's.
    bool waits_here(const std::string& agent, const std::string& request_id) const;
    bool expects(const std::string& agent, const std::string& request_id) const;
    bool answer(const std::string& agent, const std::string& request_id, control_plane::StorageAnswer answer);
    // The same as it came. What is long is understood by whoever waits for it, since that takes time. invalid: it is no
    // answer.
    Result<bool> answer_text(const std::string& agent, const std::string& request_id, std::string text);
    SharedPipe content(const std::string& agent, const std::string& request_id, std::string_view action);

    // The daemon ends: nobody waits any longer.
    void stop();

private:
    // Shared: who waits for it may give up while its answer is being taken in.
    struct Ticket {
        std::string agent;
        control_plane::StorageRequest request;
        bool taken = false;
        bool begun = false;  // its content comes, or goes
        std::optional<control_plane::StorageAnswer> answer;
        std::optional<std::string> text;  // instead, when it is long
        SharedPipe pipe;
        std::int64_t placed_ms = 0;      // steady
        sql::Database* store = nullptr;  // of the thread that waits, which alone uses it
        bool answered() const { return answer.has_value() || text.has_value(); }
    };
    struct Agent {
        std::int32_t version = 0;  // as its last poll said
        std::string instance;
        std::int64_t heard_ms = 0;
        bool gone = false;                   // since heard_ms
        std::vector<std::string> cancelled;  // requests that it need not go on with
    };
    using Answered = Result<control_plane::StorageAnswer>;

    Result<std::shared_ptr<Ticket>> place(const std::string& agent, control_plane::StorageRequest request,
                                          sql::Database* store);
    Result<> share(const Ticket& ticket);
    void forget(const Ticket& ticket, bool complete);
    void forget_shared(const Ticket& ticket, bool complete);
    Result<> wait_taken(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop);
    Result<> wait_begun(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop);
    // An error: the agent's process has ended, or is silent.
    Result<> check_agent(const Ticket& ticket);
    Result<> wait_taken_elsewhere(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop);
    Result<std::optional<Error>> trouble_with_agent(const Ticket& ticket) const;
    Result<> wait_answered(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop);
    Answered wait_answer(const std::shared_ptr<Ticket>& ticket, const std::stop_token& stop);

    // With mutex_ held.
    bool is_outdated(const std::string& agent) const;
    bool is_silent(const std::string& agent) const;

    const std::function<void(const std::string&)> wake_;
    const Patience patience_;
    const std::optional<Sharing> sharing_;
    mutable std::mutex mutex_;
    std::condition_variable_any moved_;
    std::map<std::string, std::shared_ptr<Ticket>> tickets_;  // by request id
    std::map<std::string, Agent> agents_;                     // that polled
    bool stopping_ = false;
};

}  // namespace backstay::relay
