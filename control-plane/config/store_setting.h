// The one setting that a program changes itself.
#pragma once

#include <string>

#include "common/result.h"

namespace backstay {

// The text of control.toml with another `store`; comments and all else stay. invalid: it stands there in a way that is
// not understood.
Result<std::string> with_store(const std::string& text, const std::string& store);

// Changes it in the state folder's control.toml, as the old one is kept beside it; answers the path of that.
Result<std::string> change_store(const std::string& state_dir, const std::string& store);

}  // namespace backstay
