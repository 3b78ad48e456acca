// Old and new pair (database, filestore folder) change places, so that after a crash at any moment either the old pair
// or the new one can be put whole in its place: every database is known by its oid and every folder by its inode, which
// renaming does not change, and what was meant is on disk (SwapRecord as a note) before the first name changes.
#pragma once

#include <boost/describe.hpp>
#include <functional>
#include <optional>
#include <string>

#include "agent/config/config.h"
#include "common/clock.h"
#include "common/pq/connection.h"
#include "common/result.h"

namespace backstay::restore {

// Keys of the notes that a restore leaves (StepJournal::noted).
inline constexpr std::string_view kSideNote = "restore.side";        // SideRecord: made, to be dropped after a crash
inline constexpr std::string_view kSwapNote = "restore.swap";        // SwapRecord
inline constexpr std::string_view kStoppedNote = "restore.stopped";  // StoppedRecord: Odoo is to be started again

// Only after `proven` is the old pair a kept one, which may be dropped when its time comes.
enum class SwapState { swapping, swapped, proven, reverting, reverted };
BOOST_DESCRIBE_ENUM(SwapState, swapping, swapped, proven, reverting, reverted)

struct SwapRecord {
    SwapState state = SwapState::swapping;
    std::string cluster;
    std::string database;           // the name that Odoo uses
    std::string side_database;      // where the new one was made; "" when the database is not part of it
    std::string previous_database;  // where the old one goes
    std::string owner;              // the role that gets the new database
    std::string new_oid;
    std::string old_oid;  // "": there was none
    std::string filestore;
    std::string side_filestore;  // "" when the filestore is not part of it
    std::string previous_filestore;
    std::string new_folder;  // folder_identity
    std::string old_folder;  // "": there was none
    Timestamp keep_until;
    bool drop_at_once = false;  // the old pair goes as soon as the new one is proven
    bool undo = false;          // the way back after a proven restore: what it replaces is kept for a while too
};
BOOST_DESCRIBE_STRUCT(SwapRecord, (),
                      (state, cluster, database, side_database, previous_database, owner, new_oid, old_oid, filestore,
                       side_filestore, previous_filestore, new_folder, old_folder, keep_until, drop_at_once, undo))

// Made before the names exist; whatever bears them after a crash is dropped.
struct SideRecord {
    std::string cluster;
    std::string target;  // the database that the restore had locked
    std::string database;
    std::string filestore;
    std::string scratch;
};
BOOST_DESCRIBE_STRUCT(SideRecord, (), (cluster, target, database, filestore, scratch))

struct StoppedRecord {
    std::string cluster;
    std::string database;
};
BOOST_DESCRIBE_STRUCT(StoppedRecord, (), (cluster, database))

// Writes a note durably before it returns (Steps::note).
using Note = std::function<Result<>(const std::string& key, const std::string& value)>;

// Fills in the identities of what stands at the names now.
Result<> identify(SwapRecord& record, pq::Connection& cluster);

// Puts the new pair in place: sessions of the old database are ended, both databases renamed in one transaction, the
// folders exchanged. Any failure puts the old pair back before it is answered. `cluster` is connected to neither.
Result<> swap_in(SwapRecord& record, pq::Connection& cluster, const Note& note);

// Puts the old pair back, wherever a swap, a crash or an earlier reverting stopped; the new one then bears its side
// names. Idempotent. Where the old folder is gone and another stands in its place, nothing is changed (`not_found`).
Result<> put_back(SwapRecord& record, pq::Connection& cluster, const Note& note);

// Which pair bears the names that Odoo uses. `mixed`: a database of one with the folder of the other, or a part is
// gone.
enum class Standing { restored, previous, mixed };
Result<Standing> standing(const SwapRecord& record, pq::Connection& cluster);

// The restored pair is live and good: from now on the previous one is kept, and no longer needed.
Result<> keep_proven(SwapRecord& record, const Note& note);

// Connections to what stands, should an end_sessions that failed have left them refused.
Result<> admit_connections(const SwapRecord& record, pq::Connection& cluster);

// Drops of the pair whatever is not in place: the kept old one, or the new one after put_back. Idempotent.
Result<> drop_replaced(const SwapRecord& record, pq::Connection& cluster);

// The name that a database of that oid has now; nullopt: there is none.
Result<std::optional<std::string>> database_name(pq::Connection& cluster, const std::string& oid);

// Ends all its sessions and drops it; absent is success.
Result<> drop_database(pq::Connection& cluster, const std::string& database);

std::string encode_note(const SwapRecord& record);
std::string encode_note(const SideRecord& record);
std::string encode_note(const StoppedRecord& record);
Result<SwapRecord> decode_swap(const std::string& text);
Result<SideRecord> decode_side(const std::string& text);
Result<StoppedRecord> decode_stopped(const std::string& text);

}  // namespace backstay::restore
