#include "control-plane/store/destinations.h"

#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

// By project $2.
constexpr const char* kNeeded =
    "(is_default = 1 OR agent_id IN (SELECT agent_id FROM environments WHERE project_id = $2 AND deleted_at IS NULL) "
    "OR "
    "EXISTS (SELECT 1 FROM copies c JOIN backups b ON b.id = c.backup_id WHERE c.destination_id = destinations.id AND "
    "b.project_id = $2 AND b.deleted_at IS NULL) OR EXISTS (SELECT 1 FROM copies c JOIN snapshots s ON s.id = "
    "c.backup_id WHERE c.destination_id = destinations.id AND s.project_id = $2 AND s.deleted_at IS NULL))";

std::string select(std::string_view where) {
    std::string sql =
        "SELECT id, organization_id, name, type, config_box, agent_id, is_default, encrypt, test_status, test_message, "
        "tested_at, created_at, updated_at FROM destinations WHERE ";
    return sql += where;
}

DestinationRow read(const sql::Statement& row) {
    DestinationRow destination;
    destination.id = row.text(0);
    destination.organization_id = row.text(1);
    destination.name = row.text(2);
    destination.type = row.text(3);
    destination.config_box = row.text(4);
    destination.agent_id = row.optional_text(5);
    destination.is_default = row.boolean(6);
    destination.encrypt = row.boolean(7);
    destination.test_status = row.text(8);
    destination.test_message = row.text(9);
    destination.tested_at = row.optional_integer(10);
    destination.created_at = row.integer(11);
    destination.updated_at = row.integer(12);
    return destination;
}

}  // namespace

Result<> Destinations::create(sql::Transaction&, DestinationRow& row) {
    const auto others = TRY(count_of(db_.query(
        "SELECT COUNT(*) FROM destinations WHERE organization_id = $1 AND deleted_at IS NULL", {row.organization_id})));
    if (others == 0) row.is_default = true;
    if (row.is_default) TRY(clear_default(row.organization_id));
    TRY(
        db_.run("INSERT INTO destinations (id, organization_id, name, type, config_box, agent_id, is_default, encrypt, "
                "test_status, test_message, tested_at, created_at, updated_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                {row.id, row.organization_id, row.name, row.type, row.config_box, row.agent_id, row.is_default,
                 row.encrypt, row.test_status, row.test_message, row.tested_at, row.created_at, row.updated_at}));
    return {};
}

Found<DestinationRow> Destinations::find(std::string_view organization, std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND id = $2 AND deleted_at IS NULL"), {organization, id}),
                     read);
}

Found<DestinationRow> Destinations::default_of(std::string_view organization) {
    return first_row(
        db_.query(select("organization_id = $1 AND is_default = 1 AND deleted_at IS NULL"), {organization}), read);
}

Found<DestinationRow> Destinations::find_any(std::string_view organization, std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND id = $2"), {organization, id}), read);
}

Result<Listing<DestinationRow>> Destinations::list(std::string_view organization, const Page& page,
                                                   std::string_view project) {
    const std::string where =
        std::string("$1 = organization_id AND deleted_at IS NULL AND ($2 = '' OR ") + kNeeded + ")";
    Listing<DestinationRow> listing;
    listing.total =
        TRY(count_of(db_.query("SELECT COUNT(*) FROM destinations WHERE " + where, {organization, project})));
    listing.items = TRY(all_rows(db_.query(select(where + " ORDER BY is_default DESC, name, id LIMIT $3 OFFSET $4"),
                                           {organization, project, page.limit, page.offset}),
                                 read));
    return listing;
}

Result<bool> Destinations::needed_by(std::string_view id, std::string_view project) {
    const std::string where = std::string("$1 = id AND deleted_at IS NULL AND ") + kNeeded;
    const auto found = TRY(count_of(db_.query("SELECT COUNT(*) FROM destinations WHERE " + where, {id, project})));
    return found > 0;
}

Result<> Destinations::update(sql::Transaction&, const DestinationRow& row) {
    if (row.is_default) TRY(clear_default(row.organization_id));
    TRY(
        db_.run("UPDATE destinations SET name = $3, type = $4, config_box = $5, agent_id = $6, is_default = $7, "
                "encrypt = $8, test_status = $9, test_message = $10, tested_at = $11, updated_at = $12 "
                "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                {row.organization_id, row.id, row.name, row.type, row.config_box, row.agent_id, row.is_default,
                 row.encrypt, row.test_status, row.test_message, row.tested_at, row.updated_at}));
    return {};
}

Result<> Destinations::set_test(std::string_view id, std::string_view status, std::string_view message,
                                std::optional<TimeMs> at) {
    TRY(
        db_.run("UPDATE destinations SET test_status = $2, test_message = $3, tested_at = COALESCE($4, tested_at) "
                "WHERE id = $1",
                {id, status, message, at}));
    return {};
}

Result<std::int64_t> Destinations::backups_in(std::string_view id) {
    return count_of(
        db_.query("SELECT COUNT(DISTINCT backup_id) FROM copies WHERE destination_id = $1 AND (backup_id IN (SELECT "
                  "id FROM backups WHERE deleted_at IS NULL) OR backup_id IN (SELECT id FROM snapshots WHERE "
                  "deleted_at IS NULL))",
                  {id}));
}

Result<> Destinations::remove(std::string_view organization, std::string_view id, TimeMs now) {
    TRY(
        db_.run("UPDATE destinations SET deleted_at = $3, updated_at = $3, is_default = 0 "
                "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                {organization, id, now}));
    return {};
}

Result<> Destinations::clear_default(std::string_view organization) {
    TRY(db_.run("UPDATE destinations SET is_default = 0 WHERE organization_id = $1 AND is_default = 1",
                {organization}));
    return {};
}

}  // namespace backstay::store
