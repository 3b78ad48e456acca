#include "common/domain/manifest.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/json/json.h"

namespace backstay {
namespace {

Manifest sample() {
    Manifest manifest;
    manifest.backup_id = "0190a0b0-0000-7000-8000-000000000001";
    manifest.scope = "full";
    manifest.trigger = "manual";
    manifest.organization_id = "o";
    manifest.environment_type = "production";
    manifest.dump_format = "custom";
    manifest.started_at = {1'000};
    manifest.completed_at = {2'000};
    manifest.postgres.server_version_num = 150018;
    manifest.postgres.extensions = {{"unaccent", "1.1"}};
    manifest.contents.row_counts = {{"public.res_users", 7}};
    manifest.filestore = ManifestFilestore{};
    manifest.filestore->file_count = 3;
    manifest.filestore->missing_files = {{"ab/abc", "missing", 12, "res.partner", 3, "photo"}};
    manifest.filestore->missing_count = 1;
    manifest.artifacts = {{"db", "database.dump.zst", 10, 20, std::string(64, 'a'), "zstd", std::nullopt},
                          {"filestore", "filestore.tar.zst", 1, 2, std::string(64, 'b'), "zstd", std::nullopt}};
    manifest.tools = {{"pg_dump", "15.18"}};
    manifest.odoo = OdooManifest{};
    manifest.odoo->db_name = "shop";
    manifest.odoo->version_info = {"17", "0", "0", "final", "0", ""};
    manifest.odoo->modules = {{"base", "17.0.1.3"}};
    return manifest;
}

std::string damaged(const std::function<void(json::Object&)>& damage) {
    json::Object object = json::parse(write_manifest(sample()))->as_object();
    damage(object);
    return json::serialize(json::Value(object));
}

json::Object& first_artifact(json::Object& object) { return object["artifacts"].as_array()[0].as_object(); }

TEST(Manifest, ComesBackAsItWasWritten) {
    const std::string text = write_manifest(sample());
    EXPECT_EQ(text.back(), '\n');
    const auto back = read_manifest(text);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(write_manifest(*back), text);
    EXPECT_EQ(back->odoo->db_name, "shop");
    EXPECT_EQ(back->filestore->missing_files[0].attachment_id, 12);
    EXPECT_EQ(back->contents.row_counts.at("public.res_users"), 7);
}

TEST(Manifest, OfADatabaseWithoutOdooHasNoOdooKeys) {
    Manifest manifest = sample();
    manifest.odoo.reset();
    manifest.is_odoo = false;
    const std::string text = write_manifest(manifest);
    EXPECT_EQ(text.find("odoo_dump"), std::string::npos);
    EXPECT_FALSE(read_manifest(text)->odoo.has_value());
}

TEST(Manifest, FindsAnArtifactByItsName) {
    const Manifest manifest = sample();
    EXPECT_EQ(find_artifact(manifest, "filestore")->path, "filestore.tar.zst");
    EXPECT_EQ(find_artifact(manifest, "globals"), nullptr);
}

TEST(Manifest, IgnoresKeysOfLaterVersions) {
    EXPECT_TRUE(read_manifest(damaged([](json::Object& o) { o["packs"] = 3; })));
}

TEST(Manifest, RefusesWhatWouldLeadARestoreAstray) {
    const auto refused = [](const char* what, const std::function<void(json::Object&)>& damage) {
        const auto manifest = read_manifest(damaged(damage));
        ASSERT_FALSE(manifest) << what;
        EXPECT_EQ(manifest.error().code(), Errc::corrupted) << what;
        EXPECT_EQ(manifest.error().reason(), "structure_invalid") << what;
    };
    refused("a newer format", [](json::Object& o) { o["format"] = 2; });
    refused("a format before the first", [](json::Object& o) { o["format"] = 0; });
    refused("no backup id", [](json::Object& o) { o.erase("backupId"); });
    refused("a scope of its own", [](json::Object& o) { o["scope"] = "everything"; });
    refused("an unknown dump format", [](json::Object& o) { o["dumpFormat"] = "plain"; });
    for (const char* path :
         {"../../etc/passwd", "/etc/passwd", "a/b", "", ".", "..", ".hidden", "a\\b", "a b", "a\nb"}) {
        refused(path, [path](json::Object& o) { first_artifact(o)["path"] = path; });
    }
    refused("a very long path", [](json::Object& o) { first_artifact(o)["path"] = std::string(201, 'a'); });
    refused("a short checksum", [](json::Object& o) { first_artifact(o)["sha256"] = "abc"; });
    refused("an upper-case checksum", [](json::Object& o) { first_artifact(o)["sha256"] = std::string(64, 'A'); });
    refused("a doubled artifact", [](json::Object& o) { first_artifact(o)["name"] = "filestore"; });
    refused("two artifacts in one file", [](json::Object& o) { first_artifact(o)["path"] = "filestore.tar.zst"; });
    refused("an artifact over the commit marker", [](json::Object& o) { first_artifact(o)["path"] = "manifest.json"; });
    refused("negative bytes", [](json::Object& o) { first_artifact(o)["bytes"] = -1; });
    refused("Odoo keys of another type", [](json::Object& o) { o["modules"] = 1; });
    refused("artifacts that are no list", [](json::Object& o) { o["artifacts"] = "db"; });
}

TEST(Manifest, RefusesWhatIsNoDocument) {
    EXPECT_FALSE(read_manifest(""));
    EXPECT_FALSE(read_manifest("[]"));
    EXPECT_FALSE(read_manifest("null"));
    EXPECT_FALSE(read_manifest(write_manifest(sample()).substr(0, 100)));
    EXPECT_FALSE(read_manifest(std::string((16 << 20) + 1, ' ')));
    EXPECT_FALSE(read_manifest(R"({"format":1,"format":1})"));
}

}  // namespace
}  // namespace backstay
