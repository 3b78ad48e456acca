// What the control plane has not acknowledged yet. Adding happens inside the transaction of the fact that is reported;
// jobs that the control plane does not hear of (JobRow::reported) add nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/sqlite/database.h"
#include "common/sqlite/transaction.h"
#include "control-plane-client/protocol.h"

namespace backstay {

class Outbox {
public:
    explicit Outbox(sqlite::Database& database) : database_(database) {}

    // Fills in job, fence and the next number. A progress report replaces the job's last one when nothing followed it.
    static Result<> add(sqlite::Transaction& transaction, const std::string& job_id, control_plane::Report report);

    Result<std::vector<control_plane::Report>> oldest(std::size_t limit);
    // Both answer how many reports left.
    Result<std::int64_t> acknowledge(const std::string& job_id, std::int64_t fence, std::int64_t seq);
    // Everything of that job up to that fence.
    Result<std::int64_t> drop(const std::string& job_id, std::int64_t fence);
    // Takes one report out for good and keeps it among the refused, of which the newest thousand stay. False: it is not
    // in the outbox.
    Result<bool> set_aside(const std::string& job_id, std::int64_t fence, const control_plane::RejectedReport& why);
    Result<std::int64_t> size();
    // How many are set aside.
    Result<std::int64_t> refused();
    // Those, newest first.
    struct Refused {
        std::string job_id;
        std::int64_t fence = 0;
        std::int64_t seq = 0;
        std::string kind;
        std::string code;
        std::string message;
    };
    Result<std::vector<Refused>> newest_refused(std::size_t limit);

private:
    sqlite::Database& database_;
};

}  // namespace backstay
