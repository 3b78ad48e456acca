// The command line of `backstay`.
#pragma once

namespace backstay::cli {

// Parses, runs the command, answers the exit code.
int run(int argc, const char* const* argv);

}  // namespace backstay::cli
