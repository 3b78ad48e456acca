#include "control-plane/cli/commands.h"

#include "control-plane/cli/installation_session.h"
#include "control-plane/registry/destinations.h"
#include "control-plane/registry/views.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/api_keys.h"
#include "control-plane/store/audit.h"

namespace backstay::cli {
namespace {

constexpr store::Page kAll{100'000, 0};

std::string day_of(TimeMs time) { return to_rfc3339(time - time % 1000); }

template <class T>
json::Array views_of(const std::vector<T>& items) {
    json::Array array;
    for (const T& item : items) array.push_back(registry::view(item));
    return array;
}

Result<std::string> role_word(const std::string& role) {
    if (!auth::parse_role(role)) return Error(Errc::invalid, "--role must be owner, admin, developer or viewer");
    return role;
}

}  // namespace

Result<> init(const Common& common, const InitArguments& arguments) {
    std::string store;
    if (!arguments.store.empty()) store = TRY(parse_store(arguments.store));
    TRY(make_installation(common.state_dir, arguments.listen, store));
    const std::string state = " --state " + common.state_dir;
    print(common, {{"state", common.state_dir}, {"listen", arguments.listen}},
          {{"made", common.state_dir + " (settings in control.toml; keep a copy of secrets.key elsewhere)"},
           {"next", "backstay-control org create" + state + " --slug acme --name 'Acme Ltd'"},
           {"", "backstay-control token" + state + " --org acme"},
           {"", "backstay-control agent enroll-token" + state + " --org acme"},
           {"", "backstay-control serve" + state}});
    return {};
}

Result<> token(const Common& common, const TokenArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    const auto maker = TRY(TokenMaker::open(session.settings));
    if (arguments.ttl_s < 1) return Error(Errc::invalid, "--ttl must be at least 1 second");
    const std::string role = TRY(role_word(arguments.role));
    TokenOrder order;
    order.subject = arguments.subject;
    order.organization_id = organization.id;
    order.role = *auth::parse_role(role);
    order.lifetime_s = arguments.ttl_s;
    const std::string text = maker.make(order, session.now);
    auto transaction = TRY(sql::Transaction::begin(session.db));
    TRY(registry::note(transaction, session.actor(), organization.id, "token.create", organization.id,
                       role + " " + arguments.subject));
    TRY(transaction.commit());
    if (!common.json) return print(common, {}, {{text, ""}}), Result<>{};
    print(common,
          {{"token", text},
           {"organizationId", organization.id},
           {"role", role},
           {"expiresAt", to_rfc3339(session.now / 1000 * 1000 + arguments.ttl_s * 1000)}},
          {});
    return {};
}

Result<> organization_create(const Common& common, const OrganizationArguments& arguments) {
    Session session = TRY(Session::open(common));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto made = TRY(registry::create_organization(transaction, session.actor(), arguments.slug, arguments.name));
    TRY(transaction.commit());
    print(common, registry::view(made), {{"organization", made.slug}, {"id", made.id}});
    return {};
}

Result<> organization_list(const Common& common) {
    Session session = TRY(Session::open(common));
    const auto organizations = TRY(store::Organizations(session.db).list());
    std::vector<std::vector<std::string>> rows;
    for (const auto& item : organizations) rows.push_back({item.slug, item.id, item.name});
    json::Object listing{{"organizations", views_of(organizations)}, {"total", organizations.size()}};
    print_table(common, json::Value(std::move(listing)), {"SLUG", "ID", "NAME"}, rows);
    return {};
}

Result<> project_create(const Common& common, const ProjectArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto made = TRY(
        registry::create_project(transaction, session.actor(), organization.id, arguments.name, arguments.description));
    TRY(transaction.commit());
    print(common, registry::view(made), {{"project", made.name}, {"id", made.id}});
    return {};
}

Result<> project_list(const Common& common, const std::string& slug) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(slug));
    const auto listing = TRY(store::Projects(session.db).list(organization.id, "", kAll));
    std::vector<std::vector<std::string>> rows;
    for (const auto& item : listing.items) rows.push_back({item.id, item.name});
    json::Object object{{"projects", views_of(listing.items)}, {"total", listing.total}};
    print_table(common, json::Value(std::move(object)), {"ID", "NAME"}, rows);
    return {};
}

Result<> environment_create(const Common& common, const EnvironmentArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    if (!TRY(store::Projects(session.db).find(organization.id, arguments.project))) {
        return Error(Errc::not_found, "there is no project " + arguments.project)
            .with_hint("`backstay-control project list` shows those that there are");
    }
    store::Environment wanted;
    wanted.organization_id = organization.id;
    wanted.project_id = arguments.project;
    wanted.name = arguments.name;
    wanted.type = arguments.type;
    wanted.agent_id = arguments.agent;
    wanted.cluster = arguments.cluster;
    wanted.database = arguments.database;
    wanted.filestore = arguments.filestore;
    wanted.odoo_conf = arguments.odoo_conf;
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto made = TRY(registry::create_environment(transaction, session.actor(), wanted));
    TRY(transaction.commit());
    print(common, registry::view(made), {{"environment", made.name}, {"id", made.id}, {"database", made.database}});
    return {};
}

