// One replica at a time looks after what runs by itself. Thread-compatible: the upkeep thread's.
#pragma once

#include <optional>
#include <string>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::replicas {

// Shorter breaks harm nothing: leases and silence last longer.
inline constexpr TimeMs kNobodyMs = 30'000;

struct Term {
    // Since when agents were heard without a break, by whatever replica.
    TimeMs listening_since = 0;
    // Nobody led before, so that perhaps nobody served. `note` ends that.
    bool after_nobody = false;
};

class Leadership {
public:
    explicit Leadership(std::string replica) : replica_(std::move(replica)) {}

    // Absent: another replica leads. While this connection lives nobody else can; ask before each piece of work.
    Result<std::optional<Term>> hold(sql::Database& db, TimeMs now);
    // This replica led until now.
    Result<> note(sql::Database& db, const Term& term, TimeMs now);

private:
    Result<Term> stored_term(sql::Database& db, TimeMs now) const;

    const std::string replica_;
    bool leads_ = false;
    std::optional<TimeMs> alone_since_;  // SQLite: of this process
};

// Which replica led last; empty: none ever did.
Result<std::string> last_leader(sql::Database& db);

}  // namespace backstay::replicas
