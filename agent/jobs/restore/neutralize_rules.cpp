#include <fmt/format.h>

#include <array>
#include <set>

#include "agent/jobs/restore/neutralize.h"

namespace backstay::restore {
namespace {

// A statement and the columns ("table.column") that must be there; Odoo's versions and modules differ in them.
struct Rule {
    std::array<std::string_view, 3> needs;
    std::string_view sql;
};

constexpr auto kRules = std::to_array<Rule>({
    {{"ir_cron.active", "ir_model_data.res_id", ""},
     "UPDATE ir_cron SET active = false WHERE id NOT IN (SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND "
     "module = 'base' AND name = 'autovacuum_job')"},
    {{"ir_mail_server.active", "ir_mail_server.smtp_host", ""}, "UPDATE ir_mail_server SET active = false"},
    // Without an active server Odoo falls back to the one of its command line.
    {{"ir_mail_server.smtp_encryption", "ir_mail_server.smtp_authentication", "ir_mail_server.smtp_port"},
     "INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_authentication, active)"
     " VALUES ('neutralization - disable emails', 'invalid', 1025, 'none', 'login', true)"},
    {{"fetchmail_server.active", "", ""}, "UPDATE fetchmail_server SET active = false"},
    {{"payment_provider.state", "", ""}, "UPDATE payment_provider SET state = 'disabled' WHERE state <> 'disabled'"},
    {{"payment_acquirer.state", "", ""}, "UPDATE payment_acquirer SET state = 'disabled' WHERE state <> 'disabled'"},
    {{"delivery_carrier.prod_environment", "delivery_carrier.active", ""},
     "UPDATE delivery_carrier SET prod_environment = false"},
    {{"iap_account.account_token", "", ""},
     "UPDATE iap_account SET account_token = regexp_replace(account_token, '(\\+.*)?$', '+disabled') WHERE "
     "account_token IS NOT NULL"},
    {{"auth_oauth_provider.enabled", "", ""}, "UPDATE auth_oauth_provider SET enabled = false"},
    {{"ir_act_server.webhook_url", "", ""},
     "UPDATE ir_act_server SET webhook_url = 'neutralization - disable webhook' WHERE webhook_url IS NOT NULL"},
    {{"mail_template.mail_server_id", "", ""}, "UPDATE mail_template SET mail_server_id = NULL"},
    {{"website.domain", "", ""}, "UPDATE website SET domain = NULL"},
    {{"res_users.google_calendar_token", "", ""}, "UPDATE res_users SET google_calendar_token = NULL"},
    {{"ir_config_parameter.key", "ir_config_parameter.value", ""},
     "DELETE FROM ir_config_parameter WHERE key IN ('iap_extract_endpoint', 'mail.web_push_vapid_private_key', "
     "'mail.web_push_vapid_public_key', 'web.base.url.freeze')"},
    {{"ir_config_parameter.key", "ir_config_parameter.value", ""},
     "INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')"
     " ON CONFLICT (key) DO UPDATE SET value = 'true'"},
});

}  // namespace

Result<std::vector<std::string>> built_in_statements(pq::Connection& database) {
    const pq::Rows rows = TRY(database.query(
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"));
    std::set<std::string, std::less<>> columns;
    for (std::size_t i = 0; i < rows.size(); ++i) columns.emplace(rows.text(i, 0));
    std::vector<std::string> statements;
    for (const Rule& rule : kRules) {
        bool fits = true;
        for (const std::string_view need : rule.needs) fits = fits && (need.empty() || columns.contains(need));
        if (fits) statements.emplace_back(rule.sql);
    }
    return statements;
}

}  // namespace backstay::restore
