// The name by which a control plane tells one process of an agent from the next: "<installation>.<uuid>".
#pragma once

#include <string>

namespace backstay {

// New at each call. The installation is this boot of this host and this state folder, whose lock lets one process live;
// a copy of the folder elsewhere is another installation.
std::string new_instance_id(const std::string& state_dir);

}  // namespace backstay
