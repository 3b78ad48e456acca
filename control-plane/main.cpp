#include "control-plane/cli/command_line.h"

int main(int argc, char** argv) { return backstay::cli::run(argc, argv); }
