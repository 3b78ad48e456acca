#include "common/sql/group.h"

#include <utility>

#include "common/log.h"

namespace backstay::sql {

Result<Group> Group::begin(Database& database, std::string_view organization) {
    if (database.in_transaction()) return Error(Errc::invalid, "a transaction is open already");
    TRY(database.driver_->begin(organization));
    return Group(database, organization);
}

Group Group::lost(Database& database, std::string_view organization, Error why) {
    return Group(database, organization, std::move(why));
}

Group::Group(Database& database, std::string_view organization, std::optional<Error> lost) : database_(&database) {
    database.group_ = Database::OpenGroup{
        .organization = std::string(organization), .in_member = false, .has_savepoint = false, .lost = std::move(lost)};
}

Group::Group(Group&& other) noexcept : database_(other.database_), open_(std::exchange(other.open_, false)) {}

Group::~Group() {
    if (!open_) return;
    database_->group_.reset();
    if (!database_->in_transaction()) return;
    const auto rolled_back = database_->driver_->roll_back();
    if (!rolled_back) log::error("rollback failed", {{"error", rolled_back.error().message()}});
}

Result<> Group::commit() {
    if (!open_) return Error(Errc::invalid, "the group has ended already");
    const Group ended = std::move(*this);
    auto& group = *database_->group_;
    if (group.in_member) return Error(Errc::invalid, "a member of the group has not ended");
    if (!group.lost && database_->driver_->transaction_failed())
        group.lost = Error(Errc::conflict, "a statement failed that was no member's");
    TRY(check_stands(*database_));
    return database_->driver_->commit();
}

// Once it fell, it stays so: whatever is begun on the connection since is no part of it.
Result<> Group::check_stands(Database& database) {
    auto& group = *database.group_;
    if (!group.lost && !database.in_transaction()) group.lost = Error(Errc::unavailable, "the store ended it");
    if (!group.lost) return {};
    return Error(Errc::unavailable, "a transaction of several was lost: " + group.lost->message());
}

// The savepoint of the member before goes by the way, which saves it a round trip of its own.
Result<> Group::begin_member(Database& database, std::string_view organization) {
    auto& group = *database.group_;
    if (group.in_member) return Error(Errc::invalid, "a transaction is open already");
    if (organization != group.organization)
        return Error(Errc::unavailable, "another organization's transaction is open at this moment");
    TRY(check_stands(database));
    const char* fresh = group.has_savepoint ? "RELEASE member; SAVEPOINT member" : "SAVEPOINT member";
    if (auto begun = database.run_script(fresh); !begun) {
        group.lost = std::move(begun).error();
        return check_stands(database);
    }
    group.has_savepoint = group.in_member = true;
    return {};
}

Result<> Group::commit_member(Database& database) {
    database.group_->in_member = false;
    TRY(check_stands(database));
    if (database.driver_->transaction_failed()) {
        undo_member(database);
        return Error(Errc::conflict, "the transaction had failed already; it was rolled back");
    }
    return {};
}

void Group::undo_member(Database& database) {
    auto& group = *database.group_;
    group.in_member = false;
    if (!check_stands(database)) return;
    if (auto undone = database.run_script("ROLLBACK TO member"); !undone) group.lost = std::move(undone).error();
}

}  // namespace backstay::sql
