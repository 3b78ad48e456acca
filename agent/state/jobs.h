// Jobs as the agent remembers them: one row each, from the moment it is queued. Repositories borrow a Database and
// belong to its thread.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/sqlite/database.h"
#include "control-plane-client/protocol.h"

namespace backstay {

enum class JobState { queued, running, succeeded, failed, cancelled, interrupted, rejected };
BOOST_DESCRIBE_ENUM(JobState, queued, running, succeeded, failed, cancelled, interrupted, rejected)

inline bool is_over(JobState state) { return state != JobState::queued && state != JobState::running; }

inline constexpr std::string_view kOriginControlPlane = "control_plane";
inline constexpr std::string_view kOriginSocket = "socket";
inline constexpr std::string_view kOriginSchedule = "schedule";  // by itself, while the control plane was away

struct JobRow {
    std::string job_id;
    std::int64_t fence = 0;  // 0: begun here
    std::int32_t attempt = 1;
    std::string kind;          // as Assignment::kind
    std::string origin;        // kOriginControlPlane, kOriginSocket, kOriginSchedule
    std::string requested_by;  // "uid=1000" on the socket
    std::string operation_id;
    std::string cluster;
    std::string database;  // "" where the job concerns none
    JobState state = JobState::queued;
    json::Object order;  // destinations without their configurations
    Timestamp created_at;
    std::optional<Timestamp> started_at;
    std::optional<Timestamp> ended_at;
    std::optional<control_plane::JobFinish> finish;
    bool reported = false;  // the control plane hears of it
};
BOOST_DESCRIBE_STRUCT(JobRow, (),
                      (job_id, fence, attempt, kind, origin, requested_by, operation_id, cluster, database, state,
                       order, created_at, started_at, ended_at, finish))

class JobRepository {
public:
    explicit JobRepository(sqlite::Database& database) : database_(database) {}

    // Stores it as queued, with its first report (accepted, or declared for what begins here). A known job under a
    // newer fence replaces the old one and what that left unsent; under the same or an older fence: conflict. So is an
    // order of what the agent runs by itself, until that is over and told; and a further attempt of its own once the
    // control plane has heard of the one before.
    Result<> add(const JobRow& job);
    // Remembers a job that cannot run here, with its report. Same rules as add().
    Result<> reject(const JobRow& job, const std::string& reason, const std::string& message);
    Result<> start(const std::string& job_id, TimeMs now);
    // The outcome and its report. A job that is over already is `conflict`: an outcome is final.
    Result<> finish(const std::string& job_id, const control_plane::JobFinish& finish, TimeMs now);

    // The end of an operation inside of a job, under its own id: only the report, the job goes on.
    Result<> finish_inner(const std::string& job_id, const std::string& operation_id,
                          const control_plane::JobFinish& finish, TimeMs now);

    Result<std::optional<JobRow>> find(const std::string& job_id);
    // Also by the start of its id, or by its operation's id; two that fit are `conflict`.
    Result<JobRow> look_up(const std::string& text);
    // Newest first; `unfinished` only those queued or running.
    Result<std::vector<JobRow>> newest(std::size_t limit, bool unfinished = false);
    // Of that kind, over and not cancelled: the newest of each cluster and database.
    Result<std::vector<JobRow>> last_of_each(std::string_view kind);
    // The same, newest first.
    Result<std::vector<JobRow>> newest_ended(std::string_view kind, std::size_t limit);
    // Forgets the oldest finished ones beyond `keep`, except restores whose previous pair is still kept.
    Result<std::int64_t> prune(std::size_t keep);

private:
    Result<bool> may_replace(const JobRow& known, const JobRow& job);
    Result<> insert(const JobRow& job);
    sqlite::Database& database_;
};

}  // namespace backstay
