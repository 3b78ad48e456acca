#include "common/http/address_rule.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "common/http/client.h"
#include "tests/support/raw_server.h"

namespace backstay::http {
namespace {

bool allowed(AddressRule rule, const std::string& text) {
    sockaddr_storage room{};
    auto* four = reinterpret_cast<sockaddr_in*>(&room);
    auto* six = reinterpret_cast<sockaddr_in6*>(&room);
    if (::inet_pton(AF_INET, text.c_str(), &four->sin_addr) == 1) {
        room.ss_family = AF_INET;
    } else {
        EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &six->sin6_addr), 1) << text;
        room.ss_family = AF_INET6;
    }
    return may_connect(rule, reinterpret_cast<const sockaddr&>(room));
}

TEST(AddressRule, NeverAllowsLinkLocalMulticastUnspecifiedAndMetadata) {
    for (const char* text :
         {"169.254.169.254", "169.254.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1",
          "255.255.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.192", "::", "fe80::1", "febf::1", "ff02::1",
          "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::169.254.169.254",
          "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "2001::1", "4000::1",
          // NAT64 of a network's own (RFC 8215), which keeps the address elsewhere
          "64:ff9b:1:a9fe:a9:fe00:101:101"}) {
        EXPECT_FALSE(allowed(AddressRule::no_special, text)) << text;
        EXPECT_FALSE(allowed(AddressRule::only_public, text)) << text;
        EXPECT_TRUE(allowed(AddressRule::any, text)) << text;
    }
}

TEST(AddressRule, AllowsLoopbackAndPrivateNetworksOnlyWhereTheyAreWanted) {
    for (const char* text : {"127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                             "100.64.0.1", "198.18.0.1", "::1", "fc00::1", "fdff::1", "fec0::1", "::ffff:10.0.0.1",
                             "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1"}) {
        EXPECT_TRUE(allowed(AddressRule::no_special, text)) << text;
        EXPECT_FALSE(allowed(AddressRule::only_public, text)) << text;
    }
}

TEST(AddressRule, AllowsWhatIsPublic) {
    for (const char* text :
         {"1.1.1.1", "9.255.255.255", "11.0.0.1", "172.15.255.255", "172.32.0.1", "192.167.0.1", "100.63.0.1",
          "100.128.0.1", "126.0.0.1", "223.255.255.255", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"}) {
        EXPECT_TRUE(allowed(AddressRule::only_public, text)) << text;
    }
}

TEST(AddressRule, KnowsNoOtherFamilies) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    EXPECT_FALSE(may_connect(AddressRule::no_special, reinterpret_cast<const sockaddr&>(path)));
    EXPECT_TRUE(may_connect(AddressRule::any, reinterpret_cast<const sockaddr&>(path)));
}

// A name is looked at by what it resolves to, in whatever spelling.
TEST(AddressRule, IsAskedForTheVeryAddressThatIsConnectedTo) {
    bool reached = false;
    testing::RawServer server([&](int socket) {
        reached = !testing::RawServer::read_request(socket).empty();
        testing::RawServer::send_text(socket, "HTTP/1.1 204 No Content\r\n\r\n");
    });
    const std::string url = server.url("/");
    const std::string port = url.substr(url.rfind(':'));
    ClientOptions options;
    options.address_rule = AddressRule::only_public;
    for (const char* host : {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]"}) {
        Client client(options);
        ClientRequest request;
        request.url = std::string("http://") + host + port;
        const auto answer = client.perform(request);
        ASSERT_FALSE(answer) << host;
        EXPECT_EQ(answer.error().code(), Errc::denied) << host << answer.error().message();
        EXPECT_TRUE(answer.error().facts().contains(kAddressRefused)) << host;
    }
    EXPECT_FALSE(reached);
    options.address_rule = AddressRule::no_special;
    ClientRequest request;
    request.url = url;
    const auto answer = Client(options).perform(request);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->status, 204);
    EXPECT_TRUE(reached);
}

// A proxy of the environment would connect for us.
TEST(AddressRule, KeepsOffProxies) {
    bool reached = false;
    testing::RawServer proxy([&](int socket) { reached = !testing::RawServer::read_request(socket).empty(); });
    ::setenv("http_proxy", proxy.url("/").c_str(), 1);
    ClientOptions options;
    options.address_rule = AddressRule::no_special;
    ClientRequest request;
    request.url = "http://127.0.0.1:1/";
    EXPECT_FALSE(Client(options).perform(request));
    ::unsetenv("http_proxy");
    EXPECT_FALSE(reached);
}

}  // namespace
}  // namespace backstay::http
