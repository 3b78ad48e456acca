// Several transactions of one organization that the store takes by one commit, so that they share its flush to the
// disk. While a Group is open on a connection, each Transaction there is a member: what it wrote is undone alone, and
// what it committed is stored when the group is, and only then may anybody be told of it.
#pragma once

#include <optional>
#include <string_view>

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::sql {

class Group {
public:
    // As Transaction::begin. A Transaction of another organization, or of all, is unavailable while the group is open.
    static Result<Group> begin(Database& database, std::string_view organization);
    // One that could not begin: each Transaction in it is unavailable at once, and so is commit().
    static Group lost(Database& database, std::string_view organization, Error why);
    ~Group();
    Group(Group&& other) noexcept;
    Group& operator=(Group&&) = delete;

    // After a failure nothing of any member is stored, with the exception that Transaction::commit knows. When the
    // store ended the transaction by itself every member since then was unavailable, and so is this.
    Result<> commit();

private:
    friend class Transaction;
    Group(Database& database, std::string_view organization, std::optional<Error> lost = {});
    // Of the member whose turn it is.
    static Result<> begin_member(Database& database, std::string_view organization);
    static Result<> commit_member(Database& database);
    static void undo_member(Database& database);
    static Result<> check_stands(Database& database);

    Database* database_;
    bool open_ = true;
};

}  // namespace backstay::sql
