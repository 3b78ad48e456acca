#include "agent/jobs/restore/sweep.h"
#include "agent/jobs/jobs.h"

namespace backstay {

Result<std::vector<std::string>> sweep_after_crash(const Facts& notes, const JobHost& host) {
    return restore::sweep(notes, host);
}

}  // namespace backstay
