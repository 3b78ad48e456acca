// A folder of backups of the control plane: their names tell when each was made, and the oldest go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"

namespace backstay::own_backup {

// "backstay-control-20260102T030405Z.backup", of an encrypted one with ".enc" behind.
std::string name_of(TimeMs made_at, bool encrypted);
// When it was made, by its name; nullopt for other files, which nothing here touches.
std::optional<TimeMs> made_at(const std::string& name);

struct Kept {
    std::string path;
    TimeMs made_at = 0;
};
// Newest first. An absent folder has none.
Result<std::vector<Kept>> list(const std::string& folder);
// Removes all but the newest `keep`, never the newest itself; answers how many. Files of the future, made while a clock
// was ahead, neither count nor go.
Result<std::size_t> prune(const std::string& folder, std::size_t keep, TimeMs now);
// What killed runs left: unfinished files that would have got such a name. Only for who holds the lock.
void remove_unfinished(const std::string& folder);

}  // namespace backstay::own_backup
