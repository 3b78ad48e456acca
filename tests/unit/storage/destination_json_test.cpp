#include "storage/destination_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace backstay {

using ::testing::HasSubstr;

namespace {

DestinationOrder order(const std::string& type, const std::string& config) {
    return {"id-1", "name", type, json::parse(config).value().as_object()};
}

constexpr const char* kMinio = R"({"endpoint":"https://minio.example:9000","bucket":"backups",
    "accessKeyId":"AK","secretAccessKey":"SK"})";

constexpr const char* kServer =
    R"({"host":"backup.example.com","username":"erp","password":"hush","basePath":"/srv/backups",
    "hostKey":"SHA256:dEoJ7R5QwV7+OzXSHxcCQNTQ0uyz4oF/KYc9h4hjOV4"})";

std::string config_of(const std::string& type) {
    if (type == "local") return R"({"path":"/srv/b"})";
    return type == "sftp" ? kServer : kMinio;
}

std::string fault_of(const std::string& type, const std::string& member, const json::Value& value) {
    DestinationOrder changed = order(type, config_of(type));
    if (type == "s3") {
        changed.config.erase("endpoint");
        changed.config["region"] = "eu-west-3";
    }
    changed.config[member] = value;
    json::Faults faults;
    const auto decoded = decode_destination(changed, &faults);
    if (decoded) return "accepted";
    EXPECT_EQ(decoded.error().code(), Errc::invalid);
    return faults.empty() ? decoded.error().message() : faults[0].field;
}

}  // namespace

TEST(DestinationJson, ReadsALocalDestinationWithItsDefault) {
    auto decoded = decode_destination(order("local", R"({"path":"/srv/backups"})"));
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_EQ(decoded->local->path, "/srv/backups");
    EXPECT_EQ(decoded->local->min_free_bytes, 5ULL << 30);
    EXPECT_FALSE(decoded->s3);
    decoded = decode_destination(order("local", R"({"path":"/srv/backups","minFreeBytes":0})"));
    EXPECT_EQ(decoded->local->min_free_bytes, 0U);
}

TEST(DestinationJson, ReadsS3CompatibleWithItsDefaults) {
    const auto decoded = decode_destination(order("s3_compatible", kMinio));
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_EQ(decoded->s3->endpoint, "https://minio.example:9000");
    EXPECT_EQ(decoded->s3->region, "us-east-1");
    EXPECT_TRUE(decoded->s3->path_style);
    EXPECT_TRUE(decoded->s3->verify_tls);
    EXPECT_EQ(decoded->s3->sse, "");
}

TEST(DestinationJson, AddressesAwsByHostName) {
    const auto decoded = decode_destination(order("s3", R"({"bucket":"backups","region":"eu-west-3","accessKeyId":"AK",
        "secretAccessKey":"SK","prefix":"odoo/","storageClass":"STANDARD_IA","sse":"aws:kms","kmsKeyId":"k-1",
        "objectLockDays":30})"));
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_FALSE(decoded->s3->path_style);
    EXPECT_EQ(decoded->s3->object_lock_days, 30U);
    EXPECT_EQ(decoded->s3->kms_key_id, "k-1");
}

TEST(DestinationJson, NamesTheFieldThatIsWrong) {
    EXPECT_EQ(fault_of("local", "path", "relative"), "config.path");
    EXPECT_EQ(fault_of("local", "path", "/srv/../etc"), "config.path");
    EXPECT_EQ(fault_of("local", "minFreeBytes", -1), "config.minFreeBytes");
    EXPECT_EQ(fault_of("local", "bucket", "x"), "config.bucket");
    for (const char* endpoint :
         {"", "minio:9000", "ftp://host", "https://", "https://user@host", "https://host/path", "https://host:0",
          "https://host:70000", "https://host:9000x", "https://[::1", "http://a b"}) {
        EXPECT_EQ(fault_of("s3_compatible", "endpoint", endpoint), "config.endpoint") << endpoint;
    }
    EXPECT_EQ(fault_of("s3_compatible", "bucket", "a/b"), "config.bucket");
    EXPECT_EQ(fault_of("s3_compatible", "bucket", "ab"), "config.bucket");
    EXPECT_EQ(fault_of("s3_compatible", "accessKeyId", ""), "config.accessKeyId");
    EXPECT_EQ(fault_of("s3_compatible", "accessKeyId", "a\nb"), "config.accessKeyId");
    EXPECT_EQ(fault_of("s3_compatible", "secretAccessKey", "********"), "config.secretAccessKey");
    EXPECT_EQ(fault_of("s3_compatible", "prefix", "/a"), "config.prefix");
    EXPECT_EQ(fault_of("s3_compatible", "prefix", "a/../b"), "config.prefix");
    EXPECT_EQ(fault_of("s3_compatible", "pathStyle", "yes"), "config.pathStyle");
    EXPECT_EQ(fault_of("s3_compatible", "caPem", "nonsense"), "config.caPem");
    EXPECT_EQ(fault_of("s3_compatible", "sse", "ROT13"), "config.sse");
    EXPECT_EQ(fault_of("s3_compatible", "kmsKeyId", "k"), "config.kmsKeyId");
    EXPECT_EQ(fault_of("s3_compatible", "objectLockDays", 40000), "config.objectLockDays");
    EXPECT_EQ(fault_of("s3_compatible", "colour", "red"), "config.colour");
    EXPECT_EQ(fault_of("s3", "roleArn", "arn:aws:iam::1:role/x"), "config.roleArn");
    EXPECT_EQ(fault_of("s3", "endpoint", "https://host"), "config.endpoint");
    EXPECT_EQ(fault_of("s3", "region", nullptr), "config.region");
}

