#include "agent/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/files/files.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Config : public ::testing::Test {
protected:
    Result<AgentConfig> load(const std::string& text) {
        const std::string path = folder_.path() + "/agent.toml";
        std::ofstream(path) << text;
        return load_agent_config(path);
    }
    std::string fault_of(const std::string& text) {
        const auto config = load(text);
        return config ? "" : config.error().message();
    }
    std::string secret(const std::string& content, unsigned mode = 0600) {
        const std::string path = folder_.path() + "/secret";
        EXPECT_TRUE(atomic_write(path, content, mode));
        return path;
    }
    backstay::testing::TempDir folder_;
};

TEST_F(Config, AcceptsAnEmptyFileWithTheDefaults) {
    const auto config = load("");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->state_dir, "/var/lib/backstay");
    EXPECT_EQ(scratch_folder(*config), "/var/lib/backstay/scratch");
    EXPECT_TRUE(config->clusters.empty());
}

TEST_F(Config, ReadsTheSampleWhichShowsTheDefaults) {
    const auto config = load_agent_config("conf/agent.toml");
    ASSERT_TRUE(config) << config.error().message();
    const AgentConfig defaults;
    EXPECT_EQ(config->state_dir, defaults.state_dir);
    EXPECT_EQ(config->socket, defaults.socket);
    const Limits& limits = config->limits;
    EXPECT_EQ(limits.concurrent_jobs, Limits{}.concurrent_jobs);
    EXPECT_EQ(limits.rate_bytes_per_sec, Limits{}.rate_bytes_per_sec);
    EXPECT_EQ(limits.zstd_level, Limits{}.zstd_level);
    EXPECT_EQ(limits.compression_threads, Limits{}.compression_threads);
    EXPECT_EQ(limits.dump_jobs, Limits{}.dump_jobs);
    EXPECT_EQ(limits.parallel_dump_bytes, Limits{}.parallel_dump_bytes);
    EXPECT_EQ(limits.restore_jobs, Limits{}.restore_jobs);
    EXPECT_EQ(limits.nice, Limits{}.nice);
    EXPECT_EQ(limits.idle_io, Limits{}.idle_io);
    ASSERT_EQ(config->clusters.size(), 1U);
    EXPECT_EQ(config->clusters[0].host, ClusterConfig{}.host);
    EXPECT_EQ(config->clusters[0].user, ClusterConfig{}.user);
    ASSERT_EQ(config->destinations.size(), 1U);
    EXPECT_EQ(config->destinations[0].config.at("path"), "/var/backups/backstay");
}

TEST_F(Config, NamesEveryFaultWithItsLineAtOnce) {
    const std::string text = fault_of(
        "state_dir = 5\n"
        "colour = \"red\"\n"
        "[limits]\n"
        "nice = 99\n"
        "[[cluster]]\n"
        "prot = 5432\n"
        "port = 70000\n"
        "[extra]\n"
        "[[odoo]]\n"
        "start_command = [\"/bin/true\"]\n");
    EXPECT_THAT(text, HasSubstr("7 faults"));
    EXPECT_THAT(text, HasSubstr("line 1: state_dir: must be a text in quotes"));
    EXPECT_THAT(text, HasSubstr("line 2: colour: is not known here"));
    EXPECT_THAT(text, HasSubstr("line 4: [limits] nice: must be between 0 and 19"));
    EXPECT_THAT(text, HasSubstr("line 6: [[cluster]] prot: is not known here"));
    EXPECT_THAT(text, HasSubstr("line 7: [[cluster]] port: must be between 1 and 65535"));
    EXPECT_THAT(text, HasSubstr("line 8: [extra]: is not known here"));
    EXPECT_THAT(text, HasSubstr("goes together with stop_command"));
}

TEST_F(Config, SaysWhereTheFileIsNoToml) {
    EXPECT_THAT(fault_of("state_dir = \"/x\"\nlimits = [\n"), HasSubstr("line "));
    EXPECT_THAT(fault_of("state_dir = \"/x\"\nstate_dir = \"/y\"\n"), HasSubstr("line 2"));
    EXPECT_THAT(fault_of("[[limits]]\n"), HasSubstr("write it as [limits]"));
    EXPECT_THAT(fault_of("[cluster]\n"), HasSubstr("write each one as [[cluster]]"));
    EXPECT_THAT(fault_of("limits = 5\n"), HasSubstr("write it as [limits]"));
}

