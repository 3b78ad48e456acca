// backstay: PostgreSQL's hooks by itself, since they start for every segment of WAL; every other command is
// backstay-cli's, which lies beside it or in ../lib/backstay.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "agent/hook/agent_call.h"

namespace {

namespace hook = backstay::hook;

constexpr int kPushUsage = 1;  // a push never says more than 1
constexpr int kFetchUsage = 200;
constexpr int kNoCommandLine = 2;

struct Arguments {
    hook::Call call;
    std::vector<std::string> words;
    bool understood = true;
    bool help = false;
};

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    const char* named = std::getenv("BACKSTAY_WAL_SOCKET");
    arguments.call.socket = named != nullptr && *named != '\0' ? named : std::string(hook::kDefaultSocket);
    for (int i = 2; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--socket" && i + 1 < argc) {
            arguments.call.socket = argv[++i];
        } else if (word == "--timeout" && i + 1 < argc) {
            arguments.call.timeout_s = std::atoi(argv[++i]);
        } else if (word == "--help" || word == "-h") {
            arguments.help = true;
        } else if (word.starts_with("-")) {
            arguments.understood = false;
        } else {
            arguments.words.emplace_back(word);
        }
    }
    arguments.understood = arguments.understood && arguments.call.timeout_s > 0;
    return arguments;
}

// PostgreSQL's archiver dies of a hook that a signal ended, and does not count it: a failure like any other instead.
// (A fetch may die: recovery is being stopped then.)
extern "C" void give_up(int) { ::_exit(kPushUsage); }

int run_push(const Arguments& arguments) {
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::signal(number, give_up);
    if (arguments.understood && arguments.words.size() == 1 && !arguments.help) {
        return hook::push(arguments.call, arguments.words[0]);
    }
    ::fputs("usage: archive_command = 'backstay wal-push [--socket PATH] [--timeout SECONDS] %p'\n", stderr);
    return arguments.help ? 0 : kPushUsage;
}

int run_fetch(const Arguments& arguments) {
    if (arguments.understood && arguments.words.size() == 2 && !arguments.help) {
        return hook::fetch(arguments.call, arguments.words[0], arguments.words[1]);
    }
    ::fputs("usage: restore_command = 'backstay wal-fetch [--socket PATH] [--timeout SECONDS] %f %p'\n", stderr);
    return arguments.help ? 0 : kFetchUsage;
}

std::string own_folder() {
    char path[4096];
    const ssize_t count = ::readlink("/proc/self/exe", path, sizeof(path));
    const std::string program(path, count > 0 ? static_cast<std::size_t>(count) : 0);
    return program.substr(0, program.rfind('/'));
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view command = argc > 1 ? argv[1] : "";
    if (command == "wal-push") return run_push(parse(argc, argv));
    if (command == "wal-fetch") return run_fetch(parse(argc, argv));
    const std::string folder = own_folder();
    for (const std::string& program : {folder + "/backstay-cli", folder + "/../lib/backstay/backstay-cli"}) {
        ::execv(program.c_str(), argv);
    }
    ::fprintf(stderr, "backstay: backstay-cli is not installed beside it: %s\n", std::strerror(errno));
    return kNoCommandLine;
}
