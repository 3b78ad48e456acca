// A child process: an argument list (never a shell), a process group of its own, real pipes. It dies with the thread
// that started it (PR_SET_PDEATHSIG), so start it on a thread that lives as long as the child is used.
// One thread may read output() while another writes input(); everything else is for the owner's thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/process/priority.h"
#include "common/result.h"

namespace backstay {

struct ProcessSpec {
    std::vector<std::string> argv;  // argv[0] is a path, or a name that PATH resolves
    // Set on top of a small inherited environment (PATH, HOME, USER, LANG, LC_*, TZ, TMPDIR, PG* except PGPASSWORD).
    std::map<std::string, std::string> environment;
    // Variable → content: the variable names a file in memory with mode 0600 that only this child and its children
    // have (PGPASSFILE). Neither arguments nor environment nor disk then hold the secret.
    std::map<std::string, std::string> secret_files;
    std::string working_directory;     // empty: ours
    std::vector<std::string> secrets;  // removed from stderr_tail() and from errors
    bool pipe_stdin = false;           // false: /dev/null
    bool pipe_stdout = true;           // false: /dev/null
    Priority priority;
    std::stop_token stop;               // a request ends the child, and every blocked call with `cancelled`
    std::int64_t stall_limit_ms = 0;    // a read or write without any byte for so long ends with `timed_out`; 0: never
    std::int64_t grace_ms = 10 * 1000;  // between SIGTERM and SIGKILL
};

struct ExitStatus {
    int code = 0;
    int signal = 0;  // not 0: killed by it
    bool success() const { return code == 0 && signal == 0; }
    std::string describe() const;  // "exit status 1", "killed by signal 9"
};

class Subprocess {
public:
    // Errors: not_found or denied when the program cannot be executed.
    static Result<std::unique_ptr<Subprocess>> start(ProcessSpec spec);
    // Ends the group if it still runs, and reaps the child.
    ~Subprocess();
    Subprocess(const Subprocess&) = delete;
    Subprocess& operator=(const Subprocess&) = delete;

    // The child's stdout. Its end is only the end when the child left with 0; otherwise read() answers failure().
    Source& output();
    // The child's stdin; finish() closes it. A child that went away gives failure(), not a signal.
    Sink& input();

    // Waits for the end; obeys stop and `limit_ms` (0: none), after which the group has been ended.
    Result<ExitStatus> wait(std::int64_t limit_ms = 0);
    // Like wait(), and a status other than success is failure().
    Result<> wait_success(std::int64_t limit_ms = 0);
    // SIGTERM to the group, SIGKILL after the grace, then reaps. Safe after the end and from any thread.
    void terminate();

    // Scrubbed; at most 8 KiB.
    std::string stderr_tail() const;
    // What an unsuccessful end looks like as an error (io), with the facts tool, exit_status and stderr.
    Error failure(const ExitStatus& status) const;
    pid_t pid() const;

private:
    class State;
    explicit Subprocess(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// A short command: runs it to its end and answers its stdout. A failed exit or more than `output_limit` bytes is an
// error. spec.pipe_stdout is taken as true; `input` is given as stdin and must fit a pipe (at most 64 KiB).
Result<std::string> run_tool(ProcessSpec spec, std::int64_t limit_ms = 60'000, std::size_t output_limit = 1 << 20,
                             std::string_view input = {});

}  // namespace backstay
