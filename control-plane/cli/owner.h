// Whose the state folder is.
#pragma once

#include <string>

#include "common/result.h"

namespace backstay::cli {

// Run by root, a command goes on as the owner of the state folder: a file of root's among the store's would keep the
// server, which runs under an account of its own, from opening it. Anybody else stays who they are.
Result<> become_owner(const std::string& state_dir);

}  // namespace backstay::cli
