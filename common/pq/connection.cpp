#include "common/pq/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/clock.h"
#include "common/domain/reasons.h"
#include "common/pq/error.h"

namespace backstay::pq {
namespace {

constexpr std::int64_t kForever = -1;
constexpr std::int64_t kCancelGraceMs = 10'000;  // how long a cancelled statement may take to end

Result<int> new_wakeup() {
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return Error::from_errno(errno, "eventfd");
    return fd;
}

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct FreeCancel {
    void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};

struct FreeNotification {
    void operator()(PGnotify* notification) const { PQfreemem(notification); }
};

struct KeyValues {
    std::vector<std::string> values;
    std::vector<const char*> keys;

    void add(const char* key, std::string value) {
        if (value.empty()) return;
        keys.push_back(key);
        values.push_back(std::move(value));
    }
};

KeyValues key_values(const ConnectParameters& wanted) {
    KeyValues list;
    list.add("host", wanted.host);
    list.add("port", std::to_string(wanted.port));
    list.add("user", wanted.user);
    // The url goes last: libpq expands a dbname that looks like one, and the later entry wins.
    list.add("dbname", wanted.database);
    list.add("passfile", wanted.password_file);
    list.add("application_name", wanted.application_name);
    list.add("client_encoding", "UTF8");
    if (wanted.writes) list.add("target_session_attrs", "read-write");
    if (wanted.silent_ms > 0) {
        const std::int64_t third_s = std::max<std::int64_t>(1, wanted.silent_ms / 3000);
        list.add("keepalives_idle", std::to_string(third_s));
        list.add("keepalives_interval", std::to_string(third_s));
        list.add("keepalives_count", "2");
        list.add("tcp_user_timeout", std::to_string(wanted.silent_ms));
    } else {
        list.add("keepalives_idle", "60");
    }
    list.add("options",
             fmt::format("-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout=0"
                         " -c DateStyle=ISO -c TimeZone=UTC -c extra_float_digits=1",
                         wanted.statement_timeout_ms, wanted.lock_timeout_ms));
    if (!wanted.url.empty()) list.add("dbname", wanted.url);
    return list;
}

// What libpq takes: null for NULL. Borrowed from the parameters.
std::vector<const char*> pointers(std::span<const Parameter> parameters) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const Parameter& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
    return values;
}

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

// libpq's own complaint would quote what it stumbled over, and that may be a password.
Result<> check_url(const std::string& url) {
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(url.c_str(), nullptr));
    bool good = options != nullptr;
    for (const PQconninfoOption* one = options.get(); good && one->keyword != nullptr; ++one) {
        if (one->val == nullptr) continue;
        const std::string_view name = one->keyword;
        const std::string_view value = one->val;
        if (name == "host") good = value.find('@') == std::string_view::npos;
        if (name == "port") good = value.find_first_not_of("0123456789,") == std::string_view::npos;
    }
    if (good) return {};
    return Error(Errc::invalid, "the database's URL is not understood")
        .with_hint("in a user's name and a password @ : / % and # are written as %40 %3A %2F %25 and %23");
}

void ignore_notice(void* /*nobody*/, const PGresult* /*notice*/) {}

}  // namespace

struct Connection::State {
    std::unique_ptr<PGconn, Finish> connection;
    std::stop_token stop;
    int wakeup = -1;
    std::int64_t answer_timeout_ms = 0;
    bool given_up = false;

    ~State() {
        if (wakeup >= 0) close(wakeup);
    }

    // Waits until the socket is ready for `events`, or the token fires (false), or time is over.
    Result<bool> wait(short events, std::int64_t deadline_ms, bool watch_stop) const;
    // When a statement that begins to wait now has waited for too long.
    std::int64_t answer_deadline() const { return answer_timeout_ms == 0 ? kForever : steady_ms() + answer_timeout_ms; }
    // What waiting for an answer came to: whoever gave up cannot use the connection any more.
    Result<bool> answered(Result<bool> waited);
    Result<> flush();
    // The next result of the running statement; null after the last.
    Result<PGresult*> next_result(bool& stopped);
    // Reads the rest of a statement that nobody wants any more.
    void drain(std::int64_t grace_ms) const;
    void cancel() const;
    Result<> send(std::string_view sql, std::span<const Parameter> parameters);
    Result<Rows> last_result();
    Result<> establish(std::int64_t deadline_ms) const;
};

