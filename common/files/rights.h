// What this process may do with a file.
#pragma once

#include <string>

namespace backstay {

// With the rights that opening it would have: effective account, groups and capabilities. access() goes without
// capabilities, and so does eaccess() in the C library (a service that has CAP_DAC_OVERRIDE was told it may not).
// `mode` is that of access(); errno says why not.
bool may_access(const std::string& path, int mode);

}  // namespace backstay
