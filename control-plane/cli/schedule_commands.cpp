// Schedules, what they keep, and alerts, on the command line.
#include <fmt/format.h>

#include <algorithm>

#include "control-plane/alerts/repository.h"
#include "control-plane/api/alert_answers.h"
#include "control-plane/api/schedule_change.h"
#include "control-plane/cli/commands.h"
#include "control-plane/cli/installation_session.h"

namespace backstay::cli {
namespace {

constexpr store::Page kAll{100'000, 0};

std::string time_of(const std::optional<TimeMs>& time) { return time ? to_rfc3339(*time - *time % 1000) : "never"; }

std::string cadence_of(const store::Cadence& cadence) {
    if (cadence.frequency == "none") return "none";
    return fmt::format("{} ({})", cadence.frequency, cadence.cron);
}

std::string state_of(const store::Schedule& schedule) {
    if (!schedule.enabled) return "off";
    return schedule.paused ? "paused" : "on";
}

struct Place {
    store::Organization organization;
    store::Environment environment;
};

Result<Place> place_of(Session& session, const ScheduleArguments& arguments) {
    Place place;
    place.organization = TRY(session.organization(arguments.organization));
    auto found = TRY(store::Environments(session.db).find(place.organization.id, arguments.environment));
    if (!found) {
        return Error(Errc::not_found, "there is no environment " + arguments.environment)
            .with_hint("`backstay-control environment list` shows those of a project");
    }
    place.environment = std::move(*found);
    return place;
}

Result<> put_switch(json::Object& body, const char* member, const std::string& word, const std::string& option) {
    if (word.empty()) return {};
    if (word != "on" && word != "off") return Error(Errc::invalid, option + " must be on or off");
    body[member] = word == "on";
    return {};
}

// A word is a frequency, several are a cron.
void put_cadence(json::Object& body, const std::string& prefix, const std::string& text) {
    if (text.empty()) return;
    const bool is_cron = text.find(' ') != std::string::npos || text.starts_with('@');
    body[prefix + "Frequency"] = is_cron ? "custom" : text;
    if (is_cron) body[prefix + "Cron"] = text;
}

Result<json::Object> numbers_in(const std::string& text) {
    json::Object none;
    if (text.empty()) return none;
    json::Value numbers = TRY(json::parse(text).context("read --retention"));
    if (numbers.if_object() == nullptr) return Error(Errc::invalid, "--retention must be a JSON object");
    for (const auto& member : numbers.get_object()) {
        const std::string_view name(member.key().data(), member.key().size());
        if (!name.starts_with("retain")) {
            return Error(Errc::invalid, fmt::format("--retention takes the contract's retain… numbers, not {}", name));
        }
    }
    return std::move(numbers.get_object());
}

Result<json::Value> body_of(const ScheduleArguments& arguments) {
    json::Object body = TRY(numbers_in(arguments.retention));
    put_cadence(body, "db", arguments.database);
    put_cadence(body, "full", arguments.full);
    if (!arguments.time_zone.empty()) body["timezone"] = arguments.time_zone;
    if (!arguments.destinations.empty()) body["destinationIds"] = json::encode(arguments.destinations);
    TRY(put_switch(body, "enabled", arguments.enabled, "--enabled"));
    TRY(put_switch(body, "paused", arguments.paused, "--paused"));
    TRY(put_switch(body, "walEnabled", arguments.wal, "--wal"));
    if (arguments.wal_days) body["walRetentionDays"] = *arguments.wal_days;
    return json::Value(std::move(body));
}

std::string text_of(const json::Object& object, const std::string& name) {
    const json::Value* value = object.if_contains(name);
    if (value == nullptr || value->is_null()) return "-";
    return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

// "24 hourly, 7 daily, 4 weekly, 3 monthly"
std::string tiers_of(const json::Object& shown, const std::string& prefix) {
    std::string out;
    for (const std::string tier : {"Hourly", "Daily", "Weekly", "Monthly"}) {
        std::string number = text_of(shown, prefix + tier);
        if (number == "-") number = text_of(shown, "retain" + tier);
        std::string word = tier;
        word.front() = static_cast<char>(word.front() - 'A' + 'a');
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", number, word);
    }
    return out;
}

Lines retention_lines(const json::Object& shown) {
    Lines lines = {{"keeps of database", tiers_of(shown, "retainDb")},
                   {"keeps of full", tiers_of(shown, "retainFull")}};
    for (const std::string tier : {"Hourly", "Daily", "Weekly", "Monthly"}) {
        const std::string days = text_of(shown, "retain" + tier + "Days");
        if (days != "-" && days != "0") lines.emplace_back(tier + ", at most", days + " days");
    }
    return lines;
}

Result<> show(const Common& common, Session& session, const store::Schedule& schedule) {
    const json::Object shown = TRY(api::schedule_view(session.db, schedule, session.now));
    Lines lines = {{"environment", schedule.environment_id},
                   {"schedule", state_of(schedule)},
                   {"database", cadence_of(schedule.db)},
                   {"next", text_of(shown, "nextDbBackupAt")},
                   {"full", cadence_of(schedule.full)},
                   {"next full", text_of(shown, "nextFullBackupAt")},
                   {"time zone", schedule.time_zone},
                   {"wal", schedule.wal_enabled ? fmt::format("{} days", schedule.wal_retention_days) : "off"}};
    for (auto& line : retention_lines(shown)) lines.push_back(std::move(line));
    for (const std::string& id : schedule.destination_ids) lines.emplace_back("destination", id);
    print(common, shown, lines);
    return {};
}

Result<store::Schedule> stored_schedule(Session& session, const store::Environment& environment) {
    auto found = TRY(store::Schedules(session.db).find(environment.id));
    if (found) return std::move(*found);
    return Error(Errc::not_found, "environment " + environment.name + " has no schedule")
        .with_hint("`backstay-control schedule set` makes one");
}

Lines policy_lines(const json::Object& shown) {
    Lines lines = retention_lines(shown);
    lines.emplace_back("changed", text_of(shown, "updatedAt"));
    return lines;
}

// Reads, changes and prints one alert in one transaction.
template <class Change>
Result<> change_alert(const Common& common, const AlertArguments& arguments, std::string_view what, Change change) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    alerts::Alerts known(session.db);
    const auto found = TRY(known.find(organization.id, arguments.id));
    if (!found) return Error(Errc::not_found, "there is no alert " + arguments.id);
    TRY(change(known, organization.id));
    TRY(registry::note(transaction, session.actor(), organization.id, what == "read" ? "alert.read" : "alert.dismiss",
                       found->id, found->type));
    TRY(transaction.commit());
    const auto now = TRY(known.find(organization.id, arguments.id));
    api::Names names(session.db, organization.id, session.now);
    const json::Value shown = TRY(api::alert_answer(names, *now));
    print(common, shown.get_object(), {{"alert", found->id}, {"title", found->title}, {"is now", std::string(what)}});
    return {};
}

}  // namespace

Result<> schedule_list(const Common& common, const std::string& slug) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(slug));
    std::vector<std::vector<std::string>> rows;
    json::Array views;
    for (const store::Schedule& schedule : TRY(store::Schedules(session.db).all())) {
        if (schedule.organization_id != organization.id) continue;
        const auto environment = TRY(store::Environments(session.db).find(organization.id, schedule.environment_id));
        json::Object shown = TRY(api::schedule_view(session.db, schedule, session.now));
        rows.push_back({schedule.environment_id, state_of(schedule), text_of(shown, "nextDbBackupAt"),
                        text_of(shown, "nextFullBackupAt"), environment ? environment->name : ""});
        views.push_back(std::move(shown));
    }
    json::Object object{{"schedules", std::move(views)}, {"total", rows.size()}};
    print_table(common, json::Value(std::move(object)),
                {"ENVIRONMENT", "SCHEDULE", "NEXT DATABASE", "NEXT FULL", "NAME"}, rows);
    return {};
}

