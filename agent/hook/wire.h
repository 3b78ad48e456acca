// What PostgreSQL's hooks (`backstay wal-push`, `wal-fetch`) and the agent say to each other on the WAL socket: one
// SOCK_SEQPACKET message each way. A message is lines of "word value"; descriptors travel beside the request
// (SCM_RIGHTS), since the agent may not read the data directory. Nothing but the standard library: the hooks start for
// every segment.
//
//   push     name · system · size · ready · space · ahead (each of the further descriptors, in their order)
//            descriptors: the file itself, then up to kAheadMax further segments that wait
//   fetch    name · system · spares
//            descriptors: an empty file to be filled, then so many spare ones: empty files without a name on the same
//            file system, for what will be asked for next
//   answer   ok | ok beside (fetch: a spare of this or an earlier request holds it; its descriptor comes along)
//            | none (fetch: no destination has it) | failed MESSAGE
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::hook {

inline constexpr std::size_t kAheadMax = 16;
inline constexpr std::size_t kSparesMax = 16;
inline constexpr std::size_t kDescriptorsMax = 1 + (kAheadMax > kSparesMax ? kAheadMax : kSparesMax);
inline constexpr std::size_t kMessageMax = 4096;
inline constexpr std::string_view kDefaultSocket = "/run/backstay/wal.sock";

struct Request {
    bool fetch = false;
    std::string name;
    std::uint64_t system_id = 0;  // of global/pg_control; 0: not known
    // Of a push: what waits to be archived, this one included, and the file system of pg_wal.
    std::uint64_t ready = 0;
    std::uint64_t free_bytes = 0;
    std::uint64_t total_bytes = 0;
    std::vector<std::string> ahead;
    std::uint64_t spares = 0;  // of a fetch

    std::size_t descriptors() const { return 1 + ahead.size() + static_cast<std::size_t>(spares); }
};

enum class Outcome { ok, none, failed };
struct Answer {
    Outcome outcome = Outcome::failed;
    std::string message;
    bool beside = false;
};

std::string write_request(const Request& request);
// nullopt: not understood.
std::optional<Request> read_request(std::string_view text);
std::string write_answer(const Answer& answer);
Answer read_answer(std::string_view text);

}  // namespace backstay::hook
