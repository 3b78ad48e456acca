// The command line of backstay-control.
#pragma once

namespace backstay::cli {

// Parses, runs, answers the exit code (docs/operations.md): 0 done, 1 failed, 2 wrong use or settings.
int run(int argc, char** argv);

}  // namespace backstay::cli
