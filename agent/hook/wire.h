// What PostgreSQL's hooks (`backstay wal-push`, `wal-fetch`) and the agent say to each other on the WAL socket: one
// SOCK_SEQPACKET message each way. A message is lines of "word value"; descriptors travel beside the request
// (SCM_RIGHTS), since the agent may not read the data directory. Nothing but the standard library: the hooks start for
// every segment.
//
//   push     name · system · size · ready · space · ahead (each of the further descriptors, in their order)
//            descriptors: the file itself, then up to kAheadMax further segments that wait
//   fetch    name · system          descriptor: an empty file to be filled
//   answer   ok | none (fetch: no destination has it) | failed MESSAGE
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::hook {

inline constexpr std::size_t kAheadMax = 16;
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
};

enum class Outcome { ok, none, failed };
struct Answer {
    Outcome outcome = Outcome::failed;
    std::string message;
};

std::string write_request(const Request& request);
// nullopt: not understood.
std::optional<Request> read_request(std::string_view text);
std::string write_answer(const Answer& answer);
Answer read_answer(std::string_view text);

}  // namespace backstay::hook