Result<> environment_list(const Common& common, const std::string& slug, const std::string& project) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(slug));
    const auto listing = TRY(store::Environments(session.db).of_project(organization.id, project, kAll));
    std::vector<std::vector<std::string>> rows;
    for (const auto& item : listing.items) rows.push_back({item.id, item.type, item.name, item.database});
    json::Object object{{"environments", views_of(listing.items)}, {"total", listing.total}};
    print_table(common, json::Value(std::move(object)), {"ID", "TYPE", "NAME", "DATABASE"}, rows);
    return {};
}

Result<> destination_create(const Common& common, const DestinationArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    const auto box = TRY(open_secret_box(session.settings));
    const json::Value config = TRY(json::parse(arguments.config).context("read --config"));
    if (config.if_object() == nullptr) return Error(Errc::invalid, "--config must be a JSON object");
    registry::DestinationChange change;
    change.name = arguments.name;
    change.type = arguments.type;
    change.config = config.get_object();
    change.is_default = arguments.is_default;
    change.encrypt = arguments.encrypt;
    if (!arguments.agent.empty()) change.agent_id = arguments.agent;
    auto draft = TRY(registry::draft_destination(session.db, box, organization.id, std::nullopt, change, session.now));
    if (!arguments.skip_test && registry::tested_from_here(draft.order)) {
        TRY(registry::test_from_here(draft, address_rule(session.settings), session.now)
                .context("test the connection")
                .hint("--skip-test saves it "
                      "all the same"));
    }
    auto transaction = TRY(sql::Transaction::begin(session.db));
    TRY(registry::save_destination(transaction, session.actor(), box, draft, true));
    TRY(transaction.commit());
    const auto shown = TRY(registry::view(draft.row, box));
    print(common, shown,
          {{"destination", draft.row.name}, {"id", draft.row.id}, {"connection", draft.row.test_status}});
    return {};
}

Result<> destination_list(const Common& common, const std::string& slug) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(slug));
    const auto box = TRY(open_secret_box(session.settings));
    const auto listing = TRY(store::Destinations(session.db).list(organization.id, kAll));
    std::vector<std::vector<std::string>> rows;
    json::Array views;
    for (const auto& item : listing.items) {
        rows.push_back({item.id, item.type, item.is_default ? "yes" : "", item.test_status, item.name});
        views.push_back(TRY(registry::view(item, box)));
    }
    json::Object object{{"destinations", std::move(views)}, {"total", listing.total}};
    print_table(common, json::Value(std::move(object)), {"ID", "TYPE", "DEFAULT", "CONNECTION", "NAME"}, rows);
    return {};
}

Result<> agent_enroll_token(const Common& common, const EnrollTokenArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto made = TRY(
        registry::create_enroll_token(transaction, session.actor(), organization.id, arguments.name, arguments.ttl_s));
    TRY(transaction.commit());
    json::Object object = registry::view(made.row, session.now);
    object.emplace("token", made.secret);
    if (!common.json) return print(common, {}, {{made.secret, ""}}), Result<>{};
    print(common, object, {});
    return {};
}

Result<> agent_list(const Common& common, const std::string& slug) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(slug));
    const auto listing = TRY(store::Agents(session.db).list(organization.id, kAll));
    std::vector<std::vector<std::string>> rows;
    json::Array views;
    for (const auto& item : listing.items) {
        json::Object object = registry::view(item, session.now);
        const auto status = json::decode<std::string>(object["status"]).value_or("");
        rows.push_back({item.id, status, item.seen_at == 0 ? "never" : day_of(item.seen_at), item.version, item.name});
        views.push_back(std::move(object));
    }
    json::Object object{{"agents", std::move(views)}, {"total", listing.total}};
    print_table(common, json::Value(std::move(object)), {"ID", "STATUS", "LAST SEEN", "VERSION", "NAME"}, rows);
    return {};
}

Result<> key_create(const Common& common, const KeyArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    registry::NewKey wanted;
    wanted.name = arguments.name;
    if (arguments.mode != "ro" && arguments.mode != "rw") return Error(Errc::invalid, "--mode must be ro or rw");
    wanted.read_only = arguments.mode == "ro";
    wanted.project_id = arguments.project;
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto made = TRY(registry::create_key(transaction, session.actor(), organization.id, wanted));
    TRY(transaction.commit());
    json::Object object = registry::view(made.row);
    object.emplace("key", made.secret);
    if (!common.json) return print(common, {}, {{made.secret, ""}}), Result<>{};
    print(common, object, {});
    return {};
}

Result<> key_list(const Common& common, const std::string& slug) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(slug));
    const auto listing = TRY(store::ApiKeys(session.db).list(organization.id, kAll));
    std::vector<std::vector<std::string>> rows;
    for (const auto& item : listing.items) {
        rows.push_back({item.id, item.prefix, item.last_used_at ? day_of(*item.last_used_at) : "never", item.name});
    }
    json::Object object{{"keys", views_of(listing.items)}, {"total", listing.total}};
    print_table(common, json::Value(std::move(object)), {"ID", "PREFIX", "LAST USED", "NAME"}, rows);
    return {};
}

Result<> key_revoke(const Common& common, const std::string& slug, const std::string& id) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(slug));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    store::ApiKeys keys(session.db);
    const auto key = TRY(keys.find(organization.id, id));
    if (!key) return Error(Errc::not_found, "there is no such key");
    TRY(keys.revoke(organization.id, id, session.now));
    TRY(registry::note(transaction, session.actor(), organization.id, "key.revoke", id, key->prefix));
    TRY(transaction.commit());
    print(common, registry::view(*key), {{"revoked", key->prefix}});
    return {};
}

}  // namespace backstay::cli