Result<bool> Connection::State::wait(short events, std::int64_t deadline_ms, bool watch_stop) const {
    // The callback only pokes the descriptor: libpq is not touched from the stopping thread.
    const std::stop_callback poke(stop, [fd = wakeup] { eventfd_write(fd, 1); });
    while (true) {
        if (watch_stop && stop.stop_requested()) return false;
        std::array<pollfd, 2> fds{pollfd{PQsocket(connection.get()), events, 0}, pollfd{wakeup, POLLIN, 0}};
        const std::int64_t left = deadline_ms == kForever ? kForever : deadline_ms - steady_ms();
        if (deadline_ms != kForever && left <= 0) return Error(Errc::timed_out, "the server does not answer");
        const int ready = poll(fds.data(), watch_stop ? 2 : 1, static_cast<int>(left));
        if (ready < 0 && errno != EINTR) return Error::from_errno(errno, "poll");
        if (ready > 0 && fds[0].revents != 0) return true;
    }
}

Result<> Connection::State::establish(std::int64_t deadline_ms) const {
    while (true) {
        const PostgresPollingStatusType status = PQconnectPoll(connection.get());
        if (status == PGRES_POLLING_OK) return {};
        if (status == PGRES_POLLING_FAILED) return error_of_connect(connection.get());
        auto ready = wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms, true);
        if (!ready) return std::move(ready).error().with_reason(reason::kDbUnreachable);
        if (!*ready) return Error(Errc::cancelled, "stopped while connecting").with_reason(reason::kCancelled);
    }
}

Result<Connection> Connection::connect(const ConnectParameters& parameters, std::stop_token stop) {
    auto state = std::make_unique<State>();
    state->stop = std::move(stop);
    state->wakeup = TRY(new_wakeup());
    state->answer_timeout_ms = parameters.answer_timeout_ms;
    if (!parameters.url.empty()) TRY(check_url(parameters.url));
    KeyValues list = key_values(parameters);
    std::vector<const char*> values;
    for (const std::string& value : list.values) values.push_back(value.c_str());
    list.keys.push_back(nullptr);
    values.push_back(nullptr);
    state->connection.reset(PQconnectStartParams(list.keys.data(), values.data(), 1));
    PGconn* raw = state->connection.get();
    if (raw == nullptr) return Error(Errc::exhausted, "no memory for a connection");
    const std::string where = fmt::format("connect to database {}", parameters.database);
    // Verbose, so that a refused connection names its SQLSTATE.
    PQsetErrorVerbosity(raw, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(raw, ignore_notice, nullptr);
    if (PQstatus(raw) == CONNECTION_BAD) return error_of_connect(raw).add_context(where);
    TRY(state->establish(steady_ms() + parameters.connect_timeout_ms).context(where));
    PQsetErrorVerbosity(raw, PQERRORS_DEFAULT);
    if (PQsetnonblocking(raw, 1) != 0) return error_of_connect(raw);
    return Connection(std::move(state));
}

Result<bool> Connection::State::answered(Result<bool> waited) {
    if (waited || waited.error().code() != Errc::timed_out) return waited;
    given_up = true;
    return Error(Errc::unavailable, "the database server stands still").with_reason(reason::kDbUnreachable);
}

Result<> Connection::State::flush() {
    while (true) {
        const int left = PQflush(connection.get());
        if (left == 0) return {};
        if (left < 0) return error_of_result(connection.get(), nullptr, false);
        TRY(answered(wait(POLLIN | POLLOUT, answer_deadline(), false)));
        if (PQconsumeInput(connection.get()) == 0) return error_of_result(connection.get(), nullptr, false);
    }
}

Result<> Connection::State::send(std::string_view sql, std::span<const Parameter> parameters) {
    if (stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
    const std::string text(sql);
    const std::vector<const char*> values = pointers(parameters);
    const int sent = PQsendQueryParams(connection.get(), text.c_str(), static_cast<int>(values.size()), nullptr,
                                       values.data(), nullptr, nullptr, 0);
    if (sent == 0) return error_of_result(connection.get(), nullptr, false);
    return flush();
}

void Connection::State::cancel() const {
    const std::unique_ptr<PGcancel, FreeCancel> request(PQgetCancel(connection.get()));
    std::array<char, 256> why{};
    if (request) PQcancel(request.get(), why.data(), static_cast<int>(why.size()));
}

Result<PGresult*> Connection::State::next_result(bool& stopped) {
    std::int64_t deadline = answer_deadline();
    if (stopped) deadline = steady_ms() + kCancelGraceMs;
    while (PQisBusy(connection.get()) != 0) {
        const bool ready = TRY(answered(wait(POLLIN, deadline, !stopped)));
        if (!ready) {
            stopped = true;
            deadline = steady_ms() + kCancelGraceMs;
            cancel();
            continue;
        }
        if (PQconsumeInput(connection.get()) == 0) return error_of_result(connection.get(), nullptr, stopped);
    }
    return PQgetResult(connection.get());
}

void Connection::State::drain(std::int64_t grace_ms) const {
    const std::int64_t deadline = steady_ms() + grace_ms;
    while (true) {
        while (PQisBusy(connection.get()) != 0) {
            if (!wait(POLLIN, deadline, false) || PQconsumeInput(connection.get()) == 0) return;
        }
        PGresult* result = PQgetResult(connection.get());
        if (result == nullptr) return;
        PQclear(result);
    }
}

// Keeps the last result, or the first error, of all that the statements answer.
Result<Rows> Connection::State::last_result() {
    std::optional<Rows> kept;
    std::optional<Error> failed;
    bool stopped = false;
    while (true) {
        PGresult* result = TRY(next_result(stopped));
        if (result == nullptr) break;
        Rows rows(result);
        const ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
            kept = std::move(rows);
        } else if (!failed) {
            failed = error_of_result(connection.get(), result, stopped);
        }
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) return Error(Errc::invalid, "COPY is not for this");
    }
    if (failed) return std::move(*failed);
    if (stopped) return Error(Errc::cancelled, "the query was stopped").with_reason(reason::kCancelled);
    if (!kept) return error_of_result(connection.get(), nullptr, stopped);
    return std::move(*kept);
}

