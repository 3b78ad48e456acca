// A connection to PostgreSQL: libpq's home. Blocking; one thread at a time. Every wait ends when the stop token given
// at connect fires: a running statement is cancelled at the server and the call answers `cancelled`.
// Errors: db_unreachable, db_auth_failed, db_not_found as reason codes; SQLSTATE as the fact "sqlstate".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/pq/quote.h"
#include "common/pq/rows.h"
#include "common/result.h"

struct pg_conn;

namespace backstay::pq {

struct ConnectParameters {
    std::string url;   // "postgresql://…" or "key=value …"; what stands in it wins over the members below
    std::string host;  // a socket folder or a host name
    std::uint16_t port = 5432;
    std::string user;
    std::string database;
    std::string password_file;  // .pgpass format, mode 0600; empty: peer authentication or ~/.pgpass
    std::string application_name = "backstay";
    std::int64_t connect_timeout_ms = 10'000;
    std::int64_t statement_timeout_ms = 0;  // 0: none; a server default would break long dumps, so it is always set
    std::int64_t lock_timeout_ms = 0;       // 0: none
    std::int64_t answer_timeout_ms = 0;     // a server that stands still for so long is given up; 0: none
    bool writes = false;                    // a server that only reads (a standby) is passed by
    std::int64_t silent_ms = 0;  // a server whose host does not answer for so long is given up; 0: after minutes
};

using Parameter = std::optional<std::string>;  // text form; nullopt is NULL

// For statements that are prepared: by type, so that nothing is left to be guessed. Values of pg_type.oid.
enum class ParameterType : std::uint32_t { unknown = 0, bytea = 17, int8 = 20, text = 25, float8 = 701 };

// One row while it streams; valid inside the callback only.
using RowView = const Rows&;
using OnRow = std::function<Result<>(RowView row)>;

// What somebody said on a channel by NOTIFY.
struct Notification {
    std::string channel;
    std::string payload;
};

class Connection {
public:
    static Result<Connection> connect(const ConnectParameters& parameters, std::stop_token stop = {});
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;
    ~Connection();

    // One statement with $1…$n.
    Result<Rows> query(std::string_view sql, std::span<const Parameter> parameters = {});
    Result<Rows> query(std::string_view sql, std::initializer_list<Parameter> parameters) {
        return query(sql, std::span(parameters.begin(), parameters.size()));
    }
    // Prepares a statement under a name that lasts as long as the connection; `execute` runs it.
    Result<> prepare(const std::string& name, std::string_view sql, std::span<const ParameterType> types);
    Result<Rows> execute(const std::string& name, std::span<const Parameter> parameters);
    // Several at once, in one round trip; what each answered, or the first error. Outside of a transaction they are
    // one: all take effect or none.
    struct Execution {
        std::string name;
        std::vector<Parameter> parameters;
    };
    Result<std::vector<Rows>> execute_all(std::span<const Execution> executions);
    // One or more statements without parameters; several are one transaction unless they say otherwise.
    Result<> exec(std::string_view sql);
    // Gives each row (row 0 of the view) as it arrives, so that memory stays flat. An error of the callback cancels
    // the statement and is handed on.
    Result<> stream(std::string_view sql, std::span<const Parameter> parameters, const OnRow& on_row);

    // COPY … FROM STDIN in text format: what is put is held back to no more than a piece; `end_copy` answers how many
    // rows came in, `abandon_copy` has the server forget them. Nothing else runs between.
    Result<> begin_copy(std::string_view sql);
    Result<> put_copy(std::string_view piece);
    Result<std::int64_t> end_copy();
    void abandon_copy();
    // What was said on the channels that this connection LISTENs to: waits for something, at most so long (then there
    // is none).
    Result<std::vector<Notification>> notifications(std::int64_t wait_ms);

    // 150018 for 15.18
    std::int32_t server_version_num() const;
    std::int32_t backend_pid() const;
    bool usable() const;  // false once the connection broke
    // The same after a look at what the server sent meanwhile, such as its farewell. Does not wait.
    bool look_usable();
    bool in_transaction() const;
    // A statement of the open transaction failed: nothing but ROLLBACK works, and COMMIT would quietly roll back.
    bool transaction_failed() const;

private:
    struct State;
    explicit Connection(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

// A transaction that is rolled back unless it was committed.
class Transaction {
public:
    static Result<Transaction> begin(Connection& connection, std::string_view mode = "");
    Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Result<> commit();

private:
    explicit Transaction(Connection& connection) : connection_(&connection) {}
    Connection* connection_;
};

}  // namespace backstay::pq
