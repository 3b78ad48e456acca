#include "agent/jobs/restore/sweep.h"
#include "agent/jobs/backup/preflight.h"
#include "agent/jobs/jobs.h"

namespace backstay {

Result<std::vector<std::string>> sweep_after_crash(const Facts& notes, const JobHost& host) {
    std::vector<std::string> done = TRY(backup::sweep(notes, host));
    std::vector<std::string> restored = TRY(restore::sweep(notes, host));
    done.insert(done.end(), restored.begin(), restored.end());
    return done;
}

}  // namespace backstay
