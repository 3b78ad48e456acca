// Alerts as rows. Runs inside the caller's transaction; questions about an organization's alerts take its id.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sql/database.h"
#include "control-plane/alerts/alert.h"
#include "control-plane/store/store.h"

namespace backstay::alerts {

// A condition that comes back so soon is the same one: what flaps is one alert.
inline constexpr std::int64_t kReopenMs = 3'600'000;

// What became of an alert: that is what people are told.
enum class Change { raised, repeated, worsened, resolved };
BOOST_DESCRIBE_ENUM(Change, raised, repeated, worsened, resolved)

struct Counts {
    std::int64_t undismissed = 0;
    std::int64_t unread = 0;  // and not dismissed
};

struct AlertFilter {
    std::string organization_id;
    std::string project_id;  // only what concerns this project; empty: all
    bool include_dismissed = false;
    store::Page page;
};

class Alerts {
public:
    explicit Alerts(sql::Database& db) : db_(db) {}

    // A new alert, the open one changed, or a condition's that was over a short while ago open again; absent: nothing
    // to tell, the condition merely goes on.
    Result<std::optional<Change>> raise(std::string_view organization, const Finding& finding, TimeMs now);
    // Resolves the open alert, if there is one.
    Result<> resolve(std::string_view organization, const Relief& relief, TimeMs now);
    Result<> apply(std::string_view organization, const Judgement& judgement, TimeMs now);
    // Conditions of these types that concern the agent: found ones are raised, open ones that were not found are over.
    Result<> settle(std::string_view organization, std::string_view agent_id,
                    const std::vector<std::string_view>& types, const std::vector<Finding>& found, TimeMs now);
    // The same over all organizations: (organization, finding) pairs.
    Result<> settle_all(std::string_view type, const std::vector<std::pair<std::string, Finding>>& found, TimeMs now);
    // Those that speak of environments, agents and destinations that are removed have nobody to look after them.
    Result<> resolve_orphans(TimeMs now);

    // Whether there is or was an alert of this type and subject.
    Result<bool> was_raised(std::string_view organization, std::string_view type, std::string_view subject);
    // Newest first.
    Result<store::Listing<Alert>> list(const AlertFilter& filter);
    store::Found<Alert> find(std::string_view organization, std::string_view id);
    Result<Counts> count(std::string_view organization, std::string_view project = "");
    // Both stay as they were when they are done already; dismissing also marks read.
    Result<> mark_read(std::string_view organization, std::string_view id, std::string_view by, TimeMs now);
    Result<> dismiss(std::string_view organization, std::string_view id, std::string_view by, TimeMs now);

private:
    Result<> insert(std::string_view organization, const Finding& finding, TimeMs now);
    Result<> renew(const Alert& open, const Finding& finding, TimeMs now);
    Result<> close(const Alert& open, TimeMs now);
    store::Found<Alert> lately_over(std::string_view organization, const Finding& finding, TimeMs now);
    store::Found<Alert> open_one(std::string_view organization, std::string_view type, std::string_view subject);

    sql::Database& db_;
};

}  // namespace backstay::alerts
