// What `backstay adopt` found and brought back: the answer of POST /v1/adoptions.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"

namespace backstay::adoption {

// POST /v1/adoptions
struct AdoptionRequest {
    std::optional<bool> show;               // only look
    std::optional<bool> all;                // whoever made it, too
    std::optional<std::string> from_agent;  // what that agent made, too: its host was replaced by this one
    std::optional<bool> done;               // the loss is seen to, whatever could not be looked at
};
BOOST_DESCRIBE_STRUCT(AdoptionRequest, (), (show, all, from_agent, done))

struct AdoptedItem {
    std::string kind;  // backup, snapshot, base
    std::string id;
    std::string cluster;
    std::string database;  // "" of a base backup
    Timestamp created_at;
    std::string where;  // the destination in which it was met first; "host"
};
BOOST_DESCRIBE_STRUCT(AdoptedItem, (), (kind, id, cluster, database, created_at, where))

struct LookedAt {
    std::string destination_id;
    std::uint64_t folders = 0;  // with a manifest
    std::string error;          // empty: all of it was looked at
};
BOOST_DESCRIBE_STRUCT(LookedAt, (), (destination_id, folders, error))

// What another agent made.
struct ForeignItems {
    std::string agent_id;
    std::string organization_id;
    std::uint64_t count = 0;
    Timestamp newest;
    std::vector<std::string> databases;  // some of them
};
BOOST_DESCRIBE_STRUCT(ForeignItems, (), (agent_id, organization_id, count, newest, databases))

struct AdoptionReport {
    bool shown = false;  // nothing was written
    std::vector<LookedAt> destinations;
    std::uint64_t backups = 0;  // adopted, or with `shown` to be adopted
    std::uint64_t snapshots = 0;
    std::uint64_t bases = 0;
    std::uint64_t copies = 0;        // of known ones, in further destinations
    std::uint64_t known = 0;         // as they stood
    std::uint64_t copies_alone = 0;  // snapshots that lie in destinations and not on this host
    std::vector<AdoptedItem> items;  // some of those adopted
    std::vector<ForeignItems> foreign;
    std::vector<std::string> faults;  // what is damaged or not whole, some of them
    std::uint64_t fault_count = 0;
    // Databases and folders that restores left and nobody remembers.
    std::vector<std::string> leftovers;
    std::vector<std::string> lost;  // what cannot be brought back
    std::optional<Timestamp> lost_at;
    bool settled = true;  // no loss of the state is open any more
    std::string open;     // why one is
};
BOOST_DESCRIBE_STRUCT(AdoptionReport, (),
                      (shown, destinations, backups, snapshots, bases, copies, known, copies_alone, items, foreign,
                       faults, fault_count, leftovers, lost, lost_at, settled, open))

}  // namespace backstay::adoption
