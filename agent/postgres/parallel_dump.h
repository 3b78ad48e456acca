// Way (b): pg_dump -j in its directory format into a scratch folder, whose finished files are handed out as they close.
// Several backends copy tables out at once, which one stream cannot (0.55 to 0.75 of its time on two cores). Used by
// one thread; pg_dump itself is watched by a thread of this object.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/postgres/dump.h"
#include "common/result.h"

namespace backstay::postgres {

class ParallelDump {
public:
    // `folder` is new and empty; the caller removes it. `jobs` dump at once.
    static Result<std::unique_ptr<ParallelDump>> start(const DumpRequest& request, const std::string& folder,
                                                       std::int32_t jobs);
    ~ParallelDump();

    // The name, inside the folder, of the next file that pg_dump has finished; toc.dat comes last. nullopt: pg_dump has
    // ended with success and all were handed out. The caller reads and removes each.
    // While more than `most_pending_bytes` lie in the folder unread, pg_dump is stopped and goes on when they are read.
    Result<std::optional<std::string>> next(std::uint64_t most_pending_bytes);

private:
    class State;
    explicit ParallelDump(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace backstay::postgres
