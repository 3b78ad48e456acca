// Who the agent is to its control plane: a file of mode 0600 in the state folder, written by `backstay enroll`.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>

#include "common/result.h"

namespace backstay {

struct Identity {
    std::string agent_id;
    std::string organization_id;
    std::string name;
    std::string credential;
    std::string url;  // of the control plane that gave it
};
BOOST_DESCRIBE_STRUCT(Identity, (), (agent_id, organization_id, name, credential, url))

std::string identity_file(const std::string& state_dir);
// nullopt: not enrolled.
Result<std::optional<Identity>> load_identity(const std::string& state_dir);
Result<> save_identity(const std::string& state_dir, const Identity& identity);
// The id of an agent that never enrolled: made once, kept in the state folder.
Result<std::string> local_agent_id(const std::string& state_dir);

}  // namespace backstay
