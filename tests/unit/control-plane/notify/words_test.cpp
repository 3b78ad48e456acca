#include <gmock/gmock.h>

#include "control-plane/alerts/subscriptions.h"
#include "control-plane/notify/mailer.h"
#include "control-plane/notify/webhook.h"

namespace backstay::notify {
namespace {

using http::AddressRule;

TEST(Events, AreTypesWithADot) {
    EXPECT_EQ(alerts::event_of("backup_failed"), "backup.failed");
    EXPECT_EQ(alerts::event_of("destination_low_space"), "destination.low_space");
    EXPECT_TRUE(alerts::wants({"restore.*", "backup.failed"}, "backup.failed"));
    EXPECT_TRUE(alerts::wants({"backup.*"}, "backup.partial"));
    EXPECT_TRUE(alerts::wants({"*"}, "agent.offline"));
    EXPECT_FALSE(alerts::wants({"backup.*"}, "backups.partial"));
    EXPECT_FALSE(alerts::wants({}, "backup.failed"));
    EXPECT_TRUE(alerts::is_pattern("agent.*"));
    EXPECT_FALSE(alerts::is_pattern("agents.*"));
    EXPECT_FALSE(alerts::is_pattern(""));
}

TEST(Signature, IsTheHmacOfTimestampAndBody) {
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
    EXPECT_EQ(sign("secret", 1'700'000'000, R"({"a":1})"),
              "sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
}

std::string refusal(std::string_view url, AddressRule rule = AddressRule::only_public) {
    const auto checked = check_url(url, rule);
    return checked ? "" : checked.error().reason();
}

TEST(WebhookUrls, AreHttpsOfPublicHosts) {
    EXPECT_EQ(refusal("https://hooks.example.com:8443/a?b=c"), "");
    EXPECT_EQ(refusal("http://hooks.example.com/"), "invalid_url");
    EXPECT_EQ(refusal("ftp://hooks.example.com/"), "invalid_url");
    EXPECT_EQ(refusal("https://"), "invalid_url");
    EXPECT_EQ(refusal("https://me@hooks.example.com/"), "invalid_url");
    EXPECT_EQ(refusal("https://hooks.example.com/a b"), "invalid_url");
    EXPECT_EQ(refusal("https://127.0.0.1/"), "target_not_allowed");
    EXPECT_EQ(refusal("https://[::1]:443/"), "target_not_allowed");
    EXPECT_EQ(refusal("https://localhost"), "target_not_allowed");
    EXPECT_EQ(refusal("http://127.0.0.1/", AddressRule::no_special), "");
    EXPECT_EQ(refusal("http://169.254.169.254/", AddressRule::no_special), "target_not_allowed");
}

TEST(MailsOfAlerts, SayWhatHappenedWhere) {
    alerts::Delivery delivery;
    delivery.id = "d1";
    delivery.event = "backup.failed";
    delivery.body = R"({"action":"raised","alert":{"title":"Backup of prod failed","message":"the disk is full",
        "severity":"critical","environmentName":"prod","occurrences":3,"resolvedAt":null}})";
    const mail::Message raised = compose_mail(delivery);
    EXPECT_EQ(raised.subject, "[Backstay] critical: Backup of prod failed");
    EXPECT_THAT(raised.body, ::testing::HasSubstr("the disk is full"));
    EXPECT_THAT(raised.body, ::testing::HasSubstr("Occurrences: 3"));
    delivery.body = R"({"action":"resolved","alert":{"title":"Backup of prod failed","severity":"critical"}})";
    EXPECT_EQ(compose_mail(delivery).subject, "[Backstay] resolved: Backup of prod failed");
    delivery.body = R"({"action":"test","alert":null,"message":"hello"})";
    EXPECT_EQ(compose_mail(delivery).body, "hello\n");
}

}  // namespace
}  // namespace backstay::notify
