// The same for a moment in time: with nothing but a destination that holds a cluster's archive.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "agent/jobs/base/archive_view.h"
#include "agent/jobs/restore/standalone.h"

namespace backstay::standalone {

struct FoundArchive {
    base::ArchiveView view;
    wal::Coverage coverage;
};
// Every cluster's archive in the destination.
Result<std::vector<FoundArchive>> find_archives(const DestinationOrder& destination, const JobHost& host,
                                                std::stop_token stop);

struct Moment {
    TimeMs target = 0;
    std::string database;  // whose: its name in the cluster
};
// The archive whose base backups know the database, and the filestores around the moment. not_found, or conflict when
// several archives know it and more than one reaches the moment. Whether the moment can be reached is the restore's to
// say.
Result<RestoreOrder> order_for_moment(const Moment& moment, const DestinationOrder& destination,
                                      const RestoreWish& wish, const JobHost& host, std::stop_token stop);

}  // namespace backstay::standalone
