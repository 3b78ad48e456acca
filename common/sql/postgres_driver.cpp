#include "common/sql/postgres_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "common/pq/connection.h"
#include "common/sql/database.h"
#include "common/sql/postgres_cursor.h"
#include "common/sql/postgres_inflow.h"
#include "common/sql/postgres_values.h"
#include "common/text_hash.h"

namespace backstay::sql {
namespace {

constexpr std::int64_t kConnectTimeoutMs = 3'000;
constexpr std::int64_t kTryAgainMs = 1'000;
// Both ends give a silent peer up, so that a cut network holds no lock, and no duty, for longer than 10 s.
constexpr std::int64_t kSilentMs = 6'000;
constexpr std::int64_t kTransactionSilentMs = 10'000;
constexpr std::size_t kMostPrepared = 600;
// Beyond the time that the server gives a statement: then it is the server that stands still.
constexpr std::int64_t kAnswerMarginMs = 5'000;

// A busy server that reads nothing for a while is no cut network.
std::int64_t silent_ms(const OpenOptions& options) { return options.bulk ? 10 * kSilentMs : kSilentMs; }

std::int64_t transaction_silent_ms(const OpenOptions& options) {
    if (options.bulk) return 0;
    return options.silence_most_ms == 0 ? kTransactionSilentMs : options.silence_most_ms;
}

std::string session_settings(const OpenOptions& options, std::int32_t server_version) {
    std::string settings = fmt::format(
        "SET statement_timeout = {}; SET lock_timeout = 15000; SET idle_in_transaction_session_timeout = {};"
        "SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 2;"
        "SET tcp_user_timeout = {}; SET default_transaction_isolation = 'read committed'; SET jit = off;"
        "SET bytea_output = hex; SET standard_conforming_strings = on",
        options.bulk ? 0 : options.statement_timeout_ms, transaction_silent_ms(options), silent_ms(options));
    constexpr std::int32_t kFirstToKnow = 140'000;
    if (options.silence_most_ms != 0 && server_version >= kFirstToKnow) {
        settings += fmt::format("; SET idle_session_timeout = {}", options.silence_most_ms);
    }
    return settings;
}

// "BS" in ASCII: our locks, among those of others in the same database.
constexpr int kLockClass = 0x4253;
constexpr int kDutyClass = kLockClass + 1;

class PostgresDriver final : public Driver {
public:
    PostgresDriver(std::string url, const OpenOptions& options) : url_(std::move(url)), options_(options) {}

