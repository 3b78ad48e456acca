#include "storage/sftp/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/crypto/base64url.h"

namespace backstay::sftp {

using ::testing::HasSubstr;

namespace {

constexpr const char* kEd25519 =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOA6Ju1sg+qkiqeYZnQg1mBYkwVCFDBnqNQjO+TxVnP host";
constexpr const char* kEd25519Print = "SHA256:dEoJ7R5QwV7+OzXSHxcCQNTQ0uyz4oF/KYc9h4hjOV4";
constexpr const char* kEcdsa =
    "ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAM51wpiJSeaccDVRkRlQ5kSNKlbI7ddiXcz2r35FkUIKoGD3lAMoEgSJNGsSi"
    "V"
    "Ymjc+GgORw42oVDvGcsGSZgc=";
constexpr const char* kEcdsaPrint = "SHA256:HF5PKGj0bWczqD9Dimj3/8BvSW1JrQtlEZY375Ar4cM";
// Of backup.example.com and of port 2222 there, as ssh-keygen -H hashes them.
constexpr const char* kHashed = "|1|rELSoTbwirt/aEDoQe7jP2RT49A=|biRZozBNakg7P5nHz0+3cmEXvek= ";
constexpr const char* kHashedPort = "|1|DHaFJTCh9MMKWxV75AIbis1hluw=|p2+s2DtxyUEKorQgzxRBiNzpxFo= ";

std::string prints(const Result<std::vector<HostKey>>& keys) {
    if (!keys) return keys.error().message();
    std::string all;
    for (const HostKey& key : *keys) all += (all.empty() ? "" : " ") + fingerprint_text(key.sha256);
    return all;
}

std::string field(std::string_view text) {
    std::string size(4, '\0');
    size[3] = static_cast<char>(text.size());
    return size + std::string(text);
}

// As ssh-keygen writes one, as far as it is open to anybody.
std::string private_key(const std::string& type, const std::string& cipher = "none") {
    const std::string blob = std::string("openssh-key-v1\0", 15) + field(cipher) + field("none") + field("") +
                             std::string("\0\0\0\1", 4) + field(field(type)) + field("secret part");
    std::string text = base64url_encode(as_bytes(blob));
    std::replace(text.begin(), text.end(), '-', '+');
    std::replace(text.begin(), text.end(), '_', '/');
    text.insert(40, "\n");
    return "-----BEGIN OPENSSH PRIVATE KEY-----\n" + text + "==\n-----END OPENSSH PRIVATE KEY-----\n";
}

std::string fault_of(const std::string& key, bool has_passphrase = false) {
    const auto checked = check_private_key(key, has_passphrase);
    return checked ? "accepted" : checked.error().message();
}

}  // namespace

TEST(SftpHostKeys, AreFingerprintsOrPublicKeys) {
    EXPECT_EQ(prints(parse_host_keys(kEd25519)), kEd25519Print);
    EXPECT_EQ(prints(parse_host_keys(kEcdsa)), kEcdsaPrint);
    EXPECT_EQ(prints(parse_host_keys(kEcdsaPrint)), kEcdsaPrint);
    EXPECT_EQ(parse_host_keys(kEcdsa)->at(0).type, "ecdsa-sha2-nistp256");
    EXPECT_EQ(parse_host_keys(kEcdsaPrint)->at(0).type, "");
    const std::string both = std::string("# of 2026\r\n\n  ") + kEd25519 + "\r\n" + kEcdsaPrint + "\n";
    EXPECT_EQ(prints(parse_host_keys(both)), std::string(kEd25519Print) + " " + kEcdsaPrint);
}

TEST(SftpHostKeys, AreRefusedWhenTheyProveNothing) {
    EXPECT_THAT(prints(parse_host_keys("")), HasSubstr("any server would do"));
    EXPECT_THAT(prints(parse_host_keys("# nothing\n")), HasSubstr("any server would do"));
    EXPECT_THAT(prints(parse_host_keys("ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB")), HasSubstr("RSA keys cannot be used"));
    EXPECT_THAT(prints(parse_host_keys("MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48")), HasSubstr("MD5"));
    for (const char* text : {"SHA256:", "SHA256:dEoJ7R5QwV7", "SHA256:not base64!", "ssh-ed25519", "ssh-ed25519 AAAA",
                             "ssh-dss AAAAB3NzaC1kc3M", "yes", "*", "ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQAB"}) {
        EXPECT_FALSE(parse_host_keys(text)) << text;
    }
    EXPECT_FALSE(parse_host_keys(std::string(kEd25519) + "\nnonsense")) << "one bad line";
}

TEST(SftpKnownHosts, SpeakOfTheHostInEachWayOfWriting) {
    const auto found = [](const std::string& hosts, std::uint16_t port = 22) {
        return prints(find_known_hosts(hosts + kEd25519, "backup.example.com", port));
    };
    for (const char* hosts : {"backup.example.com ", "other,backup.example.com,third ", "*.example.com ",
                              "BACKUP.example.com ", "backup?example.com ", kHashed}) {
        EXPECT_EQ(found(hosts), kEd25519Print) << hosts;
    }
    EXPECT_EQ(found("[backup.example.com]:2222 ", 2222), kEd25519Print);
    EXPECT_EQ(found(kHashedPort, 2222), kEd25519Print);
    for (const char* hosts : {"backup.example.co ", "*.example.com,!backup.example.com ", "[backup.example.com]:2222 ",
                              kHashedPort, "#backup.example.com ", "b.example.com ", "|1|AAAA|AAAA "}) {
        EXPECT_THAT(found(hosts), HasSubstr("says nothing of backup.example.com")) << hosts;
    }
    EXPECT_THAT(found("backup.example.com ", 2222), HasSubstr("says nothing of [backup.example.com]:2222"));
}

TEST(SftpKnownHosts, NeverTrustARevokedKeyOrAnAuthority) {
    const std::string line = std::string("h ") + kEd25519 + "\n";
    EXPECT_EQ(prints(find_known_hosts(line + "h " + kEcdsa, "h", 22)), std::string(kEd25519Print) + " " + kEcdsaPrint);
    EXPECT_EQ(prints(find_known_hosts(line + "h " + kEcdsa + "\n@revoked * " + kEd25519, "h", 22)), kEcdsaPrint);
    EXPECT_THAT(prints(find_known_hosts("@revoked " + line + line, "h", 22)), HasSubstr("that is valid"));
    EXPECT_THAT(prints(find_known_hosts("@cert-authority " + line, "h", 22)), HasSubstr("that is valid"));
    EXPECT_THAT(prints(find_known_hosts("h ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB\n", "h", 22)), HasSubstr("Ed25519"));
    EXPECT_THAT(find_known_hosts("", "h", 22).error().hint(), HasSubstr("ssh-keyscan"));
}

TEST(SftpPrivateKeys, AreEd25519OrEcdsaInOpenSshsForm) {
    EXPECT_EQ(fault_of(private_key("ssh-ed25519")), "accepted");
    EXPECT_EQ(fault_of(private_key("ecdsa-sha2-nistp521")), "accepted");
    EXPECT_EQ(fault_of(private_key("ssh-ed25519", "aes256-ctr"), true), "accepted");
    EXPECT_THAT(fault_of(private_key("ssh-ed25519", "aes256-ctr")), HasSubstr("privateKeyPassphrase"));
    EXPECT_THAT(fault_of(private_key("ssh-ed25519", "chacha20-poly1305@openssh.com"), true), HasSubstr("chacha20"));
}

TEST(SftpPrivateKeys, AreRefusedBeforeTheyFail) {
    EXPECT_THAT(fault_of(private_key("ssh-rsa")), HasSubstr("RSA keys cannot be used"));
    EXPECT_THAT(fault_of("-----BEGIN RSA PRIVATE KEY-----\nsecret\n-----END RSA PRIVATE KEY-----\n"),
                HasSubstr("RSA keys cannot be used"));
    EXPECT_THAT(fault_of(private_key("sk-ssh-ed25519@openssh.com")), HasSubstr("neither"));
    const std::string good = private_key("ssh-ed25519");
    for (const std::string& text :
         {std::string("secret"), good.substr(0, good.size() / 2), std::string(kEd25519),
          std::string("-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"),
          std::string("-----END OPENSSH PRIVATE KEY----------BEGIN OPENSSH PRIVATE KEY-----")}) {
        const std::string fault = fault_of(text);
        EXPECT_THAT(fault, HasSubstr("is not a private key in OpenSSH's form"));
        EXPECT_EQ(fault.find("secret"), std::string::npos);
    }
}

}  // namespace backstay::sftp
