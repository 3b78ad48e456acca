#include "common/process/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace backstay {

namespace {

struct Pipe {
    Fd read_end;
    Fd write_end;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe");
    Pipe made;
    made.read_end.reset(ends[0]);
    made.write_end.reset(ends[1]);
    return made;
}

bool set_nonblocking(const Fd& fd) { return ::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0; }

// A file that exists in memory only; the child finds it as /proc/self/fd/N.
Result<Fd> secret_file(const std::string& content) {
    Fd fd(static_cast<int>(::memfd_create("secret", MFD_CLOEXEC)));
    if (!fd.open()) return Error::from_errno(errno, "memfd_create");
    if (::fchmod(fd.get(), 0600) != 0) return Error::from_errno(errno, "fchmod of a file in memory");
    std::size_t done = 0;
    while (done < content.size()) {
        const ssize_t count = ::write(fd.get(), content.data() + done, content.size() - done);
        if (count < 0) return Error::from_errno(errno, "write to a file in memory");
        done += static_cast<std::size_t>(count);
    }
    return fd;
}

bool inherited(std::string_view variable) {
    const std::string_view name = variable.substr(0, variable.find('='));
    for (const std::string_view exact : {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR"}) {
        if (name == exact) return true;
    }
    return name.starts_with("LC_") || (name.starts_with("PG") && name != "PGPASSWORD");
}

std::vector<std::string> build_environment(const ProcessSpec& spec) {
    std::vector<std::string> all;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view variable(*entry);
        const std::string name(variable.substr(0, variable.find('=')));
        if (inherited(variable) && !spec.environment.contains(name)) all.emplace_back(variable);
    }
    for (const auto& [name, value] : spec.environment) all.push_back(name + "=" + value);
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

Result<std::string> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) return name;
    const char* path = ::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
        const std::size_t colon = rest.find(':');
        const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), name);
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
        rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    }
    return Error(Errc::not_found, fmt::format("{} is not in PATH", name));
}

// Everything the child needs, made before the fork: afterwards nothing may allocate.
struct Prepared {
    std::string program;
    std::vector<char*> argv;
    std::vector<char*> environment;
    const char* working_directory = nullptr;
    int stdin_fd = -1;
    int stdout_fd = -1;
    int stderr_fd = -1;
    int error_fd = -1;
    std::vector<int> kept;  // stay open across exec
    Priority priority;
    pid_t parent = -1;
};

[[noreturn]] void report_and_leave(int error_fd) {
    const int value = errno;
    static_cast<void>(!::write(error_fd, &value, sizeof value));
    ::_exit(127);
}

[[noreturn]] void run_child(const Prepared& child) {
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &plain, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);

    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != child.parent) ::_exit(127);  // it went before prctl took effect
    lower_priority(child.priority);
    if (::dup2(child.stdin_fd, 0) < 0 || ::dup2(child.stdout_fd, 1) < 0 || ::dup2(child.stderr_fd, 2) < 0) {
        report_and_leave(child.error_fd);
    }
    // Nothing else of ours may stay open in the child, whoever opened it without O_CLOEXEC.
    ::syscall(SYS_close_range, 3U, ~0U, static_cast<unsigned>(CLOSE_RANGE_CLOEXEC));
    for (const int fd : child.kept) ::fcntl(fd, F_SETFD, 0);
    if (child.working_directory != nullptr && ::chdir(child.working_directory) != 0) report_and_leave(child.error_fd);
    ::execve(child.program.c_str(), child.argv.data(), child.environment.data());
    report_and_leave(child.error_fd);
}

Result<pid_t> fork_and_exec(const Prepared& child, Fd error_read, Fd error_write) {
    // No handler of ours may run in the child before it has put them back.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::fork();
    if (pid == 0) run_child(child);
    const int fork_error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return Error::from_errno(fork_error, "fork");
    ::setpgid(pid, pid);  // both sides set it: neither may run ahead of it

    error_write.reset();
    int exec_error = 0;
    ssize_t count = 0;
    do {
        count = ::read(error_read.get(), &exec_error, sizeof exec_error);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return pid;  // closed by a successful exec
    ::waitpid(pid, nullptr, 0);
    return Error::from_errno(exec_error, child.program);
}

}  // namespace

Result<Spawned> spawn(const ProcessSpec& spec) {
    Prepared child;
    child.program = TRY(find_program(spec.argv.at(0)));
    std::vector<std::string> argv = spec.argv;
    std::vector<std::string> environment = build_environment(spec);
    std::vector<Fd> secrets;
    for (const auto& [variable, content] : spec.secret_files) {
        secrets.push_back(TRY(secret_file(content)));
        child.kept.push_back(secrets.back().get());
        environment.push_back(fmt::format("{}=/proc/self/fd/{}", variable, secrets.back().get()));
    }
    child.argv = pointers(argv);
    child.environment = pointers(environment);
    if (!spec.working_directory.empty()) child.working_directory = spec.working_directory.c_str();
    child.priority = spec.priority;
    child.parent = ::getpid();

    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null.open()) return Error::from_errno(errno, "/dev/null");
    Pipe in = TRY(make_pipe());
    Pipe out = TRY(make_pipe());
    Pipe err = TRY(make_pipe());
    Pipe exec_error = TRY(make_pipe());
    child.stdin_fd = spec.pipe_stdin ? in.read_end.get() : null.get();
    child.stdout_fd = spec.pipe_stdout ? out.write_end.get() : null.get();
    child.stderr_fd = err.write_end.get();
    child.error_fd = exec_error.write_end.get();

    Spawned spawned;
    spawned.pid = TRY(fork_and_exec(child, std::move(exec_error.read_end), std::move(exec_error.write_end)));
    spawned.pid_fd.reset(static_cast<int>(::syscall(SYS_pidfd_open, spawned.pid, 0U)));
    if (spec.pipe_stdin) spawned.stdin_fd = std::move(in.write_end);
    if (spec.pipe_stdout) spawned.stdout_fd = std::move(out.read_end);
    spawned.stderr_fd = std::move(err.read_end);
    const bool ready = spawned.pid_fd.open() && set_nonblocking(spawned.stderr_fd) &&
                       (!spec.pipe_stdin || set_nonblocking(spawned.stdin_fd)) &&
                       (!spec.pipe_stdout || set_nonblocking(spawned.stdout_fd));
    if (!ready) {
        const int failed = errno;
        ::kill(-spawned.pid, SIGKILL);
        ::waitpid(spawned.pid, nullptr, 0);
        return Error::from_errno(failed, "preparing the pipes of a child");
    }
    return spawned;
}

}  // namespace backstay