    Dialect dialect() const override { return Dialect::postgres; }
    Result<std::unique_ptr<Cursor>> query(std::string_view sql, std::span<const Value> values) override {
        return std::unique_ptr<Cursor>(std::make_unique<PostgresCursor>(TRY(execute(sql, values))));
    }
    Result<std::vector<std::unique_ptr<Cursor>>> query_all(std::span<const Question> questions) override;
    Result<std::int64_t> run(std::string_view sql, std::span<const Value> values) override {
        const pq::Rows rows = TRY(execute(sql, values));
        return rows.affected();
    }
    Result<> run_script(const std::string& sql) override {
        TRY(ready());
        return ours(connection_->exec(sql));
    }
    bool in_transaction() const override { return begun_; }
    bool transaction_failed() const override { return begun_ && connection_->transaction_failed(); }
    Result<> begin(std::string_view partition) override;
    Result<> begin_snapshot() override {
        TRY(run_script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
        begun_ = true;
        return {};
    }
    Result<> commit() override;
    Result<> roll_back() override;
    Result<bool> hold(std::string_view duty) override;
    Result<std::unique_ptr<Inflow>> inflow(const std::string& table, std::span<const std::string> columns) override {
        TRY(ready());
        return begin_postgres_inflow(*connection_, table, columns);
    }
    Result<> let_go(std::string_view duty) override;
    Result<> connect();

private:
    Result<> ready();
    Result<pq::Rows> execute(std::string_view sql, std::span<const Value> values);
    Result<> make_room(std::size_t more);
    Result<std::string> prepared(std::string_view sql, std::span<const pq::ParameterType> types);
    void forget_prepared();

    // One text may be asked with values of several types.
    struct Prepared {
        std::vector<pq::ParameterType> types;
        std::string name;
    };

    const std::string url_;
    const OpenOptions options_;
    std::optional<pq::Connection> connection_;
    std::unordered_map<std::string, std::vector<Prepared>, TextHash, std::equal_to<>> prepared_;  // by their text
    std::size_t prepared_count_ = 0;
    std::set<std::string, std::less<>> held_;
    std::int64_t next_try_ms_ = 0;
    bool begun_ = false;  // also when the connection broke since: the transaction's end is still to come
};

Result<> PostgresDriver::connect() {
    connection_.reset();
    forget_prepared();
    if (steady_ms() < next_try_ms_) {
        return Error(Errc::unavailable, "the store's PostgreSQL does not answer");
    }
    pq::ConnectParameters parameters;
    parameters.url = url_;
    parameters.application_name = "backstay-control";
    parameters.connect_timeout_ms = kConnectTimeoutMs;
    parameters.silent_ms = silent_ms(options_);
    parameters.writes = true;
    if (!options_.bulk && options_.statement_timeout_ms > 0) {
        parameters.answer_timeout_ms = options_.statement_timeout_ms + kAnswerMarginMs;
    }
    auto made = pq::Connection::connect(parameters);
    if (made) {
        const auto set = made->exec(session_settings(options_, made->server_version_num()));
        if (!set) made = set.error();
    }
    if (!made) {
        next_try_ms_ = steady_ms() + kTryAgainMs;
        return std::move(made).error().add_context("the store");
    }
    connection_ = std::move(*made);
    return {};
}

// Neither a transaction nor a duty is carried on over another connection.
Result<> PostgresDriver::ready() {
    if (begun_) {
        if (connection_->usable()) return {};
        return Error(Errc::unavailable, "the store was lost in the middle of a transaction");
    }
    if (connection_ && connection_->look_usable()) return {};
    // Whoever held a duty by it must ask for the duty again first.
    if (!held_.empty()) return Error(Errc::unavailable, "a duty was lost with the store's connection");
    if (connection_) log::warning("the store's connection broke", {});
    return connect();
}

Result<pq::Rows> PostgresDriver::execute(std::string_view sql, std::span<const Value> values) {
    TRY(ready());
    const TypedValues typed = TRY(typed_values(values));
    TRY(make_room(1));
    const std::string name = TRY(prepared(sql, typed.types));
    auto rows = ours(connection_->execute(name, typed.texts));
    const bool on_standby = !rows && sqlstate_of(rows.error()) == "25006";
    if (on_standby && !begun_) connection_.reset();
    return rows;
}

Result<std::vector<std::unique_ptr<Cursor>>> PostgresDriver::query_all(std::span<const Question> questions) {
    TRY(ready());
    // Before the first: its name must hold until all are asked.
    TRY(make_room(questions.size()));
    std::vector<pq::Connection::Execution> executions;
    executions.reserve(questions.size());
    for (const Question& one : questions) {
        TypedValues typed = TRY(typed_values(one.values));
        std::string name = TRY(prepared(one.sql, typed.types));
        executions.push_back({std::move(name), std::move(typed.texts)});
    }
    std::vector<std::unique_ptr<Cursor>> answers;
    answers.reserve(questions.size());
    for (pq::Rows& rows : TRY(ours(connection_->execute_all(executions)))) {
        answers.push_back(std::make_unique<PostgresCursor>(std::move(rows)));
    }
    return answers;
}

// For so many statements that may be new.
Result<> PostgresDriver::make_room(std::size_t more) {
    if (prepared_count_ + more <= kMostPrepared || in_transaction()) return {};
    TRY(ours(connection_->exec("DEALLOCATE ALL")));
    forget_prepared();
    return {};
}

void PostgresDriver::forget_prepared() {
    prepared_.clear();
    prepared_count_ = 0;
}

Result<std::string> PostgresDriver::prepared(std::string_view sql, std::span<const pq::ParameterType> types) {
    const auto found = prepared_.find(sql);
    if (found != prepared_.end()) {
        for (const Prepared& one : found->second) {
            if (std::ranges::equal(one.types, types)) return one.name;
        }
    }
    // PostgreSQL itself would take more values than the text speaks of.
    if (const std::size_t highest = highest_parameter(sql); highest != types.size()) {
        return Error(Errc::invalid, fmt::format("a statement takes {} values, {} were given", highest, types.size()));
    }
    std::string name = fmt::format("s{}", prepared_count_);
    TRY(ours(connection_->prepare(name, sql, types)));
    auto& same_text = found != prepared_.end() ? found->second : prepared_[std::string(sql)];
    same_text.push_back({{types.begin(), types.end()}, name});
    ++prepared_count_;
    return name;
}

Result<> PostgresDriver::begin(std::string_view partition) {
    TRY(ready());
    const int key = partition.empty() ? 0 : lock_key(partition);
    const std::string locks = partition.empty()
                                  ? fmt::format("pg_advisory_xact_lock({}, 0)", kLockClass)
                                  : fmt::format("pg_advisory_xact_lock_shared({}, 0), pg_advisory_xact_lock({}, {})",
                                                kLockClass, kLockClass, key);
    // One round trip; what is read from here on is what the last writer left.
    auto begun = ours(connection_->exec("BEGIN; SELECT " + locks));
    if (begun) {
        begun_ = true;
        return {};
    }
    if (connection_->in_transaction()) (void)connection_->exec("ROLLBACK").has_value();
    if (begun.error().code() == Errc::timed_out) {
        return Error(Errc::unavailable, "other writers keep the store busy: " + begun.error().message());
    }
    return begun;
}

Result<> PostgresDriver::commit() {
    TRY(ready());
    if (connection_->transaction_failed()) {
        TRY(roll_back());
        return Error(Errc::conflict, "the transaction had failed already; it was rolled back");
    }
    begun_ = false;
    return ours(connection_->exec("COMMIT"));
}

// With its connection a transaction is gone by itself.
Result<> PostgresDriver::roll_back() {
    begun_ = false;
    if (!connection_->usable()) return {};
    return ours(connection_->exec("ROLLBACK"));
}

Result<bool> PostgresDriver::hold(std::string_view duty) {
    if (!connection_ || !connection_->look_usable()) held_.clear();
    TRY(ready());
    const bool held = held_.contains(duty);
    const std::string question =
        held ? "SELECT true" : fmt::format("SELECT pg_try_advisory_lock({}, {})", kDutyClass, lock_key(duty));
    const pq::Rows rows = TRY(ours(connection_->query(question)));
    if (!rows.boolean(0, 0)) return false;
    if (!held) held_.emplace(duty);
    return true;
}

Result<> PostgresDriver::let_go(std::string_view duty) {
    const auto held = held_.find(duty);
    if (held == held_.end()) return {};
    held_.erase(held);
    return run_script(fmt::format("SELECT pg_advisory_unlock({}, {})", kDutyClass, lock_key(duty)));
}

}  // namespace

Result<std::unique_ptr<Driver>> open_postgres(const std::string& url, const OpenOptions& options) {
    auto driver = std::make_unique<PostgresDriver>(url, options);
    if (!options.connect_later) TRY(driver->connect());
    return std::unique_ptr<Driver>(std::move(driver));
}

}  // namespace backstay::sql
