// A private PostgreSQL that recovers a copy of a cluster to a moment: on a socket of its own, never archiving, never
// reachable by the network, and gone afterwards. Used by the thread that started it.
#pragma once

#include <boost/describe.hpp>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/jobs/jobs.h"
#include "agent/jobs/pitr/server_user.h"
#include "agent/postgres/cluster.h"
#include "common/clock.h"
#include "common/domain/lsn.h"
#include "common/pq/connection.h"
#include "common/process/subprocess.h"
#include "common/result.h"

namespace backstay::pitr {

// The note of a sidecar, left before anything of it exists (StepJournal::noted).
inline constexpr std::string_view kSidecarNote = "restore.sidecar";

struct SidecarRecord {
    std::string folder;   // everything of it but the socket
    std::string sockets;  // a folder with a short name
};
BOOST_DESCRIBE_STRUCT(SidecarRecord, (), (folder, sockets))
std::string encode_note(const SidecarRecord& record);

struct SidecarWish {
    SidecarRecord place;  // <folder>/data holds the unpacked base
    ServerUser user;
    Tool postgres;
    Tool pg_controldata;
    std::string restore_command;
    std::optional<TimeMs> target;         // nullopt: to the end of the WAL that restore_command gives
    wal::Timeline timeline = 0;           // which to follow; 0: the base's own
    std::vector<std::string> superusers;  // roles to try
    std::stop_token stop;
};

class Sidecar {
public:
    // Configures and starts it; it begins to recover at once.
    static Result<std::unique_ptr<Sidecar>> start(const SidecarWish& wish);
    // Ends it at once: nothing of it is kept.
    ~Sidecar();

    // Until the recovery is over and it takes connections. pitr_target_unreachable, restore_failed with the last lines
    // of its log.
    Result<pq::Connection> await(const std::string& database);
    Result<pq::Connection> connect(const std::string& database) const;
    // As tools reach it.
    const ClusterConfig& cluster() const { return cluster_; }

    // What its log says of the recovery's end, "" when nothing: "recovery stopping before commit of transaction …".
    std::string last_words() const;

private:
    explicit Sidecar(const SidecarWish& wish);
    Result<> configure();
    bool has_ended() const;
    bool is_ready() const;
    std::string log_text() const;

    SidecarWish wish_;
    ClusterConfig cluster_;
    std::unique_ptr<Subprocess> server_;
};

// Ends every process that works in the folder, whoever started it, and removes folder and sockets. Idempotent.
Result<> remove_sidecar(const SidecarRecord& record);
// By the note of a job that died, which `note` then removes; answers what it did.
Result<std::vector<std::string>> sweep(const Facts& notes, const NoteWriter& note);

}  // namespace backstay::pitr