TEST_F(Config, TakesSecretsFromFilesOnly) {
    const std::string head =
        "[[destination]]\nid = \"b\"\ntype = \"s3_compatible\"\nendpoint = \"https://s3.example.com\"\n"
        "bucket = \"backups\"\naccess_key_id = \"AK\"\n";
    const auto config = load(head + "secret_access_key_file = \"" + secret("hush\n") + "\"\n");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->destinations[0].config.at("secretAccessKey"), "hush");
    const std::string told = fault_of(head + "secret_access_key = \"hush\"\n");
    EXPECT_THAT(told, HasSubstr("secret_access_key_file"));
    EXPECT_THAT(told, Not(HasSubstr("hush")));
    EXPECT_THAT(fault_of(head + "secret_access_key_file = \"" + secret("hush", 0644) + "\"\n"),
                HasSubstr("secret_access_key_file"));
}

TEST_F(Config, TakesAnSftpServersKeysFromFiles) {
    const std::string head =
        "[[destination]]\nid = \"b\"\ntype = \"sftp\"\nhost = \"backup.example.com\"\nusername = \"erp\"\n"
        "base_path = \"/srv/backups\"\n";
    const std::string known = folder_.path() + "/known_hosts";
    std::ofstream(known) << "backup.example.com ssh-ed25519 "
                            "AAAAC3NzaC1lZDI1NTE5AAAAIAOA6Ju1sg+qkiqeYZnQg1mBYkwVCFDBnqNQjO+TxVnP\n";
    const std::string pinned = head + "known_hosts_file = \"" + known + "\"\n";
    EXPECT_THAT(fault_of(pinned), HasSubstr("either a password or a private key"));
    EXPECT_THAT(fault_of(pinned + "password = \"hush\"\n"), HasSubstr("password_file"));
    EXPECT_THAT(fault_of(pinned + "private_key_passphrase = \"hush\"\n"), HasSubstr("private_key_passphrase_file"));
    EXPECT_THAT(fault_of(head), HasSubstr("hostKey"));
    const auto config = load(pinned + "password_file = \"" + secret("hush\n") + "\"\n");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->destinations[0].config.at("password"), "hush");
}

TEST_F(Config, ChecksDestinationsAsTheContractDoes) {
    EXPECT_THAT(fault_of("[[destination]]\nid = \"d\"\ntype = \"local\"\npath = \"relative\"\n"),
                HasSubstr("absolute"));
    EXPECT_THAT(fault_of("[[destination]]\nid = \"d\"\ntype = \"carrier_pigeon\"\n"), HasSubstr("carrier_pigeon"));
    EXPECT_THAT(fault_of("[[destination]]\nid = \"d\"\ntype = \"local\"\npath = \"/x\"\n"
                         "[[destination]]\nid = \"d\"\ntype = \"local\"\npath = \"/y\"\n"),
                HasSubstr("taken by another"));
}

TEST_F(Config, WantsAKeyWhereSomethingIsEncrypted) {
    const std::string text = "[[destination]]\nid = \"d\"\ntype = \"local\"\npath = \"/x\"\nencrypt = true\n";
    EXPECT_THAT(fault_of(text), HasSubstr("encryption_key_file"));
    const auto config = load("encryption_key_file = \"/etc/key\"\n" + text);
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_THAT(config->encrypted, ElementsAre("d"));
}

TEST_F(Config, RefusesPasswordsWhereLogsWouldShowThemAndDoesNotQuoteThem) {
    for (const char* text : {"[[cluster]]\nname = \"m\"\nhost = \"postgresql://u:hush@db\"\n",
                             "[[cluster]]\nname = \"m\"\ndatabase = \"dbname=x password=hush\"\n",
                             "[[odoo]]\nhealth_url = \"http://u:hush@127.0.0.1/\"\n",
                             "[control_plane]\nurl = \"https://u:hush@control\"\n"}) {
        EXPECT_THAT(fault_of(text), HasSubstr("must")) << text;
        EXPECT_THAT(fault_of(text), Not(HasSubstr("hush")));
    }
}

TEST_F(Config, RefusesAnAddressThatIsNone) {
    EXPECT_THAT(fault_of("[control_plane]\nurl = \"control.example.com\"\n"), HasSubstr("http"));
    EXPECT_THAT(fault_of("[control_plane]\nurl = \"https://user:pw@control\"\n"), HasSubstr("http"));
}

}  // namespace
}  // namespace backstay