TEST(DestinationJson, ReadsAnSftpServer) {
    const auto decoded = decode_destination(order("sftp", kServer));
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_EQ(decoded->sftp->port, 22);
    EXPECT_EQ(decoded->sftp->base_path, "/srv/backups");
    const auto again = decode_destination(encode_destination(*decoded));
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(json::encode_text(encode_destination(*again)), json::encode_text(encode_destination(*decoded)));
    EXPECT_EQ(again->sftp->password, "hush");
    const json::Object shown = redact_config(order("sftp", kServer).config);
    EXPECT_EQ(shown.at("password"), "********");
    EXPECT_EQ(keep_redacted(order("sftp", kServer).config, shown).at("password"), "hush");
}

TEST(DestinationJson, NamesWhatIsWrongWithAnSftpServer) {
    EXPECT_EQ(fault_of("sftp", "host", ""), "config.host");
    EXPECT_EQ(fault_of("sftp", "host", "-oProxyCommand=x"), "config.host");
    EXPECT_EQ(fault_of("sftp", "port", 0), "config.port");
    EXPECT_EQ(fault_of("sftp", "port", 70'000), "config.port");
    EXPECT_EQ(fault_of("sftp", "username", ""), "config.username");
    EXPECT_EQ(fault_of("sftp", "password", ""), "config.privateKey") << "neither";
    EXPECT_EQ(fault_of("sftp", "password", "********"), "config.password");
    EXPECT_EQ(fault_of("sftp", "privateKey", "nonsense"), "config.password") << "both";
    EXPECT_EQ(fault_of("sftp", "basePath", ""), "config.basePath");
    EXPECT_EQ(fault_of("sftp", "basePath", "/srv/../etc"), "config.basePath");
    EXPECT_EQ(fault_of("sftp", "hostKey", ""), "config.hostKey") << "any server would do";
    EXPECT_EQ(fault_of("sftp", "hostKey", nullptr), "config.hostKey");
    EXPECT_EQ(fault_of("sftp", "hostKey", "ssh-rsa AAAAB3NzaC1yc2E"), "config.hostKey");
    EXPECT_EQ(fault_of("sftp", "knownHosts", "other ssh-ed25519 AAAA"), "config.hostKey") << "two pins";
    EXPECT_EQ(fault_of("sftp", "colour", "red"), "config.colour");
}

TEST(DestinationJson, TellsUnsupportedTypesApart) {
    for (const char* type : {"gdrive", "onedrive", "floppy", ""}) {
        const auto decoded = decode_destination(order(type, "{}"));
        ASSERT_FALSE(decoded);
        EXPECT_EQ(decoded.error().code(), Errc::invalid);
        EXPECT_EQ(decoded.error().reason(), kDestinationTypeUnsupported);
    }
}

TEST(DestinationJson, ComesBackTheSame) {
    auto first = decode_destination(order("s3_compatible", kMinio)).value();
    first.s3->sse = "aws:kms";
    first.s3->kms_key_id = "key";
    first.s3->session_token = "token";
    first.s3->verify_tls = false;
    const auto second = decode_destination(encode_destination(first));
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_EQ(json::encode_text(encode_destination(first)), json::encode_text(encode_destination(*second)));
    EXPECT_EQ(second->s3->session_token, "token");
    EXPECT_FALSE(second->s3->verify_tls);
}

TEST(DestinationJson, HidesSecretsAndKeepsThemWhenThePlaceholderComesBack) {
    const DestinationOrder stored = order("s3_compatible", kMinio);
    json::Object shown = redact_config(stored.config);
    EXPECT_EQ(shown.at("secretAccessKey"), "********");
    EXPECT_EQ(shown.at("accessKeyId"), "AK");
    EXPECT_EQ(json::serialize(json::Value(shown)).find("SK"), std::string::npos);
    shown["prefix"] = "new";
    const json::Object merged = keep_redacted(stored.config, shown);
    EXPECT_EQ(merged.at("secretAccessKey"), "SK");
    EXPECT_EQ(merged.at("prefix"), "new");
    shown["secretAccessKey"] = "other";
    EXPECT_EQ(keep_redacted(stored.config, shown).at("secretAccessKey"), "other");
}

TEST(DestinationJson, NeverNamesASecretInAnError) {
    DestinationOrder bad = order("s3_compatible", kMinio);
    bad.config["secretAccessKey"] = "top secret\n";
    const auto decoded = decode_destination(bad);
    ASSERT_FALSE(decoded);
    EXPECT_THAT(decoded.error().message(), HasSubstr("config.secretAccessKey"));
    EXPECT_EQ(decoded.error().message().find("top secret"), std::string::npos);
}

}  // namespace backstay
