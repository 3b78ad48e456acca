#include "agent/odoo/conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace backstay::odoo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(OdooConf, KeepsNoSecretOfAnyModule) {
    for (const char* line :
         {"db_password = hush", "admin_passwd=hush", "; smtp_password = hush", "smtp_pass = hush", "redis_pwd: hush",
          "sentry_dsn = https://hush@sentry.example.com/1", "s3_credentials = hush", "signing_key = hush",
          "encryption_key = hush", "webhook_auth = Bearer hush", "queue_url = amqp://odoo:hush@mq/",
          "jwt_private = hush", "api-key = hush", "secret_list = a,\n  hush"}) {
        EXPECT_THAT(redact_conf(line), Not(HasSubstr("hush"))) << line;
    }
}

TEST(OdooConf, KeepsNoSecretOfAUnit) {
    for (const char* line :
         {"Environment=PGPASSWORD=hush", "Environment=\"LANG=C\" \"ADMIN_PASSWD=hush\"",
          "Environment=A=b S3_TOKEN='hush'", "ExecStart=/usr/bin/odoo -c /etc/odoo.conf --db_password hush",
          "ExecStart=/usr/bin/odoo -w hush -d shop", "ExecStart=/usr/bin/odoo --db_password=hush",
          "ExecStart=/usr/bin/odoo -w \\\nhush", "ExecStart=/a \\\n-w hush",
          "ExecStart=/usr/bin/odoo \\\n  --db_password \"hush\" -d shop"}) {
        EXPECT_THAT(redact_conf(line), Not(HasSubstr("hush"))) << line;
    }
    const std::string plain =
        "[Service]\nExecStart=/usr/bin/odoo -c /etc/odoo.conf -d shop\nEnvironment=LANG=C PATH=/bin\n"
        "ExecReload=/bin/kill -HUP $MAINPID\n";
    EXPECT_EQ(redact_conf(plain), plain);
}

TEST(OdooConf, KeepsWhatARestoreNeeds) {
    const std::string text =
        "[options]\naddons_path = /opt/a,/opt/b\ndata_dir = /var/lib/odoo\ndb_name = shop\nworkers = 4\n"
        "db_host = /run/postgresql\nproxy_mode = True\nlimit_time_cpu = 60\nserver_wide_modules = base,web\n";
    EXPECT_EQ(redact_conf(text), text);
}

}  // namespace
}  // namespace backstay::odoo
