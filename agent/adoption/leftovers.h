// What restores left beside databases and filestores: by its name, because nobody remembers it.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "common/result.h"

namespace backstay::adoption {

// One line each, for people. `is_known`: by the end of the operation's id that is in such a name. A server that does
// not answer is told of in a line, too.
std::vector<std::string> find_leftovers(const AgentConfig& config,
                                        const std::function<bool(const std::string& id_end)>& is_known,
                                        const std::stop_token& stop);

// Names of clusters by their system identifiers; servers that do not answer are left out.
std::map<std::string, std::string> clusters_by_system(const AgentConfig& config, const std::stop_token& stop);

}  // namespace backstay::adoption