Result<> schedule_show(const Common& common, const ScheduleArguments& arguments) {
    Session session = TRY(Session::open(common));
    const Place place = TRY(place_of(session, arguments));
    const store::Schedule schedule = TRY(stored_schedule(session, place.environment));
    return show(common, session, schedule);
}

Result<> schedule_set(const Common& common, const ScheduleArguments& arguments) {
    const json::Value body = TRY(body_of(arguments));
    Session session = TRY(Session::open(common));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const Place place = TRY(place_of(session, arguments));
    const auto done = TRY(
        api::change_schedule(session.db, place.environment, body, {place.organization.id, std::nullopt}, session.now));
    TRY(registry::note(transaction, session.actor(), place.organization.id,
                       done.is_new ? "schedule.create" : "schedule.update", place.environment.id, ""));
    TRY(transaction.commit());
    return show(common, session, done.schedule);
}

Result<> schedule_remove(const Common& common, const ScheduleArguments& arguments) {
    Session session = TRY(Session::open(common));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const Place place = TRY(place_of(session, arguments));
    const store::Schedule schedule = TRY(stored_schedule(session, place.environment));
    const json::Object shown = TRY(api::schedule_view(session.db, schedule, session.now));
    TRY(store::Schedules(session.db).remove(place.environment.id));
    TRY(registry::note(transaction, session.actor(), place.organization.id, "schedule.delete", place.environment.id,
                       ""));
    TRY(transaction.commit());
    print(common, shown, {{"removed", "the schedule of " + place.environment.name + "; its backups stay"}});
    return {};
}

