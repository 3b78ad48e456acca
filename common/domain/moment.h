// Choices that a restore to a moment makes. Pure functions.
#pragma once

#include <vector>

#include "common/domain/orders.h"

namespace backstay {

// Of full backups of one database, the last whose files are no younger than the moment and the first whose are no
// older: files that are named by what they hold do no harm when there are too many of them.
std::vector<PitrFilestore> filestores_around(TimeMs target, std::vector<PitrFilestore> candidates);

}  // namespace backstay