Result<> Connection::prepare(const std::string& name, std::string_view sql, std::span<const ParameterType> types) {
    const std::vector<Oid> oids = [&] {
        std::vector<Oid> list;
        for (const ParameterType type : types) list.push_back(static_cast<Oid>(type));
        return list;
    }();
    PGconn* raw = state_->connection.get();
    const std::string text(sql);
    if (PQsendPrepare(raw, name.c_str(), text.c_str(), static_cast<int>(oids.size()), oids.data()) == 0) {
        return error_of_result(raw, nullptr, false);
    }
    TRY(state_->flush());
    TRY(state_->last_result());
    return {};
}

Result<Rows> Connection::execute(const std::string& name, std::span<const Parameter> parameters) {
    if (state_->stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
    const std::vector<const char*> values = pointers(parameters);
    PGconn* raw = state_->connection.get();
    if (PQsendQueryPrepared(raw, name.c_str(), static_cast<int>(values.size()), values.data(), nullptr, nullptr, 0) ==
        0) {
        return error_of_result(raw, nullptr, false);
    }
    TRY(state_->flush());
    return state_->last_result();
}

namespace {
// Whoever comes after a pipeline that was not left must connect anew: nothing else can be asked.
class LeavesInOrder {
public:
    template <class State>
    explicit LeavesInOrder(State& state) : connection_(state.connection.get()), given_up_(state.given_up) {}
    ~LeavesInOrder() {
        if (PQpipelineStatus(connection_) != PQ_PIPELINE_OFF) given_up_ = true;
    }
    LeavesInOrder(const LeavesInOrder&) = delete;
    LeavesInOrder& operator=(const LeavesInOrder&) = delete;

private:
    PGconn* connection_;
    bool& given_up_;
};
}  // namespace

Result<std::vector<Rows>> Connection::execute_all(std::span<const Execution> executions) {
    if (state_->stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
    PGconn* raw = state_->connection.get();
    bool sent = PQenterPipelineMode(raw) == 1;
    for (const Execution& one : executions) {
        const std::vector<const char*> values = pointers(one.parameters);
        sent = sent && PQsendQueryPrepared(raw, one.name.c_str(), static_cast<int>(values.size()), values.data(),
                                           nullptr, nullptr, 0) == 1;
    }
    sent = sent && PQpipelineSync(raw) == 1;
    const LeavesInOrder guard(*state_);
    if (!sent) return error_of_result(raw, nullptr, false);
    TRY(state_->flush());
    std::vector<Rows> answers;
    answers.reserve(executions.size());
    std::optional<Error> failed;
    for (std::size_t i = 0; i < executions.size(); ++i) {
        auto rows = state_->last_result();
        if (!rows && !usable()) return rows.error();
        if (rows) {
            answers.push_back(std::move(*rows));
        } else if (!failed) {
            failed = std::move(rows).error();
        }
    }
    bool stopped = false;
    const Rows sync(TRY(state_->next_result(stopped)));
    if (PQexitPipelineMode(raw) != 1) return error_of_result(raw, nullptr, false);
    if (failed) return std::move(*failed);
    return answers;
}

Result<Rows> Connection::query(std::string_view sql, std::span<const Parameter> parameters) {
    TRY(state_->send(sql, parameters));
    return state_->last_result();
}

Result<> Connection::exec(std::string_view sql) {
    if (state_->stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
    const std::string text(sql);
    PGconn* raw = state_->connection.get();
    if (PQsendQuery(raw, text.c_str()) == 0) return error_of_result(raw, nullptr, false);
    TRY(state_->flush());
    TRY(state_->last_result());
    return {};
}

Result<> Connection::stream(std::string_view sql, std::span<const Parameter> parameters, const OnRow& on_row) {
    TRY(state_->send(sql, parameters));
    PGconn* raw = state_->connection.get();
    if (PQsetSingleRowMode(raw) == 0) return error_of_result(raw, nullptr, false);
    bool stopped = false;
    std::optional<Error> failed;
    while (true) {
        PGresult* result = TRY(state_->next_result(stopped));
        if (result == nullptr) break;
        const Rows rows(result);
        const ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            if (!failed) failed = error_of_result(raw, result, stopped);
        } else if (!failed && !rows.empty()) {
            auto taken = on_row(rows);
            if (taken) continue;
            failed = std::move(taken).error();
            state_->cancel();
            state_->drain(kCancelGraceMs);
            break;
        }
    }
    if (failed) return std::move(*failed);
    if (stopped) return Error(Errc::cancelled, "the query was stopped").with_reason(reason::kCancelled);
    return {};
}

Result<> Connection::begin_copy(std::string_view sql) {
    TRY(state_->send(sql, {}));
    bool stopped = false;
    PGresult* result = TRY(state_->next_result(stopped));
    if (result == nullptr) return error_of_result(state_->connection.get(), nullptr, stopped);
    const Rows answer(result);
    if (PQresultStatus(result) == PGRES_COPY_IN) return {};
    Error failed = error_of_result(state_->connection.get(), result, stopped);
    state_->drain(kCancelGraceMs);
    return failed;
}

Result<> Connection::put_copy(std::string_view piece) {
    if (state_->stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
    PGconn* raw = state_->connection.get();
    while (true) {
        const int put = PQputCopyData(raw, piece.data(), static_cast<int>(piece.size()));
        if (put < 0) return error_of_result(raw, nullptr, false);
        TRY(state_->flush());
        if (put > 0) return {};
    }
}

Result<std::int64_t> Connection::end_copy() {
    PGconn* raw = state_->connection.get();
    while (true) {
        const int put = PQputCopyEnd(raw, nullptr);
        if (put < 0) return error_of_result(raw, nullptr, false);
        TRY(state_->flush());
        if (put > 0) break;
    }
    const Rows done = TRY(state_->last_result());
    return done.affected();
}

void Connection::abandon_copy() {
    // 0: no room for the word; the server then ends the COPY when the connection goes.
    if (PQputCopyEnd(state_->connection.get(), "given up") <= 0 || !state_->flush()) return;
    state_->drain(kCancelGraceMs);
}

Result<std::vector<Notification>> Connection::notifications(std::int64_t wait_ms) {
    PGconn* raw = state_->connection.get();
    const std::int64_t deadline = steady_ms() + wait_ms;
    std::vector<Notification> out;
    while (true) {
        while (const std::unique_ptr<PGnotify, FreeNotification> one{PQnotifies(raw)}) {
            out.push_back({one->relname, one->extra});
        }
        if (!out.empty()) return out;
        const auto ready = state_->wait(POLLIN, deadline, true);
        if (!ready && ready.error().code() == Errc::timed_out) return out;
        if (!ready) return ready.error();
        if (!*ready) return Error(Errc::cancelled, "stopped while listening").with_reason(reason::kCancelled);
        if (PQconsumeInput(raw) == 0) return error_of_result(raw, nullptr, false);
    }
}

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

std::int32_t Connection::server_version_num() const { return PQserverVersion(state_->connection.get()); }
std::int32_t Connection::backend_pid() const { return PQbackendPID(state_->connection.get()); }
bool Connection::usable() const { return !state_->given_up && PQstatus(state_->connection.get()) == CONNECTION_OK; }
bool Connection::look_usable() {
    PGconn* raw = state_->connection.get();
    while (usable()) {
        pollfd fd{PQsocket(raw), POLLIN, 0};
        if (poll(&fd, 1, 0) <= 0) return true;
        if (PQconsumeInput(raw) == 0) return false;
    }
    return false;
}

bool Connection::in_transaction() const {
    const PGTransactionStatusType status = PQtransactionStatus(state_->connection.get());
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

bool Connection::transaction_failed() const { return PQtransactionStatus(state_->connection.get()) == PQTRANS_INERROR; }

Result<Transaction> Transaction::begin(Connection& connection, std::string_view mode) {
    TRY(connection.exec(fmt::format("BEGIN {}", mode)));
    return Transaction(connection);
}

Transaction::~Transaction() {
    // A rollback that fails means a broken connection, and the server then rolls back by itself.
    if (connection_ != nullptr && connection_->in_transaction()) (void)connection_->exec("ROLLBACK").has_value();
}

Result<> Transaction::commit() {
    Connection* connection = std::exchange(connection_, nullptr);
    if (connection->transaction_failed()) {
        TRY(connection->exec("ROLLBACK"));
        return Error(Errc::conflict, "the transaction had failed already; it was rolled back");
    }
    return connection->exec("COMMIT");
}

}  // namespace backstay::pq
