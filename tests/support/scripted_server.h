// A server that a script of tests/infra runs for one test program: `SCRIPT run DIR [OPTION]` prints KEY=VALUE lines,
// then "ready", and ends with its stdin, however the program ends.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "tests/support/temp_dir.h"

namespace backstay::testing {

class ScriptedServer {
public:
    explicit ScriptedServer(const char* script, const char* option = nullptr) : path_(script) {
        int in[2] = {-1, -1};
        int out[2] = {-1, -1};
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) fail("pipe");
        script_ = ::fork();
        if (script_ == 0) {
            ::dup2(in[0], 0);
            ::dup2(out[1], 1);
            ::execl(script, script, "run", folder_.path().c_str(), option, nullptr);
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        to_script_ = in[1];
        read_values(out[0]);
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;
    ~ScriptedServer() {
        ::close(to_script_);
        if (script_ > 0) ::waitpid(script_, nullptr, 0);
    }

    const std::string& value(const std::string& name) const { return values_.at(name); }

    // Runs `SCRIPT COMMAND DIR ARGUMENT`.
    void tell(const std::string& command, const std::string& argument = "") const {
        const std::string line = fmt::format("'{}' {} '{}' {}", path_, command, folder_.path(), argument);
        if (std::system(line.c_str()) != 0) fail(path_ + " " + command);
    }

protected:
    [[noreturn]] static void fail(const std::string& why) {
        std::cerr << why << std::endl;
        std::exit(1);
    }

private:
    void read_values(int from) {
        FILE* stream = ::fdopen(from, "r");
        char line[1024];
        bool ready = false;
        while (!ready && ::fgets(line, sizeof(line), stream) != nullptr) {
            std::string text(line);
            text.pop_back();
            ready = text == "ready";
            const std::size_t sign = text.find('=');
            if (sign != text.npos) values_[text.substr(0, sign)] = text.substr(sign + 1);
        }
        ::fclose(stream);
        if (!ready) fail(path_ + " does not start (./dev setup installs what it needs)");
    }

    std::string path_;
    TempDir folder_;
    pid_t script_ = -1;
    int to_script_ = -1;
    std::map<std::string, std::string> values_;
};

}  // namespace backstay::testing
