// backstay: the administrator's command line.
#include <signal.h>
#include <sys/stat.h>

#include "agent/cli/options.h"

int main(int argc, char** argv) {
    ::signal(SIGPIPE, SIG_IGN);
    ::umask(0077);
    return backstay::cli::run(argc, argv);
}