Result<> retention_show(const Common& common, const std::string& slug) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(slug));
    const json::Object shown = api::policy_view(TRY(store::Policies(session.db).of(organization.id)));
    print(common, shown, policy_lines(shown));
    return {};
}

Result<> retention_set(const Common& common, const ScheduleArguments& arguments) {
    json::Object numbers = TRY(numbers_in(arguments.retention));
    Session session = TRY(Session::open(common));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto organization = TRY(session.organization(arguments.organization));
    const auto policy =
        TRY(api::change_policy(session.db, organization.id, json::Value(std::move(numbers)), "cli", session.now));
    TRY(registry::note(transaction, session.actor(), organization.id, "retention_policy.update", organization.id, ""));
    TRY(transaction.commit());
    const json::Object shown = api::policy_view(policy);
    print(common, shown, policy_lines(shown));
    return {};
}

Result<> retention_reset(const Common& common, const std::string& slug) {
    Session session = TRY(Session::open(common));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto organization = TRY(session.organization(slug));
    const auto policy = TRY(api::reset_policy(session.db, organization.id, "cli", session.now));
    TRY(registry::note(transaction, session.actor(), organization.id, "retention_policy.reset", organization.id, ""));
    TRY(transaction.commit());
    const json::Object shown = api::policy_view(policy);
    print(common, shown, policy_lines(shown));
    return {};
}

Result<> alert_list(const Common& common, const AlertArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    const auto listing = TRY(alerts::Alerts(session.db).list({organization.id, "", arguments.all, kAll}));
    api::Names names(session.db, organization.id, session.now);
    std::vector<std::vector<std::string>> rows;
    json::Array views;
    for (const alerts::Alert& alert : listing.items) {
        const std::string state = alert.dismissed_at ? "dismissed" : alert.resolved_at ? "resolved" : "open";
        rows.push_back({alert.id, std::string(alerts::to_string(alert.severity)), state,
                        std::to_string(alert.occurrences), time_of(alert.last_occurred_at), alert.title});
        views.push_back(TRY(api::alert_answer(names, alert)));
    }
    json::Object object{{"alerts", std::move(views)}, {"total", listing.total}};
    print_table(common, json::Value(std::move(object)), {"ID", "SEVERITY", "STATE", "TIMES", "LAST", "TITLE"}, rows);
    return {};
}

Result<> alert_read(const Common& common, const AlertArguments& arguments) {
    return change_alert(common, arguments, "read", [&](alerts::Alerts& known, const std::string& organization) {
        return known.mark_read(organization, arguments.id, "cli", SystemClock().now_ms());
    });
}

Result<> alert_dismiss(const Common& common, const AlertArguments& arguments) {
    return change_alert(common, arguments, "dismissed", [&](alerts::Alerts& known, const std::string& organization) {
        return known.dismiss(organization, arguments.id, "cli", SystemClock().now_ms());
    });
}

}  // namespace backstay::cli
