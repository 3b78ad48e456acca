// The database of one moment: base backup and WAL found, unpacked, replayed by a private server to the moment, and the
// one database dumped out of it. The steps fetch_base, fetch_wal, replay_to_target and extract_database of a restore.
// One thread.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/jobs/base/archive_view.h"
#include "agent/jobs/jobs.h"
#include "agent/jobs/pitr/sidecar.h"
#include "agent/jobs/pitr/wal_feeder.h"
#include "agent/jobs/restore/opened_backup.h"
#include "agent/jobs/restore/side_database.h"

namespace backstay::pitr {

struct RecoveryOrder {
    const PitrOrder& pitr;
    std::string id;         // the restore's
    std::string database;   // its name in the recovered cluster
    ClusterConfig cluster;  // whose programs are used
    std::string scratch;    // of the restore
};

class Recovery {
public:
    // Looks only: archive, base, WAL, programs, space. wal_gap and pitr_target_unreachable carry the facts
    // nearest_before and nearest_after; nothing has been touched then.
    static Result<std::unique_ptr<Recovery>> plan(RecoveryOrder order, const JobHost& host, Steps& steps,
                                                  std::stop_token stop);
    // Ends the server and removes what was made, but for the dump.
    ~Recovery();

    const Manifest& base() const { return base_.manifest; }
    // What everything takes on the file system of place().folder, in bytes.
    std::uint64_t needed_bytes() const;
    // To be noted under kSidecarNote before fetch_base.
    const SidecarRecord& place() const { return place_; }

    Result<Testimony> fetch_base();
    Result<Testimony> fetch_wal();
    Result<Testimony> replay();
    // The dump, in the directory format, and what it holds as a manifest.
    struct Extracted {
        restore::FetchedDump dump;
        Manifest manifest;
        Testimony testimony;
        friend Testimony testify(const Extracted& extracted) { return extracted.testimony; }
    };
    Result<Extracted> extract(const Tool& pg_dump, const Tool& pg_restore);
    // Ends the server and removes what was made, but for the dump.
    Result<> end();

private:
    Recovery(RecoveryOrder order, const JobHost& host, Steps& steps, std::stop_token stop)
        : order_(std::move(order)), host_(host), steps_(steps), stop_(std::move(stop)) {}

    Result<> look();
    Result<> find_programs();
    Result<> choose_place();
    std::optional<base::SegmentId> next_of(const base::SegmentId& id) const;
    bool is_planned(const std::string& name) const;
    Result<std::size_t> find_last_needed();
    std::optional<TimeMs> date_of(std::size_t index);
    Result<> check_end(wal::Lsn replayed);
    Result<Testimony> reached(pq::Connection& connection, std::int64_t begun_ms);

    RecoveryOrder order_;
    const JobHost& host_;
    Steps& steps_;
    std::stop_token stop_;
    std::optional<StreamKey> key_;
    std::vector<DestinationOrder> destinations_;
    std::optional<base::ArchivePlaces> places_;
    base::ArchiveView view_;
    wal::Coverage coverage_;
    restore::OpenedBackup base_;
    std::vector<base::SegmentId> segments_;  // from the base's start to the end of its range, in order
    std::size_t last_needed_ = 0;            // of segments_: holds the first commit after the target, as far as known
    bool to_the_end_ = false;                // the target is the last commit: everything that is there
    ServerUser user_;
    Tool postgres_;
    Tool pg_controldata_;
    SidecarRecord place_;
    std::unique_ptr<WalFeeder> feeder_;
    std::unique_ptr<Sidecar> sidecar_;
};

}  // namespace backstay::pitr
