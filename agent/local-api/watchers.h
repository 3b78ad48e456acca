// Streams of server-sent events about jobs: `progress` while one runs, `end` with the job's last view. Loop thread.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>

#include "common/domain/progress.h"
#include "common/event/loop.h"
#include "common/http/server.h"

namespace backstay::local_api {

class Watchers {
public:
    explicit Watchers(Loop& loop) : loop_(loop) {}

    // Sends the head now. A comment every 15 s keeps the connection alive.
    void open(const std::string& job_id, http::Exchange& exchange);
    bool watched(const std::string& job_id) const { return streams_.contains(job_id); }
    void progressed(const std::string& job_id, const Progress& progress);
    // `view` is the text of a JobView; the streams of that job end.
    void ended(const std::string& job_id, const std::string& view);

private:
    void beat();
    template <class Each>
    void each(const std::string& job_id, Each act);

    Loop& loop_;
    std::map<std::string, std::list<std::unique_ptr<http::ResponseStream>>> streams_;
    std::unique_ptr<Timer> heartbeat_;
};

}  // namespace backstay::local_api
