// PostgreSQL servers of this host that nobody configured: Debian's /etc/postgresql/<version>/<name>, and sockets.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"

namespace backstay {

// Where to look; tests look elsewhere.
struct ClusterPlaces {
    std::string debian = "/etc/postgresql";
    std::string sockets = "/var/run/postgresql";
};

// Named "<version>-<name>" (Debian), "port-<port>" (a socket alone); in the order of their ports. Local only.
std::vector<ClusterConfig> find_clusters(const ClusterPlaces& places = {});

// A configuration without any [[cluster]] gets those that are found, the first of them also serving [[odoo]] entries of
// the default name "main"; with none found, the defaults of [[cluster]] stand.
void complete_clusters(AgentConfig& config, const ClusterPlaces& places = {});

}  // namespace backstay
